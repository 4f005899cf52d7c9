"""Documents of sequences become tracks and come back: exactly where they said something, within the grid elsewhere."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import InvalidValue
from labeling.log import values
from labeling.rules.task_types import VerbatimTask, task_type
from sequences import events as e
from sequences.rules.geometries import agree, from_wire
from sequences.rules.skeletons import times_of
from sequences.rules.timeline import Timeline
from sequences.rules.track_state import TABLE
from tests.e2e.documents import label_attributes
from tests.sequences.support import cuboid
from tests.support.labels import ANA, BEN, after, label, no_label

JSON = dict[str, Any]
NS = 1_700_000_000_000_000_000
VECTOR: Any = task_type("image-vector-sequence")
TYPES = (
    "image-vector-sequence",
    "image-segmentation-sequence",
    "pointcloud-cuboid-sequence",
    "pointcloud-vector-sequence",
    "multisensor-sequence",
)


def saved(document: JSON, state: Any = None, kind: Any = VECTOR, author: Any = BEN) -> Any:
    """The state after a document was saved on top of a state, or as the first one."""
    parsed = kind.parse(copy.deepcopy(document), "attributes")
    if state is None:
        return after(no_label(), *kind.first(no_label(), parsed, "LABELED", None, None), author=author)
    return after(state, *kind.changes(state, parsed).facts, author=author)


def facts_of(state: Any, document: JSON, kind: Any = VECTOR) -> list[Any]:
    return kind.changes(state, kind.parse(copy.deepcopy(document), "attributes")).facts


def box(x: float, track_id: int = 1, keyframe: bool | None = False, **more: Any) -> JSON:
    item = {"id": track_id, "category_id": 1, "track_id": track_id, "type": "bbox", "points": [[x, 0], [x + 2, 2]]}
    return item | ({} if keyframe is None else {"is_keyframe": keyframe}) | more


def frames(*contents: Any, **more: Any) -> JSON:
    """A document; a frame is None (nothing), one object or a list of them."""
    lists = [[] if item is None else item if isinstance(item, list) else [item] for item in contents]
    return {"frames": [{"annotations": items} for items in lists]} | more


def entries(state: Any, track_id: int = 1) -> dict[int, str]:
    """{frame: K keyframe, k kept, - remove-keyframe} of a track."""
    (track,) = [item for item in state.parts[TABLE].values() if item["track_id"] == track_id]
    return {
        int(frame): "-" if entry.get("absent") else "k" if entry.get("kept") else "K"
        for frame, entry in track["entries"].items()
    }


# --- round trips ---------------------------------------------------------------------------------------------------


def tagged(value: Any) -> Any:
    """Nanosecond times as the door gives them."""
    match value:
        case dict():
            return {key: tagged(item) for key, item in value.items()}
        case list():
            return [tagged(item) for item in value]
    return {"$int": str(value)} if type(value) is int and abs(value) > values.MAX_INTEGER else value


@pytest.mark.parametrize("name", TYPES)
def test_a_label_of_each_task_type_comes_back_word_for_word_and_saved_again_is_nothing(name):
    kind, document = task_type(name), tagged(label_attributes(name, "https://example.org/mask.png"))
    state = saved(document, kind=kind)
    assert values.same(kind.render(state), document)
    assert facts_of(state, kind.render(state), kind) == []


STRANGE = {
    "no frames": {"frames": []},
    "other keys everywhere": {
        "frames": [{"annotations": [box(1, odd=[1])], "odd": {"a": 1}}], "sensors": 7, "odd": None},
    "a track twice in one frame": frames([box(1), box(2), box(3, 2)], [box(1), box(5)]),
    "objects in another order in each frame": frames([box(1), box(1, 2), box(1, 3)], [box(1, 3), box(1), box(1, 2)]),
    "a track that starts late stands first": frames(box(1, 5), [box(1, 9), box(1, 5)], [box(1, 9), box(1, 5)]),
    "ids that are not the track's": frames(box(1, id=7), box(1, id=8), box(1, id=7)),
    "a category that changes": frames(box(1, keyframe=True), box(1, category_id=2), box(1, category_id=404)),
    "attributes of none, null and nothing": frames(box(1, attributes={}), box(1, attributes=None), box(1)),
    "no flags at all": frames(box(1, keyframe=None), box(1, keyframe=None), box(4, keyframe=None)),
    "flags here and there": frames(*(box(1, keyframe=flag) for flag in (None, False, None, True))),
    "corners the wrong way round": frames({**box(1), "points": [[9, 9], [1, 1]]}),
    "a polygon without points": frames({**box(1), "type": "polygon", "points": []}),
    "a type that changes": frames(box(1, keyframe=True), {**box(1), "type": "point", "points": [[1, 2]]}, box(2)),
    "an annotation of another form of geometry": frames(box(1, yaw=3, position={"x": 1})),
    "a track of negative number": frames(box(1, -5)),
}  # fmt: skip


@pytest.mark.parametrize("document", STRANGE.values(), ids=list(STRANGE))
def test_strange_documents_come_back_word_for_word_and_saved_again_are_nothing(document):
    state = saved(document)
    assert values.same(VECTOR.render(state), document)
    assert facts_of(state, VECTOR.render(state)) == []


def test_what_stands_beside_the_objects_of_bitmaps_is_kept_whatever_it_is():
    kind: Any = task_type("image-segmentation-sequence")
    item = {"id": 1, "category_id": 1, "track_id": 1, "type": "bbox", "points": "abc", "geometry": 7}
    document = frames(item, item | {"points": [[1], 2]}, {**item, "type": "cuboid", "position": None})
    state = saved(document, kind=kind)
    assert values.same(kind.render(state), document) and facts_of(state, document, kind) == []


def test_a_label_without_a_document_has_no_frames():
    assert VECTOR.render(label()) == {"frames": []}
    assert task_type("multisensor-sequence").render(label()) == {"sensors": []}


@pytest.mark.parametrize(
    "stamps, wanted",
    [
        ([0, 1, 2], [0, 1, 2]),
        ([{"$int": "1700000000000000001"}, {"$int": "1700000000000000005"}], [NS + 1, NS + 5]),
        (["00001", "-2"], [1, -2]),
        ([0.5, 1.5], [0.5, 1.5]),
        ([0, None], None),
        ([0, "now"], None),
        ([0, True], None),
        ([], []),
    ],
)
def test_the_times_of_frames_are_numbers_or_none_at_all(stamps, wanted):
    assert times_of([{} if stamp is None else {"timestamp": stamp} for stamp in stamps]) == wanted


# --- what becomes an event -----------------------------------------------------------------------------------------

K, k, RM = "K", "k", "-"


@pytest.mark.parametrize(
    "document, wanted",
    [
        (frames(box(0, keyframe=True), box(1), box(2), box(3, keyframe=True)), {0: K, 3: K}),
        (frames(box(0, keyframe=True), box(1.0001), box(2), box(3, keyframe=True)), {0: K, 3: K}),
        (frames(box(0, keyframe=True), box(1.01), box(2), box(3, keyframe=True)), {0: K, 1: k, 3: K}),
        (frames(box(0), box(0), box(0)), {0: K}),
        (frames(box(0), box(0), None), {0: K, 2: RM}),
        (frames(None, box(0), None, box(5), None), {1: K, 2: RM, 3: K, 4: RM}),
        (frames(box(0), box(5), box(6)), {0: K, 1: k, 2: k}),
        (frames(box(0), box(0, keyframe=True), box(0)), {0: K, 1: K}),
        (frames(box(0), box(0, attributes={"a": 1}), box(0)), {0: K, 1: k}),
        (frames(box(0, keyframe=True), None, box(9), box(9, keyframe=True)), {0: K, 1: RM, 2: K, 3: K}),
    ],
)
def test_only_what_cannot_be_computed_is_an_entry(document, wanted):
    assert entries(saved(document)) == wanted


def test_a_huge_label_is_imported_in_parts(monkeypatch):
    monkeypatch.setattr("sequences.rules.documents.changes.PART_BYTES", 500)
    document = frames([box(n, n) for n in range(1, 21)])
    facts = VECTOR.first(no_label(), VECTOR.parse(document, "x"), "LABELED", 0.5, None)
    parts = [fact for fact in facts if isinstance(fact, e.TracksImported)]
    assert [(part.part, part.parts) for part in parts] == [(n, len(parts)) for n in range(1, len(parts) + 1)]
    assert len(parts) > 2 and values.same(VECTOR.render(after(no_label(), *facts)), document)


# --- saving on top -------------------------------------------------------------------------------------------------

BASE = frames(box(0, keyframe=True), box(1), box(2), box(3, keyframe=True), [box(3), box(7, 2)], [box(3), box(7, 2)])


def changed(*changes: tuple[int, int, JSON | None]) -> JSON:
    """BASE with objects of a frame, by their index, changed or (None) taken away."""
    document = copy.deepcopy(BASE)
    for frame, index, change in changes:
        items = document["frames"][frame]["annotations"]
        if change is None:
            del items[index]
        else:
            items[index] |= change
    return document


MOVED = {"points": [[50, 0], [52, 2]]}
ON_TOP = {
    "a computed frame that somebody moved is kept": (changed((1, 0, MOVED)), ["TrackFramesSet"], {0: K, 1: k, 3: K}),
    "a computed frame that became a keyframe": (
        changed((1, 0, MOVED | {"is_keyframe": True})), ["TrackFramesSet"], {0: K, 1: K, 2: k, 3: K}),
    "a keyframe that is none any more": (changed((3, 0, {"is_keyframe": False})), ["TrackFramesSet"],
                                         {0: K, 1: k, 2: k, 3: k, 4: k, 5: k}),
    "a track that left": (changed((4, 0, None), (5, 0, None)), ["TrackFramesSet"], {0: K, 3: K, 4: RM}),
    "a frame without it": (changed((1, 0, None)), ["TrackFramesSet"], {0: K, 1: RM, 2: K, 3: K}),
    "another category": (
        changed(*((f, 0, {"category_id": 2}) for f in range(6))), ["TrackRecategorized"], {0: K, 3: K}),
    "another category at one frame": (changed((2, 0, {"category_id": 2})), ["TrackFramesSet"], {0: K, 2: k, 3: K}),
    "another track's frames": (changed((5, 1, MOVED)), ["TrackFramesSet"], {0: K, 3: K}),
    "another track is gone": (changed((4, 1, None), (5, 1, None)), ["TrackRemoved"], {0: K, 3: K}),
    "the frames' own keys": (BASE | {"format_version": "0.2"}, ["SequenceDocumentSet"], {0: K, 3: K}),
    "fewer frames": ({"frames": BASE["frames"][:5]}, ["SequenceDocumentSet"], {0: K, 3: K}),
}  # fmt: skip


@pytest.mark.parametrize("document, facts, wanted", ON_TOP.values(), ids=list(ON_TOP))
def test_a_save_on_top_tells_what_changed_and_shows_what_was_sent(document, facts, wanted):
    state = saved(BASE)
    assert [type(fact).__name__ for fact in facts_of(state, document)] == facts
    after_it = saved(document, state)
    assert entries(after_it) == wanted
    assert values.same(VECTOR.render(after_it), document)
    assert facts_of(after_it, document) == []


def test_a_new_track_is_added_and_a_removed_one_is_named_with_its_author():
    state = saved(BASE, author=ANA)
    document = {"frames": [{"annotations": [box(1, 9)]}]}
    changes = VECTOR.changes(state, VECTOR.parse(document, "attributes"))
    assert [(item["id"], item["by"]) for item in changes.removed] == [(1, str(ANA)), (2, str(ANA))]
    kinds = [type(fact).__name__ for fact in changes.facts]
    assert kinds == ["TrackRemoved", "TrackRemoved", "TrackAdded", "SequenceDocumentSet"]
    assert values.same(VECTOR.render(saved(document, state)), document)


def test_a_track_that_comes_back_under_its_number_is_another_one():
    state = saved(BASE)
    (old,) = [key for key, item in state.parts[TABLE].items() if item["track_id"] == 2]
    without = changed((4, 1, None), (5, 1, None))
    again = saved(BASE, saved(without, state))
    assert old not in again.parts[TABLE] and entries(again, 2) == {4: K}


def test_what_the_sdk_drops_is_not_removed_by_its_absence():
    state = saved(frames(box(1, index=0), box(1, index=1)))
    assert facts_of(state, frames(box(1), box(1))) == []


# --- forms that the protocol does not have -------------------------------------------------------------------------

RBOX: JSON = {"type": "rbox", "center": [5.0, 5.0], "size_wh": [4.0, 2.0], "angle_deg": 30.0}


def with_rbox() -> Any:
    facts = [
        e.SequenceDocumentSet(document={"frames": [{}] * 5}),
        e.TrackAdded(
            track="t", track_id=1, category_id=None, order=1.0,
            entries={"0": {"geometry": RBOX}, "4": {"geometry": RBOX | {"center": [9.0, 5.0]}}},
        ),
    ]  # fmt: skip
    return after(no_label(), *facts)


def test_a_form_of_our_own_is_shown_as_a_polygon_with_ours_beside_it_and_survives_the_sdk():
    state = with_rbox()
    shown = VECTOR.render(state)
    (item,) = shown["frames"][2]["annotations"]
    assert (item["type"], item["category_id"], item["category"]) == ("polygon", 0, None)
    assert item["geometry"] == RBOX | {"center": [7.0, 5.0]}
    assert facts_of(state, shown) == []
    for frame in shown["frames"]:
        for item in frame["annotations"]:
            del item["geometry"]
    assert facts_of(state, shown) == []
    shown["frames"][2]["annotations"][0]["is_keyframe"] = True
    set_there = saved(shown, state).parts[TABLE]["t"]["entries"]
    assert set_there["2"]["geometry"]["type"] == "polygon" or set_there["2"]["geometry"]["center"] == [7.0, 5.0]
    assert set_there["0"]["geometry"] == RBOX


def test_our_form_beside_points_that_contradict_it_is_refused():
    shown = VECTOR.render(with_rbox())
    shown["frames"][0]["annotations"][0]["points"][0][0] += 1
    with pytest.raises(InvalidValue) as caught:
        VECTOR.parse(shown, "attributes")
    assert caught.value.field == "attributes.frames[0].annotations[0].points"


@pytest.mark.parametrize(
    "one, two, same",
    [
        ([[0, 0], [1, 1]], [[0, 0], [1, 1.0001]], True),
        ([[0, 0], [1, 1]], [[0, 0], [1, 1.001]], False),
        ([[0, 0], [1, 1]], [[0, 0], [1, 1], [2, 2]], False),
        ([[0, 0, 0]], [[0, 0, 0.00001]], True),
        ([[0, 0, 0]], [[0, 0, 0.0005]], False),
        ([[0, 0, 0]], [[0, 0]], False),
        ([], [], True),
    ],
)
def test_when_two_geometries_are_the_same(one, two, same):
    a, b = (from_wire({"type": "polyline", "points": points}, "x")[0] for points in (one, two))
    assert agree(a, b, exact=False) is same and agree(a, b, exact=True) is same


def test_when_two_cuboids_are_the_same():
    assert agree(cuboid(1.0, yaw=0.5), cuboid(1.00001, yaw=0.50000001), exact=False)
    assert not agree(cuboid(1.0), cuboid(1.0002), exact=False)
    assert not agree(cuboid(1.0), cuboid(1.0, rotation=dict.fromkeys(("qx", "qy", "qz", "qw"), 0)), exact=False)
    assert not agree(cuboid(1.0), {"type": "mask"}, exact=False)


# --- labels from before there were tracks --------------------------------------------------------------------------


@pytest.mark.parametrize("name", TYPES)
def test_a_document_from_before_there_were_tracks_is_shown_as_it_was_and_opened_by_the_first_change(name):
    kind: Any = task_type(name)
    document = tagged(label_attributes(name, "u"))
    old = VerbatimTask(name)
    state = after(no_label(), *old.first(no_label(), old.parse(document, "x"), "LABELED", 0.5, None))
    assert kind.render(state) == document and facts_of(state, document, kind) == []
    opened, _ = kind.opened(state)
    again, _ = kind.opened(state)
    assert opened.parts[TABLE].keys() == again.parts[TABLE].keys() and opened.parts[TABLE]
    new = document | {"odd": 1}
    facts = facts_of(state, new, kind)
    assert [type(fact).__name__ for fact in facts] == ["TracksImported", "SequenceDocumentSet"]
    assert values.same(kind.render(after(state, *facts)), new)
    assert opened.parts[TABLE].keys() == after(state, *facts).parts[TABLE].keys()


def test_a_document_that_today_would_be_refused_gives_way_to_the_next_one():
    state = label(document={"frames": [7, {"annotations": {}}]})
    assert VECTOR.render(state) == {"frames": [7, {"annotations": {}}]}
    assert values.same(VECTOR.render(saved(BASE, state)), BASE)


@pytest.mark.parametrize("name", TYPES)
def test_a_copy_shows_the_same_and_its_tracks_name_theirs(name):
    kind, document = task_type(name), tagged(label_attributes(name, "u"))
    state = saved(document, kind=kind)
    made = after(no_label(), *kind.copied(state))
    assert values.same(kind.render(made), document)
    origins = {track["origin"]["annotation"] for track in made.parts[TABLE].values()}
    assert origins == state.parts[TABLE].keys() and made.status == "LABELED"


# --- whatever is sent ----------------------------------------------------------------------------------------------

xs = st.integers(0, 40).map(lambda n: n / 8)
objects = st.builds(
    lambda x, flag, more: box(x, keyframe=flag, **more),
    xs,
    st.sampled_from([True, False, False, None]),
    st.sampled_from([{}, {}, {}, {"attributes": {"a": 1}}, {"category_id": 2}, {"id": 5}]),
)
sequences = st.lists(st.dictionaries(st.integers(1, 3), objects, max_size=3), max_size=8).map(
    lambda items: frames(*([{**o, "track_id": n} for n, o in item.items()] for item in items))
)


def normal(document: JSON) -> Any:
    """A document on the grid: what agrees with what."""
    return json.loads(json.dumps(document), parse_float=lambda text: round(float(text) * 1024) / 1024)


@given(document=sequences)
def test_any_sequence_is_shown_as_it_was_sent(document):
    state = saved(document)
    assert normal(VECTOR.render(state)) == normal(document)
    assert facts_of(state, document) == [] and facts_of(state, VECTOR.render(state)) == []
    for track in state.parts[TABLE].values():
        assert Timeline.of(track).keyframes()


@given(documents=st.lists(sequences, min_size=2, max_size=4))
def test_any_sequence_saved_on_top_of_any_other_is_shown_as_it_was_sent(documents):
    state = None
    for document in documents:
        state = saved(document, state)
        shown = normal(VECTOR.render(state))
        assert [sorted(f["annotations"], key=json.dumps) for f in shown["frames"]] == [
            sorted(f["annotations"], key=json.dumps) for f in normal(document)["frames"]
        ]
        assert shown == normal(document)
        assert facts_of(state, VECTOR.render(state)) == []


def test_kept_frames_of_one_track_leave_the_others_rows_alone():
    state = saved(BASE)
    after_it = saved(changed((5, 1, MOVED)), state)
    same = [key for key, track in after_it.parts[TABLE].items() if state.parts[TABLE][key] is track]
    assert [after_it.parts[TABLE][key]["track_id"] for key in same] == [1]
