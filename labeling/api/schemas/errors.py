"""Every refusal that the API knows, by its code: its status, and an example of it.

The table is held against `api.errors` and `labeling.errors` by the tests; which codes an operation may answer is said
at the operation, or follows from what it takes (`api.contract`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import TEXT, closed, listed, said

JSON = dict[str, Any]

ERROR = component(
    "Error",
    closed(
        {
            "detail": said(TEXT, "What is wrong and what to do, for people. It never repeats a value of the request."),
            "code": said(TEXT, "The same for ever, for programs."),
        },
        {
            "field": said(TEXT, "The path of the field that does not fit: `edits[0].geometry.points`."),
            "touched": listed(TEXT, description="With in_the_way: what was changed since."),
        },
    ),
    example={"detail": "name: is required", "code": "invalid", "field": "name"},
)
CONFLICT = component(
    "Conflict",
    closed(
        {
            "detail": TEXT,
            "code": TEXT,
            "touched": listed(TEXT, description="What both touched: `annotation:<uuid>`, `label`, `pixels` …"),
            "missed": said(TEXT, "The address of the events that were missed."),
        },
        description="Since the version in If-Match somebody touched the same.",
    ),
    example={
        "detail": "The same part of this label was changed since the version in If-Match. Read the missed"
        " events, then send the edit again.",
        "code": "conflict",
        "touched": ["annotation:0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d"],
        "missed": "/labels/7c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10/ground-truth/events/?after_version=7",
    },
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One code. `field` is an example of the field that it names; `headers` are always sent with it."""

    status: int
    detail: str
    field: str = ""
    headers: tuple[str, ...] = ()

    def example(self, code: str) -> JSON:
        if code == "conflict":
            from labeling.api.schemas import COMPONENTS

            found: JSON = COMPONENTS["Conflict"].example
            return found
        return {"detail": self.detail, "code": code} | ({"field": self.field} if self.field else {})


RETRY = ("Retry-After",)
REFUSALS = {
    "invalid": Refusal(400, "name: is required", "name"),
    "annotation_unknown": Refusal(
        400,
        "edits[0].annotation: the label holds no such annotation; read the label again",
        "edits[0].annotation",
    ),
    "not_authenticated": Refusal(401, "Authentication credentials were not provided.", headers=("WWW-Authenticate",)),
    "authentication_failed": Refusal(401, "Invalid API key.", headers=("WWW-Authenticate",)),
    "not_permitted": Refusal(
        403, "You do not have permission to perform this action. Labeling needs the role labeler, reviewer …"
    ),
    "permission_denied": Refusal(403, "CSRF Failed: CSRF token missing."),
    "not_found": Refusal(404, "Not found."),
    "invalid_page": Refusal(404, "Invalid page."),
    "already_exists": Refusal(409, "Dataset with this name already exists.", "name"),
    "already_collaborator": Refusal(409, "This user is already a collaborator of the dataset."),
    "cannot_collaborate": Refusal(
        409, "An organization cannot be added as collaborator; add its people, or have it own the dataset."
    ),
    "already_member": Refusal(409, "This user is a member of the organization."),
    "last_administrator": Refusal(409, "The last administrator cannot leave the organization; name another one first."),
    "conflict": Refusal(409, "The same part of this label was changed since the version in If-Match."),
    "stale_bitmap": Refusal(
        409,
        "edits[0].base_hash: the bitmap has changed since; read the label and make the patch against its mask hash",
        "edits[0].base_hash",
    ),
    "area_open": Refusal(
        409,
        "edits[0].confirm: the area is not closed, so all of the image around the object would be filled; send true if"
        " that is what you want",
        "edits[0].confirm",
    ),
    "refused": Refusal(409, "The state of things does not allow it; the words say which state, and what to do."),
    "in_the_way": Refusal(
        409, "What is to be put back was changed since. Send it with dry_run to see by whom, and with on_conflict …"
    ),
    "history_exhausted": Refusal(409, "There is no gesture of yours left to undo on this label."),
    "missing_file": Refusal(410, "The file is missing from storage."),
    "erased_file": Refusal(410, "The file was erased."),
    "version_unknown": Refusal(412, "If-Match names a version that this label has not reached; read the label again."),
    "too_large": Refusal(413, "The request body is larger than the limit."),
    "unsupported_media_type": Refusal(
        415, "The body must be application/json, as it is or with Content-Encoding: gzip."
    ),
    "no_mask": Refusal(
        409, "The size of the picture is not known, because it is no file of this server; upload it here."
    ),
    "reason_required": Refusal(
        422,
        "reason: is required to delete; send it as reason in the body where that has one, or in the header X-Reason",
        "reason",
    ),
    "idempotency_key_reused": Refusal(422, "This Idempotency-Key was used for another request; send a new key."),
    "too_many_signals": Refusal(
        429, "At most 40000 signals of one person are taken a day (UTC); none of these was kept …", headers=RETRY
    ),
    "busy": Refusal(503, "The dataset is busy; nothing was stored. Send the request again.", headers=RETRY),
    "storage_unavailable": Refusal(
        503, "The storage of the files does not answer. Send the request again.", headers=RETRY
    ),
    "unavailable": Refusal(
        503, "The database does not answer. Try again, with the same Idempotency-Key if you sent one.", headers=RETRY
    ),
}
#: Answered where no operation is: another method of a known address.
ELSEWHERE = {"method_not_allowed": 405}

MEANINGS = {
    400: "The request does not fit; `field` names what.",
    401: "No key, or one that is not good (any more).",
    403: "The caller may see it and may not do this, or the key's scope does not cover it.",
    404: "It is not there, or the caller may not know of it; or the list ends before that page.",
    409: "The state of things does not allow it.",
    410: "The file is lost.",
    412: "The label is not at the version that If-Match or If-None-Match asks for.",
    413: "The body is larger than the limit (inflated, where it came as gzip).",
    415: "The body is not application/json, plain or gzip.",
    422: "The dataset asks for a reason, or the Idempotency-Key was used for another request.",
    429: "More than is taken. Try again after Retry-After seconds.",
    503: "Something that is needed does not answer. Try again after Retry-After seconds, same Idempotency-Key.",
}
