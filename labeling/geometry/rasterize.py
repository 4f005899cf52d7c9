"""Which pixels an outline covers: the one definition that everything here uses.

**The definition.** Coordinates are rounded to 1/256 px (halves to the even neighbour). A pixel is set where its centre
(c + 1/2, r + 1/2) is inside. Inside one part, that is by the even-odd rule over all its rings, so a hole is a ring like
any other, and where a ring crosses itself the doubly covered area is out. An object is the union of its parts. A
centre exactly on an edge counts as if it lay a little to the right and, by far less, below: a centre on a left or upper
edge is in, on a right or lower edge out. So a box from 10 to 20 has 10 columns, outlines that share an edge never share
a pixel nor leave one out, and outlines that are narrower than a pixel may hold no centre and then have no pixel.

All of it is int64 arithmetic without rounding after the first, and the same whether lines are swept by rows or columns.

- Nothing in (no object, part, ring or vertex), an outline without area, one outside of the image: no pixels.
- Rings are closed by themselves; one that repeats its first vertex at the end is the same ring.
- A coordinate beyond 2**21 px is taken to be 2**21 px, each axis for itself.
- NaN and infinity are refused.
- Images have up to 65,535 rows and columns. Work and memory follow from the vertices and from the lines that the
  outlines cover, never from the image (but for functions that return a map of it); at most 2**20 crossings, or one line
  of one part, are sorted at a time. Outlines that cross more than 2**28 lines are refused.

The definition is that of scan conversion in Foley et al., "Computer Graphics", §3.5, with its rule for shared edges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeling.geometry.bitmaps import Mask

Numbers = NDArray[np.int64]
#: Vertices [x, y]: an array (N, 2) or a list of pairs.
Ring = Any
Part = Sequence[Ring]

MAX_SIDE = 65535
MAX_COORDINATE = 2.0**21
MAX_CROSSINGS = 1 << 28
GRID = 256
_HALF = GRID // 2
_PIECE = 1 << 16  # crossings and lines that fit the processor's cache
_BAND = 1 << 20
_TRUE = np.ones(1, dtype=bool)


class BadOutline(ValueError):
    """An outline that cannot be drawn; the text is a sentence that repeats nothing of the input."""


class Spans(NamedTuple):
    """Runs of set pixels, by object, then part, then line; no run is empty, runs of different parts may overlap.

    `owner` is the number of the object (S,). `start` and `stop` (S,) are places in the image, half-open, counted along
    the rows (row * width + column) or, of a sweep by columns, along the columns (column * height + row).
    """

    owner: Numbers
    start: Numbers
    stop: Numbers


@dataclass(frozen=True, slots=True)
class Outlines:
    """Objects as edges on the 1/256 px grid, int64 (E,): from (x0, y0) to (x1, y1), of part `part`, ascending.

    `owner` (P,) is the number of the object of each part, ascending; `objects` is how many there are.
    """

    x0: Numbers
    y0: Numbers
    x1: Numbers
    y1: Numbers
    part: Numbers
    owner: Numbers
    objects: int


def outlines(objects: Sequence[Sequence[Part]]) -> Outlines:
    """The edges of objects, each a list of parts, each a list of rings, each an array or list (N, 2) of [x, y] in px.

    Raises:
        BadOutline: vertices that are not pairs of finite numbers.
    """
    rings = [ring for parts in objects for part in parts for ring in part]
    sizes = np.array([len(ring) for ring in rings], dtype=np.int64)
    part_rings = [len(part) for parts in objects for part in parts]
    owner = np.repeat(np.arange(len(objects)), [len(parts) for parts in objects])
    part = np.repeat(np.arange(len(part_rings)), part_rings)
    return outlines_of_rings(_joined(rings, int(sizes.sum())), sizes, part, owner, len(objects))


def outlines_of_rings(
    points: NDArray[np.float64], sizes: Numbers, part_of_ring: Numbers, owner: Numbers, objects: int
) -> Outlines:
    """The edges of rings whose vertices (V, 2) in px stand one behind the other: `sizes` (R,) says how many each ring
    has, `part_of_ring` (R,), ascending, of which part it is, and `owner` (P,), ascending, of which object a part is.

    Raises:
        BadOutline: a vertex that is not finite.
    """
    grid = _on_grid(points)
    part = np.repeat(part_of_ring, sizes)
    following = np.arange(1, len(grid) + 1)
    sizes = sizes[sizes > 0]
    lasts = np.cumsum(sizes) - 1
    following[lasts] = lasts - sizes + 1
    x, y = grid[:, 0], grid[:, 1]
    return Outlines(x, y, x[following], y[following], part, owner, objects)


def row_spans(edges: Outlines, height: int, width: int) -> Spans:
    """The runs of set pixels along the rows of an image of that size.

    Raises:
        BadOutline: the size is not one of an image, or too many crossings.
    """
    return _joined_spans(list(_swept(edges, height, width, by_columns=False)))


def column_spans(edges: Outlines, height: int, width: int) -> Spans:
    """The same pixels as runs along the columns.

    Raises:
        BadOutline: as `row_spans`.
    """
    turned = Outlines(edges.y0, edges.x0, edges.y1, edges.x1, edges.part, edges.owner, edges.objects)
    return _joined_spans(list(_swept(turned, width, height, by_columns=True)))


def pixel_counts(edges: Outlines, height: int, width: int) -> Numbers:
    """How many pixels of an image of that size each object has (objects,): what the runs of `row_spans`, united, add up
    to. They are made for objects of several parts alone, because only those may share pixels.

    Raises:
        BadOutline: as `row_spans`.
    """
    counts = np.zeros(edges.objects, dtype=np.int64)
    has_several = np.bincount(edges.owner, minlength=edges.objects) > 1
    several = []
    for table in _tables(edges, height, width, by_columns=False):
        crossed = _crossings(table, width)
        owner = edges.owner[table.part[crossed.heads]]
        # every line of a part is crossed an even number of times, so each part has a whole number of gaps
        gaps = np.add.reduceat(table.after - table.first, crossed.heads) >> 1
        lengths = (crossed.keys[1::2] - crossed.keys[::2]).astype(np.int64)
        np.add.at(counts, owner, np.add.reduceat(lengths, np.cumsum(gaps) - gaps))
        if has_several[owner].any():
            several.append(_runs(crossed, owner, width, np.repeat(has_several[owner], gaps)))
    if several:
        owner, start, stop = _joined_spans(several)
        # With starts and stops sorted each for itself, what is shared lies between a start and the stop in front of it.
        start, stop = (np.sort(bounds + owner * (height * width)) for bounds in (start, stop))
        np.subtract.at(counts, np.sort(owner)[1:], np.maximum(stop[:-1] - start[1:], 0))
    return counts


def united(spans: Spans, places: int) -> Spans:
    """Runs of one object that overlap or touch, also over the end of a line, made one; `places` is height * width.

    The result is what run lengths are: ascending by object, with a gap between any two runs of one object.
    """
    owner, start, stop = spans
    if owner.size == 0:
        return spans
    start, stop = start + owner * (places + 1), stop + owner * (places + 1)
    if (start[1:] < start[:-1]).any():
        order = np.argsort(start, kind="stable")
        owner, start, stop = owner[order], start[order], stop[order]
    reached = np.maximum.accumulate(stop)
    first = np.empty(start.size, dtype=bool)
    first[0] = True
    np.greater(start[1:], reached[:-1], out=first[1:])
    heads = np.flatnonzero(first)
    owner = owner[heads]
    lasts = np.append(heads[1:], start.size) - 1
    shift = owner * (places + 1)
    return Spans(owner, start[heads] - shift, reached[lasts] - shift)


def mask_of(parts: Sequence[Part], height: int, width: int) -> Mask:
    """The mask (height, width) of one object.

    Raises:
        BadOutline: as `outlines` and `row_spans`.
    """
    return filled(row_spans(outlines([parts]), height, width), height, width)


def boxed(spans: Spans, width: int) -> tuple[list[int], Mask] | None:
    """The pixel box of runs along the rows of an image of that width and the mask inside of it; None without runs."""
    if spans.start.size == 0:
        return None
    rows, first = np.divmod(spans.start, width)
    last = first + spans.stop - spans.start
    x0, x1, y0, y1 = int(first.min()), int(last.max()), int(rows.min()), int(rows.max()) + 1
    origin = (rows - y0) * (x1 - x0) - x0
    return [x0, y0, x1, y1], filled(Spans(spans.owner, origin + first, origin + last), y1 - y0, x1 - x0)


def filled(spans: Spans, height: int, width: int) -> Mask:
    """The mask (height, width) of runs along the rows, whoever owns them."""
    everyone = Spans(np.zeros_like(spans.owner), spans.start, spans.stop)
    _, start, stop = united(everyone, height * width)
    bounds = np.empty(2 * start.size + 2, dtype=np.int64)
    bounds[0], bounds[-1] = 0, height * width
    bounds[1:-1:2], bounds[2:-1:2] = start, stop
    values = np.zeros(bounds.size - 1, dtype=bool)
    values[1::2] = True
    return np.repeat(values, np.diff(bounds)).reshape(height, width)


def _joined(rings: list[Ring], vertices: int) -> NDArray[np.float64]:
    """All vertices (V, 2), float64."""
    try:
        if vertices == 0:
            return np.zeros((0, 2))
        if all(type(ring) is list for ring in rings):
            pairs = list(chain.from_iterable(rings))
            if set(map(len, pairs)) != {2}:
                raise BadOutline("A vertex is a pair of numbers.")
            return np.fromiter(chain.from_iterable(pairs), np.float64, 2 * vertices).reshape(vertices, 2)
        points = np.concatenate([ring for ring in rings if len(ring)]).astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadOutline("A vertex is a pair of numbers.") from error
    if points.ndim != 2 or points.shape[1] != 2:
        raise BadOutline("A vertex is a pair of numbers.")
    return points


def _on_grid(points: NDArray[np.float64]) -> Numbers:
    if not np.isfinite(points).all():
        raise BadOutline("A coordinate is a finite number.")
    return np.rint(np.clip(points, -MAX_COORDINATE, MAX_COORDINATE) * GRID).astype(np.int64)


def _joined_spans(pieces: list[Spans]) -> Spans:
    if len(pieces) == 1:
        return pieces[0]
    if not pieces:
        empty = np.zeros(0, dtype=np.int64)
        return Spans(empty, empty, empty)
    return Spans(*(np.concatenate(arrays) for arrays in zip(*pieces, strict=True)))


def _swept(edges: Outlines, lines: int, length: int, *, by_columns: bool) -> Iterator[Spans]:
    """The runs along `lines` lines of `length` pixels each; lines are counted by y, places on them by x."""
    for table in _tables(edges, lines, length, by_columns=by_columns):
        yield _crossed(table, edges.owner, length)


def _tables(edges: Outlines, lines: int, length: int, *, by_columns: bool) -> Iterator[_Table]:
    """The edges that cross lines, in pieces.

    `by_columns` says that x and y were exchanged, so that a centre on an edge is moved a little in y, far less in x.
    """
    if not (0 < lines <= MAX_SIDE and 0 < length <= MAX_SIDE):
        raise BadOutline(f"An image has from 1 to {MAX_SIDE} rows and columns.")
    down = edges.y1 > edges.y0
    top, bottom = np.where(down, edges.y0, edges.y1), np.where(down, edges.y1, edges.y0)
    # the first line whose centre is at or below the edge's upper end, and the first at or below its lower end
    first = np.clip((top + (_HALF - 1)) >> 8, 0, lines)
    after = np.clip((bottom + (_HALF - 1)) >> 8, 0, lines)
    kept = np.flatnonzero(after > first)
    if kept.size == 0:
        return
    first, after, down, part = first[kept], after[kept], down[kept], edges.part[kept]
    x0, y0, x1, y1 = edges.x0[kept], edges.y0[kept], edges.x1[kept], edges.y1[kept]
    dx, dy = x1 - x0, y1 - y0
    np.negative(dx, out=dx, where=~down)
    np.abs(dy, out=dy)
    # A line's centre y meets the edge at x = x0 + (y - y0) dx / dy, so its first pixel is the ceiling of
    # (x - 128) / 256 = numerator / denominator; the products are below 2**63 because coordinates are below 2**30.
    numerator = x0 * dy + (_HALF - y0) * dx - _HALF * dy
    denominator = GRID * dy
    if by_columns:
        numerator += dx > 0  # on a slope to that side the moved centre has already crossed the edge
    numerator += denominator - 1  # the ceiling, as a floor
    table = _Table(first, after, part, numerator, GRID * dx, denominator)
    if int((after - first).sum()) > MAX_CROSSINGS:
        raise BadOutline(f"The outlines cross more than {MAX_CROSSINGS} lines of the image.")
    yield from _pieces(table)


class _Table(NamedTuple):
    """Edges that cross lines first <= line < after, where line l is met at (numerator + l * step) // denominator."""

    first: Numbers
    after: Numbers
    part: Numbers
    numerator: Numbers
    step: Numbers
    denominator: Numbers


def _pieces(table: _Table) -> Iterator[_Table]:
    """The table in pieces of whole parts that fit the processor's cache; a part alone may be more."""
    heads = _heads(table.part)
    lines = np.maximum.reduceat(table.after, heads) - np.minimum.reduceat(table.first, heads)
    cost = np.cumsum(lines + np.add.reduceat(table.after - table.first, heads))
    ends = np.append(heads[1:], table.part.size)
    at = 0
    while at < heads.size:
        fitting = np.searchsorted(cost, (cost[at - 1] if at else 0) + _PIECE, side="right")
        following = max(int(fitting), at + 1)
        yield from _bands(_Table(*(column[heads[at] : ends[following - 1]] for column in table)))
        at = following


def _bands(table: _Table) -> Iterator[_Table]:
    """The table in bands of lines, in their order, where one part has too many crossings to sort at once."""
    low, high = int(table.first.min()), int(table.after.max())
    if int((table.after - table.first).sum()) <= _BAND or high - low == 1:
        yield table
        return
    cut = (low + high) // 2
    for half in (
        table._replace(after=np.minimum(table.after, cut)),
        table._replace(first=np.maximum(table.first, cut)),
    ):
        crossed = half.after > half.first
        if crossed.any():
            yield from _bands(_Table(*(column[crossed] for column in half)))


def _heads(sorted_: Numbers) -> Numbers:
    """Where each group of equal values begins."""
    return np.flatnonzero(np.concatenate([_TRUE, sorted_[1:] != sorted_[:-1]]))


class _Crossings(NamedTuple):
    """Where lines are crossed, sorted by part, line and place: every second gap between them is set.

    A key is a line and a place, 16 bits each. `heads` (P,) says where each part begins in the table, `part_first` its
    first line in the image, `part_lines` how many lines it covers, and `block` the first of them among the keys' lines.
    """

    keys: NDArray[np.uint32]
    heads: Numbers
    part_first: Numbers
    part_lines: Numbers
    block: Numbers


def _crossings(table: _Table, length: int) -> _Crossings:
    counts = table.after - table.first
    # every part gets its own block of lines, as many as it covers
    heads = _heads(table.part)
    part_first = np.minimum.reduceat(table.first, heads)
    part_lines = np.maximum.reduceat(table.after, heads) - part_first
    block = np.cumsum(part_lines) - part_lines
    edges_of_part = np.concatenate([heads[1:], [table.part.size]]) - heads
    # the line of an edge's crossing is its number among all crossings and a constant of the edge
    line_of_first = table.first - (np.cumsum(counts) - counts)
    edge = np.repeat(np.arange(counts.size), counts)
    number = np.arange(edge.size)
    places = table.step[edge]
    places *= number
    places += (table.numerator + line_of_first * table.step)[edge]
    places //= table.denominator[edge]
    np.maximum(places, 0, out=places)
    np.minimum(places, length, out=places)
    number += (line_of_first + np.repeat(block - part_first, edges_of_part))[edge]
    # line and place in 32 bits, which a processor sorts many at a time; a piece has fewer than 2**16 lines
    number <<= 16
    number |= places
    keys = number.astype(np.uint32)
    keys.sort()
    return _Crossings(keys, heads, part_first, part_lines, block)


def _crossed(table: _Table, owner: Numbers, length: int) -> Spans:
    """The runs between the crossings."""
    crossed = _crossings(table, length)
    return _runs(crossed, owner[table.part[crossed.heads]], length)


def _runs(crossed: _Crossings, owner: Numbers, length: int, chosen: NDArray[np.bool_] | None = None) -> Spans:
    """The gaps that are set, or those `chosen` of them, as runs; `owner` (P,) says of which object each part is."""
    start, stop = crossed.keys[::2], crossed.keys[1::2]
    set_ = start != stop
    if chosen is not None:
        set_ &= chosen
    if not set_.all():
        start, stop = start[set_], stop[set_]
    line, part_lines = start >> 16, crossed.part_lines
    # from the block's lines to those of the image
    first = np.repeat(crossed.part_first - crossed.block, part_lines) + np.arange(int(part_lines.sum()))
    origin = (first * length)[line]
    return Spans(np.repeat(owner, part_lines)[line], origin + (start & MAX_SIDE), origin + (stop & MAX_SIDE))
