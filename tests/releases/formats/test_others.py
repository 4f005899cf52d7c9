"""KITTI, Supervisely, SentiSight, Nucleus, GeoJSON: what each carries comes back."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely.geometry
from PIL import Image

from labeling.geometry import rle
from releases.formats import geojson, kitti, nucleus, outlines, pngs, sentisight, supervisely
from releases.formats.files import Folder, Given, Source
from releases.formats.format import Findings, Format, UnreadableFile
from releases.formats.records import Annotation, Imported, Sample
from sequences.rules.timeline import Clock
from tests.support import records
from tests.support.peers import dummy, labels_of, put, read_by_datumaro
from tests.support.records import CAR, DATASET, STREET, VIDEO, bbox, written

FIXTURES = Path(__file__).parents[2] / "data" / "datumaro"


def read(kind: Format, source: Source, findings: Findings) -> Imported:
    assert kind.read is not None
    return kind.read(source, findings, kind.parsed_for_reading({}))


def pixels(geometry: dict[str, Any]) -> Any:
    return rle.decode(outlines.runs_of(geometry, 60, 100), max_pixels=6000)


@pytest.mark.parametrize(
    "kind, exact, solid",
    [
        (supervisely.SUPERVISELY, ["u1", "u2", "u4", "u7", "u8", "u11"], ["u3", "u5", "u6", "u9"]),
        (sentisight.SENTISIGHT, ["u1", "u2", "u7", "u8", "u11"], ["u3", "u4", "u5", "u6", "u9"]),
        (nucleus.NUCLEUS, ["u1", "u2", "u7", "u10", "u11"], ["u3", "u4", "u5", "u6", "u9"]),
    ],
)
def test_what_a_format_carries_comes_back(kind: Format, exact: list[str], solid: list[str]) -> None:
    apart = [item for item in STREET.annotations if item.uuid in {*exact, *solid}]
    if kind is nucleus.NUCLEUS:  # a mask in which nothing overlaps
        apart = [item for item in apart if item.uuid not in ("u3",)]
    street = Sample("a.jpg", width=100, height=60, annotations=apart, classifications=[CAR], default_classification=CAR)
    files, _, _ = written(kind, [street])
    imported = read(kind, Given(files), findings := Findings())
    [sample] = imported.samples
    names = {item.id: item.name for item in imported.dataset.categories}
    assert findings.rows == [] and (sample.name, sample.width, sample.height) == ("a.jpg", 100, 60)
    assert [names[number] for number in sample.classifications] == ["car"]
    assert len(sample.annotations) == len(apart)
    left = list(sample.annotations)
    for before in apart:
        [item] = [
            one for one in left
            if (one.geometry == before.geometry if before.uuid in exact else
                one.geometry["type"] == "bitmap" and (pixels(one.geometry) == pixels(before.geometry)).all())
        ]  # fmt: skip
        assert names[item.category_id or 0] == DATASET.by_id[before.category_id or 0].name
        assert item.attributes == before.attributes
        left.remove(item)


def test_supervisely_keeps_points_tags_and_authors() -> None:
    body = Annotation(
        1, CAR, {"type": "skeleton", "points": records.BODY.points[:2]}, author="ana", attributes={"a": 1}
    )
    files, _, _ = written(
        supervisely.SUPERVISELY, [Sample("a", width=100, height=60, annotations=[body], scene={"rain": False})]
    )
    [sample] = read(supervisely.SUPERVISELY, Given(files), Findings()).samples
    [item] = sample.annotations
    by_name = sorted(records.BODY.points[:2], key=lambda point: point["name"])  # nodes have names and no order
    assert (item.geometry["points"], item.author, item.attributes) == (by_name, "ana", {"a": 1})
    assert sample.scene == {"rain": False}


# --- Nucleus -------------------------------------------------------------------------------------------------------


def test_the_payload_of_nucleus_has_a_segment_for_each_value_of_its_mask() -> None:
    files, _, _ = written(nucleus.NUCLEUS, [STREET])
    document = json.loads(files["annotations.json"])
    [mask] = document["segmentations"]
    values = np.asarray(Image.open(io.BytesIO(files[mask["mask_url"]])))
    assert values.dtype == np.uint8 and values.shape == (60, 100)
    assert set(np.unique(values).tolist()) - {0} == {segment["index"] for segment in mask["annotations"]}
    assert mask.keys() == {"type", "mask_url", "annotations", "reference_id", "annotation_id"}
    box = next(item for item in document["annotations"] if item["type"] == "box")
    assert box["geometry"] == {"x": 10.5, "y": 5, "width": 29.75, "height": 25}
    assert box["metadata"] == {"colour": "red", "parked": True, "speed": 3}
    body = next(item for item in document["annotations"] if item["type"] == "keypoints")
    assert body["geometry"]["names"] == ["nose", "left eye", "tail"] and body["geometry"]["skeleton"] == [
        [0, 1],
        [1, 2],
    ]


SEED_TABLE = ["building", "sky", "tree", "wall", "fence", "pavement", "person", "car", "bird", "bird", "bird"]


def seed_payload() -> dict[str, bytes]:
    """The eleven segments of the seed: one value a segment, three of them birds."""
    values = np.arange(12, dtype=np.uint8).repeat(5).reshape(6, 10)
    segments: list[dict[str, Any]] = [{"label": label, "index": index} for index, label in enumerate(SEED_TABLE, 1)]
    segments[6]["metadata"] = {"pose": "sitting"}
    item = {
        "type": "mask",
        "mask_url": "m.png",
        "annotations": segments,
        "reference_id": "image_2",
        "annotation_id": "m1",
    }
    return {"a.json": json.dumps({"segmentations": [item]}).encode(), "m.png": pngs.gray(values)}


def test_the_segments_of_the_seed_are_objects_and_stuff() -> None:
    imported = read(nucleus.NUCLEUS, Given(seed_payload()), findings := Findings())
    [sample] = imported.samples
    names = {item.id: item.name for item in imported.dataset.categories}
    assert findings.rows == [] and sample.name == "image_2"
    assert [names[item.category_id or 0] for item in sample.annotations] == SEED_TABLE
    assert sample.annotations[6].attributes == {"pose": "sitting"}
    files, _, _ = written(nucleus.NUCLEUS, [sample], imported.dataset)
    again = read(nucleus.NUCLEUS, Given(files), Findings())
    assert [item.geometry for item in next(iter(again.samples)).annotations] == [
        item.geometry for item in sample.annotations
    ]


def test_a_value_without_a_segment_is_named_with_its_pixels() -> None:
    files = seed_payload()
    document = json.loads(files["a.json"])
    del document["segmentations"][0]["annotations"][6]
    [sample] = read(
        nucleus.NUCLEUS, Given(files | {"a.json": json.dumps(document).encode()}), findings := Findings()
    ).samples
    assert len(sample.annotations) == 10
    assert [row["message"] for row in findings.errors] == ["has values without a segment: 7 (5 pixels)"]
    wide = pngs.gray(np.zeros((6, 10), dtype=np.uint16))
    list(read(nucleus.NUCLEUS, Given(files | {"m.png": wide}), findings := Findings()).samples)
    assert [row["message"] for row in findings.errors] == ["has a mask that is not one channel of 8 bits"]


def test_more_segments_than_eight_bits_hold_are_listed() -> None:
    dots = [Annotation(n, CAR, records.blob(20, 20, n % 18, n // 18, 1, 2)) for n in range(258)]
    _, losses, _ = written(nucleus.NUCLEUS, [Sample("a", width=20, height=20, annotations=dots)])
    assert losses.counts["more than 255 segments", "left out"] == 3


# --- SentiSight ----------------------------------------------------------------------------------------------------


def test_sentisights_bitmaps_are_files_of_their_own() -> None:
    files, _, _ = written(sentisight.SENTISIGHT, [STREET])
    index = json.loads(files["bitmaps/index.json"])["bitmaps"]
    drawn = {item["uuid"]: np.asarray(Image.open(io.BytesIO(files[item["file"]]))) for item in index}
    assert drawn.keys() == {"u3", "u4", "u5", "u6", "u9"} and all(
        path.endswith(".bmp") for path in files if "__" in path
    )
    for item in STREET.annotations:
        if item.uuid in drawn:
            assert ((drawn[item.uuid] == 255) == pixels(item.geometry)).all()
    [row] = json.loads(files["labels.json"])["pictures"]
    assert (row["mainLabel"], row["classificationLabels"]) == ("car", ["car", "sky & <clouds>"])
    assert row["boundingBoxes"][0]["x0"] == 10.5


# --- GeoJSON -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("far", [2.0**42 + 0.5**10, 1e300, -1e308])
def test_a_coordinate_that_is_far_beyond_the_grid_stays_what_it_is(far: float) -> None:
    rings = [[[0, 0], [far, 1], [3, 8]], [[1, 1], [2, 2], [1, 3]]]
    one = Annotation(1, CAR, {"type": "polygon", "parts": [rings]})
    files, _, _ = written(geojson.GEOJSON, [Sample("a", annotations=[one])], clip="no")
    assert far in np.asarray(json.loads(files["a.geojson"])["features"][0]["geometry"]["coordinates"][0]).ravel()


def test_geojson_is_what_shapely_understands_and_comes_back() -> None:
    files, _, _ = written(geojson.GEOJSON, [STREET])
    document = json.loads(files["streets/a b.geojson"])
    areas = {}
    for feature in document["features"]:
        shape = shapely.geometry.shape(feature["geometry"])
        assert shape.is_valid
        areas[feature["properties"]["uuid"]] = shape.area
        if shape.geom_type == "Polygon":
            assert shape.exterior.is_ccw and not any(ring.is_ccw for ring in shape.interiors)
    assert areas["u4"] == 25 * 28 - 100 and areas["u3"] == 80
    assert areas["u9"] == pixels(records.BITMAP.geometry).sum()
    [sample] = read(geojson.GEOJSON, Given(files), findings := Findings()).samples
    assert findings.rows == [] and len(sample.annotations) == len(STREET.annotations)
    for item, before in zip(sample.annotations, STREET.annotations, strict=True):
        assert (item.uuid, item.attributes, item.category_id) == (before.uuid, before.attributes, before.category_id)
        if before.uuid in ("u1", "u7", "u8", "u11", "u12"):
            assert item.geometry == before.geometry
        elif before.uuid in ("u2", "u3", "u4", "u5", "u9"):
            assert (pixels(item.geometry) == pixels(before.geometry)).all()


def test_degrees_are_not_taken_for_pixels() -> None:
    with pytest.raises(UnreadableFile):
        read(
            geojson.GEOJSON, Given({"a.geojson": b'{"type":"FeatureCollection","features":[]}'}), findings := Findings()
        )
    assert "WGS 84" in findings.rows[0]["message"]


# --- KITTI ---------------------------------------------------------------------------------------------------------


def test_boxes_of_kitti_come_back_and_are_read_by_datumaro(tmp_path: Path) -> None:
    flagged = Annotation(2, CAR, bbox(1, 2, 3, 4.5), attributes={"truncated": 0.25, "occluded": 2})
    files, _, lines = written(kitti.KITTI, [Sample("a.jpg", width=100, height=60, annotations=[records.BOX, flagged])])
    [sample] = read(kitti.KITTI, Given(files), findings := Findings()).samples
    assert findings.rows == [] and sample.name == "a"
    assert [item.geometry for item in sample.annotations] == [records.BOX.geometry, flagged.geometry]
    assert sample.annotations[1].attributes == flagged.attributes
    assert ("name of a category", "approximated") in {(line["what"], line["became"]) for line in lines}
    put(
        tmp_path,
        {f"training/{path}": data for path, data in files.items()} | {"training/image_2/a.png": dummy(100, 60, "PNG")},
    )
    read_ = read_by_datumaro(tmp_path, "kitti_detection")
    names = labels_of(read_)
    [item] = read_
    found = [(names[one.label].lower(), list(one.points)) for one in item.annotations]
    assert found == [("car", [10.5, 5, 40.25, 30]), ("car", [1, 2, 3, 4.5])]


@pytest.mark.parametrize(
    ("attributes", "columns", "became"),
    [
        ({}, "0 0 -10", []),
        ({"truncated": True, "occluded": True}, "1 1 -10", []),
        ({"truncated": 0.5, "occluded": 3, "alpha": 1.5}, "0.5 3 1.5", []),
        ({"truncated": 1}, "1 0 -10", [("truncated", "approximated")]),
        ({"truncated": 1.0, "occluded": 1}, "1 1 -10", [("truncated", "approximated"), ("occluded", "approximated")]),
        ({"alpha": -1}, "0 0 -1", [("alpha", "approximated")]),
        ({"truncated": 1.5, "occluded": 4}, "0 0 -10", [("truncated", "left out"), ("occluded", "left out")]),
        ({"truncated": 0, "alpha": -10}, "0 0 -10", [("truncated", "left out"), ("alpha", "left out")]),
        ({"colour": "red"}, "0 0 -10", [("colour", "left out")]),
    ],
)
def test_the_columns_of_kitti_say_what_the_attributes_are(
    attributes: dict[str, Any], columns: str, became: list[tuple[str, str]]
) -> None:
    item = Annotation(1, CAR, bbox(1, 2, 3, 4), attributes=attributes)
    files, _, lines = written(kitti.KITTI, [Sample("a.jpg", annotations=[item])])
    assert files["label_2/a.txt"].decode().startswith(f"car {columns} 1 2 3 4 ")
    assert [(line["said"], line["became"]) for line in lines if line["what"] == "attributes"] == became


def test_tracks_of_kitti_come_back() -> None:
    files, _, _ = written(
        kitti.TRACKING, [Sample("0000", is_sequence=True, frames=VIDEO.frames, tracks=VIDEO.tracks[:1])]
    )
    [sample] = read(kitti.TRACKING, Given(files), findings := Findings()).samples
    assert findings.rows == []
    [track] = sample.tracks
    before = {frame: item.geometry for frame, item in VIDEO.tracks[0].at(Clock(10))}
    assert {frame: item.geometry for frame, item in track.at(sample.time)} == before


def test_the_fixture_of_kitti_imports_without_a_finding() -> None:
    imported = read(kitti.KITTI, Folder(FIXTURES / "kitti_dataset" / "kitti_detection"), findings := Findings())
    samples = list(imported.samples)
    assert findings.rows == [] and [len(sample.annotations) for sample in samples] == [2, 3]
    assert {item.name for item in imported.dataset.categories} == {"Truck", "Van"}
    assert samples[0].width is not None
