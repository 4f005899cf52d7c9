from __future__ import annotations

from django.urls import reverse

from labeling.models import LabelSet
from tests.labeling.admin.world import World

LIST = "admin:labeling_labelset_changelist"
ADD = "admin:labeling_labelset_add"


def test_a_new_label_set_is_an_event_of_the_person_in_the_admin(world: World) -> None:
    said = {"dataset": "edda/street", "name": "second", "kind": "opinion", "description": "by night"}

    events = world.new_events(lambda: world.admin.post(reverse(ADD), said))

    assert [event.type for event in events] == ["LabelSetCreated"]
    assert (events[0].intent.author, events[0].intent.tool) == (world.anke.id, "admin")
    made = LabelSet.objects.get(name="second")
    assert (made.kind, made.description, made.dataset_id) == ("opinion", "by night", world.dataset)


def test_a_taken_name_an_odd_name_and_an_unknown_dataset_are_errors_at_their_fields(world: World) -> None:
    for field, said in (
        ("name", {"dataset": "edda/street", "name": "yolo", "kind": "predictions"}),
        ("name", {"dataset": "edda/street", "name": "a/b", "kind": "predictions"}),
        ("dataset", {"dataset": "edda/absent", "name": "new", "kind": "predictions"}),
        ("dataset", {"dataset": "street", "name": "new", "kind": "predictions"}),
    ):
        answer = world.admin.post(reverse(ADD), said)

        assert answer.status_code == 200
        assert list(answer.context["adminform"].form.errors) == [field]


def test_who_may_not_change_the_dataset_is_told_so(world: World) -> None:
    said = {"dataset": "edda/street", "name": "mine", "kind": "predictions"}

    def act() -> None:
        answer = world.clients["maja"].post(reverse(ADD), said)
        assert list(answer.context["adminform"].form.errors) == ["dataset"]  # not even that it is there

    assert world.new_events(act) == []


def test_a_label_set_is_shown_and_not_changed(world: World) -> None:
    address = reverse("admin:labeling_labelset_change", args=[world.predictions.id])

    assert 'name="_save"' not in world.admin.get(address).content.decode()
    assert world.admin.post(address, {"name": "other"}).status_code == 403


def test_deleting_a_label_set_is_an_event(world: World) -> None:
    address = reverse("admin:labeling_labelset_delete", args=[world.predictions.id])

    events = world.new_events(lambda: world.admin.post(address))

    assert [(event.type, event.intent.author) for event in events] == [("LabelSetArchived", world.anke.id)]
    assert world.listed(LIST, dataset=world.dataset) == {world.label.label_set_id}


def test_the_ground_truth_cannot_be_deleted(world: World) -> None:
    address = reverse("admin:labeling_labelset_delete", args=[world.label.label_set_id])

    assert world.admin.post(address).status_code == 403


def test_the_list_counts_labels(world: World) -> None:
    page = world.admin.get(reverse(LIST)).content.decode()

    assert f'?label_set_id={world.label.label_set_id}">1<' in page
    assert f'?label_set_id={world.predictions.id}">0<' in page
