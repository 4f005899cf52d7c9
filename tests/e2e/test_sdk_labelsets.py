"""The SDK's calls about label sets, against the real server."""

from __future__ import annotations

import pytest
from segments import SegmentsClient
from segments.exceptions import AlreadyExistsError, NetworkError, NotFoundError
from segments.typing import LabelStatus

from tests.e2e.conftest import MakeSample
from tests.e2e.documents import bbox, vector_label
from tests.e2e.wire import Wire, etag, label_path


def test_label_sets_are_made_listed_and_read(make_sample: MakeSample, admin: SegmentsClient) -> None:
    dataset = make_sample().dataset
    made = dataset.add_labelset("yolo-v9_predictions", "trained on v1.0")
    assert (made.name, made.description, made.is_groundtruth) == ("yolo-v9_predictions", "trained on v1.0", False)
    assert [labelset.name for labelset in dataset.get_labelsets()] == ["ground-truth", "yolo-v9_predictions"]
    assert dataset.get_labelset(made.name).model_dump() == made.model_dump()
    assert [labelset.name for labelset in admin.get_dataset(dataset.full_name).labelsets] == [
        "ground-truth",
        "yolo-v9_predictions",
    ]


def test_two_label_sets_cannot_have_one_name(make_sample: MakeSample) -> None:
    dataset = make_sample().dataset
    for taken in ("ground-truth", "model"):
        if taken == "model":
            dataset.add_labelset(taken)
        with pytest.raises(AlreadyExistsError):
            dataset.add_labelset(taken)


def test_a_label_set_that_is_not_there_is_not_found(make_sample: MakeSample, admin: SegmentsClient) -> None:
    sample = make_sample()
    with pytest.raises(NotFoundError):
        sample.dataset.get_labelset("model")
    with pytest.raises(NotFoundError):
        sample.add_label("model", vector_label())
    with pytest.raises(NotFoundError):
        admin.delete_labelset(sample.dataset.full_name, "model")


def test_labels_of_different_sets_do_not_touch_each_other(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    sample.dataset.add_labelset("model")
    sample.add_label("ground-truth", vector_label(bbox(1)), LabelStatus.REVIEWED)
    before = admin_wire.get(label_path(sample.uuid))
    sample.add_label("model", vector_label(bbox(1, 7), bbox(2, 7)), score=0.93)
    after = admin_wire.get(label_path(sample.uuid))
    assert after.json() == before.json()
    assert etag(after) == etag(before)
    predicted = sample.get_label("model")
    assert (predicted.labelset, predicted.score, len(predicted.attributes.annotations)) == ("model", 0.93, 2)
    assert (
        etag(admin_wire.get(label_path(sample.uuid, "model")))
        == admin_wire.label_events(sample.uuid, "model")[-1]["version"]
    )


def test_a_deleted_label_set_is_gone_with_its_labels_and_its_name_is_free(make_sample: MakeSample) -> None:
    sample = make_sample()
    sample.dataset.add_labelset("model")
    sample.add_label("model", vector_label(bbox(1)))
    sample.dataset.get_labelset("model").delete()
    assert [labelset.name for labelset in sample.dataset.get_labelsets()] == ["ground-truth"]
    with pytest.raises(NotFoundError):
        sample.get_label("model")
    sample.dataset.add_labelset("model")
    with pytest.raises(NotFoundError):
        sample.get_label("model")


def test_the_ground_truth_cannot_be_deleted(make_sample: MakeSample, admin: SegmentsClient) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1)))
    with pytest.raises(NetworkError) as refused:
        admin.delete_labelset(sample.dataset.full_name, "ground-truth")
    assert type(refused.value) is NetworkError
    assert sample.get_label().label_status == "PRELABELED"
