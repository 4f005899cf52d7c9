"""Every form of geometry from one keyframe to the next, and what is held because there is no way in between."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Polygon

from labeling.geometry.shapes import checked_geometry
from sequences.interpolation import blended, continued
from sequences.interpolation.blends import along, way
from tests.sequences.support import FORMS, bbox, cuboid, polygon, polyline

HALF = np.array([0.5])


def middle(first, last):
    return blended(first, last, HALF)[0]


@pytest.mark.parametrize(
    "first, last, wanted",
    [
        (bbox(0, 0, 10, 10), bbox(10, 20, 30, 40), bbox(5, 10, 20, 25)),
        (bbox(1 / 3, 0, 10, 10), bbox(1 / 3, 0, 20, 10), bbox(1 / 3, 0, 15, 10)),
        ({"type": "bbox", "points": [[9, 9], [1, 1]]}, {"type": "bbox", "points": [[19, 9], [1, 1]]},
         {"type": "bbox", "points": [[14, 9], [1, 1]]}),
        ({"type": "point", "points": [[1, 2]]}, {"type": "point", "points": [[3, 6]]},
         {"type": "point", "points": [[2, 4]]}),
        ({"type": "point", "points": [[1, 2, 3]]}, {"type": "point", "points": [[3, 6, 4]]},
         {"type": "point", "points": [[2, 4, 3.5]]}),
        ({"type": "rbox", "center": [0, 0], "size_wh": [2, 4], "angle_deg": 350},
         {"type": "rbox", "center": [10, 0], "size_wh": [4, 4], "angle_deg": 10},
         {"type": "rbox", "center": [5, 0], "size_wh": [3, 4], "angle_deg": 0}),
        ({"type": "rbox", "center": [0, 0], "size_wh": [2, 4], "angle_deg": 0},
         {"type": "rbox", "center": [0, 0], "size_wh": [2, 4], "angle_deg": 180},
         {"type": "rbox", "center": [0, 0], "size_wh": [2, 4], "angle_deg": 90}),
        ({"type": "ellipse", "center": [0, 0], "radii": [2, 4], "angle_deg": 10},
         {"type": "ellipse", "center": [0, 0], "radii": [2, 4], "angle_deg": 170},
         {"type": "ellipse", "center": [0, 0], "radii": [2, 4], "angle_deg": 0}),
        (polygon([[0, 0], [4, 0], [4, 4], [0, 4]]), polygon([[14, 4], [10, 4], [10, 0], [14, 0]]),
         polygon([[5, 0], [9, 0], [9, 4], [5, 4]])),
        (polyline([[0, 0], [4, 0]]), polyline([[4, 2], [2, 2], [0, 2]]), polyline([[0, 1], [2, 1], [4, 1]])),
        (cuboid(x=0, yaw=3.0), cuboid(x=1, yaw=-3.0), cuboid(x=0.5, yaw=math.pi)),
    ],
)  # fmt: skip
def test_half_way(first, last, wanted):
    found = middle(first, last)
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert found[key] == (pytest.approx(value, abs=1e-7) if key == "yaw" else value)


@pytest.mark.parametrize(
    "first, last",
    [
        *itertools.permutations(FORMS.values(), 2),
        (bbox(0, 0, 1, 1), {"type": "bbox", "points": [[0, 0]]}),
        ({"type": "bbox", "points": []}, bbox(0, 0, 1, 1)),
        ({"type": "point", "points": [[1, 2], [3, 4]]}, {"type": "point", "points": [[1, 2]]}),
        ({"type": "point", "points": [[1, 2, 3]]}, {"type": "point", "points": [[1, 2]]}),
        (polygon([]), polygon([[0, 0], [1, 0], [0, 1]])),
        (polygon([[0, 0], [1, 0], [0, 1]]), {"type": "polygon", "parts": []}),
        ({"type": "polygon", "parts": [[]]}, polygon([[0, 0], [1, 0], [0, 1]])),
        (polygon([[0, 0], [1, 0], [0, 1]]), polygon([[0, 0, 1], [1, 0, 1], [0, 1, 1]])),
        (polygon([[0, 0], [1, 0, 5], [0, 1]]), polygon([[0, 0], [1, 0], [0, 1]])),
        (cuboid(), cuboid(type="cuboid-sync", x=5)),
        ({"type": "mask"}, {"type": "mask"}),
        (FORMS["bitmap"], FORMS["bitmap"] | {"rle": {"size": [2, 2], "counts": [0, 4]}}),
    ],
)  # fmt: skip
def test_what_has_no_way_in_between_is_held(first, last):
    assert blended(first, last, np.array([0.1, 0.9])) == [first, first]


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_a_keyframe_is_what_was_set_there_to_the_last_bit(form):
    other = moved(form)
    assert blended(form, other, np.array([0.0, 1.0])) == [form, other]
    assert blended(form, form, np.array([0.3])) == [form]
    assert blended(form, other, np.array([])) == []


def moved(form):
    """The form a third of a pixel further on and turned a little."""

    def change(value, key=None):
        match value:
            case dict():
                return {name: item if name in ("type", "rle", "name", "visibility", "box_xyxy") else change(item, name)
                        for name, item in value.items()}  # fmt: skip
            case list():
                return [change(item, key) for item in value]
        return value + 1 / 3

    return change(form)


@pytest.mark.parametrize("form", [form for name, form in FORMS.items() if name not in ("cuboid", "cuboid-sync")])
def test_what_comes_out_is_a_geometry_that_would_be_taken(form):
    for found in blended(form, moved(form), np.linspace(0, 1, 7)):
        checked_geometry(found, where="x", lenient=True)


# --- skeletons -----------------------------------------------------------------------------------------------------


def point(name, x=None, y=None, visibility=2):
    return {"name": name, "visibility": visibility} | ({} if x is None else {"x": x, "y": y})


def skeleton(*points):
    return {"type": "skeleton", "points": list(points)}


def test_the_points_of_a_skeleton_find_each_other_by_name():
    first = skeleton(point("nose", 0, 0), point("tail", 10, 10))
    assert middle(first, skeleton(point("tail", 20, 10), point("nose", 0, 4))) == skeleton(
        point("nose", 0, 2), point("tail", 15, 10)
    )


def test_visibility_steps_and_is_never_in_between():
    first, last = skeleton(point("nose", 0, 0, 2)), skeleton(point("nose", 10, 0, 1))
    shown = blended(first, last, np.array([0.0, 0.4, 0.9, 1.0]))
    assert [(item["points"][0]["x"], item["points"][0]["visibility"]) for item in shown] == [
        (0, 2), (4, 2), (9, 2), (10, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("last", [skeleton(point("nose", visibility=0)), skeleton(point("ear", 5, 5))])
def test_a_point_that_only_one_keyframe_places_stays_where_it_is(last):
    first = skeleton(point("nose", 3, 3), point("mouth", visibility=0))
    assert middle(first, last) == first


# --- parts and holes -----------------------------------------------------------------------------------------------


def square(x, y, size):
    return [[x, y], [x + size, y], [x + size, y + size], [x, y + size]]


def test_parts_and_holes_are_matched_wherever_they_stand_in_their_lists():
    first = {"type": "polygon", "parts": [[square(0, 0, 20), square(2, 2, 4), square(12, 12, 4)], [square(100, 0, 8)]]}
    last = {"type": "polygon", "parts": [[square(110, 0, 8)], [square(10, 0, 20), square(22, 12, 4), square(12, 2, 4)]]}
    assert middle(first, last) == {
        "type": "polygon",
        "parts": [[square(5, 0, 20), square(7, 2, 4), square(17, 12, 4)], [square(105, 0, 8)]],
    }


def test_a_part_or_a_hole_that_finds_none_stays_until_the_next_keyframe():
    first = {"type": "polygon", "parts": [[square(0, 0, 20), square(2, 2, 4)], [square(100, 0, 8)]]}
    last = {"type": "polygon", "parts": [[square(10, 0, 20)]]}
    assert middle(first, last) == {
        "type": "polygon",
        "parts": [[square(5, 0, 20), square(2, 2, 4)], [square(100, 0, 8)]],
    }


@given(seed=st.integers(0, 10**6), counts=st.tuples(st.integers(3, 9), st.integers(3, 9)))
def test_a_convex_polygon_stays_valid_on_its_way_to_one_with_other_corners(seed, counts):
    chance = np.random.default_rng(seed)
    one, two = (
        polygon(np.column_stack([np.cos(turns), np.sin(turns)]) * 100 + 500)
        for turns in (np.sort(chance.uniform(0, 0.4, n) + np.arange(n) * 2 * np.pi / n) for n in counts)
    )
    for shape in blended(one, two, np.linspace(0, 1, 5)):
        drawn = Polygon(shape["parts"][0][0])
        assert drawn.area > 0 and drawn.buffer(1e-2).is_valid and drawn.buffer(1e-2).geom_type == "Polygon"


# --- cuboids -------------------------------------------------------------------------------------------------------

LEVEL = {"qx": 0.0, "qy": 0.0, "qz": 0.0, "qw": 1.0}
TURNED = {"qx": 0.0, "qy": 0.0, "qz": 1.0, "qw": 0.0}


def test_a_cuboid_with_a_rotation_turns_by_slerp():
    found = middle(cuboid(rotation=LEVEL), cuboid(rotation=TURNED))
    assert found["rotation"] == {"qx": 0.0, "qy": 0.0, "qz": 0.7071068, "qw": 0.7071068}


@pytest.mark.parametrize("other", [None, {"qx": 0.0, "qy": 0.0, "qz": 0.0, "qw": 0.0}])
def test_a_rotation_that_turns_nothing_or_is_missing_is_held(other):
    first = cuboid(rotation=LEVEL) if other is None else cuboid(rotation=other)
    last = cuboid(x=2) if other is None else cuboid(x=2, rotation=TURNED)
    found = middle(first, last)
    assert found["position"]["x"] == 1.0 and found["rotation"] == first["rotation"]
    assert "rotation" not in middle(last, first) or middle(last, first)["rotation"] == last.get("rotation")


def test_metres_are_rounded_to_a_tenth_of_a_millimetre():
    assert blended(cuboid(x=0), cuboid(x=1), np.array([1 / 3]))[0]["position"]["x"] == 0.3333


def test_a_cuboid_goes_on_past_its_last_keyframe_as_it_came():
    found = continued(cuboid(x=0, yaw=0.0), cuboid(x=2, yaw=1.0), np.array([1.5, 2.0]))
    assert found == [cuboid(x=3.0, yaw=1.0), cuboid(x=4.0, yaw=1.0)]
    assert continued(bbox(0, 0, 1, 1), bbox(1, 1, 2, 2), np.array([2.0])) is None
    assert continued(cuboid(x=-1.7e308), cuboid(x=1.7e308), np.array([3.0])) == [cuboid(x=1.7e308)]


# --- whatever comes ------------------------------------------------------------------------------------------------

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1)
places = st.lists(st.lists(numbers, min_size=2, max_size=2), max_size=6) | st.lists(
    st.lists(numbers, min_size=2, max_size=3), max_size=4
)
any_geometry = st.one_of(
    st.builds(lambda p, t: {"type": t, "points": p}, places, st.sampled_from(["bbox", "point"])),
    st.builds(lambda p: {"type": "polygon", "parts": p}, st.lists(st.lists(places, max_size=3), max_size=3)),
    st.builds(lambda p: {"type": "polyline", "parts": p}, st.lists(places, max_size=3)),
    st.builds(
        lambda p, d, y, r: cuboid(yaw=y, rotation=r) | {"position": p, "dimensions": d},
        st.fixed_dictionaries(dict.fromkeys("xyz", numbers)),
        st.fixed_dictionaries(dict.fromkeys("xyz", numbers)),
        numbers,
        st.none() | st.fixed_dictionaries(dict.fromkeys(("qx", "qy", "qz", "qw"), numbers)),
    ),
)


def spelled(value):
    match value:
        case dict():
            return [n for item in value.values() for n in spelled(item)]
        case list():
            return [n for item in value for n in spelled(item)]
    return [value]


@given(first=any_geometry, last=any_geometry, at=st.lists(st.floats(0, 1), min_size=1, max_size=3))
def test_whatever_the_protocol_takes_gives_numbers_that_are_finite_and_never_an_error(first, last, at):
    for found in blended(first, last, np.array(at)):
        assert found["type"] == first["type"] or found is last
        known = spelled(first) + spelled(last)
        for number in spelled(found):
            assert number in known or (math.isfinite(number) and (number != 0 or math.copysign(1, number) > 0))


def test_many_ways_at_once_are_to_the_last_bit_what_each_is_alone(monkeypatch):
    chance = np.random.default_rng(3)

    def turn(q):
        return dict(zip(("qx", "qy", "qz", "qw"), q, strict=True))

    shapes = [(bbox(*chance.uniform(0, 9, 4)), bbox(*chance.uniform(0, 9, 4))) for _ in range(3)]
    for one, two in ((5, 5), (5, 5), (4, 9)):
        shapes.append((polygon(chance.uniform(0, 99, (one, 2))), polygon(chance.uniform(0, 99, (two, 2)))))
    for number in range(5):
        first, last = (
            cuboid(chance.uniform(0, 9), yaw=chance.uniform(-3, 3), rotation=turn(chance.normal(size=4)))
            for _ in range(2)
        )
        if number == 2:
            del first["rotation"]
        shapes.append((first, last))
    for form, size in (("rbox", "size_wh"), ("ellipse", "radii")):
        made = [
            {"type": form, "center": c[:2].tolist(), size: c[2:4].tolist(), "angle_deg": c[4]}
            for c in chance.uniform(0, 99, (4, 5))
        ]
        shapes += [(made[0], made[1]), (made[2], made[3])]
    ways = [found for pair in shapes if (found := way(*pair)) is not None]
    weights = np.linspace(0, 1, 5)
    assert len(ways) == len(shapes)
    alone = [along([item], weights)[0] for item in ways]
    for most in (1, 10_000):
        monkeypatch.setattr("sequences.interpolation.blends.MOST", most)
        for one, many in zip(alone, along(ways, weights), strict=True):
            np.testing.assert_array_equal(one, many)
