from __future__ import annotations

from django.urls import reverse

from labeling import events as e
from labeling.log.event import INSTALLATION
from labeling.texts import decrypt_all
from tests.labeling.admin.world import World

PAGE = "admin:labeling_person_retention"


def test_policies_and_holds_are_set_with_a_reason(world: World) -> None:
    page = reverse(PAGE)
    sent = [
        {"do": "keep", "kind": "addresses", "days": "365", "reason": "the law"},
        {"do": "hold", "name": "edda/street", "reason": "a dispute"},
        {"do": "hold", "name": "bodo", "reason": "a dispute"},
        {"do": "lift", "held": f"person {world.bodo.id}", "reason": "settled"},
        {"do": "keep", "kind": "addresses", "days": "", "reason": "asked"},
    ]

    events = world.new_events(lambda: [world.admin.post(page, body) for body in sent], INSTALLATION)

    assert [event.fact for event in events] == [
        e.RetentionSet(kind="addresses", days=365),
        e.HoldPlaced(what="dataset", id=str(world.dataset)),
        e.HoldPlaced(what="person", id=str(world.bodo.id)),
        e.HoldLifted(what="person", id=str(world.bodo.id)),
        e.RetentionSet(kind="addresses", days=None),
    ]
    assert decrypt_all([event.intent.reason for event in events])[0] == "the law"
    html = world.admin.get(page).content.decode()
    assert "edda/street" in html and "bodo" not in html


def test_what_does_not_fit_changes_nothing(world: World) -> None:
    page = reverse(PAGE)
    for body in (
        {"do": "keep", "kind": "addresses", "days": "5", "reason": "x"},
        {"do": "keep", "kind": "addresses", "days": "365"},
        {"do": "keep", "kind": "nothing", "days": "365", "reason": "x"},
        {"do": "hold", "name": "nobody/nothing", "reason": "x"},
        {"do": "hold", "name": "", "reason": "x"},
        {"do": "lift", "held": "person x", "reason": "x"},
    ):
        answers: list[int] = []

        def send(body: dict[str, str] = body, answers: list[int] = answers) -> None:
            answers.append(world.admin.post(page, body).status_code)

        assert world.new_events(send, INSTALLATION) == []
        assert answers == [400], body


def test_only_who_runs_the_installation_sees_it(world: World) -> None:
    assert world.clients["edda"].get(reverse(PAGE)).status_code == 403
