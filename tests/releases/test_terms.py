"""Assets by their hashes, archives, differences to a base, successors, and what is left of a withdrawn release."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from labeling.commands import datasets, people, samples
from labeling.errors import InvalidValue, Refused
from labeling.log.event import Intent
from labeling.models import Dataset, Person
from releases import actors, builds, bundling, check_release, checks, commands, exports, files, queries, snapshots
from releases.formats import registry
from releases.models import ReleaseBuild
from releases.queries import Found
from releases.snapshots import Difference, Line
from releases.wholes import Whole
from tests.conftest import MakeDataset
from tests.labeling.api.conftest import browser
from tests.releases.conftest import box
from tests.releases.test_check_release import run
from tests.support.masks import picture, upload

Make = Callable[..., Any]
pytestmark = pytest.mark.django_db


class World:
    """A dataset of ana with three pictures of different bytes, two of them labeled."""

    def __init__(self, ana: Person, dataset: uuid.UUID, label: Make) -> None:
        self.ana, self.dataset, self.label = ana, dataset, label
        self.urls = [upload(ana, picture(width=40 + n)) for n in range(3)]
        self.samples = [self.add(f"{n}.png", url) for n, url in enumerate(self.urls)]
        for sample in self.samples[:2]:
            label(sample, ana)

    @property
    def by(self) -> Intent:
        return Intent(author=self.ana.id)

    def add(self, name: str, url: str) -> uuid.UUID:
        item = samples.checked_sample({"name": name, "attributes": {"image": {"url": url}}})
        (sample,) = samples.add_samples(intent=self.by, dataset=self.dataset, items=[item], keep_existing=False)
        return sample

    def cut(self, name: str, **said: Any) -> Found:
        made = commands.cut_release(intent=self.by, dataset=self.dataset, name=name, **said)
        builds.build(made)
        found = queries.release_by_id(made)
        assert found.build is not None
        assert found.build.error == ""
        return found

    def ask(self, path: str, method: str = "GET", **headers: str) -> Any:
        _, secret = people.create_key(intent=people.operator("test"), person=self.ana)
        row = Dataset.objects.get(id=self.dataset)
        address = f"/datasets/{self.ana.username}/{row.name}/releases/{path}"
        return browser().generic(method, address, headers=headers | {"Authorization": f"APIKey {secret}"})


@pytest.fixture
def world(person: Make, dataset: MakeDataset, label: Make) -> World:
    ana = person()
    return World(ana, dataset(ana), label)


def manifest_of(found: Found) -> dict[str, Any]:
    assert found.build is not None
    said = json.loads(found.build.manifest)
    assert isinstance(said, dict)
    return said


def archive_of(found: Found) -> bytes:
    return b"".join(bundling.archive(found))


def kept(found: Found, path: Path) -> Path:
    path.write_bytes(archive_of(found))
    return path


def taken(address: str) -> bytes:
    answer: Any = browser().get(address)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def whole_of(found: Found) -> bytes:
    assert found.build is not None
    whole = Whole(found.release, found.build)
    try:
        return b"".join(whole.chunks(1000))
    finally:
        whole.close()


# --- assets ----------------------------------------------------------------------------------------------------------


def test_the_manifest_leads_to_every_file_by_its_hash(world: World) -> None:
    found = world.cut("v1")
    said = manifest_of(found)
    assert [item["path"] for item in said["files"]] == ["release.json", "assets.jsonl"]
    assert found.build is not None
    with files.read(found.build.assets_path) as file:
        raw = file.read()
    assert said["files"][1]["sha256"] == hashlib.sha256(raw).hexdigest()
    lines = [json.loads(line) for line in raw.splitlines()]
    assert [line["url"] for line in lines] == world.urls
    assert all("http" not in line["url"] for line in lines), "no host is hashed"
    assert said["assets"]["count"] == 3
    assert said["assets"]["size_bytes"] == sum(line["size_bytes"] for line in lines)
    assert said["assets"]["images"] == "referred"


def test_an_asset_that_no_sample_refers_to_is_not_the_releases(world: World) -> None:
    samples.change_sample(
        intent=world.by, sample=world.samples[2], changes={"attributes": {"image": {"url": "https://x/y"}}}
    )
    assert manifest_of(world.cut("v1"))["assets"]["count"] == 2
    assert manifest_of(world.cut("v0", filter={"samples": ["0.png"]}))["assets"]["count"] == 1


def test_an_archive_refers_to_the_pictures_or_includes_them(world: World, tmp_path: Path) -> None:
    referred, included = world.cut("v1"), world.cut("v2", images="included")
    with zipfile.ZipFile(io.BytesIO(archive_of(referred))) as archive:
        assert archive.namelist() == ["manifest.json", "release.json", "assets.jsonl"]
    with zipfile.ZipFile(io.BytesIO(archive_of(included))) as archive:
        listed = [json.loads(line) for line in archive.read("assets.jsonl").splitlines()]
        assert archive.namelist()[3:] == [line["path"] for line in listed]
        for line in listed:
            assert hashlib.sha256(archive.read(line["path"])).hexdigest() == line["sha256"]
    for found in (referred, included):
        assert found.build is not None
        status, said = run(kept(found, tmp_path / "a.zip"), found.build.identity)
        assert (status, said.splitlines()[-1]) == (0, "sound"), said


def test_an_archive_is_the_same_bytes_every_time_and_holds_a_file_once(world: World) -> None:
    world.add("again.png", upload(world.ana, picture(width=40), "b.png"))
    found = world.cut("v1", images="included")
    data = archive_of(found)
    assert data == archive_of(found)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert len(archive.read("assets.jsonl").splitlines()) == 4
        assert len(archive.namelist()) == len(set(archive.namelist())) == 3 + 3


def test_one_flipped_byte_anywhere_names_the_file(world: World, tmp_path: Path) -> None:
    found = world.cut("v1", images="included")
    path = kept(found, tmp_path / "a.zip")
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    for info in infos:
        start = info.header_offset + 30 + len(info.filename.encode())
        for place in (start, start + info.file_size // 2, start + info.file_size - 1):
            bent = bytearray(whole)
            bent[place] ^= 1
            path.write_bytes(bent)
            status, said = run(path, found.build.identity if found.build else "")
            assert status == 1, (info.filename, place)
            named = info.filename if info.filename != "manifest.json" else "manifest"
            assert any(line.startswith("BAD") and named in line for line in said.splitlines()), (info.filename, said)
            assert said.splitlines()[-1] == "damaged"


def test_a_file_too_many_or_too_few_in_an_archive_is_named(world: World, tmp_path: Path) -> None:
    path = kept(world.cut("v1", images="included"), tmp_path / "a.zip")
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    gone = next(name for name in entries if name.startswith("assets/"))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for name, data in entries.items():
            if name != gone:
                archive.writestr(name, data)
        archive.writestr("more.txt", "x")
    status, said = run(tmp_path / "b.zip")
    assert status == 1
    assert f"BAD        {gone}" in said
    assert "BAD        more.txt: nothing in the manifest names it" in said


def test_a_lost_picture_stops_the_archive_and_is_named(world: World) -> None:
    found = world.cut("v1", images="included")
    assert found.build is not None
    with files.read(found.build.assets_path) as file:
        item = json.loads(file.readline())
    from django.core.files.storage import default_storage

    from labeling.commands.assets import path_of

    default_storage.delete(path_of(item["sha256"]))
    with pytest.raises(bundling.FileLost, match=item["sha256"]):
        archive_of(found)
    assert [item["sha256"] in line for line in checks.check_assets(found, found.build).problems] == [True]
    row = Dataset.objects.get(id=world.dataset)
    with pytest.raises(CommandError, match="1 of its assets are damaged"):
        call_command("verify_release", f"{world.ana.username}/{row.name}", "v1", stdout=io.StringIO())


def test_the_api_sends_the_archive_and_tells_who_took_it(world: World) -> None:
    from labeling.log import store
    from labeling.log.event import SECURITY

    found = world.cut("v1")
    answer = world.ask("v1/archive/")
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content) == archive_of(found)
    [event] = [item for item in store.read(SECURITY, types=["Downloaded"]) if item.data["id"] == str(found.release.id)]
    assert (event.intent.author, event.data["what"]) == (world.ana.id, "archive")


def test_a_release_from_before_keeps_the_manifest_that_it_had(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from releases import rules
    from releases.terms import FIRST

    real = rules.cut
    monkeypatch.setattr(rules, "cut", lambda state, **said: real(state, **said | {"terms": FIRST}))
    said = manifest_of(world.cut("v1"))
    assert (said["manifest"], len(said["files"])) == (1, 1)
    assert not {"assets", "base", "supersedes"} & set(said)


@pytest.mark.parametrize("images", ["all", 1, [], True])
def test_what_is_no_word_for_pictures_is_refused(world: World, images: Any) -> None:
    with pytest.raises(InvalidValue, match="images"):
        commands.cut_release(intent=world.by, dataset=world.dataset, name="v1", images=images)


# --- base and difference ---------------------------------------------------------------------------------------------


def test_a_difference_holds_only_what_differs_and_gives_the_whole_again(world: World, tmp_path: Path) -> None:
    first = world.cut("v1")
    world.label(world.samples[1], world.ana, {"annotations": [box(1, 2, 3.5)]})
    samples.archive_sample(intent=world.by, sample=world.samples[0])
    world.add("3.png", world.urls[0])
    second, complete = world.cut("v2", base="v1"), world.cut("v2-whole")
    assert first.build is not None
    assert second.build is not None
    assert complete.build is not None
    with files.read(second.build.path) as file:
        held = json.loads(file.read())
    assert [item["name"] for item in held["dataset"]["samples"]] == ["1.png", "3.png"]
    assert held["difference"]["removed"] == [str(world.samples[0])]
    assert list(held["difference"]["added"].values()) == [str(world.samples[2])]
    assert held["difference"]["base"] == {"release": str(first.release.id), "identity": first.build.identity}
    said = manifest_of(second)
    assert said["base"] == held["difference"]["base"]
    assert said["content_sha256"] == manifest_of(complete)["content_sha256"]
    assert said["samples_count"] == 3
    whole = whole_of(second)
    assert said["whole"] == {"sha256": hashlib.sha256(whole).hexdigest(), "size_bytes": len(whole)}
    assert json.loads(whole)["dataset"] == json.loads(whole_of(complete))["dataset"]
    archives = [kept(found, tmp_path / f"{found.release.name}.zip") for found in (first, second)]
    status, told = run(archives[1], second.build.identity, "--base", archives[0])
    assert (status, told.splitlines()[-1]) == (0, "sound"), told
    assert f"whole      of base and difference, {len(whole)} bytes" in told
    status, told = run(archives[1])
    assert (status, "content    not checked" in told) == (0, True)
    assert checks.problem_with(second, second.build) is None


def test_a_base_that_is_another_or_was_changed_is_found(world: World, tmp_path: Path) -> None:
    first, other = world.cut("v1"), world.cut("v0", filter={"samples": ["0.png"]})
    second = world.cut("v2", base="v1")
    paths = {found.release.name: kept(found, tmp_path / found.release.name) for found in (first, other, second)}
    assert "not checked" in run(paths["v2"], "--base", paths["v0"])[1]
    with zipfile.ZipFile(paths["v1"]) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "bent", "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data.replace(b"0.png", b"9.png") if name == "release.json" else data)
    status, said = run(paths["v2"], "--base", tmp_path / "bent")
    assert (status, "the samples are others than the manifest's" in said) == (1, True)


def test_differences_stand_on_each_other_and_are_served_whole(world: World, tmp_path: Path) -> None:
    bases = [world.cut("v0")]
    for n in range(1, 4):
        world.label(world.samples[n % 3], world.ana, {"annotations": [box(1, 1, float(n))]})
        bases.append(world.cut(f"v{n}", base=f"v{n - 1}"))
    last = bases[-1]
    assert json.loads(whole_of(last))["dataset"] == json.loads(whole_of(world.cut("whole")))["dataset"]
    address = json.loads(world.ask("v3/").content)["attributes"]["url"]
    path = "/" + address.split("/", 3)[3]
    served = json.loads(taken(path))
    assert [item["name"] for item in served["dataset"]["samples"]] == ["0.png", "1.png", "2.png"]
    assert served["dataset"]["samples"][0]["attributes"]["image"]["url"].startswith("http")
    stored = taken(f"{path}?stored")
    assert hashlib.sha256(stored).hexdigest() == last.build.sha256  # type: ignore[union-attr]
    assert taken(f"{path}?stored=whole") == whole_of(last)
    paths = [kept(found, tmp_path / found.release.name) for found in bases]
    arguments = [word for path in paths[:-1] for word in ("--base", path)]
    status, said = run(paths[-1], *arguments)
    assert (status, "whole      of base" in said) == (0, True), said


def test_exports_of_a_difference_are_those_of_the_whole(world: World) -> None:
    world.cut("v1")
    world.label(world.samples[2], world.ana)
    found = []
    for name, base in (("v2", "v1"), ("v3", None)):
        release = world.cut(name, base=base).release
        job = commands.export_release(release=release, format_name="csv")
        exports.build(job.id)
        job.refresh_from_db()
        with files.read(job.path) as file, zipfile.ZipFile(io.BytesIO(file.read())) as archive:
            found.append({name: archive.read(name) for name in archive.namelist() if name != "export.json"})
    assert found[0] == found[1]
    assert "csv" in registry.WRITTEN


def test_the_file_of_a_base_stays_as_long_as_it_is_needed(world: World) -> None:
    first = world.cut("v1")
    second = world.cut("v2", base=str(first.release.id))
    commands.withdraw_release(intent=world.by, dataset=world.dataset, name="v1")
    builds.forget(first.release.id)
    assert builds.left_behind() == []
    assert json.loads(whole_of(second))["dataset"]["samples"]
    path = ReleaseBuild.objects.get(release_id=first.release.id).path
    files.discard(path)
    address = "/" + str(second.url("x")).split("/", 3)[3]
    assert browser().get(address).status_code == 503
    builds.build(first.release.id)
    answer: Any = browser().get(address)
    assert (answer.status_code, b"0.png" in b"".join(answer.streaming_content)) == (200, True)
    commands.withdraw_release(intent=world.by, dataset=world.dataset, name="v2")
    builds.forget(second.release.id)
    assert builds.left_behind() == [first.release.id]
    actors.sweep()
    assert builds.left_behind() == []
    assert ReleaseBuild.objects.get(release_id=first.release.id).path == ""


def cut_with(field: str, value: Any, world: World) -> None:
    said: dict[str, Any] = {field: value}
    commands.cut_release(intent=world.by, dataset=world.dataset, name="v2", **said)


def test_a_base_has_to_be_made_and_of_the_same_dataset(world: World, dataset: MakeDataset) -> None:
    commands.cut_release(intent=world.by, dataset=world.dataset, name="pending")
    for field in ("base", "supersedes"):
        with pytest.raises(Refused, match="is not made yet"):
            cut_with(field, "pending", world)
        for bad in ("nothing", 1, [], str(uuid.uuid4())):
            with pytest.raises(InvalidValue, match=field):
                cut_with(field, bad, world)


def test_too_many_differences_on_each_other_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MOST_BASES", 2)
    world.cut("v0")
    world.cut("v1", base="v0")
    world.cut("v2", base="v1")
    with pytest.raises(Refused, match="differences stand on each other"):
        world.cut("v3", base="v2")


NUMBERS = st.lists(st.integers(0, 30), unique=True).map(sorted)


def lines(numbers: list[int], changed: set[int]) -> list[Line]:
    found = []
    for n in numbers:
        sample = uuid.UUID(int=n, version=4)
        text = b'{"x":%d,"uuid":"%b"}' % (n in changed, str(sample).encode())
        found.append(Line(sample, n, text, "", 0))
    return found


def file_of(found: list[Line], end: bytes) -> bytes:
    return b'{"samples":[' + b"".join((b",\n" if n else b"\n") + line.text for n, line in enumerate(found)) + end


@given(NUMBERS, NUMBERS, st.sets(st.integers(0, 30)))
def test_base_and_difference_give_the_whole(before: list[int], after: list[int], changed: set[int]) -> None:
    """Whatever was added, removed and changed: the joined bytes are those of the whole."""
    base, whole = lines(before, set()), lines(after, changed)
    difference = Difference(iter(base))
    held = [line for line in whole if difference.differs(line)]
    assert {line.added for line in held} == {n for n in after if n not in before or n in changed}
    said = json.dumps(difference.said()).encode()
    stored = file_of(held, b'\n],"d":"",\n"difference":' + said + b',\n"log":{}}\n')
    joined = check_release.joined(
        check_release.lines_of([file_of(base, b'\n],"d":"","log":{}}\n')]), lambda: check_release.lines_of([stored])
    )
    assert b"".join(joined) == file_of(whole, b'\n],"d":"","log":{}}\n')


# --- successors and withdrawal ---------------------------------------------------------------------------------------


def test_a_successor_freezes_the_same_and_names_what_it_supersedes(world: World) -> None:
    first = world.cut("v1", filter={"samples": ["0.png", "1.png"]})
    world.label(world.samples[0], world.ana, {"annotations": []})
    second = world.cut("v1.1", supersedes="v1")
    said = manifest_of(second)
    assert said["supersedes"] == {"release": str(first.release.id), "identity": first.build.identity}  # type: ignore[union-attr]
    assert said["content_sha256"] == manifest_of(first)["content_sha256"]
    assert (said["offset"], said["choice"]) == (first.release.at_offset, first.release.choice)
    assert world.cut("v2", supersedes="v1", filter={"samples": ["*"]}).release.at_offset > first.release.at_offset


def test_a_withdrawn_release_is_known_by_its_id_for_ever(world: World) -> None:
    first = world.cut("v1")
    answer = world.ask("v1/", "DELETE", **{"X-Reason": "the labels of May were wrong"})
    assert answer.status_code == 204
    builds.forget(first.release.id)
    assert world.ask("v1/").status_code == 404
    said = world.ask(f"{first.release.id}/").json()
    assert said["withdrawn"]["by"] == world.ana.username
    assert said["withdrawn"]["reason"] == "the labels of May were wrong"
    assert said["withdrawn"]["at"] >= said["created_at"]
    assert (said["identity"], said["attributes"]["url"]) == (first.build.identity, None)  # type: ignore[union-attr]
    manifest = world.ask(f"{first.release.id}/manifest/")
    assert hashlib.sha256(manifest.content).hexdigest() == said["identity"]
    again = world.cut("v1")
    assert again.release.id != first.release.id
    assert world.ask("v1/").json()["withdrawn"] is None
    assert [item["uuid"] for item in world.ask("").json()] == [str(again.release.id)]
    both = [item["uuid"] for item in world.ask("?withdrawn").json()]
    assert both == [str(first.release.id), str(again.release.id)]
    row = Dataset.objects.get(id=world.dataset)
    with pytest.raises(CommandError, match="was withdrawn"):
        call_command("verify_release", f"{world.ana.username}/{row.name}", str(first.release.id))


def test_a_release_of_another_dataset_is_not_found_by_its_id(world: World, dataset: MakeDataset) -> None:
    other = dataset(world.ana, name="other")
    made = commands.cut_release(intent=world.by, dataset=other, name="v1")
    assert world.ask(f"{made}/").status_code == 404
    datasets.delete_dataset(intent=world.by, dataset=other)


def test_the_memory_of_tokens_is_what_they_are() -> None:
    tokens = snapshots.Tokens()
    assert "x" * 32 not in tokens
    seen = snapshots.Tokens()
    seen.add(b'{"url":"/media/' + b"a" * 32 + b'/x.png","text":"\\"/media/' + b"b" * 32 + b'/x.png\\""}')
    assert "a" * 32 in seen
    assert "b" * 32 not in seen
    assert "a" * 31 not in seen
