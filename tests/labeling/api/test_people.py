"""The caller, other people, and members over the API."""

from __future__ import annotations

from typing import Any

import pytest

JSON = dict[str, Any]


@pytest.mark.parametrize("slash", ["/", ""])
def test_the_caller_and_others(caller, slash):
    ana, ben = caller("ana", email="ana@example.org"), caller("ben")
    shown = ana.get(f"/user{slash}").json
    others = {"username": "ana", "created_at": shown["created_at"], "is_organization": False}
    assert shown == others | {"email": "ana@example.org", "organizations": []}
    assert ana.get(f"/users/ana{slash}").json == shown
    assert ben.get(f"/users/ana{slash}").json == others
    missing = ben.get(f"/users/nobody-there{slash}")
    assert (missing.status, missing.detail) == (404, "Not found.")


@pytest.mark.parametrize("slash", ["/", ""])
def test_members(street, caller, slash):
    cat = caller("cat")
    members = f"{street.path}/collaborators"
    ana, ben = street.ana.person.username, street.ben.person.username
    added = street.ana.post(f"{members}{slash}", {"user": "cat", "role": "reviewer"})
    assert added.status == 201
    assert added.json == street.ben.get(f"{members}/cat{slash}").json
    assert added.json == {
        "user": street.ben.get(f"/users/cat{slash}").json,
        "role": "reviewer",
        "palimpsest_role": "reviewer",
    }
    assert {item["user"]["username"]: item["role"] for item in street.ben.get(f"{members}{slash}").json} == {
        ana: "admin", ben: "labeler", "cat": "reviewer",
    }  # fmt: skip
    changed = street.ana.patch(f"{members}/cat{slash}", {"role": "viewer"})
    assert changed.json["palimpsest_role"] == "viewer"
    assert cat.get(street.path).json["palimpsest_role"] == "viewer"
    assert street.ana.delete(f"{members}/cat{slash}").status == 204
    assert cat.get(street.path).status == 404
    for answer in (
        street.ana.get(f"{members}/cat{slash}"),
        street.ana.patch(f"{members}/cat{slash}", {"role": "admin"}),
        street.ana.delete(f"{members}/cat{slash}"),
        street.ana.get(f"{members}/nobody-there{slash}"),
        street.ana.post(f"{members}{slash}", {"user": "nobody-there"}),
    ):
        assert (answer.status, answer.detail) == (404, "Not found.")


def test_a_second_role_is_told_in_the_protocols_words(street):
    answer = street.ana.post(f"{street.path}/collaborators/", {"user": street.ben.person.username, "role": "admin"})
    assert (answer.status, answer.detail) == (409, "This user is already a collaborator of the dataset.")


@pytest.mark.parametrize(
    "body, field",
    [({}, "user"), ({"user": 5}, "user"), ({"user": ["ben"]}, "user"), ({"user": "{cat}", "role": "boss"}, "role"),
     ({"user": "{cat}", "role": None}, "role"), ({"user": "{cat}", "role": []}, "role")],
)  # fmt: skip
def test_a_member_that_does_not_fit_is_refused_by_its_field(street, caller, body, field):
    caller("cat")
    if body.get("user") == "{cat}":
        body = body | {"user": "cat"}
    answer = street.ana.post(f"{street.path}/collaborators/", body)
    assert (answer.status, answer.json["field"]) == (400, field)


def test_the_last_admin_stays(street):
    path = f"{street.path}/collaborators/{street.ana.person.username}"
    for answer in (street.ana.delete(path), street.ana.patch(path, {"role": "viewer"})):
        assert (answer.status, answer.json["code"]) == (409, "refused")


@pytest.mark.parametrize("public", [True, False])
def test_strangers_learn_nothing_of_members(make_street, caller, public):
    street = make_street(public=public)
    stranger, members = caller("stranger"), f"{street.path}/collaborators"
    assert stranger.get(f"{members}/").status == 404
    assert stranger.get(f"{members}/{street.ben.person.username}").status == 404
    for answer in (
        stranger.post(f"{members}/", {"user": "stranger", "role": "admin"}),
        stranger.patch(f"{members}/{street.ben.person.username}", {"role": "admin"}),
        stranger.delete(f"{members}/{street.ben.person.username}"),
    ):
        assert answer.status == (403 if public else 404)


def test_members_who_are_no_admins_change_no_members(street):
    members = f"{street.path}/collaborators"
    for answer in (
        street.ben.post(f"{members}/", {"user": "x"}),
        street.ben.patch(f"{members}/{street.ben.person.username}", {"role": "admin"}),
        street.ben.delete(f"{members}/{street.ana.person.username}"),
    ):
        assert answer.status == 403
