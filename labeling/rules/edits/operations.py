"""What there is to do with annotations, and which fields each edit takes."""

from __future__ import annotations

from collections.abc import Mapping

from labeling.rules.edits import details, objects, outlines, pixels, whole_label
from labeling.rules.edits.editor import Editor, Operation

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
    "patch_bitmap": (pixels.patch_bitmap, ("base_hash", "set")),
}  # fmt: skip


class AnnotationEditor(Editor):
    """Applies edits of annotations, of the label's bitmap and of the label as a whole."""

    def operations(self) -> Mapping[str, Operation]:
        return OPERATIONS

    def finish(self) -> None:
        pixels.clear_pixels(self)
