"""API keys over the API: made, shown, revoked; what their scope and origin mean; and when they were last used."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from labeling.log import store
from labeling.models import ApiKey
from tests.labeling.api.conftest import Caller

JSON = dict[str, Any]


def with_key(caller: Caller, secret: str) -> Caller:
    """The same person with another key."""
    found = Caller()
    found.person, found.key = caller.person, secret
    return found


def new_key(caller: Caller, **fields: Any) -> Caller:
    answer = caller.post("/user/keys/", fields)
    assert answer.status == 201, answer.raw
    return with_key(caller, answer.json["key"])


@pytest.mark.parametrize("slash", ["/", ""])
def test_a_key_is_shown_once(caller, slash):
    ana = caller("ana")
    made = ana.post(f"/user/keys{slash}", {"name": "laptop", "scope": "label", "origin": "model"})
    assert made.status == 201 and made.headers["Cache-Control"] == "no-store"
    shown = {key: value for key, value in made.json.items() if key != "key"}
    assert (shown["name"], shown["scope"], shown["origin"]) == ("laptop", "label", "model")
    assert with_key(ana, made.json["key"]).get("/user/").json["username"] == "ana"
    listed = ana.get(f"/user/keys{slash}").json
    assert len(listed) == 2 and made.json["key"].encode() not in ana.get("/user/keys/").raw
    again = ana.get(f"/user/keys/{shown['uuid']}{slash}").json
    assert again == listed[0] == shown | {"last_used_at": again["last_used_at"]}
    assert again["last_used_at"] is not None


def test_a_key_manages_everything_for_a_person_unless_said(caller):
    made = caller("ana").post("/user/keys/", {}).json
    assert (made["name"], made["scope"], made["origin"], made["revoked_at"]) == ("", "manage", "person", None)


@pytest.mark.parametrize(
    "body, field",
    [({"scope": "all"}, "scope"), ({"scope": None}, "scope"), ({"origin": "import"}, "origin"),
     ({"origin": []}, "origin"), ({"name": 5}, "name"), ({"name": "x" * 101}, "name")],
)  # fmt: skip
def test_a_key_that_does_not_fit_is_refused_by_its_field(caller, body, field):
    answer = caller("ana").post("/user/keys/", body)
    assert (answer.status, answer.json["field"]) == (400, field)


def test_a_revoked_key_opens_nothing_and_stays_in_the_list(caller):
    ana = caller("ana")
    laptop = new_key(ana, name="laptop")
    found = ana.get("/user/keys/").json[0]
    for _ in range(2):
        assert ana.delete(f"/user/keys/{found['uuid']}").status == 204
    refused = laptop.get("/user/")
    assert (refused.status, refused.detail) == (401, "Invalid API key.")
    assert ana.get("/user/keys/").json[0]["revoked_at"] is not None


def test_nobody_sees_or_revokes_somebody_elses_key(caller):
    ana, ben = caller("ana"), caller("ben")
    mine = ana.get("/user/keys/").json[0]["uuid"]
    assert len(ben.get("/user/keys/").json) == 1
    for path in (f"/user/keys/{mine}", f"/user/keys/{uuid.uuid4()}", "/user/keys/laptop"):
        for answer in (ben.get(path), ben.delete(path)):
            assert (answer.status, answer.detail) == (404, "Not found.")
    assert ana.get("/user/").status == 200


# --- scope ---------------------------------------------------------------------------------------------------------


def test_a_key_that_may_only_read_writes_nothing(street):
    key = new_key(street.ana, scope="read")
    head = street.head
    assert key.get(street.path).status == 200
    assert key.get(f"{street.path}/events/").status == 200
    for answer in (
        key.put(street.label, {"attributes": {"annotations": []}}),
        key.patch(street.path, {"readme": "x"}),
        key.post(f"{street.path}/samples/", {"name": "b", "attributes": {}}),
        key.post("/assets/", {}),
        key.post("/user/keys/", {}),
        key.delete(f"/samples/{street.sample}"),
    ):
        assert answer.status == 403 and "The scope of this API key is read" in answer.detail
    assert street.head == head


def test_a_key_that_may_label_labels_and_no_more(street):
    key = new_key(street.ana, scope="label")
    assert key.put(street.label, {"attributes": {"annotations": []}}).status == 201
    assert key.post(f"/samples/{street.sample}/issues/", {"description": "x"}).status == 201
    assert key.post("/assets/", {"filename": "a.png"}).status == 201
    head = street.head
    for answer in (
        key.patch(street.path, {"readme": "x"}),
        key.patch(f"/samples/{street.sample}", {"priority": 4}),
        key.post(f"{street.path}/releases/", {"name": "v1"}),
        key.post("/user/keys/", {}),
    ):
        assert answer.status == 403 and "needs a key of the scope manage" in answer.detail
    assert street.head == head


def test_a_scope_gives_no_role(street, caller):
    stranger = new_key(caller("stranger"), scope="manage")
    assert stranger.get(street.path).status == 404
    assert new_key(street.ben, scope="manage").patch(street.path, {"readme": "x"}).status == 403


# --- origin --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["person", "model", "service"])
def test_what_a_key_does_is_by_its_origin_in_its_persons_name(street, origin):
    key = new_key(street.ana, origin=origin)
    assert street.edit({"op": "set_scene_attributes", "attributes": {"rain": True}}, by=key).status == 200
    event = store.read(street.id)[-1]
    assert (event.intent.author, event.intent.author_kind, event.intent.on_behalf_of) == (
        street.ana.person.id, origin, None,
    )  # fmt: skip


@pytest.mark.parametrize("by", ["model", "service"])
@pytest.mark.parametrize("origin", ["person", "model", "service"])
def test_no_model_makes_itself_a_person(caller, by, origin):
    key = new_key(caller("ana"), origin=by)
    answer = key.post("/user/keys/", {"origin": origin})
    assert answer.status == (201 if origin == by else 403)


# --- last use ------------------------------------------------------------------------------------------------------


def used(caller: Caller) -> dt.datetime | None:
    return ApiKey.objects.get(person=caller.person).last_used_at


def set_used(caller: Caller, ago: dt.timedelta) -> dt.datetime:
    moment = timezone.now() - ago
    ApiKey.objects.filter(person=caller.person).update(last_used_at=moment)
    return moment


def test_the_last_use_is_written_down_at_most_once_an_hour(caller):
    ana = caller("ana")
    assert used(ana) is None
    ana.get("/user/")
    assert used(ana) is not None
    lately = set_used(ana, dt.timedelta(minutes=59))
    ana.get("/user/")
    assert used(ana) == lately
    set_used(ana, dt.timedelta(minutes=61))
    ana.get("/user/")
    found = used(ana)
    assert found is not None and found > lately


def test_a_use_that_cannot_be_written_down_fails_no_request(caller, caplog):
    ana = caller("ana")

    def read_only(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("UPDATE labeling_apikey"):
            raise DatabaseError("read only")
        return execute(sql, *arguments)

    with connection.execute_wrapper(read_only):
        assert ana.get("/user/").status == 200
    assert used(ana) is None
    assert "could not be written down" in caplog.text


def test_a_refused_key_was_not_used(caller):
    ana = caller("ana")
    ApiKey.objects.filter(person=ana.person).update(revoked_at=timezone.now())
    assert ana.get("/user/").status == 401
    assert used(ana) is None


def test_a_retry_makes_no_second_key_and_cannot_show_the_first_again(caller):
    ana = caller("ana")
    first = ana.post("/user/keys/", {"name": "a"}, Idempotency_Key="one")
    assert first.status == 201
    again = ana.post("/user/keys/", {"name": "a"}, Idempotency_Key="one")
    assert (again.status, again.json["code"]) == (409, "refused")
    assert ana.post("/user/keys/", {"name": "b"}, Idempotency_Key="one").status == 422
    assert [key["name"] for key in ana.get("/user/keys/").json].count("a") == 1
