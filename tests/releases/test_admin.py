from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.log import store
from labeling.models import Person
from releases import builds, commands, exports
from releases.models import ExportBuild, Release, ReleaseBuild, Training
from tests.labeling.admin.markup import refused

LIST = "admin:releases_release_changelist"
ADD = "admin:releases_release_add"


@pytest.fixture
def admin(person: Callable[..., Person]) -> Client:
    """Somebody who runs the installation and is a member of nothing, logged in."""
    client = Client()
    client.force_login(person("runs-it", superuser=True))
    return client


@pytest.fixture
def street(person: Callable[..., Person], dataset: Any, sample: Any, label: Any) -> uuid.UUID:
    """ana's dataset ana/street with one labeled sample."""
    ana = person("ana")
    made: uuid.UUID = dataset(ana, name="street")
    label(sample(made, ana), ana)
    return made


@pytest.fixture
def release(street: uuid.UUID, person: Any, intent: Any) -> Release:
    """A release of ana/street whose file is not made yet."""
    return Release.objects.get(id=commands.cut_release(intent=intent(person("ana")), dataset=street, name="v1"))


def page_of(release: Release) -> str:
    return reverse("admin:releases_release_change", args=[release.id])


def test_a_cut_release_is_an_event_of_the_person_in_the_admin(admin: Client, street: uuid.UUID, person: Any) -> None:
    head = store.head(street)

    answer = admin.post(reverse(ADD), {"dataset": "ana/street", "name": "first one", "description": "all of it"})

    assert answer.status_code == 302
    (event,) = store.read(street, after=head)
    assert (event.type, event.intent.author, event.intent.tool) == ("ReleaseCut", person("runs-it").id, "admin")
    made = Release.objects.get(dataset_id=street)
    assert (made.name, made.description, made.at_offset) == ("first one", "all of it", head)


@pytest.mark.parametrize(
    ("field", "changes"),
    [("name", {"name": "v1"}), ("name", {"name": "../v2"}), ("name", {"name": ""}), ("dataset", {"dataset": "ana/no"})],
)
def test_what_does_not_fit_is_said_at_its_field(
    admin: Client, release: Release, field: str, changes: dict[str, str]
) -> None:
    answer = admin.post(reverse(ADD), {"dataset": "ana/street", "name": "v2"} | changes)

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert list(Release.objects.filter(dataset_id=release.dataset_id)) == [release]


def test_a_release_is_listed_with_its_offset_and_status_and_a_link_once_it_is_made(
    admin: Client, release: Release
) -> None:
    before = admin.get(reverse(LIST)).content.decode()
    builds.build(release.id)
    after = admin.get(reverse(LIST)).content.decode()

    assert "being made" in before
    assert "download" not in before
    assert "ready" in after
    assert f'field-frozen">{release.at_offset}<' in after
    link = re.search(r'href="(/releases/[^"]+)" download', after)
    assert link is not None
    file = admin.get(link[1])
    assert file.status_code == 200
    assert b'"street"' in b"".join(file)


def test_a_failed_release_says_why(admin: Client, release: Release) -> None:
    builds.build(release.id)
    ReleaseBuild.objects.filter(release_id=release.id).update(status="FAILED", error="the file <was> lost")

    page = admin.get(page_of(release)).content.decode()

    assert "failed" in page
    assert "the file &lt;was&gt; lost" in page
    assert refused(page) == []


def test_a_release_cannot_be_changed(admin: Client, release: Release) -> None:
    assert 'name="_save"' not in admin.get(page_of(release)).content.decode()
    assert admin.post(page_of(release), {"name": "other"}).status_code == 403


def test_withdrawing_a_release_is_an_event(admin: Client, release: Release) -> None:
    head = store.head(release.dataset_id)

    admin.post(reverse("admin:releases_release_delete", args=[release.id]))

    assert [event.type for event in store.read(release.dataset_id, after=head)] == ["ReleaseWithdrawn"]
    assert release not in admin.get(reverse(LIST)).context["cl"].result_list


def test_only_admins_of_the_dataset_have_files_made_again(
    admin: Client, release: Release, person: Any, intent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labeling.commands import datasets

    asked: list[uuid.UUID] = []
    monkeypatch.setattr(commands, "build_again", lambda *, release: asked.append(release))
    viewer = person("vic", staff=True)
    datasets.add_member(intent=intent(person("ana")), dataset=release.dataset_id, person=viewer.id, role="viewer")
    client = Client()
    client.force_login(viewer)
    chosen = {"action": "make_again", "_selected_action": [str(release.id)]}

    client.post(reverse(LIST), chosen)
    assert asked == []
    admin.post(reverse(LIST), chosen)
    assert asked == [release.id]


def test_its_events_are_told_in_words(admin: Client, release: Release) -> None:
    page = admin.get(reverse("admin:index")).content.decode()

    assert "<b>ana</b> cut the release" in page
    assert f'<a href="{page_of(release)}">v1</a>' in page


def test_a_release_is_exported_from_its_page(admin: Client, release: Release) -> None:
    page = admin.get(page_of(release)).content.decode()
    action = reverse("admin:releases_release_export", args=[release.id])
    assert f'formaction="{action}"' in page and '<option value="coco-instances">COCO instances</option>' in page

    assert admin.post(action, {"format": "coco-instances"}).status_code == 302
    job = ExportBuild.objects.get(release_id=release.id)
    assert "being made" in admin.get(page_of(release)).content.decode()
    exports.build(job.id)

    page = admin.get(page_of(release)).content.decode()
    [url] = re.findall(r'<a href="(/exports/[^"]+/street-v1-coco-instances.zip)" download>', page)
    answer: Any = Client().get(url)
    assert b"".join(answer.streaming_content)[:2] == b"PK"
    assert "of all: " in page

    refused_answer = admin.post(action, {"format": "nonsense"}, follow=True)
    assert "must be one of" in refused_answer.content.decode()
    assert admin.get(action).status_code == 405
    assert Client().post(action, {"format": "coco-instances"}).status_code == 302  # to the login
    assert ExportBuild.objects.count() == 1


def test_a_stranger_exports_nothing_from_the_admin(release: Release, person: Any) -> None:
    stranger = Client()
    stranger.force_login(person("stranger", staff=True))
    action = reverse("admin:releases_release_export", args=[release.id])
    assert stranger.post(action, {"format": "coco-instances"}).status_code in (403, 404)
    assert not ExportBuild.objects.exists()


def test_the_page_leads_from_the_sources_to_the_trainings(
    admin: Client, release: Release, person: Any, intent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds.build(release.id)
    said = {"name": "may-2", "model": "detector", "version": "3.1", "metrics": {"mAP": 0.4}, "link": "https://x.org/r"}
    commands.register_training(intent=intent(person("ana")), release=release, said=said)
    page = admin.get(page_of(release)).content.decode()
    training = Training.objects.get(release_id=release.id)
    assert f'<a href="{reverse("admin:releases_training_change", args=[training.id])}">may-2</a>' in page
    assert '<a href="https://x.org/r" rel="noopener noreferrer"' in page
    assert "<td>detector 3.1</td>" in page
    assert "<td>mAP 0.4</td>" in page
    assert "<td>Sources</td><td>ana</td>" in page
    assert "/datasets/ana/street/releases/v1/archive/" in page
    monkeypatch.setattr("releases.admin.trainings.COUNTED_EVENTS", 1)
    page = admin.get(page_of(release)).content.decode()
    assert "Too much happened to count it here" in page
    assert "may-2" in page
