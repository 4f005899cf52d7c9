"""Installations beside that of the test run: a data directory and a database each, to which this process is led.

All in this process, so that a test can look into the middle of a backup; their databases are on servers that it names.
"""

from __future__ import annotations

import itertools
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, connections
from django.test.utils import override_settings
from psycopg import sql

from config import home
from config.storage import storage
from labeling.commands import assets, datasets, issues, labels, people, samples
from labeling.log import projector
from labeling.log.event import Intent
from releases import builds, commands

_serial = itertools.count(1)
CATEGORIES = {"categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "person"}]}
PASSWORD = "a long and good password"
TEXT = "is this one a van? äöü \\ \t \u2028 done"


class Home:
    """An installation that has nothing yet: an empty database on the server at `fields`, and an empty directory.

    One that is made `like` another has its rows and files, and a secret key of its own.
    """

    def __init__(
        self, place: Path, fields: Mapping[str, Any], *, storage_url: str = "", like: Home | None = None
    ) -> None:
        self.path = place / f"home-{next(_serial)}"
        self.fields = {name: fields[name] for name in ("HOST", "PORT", "USER")}
        self.name = f"own_{uuid.uuid4().hex}"
        home.prepare(self.path)
        home.secret_key(self.path)
        entry = storage({"STORAGE_URL": storage_url}, self.path)
        self._settings = {
            "HOME": self.path,
            "EXPORTS_ROOT": self.path / "exports",
            "MEDIA_ROOT": self.path / "media",
            "STORAGES": {"default": entry, "staticfiles": {"BACKEND": "django.core.files.storage.FileSystemStorage"}},
        }
        template = sql.Identifier("template0" if like is None else like.name)
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(self.name), template))
        if like is not None:
            shutil.copytree(like.path / "media", self.path / "media", dirs_exist_ok=True)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Lead this process here."""
        before = {name: connection.settings_dict[name] for name in ("HOST", "PORT", "USER", "NAME")}
        connections.close_all()
        connection.settings_dict.update(self.fields | {"NAME": self.name})
        try:
            with override_settings(**self._settings):
                yield
        finally:
            connections.close_all()
            connection.settings_dict.update(before)

    def stored(self) -> dict[str, bytes]:
        """{path: bytes} of every file in the data directory's storage."""
        media = self.path / "media"
        return {str(path.relative_to(media)): path.read_bytes() for path in media.rglob("*") if path.is_file()}

    def secret_key(self) -> str:
        """The key that the installation has."""
        return home.secret_key(self.path)

    def tables(self) -> list[str]:
        """The names of the tables that are there."""
        with self.connected(self.name) as there:
            return [row[0] for row in there.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]

    @contextmanager
    def connected(self, name: str) -> Iterator[psycopg.Connection[Any]]:
        """A connection of nobody's."""
        fields = self.fields
        with psycopg.connect(
            host=fields["HOST"], port=fields["PORT"], user=fields["USER"], dbname=name, autocommit=True
        ) as there:
            yield there

    def _execute(self, statement: sql.Composed) -> None:
        with self.connected("postgres") as there:
            there.execute(statement)


class World:
    """What a small installation holds; made by commands, as clients would have them made."""

    def __init__(self) -> None:
        self.ana = people.add_person(
            intent=people.operator("test"), username="ana", password=PASSWORD, staff=True, superuser=True
        )
        _, self.key = people.create_key(intent=people.operator("test"), person=self.ana, name="laptop")
        self.dataset = datasets.create_dataset(
            intent=self.intent(),
            owner=self.ana.id,
            name="streets",
            task_type="vector",
            task_attributes=CATEGORIES,
            changes={},
        )
        self.samples = [self.add_sample(f"street-{n}.png") for n in range(3)]
        for number, sample in enumerate(self.samples):
            self.save(sample, float(number))
        self.issue = issues.open_issue(
            intent=self.intent(), sample=self.samples[0], fields=issues.checked_issue({"description": TEXT})
        )
        self.release = self.cut("v1")
        self.withdrawn_later = self.cut("v2")
        projector.catch_up(self.dataset)

    def intent(self, **fields: Any) -> Intent:
        """A fresh command of Ana's."""
        return Intent(author=self.ana.id, **fields)

    def add_sample(self, name: str) -> uuid.UUID:
        """A sample with a file of its own."""
        asset = assets.plan_asset(owner=self.ana.id, filename=name)
        assets.store_asset(asset, ContentFile(f"the bytes of {name}".encode() * 100))
        item = samples.checked_sample({"name": name, "attributes": {"image": {"url": assets.url_of(asset)}}})
        return samples.add_samples(intent=self.intent(), dataset=self.dataset, items=[item], keep_existing=False)[0]

    def save(self, sample: uuid.UUID, x: float, **fields: Any) -> None:
        """Save a label with one box."""
        box = {"id": 1, "category_id": 1, "type": "bbox", "points": [[x, 5.5], [x + 20, 30.25]]}
        labels.save_label(
            intent=self.intent(**fields),
            sample=sample,
            label_set="ground-truth",
            document={"annotations": [box]},
            status="LABELED",
            create=True,
        )

    def cut(self, name: str) -> uuid.UUID:
        """A release, with its file."""
        release = commands.cut_release(intent=self.intent(), dataset=self.dataset, name=name)
        builds.build(release)
        return release


def stored_bytes(path: str) -> bytes:
    """A stored file, wherever it is."""
    with default_storage.open(path) as file:
        return bytes(file.read())
