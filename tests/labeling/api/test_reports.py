"""Reports over the API: who sees whose, what is refused by its name, the same rows again, and what clients tell."""

from __future__ import annotations

import csv
import datetime as dt
import io
import uuid
from typing import Any

import pytest

from labeling.commands import activity, datasets
from labeling.log import projector, rebuild, store
from labeling.log.event import SECURITY
from labeling.models import Activity, LedgerChunk
from labeling.reports.catalogue import REPORTS

JSON = dict[str, Any]
BOX = {"op": "add", "category_id": 1, "type": "bbox", "points": [[1, 2], [30, 40]]}


def say(verb: str) -> JSON:
    return {"op": "set_status", "verb": verb}


@pytest.fixture
def worked(street) -> Any:
    """The street after Ben labeled, Ana sent it back, Ben corrected it, and Ana accepted."""
    assert street.edit(BOX, by=street.ben).status == 200
    assert street.edit(say("submit"), by=street.ben).status == 200
    assert street.edit(say("reject")).status == 200
    assert street.edit(BOX, say("submit"), by=street.ben).status == 200
    assert street.edit(say("accept")).status == 200
    return street


def report(street: Any, name: str, query: str = "", by: Any = None, status: int = 200) -> JSON:
    answer = (by or street.ana).get(f"{street.path}/reports/{name}/{query}")
    assert answer.status == status, answer.raw
    return answer.json


def tell(street: Any, *signals: JSON, by: Any = None, session: uuid.UUID | None = None, status: int = 200) -> Any:
    body = {
        "session": str(session or uuid.UUID(int=3, version=4)),
        "signals": [
            {"number": place, "kind": "heartbeat", "sample": str(street.sample)} | signal
            for place, signal in enumerate(signals)
        ],
    }
    answer = (by or street.ben).post("/activity/", body)
    assert answer.status == status, answer.raw
    return answer.json


# --- reports ---------------------------------------------------------------------------------------------------------


def test_time_is_told_by_person_and_stage_with_the_names_of_today(worked):
    found = report(worked, "time", "?by=person,stage")
    ana, ben = str(worked.ana.person.id), str(worked.ben.person.id)
    assert {(row["person"], row["stage"]): row["saves"] for row in found["rows"] if row["saves"]} == {
        (ana, "review"): 2,
        (ben, "label"): 2,
        (ben, "rework"): 1,
    }
    assert found["names"] == {ana: worked.ana.person.username, ben: worked.ben.person.username}
    assert found["offset"] == worked.head and found["threshold_s"] == 300


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_answers_by_each_of_its_keys_and_by_none(worked, name):
    for key in ("", *REPORTS[name].keys, ",".join(REPORTS[name].keys)):
        found = report(worked, name, f"?by={key}")
        assert found["by"] == [one for one in key.split(",") if one]
        for row in found["rows"]:
            assert set(found["columns"]) == set(row) - set(found["by"])


@pytest.mark.parametrize("name", REPORTS)
def test_a_dataset_in_which_nothing_happened_has_every_report(street, name):
    assert report(street, name)["rows"] == [] or name == "queue"


def test_asked_again_at_its_offset_it_gives_the_same_whatever_happened_since(worked):
    before = {name: report(worked, name, "?timezone=Asia/Kathmandu") for name in REPORTS}
    assert worked.edit(BOX, say("save"), by=worked.ben).status == 200
    tell(worked, {"kind": "opened"}, {})
    worked.ana.patch(worked.path, {"labeling_inactivity_timeout_seconds": 7})
    for name, found in before.items():
        again = report(worked, name, f"?timezone=Asia/Kathmandu&at={found['offset']}")
        assert again == found
    assert report(worked, "time")["digest"] != before["time"]["digest"]
    assert report(worked, "time")["threshold_s"] == 7


def test_quality_tells_of_whoever_submitted(worked):
    [row] = report(worked, "quality")["rows"]
    assert row == {
        "person": str(worked.ben.person.id),
        "judged": 2, "accepted": 1, "rejected": 1, "reworked": 1, "first_judged": 1, "first_accepted": 0,
    }  # fmt: skip


def test_cost_is_time_at_a_rate(worked):
    free, paid = report(worked, "cost"), report(worked, "cost", "?rate=36")
    assert all(row["cost"] == 0 for row in free["rows"])
    for row in paid["rows"]:
        assert row["cost"] == pytest.approx(row["active_s"] / 100, abs=1e-4)


def test_who_may_only_label_sees_their_own_part(worked, caller, intent):
    assert {row["person"] for row in report(worked, "time", "?by=person", worked.ben)["rows"]} == {
        str(worked.ben.person.id)
    }
    own = report(worked, "time", f"?by=person&person={worked.ben.person.username}", worked.ben)
    assert own["person"] == str(worked.ben.person.id)
    refused = report(worked, "time", f"?by=person&person={worked.ana.person.username}", worked.ben, status=403)
    assert "Seeing the work of others" in refused["detail"]
    (event,) = store.read(SECURITY, after=store.head(SECURITY) - 1)
    assert (event.type, event.data["dataset"]) == ("CommandDenied", str(worked.id))
    # Whether somebody of a name is there is not told either.
    assert report(worked, "time", "?by=person&person=nobody-there", worked.ben, status=403) == refused
    for name in ("queue", "assistance"):
        assert report(worked, name, by=worked.ben, status=403)
    manager = caller(f"mona-{uuid.uuid4().hex[:8]}")
    datasets.add_member(intent=intent(worked.ana.person), dataset=worked.id, person=manager.person.id, role="manager")
    assert len(report(worked, "time", "?by=person", manager)["rows"]) == 2
    only = report(worked, "time", f"?by=person&person={worked.ben.person.username}", manager)["rows"]
    assert [row["person"] for row in only] == [str(worked.ben.person.id)]


def test_a_table_is_told_with_its_names_and_no_formula(worked):
    answer = worked.ana.get(f"{worked.path}/reports/time/?by=person,sample&format=csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    head, *rows = csv.reader(io.StringIO(answer.raw.decode()))
    assert head[:2] == ["person", "sample"] and head[-2:] == ["person_id", "sample_id"]
    assert {row[0] for row in rows} == {worked.ana.person.username, worked.ben.person.username}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("by=colour", "by"), ("timezone=Mars/Olympus", "timezone"), ("timezone=../../etc/passwd", "timezone"),
        ("threshold_s=0", "threshold_s"), ("threshold_s=1.5", "threshold_s"), ("from=yesterday", "from"),
        ("to=2026-02-30", "to"), ("format=xlsx", "format"), ("at=-1", "at"), ("person=nobody-there", "person"),
        ("from=2026-03-02&to=2026-03-01", "to"), ("from=2026-03-01&to=2026-03-01", "to"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_its_name(street, query, field):
    assert report(street, "time", f"?{query}", status=400)["field"] == field


@pytest.mark.parametrize("rate", ["-1", "nan", "inf", "much"])
def test_a_rate_is_a_number(street, rate):
    assert report(street, "cost", f"?rate={rate}", status=400)["field"] == "rate"


def test_there_is_no_report_of_another_name(street):
    report(street, "weather", status=404)


# --- the ledger ------------------------------------------------------------------------------------------------------


def test_the_ledger_made_anew_is_the_same(worked, monkeypatch):
    report(worked, "time")
    [ledger] = [one for one in projector.catch_ups() if one.name == "ledger"]
    assert rebuild.compared_catch_up(ledger, worked.id) == {}
    LedgerChunk.objects.filter(dataset_id=worked.id).update(pieces=b"")
    assert rebuild.compared_catch_up(ledger, worked.id)["labeling_ledgerchunk"].rows > 0


# --- people at work --------------------------------------------------------------------------------------------------


def minutes_ago(*minutes: float) -> list[JSON]:
    return [{"ago_ms": int(minute * 60_000)} for minute in minutes]


def test_what_clients_tell_is_time_and_goes_to_the_next_save(street):
    signals = minutes_ago(10, 9, 8, 6)
    signals[0]["kind"] = "opened"
    assert tell(street, *signals) == {"kept": 4}
    [row] = report(street, "time", "?by=person,stage")["rows"]
    assert (row["stage"], row["active_s"], row["measured"]) == ("view", 240, 3)
    assert street.edit(BOX, say("submit"), by=street.ben).status == 200
    [row] = report(street, "time", "?by=stage&threshold_s=600")["rows"]
    assert row["stage"] == "label" and row["active_s"] == pytest.approx(600, abs=60)
    [unit] = street.ana.get(f"{street.path}/workunits/").json
    assert unit["time"] == 240_000 and unit["inactive_time"] > 300_000, "the SDK's work units have the same source"


def test_told_twice_it_counts_once_and_beats_are_not_too_close(street):
    signals: list[JSON] = [
        {"kind": "opened", "ago_ms": 60_000},
        {"ago_ms": 40_000},
        {"ago_ms": 38_000},
        {"ago_ms": 20_000},
    ]
    assert tell(street, *signals) == {"kept": 3}
    assert tell(street, *signals) == {"kept": 0}
    assert report(street, "time", "?by=")["rows"][0]["active_s"] == 40


def test_a_program_spends_no_time(street, caller):
    from labeling.models import ApiKey

    ApiKey.objects.filter(person=street.ben.person).update(origin="service")
    tell(street, {"kind": "opened"}, status=403)


@pytest.mark.parametrize(
    ("signal", "field"),
    [
        ({"kind": "typing"}, "kind"), ({"number": -1}, "number"), ({"number": True}, "number"),
        ({"ago_ms": 1e3}, "ago_ms"), ({"ago_ms": 10**12}, "ago_ms"), ({"sample": "street"}, "sample"),
        ({"sample": None}, "sample"), ({"labelset": 5}, "labelset"),
    ],
)  # fmt: skip
def test_a_signal_that_makes_no_sense_is_refused_by_its_field(street, signal, field):
    assert tell(street, {}, signal, status=400)["field"] == f"signals[1].{field}"
    assert not Activity.objects.filter(dataset_id=street.id).exists(), "nothing is half done"


@pytest.mark.parametrize("body", [{}, {"session": "x"}, {"session": str(uuid.uuid4())}, {"session": 5, "signals": []}])
def test_nothing_to_tell_is_refused(street, body):
    assert street.ben.post("/activity/", body).status == 400


def test_a_stranger_tells_nothing_and_an_unknown_label_set_is_not_found(street, caller):
    eve = caller(f"eve-{uuid.uuid4().hex[:8]}")
    tell(street, {}, by=eve, status=404)
    tell(street, {"labelset": "nowhere"}, status=404)
    assert tell(street, {"labelset": "ground-truth"}) == {"kept": 1}


def test_a_closed_day_counts_as_before_and_its_signals_are_gone(street, settings):
    left, right = uuid.UUID(int=5, version=4), uuid.UUID(int=6, version=4)
    tell(street, *({"ago_ms": 1000 * second, "number": second} for second in range(2000, 200, -20)), session=left)
    tell(street, *({"ago_ms": 1000 * second, "number": second} for second in range(900, 100, -30)), session=right)
    tell(street, *minutes_ago(30, 8), by=street.ana)
    street.edit(BOX, say("submit"), by=street.ben)
    questions = ("?by=person", "?by=person,stage&threshold_s=60", "?by=person&threshold_s=1200")
    before = [report(street, "time", query)["rows"] for query in questions]
    kept = Activity.objects.filter(dataset_id=street.id).count()
    assert kept > 100
    days = {at.date() for at in Activity.objects.filter(dataset_id=street.id).values_list("at", flat=True)}
    for day in days:
        activity.close_day(street.id, day)
        activity.close_day(street.id, day)
    assert not Activity.objects.filter(dataset_id=street.id).exists()
    timed = ("person", "stage", "active_s")
    for query, rows in zip(questions, before, strict=True):
        after = report(street, "time", query)["rows"]
        assert [[row.get(key) for key in timed] for row in after] == [[row.get(key) for key in timed] for row in rows]
    told = street.ana.get(f"{street.path}/events/?type=ActivityClosed").json
    assert sum(len(event["data"]["signals"]) for event in told) < 0.75 * kept


def test_the_sweeper_closes_only_what_is_old(street, settings):
    tell(street, *minutes_ago(3, 2))
    before = Activity.objects.filter(dataset_id=street.id)
    assert activity.close_old() == 0 and before.count() == 2
    before.update(at=dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC))
    assert activity.close_old() == 1 and before.count() == 0
    assert report(street, "time", "?by=day")["rows"][0]["day"] == "2026-01-02"


def test_more_signals_than_are_taken_a_day_are_refused_with_when_to_come_again(street, settings):
    settings.ACTIVITY_SIGNALS_A_DAY = 1
    body = {"session": str(uuid.uuid4()), "signals": [{"number": 0, "kind": "opened", "sample": str(street.sample)}]}
    assert street.ben.post("/activity/", body).status == 200
    refused = street.ben.post("/activity/", body)
    assert (refused.status, refused.json["code"]) == (429, "too_many_signals")
    assert 1 <= int(refused.headers["Retry-After"]) <= 86_400
