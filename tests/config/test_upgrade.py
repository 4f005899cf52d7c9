"""The embedded database on to a newer PostgreSQL: nothing is lost, whatever ends the upgrade, and the old is kept."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.embedded import binaries, lease, upgrade
from config.embedded.binaries import BinariesError
from config.embedded.upgrade import UpgradeFailed
from tests.config.conftest import Archive, older_binaries

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90.0
NEW = binaries.choose(set()).major
OLD = older_binaries().major


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PALIMPSEST_", "PYTEST_", "PG"))}
    return {**kept, "PALIMPSEST_HOME": str(home), "PALIMPSEST_NO_BOOTSTRAP": "1"}


@pytest.fixture(autouse=True)
def _no_trace_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attaching leads the settings elsewhere; and a server should not wait long for its next client."""
    monkeypatch.setenv(lease.ENVIRONMENT_NAME, "")
    monkeypatch.setattr(lease, "LINGER_S", 0.2)


@pytest.fixture(scope="module")
def old_home(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation on the older PostgreSQL, stopped; each test has a copy."""
    home = tmp_path_factory.mktemp("old") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(lease.ENVIRONMENT_NAME, "")
        patch.setattr(lease, "LINGER_S", 0.2)
        lease.attach(home, binaries=older_binaries())
    done = subprocess.run(
        [sys.executable, "manage.py", "restore", "--as-upgrade", "-"],
        cwd=CHECKOUT,
        env=environment(home),
        input=archive.data,
        capture_output=True,
        check=False,
    )
    lease.release(home)
    lease.wait_until_stopped(home, PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def home(old_home: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it, in whose place nothing runs at the end."""
    home = tmp_path / "home"
    shutil.copytree(old_home, home)
    yield home
    lease.release(home)
    lease.wait_until_stopped(home, PATIENCE_S)


def wait_until(true: Callable[[], object]) -> None:
    """Return as soon as the condition holds, and fail when it never does."""
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        pause.wait(0.005)


def clusters(home: Path) -> set[str]:
    return {path.parent.name for path in home.glob("postgres-*/PG_VERSION")}


def heads(home: Path) -> tuple[int, Any]:
    """The major version that opens the home's data, and the head and chain of every log in it."""
    fields = lease.attach(home)
    try:
        with psycopg.connect(
            host=fields["HOST"], port=fields["PORT"], user=fields["USER"], dbname=fields["NAME"]
        ) as there:
            logs = there.execute("SELECT log, head, encode(chain, 'hex') FROM log_head ORDER BY log").fetchall()
            return there.info.server_version // 10000, logs
    finally:
        lease.release(home)
        lease.wait_until_stopped(home, PATIENCE_S)


def of_archive(archive: Archive) -> Any:
    return [(each.log, each.head, each.chain) for each in archive.manifest.logs]


def start_upgrade(home: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "upgrade"],
        cwd=CHECKOUT,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def test_the_data_moves_to_the_new_version_and_the_old_is_kept(home: Path, archive: Archive) -> None:
    said: list[str] = []
    media = sorted(path.relative_to(home) for path in (home / "media").rglob("*"))
    key = (home / "secret_key").read_bytes()
    done = upgrade.upgrade(home, said.append)
    assert done is not None and (done.old, done.new) == (OLD, NEW)
    assert "Restored, and verified" in done.said and "are what the logs give" in done.said
    assert clusters(home) == {f"postgres-{NEW}", done.set_aside.name}
    assert upgrade.set_aside(home) == [done.set_aside]
    assert (done.set_aside / "PG_VERSION").read_text() == f"{OLD}\n"
    assert heads(home) == (NEW, of_archive(archive))
    assert sorted(path.relative_to(home) for path in (home / "media").rglob("*")) == media
    assert (home / "secret_key").read_bytes() == key
    assert not list(home.glob("upgrade-*"))
    assert upgrade.upgrade(home, said.append) is None


def test_where_the_old_version_is_gone_the_way_on_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_new = [each for each in binaries._in_packages() if each.major == NEW]
    monkeypatch.setattr(binaries, "_in_packages", lambda: only_new)
    monkeypatch.setattr(binaries, "_in_system", list)
    with pytest.raises(BinariesError, match=rf"written by PostgreSQL {OLD}.*`python3 manage.py upgrade` moves it"):
        binaries.choose({OLD})
    with pytest.raises(BinariesError, match="install PostgreSQL 99"):
        binaries.choose({99})
    monkeypatch.setattr(upgrade, "WHEELS", home)
    with pytest.raises(UpgradeFailed, match="--old-binaries"):
        upgrade.upgrade(home, lambda words: None)
    with pytest.raises(UpgradeFailed, match="is no PostgreSQL"):
        upgrade.upgrade(home, lambda words: None, old_binaries=home)
    with pytest.raises(UpgradeFailed, match=f"is PostgreSQL {NEW}"):
        upgrade.upgrade(home, lambda words: None, old_binaries=Path(only_new[0].bin_directory))
    assert clusters(home) == {f"postgres-{OLD}"}


def test_data_that_an_upgrade_left_behind_are_never_gone_back_to() -> None:
    assert binaries.choose({OLD, NEW}).major == NEW
    with pytest.raises(BinariesError, match="install PostgreSQL 99"):
        binaries.choose({OLD, 99})


def test_newer_data_are_not_brought_back(tmp_path: Path) -> None:
    (tmp_path / "postgres-99").mkdir()
    (tmp_path / "postgres-99" / "PG_VERSION").write_text("99\n")
    with pytest.raises(UpgradeFailed, match="of PostgreSQL 99 already"):
        upgrade.upgrade(tmp_path, lambda words: None)


def test_a_home_in_use_is_left_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LAST_CLIENT_GONE_S", 0.0)
    lease.attach(home)
    with pytest.raises(UpgradeFailed, match="is running; stop `serve`"):
        upgrade.upgrade(home, lambda words: None)
    assert clusters(home) == {f"postgres-{OLD}"}


@pytest.mark.full
def test_no_server_can_start_while_an_upgrade_is_at_work(home: Path) -> None:
    with lease.kept_from_starting(home):
        client = subprocess.Popen(
            [sys.executable, "manage.py", "showmigrations"],
            cwd=CHECKOUT,
            env=environment(home),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert client.stderr is not None
        assert client.stderr.readline().startswith(b"Waiting for the embedded PostgreSQL")
        assert not (home / f"postgres-{OLD}" / "postmaster.pid").exists()
        client.kill()
        client.wait()
        client.stderr.close()


def test_every_version_that_a_package_has_brought_can_be_fetched_again() -> None:
    assert {each.major for each in binaries._in_packages()} <= {int(path.stem) for path in upgrade.WHEELS.iterdir()}


@pytest.mark.full
def test_an_end_between_the_two_renames_is_made_up_for(
    home: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "_set_aside", killed)
        with pytest.raises(KeyboardInterrupt):
            upgrade.upgrade(home, lambda words: None)
    assert clusters(home) == {f"postgres-{OLD}", f"postgres-{NEW}"}
    assert heads(home) == (NEW, of_archive(archive))
    said: list[str] = []
    assert upgrade.upgrade(home, said.append) is None
    assert clusters(home) == {f"postgres-{NEW}", upgrade.set_aside(home)[0].name} and len(said) == 1


@pytest.mark.full
def test_a_copy_that_fails_leaves_the_old_data_in_place(tmp_path: Path) -> None:
    home = tmp_path / "home"
    lease.attach(home, binaries=older_binaries())  # an empty database, which was never set up
    lease.release(home)
    lease.wait_until_stopped(home, PATIENCE_S)
    with pytest.raises(UpgradeFailed, match="was not copied, and is as it was: There is nothing to back up"):
        upgrade.upgrade(home, lambda words: None)
    assert clusters(home) == {f"postgres-{OLD}"} and not list(home.glob("upgrade-*"))


# What is there when the upgrade has come so far; killed at each, in the order of the story.
STAGES: dict[str, Callable[[Path], object]] = {
    "a workplace": lambda home: list(home.glob("upgrade-*")),
    "the old server": lambda home: list(home.glob("upgrade-*/old/postgres.json")),
    "a new cluster": lambda home: list(home.glob(f"upgrade-*/new/postgres-{NEW}/PG_VERSION")),
    "the new server": lambda home: list(home.glob("upgrade-*/new/postgres.json")),
    "tables": lambda home: _has_tables(home),
    "the end of the new server": lambda home: _was_stopped(home),
    "the first rename": lambda home: (home / f"postgres-{NEW}").exists(),
}


def _has_tables(home: Path) -> bool:
    """Whether the restore has begun to write, which no other connection sees: by the files of its database."""
    counts = [len(list(base.iterdir())) for base in home.glob(f"upgrade-*/new/postgres-{NEW}/base/*")]
    return bool(counts) and max(counts) > min(counts) + 50


def _was_stopped(home: Path) -> bool:
    return _has_tables(home) and not list(home.glob("upgrade-*/new/postgres.json"))


def _has_come_to(reached: Callable[[Path], object], home: Path, process: subprocess.Popen[bytes]) -> bool:
    try:
        return bool(reached(home)) or process.poll() is not None
    except FileNotFoundError:  # gone between the listing and the look
        return False


@pytest.mark.full
@pytest.mark.parametrize("with_children", [True, False], ids=["all-of-it", "only-the-command"])
def test_killed_at_any_moment_the_old_is_untouched_or_the_new_is_complete(
    home: Path, archive: Archive, with_children: bool
) -> None:
    seen = []
    for name, reached in STAGES.items():
        process = start_upgrade(home)
        wait_until(partial(_has_come_to, reached, home, process))
        if process.poll() is None:
            (os.killpg if with_children else os.kill)(process.pid, signal.SIGKILL)
        process.communicate()
        seen.append((name, sorted(clusters(home))))
        is_new = f"postgres-{NEW}" in clusters(home)
        assert is_new or f"postgres-{OLD}" in clusters(home)
        if is_new:
            break
    print(json.dumps(seen, indent=1))
    last = start_upgrade(home)
    said, complained = last.communicate()
    assert last.returncode == 0, (said, complained)
    assert heads(home) == (NEW, of_archive(archive))
    assert not list(home.glob("upgrade-*")) and len(upgrade.set_aside(home)) == 1
    assert len(seen) >= len(STAGES) - 1


@pytest.mark.full
def test_the_old_version_is_fetched_by_its_hash_where_it_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "of_major", lambda major: None)
    found = upgrade._binaries_of(16, None, tmp_path, lambda words: None)
    assert found.major == 16 and found.bin_directory.startswith(str(tmp_path))
    home = tmp_path / "home"
    fields = lease.attach(home, binaries=found)
    try:
        with psycopg.connect(
            host=fields["HOST"], port=fields["PORT"], user=fields["USER"], dbname=fields["NAME"]
        ) as there:
            assert there.info.server_version // 10000 == 16
    finally:
        lease.release(home)
        lease.wait_until_stopped(home, PATIENCE_S)
