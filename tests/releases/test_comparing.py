"""Typed changes: what kinds there are, that they leave nothing out and lead back, and which object is which."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling import events as e
from labeling.rules import label_state
from labeling.rules.fold import Place
from labeling.rules.label_state import LabelState
from labeling.rules.reversal import pieces_of
from labeling.rules.telling.changes import FIELDS
from releases.comparing import applied, compared, fields_applied, overlap, said, versus
from releases.comparing.categories import categories
from releases.comparing.words import category_said
from sequences import events as track_events
from sequences.rules.track_state import tracks_of
from tests.sequences.support import bbox, point
from tests.support import edits as make
from tests.support.installation import is_full
from tests.support.labels import ANA, DATASET, key

JSON = dict[str, Any]
NAMES = {1: "car", 2: "person"}


def told(*facts: Any, state: LabelState | None = None) -> LabelState:
    """The label after these facts."""
    state = LabelState(DATASET, "label/x/y") if state is None else state.copied()
    for fact in facts:
        version = state.version + 1
        label_state.evolve(state, fact, Place(ANA, "infinity", version, version))
    return state


def added(number: int, geometry: JSON, **more: Any) -> e.AnnotationAdded:
    fields: JSON = {"category_id": 1, "order": float(number), "attributes": {}} | more
    return e.AnnotationAdded(annotation=key(number), id=number, geometry=geometry, **fields)


def plain(changes: list[JSON]) -> list[JSON]:
    """Without the uuid, which a piece does not hold."""
    return [
        change | {side: {k: v for k, v in change[side].items() if k != "uuid"} if change[side] else change[side]
                  for side in ("before", "after")}
        for change in changes
    ]  # fmt: skip


def header(state: LabelState) -> JSON:
    return {name: getattr(state, name) for name in FIELDS["LabelState"]}


def leaves_nothing_out(one: LabelState, other: LabelState) -> None:
    """The difference applied to the first gives the second, backwards too; of a state with itself it is empty."""
    there, back = plain(compared(one, other)), plain(compared(other, one))
    assert applied(pieces_of(one), there) == pieces_of(other)
    assert fields_applied(header(one), there) == header(other)
    assert applied(pieces_of(other), back) == pieces_of(one)
    assert [(c["what"], c["before"], c["after"], c["kinds"]) for c in there] == [
        (c["what"], c["after"], c["before"], c["kinds"]) for c in back
    ]
    swapped = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [c["change"] for c in there] == [swapped[c["change"]] for c in back]
    for ours, theirs in zip(there, back, strict=True):
        assert ours.get("geometry", {}).get("iou") == theirs.get("geometry", {}).get("iou")
    assert compared(one, copy.deepcopy(one)) == compared(one, one) == []
    for change in there:
        assert said(change, NAMES)


# --- kinds -----------------------------------------------------------------------------------------------------------

BOX = {"type": "bbox", "points": [[0, 0], [10, 10]]}
MOVED = {"type": "bbox", "points": [[5, 0], [15, 10]]}


@pytest.mark.parametrize(
    ("fact", "kinds", "words"),
    [
        (e.AnnotationGeometrySet(annotation=key(1), geometry=MOVED), ["geometry"],
         "car 1: moved by 5 px to the right (IoU 0.33, 100 px²)"),
        (e.AnnotationCategorySet(annotation=key(1), category_id=2), ["category"],
         "person 1: category from car to person"),
        (e.AnnotationCategorySet(annotation=key(1), category_id=None), ["category"],
         "object 1: category from car to none"),
        (e.AnnotationAttributesSet(annotation=key(1), attributes={"colour": "red"}), ["attributes"],
         "car 1: colour from “blue” to “red”"),
        (e.AnnotationRemoved(annotation=key(1)), [], "car 1 removed"),
        (added(2, BOX), [], "car 2 added, a box of 10 × 10 px"),
        (e.AnnotationRestored(annotation=key(1), fields={"id": 7}, cleared=[]), ["number"],
         "car 7: number from 1 to 7"),
        (e.AnnotationScoreSet(annotation=key(1), score=0.5), ["score"], "car 1: score from nothing to 0.5"),
        (e.LabelStatusChanged(before="UNLABELED", after="REVIEWED", verb="accept"), ["status"],
         "the label: status from unlabeled to reviewed"),
        (e.SceneAttributesSet(scene={"rain": True}), ["scene"], "the label: the image's rain from nothing to yes"),
    ],
)  # fmt: skip
def test_a_change_has_a_kind_and_words(fact: Any, kinds: list[str], words: str) -> None:
    first = told(added(1, BOX, attributes={"colour": "blue"}))
    [change] = compared(first, told(fact, state=first))
    assert (change["kinds"], said(change, NAMES)) == (kinds, words)
    leaves_nothing_out(first, told(fact, state=first))


def test_bitmaps_are_compared_pixel_by_pixel_with_each_other_and_with_outlines() -> None:
    runs = {"type": "bitmap", "rle": {"size": [10, 10], "counts": [0, 50, 50]}}
    left = {"type": "bbox", "points": [[0, 0], [5, 10]]}
    assert overlap(runs, left) == {"iou": 1.0, "area_before_px": 50, "area_after_px": 50}
    assert overlap(runs, {"type": "bitmap", "rle": {"size": [10, 10], "counts": [0, 100]}}) == {
        "iou": 0.5, "area_before_px": 50, "area_after_px": 100,
    }  # fmt: skip
    assert overlap(runs, {"type": "bitmap", "rle": {"size": [5, 10], "counts": [0, 50]}}) is None
    assert overlap(runs, {"type": "point", "points": [[1, 1]]}) is None


def test_changed_pixels_are_changes_of_the_objects_that_they_show() -> None:
    masks = {"a": np.array([[1, 1, 2, 0]], np.uint32), "b": np.array([[1, 2, 2, 0]], np.uint32)}
    shape = {"type": "mask"}
    one = told(added(1, shape), added(2, shape), added(3, shape), e.LabelStatusChanged("UNLABELED", "LABELED", "save"))
    one.mask = {"url": "a", "hash": "a"}
    other = one.copied()
    other.mask = {"url": "b", "hash": "b"}
    label, first, second = compared(one, other, read=lambda mask: masks[mask["url"]])
    assert (first["id"], first["kinds"], first["geometry"]) == (
        1, ["geometry"], {"iou": 0.5, "area_before_px": 2, "area_after_px": 1},
    )  # fmt: skip
    assert (second["id"], second["geometry"]["iou"], second["before"]) == (2, 0.5, {})
    assert said(first, NAMES) == "car 1: painted otherwise (IoU 0.50, 2 → 1 px²)"
    assert (label["what"], label["kinds"]) == ("label", ["mask"])
    assert [c["what"] for c in compared(one, other, read=lambda mask: None)] == ["label"], "what is gone nobody knows"


@pytest.mark.parametrize(
    ("after", "wanted", "words"),
    [
        ([{"id": 1, "name": "car"}], [], []),
        ([{"id": 1, "name": "vehicle"}], [("renamed", "car", "vehicle")], ["category “car” renamed to “vehicle”"]),
        ([{"id": 1, "name": "car", "color": [1, 2, 3]}], [("recoloured", None, [1, 2, 3])], ["category 1 recoloured"]),
        ([], [("removed", "car", None)], ["category “car” removed"]),
        ([{"id": 1, "name": "car"}, {"id": 2, "name": "bus"}], [("added", None, "bus")], ["category “bus” added"]),
        ([{"id": 1, "name": "car", "merged_into": 2}], [("merged", None, 2)], ["category 1 merged into 2"]),
        ([{"id": 1, "name": "car", "deprecated": True}], [("deprecated", None, True)], ["category 1 deprecated"]),
        ([{"id": 1, "name": "car", "attributes": []}], [("changed", {}, {"attributes": []})],
         ["category 1: attributes changed"]),
    ],
)  # fmt: skip
def test_categories_are_compared_one_by_one(after: list[JSON], wanted: list[Any], words: list[str]) -> None:
    found = categories({"categories": [{"id": 1, "name": "car"}]}, {"categories": after})
    assert [(item["change"], item["before"], item["after"]) for item in found] == wanted
    assert [category_said(item) for item in found] == words


# --- tracks ----------------------------------------------------------------------------------------------------------


def track(number: int, entries: dict[int, JSON], **more: Any) -> track_events.TrackAdded:
    fields: JSON = {"category_id": 1, "order": float(number)} | more
    return track_events.TrackAdded(
        track=key(number), track_id=number, entries={str(frame): entry for frame, entry in entries.items()}, **fields
    )


def test_keyframes_are_told_frame_by_frame() -> None:
    first = told(track(1, {0: {"geometry": BOX}, 4: {"geometry": BOX}, 9: {"geometry": BOX}}))
    second = told(
        track_events.KeyframeSet(track=key(1), frame=0, entry={"geometry": MOVED, "attributes": {"a": 1}}),
        track_events.KeyframeMoved(track=key(1), frame=4, to=5),
        track_events.RemoveKeyframeSet(track=key(1), frame=7),
        state=first,
    )
    [change] = compared(first, second)
    assert change["kinds"] == ["attributes", "geometry", "keyframes"]
    assert change["keyframes"] == {
        "added": [5], "removed": [4], "leaves": [7],
        "changed": [{"frame": 0, "kinds": ["attributes", "geometry"],
                     "geometry": {"iou": 0.333333, "area_before_px": 100, "area_after_px": 100}}],
    }  # fmt: skip
    assert said(change, NAMES) == (
        "track car 1: keyframes added at frame 5, keyframes removed at frame 4, set otherwise at frame 0 (IoU 0.33)"
        " and gone from frame 7"
    )
    leaves_nothing_out(first, second)


def test_splits_merges_and_numbers_of_tracks_are_told_as_such_and_lead_back() -> None:
    first = told(track(1, {0: {"geometry": BOX}, 8: {"geometry": BOX}}), track(2, {0: {"geometry": BOX}}))
    split = track_events.TrackSplit(
        track=key(1), new_track=key(3), new_track_id=3, frame=4, order=3.0, entry={"geometry": BOX}, leaves=True
    )
    second = told(split, track_events.TrackRenumbered(track=key(2), track_id=9), state=first)
    splits = {key(3): (key(1), 4)}
    by_id = {change["id"]: change for change in compared(first, second, splits=splits)}
    assert by_id[3]["split_from"] == {"track": key(1), "track_id": 1, "frame": 4}
    assert (by_id[3]["kinds"], said(by_id[3], NAMES)) == (["split"], "track car 3 added: split off 1 at frame 4")
    assert (by_id[9]["kinds"], said(by_id[9], NAMES)) == (["number"], "track car 9: number from 2 to 9")
    back = {change["id"]: change for change in compared(second, first, splits=splits)}
    assert (back[3]["change"], back[3]["merged_into"]["track_id"]) == ("removed", 1)
    merged = told(track_events.TracksMerged(track=key(1), source=key(2)), state=first)
    by_id = {change["id"]: change for change in compared(first, merged)}
    assert by_id[2]["merged_into"] == {"track": key(1), "track_id": 1, "frame": None}
    assert (by_id[2]["kinds"], said(by_id[2], NAMES)) == (["merge"], "track car 2 merged into 1")
    assert "merge" in by_id[1]["kinds"]
    assert {c["id"]: c for c in compared(merged, first)}[2]["split_from"]["track_id"] == 1


STEPS = st.lists(
    st.tuples(st.sampled_from("akkdlrscnmx"), st.integers(1, 4), st.integers(0, 9), st.integers(1, 6)), max_size=14
)


def stepped(steps: list[tuple[str, int, int, int]]) -> list[LabelState]:
    """The states of a sequence's label after each of these steps, of those that make sense."""
    state = LabelState(DATASET, "label/x/y")
    found = [state.copied()]
    for step, number, frame, value in steps:
        held, name = tracks_of(state), key(number)
        mine = held.get(name)
        entry = {"geometry": bbox(value, 0, value + 10, 10)} | ({"attributes": {"a": value}} if value % 2 else {})
        keyframes = [n for n, e_ in (mine or {"entries": {}})["entries"].items() if not e_.get("absent")]
        fact: Any = None
        if step == "a" and mine is None:
            fact = track(number, {frame: entry})
        elif mine is None:
            continue
        elif step == "k":
            fact = track_events.KeyframeSet(track=name, frame=frame, entry=entry)
        elif step == "d" and len(keyframes) > 1:
            fact = track_events.KeyframeDeleted(track=name, frame=int(keyframes[value % len(keyframes)]))
        elif step == "l":
            fact = track_events.RemoveKeyframeSet(track=name, frame=frame + 10)
        elif step == "r":
            fact = track_events.TrackRemoved(track=name)
        elif step == "c":
            fact = track_events.TrackRecategorized(track=name, category_id=value % 3 or None)
        elif step == "n":
            fact = track_events.TrackRenumbered(track=name, track_id=100 + value)
        elif step == "s" and key(value + 10) not in held:
            fact = track_events.TrackSplit(
                track=name, new_track=key(value + 10), new_track_id=value + 10, frame=frame, order=1.0, entry=entry,
                leaves=True,
            )  # fmt: skip
        elif step == "m" and key(value) in held and value != number:
            fact = track_events.TracksMerged(track=name, source=key(value))
        elif step == "x":
            fact = e.LabelStatusChanged(before=state.status, after=("LABELED", "REVIEWED")[value % 2], verb="save")
        if fact is not None:
            state = told(fact, state=state)
            found.append(state.copied())
    return found


@settings(max_examples=400 if is_full() else 60, deadline=None)
@given(STEPS, st.integers(0, 14), st.integers(0, 14))
def test_no_history_of_tracks_is_told_in_part(steps: list, one: int, two: int) -> None:
    states = stepped(steps)
    leaves_nothing_out(states[min(one, len(states) - 1)], states[min(two, len(states) - 1)])


@settings(max_examples=200 if is_full() else 20, deadline=None)
@given(st.data())
def test_no_list_of_edits_is_told_in_part(data: Any) -> None:
    before = data.draw(make.labels())
    editor = make.editor_of(before)
    editor.run(data.draw(make.edit_lists(before)))
    leaves_nothing_out(before, editor.state)


# --- two label sets --------------------------------------------------------------------------------------------------


def content(state: LabelState) -> list[JSON]:
    """The objects of a label, without what is of the label set."""
    own = {"id", "track_id", "order", "origin", "score", "lineage"}
    found = [{k: v for k, v in item.items() if k not in own} for item in pieces_of(state).values()]
    return sorted(found, key=repr)


def agrees(one: LabelState, other: LabelState) -> None:
    """The difference between two label sets applied to the first gives the second, but for what is of the set."""
    changes, same = versus(one, other)
    after = LabelState(DATASET, "label/x/y")
    pieces = applied(pieces_of(one), plain(changes))
    own = {"id", "track_id", "order", "origin", "score", "lineage"}
    found = sorted(({k: v for k, v in item.items() if k not in own} for item in pieces.values()), key=repr)
    assert found == content(other), after
    changed = sum(":" in change["what"] and change["change"] == "changed" for change in changes)
    gone = sum(":" in change["what"] and change["change"] == "removed" for change in changes)
    assert same + changed + gone == len(pieces_of(one))
    assert versus(one, one) == ([], len(pieces_of(one)))


def test_a_models_objects_are_found_by_how_far_they_overlap() -> None:
    truth = told(
        added(1, bbox(0, 0, 10, 10)), added(2, bbox(50, 0, 60, 10), category_id=2), added(3, bbox(90, 90, 99, 99)),
        added(4, point(5)),
    )  # fmt: skip
    model = told(
        added(11, bbox(1, 0, 11, 10), score=0.9), added(12, bbox(0, 3, 10, 13), score=0.4),
        added(13, bbox(50, 0, 60, 10), score=0.8), added(14, point(5)),
    )  # fmt: skip
    changes, same = versus(truth, model)
    by_id = {change["id"]: change for change in changes}
    assert same == 1, "the point is drawn the same"
    assert by_id[1]["match"] == {"uuid": key(11), "id": 11, "by": "overlap", "iou": 0.818182, "score": 0.9}
    assert by_id[1]["kinds"] == ["geometry"], "uuids, numbers, orders and scores are the label set's"
    assert by_id[2]["kinds"] == ["category"], "what is mistaken for something else is one change"
    assert (by_id[3]["change"], by_id[12]["change"]) == ("removed", "added")
    assert said(by_id[1], NAMES).endswith("; found by overlap as 11, score 0.9")
    agrees(truth, model)


def test_what_was_copied_is_the_same_object_however_far_it_went() -> None:
    truth = told(added(1, bbox(0, 0, 10, 10)), added(2, bbox(20, 0, 30, 10)))
    origin = {"kind": "clone", "label_set": "x", "annotation": key(1)}
    copied = told(added(11, bbox(20, 0, 30, 10), origin=origin))
    changes, same = versus(truth, copied)
    by_id = {change["id"]: change for change in changes}
    assert same == 0
    assert (by_id[1]["match"]["by"], by_id[1]["match"]["iou"]) == ("origin", None)
    assert by_id[2]["change"] == "removed"
    agrees(truth, copied)


def test_tracks_of_two_label_sets_are_found_by_their_boxes_over_the_frames() -> None:
    skeleton = {"skeleton": {"frames": [{} for _ in range(10)]}}
    one = told(track(1, {0: {"geometry": bbox(0, 0, 10, 10)}, 9: {"geometry": bbox(90, 0, 100, 10)}}))
    other = told(
        track(5, {0: {"geometry": bbox(1, 0, 11, 10)}, 9: {"geometry": bbox(91, 0, 101, 10)}}),
        track(6, {0: {"geometry": bbox(0, 50, 10, 60)}}),
    )
    one.document, other.document = skeleton, copy.deepcopy(skeleton)
    changes, _ = versus(one, other)
    by_id = {change["id"]: change for change in changes}
    assert by_id[1]["match"]["id"] == 5 and 0.8 < by_id[1]["match"]["iou"] < 0.83
    assert [item["frame"] for item in by_id[1]["keyframes"]["changed"]] == [0, 9]
    assert by_id[6]["change"] == "added"
    agrees(one, other)


def test_pixels_of_two_label_sets_are_matched_too() -> None:
    masks = {"a": np.array([[1, 1, 2, 2, 2]], np.uint32), "b": np.array([[7, 7, 7, 8, 8]], np.uint32)}
    one, other = (
        told(added(1, {"type": "mask"}), added(2, {"type": "mask"})),
        told(added(7, {"type": "mask"}), added(8, {"type": "mask"}, category_id=2)),
    )
    one.mask, other.mask = {"url": "a"}, {"url": "b"}
    changes, _ = versus(one, other, read=lambda mask: masks[mask["url"]])
    found = {change["id"]: (change["match"]["id"], change["geometry"]["iou"], change["kinds"]) for change in changes}
    assert found == {1: (7, 0.666667, ["geometry"]), 2: (8, 0.666667, ["category", "geometry"])}


@settings(max_examples=200 if is_full() else 20, deadline=None)
@given(make.labels(), make.labels())
def test_no_two_label_sets_are_told_in_part(one: LabelState, other: LabelState) -> None:
    agrees(one, other)
