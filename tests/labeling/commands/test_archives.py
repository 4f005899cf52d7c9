"""ZIP archives: every trick that one can play on its reader is told in words, and bounded."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from contextlib import nullcontext
from typing import Any

import pytest

from labeling.commands import archives
from labeling.commands.archives import Archive, BadArchive, BadMember


def packed(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            twice = pytest.warns(UserWarning, match="Duplicate") if name in archive.namelist() else nullcontext()
            with twice:
                archive.writestr(name, data)
    return buffer.getvalue()


def opened(data: bytes) -> Archive:
    return Archive(io.BytesIO(data))


def problems(data: bytes) -> dict[str, str]:
    return {member.name: member.problem for member in opened(data).members}


def test_an_empty_archive_has_no_members() -> None:
    assert opened(packed()).members == []


def test_members_come_with_their_path_and_their_bytes() -> None:
    archive = opened(packed(("a.png", b"one"), ("deep/er/b.png", b"two"), ("deep/", b"")))

    found = {}
    for member in archive.members:
        into = io.BytesIO()
        archive.unpack(member, into)
        found[member.name] = (member.problem, into.read())
    assert found == {"a.png": ("", b"one"), "deep/er/b.png": ("", b"two")}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("../a.png", "leads out"),
        ("a/../../b.png", "leads out"),
        ("a/./b.png", "leads out"),
        ("a//b.png", "leads out"),
        ("..\\a.png", "leads out"),
        ("/etc/a.png", "absolute"),
        ("C:/a.png", "absolute"),
        ("C:\\a.png", "absolute"),
        ("a\nb.png", "cannot be shown"),
        ("a\x1bb.png", "cannot be shown"),
    ],
)
def test_a_path_that_is_a_trick_is_refused_with_its_reason(name: str, word: str) -> None:
    (problem,) = problems(packed((name, b"x"))).values()

    assert word in problem


def test_what_systems_put_beside_the_pictures_is_passed_over() -> None:
    data = packed(("__MACOSX/a.png", b""), (".DS_Store", b""), ("x/Thumbs.db", b""), ("a.png", b""))

    assert list(problems(data)) == ["a.png"]


def test_a_name_that_is_there_twice_is_taken_once() -> None:
    archive = opened(packed(("a.png", b"1"), ("a.png", b"2")))

    assert [member.problem for member in archive.members] == ["", "this name is in the archive twice"]


def test_an_encrypted_member_is_refused() -> None:
    data = bytearray(packed(("a.png", b"x")))
    at = data.rfind(b"PK\x01\x02")
    data[at + 8] |= 1

    assert "encrypted" in problems(bytes(data))["a.png"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_whose_output_cannot_be_bounded_are_refused(method: int) -> None:
    assert "uncommon" in problems(packed(("a.png", b"x" * 100), method=method))["a.png"]


def test_a_damaged_member_is_told_and_the_others_are_read() -> None:
    data = bytearray(packed(("a.png", b"0123456789"), ("b.png", b"fine"), method=zipfile.ZIP_STORED))
    data[data.find(b"0123456789")] ^= 1
    archive = opened(bytes(data))

    with pytest.raises(BadMember, match="damaged"):
        archive.unpack(archive.members[0], io.BytesIO())
    into = io.BytesIO()
    archive.unpack(archive.members[1], into)
    assert into.read() == b"fine"


def test_a_member_that_says_it_is_small_and_is_not_is_stopped(monkeypatch: Any) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 1000)
    archive = opened(packed(("a.png", b"x" * 1000), ("b.png", b"x" * 1001)))

    assert [bool(member.problem) for member in archive.members] == [False, True]
    with pytest.raises(BadMember, match="100 MB"):
        archive.unpack(archive.members[1], io.BytesIO())


def test_a_bomb_is_stopped_before_it_has_gone_off(monkeypatch: Any) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 1 << 20)
    data = packed(*((f"{number}.png", bytes(4 << 20)) for number in range(8)))
    archive = opened(data)

    class Sink(io.BytesIO):
        total = 0

        def write(self, chunk: Any) -> int:
            Sink.total += len(chunk)
            return len(chunk)

    tracemalloc.start()
    for member in archive.members:
        with pytest.raises(BadMember, match="unpacks to far more"):
            archive.unpack(member, Sink())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert Sink.total <= (1 << 20) + archives.MOST_TIMES * len(data)
    assert peak < 8 << 20


def test_too_many_members_are_refused_before_they_are_listed(monkeypatch: Any) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    members = [(f"{number}.png", b"") for number in range(4)]

    assert len(opened(packed(*members[:3])).members) == 3
    with pytest.raises(BadArchive, match="more than 3 files"):
        opened(packed(*members))


def test_a_count_that_lies_does_not_help(monkeypatch: Any) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    data = bytearray(packed(*((f"{number}.png", b"") for number in range(9))))
    struct.pack_into("<HH", data, data.rfind(b"PK\x05\x06") + 8, 1, 1)

    with pytest.raises(BadArchive, match="more than 3 files"):
        opened(bytes(data))


def test_a_list_that_is_too_long_is_refused_unread() -> None:
    data = bytearray(packed(("a.png", b"")))
    struct.pack_into("<I", data, data.rfind(b"PK\x05\x06") + 12, archives.MOST_LIST_BYTES + 1)

    with pytest.raises(BadArchive, match="split it"):
        opened(bytes(data))


def test_an_archive_of_more_than_65535_members_says_so_in_its_longer_end(monkeypatch: Any) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    data = packed(*((f"{number}.png", b"x") for number in range(3)))
    assert b"PK\x06\x06" in data

    assert len(opened(data).members) == 3
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    with pytest.raises(BadArchive, match="more than 2 files"):
        opened(data)


@pytest.mark.parametrize("cut", [0, 1, 10, 21, 30, 60, -1, -22])
def test_what_is_cut_off_is_refused_in_words(cut: int) -> None:
    data = packed(("a.png", b"0123456789"))

    with pytest.raises(BadArchive):
        opened(data[:cut])


def test_any_flipped_byte_gives_members_or_words_and_nothing_else() -> None:
    data = packed(("a.png", b"0123456789" * 20), ("b/c.png", b"x"))
    for at in range(len(data)):
        bent = bytearray(data)
        bent[at] ^= 0xFF
        try:
            archive = opened(bytes(bent))
            for member in archive.members:
                if not member.problem:
                    archive.unpack(member, io.BytesIO())
        except (BadArchive, BadMember):
            pass
