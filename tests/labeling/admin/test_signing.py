from __future__ import annotations

from typing import Any

from django.urls import reverse

from labeling.commands import labels, people
from labeling.log.event import Intent
from labeling.queries.labels import find_label
from tests.labeling.admin.world import World

PASSWORD = "a long one, only for signing"
BOX = {"op": "add", "category_id": 1, "geometry": {"type": "bbox", "points": [[8, 8], [9, 9]]}}


def pages(world: World) -> tuple[str, str]:
    return (
        reverse("admin:labeling_label_sign", args=[world.label.id]),
        reverse("admin:labeling_label_change", args=[world.label.id]),
    )


def said(world: World, **more: Any) -> dict[str, Any]:
    version = find_label(world.sample, "ground-truth", person=world.edda.id).state.version
    return {"version": version, "meaning": "reviewed", "password": PASSWORD} | more


def test_a_label_is_signed_with_the_password_and_shows_it(world: World) -> None:
    sign, label = pages(world)
    by = people.operator("test")
    people.change_person(intent=by, person=world.edda, fields={"first_name": "Edda", "last_name": "Example"})
    people.set_password(intent=by, person=world.edda, password=PASSWORD)
    world.clients["edda"].force_login(world.edda)
    assert "Edda Example" in world.clients["edda"].get(sign).content.decode()

    wrong = world.clients["edda"].post(sign, said(world, password="wrong"))
    assert wrong.status_code == 400 and "not right" in wrong.content.decode()
    events = world.new_events(lambda: world.clients["edda"].post(sign, said(world)))

    assert [(event.type, event.intent.author) for event in events] == [("LabelSigned", world.edda.id)]
    html = world.clients["edda"].get(label).content.decode()
    assert "Edda Example" in html and "valid" in html and PASSWORD not in html
    labels.edit_label(intent=Intent(author=world.bodo.id), sample=world.sample, label_set="ground-truth", edits=[BOX])
    assert "superseded" in world.clients["edda"].get(label).content.decode()
    old = world.clients["edda"].post(sign, said(world, version=1))
    assert old.status_code == 400 and "changed since" in old.content.decode()


def test_who_may_not_review_is_offered_nothing(world: World) -> None:
    sign, label = pages(world)
    assert world.clients["maja"].get(sign).status_code == 404
    people.change_person(intent=people.operator("test"), person=world.bodo, fields={"is_staff": True})
    world.clients["maja"].force_login(world.bodo)
    assert world.clients["maja"].get(sign).status_code == 403
    assert sign not in world.clients["maja"].get(label).content.decode()
