"""One change of many samples: what it is, what it takes, and what it does to each of them. Pure."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from typing import Any

from labeling.errors import InvalidValue
from labeling.rules import access
from labeling.rules.label_state import STATUSES

#: The verbs of a reviewer, and the status that each leads to. By `override` a manager sets any.
REVIEWS = {"accept": "REVIEWED", "reject": "REJECTED", "verify": "VERIFIED"}
WHATS = ("status", "priority", "labeler", "reviewer", "archive")
NOBODY = ""
#: How a deleted sample reads where the others have a value.
DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class BulkChange:
    """What is done to each sample. `value` is a status, a priority, or the id of a person (None: nobody)."""

    what: str
    value: Any = None
    verb: str = "override"

    @property
    def action(self) -> str:
        """What it takes, as rules.access calls it."""
        if self.what == "status":
            return access.VERBS[self.verb]
        return "change" if self.what == "archive" else "assign"


@dataclass(frozen=True, slots=True)
class Now:
    """What a change may be about, of one sample. `status` is None where it has no ground-truth label."""

    status: str | None
    priority: float
    labeler: uuid.UUID | None
    reviewer: uuid.UUID | None


def checked_change(what: Any, value: Any = None, verb: Any = "override") -> BulkChange:
    """A change whose value is one of its kind.

    Raises:
        InvalidValue: the field that does not fit.
    """
    if what not in WHATS:
        raise InvalidValue("what", f"must be one of {', '.join(WHATS)}")
    if what == "status":
        if verb not in ("override", *REVIEWS):
            raise InvalidValue("verb", f"must be one of override, {', '.join(REVIEWS)}")
        value = REVIEWS.get(verb, value)
        if value not in STATUSES or value == "UNLABELED":
            raise InvalidValue("value", f"must be one of {', '.join(STATUSES[1:])}")
        return BulkChange(what, value, verb)
    if what == "priority":
        if type(value) not in (int, float) or not math.isfinite(value):
            raise InvalidValue("value", "must be a number")
        return BulkChange(what, value)
    if what == "archive":
        return BulkChange(what)
    if value is not None and not isinstance(value, uuid.UUID):
        raise InvalidValue("value", "must be a person or nobody")
    return BulkChange(what, value)


def before(change: BulkChange, now: Now) -> str:
    """What a sample is now, in what the change is about; two readings of it are compared by this."""
    if change.what in ("status", "archive"):
        return now.status or "UNLABELED"
    if change.what == "priority":
        return number(now.priority)
    person = now.labeler if change.what == "labeler" else now.reviewer
    return str(person) if person else NOBODY


def after(change: BulkChange) -> str:
    """What every sample becomes, in the same words."""
    if change.what == "status":
        return str(change.value)
    if change.what == "archive":
        return DELETED
    if change.what == "priority":
        return number(change.value)
    return str(change.value) if change.value else NOBODY


def refusal(change: BulkChange, now: Now) -> str:
    """Why the change cannot be made to a sample; "" where it can."""
    if change.what == "status" and change.verb in REVIEWS and now.status is None:
        return f"there is no label to {change.verb} yet"
    return ""


def number(value: float) -> str:
    """A number in its shortest form, the same for 2 and 2.0."""
    return repr(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
