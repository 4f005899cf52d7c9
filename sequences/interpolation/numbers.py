"""The arithmetic of interpolation: straight lines, shortest arcs and rotations, on the grids of derived coordinates.

Conventions. A weight is 0 at the earlier keyframe and 1 at the later one, float64 of shape (F,); results have a row a
weight. Only +, -, *, / and sqrt are used, which IEEE 754 fixes to the last bit, and sums are written out: no sine and
no BLAS of a library, because those differ between processors, and a release must not. What comes out is rounded to a
grid; a number that both keyframes have in common is passed on as it is.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray

#: How many steps of the grid one unit has.
PER_PIXEL = 1024.0
PER_DEGREE = 1024.0
PER_METRE = 1e4
PER_RADIAN = 1e7
PER_QUATERNION = 1e7

TURN_DEG = 360.0
TURN_RAD = 2.0 * math.pi

#: Adding this to a number rounds it, if it is smaller than _QUICK.
_WHOLE = 1.5 * 2.0**52
_QUICK = 2.0**51
#: How many numbers of a line are computed at once.
BLOCK = 16_384

#: Below this angle (radians) between two quaternions the straight line and the arc agree to more digits than the grid.
_STRAIGHT = 1e-6


def on_grid(values: Array, per_unit: float) -> Array:
    """The nearest points of the grid; numbers too large to have a fraction there stay. Never -0.0. Any shape."""
    found = np.array(values, np.float64)
    if not found.size or np.abs(found).max() < _QUICK / per_unit:
        _round(found, per_unit)
        return found
    small = np.abs(found) < 2.0**52 / per_unit
    return np.where(small, np.rint(np.where(small, found, 0.0) * per_unit) / per_unit, found) + 0.0


def _round(values: Array, per_unit: float) -> None:
    """`on_grid` in place, of numbers below _QUICK steps of the grid.

    Next to 2**52 floats are whole numbers, so adding that much rounds (half to even), and taking it away again leaves
    what was rounded, never -0.0. Where a step is a power of two the same is done with as many steps.
    """
    if math.frexp(per_unit)[0] == 0.5:
        values += _WHOLE / per_unit
        values -= _WHOLE / per_unit
        return
    values *= per_unit
    values += _WHOLE
    values -= _WHOLE
    values /= per_unit


def lerp(first: Array, last: Array, weights: Array, per_unit: float) -> Array:
    """Straight from `first` to `last` (both (C,)): (F, C). Exact where both are equal; finite for finite input.

    Many lines at once, C of some thousands, cost the least a number.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        span = last - first
    most = max(first.max(), last.max(), -first.min(), -last.min()) if len(first) else 0.0
    is_small = bool(most < _QUICK / per_unit)
    mixed = np.empty((len(weights), len(first)))
    if len(first) < BLOCK:
        with np.errstate(over="ignore", invalid="ignore"):
            np.multiply(weights[:, None], span, out=mixed)
            mixed += first
        if is_small:
            _round(mixed, per_unit)
    else:  # a line of each weight after the other, as much of it at once as lies near the processor
        shares = weights.tolist()
        for start in range(0, len(first), BLOCK):
            way, begin = span[start : start + BLOCK], first[start : start + BLOCK]
            with np.errstate(over="ignore", invalid="ignore"):
                for share, row in zip(shares, mixed[:, start : start + BLOCK], strict=True):
                    np.multiply(way, share, out=row)
                    row += begin
                    if is_small:
                        _round(row, per_unit)
    if not is_small:
        far = ~np.isfinite(span)
        if far.any():  # the way is longer than the largest float, so it is mixed instead of walked
            one, two = first[far], last[far]
            between = np.multiply.outer(1.0 - weights, one) + np.multiply.outer(weights, two)
            mixed[:, far] = np.clip(between, np.minimum(one, two), np.maximum(one, two))
        mixed = on_grid(mixed, per_unit)
    same = span == 0
    if same.any():
        mixed[:, same] = first[same]
    return mixed


def track_lerp(frames: Array, keys: Array, per_unit: float, weights: Array | None = None) -> Array:
    """All frames from frames[0] to frames[-1] of one object whose keys are (C, K), planar: (C, N).

    `frames` (K,) are strictly increasing. It is `lerp` for every pair of neighbours at once, to the last bit; the
    keyframes' own columns are the keys. `weights` (N,) are how far each frame is on the way between its neighbours, by
    its number unless said. K = 1 gives that one frame.
    """
    lengths = np.diff(frames)
    if len(lengths) == 0:
        return np.array(keys, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        spans = np.diff(keys, axis=1)
    if not np.isfinite(spans).all():
        return _one_by_one(frames, keys, per_unit, weights)
    count = int(frames[-1] - frames[0]) + 1
    still = spans == 0
    large = not np.abs(keys).max() < _QUICK / per_unit
    is_even = weights is None and lengths[0] <= max(len(lengths), 16) and (lengths == lengths[0]).all()
    if is_even and not large and not still.any():
        # Evenly spaced, as most are that a program set: the same numbers, without looking each up. Frame by frame
        # behind the keyframes, because numpy walks a thousand segments faster than ten frames a thousand times.
        step, found = int(lengths[0]), np.empty((len(keys), count))
        found[:, ::step] = keys
        for offset in range(1, step):
            line = spans * (offset / step)
            line += keys[:, :-1]
            _round(line, per_unit)
            found[:, offset::step] = line
        return found
    index = np.repeat(np.arange(len(lengths)), lengths)
    if weights is None:
        weights = (np.arange(count - 1) - (frames[:-1] - frames[0])[index]) / lengths[index]
    found = np.empty((keys.shape[0], count))
    for row, key, span, same in zip(found, keys, spans, still, strict=True):
        line = span[index]
        line *= weights[: count - 1]
        line += key[index]
        if large:
            line = on_grid(line, per_unit)
        else:
            _round(line, per_unit)
        if same.any():
            held = same[index]
            line[held] = key[index][held]
        row[:-1] = line
        row[(frames - frames[0]).astype(np.intp)] = key
    return found


def _one_by_one(frames: Array, keys: Array, per_unit: float, weights: Array | None) -> Array:
    """track_lerp where a way is longer than the largest float."""
    parts = []
    for number, (first, last) in enumerate(pairwise(frames.tolist())):
        start = first - int(frames[0])
        share = np.arange(last - first) / (last - first) if weights is None else weights[start : start + last - first]
        part = lerp(keys[:, number], keys[:, number + 1], share, per_unit).T
        part[:, 0] = keys[:, number]
        parts.append(part)
    return np.concatenate([*parts, keys[:, -1:]], axis=1)


def shortest_arc(first: float, last: float, turn: float) -> float:
    """The way from one angle to another, in (-turn/2, turn/2]; half a turn goes forward."""
    way = math.remainder(math.fmod(last, turn) - math.fmod(first, turn), turn)
    return -way if way == -turn / 2 else way


def arc(first: Array, last: Array, weights: Array, *, turn: float, per_unit: float, symmetry: float = 0.0) -> Array:
    """Angles along the shortest arcs between many (both (S,)): (F, S). `symmetry` is what turns the shape into itself,
    a turn unless said.

    They are in (-turn/2, turn/2], or in [0, turn) where both keyframes are.
    """
    ends = zip(first.tolist(), last.tolist(), strict=True)
    ways = np.array([shortest_arc(one, two, symmetry or turn) for one, two in ends])
    angles = np.fmod(first, turn) + np.multiply.outer(weights, ways)
    forward = (first >= 0) & (first < turn) & (last >= 0) & (last < turn)
    low, high = np.where(forward, 0.0, -turn / 2), np.where(forward, turn, turn / 2)
    for _ in range(2):  # an angle below a turn and half a turn of way are at most one and a half turns
        angles = np.where(
            forward,
            np.where(angles < 0, angles + turn, np.where(angles >= turn, angles - turn, angles)),
            np.where(angles <= low, angles + turn, np.where(angles > high, angles - turn, angles)),
        )
    # The grid may lie just outside, because half a turn of radians is not on it.
    return np.where(ways == 0.0, first, np.clip(on_grid(angles, per_unit), low, high))


def arc_tangent(x: Array) -> Array:
    """The arc tangent of numbers in [0, 1], within 2e-16: halved twice, then the series to x**23. Any shape."""
    for _ in range(2):
        x = x / (1.0 + np.sqrt(1.0 + x * x))
    square = x * x
    series = np.zeros_like(x)
    for order in range(23, 0, -2):
        series = (1.0 / order if order % 4 == 1 else -1.0 / order) + square * series
    return series * x * 4.0


def sine(x: Array) -> Array:
    """The sine of numbers in [0, pi/2], within 3e-16: Taylor's series to x**19 in Horner's order. Any shape."""
    square = x * x
    series = square * _SERIES[-1]
    for factor in _SERIES[-2:0:-1]:
        series += factor
        series *= square
    series += _SERIES[0]
    series *= x
    return series


#: Of x, x**3 … x**19 in the sine's series.
_SERIES = [(-1.0) ** n / math.factorial(2 * n + 1) for n in range(10)]


def slerp(first: Array, last: Array, weights: Array) -> Array:
    """Unit quaternions along the shorter arcs between two (4,) or many (4, S): (4, F) or (4, F, S), planar. Shoemake,
    SIGGRAPH 1985.

    They need not be of unit length, but must not be zero. A quaternion and its negative turn the same way, so the
    nearer of the two is gone to; half a turn goes to `last` as it is given.
    """
    if first.ndim == 1:
        return slerp(first[:, None], last[:, None], weights)[..., 0]
    a = first / _length(first)
    b = last / _length(last)
    b = np.where(a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3] < 0, -b, b)
    apart, across = _length(a - b), _length(a + b)
    angle = 2.0 * arc_tangent(np.minimum(apart / across, 1.0))
    shares = np.empty((2, len(weights), first.shape[1]))  # of the one, and of the other
    shares[0], shares[1] = (1.0 - weights)[:, None], weights[:, None]
    straight = angle < _STRAIGHT
    turned = sine(shares * angle)
    turned /= np.where(straight, 1.0, sine(angle))
    near, far = np.where(straight, shares, turned) if straight.any() else turned
    found = np.empty((4, *near.shape))
    for row, one, two in zip(found, a, b, strict=True):
        np.multiply(near, one, out=row)
        row += far * two
    length = found[0] * found[0]
    for row in found[1:]:
        length += row * row
    found /= np.sqrt(length, out=length)
    return found


def _length(vectors: Array) -> Array:
    """The lengths of vectors (4, S), also of those whose squares would overflow or vanish."""
    largest = np.abs(vectors).max(axis=0)
    x, y, z, w = vectors / np.where(largest == 0, 1.0, largest)
    return largest * np.sqrt(x * x + y * y + z * z + w * w)
