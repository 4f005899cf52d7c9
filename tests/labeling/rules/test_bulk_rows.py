"""What is written out of the new samples and labels of a bulk is what folding their events, and writing that, gives."""

from __future__ import annotations

import re
import struct
import uuid
from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from labeling import events as e
from labeling.geometry import shapes
from labeling.log import store, values, written
from labeling.log.event import Event, Intent
from labeling.log.rows import Rows
from labeling.rules import bulk_rows, label_state, sample_state
from labeling.rules.fold import place_of
from labeling.rules.label_ids import label_stream
from labeling.rules.label_state import LabelState

JSON = dict[str, Any]
DATASET = uuid.UUID(int=1)
#: Columns that hold JSON.
JSONS = {"data", "scene", "classifications", "mask", "document", "attributes", "metadata"}
STREAM = label_stream(uuid.UUID(int=2), uuid.UUID(int=3))

numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e18, 1e18).filter(lambda number: number != 0)
points = st.lists(st.tuples(numbers, numbers).map(list), min_size=1, max_size=3)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
some_json = st.dictionaries(texts, st.none() | texts | numbers | st.booleans(), max_size=3)
geometries = st.one_of(
    st.builds(lambda ring: {"type": "polygon", "parts": [[ring]]}, points),
    st.builds(lambda found: {"type": "point", "points": found}, points),
    st.builds(lambda ring, more: {"type": "polygon", "parts": [[ring]], "more": more}, points, texts),
)
origins = st.builds(lambda row, more: more | {"row": row}, texts, st.just({}) | some_json)


def added(number: int, geometry: JSON, origin: JSON | None, category: int | None, order: float, more: JSON) -> JSON:
    found = {
        "annotation": str(uuid.UUID(int=100 + number)),
        "category_id": category,
        "geometry": geometry,
        "id": number,
        "order": order,
    }
    return found | ({} if origin is None else {"origin": origin}) | more


@st.composite
def objects_of_labels(draw: st.DrawFn) -> list[JSON]:
    more = st.fixed_dictionaries({}, optional={"attributes": some_json, "score": st.floats(0, 1), "extra": some_json})
    return [
        added(
            draw(st.integers(1, 2**31)) * 4 + nth,
            draw(geometries),
            draw(st.none() | origins),
            draw(st.none() | st.integers(0, 9)),
            draw(st.integers(-9, 9).map(float) | st.floats(-1e6, 1e6)),
            draw(st.just({}) | more),
        )
        for nth in range(draw(st.integers(0, 4)))
    ]


def event_of(objects: list[JSON], **head: Any) -> Event:
    intent = Intent(author=uuid.UUID(int=7), author_kind="import")
    fact = e.LabelImported(annotations=objects, **head)
    return store.new_events(DATASET, intent, [(STREAM, 0, fact)])[0]


def of_written(rows: Rows) -> dict[str, list[JSON]]:
    """{table: its rows} as COPY takes them: texts, but for columns that hold JSON."""
    read: dict[str, list[JSON]] = {}
    for table, found in rows.written.items():
        for one in found.rows:
            cells = _binary(one, found.columns) if found.binary else _line(one)
            row: JSON = dict(zip(found.columns, cells, strict=True))
            if table == "labeling_label":  # without hyphens, which COPY takes as well
                row["id"] = str(uuid.UUID(row["id"]))
            read.setdefault(table, []).append(
                {name: orjson.loads(cell) if name in JSONS and cell else cell for name, cell in row.items()}
            )
    return read


def _line(line: bytes) -> list[str | None]:
    assert line.endswith(b"\n") and b"\n" not in line[:-1]
    return [None if cell == "\\N" else _unescaped(cell) for cell in line[:-1].decode().split("\t")]


def _binary(row: bytes, columns: tuple[str, ...]) -> list[str | None]:
    (count,), at = struct.unpack_from(">h", row), 2
    assert count == len(columns)
    cells: list[str | None] = []
    for name in columns:
        (length,) = struct.unpack_from(">i", row, at)
        cell = row[at + 4 : at + 4 + length]
        at += 4 + max(length, 0)
        cells.append(None if length < 0 else _READ.get(name, _whole)(cell))
    assert at == len(row)
    return cells


def _id(cell: bytes) -> str:
    return str(uuid.UUID(bytes=cell))


def _whole(cell: bytes) -> str:
    return str(*struct.unpack(">q", cell))


#: How the binary cell of a column is read that is no bigint.
_READ: dict[str, Callable[[bytes], str]] = {
    **dict.fromkeys(("key", "uuid", "dataset_id", "label_id"), _id),
    "order": lambda cell: str(*struct.unpack(">d", cell)),
    "type": bytes.decode,
    "data": lambda cell: cell.removeprefix(b"\x01").decode(),
}


def _unescaped(cell: str) -> str:
    return re.sub(r"\\(.)", lambda match: {"t": "\t", "n": "\n", "r": "\r"}.get(match[1], match[1]), cell)


def of_fold(rows: Rows) -> dict[str, list[JSON]]:
    """The same of rows as they are put."""
    return {
        table: [
            {
                name: value if value is None or name in JSONS else str(value).replace("False", "f")
                for name, value in row.items()
            }
            for row in put
        ]
        for table, put in rows.put.items()
    }


@given(objects=objects_of_labels(), origin=st.just({}) | some_json, status=st.none() | st.just("LABELED"))
def test_the_event_and_the_rows_are_those_of_the_fold(objects, origin, status):
    plain = event_of(objects, origin=origin, status=status)
    bulk = event_of(bulk_rows.written_out(objects), origin=origin, status=status)
    text, digest = written.text_and_digest(bulk.data)
    assert digest == values.digest(plain.data) and values.same(orjson.loads(text), plain.data)
    new, folded, rows = LabelState(DATASET, STREAM), LabelState(DATASET, STREAM), Rows()
    assert bulk_rows.takes_label(new, [bulk])
    bulk_rows.add_label(rows, bulk)
    label_state.evolve(folded, plain.fact, place_of(plain))
    assert of_written(rows) == of_fold(label_state.difference(new, folded))
    assert rows.count() == 1 + len(objects) and not rows.put


@given(objects=objects_of_labels(), last=st.integers(10, 2**40))
def test_of_an_append_that_ends_at_some_offset_the_objects_say_it(objects, last):
    event = event_of(bulk_rows.written_out(objects))
    waiting, placed = Rows(), Rows()
    bulk_rows.add_label(waiting, event)
    bulk_rows.add_label(placed, event, last=last)
    assert waiting.waiting() == waiting.written and placed.placed().keys() == (
        {"labeling_annotation"} if objects else set()
    )
    expected = of_written(waiting)
    for row in expected.get("labeling_annotation", []):
        assert row["last_offset"] == "0"
        row["last_offset"] = str(last)
    assert of_written(placed) == expected


@given(objects=objects_of_labels())
def test_geometries_that_were_written_before_are_taken(objects):
    drawn = [item | {"geometry": shapes.written_out(item["geometry"])} for item in objects]
    taken, plain = bulk_rows.written_out(drawn), bulk_rows.written_out(objects)
    assert (taken.written, taken.pieces) == (plain.written, plain.pieces)
    bulk_rows.read_geometries(event_of(taken))
    assert values.same(list(taken), list(plain))


def test_what_is_no_first_and_only_import_is_left_to_the_fold():
    new, one = LabelState(DATASET, STREAM), event_of(bulk_rows.written_out([]))
    assert bulk_rows.takes_label(new, [one])
    assert not bulk_rows.takes_label(new, [one, one])
    assert not bulk_rows.takes_label(new, [event_of([])])
    assert not bulk_rows.takes_label(LabelState(DATASET, STREAM, version=1), [one])


tricky = st.text(st.sampled_from('a\\\t\n\rN"é'), min_size=1, max_size=5)


@given(
    name=tricky,
    attributes=some_json,
    more=st.fixed_dictionaries(
        {},
        optional={
            "metadata": some_json,
            "priority": st.integers(-5, 5) | st.floats(-9, 9),
            "readme": tricky,
            "assigned_labeler": st.just(str(uuid.UUID(int=9))),
            "assigned_reviewer": st.none() | st.just(str(uuid.UUID(int=8))),
        },
    ),
)
def test_the_row_of_a_sample_is_that_of_the_fold(name, attributes, more):
    key = str(uuid.UUID(int=2))
    fact = e.SampleAdded(sample=key, name=name, attributes=attributes, **more)
    intent = Intent(author=uuid.UUID(int=7), author_kind="import")
    stream = sample_state.sample_stream(key)
    event = store.new_events(DATASET, intent, [(stream, 0, fact)])[0]
    rows = Rows()
    assert bulk_rows.takes_sample([event]) and not bulk_rows.takes_sample([event, event])
    bulk_rows.add_sample(rows, event)
    state = sample_state.fold(sample_state.SampleState(DATASET, stream), [event])
    assert of_written(rows) == of_fold(sample_state.rows(state))
