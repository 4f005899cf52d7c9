"""What happened to an issue that somebody raised on a sample. Texts are encrypted with the writer's key."""

from __future__ import annotations

from typing import Any

from labeling.log.event import Fact

JSON = dict[str, Any]


class IssueOpened(Fact, frozen=True):
    """Somebody raised an issue on a sample. Texts are encrypted with the writer's key."""

    sample: str
    text: str
    status: str = "OPEN"
    anchor: JSON | None = None


class IssueCommented(Fact, frozen=True):
    """Somebody answered an issue, or changed its text or anchor."""

    text: str
    edits_description: bool = False
    anchor: JSON | None = None


class IssueResolved(Fact, frozen=True):
    """An issue was closed, or opened again."""

    status: str


class IssueAnchorSet(Fact, frozen=True):
    """What an issue points at was set; null when it is about the whole sample."""

    anchor: JSON | None


class IssueArchived(Fact, frozen=True):
    """An issue was deleted; what was said stays in the log."""


ISSUE_EVENTS = (
    IssueOpened,
    IssueCommented,
    IssueResolved,
    IssueAnchorSet,
    IssueArchived,
)
