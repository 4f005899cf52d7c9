"""Samples: finding one, pages of many, and how they were at an offset."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labeling.errors import NotFound
from labeling.log import store
from labeling.models import Sample
from labeling.queries.datasets import JOIN_ROLE, ROLE
from labeling.rules import sample_state
from labeling.rules.sample_state import SampleState, sample_stream

JSON = dict[str, Any]


@dataclass(slots=True)
class SampleInDataset:
    """A sample, and its dataset as one person sees it."""

    sample: Sample
    dataset: uuid.UUID
    full_name: str
    public: bool
    role: str | None
    task_type: str
    has_issues: bool
    head: int  #: of the dataset's log, when the sample was read


def find_sample(sample: uuid.UUID, *, person: uuid.UUID, deleted: bool = False) -> SampleInDataset:
    """The sample with this id, also one that was `deleted` where its past is asked for. Whether `person` may see it is
    the caller's to check.

    Raises:
        NotFound: there is none.
    """
    found = find_samples([sample], person=person, deleted=deleted)
    if not found:
        raise NotFound("The sample")
    return found[sample]


def find_samples(
    samples: Iterable[uuid.UUID], *, person: uuid.UUID, deleted: bool = False
) -> dict[uuid.UUID, SampleInDataset]:
    """{id: sample} of those that there are, in one query; see find_sample."""
    rows: Any = Sample.objects.raw(
        f"SELECT s.*, {ROLE} AS seen_role, p.username AS owner_username, d.name AS dataset_name,"
        " d.public AS dataset_public,"
        " d.task_type AS dataset_task_type, h.head AS log_head,"
        " EXISTS (SELECT FROM labeling_issue i WHERE i.sample_id = s.id AND NOT i.archived) AS has_issues"
        " FROM labeling_sample s"
        " JOIN labeling_dataset d ON d.id = s.dataset_id AND NOT d.deleted JOIN log_head h ON h.log = d.id"
        " JOIN labeling_person p ON p.id = d.owner_id"
        f" {JOIN_ROLE.format('%s')} WHERE s.id = ANY(%s) AND (%s OR NOT s.archived)",
        [person, list(samples), deleted],
    )
    return {
        row.id: SampleInDataset(
            sample=row,
            dataset=row.dataset_id,
            full_name=f"{row.owner_username}/{row.dataset_name}",
            public=row.dataset_public,
            role=row.seen_role,
            task_type=row.dataset_task_type,
            has_issues=row.has_issues,
            head=row.log_head,
        )
        for row in rows
    }


def state_of(row: Sample) -> SampleState:
    """A sample's state from its row, for a command."""
    return SampleState(
        dataset=row.dataset_id,
        stream=sample_stream(row.id),
        version=row.version,
        exists=not row.archived,
        name=row.name,
        attributes=row.attributes,
        metadata=row.metadata,
        priority=row.priority,
        readme=row.readme,
        assigned_labeler=str(row.assigned_labeler) if row.assigned_labeler else None,
        assigned_reviewer=str(row.assigned_reviewer) if row.assigned_reviewer else None,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        created_offset=row.created_offset,
        last_offset=row.last_offset,
    )


def sample_at(dataset: uuid.UUID, sample: uuid.UUID, offset: int) -> SampleState:
    """The sample as it was at an offset of its log."""
    stream = sample_stream(sample)
    return sample_state.fold(SampleState(dataset, stream), list(store.read_stream(dataset, stream, up_to=offset)))
