"""A small dataset as records in which everything occurs that a label can hold, for the tests of formats.

Run as a program it prints the hash of its export in every format, so that runs in other environments can be compared.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any

import numpy as np

from labeling.geometry import rle
from releases import packing
from releases.formats import registry
from releases.formats.format import Format, Losses, Options
from releases.formats.records import Annotation, Category, Dataset, Frame, Sample, Track

JSON = dict[str, Any]

CAR, PERSON, SKY = 1, 2, 7
COLOURS = {"type": "select", "name": "colour", "input_type": "select", "values": ["red", "dark blue"]}
CATEGORIES = (
    Category(
        CAR, "car", (220, 20, 60), attributes=({"name": "colour", "input_type": "select", "values": ["red", "blue"]},)
    ),
    Category(PERSON, "person", (119, 11, 32), points=("nose", "left eye", "tail"), edges=((0, 1), (1, 2))),
    Category(SKY, "sky & <clouds>", (70, 130, 180), is_thing=False),
)
DATASET = Dataset(
    name="streets",
    categories=CATEGORIES,
    description="of the \u00fcbung",
    stands={"release": "r", "offset": 41, "chain": "00"},
)


def bitmap(mask: Any) -> JSON:
    return {"type": "bitmap", "rle": rle.encode(np.asarray(mask, dtype=bool), compressed=True)}


def blob(height: int, width: int, x: int, y: int, w: int, h: int) -> JSON:
    """A rectangle of pixels with a pixel missing in its middle."""
    mask = np.zeros((height, width), dtype=bool)
    mask[y : y + h, x : x + w] = True
    mask[y + h // 2, x + w // 2] = False
    return bitmap(mask)


def bbox(x0: float, y0: float, x1: float, y1: float) -> JSON:
    return {"type": "bbox", "points": [[x0, y0], [x1, y1]]}


def ring(*numbers: float) -> list[list[float]]:
    return [[numbers[place], numbers[place + 1]] for place in range(0, len(numbers), 2)]


def polygon(*parts: list[list[list[float]]]) -> JSON:
    return {"type": "polygon", "parts": list(parts)}


BOX = Annotation(1, CAR, bbox(10.5, 5, 40.25, 30), uuid="u1", attributes={"colour": "red", "parked": True, "speed": 3})
POLYGON = Annotation(2, CAR, polygon([ring(50, 10, 70, 12, 65, 40, 48, 35.5)]), uuid="u2")
PARTS = Annotation(3, PERSON, polygon([ring(1, 40, 9, 40, 9, 50)], [ring(12, 40, 20, 40, 20, 50)]), uuid="u3")
HOLED = Annotation(4, CAR, polygon([ring(70, 30, 95, 30, 95, 58, 70, 58), ring(75, 35, 75, 45, 85, 45, 85, 35)]), "u4")
TURNED = Annotation(5, CAR, {"type": "rbox", "center": [30, 45], "size_wh": [20, 8], "angle_deg": 30}, uuid="u5")
ELLIPSE = Annotation(6, PERSON, {"type": "ellipse", "center": [80, 15], "radii": [8, 5], "angle_deg": -20}, uuid="u6")
LINE = Annotation(7, PERSON, {"type": "polyline", "parts": [ring(1, 1, 20, 3, 40, 1)]}, uuid="u7")
POINT = Annotation(8, PERSON, {"type": "point", "points": [[33.5, 44.25]]}, uuid="u8")
BITMAP = Annotation(9, SKY, blob(60, 100, 0, 0, 90, 9), uuid="u9")
BODY = Annotation(
    10,
    PERSON,
    {
        "type": "skeleton",
        "points": [
            {"name": "nose", "x": 20, "y": 20.5, "visibility": 2},
            {"name": "left eye", "x": 24, "y": 18, "visibility": 1},
            {"name": "tail", "visibility": 0},
        ],
    },
    uuid="u10",
    score=0.75,
)
KEYED = Annotation(
    11, PERSON, bbox(15, 15, 30, 40), uuid="u11", keypoints=[{"name": "nose", "x": 21, "y": 22, "visibility": 2}]
)
UNNAMED = Annotation(12, None, bbox(2, 2, 5, 5), uuid="u12")
EVERYTHING = [BOX, POLYGON, PARTS, HOLED, TURNED, ELLIPSE, LINE, POINT, BITMAP, BODY, KEYED, UNNAMED]

STREET = Sample(
    name="streets/a b.jpg",
    uuid="s1",
    width=100,
    height=60,
    url="/media/t/a.jpg",
    status="REVIEWED",
    annotations=EVERYTHING,
    scene={"rain": False},
    classifications=[CAR, SKY],
    default_classification=CAR,
    metadata={"city": "Ghent"},
)
EMPTY = Sample(name="empty.png", uuid="s2", width=32, height=24, split="val")
UNSIZED = Sample(name="unsized.png", uuid="s3", annotations=[BOX, POLYGON])

TRACKS = [
    Track(
        1,
        CAR,
        {
            0: {"geometry": bbox(10, 10, 20, 20), "attributes": {"colour": "red"}},
            4: {"geometry": bbox(18, 10, 28, 24), "attributes": {"colour": "blue"}},
            6: {"absent": True},
            8: {"geometry": bbox(40, 30, 50, 41)},
        },
        uuid="t1",
    ),
    Track(2, PERSON, {2: {"geometry": polygon([ring(60, 20, 80, 20, 70, 40)])}, 9: {"absent": True}}, uuid="t2"),
    Track(
        3,
        SKY,
        {n: {"geometry": blob(60, 100, n, 0, 30, 8)} for n in range(3)} | {3: {"absent": True}},
        uuid="t3",
    ),
]
VIDEO = Sample(
    name="drive",
    uuid="s4",
    is_sequence=True,
    frames=[Frame(f"{n:06d}", 100, 60, f"/media/t/{n}.jpg") for n in range(10)],
    tracks=TRACKS,
)
SAMPLES = [STREET, EMPTY, UNSIZED, VIDEO]


def written(
    kind: Format, samples: list[Sample] = SAMPLES, dataset: Dataset = DATASET, **said: str
) -> tuple[dict[str, bytes], Losses, list[JSON]]:
    """(files, losses counted, losses one by one) of an export in memory."""
    sink = io.BytesIO()
    done = packing.pack(kind, dataset, samples, kind.parsed(said), sink)
    with zipfile.ZipFile(sink) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    lines: list[JSON] = json.loads(files.pop(packing.LOSSES))["list"]
    del files[packing.ABOUT]
    losses = Losses()
    losses.merge(done.losses)
    return files, losses, lines


def packed(kind: Format, options: Options) -> bytes:
    sink = io.BytesIO()
    packing.pack(kind, DATASET, SAMPLES, options, sink)
    return sink.getvalue()


if __name__ == "__main__":
    for name in sorted(registry.WRITTEN):
        kind = registry.FORMATS[name]
        print(name, hashlib.sha256(packed(kind, kind.parsed({}))).hexdigest())
