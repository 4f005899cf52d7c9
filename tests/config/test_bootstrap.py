"""A checkout in a directory of its own, with a tiny package in its lock and no network, from first command to last."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.bootstrap import environment, installation, interpreters
from config.bootstrap.errors import SetUpFailed
from config.bootstrap.progress import Progress
from tests.support.real_parts import require

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, os, sys
from config import bootstrap
bootstrap.ensure(sys.argv)
import sample
print(json.dumps({"prefix": sys.prefix, "python": sys.executable, "names": sorted(os.environ), "argv": sys.argv[1:]}))
sys.stdout.flush()
if "wait" in sys.argv:
    sys.stdin.read()
"""


class Copy:
    """A copy of what makes an environment, on a path with a space, and a home with hostile pip settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "a checkout"
        self.wheels = folder / "wheels"
        self.venv = self.checkout / ".venv"
        self.stamp = self.venv / environment.STAMP
        (self.checkout / "config").mkdir(parents=True)
        shutil.copytree(CHECKOUT / "config" / "bootstrap", self.checkout / "config" / "bootstrap")
        for name in ("__init__.py", "home.py"):
            shutil.copy(CHECKOUT / "config" / name, self.checkout / "config" / name)
        (self.checkout / "manage.py").write_text(SCRIPT)
        self.wheels.mkdir()
        self.lock({"sample": "1.0"}, {"sample": "1.0", "probe": "1.0"})
        settings = folder / "home" / ".config" / "pip" / "pip.conf"
        settings.parent.mkdir(parents=True)
        settings.write_text(
            f"[global]\nno-index = true\nfind-links = {self.wheels}\nrequire-virtualenv = true\n"
            f"[install]\ntarget = {folder / 'elsewhere'}\nuser = true\nno-binary = :all:\n"
        )

    def lock(self, run: dict[str, str], test: dict[str, str]) -> None:
        """Write both locks, and a wheel for each package in them."""
        for name, packages in ((environment.RUN_LOCK, run), (environment.TEST_LOCK, test)):
            pins = [
                f"{package}=={version} \\\n    --hash=sha256:{self.wheel(package, version)}\n"
                for package, version in packages.items()
            ]
            (self.checkout / "config" / name).write_text("".join(pins))

    def wheel(self, package: str, version: str) -> str:
        """Make a wheel of one module that is called like its package, and return its SHA-256."""
        path = self.wheels / f"{package}-{version}-py3-none-any.whl"
        if not path.exists():
            told = f"{package}-{version}.dist-info"
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(f"{package}.py", f"version = {version!r}\n")
                archive.writestr(f"{told}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
                archive.writestr(
                    f"{told}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
                )
                archive.writestr(
                    f"{told}/RECORD", f"{package}.py,,\n{told}/METADATA,,\n{told}/WHEEL,,\n{told}/RECORD,,\n"
                )
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start the copy's manage.py with the Python of this test, from another directory."""
        clean = {"HOME": str(self.folder / "home"), "PATH": os.environ["PATH"]}
        return subprocess.Popen(
            [sys.executable, str(self.checkout / "manage.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=clean | variables,
        )

    def run(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Run the copy's manage.py to its end and return its exit code, stdout and stderr."""
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def edit_stamp(self, **fields: object) -> None:
        self.stamp.write_text(json.dumps(json.loads(self.stamp.read_text()) | fields))

    def installed(self) -> set[str]:
        return {path.stem for path in self.venv.glob("lib/python*/site-packages/*.py")} & {"sample", "probe"}


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy whose environment is made; a test may change the stamp, which is put back, and nothing else."""
    copy = Copy(tmp_path_factory.mktemp("made"))
    code, _, err = copy.run("serve")
    assert code == 0, err
    return copy


@pytest.fixture(autouse=True)
def _unchanged_stamp(request: pytest.FixtureRequest) -> Iterator[None]:
    if "made" not in request.fixturenames:
        yield
        return
    copy: Copy = request.getfixturevalue("made")
    stamp = copy.stamp.read_text()
    yield
    copy.stamp.write_text(stamp)


def test_the_first_command_makes_the_environment_and_the_second_finds_it(copy: Copy) -> None:
    foreign = {"PYTHONPATH": "/nowhere", "PGHOST": "elsewhere", "VIRTUAL_ENV": "/other", "PIP_REQUIRE_VIRTUALENV": "1"}
    code, out, err = copy.run("serve", "--port", "1", **foreign)
    assert code == 0, err
    told = json.loads(out)
    assert (told["prefix"], told["argv"]) == (str(copy.venv), ["serve", "--port", "1"])
    assert told["names"] == ["HOME", "LC_CTYPE", "PATH"] or told["names"] == ["HOME", "PATH"]
    assert "1 packages" in err and "Ready after" in err
    assert copy.installed() == {"sample"}
    assert not (copy.folder / "elsewhere").exists()

    assert copy.run("serve") == (0, out.replace('"serve", "--port", "1"', '"serve"'), "")


def test_test_adds_its_packages_and_later_commands_accept_them(copy: Copy) -> None:
    assert copy.run("serve")[0] == 0
    kept = copy.venv / "kept"
    kept.touch()
    code, _, err = copy.run("test")
    assert (code, copy.installed(), kept.exists()) == (0, {"sample", "probe"}, True), err
    for command in ("serve", "test", "bench"):
        assert copy.run(command)[::2] == (0, "")

    # A killed pip leaves this mark: the packages of the tests are not to be trusted, those of the server are.
    copy.edit_stamp(**{environment.TEST_LOCK: None})
    assert copy.run("serve")[::2] == (0, "")
    assert copy.run("test")[0] == 0
    assert copy.installed() == {"sample", "probe"}
    assert not kept.exists()


def test_a_moved_checkout_with_another_lock_gets_an_environment_without_the_old_packages(copy: Copy) -> None:
    assert copy.run("test")[0] == 0
    moved = copy.folder / "moved"
    copy.checkout.rename(moved)
    copy.checkout, copy.venv = moved, moved / ".venv"
    copy.lock({"sample": "2.0"}, {"sample": "2.0", "probe": "1.0"})
    code, out, err = copy.run("serve")
    assert (code, json.loads(out)["prefix"]) == (0, str(copy.venv)), err
    assert copy.installed() == {"sample"}
    assert any(copy.venv.glob("lib/python*/site-packages/sample-2.0.dist-info"))


def test_of_two_first_commands_one_makes_the_environment_and_both_run(copy: Copy) -> None:
    both = [copy.start("serve"), copy.start("verify")]
    ends = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert sum("Setting up" in err for _, err in ends) == 1


def test_a_killed_set_up_is_made_anew(copy: Copy) -> None:
    process = copy.start("serve")
    begun_s = time.monotonic()
    while not (copy.venv / "pyvenv.cfg").exists():
        assert process.poll() is None and time.monotonic() - begun_s < 60
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not copy.stamp.exists()
    code, _, err = copy.run("serve")
    assert code == 0, err


def test_an_environment_in_use_is_not_replaced(made: Copy) -> None:
    server = made.start("serve", "wait")
    assert server.stdout is not None and server.stdout.readline()
    try:
        made.edit_stamp(**{environment.RUN_LOCK: "another"})
        code, out, err = made.run("serve")
        assert (code, out) == (1, "")
        assert "Stop it, then run the command again." in err
        assert made.installed() == {"sample"}

        made.edit_stamp(**{environment.RUN_LOCK: hash_of(made, environment.RUN_LOCK), "python": "3.99"})
        assert made.run("apikey")[::2] == (0, ""), "a command on another Python shares the server's environment"
    finally:
        server.communicate("")


@pytest.mark.full  # pip tries again for half a minute, by its own word
def test_without_a_network_two_lines_say_so(copy: Copy) -> None:
    (copy.folder / "home" / ".config" / "pip" / "pip.conf").unlink()
    code, out, err = copy.run("demo", PIP_INDEX_URL="http://name:secret@127.0.0.1:9/simple", PIP_RETRIES="0")
    assert (code, out) == (1, "")
    assert err.splitlines()[1:] == installation.explanation("ConnectionError").splitlines()
    assert "secret" not in err
    assert not copy.stamp.exists()


def test_a_package_with_another_hash_is_not_installed(copy: Copy) -> None:
    lock = copy.checkout / "config" / environment.RUN_LOCK
    lock.write_text(lock.read_text().replace("sha256:", "sha256:0000")[:-5] + "\n")
    code, _, err = copy.run("serve")
    assert code == 1
    assert "its hash differs" in err
    assert copy.installed() == set()


def test_a_python_without_ensurepip_is_filled_by_the_pip_outside(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    real = interpreters.base_interpreter()
    require(
        "a pip outside of virtual environments", subprocess.run([real, "-m", "pip", "-V"], check=False).returncode == 0
    )
    python = copy.folder / "python"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *without-pip*) ;; *"-m venv"*) echo no ensurepip; exit 1;; esac\nexec "{real}" "$@"\n'
    )
    python.chmod(0o755)
    monkeypatch.setenv("HOME", str(copy.folder / "home"))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    variables = {"PATH": os.environ["PATH"]}
    installation.make_empty(copy.venv, str(python), variables)
    with open(copy.folder / "building", "w") as building, Progress() as progress:
        installation.install(
            copy.venv,
            copy.checkout / "config" / environment.TEST_LOCK,
            str(python),
            variables,
            compiled=True,
            building=building.fileno(),
            progress=progress,
        )
    assert copy.installed() == {"sample", "probe"}
    assert not (copy.venv / "bin" / "pip").exists()


def test_a_python_with_neither_ensurepip_nor_pip_is_named(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\ncase "$*" in *without-pip*) exit 0;; esac\necho "No module named pip"\nexit 1\n')
    python.chmod(0o755)
    with pytest.raises(SetUpFailed, match=r"neither ensurepip nor pip 22\.3 or later.*-venv"):
        installation.make_empty(tmp_path / ".venv", str(python), {})


@pytest.fixture
def stamped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that looks like a good environment, in a checkout of its own."""
    monkeypatch.setattr(environment, "CHECKOUT", tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "manage.py").touch()
    for lock in (environment.RUN_LOCK, environment.TEST_LOCK):
        (tmp_path / "config" / lock).write_text(lock)
    place = tmp_path / ".venv"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").symlink_to(sys.executable)
    stamp = environment._identity(place) | {"python": environment._minor_version()}
    environment._write_stamp(place, stamp | {environment.RUN_LOCK: environment._hash(environment.RUN_LOCK)})
    return place


def test_a_stamp_vouches_for_the_place_the_python_the_machine_and_the_lock(stamped: Path) -> None:
    good = environment._stamp(stamped)
    assert environment._is_good(stamped, environment.RUN_LOCK)
    assert not environment._is_good(stamped, environment.TEST_LOCK)
    for change in ({"environment": "/moved"}, {"interpreter": "/gone"}, {"platform": "other"}, {"python": "3.10"},
                   {environment.RUN_LOCK: "other"}):  # fmt: skip
        environment._write_stamp(stamped, good | change)
        assert not environment._is_good(stamped, environment.RUN_LOCK), change
    for broken in ("", "{", "[1]", "null"):
        (stamped / environment.STAMP).write_text(broken)
        assert not environment._is_good(stamped, environment.RUN_LOCK), broken


def test_a_stamp_is_worth_nothing_when_its_interpreter_is_gone(stamped: Path) -> None:
    (stamped / "bin" / "python").unlink()
    assert not environment._is_good(stamped, environment.RUN_LOCK)


def test_an_environment_of_another_account_is_used_when_good_and_never_written(
    stamped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = stamped.stat().st_uid + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    monkeypatch.setattr("config.home.prepare", lambda: stamped.parent / "data")
    assert environment._place_of_another_account(environment.RUN_LOCK) == stamped
    assert environment._place_of_another_account(environment.TEST_LOCK) is None
    assert environment._own_place() == stamped.parent / "data" / "venv"


@pytest.mark.parametrize("path, writable", [("checkout", False), ("check:out", True)])
def test_where_the_checkout_cannot_hold_an_environment_the_data_directory_does(
    path: str, writable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "CHECKOUT", tmp_path / path)
    monkeypatch.setattr(os, "access", lambda *_: writable)
    monkeypatch.setattr("config.home.prepare", lambda: tmp_path / "data")
    assert environment._own_place() == tmp_path / "data" / "venv"


@pytest.mark.parametrize(
    "implementation, version, free_threaded, suited",
    [
        ("CPython", [3, 10], False, False),
        ("CPython", [3, 11], False, True),
        ("CPython", [3, 14], False, True),
        ("CPython", [3, 14], True, False),
        ("CPython", [3, 15], False, False),
        ("PyPy", [3, 11], False, False),
    ],
)
def test_cpython_3_11_to_3_14_is_suited(
    implementation: str, version: list[int], free_threaded: bool, suited: bool
) -> None:
    assert interpreters.is_suited(implementation, version, free_threaded) is suited


def test_an_unsuited_python_hands_over_to_a_suited_one_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfit, fit = tmp_path / "python3.14", tmp_path / "python3"
    unfit.write_text("#!/bin/sh\nexit 127\n")  # as pyenv's shims do for a version that is not active
    unfit.chmod(0o755)
    fit.symlink_to(interpreters.base_interpreter())
    called: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execve", lambda python, arguments, _: called.append((python, arguments)))
    monkeypatch.setattr(platform, "python_implementation", lambda: "PyPy")
    monkeypatch.setattr(interpreters, "USUAL_PLACES", ())
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    interpreters.leave_unsuited_python(["manage.py", "demo"], preferred=str(tmp_path / "absent"))
    assert called == [(str(fit), [str(fit), "manage.py", "demo"])]

    fit.unlink()
    with pytest.raises(
        SetUpFailed, match=r"^Palimpsest needs Python 3\.11 to 3\.14; this is PyPy 3\.\S+, and no other"
    ):
        interpreters.leave_unsuited_python(["manage.py"], preferred=str(tmp_path / "absent"))


@pytest.mark.parametrize(
    "said, expected",
    [
        ("", "pip ended with"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full"),
        (
            "WARNING: Retrying (Retry(total=4)) NewConnectionError\nNo matching distribution found for x==1",
            "be reached",
        ),
        ("WARNING: Retrying (Retry(total=4)) SSLError(CERTIFICATE_VERIFY_FAILED)", "certificate"),
        ("ERROR: No matching distribution found for numpy==2.4.6", "no ready-made numpy==2.4.6 for this machine"),
        ("one\ntwo https://name:secret@index/simple", "two https://index/simple"),
    ],
)
def test_the_cause_of_a_failed_installation_is_said_in_words(said: str, expected: str) -> None:
    assert expected in installation.explanation(said)
    assert "secret" not in installation.explanation(said)


def test_the_locks_name_no_index_and_the_tests_lock_holds_the_other() -> None:
    run, test = ((CHECKOUT / "config" / name).read_text() for name in (environment.RUN_LOCK, environment.TEST_LOCK))
    assert "://" not in run + test
    assert not [line for line in (run + test).splitlines() if line.startswith("-")]
    assert pins(run).items() <= pins(test).items()
    assert installation.count_packages(run) > 30
    assert installation.count_packages(test) > installation.count_packages(run)


def test_packages_for_windows_alone_are_not_counted() -> None:
    lock = "a==1 ; python_version < '3.12' \\\na==2 ; python_version >= '3.12' \\\nb==1 ; sys_platform == 'win32'\n"
    assert installation.count_packages("") == 0
    assert installation.count_packages(lock) == 1


@pytest.mark.parametrize("path", ["manage.py", "config/__init__.py", *sorted(
    str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "config" / "bootstrap").glob("*.py"))])  # fmt: skip
def test_an_old_python_can_read_what_runs_before_the_environment(path: str) -> None:
    import ast

    tree = ast.parse((CHECKOUT / path).read_text(), feature_version=(3, 6))
    futures = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert futures == []


def pins(lock: str) -> dict[str, frozenset[str]]:
    """Return the hashes of every `name==version` of a lock's text."""
    entries = [re.split(r"\s", entry) for entry in re.findall(r"^\S+==.*?(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL)]
    return {words[0]: frozenset(word for word in words if word.startswith("--hash=")) for words in entries}


def hash_of(copy: Copy, lock: str) -> str:
    return hashlib.sha256((copy.checkout / "config" / lock).read_bytes()).hexdigest()
