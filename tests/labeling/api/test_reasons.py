"""What a dataset asks a reason for: refused without one, by every way to do it, and read again with the event."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.rules.reasons import CLASSES

ALL = list(CLASSES)
BOX = {"op": "add", "category_id": 1, "geometry": {"type": "bbox", "points": [[1, 2], [3, 4]]}}
OVERRIDE = {"op": "set_status", "verb": "override", "status": "REVIEWED"}


@pytest.fixture
def strict(make_street: Any) -> Any:
    """A street whose dataset asks a reason for everything, with a label."""
    street = make_street()
    assert street.ana.patch(f"{street.path}/", {"reasons_required": ALL}).status == 200
    assert street.edit(BOX).status == 200
    return street


#: (what, method, path, body)
ASKED = {
    "a label": ("DELETE", "{label}/", None),
    "a sample": ("DELETE", "/samples/{sample}/", None),
    "several samples": ("DELETE", "{path}/samples_bulk/", {"uuids": ["{sample}"]}),
    "a label set": ("DELETE", "{path}/labelsets/yolo/", None),
    "a dataset": ("DELETE", "{path}/", None),
    "an issue": ("DELETE", "/issues/{issue}/", None),
    "a category": ("PATCH", "{path}/", {"task_attributes": {"categories": [{"id": 1, "name": "car"}]}}),
    "a status by hand": ("POST", "{label}/edits/", {"edits": [OVERRIDE]}),
    "a member": ("POST", "{path}/collaborators/", {"user": "{other}", "role": "labeler"}),
    "a role": ("PATCH", "{path}/collaborators/{ben}/", {"role": "reviewer"}),
    "a member gone": ("DELETE", "{path}/collaborators/{ben}/", None),
}


def filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    return value.format(**names) if isinstance(value, str) else value


@pytest.mark.parametrize("what", ASKED)
def test_what_asks_for_a_reason_is_refused_without_and_done_with_one(strict: Any, caller: Any, what: str) -> None:
    street = strict
    assert street.ana.post(f"{street.path}/labelsets/", {"name": "yolo"}).status == 201
    issue = street.ana.post(f"/samples/{street.sample}/issues/", {"description": "x"}).json["uuid"]
    names = {
        "label": street.label,
        "sample": str(street.sample),
        "path": street.path,
        "issue": issue,
        "ben": street.ben.person.username,
        "other": caller(f"other-{str(street.id)[:8]}").person.username,
    }
    method, path, body = ASKED[what]
    path, body, head = path.format(**names), filled(body, names), street.head

    refused = street.ana.send(method, path, body)
    assert (refused.status, refused.json["code"], refused.json["field"]) == (422, "reason_required", "reason")
    assert "X-Reason" in refused.detail
    assert street.head == head

    done = street.ana.send(method, path, body, X_Reason="it%20was%20a%20t%C3%A9st")
    assert done.status in (200, 201, 204), done.raw
    assert street.head > head
    if what != "a dataset":
        events = street.ana.get(f"{street.path}/events/?after={head}").json
        assert {event["reason"] for event in events} == {"it was a tést"}


def test_an_accepted_label_is_changed_for_a_reason(strict: Any) -> None:
    assert strict.ana.post(strict.edits, {"edits": [OVERRIDE], "reason": "good"}).status == 200

    assert strict.edit(BOX).status == 422
    assert strict.ana.put(f"{strict.label}/", {"attributes": {"annotations": []}}).status == 422
    assert strict.edit({"op": "set_status", "verb": "reject"}).status == 200
    assert strict.edit(BOX).status == 200


def test_who_sends_no_reasons_works_by_default(street: Any) -> None:
    assert street.ana.get(f"{street.path}/").json["reasons_required"] == ["override"]
    assert street.edit(BOX).status == 200
    assert street.edit(OVERRIDE).status == 422
    for method, path in (("DELETE", f"{street.label}/"), ("DELETE", f"/samples/{street.sample}/")):
        assert street.ana.send(method, path).status == 204
    assert street.ana.patch(f"{street.path}/", {"reasons_required": []}).status == 200
    for bad in ("delete", ["x"], [1], None, {"delete": True}):
        assert street.ana.patch(f"{street.path}/", {"reasons_required": bad}).json["field"] == "reasons_required"


@pytest.mark.parametrize("bad", ["%ff", "é", "%00", "x" * 10_001])
def test_a_reason_that_is_no_text_is_refused(street: Any, bad: str) -> None:
    answer = street.edit(BOX, X_Reason=bad)
    assert (answer.status, answer.json["field"]) == (400, "X-Reason")


def test_a_retry_gets_its_answer_also_where_a_reason_is_asked_for_since(street: Any) -> None:
    assert street.edit(BOX).status == 200
    first = street.ana.delete(f"{street.label}/", Idempotency_Key="one")
    street.ana.patch(f"{street.path}/", {"reasons_required": ALL})
    assert street.ana.delete(f"{street.label}/", Idempotency_Key="one").status == first.status == 204
