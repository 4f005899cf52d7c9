"""Files that the benches import: the same polygons as COCO, CVAT, YOLO and Label Studio write them."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from labeling.geometry import png

PER_IMAGE = 5
VERTICES = 12
CATEGORIES = 80
WIDTH, HEIGHT = 640, 480

JSON = dict[str, Any]


def ring_of(nth: int) -> list[float]:
    """x0, y0, x1, y1 … of a polygon."""
    x, y = nth % 97 * 6.1, nth // 97 % 89 * 4.9
    ring = []
    for vertex in range(VERTICES):
        angle = 2 * math.pi * vertex / VERTICES
        ring += [round(x + 20 + 17 * math.cos(angle), 2), round(y + 20 + 13 * math.sin(angle), 2)]
    return ring


def pictures(annotations: int, name: str, per_image: int) -> Iterator[tuple[int, str, range]]:
    """(its number, from 1; its name; which annotations are its) of each picture."""
    for nth, start in enumerate(range(0, annotations, per_image), 1):
        yield nth, f"{name}-{nth:07d}", range(start, min(start + per_image, annotations))


def category_of(nth: int) -> int:
    return nth % CATEGORIES + 1


def coco(annotations: int, name: str = "street", *, per_image: int = PER_IMAGE) -> bytes:
    """A COCO file with so many polygons."""
    images, items = [], []
    for number, picture, own in pictures(annotations, name, per_image):
        images.append({"id": number, "file_name": f"{picture}.jpg", "width": WIDTH, "height": HEIGHT})
        for nth in own:
            ring = ring_of(nth)
            items.append(
                {
                    "id": nth + 1,
                    "image_id": number,
                    "category_id": category_of(nth),
                    "segmentation": [ring],
                    "bbox": [min(ring[::2]), min(ring[1::2]), 34.0, 26.0],
                    "area": 694.29,
                    "iscrowd": 0,
                }
            )
    categories = [{"id": nth, "name": f"category {nth}"} for nth in range(1, CATEGORIES + 1)]
    return json.dumps({"images": images, "annotations": items, "categories": categories}).encode()


def cvat(annotations: int, name: str = "street", *, per_image: int = PER_IMAGE) -> bytes:
    """An XML file of CVAT's."""
    labels = "".join(f"<label><name>category {nth}</name></label>" for nth in range(1, CATEGORIES + 1))
    lines = [f"<annotations><version>1.1</version><meta><task><labels>{labels}</labels></task></meta>"]
    for number, picture, own in pictures(annotations, name, per_image):
        lines.append(f'<image id="{number - 1}" name="{picture}.jpg" width="{WIDTH}" height="{HEIGHT}">')
        for nth in own:
            ring = ring_of(nth)
            points = ";".join(f"{x:.2f},{y:.2f}" for x, y in zip(ring[::2], ring[1::2], strict=True))
            lines.append(
                f'<polygon label="category {category_of(nth)}" source="manual" occluded="0" points="{points}"'
                ' z_order="0"></polygon>'
            )
        lines.append("</image>")
    return "\n".join([*lines, "</annotations>"]).encode()


def yolo(annotations: int, name: str = "street", *, per_image: int = PER_IMAGE) -> bytes:
    """A ZIP archive of Ultralytics' outlines, with a picture beside each file of labels."""
    picture_bytes = png.write_values(np.zeros((HEIGHT, WIDTH), dtype=np.uint8))
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        names = ", ".join(f"category {nth}" for nth in range(1, CATEGORIES + 1))
        archive.writestr("data.yaml", f"names: [{names}]\n")
        for _, picture, own in pictures(annotations, name, per_image):
            lines = []
            for nth in own:
                ring = ring_of(nth)
                shares = [f"{at / (HEIGHT if place % 2 else WIDTH):.6f}" for place, at in enumerate(ring)]
                lines.append(" ".join([str(category_of(nth) - 1), *shares]))
            archive.writestr(f"images/train/{picture}.png", picture_bytes)
            archive.writestr(f"labels/train/{picture}.txt", "\n".join(lines) + "\n")
    return sink.getvalue()


def label_studio(annotations: int, name: str = "street", *, per_image: int = PER_IMAGE) -> bytes:
    """A JSON export of Label Studio's."""
    tasks = []
    for number, picture, own in pictures(annotations, name, per_image):
        results = []
        for nth in own:
            ring = ring_of(nth)
            shares = [[x / WIDTH * 100, y / HEIGHT * 100] for x, y in zip(ring[::2], ring[1::2], strict=True)]
            results.append(
                {
                    "id": f"r{nth}",
                    "type": "polygonlabels",
                    "from_name": "label",
                    "to_name": "image",
                    "origin": "manual",
                    "original_width": WIDTH,
                    "original_height": HEIGHT,
                    "image_rotation": 0,
                    "value": {"points": shares, "closed": True, "polygonlabels": [f"category {category_of(nth)}"]},
                }
            )
        tasks.append(
            {
                "id": number,
                "data": {"image": f"https://example.org/{picture}.jpg"},
                "annotations": [{"id": number, "result": results, "was_cancelled": False}],
                "predictions": [],
            }
        )
    return json.dumps(tasks).encode()


#: {format: (its file's name, what makes one of so many annotations)}
FILES: dict[str, tuple[str, Callable[..., bytes]]] = {
    "coco-instances": ("instances.json", coco),
    "cvat-images": ("annotations.xml", cvat),
    "yolo-segmentation": ("yolo.zip", yolo),
    "label-studio": ("tasks.json", label_studio),
}
