"""What happened, and how things were: the events of datasets and labels, and reading at an offset or a time."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from segments import SegmentsClient
from segments.resource_api import Sample

from tests.e2e.conftest import MakeSample
from tests.e2e.documents import bbox, plain, vector_label
from tests.e2e.wire import Wire, etag, label_path, offset

FIELDS = {
    "offset",
    "stream",
    "version",
    "type",
    "data",
    "author",
    "author_kind",
    "tool",
    "reason",
    "occurred_at",
    "recorded_at",
    "command",
    "chain",
}


@pytest.fixture
def sample(make_sample: MakeSample, labeler: SegmentsClient, labeler_wire: Wire) -> Sample:
    """A sample that ada added and labelled and lena edited."""
    sample = make_sample(metadata={"take": 1})
    sample.add_label("ground-truth", vector_label(bbox(1), bbox(2)), "LABELED")
    labeler_wire.edit(sample.uuid, [{"op": "set_score", "annotation": 1, "score": 0.5}], reason="a guess")
    sample.update(metadata={"take": 2})
    labeler_wire.edit(sample.uuid, [{"op": "remove", "annotation": 2}])
    return sample


def test_events_are_a_bare_list_with_all_that_an_event_has(sample: Sample, admin_wire: Wire) -> None:
    events = admin_wire.events(sample.dataset.full_name)
    assert events[0]["type"] == "DatasetCreated"
    for event in events:
        assert set(event) >= FIELDS
        assert event["author"] in ("ada", "lena")
        assert event["author_kind"] == "person"
        uuid.UUID(event["command"])
        assert len(bytes.fromhex(event["chain"])) == 32
        assert dt.datetime.fromisoformat(event["recorded_at"]).tzinfo is not None


def test_offsets_have_no_gap_versions_neither_and_the_clock_never_goes_back(sample: Sample, admin_wire: Wire) -> None:
    events = admin_wire.events(sample.dataset.full_name)
    assert [event["offset"] for event in events] == list(range(1, len(events) + 1))
    times = [dt.datetime.fromisoformat(event["recorded_at"]) for event in events]
    assert times == sorted(times)
    for stream in {event["stream"] for event in events}:
        versions = [event["version"] for event in events if event["stream"] == stream]
        assert versions == list(range(1, len(versions) + 1))
    assert len({event["chain"] for event in events}) == len(events)


def test_the_stream_of_an_event_says_what_it_is_about(sample: Sample, admin_wire: Wire) -> None:
    of_type = {event["type"]: event["stream"] for event in admin_wire.events(sample.dataset.full_name)}
    assert of_type["DatasetCreated"] == "dataset"
    assert of_type["SampleAdded"] == f"sample/{sample.uuid}"
    assert of_type["AnnotationRemoved"].startswith(f"label/{sample.uuid}/")


def test_events_come_in_pages_after_an_offset(sample: Sample, admin_wire: Wire) -> None:
    everything = admin_wire.events(sample.dataset.full_name)
    for after in (0, 1, 3, len(everything) - 1, len(everything), len(everything) + 100):
        page = admin_wire.events(sample.dataset.full_name, after=after, limit=2)
        assert page == everything[after : after + 2]
    answer = admin_wire.get(f"/datasets/{sample.dataset.full_name}/events/", limit=1)
    assert offset(answer) == len(everything)


@pytest.mark.parametrize("types", ["AnnotationRemoved", "AnnotationScoreSet,AnnotationRemoved", "AnnotationAdded"])
def test_events_are_filtered_by_type(sample: Sample, admin_wire: Wire, types: str) -> None:
    everything = admin_wire.events(sample.dataset.full_name)
    found = admin_wire.events(sample.dataset.full_name, type=types)
    assert found == [event for event in everything if event["type"] in types.split(",")]
    assert bool(found) == (types != "AnnotationAdded")


def test_events_are_filtered_by_author(sample: Sample, admin_wire: Wire) -> None:
    everything = admin_wire.events(sample.dataset.full_name)
    for author in ("ada", "lena", "otto", "nobody"):
        found = admin_wire.events(sample.dataset.full_name, author=author)
        assert found == [event for event in everything if event["author"] == author]
    both = admin_wire.events(sample.dataset.full_name, author="lena", type="AnnotationRemoved")
    assert [event["type"] for event in both] == ["AnnotationRemoved"]


def test_filtered_events_come_in_full_pages(sample: Sample, admin_wire: Wire) -> None:
    [first] = admin_wire.events(sample.dataset.full_name, author="lena", limit=1)
    [second] = admin_wire.events(sample.dataset.full_name, author="lena", after=first["offset"], limit=1)
    assert (first["type"], second["type"]) == ("AnnotationScoreSet", "AnnotationRemoved")
    assert admin_wire.events(sample.dataset.full_name, author="lena", after=second["offset"], limit=1) == []


def test_the_events_of_a_label_are_those_of_its_stream(sample: Sample, admin_wire: Wire) -> None:
    everything = admin_wire.events(sample.dataset.full_name)
    mine = [event for event in everything if event["stream"].startswith(f"label/{sample.uuid}/")]
    assert admin_wire.label_events(sample.uuid) == mine
    assert [event["type"] for event in mine] == ["LabelImported", "AnnotationScoreSet", "AnnotationRemoved"]
    assert admin_wire.label_events(sample.uuid, after=mine[0]["offset"], limit=1) == [mine[1]]
    assert [event["reason"] for event in mine] == [None, "a guess", None]


def test_a_label_that_never_was_has_no_events(make_sample: MakeSample, admin_wire: Wire) -> None:
    assert admin_wire.label_events(make_sample().uuid) == []


def test_the_history_of_a_deleted_label_stays(sample: Sample, admin_wire: Wire) -> None:
    before = admin_wire.label_events(sample.uuid)
    sample.delete_label("ground-truth")
    after = admin_wire.label_events(sample.uuid)
    assert after[:-1] == before
    assert after[-1]["type"] == "LabelDeleted"


def test_a_member_reads_the_history_too(sample: Sample, admin_wire: Wire, labeler_wire: Wire) -> None:
    name = sample.dataset.full_name
    assert labeler_wire.events(name) == admin_wire.events(name)
    assert labeler_wire.label_events(sample.uuid) == admin_wire.label_events(sample.uuid)


def test_the_label_at_each_offset_is_what_it_was_then(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1)), "LABELED")
    steps: list[dict[str, Any]] = [
        {"op": "set_category", "annotation": 1, "category_id": 7},
        {"op": "add", "category_id": 1, "geometry": {"type": "point", "points": [[1.0, 2.0]]}},
        {"op": "set_status", "verb": "accept"},
        {"op": "remove", "annotation": 1},
        {"op": "assign_classification", "category_id": 2},
    ]
    lived = {}
    for step in steps:
        answer = admin_wire.edit(sample.uuid, [step])
        lived[offset(answer)] = admin_wire.get(label_path(sample.uuid))
    for at, live in lived.items():
        then = admin_wire.get(label_path(sample.uuid), at=at)
        assert then.json() == live.json()
        assert (etag(then), offset(then)) == (etag(live), at)


def test_a_time_means_the_last_offset_until_then(sample: Sample, admin_wire: Wire) -> None:
    path = label_path(sample.uuid)
    [first, *_] = admin_wire.label_events(sample.uuid)
    for spelled in (first["recorded_at"], first["recorded_at"].replace("+00:00", "Z")):
        then = admin_wire.get(path, at=spelled)
        assert plain(then.json()["attributes"])["annotations"] == [bbox(1), bbox(2)]
    assert admin_wire.get(path, at="2001-01-01T00:00:00Z").status_code == 404
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
    assert admin_wire.get(path, at=tomorrow).json() == admin_wire.get(path).json()


def test_a_label_is_there_again_at_an_offset_before_it_was_deleted(sample: Sample, admin_wire: Wire) -> None:
    live = admin_wire.get(label_path(sample.uuid))
    sample.delete_label("ground-truth")
    assert admin_wire.get(label_path(sample.uuid)).status_code == 404
    assert admin_wire.get(label_path(sample.uuid), at=offset(live)).json() == live.json()


def test_a_sample_and_a_dataset_are_read_as_they_were(sample: Sample, admin_wire: Wire) -> None:
    events = {event["type"]: event["offset"] for event in admin_wire.events(sample.dataset.full_name)}
    path = f"/samples/{sample.uuid}/"
    assert admin_wire.get(path, at=events["SampleAdded"]).json()["metadata"] == {"take": 1}
    assert admin_wire.get(path, at=events["SampleChanged"]).json()["metadata"] == {"take": 2}
    sample.dataset.update(readme="later")
    dataset = f"/datasets/{sample.dataset.full_name}/"
    assert admin_wire.get(dataset, at=events["SampleChanged"]).json()["readme"] == ""
    assert admin_wire.get(dataset).json()["readme"] == "later"


def test_an_offset_beyond_the_head_means_the_head(sample: Sample, admin_wire: Wire) -> None:
    head = admin_wire.head(sample.dataset.full_name)
    answer = admin_wire.get(label_path(sample.uuid), at=head + 1000)
    assert answer.json() == admin_wire.label(sample.uuid)
    assert offset(answer) == head
