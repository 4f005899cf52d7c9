"""The data directory: where it is, that it is private, and its secret key."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from config import home
from config.home import HomeError, data_directory, prepare, secret_key

CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_environment_names_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIMPSEST_HOME", str(tmp_path / "there"))
    assert data_directory() == tmp_path / "there"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PALIMPSEST_HOME", "relative")
    assert data_directory() == tmp_path / "relative"


def test_without_one_every_checkout_has_its_own_below_the_users_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PALIMPSEST_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(home, "CHECKOUT", Path("/srv/my, checkout"))
    one = data_directory()
    monkeypatch.setattr(home, "CHECKOUT", Path("/opt/my, checkout"))
    assert one.parent == data_directory().parent == tmp_path / "palimpsest"
    assert one != data_directory()
    assert one.name.startswith("my-checkout-")


def test_a_relative_data_home_is_ignored_as_its_specification_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PALIMPSEST_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/someone")
    assert data_directory().parent == Path("/home/someone/.local/share/palimpsest")


def test_what_is_made_is_private_and_what_was_there_keeps_its_mode(tmp_path: Path) -> None:
    made = prepare(tmp_path / "made")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (made, made / "media", made / "log")] == [0o700] * 3
    there = tmp_path / "there"
    there.mkdir()
    there.chmod(0o755)
    prepare(there)
    assert stat.S_IMODE(there.stat().st_mode) == 0o755


def test_a_place_where_no_directory_can_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="set PALIMPSEST_HOME to a directory that this account can write"):
        prepare(tmp_path / "file" / "home")


def test_racing_first_uses_get_the_same_secret_key_in_a_private_file(tmp_path: Path) -> None:
    prepare(tmp_path / "home")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from config.home import secret_key\n"
    )
    program += "print(secret_key(Path(sys.argv[2])))"
    asked = [sys.executable, "-c", program, str(CHECKOUT), str(tmp_path / "home")]
    racers = [subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    keys = {racer.communicate()[0].strip() for racer in racers}
    assert keys == {secret_key(tmp_path / "home")}
    assert len(keys.pop()) >= 50
    assert stat.S_IMODE((tmp_path / "home" / "secret_key").stat().st_mode) == 0o600
    assert not list((tmp_path / "home").glob(".secret_key*"))


def test_an_empty_secret_key_is_reported_and_not_used(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("\n")
    with pytest.raises(HomeError, match="is damaged"):
        secret_key(tmp_path)


def test_a_file_that_root_makes_in_someone_elses_directory_becomes_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: given.append((str(path), uid, gid)))
    secret_key(prepare(tmp_path / "home"))
    owner = tmp_path.stat()
    assert {(uid, gid) for _, uid, gid in given} == {(owner.st_uid, (tmp_path / "home").stat().st_gid)}
    assert str(tmp_path / "home" / "media") in {path for path, _, _ in given}
