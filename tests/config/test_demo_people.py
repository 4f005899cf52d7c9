"""The demo's two people are made once, and their keys do not outlive the run."""

from __future__ import annotations

import pytest

from config.demo.people import find, keys_for_a_run, make_people
from labeling.commands.people import add_person, hash_of, operator
from labeling.models import ApiKey, Person

pytestmark = pytest.mark.django_db


def live_keys() -> set[bytes]:
    return {bytes(stored) for stored in ApiKey.objects.filter(revoked_at=None).values_list("hash", flat=True)}


def test_the_owner_gets_a_password_for_the_admin_and_the_labeler_none() -> None:
    password = make_people()
    ana, ben = find("ana"), find("ben")
    assert password is not None and ana is not None and ben is not None
    assert ana.check_password(password)
    assert (ana.is_staff, ana.is_superuser, ben.is_staff, ben.is_superuser) == (True, True, False, False)
    assert not ben.has_usable_password()
    assert len(password.replace("-", "")) == 20


def test_a_second_time_nobody_is_made_and_no_password_changed() -> None:
    password = make_people()
    assert make_people() is None
    assert Person.objects.count() == 2
    ana = find("ana")
    assert ana is not None and password is not None and ana.check_password(password)


def test_somebody_of_that_name_who_was_there_before_keeps_the_account_as_it_is() -> None:
    add_person(intent=operator("test"), username="ana", password="her own words")
    assert make_people() is None
    ana = find("ana")
    assert ana is not None and ana.check_password("her own words") and not ana.is_superuser


def test_keys_work_during_a_run_and_are_revoked_after_it() -> None:
    make_people()
    before = live_keys()
    with keys_for_a_run() as keys:
        assert set(keys) == {"ana", "ben"}
        assert live_keys() - before == {hash_of(key) for key in keys.values()}
    assert live_keys() == before


def test_keys_are_revoked_when_the_run_fails() -> None:
    make_people()
    before = live_keys()
    with pytest.raises(RuntimeError, match="the job failed"), keys_for_a_run():
        raise RuntimeError("the job failed")
    assert live_keys() == before
