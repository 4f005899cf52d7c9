"""The story of a label and of one object on the label's page."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import reverse

from labeling.admin import stories
from labeling.commands import labels, undo
from labeling.log.event import Intent
from labeling.models import Annotation
from labeling.texts import encrypt
from tests.labeling.admin.world import World


def page(world: World, query: str = "") -> str:
    answer = world.admin.get(reverse("admin:labeling_label_change", args=[world.label.id]) + query)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def work(world: World) -> uuid.UUID:
    """Bodo moves the car and takes it back; edda says why she removes the tree."""
    car = Annotation.objects.get(label_id=world.label.id, type="bbox")
    here: Any = {"sample": world.sample, "label_set": "ground-truth"}
    moved = {"op": "set_category", "annotation": str(car.uuid), "category_id": 2}
    labels.edit_label(intent=Intent(author=world.bodo.id, tool="pencil"), edits=[moved], **here)
    undo.undo_gestures(intent=Intent(author=world.bodo.id), **here)
    reason = encrypt("<b>no car</b>", person=world.edda.id)
    edits = [{"op": "remove", "annotation": str(car.uuid)}]
    labels.edit_label(intent=Intent(author=world.edda.id, reason=reason), edits=edits, **here)
    return car.uuid


def test_a_labels_page_tells_what_happened_to_it(world: World) -> None:
    work(world)
    text = page(world)
    assert "What happened" in text
    for words in ("<b>bodo</b> changed car", "with pencil", "<b>bodo</b> undid a gesture:", "<b>edda</b> removed car"):
        assert words in text, words
    assert "&lt;b&gt;no car&lt;/b&gt;" in text


def test_one_object_has_its_story(world: World) -> None:
    key = work(world)
    text = page(world, f"?object={key}")
    assert "The story of one object" in text and "changed car" in text and "undid" not in text
    assert "Nothing happened to such an object" in page(world, f"?object={uuid.uuid4()}")
    assert "What happened" in page(world, "?object=nonsense")


def test_a_long_story_leaves_out_its_beginning(world: World, monkeypatch) -> None:
    work(world)
    monkeypatch.setattr(stories, "MOST", 2)
    assert "earlier events are left out" in page(world)
