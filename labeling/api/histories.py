"""The history of a label, a sample or a dataset: what each event changed, in a sentence; as JSON, CSV or NDJSON."""

from __future__ import annotations

import csv
import datetime as dt
import io
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from django.http import StreamingHttpResponse
from rest_framework.request import Request

from labeling.api.answers import answer, encoded
from labeling.api.cells import cell
from labeling.api.contract import Reply, documented
from labeling.api.labels import find_at, sample_id
from labeling.api.requests import at_of, moment, number_of, uuid_of
from labeling.api.restoring import offset_of, person_named
from labeling.api.schemas.forms import listed, one_of
from labeling.api.schemas.history import CHANGED_ENTRY
from labeling.api.schemas.parameters import AFTER, AT, DATASET_OFFSET, LIMIT, or_empty, query
from labeling.api.views import Answer, View, asked_offset
from labeling.errors import InvalidValue, NotFound
from labeling.events import CATEGORY_EVENTS
from labeling.log import search
from labeling.log.event import vocabulary
from labeling.log.search import Wanted
from labeling.queries.guidelines import guidelines_of, span_of
from labeling.queries.history import Historian, Told, entries, is_about
from labeling.queries.samples import find_sample, sample_at
from labeling.rules import access
from labeling.rules.signatures import signature_stream

JSON = dict[str, Any]

#: What is done to categories, and what gives one to an object or an image.
OF_CATEGORIES = (
    *(fact.__name__ for fact in CATEGORY_EVENTS if "id" in fact.__struct_fields__),
    "AnnotationCategorySet",
    "ClassificationAssigned",
    "ClassificationRemoved",
    "DefaultClassificationSet",
    "AnnotationAdded",
    "LabelImported",
)
FORMATS = ("json", "csv", "ndjson")
MEDIA = ("application/json", "text/csv", "application/x-ndjson")
FILTERS = (
    AFTER,
    LIMIT,
    AT,
    query("format", "`json` (a page), or all of it as `csv` or `ndjson`.", or_empty(one_of(*FORMATS)), "json"),
    query("since", "Only from this offset or time on.", example="2026-11-20T09:00:00Z"),
    query("until", "Only up to this offset or time.", example="41"),
    query("author", "A username, or the id of a person.", example="ben"),
    query("type", "Event types, separated by commas.", example="AnnotationAdded,AnnotationRemoved"),
    query("tool", "Only what was done with this tool.", example="pencil"),
    query("work_session", "Only what was done in this work session.", example="6c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10"),
    query("gesture", "Only this gesture, bulk action or command.", example="6c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10"),
    query(
        "guideline", "Only what was done by who saw this version of the guideline; 0: before the first.", example="1"
    ),
    query(
        "category",
        "The id of a category: what happened to its objects; in a dataset, to itself and to what was given it.",
        example="3",
    ),
)
OBJECT = query("object", "The uuid of an object: only what changed it.", example="0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d")
REPLY = {200: Reply(listed(CHANGED_ENTRY), (DATASET_OFFSET,), media=MEDIA)}


class LabelHistoryView(View):
    """The history of a label."""

    @documented("label_history", "history", REPLY, parameters=(*FILTERS, OBJECT))
    def get(self, request: Request, sample: str, label_set: str) -> Answer:
        """What was done to a label or to one of its objects, oldest first: before and after, and a sentence."""
        found = find_at(request, sample, label_set, "history", ids=[])
        named = request.query_params.get("object")
        key = uuid_of(named) if named else None
        if named and key is None:
            raise InvalidValue("object", "must be the uuid of an object")
        wanted = wanted_of(request, found.dataset, stream=found.state.stream)
        if wanted is not None:
            wanted = replace(wanted, beside=signature_stream(found.sample, found.label_set))
        return told(request, found.dataset, wanted, found.head, objects={str(key)} if key else None)


class SampleHistoryView(View):
    """The history of a sample."""

    @documented("sample_history", "history", REPLY, parameters=FILTERS)
    def get(self, request: Request, sample: str) -> Answer:
        """What was done to a sample and to its labels in all label sets, oldest first."""
        found = find_sample(sample_id(sample), person=self.person, deleted=at_of(request) is not None)
        access.require("history", role=found.role, public=found.public, dataset=found.dataset)
        at = asked_offset(request, dataset=found.dataset, role=found.role, public=found.public, head=found.head)
        if at is not None and not sample_at(found.dataset, found.sample.id, at).exists:
            raise NotFound("The sample")
        streams = [f"sample/{sample_id(sample)}", f"label/{sample_id(sample)}/", f"signature/{sample_id(sample)}/"]
        wanted = wanted_of(request, found.dataset, prefixes=streams)
        return told(request, found.dataset, wanted, found.head if at is None else at)


class DatasetHistoryView(View):
    """The history of a dataset."""

    @documented("dataset_history", "history", REPLY, parameters=FILTERS)
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """What was done in a dataset, oldest first: by a person, in a work session, to a category …"""
        found = self.dataset(owner, name, "history")
        past = self.past(found)
        return told(request, found.id, wanted_of(request, found.id), found.head if past is None else past.offset)


def wanted_of(
    request: Request, dataset: uuid.UUID, *, stream: str | None = None, prefixes: list[str] | None = None
) -> Wanted | None:
    """The filters; None where nothing can fit.

    Raises:
        InvalidValue: by its name.
    """
    said = request.query_params
    types = [item for item in said.get("type", "").split(",") if item]
    if set(types) - set(vocabulary.names()):
        raise InvalidValue("type", "must name event types, separated by commas")
    author = None
    if said.get("author"):
        author = person_named(said["author"])
        if author is None:
            return None
    ids: dict[str, uuid.UUID | None] = {}
    for key in ("work_session", "gesture"):
        ids[key] = uuid_of(said[key]) if said.get(key) else None
        if said.get(key) and ids[key] is None:
            raise InvalidValue(key, "must be a uuid")
    category = category_of(request)
    said_version = said.get("guideline") or None
    if said_version is not None and not (said_version.isascii() and said_version.isdigit() and len(said_version) < 10):
        raise InvalidValue("guideline", "must be the number of a version of the guideline")
    seen = None
    if said_version is not None:
        try:
            seen = span_of(guidelines_of(dataset), int(said_version))
        except NotFound:
            return None
    is_folded = stream is not None or bool(prefixes)  # there it is told by the states of the objects
    if category is not None and not is_folded:
        types = [name for name in types or OF_CATEGORIES if name in OF_CATEGORIES]
        if not types:
            return None
    return Wanted(
        stream=stream,
        prefixes=tuple(prefixes or ()),
        types=types,
        author=author,
        tool=said.get("tool") or None,
        work_session=ids["work_session"],
        gesture=ids["gesture"],
        numbers=()
        if category is None or is_folded
        else (("", "category_id", category), ("Categor", "id", category), ("Categor", "into", category)),
        listed=() if category is None or is_folded else (("LabelImported", "annotations", "category_id", category),),
        first=max(1, _place(request, dataset, "since", first=True) or 1),
        last=_place(request, dataset, "until"),
        seen=seen,
    )


def category_of(request: Request) -> int | None:
    text = request.query_params.get("category")
    if not text:
        return None
    if not text.removeprefix("-").isdigit() or not text.isascii() or len(text) > 17:
        raise InvalidValue("category", "must be the id of a category")
    return int(text)


def _place(request: Request, dataset: uuid.UUID, name: str, *, first: bool = False) -> int | None:
    text = request.query_params.get(name)
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    return offset_of(dataset, moment(text.replace(" ", "+") if "T" in text else text, name), first=first)


def told(
    request: Request, dataset: uuid.UUID, wanted: Wanted | None, head: int, *, objects: set[str] | None = None
) -> Answer:
    """The entries in the format that was asked for, up to the offset `head`."""
    form = request.query_params.get("format") or "json"
    if form not in FORMATS:
        raise InvalidValue("format", f"must be one of {', '.join(FORMATS)}")
    whole = form != "json" and not request.query_params.get("limit")
    limit = None if whole else number_of(request, "limit", 100, least=1, most=1000)
    after = number_of(request, "after", 0)
    found: Iterable[JSON] = ()
    if wanted is not None:
        events = search.find_all(dataset, wanted.up_to(head), after=after)
        stories: Iterator[Told] = Historian(dataset).told(events)
        category = category_of(request)
        if objects is not None or (category is not None and not wanted.numbers):
            stories = (item for item in stories if is_about(item, objects=objects, category=category))
        found = entries(dataset, islice(stories, limit))
    headers = {"Dataset-Offset": str(head)}
    if form == "json":
        return answer(list(found), headers=headers)
    lines = csv_lines(found) if form == "csv" else ndjson_lines(found)
    media = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}[form]
    return StreamingHttpResponse(
        lines, content_type=media, headers=headers | {"Content-Disposition": f'attachment; filename="history.{form}"'}
    )


COLUMNS = (
    "offset", "recorded_at", "occurred_at", "author", "author_kind", "on_behalf_of", "tool", "work_session", "gesture",
    "command", "event_id", "type", "stream", "version", "sample", "label_set", "sentence", "reason", "guideline",
    "changes",
)  # fmt: skip


def ndjson_lines(found: Iterable[JSON]) -> Iterator[bytes]:
    for entry in found:
        yield encoded(entry) + b"\n"


def csv_lines(found: Iterable[JSON]) -> Iterator[bytes]:
    """RFC 4180, a line an event; what a spreadsheet would take for a formula gets an apostrophe in front."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for entry in found:
        writer.writerow([_cell(entry[name]) for name in COLUMNS])
        if text.tell() > 1 << 16:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return encoded(value).decode()
    return str(cell(value.isoformat() if isinstance(value, dt.datetime) else str(value)))
