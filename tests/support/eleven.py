"""The example of Scale Nucleus's page on segmentation (seed 001): a panoptic mask of eleven segments, and the two masks
that it is consolidated to. Wall is 3 and fence is 4, as in the page's code; its table has them the other way."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

JSON = dict[str, Any]

SEGMENTS: list[JSON] = [
    {"label": "background", "index": 0},
    {"label": "building", "index": 1},
    {"label": "tree", "index": 2},
    {"label": "wall", "index": 3},
    {"label": "fence", "index": 4},
    {"label": "pavement", "index": 5},
    {"label": "person", "index": 6, "metadata": {"pose": "sitting"}},
    {"label": "handbag", "index": 7},
    {"label": "bird", "index": 8},
    {"label": "bird", "index": 9},
    {"label": "bird", "index": 10},
]
NAMES = tuple(dict.fromkeys(segment["label"] for segment in SEGMENTS))
#: "For instance segmentation, you might consolidate": index → index.
INSTANCE = {**dict.fromkeys(range(6), 0), 6: 6, 7: 7, 8: 8, 9: 9, 10: 10}
#: "For semantic segmentation": the three birds are one.
SEMANTIC = {index: min(index, 8) for index in range(11)}
CATEGORIES: JSON = {
    "format_version": "0.1",
    "categories": [
        {"id": number, "name": name, "has_instances": name in ("person", "handbag", "bird")}
        for number, name in enumerate(NAMES, 1)
    ],
}


def panoptic(scale: int = 1) -> np.ndarray:
    """The mask (12, 16) uint8, or so many times as large: a street, a person on a wall, a handbag and three birds."""
    mask = np.zeros((12, 16), np.uint8)
    mask[2:8, 0:5] = 1
    mask[1:8, 11:15] = 2
    mask[6:9, 4:12] = 3
    mask[7:9, 12:16] = 4
    mask[9:12, :] = 5
    mask[4:9, 7:9] = 6
    mask[7:9, 9:10] = 7
    mask[0, 2] = mask[1, 8] = 8
    mask[0, 12:14] = 9
    mask[10, 1:3] = 10
    return np.kron(mask, np.ones((scale, scale), np.uint8))


def consolidated(mask: np.ndarray, into: dict[int, int]) -> np.ndarray:
    """The mask with every value read as another one."""
    return np.array([into[index] for index in range(11)], np.uint8)[mask]


def png_of(mask: np.ndarray, *, mode: str | None = None) -> bytes:
    """The file of a mask, written by Pillow; `mode` P is a palette of colours that mean nothing."""
    image = Image.fromarray(mask)
    if mode == "P":
        image = Image.fromarray(mask, "P")
        image.putpalette([(7 * number) % 256 for number in range(768)])
    elif mode is not None:
        image = image.convert(mode)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
