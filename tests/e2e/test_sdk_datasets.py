"""The SDK's calls about users and datasets, against the real server."""

from __future__ import annotations

from typing import Any

import pytest
from segments import SegmentsClient
from segments.exceptions import AuthorizationError, NetworkError, NotFoundError
from segments.resource_api import Dataset
from segments.typing import User

from tests.e2e.conftest import MakeDataset, MakeSample
from tests.e2e.documents import ALL_TYPES, TASK_ATTRIBUTES, bbox, vector_label
from tests.e2e.wire import Wire

DEFAULTS: dict[str, Any] = {
    "description": "",
    "category": "other",
    "public": False,
    "archived": False,
    "readme": "",
    "metadata": {},
    "enable_skip_labeling": True,
    "enable_skip_reviewing": False,
    "enable_ratings": False,
    "enable_interpolation": True,
    "use_timestamps_for_interpolation": True,
    "enable_same_dimensions_track_constraint": False,
    "enable_save_button": False,
    "enable_label_status_verified": False,
    "enable_3d_cuboid_rotation": False,
    "enable_3d_region_of_interest": False,
    "enable_confirm_on_submit": False,
    "labeling_inactivity_timeout_seconds": 300,
}
OTHER: dict[str, Any] = {
    "description": "Streets of Ghent, wet",
    "category": "street_scenery",
    "public": True,
    "archived": True,
    "readme": "# How to label\n\nTight boxes, please — “really” tight. 🚗",
    "metadata": {"camera": {"id": 3, "serials": ["A-1", None]}, "ratio": 0.1},
    "enable_skip_labeling": False,
    "enable_skip_reviewing": True,
    "enable_ratings": True,
    "enable_interpolation": False,
    "use_timestamps_for_interpolation": False,
    "enable_same_dimensions_track_constraint": True,
    "enable_save_button": True,
    "enable_label_status_verified": True,
    "enable_3d_cuboid_rotation": True,
    "enable_3d_region_of_interest": True,
    "enable_confirm_on_submit": True,
    "labeling_inactivity_timeout_seconds": 45,
    "enable_object_linking": True,
    "enable_object_link_category_restrictions": True,
    "enable_extrapolation": True,
    "region_of_interest": {"min": {"x": -10.5}, "max": {"x": 40}},
}


def as_arguments(settings: dict[str, Any]) -> dict[str, Any]:
    """The SDK calls one setting by another name than the wire does."""
    return {{"enable_confirm_on_submit": "enable_confirm_on_commit"}.get(k, k): v for k, v in settings.items()}


def test_a_client_learns_who_it_is(admin: SegmentsClient, labeler: SegmentsClient) -> None:
    me = admin.get_user()
    assert isinstance(me, User)
    assert (me.username, me.is_organization) == ("ada", False)
    assert labeler.get_user().username == "lena"


def test_one_person_can_look_up_another(admin: SegmentsClient) -> None:
    other = admin.get_user("lena")
    assert (other.username, other.is_organization) == ("lena", False)


def test_a_name_that_nobody_has_is_not_found(admin: SegmentsClient) -> None:
    with pytest.raises(NotFoundError):
        admin.get_user("abcde" * 10)


@pytest.mark.parametrize("path", ["/user", "/user/", "/users/lena", "/users/lena/", "/api_status/", "/api_status"])
def test_a_path_answers_with_and_without_its_last_slash(admin_wire: Wire, path: str) -> None:
    answer = admin_wire.get(path)
    assert answer.status_code in (200, 204)
    assert not answer.history


def test_a_new_dataset_has_the_protocols_defaults(admin: SegmentsClient, unused: str) -> None:
    dataset = admin.add_dataset(unused, task_type="vector")
    assert isinstance(dataset, Dataset)
    assert (dataset.name, dataset.full_name, dataset.owner.username) == (unused, f"ada/{unused}", "ada")
    assert dataset.task_type == "vector"
    assert {name: getattr(dataset, name) for name in DEFAULTS} == DEFAULTS
    assert dataset.role == "admin"
    assert dataset.samples_count == 0


def test_a_dataset_is_created_with_every_setting(admin: SegmentsClient, unused: str) -> None:
    settings = {k: v for k, v in OTHER.items() if k != "use_timestamps_for_interpolation"}
    created = admin.add_dataset(unused, task_type="bboxes", task_attributes=TASK_ATTRIBUTES, **as_arguments(settings))
    read = admin.get_dataset(f"ada/{unused}")
    for dataset in (created, read):
        assert {name: getattr(dataset, name) for name in settings} == settings
    assert read.model_dump() == created.model_dump()


@pytest.mark.parametrize("setting", OTHER)
def test_an_update_changes_one_setting_and_no_other(make_dataset: MakeDataset, setting: str) -> None:
    before = make_dataset()
    after = before.update(**as_arguments({setting: OTHER[setting]}))
    assert isinstance(after, Dataset)
    read = after._client.get_dataset(before.full_name)
    expected = before.model_dump() | {setting: OTHER[setting]}
    for dataset in (after, read):
        assert dataset.model_dump() == expected


def test_an_update_that_changes_nothing_leaves_the_log_as_it_is(make_dataset: MakeDataset, admin_wire: Wire) -> None:
    dataset = make_dataset(description="as it is", category="garden")
    head = admin_wire.head(dataset.full_name)
    dataset.update(description="as it is", category="garden", public=False, task_attributes=TASK_ATTRIBUTES)
    assert admin_wire.head(dataset.full_name) == head


@pytest.mark.parametrize("task_type", ALL_TYPES)
def test_a_dataset_can_have_each_task_type(make_dataset: MakeDataset, admin: SegmentsClient, task_type: str) -> None:
    dataset = make_dataset(task_type)
    assert admin.get_dataset(dataset.full_name).task_type == task_type


def test_task_attributes_are_kept_word_for_word(make_dataset: MakeDataset, admin_wire: Wire) -> None:
    document = {
        "format_version": 0.2,
        "categories": [
            {
                "id": 0,
                "name": "truck",
                "color": [1, 2, 3, 4],
                "dimensions": {"x": 6.5},
                "lock_dimensions": {"x": True},
                "link_attributes": [{"name": "hitch", "input_type": "checkbox", "is_track_level": False}],
                "link_category_restrictions": [],
                "attributes": [
                    {"name": "axles", "input_type": "number", "min": "", "max": "", "step": ""},
                    {"name": "cargo", "input_type": "multiselect", "values": ["sand", ""], "default_value": None},
                    {"name": "heading", "input_type": "quaternion", "is_track_level": True},
                    {"name": "vin", "input_type": "text", "synced_across_sensors": True, "sensor_filter": "lidar"},
                ],
            },
            {"id": 3, "name": "truck", "color": None, "attributes": []},
        ],
        "warning_rules": [{"name": "cuboid-dimension-limits", "categories": [0], "max": {"z": 4.5}}],
        "circle_radius": 2.5,
    }
    path = f"/datasets/{make_dataset().full_name}/"
    answer = admin_wire.send("PATCH", path, {"task_attributes": document})
    assert answer.status_code == 200, answer.text
    assert answer.json()["task_attributes"] == document
    assert admin_wire.get(path).json()["task_attributes"] == document


@pytest.mark.parametrize("text", ['<img src="{}">', "![a photograph]({})", "{}", '"{}" {{"$int":"5"}} \\'])
def test_an_address_of_ours_in_a_text_comes_back_as_it_was_written(
    make_dataset: MakeDataset, admin: SegmentsClient, image_url: str, text: str
) -> None:
    readme = text.format(image_url)
    dataset = make_dataset(readme=readme)
    assert admin.get_dataset(dataset.full_name).readme == readme


def test_a_dataset_begins_with_the_ground_truth_label_set(make_dataset: MakeDataset) -> None:
    [labelset] = make_dataset().get_labelsets()
    assert (labelset.name, labelset.is_groundtruth) == ("ground-truth", True)


def test_ones_own_datasets_are_listed(make_dataset: MakeDataset, admin: SegmentsClient) -> None:
    dataset = make_dataset()
    assert dataset.full_name in {d.full_name for d in admin.get_datasets()}
    assert dataset.full_name in {d.full_name for d in admin.get_datasets("ada")}


def test_shared_datasets_are_listed_for_a_member(make_dataset: MakeDataset, labeler: SegmentsClient) -> None:
    dataset = make_dataset()
    assert dataset.full_name in {d.full_name for d in labeler.get_datasets()}
    assert labeler.get_dataset(dataset.full_name).role == "labeler"


def test_others_see_the_public_datasets_of_a_person_only(make_dataset: MakeDataset, outsider: SegmentsClient) -> None:
    private, public = make_dataset(), make_dataset(public=True)
    seen = {d.full_name for d in outsider.get_datasets("ada")}
    assert public.full_name in seen
    assert private.full_name not in seen
    assert outsider.get_dataset(public.full_name).name == public.name


def test_a_public_dataset_can_be_read_and_not_changed_by_others(
    make_dataset: MakeDataset, outsider: SegmentsClient
) -> None:
    dataset = make_dataset(public=True)
    with pytest.raises(AuthorizationError):
        outsider.update_dataset(dataset.full_name, description="mine now")
    assert outsider.get_dataset(dataset.full_name).description == ""


def test_a_labeler_cannot_change_the_dataset(make_dataset: MakeDataset, labeler: SegmentsClient) -> None:
    dataset = make_dataset()
    with pytest.raises(AuthorizationError):
        labeler.update_dataset(dataset.full_name, description="mine now")
    assert labeler.get_dataset(dataset.full_name).description == ""


def test_datasets_come_in_pages(outsider: SegmentsClient, unused: str) -> None:
    made = {outsider.add_dataset(f"{unused}-{n}").full_name for n in range(3)}
    total = len(outsider.get_datasets())
    pages = [outsider.get_datasets(per_page=2, page=number) for number in range(1, (total + 1) // 2 + 1)]
    assert all(len(page) == 2 for page in pages[:-1])
    names = [dataset.full_name for page in pages for dataset in page]
    assert len(names) == len(set(names)) == total
    assert made <= set(names)


def test_a_page_beyond_the_last_one_is_not_found(admin: SegmentsClient) -> None:
    with pytest.raises(NotFoundError):
        admin.get_datasets(per_page=1000, page=4000)


def test_a_dataset_counts_its_samples_and_their_statuses(make_sample: MakeSample, admin: SegmentsClient) -> None:
    first = make_sample()
    make_sample(dataset=first.dataset)
    admin.add_label(first.uuid, "ground-truth", vector_label(bbox(1)), "LABELED")
    dataset = admin.get_dataset(first.dataset.full_name)
    stats = dataset.label_stats.model_dump(exclude_none=True)
    assert dataset.samples_count == 2
    assert (stats["TOTAL"], stats["LABELED"], stats["UNLABELED"]) == (2, 1, 1)
    assert not any(count for status, count in stats.items() if status not in ("TOTAL", "LABELED", "UNLABELED"))


def test_a_deleted_dataset_is_gone_and_its_name_is_free(admin: SegmentsClient, make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    dataset.delete()
    with pytest.raises(NotFoundError):
        admin.get_dataset(dataset.full_name)
    again = admin.add_dataset(dataset.name, description="the second of this name")
    assert admin.get_dataset(again.full_name).description == "the second of this name"


def test_the_settings_of_an_earlier_offset_can_be_read(make_dataset: MakeDataset, admin_wire: Wire) -> None:
    dataset = make_dataset(description="before")
    before = admin_wire.head(dataset.full_name)
    dataset.update(description="after", enable_ratings=True)
    path = f"/datasets/{dataset.full_name}/"
    then = admin_wire.get(path, at=before).json()
    now = admin_wire.get(path, at=admin_wire.head(dataset.full_name)).json()
    assert (then["description"], then["enable_ratings"]) == ("before", False)
    assert (now["description"], now["enable_ratings"]) == ("after", True)


def test_the_category_must_be_one_of_the_protocols(admin_wire: Wire, unused: str) -> None:
    answer = admin_wire.send(
        "POST", "/user/datasets/", {"name": unused, "task_type": "vector", "category": "custom-zebra"}
    )
    assert answer.status_code == 400
    assert answer.json()["field"] == "category"
    assert "zebra" not in answer.text


def test_a_task_type_that_does_not_exist_is_refused(admin: SegmentsClient, unused: str) -> None:
    with pytest.raises(NetworkError) as refused:
        admin.add_dataset(unused, task_type="text-named-entities")
    assert type(refused.value) is NetworkError
    with pytest.raises(NotFoundError):
        admin.get_dataset(f"ada/{unused}")
