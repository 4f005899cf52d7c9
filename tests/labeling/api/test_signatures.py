"""Electronic signatures: under exactly what a label says, with the password given again, and superseded by an edit."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling.commands import people
from labeling.commands.erasure import erase_person
from labeling.log import store
from labeling.log.event import SECURITY, Intent
from labeling.log.rows import Rows
from labeling.queries.signatures import findings
from labeling.rules.signatures import signature_stream
from labeling.texts import encrypt

BOX = {"op": "add", "category_id": 1, "geometry": {"type": "bbox", "points": [[1, 2], [3, 4]]}}
ACCEPT = {"op": "set_status", "verb": "accept"}
PASSWORD = "a long one, only for signing"


@pytest.fixture
def office(street: Any) -> Any:
    """A street with a label, whose owner has a name and a password."""
    by, ana = people.operator("test"), street.ana.person
    people.change_person(intent=by, person=ana, fields={"first_name": "Ana", "last_name": "Example"})
    people.set_password(intent=by, person=ana, password=PASSWORD)
    assert street.edit(BOX, by=street.ben).status == 200
    return street


def sign(street: Any, *, by: Any = None, version: int | None = None, **more: Any) -> Any:
    seen = int(street.ana.get(f"{street.label}/").headers["ETag"].strip('"'))
    body = {"meaning": "reviewed", "version": version or seen, "password": PASSWORD} | more
    return (by or street.ana).post(f"{street.label}/signatures/", body)


def signatures(street: Any) -> Any:
    return street.ana.get(f"{street.label}/signatures/").json


def test_a_signature_has_name_time_and_meaning_and_is_read_in_every_history(office: Any) -> None:
    signed = sign(office)
    assert signed.status == 201, signed.raw
    (shown,) = signatures(office)
    assert shown == signed.json
    assert (shown["name"], shown["meaning"], shown["state"]) == ("Ana Example", "reviewed", "valid")
    assert shown["signed_by"] == office.ana.person.username
    for path in (office.label, f"/samples/{office.sample}", office.path):
        entry = office.ana.get(f"{path}/history/").json[-1]
        assert (entry["type"], entry["offset"]) == ("LabelSigned", shown["offset"])
        assert entry["sentence"].endswith(f"signed version {shown['version']} of the label as reviewed")
    (event,) = office.ana.get(f"{office.path}/events/?type=LabelSigned").json
    assert event["text"] == "Ana Example" and "Ana Example" not in str(event["data"])


def test_signing_changes_no_label_and_the_same_again_is_the_same(office: Any) -> None:
    before = office.ana.get(f"{office.label}/").headers["ETag"]
    first, head = sign(office).json, office.head
    assert sign(office).json == first
    assert (office.head, office.ana.get(f"{office.label}/").headers["ETag"]) == (head, before)
    assert sign(office, meaning="approved").status == 201
    assert [item["meaning"] for item in signatures(office)] == ["reviewed", "approved"]


def test_an_edit_supersedes_it_and_a_status_does_not(office: Any) -> None:
    sign(office)
    assert office.edit(ACCEPT).status == 200
    assert [item["state"] for item in signatures(office)] == ["valid"]
    assert office.edit(BOX).status == 200
    assert [item["state"] for item in signatures(office)] == ["superseded"]
    assert sign(office).status == 201
    assert [item["state"] for item in signatures(office)] == ["superseded", "valid"]


def test_what_was_changed_since_is_not_signed(office: Any) -> None:
    assert office.edit(BOX).status == 200
    assert sign(office, version=1).status == 412
    assert sign(office, version=99).status == 412
    assert signatures(office) == []


@pytest.mark.parametrize(
    "body, status, field",
    [
        ({"password": "wrong"}, 403, None),
        ({"password": ""}, 400, "password"),
        ({"password": None}, 400, "password"),
        ({"password": 5}, 400, "password"),
        ({"meaning": "released"}, 400, "meaning"),
        ({"meaning": None}, 400, "meaning"),
        ({"version": "1"}, 400, "version"),
        ({"version": True}, 400, "version"),
    ],
)
def test_who_does_not_say_all_of_it_signs_nothing(office: Any, body: Any, status: int, field: str | None) -> None:
    head = office.head
    answer = sign(office, **body)
    assert (answer.status, answer.json.get("field")) == (status, field)
    assert office.head == head and PASSWORD not in answer.raw.decode()


def test_wrong_passwords_are_told_and_lock(office: Any) -> None:
    known = store.head(SECURITY)
    for _ in range(5):
        assert sign(office, password="wrong").status == 403
    assert sign(office).status == 403
    assert "Too many" in sign(office).detail
    assert {"LoginFailed", "CommandDenied"} <= {event.type for event in store.read(SECURITY, after=known)}


def test_who_may_not_review_or_is_no_person_does_not_sign(office: Any) -> None:
    people.set_password(intent=people.operator("test"), person=office.ben.person, password=PASSWORD)
    assert sign(office, by=office.ben).status == 403
    robot = type(office.ana)(office.ana.person)
    robot.key = people.create_key(intent=people.operator("test"), person=office.ana.person, origin="model")[1]
    assert sign(office, by=robot).status == 403


def test_who_has_no_password_is_told_so(street: Any) -> None:
    street.edit(BOX)
    assert (sign(street).status, sign(street).json["code"]) == (409, "refused")


def test_a_signature_cannot_be_put_under_another_label(office: Any, sample: Any) -> None:
    other = sample(office.id, office.ana.person)
    assert office.ana.post(f"/labels/{other}/ground-truth/edits/", {"edits": [BOX]}).status == 200
    signed = sign(office).json
    body = {"meaning": "reviewed", "version": signed["version"], "password": PASSWORD}
    elsewhere = office.ana.post(f"/labels/{other}/ground-truth/signatures/", body)
    assert elsewhere.json["content"] != signed["content"]
    assert list(findings(office.id)) == []

    event = next(item for item in store.read(office.id) if item.type == "LabelSigned")
    label_set = event.stream.split("/")[2]
    stream = signature_stream(other, label_set)
    forged = store.new_events(office.id, event.intent, [(stream, store.version(office.id, stream), event.fact)])
    store.append(office.id, intent=event.intent, events=forged, rows=Rows())
    (found,) = findings(office.id)
    assert (found.kind, found.offset) == ("signature", office.head)


def test_an_erased_name_is_gone_and_the_signature_stays(office: Any, person: Any) -> None:
    signed = sign(office).json
    root = person(f"root-{uuid.uuid4().hex[:8]}", superuser=True)
    office.ben.person.refresh_from_db()
    people_manager = office.ben
    assert people_manager.get(f"{office.label}/signatures/").json == [signed]
    erase_person(intent=Intent(author=root.id, reason=encrypt("asked", person=root.id)), person=office.ana.person)
    (shown,) = people_manager.get(f"{office.label}/signatures/").json
    assert (shown["name"], shown["state"]) == ("(erased)", "valid")
    assert shown["signed_by"].startswith("erased-")
    assert list(findings(office.id)) == []


# --- what a dataset asks for -----------------------------------------------------------------------------------------


def test_a_dataset_may_have_labels_accepted_only_signed(office: Any) -> None:
    assert office.ana.patch(f"{office.path}/", {"signatures_required": ["review"]}).status == 200
    refused = office.edit(ACCEPT)
    assert (refused.status, refused.json["code"]) == (409, "refused") and "sign it first" in refused.detail
    assert office.ana.patch(f"{office.label}/", {"label_status": "REVIEWED"}).status == 409
    sign(office)
    assert office.edit(BOX, ACCEPT).status == 409
    assert office.edit(ACCEPT).status == 200
    assert office.edit({"op": "set_status", "verb": "verify"}).status == 409  # at another version
    for bad in ("review", ["x"], [1], None):
        assert office.ana.patch(f"{office.path}/", {"signatures_required": bad}).json["field"] == "signatures_required"


def test_with_four_eyes_nobody_reviews_what_they_changed(office: Any) -> None:
    assert office.ana.patch(f"{office.path}/", {"enable_four_eyes": True}).status == 200
    assert office.edit(ACCEPT).status == 200  # ben made it
    assert office.edit({"op": "set_status", "verb": "submit"}, BOX).status == 200
    for verb in ("accept", "reject", "verify"):
        answer = office.edit({"op": "set_status", "verb": verb})
        assert answer.status == 409 and "four eyes" in answer.detail
    document = {"attributes": {"annotations": []}, "label_status": "REVIEWED"}
    assert office.ana.put(f"{office.label}/", document).status == 409
    by_hand = {"edits": [{"op": "set_status", "verb": "override", "status": "REVIEWED"}], "reason": "nobody else"}
    assert office.ana.post(office.edits, by_hand).status == 200
