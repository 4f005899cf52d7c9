"""The fold of a dataset: settings, categories, label sets and members, and the rows that come out."""

from __future__ import annotations

import copy
import uuid
from dataclasses import replace
from typing import Any

import pytest

from labeling import events as e
from labeling.log.event import Fact
from labeling.rules import dataset_state
from labeling.rules.dataset_state import GROUND_TRUTH, SETTINGS, DatasetState, LabelSetState, MemberState, difference
from labeling.rules.fold import NOW, Place
from tests.support.labels import ANA, AT, BEN, DATASET

JSON = dict[str, Any]
TRUTH, MODEL = (str(uuid.UUID(int=number, version=4)) for number in (31, 32))
CATEGORIES: list[JSON] = [
    {"id": 1, "name": "car", "color": [1, 2, 3], "attributes": [{"name": "colour", "input_type": "text"}]},
    {"id": 2, "name": "tree", "attributes": None},
]


def dataset(**changes: Any) -> DatasetState:
    """A dataset of version 1: a label set of each kind, Ana its admin and Ben a labeler."""
    state = DatasetState(
        id=DATASET,
        version=1,
        exists=True,
        owner=str(ANA),
        name="streets",
        task_type="vector",
        settings=dict(SETTINGS),
        task_attributes={"format_version": "0.1", "categories": CATEGORIES},
        created_by=ANA,
        created_at=AT,
        updated_at=AT,
        last_offset=4,
    )
    for key, name, kind in ((TRUTH, GROUND_TRUTH, GROUND_TRUTH), (MODEL, "model", "predictions")):
        state.label_sets[key] = LabelSetState(key, name, "", kind, None, False, ANA, AT, 2)
    for person, role in ((ANA, "admin"), (BEN, "labeler")):
        state.members[str(person)] = MemberState(str(person), role, AT, 3)
    return replace(state, **changes)


def after(state: DatasetState, *facts: Fact) -> DatasetState:
    state = replace(state, label_sets=dict(state.label_sets), members=dict(state.members))
    for fact in facts:
        dataset_state.evolve(state, fact, Place(BEN, AT, state.last_offset + 1, state.version + 1))
    return state


def test_a_dataset_begins_with_what_was_said_of_it():
    fact = e.DatasetCreated(owner=str(ANA), name="streets", task_type="vector", settings=SETTINGS, public=True)
    state = after(DatasetState(id=DATASET), fact)
    assert (state.exists, state.owner, state.name, state.public) == (True, str(ANA), "streets", True)
    assert (state.settings, state.category, state.metadata, state.created_by) == (SETTINGS, "other", {}, BEN)
    assert (state.version, state.last_offset) == (1, 1)


#: A fact, and the fields of the dataset that it changes.
CASES: list[tuple[Fact, JSON]] = [
    (e.DatasetSettingsChanged(changes={"name": "roads", "public": True}), {"name": "roads", "public": True}),
    (
        e.DatasetSettingsChanged(changes={"enable_ratings": True, "region_of_interest": {"x": 1}}),
        {"settings": SETTINGS | {"enable_ratings": True, "region_of_interest": {"x": 1}}},
    ),
    (e.DatasetDeleted(), {"exists": False}),
    (e.GuidelineSet(version=1, text="# Cars"), {}),
    (e.TaskAttributesSet(document={}), {"task_attributes": {}}),
    (
        e.TaskAttributesChanged(changes={"x": 1}, removed=["categories"]),
        {"task_attributes": {"format_version": "0.1", "x": 1}},
    ),
]
#: A fact, and the categories then.
CATEGORY_CASES: list[tuple[Fact, list[JSON]]] = [
    (e.CategoryAdded(category={"id": 3, "name": "x"}), [*CATEGORIES, {"id": 3, "name": "x"}]),
    (e.CategoryRenamed(id=1, name="auto"), [CATEGORIES[0] | {"name": "auto"}, CATEGORIES[1]]),
    (e.CategoryRenamed(id=9, name="auto"), CATEGORIES),
    (e.CategoryRecolored(id=1, color=None), [CATEGORIES[0] | {"color": None}, CATEGORIES[1]]),
    (e.CategoryDeprecated(id=2), [CATEGORIES[0], CATEGORIES[1] | {"deprecated": True}]),
    (e.CategoryMerged(id=2, into=1), [CATEGORIES[0], CATEGORIES[1] | {"merged_into": 1}]),
    (e.CategoryRemoved(id=1), [CATEGORIES[1]]),
    (e.CategoriesReordered(order=[2, 9]), [CATEGORIES[1], CATEGORIES[0]]),
    (
        e.CategoryChanged(id=1, changes={"has_instances": True}, removed=["color", "x"]),
        [
            {key: value for key, value in CATEGORIES[0].items() if key != "color"} | {"has_instances": True},
            CATEGORIES[1],
        ],
    ),
    (e.AttributeRemoved(category_id=1, name="colour"), [CATEGORIES[0] | {"attributes": []}, CATEGORIES[1]]),
    (e.AttributesReordered(category_id=1, order=["x", "colour"]), CATEGORIES),
    (
        e.AttributeDefined(category_id=2, attribute={"name": "kind"}),
        [CATEGORIES[0], CATEGORIES[1] | {"attributes": [{"name": "kind"}]}],
    ),
    (
        e.AttributeDefined(category_id=1, attribute={"name": "kind"}),
        [CATEGORIES[0] | {"attributes": [*CATEGORIES[0]["attributes"], {"name": "kind"}]}, CATEGORIES[1]],
    ),
    (
        e.AttributeChanged(category_id=1, name="colour", attribute={"name": "shade"}),
        [CATEGORIES[0] | {"attributes": [{"name": "shade"}]}, CATEGORIES[1]],
    ),
    (
        e.SkeletonDefined(category_id=1, skeleton={"edges": []}),
        [CATEGORIES[0] | {"skeleton": {"edges": []}}, CATEGORIES[1]],
    ),
]


@pytest.mark.parametrize("fact, changes", CASES, ids=lambda value: type(value).__name__)
def test_what_a_fact_does_to_the_dataset(fact, changes):
    before = dataset()
    state = after(before, fact)
    for name in (*dataset_state.FIELDS, "exists", "settings", "task_attributes", "owner", "created_by", "created_at"):
        assert getattr(state, name) == changes.get(name, getattr(before, name)), name
    assert (state.version, state.last_offset, state.updated_at) == (2, 5, AT)


@pytest.mark.parametrize("fact, categories", CATEGORY_CASES, ids=lambda value: type(value).__name__)
def test_what_a_fact_does_to_the_categories(fact, categories):
    before = dataset()
    kept = copy.deepcopy(before.task_attributes)
    state = after(before, fact)
    assert state.task_attributes == {"format_version": "0.1", "categories": categories}
    assert before.task_attributes == kept


@pytest.mark.parametrize("had", [{}, {"image_attributes": None}, {"image_attributes": [{"name": "weather", "x": 1}]}])
def test_attributes_of_the_whole_image(had):
    state = after(dataset(task_attributes=had), e.AttributeDefined(category_id=None, attribute={"name": "weather"}))
    assert state.task_attributes == {"image_attributes": [{"name": "weather"}]}


def test_categories_that_are_null_are_none():
    state = after(dataset(task_attributes={"categories": None}), e.CategoryAdded(category={"id": 1, "name": "a"}))
    assert state.task_attributes == {"categories": [{"id": 1, "name": "a"}]}


def test_label_sets_come_and_go_and_their_names_are_free_again():
    other = str(uuid.UUID(int=33))
    state = after(dataset(), e.LabelSetArchived(label_set=MODEL))
    assert state.label_set("model") is None and state.label_sets[MODEL].archived
    state = after(state, e.LabelSetCreated(label_set=other, name="model", description="d", kind="opinion", base=TRUTH))
    found = state.label_set("model")
    assert found == LabelSetState(other, "model", "d", "opinion", TRUTH, False, BEN, AT, 6)


def test_members_join_change_and_leave():
    cat = str(uuid.UUID(int=13))
    state = after(dataset(), e.MemberAdded(person=cat, role="viewer"))
    assert state.members[cat] == MemberState(cat, "viewer", AT, 5)
    state = after(state, e.MemberRoleChanged(person=cat, role="reviewer"), e.MemberRemoved(person=str(BEN)))
    assert {person: member.role for person, member in state.members.items()} == {str(ANA): "admin", cat: "reviewer"}


def test_a_fact_of_something_else_is_refused():
    with pytest.raises(TypeError, match="LabelDeleted"):
        after(dataset(), e.LabelDeleted())


def test_every_fact_of_a_dataset_is_in_one_of_the_tables_or_a_test_of_its_own():
    own = {e.DatasetCreated, e.LabelSetCreated, e.LabelSetArchived, e.MemberAdded, e.MemberRoleChanged, e.MemberRemoved}
    own.add(e.DatasheetSet)  # tests/labeling/api/test_datasheets.py
    assert {type(fact) for fact, _ in (*CASES, *CATEGORY_CASES)} | own == set(e.DATASET_EVENTS)


# --- rows ----------------------------------------------------------------------------------------------------------


def test_only_what_changed_is_written():
    before = dataset()
    rows = difference(before, after(before, e.DatasetSettingsChanged(changes={"name": "roads"})))
    assert list(rows.put) == ["labeling_dataset"] and rows.out == {}
    (row,) = rows.put["labeling_dataset"]
    assert (row["name"], row["version"], row["deleted"], row["owner_id"]) == ("roads", 2, False, str(ANA))


def test_rows_of_members_and_label_sets():
    before = dataset()
    state = after(
        before,
        e.MemberRoleChanged(person=str(BEN), role="admin"),
        e.MemberRemoved(person=str(ANA)),
        e.LabelSetArchived(label_set=MODEL),
    )
    rows = difference(before, state)
    assert [(row["person_id"], row["role"]) for row in rows.put["labeling_member"]] == [(str(BEN), "admin")]
    assert [(row["id"], row["archived"]) for row in rows.put["labeling_labelset"]] == [(MODEL, True)]
    assert rows.out == {"labeling_member": [str(dataset_state.member_id(DATASET, str(ANA)))]}


def test_a_member_who_left_and_came_back_has_the_row_of_before():
    before = dataset()
    state = after(before, e.MemberRemoved(person=str(BEN)), e.MemberAdded(person=str(BEN), role="viewer"))
    rows = difference(before, state)
    assert [row["id"] for row in rows.put["labeling_member"]] == [dataset_state.member_id(DATASET, str(BEN))]
    assert rows.out == {}


def test_a_fact_that_is_not_stored_yet_has_the_time_and_place_of_its_append():
    state = replace(dataset())
    dataset_state.evolve(state, e.DatasetDeleted(), Place(BEN, NOW, 0, 2))
    row = dataset_state.dataset_row(state)
    assert (row["updated_at"], row["last_offset"], row["deleted"]) == ("infinity", 0, True)
