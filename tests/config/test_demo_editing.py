"""The edits that the demo's two people send, and the order in which they are told."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from config.demo.editing import edit_at_once, marked, missed_events, moved, polygons_by_id, send_edits
from config.demo.job import by_version, is_ours, listed
from config.demo.server import Answer, Refused, Server

VEHICLE = {"id": 3, "uuid": "v", "category_id": 1, "type": "polygon", "points": [[1.5, 2.0], [4.0, 2.0], [4.0, 6.25]]}


class Recorded(Server):
    """A server that answers from a list and keeps what it was asked."""

    def __init__(self, *answers: Answer, together: threading.Barrier | None = None) -> None:
        super().__init__("http://server.test", "key")
        self.asked: list[tuple[str, str, Any, Mapping[str, str]]] = []
        self._answers = list(answers)
        self._together = together

    def _ask(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        if self._together is not None:
            self._together.wait(timeout=10)
        self.asked.append((method, url, json.loads(data) if data else None, headers))
        return self._answers.pop(0)


def answer(status: int, version: int = 1, body: Any = None) -> Answer:
    return Answer(status, {"etag": f'"{version}"', "dataset-offset": "31"}, json.dumps(body).encode())


def test_moving_shifts_every_point_to_the_right_and_leaves_the_label_alone() -> None:
    before = json.dumps(VEHICLE)
    edit = moved(VEHICLE, -1.5)
    assert edit["op"] == "set_geometry" and edit["annotation"] == 3
    assert edit["geometry"] == {"type": "polygon", "parts": [[[[0.0, 2.0], [2.5, 2.0], [2.5, 6.25]]]]}
    assert json.dumps(VEHICLE) == before


@pytest.mark.parametrize(
    ("attributes", "value"), [(None, True), ({}, True), ({"occluded": True}, False), ({"occluded": False}, True)]
)
def test_marking_always_changes_the_attribute(attributes: dict[str, Any] | None, value: bool) -> None:
    edit = marked({**VEHICLE, "attributes": attributes}, "occluded", (True, False))
    assert edit == {"op": "set_attributes", "annotation": 3, "attributes": {"occluded": value}}


def test_marking_keeps_the_other_attributes() -> None:
    edit = marked({**VEHICLE, "attributes": {"lights": "on", "occluded": True}}, "lights", ("on", "off"))
    assert edit["attributes"] == {"lights": "off", "occluded": True}


def test_only_polygons_are_edited() -> None:
    box = {"id": 4, "type": "bbox", "points": [[0, 0], [1, 1]]}
    assert polygons_by_id({"attributes": {"annotations": [VEHICLE, box]}}) == {3: VEHICLE}


def test_an_edit_names_the_version_that_was_seen_and_a_key_of_its_own() -> None:
    server = Recorded(answer(200, 8), answer(200, 9))
    for _ in range(2):
        send_edits(server, "/labels/s/ground-truth/", 7, [moved(VEHICLE, 1)], "why")
    (method, url, body, headers), (_, _, second_body, second_headers) = server.asked
    assert (method, url) == ("POST", "http://server.test/labels/s/ground-truth/edits/")
    assert headers["If-Match"] == '"7"'
    assert body["reason"] == "why" and body["edits"] == [moved(VEHICLE, 1)]
    assert headers["Idempotency-Key"] != second_headers["Idempotency-Key"]
    assert body["gesture"] != second_body["gesture"]


def test_a_conflict_is_an_answer_and_any_other_refusal_is_raised() -> None:
    conflict = answer(409, body={"detail": "Somebody else was first.", "code": "conflict"})
    assert send_edits(Recorded(conflict), "/l/", 7, [], "why").status == 409
    for other in (answer(400), answer(409, body={"detail": "The dataset is archived.", "code": "refused"})):
        with pytest.raises(Refused, match=f"answered {other.status}"):
            send_edits(Recorded(other), "/l/", 7, [], "why")


def test_both_requests_are_under_way_at_once() -> None:
    together = threading.Barrier(2)  # broken after its timeout if one request waited for the other's answer
    people = {"ana": Recorded(answer(200, 8), together=together), "ben": Recorded(answer(200, 9), together=together)}
    answers = edit_at_once(people, "/l/", 7, {"ana": [moved(VEHICLE, 1)], "ben": [moved(VEHICLE, 2)]}, "why")
    assert {name: a.version for name, a in answers.items()} == {"ana": 8, "ben": 9}
    assert people["ben"].asked[0][2]["edits"] == [moved(VEHICLE, 2)]


def test_what_one_persons_request_raises_reaches_the_caller() -> None:
    people = {"ana": Recorded(answer(200, 8)), "ben": Recorded(answer(403))}
    with pytest.raises(Refused, match="403"):
        edit_at_once(people, "/l/", 7, {"ana": [], "ben": []}, "why")


def test_missed_events_are_read_where_the_refusal_says() -> None:
    server = Recorded(answer(200, 8, [{"type": "AnnotationGeometrySet"}]))
    refusal = answer(409, 8, {"detail": "Changed.", "code": "conflict", "missed": "/labels/s/g/events/?after=7"})
    assert missed_events(server, refusal) == [{"type": "AnnotationGeometrySet"}]
    assert server.asked[0][1] == "http://server.test/labels/s/g/events/?after=7"


def test_people_are_told_in_the_order_of_the_versions_they_made() -> None:
    assert by_version({"ana": answer(200, 10), "ben": answer(200, 9)}) == ["ben", "ana"]
    assert by_version({"ana": answer(409, 9), "ben": answer(200, 10)}) == ["ben", "ana"]


@pytest.mark.parametrize(("numbers", "words"), [([], ""), ([2], "2"), ([2, 4], "2 and 4"), ([1, 3, 5], "1, 3 and 5")])
def test_numbers_are_listed_in_words(numbers: list[int], words: str) -> None:
    assert listed(numbers) == words


@pytest.mark.parametrize(
    ("name", "ours"), [("demo-1", True), ("demo-12", True), ("demo-", False), ("demo-x", False), ("v1", False)]
)
def test_only_numbered_demo_releases_are_ours(name: str, ours: bool) -> None:
    assert is_ours(name) is ours
