"""The datasheet over the API and in the admin."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

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
