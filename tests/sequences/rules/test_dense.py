"""Dense frames say the same as frames that are rendered a dict a shape: byte for byte, for every form of geometry."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.geometry import shapes
from labeling.rules.task_types import task_type
from sequences.rules import dense
from sequences.rules.dense import Line, clock_mark, frame_texts, packed, segments_of, unpacked
from sequences.rules.documents import render_tracks, rendered_frames
from sequences.rules.geometries import turned_corners
from sequences.rules.skeletons import clock_of, frames_of, skeleton_of
from sequences.rules.timeline import Clock
from sequences.rules.track_state import TABLE, in_order
from tests.e2e.documents import label_attributes
from tests.sequences.rules.test_documents import TYPES, saved, tagged
from tests.sequences.support import FORMS, bbox, cuboid, point, track
from tests.support.labels import label

JSON = dict[str, Any]
VECTOR: Any = task_type("image-vector-sequence")

number = st.one_of(
    st.integers(-3000, 3000),
    st.floats(-3000, 3000),
    st.sampled_from([0, 0.0, -0.0, 1e15, 1e300, -1e308, 1.5e308, 5e-324]),
)
near = st.floats(-1e6, 1e6)
length = st.floats(0, 1e4)
pair = st.lists(number, min_size=2, max_size=2)
ring = st.lists(pair, max_size=7)
triples = st.lists(st.lists(near, min_size=3, max_size=3), max_size=5)
angle = st.one_of(st.floats(-720, 720), st.sampled_from([0, 90, 180.0, 360]))
xyz = st.fixed_dictionaries(dict.fromkeys("xyz", near))
placed = st.fixed_dictionaries({"name": st.sampled_from("abc"), "x": number, "y": number, "visibility": st.just(2)})
hidden = st.fixed_dictionaries({"name": st.sampled_from("abc"), "visibility": st.just(0)})
OF_FORM: dict[str, st.SearchStrategy[JSON]] = {
    "bbox": st.fixed_dictionaries({"points": st.lists(pair, min_size=2, max_size=2)}),
    "point": st.fixed_dictionaries({"points": st.one_of(st.lists(pair, max_size=2), triples)}),
    "rbox": st.fixed_dictionaries(
        {"center": st.lists(near, min_size=2, max_size=2), "size_wh": st.lists(length, min_size=2, max_size=2)}
    ),
    "ellipse": st.fixed_dictionaries(
        {"center": st.lists(near, min_size=2, max_size=2), "radii": st.lists(length, min_size=2, max_size=2)}
    ),
    "polygon": st.fixed_dictionaries({"parts": st.lists(st.lists(ring, min_size=1, max_size=3), max_size=2)}),
    "polyline": st.fixed_dictionaries({"parts": st.lists(st.one_of(ring, triples), max_size=2)}),
    "skeleton": st.fixed_dictionaries(
        {"points": st.lists(st.one_of(placed, hidden), max_size=3, unique_by=lambda item: item["name"])}
    ),
    "cuboid": st.fixed_dictionaries({"position": xyz, "dimensions": xyz, "yaw": angle}),
}


FLAG = st.just(True)


@st.composite
def geometry(draw: Any, form: str) -> JSON:
    if form == "cuboid-sync":
        return draw(geometry("cuboid")) | {"type": form}
    if form not in OF_FORM:
        return FORMS[form]
    made = {"type": form} | draw(OF_FORM[form])
    if form in ("rbox", "ellipse"):
        made["angle_deg"] = draw(angle)
    if form == "cuboid" and draw(st.booleans()):
        made["rotation"] = {name: draw(st.floats(-1, 1)) for name in ("qx", "qy", "qz", "qw")}
    return made


@st.composite
def entry(draw: Any, form: str) -> JSON:
    made: JSON = {"geometry": draw(geometry(form))}
    if draw(st.booleans()):
        made["attributes"] = draw(st.sampled_from([{}, {"a": "100%b \x00 %"}, {"$int": [1.5, None]}]))
    if draw(st.booleans()):
        made |= draw(
            st.sampled_from([{"category_id": None}, {"object_id": 9}, {"flag": None}, {"extra": {"note": "ä%"}}])
        )
    return made


@st.composite
def tracks(draw: Any, number: int, frames: int) -> JSON:
    forms = draw(st.lists(st.sampled_from(sorted(FORMS)), min_size=1, max_size=2))
    form = st.sampled_from(forms)
    places = st.integers(0, frames + 3)
    keys = {frame: draw(entry(draw(form))) for frame in draw(st.sets(places, min_size=1, max_size=5))}
    absent = draw(st.sets(places, max_size=2)) - keys.keys()
    kept = {frame: draw(entry(draw(form))) for frame in draw(st.sets(places, max_size=2)) - keys.keys() - absent}
    more = draw(st.sampled_from([{}, {"unflagged": True}, {"object_id": 77}, {"category_id": None}]))
    return track(keys, tuple(absent), kept, uuid=f"{number}", track_id=number, order=float(-number), **more)


@st.composite
def sequences(draw: Any) -> Any:
    """A label with tracks, and a window of its frames."""
    frames = draw(st.integers(0, 14))
    items = [draw(tracks(number, frames)) for number in range(draw(st.integers(0, 3)))]
    clock = draw(
        st.sampled_from(
            [{}, {"by": "times"}, {"extrapolate": True}, {"hold": True}, {"by": "times", "extrapolate": True}]
        )
    )
    times = [draw(st.integers(0, 5)) for _ in range(frames)]
    heads = [{"timestamp": time} | ({"annotations": [1, 0]} if draw(st.booleans()) else {}) for time in sorted(times)]
    if draw(st.booleans()):
        heads = [{"name": f"%b{n}", **head} for n, head in enumerate(heads)]
    state = label()
    state.document = {"skeleton": {"frames": heads} | ({"clock": clock} if clock else {})}
    state.parts[TABLE] = {item["uuid"]: item for item in items}
    start = draw(st.integers(0, frames))
    return state, start, draw(st.integers(start, frames + 2))


def slow(state: Any, start: int, end: int) -> bytes:
    window = rendered_frames(state, None, start, end)
    return orjson.dumps([{"frame": frame} | content for frame, content in enumerate(window, start)])


def lines_of(state: Any, start: int, end: int, cut: bool) -> list[Line]:
    clock = clock_of(skeleton_of(state), None)
    made = []
    for item in in_order(state):
        segments = segments_of(item, clock, start, end)
        if cut:  # as they are stored and read again
            whole = packed(segments_of(item, clock), clock.frames)
            segments = []
            if start < min(end, clock.frames):
                first, last = start // dense.BLOCK, (min(end, clock.frames) - 1) // dense.BLOCK
                segments = unpacked(whole.data[whole.starts[first] : whole.ends[last]])
        made.append(Line(item["track_id"], segments))
    return made


@pytest.mark.parametrize("cut", [False, True])
@given(found=sequences())
def test_dense_frames_are_those_that_are_rendered_a_shape_at_a_time(found, cut):
    state, start, end = found
    heads = frames_of(skeleton_of(state), None)[start:end]
    assert b"".join(frame_texts(heads, lines_of(state, start, end, cut), start)) == slow(state, start, end)


@given(found=sequences())
def test_a_whole_document_has_the_text_that_its_dicts_have(found):
    state, _, _ = found
    assert VECTOR.text(state) == orjson.dumps(render_tracks(state))


@pytest.mark.parametrize("name", TYPES)
def test_a_document_of_each_task_type_has_the_text_that_its_dicts_have(name):
    kind: Any = task_type(name)
    opened = saved(tagged(label_attributes(name, "https://example.org/mask.png")), kind=kind)
    old = label(document={"frames": [], "sensors": [], "format_version": "0.1"})
    for state in (opened, old, label()):
        assert kind.text(state) == orjson.dumps(kind.render(state))


@given(found=sequences(), most=st.integers(1, 40))
def test_it_does_not_matter_where_the_text_is_cut(found, most):
    state, start, end = found
    heads = frames_of(skeleton_of(state), None)[start:end]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sequences.rules.dense.texts.MOST", most)
        pieces = list(frame_texts(heads, lines_of(state, start, end, False), start))
    assert b"".join(pieces) == slow(state, start, end)


@given(found=sequences())
def test_what_is_known_is_taken_and_the_rest_computed_to_the_same_bytes(found):
    state, _, _ = found
    clock = clock_of(skeleton_of(state), None)
    for item in in_order(state):
        whole = segments_of(item, clock)
        for some in (whole[::2], whole[1:], whole):
            again = segments_of(item, clock, known={segment.mark: segment for segment in some})
            assert again == whole and packed(again, clock.frames) == packed(whole, clock.frames)


def test_only_the_segments_beside_a_changed_keyframe_are_computed(monkeypatch):
    keys = {frame: bbox(frame, 0, frame + 5, 7) for frame in range(0, 1000, 10)}
    clock = Clock(1000)
    known = {segment.mark: segment for segment in segments_of(track(keys), clock)}
    computed = []
    real = dense.segments._segment

    def watched(*arguments: Any) -> Any:
        computed.append(arguments[3].first)
        return real(*arguments)

    monkeypatch.setattr(dense.segments, "_segment", watched)
    segments_of(track(keys | {500: bbox(1, 2, 3, 4)}), clock, known=known)
    assert computed == [490, 500]
    computed.clear()
    segments_of(track(keys, absent=(495,)), clock, known=known)
    assert computed == [490]
    computed.clear()
    segments_of(track(keys, kept={123: bbox(0, 0, 1, 1)}), clock, known=known)
    assert computed == [120]


CHANGES: dict[str, Any] = {
    "its number": lambda item: item | {"track_id": 5},
    "its category": lambda item: item | {"category_id": 3},
    "its object's id": lambda item: item | {"object_id": 3},
    "flags of computed frames": lambda item: item | {"unflagged": True},
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_track_says_of_all_its_frames_changes_all_of_them(name):
    item = track({0: point(0), 9: point(9)}, absent=(5,))
    before, after = segments_of(item, Clock(10)), segments_of(CHANGES[name](item), Clock(10))
    assert not {one.mark for one in before} & {two.mark for two in after}


CLOCKS = [
    Clock(10),
    Clock(11),
    Clock(10, list(range(10))),
    Clock(10, list(range(1, 11))),
    Clock(10, [float(n) for n in range(10)]),
    Clock(10, [2**70 + n for n in range(10)]),
    Clock(10, extrapolate=True),
    Clock(10, hold=True),
]


def test_every_clock_has_a_mark_of_its_own(monkeypatch):
    marks = {clock_mark(clock) for clock in CLOCKS}
    assert len(marks) == len(CLOCKS)
    monkeypatch.setattr("sequences.rules.dense.segments.FORMAT", 0)
    assert not marks & {clock_mark(clock) for clock in CLOCKS}


@pytest.mark.parametrize("clock", [clock for clock in CLOCKS if clock.frames == 10][1:])
def test_another_time_computes_what_was_between_keyframes_again(clock):
    item = track({0: cuboid(0), 4: cuboid(8), 6: cuboid(1)})
    known = {segment.mark for segment in segments_of(item, Clock(10))}
    assert not known & {segment.mark for segment in segments_of(item, clock)}


@pytest.mark.parametrize("frames", [0, 1, 63, 64, 65, 1000])
@pytest.mark.parametrize(
    "keys",
    [{}, {0: 1}, {70: 1, 130: 2}, {0: 0, 63: 1, 64: 2, 65: 3}, {frame: frame for frame in range(0, 1000, 7)}, {999: 1}],
)
def test_any_window_can_be_cut_from_a_packed_track(keys, frames):
    item = track(keys, absent=(100, 300))
    whole = segments_of(item, Clock(frames))
    made = packed(whole, frames)
    assert unpacked(made.data) == whole
    for first in range(0, frames, 64):
        for last in range(first, frames, 64):
            cut = unpacked(made.data[made.starts[first // 64] : made.ends[last // 64]])
            assert cut == [s for s in whole if s.first < last + 64 and s.first + s.count > first]


@given(
    st.sampled_from([("rbox", "size_wh"), ("ellipse", "radii")]),
    st.lists(st.tuples(near, near, length, length, angle), min_size=1, max_size=20),
)
def test_corners_of_many_are_those_of_each(form, rows):
    kind, size = form
    found = turned_corners(kind, np.array(rows, np.float64)).reshape(len(rows), -1, 2).tolist()
    for (x, y, one, two, turn), corners in zip(rows, found, strict=True):
        wire = shapes.to_wire({"type": kind, "center": [x, y], size: [one, two], "angle_deg": turn})
        assert wire is not None and repr(wire[1]) == repr(corners)


def test_a_polygon_of_holes_and_parts_is_shown_twice_and_kept_once():
    first = {"type": "polygon", "parts": [[[[0.0, 0.0], [9.0, 0.0], [9.0, 9.0]], [[1.0, 1.0], [2.0, 1.0], [2.0, 2.0]]]]}
    last = {"type": "polygon", "parts": [[[[5.0, 0.0], [9.0, 5.0], [9.0, 9.0]], [[1.0, 1.5], [2.0, 1.0], [2.0, 2.0]]]]}
    (segment, _) = segments_of(track({0: first, 8: last}), Clock(9))
    assert segment.width == 12 and segment.columns is not None and len(segment.columns) == 18
    assert len(segment.numbers) == 7 * 12 * 8
