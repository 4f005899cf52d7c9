"""The detached process that owns one embedded PostgreSQL: makes its data, starts it, restarts it, and stops it last.

It is the direct parent of `postgres`, so it sees a killed postmaster at once and leaves no zombie. It holds the lock
file as long as it lives, which is what makes it the only one; clients hold the lease file, and when the last of them is
gone, by whatever death, it stops the server. Standard library only.

As root the server runs as an unprivileged account. The data may then lie below a directory that this account cannot
enter, so the server gets its data directory opened, and its path as `/proc/self/fd/N`: what is open is reached without
passing the directories above. The alternative, the capability to override permissions, would let anyone who reaches
the database read every file of root.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from config.embedded.binaries import Binaries
from config.embedded.leftovers import STOPPING, CannotBeEnded, clear_leftovers
from config.embedded.runtime import Runtime
from config.processes import LINUX, ask_for_death_signal

SUPERUSER = "palimpsest"
PORT = 5432  # only a part of the socket's name: nothing listens on TCP
ACCOUNTS = ("postgres", "nobody", "daemon")
OPEN_FILES_HAVE_PATHS = os.path.isdir("/proc/self/fd")
LOG_LIMIT_BYTES = 10_000_000
LONG_LIFE_S = 20.0
RESTART_PAUSES_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
# What postgres says when processes of a killed postmaster have not all gone yet.
TRANSIENT = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')
TELLING = re.compile(r"(FATAL|PANIC|error):(?!  the database system is)")
ALWAYS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "max_connections": "100",
    "max_locks_per_transaction": "512",  # a fold beside the live tables locks each of its own until it ends
    # While a checkpoint goes to the disk, what an import writes meanwhile has to fit, or it waits with a log locked.
    "wal_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",  # a container's /dev/shm is small
    "logging_collector": "off",
    "log_destination": "stderr",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
WITHOUT_DURABILITY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class Failure(Exception):
    """The server cannot run; the message is one sentence for the person at the terminal."""


class Supervisor:
    """Runs one server for one home from start to stop.

    `plan` holds `home`, `binaries`, `fast`, `linger_s` and the `sockets` directory of a killed predecessor; `report` is
    the end of a pipe on which the starter reads why it failed.
    """

    def __init__(self, plan: dict[str, Any], report: int) -> None:
        self.home = Path(plan["home"])
        self.binaries = Binaries.from_json(plan["binaries"])
        self.fast = bool(plan["fast"])
        self.linger_s = float(plan["linger_s"])
        self.last_sockets: str | None = plan["sockets"]
        self.report = report
        self.data = self.home / f"postgres-{self.binaries.major}"
        self.state_path = self.home / "postgres.json"
        self.owner = self.home.stat()
        self.server: subprocess.Popen[bytes] | None = None
        self.asked_to_stop = False
        self.idle_since: float | None = None
        self.log_path = self.home / "log" / "postgres.log"
        self.log = self._open_log()
        self.log_start = 0
        self.wake = self._wake_on_signals()
        self.lease = os.open(self.home / "postgres.lease", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def run(self) -> None:
        """Start the server, keep it running while someone holds a lease, stop it, and clear away what it left.

        Raises:
            Failure: it cannot be started, or keeps dying.
        """
        self.account = self._choose_account()
        self.runtime = Runtime(self.account, PORT, self.binaries, self.last_sockets)
        try:
            self.binaries = self.runtime.binaries_within_reach()
            self._clear_leftovers()
            if not (self.data / "PG_VERSION").exists():
                self._initialise()
            self._publish()
            self._keep_running()
        finally:
            self._stop_server()
            self.state_path.unlink(missing_ok=True)
            self.runtime.remove()

    # The server

    def _keep_running(self) -> None:
        deaths = 0
        while True:
            started = time.monotonic()
            self._start_server()
            if not self._ended_by_itself():
                return
            said = self._said_since_start()
            deaths = 1 if time.monotonic() - started > LONG_LIFE_S else deaths + 1
            if "ready to accept connections" not in said:
                if deaths == len(RESTART_PAUSES_S) or not any(each in said for each in TRANSIENT):
                    raise Failure(self._why_it_ended())
            self._wait(RESTART_PAUSES_S[min(deaths, len(RESTART_PAUSES_S)) - 1])
            self._clear_leftovers()

    def _start_server(self) -> None:
        self._write_access_rules()
        for leftover in self.runtime.sockets.glob(".s.PGSQL.*"):
            leftover.unlink()
        settings = {**ALWAYS, "unix_socket_directories": str(self.runtime.sockets)}
        settings |= WITHOUT_DURABILITY if self.fast else {}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.server = self._spawn(self.binaries.postgres, self.data, options)
        if not LINUX:
            self._watch_by_pipe(self.server.pid)

    def _spawn(self, program: str, data: Path, options: list[str]) -> subprocess.Popen[bytes]:
        self.log_start = self.log_path.stat().st_size
        uid, gid = self.account or (None, None)
        directory = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        path = f"/proc/self/fd/{directory}" if self.account and OPEN_FILES_HAVE_PATHS else str(data)
        try:
            return subprocess.Popen(
                [program, "-D", path, *options],
                cwd="/",
                pass_fds=(directory,),
                env={"LC_ALL": "C", "PATH": os.defpath, "HOME": "/"},
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=self.log,
                umask=0o077,
                user=uid,
                group=gid,
                extra_groups=() if self.account else None,
                process_group=0,
                # One thread, so Python may run between fork and exec; it runs after the change of account.
                preexec_fn=partial(ask_for_death_signal, signal.SIGINT, os.getpid()) if LINUX else None,
            )
        except (OSError, subprocess.SubprocessError) as error:
            account = f" as account {uid}" if self.account else ""
            raise Failure(f"{program} cannot be run{account} ({error}); set DATABASE_URL to use a server.") from None
        finally:
            os.close(directory)

    def _watch_by_pipe(self, pid: int) -> None:
        """Start a process that stops the server when this one is gone, for systems whose kernel does not do it."""
        reading, self.lifeline = os.pipe()
        program = (
            "import os, signal, sys\n"
            "os.read(int(sys.argv[1]), 1)\n"  # returns when the supervisor, which never writes, is gone
            "os.kill(int(sys.argv[2]), signal.SIGINT)\n"
        )
        subprocess.Popen(
            [sys.executable, "-I", "-c", program, str(reading), str(pid)],
            pass_fds=(reading,),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reading)

    def _ended_by_itself(self) -> bool:
        """Wait, and return True when the server ended by itself, False when it is time to stop it."""
        assert self.server is not None
        while not self.asked_to_stop:
            if self.server.poll() is not None:
                return True
            if self._nobody_holds_a_lease():
                return False
            self._wait(self.linger_s / 4)
        return False

    def _nobody_holds_a_lease(self) -> bool:
        """Say whether no client was left for the linger time; then the lease stays locked, so that none comes back."""
        try:
            fcntl.flock(self.lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.idle_since = None
            return False
        now = time.monotonic()
        if self.idle_since is not None and now - self.idle_since >= self.linger_s:
            return True
        if self.idle_since is None:
            self.idle_since = now
        fcntl.flock(self.lease, fcntl.LOCK_UN)
        return False

    def _stop_server(self) -> None:
        for way, patience_s in STOPPING:
            if self.server is None or self.server.poll() is not None:
                return
            self.server.send_signal(way)
            try:
                self.server.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue

    def _clear_leftovers(self) -> None:
        try:
            clear_leftovers(self.data, self._wait)
        except CannotBeEnded as process:
            raise Failure(f"An earlier PostgreSQL on {self.data} (process {process}) does not end.") from None

    # Accounts and files

    def _choose_account(self) -> tuple[int, int] | None:
        if os.geteuid() != 0:
            return None
        if self.owner.st_uid != 0:
            return self.owner.st_uid, self.owner.st_gid
        if self.data.exists() and (there := self.data.stat()).st_uid != 0:
            return there.st_uid, there.st_gid
        for name in ACCOUNTS:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            if _is_known_to_kernel(entry.pw_uid):
                self._give_data_to(entry.pw_uid, entry.pw_gid)
                return entry.pw_uid, entry.pw_gid
        raise Failure(
            "PostgreSQL does not run as root, and there is no other account here that it could run as; run as an "
            "ordinary user, or set DATABASE_URL."
        )

    def _give_data_to(self, uid: int, gid: int) -> None:
        """Hand over data that root restored from a backup."""
        for place, folders, files in os.walk(self.data):
            for name in (".", *folders, *files):
                os.chown(os.path.join(place, name), uid, gid, follow_symlinks=False)

    def _initialise(self) -> None:
        """Make the data directory beside its place and move it there whole: an interrupted start leaves none."""
        for abandoned in self.home.glob(f"{self.data.name}.new-*"):
            shutil.rmtree(abandoned)
        if self.data.exists() and any(self.data.iterdir()):
            raise Failure(f"{self.data} is not a PostgreSQL data directory; move it away.")
        fresh = Path(tempfile.mkdtemp(prefix=f"{self.data.name}.new-", dir=self.home))
        if self.account:
            os.chown(fresh, *self.account)
        options = ["-U", SUPERUSER, "--auth=trust", "--locale=C", "--encoding=UTF8", "--no-instructions"]
        options += ["--no-sync"] if self.fast else ["--data-checksums"]
        if self._spawn(self.binaries.initdb, fresh, options).wait() != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise Failure(self._why_it_ended())
        os.rename(fresh, self.data)
        if not self.fast:
            _sync_directory(self.home)

    def _write_access_rules(self) -> None:
        """Let in whoever can enter the socket's directory; where that is the server's account too, only root."""
        rules, people = "local all all trust\n", ""
        if self.account and self.owner.st_uid == 0:
            rules = "local all all peer map=owner\n"
            people = f"owner {pwd.getpwuid(0).pw_name} {SUPERUSER}\n"
        for name, text in (("pg_hba.conf", rules), ("pg_ident.conf", people)):
            (self.data / name).write_text(text)

    def _publish(self) -> None:
        state = {"HOST": str(self.runtime.sockets), "PORT": str(PORT), "USER": SUPERUSER, "fast": self.fast}
        fresh = self.state_path.with_suffix(".json.new")
        fresh.write_text(json.dumps(state))
        self._give_to_owner(fresh)
        os.replace(fresh, self.state_path)

    def _open_log(self) -> int:
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_LIMIT_BYTES:
            os.replace(self.log_path, self.log_path.with_suffix(".log.1"))
        log = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._give_to_owner(self.log_path)
        return log

    def _give_to_owner(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.owner.st_uid, self.owner.st_gid)

    # Words

    def _said_since_start(self) -> str:
        with open(self.log_path, "rb") as file:
            file.seek(self.log_start)
            return file.read(1_000_000).decode("utf-8", "replace")

    def _why_it_ended(self) -> str:
        lines = [line.strip() for line in self._said_since_start().splitlines() if line.strip()]
        telling = [line for line in lines if TELLING.search(line)] or lines
        words = f" ({telling[0].split('  ', 1)[-1]})" if telling else ""
        return f"The embedded PostgreSQL did not start{words}; see {self.log_path}."

    def tell_starter(self, words: str) -> None:
        """Write the reason of a failure to the log, and to the client that started this process if it still listens."""
        os.write(self.log, f"{words}\n".encode())
        try:
            os.write(self.report, words.encode())
        except BrokenPipeError:
            pass

    # Waiting

    def _wake_on_signals(self) -> int:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)

        def stop(number: int, frame: Any) -> None:
            self.asked_to_stop = True

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGHUP, lambda number, frame: None)
        return reading

    def _wait(self, longest_s: float) -> None:
        """Sleep until a signal comes, a child's death included, or the time is over."""
        select.select([self.wake], [], [], longest_s)
        try:
            os.read(self.wake, 512)
        except BlockingIOError:
            pass


def _is_known_to_kernel(uid: int) -> bool:
    """Say whether the account exists in this user namespace; that of a container may hold root alone."""
    try:
        ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except OSError:
        return True
    return any(int(first) <= uid < int(first) + int(count) for first, _, count in ranges)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def main(arguments: list[str]) -> NoReturn:
    """Detach from the starter and supervise; `arguments` are the plan, and the descriptors of lock and report."""
    if os.fork():  # so that the starter, which may live long, never has this process as a child to reap
        os._exit(0)
    plan, lock, report = json.loads(arguments[0]), int(arguments[1]), int(arguments[2])
    for descriptor in (lock, report):  # the lock is only kept open: it says that this process lives
        os.set_inheritable(descriptor, False)
    os.umask(0o077)
    try:
        supervisor = Supervisor(plan, report)
    except OSError as error:
        os.write(report, f"The embedded PostgreSQL cannot be started: {error}.".encode())
        sys.exit(1)
    try:
        supervisor.run()
    except Failure as failure:
        supervisor.tell_starter(str(failure))
        sys.exit(1)
    except OSError as error:
        supervisor.tell_starter(f"The embedded PostgreSQL cannot be started: {error}.")
        sys.exit(1)
    sys.exit(0)
