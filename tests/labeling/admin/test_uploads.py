"""Uploads in the admin: by files and ZIP archives, as a page and as lines for the script, never held in memory."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.test import Client
from django.urls import reverse

from labeling.admin import uploads
from labeling.commands import datasets, pictures
from labeling.commands.pictures import Outcome, Source
from labeling.log.event import Intent
from labeling.models import Sample
from tests.labeling.admin.markup import refused
from tests.labeling.admin.world import World, logged_in, png


def address(world: World) -> str:
    return reverse("admin:labeling_dataset_upload", args=[world.dataset])


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def file(name: str, data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def groups(answer: Any) -> dict[str, list[str]]:
    return {what: [item.name for item in items] for what, _, _, items, _ in answer.context["groups"]}


def test_the_page_holds_nothing_that_its_policy_refuses_and_says_where_it_is(world: World) -> None:
    answer = world.admin.get(address(world))

    assert answer.status_code == 200
    assert refused(answer.content.decode()) == []
    assert "edda/street" in answer.content.decode()


def test_files_and_archives_become_samples_of_the_person_in_the_admin(world: World) -> None:
    sent = [
        file("two.png", png()),
        file("more.zip", zipped(("day/a.png", png((1, 2, 3))), ("one.png", png()), ("read.me", b"hello"))),
    ]
    answers: list[Any] = []

    events = world.new_events(
        lambda: answers.append(world.clients["edda"].post(address(world), {"files": sent})), world.dataset
    )

    assert groups(answers[0]) == {
        "refused": ["read.me"],
        "there": ["one.png"],
        "made": ["two.png", "day/a.png"],
    }
    assert {(event.intent.author, event.intent.tool) for event in events} == {(world.edda.id, "admin")}
    assert len({event.intent.correlation for event in events}) == 1
    assert refused(answers[0].content.decode()) == []


def test_the_script_gets_a_line_for_each_file_as_it_is_done(world: World) -> None:
    sent = [file("two.png", png()), file("bad.png", b"hello")]

    answer = world.admin.post(address(world), {"files": sent}, headers={"Accept": uploads.LINES})

    assert answer.streaming
    assert answer["Content-Type"] == uploads.LINES
    lines = [json.loads(line) for line in b"".join(answer).splitlines()]
    assert lines[0] == {"total": 2}
    assert [(line["name"], line["what"]) for line in lines[1:]] == [("two.png", "made"), ("bad.png", "refused")]


def test_an_error_in_the_middle_of_the_lines_is_a_line(world: World, monkeypatch: Any) -> None:
    def breaks(**_: Any) -> Any:
        yield Outcome("a.png", "made")
        raise ConnectionError

    monkeypatch.setattr(pictures, "add_pictures", breaks)

    answer = world.admin.post(address(world), {"files": [file("a.png", png())]}, headers={"Accept": uploads.LINES})

    assert "could not go on" in json.loads(b"".join(answer).splitlines()[-1])["error"]


def test_what_is_uploaded_lies_on_the_disk_and_not_in_memory(world: World, monkeypatch: Any) -> None:
    kinds: list[type] = []

    def noted(files: list[Any]) -> list[Source]:
        kinds.extend(map(type, files))
        return []

    monkeypatch.setattr(uploads, "sources_of", noted)

    world.admin.post(address(world), {"files": [file("small.png", b"x")]})

    assert kinds == [TemporaryUploadedFile]


def test_an_archive_that_cannot_be_read_is_refused_by_its_name(world: World) -> None:
    sent = [file("broken.zip", b"PK\x03\x04 and no more"), file("empty.zip", zipped())]

    answer = world.admin.post(address(world), {"files": sent})

    assert groups(answer)["refused"] == ["broken.zip", "empty.zip"]


def test_archives_that_hold_too_much_together_are_refused_from_there_on(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(uploads, "MOST_MEMBERS", 2)
    sent = [
        file("first.zip", zipped(("a.png", png()), ("b.png", png()))),
        file("second.zip", zipped(("c.png", png()))),
    ]

    assert groups(world.admin.post(address(world), {"files": sent})) == {
        "refused": ["second.zip"],
        "there": [],
        "made": ["a.png", "b.png"],
    }


@pytest.mark.parametrize("sent", [{}, {"files": ""}])
def test_nothing_chosen_is_said(world: World, sent: dict[str, str]) -> None:
    answer = world.admin.post(address(world), sent)

    assert answer.status_code == 400
    assert "Choose at least one" in answer.content.decode()


def test_too_many_files_for_one_request_are_said(world: World) -> None:
    sent = [file(f"{number}.png", b"") for number in range(uploads.MOST_FILES + 1)]

    answer = world.admin.post(address(world), {"files": sent})

    assert answer.status_code == 400
    assert "pack them into a ZIP archive" in answer.content.decode()


def test_more_bytes_than_may_come_at_once_are_not_read(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(uploads, "MOST_BYTES", 100)

    answer = world.admin.post(address(world), {"files": [file("a.png", bytes(200))]})

    assert answer.status_code == 400
    assert "8 GB" in answer.content.decode()


def test_a_body_that_is_cut_off_is_said(world: World) -> None:
    answer = world.admin.post(address(world), b"--x\r\nnonsense", content_type="multipart/form-data; boundary=")

    assert answer.status_code == 400
    assert "arrived damaged" in answer.content.decode()


def test_another_site_cannot_upload(world: World) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(world.anke)

    answer = strict.post(address(world), {"files": [file("two.png", png())]})

    assert answer.status_code == 403
    assert not Sample.objects.filter(name="two.png").exists()


@pytest.mark.parametrize("role", [None, "viewer", "labeler", "reviewer", "manager"])
def test_who_may_not_change_the_dataset_uploads_nothing(world: World, role: str | None) -> None:
    if role is not None:
        intent = Intent(author=world.edda.id)
        datasets.add_member(intent=intent, dataset=world.dataset, person=world.maja.id, role=role)
    client = logged_in(world.maja)

    def act() -> None:
        status = 404 if role is None else 403
        assert client.get(address(world)).status_code == status
        assert client.post(address(world), {"files": [file("two.png", png())]}).status_code == status

    assert world.new_events(act) == []


def test_a_dataset_of_sequences_says_that_it_takes_no_pictures(world: World) -> None:
    made = datasets.create_dataset(
        intent=Intent(author=world.edda.id),
        owner=world.edda.id,
        name="film",
        task_type="image-vector-sequence",
        task_attributes=None,
        changes={},
    )

    page = world.clients["edda"].get(reverse("admin:labeling_dataset_upload", args=[made])).content.decode()

    assert "no single pictures" in page
    assert 'type="file"' not in page
