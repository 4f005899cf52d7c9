"""Datasets and label sets over the API, in the protocol's shapes; and as they were."""

from __future__ import annotations

from typing import Any

import pytest

JSON = dict[str, Any]
BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
REQUIRED = {
    "name", "full_name", "description", "category", "public", "archived", "owner", "created_at", "enable_ratings",
    "enable_skip_labeling", "enable_skip_reviewing", "enable_save_button", "enable_label_status_verified",
    "enable_same_dimensions_track_constraint", "enable_3d_region_of_interest", "enable_interpolation",
    "use_timestamps_for_interpolation", "enable_object_linking", "task_type", "label_stats", "metadata",
}  # fmt: skip
NEW = {"name": "streets", "task_type": "vector", "task_attributes": {"categories": [{"id": 1, "name": "car"}]}}


@pytest.fixture
def ana(caller):
    return caller("ana")


@pytest.mark.parametrize("slash", ["/", ""])
def test_a_dataset_is_made_and_read_in_the_protocols_shape(ana, slash):
    made = ana.post(f"/user/datasets{slash}", NEW | {"data_type": "IMAGE", "description": "d", "metadata": None})
    assert made.status == 201 and made.json.keys() >= REQUIRED
    assert not any(value is None for key, value in made.json.items() if key.startswith("enable_"))
    said = {key: made.json[key] for key in ("full_name", "category", "label_stats", "metadata", "role", "labelsets")}
    truth = {"name": "ground-truth", "description": "", "is_groundtruth": True}
    assert said.pop("labelsets")[0].items() >= truth.items()
    assert said == {
        "full_name": "ana/streets", "category": "other", "label_stats": {"TOTAL": 0}, "metadata": {}, "role": "admin",
    }  # fmt: skip
    assert made.json["owner"].items() >= {"username": "ana", "is_organization": False}.items()
    read = ana.get(f"/datasets/ana/streets{slash}")
    assert (read.status, read.json) == (200, made.json)
    assert read.headers["Dataset-Offset"] == made.headers["Dataset-Offset"] == "3"


def test_the_region_of_interest_is_left_out_where_there_is_none(ana):
    assert "region_of_interest" not in ana.post("/user/datasets/", NEW).json
    region = {"x": 1}
    assert ana.patch("/datasets/ana/streets/", {"region_of_interest": region}).json["region_of_interest"] == region


@pytest.mark.parametrize(
    "change, field",
    [
        ({"name": None}, "name"), ({"name": "a b"}, "name"), ({"task_type": "x"}, "task_type"),
        ({"task_attributes": []}, "task_attributes"), ({"public": 1}, "public"), ({"category": "cars"}, "category"),
        ({"metadata": []}, "metadata"), ({"enable_ratings": "no"}, "enable_ratings"),
    ],
)  # fmt: skip
def test_a_dataset_that_does_not_fit_is_refused_by_its_field(ana, change, field):
    answer = ana.post("/user/datasets/", NEW | change)
    assert (answer.status, answer.json["field"]) == (400, field)
    assert ana.get("/user/datasets/").json == []
    for missing in ("name", "task_type"):
        body = {key: value for key, value in NEW.items() if key != missing}
        assert ana.post("/user/datasets/", body).json["field"] == missing


def test_a_taken_name_is_told_in_the_protocols_words(ana):
    ana.post("/user/datasets/", NEW)
    answer = ana.post("/user/datasets/", NEW)
    assert (answer.status, answer.json) == (
        409, {"detail": "Dataset with this name already exists.", "code": "already_exists", "field": "name"},
    )  # fmt: skip


def test_a_retried_creation_answers_the_same_dataset(ana):
    answers = [ana.post("/user/datasets/", NEW, Idempotency_Key="k") for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201] and answers[0].json == answers[1].json
    answer = ana.post("/user/datasets/", NEW | {"name": "roads"}, Idempotency_Key="k")
    assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused")


def test_nobody_makes_datasets_for_others_but_who_runs_the_installation(ana, caller, person):
    person("firm", kind="organization")
    assert ana.post("/organizations/firm/datasets/", NEW).status == 403
    assert ana.post("/organizations/nobody/datasets/", NEW).status == 404
    made = caller("root", superuser=True).post("/organizations/firm/datasets/", NEW)
    assert made.json["full_name"] == "firm/streets" and made.json["owner"]["is_organization"]


def test_a_patch_changes_what_it_names(ana):
    made = ana.post("/user/datasets/", NEW).json
    answer = ana.patch("/datasets/ana/streets/", {"readme": "# r", "name": "roads", "odd": 1})
    assert answer.json == made | {"readme": "# r", "name": "roads", "full_name": "ana/roads"}
    assert ana.get("/datasets/ana/streets/").status == 404
    assert ana.patch("/datasets/ana/roads/", {"task_attributes": None}).json["task_attributes"] is None
    assert ana.patch("/datasets/ana/roads/", {}).headers["Dataset-Offset"] == "6"
    refused = ana.patch("/datasets/ana/roads/", {"task_type": "bboxes"})
    assert (refused.status, refused.json["code"]) == (409, "refused")


def test_a_deleted_dataset_is_gone(ana):
    ana.post("/user/datasets/", NEW)
    answer = ana.delete("/datasets/ana/streets/")
    assert (answer.status, answer.raw) == (204, b"")
    for gone in (ana.get("/datasets/ana/streets/"), ana.delete("/datasets/ana/streets/")):
        assert (gone.status, gone.detail) == (404, "Not found.")
    assert ana.post("/user/datasets/", NEW).status == 201


def test_lists_hold_what_the_caller_may_see(ana, caller):
    ben = caller("ben")
    for name, public in (("b-open", True), ("a-open", True), ("closed", False)):
        ana.post("/user/datasets/", NEW | {"name": name, "public": public})
    assert [item["name"] for item in ana.get("/user/datasets/").json] == ["a-open", "b-open", "closed"]
    assert [item["name"] for item in ben.get("/users/ana/datasets/").json] == ["a-open", "b-open"]
    assert ben.get("/user/datasets/").json == [] and ben.get("/users/nobody/datasets/").status == 404
    ana.post("/datasets/ana/closed/collaborators/", {"user": "ben", "role": "viewer"})
    (seen,) = ben.get("/user/datasets/").json
    assert (seen["name"], seen["role"], seen["palimpsest_role"]) == ("closed", None, "viewer")
    paged = [ana.get(f"/user/datasets/?per_page=2&page={page}").json for page in (1, 2)]
    assert [[item["name"] for item in page] for page in paged] == [["a-open", "b-open"], ["closed"]]


def test_labels_are_counted_by_their_status(street, sample):
    other = sample(street.id, street.ana.person)
    street.ana.put(f"{street.label}/", {"attributes": {"annotations": []}, "label_status": "REVIEWED"})
    assert street.ana.get(street.path).json["label_stats"] == {"TOTAL": 2, "REVIEWED": 1, "UNLABELED": 1}
    street.ana.delete(f"{street.label}/")
    street.ana.delete(f"/samples/{other}/")
    assert street.ana.get(street.path).json["label_stats"] == {"TOTAL": 1, "UNLABELED": 1}


# --- as it was -----------------------------------------------------------------------------------------------------


def test_a_dataset_as_it_was_at_an_offset_and_at_a_time(street):
    shown = {street.head: street.ana.get(street.path)}
    street.ana.put(f"{street.label}/", {"attributes": {"annotations": [BOX]}, "label_status": "LABELED"})
    shown[street.head] = street.ana.get(street.path)
    street.ana.patch(street.path, {"readme": "# r", "task_attributes": {"categories": []}})
    shown[street.head] = street.ana.get(street.path)
    street.ana.post(f"{street.path}/labelsets/", {"name": "model"})
    street.ana.delete(f"{street.label}/")
    events = street.ana.get(f"{street.path}/events/").json
    for offset, answer in shown.items():
        again = street.ana.get(f"{street.path}/?at={offset}")
        assert (again.json, again.headers["Dataset-Offset"]) == (answer.json, str(offset))
        moment = events[offset - 1]["recorded_at"]
        assert street.ana.get(f"{street.path}/?at={moment}").json == answer.json
    assert street.ana.get(f"{street.path}/?at=999999").json == street.ana.get(street.path).json
    for before in ("0", "1999-01-01T00:00:00Z"):
        assert street.ana.get(f"{street.path}/?at={before}").status == 404


def test_the_past_is_for_members_also_of_a_public_dataset(make_street, caller):
    street = make_street(public=True)
    street.ana.put(f"{street.label}/", {"attributes": {"annotations": [BOX]}})
    stranger = caller("stranger")
    paths = [street.path, street.label, f"/samples/{street.sample}", f"{street.path}/samples"]
    for path in paths:
        assert stranger.get(f"{path}/").status == 200
        answer = stranger.get(f"{path}/?at={street.head}")
        assert (answer.status, answer.json["code"]) == (403, "not_permitted")
        assert street.ben.get(f"{path}/?at={street.head}").status == 200
    for path in (f"{street.path}/events/", f"{street.label}/events/"):
        assert (stranger.get(path).status, street.ben.get(path).status) == (403, 200)


# --- label sets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["/", ""])
def test_label_sets(street, slash):
    sets = f"{street.path}/labelsets"
    made = street.ana.post(f"{sets}{slash}", {"name": "model", "description": "d", "attributes": "{}"})
    assert made.status == 201
    assert made.json == {
        "name": "model", "description": "d", "is_groundtruth": False, "created_at": made.json["created_at"],
    }  # fmt: skip
    assert street.ben.get(f"{sets}/model{slash}").json == made.json
    assert [item["name"] for item in street.ben.get(f"{sets}{slash}").json] == ["ground-truth", "model"]
    assert street.ana.post(f"{sets}{slash}", {"name": "model"}).detail == "Labelset with this name already exists."
    assert street.ben.delete(f"{sets}/model{slash}").status == 403
    assert street.ana.delete(f"{sets}/model{slash}").status == 204
    for gone in (street.ana.get(f"{sets}/model{slash}"), street.ana.delete(f"{sets}/model{slash}")):
        assert (gone.status, gone.detail) == (404, "Not found.")
    assert street.ana.delete(f"{sets}/ground-truth{slash}").status == 409
    faults = [
        ({}, "name"),
        ({"name": 5}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "a", "description": 5}, "description"),
    ]
    for body, field in faults:
        assert street.ana.post(f"{sets}{slash}", body).json["field"] == field


@pytest.mark.parametrize("description", [False, 0, [], {}])
def test_a_description_of_a_label_set_is_a_text_or_none(street, description):
    assert street.ana.post(f"{street.path}/labelsets/", {"name": "x", "description": description}).status == 400
    assert street.ana.post(f"{street.path}/labelsets/", {"name": "x", "description": None}).json["description"] == ""
