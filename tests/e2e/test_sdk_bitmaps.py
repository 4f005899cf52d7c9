"""Segmentation bitmaps through the SDK: pixels in, pixels out, and what of them is stored."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from segments import SegmentsClient
from segments.typing import LabelStatus

from tests.e2e.conftest import MakeSample
from tests.e2e.pictures import blocks, mask_at, uploaded
from tests.e2e.wire import Wire, etag, label_path

TWO_BLOCKS = blocks(_1=(2, 3, 20, 30), _2=(30, 5, 60, 40), _300=(22, 0, 28, 10))


def bitmap_label(url: str, *ids: int) -> dict[str, Any]:
    """A label document with one car for each id."""
    return {"annotations": [{"id": n, "category_id": 1} for n in ids], "segmentation_bitmap": {"url": url}}


def test_a_bitmap_sent_again_under_another_url_appends_nothing(
    make_sample: MakeSample, admin: SegmentsClient, admin_wire: Wire
) -> None:
    sample = make_sample("segmentation-bitmap")
    sample.add_label("ground-truth", bitmap_label(uploaded(admin, TWO_BLOCKS), 1, 2, 300), LabelStatus.LABELED)
    before = admin_wire.get(label_path(sample.uuid))
    sample.add_label("ground-truth", bitmap_label(uploaded(admin, TWO_BLOCKS), 1, 2, 300), LabelStatus.LABELED)
    assert etag(admin_wire.get(label_path(sample.uuid))) == etag(before)


def test_a_changed_bitmap_is_stored_as_the_ids_and_boxes_that_changed(
    make_sample: MakeSample, admin: SegmentsClient, admin_wire: Wire
) -> None:
    sample = make_sample("segmentation-bitmap")
    sample.add_label("ground-truth", bitmap_label(uploaded(admin, TWO_BLOCKS), 1, 2, 300), LabelStatus.LABELED)
    grown = TWO_BLOCKS.copy()
    grown[35:40, 4:9] = 1
    sample.add_label("ground-truth", bitmap_label(uploaded(admin, grown), 1, 2, 300), LabelStatus.LABELED)
    [patch] = [e for e in admin_wire.label_events(sample.uuid) if e["type"] == "BitmapPatched"][-1:]
    assert [change["id"] for change in patch["data"]["changed"]] == [1]
    np.testing.assert_array_equal(mask_at(sample.get_label().attributes.segmentation_bitmap.url), grown)


def test_ids_beyond_sixteen_bits_survive_in_a_bitmap(make_sample: MakeSample, admin: SegmentsClient) -> None:
    sample = make_sample("segmentation-bitmap-highres")
    mask = blocks(_70000=(0, 0, 10, 10), _16777215=(20, 20, 40, 40))
    sample.add_label("ground-truth", bitmap_label(uploaded(admin, mask), 70000, 16777215))
    np.testing.assert_array_equal(mask_at(sample.get_label().attributes.segmentation_bitmap.url), mask)


@pytest.mark.parametrize("url", ["https://elsewhere.example/assets/label.png", "url", ""])
def test_a_bitmap_that_lies_elsewhere_is_referred_to_and_not_fetched(make_sample: MakeSample, url: str) -> None:
    sample = make_sample("segmentation-bitmap")
    sample.add_label("ground-truth", bitmap_label(url, 1, 2))
    assert (sample.get_label().attributes.segmentation_bitmap.url or "") == url


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\nno"])
def test_a_bitmap_that_is_no_png_is_refused(
    make_sample: MakeSample, admin: SegmentsClient, admin_wire: Wire, content: bytes
) -> None:
    sample = make_sample("segmentation-bitmap")
    head = admin_wire.head(sample.dataset.full_name)
    url = admin.upload_asset(BytesIO(content), "label.png").url
    answer = admin_wire.send("PUT", label_path(sample.uuid), {"attributes": bitmap_label(url, 1)})
    assert answer.status_code == 400
    assert "segmentation_bitmap" in answer.json()["field"]
    assert admin_wire.head(sample.dataset.full_name) == head


def test_the_masks_of_an_uploaded_bitmap_are_read_by_the_sdk_as_it_was_sent(
    make_sample: MakeSample, admin: SegmentsClient, admin_wire: Wire
) -> None:
    """The SDK's own reader takes our panoptic map, and the workers have drawn what the reader computed before."""
    sample = make_sample("segmentation-bitmap")
    sample.add_label("ground-truth", bitmap_label(uploaded(admin, TWO_BLOCKS), 1, 2, 300), LabelStatus.LABELED)
    path = f"{label_path(sample.uuid)}mask/"
    for kind in ("panoptic", "instance"):
        answer = admin_wire.get(path, kind=kind)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
        again = admin_wire.get(path, kind=kind)
        assert (again.content, again.headers["ETag"]) == (answer.content, answer.headers["ETag"])
    with Image.open(BytesIO(admin_wire.get(path, kind="instance").content)) as image:
        np.testing.assert_array_equal(np.asarray(image), TWO_BLOCKS)
    # the SDK's reader of bitmaps: 32 bits a pixel, alpha left out
    with Image.open(BytesIO(admin_wire.get(path, kind="panoptic").content)) as image:
        read = np.asarray(image).copy().view(np.uint32)[..., 0] & 0xFFFFFF
    np.testing.assert_array_equal(read, TWO_BLOCKS)
