"""The datasheet: what people say of a dataset, with what the log says of it, as it was at a release."""

from __future__ import annotations

import json
import uuid
import zipfile
from typing import Any

import pytest

from labeling import events as e
from labeling.audit import writing
from labeling.audit.asking import ask
from labeling.audit.catalogue import reports
from labeling.audit.report import Question
from labeling.commands.datasheets import set_datasheet
from labeling.commands.guidelines import set_guideline
from labeling.errors import InvalidValue, NotPermitted
from labeling.log import store
from labeling.queries.datasheets import datasheet_of, text_of
from labeling.rules.datasheet import FIELDS
from releases.audit.bundle import Range, seal

JSON = dict[str, Any]


def say(story: Any, **changes: Any) -> list[str]:
    return set_datasheet(intent=story.intent(story.ana), dataset=story.id, changes=changes)


def rows(story: Any, name: str, part: str, **options: str) -> list[JSON]:
    asked = ask(reports("dataset")[name], story.id, Question(options=options))
    return [cells for of, cells in asked.rows if of == part]


def declared(story: Any, **options: str) -> dict[str, JSON]:
    return {row["field"]: row for row in rows(story, "datasheet", "declared", **options)}


def test_what_nobody_said_is_missing_and_what_was_said_is_told_with_who_and_when(story):
    assert [name for name, row in declared(story).items() if row["missing"]] == [
        name for name, field in FIELDS.items() if field.required
    ]
    assert say(story, motivation=" Finding cars.\n\nIn *our* street. ", licence="CC0") == ["motivation", "licence"]
    found = declared(story)
    assert found["motivation"]["text"] == "Finding cars.\n\nIn *our* street." and not found["motivation"]["missing"]
    assert found["licence"]["by"] == str(story.ana.id) and found["licence"]["said_offset"] == story.head
    assert say(story, motivation="Finding cars.\n\nIn *our* street.") == []  # said already: no event
    assert say(story, licence=None, gaps="Night.") == ["licence", "gaps"]
    assert declared(story)["licence"]["missing"] and text_of(datasheet_of(story.id)["gaps"], "gaps") == "Night."
    types = [event.type for event in store.read(story.id) if isinstance(event.fact, e.DatasheetSet)]
    assert len(types) == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [({}, "body"), (7, "body"), ({"x": "y"}, "body"), ({"gaps": 1}, "gaps"), ({"gaps": "x" * 20_001}, "gaps")],
)
def test_what_is_no_field_is_refused_by_its_name(story, changes, field):
    with pytest.raises(InvalidValue) as refused:
        set_datasheet(intent=story.intent(story.ana), dataset=story.id, changes=changes)
    assert refused.value.field == field


def test_only_who_may_change_the_dataset_says_something(story):
    with pytest.raises(NotPermitted):
        set_datasheet(intent=story.intent(story.ben), dataset=story.id, changes={"gaps": "x"})


def test_the_log_says_what_is_in_it_how_it_was_prepared_and_what_is_missing(story):
    story.add(story.ben)
    story.add(story.ben, 2, origin={"kind": "model", "model": "yolo"})
    story.edit(story.ben, {"op": "set_attributes", "annotation": keys(story)[1], "attributes": {"a": 1}})
    story.edit(story.ana, {"op": "remove", "annotation": keys(story)[1]})
    facts = {row["fact"]: row["value"] for row in rows(story, "datasheet", "composition")}
    assert (facts["samples"], facts["labels"], facts["objects"], facts["categories"]) == (2, 1, 1, 3)
    done = {(row["operation"], row["author_kind"]): row["times"] for row in rows(story, "datasheet", "operations")}
    assert done == {("annotation", "person"): 2, ("labelling", "person"): 1, ("cleaning", "person"): 1}
    limits = {row["limit"]: (row["count"], row["which"]) for row in rows(story, "datasheet", "limits")}
    assert limits["categories without an object"] == (2, "car, tree")
    assert limits["samples without a label"][0] == limits["labels that nobody accepted"][0] == 1
    assert limits["objects by programs that no person verified"][0] == 1
    assert {row["category_name"] for row in rows(story, "datasheet", "classes")} == {"car", "person", "tree"}
    people = rows(story, "datasheet", "people")
    assert {row["person"] for row in people} == {str(story.ana.id), str(story.ben.id)}


def keys(story: Any) -> dict[int, str]:
    from labeling.models import Annotation

    return {
        number: str(key) for number, key in Annotation.objects.filter(dataset_id=story.id).values_list("id", "uuid")
    }


def test_of_a_release_it_is_what_was_said_then_and_the_dossier_has_it_too(story, release):
    story.add(story.ben)
    set_guideline(intent=story.intent(story.ana), dataset=story.id, text="Tight boxes.")
    say(story, bias="Only by day.")
    made = release(story.id, story.ana, "v1")
    story.add(story.ben)
    say(story, bias="By night too.")
    assert declared(story)["bias"]["text"] == "By night too."
    assert declared(story, release="v1")["bias"]["text"] == "Only by day."
    facts = {row["fact"]: row["value"] for row in rows(story, "datasheet", "composition", release="v1")}
    assert facts["objects"] == 1
    (gone,) = rows(story, "datasheet", "distribution", release="v1")
    assert gone["name"] == "v1" and gone["downloads"] == gone["trainings"] == 0 and gone["samples"] == 2
    assert rows(story, "datasheet", "declared", release="v9") == []
    procedures = {row["subject"]: row for row in rows(story, "dossier", "procedures", release="v1")}
    assert procedures["bias"]["text"] == "Only by day." and procedures["guideline"]["text"].startswith("version 1")
    assert (
        procedures["annotation by person"]["text"].startswith("1 events, 1 objects") and procedures["gaps"]["missing"]
    )
    assert made is not None


def test_it_is_written_as_markdown_in_which_nothing_is_markup(story):
    say(story, motivation="a | b\n<b>*bold*</b>")
    asked = ask(reports("dataset")["datasheet"], story.id, Question())
    text = b"".join(writing.pieces(asked, "md")).decode()
    assert text.startswith("# A16 Datasheet\n") and "## What people say of it" in text and "## Classes" in text
    assert "a \\| b<br>&lt;b&gt;\\*bold\\*&lt;/b&gt;" in text and "<b>" not in text
    digest = json.loads(b"".join(writing.pieces(ask(reports("dataset")["datasheet"], story.id, Question()), "json")))
    assert digest["digest"] in text
    lines = [line for line in text.splitlines() if line.startswith("| motivation")]
    assert len(lines) == 1


def test_it_is_in_the_bundle(story, key, tmp_path):
    say(story, motivation="Finding cars.")
    path = tmp_path / "bundle.zip"
    with path.open("wb") as sink:
        seal(story.id, sink, Range())
    with zipfile.ZipFile(path) as archive:
        assert b"Finding cars." in archive.read("reports/A16-datasheet.md")
        assert b"Finding cars." in archive.read("reports/A16-datasheet.csv")
        assert b"Finding cars." in archive.read("reports/A16-datasheet.html")


def test_an_unknown_dataset_has_none(db):
    assert datasheet_of(uuid.uuid4()) == {}
