"""One change of many samples: said before it is made, made in bounded chunks, and the same again for a retry.

The chunks of one bulk change are commands of their own, because each is one append; all their events have one
correlation id. A chunk's command id is derived from the whole's, so a retry finds what it did, chunk by chunk.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from labeling import events as e
from labeling.commands.safeguards import check_review, require_reason_in
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import InvalidValue, NotFound, NotPermitted
from labeling.log import store
from labeling.log.event import Event, Fact, Intent
from labeling.log.rows import Rows
from labeling.models import Dataset, Person, Sample
from labeling.queries import bulk as queries
from labeling.queries import samples as sample_queries
from labeling.queries.bulk import Listed
from labeling.queries.datasets import dataset_by_id, roles_of
from labeling.rules import access, label_state, sample_state
from labeling.rules import bulk as rules
from labeling.rules.bulk import BulkChange
from labeling.rules.label_state import LabelState
from labeling.rules.sample_state import SampleState

JSON = dict[str, Any]

#: How many samples one bulk change may have.
MOST_SAMPLES = 20_000
#: Samples of one append, so that nobody waits long for the log.
CHUNK = 200


@dataclass(frozen=True, slots=True)
class Step:
    """What a bulk change would do to one sample. `before` and `after` are as rules.bulk says them."""

    sample: uuid.UUID
    name: str
    dataset: uuid.UUID
    before: str
    after: str
    refusal: str = ""

    @property
    def changes(self) -> bool:
        return not self.refusal and self.before != self.after


@dataclass(slots=True)
class Done:
    """What a bulk change did. `moved` are samples that somebody changed in between, so that they were left alone."""

    changed: int = 0
    replayed: int = 0
    moved: list[uuid.UUID] = field(default_factory=list)


def plan_bulk_change(*, person: uuid.UUID, samples: Sequence[uuid.UUID], change: BulkChange) -> list[Step]:
    """What the change would do to each sample now, and why not; appends nothing.

    Samples that are not there, or that the person may not know of, are left out.

    Raises:
        InvalidValue: more than MOST_SAMPLES.
    """
    if len(samples) > MOST_SAMPLES:
        raise InvalidValue("samples", f"must be at most {MOST_SAMPLES}; narrow the choice by a filter")
    unfit = _Assignee(change)
    steps = []
    for item in queries.listed(samples, person=person):
        try:
            access.require(change.action, role=item.role, public=item.public, dataset=item.dataset)
            why = rules.refusal(change, item.now) or unfit.refusal(item.dataset)
        except NotFound:
            continue
        except NotPermitted as error:
            why = error.message
        steps.append(_step(item, change, why))
    return steps


def change_in_bulk(*, intent: Intent, change: BulkChange, expected: Mapping[uuid.UUID, str]) -> Done:
    """Make the change to every sample of `expected`, which says what each was when the change was decided upon.

    A sample that is something else by now is left alone and told. `intent.command` names the whole: the same again
    answers what was done before, and goes on where it ended.

    Raises:
        NotFound, NotPermitted: the author may not; what was changed before stays changed.
        InvalidValue: more than MOST_SAMPLES.
        Busy: others were faster every time; the same again goes on.
    """
    if len(expected) > MOST_SAMPLES:
        raise InvalidValue("samples", f"must be at most {MOST_SAMPLES}; narrow the choice by a filter")
    done = Done()
    for dataset, samples in _chunks(expected):
        own = _own(intent, dataset, samples, change)
        answer, replayed = decide(partial(_attempt, own, dataset, samples, change, expected))
        done.changed += answer["changed"]
        done.replayed += answer["changed"] if replayed else 0
        done.moved += map(uuid.UUID, answer["moved"])
    return done


def began(*, intent: Intent, change: BulkChange, samples: Sequence[uuid.UUID]) -> bool:
    """Whether a bulk change of this command id did something already, so that this is a retry of it."""
    return any(
        earlier(dataset, _own(intent, dataset, chunk, change)) is not None for dataset, chunk in _chunks(samples)
    )


# --- steps ---------------------------------------------------------------------------------------------------------


def _chunks(samples: Sequence[uuid.UUID] | Mapping[uuid.UUID, str]) -> Iterator[tuple[uuid.UUID, list[uuid.UUID]]]:
    """(dataset, some of its samples), always the same for the same samples, also when some were deleted since."""
    by_dataset: dict[uuid.UUID, list[uuid.UUID]] = {}
    rows = Sample.objects.filter(id__in=list(samples)).order_by("dataset_id", "id").values_list("dataset_id", "id")
    for dataset, sample in rows:
        by_dataset.setdefault(dataset, []).append(sample)
    for dataset, all_of_it in by_dataset.items():
        for start in range(0, len(all_of_it), CHUNK):
            yield dataset, all_of_it[start : start + CHUNK]


def _own(intent: Intent, dataset: uuid.UUID, samples: list[uuid.UUID], change: BulkChange) -> Intent:
    """The intent of one chunk: named after what it is about, so that it is recognised when it comes again."""
    text = f"{dataset}|{change.what}|{change.verb}|{rules.after(change)}|{'|'.join(map(str, samples))}"
    return replace(
        intent,
        command=uuid.uuid5(intent.command, text),
        request_hash=hashlib.sha256(text.encode()).digest(),
        correlation=intent.command,
    )


def _attempt(
    intent: Intent,
    dataset: uuid.UUID,
    samples: list[uuid.UUID],
    change: BulkChange,
    expected: Mapping[uuid.UUID, str],
) -> tuple[JSON, bool]:
    kept = earlier(dataset, intent)
    if kept is not None:
        return kept.answer, True
    person = intent.on_behalf_of or intent.author
    seen = dataset_by_id(dataset, person=person)
    access.require(change.action, role=seen.role, public=seen.dataset.public, dataset=dataset)
    unfit = _Assignee(change)
    found = {item.sample: item for item in queries.listed(samples, person=person)}
    moved, wanted = [], []
    for sample in samples:
        item = found.get(sample)
        step = None if item is None else _step(item, change, rules.refusal(change, item.now) or unfit.refusal(dataset))
        if step is None or step.refusal or step.before != expected[sample]:
            moved.append(sample)
        elif step.changes:
            wanted.append(sample)
    answer = {"changed": len(wanted), "moved": [str(sample) for sample in moved]}
    if _append(dataset, intent, change, wanted, expected, answer).replayed:
        raise store.Stale  # a twin of this request was faster; the next turn answers what it did
    return answer, False


def _append(
    dataset: uuid.UUID,
    intent: Intent,
    change: BulkChange,
    samples: list[uuid.UUID],
    expected: Mapping[uuid.UUID, str],
    answer: JSON,
) -> store.Appended:
    triples: list[tuple[str, int, Fact]] = []
    labels: dict[str, LabelState] = {}
    own: dict[str, SampleState] = {}
    if change.what == "status":
        settings = Dataset.objects.values_list("settings", flat=True).get(id=dataset)
        for state in queries.headers_of(dataset, queries.ground_truth(dataset), samples).values():
            before = state.status if state.exists else None
            if (before or "UNLABELED") != expected[uuid.UUID(state.sample)]:
                raise store.Stale  # between the two reads
            labels[state.stream] = state
            fact = e.LabelStatusChanged(before=before, after=change.value, verb=change.verb)
            check_review(intent, state, [fact], settings=settings)
            triples.append((state.stream, state.version, fact))
    else:
        for row in Sample.objects.filter(id__in=samples, archived=False).order_by("id"):
            sample = sample_queries.state_of(row)
            own[sample.stream] = sample
            triples.append((sample.stream, sample.version, _fact(change)))
        if len(own) != len(samples):
            raise store.Stale
    require_reason_in(dataset, intent, [fact for _, _, fact in triples])
    events = store.new_events(dataset, intent, triples)
    rows = Rows()
    for event in events:
        rows.add(_rows(event, labels, own))
    appended = store.append(dataset, intent=intent, events=events, rows=rows, answer=answer)
    hint(dataset, appended)
    return appended


def _fact(change: BulkChange) -> Fact:
    if change.what == "archive":
        return e.SampleArchived()
    if change.what == "priority":
        return e.SamplePrioritySet(priority=change.value)
    return e.SampleAssigned(roles={change.what: str(change.value) if change.value else None})


def _rows(event: Event, labels: dict[str, LabelState], own: dict[str, SampleState]) -> Rows:
    label = labels.get(event.stream)
    if label is not None:
        return label_state.difference(label, label_state.fold(label, [event]))
    return sample_state.rows(sample_state.fold(own[event.stream], [event]))


def _step(item: Listed, change: BulkChange, refusal: str) -> Step:
    return Step(
        item.sample, item.name, item.dataset, rules.before(change, item.now), rules.after(change), refusal=refusal
    )


class _Assignee:
    """Whether the person whom samples are to be assigned to may do that work, dataset by dataset."""

    def __init__(self, change: BulkChange) -> None:
        self.action = {"labeler": "label", "reviewer": "review"}.get(change.what, "")
        self.person: uuid.UUID | None = change.value if self.action else None
        self.roles: dict[uuid.UUID, str] = {}
        self.everywhere = self.gone = False
        if self.person is not None:
            account = Person.objects.filter(id=self.person).first()
            self.gone = account is None or not account.is_active or account.is_organization
            self.everywhere = account is not None and account.is_superuser
            self.roles = roles_of(self.person)

    def refusal(self, dataset: uuid.UUID) -> str:
        if self.person is None or (self.everywhere and not self.gone):
            return ""
        if self.gone:
            return "they have no account that is in use"
        if access.may(self.action, role=self.roles.get(dataset), public=False):
            return ""
        return f"they may not {self.action} in its dataset; give them a role there first"
