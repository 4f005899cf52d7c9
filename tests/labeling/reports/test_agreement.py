"""Agreement between label sets: who matches whom, and what is counted of it."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from labeling.reports.agreement import Answer, Pair, agreement_table, pairs_of, shares_of

JSON = dict[str, Any]


def box(number: int, x0: float, y0: float, x1: float, y1: float, category: int | None = 1) -> JSON:
    return {"id": number, "category_id": category, "geometry": {"type": "bbox", "points": [[x0, y0], [x1, y1]]}}


def polygon(number: int, *ring: list[float], category: int = 1) -> JSON:
    return {"id": number, "category_id": category, "geometry": {"type": "polygon", "parts": [[list(ring)]]}}


def answer(*objects: JSON, by: str = "ana", ids: Any = None) -> Answer:
    return Answer(by, objects, None if ids is None else np.array(ids, np.uint32))


def table(*pairs: tuple[Answer, Answer], by: tuple[str, ...] = (), least: float = 0.5) -> list[JSON]:
    made = [Pair(f"sample-{n}", "second", one, other) for n, (one, other) in enumerate(pairs)]
    return agreement_table(made, by, least=least)


def test_nobody_compared_is_nothing():
    assert table() == []
    assert table((answer(), answer())) == [
        {"labels": 1, "objects": 0, "others": 0, "matched": 0, "same_category": 0, "agreement": None, "mean_iou": None,
         "left_out": 0}
    ]  # fmt: skip


def test_the_same_twice_agrees_wholly_and_nothing_in_common_not_at_all():
    ones = [box(1, 0, 0, 10, 10), box(2, 20, 20, 30, 30, 2)]
    [row] = table((answer(*ones), answer(*ones)))
    assert (row["agreement"], row["mean_iou"], row["matched"]) == (1.0, 1.0, 2)
    [row] = table((answer(*ones), answer(box(1, 50, 50, 60, 60))))
    assert (row["agreement"], row["mean_iou"], row["matched"]) == (0.0, None, 0)


def test_three_boxes_share_what_appendix_a3_says():
    """A(0,0,10,10), B(1,0,11,10), C(5,0,15,10): AB 9/11, AC 1/3, BC 3/7."""
    a, b, c = box(1, 0, 0, 10, 10), box(2, 1, 0, 11, 10), box(3, 5, 0, 15, 10)
    _, _, shares = shares_of(answer(a, b), answer(b, c))
    assert shares == pytest.approx(np.array([[9 / 11, 1 / 3], [1, 3 / 7]]))
    assert pairs_of(shares, 0.3) == [(1, 0), (0, 1)], "the closest first, and what is left with what is left"
    assert pairs_of(shares, 0.34) == [(1, 0)]


def test_a_category_is_told_by_what_either_side_called_it():
    one = answer(box(1, 0, 0, 10, 10, 1), box(2, 20, 0, 30, 10, 2), by="ana")
    other = answer(box(7, 0, 0, 10, 10, 3), box(8, 20, 0, 30, 8, 2), by="ben")
    rows = {row["category"]: row for row in table((one, other), by=("category",))}
    counts = ("objects", "others", "matched", "same_category")
    assert {key: tuple(row[name] for name in counts) for key, row in rows.items()} == {
        1: (1, 0, 1, 0), 2: (1, 1, 1, 1), 3: (0, 1, 0, 0),
    }  # fmt: skip
    assert (rows[2]["agreement"], rows[2]["mean_iou"]) == (1.0, 0.8)
    [row] = table((one, other), by=("person", "other_person"))
    assert (row["person"], row["other_person"], row["agreement"]) == ("ana", "ben", 0.5)


def test_outlines_are_compared_pixel_by_pixel_and_lines_are_left_out():
    triangle = polygon(1, [0, 0], [20, 0], [0, 20])
    square = box(1, 0, 0, 20, 20)
    line = {"id": 2, "category_id": 1, "geometry": {"type": "polyline", "parts": [[[0, 0], [9, 9]]]}}
    [row] = table((answer(triangle, line), answer(square)), least=0.4)
    assert row["matched"] == 1 and row["mean_iou"] == pytest.approx(0.5, abs=0.03)
    assert (row["objects"], row["left_out"]) == (1, 1)


def test_bitmaps_are_compared_by_their_pixels():
    ids = [[1, 1, 0], [1, 2, 2]]
    objects = [{"id": n, "category_id": n, "geometry": {"type": "mask"}} for n in (1, 2)]
    [row] = table((answer(*objects, ids=ids), answer(*objects, ids=[[1, 1, 0], [0, 2, 2]])))
    assert (row["matched"], row["same_category"], row["mean_iou"]) == (2, 2, round((2 / 3 + 1) / 2, 6))
    [row] = table((answer(*objects, ids=ids), answer(*objects, ids=[[1, 1]])))
    assert (row["matched"], row["left_out"]) == (0, 4), "of another size nothing can be said"


def test_which_order_things_come_in_says_nothing():
    chance = random.Random(4)
    ones = [box(n, x := chance.randrange(60), y := chance.randrange(60), x + 20, y + 20, n % 3) for n in range(12)]
    others = [box(n, x := chance.randrange(60), y := chance.randrange(60), x + 20, y + 20, n % 3) for n in range(12)]
    wanted = table((answer(*ones), answer(*others)), by=("category",), least=0.2)
    for _ in range(5):
        chance.shuffle(ones)
        chance.shuffle(others)
        shown = [sorted(each, key=lambda item: item["id"]) for each in (ones, others)]
        assert table((answer(*shown[0]), answer(*shown[1])), by=("category",), least=0.2) == wanted
