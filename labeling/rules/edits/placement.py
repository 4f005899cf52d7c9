"""Where shapes may be: pushing them into the image, and what a dataset asks of new ones.

A dataset may refuse labels outside of the image (its setting `labels_outside_image`), and boxes of a category that has
an `aspect_ratio` that are not so many times as wide as high. Both are asked of what an edit draws, never of what is
there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labeling import events as e
from labeling.errors import InvalidValue
from labeling.geometry import vertices
from labeling.log.event import Fact
from labeling.rules.label_state import LabelState

if TYPE_CHECKING:
    from labeling.rules.edits.operations import AnnotationEditor

JSON = dict[str, Any]
Size = tuple[int, int]

#: The settings of a dataset for labels outside of the image.
OUTSIDE = ("allow", "refuse")
#: Boxes whose sides differ by less were moved, not resized.
_MOVED_PX = 1 / 256


def fit_to_image(editor: AnnotationEditor, edit: JSON, place: str) -> JSON | None:
    """One object, or all of the label, is pushed into the image, and clamped where it is larger; its keypoints too."""
    item = editor.find(edit, place) if "annotation" in edit else None
    done = []
    items = editor.state.in_order() if item is None else [item]
    width, height = editor.image_wh(edit, place) if items else (1, 1)
    for each in items:
        geometry = vertices.fit(each["geometry"], height, width)
        keypoints = fitted_keypoints(each, geometry, width, height)
        if geometry != each["geometry"]:
            editor.tell(e.AnnotationFitted(annotation=each["uuid"], geometry=geometry))
        if keypoints is not None:
            editor.tell(e.AnnotationKeypointsSet(annotation=each["uuid"], keypoints=keypoints))
        if geometry != each["geometry"] or keypoints is not None:
            done.append(editor.named(each))
    editor.said["done"] = done
    return item


def fitted_keypoints(item: JSON, geometry: JSON, width: int, height: int) -> list[JSON] | None:
    """The keypoints after a fit: moved with a shape that kept its size, then clamped; None where none changes."""
    if "keypoints" not in item:
        return None
    dx, dy = _moved_by(item["geometry"], geometry)
    found = []
    for point in item["keypoints"]:
        if point["visibility"]:
            x = min(max(point["x"] + dx, 0), width) if dx or not 0 <= point["x"] <= width else point["x"]
            y = min(max(point["y"] + dy, 0), height) if dy or not 0 <= point["y"] <= height else point["y"]
            point = point | {"x": x, "y": y}
        found.append(point)
    return found if found != item["keypoints"] else None


def _moved_by(before: JSON, after: JSON) -> tuple[float, float]:
    """How far a shape was moved as a whole; (0, 0) where it was changed otherwise, or has no place of its own."""
    if before["type"] in ("rbox", "ellipse"):
        (x0, y0), (x1, y1) = before["center"], after["center"]
        return (0, 0) if before | {"center": after["center"]} != after else (x1 - x0, y1 - y0)
    corners = [_corners(vertices.points_of(geometry)) for geometry in (before, after)]
    if not all(corners):
        return 0, 0
    moves = []
    for one, two in zip(*corners, strict=True):
        low, high = two[0] - one[0], two[1] - one[1]
        moves.append(low if abs(low - high) <= _MOVED_PX else 0.0)
    return moves[0], moves[1]


def _corners(points: list[list[float]]) -> list[tuple[float, float]]:
    """[(least, greatest)] of x and of y; empty without points."""
    return [(min(axis), max(axis)) for axis in zip(*points, strict=True)]


# --- what a dataset asks of new shapes -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Demands:
    """What a dataset asks of the shapes that are drawn in it. `size_wh` None: the image's size is not known."""

    inside: bool = False
    size_wh: Callable[[], Size | None] = lambda: None
    ratios: Callable[[], Mapping[int, float]] = dict

    def check(self, where: str, after: JSON, before: JSON | None = None) -> None:
        """Hold an annotation as an edit leaves it (`before` it was so) against the demands.

        Raises:
            InvalidValue: what was drawn lies outside of the image, or is a box of other proportions.
        """
        geometry = after["geometry"]
        had = None if before is None else before["geometry"]
        if geometry != had:
            self._check_ratio(where, geometry, had, after.get("category_id"))
        points = after.get("keypoints")
        if self.inside and (geometry != had or (points and points != (before or {}).get("keypoints"))):
            self._check_inside(where, geometry, points or [])

    def _check_inside(self, where: str, geometry: JSON, keypoints: list[JSON]) -> None:
        size = self.size_wh()
        if size is None:
            return
        width, height = size
        placed = [(point["x"], point["y"]) for point in keypoints if point["visibility"]]
        if geometry["type"] == "bitmap" and geometry["rle"]["size"] != [height, width]:
            raise InvalidValue(where, f"must be a bitmap of the image's size, [{height}, {width}]")
        outside = vertices.fit(geometry, height, width) != geometry if geometry["type"] != "bitmap" else False
        if outside or any(not (0 <= x <= width and 0 <= y <= height) for x, y in placed):
            raise InvalidValue(where, f"must lie within the image, which is {width} wide and {height} high")

    def _check_ratio(self, where: str, geometry: JSON, had: JSON | None, category_id: int | None) -> None:
        if geometry["type"] != "bbox" or len(geometry["points"]) != 2 or category_id is None:
            return
        if had is not None and same_size(had, geometry):
            return
        ratio = self.ratios().get(category_id)
        if ratio is not None and not vertices.has_ratio(geometry["points"], ratio):
            raise InvalidValue(
                where, f"must be {ratio:g} times as wide as high: boxes of this category have a fixed ratio"
            )


def same_size(one: JSON, two: JSON) -> bool:
    """Whether two geometries are boxes of one size."""
    if any(each["type"] != "bbox" or len(each["points"]) != 2 for each in (one, two)):
        return False
    sizes = [(b[0] - a[0], b[1] - a[1]) for a, b in (one["points"], two["points"])]
    return all(abs(a - b) <= _MOVED_PX for a, b in zip(*sizes, strict=True))


def check_saved(demands: Demands, state: LabelState, facts: Iterable[Fact], place_of: Callable[[int], str]) -> None:
    """Hold what a whole document drew against what the dataset demands; `place_of` names an object of it by its id.

    Raises:
        InvalidValue: as `Demands.check`.
    """
    changed: dict[str, JSON] = {}
    for fact in facts:
        match fact:
            case e.LabelImported():
                for item in fact.annotations:
                    demands.check(place_of(item["id"]), item)
            case e.AnnotationAdded():
                demands.check(place_of(fact.id), fact.plain())
            case e.AnnotationGeometrySet() | e.AnnotationKeypointsSet() | e.AnnotationCategorySet():
                had = changed.get(fact.annotation) or state.annotations.get(fact.annotation)
                if had is not None:
                    said = {key: value for key, value in fact.plain().items() if key != "annotation"}
                    changed[fact.annotation] = had | said
    for key, item in changed.items():
        demands.check(place_of(item["id"]), item, state.annotations[key])


#: Fields of edits that draw; the first one that is there is named where what was drawn does not fit.
DRAWN = ("geometry", "points", "point", "vertex", "keypoints", "rle")
CHECKED = (
    e.AnnotationAdded,
    e.AnnotationGeometrySet,
    e.AnnotationVertexInserted,
    e.AnnotationVertexMoved,
    e.AnnotationVertexRemoved,
    e.AnnotationPartAdded,
    e.AnnotationHoleAdded,
    e.AnnotationKeypointsSet,
)


def check_drawn(editor: AnnotationEditor, edit: JSON, place: str, first: int) -> None:
    """Hold what an edit drew against what the dataset demands; `first` is its first fact."""
    drawn = {fact.annotation for fact in editor.outcome.facts[first:] if isinstance(fact, CHECKED)}
    if drawn and edit["op"] != "fit_to_image":
        name = next((name for name in DRAWN if name in edit), "geometry")
        for key in drawn & editor.state.annotations.keys():
            editor.demands.check(f"{place}.{name}", editor.state.annotations[key], editor.had.get(key))
