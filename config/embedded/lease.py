"""What a process does to have the embedded PostgreSQL: take a lease, start a supervisor if there is none, and connect.

Two lock files stand in the home. `postgres.lock` is held by the one supervisor, which inherits it from the client
that started it, so there is no gap in which a second could start. `postgres.lease` is held, shared, by every client;
the kernel drops it however the client dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from config.embedded.binaries import Binaries, BinariesError, choose
from config.home import CHECKOUT, HomeError, give_to_owner, prepare

DATABASE = "palimpsest"
ENVIRONMENT_NAME = "PALIMPSEST_DATABASE"
LINGER_S = 2.0
NOTICE_AFTER_S = 5.0
UNREACHABLE_AFTER_S = 60.0
LAST_CLIENT_GONE_S = 10.0
LAUNCH = "import sys; sys.path.insert(0, sys.argv[1]); from config.embedded.supervisor import main; main(sys.argv[2:])"

_leases: dict[Path, int] = {}
_without_durability: set[Path] = set()


class EmbeddedDatabaseError(Exception):
    """The embedded PostgreSQL cannot be had; the message is one sentence for the person at the terminal."""


def attach(home: Path, *, fast: bool = False, binaries: Binaries | None = None) -> dict[str, str]:
    """Return Django's HOST, PORT, NAME and USER for this home's server, started if need be, and keep it alive.

    The lease is held until this process ends; it goes on in forks and ends at exec. `fast` gives up durability, for
    tests; `binaries` are to be used if the server is not running. The fields are also put in the environment, for
    settings and for children, which live under this lease.

    Raises:
        EmbeddedDatabaseError: there are no binaries, the server does not start, or it runs in the other mode.
    """
    try:
        home = prepare(home)
        if home not in _leases:
            _leases[home] = _open(home / "postgres.lease")
        fields = _running_server(home, fast, binaries)
    except PermissionError as error:
        raise EmbeddedDatabaseError(
            f"{error.filename or home} belongs to another account; set PALIMPSEST_HOME to a directory of yours."
        ) from None
    except (HomeError, BinariesError) as error:
        raise EmbeddedDatabaseError(str(error)) from None
    except OSError as error:
        raise EmbeddedDatabaseError(f"The embedded PostgreSQL cannot be started: {error}") from None
    if fast:
        _without_durability.add(home)
    os.environ[ENVIRONMENT_NAME] = json.dumps(fields)
    return fields


def ensure(home: Path) -> bool:
    """Attach again, on the same socket if it can be, where the supervisor was killed; say whether that was so.

    Raises:
        EmbeddedDatabaseError: as `attach`.
    """
    home = Path(os.path.abspath(home))
    if home in _leases and is_supervised(home):
        return False
    attach(home, fast=home in _without_durability)
    return True


def descriptor(home: Path) -> int:
    """Return the lease's descriptor, to be passed to a child that shall keep the server alive on its own (pass_fds)."""
    return _leases[Path(os.path.abspath(home))]


def is_supervised(home: Path) -> bool:
    """Say whether a supervisor lives."""
    lock = _open(Path(os.path.abspath(home)) / "postgres.lock")
    try:
        return not _try_lock(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)


@contextmanager
def kept_from_starting(home: Path) -> Iterator[None]:
    """While this runs, no server of this home can be started; who asks for one waits.

    Raises:
        EmbeddedDatabaseError: one is running.
    """
    lock = _open(Path(os.path.abspath(home)) / "postgres.lock")
    try:
        deadline = time.monotonic() + LAST_CLIENT_GONE_S
        while not _try_lock(lock, fcntl.LOCK_EX):
            if time.monotonic() < deadline:  # it outlives its last client by a moment
                time.sleep(0.1)
                continue
            raise EmbeddedDatabaseError(
                f"The embedded PostgreSQL in {home} is running; stop `serve`, and other commands that use it, first."
            )
        yield
    finally:
        os.close(lock)


def release(home: Path) -> None:
    """Give the lease back before the process ends; the server stops a moment after the last lease."""
    held = _leases.pop(Path(os.path.abspath(home)), None)
    if held is not None:
        os.close(held)


def wait_until_stopped(home: Path, limit_s: float) -> None:
    """Return when the server has stopped, or the time is over: for a process whose end is the end of all others."""
    deadline = time.monotonic() + limit_s
    while is_supervised(home) and time.monotonic() < deadline:
        time.sleep(0.05)


def _running_server(home: Path, fast: bool, binaries: Binaries | None) -> dict[str, str]:
    lock = _open(home / "postgres.lock")
    report: int | None = None
    begun = time.monotonic()
    seen_s = begun
    noticed = False
    problem = "it has not said where it listens"
    try:
        while True:
            # A supervisor that is stopping holds the lease alone until it is gone.
            if _try_lock(_leases[home], fcntl.LOCK_SH):
                if _try_lock(lock, fcntl.LOCK_EX):
                    if report is not None:
                        raise EmbeddedDatabaseError(_failure(report, home))
                    report = _start_supervisor(home, fast, lock, binaries)
                    os.close(lock)  # the supervisor has it now
                    lock = _open(home / "postgres.lock")
                state = _state(home)
                if state is not None:
                    if state["fast"] != fast:
                        raise EmbeddedDatabaseError(_mode_words(home, fast))
                    fields = {"HOST": state["HOST"], "PORT": state["PORT"], "NAME": DATABASE, "USER": state["USER"]}
                    try:
                        _connect_once(fields)
                        return fields
                    except psycopg.OperationalError as error:
                        problem = " ".join(str(error).split())
                    if os.path.exists(os.path.join(state["HOST"], f".s.PGSQL.{state['PORT']}")):
                        seen_s = time.monotonic()  # recovery after a crash may take long, but it listens meanwhile
            now = time.monotonic()
            if not noticed and now - begun > NOTICE_AFTER_S:
                noticed = True
                print(f"Waiting for the embedded PostgreSQL in {home} …", file=sys.stderr, flush=True)
            if now - seen_s > UNREACHABLE_AFTER_S:
                raise EmbeddedDatabaseError(
                    f"The embedded PostgreSQL in {home} is held by a process that this one cannot reach ({problem}); "
                    "is the directory shared with another container?"
                )
            if report is not None and select.select([report], [], [], 0)[0]:
                words = os.read(report, 10_000).decode("utf-8", "replace")
                if words:
                    raise EmbeddedDatabaseError(words)
            time.sleep(min(0.5, 0.02 + (now - begun) / 20))
    finally:
        os.close(lock)
        if report is not None:
            os.close(report)


def _connect_once(fields: dict[str, str]) -> None:
    """Make a real connection, the only proof of readiness, and make our database where it is missing."""
    address = make_conninfo(host=fields["HOST"], port=fields["PORT"], user=fields["USER"], dbname="postgres")
    with psycopg.connect(address, connect_timeout=10, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
            try:
                connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(DATABASE)))
            except (errors.DuplicateDatabase, errors.UniqueViolation):
                pass  # another client was first


def _start_supervisor(home: Path, fast: bool, lock: int, binaries: Binaries | None) -> int:
    """Start a supervisor that inherits the lock, and return the end of the pipe on which it says why it failed."""
    binaries = binaries or choose(majors_with_data(home))
    plan = {"home": str(home), "binaries": binaries.as_json(), "fast": fast, "linger_s": LINGER_S}
    plan["sockets"] = _last_sockets(home)
    reading, writing = os.pipe()
    try:
        subprocess.run(
            [sys.executable, "-I", "-c", LAUNCH, str(CHECKOUT), json.dumps(plan), str(lock), str(writing)],
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(lock, writing),
            start_new_session=True,
            check=True,
        )
    except BaseException as error:
        os.close(reading)
        if isinstance(error, subprocess.CalledProcessError):
            raise EmbeddedDatabaseError(f"{sys.executable} cannot run the database's supervisor.") from None
        raise
    finally:
        os.close(writing)
    return reading


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}


def _last_sockets(home: Path) -> str | None:
    """Return the socket directory of a server whose supervisor was killed, and withdraw it until it is served again."""
    state = _state(home)
    if state is None:
        return None
    (home / "postgres.json").unlink(missing_ok=True)
    return str(state["HOST"])


def majors_with_data(home: Path) -> set[int]:
    """Return the major versions of PostgreSQL whose data lies in the home."""
    named = (re.fullmatch(r"postgres-(\d+)", path.parent.name) for path in home.glob("postgres-*/PG_VERSION"))
    return {int(match[1]) for match in named if match}


def _state(home: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads((home / "postgres.json").read_bytes()))
    except (OSError, ValueError):
        return None


def _failure(report: int, home: Path) -> str:
    words = os.read(report, 10_000).decode("utf-8", "replace")
    return words or f"The embedded PostgreSQL ended unexpectedly; see {home / 'log' / 'postgres.log'}."


def _mode_words(home: Path, fast: bool) -> str:
    running = "with durability" if fast else "without durability, for tests"
    return f"The embedded PostgreSQL in {home} already runs {running}; use another directory."


def _open(path: Path) -> int:
    made = not path.exists()
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if made:
        give_to_owner(path, path.parent)
    return file


def _try_lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
