"""Releases through the SDK: cut at an offset, built in the background, frozen for good."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from segments import SegmentsClient, SegmentsDataset
from segments.exceptions import AlreadyExistsError, NotFoundError
from segments.resource_api import Dataset, Release
from segments.typing import LabelStatus
from segments.utils import load_release

from tests.e2e.conftest import MakeDataset, MakeSample
from tests.e2e.documents import (
    ALL_TYPES,
    TASK_ATTRIBUTES,
    bbox,
    label_attributes,
    plain,
    sample_attributes,
    vector_label,
)
from tests.e2e.live_server import LiveServer
from tests.e2e.pictures import blocks, bytes_at, mask_at, photograph_png, uploaded
from tests.e2e.wire import Wire, wait_until


def built(dataset: Dataset, name: str) -> Release:
    """The release, once its file is there."""
    release = wait_until(lambda: dataset.get_release(name), lambda release: release.status != "PENDING")
    assert release.status == "SUCCEEDED"
    return release


def cut(dataset: Dataset, name: str = "v1.0", description: str = "") -> Release:
    added = dataset.add_release(name, description)
    assert isinstance(added, Release)
    assert added.status in ("PENDING", "SUCCEEDED")
    return built(dataset, name)


def contents(release: Release) -> dict[str, Any]:
    """The release file."""
    read: dict[str, Any] = load_release(release)
    return read


def test_a_release_is_built_in_the_background(make_sample: MakeSample) -> None:
    dataset = make_sample().dataset
    make_sample(dataset=dataset)
    release = cut(dataset, "v1.0", "The first one")
    assert (release.name, release.description, release.release_type) == ("v1.0", "The first one", "JSON")
    assert release.samples_count == 2
    assert release.attributes.url


def test_a_release_file_holds_what_the_protocol_says(make_sample: MakeSample, image_url: str) -> None:
    first = make_sample(name="a.png", metadata={"city": "Ghent"})
    dataset = first.dataset
    second = make_sample(dataset=dataset, name="b.png")
    dataset.add_labelset("model", "predictions")
    first.add_label("ground-truth", vector_label(bbox(1, attributes={"wheels": 4})), LabelStatus.LABELED)
    first.add_label("model", vector_label(bbox(1, 7), bbox(2, 7)), score=0.75)
    file = contents(cut(dataset, "v1.0", "One and a half"))

    assert (file["name"], file["description"]) == ("v1.0", "One and a half")
    described = file["dataset"]
    assert (described["name"], described["owner"], described["task_type"]) == (dataset.name, "ada", "vector")
    assert [(labelset["name"], labelset["description"]) for labelset in described["labelsets"]] == [
        ("ground-truth", described["labelsets"][0]["description"]),
        ("model", "predictions"),
    ]
    samples = {sample["name"]: sample for sample in described["samples"]}
    assert [s["uuid"] for s in described["samples"]] == [first.uuid, second.uuid]
    assert samples["a.png"]["metadata"] == {"city": "Ghent"}
    assert samples["a.png"]["attributes"] == {"image": {"url": image_url}}
    truth = samples["a.png"]["labels"]["ground-truth"]
    assert truth["label_status"] == "LABELED"
    assert plain(truth["attributes"]) == vector_label(bbox(1, attributes={"wheels": 4}))
    assert (truth["created_by"], bool(truth["created_at"])) == ("ada", True)
    assert [a["category_id"] for a in samples["a.png"]["labels"]["model"]["attributes"]["annotations"]] == [7, 7]
    assert samples["b.png"]["labels"] == {"ground-truth": None, "model": None}


def test_categories_in_a_release_file_never_have_a_null_where_the_sdk_counts(make_sample: MakeSample) -> None:
    categories = contents(cut(make_sample().dataset))["dataset"]["task_attributes"]["categories"]
    assert [(c["id"], c["name"]) for c in categories] == [(c["id"], c["name"]) for c in TASK_ATTRIBUTES["categories"]]
    assert all(isinstance(c["has_instances"], bool) for c in categories if "has_instances" in c)
    assert [c.get("color") for c in categories] == [c.get("color") for c in TASK_ATTRIBUTES["categories"]]


@pytest.mark.parametrize("task_type", ALL_TYPES)
def test_a_release_holds_labels_of_each_task_type(
    make_sample: MakeSample, admin: SegmentsClient, image_url: str, task_type: str
) -> None:
    sample = make_sample(task_type)
    mask = blocks(_1=(2, 3, 20, 30), _2=(30, 5, 60, 40), _300=(22, 0, 28, 10))
    document = label_attributes(task_type, uploaded(admin, mask))
    sample.add_label("ground-truth", document, LabelStatus.REVIEWED)
    [released] = contents(cut(sample.dataset))["dataset"]["samples"]
    assert released["attributes"] == sample_attributes(task_type, image_url)
    attributes = plain(released["labels"]["ground-truth"]["attributes"])
    if task_type.startswith("segmentation"):
        assert (mask_at(attributes.pop("segmentation_bitmap")["url"]) == mask).all()
        document.pop("segmentation_bitmap")
    assert attributes == document


def test_a_release_does_not_move_when_the_work_goes_on(make_sample: MakeSample, tmp_path: Any) -> None:
    sample = make_sample(name="a.png")
    dataset = sample.dataset
    sample.add_label("ground-truth", vector_label(bbox(1)), LabelStatus.LABELED)
    release = cut(dataset)
    before = bytes_at(release.attributes.url)

    sample.add_label("ground-truth", vector_label(bbox(1, x=11.0), bbox(2)), LabelStatus.REVIEWED)
    sample.update(metadata={"late": True})
    make_sample(dataset=dataset)
    dataset.add_labelset("model")
    dataset.update(description="changed", task_attributes={"format_version": "0.1", "categories": []})

    again = dataset.get_release("v1.0")
    assert bytes_at(again.attributes.url) == before
    assert again.samples_count == 1
    [frozen] = SegmentsDataset(again, segments_dir=str(tmp_path)).samples
    assert plain(frozen["labels"]["ground-truth"]["attributes"]) == vector_label(bbox(1))


def test_a_release_stands_at_the_offset_where_it_was_cut(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    dataset = sample.dataset
    sample.add_label("ground-truth", vector_label(bbox(1)))
    before = admin_wire.head(dataset.full_name)
    dataset.add_release("v1.0")
    sample.add_label("ground-truth", vector_label(bbox(1), bbox(2)))
    [event] = [e for e in admin_wire.events(dataset.full_name) if e["type"] == "ReleaseCut"]
    assert event["offset"] == before + 1
    assert event["stream"].startswith("release/")
    [released] = contents(built(dataset, "v1.0"))["dataset"]["samples"]
    assert plain(released["labels"]["ground-truth"]["attributes"]) == vector_label(bbox(1))


def test_two_releases_of_the_same_state_hold_the_same_samples(make_sample: MakeSample) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1)))
    first, second = (contents(cut(sample.dataset, name))["dataset"] for name in ("v1", "v2"))
    assert first == second


def test_the_file_of_a_release_needs_no_key_and_has_an_extension(make_sample: MakeSample, server: LiveServer) -> None:
    url = cut(make_sample().dataset).attributes.url
    assert url is not None and url.startswith(f"{server.url}/")
    assert url.partition("?")[0].endswith(".json")
    answer = requests.get(url, timeout=30)
    assert answer.headers["Content-Type"].startswith("application/json")
    assert json.loads(answer.content)["name"] == "v1.0"


def test_addresses_in_a_release_work_without_a_key(make_sample: MakeSample) -> None:
    [sample] = contents(cut(make_sample().dataset))["dataset"]["samples"]
    assert bytes_at(sample["attributes"]["image"]["url"]) == photograph_png()


def test_an_empty_dataset_can_be_released(make_dataset: MakeDataset, tmp_path: Any) -> None:
    release = cut(make_dataset())
    assert release.samples_count == 0
    assert contents(release)["dataset"]["samples"] == []
    assert len(SegmentsDataset(release, segments_dir=str(tmp_path))) == 0


def test_releases_are_listed_and_found_by_name(make_sample: MakeSample, admin: SegmentsClient) -> None:
    dataset = make_sample().dataset
    assert dataset.get_releases() == []
    for name in ("v1.0", "v1.1-beta"):
        cut(dataset, name)
    assert {release.name for release in dataset.get_releases()} == {"v1.0", "v1.1-beta"}
    assert admin.get_release(dataset.full_name, "v1.1-beta").uuid in {r.uuid for r in dataset.get_releases()}
    with pytest.raises(NotFoundError):
        dataset.get_release("v2.0")


def test_a_release_can_be_deleted_at_once_and_its_name_is_free(make_sample: MakeSample) -> None:
    dataset = make_sample().dataset
    dataset.add_release("v1.0").delete()
    assert dataset.get_releases() == []
    with pytest.raises(NotFoundError):
        dataset.get_release("v1.0")
    assert cut(dataset, "v1.0").status == "SUCCEEDED"


def test_deleting_a_release_that_is_not_there_is_not_found(make_dataset: MakeDataset, admin: SegmentsClient) -> None:
    with pytest.raises(NotFoundError):
        admin.delete_release(make_dataset().full_name, "v1.0")


def test_the_name_of_a_release_is_taken_while_it_is_pending(make_sample: MakeSample) -> None:
    dataset = make_sample().dataset
    dataset.add_release("v1.0")
    with pytest.raises(AlreadyExistsError):
        dataset.add_release("v1.0")


def test_deleted_samples_labels_and_label_sets_are_not_in_a_release(make_sample: MakeSample) -> None:
    gone = make_sample(name="gone.png")
    dataset = gone.dataset
    kept = make_sample(dataset=dataset, name="kept.png")
    dataset.add_labelset("model")
    for sample in (gone, kept):
        sample.add_label("ground-truth", vector_label(bbox(1)))
        sample.add_label("model", vector_label(bbox(1)))
    gone.delete()
    kept.delete_label("ground-truth")
    dataset.get_labelset("model").delete()
    described = contents(cut(dataset))["dataset"]
    assert [labelset["name"] for labelset in described["labelsets"]] == ["ground-truth"]
    assert [(s["name"], s["labels"]) for s in described["samples"]] == [("kept.png", {"ground-truth": None})]


def test_a_release_is_filtered_by_status_and_by_metadata(make_sample: MakeSample, tmp_path: Any) -> None:
    labelled = make_sample(name="labelled.png", metadata={"city": "Ghent"})
    dataset = labelled.dataset
    make_sample(dataset=dataset, name="bare.png", metadata={"city": "Bruges"})
    labelled.add_label("ground-truth", vector_label(bbox(1)), LabelStatus.LABELED)
    release = cut(dataset)

    def names(**filters: Any) -> list[str]:
        return [s["name"] for s in SegmentsDataset(release, segments_dir=str(tmp_path), **filters).samples]

    assert names(filter_by="labeled") == ["labelled.png"]
    assert names(filter_by=["UNLABELED"]) == ["bare.png"]
    assert names(filter_by_metadata={"city": "Bruges"}) == ["bare.png"]
    with pytest.raises(ValueError, match="no labelset"):
        names(labelset="model")
