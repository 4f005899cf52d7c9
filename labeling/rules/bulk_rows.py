"""New samples and labels of a bulk, written out while they are at hand: the objects of labels, and all rows. Pure.

An import makes millions of samples and labels that nobody has seen yet. Of each the log takes what it holds as text,
the hash of the canonical text, and each row as COPY takes it; to fold it into a state and write that would fetch it
again and again. What comes of it is what `sample_state` and `label_state` give (the tests hold one against the other),
for what most imports bring: a sample whose only event is SampleAdded, a label whose only event is one LabelImported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any

import orjson

from labeling import events as e
from labeling.geometry import shapes
from labeling.geometry.shapes import Drawn
from labeling.log import copy_format
from labeling.log.copy_format import json_text, spelled_text
from labeling.log.event import Event
from labeling.log.rows import CopyRows, Rows
from labeling.log.written import Written, WrittenList, fragment, write_out_object
from labeling.rules.fold import place_of, spelled
from labeling.rules.label_ids import annotation_key_bytes, label_id_bytes
from labeling.rules.label_state import ROW_KEYS, STATUSES, LabelState, bucket_of

JSON = dict[str, Any]


class Objects(WrittenList):
    """The objects of a LabelImported (as AnnotationAdded), each with its geometry as it is written, and its origin
    where it says no more than these two.

    An object itself may have a `shapes.Drawn` for its geometry; `read_geometries` makes all of them plain.
    """

    __slots__ = ("pieces",)
    pieces: list[tuple[Drawn, bytes | None]]


def written_out(objects: list[JSON]) -> Objects:
    """Objects with their texts; a geometry that is `shapes.Drawn` is not written again.

    Raises:
        ValueError: as `values.canonical`.
    """
    found = Objects(objects)
    found.pieces, texts, canonical = [], [], []
    for item in objects:
        key, order, origin, geometry = item["annotation"], item["order"], item.get("origin"), item["geometry"]
        if type(geometry) is not Drawn:
            geometry = shapes.written_out(geometry)
        if len(item) != _PLAIN or origin is None or origin.keys() != {"row"} or not order.is_integer():
            one = write_out_object(item | {"geometry": geometry})
            texts.append(one.text)
            canonical.append(one.canonical)
            found.pieces.append((geometry, None))
            continue
        row = orjson.dumps(origin)
        category = "null" if item["category_id"] is None else item["category_id"]
        head = f'{{"annotation":"{key}","category_id":{category},"geometry":'.encode()
        place = b',"id":%d,"order":%d' % (item["id"], order)
        texts.append(b'%b%b%b.0,"origin":%b}' % (head, geometry.text, place, row))
        canonical.append(b'%b%b%b,"origin":%b}' % (head, geometry.canonical, place, row))
        found.pieces.append((geometry, row))
    found.written = Written(b"[%b]" % b",".join(texts), b"[%b]" % b",".join(canonical))
    return found


#: How much an object says of which is known what it is, where in the file it was, and its shape.
_PLAIN = 6


def read_geometries(event: Event) -> None:
    """Make the objects of an event plain, for a fold."""
    fact = event.fact
    if isinstance(fact, e.LabelImported) and isinstance(fact.annotations, Objects):
        for item in fact.annotations:
            if type(item["geometry"]) is Drawn:
                item["geometry"] = item["geometry"].read()


def takes_sample(events: Sequence[Event]) -> bool:
    """Whether `add_sample` takes the events of a sample."""
    return len(events) == 1 and isinstance(events[0].fact, e.SampleAdded)


def add_sample(rows: Rows, event: Event) -> None:
    """Add the row that the first event of a sample makes."""
    fact, place = event.fact, place_of(event)
    assert isinstance(fact, e.SampleAdded)
    attributes, metadata = json_text(orjson.dumps(fact.attributes)), json_text(orjson.dumps(fact.metadata))
    line = (
        f"{fact.sample}\t{spelled(event.log)}\t{place.offset}\t{place.version}\t{spelled_text(fact.name)}"
        f"\t{attributes.decode()}\t{metadata.decode()}\t{fact.priority}\t{spelled_text(fact.readme)}\t{_cell(fact.assigned_labeler)}"
        f"\t{_cell(fact.assigned_reviewer)}\tf\t{spelled(place.author)}\t{place.at}\t{place.at}\t{place.offset}\n"
    )
    _rows(rows, "labeling_sample", _SAMPLE).append(line.encode())


_SAMPLE = (
    "id", "dataset_id", "last_offset", "version", "name", "attributes", "metadata", "priority", "readme",
    "assigned_labeler", "assigned_reviewer", "archived", "created_by", "created_at", "updated_at", "created_offset",
)  # fmt: skip


def takes_label(state: LabelState, events: Sequence[Event]) -> bool:
    """Whether `add_label` takes the events of a label."""
    fact = events[0].fact
    is_first = not state.version and len(events) == 1
    return is_first and isinstance(fact, e.LabelImported) and isinstance(fact.annotations, Objects)


def add_label(rows: Rows, event: Event, *, last: int | None = None) -> None:
    """Add the rows that the first event of a label makes: its own, and those of its objects; the latter as rows of an
    append that ends at `last`, where that is given."""
    fact, place = event.fact, place_of(event)
    assert isinstance(fact, e.LabelImported) and isinstance(fact.annotations, Objects)
    objects = fact.annotations
    label, by, at, offset = label_id_bytes(event.stream), spelled(place.author), place.at, place.offset
    _, sample, label_set = event.stream.split("/")
    mask = "\\N" if fact.mask is None else json_text(orjson.dumps(fact.mask)).decode()
    status = STATUSES[0] if fact.status is None else fact.status
    line = (
        f"{label.hex()}\t{spelled(event.log)}\t{offset}\t{sample}\t{label_set}\t{place.version}\t{spelled_text(status)}"
        f"\t{_cell(fact.score)}\t{json_text(orjson.dumps(fact.scene)).decode()}\t[]\t\\N\t{mask}\t\\N"
        f"\t{max([0, *[item['id'] for item in objects]])}\t{max([0.0, *[item['order'] for item in objects]])}"
        f"\tf\t{by}\t{at}\t{by}\t{at}\t\\N\t\\N\t{bucket_of(offset)}\n"
    )
    _rows(rows, "labeling_label", _LABEL).append(line.encode())
    if objects:
        common = (event.log.bytes, label), (offset if last is None else last + offset, place.version)
        found = _of_objects(objects, fact.origin, label, common, by)
        _rows(rows, "labeling_annotation", _ANNOTATION, last=last, binary=True).extend(found)


_LABEL = (
    "id", "dataset_id", "last_offset", "sample_id", "label_set_id", "version", "status", "score", "scene",
    "classifications", "default_classification", "mask", "document", "last_id", "last_order", "deleted", "created_by",
    "created_at", "updated_by", "updated_at", "reviewed_by", "reviewed_at", "last_bucket",
)  # fmt: skip
_ANNOTATION = (
    "key", "uuid", "dataset_id", "label_id", "last_offset", "version", "id", "order", "category_id", "type", "data",
)  # fmt: skip
#: What of an AnnotationAdded has a column of its own.
_NOT_DATA = (ROW_KEYS - {"uuid"}) | {"annotation"}


def _of_objects(
    objects: Objects, shared: JSON, label: bytes, common: tuple[tuple[bytes, ...], tuple[int, ...]], by: str
) -> Iterator[bytes]:
    """The binary rows of a label's objects; `shared` is what their origins have in common, `common` their cells that
    follow the uuid."""
    head = b'{"by":"%b","geometry":' % by.encode()
    tail = b',"origin":' + (orjson.dumps(shared)[:-1] + b"," if shared else b"{")
    before = b"".join((*map(copy_format.cell, common[0]), *map(copy_format.bigint, common[1])))
    for item, (geometry, origin) in zip(objects, objects.pieces, strict=True):
        key = item["annotation"]
        if origin is not None:
            data = b"%b%b%b%b}" % (head, geometry.text, tail, origin[1:])
        else:
            said = {name: value for name, value in item.items() if name not in _NOT_DATA and value is not None}
            if shared:
                said["origin"] = {**shared, **(item.get("origin") or {})}
            data = orjson.dumps(said | {"by": by, "geometry": geometry}, default=fragment)
        ids = _IDS.pack(len(_ANNOTATION), 16, annotation_key_bytes(label, key), 16, bytes.fromhex(key.replace("-", "")))
        numbers = _NUMBERS.pack(8, item["id"], 8, item["order"])
        kind = _kind(item["category_id"], geometry.form)
        yield b"".join((ids, before, numbers, kind, copy_format.json_head(data), data))


#: How many cells there are, and two uuids; a bigint and a double.
_IDS = Struct(">hi16si16s")
_NUMBERS = Struct(">iqid")


@lru_cache(maxsize=4096)
def _kind(category: int | None, form: str) -> bytes:
    """The cells of category and type."""
    return (copy_format.NULL if category is None else copy_format.bigint(category)) + copy_format.cell(form.encode())


def _rows(
    rows: Rows, table: str, columns: tuple[str, ...], *, last: int | None = None, binary: bool = False
) -> list[bytes]:
    found = rows.written.get(table)
    if found is None:
        found = rows.written[table] = CopyRows(columns, last=last, binary=binary)
    return found.rows


def _cell(value: Any) -> Any:
    """A number, or an id, or null."""
    return "\\N" if value is None else value
