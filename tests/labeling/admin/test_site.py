from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from labeling import events as e
from labeling.admin.events import event_id
from labeling.admin.site import MENU, PalimpsestSite
from labeling.commands import people
from labeling.log.event import INSTALLATION
from labeling.models import Dataset, StoredEvent
from tests.labeling.admin.markup import refused
from tests.labeling.admin.world import World, logged_in


def objects_of(world: World) -> dict[str, Any]:
    """An object's id for the page of each registered model."""
    return {
        "labeling_dataset": world.dataset,
        "labeling_sample": world.sample,
        "labeling_labelset": world.predictions.id,
        "labeling_label": world.label.id,
        "labeling_storedevent": event_id(world.dataset, 1),
        "labeling_person": world.bodo.id,
        "labeling_apikey": world.key.id,
        "labeling_issue": world.issue,
        "labeling_organizationmember": world.organization.id,
    }


def pages(world: World) -> list[str]:
    """Every page that can be read: of the site, and of each model its list, its form for a new one and an object."""
    found = [reverse(f"admin:{name}") for name in ("index", "password_change", "password_change_done")]
    known = objects_of(world)
    for model, page in admin.site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        found.append(reverse(f"admin:{name}_changelist"))
        if getattr(page, "add_form", None) is not None:
            found.append(reverse(f"admin:{name}_add") + (f"?sample={world.sample}" if name == "labeling_issue" else ""))
        if name in known:
            found.append(reverse(f"admin:{name}_change", args=[known[name]]))
            if getattr(page, "deletion", ""):
                found.append(reverse(f"admin:{name}_delete", args=[known[name]]))
    found += [reverse(f"admin:labeling_dataset_{name}", args=[world.dataset]) for name in ("upload", "categories")]
    found += [
        reverse("admin:labeling_dataset_attributes", args=[world.dataset, category]) for category in ("image", "1")
    ]
    found.append(reverse("admin:labeling_sample_thumbnail", args=[world.sample, "small"]))
    found.append(f"{reverse('admin:labeling_storedevent_changelist')}?log={world.dataset}")
    found.append(f"{reverse('admin:labeling_storedevent_changelist')}?log={INSTALLATION}")
    found.append(reverse("admin:labeling_storedevent_change", args=[event_id(INSTALLATION, 1)]))
    return found


def test_the_site_is_ours() -> None:
    assert isinstance(admin.site._wrapped, PalimpsestSite)  # type: ignore[attr-defined]


def test_only_models_of_the_menu_are_registered_and_all_of_them() -> None:
    registered = {model._meta.label for model in admin.site._registry}

    assert registered == {name for names in MENU.values() for name in names}


def test_every_page_wants_a_login(world: World) -> None:
    for page in pages(world):
        answer = Client().get(page)

        assert answer.status_code == 302, page
        assert answer["Location"].startswith(reverse("admin:login")), page


def test_who_may_not_open_the_admin_gets_no_page(world: World) -> None:
    client = logged_in(world.bodo)

    for page in pages(world):
        assert client.get(page).status_code == 302, page


def test_every_page_answers(world: World) -> None:
    for page in pages(world):
        assert world.admin.get(page).status_code == 200, page


def test_no_page_holds_what_its_content_policy_refuses(world: World) -> None:
    for page in [*pages(world), reverse("docs")]:
        answer = world.admin.get(page)
        if answer["Content-Type"].startswith("text/html"):
            assert refused(answer.content.decode()) == [], page


def test_the_login_page_holds_nothing_refused_either() -> None:
    assert refused(Client().get(reverse("admin:login")).content.decode()) == []


def test_the_checker_finds_what_a_policy_refuses() -> None:
    html = (
        "<style>b{}</style><b style='x' onclick='y'></b><script>1</script><a href='javascript:1'></a><img src='//x/y'>"
    )

    assert len(refused(html)) == 6


def test_a_page_of_an_object_that_is_not_there_leads_to_the_overview(world: World) -> None:
    for name in ("dataset", "sample", "labelset", "label", "person", "apikey"):
        answer = world.admin.get(reverse(f"admin:labeling_{name}_change", args=[uuid.uuid4()]))

        assert answer.status_code == 302, name
        assert answer["Location"] == reverse("admin:index"), name


def test_the_menu_shows_only_what_somebody_may_see(world: World) -> None:
    own = world.clients["edda"].get(reverse("admin:index")).content.decode()
    all_of_it = world.admin.get(reverse("admin:index")).content.decode()

    assert "Background jobs" in all_of_it
    assert "Background jobs" not in own
    assert reverse("admin:labeling_person_changelist") not in own
    assert reverse("admin:labeling_dataset_changelist") in own


def test_pages_for_superusers_refuse_others(world: World) -> None:
    for name in ("labeling_person_changelist", "labeling_person_add", "dramatiq_postgres_job_changelist"):
        assert world.clients["edda"].get(reverse(f"admin:{name}")).status_code == 403, name


def test_somebody_sees_only_datasets_that_they_are_in(world: World) -> None:
    client = world.clients["maja"]

    assert "street" not in client.get(reverse("admin:index")).content.decode()
    assert "street" not in client.get(reverse("admin:labeling_dataset_changelist")).content.decode()
    for name in ("dataset", "sample", "label", "labelset"):
        address = reverse(f"admin:labeling_{name}_change", args=[objects_of(world)[f"labeling_{name}"]])
        assert client.get(address).status_code == 302, name


def test_the_overview_tells_what_happened_in_words(world: World) -> None:
    page = world.admin.get(reverse("admin:index")).content.decode()

    assert "<b>bodo</b> added 2 objects" in page
    assert "one.png · ground-truth" in page
    assert "edda/</span>street" in page
    assert "1 labeling" in page  # the bar's words


def test_the_overview_of_an_empty_installation_says_so(world: World) -> None:
    Dataset.objects.filter(public=True).update(public=False)  # what another test may have left

    page = world.clients["maja"].get(reverse("admin:index")).content.decode()

    assert "No dataset yet" in page
    assert "Nothing yet" in page


def test_an_app_has_no_page_of_its_own(world: World) -> None:
    answer = world.admin.get("/admin/labeling/")

    assert (answer.status_code, answer["Location"]) == (302, reverse("admin:index"))


def test_ones_own_password_is_changed_by_the_command(world: World) -> None:
    people.set_password(intent=people.operator("test"), person=world.anke, password="the old one 1")
    world.admin.force_login(world.anke)
    said = {"old_password": "the old one 1", "new_password1": "quite another 1", "new_password2": "quite another 1"}

    events = world.new_events(lambda: world.admin.post(reverse("admin:password_change"), said), INSTALLATION)

    assert [(event.fact, event.intent.author, event.intent.tool) for event in events] == [
        (e.PersonChanged(password=True), world.anke.id, "admin")
    ]
    world.anke.refresh_from_db()
    assert world.anke.check_password("quite another 1")
    assert world.admin.get(reverse("admin:index")).status_code == 200  # still logged in


def test_histories_lead_to_the_events(world: World) -> None:
    address = reverse("admin:labeling_label_history", args=[world.label.id])

    answer = world.admin.get(address, follow=True)

    assert answer.status_code == 200
    assert answer.content.decode().count("AnnotationAdded</code>") == 2


@pytest.mark.parametrize("client", ["edda", "maja"])
def test_nobody_writes_djangos_own_log(world: World, client: str) -> None:
    world.admin.post(reverse("admin:labeling_dataset_delete", args=[world.dataset]))
    world.clients[client].post(reverse("admin:labeling_apikey_add"), {"name": "x", "scope": "read", "origin": "person"})

    assert LogEntry.objects.count() == 0
    ours = StoredEvent.objects.filter(tool="admin", author__in=(world.anke.id, world.edda.id, world.maja.id))
    assert sorted(ours.values_list("type", flat=True)) == ["DatasetDeleted", "KeyCreated"]
