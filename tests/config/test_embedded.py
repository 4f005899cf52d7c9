"""The embedded PostgreSQL against everything that happens to processes: races, kills, stale files, strange places."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from config.embedded import binaries, lease
from config.embedded.lease import EmbeddedDatabaseError

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
AS_ROOT = os.geteuid() == 0

# Attaches, says where, and lives until its standard input ends or a line tells it to do something.
CLIENT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import psycopg
from config.embedded import lease
lease.LINGER_S = 0.2
try:
    fields = lease.attach(Path(sys.argv[2]), fast=sys.argv[3] == "fast")
except lease.EmbeddedDatabaseError as error:
    print(json.dumps({"error": str(error)}), flush=True)
    sys.exit(1)
print(json.dumps(fields), flush=True)
def connect():
    return psycopg.connect(
        host=fields["HOST"], port=fields["PORT"], user=fields["USER"], dbname=fields["NAME"], autocommit=True)
connection = None
for line in sys.stdin:
    if line.startswith("add"):
        number = int(line.split()[1])
        while True:
            try:
                connection = connection or connect()
                connection.execute("INSERT INTO kept VALUES (%s) ON CONFLICT DO NOTHING", (number,))
                break
            except psycopg.OperationalError:
                connection = None
        print(number, flush=True)
"""


def wait_until(true: Callable[[], object]) -> None:
    """Return as soon as the condition holds, and fail when it never does."""
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        pause.wait(0.01)


class Client:
    """A process that holds a lease."""

    def __init__(self, home: Path, *, fast: bool = True, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(CHECKOUT), str(home), "fast" if fast else "durable"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        self._said: dict[str, str] | None = None

    @property
    def said(self) -> dict[str, str]:
        """What it says first: the fields, or an error."""
        if self._said is None:
            assert self.process.stdout is not None
            self._said = json.loads(self.process.stdout.readline())
        return self._said

    def add(self, number: int) -> None:
        """Have it insert a row, and return when the commit was acknowledged."""
        self.begin_to_add(number)
        self.finish_adding(number)

    def begin_to_add(self, number: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"add {number}\n")
        self.process.stdin.flush()

    def finish_adding(self, number: int) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{number}\n"

    def leave(self) -> None:
        """End it in order."""
        self._finish()

    def kill(self) -> None:
        """End it the hard way."""
        self.process.kill()
        self._finish()

    def _finish(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self.process.wait()


class Place:
    """A home and the clients of its server."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clients: list[Client] = []

    def client(self, *, fast: bool = True, env: dict[str, str] | None = None) -> Client:
        """Start a client."""
        self.clients.append(Client(self.home, fast=fast, env=env))
        return self.clients[-1]

    @property
    def data(self) -> Path:
        (data,) = (path for path in self.home.glob("postgres-*") if (path / "PG_VERSION").exists())
        return data

    @property
    def postmaster(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    @property
    def supervisor(self) -> int:
        asked = ["ps", "-o", "ppid=", "-p", str(self.postmaster)]
        return int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)

    def is_down(self) -> bool:
        """Say whether no supervisor lives and no server left its mark."""
        return not lease.is_supervised(self.home) and not list(self.home.glob("postgres-*/postmaster.pid"))

    def end(self) -> None:
        """Kill the clients and wait for the server to stop by itself."""
        for client in self.clients:
            client.kill()
        if self.home.exists():
            wait_until(lambda: not lease.is_supervised(self.home))


@pytest.fixture
def make_place() -> Iterator[Callable[[Path], Place]]:
    made: list[Place] = []

    def make(home: Path) -> Place:
        made.append(Place(home))
        return made[-1]

    yield make
    for place in made:
        place.end()


@pytest.fixture
def place(make_place: Callable[[Path], Place], tmp_path: Path) -> Place:
    return make_place(tmp_path / "home")


def connect(fields: dict[str, str]) -> psycopg.Connection[tuple[object, ...]]:
    """Connect as soon as the server, which may just be recovering, lets us."""
    address = make_conninfo(host=fields["HOST"], port=fields["PORT"], user=fields["USER"], dbname=fields["NAME"])
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while True:
        try:
            return psycopg.connect(address, autocommit=True)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            pause.wait(0.02)


def make_table(fields: dict[str, str]) -> None:
    with connect(fields) as connection:
        connection.execute("CREATE TABLE kept (number int PRIMARY KEY)")


def kept(fields: dict[str, str]) -> set[int]:
    """The rows that are there, also where the last blow falls while we look."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with connect(fields) as connection:
                return {int(str(row[0])) for row in connection.execute("SELECT number FROM kept")}
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_an_empty_home_gets_a_server_that_stops_after_its_last_client_and_comes_back_with_its_rows(
    place: Place,
) -> None:
    first, second = place.client(fast=False), place.client(fast=False)
    make_table(first.said)
    assert second.said == first.said
    first.add(1)
    first.leave()
    second.add(2)  # the second client alone keeps the server
    second.leave()
    wait_until(place.is_down)
    assert not Path(first.said["HOST"]).exists()
    assert kept(place.client(fast=False).said) == {1, 2}


def test_a_home_and_what_is_made_in_it_are_private(place: Place) -> None:
    fields = place.client().said
    private = [place.home, place.data, place.home / "log", place.home / "log" / "postgres.log", Path(fields["HOST"])]
    assert [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in private] == [0] * len(private)


def test_the_server_listens_on_no_network_address_and_sorts_by_bytes(place: Place) -> None:
    with connect(place.client(fast=False).said) as connection:
        shown = {
            name: connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            for name in ("listen_addresses", "server_encoding", "dynamic_shared_memory_type", "fsync", "data_checksums")
        }
        (collation,) = connection.execute("SELECT datcollate FROM pg_database WHERE datname = current_database()")
    assert shown == {
        "listen_addresses": ("",),
        "server_encoding": ("UTF8",),
        "dynamic_shared_memory_type": ("mmap",),
        "fsync": ("on",),
        "data_checksums": ("on",),
    }
    assert collation == ("C",)


def test_five_racing_starters_all_come_up_on_one_server_and_keep_every_row(place: Place) -> None:
    clients = [place.client(fast=False) for _ in range(5)]
    assert len({json.dumps(client.said) for client in clients}) == 1
    make_table(clients[0].said)
    for number, client in enumerate(clients):
        client.add(number)
    assert kept(clients[0].said) == set(range(5))


def test_killed_clients_do_not_keep_the_server(place: Place) -> None:
    client = place.client()
    assert "HOST" in client.said
    client.kill()
    wait_until(place.is_down)


def test_a_killed_postmaster_is_started_again_for_the_clients_that_are_there(place: Place) -> None:
    client = place.client(fast=False)
    make_table(client.said)
    for number in range(200):
        client.add(number)
    kill(place.postmaster)
    client.add(200)
    assert kept(client.said) == set(range(201))


def test_after_a_killed_supervisor_the_server_stops_and_the_next_client_finds_every_row_at_the_same_address(
    place: Place,
) -> None:
    client = place.client(fast=False)
    make_table(client.said)
    client.add(1)
    kill(place.supervisor)
    wait_until(lambda: not lease.is_supervised(place.home))
    next_client = place.client(fast=False)
    assert next_client.said == client.said
    client.add(2)  # so the client that was there goes on
    assert kept(next_client.said) == {1, 2}


def test_after_both_supervisor_and_postmaster_were_killed_every_row_is_there(place: Place) -> None:
    client = place.client(fast=False)
    make_table(client.said)
    client.begin_to_add(1)
    client.finish_adding(1)
    supervisor, postmaster = place.supervisor, place.postmaster
    kill(supervisor)
    kill(postmaster)
    assert kept(place.client(fast=False).said) == {1}


def test_a_server_asked_to_stop_stops_in_order_even_with_clients(place: Place) -> None:
    client = place.client()
    make_table(client.said)
    os.kill(place.supervisor, signal.SIGTERM)
    wait_until(place.is_down)
    assert "database system is shut down" in (place.home / "log" / "postgres.log").read_text()


def test_a_stale_pid_file_whose_number_another_process_has_got_is_no_hindrance(place: Place) -> None:
    client = place.client()
    make_table(client.said)
    client.add(1)
    lines = (place.data / "postmaster.pid").read_text().split("\n")
    client.leave()
    wait_until(place.is_down)
    data = place.data.stat()
    foreign = subprocess.Popen(["sleep", "600"], user=data.st_uid) if AS_ROOT else subprocess.Popen(["sleep", "600"])
    try:
        lines[0] = str(foreign.pid)
        pid_file = place.data / "postmaster.pid"
        pid_file.write_text("\n".join(lines))
        os.chown(pid_file, data.st_uid, data.st_gid)
        assert kept(place.client().said) == {1}
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


def test_a_stale_state_file_and_the_remains_of_an_interrupted_start_are_no_hindrance(place: Place) -> None:
    place.home.mkdir()
    (place.home / "postgres.json").write_text(
        json.dumps({"HOST": "/nonexistent/s", "PORT": "5432", "USER": "palimpsest", "fast": True})
    )
    remains = place.home / "postgres-18.new-abandoned"
    remains.mkdir()
    (remains / "PG_VERSION").write_text("18\n")
    assert "HOST" in place.client().said
    if place.data.name == "postgres-18":
        assert not remains.exists()


def test_a_state_file_that_leads_to_a_directory_of_someone_else_is_not_followed(place: Place, tmp_path: Path) -> None:
    trap = tmp_path / "palimpsest-trap"
    (trap / "s").mkdir(parents=True)
    (trap / "s").chmod(0o777)
    place.home.mkdir()
    (place.home / "postgres.json").write_text(
        json.dumps({"HOST": str(trap / "s"), "PORT": "5432", "USER": "palimpsest", "fast": True})
    )
    assert place.client().said["HOST"] != str(trap / "s")
    assert list((trap / "s").iterdir()) == []


def test_a_long_path_with_spaces_and_commas_holds_a_home(make_place: Callable[[Path], Place], tmp_path: Path) -> None:
    home = tmp_path / ("a long name, with spaces and ümlauts " * 4) / "and 'quotes' and more of it" / "home"
    assert len(str(home)) > 200
    fields = make_place(home).client().said
    make_table(fields)
    assert kept(fields) == set()


def test_a_temporary_directory_with_a_long_path_or_a_comma_is_not_used_for_the_socket(
    place: Place, tmp_path: Path
) -> None:
    unusable = tmp_path / ("long, " * 20)
    unusable.mkdir()
    fields = place.client(env={"TMPDIR": str(unusable)}).said
    assert len(fields["HOST"]) < 90 and "," not in fields["HOST"]


def test_two_homes_have_two_servers(make_place: Callable[[Path], Place], tmp_path: Path) -> None:
    one, other = make_place(tmp_path / "one").client(), make_place(tmp_path / "other").client()
    assert one.said["HOST"] != other.said["HOST"]
    make_table(one.said)
    make_table(other.said)
    one.add(1)
    assert (kept(one.said), kept(other.said)) == ({1}, set())


def test_a_lease_goes_on_in_a_fork_and_ends_at_exec_unless_it_is_passed_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LINGER_S", 0.2)
    monkeypatch.setenv(lease.ENVIRONMENT_NAME, "")
    lease.attach(place.home, fast=True)
    waiting = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    plain = subprocess.Popen(waiting, stdin=subprocess.PIPE)
    inherited = lease.descriptor(place.home)
    heir = subprocess.Popen(waiting, stdin=subprocess.PIPE, pass_fds=(inherited,))
    assert [_holds(process.pid, place.home / "postgres.lease") for process in (plain, heir)] == [False, True]
    lease.release(place.home)
    other = _open_lock(place.home / "postgres.lease")
    assert not _can_lock(other)  # the heir has it
    for process in (heir, plain):
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()
    wait_until(lambda: _can_lock(other))
    os.close(other)
    wait_until(place.is_down)


def _holds(pid: int, path: Path) -> bool:
    return any(os.path.realpath(each) == str(path) for each in Path(f"/proc/{pid}/fd").iterdir())


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR)


def _can_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True


def test_a_server_of_the_other_mode_is_refused(place: Place) -> None:
    assert "HOST" in place.client(fast=True).said
    assert "without durability" in place.client(fast=False).said["error"]


def test_data_of_a_version_that_is_not_installed_is_refused_and_not_shadowed_by_an_empty_database(place: Place) -> None:
    data = place.home / "postgres-14"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("14\n")
    error = place.client().said["error"]
    assert re.search(r"written by PostgreSQL 14, but only PostgreSQL [\d, ]+ is installed", error)
    assert [path.name for path in place.home.glob("postgres-*")] == ["postgres-14"]


def test_the_older_of_two_installed_versions_opens_the_data_that_it_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    majors = sorted({each.major for each in binaries._in_packages()})
    assert len(majors) > 1
    assert binaries.choose(set()).major == majors[-1]
    assert binaries.choose({majors[0]}).major == majors[0]


def test_without_any_binaries_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "PACKAGES", ("no_such_package_anywhere",))
    monkeypatch.setattr(binaries, "SYSTEM_GLOBS", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(binaries.BinariesError, match="set DATABASE_URL"):
        binaries.choose(set())


def test_damaged_data_are_reported_in_the_words_of_the_server_and_left_alone(place: Place) -> None:
    client = place.client()
    make_table(client.said)
    control = place.data / "global" / "pg_control"
    client.leave()
    wait_until(place.is_down)
    whole = control.read_bytes()
    control.write_bytes(b"\0" * len(whole))
    error = place.client().said["error"]
    assert "did not start" in error and "postgres.log" in error and "\n" not in error
    control.write_bytes(whole)
    assert kept(place.client().said) == set()


def test_a_home_of_another_account_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(EmbeddedDatabaseError, match="set PALIMPSEST_HOME"):
        lease.attach(file / "home")


def test_where_the_kernel_does_not_tell_of_a_dead_parent_a_pipe_does(place: Place) -> None:
    without_kernel = lease.LAUNCH.replace("; main(", "; import config.embedded.supervisor as s; s.LINUX = False; main(")
    program = CLIENT.replace("lease.LINGER_S = 0.2", f"lease.LINGER_S = 0.2; lease.LAUNCH = {without_kernel!r}")
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(CHECKOUT), str(place.home), "fast"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and "HOST" in json.loads(process.stdout.readline())
        kill(place.supervisor)
        wait_until(place.is_down)
        assert "received fast shutdown request" in (place.home / "log" / "postgres.log").read_text()
    finally:
        process.kill()
        process.communicate()
    assert "HOST" in place.client().said  # which clears the runtime directory away in the end


def test_binaries_in_a_private_place_are_copied_to_where_the_server_can_run_them(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = binaries.choose(set())
    private = tmp_path / "private site-packages"
    private.mkdir(mode=0o700)
    for part in usual.parts:
        source, copy = Path(usual.root, part), private / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy2(source, copy)
    moved = binaries.Binaries(
        usual.major, str(private / os.path.relpath(usual.bin_directory, usual.root)), str(private), usual.parts
    )
    monkeypatch.setattr(lease, "LINGER_S", 0.2)
    monkeypatch.setattr(lease, "choose", lambda majors: moved)
    monkeypatch.setenv(lease.ENVIRONMENT_NAME, "")
    fields = lease.attach(place.home, fast=True)
    try:
        make_table(fields)
        assert kept(fields) == set()
        copied = Path(fields["HOST"]).parent / "pg"
        assert copied.exists() == AS_ROOT
    finally:
        lease.release(place.home)
    wait_until(place.is_down)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


def test_nobody_but_the_owner_of_the_home_can_connect(place: Place) -> None:
    fields = place.client().said
    assert stat.S_IMODE(Path(fields["HOST"]).stat().st_mode) == 0o700
    if AS_ROOT:  # then the server's own account could enter the directory: it is refused at the door
        account = place.data.stat()
        os.setegid(account.st_gid)
        os.seteuid(account.st_uid)
        try:
            with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
                psycopg.connect(make_conninfo(host=fields["HOST"], user=fields["USER"], dbname="postgres"))
        finally:
            os.seteuid(0)
            os.setegid(0)


def test_no_account_is_made_and_no_mode_of_a_directory_above_is_changed(place: Place) -> None:
    accounts = [entry.pw_name for entry in pwd.getpwall()]
    above = [*place.home.parents, Path(tempfile.gettempdir())]
    modes = [path.stat().st_mode for path in above]
    assert "HOST" in place.client().said
    assert [entry.pw_name for entry in pwd.getpwall()] == accounts
    assert [path.stat().st_mode for path in above] == modes


@pytest.mark.full
@pytest.mark.parametrize("victims", ["postmaster", "supervisor", "both", "backends"])
def test_no_acknowledged_row_is_lost_however_often_something_is_killed_under_load(place: Place, victims: str) -> None:
    clients = [place.client(fast=False) for _ in range(3)]
    assert all("HOST" in client.said for client in clients)
    make_table(clients[0].said)
    acknowledged = 0
    for round_number in range(5):
        for _ in range(40 + round_number):
            for client in clients:
                client.begin_to_add(acknowledged + clients.index(client))
            for client in clients:
                client.finish_adding(acknowledged + clients.index(client))
            acknowledged += len(clients)
        for client in clients:  # these are under way while the blow falls
            client.begin_to_add(acknowledged + clients.index(client))
        supervisor, postmaster = place.supervisor, place.postmaster
        if victims in ("supervisor", "both"):
            kill(supervisor)
        if victims in ("postmaster", "both"):
            kill(postmaster)
        if victims == "backends":
            shown = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True, check=True).stdout
            kill(int(shown.split()[-1]))
        if victims in ("supervisor", "both"):
            helper = place.client(fast=False)
            assert helper.said == clients[0].said
            helper.leave()
        for client in clients:
            client.finish_adding(acknowledged + clients.index(client))
        acknowledged += len(clients)
    assert kept(clients[0].said) == set(range(acknowledged))


@pytest.mark.full
def test_every_version_that_is_installed_can_hold_the_data(
    make_place: Callable[[Path], Place], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LINGER_S", 0.2)
    monkeypatch.setenv(lease.ENVIRONMENT_NAME, "")
    for found in [*binaries._in_packages(), *binaries._in_system()]:
        place = make_place(tmp_path / str(found.major) / "home")
        monkeypatch.setattr(lease, "choose", lambda majors, found=found: found)
        fields = lease.attach(place.home)
        try:
            make_table(fields)
            with connect(fields) as connection:
                assert connection.info.server_version // 10000 == found.major
        finally:
            lease.release(place.home)
        wait_until(place.is_down)
