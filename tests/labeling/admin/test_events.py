from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from msgspec import structs

from labeling.admin import events as pages
from labeling.admin.events import event_id
from labeling.commands import datasets, security
from labeling.log import browse, store
from labeling.log.event import INSTALLATION, SECURITY, Intent
from labeling.texts import destroy_key
from tests.labeling.admin.world import World

LIST = "admin:labeling_storedevent_changelist"


def offsets(client: Client, **query: Any) -> list[int]:
    """The offsets that a search shows, in the order of the page."""
    answer = client.get(reverse(LIST), query)
    assert answer.status_code == 200
    return [line["item"].offset for line in answer.context["lines"]]


def page_of(log: uuid.UUID, offset: int) -> str:
    return reverse("admin:labeling_storedevent_change", args=[event_id(log, offset)])


def test_a_logs_events_are_listed_newest_first(world: World) -> None:
    head = store.head(world.dataset)

    assert offsets(world.admin, log=world.dataset) == list(range(head, 0, -1))


def test_events_are_found_by_type_author_stream_text_and_uuid(world: World) -> None:
    log = world.events()
    added = [event for event in log if event.type == "AnnotationAdded"]
    places = [event.offset for event in reversed(added)]

    assert offsets(world.admin, log=world.dataset, type="AnnotationAdded") == places
    assert offsets(world.admin, log=world.dataset, author="bodo", type="AnnotationAdded") == places
    assert offsets(world.admin, log=world.dataset, author="anke") == []
    assert offsets(world.admin, log=world.dataset, stream="dataset") == [
        event.offset for event in reversed(log) if event.stream == "dataset"
    ]
    assert offsets(world.admin, log=world.dataset, text="A STREET") == [1]
    assert offsets(world.admin, log=world.dataset, text=str(added[0].event_id)) == [added[0].offset]
    assert set(offsets(world.admin, log=world.dataset, text=str(added[0].intent.command))) >= set(places)
    assert offsets(world.admin, log=world.dataset, text="100%") == []


def test_events_are_found_by_their_day(world: World) -> None:
    today = timezone.now().date()
    head = store.head(world.dataset)

    assert len(offsets(world.admin, log=world.dataset, since=today, until=today)) == head
    assert offsets(world.admin, log=world.dataset, since=today + dt.timedelta(days=1)) == []
    assert offsets(world.admin, log=world.dataset, until=today - dt.timedelta(days=1)) == []


def test_a_long_log_is_leafed_through_without_a_gap(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", 3)
    found: list[int] = []
    address = f"?log={world.dataset}"
    while address:
        answer = world.admin.get(reverse(LIST) + address)
        found += [line["item"].offset for line in answer.context["lines"]]
        address = answer.context["older"]

    assert found == list(range(store.head(world.dataset), 0, -1))


def test_without_a_dataset_the_newest_events_of_all_are_shown(world: World) -> None:
    answer = world.admin.get(reverse(LIST))

    logs = {line["item"].log for line in answer.context["lines"]}
    times = [line["item"].recorded_at for line in answer.context["lines"]]
    assert logs >= {world.dataset, INSTALLATION}
    assert times == sorted(times, reverse=True)


def test_every_query_to_the_events_names_the_log(world: World) -> None:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        world.admin.get(reverse(LIST))
        world.admin.get(reverse(LIST), {"log": str(world.dataset), "text": "car", "since": "2020-01-01"})
        world.admin.get(page_of(world.dataset, 3))
        world.admin.get(reverse("admin:index"))

    reads = [query["sql"] for query in captured if "FROM log_event" in query["sql"]]
    assert len(reads) > 3
    assert all("WHERE log = " in sql for sql in reads)


@pytest.mark.parametrize(
    "query",
    [
        {"log": "nonsense"},
        {"log": str(uuid.uuid4())},
        {"since": "soon"},
        {"before": "x"},
        {"type": "Nothing"},
        {"author": "nobody"},
    ],
)
def test_a_search_for_nonsense_says_so(world: World, query: dict[str, str]) -> None:
    answer = world.admin.get(reverse(LIST), {"log": str(world.dataset)} | query)

    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == list(query)
    assert answer.context["lines"] == []


def test_a_search_that_takes_too_long_says_what_to_do(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(log: uuid.UUID, **asked: Any) -> list[browse.Headline]:
        with browse._patience(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
        return []

    monkeypatch.setattr(browse, "SEARCH_MS", 20)
    monkeypatch.setattr(browse, "newest", slow)

    page = world.admin.get(reverse(LIST), {"log": str(world.dataset)}).content.decode()

    assert "The search took too long." in page
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_an_events_page_shows_who_where_why_and_that_the_hashes_hold(world: World) -> None:
    event = next(event for event in world.events() if event.type == "AnnotationAdded")
    assert event.offset is not None
    assert event.chain is not None

    page = world.admin.get(page_of(world.dataset, event.offset)).content.decode()

    for words in ("<b>bodo</b> added an object (bbox)", "it was hidden", "pencil", "hashes hold", event.chain.hex()):
        assert words in page
    assert "[[8, 8], [40, 32]]" in page


def test_an_erased_reason_stays_erased(world: World) -> None:
    event = next(event for event in world.events() if event.type == "AnnotationAdded")
    assert event.offset is not None
    destroy_key(person=world.bodo.id)

    page = world.admin.get(page_of(world.dataset, event.offset)).content.decode()

    assert "(erased)" in page
    assert "it was hidden" not in page


def test_a_changed_event_does_not_hold(world: World) -> None:
    event = world.events()[0]

    assert pages._holds(event)
    assert not pages._holds(structs.replace(event, raw=event.data | {"name": "other"}))
    assert not pages._holds(structs.replace(event, intent=dataclasses.replace(event.intent, author=world.bodo.id)))
    assert not pages._holds(structs.replace(event, offset=store.head(world.dataset) + 5))


def test_every_event_there_is_has_a_page(world: World) -> None:
    for log in (world.dataset, INSTALLATION):
        for offset in range(1, store.head(log) + 1):
            assert world.admin.get(page_of(log, offset)).status_code == 200


@pytest.mark.parametrize(
    "object_id", ["x", "x@1", f"{uuid.UUID(int=7)}@1", f"{INSTALLATION}@0", f"{INSTALLATION}@99999999999999999999"]
)
def test_an_event_that_is_not_there_is_not_found(world: World, object_id: str) -> None:
    assert world.admin.get(reverse("admin:labeling_storedevent_change", args=[object_id])).status_code == 404


def test_events_cannot_be_changed_added_or_deleted(world: World) -> None:
    def act() -> None:
        assert world.admin.post(page_of(world.dataset, 1), {"type": "x"}).status_code == 403
        assert world.admin.post(reverse("admin:labeling_storedevent_add"), {}).status_code == 403
        gone = reverse("admin:labeling_storedevent_delete", args=[event_id(world.dataset, 1)])
        assert world.admin.post(gone).status_code == 403

    before = [event.chain for event in world.events()]
    assert world.new_events(act) == []
    assert [event.chain for event in world.events()] == before


def test_history_needs_membership_even_in_a_public_dataset(world: World) -> None:
    intent = Intent(author=world.edda.id)
    datasets.change_dataset(intent=intent, dataset=world.dataset, changes={"public": True})
    maja, edda = world.clients["maja"], world.clients["edda"]

    assert maja.get(page_of(world.dataset, 1)).status_code == 404
    assert maja.get(reverse(LIST), {"log": str(world.dataset)}).context["lines"] == []
    assert maja.get(reverse(LIST)).context["lines"] == []
    assert edda.get(page_of(world.dataset, 1)).status_code == 200
    assert len(offsets(edda, log=world.dataset)) == store.head(world.dataset)


def test_the_installations_log_is_for_superusers(world: World) -> None:
    edda = world.clients["edda"]

    assert edda.get(page_of(INSTALLATION, 1)).status_code == 404
    assert edda.get(reverse(LIST), {"log": str(INSTALLATION)}).context["lines"] == []
    assert len(offsets(world.admin, log=INSTALLATION)) == store.head(INSTALLATION)


def test_the_security_log_is_for_who_runs_the_installation(world: World) -> None:
    security.login_failed(username="nobody-there", source=security.Source("192.0.2.1"), locked=False)
    page = f"{reverse('admin:labeling_storedevent_changelist')}?log={SECURITY}"

    shown = world.admin.get(page).content.decode()

    assert "failed to log in" in shown and "somebody unknown" in shown
    assert "failed to log in" not in world.clients["edda"].get(page).content.decode()


def test_days_at_the_ends_of_time_are_days_like_others(world: World) -> None:
    page = reverse("admin:labeling_storedevent_changelist")
    for since, until in (("0001-01-01", "2999-01-01"), ("2000-01-01", "9999-12-30")):
        shown = world.admin.get(page, {"log": str(world.dataset), "since": since, "until": until})
        assert shown.status_code == 200 and shown.context["lines"]
    shown = world.admin.get(page, {"log": str(world.dataset), "until": "9999-12-31"})
    assert shown.status_code == 200 and list(shown.context["form"].errors) == ["until"]
