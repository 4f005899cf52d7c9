"""Samples: pages of a dataset, one by one, and many at once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.http import QueryDict
from rest_framework.request import Request

from labeling.api.answers import answer, no_content
from labeling.api.contract import Reply, documented
from labeling.api.issues import with_issues
from labeling.api.labels import rendered, sample_id
from labeling.api.requests import LABEL_BYTES, at_of, body_of, existing_page, intent_of, page_of, uuid_of
from labeling.api.schemas import samples as schemas
from labeling.api.schemas.forms import listed
from labeling.api.schemas.parameters import (
    AFTER_SAMPLE,
    AT,
    DATASET_OFFSET,
    ETAG,
    FILTERS,
    FULL_LABEL,
    LABEL_STATUS,
    LABELSET,
    NAME_CONTAINS,
    PAGING,
    SIGNED_URLS,
    SORT,
)
from labeling.api.views import Answer, Past, View, asked_offset, offset_of
from labeling.commands import samples as commands
from labeling.errors import InvalidValue, NotFound
from labeling.log import store, values
from labeling.models import LabelSet, Sample
from labeling.queries import issues as issue_queries
from labeling.queries import labels as label_queries
from labeling.queries import past, sample_pages
from labeling.queries import samples as queries
from labeling.queries.datasets import Seen
from labeling.queries.labels import Found
from labeling.queries.sample_pages import Wanted
from labeling.queries.samples import SampleInDataset
from labeling.references import with_signed_urls
from labeling.rules import access
from labeling.rules.dataset_state import GROUND_TRUTH, LabelSetState
from labeling.rules.label_state import STATUSES
from labeling.rules.sample_state import SampleState

JSON = dict[str, Any]


def rendered_sample(sample: Sample | SampleState, names: dict[uuid.UUID, str], full_name: str) -> JSON:
    """The protocol's Sample."""

    def name(person: uuid.UUID | str | None) -> str | None:
        if person is None:
            return None
        # A row has ids, a state that was folded has their texts.
        return names.get(person if isinstance(person, uuid.UUID) else uuid.UUID(person)) or str(person)

    return {
        "uuid": sample.id,
        "name": sample.name,
        "attributes": sample.attributes,
        "metadata": sample.metadata,
        "priority": sample.priority,
        "readme": sample.readme,
        "created_at": sample.created_at,
        "created_by": name(sample.created_by),
        "assigned_labeler": name(sample.assigned_labeler),
        "assigned_reviewer": name(sample.assigned_reviewer),
        "dataset_full_name": full_name,
    }


def names_for(samples: Sequence[Sample | SampleState]) -> dict[uuid.UUID, str]:
    people = {person for item in samples for person in (item.created_by, item.assigned_labeler, item.assigned_reviewer)}
    return label_queries.names_of({uuid.UUID(str(person)) for person in people if person})


def label_summary(found: Found) -> JSON:
    """The protocol's LabelSummary."""
    state = found.state
    label = rendered(found, state)
    return {key: label[key] for key in ("label_status", "score", "updated_at", "created_by", "reviewed_by")}


class SampleListView(View):
    """The samples of a dataset."""

    most_bytes = LABEL_BYTES

    @documented(
        "samples",
        "read",
        {200: Reply(listed(schemas.SAMPLE), (DATASET_OFFSET,))},
        parameters=(*PAGING, AFTER_SAMPLE, AT, LABELSET, FULL_LABEL, NAME_CONTAINS, FILTERS, LABEL_STATUS, SORT),
    )
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """A page of samples, with their labels in one label set where asked for (`labelset`, `include_full_label`)."""
        found = self.dataset(owner, name)
        then = self.past(found)
        if then is not None:
            return self._at(request, found, then)
        after = after_of(request)
        limit, skip = page_of(request)
        wanted, label_set = wanted_of(request, lambda: LabelSet.objects.filter(dataset_id=found.id, archived=False))
        page = sample_pages.page_of_samples(found.id, wanted, limit=limit, skip=skip, after=after)
        existing_page(page, skip)
        names = names_for(page)
        answers = [rendered_sample(item, names, found.full_name) for item in page]
        if label_set is not None:
            full = is_full(request)
            labels = label_queries.labels_of_samples(
                [item.id for item in page],
                uuid.UUID(str(label_set.id)),
                label_set.name,
                dataset=found.id,
                task_type=found.dataset.task_type,
                full=full,
            )
            with_labels(answers, labels, full=full)
        issues = issue_queries.issues_of_samples({item.id: item.name for item in page})
        return answer(with_issues(answers, issues), headers=offset_of(found))

    @documented(
        "sample_add",
        "change",
        {201: Reply(schemas.SAMPLE)},
        body=schemas.NEW_SAMPLE,
        appends=True,
        refusals=("already_exists", "storage_unavailable"),
    )
    def post(self, request: Request, owner: str, name: str) -> Answer:
        """Add a sample."""
        found = self.dataset(owner, name, "change")
        checked = commands.checked_sample(body_of(request), task_type=found.dataset.task_type)
        new = commands.add_samples(intent=intent_of(request), dataset=found.id, items=[checked], keep_existing=False)
        return answer(_some(new, found.full_name)[0], status=201)

    def _at(self, request: Request, found: Seen, then: Past) -> Answer:
        after = after_of(request)
        limit, skip = page_of(request)
        sets = [item for item in then.state.label_sets.values() if not item.archived]
        wanted, label_set = wanted_of(request, lambda: sets)
        try:
            page = past.page_as_of(found.id, wanted, then.offset, limit=limit, skip=skip, after=after)
        except LookupError as error:
            raise InvalidValue("after", "must be the uuid of a sample of this dataset") from error
        existing_page(page, skip)
        names = names_for(page)
        answers = [rendered_sample(item, names, found.full_name) for item in page]
        if label_set is not None:
            labels = past.found_as_of(
                found, then.state, uuid.UUID(str(label_set.id)), [item.id for item in page], then.offset
            )
            with_labels(answers, labels, full=is_full(request))
        there = {str(item.id) for item in page}
        issues = [item for item in issue_queries.issues_at(found.id, then.offset) if item.state.sample in there]
        return answer(with_issues(answers, issues), headers=then.headers)


def is_full(request: Request) -> bool:
    """Whether ?include_full_label= asks for whole labels."""
    return request.query_params.get("include_full_label", "").lower() in ("1", "true")


def with_labels(answers: list[JSON], labels: dict[uuid.UUID, Found], *, full: bool) -> None:
    """Give each rendered sample its label, or what stands for none."""
    for item in answers:
        label = labels.get(item["uuid"])
        if label is None:
            item["label"] = {"label_status": "UNLABELED"} if not full else None
        else:
            item["label"] = rendered(label, label.state) if full else label_summary(label)


def after_of(request: Request) -> uuid.UUID | None:
    """The sample that ?after= names: the page begins behind it, so it has no number."""
    text = request.query_params.get("after")
    if text is None:
        return None
    after = uuid_of(text)
    if after is None:
        raise InvalidValue("after", "must be the uuid of a sample of this dataset")
    if "page" in request.query_params:
        raise InvalidValue("page", "cannot be given together with after")
    return after


def wanted_of(
    request: Request, label_sets: Callable[[], Iterable[LabelSet | LabelSetState]]
) -> tuple[Wanted, LabelSet | LabelSetState | None]:
    """The protocol's filters and sort, and the label set that ?labelset= names; what makes no sense is ignored.
    `label_sets` is asked only where it matters which there are."""
    query = request.query_params
    metadata = []
    for item in filter(None, query.get("filters", "").split(",")):
        key, colon, value = item.partition(":")
        if colon and key:
            # A value on the query line is text; in the metadata it may be a number or a bool.
            parsed = _as_json(value)
            metadata.append(({key: value}, *([] if parsed == value else [{key: parsed}])))
    sort = query.get("sort", "")
    order = sort.removeprefix("-")
    if order not in sample_pages.KEYS and order != sample_pages.LABEL_UPDATED_AT:
        order = "created_at"
    statuses = sample_pages.statuses_stored(
        item for item in query.get("label_status", "").split(",") if item in STATUSES
    )
    name = query.get("labelset")
    named: LabelSet | LabelSetState | None = None
    truth: uuid.UUID | None = None
    if name or statuses or order == sample_pages.LABEL_UPDATED_AT:
        for label_set in label_sets():
            # A name that is no label set here is ignored, as the SDK's own tests expect.
            named = label_set if label_set.name == name else named
            truth = uuid.UUID(str(label_set.id)) if label_set.kind == GROUND_TRUTH else truth
    if name:
        status_of = uuid.UUID(str(named.id)) if named else None
    else:
        status_of = truth
    wanted = Wanted(
        order=order,
        down=sort.startswith("-"),
        name_part=query.get("name__contains", ""),
        metadata=tuple(metadata),
        statuses=statuses,
        label_set=status_of,
        ground_truth=truth,
    )
    return wanted, named


def _as_json(text: str) -> Any:
    try:
        return values.parse(text.encode())
    except values.BadValue:
        return text


def _some(ids: list[uuid.UUID], full_name: str) -> list[JSON]:
    rows = {row.id: row for row in Sample.objects.filter(id__in=ids)}
    names = names_for(list(rows.values()))
    answers = [rendered_sample(rows[item], names, full_name) for item in ids if item in rows]
    return with_issues(answers, issue_queries.issues_of_samples({row.id: row.name for row in rows.values()}))


def _one(found: SampleInDataset) -> JSON:
    sample = found.sample
    issues = issue_queries.issues_of_samples({sample.id: sample.name}) if found.has_issues else []
    return with_issues([rendered_sample(sample, names_for([sample]), found.full_name)], issues)[0]


class SampleBulkView(View):
    """Many samples at once."""

    most_bytes = LABEL_BYTES

    @documented(
        "samples_add",
        "change",
        {201: Reply(listed(schemas.SAMPLE))},
        body=schemas.NEW_SAMPLES,
        appends=True,
        refusals=("already_exists", "storage_unavailable"),
    )
    def post(self, request: Request, owner: str, name: str) -> Answer:
        """Add samples; those whose names are taken stay as they are and are returned. Up to 1,000 are added all or
        none; of more, some are where the request fails in the middle, and the same request adds the rest.
        """
        found = self.dataset(owner, name, "change")
        body = request.data
        if not isinstance(body, list):
            raise InvalidValue("body", "must be a list of samples")
        if len(body) > commands.MOST_SAMPLES:
            raise InvalidValue("body", f"holds more than {commands.MOST_SAMPLES} samples; send several requests")
        kind = found.dataset.task_type
        items = [commands.checked_sample(item, f"[{index}]", task_type=kind) for index, item in enumerate(body)]
        new = commands.add_samples(intent=intent_of(request), dataset=found.id, items=items, keep_existing=True)
        return answer(_some(new, found.full_name), status=201)

    @documented("samples_delete", "change", {200: Reply(schemas.DELETED)}, body=schemas.DELETION, appends=True)
    def delete(self, request: Request, owner: str, name: str) -> Answer:
        """Delete samples, all or none; unknown ones are passed over."""
        found = self.dataset(owner, name, "change")
        wanted = body_of(request).get("uuids")
        if not isinstance(wanted, list) or not 1 <= len(wanted) <= 1000:
            raise InvalidValue("uuids", "must be a list of 1 to 1000 uuids of samples")
        ids = []
        for index, item in enumerate(wanted):
            found_id = uuid_of(item) if isinstance(item, str) else None
            if found_id is None:
                raise InvalidValue(f"uuids[{index}]", "must be a uuid")
            ids.append(found_id)
        count = commands.archive_samples(intent=intent_of(request), dataset=found.id, samples=ids)
        return answer({"deleted_count": count})


class SampleView(View):
    """One sample."""

    most_bytes = LABEL_BYTES

    @documented(
        "sample_read",
        "read",
        {200: Reply(schemas.SAMPLE, (ETAG, DATASET_OFFSET))},
        parameters=(AT, LABELSET, SIGNED_URLS),
    )
    def get(self, request: Request, sample: str) -> Answer:
        """Read a sample, now or (`at`) as it was, with its label where `labelset` asks for it."""
        found = queries.find_sample(sample_id(sample), person=self.person, deleted=at_of(request) is not None)
        access.require("read", role=found.role, public=found.public, dataset=found.dataset)
        offset = asked_offset(request, dataset=found.dataset, role=found.role, public=found.public, head=found.head)
        shown: Sample | SampleState = found.sample
        if offset is None:
            body = _one(found)
        else:
            shown = queries.sample_at(found.dataset, found.sample.id, offset)
            if not shown.exists:
                raise NotFound
            issues = issue_queries.issues_at(found.dataset, offset, sample=found.sample.id)
            body = with_issues([rendered_sample(shown, names_for([shown]), found.full_name)], issues)[0]
        # The SDK joins a second parameter with another question mark.
        label_set, _, second = request.query_params.get("labelset", "").partition("?")
        asked = {query.get("include_signed_urls") for query in (request.query_params, QueryDict(second))}
        if asked & {"1", "true"}:
            body["attributes"] = with_signed_urls(body["attributes"])
        if label_set:
            if offset is None:
                label = label_queries.find_label(found.sample.id, label_set, person=self.person)
            else:
                label = past.label_of_sample(found, label_set, offset)
            body["label"] = rendered(label, label.state) if label.state.exists else None
        reached = found.head if offset is None else offset
        return answer(body, headers={"ETag": f'"{shown.version}"', "Dataset-Offset": str(reached)})

    @documented(
        "sample_change",
        "assign",
        {200: Reply(schemas.SAMPLE, (ETAG, DATASET_OFFSET))},
        body=schemas.SAMPLE_CHANGE,
        appends=True,
        refusals=("already_exists", "refused", "storage_unavailable"),
    )
    def patch(self, request: Request, sample: str) -> Answer:
        """Change fields of a sample; null takes an assignment away."""
        changes = commands.checked_sample(body_of(request), partial=True)
        commands.change_sample(intent=intent_of(request), sample=sample_id(sample), changes=changes)
        found = queries.find_sample(sample_id(sample), person=self.person)
        return answer(
            _one(found),
            headers={"ETag": f'"{found.sample.version}"', "Dataset-Offset": str(store.head(found.dataset))},
        )

    @documented("sample_delete", "change", {204: Reply()}, appends=True)
    def delete(self, request: Request, sample: str) -> Answer:
        """Delete a sample; its history stays."""
        commands.archive_sample(intent=intent_of(request), sample=sample_id(sample))
        return no_content()
