"""Shapes pushed into the image, and what a dataset asks of shapes that are drawn: within the image, in proportion."""

from __future__ import annotations

from typing import Any

import pytest

from labeling import events as e
from labeling.errors import InvalidValue, Refused
from tests.support.editing import facts, run
from tests.support.labels import after, annotation, key, label

JSON = dict[str, Any]
IMAGE: JSON = {"sample": lambda: {"image": {"url": "/media/x/a.png"}}, "size_of": lambda image: (40, 30)}
STRICT: JSON = {"settings": {"labels_outside_image": "refuse"}}


def box(x0: float, y0: float, x1: float, y1: float) -> JSON:
    return {"type": "bbox", "points": [[x0, y0], [x1, y1]]}


# --- fit to image --------------------------------------------------------------------------------------------------


def test_a_box_is_pushed_not_cropped_and_clamped_where_it_is_larger():
    state = label(
        annotation(1, geometry=box(-10, 5, 10, 9)),
        annotation(2, geometry=box(-10, 5, 90, 9)),
        annotation(3, geometry=box(1, 1, 2, 2)),
        annotation(4, geometry={"type": "orientation"}, orientation={}),
    )
    outcome = run(state, {"op": "fit_to_image"}, **IMAGE)
    assert outcome.facts == [
        e.AnnotationFitted(annotation=key(1), geometry=box(0, 5, 20, 9)),
        e.AnnotationFitted(annotation=key(2), geometry=box(0, 5, 40, 9)),
    ]
    assert outcome.results == [{"changed": True, "done": [{"annotation": key(n), "id": n} for n in (1, 2)]}]
    assert facts(after(state, *outcome.facts), {"op": "fit_to_image"}, **IMAGE) == []


def test_one_object_is_fitted_alone_and_its_keypoints_go_with_it():
    points = [{"name": "nose", "x": -5, "y": 6, "visibility": 2}, {"name": "tail", "visibility": 0}]
    state = label(
        annotation(1, geometry=box(-10, 5, 10, 9), keypoints=points), annotation(2, geometry=box(-1, 0, 1, 1))
    )
    moved = [{"name": "nose", "x": 5, "y": 6, "visibility": 2}, {"name": "tail", "visibility": 0}]
    assert facts(state, {"op": "fit_to_image", "annotation": 1}, **IMAGE) == [
        e.AnnotationFitted(annotation=key(1), geometry=box(0, 5, 20, 9)),
        e.AnnotationKeypointsSet(annotation=key(1), keypoints=moved),
    ]


def test_keypoints_of_a_shape_that_was_clamped_or_turned_come_into_the_image():
    points = [{"name": "nose", "x": -5, "y": 6, "visibility": 1}]
    turned = {"type": "rbox", "center": [0, 10], "size_wh": [10, 10], "angle_deg": 0}
    state = label(
        annotation(1, geometry=box(-10, 5, 90, 9), keypoints=points), annotation(2, geometry=turned, keypoints=points)
    )
    found = after(state, *facts(state, {"op": "fit_to_image"}, **IMAGE))
    assert found.annotations[key(1)]["keypoints"] == [{"name": "nose", "x": 0, "y": 6, "visibility": 1}]
    assert found.annotations[key(2)]["keypoints"] == [{"name": "nose", "x": 0, "y": 6, "visibility": 1}]
    assert found.annotations[key(2)]["geometry"]["center"] == [5, 10]


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "polyline", "parts": [[[-5, 5], [5, 5]]]},
        {"type": "point", "points": [[-5, 5]]},
        {"type": "ellipse", "center": [0, 10], "radii": [5, 5], "angle_deg": 0},
        {"type": "bitmap", "rle": {"size": [2, 2], "counts": [0, 4]}},
        {"type": "skeleton", "points": [{"name": "a", "visibility": 0}]},
        {"type": "orientation"},
        {"type": "mask"},
    ],
    ids=lambda shape: str(shape["type"]),
)
def test_keypoints_stay_with_an_object_that_became_another_shape(geometry):
    """set_geometry does not take them away, so they are fitted with whatever they hang on."""
    state = label(annotation(1, geometry=geometry, keypoints=[{"name": "nose", "x": -5, "y": 6, "visibility": 1}]))
    found = after(state, *facts(state, {"op": "fit_to_image"}, **IMAGE))
    moved = 5 if geometry["type"] == "ellipse" else 0
    assert found.annotations[key(1)]["keypoints"] == [
        {"name": "nose", "x": max(0, -5 + moved), "y": 6, "visibility": 1}
    ]


def test_a_fit_needs_the_size_of_the_image():
    state = label(annotation(1, geometry=box(-10, 5, 10, 9)))
    with pytest.raises(Refused, match="size_wh"):
        run(state, {"op": "fit_to_image"})
    assert facts(state, {"op": "fit_to_image", "size_wh": [40, 30]})
    assert facts(label(), {"op": "fit_to_image"}) == []


# --- labels outside of the image -----------------------------------------------------------------------------------

OUTSIDE: list[JSON] = [
    {"op": "add", "geometry": box(-1, 0, 5, 5)},
    {"op": "add", "type": "point", "points": [[41, 0]]},
    {"op": "add", "geometry": {"type": "ellipse", "center": [1, 10], "radii": [5, 5], "angle_deg": 0}},
    {"op": "add", "geometry": {"type": "bitmap", "rle": {"size": [2, 2], "counts": [0, 4]}}},
    {"op": "set_geometry", "annotation": 1, "geometry": box(35, 25, 41, 29)},
    {"op": "move_vertex", "annotation": 2, "vertex": 0, "point": [-1, 0]},
    {"op": "add_part", "annotation": 2, "points": [[30, 20], [50, 20], [30, 25]]},
    {"op": "set_keypoints", "annotation": 1, "keypoints": [{"name": "a", "x": 1, "y": 31, "visibility": 2}]},
]


@pytest.mark.parametrize("edit", OUTSIDE, ids=lambda edit: str(edit["op"]))
def test_what_reaches_out_of_the_image_is_allowed_unless_the_dataset_refuses_it(edit):
    triangle = {"type": "polygon", "parts": [[[[0, 0], [9, 0], [9, 9]]]]}
    known = (annotation(1, geometry=box(1, 1, 5, 5)), annotation(2, geometry=triangle))
    assert facts(label(*known), edit, **IMAGE)
    with pytest.raises(InvalidValue) as caught:
        run(label(*known, **STRICT), edit, **IMAGE)
    field = caught.value.field.removeprefix("edits[0].")
    assert field in ("geometry", "points", "point", "keypoints") and field in edit
    assert facts(label(*known, **STRICT), edit), "nothing is refused by a size that nobody knows"


def test_what_lies_on_the_border_is_within_and_what_is_there_stays_editable():
    state = label(annotation(1, geometry=box(-10, 0, 5, 5)), **STRICT)
    edits = [
        {"op": "add", "geometry": box(0, 0, 40, 30)},
        {"op": "set_category", "annotation": 1, "category_id": 2},
        {"op": "set_order", "annotation": 1, "to": "front"},
        {"op": "set_attributes", "annotation": 1, "attributes": {"a": 1}},
        {"op": "rasterize", "annotation": 1},
    ]
    assert len(facts(state, *edits, **IMAGE)) == 5


# --- fixed aspect ratio --------------------------------------------------------------------------------------------

SQUARES: JSON = {"ratios": lambda: {1: 1.0, 7: 2.5}}


def test_a_fixed_ratio_is_asked_of_new_and_resized_boxes_never_of_moved_or_existing_ones():
    state = label(annotation(1, geometry=box(0, 0, 20, 10)))
    assert facts(state, {"op": "set_geometry", "annotation": 1, "geometry": box(5, 5, 25, 15)}, **SQUARES)
    assert facts(state, {"op": "set_geometry", "annotation": 1, "geometry": box(0, 0, 10, 10)}, **SQUARES)
    assert facts(state, {"op": "set_category", "annotation": 1, "category_id": 7}, **SQUARES)
    assert facts(state, {"op": "add", "category_id": 7, "geometry": box(0, 0, 25, 10)}, **SQUARES)
    assert facts(state, {"op": "add", "category_id": 2, "geometry": box(0, 0, 20, 10)}, **SQUARES)
    assert facts(state, {"op": "add", "geometry": box(0, 0, 20, 10)}, **SQUARES)
    for edit in (
        {"op": "set_geometry", "annotation": 1, "geometry": box(0, 0, 40, 20)},
        {"op": "add", "category_id": 1, "geometry": box(0, 0, 20, 10)},
        {"op": "add", "category_id": 7, "geometry": box(0, 0, 10, 10)},
    ):
        with pytest.raises(InvalidValue, match="times as wide as high") as caught:
            run(state, edit, **SQUARES)
        assert caught.value.field == "edits[0].geometry"


def test_a_box_within_a_pixel_of_its_ratio_is_good_and_a_move_may_round():
    state = label(annotation(1, geometry=box(0.1, 0.1, 20.4, 10.2)))
    assert facts(state, {"op": "add", "category_id": 1, "geometry": box(0, 0, 10.9, 10)}, **SQUARES)
    moved = box(0.1 + 1e5, 0.1, 20.4 + 1e5, 10.2)
    assert facts(state, {"op": "set_geometry", "annotation": 1, "geometry": moved}, **SQUARES)


def test_what_was_another_shape_is_a_new_box():
    state = label(annotation(1, geometry={"type": "point", "points": [[1, 1]]}))
    with pytest.raises(InvalidValue):
        run(state, {"op": "set_geometry", "annotation": 1, "geometry": box(0, 0, 20, 10)}, **SQUARES)
