"""What the document says that a request may hold is what the rules take: each is asked of every single fault."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from labeling.commands.datasets import checked_changes, checked_task_attributes
from labeling.commands.issues import checked_issue
from labeling.commands.samples import checked_sample
from labeling.errors import AnnotationNotFound, AreaOpen, InvalidValue, Refused, StaleBitmap
from labeling.geometry.rle import hash_of_runs
from labeling.log.values import BadValue
from labeling.rules.protocol.samples import check_sample
from labeling.rules.task_types import task_type
from tests.e2e.documents import ALL_TYPES, TASK_ATTRIBUTES, label_attributes, sample_attributes
from tests.support import conformity
from tests.support.bent import every_fault
from tests.support.editing import POLYLINE, painted, part
from tests.support.editing import run as run_edits
from tests.support.labels import HOLED, KEYPOINTS, ORIENTATION, annotation, label

JSON = dict[str, Any]

#: What no schema can say: what must agree with something else, and that 0.0 is no whole number.
BEYOND_SCHEMAS = (
    "is used by another annotation",
    "is used by another category",
    "must be given to one point only",
    "must be those of the geometry",
    "must be the pixel box of the run lengths",
    "must be the top left and then the bottom right corner",
    "must hold the run lengths of a mask",
    "must be another annotation",
    "belong on boxes and polygons",
    "belongs on boxes and polygons",
    "is required (or type and points as the protocol has them)",  # except where labels have a bitmap
    "is required for an orientation that stands alone",
    "needs an orientation of the object",
    "is not the size [height, width] of the label's bitmap",
    "The size of run lengths",
    "The run lengths do",
    "The counts of run lengths are",
    "The run lengths describe more than",
    "is not assigned to this image",
    "to have pixels",
    "must be a polygon",
    "must be a bitmap",
    "must leave at least",
    "must be a pixel of the bitmap",
    "is not the size",
    "pixels in all",
    "must be a number from 0 to",
    "must be a number from -1 to",
    "must have at least 3 points",
    "is said with after only",
)


WHOLE = re.compile("whole number|the id of an annotation|0 \\(not placed\\)")


def schema(name: str) -> JSON:
    return {"$ref": f"#/components/schemas/{name}"}


#: The label is not so; that says nothing of the form.
OF_STATE = "of the state"


def refusal(check: Callable[[Any], Any], document: Any) -> str | None:
    """Why the rules do not take a document."""
    try:
        check(document)
    except (AnnotationNotFound, AreaOpen, Refused, StaleBitmap):
        return OF_STATE
    except InvalidValue as error:
        return error.problem
    except BadValue as error:
        return error.problem
    return None


def has_whole_float(document: Any) -> bool:
    if isinstance(document, dict | list):
        return any(has_whole_float(item) for item in (document.values() if isinstance(document, dict) else document))
    return type(document) is float and document.is_integer()


def compare(form: JSON, check: Callable[[Any], Any], document: Any) -> None:
    """Hold the schema against the rules: for the document and for every fault in it."""
    assert conformity.fault(form, document) is None and refusal(check, document) is None
    known = conformity.validator(form)
    refused = 0
    for fault in every_fault(document):
        fits, problem = known.is_valid(fault.document), refusal(check, fault.document)
        refused += problem is not None
        if problem == OF_STATE:
            continue
        if problem is None:
            assert fits, (fault.place, fault.value, conformity.fault(form, fault.document))
        elif fits:
            assert any(words in problem for words in BEYOND_SCHEMAS) or (
                WHOLE.search(problem) and has_whole_float(fault.value)
            ), (fault.place, fault.value, problem)
    assert refused, "rules that take everything prove nothing"


@pytest.mark.parametrize("name", ALL_TYPES)
def test_the_label_document_of_a_task_type(name: str) -> None:
    from labeling.api.schemas.labels import BY_TASK_TYPE

    document = label_attributes(name, "https://example.org/mask.png")
    compare(BY_TASK_TYPE[name], lambda item: task_type(name).parse(as_object(item), "attributes"), document)


def as_object(item: Any) -> JSON:
    """A label document is an object before it is parsed."""
    if not isinstance(item, dict):
        raise InvalidValue("attributes", "must be an object")
    return item


def test_the_label_document_with_our_own_fields() -> None:
    document = {
        "annotations": [
            {"id": 1, "category_id": 1, "geometry": HOLED, "keypoints": KEYPOINTS, "score": 0.5, "origin": {"a": 1}},
            {"id": 2, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]], "orientation": ORIENTATION},
            {
                "id": 3,
                "category_id": 1,
                "geometry": {"type": "rbox", "center": [1, 2], "size_wh": [3, 4], "angle_deg": 5},
            },
            {
                "id": 4,
                "category_id": 1,
                "geometry": {"type": "skeleton", "points": [*KEYPOINTS, {"name": "tail", "visibility": 0}]},
            },
            {
                "id": 5,
                "category_id": 1,
                "geometry": {"type": "bitmap", "rle": {"size": [2, 2], "counts": [1, 2, 1]}},
            },
        ]
    }
    compare(schema("VectorLabel"), lambda item: task_type("vector").parse(as_object(item), "attributes"), document)


@pytest.mark.parametrize("name", ALL_TYPES)
def test_the_attributes_of_a_sample(name: str) -> None:
    document = sample_attributes(name, "https://example.org/a.png")
    forms = {
        True: "PointcloudSequenceSample" if name.endswith("sequence") else "PointcloudSample",
        False: "ImageSequenceSample" if name.endswith("sequence") else "ImageSample",
    }
    form = "MultisensorSample" if name == "multisensor-sequence" else forms[name.startswith("pointcloud")]
    compare(schema(form), lambda item: check_sample(name, item), document)


def test_the_task_attributes() -> None:
    rules = [
        {"name": "intersecting-cuboids", "excluded_categories": [1]},
        {"name": "cuboid-dimension-limits", "categories": [1], "min": {"x": 1, "y": None}},
    ]
    document = TASK_ATTRIBUTES | {"warning_rules": rules}
    compare(
        {"anyOf": [schema("TaskAttributes"), {"type": "null"}]}, checked_task_attributes, document | {"more": [1, {}]}
    )


ANCHORS: list[JSON] = [
    {"type": "basic", "sensor": "front", "frame": 3},
    {"type": "track", "trackNumber": 4, "trackAttribute": "color"},
    {"type": "sceneAttribute", "sceneAttribute": "rain"},
    {"type": "location", "location": {"type": "2d", "x": 1.5, "y": 2}},
    {"type": "location", "location": {"type": "3d", "x": 1, "y": 2, "z": 3}},
]


@pytest.mark.parametrize("anchor", ANCHORS, ids=lambda anchor: str(anchor["type"]))
def test_an_issue(anchor: JSON) -> None:
    document = {"description": "x", "status": "OPEN", "anchor": anchor}
    compare(schema("NewIssue"), checked_issue, document)
    compare(schema("IssueChange"), lambda item: checked_issue(item, partial=True), document)


def test_a_sample() -> None:
    document = {
        "name": "a.png",
        "attributes": {"image": {"url": "x"}},
        "metadata": {"a": 1},
        "priority": 1.5,
        "readme": "x",
        "assigned_labeler": "ana",
        "assigned_reviewer": None,
    }
    compare(schema("NewSample"), lambda item: checked_sample(item, task_type="vector"), document)


def test_the_settings_of_a_dataset() -> None:
    from labeling.rules.dataset_state import SETTINGS

    document = SETTINGS | {"name": "a", "description": "x", "readme": "x", "category": "fruit", "public": True}
    document |= {"archived": False, "metadata": {"a": 1}, "region_of_interest": {"x": 1}, "task_type": "vector"}
    compare(schema("DatasetChange"), checked_changes, document)


OBJECTS = [annotation(1), annotation(2), annotation(3, orientation=ORIENTATION), annotation(4, keypoints=KEYPOINTS),
           annotation(5, geometry=HOLED), annotation(6, geometry=POLYLINE)]  # fmt: skip
EDITS: list[JSON] = [
    {"op": "add", "id": 9, "uuid": "0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d", "category_id": 1, "geometry": HOLED,
     "attributes": {"a": ["x"]}, "keypoints": KEYPOINTS, "orientation": ORIENTATION, "score": 0.5, "origin": {}},
    {"op": "add", "type": "bbox", "points": [[1, 2], [3, 4]]},
    {"op": "add", "geometry": {"type": "ellipse", "center": [1, 2], "radii": [3, 4], "angle_deg": 5}},
    {"op": "add", "geometry": {"type": "polyline", "parts": [[[1, 2], [3, 4]]]}},
    {"op": "add", "geometry": {"type": "point", "points": [[1, 2]]}},
    {"op": "remove", "annotation": 1},
    {"op": "set_geometry", "annotation": 1, "geometry": {"type": "bbox", "points": [[1, 2], [3, 4]]}},
    {"op": "insert_vertex", "annotation": 5, "part": 0, "ring": 1, "after": 2, "point": [1, 2.5]},
    {"op": "insert_vertex", "annotation": 5, "point": [1, 2.5]},
    {"op": "insert_vertex", "annotation": 6, "after": -1, "point": [1, 2.5]},
    {"op": "move_vertex", "annotation": 5, "part": 1, "ring": 0, "vertex": 2, "point": [1, 2.5]},
    {"op": "remove_vertex", "annotation": 5, "part": 0, "ring": 1, "vertex": 2, "or_remove": True},
    {"op": "add_part", "annotation": 5, "points": [[1, 2], [3, 4], [5, 9]]},
    {"op": "add_part", "annotation": 6, "points": [[1, 2], [3, 4]]},
    {"op": "add_hole", "annotation": 5, "part": 1, "points": [[1, 2], [3, 4], [5, 9]]},
    {"op": "remove_ring", "annotation": 5, "part": 0, "ring": 1, "or_remove": False},
    {"op": "set_category", "annotation": 1, "category_id": 2},
    {"op": "set_attributes", "annotation": 1, "attributes": {"a": 1}},
    {"op": "clear_attributes", "annotation": 1, "names": ["a"]},
    {"op": "set_keypoints", "annotation": 1, "keypoints": KEYPOINTS},
    {"op": "clear_keypoints", "annotation": 4},
    {"op": "set_orientation", "annotation": 1, "orientation": ORIENTATION},
    {"op": "clear_orientation", "annotation": 3},
    {"op": "set_order", "annotation": 1, "to": "front"},
    {"op": "set_score", "annotation": 1, "score": 0.5},
    {"op": "set_score", "score": None},
    {"op": "add_link", "annotation": 1, "to": 2, "attributes": {"a": 1}},
    {"op": "remove_link", "annotation": 1, "to": 2},
    {"op": "assign_classification", "category_id": 1},
    {"op": "remove_classification", "category_id": 1},
    {"op": "set_default_classification", "category_id": 5},
    {"op": "set_status", "verb": "submit", "status": "SKIPPED"},
    {"op": "set_status", "verb": "override", "status": "SKIPPED"},
    {"op": "set_scene_attributes", "attributes": {"image_attributes": {"a": True}, "format_version": "1", "a": None}},
]  # fmt: skip


BITMAP: JSON = {"type": "bitmap", "rle": {"size": [3, 3], "counts": [0, 4, 1, 4]}}
BITMAP_EDITS: list[JSON] = [
    {"op": "rasterize", "annotation": 1, "size_wh": [8, 9]},
    {"op": "rasterize", "size_wh": [8, 9]},
    {"op": "fit_to_image", "annotation": 1, "size_wh": [8, 9]},
    {"op": "polygonize", "annotation": 7, "tolerance_px": 1.5},
    {"op": "paint_bitmap", "annotation": 7, "rle": {"size": [3, 3], "counts": [4, 1, 4]}},
    {"op": "erase_bitmap", "annotation": 7, "rle": {"size": [3, 3], "counts": "414"}},
    {"op": "fill_bitmap", "annotation": 7, "x": 1, "y": 1, "confirm": False},
]


@pytest.mark.parametrize("edit", BITMAP_EDITS, ids=lambda edit: str(edit["op"]))
def test_an_edit_of_a_bitmap(edit: JSON) -> None:
    state = label(*OBJECTS, annotation(7, geometry=BITMAP))
    if edit["op"].endswith("_bitmap"):
        edit = edit | {"base_hash": hash_of_runs(BITMAP["rle"])}
    compare(schema("Edit"), lambda item: run_edits(state, item), edit)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: str(edit["op"]))
def test_an_edit(edit: JSON) -> None:
    state = label(*OBJECTS, classifications=[5], default_classification=5)
    compare(schema("Edit"), lambda item: run_edits(state, item), edit)


def test_a_patch_of_a_bitmap() -> None:
    state, pixels, base = painted()
    edit = {"op": "patch_bitmap", "base_hash": base, "set": [part(2, ".x.", "..."), part(0, "...", "..x")]}
    compare(schema("Edit"), lambda item: run_edits(state, item, has_mask=True, pixels=pixels), edit)
