"""Several people on one label: If-Match, rebased edits, conflicts with what was missed, and retried requests."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

import pytest
import requests
from segments import SegmentsClient
from segments.exceptions import NetworkError
from segments.resource_api import Sample

from tests.e2e.conftest import MakeSample, People
from tests.e2e.documents import bbox, vector_label
from tests.e2e.live_server import LiveServer
from tests.e2e.wire import Wire, at_once, etag, label_path, offset

Json = dict[str, Any]


def move(annotation: int, x: float) -> Json:
    return {
        "op": "set_geometry",
        "annotation": annotation,
        "geometry": {"type": "bbox", "points": [[x, 0.0], [x + 5, 5.0]]},
    }


def paint(annotation: int, colour: str) -> Json:
    return {"op": "set_attributes", "annotation": annotation, "attributes": {"colour": colour}}


def add_point(**more: Any) -> Json:
    return {"op": "add", "category_id": 1, "geometry": {"type": "point", "points": [[1.0, 1.0]]}, **more}


@pytest.fixture
def sample(make_sample: MakeSample) -> Sample:
    """A sample whose label has five boxes."""
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(*(bbox(n) for n in range(1, 6))), "LABELED")
    return sample


@pytest.fixture
def seen(sample: Sample, admin_wire: Wire) -> int:
    """The version that everybody saw."""
    return etag(admin_wire.get(label_path(sample.uuid)))


def taken(answer: requests.Response) -> Json:
    assert answer.status_code == 200, answer.text
    said: Json = answer.json()
    return said


def conflict(answer: requests.Response) -> Json:
    assert answer.status_code == 409, answer.text
    said: Json = answer.json()
    assert said["code"] == "conflict"
    return said


# --- If-Match ------------------------------------------------------------------------------------------------------


def test_an_edit_of_the_version_that_is_there_is_not_rebased(sample: Sample, admin_wire: Wire, seen: int) -> None:
    said = taken(admin_wire.edit(sample.uuid, [move(1, 3.0)], if_match=seen))
    assert (said["version"], said["rebased"]) == (seen + 1, False)


def test_an_edit_of_another_object_is_rebased(sample: Sample, admin_wire: Wire, labeler_wire: Wire, seen: int) -> None:
    taken(admin_wire.edit(sample.uuid, [move(1, 3.0)], if_match=seen))
    said = taken(labeler_wire.edit(sample.uuid, [move(2, 4.0), add_point()], if_match=seen))
    assert (said["version"], said["rebased"]) == (seen + 3, True)
    points = {a["id"]: a["points"][0][0] for a in admin_wire.label(sample.uuid)["attributes"]["annotations"]}
    assert points == {1: 3.0, 2: 4.0, 3: 10.0, 4: 10.0, 5: 10.0, 6: 1.0}


CLASHES: dict[str, tuple[list[Json], list[Json]]] = {
    "both move it": ([move(1, 3.0)], [move(1, 4.0)]),
    "one moves it, one paints it": ([move(1, 3.0)], [paint(1, "red")]),
    "one removes it, one moves it": ([{"op": "remove", "annotation": 1}], [move(1, 3.0)]),
    "one moves it, one removes it": ([move(1, 3.0)], [{"op": "remove", "annotation": 1}]),
    "one edit of several touches it": ([move(2, 3.0)], [move(1, 3.0), paint(3, "red"), move(2, 9.0)]),
    "one submits, one edits": ([{"op": "set_status", "verb": "accept"}], [move(1, 3.0)]),
    "one edits, one skips": ([move(1, 3.0)], [{"op": "set_status", "verb": "skip"}]),
    "both set a status": ([{"op": "set_status", "verb": "accept"}], [{"op": "set_status", "verb": "skip"}]),
    "one links it, one removes the other end": (
        [{"op": "remove", "annotation": 2}],
        [{"op": "add_link", "annotation": 1, "to": 2}],
    ),
}


@pytest.mark.parametrize(("first", "second"), CLASHES.values(), ids=CLASHES)
def test_an_edit_of_what_somebody_else_touched_is_a_conflict(
    sample: Sample, admin_wire: Wire, labeler_wire: Wire, seen: int, first: list[Json], second: list[Json]
) -> None:
    taken(admin_wire.edit(sample.uuid, first, if_match=seen))
    head = admin_wire.head(sample.dataset.full_name)
    said = conflict(labeler_wire.edit(sample.uuid, second, if_match=seen))
    assert admin_wire.head(sample.dataset.full_name) == head
    missed = labeler_wire.get(said["missed"]).json()
    assert [event["version"] for event in missed] == list(range(seen + 1, seen + 1 + len(missed)))
    assert missed == admin_wire.label_events(sample.uuid)[-len(missed) :]
    assert {event["author"] for event in missed} == {"ada"}
    assert "events" not in said, "a refusal links to what was missed and does not contain it"


COMMUTING: dict[str, tuple[list[Json], list[Json]]] = {
    "different objects": ([move(1, 3.0)], [move(2, 4.0)]),
    "one adds, one edits": ([add_point()], [move(1, 3.0)]),
    "both add": ([add_point()], [add_point()]),
    "one removes, one edits another": ([{"op": "remove", "annotation": 3}], [paint(1, "red")]),
}


@pytest.mark.parametrize(("first", "second"), COMMUTING.values(), ids=COMMUTING)
def test_edits_of_different_things_lead_to_the_same_label_in_both_orders(
    make_sample: MakeSample, admin_wire: Wire, labeler_wire: Wire, first: list[Json], second: list[Json]
) -> None:
    results = []
    for order in ((first, second), (second, first)):
        sample = make_sample()
        sample.add_label("ground-truth", vector_label(*(bbox(n) for n in range(1, 6))), "LABELED")
        seen = etag(admin_wire.get(label_path(sample.uuid)))
        for wire, edits in zip((admin_wire, labeler_wire), order, strict=True):
            taken(wire.edit(sample.uuid, edits, if_match=seen))
        shown = admin_wire.label(sample.uuid)["attributes"]["annotations"]
        results.append([{k: v for k, v in item.items() if k != "uuid"} for item in shown])
    assert results[0] == results[1]


def test_an_edit_without_if_match_applies_to_what_is_there(
    sample: Sample, admin_wire: Wire, labeler_wire: Wire
) -> None:
    taken(admin_wire.edit(sample.uuid, [move(1, 3.0)]))
    said = taken(labeler_wire.edit(sample.uuid, [move(1, 4.0)]))
    assert said["rebased"] is False


def test_a_document_of_an_older_version_is_merged_with_what_others_did(
    sample: Sample, admin_wire: Wire, labeler_wire: Wire, seen: int
) -> None:
    taken(labeler_wire.edit(sample.uuid, [move(5, 33.0), add_point()], if_match=seen))
    document = vector_label(bbox(1, x=7.0), *(bbox(n) for n in (2, 3, 5)))
    answer = admin_wire.send(
        "PUT",
        label_path(sample.uuid),
        {"attributes": document, "label_status": "LABELED"},
        headers={"If-Match": f'"{seen}"'},
    )
    assert answer.status_code == 200, answer.text
    points = {a["id"]: a["points"][0][0] for a in answer.json()["attributes"]["annotations"]}
    assert points == {1: 7.0, 2: 10.0, 3: 10.0, 5: 33.0, 6: 1.0}


def test_a_document_of_an_older_version_that_touches_the_same_object_is_a_conflict(
    sample: Sample, admin_wire: Wire, labeler_wire: Wire, seen: int
) -> None:
    taken(labeler_wire.edit(sample.uuid, [move(1, 33.0)], if_match=seen))
    document = vector_label(bbox(1, x=7.0), *(bbox(n) for n in range(2, 6)))
    body = {"attributes": document, "label_status": "LABELED"}
    headers = {"If-Match": f'"{seen}"'}
    conflict(admin_wire.send("PUT", label_path(sample.uuid), body, headers=headers))
    conflict(admin_wire.send("PATCH", label_path(sample.uuid), {"attributes": document}, headers=headers))
    assert admin_wire.label(sample.uuid)["attributes"]["annotations"][0]["points"][0][0] == 33.0


def test_a_status_change_of_an_older_version_is_a_conflict(sample: Sample, admin_wire: Wire, seen: int) -> None:
    taken(admin_wire.edit(sample.uuid, [move(1, 33.0)], if_match=seen))
    headers = {"If-Match": f'"{seen}"'}
    conflict(admin_wire.send("PATCH", label_path(sample.uuid), {"label_status": "REVIEWED"}, headers=headers))
    conflict(admin_wire.send("DELETE", label_path(sample.uuid), headers=headers))
    assert admin_wire.label(sample.uuid)["label_status"] == "LABELED"


def test_a_version_that_is_not_there_yet_is_refused(sample: Sample, admin_wire: Wire, seen: int) -> None:
    answer = admin_wire.edit(sample.uuid, [move(1, 3.0)], if_match=seen + 1)
    assert answer.status_code == 412
    assert etag(admin_wire.get(label_path(sample.uuid))) == seen


def test_a_first_save_can_be_told_to_find_no_label(make_sample: MakeSample, admin_wire: Wire) -> None:
    sample = make_sample()
    body = {"attributes": vector_label(bbox(1))}
    first, second = (
        admin_wire.send("PUT", label_path(sample.uuid), body, headers={"If-None-Match": "*"}) for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (201, 412)


def test_the_sdk_takes_a_conflict_for_a_plain_network_error(
    sample: Sample, admin: SegmentsClient, labeler_wire: Wire, seen: int
) -> None:
    taken(labeler_wire.edit(sample.uuid, [move(1, 33.0)], if_match=seen))
    admin.api_session.headers["If-Match"] = f'"{seen}"'
    try:
        with pytest.raises(NetworkError) as refused:
            admin.update_label(sample.uuid, "ground-truth", vector_label(bbox(1, x=7.0)))
    finally:
        del admin.api_session.headers["If-Match"]
    assert type(refused.value) is NetworkError


# --- at the same moment --------------------------------------------------------------------------------------------


def edit_at_once(
    server: LiveServer, keys: list[str], sample: str, edits: list[list[Json]], **more: Any
) -> list[requests.Response]:
    return at_once(server.url, keys, [partial(Wire.edit, sample=sample, edits=mine, **more) for mine in edits])


def test_two_people_edit_different_objects_at_the_same_moment(
    sample: Sample, server: LiveServer, keys: People, seen: int
) -> None:
    edits = [[move(1, 3.0), move(2, 3.0)], [move(4, 3.0), move(5, 3.0)]]
    answers = edit_at_once(server, [keys.ada, keys.lena], sample.uuid, edits, if_match=seen)
    assert sorted(taken(answer)["rebased"] for answer in answers) == [False, True]
    assert sorted(taken(answer)["version"] for answer in answers) == [seen + 2, seen + 4]


def test_of_two_people_who_edit_the_same_object_at_the_same_moment_one_is_refused(
    sample: Sample, server: LiveServer, keys: People, admin_wire: Wire, seen: int
) -> None:
    edits = [[move(1, 3.0)], [move(1, 4.0)]]
    answers = edit_at_once(server, [keys.ada, keys.lena], sample.uuid, edits, if_match=seen)
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    [won] = [x for answer, x in zip(answers, (3.0, 4.0), strict=True) if answer.status_code == 200]
    assert admin_wire.label(sample.uuid)["attributes"]["annotations"][0]["points"][0][0] == won


def test_eight_additions_at_the_same_moment_all_stay_and_share_no_id(
    sample: Sample, server: LiveServer, keys: People, admin_wire: Wire, seen: int
) -> None:
    answers = edit_at_once(server, [keys.ada, keys.lena] * 4, sample.uuid, [[add_point(), add_point()]] * 8)
    given = sorted(result["id"] for answer in answers for result in taken(answer)["edits"])
    assert given == list(range(6, 22))
    assert [a["id"] for a in admin_wire.label(sample.uuid)["attributes"]["annotations"]] == list(range(1, 22))
    events = admin_wire.events(sample.dataset.full_name)
    assert [event["offset"] for event in events] == list(range(1, len(events) + 1))


def test_the_same_key_at_the_same_moment_is_done_once(
    sample: Sample, server: LiveServer, keys: People, admin_wire: Wire, seen: int
) -> None:
    answers = edit_at_once(server, [keys.ada] * 6, sample.uuid, [[add_point()]] * 6, key=str(uuid.uuid4()))
    first, *others = [taken(answer) for answer in answers]
    assert all(other == first for other in others)
    assert etag(admin_wire.get(label_path(sample.uuid))) == seen + 1


# --- Idempotency-Key -----------------------------------------------------------------------------------------------


def test_a_retried_edit_gets_the_same_answer_and_is_done_once(sample: Sample, admin_wire: Wire) -> None:
    key = str(uuid.uuid4())
    first = admin_wire.edit(sample.uuid, [add_point(), move(1, 3.0)], key=key, reason="once")
    head = admin_wire.head(sample.dataset.full_name)
    again = admin_wire.edit(sample.uuid, [add_point(), move(1, 3.0)], key=key, reason="once")
    assert taken(again) == taken(first)
    assert (etag(again), offset(again)) == (etag(first), offset(first))
    assert admin_wire.head(sample.dataset.full_name) == head


def test_a_retry_gets_the_same_answer_even_after_others_went_on(
    sample: Sample, admin_wire: Wire, labeler_wire: Wire, seen: int
) -> None:
    first = admin_wire.edit(sample.uuid, [{"op": "remove", "annotation": 1}], key="retry-1", if_match=seen)
    taken(labeler_wire.edit(sample.uuid, [move(2, 5.0), {"op": "set_status", "verb": "submit"}]))
    again = admin_wire.edit(sample.uuid, [{"op": "remove", "annotation": 1}], key="retry-1", if_match=seen)
    assert taken(again) == taken(first)
    assert etag(again) == etag(first)


def test_a_key_that_came_with_another_body_is_refused(sample: Sample, admin_wire: Wire) -> None:
    key = str(uuid.uuid4())
    taken(admin_wire.edit(sample.uuid, [move(1, 3.0)], key=key))
    head = admin_wire.head(sample.dataset.full_name)
    for answer in (
        admin_wire.edit(sample.uuid, [move(1, 4.0)], key=key),
        admin_wire.edit(sample.uuid, [move(1, 3.0)], key=key, reason="another"),
        admin_wire.edit(sample.uuid, [move(1, 3.0)], key=key, if_match=1),
    ):
        assert answer.status_code in (409, 422)
        assert answer.json()["code"] == "idempotency_key_reused"
        assert key not in answer.text
    assert admin_wire.head(sample.dataset.full_name) == head


def test_the_same_key_of_another_person_is_another_key(sample: Sample, admin_wire: Wire, labeler_wire: Wire) -> None:
    first = taken(admin_wire.edit(sample.uuid, [add_point()], key="mine"))
    second = taken(labeler_wire.edit(sample.uuid, [add_point()], key="mine"))
    assert second["version"] == first["version"] + 1


def test_an_edit_that_was_refused_can_be_mended_under_the_same_key(sample: Sample, admin_wire: Wire) -> None:
    refused = admin_wire.edit(sample.uuid, [move(99, 3.0)], key="mended")
    assert refused.status_code == 400
    taken(admin_wire.edit(sample.uuid, [move(1, 3.0)], key="mended"))


def test_an_edit_that_changed_nothing_is_remembered_too(sample: Sample, admin_wire: Wire, labeler_wire: Wire) -> None:
    nothing = {"op": "set_category", "annotation": 1, "category_id": 1}
    first = taken(admin_wire.edit(sample.uuid, [nothing], key="nothing"))
    taken(labeler_wire.edit(sample.uuid, [nothing | {"category_id": 7}]))
    again = taken(admin_wire.edit(sample.uuid, [nothing], key="nothing"))
    assert again == first
    assert admin_wire.label(sample.uuid)["attributes"]["annotations"][0]["category_id"] == 7


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_retried_save_gets_the_same_answer(sample: Sample, admin_wire: Wire, labeler_wire: Wire, method: str) -> None:
    body = {"attributes": vector_label(bbox(1, x=44.0)), "label_status": "LABELED"}
    headers = {"Idempotency-Key": f"save-{method}"}
    first = admin_wire.send(method, label_path(sample.uuid), body, headers=headers)
    taken(labeler_wire.edit(sample.uuid, [move(1, 5.0)]))
    again = admin_wire.send(method, label_path(sample.uuid), body, headers=headers)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert (etag(again), offset(again)) == (etag(first), offset(first))
    assert admin_wire.label(sample.uuid)["attributes"]["annotations"][0]["points"][0][0] == 5.0


def test_a_retried_delete_does_not_delete_what_was_made_since(sample: Sample, admin_wire: Wire) -> None:
    headers = {"Idempotency-Key": "delete"}
    assert admin_wire.send("DELETE", label_path(sample.uuid), headers=headers).status_code == 204
    sample.add_label("ground-truth", vector_label(bbox(1)))
    assert admin_wire.send("DELETE", label_path(sample.uuid), headers=headers).status_code == 204
    assert sample.get_label().label_status == "PRELABELED"
