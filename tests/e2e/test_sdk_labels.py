"""The SDK's calls about labels, against the real server."""

from __future__ import annotations

import numpy as np
import pytest
from segments import SegmentsClient
from segments.exceptions import NotFoundError
from segments.resource_api import Label
from segments.typing import ImageSegmentationLabelAttributes, ImageVectorLabelAttributes, LabelStatus

from tests.e2e.conftest import MakeSample
from tests.e2e.documents import (
    ALL_TYPES,
    BITMAP_TYPES,
    EVERY_KIND_OF_VALUE,
    SCENE,
    TIMESTAMP_NS,
    VECTOR_TYPES,
    bbox,
    label_attributes,
    plain,
    vector_label,
)
from tests.e2e.pictures import blocks, mask_at, uploaded
from tests.e2e.wire import Wire, etag, label_path, offset, packed

TWO_BLOCKS = blocks(_1=(2, 3, 20, 30), _2=(30, 5, 60, 40), _300=(22, 0, 28, 10))
SETTABLE = [status for status in LabelStatus if status != LabelStatus.UNLABELED]


# --- round trips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task_type", [t for t in ALL_TYPES if t not in BITMAP_TYPES])
def test_a_label_of_each_task_type_comes_back_word_for_word(
    make_sample: MakeSample, admin: SegmentsClient, admin_wire: Wire, task_type: str
) -> None:
    sample = make_sample(task_type)
    document = label_attributes(task_type, uploaded(admin, TWO_BLOCKS))
    written = sample.add_label("ground-truth", document)
    assert isinstance(written, Label)
    assert (written.label_type, written.label_status) == (task_type, "PRELABELED")
    read = sample.get_label()
    assert read.model_dump() == written.model_dump()
    assert plain(admin_wire.label(sample.uuid)["attributes"]) == document


@pytest.mark.parametrize("task_type", BITMAP_TYPES)
def test_a_bitmap_label_comes_back_pixel_for_pixel(
    make_sample: MakeSample, admin: SegmentsClient, admin_wire: Wire, task_type: str
) -> None:
    sample = make_sample(task_type)
    document = label_attributes(task_type, uploaded(admin, TWO_BLOCKS))
    written = sample.add_label("ground-truth", document)
    assert isinstance(written.attributes, ImageSegmentationLabelAttributes)
    assert sample.get_label().model_dump() == written.model_dump()
    raw = admin_wire.label(sample.uuid)["attributes"]
    np.testing.assert_array_equal(mask_at(raw.pop("segmentation_bitmap")["url"]), TWO_BLOCKS)
    document.pop("segmentation_bitmap")
    assert plain(raw) == document


@pytest.mark.parametrize("task_type", [*VECTOR_TYPES, *BITMAP_TYPES])
def test_the_sdks_resource_objects_write_labels_too(
    make_sample: MakeSample, admin: SegmentsClient, task_type: str
) -> None:
    sample = make_sample(task_type)
    document = label_attributes(task_type, uploaded(admin, TWO_BLOCKS))
    label = sample.add_label("ground-truth", document, LabelStatus.LABELED, 0.25)
    label = label.update(document, LabelStatus.REVIEWED, 0.5)
    assert (label.label_status, label.score) == ("REVIEWED", 0.5)
    label = sample.update_label("ground-truth", document, LabelStatus.LABELED, 0.75)
    assert sample.get_label("ground-truth").model_dump() == label.model_dump()
    label.delete()
    with pytest.raises(NotFoundError):
        sample.get_label()


@pytest.mark.parametrize("task_type", VECTOR_TYPES)
def test_a_label_may_be_empty(make_sample: MakeSample, admin_wire: Wire, task_type: str) -> None:
    sample = make_sample(task_type)
    label = sample.add_label("ground-truth", {"annotations": []}, LabelStatus.LABELED)
    assert isinstance(label.attributes, ImageVectorLabelAttributes)
    assert admin_wire.label(sample.uuid)["attributes"]["annotations"] == []


def test_numbers_come_back_as_exactly_as_they_were_sent(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    points = [[0.1, 1 / 3], [1e-300, 5e-324], [1.7976931348623157e308, 123456789.12345679], [-0.0, 2**53 - 1]]
    sample.add_label("ground-truth", vector_label({"id": 1, "category_id": 1, "type": "polyline", "points": points}))
    [stored] = admin_wire.label(sample.uuid)["attributes"]["annotations"]
    assert stored["points"] == points


def test_a_nanosecond_timestamp_comes_back_to_the_last_digit(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample("pointcloud-cuboid-sequence")
    sample.add_label("ground-truth", label_attributes("pointcloud-cuboid-sequence"))
    frames = admin_wire.label(sample.uuid)["attributes"]["frames"]
    assert [frame["timestamp"] for frame in frames] == [TIMESTAMP_NS, TIMESTAMP_NS + 1]


def test_object_attributes_keep_their_types(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1, attributes=EVERY_KIND_OF_VALUE | {"one": 1, "yes": True})))
    [stored] = admin_wire.label(sample.uuid)["attributes"]["annotations"]
    kinds = {name: type(value) for name, value in stored["attributes"].items()}
    assert stored["attributes"] == EVERY_KIND_OF_VALUE | {"one": 1, "yes": True}
    assert (kinds["one"], kinds["yes"], kinds["wheels"], kinds["occluded"]) == (int, bool, int, bool)


def test_no_attributes_and_an_empty_set_of_attributes_stay_different(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1), bbox(2, attributes={}), bbox(3, attributes=None)))
    stored = admin_wire.label(sample.uuid)["attributes"]["annotations"]
    assert [annotation.get("attributes") for annotation in stored] == [None, {}, None]


def test_annotations_keep_the_order_in_which_they_were_sent(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    ids = [5, 1, 9, 3]
    sample.add_label("ground-truth", vector_label(*map(bbox, ids)))
    assert [a["id"] for a in admin_wire.label(sample.uuid)["attributes"]["annotations"]] == ids
    swapped = [9, 5, 3, 1]
    sample.add_label("ground-truth", vector_label(*map(bbox, swapped)))
    assert [a["id"] for a in admin_wire.label(sample.uuid)["attributes"]["annotations"]] == swapped


# --- writing ----------------------------------------------------------------------------------------------------------


def test_a_sample_without_a_label_has_none(make_sample: MakeSample) -> None:
    with pytest.raises(NotFoundError):
        make_sample().get_label()


@pytest.mark.parametrize("status", SETTABLE)
def test_a_label_can_be_given_each_status(make_sample: MakeSample, status: LabelStatus) -> None:
    sample = make_sample()
    assert sample.add_label("ground-truth", vector_label(), status).label_status == status
    assert sample.get_label().label_status == status


def test_an_update_of_the_status_leaves_the_rest(make_sample: MakeSample, admin: SegmentsClient) -> None:
    sample = make_sample()
    before = sample.add_label("ground-truth", vector_label(bbox(1)), LabelStatus.LABELED, 0.5)
    after = admin.update_label(sample.uuid, "ground-truth", label_status=LabelStatus.REVIEWED)
    assert (after.label_status, after.score, after.attributes) == ("REVIEWED", 0.5, before.attributes)


def test_an_update_of_the_score_leaves_the_rest(make_sample: MakeSample, admin: SegmentsClient) -> None:
    sample = make_sample()
    before = sample.add_label("ground-truth", vector_label(bbox(1)), LabelStatus.LABELED, 0.5)
    after = admin.update_label(sample.uuid, "ground-truth", score=0.875)
    assert (after.label_status, after.score, after.attributes) == ("LABELED", 0.875, before.attributes)


def test_an_update_of_the_attributes_leaves_status_and_score(make_sample: MakeSample, admin: SegmentsClient) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1)), LabelStatus.LABELED, 0.5)
    after = admin.update_label(sample.uuid, "ground-truth", vector_label(bbox(2)))
    assert (after.label_status, after.score) == ("LABELED", 0.5)
    assert [a.id for a in after.attributes.annotations] == [2]


def test_an_update_through_the_label_itself_makes_it_prelabeled_as_the_sdk_says(make_sample: MakeSample) -> None:
    label = make_sample().add_label("ground-truth", vector_label(bbox(1)), LabelStatus.REVIEWED)
    assert label.update(score=0.5).label_status == "PRELABELED"


def test_an_update_of_a_label_that_is_not_there_is_not_found(make_sample: MakeSample, admin: SegmentsClient) -> None:
    sample = make_sample()
    with pytest.raises(NotFoundError):
        admin.update_label(sample.uuid, "ground-truth", label_status=LabelStatus.LABELED)


def test_a_second_upload_replaces_the_first(make_sample: MakeSample) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1), bbox(2), image_attributes=SCENE), LabelStatus.LABELED, 0.5)
    sample.add_label("ground-truth", vector_label(bbox(2, 7), bbox(3)))
    label = sample.get_label()
    assert [(a.id, a.category_id) for a in label.attributes.annotations] == [(2, 7), (3, 1)]
    assert label.attributes.image_attributes is None
    assert label.label_status == "PRELABELED"


def test_a_label_says_who_made_it_and_who_changed_it(make_sample: MakeSample, labeler: SegmentsClient) -> None:
    sample = make_sample()
    made = labeler.add_label(sample.uuid, "ground-truth", vector_label(bbox(1)), LabelStatus.LABELED)
    assert (made.created_by, made.updated_by) == ("lena", "lena")
    changed = sample.update_label("ground-truth", vector_label(bbox(1), bbox(2)), LabelStatus.REVIEWED)
    assert (changed.created_by, changed.updated_by) == ("lena", "ada")
    assert changed.created_at == made.created_at
    assert changed.updated_at > made.updated_at


def test_a_label_says_who_reviewed_it(make_sample: MakeSample, labeler: SegmentsClient, admin_wire: Wire) -> None:
    sample = make_sample()
    made = labeler.add_label(sample.uuid, "ground-truth", vector_label(bbox(1)), LabelStatus.LABELED)
    assert (made.reviewed_by, made.reviewed_at) == (None, None)
    admin_wire.edit(sample.uuid, [{"op": "set_status", "verb": "accept"}])
    label = sample.get_label()
    assert (label.label_status, label.reviewed_by, bool(label.reviewed_at)) == ("REVIEWED", "ada", True)


def test_a_labels_body_may_come_uncompressed(make_sample: MakeSample) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1)), enable_compression=False)
    label = sample.update_label("ground-truth", vector_label(bbox(1), bbox(2)), enable_compression=False)
    assert len(label.attributes.annotations) == 2


def test_a_label_of_several_megabytes_is_taken_and_given_back(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    ring = np.random.default_rng(1).uniform(0, 1e4, (20, 2)).tolist()
    outlines = [
        {"id": n, "category_id": 1, "type": "polygon", "points": [[x + n, y] for x, y in ring]} for n in range(1, 5001)
    ]
    sample.add_label("ground-truth", vector_label(*outlines))
    assert plain(admin_wire.label(sample.uuid)["attributes"])["annotations"] == outlines


def test_a_label_packed_by_hand_is_the_same_as_one_from_the_sdk(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    body = {"attributes": vector_label(bbox(1)), "label_status": "LABELED"}
    answer = admin_wire.send("PUT", label_path(sample.uuid), raw=packed(body), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 201, answer.text
    assert sample.get_label().label_status == "LABELED"


# --- the log behind it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task_type", ALL_TYPES)
def test_the_same_label_sent_twice_appends_nothing(
    make_sample: MakeSample, admin: SegmentsClient, admin_wire: Wire, task_type: str
) -> None:
    sample = make_sample(task_type)
    body = {
        "label_status": "LABELED",
        "score": 0.5,
        "attributes": label_attributes(task_type, uploaded(admin, TWO_BLOCKS)),
    }
    first = admin_wire.send("PUT", label_path(sample.uuid), body)
    again = admin_wire.send("PUT", label_path(sample.uuid), body)
    assert (first.status_code, again.status_code) == (201, 200), again.text
    assert again.json() == first.json()
    assert (etag(again), offset(again)) == (etag(first), offset(first))
    assert admin_wire.head(sample.dataset.full_name) == offset(first)


@pytest.mark.parametrize("task_type", VECTOR_TYPES)
def test_a_label_that_was_read_and_sent_back_appends_nothing(
    make_sample: MakeSample, admin: SegmentsClient, admin_wire: Wire, task_type: str
) -> None:
    sample = make_sample(task_type)
    sample.add_label("ground-truth", label_attributes(task_type), LabelStatus.LABELED)
    before = admin_wire.get(label_path(sample.uuid))
    admin.update_label(sample.uuid, "ground-truth", sample.get_label().attributes, LabelStatus.LABELED)
    after = admin_wire.get(label_path(sample.uuid))
    assert (etag(after), offset(after)) == (etag(before), offset(before))


@pytest.mark.parametrize("method", ["PUT", "PATCH", "GET"])
def test_version_and_offset_are_on_every_answer_about_a_label(
    make_sample: MakeSample, admin_wire: Wire, method: str
) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1)))
    body = None if method == "GET" else {"attributes": vector_label(bbox(1), bbox(2))}
    answer = admin_wire.send(method, label_path(sample.uuid), body)
    assert answer.status_code == 200, answer.text
    newest = admin_wire.label_events(sample.uuid)[-1]
    assert etag(answer) == newest["version"]
    assert offset(answer) == admin_wire.head(sample.dataset.full_name)


def test_a_label_that_was_deleted_is_gone_and_its_versions_go_on(
    make_sample: MakeSample, admin: SegmentsClient, admin_wire: Wire
) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1)))
    before = etag(admin_wire.get(label_path(sample.uuid)))
    admin.delete_label(sample.uuid, "ground-truth")
    assert admin_wire.get(label_path(sample.uuid)).status_code == 404
    assert admin_wire.label_events(sample.uuid)[-1]["type"] == "LabelDeleted"
    again = sample.add_label("ground-truth", vector_label(bbox(4)))
    assert [a.id for a in again.attributes.annotations] == [4]
    assert etag(admin_wire.get(label_path(sample.uuid))) > before + 1


def test_deleting_a_label_that_is_not_there_is_not_found(make_sample: MakeSample, admin: SegmentsClient) -> None:
    with pytest.raises(NotFoundError):
        admin.delete_label(make_sample().uuid, "ground-truth")


def test_only_what_really_changed_becomes_an_event(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(*(bbox(n) for n in range(1, 21))), LabelStatus.LABELED)
    before = admin_wire.head(sample.dataset.full_name)
    moved = [bbox(n, x=10.5) if n == 7 else bbox(n) for n in range(1, 21) if n != 12]
    sample.add_label("ground-truth", vector_label(*moved), LabelStatus.LABELED)
    types = [event["type"] for event in admin_wire.events(sample.dataset.full_name, after=before)]
    assert sorted(types) == ["AnnotationGeometrySet", "AnnotationRemoved"]


def test_a_replaced_annotation_of_someone_else_is_named_in_a_header(
    make_sample: MakeSample, labeler: SegmentsClient, admin_wire: Wire
) -> None:
    sample = make_sample()
    labeler.add_label(sample.uuid, "ground-truth", vector_label(bbox(1), bbox(2)))
    kept = admin_wire.send("PUT", label_path(sample.uuid), {"attributes": vector_label(bbox(1), bbox(2), bbox(3))})
    assert "Label-Superseded" not in kept.headers
    answer = admin_wire.send("PUT", label_path(sample.uuid), {"attributes": vector_label(bbox(2), bbox(3))})
    assert answer.status_code == 200, answer.text
    assert admin_wire.label_events(sample.uuid)[-1]["type"] == "AnnotationRemoved"
    assert answer.headers["Label-Superseded"] == "1"


def test_an_earlier_label_can_be_read_by_offset_and_by_time(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    documents = [vector_label(*(bbox(n) for n in range(1, count + 1))) for count in (1, 2, 3)]
    answers = [admin_wire.send("PUT", label_path(sample.uuid), {"attributes": d}) for d in documents]
    times = {event["offset"]: event["recorded_at"] for event in admin_wire.events(sample.dataset.full_name)}
    for document, answer in zip(documents, answers, strict=True):
        for at in (offset(answer), times[offset(answer)]):
            then = admin_wire.get(label_path(sample.uuid), at=at)
            assert then.status_code == 200, then.text
            assert plain(then.json()["attributes"]) == document
            assert (etag(then), offset(then)) == (etag(answer), offset(answer))
    assert admin_wire.get(label_path(sample.uuid), at=offset(answers[0]) - 1).status_code == 404
