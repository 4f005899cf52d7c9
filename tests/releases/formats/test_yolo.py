"""YOLO: held against the rules by which Ultralytics takes a label file, read by Datumaro, and read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from releases.formats import outlines, registry, yolo
from releases.formats.files import Folder, Given, Source
from releases.formats.format import Findings, Format, UnreadableFile
from releases.formats.records import Annotation, Imported, Sample
from tests.support import records
from tests.support.peers import dummy, labels_of, put, read_by_datumaro
from tests.support.records import CAR, STREET, bbox, written

FIXTURES = Path(__file__).parents[2] / "data" / "datumaro" / "yolo_dataset"
NAMES = ["yolo-detection", "yolo-segmentation", "yolo-obb", "yolo-pose"]
TURNED_SQUARE = Annotation(30, CAR, {"type": "rbox", "center": [30, 30], "size_wh": [20, 10], "angle_deg": 90})


def read(kind: Format, source: Source, findings: Findings) -> Imported:
    assert kind.read is not None
    return kind.read(source, findings, kind.parsed_for_reading({}))


def verified(kind: str, text: str, classes: int, points: int) -> Any:
    """The rows of a label file, if Ultralytics would take it.

    Its rules, of `verify_image_label`: with any row of more than six columns in a segmentation or obb dataset rows are
    polygons and their boxes are taken; else there are 5 columns, or 5 + points * 3 in a pose dataset. No number is
    negative, coordinates are at most 1, classes are below the number of names, and no two rows are the same.
    """
    rows = [line.split() for line in text.strip().splitlines() if line]
    if not rows:
        return np.zeros((0, 5 + 3 * points))
    if kind in ("yolo-segmentation", "yolo-obb") and any(len(row) > 6 for row in rows):
        found = []
        for row in rows:
            flat = np.array(row[1:], dtype=np.float32).reshape(-1, 2)
            low, high = flat.min(0), flat.max(0)
            found.append([float(row[0]), *((low + high) / 2), *(high - low)])
        labels = np.array(found, dtype=np.float32)
    else:
        labels = np.array(rows, dtype=np.float32)
    if points:
        assert labels.shape[1] == 5 + 3 * points
        placed = labels[:, 5:].reshape(len(labels), -1, 3)[:, :, :2].reshape(len(labels), -1)
        coordinates = np.concatenate([labels[:, 1:5], placed], 1)
    else:
        assert labels.shape[1] == 5
        coordinates = labels[:, 1:]
    assert coordinates.max() <= 1 and labels.min() >= 0
    assert labels[:, 0].max() < classes
    assert len(np.unique(labels, axis=0)) == len(labels)
    return labels


@pytest.mark.parametrize("name", NAMES)
def test_ultralytics_takes_every_label_file(name: str) -> None:
    kind = registry.FORMATS[name]
    files, _, _ = written(kind)
    labels = {path: data.decode() for path, data in files.items() if path.startswith("labels/")}
    assert len(labels) == 12 and "labels/val/empty.txt" in labels  # the picture of unknown size is not there
    for text in labels.values():
        verified(name, text, 3, 3 if name == "yolo-pose" else 0)
    description = files["data.yaml"].decode()
    assert "train: images/train\nval: images/val\n" in description
    assert '  0: "car"\n  1: "person"\n  2: "sky & <clouds>"\n' in description
    assert ("kpt_shape: [3, 3]\n" in description) is (name == "yolo-pose")


def with_pictures(files: dict[str, bytes]) -> dict[str, bytes]:
    stems = [path.removeprefix("labels/").removesuffix(".txt") for path in files if path.startswith("labels/")]
    return files | {f"images/{stem}.jpg": dummy(100, 60) for stem in stems}


def test_boxes_come_back() -> None:
    files, _, _ = written(yolo.DETECTION, [STREET])
    findings = Findings()
    [sample] = read(yolo.DETECTION, Given(with_pictures(files)), findings).samples
    assert findings.rows == [] and (sample.name, sample.split) == ("streets/a b.jpg", "train")
    boxes = [item.geometry["points"] for item in sample.annotations]
    assert boxes[0] == records.BOX.geometry["points"]
    assert boxes[1] == [[48, 10], [70, 40]]
    assert len(boxes) == 8


def test_outlines_come_back_a_ring_each() -> None:
    files, _, lines = written(yolo.SEGMENTATION, [STREET])
    [sample] = read(yolo.SEGMENTATION, Given(with_pictures(files)), Findings()).samples
    parts = [item.geometry["parts"][0][0] for item in sample.annotations]
    assert parts[0] == records.POLYGON.geometry["parts"][0][0]
    assert parts[1:3] == [part[0] for part in records.PARTS.geometry["parts"]]
    told = {(line["what"], line["became"]) for line in lines}
    assert {("holes", "approximated"), ("parts", "approximated"), ("bbox", "left out")} <= told


def test_turned_boxes_come_back() -> None:
    street = Sample("a.jpg", width=100, height=60, annotations=[records.TURNED, records.BOX, TURNED_SQUARE])
    files, _, _ = written(yolo.OBB, [street])
    [sample] = read(yolo.OBB, Given(with_pictures(files)), Findings()).samples
    turned, box, square = (item.geometry for item in sample.annotations)
    assert box == records.BOX.geometry
    for found, before in ((turned, records.TURNED.geometry), (square, TURNED_SQUARE.geometry)):
        assert np.allclose(outlines.corners_of(found), outlines.corners_of(before), atol=0.005)
        assert abs(found["angle_deg"] - before["angle_deg"]) < 0.02


def test_poses_come_back() -> None:
    files, _, lines = written(yolo.POSE, [STREET])
    [sample] = read(yolo.POSE, Given(with_pictures(files)), Findings()).samples
    body, keyed = sample.annotations
    assert body.points == records.BODY.points
    assert keyed.geometry == records.KEYED.geometry and keyed.points[0] == records.KEYED.points[0]
    assert sum(line["what"] == "object without an outline or points" for line in lines) == 7


def test_datumaro_reads_the_boxes(tmp_path: Path) -> None:
    files, _, _ = written(yolo.DETECTION, [STREET])
    files = with_pictures({path.replace("streets/a b", "a"): data for path, data in files.items()})
    put(tmp_path, files)
    read = read_by_datumaro(tmp_path, "yolo")
    [item] = read
    assert labels_of(read) == ["car", "person", "sky & <clouds>"]
    ours = [outlines.box_of(one.geometry) for one in STREET.annotations]
    theirs = [one.points for one in item.annotations]
    for box in theirs:
        assert any(ours_box and np.allclose(box, ours_box, atol=0.02) for ours_box in ours)
    assert len(theirs) == 8


@pytest.mark.parametrize("folder, count", [("strict", 1), ("labels", 2), ("annotations", 1)])
def test_the_fixtures_of_yolo_import_without_a_finding(folder: str, count: int) -> None:
    findings = Findings()
    imported = read(yolo.DETECTION, Folder(FIXTURES / folder), findings)
    samples = list(imported.samples)
    assert findings.rows == [] and len(samples) == count
    assert all(sample.annotations for sample in samples)
    assert len(imported.dataset.categories) == 10


@pytest.mark.parametrize(
    "line", ["0 1 1 1", "x 0 0 0 0", "9 0.5 0.5 0.1 0.1", "0 nan 0.5 0.1 0.1", "-1 0.5 0.5 0.1 0.1"]
)
def test_a_line_that_is_none_is_a_finding(line: str) -> None:
    files = {"obj.names": b"car\n", "a.jpg": dummy(10, 10), "a.txt": f"{line}\n0 0.5 0.5 0.2 0.2\n".encode()}
    findings = Findings()
    [sample] = read(yolo.DETECTION, Given(files), findings).samples
    assert [item.geometry for item in sample.annotations] == [bbox(4, 4, 6, 6)]
    assert [row["where"] for row in findings.errors] == ["a.txt line 1"]


@pytest.mark.parametrize(
    "text",
    [
        "names: [car, 'a tree']\n", 'names:\n  0: car\n  1: "a tree"\n', "names:\n- car\n- a tree\nnc: 2\n",
        "names: {1: a tree, 0: car}\n",
        "names: [\n  car,\n  a tree ]\n",
    ],
)  # fmt: skip
def test_names_of_classes_are_read_as_people_write_them(text: str) -> None:
    imported = read(yolo.DETECTION, Given({"data.yaml": text.encode()}), Findings())
    assert [item.name for item in imported.dataset.categories] == ["car", "a tree"]
    with pytest.raises(UnreadableFile):
        read(yolo.DETECTION, Given({"a.yaml": b"nc: 1\n"}), Findings())
