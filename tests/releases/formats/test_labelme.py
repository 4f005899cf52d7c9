"""LabelMe and Label Studio: written and read back, real files, and what others export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labeling.geometry import rle
from releases.formats import label_studio, labelme, outlines
from releases.formats.files import Folder, Given, Source
from releases.formats.format import Findings, Format, UnreadableFile
from releases.formats.records import Imported
from tests.support.records import DATASET, STREET, bbox, written

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests" / "data" / "datumaro" / "labelme_dataset"


def read(kind: Format, source: Source, findings: Findings) -> Imported:
    assert kind.read is not None
    return kind.read(source, findings, kind.parsed_for_reading({}))


def pixels(geometry: dict[str, Any]) -> Any:
    return rle.decode(outlines.runs_of(geometry, 60, 100), max_pixels=6000)


def test_what_labelme_carries_comes_back() -> None:
    files, _, lines = written(labelme.LABELME, [STREET])
    assert list(files) == ["streets/a b.json"]
    document = json.loads(files["streets/a b.json"])
    assert (document["imagePath"], document["imageWidth"]) == ("a b.jpg", 100)
    imported = read(labelme.LABELME, Given(files), findings := Findings())
    [sample] = imported.samples
    assert findings.rows == [] and (sample.name, sample.height) == (STREET.name, 60)
    names = {item.id: item.name for item in imported.dataset.categories}
    assert {names[number] for number in sample.classifications} == {"car", "sky & <clouds>"}
    kept = [item for item in STREET.annotations if item.uuid not in ("u10", "u12")]
    assert len(sample.annotations) == len(kept)
    for item, before in zip(sample.annotations, kept, strict=True):
        assert names[item.category_id or 0] == DATASET.by_id[before.category_id or 0].name
        assert item.attributes == before.attributes
        if before.uuid in ("u4", "u5", "u6", "u9"):
            assert (pixels(item.geometry) == pixels(before.geometry)).all()
        else:
            assert item.geometry == before.geometry
    assert {(line["what"], line["became"]) for line in lines} == {
        ("scene attributes", "left out"), ("default classification", "left out"), ("no category", "left out"),
        ("holes", "converted"), ("rbox", "converted"),
        ("ellipse", "converted"), ("skeleton", "left out"), ("keypoints", "left out"),
    }  # fmt: skip


def test_the_xml_of_mits_labelme_imports_without_a_finding() -> None:
    imported = read(labelme.LABELME, Folder(FIXTURES), findings := Findings())
    [sample] = imported.samples
    assert findings.rows == [] and (sample.name, sample.width, sample.height) == ("subset1/img1.png", 102, 77)
    names = {item.id: item.name for item in imported.dataset.categories}
    kinds = [(names[item.category_id or 0], item.geometry["type"]) for item in sample.annotations]
    assert kinds == [
        ("window", "polygon"), ("license plate", "bitmap"), ("o1", "polygon"), ("q1", "polygon"), ("b1", "bbox"),
        ("m1", "bitmap"), ("hg", "polygon"),
    ]  # fmt: skip
    assert sample.annotations[4].geometry == bbox(13, 19, 23, 30)
    assert sample.annotations[2].attributes == {"occluded": True, "attributes": "a1", "hasparts": "3,4"}


@pytest.mark.parametrize(
    "bent",
    [{"points": [[1, 2]]}, {"points": [[1, 2], [3, "4"], [5, 6]]}, {"shape_type": "blob"}, {"label": None, "points": 3},
     {"shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "!"}, {"shape_type": "rectangle"}],
)  # fmt: skip
def test_a_shape_that_cannot_be_read_is_a_finding(bent: dict[str, Any]) -> None:
    good = {"label": "car", "shape_type": "polygon", "points": [[0, 0], [5, 0], [5, 5]]}
    document = {"shapes": [good | bent, good], "imageWidth": 9, "imageHeight": 9, "imagePath": "a.jpg"}
    [sample] = read(labelme.LABELME, Given({"a.json": json.dumps(document).encode()}), findings := Findings()).samples
    assert len(sample.annotations) == 1 and [row["where"] for row in findings.errors] == ["a.json shapes[0]"]
    with pytest.raises(UnreadableFile):
        read(labelme.LABELME, Given({"a.json": b"{}"}), Findings())


# --- Label Studio --------------------------------------------------------------------------------------------------


def brush(mask: Any) -> list[int]:
    """The run lengths of Label Studio of a mask: one value of eight bits for each of the bytes of an RGBA picture."""
    flat = np.repeat(mask[..., None], 4, axis=2).reshape(-1) * 255
    bits = [f"{flat.size:032b}", f"{7:05b}", f"{2:04b}", f"{7:04b}", f"{11:04b}", f"{15:04b}"]
    place = 0
    while place < flat.size:
        until = place
        while until < flat.size and flat[until] == flat[place] and until - place < 60_000:
            until += 1
        bits += ["1", "11", f"{until - place - 1:016b}", f"{flat[place]:08b}"]
        place = until
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return [int(text[at : at + 8], 2) for at in range(0, len(text), 8)]


def region(kind: str, value: dict[str, Any], id: str = "r1", **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "value": value,
        "id": id,
        "original_width": 200,
        "original_height": 100,
        "from_name": "label",
    } | more


def task(*results: dict[str, Any], **more: Any) -> bytes:
    return json.dumps(
        [{"id": 1, "data": {"image": "/data/upload/1/a.jpg"}, "annotations": [{"result": list(results)}]} | more]
    ).encode()


def test_regions_of_label_studio_become_annotations() -> None:
    mask = np.zeros((100, 200), dtype=bool)
    mask[20:30, 40:90] = True
    data = task(
        region(
            "rectanglelabels", {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["car"]}
        ),
        region("choices", {"x": 10, "y": 20, "choices": ["yes"]}, from_name="parked"),
        region("number", {"number": 7}, from_name="speed"),
        region(
            "rectanglelabels",
            {"x": 50, "y": 50, "width": 10, "height": 10, "rotation": 90, "rectanglelabels": ["car"]},
            "r2",
        ),
        region(
            "polygonlabels", {"points": [[0, 0], [10, 0], [10, 10]], "polygonlabels": ["tree"], "closed": True}, "r3"
        ),
        region(
            "ellipselabels",
            {"x": 50, "y": 50, "radiusX": 5, "radiusY": 10, "rotation": 30, "ellipselabels": ["tree"]},
            "r4",
        ),
        region("keypointlabels", {"x": 25, "y": 25, "width": 0.3, "keypointlabels": ["nose"]}, "r5"),
        region("brushlabels", {"format": "rle", "rle": brush(mask), "brushlabels": ["sky"]}, "r6"),
        {"type": "choices", "value": {"choices": ["day"]}, "id": "r7", "from_name": "time"},
    )
    imported = read(label_studio.LABEL_STUDIO, Given({"export.json": data}), findings := Findings())
    [sample] = imported.samples
    assert findings.rows == []
    names = {item.id: item.name for item in imported.dataset.categories}
    assert (sample.name, sample.width, sample.height) == ("a.jpg", 200, 100)
    assert [names[number] for number in sample.classifications] == ["day"]
    box, turned, polygon, ellipse, point, bitmap = sample.annotations
    assert (box.geometry, box.attributes) == (bbox(20, 20, 80, 60), {"parked": "yes", "speed": 7})
    # turned by a quarter about its upper left corner, (100, 50): it lies to the left of that
    corners = sorted(outlines.corners_of(turned.geometry))
    assert corners == [[90, 50], [90, 70], [100, 50], [100, 70]]
    assert polygon.geometry["parts"] == [[[[0, 0], [20, 0], [20, 10]]]]
    assert (ellipse.geometry["center"], ellipse.geometry["radii"]) == ([100, 50], [10, 10])
    assert point.geometry["points"] == [[50, 25]]
    assert (rle.decode(bitmap.geometry["rle"], max_pixels=20_000) == mask).all()
    assert [names[item.category_id or 0] for item in sample.annotations] == [
        "car",
        "car",
        "tree",
        "tree",
        "nose",
        "sky",
    ]


def test_a_video_of_label_studio_becomes_tracks() -> None:
    keys = [
        {"frame": 1, "x": 0, "y": 0, "width": 10, "height": 10, "enabled": True, "rotation": 0},
        {"frame": 5, "x": 40, "y": 0, "width": 10, "height": 10, "enabled": False, "rotation": 0},
    ]
    result = {"type": "videorectangle", "id": "v", "value": {"framesCount": 9, "sequence": keys, "labels": ["car"]}}
    [sample] = read(label_studio.LABEL_STUDIO, Given({"v.json": task(result)}), findings := Findings()).samples
    [track] = sample.tracks
    shown = {frame: item.geometry["points"][0][0] for frame, item in track.at(sample.time)}
    assert shown == {0: 0, 1: 10, 2: 20, 3: 30, 4: 40} and len(sample.frames) == 9
    assert [row["level"] for row in findings.rows] == ["note"]


@pytest.mark.parametrize(
    "bent",
    [region("rectanglelabels", {"x": 1}), region("brushlabels", {"rle": [1, 2]}), region("magic", {}),
     region("polygonlabels", {"points": [[0, 0]]}), region("rectanglelabels", {}, original_width=None)],
)  # fmt: skip
def test_a_region_that_cannot_be_read_is_a_finding(bent: dict[str, Any]) -> None:
    good = region("rectanglelabels", {"x": 0, "y": 0, "width": 1, "height": 1, "rectanglelabels": ["car"]}, "good")
    [sample] = read(label_studio.LABEL_STUDIO, Given({"a.json": task(bent, good)}), findings := Findings()).samples
    assert len(sample.annotations) == 1 and len(findings.errors) == 1
    with pytest.raises(UnreadableFile):
        read(label_studio.LABEL_STUDIO, Given({"a.json": b"{}"}), Findings())
