"""The audit's pages: who sees them, that reading them is told, and that they show what the reports answer."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.urls import reverse

from labeling.admin import audit
from labeling.admin.audit import LOOKS
from labeling.audit import writing
from labeling.audit.asking import ask
from labeling.audit.catalogue import reports
from labeling.audit.report import Question
from labeling.audit.scenes import Scenes
from labeling.commands import datasets
from labeling.log import store
from labeling.log.event import SECURITY, Intent
from tests.labeling.admin.world import World, logged_in


def page_of(client: Any, world: World, report: str = "", **query: str) -> Any:
    if report:
        return client.get(reverse("admin:labeling_dataset_audited", args=[world.dataset, report]), query)
    return client.get(reverse("admin:labeling_dataset_audit", args=[world.dataset]), query)


def test_every_look_draws_columns_of_a_part_that_is_there():
    for name, look in LOOKS.items():
        columns = reports("dataset")[name].parts[look.part].columns
        assert set(look.series) <= set(columns)


@pytest.fixture
def admin(world) -> Any:
    return logged_in(world.edda)


def test_the_catalogue_leads_to_every_report_and_to_the_bundle(world, admin):
    page = page_of(admin, world)
    text = page.content.decode()
    assert page.status_code == 200 and "/bundle/" in text and "None yet" in text
    for name, report in reports("dataset").items():
        assert reverse("admin:labeling_dataset_audited", args=[world.dataset, name]) in text
        assert report.code in text


@pytest.mark.parametrize("name", reports("dataset"))
def test_each_report_has_a_page_with_its_digest_and_files(world, admin, name):
    page = page_of(admin, world, name)
    text = page.content.decode()
    assert page.status_code == 200, text[:500]
    (digest,) = re.findall(r"digest <code>([0-9a-f]{64})</code>", text)
    (address,) = re.findall(r'href="([^"]*format=ndjson[^"]*)"', text)
    answer = admin.get(address.replace("&amp;", "&"))
    lines = b"".join(answer.streaming_content).splitlines()
    assert digest.encode() in lines[-1]  # the file is by the offsets of the page


def test_a_story_shows_its_first_rows_and_its_digest_is_over_all(world, admin, monkeypatch):
    monkeypatch.setattr(audit, "MOST_ROWS", 2)
    page = page_of(admin, world, "record")
    text = page.content.decode()
    (address,) = re.findall(r'href="([^"]*format=ndjson[^"]*)"', text)
    *rows, last = b"".join(admin.get(address.replace("&amp;", "&")).streaming_content).splitlines()
    count = len(rows) - 1  # behind the definition
    assert count > 2 and f"{count} rows, the first 2 here" in text
    assert json.loads(last) == {"part": "digest", "count": count, "digest": page.context["digest"]}
    assert text.count("<li id=") == len({json.loads(row)["offset"] for row in rows[1:3]})


def test_behind_the_rows_that_a_story_shows_nothing_is_drawn(world, admin, monkeypatch):
    drawn = list[int]()
    monkeypatch.setattr(writing, "BATCH", 1)
    monkeypatch.setattr(Scenes, "_of_piece", lambda self, told, kind, key: drawn.append(told.event.offset))
    asked = ask(reports("dataset")["record"], world.dataset, Question())
    moved = [cells["offset"] for _, cells in asked.rows if str(cells["what"]).startswith("annotation:")]
    monkeypatch.setattr(audit, "MOST_ROWS", 10**6)
    assert page_of(admin, world, "record").status_code == 200
    assert drawn == moved != []
    drawn.clear()
    monkeypatch.setattr(audit, "MOST_ROWS", 1)
    assert page_of(admin, world, "record").status_code == 200
    assert drawn == []


def test_people_are_told_by_their_names_and_ids_stay_behind(world, admin):
    text = page_of(admin, world, "access").content.decode()
    who = world.bodo
    assert f'<span title="{who.id}">{who.username}</span>' in text


def test_reading_a_page_is_told(world, admin):
    page_of(admin, world, "duties")
    event = store.read(SECURITY, after=store.head(SECURITY) - 1)[0]
    assert (event.type, event.data["what"], event.data["form"]) == ("AuditRead", "duties", "page")


@pytest.mark.parametrize("role", ["viewer", "labeler", "reviewer", "manager"])
def test_others_than_admins_see_none(world, role):
    intent = Intent(author=world.edda.id)
    datasets.add_member(intent=intent, dataset=world.dataset, person=world.maja.id, role=role)
    client = logged_in(world.maja)
    assert page_of(client, world).status_code == 403
    assert page_of(client, world, "events").status_code == 403
    assert client.get(reverse("admin:audits")).status_code == 403
    assert "/audit/" not in client.get(reverse("admin:labeling_dataset_reports", args=[world.dataset])).content.decode()


def test_the_installations_audit_is_for_who_runs_it(world, admin):
    assert admin.get(reverse("admin:audits")).status_code == 403
    assert world.admin.get(reverse("admin:audits")).status_code == 200
    for name in reports("installation"):
        page = world.admin.get(reverse("admin:audited", args=[name]))
        assert page.status_code == 200 and "digest <code>" in page.content.decode()
    assert world.admin.get(reverse("admin:audited", args=["duties"])).status_code == 404


def test_the_files_of_all_logs_come_by_a_form_because_an_address_ends(world, admin):
    address = reverse("admin:audited", args=["integrity"])
    page = world.admin.get(address, {"from": "2026-01-01"})
    assert 'href="/audit/integrity/' not in page.content.decode()
    said = {"logs_at": page.context["logs_at"], "format": "json"}
    again = address + page.context["again"]
    assert str(world.dataset)[-12:] in said["logs_at"] and len(again) < 200
    datasets.change_dataset(intent=Intent(author=world.edda.id), dataset=world.dataset, changes={"description": "x"})
    answer = world.admin.post(again, said)
    assert f'"digest":"{page.context["digest"]}"'.encode() in b"".join(answer.streaming_content)
    event = store.read(SECURITY, after=store.head(SECURITY) - 1)[0]
    assert (event.data["what"], event.data["form"]) == ("integrity", "json")
    assert world.admin.post(again, said | {"format": "pdf"}).status_code == 404
    assert world.admin.post(again, said | {"logs_at": "x"}).status_code == 404
    assert admin.post(again, said).status_code == 403


def test_what_makes_no_sense_is_said(world, admin):
    page = page_of(admin, world, "duties", fast_s="soon")
    assert page.status_code == 400 and "fast_s: must be a whole number" in page.content.decode()
    page = page_of(admin, world, "duties", at="-1")
    assert page.status_code == 400 and "at: must be an offset" in page.content.decode()
    assert page_of(admin, world, "nothing").status_code == 404
