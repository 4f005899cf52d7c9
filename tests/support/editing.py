"""Edits of labels in memory: an editor whose bitmaps are in a dict, and the labels that several tests begin with."""

from __future__ import annotations

from typing import Any

import numpy as np

from labeling.geometry import bitmaps, rle
from labeling.rules.edits.editor import Outcome
from labeling.rules.edits.operations import AnnotationEditor
from labeling.rules.label_state import LabelState
from tests.support.labels import BEN, KEYPOINTS, ORIENTATION, annotation, key, label

JSON = dict[str, Any]
POLYLINE = {"type": "polyline", "parts": [[[0, 0], [1, 1]]]}
TWO = label(annotation(1), annotation(2, geometry=POLYLINE))
RICH = label(annotation(1, attributes={"a": 1, "b": 2}, keypoints=KEYPOINTS, orientation=ORIENTATION, score=0.5))
ALONE = label(annotation(1, geometry={"type": "orientation"}, orientation=ORIENTATION))
LINKED = label(annotation(1, links=[{"to": key(2), "attributes": {"k": 1}}]), annotation(2), annotation(3))
FRONT = label(annotation(1, order=1.0), annotation(2, order=2.0), annotation(3, order=5.0))
CLASSIFIED = label(classifications=[1, 2], default_classification=1)
GROUND = np.array([[1, 1, 0], [2, 2, 0]], np.uint32)
OBJECTS = (annotation(1, geometry={"type": "mask"}), annotation(2, geometry={"type": "mask"}))


class Memory:
    """Bitmaps by their hash, as the files of a command would be."""

    def __init__(self, *known: np.ndarray) -> None:
        self.files = {bitmaps.mask_hash(ids): ids for ids in known}

    def read(self, mask: JSON) -> np.ndarray:
        return self.files[mask["hash"]]

    def keep(self, ids: np.ndarray) -> JSON:
        digest = bitmaps.mask_hash(ids)
        self.files[digest] = ids
        return {"url": f"/media/{digest[:32]}/m.png", "hash": digest, "width": ids.shape[1], "height": ids.shape[0]}


def run(
    state: LabelState, *items: Any, has_mask: bool = False, pixels: Memory | None = None, **keywords: Any
) -> Outcome:
    editor = AnnotationEditor(state, author=BEN, has_mask=has_mask, pixels=pixels or Memory(), **keywords)
    return editor.run(list(items))


def facts(state: LabelState, *items: Any, **options: Any) -> Any:
    return run(state, *items, **options).facts


def part(number: int, *rows: str) -> JSON:
    """A part of a patch: the pixels drawn with an x."""
    return {"id": number, "rle": rle.encode(np.array([[pixel == "x" for pixel in row] for row in rows]))}


def painted(**header: Any) -> tuple[LabelState, Memory, str]:
    pixels = Memory()
    mask = pixels.keep(GROUND)
    return label(*OBJECTS, mask=mask, **header), pixels, mask["hash"]
