"""Whether the environment beside the checkout is good, who may use or replace it, and how it is replaced.

A stamp, written last, vouches for it: where it stands, its interpreter, the machine, the locks that were installed. Two
file locks keep processes apart: a file beside it is held by the one that builds, and by its pip; the directory is
held, shared, by every command that runs from it, so that it is never pulled away from under a running server.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple

from config.bootstrap import installation
from config.bootstrap.errors import SetUpFailed
from config.bootstrap.interpreters import base_interpreter, without_foreign_settings
from config.bootstrap.progress import Progress

CHECKOUT = Path(__file__).resolve().parents[2]
RUN_LOCK = "requirements.lock"
TEST_LOCK = "requirements-test.lock"  # holds everything of RUN_LOCK, at the same versions
NEEDS_TEST_LOCK = ("test", "bench")
STAMP = "palimpsest.json"


def environment_for(command: str) -> Tuple[Path, int]:
    """Return the directory of an environment for a `manage.py` command, made if need be, and a descriptor.

    While the descriptor is open, in this process or after an exec, no other process replaces the environment.

    Raises:
        SetUpFailed: there is none and it could not be made.
    """
    lock = TEST_LOCK if command in NEEDS_TEST_LOCK else RUN_LOCK
    place = _place_of_another_account(lock) or _own_place()
    held = _hold(place, lock)
    if held is None:
        with _only_builder(place) as building:
            held = _hold(place, lock)  # another process may have made it while we waited
            if held is None:
                _build(place, lock, building)
                held = _hold(place, lock)
    if held is None:
        raise SetUpFailed(f"The Python environment {place} changed while it was being made; run the command again.")
    return place, held


def interpreter(place: Path) -> str:
    """Return the path of an environment's Python."""
    return str(place / "bin" / "python")


def _own_place() -> Path:
    """Return where this account makes the environment: in the checkout, or in the data directory where it may not."""
    place = CHECKOUT / ".venv"
    # A virtual environment cannot stand on a path with a colon.
    if os.pathsep not in str(place) and os.access(str(CHECKOUT), os.W_OK | os.X_OK):
        try:
            if place.lstat().st_uid == os.geteuid():
                return place
        except FileNotFoundError:
            return place
    from config import home  # only a suited Python can read it

    try:
        return home.prepare() / "venv"
    except home.HomeError as error:
        raise SetUpFailed(str(error)) from None


def _place_of_another_account(lock: str) -> Optional[Path]:
    """Return the checkout's environment when it is good and of another account, whose code we run anyway."""
    place = CHECKOUT / ".venv"
    try:
        owner = place.lstat().st_uid
        trusted = owner in (0, (CHECKOUT / "manage.py").stat().st_uid)
        return place if owner != os.geteuid() and trusted and _is_good(place, lock) else None
    except OSError:
        return None


def _build(place: Path, lock: str, building: int) -> None:
    python = base_interpreter()
    variables = without_foreign_settings(os.environ)
    path = CHECKOUT / "config" / lock
    count = installation.count_packages(path.read_text(encoding="utf-8"))
    completes = lock == TEST_LOCK and _is_good(place, RUN_LOCK) and TEST_LOCK not in _stamp(place)
    what = f"Adding the packages of the tests to {place}" if completes else f"Setting up {place}"
    print(f"{what} for Python {platform.python_version()}: {count} packages, once.", file=sys.stderr, flush=True)
    with Progress() as progress:
        if completes:
            # When pip is killed, a package may look installed that is not. Those of RUN_LOCK stay good, as it does not
            # touch them; None tells the next one to start afresh.
            _write_stamp(place, dict(_stamp(place), **{TEST_LOCK: None}))
        else:
            progress.says = "making the environment"
            _remove(place)
            installation.make_empty(place, python, variables)
        # Byte code of all the tests' packages takes a third of the time, and most of it is never read.
        compiled = lock == RUN_LOCK
        installation.install(place, path, python, variables, compiled=compiled, building=building, progress=progress)
    locks = (RUN_LOCK, TEST_LOCK) if lock == TEST_LOCK else (RUN_LOCK,)
    _write_stamp(place, dict(_identity(place), python=_minor_version(), **{name: _hash(name) for name in locks}))
    print(f"Ready after {progress.elapsed_s:.0f} s.", file=sys.stderr, flush=True)


def _remove(place: Path) -> None:
    """Remove an environment that is not good.

    Raises:
        SetUpFailed: a command runs from it.
    """
    held: Optional[int] = None
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        held = os.open(str(place), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if held is not None and not _lock(held, fcntl.LOCK_EX | fcntl.LOCK_NB):
            raise SetUpFailed(
                f"Palimpsest is running from {place}, which this command has to replace. "
                "Stop it, then run the command again."
            )
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            (place / STAMP).unlink()
        if place.is_symlink() or place.is_file():
            place.unlink()
        elif place.exists():
            shutil.rmtree(str(place))
    finally:
        if held is not None:
            os.close(held)


def _hold(place: Path, lock: str) -> Optional[int]:
    """Return a descriptor that keeps a good environment from being replaced, or None where there is no good one."""
    try:
        held = os.open(str(place), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        ours = _lock(held, fcntl.LOCK_SH | fcntl.LOCK_NB) and os.path.samestat(os.fstat(held), os.stat(str(place)))
        # A server that runs on another Python must not stop `manage.py apikey` on this one: use what it uses.
        if ours and (_is_good(place, lock) or (_is_good(place, lock, any_python=True) and _others_use(held))):
            return held
    except OSError:
        pass
    os.close(held)
    return None


def _others_use(held: int) -> bool:
    """Return whether other commands run from the environment that we hold; if so, we hold it still."""
    if _lock(held, fcntl.LOCK_EX | fcntl.LOCK_NB):
        return False
    return _lock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)  # the attempt gave ours up


@contextlib.contextmanager
def _only_builder(place: Path) -> Iterator[int]:
    path = f"{place}.lock"
    try:
        building = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except PermissionError:
        building = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # another account made it; enough for a lock
    try:
        if not _lock(building, fcntl.LOCK_EX | fcntl.LOCK_NB):
            print(f"Another command is setting up {place}; waiting for it.", file=sys.stderr, flush=True)
            _lock(building, fcntl.LOCK_EX)
        yield building
    finally:
        os.close(building)


def _lock(descriptor: int, kind: int) -> bool:
    """Return False where another process holds the lock; on a file system without locks we go unprotected."""
    try:
        fcntl.flock(descriptor, kind)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _is_good(place: Path, lock: str, any_python: bool = False) -> bool:
    """Return whether the stamp vouches for an environment with the lock's packages, for our Python.

    Another patch version or build of the same minor version is as good: the packages depend on no more than that, and a
    machine without network must get over an upgrade of its Python.
    """
    stamp = _stamp(place)
    return (
        bool(stamp)
        and all(stamp.get(key) == value for key, value in _identity(place).items())
        and os.access(interpreter(place), os.X_OK)
        and stamp.get(lock) == _hash(lock)
        and (any_python or stamp.get("python") == _minor_version())
    )


def _identity(place: Path) -> Dict[str, Any]:
    return {
        "environment": str(place),
        "interpreter": os.path.realpath(interpreter(place)),
        "platform": sysconfig.get_platform(),
    }


def _minor_version() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def _hash(lock: str) -> str:
    return hashlib.sha256((CHECKOUT / "config" / lock).read_bytes()).hexdigest()


def _stamp(place: Path) -> Dict[str, Any]:
    try:
        return dict(json.loads((place / STAMP).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _write_stamp(place: Path, stamp: Dict[str, Any]) -> None:
    fresh = place / f"{STAMP}.new"
    fresh.write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
    os.replace(str(fresh), str(place / STAMP))
