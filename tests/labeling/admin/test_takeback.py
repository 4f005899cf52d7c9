"""Taking an event of a label back, on its page: nothing happens before it is confirmed, and others' work is safe."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import reverse

from labeling.commands import datasets, labels
from labeling.log import store
from labeling.log.event import Intent
from labeling.models import Annotation
from tests.labeling.admin.world import World, logged_in


def address(world: World, offset: int, label: uuid.UUID | None = None) -> str:
    return reverse("admin:labeling_label_takeback", args=[label or world.label.id, offset])


def edit(world: World, who: Any, **wish: Any) -> int:
    labels.edit_label(intent=Intent(author=who.id), sample=world.sample, label_set="ground-truth", edits=[wish])
    return store.head(world.dataset)


def car(world: World) -> Annotation:
    return Annotation.objects.get(label_id=world.label.id, type="bbox")


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_the_page_says_what_would_be_and_does_nothing(world: World) -> None:
    offset = edit(world, world.bodo, op="set_category", annotation=str(car(world).uuid), category_id=2)
    head = store.head(world.dataset)
    text = text_of(world.admin.get(address(world, offset)))
    assert (
        'value="Take it back"' in text
        and "Taking it back would change" in text
        and "category id" in text
        and "bodo" in text
    )
    assert "Somebody else did this" in text and store.head(world.dataset) == head


def test_confirmed_it_is_taken_back_by_new_events(world: World) -> None:
    before = car(world).category_id
    offset = edit(world, world.bodo, op="set_category", annotation=str(car(world).uuid), category_id=2)
    refused = world.admin.post(address(world, offset), {"reason": ""})
    assert refused.status_code == 400 and "reason" in text_of(refused) and store.head(world.dataset) == offset
    done = world.admin.post(address(world, offset), {"reason": "a mistake"})
    assert done.status_code == 302 and car(world).category_id == before
    types = [event.type for event in store.read(world.dataset, after=offset)]
    assert types[0] == "LabelRestored"
    again = text_of(world.admin.get(address(world, offset)))
    assert "Nothing would change" in again and 'value="Take it back"' not in again


def test_who_built_on_it_is_told_and_stays_unless_forced(world: World) -> None:
    key = str(car(world).uuid)
    first = edit(world, world.bodo, op="set_category", annotation=key, category_id=2)
    second = edit(world, world.edda, op="set_category", annotation=key, category_id=None)
    text = text_of(world.admin.get(address(world, first)))
    assert "What stands in the way" in text and "edda" in text and f"#{second}" in text
    stopped = world.admin.post(address(world, first), {"reason": "x", "on_conflict": "stop"})
    assert stopped.status_code == 400 and store.head(world.dataset) == second
    left = world.admin.post(address(world, first), {"reason": "x", "on_conflict": "skip"}, follow=True)
    assert "Nothing was left to take back." in text_of(left)
    assert store.head(world.dataset) == second and car(world).category_id is None
    forced = world.admin.post(address(world, first), {"reason": "x", "on_conflict": "force"})
    assert forced.status_code == 302 and car(world).category_id == 1


def test_who_may_not_is_refused_and_what_is_not_there_is_not_found(world: World) -> None:
    offset = edit(world, world.bodo, op="set_category", annotation=str(car(world).uuid), category_id=2)
    assert logged_in(world.maja).get(address(world, offset)).status_code == 404
    by = Intent(author=world.edda.id)
    datasets.add_member(intent=by, dataset=world.dataset, person=world.maja.id, role="viewer")
    assert logged_in(world.maja).get(address(world, offset)).status_code == 403
    datasets.change_role(intent=by, dataset=world.dataset, person=world.maja.id, role="labeler")
    assert logged_in(world.maja).get(address(world, offset)).status_code == 403  # of others only managers
    assert world.admin.get(address(world, 1)).status_code == 404  # no event of this label
    assert world.admin.get(address(world, offset + 99)).status_code == 404
    assert world.admin.get(address(world, 1 << 63)).status_code == 404  # no offset is so large
    assert world.admin.get(address(world, offset, uuid.uuid4())).status_code == 404


def test_the_story_and_the_audit_lead_there(world: World) -> None:
    offset = edit(world, world.bodo, op="set_category", annotation=str(car(world).uuid), category_id=2)
    story = world.admin.get(reverse("admin:labeling_label_change", args=[world.label.id])).content.decode()
    assert address(world, offset) in story
    by = Intent(author=world.edda.id)
    datasets.add_member(intent=by, dataset=world.dataset, person=world.maja.id, role="viewer")
    page = reverse("admin:labeling_label_change", args=[world.label.id])
    story = world.clients["maja"].get(page).content.decode()
    assert f"#{offset}</a>" in story and "undo…" not in story
    record = world.admin.get(
        reverse("admin:labeling_dataset_audited", args=[world.dataset, "record"]), {"sample": str(world.sample)}
    )
    assert address(world, offset) in record.content.decode() and "<svg" in record.content.decode()
