"""Outlines with fewer vertices that are still valid polygons.

Vertices are left out as Douglas and Peucker do (Cartographica 10, 1973), all sections of all rings at once. Whatever
then crosses, touches or surrounds something that it did not before gets its vertices back, the farthest first, until
nothing does; the whole outline is valid, so this ends. No vertex is moved, and none is new.

The parts that go in are those of `parts_of_mask` (connectivity 4), or others of which no ring crosses or touches itself
or another but in single vertices; all parts are looked at together. Predicates are exact: int64 on the 1/256 px grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_GRID = 256
_PAIRS = 1 << 20


class _Outline(NamedTuple):
    """All rings as open chains one after the other, each ending with its first vertex again.

    x, y, ring (V,); `heads` and `tails` (R,) are the first and last places of the chains, which are one vertex.
    """

    x: Numbers
    y: Numbers
    ring: Numbers
    heads: Numbers
    tails: Numbers


class _Sections(NamedTuple):
    """What is between kept vertices that follow each other: chain places `start` and `stop` (S,), `stop` included."""

    start: Numbers
    stop: Numbers


def simplified(parts: Sequence[Sequence[Any]], tolerance: float) -> list[list[NDArray[Any]]]:
    """The parts with those vertices (N, 2) only that keep every ring within `tolerance` px of where it was.

    Rings of which fewer than three vertices would be left stay as they are, and so does everything at a tolerance of 0.
    Where validity needs more vertices than the tolerance does, there are more.
    """
    rings = [np.asarray(ring) for part in parts for ring in part]
    if tolerance <= 0 or not any(map(len, rings)):
        return [[np.asarray(ring) for ring in part] for part in parts]
    outline = _chained(rings)
    shared = _shared(outline)
    kept = _first_kept(outline, shared)
    witness = _witnesses(outline, shared, kept)
    inside_of = _surroundings(outline, _sections(outline, np.ones(outline.x.size, dtype=bool)), witness)
    most = (tolerance * _GRID) ** 2
    _refine(outline, kept, _sections(outline, kept), most)
    few = np.bincount(outline.ring[kept], minlength=len(rings)) < 4
    kept |= few[outline.ring]
    while True:
        sections = _sections(outline, kept)
        bad = _crossing(outline, sections) | _crossing_at_vertices(outline, sections, shared)
        bad |= _swept(outline, sections, witness, _surroundings(outline, sections, witness) != inside_of)
        bad &= sections.stop - sections.start > 1
        if not bad.any():
            break
        parted = _split(outline, kept, _Sections(sections.start[bad], sections.stop[bad]), -1.0)
        _refine(outline, kept, parted, most)
    kept[outline.tails] = False
    left = iter([ring[kept[head:tail]] for ring, head, tail in zip(rings, outline.heads, outline.tails, strict=True)])
    return [[next(left) for _ in part] for part in parts]


def _chained(rings: list[NDArray[Any]]) -> _Outline:
    closed = [np.concatenate([ring, ring[:1]]) if len(ring) else np.zeros((1, 2)) for ring in rings]
    sizes = np.array([len(chain) for chain in closed])
    points = np.rint(np.concatenate(closed).astype(np.float64) * _GRID).astype(np.int64)
    tails = np.cumsum(sizes) - 1
    return _Outline(points[:, 0], points[:, 1], np.repeat(np.arange(len(rings)), sizes), tails - sizes + 1, tails)


def _shared(outline: _Outline) -> Flags:
    """Vertices that another vertex, of the same ring or not, coincides with."""
    own = np.ones(outline.x.size, dtype=bool)
    own[outline.tails] = False
    places = np.flatnonzero(own)
    _, which, counts = np.unique(
        outline.x[places] * (1 << 32) + outline.y[places], return_inverse=True, return_counts=True
    )
    shared = np.zeros(outline.x.size, dtype=bool)
    shared[places] = counts[which] > 1
    shared[outline.tails] = shared[outline.heads]
    return shared


def _first_kept(outline: _Outline, shared: Flags) -> Flags:
    """Of every ring its first vertex, the one farthest from it, a witness that is not shared, and all shared ones."""
    kept = shared.copy()
    kept[outline.heads] = kept[outline.tails] = True
    first = outline.heads[outline.ring]
    away = (outline.x - outline.x[first]) ** 2 + (outline.y - outline.y[first]) ** 2
    kept[_farthest(away, outline.heads, outline.tails - outline.heads + 1)] = True
    return kept


def _witnesses(outline: _Outline, shared: Flags, kept: Flags) -> Numbers:
    """A vertex of each ring that stands for it when it is asked what surrounds it; kept, not shared where possible."""
    alone = np.where(shared, 0, 1)
    witness = _farthest(alone, outline.heads, outline.tails - outline.heads + 1)
    kept[witness] = True
    return np.where(witness == outline.tails, outline.heads, witness)


def _sections(outline: _Outline, kept: Flags) -> _Sections:
    places = np.flatnonzero(kept)
    start, stop = places[:-1], places[1:]
    same = outline.ring[start] == outline.ring[stop]
    return _Sections(start[same], stop[same])


def _refine(outline: _Outline, kept: Flags, sections: _Sections, most: float) -> None:
    """Keep what is farther than the square root of `most` from its section, level by level."""
    while sections.start.size:
        sections = _split(outline, kept, sections, most)


def _split(outline: _Outline, kept: Flags, sections: _Sections, most: float) -> _Sections:
    """Keep the farthest vertex of each section where its squared distance is more than `most`; the new sections."""
    long = sections.stop - sections.start > 1
    start, stop = sections.start[long], sections.stop[long]
    if start.size == 0:
        return _Sections(start, stop)
    sizes = stop - start - 1
    heads = np.cumsum(sizes) - sizes
    at = np.arange(int(sizes.sum())) + np.repeat(start + 1 - heads, sizes)
    dx, dy = outline.x[stop] - outline.x[start], outline.y[stop] - outline.y[start]
    px, py = outline.x[at] - np.repeat(outline.x[start], sizes), outline.y[at] - np.repeat(outline.y[start], sizes)
    dx, dy = np.repeat(dx, sizes).astype(np.float64), np.repeat(dy, sizes).astype(np.float64)
    length = dx * dx + dy * dy
    along = np.clip((px * dx + py * dy) / np.where(length > 0, length, 1), 0, 1)
    away = (px - along * dx) ** 2 + (py - along * dy) ** 2
    far = _farthest(away, heads, sizes)
    cut = away[far] > most
    middle = at[far[cut]]
    kept[middle] = True
    return _Sections(np.concatenate([start[cut], middle]), np.concatenate([middle, stop[cut]]))


def _farthest(values: NDArray[Any], heads: Numbers, sizes: Numbers) -> Numbers:
    """Where each group has its greatest value, the first of several."""
    greatest = np.flatnonzero(values == np.repeat(np.maximum.reduceat(values, heads), sizes))
    return greatest[np.searchsorted(greatest, heads)]


def _crossing(outline: _Outline, sections: _Sections) -> Flags:
    """Sections that meet another one elsewhere than in a vertex that is the end of both."""
    x0, y0, x1, y1 = (part[places] for places in sections for part in (outline.x, outline.y))
    bad = np.zeros(x0.size, dtype=bool)
    for one, other in _near(np.minimum(x0, x1), np.maximum(x0, x1), np.minimum(y0, y1), np.maximum(y0, y1)):
        a, b = (x0[one], y0[one]), (x1[one], y1[one])
        c, d = (x0[other], y0[other]), (x1[other], y1[other])
        turns = [_turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)]
        meet = (turns[0] * turns[1] < 0) & (turns[2] * turns[3] < 0)
        for turn, point, ends in zip(turns, (c, d, a, b), ((a, b), (a, b), (c, d), (c, d)), strict=True):
            meet |= (turn == 0) & _strictly_between(point, *ends)
        meet |= (_same(a, c) & _same(b, d)) | (_same(a, d) & _same(b, c))
        bad[one[meet]] = bad[other[meet]] = True
    return bad


def _near(x0: Numbers, x1: Numbers, y0: Numbers, y1: Numbers) -> Any:
    """Pairs (one, other) of boxes that may meet, some more than once: those that share a band and a column."""
    band = max(16 * _GRID, int(np.mean(y1 - y0)) * 2)
    low, counts = y0 // band, y1 // band - y0 // band + 1
    item = np.repeat(np.arange(x0.size), counts)
    bands = np.arange(item.size) - np.repeat(np.cumsum(counts) - counts - low, counts)
    wide = 1 << 34
    keys = (bands - bands.min()) * wide + x0[item] - x0.min()
    order = np.argsort(keys, kind="stable")
    item, keys = item[order], keys[order]
    ends = np.searchsorted(keys, keys + x1[item] - x0[item], side="right")
    sizes = ends - np.arange(item.size) - 1
    reached = np.cumsum(sizes)
    first = 0
    while first < item.size:
        cut = max(first + 1, int(np.searchsorted(reached, (reached[first - 1] if first else 0) + _PAIRS)))
        counted = sizes[first:cut]
        one = np.repeat(np.arange(first, cut), counted)
        other = one + 1 + np.arange(one.size) - np.repeat(np.cumsum(counted) - counted, counted)
        one, other = item[one], item[other]
        meet = (y0[one] <= y1[other]) & (y0[other] <= y1[one]) & (one != other)
        yield one[meet], other[meet]
        first = cut


def _crossing_at_vertices(outline: _Outline, sections: _Sections, shared: Flags) -> Flags:
    """Sections by which two passes through a shared vertex cross there."""
    bad = np.zeros(sections.start.size, dtype=bool)
    ways: dict[tuple[int, int], list[tuple[int, int, int, int]]] = {}
    following = {int(start): number for number, start in enumerate(sections.start.tolist())}
    into = np.flatnonzero(shared[sections.stop])
    for number in into.tolist():
        at = int(sections.stop[number])
        out = following.get(at, -1)
        if out < 0:  # the end of a chain is its beginning
            out = following[int(outline.heads[outline.ring[at]])]
        point = int(outline.x[at]), int(outline.y[at])
        ways.setdefault(point, []).append((number, out, int(sections.start[number]), int(sections.stop[out])))
    for (x, y), passes in ways.items():
        for index, (come, go, before, after) in enumerate(passes):
            u = int(outline.x[before]) - x, int(outline.y[before]) - y
            v = int(outline.x[after]) - x, int(outline.y[after]) - y
            for come_too, go_too, before_too, after_too in passes[index + 1 :]:
                sides = [
                    _within(u, v, (int(outline.x[place]) - x, int(outline.y[place]) - y))
                    for place in (before_too, after_too)
                ]
                if sides[0] != sides[1]:
                    bad[[come, go, come_too, go_too]] = True
    return bad


def _within(u: tuple[int, int], v: tuple[int, int], w: tuple[int, int]) -> bool:
    """Whether w points into the angle from u to v."""

    def turn(one: tuple[int, int], other: tuple[int, int]) -> int:
        return one[0] * other[1] - one[1] * other[0]

    if turn(u, v) > 0:
        return turn(u, w) > 0 and turn(w, v) > 0
    return not (turn(v, w) >= 0 and turn(w, u) >= 0)


def _surroundings(outline: _Outline, sections: _Sections, witness: Numbers) -> NDArray[np.uint64]:
    """(R,): a sum that tells by which other rings each witness is surrounded.

    On every line with a witness the sections that cross it are put in order, and each one's ring is added, by exclusive
    or, to what surrounds all that is to its right. Crossings that differ at all do so by 2**-24, which float64 holds.
    """
    marks = np.random.default_rng(0).integers(1, 2**63, witness.size, np.uint64)
    ring = outline.ring[sections.start]
    x0, y0, x1, y1 = (part[places].astype(np.float64) for places in sections for part in (outline.x, outline.y))
    px, py = outline.x[witness].astype(np.float64), outline.y[witness].astype(np.float64)
    lines, line = np.unique(py, return_inverse=True)
    first = np.searchsorted(lines, np.minimum(y0, y1), side="left")
    counts = np.searchsorted(lines, np.maximum(y0, y1), side="left") - first
    side = np.repeat(np.arange(ring.size), counts)
    on = np.arange(side.size) - np.repeat(np.cumsum(counts) - counts - first, counts)
    crossing = x0[side] + (lines[on] - y0[side]) * (x1[side] - x0[side]) / (y1[side] - y0[side])
    of = ring[side]
    # witnesses first, so that of equal places theirs is before the sections'
    order = np.lexsort((np.concatenate([px, crossing]), np.concatenate([line, on])))
    sums = np.bitwise_xor.accumulate(np.concatenate([np.zeros_like(marks), marks[of]])[order])
    found = np.empty_like(sums)
    found[order] = sums
    ends = np.searchsorted(np.concatenate([line, on])[order], np.arange(lines.size), side="left")
    before = np.concatenate([np.zeros(1, np.uint64), sums])[ends]
    own = (on == line[of]) & (crossing < px[of])
    odd = (np.bincount(of[own], minlength=witness.size) & 1).astype(bool)
    result: NDArray[np.uint64] = found[: witness.size] ^ before[line] ^ np.where(odd, marks, np.uint64(0))
    return result


def _swept(outline: _Outline, sections: _Sections, witness: Numbers, moved: Flags) -> Flags:
    """Sections of other rings whose vertices lie around a witness that is surrounded otherwise than it was."""
    bad = np.zeros(sections.start.size, dtype=bool)
    if not moved.any():
        return bad
    heads = np.stack([sections.start, sections.stop + 1], axis=1).ravel()
    heads = np.minimum(heads, outline.x.size - 1)
    boxes = [least.reduceat(part, heads)[::2] for part in (outline.x, outline.y) for least in (np.minimum, np.maximum)]
    ends = [np.minimum(part[sections.start], part[sections.stop]) for part in (outline.x, outline.y)]
    tops = [np.maximum(part[sections.start], part[sections.stop]) for part in (outline.x, outline.y)]
    for number in np.flatnonzero(moved).tolist():
        x, y = outline.x[witness[number]], outline.y[witness[number]]
        around = (np.minimum(boxes[0], ends[0]) <= x) & (x <= np.maximum(boxes[1], tops[0]))
        around &= (np.minimum(boxes[2], ends[1]) <= y) & (y <= np.maximum(boxes[3], tops[1]))
        bad |= around & (outline.ring[sections.start] != number)
    return bad


def _turn(a: tuple[Numbers, Numbers], b: tuple[Numbers, Numbers], c: tuple[Numbers, Numbers]) -> Numbers:
    """-1, 0 or 1: on which side of the way from a to b the point c is."""
    cross = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return np.sign(cross)


def _strictly_between(c: tuple[Numbers, Numbers], a: tuple[Numbers, Numbers], b: tuple[Numbers, Numbers]) -> Flags:
    """Whether c, on the line through a and b, is between them and neither of them."""
    inner = (c[0] - a[0]) * (b[0] - c[0]) + (c[1] - a[1]) * (b[1] - c[1])
    result: Flags = inner > 0
    return result


def _same(a: tuple[Numbers, Numbers], b: tuple[Numbers, Numbers]) -> Flags:
    result: Flags = (a[0] == b[0]) & (a[1] == b[1])
    return result
