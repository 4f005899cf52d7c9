"""What an archive says about itself: the opening in front, and the manifest with every count and hash at its end."""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Any, TypeVar

import msgspec

from config.backup.archive import BadArchive
from labeling.log import values

FORMAT = 1
APPLICATION = "palimpsest"
OPENING, MANIFEST, SECRET_KEY = "palimpsest.json", "manifest.json", "secret_key"
MOST_OPENING_BYTES = 1 << 20
MOST_MANIFEST_BYTES = 1 << 28
MOST_SECRET_KEY_BYTES = 4096

_plain = re.compile(r"[A-Za-z0-9.:+-]{1,64}")
_name = re.compile(r"[a-z][a-z0-9_]{0,62}")
_table_part = re.compile(r"tables/([a-z][a-z0-9_]{0,62})/(\d{8})")
# Where `labeling.commands.assets`, `labeling.mask_files` and `releases.files` keep files; nothing else is written to.
_stored_file = re.compile(r"files/((?:exports/|masks/)?([0-9a-f]{2})/(\2[0-9a-f]{62})(?:\.json|\.png)?)")

Hex = str
T = TypeVar("T")


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the archive, with its columns in the order in which they stand."""

    name: str
    columns: tuple[str, ...]


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands first. Everything in it but the time and the server's version is the same for the same data."""

    application: str
    format: int
    app_version: str
    made_at: str
    postgresql: str
    migrations: tuple[tuple[str, str], ...]
    tables: tuple[Columns, ...]
    with_files: bool


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was written of a table; the hash is that of all its parts, one after the other."""

    name: str
    rows: int
    size_bytes: int
    sha256: Hex


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a log goes, and the chain hash there."""

    log: uuid.UUID
    kind: str
    head: int
    chain: Hex


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A release that was not taken back; no hash where its file was still to be made."""

    release: uuid.UUID
    dataset: uuid.UUID
    sha256: Hex | None


class Files(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The stored files: the hash is that of a line `sha256 size path` for each, in the order of the archive.

    Each file stands in the archive under its own hash, so that a list of a million files need not be here as well.
    """

    count: int
    size_bytes: int
    sha256: Hex


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands last."""

    opening: Opening
    secret_key_sha256: Hex | None
    tables: tuple[Table, ...]
    logs: tuple[Log, ...]
    releases: tuple[Release, ...]
    files: Files
    sha256: Hex = ""  #: of this manifest with nothing here

    @property
    def has_secret_key(self) -> bool:
        return self.secret_key_sha256 is not None

    def sealed(self) -> Manifest:
        """The same with its own hash, which a changed byte of it would show."""
        return msgspec.structs.replace(self, sha256=hashlib.sha256(encoded(self)).hexdigest())

    @property
    def is_sealed(self) -> bool:
        try:
            return self == msgspec.structs.replace(self, sha256="").sealed()
        except ValueError:  # a number that we would not have written
            return False


def encoded(description: Opening | Manifest) -> bytes:
    """The canonical JSON of a description."""
    return values.canonical(msgspec.json.decode(msgspec.json.encode(description))) + b"\n"


def decoded(data: bytes, kind: type[T]) -> T:
    """A description from its JSON.

    Raises:
        BadArchive: it is none.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        name = OPENING if kind is Opening else MANIFEST
        raise BadArchive(f"The archive's {name} cannot be read by this version of Palimpsest.") from None


def checked_opening(data: bytes) -> Opening:
    """The opening, of this application and in a format that we can read.

    Raises:
        BadArchive: it is another's, or of a newer format.
    """
    try:
        raw: Any = msgspec.json.decode(data)
        ours, format_ = raw["application"] == APPLICATION, raw["format"]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        ours, format_ = False, None
    if not ours:
        raise BadArchive("This is no backup of Palimpsest.")
    if format_ != FORMAT:
        raise BadArchive(f"The archive's format is {format_!r:.20}; this version of Palimpsest reads {FORMAT} only.")
    opening = decoded(data, Opening)
    said = [opening.app_version, opening.made_at, opening.postgresql]
    names = [name for table in opening.tables for name in (table.name, *table.columns)]
    # All of this is printed, and an archive from elsewhere must not write to the terminal as it likes.
    if not all(map(_plain.fullmatch, said)) or not all(map(_name.fullmatch, names)):
        raise BadArchive("The archive is damaged: its opening holds what no opening holds.")
    if any(len(set(each)) < len(each) for each in ([table.name for table in opening.tables], *_columns(opening))):
        raise BadArchive("The archive is damaged: its opening names a table or a column twice.")
    return opening


def _columns(opening: Opening) -> list[tuple[str, ...]]:
    return [table.columns for table in opening.tables]


def part_of(name: str) -> tuple[str, int] | None:
    """(table, number) where a file of the archive is a part of a table."""
    match = _table_part.fullmatch(name)
    return (match[1], int(match[2])) if match else None


def stored_path(name: str) -> tuple[str, str] | None:
    """(path in storage, hash) where a file of the archive is a stored one."""
    match = _stored_file.fullmatch(name)
    kinds = (("exports/", ".json"), ("masks/", ".png"))
    if match is None or any(match[1].startswith(folder) != match[1].endswith(ending) for folder, ending in kinds):
        return None
    return match[1], match[3]


class FileTally:
    """Counts and hashes files as they go by."""

    def __init__(self) -> None:
        self.count = self.size_bytes = 0
        self._digest = hashlib.sha256()

    def add(self, sha256: str, size_bytes: int, path: str) -> None:
        """Here is one more."""
        self.count += 1
        self.size_bytes += size_bytes
        self._digest.update(f"{sha256} {size_bytes} {path}\n".encode())

    def files(self) -> Files:
        """What they were together."""
        return Files(self.count, self.size_bytes, self._digest.hexdigest())
