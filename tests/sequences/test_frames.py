"""The frames of a labeled sample change: its labels and issues go along, in one append. On a real database."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from django.db import connection

from labeling.commands import issues, labels, samples
from labeling.commands.datasets import add_label_set
from labeling.commands.labels import Seen
from labeling.errors import Conflict, InvalidValue, NotPermitted, Refused, VersionUnknown
from labeling.log import store
from labeling.log.event import Intent
from labeling.log.verify import verify_log
from labeling.models import Issue
from labeling.queries import labels as queries
from labeling.queries.samples import sample_at
from labeling.rules.task_types import task_type
from sequences.commands import change_frames
from tests.sequences.conftest import Desk
from tests.sequences.rules.test_documents import box, frames
from tests.sequences.support import bbox, point

JSON = dict[str, Any]


def photo(n: int, **more: Any) -> JSON:
    return {"image": {"url": f"https://example.org/new-{n}.png"}} | more


def change(desk: Desk, *edits: JSON, by: Any = None, version: int | None = None, **fields: Any) -> Any:
    return change_frames(
        intent=Intent(author=(by or desk.ana).id, **fields), sample=desk.sample, edits=list(edits), seen=Seen(version)
    )


def urls(desk: Desk, at: int | None = None) -> list[str]:
    state = sample_at(desk.log, desk.sample, store.head(desk.log) if at is None else at)
    return [frame["image"]["url"].rsplit("/", 1)[-1].removesuffix(".png") for frame in state.attributes["frames"]]


def xs(desk: Desk, document: JSON | None = None) -> list[list[float]]:
    """The left edges of the objects of each frame."""
    return [[item["points"][0][0] for item in f["annotations"]] for f in (document or desk.document)["frames"]]


@pytest.fixture
def desk(make_desk: Any) -> Desk:
    """Five frames; an object that goes from 0 to 40, with a keyframe at the first and the last."""
    made: Desk = make_desk(frames=5)
    made.edit({"op": "add_track", "frame": 0, "category_id": 1, "geometry": point(0)})
    made.edit({"op": "set_keyframe", "track": 1, "frame": 4, "geometry": point(40)})
    return made


def test_a_removed_frame_takes_its_keyframe_along_and_the_rest_goes_on_showing_what_it_showed(desk):
    before = store.head(desk.log)
    done = change(desk, {"op": "remove", "frame": 0})
    assert xs(desk) == [[10], [20], [30], [40]] and urls(desk) == ["1", "2", "3", "4"]
    assert desk.types()[-1] == "FramesRearranged"
    (label,) = done.labels
    assert (label["labelset"], [k["frame"] for k in label["keyframes"]], label["removed_tracks"]) == (
        "ground-truth", [0], [],
    )  # fmt: skip
    assert done.version == 2 and label["version"] == desk.found.state.version
    # One append: the sample's event and the label's have neighbouring offsets, and one command.
    events = store.read(desk.log, after=before)
    assert [event.type for event in events] == ["SampleFramesRemoved", "FramesRearranged"]
    assert len({event.intent.command for event in events}) == 1
    verify_log(desk.log)


def test_the_past_reads_with_the_frames_of_then(desk):
    before = store.head(desk.log)
    was = desk.document
    change(desk, {"op": "move", "frame": 4, "to": 0}, {"op": "append", "frames": [photo(0)]})
    assert xs(desk) == [[40], [0], [10], [20], [30], [30]]
    state = queries.label_at(desk.log, desk.found.state.stream, before)
    assert task_type("image-vector-sequence").render(state) == was
    assert urls(desk, before) == ["0", "1", "2", "3", "4"] and urls(desk)[0] == "4"


def test_the_label_of_every_label_set_goes_along_and_a_label_without_frames_is_left_alone(desk, intent):
    for name in ("model", "empty", "gone"):
        add_label_set(intent=intent(desk.ana), dataset=desk.log, name=name, description="")

    def save(name: str, **fields: Any) -> Any:
        return labels.save_label(intent=intent(desk.ana), sample=desk.sample, label_set=name, create=True, **fields)

    save("model", document=frames(box(0, keyframe=True), box(1), box(2, keyframe=True), box(2), box(2)))
    save("gone", document=frames([], [], [], [], []))
    labels.delete_label(intent=intent(desk.ana), sample=desk.sample, label_set="gone")
    done = change(desk, {"op": "remove", "frame": 1})
    assert sorted(label["labelset"] for label in done.labels) == ["ground-truth", "model"]
    assert [len(f["annotations"]) for f in desk.document["frames"]] == [1, 1, 1, 1]


def test_a_track_without_a_frame_left_is_removed_and_named(desk):
    desk.edit({"op": "add_track", "frame": 3, "category_id": 1, "geometry": point(7)})
    desk.edit({"op": "set_remove_keyframe", "track": 2, "frame": 4})
    done = change(desk, {"op": "remove", "frame": 3})
    assert [item["track_id"] for item in done.labels[0]["removed_tracks"]] == [2]
    assert desk.types()[-2:] == ["TrackRemoved", "FramesRearranged"]


def test_issues_point_at_the_frames_that_they_pointed_at(desk, intent):
    for frame in (0, 3):
        fields = issues.checked_issue({"description": "look", "anchor": {"type": "basic", "frame": frame}})
        issues.open_issue(intent=intent(desk.ana), sample=desk.sample, fields=fields)
    change(desk, {"op": "remove", "frame": 0})
    assert sorted(str(row.anchor) for row in Issue.objects.filter(sample_id=desk.sample)) == [
        "{'type': 'basic', 'frame': 2}", "{'type': 'basic'}",
    ]  # fmt: skip


def test_another_time_goes_to_the_labels_and_moves_what_is_computed_by_times(desk):
    change(desk, *({"op": "set_timestamp", "frame": n, "timestamp": n} for n in range(5)))
    desk.edit({"op": "set_interpolation", "by": "times"})
    assert xs(desk) == [[0], [10], [20], [30], [40]]
    done = change(desk, {"op": "set_timestamp", "frame": 1, "timestamp": 2.5})
    assert xs(desk) == [[0], [25], [20], [30], [40]]
    assert [frame["timestamp"] for frame in desk.document["frames"]] == [0, 2.5, 2, 3, 4]
    assert done.labels[0]["keyframes"] == []
    change(desk, {"op": "set_timestamp", "frame": 0, "timestamp": None})
    assert "timestamp" not in desk.document["frames"][0]


def test_a_sample_without_labels_changes_alone(make_desk):
    desk = make_desk(frames=0)
    done = change(desk, {"op": "append", "frames": [photo(0), photo(1)]})
    assert (done.labels, urls(desk)) == ([], ["new-0", "new-1"])
    assert change(desk, {"op": "append", "frames": []}).version == 2  # nothing happened


def test_the_first_edit_of_a_label_begins_with_the_frames_of_now(make_desk):
    desk = make_desk(frames=2)
    change(desk, {"op": "append", "frames": [photo(0, timestamp=5)]})
    desk.edit({"op": "add_track", "frame": 2, "category_id": 1, "geometry": point(1)})
    assert desk.document["frames"][2]["timestamp"] == 5


# --- with others ---------------------------------------------------------------------------------------------------


def test_an_edit_of_a_frame_by_its_old_number_is_a_conflict(desk):
    version = desk.found.state.version
    change(desk, {"op": "remove", "frame": 1})
    with pytest.raises(Conflict) as conflict:
        desk.edit({"op": "set_keyframe", "track": 1, "frame": 2, "geometry": point(9)}, by=desk.ben, version=version)
    assert conflict.value.touched == ["label"]


def test_frames_at_the_end_are_in_nobodys_way(desk):
    version = desk.found.state.version
    change(desk, {"op": "append", "frames": [photo(0)]})
    done = desk.edit({"op": "set_keyframe", "track": 1, "frame": 2, "geometry": point(9)}, by=desk.ben, version=version)
    assert done.rebased and xs(desk) == [[0], [4.5], [9], [24.5], [40], [40]]


def test_numbers_of_an_older_version_of_the_sample_are_refused_where_its_frames_were_changed_since(desk):
    change(desk, {"op": "remove", "frame": 0}, version=1)
    with pytest.raises(Conflict) as conflict:
        change(desk, {"op": "remove", "frame": 0}, version=1)
    assert conflict.value.missed and f"/samples/{desk.sample}/history/" in conflict.value.missed
    samples.change_sample(intent=Intent(author=desk.ana.id), sample=desk.sample, changes={"priority": 4})
    change(desk, {"op": "remove", "frame": 0}, version=2)
    assert urls(desk) == ["2", "3", "4"]
    with pytest.raises(VersionUnknown):
        change(desk, {"op": "remove", "frame": 0}, version=99)


def test_a_retry_is_answered_as_the_first_time(desk):
    named: JSON = {"command": uuid.uuid4(), "request_hash": b"x" * 32}
    first = change(desk, {"op": "remove", "frame": 0}, **named)
    again = change(desk, {"op": "remove", "frame": 0}, **named)
    assert (again.version, again.edits, again.labels, again.offset) == (
        first.version, first.edits, first.labels, first.offset,
    )  # fmt: skip
    assert len(urls(desk)) == 4


def test_nothing_is_lost_between_a_labeler_and_who_takes_frames_away(committed_db, make_desk):
    """Ben sets keyframes while Ana removes frames at the front: whatever the order, every frame of the label is a
    frame of the sample, and each edit of either is in the log."""
    desk = make_desk(frames=30)
    start = threading.Barrier(2)

    def remove() -> None:
        start.wait()
        for _ in range(8):
            change(desk, {"op": "remove", "frame": 0})
        connection.close()

    thread = threading.Thread(target=remove)
    thread.start()
    start.wait()
    for number in range(8):
        desk.edit({"op": "add_track", "frame": number, "category_id": 1, "geometry": point(number)}, by=desk.ben)
    thread.join()
    assert len(desk.document["frames"]) == len(urls(desk)) == 22
    types = desk.types()
    removed = types.count("TrackRemoved")
    assert types.count("TrackAdded") == 8 and len(desk.found.state.parts["sequences_track"]) == 8 - removed


# --- what is refused -----------------------------------------------------------------------------------------------


def test_the_protocol_changes_no_numbers_of_labeled_frames(desk, intent):
    def update(frames: list[JSON]) -> None:
        samples.change_sample(intent=intent(desk.ana), sample=desk.sample, changes={"attributes": {"frames": frames}})

    now = sample_at(desk.log, desk.sample, store.head(desk.log)).attributes["frames"]
    for others in (now[:-1], [*now, photo(1)], now[::-1], [now[0] | {"timestamp": 3}, *now[1:]]):
        with pytest.raises(Refused) as refused:
            update(others)
        assert "/samples/{sample}/frames/" in refused.value.message
    update([photo(0), *now[1:]])  # a better picture
    labels.delete_label(intent=intent(desk.ana), sample=desk.sample, label_set="ground-truth")
    update(now[:2])


def test_a_labeler_changes_no_frames(desk):
    with pytest.raises(NotPermitted):
        change(desk, {"op": "remove", "frame": 0}, by=desk.ben)


def test_what_does_not_fit_changes_nothing(desk):
    before = store.head(desk.log)
    with pytest.raises(InvalidValue):
        change(desk, {"op": "remove", "frame": 0}, {"op": "remove", "frame": 4})
    assert store.head(desk.log) == before


@pytest.mark.parametrize("kind", ["vector", "pointcloud-segmentation-sequence"])
def test_a_dataset_whose_labels_follow_no_frames_refuses(dataset, sample, person, kind):
    ana = person("ana")
    made = sample(dataset(ana, kind), ana)
    with pytest.raises(Refused):
        change_frames(intent=Intent(author=ana.id), sample=made, edits=[{"op": "remove", "frame": 0}])


# --- several sensors -----------------------------------------------------------------------------------------------


def test_the_frames_of_one_sensor_change_and_its_labels_are_found_by_its_name(dataset, sample, person):
    ana = person("ana")
    log = dataset(ana, "multisensor-sequence")

    def sensor(name: str, content: list[JSON]) -> JSON:
        return {"name": name, "task_type": "image-vector-sequence", "attributes": {"frames": content}}

    there = sample(
        log, ana, attributes={"sensors": [sensor("left", [photo(0)]), sensor("right", [photo(1), photo(2)])]}
    )
    label = {"sensors": [sensor("right", frames(box(0, keyframe=True), box(0))["frames"]),
                         sensor("left", frames(box(5, keyframe=True))["frames"])]}  # fmt: skip
    labels.save_label(intent=Intent(author=ana.id), sample=there, label_set="ground-truth", document=label, create=True)
    edit = {"op": "insert", "sensor": 1, "frame": 0, "frames": [photo(3)]}
    change_frames(intent=Intent(author=ana.id), sample=there, edits=[edit])
    found = queries.find_label(there, "ground-truth", person=ana.id)
    right, left = task_type(found.task_type).render(found.state)["sensors"]
    assert [len(f["annotations"]) for f in right["attributes"]["frames"]] == [0, 1, 1]
    assert [len(f["annotations"]) for f in left["attributes"]["frames"]] == [1]
    assert bbox(0, 0, 1, 1)["type"] == right["attributes"]["frames"][1]["annotations"][0]["type"]
