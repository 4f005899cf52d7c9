"""The fold of a label: what each fact does to the header and the annotations, and the rows that come out."""

from __future__ import annotations

import copy
import uuid

import pytest

from labeling import events as e
from labeling.rules import label_state
from labeling.rules.fold import NOW, Place
from labeling.rules.label_ids import annotation_key, annotation_key_bytes
from labeling.rules.label_state import difference
from tests.support.labels import (
    ANA,
    AT,
    BEN,
    BIG_BOX,
    BOX,
    KEYPOINTS,
    ORIENTATION,
    after,
    annotation,
    key,
    label,
    no_label,
)

MASK = {"url": "/media/x/m.png", "hash": "ab", "width": 2, "height": 1}
FULL = annotation(
    1,
    attributes={"a": 1, "b": 2},
    keypoints=KEYPOINTS,
    orientation=ORIENTATION,
    score=0.5,
    origin={"kind": "model"},
    extra={"x": 1},
    links=[{"to": key(2), "attributes": {}}],
)

#: A fact about the annotation FULL, and the fields that it changes (None: gone).
ANNOTATION_CASES = [
    (e.AnnotationGeometrySet(annotation=key(1), geometry=BIG_BOX), {"geometry": BIG_BOX}),
    (e.AnnotationPolygonized(annotation=key(1), geometry=BIG_BOX, tolerance_px=1.0), {"geometry": BIG_BOX}),
    (e.AnnotationFitted(annotation=key(1), geometry=BIG_BOX), {"geometry": BIG_BOX}),
    (e.AnnotationCategorySet(annotation=key(1), category_id=7), {"category_id": 7}),
    (
        e.AnnotationAttributesSet(annotation=key(1), attributes={"b": 3, "c": 4}),
        {"attributes": {"a": 1, "b": 3, "c": 4}},
    ),
    (e.AnnotationAttributesCleared(annotation=key(1), names=["a", "z"]), {"attributes": {"b": 2}}),
    (e.AnnotationAttributesCleared(annotation=key(1), names=["a", "b"]), {"attributes": {}}),
    (e.AnnotationAttributesCleared(annotation=key(1), names=["a", "b"], all=True), {"attributes": None}),
    (e.AnnotationKeypointsSet(annotation=key(1), keypoints=[]), {"keypoints": []}),
    (e.AnnotationKeypointsCleared(annotation=key(1)), {"keypoints": None}),
    (e.AnnotationOrientationSet(annotation=key(1), orientation={"yaw_deg": 9}), {"orientation": {"yaw_deg": 9}}),
    (e.AnnotationOrientationCleared(annotation=key(1)), {"orientation": None}),
    (e.AnnotationOrderChanged(annotation=key(1), order=-2.5), {"order": -2.5}),
    (e.AnnotationScoreSet(annotation=key(1), score=0.0), {"score": 0.0}),
    (e.AnnotationScoreSet(annotation=key(1), score=None), {"score": None}),
    (e.AnnotationOriginSet(annotation=key(1), origin={"kind": "import"}), {"origin": {"kind": "import"}}),
    (e.AnnotationOriginSet(annotation=key(1), origin=None), {"origin": None}),
    (e.AnnotationExtraSet(annotation=key(1), extra={"y": 2}), {"extra": {"y": 2}}),
    (e.AnnotationExtraSet(annotation=key(1), extra=None), {"extra": None}),
    (
        e.AnnotationLinkAdded(annotation=key(1), to=key(3), attributes={"k": 1}),
        {"links": [{"to": key(2), "attributes": {}}, {"to": key(3), "attributes": {"k": 1}}]},
    ),
    (
        e.AnnotationLinkAdded(annotation=key(1), to=key(2), attributes={"k": 1}),
        {"links": [{"to": key(2), "attributes": {"k": 1}}]},
    ),
    (e.AnnotationLinkRemoved(annotation=key(1), to=key(2)), {"links": None}),
    (e.AnnotationLinkRemoved(annotation=key(1), to=key(3)), {}),
    (
        e.AnnotationRasterized(annotation=key(1), geometry={"type": "bitmap"}, cleared={}),
        {"geometry": {"type": "bitmap"}, "attributes": None, "keypoints": None, "orientation": None},
    ),
]


@pytest.mark.parametrize("fact, changes", ANNOTATION_CASES, ids=lambda value: type(value).__name__)
def test_what_a_fact_does_to_its_annotation(fact, changes):
    before = label(FULL, annotation(2))
    state = after(before, fact)
    wanted = FULL | changes | {"version": 2, "by": str(BEN), "last_offset": 2}
    assert state.annotations[key(1)] == {name: value for name, value in wanted.items() if value is not None}
    assert state.annotations[key(2)] is before.annotations[key(2)]
    assert before.annotations[key(1)] is FULL


@pytest.mark.parametrize("fact, changes", ANNOTATION_CASES, ids=lambda value: type(value).__name__)
def test_a_fact_about_an_annotation_that_is_not_there_changes_only_the_header(fact, changes):
    state = after(label(annotation(2)), fact)
    assert state.annotations == {key(2): annotation(2)}
    assert (state.version, state.updated_by, state.last_offset) == (2, BEN, 2)


def test_no_category_is_a_category_that_can_be_set():
    state = after(label(FULL), e.AnnotationCategorySet(annotation=key(1), category_id=None))
    assert state.annotations[key(1)]["category_id"] is None


def test_an_added_annotation_has_just_what_was_said():
    fact = e.AnnotationAdded(annotation=key(5), id=50, category_id=None, geometry=BOX, order=3.5)
    item = after(label(), fact).annotations[key(5)]
    assert item == {
        "uuid": key(5), "id": 50, "category_id": None, "order": 3.5, "geometry": BOX, "version": 2, "by": str(BEN),
        "last_offset": 2,
    }  # fmt: skip


def test_numbers_that_were_used_once_are_remembered_when_the_annotation_is_gone():
    state = after(
        label(annotation(1)),
        e.AnnotationAdded(annotation=key(9), id=9, category_id=1, geometry=BOX, order=20.0),
        e.AnnotationRemoved(annotation=key(9)),
        e.AnnotationOrderChanged(annotation=key(1), order=30.0),
        e.AnnotationOrderChanged(annotation=key(1), order=2.0),
    )
    assert (state.last_id, state.last_order) == (9, 30.0)


#: A fact about the label, what the label had, and what it has then.
HEADER_CASES = [
    (e.LabelStatusChanged(before="PRELABELED", after="LABELED", verb="submit"), {}, {"status": "LABELED"}),
    (
        e.LabelStatusChanged(before="LABELED", after="REVIEWED", verb="accept"),
        {},
        {"status": "REVIEWED", "reviewed_by": BEN, "reviewed_at": AT},
    ),
    (
        e.LabelStatusChanged(before="LABELED", after="REJECTED", verb="reject"),
        {},
        {"status": "REJECTED", "reviewed_by": BEN, "reviewed_at": AT},
    ),
    (
        e.LabelStatusChanged(before="REVIEWED", after="VERIFIED", verb="verify"),
        {},
        {"status": "VERIFIED", "reviewed_by": BEN, "reviewed_at": AT},
    ),
    (e.LabelStatusChanged(before="LABELED", after="REVIEWED", verb="override"), {}, {"reviewed_by": None}),
    (e.GestureUndone(gesture=key(9)), {"score": 1.0}, {"score": 1.0}),
    (e.GestureRedone(gesture=key(9)), {"score": 1.0}, {"score": 1.0}),
    (e.LabelRestored(of={"kind": "label", "offset": 3}), {"score": 1.0}, {"score": 1.0}),
    (
        e.LabelHeaderRestored(
            fields={
                "score": 0.5,
                "scene": {"a": None},
                "classifications": [3, 2],
                "default_classification": 2,
                "document": {"x": 1},
                "mask": {"url": "https://example.org/a.png"},
                "created": [str(ANA), "2026-03-01T12:00:00+00:00"],
                "reviewed": None,
            }
        ),
        {"scene": {"b": 1}, "created_by": BEN, "reviewed_by": BEN, "reviewed_at": AT},
        {
            "score": 0.5,
            "scene": {"a": None},
            "classifications": [3, 2],
            "default_classification": 2,
            "document": {"x": 1},
            "mask": {"url": "https://example.org/a.png"},
            "created_by": ANA,
            "created_at": AT,
            "reviewed_by": None,
            "reviewed_at": None,
        },
    ),
    (e.LabelScoreSet(score=0.25), {}, {"score": 0.25}),
    (e.LabelScoreSet(score=None), {"score": 1.0}, {"score": None}),
    (e.SceneAttributesSet(scene={"a": 1, "b": None}), {"scene": {"b": 2, "c": 3}}, {"scene": {"a": 1, "c": 3}}),
    (e.ClassificationAssigned(category_id=4), {"classifications": [2]}, {"classifications": [2, 4]}),
    (e.ClassificationAssigned(category_id=2), {"classifications": [2]}, {"classifications": [2]}),
    (e.ClassificationRemoved(category_id=2), {"classifications": [2, 4]}, {"classifications": [4]}),
    (e.DefaultClassificationSet(category_id=4), {}, {"default_classification": 4}),
    (e.DefaultClassificationSet(category_id=None), {"default_classification": 4}, {"default_classification": None}),
    (e.BitmapPatched(base_hash=None, mask=MASK, changed=[]), {}, {"mask": MASK}),
    (e.MaskImported(source={}, segments=[]), {}, {}),
    (e.LabelDocumentSet(document={"frames": []}), {"document": {"x": 1}}, {"document": {"frames": []}}),
    (e.LabelImported(annotations=[]), {"status": "LABELED", "score": 1.0}, {"status": "LABELED", "score": 1.0}),
    (
        e.LabelImported(annotations=[], scene={"a": 1}, mask=MASK, status="PRELABELED", score=0.5),
        {"scene": {"b": 2}},
        {"scene": {"a": 1, "b": 2}, "mask": MASK, "status": "PRELABELED", "score": 0.5},
    ),
]


@pytest.mark.parametrize("fact, had, has", HEADER_CASES, ids=lambda value: type(value).__name__)
def test_what_a_fact_does_to_the_label(fact, had, has):
    state = after(label(FULL, **had), fact)
    for name, value in has.items():
        assert getattr(state, name) == value, name
    assert state.annotations == {key(1): FULL}


TRIANGLE: list[list[float]] = [[0, 0], [9, 0], [9, 9]]
DOTS = {"type": "bitmap", "rle": {"size": [2, 3], "counts": [1, 2, 3]}, "box_xyxy": [0, 0, 2, 2]}
#: (a fact, the geometry before, the geometry after)
RESHAPED = [
    (
        e.AnnotationVertexInserted(annotation=key(1), part=0, ring=0, after=2, point=[0, 9]),
        {"type": "polygon", "parts": [[TRIANGLE]]},
        {"type": "polygon", "parts": [[[*TRIANGLE, [0, 9]]]]},
    ),
    (
        e.AnnotationVertexMoved(annotation=key(1), part=0, ring=0, vertex=1, point=[8, 1]),
        {"type": "polyline", "parts": [TRIANGLE]},
        {"type": "polyline", "parts": [[[0, 0], [8, 1], [9, 9]]]},
    ),
    (
        e.AnnotationVertexRemoved(annotation=key(1), part=0, ring=0, vertex=1),
        {"type": "polyline", "parts": [TRIANGLE]},
        {"type": "polyline", "parts": [[[0, 0], [9, 9]]]},
    ),
    (
        e.AnnotationPartAdded(annotation=key(1), points=TRIANGLE),
        {"type": "polygon", "parts": [[TRIANGLE]]},
        {"type": "polygon", "parts": [[TRIANGLE], [TRIANGLE]]},
    ),
    (
        e.AnnotationHoleAdded(annotation=key(1), part=0, points=TRIANGLE),
        {"type": "polygon", "parts": [[TRIANGLE]]},
        {"type": "polygon", "parts": [[TRIANGLE, TRIANGLE]]},
    ),
    (
        e.AnnotationRingRemoved(annotation=key(1), part=0, ring=1),
        {"type": "polygon", "parts": [[TRIANGLE, TRIANGLE]]},
        {"type": "polygon", "parts": [[TRIANGLE]]},
    ),
    (
        e.AnnotationBitmapPatched(
            annotation=key(1), base_hash="a", hash="b",
            drawn={"size": [2, 3], "counts": [5, 1]}, erased={"size": [2, 3], "counts": [1, 1, 4]},
        ),
        DOTS,
        {"type": "bitmap", "rle": {"size": [2, 3], "counts": "2120"}, "box_xyxy": [1, 0, 3, 2]},
    ),
]  # fmt: skip


@pytest.mark.parametrize("fact, before, wanted", RESHAPED, ids=lambda value: type(value).__name__)
def test_a_fact_of_an_outline_or_a_bitmap_makes_a_geometry_of_the_one_before(fact, before, wanted):
    held = copy.deepcopy(before)
    state = after(label(annotation(1, geometry=before, attributes={"a": 1}), annotation(2)), fact)
    found = state.annotations[key(1)]
    assert found["geometry"] == wanted and before == held
    assert (found["attributes"], found["version"], found["by"]) == ({"a": 1}, 2, str(BEN))
    assert after(label(annotation(2)), fact).annotations.keys() == {key(2)}


def test_every_fact_of_a_label_is_in_one_of_the_tables_or_a_test_of_its_own():
    own = {e.AnnotationAdded, e.AnnotationRemoved, e.AnnotationRestored, e.LabelDeleted}
    tables = {type(fact) for fact, *_ in (*ANNOTATION_CASES, *HEADER_CASES)} | {type(fact) for fact, *_ in RESHAPED}
    assert tables | own == set(e.LABEL_EVENTS) == set(label_state.HANDLERS)


def test_what_is_restored_is_there_again_or_loses_what_it_had_not():
    fields = {name: value for name, value in FULL.items() if name not in ("uuid", "version", "by", "last_offset")}
    back = after(label(last_id=7), e.AnnotationRestored(annotation=key(1), fields=fields))
    assert back.annotations[key(1)] == FULL | {"version": 2, "by": str(BEN), "last_offset": 2}
    assert (back.last_id, back.last_order) == (7, 1.0)
    less = after(back, e.AnnotationRestored(annotation=key(1), fields={"id": 9}, cleared=["score", "links"]))
    assert less.annotations[key(1)].keys() == FULL.keys() - {"score", "links"}
    assert less.last_id == 9


@pytest.mark.parametrize("fact", [e.GestureUndone(gesture=key(9)), e.LabelRestored(of={})])
def test_a_heading_brings_no_label_about(fact):
    state = after(no_label(), fact)
    assert not state.exists and state.version == 1


def test_the_parts_of_an_import_add_up():
    item = {"annotation": key(1), "id": 1, "category_id": 1, "geometry": BOX, "order": 1.0}
    other = item | {"annotation": key(2), "id": 2, "order": 2.0}
    state = after(
        no_label(),
        e.LabelImported(annotations=[item], scene={"a": 1}, status="PRELABELED", part=1, parts=2),
        e.LabelImported(annotations=[other], part=2, parts=2),
    )
    assert [found["id"] for found in state.in_order()] == [1, 2]
    assert (state.scene, state.status, state.version) == ({"a": 1}, "PRELABELED", 2)
    assert [found["version"] for found in state.in_order()] == [1, 2]


def test_the_first_fact_makes_the_label_and_later_ones_do_not():
    state = after(no_label(), e.LabelScoreSet(score=1.0), author=ANA)
    assert (state.exists, state.created_by, state.created_at) == (True, ANA, AT)
    assert after(state, e.LabelScoreSet(score=2.0), author=BEN).created_by == ANA


def test_a_deleted_label_keeps_nothing_but_its_count_and_can_be_made_again():
    full = label(FULL, status="REVIEWED", score=1.0, scene={"a": 1}, classifications=[1], default_classification=1)
    full.mask, full.document, full.reviewed_by, full.reviewed_at = MASK, {}, ANA, AT
    gone = after(full, e.LabelDeleted())
    assert not gone.exists
    assert (gone.status, gone.score, gone.scene, gone.classifications, gone.default_classification) == (
        "UNLABELED", None, {}, [], None,
    )  # fmt: skip
    assert (gone.mask, gone.document, gone.annotations, gone.reviewed_by, gone.reviewed_at) == (
        None,
        None,
        {},
        None,
        None,
    )
    assert (gone.version, gone.last_id, gone.last_order) == (2, 1, 1.0)
    again = after(gone, e.LabelScoreSet(score=0.5))
    assert (again.exists, again.version, again.created_by) == (True, 3, BEN)


def test_annotations_come_from_bottom_to_top_and_by_id_where_the_order_is_the_same():
    state = label(annotation(3, order=1.0), annotation(2, order=5.0), annotation(1, order=1.0))
    assert [item["id"] for item in state.in_order()] == [1, 3, 2]


# --- rows ----------------------------------------------------------------------------------------------------------


def test_only_the_rows_of_changed_annotations_are_written():
    before = label(*(annotation(number) for number in range(1, 51)))
    state = after(
        before,
        e.AnnotationGeometrySet(annotation=key(7), geometry=BIG_BOX),
        e.AnnotationRemoved(annotation=key(8)),
        e.AnnotationAdded(annotation=key(99), id=99, category_id=1, geometry=BOX, order=99.0),
    )
    rows = difference(before, state)
    assert sorted(row["id"] for row in rows.put["labeling_annotation"]) == [7, 99]
    assert rows.out == {"labeling_annotation": [annotation_key(before.id.bytes, key(8))]}
    assert [row["id"] for row in rows.put["labeling_label"]] == [before.id]


def test_a_change_of_the_header_writes_no_annotation():
    before = label(annotation(1))
    rows = difference(before, after(before, e.LabelScoreSet(score=1.0)))
    assert list(rows.put) == ["labeling_label"] and rows.out == {}


def test_an_annotation_that_came_and_went_in_one_command_leaves_no_row():
    before = label()
    added = e.AnnotationAdded(annotation=key(1), id=1, category_id=1, geometry=BOX, order=1.0)
    rows = difference(before, after(before, added, e.AnnotationRemoved(annotation=key(1))))
    assert "labeling_annotation" not in rows.put and rows.out == {}


def test_the_same_annotation_in_two_labels_has_two_keys():
    one, other = uuid.UUID(int=1), uuid.UUID(int=2)
    assert annotation_key(one.bytes, key(1)) != annotation_key(other.bytes, key(1))
    for each in (uuid.uuid4() for _ in range(64)):
        assert annotation_key(one.bytes, str(each)) == str(uuid.uuid5(one, str(each)))
        assert annotation_key_bytes(one.bytes, str(each)) == uuid.uuid5(one, str(each)).bytes


def test_a_fact_that_is_not_stored_yet_has_the_time_and_place_of_its_append():
    state = label()
    label_state.evolve(state, e.LabelScoreSet(score=1.0), Place(BEN, NOW, 0, 2))
    row = label_state.rows(state)
    assert (row["updated_at"], row["last_offset"]) == ("infinity", 0)
