"""Undo of what was done to tracks; that rebuilt equals live is checked behind every test."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling.commands.undo import Undone, undo_gestures
from labeling.errors import HistoryExhausted, InTheWay
from labeling.log import values
from labeling.log.event import Intent
from labeling.texts import encrypt
from sequences.commands import change_frames
from sequences.rules.track_state import tracks_of
from tests.labeling.rules.test_reversal import content
from tests.sequences.conftest import NAME, Desk
from tests.sequences.support import point

JSON = dict[str, Any]


def undo(desk: Desk, count: int = 1, *, by: Any = None, **options: Any) -> Undone:
    person = by or desk.ana
    intent = Intent(author=person.id, reason=encrypt("a mistake", person=person.id))
    return undo_gestures(intent=intent, sample=desk.sample, label_set=NAME, count=count, **options)


def entries(desk: Desk, number: int = 1) -> JSON:
    found: JSON = next(
        track["entries"] for track in tracks_of(desk.found.state).values() if track["track_id"] == number
    )
    return found


EDITS: list[list[JSON]] = [
    [{"op": "add_track", "frame": 0, "category_id": 1, "geometry": point(0)}],
    [{"op": "set_keyframe", "track": 1, "frame": 4, "geometry": point(40)}],
    [{"op": "move_keyframe", "track": 1, "frame": 4, "to": 5}],
    [{"op": "set_remove_keyframe", "track": 1, "frame": 8}],
    [{"op": "move_remove_keyframe", "track": 1, "frame": 8, "to": 9}],
    [{"op": "set_keyframe_attributes", "track": 1, "frame": 2, "attributes": {"a": 1}}],
    [{"op": "set_track_attributes", "track": 1, "attributes": {"b": 2}}],
    [{"op": "recategorize_track", "track": 1, "category_id": 3}],
    [{"op": "split_track", "track": 1, "frame": 3}, {"op": "order_track", "track": 1, "to": "front"}],
    [{"op": "renumber_track", "track": 1, "track_id": 9}],
    [{"op": "merge_tracks", "track": 9, "source": 2}],
    [{"op": "delete_remove_keyframe", "track": 9, "frame": 9}],
    [{"op": "delete_keyframe", "track": 9, "frame": 5}],
    [{"op": "set_interpolation", "by": "frames", "hold": True}],
    [{"op": "remove_track", "track": 9}],
]


def test_every_edit_of_a_track_is_taken_back_and_done_again_exactly(make_desk):
    desk = make_desk()
    lived: list[JSON] = [{}]
    for edits in EDITS:
        desk.edit(*edits)
        lived.append(content(desk.found.state))
    for known in lived[-2::-1]:
        undone = undo(desk)
        assert undone.report["in_the_way"] == []
        assert values.same(content(desk.found.state), known)
    for known in lived[1:]:
        undo(desk, redo=True)
        assert values.same(content(desk.found.state), known)
    undo(desk, len(EDITS) - 1)
    assert values.same(content(desk.found.state), lived[1])


def test_only_the_frames_that_a_gesture_set_are_put_back(make_desk):
    desk = make_desk()
    desk.edit({"op": "add_track", "frame": 0, "category_id": 1, "geometry": point(0)})
    desk.edit({"op": "set_keyframe", "track": 1, "frame": 4, "geometry": point(40)})
    desk.edit({"op": "set_keyframe", "track": 1, "frame": 6, "geometry": point(60)}, by=desk.ben)
    version = desk.found.state.version
    undo(desk)
    assert list(entries(desk)) == ["0", "6"]
    assert desk.types(version) == ["GestureUndone", "TrackFramesSet"]


def test_a_track_keeps_a_keyframe(make_desk):
    desk = make_desk()
    desk.edit({"op": "add_track", "frame": 0, "category_id": 1, "geometry": point(0)}, by=desk.ben)
    desk.edit({"op": "set_keyframe", "track": 1, "frame": 4, "geometry": point(40)})
    desk.edit({"op": "delete_keyframe", "track": 1, "frame": 0}, by=desk.ben)
    (obstacle,) = undo(desk, dry_run=True).report["in_the_way"]
    assert obstacle["why"] == "invalid"
    with pytest.raises(InTheWay):
        undo(desk)
    undo(desk, on_conflict="force")
    assert tracks_of(desk.found.state) == {}
    undo(desk, redo=True)
    assert list(entries(desk)) == ["4"]


def test_the_frames_stay_where_others_have_tracks(make_desk):
    desk = make_desk()
    desk.edit({"op": "add_track", "frame": 0, "category_id": 1, "geometry": point(0)})
    desk.edit({"op": "add_track", "frame": 0, "category_id": 2, "geometry": point(5)}, by=desk.ben)
    undo(desk)
    assert [track["track_id"] for track in tracks_of(desk.found.state).values()] == [2]
    assert len(desk.document["frames"]) == 10
    undo(desk, by=desk.ben)
    assert tracks_of(desk.found.state) == {}


def test_a_number_that_another_track_has_now_is_in_the_way(make_desk):
    desk = make_desk()
    desk.edit({"op": "add_track", "frame": 0, "category_id": 1, "geometry": point(0)})
    desk.edit({"op": "remove_track", "track": 1})
    desk.edit({"op": "add_track", "frame": 0, "category_id": 1, "track_id": 1, "geometry": point(0)}, by=desk.ben)
    assert [item["why"] for item in undo(desk, dry_run=True).report["in_the_way"]] == ["number"]
    undo(desk, on_conflict="force")
    assert sorted(track["track_id"] for track in tracks_of(desk.found.state).values()) == [1, 2]
    assert len({uuid.UUID(key) for key in tracks_of(desk.found.state)}) == 2


def test_nothing_is_undone_from_before_the_frames_changed(make_desk):
    desk = make_desk()
    desk.edit({"op": "add_track", "frame": 2, "category_id": 1, "geometry": point(0)})
    change_frames(intent=Intent(author=desk.ana.id), sample=desk.sample, edits=[{"op": "remove", "frame": 0}])
    with pytest.raises(HistoryExhausted):
        undo(desk)
    desk.edit({"op": "set_keyframe", "track": 1, "frame": 4, "geometry": point(40)})
    undo(desk)
    assert list(entries(desk)) == ["1"]
