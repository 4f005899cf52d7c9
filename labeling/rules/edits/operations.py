"""What there is to do with annotations, and which fields each edit takes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from labeling.rules.edits import details, objects, outlines, pixels, placement, rasters, vertices, whole_label
from labeling.rules.edits.editor import Editor, Operation

JSON = dict[str, Any]

OPERATIONS: dict[str, Operation] = {
    "add": (
        objects.add,
        (
            "id", "uuid", "category_id", "geometry", "type", "points",
            "attributes", "keypoints", "orientation", "score", "origin",
        ),
    ),
    "remove": (objects.remove, ()),
    "set_geometry": (outlines.set_geometry, ("geometry", "type", "points")),
    "insert_vertex": (vertices.insert_vertex, ("part", "ring", "after", "point")),
    "move_vertex": (vertices.move_vertex, ("part", "ring", "vertex", "point")),
    "remove_vertex": (vertices.remove_vertex, ("part", "ring", "vertex", "or_remove")),
    "add_part": (vertices.add_part, ("points",)),
    "add_hole": (vertices.add_hole, ("part", "points")),
    "remove_ring": (vertices.remove_ring, ("part", "ring", "or_remove")),
    "set_category": (objects.set_category, ("category_id",)),
    "set_attributes": (details.set_attributes, ("attributes",)),
    "clear_attributes": (details.clear_attributes, ("names",)),
    "set_keypoints": (details.set_keypoints, ("keypoints",)),
    "clear_keypoints": (details.clear_keypoints, ()),
    "set_orientation": (details.set_orientation, ("orientation",)),
    "clear_orientation": (details.clear_orientation, ()),
    "set_order": (objects.set_order, ("to",)),
    "set_score": (objects.set_score, ("score",)),
    "add_link": (objects.add_link, ("to", "attributes")),
    "remove_link": (objects.remove_link, ("to",)),
    "assign_classification": (whole_label.assign_classification, ("category_id",)),
    "remove_classification": (whole_label.remove_classification, ("category_id",)),
    "set_default_classification": (whole_label.set_default_classification, ("category_id",)),
    "set_status": (whole_label.set_status, ("verb", "status")),
    "set_scene_attributes": (whole_label.set_scene_attributes, ("attributes",)),
    "rasterize": (rasters.rasterize, ("size_wh",)),
    "polygonize": (rasters.polygonize, ("tolerance_px",)),
    "fit_to_image": (placement.fit_to_image, ("size_wh",)),
    "paint_bitmap": (rasters.paint_bitmap, ("base_hash", "rle")),
    "erase_bitmap": (rasters.erase_bitmap, ("base_hash", "rle")),
    "fill_bitmap": (rasters.fill_bitmap, ("base_hash", "x", "y", "confirm")),
    "patch_bitmap": (pixels.patch_bitmap, ("base_hash", "set")),
}  # fmt: skip


class AnnotationEditor(Editor):
    """Applies edits of annotations, of the label's bitmap and of the label as a whole."""

    def operations(self) -> Mapping[str, Operation]:
        return OPERATIONS

    @cached_property
    def demands(self) -> placement.Demands:
        """What the dataset asks of the shapes that are drawn."""
        inside = self.state.settings.get("labels_outside_image") == "refuse"
        return placement.Demands(inside=inside, size_wh=self.known_wh, ratios=self.ratios)

    def check(self, edit: JSON, place: str, first: int) -> None:
        placement.check_drawn(self, edit, place, first)

    def finish(self) -> None:
        pixels.clear_pixels(self)
