"""Categories and attributes in forms: only what was changed goes into the document, all else stays as it is."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.urls import reverse

from labeling.admin import categories
from labeling.commands import datasets
from labeling.log.event import Intent
from labeling.models import Dataset
from tests.labeling.admin.markup import refused
from tests.labeling.admin.world import World

DOCUMENT = {
    "format_version": "0.1",
    "vendor": {"kept": [1, 2.5]},
    "categories": [
        {
            "id": 7,
            "name": "car",
            "color": [200, 30, 30, 128],
            "has_instances": True,
            "mine": "kept",
            "attributes": [
                {"name": "brand", "input_type": "text", "default_value": "", "strange": 1},
                {"name": "doors", "input_type": "select", "values": ["2", "4"], "default_value": "4"},
            ],
        },
        {"id": 3, "name": "tree"},
        {"id": 5, "name": "bush", "deprecated": True},
    ],
    "image_attributes": [{"name": "wet", "input_type": "checkbox", "is_mandatory": True}],
}


@pytest.fixture
def document(world: World) -> dict[str, Any]:
    change(world, DOCUMENT)
    return DOCUMENT


def change(world: World, document: Any) -> None:
    intent = Intent(author=world.edda.id)
    datasets.change_dataset(intent=intent, dataset=world.dataset, changes={}, task_attributes=document)


def stored(world: World) -> dict[str, Any]:
    return Dataset.objects.get(id=world.dataset).task_attributes


def table(world: World) -> str:
    return reverse("admin:labeling_dataset_categories", args=[world.dataset])


def of(world: World, category: str) -> str:
    return reverse("admin:labeling_dataset_attributes", args=[world.dataset, category])


def sent(page: Any, **changes: Any) -> dict[str, Any]:
    """What a browser sends from a page of forms on which somebody changed some fields."""
    found: dict[str, Any] = {"seen": page.context["dataset"].version}
    forms = [page.context["rows"].management_form, *page.context["rows"]]
    forms += [page.context["skeleton"]] if page.context.get("skeleton") else []
    for form in forms:
        for field in form:
            value = field.value()
            if value is not None and value is not False and not field.field.disabled:
                found[field.html_name] = "on" if value is True else value
    return {key: value for key, value in (found | changes).items() if value is not None}


def save(world: World, address: str, client: Any = None, **changes: Any) -> Any:
    client = client or world.admin
    return client.post(address, sent(client.get(address), **changes))


def facts(world: World, address: str, **changes: Any) -> list[tuple[str, Any]]:
    """What saving with these changes appended."""
    answers: list[Any] = []
    events = world.new_events(lambda: answers.append(save(world, address, **changes)))
    assert answers[0].status_code == 302, (
        answers[0].context["problems"],
        answers[0].context["rows"].errors,
        answers[0].context["rows"].non_form_errors(),
    )
    assert {(event.intent.author, event.intent.tool) for event in events} <= {(world.anke.id, "admin")}
    return [(event.type, event.data) for event in events]


# --- the table -------------------------------------------------------------------------------------------------------


def test_a_dataset_without_categories_has_only_empty_rows(world: World) -> None:
    change(world, {})

    page = world.admin.get(table(world))

    assert len(page.context["rows"]) == categories.NEW_ROWS
    assert facts(world, table(world)) == []
    assert [name for name, _ in facts(world, table(world), **{"categories-0-name": "car"})] == ["CategoryAdded"]
    assert stored(world)["categories"][0] | {"color": []} == {"id": 1, "name": "car", "color": []}


def test_a_table_that_is_saved_as_it_was_appends_nothing(world: World, document: Any) -> None:
    page = world.admin.get(table(world))

    assert refused(page.content.decode()) == []
    assert facts(world, table(world)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"0-name": "motor car"}, [("CategoryRenamed", {"id": 7, "name": "motor car"})]),
        ({"0-color": "#0a0b0c"}, [("CategoryRecolored", {"id": 7, "color": [10, 11, 12, 128]})]),
        ({"1-color": "#0a0b0c"}, [("CategoryRecolored", {"id": 3, "color": [10, 11, 12]})]),
        ({"1-deprecated": "on"}, [("CategoryDeprecated", {"id": 3})]),
        ({"2-deprecated": None}, [("CategoryChanged", {"id": 5, "changes": {}, "removed": ["deprecated"]})]),
        ({"1-merged_into": "7"}, [("CategoryMerged", {"id": 3, "into": 7})]),
        ({"1-has_instances": "on"}, [("CategoryChanged", {"id": 3, "changes": {"has_instances": True}})]),
        ({"0-has_instances": None}, [("CategoryChanged", {"id": 7, "changes": {"has_instances": False}})]),
        ({"2-ORDER": "1"}, [("CategoriesReordered", {"order": [5, 7, 3]})]),
        ({"0-ORDER": "2"}, [("CategoriesReordered", {"order": [3, 7, 5]})]),
        ({"0-ORDER": "3"}, [("CategoriesReordered", {"order": [3, 5, 7]})]),
    ],
)
def test_each_change_is_its_event_and_nothing_else_moves(
    world: World, document: Any, changes: Any, expected: Any
) -> None:
    assert facts(world, table(world), **{f"categories-{key}": value for key, value in changes.items()}) == expected
    now = stored(world)
    assert (now["vendor"], now["format_version"]) == (document["vendor"], document["format_version"])
    assert next(item for item in now["categories"] if item["id"] == 7)["mine"] == "kept"


def test_new_categories_get_the_next_ids_or_their_own(world: World, document: Any) -> None:
    changes = {"3-name": "road", "4-name": "sky", "4-id": "40", "4-color": "#0000ff", "5-name": "sea"}

    said = facts(world, table(world), **{f"categories-{key}": value for key, value in changes.items()})

    assert [name for name, _ in said] == ["CategoryAdded"] * 3
    assert [(item["id"], item["name"]) for item in stored(world)["categories"][3:]] == [
        (8, "road"),
        (40, "sky"),
        (41, "sea"),
    ]
    assert stored(world)["categories"][4]["color"] == [0, 0, 255]


@pytest.mark.parametrize(
    ("changes", "row", "field"),
    [
        ({"0-name": ""}, 0, "name"),
        ({"1-color": "red"}, 1, "color"),
        ({"0-merged_into": "99"}, 0, "merged_into"),
        ({"0-merged_into": "3", "1-merged_into": "7"}, 0, "merged_into"),
        ({"3-id": "7", "3-name": "again"}, 3, "id"),
        ({"3-id": "-1", "3-name": "again"}, 3, "id"),
        ({"3-color": "#123456"}, 3, "name"),
    ],
)
def test_what_does_not_fit_is_said_in_its_row_and_stores_nothing(
    world: World, document: Any, changes: Any, row: int, field: str
) -> None:
    answers: list[Any] = []
    said = {f"categories-{key}": value for key, value in changes.items()}

    events = world.new_events(lambda: answers.append(save(world, table(world), **said)))

    assert events == []
    assert answers[0].status_code == 200
    assert [list(form.errors) for form in answers[0].context["rows"]][row] == [field]


def test_an_outdated_table_is_not_saved_and_shows_what_is_there_now(world: World, document: Any) -> None:
    old = sent(world.admin.get(table(world)), **{"categories-0-name": "lorry"})
    change(world, DOCUMENT | {"categories": DOCUMENT["categories"][:2]})  # type: ignore[index]
    answers: list[Any] = []

    assert world.new_events(lambda: answers.append(world.admin.post(table(world), old))) == []

    html = answers[0].content.decode()
    assert "Somebody changed this" in html
    assert "lorry" not in html
    assert "bush" not in html


def test_many_categories_are_shown_a_page_at_a_time_and_those_of_other_pages_stay(world: World) -> None:
    many = [{"id": number, "name": f"c{number}"} for number in range(1, 251)]
    change(world, {"categories": many})
    second = f"{table(world)}?page=2"

    said = facts(world, second, **{"categories-0-name": "renamed", "categories-1-merged_into": "250"})

    assert said == [
        ("CategoryRenamed", {"id": 101, "name": "renamed"}),
        ("CategoryMerged", {"id": 102, "into": 250}),
    ]
    assert len(stored(world)["categories"]) == 250


@pytest.mark.parametrize("role", [None, "viewer", "labeler", "reviewer", "manager"])
def test_who_may_not_change_the_dataset_reads_its_categories_at_the_most(
    world: World, document: Any, role: str | None
) -> None:
    client = world.clients["maja"]
    if role is not None:
        intent = Intent(author=world.edda.id)
        datasets.add_member(intent=intent, dataset=world.dataset, person=world.maja.id, role=role)
    said = sent(world.admin.get(table(world)), **{"categories-0-name": "x"})

    def act() -> None:
        for address in (table(world), of(world, "7"), of(world, "image")):
            page = client.get(address)
            assert page.status_code == (404 if role is None else 200)
            assert client.post(address, said).status_code == (404 if role is None else 403)
            assert role is None or 'type="submit" class="default"' not in page.content.decode()

    assert world.new_events(act) == []


# --- attributes and skeletons ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", ["7", "3", "image"])
def test_attributes_that_are_saved_as_they_were_append_nothing(world: World, document: Any, category: str) -> None:
    assert refused(world.admin.get(of(world, category)).content.decode()) == []
    assert facts(world, of(world, category)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"0-name": "maker"},
            [("AttributeChanged", "brand", {"name": "maker", "input_type": "text", "default_value": "", "strange": 1})],
        ),
        (
            {"1-values": "2\r\n4\r\n\r\n 5 ", "1-default_value": "5"},
            [
                (
                    "AttributeChanged",
                    "doors",
                    {"name": "doors", "input_type": "select", "values": ["2", "4", "5"], "default_value": "5"},
                )
            ],
        ),
        (
            {"1-input_type": "number", "1-default_value": "4", "1-min": "0", "1-max": "8", "1-step": "0.5"},
            [
                (
                    "AttributeChanged",
                    "doors",
                    {"name": "doors", "input_type": "number", "default_value": 4, "min": 0, "max": 8, "step": 0.5},
                )
            ],
        ),
        (
            {"1-is_mandatory": "on", "1-is_track_level": "on"},
            [
                (
                    "AttributeChanged",
                    "doors",
                    {
                        "name": "doors",
                        "input_type": "select",
                        "values": ["2", "4"],
                        "default_value": "4",
                        "is_mandatory": True,
                        "is_track_level": True,
                    },
                )
            ],
        ),
        (
            {"2-name": "open", "2-input_type": "checkbox", "2-default_value": "false"},
            [("AttributeDefined", None, {"name": "open", "input_type": "checkbox", "default_value": False})],
        ),
        ({"0-DELETE": "on"}, [("AttributeRemoved", "brand", None)]),
        ({"1-ORDER": "1"}, [("AttributesReordered", None, None)]),
    ],
)
def test_attributes_are_changed_one_by_one(world: World, document: Any, changes: Any, expected: Any) -> None:
    said = facts(world, of(world, "7"), **{f"attributes-{key}": value for key, value in changes.items()})

    assert [(name, data.get("name"), data.get("attribute")) for name, data in said] == expected
    assert {data["category_id"] for _, data in said} == {7}


def test_attributes_of_the_whole_image_are_made_and_taken_away(world: World, document: Any) -> None:
    made = facts(world, of(world, "image"), **{"attributes-1-name": "sky", "attributes-1-input_type": "text"})
    gone = facts(world, of(world, "image"), **{"attributes-0-DELETE": "on"})

    assert [name for name, _ in made + gone] == ["AttributeDefined", "AttributeRemoved"]
    assert stored(world)["image_attributes"] == [{"name": "sky", "input_type": "text"}]
    assert stored(world)["categories"] == document["categories"]


@pytest.mark.parametrize(
    ("changes", "row", "field"),
    [
        ({"1-values": ""}, 1, "values"),
        ({"1-default_value": "6"}, 1, "default_value"),
        ({"1-values": "2\n3"}, 1, "default_value"),
        ({"0-name": ""}, 0, "name"),
        ({"0-input_type": "nonsense"}, 0, "input_type"),
        ({"0-input_type": "number", "0-max": "many"}, 0, "max"),
        ({"0-input_type": "number", "0-max": "1e400"}, 0, "max"),
        ({"0-input_type": "number", "0-default_value": "nan"}, 0, "default_value"),
        ({"0-input_type": "checkbox", "0-default_value": "maybe"}, 0, "default_value"),
        ({"0-input_type": "select"}, 0, "values"),
    ],
)
def test_an_attribute_that_does_not_fit_is_said_at_its_field(
    world: World, document: Any, changes: Any, row: int, field: str
) -> None:
    answers: list[Any] = []
    said = {f"attributes-{key}": value for key, value in changes.items()}

    events = world.new_events(lambda: answers.append(save(world, of(world, "7"), **said)))

    assert (events, answers[0].status_code) == ([], 200)
    assert field in answers[0].context["rows"][row].errors


@pytest.mark.parametrize("category", ["99", "x", "-1"])
def test_a_category_that_is_not_there_has_no_page(world: World, document: Any, category: str) -> None:
    assert world.admin.get(of(world, category)).status_code == 404


@pytest.fixture
def people(world: World) -> str:
    """The address of a category whose objects are keypoints."""
    world.dataset = datasets.create_dataset(
        intent=Intent(author=world.edda.id),
        owner=world.edda.id,
        name="poses",
        task_type="keypoints",
        task_attributes={"categories": [{"id": 1, "name": "person"}]},
        changes={},
    )
    return of(world, "1")


def test_a_skeleton_is_points_in_their_order_and_the_edges_between_them(world: World, people: str) -> None:
    changes = {
        "skeleton-points": "nose\r\nleft eye\r\nright-eye",
        "skeleton-edges": "nose - left eye\nnose – right-eye",
    }

    said = facts(world, people, **changes)

    skeleton = {"points": ["nose", "left eye", "right-eye"], "edges": [[0, 1], [0, 2]]}
    assert said == [("SkeletonDefined", {"category_id": 1, "skeleton": skeleton})]
    assert facts(world, people) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"points": "a\na"}, "points"),
        ({"points": "a\nb", "edges": "a"}, "edges"),
        ({"points": "a\nb", "edges": "a - c"}, "edges"),
        ({"points": "a\nb", "edges": "a - a"}, "edges"),
        ({"points": "a\nb", "edges": "a - b - a"}, "edges"),
    ],
)
def test_a_skeleton_that_does_not_fit_is_said_at_its_field(world: World, people: str, changes: Any, field: str) -> None:
    answers: list[Any] = []
    said = {f"skeleton-{key}": value for key, value in changes.items()}

    assert world.new_events(lambda: answers.append(save(world, people, **said))) == []
    assert list(answers[0].context["skeleton"].errors) == [field]


def test_a_skeleton_of_another_shape_is_left_alone(world: World, people: str) -> None:
    strange = {"keypoints": ["nose"], "skeleton": [[1, 2]]}
    change(world, {"categories": [{"id": 1, "name": "person", "skeleton": {"points": {}, **strange}}]})

    page = world.admin.get(people)

    assert "of another shape" in page.content.decode()
    assert [
        name for name, _ in facts(world, people, **{"attributes-0-name": "age", "attributes-0-input_type": "text"})
    ] == ["AttributeDefined"]
    assert stored(world)["categories"][0]["skeleton"] == {"points": {}, **strange}


def test_an_attribute_page_of_another_dataset_is_not_found(world: World) -> None:
    assert world.admin.get(reverse("admin:labeling_dataset_categories", args=[uuid.uuid4()])).status_code == 404
