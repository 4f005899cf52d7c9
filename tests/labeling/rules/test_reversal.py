"""Putting back what some events did: what it leaves of others, what stands in its way, and that it is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import events as e
from labeling.log import values
from labeling.log.event import Fact
from labeling.rules import label_state
from labeling.rules.fold import Place
from labeling.rules.label_state import LabelState
from labeling.rules.reversal import Reversal, pieces_of
from tests.support import edits as make
from tests.support.editing import Memory, painted, part, run
from tests.support.labels import AT, BEN, BIG_BOX, BOX, KEYPOINTS, after, annotation, key, label, no_label

JSON = dict[str, Any]
ANA = make.ANA


def content(state: LabelState) -> JSON:
    """All that a reader of a label sees but who changed what when; nothing of a label that is not there."""
    if not state.exists:
        return {}
    return {
        "pieces": {"/".join(name): piece for name, piece in pieces_of(state).items()},
        "mask": state.mask,
        **{
            name: getattr(state, name)
            for name in ("status", "score", "scene", "classifications", "default_classification", "document")
        },
    }


def back(
    then: LabelState, left: LabelState, now: LabelState, *, pixels: Any = None, **options: Any
) -> tuple[LabelState, Reversal]:
    reversal = Reversal(now.copied(), ANA, pixels or Memory(), **options)
    reversal.put_back(then, left)
    folded = now.copied()
    for fact in reversal.facts:
        label_state.evolve(folded, fact, Place(ANA, "infinity", 0, folded.version + 1))
    assert folded == reversal.state
    return stored(folded), reversal


def stored(state: LabelState) -> LabelState:
    """The state as it is read again, with times."""
    for name in ("created_at", "updated_at", "reviewed_at"):
        if getattr(state, name) == "infinity":
            setattr(state, name, AT)
    return state


def names(reversal: Reversal) -> list[str]:
    return [type(fact).__name__ for fact in reversal.facts]


def edited(state: LabelState, *facts: Fact) -> LabelState:
    return after(state, *facts)


TWO = label(annotation(1, attributes={"a": 1}), annotation(2))
ONE, OTHER = key(1), key(2)


# --- alone ---------------------------------------------------------------------------------------------------------

STATES: list[tuple[str, Fact]] = [
    ("added", e.AnnotationAdded(annotation=key(3), id=3, category_id=1, geometry=BOX, order=3.0)),
    ("removed", e.AnnotationRemoved(annotation=ONE)),
    ("moved", e.AnnotationGeometrySet(annotation=ONE, geometry=BIG_BOX)),
    ("categorized", e.AnnotationCategorySet(annotation=ONE, category_id=None)),
    ("attributes set", e.AnnotationAttributesSet(annotation=ONE, attributes={"a": 2, "b": None})),
    ("attribute cleared", e.AnnotationAttributesCleared(annotation=ONE, names=["a"])),
    ("attributes cleared", e.AnnotationAttributesCleared(annotation=ONE, names=[], all=True)),
    ("first attributes", e.AnnotationAttributesSet(annotation=OTHER, attributes={})),
    ("keypoints", e.AnnotationKeypointsSet(annotation=ONE, keypoints=KEYPOINTS)),
    ("orientation", e.AnnotationOrientationSet(annotation=ONE, orientation={"roll_deg": 1})),
    ("order", e.AnnotationOrderChanged(annotation=ONE, order=9.0)),
    ("score", e.AnnotationScoreSet(annotation=ONE, score=0.5)),
    ("origin", e.AnnotationOriginSet(annotation=ONE, origin={"kind": "model"})),
    ("extra", e.AnnotationExtraSet(annotation=ONE, extra={"k": 1})),
    ("linked", e.AnnotationLinkAdded(annotation=ONE, to=OTHER, attributes={"k": 1})),
    ("rasterized", e.AnnotationRasterized(annotation=ONE, geometry={"type": "mask"}, cleared={})),
    ("fitted", e.AnnotationFitted(annotation=ONE, geometry=BIG_BOX)),
    ("polygonized", e.AnnotationPolygonized(annotation=ONE, geometry=BIG_BOX, tolerance_px=1.0)),
    ("label scored", e.LabelScoreSet(score=0.5)),
    ("submitted", e.LabelStatusChanged(before="LABELING_IN_PROGRESS", after="LABELED", verb="submit")),
    ("accepted", e.LabelStatusChanged(before="LABELING_IN_PROGRESS", after="REVIEWED", verb="accept")),
    ("scene", e.SceneAttributesSet(scene={"rain": True})),
    ("classified", e.ClassificationAssigned(category_id=4)),
    ("default", e.DefaultClassificationSet(category_id=4)),
    ("document", e.LabelDocumentSet(document={"x": 1})),
    ("deleted", e.LabelDeleted()),
    ("restored", e.AnnotationRestored(annotation=ONE, fields={"score": 1.0}, cleared=["attributes"])),
    ("header", e.LabelHeaderRestored(fields={"score": 1.0, "scene": {"k": None}})),
    ("imported", e.LabelImported(annotations=[], scene={"n": None}, status="LABELED", score=0.1)),
    ("external mask", e.BitmapPatched(base_hash=None, mask={"url": "https://example.org/a.png"}, changed=[])),
]


@pytest.mark.parametrize("fact", [fact for _, fact in STATES], ids=[name for name, _ in STATES])
def test_one_fact_is_taken_back_exactly_and_done_again_exactly(fact):
    before = label(annotation(1, attributes={"a": 1}), annotation(2), scene={"sun": True}, classifications=[1, 4])
    left = edited(before, fact)
    undone, reversal = back(before, left, left)
    assert values.same(content(undone), content(before)), names(reversal)
    assert (undone.reviewed_by, undone.created_by, undone.created_at) == (before.reviewed_by, ANA_MADE, AT)
    again, _ = back(left, undone, undone)
    assert values.same(content(again), content(left))


ANA_MADE = TWO.created_by


@given(st.data())
def test_undoing_the_last_of_any_gestures_gives_the_state_before_them_and_undoing_that_gives_the_state_after(data):
    states = [make.empty_label()]
    for _ in range(data.draw(st.integers(1, 4))):
        editor = make.editor_of(states[-1])
        editor.run(data.draw(make.edit_lists(states[-1])))
        if not states[-1].exists and editor.state.exists and editor.state.status == "UNLABELED":
            editor.tell(e.LabelStatusChanged(before=None, after="LABELING_IN_PROGRESS", verb="save"))
        states.append(stored(editor.state))
    count = data.draw(st.integers(1, len(states) - 1))
    now = states[-1]
    lived = [now]
    for number in range(len(states) - 1, len(states) - 1 - count, -1):
        now, reversal = back(states[number - 1], states[number], now)
        assert reversal.obstacles == [] and reversal.kept == []
        lived.append(now)
    assert values.same(content(now), content(states[-1 - count]))
    assert now.last_id == states[-1].last_id, "a number is never given twice"
    redone = now
    for before, behind in zip(lived[-2::-1], lived[:0:-1], strict=True):
        redone, reversal = back(before, behind, redone)
        assert reversal.obstacles == []
    assert values.same(content(redone), content(states[-1]))


@given(st.data())
def test_what_others_did_to_other_objects_stays(data):
    start = make.editor_of(make.empty_label())
    start.run(data.draw(make.edit_lists(start.state, ("add",), most=5)))
    start.tell(e.LabelStatusChanged(before=None, after="LABELING_IN_PROGRESS", verb="save"))
    base = stored(start.state)
    mine = set(data.draw(st.lists(st.sampled_from(sorted(base.annotations)), unique=True)))
    theirs = base.annotations.keys() - mine
    ops = ("remove", "set_geometry", "set_category", "set_attributes", "clear_attributes", "set_score", "set_order")
    left = make.editor_of(base)
    left.run(data.draw(make.edit_lists(base, ops, only=mine)))
    other = make.editor_of(left.state, author=BEN)
    other.run(data.draw(make.edit_lists(left.state, ops, only=theirs)))
    undone, reversal = back(base, left.state, other.state)
    assert reversal.obstacles == []
    assert {name: piece for name, piece in pieces_of(undone).items() if name[1] in mine} == {
        name: piece for name, piece in pieces_of(base).items() if name[1] in mine
    }
    assert not undone.annotations.keys() & (left.state.annotations.keys() - base.annotations.keys())
    for name in theirs & undone.annotations.keys():
        assert undone.annotations[name] is other.state.annotations[name], "others' objects are not even touched"


@given(st.data())
def test_whatever_others_did_undoing_is_a_label_and_says_what_stood_in_its_way(data):
    start = stored(data.draw(make.labels()))
    left = make.editor_of(start)
    left.run(data.draw(make.edit_lists(start)))
    stored(left.state)
    now = make.editor_of(left.state, author=BEN)
    now.run(data.draw(make.edit_lists(left.state)))
    stored(now.state)
    for force in (False, True):
        undone, reversal = back(start, left.state, now.state, force=force)
        numbers = [item["id"] for item in undone.annotations.values()]
        assert len(numbers) == len(set(numbers))
        for item in undone.annotations.values():
            assert all(link["to"] in undone.annotations for link in item.get("links", ()))
        assert not undone.exists or undone.status != "UNLABELED"
        if not reversal.obstacles:
            assert force or values.same(content(undone), content(back(start, left.state, now.state, force=True)[0]))


# --- with others ---------------------------------------------------------------------------------------------------


def test_different_fields_of_one_object_are_put_back_each_for_itself():
    left = edited(TWO, e.AnnotationAttributesSet(annotation=ONE, attributes={"a": 2, "b": 1}))
    now = edited(
        left,
        e.AnnotationGeometrySet(annotation=ONE, geometry=BIG_BOX),
        e.AnnotationAttributesSet(annotation=ONE, attributes={"c": 3}),
    )
    undone, reversal = back(TWO, left, now)
    assert reversal.obstacles == []
    assert undone.annotations[ONE]["attributes"] == {"a": 1, "c": 3}
    assert undone.annotations[ONE]["geometry"] == BIG_BOX


@pytest.mark.parametrize("force, box", [(False, BIG_BOX), (True, BOX)], ids=["skip", "force"])
def test_what_somebody_changed_again_is_an_obstacle(force, box):
    middle = {"type": "bbox", "points": [[5, 5], [6, 6]]}
    left = edited(TWO, e.AnnotationGeometrySet(annotation=ONE, geometry=middle), e.LabelScoreSet(score=1.0))
    now = edited(left, e.AnnotationGeometrySet(annotation=ONE, geometry=BIG_BOX))
    undone, reversal = back(TWO, left, now, force=force)
    (obstacle,) = reversal.obstacles
    assert (obstacle.name, obstacle.path[2], obstacle.why) == (f"annotation:{ONE}", "geometry", "changed")
    assert (obstacle.then, obstacle.now) == (BOX, BIG_BOX)
    assert undone.annotations[ONE]["geometry"] == box
    assert undone.score is None, "the rest is put back"


@pytest.mark.parametrize("force", [False, True], ids=["skip", "force"])
def test_an_object_that_somebody_worked_on_is_not_taken_away_unless_forced(force):
    left = edited(TWO, e.AnnotationAdded(annotation=key(3), id=3, category_id=1, geometry=BOX, order=3.0))
    now = edited(left, e.AnnotationCategorySet(annotation=key(3), category_id=2))
    undone, reversal = back(TWO, left, now, force=force)
    assert [item.why for item in reversal.obstacles] == ["changed"]
    assert (key(3) in undone.annotations) is not force


@pytest.mark.parametrize("force", [False, True], ids=["skip", "force"])
def test_an_object_that_somebody_linked_to_is_in_the_way(force):
    left = edited(TWO, e.AnnotationAdded(annotation=key(3), id=3, category_id=1, geometry=BOX, order=3.0))
    now = edited(left, e.AnnotationLinkAdded(annotation=ONE, to=key(3)))
    undone, reversal = back(TWO, left, now, force=force)
    assert [item.why for item in reversal.obstacles] == ["linked"]
    assert (key(3) in undone.annotations) is not force
    assert ("links" in undone.annotations[ONE]) is not force


@pytest.mark.parametrize("force", [False, True], ids=["skip", "force"])
def test_a_number_that_was_given_again_is_in_the_way(force):
    left = edited(TWO, e.AnnotationRemoved(annotation=ONE))
    now = edited(left, e.AnnotationAdded(annotation=key(3), id=1, category_id=1, geometry=BOX, order=3.0))
    undone, reversal = back(TWO, left, now, force=force)
    assert [item.why for item in reversal.obstacles] == ["number"]
    assert undone.annotations[key(3)]["id"] == 1
    assert (undone.annotations[ONE]["id"] == 3) if force else (ONE not in undone.annotations)


def test_a_link_to_what_somebody_removed_stays_away():
    before = label(annotation(1, links=[{"to": OTHER, "attributes": {}}]), annotation(2))
    left = edited(before, e.AnnotationLinkRemoved(annotation=ONE, to=OTHER))
    undone, reversal = back(before, left, edited(left, e.AnnotationRemoved(annotation=OTHER)))
    assert [(item.why, item.path[-1]) for item in reversal.obstacles] == [("link", OTHER)]
    assert "links" not in undone.annotations[ONE]


def test_what_somebody_put_back_already_is_not_put_back_again():
    left = edited(TWO, e.AnnotationRemoved(annotation=ONE))
    undone, reversal = back(TWO, left, TWO)
    assert reversal.facts == [] and reversal.obstacles == [] and undone == TWO


# --- the label itself ----------------------------------------------------------------------------------------------


def test_the_first_gesture_of_a_label_taken_back_deletes_it():
    left = edited(
        no_label(),
        e.AnnotationAdded(annotation=ONE, id=1, category_id=1, geometry=BOX, order=1.0),
        e.LabelStatusChanged(before=None, after="LABELING_IN_PROGRESS", verb="save"),
    )
    undone, reversal = back(no_label(), left, left)
    assert names(reversal) == ["LabelDeleted"] and not undone.exists
    now = edited(left, e.AnnotationAdded(annotation=OTHER, id=2, category_id=1, geometry=BOX, order=2.0))
    undone, reversal = back(no_label(), left, now)
    assert names(reversal) == ["AnnotationRemoved", "LabelStatusChanged"] or names(reversal) == ["AnnotationRemoved"]
    assert undone.exists and undone.status == "LABELING_IN_PROGRESS" and list(undone.annotations) == [OTHER]


def test_a_deleted_label_comes_back_with_who_made_it():
    left = edited(TWO, e.LabelDeleted())
    undone, _ = back(TWO, left, left)
    assert values.same(content(undone), content(TWO))
    assert (undone.created_by, undone.created_at) == (TWO.created_by, TWO.created_at)


def test_a_status_that_one_may_not_set_stays_as_it_is():
    accepted = edited(TWO, e.LabelStatusChanged(before="LABELED", after="REVIEWED", verb="accept"))
    left = edited(
        accepted,
        e.LabelStatusChanged(before="REVIEWED", after="LABELING_IN_PROGRESS", verb="reopen"),
        e.AnnotationRemoved(annotation=ONE),
    )
    undone, reversal = back(accepted, left, left, may_set=lambda status: status != "REVIEWED")
    assert undone.status == "LABELING_IN_PROGRESS" and ONE in undone.annotations and reversal.kept == ["status"]
    undone, reversal = back(accepted, left, left)
    assert undone.status == "REVIEWED" and undone.reviewed_by == BEN and reversal.kept == []


# --- pixels --------------------------------------------------------------------------------------------------------


def patched(state: LabelState, pixels: Memory, *parts: JSON) -> LabelState:
    edit = {"op": "patch_bitmap", "base_hash": (state.mask or {}).get("hash"), "set": list(parts)}
    return after(state, *run(state, edit, has_mask=True, pixels=pixels).facts)


def rows(state: LabelState, pixels: Memory) -> list[list[int]]:
    assert state.mask is not None
    found: list[list[int]] = pixels.read(state.mask).tolist()
    return found


def test_pixels_are_put_back_one_by_one():
    state, pixels, _ = painted()
    left = patched(state, pixels, part(2, "xx.", "..."))
    now = patched(left, pixels, part(1, "..x", "..."))
    undone, reversal = back(state, left, now, pixels=pixels)
    assert rows(undone, pixels) == [[1, 1, 1], [2, 2, 0]] and reversal.obstacles == []
    undone, _ = back(state, left, left, pixels=pixels)
    assert undone.mask == state.mask


@pytest.mark.parametrize("force, first", [(False, [2, 2, 0]), (True, [2, 1, 0])], ids=["skip", "force"])
def test_pixels_that_somebody_painted_over_are_in_the_way(force, first):
    state, pixels, _ = painted()
    state = patched(state, pixels, part(2, "x..", "..."))
    left = patched(state, pixels, part(0, ".x.", "..."))
    now = patched(left, pixels, part(2, ".x.", "..."))
    undone, reversal = back(state, left, now, pixels=pixels, force=force)
    assert rows(undone, pixels)[0] == first
    (obstacle,) = reversal.obstacles
    assert (obstacle.why, obstacle.then) == ("painted", {"pixels": 1, "ids": [1, 2]})


@pytest.mark.parametrize("force", [False, True], ids=["skip", "force"])
def test_an_object_that_somebody_painted_on_is_not_taken_away_unless_forced(force):
    state, pixels, _ = painted()
    left = after(state, *run(state, {"op": "add", "category_id": 1, "uuid": key(3)}, has_mask=True).facts)
    now = patched(left, pixels, part(3, "..x", "..."))
    undone, reversal = back(state, left, now, pixels=pixels, force=force)
    assert [item.why for item in reversal.obstacles] == ["painted"]
    assert (key(3) in undone.annotations) is not force
    assert rows(undone, pixels)[0] == [1, 1, 0 if force else 3]


def test_the_pixels_of_an_object_that_somebody_removed_do_not_come_back():
    state, pixels, _ = painted()
    left = patched(state, pixels, part(2, "xx.", "..."))
    now = after(left, *run(left, {"op": "remove", "annotation": 1}, has_mask=True, pixels=pixels).facts)
    undone, _ = back(state, left, now, pixels=pixels)
    assert rows(undone, pixels) == [[0, 0, 0], [2, 2, 0]]


@given(st.data())
def test_any_painting_is_taken_back_exactly(data):
    pixels = make.Pixels()
    states = [make.empty_label()]
    for _ in range(data.draw(st.integers(1, 4))):
        editor = make.editor_of(states[-1], has_mask=True, pixels=pixels)
        editor.run(data.draw(make.edit_lists(states[-1], make.MASK_OPS, has_mask=True, pixels=pixels)))
        if states[-1].version == 0 and editor.state.status == "UNLABELED":
            editor.tell(e.LabelStatusChanged(before=None, after="LABELING_IN_PROGRESS", verb="save"))
        states.append(stored(editor.state))
    now = states[-1]
    for number in range(len(states) - 1, 0, -1):
        now, reversal = back(states[number - 1], states[number], now, pixels=pixels)
        assert reversal.obstacles == []
        assert values.same(content(now), content(states[number - 1]))


def test_a_bitmap_of_another_size_is_in_the_way():
    state, pixels, _ = painted()
    left = patched(state, pixels, part(2, "xx.", "..."))
    bigger = pixels.keep(np.ones((4, 4), np.uint32))
    now = after(left, e.BitmapPatched(base_hash=None, mask=bigger, changed=[]))
    undone, reversal = back(state, left, now, pixels=pixels)
    assert undone.mask == bigger and [item.path for item in reversal.obstacles] == [("label", "mask")]
