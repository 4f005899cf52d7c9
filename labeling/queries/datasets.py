"""Datasets: finding one as somebody sees it, its state for a command, and its state at an offset."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import connection

from labeling.errors import NotFound
from labeling.log import store
from labeling.models import Dataset, LabelSet, Member, Person
from labeling.queries.organizations import role_in
from labeling.rules import access, dataset_state
from labeling.rules.dataset_state import DatasetState, LabelSetState, MemberState

JSON = dict[str, Any]


#: The role that the person joined as v acts in; the same in SQL as rules.access.acting_role.
ROLE = (
    "CASE WHEN v.is_superuser AND v.is_active OR o.role = 'administrator' OR v.is_organization AND v.id = d.owner_id"
    " THEN 'admin' ELSE coalesce(m.role, CASE WHEN o.role = 'member' THEN 'viewer' END) END"
)
#: Needs the dataset as d, and the person's id as its one parameter.
JOIN_ROLE = (
    "LEFT JOIN labeling_person v ON v.id = {} LEFT JOIN labeling_member m ON m.dataset_id = d.id AND m.person_id = v.id"
    " LEFT JOIN labeling_organizationmember o ON o.organization_id = d.owner_id AND o.person_id = v.id"
)
#: Datasets d that %(person)s belongs to: by themselves, or by an organisation. From their side, so that it is a lookup.
BELONGS = (
    "d.id IN (SELECT dataset_id FROM labeling_member WHERE person_id = %(person)s"
    " UNION SELECT id FROM labeling_dataset WHERE NOT deleted AND owner_id IN ("
    "SELECT organization_id FROM labeling_organizationmember WHERE person_id = %(person)s"
    " UNION SELECT id FROM labeling_person WHERE id = %(person)s AND is_organization))"
)


@dataclass(slots=True)
class Seen:
    """A dataset as one person sees it."""

    dataset: Dataset
    owner: Person
    role: str | None
    head: int  #: of its log, when the dataset was read: an answer reaches at least as far

    @property
    def id(self) -> uuid.UUID:
        return self.dataset.id

    @property
    def full_name(self) -> str:
        return f"{self.owner.username}/{self.dataset.name}"


#: Datasets d with what `_seen` needs, as {} (an expression for a person's id) sees them.
SEEN = (
    f"SELECT d.*, {ROLE} AS seen_role, p.username AS owner_username, p.date_joined AS owner_since,"
    " p.is_organization AS owner_is_organization, h.head AS log_head FROM labeling_dataset d"
    f" JOIN log_head h ON h.log = d.id JOIN labeling_person p ON p.id = d.owner_id {JOIN_ROLE}"
)


def find_dataset(owner: str, name: str, *, person: uuid.UUID) -> Seen:
    """The dataset owner/name. Whether `person` may see it is the caller's to check.

    Raises:
        NotFound: there is none of that name.
    """
    found = list(
        Dataset.objects.raw(
            f"{SEEN.format('%s')} WHERE p.username = %s AND d.name = %s AND NOT d.deleted", [person, owner, name]
        )
    )
    if not found:
        raise NotFound("The dataset")
    return _seen(found[0])


def _seen(row: Any) -> Seen:
    owner = Person(
        id=row.owner_id,
        username=row.owner_username,
        date_joined=row.owner_since,
        is_organization=row.owner_is_organization,
    )
    return Seen(dataset=row, owner=owner, role=row.seen_role, head=row.log_head)


@lru_cache(maxsize=1024)
def box_ratios(dataset: uuid.UUID, version: int) -> Mapping[int, float]:
    """{category: how many times as wide as high its boxes are drawn} of a dataset, where a category says so.

    `version` is the dataset's as the caller read it, so that what is kept is never older.
    """
    row = Dataset.objects.filter(id=dataset).values_list("task_attributes", flat=True).first()
    listed = (row or {}).get("categories") or []
    return {item["id"]: item["aspect_ratio"] for item in listed if item.get("aspect_ratio") is not None}


def datasets_of(person: uuid.UUID, *, owner: uuid.UUID | None, limit: int, skip: int) -> list[Seen]:
    """Datasets in order of their names: those that `person` belongs to, also by an organisation, or those of `owner`
    that they may see."""
    where = f"d.owner_id = %(owner)s AND (d.public OR {ROLE} IS NOT NULL)" if owner else BELONGS
    order = "d.name" if owner else "p.username, d.name"  # those of one owner lie in this order in an index
    rows = Dataset.objects.raw(
        f"{SEEN.format('%(person)s')} WHERE NOT d.deleted AND {where} ORDER BY {order} LIMIT %(limit)s OFFSET %(skip)s",
        {"person": person, "owner": owner, "limit": limit, "skip": skip},
    )
    return [_seen(row) for row in rows]


def dataset_by_id(dataset: uuid.UUID, *, person: uuid.UUID) -> Seen:
    """The dataset with this id; see find_dataset."""
    found = list(
        Dataset.objects.raw(
            f"{SEEN.format('%s')} WHERE d.id = %s AND NOT d.deleted",
            [person, dataset],
        )
    )
    if not found:
        raise NotFound("The dataset")
    return _seen(found[0])


def role_of(person: uuid.UUID, state: DatasetState) -> str | None:
    """The role that a person acts in, for a command that has loaded the dataset's state."""
    member = state.members.get(str(person))
    if member is not None and member.role == "admin":
        return member.role
    account = Person.objects.filter(id=person).values_list("is_superuser", "is_active", "is_organization").first()
    is_superuser, is_active, is_organization = account or (False, False, False)
    return access.acting_role(
        member.role if member else None,
        organization_role=role_in(uuid.UUID(state.owner), person),
        is_owner=is_organization and state.owner == str(person),
        is_superuser=is_superuser and is_active,
    )


def roles_of(person: uuid.UUID) -> dict[uuid.UUID, str]:
    """{dataset: the role that somebody acts in} for those that they belong to, also by an organisation."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT d.id, {ROLE} FROM labeling_dataset d {JOIN_ROLE.format('%(person)s')}"
            f" WHERE NOT d.deleted AND {BELONGS}",
            {"person": person},
        )
        return dict(cursor.fetchall())


def state_of(dataset: uuid.UUID) -> DatasetState:
    """The dataset's state from its rows, for a command. `version` is read first, so a torn read is stale."""
    row = Dataset.objects.get(id=dataset)
    state = DatasetState(
        id=row.id,
        version=row.version,
        exists=not row.deleted,
        owner=str(row.owner_id),
        settings=row.settings,
        task_attributes=row.task_attributes,
        cloned_from=row.cloned_from,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_offset=row.last_offset,
        **{key: getattr(row, key) for key in dataset_state.FIELDS},
    )
    for item in LabelSet.objects.filter(dataset_id=dataset):
        state.label_sets[str(item.id)] = LabelSetState(
            id=str(item.id),
            name=item.name,
            description=item.description,
            kind=item.kind,
            base=str(item.base_id) if item.base_id else None,
            archived=item.archived,
            created_by=item.created_by,
            created_at=item.created_at,
            last_offset=item.last_offset,
        )
    for member in Member.objects.filter(dataset_id=dataset):
        key = str(member.person_id)
        state.members[key] = MemberState(key, member.role, member.created_at, member.last_offset)
    return state


def state_at(dataset: uuid.UUID, offset: int) -> DatasetState:
    """The dataset as it was at an offset of its log."""
    events = list(store.read_stream(dataset, dataset_state.STREAM, up_to=offset))
    return dataset_state.fold(DatasetState(id=dataset), events)


def label_stats(datasets: Iterable[uuid.UUID]) -> dict[uuid.UUID, JSON]:
    """Per dataset: how many samples there are, by the status of their ground-truth label. Looked up: triggers count."""
    wanted = list(datasets)
    stats: dict[uuid.UUID, JSON] = {item: {"TOTAL": 0} for item in wanted}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.dataset_id, coalesce(nullif(c.status, ''), 'UNLABELED'), c.count FROM labeling_statuscount c"
            " JOIN labeling_labelset ls ON ls.id = c.label_set_id AND ls.kind = 'ground-truth' AND NOT ls.archived"
            " WHERE c.dataset_id = ANY(%s) AND c.count > 0 ORDER BY 1, 2",
            [wanted],
        )
        for dataset, status, count in cursor.fetchall():
            # No label, and a label that was begun and has no status yet, are both unlabeled.
            stats[dataset][status] = stats[dataset].get(status, 0) + count
            stats[dataset]["TOTAL"] += count
    return stats


def sample_counts(datasets: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Per dataset that has some: how many samples there are. Looked up, as label_stats."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT dataset_id, sum(count)::bigint FROM labeling_samplecount WHERE dataset_id = ANY(%s) GROUP BY 1",
            [list(datasets)],
        )
        return dict(cursor.fetchall())


def member_counts(datasets: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Per dataset: how many members it has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT dataset_id, count(*) FROM labeling_member WHERE dataset_id = ANY(%s) GROUP BY 1", [list(datasets)]
        )
        return dict(cursor.fetchall())
