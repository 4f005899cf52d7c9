"""What is seen of objects that lie over each other, against painting them pixel by pixel."""

from __future__ import annotations

import random

import numpy as np
import pytest

from labeling.geometry import rle
from labeling.geometry.composition import label_map, spans_of
from labeling.geometry.visible import at_place, coco_rle, extents, hidden, map_of, runs_of_ids, visible
from tests.labeling.geometry.test_composition import H, W, geometries, mask_alone
from tests.support.installation import is_full

COUNT = 300 if is_full() else 40


def painted(masks: list[np.ndarray]) -> np.ndarray:
    """Which object each pixel shows, from 1."""
    found = np.zeros((H, W), dtype=np.uint32)
    for number, mask in enumerate(masks, 1):
        found[mask] = number
    return found


@pytest.mark.parametrize("seed", range(COUNT))
def test_what_is_seen_is_what_painting_leaves(seed: int) -> None:
    chance = random.Random(seed)
    listed = geometries(chance, chance.choice([0, 1, 2, 12]))
    masks = [mask_alone(item, H, W) for item in listed]
    spans = spans_of(listed, H, W, line_width=3, point_radius=4)
    expected = painted(masks)
    runs = visible(spans, H * W)
    assert (runs.start[1:] >= runs.stop[:-1]).all() and (runs.start < runs.stop).all()
    assert (runs.start // W == (runs.stop - 1) // W).all()
    numbers = np.arange(1, len(listed) + 1, dtype=np.uint8)
    shown = map_of(runs, numbers, H, W)
    assert (shown == expected).all() and shown.dtype == np.uint8
    assert (shown == label_map(spans, numbers.tolist(), H, W, dtype=np.uint8)).all()
    colours = np.stack([numbers, numbers * 2, numbers * 3], axis=1)
    assert (
        map_of(runs, colours, H, W) == np.stack([expected, expected * 2, expected * 3], axis=2).astype(np.uint8)
    ).all()

    areas, boxes = extents(runs, len(listed), W)
    for number in range(len(listed)):
        rows, columns = np.nonzero(expected == number + 1)
        assert areas[number] == rows.size
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if rows.size else [0, 0, 0, 0]
        assert boxes[number].tolist() == box
        runs_of_one = coco_rle(runs, [number], H, W, compressed=bool(number % 2))
        assert (rle.decode(runs_of_one, max_pixels=H * W) == (expected == number + 1)).all()

    over = hidden(spans, H * W)
    found = dict(zip(zip(over.below.tolist(), over.above.tolist(), strict=True), over.pixels.tolist(), strict=True))
    counted = {
        (below, above): int((masks[below] & (expected == above + 1)).sum())
        for below in range(len(listed))
        for above in range(len(listed))
        if below != above
    }
    assert found == {pair: pixels for pair, pixels in counted.items() if pixels}
    x, y = chance.randrange(W), chance.randrange(H)
    assert at_place(spans, y * W + x) == [number for number, mask in enumerate(masks) if mask[y, x]]


@pytest.mark.parametrize("seed", range(20))
def test_the_runs_of_a_map_give_the_map_again(seed: int) -> None:
    chance = np.random.default_rng(seed)
    ids = chance.choice([0, 1, 7, 70_000], (chance.integers(1, 30), chance.integers(1, 40))).astype(np.uint32)
    values, runs = runs_of_ids(ids)
    assert values.tolist() == [value for value in np.unique(ids).tolist() if value]
    assert (map_of(runs, values.astype(np.uint32), *ids.shape) == ids).all()
    assert (runs.start // ids.shape[1] == (runs.stop - 1) // ids.shape[1]).all()


def test_a_large_picture_costs_its_runs_and_not_its_pixels() -> None:
    side = 65535
    listed = [{"type": "bbox", "points": [[0, 0], [side, side]]}, {"type": "bbox", "points": [[9, 9], [19, 19]]}]
    spans = spans_of(listed, side, side)
    runs = visible(spans, side * side)
    assert extents(runs, 2, side).areas.tolist() == [side * side - 100, 100]
    assert hidden(spans, side * side).pixels.tolist() == [100]
