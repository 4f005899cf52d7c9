"""The SDK's calls about samples, against the real server."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from segments import SegmentsClient
from segments.exceptions import AlreadyExistsError, AuthorizationError, NetworkError, NotFoundError
from segments.resource_api import Dataset, Sample
from segments.typing import LabelStatus

from tests.e2e.conftest import MakeDataset, MakeSample
from tests.e2e.documents import ALL_TYPES, bbox, sample_attributes, vector_label
from tests.e2e.pictures import bytes_at
from tests.e2e.wire import Wire

IMAGE: dict[str, Any] = {"image": {"url": ""}}


def names(samples: list[Sample]) -> list[str]:
    return [sample.name for sample in samples]


@pytest.fixture
def street(make_dataset: MakeDataset) -> Dataset:
    """A dataset of four samples with different names, priorities, metadata and label statuses."""
    dataset = make_dataset()
    added = dataset._client.add_samples(
        dataset.full_name,
        [
            {"name": "b.png", "attributes": IMAGE, "priority": 2, "metadata": {"city": "Ghent", "lane": 1}},
            {"name": "a.png", "attributes": IMAGE, "priority": -1.5, "metadata": {"city": "Ghent", "lane": 2}},
            {"name": "c (1).png", "attributes": IMAGE, "priority": 10},
            {"name": "B.png", "attributes": IMAGE},
        ],
    )
    added[0].add_label("ground-truth", vector_label(bbox(1)), LabelStatus.LABELED)
    added[1].add_label("ground-truth", vector_label(), LabelStatus.REVIEWED, score=0.5)
    return dataset


def test_a_sample_comes_back_as_it_was_sent(make_dataset: MakeDataset, admin: SegmentsClient, image_url: str) -> None:
    dataset = make_dataset()
    fields: dict[str, Any] = {
        "name": "straße 7/links.png",
        "metadata": {"weather": "sunny", "camera": {"id": 3, "on": True}, "none": None},
        "priority": -2.5,
        "readme": "Only the *near* lane.",
        "assigned_labeler": "lena",
        "assigned_reviewer": "ada",
    }
    created = dataset.add_sample(attributes={"image": {"url": image_url}}, **fields)
    read = admin.get_sample(created.uuid)
    for sample in (created, read):
        assert {name: getattr(sample, name) for name in fields} == fields
        assert sample.attributes.image.url == image_url
        assert sample.created_by == "ada"
    assert read.dataset_full_name == dataset.full_name
    assert read.dataset.full_name == dataset.full_name
    assert str(uuid.UUID(read.uuid)) == read.uuid


@pytest.mark.parametrize("task_type", ALL_TYPES)
def test_the_attributes_of_each_kind_of_sample_come_back_word_for_word(
    make_sample: MakeSample, admin: SegmentsClient, admin_wire: Wire, image_url: str, task_type: str
) -> None:
    sample = make_sample(task_type)
    assert admin.get_sample(sample.uuid).attributes == sample.attributes
    assert admin_wire.get(f"/samples/{sample.uuid}/").json()["attributes"] == sample_attributes(task_type, image_url)


@pytest.mark.parametrize("url", ["", "url", "s3://bucket/key.png", "https://pictures.example/a b.png?x=1&y=2#z"])
def test_any_string_will_do_as_the_url_of_an_image(make_sample: MakeSample, url: str) -> None:
    sample = make_sample(attributes={"image": {"url": url}})
    assert sample._client.get_sample(sample.uuid).attributes.image.url == url


def test_an_image_without_a_url_is_kept_without_one(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample(attributes={"image": {}})
    assert admin_wire.get(f"/samples/{sample.uuid}/").json()["attributes"] == {"image": {}}


def test_a_second_sample_of_the_same_name_is_refused(make_sample: MakeSample) -> None:
    sample = make_sample()
    with pytest.raises(AlreadyExistsError):
        sample.dataset.add_sample(sample.name, IMAGE)
    assert len(sample.dataset.get_samples()) == 1


def test_the_same_name_is_free_in_another_dataset(make_sample: MakeSample) -> None:
    sample = make_sample()
    assert make_sample(name=sample.name).uuid != sample.uuid


def test_many_samples_are_added_at_once(make_dataset: MakeDataset, admin: SegmentsClient) -> None:
    dataset = make_dataset()
    wanted = [f"frame-{n:03}.png" for n in (2, 0, 1)]
    added = admin.add_samples(dataset.full_name, [{"name": name, "attributes": IMAGE} for name in wanted])
    assert names(added) == wanted
    assert all(isinstance(sample, Sample) for sample in added)
    assert names(dataset.get_samples()) == sorted(wanted)


def test_a_bulk_upload_returns_samples_that_are_there_unchanged(make_sample: MakeSample) -> None:
    old = make_sample(metadata={"kept": True}, priority=4)
    dataset = old.dataset
    both = dataset._client.add_samples(
        dataset.full_name,
        [
            {"name": old.name, "attributes": {"image": {"url": "other"}}, "metadata": {"kept": False}},
            {"name": "new.png", "attributes": IMAGE, "metadata": {"fresh": 1}, "priority": 7},
        ],
    )
    assert [sample.uuid == old.uuid for sample in both] == [True, False]
    assert (both[0].metadata, both[0].priority, both[0].attributes) == ({"kept": True}, 4, old.attributes)
    assert (both[1].metadata, both[1].priority) == ({"fresh": 1}, 7)


def test_the_same_bulk_upload_twice_appends_nothing(make_dataset: MakeDataset, admin_wire: Wire) -> None:
    dataset = make_dataset()
    bulk = [{"name": f"{n}.png", "attributes": {"image": {"url": ""}}} for n in range(5)]
    first = dataset._client.add_samples(dataset.full_name, bulk)
    head = admin_wire.head(dataset.full_name)
    again = dataset._client.add_samples(dataset.full_name, bulk)
    assert [s.uuid for s in again] == [s.uuid for s in first]
    assert admin_wire.head(dataset.full_name) == head


def test_a_bulk_upload_with_one_bad_sample_adds_none(make_dataset: MakeDataset, admin_wire: Wire) -> None:
    dataset = make_dataset()
    head = admin_wire.head(dataset.full_name)
    answer = admin_wire.send(
        "POST",
        f"/datasets/{dataset.full_name}/samples_bulk/",
        [{"name": "good.png", "attributes": IMAGE}, {"name": "", "attributes": IMAGE}],
    )
    assert answer.status_code == 400
    assert "name" in answer.json()["field"]
    assert dataset.get_samples() == []
    assert admin_wire.head(dataset.full_name) == head


def test_a_bulk_upload_of_no_samples_answers_with_no_samples(make_dataset: MakeDataset, admin: SegmentsClient) -> None:
    assert admin.add_samples(make_dataset().full_name, []) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "renamed.png"),
        ("attributes", {"image": {"url": "https://pictures.example/other.png"}}),
        ("metadata", {"weather": "fog"}),
        ("priority", -3.25),
        ("assigned_labeler", "lena"),
        ("assigned_reviewer", "lena"),
        ("readme", "look twice"),
    ],
)
def test_an_update_changes_one_field_of_a_sample_and_no_other(
    make_sample: MakeSample, admin: SegmentsClient, field: str, value: Any
) -> None:
    before = admin.get_sample(make_sample(metadata={"weather": "sun"}, priority=1).uuid)
    after = before.update(**{field: value})
    expected = before.model_dump() | {field: value}
    read = admin.get_sample(before.uuid).model_dump()
    assert read | ({"attributes": value} if field == "attributes" else {}) == expected
    assert isinstance(after, Sample)
    if field == "attributes":
        assert read["attributes"]["image"]["url"] == value["image"]["url"]
        assert after.attributes.image.url == value["image"]["url"]
    else:
        assert getattr(after, field) == value


@pytest.mark.parametrize("role", ["assigned_labeler", "assigned_reviewer"])
def test_null_takes_a_sample_from_its_assignee(make_sample: MakeSample, role: str) -> None:
    sample = make_sample(assigned_labeler="lena", assigned_reviewer="lena")
    updated = sample.update(**{role: None})
    assert getattr(updated, role) is None
    other = {"assigned_labeler", "assigned_reviewer"} - {role}
    assert getattr(updated, other.pop()) == "lena"


def test_a_sample_cannot_be_assigned_to_nobody_that_is_known(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    answer = admin_wire.send("PATCH", f"/samples/{sample.uuid}/", {"assigned_labeler": "zebra"})
    assert answer.status_code == 400
    assert answer.json()["field"] == "assigned_labeler"
    assert "zebra" not in answer.text


def test_a_sample_cannot_take_the_name_of_another(make_sample: MakeSample) -> None:
    first = make_sample()
    second = make_sample(dataset=first.dataset)
    with pytest.raises(AlreadyExistsError):
        second.update(name=first.name)
    assert sorted(names(first.dataset.get_samples())) == sorted([first.name, second.name])


@pytest.mark.parametrize(
    ("sort", "direction", "expected"),
    [
        ("name", "asc", ["B.png", "a.png", "b.png", "c (1).png"]),
        ("name", "desc", ["c (1).png", "b.png", "a.png", "B.png"]),
        ("created_at", "asc", ["b.png", "a.png", "c (1).png", "B.png"]),
        ("created_at", "desc", ["B.png", "c (1).png", "a.png", "b.png"]),
        ("priority", "asc", ["a.png", "B.png", "b.png", "c (1).png"]),
        ("priority", "desc", ["c (1).png", "b.png", "B.png", "a.png"]),
    ],
)
def test_samples_are_sorted(street: Dataset, sort: Any, direction: Any, expected: list[str]) -> None:
    assert names(street.get_samples(sort=sort, direction=direction)) == expected


def test_samples_are_sorted_by_the_time_of_their_ground_truth(street: Dataset) -> None:
    oldest_first = names(street.get_samples(sort="gt_label__updated_at"))
    newest_first = names(street.get_samples(sort="gt_label__updated_at", direction="desc"))
    labelled = {"a.png", "b.png"}
    assert [name for name in oldest_first if name in labelled] == ["b.png", "a.png"]
    assert [name for name in newest_first if name in labelled] == ["a.png", "b.png"]
    assert len(oldest_first) == len(newest_first) == 4


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"name": "b"}, ["b.png"]),
        ({"name": "(1)"}, ["c (1).png"]),
        ({"name": "%"}, []),
        ({"name": "_"}, []),
        ({"label_status": "LABELED"}, ["b.png"]),
        ({"label_status": ["LABELED", "REVIEWED"]}, ["a.png", "b.png"]),
        ({"label_status": "UNLABELED"}, ["B.png", "c (1).png"]),
        ({"label_status": "SKIPPED"}, []),
        ({"metadata": "city:Ghent"}, ["a.png", "b.png"]),
        ({"metadata": ["city:Ghent", "lane:2"]}, ["a.png"]),
        ({"metadata": "city:Bruges"}, []),
    ],
)
def test_samples_are_filtered(street: Dataset, query: dict[str, Any], expected: list[str]) -> None:
    assert names(street.get_samples(**query)) == expected


def test_samples_come_in_pages(street: Dataset) -> None:
    first, second = (names(street.get_samples(per_page=3, page=page)) for page in (1, 2))
    assert (first, second) == (["B.png", "a.png", "b.png"], ["c (1).png"])


def test_a_page_of_samples_beyond_the_last_one_is_not_found(street: Dataset) -> None:
    with pytest.raises(NotFoundError):
        street.get_samples(per_page=4, page=3)


def test_an_empty_dataset_has_an_empty_first_page(make_dataset: MakeDataset) -> None:
    assert make_dataset().get_samples(per_page=10, page=1) == []


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "-created"},
        {"sort": "-None"},
        {"per_page": "desc"},
        {"page": "", "per_page": ""},
        {"labelset": "ada/some-dataset"},
        {"filters": "UNLABELED"},
        {"filters": ":,::"},
        {"label_status": "UNHEARD-OF,"},
        {"lib_version": "1"},
    ],
)
def test_a_query_that_makes_no_sense_still_gets_a_list(
    street: Dataset, admin_wire: Wire, query: dict[str, str]
) -> None:
    answer = admin_wire.get(f"/datasets/{street.full_name}/samples/", **query)
    assert answer.status_code == 200, answer.text
    assert isinstance(answer.json(), list)


def test_a_listing_with_a_label_set_carries_a_summary_of_each_label(street: Dataset) -> None:
    by_name = {sample.name: sample.label for sample in street.get_samples(labelset="ground-truth")}
    assert by_name["a.png"].label_status == "REVIEWED"
    assert by_name["a.png"].score == 0.5
    assert not hasattr(by_name["a.png"], "attributes")
    assert by_name["c (1).png"] is None or by_name["c (1).png"].label_status == "UNLABELED"


def test_a_listing_with_full_labels_carries_them(street: Dataset, admin: SegmentsClient) -> None:
    by_name = {s.name: s for s in street.get_samples(labelset="ground-truth", include_full_label=True)}
    sample = by_name["b.png"]
    assert sample.label.model_dump() == admin.get_label(sample.uuid).model_dump()
    assert by_name["B.png"].label is None


def test_one_sample_is_read_with_its_label(street: Dataset, admin: SegmentsClient) -> None:
    uuid_of = {sample.name: sample.uuid for sample in street.get_samples()}
    sample = admin.get_sample(uuid_of["b.png"], labelset="ground-truth")
    assert sample.label.model_dump() == admin.get_label(sample.uuid).model_dump()
    assert admin.get_sample(uuid_of["B.png"], labelset="ground-truth").label is None


def test_the_sdks_doubled_question_mark_is_understood(street: Dataset, admin: SegmentsClient) -> None:
    uuid_of = {sample.name: sample.uuid for sample in street.get_samples()}
    plain = admin.get_sample(uuid_of["b.png"], labelset="ground-truth")
    signed = admin.get_sample(uuid_of["b.png"], labelset="ground-truth", include_signed_url=True)
    assert signed.label == plain.label


def test_signed_urls_are_given_when_asked_for(make_sample: MakeSample, admin: SegmentsClient, image_url: str) -> None:
    sample = make_sample()
    signed = admin.get_sample(sample.uuid, include_signed_url=True).attributes.image
    assert signed.url == image_url
    assert bytes_at(signed.signed_url) == bytes_at(image_url)
    assert admin.get_sample(sample.uuid).attributes.image.signed_url is None


def test_a_deleted_sample_is_gone_and_its_name_is_free(make_sample: MakeSample, admin: SegmentsClient) -> None:
    sample = make_sample()
    dataset = sample.dataset
    sample.add_label("ground-truth", vector_label(bbox(1)))
    sample.delete()
    with pytest.raises(NotFoundError):
        admin.get_sample(sample.uuid)
    with pytest.raises(NotFoundError):
        admin.get_label(sample.uuid)
    assert dataset.get_samples() == []
    again = dataset.add_sample(sample.name, IMAGE)
    assert again.uuid != sample.uuid
    with pytest.raises(NotFoundError):
        again.get_label()


def test_samples_are_deleted_by_the_batch_and_unknown_ones_skipped(make_sample: MakeSample) -> None:
    first = make_sample()
    dataset = first.dataset
    second, third = make_sample(dataset=dataset), make_sample(dataset=dataset)
    gone = dataset.delete_samples([first.uuid, str(uuid.uuid4()), third.uuid])
    assert gone.deleted_count == 2
    assert names(dataset.get_samples()) == [second.name]


def test_an_earlier_state_of_a_sample_can_be_read(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample(metadata={"take": 1})
    head = admin_wire.head(sample.dataset.full_name)
    sample.update(metadata={"take": 2}, priority=9)
    path = f"/samples/{sample.uuid}/"
    then = admin_wire.get(path, at=head).json()
    assert (then["metadata"], then["priority"]) == ({"take": 1}, 0)
    assert admin_wire.get(path).json()["metadata"] == {"take": 2}
    assert admin_wire.get(path, at=1).status_code == 404


def test_a_labeler_reads_samples_and_does_not_change_them(make_sample: MakeSample, labeler: SegmentsClient) -> None:
    sample = make_sample(priority=3)
    assert labeler.get_sample(sample.uuid).name == sample.name
    with pytest.raises(AuthorizationError):
        labeler.update_sample(sample.uuid, priority=9)
    with pytest.raises(AuthorizationError):
        labeler.add_sample(sample.dataset.full_name, "mine.png", IMAGE)
    with pytest.raises(AuthorizationError):
        labeler.delete_sample(sample.uuid)
    assert labeler.get_sample(sample.uuid).priority == 3


def test_a_body_that_is_not_compressed_is_taken_too(make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    sample = dataset.add_sample("plain.png", IMAGE, enable_compression=False)
    assert sample.update(readme="plain", enable_compression=False).readme == "plain"


def test_a_bulk_upload_of_several_megabytes_is_taken(make_dataset: MakeDataset, admin: SegmentsClient) -> None:
    dataset = make_dataset()
    bulk = [{"name": f"{n:03}.png", "attributes": IMAGE, "metadata": {"note": f"{n}" * 10_000}} for n in range(150)]
    assert len(admin.add_samples(dataset.full_name, bulk, enable_compression=False)) == 150
    assert len(dataset.get_samples(per_page=1000)) == 150


def test_a_sample_that_does_not_fit_the_task_type_is_refused(make_dataset: MakeDataset, admin: SegmentsClient) -> None:
    dataset = make_dataset("vector")
    with pytest.raises(NetworkError) as refused:
        admin.add_sample(dataset.full_name, "cloud.bin", sample_attributes("pointcloud-cuboid", ""))
    assert type(refused.value) is NetworkError
    assert dataset.get_samples() == []
