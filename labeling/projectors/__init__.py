"""What is projected from the log: how each stream folds into rows, and what actors bring up to date."""

from __future__ import annotations

import uuid
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from labeling.events import IssueOpened
from labeling.log import store
from labeling.log.event import Event
from labeling.log.projector import Counts, StreamKind
from labeling.log.rows import Rows
from labeling.models import Contribution, LastSignal, LedgerChunk, UnsavedWork, WorkUnit
from labeling.projectors.masks import LabelMaskRows
from labeling.projectors.snapshots import LabelSnapshots
from labeling.reports import ledger, reading
from labeling.rules import (
    dataset_state,
    issue_state,
    label_state,
    organization_state,
    sample_state,
    saved_report_state,
    signing_keys,
    webhook_state,
    work_units,
)
from labeling.rules.dataset_state import DatasetState
from labeling.rules.issue_state import IssueState
from labeling.rules.label_state import LabelState
from labeling.rules.organization_state import OrganizationState
from labeling.rules.sample_state import SampleState
from labeling.rules.saved_report_state import SavedReportState
from labeling.rules.signing_keys import SigningKeyState
from labeling.rules.webhook_state import WebhookState
from labeling.rules.work_units import Work


def dataset_rows(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    empty = DatasetState(id=log)
    return dataset_state.difference(empty, dataset_state.fold(empty, events))


def sample_rows(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    return sample_state.rows(sample_state.fold(SampleState(log, stream), events))


def asset_rows(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    return sample_state.asset_rows(events)


def label_rows(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    empty = LabelState(log, stream)
    return label_state.difference(empty, label_state.fold(empty, events))


def issue_rows(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    empty = IssueState(log, stream)
    return issue_state.difference(empty, issue_state.fold(empty, events))


def saved_report_rows(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    return saved_report_state.rows(saved_report_state.fold(SavedReportState(log, stream), events))


def organization_rows(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    empty = OrganizationState(log, stream)
    return organization_state.difference(empty, organization_state.fold(empty, events))


def signing_key_rows(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    return signing_keys.rows(signing_keys.fold(SigningKeyState(log, stream), events))


def webhook_rows(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    return webhook_state.rows(webhook_state.fold(WebhookState(log, stream), events))


def no_rows(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    """Accounts are tables of their own, because names and hashes are not in the log. What is kept of people at work,
    signatures, logins, denials and downloads is only the log."""
    return Rows()


STREAM_KINDS = (
    StreamKind(
        "dataset",
        {"labeling_dataset": "id", "labeling_labelset": "dataset_id", "labeling_member": "dataset_id"},
        dataset_rows,
    ),
    StreamKind("sample", {"labeling_sample": "dataset_id"}, sample_rows),
    StreamKind("asset", {"labeling_datasetasset": "dataset_id"}, asset_rows),
    StreamKind("label", {"labeling_label": "dataset_id", "labeling_annotation": "dataset_id"}, label_rows),
    StreamKind("issue", {"labeling_issue": "dataset_id", "labeling_issuecomment": "dataset_id"}, issue_rows),
    StreamKind("webhook", {"labeling_webhook": "log"}, webhook_rows),
    StreamKind("report", {saved_report_state.TABLE: "dataset_id"}, saved_report_rows),
    StreamKind("activity", {}, no_rows),
    StreamKind("signature", {}, no_rows),
    StreamKind("retention", {}, no_rows),
    StreamKind("system", {}, no_rows),
    StreamKind("clock", {}, no_rows),
    StreamKind("file", {}, no_rows),
    StreamKind("person", {}, no_rows),
    StreamKind("organization", {"labeling_organizationmember": "log"}, organization_rows),
    StreamKind("signing-key", {"labeling_signingkey": "log"}, signing_key_rows),
    StreamKind("checkpoint", {}, no_rows),
    StreamKind("login", {}, no_rows),
    StreamKind("denied", {}, no_rows),
    StreamKind("download", {}, no_rows),
    StreamKind("key", {}, no_rows),
    StreamKind("audit", {}, no_rows),
)

#: Kept by the triggers of sql/lists.sql.
COUNTS = (
    Counts("labeling_samplecount", "dataset_id", "count"),
    Counts("labeling_samplestatus", "dataset_id"),
    Counts("labeling_statuscount", "dataset_id", "count"),
)

CONTRIBUTION_NAMESPACE = uuid.UUID("7d9e0c1a-55ab-4f6e-9a0d-1f2e3d4c5b04")


class Contributions:
    """Who did how much on which day (UTC), counted by event type."""

    name = "contributions"
    tables = {"labeling_contribution": "dataset_id"}

    def project(self, log: uuid.UUID, events: Sequence[Event]) -> None:
        """Add a page of events to the counts."""
        found: dict[tuple[uuid.UUID, str, str], Counter[str]] = {}
        for event in events:
            assert event.recorded_at is not None
            key = (event.intent.author, event.intent.author_kind, event.recorded_at.date().isoformat())
            found.setdefault(key, Counter())[event.type] += 1
        for (author, kind, day), counts in sorted(found.items(), key=lambda item: (str(item[0][0]), *item[0][1:])):
            row_id = uuid.uuid5(CONTRIBUTION_NAMESPACE, f"{log}/{author}/{kind}/{day}")
            row, _ = Contribution.objects.get_or_create(
                id=row_id, defaults={"dataset_id": log, "author": author, "author_kind": kind, "day": day, "counts": {}}
            )
            row.counts = {name: row.counts.get(name, 0) + counts[name] for name in sorted({*row.counts, *counts})}
            row.save(update_fields=["counts"])


def samples_of(log: uuid.UUID, events: Iterable[Event]) -> dict[str, str]:
    """{stream: the sample that its events are about}; a label's stream names it, an issue's first event does."""
    found = {}
    for event in events:
        kind, _, rest = event.stream.partition("/")
        if kind in ("label", "sample"):
            found[event.stream] = rest.split("/")[0]
        elif kind == "issue" and event.stream not in found:
            opened = event if event.version == 1 else next(store.read_stream(log, event.stream))
            assert isinstance(opened.fact, IssueOpened)
            found[event.stream] = opened.fact.sample
    return found


#: What the dataset's own events said, of the logs that were projected last: (the last offset that was taken in, roles,
#: threshold). Events never change, so what is known in front of an offset only grows.
_learned: OrderedDict[uuid.UUID, tuple[int, dict[str, str], int]] = OrderedDict()
MOST_LEARNED = 256


def learned(log: uuid.UUID, events: Sequence[Event]) -> Work:
    """What the dataset's own events said in front of a page: its roles and its threshold."""
    work = Work(log)
    first = events[0].offset
    assert first is not None
    after, roles, threshold_s = _learned.get(log, (0, {}, work.threshold_s))
    if after >= first:  # somebody folds again from an earlier page
        after, roles, threshold_s = 0, {}, work.threshold_s
    work.roles, work.threshold_s = dict(roles), threshold_s
    for event in store.read_stream(log, dataset_state.STREAM, after=after, up_to=first - 1):
        work.learn(event.fact)
    _learned[log] = (first - 1, dict(work.roles), work.threshold_s)
    _learned.move_to_end(log)
    while len(_learned) > MOST_LEARNED:
        _learned.popitem(last=False)
    return work


class WorkUnits:
    """Who spent how long on which save of a label; see rules.work_units for what counts.

    Beside the units, two tables keep what the next page needs: who was last seen where, and what is not saved yet.
    """

    name = "workunits"
    tables = {
        "labeling_workunit": "dataset_id",
        "labeling_unsavedwork": "dataset_id",
        "labeling_lastsignal": "dataset_id",
    }

    def project(self, log: uuid.UUID, events: Sequence[Event]) -> None:
        """Fold a page of events into units."""
        signals = [event for event in events if work_units.is_signal(event)]
        if not signals:
            return
        samples = samples_of(log, signals)
        work = self._loaded(log, events, signals, set(samples.values()))
        work_units.fold(work, events, lambda event: samples[event.stream])
        self._store(log, work)

    def _loaded(self, log: uuid.UUID, events: Sequence[Event], signals: list[Event], samples: set[str]) -> Work:
        """What was known in front of a page, as far as the page needs it."""
        work = learned(log, events)
        people = {event.intent.author for event in signals}
        for last in LastSignal.objects.filter(dataset_id=log, author__in=people):
            work.last[str(last.author)] = work_units.LastSignal(
                str(last.author), last.at, str(last.sample_id), last.work_session, last.last_offset
            )
        for row in UnsavedWork.objects.filter(dataset_id=log, author__in=people, sample_id__in=samples):
            work.spent[str(row.author), str(row.sample_id)] = work_units.Spent(
                str(row.author), str(row.sample_id), row.active_us, row.inactive_us, row.gaps, row.last_offset
            )
        # A command may have begun in an earlier page.
        begun = {work_units.unit_id(log, event.intent.command, event.stream) for event in signals}
        for unit in WorkUnit.objects.filter(id__in=begun):
            work.units[unit.id] = work_units.WorkUnit(
                id=unit.id,
                person=str(unit.author),
                sample=str(unit.sample_id),
                label_set=str(unit.label_set_id),
                work_type=unit.work_type,
                created_at=unit.created_at,
                next_label_status=unit.next_label_status,
                active_us=unit.active_us,
                inactive_us=unit.inactive_us,
                gaps=unit.gaps,
                last_offset=unit.last_offset,
            )
        return work

    def _store(self, log: uuid.UUID, work: Work) -> None:
        """Write what the page touched; there is no row for nothing unsaved."""
        _put(
            WorkUnit(
                id=unit.id,
                dataset_id=log,
                last_offset=unit.last_offset,
                sample_id=unit.sample,
                label_set_id=unit.label_set,
                author=unit.person,
                work_type=unit.work_type,
                next_label_status=unit.next_label_status,
                active_us=unit.active_us,
                inactive_us=unit.inactive_us,
                gaps=unit.gaps,
                created_at=unit.created_at,
            )
            for unit in work.units.values()
        )
        _put(
            LastSignal(
                id=uuid.uuid5(log, last.person),
                dataset_id=log,
                last_offset=last.last_offset,
                sample_id=last.sample,
                author=last.person,
                work_session=last.work_session,
                at=last.at,
            )
            for last in work.last.values()
        )
        unsaved, saved = [], []
        for spent in work.spent.values():
            key = uuid.uuid5(log, f"{spent.person}/{spent.sample}")
            if not (spent.active_us or spent.inactive_us):
                saved.append(key)
                continue
            unsaved.append(
                UnsavedWork(
                    id=key,
                    dataset_id=log,
                    last_offset=spent.last_offset,
                    sample_id=spent.sample,
                    author=spent.person,
                    active_us=spent.active_us,
                    inactive_us=spent.inactive_us,
                    gaps=spent.gaps,
                )
            )
        _put(unsaved)
        UnsavedWork.objects.filter(id__in=saved).delete()


def _put(rows: Iterable[Any]) -> None:
    """Insert rows of one table, or update those that are there."""
    found = list(rows)
    if found:
        model = type(found[0])
        model.objects.bulk_create(
            found,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=[field.name for field in model._meta.concrete_fields if not field.primary_key],
        )


class Ledger:
    """The envelopes of a log in columns, which reports are computed from; see reports.ledger."""

    name = "ledger"
    tables = {"labeling_ledgerchunk": "dataset_id"}

    def project(self, log: uuid.UUID, events: Sequence[Event]) -> None:
        """Put a page of events behind what is there."""
        samples = samples_of(log, events)
        work = learned(log, events)

        def saved(event: Event) -> str | None:
            if event.stream == dataset_state.STREAM:
                work.learn(event.fact)
            if not work_units.is_signal(event) or not event.stream.startswith("label/"):
                return None
            return work_units.work_type(event.fact, role=work.roles.get(str(event.intent.author)))

        for number, found in groupby(events, lambda event: ledger.number(event.offset or 0)):
            row = LedgerChunk.objects.filter(dataset_id=log, number=number).first()
            after = None if row is None else reading.chunk_of(row)
            chunk = ledger.chunk(found, lambda event: samples.get(event.stream), saved, after=after)
            _put(
                [
                    LedgerChunk(
                        id=uuid.uuid5(log, f"ledger/{number}"),
                        dataset_id=log,
                        number=number,
                        last_offset=int(chunk.events["offset"][-1]),
                        events=chunk.events.tobytes(),
                        pieces=chunk.pieces.tobytes(),
                        samples=chunk.samples.tobytes(),
                        annotations=chunk.annotations.tobytes(),
                        words=chunk.words,
                    )
                ]
            )


CATCH_UPS = (Contributions(), WorkUnits(), Ledger(), LabelMaskRows(), LabelSnapshots())
