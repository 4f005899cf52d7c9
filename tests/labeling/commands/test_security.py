"""The security log: what it says of logins, denials and downloads, what it must not, and what bounds it."""

from __future__ import annotations

import datetime as dt
import sys
import uuid
from typing import Any

import pytest
from django.db import connection

from labeling import actors
from labeling import events as e
from labeling.commands import security
from labeling.commands.security import MOST_A_MINUTE, NOBODY, hidden, keyed_hash
from labeling.errors import Busy, NotPermitted
from labeling.log import rebuild, store, verify
from labeling.log.event import SECURITY, Intent
from labeling.models import SecurityTally

DATASET = uuid.UUID("dddddddd-dddd-4ddd-8ddd-dddddddddddd")
HOME = "192.0.2.7"
SINCE = 0


class Clock:
    """A clock that only goes when it is told to."""

    def __init__(self) -> None:
        self.time = dt.datetime(2026, 3, 1, 12, 0, 30, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.time

    def next_minute(self) -> None:
        self.time += dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def clock(db, monkeypatch):
    found = Clock()
    # Other tests may have left something in the log, which nobody can take away.
    monkeypatch.setattr(sys.modules[__name__], "SINCE", store.head(SECURITY))
    SecurityTally.objects.all().delete()
    monkeypatch.setattr(security, "now", found)
    return found


def events() -> list[Any]:
    return store.read(SECURITY, after=SINCE)


def told() -> list[Any]:
    return [event.fact for event in events()]


def fail(username: str = "ana", address: str = HOME, locked: bool = False) -> None:
    security.login_failed(username=username, source=security.Source(address), locked=locked)


def deny(person: Any = None, action: str = "change", path: str = "/datasets/{owner}/{name}/", **more: Any) -> None:
    error = NotPermitted("No.", action=action, dataset=DATASET) if action != "key" else None
    source = security.Source(HOME, "python-requests/2.32.3", more.pop("key", None), more.pop("scope", None))
    known: dict[str, Any] = {"source": source, "tool": "python-sdk"}
    security.denied(person=person.id if person else None, error=error, path=path, **(known | more))


CLIENT = "python-requests/2.32.3"


# --- what it says --------------------------------------------------------------------------------------------------


def test_a_login_is_told_with_its_author(person):
    ana = person("ana")
    security.login_succeeded(person=ana.id, source=security.Source(HOME))
    security.logged_out(person=ana.id)
    assert told() == [e.LoginSucceeded(address=hidden(HOME, person=ana.id)), e.LoggedOut()]
    assert {(event.intent.author, event.intent.author_kind) for event in events()} == {(ana.id, "person")}


def test_a_failed_login_names_nobody():
    fail("ana@example.org")
    (event,) = events()
    assert event.intent.author == NOBODY
    assert event.fact == e.LoginFailed(username=hidden("ana@example.org"), address=hidden(HOME))
    assert "ana" not in str(event) and HOME not in str(event)


def test_a_hash_is_equal_for_equal_texts_and_depends_on_the_installations_key(settings):
    before = keyed_hash("ana")
    assert keyed_hash("ana") == before != keyed_hash("Ana")
    settings.SECRET_KEY = "another"
    assert keyed_hash("ana") != before


def test_a_denied_command_is_told_with_what_was_asked_for(person):
    ana, key = person("ana"), uuid.uuid4()
    deny(ana, key=key, scope="label", kind="model")
    (event,) = events()
    assert event.fact == e.CommandDenied(
        action="change",
        path="/datasets/{owner}/{name}/",
        dataset=str(DATASET),
        key=str(key),
        scope="label",
        address=hidden(HOME, person=ana.id),
        client=CLIENT,
    )
    assert (event.intent.author, event.intent.author_kind, event.intent.tool) == (ana.id, "model", "python-sdk")


def test_a_bad_key_is_told_of_nobody():
    deny(action="key", path="/user/")
    (event,) = events()
    assert event.fact == e.CommandDenied(action="key", path="/user/", address=hidden(HOME), client=CLIENT)
    assert event.intent.author == NOBODY


def test_a_download_is_told():
    release = uuid.uuid4()
    key = uuid.uuid4()
    said: Any = {"what": "release", "id": release, "dataset": DATASET, "sha256": "ab" * 32, "person": None}
    security.downloaded(**said, source=security.Source(HOME, CLIENT, key, "read"))
    assert told() == [
        e.Downloaded(
            what="release",
            id=str(release),
            dataset=str(DATASET),
            sha256="ab" * 32,
            address=hidden(HOME),
            key=str(key),
            client=CLIENT,
        )
    ]


def test_the_use_of_a_key_is_told_with_where_and_with_what(person, clock):
    ana, key = person("ana"), uuid.uuid4()
    security.key_used(person=ana.id, origin="model", source=security.Source(HOME, CLIENT, key, "label"))
    assert events() == []
    clock.next_minute()
    security.tell_tallies()
    (event,) = events()
    assert event.fact == e.KeyUsed(
        key=str(key), scope="label", origin="model", address=hidden(HOME, person=ana.id), client=CLIENT
    )
    assert (event.intent.author, event.intent.author_kind) == (ana.id, "model")
    assert HOME not in str(event)


def test_a_read_of_the_audit_is_told_with_where_and_with_what(person):
    ana, key = person("ana"), uuid.uuid4()
    intent = Intent(author=ana.id)
    security.audit_read(intent=intent, what="access", dataset=DATASET, source=security.Source(HOME, CLIENT, key))
    assert told() == [
        e.AuditRead(
            what="access",
            dataset=str(DATASET),
            address=hidden(HOME, person=ana.id),
            key=str(key),
            client=CLIENT,
        )
    ]


def test_many_keys_at_once_are_few_events(person, clock):
    ana = person("ana")
    for _ in range(100):
        security.key_used(person=ana.id, origin="person", source=security.Source(HOME, CLIENT, uuid.uuid4(), "read"))
    clock.next_minute()
    security.tell_tallies()
    assert len(told()) == MOST_A_MINUTE + 1
    assert sum(fact.count for fact in told()) == 100


# --- what bounds it ------------------------------------------------------------------------------------------------


def test_the_same_within_a_minute_is_told_once_and_then_together(clock):
    for _ in range(40):
        fail()
    assert [fact.count for fact in told()] == [1]
    assert security.tell_tallies() == 0, "the minute is not over"
    clock.next_minute()
    assert security.tell_tallies() == 1
    assert [fact.count for fact in told()] == [1, 39]
    assert {fact.username for fact in told()} == {hidden("ana")}
    assert not SecurityTally.objects.exists()
    assert security.tell_tallies() == 0


def test_what_happened_once_is_not_told_again(clock):
    fail()
    clock.next_minute()
    assert security.tell_tallies() == 0
    assert (len(told()), SecurityTally.objects.count()) == (1, 0)


def test_the_same_in_the_next_minute_is_told_at_once(clock):
    fail()
    clock.next_minute()
    fail()
    assert [fact.count for fact in told()] == [1, 1]


def test_a_flood_of_different_failures_becomes_few_events_and_loses_no_count(clock):
    for number in range(100):
        fail(f"user{number}", f"198.51.100.{number}")
    assert len(told()) == MOST_A_MINUTE + 1
    assert told()[-1] == e.LoginFailed(username="", address="")
    assert SecurityTally.objects.count() == MOST_A_MINUTE + 1
    clock.next_minute()
    security.tell_tallies()
    assert len(told()) == MOST_A_MINUTE + 2
    assert sum(fact.count for fact in told()) == 100


def test_within_a_flood_a_known_source_is_still_counted_as_itself(clock):
    fail("first")
    for number in range(50):
        fail(f"user{number}")
    fail("first")
    clock.next_minute()
    security.tell_tallies()
    of_first = [fact for fact in told() if fact.username == hidden("first")]
    assert [fact.count for fact in of_first] == [1, 1]


def test_one_persons_flood_hides_nobody_else(person):
    ana, ben = person("ana"), person("ben")
    for number in range(50):
        deny(ana, path=f"/{number}/")
    for number in range(50):
        fail(f"user{number}")
    deny(ben)
    security.login_succeeded(person=ben.id, source=security.Source(HOME))
    assert told()[-2:] == [
        e.CommandDenied(
            action="change",
            path="/datasets/{owner}/{name}/",
            dataset=str(DATASET),
            address=hidden(HOME, person=ben.id),
            client=CLIENT,
        ),
        e.LoginSucceeded(address=hidden(HOME, person=ben.id)),
    ]
    assert len(told()) == 2 * (MOST_A_MINUTE + 1) + 2


def test_a_tally_keeps_its_author_and_when_it_happened_last(person, clock):
    ana = person("ana")
    deny(ana, kind="service")
    deny(ana, kind="service")
    last = clock.time
    clock.next_minute()
    security.tell_tallies()
    second = events()[1]
    assert (second.intent.author, second.intent.author_kind) == (ana.id, "service")
    assert second.intent.occurred_at == last
    assert second.fact.count == 1


def test_the_sweeper_tells_the_tallies(clock):
    fail()
    fail()
    clock.next_minute()
    actors.sweep()
    assert [fact.count for fact in told()] == [1, 1]


def test_a_stream_holds_one_day(person, clock):
    deny(person("ana"))
    fail()
    fail("ben")
    clock.time += dt.timedelta(days=1)
    fail()
    streams = [(event.stream, event.version) for event in events()]
    assert streams == [
        ("denied/2026-03-01", 1),
        ("login/2026-03-01", 1),
        ("login/2026-03-01", 2),
        ("login/2026-03-02", 1),
    ]


# --- what happens when it cannot be told ---------------------------------------------------------------------------


def test_a_log_that_is_held_stops_a_login_and_a_download_but_no_refusal(person, monkeypatch, caplog):
    def busy(*arguments: Any, **keywords: Any) -> Any:
        raise store.LogBusy

    monkeypatch.setattr(store, "append", busy)
    with pytest.raises(Busy):
        security.login_succeeded(person=person("ana").id, source=security.Source(HOME))
    with pytest.raises(Busy):
        security.downloaded(
            what="release", id=uuid.uuid4(), dataset=DATASET, sha256="", source=security.Source(HOME), person=None
        )
    fail()
    deny()
    security.logged_out(person=NOBODY)
    assert len(caplog.records) == 3
    assert not SecurityTally.objects.exists(), "what was not told is not counted as told"


# --- that it is a log like the others ------------------------------------------------------------------------------


def test_it_is_verified_and_folded_like_the_others(person):
    deny(person("ana"))
    fail()
    assert verify.verify_log(SECURITY) == []
    assert rebuild.differences(SECURITY) == {}
    assert [kind for log, kind, _ in store.logs() if log == SECURITY] == ["security"]


def test_a_changed_event_is_found():
    fail()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE log_event DISABLE TRIGGER log_event_immutable")
        cursor.execute("UPDATE log_event SET author = %s WHERE log = %s", [uuid.uuid4(), SECURITY])
        cursor.execute("ALTER TABLE log_event ENABLE ALWAYS TRIGGER log_event_immutable")
    assert [finding.kind for finding in verify.verify_log(SECURITY)] == ["chain"]
