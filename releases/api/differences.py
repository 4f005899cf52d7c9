"""The difference between two places in a dataset's log: releases, offsets, times, events."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.http import StreamingHttpResponse
from rest_framework.request import Request

from labeling.api.answers import answer, encoded
from labeling.api.cells import cell
from labeling.api.contract import Reply, documented
from labeling.api.requests import number_of, place_of
from labeling.api.schemas.parameters import DATASET_OFFSET, LIMIT, query
from labeling.api.views import Answer, View
from labeling.errors import InvalidValue
from labeling.log import store
from labeling.models import LabelSet, Sample
from labeling.queries.labels import names_of
from labeling.queries.places import as_offset
from releases import differences
from releases.api.schemas import DIFFERENCE

JSON = dict[str, Any]

FORMATS = ("json", "csv", "ndjson")
COLUMNS = (
    "sample", "sample_name", "label_set_name", "what", "id", "change", "field", "before", "after", "iou",
    "area_before_px", "area_after_px", "events", "people",
)  # fmt: skip


class DifferenceView(View):
    """What differs between two places in the log of a dataset."""

    @documented(
        "dataset_diff",
        "history",
        {200: Reply(DIFFERENCE, (DATASET_OFFSET,), media=("application/json", "text/csv", "application/x-ndjson"))},
        parameters=(
            query("from", "A release's name, an offset, a time, or an event's id: what is compared.", example="v1"),
            query("to", "The same, not before it; the newest event unless said.", example="v2"),
            query("after", "The `next` of the page before."),
            LIMIT,
            query("format", "`json` (a page), or all of it as `csv` or `ndjson`.", example="json"),
        ),
    )
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """What differs, label by label: objects added, removed and changed, with both values, the overlap of changed
        outlines, and the events and people behind it. What was done and taken back is no difference."""
        found = self.dataset(owner, name, "history")
        head = store.head(found.id)
        first = self._offset(request, found.id, "from", head)
        if first is None:
            raise InvalidValue("from", "is required: a release's name, an offset, a time, or an event's id")
        last = self._offset(request, found.id, "to", head)
        last = head if last is None else last
        if last < first:
            raise InvalidValue("to", f"must not be before `from`, which is offset {first}")
        form = request.query_params.get("format") or "json"
        if form not in FORMATS:
            raise InvalidValue("format", f"must be one of {', '.join(FORMATS)}")
        headers = {"Dataset-Offset": str(last)}
        entries = differences.entries(found.id, first, last, after=request.query_params.get("after", ""))
        if form != "json":
            lines = _csv(entries) if form == "csv" else (encoded(entry) + b"\n" for entry in _named(entries))
            media = "text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson"
            headers["Content-Disposition"] = f'attachment; filename="{name}-{first}-{last}.{form}"'
            return StreamingHttpResponse(lines, content_type=media, headers=headers)
        limit = number_of(request, "limit", 100, least=1, most=1000)
        page = list(islice(_named(entries), limit + 1))
        return answer(
            {
                "from": first,
                "to": last,
                "entries": page[:limit],
                "totals": differences.totals(page[:limit]),
                "next": page[limit - 1]["stream"] if len(page) > limit else None,
            },
            headers=headers,
        )

    def _offset(self, request: Request, dataset: uuid.UUID, name: str, head: int) -> int | None:
        said = place_of(request, name)
        if said is None:
            return None
        try:
            return as_offset(dataset, said, head)
        except InvalidValue as error:
            raise InvalidValue(name, error.problem) from error


def _named(entries: Iterable[JSON]) -> Iterator[JSON]:
    """With the names of today of samples, label sets and people, looked up a hundred at a time."""
    found = iter(entries)
    while batch := list(islice(found, 100)):
        samples = dict(Sample.objects.filter(id__in=_ids(batch, "sample")).values_list("id", "name"))
        label_sets = dict(LabelSet.objects.filter(id__in=_ids(batch, "label_set")).values_list("id", "name"))
        people = names_of({uuid.UUID(person) for entry in batch for person in entry["authors"]})
        for entry in batch:
            yield entry | {
                "sample_name": samples.get(uuid.UUID(entry["sample"])) if entry["sample"] else None,
                "label_set_name": label_sets.get(uuid.UUID(entry["label_set"])) if entry["label_set"] else None,
                "people": [people.get(uuid.UUID(person), person) for person in entry["authors"]],
            }


def _ids(batch: list[JSON], key: str) -> set[uuid.UUID]:
    return {uuid.UUID(entry[key]) for entry in batch if entry[key]}


def _csv(entries: Iterable[JSON]) -> Iterator[bytes]:
    """A line for each field that differs, and for each object that came or went; by RFC 4180."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for entry in _named(entries):
        for change in entry["changes"]:
            for row in _rows(entry, change):
                writer.writerow([_cell(row.get(name)) for name in COLUMNS])
        if text.tell() > 1 << 16:
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    found = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return found


def _rows(entry: JSON, change: JSON) -> Iterator[JSON]:
    row = {
        **{name: entry[name] for name in ("sample", "sample_name", "label_set_name")},
        **{name: change[name] for name in ("what", "id", "change")},
        **change.get("geometry", {}),
        "events": " ".join(map(str, entry["events"])),
        "people": " ".join(entry["people"]),
    }
    before, after = change["before"] or {}, change["after"] or {}
    if change["change"] != "changed":
        yield row | {"before": change["before"], "after": change["after"]}
        return
    for name in sorted(before.keys() | after.keys()):
        yield row | {"field": name, "before": before.get(name), "after": after.get(name)}


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list | bool):
        value = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return cell(value)
