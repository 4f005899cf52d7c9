"""POST /datasets/{owner}/{name}/masks/: what is answered for each mask, and what is refused for all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labeling.commands import assets
from tests.support.eleven import CATEGORIES, SEGMENTS, panoptic, png_of

JSON = dict[str, Any]


@pytest.fixture
def hall(make_street: Any, sample: Any) -> Any:
    """A dataset for bitmaps with the categories of the seed's example, and a picture called image_2."""
    street = make_street("segmentation-bitmap", task_attributes=CATEGORIES)
    picture = keep(street, png_of(np.zeros((12, 16), np.uint8)))
    street.sample = sample(street.id, street.ana.person, name="image_2", attributes={"image": {"url": picture}})
    street.label = f"/labels/{street.sample}/ground-truth"
    return street


def keep(street: Any, data: bytes) -> str:
    owner = street.ana.person.id
    return assets.url_of(assets.keep_bytes(data, owner=owner, filename="a.png", content_type="image/png"))


def mask(street: Any, **fields: Any) -> JSON:
    """The page's example, as its SDK would send it."""
    return {
        "reference_id": "image_2",
        "mask_url": keep(street, png_of(panoptic())),
        "annotations": SEGMENTS,
        "annotation_id": "image_2_mask_1",
        "type": "mask",
    } | fields


def test_the_pages_example_is_imported_ignored_and_updated(hall: Any) -> None:
    path = f"{hall.path}/masks/"
    bad = mask(hall, reference_id="nowhere")
    first = hall.ben.post(path, {"masks": [mask(hall), bad]})
    assert first.status == 200
    assert {key: first.json[key] for key in first.json if key != "results"} == {
        "annotations_processed": 1, "annotations_ignored": 0, "annotations_failed": 1,
    }  # fmt: skip
    good, failed = first.json["results"]
    assert (good["reference_id"], good["outcome"], good["findings"]) == ("image_2", "processed", [])
    assert failed["error"]["field"] == "masks[1].reference_id" and failed["sample"] is None
    read = hall.ana.get(f"{hall.label}/").json
    assert len(read["attributes"]["annotations"]) == 11
    assert read["attributes"]["annotations"][6]["metadata"] == {"pose": "sitting"}
    assert read["attributes"]["segmentation_bitmap"]["size_wh"] == [16, 12]
    version = good["version"]
    assert hall.ana.get(f"{hall.label}/").headers["ETag"] == f'"{version}"'
    again = hall.ben.post(path, {"masks": [mask(hall)]}).json
    assert (again["annotations_ignored"], again["results"][0]["version"]) == (1, version)
    other = mask(hall, mask_url=keep(hall, png_of(np.flipud(panoptic()))))
    newer = hall.ben.post(path, {"masks": [other], "update": True, "strict": True}).json
    assert newer["annotations_processed"] == 1 and newer["results"][0]["version"] > version
    types = [event["type"] for event in hall.ana.get(f"{hall.label}/events/").json]
    assert types.count("MaskImported") == 2 and types.count("AnnotationAdded") == 11


def test_a_retry_with_the_same_key_gets_the_same_answer(hall: Any) -> None:
    body = {"masks": [mask(hall)]}
    answers = [hall.ana.post(f"{hall.path}/masks/", body, Idempotency_Key="k").json for _ in range(2)]
    assert answers[0] == answers[1] and answers[0]["annotations_processed"] == 1
    other = hall.ana.post(f"{hall.path}/masks/", {"masks": [mask(hall)], "update": True}, Idempotency_Key="k2")
    assert other.status == 200


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "masks"),
        ({"masks": {}}, "masks"),
        ({"masks": [], "update": "yes"}, "update"),
        ({"masks": [], "strict": 1}, "strict"),
        ({"masks": [], "unknown_labels": "create"}, "unknown_labels"),
        ({"masks": [], "unknown_labels": []}, "unknown_labels"),
        ({"masks": [], "label_status": "UNLABELED"}, "label_status"),
        ({"masks": [], "label_status": ["LABELED"]}, "label_status"),
        ({"masks": [], "labelset": 5}, "labelset"),
        ({"masks": [{}] * 101}, "masks"),
        ({"masks": [], "more": 1}, "body"),
    ],
)
def test_what_is_wrong_with_all_of_it_is_refused_by_its_field(hall: Any, body: JSON, field: str) -> None:
    answer = hall.ana.post(f"{hall.path}/masks/", body)
    assert (answer.status, answer.json["field"]) == (400, field)


def test_no_masks_is_nothing_and_a_label_set_that_is_not_there_is_not_found(hall: Any) -> None:
    assert hall.ana.post(f"{hall.path}/masks/", {"masks": []}).json["results"] == []
    assert hall.ana.post(f"{hall.path}/masks/", {"masks": [], "labelset": "nowhere"}).status == 404


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a.png", "http://[::1]/", "http://169.254.169.254/", "file:///etc/passwd", "x"]
)
def test_nothing_inside_is_fetched(hall: Any, url: str) -> None:
    answer = hall.ana.post(f"{hall.path}/masks/", {"masks": [mask(hall, mask_url=url)]})
    [one] = answer.json["results"]
    assert one["outcome"] == "failed" and one["error"]["field"] == "masks[0].mask_url"
    assert "127.0.0.1" not in answer.raw.decode() and "passwd" not in answer.raw.decode()


@pytest.mark.parametrize("task, words", [("image-vector-sequence", "have frames"), ("pointcloud-cuboid", "documents")])
def test_where_no_masks_go_the_reason_is_the_right_one(make_street: Any, task: str, words: str) -> None:
    street = make_street(task)
    answer = street.ben.post(f"{street.path}/masks/", {"masks": []})
    assert (answer.status, answer.json["code"]) == (409, "refused") and words in answer.detail
