"""Blame: scripted work gives exactly who did what, over undo, inserts, and paint."""

from __future__ import annotations

import random
import uuid
from typing import Any

import numpy as np
import pytest

from labeling.geometry import rle
from tests.labeling.api.test_undo import add, move

JSON = dict[str, Any]


def blame(street: Any, query: str = "") -> JSON:
    answer = street.ana.get(f"{street.label}/blame/?{query}")
    assert answer.status == 200, answer.raw
    found: JSON = answer.json
    return found


def causes(found: JSON, number: int = 1) -> JSON:
    item = next(item for item in found["objects"] if item["id"] == number)
    return {".".join(part["path"]): part for part in item["parts"]}


def author(street: Any, found: JSON, offset: int) -> str:
    names = {street.ana.person.username: "ana", street.ben.person.username: "ben"}
    return next(names[event["author"]] for event in found["events"] if event["offset"] == offset)


def test_each_field_and_attribute_has_its_event(street):
    street.edit(add(1) | {"attributes": {"a": 1, "b": 1}})
    first = street.head - 1
    street.edit({"op": "set_attributes", "annotation": 1, "attributes": {"b": 2}}, by=street.ben)
    street.edit({"op": "set_category", "annotation": 1, "category_id": 2})
    street.edit({"op": "set_category", "annotation": 1, "category_id": 3}, by=street.ben)
    found = blame(street)
    parts = causes(found)
    assert parts["attributes.a"]["offset"] == parts["geometry"]["offset"] == first
    assert parts["attributes.b"]["offset"] == first + 2
    assert (parts["category_id"]["offset"], parts["category_id"]["before"]) == (street.head, [street.head - 1, first])
    assert author(street, found, street.head) == "ben"
    assert found["objects"][0]["begun"] == first
    assert "changed car 1" not in found["events"][-1]["sentence"]
    assert {event["offset"] for event in found["events"]} == {first, first + 2, first + 3, first + 4}


def test_what_was_undone_belongs_to_who_did_it_first(street):
    street.edit(add(1), by=street.ben)
    first = street.head - 1
    street.edit({"op": "set_category", "annotation": 1, "category_id": 2})
    changed = street.head
    street.ana.post(f"{street.label}/undo/")
    part = causes(blame(street))["category_id"]
    assert (part["offset"], part["restored"]) == (first, street.head)
    street.ana.post(f"{street.label}/redo/")
    part = causes(blame(street))["category_id"]
    assert (part["offset"], part["restored"]) == (changed, street.head)
    assert author(street, blame(street), changed) == "ana"


def test_each_vertex_has_its_event_also_where_others_came_between(street):
    def shape(*points: list[float]) -> JSON:
        return {"geometry": {"type": "polygon", "parts": [[list(points)]]}}

    street.edit({"op": "add", "id": 1, "category_id": 1, **shape([0, 0], [9, 0], [9, 9], [0, 9])})
    a = street.head - 1
    street.edit({"op": "set_geometry", "annotation": 1, **shape([0, 0], [5, 1], [9, 0], [9, 9], [0, 9])}, by=street.ben)
    b = street.head
    street.edit({"op": "set_geometry", "annotation": 1, **shape([0, 0], [5, 1], [9, 0], [8, 8], [0, 9])})
    c = street.head
    part = causes(blame(street))["geometry"]
    assert part["vertices"] == [[a, b, a, c, a]] and part["offset"] == c and part["before"] == [b, a]
    street.ana.post(f"{street.label}/undo/")
    assert causes(blame(street))["geometry"]["vertices"] == [[a, b, a, a, a]]


def test_what_a_model_made_is_known_after_people_corrected_it(street):
    street.edit(add(1) | {"origin": {"kind": "model", "name": "yolo", "run": "r1"}})
    street.edit(move(1, 9), by=street.ben)
    item = blame(street)["objects"][0]
    assert item["origin"] == {"kind": "model", "name": "yolo", "run": "r1"}
    sentences = [event["sentence"] for event in blame(street)["events"]]
    assert "from the model yolo, run r1" in sentences[0] and "resized car 1" in sentences[1]


def test_as_it_was(street):
    street.edit(add(1))
    at = street.head
    street.edit(move(1, 9))
    assert causes(blame(street, f"at={at}"))["geometry"]["offset"] == at - 1


def test_one_object_and_none(street):
    street.edit(add(1), add(2))
    key = street.ana.get(f"{street.label}/").json["attributes"]["annotations"][1]["uuid"]
    assert [item["id"] for item in blame(street, f"object={key}")["objects"]] == [2]
    assert street.ana.get(f"{street.label}/blame/?object={uuid.uuid4()}").status == 404
    assert street.ana.get(f"{street.label}/blame/?object=x").json["field"] == "object"
    assert street.ana.get(f"{street.label}/blame/?x=1&y=1").json["field"] == "x"
    assert street.ana.get(f"{street.label}/blame/?x=1").json["field"] == "y"


# --- pixels --------------------------------------------------------------------------------------------------------

SIZE = (6, 8)


def stroke(street: Any, number: int, mask: Any, *, by: Any = None) -> int:
    """Paint, and tell the offset of the event."""
    read = street.ana.get(f"{street.label}/")
    base = None if read.status == 404 else read.json["attributes"]["segmentation_bitmap"].get("hash")
    answer = street.edit(
        {"op": "patch_bitmap", "base_hash": base, "set": [{"id": number, "rle": rle.encode(mask)}]}, by=by
    )
    assert answer.status == 200, answer.raw
    event = street.ana.get(f"{street.path}/events/?type=BitmapPatched&after={street.head - 3}").json
    found: int = event[-1]["offset"]
    return found


@pytest.mark.parametrize("seed", range(3))
def test_every_pixel_belongs_to_the_last_stroke_that_changed_it(make_street, seed):
    street = make_street("segmentation-bitmap")
    street.edit({"op": "add", "id": 1, "category_id": 1}, {"op": "add", "id": 2, "category_id": 2})
    dice = random.Random(seed)
    ids, owner = np.zeros(SIZE, int), np.zeros(SIZE, int)
    for turn in range(7):
        y, x = dice.randrange(SIZE[0]), dice.randrange(SIZE[1])
        mask = np.zeros(SIZE, bool)
        mask[y : y + dice.randint(1, 4), x : x + dice.randint(1, 5)] = True
        number = 1 if turn == 0 else dice.choice((0, 1, 2))
        if turn and not (ids[mask] != number).any():
            continue
        offset = stroke(street, number, mask, by=dice.choice((street.ana, street.ben)))
        owner[mask & (ids != number)] = offset
        ids[mask] = number
    for y in range(SIZE[0]):
        for x in range(SIZE[1]):
            pixel = blame(street, f"x={x}&y={y}")["pixel"]
            assert (pixel["id"], pixel["offset"] or 0) == (ids[y, x], owner[y, x]), (x, y)


def test_a_pixel_that_was_undone_belongs_to_who_painted_it_first(make_street):
    street = make_street("segmentation-bitmap")
    street.edit({"op": "add", "id": 1, "category_id": 1}, {"op": "add", "id": 2, "category_id": 2})
    mask = np.ones(SIZE, bool)
    first = stroke(street, 1, mask, by=street.ben)
    second = stroke(street, 2, mask)
    assert blame(street, "x=1&y=1")["pixel"] | {"object": ""} == {
        "x": 1, "y": 1, "id": 2, "object": "", "offset": second, "restored": None, "before": [first]
    }  # fmt: skip
    street.ana.post(f"{street.label}/undo/")
    pixel = blame(street, "x=1&y=1")["pixel"]
    assert (pixel["id"], pixel["offset"], pixel["restored"]) == (1, first, street.head)
    assert street.ana.get(f"{street.label}/blame/?x=8&y=1").json["field"] == "x"
