"""What every test can ask for: a real PostgreSQL, people, datasets and samples; and the check that no test can forget.

The check: whatever log a test appended to, folding it again must give the rows that are there. It runs at the end of
every test, of all apps, in front of the roll-back.

Nothing is ever flushed, because the event table refuses it: `db` rolls back, `committed_db` leaves its rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from django.conf import settings
from django.db import connection, connections
from django.db.models import CharField
from django.db.models.functions import Cast
from django.test.utils import override_settings, setup_databases
from pytest_django import DjangoDbBlocker

from config.embedded import lease
from config.storage import storage
from labeling.commands import datasets, people, samples
from labeling.log import store
from labeling.log.event import INSTALLATION, SECURITY, Intent
from labeling.models import Person
from labeling.storage import bucket
from tests.support import folds
from tests.support.installation import is_full

if TYPE_CHECKING:
    from tests.support.s3 import StandIn, Stored

CATEGORIES = {"categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "person"}, {"id": 3, "name": "tree"}]}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only a full run does, and refuse what would flush."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        if (marker and marker.kwargs.get("transaction")) or "transactional_db" in getattr(item, "fixturenames", ()):
            raise pytest.UsageError(f"{item.nodeid} would flush the event table, which refuses it; use committed_db")
    if not is_full():
        left_out = [item for item in items if item.get_closest_marker("full")]
        items[:] = [item for item in items if not item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=left_out)


# --- the database --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_modify_db_settings_parallel_suffix: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """Start the embedded PostgreSQL with the first test that needs it, and migrate a database for this worker."""
    lease.LINGER_S = 0.2
    fields = lease.attach(Path(settings.HOME), fast=True)
    connection.settings_dict.update(fields)
    with django_db_blocker.unblock():
        setup_databases(verbosity=0, interactive=False, aliases={"default": None})
        yield
        connections.close_all()


@pytest.fixture(scope="session", autouse=True)
def quickly_hashed_passwords() -> Iterator[None]:
    """The hash of a password is slow by design, which none of these tests is about; a real server has the real one."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database in autocommit, as in production: what is written stays, so a test makes its own dataset or log."""
    with django_db_blocker.unblock():
        yield
        # Who was made here stays too; other tests expect to make people of the same names.
        Person.objects.update(username=Cast("id", CharField()))
        connections.close_all()


@pytest.fixture
def database(request: pytest.FixtureRequest) -> None:
    """The database: rolled back at the end, unless the test asks for `committed_db`."""
    request.getfixturevalue("committed_db" if "committed_db" in request.fixturenames else "db")


class Watch:
    """Logs that were appended to, to be folded again at the end of the test."""

    def __init__(self) -> None:
        self.logs: set[uuid.UUID] = set()

    def check(self) -> None:
        """Compare each log's fold with the rows that are there."""
        known = store.logs() if self.logs else []
        ours = [log for log, kind, _ in known if kind == "dataset" or log in (INSTALLATION, SECURITY)]
        found = folds.differences(self.logs.intersection(ours))
        assert found == {}, "folding the log again gives other rows than the commands wrote"


@pytest.fixture(autouse=True)
def rebuilt_equals_live(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Every log that the test appends to is folded again at its end and must give the same rows."""
    watch = Watch()
    append = store.append

    def watched(log: uuid.UUID, **keywords: Any) -> store.Appended:
        watch.logs.add(log)
        return append(log, **keywords)

    monkeypatch.setattr(store, "append", watched)
    return watch


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Check while the test's transaction is still open."""
    yield
    watch: Watch | None = getattr(item, "funcargs", {}).get("rebuilt_equals_live")
    if watch is not None:
        watch.check()


# --- an S3 -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def s3() -> Iterator[StandIn]:
    """An S3 server of this worker."""
    from tests.support.s3 import StandIn  # boto3 is slow to load, and few tests need it

    running = StandIn()
    yield running
    running.stop()


@pytest.fixture
def in_bucket(s3: StandIn, settings: Any) -> Stored:
    """All files of the test are kept in a new bucket, as STORAGE_URL would have it."""
    where = s3.new_bucket()
    entry = storage({"STORAGE_URL": where.storage_url}, Path(settings.HOME))
    settings.STORAGES = settings.STORAGES | {"default": entry}
    made = bucket()
    assert made is not None
    made._clients = s3.our_clients  # each takes a while to make
    return where


# --- factories -----------------------------------------------------------------------------------------------------


class MakeDataset(Protocol):
    """Makes a dataset of `owner`, in which `labelers` may label, and returns its id."""

    def __call__(
        self,
        owner: Person,
        task_type: str = "vector",
        *,
        labelers: tuple[Person, ...] = (),
        name: str = "",
        **changes: Any,
    ) -> uuid.UUID: ...


@pytest.fixture
def person(database: None) -> Callable[..., Person]:
    """person("ana"): the person of that username, made if there is none; `fields` as in `add_person`."""

    def make(username: str = "ana", **fields: Any) -> Person:
        known = Person.objects.filter(username=username).first()
        return known or people.add_person(intent=people.operator("test"), username=username, **fields)

    return make


@pytest.fixture
def intent() -> Callable[..., Intent]:
    """intent(person): a fresh command of that person; `fields` as in `Intent`."""

    def make(author: Person, **fields: Any) -> Intent:
        return Intent(author=author.id, **fields)

    return make


@pytest.fixture
def dataset(database: None, intent: Callable[..., Intent]) -> MakeDataset:
    """dataset(owner): a new dataset with the categories car, person and tree."""

    def make(
        owner: Person, task_type: str = "vector", *, labelers: tuple[Person, ...] = (), name: str = "", **changes: Any
    ) -> uuid.UUID:
        made = datasets.create_dataset(
            intent=intent(owner),
            owner=owner.id,
            name=name or f"dataset-{uuid.uuid4().hex[:12]}",
            task_type=task_type,
            task_attributes=changes.pop("task_attributes", CATEGORIES),
            changes=changes,
        )
        for labeler in labelers:
            datasets.add_member(intent=intent(owner), dataset=made, person=labeler.id, role="labeler")
        return made

    return make


@pytest.fixture
def sample(database: None, intent: Callable[..., Intent]) -> Callable[..., uuid.UUID]:
    """sample(dataset, author): a new sample there; other fields as the API takes them."""

    def make(dataset: uuid.UUID, author: Person, **fields: Any) -> uuid.UUID:
        body = {
            "name": f"sample-{uuid.uuid4().hex[:12]}.png",
            "attributes": {"image": {"url": "https://example.org/street.png"}},
        } | fields
        item = samples.checked_sample(body)
        return samples.add_samples(intent=intent(author), dataset=dataset, items=[item], keep_existing=False)[0]

    return make
