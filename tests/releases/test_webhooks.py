"""What webhooks are told of releases."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from labeling.commands import webhooks
from labeling.commands.webhooks import Where
from labeling.models import WebhookCursor
from labeling.webhooks import turns
from releases import builds
from releases import webhooks as ours
from releases.commands import cut_release, withdraw_release
from releases.models import ReleaseBuild
from tests.support.receivers import receiving


@pytest.fixture
def hooked(person: Any, dataset: Any, intent: Any, settings: Any) -> Any:
    ana = person("ana")
    street = dataset(ana, name="street")
    with receiving() as receiver:
        settings.WEBHOOK_HOSTS = [receiver.host]
        webhooks.add_webhook(intent=intent(ana), where=Where(street), fields={"url": receiver.url})
        yield ana, street, receiver


def tell() -> None:
    WebhookCursor.objects.update(next_at=None, asked_at=None)
    for one, log in turns.due():
        turn = turns.begin(one, log)
        assert turn is not None
        turns.run(turn)


def test_a_release_is_told_of_when_its_file_is_made_and_what_is_behind_it_after_it(hooked, intent, sample):
    ana, street, receiver = hooked
    release = cut_release(intent=intent(ana), dataset=street, name="v1")
    sample(street, ana)
    tell()
    assert receiver.seen == []
    assert WebhookCursor.objects.get().failures == 0
    builds.build(release)
    tell()
    assert [got.type for got in receiver.taken] == ["release.created", "sample.created"]
    told = receiver.taken[0].json["object"]
    assert (told["name"], told["status"], told["uuid"]) == ("v1", "SUCCEEDED", str(release))


def test_one_that_failed_or_was_taken_back_is_not_told_of(hooked, intent, sample):
    ana, street, receiver = hooked
    failed = cut_release(intent=intent(ana), dataset=street, name="v1")
    ReleaseBuild.objects.update_or_create(
        release_id=failed, defaults={"status": "FAILED", "updated_at": dt.datetime.now(dt.UTC)}
    )
    cut_release(intent=intent(ana), dataset=street, name="v2")
    withdraw_release(intent=intent(ana), dataset=street, name="v2")
    sample(street, ana)
    tell()
    assert [got.type for got in receiver.taken] == ["sample.created"]


def test_one_whose_file_takes_for_ever_is_told_of_as_it_is(hooked, intent, monkeypatch):
    ana, street, receiver = hooked
    cut_release(intent=intent(ana), dataset=street, name="v1")
    monkeypatch.setattr(ours, "LONGEST", dt.timedelta(0))
    tell()
    assert [got.json["object"]["status"] for got in receiver.taken] == ["PENDING"]
