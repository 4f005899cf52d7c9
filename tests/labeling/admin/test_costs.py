"""What the pages cost in SQL: a list of a hundred rows takes as many statements as one of three."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from labeling.commands import bulk, datasets, issues, organizations, people, samples
from labeling.log.event import Intent
from labeling.rules.bulk import checked_change
from tests.labeling.admin.world import World


def unused(count: int) -> list[str]:
    """Names that nothing has yet."""
    return [f"more-{uuid.uuid4().hex[:12]}" for _ in range(count)]


def more_datasets(world: World, count: int) -> None:
    for name in unused(count):
        datasets.create_dataset(
            intent=Intent(author=world.edda.id),
            owner=world.edda.id,
            name=name,
            task_type="vector",
            task_attributes=None,
            changes={},
        )


def more_samples(world: World, count: int) -> None:
    items = [samples.checked_sample({"name": name, "attributes": {}}) for name in unused(count)]
    ids = samples.add_samples(
        intent=Intent(author=world.edda.id), dataset=world.dataset, items=items, keep_existing=False
    )
    intent, change = Intent(author=world.edda.id, reason="v1.why"), checked_change("status", "LABELED")
    bulk.change_in_bulk(intent=intent, change=change, expected=dict.fromkeys(ids[::2], "UNLABELED"))


def more_issues(world: World, count: int) -> None:
    for number in range(count):
        author = (world.edda, world.bodo)[number % 2]
        fields = issues.checked_issue({"description": f"issue {number}"})
        issues.open_issue(intent=Intent(author=author.id), sample=world.sample, fields=fields)


def more_label_sets(world: World, count: int) -> None:
    for name in unused(count):
        datasets.add_label_set(intent=Intent(author=world.edda.id), dataset=world.dataset, name=name)


def more_organizations(world: World, count: int) -> None:
    for name in unused(count):
        organizations.found_organization(intent=Intent(author=world.anke.id), username=name)


def more_members(world: World, count: int) -> None:
    for name in unused(count):
        person = people.add_person(intent=people.operator("test"), username=name)
        intent = Intent(author=world.edda.id)
        datasets.add_member(intent=intent, dataset=world.dataset, person=person.id, role="viewer")


def more_keys(world: World, count: int) -> None:
    for number in range(count):
        people.create_key(intent=people.operator("test"), person=world.edda, name=f"more {number}")


def more_categories(world: World, count: int) -> None:
    listed = [{"id": number, "name": f"c{number}", "attributes": []} for number in range(1, count + 3)]
    document = {"categories": listed}
    intent = Intent(author=world.edda.id)
    datasets.change_dataset(intent=intent, dataset=world.dataset, changes={}, task_attributes=document)


PAGES: dict[str, tuple[Callable[[World, int], None], Callable[[World], str]]] = {
    "datasets": (more_datasets, lambda world: reverse("admin:labeling_dataset_changelist")),
    "samples": (more_samples, lambda world: f"{reverse('admin:labeling_sample_changelist')}?dataset={world.dataset}"),
    "issues": (more_issues, lambda world: reverse("admin:labeling_issue_changelist")),
    "label sets": (more_label_sets, lambda world: reverse("admin:labeling_labelset_changelist")),
    "progress": (more_label_sets, lambda world: reverse("admin:labeling_dataset_change", args=[world.dataset])),
    "members": (more_members, lambda world: reverse("admin:labeling_dataset_change", args=[world.dataset])),
    "organisations": (more_organizations, lambda world: reverse("admin:labeling_organizationmember_changelist")),
    "keys": (more_keys, lambda world: reverse("admin:labeling_apikey_changelist")),
    "categories": (more_categories, lambda world: reverse("admin:labeling_dataset_categories", args=[world.dataset])),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_many_rows_takes_as_many_statements_as_one_of_few(world: World, name: str) -> None:
    make, address = PAGES[name]

    def statements() -> list[int]:
        """For who runs the installation, and for an admin of the dataset."""
        found = []
        for browser in (world.admin, world.clients["edda"]):
            with CaptureQueriesContext(connection) as captured:
                assert browser.get(address(world)).status_code == 200
            found.append(len(captured))
        return found

    make(world, 2)
    statements()  # once before, because Django remembers some things of a process
    few = statements()
    make(world, 40)

    assert statements() == few


def test_a_dry_run_of_many_samples_takes_as_many_statements_as_one_of_few(world: World) -> None:
    more_samples(world, 60)
    ids = list(world.listed("admin:labeling_sample_changelist", dataset=world.dataset))

    def statements(count: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            change = checked_change("priority", 5)
            assert len(bulk.plan_bulk_change(person=world.edda.id, samples=ids[:count], change=change)) == count
        return len(captured)

    assert statements(30) == statements(3)


def test_the_progress_of_each_label_set_is_counted(world: World) -> None:
    from labeling.models import LabelSet
    from labeling.queries.progress import progress_of_label_sets

    more_samples(world, 4)
    found = progress_of_label_sets(world.dataset)
    own = {row.name: found[row.id] for row in LabelSet.objects.filter(dataset_id=world.dataset)}

    assert own == {
        "ground-truth": {"TOTAL": 5, "LABELING_IN_PROGRESS": 1, "LABELED": 2, "UNLABELED": 2},
        "yolo": {"TOTAL": 5, "UNLABELED": 5},
    }
    samples.archive_sample(intent=Intent(author=world.edda.id), sample=world.sample)
    again = progress_of_label_sets(world.dataset)
    assert again[world.label.label_set_id] == {"TOTAL": 4, "LABELED": 2, "UNLABELED": 2}
    html = world.admin.get(reverse("admin:labeling_dataset_change", args=[world.dataset])).content.decode()
    assert 'aria-label="2 labeled, 2 unlabeled"' in html
    assert "unlabeled <b>4</b>" in html
