"""The same label in another dataset: new uuids, and where each annotation comes from. Pure."""

from __future__ import annotations

import uuid
from typing import Any

from labeling import events as e
from labeling.log.event import Fact
from labeling.rules.documents import imported
from labeling.rules.label_state import Annotation, LabelState

JSON = dict[str, Any]

#: Task types whose labels are also labels of others, beside their own.
ALSO = {
    "bboxes": {"vector"},
    "keypoints": {"vector"},
    "segmentation-bitmap": {"segmentation-bitmap-highres"},
    "segmentation-bitmap-highres": {"segmentation-bitmap"},
    "pointcloud-cuboid": {"pointcloud-vector"},
    "pointcloud-cuboid-sequence": {"pointcloud-vector-sequence"},
}


def labels_fit(task_type: str, other: str) -> bool:
    """Whether a label of one task type is, as it is, a label of the other."""
    return task_type == other or other in ALSO.get(task_type, ())


def copied_objects(state: LabelState) -> list[Fact]:
    """The facts that make a label with the same objects, whose annotations name those of `state` as their origin."""
    new = {key: str(uuid.uuid4()) for key in state.annotations}
    objects = [_copied(item, new[item["uuid"]], state.label_set) for item in state.in_order()]
    facts = imported(objects, scene=state.scene, mask=state.mask, status=state.status, score=state.score)
    for item in state.in_order():
        for link in item.get("links", ()):
            if link["to"] in new:
                facts.append(
                    e.AnnotationLinkAdded(
                        annotation=new[item["uuid"]], to=new[link["to"]], attributes=link["attributes"]
                    )
                )
    facts.extend(e.ClassificationAssigned(category_id=number) for number in state.classifications)
    if state.default_classification is not None:
        facts.append(e.DefaultClassificationSet(category_id=state.default_classification))
    return facts


def _copied(item: Annotation, annotation: str, label_set: str) -> JSON:
    """The fields of AnnotationAdded. An origin that the annotation has itself (a model and its run) stays within."""
    origin: JSON = {"kind": "clone", "label_set": label_set, "annotation": item["uuid"]}
    if "origin" in item:
        origin["origin"] = item["origin"]
    found: JSON = {"annotation": annotation, "origin": origin}
    for key in (
        "id", "category_id", "geometry", "order", "attributes", "keypoints", "orientation", "score", "extra",
    ):  # fmt: skip
        if key in item:
            found[key] = item[key]
    return found


def copied_document(state: LabelState) -> list[Fact]:
    """The facts that make a label with the same document."""
    facts: list[Fact] = [
        e.LabelDocumentSet(document=state.document or {}),
        e.LabelStatusChanged(before=None, after=state.status, verb="upload"),
    ]
    return facts if state.score is None else [*facts, e.LabelScoreSet(score=state.score)]
