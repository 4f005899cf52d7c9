"""What a fact touches, and when two sides touched the same."""

from __future__ import annotations

import uuid

import pytest

from labeling import events as e
from labeling.rules.label_state import LabelState
from labeling.rules.touched import WHOLE, overlap, touched

A, B = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))
BOX = {"type": "bbox", "points": [[0, 0], [1, 1]]}
MASK = {"url": "/media/x/m.png", "hash": "00", "width": 1, "height": 1}


def state() -> LabelState:
    held = LabelState(uuid.UUID(int=9), f"label/{A}/{B}")
    held.annotations = {A: {"uuid": A, "id": 7}}
    return held


CASES = [
    (e.LabelImported(annotations=[]), {WHOLE}),
    (e.LabelDocumentSet(document={}), {WHOLE}),
    (e.LabelDeleted(), {WHOLE}),
    (e.LabelStatusChanged(before="LABELED", after="REVIEWED", verb="accept"), {WHOLE}),
    (e.LabelStatusChanged(before=None, after="LABELED", verb="submit"), {WHOLE}),
    (e.LabelStatusChanged(before=None, after="LABELING_IN_PROGRESS", verb="save"), {"status"}),
    (e.GestureUndone(gesture=A), set()),
    (e.GestureRedone(gesture=A), set()),
    (e.LabelRestored(of={"kind": "label"}), set()),
    (e.LabelHeaderRestored(fields={"created": [A, "2026-01-01T00:00:00+00:00"], "reviewed": None}), set()),
    (e.LabelHeaderRestored(fields={"document": None}), {WHOLE}),
    (e.AnnotationRestored(annotation=A, fields={"score": 1.0}), {f"annotation:{A}"}),
    (
        e.AnnotationRestored(annotation=A, fields={"id": 8, "links": [{"to": B, "attributes": {}}]}),
        {f"annotation:{A}", f"annotation:{B}", "id:8"},
    ),
    (e.LabelScoreSet(score=0.5), {"score"}),
    (e.SceneAttributesSet(scene={"weather": 1, "time": None}), {'scene:"weather"', 'scene:"time"'}),
    (e.ClassificationAssigned(category_id=3), {"classification:3"}),
    (e.ClassificationRemoved(category_id=3), {"classification:3"}),
    (e.DefaultClassificationSet(category_id=None), {"default-classification"}),
    (
        e.BitmapPatched(base_hash=None, mask=MASK, changed=[{"id": 7, "box_xyxy": [0, 0, 1, 1]}]),
        {"pixels:7", f"annotation:{A}"},
    ),
    (e.BitmapPatched(base_hash=None, mask=MASK, changed=[{"id": 8, "box_xyxy": [0, 0, 1, 1]}]), {"pixels:8"}),
    (e.BitmapPatched(base_hash=None, mask=MASK, changed=[]), set()),
    (e.MaskImported(source={}, segments=[]), set()),
    (
        e.AnnotationAdded(annotation=B, id=8, category_id=1, geometry=BOX, order=1.0),
        {f"annotation:{B}", "id:8"},
    ),
    (e.AnnotationRemoved(annotation=A), {f"annotation:{A}"}),
    (e.AnnotationGeometrySet(annotation=A, geometry=BOX), {f"annotation:{A}"}),
    (e.AnnotationOrderChanged(annotation=A, order=2.0), {f"annotation:{A}"}),
    (e.AnnotationLinkAdded(annotation=A, to=B), {f"annotation:{A}", f"annotation:{B}"}),
    (e.AnnotationLinkRemoved(annotation=A, to=B), {f"annotation:{A}", f"annotation:{B}"}),
]


@pytest.mark.parametrize("fact, names", CASES, ids=lambda value: type(value).__name__)
def test_what_a_fact_touches(fact, names):
    assert touched(fact, state()) == names


@pytest.mark.parametrize("fact_type", e.LABEL_EVENTS, ids=lambda fact: fact.__name__)
def test_every_fact_of_a_label_touches_something_that_can_be_named(fact_type):
    examples = {type(fact) for fact, _ in CASES}
    if fact_type in examples:
        return
    fields = {"annotation": A, "geometry": BOX, "category_id": 1, "attributes": {}, "names": [], "keypoints": []}
    fields |= {
        "all": False,
        "orientation": {},
        "order": 1.0,
        "score": 1.0,
        "origin": {},
        "extra": {},
        "cleared": {},
        "tolerance_px": 1.0,
        "part": 0,
        "ring": 0,
        "vertex": 0,
        "after": 0,
        "point": [1, 2],
        "points": [[1, 2]],
        "base_hash": "a",
        "hash": "b",
        "drawn": None,
        "erased": None,
    }
    fact = fact_type(**{name: fields[name] for name in fact_type.__struct_fields__})
    assert touched(fact, state()) == {f"annotation:{A}"}


@pytest.mark.parametrize(
    "mine, theirs, both",
    [
        ([], [], []),
        ([{"a"}], [], []),
        ([], [{"a"}], []),
        ([set()], [{WHOLE}], []),  # I did nothing, so nothing of mine can be in the way
        ([{"a"}], [{"b"}], []),
        ([{"a"}, {"b"}], [{"b", "c"}, {"a"}], ["a", "b"]),
        ([{"a"}], [{WHOLE}], [WHOLE]),
        ([{WHOLE}], [{"a"}], [WHOLE]),
        ([{WHOLE}], [{WHOLE}], [WHOLE]),
        ([{"a", WHOLE}], [{"a"}], ["a", WHOLE]),
    ],
)
def test_what_both_touched(mine, theirs, both):
    assert overlap(mine, theirs) == both


def test_the_name_of_a_scene_attribute_never_stands_for_others():
    """A name of ours that ends with a slash does."""
    one, two = (touched(e.SceneAttributesSet(scene={key: 1}), state()) for key in ("a/", "a/b"))
    assert overlap([one], [two]) == []
    assert overlap([one], [one]) != []
