"""Which gestures can be undone and done again, after any coming and going."""

from __future__ import annotations

import uuid
from typing import Any

from labeling import events as e
from labeling.log.event import Event, Fact, Intent
from labeling.rules.gestures import gestures_of, stretches
from tests.support.labels import ANA, BEN, DATASET


def uid(name: str) -> uuid.UUID:
    return uuid.uuid5(DATASET, name)


def log(*lines: tuple[Any, ...]) -> list[Event]:
    """Events of one stream from (author, command, fact, gesture)."""
    found = []
    for version, (author, command, fact, *gesture) in enumerate(lines, 1):
        intent = Intent(author=author, command=uid(command), correlation=uid(gesture[0]) if gesture else None)
        found.append(Event(DATASET, "label/x/y", version, fact, intent, uuid.uuid4(), "0"))
    return found


SCORED = e.LabelScoreSet(score=1.0)


def undone(name: str) -> Fact:
    return e.GestureUndone(gesture=str(uid(name)))


def redone(name: str) -> Fact:
    return e.GestureRedone(gesture=str(uid(name)))


def sides(events: list[Event]) -> tuple[list[str], list[str]]:
    known = {str(uid(name)): name for name in "abcdgu"}
    found = gestures_of(events, ANA)
    return [known[name] for name in found.done], [known[name] for name in found.undone]


def test_nobody_did_anything():
    assert sides([]) == ([], [])
    assert stretches([]) == []


def test_the_events_of_a_command_and_of_a_named_gesture_are_one_each_and_others_have_theirs():
    events = log((ANA, "a", SCORED), (ANA, "a", SCORED), (BEN, "b", SCORED), (ANA, "c", SCORED, "g"),
                 (ANA, "d", SCORED, "g"))  # fmt: skip
    assert sides(events) == (["a", "g"], [])
    assert stretches(gestures_of(events, ANA).done[str(uid("g"))].made) == [(4, 5)]


def test_a_gesture_that_others_came_between_has_several_stretches():
    events = log((ANA, "a", SCORED, "g"), (BEN, "b", SCORED), (ANA, "c", SCORED, "g"), (ANA, "d", SCORED, "g"))
    assert stretches(gestures_of(events, ANA).done[str(uid("g"))].made) == [(3, 4), (1, 1)]


def test_a_gesture_that_goes_on_behind_another_is_the_last_one():
    assert sides(log((ANA, "a", SCORED, "g"), (ANA, "b", SCORED), (ANA, "c", SCORED, "g"))) == (["b", "g"], [])


def test_what_is_undone_can_be_done_again_until_something_new_is_done():
    events = log((ANA, "a", SCORED), (ANA, "b", SCORED), (ANA, "u", undone("b")), (ANA, "u", SCORED),
                 (ANA, "u", undone("a")), (ANA, "u", SCORED))  # fmt: skip
    assert sides(events) == ([], ["b", "a"])
    again = log((ANA, "x", redone("a")), (ANA, "x", SCORED))
    assert sides(events + again) == (["a"], ["b"])
    assert sides(events + again + log((BEN, "d", SCORED))) == (["a"], ["b"])
    assert sides(events + again + log((ANA, "d", SCORED))) == (["a", "d"], [])
    (found,) = gestures_of(events, ANA).undone[str(uid("a"))].undone[1:]
    assert found is events[-1]


def test_a_restore_is_a_gesture_like_any_other():
    events = log((ANA, "a", e.LabelRestored(of={"kind": "label"})), (ANA, "a", SCORED))
    assert sides(events) == (["a"], [])
