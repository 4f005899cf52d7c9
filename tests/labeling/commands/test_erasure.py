"""Erasing a person: who they were is nowhere any more, what they did stays, and the logs hold."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client

from labeling import events as e
from labeling.commands import erasure, issues, people, security
from labeling.commands.activity import Signal, tell_activity
from labeling.errors import InvalidValue, NotPermitted, Refused
from labeling.log import store, verify
from labeling.log.event import INSTALLATION, SECURITY, Intent
from labeling.models import Activity, ApiKey, Person, PersonKey
from labeling.reports.working import BEAT
from labeling.texts import ERASED, decrypt_all, encrypt
from tests.labeling.commands.conftest import Desk

BOX = {"op": "add", "category_id": 1, "geometry": {"type": "bbox", "points": [[1, 2], [3, 4]]}}


@pytest.fixture
def root(person: Callable[..., Person]) -> Person:
    """Who runs the installation."""
    return person(f"root-{uuid.uuid4().hex[:8]}", superuser=True)


def because(author: Person) -> Intent:
    return Intent(author=author.id, tool="test", reason=encrypt("they asked for it", person=author.id))


@pytest.fixture
def ben(desk: Desk) -> Person:
    """Ben with something of everything that can be known of a person."""
    ben = desk.ben
    people.change_person(
        intent=people.operator("test"),
        person=ben,
        fields={"email": "ben@example.org", "first_name": "Benjamin", "last_name": "Unmistakable"},
    )
    people.set_password(intent=people.operator("test"), person=ben, password="not to be kept")
    people.create_key(intent=people.operator("test"), person=ben, name="bens-laptop")
    Client().force_login(ben)
    desk.edit(BOX, by=ben, intent=Intent(author=ben.id, reason=encrypt("Benjamin saw it", person=ben.id)))
    issue = issues.open_issue(
        intent=Intent(author=ben.id), sample=desk.sample, fields=issues.checked_issue({"description": "Ask Benjamin"})
    )
    issues.comment_on_issue(intent=Intent(author=ben.id), issue=issue, text="I am Benjamin")
    tell_activity(
        intent=Intent(author=ben.id),
        session=uuid.uuid4(),
        signals=[Signal(number, BEAT, desk.sample, None, number * 60_000) for number in range(3)],
    )
    security.login_succeeded(person=ben.id, source=security.Source("192.0.2.77"))
    return ben


def everything() -> str:
    """All rows of all tables, as one text."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        for (name,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{name}" AS t')
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


def test_nothing_that_says_who_they_were_is_left(root: Person, ben: Person) -> None:
    username = ben.username
    words = [username, "ben@example.org", "Benjamin", "Unmistakable", "bens-laptop"]
    before = everything()
    assert all(word in before for word in words)

    number = erasure.erase_person(intent=because(root), person=ben)

    after = everything()
    assert [word for word in words if word in after] == []
    kept = Person.objects.get(id=ben.id)
    assert kept.username == f"erased-{number:04d}"
    assert (kept.is_active, kept.has_usable_password(), kept.last_login) == (False, False, None)
    assert not ApiKey.objects.filter(person_id=ben.id).exists()
    assert not Activity.objects.filter(person=ben.id).exists()
    assert PersonKey.objects.get(person_id=ben.id).secret is None
    assert str(ben.id) not in str([session.get_decoded() for session in Session.objects.all()])
    assert authenticate(username=kept.username, password="not to be kept") is None


def test_the_event_says_by_whom_why_and_how_much_and_nothing_of_the_person(root: Person, ben: Person) -> None:
    number = erasure.erase_person(intent=because(root), person=ben)

    event = list(store.read_stream(INSTALLATION, f"person/{ben.id}"))[-1]
    assert event.fact == e.PersonErased(number=number, api_keys=1, sessions=1, signals=3)
    assert event.intent.author == root.id
    assert decrypt_all([event.intent.reason]) == ["they asked for it"]


def test_what_they_did_stays_and_every_log_holds(root: Person, ben: Person, desk: Desk) -> None:
    document, events = desk.document, [(event.offset, event.chain) for event in store.read(desk.dataset)]

    erasure.erase_person(intent=because(root), person=ben)

    assert desk.document == document
    assert [(event.offset, event.chain) for event in store.read(desk.dataset)] == events
    for log in (desk.dataset, INSTALLATION, SECURITY):
        assert verify.verify_log(log) == []


def test_what_they_wrote_is_erased_and_what_others_wrote_is_not(root: Person, ben: Person, desk: Desk) -> None:
    theirs, mine = encrypt("a word", person=ben.id), encrypt("another", person=desk.ana.id)

    erasure.erase_person(intent=because(root), person=ben)

    assert decrypt_all([theirs, mine]) == [ERASED, "another"]


def test_an_address_that_was_told_cannot_be_recognised_again(root: Person, ben: Person) -> None:
    known = security.hidden("192.0.2.77", person=ben.id)
    assert known in str([event.fact for event in store.read(SECURITY)])

    erasure.erase_person(intent=because(root), person=ben)

    assert security.hidden("192.0.2.77", person=ben.id) != known


def test_the_username_is_free_and_its_next_owner_is_somebody_else(root: Person, ben: Person) -> None:
    username = ben.username
    erasure.erase_person(intent=because(root), person=ben)

    again = people.add_person(intent=people.operator("test"), username=username)

    assert again.id != ben.id
    assert not list(ApiKey.objects.filter(person=again))


def test_everybody_gets_a_number_of_their_own(root: Person, ben: Person, desk: Desk) -> None:
    first = erasure.erase_person(intent=because(root), person=ben)
    second = erasure.erase_person(intent=because(root), person=desk.ana)
    assert second == first + 1
    with pytest.raises(InvalidValue):
        people.add_person(intent=people.operator("test"), username=f"erased-{second + 1:04d}")


def test_a_dry_run_counts_and_changes_nothing(root: Person, ben: Person) -> None:
    before = everything()

    plan = erasure.plan_erasure(ben)

    counts = {what: count for what, count, _ in plan.going}
    assert counts["API keys"] == counts["sessions of browsers"] == counts["password"] == 1
    assert (counts["raw signals of work"], counts["texts that they wrote"]) == (3, 2)
    assert counts["names and e-mail address"] == 4
    assert everything() == before


def test_who_may_not_be_erased_or_erase(root: Person, ben: Person, desk: Desk) -> None:
    head = store.head(INSTALLATION)
    firm = people.add_person(intent=people.operator("test"), username=f"firm-{ben.id.hex[:8]}", kind="organization")
    with pytest.raises(NotPermitted):
        erasure.erase_person(intent=because(desk.ana), person=ben)
    with pytest.raises(NotPermitted):
        erasure.erase_person(intent=Intent(author=root.id, author_kind="service", reason="x"), person=ben)
    with pytest.raises(InvalidValue) as caught:
        erasure.erase_person(intent=Intent(author=root.id), person=ben)
    assert caught.value.field == "reason"
    for whom in (root, firm):
        with pytest.raises(Refused):
            erasure.erase_person(intent=because(root), person=whom)
    assert store.head(INSTALLATION) == head + 1  # the organisation

    erasure.erase_person(intent=because(root), person=ben)
    erased = Person.objects.get(id=ben.id)
    with pytest.raises(Refused, match="erased before"):
        erasure.erase_person(intent=because(root), person=erased)
    for change in (
        lambda: people.change_person(intent=because(root), person=erased, fields={"username": "ben-again"}),
        lambda: people.set_password(intent=because(root), person=erased, password="x"),
        lambda: people.create_key(intent=because(root), person=erased),
    ):
        with pytest.raises(Refused):
            change()


# --- the command line ------------------------------------------------------------------------------------------------


def test_the_command_says_what_would_go_and_erases_when_told_to(root: Person, ben: Person, capsys: Any) -> None:
    call_command("erase_person", ben.username)
    said = capsys.readouterr().out
    assert "raw signals of work" in said and "Nothing was changed" in said
    assert Person.objects.get(id=ben.id).erased_at is None

    call_command("erase_person", str(ben.id), "--erase", "--by", root.username, "--reason", "asked by letter")
    assert "Erased" in capsys.readouterr().out
    assert Person.objects.get(id=ben.id).erased_at is not None

    call_command("erase_person", "--list")
    assert str(ben.id) in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [[], ["nobody-has-this-name"], ["{ben}", "--erase"], ["{ben}", "--erase", "--by", "{ben}", "--reason", "x"]],
)
def test_the_command_refuses_in_one_line(ben: Person, arguments: list[str]) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("erase_person", *[word.format(ben=ben.username) for word in arguments])
    assert "\n" not in str(caught.value)
    assert Person.objects.get(id=ben.id).erased_at is None
