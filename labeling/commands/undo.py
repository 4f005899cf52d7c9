"""Undo, redo and restore: what was done to a label is taken back by new events; nothing in the log is changed.

`labeling.rules.reversal` says how, and what somebody built on it since. `on_conflict` says what happens then: `stop`
(nothing is stored), `skip` (that is left as it is), or `force` (it is put back all the same, for which a reason is
asked). A dry run answers what would happen, and stores nothing.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from labeling import events as e
from labeling.commands import assets
from labeling.commands.labels import Seen, append_to_label, base_of, label_for, refuse_overlap
from labeling.commands.writing import decide, earlier
from labeling.errors import HistoryExhausted, InTheWay, InvalidValue, NotFound, ReasonRequired, Refused
from labeling.log import store
from labeling.log.event import Event, Fact, Intent
from labeling.queries.labels import Found
from labeling.rules import access
from labeling.rules.dataset_state import SETTINGS
from labeling.rules.gestures import Gesture, gestures_of, stretches
from labeling.rules.label_state import LabelState
from labeling.rules.past import changed_at, states_at
from labeling.rules.reversal import Obstacle, Reversal, changed_pieces, piece_of

JSON = dict[str, Any]

UNSEEN = Seen()
ON_CONFLICT = ("stop", "skip", "force")
#: What is put back under one heading: (the label before, and behind) for each stretch of events, the newest first.
Spans = list[tuple[LabelState, LabelState]]


@dataclass(slots=True)
class Undone:
    """What an undo, a redo or a restore did to one label, or would do."""

    found: Found
    state: LabelState
    offset: int
    report: JSON = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """The facts, what they change, and what stands in the way."""

    facts: list[Fact]
    after: LabelState
    obstacles: list[Obstacle]
    kept: list[str]


def undo_gestures(
    *,
    intent: Intent,
    sample: uuid.UUID,
    label_set: str,
    count: int = 1,
    redo: bool = False,
    on_conflict: str = "stop",
    dry_run: bool = False,
    seen: Seen = UNSEEN,
) -> Undone:
    """Take back the last `count` of one's own gestures on a label, or do again the last that were taken back.

    Raises:
        NotFound: no such label.
        NotPermitted: the author may not label here.
        HistoryExhausted: there are not so many, or more than the dataset's setting `undo_limit`.
        InTheWay: somebody built on it, and `on_conflict` is stop.
        ReasonRequired: none was given for force.
        Refused: the label is accepted, and labelers do not edit such a label here.
        Conflict, VersionUnknown, Busy: as edit_label.
    """
    check(intent, on_conflict)

    def attempt() -> Undone:
        found = label_for(sample, label_set, intent, "label")
        kept = earlier(found.dataset, intent)
        if kept is not None:
            return Undone(found, found.state, kept.last_offset, (kept.answer or {}).get("undone", {}))
        state = found.state
        if not state.version:
            raise NotFound("The label")
        events = events_of(found)
        gestures = gestures_of(events, intent.author)
        source = gestures.undone if redo else gestures.done
        limit = int((SETTINGS | state.settings)["undo_limit"])
        done, undone = len(gestures.done), len(gestures.undone)
        allowed = undone if redo else max(0, min(done, limit - undone))
        if count > allowed:
            raise HistoryExhausted(_exhausted(redo=redo, allowed=allowed, limit=limit, more=done))
        chosen = list(source.values())[-1 : -count - 1 : -1]
        fact = e.GestureRedone if redo else e.GestureUndone
        parts_of = {item.name: stretches(item.undone if redo else item.made) for item in chosen}
        at = states_at(found.dataset, state.stream, events, _bounds(parts_of.values()))
        headings = [
            (fact(gesture=name), [(at[first - 1], at[last]) for first, last in found_there])
            for name, found_there in parts_of.items()
        ]
        plan = plan_of(found, intent, headings, force=on_conflict == "force")
        moved = count if redo else -count
        report: JSON = {
            "gestures": [_told(item) for item in chosen],
            "can_undo": max(0, min(done + moved, limit - undone + moved)),
            "can_redo": undone - moved,
        }
        return store_plan(found, intent, plan, events, report, on_conflict=on_conflict, dry_run=dry_run, seen=seen)

    return decide(attempt)


# --- what undo and restore share -----------------------------------------------------------------------------------


def events_of(found: Found) -> list[Event]:
    """All events of the label up to the state that was loaded; what is newer makes the append stale."""
    stream = store.read_stream(found.dataset, found.state.stream)
    return [event for event in stream if event.version <= found.state.version]


def check(intent: Intent, on_conflict: str) -> None:
    """Refuse a word that is none, and force without a reason."""
    if on_conflict not in ON_CONFLICT:
        raise InvalidValue("on_conflict", f"must be one of {', '.join(ON_CONFLICT)}")
    if on_conflict == "force" and not intent.reason:
        raise ReasonRequired("with force, which may take what others did since")


def _exhausted(*, redo: bool, allowed: int, limit: int, more: int) -> str:
    if redo:
        return f"{allowed} of your gestures on this label can be done again, and no more."
    why = f"; the dataset's undo_limit is {limit}" if more > allowed else ""
    return f"{allowed} of your gestures on this label can be undone, and no more{why}."


def _bounds(stretches_of: Iterable[list[tuple[int, int]]]) -> set[int]:
    """The versions whose states are needed."""
    return {bound for found in stretches_of for first, last in found for bound in (first - 1, last)}


def _told(gesture: Gesture) -> JSON:
    first, last = gesture.made[0], gesture.made[-1]
    at = last.recorded_at
    return {
        "gesture": gesture.name,
        "events": len(gesture.made),
        "first_offset": first.offset,
        "last_offset": last.offset,
        "recorded_at": at.isoformat() if isinstance(at, dt.datetime) else None,
    }


def plan_of(
    found: Found, intent: Intent, headings: Sequence[tuple[Fact, Spans]], *, force: bool, only: str | None = None
) -> Plan:
    """What putting back those stretches would do, each under its heading; `only` to the piece of that uuid."""
    files = assets.MaskFiles(intent.author)

    def run(*, reopening: bool) -> Reversal:
        reversal = Reversal(found.state.copied(), intent.author, files, _may_set(found), force)
        for heading, spans in headings:
            reversal.tell(msgspec.structs.replace(heading, forced=True) if force else heading)
            if reopening:
                reversal.tell(
                    e.LabelStatusChanged(before=found.state.status, after="LABELING_IN_PROGRESS", verb="reopen")
                )
                reopening = False
            for then, left in spans:
                reversal.put_back(then, left, only=only)
        return reversal

    done = run(reopening=False)
    changes = any(not isinstance(fact, HEADINGS) for fact in done.facts)
    if changes and found.state.exists:
        what = access.on_accepted(found.state.status, role=found.role, setting=found.accepted_edits)
        if what == "refuse":
            raise Refused(
                "This label is accepted, and labelers do not edit such a label here; ask for it to be rejected."
            )
        if what == "reopen":
            done = run(reopening=True)
    return Plan(done.facts, done.state, done.obstacles, done.kept)


HEADINGS = (e.GestureUndone, e.GestureRedone, e.LabelRestored)


def _may_set(found: Found) -> Callable[[str], bool]:
    """Whether the author may bring about a status: what a review says is only a reviewer's to say again."""
    reviewed = access.may("review", role=found.role, public=False)
    return lambda status: reviewed or status not in ("REVIEWED", "REJECTED", "VERIFIED")


def store_plan(
    found: Found,
    intent: Intent,
    plan: Plan,
    events: Sequence[Event],
    report: JSON,
    *,
    on_conflict: str,
    dry_run: bool,
    seen: Seen,
) -> Undone:
    """Append the plan, or only tell it. A restore that changes nothing is not appended, an undo is."""
    state = found.state
    report |= {
        "dry_run": dry_run,
        "changes": changes_of(state, plan.after),
        "in_the_way": [_obstacle(found, item, events) for item in plan.obstacles],
        "kept": plan.kept,
    }
    if plan.obstacles and on_conflict == "stop" and not dry_run:
        raise InTheWay(sorted({item.name for item in plan.obstacles}))
    remembers = any(isinstance(fact, e.GestureUndone | e.GestureRedone) for fact in plan.facts)
    is_idle = not remembers and all(isinstance(fact, HEADINGS) for fact in plan.facts)
    if dry_run or is_idle:
        return Undone(found, state, found.head, report | {"stored": False})
    refuse_overlap(found, seen, base_of(found, seen), plan.facts)
    urls = [fact.mask["url"] for fact in plan.facts if isinstance(fact, e.BitmapPatched)]
    report["stored"] = True
    saved = append_to_label(found, intent, state, plan.facts, known_urls=urls, answer={"undone": report})
    return Undone(found, saved.state, saved.offset, report)


def changes_of(before: LabelState, after: LabelState) -> list[JSON]:
    """What became of each piece of a label and of the label itself."""
    found: list[JSON] = []
    for kind, key in sorted(changed_pieces(before, after)):
        had, has = (piece_of(state, kind, key) for state in (before, after))
        item = has or had or {}
        did = "removed" if has is None else "restored" if had is None else "changed"
        fields = sorted(
            name
            for name in {*(had or {}), *(has or {})} - {"version", "by", "last_offset"}
            if had is not None and has is not None and had.get(name) != has.get(name)
        )
        found.append(
            {"what": f"{kind}:{key}", "id": item.get("id", item.get("track_id")), "did": did, "fields": fields}
        )
    fields = [
        name
        for name in ("status", "score", "scene", "classifications", "default_classification", "mask", "document")
        if getattr(before, name) != getattr(after, name)
    ]
    if before.exists != after.exists:
        found.append({"what": "label", "id": None, "did": "restored" if after.exists else "removed", "fields": []})
    elif fields:
        found.append({"what": "label", "id": None, "did": "changed", "fields": fields})
    return found


def _obstacle(found: Found, item: Obstacle, events: Sequence[Event]) -> JSON:
    """What stands in the way, and who put it there."""
    last = changed_at(found.dataset, found.state.stream, events, item.path)
    return {
        "what": item.name,
        "field": ".".join(item.path[2:] if item.path[0] != "label" else item.path[1:]) or None,
        "why": item.why,
        "then": item.then,
        "now": item.now,
        "by": str(last.intent.author) if last else None,
        "offset": last.offset if last else None,
    }
