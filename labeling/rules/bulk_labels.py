"""New labels of a bulk: their objects are written out while they are at hand, for the event and for the rows. Pure.

An import makes millions of labels that nobody has seen yet. Of each the log takes its objects as text, the hash of
their canonical text, and a line for each row; to fold them into a state and write that would fetch them again and
again. What comes of it is what `label_state` gives (the tests hold one against the other), for what most imports bring:
a label whose only event is one LabelImported.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from labeling import events as e
from labeling.geometry import shapes
from labeling.log.event import Event
from labeling.log.rows import Lines, Rows, json_cell
from labeling.log.values import Written, WrittenList, write_out
from labeling.rules import label_state
from labeling.rules.fold import place_of, spelled
from labeling.rules.label_state import ROW_KEYS, LabelState, annotation_key

JSON = dict[str, Any]

_COLUMNS = (
    "key", "uuid", "dataset_id", "last_offset", "label_id", "id", "category_id", "type", "order", "version", "data",
)  # fmt: skip


class Objects(WrittenList):
    """The objects of a LabelImported (as AnnotationAdded), each with what was written of its geometry, and of its
    origin where it says no more than these two."""

    __slots__ = ("pieces",)
    pieces: list[tuple[bytes, bytes | None]]


def written_out(objects: list[JSON], known: Mapping[str, Written]) -> Objects:
    """Objects with their texts; `known` has geometries, by annotation, that were written before.

    Raises:
        ValueError: as `values.canonical`.
    """
    found = Objects(objects)
    found.pieces, texts, canonical = [], [], []
    for item in objects:
        key, order, origin = item["annotation"], item["order"], item.get("origin")
        geometry = known.get(key) or shapes.written_out(item["geometry"])
        if len(item) != _PLAIN or origin is None or origin.keys() != {"row"} or not order.is_integer():
            one = write_out(item)
            texts.append(one.text)
            canonical.append(one.canonical)
            found.pieces.append((geometry.text, None))
            continue
        row = orjson.dumps(origin)
        category = "null" if item["category_id"] is None else item["category_id"]
        head = f'{{"annotation":"{key}","category_id":{category},"geometry":'.encode()
        place = b',"id":%d,"order":%d' % (item["id"], order)
        texts.append(b'%b%b%b.0,"origin":%b}' % (head, geometry.text, place, row))
        canonical.append(b'%b%b%b,"origin":%b}' % (head, geometry.canonical, place, row))
        found.pieces.append((geometry.text, row))
    found.written = Written(b"[%b]" % b",".join(texts), b"[%b]" % b",".join(canonical))
    return found


#: How much an object says of which is known what it is, where in the file it was, and its shape.
_PLAIN = 6


def are_lines(state: LabelState, events: Sequence[Event]) -> bool:
    """Whether `lines` takes the events of a label."""
    fact = events[0].fact
    is_first = not state.version and len(events) == 1
    return is_first and isinstance(fact, e.LabelImported) and isinstance(fact.annotations, Objects)


def lines(state: LabelState, event: Event) -> Rows:
    """The rows that the first event of a label makes, those of its objects written out."""
    fact, place = event.fact, place_of(event)
    assert isinstance(fact, e.LabelImported) and isinstance(fact.annotations, Objects)
    objects = fact.annotations
    label_state.evolve(state, msgspec.structs.replace(fact, annotations=[]), place)
    state.last_id = max([state.last_id, *[item["id"] for item in objects]])
    state.last_order = max([state.last_order, *[item["order"] for item in objects]])
    found = Rows(put={"labeling_label": [label_state.rows(state)]})
    if objects:
        found.written["labeling_annotation"] = Lines(_COLUMNS, _lines(state, objects, fact.origin, place.author))
    return found


def _lines(state: LabelState, objects: Objects, common: JSON, author: uuid.UUID) -> list[bytes]:
    """What `label_state.annotation_row` gives of each, as COPY takes it."""
    label, by = state.id, spelled(author)
    prefix, version = label.bytes, state.version
    place = f"{state.dataset}\t{state.last_offset}\t{label}"
    head = b'{"by":"%b","geometry":' % by.encode()
    shared = b',"origin":' + (orjson.dumps(common)[:-1] + b"," if common else b"{")
    found = []
    for item, (geometry, origin) in zip(objects, objects.pieces, strict=True):
        key = item["annotation"]
        category = "\\N" if item["category_id"] is None else item["category_id"]
        if origin is not None:
            data = b"%b%b%b%b}" % (head, geometry, shared, origin[1:])
        else:
            said = {name: value for name, value in item.items() if name not in _NOT_DATA and value is not None}
            if common:
                said["origin"] = {**common, **(item.get("origin") or {})}
            data = orjson.dumps(said | {"by": by})
        row = (
            f"{annotation_key(prefix, key)}\t{key}\t{place}\t{item['id']}\t{category}"
            f"\t{item['geometry']['type']}\t{item['order']}\t{version}\t"
        )
        found.append(b"%b%b\n" % (row.encode(), json_cell(data)))
    return found


#: What of an AnnotationAdded has a column of its own.
_NOT_DATA = (ROW_KEYS - {"uuid"}) | {"annotation"}
