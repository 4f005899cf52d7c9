"""Retention and legal holds: events themselves, and the purge destroys what it may and leaves count and hash."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from labeling import events as e
from labeling.commands import activity, erasure, retention, security
from labeling.commands.activity import Signal, tell_activity
from labeling.errors import InvalidValue, NotFound, NotPermitted, ReasonRequired, Refused
from labeling.log import store, verify
from labeling.log.event import INSTALLATION, SECURITY, Fact, Intent
from labeling.models import Activity, AddressSecret, Person, WebhookDelivery
from labeling.queries.retention import is_held
from labeling.queries.retention import retention as now
from labeling.reports.working import BEAT
from labeling.rules.retention import KINDS, fold
from labeling.texts import encrypt
from tests.labeling.commands.conftest import Desk

BOX = {"op": "add", "category_id": 1, "geometry": {"type": "bbox", "points": [[1, 2], [3, 4]]}}


@pytest.fixture
def root(person: Callable[..., Person]) -> Person:
    return person(f"root-{uuid.uuid4().hex[:8]}", superuser=True)


@pytest.fixture
def why(root: Person) -> Callable[[], Intent]:
    return lambda: Intent(author=root.id, reason=encrypt("the law", person=root.id))


def told(act: Callable[[], Any]) -> list[Fact]:
    """The events of the retention that `act` appended."""
    head = store.head(INSTALLATION)
    act()
    return [event.fact for event in store.read(INSTALLATION, after=head) if event.stream == "retention"]


def test_without_events_everything_has_its_default() -> None:
    assert {kind: fold([]).kept_days(kind) for kind in KINDS} == {
        "activity": 90,
        "addresses": None,
        "deliveries": 7,
        "answers": None,
    }


def test_policies_and_holds_are_events_with_a_reason(root: Person, why: Any, desk: Desk) -> None:
    facts = told(lambda: retention.set_retention(intent=why(), kind="addresses", days=365))
    assert facts == [e.RetentionSet(kind="addresses", days=365)]
    assert told(lambda: retention.set_retention(intent=why(), kind="addresses", days=365)) == []
    facts = told(lambda: retention.place_hold(intent=why(), what="dataset", key=desk.dataset))
    assert facts == [e.HoldPlaced(what="dataset", id=str(desk.dataset))]
    assert told(lambda: retention.place_hold(intent=why(), what="dataset", key=desk.dataset)) == []
    assert now().kept_days("addresses") == 365 and is_held("dataset", desk.dataset)
    retention.lift_hold(intent=why(), what="dataset", key=desk.dataset)
    assert not is_held("dataset", desk.dataset)
    with pytest.raises(Refused):
        retention.lift_hold(intent=why(), what="dataset", key=desk.dataset)
    with pytest.raises(NotFound):
        retention.place_hold(intent=why(), what="person", key=desk.dataset)
    with pytest.raises(InvalidValue):
        retention.place_hold(intent=why(), what="sample", key=desk.sample)


@pytest.mark.parametrize(
    ("kind", "days"), [("addresses", 179), ("answers", 6), ("activity", 0), ("activity", True), ("x", 9)]
)
def test_what_must_be_kept_cannot_be_set_to_less(why: Any, kind: str, days: Any) -> None:
    with pytest.raises(InvalidValue):
        retention.set_retention(intent=why(), kind=kind, days=days)


def test_only_who_runs_the_installation_and_says_why(root: Person, desk: Desk) -> None:
    for intent, refusal in (
        (Intent(author=desk.ana.id, reason="v1.x"), NotPermitted),
        (Intent(author=root.id, author_kind="model", reason="v1.x"), NotPermitted),
        (Intent(author=root.id), ReasonRequired),
    ):
        with pytest.raises(refusal):
            retention.set_retention(intent=intent, kind="answers", days=30)
        with pytest.raises(refusal):
            retention.place_hold(intent=intent, what="person", key=desk.ben.id)
        with pytest.raises(refusal):
            retention.lift_hold(intent=intent, what="person", key=desk.ben.id)


# --- the purge -------------------------------------------------------------------------------------------------------


@pytest.fixture
def old_month(monkeypatch: pytest.MonkeyPatch) -> str:
    """A month of long ago, in which somebody failed to log in."""
    monkeypatch.setattr(security, "now", lambda: dt.datetime(2020, 5, 17, tzinfo=dt.UTC))
    security.login_failed(username="x", source=security.Source(address="192.0.2.9"), locked=False)
    return "2020-05"


def test_the_secret_of_old_addresses_is_destroyed_and_the_chain_holds(why: Any, old_month: str) -> None:
    before = security.hidden("192.0.2.9")
    secret = bytes(AddressSecret.objects.get(month=old_month).secret or b"")
    assert told(retention.purge) == []  # for ever, unless said
    retention.set_retention(intent=why(), kind="addresses", days=365)

    (fact,) = told(retention.purge)

    assert isinstance(fact, e.DataPurged)
    assert (fact.kind, fact.before, fact.sha256) == ("addresses", "2020-06-01", hashlib.sha256(secret).hexdigest())
    row = AddressSecret.objects.get(month=old_month)
    assert row.secret is None and row.destroyed_at is not None
    assert security.hidden("192.0.2.9") != before
    assert verify.verify_log(SECURITY) == verify.verify_log(INSTALLATION) == []
    assert told(retention.purge) == []


def test_nobodys_addresses_go_while_somebody_is_held(why: Any, old_month: str, desk: Desk) -> None:
    retention.set_retention(intent=why(), kind="addresses", days=365)
    retention.place_hold(intent=why(), what="person", key=desk.ben.id)
    assert told(retention.purge) == []
    assert AddressSecret.objects.get(month=old_month).secret is not None
    retention.lift_hold(intent=why(), what="person", key=desk.ben.id)
    assert len(told(retention.purge)) == 1


def deliver(log: uuid.UUID, *, days_ago: int) -> WebhookDelivery:
    row = WebhookDelivery(webhook_id=uuid.uuid4(), log=log, offset=1, message="m", type="x", state="delivered")
    row.last_at = timezone.now() - dt.timedelta(days=days_ago)
    row.save()
    return row


def test_deliveries_go_except_of_a_dataset_that_is_held(why: Any, desk: Desk, dataset: Any) -> None:
    held, other = desk.dataset, dataset(desk.ana)
    rows = [deliver(held, days_ago=30), deliver(other, days_ago=30), deliver(other, days_ago=1)]
    retention.place_hold(intent=why(), what="dataset", key=held)

    (fact,) = told(retention.purge)

    assert isinstance(fact, e.DataPurged) and (fact.kind, fact.count) == ("deliveries", 1)
    left = set(WebhookDelivery.objects.filter(id__in=[row.id for row in rows]).values_list("id", flat=True))
    assert left == {rows[0].id, rows[2].id}


def test_the_answers_of_old_commands_go_and_a_retry_is_a_new_command(why: Any, desk: Desk) -> None:
    named = Intent(author=desk.ana.id, command=uuid.uuid4(), request_hash=b"x" * 32)
    desk.edit(BOX, intent=named)
    assert desk.edit(BOX, intent=named).replayed
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE log_command SET recorded_at = recorded_at - interval '400 days' WHERE log = %s", [desk.dataset]
        )
    retention.set_retention(intent=why(), kind="answers", days=30)
    retention.place_hold(intent=why(), what="dataset", key=desk.dataset)
    assert told(retention.purge) == []
    retention.lift_hold(intent=why(), what="dataset", key=desk.dataset)

    (fact,) = told(retention.purge)

    assert isinstance(fact, e.DataPurged) and (fact.kind, fact.count >= 1) == ("answers", True)
    assert not desk.edit(BOX, intent=replace(named)).replayed


def test_signals_that_are_held_are_not_closed(why: Any, desk: Desk) -> None:
    tell_activity(
        intent=Intent(author=desk.ben.id), session=uuid.uuid4(), signals=[Signal(1, BEAT, desk.sample, None, 0)]
    )
    Activity.objects.update(at=timezone.now() - dt.timedelta(days=100))
    for what, key in (("dataset", desk.dataset), ("person", desk.ben.id)):
        retention.place_hold(intent=why(), what=what, key=key)
        assert activity.close_old() == 0
        retention.lift_hold(intent=why(), what=what, key=key)
    retention.set_retention(intent=why(), kind="activity", days=None)
    assert activity.close_old() == 0
    retention.set_retention(intent=why(), kind="activity", days=30)
    assert activity.close_old() == 1
    assert not Activity.objects.exists()


def test_who_is_held_is_not_erased(why: Any, desk: Desk) -> None:
    retention.place_hold(intent=why(), what="person", key=desk.ben.id)
    for act in (lambda: erasure.plan_erasure(desk.ben), lambda: erasure.erase_person(intent=why(), person=desk.ben)):
        with pytest.raises(Refused, match="legal hold"):
            act()
    retention.lift_hold(intent=why(), what="person", key=desk.ben.id)
    erasure.erase_person(intent=why(), person=desk.ben)


# --- the command line ------------------------------------------------------------------------------------------------


def test_the_command_shows_and_sets(root: Person, desk: Desk, capsys: Any) -> None:
    why = ["--by", root.username, "--reason", "the law"]
    call_command("retention", "--keep", "addresses", "365", "--hold", desk.ben.username, *why)
    said = capsys.readouterr().out
    assert "365 days" in said and f"held: person {desk.ben.username}" in said
    call_command("retention", "--lift", desk.ben.username, "--keep", "addresses", "ever", *why)
    said = capsys.readouterr().out
    assert "365 days" not in said and "held:" not in said
    call_command("retention", "--purge")
    assert "addresses: 0 purged" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--keep", "addresses", "365"],
        ["--keep", "addresses", "x", "--by", "{root}", "--reason", "x"],
        ["--keep", "nothing", "9", "--by", "{root}", "--reason", "x"],
        ["--hold", "nobody/nothing", "--by", "{root}", "--reason", "x"],
        ["--hold", "{ben}", "--by", "{ben}", "--reason", "x"],
        ["--lift", "{ben}", "--by", "{root}", "--reason", "x"],
    ],
)
def test_the_command_refuses_in_one_line(root: Person, desk: Desk, arguments: list[str]) -> None:
    names = {"root": root.username, "ben": desk.ben.username}
    with pytest.raises(CommandError) as caught:
        call_command("retention", *[word.format(**names) for word in arguments])
    assert "\n" not in str(caught.value)
