"""The demo's datasets say what the files in config/demo/data say, in the protocol's words."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from segments import typing

from config.demo import bunny, datasets
from config.demo.datasets import DATA, Dataset, Sample

PANOPTIC = json.loads((DATA / "panoptic" / "panoptic_examples.json").read_bytes())


@pytest.fixture(scope="module")
def built() -> dict[str, Dataset]:
    return {dataset.name: dataset for dataset in datasets.demo_datasets()}


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def decoded(bitmap: bytes) -> NDArray[np.uint32]:
    """The protocol's reading of a bitmap: RGBA as little-endian integers, the alpha byte zeroed."""
    rgba = np.array(opened(bitmap))
    rgba[..., 3] = 0
    return rgba.view(np.uint32)[..., 0]


def file_ids(annotation: dict[str, Any]) -> NDArray[np.uint32]:
    rgb = np.asarray(Image.open(DATA / "panoptic" / annotation["file_name"]).convert("RGB")).astype(np.uint32)
    ids: NDArray[np.uint32] = rgb[..., 0] | rgb[..., 1] << np.uint32(8) | rgb[..., 2] << np.uint32(16)
    return ids


def every_annotation(sample: Sample) -> list[dict[str, Any]]:
    if sample.edits:
        return [edit for edit in sample.edits if "category_id" in edit]
    return list(sample.label["annotations"])


def test_the_demo_has_its_three_datasets_in_three_task_types(built: dict[str, Dataset]) -> None:
    assert {name: dataset.task_type for name, dataset in built.items()} == {
        "terrain": "vector",
        "panoptic": "segmentation-bitmap",
        "bunny": "image-vector-sequence",
    }


def test_every_folder_of_data_has_its_licence_beside_it() -> None:
    for folder in (path for path in DATA.iterdir() if path.is_dir()):
        assert any((folder / name).is_file() for name in ("LICENSE", "ATTRIBUTION.txt")), folder.name
    attribution = (DATA / "bunny" / "ATTRIBUTION.txt").read_text()
    assert "(c) 2008 Blender Foundation, bigbuckbunny.org" in attribution
    assert "Creative Commons Attribution 3.0" in attribution


def test_no_picture_that_names_a_photo_agency_is_carried() -> None:
    for path in DATA.rglob("*.*"):
        if path.suffix in (".jpg", ".png"):
            assert b"gettyimages" not in path.read_bytes().lower(), path.name


def test_the_data_stays_lean() -> None:
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) < 3_000_000


def test_every_category_that_a_label_uses_is_declared_with_a_colour_of_its_own(built: dict[str, Dataset]) -> None:
    for dataset in built.values():
        categories = dataset.task_attributes["categories"]
        declared = {category["id"] for category in categories}
        used = {a["category_id"] for sample in dataset.samples for a in every_annotation(sample)}
        assert used == declared, dataset.name
        assert len({tuple(category["color"]) for category in categories}) == len(categories)
        assert len({category["name"] for category in categories}) == len(categories)


def test_categories_are_numbered_by_their_place_as_the_sdks_coloured_export_expects(built: dict[str, Dataset]) -> None:
    for dataset in built.values():
        ids = [category["id"] for category in dataset.task_attributes["categories"]]
        assert ids == list(range(1, len(ids) + 1)), dataset.name


def test_every_attribute_that_a_label_uses_is_declared_with_its_values(built: dict[str, Dataset]) -> None:
    used = 0
    for dataset in built.values():
        categories = {category["id"]: category for category in dataset.task_attributes["categories"]}
        for sample in dataset.samples:
            for annotation in every_annotation(sample):
                declared = {a["name"]: a for a in categories[annotation["category_id"]].get("attributes", ())}
                for name, value in annotation.get("attributes", {}).items():
                    used += 1
                    assert value in declared[name].get("values", [True, False])
    assert used >= 4


def test_sample_names_are_file_names_without_a_slash_and_unique(built: dict[str, Dataset]) -> None:
    for dataset in built.values():
        names = [sample.name for sample in dataset.samples]
        assert len(set(names)) == len(names)
        assert not any("/" in name for name in names)


def test_terrain_polygons_keep_the_coordinates_of_the_labelme_files(built: dict[str, Dataset]) -> None:
    jeeps, walkers = built["terrain"].samples
    for sample, filename, word, category in (
        (jeeps, "terrain2.json", "car", 1),
        (walkers, "terrain1.json", "human", 2),
    ):
        shapes = json.loads((DATA / "terrain" / filename).read_bytes())["shapes"]
        assert {shape["label"] for shape in shapes} == {word}
        assert [a["points"] for a in sample.label["annotations"]] == [shape["points"] for shape in shapes]
        assert [a["id"] for a in sample.label["annotations"]] == list(range(1, len(shapes) + 1))
        assert {a["category_id"] for a in sample.label["annotations"]} == {category}
        assert {a["type"] for a in sample.label["annotations"]} == {"polygon"}


def test_every_coordinate_lies_in_its_picture(built: dict[str, Dataset]) -> None:
    for name in ("terrain",):
        for sample in built[name].samples:
            size_wh = np.array(opened(sample.pictures[0].data).size)
            points = np.concatenate([a["points"] for a in every_annotation(sample)])
            assert np.all(points >= 0) and np.all(points <= size_wh), sample.name


def test_the_walkers_are_drawn_where_their_polygons_are(built: dict[str, Dataset]) -> None:
    walkers = built["terrain"].samples[1]
    image = opened(walkers.pictures[0].data)
    assert image.size == datasets.labelme_size_wh("terrain1.json")
    ground = {datasets.PAPER, datasets.GROUND}
    seen = set()
    for annotation in walkers.label["annotations"]:
        # A pixel with a polygon's every neighbour inside: the point halfway across it on a line through its middle.
        points = np.array(annotation["points"])
        y = points[:, 1].mean()
        following = np.roll(points, -1, axis=0)
        crossing = (points[:, 1] <= y) != (following[:, 1] <= y)
        start, end = points[crossing], following[crossing]
        x = np.sort(start[:, 0] + (y - start[:, 1]) / (end[:, 1] - start[:, 1]) * (end[:, 0] - start[:, 0]))
        seen.add(image.getpixel((int((x[0] + x[1]) / 2), int(y))))
    assert not seen & ground
    assert image.getpixel((2, 2)) == datasets.PAPER


def test_the_photograph_is_the_file_itself(built: dict[str, Dataset]) -> None:
    picture = built["terrain"].samples[0].pictures[0]
    assert picture.data == (DATA / "terrain" / "terrain2.png").read_bytes()
    assert opened(picture.data).size == datasets.labelme_size_wh("terrain2.json")


@pytest.mark.parametrize("number", [0, 1])
def test_each_bitmap_shows_the_same_segments_as_its_file(built: dict[str, Dataset], number: int) -> None:
    annotation, sample = (PANOPTIC["annotations"][number], built["panoptic"].samples[number])
    assert sample.bitmap is not None
    image = opened(sample.bitmap.data)
    assert image.mode == "RGBA"
    assert np.all(np.asarray(image)[..., 3] == 255)
    ids, original = decoded(sample.bitmap.data), file_ids(annotation)
    assert ids.shape == original.shape
    for place, segment in enumerate(annotation["segments_info"], start=1):
        assert np.array_equal(ids == place, original == segment["id"])
        assert np.count_nonzero(ids == place) == segment["area"]
    assert np.array_equal(ids == 0, original == 0)


@pytest.mark.parametrize("number", [0, 1])
def test_segments_are_numbered_from_one_below_sixteen_bits_and_keep_their_category(
    built: dict[str, Dataset], number: int
) -> None:
    annotation, sample = (PANOPTIC["annotations"][number], built["panoptic"].samples[number])
    assert max(segment["id"] for segment in annotation["segments_info"]) > 65535
    entries = sample.label["annotations"]
    assert [entry["id"] for entry in entries] == list(range(1, len(entries) + 1))
    coco_ids = {c["id"]: c["coco_id"] for c in built["panoptic"].task_attributes["categories"]}
    kept = [coco_ids[entry["category_id"]] for entry in entries]
    assert kept == [segment["category_id"] for segment in annotation["segments_info"]]
    crowds = [entry["id"] for entry in entries if entry.get("attributes", {}).get("crowd")]
    assert crowds == [n for n, s in enumerate(annotation["segments_info"], start=1) if s["iscrowd"]] != []


def test_a_segment_that_the_json_does_not_list_is_refused() -> None:
    annotation = PANOPTIC["annotations"][0]
    with pytest.raises(ValueError, match="does not list"):
        datasets.panoptic_ids({**annotation, "segments_info": annotation["segments_info"][1:]})


def test_ids_beyond_a_byte_survive_the_bitmap() -> None:
    ids = np.array([[0, 1, 255, 256], [65535, 65536, 70000, 2**24 - 1]], dtype=np.uint32)
    data = datasets.bitmap_png(ids)
    assert np.array_equal(decoded(data), ids)
    assert opened(data).getpixel((2, 1)) == (112, 17, 1, 255)


def test_drawn_segments_are_flat_and_unlabeled_pixels_have_their_own_colour(built: dict[str, Dataset]) -> None:
    for sample in built["panoptic"].samples:
        assert sample.bitmap is not None
        ids = decoded(sample.bitmap.data)
        drawn = np.asarray(opened(sample.pictures[0].data))
        assert drawn.shape == (*ids.shape, 3)
        for number in np.unique(ids):
            assert len(np.unique(drawn[ids == number], axis=0)) == 1
        assert tuple(drawn[ids == 0][0]) == datasets.UNLABELED_COLOUR


def test_every_track_begins_before_it_is_edited_and_lies_in_the_picture(built: dict[str, Dataset]) -> None:
    (sample,) = built["bunny"].samples
    assert len(sample.pictures) == 33 and sample.label == {}
    begun: dict[int, int] = {}
    for edit in sample.edits:
        frame = edit["frame"]
        assert 0 <= frame < 33
        if edit["op"] == "add_track":
            begun[edit["track_id"]] = frame
            assert 1 <= edit["category_id"] <= len(bunny.CATEGORIES)
        else:
            assert frame > begun[edit["track"]]
        for x, y in edit.get("points", ()):
            assert 0 <= x <= 640 and 0 <= y <= 360
    assert list(begun.values()) == [0] * 5
    gone = {(edit["track"], edit["frame"]) for edit in sample.edits if edit["op"] == "set_remove_keyframe"}
    assert gone == {(4, 16), (5, 8)}, "an ear behind his head, a stone behind his arm"


def test_the_outline_keeps_within_the_box_at_every_frame_that_both_were_set_at() -> None:
    box, outline = bunny.tracks()[:2]
    both = box["keyframes"].keys() & outline["keyframes"].keys()
    assert len(both) > 15
    for frame in both:
        (x0, y0), (x1, y1) = box["keyframes"][frame]
        x, y = np.array(outline["keyframes"][frame]).T
        assert max(x0 - x.min(), y0 - y.min(), x.max() - x1, y.max() - y1) <= 4, frame


def test_sample_attributes_of_an_image_and_of_a_sequence(built: dict[str, Dataset]) -> None:
    jeeps = built["terrain"].samples[0]
    assert datasets.sample_attributes(jeeps, ["http://a/1.png"]) == {"image": {"url": "http://a/1.png"}}
    (rabbit,) = built["bunny"].samples
    urls = [f"http://a/{n}.jpg" for n in range(33)]
    frames = datasets.sample_attributes(rabbit, urls)["frames"]
    assert [frame["image"]["url"] for frame in frames] == urls
    assert frames[0]["name"] == "000" and frames[32]["name"] == "032"
    assert [frame["timestamp"] for frame in frames] == [n * 160_000_000 for n in range(33)]


@pytest.mark.parametrize("urls", [[], ["http://a/1.png", "http://a/2.png"]])
def test_sample_attributes_need_one_address_a_picture(built: dict[str, Dataset], urls: list[str]) -> None:
    with pytest.raises(ValueError, match="1 pictures"):
        datasets.sample_attributes(built["terrain"].samples[0], urls)


def test_a_segmentation_label_carries_the_address_of_its_bitmap(built: dict[str, Dataset]) -> None:
    sample = built["panoptic"].samples[0]
    label = datasets.label_attributes(sample, "http://a/label.png")
    assert label["segmentation_bitmap"] == {"url": "http://a/label.png"}
    assert label["annotations"] == sample.label["annotations"]
    with pytest.raises(ValueError, match="bitmap"):
        datasets.label_attributes(sample)
    assert datasets.label_attributes(built["terrain"].samples[0]) == built["terrain"].samples[0].label


def test_every_label_is_one_that_the_sdk_would_upload(built: dict[str, Dataset]) -> None:
    models: dict[str, Any] = {
        "terrain": typing.ImageVectorLabelAttributes,
        "panoptic": typing.ImageSegmentationLabelAttributes,
    }
    for name, dataset in built.items():
        for sample in dataset.samples if name in models else ():
            document = datasets.label_attributes(sample, "http://a/label.png" if sample.bitmap else None)
            parsed = models[name].model_validate(document)
            assert parsed.model_dump(exclude_unset=True, mode="json") == document
        task_attributes: Any = typing.TaskAttributes
        task_attributes.model_validate(dataset.task_attributes)
