"""Many outlines looked at together are what each is alone: its box, its pixels, the text of its rings."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.geometry import rasterize
from labeling.log import values
from releases.formats import coco, jsons, outlines, surveys
from releases.formats.records import Annotation, Sample
from releases.formats.surveys import Survey
from tests.support.records import CAR, bbox, written

FAR = [-0.0, 1e-7, 65535, 65535.5, 3e6, 1e308, -1e308]
COORDINATE = st.one_of(st.integers(-8, 90), st.floats(-8, 90, width=32), st.sampled_from(FAR))
RING = st.lists(st.lists(COORDINATE, min_size=2, max_size=2), min_size=0, max_size=6)
POLYGON = st.builds(
    lambda parts: {"type": "polygon", "parts": parts},
    st.lists(st.lists(RING, min_size=0, max_size=2), min_size=0, max_size=3),
)
BOX = st.builds(lambda points: {"type": "bbox", "points": points}, RING)
SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]
UNKNOWN = (0, 0)


def surveyed(geometries: list[dict[str, Any]], size_wh: tuple[int, int] = UNKNOWN) -> Survey:
    """A survey of geometries of pictures of one size."""
    return Survey((geometry, *size_wh) for geometry in geometries)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lines of pixels were drawn, one after the other."""
    drawn: list[int] = []

    def counting(real: Any) -> Any:
        def counted(edges: rasterize.Outlines, height: int, width: int) -> Any:
            drawn.append(int(np.abs(edges.y1 - edges.y0).sum()) // (2 * rasterize.GRID))
            return real(edges, height, width)

        return counted

    monkeypatch.setattr(surveys, "pixel_counts", counting(rasterize.pixel_counts))
    return drawn


@given(st.lists(st.one_of(POLYGON, BOX), max_size=6), st.sampled_from([UNKNOWN, (100, 60)]))
def test_a_survey_says_of_each_outline_what_is_found_of_it_alone(
    geometries: list[dict[str, Any]], size_wh: tuple[int, int]
) -> None:
    survey = surveyed(geometries, size_wh)
    rings = jsons.rings(survey.points, survey.sizes)
    assert len(rings) == len(survey.rings)
    for geometry in geometries:
        place = survey.place_of(geometry)
        is_plain = geometry["type"] in ("bbox", "polygon") and outlines.sound(geometry) is geometry
        assert (place is not None) == is_plain
        if place is None:
            continue
        assert survey.boxes[place] == outlines.box_of(geometry)
        first, last = survey.first_rings[place : place + 2]
        for ring, text in zip(survey.rings[first:last], rings[first:last], strict=True):
            assert b"[%b]" % text == values.canonical([float(side) for point in ring for side in point])
        assert survey.has_holes[place] == outlines.has_holes(geometry)
        for size in ((60, 100), (100, 60)):
            pixels = survey.pixels_in(place, *size)
            if pixels is not None:
                assert pixels == outlines.areas_of([geometry], *size)[0]
                assert outlines.is_within(geometry, *size)


def test_what_is_outside_of_its_picture_is_not_drawn_with_what_is_whole(lines: list[int]) -> None:
    whole = {"type": "polygon", "parts": [[SQUARE]]}
    outside = [
        {"type": "polygon", "parts": [[[[0, 0], [10, 0], [10, reach]]], [[[20, 0], [30, 0], [30, 9]]]]}
        for reach in (101, 65535, 65536, 1e308)
    ]
    assert surveyed([*outside, whole], (100, 100)).pixels == [-1] * 4 + [100]
    assert sum(lines) == 10
    turned = Survey([(outside[0], 40, 101), (outside[0], 101, 40), (whole, 10, 10), (whole, 0, 0)])
    assert turned.pixels == [550, -1, 100, 100]


def test_without_a_size_only_so_many_lines_are_drawn(lines: list[int]) -> None:
    tall = [{"type": "polygon", "parts": [[[[0, 0], [2, 0], [2, 65535], [0, 65535]]]]} for _ in range(40)]
    assert surveyed(tall).pixels == [2 * 65535] * 16 + [-1] * 24
    assert sum(lines) == 16 * 65535
    lines.clear()
    assert surveyed(tall, (2, 65535)).pixels == [2 * 65535] * 40, "what its picture holds is drawn"


@given(st.lists(st.lists(st.one_of(POLYGON, BOX), max_size=3), min_size=1, max_size=3))
def test_nothing_is_so_far_that_it_fails_the_pictures_beside_it(pictures: list[list[dict[str, Any]]]) -> None:
    samples = [
        Sample(f"{nth}.png", width=100, height=60, annotations=[Annotation(1, CAR, one) for one in geometries])
        for nth, geometries in enumerate([*pictures, [bbox(1, 2, 4, 6)]])
    ]
    files, _, _ = written(coco.INSTANCES, samples)
    last = json.loads(files["annotations/instances_default.json"])["annotations"][-1]
    assert (last["image_id"], last["bbox"], last["area"]) == (len(samples), [1, 2, 3, 4], 12)


def test_parts_that_overlap_are_counted_once_and_holes_not() -> None:
    two = {"type": "polygon", "parts": [[SQUARE], [[[5, 0], [15, 0], [15, 10], [5, 10]]]]}
    holed = {"type": "polygon", "parts": [[SQUARE, [[2, 2], [4, 2], [4, 4], [2, 4]]]]}
    survey = surveyed([two, bbox(1, 1, 5, 5), holed, {"type": "polygon", "parts": [[SQUARE]]}])
    assert survey.pixels == [150, -1, 96, 100]


def test_points_in_space_are_left_out_and_the_others_found() -> None:
    flat = {"type": "polygon", "parts": [[SQUARE]]}
    in_space = {"type": "polygon", "parts": [[[[0, 0, 1], [1, 0, 1], [1, 1, 1]]]]}
    survey = surveyed([in_space, flat, {"type": "bbox", "points": [[0, 0, 1], [1, 1, 1]]}])
    assert survey.geometries == [flat] and survey.pixels == [100]


def test_nothing_has_no_boxes_and_no_texts() -> None:
    survey = Survey([])
    assert survey.boxes == [] and survey.pixels == [] and jsons.rings(survey.points, survey.sizes) == []


def test_outlines_that_are_too_much_together_are_left_to_be_drawn_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasterize, "MAX_CROSSINGS", 25)
    assert surveyed([{"type": "polygon", "parts": [[SQUARE]]}]).pixels == [100]
    assert (
        surveyed([{"type": "polygon", "parts": [[SQUARE]]}, {"type": "polygon", "parts": [[[*SQUARE]]]}]).pixels
        == [-1] * 2
    )


def test_each_object_that_is_given_has_its_place_also_where_two_are_one_geometry() -> None:
    square = {"type": "polygon", "parts": [[SQUARE]]}
    in_space = {"type": "polygon", "parts": [[[[0, 0, 1], [1, 0, 1], [1, 1, 1]]]]}
    line = {"type": "polyline", "parts": [SQUARE]}
    survey = Survey([(in_space, 9, 9), (square, 10, 10), (line, 9, 9), (square, 9, 9), (square, 0, 0)])
    assert survey.places == [None, 0, None, 1, 2]
    assert survey.is_whole == [True, False, True] and survey.pixels == [100, -1, 100]


def test_one_geometry_in_pictures_of_two_sizes_is_cut_off_in_the_smaller_one() -> None:
    square = {"type": "polygon", "parts": [[SQUARE]]}
    samples = [
        Sample(f"{side}.png", width=side, height=20, annotations=[Annotation(1, CAR, square)]) for side in (20, 5, 20)
    ]
    files, _, _ = written(coco.INSTANCES, samples)
    found = json.loads(files["annotations/instances_default.json"])["annotations"]
    assert [item["area"] for item in found] == [100, 50, 100]


@given(st.lists(st.lists(st.sampled_from([0, 1, -1, 10, 0.5, -0.0, 100.05, 1e-7, 5e15, 2.25]), min_size=1), max_size=5))
def test_rows_of_numbers_are_written_as_each_number_is(numbers: list[list[float]]) -> None:
    found = jsons.rows(
        np.array([number for row in numbers for number in row], dtype=float), np.array([*map(len, numbers)], dtype=int)
    )
    assert found == [b",".join(values.canonical(float(number)) for number in row) for row in numbers]


def test_numbers_that_are_not_finite_are_no_json() -> None:
    with pytest.raises(ValueError, match="not finite"):
        jsons.rings(np.array([[0.0, np.nan]]), np.array([1]))


@pytest.mark.parametrize("piece", [1 << 16, 7])
def test_pixels_are_counted_as_the_runs_add_up(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(rasterize, "_PIECE", piece)
    monkeypatch.setattr(rasterize, "_BAND", 9)
    chance = np.random.default_rng(5)
    parts = [[chance.uniform(-20, 80, (chance.integers(0, 9), 2))] for _ in range(80)]
    ends = np.sort(chance.integers(0, 80, 40))
    for objects in (
        [[part] for part in parts],
        [parts[first:end] for first, end in zip([0, *ends], [*ends, 80], strict=True)],  # parts that overlap
        [],
    ):
        edges = rasterize.outlines(objects)
        spans = rasterize.united(rasterize.row_spans(edges, 50, 60), 50 * 60)
        runs = np.bincount(spans.owner, weights=spans.stop - spans.start, minlength=len(objects))
        assert rasterize.pixel_counts(edges, 50, 60).tolist() == runs.tolist()
