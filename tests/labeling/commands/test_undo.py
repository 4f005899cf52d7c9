"""Undo and redo of one's own gestures on a label; that rebuilt equals live is checked behind every test."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.commands import datasets, undo
from labeling.commands.labels import append_to_label
from labeling.errors import Conflict, HistoryExhausted, InTheWay, InvalidValue, NotFound, NotPermitted, Refused
from labeling.log import values
from labeling.log.event import Intent
from labeling.log.verify import verify_log
from labeling.texts import encrypt
from tests.labeling.commands.test_labels import FOUND, boxes
from tests.labeling.rules.test_reversal import content
from tests.labeling.test_properties import Names
from tests.support import edits as make
from tests.support.installation import is_full

JSON = dict[str, Any]
few = settings(max_examples=60 if is_full() else 5)


def add(number: int, **fields: Any) -> JSON:
    return {"op": "add", "id": number, "category_id": 1, "geometry": FOUND} | fields


def move(number: int, x: float) -> JSON:
    return {"op": "set_geometry", "annotation": number, "geometry": FOUND | {"points": [[x, 2], [x + 2, 4]]}}


def x_of(desk: Any, number: int = 1) -> Any:
    item = next((item for item in desk.state.annotations.values() if item["id"] == number), None)
    return item and item["geometry"]["points"][0][0]


def ids(desk: Any) -> list[int]:
    return sorted(item["id"] for item in desk.state.annotations.values())


def forced(desk: Any, by: Any) -> Intent:
    found: Intent = desk.intent(by, reason=encrypt("a mistake", person=by.id))
    return found


def test_the_last_gestures_are_taken_back_one_after_the_other_and_done_again(desk):
    desk.edit(add(1))
    for x in (10, 20, 30):
        desk.edit(move(1, x))
    seen = [x_of(desk)]
    for _ in range(3):
        undone = desk.undo()
        seen.append(x_of(desk))
    assert seen == [30, 20, 10, 1]
    assert (undone.report["can_undo"], undone.report["can_redo"]) == (1, 3)
    assert [x_of(desk) for _ in range(3) if desk.redo()] == [10, 20, 30]
    with pytest.raises(HistoryExhausted):
        desk.redo()


def test_an_undo_is_told_as_what_it_is_and_what_it_changed(desk):
    desk.edit(add(1))
    desk.edit(move(1, 9), {"op": "set_attributes", "annotation": 1, "attributes": {"a": 1}})
    version = desk.version
    undone = desk.undo()
    assert desk.names(version) == ["GestureUndone", "AnnotationRestored"]
    assert undone.report["changes"][0]["fields"] == ["attributes", "geometry"]
    assert undone.report["gestures"][0]["events"] == 2
    assert undone.report["stored"] and undone.offset == desk.head


def test_several_requests_of_one_gesture_are_taken_back_together(desk):
    gesture = uuid.uuid4()
    desk.edit(add(1))
    for x in (10, 20, 30):
        desk.edit(move(1, x), intent=desk.intent(desk.ana, correlation=gesture))
    assert desk.undo().report["gestures"][0]["gesture"] == str(gesture)
    assert x_of(desk) == 1
    desk.redo()
    assert x_of(desk) == 30


def test_several_at_once_are_each_done_again_alone(desk):
    desk.edit(add(1))
    desk.edit(move(1, 10))
    desk.edit(move(1, 20))
    desk.undo(2)
    assert x_of(desk) == 1
    desk.redo()
    assert x_of(desk) == 10
    desk.edit(move(1, 50))
    with pytest.raises(HistoryExhausted):
        desk.redo()  # a new gesture forgot the other


def test_undo_goes_on_before_what_was_done_again_and_behind_new_gestures(desk):
    desk.edit(add(1))
    for x in (10, 20):
        desk.edit(move(1, x))
    desk.undo(2)
    desk.redo()
    desk.edit(move(1, 70))
    assert [x_of(desk) for _ in range(2) if desk.undo()] == [10, 1]
    desk.undo()
    assert not desk.state.exists
    desk.redo(3)
    assert x_of(desk) == 70


def test_the_gestures_of_others_are_left_alone(desk):
    desk.edit(add(1))
    desk.edit(add(2), by=desk.ben)
    desk.edit(move(1, 10))
    desk.edit(move(2, 20), by=desk.ben)
    undone = desk.undo(2)
    assert undone.report["in_the_way"] == []
    assert ids(desk) == [2] and x_of(desk, 2) == 20 and desk.state.exists
    desk.redo(2)
    assert (x_of(desk, 1), x_of(desk, 2)) == (10, 20)


@pytest.mark.parametrize("on_conflict, x", [("stop", 20), ("skip", 20), ("force", 1)])
def test_what_somebody_built_on_it_stands_in_the_way(desk, on_conflict, x):
    desk.edit(add(1))
    desk.edit(move(1, 10), {"op": "set_score", "annotation": 1, "score": 0.5})
    desk.edit(move(1, 20), by=desk.ben)
    dry = desk.undo(dry_run=True)
    (obstacle,) = dry.report["in_the_way"]
    assert (obstacle["field"], obstacle["by"], obstacle["offset"]) == ("geometry", str(desk.ben.id), desk.head)
    assert (obstacle["then"]["points"][0][0], obstacle["now"]["points"][0][0]) == (1, 20)
    head = desk.head
    if on_conflict == "stop":
        with pytest.raises(InTheWay) as caught:
            desk.undo()
        assert caught.value.names == [obstacle["what"]] and desk.head == head
    else:
        desk.undo(on_conflict=on_conflict, intent=forced(desk, desk.ana))
        assert "score" not in next(iter(desk.state.annotations.values()))
    assert x_of(desk) == x


def test_force_asks_for_a_reason(desk):
    desk.edit(add(1))
    with pytest.raises(InvalidValue, match="reason"):
        desk.undo(on_conflict="force")
    with pytest.raises(InvalidValue, match="on_conflict"):
        desk.undo(on_conflict="yes")


def test_a_dry_run_stores_nothing_and_tells_what_the_undo_does(desk):
    desk.edit(add(1))
    desk.edit(move(1, 10))
    before, head = desk.state, desk.head
    dry = desk.undo(dry_run=True)
    assert (desk.head, desk.state, dry.report["stored"]) == (head, before, False)
    done = desk.undo()
    assert done.report | {"dry_run": True, "stored": False} == dry.report


def test_the_setting_bounds_how_many_can_be_undone(desk):
    datasets.change_dataset(intent=desk.intent(desk.ana), dataset=desk.dataset, changes={"undo_limit": 3})
    desk.edit(add(1))
    for x in (10, 20, 30, 40):
        desk.edit(move(1, x))
    for _ in range(3):
        desk.undo()
    with pytest.raises(HistoryExhausted, match="undo_limit is 3"):
        desk.undo()
    assert x_of(desk) == 10
    desk.redo()
    assert desk.undo().report["can_undo"] == 0


def test_more_than_there_are_is_refused_and_changes_nothing(desk):
    with pytest.raises(NotFound):
        desk.undo()
    desk.edit(add(1))
    desk.edit(add(2), by=desk.ben)
    head = desk.head
    with pytest.raises(HistoryExhausted, match="1 of your gestures"):
        desk.undo(2)
    with pytest.raises(HistoryExhausted):
        desk.redo()
    assert desk.head == head


def test_a_saved_document_and_a_deletion_are_gestures_too(desk):
    desk.save(boxes(1, 2), status="LABELED", score=0.5)
    desk.save(boxes(2, 3))
    desk.delete()
    before = desk.state
    desk.undo()
    assert ids(desk) == [2, 3] and desk.state.status == "LABELED" and desk.state.exists and not before.exists
    desk.undo()
    assert ids(desk) == [1, 2]
    desk.undo()
    assert not desk.state.exists
    desk.redo(3)
    assert not desk.state.exists
    desk.undo(2)
    assert ids(desk) == [1, 2] and desk.state.score == 0.5


def test_pixels_are_taken_back(easel):
    easel.save({"annotations": [{"id": 1, "category_id": 1}], "segmentation_bitmap": easel.bitmap("110", "000")})
    easel.save({"annotations": [{"id": 1, "category_id": 1}, {"id": 2, "category_id": 1}],
                "segmentation_bitmap": easel.bitmap("122", "022")})  # fmt: skip
    version = easel.version
    easel.undo()
    assert easel.pixels() == ["110", "000"] and ids(easel) == [1]
    assert easel.names(version)[:2] == ["GestureUndone", "BitmapPatched"]
    easel.redo()
    assert easel.pixels() == ["122", "022"] and ids(easel) == [1, 2]


def test_an_accepted_label_is_reopened_by_a_labelers_undo_or_it_is_refused(make_desk):
    for setting, status in (("reopen", "LABELING_IN_PROGRESS"), ("refuse", None), ("allow", "REVIEWED")):
        desk = make_desk(accepted_label_edits=setting)
        desk.edit(add(1), by=desk.ben)
        desk.edit(move(1, 10), by=desk.ben)
        desk.edit({"op": "set_status", "verb": "accept"})
        if status is None:
            with pytest.raises(Refused):
                desk.undo(by=desk.ben)
        else:
            desk.undo(by=desk.ben)
            assert (x_of(desk), desk.state.status) == (1, status)


def test_a_labeler_does_not_bring_an_acceptance_back(desk):
    desk.edit(add(1), by=desk.ben)
    desk.edit({"op": "set_status", "verb": "accept"})
    desk.edit(move(1, 10), by=desk.ben)
    assert desk.state.status == "LABELING_IN_PROGRESS"
    undone = desk.undo(by=desk.ben)
    assert (x_of(desk), desk.state.status, undone.report["kept"]) == (1, "LABELING_IN_PROGRESS", ["status"])


def test_somebody_who_may_not_label_undoes_nothing(desk, person):
    desk.edit(add(1))
    viewer = person(f"vera-{uuid.uuid4().hex[:6]}")
    datasets.add_member(intent=desk.intent(desk.ana), dataset=desk.dataset, person=viewer.id, role="viewer")
    with pytest.raises(NotPermitted):
        desk.undo(by=viewer)


def test_if_match_lets_through_what_others_did_elsewhere_and_no_more(desk):
    desk.edit(add(1))
    desk.edit(add(2))
    desk.edit(move(2, 10))
    version = desk.version
    desk.edit(move(1, 30), by=desk.ben)
    desk.undo(version=version)
    assert (x_of(desk, 1), x_of(desk, 2)) == (30, 1)
    version = desk.version
    desk.edit({"op": "set_status", "verb": "submit"}, by=desk.ben)
    with pytest.raises(Conflict):
        desk.redo(version=version)


def test_a_retry_gets_the_first_answer(desk):
    desk.edit(add(1))
    desk.edit(move(1, 10))
    intent = desk.intent(desk.ana, request_hash=b"x")
    first, again = (desk.undo(intent=intent) for _ in range(2))
    assert first.report == again.report and first.offset == again.offset == desk.head
    assert x_of(desk) == 1 and len(desk.names()) == 5


def test_who_was_slower_decides_again_on_the_new_state(desk, monkeypatch):
    desk.edit(add(1))
    desk.edit(move(1, 10))
    attempts = []

    def slower(*args: Any, **keywords: Any) -> Any:
        attempts.append(1)
        if len(attempts) == 1:
            desk.edit(add(2), by=desk.ben)
        return append_to_label(*args, **keywords)

    monkeypatch.setattr(undo, "append_to_label", slower)
    desk.undo()
    assert len(attempts) == 2 and x_of(desk) == 1 and ids(desk) == [1, 2]


@few
@given(data=st.data())
def test_undoing_any_last_gestures_gives_the_label_before_them(make_desk_once, sample, data):
    desk = make_desk_once
    desk.sample = sample(desk.dataset, desk.ana)
    lived: list[JSON] = [{}]
    for _ in range(data.draw(st.integers(1, 4))):
        before = desk.state.version
        why = desk.intent(desk.ana, reason="to see it undone")  # a status set by hand asks for one
        desk.edit(*Names().fresh(data.draw(make.edit_lists(desk.state))), intent=why)
        if desk.state.version > before:
            lived.append(content(desk.state))
    count = data.draw(st.integers(0, len(lived) - 1))
    if count:
        desk.undo(count)
    assert values.same(content(desk.state), lived[-1 - count])
    if count:
        desk.redo(count)
    assert values.same(content(desk.state), lived[-1])
    assert verify_log(desk.dataset) == []


@pytest.fixture
def make_desk_once(make_desk):
    return make_desk()
