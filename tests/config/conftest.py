"""What tests of backups share: installations beside that of the run, and a small one with something of everything."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import DjangoDbBlocker

from config.backup import making
from config.backup.contents import Manifest
from config.embedded import binaries, lease
from config.embedded.binaries import Binaries
from tests.support.homes import Home, World


class Origin(NamedTuple):
    """An installation with something in it."""

    home: Home
    world: World


class Archive(NamedTuple):
    """What was backed up of one."""

    data: bytes
    manifest: Manifest


@pytest.fixture(scope="module")
def older_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A running PostgreSQL of an older major version."""
    place = tmp_path_factory.mktemp("older")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease, "LINGER_S", 0.2)
        patch.setenv(lease.ENVIRONMENT_NAME, "")
        fields = lease.attach(place, fast=True, binaries=older_binaries())
    yield fields
    lease.release(place)
    lease.wait_until_stopped(place, 60.0)


@pytest.fixture(scope="module")
def new_home(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Home]]:
    """new_home(): an installation with no table yet, on the server of this run; new_home(fields) on another."""
    place = tmp_path_factory.mktemp("homes")
    with django_db_blocker.unblock():

        def make(fields: dict[str, str] | None = None, **options: Any) -> Home:
            return Home(place, fields or connection.settings_dict, **options)

        yield make  # the databases go with their servers; dropping one takes longer than a test


@pytest.fixture(scope="module")
def blank(new_home: Callable[..., Home]) -> Home:
    """An installation that was set up and never used; the others are copies of it, because setting up takes long."""
    home = new_home()
    with home.inside():
        call_command("migrate", verbosity=0)
    return home


@pytest.fixture(scope="module")
def origin(new_home: Callable[..., Home], blank: Home) -> Origin:
    """An installation with something of everything, that no test may change."""
    home = new_home(like=blank)
    with home.inside():
        return Origin(home, World())


@pytest.fixture
def changing(new_home: Callable[..., Home], origin: Origin) -> Origin:
    """A copy of it that the test may change."""
    return Origin(new_home(like=origin.home), origin.world)


@pytest.fixture(scope="module")
def archive(origin: Origin) -> Archive:
    """A backup of it."""
    with origin.home.inside():
        return archived()


def archived(*, with_files: bool = True) -> Archive:
    """A backup of the installation that this process is led to."""
    sink = io.BytesIO()
    manifest = making.make(sink, with_files=with_files)
    return Archive(sink.getvalue(), manifest)


def older_binaries() -> Binaries:
    """Those of the oldest PostgreSQL here that is not the one that everything runs on."""
    usual = binaries.choose(set()).major
    (oldest, *_) = (
        found for major in range(binaries.OLDEST_MAJOR, usual) if (found := binaries.of_major(major)) is not None
    )
    return oldest
