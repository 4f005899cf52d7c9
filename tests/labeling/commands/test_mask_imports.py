"""Masks with their segments become labels: the seed's example, findings, what is left alone, each item by itself."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from labeling.commands import assets, labels
from labeling.commands.mask_imports import How, Imported, import_masks
from labeling.errors import InvalidValue, NotFound, NotPermitted, Refused
from labeling.geometry import rle
from labeling.log import store
from labeling.models import Asset, Dataset
from labeling.queries import labels as queries
from labeling.queries.datasets import dataset_by_id
from labeling.rules.label_state import LabelState
from tests.support import eleven
from tests.support.eleven import CATEGORIES, INSTANCE, SEGMENTS, SEMANTIC, consolidated, panoptic, png_of

JSON = dict[str, Any]


class Gallery:
    """A dataset of pictures of 16 x 12 pixels, and masks for them."""

    def __init__(self, task: str, ana: Any, dataset: Any, sample: Any, intent: Any) -> None:
        self.ana, self.intent, self.task = ana, intent, task
        self.id = dataset(ana, task, task_attributes=CATEGORIES)
        self._sample = sample

    def hang(self, name: str, size_wh: tuple[int, int] = (16, 12)) -> uuid.UUID:
        """A picture of that name."""
        url = self.file(png_of(np.zeros((size_wh[1], size_wh[0]), np.uint8)))
        found: uuid.UUID = self._sample(self.id, self.ana, name=name, attributes={"image": {"url": url}})
        return found

    def file(self, data: bytes) -> str:
        return assets.url_of(assets.keep_bytes(data, owner=self.ana.id, filename="a.png", content_type="image/png"))

    def item(self, reference: str, mask: Any = None, segments: Any = None, **fields: Any) -> JSON:
        data = mask if isinstance(mask, bytes) else png_of(panoptic() if mask is None else mask)
        known = {"reference_id": reference, "annotations": SEGMENTS if segments is None else segments}
        return {"mask_url": self.file(data)} | known | fields

    def take(self, *items: Any, by: Any = None, **how: Any) -> list[Imported]:
        person = by or self.ana
        intent = how.pop("intent", None) or self.intent(person)
        fetch = {"fetch": how.pop("fetch")} if "fetch" in how else {}
        found = dataset_by_id(self.id, person=person.id)
        return import_masks(intent=intent, dataset=found, items=items, how=How(**how), **fetch)

    def state(self, sample: uuid.UUID) -> LabelState:
        return queries.find_label(sample, "ground-truth", person=self.ana.id).state

    def ids(self, sample: uuid.UUID) -> np.ndarray:
        """The values of the mask, by the objects of the label: index + 1, and 0 where no object is."""
        state = self.state(sample)
        if self.task != "vector":
            ids = assets.read_mask((state.mask or {})["url"], "url")
            index_of = {item["id"]: item["origin"]["index"] + 1 for item in state.annotations.values()}
            return np.vectorize(lambda number: index_of.get(number, 0))(ids)
        found = np.zeros((12, 16), np.int64)
        for item in state.annotations.values():
            if item["geometry"]["type"] == "bitmap":
                found[rle.decode(item["geometry"]["rle"], max_pixels=10**6)] = item["origin"]["index"] + 1
        return found


@pytest.fixture(params=["vector", "segmentation-bitmap"])
def gallery(request: Any, person: Any, dataset: Any, sample: Any, intent: Any) -> Gallery:
    return Gallery(request.param, person("ana"), dataset, sample, intent)


@pytest.fixture
def bitmaps(person: Any, dataset: Any, sample: Any, intent: Any) -> Gallery:
    return Gallery("segmentation-bitmap", person("ana"), dataset, sample, intent)


# --- the seed's example --------------------------------------------------------------------------------------------


def test_the_eleven_segments_become_eleven_objects_and_index_0_is_one_of_them(gallery: Gallery) -> None:
    sample = gallery.hang("image_2")
    [one] = gallery.take(gallery.item("image_2", annotation_id="image_2_mask_1"))
    assert (one.outcome, one.sample, one.findings, one.changed) == ("processed", sample, [], True)
    assert np.array_equal(gallery.ids(sample), panoptic().astype(np.int64) + 1)
    items = gallery.state(sample).in_order()
    names = {item["id"]: item["name"] for item in CATEGORIES["categories"]}
    assert [(names[item["category_id"]], item["origin"]["index"]) for item in items] == [
        (segment["label"], segment["index"]) for segment in SEGMENTS
    ]
    assert [names[item["category_id"]] for item in items][3:5] == ["wall", "fence"]
    assert items[6]["extra"] == {"metadata": {"pose": "sitting"}}
    assert items[6]["origin"] == {"kind": "mask", "index": 6, "annotation_id": "image_2_mask_1"}
    head = next(event.fact for event in store.read_stream(gallery.id, gallery.state(sample).stream))
    assert type(head).__name__ == "MaskImported"
    assert one.version == gallery.state(sample).version


@pytest.mark.parametrize("into", [INSTANCE, SEMANTIC], ids=["instance", "semantic"])
def test_the_consolidated_masks_of_the_page_are_imported_as_well(gallery: Gallery, into: dict[int, int]) -> None:
    sample = gallery.hang("image_2")
    mask = consolidated(panoptic(), into)
    segments = [segment for segment in SEGMENTS if segment["index"] in set(into.values())]
    [one] = gallery.take(gallery.item("image_2", mask, segments), strict=True)
    assert (one.outcome, one.findings) == ("processed", [])
    assert np.array_equal(gallery.ids(sample), mask.astype(np.int64) + 1)
    assert len(gallery.state(sample).annotations) == (6 if into is INSTANCE else 9)


# --- where there is one already ------------------------------------------------------------------------------------


def test_a_second_mask_is_ignored_unless_it_is_an_update(gallery: Gallery) -> None:
    sample = gallery.hang("image_2")
    gallery.take(gallery.item("image_2"))
    first, head = gallery.state(sample), store.head(gallery.id)
    other = np.flipud(panoptic())
    [one] = gallery.take(gallery.item("image_2", other))
    assert (one.outcome, one.changed, one.version) == ("ignored", False, first.version)
    assert store.head(gallery.id) == head
    [one] = gallery.take(gallery.item("image_2", other), update=True)
    assert (one.outcome, one.changed) == ("processed", True)
    assert np.array_equal(gallery.ids(sample), other.astype(np.int64) + 1)
    after = gallery.state(sample)
    assert [item["uuid"] for item in after.in_order()] == [item["uuid"] for item in first.in_order()]
    old = queries.label_at_version(gallery.id, first.stream, first.version)
    assert old.mask == first.mask and old.annotations == first.annotations


def test_the_same_mask_again_changes_nothing(gallery: Gallery) -> None:
    gallery.hang("image_2")
    gallery.take(gallery.item("image_2"))
    head = store.head(gallery.id)
    [one] = gallery.take(gallery.item("image_2"), update=True)
    assert (one.outcome, one.changed, store.head(gallery.id)) == ("processed", False, head)


def test_an_update_adds_changes_and_removes_segments(gallery: Gallery) -> None:
    sample = gallery.hang("image_2")
    gallery.take(gallery.item("image_2"))
    mask = np.where(panoptic() == 10, 5, panoptic()).astype(np.uint8)
    mask[0, 0] = 11
    segments = [*SEGMENTS[:10], {"label": "person", "index": 11}]
    segments[7] = {"label": "bird", "index": 7, "metadata": {"leather": True}}
    gallery.take(gallery.item("image_2", mask, segments), update=True)
    found = {item["origin"]["index"]: item for item in gallery.state(sample).annotations.values()}
    assert sorted(found) == [*range(10), 11]
    assert found[7]["category_id"] == 9 and found[7]["extra"] == {"metadata": {"leather": True}}
    assert np.array_equal(gallery.ids(sample), mask.astype(np.int64) + 1)


def test_other_objects_other_label_sets_and_the_status_are_left_alone(gallery: Gallery) -> None:
    sample = gallery.hang("image_2")
    box = {"op": "add", "id": 3, "category_id": 7, "geometry": {"type": "bbox", "points": [[1, 1], [5, 5]]}}
    edits = [box, {"op": "set_status", "verb": "submit"}, {"op": "assign_classification", "category_id": 2}]
    labels.edit_label(intent=gallery.intent(gallery.ana), sample=sample, label_set="ground-truth", edits=edits)
    for update in (False, True):
        mask = np.flipud(panoptic()) if update else None
        [one] = gallery.take(gallery.item("image_2", mask), update=update)
        assert (one.outcome, one.changed) == ("processed", True)
        state = gallery.state(sample)
        [kept] = [item for item in state.annotations.values() if item["geometry"]["type"] == "bbox"]
        assert (kept["id"], kept["category_id"], len(state.annotations)) == (3, 7, 12)
        assert (state.status, state.classifications) == ("LABELED", [2])
        assert len({item["id"] for item in state.annotations.values()}) == 12


# --- findings ------------------------------------------------------------------------------------------------------


def odd(name: str) -> tuple[Any, Any, JSON]:
    """(mask, segments, finding) of what may be odd about a mask."""
    mask, without = panoptic(), [segment for segment in SEGMENTS if segment["index"] != 7]
    found: dict[str, tuple[Any, Any, JSON]] = {
        "a value without a segment": (
            mask, without, {"code": "values_without_segment", "count": 1, "pixels": {"7": int((mask == 7).sum())}},
        ),
        "a segment without pixels": (
            np.where(mask == 7, 6, mask).astype(np.uint8), SEGMENTS,
            {"code": "segments_without_pixels", "count": 1, "indexes": [7]},
        ),
        "another size": (
            panoptic(2), SEGMENTS, {"code": "other_size", "mask_wh": [32, 24], "image_wh": [16, 12]},
        ),
        "16 bits": (mask.astype(np.uint16), SEGMENTS, {"code": "sixteen_bits"}),
        "a palette": (png_of(mask, mode="P"), SEGMENTS, {"code": "palette"}),
        "three channels": (png_of(mask, mode="RGB"), SEGMENTS, {"code": "several_channels"}),
        "four channels": (png_of(mask, mode="RGBA"), SEGMENTS, {"code": "several_channels"}),
    }  # fmt: skip
    return found[name]


ODD = ["a value without a segment", "a segment without pixels", "another size", "16 bits", "a palette",
       "three channels", "four channels"]  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_told_and_refused_where_strictness_is_asked_for(bitmaps: Gallery, name: str) -> None:
    sample = bitmaps.hang("image_2")
    mask, segments, finding = odd(name)
    head = store.head(bitmaps.id)
    [one] = bitmaps.take(bitmaps.item("image_2", mask, segments), strict=True)
    assert (one.outcome, one.findings) == ("failed", [finding])
    assert one.error is not None and one.error["field"] == "masks[0].mask_url"
    assert store.head(bitmaps.id) == head
    [one] = bitmaps.take(bitmaps.item("image_2", mask, segments))
    assert (one.outcome, one.findings) == ("processed", [finding])
    wanted = panoptic(2) if name == "another size" else panoptic()
    found = bitmaps.ids(sample)
    if name == "a value without a segment":
        assert np.array_equal(found, np.where(wanted == 7, 0, wanted.astype(np.int64) + 1))
    elif name != "a segment without pixels":
        assert np.array_equal(found, wanted.astype(np.int64) + 1)
    assert len(bitmaps.state(sample).annotations) == len(segments)


def test_a_segment_without_pixels_is_no_object_where_each_has_its_own_bitmap(
    person: Any, dataset: Any, sample: Any, intent: Any
) -> None:
    gallery = Gallery("vector", person("ana"), dataset, sample, intent)
    found = gallery.hang("image_2")
    mask, segments, _ = odd("a segment without pixels")
    gallery.take(gallery.item("image_2", mask, segments))
    assert sorted(item["origin"]["index"] for item in gallery.state(found).annotations.values()) == [
        index for index in range(11) if index != 7
    ]


# --- each item by itself -------------------------------------------------------------------------------------------

BAD: dict[str, tuple[JSON, str]] = {
    "an unknown reference": ({"reference_id": "nowhere"}, "reference_id"),
    "a number as the reference": ({"reference_id": 5}, "reference_id"),
    "NUL in the reference": ({"reference_id": "a\x00"}, "reference_id"),
    "no mask": ({"mask_url": None}, "mask_url"),
    "a file of this machine": ({"mask_url": "file:///etc/passwd"}, "mask_url"),
    "the machine's own address": ({"mask_url": "http://127.0.0.1/a.png"}, "mask_url"),
    "the cloud's inside": ({"mask_url": "http://169.254.169.254/latest/meta-data"}, "mask_url"),
    "a bucket": ({"mask_url": "s3://bucket/a.png"}, "mask_url"),
    "a host that is not on the list": ({"mask_url": "https://example.org/a.png"}, "mask_url"),
    "a file that was never uploaded": ({"mask_url": "/media/" + "A" * 32 + "/a.png"}, "mask_url"),
    "no segments": ({"annotations": []}, "annotations"),
    "a text as the segments": ({"annotations": "x"}, "annotations"),
    "a segment that is none": ({"annotations": [5]}, "annotations[0]"),
    "a segment without an index": ({"annotations": [{"label": "tree"}]}, "annotations[0].index"),
    "an index as text": ({"annotations": [{"label": "tree", "index": "1"}]}, "annotations[0].index"),
    "an index that no pixel has": ({"annotations": [{"label": "tree", "index": 65_536}]}, "annotations[0].index"),
    "a negative index": ({"annotations": [{"label": "tree", "index": -1}]}, "annotations[0].index"),
    "an index twice": ({"annotations": [{"label": "tree", "index": 1}] * 2}, "annotations[1].index"),
    "no label": ({"annotations": [{"index": 1}]}, "annotations[0].label"),
    "a label of no category": ({"annotations": [{"label": "boat", "index": 1}]}, "annotations[0].label"),
    "a category that is none": ({"annotations": [{"category_id": 99, "index": 1}]}, "annotations[0].category_id"),
    "metadata that is text": ({"annotations": [{"label": "tree", "index": 1, "metadata": "x"}]},
                              "annotations[0].metadata"),
    "another type": ({"type": "box"}, "type"),
    "a key that is none": ({"maks_url": "x"}, ""),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_item_fails_alone(bitmaps: Gallery, bad: tuple[JSON, str]) -> None:
    for name in ("a", "b", "c"):
        bitmaps.hang(name)
    fields, where = bad
    results = bitmaps.take(bitmaps.item("a"), bitmaps.item("b") | fields, bitmaps.item("c"))
    assert [one.outcome for one in results] == ["processed", "failed", "processed"]
    assert results[1].error is not None and results[1].error["field"] == f"masks[1]{'.' * bool(where)}{where}"


@pytest.mark.parametrize("data", [b"", b"GIF89a", png_of(panoptic())[:60], png_of(np.dstack([panoptic()] * 2))])
def test_a_file_that_is_no_mask_fails_alone(bitmaps: Gallery, data: bytes) -> None:
    bitmaps.hang("a")
    [one] = bitmaps.take(bitmaps.item("a", data or b"x"))
    assert one.outcome == "failed" and one.error is not None and one.error["field"] == "masks[0].mask_url"


def test_a_mask_in_colour_and_an_item_that_is_none_fail(bitmaps: Gallery) -> None:
    bitmaps.hang("a")
    colours = np.random.default_rng(1).integers(0, 255, (12, 16, 3), np.uint8)
    results = bitmaps.take(bitmaps.item("a", png_of(colours)), None, [], "x", 5)
    assert [one.outcome for one in results] == ["failed"] * 5
    assert results[0].error is not None and "colour" in results[0].error["detail"]


def test_the_same_item_twice_fails_the_second_time_and_another_mask_of_the_sample_is_ignored(bitmaps: Gallery) -> None:
    bitmaps.hang("a")
    item = bitmaps.item("a", annotation_id="x")
    results = bitmaps.take(item, item, item | {"annotation_id": "y"})
    assert [one.outcome for one in results] == ["processed", "failed", "ignored"]


def test_labels_are_found_without_capitals_or_left_without_a_category(bitmaps: Gallery) -> None:
    sample = bitmaps.hang("a")
    segments = [*SEGMENTS[:9], {"label": "Bird", "index": 9}, {"label": "boat", "index": 10}]
    [one] = bitmaps.take(bitmaps.item("a", None, segments), unknown="uncategorized")
    assert one.outcome == "processed"
    items = bitmaps.state(sample).in_order()
    assert items[9]["category_id"] == 9 and items[10]["category_id"] is None
    assert items[10]["origin"]["label"] == "boat"


def test_a_sample_is_named_by_its_uuid_too(bitmaps: Gallery) -> None:
    sample = bitmaps.hang("a")
    [one] = bitmaps.take(bitmaps.item(str(sample)))
    assert (one.outcome, one.sample) == ("processed", sample)


# --- from other hosts ----------------------------------------------------------------------------------------------


def test_a_mask_of_another_host_is_kept_here_and_its_address_without_what_opens_it(bitmaps: Gallery) -> None:
    sample = bitmaps.hang("a")
    asked: list[str] = []

    def fetch(url: str, where: str) -> bytes:
        asked.append(url)
        return png_of(panoptic())

    url = "https://masks.test/a.png?X-Amz-Signature=secret"
    [one] = bitmaps.take(bitmaps.item("a") | {"mask_url": url}, fetch=fetch)
    assert (one.outcome, asked) == ("processed", [url])
    head: Any = next(event.fact for event in store.read_stream(bitmaps.id, bitmaps.state(sample).stream))
    assert head.source["mask_url"] == "https://masks.test/a.png" and "secret" not in json.dumps(head.plain())
    kept = Asset.objects.filter(sha256=head.source["sha256"])
    assert head.source["file"] in set(map(assets.url_of, kept))
    assert assets.read_bytes(head.source["file"], "x") == png_of(panoptic())


# --- who may, and when ---------------------------------------------------------------------------------------------


def test_who_may_not_label_may_not_import(bitmaps: Gallery, person: Callable[..., Any]) -> None:
    bitmaps.hang("a")
    Dataset.objects.filter(id=bitmaps.id).update(public=True)
    try:
        with pytest.raises(NotPermitted):
            bitmaps.take(bitmaps.item("a"), by=person("eve"))
    finally:
        Dataset.objects.filter(id=bitmaps.id).update(public=False)


def test_no_masks_into_documents_or_label_sets_that_are_not_there(bitmaps: Gallery, person, dataset, sample, intent):
    with pytest.raises(NotFound):
        bitmaps.take(label_set="nowhere")
    with pytest.raises(InvalidValue):
        bitmaps.take(*[{}] * 101)
    clouds = Gallery("pointcloud-cuboid", person("ana"), dataset, sample, intent)
    with pytest.raises(Refused):
        clouds.take()


def test_a_retry_gets_the_first_answer(bitmaps: Gallery) -> None:
    bitmaps.hang("a")
    item = bitmaps.item("a", panoptic(2))
    named = bitmaps.intent(bitmaps.ana, command=uuid.uuid4(), request_hash=b"x" * 32)
    first, head = bitmaps.take(item, intent=named), store.head(bitmaps.id)
    assert bitmaps.take(item, intent=named) == first and store.head(bitmaps.id) == head


def test_the_new_labels_status_is_the_one_that_is_asked_for(bitmaps: Gallery) -> None:
    one, two = bitmaps.hang("a"), bitmaps.hang("b")
    bitmaps.take(bitmaps.item("a"))
    bitmaps.take(bitmaps.item("b"), status="LABELED")
    assert (bitmaps.state(one).status, bitmaps.state(two).status) == ("PRELABELED", "LABELED")


# --- at the command line -------------------------------------------------------------------------------------------


def test_the_command_reads_a_file_and_the_masks_beside_it(bitmaps: Gallery, tmp_path: Any) -> None:
    one, _ = bitmaps.hang("a"), bitmaps.hang("b")
    (tmp_path / "mask.png").write_bytes(png_of(panoptic()))
    rows: list[JSON] = [
        {"reference_id": name, "mask_url": "mask.png", "annotations": SEGMENTS} for name in ("a", "b", "nowhere")
    ]
    (tmp_path / "masks.json").write_text("\n".join(map(json.dumps, rows)))
    name = f"ana/{Dataset.objects.get(id=bitmaps.id).name}"
    out = StringIO()
    with pytest.raises(CommandError, match="1 masks were not imported"):
        call_command("import_masks", name, str(tmp_path / "masks.json"), "--by", "ana", stdout=out)
    assert "2 processed, 0 ignored, 1 failed" in out.getvalue()
    assert np.array_equal(bitmaps.ids(one), panoptic().astype(np.int64) + 1)
    (tmp_path / "masks.json").write_text(json.dumps(rows[:2]))
    out = StringIO()
    call_command("import_masks", name, str(tmp_path / "masks.json"), "--by", "ana", stdout=out)
    assert "0 processed, 2 ignored, 0 failed" in out.getvalue()
    for wrong in (("ana/nowhere", "--by", "ana"), (name, "--by", "nobody")):
        with pytest.raises(CommandError):
            call_command("import_masks", wrong[0], str(tmp_path / "masks.json"), *wrong[1:])
    with pytest.raises(CommandError):
        call_command("import_masks", name, str(tmp_path / "none.json"), "--by", "ana")


def test_the_fixture_is_the_pages_example() -> None:
    assert set(np.unique(panoptic())) == set(range(11)) and eleven.NAMES[3:5] == ("wall", "fence")
    assert set(np.unique(consolidated(panoptic(), INSTANCE))) == {0, 6, 7, 8, 9, 10}
    assert set(np.unique(consolidated(panoptic(), SEMANTIC))) == set(range(9))
