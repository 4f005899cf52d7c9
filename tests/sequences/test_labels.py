"""Sequences through the commands, on a real database; that rebuilt equals live is checked behind every test."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling.commands import labels as commands
from labeling.errors import Conflict
from labeling.log import store
from labeling.log.event import Intent
from labeling.log.verify import verify_log
from labeling.queries import labels as queries
from labeling.rules.task_types import task_type
from sequences.models import Track
from tests.e2e.documents import label_attributes
from tests.sequences.rules.test_documents import tagged
from tests.sequences.support import point

JSON = dict[str, Any]
NAME = "ground-truth"


KINDS = (
    "image-vector-sequence",
    "image-segmentation-sequence",
    "pointcloud-cuboid-sequence",
    "pointcloud-vector-sequence",
    "multisensor-sequence",
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_is_saved_read_and_saved_again_without_an_event(make_desk, kind):
    desk = make_desk(kind)
    document = tagged(label_attributes(kind, "https://example.org/m.png"))
    first = desk.save(document)
    assert desk.document == document
    assert desk.save(desk.document).state.version == first.state.version
    assert desk.types() == ["TracksImported", "LabelStatusChanged"]
    assert verify_log(desk.log) == []


def test_a_command_writes_only_the_rows_that_it_touches(desk):
    before = {row.track_id: row.last_offset for row in Track.objects.filter(dataset_id=desk.log)}
    desk.edit({"op": "set_keyframe", "track": 2, "frame": 5, "geometry": point(50)})
    after = {row.track_id: row.last_offset for row in Track.objects.filter(dataset_id=desk.log)}
    assert after[1] == before[1] and after[2] > before[2]


def test_an_edit_loads_only_the_tracks_that_it_names(desk, monkeypatch):
    loaded = []
    find = queries.find_label

    def watched(*arguments: Any, **keywords: Any) -> Any:
        found = find(*arguments, **keywords)
        loaded.append(sorted(item["track_id"] for items in found.state.parts.values() for item in items.values()))
        return found

    monkeypatch.setattr(queries, "find_label", watched)
    desk.edit({"op": "set_keyframe", "track": 2, "frame": 5, "geometry": point(50)})
    assert loaded == [[2]]


def test_a_labeler_and_a_reviewer_edit_different_tracks_at_once(desk):
    version = desk.found.state.version
    desk.edit({"op": "set_keyframe", "track": 1, "frame": 5, "geometry": point(50)}, version=version)
    saved = desk.edit(
        {"op": "set_keyframe", "track": 2, "frame": 5, "geometry": point(7)}, by=desk.ben, version=version
    )
    assert saved.rebased and saved.state.version == version + 2


def test_two_edits_of_different_frames_of_a_track_both_succeed(desk):
    version = desk.found.state.version
    desk.edit({"op": "set_keyframe", "track": 1, "frame": 5, "geometry": point(50)}, version=version)
    assert desk.edit({"op": "set_remove_keyframe", "track": 1, "frame": 8}, by=desk.ben, version=version).rebased


@pytest.mark.parametrize(
    "theirs",
    [
        {"op": "set_keyframe", "track": 1, "frame": 5, "geometry": point(51)},
        {"op": "set_remove_keyframe", "track": 1, "frame": 5},
        {"op": "remove_track", "track": 1},
        {"op": "merge_tracks", "track": 1, "source": 2},
        {"op": "set_track_attributes", "track": 1, "attributes": {"a": 1}},
    ],
)
def test_on_the_same_keyframe_or_the_whole_track_the_second_gets_the_conflict(desk, theirs):
    desk.edit({"op": "set_keyframe", "track": 2, "frame": 9, "geometry": point(1)})
    desk.edit({"op": "delete_keyframe", "track": 2, "frame": 0})
    version = desk.found.state.version
    desk.edit({"op": "set_keyframe", "track": 1, "frame": 5, "geometry": point(50)}, version=version)
    before = store.head(desk.log)
    with pytest.raises(Conflict) as caught:
        desk.edit(theirs, by=desk.ben, version=version)
    assert caught.value.since == version and caught.value.touched[0].startswith("track:")
    assert store.head(desk.log) == before


def test_an_edit_of_a_track_that_somebody_removed_is_a_conflict(desk):
    version = desk.found.state.version
    desk.edit({"op": "remove_track", "track": 1}, version=version)
    with pytest.raises(Conflict):
        desk.edit({"op": "set_keyframe", "track": 1, "frame": 5, "geometry": point(50)}, by=desk.ben, version=version)


def test_documents_of_two_people_meet_frame_by_frame(desk):
    version = desk.found.state.version
    mine = desk.document
    for item in mine["frames"][5]["annotations"]:
        if item["track_id"] == 1:
            item |= {"points": [[50, 0]], "is_keyframe": True}
    desk.edit({"op": "set_keyframe", "track": 2, "frame": 5, "geometry": point(7)}, version=version)
    saved = desk.save(mine, by=desk.ben, version=version)
    assert saved.rebased
    assert [item["points"][0][0] for item in desk.document["frames"][5]["annotations"]] == [50, 7]
    with pytest.raises(Conflict):
        desk.save(mine | {"frames": mine["frames"][:5]}, by=desk.ana, version=version - 1)


def test_what_a_document_removed_of_others_is_named(desk):
    saved = desk.save({"frames": [{"annotations": []} for _ in range(10)]}, by=desk.ben)
    assert saved.superseded == ["1", "2"]
    assert desk.types()[-2:] == ["TrackRemoved", "TrackRemoved"]


def test_a_deleted_label_takes_its_tracks_along_and_its_versions_go_on(desk):
    commands.delete_label(intent=Intent(author=desk.ana.id), sample=desk.sample, label_set=NAME)
    assert not Track.objects.filter(dataset_id=desk.log).exists()
    saved = desk.edit({"op": "add_track", "frame": 0, "geometry": point(1)})
    assert saved.state.version > 4 and saved.results[0]["track_id"] == 3


def test_a_label_is_read_as_it_was_at_any_offset(desk):
    offset = store.head(desk.log)
    before = desk.document
    desk.edit({"op": "set_keyframe", "track": 1, "frame": 5, "geometry": point(50)})
    then = queries.label_at(desk.log, desk.found.state.stream, offset)
    assert task_type("image-vector-sequence").render(then) == before != desk.document


def test_a_retry_of_an_edit_gives_the_same_answer(desk):
    command = uuid.uuid4()
    edit = {"op": "add_track", "frame": 0, "geometry": point(1)}
    first, again = (desk.edit(edit, command=command, request_hash=b"x") for _ in range(2))
    assert again.replayed and again.results == first.results and again.state.version == first.state.version


def test_all_track_operations_in_one_list_are_one_command(desk):
    saved = desk.edit(
        {"op": "set_keyframe", "track": 1, "frame": 4, "geometry": point(40)},
        {"op": "move_keyframe", "track": 1, "frame": 4, "to": 5},
        {"op": "set_remove_keyframe", "track": 1, "frame": 8},
        {"op": "move_remove_keyframe", "track": 1, "frame": 8, "to": 9},
        {"op": "split_track", "track": 1, "frame": 3, "track_id": 7},
        {"op": "renumber_track", "track": 7, "track_id": 8},
        {"op": "recategorize_track", "track": 8, "category_id": None},
        {"op": "order_track", "track": 1, "to": "front"},
        {"op": "merge_tracks", "track": 1, "source": 8},
        {"op": "delete_remove_keyframe", "track": 1, "frame": 9},
        {"op": "delete_keyframe", "track": 1, "frame": 0},
        {"op": "remove_track", "track": 2},
        {"op": "set_status", "verb": "submit"},
    )
    assert saved.state.status == "LABELED" and all(result["changed"] for result in saved.results)
    (row,) = Track.objects.filter(dataset_id=desk.log)
    assert row.data["entries"].keys() == {"5"} and row.track_id == 1
    assert [len(frame["annotations"]) for frame in desk.document["frames"]] == [0] * 5 + [1] * 5
