"""Which object lies on top of which: new order numbers that move as few objects as possible."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

#: What annotations are sorted by: the order number, and where two people gave the same one, the id.
Key = tuple[float, int]


def kept_in_place(orders: Sequence[Key]) -> list[int]:
    """Indices of a longest strictly increasing subsequence (patience sorting, O(n log n)); [] for an empty sequence."""
    tails: list[Key] = []
    tail_index: list[int] = []
    before: list[int] = []
    for index, order in enumerate(orders):
        place = bisect_left(tails, order)
        before.append(tail_index[place - 1] if place else -1)
        if place == len(tails):
            tails.append(order)
            tail_index.append(index)
        else:
            tails[place] = order
            tail_index[place] = index
    kept = []
    index = tail_index[-1] if tail_index else -1
    while index >= 0:
        kept.append(index)
        index = before[index]
    return kept[::-1]


def new_orders(wanted: Sequence[Key | None], last: float) -> list[float]:
    """Order numbers for objects in their wanted sequence: None for a new object, else what it is sorted by now.

    Objects that need not move keep their number; others get one between their neighbours, those at the end whole steps
    past `last` (the highest number ever used). Where the floats between two neighbours run out, all are numbered
    afresh.
    """
    placed = [(index, key) for index, key in enumerate(wanted) if key is not None]
    fixed = {placed[i][0] for i in kept_in_place([key for _, key in placed])}
    orders: list[float] = [0.0] * len(wanted)
    low: float | None = None
    index = 0
    while index < len(wanted):
        known = wanted[index]
        if index in fixed and known is not None:
            orders[index] = low = known[0]
            index += 1
            continue
        end = index
        while end < len(wanted) and end not in fixed:
            end += 1
        run = end - index
        if end == len(wanted):
            start = max(last, low if low is not None else last)
            fresh = [start + step for step in range(1, run + 1)]
        else:
            next_key = wanted[end]
            assert next_key is not None
            high = next_key[0]
            floor = low if low is not None else high - run - 1
            fresh = [floor + (high - floor) * step / (run + 1) for step in range(1, run + 1)]
            if len({floor, *fresh, high}) < run + 2:
                return [last + step for step in range(1, len(wanted) + 1)]
        orders[index:end] = fresh
        low = fresh[-1]
        index = end
    return orders
