"""Values of the wrong kind, field by field: each is refused by the name of its field, and the log stays as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from segments import SegmentsClient

from tests.e2e.conftest import MakeSample
from tests.e2e.documents import bbox, label_attributes, vector_label
from tests.e2e.hostile import LABEL, MARK, Bench, refused
from tests.e2e.wire import Wire

# --- a label document ----------------------------------------------------------------------------------------------

NOT_AN_INTEGER = ("zebra7391", 1.5, True, None, [], {}, [1])
NOT_A_LIST = ("zebra7391", 5, 0.5, True, {}, None)
NOT_AN_OBJECT = ("zebra7391", 5, 0.5, True, [])
NOT_POINTS = (
    "zebra7391",
    5,
    None,
    {},
    [5, 6],
    ["zebra7391", "zebra7391"],
    [[1.0, "zebra7391"], [2.0, 2.0]],
    [[1.0, None], [2.0, 2.0]],
    [[True, False], [2.0, 2.0]],
    [[1.0], [2.0, 2.0]],
    [[1.0, 2.0, 3.0], [2.0, 2.0, 3.0]],
    [{"x": 1.0, "y": 2.0}, {"x": 1.0, "y": 2.0}],
    [[[1.0, 2.0]], [[2.0, 2.0]]],
)


def without(document: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in document.items() if k != key}


def label_faults() -> Iterator[tuple[str, dict[str, Any]]]:
    """The field that a refusal must name, and the body of a label with the fault in it."""
    for bad in ("zebra7391", 5, True, [], [LABEL], 0.5):
        yield "attributes", {"attributes": bad}
    for bad in NOT_A_LIST:
        yield "attributes.annotations", {"attributes": {"annotations": bad}}
    yield "attributes.annotations", {"attributes": {}}
    for bad in ("zebra7391", 5, None, [], True):
        yield "attributes.annotations[1]", {"attributes": {"annotations": [bbox(1), bad]}}
    for key, values in (("id", NOT_AN_INTEGER), ("category_id", NOT_AN_INTEGER), ("points", NOT_POINTS)):
        place = f"attributes.annotations[0].{key}"
        yield place, {"attributes": vector_label(without(bbox(1), key))}
        for bad in values:
            yield place, {"attributes": vector_label(bbox(1) | {key: bad})}
    for bad in ("zebra7391", "BBOX", "cuboid", "", 5, None, [], {}):
        yield "attributes.annotations[0].type", {"attributes": vector_label(bbox(1) | {"type": bad})}
    yield "attributes.annotations[0].type", {"attributes": vector_label(without(bbox(1), "type"))}
    for bad in NOT_AN_OBJECT:
        yield "attributes.annotations[0].attributes", {"attributes": vector_label(bbox(1, attributes=bad))}
        yield "attributes.image_attributes", {"attributes": vector_label(image_attributes=bad)}
    for points in ([], [[1.0, 2.0]], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]):
        yield "attributes.annotations[0].points", {"attributes": vector_label(bbox(1) | {"points": points})}
    yield "attributes.annotations[1].id", {"attributes": vector_label(bbox(1), bbox(1))}
    for bad in ("zebra7391", "labeled", "", 5, True, [], {}, ["LABELED"]):
        yield "label_status", {"attributes": LABEL, "label_status": bad}
    for bad in ("zebra7391", "0.5", True, [], {}, [0.5]):
        yield "score", {"attributes": LABEL, "score": bad}


FAULTS = list(label_faults())


@pytest.mark.parametrize("target", ["put label", "patch label"])
@pytest.mark.parametrize(("field", "body"), FAULTS, ids=[f"{f}-{n}" for n, (f, _) in enumerate(FAULTS)])
def test_a_wrong_type_in_a_label_is_refused_by_the_name_of_its_field(
    bench: Bench, target: str, field: str, body: dict[str, Any]
) -> None:
    refused(bench.send(target, json.dumps(body).encode()), field, 400)


BITMAP_FAULTS = [
    ("segmentation_bitmap", "zebra7391"),
    ("segmentation_bitmap", 5),
    ("segmentation_bitmap", ["zebra7391"]),
    ("segmentation_bitmap.url", {"url": 5}),
    ("segmentation_bitmap.url", {"url": ["zebra7391"]}),
    ("segmentation_bitmap.url", {"url": {"zebra7391": 1}}),
]


@pytest.mark.parametrize(("field", "bad"), BITMAP_FAULTS)
def test_a_wrong_type_in_a_bitmap_label_is_refused_by_the_name_of_its_field(
    make_sample: MakeSample, admin_wire: Wire, field: str, bad: Any
) -> None:
    sample = make_sample("segmentation-bitmap")
    head = admin_wire.head(sample.dataset.full_name)
    body = {"attributes": {"annotations": [{"id": 1, "category_id": 1}], "segmentation_bitmap": bad}}
    answer = admin_wire.send("PUT", f"/labels/{sample.uuid}/ground-truth/", body)
    refused(answer, f"attributes.{field}", 400)
    assert admin_wire.head(sample.dataset.full_name) == head


@pytest.mark.parametrize(
    ("task_type", "container"),
    [
        ("image-vector-sequence", "frames"),
        ("image-segmentation-sequence", "frames"),
        ("pointcloud-cuboid", "annotations"),
        ("pointcloud-cuboid-sequence", "frames"),
        ("pointcloud-segmentation", "annotations"),
        ("pointcloud-vector-sequence", "frames"),
        ("multisensor-sequence", "sensors"),
    ],
)
def test_a_label_that_the_sdk_could_not_read_again_is_refused(
    make_sample: MakeSample, admin_wire: Wire, task_type: str, container: str
) -> None:
    sample = make_sample(task_type)
    path = f"/labels/{sample.uuid}/ground-truth/"
    head = admin_wire.head(sample.dataset.full_name)
    good = label_attributes(task_type)
    for bad in (MARK, 5, None, {}, [MARK], [None], [[]]):
        refused(admin_wire.send("PUT", path, {"attributes": good | {container: bad}}), container, 400)
    refused(admin_wire.send("PUT", path, {"attributes": without(good, container)}), container, 400)
    assert admin_wire.head(sample.dataset.full_name) == head


# --- other resources -----------------------------------------------------------------------------------------------

DATASET_FAULTS: dict[str, tuple[Any, ...]] = {
    "description": (5, [], {}, True),
    "category": (MARK, 5, []),
    "public": (MARK, 1, "true"),
    "archived": (MARK, 0),
    "readme": (5, [], {}),
    "metadata": (MARK, 5, []),
    "task_attributes": (MARK, 5, []),
    "labeling_inactivity_timeout_seconds": (MARK, True, -1, 2**70, [], 1.5),
    "enable_ratings": (MARK, 1, "no", []),
    "enable_interpolation": (MARK, 0),
    "region_of_interest": (MARK, 5, []),
}
DATASET_CASES = [(field, bad) for field, values in DATASET_FAULTS.items() for bad in values]
SAMPLE_FAULTS: dict[str, tuple[Any, ...]] = {
    "name": ("", 5, None, [], {}, f"{MARK}/../x\0", MARK * 200),
    "attributes": (MARK, 5, [], True, {"image": MARK}, {"image": {"url": 5}}, {"frames": []}),
    "metadata": (MARK, 5, [], True, {"timestamp": 2**63}, {"time": 2**53}, {"timestamp": {"$int": "1"}}),
    "priority": (MARK, True, [], {}, "1"),
    "readme": (5, [], {}),
    "assigned_labeler": (5, [], {}, MARK, ""),
    "assigned_reviewer": (5, [], {}, MARK),
}
SAMPLE_CASES = [(field, bad) for field, values in SAMPLE_FAULTS.items() for bad in values]


@pytest.mark.parametrize(("field", "bad"), DATASET_CASES, ids=repr)
@pytest.mark.parametrize("target", ["add dataset", "update dataset"])
def test_a_wrong_type_in_a_dataset_is_refused_by_the_name_of_its_field(
    bench: Bench, target: str, field: str, bad: Any
) -> None:
    body = bench.targets[target].good | {field: bad}
    refused(bench.send(target, json.dumps(body).encode()), field, 400)


@pytest.mark.parametrize(("field", "bad"), SAMPLE_CASES, ids=repr)
@pytest.mark.parametrize("target", ["add sample", "update sample", "bulk"])
def test_a_wrong_type_in_a_sample_is_refused_by_the_name_of_its_field(
    bench: Bench, target: str, field: str, bad: Any
) -> None:
    if target == "bulk":
        body = [bench.targets["add sample"].good, bench.targets["add sample"].good | {"name": "o.png", field: bad}]
        answer = bench.wire.send("POST", f"/datasets/{bench.dataset}/samples_bulk/", body)
    else:
        answer = bench.send(target, json.dumps(bench.targets[target].good | {field: bad}).encode())
    refused(answer, field, 400)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a/b",
        "..",
        ".",
        "a\0b",
        "a\nb",
        "x" * 300,
        None,
        5,
        [],
        {"a": 1},
        "?",
        "a#b",
        "a%2Fb",
        "\u202ereversed",
    ],
)
@pytest.mark.parametrize("target", ["add dataset", "add label set", "add release"])
def test_a_name_that_could_not_stand_in_a_path_is_refused(bench: Bench, target: str, name: Any) -> None:
    refused(bench.send(target, json.dumps(bench.targets[target].good | {"name": name}).encode()), "name", 400)


@pytest.mark.parametrize("target", ["add dataset", "add label set", "add release", "add sample"])
def test_a_required_field_that_is_missing_is_named(bench: Bench, target: str) -> None:
    refused(bench.send(target, b'{"zebra7391": 1}'), "name", 400)


@pytest.mark.parametrize("field", sorted(DATASET_FAULTS.keys() - {"task_attributes"}))  # which null takes away
def test_null_in_a_field_of_a_dataset_is_refused_or_changes_nothing(
    bench: Bench, admin: SegmentsClient, field: str
) -> None:
    before = admin.get_dataset(bench.dataset).model_dump()
    answer = bench.send("update dataset", json.dumps({field: None}).encode())
    assert answer.status_code == 200 or refused(answer, field, 400)
    assert admin.get_dataset(bench.dataset).model_dump() == before


@pytest.mark.parametrize("field", ["metadata", "priority", "readme", "attributes"])
def test_null_in_a_field_of_a_sample_is_refused_or_leaves_a_sample_that_can_be_read(
    make_sample: MakeSample, admin: SegmentsClient, admin_wire: Wire, field: str
) -> None:
    sample = make_sample()
    answer = admin_wire.send("PATCH", f"/samples/{sample.uuid}/", {field: None})
    assert answer.status_code == 200 or refused(answer, field, 400)
    assert admin.get_sample(sample.uuid).name == sample.name
