"""Issues: finding one, those of a dataset or of some samples, and how they were at an offset."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labeling.errors import NotFound
from labeling.log import store
from labeling.models import Issue, IssueComment
from labeling.queries.datasets import JOIN_ROLE, ROLE
from labeling.queries.samples import sample_at
from labeling.rules import issue_state
from labeling.rules.issue_state import Comment, IssueState, issue_stream


@dataclass(slots=True)
class IssueOnSample:
    """An issue with its comments, and the name of its sample."""

    state: IssueState
    sample_name: str


@dataclass(slots=True)
class IssueInDataset:
    """An issue without its comments, and its dataset as one person sees it."""

    state: IssueState
    sample_name: str
    dataset: uuid.UUID
    public: bool
    role: str | None
    head: int  #: of the dataset's log, when the issue was read


def find_issue(issue: uuid.UUID, *, person: uuid.UUID, deleted: bool = False) -> IssueInDataset:
    """The issue with this id, also one that was `deleted`, or whose sample was, where its past is asked for. Whether
    `person` may see it is the caller's to check.

    Raises:
        NotFound: there is none, or its sample or dataset was deleted.
    """
    found = list(
        Issue.objects.raw(
            f"SELECT i.*, {ROLE} AS seen_role, s.name AS sample_name, d.public AS dataset_public, h.head AS log_head"
            " FROM labeling_issue i"
            " JOIN labeling_sample s ON s.id = i.sample_id"
            " JOIN labeling_dataset d ON d.id = i.dataset_id AND NOT d.deleted JOIN log_head h ON h.log = d.id"
            f" {JOIN_ROLE.format('%s')} WHERE i.id = %s AND (%s OR NOT i.archived AND NOT s.archived)",
            [person, issue, deleted],
        )
    )
    if not found:
        raise NotFound("The issue")
    row: Any = found[0]
    return IssueInDataset(
        state=state_of(row), sample_name=row.sample_name, dataset=row.dataset_id, public=row.dataset_public,
        role=row.seen_role, head=row.log_head,
    )  # fmt: skip


def issues_in_dataset(dataset: uuid.UUID, *, limit: int | None = None, skip: int = 0) -> list[IssueOnSample]:
    """The issues on the samples that are there, oldest first; all of them unless there is a limit."""
    rows: Any = Issue.objects.raw(
        "SELECT i.*, s.name AS sample_name FROM labeling_issue i"
        " JOIN labeling_sample s ON s.id = i.sample_id AND NOT s.archived"
        " WHERE i.dataset_id = %s AND NOT i.archived ORDER BY i.created_at, i.id LIMIT %s OFFSET %s",
        [dataset, limit, skip],
    )
    return _with_comments([(row, row.sample_name) for row in rows])


def issues_of_samples(names: dict[uuid.UUID, str]) -> list[IssueOnSample]:
    """The issues of {sample: name}, oldest first."""
    # One array: of a thousand ids the ORM would make a thousand parameters.
    rows = Issue.objects.raw(
        "SELECT * FROM labeling_issue WHERE sample_id = ANY(%s) AND NOT archived ORDER BY created_at, id", [list(names)]
    )
    return _with_comments([(row, names[row.sample_id]) for row in rows])


def issue_with_comments(issue: uuid.UUID, sample_name: str) -> IssueOnSample:
    """The issue as its rows have it now."""
    return _with_comments([(Issue.objects.get(id=issue), sample_name)])[0]


def issues_at(dataset: uuid.UUID, offset: int, *, sample: uuid.UUID | None = None) -> list[IssueOnSample]:
    """The issues as they were at an offset, on the samples that were there; or only those of one sample."""
    states = [
        issue_state.fold(IssueState(dataset, stream), events)
        for stream, events in store.read_streams(dataset, "issue/", up_to=offset)
    ]
    states = [state for state in states if state.exists and (sample is None or state.sample == str(sample))]
    samples = {item: sample_at(dataset, uuid.UUID(item), offset) for item in {state.sample for state in states}}
    return [
        IssueOnSample(state, samples[state.sample].name)
        for state in sorted(states, key=lambda state: (state.created_at, state.id))
        if samples[state.sample].exists
    ]


def issue_at(dataset: uuid.UUID, issue: uuid.UUID, offset: int) -> IssueOnSample:
    """One issue as it was at an offset.

    Raises:
        NotFound: there was none, or its sample was not there.
    """
    stream = issue_stream(issue)
    state = issue_state.fold(IssueState(dataset, stream), list(store.read_stream(dataset, stream, up_to=offset)))
    sample = sample_at(dataset, uuid.UUID(state.sample), offset) if state.exists else None
    if sample is None or not sample.exists:
        raise NotFound("The issue")
    return IssueOnSample(state, sample.name)


def _with_comments(rows: Sequence[tuple[Issue, str]]) -> list[IssueOnSample]:
    found = {row.id: IssueOnSample(state_of(row), name) for row, name in rows}
    if found:
        for comment in IssueComment.objects.filter(issue_id__in=list(found)).order_by("version"):
            found[comment.issue_id].state.comments[comment.version] = Comment(
                comment.text, comment.created_by, comment.created_at, comment.last_offset
            )
    return list(found.values())


def state_of(row: Issue) -> IssueState:
    return IssueState(
        dataset=row.dataset_id,
        stream=issue_stream(row.id),
        version=row.version,
        exists=not row.archived,
        sample=str(row.sample_id),
        text=row.text,
        status=row.status,
        anchor=row.anchor,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_by=row.updated_by,
        updated_at=row.updated_at,
        last_offset=row.last_offset,
    )
