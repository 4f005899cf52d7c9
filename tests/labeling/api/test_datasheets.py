"""The datasheet over the API and in the admin."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from labeling.commands.datasheets import set_datasheet
from labeling.log import store
from labeling.log.event import Intent
from labeling.queries.datasheets import datasheet_of, text_of
from tests.labeling.admin.world import make_world


def test_it_is_read_and_changed_field_by_field(street: Any) -> None:
    path = f"{street.path}/datasheet/"
    empty = street.ana.get(path)
    assert empty.status == 200 and "motivation" in empty.json["missing"] and "privacy" not in empty.json["missing"]
    before = street.head
    answer = street.ana.patch(path, {"motivation": "Cars.", "gaps": "Night."})
    assert answer.status == 200 and "motivation" not in answer.json["missing"]
    (field,) = (item for item in answer.json["fields"] if item["field"] == "motivation")
    assert (field["text"], field["set_by"], field["offset"]) == ("Cars.", street.ana.person.username, street.head)
    assert street.ana.patch(path, {"gaps": None}).status == 200
    assert "gaps" in street.ana.get(path).json["missing"]
    assert street.ana.get(f"{path}?at={before}").json == empty.json
    assert "gaps" not in street.ana.get(f"{path}?at={before + 1}").json["missing"]
    assert street.ben.get(path).status == 200 and street.ben.patch(path, {"gaps": "x"}).status == 403
    for body, named in (({}, "body"), ({"other": "x"}, "body"), ({"gaps": 7}, "gaps")):
        refused = street.ana.patch(path, body)
        assert (refused.status, refused.json["field"]) == (400, named)
    sentences = [entry["sentence"] for entry in street.ana.get(f"{street.path}/history/?type=DatasheetSet").json]
    assert sentences[0].endswith("said in the datasheet: gaps and motivation")


def test_the_page_of_the_admin_shows_and_sets_it(db: Any) -> None:
    world = make_world()
    page = reverse("admin:labeling_dataset_datasheet", args=[world.dataset])
    text = world.admin.get(page).content.decode()
    assert "required fields missing" in text and "For what purpose was the dataset made" in text
    assert world.admin.post(page, {"motivation": "Finding <cars>.\r\nYes."}).status_code == 302
    text = world.admin.get(page).content.decode()
    assert "Finding &lt;cars&gt;.\nYes." in text and "Said by anke" in text
    assert world.admin.post(page, {"motivation": "x" * 20_001}).status_code == 400


def test_two_who_have_the_page_open_do_not_take_each_others_words_away(db: Any) -> None:
    world = make_world()
    page = reverse("admin:labeling_dataset_datasheet", args=[world.dataset])

    def sent(**fields: str) -> dict[str, str]:
        """A page as it is open now, with these fields changed, as a browser sends it."""
        shown = world.admin.get(page).context
        return {item["name"]: item["text"] for item in shown["fields"]} | {"seen": str(shown["seen"])} | fields

    def said() -> dict[str, str]:
        return {name: text_of(event, name) for name, event in datasheet_of(world.dataset).items()}

    set_datasheet(
        intent=Intent(author=world.edda.id), dataset=world.dataset, changes={"gaps": "Day.\r\nAll of it.", "bias": "?"}
    )
    mine, theirs = sent(motivation="Finding cars."), sent(gaps="Night.", bias="")
    assert world.clients["edda"].post(page, theirs).status_code == 302
    assert world.admin.post(page, mine).status_code == 302
    assert said() == {"gaps": "Night.", "motivation": "Finding cars."}

    mine, theirs = sent(gaps="Fog.", licence="CC0"), sent(gaps="Night and rain.", privacy="None.")
    assert world.clients["edda"].post(page, theirs).status_code == 302
    head = store.head(world.dataset)
    refused = world.admin.post(page, mine)
    text = refused.content.decode()
    assert refused.status_code == 400 and store.head(world.dataset) == head
    assert "since you read it: gaps." in text and "Meanwhile it says: Night and rain." in text
    assert ">Fog.</textarea>" in text and ">None.</textarea>" in text
    again = {item["name"]: item["text"] for item in refused.context["fields"]} | {"seen": refused.context["seen"]}
    assert world.admin.post(page, again).status_code == 302
    assert said() == {"gaps": "Fog.", "motivation": "Finding cars.", "licence": "CC0", "privacy": "None."}
    head = store.head(world.dataset)
    assert world.admin.post(page, sent()).status_code == 302 and store.head(world.dataset) == head


def test_a_text_with_nul_is_refused_at_the_page(db: Any) -> None:
    world = make_world()
    page = reverse("admin:labeling_dataset_datasheet", args=[world.dataset])
    answer = world.admin.post(page, {"gaps": "a\0b"})
    assert answer.status_code == 400 and "NUL" in answer.content.decode()
