"""Records become pieces by the file alone; pieces become chunks of any size, and each is in one of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from releases.formats.records import Annotation, Sample
from releases.imports import cutting
from releases.imports.cutting import Chunk, Line, pieces

JSON = dict[str, Any]
BOX: JSON = {"type": "bbox", "points": [[0, 0], [1, 1]]}


def record(name: str, count: int, geometry: JSON = BOX, **said: Any) -> Sample:
    return Sample(name=name, annotations=[Annotation(n, 1, geometry, **said) for n in range(1, count + 1)])


def polygon(vertices: int) -> JSON:
    return {"type": "polygon", "parts": [[[[n, n] for n in range(vertices)]]]}


def test_no_records_are_no_pieces_and_no_chunks() -> None:
    assert list(pieces([])) == []
    assert Line(iter([])).first() is None


def test_a_label_comes_whole_up_to_what_one_event_may_hold() -> None:
    [piece] = pieces([record("a.png", 2_000)])
    assert (piece.record, piece.first, piece.is_last) == (piece.whole, 1, True)
    assert piece.weight == cutting.OF_SAMPLE + 2_000
    first, second = pieces([record("a.png", 4_000)])
    assert (first.first, first.is_last, first.whole) == (1, False, second.whole)
    assert second.first == len(first.record.annotations) + 1 and second.is_last
    assert [*first.record.annotations, *second.record.annotations] == first.whole.annotations
    assert max(first.weight, second.weight) <= cutting.MOST_OF_LABEL


def test_what_is_long_weighs_more() -> None:
    def weight(geometry: JSON, **said: Any) -> int:
        return next(pieces([record("a.png", 1, geometry, **said)])).weight - cutting.OF_SAMPLE

    assert weight(BOX) == weight(polygon(12)) == 1
    assert weight(polygon(640)) == 21
    assert weight(BOX, attributes={"note": "a" * 51_200}) == 101
    assert weight({"type": "bitmap", "rle": {"size": [9, 9], "counts": "1" * 5_120}}) == 11
    assert next(pieces([Sample(name="a", document={"text": "a" * 51_200})])).weight > 100


@given(st.lists(st.integers(0, 40), max_size=20), st.lists(st.integers(1, 30), min_size=1), st.data())
def test_every_object_is_in_one_chunk_however_large_chunks_are(
    sizes: list[int], weights: list[int], data: st.DataObject
) -> None:
    records = [record(f"{nth}.png", count) for nth, count in enumerate(sizes)]
    found = list(pieces(records))
    line, chunks = Line(iter(found)), list[Chunk]()
    while line.first() is not None:
        weight = weights[len(chunks) % len(weights)]
        chunk = line.chunk(weight)
        assert chunk.weight <= weight or len(chunk.pieces) == 1
        assert all(piece.first == 1 for piece in chunk.pieces[1:]), "a label is not begun and gone on with at once"
        chunks.append(chunk)
    assert [piece for chunk in chunks for piece in chunk.pieces] == found
    assert [chunk.until for chunk in chunks[:-1]] == [chunk.first for chunk in chunks[1:]]
    there = {(piece.number, item.id) for piece in found for item in piece.record.annotations}
    assert len(there) == sum(sizes) == sum(len(piece.record.annotations) for piece in found)
    # Who comes later and is told where a chunk ended goes on there.
    if chunks:
        nth = data.draw(st.integers(0, len(chunks) - 1))
        again = Line(iter(found))
        assert again.before(chunks[nth].until) == [piece for chunk in chunks[: nth + 1] for piece in chunk.pieces]
        after = again.first()
        assert (after.nth if after else len(found)) == chunks[nth].until


def test_a_chunk_has_no_more_samples_than_one_query_looks_for() -> None:
    line = Line(pieces([record(f"{nth}.png", 0) for nth in range(1_200)]))
    counts = []
    while line.first() is not None:
        counts.append(len(line.chunk(10_000).pieces))
    assert counts == [500, 500, 200]


def test_chunks_are_apart_unless_one_may_find_what_the_other_makes() -> None:
    def chunk(*records: Sample) -> Chunk:
        return Chunk(list(pieces(records)))

    one = chunk(record("a.png", 1), record("b.png", 1))
    assert chunk(record("c.png", 1)).is_apart_from(one)
    assert not chunk(record("c.png", 1), record("b", 1)).is_apart_from(one)
    assert not chunk(record("a.jpg", 1)).is_apart_from(one)
    begun, going_on = pieces([record("x.png", 4_000)])
    assert not Chunk([going_on]).is_apart_from(one)
    assert Chunk([begun]).is_apart_from(one)
