"""Cloning through the SDK, with and without labels, of every task type."""

from __future__ import annotations

import pytest
from segments import SegmentsClient
from segments.exceptions import AlreadyExistsError, AuthorizationError, NetworkError, NotFoundError
from segments.resource_api import Dataset, Sample
from segments.typing import LabelStatus, TaskType

from tests.e2e.conftest import MakeDataset, MakeSample
from tests.e2e.documents import ALL_TYPES, bbox, label_attributes, plain, vector_label
from tests.e2e.live_server import LiveServer
from tests.e2e.pictures import blocks, mask_at, uploaded
from tests.e2e.wire import Wire

MASK = blocks(_1=(2, 3, 20, 30), _2=(30, 10, 60, 40))


def only_sample(dataset: Dataset) -> Sample:
    (sample,) = dataset.get_samples()
    return sample


def test_a_clone_is_there_at_once_and_has_what_the_protocol_says(make_sample: MakeSample) -> None:
    sample = make_sample(metadata={"city": "Gent"}, priority=2.5)
    dataset = sample.dataset
    clone = dataset.clone()
    assert isinstance(clone, Dataset)
    assert (clone.name, clone.task_type, clone.public) == (f"{dataset.name}-clone", dataset.task_type, dataset.public)
    assert (clone.cloned_from, clone.owner.username) == (dataset.full_name, "ada")
    same = ("description", "category", "task_attributes", "metadata", "readme", "archived", "enable_skip_labeling")
    assert [getattr(clone, name) for name in same] == [getattr(dataset, name) for name in same]
    copy = only_sample(clone)
    assert copy.uuid != sample.uuid
    for name in ("name", "attributes", "metadata", "priority"):
        assert getattr(copy, name) == getattr(sample, name)
    with pytest.raises(NotFoundError):
        copy.get_label("ground-truth")


def test_what_a_clone_may_have_of_its_own(admin: SegmentsClient, make_sample: MakeSample, unused: str) -> None:
    dataset = make_sample().dataset
    clone = admin.clone_dataset(
        dataset.full_name, new_name=f"{unused}-own", new_task_type=TaskType.SEGMENTATION_BITMAP, new_public=True
    )
    assert (clone.name, clone.task_type, clone.public) == (f"{unused}-own", TaskType.SEGMENTATION_BITMAP, True)


@pytest.mark.parametrize("task_type", ALL_TYPES)
def test_labels_of_every_task_type_are_cloned(
    admin: SegmentsClient, make_sample: MakeSample, task_type: str, admin_wire: Wire
) -> None:
    sample = make_sample(task_type)
    bitmap = uploaded(admin, MASK) if "segmentation" in task_type else ""
    sample.add_label("ground-truth", label_attributes(task_type, bitmap), LabelStatus.REVIEWED, score=0.25)
    sample.dataset.add_labelset("model", "of a model")
    sample.add_label("model", label_attributes(task_type, bitmap))
    clone = sample.dataset.clone(clone_labels=True)
    copy = only_sample(clone)
    assert {item.name: item.description for item in clone.get_labelsets()} == {
        "ground-truth": "",
        "model": "of a model",
    }
    for label_set in ("ground-truth", "model"):
        one, two = (admin_wire.label(each.uuid, label_set) for each in (sample, copy))
        assert (two["label_status"], two["score"], two["label_type"]) == (one["label_status"], one["score"], task_type)
        assert without_origin(plain(two["attributes"])) == plain(one["attributes"])
        assert copy.get_label(label_set).attributes == sample.get_label(label_set).attributes
    assert clone.label_stats.REVIEWED == 1


def without_origin(document: dict[str, object]) -> dict[str, object]:
    if not isinstance(document.get("annotations"), list):
        return document
    objects: list[dict[str, object]] = document["annotations"]
    return document | {"annotations": [{k: v for k, v in item.items() if k != "origin"} for item in objects]}


def test_a_clone_and_its_source_go_their_own_ways(make_sample: MakeSample) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1)))
    clone = sample.dataset.clone(clone_labels=True)
    sample.add_label("ground-truth", vector_label(bbox(1), bbox(2)))
    sample.dataset.add_sample("later.png", sample.attributes)
    copy = only_sample(clone)
    assert len(copy.get_label("ground-truth").attributes.annotations) == 1
    copy.update_label("ground-truth", vector_label())
    assert len(sample.get_label("ground-truth").attributes.annotations) == 2
    sample.dataset.delete()
    assert copy.get_label("ground-truth").attributes.annotations == []


def test_labels_that_do_not_fit_the_task_type_are_refused_in_clear_words(
    admin: SegmentsClient, make_sample: MakeSample, unused: str
) -> None:
    dataset = make_sample().dataset
    with pytest.raises(NetworkError, match="clone the samples only") as refused:
        dataset.clone(f"{unused}-x", TaskType.SEGMENTATION_BITMAP, clone_labels=True)
    answer = refused.value.cause.response
    assert (answer.status_code, answer.json()["field"]) == (400, "clone_labels")
    with pytest.raises(NotFoundError):
        admin.get_dataset(f"ada/{unused}-x")


def test_a_taken_name_is_refused(make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    dataset.clone()
    with pytest.raises(AlreadyExistsError):
        dataset.clone()


def test_who_may_clone(
    admin: SegmentsClient, labeler: SegmentsClient, outsider: SegmentsClient, make_sample: MakeSample
) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1)))
    full_name = sample.dataset_full_name
    with pytest.raises(AuthorizationError):
        labeler.clone_dataset(full_name)
    with pytest.raises(NotFoundError):
        outsider.clone_dataset(full_name)
    admin.update_dataset(full_name, public=True)
    clone = outsider.clone_dataset(full_name, clone_labels=True)
    assert (clone.owner.username, clone.cloned_from, clone.public) == ("otto", full_name, True)
    assert len(only_sample(clone).get_label("ground-truth").attributes.annotations) == 1


def test_a_clone_is_sound(server: LiveServer, admin: SegmentsClient, make_sample: MakeSample) -> None:
    sample = make_sample("segmentation-bitmap")
    sample.add_label("ground-truth", label_attributes("segmentation-bitmap", uploaded(admin, MASK)))
    clone = sample.dataset.clone(clone_labels=True)
    copy = only_sample(clone).get_label("ground-truth")
    assert (mask_at(copy.attributes.segmentation_bitmap.url) == MASK).all()
    assert "All sound" in server.manage("verify", "--dataset", clone.full_name)
