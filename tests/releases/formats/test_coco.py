"""COCO: written for pycocotools, Datumaro and the rules of panopticapi, and read back; real files of others."""

from __future__ import annotations

import gc
import gzip
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as masks
from pycocotools.coco import COCO

from labeling.geometry import rle, shapes
from labeling.log import values
from releases import packing
from releases.formats import coco, coco_keypoints, coco_panoptic, coco_reading, outlines
from releases.formats.files import Folder, Given, Source
from releases.formats.format import Findings, UnreadableFile
from releases.formats.records import Annotation, Imported, Sample
from tests.support import records
from tests.support.peers import dummy, labels_of, put, read_by_datumaro
from tests.support.records import CAR, PERSON, SKY, STREET, UNSIZED, VIDEO, bbox, written

DATA = Path(__file__).parents[2] / "data"
FIXTURES = DATA / "datumaro" / "coco_dataset"


def read(source: Source, findings: Findings) -> Imported:
    return coco_reading.read(source, findings, coco.INSTANCES.parsed_for_reading({}))


def loaded(data: bytes, tmp_path: Path) -> COCO:
    (tmp_path / "coco.json").write_bytes(data)
    return COCO(str(tmp_path / "coco.json"))


def pixels(geometry: dict[str, Any], height: int = 60, width: int = 100) -> Any:
    return rle.decode(outlines.runs_of(geometry, height, width), max_pixels=height * width)


def test_an_empty_dataset_is_a_file_with_its_categories(tmp_path: Path) -> None:
    files, _, _ = written(coco.INSTANCES, [])
    found = loaded(files["annotations/instances_default.json"], tmp_path)
    assert [item["name"] for item in found.loadCats(found.getCatIds())] == ["car", "person", "sky & <clouds>"]
    assert found.getAnnIds() == [] and found.getImgIds() == []


@pytest.mark.parametrize(("first", "found"), [(-1e308, [[0, 2, 100, 48]]), (9e307, [])])
def test_a_box_that_is_far_too_large_is_cut_off_or_left_out(first: float, found: list[Any]) -> None:
    sample = Sample("a.png", width=100, height=60, annotations=[Annotation(1, CAR, bbox(first, 2, 1e308, 50))])
    files, _, _ = written(coco.INSTANCES, [sample])
    said = json.loads(files["annotations/instances_default.json"])
    assert [item["bbox"] for item in said["annotations"]] == found


@pytest.mark.parametrize(
    ("corners", "found"),
    [
        ((-1e308, 2, 1e308, 50), None),
        ((-1e200, -1e200, 1e200, 1e200), None),
        ((-3, -3, 2**53, 5), [-3, -3, 9007199254740996, 8]),
    ],
)
def test_a_box_whose_size_no_number_says_is_left_out_of_a_picture_that_has_none(corners: Any, found: Any) -> None:
    sample = Sample("a.png", annotations=[Annotation(1, CAR, bbox(*corners)), Annotation(2, CAR, bbox(1, 2, 3, 4))])
    files, _, lines = written(coco.INSTANCES, [sample], clip="no")
    boxes = [item["bbox"] for item in json.loads(files["annotations/instances_default.json"])["annotations"]]
    assert boxes == [*([found] if found else []), [1, 2, 2, 2]]
    assert [line["annotation"] for line in lines if line["what"] == "size that is no number"] == ([] if found else [1])


def test_an_error_of_texts_that_are_written_together_names_none_of_the_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*given: Any) -> Any:
        if len(given[0]):  # of nothing there are no texts
            raise KeyError("zebra")
        return []

    monkeypatch.setattr(coco, "rings", broken)
    with pytest.raises(KeyError) as raised:
        written(coco.INSTANCES, [Sample("a.png"), STREET])
    assert not hasattr(raised.value, "__notes__")
    with pytest.raises(KeyError) as raised:
        written(coco.INSTANCES, [Sample("a.png"), VIDEO])
    assert raised.value.__notes__ == [f"{packing.AT_SAMPLE}{VIDEO.name}"], "its frames are written together"


@pytest.mark.parametrize("segmentation", ["polygons", "rle"])
def test_pycocotools_finds_areas_boxes_and_pixels(segmentation: str, tmp_path: Path) -> None:
    files, _, lines = written(coco.INSTANCES, [STREET], segmentation=segmentation)
    found = loaded(files["annotations/instances_default.json"], tmp_path)
    by_uuid = {item["uuid"]: item for item in found.loadAnns(found.getAnnIds())}
    assert sorted(by_uuid) == sorted(["u1", "u2", "u3", "u4", "u5", "u6", "u9", "u11"])
    for item in STREET.annotations:
        said = by_uuid.get(item.uuid)
        if said is None or item.geometry["type"] == "bbox":
            continue
        ours = pixels(item.geometry)
        theirs = found.annToMask(said).astype(bool)
        assert said["area"] == ours.sum()
        if isinstance(said["segmentation"], dict):
            assert (theirs == ours).all()
            assert masks.area(said["segmentation"]) == said["area"]
            assert list(masks.toBbox(said["segmentation"])) == said["bbox"]
        else:  # its own way of drawing polygons differs at their borders
            assert (theirs & ours).sum() / (theirs | ours).sum() > 0.8
    assert by_uuid["u1"]["bbox"] == [10.5, 5, 29.75, 25] and by_uuid["u1"]["segmentation"] == []
    assert by_uuid["u1"]["attributes"] == {"colour": "red", "parked": True, "speed": 3}
    left = {(line["what"], line.get("annotation")) for line in lines if line["became"] == "left out"}
    assert left == {
        ("scene attributes", None), ("classifications", None), ("default classification", None), ("polyline", 7),
        ("point", 8), ("skeleton", 10), ("keypoints", 11), ("no category", 12),
    }  # fmt: skip


def test_instances_come_back_as_far_as_coco_carries_them() -> None:
    files, _, _ = written(coco.INSTANCES, [STREET, UNSIZED, VIDEO])
    findings = Findings()
    imported = read(Given(files), findings)
    street, unsized, *frames = imported.samples
    assert findings.rows == []
    assert (street.name, street.width, street.height, street.uuid) == ("streets/a b.jpg", 100, 60, "s1")
    given = {item.uuid: item for item in STREET.annotations}
    for item in street.annotations:
        before = given[item.uuid]
        assert (item.category_id, item.attributes, item.score) == (before.category_id, before.attributes, before.score)
        if item.uuid in ("u1", "u2", "u3", "u9", "u11"):
            assert item.geometry == before.geometry
        else:
            assert (pixels(item.geometry) == pixels(before.geometry)).all()
    assert [item.geometry for item in unsized.annotations] == [item.geometry for item in UNSIZED.annotations]
    assert (unsized.width, unsized.height) == (None, None)
    assert len(frames) == 10 and [item.track_id for item in frames[2].annotations] == [1, 2, 3]


def test_keyframes_only_are_the_frames_that_somebody_set() -> None:
    files, losses, _ = written(coco.INSTANCES, [VIDEO], frames="keyframes")
    frames = {item.name: [one.track_id for one in item.annotations] for item in read(Given(files), Findings()).samples}
    assert frames == {
        "drive/000000.jpg": [1, 3], "drive/000001.jpg": [3], "drive/000002.jpg": [2, 3], "drive/000004.jpg": [1],
        "drive/000008.jpg": [1],
    }  # fmt: skip
    assert losses.counts["computed frames", "left out"] == 11


def test_datumaro_reads_the_instances(tmp_path: Path) -> None:
    files, _, _ = written(coco.INSTANCES, [STREET], segmentation="rle")
    put(tmp_path, files | {"images/default/streets/a b.jpg": dummy(100, 60)})
    read = read_by_datumaro(tmp_path, "coco_instances")
    [item] = read
    assert labels_of(read)[-3:] == ["car", "person", "sky & <clouds>"]
    assert len(item.annotations) == 14  # it makes a box of each object, and a mask of each that has one
    ids = {one["id"]: one["uuid"] for one in json.loads(files["annotations/instances_default.json"])["annotations"]}
    drawn = {ids[one.id]: one.image.astype(bool) for one in item.annotations if one.type.name == "mask"}
    ours = {one.uuid: pixels(one.geometry) for one in STREET.annotations if one.uuid in drawn}
    assert drawn.keys() == ours.keys() == {"u2", "u3", "u4", "u5", "u6", "u9"}
    assert all((drawn[key] == ours[key]).all() for key in ours)


def test_keypoints_are_read_by_pycocotools_and_come_back(tmp_path: Path) -> None:
    files, _, lines = written(coco_keypoints.KEYPOINTS, [STREET])
    data = files["annotations/person_keypoints_default.json"]
    found = loaded(data, tmp_path)
    [person] = found.loadCats([PERSON])
    assert (person["keypoints"], person["skeleton"]) == (["nose", "left eye", "tail"], [[1, 2], [2, 3]])
    body, keyed = found.loadAnns(found.getAnnIds())
    assert (body["keypoints"], body["num_keypoints"]) == ([20, 20.5, 2, 24, 18, 1, 0, 0, 0], 2)
    assert (keyed["keypoints"], keyed["bbox"]) == ([21, 22, 2, 0, 0, 0, 0, 0, 0], [15, 15, 15, 25])
    [sample] = read(Given(files), Findings()).samples
    again, boxed = sample.annotations
    assert again.geometry == records.BODY.geometry and again.score == 0.75
    assert boxed.geometry == records.KEYED.geometry and boxed.points[0] == records.KEYED.points[0]
    assert sum(line["what"] == "object without points" for line in lines) == 7


def test_points_that_no_category_names_are_those_of_its_first_object() -> None:
    one = {"type": "skeleton", "points": [{"name": "a", "x": 1, "y": 1, "visibility": 2}]}
    two = {"type": "skeleton", "points": [*one["points"], {"name": "b", "x": 2, "y": 2, "visibility": 2}]}
    sample = Sample("a", width=9, height=9, annotations=[Annotation(1, CAR, one), Annotation(2, CAR, two)])
    files, _, lines = written(coco_keypoints.KEYPOINTS, [sample])
    document = json.loads(files["annotations/person_keypoints_default.json"])
    assert [item["keypoints"] for item in document["annotations"]] == [[1, 1, 2], [1, 1, 2]]
    assert [(line["what"], line["said"]) for line in lines] == [("point that its category does not name", "b")]


# --- panoptic ------------------------------------------------------------------------------------------------------

CLOUDS = {"type": "polygon", "parts": [[[[0, 0], [100, 0], [100, 5], [0, 5]]]]}


def ids_of(data: bytes) -> Any:
    values = np.asarray(Image.open(io.BytesIO(data))).astype(np.int64)
    return values[..., 0] + 256 * values[..., 1] + 65536 * values[..., 2]


def test_panoptic_files_keep_the_rules_of_panopticapi() -> None:
    more = Annotation(20, SKY, CLOUDS, uuid="u20")
    street = Sample("a.jpg", width=100, height=60, annotations=[*STREET.annotations[1:6], records.BITMAP, more])
    files, _, lines = written(coco_panoptic.PANOPTIC, [street, records.EMPTY])
    document = json.loads(files["annotations/panoptic_default.json"])
    kinds = {item["id"]: item["isthing"] for item in document["categories"]}
    [said] = document["annotations"]
    ids = ids_of(files["annotations/panoptic_default/a.png"])
    assert ids.shape == (60, 100)
    # as pq_compute does: every id of the picture is named, every one named is there, areas agree, categories are known
    named = {item["id"]: item for item in said["segments_info"]}
    assert set(np.unique(ids).tolist()) - {0} == set(named)
    for number, item in named.items():
        ys, xs = np.nonzero(ids == number)
        assert item["area"] == len(ys) and item["category_id"] in kinds
        box = [xs.min(), ys.min(), xs.max() + 1 - xs.min(), ys.max() + 1 - ys.min()]
        assert item["bbox"] == box
    assert sum(item["area"] for item in named.values()) + (ids == 0).sum() == 60 * 100
    stuff = [item["category_id"] for item in named.values() if not kinds[item["category_id"]]]
    assert len(stuff) == len(set(stuff)) == 1
    told = {
        (line["what"], line["annotation"])
        for line in lines
        if line["what"] in ("overlaps", "several segments of stuff")
    }
    assert ("several segments of stuff", 20) in told and ("overlaps", 3) in told
    assert json.loads(files["annotations/panoptic_val.json"])["annotations"][0]["segments_info"] == []


def test_panoptic_files_come_back_and_are_read_by_datumaro(tmp_path: Path) -> None:
    street = Sample("a.jpg", width=100, height=60, annotations=[records.HOLED, records.PARTS, records.BITMAP])
    files, _, _ = written(coco_panoptic.PANOPTIC, [street])
    [sample] = read(Given(files), findings := Findings()).samples
    assert findings.rows == []
    assert {item.uuid: item.category_id for item in sample.annotations} == {"u3": PERSON, "u4": CAR, "u9": SKY}
    before = {item.uuid: item for item in street.annotations}
    for item in sample.annotations:
        assert (pixels(item.geometry) == pixels(before[item.uuid].geometry)).all()
    put(tmp_path, files | {"images/default/a.jpg": dummy(100, 60)})
    [item] = read_by_datumaro(tmp_path, "coco_panoptic")
    theirs = sorted(int(one.get_area()) for one in item.annotations)
    assert theirs == sorted(int(pixels(one.geometry).sum()) for one in street.annotations)


# --- files of others -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "folder",
    ["coco_instances", "coco_panoptic", "coco_stuff", "coco_person_keypoints", "coco_labels", "coco_image_info",
     "mmdet_coco", "coco_roboflow", "coco_captions", "coco"],
)  # fmt: skip
def test_the_fixtures_of_coco_import_without_an_error(folder: str) -> None:
    findings = Findings()
    imported = read(Folder(FIXTURES / folder), findings)
    samples = list(imported.samples)
    assert findings.errors == []
    assert {row["message"].split(maxsplit=1)[1] for row in findings.rows} <= {
        "captions are not read; there is no place for them",
        "another size than its image is said to have; the file's is taken",  # one of them is so
    }
    assert {sample.split for sample in samples} == {"train", "val"} and len(samples) == 2
    has = [bool(sample.annotations or sample.classifications) for sample in samples]
    assert all(has) or folder in ("coco_image_info", "coco_captions")


def test_real_panoptic_maps_come_in_and_go_out_again() -> None:
    document = json.loads((DATA / "panoptic" / "panoptic_examples.json").read_text())
    files = {"panoptic_val.json": json.dumps(document).encode()}
    for item in document["annotations"]:
        files[f"panoptic_val/{item['file_name']}"] = (DATA / "panoptic" / item["file_name"]).read_bytes()
    findings = Findings()
    imported = read(Given(files), findings)
    samples = list(imported.samples)
    assert findings.rows == [] and sum(len(sample.annotations) for sample in samples) == 50
    out, _, lines = written(coco_panoptic.PANOPTIC, samples, imported.dataset)
    assert lines == []
    after = json.loads(out["annotations/panoptic_val.json"])
    for one, other in zip(document["annotations"], after["annotations"], strict=True):
        areas = [(item["category_id"], item["area"], item["bbox"], item["iscrowd"]) for item in one["segments_info"]]
        again = [(item["category_id"], item["area"], item["bbox"], item["iscrowd"]) for item in other["segments_info"]]
        assert areas == again


def test_real_polygons_come_in_and_go_out_again() -> None:
    """LVIS: a hundred pictures' polygons, as COCO has them."""
    items = json.loads(gzip.decompress((DATA / "lvis" / "polygons.json.gz").read_bytes()))
    document = {
        "images": [
            {"id": n, "file_name": f"{n:04d}.jpg", "height": item["size"][0], "width": item["size"][1]}
            for n, item in enumerate(items)
        ],
        "categories": [{"id": 5, "name": "thing"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 5, "segmentation": item["segmentation"], "bbox": [0, 0, 1, 1]}
            for n, item in enumerate(items)
        ],
    }
    findings = Findings()
    imported = read(Given({"lvis.json": json.dumps(document).encode()}), findings)
    samples = list(imported.samples)
    assert findings.rows == [] and len(samples) == len(items) > 100
    out, _, lines = written(coco.INSTANCES, samples, imported.dataset, clip="no")
    assert lines == []
    after = json.loads(out["annotations/instances_default.json"])["annotations"]
    assert [item["segmentation"] for item in after] == [item["segmentation"] for item in items]
    # theirs is the area of the outline, ours that of its pixels
    for item, ours in zip(items, after, strict=True):
        assert abs(ours["area"] - item["area"]) <= 0.04 * item["area"] + 15


@pytest.mark.parametrize(
    "bent",
    [
        {"segmentation": [[1, 2, 3, 4]]}, {"segmentation": [[1, 2, 3, 4, 5, "6"]]}, {"bbox": [1, 2, -3, 4]},
        {"bbox": [1, 2, 3]}, {"category_id": 99}, {"image_id": 99}, {"keypoints": [1, 2]},
        {"segmentation": {"size": [1, 1], "counts": [1]}}, {"segmentation": {"counts": [1]}}, {"image_id": None},
        {"segmentation": {"size": [9, 9], "counts": "\u0000"}}, {"category_id": "1"}, {"image_id": 1.0},
        {"image_id": []},
        {"segmentation": "polygon"}, {"segmentation": [[1, 2, 3, 4, 5, 6], 7]}, {"segmentation": [{"a": 1}]},
        {"segmentation": [[1, 2, 3, 4, 5, True]]}, {"segmentation": [[1, 2, 3, 4, 5, None]]},
        {"segmentation": [[1, 2, 3, 4, 5, [6]]]}, {"segmentation": [[1, 2, 3, 4, 5, []]]},
        {"segmentation": [[1, 2, 3, 4, 5, "e"]]}, {"segmentation": [[1, 2, 3, 4, 5, {}]]},
        {"segmentation": [[1, 2, 3, 4, 5, 2**53]]},
    ],
)  # fmt: skip
def test_an_annotation_that_cannot_be_read_is_a_finding_and_the_others_are_read(bent: dict[str, Any]) -> None:
    good = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "segmentation": []}
    document = {
        "images": [{"id": 1, "file_name": "a", "width": 9, "height": 9}],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [good | bent, good],
    }
    findings = Findings()
    [sample] = read(Given({"a.json": json.dumps(document).encode()}), findings).samples
    assert [item.geometry for item in sample.annotations] == [bbox(1, 2, 4, 6)]
    assert [row["where"] for row in findings.errors] == ["a.json annotations[0]"]


@pytest.mark.parametrize("odd", ["7", "null", "[]", '"text"', '{"image_id": {}}'])
def test_an_annotation_that_is_none_is_a_finding_and_the_others_are_read(odd: str) -> None:
    good = '{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}'
    rest = '"images": [{"id": 1, "file_name": "a"}], "categories": [{"id": 1, "name": "car"}]'
    findings = Findings()
    files = {"a.json": f'{{"annotations": [{good}, {odd}, {good}], {rest}}}'.encode()}
    [sample] = read(Given(files), findings).samples
    assert len(sample.annotations) == 2
    assert [row["where"] for row in findings.errors] == ["a.json annotations[1]"]


@pytest.mark.parametrize("broken", [b'"\xff"', b'"\\ud800"', b"NaN", b"1e999", b"{]", b""])
def test_a_file_with_broken_text_is_told_of(broken: bytes) -> None:
    """As a whole, or by the annotation; never an error of ours."""
    item = b'{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "more": %b}' % broken
    data = b'{"annotations": [%b], "images": [{"id": 1, "file_name": "a"}], "categories": []}' % item
    findings = Findings()
    try:
        assert [len(sample.annotations) for sample in read(Given({"a.json": data}), findings).samples] == [0]
    except UnreadableFile:
        pass
    assert findings.errors


@pytest.mark.parametrize("x", [5, 5.0, -0.0, 0.5, 1e-7, 1e21, 123456789.125])
def test_a_polygon_is_written_out_as_it_is_stored(x: float) -> None:
    item = {"image_id": 1, "category_id": 1, "segmentation": [[x, 2, 3, 4.5, 5.0, 6], [1, 1, 2, 1, 2, 2, 1, 2.0]]}
    document = {
        "images": [{"id": 1, "file_name": "a"}],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [item],
    }
    [sample] = read(Given({"a.json": json.dumps(document).encode()}), Findings()).samples
    [found] = sample.annotations
    assert found.geometry["parts"][0] == [[[x, 2], [3, 4.5], [5.0, 6]]] and found.written is not None
    assert found.written.canonical == values.canonical(found.geometry)
    assert values.same(json.loads(found.written.text), found.geometry)


def test_a_picture_that_was_read_is_not_kept_until_the_last_is(tmp_path: Path) -> None:
    """A file has millions of objects, and nobody goes through them to find out which are gone."""
    images = [{"id": nth, "file_name": f"{nth}.png", "width": 9, "height": 9} for nth in range(50)]
    items = [
        {"id": nth, "image_id": nth, "category_id": 1, "segmentation": [[0, 0, 5, 0, 5, 5.0]]} for nth in range(50)
    ]
    document = {"images": images, "annotations": items, "categories": [{"id": 1, "name": "car"}]}
    (tmp_path / "instances.json").write_text(json.dumps(document))

    def alive() -> int:
        return sum(type(each) is Annotation for each in gc.get_objects())

    gc.collect()
    before = alive()
    gc.disable()
    try:
        for record in read(Folder(tmp_path), Findings()).samples:
            assert len(record.annotations) == 1 and alive() - before <= 2
    finally:
        gc.enable()


def test_what_is_no_coco_is_said_to_be_none() -> None:
    for files in ({}, {"a.json": b"[]"}, {"a.json": b"{"}, {"a.txt": b"{}"}):
        with pytest.raises(UnreadableFile):
            read(Given(files), Findings())


def test_two_names_of_one_id_in_two_files_are_two_categories() -> None:
    files = {
        f"instances_{name}.json": json.dumps(
            {"images": [{"id": 1, "file_name": name}], "categories": [{"id": 1, "name": name}],
             "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}]}
        ).encode()
        for name in ("car", "tree")
    }  # fmt: skip
    imported = read(Given(files), Findings())
    assert [(item.id, item.name) for item in imported.dataset.categories] == [(1, "car"), (2, "tree")]
    assert [sample.annotations[0].category_id for sample in imported.samples] == [1, 2]


def test_datumaro_reads_the_keypoints(tmp_path: Path) -> None:
    files, _, _ = written(coco_keypoints.KEYPOINTS, [STREET])
    put(tmp_path, files | {"images/default/streets/a b.jpg": dummy(100, 60)})
    [item] = read_by_datumaro(tmp_path, "coco_person_keypoints")
    points = [one for one in item.annotations if one.type.name == "points"]
    body, keyed = sorted(points, key=lambda one: one.points[0])
    assert body.points[:4] == [20, 20.5, 24, 18] and [int(each) for each in body.visibility] == [2, 1, 0]
    assert keyed.points[:2] == [21, 22]
    assert [15, 15, 15, 25] in [list(one.get_bbox()) for one in item.annotations if one.type.name == "bbox"]


def test_the_points_of_a_polygon_are_read_when_somebody_asks_for_them() -> None:
    """Most are only stored, and there are millions."""
    drawn = shapes.polygon_of([[1, 2, 3.5, 4, 5, 6]])
    one = Annotation(1, 2, {}, written=drawn).as_written()
    assert one.form == "polygon"
    with pytest.raises(AttributeError):
        object.__getattribute__(one, "geometry")
    plain = Annotation(1, 2, {"type": "polygon", "parts": [[[[1, 2], [3.5, 4], [5, 6]]]]})
    assert one == plain and object.__getattribute__(one, "geometry") == plain.geometry
    assert replace(one, id=3) == replace(plain, id=3)
    bare = Annotation(1, 2, {"type": "point", "points": [[1, 2]]})
    assert bare.as_written() is bare and bare.form == "point"
    with pytest.raises(AttributeError):
        bare.shape  # noqa: B018
