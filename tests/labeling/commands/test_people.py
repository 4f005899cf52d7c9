"""Accounts and keys: what the installation's log says of them, and what it must not."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling import events as e
from labeling.commands import people
from labeling.commands.people import OPERATOR, operator
from labeling.errors import AlreadyExists, InvalidValue, NotFound, Refused
from labeling.log import store
from labeling.log.event import INSTALLATION
from labeling.models import ApiKey, Person


@pytest.fixture(autouse=True)
def in_a_database(db):
    """All of them write."""


def events(person: Any) -> list[Any]:
    return list(store.read_stream(INSTALLATION, f"person/{person.id}"))


def test_an_account_is_in_the_log_without_its_names():
    ana = people.add_person(intent=operator("test"), username="ana", email="ana@example.org", password="not in the log")
    (event,) = events(ana)
    assert event.fact == e.PersonAdded()
    assert (event.intent.author, event.intent.author_kind, event.intent.tool) == (OPERATOR, "service", "test")
    assert not any(word in str(event) for word in ("ana", "example", "not in"))
    assert Person.objects.get(username="ana").check_password("not in the log")


@pytest.mark.parametrize(
    "fields, fact",
    [
        ({"superuser": True}, e.PersonAdded(staff=True, superuser=True)),
        ({"staff": True}, e.PersonAdded(staff=True)),
        ({"kind": "organization"}, e.PersonAdded(kind="organization")),
    ],
)
def test_what_an_account_may_is_in_the_log(fields, fact):
    made = people.add_person(intent=operator("test"), username="firm", **fields)
    assert [event.fact for event in events(made)] == [fact]
    assert made.is_organization == (fact.kind == "organization")
    assert not made.has_usable_password()


@pytest.mark.parametrize("username", ["", " ", "a b", "a/b", "-a", "é", "a" * 151, None, 5, "a\n", "a\0"])
def test_a_username_that_could_not_stand_in_a_path_is_refused(username):
    with pytest.raises(InvalidValue) as caught:
        people.add_person(intent=operator("test"), username=username)
    assert caught.value.field == "username"
    assert not Person.objects.exists()


def test_a_username_is_of_one_account():
    people.add_person(intent=operator("test"), username="ana")
    head = store.head(INSTALLATION)
    with pytest.raises(AlreadyExists, match="username already exists"):
        people.add_person(intent=operator("test"), username="ana")
    ben = people.add_person(intent=operator("test"), username="ben")
    with pytest.raises(AlreadyExists):
        people.change_person(intent=operator("test"), person=ben, fields={"username": "ana"})
    assert store.head(INSTALLATION) == head + 1
    assert Person.objects.get(id=ben.id).username == "ben"


def test_only_that_names_changed_is_in_the_log_but_rights_are_told():
    ana = people.add_person(intent=operator("test"), username="ana")
    people.change_person(intent=operator("test"), person=ana, fields={"username": "anna", "email": "a@example.org"})
    people.change_person(intent=operator("test"), person=ana, fields={"is_staff": True, "is_active": False})
    people.change_person(intent=operator("test"), person=ana, fields={"is_staff": True, "username": "anna"})
    assert [event.fact for event in events(ana)[1:]] == [
        e.PersonChanged(renamed=True),
        e.PersonChanged(changes={"is_staff": True, "is_active": False}),
    ]
    kept = Person.objects.get(id=ana.id)
    assert (kept.username, kept.email, kept.is_staff, kept.is_active) == ("anna", "a@example.org", True, False)


def test_of_a_key_only_the_hash_is_kept_and_not_in_the_log():
    ana = people.add_person(intent=operator("test"), username="ana")
    key, secret = people.create_key(intent=operator("test"), person=ana, name="laptop")
    assert secret.startswith(people.KEY_PREFIX) and len(secret) > 40
    assert bytes(ApiKey.objects.get(id=key.id).hash) == people.hash_of(secret)
    assert [event.fact for event in events(ana)[1:]] == [e.KeyCreated(key=str(key.id))]
    assert secret not in str(events(ana)) and secret not in str(ApiKey.objects.values())
    assert people.create_key(intent=operator("test"), person=ana)[1] != secret


def test_a_key_is_revoked_once():
    ana = people.add_person(intent=operator("test"), username="ana")
    key, _ = people.create_key(intent=operator("test"), person=ana)
    for _ in range(2):
        people.revoke_key(intent=operator("test"), key=key)
    assert [event.type for event in events(ana)] == ["PersonAdded", "KeyCreated", "KeyRevoked"]
    assert ApiKey.objects.get(id=key.id).revoked_at is not None


def test_nobody_has_an_unknown_name():
    with pytest.raises(NotFound):
        people.person_named(f"nobody-{uuid.uuid4()}")


@pytest.mark.parametrize("scope", ["read", "label", "manage"])
@pytest.mark.parametrize("origin", ["person", "model", "service"])
def test_a_key_has_a_scope_and_an_origin_which_the_log_knows(scope, origin):
    ana = people.add_person(intent=operator("test"), username="ana")
    key, _ = people.create_key(intent=operator("test"), person=ana, scope=scope, origin=origin)
    kept = ApiKey.objects.get(id=key.id)
    assert (kept.scope, kept.origin, kept.last_used_at) == (scope, origin, None)
    assert events(ana)[-1].fact == e.KeyCreated(key=str(key.id), scope=scope, origin=origin)


@pytest.mark.parametrize(
    "field, bad",
    [
        *[("scope", bad) for bad in ("", "admin", "Read", None, 1, [], {})],
        *[("origin", bad) for bad in ("", "import", "Person", None, 1, [])],
        *[("name", bad) for bad in (None, 5, [], "x" * 101)],
    ],
)
def test_a_key_that_does_not_fit_is_refused_by_its_field(field, bad):
    ana = people.add_person(intent=operator("test"), username="ana")
    with pytest.raises(InvalidValue) as caught:
        people.create_key(intent=operator("test"), person=ana, **{field: bad})
    assert caught.value.field == field
    assert not ApiKey.objects.filter(person=ana).exists()


def test_nobody_has_keys_without_number(monkeypatch):
    monkeypatch.setattr(people, "MOST_KEYS", 2)
    ana = people.add_person(intent=operator("test"), username="ana")
    first, _ = people.create_key(intent=operator("test"), person=ana)
    people.create_key(intent=operator("test"), person=ana)
    with pytest.raises(Refused, match="revoke"):
        people.create_key(intent=operator("test"), person=ana)
    people.revoke_key(intent=operator("test"), key=first)
    people.create_key(intent=operator("test"), person=ana)
