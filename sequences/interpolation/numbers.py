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

#: Below this angle (radians) between two quaternions the straight line and the arc agree to more digits than the grid.
_STRAIGHT = 1e-6


def on_grid(values: Array, per_unit: float) -> Array:
    """The nearest points of the grid; numbers too large to have a fraction there stay. Never -0.0. Any shape."""
    values = np.asarray(values, np.float64)
    most = 2.0**52 / per_unit
    if values.size and not np.abs(values).max() < most:
        small = np.abs(values) < most
        return np.where(small, np.rint(np.where(small, values, 0.0) * per_unit) / per_unit, values) + 0.0
    return np.rint(values * per_unit) / per_unit + 0.0


def _round(values: Array, per_unit: float) -> None:
    """`on_grid` in place, of numbers that are known not to be too large."""
    values *= per_unit
    np.rint(values, out=values)
    values /= per_unit
    values += 0.0


def lerp(first: Array, last: Array, weights: Array, per_unit: float) -> Array:
    """Straight from `first` to `last` (both (C,)): (F, C). Exact where both are equal; finite for finite input."""
    with np.errstate(over="ignore", invalid="ignore"):
        span = last - first
        far = not np.isfinite(span).all()
        if far:  # the way is longer than the largest float, so it is mixed instead of walked
            mixed = np.multiply.outer(1.0 - weights, first) + np.multiply.outer(weights, last)
            mixed = np.clip(mixed, np.minimum(first, last), np.maximum(first, last))
        else:
            mixed = np.multiply.outer(weights, span)
            mixed += first
    if len(first) and max(np.abs(first).max(), np.abs(last).max()) < 2.0**52 / per_unit:
        _round(mixed, per_unit)
    else:
        mixed = on_grid(mixed, per_unit)
    same = first == last
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
    large = not np.abs(keys).max() < 2.0**52 / per_unit
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


def arc(first: float, last: float, weights: Array, *, turn: float, per_unit: float, symmetry: float = 0.0) -> Array:
    """Angles along the shortest arc: (F,). `symmetry` is what turns the shape into itself, a turn unless said.

    They are in (-turn/2, turn/2], or in [0, turn) where both keyframes are.
    """
    way = shortest_arc(first, last, symmetry or turn)
    if way == 0.0:
        return np.full(len(weights), float(first))
    angles = math.fmod(first, turn) + way * weights
    if 0 <= first < turn and 0 <= last < turn:
        low, high = 0.0, turn
        angles = np.where(angles < 0, angles + turn, np.where(angles >= turn, angles - turn, angles))
    else:
        low, high = -turn / 2, turn / 2
        for _ in range(2):  # an angle below a turn and half a turn of way are at most one and a half turns
            angles = np.where(angles <= low, angles + turn, np.where(angles > high, angles - turn, angles))
    # The grid may lie just outside, because half a turn of radians is not on it.
    return np.clip(on_grid(angles, per_unit), low, high)


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
    series = np.ones_like(x)
    for order in range(18, 0, -2):
        series *= square
        series *= -1.0 / (order * (order + 1))
        series += 1.0
    series *= x
    return series


def slerp(first: Array, last: Array, weights: Array) -> Array:
    """Unit quaternions along the shorter arc between two (4,): (4, F), planar. Shoemake, SIGGRAPH 1985.

    They need not be of unit length, but must not be zero. A quaternion and its negative turn the same way, so the
    nearer of the two is gone to; half a turn goes to `last` as it is given.
    """
    a = first / _length(first)
    b = last / _length(last)
    if a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3] < 0:
        b = -b
    angle = float(2.0 * arc_tangent(np.minimum(_length(a - b) / _length(a + b), 1.0)))
    if angle < _STRAIGHT:
        near, far = 1.0 - weights, weights
    else:
        whole = float(sine(np.array(angle)))
        near = sine((1.0 - weights) * angle)
        near /= whole
        far = sine(weights * angle)
        far /= whole
    found = np.multiply.outer(a, near)
    found += np.multiply.outer(b, far)
    squares = found * found
    length = squares[0]
    for row in squares[1:]:
        length += row
    found /= np.sqrt(length, out=length)
    return found


def _length(vector: Array) -> Array:
    """The length of a (4,), also of one whose squares would overflow or vanish."""
    largest = np.abs(vector).max()
    if largest == 0:
        return np.float64(0.0)  # type: ignore[return-value]
    x, y, z, w = vector / largest
    return largest * np.sqrt(x * x + y * y + z * z + w * w)
