from __future__ import annotations

import copy
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labeling.geometry import rle, shapes
from labeling.log import values
from labeling.log.values import BadValue

TRIANGLE = [[0, 0], [4.5, 0], [4, 3]]
SPOT = np.zeros((6, 8), bool)
SPOT[2:4, 3:7] = True
POINT = {"name": "nose", "x": 1.5, "y": 2, "visibility": 2}

SOUND: list[dict[str, Any]] = [
    {"type": "bbox", "points": [[0, 1.25], [10, 20]]},
    {"type": "bbox", "points": [[-3, 1], [-3, 1]]},
    {"type": "rbox", "center": [5, 6], "size_wh": [4, 0], "angle_deg": -725.5},
    {"type": "polygon", "parts": [[TRIANGLE]]},
    {"type": "polygon", "parts": [[TRIANGLE, TRIANGLE], [TRIANGLE]]},
    {"type": "polyline", "parts": [TRIANGLE, TRIANGLE[:2]]},
    {"type": "point", "points": [[1e300, -5]]},
    {
        "type": "skeleton",
        "points": [POINT, {"name": "ear", "visibility": 0}, {**POINT, "name": "eye", "visibility": 1}],
    },
    {"type": "skeleton", "points": [{"name": "ear", "x": None, "y": None, "visibility": 0}]},
    {"type": "ellipse", "center": [5, 6], "radii": [4, 2.5], "angle_deg": 30},
    {"type": "bitmap", "rle": rle.encode(SPOT)},
    {"type": "bitmap", "rle": rle.encode(SPOT, compressed=True), "box_xyxy": [3, 2, 7, 4]},
    {"type": "orientation"},
    {"type": "mask"},
]
DEGENERATE: list[dict[str, Any]] = [
    {"type": "bbox", "points": []},
    {"type": "bbox", "points": [[1, 2]]},
    {"type": "bbox", "points": TRIANGLE},
    {"type": "bbox", "points": [[5, 5], [4, 6]]},
    {"type": "bbox", "points": [[5, 5], [6, 4]]},
    {"type": "polygon", "parts": []},
    {"type": "polygon", "parts": [[]]},
    {"type": "polygon", "parts": [[[]]]},
    {"type": "polygon", "parts": [[[[1, 2]]]]},
    {"type": "polygon", "parts": [[TRIANGLE, TRIANGLE[:2]]]},
    {"type": "polyline", "parts": []},
    {"type": "polyline", "parts": [[]]},
    {"type": "polyline", "parts": [[[1, 2]]]},
    {"type": "point", "points": []},
    {"type": "point", "points": TRIANGLE},
    {"type": "skeleton", "points": []},
    {"type": "bitmap", "rle": {"size": [2, 2], "counts": [4]}},
    {"type": "orientation", "colour": "red"},
    {"type": "bbox", "points": [[0, 0], [1, 1]], "colour": "red"},
]


@pytest.mark.parametrize("geometry", SOUND, ids=json.dumps)
@pytest.mark.parametrize("lenient", [False, True])
def test_a_sound_shape_passes_as_it_was_sent(geometry: dict[str, Any], lenient: bool) -> None:
    sent = copy.deepcopy(geometry)
    assert repr(shapes.checked_geometry(sent, where="geometry", lenient=lenient)) == repr(geometry)


@pytest.mark.parametrize("geometry", DEGENERATE, ids=json.dumps)
def test_a_degenerate_shape_passes_only_from_the_protocol(geometry: dict[str, Any]) -> None:
    assert shapes.checked_geometry(geometry, where="geometry", lenient=True) == geometry
    with pytest.raises(BadValue):
        shapes.checked_geometry(geometry, where="geometry")
    wire = shapes.to_wire(geometry)
    assert wire is None or isinstance(wire[1], list)
    assert isinstance(shapes.keeps(geometry), list)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("geometry", "where"),
    [
        (None, "g"),
        ([], "g"),
        ("bbox", "g"),
        ({}, "g.type"),
        ({"type": None}, "g.type"),
        ({"type": ["bbox"]}, "g.type"),
        ({"type": "cuboid"}, "g.type"),
        ({"type": "bbox"}, "g.points"),
        ({"type": "bbox", "points": None}, "g.points"),
        ({"type": "bbox", "points": {"0": 1}}, "g.points"),
        ({"type": "bbox", "points": [[0, 0], 5]}, "g.points[1]"),
        ({"type": "bbox", "points": [[0, 0], [5]]}, "g.points[1]"),
        ({"type": "bbox", "points": [[0, 0], [5, 5, 5]]}, "g.points[1]"),
        ({"type": "bbox", "points": [[0, 0], (5, 5)]}, "g.points[1]"),
        ({"type": "bbox", "points": [[0, 0], [5, "5"]]}, "g.points[1][1]"),
        ({"type": "bbox", "points": [[0, 0], [5, None]]}, "g.points[1][1]"),
        ({"type": "bbox", "points": [[0, True], [5, 5]]}, "g.points[0][1]"),
        ({"type": "bbox", "points": [[math.nan, 0], [5, 5]]}, "g.points[0][0]"),
        ({"type": "polygon", "parts": [[TRIANGLE], [TRIANGLE, [*TRIANGLE, [0, math.inf]]]]}, "g.parts[1][1][3][1]"),
        ({"type": "polygon", "points": TRIANGLE}, "g.parts"),
        ({"type": "polygon", "parts": [TRIANGLE]}, "g.parts[0][0][0]"),
        ({"type": "polygon", "parts": TRIANGLE}, "g.parts[0][0]"),
        ({"type": "polygon", "parts": [[TRIANGLE], None]}, "g.parts[1]"),
        ({"type": "polyline", "parts": [TRIANGLE, [[0, 0], [-math.inf, 1]]]}, "g.parts[1][1][0]"),
        ({"type": "point", "points": [[{}, 0]]}, "g.points[0][0]"),
        ({"type": "rbox", "center": [0, 0], "size_wh": [1, 1]}, "g.angle_deg"),
        ({"type": "rbox", "center": [0, 0], "size_wh": [1, 1], "angle_deg": math.inf}, "g.angle_deg"),
        ({"type": "rbox", "center": [0, 0], "size_wh": [1, -1], "angle_deg": 0}, "g.size_wh[1]"),
        ({"type": "rbox", "center": [0, 2e9], "size_wh": [1, 1], "angle_deg": 0}, "g.center[1]"),
        ({"type": "rbox", "center": [0], "size_wh": [1, 1], "angle_deg": 0}, "g.center"),
        ({"type": "ellipse", "center": [0, 0], "radii": [-1, 1], "angle_deg": 0}, "g.radii[0]"),
        ({"type": "ellipse", "center": "00", "radii": [1, 1], "angle_deg": 0}, "g.center"),
        ({"type": "ellipse", "center": [0, 0], "radii": [1, 1], "angle_deg": "0"}, "g.angle_deg"),
        ({"type": "skeleton", "points": [POINT, POINT]}, "g.points[1].name"),
        ({"type": "skeleton", "points": {}}, "g.points"),
        ({"type": "bitmap"}, "g.rle"),
        ({"type": "bitmap", "rle": []}, "g.rle"),
        ({"type": "bitmap", "rle": {"size": [2, 2]}}, "g.rle.counts"),
        ({"type": "bitmap", "rle": {"size": [2, 2], "counts": [1, 2]}}, "g.rle"),
        ({"type": "bitmap", "rle": {"size": [10**6, 10**6], "counts": [0, 10**12]}}, "g.rle"),
        ({"type": "bitmap", "rle": rle.encode(SPOT), "box_xyxy": [3, 2, 7, 5]}, "g.box_xyxy"),
        ({"type": "bitmap", "rle": rle.encode(SPOT), "box_xyxy": None}, "g.box_xyxy"),
    ],
)
def test_a_bad_shape_is_refused_with_the_place_of_the_fault(geometry: Any, where: str, lenient: bool) -> None:
    with pytest.raises(BadValue) as refusal:
        shapes.checked_geometry(geometry, where="g", lenient=lenient)
    assert refusal.value.where == where


@pytest.mark.parametrize("geometry", SOUND, ids=json.dumps)
def test_an_unknown_key_is_refused_unless_lenient(geometry: dict[str, Any]) -> None:
    extended = {**geometry, "colour": "red"}
    with pytest.raises(BadValue) as refusal:
        shapes.checked_geometry(extended, where="g")
    assert refusal.value.where == "g.colour"
    assert shapes.checked_geometry(extended, where="g", lenient=True) == extended


def test_keypoints_pass_as_they_were_sent() -> None:
    keypoints = [POINT, {"name": "tail", "x": 0.1, "y": -0.5, "visibility": 1}, {"name": "paw", "visibility": 0}]
    assert shapes.checked_keypoints(keypoints, "keypoints") == keypoints
    assert shapes.checked_keypoints([], "keypoints") == []


@pytest.mark.parametrize(
    ("keypoints", "where"),
    [
        (None, "k"),
        ({"name": "a"}, "k"),
        ([[1, 2]], "k[0]"),
        ([{**POINT, "v": 2}], "k[0].v"),
        ([{"x": 1, "y": 1, "visibility": 2}], "k[0].name"),
        ([{"name": "a", "x": 1, "y": 1}], "k[0].visibility"),
        ([{**POINT, "name": ""}], "k[0].name"),
        ([{**POINT, "name": 5}], "k[0].name"),
        ([POINT, {**POINT, "name": "b"}, POINT], "k[2].name"),
        ([{**POINT, "visibility": 3}], "k[0].visibility"),
        ([{**POINT, "visibility": True}], "k[0].visibility"),
        ([{**POINT, "visibility": 1.0}], "k[0].visibility"),
        ([{**POINT, "visibility": [1]}], "k[0].visibility"),
        ([{**POINT, "x": None}], "k[0].x"),
        ([{**POINT, "visibility": 0, "x": None}], "k[0].x"),
        ([{**POINT, "y": math.nan}], "k[0].y"),
        ([{"name": "a", "visibility": 1}], "k[0].x"),
    ],
)
def test_bad_keypoints_are_refused_with_the_place_of_the_fault(keypoints: Any, where: str) -> None:
    with pytest.raises(BadValue) as refusal:
        shapes.checked_keypoints(keypoints, "k")
    assert refusal.value.where == where


def test_an_orientation_passes_as_it_was_sent() -> None:
    orientation = {"roll_deg": 0, "pitch_deg": -12.5, "yaw_deg": 370}
    assert shapes.checked_orientation(orientation, "orientation") == orientation


@pytest.mark.parametrize(
    ("orientation", "where"),
    [
        (None, "o"),
        ([0, 0, 0], "o"),
        ({"roll_deg": 0, "pitch_deg": 0}, "o.yaw_deg"),
        ({"roll_deg": 0, "pitch_deg": 0, "yaw_deg": "0"}, "o.yaw_deg"),
        ({"roll_deg": 0, "pitch_deg": math.inf, "yaw_deg": 0}, "o.pitch_deg"),
        ({"roll_deg": 0, "pitch_deg": 0, "yaw_deg": 0, "unit": "deg"}, "o.unit"),
    ],
)
def test_a_bad_orientation_is_refused_with_the_place_of_the_fault(orientation: Any, where: str) -> None:
    with pytest.raises(BadValue) as refusal:
        shapes.checked_orientation(orientation, "o")
    assert refusal.value.where == where


coordinates = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1)
point_lists = st.lists(st.tuples(coordinates, coordinates).map(list), max_size=6)


@given(st.sampled_from(["bbox", "polygon", "polyline", "point"]), point_lists)
def test_what_the_protocol_sent_comes_back_verbatim_and_loses_nothing(kind: str, points: list[list[float]]) -> None:
    geometry = shapes.checked_geometry(shapes.from_wire(kind, points), where="g", lenient=True)
    assert repr(shapes.to_wire(geometry)) == repr((kind, points))
    assert shapes.keeps(geometry) == []


def test_the_protocol_has_four_types() -> None:
    for form in ("rbox", "cuboid", "skeleton", ""):
        with pytest.raises(BadValue):
            shapes.from_wire(form, [])


@pytest.mark.parametrize(
    ("geometry", "wire", "kept"),
    [
        ({"type": "polygon", "parts": [[TRIANGLE, [[1, 1], [2, 1], [2, 2]]]]}, ("polygon", TRIANGLE), ["holes"]),
        ({"type": "polygon", "parts": [[TRIANGLE], [[[9, 9], [8, 9], [8, 8]]]]}, ("polygon", TRIANGLE), ["parts"]),
        ({"type": "polygon", "parts": [[TRIANGLE], [TRIANGLE, TRIANGLE]]}, ("polygon", TRIANGLE), ["parts", "holes"]),
        ({"type": "polyline", "parts": [TRIANGLE, [[1, 1], [2, 2]]]}, ("polyline", TRIANGLE), ["parts"]),
        (
            {"type": "rbox", "center": [10, 20], "size_wh": [4, 2], "angle_deg": 0},
            ("polygon", [[8, 19], [12, 19], [12, 21], [8, 21]]),
            ["rotation"],
        ),
        (
            {"type": "rbox", "center": [10, 20], "size_wh": [4, 2], "angle_deg": 90},
            ("polygon", [[11, 18], [11, 22], [9, 22], [9, 18]]),
            ["rotation"],
        ),
        (
            {"type": "rbox", "center": [10, 20], "size_wh": [4, 2], "angle_deg": 30},
            (
                "polygon",
                [
                    [8.767578125, 18.1337890625],
                    [12.232421875, 20.1337890625],
                    [11.232421875, 21.8662109375],
                    [7.767578125, 19.8662109375],
                ],
            ),
            ["rotation"],
        ),
        (
            {
                "type": "skeleton",
                "points": [POINT, {"name": "a", "x": 5, "y": 6, "visibility": 0}, {**POINT, "visibility": 1}],
            },
            ("point", [[1.5, 2], [1.5, 2]]),
            ["names", "visibility"],
        ),
        ({"type": "bitmap", "rle": rle.encode(SPOT)}, ("bbox", [[3, 2], [7, 4]]), ["pixels"]),
        ({"type": "orientation"}, None, ["orientation"]),
        ({"type": "mask"}, None, []),
    ],
    ids=json.dumps,
)
def test_the_wire_shows_the_nearest_form_and_the_loss_is_named(
    geometry: dict[str, Any], wire: tuple[str, Any] | None, kept: list[str]
) -> None:
    assert shapes.to_wire(geometry) == wire
    assert shapes.keeps(geometry) == kept


def test_an_ellipse_is_shown_as_a_polygon_on_its_curve() -> None:
    ellipse = {"type": "ellipse", "center": [100.5, -20], "radii": [40, 10], "angle_deg": 25}
    form, points = shapes.to_wire(ellipse) or ("", [])
    assert form == "polygon"
    assert len(points) == 32
    assert shapes.keeps(ellipse) == ["curve"]
    cosine, sine = math.cos(math.radians(25)), math.sin(math.radians(25))
    assert points[0] == pytest.approx([100.5 + 40 * cosine, -20 + 40 * sine], abs=1 / 1024)
    assert points[8] == pytest.approx([100.5 - 10 * sine, -20 + 10 * cosine], abs=1 / 1024)
    for x, y in points:
        along, across = (x - 100.5) * cosine + (y + 20) * sine, (y + 20) * cosine - (x - 100.5) * sine
        assert (along / 40) ** 2 + (across / 10) ** 2 == pytest.approx(1, abs=1e-3)


lengths = st.floats(0, 1e9)
places = st.floats(-1e9, 1e9)


@given(st.tuples(places, places), st.tuples(lengths, lengths), st.floats(allow_nan=False, allow_infinity=False))
@example((0.0, 0.0), (1e9, 1e9), 1e300)
@example((1e9, -1e9), (1e9, 0.0), -0.0)
def test_derived_points_are_finite_and_on_the_grid(center: Any, sides: Any, angle_deg: float) -> None:
    for geometry in (
        {"type": "rbox", "center": list(center), "size_wh": list(sides), "angle_deg": angle_deg},
        {"type": "ellipse", "center": list(center), "radii": list(sides), "angle_deg": angle_deg},
    ):
        _, points = shapes.to_wire(shapes.checked_geometry(geometry, where="g")) or ("", [])
        numbers = [number for point in points for number in point]
        assert all((number * 1024).is_integer() for number in numbers)
        assert not any(number == 0 and math.copysign(1, number) < 0 for number in numbers)
        values.checked(points, where="points")


def test_the_corners_of_a_turned_box_have_its_centre_and_size() -> None:
    draw = np.random.default_rng(4)
    for _ in range(200):
        center, size, angle_deg = draw.uniform(0, 4000, 2), draw.uniform(0, 500, 2), draw.uniform(-400, 400)
        rbox = {"type": "rbox", "center": center.tolist(), "size_wh": size.tolist(), "angle_deg": float(angle_deg)}
        corners = np.array((shapes.to_wire(rbox) or ("", []))[1])
        assert corners.mean(axis=0) == pytest.approx(center, abs=1 / 1024)
        assert np.linalg.norm(corners[1] - corners[0]) == pytest.approx(size[0], abs=2 / 1024)
        assert np.linalg.norm(corners[2] - corners[1]) == pytest.approx(size[1], abs=2 / 1024)


@given(st.floats(-360, 360))
def test_sine_and_cosine_are_those_of_the_library(angle_deg: float) -> None:
    sine, cosine = shapes.sine_cosine(angle_deg)
    assert abs(sine - math.sin(math.radians(angle_deg))) < 1e-12
    assert abs(cosine - math.cos(math.radians(angle_deg))) < 1e-12


@pytest.mark.parametrize("turns", [-3, -1, 0, 1, 7, 10**6])
def test_sine_and_cosine_are_exact_at_right_angles(turns: int) -> None:
    exact = [(0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0)]
    for quarter in range(4):
        assert repr(shapes.sine_cosine(360.0 * turns + 90.0 * quarter)) == repr(exact[quarter])


def test_sine_and_cosine_have_the_bits_they_were_given_once() -> None:
    assert [part.hex() for part in shapes.sine_cosine(30)] == ["0x1.fffffffffffffp-2", "0x1.bb67ae8584cabp-1"]
    assert [part.hex() for part in shapes.sine_cosine(-123.456)] == ["-0x1.ab2a9b25a9ab9p-1", "-0x1.1a43870d371f9p-1"]


coordinates = (
    st.floats(-1e4, 1e4)
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.sampled_from([0.0, -0.0, 1e-7, 1e22, 5e-324, 12.0, -0.05])
)
rings = st.integers(3, 6).flatmap(lambda count: st.lists(coordinates, min_size=2 * count, max_size=2 * count))


@given(flat=st.lists(rings, min_size=1, max_size=3))
@example(flat=[[float(nth) / 4 for nth in range(1200)]])
def test_a_polygon_of_flat_rings_is_written_as_its_points_are(flat: list[list[float]]) -> None:
    parts = [[[[x, y] for x, y in zip(ring[::2], ring[1::2], strict=True)]] for ring in flat]
    plain = {"type": "polygon", "parts": parts}
    drawn = shapes.polygon_of(flat)
    assert repr(drawn.read()) == repr({"parts": parts, "type": "polygon"}) and drawn.form == "polygon"
    assert drawn.canonical == values.canonical(plain) == shapes.written_out(plain).canonical
    assert drawn.text == shapes.written_out(plain).text
    spelled = drawn.spelled()
    assert spelled.text == spelled.canonical == drawn.canonical and values.same(spelled.read(), plain)


@pytest.mark.parametrize(
    "rings",
    [
        [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6, 7]], [[1, 2, 3, 4, 5, "6"]], [[1, 2, 3, 4, 5, None]],
        [[1, 2, 3, 4, 5, True]], [[1, 2, 3, 4, 5, math.nan]], [[1, 2, 3, 4, 5, math.inf]], [[1, 2, 3, 4, 5, 2**60]],
        [[1, 2, 3, 4, 5, 10**400]], [[1, 2, 3, 4, 5, [6]]], [[1, 2, 3, 4, 5, 6], 7], [(1, 2, 3, 4, 5, 6)],
        [[1, 2, 3, 4, 5, 1e-7], [1, 2]],
    ],
)  # fmt: skip
def test_no_polygon_is_made_of_other_rings(rings: Any) -> None:
    with pytest.raises(ValueError):
        shapes.polygon_of(rings)
