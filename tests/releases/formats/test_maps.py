"""Maps of pixels: what a pixel says, the sums that have to hold, Datumaro's readers, and the way back."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labeling.geometry import rle
from releases.formats import maps, outlines, pngs
from releases.formats.files import Folder, Given, Source
from releases.formats.format import Findings, Format, UnreadableFile
from releases.formats.records import Annotation, Category, Dataset, Imported, Sample
from tests.support.peers import dummy, labels_of, put, read_by_datumaro
from tests.support.records import CAR, DATASET, PERSON, SKY, STREET, written

FIXTURES = Path(__file__).parents[2] / "data" / "datumaro"
ALL = (maps.SEMANTIC, maps.INSTANCE, maps.COLOUR, maps.CITYSCAPES)
SOLID = [item for item in STREET.annotations if item.uuid in ("u2", "u3", "u4", "u6", "u9")]
PICTURE = Sample("town/a.jpg", width=100, height=60, annotations=SOLID, split="val")


def read(kind: Format, source: Source, findings: Findings) -> Imported:
    assert kind.read is not None
    return kind.read(source, findings, kind.parsed_for_reading({}))


def pixels(item: Annotation) -> Any:
    return rle.decode(outlines.runs_of(item.geometry, 60, 100), max_pixels=6000)


def of(category: int) -> Any:
    return np.any([pixels(item) for item in SOLID if item.category_id == category], axis=0)


def opened(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_a_semantic_map_merges_the_objects_of_a_class() -> None:
    files, _, lines = written(maps.SEMANTIC, [PICTURE])
    values = opened(files["masks/town/a.png"])
    assert values.dtype == np.uint8
    for category in (CAR, PERSON, SKY):
        assert ((values == category) == of(category)).all()
    assert (values == 0).sum() == 6000 - sum(of(category).sum() for category in (CAR, PERSON, SKY))
    assert {line["what"] for line in lines} == {"polygon", "ellipse", "parts", "holes"}


def test_an_instance_map_tells_objects_apart_and_comes_back() -> None:
    files, _, _ = written(maps.INSTANCE, [PICTURE])
    values = opened(files["masks/town/a.png"])
    for nth, item in enumerate(SOLID, 1):
        assert ((values == nth) == pixels(item)).all()
    [sample] = read(maps.INSTANCE, Given(files), findings := Findings()).samples
    assert findings.rows == [] and (sample.name, sample.split) == ("town/a.jpg", "val")
    assert [(item.uuid, item.category_id) for item in sample.annotations] == [
        (item.uuid, item.category_id) for item in SOLID
    ]
    assert all((pixels(one) == pixels(other)).all() for one, other in zip(sample.annotations, SOLID, strict=True))


def test_categories_merged_to_the_background_leave_exactly_the_others() -> None:
    """Consolidation: a map in which some classes are background is the full map without their pixels."""
    fewer = Sample("a", width=100, height=60, annotations=[item for item in SOLID if item.category_id == CAR])
    full, _, _ = written(maps.SEMANTIC, [PICTURE])
    part, _, _ = written(maps.SEMANTIC, [fewer])
    assert (opened(part["masks/a.png"]) == np.where(opened(full["masks/town/a.png"]) == CAR, CAR, 0)).all()


def test_the_later_object_is_above_and_what_it_covers_is_listed() -> None:
    square = {"type": "polygon", "parts": [[[[0, 0], [10, 0], [10, 10], [0, 10]]]]}
    inner = {"type": "polygon", "parts": [[[[2, 2], [6, 2], [6, 6], [2, 6]]]]}
    below, above = Annotation(1, CAR, square), Annotation(2, PERSON, inner)
    files, _, lines = written(maps.SEMANTIC, [Sample("a", width=10, height=10, annotations=[below, above])])
    assert (opened(files["masks/a.png"]) == PERSON).sum() == 16
    assert [(line["annotation"], line["said"]) for line in lines if line["what"] == "overlaps"] == [
        (1, "16 of 100 pixels are under others")
    ]
    _, _, lines = written(maps.SEMANTIC, [Sample("a", width=10, height=10, annotations=[above, below])])
    assert [line["became"] for line in lines if line["what"] == "overlaps"] == ["left out"]


@pytest.mark.parametrize("kind", [maps.SEMANTIC, maps.COLOUR])
def test_maps_of_classes_come_back_as_one_object_a_class(kind: Format) -> None:
    files, _, _ = written(kind, [PICTURE])
    imported = read(kind, Given(files), findings := Findings())
    [sample] = imported.samples
    names = {item.id: item.name for item in imported.dataset.categories}
    assert findings.rows == []
    found = {names[item.category_id or 0]: pixels(item) for item in sample.annotations}
    assert {name: mask.sum() for name, mask in found.items()} == {
        DATASET.by_id[category].name: of(category).sum() for category in (CAR, PERSON, SKY)
    }


def test_colours_are_those_of_the_categories() -> None:
    files, _, _ = written(maps.COLOUR, [PICTURE])
    values = opened(files["masks/town/a.png"])
    assert (values[of(CAR)] == (220, 20, 60)).all() and (values[of(SKY)] == (70, 130, 180)).all()
    twins = Dataset("d", (Category(1, "a", (1, 2, 3)), Category(2, "b", (1, 2, 3))))
    _, _, lines = written(maps.COLOUR, [], twins)
    assert [(line["what"], line["said"]) for line in lines] == [("colour that two categories have", "b")]


def test_cityscapes_values_and_datumaro(tmp_path: Path) -> None:
    files, _, _ = written(maps.CITYSCAPES, [PICTURE])
    instances = opened(files["gtFine/val/town/a_gtFine_instanceIds.png"]).astype(int)
    classes = opened(files["gtFine/val/town/a_gtFine_labelIds.png"])
    assert sorted(np.unique(instances).tolist()) == [0, 3, 1000, 1001, 2000, 2001]
    assert (np.where(instances >= 1000, instances // 1000, instances) == classes).all()
    assert ((instances == 3) == of(SKY)).all()
    polygons = json.loads(files["gtFine/val/town/a_gtFine_polygons.json"])
    assert polygons["imgWidth"] == 100 and polygons["objects"][0]["label"] == "car"
    [sample] = read(maps.CITYSCAPES, Given(files), findings := Findings()).samples
    assert findings.rows == [] and (sample.name, sample.split) == ("town/a", "val")
    assert sorted(pixels(item).sum() for item in sample.annotations) == sorted(pixels(item).sum() for item in SOLID)
    put(tmp_path, files | {"leftImg8bit/val/town/a_leftImg8bit.png": dummy(100, 60, "PNG")})
    read_ = read_by_datumaro(tmp_path, "cityscapes")
    [item] = read_
    names = labels_of(read_)
    # it reads classes only: of those values below 1000, which are not counted
    assert [(names[one.label], int(one.image.sum())) for one in item.annotations] == [("sky_&_<clouds>", of(SKY).sum())]


def test_datumaro_reads_the_semantic_maps(tmp_path: Path) -> None:
    # its reader takes values for places, so they have to be without gaps
    closed = Dataset("d", (*DATASET.categories[:2], Category(3, "sky")))
    items = [replace(item, category_id=min(item.category_id or 0, 3)) for item in SOLID]
    files, _, _ = written(maps.SEMANTIC, [Sample("a.png", width=100, height=60, annotations=items)], closed)
    put(tmp_path, files | {"images/a.png": dummy(100, 60, "PNG")})
    read_ = read_by_datumaro(tmp_path, "common_semantic_segmentation")
    [item] = read_
    names = labels_of(read_)
    found = {names[one.label]: one.image.astype(bool) for one in item.annotations if names[one.label] != "background"}
    assert found.keys() == {"car", "person", "sky"}
    assert (found["car"] == of(CAR)).all() and (found["person"] == of(PERSON)).all()


def test_the_fixtures_of_maps_import_without_an_error() -> None:
    for folder in ("cityscapes_dataset/dataset", "cityscapes_dataset/train_dataset"):
        samples = list(read(maps.CITYSCAPES, Folder(FIXTURES / folder), findings := Findings()).samples)
        assert findings.rows == [] and len(samples) in (3, 4) and all(sample.annotations for sample in samples)
    for folder in ("dataset", "non_standard_dataset"):
        where = FIXTURES / "common_semantic_segmentation_dataset" / folder
        imported = read(maps.SEMANTIC, Folder(where), findings := Findings())
        samples = list(imported.samples)
        assert findings.rows == [] and len(samples) == 2
        assert [item.name for item in imported.dataset.categories][:2] == ["Animal", "Archway"]


def test_a_value_that_is_not_named_is_a_finding() -> None:
    files, _, _ = written(maps.SEMANTIC, [PICTURE])
    files["masks/town/a.png"] = pngs.gray(np.full((60, 100), 200, dtype=np.uint8))
    list(read(maps.SEMANTIC, Given(files), findings := Findings()).samples)
    assert [row["message"] for row in findings.errors] == ["has a value that dataset_meta.json does not name"]
    for kind in ALL:
        with pytest.raises(UnreadableFile):
            read(kind, Given({}), Findings())


def test_our_pngs_are_read_by_others_as_they_were_written() -> None:
    rng = np.random.default_rng(7)
    for height, width in ((1, 1), (3, 7), (300, 500)):
        for kind, most in ((np.uint8, 255), (np.uint16, 65535)):
            values = rng.integers(0, most + 1, (height, width)).astype(kind)
            assert (opened(pngs.gray(values)) == values).all()
        colours = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        assert (opened(pngs.colours(colours)) == colours).all()
        numbers = rng.integers(0, 1 << 24, (height, width)).astype(np.uint32)
        read_back = opened(pngs.ids(numbers)).astype(np.uint32) @ np.array([1, 256, 65536], dtype=np.uint32)
        assert (read_back == numbers).all()
        mask = rng.integers(0, 2, (height, width)).astype(bool)
        assert ((opened(pngs.bmp(mask)) == 255) == mask).all()
