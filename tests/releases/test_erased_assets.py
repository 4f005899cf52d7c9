"""What releases say of files that were erased since they were cut: erased, not damaged; and the same for ever."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling import pictures, signing
from labeling.commands import asset_erasure, people
from labeling.commands.asset_erasure import content_named, erase_asset
from labeling.commands.assets import path_of
from labeling.commands.signing_keys import add_signing_key
from labeling.log.event import Intent
from labeling.models import Dataset, Person
from labeling.storage import local_path
from releases import builds, checks, commands, exports, files, queries
from tests.conftest import MakeDataset
from tests.releases.test_check_release import run
from tests.releases.test_terms import World, kept, manifest_of

Make = Callable[..., Any]
pytestmark = pytest.mark.django_db


class Erased:
    """A release with its pictures in it, of which the first was erased since; what it was before."""

    def __init__(self, world: World, root: Person, tmp_path: Path) -> None:
        self.world = world
        self.found = world.cut("v1", images="included")
        self.before = kept(self.found, tmp_path / "before.zip")
        self.export = self.exported("before")
        self.sha256 = content_named(world.urls[0])
        erase_asset(intent=Intent(author=root.id, reason="x"), sha256=self.sha256)
        asset_erasure.sweep()
        pictures.size_of.cache_clear()

    def exported(self, name: str) -> bytes:
        """All files of an export that needs the sizes of pictures, but for what says of which release it is."""
        release = self.world.cut(name, at=self.found.release.at_offset).release
        job = commands.export_release(release=release, format_name="voc")
        exports.build(job.id)
        job.refresh_from_db()
        assert job.error == ""
        with files.read(job.path) as file, zipfile.ZipFile(io.BytesIO(file.read())) as archive:
            return b"".join(archive.read(name) for name in archive.namelist() if name != "export.json")

    def verified(self) -> str:
        row, said = Dataset.objects.get(id=self.world.dataset), io.StringIO()
        call_command("verify_release", f"{self.world.ana.username}/{row.name}", "v1", stdout=said)
        return said.getvalue()


@pytest.fixture
def erased(person: Make, dataset: MakeDataset, label: Make, tmp_path: Path) -> Erased:
    ana, root = person("ana"), person("root")
    Person.objects.filter(id=root.id).update(is_superuser=True)
    return Erased(World(ana, dataset(ana), label), root, tmp_path)


def test_a_release_keeps_its_identity_when_a_file_is_erased(erased: Erased) -> None:
    found, before = erased.found, erased.found.build
    assert before is not None
    builds.reset(found.release.id)
    builds.build(found.release.id)
    again = queries.release_by_id(found.release.id).build
    assert again is not None
    assert (again.identity, again.manifest, again.sha256) == (before.identity, before.manifest, before.sha256)
    assert erased.exported("after") == erased.export, "the size of the picture is remembered"


def test_verifying_says_erased_and_not_damaged(erased: Erased) -> None:
    said = erased.verified()
    assert f"erased: a.png ({erased.sha256})" in said
    assert "Sound, but for what was erased: 3 samples" in said
    assert list(checks.findings(erased.world.dataset)) == []


def test_an_archive_from_after_says_erased_and_one_from_before_is_whole(erased: Erased, tmp_path: Path) -> None:
    path = kept(erased.found, tmp_path / "after.zip")
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if erased.sha256 in name]
        [item] = json.loads(archive.read("erased.json"))["files"]
    assert (item["sha256"], item["filename"]) == (erased.sha256, "a.png")
    assert erased.found.build is not None
    status, said = run(path, erased.found.build.identity)
    assert (status, said.splitlines()[-1]) == (0, "sound, but for what was erased")
    assert f"erased     assets/{erased.sha256[:2]}/{erased.sha256}" in said
    status, said = run(erased.before)
    assert (status, said.splitlines()[-1]) == (0, "sound")


def test_after_an_erasure_a_flipped_byte_still_names_the_file(erased: Erased, tmp_path: Path) -> None:
    path = kept(erased.found, tmp_path / "after.zip")
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = next(info for info in archive.infolist() if info.filename.startswith("assets/"))
    data[info.header_offset + 30 + len(info.filename) + 9] ^= 1
    path.write_bytes(data)
    status, said = run(path)
    assert (status, f"BAD        {info.filename}" in said) == (1, True)
    stored = local_path(path_of(content_named(erased.world.urls[1])))
    assert stored is not None
    was = stored.read_bytes()
    stored.write_bytes(was[:-1] + b"!")
    with pytest.raises(CommandError, match="1 of its assets are damaged"):
        erased.verified()
    stored.write_bytes(was)


def test_what_says_erased_has_to_be_of_this_release_and_signed_where_a_key_is_trusted(
    erased: Erased, tmp_path: Path
) -> None:
    path = kept(erased.found, tmp_path / "after.zip")
    with zipfile.ZipFile(path) as archive:
        entries: dict[str, Any] = {name: archive.read(name) for name in archive.namelist()}

    def packed(document: bytes | None) -> Path:
        with zipfile.ZipFile(tmp_path / "bent.zip", "w") as archive:
            for name, data in (entries | {"erased.json": document}).items():
                if data is not None:
                    archive.writestr(name, data)
        return tmp_path / "bent.zip"

    document = json.loads(entries["erased.json"])
    other = json.dumps(document | {"release": "0" * 64}).encode()
    for bent, said in ((other, "of another release"), (b"{}", "none that this program knows"), (None, "is not there")):
        status, told = run(packed(bent))
        assert (status, said in told) == (1, True), told
    status, told = run(path, "--key", "0" * 32)
    assert (status, "erased.json: it is not signed" in told) == (1, True)


def test_a_signed_installation_signs_what_it_says_of_erased_files(
    erased: Erased, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "_folder", lambda: tmp_path / "signing_keys")
    key = add_signing_key(intent=people.operator("test"))
    builds.reset(erased.found.release.id)
    builds.build(erased.found.release.id)
    path = kept(queries.release_by_id(erased.found.release.id), tmp_path / "after.zip")
    status, said = run(path, "--key", key)
    assert (status, said.splitlines()[-1]) == (0, "sound, but for what was erased"), said


def test_a_successor_names_what_is_gone(erased: Erased, tmp_path: Path) -> None:
    second = erased.world.cut("v1.1", supersedes="v1", images="included")
    said = manifest_of(second)
    [gone] = said["assets"]["erased"]
    assert (gone["sha256"], said["assets"]["count"]) == (erased.sha256, 2)
    assert said["content_sha256"] == manifest_of(erased.found)["content_sha256"]
    status, told = run(kept(second, tmp_path / "second.zip"))
    assert (status, told.splitlines()[-1]) == (0, "sound, but for what was erased")
    assert f"erased     {erased.sha256}" in told
    assert second.build is not None
    assert checks.problem_with(second, second.build) is None
