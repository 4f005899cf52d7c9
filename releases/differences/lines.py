"""A difference as text for other programs: comma-separated values, or a JSON object a line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from labeling.api.answers import encoded
from labeling.api.cells import cell

JSON = dict[str, Any]

COLUMNS = (
    "sample", "sample_name", "label_set_name", "what", "id", "category_id", "change", "kinds", "field", "before",
    "after", "iou", "area_before_px", "area_after_px", "words", "events", "people",
)  # fmt: skip


def as_ndjson(entries: Iterable[JSON]) -> Iterator[bytes]:
    """An entry a line."""
    return (encoded(entry) + b"\n" for entry in entries)


def as_csv(entries: Iterable[JSON]) -> Iterator[bytes]:
    """A line for each field that differs, and for each object that came or went; by RFC 4180."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for entry in entries:
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
        **{name: change[name] for name in ("what", "id", "category_id", "change", "words")},
        **change.get("geometry", {}),
        "kinds": " ".join(change["kinds"]),
        "events": " ".join(map(str, change["events"])),
        "people": " ".join(change["people"]),
    }
    before, after = change["before"] or {}, change["after"] or {}
    if change["change"] != "changed" or not {*before, *after}:
        yield row | {"before": change["before"], "after": change["after"]}
        return
    for name in sorted(before.keys() | after.keys()):
        yield row | {"field": name, "before": before.get(name), "after": after.get(name)}


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list | bool):
        value = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return cell(value)
