"""Sentences: what moved where by how much, and that every event has words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labeling import events as e
from labeling.log.event import vocabulary
from labeling.rules.telling import Telling, changes_of, drawn, listed, number, redrawn, sentence, shown
from tests.labeling.test_history_corpus import HERE, event_of
from tests.support.labels import BOX, after, annotation, key, label

JSON = dict[str, Any]
NAMES = {1: "car", 2: "lorry"}
TWO = label(annotation(1, attributes={"a": 1}), annotation(2, category_id=None), scene={"rain": False})
ONE = key(1)


def told(fact: Any, state: Any = TWO) -> str:
    return sentence(Telling(fact, state, after(state, fact), NAMES, {"x": "ana"}))


def bbox(x: float, y: float, width: float = 10, height: float = 20) -> JSON:
    return {"type": "bbox", "points": [[x, y], [x + width, y + height]]}


def polygon(*points: list[float]) -> JSON:
    return {"type": "polygon", "parts": [[list(points)]]}


TRIANGLE = polygon([0, 0], [4, 0], [0, 3])
SHAPES = [
    (bbox(0, 0), bbox(3, 0), "moved it by 3 px to the right"),
    (bbox(0, 0), bbox(-2.5, 4), "moved it by 2.5 px to the left and 4 px down"),
    (bbox(0, 0), bbox(0, -1), "moved it by 1 px up"),
    (bbox(0, 0), bbox(0.001, 0), "moved it by less than 0.01 px"),
    (bbox(0, 0), bbox(0, 0, 12, 20), "resized it from 10 × 20 px to 12 × 20 px"),
    (TRIANGLE, polygon([0, 0], [4, 0], [1, 3]), "moved 1 of the 3 points of it"),
    (TRIANGLE, polygon([0, 0], [4, 0], [1, 3], [0, 9]), "redrew it: 4 points in the place of 3"),
    (bbox(0, 0), TRIANGLE, "redrew it as a polygon of 4 × 3 px"),
    (
        {"type": "rbox", "center": [1, 1], "size_wh": [2, 2], "angle_deg": 10},
        {"type": "rbox", "center": [1, 1], "size_wh": [2, 2], "angle_deg": 25},
        "turned it by 15°",
    ),
    (
        {"type": "ellipse", "center": [1, 1], "radii": [2, 3], "angle_deg": 0},
        {"type": "ellipse", "center": [1, 2], "radii": [2, 3], "angle_deg": 0},
        "moved it by 1 px down",
    ),
    ({"type": "mask"}, {"type": "mask"}, "redrew it"),
]


@pytest.mark.parametrize("before, behind, words", SHAPES)
def test_how_a_shape_became_another(before, behind, words):
    assert redrawn("it", before, behind) == words


FACTS = [
    (e.AnnotationRemoved(annotation=ONE), "removed car 1"),
    (e.AnnotationRemoved(annotation=key(2)), "removed object 2"),
    (e.AnnotationRemoved(annotation=key(7)), "removed an object that was gone"),
    (e.AnnotationCategorySet(annotation=ONE, category_id=None), "changed car 1 from car to no category"),
    (e.AnnotationCategorySet(annotation=ONE, category_id=9), "changed car 1 from car to category 9"),
    (
        e.AnnotationAttributesSet(annotation=ONE, attributes={"a": 2, "b": "x", "c": None}),
        "set a from 1 to 2, b to “x” and c to nothing on car 1",
    ),
    (e.AnnotationOrderChanged(annotation=ONE, order=0.5), "lowered car 1"),
    (e.AnnotationLinkAdded(annotation=ONE, to=key(2)), "linked car 1 to object 2"),
    (
        e.AnnotationAdded(
            annotation=key(3),
            id=3,
            category_id=2,
            geometry=BOX,
            order=3.0,
            origin={"kind": "model", "name": "yolo", "version": "3", "run": "r1"},
        ),
        "added lorry 3, a box of 2 × 2 px from the model yolo 3, run r1",
    ),
    (
        e.LabelStatusChanged(before="LABELED", after="REVIEWED", verb="accept"),
        "accepted the label: labeled became reviewed",
    ),
    (
        e.LabelStatusChanged(before="LABELED", after="SKIPPED", verb="override"),
        "set the status from labeled to skipped",
    ),
    (
        e.LabelStatusChanged(before=None, after="PRELABELED", verb="upload"),
        "set the status from unlabeled to prelabeled",
    ),
    (e.SceneAttributesSet(scene={"rain": True}), "set rain from no to yes for the whole image"),
    (e.ClassificationAssigned(category_id=2), "gave the image the category lorry"),
    (
        e.AnnotationRestored(annotation=ONE, fields={"score": 1.0, "category_id": 2}),
        "put car 1 back: category to lorry and score",
    ),
    (e.LabelRestored(of={"kind": "label", "offset": 3}), "restored label as of offset 3:"),
]


@pytest.mark.parametrize("fact, words", FACTS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_a_fact_did(fact, words):
    assert told(fact) == words


TWO_PARTS = {"type": "polygon", "parts": [[[[0, 0], [9, 0], [0, 9]]], [[[20, 0], [29, 0], [20, 9]]]]}


@pytest.mark.parametrize(
    "fact, words",
    [
        (e.AnnotationVertexMoved(annotation=ONE, part=0, ring=0, vertex=0, point=[1, 5]),
         "moved a vertex of car 1 by 1 px to the right and 5 px down"),
        (e.AnnotationHoleAdded(annotation=ONE, part=0, points=[[1, 1], [2, 1], [2, 2]]), "cut a hole into car 1"),
        (e.AnnotationRingRemoved(annotation=ONE, part=0, ring=0), "took a part of car 1 away"),
    ],
)  # fmt: skip
def test_what_a_fact_did_to_an_outline(fact, words):
    assert told(fact, label(annotation(1, geometry=TWO_PARTS))) == words


def test_the_whole_corpus_can_be_told():
    """Whatever was ever stored, with the states around it."""
    from labeling.queries.history import _copied, _empty, _evolve
    from labeling.rules.label_state import LabelState

    states: JSON = {}
    for stored in json.loads((HERE / "events.json").read_text()):
        event = event_of(stored)
        state = states.get(event.stream) or _empty(event.log, event.stream)
        behind = None
        if state is not None:
            behind = state.copied() if isinstance(state, LabelState) else _copied(state)
            _evolve(behind, event)
            states[event.stream] = behind
            assert isinstance(changes_of(state, behind), list)
        words = sentence(Telling(event.fact, state, behind, NAMES, {}))
        assert words and words[0].islower() and "{" not in words.replace("“{", ""), words
    assert set(vocabulary.names())


def test_words():
    assert [listed(list(words)) for words in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
    assert [number(value) for value in (0, -0.001, 1.5, 2.0, 1 / 3, -4)] == ["0", "0", "1.5", "2", "0.33", "-4"]
    assert [shown(value) for value in (None, True, 3, "x", [1], "y" * 50)] == [
        "nothing", "yes", "3", "“x”", "“[1]”", f"“{'y' * 40}…”"
    ]  # fmt: skip
    assert drawn({"type": "ellipse", "center": [0, 0], "radii": [1, 2], "angle_deg": 0}) == "an ellipse of 2 × 4 px"
    assert drawn({"type": "point", "points": [[1, 2]]}) == "a point" and drawn({}) == "a shape"
