"""Signals of people at work: how many are taken a day, and that closed days outlive them."""

from __future__ import annotations

import datetime as dt
import io
import uuid
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from labeling.commands import activity
from labeling.commands.activity import Signal
from labeling.errors import TooManySignals
from labeling.events import ActivityClosed
from labeling.log import store
from labeling.models import Activity, ActivityVolume
from labeling.reports.working import BEAT

SESSION = uuid.UUID(int=7, version=4)


@pytest.fixture(autouse=True)
def alone(db: None) -> None:
    """What tests of several processes committed is not counted here."""
    Activity.objects.all().delete()
    ActivityVolume.objects.all().delete()


@pytest.fixture
def ana(person):
    return person("ana")


@pytest.fixture
def street(dataset, ana):
    return dataset(ana)


@pytest.fixture
def picture(sample, street, ana):
    return sample(street, ana)


@pytest.fixture
def tell(intent, picture):
    """tell(ana, 3): three heartbeats, a minute apart; returns how many were kept."""
    counter = iter(range(10**6))

    def make(who: Any, number: int = 1, *, session: uuid.UUID = SESSION) -> int:
        signals = [Signal(next(counter), BEAT, picture, None, 60_000 * place) for place in range(number)]
        return activity.tell_activity(intent=intent(who), session=session, signals=signals)

    return make


def test_more_signals_than_are_taken_a_day_are_refused_until_tomorrow(ana, person, tell, settings, monkeypatch):
    settings.ACTIVITY_SIGNALS_A_DAY = 5
    evening = dt.datetime(2026, 3, 1, 23, 59, 30, tzinfo=dt.UTC)
    monkeypatch.setattr(timezone, "now", lambda: evening)
    tell(ana, 3)
    with pytest.raises(TooManySignals) as refused:
        tell(ana, 3)
    assert refused.value.retry_after_s == 30
    tell(ana, 2)
    kept = Activity.objects.count()
    with pytest.raises(TooManySignals):
        tell(ana, 1)
    assert Activity.objects.count() == kept
    assert ActivityVolume.objects.get().count == 5
    monkeypatch.setattr(timezone, "now", lambda: evening + dt.timedelta(seconds=30))
    tell(ana, 5)
    assert activity.close_old() == 0
    assert [row.day for row in ActivityVolume.objects.all()] == [dt.date(2026, 3, 2)]


def test_more_at_once_than_are_taken_a_day_are_refused_too(ana, tell, settings):
    settings.ACTIVITY_SIGNALS_A_DAY = 2
    with pytest.raises(TooManySignals):
        tell(ana, 3)
    assert not Activity.objects.exists()
    assert not ActivityVolume.objects.exists()


def test_what_one_person_tells_is_not_counted_for_another(ana, person, street, tell, intent, settings):
    from labeling.commands import datasets

    ben = person("ben")
    datasets.add_member(intent=intent(ana), dataset=street, person=ben.id, role="labeler")
    settings.ACTIVITY_SIGNALS_A_DAY = 1
    tell(ana)
    tell(ben, session=uuid.UUID(int=8, version=4))
    with pytest.raises(TooManySignals):
        tell(ana)


def closed_days(log: uuid.UUID) -> list[ActivityClosed]:
    return [event.fact for event in store.read(log) if isinstance(event.fact, ActivityClosed)]


def test_the_command_closes_days_and_says_so(ana, street, tell):
    tell(ana, 3)
    Activity.objects.update(at=timezone.now() - dt.timedelta(days=3))
    out = io.StringIO()
    call_command("close_activity", days=2, dry_run=True, stdout=out)
    assert "1 days of datasets would be closed." in out.getvalue()
    assert Activity.objects.exists() and closed_days(street) == []
    call_command("close_activity", days=2, stdout=out)
    assert "1 days of datasets are closed" in out.getvalue()
    assert not Activity.objects.exists()
    assert len(closed_days(street)) == 1
    call_command("close_activity", days=2, stdout=out)
    assert len(closed_days(street)) == 1


def test_the_command_keeps_what_the_setting_says(ana, street, tell, settings):
    tell(ana, 3)
    Activity.objects.update(at=timezone.now() - dt.timedelta(days=3))
    settings.ACTIVITY_KEPT_DAYS = 30
    call_command("close_activity", stdout=io.StringIO())
    assert Activity.objects.exists()
    settings.ACTIVITY_KEPT_DAYS = 2
    call_command("close_activity", stdout=io.StringIO())
    assert not Activity.objects.exists()


@pytest.mark.parametrize("days", [0, -1, 40_000])
def test_a_day_that_is_not_over_is_not_closed(database, days):
    with pytest.raises(CommandError, match="--days"):
        call_command("close_activity", days=days)
