"""Telling a real receiver, whatever it does: nothing is lost, nothing is harmed, order and ids stay the same."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from labeling.commands import issues, webhooks
from labeling.commands.webhooks import Where
from labeling.fetching import Sender, sender
from labeling.models import Webhook, WebhookCursor, WebhookDelivery
from labeling.rules.webhook_messages import secret_text
from labeling.webhooks import turns
from tests.support.receivers import Receiver, is_signed, receiving

JSON = dict[str, Any]
Make = Callable[..., Any]


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with receiving() as found:
        settings.WEBHOOK_HOSTS = [found.host]
        yield found


@pytest.fixture
def ana(person: Make) -> Any:
    return person("ana")


@pytest.fixture
def street(dataset: Make, ana: Any) -> uuid.UUID:
    made: uuid.UUID = dataset(ana, name="street")
    return made


@pytest.fixture
def webhook(intent: Make, ana: Any, street: uuid.UUID, receiver: Receiver) -> Callable[..., uuid.UUID]:
    """webhook(types=["sample.created"]): one of the street, to the receiver."""

    def make(url: str = "", **fields: Any) -> uuid.UUID:
        where = Where(street)
        checked = webhooks.checked_webhook({"url": url or receiver.url} | fields, where)
        return webhooks.add_webhook(intent=intent(ana), where=where, fields=checked)

    return make


def tell(*, at_most: int = 20, by: Sender | None = None) -> int:
    """Let everybody have their turns until nothing can be told; waiting is over at once. Returns how many turns."""
    WebhookCursor.objects.update(next_at=None, asked_at=None)
    count = 0
    while count < at_most and (found := turns.due()):
        for one, log in found:
            WebhookCursor.objects.update(next_at=None)
            turn = turns.begin(one, log)
            assert turn is not None
            turns.run(turn, by=by)
            count += 1
        WebhookCursor.objects.update(next_at=None, asked_at=None)
    return count


def begun(webhook: uuid.UUID, log: uuid.UUID) -> turns.Turn:
    found = turns.begin(webhook, log)
    assert found is not None
    return found


def cursor_of(webhook: uuid.UUID) -> WebhookCursor:
    return WebhookCursor.objects.get(webhook_id=webhook)


def offsets(receiver: Receiver) -> list[int]:
    return [got.json["offset"] for got in receiver.taken]


def test_what_happens_from_now_on_is_told_in_order_and_signed(webhook, receiver, sample, street, ana):
    sample(street, ana, name="before.png")
    made = webhook()
    names = [f"{number}.png" for number in range(5)]
    for name in names:
        sample(street, ana, name=name)
    assert tell() == 1
    assert [got.json["object"]["name"] for got in receiver.taken] == names
    assert {got.type for got in receiver.taken} == {"sample.created"}
    assert receiver.taken[0].json | {"object": 0, "created_at": 0, "offset": 0} == {
        "event_type": "sample.created",
        "created_at": 0,
        "api_version": "2021-08-01",
        "dataset": "ana/street",
        "object": 0,
        "text": "sample.created in ana/street by ana",
        "offset": 0,
    }
    secret = secret_text(webhooks.secret_of(Webhook.objects.get(id=made)))
    assert all(is_signed(got, secret) for got in receiver.taken)
    assert not is_signed(receiver.taken[0], secret, now_s=1.0)
    assert len({got.id for got in receiver.taken}) == 5
    assert offsets(receiver) == sorted(offsets(receiver))
    assert (
        list(WebhookDelivery.objects.order_by("id").values_list("state", "attempts", "status_code"))
        == [("delivered", 1, 200)] * 5
    )
    assert tell() == 0


@pytest.mark.parametrize(
    "behaviour, problem",
    [
        (500, "it answers 500"),
        (404, "it answers 404"),
        ("closes", "its host does not send all of its answer"),
        ("hangs", "its host takes longer than 0.4 s"),
        ("dribbles", "its host takes longer than 0.4 s"),
    ],
)
def test_who_fails_is_told_again_later_and_nothing_behind_it_is_told_before(
    webhook, receiver, sample, street, ana, behaviour, problem
):
    made = webhook()
    for name in ("1.png", "2.png", "3.png"):
        sample(street, ana, name=name)
    broken = {"2.png"}
    receiver.behave = lambda got: behaviour if got.json["object"]["name"] in broken else 200
    quick = Sender(hosts=[receiver.host], most_s=0.4)
    (one,) = turns.due()
    turn = begun(*one)
    assert turns.run(turn, by=quick) is False
    assert [got.json["object"]["name"] for got in receiver.seen] == ["1.png", "2.png"]
    found = cursor_of(made)
    assert (found.failures, found.reason, found.state, found.lease) == (1, problem, "active", None)
    assert found.next_at is not None
    assert turns.due() == []  # it waits
    assert turns.begin(*one) is None
    broken.clear()
    tell()
    assert [got.json["object"]["name"] for got in receiver.taken] == ["1.png", "2.png", "3.png"]
    failed = [got for got in receiver.seen if got.json["object"]["name"] == "2.png"]
    assert len({got.id for got in failed}) == 1
    assert WebhookDelivery.objects.get(message=failed[0].id).attempts == 2
    assert cursor_of(made).failures == 0


def test_who_takes_it_and_does_not_say_so_gets_it_again_with_the_same_id(webhook, receiver, sample, street, ana):
    webhook()
    sample(street, ana)
    receiver.behave = lambda got: "takes and closes" if len(receiver.seen) == 1 else 200
    tell()
    assert len(receiver.taken) == 2
    assert receiver.taken[0].id == receiver.taken[1].id
    assert receiver.taken[0].body == receiver.taken[1].body


def test_who_dies_and_comes_back_has_lost_nothing(webhook, receiver, sample, street, ana):
    made = webhook()
    sample(street, ana, name="1.png")
    tell()
    receiver.stop()
    sample(street, ana, name="2.png")
    for _ in range(3):
        tell(at_most=1)
    assert cursor_of(made).failures == 3
    assert cursor_of(made).reason == "its host does not answer"
    sample(street, ana, name="3.png")
    receiver.start()
    tell()
    assert [got.json["object"]["name"] for got in receiver.taken] == ["1.png", "2.png", "3.png"]


def test_a_gigabyte_of_answer_is_not_read(webhook, receiver, sample, street, ana):
    webhook()
    sample(street, ana)
    receiver.behave = lambda got: "gigabyte"
    tell()
    (delivery,) = WebhookDelivery.objects.all()
    assert (delivery.state, delivery.status_code) == ("delivered", 200)
    assert len(receiver.taken) == 1


def test_a_redirect_into_the_network_is_not_followed(webhook, receiver, sample, street, ana):
    with receiving() as inner:
        made = webhook()
        sample(street, ana)
        receiver.behave = lambda got: f"{inner.url}/secret"
        tell(at_most=2)
        assert inner.seen == []
        assert receiver.taken == []
    assert cursor_of(made).reason == "it redirects, which is not followed"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "10.1.2.3",
        "169.254.169.254",
        "[fd00::1]",
        "0.0.0.0",
        "[64:ff9b::7f00:1]",
    ],
)
def test_nothing_is_sent_into_the_network(webhook, receiver, sample, street, ana, settings, host):
    settings.WEBHOOK_HOSTS = []
    made = webhook(url=f"http://{host}:{receiver.port}/hook")
    sample(street, ana)
    tell(at_most=1)
    assert receiver.seen == []
    assert cursor_of(made).reason == "its host is not on the internet"


def test_a_name_that_means_the_network_the_second_time_is_asked_for_once(webhook, receiver, sample, street, ana):
    webhook(url=f"http://hooks.test:{receiver.port}/hook")
    sample(street, ana)
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    connected: list[str] = []

    def connect(address: str, port: int, seconds: float) -> Any:
        connected.append(address)
        raise OSError

    tell(at_most=1, by=Sender(resolve=lambda host, port: next(answers), connect=connect))
    assert connected == ["93.184.215.14"]
    tell(at_most=1, by=Sender(resolve=lambda host, port: next(answers), connect=connect))
    assert connected == ["93.184.215.14"]
    assert receiver.seen == []


def test_after_too_many_failures_it_stops_where_it_is_and_goes_on_when_somebody_says_so(
    webhook, receiver, sample, street, ana, intent, settings
):
    settings.WEBHOOK_TRIES = 3
    made = webhook()
    sample(street, ana, name="1.png")
    receiver.behave = lambda got: 503
    assert tell() == 3
    found = cursor_of(made)
    assert (found.state, found.failures, found.reason) == ("stopped", 3, "it answers 503")
    assert WebhookDelivery.objects.get().state == "dead"
    sample(street, ana, name="2.png")
    assert tell() == 0
    receiver.behave = lambda got: 200
    webhooks.change_webhook(intent=intent(ana), where=Where(street), webhook=made, changes={"paused": False})
    tell()
    assert [got.json["object"]["name"] for got in receiver.taken] == ["1.png", "2.png"]
    assert cursor_of(made).state == "active"


def test_it_is_told_again_from_any_offset_with_the_same_ids_and_bytes(webhook, receiver, sample, street, ana, intent):
    made = webhook()
    for name in ("1.png", "2.png", "3.png"):
        sample(street, ana, name=name)
    tell()
    first = list(receiver.taken)
    webhooks.redeliver(
        intent=intent(ana), where=Where(street), webhook=made, log=street, offset=first[1].json["offset"]
    )
    receiver.taken.clear()
    tell()
    assert [got.id for got in receiver.taken] == [got.id for got in first[1:]]
    assert [got.body for got in receiver.taken] == [got.body for got in first[1:]]


def test_a_redelivery_takes_the_turn_of_who_is_telling(webhook, receiver, sample, street, ana, intent):
    made = webhook()
    for name in ("1.png", "2.png", "3.png"):
        sample(street, ana, name=name)
    again: list[int] = []

    def behave(got: Any) -> int:
        if not again and got.json["object"]["name"] == "2.png":
            again.append(receiver.taken[0].json["offset"])
            WebhookCursor.objects.update(offset=again[0] - 1, lease=None, leased_until=None)
        return 200

    (one,) = turns.due()
    turn = begun(*one)
    # The receiver's own thread sees another connection, so what it would do there is done between two messages here.
    post = Sender.post

    class Between(Sender):
        __slots__ = ()

        def post(self, url: str, body: bytes, headers: Any) -> Any:
            sent = post(self, url, body, headers)
            behave(receiver.seen[-1])
            return sent

    assert turns.run(turn, by=Between(hosts=[receiver.host])) is False
    assert [got.json["object"]["name"] for got in receiver.taken] == ["1.png", "2.png"]
    assert cursor_of(made).offset == again[0] - 1
    tell()
    assert [got.json["object"]["name"] for got in receiver.taken[2:]] == ["1.png", "2.png", "3.png"]


def test_while_it_is_paused_nothing_is_told_and_nothing_is_lost(webhook, receiver, sample, street, ana, intent):
    made = webhook()
    webhooks.change_webhook(intent=intent(ana), where=Where(street), webhook=made, changes={"paused": True})
    sample(street, ana, name="1.png")
    assert tell() == 0
    webhooks.change_webhook(intent=intent(ana), where=Where(street), webhook=made, changes={"paused": False})
    tell()
    assert [got.json["object"]["name"] for got in receiver.taken] == ["1.png"]


def test_a_removed_one_is_told_nothing(webhook, receiver, sample, street, ana, intent):
    made = webhook()
    sample(street, ana)
    webhooks.remove_webhook(intent=intent(ana), where=Where(street), webhook=made)
    assert tell() == 0
    assert receiver.seen == []
    assert not WebhookCursor.objects.exists()


def test_a_changed_secret_signs_beside_the_one_before(webhook, receiver, sample, street, ana, intent):
    made = webhook()
    before = secret_text(webhooks.secret_of(Webhook.objects.get(id=made)))
    webhooks.change_secret(intent=intent(ana), where=Where(street), webhook=made)
    after = secret_text(webhooks.secret_of(Webhook.objects.get(id=made)))
    sample(street, ana)
    tell()
    assert before != after
    assert is_signed(receiver.taken[0], before)
    assert is_signed(receiver.taken[0], after)


def test_with_another_secret_key_it_stops_and_says_why(webhook, receiver, sample, street, ana, settings):
    made = webhook()
    sample(street, ana)
    settings.SECRET_KEY = "another"
    tell(at_most=1)
    assert receiver.seen == []
    assert "secret key was changed" in cursor_of(made).reason


def test_neither_secret_nor_address_is_in_the_log(webhook, street, receiver):
    made = webhook(url=f"{receiver.url}/a-token-in-the-path")
    row = Webhook.objects.get(id=made)
    from labeling.log import store

    text = str([event.data for event in store.read(street)]) + row.address
    assert "a-token-in-the-path" not in text
    assert secret_text(webhooks.secret_of(row)) not in text


def test_a_lease_that_ran_out_is_taken_over_and_its_holder_writes_nothing_more(webhook, receiver, sample, street, ana):
    made = webhook()
    sample(street, ana, name="1.png")
    (one,) = turns.due()
    dead = begun(*one)
    assert turns.begin(*one) is None
    WebhookCursor.objects.update(leased_until="2000-01-01T00:00Z")
    other = turns.begin(*one)
    assert other is not None
    turns.run(other)
    offset = cursor_of(made).offset
    assert turns.run(dead) is False
    assert cursor_of(made).offset == offset
    assert len({got.id for got in receiver.taken}) == 1


def test_a_page_without_anything_to_tell_moves_the_cursor(webhook, receiver, sample, street, ana):
    made = webhook(types=["release.created"])
    for _ in range(3):
        sample(street, ana)
    tell()
    assert receiver.seen == []
    from labeling.log import store

    assert cursor_of(made).offset == store.head(street)


def test_the_sender_of_the_installation_has_its_limits(settings):
    settings.WEBHOOK_HOSTS = ["inside.example:8080"]
    found = sender()
    assert (found.most_s, found.connect_s, found.most_bytes) == (10.0, 3.0, 65536)
    assert list(found.hosts) == ["inside.example:8080"]


def test_pings_are_sent_once_and_told_of(webhook, receiver, street, ana, intent):
    made = webhook()
    ping = webhooks.ping(intent=intent(ana), where=Where(street), webhook=made)
    assert turns.pings() == [made]
    assert turns.send_pings(made) == 1
    assert turns.pings() == []
    assert [got.type for got in receiver.taken] == ["ping"]
    assert receiver.taken[0].id == ping.message
    ping.refresh_from_db()
    assert (ping.state, ping.status_code, ping.attempts) == ("delivered", 200, 1)


def test_an_issue_is_told_as_the_protocol_has_it(webhook, receiver, sample, street, ana, intent):
    webhook(types=["issue.created", "issue.updated", "IssueOpened"])
    picture = sample(street, ana, name="a.png")
    issue = issues.open_issue(intent=intent(ana), sample=picture, fields={"description": "No wheels"})
    issues.change_issue(intent=intent(ana), issue=issue, changes={"status": "CLOSED"})
    tell()
    assert [got.type for got in receiver.taken] == ["IssueOpened", "issue.created", "issue.updated"]
    raw, created, updated = (got.json["object"] for got in receiver.taken)
    assert raw["type"] == "IssueOpened"
    assert raw["text"] == "No wheels"
    assert (created["description"], created["status"], created["sample_name"]) == ("No wheels", "OPEN", "a.png")
    assert (updated["uuid"], updated["status"]) == (str(issue), "CLOSED")
