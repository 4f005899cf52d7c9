"""The history: sentences, before and after, filters, and its three formats."""

from __future__ import annotations

import csv
import io
import json
import uuid
from typing import Any

import pytest

from labeling.events import LabelImported
from labeling.log import store
from labeling.log.event import Intent
from labeling.models import LabelSet
from labeling.rules import label_ids, label_state
from labeling.rules.label_state import LabelState
from tests.labeling.api.test_undo import add, move

JSON = dict[str, Any]


def sentences(answer: Any) -> list[str]:
    assert answer.status == 200, answer.raw
    return [entry["sentence"].split(" ", 1)[1] for entry in answer.json]


@pytest.fixture
def worked(street):
    """Cars and a tree, by two people."""
    street.edit(add(1))
    street.edit(add(2) | {"category_id": 3}, by=street.ben)
    street.edit(move(1, 11), {"op": "set_attributes", "annotation": 1, "attributes": {"parked": True}}, by=street.ben)
    street.edit({"op": "set_category", "annotation": 2, "category_id": 1})
    street.edit({"op": "remove", "annotation": 2}, {"op": "set_status", "verb": "submit"})
    return street


def test_a_label_tells_what_was_done_to_it(worked):
    answer = worked.ana.get(f"{worked.label}/history/")
    assert sentences(answer) == [
        "added car 1, a box of 29 × 38 px",
        "began the label",
        "added tree 2, a box of 29 × 38 px",
        "resized car 1 from 29 × 38 px to 9 × 38 px",
        "set parked to yes on car 1",
        "changed tree 2 from tree to car",
        "removed car 2",
        "submitted the label: labeling in progress became labeled",
    ]
    assert answer.json[0]["sentence"].startswith(f"{worked.ana.person.username} added")
    assert answer.headers["Dataset-Offset"] == str(worked.head)


def test_before_and_after_are_beside_it(worked):
    added, _, _, moved, *_, removed, _ = worked.ana.get(f"{worked.label}/history/").json
    (change,) = moved["changes"]
    assert change["before"] == {"geometry": {"type": "bbox", "points": [[1, 2], [30, 40]]}}
    assert change["after"] == {"geometry": {"type": "bbox", "points": [[11, 2], [20, 40]]}}
    assert added["changes"][0]["before"] is None and added["changes"][0]["after"]["category_id"] == 1
    assert removed["changes"][0]["after"] is None


def test_one_object_has_a_history_of_its_own(worked):
    key = worked.ana.get(f"{worked.label}/").json["attributes"]["annotations"][0]["uuid"]
    found = sentences(worked.ana.get(f"{worked.label}/history/?object={key}"))
    assert [words.split()[0] for words in found] == ["added", "resized", "set"]
    assert worked.ana.get(f"{worked.label}/history/?object=7").json["field"] == "object"
    assert sentences(worked.ana.get(f"{worked.label}/history/?object={uuid.uuid4()}")) == []


def test_an_object_of_an_import_has_its_beginning(street):
    document = {"annotations": [{"id": 4, "category_id": 2, "type": "bbox", "points": [[1, 2], [30, 40]]}]}
    street.ana.put(f"{street.label}/", {"attributes": document})
    key = street.ana.get(f"{street.label}/").json["attributes"]["annotations"][0]["uuid"]
    assert sentences(street.ana.get(f"{street.label}/history/?object={key}")) == ["uploaded a label with 1 object"]


def test_undo_and_restore_are_told(worked):
    worked.ana.post(f"{worked.label}/undo/")
    worked.ana.post(
        f"{worked.label}/restore/", {"of": {"kind": "author", "author": worked.ben.person.username}, "reason": "x",
                                     "on_conflict": "skip"}
    )  # fmt: skip
    found = sentences(worked.ana.get(f"{worked.label}/history/?since={worked.head - 6}"))
    assert "undid a gesture:" in found and "put back car 2, a box of 29 × 38 px" in found
    assert f"restored what {worked.ben.person.username} did:" in found
    assert any(words.startswith("put car 1 back: attribute parked and resized it") for words in found), found


@pytest.mark.parametrize(
    "query, count",
    [
        ("author={ben}", 3),
        ("author=nobody", 0),
        ("type=AnnotationRemoved,LabelStatusChanged", 3),
        ("tool=pencil", 0),
        ("limit=2", 2),
        ("after={first}", 7),
        ("since={first}&until={first}", 1),
        ("since=2020-01-01T00:00:00Z", 8),
        ("until=2020-01-01T00:00:00Z", 0),
        ("category=3", 2),
        ("category=1", 5),
        ("category=2", 0),
        ("gesture={session}", 0),
        ("work_session={session}", 0),
    ],
)
def test_filters_of_a_label(worked, query, count):
    first = worked.ana.get(f"{worked.label}/events/").json[0]["offset"]
    query = query.format(ben=worked.ben.person.username, first=first, session=uuid.uuid4())
    assert len(worked.ana.get(f"{worked.label}/history/?{query}").json) == count


@pytest.mark.parametrize(
    "query, field",
    [
        ("type=Nothing", "type"), ("gesture=x", "gesture"), ("work_session=x", "work_session"), ("since=then", "since"),
        ("until=-1", "until"), ("category=car", "category"), ("format=xml", "format"), ("limit=0", "limit"),
        ("after=x", "after"),
    ],
)  # fmt: skip
def test_filters_that_make_no_sense_are_refused(worked, query, field):
    for path in (worked.label, worked.path, f"/samples/{worked.sample}"):
        answer = worked.ana.get(f"{path}/history/?{query}")
        assert (answer.status, answer.json["field"]) == (400, field)


@pytest.mark.parametrize("since", ["0001-01-01", "0001-01-01T00:00:00.000001Z", "0001-01-01T00:00:00.000002Z"])
def test_since_the_beginning_of_time_is_everything(worked, since):
    whole = worked.ana.get(f"{worked.path}/history/").json
    assert whole and worked.ana.get(f"{worked.path}/history/?since={since}&until=9999-12-31").json == whole


def test_a_sample_tells_of_itself_and_of_all_its_labels(worked):
    worked.ana.patch(f"/samples/{worked.sample}/", {"priority": 4})
    found = sentences(worked.ana.get(f"/samples/{worked.sample}/history/"))
    assert found[0].startswith("added the sample “sample-") and len(found) == 10
    assert found[-1] == "set the sample's priority from 0 to 4"


def test_a_dataset_tells_of_everything_in_it(worked):
    worked.ana.patch(f"{worked.path}/", {"readme": "x"})
    found = sentences(worked.ana.get(f"{worked.path}/history/"))
    assert found[0].startswith("created the dataset") and found[-1] == "changed the dataset's readme"
    assert f"added {worked.ben.person.username} as labeler" in found
    session = str(uuid.uuid4())
    worked.ben.post(worked.edits, {"edits": [add(9)], "work_session": session})
    assert sentences(worked.ana.get(f"{worked.path}/history/?work_session={session}")) == [
        "added car 9, a box of 29 × 38 px"
    ]


def test_a_category_in_a_dataset(worked):
    attributes = worked.ana.get(f"{worked.path}/").json["task_attributes"]
    attributes["categories"][2]["name"] = "oak"
    worked.ana.patch(f"{worked.path}/", {"task_attributes": attributes})
    assert sentences(worked.ana.get(f"{worked.path}/history/?category=3")) == [
        "added tree 2, a box of 29 × 38 px", "renamed tree to “oak”",
    ]  # fmt: skip
    assert sentences(worked.ana.get(f"{worked.path}/history/?category=3&type=LabelDeleted")) == []


def test_a_category_has_what_came_with_an_import_too(street):
    label_set = LabelSet.objects.get(dataset_id=street.id).id
    state = LabelState(street.id, label_ids.label_stream(street.sample, label_set))
    intent = Intent(author=street.ana.person.id, author_kind="import")
    box = {"annotation": str(uuid.uuid4()), "id": 1, "category_id": 3, "order": 1.0}
    box["geometry"] = {"type": "bbox", "points": [[1.0, 2.0], [30.0, 40.0]]}
    events = store.new_events(street.id, intent, [(state.stream, 0, LabelImported(annotations=[box]))])
    store.append(
        street.id, intent=intent, events=events, rows=label_state.difference(state, label_state.fold(state, events))
    )
    by_category = [street.ana.get(f"{street.path}/history/?category={number}").json for number in (3, 1)]
    assert [[entry["type"] for entry in page] for page in by_category] == [["LabelImported"], []]


def test_all_of_it_as_lines(worked):
    whole = worked.ana.get(f"{worked.path}/history/").json
    lines = worked.ana.get(f"{worked.path}/history/?format=ndjson")
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.raw.splitlines()] == whole
    table = worked.ana.get(f"{worked.path}/history/?format=csv")
    rows = list(csv.DictReader(io.StringIO(table.raw.decode())))
    assert [row["sentence"] for row in rows] == [entry["sentence"] for entry in whole]
    assert json.loads(rows[-1]["changes"]) == whole[-1]["changes"]
    assert len(worked.ana.get(f"{worked.path}/history/?format=ndjson&limit=3").raw.splitlines()) == 3


def test_a_spreadsheet_takes_nothing_for_a_formula(street):
    street.ana.post(street.edits, {"edits": [add(1)], "tool": "=1+1", "reason": "@x"})
    rows = csv.DictReader(io.StringIO(street.ana.get(f"{street.label}/history/?format=csv").raw.decode()))
    assert {(row["tool"], row["reason"]) for row in rows} == {("'=1+1", "'@x")}


def test_a_long_history_is_told_page_by_page(street, monkeypatch):
    from labeling.log import search
    from labeling.queries import history

    for x in range(12):
        street.edit(add(1) if x == 0 else move(1, x), by=(street.ana, street.ben)[x % 2])
    whole = street.ana.get(f"{street.path}/history/").json
    monkeypatch.setattr(search, "PAGE", 3)
    monkeypatch.setattr(history, "BATCH", 2)
    monkeypatch.setattr(history, "MOST_STATES", 1)
    assert street.ana.get(f"{street.path}/history/").json == whole
    parts = []
    after = 0
    while page := street.ana.get(f"{street.path}/history/?limit=4&after={after}").json:
        parts += page
        after = page[-1]["offset"]
    assert parts == whole
