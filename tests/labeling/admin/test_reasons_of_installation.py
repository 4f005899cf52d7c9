"""What the installation asks a reason for: rights of accounts, members of organisations, API keys; by every way."""

from __future__ import annotations

import html
import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from labeling import events as e
from labeling.commands import organizations, people
from labeling.errors import ReasonRequired
from labeling.log import store
from labeling.log.event import INSTALLATION, Intent
from labeling.models import ApiKey, Person
from labeling.rules.reasons import OF_INSTALLATION, UNLESS_INSTALLATION_SAYS, class_in_installation
from labeling.texts import decrypt_all, encrypt
from tests.labeling.admin.world import World


def why(person: Person) -> Intent:
    return Intent(author=person.id, reason=encrypt("they asked for it", person=person.id))


FACTS = [
    (e.PersonAdded(), False, None),
    (e.PersonAdded(kind="organization"), False, None),
    (e.PersonAdded(staff=True), False, "account"),
    (e.PersonAdded(staff=True, superuser=True), False, "account"),
    (e.PersonChanged(renamed=True), False, None),
    (e.PersonChanged(password=True), True, None),
    (e.PersonChanged(changes={"is_active": False}), False, "account"),
    (e.OrganizationMemberAdded(person="x", role="member"), False, "organization"),
    (e.OrganizationMemberRoleChanged(person="x", role="member"), False, "organization"),
    (e.OrganizationMemberRemoved(person="x"), False, "organization"),
    (e.KeyCreated(key="x"), False, "key"),
    (e.KeyCreated(key="x"), True, "own_key"),
    (e.KeyRevoked(key="x"), False, "key"),
    (e.KeyRevoked(key="x"), True, "own_key"),
    (e.SigningKeyRetired(key="x"), False, None),
]


@pytest.mark.parametrize("fact, is_own, what", FACTS, ids=lambda value: type(value).__name__)
def test_what_is_stored_says_what_asks(fact, is_own, what):
    assert class_in_installation(fact, is_own=is_own) == what
    assert what is None or what in OF_INSTALLATION
    assert set(UNLESS_INSTALLATION_SAYS) < set(OF_INSTALLATION)


@pytest.fixture
def root(person):
    return person("root", superuser=True)


@pytest.fixture
def ana(person):
    return person("ana")


def acts(root: Person, ana: Person) -> dict[str, Any]:
    """{what is asked: what root does to ana with an intent}."""
    firm = organizations.found_organization(intent=Intent(author=root.id), username="firm")
    key, _ = people.create_key(intent=people.operator("test"), person=ana)
    return {
        "rights": lambda intent: people.change_person(intent=intent, person=ana, fields={"is_staff": True}),
        "switched off": lambda intent: people.change_person(intent=intent, person=ana, fields={"is_active": False}),
        "with rights": lambda intent: people.add_person(intent=intent, username="zoe", staff=True),
        "member": lambda intent: organizations.add_organization_member(
            intent=intent, organization=firm.id, person=ana, role="member"
        ),
        "key": lambda intent: people.create_key(intent=intent, person=ana),
        "revoked": lambda intent: people.revoke_key(intent=intent, key=key),
    }


@pytest.mark.parametrize("what", ["rights", "switched off", "with rights", "member", "key", "revoked"])
def test_it_is_refused_without_a_reason_and_stored_with_one(root, ana, what, settings):
    act = acts(root, ana)[what]
    head, keys = store.head(INSTALLATION), ApiKey.objects.filter(revoked_at=None).count()
    with pytest.raises(ReasonRequired):
        act(Intent(author=root.id))
    kept = Person.objects.get(id=ana.id)
    assert (store.head(INSTALLATION), ApiKey.objects.filter(revoked_at=None).count()) == (head, keys)
    assert (kept.is_staff, kept.is_active) == (False, True) and not Person.objects.filter(username="zoe").exists()
    ana.refresh_from_db()
    act(why(root))
    (event,) = store.read(INSTALLATION, after=head)
    assert decrypt_all([event.intent.reason]) == ["they asked for it"]


@pytest.mark.parametrize("what", ["rights", "with rights", "member", "key", "revoked"])
def test_an_installation_that_asks_for_none_takes_it_without(root, ana, what, settings):
    settings.REASONS_REQUIRED = []
    act = acts(root, ana)[what]
    head = store.head(INSTALLATION)
    act(Intent(author=root.id))
    assert store.head(INSTALLATION) == head + 1


def test_names_passwords_and_ones_own_keys_ask_for_none(root, ana, settings):
    own = Intent(author=ana.id)
    people.change_person(intent=Intent(author=root.id), person=ana, fields={"email": "a@example.org"})
    people.set_password(intent=own, person=ana, password="quite unguessable")
    key, _ = people.create_key(intent=own, person=ana)
    people.revoke_key(intent=own, key=key)
    settings.REASONS_REQUIRED = ["own_key"]
    for act in (lambda: people.create_key(intent=own, person=ana), lambda: people.revoke_key(intent=own, key=key)):
        ApiKey.objects.filter(id=key.id).update(revoked_at=None)
        with pytest.raises(ReasonRequired):
            act()


def test_the_form_of_a_key_says_whose_asks_for_a_reason(world, settings):
    address, own = reverse("admin:labeling_apikey_add"), "Your own key is only made with one."
    assert own not in world.clients["edda"].get(address).content.decode()
    settings.REASONS_REQUIRED = ["own_key", "key"]
    for client, others in ((world.clients["edda"], False), (world.admin, True)):
        text = client.get(address).content.decode()
        assert own in text and ("Somebody else's key is only made with one." in html.unescape(text)) == others


def test_nobody_is_asked_for_what_does_not_change(root, ana):
    people.change_person(intent=Intent(author=root.id), person=ana, fields={"is_active": True, "is_staff": False})
    firm = organizations.found_organization(intent=Intent(author=root.id), username="firm")
    organizations.add_organization_member(intent=why(root), organization=firm.id, person=ana, role="member")
    head = store.head(INSTALLATION)
    organizations.change_organization_role(
        intent=Intent(author=root.id), organization=firm.id, person=ana.id, role="member"
    )
    assert store.head(INSTALLATION) == head


# --- at the command line ---------------------------------------------------------------------------------------------


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_an_account_that_is_there_gets_all_rights_for_a_reason(ana, settings):
    with pytest.raises(CommandError, match="--reason"):
        run("apikey", "ana", "--superuser")
    assert not Person.objects.get(id=ana.id).is_superuser and not ana.api_keys.exists()
    head = store.head(INSTALLATION)
    assert run("apikey", "ana", "--superuser", "--reason", "she takes over").split()[-1].startswith("pk_")
    events = store.read(INSTALLATION, after=head)
    assert [event.type for event in events] == ["PersonChanged", "KeyCreated"]
    assert decrypt_all([event.intent.reason for event in events]) == ["she takes over"] * 2
    run("apikey", "ana", "--superuser")  # she has them, so nothing changes


# --- in the admin ----------------------------------------------------------------------------------------------------


def test_the_page_of_an_account_says_at_its_field_that_a_reason_is_needed(world: World) -> None:
    page = reverse("admin:labeling_person_change", args=[world.maja.id])
    shown = world.admin.get(page).content.decode()
    assert "Rights are only given and taken with one." in shown
    said = {"username": "maja", "is_active": "on"}
    answer = world.admin.post(page, said)
    words = "A reason is required to change what an account may do."
    assert answer.context["adminform"].form.errors == {"reason": [words]}
    assert "A reason is required" in answer.content.decode()
    (event,) = world.new_events(lambda: world.admin.post(page, said | {"reason": "left the team"}), INSTALLATION)
    assert event.fact == e.PersonChanged(changes={"is_staff": False})
    assert decrypt_all([event.intent.reason]) == ["left the team"]


def test_a_new_account_with_rights_and_somebody_elses_key_ask_on_their_forms(world: World) -> None:
    for page, said in (
        ("labeling_person_add", {"username": "zoe", "kind": "person", "is_staff": "on"}),
        ("labeling_apikey_add", {"person": "bodo", "scope": "read", "origin": "person"}),
    ):
        address = reverse(f"admin:{page}")
        assert 'name="reason"' in world.admin.get(address).content.decode()
        answer = world.admin.post(address, said)
        assert list(answer.context["adminform"].form.errors) == ["reason"]
        assert "A reason is required" in answer.content.decode()
        assert len(world.new_events(lambda: world.admin.post(address, said | {"reason": "new"}), INSTALLATION)) == 1  # noqa: B023


def test_somebody_elses_key_is_revoked_for_a_reason_and_ones_own_without(world: World) -> None:
    page = reverse("admin:labeling_apikey_delete", args=[world.key.id])
    assert "This installation asks for one." in world.admin.get(page).content.decode()
    assert "If you like" in world.clients["edda"].get(page).content.decode()
    answer = world.admin.post(page, follow=True)
    assert "A reason is required to make or revoke somebody else" in answer.content.decode()
    assert ApiKey.objects.get(id=world.key.id).revoked_at is None
    many = {"action": "revoke_keys", "_selected_action": [str(world.key.id)]}
    changelist = reverse("admin:labeling_apikey_changelist")
    assert "This installation asks for one." in world.admin.post(changelist, many).content.decode()
    world.admin.post(changelist, many | {"post": "yes", "reason": "it leaked"})
    assert ApiKey.objects.get(id=world.key.id).revoked_at is not None


def test_members_of_an_organisation_are_saved_with_a_reason(world: World) -> None:
    page = reverse("admin:labeling_organizationmember_change", args=[world.organization.id])
    shown = world.clients["edda"].get(page)
    assert "This installation asks for one." in shown.content.decode()
    said = {
        "seen": shown.context["seen"],
        "members-TOTAL_FORMS": 2,
        "members-INITIAL_FORMS": 1,
        "members-0-role": "administrator",
        "members-1-person": "maja",
        "members-1-role": "member",
    }
    answer = world.clients["edda"].post(page, said)
    assert "Member maja: A reason is required to change who belongs to an organization" in answer.content.decode()
    (event,) = world.new_events(lambda: world.clients["edda"].post(page, said | {"reason": "she joins"}), INSTALLATION)
    assert isinstance(event.fact, e.OrganizationMemberAdded)
    assert decrypt_all([event.intent.reason]) == ["she joins"]
