"""Work units over the API: the protocol's shape, who sees whose, and which page of what time."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from segments.typing import Workunit as SDKWorkunit

from labeling.commands import datasets
from labeling.log import projector

JSON = dict[str, Any]
BOX = {"op": "add", "category_id": 1, "type": "bbox", "points": [[1, 2], [30, 40]]}


def say(verb: str) -> JSON:
    return {"op": "set_status", "verb": verb}


@pytest.fixture
def worked(street) -> Any:
    """The street after Ben labeled and Ana reviewed it, and edited it once more."""
    assert street.edit(BOX, by=street.ben).status == 200
    assert street.edit(BOX, say("submit"), by=street.ben).status == 200
    assert street.edit(say("accept")).status == 200
    assert street.edit(BOX).status == 200
    return street


def units(street: Any, by: Any = None, query: str = "", slash: str = "/") -> list[JSON]:
    answer = (by or street.ana).get(f"{street.path}/workunits{slash}{query}")
    assert answer.status == 200, answer.raw
    assert int(answer.headers["Dataset-Offset"]) == street.head, "a reader sees what was just saved"
    return answer.json


@pytest.mark.parametrize("slash", ["/", ""])
def test_units_have_the_protocols_shape(worked, slash):
    found = units(worked, slash=slash)
    ana, ben = worked.ana.person.username, worked.ben.person.username
    assert [(item["created_by"], item["work_type"], item["next_label_status"]) for item in found] == [
        (ben, "label", "LABELING_IN_PROGRESS"), (ben, "label", "LABELED"), (ana, "review", "REVIEWED"),
        (ana, "normal", None),
    ]  # fmt: skip
    sample = worked.ana.get(f"/samples/{worked.sample}/").json
    for item in found:
        shown = SDKWorkunit.model_validate(item)
        assert (shown.sample_uuid, shown.sample_name) == (sample["uuid"], sample["name"])
        assert shown.time >= 0 and shown.inactive_time == 0
        assert "session_time_metrics" not in item and item["labelset"] == "ground-truth"
    assert len({item["uuid"] for item in found}) == 4


def test_managers_see_all_work_and_others_their_own(worked, caller, intent):
    people = {}
    for role in ("viewer", "reviewer", "manager"):
        people[role] = caller(f"{role}-{uuid.uuid4().hex[:8]}")
        datasets.add_member(
            intent=intent(worked.ana.person), dataset=worked.id, person=people[role].person.id, role=role
        )
    assert len(units(worked)) == len(units(worked, people["manager"])) == 4
    assert [item["work_type"] for item in units(worked, worked.ben)] == ["label", "label"]
    assert units(worked, people["viewer"]) == units(worked, people["reviewer"]) == []
    worked.edit(say("reject"), by=people["reviewer"])
    assert [item["work_type"] for item in units(worked, people["reviewer"])] == ["review"]


def test_work_is_nothing_for_the_public_to_see(worked, caller):
    eve = caller(f"eve-{uuid.uuid4().hex[:8]}")
    assert eve.get(f"{worked.path}/workunits/").status == 404
    worked.ana.patch(worked.path, {"public": True})
    assert units(worked, eve) == []


def test_pages_orders_and_times(worked):
    found = units(worked)
    assert units(worked, query="?sort=created_at") == units(worked, query="?sort=nonsense") == found
    assert units(worked, query="?sort=-created_at") == found[::-1]
    assert units(worked, query="?per_page=3&page=2&sort=created_at") == found[3:]
    assert worked.ana.get(f"{worked.path}/workunits/?per_page=3&page=3").detail == "Invalid page."
    assert units(worked, query="?start=2199-01-01T00:00:00&page=1") == [], "a first page may be empty"
    cut = found[2]["created_at"]
    assert units(worked, query=f"?end={cut}") == found[:2]
    assert units(worked, query=f"?start={cut}") == found[2:]
    assert units(worked, query="?start=2020-01-01T00:00:00&end=2199-01-01T00:00:00") == found
    assert units(worked, query="?start=2199-01-01T00:00:00") == units(worked, query="?end=2020-01-01T00:00:00") == []


@pytest.mark.parametrize("field", ["start", "end"])
@pytest.mark.parametrize("value", ["yesterday", "2026-13-01T00:00:00", "1"])
def test_a_time_that_is_none_is_refused_by_its_name(worked, field, value):
    answer = worked.ana.get(f"{worked.path}/workunits/?{field}={value}")
    assert (answer.status, answer.json["field"]) == (400, field)


def test_metrics_are_there_where_asked_for_and_say_what_could_not_be_measured(worked):
    found = units(worked, query="?include_session_time_metrics=true")
    metrics = [SDKWorkunit.model_validate(item).session_time_metrics for item in found]
    assert [item["measured_intervals"] for item in metrics] == [0, 1, 0, 1]
    for item, metric in zip(found, metrics, strict=True):
        assert 0 <= metric["wall_time"] - item["time"] - item["inactive_time"] <= 1


def test_what_is_far_behind_is_left_to_the_actors_and_the_answer_says_how_far_it_reaches(worked, monkeypatch):
    from labeling.api import work_units

    monkeypatch.setattr(work_units, "MOST_BEHIND", 1)
    answer = worked.ana.get(f"{worked.path}/workunits/")
    assert (answer.json, answer.headers["Dataset-Offset"]) == ([], "0")
    projector.catch_up(worked.id)
    assert len(units(worked)) == 4


def test_a_page_of_units_costs_the_same_however_long(committed_db, make_street):
    from tests.labeling.api.test_statements import statements

    street = make_street()
    street.edit(BOX)
    units(street)
    before = statements(lambda: street.ana.get(f"{street.path}/workunits/"))
    for _ in range(4):
        street.edit(BOX)
    units(street)
    assert statements(lambda: street.ana.get(f"{street.path}/workunits/")) == before <= 7
