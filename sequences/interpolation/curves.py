"""Rings and lines from one keyframe to the next: which point of the one becomes which point of the other.

A curve is float64 of shape (N, 2) or (N, 3); a ring is not closed by a repeated vertex. With equally many vertices each
becomes one of the other; else both curves get the union of their breakpoints by arc length, so both key shapes are
drawn exactly, corners included. Neither where a ring starts nor the direction in which a curve was drawn matters: every
choice is made on a canonical form, and the result is put back into the order of the first curve.
"""

from __future__ import annotations

import numpy as np

from sequences.interpolation.numbers import Array

#: With how many points two curves of unequal vertex counts are compared, and the most for which all pairs are.
SAMPLES = 256
_MOST_VERTICES = 1024
#: Matches that differ by less than this part of the whole are equally good; the first is taken on every processor.
_TIE = 1e-9
#: Breakpoints that are this near to each other, as a part of the whole length, are one.
_SAME_PLACE = 1e-12


def matched_rings(first: Array, last: Array) -> tuple[Array, Array]:
    """Two closed curves with the same number of vertices, point for point; each draws the shape that was given.

    N = 0 of either gives both empty. The result begins with the first vertex of `first` and goes its way.
    """
    if len(first) == 0 or len(last) == 0:
        return first[:0], last[:0]
    order, other = _canonical_ring(first), _canonical_ring(last)
    one, two = first[order], last[other]
    if len(one) == len(two):
        two = np.roll(two, -_best_shift(one, two), axis=0)
        index = np.empty(len(order), np.intp)
        index[order] = np.arange(len(order))
        return one[index], two[index]
    at, to = _fractions(one, closed=True), _fractions(two, closed=True)
    grid = np.arange(SAMPLES) / SAMPLES
    shift = _best_shift(_points_at(one, at, grid, closed=True), _points_at(two, to, grid, closed=True)) / SAMPLES
    mapped = to - shift
    mapped = np.where(mapped < 0, mapped + 1.0, mapped)
    one, two, went = _merged(one, at, two, to, mapped, shift, closed=True)
    return _as_first(one, two, order, went)


def matched_lines(first: Array, last: Array) -> tuple[Array, Array]:
    """Two open curves with the same number of vertices, point for point; the result goes the way of `first`.

    N = 0 of either gives both empty.
    """
    if len(first) == 0 or len(last) == 0:
        return first[:0], last[:0]
    turned = _is_backwards(first)
    one = first[::-1] if turned else first
    two = last[::-1] if _is_backwards(last) else last
    if len(one) == len(two):
        if _distance(one, two[::-1]) < _distance(one, two) * (1 - _TIE):
            two = two[::-1]
    else:
        grid = np.linspace(0.0, 1.0, SAMPLES)
        sampled = _points_at(one, _fractions(one, closed=False), grid, closed=False)
        others = _points_at(two, _fractions(two, closed=False), grid, closed=False)
        if _distance(sampled, others[::-1]) < _distance(sampled, others) * (1 - _TIE):
            two = two[::-1]
        at, to = _fractions(one, closed=False), _fractions(two, closed=False)
        one, two, _ = _merged(one, at, two, to, to, 0.0, closed=False)
    return (one[::-1], two[::-1]) if turned else (one, two)


def pairs(first: list[Array], last: list[Array]) -> list[int | None]:
    """For each curve of `first` the index of the curve of `last` that it becomes; None for those that are over.

    The nearest centres (each side around its own centre) find each other first, whatever the order of the lists.
    """
    found: list[int | None] = [None] * len(first)
    if len(first) == 1 and len(last) == 1:
        return [0]
    one, two = _centres(first), _centres(last)
    if not len(one) or not len(two):
        return found
    exponent = -1 - int(np.frexp(max(np.abs(one).max(), np.abs(two).max()))[1])
    one, two = np.ldexp(one, exponent), np.ldexp(two, exponent)
    ways = one[:, None, :] - two[None, :, :]
    distances = ways[..., 0] * ways[..., 0] + ways[..., 1] * ways[..., 1]
    scale = float(distances.max()) or 1.0
    # By distance, and those that are equally far by where they are, which the order of the lists does not change.
    near = np.rint(distances / scale / _TIE)
    candidates = sorted(
        (near[i, j], *one[i], *two[j], i, j) for i in range(len(first)) for j in range(len(last))
    )  # fmt: skip
    taken: set[int] = set()
    for *_, i, j in candidates:
        if found[i] is None and j not in taken:
            found[i] = int(j)
            taken.add(int(j))
    return found


def _centres(curves: list[Array]) -> Array:
    """Half the middle of each curve's box, around the middle of all: (N, 2); an empty curve has zero."""
    middles = np.array(
        [(c[:, :2].min(axis=0) / 4 + c[:, :2].max(axis=0) / 4) if len(c) else (0.0, 0.0) for c in curves]
    ).reshape(-1, 2)
    return middles - (middles.min(axis=0) / 2 + middles.max(axis=0) / 2) if len(middles) else middles


# --- canonical forms -----------------------------------------------------------------------------------------------


def _canonical_ring(ring: Array) -> Array:
    """The order in which a ring is read: with positive area, from its smallest vertex; (N,) of indices.

    Where several vertices are the smallest, or there is no area, the smallest sequence of vertices is taken.
    """
    count = len(ring)
    forward = np.arange(count)
    area = _signed_area(ring)
    ways = [forward] if area > 0 else [forward[::-1]] if area < 0 else [forward, forward[::-1]]
    best: Array | None = None
    for way in ways:
        walked = ring[way]
        smallest = np.lexsort(tuple(walked[:, axis] for axis in range(ring.shape[1] - 1, -1, -1)))[0]
        starts = np.flatnonzero((walked == walked[smallest]).all(axis=1))
        for start in starts[:64]:  # a ring that repeats one vertex more often is all but a point
            order = np.roll(way, -int(start))
            if best is None or _comes_before(ring[order], ring[best]):
                best = order
    assert best is not None
    return best


def _comes_before(one: Array, two: Array) -> bool:
    """Whether one sequence of vertices is lexicographically smaller than another of the same shape."""
    differing = np.flatnonzero(one.ravel() != two.ravel())
    return bool(len(differing)) and bool(one.ravel()[differing[0]] < two.ravel()[differing[0]])


def _signed_area(ring: Array) -> float:
    """Twice the area on the ground (of the curve in a unit box), positive where x turns to y."""
    flat = _unit(ring[:, :2])
    flat = flat - flat[0]
    x, y = flat[:, 0], flat[:, 1]
    area = float(np.cumsum(x * np.roll(y, -1) - np.roll(x, -1) * y)[-1])
    return area if abs(area) > 1e-12 else 0.0


def _is_backwards(line: Array) -> bool:
    return _comes_before(line[::-1], line)


# --- which fits best -----------------------------------------------------------------------------------------------


def _unit(curve: Array) -> Array:
    """The curve around the middle of its box, within 1 of it, so that neither place nor size overflows anything.

    It is scaled by a power of two, which rounds nothing.
    """
    centred = curve / 2 - (curve.min(axis=0) / 4 + curve.max(axis=0) / 4)
    scaled: Array = np.ldexp(centred, -int(np.frexp(np.abs(centred).max())[1]))
    return scaled


def _distance(one: Array, two: Array) -> float:
    """The sum of squared distances of two curves around their middles."""
    way = _unit(one) - _unit(two)
    return float(np.cumsum((way * way).ravel())[-1])


def _best_shift(one: Array, two: Array) -> int:
    """By how many vertices `two` (N, D) is turned to lie nearest to `one` (N, D), both around their middles."""
    count = len(one)
    a, b = _unit(one), _unit(two)
    every = 1 + (count - 1) // _MOST_VERTICES  # a very long ring is compared at some of its vertices
    chosen = np.arange(0, count, every)
    fit = np.zeros(count)
    doubled = np.concatenate([b, b])
    for index in chosen:  # the nearest are those whose products are the largest
        window = doubled[index : index + count]
        for axis in range(a.shape[1]):
            fit += window[:, axis] * a[index, axis]
    best = float(fit.max())
    return int(np.flatnonzero(fit >= best - _TIE * max(abs(best), 1.0))[0])


# --- by arc length -------------------------------------------------------------------------------------------------


def _fractions(curve: Array, *, closed: bool) -> Array:
    """Where each vertex lies on the way along its curve, from 0 to (an open curve's end) 1: (N,).

    A curve without length, or of one vertex, has its vertices at equal parts.
    """
    count = len(curve)
    parts = count if closed else max(count - 1, 1)
    even = np.arange(count) / parts
    curve = _unit(curve)
    steps = (np.roll(curve, -1, axis=0) if closed else curve[1:]) - (curve if closed else curve[:-1])
    if not steps.any():
        return even
    squares = steps[:, 0] * steps[:, 0]
    for axis in range(1, curve.shape[1]):
        squares = squares + steps[:, axis] * steps[:, axis]
    along = np.concatenate([[0.0], np.cumsum(np.sqrt(squares))])
    return (along / along[-1])[:count] if along[-1] > 0 else even


def _points_at(curve: Array, at: Array, where: Array, *, closed: bool) -> Array:
    """The points of a curve at fractions of its length; a vertex's own fraction gives exactly the vertex."""
    if closed:
        curve, at = np.concatenate([curve, curve[:1]]), np.concatenate([at, [1.0]])
    if len(curve) == 1:
        return np.repeat(curve, len(where), axis=0)
    index = np.clip(np.searchsorted(at, where, side="right") - 1, 0, len(at) - 2)
    length = at[index + 1] - at[index]
    share = np.where(length > 0, (where - at[index]) / np.where(length > 0, length, 1.0), 0.0)[:, None]
    points = curve[index] * (1.0 - share) + curve[index + 1] * share
    return np.where(share == 0.0, curve[index], np.where(share == 1.0, curve[index + 1], points))


def _merged(
    one: Array, at: Array, two: Array, to: Array, mapped: Array, shift: float, *, closed: bool
) -> tuple[Array, Array, Array]:
    """Both curves with the breakpoints of both, in the order of `one`, and where each vertex of `one` went.

    `mapped` is `to` on the way along `one`. Two breakpoints at the same place are one.
    """
    there = at + shift
    if closed:
        there = np.where(there >= 1.0, there - 1.0, there)
    across = _points_at(two, to, there, closed=closed)
    near = np.clip(np.searchsorted(at, mapped), 0, len(at) - 1)
    near = np.where(np.abs(at[near - 1] - mapped) < np.abs(at[near] - mapped), near - 1, near) % len(at)
    away = np.abs(at[near] - mapped)
    alone = np.ones(len(two), bool)
    nearest = np.argsort(away, kind="stable")
    met = nearest[np.unique(near[nearest], return_index=True)[1]]
    met = met[away[met] < _SAME_PLACE]
    across[near[met]] = two[met]
    alone[met] = False
    ones = np.concatenate([one, _points_at(one, at, mapped[alone], closed=closed)])
    twos = np.concatenate([across, two[alone]])
    order = np.argsort(np.concatenate([at, mapped[alone]]), kind="stable")
    went = np.empty(len(order), np.intp)
    went[order] = np.arange(len(order))
    return ones[order], twos[order], went[: len(one)]


def _as_first(one: Array, two: Array, order: Array, went: Array) -> tuple[Array, Array]:
    """The merged rings from the first vertex of the first ring as it was given, in its direction."""
    place = int(np.flatnonzero(order == 0)[0])
    start = int(went[place])
    one, two = np.roll(one, -start, axis=0), np.roll(two, -start, axis=0)
    if len(order) > 1 and order[(place + 1) % len(order)] != 1 % len(order):
        one, two = np.roll(one[::-1], 1, axis=0), np.roll(two[::-1], 1, axis=0)
    return one, two
