"""Edits of shapes and bitmaps on stored labels: undone as one, stale, in conflict, and read as documents."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labeling.commands import assets, datasets
from labeling.errors import Conflict, InvalidValue, Refused, StaleBitmap
from labeling.geometry import rle
from tests.support.labels import KEYPOINTS, ORIENTATION

JSON = dict[str, Any]
SHAPES: list[JSON] = [
    {"op": "add", "id": 1, "category_id": 1, "geometry": {"type": "bbox", "points": [[10, 10], [20, 20]]},
     "attributes": {"a": 1}, "keypoints": KEYPOINTS, "orientation": ORIENTATION, "score": 0.5},
    {"op": "add", "id": 2, "category_id": 2, "geometry": {"type": "ellipse", "center": [60, 30], "radii": [9, 5],
     "angle_deg": 20}, "attributes": {"b": [ "x" ]}},
    {"op": "add", "id": 3, "category_id": 2, "type": "point", "points": [[5, 5]], "attributes": {"c": True}},
    {"op": "add", "id": 4, "category_id": 2, "geometry": {"type": "polygon", "parts": [
        [[[30, 0], [50, 0], [50, 20]], [[45, 2], [48, 2], [48, 5]]], [[[70, 0], [80, 0], [80, 9]]]]},
     "keypoints": KEYPOINTS},
]  # fmt: skip


@pytest.fixture
def easel(make_desk: Any, sample: Any) -> Any:
    """A vector label of a picture of 96 x 48 pixels that is here."""
    return with_picture(make_desk(), sample)


def with_picture(desk: Any, sample: Any) -> Any:
    file = io.BytesIO()
    Image.new("RGB", (96, 48)).save(file, "PNG")
    asset = assets.keep_bytes(file.getvalue(), owner=desk.ana.id, filename="a.png", content_type="image/png")
    desk.sample = sample(desk.dataset, desk.ana, attributes={"image": {"url": assets.url_of(asset)}})
    return desk


def item(desk: Any, number: int) -> Any:
    return next(each for each in desk.state.annotations.values() if each["id"] == number)


def runs(x0: int, y0: int, x1: int, y1: int) -> JSON:
    mask = np.zeros((48, 96), bool)
    mask[y0:y1, x0:x1] = True
    return rle.encode(mask, compressed=True)


def content(desk: Any) -> JSON:
    stamps = ("version", "last_offset", "by")
    return {k: {n: v for n, v in a.items() if n not in stamps} for k, a in desk.state.annotations.items()}


def test_rasterize_all_and_one_undo_brings_everything_back(easel: Any) -> None:
    easel.edit(*SHAPES)
    before = content(easel)
    done = easel.edit({"op": "rasterize"}).results[0]
    assert [each["id"] for each in done["done"]] == [1, 2, 4] and done["skipped"][0]["why"] == "point"
    assert not any(key in item(easel, 1) for key in ("attributes", "keypoints", "orientation"))
    assert item(easel, 1)["geometry"]["type"] == "bitmap" and item(easel, 1)["score"] == 0.5
    easel.undo()
    assert content(easel) == before
    assert item(easel, 1)["keypoints"] == KEYPOINTS and item(easel, 2)["attributes"] == {"b": ["x"]}
    easel.redo()
    assert item(easel, 4)["geometry"]["type"] == "bitmap" and "keypoints" not in item(easel, 4)


def test_paint_then_erase_restores_the_hash_and_so_does_undo(easel: Any) -> None:
    easel.edit(*SHAPES)
    easel.edit({"op": "rasterize"})
    first = rle.hash_of_runs(item(easel, 1)["geometry"]["rle"])
    stroke = {"annotation": 1, "rle": runs(40, 30, 60, 40)}
    painted = easel.edit({"op": "paint_bitmap", "base_hash": first} | stroke).results[0]["bitmap_hash"]
    assert painted != first
    erased = easel.edit({"op": "erase_bitmap", "base_hash": painted} | stroke).results[0]["bitmap_hash"]
    assert erased == first == rle.hash_of_runs(item(easel, 1)["geometry"]["rle"])
    easel.undo()
    assert rle.hash_of_runs(item(easel, 1)["geometry"]["rle"]) == painted
    easel.undo()
    assert rle.hash_of_runs(item(easel, 1)["geometry"]["rle"]) == first
    with pytest.raises(StaleBitmap):
        easel.edit({"op": "paint_bitmap", "base_hash": painted} | stroke)


def test_in_a_label_with_a_bitmap_too(make_desk: Any, sample: Any) -> None:
    desk = with_picture(make_desk("segmentation-bitmap"), sample)
    desk.edit(*SHAPES, {"op": "rasterize"})
    assert item(desk, 1)["geometry"] == {"type": "mask"}
    first = desk.state.mask["hash"]
    ids = assets.read_mask(desk.state.mask["url"], "url")
    assert ids.shape == (48, 96) and set(np.unique(ids)) == {0, 1, 2, 4} and (ids == 1).sum() == 100
    stroke = {"annotation": 2, "rle": runs(0, 40, 60, 48)}
    painted = desk.edit({"op": "paint_bitmap", "base_hash": first} | stroke).results[0]["bitmap_hash"]
    erased = desk.edit({"op": "erase_bitmap", "base_hash": painted} | stroke).results[0]["bitmap_hash"]
    assert painted != first == erased
    outline = desk.edit({"op": "polygonize", "annotation": 1}).results[0]
    assert (outline["vertices"], outline["iou"]) == (4, 1)
    assert not (assets.read_mask(desk.state.mask["url"], "url") == 1).any()
    desk.undo()
    assert desk.state.mask["hash"] == first and item(desk, 1)["geometry"] == {"type": "mask"}


def test_two_people_who_edit_the_same_outline_are_told_and_others_are_rebased(easel: Any) -> None:
    easel.edit(*SHAPES)
    seen = easel.state.version
    easel.edit({"op": "move_vertex", "annotation": 4, "vertex": 0, "point": [31, 1]})
    with pytest.raises(Conflict) as caught:
        easel.edit({"op": "add_hole", "annotation": 4, "part": 1, "points": [[75, 1], [78, 1], [78, 3]]},
                   by=easel.ben, version=seen)  # fmt: skip
    assert caught.value.touched == [f"annotation:{item(easel, 4)['uuid']}"]
    with pytest.raises(Conflict):
        easel.edit({"op": "rasterize"}, by=easel.ben, version=seen)
    assert easel.edit({"op": "rasterize", "annotation": 1}, by=easel.ben, version=seen).rebased


def test_a_document_that_was_read_changes_no_bitmap_and_its_own_fields_are_not_kept_as_anybodys(easel: Any) -> None:
    easel.edit(*SHAPES)
    easel.edit({"op": "rasterize"})
    head, document = easel.state.version, easel.document
    shown = {each["id"]: each for each in document["annotations"]}
    assert shown[1]["type"] == "bbox" and shown[1]["points"] == [[10, 10], [20, 20]]
    assert shown[1]["bitmap_hash"] == rle.hash_of_runs(shown[1]["geometry"]["rle"])
    easel.save(document)
    assert easel.state.version == head and "extra" not in item(easel, 1)
    # One that shows only the protocol's part keeps the pixels; one that moves the box says so, and loses them.
    plain = [{k: v for k, v in each.items() if k in ("id", "category_id", "type", "points", "attributes")}
             for each in document["annotations"]]  # fmt: skip
    easel.save({"annotations": plain})
    assert item(easel, 1)["geometry"]["type"] == "bitmap"
    plain[0]["points"] = [[11, 10], [21, 20]]
    assert easel.save({"annotations": plain}).lost == ["1:pixels"]


def test_the_size_of_a_picture_that_is_elsewhere_is_said(desk: Any) -> None:
    desk.edit(*SHAPES)
    with pytest.raises(Refused, match="size_wh"):
        desk.edit({"op": "rasterize"})
    assert len(desk.edit({"op": "rasterize", "size_wh": [96, 48]}).results[0]["done"]) == 3


def test_what_a_dataset_asks_of_shapes_holds_for_edits_and_documents(easel: Any) -> None:
    document: JSON = {"annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[-5, 0], [5, 5]]}]}
    easel.save(document)
    ask = {"labels_outside_image": "refuse"}
    categories = {"categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "sign", "aspect_ratio": 1}]}
    datasets.change_dataset(
        intent=easel.intent(easel.ana), dataset=easel.dataset, changes=ask, task_attributes=categories
    )
    easel.save(document | {"image_attributes": {"a": 1}})  # what was there stays
    outside = {"id": 2, "category_id": 1, "type": "polygon", "points": [[90, 40], [99, 40], [90, 47]]}
    wide = {"id": 2, "category_id": 2, "type": "bbox", "points": [[0, 0], [20, 10]]}
    for bad in (outside, wide):
        with pytest.raises(InvalidValue) as caught:
            easel.save({"annotations": [*document["annotations"], bad]})
        assert caught.value.field == "attributes.annotations[1]"
        with pytest.raises(InvalidValue) as caught:
            easel.edit({"op": "add", **bad})
        assert caught.value.field == "edits[0].points"
    with pytest.raises(InvalidValue):
        easel.save({"annotations": [document["annotations"][0] | {"points": [[-6, 0], [5, 5]]}]})
    easel.edit({"op": "fit_to_image"})
    assert item(easel, 1)["geometry"]["points"] == [[0, 0], [10, 5]]
    easel.save({"annotations": [wide | {"points": [[0, 0], [10, 10.5]]}]})


def test_the_first_document_of_a_label_is_held_against_it_too(easel: Any) -> None:
    datasets.change_dataset(
        intent=easel.intent(easel.ana), dataset=easel.dataset, changes={"labels_outside_image": "refuse"}
    )
    box = {"id": 7, "category_id": 1, "type": "bbox", "points": [[1, 1], [97, 5]]}
    with pytest.raises(InvalidValue, match="96 wide and 48 high"):
        easel.save({"annotations": [box]})
