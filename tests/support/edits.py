"""Hypothesis strategies for labels: shapes, edits that fit a state, documents, and requests that fit nothing."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

import numpy as np
from hypothesis import strategies as st

from labeling.geometry import bitmaps, rle
from labeling.rules.edits.operations import AnnotationEditor
from labeling.rules.label_state import Annotation, LabelState

JSON = dict[str, Any]
Draw = Any

DATASET = uuid.UUID("dddddddd-dddd-4ddd-8ddd-dddddddddddd")
STREAM = "label/aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa/bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
ANA = uuid.UUID("11111111-1111-4111-8111-111111111111")
BEN = uuid.UUID("22222222-2222-4222-8222-222222222222")

numbers = st.one_of(
    st.integers(-20, 4000), st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: number + 0.0), st.just(0.1 + 0.2)
)
lengths = st.one_of(st.integers(0, 500), st.floats(0, 1e4))
points = st.tuples(numbers, numbers).map(list)
names = st.sampled_from(["occluded", "Straße", "n", "with space", "🚗", ""])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=6
)
attributes = st.dictionaries(names, scalars | st.lists(names, max_size=2), max_size=3)
categories = st.integers(0, 4)
angles = st.one_of(st.integers(-360, 360), st.floats(-720, 720).map(lambda angle: angle + 0.0))
orientations = st.fixed_dictionaries({"roll_deg": angles, "pitch_deg": angles, "yaw_deg": angles})


def _box(corner: list[float], size: tuple[float, float]) -> JSON:
    x, y = corner
    return {"type": "bbox", "points": [[x, y], [x + size[0], y + size[1]]]}


@st.composite
def keypoints(draw: Draw, least: int = 0) -> list[JSON]:
    """Named points; those that are not placed have no coordinates."""
    found = []
    for name in draw(st.lists(names.filter(bool), min_size=least, max_size=3, unique=True)):
        visibility = draw(st.integers(0, 2))
        point: JSON = {"name": name, "visibility": visibility}
        if visibility:
            point["x"], point["y"] = draw(numbers), draw(numbers)
        found.append(point)
    return found


def rings(least: int) -> st.SearchStrategy[list[list[float]]]:
    return st.lists(points, min_size=least, max_size=5)


# What the protocol itself can say.
wire_geometries = st.one_of(
    st.builds(_box, points, st.tuples(lengths, lengths)),
    rings(3).map(lambda ring: {"type": "polygon", "parts": [[ring]]}),
    rings(2).map(lambda line: {"type": "polyline", "parts": [line]}),
    points.map(lambda point: {"type": "point", "points": [point]}),
)
#: Every shape that is shown in a document.
shown_geometries = st.one_of(
    wire_geometries,
    st.lists(st.lists(rings(3), min_size=1, max_size=2), min_size=1, max_size=2).map(
        lambda parts: {"type": "polygon", "parts": parts}
    ),
    st.lists(rings(2), min_size=1, max_size=2).map(lambda parts: {"type": "polyline", "parts": parts}),
    st.fixed_dictionaries(
        {
            "type": st.just("rbox"),
            "center": points,
            "size_wh": st.tuples(lengths, lengths).map(list),
            "angle_deg": angles,
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("ellipse"),
            "center": points,
            "radii": st.tuples(lengths, lengths).map(list),
            "angle_deg": angles,
        }
    ),
    keypoints(least=1).map(lambda placed: {"type": "skeleton", "points": placed}),
    st.just({"type": "bitmap", "rle": {"size": [3, 4], "counts": [2, 3, 7]}}),
)
#: And the one that is not.
geometries = st.one_of(shown_geometries, st.just({"type": "orientation"}))

WITH_KEYPOINTS = ("bbox", "rbox", "polygon")
#: What a document of the protocol can say with our fields beside, and say again.
DOCUMENT_OPS = (
    "add", "remove", "set_geometry", "set_category", "set_attributes", "clear_attributes", "set_order",
    "set_scene_attributes",
)  # fmt: skip
OBJECT_OPS = (
    *DOCUMENT_OPS[:-2], "set_keypoints", "clear_keypoints", "set_orientation", "clear_orientation", "set_score",
    "add_link", "remove_link", "insert_vertex", "move_vertex", "remove_vertex", "add_part", "add_hole", "remove_ring",
    "rasterize", "polygonize", "fit_to_image", "paint_bitmap", "erase_bitmap", "fill_bitmap",
)  # fmt: skip
OF_OUTLINES = ("insert_vertex", "move_vertex", "remove_vertex", "add_part", "add_hole", "remove_ring")
#: Each time they change something more, or the first time takes away what they are about.
MORE_EACH_TIME = ("add", "remove", *(op for op in OF_OUTLINES if op != "move_vertex"), "polygonize", "paint_bitmap",
                  "erase_bitmap", "fill_bitmap")  # fmt: skip
OF_BITMAPS = ("polygonize", "paint_bitmap", "erase_bitmap", "fill_bitmap")
LABEL_OPS = (
    "assign_classification", "remove_classification", "set_default_classification", "set_status",
    "set_scene_attributes",
)  # fmt: skip
ALL_OPS = (*OBJECT_OPS, "set_order", *LABEL_OPS)
MASK_OPS = ("add", "remove", "set_category", "set_attributes", "patch_bitmap", "patch_bitmap", "set_status")


class Pixels:
    """Bitmaps in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, np.ndarray] = {}

    def read(self, mask: JSON) -> np.ndarray:
        return self.kept[mask["hash"]]

    def keep(self, ids: np.ndarray) -> JSON:
        digest = bitmaps.mask_hash(ids)
        self.kept[digest] = ids
        return {"url": f"/media/{digest[:32]}/m.png", "hash": digest, "width": ids.shape[1], "height": ids.shape[0]}


def empty_label() -> LabelState:
    """The label before its first event."""
    return LabelState(DATASET, STREAM)


def editor_of(
    state: LabelState, *, author: uuid.UUID = ANA, has_mask: bool = False, pixels: Any = None
) -> AnnotationEditor:
    """An editor on a copy of the state."""
    return AnnotationEditor(state, author=author, has_mask=has_mask, pixels=pixels or Pixels())


@st.composite
def edit_lists(
    draw: Draw,
    state: LabelState,
    ops: Collection[str] = ALL_OPS,
    *,
    only: Collection[str] | None = None,
    most: int = 6,
    has_mask: bool = False,
    pixels: Any = None,
    shapes: st.SearchStrategy[JSON] = geometries,
) -> list[JSON]:
    """Edits that fit the state one after the other; those of objects are about `only` these uuids and new ones."""
    editor = editor_of(state, has_mask=has_mask, pixels=pixels)
    mine = set(state.annotations if only is None else only)
    made: list[JSON] = []
    for _ in range(draw(st.integers(1, most))):
        op = draw(st.sampled_from(tuple(ops)))
        # In the order of their numbers: a uuid may be a new one at each run, and Hypothesis must draw the same again.
        targets = [item for key, item in editor.state.annotations.items() if key in mine]
        targets.sort(key=lambda item: item["id"])
        edit = draw(_edit(op, targets, editor.state, shapes, has_mask))
        if edit["op"] == "add":
            edit["uuid"] = str(draw(st.uuids(version=4)))
            mine.add(edit["uuid"])
        editor.run([edit])
        made.append(edit)
    return made


@st.composite
def _edit(
    draw: Draw, op: str, targets: list[Annotation], state: LabelState, shapes: st.SearchStrategy[JSON], has_mask: bool
) -> JSON:
    if op in LABEL_OPS:
        return draw(_label_edit(op, state))
    if op == "patch_bitmap":
        return draw(_patch(targets, state))
    if op in ("set_keypoints", "set_orientation"):
        targets = [item for item in targets if item["geometry"]["type"] in WITH_KEYPOINTS]
    elif op == "clear_orientation":
        targets = [item for item in targets if item["geometry"]["type"] != "orientation"]
    elif op in OF_OUTLINES:
        targets = [item for item in targets if is_outline(item["geometry"])]
        if op == "add_hole":
            targets = [item for item in targets if item["geometry"]["type"] == "polygon"]
    elif op in OF_BITMAPS:
        targets = [item for item in targets if item["geometry"]["type"] == "bitmap" and has_pixels(item)]
    if op == "add" or not targets or (op == "add_link" and len(targets) < 2):
        return draw(_add(shapes, has_mask))
    item = draw(st.sampled_from(targets))
    # By its number or by its uuid, as clients do.
    edit: JSON = {"op": op, "annotation": draw(st.sampled_from([item["id"], item["uuid"]]))}
    match op:
        case "set_geometry":
            edit["geometry"] = draw(shapes.filter(lambda shape: shape["type"] != "orientation"))
        case "set_category":
            edit["category_id"] = draw(categories | st.none())
        case "set_attributes":
            edit["attributes"] = draw(attributes)
        case "clear_attributes":
            if draw(st.booleans()):
                edit["names"] = draw(st.lists(names, max_size=2))
        case "set_keypoints":
            edit["keypoints"] = draw(keypoints())
        case "set_orientation":
            edit["orientation"] = draw(orientations)
        case "set_order":
            edit["to"] = draw(st.sampled_from(["front", "back"]) | st.integers(-3, 9) | st.floats(-5, 5))
        case "set_score":
            edit["score"] = draw(st.none() | st.floats(0, 1))
        case "rasterize" | "fit_to_image":
            edit["size_wh"] = [draw(st.integers(1, 40)), draw(st.integers(1, 40))]
        case "polygonize":
            edit["tolerance_px"] = draw(st.sampled_from([0, 0.75, 2]))
        case "paint_bitmap" | "erase_bitmap" | "fill_bitmap":
            edit |= draw(_stroke(op, item["geometry"]["rle"]))
        case _ if op in OF_OUTLINES:
            edit |= draw(_outline_edit(op, item["geometry"]))
        case "add_link" | "remove_link":
            edit["to"] = draw(
                st.sampled_from([other["uuid"] for other in targets if other is not item] or [item["uuid"]])
            )
            if op == "add_link" and draw(st.booleans()):
                edit["attributes"] = draw(attributes)
    return edit


def is_outline(geometry: JSON) -> bool:
    """Whether it has vertices everywhere; a document may bring shapes of no points."""
    if geometry["type"] == "polygon":
        return bool(geometry["parts"]) and all(part and all(part) for part in geometry["parts"])
    return geometry["type"] == "polyline" and bool(geometry["parts"]) and all(geometry["parts"])


def has_pixels(item: Annotation) -> bool:
    return rle.area(item["geometry"]["rle"], max_pixels=1 << 28) > 0


@st.composite
def _outline_edit(draw: Draw, op: str, geometry: JSON) -> JSON:
    """Where in an outline, and what is done there."""
    part = draw(st.integers(0, len(geometry["parts"]) - 1))
    found = geometry["parts"][part] if geometry["type"] == "polygon" else [geometry["parts"][part]]
    ring = draw(st.integers(0, len(found) - 1))
    vertex = draw(st.integers(0, len(found[ring]) - 1))
    where = {"part": part, "ring": ring}
    match op:
        case "insert_vertex":
            return {"point": draw(points)} | (where | {"after": vertex} if draw(st.booleans()) else {})
        case "move_vertex":
            return where | {"vertex": vertex, "point": draw(points)}
        case "remove_vertex":
            return where | {"vertex": vertex, "or_remove": True}
        case "add_part":
            return {"points": draw(rings(3))}
        case "add_hole":
            return {"part": part, "points": draw(rings(3))}
    return where | {"or_remove": True}


@st.composite
def _stroke(draw: Draw, op: str, runs: JSON) -> JSON:
    """A stroke, or a fill, that fits a bitmap."""
    height, width = runs["size"]
    edit: JSON = {"base_hash": rle.hash_of_runs(runs)}
    if op == "fill_bitmap":
        return edit | {"x": draw(st.integers(0, width - 1)), "y": draw(st.integers(0, height - 1)), "confirm": True}
    first = draw(st.integers(0, height * width - 1))
    length = draw(st.integers(1, height * width - first))
    return edit | {"rle": {"size": [height, width], "counts": [first, length, height * width - first - length]}}


@st.composite
def _add(draw: Draw, shapes: st.SearchStrategy[JSON], has_mask: bool) -> JSON:
    edit: JSON = {"op": "add", "category_id": draw(categories)}
    shape = None if has_mask else draw(shapes)
    if shape is not None:
        edit["geometry"] = shape
        if shape["type"] == "orientation":
            edit["orientation"] = draw(orientations)
    if draw(st.booleans()):
        edit["attributes"] = draw(attributes)
    return edit


@st.composite
def _label_edit(draw: Draw, op: str, state: LabelState) -> JSON:
    match op:
        case "set_status":
            verb = draw(st.sampled_from(["submit", "save", "skip", "accept", "reject", "verify", "override"]))
            return {"op": op, "verb": verb} | ({"status": "PRELABELED"} if verb == "override" else {})
        case "set_scene_attributes":
            return {"op": op, "attributes": draw(st.dictionaries(names, json_values, max_size=3))}
        case "set_default_classification" if state.classifications:
            return {"op": op, "category_id": draw(st.sampled_from(state.classifications))}
        case "remove_classification":
            return {"op": op, "category_id": draw(categories)}
    return {"op": "assign_classification", "category_id": draw(categories)}


@st.composite
def _patch(draw: Draw, targets: list[Annotation], state: LabelState) -> JSON:
    known = [0, *(item["id"] for item in targets)]
    size = [3, 4]
    parts = []
    for _ in range(draw(st.integers(1, 2))):
        first = draw(st.integers(0, 11))
        length = draw(st.integers(1, 12 - first))
        runs = [first, length, 12 - first - length]
        parts.append({"id": draw(st.sampled_from(known)), "rle": {"size": size, "counts": runs}})
    return {"op": "patch_bitmap", "base_hash": (state.mask or {}).get("hash"), "set": parts}


@st.composite
def labels(
    draw: Draw, ops: Collection[str] = ALL_OPS, *, shapes: st.SearchStrategy[JSON] = geometries, most: int = 4
) -> LabelState:
    """A label that several edits made, of which so many at most add objects first; sometimes still empty."""
    state = empty_label()
    if draw(st.integers(0, 9)):
        editor = editor_of(state)
        editor.run(draw(edit_lists(state, ("add",), most=most, shapes=shapes)))
        editor.run(draw(edit_lists(editor.state, ops, shapes=shapes)))
        state = editor.state
    return state


@st.composite
def documents(draw: Draw) -> JSON:
    """A document of the protocol as clients send it: also shapes of no points, and keys that nobody knows."""
    used = draw(st.lists(st.integers(1, 9), unique=True, max_size=5))
    objects = []
    for number in used:
        kind = draw(st.sampled_from(["bbox", "polygon", "polyline", "point"]))
        drawn = draw(st.lists(points, min_size=2, max_size=2) if kind == "bbox" else st.lists(points, max_size=4))
        item: JSON = {"id": number, "category_id": draw(categories), "type": kind, "points": drawn}
        if draw(st.booleans()):
            item["attributes"] = draw(attributes | st.none())
        if draw(st.integers(0, 3)) == 0:
            item["made_by"] = draw(json_values)
        if draw(st.integers(0, 3)) == 0:
            item["score"] = draw(st.floats(0, 1))
        objects.append(item)
    document: JSON = {"annotations": objects}
    if draw(st.booleans()):
        document["image_attributes"] = draw(attributes)
    return document


# --- what fits nothing ---------------------------------------------------------------------------------------------

_odd = st.one_of(
    scalars,
    st.just([]),
    st.just({}),
    st.just(10**15),
    st.just(-1),
    st.just("front"),
    st.lists(scalars, max_size=2),
    json_values,
)


@st.composite
def broken(draw: Draw, value: Any) -> Any:
    """The value with one thing in it replaced, taken away, or added."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        match draw(st.integers(0, 5)):
            case 0:
                return {name: item for name, item in value.items() if name != key}
            case 1:
                return value | {draw(st.sampled_from(["geometry", "to", "points", "size", "odd key"])): draw(_odd)}
        return value | {key: draw(broken(value[key]))}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        index = draw(st.integers(0, len(value) - 1))
        if draw(st.integers(0, 5)) == 0:
            return [*value[:index], *value[index + 1 :]]
        return [*value[:index], draw(broken(value[index])), *value[index + 1 :]]
    return draw(_odd)
