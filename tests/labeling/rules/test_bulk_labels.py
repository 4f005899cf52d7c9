"""What is written out of the new labels of a bulk is what folding their events, and writing that, gives."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st

from labeling import events as e
from labeling.geometry import shapes
from labeling.log import store, values
from labeling.log.event import Event, Intent
from labeling.log.rows import Rows
from labeling.rules import bulk_labels, label_state
from labeling.rules.fold import place_of
from labeling.rules.label_state import LabelState, label_stream

JSON = dict[str, Any]
DATASET = uuid.UUID(int=1)
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


def rows_of_lines(rows: Rows) -> list[JSON]:
    """The rows that COPY takes from lines."""
    found = rows.written.get("labeling_annotation")
    if found is None:
        return []
    read = []
    for line in found.lines:
        assert line.endswith(b"\n") and b"\n" not in line[:-1]
        cells = line[:-1].decode().split("\t")
        row: JSON = {name: None if cell == "\\N" else cell for name, cell in zip(found.columns, cells, strict=True)}
        row["data"] = orjson.loads(row["data"].replace("\\\\", "\\"))
        read.append(row)
    return read


def as_text(row: JSON) -> JSON:
    return {
        name: value if value is None or name == "data" else str(value)
        for name, value in row.items()
    }  # fmt: skip


@given(objects=objects_of_labels(), origin=st.just({}) | some_json, status=st.none() | st.just("LABELED"))
def test_the_event_and_the_rows_are_those_of_the_fold(objects, origin, status):
    plain = event_of(objects, origin=origin, status=status)
    bulk = event_of(bulk_labels.written_out(objects, {}), origin=origin, status=status)
    text, digest = values.written(bulk.data)
    assert digest == values.digest(plain.data) and values.same(orjson.loads(text), plain.data)
    state = LabelState(DATASET, STREAM)
    assert bulk_labels.are_lines(state, [bulk])
    rows = bulk_labels.lines(state, bulk)
    folded = LabelState(DATASET, STREAM)
    label_state.evolve(folded, msgspec.structs.replace(plain.fact), place_of(plain))
    expected = label_state.difference(LabelState(DATASET, STREAM), folded)
    assert rows.put == {"labeling_label": expected.put["labeling_label"]} and rows.out == {}
    found = rows_of_lines(rows)
    assert found == [as_text(row) for row in expected.put.get("labeling_annotation", [])]
    assert rows.count() == 1 + len(objects)


@given(objects=objects_of_labels())
def test_geometries_that_were_written_before_are_taken(objects):
    known = {item["annotation"]: shapes.written_out(item["geometry"]) for item in objects}
    assert bulk_labels.written_out(objects, known).written == bulk_labels.written_out(objects, {}).written


def test_what_is_no_first_and_only_import_is_left_to_the_fold():
    new, one = LabelState(DATASET, STREAM), event_of(bulk_labels.written_out([], {}))
    assert bulk_labels.are_lines(new, [one])
    assert not bulk_labels.are_lines(new, [one, one])
    assert not bulk_labels.are_lines(new, [event_of([])])
    assert not bulk_labels.are_lines(LabelState(DATASET, STREAM, version=1), [one])
