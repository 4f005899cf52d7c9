"""Who calls: keys and sessions, and the words in which others are turned away."""

from __future__ import annotations

import pytest
from django.test.client import ClientHandler

from labeling.commands import people
from labeling.models import ApiKey, Person

MISSING = {"detail": "Authentication credentials were not provided.", "code": "not_authenticated"}
INVALID = {"detail": "Invalid API key.", "code": "authentication_failed"}
PATHS = ["/api_status/", "/user", "/user/datasets/", "/users/ana", "/datasets/a/b/", "/samples/x/", "/assets/"]


@pytest.mark.parametrize("path", PATHS)
def test_without_a_key_nothing_is_answered(caller, db, path):
    answer = caller().get(path)
    assert (answer.status, answer.json) == (401, MISSING)
    assert answer.headers["WWW-Authenticate"] == "APIKey"


@pytest.mark.parametrize("header", ["Bearer x", "Basic eDp5", "APIKeyx", "x", ""])
def test_another_scheme_is_none(caller, db, header):
    answer = caller().get("/user", Authorization=header)
    assert (answer.status, answer.json) == (401, MISSING)


@pytest.mark.parametrize("secret", ["", "x", "pk_wrong", "é", "a\0b", "x" * 5000, "' OR 1=1 --"])
def test_a_wrong_key_is_invalid(caller, db, secret):
    answer = caller().get("/api_status/", Authorization=f"APIKey {secret}")
    assert (answer.status, answer.json) == (401, INVALID)


def test_a_good_key_says_whose_it_is(caller):
    ana = caller("ana")
    assert ana.get("/api_status/?lib_version=1.33.0").json == {"status": "ok"}
    assert ana.get("/user").json["username"] == "ana"
    assert caller().get("/user", Authorization=f"apikey   {ana.key}  ").status == 200


def test_a_revoked_key_is_invalid(caller):
    ana = caller("ana")
    people.revoke_key(intent=people.operator("test"), key=ApiKey.objects.get(person=ana.person))
    assert ana.get("/user").json == INVALID


def test_the_key_of_who_is_not_active_is_invalid(caller):
    ana = caller("ana")
    Person.objects.filter(id=ana.person.id).update(is_active=False)
    assert ana.get("/user").json == INVALID


def test_who_is_logged_in_reads_without_a_key_and_writes_with_a_token_only(caller, person):
    nobody = caller()
    nobody.client.force_login(person("ana"))
    assert nobody.get("/user").json["username"] == "ana"
    nobody.client.handler = ClientHandler(enforce_csrf_checks=True)
    answer = nobody.post("/user/datasets/", {"name": "made", "task_type": "vector"})
    assert (answer.status, answer.json["code"]) == (403, "permission_denied")
