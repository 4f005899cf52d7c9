"""Datasets and label sets."""

from __future__ import annotations

import uuid
from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer, no_content
from labeling.api.contract import Reply, documented
from labeling.api.requests import body_of, caller, existing_page, intent_of, page_of
from labeling.api.schemas import datasets as schemas
from labeling.api.schemas.forms import listed
from labeling.api.schemas.parameters import AT, DATASET_OFFSET, PAGING
from labeling.api.views import Answer, View, offset_of
from labeling.commands import datasets as commands
from labeling.commands.clones import clone_dataset
from labeling.commands.people import person_named
from labeling.errors import InvalidValue, NotFound
from labeling.models import LabelSet, Person
from labeling.queries import datasets as queries
from labeling.queries import past
from labeling.queries.datasets import Seen
from labeling.rules.dataset_state import GROUND_TRUTH, DatasetState, LabelSetState

JSON = dict[str, Any]


def rendered_label_set(item: LabelSet | LabelSetState) -> JSON:
    """The protocol's Labelset."""
    return {
        "name": item.name,
        "description": item.description,
        "is_groundtruth": item.kind == GROUND_TRUTH,
        "created_at": item.created_at,
    }


def rendered_dataset(seen: Seen, stats: JSON, label_sets: list[JSON] | None, members: int) -> JSON:
    """The protocol's Dataset."""
    row = seen.dataset
    settings = {key: value for key, value in row.settings.items() if value is not None}
    found: JSON = {
        "uuid": row.id,
        "name": row.name,
        "full_name": seen.full_name,
        "cloned_from": (row.cloned_from or {}).get("full_name"),
        "description": row.description,
        "category": row.category,
        "public": row.public,
        "archived": row.archived,
        "owner": {
            "username": seen.owner.username,
            "created_at": seen.owner.date_joined,
            "is_organization": seen.owner.is_organization,
        },
        "created_at": row.created_at,
        "task_type": row.task_type,
        "task_attributes": row.task_attributes or None,
        "label_stats": stats,
        "samples_count": stats.get("TOTAL", 0),
        "collaborators_count": members,
        "metadata": row.metadata,
        "readme": row.readme,
        "role": None if seen.role == "viewer" else seen.role,
        "palimpsest_role": seen.role,
    }
    if label_sets is not None:
        found["labelsets"] = label_sets
    return found | settings


def _rendered(found: list[Seen], *, with_label_sets: bool) -> list[JSON]:
    ids = [item.id for item in found]
    stats, members = queries.label_stats(ids), queries.member_counts(ids)
    sets: dict[uuid.UUID, list[JSON]] = {item: [] for item in ids}
    if with_label_sets:
        for row in LabelSet.objects.filter(dataset_id__in=ids, archived=False).order_by("created_at", "name"):
            sets[row.dataset_id].append(rendered_label_set(row))
    return [
        rendered_dataset(item, stats[item.id], sets[item.id] if with_label_sets else None, members.get(item.id, 0))
        for item in found
    ]


class DatasetListView(View):
    """The datasets of the caller, or of somebody else as far as the caller may see them."""

    @documented(
        {"user-datasets": "datasets", "users-datasets": "datasets_of_user"},
        "account",
        {200: Reply(listed(schemas.DATASET))},
        parameters=PAGING,
    )
    def get(self, request: Request, username: str | None = None) -> Answer:
        """A page of datasets, by name."""
        owner = person_named(username).id if username is not None else None
        limit, skip = page_of(request)
        found = existing_page(queries.datasets_of(self.person, owner=owner, limit=limit, skip=skip), skip)
        return answer(_rendered(found, with_label_sets=True))

    @documented(
        {"user-datasets": "dataset_add", "users-datasets": "dataset_add_for_user"},
        "create-dataset",
        {201: Reply(schemas.DATASET, (DATASET_OFFSET,))},
        body=schemas.NEW_DATASET,
        appends=True,
        refusals=("already_exists",),
    )
    def post(self, request: Request, username: str | None = None) -> Answer:
        """Create a dataset; its owner is the caller, or an organisation."""
        owner = _owner(request, username)
        body = body_of(request)
        for key in ("name", "task_type"):
            if key not in body:
                raise InvalidValue(key, "is required")
        changes = {key: value for key, value in body.items() if key not in ("name", "task_type", "task_attributes")}
        dataset = commands.create_dataset(
            intent=intent_of(request),
            owner=owner.id,
            name=body["name"],
            task_type=body["task_type"],
            task_attributes=body.get("task_attributes"),
            changes={key: value for key, value in changes.items() if value is not None},
        )
        return _one(queries.dataset_by_id(dataset, person=self.person), status=201)


def _owner(request: Request, username: str | None) -> Person:
    """Who a new dataset shall belong to: the caller, unless somebody else is named."""
    return caller(request) if username is None else person_named(username)


def _one(seen: Seen, *, status: int = 200) -> Answer:
    return answer(_rendered([seen], with_label_sets=True)[0], status=status, headers=offset_of(seen))


class DatasetView(View):
    """One dataset."""

    @documented("dataset_read", "read", {200: Reply(schemas.DATASET, (DATASET_OFFSET,))}, parameters=(AT,))
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """Read a dataset, now or (`at`) as it was: settings, categories, label sets, members."""
        found = self.dataset(owner, name)
        then = self.past(found)
        if then is None:
            return _one(found)
        state = then.state
        body = rendered_dataset(
            _as_seen(found, state),
            _stats_at(found.id, state, then.offset),
            [rendered_label_set(item) for item in state.label_sets.values() if not item.archived],
            len(state.members),
        )
        return answer(body, headers=then.headers)

    @documented(
        "dataset_change",
        "change",
        {200: Reply(schemas.DATASET, (DATASET_OFFSET,))},
        body=schemas.DATASET_CHANGE,
        appends=True,
        refusals=("already_exists", "refused"),
    )
    def patch(self, request: Request, owner: str, name: str) -> Answer:
        """Change settings, texts, metadata or the task attributes."""
        found = self.dataset(owner, name)
        body = body_of(request)
        commands.change_dataset(
            intent=intent_of(request),
            dataset=found.id,
            changes={key: value for key, value in body.items() if key != "task_attributes"},
            task_attributes=body.get("task_attributes", ...),
        )
        return _one(queries.dataset_by_id(found.id, person=self.person))

    @documented("dataset_delete", "delete", {204: Reply()}, appends=True)
    def delete(self, request: Request, owner: str, name: str) -> Answer:
        """Delete the dataset; its log stays."""
        commands.delete_dataset(intent=intent_of(request), dataset=self.dataset(owner, name).id)
        return no_content()


class CloneView(View):
    """A copy of a dataset."""

    @documented(
        "dataset_clone",
        "clone",
        {201: Reply(schemas.DATASET, (DATASET_OFFSET,))},
        body=schemas.CLONING,
        appends=True,
        refusals=("already_exists", "refused"),
    )
    def post(self, request: Request, owner: str, name: str) -> Answer:
        """Copy a dataset with its samples, and with `clone_labels` their labels, into a new one: `name`, and where
        wanted another `owner`, `task_type` and `public`."""
        found = self.dataset(owner, name, "clone")
        body = body_of(request)
        owner_name, with_labels = body.get("owner"), body.get("clone_labels", False)
        if owner_name is not None and not isinstance(owner_name, str):
            raise InvalidValue("owner", "must be a username")
        if type(with_labels) is not bool:
            raise InvalidValue("clone_labels", "must be true or false")
        dataset = clone_dataset(
            intent=intent_of(request),
            source=found,
            owner=_owner(request, owner_name).id,
            name=body.get("name", f"{found.dataset.name}-clone"),
            with_labels=with_labels,
            changes={key: body[key] for key in ("task_type", "public") if body.get(key) is not None},
        )
        return _one(queries.dataset_by_id(dataset, person=self.person), status=201)


def _as_seen(found: Seen, state: DatasetState) -> Seen:
    """The dataset's row as it would have been at the state's offset."""
    row = found.dataset
    for key in ("name", "description", "category", "readme", "metadata", "public", "archived", "task_type"):
        setattr(row, key, getattr(state, key))
    row.settings, row.task_attributes, row.cloned_from = state.settings, state.task_attributes, state.cloned_from
    return Seen(dataset=row, owner=found.owner, role=found.role, head=found.head)


def _stats_at(dataset: uuid.UUID, state: DatasetState, offset: int) -> JSON:
    """Samples by the status of their ground-truth label at an offset."""
    truth = next((item for item in state.label_sets.values() if item.kind == GROUND_TRUTH), None)
    labels = {} if truth is None else past.standings(dataset, uuid.UUID(truth.id), offset)
    stats: JSON = {"TOTAL": 0}
    for sample in past.samples_as_of(dataset, offset):
        label = labels.get(sample.id)
        status = "UNLABELED" if label is None else label.status
        stats[status] = stats.get(status, 0) + 1
        stats["TOTAL"] += 1
    return stats


class LabelSetsView(View):
    """The label sets of a dataset."""

    @documented("labelsets", "read", {200: Reply(listed(schemas.LABELSET), (DATASET_OFFSET,))}, parameters=(AT,))
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """All label sets, now or (`at`) as they were."""
        found = self.dataset(owner, name)
        then = self.past(found)
        if then is not None:
            items = [item for item in then.state.label_sets.values() if not item.archived]
            return answer([rendered_label_set(item) for item in items], headers=then.headers)
        rows = LabelSet.objects.filter(dataset_id=found.id, archived=False).order_by("created_at", "name")
        return answer([rendered_label_set(row) for row in rows], headers=offset_of(found))

    @documented(
        "labelset_add",
        "change",
        {201: Reply(schemas.LABELSET)},
        body=schemas.NEW_LABELSET,
        appends=True,
        refusals=("already_exists",),
    )
    def post(self, request: Request, owner: str, name: str) -> Answer:
        """Create a label set."""
        found = self.dataset(owner, name)
        body = body_of(request)
        if "name" not in body:
            raise InvalidValue("name", "is required")
        description = "" if body.get("description") is None else body["description"]
        commands.add_label_set(intent=intent_of(request), dataset=found.id, name=body["name"], description=description)
        row = LabelSet.objects.get(dataset_id=found.id, name=body["name"], archived=False)
        return answer(rendered_label_set(row), status=201)


class LabelSetView(View):
    """One label set."""

    @documented("labelset_read", "read", {200: Reply(schemas.LABELSET, (DATASET_OFFSET,))}, parameters=(AT,))
    def get(self, request: Request, owner: str, name: str, label_set: str) -> Answer:
        """Read a label set, now or (`at`) as it was."""
        found = self.dataset(owner, name)
        then = self.past(found)
        if then is not None:
            item = then.state.label_set(label_set)
            if item is None:
                raise NotFound
            return answer(rendered_label_set(item), headers=then.headers)
        row = LabelSet.objects.filter(dataset_id=found.id, name=label_set, archived=False).first()
        if row is None:
            raise NotFound
        return answer(rendered_label_set(row), headers=offset_of(found))

    @documented("labelset_delete", "change", {204: Reply()}, appends=True, refusals=("refused",))
    def delete(self, request: Request, owner: str, name: str, label_set: str) -> Answer:
        """Delete a label set; its labels stay in the log."""
        found = self.dataset(owner, name)
        commands.archive_label_set(intent=intent_of(request), dataset=found.id, name=label_set)
        return no_content()
