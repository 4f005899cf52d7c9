"""Every error of the project: one class for each broken fact. HTTP statuses are chosen in api/errors.py only."""

from __future__ import annotations

import uuid


class PalimpsestError(Exception):
    """The base of every error that a caller can do something about. `code` is stable; the message is for people."""

    code = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(PalimpsestError):
    """It is not there, or the caller may not know that it is."""

    code = "not_found"

    def __init__(self, what: str = "") -> None:
        super().__init__(f"{what} was not found. Not found." if what else "Not found.")


class PageNotFound(PalimpsestError):
    """A list ends before the page that was asked for. The text is the protocol's."""

    code = "invalid_page"

    def __init__(self) -> None:
        super().__init__("Invalid page.")


class AlreadyExists(PalimpsestError):
    """The name is taken."""

    code = "already_exists"

    def __init__(self, what: str, field: str = "name") -> None:
        super().__init__(f"{what} with this {field} already exists.")
        self.field = field


class AlreadyCollaborator(PalimpsestError):
    """The person is a member of the dataset."""

    code = "already_collaborator"

    def __init__(self) -> None:
        super().__init__("This user is already a collaborator of the dataset.")


class CannotCollaborate(PalimpsestError):
    """What is to become a member of the dataset is no person."""

    code = "cannot_collaborate"

    def __init__(self) -> None:
        super().__init__("An organization cannot be added as collaborator; add its people, or have it own the dataset.")


class AlreadyMember(PalimpsestError):
    """The person belongs to the organisation."""

    code = "already_member"

    def __init__(self) -> None:
        super().__init__("This user is a member of the organization.")


class LastAdministrator(PalimpsestError):
    """The organisation would be left without an administrator."""

    code = "last_administrator"

    def __init__(self) -> None:
        super().__init__("The last administrator cannot leave the organization; name another one first.")


class InvalidValue(PalimpsestError):
    """A value does not fit; `field` is its path. The message says what to do and never echoes the value."""

    code = "invalid"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class AnnotationNotFound(InvalidValue):
    """An edit names an annotation, or another piece of a label, that the label does not hold."""

    code = "annotation_unknown"

    def __init__(self, field: str, what: str = "annotation") -> None:
        super().__init__(field, f"the label holds no such {what}; read the label again")


class ReasonRequired(InvalidValue):
    """A change is asked a reason for, and none was sent."""

    code = "reason_required"

    def __init__(self, doing: str) -> None:
        self.doing = doing
        super().__init__(
            "reason",
            f"is required {doing}; send it as reason in the body where that has one, or in the header X-Reason",
        )


class NotPermitted(PalimpsestError):
    """The caller may see it and may not do this; `action` and `dataset` are for the security log."""

    code = "not_permitted"

    def __init__(self, need: str = "", *, action: str = "", dataset: uuid.UUID | None = None) -> None:
        super().__init__("You do not have permission to perform this action." + (f" {need}" if need else ""))
        self.action = action
        self.dataset = dataset


class Conflict(PalimpsestError):
    """Since the version that the client saw, the same annotation was touched, or the label as a whole: by somebody
    else, or by the same person in another window, so the words name nobody.

    `since` is the version that the client saw, `touched` names what both touched, and `missed` is the address of what
    was missed, where that is not the label's events.
    """

    code = "conflict"

    def __init__(
        self, stream: str, since: int, touched: list[str], *, what: str = "label", missed: str | None = None
    ) -> None:
        super().__init__(
            f"The same part of this {what} was changed since the version in If-Match. "
            "Read the missed events, then send the edit again."
        )
        self.stream = stream
        self.since = since
        self.touched = touched
        self.missed = missed


class StaleBitmap(PalimpsestError):
    """A bitmap patch was made against another mask than the label's."""

    code = "stale_bitmap"

    def __init__(self, field: str) -> None:
        super().__init__(
            f"{field}: the bitmap has changed since; read the label and make the patch against its mask hash"
        )
        self.field = field


class AreaOpen(PalimpsestError):
    """The area that is to be filled is not closed."""

    code = "area_open"

    def __init__(self, field: str) -> None:
        super().__init__(
            f"{field}: the area is not closed, so all of the image around the object would be filled; "
            "send true if that is what you want"
        )
        self.field = field


class VersionUnknown(PalimpsestError):
    """If-Match names a version that the label never had, or the label must not be there yet (If-None-Match)."""

    code = "version_unknown"

    def __init__(self, message: str) -> None:
        super().__init__(message)


class IdempotencyKeyReused(PalimpsestError):
    """The same Idempotency-Key came before with another request."""

    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request; send a new key.")


class Refused(PalimpsestError):
    """The state of things does not allow it; the message says which state and what to do."""

    code = "refused"


class InTheWay(PalimpsestError):
    """What is to be put back was changed by somebody since; `names` says what."""

    code = "in_the_way"

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            "What is to be put back was changed since. Send it with dry_run to see by whom, and with on_conflict skip "
            "to leave that as it is, or force to put it back all the same."
        )
        self.names = names


class HistoryExhausted(PalimpsestError):
    """There are no more gestures to undo or to do again, or no more may be undone."""

    code = "history_exhausted"


class NoMask(PalimpsestError):
    """There can be no such mask of a label; the message says why, and what to do."""

    code = "no_mask"


class TooLarge(PalimpsestError):
    """The request is larger than the limit."""

    code = "too_large"


class TooManySignals(PalimpsestError):
    """A person told more signals of work today than are taken; none of these was kept. `retry_after_s` is until
    tomorrow, in UTC."""

    code = "too_many_signals"

    def __init__(self, most: int, retry_after_s: int) -> None:
        super().__init__(
            f"At most {most} signals of one person are taken a day (UTC); none of these was kept. Send heartbeats less"
            " often, and go on tomorrow."
        )
        self.retry_after_s = retry_after_s


class Busy(PalimpsestError):
    """Others were faster every time; nothing was stored. Try again."""

    code = "busy"
    retry_after_s = 1

    def __init__(self) -> None:
        super().__init__("The dataset is busy; nothing was stored. Send the request again.")


class StorageUnavailable(PalimpsestError, OSError):
    """The storage of the files does not answer, or not as it should; nothing was stored. Try again."""

    code = "storage_unavailable"
    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__("The storage of the files does not answer. Send the request again.")
