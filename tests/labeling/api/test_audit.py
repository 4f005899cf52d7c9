"""Audit reports over the API: who may read them, that reading them is told, and what is refused by its name."""

from __future__ import annotations

import csv
import io
import json
import uuid
from typing import Any

import pytest
from django.db import connection, transaction

from labeling.audit.asking import parameters_of
from labeling.audit.catalogue import reports
from labeling.commands import people
from labeling.commands.checkpoints import sign_checkpoint
from labeling.commands.signing_keys import add_signing_key
from labeling.log import store, stored
from labeling.log.event import INSTALLATION, SECURITY

JSON = dict[str, Any]
BOX = {"op": "add", "category_id": 1, "type": "bbox", "points": [[1, 2], [30, 40]]}


@pytest.fixture
def worked(street) -> Any:
    assert street.edit(BOX, {"op": "set_status", "verb": "submit"}, by=street.ben).status == 200
    assert street.edit({"op": "set_status", "verb": "accept"}).status == 200
    return street


@pytest.fixture
def root(caller) -> Any:
    return caller(f"root-{uuid.uuid4().hex[:8]}", superuser=True)


def test_the_catalogue_names_every_report_and_its_address(worked):
    found = worked.ana.get(f"{worked.path}/audit/").json
    assert [item["name"] for item in found] == list(reports("dataset"))
    codes = {item["code"] for item in found}
    assert {"A1", "A2", "A3", "A4", "A5", "A8", "A9", "A11", "A12", "A13", "A14", "A15"} <= codes
    for item in found:
        assert worked.ana.get(item["url"]).json["definition"]["report"] == item["code"]


def test_a_report_answers_by_its_name_and_by_its_code(worked):
    one, other = (worked.ana.get(f"{worked.path}/audit/{name}/").json for name in ("duties", "A8"))
    assert one == other and one["definition"]["offsets"] == {"dataset": worked.head}


def test_asked_with_its_offsets_it_has_the_same_bytes(worked):
    before = worked.ana.get(f"{worked.path}/audit/access/?format=csv")
    places = json.loads(list(csv.reader(io.StringIO(before.raw.decode())))[-1][2])["offsets"]
    assert worked.edit(BOX, by=worked.ben).status == 200
    pinned = f"at={places['dataset']}&installation_at={places['installation']}&security_at={places['security']}"
    again = worked.ana.get(f"{worked.path}/audit/access/?format=csv&{pinned}")
    assert again.raw == before.raw
    assert worked.ana.get(f"{worked.path}/audit/access/?format=csv").raw != before.raw


def test_reading_a_report_is_told_in_the_security_log(worked):
    worked.ana.get(f"{worked.path}/audit/deletions/?format=ndjson")
    event = store.read(SECURITY, after=store.head(SECURITY) - 1)[0]
    assert (event.type, event.intent.author) == ("AuditRead", worked.ana.person.id)
    told = [event.data[name] for name in ("what", "form", "dataset")]
    assert told == ["deletions", "ndjson", str(worked.id)]
    rows = worked.ana.get(f"{worked.path}/audit/access/").json["rows"]
    assert "AuditRead" in {row.get("type") for row in rows}


def test_names_of_today_are_added_only_where_they_are_asked_for(worked):
    ben = worked.ben.person.username
    plain, named = (worked.ana.get(f"{worked.path}/audit/events/{query}") for query in ("", "?names=1"))
    assert ben not in plain.raw.decode() and ben in named.raw.decode()
    assert plain.json["digest"] == named.json["digest"]
    table = worked.ana.get(f"{worked.path}/audit/events/?names=1&format=csv")
    head, *rows = csv.reader(io.StringIO(table.raw.decode()))
    assert ben in {row[head.index("author_name")] for row in rows[:-1]}


def test_an_author_may_be_named_by_their_username_and_a_label_set_by_its_name(worked):
    rows = worked.ana.get(f"{worked.path}/audit/events/?author={worked.ben.person.username}").json["rows"]
    assert {row["author"] for row in rows} == {str(worked.ben.person.id)}
    rows = worked.ana.get(f"{worked.path}/audit/record/?sample={worked.sample}&label_set=ground-truth").json["rows"]
    assert rows and {row["sample"] for row in rows} == {str(worked.sample)}


def test_only_admins_read_it_and_only_who_runs_the_installation_reads_that_of_all(worked, root, caller):
    assert worked.ben.get(f"{worked.path}/audit/events/").status == 403
    assert caller(f"x-{uuid.uuid4().hex[:8]}").get(f"{worked.path}/audit/").status == 404
    for path in ("/audit/", "/audit/access/", "/audit/checkpoints/"):
        assert worked.ana.get(path).status == 403
        assert root.get(path).status == 200
    found = root.get("/audit/access/").json
    assert set(found["definition"]["offsets"]) == {"installation", "security"}


def test_what_somebody_denied_tried_is_in_the_report(worked):
    assert worked.ben.get(f"{worked.path}/audit/events/").status == 403
    rows = worked.ana.get(f"{worked.path}/audit/access/").json["rows"]
    denied = [row for row in rows if row.get("type") == "CommandDenied" and row["part"] == "access"]
    assert [(row["author"], json.loads(row["data"])["action"]) for row in denied] == [
        (str(worked.ben.person.id), "audit")
    ]


def test_checkpoints_can_be_carried_away(worked, root, tmp_path, settings):
    settings.HOME, settings.SIGNING_KEY = tmp_path, ""
    assert worked.ana.get(f"{worked.path}/audit/checkpoints/").json == []
    add_signing_key(intent=people.operator("test"))
    made = sign_checkpoint(intent=people.operator("test"), log=worked.id)
    assert made is not None
    assert worked.ana.get(f"{worked.path}/audit/checkpoints/").json == [made.as_json()]
    assert made.stated["log"] not in root.get("/audit/checkpoints/").raw.decode()
    sign_checkpoint(intent=people.operator("test"), log=INSTALLATION)
    (last,) = (item for item in root.get("/audit/checkpoints/").json if item["statement"]["log"] == str(INSTALLATION))
    assert last["statement"]["offset"] == store.head(INSTALLATION) - 1


@pytest.mark.parametrize(
    ("report", "query", "field"),
    [
        ("events", "from=yesterday", "from"), ("events", "to=2026-02-30", "to"), ("events", "format=pdf", "format"),
        ("events", "at=-1", "at"), ("events", "author=nobody-at-all", "author"),
        ("events", "work_session=x", "work_session"), ("duties", "fast_s=-1", "fast_s"),
        ("duties", "fast_s=1.5", "fast_s"), ("duties", "least_reviews=x", "least_reviews"),
        ("record", "sample=x", "sample"), ("record", "label_set=none", "label_set"), ("record", "object=1", "object"),
        ("access", "security_at=x", "security_at"), ("changes", "installation_at=-1", "installation_at"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_its_name(street, report, query, field):
    answer = street.ana.get(f"{street.path}/audit/{report}/?{query}")
    assert (answer.status, answer.json["field"]) == (400, field)


def test_the_integrity_of_all_logs_is_told_by_the_offsets_that_were_read(worked, root):
    """Asked again with the offsets that its definition names, it has the same bytes, whatever happened in any log."""
    root.get("/audit/")  # there is a security log from here on
    root.get("/audit/integrity/")
    before = root.get("/audit/integrity/")
    definition = before.json["definition"]
    offsets = definition["offsets"]
    assert offsets[str(worked.id)] == worked.head and str(SECURITY) in offsets and "installation" in offsets
    rows = {row["log"]: row["offset"] for row in before.json["rows"] if row["part"] == "logs"}
    assert rows == {str(INSTALLATION): offsets["installation"]} | {
        name: offset for name, offset in offsets.items() if name != "installation"
    }
    known = parameters_of(reports("installation")["integrity"], definition)
    pinned = "&".join(f"{name}={value}" for name, value in known.items())
    forms = {form: root.get(f"/audit/integrity/?{pinned}&format={form}") for form in ("json", "csv", "html")}
    assert forms["json"].raw == before.raw and {answer.status for answer in forms.values()} == {200}
    assert worked.edit(BOX, by=worked.ben).status == 200
    assert worked.ana.post("/user/datasets/", {"name": "another", "task_type": "vector"}).status == 201
    for form, first in forms.items():
        assert root.get(f"/audit/integrity/?{pinned}&format={form}").raw == first.raw
        assert root.post(f"/audit/integrity/?format={form}", {"offsets": offsets}).raw == first.raw
    now = root.get("/audit/integrity/").json
    assert now["digest"] != before.json["digest"]
    assert len(now["definition"]["offsets"]) == len(offsets) + 1
    one = root.get(f"/audit/integrity/?logs_at={worked.id}:3").json
    assert {row["log"]: row["offset"] for row in one["rows"] if row["part"] == "logs"}[str(worked.id)] == 3
    assert set(one["definition"]["offsets"]) == {"installation", str(worked.id)}
    for wrong in ("x", f"{worked.id}", f"{worked.id}:x", f"{uuid.uuid4()}:1", f"{str(worked.id)[-4:]}:1"):
        refused = root.get(f"/audit/integrity/?logs_at={wrong}")
        assert (refused.status, refused.json["field"]) == (400, "logs_at")
    for body, field in (
        ({}, "body"), ({"offsets": offsets, "at": 1}, "body"), ({"offsets": []}, "offsets"),
        ({"offsets": {"installation": -1}}, "offsets"), ({"offsets": {"installation": True}}, "offsets"),
        ({"offsets": {str(uuid.uuid4()): 1}}, "offsets"), ({"offsets": {str(worked.id): 1 << 53}}, "offsets"),
    ):  # fmt: skip
        refused = root.post("/audit/integrity/", body)
        assert (refused.status, refused.json["field"].split(".")[0]) == (400, field), body
    assert worked.ana.post("/audit/integrity/", {"offsets": offsets}).status == 403


def test_the_integrity_of_an_installation_without_other_logs_is_told_again(worked, root, monkeypatch):
    """Where all logs are one, those that come later are not read."""
    with monkeypatch.context() as fresh:
        fresh.setattr(stored, "logs", lambda: [INSTALLATION])
        before = root.get("/audit/integrity/?at=2")
    definition = before.json["definition"]
    assert definition["offsets"] == {"installation": 2}
    known = parameters_of(reports("installation")["integrity"], definition)
    pinned = "&".join(f"{name}={value}" for name, value in known.items())
    assert root.get(f"/audit/integrity/?{pinned}").raw == before.raw
    assert root.post("/audit/integrity/", {"offsets": definition["offsets"]}).raw == before.raw


def test_proofs_lead_from_an_event_to_a_checkpoint_and_from_one_to_the_next(worked, root, tmp_path, settings):
    settings.HOME, settings.SIGNING_KEY = tmp_path, ""
    path = f"{worked.path}/audit/proofs"
    assert worked.ana.get(f"{path}/inclusion/?offset=1").status == 404
    add_signing_key(intent=people.operator("test"))
    for _ in range(2):
        sign_checkpoint(intent=people.operator("test"), log=worked.id)
        assert worked.edit(BOX, by=worked.ben).status == 200
    one, other = worked.ana.get(f"{worked.path}/audit/checkpoints/").json
    proof = worked.ana.get(f"{path}/inclusion/?offset=2&checkpoint=1").json
    assert proof["checkpoint"] == one and proof["event"]["offset"] == 2
    proof = worked.ana.get(f"{path}/consistency/?from=1").json
    assert (proof["from"], proof["to"]) == (one, other) and proof["path"]
    for query, field in (
        ("inclusion/", "offset"), ("inclusion/?offset=x", "offset"), (f"inclusion/?offset={worked.head}", "offset"),
        ("inclusion/?offset=1&checkpoint=0", "checkpoint"),
        ("consistency/", "from"), ("consistency/?from=2&to=1", "to"),
    ):  # fmt: skip
        answer = worked.ana.get(f"{path}/{query}")
        assert (answer.status, answer.json["field"]) == (400, field), query
    assert worked.ana.get(f"{path}/inclusion/?offset=1&checkpoint=3").status == 404
    assert worked.ben.get(f"{path}/inclusion/?offset=1").status == 403
    sign_checkpoint(intent=people.operator("test"), log=INSTALLATION)
    assert root.get("/audit/proofs/inclusion/?offset=1").json["event"]["log"] == str(INSTALLATION)
    assert root.get("/audit/proofs/consistency/?from=1&log=security").status == 404
    assert root.get("/audit/proofs/consistency/?from=1&log=x").json["field"] == "log"
    assert worked.ana.get("/audit/proofs/inclusion/?offset=1").status == 403


def test_of_a_log_with_missing_events_nothing_is_proved_and_it_is_said_who_says_more(worked, tmp_path, settings):
    settings.HOME, settings.SIGNING_KEY = tmp_path, ""
    add_signing_key(intent=people.operator("test"))
    for _ in range(2):
        sign_checkpoint(intent=people.operator("test"), log=worked.id)
        assert worked.edit(BOX, by=worked.ben).status == 200
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE log_event DISABLE TRIGGER USER")
        cursor.execute('DELETE FROM log_event WHERE log = %s AND "offset" = 2', [worked.id])
        for query in ("inclusion/?offset=1", "inclusion/?offset=2", "inclusion/?offset=3"):
            answer = worked.ana.get(f"{worked.path}/audit/proofs/{query}")
            assert (answer.status, answer.json["code"]) == (409, "refused"), query
            assert "manage.py verify" in answer.json["detail"]
        transaction.set_rollback(True)


def test_there_is_no_other_report(street, root):
    assert street.ana.get(f"{street.path}/audit/A99/").status == 404
    assert root.get("/audit/duties/").status == 404


def test_a_page_is_a_file_of_its_own(worked):
    answer = worked.ana.get(f"{worked.path}/audit/duties/?format=html")
    assert answer.headers["Content-Disposition"] == f'inline; filename="A8-duties-{worked.head}.html"'
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert answer.raw.startswith(b"<!doctype html>")
