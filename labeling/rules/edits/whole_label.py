"""Edits of the label as a whole: classifications, its status, what holds for the image."""

from __future__ import annotations

from typing import Any

from labeling import events as e
from labeling.errors import InvalidValue
from labeling.log import values
from labeling.rules.documents import checked_int, checked_object
from labeling.rules.edits.editor import Editor
from labeling.rules.edits.mentions import VERBS
from labeling.rules.label_state import STATUSES
from labeling.rules.protocol.labels import check_scene

JSON = dict[str, Any]


def assign_classification(editor: Editor, edit: JSON, place: str) -> None:
    number = checked_int(edit.get("category_id"), f"{place}.category_id")
    if number not in editor.state.classifications:
        editor.tell(e.ClassificationAssigned(category_id=number))
        if editor.state.default_classification is None:
            editor.tell(e.DefaultClassificationSet(category_id=number))
    elif editor.state.default_classification != number:
        # Assigning again what is there makes it the default (features.md SS-12b).
        editor.tell(e.DefaultClassificationSet(category_id=number))


def remove_classification(editor: Editor, edit: JSON, place: str) -> None:
    number = checked_int(edit.get("category_id"), f"{place}.category_id")
    if number in editor.state.classifications:
        editor.tell(e.ClassificationRemoved(category_id=number))
        if editor.state.default_classification == number:
            oldest = editor.state.classifications[0] if editor.state.classifications else None
            editor.tell(e.DefaultClassificationSet(category_id=oldest))


def set_default_classification(editor: Editor, edit: JSON, place: str) -> None:
    number = checked_int(edit.get("category_id"), f"{place}.category_id")
    if number not in editor.state.classifications:
        raise InvalidValue(f"{place}.category_id", "is not assigned to this image; assign it first")
    if editor.state.default_classification != number:
        editor.tell(e.DefaultClassificationSet(category_id=number))


def set_status(editor: Editor, edit: JSON, place: str) -> None:
    verb = edit.get("verb")
    if not isinstance(verb, str) or verb not in VERBS:
        raise InvalidValue(f"{place}.verb", f"must be one of {', '.join(VERBS)}")
    status = VERBS[verb] or edit.get("status")
    if status not in STATUSES or status == "UNLABELED":
        raise InvalidValue(f"{place}.status", f"must be one of {', '.join(STATUSES[1:])}")
    if status != editor.state.status or not editor.state.exists:
        before = editor.state.status if editor.state.exists else None
        editor.tell(e.LabelStatusChanged(before=before, after=status, verb=verb))


def set_scene_attributes(editor: Editor, edit: JSON, place: str) -> None:
    sent = checked_object(edit.get("attributes"), f"{place}.attributes")
    for key in ("annotations", "segmentation_bitmap", "frames", "sensors", "classifications"):
        if key in sent:
            raise InvalidValue(f"{place}.attributes.{key}", "is not an attribute of the whole image")
    check_scene(sent, f"{place}.attributes")
    scene = {
        key: value
        for key, value in sent.items()
        if (key in editor.state.scene if value is None else not values.same(editor.state.scene.get(key), value))
    }
    if scene:
        editor.tell(e.SceneAttributesSet(scene=scene))
