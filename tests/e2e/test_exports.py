"""All eight export formats of the SDK on our releases, judged by their contents with pycocotools, OpenCV and numpy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from segments import SegmentsClient, SegmentsDataset
from segments.resource_api import Dataset
from segments.typing import LabelStatus
from segments.utils import export_dataset

from tests.e2e.conftest import MakeSample
from tests.e2e.documents import TASK_ATTRIBUTES, bbox, label_attributes, vector_label
from tests.e2e.pictures import HEIGHT_PX, WIDTH_PX, Mask, blocks, photograph_png, uploaded
from tests.e2e.wire import wait_until

# Objects that touch, one in two pieces, one with another in its middle; category ids 1, 2 and 7 of the dataset.
MASKS: dict[str, tuple[Mask, dict[int, int]]] = {
    "crossing.png": (
        blocks(_1=(0, 0, 20, 30), _2=(20, 0, 50, 30), _3=(30, 10, 40, 20), _9=(1, 31, 63, 47)),
        {1: 1, 2: 1, 3: 7, 9: 2},
    ),
    "bridge.v2.png": (
        blocks(_4=(5, 5, 15, 12)) + blocks(_4=(40, 30, 60, 41)) + blocks(_200=(16, 5, 30, 40)),
        {4: 7, 200: 2},
    ),
}
COLORS = {1: (220, 20, 60), 2: (128, 64, 128)}
BOXES = {
    "a.png": [bbox(1, 1, x=3.0, y=4.5), bbox(2, 7, x=20.25, y=1.0)],
    "b.png": [bbox(1, 2, x=0.0, y=0.0)],
    "empty.png": [],
}


def released(dataset: Dataset) -> Any:
    dataset.add_release("v1.0", "for export")
    release = wait_until(lambda: dataset.get_release("v1.0"), lambda release: release.status != "PENDING")
    assert release.status == "SUCCEEDED"
    return release


@pytest.fixture(scope="module")
def segmented(
    make_module_sample: MakeSample, admin: SegmentsClient, tmp_path_factory: pytest.TempPathFactory
) -> SegmentsDataset:
    """A released segmentation dataset: two labelled samples and one without a label, read by the SDK."""
    dataset = None
    for name, (mask, category_of) in MASKS.items():
        sample = make_module_sample("segmentation-bitmap", dataset, name=name)
        dataset = sample.dataset
        annotations = [
            {"id": n, "category_id": category, "attributes": {"n": n}} for n, category in category_of.items()
        ]
        document = {"annotations": annotations, "segmentation_bitmap": {"url": uploaded(admin, mask)}}
        sample.add_label("ground-truth", document, LabelStatus.LABELED)
    assert dataset is not None
    make_module_sample("segmentation-bitmap", dataset, name="unlabelled.png")
    return SegmentsDataset(released(dataset), segments_dir=str(tmp_path_factory.mktemp("segments")))


@pytest.fixture(scope="module")
def boxed(make_module_sample: MakeSample, tmp_path_factory: pytest.TempPathFactory) -> SegmentsDataset:
    """A released dataset of boxes: two samples with boxes, one with none, one without a label."""
    dataset = None
    for name, boxes in BOXES.items():
        sample = make_module_sample("bboxes", dataset, name=name)
        dataset = sample.dataset
        sample.add_label("ground-truth", vector_label(*boxes), LabelStatus.LABELED)
    assert dataset is not None
    make_module_sample("bboxes", dataset, name="unlabelled.png")
    return SegmentsDataset(released(dataset), segments_dir=str(tmp_path_factory.mktemp("segments")))


def png(path: Path) -> npt.NDArray[Any]:
    return np.asarray(Image.open(path))


def extent_xywh(mask: npt.NDArray[np.bool_]) -> list[int]:
    """The tight box of a mask: left, top, width, height in pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)]


def objects() -> Iterator[tuple[str, int, int, npt.NDArray[np.bool_]]]:
    """Every object of the segmented dataset: file name, id, category and mask."""
    for name, (mask, category_of) in MASKS.items():
        for object_id, category in category_of.items():
            yield name, object_id, category, mask == object_id


# --- reading -------------------------------------------------------------------------------------------------------


def test_the_sdk_reads_pictures_masks_and_annotations_from_a_release(segmented: SegmentsDataset) -> None:
    assert len(segmented) == 3
    by_name = {item["name"]: item for item in (segmented[i] for i in range(3))}
    for name, (mask, category_of) in MASKS.items():
        item = by_name[name]
        photograph = np.asarray(Image.open(BytesIO(photograph_png())))
        np.testing.assert_array_equal(np.asarray(item["image"]), photograph)
        np.testing.assert_array_equal(np.asarray(item["segmentation_bitmap"]), mask)
        assert {a["id"]: a["category_id"] for a in item["annotations"]} == category_of
    assert by_name["unlabelled.png"]["annotations"] is None


def test_the_sdk_reads_the_categories_of_a_release(segmented: SegmentsDataset) -> None:
    expected = [(c["id"], c["name"]) for c in TASK_ATTRIBUTES["categories"]]
    assert [(category.id, category.name) for category in segmented.categories] == expected


def test_the_sdk_reads_boxes_from_a_release(boxed: SegmentsDataset) -> None:
    by_name = {item["name"]: item for item in (boxed[i] for i in range(4))}
    for name, boxes in BOXES.items():
        read = by_name[name]["annotations"]
        assert [(a["id"], a["category_id"], a["points"]) for a in read] == [
            (b["id"], b["category_id"], b["points"]) for b in boxes
        ]
    assert by_name["unlabelled.png"]["annotations"] is None


def test_a_release_of_a_task_type_that_the_sdk_cannot_read_is_refused_by_the_sdk(make_sample: MakeSample) -> None:
    sample = make_sample("pointcloud-vector")
    with pytest.raises(ValueError, match="pointcloud-vector"):
        SegmentsDataset(released(sample.dataset))


# --- the eight formats ---------------------------------------------------------------------------------------------


def test_coco_instance_has_the_masks_areas_and_boxes_of_the_objects(segmented: SegmentsDataset, tmp_path: Path) -> None:
    path, _ = export_dataset(segmented, str(tmp_path), "coco-instance")
    coco = COCO(path)
    name_of = {image["id"]: image["file_name"] for image in coco.loadImgs(coco.getImgIds())}
    assert sorted(name_of.values()) == sorted(MASKS)
    assert all((i["height"], i["width"]) == (HEIGHT_PX, WIDTH_PX) for i in coco.loadImgs(coco.getImgIds()))
    found = coco.loadAnns(coco.getAnnIds())
    assert len(found) == len(list(objects()))
    for name, _, category, mask in objects():
        [match] = [
            a
            for a in found
            if name_of[a["image_id"]] == name
            and a["category_id"] == category
            and np.array_equal(coco.annToMask(a).astype(bool), mask)
        ]
        assert match["area"] == mask.sum() == coco_mask.area(match["segmentation"])
        assert match["bbox"] == extent_xywh(mask) == coco_mask.toBbox(match["segmentation"]).tolist()
        assert match["iscrowd"] == 0


def test_coco_panoptic_paints_each_object_in_the_colour_of_its_id(segmented: SegmentsDataset, tmp_path: Path) -> None:
    path, folder = export_dataset(segmented, str(tmp_path), "coco-panoptic")
    exported = json.loads(Path(path).read_text())
    things = {c["id"]: c["isthing"] for c in exported["categories"]}
    assert things == {1: 1, 2: 0, 7: 1}
    name_of = {image["id"]: image["file_name"] for image in exported["images"]}
    assert sorted(name_of.values()) == sorted(MASKS)
    for annotation in exported["annotations"]:
        mask, category_of = MASKS[name_of[annotation["image_id"]]]
        rgb = png(Path(folder) / annotation["file_name"]).astype(np.uint32)
        ids = rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]
        segments = annotation["segments_info"]
        assert set(np.unique(ids)) - {0} == {segment["id"] for segment in segments}
        assert [s["category_id"] for s in segments] == list(category_of.values())
        for segment, object_id in zip(segments, category_of, strict=True):
            np.testing.assert_array_equal(ids == segment["id"], mask == object_id)
            assert segment["area"] == (mask == object_id).sum()
            assert segment["bbox"] == extent_xywh(mask == object_id)
        assert sum(segment["area"] for segment in segments) == np.count_nonzero(mask)


def test_the_instance_format_is_the_mask_itself(segmented: SegmentsDataset, tmp_path: Path) -> None:
    export_dataset(segmented, str(tmp_path), "instance")
    assert len(list(tmp_path.glob("*.png"))) == len(MASKS)
    for name, (mask, _) in MASKS.items():
        np.testing.assert_array_equal(png(tmp_path / f"{Path(name).stem}_label_ground-truth_instance.png"), mask)


def test_the_instance_color_format_gives_each_object_a_colour_of_its_own(
    segmented: SegmentsDataset, tmp_path: Path
) -> None:
    export_dataset(segmented, str(tmp_path), "instance-color")
    for name, (mask, category_of) in MASKS.items():
        painted = png(tmp_path / f"{Path(name).stem}_label_ground-truth_instance_colored.png")
        colors = {n: {tuple(color) for color in painted[mask == n].tolist()} for n in [0, *category_of]}
        assert all(len(color) == 1 for color in colors.values())
        assert len(set.union(*colors.values())) == len(colors)
        assert colors[0] == {(0, 0, 0)}


@pytest.mark.filterwarnings("ignore:Downcasting")  # scikit-image says so of every integer image
def test_the_semantic_format_holds_the_category_of_each_pixel(segmented: SegmentsDataset, tmp_path: Path) -> None:
    export_dataset(segmented, str(tmp_path), "semantic")
    for name, (mask, category_of) in MASKS.items():
        expected = np.zeros_like(mask)
        for object_id, category in category_of.items():
            expected[mask == object_id] = category
        np.testing.assert_array_equal(png(tmp_path / f"{Path(name).stem}_label_ground-truth_semantic.png"), expected)


@pytest.mark.filterwarnings("ignore:Downcasting")
def test_the_semantic_color_format_paints_the_colours_of_the_categories(
    make_sample: MakeSample, admin: SegmentsClient, tmp_path: Path
) -> None:
    # The SDK takes the n-th colour for category n, so the categories are numbered from 1 without a gap.
    sample = make_sample("segmentation-bitmap", name="street.png")
    two = {"format_version": "0.1", "categories": TASK_ATTRIBUTES["categories"][:2]}
    sample.dataset.update(task_attributes=two)
    mask = blocks(_1=(0, 0, 20, 30), _2=(20, 0, 50, 30), _3=(30, 10, 40, 20))
    category_of = {1: 1, 2: 2, 3: 1}
    document = {
        "annotations": [{"id": n, "category_id": c} for n, c in category_of.items()],
        "segmentation_bitmap": {"url": uploaded(admin, mask)},
    }
    sample.add_label("ground-truth", document)
    dataset = SegmentsDataset(released(sample.dataset), segments_dir=str(tmp_path / "cache"))
    export_dataset(dataset, str(tmp_path), "semantic-color")
    painted = png(tmp_path / "street_label_ground-truth_semantic_colored.png")
    expected = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    for object_id, category in category_of.items():
        expected[mask == object_id] = COLORS[category]
    np.testing.assert_array_equal(painted, expected)


def test_the_polygon_format_fills_up_to_the_outer_shape_of_each_object(
    segmented: SegmentsDataset, tmp_path: Path
) -> None:
    path, _ = export_dataset(segmented, str(tmp_path), "polygon")
    exported = json.loads(Path(path).read_text())
    name_of = {image["id"]: image["file_name"] for image in exported["images"]}
    assert len(exported["annotations"]) == len(list(objects()))
    for annotation in exported["annotations"]:
        mask, _ = MASKS[name_of[annotation["image_id"]]]
        object_id = annotation["attributes"]["n"]
        drawn = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
        contours = [np.array(polygon, np.int32) for polygon in annotation["polygons"]]
        for contour in contours:
            cv2.fillPoly(drawn, [contour], 1)
        filled = mask == object_id
        if object_id == 2:  # its hole is filled, because the format has no holes
            filled = filled | (mask == 3)
        np.testing.assert_array_equal(drawn.astype(bool), filled)


def test_yolo_has_the_boxes_in_fractions_of_the_picture(boxed: SegmentsDataset, tmp_path: Path) -> None:
    folder = Path(export_dataset(boxed, str(tmp_path), "yolo"))
    for name, boxes in BOXES.items():
        lines = (folder / f"{Path(name).stem}.txt").read_text().splitlines() if boxes else []
        assert len(lines) == len(boxes)
        for line, box in zip(lines, boxes, strict=True):
            category, *numbers = line.split()
            x, y, width, height = np.array(numbers, float) * [WIDTH_PX, HEIGHT_PX, WIDTH_PX, HEIGHT_PX]
            corners = [[x - width / 2, y - height / 2], [x + width / 2, y + height / 2]]
            np.testing.assert_allclose(corners, box["points"], atol=1e-4)
            assert int(category) == box["category_id"]
    assert not list(folder.glob("unlabelled.txt"))


# --- formats of other task types -----------------------------------------------------------------------------------


def test_coco_instance_of_boxes_has_the_boxes(boxed: SegmentsDataset, tmp_path: Path) -> None:
    path, _ = export_dataset(boxed, str(tmp_path), "coco-instance")
    coco = json.loads(Path(path).read_text())
    assert [image["file_name"] for image in coco["images"]] == list(BOXES)
    expected = [box for boxes in BOXES.values() for box in boxes]
    for annotation, box in zip(coco["annotations"], expected, strict=True):
        (x0, y0), (x1, y1) = box["points"]
        assert annotation["bbox"] == [x0, y0, x1 - x0, y1 - y0]
        assert annotation["category_id"] == box["category_id"]


def test_coco_instance_of_vectors_has_every_kind_of_shape(make_sample: MakeSample, tmp_path: Path) -> None:
    sample = make_sample("vector")
    document = label_attributes("vector")
    sample.add_label("ground-truth", document)
    dataset = SegmentsDataset(released(sample.dataset), segments_dir=str(tmp_path / "cache"))
    path, _ = export_dataset(dataset, str(tmp_path), "coco-instance")
    exported = json.loads(Path(path).read_text())["annotations"]
    by_type = {annotation["type"]: annotation for annotation in document["annotations"]}
    assert [a["category_id"] for a in exported] == [a["category_id"] for a in document["annotations"]]
    assert [a["points"] for a in exported if "points" in a] == [by_type["polygon"]["points"]]
    [keypoints] = [a["keypoints"] for a in exported if "keypoints" in a]
    assert keypoints == [*by_type["point"]["points"][0], 1]


def test_yolo_of_a_sequence_has_a_file_for_each_frame(make_sample: MakeSample, tmp_path: Path) -> None:
    sample = make_sample("image-vector-sequence", name="clip.mp4")
    first, second, _, last = label_attributes("image-vector-sequence")["frames"]
    sample.add_label("ground-truth", {"frames": [first, second, last]})
    dataset = SegmentsDataset(released(sample.dataset), segments_dir=str(tmp_path / "cache"))
    folder = Path(export_dataset(dataset, str(tmp_path), "yolo", image_width=640, image_height=480))
    files = {path.name: path.read_text() for path in folder.glob("clip-*.txt")}
    assert set(files) == {"clip-left-000.txt", "clip-00002.txt", "clip-00003.txt"}
    category, x, *_ = files["clip-00003.txt"].split()
    assert int(category) == 1
    assert float(x) == pytest.approx((30.5 + 15) / 640, abs=1e-6)


def test_an_instance_id_beyond_eight_bits_survives_in_the_formats_that_can_hold_it(
    make_sample: MakeSample, admin: SegmentsClient, tmp_path: Path
) -> None:
    sample = make_sample("segmentation-bitmap-highres", name="wide.png")
    mask = blocks(_300=(2, 2, 30, 30), _65535=(31, 2, 60, 30))
    document = {
        "annotations": [{"id": 300, "category_id": 1}, {"id": 65535, "category_id": 2}],
        "segmentation_bitmap": {"url": uploaded(admin, mask)},
    }
    sample.add_label("ground-truth", document)
    dataset = SegmentsDataset(released(sample.dataset), segments_dir=str(tmp_path / "cache"))
    path, _ = export_dataset(dataset, str(tmp_path), "coco-instance")
    coco = COCO(path)
    for annotation, object_id in zip(coco.loadAnns(coco.getAnnIds()), (300, 65535), strict=True):
        np.testing.assert_array_equal(coco.annToMask(annotation).astype(bool), mask == object_id)
    export_dataset(dataset, str(tmp_path), "instance")
    np.testing.assert_array_equal(png(tmp_path / "wide_label_ground-truth_instance.png"), mask)
