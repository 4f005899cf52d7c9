"""Labels: GET, PUT, PATCH, DELETE of the protocol, and beside it the list of edits and the label's events."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
from rest_framework.request import Request

from labeling.api.answers import answer, no_content
from labeling.api.contract import Reply, documented
from labeling.api.history import event_list
from labeling.api.requests import LABEL_BYTES, at_of, body_of, caller, intent_of, number_of, seen_of, uuid_of
from labeling.api.schemas import labels as schemas
from labeling.api.schemas.edits import EDITED, EDITS
from labeling.api.schemas.forms import listed
from labeling.api.schemas.history import EVENT
from labeling.api.schemas.parameters import (
    AFTER,
    AFTER_VERSION,
    AT,
    DATASET_OFFSET,
    ETAG,
    IF_MATCH,
    IF_NONE_MATCH,
    LABEL_LOST,
    LABEL_SUPERSEDED,
    LIMIT,
)
from labeling.api.views import Answer, View, asked_offset
from labeling.commands import labels as commands
from labeling.commands.labels import Saved
from labeling.errors import InvalidValue, NotFound
from labeling.log import store
from labeling.queries import labels as queries
from labeling.queries import past
from labeling.queries.labels import Found
from labeling.queries.samples import find_sample
from labeling.rules import access
from labeling.rules.label_state import LabelState
from labeling.rules.task_types import AsText, task_type

JSON = dict[str, Any]

#: The headers of a saved label.
SAVED = (ETAG, DATASET_OFFSET, LABEL_SUPERSEDED, LABEL_LOST)
EDIT_FIELDS = {
    "edits", "gesture", "reason", "tool", "occurred_at", "seen_offset", "work_session",
}  # fmt: skip


def rendered(found: Found, state: LabelState) -> JSON:
    """The protocol's Label, to be answered with."""
    names, kind = found.names, task_type(found.task_type)

    def name(person: uuid.UUID | None) -> str | None:
        return None if person is None else names.get(person) or str(person)

    return {
        "sample_uuid": found.sample,
        "label_type": found.task_type,
        "label_status": state.status,
        "labelset": found.label_set_name,
        "attributes": orjson.Fragment(kind.text(state)) if isinstance(kind, AsText) else kind.render(state),
        "created_at": state.created_at,
        "created_by": name(state.created_by),
        "updated_at": state.updated_at,
        "updated_by": name(state.updated_by),
        "score": state.score,
        "rating": None,
        "reviewed_at": state.reviewed_at,
        "reviewed_by": name(state.reviewed_by),
    }


def headers_of(state: LabelState, offset: int) -> dict[str, str]:
    return {"ETag": f'"{state.version}"', "Dataset-Offset": str(offset)}


class LabelView(View):
    """The label of a sample in a label set."""

    most_bytes = LABEL_BYTES
    writes = "label"

    @documented("label_read", "read", {200: Reply(schemas.LABEL, (ETAG, DATASET_OFFSET))}, parameters=(AT,))
    def get(self, request: Request, sample: str, label_set: str) -> Answer:
        """Read a label, now or (`at`) as it was."""
        found = find_at(request, sample, label_set)
        if not found.state.exists:
            raise NotFound
        return answer(rendered(found, found.state), headers=headers_of(found.state, found.head))

    @documented(
        "label_set",
        "label",
        {200: Reply(schemas.LABEL, SAVED), 201: Reply(schemas.LABEL, SAVED)},
        body=schemas.LABEL_UPLOAD,
        parameters=(IF_MATCH, IF_NONE_MATCH),
        appends=True,
        refusals=("storage_unavailable", "stale_bitmap", "refused"),
    )
    def put(self, request: Request, sample: str, label_set: str) -> Answer:
        """Set the whole label. Without If-Match it replaces what is there; what of others it removed is named in
        `Label-Superseded`."""
        return self._save(request, sample, label_set, create=True)

    @documented(
        "label_change",
        "label",
        {200: Reply(schemas.LABEL, SAVED)},
        body=schemas.LABEL_CHANGE,
        parameters=(IF_MATCH, IF_NONE_MATCH),
        appends=True,
        refusals=("storage_unavailable", "stale_bitmap", "refused"),
    )
    def patch(self, request: Request, sample: str, label_set: str) -> Answer:
        """Change the document, the status or the score of a label."""
        return self._save(request, sample, label_set, create=False)

    @documented(
        "label_delete",
        "label",
        {204: Reply(headers=(DATASET_OFFSET,))},
        parameters=(IF_MATCH, IF_NONE_MATCH),
        appends=True,
    )
    def delete(self, request: Request, sample: str, label_set: str) -> Answer:
        """Delete the label; its history stays."""
        saved = commands.delete_label(
            intent=intent_of(request), sample=sample_id(sample), label_set=label_set, seen=seen_of(request)
        )
        return no_content({"Dataset-Offset": str(saved.offset)})

    def _save(self, request: Request, sample: str, label_set: str, *, create: bool) -> Answer:
        body = body_of(request)
        document, status, score = body.get("attributes"), body.get("label_status"), body.get("score")
        if "attributes" in body and not isinstance(document, dict):
            raise InvalidValue("attributes", "must be an object")
        if create and document is None:
            raise InvalidValue("attributes", "is required")
        if status is not None and not isinstance(status, str):
            raise InvalidValue("label_status", "must be a string")
        if score is not None and type(score) not in (int, float):
            raise InvalidValue("score", "must be a number or null")
        if create and status is None:
            status = "PRELABELED"
        saved = commands.save_label(
            intent=intent_of(request),
            sample=sample_id(sample),
            label_set=label_set,
            document=document,
            status=status,
            score=score,
            set_score=create or "score" in body,
            create=create,
            seen=seen_of(request),
        )
        return saved_answer(saved)


def saved_answer(saved: Saved) -> Answer:
    state = saved.state
    missing = {item for item in (state.created_by, state.updated_by, state.reviewed_by) if item} - set(
        saved.found.names
    )
    if missing:
        saved.found.names |= queries.names_of(set(missing))
    headers = headers_of(state, saved.offset)
    if saved.superseded:
        headers["Label-Superseded"] = ",".join(saved.superseded[:500])
    if saved.lost:
        headers["Label-Lost"] = ",".join(saved.lost[:200])
    return answer(rendered(saved.found, state), status=201 if saved.created else 200, headers=headers)


class EditsView(View):
    """A list of edits as one atomic command."""

    most_bytes = LABEL_BYTES
    writes = "label"

    @documented(
        "label_edit",
        "label",
        {200: Reply(EDITED, (ETAG, DATASET_OFFSET))},
        body=EDITS,
        parameters=(IF_MATCH, IF_NONE_MATCH),
        appends=True,
        refusals=("annotation_unknown", "stale_bitmap", "area_open", "refused", "storage_unavailable"),
    )
    def post(self, request: Request, sample: str, label_set: str) -> Answer:
        """Apply edits: all or none. With If-Match they are rebased on what others did since, and refused only where
        both touched the same annotation, or the label as a whole."""
        body = body_of(request)
        for key in body:
            if key not in EDIT_FIELDS:
                raise InvalidValue("body", f"may hold {', '.join(sorted(EDIT_FIELDS))}")
        if "edits" not in body:
            raise InvalidValue("edits", "is required")
        saved = commands.edit_label(
            intent=intent_of(request, body),
            sample=sample_id(sample),
            label_set=label_set,
            edits=body["edits"],
            seen=seen_of(request),
        )
        done = {
            "version": saved.state.version,
            "offset": saved.offset,
            "label_status": saved.state.status,
            "rebased": saved.rebased,
            "edits": saved.results,
        }
        if saved.state.mask and saved.state.mask.get("hash"):
            done["mask_hash"] = saved.state.mask["hash"]
        return answer(done, headers=headers_of(saved.state, saved.offset))


class LabelEventsView(View):
    """The events of one label, oldest first."""

    @documented(
        "label_events",
        "history",
        {200: Reply(listed(EVENT), (DATASET_OFFSET,))},
        parameters=(AFTER, AFTER_VERSION, LIMIT, AT),
    )
    def get(self, request: Request, sample: str, label_set: str) -> Answer:
        """The label's events after an offset, or after a version of the label; with `at` those up to there."""
        found = find_at(request, sample, label_set, "history", ids=[])
        limit = number_of(request, "limit", 100, least=1, most=1000)
        after_version = number_of(request, "after_version", 0)
        after = number_of(request, "after", 0)
        events = store.read_stream(
            found.dataset, found.state.stream, after_version=after_version, after=after, up_to=found.head, limit=limit
        )
        return answer(event_list(list(events)), headers={"Dataset-Offset": str(found.head)})


def find(request: Request, sample: str, label_set: str, action: str = "read", *, ids: list[int] | None = None) -> Found:
    """The label, which the caller must be allowed to read, or whose history."""
    found = queries.find_label(sample_id(sample), label_set, person=caller(request).id, ids=ids)
    access.require(action, role=found.role, public=found.public, dataset=found.dataset)
    return found


def find_at(
    request: Request, sample: str, label_set: str, action: str = "read", *, ids: list[int] | None = None
) -> Found:
    """The label, now or (`at`) as it was, also of what was deleted since; `head` is the offset that is shown."""
    if at_of(request) is None:
        return find(request, sample, label_set, action, ids=ids)
    found = find_sample(sample_id(sample), person=caller(request).id, deleted=True)
    offset = asked_offset(request, dataset=found.dataset, role=found.role, public=found.public, head=found.head)
    assert offset is not None
    return past.label_of_sample(found, label_set, offset)


def sample_id(text: str) -> uuid.UUID:
    found = uuid_of(text)
    if found is None:
        raise NotFound
    return found
