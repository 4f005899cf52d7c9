"""Reports that somebody keeps: the same bytes whenever they are run, and only for whom they may be shown to."""

from __future__ import annotations

import csv
import datetime as dt
import io
import uuid
from typing import Any

import pytest

from labeling.commands import activity, datasets
from labeling.models import Activity
from labeling.reports.catalogue import REPORTS

JSON = dict[str, Any]
BOX = {"op": "add", "category_id": 1, "type": "bbox", "points": [[1, 2], [30, 40]]}


def tell(street: Any, by: Any, *ago_s: int, number: int = 0) -> None:
    """Heartbeats, so many seconds ago."""
    session = str(uuid.uuid5(uuid.NAMESPACE_OID, by.person.username))
    signals = [
        {"number": number + n, "kind": "heartbeat", "sample": str(street.sample), "ago_ms": ago * 1000}
        for n, ago in enumerate(ago_s)
    ]
    assert by.post("/activity/", {"session": session, "signals": signals}).status == 200


@pytest.fixture
def worked(street: Any) -> Any:
    """Two people at work."""
    assert street.edit(BOX, by=street.ben).status == 200
    tell(street, street.ben, 90, 70, 50, 30, 10)
    assert street.edit(BOX, {"op": "set_status", "verb": "submit"}, by=street.ben).status == 200
    assert street.edit({"op": "set_status", "verb": "reject"}).status == 200
    return street


def keep(street: Any, who: Any = None, *, status: int = 201, **body: Any) -> JSON:
    answer = (who or street.ana).post(f"{street.path}/savedreports/", {"name": "kept", "report": "time"} | body)
    assert answer.status == status, answer.raw
    return answer.json


def run(street: Any, saved: JSON, by: Any = None, query: str = "", status: int = 200) -> Any:
    answer = (by or street.ana).get(f"{street.path}/savedreports/{saved['uuid']}/{query}")
    assert answer.status == status, answer.raw
    return answer


@pytest.mark.parametrize("report", REPORTS)
def test_run_again_it_gives_the_same_bytes_whatever_happened_since(worked, report, settings):
    saved = keep(worked, report=report, timezone="Asia/Kathmandu", **({"rate": 36} if report == "cost" else {}))
    first = run(worked, saved)
    table = run(worked, saved, query="?format=csv").raw
    assert first.headers["Dataset-Offset"] == str(saved["offset"])
    assert len(first.json["digest"]) == 64
    # More work, other settings, other names, a closed day, and somebody who is no member any more.
    assert worked.edit(BOX, by=worked.ben).status == 200
    tell(worked, worked.ben, 40, 20, number=100)
    worked.ana.patch(f"{worked.path}/", {"labeling_inactivity_timeout_seconds": 7, "name": "renamed"})
    path = worked.path.rpartition("/")[0] + "/renamed"
    worked.ana.patch(f"/samples/{worked.sample}/", {"name": "z.png"})
    worked.ana.delete(f"{path}/collaborators/{worked.ben.person.username}")
    for day in sorted({row.at.astimezone(dt.UTC).date() for row in Activity.objects.filter(dataset_id=worked.id)}):
        activity.close_day(worked.id, day)
    assert not Activity.objects.filter(dataset_id=worked.id).exists()
    worked.path = path
    assert run(worked, saved).raw == first.raw
    assert run(worked, saved, query="?format=csv").raw == table


def test_a_kept_report_says_what_the_live_one_said(worked):
    live = worked.ana.get(f"{worked.path}/reports/time/?by=person,stage").json
    saved = keep(worked, by=["person", "stage"])
    found = run(worked, saved).json
    assert (found["rows"], found["digest"], found["offset"]) == (live["rows"], live["digest"], live["offset"])
    assert found["question"]["threshold_s"] == 300
    head, *rows = csv.reader(io.StringIO(run(worked, saved, query="?format=csv").raw.decode()))
    assert head[:2] == ["person", "stage"] and {row[0] for row in rows} == {row["person"] for row in live["rows"]}


def test_keeping_and_removing_are_events_with_a_sentence(worked):
    saved = keep(worked, name="November")
    assert [item["name"] for item in worked.ana.get(f"{worked.path}/savedreports/").json] == ["November"]
    assert worked.ana.delete(f"{worked.path}/savedreports/{saved['uuid']}/").status == 204
    assert worked.ana.get(f"{worked.path}/savedreports/").json == []
    run(worked, saved, status=404)
    told = [
        entry["sentence"] for entry in worked.ana.get(f"{worked.path}/history/?type=ReportSaved,ReportRemoved").json
    ]
    name = worked.ana.person.username
    assert told == [f"{name} kept the report “November”", f"{name} removed a report"]


def test_who_may_only_label_keeps_and_sees_their_own_time_alone(worked, caller, intent):
    all_of_it, own = keep(worked, name="all"), keep(worked, worked.ben, name="mine")
    assert own["question"]["person"] == str(worked.ben.person.id)
    assert [item["name"] for item in worked.ben.get(f"{worked.path}/savedreports/").json] == ["mine"]
    assert [item["name"] for item in worked.ana.get(f"{worked.path}/savedreports/").json] == ["all", "mine"]
    assert {row["person"] for row in run(worked, own, worked.ben).json["rows"]} == {str(worked.ben.person.id)}
    run(worked, all_of_it, worked.ben, status=403)
    assert keep(worked, worked.ben, report="queue", status=403)
    assert worked.ben.delete(f"{worked.path}/savedreports/{all_of_it['uuid']}/").status == 403
    other = caller(f"carl-{uuid.uuid4().hex[:8]}")
    run(worked, own, other, status=404)
    datasets.add_member(intent=intent(worked.ana.person), dataset=worked.id, person=other.person.id, role="reviewer")
    run(worked, own, other, status=403)
    assert other.get(f"{worked.path}/savedreports/").json == []
    assert worked.ben.delete(f"{worked.path}/savedreports/{own['uuid']}/").status == 204


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": " "}, "name"), ({"report": "nothing"}, "report"), ({"at": 0}, "at"), ({"at": 10_000}, "at"),
        ({"by": "colour"}, "by"), ({"by": [1]}, "by"), ({"timezone": "Mars"}, "timezone"),
        ({"rate": -1, "report": "cost"}, "rate"), ({"threshold_s": True}, "threshold_s"),
        ({"report": "agreement", "base": "nowhere"}, "base"),
        ({"report": "agreement", "from": "2026-01-01"}, "from"), ({"colour": 1}, "body"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_its_name(worked, body, field):
    head = worked.head
    assert keep(worked, status=400, **body)["field"] == field
    assert worked.head == head


def test_a_retry_keeps_one_report(worked):
    body = {"name": "once", "report": "time"}
    made = [worked.ana.post(f"{worked.path}/savedreports/", body, Idempotency_Key="k").json["uuid"] for _ in range(2)]
    assert made[0] == made[1] and len(worked.ana.get(f"{worked.path}/savedreports/").json) == 1
