"""Organisations over the API: founded, joined, left; what their members see, and what strangers do not."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.log import store
from labeling.log.event import INSTALLATION
from labeling.texts import decrypt_all

JSON = dict[str, Any]


@pytest.fixture(autouse=True)
def no_reasons(settings):
    """What needs a reason has a test of its own, below."""
    settings.REASONS_REQUIRED = []


@pytest.fixture
def root(caller):
    return caller("root-of-all", superuser=True)


@pytest.fixture
def firm(root, caller):
    """An organisation that bodo administers and mona belongs to."""
    assert root.post("/organizations/", {"username": "firm"}).status == 201
    for username, role in (("bodo", "administrator"), ("mona", "member")):
        caller(username)
        assert root.post("/organizations/firm/members/", {"user": username, "role": role}).status == 201
    assert root.delete("/organizations/firm/members/root-of-all").status == 204
    return "/organizations/firm"


def names(users: list[JSON]) -> list[str]:
    return [user["username"] for user in users]


@pytest.mark.parametrize("slash", ["/", ""])
def test_who_runs_the_installation_founds_an_organisation(root, slash):
    made = root.post(f"/organizations{slash}", {"username": "firm", "email": "office@example.org"})
    assert made.status == 201
    assert made.json == {
        "username": "firm",
        "created_at": made.json["created_at"],
        "is_organization": True,
        "organization_role": "admin",
        "palimpsest_organization_role": "administrator",
        "organization_created_by": "root-of-all",
        "members": made.json["members"],
    }
    assert names(made.json["members"]) == ["root-of-all"]
    assert names(root.get(f"/organizations{slash}").json) == ["firm"]
    taken = root.post("/organizations/", {"username": "firm"})
    assert (taken.status, taken.json["code"]) == (409, "already_exists")


@pytest.mark.parametrize(
    "body, field",
    [({}, "username"), ({"username": 5}, "username"), ({"username": "a b"}, "username"),
     ({"username": "x", "email": 5}, "email"), ({"username": "x", "email": "x" * 255}, "email")],
)  # fmt: skip
def test_an_organisation_that_does_not_fit_is_refused_by_its_field(root, body, field):
    answer = root.post("/organizations/", body)
    assert (answer.status, answer.json["field"]) == (400, field)


def test_others_found_none(caller):
    answer = caller("ben").post("/organizations/", {"username": "firm"})
    assert answer.status == 403 and "do not have permission" in answer.detail


def test_members_see_each_other_and_strangers_see_the_name(firm, caller, root):
    mona, stranger = caller("mona"), caller("stranger")
    shown = mona.get("/users/firm").json
    assert names(shown["members"]) == ["bodo", "mona"]
    assert shown["organization_created_by"] == "root-of-all"
    assert shown["palimpsest_organization_role"] == "member" and "organization_role" not in shown
    assert [user["palimpsest_organization_role"] for user in shown["members"]] == ["administrator", "member"]
    assert shown["members"] == mona.get(f"{firm}/members/").json
    assert stranger.get("/users/firm").json == {
        "username": "firm", "created_at": shown["created_at"], "is_organization": True,
    }  # fmt: skip
    assert names(root.get("/users/firm").json["members"]) == ["bodo", "mona"]
    for path in (f"{firm}/members/", f"{firm}/members/mona"):
        refused = stranger.get(path)
        assert refused.status == 403 and "do not have permission" in refused.detail


def test_the_caller_sees_their_organisations(firm, caller):
    for username, role in (("bodo", "admin"), ("mona", None)):
        (shown,) = caller(username).get("/user/").json["organizations"]
        assert (shown["username"], shown.get("organization_role")) == ("firm", role)
    assert caller("stranger").get("/user/").json["organizations"] == []
    assert "organizations" not in caller("stranger").get("/users/mona").json


@pytest.mark.parametrize("slash", ["/", ""])
def test_an_administrator_manages_members(firm, caller, slash):
    bodo, pim = caller("bodo"), caller("pim")
    added = bodo.post(f"{firm}/members{slash}", {"user": "pim"})
    assert (added.status, added.json["palimpsest_organization_role"]) == (201, "member")
    assert bodo.get(f"{firm}/members/pim{slash}").json == added.json
    changed = bodo.patch(f"{firm}/members/pim{slash}", {"role": "administrator"})
    assert (changed.status, changed.json["organization_role"]) == (200, "admin")
    assert pim.delete(f"{firm}/members/bodo{slash}").status == 204
    assert names(pim.get(f"{firm}/members{slash}").json) == ["mona", "pim"]


@pytest.mark.parametrize(
    "body, status, field",
    [({}, 400, "user"), ({"user": 5}, 400, "user"), ({"user": "nobody-there"}, 404, None),
     ({"user": "pim", "role": "admin"}, 400, "role"), ({"user": "pim", "role": None}, 400, "role"),
     ({"user": "firm"}, 400, "user"), ({"user": "mona"}, 409, None)],
)  # fmt: skip
def test_a_member_that_does_not_fit_is_refused(firm, caller, body, status, field):
    caller("pim")
    answer = caller("bodo").post(f"{firm}/members/", body)
    assert (answer.status, answer.json.get("field")) == (status, field)


def test_members_leave_but_manage_nobody(firm, caller):
    mona = caller("mona")
    for answer in (
        mona.post(f"{firm}/members/", {"user": "mona"}),
        mona.patch(f"{firm}/members/mona", {"role": "administrator"}),
        mona.delete(f"{firm}/members/bodo"),
    ):
        assert answer.status == 403 and "need to be an administrator" in answer.detail
    assert mona.delete(f"{firm}/members/mona").status == 204
    assert mona.get(f"{firm}/members/").status == 403


def test_the_last_administrator_is_told_in_the_sdks_words(firm, caller):
    bodo = caller("bodo")
    for answer in (bodo.delete(f"{firm}/members/bodo"), bodo.patch(f"{firm}/members/bodo", {"role": "member"})):
        assert answer.status == 409 and "cannot leave the organization" in answer.detail


def test_what_is_no_organisation_or_no_member_is_not_found(firm, caller):
    bodo = caller("bodo")
    caller("pim")
    for answer in (
        bodo.get("/organizations/bodo/members/"),
        bodo.post("/organizations/bodo/members/", {"user": "pim"}),
        bodo.get("/organizations/bodo/datasets/"),
        bodo.post("/organizations/bodo/datasets/", {"name": "x", "task_type": "vector"}),
        bodo.get("/organizations/nobody-there/datasets/"),
        bodo.get(f"{firm}/members/pim"),
        bodo.patch(f"{firm}/members/pim", {"role": "member"}),
        bodo.delete(f"{firm}/members/pim"),
        bodo.delete(f"{firm}/members/nobody-there"),
    ):
        assert (answer.status, answer.detail) == (404, "Not found.")


# --- its datasets --------------------------------------------------------------------------------------------------


def test_a_member_creates_a_dataset_that_others_of_the_organisation_see(firm, caller, root):
    mona, bodo, stranger = caller("mona"), caller("bodo"), caller("stranger")
    made = mona.post(f"{firm}/datasets/", {"name": "streets", "task_type": "vector"})
    assert (made.status, made.json["full_name"], made.json["role"]) == (201, "firm/streets", "admin")
    assert made.json["owner"]["is_organization"] is True
    assert bodo.get("/datasets/firm/streets/").json["role"] == "admin"
    assert stranger.get("/datasets/firm/streets/").status == 404
    for path in (f"{firm}/datasets/", "/users/firm/datasets/", "/user/datasets/"):
        assert [item["full_name"] for item in bodo.get(path).json] == ["firm/streets"]
        assert stranger.get(path).json == []
    assert bodo.patch("/datasets/firm/streets/", {"public": True}).status == 200
    assert [item["name"] for item in stranger.get(f"{firm}/datasets/").json] == ["streets"]


def test_strangers_create_none(firm, caller):
    answer = caller("stranger").post(f"{firm}/datasets/", {"name": "streets", "task_type": "vector"})
    assert answer.status == 403 and "need to be a member" in answer.detail


def test_a_member_only_reads_unless_the_dataset_gives_them_a_role(firm, caller):
    bodo, mona = caller("bodo"), caller("mona")
    bodo.post(f"{firm}/datasets/", {"name": "streets", "task_type": "vector"})
    shown = mona.get("/datasets/firm/streets/").json
    assert (shown["role"], shown["palimpsest_role"]) == (None, "viewer")
    assert mona.get("/datasets/firm/streets/events/").status == 200
    assert mona.patch("/datasets/firm/streets/", {"readme": "x"}).status == 403
    added = bodo.post("/datasets/firm/streets/collaborators/", {"user": "mona", "role": "manager"})
    assert added.status == 201
    assert mona.get("/datasets/firm/streets/").json["role"] == "manager"
    refused = bodo.post("/datasets/firm/streets/collaborators/", {"user": "firm", "role": "viewer"})
    assert refused.status == 409 and "cannot be added as collaborator" in refused.detail


def test_a_dataset_is_cloned_into_the_organisation_by_its_members(firm, caller):
    mona, stranger = caller("mona"), caller("stranger")
    for who in (mona, stranger):
        assert who.post("/user/datasets/", {"name": "streets", "task_type": "vector"}).status == 201
    made = mona.post("/datasets/mona/streets/clone/", {"owner": "firm", "name": "ours"})
    assert (made.status, made.json["full_name"], made.json["role"]) == (201, "firm/ours", "admin")
    assert stranger.post("/datasets/stranger/streets/clone/", {"owner": "firm", "name": "mine"}).status == 403


def test_a_retry_of_the_founding_gives_the_same_organisation_with_its_founder(caller):
    root = caller("root", superuser=True)
    answers = [root.post("/organizations/", {"username": "mill"}, Idempotency_Key="one") for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201] and answers[0].json == answers[1].json
    assert [member["username"] for member in answers[0].json["members"]] == ["root"]
    assert root.post("/organizations/", {"username": "mine"}, Idempotency_Key="one").status == 422


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("POST", "members/", {"user": "pim"}),
        ("PATCH", "members/mona/", {"role": "administrator"}),
        ("DELETE", "members/mona/", None),
    ],
)
def test_who_belongs_to_it_changes_for_a_reason_unless_the_installation_asks_for_none(
    firm, caller, settings, method, path, body
):
    settings.REASONS_REQUIRED = ["organization"]
    caller("pim")
    bodo, before = caller("bodo"), caller("mona").get(f"{firm}/members/").json
    refused = bodo.send(method, f"{firm}/{path}", body)
    assert (refused.status, refused.json["code"], refused.json["field"]) == (422, "reason_required", "reason")
    assert "X-Reason" in refused.detail and bodo.get(f"{firm}/members/").json == before
    done = bodo.send(method, f"{firm}/{path}", body, X_Reason="as agreed")
    assert done.status in (200, 201, 204) and bodo.get(f"{firm}/members/").json != before
    (event,) = store.read(INSTALLATION, after=store.head(INSTALLATION) - 1)
    assert decrypt_all([event.intent.reason]) == ["as agreed"]
