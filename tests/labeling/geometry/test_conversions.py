from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from labeling.geometry.conversions import bitmap_of, painted, polygon_of
from labeling.geometry.parts import parts_of
from labeling.geometry.rasterize import mask_of
from labeling.geometry.shapes import checked_geometry

H, W = 30, 40
masks = hnp.arrays(bool, st.just((7, 9)))
SHAPES = [
    {"type": "bbox", "points": [[3.5, 4], [20, 29.25]]},
    {"type": "rbox", "center": [20, 15], "size_wh": [18, 9], "angle_deg": 30},
    {"type": "ellipse", "center": [20, 15], "radii": [18, 9], "angle_deg": -30},
    {
        "type": "polygon",
        "parts": [[[[1, 1], [30, 2], [15, 28]], [[10, 5], [20, 5], [15, 15]]], [[[31, 20], [45, 20], [31, 35]]]],
    },
]


def decoded(runs: dict) -> np.ndarray:
    return rle.decode(runs, max_pixels=10**6)


@pytest.mark.parametrize("geometry", SHAPES, ids=lambda shape: shape["type"])
def test_what_has_an_inside_becomes_a_bitmap_of_it(geometry: dict) -> None:
    bitmap = bitmap_of(geometry, H, W)
    assert bitmap is not None
    checked_geometry(bitmap, where="g")
    assert np.array_equal(decoded(bitmap["rle"]), mask_of(parts_of(geometry), H, W))


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "point", "points": [[3, 4]]},
        {"type": "polyline", "parts": [[[3, 4], [9, 9]]]},
        {"type": "skeleton", "points": []},
        {"type": "orientation"},
        {"type": "mask"},
        {"type": "bitmap", "rle": {"size": [1, 1], "counts": [0, 1]}},
    ],
    ids=lambda shape: shape["type"],
)
def test_what_has_no_inside_becomes_no_bitmap(geometry: dict) -> None:
    assert bitmap_of(geometry, H, W) is None


@given(masks)
def test_a_bitmap_made_a_polygon_and_a_bitmap_again_is_the_same(mask: np.ndarray) -> None:
    bitmap = {"type": "bitmap", "rle": rle.encode(mask, compressed=True)}
    polygon = polygon_of(bitmap)
    assert polygon.overlap == 1
    assert polygon.vertices == sum(len(ring) for part in polygon.geometry["parts"] for ring in part)
    assert bitmap_of(polygon.geometry, *mask.shape) == bitmap


def test_a_simplified_polygon_tells_its_vertices_and_its_overlap() -> None:
    mask = np.zeros((400, 500), bool)
    y, x = np.mgrid[:400, :500]
    mask[(x - 250.0) ** 2 + (y - 200.0) ** 2 < 150**2] = True
    bitmap = {"type": "bitmap", "rle": rle.encode(mask)}
    exact, simpler = polygon_of(bitmap), polygon_of(bitmap, tolerance=1.0)
    assert simpler.vertices < exact.vertices / 5
    again = mask_of(simpler.geometry["parts"], 400, 500)
    assert simpler.overlap == (mask & again).sum() / (mask | again).sum()
    assert 0.98 < simpler.overlap < 1
    checked_geometry(simpler.geometry, where="g")


def test_an_empty_bitmap_becomes_a_polygon_without_parts() -> None:
    empty = {"type": "bitmap", "rle": rle.encode(np.zeros((3, 4), bool))}
    assert polygon_of(empty, tolerance=2) == polygon_of(empty)
    assert polygon_of(empty).geometry == {"type": "polygon", "parts": []}


@given(masks, masks, st.booleans())
def test_a_stroke_draws_and_erases_its_pixels(mask: np.ndarray, stroke: np.ndarray, compressed: bool) -> None:
    runs, change = rle.encode(mask, compressed=compressed), rle.encode(stroke)
    assert painted(runs, change, "draw") == rle.encode(mask | stroke, compressed=True)
    assert painted(runs, change, "erase") == rle.encode(mask & ~stroke, compressed=True)


@given(masks, masks)
def test_drawn_and_erased_again_is_as_before(mask: np.ndarray, stroke: np.ndarray) -> None:
    runs, change = rle.encode(mask, compressed=True), rle.encode(stroke & ~mask)
    assert painted(painted(runs, change, "draw"), change, "erase") == runs


def test_runs_without_length_change_nothing() -> None:
    runs = {"size": [2, 3], "counts": [1, 0, 0, 2, 0, 0, 3]}
    empty = rle.encode(np.zeros((2, 3), bool))
    assert painted(runs, empty, "draw") == painted(runs, empty, "erase") == rle.encode(decoded(runs), compressed=True)
    assert painted(empty, runs, "draw") == rle.encode(decoded(runs), compressed=True)


def test_a_stroke_of_another_size_is_refused() -> None:
    runs, change = rle.encode(np.ones((2, 3), bool)), rle.encode(np.ones((3, 2), bool))
    for how in ("draw", "erase"):
        with pytest.raises(BadBitmap):
            painted(runs, change, how)
