"""Labels with a bitmap: what a save stores of it, and how two people's painting is merged."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pytest

from labeling import events as e
from labeling.commands import assets
from labeling.errors import Conflict, InvalidValue, StaleBitmap
from labeling.geometry import bitmaps
from labeling.log import store
from labeling.models import Asset, DatasetAsset
from tests.support.editing import part

JSON = dict[str, Any]
FOREIGN = {"url": "https://example.org/mask.png"}


def document(bitmap: JSON | None, *numbers: int) -> JSON:
    found: JSON = {"annotations": [{"id": number, "category_id": 1} for number in numbers]}
    return found if bitmap is None else found | {"segmentation_bitmap": bitmap}


def patch(base: str | None, *parts: JSON) -> JSON:
    return {"op": "patch_bitmap", "base_hash": base, "set": list(parts)}


# --- saves ---------------------------------------------------------------------------------------------------------


def test_the_first_upload_pins_the_bitmap(easel):
    bitmap = easel.bitmap("110", "220")
    easel.save(document(bitmap, 1, 2))
    assert easel.names() == ["LabelImported"]
    mask = easel.state.mask
    assert mask == bitmap | {"hash": mask["hash"], "width": 3, "height": 2}
    assert DatasetAsset.objects.filter(dataset_id=easel.dataset).count() == 1
    assert easel.document["segmentation_bitmap"] == bitmap | {"hash": mask["hash"], "size_wh": [3, 2]}


def test_a_save_is_stored_as_the_objects_and_boxes_that_changed(easel):
    easel.save(document(easel.bitmap("110", "220"), 1, 2))
    base = easel.state.mask["hash"]
    bitmap = easel.bitmap("113", "222")
    easel.save(document(bitmap, 1, 2, 3))
    patched, added = easel.facts(1)
    assert patched == e.BitmapPatched(
        base_hash=base,
        mask=easel.state.mask,
        changed=[{"id": 2, "box_xyxy": [2, 1, 3, 2]}, {"id": 3, "box_xyxy": [2, 0, 3, 1]}],
    )
    assert isinstance(added, e.AnnotationAdded) and added.geometry == {"type": "mask"}
    assert (easel.state.mask["url"], easel.pixels()) == (bitmap["url"], ["113", "222"])


@pytest.mark.parametrize("again", ["the same", "other file, same pixels", "absent", "null"])
def test_a_bitmap_that_is_the_same_appends_nothing(easel, again):
    rows = ("110", "220")
    first = easel.bitmap(*rows)
    easel.save(document(first, 1, 2))
    sent = {"the same": first, "absent": None, "null": {}}.get(again) or easel.bitmap(*rows)
    if again == "null":
        easel.save(document(None, 1, 2) | {"segmentation_bitmap": None})
    else:
        easel.save(document(None if again == "absent" else sent, 1, 2))
    assert easel.version == 1 and easel.state.mask["url"] == first["url"]


def test_a_bitmap_of_another_size_replaces_all(easel):
    easel.save(document(easel.bitmap("11"), 1))
    easel.save(document(easel.bitmap("1", "1"), 1))
    (fact,) = easel.facts(1)
    assert fact.changed == [{"id": 1, "box_xyxy": [0, 0, 1, 2]}]


def test_an_empty_url_takes_the_bitmap_away_and_tells_of_whom(easel):
    easel.save(document(easel.bitmap("120"), 1, 2))
    base = easel.state.mask["hash"]
    easel.save(document({"url": None}, 1, 2))
    (fact,) = easel.facts(1)
    assert fact == e.BitmapPatched(
        base_hash=base,
        mask={"url": None},
        changed=[{"id": 1, "box_xyxy": [0, 0, 1, 1]}, {"id": 2, "box_xyxy": [1, 0, 2, 1]}],
    )
    easel.save(document({"url": None}, 1, 2))
    assert easel.version == 2
    easel.edit(patch(None, part(1, "x..")))
    assert easel.pixels() == ["100"]


def test_a_bitmap_of_another_host_is_kept_as_it_was_sent(easel):
    easel.save(document(FOREIGN, 1))
    assert easel.state.mask == FOREIGN
    easel.save(document(FOREIGN, 1))
    assert easel.version == 1
    easel.save(document({"url": "https://example.org/other.png"}, 1))
    (fact,) = easel.facts(1)
    assert (fact.base_hash, fact.changed) == (None, [])
    easel.save(document(easel.bitmap("1"), 1))
    assert easel.facts(2)[0].changed == [{"id": 1, "box_xyxy": [0, 0, 1, 1]}]


@pytest.mark.parametrize("kind", ["unknown", "planned", "not a picture", "of 16 bits", "strange"])
def test_a_file_that_is_no_bitmap_is_refused(easel, kind):
    easel.save(document(None, 1))
    data = {"not a picture": b"<html>", "of 16 bits": b"\x89PNG\r\n\x1a\n" + b"\0" * 40}.get(kind, b"")
    if kind == "unknown":
        url = f"/media/{'t' * 32}/m.png"
    elif kind == "strange":
        url = "/media/../etc/passwd"
    elif kind == "planned":
        url = assets.url_of(assets.plan_asset(owner=easel.ana.id, filename="m.png"))
    else:
        kept = assets.keep_bytes(data, owner=easel.ana.id, filename="m.png", content_type="image/png")
        url = assets.url_of(kept)
    for send in (
        lambda: easel.save(document({"url": url}, 1)),
        lambda: easel.save(document({"url": url}, 1), version=1),
    ):
        with pytest.raises(InvalidValue) as caught:
            send()
        assert caught.value.field == "attributes.segmentation_bitmap.url"
    assert easel.version == 1


def test_the_file_of_a_bitmap_is_known_by_its_pixels(easel):
    assert easel.edit({"op": "add"}, patch(None, part(1, "x."))).state.mask["width"] == 2
    before = Asset.objects.count()
    easel.edit(patch(easel.state.mask["hash"], part(0, "xx")))
    easel.edit(patch(easel.state.mask["hash"], part(1, "x.")))
    assert Asset.objects.count() == before + 1, "the pixels of the first patch are a file already"


# --- two people ----------------------------------------------------------------------------------------------------


def test_different_objects_painted_by_two_people_are_merged(easel):
    easel.save(document(easel.bitmap("1100", "2200"), 1, 2))
    easel.save(document(easel.bitmap("1110", "2200"), 1, 2))
    saved = easel.save(document(easel.bitmap("1100", "2222"), 1, 2), by=easel.ben, version=1)
    assert easel.pixels() == ["1110", "2222"] and saved.rebased
    (fact,) = easel.facts(2)
    assert fact.changed == [{"id": 2, "box_xyxy": [2, 1, 4, 2]}]
    assert fact.base_hash == easel.facts(1)[0].mask["hash"]
    assert fact.mask["hash"] == bitmaps.mask_hash(np.array([[1, 1, 1, 0], [2, 2, 2, 2]], np.uint32))


def test_the_same_object_painted_in_two_places_is_merged(easel):
    easel.save(document(easel.bitmap("0100"), 1))
    easel.save(document(easel.bitmap("1100"), 1))
    easel.save(document(easel.bitmap("0111"), 1), by=easel.ben, version=1)
    assert easel.pixels() == ["1111"]


def test_the_same_pixels_painted_alike_are_no_conflict(easel):
    easel.save(document(easel.bitmap("000"), 1))
    easel.save(document(easel.bitmap("110"), 1))
    easel.save(document(easel.bitmap("110"), 1), by=easel.ben, version=1)
    assert (easel.pixels(), easel.version) == (["110"], 2)


def refused(easel: Any, bitmap: JSON | None, *numbers: int, **rest: Any) -> list[str]:
    head, pixels = easel.head, easel.state.mask
    with pytest.raises(Conflict) as caught:
        easel.save(document(bitmap, *numbers), by=easel.ben, version=1, **rest)
    assert (easel.head, easel.state.mask) == (head, pixels)
    return caught.value.touched


def test_the_same_pixels_painted_differently_are_a_conflict(easel):
    easel.save(document(easel.bitmap("1100", "2200"), 1, 2))
    easel.save(document(easel.bitmap("1110", "2200"), 1, 2))
    assert refused(easel, easel.bitmap("1120", "2200"), 1, 2) == ["pixels"]


def test_painting_an_object_that_was_removed_is_a_conflict(easel):
    easel.save(document(easel.bitmap("1100", "2200"), 1, 2))
    easel.edit({"op": "remove", "annotation": 1})
    assert easel.pixels() == ["0000", "2200"]
    assert [name for name in refused(easel, easel.bitmap("1111", "2200"), 1, 2) if name.startswith("annotation:")]


def test_removing_an_object_that_was_painted_is_a_conflict(easel):
    easel.save(document(easel.bitmap("1100", "2200"), 1, 2))
    easel.save(document(easel.bitmap("1110", "2200"), 1, 2))
    assert [name for name in refused(easel, easel.bitmap("0000", "2200"), 2) if name.startswith("annotation:")]


def test_a_bitmap_that_both_made_first_is_merged_or_refused(easel):
    easel.save(document(None, 1, 2))
    easel.save(document(easel.bitmap("110"), 1, 2))
    assert refused(easel, easel.bitmap("220"), 1, 2) == ["pixels"]
    easel.save(document(easel.bitmap("002"), 1, 2), by=easel.ben, version=1)
    assert easel.pixels() == ["112"]


@pytest.mark.parametrize("hers", [("1", "1"), None, "foreign"])
@pytest.mark.parametrize("his", [("00",), None, "foreign"])
def test_what_cannot_be_merged_pixel_by_pixel_is_a_conflict(easel, hers, his):
    def bitmap(rows: Any, url: str) -> JSON:
        return {"url": None} if rows is None else {"url": url} if rows == "foreign" else easel.bitmap(*rows)

    easel.save(document(easel.bitmap("11"), 1))
    easel.save(document(bitmap(hers, "https://example.org/a.png"), 1))
    if hers is None and his is None:
        easel.save(document({"url": None}, 1), by=easel.ben, version=1)
        assert easel.version == 2, "both took it away"
        return
    assert refused(easel, bitmap(his, "https://example.org/b.png"), 1) == ["pixels"]


def test_a_bitmap_that_he_did_not_touch_is_hers(easel):
    first = easel.bitmap("11")
    easel.save(document(first, 1, 2))
    easel.save(document(easel.bitmap("12"), 1, 2))
    easel.save(document(first, 1, 2, 3), by=easel.ben, version=1)
    assert (easel.pixels(), easel.names(2)) == (["12"], ["AnnotationAdded"])


# --- patches -------------------------------------------------------------------------------------------------------


def test_a_patch_against_the_bitmap_of_now_is_stored(easel):
    easel.save(document(easel.bitmap("110", "220"), 1, 2))
    base = easel.state.mask["hash"]
    saved = easel.edit(patch(base, part(2, "..x", "..x")), by=easel.ben, version=1)
    assert easel.pixels() == ["112", "222"]
    assert saved.state.mask["hash"] == easel.state.mask["hash"] != base
    assert easel.facts(1)[0].changed == [{"id": 2, "box_xyxy": [2, 0, 3, 2]}]


def test_a_patch_against_another_bitmap_is_stale_and_stores_nothing(easel):
    easel.save(document(easel.bitmap("110"), 1))
    base = easel.state.mask["hash"]
    easel.edit(patch(base, part(1, "..x")))
    head = easel.head
    for bad in (base, None, "", "0" * 64):
        with pytest.raises(StaleBitmap) as caught:
            easel.edit({"op": "set_score", "score": 1}, patch(bad, part(1, "xxx")), by=easel.ben)
        assert caught.value.field == "edits[1].base_hash"
    assert easel.head == head


def test_removing_an_object_clears_its_pixels_and_pins_the_new_file(easel):
    easel.save(document(easel.bitmap("110", "220"), 1, 2))
    easel.edit({"op": "remove", "annotation": 2})
    assert easel.names(1) == ["BitmapPatched", "AnnotationRemoved"]
    assert easel.pixels() == ["110", "000"]
    token = easel.state.mask["url"].split("/")[2]
    assert DatasetAsset.objects.filter(dataset_id=easel.dataset, token=token).exists()


def test_every_bitmap_of_the_past_can_be_read(easel):
    seen = []
    for row in ("100", "110", "111", "000"):
        easel.save(document(easel.bitmap(row), 1))
        seen.append((easel.version, row))
    for event, (_, row) in zip(easel.events(), seen, strict=True):
        url = event.fact.mask["url"]
        assert assets.read_mask(url, "x").tolist() == [[int(pixel) for pixel in row]]
        assert DatasetAsset.objects.filter(dataset_id=easel.dataset, token=url.split("/")[2]).exists()


def test_a_shape_beside_the_bitmap_stays_when_the_document_is_saved_again(easel):
    box = {"type": "bbox", "points": [[0, 0], [1, 1]]}
    easel.edit({"op": "add", "category_id": 1}, {"op": "add", "category_id": 1, "geometry": box})
    version = easel.version
    assert easel.save(easel.document).state.version == version
    assert easel.save(document(None, 1, 2)).state.version == version


def test_two_patches_at_once_are_one_and_a_stale_one(easel, monkeypatch):
    easel.save(document(easel.bitmap("110"), 1))
    base, append, late = easel.state.mask["hash"], store.append, [True]

    def slow(log: uuid.UUID, **keywords: Any) -> Any:
        if late:
            late.clear()
            easel.edit(patch(base, part(1, "..x")), by=easel.ben)
        return append(log, **keywords)

    monkeypatch.setattr(store, "append", slow)
    with pytest.raises(StaleBitmap):
        easel.edit(patch(base, part(0, "x..")))
    assert easel.pixels() == ["111"]
