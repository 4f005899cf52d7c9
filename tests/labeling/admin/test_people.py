from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from labeling import events as e
from labeling.commands.people import hash_of
from labeling.log.event import INSTALLATION
from labeling.models import ApiKey, Person
from tests.labeling.admin.world import World, logged_in

ADD = "admin:labeling_person_add"
KEYS = "admin:labeling_apikey_changelist"


def page_of(person: Person) -> str:
    return reverse("admin:labeling_person_change", args=[person.id])


def sent(person: Person, **changes: Any) -> dict[str, Any]:
    """What a browser sends from an account's page on which somebody changed some fields."""
    found: dict[str, Any] = {name: getattr(person, name) for name in ("username", "email", "first_name", "last_name")}
    found |= {right: "on" for right in ("is_active", "is_staff", "is_superuser") if getattr(person, right)}
    found["reason"] = "as agreed"
    return {key: value for key, value in (found | changes).items() if value is not None}


def errors_of(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


def test_a_new_account_is_an_event_without_its_names(world: World) -> None:
    said = {"username": "zoe", "email": "zoe@example.org", "kind": "person", "is_staff": "on"}
    said |= {"password": "a long one 7", "reason": "she is new"}

    events = world.new_events(lambda: world.admin.post(reverse(ADD), said), INSTALLATION)

    made = Person.objects.get(username="zoe")
    assert [(event.fact, event.stream) for event in events] == [
        (e.PersonAdded(kind="person", staff=True), f"person/{made.id}")
    ]
    assert (events[0].intent.author, events[0].intent.tool) == (world.anke.id, "admin")
    assert made.check_password("a long one 7")
    assert (made.is_staff, made.is_superuser, made.is_organization) == (True, False, False)


def test_an_organisation_is_made_without_a_password(world: World) -> None:
    world.admin.post(reverse(ADD), {"username": "acme", "kind": "organization"})

    made = Person.objects.get(username="acme")
    assert made.is_organization
    assert not made.has_usable_password()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("username", {"username": "edda"}),
        ("username", {"username": "with space"}),
        ("username", {"username": ""}),
        ("email", {"email": "nonsense"}),
        ("password", {"password": "123"}),
        ("kind", {"kind": "robot"}),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(world: World, field: str, changes: dict[str, str]) -> None:
    answers: list[Any] = []
    said = {"username": "zoe", "kind": "person"} | changes

    events = world.new_events(lambda: answers.append(world.admin.post(reverse(ADD), said)), INSTALLATION)

    assert list(errors_of(answers[0])) == [field]
    assert events == []


def test_rights_that_are_given_or_taken_are_in_the_log_and_names_are_not(world: World) -> None:
    said = sent(world.bodo, email="bodo@example.org", is_staff="on")

    events = world.new_events(lambda: world.admin.post(page_of(world.bodo), said), INSTALLATION)

    assert [(event.fact, event.intent.author) for event in events] == [
        (e.PersonChanged(changes={"is_staff": True}, renamed=True), world.anke.id)
    ]


def test_a_taken_username_is_an_error_and_the_page_still_works(world: World) -> None:
    answer = world.admin.post(page_of(world.bodo), sent(world.bodo, username="edda"))

    assert errors_of(answer) == {"username": ["User with this username already exists."]}


@pytest.mark.parametrize("right", ["is_active", "is_staff", "is_superuser"])
def test_nobody_takes_rights_from_themselves(world: World, right: str) -> None:
    answer = world.admin.post(page_of(world.anke), sent(world.anke, **{right: None}))

    assert "You cannot take rights from yourself" in str(errors_of(answer)["__all__"])
    assert getattr(Person.objects.get(id=world.anke.id), right)


def test_a_new_password_is_in_the_log_as_a_fact_only(world: World) -> None:
    said = sent(world.bodo, new_password="quite unguessable")

    events = world.new_events(lambda: world.admin.post(page_of(world.bodo), said), INSTALLATION)

    assert [event.fact for event in events] == [e.PersonChanged(password=True)]
    assert Person.objects.get(id=world.bodo.id).check_password("quite unguessable")


def test_ones_own_new_password_does_not_log_one_out(world: World) -> None:
    world.admin.post(page_of(world.anke), sent(world.anke, new_password="quite unguessable"))

    assert world.admin.get(reverse("admin:index")).status_code == 200


def test_who_is_switched_off_is_out_at_once(world: World) -> None:
    world.admin.post(page_of(world.edda), sent(world.edda, is_active=None))

    assert world.clients["edda"].get(reverse("admin:index")).status_code == 302


def test_an_account_cannot_be_deleted(world: World) -> None:
    assert world.admin.post(reverse("admin:labeling_person_delete", args=[world.bodo.id])).status_code == 403


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("active", "anke bodo edda maja"),
        ("staff", "anke edda maja"),
        ("superuser", "anke"),
        ("organization", ""),
        ("off", ""),
    ],
)
def test_accounts_are_found_by_what_they_are(world: World, kind: str, wanted: str) -> None:
    ours = {person.id: person.username for person in (world.anke, world.bodo, world.edda, world.maja)}

    shown = world.listed("admin:labeling_person_changelist", kind=kind)

    assert " ".join(sorted(ours[person] for person in shown if person in ours)) == wanted


def test_a_new_key_is_shown_once_and_kept_nowhere(world: World) -> None:
    answers: list[Any] = []
    said = {"person": "bodo", "name": "bodo's script", "scope": "label", "origin": "model", "reason": "it"}
    make = lambda: answers.append(world.admin.post(reverse("admin:labeling_apikey_add"), said))  # noqa: E731

    events = world.new_events(make, INSTALLATION)

    (answer,) = answers
    secret = answer.context["secret"]
    key = ApiKey.objects.get(name="bodo's script")
    assert answer.status_code == 200
    assert answer.content.decode().count(secret) == 1
    assert "no-store" in answer["Cache-Control"]
    assert bytes(key.hash) == hash_of(secret)
    assert (key.scope, key.origin) == ("label", "model")
    assert "read and label" in world.admin.get(reverse("admin:labeling_apikey_change", args=[key.id])).content.decode()
    assert [(event.type, event.intent.author, event.intent.tool) for event in events] == [
        ("KeyCreated", world.anke.id, "admin")
    ]
    for page in (reverse(KEYS), reverse("admin:labeling_apikey_change", args=[key.id]), reverse("admin:index")):
        assert secret not in world.admin.get(page).content.decode()
    assert not any(secret in str(session.get_decoded()) for session in Session.objects.all())
    assert secret not in str(answer.cookies)
    found = Client().get("/user/", headers={"Authorization": f"APIKey {secret}"})
    assert (found.status_code, found.json()["username"]) == (200, "bodo")


def test_a_revoked_key_is_refused_and_stays_in_the_list(world: World) -> None:
    address = reverse("admin:labeling_apikey_delete", args=[world.key.id])

    assert "Revoke" in world.admin.get(address).content.decode()
    events = world.new_events(lambda: world.admin.post(address, {"reason": "it leaked"}), INSTALLATION)

    assert [event.fact for event in events] == [e.KeyRevoked(key=str(world.key.id))]
    assert "revoked" in world.admin.get(reverse(KEYS)).content.decode()
    assert world.admin.post(address).status_code == 403  # once is enough


def test_keys_are_found_by_their_state(world: World) -> None:
    assert world.key.id in world.listed(KEYS, state="used")
    world.admin.post(reverse("admin:labeling_apikey_delete", args=[world.key.id]), {"reason": "it leaked"})
    assert world.key.id in world.listed(KEYS, state="revoked")
    assert world.key.id not in world.listed(KEYS, state="used")


def test_several_keys_are_revoked_after_asking(world: World) -> None:
    chosen = {"action": "revoke_keys", "_selected_action": [str(world.key.id)]}

    assert world.new_events(lambda: world.admin.post(reverse(KEYS), chosen), INSTALLATION) == []
    sure = chosen | {"post": "yes", "reason": "they leaked"}
    events = world.new_events(lambda: world.admin.post(reverse(KEYS), sure), INSTALLATION)

    assert [event.type for event in events] == ["KeyRevoked"]


def test_people_of_the_staff_have_their_own_keys_and_no_others(world: World) -> None:
    maja, edda = world.clients["maja"], world.clients["edda"]

    made = maja.post(
        reverse("admin:labeling_apikey_add"), {"person": "anke", "name": "mine", "scope": "manage", "origin": "person"}
    )

    assert made.context["key"].person_id == world.maja.id
    assert "notebook" not in maja.get(reverse(KEYS)).content.decode()
    assert "notebook" in edda.get(reverse(KEYS)).content.decode()
    assert maja.post(reverse("admin:labeling_apikey_delete", args=[world.key.id])).status_code in (302, 403)
    assert ApiKey.objects.get(id=world.key.id).revoked_at is None


def test_whoever_loses_the_staff_right_loses_the_admin(world: World) -> None:
    client = logged_in(world.maja)
    world.admin.post(page_of(world.maja), sent(world.maja, is_staff=None))

    assert client.get(reverse("admin:index")).status_code == 302
