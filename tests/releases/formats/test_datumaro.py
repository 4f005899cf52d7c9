"""Datumaro's own JSON and our own archive: what they carry comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labeling.geometry import rle
from releases.formats import datumaro, native, outlines
from releases.formats.files import Folder, Given, Source
from releases.formats.format import Findings, Format, UnreadableFile
from releases.formats.records import Annotation, Imported, Sample
from sequences.rules.timeline import Clock
from tests.support.peers import dummy, labels_of, put, read_by_datumaro
from tests.support.records import DATASET, SAMPLES, STREET, VIDEO, bbox, written

FIXTURES = Path(__file__).parents[2] / "data" / "datumaro" / "datumaro_dataset"


def read(kind: Format, source: Source, findings: Findings) -> Imported:
    assert kind.read is not None
    return kind.read(source, findings, kind.parsed_for_reading({}))


def pixels(geometry: dict[str, Any]) -> Any:
    return rle.decode(outlines.runs_of(geometry, 60, 100), max_pixels=6000)


def test_our_own_archive_gives_the_very_records_that_were_written() -> None:
    files, losses, lines = written(native.NATIVE)
    imported = read(native.NATIVE, Given(files), findings := Findings())
    assert list(imported.samples) == SAMPLES
    assert (imported.dataset, findings.rows, lines, losses.counts) == (DATASET, [], [], {})


def test_pictures_whose_names_differ_by_endings_are_items_of_their_own() -> None:
    pictures = ["a.png", "a.jpg", "a.jpg.png", "b.png.jpg", "b.png", "b", "b.jpg"]
    splits = ["", "", "", "", "", "", ""] + ["val"] * 2
    samples = [Sample(name, split=split) for name, split in zip([*pictures, "a.png", "a.jpg"], splits, strict=True)]
    files, _, _ = written(datumaro.DATUMARO, samples)
    items = json.loads(files["annotations/default.json"])["items"]
    assert [item["image"]["path"] for item in items] == pictures
    assert [item["id"] for item in items] == ["a", "a.jpg", "a.jpg.png", "b.png", "b", "b~2", "b.jpg"]
    assert [item["id"] for item in json.loads(files["annotations/val.json"])["items"]] == ["a", "a.jpg"]


def test_times_and_holding_are_part_of_our_own_archive() -> None:
    timed = replace(VIDEO, clock=Clock(10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 20.5], True, True))
    files, _, _ = written(native.NATIVE, [timed])
    [sample] = read(native.NATIVE, Given(files), Findings()).samples
    assert sample == timed


def test_a_line_that_is_no_sample_is_a_finding() -> None:
    files, _, _ = written(native.NATIVE)
    files["samples.jsonl"] = b"{}\nnot json\n" + files["samples.jsonl"]
    samples = list(read(native.NATIVE, Given(files), findings := Findings()).samples)
    assert samples == SAMPLES and [row["where"] for row in findings.errors] == [
        "samples.jsonl line 1", "samples.jsonl line 2",
    ]  # fmt: skip
    for head in (b"[]", b"{}", json.dumps({"format": "palimpsest", "version": 99}).encode()):
        with pytest.raises(UnreadableFile):
            read(native.NATIVE, Given(files | {"dataset.json": head}), Findings())
    with pytest.raises(UnreadableFile):
        read(native.NATIVE, Given({}), Findings())


def test_what_datumaro_carries_comes_back() -> None:
    files, _, lines = written(datumaro.DATUMARO, [STREET])
    imported = read(datumaro.DATUMARO, Given(files), findings := Findings())
    [sample] = imported.samples
    assert findings.rows == []
    assert [item.name for item in imported.dataset.categories] == ["car", "person", "sky & <clouds>"]
    assert (sample.name, sample.width, sample.scene) == (STREET.name, 100, {"rain": False})
    assert sample.classifications == [1, 3]
    assert [item.uuid for item in sample.annotations] == [item.uuid for item in STREET.annotations]
    for item, before in zip(sample.annotations, STREET.annotations, strict=True):
        assert (item.attributes, item.score) == (before.attributes, before.score)
        if before.uuid in ("u3", "u4", "u5", "u6"):
            assert (pixels(item.geometry) == pixels(before.geometry)).all()
        else:
            assert item.geometry == before.geometry
    assert {(line["what"], line["became"]) for line in lines} == {
        ("parts", "converted"), ("holes", "converted"), ("ellipse", "converted"), ("rbox", "converted"),
        ("keypoints", "left out"), ("default classification", "left out"),
    }  # fmt: skip


def test_a_category_that_the_dataset_does_not_have_is_lost_alone() -> None:
    files, _, lines = written(datumaro.DATUMARO, [Sample("a", annotations=[Annotation(5, 99, bbox(1, 2, 3, 4))])])
    [item] = json.loads(files["annotations/default.json"])["items"]
    assert [one["bbox"] for one in item["annotations"]] == [[1, 2, 2, 2]] and "label_id" not in item["annotations"][0]
    assert [(line["what"], line["annotation"]) for line in lines] == [("unknown category", 5)]


def test_datumaro_reads_its_own_json(tmp_path: Path) -> None:
    files, _, _ = written(datumaro.DATUMARO, [replace(STREET, name="a.jpg"), VIDEO])
    pictures = {"images/default/a.jpg": dummy(100, 60)}
    pictures |= {f"images/default/drive/{n:06d}.jpg": dummy(100, 60) for n in range(10)}
    put(tmp_path, files | pictures)
    read_ = read_by_datumaro(tmp_path, "datumaro")
    assert labels_of(read_) == ["car", "person", "sky & <clouds>"]
    items = {item.id: item for item in read_}
    assert len(items) == 11
    found = {one.attributes["uuid"]: one for one in items["a"].annotations if one.type.name != "label"}
    assert len(found) == 12 and sum(one.type.name == "label" for one in items["a"].annotations) == 2
    assert found["u1"].points == [10.5, 5, 40.25, 30] and found["u1"].attributes["colour"] == "red"
    for uuid in ("u3", "u4", "u6", "u9"):
        [before] = [item for item in STREET.annotations if item.uuid == uuid]
        assert (found[uuid].image.astype(bool) == pixels(before.geometry)).all()
    assert found["u10"].points == [20, 20.5, 24, 18, 0, 0]
    drawn = {one.attributes["track_id"]: one for one in items["drive/000002"].annotations}
    assert drawn[1].points == [14, 10, 24, 22] and drawn[1].attributes["keyframe"] is False


def test_the_fixture_of_datumaro_imports_without_a_finding() -> None:
    samples = list(read(datumaro.DATUMARO, Folder(FIXTURES / "legacy"), findings := Findings()).samples)
    assert findings.rows == []
    assert {(sample.name, sample.split) for sample in samples} == {
        ("train/a.jpg", "train"), ("train/b.jpg", "train"), ("test/c.jpg", "test"), ("validation/d.jpg", "validation"),
    }  # fmt: skip
    assert {len(sample.classifications) for sample in samples} >= {1, 4}


@pytest.mark.parametrize(
    "bent",
    [{"type": "blob"}, {"type": "bbox"}, {"type": "bbox", "bbox": [1, 2, -3, 4]}, {"type": "polygon", "points": [1, 2]},
     {"type": "mask", "rle": {"size": [1, 1], "counts": "~"}}, {"type": "bbox", "bbox": [0, 0, 1, 1], "label_id": 9},
     {"type": "points", "points": [1, 1], "visibility": [7]}, None],
)  # fmt: skip
def test_an_annotation_that_cannot_be_read_is_a_finding(bent: Any) -> None:
    good = {"type": "bbox", "bbox": [0, 0, 1, 1], "label_id": 0}
    document = {
        "categories": {"label": {"labels": [{"name": "a"}]}},
        "items": [{"id": "x", "annotations": [bent, good]}],
    }
    [sample] = read(datumaro.DATUMARO, Given({"d.json": json.dumps(document).encode()}), f := Findings()).samples
    assert len(sample.annotations) == 1 and len(f.errors) == 1
