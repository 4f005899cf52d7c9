"""The frames that an actor keeps: never other than computed ones, whether it is ahead, behind, killed or bent."""

from __future__ import annotations

import random
import uuid
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from labeling.commands import labels as commands
from labeling.errors import InvalidValue, Refused
from labeling.log import projector, rebuild, store
from labeling.log.event import Intent
from labeling.queries import labels as queries
from labeling.rules.label_state import LabelState
from sequences import projectors
from sequences.commands import change_frames
from sequences.models import Track, TrackFrames
from sequences.projectors import Frames
from sequences.queries.frames import lines_of_label
from sequences.rules.dense import clock_mark, frame_texts, segments, unpacked
from sequences.rules.documents import rendered_frames
from sequences.rules.edits.subjects import UNSHOWN
from sequences.rules.skeletons import clock_of, frames_of, skeleton_of
from tests.e2e.documents import label_attributes
from tests.sequences.conftest import NAME, Desk
from tests.sequences.rules.test_documents import tagged
from tests.sequences.support import FORMS, bbox, point
from tests.sequences.test_labels import KINDS
from tests.support.installation import is_full

JSON = dict[str, Any]


def shown(desk: Desk, sensor: int | None = None, start: int = 0, end: int = 1 << 53) -> bytes:
    """The frames as a reader gets them who loads no tracks but those that nobody computed."""
    state = queries.find_label(desk.sample, NAME, person=desk.ana.id, ids=[]).state
    lines = lines_of_label(state, sensor, start, end)
    assert lines is not None
    return b"".join(frame_texts(frames_of(skeleton_of(state), sensor)[start:end], lines, start))


def expected(desk: Desk, sensor: int | None = None, start: int = 0, end: int | None = None) -> bytes:
    """The same, of a whole state and a dict a shape."""
    return slow_text(desk.found.state, start, end, sensor)


def slow_text(state: LabelState, start: int, end: int | None, sensor: int | None = None) -> bytes:
    window = rendered_frames(state, sensor, start, end)
    return orjson.dumps([{"frame": frame} | content for frame, content in enumerate(window, start)])


def versions(desk: Desk) -> dict[int, tuple[int, int | None]]:
    """{number: (the track's version, that of its frames)}."""
    made = dict(TrackFrames.objects.filter(dataset_id=desk.log).values_list("key", "version"))
    return {row.track_id: (row.version, made.get(row.key)) for row in Track.objects.filter(dataset_id=desk.log)}


def set_keyframe(track: int, frame: int, x: float) -> JSON:
    return {"op": "set_keyframe", "track": track, "frame": frame, "geometry": point(x)}


def test_an_actor_keeps_the_frames_of_every_track(desk):
    desk.edit(set_keyframe(1, 5, 50))
    assert all(made is None for _, made in versions(desk).values())
    projector.catch_up(desk.log)
    assert all(made == version for version, made in versions(desk).values())
    assert shown(desk) == expected(desk)


def test_a_reader_ahead_of_the_actor_sees_the_new_frames_and_computes_only_what_changed(desk, monkeypatch):
    projector.catch_up(desk.log)
    desk.edit(set_keyframe(2, 5, 50))
    computed = []
    real = segments._segment

    def watched(track: JSON, *arguments: Any) -> Any:
        computed.append(track["track_id"])
        return real(track, *arguments)

    monkeypatch.setattr(segments, "_segment", watched)
    assert shown(desk) == expected(desk)
    assert set(computed) == {2}
    projector.catch_up(desk.log)
    computed.clear()
    assert shown(desk) == expected(desk) and not computed


def test_an_event_lets_only_the_segments_that_it_touches_be_computed(desk, monkeypatch):
    desk.edit(*(set_keyframe(1, frame, frame * frame) for frame in (2, 4, 6, 8)))
    projector.catch_up(desk.log)
    computed = []
    real = segments._segment

    def watched(track: JSON, line: Any, clock: Any, item: Any, numbers: Any) -> Any:
        computed.append((track["track_id"], item.first))
        return real(track, line, clock, item, numbers)

    monkeypatch.setattr(segments, "_segment", watched)
    desk.edit(set_keyframe(1, 4, 1))
    projector.catch_up(desk.log)
    assert computed == [(1, 2), (1, 4)]
    computed.clear()
    desk.edit({"op": "order_track", "track": 2, "to": "front"}, {"op": "set_status", "verb": "submit"})
    projector.catch_up(desk.log)
    assert computed == [] and shown(desk) == expected(desk)


def test_frames_of_tracks_that_are_gone_are_gone(desk):
    projector.catch_up(desk.log)
    desk.edit({"op": "remove_track", "track": 1})
    assert shown(desk) == expected(desk)
    projector.catch_up(desk.log)
    assert TrackFrames.objects.filter(dataset_id=desk.log).count() == 1
    commands.delete_label(intent=Intent(author=desk.ana.id), sample=desk.sample, label_set=NAME)
    projector.catch_up(desk.log)
    assert not TrackFrames.objects.filter(dataset_id=desk.log).exists()
    assert rebuild.compared_catch_up(Frames(), desk.log) == {}


@pytest.mark.parametrize(
    "said", [{"by": "frames", "hold": True}, {"by": "times"}, {"by": "frames", "extrapolate": True}]
)
def test_another_clock_makes_all_frames_anew(desk, said):
    times = [{"annotations": [], "timestamp": 3 * n * n} for n in range(10)]
    document = desk.document["frames"]
    desk.save({"frames": [head | frame for head, frame in zip(times, document, strict=True)]})
    desk.edit(set_keyframe(1, 9, 81), set_keyframe(2, 9, 9))
    projector.catch_up(desk.log)
    before = shown(desk)
    desk.edit({"op": "set_interpolation", **said})
    assert shown(desk) == expected(desk)
    projector.catch_up(desk.log)
    state = desk.found.state
    marks = {bytes(row.clock) for row in TrackFrames.objects.filter(dataset_id=desk.log)}
    assert marks == {clock_mark(clock_of(skeleton_of(state), None))}
    assert (shown(desk) == before) == (said["by"] == "times"), "as it was by the dataset's setting"


def test_other_times_of_the_same_frames_make_them_anew(desk):
    desk.edit({"op": "set_interpolation", "by": "times"}, set_keyframe(1, 9, 90))
    for step in (1, 2):
        document = desk.document["frames"]
        heads = [frame | {"timestamp": n**step} for n, frame in enumerate(document)]
        desk.save({"frames": heads})
        assert shown(desk) == expected(desk)
        projector.catch_up(desk.log)
        assert shown(desk) == expected(desk)


@pytest.mark.parametrize("kind", KINDS)
def test_every_task_type_is_kept_and_shown(make_desk, kind):
    desk = make_desk(kind)
    desk.save(tagged(label_attributes(kind, "https://example.org/m.png")))
    sensors = {row.sensor for row in Track.objects.filter(dataset_id=desk.log)}
    assert sensors
    for _ in range(2):
        for sensor in sensors:
            assert shown(desk, sensor) == expected(desk, sensor)
        projector.catch_up(desk.log)
    assert rebuild.compared_catch_up(Frames(), desk.log) == {}


# --- in any order --------------------------------------------------------------------------------------------------

OPERATIONS = (
    "set_keyframe", "move_keyframe", "delete_keyframe", "set_remove_keyframe", "move_remove_keyframe",
    "delete_remove_keyframe", "set_keyframe_attributes", "set_track_attributes", "recategorize_track",
    "renumber_track", "order_track", "merge_tracks", "split_track", "remove_track", "add_track", "set_interpolation",
)  # fmt: skip


def some_edit(chance: random.Random) -> JSON:
    """Any edit of tracks; many are refused."""
    op = chance.choice(OPERATIONS)
    edit: JSON = {"op": op}
    if op == "set_interpolation":
        return edit | {"by": "frames", "hold": chance.random() < 0.3}
    if op != "add_track":
        edit["track"] = chance.randint(1, 5)
    if "keyframe" in op or op in ("add_track", "split_track"):
        edit["frame"] = chance.randrange(12)
    if op in ("set_keyframe", "add_track"):
        form = chance.choice([form for form in FORMS if form not in (*UNSHOWN, "mask")])
        edit["geometry"] = (
            FORMS[form] if chance.random() < 0.5 else bbox(chance.randint(0, 9), chance.randint(0, 9), 20, 30)
        )
    if op.startswith("move_"):
        edit["to"] = chance.randrange(12)
    if op.endswith("_attributes"):
        edit["attributes"] = {"a": chance.randint(0, 3)}
    more: dict[str, JSON] = {
        "recategorize_track": {"category_id": 2},
        "renumber_track": {"track_id": chance.randint(1, 9)},
        "order_track": {"to": "front"},
        "merge_tracks": {"source": chance.randint(1, 5)},
    }
    return edit | more.get(op, {})


def some_change(chance: random.Random, frames: int) -> JSON:
    """Any change of the frames of a sample."""
    op = chance.choice(["append", "insert", "remove", "move", "set_timestamp"])
    at = {"frame": chance.randrange(frames)} if op != "append" else {}
    more: dict[str, JSON] = {
        "append": {"frames": [{"image": {"url": ""}, "timestamp": 1000}]},
        "insert": {"frames": [{"image": {"url": ""}}]},
        "move": {"to": chance.randrange(frames)},
        "set_timestamp": {"timestamp": chance.randrange(99)},
    }
    return {"op": op} | at | more.get(op, {})


@pytest.mark.parametrize("seed", range(60 if is_full() else 4))
def test_whatever_is_edited_and_whenever_the_actor_comes_readers_see_what_is_computed(make_desk, seed):
    chance = random.Random(seed)
    desk = make_desk(frames=12)
    desk.edit(*({"op": "add_track", "frame": 0, "geometry": bbox(n, 0, 20, 30)} for n in range(3)))
    done = 0
    for _ in range(60):
        try:
            if chance.random() < 0.15:
                frames = len(queries.attributes_of(desk.sample)[0]["frames"])
                change_frames(
                    intent=Intent(author=desk.ana.id), sample=desk.sample, edits=[some_change(chance, frames)]
                )
            else:
                desk.edit(some_edit(chance))
            done += 1
        except (InvalidValue, Refused):
            continue
        if chance.random() < 0.4:
            projector.catch_up(desk.log)
        start = chance.randrange(12)
        end = chance.randrange(start, 13)
        assert shown(desk, None, start, end) == expected(desk, None, start, end)
    assert done > 10
    version = desk.found.state.version
    assert desk.save(desk.document).state.version == version, "what is shown, uploaded again, is nothing new"
    assert rebuild.compared_catch_up(Frames(), desk.log) == {}
    projector.catch_up(desk.log)
    assert rebuild.compared_catch_up(Frames(), desk.log) == {}
    assert all(made == version for version, made in versions(desk).values())


# --- verified and rebuilt ------------------------------------------------------------------------------------------


def rows_of(desk: Desk) -> list[Any]:
    rows = TrackFrames.objects.filter(dataset_id=desk.log).order_by("key").values_list()
    return [tuple(bytes(value) if isinstance(value, memoryview) else value for value in row) for row in rows]


def test_rebuilding_frames_gives_the_same_rows(desk):
    for frame in range(1, 9):
        desk.edit(set_keyframe(1 + frame % 2, frame, frame * frame))
        projector.catch_up(desk.log)
    before = rows_of(desk)
    TrackFrames.objects.filter(dataset_id=desk.log).delete()
    call_command("rebuild", "frames", dataset=str(desk.log))
    assert rows_of(desk) == before and len(before) == 2


BENT = {
    "a number": "data = set_byte(data, octet_length(data) - 3, 7)",
    "a version": "version = version + 1",
    "a clock": "clock = set_byte(clock, 0, 1)",
    "a start": "starts[1] = 1",
}


@pytest.mark.parametrize("what", BENT)
def test_verify_finds_frames_that_somebody_bent(desk, what, capsys):
    desk.edit(set_keyframe(1, 9, 50))
    projector.catch_up(desk.log)
    call_command("verify", dataset=str(desk.log))
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE sequences_trackframes SET {BENT[what]} WHERE dataset_id = %s", [desk.log])
    with pytest.raises(CommandError):
        call_command("verify", dataset=str(desk.log))
    assert "of sequences_trackframes differ from what frames makes of the log" in capsys.readouterr().out
    call_command("rebuild", "frames", dataset=str(desk.log))
    call_command("verify", dataset=str(desk.log))


def test_verify_finds_frames_that_are_missing_or_too_many(desk):
    projector.catch_up(desk.log)
    row = TrackFrames.objects.filter(dataset_id=desk.log).first()
    assert row is not None
    TrackFrames.objects.filter(key=row.key).delete()
    assert rebuild.compared_catch_up(Frames(), desk.log)["sequences_trackframes"].rows == 1
    row.key = uuid.uuid4()
    row.save(force_insert=True)
    assert rebuild.compared_catch_up(Frames(), desk.log)["sequences_trackframes"].rows == 2


def test_an_actor_that_is_behind_is_no_fault(desk):
    projector.catch_up(desk.log)
    desk.edit(set_keyframe(1, 9, 50))
    assert rebuild.compared_catch_up(Frames(), desk.log) == {}
    call_command("verify", dataset=str(desk.log))


def test_a_page_in_the_middle_of_the_log_makes_the_newest_frames_at_once(desk, monkeypatch):
    for frame in range(1, 9):
        desk.edit(set_keyframe(1, frame, frame * frame))
    monkeypatch.setattr(projectors, "TRACKS", 1)
    monkeypatch.setattr(projectors, "WRITE_BYTES", 1)
    middle = store.read(desk.log, limit=store.head(desk.log) - 4)
    Frames().project(desk.log, middle)
    assert all(made == version for version, made in versions(desk).values())
    assert shown(desk) == expected(desk)


def test_frames_that_are_too_many_are_computed_by_who_reads_them(desk, monkeypatch):
    monkeypatch.setattr(projectors, "MOST_BYTES", 10)
    projector.catch_up(desk.log)
    assert all(not row.starts and not row.data for row in TrackFrames.objects.filter(dataset_id=desk.log))
    assert shown(desk) == expected(desk)


def test_other_code_does_not_take_what_this_code_made(desk, monkeypatch):
    projector.catch_up(desk.log)
    monkeypatch.setattr(segments, "FORMAT", segments.FORMAT + 1)
    TrackFrames.objects.filter(dataset_id=desk.log).update(data=b"of an older version")
    assert shown(desk) == expected(desk)


def test_a_label_that_moves_on_while_it_is_read_is_read_again(desk):
    state = queries.find_label(desk.sample, NAME, person=desk.ana.id, ids=[]).state
    desk.edit(set_keyframe(1, 9, 50))
    assert lines_of_label(state, None, 0, 10) is None


def test_a_dataset_of_another_kind_costs_one_statement(dataset, sample, person, django_assert_num_queries):
    ana = person("ana")
    log = dataset(ana)
    where = sample(log, ana)
    edit = {"op": "add", "geometry": {"type": "bbox", "points": [[1, 2], [3, 4]]}}
    commands.edit_label(intent=Intent(author=ana.id), sample=where, label_set=NAME, edits=[edit])
    events = store.read(log)
    with django_assert_num_queries(1):
        Frames().project(log, events)


def test_numbers_are_kept_as_arrays(desk):
    desk.edit(set_keyframe(1, 9, 50))
    projector.catch_up(desk.log)
    row = TrackFrames.objects.get(key=Track.objects.get(dataset_id=desk.log, track_id=1).key)
    (first, last) = unpacked(bytes(row.data))
    assert (first.count, first.width, len(first.numbers)) == (9, 2, 8 * 2 * 8) and last.count == 1
