"""What somebody may undo and redo on a label: their own gestures, in the order in which they made them. Pure.

A gesture is what the client called one (`gesture`, kept as the events' correlation), else the events of one command.
Undoing takes gestures from the end of those that are done, redoing from the end of those that are undone, and a new
gesture forgets the undone ones, as editors do. So does a change of the sample's frames, by which what came before means
something else. Nothing is forgotten in the log: it is all there to be restored.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from labeling import events as e
from labeling.log.event import Event
from labeling.rules import parts


@dataclass(slots=True)
class Gesture:
    """One gesture: the events that made it, and where it is undone those that undid it last."""

    name: str
    made: list[Event] = field(default_factory=list)
    undone: list[Event] = field(default_factory=list)


def stretches(events: Iterable[Event]) -> list[tuple[int, int]]:
    """(first, last) version of events of a stream without those of others between them, the newest first."""
    found: list[tuple[int, int]] = []
    for event in events:
        if found and found[-1][1] == event.version - 1:
            found[-1] = (found[-1][0], event.version)
        else:
            found.append((event.version, event.version))
    return found[::-1]


@dataclass(slots=True)
class Gestures:
    """The gestures of one person on one label by their names; the last ones are at the end."""

    done: dict[str, Gesture] = field(default_factory=dict)
    undone: dict[str, Gesture] = field(default_factory=dict)


def name_of(event: Event) -> str:
    """What the gesture of an event is called."""
    return str(event.intent.correlation or event.intent.command)


def gestures_of(events: Iterable[Event], person: uuid.UUID) -> Gestures:
    """The gestures of a person among the events of a label's stream."""
    found = Gestures()
    open_: dict[uuid.UUID, list[Event]] = {}  # command of an undo or a redo → where its next events belong
    for event in events:
        intent = event.intent
        if parts.is_barrier(event.fact):
            found, open_ = Gestures(), {}
            continue
        if intent.author != person:
            continue
        match event.fact:
            case e.GestureUndone(gesture=name):
                gesture = _taken(found.done, name)
                gesture.undone = open_[intent.command] = [event]
                found.undone[name] = gesture
            case e.GestureRedone(gesture=name):
                # To undo it again is to undo what it was made by: what somebody built on that still stands in the way.
                found.done[name] = _taken(found.undone, name)
                open_[intent.command] = []
            case _ if intent.command in open_:
                open_[intent.command].append(event)
            case _:
                name = name_of(event)
                gesture = _taken(found.done, name)
                gesture.made.append(event)
                found.done[name] = gesture  # where it goes on after another one, it is the last one now
                found.undone.clear()
    return found


def _taken(side: dict[str, Gesture], name: str) -> Gesture:
    gesture = side.pop(name, None)
    return Gesture(name) if gesture is None else gesture
