"""Pascal VOC: read by Datumaro, and read back; its fixtures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labeling.geometry import rle
from releases.formats import outlines, voc
from releases.formats.files import Folder, Given, Source
from releases.formats.format import Findings, UnreadableFile
from releases.formats.records import Annotation, Imported, Sample
from tests.support import records
from tests.support.peers import dummy, labels_of, put, read_by_datumaro
from tests.support.records import CAR, STREET, bbox, written

FIXTURES = Path(__file__).parents[2] / "data" / "datumaro" / "voc_dataset"


def read(source: Source, findings: Findings, **said: str) -> Imported:
    assert voc.VOC.read is not None
    return voc.VOC.read(source, findings, voc.VOC.parsed_for_reading(said))


def test_boxes_attributes_and_pixels_come_back() -> None:
    flagged = Annotation(
        40, CAR, bbox(1, 2, 3, 4), attributes={"truncated": True, "pose": "Left", "speed": 3, "note": "a<b"}
    )
    street = Sample("a.jpg", width=100, height=60, annotations=[records.BOX, flagged, records.POLYGON, records.HOLED])
    files, _, lines = written(voc.VOC, [street])
    findings = Findings()
    imported = read(Given(files), findings)
    [sample] = imported.samples
    assert findings.rows == [] and (sample.name, sample.width, sample.height) == ("a.jpg", 100, 60)
    assert [item.name for item in imported.dataset.categories] == ["car", "person", "sky & <clouds>"]
    drawn, again, polygon, holed = sample.annotations
    assert (drawn.geometry, drawn.attributes) == (records.BOX.geometry, records.BOX.attributes)
    assert (again.geometry, again.attributes) == (flagged.geometry, flagged.attributes)
    for found, before in ((polygon, records.POLYGON), (holed, records.HOLED)):
        assert outlines.runs_of(found.geometry, 60, 100) == outlines.runs_of(before.geometry, 60, 100)
    assert {(line["what"], line["became"]) for line in lines} == {("polygon", "converted"), ("holes", "converted")}


def test_vocs_own_coordinates_are_pixels_from_1() -> None:
    street = Sample("a.jpg", width=100, height=60, annotations=[Annotation(1, CAR, bbox(0, 10, 20, 30.5))])
    files, _, _ = written(voc.VOC, [street], coordinates="from-1")
    assert b"<xmin>1</xmin><ymin>11</ymin><xmax>20</xmax><ymax>31</ymax>" in files["Annotations/a.xml"]
    [sample] = read(Given(files), Findings(), coordinates="from-1").samples
    assert sample.annotations[0].geometry == bbox(0, 10, 20, 31)


def test_datumaro_reads_boxes_and_pixels(tmp_path: Path) -> None:
    kept = [item for item in STREET.annotations if item.uuid in ("u1", "u2", "u4", "u9")]
    files, _, _ = written(voc.VOC, [Sample("a.jpg", width=100, height=60, annotations=kept)])
    put(tmp_path, files | {"JPEGImages/a.jpg": dummy(100, 60)})
    read = read_by_datumaro(tmp_path, "voc")
    names = labels_of(read)
    assert names == ["background", "car", "person", "sky & <clouds>"]
    [item] = read
    boxes = {(names[one.label], tuple(one.points)) for one in item.annotations if one.type.name == "bbox"}
    assert {(name, box) for name, box in boxes if box[0] == 10.5} == {("car", (10.5, 5, 40.25, 30))}
    drawn = [one.image.astype(bool) for one in item.annotations if one.type.name == "mask"]
    ours = [rle.decode(outlines.runs_of(one.geometry, 60, 100), max_pixels=6000) for one in kept[1:]]
    assert len(drawn) == 3
    assert all(any((mask == one).all() for one in drawn) for mask in ours)


def test_the_maps_have_vocs_colours_and_values() -> None:
    street = Sample("a.jpg", width=100, height=60, annotations=[records.POLYGON, records.PARTS])
    files, _, _ = written(voc.VOC, [street])
    for name, values in (("SegmentationClass", {0, 1, 2}), ("SegmentationObject", {0, 1, 2})):
        picture = Image.open(io.BytesIO(files[f"{name}/a.png"]))
        assert picture.mode == "P" and set(np.unique(np.asarray(picture)).tolist()) == values
        assert (picture.getpalette() or [])[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]


def test_more_objects_than_a_map_has_values_are_listed() -> None:
    dot = {"type": "polygon", "parts": [[[[0, 0], [1, 0], [1, 1], [0, 1]]]]}
    many = [Annotation(n, CAR, dot) for n in range(1, 258)]
    _, losses, _ = written(voc.VOC, [Sample("a", width=9, height=9, annotations=many)])
    assert losses.counts["more than 254 objects with pixels, or classes", "left out"] == 3


def test_the_fixtures_of_voc_import_without_an_error() -> None:
    for folder in ("voc_dataset1", "voc_dataset2"):
        findings = Findings()
        samples = list(read(Folder(FIXTURES / folder), findings).samples)
        assert findings.errors == [] and samples
    [sample] = read(Folder(FIXTURES / "voc_dataset1"), findings := Findings()).samples
    assert [row["message"] for row in findings.rows] == ["has parts, which are not read"]
    cat, person, *pixels = sample.annotations
    assert cat.geometry == bbox(1, 2, 3, 4) and cat.attributes == {"truncated": True}
    assert person.attributes["reading"] is True and person.attributes["running"] is False
    assert all(item.geometry["type"] == "bitmap" for item in pixels)


@pytest.mark.parametrize(
    "box",
    [
        "",
        "<bndbox><xmin>5</xmin></bndbox>",
        "<bndbox><xmin>9</xmin><ymin>0</ymin><xmax>5</xmax><ymax>1</ymax></bndbox>",
    ],
)
def test_an_object_without_a_box_is_a_finding(box: str) -> None:
    findings = Findings()
    text = f"<annotation><object><name>car</name>{box}</object></annotation>"
    [sample] = read(Given({"a.xml": text.encode()}), findings).samples
    assert sample.annotations == [] and len(findings.errors) == 1
    with pytest.raises(UnreadableFile):
        read(Given({}), Findings())
