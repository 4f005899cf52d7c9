"""The data directory of an installation: where it is, what stands in it, and the secret key kept there.

Standard library only: it is read before Django, by `manage.py`.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
FOLDERS = ("media", "exports", "log")


class HomeError(Exception):
    """The data directory cannot be used; the message is one sentence for the person at the terminal."""


def data_directory() -> Path:
    """Return where this installation keeps its data: PALIMPSEST_HOME, else one directory per checkout.

    Raises:
        HomeError: no PALIMPSEST_HOME is given and the account has no home directory.
    """
    given = os.environ.get("PALIMPSEST_HOME", "").strip()
    if given:
        return Path(os.path.abspath(os.path.expanduser(given)))
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", CHECKOUT.name).strip("-.") or "checkout"
    distinct = hashlib.sha256(os.fsencode(CHECKOUT)).hexdigest()[:8]
    return _user_data_directory() / "palimpsest" / f"{readable}-{distinct}"


def _user_data_directory() -> Path:
    if sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME", "")
        if not os.path.isabs(base):  # the XDG specification says to ignore a relative one
            base = os.path.expanduser("~/.local/share")
    if base.startswith("~"):
        raise HomeError("This account has no home directory; set PALIMPSEST_HOME to a directory for the data.")
    return Path(base)


def prepare(home: Path | None = None) -> Path:
    """Make the data directory and its folders where they are missing, and return its absolute path.

    What is already there keeps its mode; what is made here is private to the account.

    Raises:
        HomeError: it cannot be made, or another account owns it.
    """
    home = Path(os.path.abspath(home)) if home is not None else data_directory()
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
        for name in FOLDERS:
            folder = home / name
            if not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
                give_to_owner(folder, home)
    except OSError as error:
        raise HomeError(
            f"The data directory {home} cannot be used ({error.strerror}); "
            "set PALIMPSEST_HOME to a directory that this account can write."
        ) from None
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise HomeError(f"The data directory {home} belongs to another account; set PALIMPSEST_HOME to one of yours.")
    return home


def give_to_owner(path: Path, home: Path) -> None:
    """Hand a file that root made in someone else's data directory to that person, so that they can go on using it."""
    if os.geteuid() == 0:
        owner = home.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def secret_key(home: Path) -> str:
    """Return the installation's generated secret key, making it on first use; racing first uses get the same one.

    Raises:
        HomeError: the file cannot be read or written, or is empty.
    """
    path = home / "secret_key"
    try:
        if not path.exists():
            _keep_new_key(path, home)
        key = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise HomeError(f"The secret key {path} cannot be read ({error.strerror}).") from None
    if len(key) < 32:
        raise HomeError(f"The secret key {path} is damaged; remove the file to have a new one made.")
    return key


def _keep_new_key(path: Path, home: Path) -> None:
    handle, name = tempfile.mkstemp(prefix=".secret_key-", dir=home)  # mkstemp makes it 0600
    fresh = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(50) + "\n")
            file.flush()
            os.fsync(file.fileno())
        give_to_owner(fresh, home)
        try:
            os.link(fresh, path)  # fails where another process was first, unlike a rename
        except FileExistsError:
            pass
    finally:
        fresh.unlink(missing_ok=True)
