"""How many statements a request costs: few, and not more for a larger label or a longer page."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling import actors
from labeling.log import store

BOX = {"type": "bbox", "points": [[1, 2], [30, 40]]}


@pytest.fixture
def own(committed_db: None, make_street: Any) -> Any:
    """A label with five boxes, in autocommit as in production."""
    street = make_street()
    objects = [{"id": number, "category_id": 1, **BOX} for number in range(1, 6)]
    street.ana.put(f"{street.label}/", {"attributes": {"annotations": objects}})
    street.ben.get("/user/")  # the first use of a key within an hour is told, which costs more once
    return street


def statements(call: Any) -> int:
    with CaptureQueriesContext(connection) as seen:
        answer = call()
    assert answer.status < 300, answer.raw
    return len(seen)


def test_an_edit_is_at_most_six_statements_hint_included(own, monkeypatch):
    hints: list[str] = []
    monkeypatch.setattr(actors.catch_up, "send", hints.append)
    edits = [{"op": "set_geometry", "annotation": 3, "type": "bbox", "points": [[5, 5], [9, 9]]}]
    # The hint goes through the queue's own connection: one statement more.
    assert statements(lambda: own.ana.post(own.edits, {"edits": edits})) + 1 <= 6
    assert hints == [str(own.id)]
    many: list[Any] = [{"op": "set_category", "annotation": number, "category_id": 2} for number in range(1, 6)]
    many += [
        {"op": "add", "geometry": BOX},
        {"op": "remove", "annotation": 1},
        {"op": "set_order", "annotation": 2, "to": "front"},
    ]
    assert statements(lambda: own.ana.post(own.edits, {"edits": many})) + 1 <= 6
    assert statements(lambda: own.ana.post(own.edits, {"edits": edits}, Idempotency_Key="k")) + 1 <= 6
    named = [{"op": "add", "geometry": BOX, "uuid": str(uuid.uuid4())} for _ in range(3)]
    assert statements(lambda: own.ana.post(own.edits, {"edits": named})) + 1 <= 6


def test_an_edit_that_is_rebased_costs_the_missed_events_alone(own):
    own.edit({"op": "set_category", "annotation": 1, "category_id": 2})
    edits = {"edits": [{"op": "set_category", "annotation": 2, "category_id": 2}]}
    assert statements(lambda: own.ben.post(own.edits, edits, If_Match='"1"')) <= 6


def test_a_save_and_a_read_of_a_label(own):
    document = {"attributes": {"annotations": [{"id": 1, "category_id": 2, **BOX}]}}
    assert statements(lambda: own.ana.put(f"{own.label}/", document)) <= 5
    assert statements(lambda: own.ana.put(f"{own.label}/", document)) <= 4
    assert statements(lambda: own.ben.get(f"{own.label}/")) <= 3


def test_a_page_of_samples_costs_the_same_however_long(own, sample):
    paths = [
        f"{own.path}/samples/",
        f"{own.path}/samples/?labelset=ground-truth&include_full_label=1",
        f"{own.path}/samples/?label_status=LABELED,UNLABELED&sort=gt_label__updated_at",
        own.path,
        "/user/datasets/",
    ]
    before = [statements(lambda path=path: own.ana.get(path)) for path in paths]
    for _ in range(5):
        other = sample(own.id, own.ana.person)
        own.ana.put(f"/labels/{other}/ground-truth/", {"attributes": {"annotations": []}})
    assert [statements(lambda path=path: own.ana.get(path)) for path in paths] == before
    assert max(before) <= 8


def test_a_page_of_events_costs_the_same_however_long(own):
    path = f"{own.path}/events/"
    before = statements(lambda: own.ana.get(path))
    for number in range(5):
        own.ana.post(own.edits, {"edits": [{"op": "set_score", "score": number}], "reason": "because"})
        own.ben.post(own.edits, {"edits": [{"op": "set_score", "score": -number}], "reason": "because"})
    assert statements(lambda: own.ana.get(path)) <= before + 1, "one more for the keys of all reasons"


def test_a_refusal_costs_no_append(own):
    head = store.head(own.id)
    with CaptureQueriesContext(connection) as seen:
        assert own.edit({"op": "remove", "annotation": 99}).status == 400
    assert len(seen) <= 3 and store.head(own.id) == head


def test_what_a_client_tells_of_many_samples_costs_what_one_does(own, sample):
    samples = [own.sample, *(sample(own.id, own.ana.person) for _ in range(6))]

    def tell(number: int, session: int) -> Any:
        signals = [
            {"number": place, "kind": "opened", "sample": str(key), "labelset": "ground-truth"}
            for place, key in enumerate(samples[:number])
        ]
        return own.ana.post("/activity/", {"session": str(uuid.UUID(int=session, version=4)), "signals": signals})

    assert statements(lambda: tell(1, 1)) == statements(lambda: tell(7, 2)) <= 12
