from __future__ import annotations

import re
import uuid

import pytest
from django.urls import reverse

from labeling.commands import labels
from labeling.log import projector
from labeling.log.event import Intent
from labeling.models import Label
from tests.labeling.admin.world import World, add_sample

LIST = "admin:labeling_label_changelist"


def page_of(label: uuid.UUID) -> str:
    return reverse("admin:labeling_label_change", args=[label])


def test_a_labels_page_shows_its_objects_by_category_and_who_touched_them_last(world: World) -> None:
    page = world.admin.get(page_of(world.label.id)).content.decode()

    assert "one.png · ground-truth" in page
    assert page.count("<td>bodo</td>") == 2
    for word in ("car", "tree", "bbox", "point", 'fill="#c81e1e"', "labeling"):
        assert word in page


def test_a_label_that_is_kept_verbatim_is_shown_as_it_is(world: World) -> None:
    from labeling.commands import datasets

    dataset = datasets.create_dataset(
        intent=Intent(author=world.edda.id),
        owner=world.edda.id,
        name="clouds",
        task_type="pointcloud-cuboid",
        task_attributes=None,
        changes={},
    )
    sample = add_sample(dataset, world.edda, "cloud", {"pcd": {"url": "https://example.org/c.pcd"}})
    centre = {"x": 1, "y": 2, "z": 3}
    cuboid = {"id": 1, "category_id": 1, "type": "cuboid", "position": centre, "dimensions": centre, "yaw": 0.25}
    document = {"annotations": [cuboid]}
    intent = Intent(author=world.edda.id)
    labels.save_label(intent=intent, sample=sample, label_set="ground-truth", document=document, create=True)

    page = world.admin.get(page_of(Label.objects.get(sample_id=sample).id)).content.decode()

    assert "&quot;yaw&quot;: 0.25" in page


def test_labels_cannot_be_changed_added_or_deleted(world: World) -> None:
    def act() -> None:
        assert world.admin.post(page_of(world.label.id), {"status": "VERIFIED"}).status_code == 403
        assert world.admin.post(reverse("admin:labeling_label_add"), {}).status_code == 403
        assert world.admin.post(reverse("admin:labeling_label_delete", args=[world.label.id])).status_code == 403
        chosen = {"action": "delete_selected", "_selected_action": [str(world.label.id)], "post": "yes"}
        world.admin.post(reverse(LIST), chosen)

    assert world.new_events(act) == []
    assert Label.objects.filter(id=world.label.id, deleted=False).exists()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "one"}, True),
        ({"q": "absent"}, False),
        ({"status": "LABELING_IN_PROGRESS"}, True),
        ({"status": "LABELED"}, False),
    ],
)
def test_labels_are_found_by_sample_and_status(world: World, query: dict[str, str], found: bool) -> None:
    assert (world.label.id in world.listed(LIST, **query)) is found


def test_labels_are_found_by_uuid_and_label_set(world: World) -> None:
    queries = [{"q": str(world.label.id)}, {"q": str(world.sample)}, {"label_set_id": str(world.label.label_set_id)}]

    for query in queries:
        assert world.listed(LIST, **query) == {world.label.id}
    assert world.listed(LIST, label_set_id=world.predictions.id) == set()


def test_a_deleted_label_is_not_shown(world: World) -> None:
    labels.delete_label(intent=Intent(author=world.bodo.id), sample=world.sample, label_set="ground-truth")

    assert world.label.id not in world.listed(LIST)
    assert world.admin.get(page_of(world.label.id)).status_code == 302


def test_a_labels_page_leads_to_its_masks(world: World) -> None:
    page = world.admin.get(page_of(world.label.id)).content.decode()
    assert "/mask" not in page, "no actor was there yet"
    projector.catch_up(world.dataset)
    page = world.admin.get(page_of(world.label.id)).content.decode()
    links = [text.replace("&amp;", "&") for text in re.findall(r'href="(/labels/[^"]+)"', page)]
    assert len(links) == 6
    for link in links:
        assert world.admin.get(link).status_code == 200, link
