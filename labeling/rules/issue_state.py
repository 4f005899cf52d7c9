"""The state of an issue: what somebody said about a sample, where it points at, and what others answered."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from labeling import events as e
from labeling.log.event import Event, Fact
from labeling.log.rows import Rows
from labeling.rules.fold import NOW, Moment, Place, folded

JSON = dict[str, Any]

COMMENT_NAMESPACE = uuid.UUID("c3a1f5de-6c0f-4f0e-9b53-9a4d6f1e8a06")
STATUSES = ("OPEN", "CLOSED")


def issue_stream(issue: uuid.UUID | str) -> str:
    return f"issue/{issue}"


@dataclass(frozen=True, slots=True)
class Comment:
    """One answer to an issue. `text` is as stored, encrypted with its writer's key."""

    text: str
    created_by: uuid.UUID
    created_at: Moment
    last_offset: int


@dataclass(slots=True)
class IssueState:
    """One issue. `comments` maps the version of the issue that a comment made to it; for a command it may be empty.

    `exists` is False before IssueOpened and after IssueArchived. `text` is as stored, encrypted.
    """

    dataset: uuid.UUID
    stream: str
    version: int = 0
    exists: bool = False
    sample: str = ""
    text: str = ""
    status: str = "OPEN"
    anchor: JSON | None = None
    created_by: uuid.UUID | None = None
    created_at: Moment = NOW
    updated_by: uuid.UUID | None = None
    updated_at: Moment = NOW
    last_offset: int = 0
    comments: dict[int, Comment] = field(default_factory=dict)

    @property
    def id(self) -> uuid.UUID:
        return uuid.UUID(self.stream.removeprefix("issue/"))


def evolve(state: IssueState, fact: Fact, place: Place) -> None:
    """Change `state` by one fact."""
    match fact:
        case e.IssueOpened():
            state.sample, state.text, state.status, state.anchor = fact.sample, fact.text, fact.status, fact.anchor
            state.exists, state.created_by, state.created_at = True, place.author, place.at
        case e.IssueCommented():
            if fact.edits_description:
                state.text = fact.text
            else:
                state.comments[place.version] = Comment(fact.text, place.author, place.at, place.offset)
            if fact.anchor is not None:
                state.anchor = fact.anchor
        case e.IssueAnchorSet():
            state.anchor = fact.anchor
        case e.IssueResolved():
            state.status = fact.status
        case e.IssueArchived():
            state.exists = False
        case _:
            raise TypeError(f"{type(fact).__name__} is no event of an issue")
    state.version, state.last_offset = place.version, place.offset
    state.updated_by, state.updated_at = place.author, place.at


def fold(state: IssueState, events: list[Event]) -> IssueState:
    """The state after `events`, on a copy."""
    return folded(replace(state, comments=dict(state.comments)), events, evolve)


def comment_id(stream: str, version: int) -> uuid.UUID:
    """The id of a comment's row, derived from its place in the issue, so that a rebuild gives the same."""
    return uuid.uuid5(COMMENT_NAMESPACE, f"{stream}/{version}")


def difference(before: IssueState, after: IssueState) -> Rows:
    """The rows to write so that the tables go from `before` to `after`."""
    row = {
        "id": after.id,
        "dataset_id": after.dataset,
        "last_offset": after.last_offset,
        "version": after.version,
        "sample_id": after.sample,
        "text": after.text,
        "status": after.status,
        "anchor": after.anchor,
        "archived": not after.exists,
        "created_by": after.created_by,
        "created_at": after.created_at,
        "updated_by": after.updated_by,
        "updated_at": after.updated_at,
    }
    comments = [
        {
            "id": comment_id(after.stream, version),
            "dataset_id": after.dataset,
            "last_offset": item.last_offset,
            "issue_id": after.id,
            "version": version,
            "text": item.text,
            "created_by": item.created_by,
            "created_at": item.created_at,
        }
        for version, item in after.comments.items()
        if before.comments.get(version) is not item
    ]
    found = Rows(put={"labeling_issue": [row]})
    if comments:
        found.put["labeling_issuecomment"] = comments
    return found
