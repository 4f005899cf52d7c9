"""Lists and labels as they were at an offset: rows that nothing has changed since, and folds of the streams of others.

So a look back costs what has changed since, and not what there is. Rows are read after the offset was taken, and each
says which event changed it last, so it never matters what is appended meanwhile.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from labeling.errors import NotFound
from labeling.log import store, values
from labeling.models import Label, Sample
from labeling.queries.datasets import Seen, state_at
from labeling.queries.labels import EVERY, Found, label_at, names_of
from labeling.queries.sample_pages import LABEL_UPDATED_AT, NONE, Wanted
from labeling.queries.samples import SampleInDataset, sample_at, state_of
from labeling.rules import label_state, sample_state
from labeling.rules.dataset_state import DatasetState
from labeling.rules.label_ids import label_stream
from labeling.rules.label_state import LabelState
from labeling.rules.sample_state import SampleState, sample_stream

JSON = dict[str, Any]

#: Rows that are looked at together.
BATCH = 500


def samples_as_of(
    dataset: uuid.UUID, offset: int, *, down: bool = False, after: int | None = None
) -> Iterator[SampleState]:
    """The samples that were there, by age, the newest first for `down`; only those behind the one that was created at
    the offset `after`. No more of them are read than are taken."""
    while True:
        rows = Sample.objects.filter(dataset_id=dataset, created_offset__lte=offset)
        if after is not None:
            rows = rows.filter(created_offset__lt=after) if down else rows.filter(created_offset__gt=after)
        page = list(rows.order_by("-created_offset" if down else "created_offset")[:BATCH])
        if not page:
            return
        after = page[-1].created_offset
        changed = [sample_stream(row.id) for row in page if row.last_offset > offset]
        were = {
            stream: sample_state.fold(SampleState(dataset, stream), events)
            for stream, events in store.read_short_streams(dataset, changed, up_to=offset)
        }
        for row in page:
            state = state_of(row) if row.last_offset <= offset else were[sample_stream(row.id)]
            if state.exists:
                yield state


@dataclass(frozen=True, slots=True)
class Standing:
    """What lists say of a label: its status, and the offset of its last event."""

    status: str
    last_offset: int


def standings(dataset: uuid.UUID, label_set: uuid.UUID, offset: int) -> dict[uuid.UUID, Standing]:
    """{sample: how its label in the label set stood} for those that had one."""
    found, changed = {}, []
    rows = Label.objects.filter(dataset_id=dataset, label_set_id=label_set)
    for sample, status, deleted, last_offset in rows.values_list("sample_id", "status", "deleted", "last_offset"):
        if last_offset > offset:
            changed.append(sample)
        elif not deleted:
            found[sample] = Standing(status, last_offset)
    for sample, state in labels_as_of(dataset, label_set, changed, offset).items():
        found[sample] = Standing(state.status, state.last_offset)
    return found


def labels_as_of(
    dataset: uuid.UUID, label_set: uuid.UUID, samples: Iterable[uuid.UUID], offset: int
) -> dict[uuid.UUID, LabelState]:
    """{sample: its label in the label set, with all annotations} for those that had one."""
    streams = {label_stream(sample, label_set): sample for sample in samples}
    rows = Label.objects.filter(dataset_id=dataset, label_set_id=label_set, sample_id__in=list(streams.values()))
    versions = dict(rows.values_list("sample_id", "version"))
    found = {}
    # A long label has snapshots, so it is read by itself; the short ones together.
    short = [stream for stream, sample in streams.items() if 0 < versions.get(sample, 0) < EVERY]
    for begin in range(0, len(short), BATCH):
        for stream, events in store.read_short_streams(dataset, short[begin : begin + BATCH], up_to=offset):
            found[streams[stream]] = label_state.fold(LabelState(dataset, stream), events)
    for stream, sample in streams.items():
        if versions.get(sample, 0) >= EVERY:
            found[sample] = label_at(dataset, stream, offset)
    return {sample: state for sample, state in found.items() if state.exists}


def page_as_of(
    dataset: uuid.UUID, wanted: Wanted, offset: int, *, limit: int, skip: int = 0, after: uuid.UUID | None = None
) -> list[SampleState]:
    """`limit` samples of a list as it was, after its first `skip` ones or after a sample; see sample_pages.

    Raises:
        LookupError: `after` was no sample of the dataset.
    """
    last: SampleState | None = None
    if after is not None:
        last = sample_at(dataset, after, offset)
        if not last.created_offset:
            raise LookupError
    if wanted.is_all and wanted.order == "created_at":
        begins = None if last is None else last.created_offset
        return _part(samples_as_of(dataset, offset, down=wanted.down, after=begins), skip, limit)
    fitting = _fitting(dataset, wanted, offset)
    if wanted.order == LABEL_UPDATED_AT:
        assert wanted.ground_truth is not None  # every dataset has one
        truth = standings(dataset, wanted.ground_truth, offset)
        labeled = [(truth[item.id].last_offset, item) for item in fitting if item.id in truth]
        # Those without a label come behind the others in either direction, by age.
        listed = [((0, place), item) for place, item in _sorted(labeled, down=wanted.down)]
        listed += [((1, item.created_offset), item) for item in fitting if item.id not in truth]
        if last is not None:
            own = truth.get(last.id)
            place: Any = (1, last.created_offset) if own is None else (0, own.last_offset)
            listed = [(key, item) for key, item in listed if _is_behind(key, place, down=wanted.down)]
    else:
        listed = _sorted([(_key(wanted.order, item), item) for item in fitting], down=wanted.down)
        if last is not None:
            place = _key(wanted.order, last)
            listed = [(key, item) for key, item in listed if (key < place if wanted.down else key > place)]
    return _part((item for _, item in listed), skip, limit)


def _part(states: Iterable[SampleState], skip: int, limit: int) -> list[SampleState]:
    found = []
    for number, state in enumerate(states):
        if number >= skip + limit:
            break
        if number >= skip:
            found.append(state)
    return found


def _key(order: str, item: SampleState) -> tuple[Any, ...]:
    if order == "name":
        return (item.name.encode(), 0)  # as the database's C collation sorts
    return (item.priority, item.created_offset) if order == "priority" else (item.created_offset, 0)


def _sorted(listed: list[tuple[Any, SampleState]], *, down: bool) -> list[tuple[Any, SampleState]]:
    return sorted(listed, key=lambda pair: pair[0], reverse=down)


def _is_behind(key: tuple[int, int], place: tuple[int, int], *, down: bool) -> bool:
    if key[0] != place[0]:
        return key[0] > place[0]
    return key[1] < place[1] if down and not key[0] else key[1] > place[1]


def _fitting(dataset: uuid.UUID, wanted: Wanted, offset: int) -> list[SampleState]:
    """The samples of a list, by age."""
    statuses: dict[uuid.UUID, Standing] = {}
    if wanted.statuses and wanted.label_set is not None:
        statuses = standings(dataset, wanted.label_set, offset)
    found = []
    for item in samples_as_of(dataset, offset):
        if wanted.name_part not in item.name:
            continue
        if not all(any(contains(item.metadata, each) for each in several) for several in wanted.metadata):
            continue
        if wanted.statuses:
            own = statuses.get(item.id)
            if (NONE if own is None else own.status) not in wanted.statuses:
                continue
        found.append(item)
    return found


def contains(value: Any, part: Any) -> bool:
    """Whether a JSON value holds another as PostgreSQL's @> says: objects member by member, lists in any order."""
    if isinstance(value, dict) and isinstance(part, dict):
        return all(key in value and contains(value[key], own) for key, own in part.items())
    if isinstance(value, list) and isinstance(part, list):
        return all(any(contains(item, own) for item in value) for own in part)
    if isinstance(value, dict | list) or isinstance(part, dict | list):
        return False
    if isinstance(value, bool) or isinstance(part, bool):
        return value is part
    if isinstance(value, int | float) and isinstance(part, int | float):
        return value == part
    return values.same(value, part)


def found_as_of(
    seen: Seen, state: DatasetState, label_set: uuid.UUID, samples: list[uuid.UUID], offset: int
) -> dict[uuid.UUID, Found]:
    """{sample: its label in the label set as it was} for those that had one; `state` is the dataset's of then."""
    labels = labels_as_of(seen.id, label_set, samples, offset)
    people = {person for item in labels.values() for person in (item.created_by, item.updated_by, item.reviewed_by)}
    names = names_of(people) if labels else {}
    return {
        sample: Found(
            dataset=seen.id,
            owner=uuid.UUID(state.owner),
            task_type=state.task_type,
            public=seen.dataset.public,
            role=seen.role,
            head=offset,
            sample=sample,
            label_set=label_set,
            label_set_name=state.label_sets[str(label_set)].name,
            state=label,
            names=names,
        )
        for sample, label in labels.items()
    }


def label_of_sample(found: SampleInDataset, label_set: str, offset: int) -> Found:
    """The label of a sample in the label set that had the name, all as it was at an offset.

    Raises:
        NotFound: there was no such sample, or no such label set. Whether there was a label its state says.
    """
    if not sample_at(found.dataset, found.sample.id, offset).exists:
        raise NotFound("The sample")
    dataset = state_at(found.dataset, offset)
    named = dataset.label_set(label_set)
    if named is None:
        raise NotFound("The label set")
    state = label_at(found.dataset, label_stream(found.sample.id, uuid.UUID(named.id)), offset)
    state.settings = dataset.settings
    return Found(
        dataset=found.dataset,
        owner=uuid.UUID(dataset.owner),
        task_type=dataset.task_type,
        public=found.public,
        role=found.role,
        head=offset,
        sample=found.sample.id,
        label_set=uuid.UUID(named.id),
        label_set_name=named.name,
        state=state,
        names=names_of({state.created_by, state.updated_by, state.reviewed_by}),
    )
