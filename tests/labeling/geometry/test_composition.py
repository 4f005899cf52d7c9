from __future__ import annotations

import gzip
import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as peer

from labeling.geometry import composition, rle
from labeling.geometry.bitmaps import BadBitmap
from labeling.geometry.composition import box_and_mask_of, coco_rle_of, label_map, spans_of
from labeling.geometry.parts import parts_of
from labeling.geometry.rasterize import mask_of

H, W = 40, 50


def geometries(chance: random.Random, count: int) -> list[dict[str, Any]]:
    def point() -> list[float]:
        return [chance.uniform(-8, W + 8), chance.uniform(-8, H + 8)]

    def one() -> dict[str, Any]:
        match chance.randrange(6):
            case 0:
                (x0, y0), (x1, y1) = point(), point()
                return {"type": "bbox", "points": [[min(x0, x1), min(y0, y1)], [max(x0, x1), max(y0, y1)]]}
            case 1:
                parts = [[[point() for _ in range(5)] for _ in range(chance.randint(1, 2))] for _ in range(2)]
                return {"type": "polygon", "parts": parts}
            case 2:
                return {"type": "polyline", "parts": [[point(), point(), point()]]}
            case 3:
                return {"type": "ellipse", "center": point(), "radii": [9, 4], "angle_deg": chance.uniform(0, 360)}
            case 4:
                return {"type": "point", "points": [point()]}
        size = (H + chance.randint(-9, 9), W + chance.randint(-9, 9))
        mask = np.random.default_rng(chance.randrange(2**32)).random(size) < chance.choice([0, 0.1, 0.9])
        return {"type": "bitmap", "rle": rle.encode(mask, compressed=chance.random() < 0.5)}

    return [one() for _ in range(count)]


def mask_alone(geometry: dict[str, Any], height: int, width: int) -> np.ndarray:
    if geometry["type"] != "bitmap":
        return mask_of(parts_of(geometry, line_width=3, point_radius=4), height, width)
    mask = rle.decode(geometry["rle"], max_pixels=10**6)[:height, :width]
    return np.pad(mask, ((0, height - mask.shape[0]), (0, width - mask.shape[1])))


@pytest.mark.parametrize("short", [0, 1e9], ids=["by intervals", "by pixels"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_the_last_of_the_objects_that_cover_a_pixel_shows(
    dtype: type, short: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composition, "_SHORT", short)
    monkeypatch.setattr(composition, "_BAND_PIXELS", 700)
    chance = random.Random(f"order {dtype} {short}")
    for _ in range(25):
        shapes = geometries(chance, chance.randint(0, 12))
        values = [chance.choice([0, 1, 7, np.iinfo(dtype).max]) for _ in shapes]
        expected = np.zeros((H, W), dtype)
        for shape, value in zip(shapes, values, strict=True):
            expected[mask_alone(shape, H, W)] = value
        found = label_map(spans_of(shapes, H, W, line_width=3, point_radius=4), values, H, W, dtype=dtype)
        assert found.dtype == dtype
        assert np.array_equal(found, expected)


def test_run_lengths_box_and_mask_of_one_object_are_those_of_its_mask() -> None:
    chance = random.Random("alone")
    for shape in geometries(chance, 150):
        mask = mask_alone(shape, H, W)
        for compressed in (False, True):
            found = coco_rle_of(shape, H, W, compressed=compressed, line_width=3, point_radius=4)
            assert found == rle.encode(mask, compressed=compressed)
        boxed = box_and_mask_of(shape, H, W, line_width=3, point_radius=4)
        if not mask.any():
            assert boxed is None
        else:
            assert boxed is not None
            (x0, y0, x1, y1), inner = boxed
            assert inner.shape == (y1 - y0, x1 - x0)
            rebuilt = np.zeros((H, W), bool)
            rebuilt[y0:y1, x0:x1] = inner
            assert np.array_equal(rebuilt, mask)
            assert inner[0].any() and inner[-1].any() and inner[:, 0].any() and inner[:, -1].any()


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([256], np.uint8),
        ([-1], np.uint8),
        ([2**16], np.uint16),
        ([2**32], np.uint32),
        ([1], np.int32),
        ([1], np.float64),
    ],
)
def test_a_value_that_the_map_does_not_hold_is_refused(values: list[int], dtype: type) -> None:
    spans = spans_of([{"type": "bbox", "points": [[0, 0], [3, 3]]}], H, W)
    with pytest.raises(ValueError, match="label map"):
        label_map(spans, values, H, W, dtype=dtype)


def test_run_lengths_that_are_none_are_refused() -> None:
    with pytest.raises(BadBitmap):
        spans_of([{"type": "bitmap", "rle": {"size": [2, 2], "counts": [5]}}], H, W)


def test_run_lengths_of_an_object_in_the_largest_image_need_no_mask() -> None:
    polygon: list[list[list[float]]] = [[[20000.5, 30000], [20900, 30010], [20400, 30900]]]
    tracemalloc.start()
    found = coco_rle_of({"type": "polygon", "parts": [polygon]}, 65535, 65535, compressed=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    near = [[[x - 20000, y - 30000] for x, y in ring] for ring in polygon]
    assert rle.area(found, max_pixels=rle.MAX_PIXELS) == mask_of([near], 1000, 1000).sum()


def test_the_polygons_of_lvis_get_nearly_the_pixels_of_pycocotools() -> None:
    packed = (Path(__file__).parents[2] / "data" / "lvis" / "polygons.json.gz").read_bytes()
    overlaps = []
    for item in json.loads(gzip.decompress(packed)):
        height, width = item["size"]
        rings = [np.reshape(ring, (-1, 2)).tolist() for ring in item["segmentation"]]
        found = coco_rle_of({"type": "polygon", "parts": [[ring] for ring in rings]}, height, width, compressed=True)
        theirs = peer.merge(peer.frPyObjects(item["segmentation"], height, width))
        ours = {"size": found["size"], "counts": found["counts"].encode()}
        overlaps.append(peer.iou([ours], [theirs], [0])[0, 0])
    assert len(overlaps) == 977
    assert np.mean(overlaps) >= 0.98
