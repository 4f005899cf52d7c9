"""The release file as bytes: canonical, the same everywhere, and what readers of releases count on."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

import pytest

from labeling.log import values
from labeling.rules.dataset_state import DatasetState, LabelSetState
from labeling.rules.label_ids import label_stream
from labeling.rules.label_state import LabelState
from labeling.rules.sample_state import SampleState
from labeling.rules.task_types import task_type
from releases.formats import segments
from releases.rules import ReleaseState

LOG, RELEASE, SAMPLE, SET = (uuid.UUID(int=number) for number in range(1, 5))
ANA, BEN = uuid.UUID(int=10), uuid.UUID(int=11)
NOON = dt.datetime(2026, 1, 2, 12, 0, 0, 250_000, tzinfo=dt.UTC)


def a_dataset(**fields: Any) -> DatasetState:
    label_set = LabelSetState(str(SET), "ground-truth", "", "ground-truth", None, False, ANA, NOON, 1)
    settings: dict[str, Any] = {
        "id": LOG,
        "owner": str(ANA),
        "name": "streets",
        "task_type": "vector",
        "label_sets": {str(SET): label_set},
    }
    return DatasetState(**settings | fields)


def a_release() -> ReleaseState:
    return ReleaseState(
        LOG, f"release/{RELEASE}", exists=True, name="v1", description="one", cut_offset=9, at_offset=8, created_at=NOON
    )


def a_label(**fields: Any) -> LabelState:
    known: dict[str, Any] = {"exists": True, "status": "LABELED", "version": 3, "created_by": ANA, "created_at": NOON}
    return LabelState(LOG, label_stream(SAMPLE, SET), **known | {"updated_by": BEN, "updated_at": NOON} | fields)


def a_sample(**fields: Any) -> SampleState:
    return SampleState(LOG, f"sample/{SAMPLE}", exists=True, name="a.png", **fields)


def whole(dataset: DatasetState, *lines: bytes) -> dict[str, Any]:
    """The file around some samples, read back."""
    opened, closed = segments.opening(a_release(), dataset), segments.closing(a_release(), dataset, bytes(32))
    read: dict[str, Any] = json.loads(opened + b"\n" + b",\n".join(lines) + closed)
    return read


def test_a_release_without_samples_is_whole() -> None:
    assert whole(a_dataset()) == {
        "created_at": "2026-01-02T12:00:00.250000+00:00",
        "dataset": {
            "labelsets": [{"name": "ground-truth", "description": ""}],
            "name": "streets",
            "owner": str(ANA),
            "samples": [],
            "task_attributes": {"categories": []},
            "task_type": "vector",
        },
        "description": "one",
        "log": {"chain": "00" * 32, "dataset": str(LOG), "offset": 8, "release": str(RELEASE)},
        "name": "v1",
    }


def test_the_file_is_canonical_but_for_line_ends_and_the_mark_of_people() -> None:
    dataset = a_dataset(name='a":{', task_attributes={"z": 1.0, "categories": [{"name": "é\n", "id": 1}]})
    label = segments.label(a_label(), task_type("vector"))
    assert label is not None
    line = segments.sample_line(a_sample(metadata={"b": 1, "a": 0.1}), {"z": b"null", "ground-truth": label})
    raw = segments.opening(a_release(), dataset) + b"\n" + line + segments.closing(a_release(), dataset, bytes(32))
    plain = segments.PERSON.sub(rb'":"\1"', raw.replace(b"\n", b""))
    assert plain == values.canonical(json.loads(raw))


def test_a_time_is_written_in_utc_wherever_it_was_read() -> None:
    berlin = NOON.astimezone(dt.timezone(dt.timedelta(hours=1)))
    label = segments.label(a_label(created_at=berlin), task_type("vector"))
    assert json.loads(label or b"")["created_at"] == "2026-01-02T12:00:00.250000+00:00"


def test_a_sample_has_what_the_protocol_says() -> None:
    line = segments.sample_line(
        a_sample(attributes={"image": {"url": "/media/x/a.png"}}, metadata={"city": "Ghent"}), {"ground-truth": b"null"}
    )
    assert json.loads(line) == {
        "uuid": str(SAMPLE),
        "name": "a.png",
        "attributes": {"image": {"url": "/media/x/a.png"}},
        "metadata": {"city": "Ghent"},
        "labels": {"ground-truth": None},
    }
    assert b"\n" not in line


def test_a_sample_that_was_never_labeled_has_null() -> None:
    assert segments.label(LabelState(LOG, label_stream(SAMPLE, SET)), task_type("vector")) == b"null"


def test_a_label_has_what_the_protocol_says() -> None:
    label = segments.label(a_label(score=0.5, scene={"image_attributes": {"rain": True}}), task_type("vector"))
    assert json.loads(label or b"") == {
        "label_status": "LABELED",
        "attributes": {"annotations": [], "image_attributes": {"rain": True}},
        "created_at": "2026-01-02T12:00:00.250000+00:00",
        "created_by": str(ANA),
        "updated_at": "2026-01-02T12:00:00.250000+00:00",
        "updated_by": str(BEN),
        "reviewed_at": None,
        "reviewed_by": None,
        "score": 0.5,
        "version": 3,
    }


def test_exactly_the_people_are_marked() -> None:
    label = segments.label(a_label(scene={"note": str(ANA), 'x": ': str(BEN)}), task_type("vector"))
    assert segments.PERSON.findall(label or b"") == [str(ANA).encode(), str(BEN).encode()]


@pytest.mark.parametrize("mask", [None, {}, {"url": None}, {"url": ""}])
def test_a_bitmap_label_without_a_bitmap_is_left_out(mask: dict[str, Any] | None) -> None:
    assert segments.label(a_label(mask=mask), task_type("segmentation-bitmap")) is None


def test_a_bitmap_of_another_host_is_kept() -> None:
    label = segments.label(a_label(mask={"url": "https://example.org/m.png"}), task_type("segmentation-bitmap"))
    assert json.loads(label or b"")["attributes"]["segmentation_bitmap"] == {"url": "https://example.org/m.png"}


@pytest.mark.parametrize("number", [2**53, -(2**53), 1_700_000_000_000_000_001, 2**63 - 1])
def test_integers_that_a_float_cannot_hold_are_written_as_numbers(number: int) -> None:
    frames = {"frames": [{"timestamp": values.tagged(number)}]}
    assert json.loads(segments.sample_line(a_sample(attributes=frames), {}))["attributes"] == {
        "frames": [{"timestamp": number}]
    }


def test_text_that_looks_like_such_an_integer_stays_text() -> None:
    metadata = {"a": '{"$int":"1700000000000000001"}'}
    assert json.loads(segments.sample_line(a_sample(metadata=metadata), {}))["metadata"] == metadata


def test_a_category_never_has_a_null_where_the_sdk_counts() -> None:
    categories = [
        {"id": 1, "name": "car", "has_instances": None, "color": None},
        {"id": 2, "name": "road", "has_instances": False, "color": [1, 2, 3]},
    ]
    found = whole(a_dataset(task_attributes={"format_version": "0.1", "categories": categories}))
    assert found["dataset"]["task_attributes"] == {
        "format_version": "0.1",
        "categories": [{"id": 1, "name": "car", "color": None}, categories[1]],
    }


def test_a_category_that_was_merged_is_read_as_the_other_and_an_attribute_of_that_name_is_not() -> None:
    van = {"id": 7, "category_id": 2, "attributes": {"category_id": 2}, "points": [[0, 0]], "type": "point"}
    car = van | {"category_id": 1}
    frame = {"annotations": [van | {"track_id": 1}], "timestamp": None}
    kinds: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("image-vector-sequence", {"frames": [frame]}, {"frames": [frame | {"annotations": [car | {"track_id": 1}]}]}),
        (
            "multisensor-sequence",
            {"sensors": [{"name": "a", "attributes": {"frames": [frame]}}, {"name": "b", "attributes": None}]},
            {
                "sensors": [
                    {"name": "a", "attributes": {"frames": [frame | {"annotations": [car | {"track_id": 1}]}]}},
                    {"name": "b", "attributes": None},
                ]
            },
        ),
        (
            "pointcloud-cuboid",
            {"annotations": [van, car | {"category_id": 9}]},
            {"annotations": [car, car | {"category_id": 9}]},
        ),
    ]
    for kind, document, read in kinds:
        line = segments.label(a_label(document=document), task_type(kind), {2: 1})
        assert line is not None and json.loads(line)["attributes"] == read
        line = segments.label(a_label(document=document), task_type(kind))
        assert line is not None and json.loads(line)["attributes"] == document
    categories = [{"id": 1, "name": "car"}, {"id": 2, "name": "van", "merged_into": 1}]
    found = whole(a_dataset(task_attributes={"categories": categories}))
    assert found["dataset"]["task_attributes"]["categories"] == [{"id": 1, "name": "car"}]


def test_archived_label_sets_are_not_in_a_release() -> None:
    kept = LabelSetState("a", "kept", "", "predictions", None, False, ANA, NOON, 1)
    gone = LabelSetState("b", "gone", "", "predictions", None, True, ANA, NOON, 1)
    found = whole(a_dataset(label_sets={"b": gone, "a": kept}))
    assert found["dataset"]["labelsets"] == [{"name": "kept", "description": ""}]
