"""Categories, attributes and skeletons: which facts lead from one document to another, and what they do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import events as e
from labeling.log import values
from labeling.rules.protocol.task_attributes import check_task_attributes
from labeling.rules.task_attributes import differences, folded, merged

JSON = dict[str, Any]
CAR: JSON = {"id": 1, "name": "car", "color": [1, 2, 3]}
VAN: JSON = {"id": 2, "name": "van"}
TEXT = {"input_type": "text"}


def document(*categories: JSON, **more: Any) -> JSON:
    return {"format_version": "0.1", "categories": list(categories)} | more


def attribute(name: str, **more: Any) -> JSON:
    return {"name": name, **TEXT, **more}


@pytest.mark.parametrize(
    "before, after, facts",
    [
        ({}, {}, []),
        (document(CAR), document(CAR), []),
        ({}, {"categories": []}, [e.TaskAttributesChanged(changes={"categories": []})]),
        (
            {"categories": [CAR]}, {},
            [e.CategoryRemoved(id=1), e.TaskAttributesChanged(changes={}, removed=["categories"])],
        ),
        ({"categories": None}, {"categories": [CAR]}, [e.CategoryAdded(category=CAR)]),
        (document(CAR), document(CAR, VAN), [e.CategoryAdded(category=VAN)]),
        (document(CAR), document(VAN, CAR), [e.CategoryAdded(category=VAN), e.CategoriesReordered(order=[2, 1])]),
        (document(CAR, VAN), document(VAN), [e.CategoryRemoved(id=1)]),
        (document(CAR), document(CAR | {"name": "auto"}), [e.CategoryRenamed(id=1, name="auto")]),
        (document(CAR), document(CAR | {"color": None}), [e.CategoryRecolored(id=1, color=None)]),
        (document(VAN), document(VAN | {"color": [0, 0, 0]}), [e.CategoryRecolored(id=2, color=[0, 0, 0])]),
        (document(CAR), document({"id": 1, "name": "car"}), [e.CategoryChanged(id=1, changes={}, removed=["color"])]),
        (document(CAR), document(CAR | {"deprecated": True}), [e.CategoryDeprecated(id=1)]),
        (
            document(CAR | {"deprecated": True}), document(CAR | {"deprecated": False}),
            [e.CategoryChanged(id=1, changes={"deprecated": False})],
        ),
        (document(CAR, VAN), document(CAR, VAN | {"merged_into": 1}), [e.CategoryMerged(id=2, into=1)]),
        (
            document(CAR, VAN | {"merged_into": 1}), document(CAR, VAN),
            [e.CategoryChanged(id=2, changes={}, removed=["merged_into"])],
        ),
        (
            document(CAR), document(CAR | {"has_instances": True, "lock_position": "x"}),
            [e.CategoryChanged(id=1, changes={"has_instances": True, "lock_position": "x"})],
        ),
        (
            document(CAR), document(CAR | {"skeleton": {"points": ["a"]}}),
            [e.SkeletonDefined(category_id=1, skeleton={"points": ["a"]})],
        ),
        (
            document(CAR), document(CAR | {"attributes": [attribute("colour")]}),
            [e.AttributeDefined(category_id=1, attribute=attribute("colour"))],
        ),
        (
            document(CAR | {"attributes": [attribute("colour")]}), document(CAR | {"attributes": [attribute("color")]}),
            [e.AttributeChanged(category_id=1, name="colour", attribute=attribute("color"))],
        ),
        (
            document(CAR | {"attributes": [attribute("a"), attribute("b")]}),
            document(CAR | {"attributes": [attribute("b", is_mandatory=True)]}),
            [
                e.AttributeRemoved(category_id=1, name="a"),
                e.AttributeChanged(category_id=1, name="b", attribute=attribute("b", is_mandatory=True)),
            ],
        ),
        (
            document(image_attributes=[attribute("a"), attribute("b")]),
            document(image_attributes=[attribute("b"), attribute("a")]),
            [e.AttributesReordered(category_id=None, order=["b", "a"])],
        ),
        (
            document(image_attributes=[attribute("a")]), document(image_attributes=[]),
            [e.AttributeRemoved(category_id=None, name="a")],
        ),
        (
            document(CAR), document(CAR | {"attributes": [attribute("a"), attribute("a")]}),
            [e.CategoryChanged(id=1, changes={"attributes": [attribute("a"), attribute("a")]})],
        ),
        (
            document(), document(warning_rules=[{"name": "x"}], circle_radius=3),
            [e.TaskAttributesChanged(changes={"warning_rules": [{"name": "x"}], "circle_radius": 3})],
        ),
    ],
)  # fmt: skip
def test_what_changed_is_told_in_an_annotators_words(before, after, facts):
    assert differences(before, after) == facts
    assert values.same(folded(before, facts), after)


names = st.sampled_from(["", "a", "b", "colour", "ñandú"])
attributes = st.lists(
    st.fixed_dictionaries(
        {"name": names, "input_type": st.just("select"), "values": st.lists(names, max_size=2)},
        optional={"is_mandatory": st.none() | st.booleans(), "synced_across_sensors": st.none()},
    ),
    max_size=3,
)
maybe_attributes = st.none() | attributes
colours = st.none() | st.lists(st.integers(0, 255), min_size=3, max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> JSON:
    numbers = draw(st.lists(st.integers(-1, 4), unique=True, max_size=5))
    categories: list[JSON] = [
        {"id": number}
        | draw(
            st.fixed_dictionaries(
                {"name": names},
                optional={
                    "color": colours,
                    "has_instances": st.none() | st.booleans(),
                    "attributes": maybe_attributes,
                    "deprecated": st.none() | st.booleans(),
                    "skeleton": st.none() | st.just({"points": ["nose"]}) | st.just([]),
                    "merged_into": st.none(),
                    "lock": st.sampled_from([0, 0.5, False, None]),
                },
            )
        )
        for number in numbers
    ]
    for index, item in enumerate(categories[1:], 1):
        if draw(st.sampled_from([True, False])):
            item["merged_into"] = draw(st.sampled_from(numbers[:index]))
    found: JSON = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "format_version": names,
                "image_attributes": maybe_attributes,
                "extra": st.sampled_from([1, 1.5, True, None]),
            },
        )
    )
    if draw(st.booleans()):
        found["categories"] = categories
    return found


@given(documents(), documents())
def test_the_facts_lead_from_any_document_to_any_other_and_no_two_tell_the_same(before, after):
    check_task_attributes(before)
    check_task_attributes(after)
    facts = differences(before, after)
    assert values.same(folded(before, facts), after)
    assert differences(after, after) == []
    # The last resort tells nothing that there is a word for.
    for fact in facts:
        if isinstance(fact, e.TaskAttributesChanged):
            assert not fact.changes.get("categories")
        if isinstance(fact, e.CategoryChanged):
            assert not fact.changes.keys() & {"name", "id"}


def test_a_document_is_not_changed_in_place():
    before = document(CAR | {"attributes": [attribute("a")]})
    kept = values.parse(values.canonical(before))
    folded(before, differences(before, document(CAR | {"name": "auto", "attributes": [attribute("b")]}, VAN)))
    assert before == kept


@pytest.mark.parametrize(
    "into, read_as",
    [
        ({}, {}),
        ({2: 1}, {2: 1}),
        ({3: 2, 2: 1}, {2: 1, 3: 1}),
        ({1: 2, 2: 1}, {1: 2, 2: 1}),
        ({1: 1}, {}),
        ({1: None}, {}),
    ],
)
def test_a_merged_category_is_read_as_the_last_one_on_its_way(into, read_as):
    categories = [
        {"id": number, "name": "x"} | ({"merged_into": into[number]} if number in into else {}) for number in (1, 2, 3)
    ]
    assert merged({"categories": categories}) == read_as
