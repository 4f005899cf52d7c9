"""The archive as bytes: plain tar, whole or refused, and never more than what it says that it is."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from config.backup import contents, making, reading
from config.backup.archive import BLOCK_BYTES, BadArchive, Reader, Writer
from config.backup.contents import Columns, Manifest, Opening
from config.backup.making import BackupFailed

ROWS = b"1\tana\n2\tben\n"
FILE = b"some picture" * 50
SHA256 = hashlib.sha256(FILE).hexdigest()
PATH = f"{SHA256[:2]}/{SHA256}"
OPENING = Opening(
    application="palimpsest",
    format=1,
    app_version="0.1",
    made_at="2026-11-20T12:00:00+00:00",
    postgresql="18.4",
    migrations=(("labeling", "0001_initial"),),
    tables=(Columns("empty", ("id",)), Columns("labeling_person", ("id", "name"))),
    with_files=True,
)


def manifest(opening: Opening = OPENING) -> Manifest:
    tally = contents.FileTally()
    tally.add(SHA256, len(FILE), PATH)
    return Manifest(
        opening=opening,
        secret_key_sha256=hashlib.sha256(b"a secret\n").hexdigest(),
        tables=(
            contents.Table("empty", 0, 0, hashlib.sha256().hexdigest()),
            contents.Table("labeling_person", 2, len(ROWS), hashlib.sha256(ROWS).hexdigest()),
        ),
        logs=(),
        releases=(),
        files=tally.files(),
    ).sealed()


def members() -> dict[str, bytes]:
    """What stands in a small archive, in order."""
    return {
        contents.OPENING: contents.encoded(OPENING),
        contents.SECRET_KEY: b"a secret\n",
        "tables/labeling_person/00000001": ROWS[:6],
        "tables/labeling_person/00000002": ROWS[6:],
        f"files/{PATH}": FILE,
        contents.MANIFEST: contents.encoded(manifest()),
    }


def packed(items: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    writer = Writer(sink)
    for name, data in items.items():
        writer.add(name, len(data), [data])
    writer.finish()
    return sink.getvalue()


class Kept(reading.Checking):
    """A receiver that keeps what it gets."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.secret_key: bytes | None = None

    def table(self, table: Columns, pieces: Iterator[bytes]) -> int | None:
        self.rows[table.name] = b"".join(pieces)
        return self.rows[table.name].count(b"\n")

    def file(self, path: str, sha256: str, size_bytes: int, pieces: Iterator[bytes]) -> None:
        self.files[path] = b"".join(pieces)
        assert len(self.files[path]) == size_bytes

    def manifest(self, manifest: Manifest, secret_key: bytes | None) -> None:
        self.secret_key = secret_key


def read(data: bytes) -> Kept:
    kept = Kept()
    assert reading.read(io.BytesIO(data), kept) == manifest()
    return kept


WHOLE = packed(members())


def test_what_was_written_is_read() -> None:
    kept = read(WHOLE)
    assert kept.rows == {"empty": b"", "labeling_person": ROWS}
    assert (kept.files, kept.secret_key) == ({PATH: FILE}, b"a secret\n")


def test_any_tar_can_read_it(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(WHOLE)
    listed = subprocess.run(["tar", "tf", tmp_path / "a.tar"], capture_output=True, text=True, check=True).stdout
    assert listed.splitlines() == list(members())
    with tarfile.open(tmp_path / "a.tar") as archive:
        found = archive.extractfile(f"files/{PATH}")
        assert found is not None and found.read() == FILE


def test_sizes_beyond_eight_gigabytes_are_written_and_read() -> None:
    sink = io.BytesIO()
    with pytest.raises(ValueError, match="0 bytes instead of 1099511627776"):
        Writer(sink).add("large", 1 << 40, [])
    reader = Reader(io.BytesIO(sink.getvalue()))
    reader.advance()
    assert (reader.name, reader.size_bytes) == ("large", 1 << 40)


def test_an_archive_that_another_program_packed_anew_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(WHOLE)
    with tarfile.open(tmp_path / "a.tar") as old, tarfile.open(tmp_path / "b.tar", "w") as new:
        for member in old:
            member.mtime = 1
            new.addfile(member, old.extractfile(member))
    with pytest.raises(BadArchive):
        read((tmp_path / "b.tar").read_bytes())


@given(st.integers(0, len(WHOLE) - 1))
def test_the_beginning_of_an_archive_is_no_archive(length: int) -> None:
    with pytest.raises(BadArchive):
        read(WHOLE[:length])


@pytest.mark.parametrize("change", [1, *(pytest.param(each, marks=pytest.mark.full) for each in (0x20, 0x80, 0xFF))])
def test_a_changed_byte_is_found_wherever_it_is(change: int) -> None:
    for place in range(len(WHOLE)):
        data = bytearray(WHOLE)
        data[place] ^= change
        with pytest.raises(BadArchive):
            read(bytes(data))


@given(st.binary(max_size=2000))
def test_any_bytes_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(BadArchive, match="no backup of Palimpsest"):
        read(data)


def with_type(kind: bytes, name: str = f"files/{PATH}") -> bytes:
    """The archive with one file of another kind: a link, a directory, a device, a sparse or an extended one."""
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, "/etc/passwd"
    place = WHOLE.index(f"files/{PATH}".encode())
    return WHOLE[:place] + header.tobuf(tarfile.GNU_FORMAT) + WHOLE[place + BLOCK_BYTES :]


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6", b"L", b"K", b"S", b"x", b"g", b"V"])
def test_whatever_is_no_plain_file_is_refused(kind: bytes) -> None:
    with pytest.raises(BadArchive, match="something else than plain files"):
        read(with_type(kind))


@pytest.mark.parametrize(
    "name",
    [
        f"files/../{PATH}",
        f"files//{PATH}",
        f"/files/{PATH}",
        f"files/{PATH}/..",
        f"files/exports/{PATH}",
        f"files/{PATH}.json",
        f"files/{PATH.upper()}",
        f"files/00/{SHA256}",
        "files/aa/passwd",
        "tables/labeling_person/00000004",
        "tables/../../00000001",
        'tables/a"b/00000001',
        "secret_key",
        "another",
    ],
)
def test_a_name_that_is_none_of_ours_is_refused(name: str) -> None:
    items = {(name if key == f"files/{PATH}" else key): data for key, data in members().items()}
    with pytest.raises(BadArchive, match="damaged"):
        read(packed(items))


def changed(**changes: Any) -> dict[str, bytes]:
    """The files of the archive, some left out (None) or replaced."""
    replaced = {"part": "tables/labeling_person/00000002", "file": f"files/{PATH}"}
    items = members()
    for key, data in changes.items():
        name = replaced.get(key) or {"opening": contents.OPENING, "manifest": contents.MANIFEST}.get(key, key)
        if data is None:
            del items[name]
        else:
            items[name] = data
    return items


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"part": None}, "the table labeling_person in it is not what was written"),
        ({"part": b"3\tben\n"}, "the table labeling_person in it is not what was written"),
        ({"file": None}, "the files in it are not those that were written"),
        ({"file": FILE[::-1]}, "is not what its name says"),
        ({"secret_key": None}, "its beginning does not belong to its end"),
        ({"secret_key": b"x" * 5000}, "far too long"),
        ({"opening": b"{}"}, "no backup of Palimpsest"),
        ({"opening": b"\xff"}, "no backup of Palimpsest"),
        ({"opening": b"[" * 100_000}, "no backup of Palimpsest"),
        ({"opening": b'{"application":"palimpsest","format":2}'}, "format is 2; this version of Palimpsest reads 1"),
        ({"opening": b'{"application":"palimpsest","format":1}'}, "palimpsest.json cannot be read"),
        ({"manifest": b"{}"}, "manifest.json cannot be read"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes: dict[str, bytes | None], words: str) -> None:
    with pytest.raises(BadArchive, match=words):
        read(packed(changed(**changes)))


def test_a_manifest_that_counts_other_rows_is_refused() -> None:
    tables = (manifest().tables[0], replace(manifest().tables[1], rows=3))
    other = replace(manifest(), tables=tables, sha256="").sealed()
    with pytest.raises(BadArchive, match="another number of rows"):
        read(packed(changed(manifest=contents.encoded(other))))


def test_an_opening_that_names_a_table_twice_is_refused() -> None:
    twice = replace(OPENING, tables=(OPENING.tables[0], OPENING.tables[0]))
    with pytest.raises(BadArchive, match="names a table or a column twice"):
        read(packed(changed(opening=contents.encoded(twice))))


@pytest.mark.parametrize(
    "changes",
    [
        {"app_version": "\x1b[2J"},
        {"made_at": "today\r"},
        {"postgresql": "18" * 100},
        {"tables": (Columns('a"b', ("id",)),)},
        {"tables": (Columns("a", ("id", "\x1b]0;x\x07")),)},
    ],
)
def test_an_opening_that_would_write_to_the_terminal_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadArchive, match="holds what no opening holds"):
        read(packed(changed(opening=contents.encoded(replace(OPENING, **changes)))))


def test_a_number_that_nobody_would_have_written_is_refused() -> None:
    other = contents.encoded(manifest()).replace(b'"rows":2', b'"rows":' + b"9" * 30)
    with pytest.raises(BadArchive, match="manifest"):
        read(packed(changed(manifest=other)))


def test_what_follows_the_manifest_is_refused() -> None:
    with pytest.raises(BadArchive, match="goes on after its manifest"):
        read(packed({**members(), "more": b"x"}))


def test_a_receiver_that_takes_nothing_has_everything_checked_nevertheless() -> None:
    reading.read(io.BytesIO(WHOLE), reading.Checking())
    with pytest.raises(BadArchive, match="is not what its name says"):
        reading.read(io.BytesIO(packed(changed(file=FILE[::-1]))), reading.Checking())


# --- the file that it is written to --------------------------------------------------------------------------------


def test_the_file_is_there_when_it_is_whole_and_for_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with making.new_file(path) as file:
        file.write(b"whole")
        assert [each.name for each in tmp_path.iterdir()] == ["a.tar.part"]
        assert (tmp_path / "a.tar.part").stat().st_mode & 0o777 == 0o600
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"whole", 0o600)
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar"]


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(b"mine")
    with pytest.raises(BackupFailed, match="exists already"), making.new_file(path):
        pass
    assert path.read_bytes() == b"mine"


def test_what_a_killed_backup_left_is_written_over_and_one_at_work_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    (tmp_path / "a.tar.part").write_bytes(b"left by a backup that was killed")
    with making.new_file(path) as file:
        file.write(b"new")
        with pytest.raises(BackupFailed, match="Another backup is writing"), making.new_file(path):
            pass
    assert path.read_bytes() == b"new"


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with making.new_file(tmp_path / "a.tar") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.tar.part").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BackupFailed, match="cannot be written"), making.new_file(tmp_path / "a.tar"):
        pass
    assert not (tmp_path / "elsewhere").exists()
