"""Restore: events of anybody are taken back, or an object or a label becomes what it was at an offset; by new events.

Each label is an append of its own, all of one gesture, so a restore of many labels can be taken back as one, and goes
on where it stopped when it is sent again: what is put back already is not put back twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from labeling import events as e
from labeling.commands import undo
from labeling.commands.labels import Seen, label_for
from labeling.commands.undo import UNSEEN, Undone
from labeling.commands.writing import decide, earlier
from labeling.errors import InTheWay, NotFound, ReasonRequired, Refused
from labeling.log import search
from labeling.log.event import Event, Intent
from labeling.log.search import Wanted
from labeling.models import LabelSet
from labeling.queries.labels import Found
from labeling.rules import access, parts
from labeling.rules.gestures import stretches
from labeling.rules.past import states_at

JSON = dict[str, Any]

#: How many labels one request may restore.
MOST_LABELS = 500


@dataclass(frozen=True, slots=True)
class Past:
    """What is asked for: events to take back (`wanted`), or an `object` or a whole label as of an `offset`.

    `of` is how the log tells it.
    """

    of: JSON
    wanted: Wanted | None = None
    offset: int | None = None
    object: str | None = None


def restore_label(
    *,
    intent: Intent,
    sample: uuid.UUID,
    label_set: str,
    past: Past,
    on_conflict: str = "stop",
    dry_run: bool = False,
    seen: Seen = UNSEEN,
) -> Undone:
    """Restore one label. Who may label may take back what they did themselves; others' work takes a manager, and a
    reason, and so does force.

    Raises:
        NotFound: no such label, or nothing that fits.
        NotPermitted: the author may not take back what others did.
        ReasonRequired: none was given.
        InTheWay: somebody built on it, and `on_conflict` is stop.
        Refused: the label is accepted, or its frames were changed since.
        Conflict, VersionUnknown, Busy: as edit_label.
    """
    undo.check(intent, on_conflict)

    def attempt() -> Undone:
        found = label_for(sample, label_set, intent, "label")
        kept = earlier(found.dataset, intent)
        if kept is not None:
            return Undone(found, found.state, kept.last_offset, (kept.answer or {}).get("undone", {}))
        events = undo.events_of(found)
        chosen = _chosen(events, past)
        if not chosen and past.wanted is not None:
            raise NotFound("The events")
        _require(found, intent, chosen, dry_run=dry_run)
        first = chosen[0].version if chosen else found.state.version + 1
        if any(parts.is_barrier(event.fact) for event in events if event.version >= first):
            raise Refused("The frames of the sample were changed since; nothing from before is put back.")
        spans = stretches(chosen) if past.wanted is not None or not chosen else [(first, found.state.version)]
        bounds = {bound for first, last in spans for bound in (first - 1, last)}
        at = states_at(found.dataset, found.state.stream, events, bounds)
        heading = e.LabelRestored(of=past.of)
        plan = undo.plan_of(
            found,
            intent,
            [(heading, [(at[first - 1], at[last]) for first, last in spans])],
            force=on_conflict == "force",
            only=past.object,
        )
        report: JSON = {"events": len(chosen)}
        return undo.store_plan(found, intent, plan, events, report, on_conflict=on_conflict, dry_run=dry_run, seen=seen)

    return decide(attempt)


def restore_labels(
    *,
    intent: Intent,
    dataset: uuid.UUID,
    past: Past,
    prefix: str = "label/",
    after: str = "",
    on_conflict: str = "stop",
    dry_run: bool = False,
) -> tuple[list[JSON], str | None]:
    """(what was done to each label, the last stream where there are more) of all labels that hold what is asked for.

    With `stop` nothing is stored where anything stands in the way of any of them.

    Raises:
        InTheWay, and what restore_label raises for the first label.
    """
    undo.check(intent, on_conflict)
    intent = intent if intent.correlation else replace(intent, correlation=intent.command)
    wanted = replace(past.wanted or Wanted(first=(past.offset or 0) + 1), prefixes=(prefix,))
    streams = search.streams(dataset, wanted, after=after, limit=MOST_LABELS + 1)
    names = dict(LabelSet.objects.filter(dataset_id=dataset, archived=False).values_list("id", "name"))
    reports: list[JSON] = []
    turns = (True,) if dry_run else (True, False) if on_conflict == "stop" else (False,)
    for is_dry in turns:
        reports = []
        for stream in streams[:MOST_LABELS]:
            sample, label_set = (uuid.UUID(part) for part in stream.split("/")[1:])
            if label_set not in names:
                continue
            about: JSON = {"sample": str(sample), "labelset": names[label_set]}
            named: JSON = {"command": uuid.uuid5(intent.command, stream)} if intent.replayable else {}
            own = replace(intent, **(named or {"command": uuid.uuid4()}))
            try:
                done = restore_label(
                    intent=replace(own, request_hash=None) if is_dry else own,
                    sample=sample,
                    label_set=names[label_set],
                    past=past,
                    on_conflict=on_conflict,
                    dry_run=is_dry,
                )
            except (NotFound, Refused) as error:
                reports.append(about | {"refused": error.message, "stored": False})
                continue
            reports.append(about | {"version": done.state.version, "offset": done.offset} | done.report)
        obstacles = {item["what"] for report in reports for item in report.get("in_the_way", ())}
        if is_dry and not dry_run and obstacles:
            raise InTheWay(sorted(obstacles))
    return reports, streams[MOST_LABELS - 1] if len(streams) > MOST_LABELS else None


def _chosen(events: Sequence[Event], past: Past) -> list[Event]:
    """The events that are to be taken back."""
    if past.wanted is None:
        return [event for event in events if (event.offset or 0) > (past.offset or 0)]
    return [event for event in events if fits(event, past.wanted)]


def fits(event: Event, wanted: Wanted) -> bool:
    """Whether an event of a label is one of those that are looked for."""
    intent, offset = event.intent, event.offset or 0
    return (
        offset >= wanted.first
        and (wanted.last is None or offset <= wanted.last)
        and wanted.author in (None, intent.author)
        and wanted.tool in (None, intent.tool)
        and wanted.work_session in (None, intent.work_session)
        and wanted.gesture in (None, intent.correlation, intent.command)
        and (not wanted.types or event.type in wanted.types)
    )


def _require(found: Found, intent: Intent, chosen: Sequence[Event], *, dry_run: bool) -> None:
    if all(event.intent.author == intent.author for event in chosen):
        return
    access.require("restore", role=found.role, public=found.public, dataset=found.dataset)
    if not intent.reason and not dry_run:
        raise ReasonRequired("to take back what others did")
