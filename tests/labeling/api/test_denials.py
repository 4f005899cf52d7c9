"""What the API denies, in the security log; and what is not told there."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Any

import pytest

from labeling import events as e
from labeling.api.denials import template
from labeling.commands import security
from labeling.commands.security import NOBODY, hidden
from labeling.log import store
from labeling.log.event import SECURITY
from labeling.models import ApiKey, SecurityTally

SINCE = 0


@pytest.fixture(autouse=True)
def since(db, monkeypatch):
    """Other tests may have left something in the log, which nobody can take away."""
    monkeypatch.setattr(sys.modules[__name__], "SINCE", store.head(SECURITY))
    SecurityTally.objects.all().delete()


def told() -> list[Any]:
    return store.read(SECURITY, after=SINCE)


@pytest.mark.parametrize(
    "route, shown",
    [
        (r"^user/?$", "/user/"),
        (r"^datasets/(?P<owner>[^/]+)/(?P<name>[^/]+)/?$", "/datasets/{owner}/{name}/"),
        (r"^datasets/(?P<sample>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/issues/?$", "/datasets/{sample}/issues/"),
        ("media/<str:token>/<str:filename>", "/media/{token}/{filename}/"),
        ("admin/labeling/dataset/<path:object_id>/change/", "/admin/labeling/dataset/{object_id}/change/"),
        ("", "//"),
    ],
)
def test_a_template_is_an_address_without_its_values(route, shown):
    assert template(route) == shown


def test_who_may_not_is_told_with_what_they_wanted(street):
    answer = street.ben.patch(street.path, {"readme": "x"}, X_Source="python-sdk", User_Agent="python-requests/2.32.3")
    assert answer.status == 403
    (event,) = told()
    key = ApiKey.objects.get(person=street.ben.person)
    assert event.fact == e.CommandDenied(
        action="change",
        path="/datasets/{owner}/{name}/",
        dataset=str(street.id),
        key=str(key.id),
        scope="manage",
        address=hidden("127.0.0.1", person=street.ben.person.id),
        client="python-requests/2.32.3",
    )
    assert (event.intent.author, event.intent.tool) == (street.ben.person.id, "python-sdk")
    assert street.path.split("/")[-1] not in str(event)


def test_the_use_of_a_key_is_told_once_an_hour(street, monkeypatch):
    for _ in range(3):
        street.ben.get(street.path, User_Agent="curl/8.5.0 (x)")
    tomorrow = security.now() + dt.timedelta(days=1)
    monkeypatch.setattr(security, "now", lambda: tomorrow)
    security.tell_tallies()
    key = ApiKey.objects.get(person=street.ben.person)
    used = [event.fact for event in told() if event.intent.author == street.ben.person.id]
    address = used[0].address
    assert used == [e.KeyUsed(key=str(key.id), scope="manage", address=address, client="curl/8.5.0")]
    assert address and "." not in address


@pytest.mark.parametrize("path", ["/user/", "/datasets/ana/secret-name/"])
def test_a_bad_key_is_told_without_the_key(caller, path, db):
    nobody = caller()
    nobody.key = "pk_stolen"
    assert nobody.get(path).status == 401
    (event,) = told()
    assert (event.fact.action, event.fact.address) == ("key", hidden("127.0.0.1"))
    assert event.intent.author == NOBODY
    assert not any(word in str(event) for word in ("pk_stolen", "secret-name", "127.0.0.1"))


def test_many_bad_keys_are_few_events(caller, db, monkeypatch):
    at = security.now()
    monkeypatch.setattr(security, "now", lambda: at)
    nobody = caller()
    for number in range(30):
        nobody.key = f"pk_{number}"
        assert nobody.get("/user/").status == 401
    assert len(told()) == 1


def test_what_one_may_not_know_of_is_no_denial(street, caller):
    stranger = caller("stranger")
    assert stranger.get(street.path).status == 404
    assert stranger.delete(street.path).status == 404
    assert caller().get("/user/").status == 401, "and neither is who comes without a key"
    assert street.ana.patch(street.path, {"public": 5}).status == 400
    assert told() == []


def test_who_is_logged_in_with_a_browser_is_told_without_a_key(street):
    client = street.ben.client
    client.force_login(street.ben.person)
    known = len(told())
    street.ben.key = None
    assert street.ben.get(f"{street.path}/collaborators/{street.ana.person.username}").status == 200
    assert street.ben.patch(street.path, {"readme": "x"}).status == 403
    (event,) = told()[known:]
    assert (event.fact.key, event.intent.author, event.intent.author_kind) == (None, street.ben.person.id, "person")
