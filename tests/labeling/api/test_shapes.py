"""POST /datasets/{owner}/{name}/shapes/: what would change, what did, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labeling.commands import assets
from labeling.log import store
from tests.support.eleven import png_of

JSON = dict[str, Any]


@pytest.fixture
def wall(make_street: Any, sample: Any) -> Any:
    """Three labels of pictures of 40 x 30 pixels: one reaches out of it, one does not, and one picture is elsewhere."""
    street = make_street()
    owner = street.ana.person
    file = assets.keep_bytes(png_of(np.zeros((30, 40), np.uint8)), owner=owner.id, filename="a", content_type="")
    here = {"image": {"url": assets.url_of(file)}}
    street.samples = [
        sample(street.id, owner, attributes=here),
        sample(street.id, owner, attributes=here),
        street.sample,
    ]
    for each, x in zip(street.samples, (-5, 5, -5), strict=True):
        box = {"id": 1, "category_id": 1, "type": "bbox", "points": [[x, 0], [x + 10, 10]]}
        dot = {"id": 2, "category_id": 1, "type": "point", "points": [[3, 3]]}
        assert (
            street.ana.put(f"/labels/{each}/ground-truth/", {"attributes": {"annotations": [box, dot]}}).status == 201
        )
    street.shapes = f"{street.path}/shapes/"
    return street


def by_sample(wall: Any, body: JSON) -> list[JSON]:
    """The results, in the order of the fixture's samples."""
    found = {one["sample"]: one for one in body["results"]}
    return [found[str(sample)] for sample in wall.samples if str(sample) in found]


def test_a_dry_run_says_what_would_change_and_then_it_does(wall: Any) -> None:
    head = wall.head
    dry = wall.ben.post(wall.shapes, {"what": "fit", "dry_run": True}).json
    assert wall.head == head
    assert (dry["dry_run"], dry["labels_changed"], dry["objects_changed"]) == (True, 1, 1)
    one, two, three = by_sample(wall, dry)
    assert (one["objects_changed"], two["objects_changed"]) == (1, 0)
    assert three["error"]["code"] == "refused" and "size_wh" in three["error"]["detail"]
    done = wall.ben.post(wall.shapes, {"what": "fit"}).json
    assert done["results"][0].keys() == dry["results"][0].keys() and done["objects_changed"] == 1
    read = wall.ana.get(f"/labels/{wall.samples[0]}/ground-truth/").json
    assert read["attributes"]["annotations"][0]["points"] == [[0, 0], [10, 10]]
    assert wall.ben.post(wall.shapes, {"what": "fit"}).json["objects_changed"] == 0


def test_rasterizing_some_leaves_the_others_and_is_one_bulk_in_the_log(wall: Any) -> None:
    body = {"what": "rasterize", "samples": [str(wall.samples[0]), str(wall.samples[1])]}
    first = wall.ana.post(wall.shapes, body, Idempotency_Key="k").json
    assert [(one["objects_changed"], one["objects_skipped"]) for one in by_sample(wall, first)] == [(1, 1), (1, 1)]
    events = [event for event in store.read(wall.id) if event.type == "AnnotationRasterized"]
    assert len(events) == 2 and len({event.intent.correlation for event in events}) == 1
    head = wall.head
    assert wall.ana.post(wall.shapes, body, Idempotency_Key="k").json == first and wall.head == head


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "what"),
        ({"what": "burn"}, "what"),
        ({"what": ["fit"]}, "what"),
        ({"what": "fit", "samples": "all"}, "samples"),
        ({"what": "fit", "samples": ["x"]}, "samples[0]"),
        ({"what": "fit", "samples": [5]}, "samples[0]"),
        ({"what": "fit", "labelset": 1}, "labelset"),
        ({"what": "fit", "dry_run": "no"}, "dry_run"),
        ({"what": "fit", "more": 1}, "body"),
    ],
)
def test_what_is_wrong_is_refused_by_its_field(wall: Any, body: JSON, field: str) -> None:
    answer = wall.ana.post(wall.shapes, body)
    assert (answer.status, answer.json["field"]) == (400, field)


def test_no_such_label_set_and_labels_without_shapes(wall: Any, make_street: Any) -> None:
    assert wall.ana.post(wall.shapes, {"what": "fit", "labelset": "nowhere"}).status == 404
    clouds = make_street("pointcloud-cuboid")
    assert clouds.ana.post(f"{clouds.path}/shapes/", {"what": "fit"}).status == 409
