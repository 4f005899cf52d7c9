from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from affine import Affine
from pycocotools import mask as peer
from rasterio import features

from labeling.geometry import rasterize
from labeling.geometry.rasterize import (
    BadOutline,
    Spans,
    boxed,
    column_spans,
    filled,
    mask_of,
    outlines,
    row_spans,
    united,
)
from tests.labeling.geometry import exact

H, W = 9, 11
Ring = list[list[float]]
BOX = [[10, 10], [20, 10], [20, 20], [10, 20]]


def by_columns(parts: list[list[Ring]], height: int, width: int) -> np.ndarray:
    """The mask by way of the sweep along the columns."""
    spans = column_spans(outlines([parts]), height, width)
    return filled(spans, width, height).T


def on_256ths(chance: random.Random, vertices: int) -> Ring:
    return [
        [chance.randint(-512, 256 * (W + 2)) / 256, chance.randint(-512, 256 * (H + 2)) / 256] for _ in range(vertices)
    ]


def on_halves(chance: random.Random, vertices: int) -> Ring:
    """Every vertex is a pixel's corner, centre or the middle of its side, so that ties are the rule."""
    return [[chance.randint(-2, 2 * W + 4) / 2, chance.randint(-2, 2 * H + 4) / 2] for _ in range(vertices)]


def on_corners(chance: random.Random, vertices: int) -> Ring:
    return [[chance.randint(-1, W + 1), chance.randint(-1, H + 1)] for _ in range(vertices)]


def on_centres(chance: random.Random, vertices: int) -> Ring:
    return [[chance.randint(-1, W) + 0.5, chance.randint(-1, H) + 0.5] for _ in range(vertices)]


def slivers(chance: random.Random, vertices: int) -> Ring:
    """A zigzag narrower than a pixel about a line through centres."""
    x, y = chance.randint(0, W) + 0.5, chance.randint(0, H) + 0.5
    step = chance.choice([(1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (1, 3)])
    ends = [[x + step[0] * n, y + step[1] * n] for n in range(vertices)]
    off = chance.randint(-2, 2) / 256
    return ends + [[a + off, b] for a, b in reversed(ends)]


def far_out(chance: random.Random, vertices: int) -> Ring:
    return [
        [chance.choice([-3000.25, 0.5, 4.0, 2000000.0]), chance.choice([-70000.5, 1.5, 5.0, 65000.0])]
        for _ in range(vertices)
    ]


def doubled(chance: random.Random, vertices: int) -> Ring:
    """Goes along some of its edges twice and more, and stands still."""
    ring = on_halves(chance, vertices)
    return ring + ring[: vertices // 2] + [ring[0], ring[0]]


KINDS: list[Callable[[random.Random, int], Ring]] = [
    on_256ths, on_halves, on_corners, on_centres, slivers, far_out, doubled,
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_pixel_differs_from_the_rational_oracle(kind: Callable[[random.Random, int], Ring]) -> None:
    chance = random.Random(f"oracle {kind.__name__}")
    for _ in range(300):
        parts = [
            [kind(chance, chance.randint(1, 9)) for _ in range(chance.choice([1, 1, 2, 3]))]
            for _ in range(chance.choice([1, 1, 1, 2, 3]))
        ]
        expected = exact.mask(parts, H, W)
        assert np.array_equal(mask_of(parts, H, W), expected), parts
        assert np.array_equal(by_columns(parts, H, W), expected), parts


def test_any_float_is_first_rounded_to_a_256th() -> None:
    chance = random.Random("floats")
    for _ in range(200):
        ring = [[chance.uniform(-3, W + 3), chance.uniform(-3, H + 3)] for _ in range(chance.randint(3, 12))]
        rounded = [[float(Fraction(round(Fraction(x) * 256), 256)) for x in point] for point in ring]
        assert np.array_equal(mask_of([[ring]], H, W), exact.mask([[rounded]], H, W)), ring


def test_many_objects_at_once_get_the_pixels_that_each_gets_alone() -> None:
    chance = random.Random("batch")
    objects = [[[on_256ths(chance, chance.randint(0, 7))] for _ in range(chance.randint(0, 3))] for _ in range(300)]
    spans = row_spans(outlines(objects), H, W)
    assert (np.diff(spans.owner) >= 0).all()
    for number, parts in enumerate(objects):
        own = spans.owner == number
        alone = filled(Spans(spans.owner[own], spans.start[own], spans.stop[own]), H, W)
        assert np.array_equal(alone, mask_of(parts, H, W))


@pytest.mark.parametrize(
    ("parts", "area"),
    [
        ([[BOX]], 100),
        ([[[[x + 0.5, y + 0.5] for x, y in BOX]]], 100),
        ([[[[x + 0.4, y + 0.4] for x, y in BOX]]], 100),
        ([[[[10, 10], [11, 10], [11, 11], [10, 11]]]], 1),
        ([[[[10, 10], [20, 10], [10, 20]]]], 45),
        ([[[[20, 15], [25, 20], [20, 25], [15, 20]]]], 50),
        ([[[[10, 10.1], [30, 10.1], [30, 10.3], [10, 10.3]]]], 0),
        ([[[[10, 10], [30, 10], [20, 10]]]], 0),
        ([[[[5, 5], [35, 5], [35, 35], [5, 35]], BOX]], 800),
        ([[BOX], [BOX]], 100),
        ([[BOX, BOX]], 0),
        ([[[*BOX, BOX[0]]]], 100),
        ([[BOX[::-1]]], 100),
    ],
)
def test_areas_are_those_of_the_definition(parts: list[list[Ring]], area: int) -> None:
    assert mask_of(parts, 40, 40).sum() == by_columns(parts, 40, 40).sum() == area


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [[]],
        [[[]]],
        [[[[3, 3]]]],
        [[[[3, 3], [7, 7]]]],
        [[[[-9, -9], [-1, -9], [-1, -1]]]],
        [[[[99, 2], [120, 2], [110, 8]]]],
        [[[[2, 99], [8, 99], [5, 120]]]],
        [[[[1e300, 1e300], [-1e300, 1e300], [5, 9e299]]]],
        [[np.zeros((0, 2))]],
    ],
)
def test_what_has_no_area_or_lies_outside_has_no_pixel(parts: list[list[Ring]]) -> None:
    assert not mask_of(parts, H, W).any()
    assert not by_columns(parts, H, W).any()
    assert boxed(row_spans(outlines([parts]), H, W), W) is None


def test_an_outline_far_around_the_image_fills_it() -> None:
    assert mask_of([[[[-1e300, -1e300], [1e300, -1e300], [1e300, 1e300], [-1e300, 1e300]]]], H, W).all()


@pytest.mark.parametrize(
    "ring",
    [
        [[0, 0], [1, float("nan")], [2, 2]],
        [[0, 0], [float("inf"), 0], [2, 2]],
        [[0, 0, 0]] * 3,
        [[0], [1], [2]],
        ["ab", "cd"],
        [0, 1, 2, 3],
        [[[0, 1]]],
        [[0, 10**400], [1, 1], [2, 0]],
        [[0, None], [1, 1], [2, 0]],
    ],
)
def test_what_is_no_pair_of_finite_numbers_is_refused(ring: Ring) -> None:
    with pytest.raises(BadOutline):
        mask_of([[ring]], H, W)
    with pytest.raises(BadOutline):
        mask_of([[ring], [np.zeros((3, 2))]], H, W)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (65536, 1), (1, 65536)])
def test_an_image_without_pixels_or_too_large_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(BadOutline):
        row_spans(outlines([[[BOX]]]), *size)


def test_triangles_that_tile_the_image_cover_each_pixel_once() -> None:
    chance = random.Random("tiling")
    for kind in (on_256ths, on_halves, on_centres):
        for _ in range(60):
            triangles = [((-2.0, -2.0), (15.0, -2.0), (15.0, 13.0)), ((-2.0, -2.0), (15.0, 13.0), (-2.0, 13.0))]
            for _ in range(12):
                # any point splits the triangle that holds it into three, degenerate ones included
                x, y = kind(chance, 1)[0]
                for number, (a, b, c) in enumerate(triangles):
                    turns = [
                        (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]) for p, q in ((a, b), (b, c), (c, a))
                    ]
                    if all(turn >= 0 for turn in turns) or all(turn <= 0 for turn in turns):
                        triangles[number : number + 1] = [(a, b, (x, y)), (b, c, (x, y)), (c, a, (x, y))]
                        break
            covered = np.zeros((H, W), int)
            for triangle in triangles:
                covered += mask_of([[[list(p) for p in triangle]]], H, W)
            assert (covered == 1).all()


def test_off_the_ties_rasterio_sets_the_same_pixels() -> None:
    chance = np.random.default_rng(4)
    for _ in range(120):
        angles = np.sort(chance.random(chance.integers(3, 60))) * 2 * np.pi
        radius = 30 * (0.3 + 0.7 * chance.random(angles.size))
        points = np.stack([40 + radius * np.cos(angles), 35 + radius * np.sin(angles)], axis=1)
        points = (np.floor(points * 256) + 0.0) / 256
        points[:, 1] = (
            np.floor(points[:, 1]) + (np.floor(points[:, 1] * 128 % 128) * 2 + 1) / 256
        )  # no vertex on a row's centre
        ring = points.tolist()
        expected = features.rasterize(
            [({"type": "Polygon", "coordinates": [[*ring, ring[0]]]}, 1)],
            out_shape=(70, 80),
            transform=Affine.identity(),
        ).astype(bool)
        assert np.array_equal(mask_of([[ring]], 70, 80), expected)


def test_lattice_rings_get_the_pixels_of_pycocotools() -> None:
    chance = random.Random("lattice")
    for _ in range(300):
        # edges along the axes: a staircase around, as contours have them
        x, y, ring = 20, 20, [[20, 20]]
        for _ in range(chance.randint(2, 12)):
            x = min(38, max(0, x + chance.randint(-9, 9)))
            ring.append([x, y])
            y = min(28, max(0, y + chance.randint(-9, 9)))
            ring.append([x, y])
        ring.append([20, y])
        flat = [float(value) for point in ring for value in point]
        encoded = peer.merge(peer.frPyObjects([flat], 30, 40))
        assert np.array_equal(mask_of([[ring]], 30, 40), peer.decode(encoded).astype(bool)), ring


def test_a_box_and_its_mask_need_no_map_of_the_image() -> None:
    ring = [[30000.2, 40000.7], [30060.9, 40010.1], [30020.3, 40090.8]]
    tracemalloc.start()
    found = boxed(row_spans(outlines([[[ring]]]), 65535, 65535), 65535)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000
    assert found is not None
    (x0, y0, x1, y1), mask = found
    near = [[x - 30000, y - 40000] for x, y in ring]
    assert np.array_equal(mask, mask_of([[near]], 100, 100)[y0 - 40000 : y1 - 40000, x0 - 30000 : x1 - 30000])
    assert mask[0].any() and mask[-1].any() and mask[:, 0].any() and mask[:, -1].any()


def test_a_hundred_thousand_vertices_in_the_largest_image() -> None:
    angles = np.arange(100_000) * (2 * np.pi / 100_000)
    radius = np.where(np.arange(100_000) % 2, 32000, 31990)
    ring = np.stack([32767 + radius * np.cos(angles), 32767 + radius * np.sin(angles)], axis=1)
    spans = row_spans(outlines([[[ring]]]), 65535, 65535)
    area = int((spans.stop - spans.start).sum())
    following = np.roll(ring, -1, axis=0)
    shoelace = abs((ring[:, 0] * following[:, 1] - ring[:, 1] * following[:, 0]).sum()) / 2
    assert abs(area - shoelace) < 2 * np.pi * 32000
    columns = column_spans(outlines([[[ring]]]), 65535, 65535)
    assert int((columns.stop - columns.start).sum()) == area


def test_work_in_pieces_and_bands_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random("pieces")
    objects = [
        [[[[chance.uniform(0, 90), chance.uniform(0, 60)] for _ in range(15)] for _ in range(2)] for _ in range(3)]
        for _ in range(4)
    ]
    edges = outlines(objects)
    whole = [sweep(edges, 60, 90) for sweep in (row_spans, column_spans)]
    for piece, band in ((1, 1), (90, 700), (2000, 2000)):
        monkeypatch.setattr(rasterize, "_PIECE", piece)
        monkeypatch.setattr(rasterize, "_BAND", band)
        for sweep, expected in zip((row_spans, column_spans), whole, strict=True):
            assert all(map(np.array_equal, sweep(edges, 60, 90), expected))


def test_too_many_crossings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasterize, "MAX_CROSSINGS", 19)
    with pytest.raises(BadOutline):
        row_spans(outlines([[[BOX]]]), 40, 40)
    monkeypatch.setattr(rasterize, "MAX_CROSSINGS", 20)
    assert row_spans(outlines([[[BOX]]]), 40, 40).owner.size == 10


def test_united_runs_neither_touch_nor_overlap_and_keep_their_pixels() -> None:
    chance = random.Random("united")
    for _ in range(100):
        objects = [[[on_halves(chance, 5)] for _ in range(chance.randint(0, 4))] for _ in range(3)]
        for sweep in (row_spans, column_spans):
            spans = sweep(outlines(objects), H, W)
            found = united(spans, H * W)
            for number in range(3):

                def pixels(of: Spans, number: int = number) -> set[int]:
                    runs = zip(of.owner.tolist(), of.start.tolist(), of.stop.tolist(), strict=True)
                    return {place for owner, start, stop in runs if owner == number for place in range(start, stop)}

                own = found.owner == number
                runs = list(zip(found.start[own].tolist(), found.stop[own].tolist(), strict=True))
                assert all(start < stop for start, stop in runs)
                assert all(one[1] < other[0] for one, other in pairwise(runs))
                assert pixels(found) == pixels(spans)
