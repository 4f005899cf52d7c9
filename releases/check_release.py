#!/usr/bin/env python3
"""Checks a downloaded release without Palimpsest: is this the file, is it the release of this identity, who signed it?

    python3 check_release.py ARCHIVE [IDENTITY] [--base ARCHIVE …] [--key KEY]
    python3 check_release.py MANIFEST FILE [IDENTITY] [--signature SIGNATURE] [--key KEY]

ARCHIVE is what `…/releases/NAME/archive/` answered. MANIFEST is what `…/releases/NAME/manifest/` answered, byte for
byte; FILE what the release's address gives with `?stored` (as it is stored: references without a host, people by id).
IDENTITY is what you were told that the release is, from a paper or a training's record. A release may be the difference
to another, and that to a third: their archives, after --base, give the whole. SIGNATURE is what `…/manifest/?signature`
answered; an archive has it in it. KEY is the key that you were told the installation signs with: its id, its public
half as base64, or a file with what `/signing-keys/` answered.

Ends with 0 where all agrees (also where files were erased, which it lists), 1 where something does not, and names it.
Needs nothing but Python 3.9 and its standard library; runs on its own copy of itself.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

# --- Ed25519 (RFC 8032, §5.1): checking only, so nothing here is secret and nothing has to take the same time --------

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)  # of -1

#: A point (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z (§5.1.4).
_Point = tuple[int, int, int, int]
_NEUTRAL: _Point = (0, 1, 1, 0)


def _sum(a: _Point, b: _Point) -> _Point:
    e, f = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    g, h = 2 * a[3] * b[3] * _D, 2 * a[2] * b[2]
    e, f, g, h = (f - e) % _P, (h - g) % _P, (h + g) % _P, (f + e) % _P
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(factor: int, point: _Point) -> _Point:
    found = _NEUTRAL
    while factor:
        if factor & 1:
            found = _sum(found, point)
        point, factor = _sum(point, point), factor >> 1
    return found


def _point(data: bytes) -> _Point | None:
    """The point of its 32 bytes; None where they are none, or not the one form that a point is written in."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _bytes(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_Y = 4 * pow(5, -1, _P) % _P
_BASE = _point(_Y.to_bytes(32, "little")) or _NEUTRAL


def ed25519_is_valid(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is that of the key with the public half `public` (32 bytes) over `message`.

    Of the signatures that follow from one by adding multiples of the group's order only the first is taken, keys and
    points in their one form only, and no key of small order, for which one signature would fit many messages.
    """
    if len(public) != 32 or len(signature) != 64:
        return False
    key, r, s = _point(public), _point(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= _L or _bytes(_times(8, key)) == _bytes(_NEUTRAL):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    return _bytes(_times(s, _BASE)) == _bytes(_sum(r, _times(k, key)))


# --- signatures as Palimpsest writes them ----------------------------------------------------------------------------


def signed_bytes(purpose: str, message: bytes) -> bytes:
    """The bytes that a signature of a message is over: what kind of thing it is, and the message."""
    return b"palimpsest " + purpose.encode("ascii") + b"\n" + message


def key_id(public: bytes) -> str:
    """The id of a key: the first half of the SHA-256 of its public half, in hex."""
    return hashlib.sha256(public).hexdigest()[:32]


def signature_problem(purpose: str, message: bytes, document: Any, trusted: list[str] | None = None) -> str | None:
    """What is wrong with a signature document over a message, in words; None where it is good. `trusted` are the ids of
    the keys that are taken, None for any (which says only that the message is whole)."""
    try:
        public = base64.b64decode(document["public_key"], validate=True)
        value = base64.b64decode(document["value"], validate=True)
        said = document["signature"], document["algorithm"], document["purpose"], document["key"]
    except (KeyError, TypeError, ValueError):
        return "it is none that this program knows"
    if said[:2] != (1, "Ed25519"):
        return "it is of a kind that this program does not know"
    if said[2] != purpose:
        return "it is one of something else than a " + purpose
    if said[3] != key_id(public):
        return "its key is not the one that it names"
    if trusted is not None and said[3] not in trusted:
        return f"it is by the key {said[3]}, which is none of those that you named"
    if not ed25519_is_valid(public, signed_bytes(purpose, message), value):
        return "it is not over these bytes, or not by that key"
    return None


def key_ids(text: str) -> list[str]:
    """The ids of the keys that an argument names: an id, a public half as base64, or a file of `/signing-keys/`.

    Raises:
        ValueError: it is none of these.
    """
    if os.path.exists(text):
        with open(text, "rb") as file:
            try:
                return [key_id(base64.b64decode(item["public_key"], validate=True)) for item in json.load(file)]
            except (KeyError, TypeError) as error:
                raise ValueError(text) from error
    if len(text) == 32 and set(text) <= set("0123456789abcdef"):
        return [text]
    try:
        public = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(text) from error
    if len(public) != 32:
        raise ValueError(text)
    return [key_id(public)]


# --- base and difference ---------------------------------------------------------------------------------------------

_UUID = re.compile(rb'"uuid":"([0-9a-f-]{36})"\}$')


def joined(base: Iterable[bytes], difference: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
    """The whole of a release, in pieces, of the lines of its base's whole and those of the difference to it, which are
    gone through twice.

    Raises:
        ValueError: the two do not fit together.
    """
    said: Any = None
    for line in difference():
        if line.startswith(b'"difference":'):
            said = json.loads(line[len(b'"difference":') : -2])
    if said is None:
        raise ValueError("the file is no difference")
    removed, added = set(said["removed"]), said["added"]
    lines = iter(difference())
    opening = next(lines)
    yield opening.rstrip(b"\n")
    waiting, end = _next(lines)
    last, count = None, 0
    below = iter(base)
    next(below)
    here, _ = _next(below)
    while here is not None or waiting is not None:
        if waiting is not None and waiting[0] in added and added[waiting[0]] == last:
            last, text = waiting
            waiting, end = _next(lines)
        elif here is None:
            raise ValueError("the difference is to another release")
        elif here[0] in removed:
            here, _ = _next(below)
            continue
        else:
            last, text = here
            if waiting is not None and waiting[0] == last:
                text = waiting[1]
                waiting, end = _next(lines)
            here, _ = _next(below)
        yield (b",\n" if count else b"\n") + text
        count += 1
    behind = [line for line in lines if not line.startswith(b'"difference":')]
    yield b"\n" + end.rstrip(b"\n") + b"".join(behind)


def _next(lines: Iterator[bytes]) -> tuple[tuple[str, bytes] | None, bytes]:
    """The uuid of the next sample and its text; or None, and the line behind all samples."""
    line = next(lines, b"]")
    if line.startswith(b"]"):
        return None, line
    text = line.rstrip(b"\n").rstrip(b",")
    found = _UUID.search(text)
    if found is None:
        raise ValueError("a line is no sample")
    return (found[1].decode(), text), b""


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines, each with its end, of bytes that come in pieces."""
    left = b""
    for piece in pieces:
        *whole, left = (left + piece).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if left:
        yield left


# --- the release -----------------------------------------------------------------------------------------------------


class Download:
    """A release as it was downloaded: an archive, or its manifest and its file."""

    def __init__(self, first: str, second: str | None = None) -> None:
        self.name, self._file = first, second
        self.archive = zipfile.ZipFile(first) if second is None else None
        with self.opened("manifest.json") as file:
            self.raw = file.read()
        self.identity = hashlib.sha256(self.raw).hexdigest()
        self.manifest: Any = json.loads(self.raw)
        self.files = {item["path"]: item for item in self.manifest["files"]}
        self.files["release.json"]["size_bytes"]  # KeyError: it is no manifest

    def __contains__(self, path: str) -> bool:
        if self.archive is not None:
            return path in self.archive.namelist()
        return path in ("manifest.json", "release.json")

    def opened(self, path: str) -> IO[bytes]:
        if self.archive is not None:
            return self.archive.open(path)
        return open(self.name if path == "manifest.json" else str(self._file), "rb")

    def shown(self, path: str) -> str:
        """What people call a file."""
        return path if self.archive is not None else self.name if path == "manifest.json" else str(self._file)

    def json(self, path: str) -> Any:
        with self.opened(path) as file:
            try:
                return json.load(file)
            except ValueError:
                return None

    def lines(self) -> Iterator[bytes]:
        with self.opened("release.json") as file:
            yield from file

    def problem_with(self, path: str, wanted: dict[str, Any]) -> str | None:
        """What is wrong with a file, by its size and hash."""
        digest, length = hashlib.sha256(), 0
        try:
            with self.opened(path) as file:
                for piece in iter(lambda: file.read(1 << 20), b""):
                    digest.update(piece)
                    length += len(piece)
        except KeyError:
            return "is not there"
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            return f"cannot be read ({error})"
        if length != wanted["size_bytes"]:
            return f"{length} bytes, the manifest says {wanted['size_bytes']}"
        if digest.hexdigest() != wanted["sha256"]:
            return f"its SHA-256 is {digest.hexdigest()}, the manifest says {wanted['sha256']}"
        return None


def whole_of(release: Download, bases: list[Download]) -> Iterator[bytes] | None:
    """The whole of a release in lines; None where a base is needed that was not given.

    Raises:
        ValueError: what was given does not fit together.
    """
    named = release.manifest.get("base")
    if named is None:
        return release.lines()
    for base in bases:
        if base.identity == named["identity"]:
            below = whole_of(base, bases)
            return None if below is None else lines_of(joined(below, release.lines))
    return None


class Findings:
    """What was checked, what was erased, and what does not agree, as lines of text."""

    def __init__(self) -> None:
        self.checked: list[str] = []
        self.erased: list[str] = []
        self.problems: list[str] = []


def check(
    release: Download,
    identity: str | None = None,
    *,
    bases: list[Download] | None = None,
    signature: Any = None,
    trusted: list[str] | None = None,
) -> Findings:
    """Check a release that was downloaded; `signature` is the document of its signature, `trusted` the ids of keys."""
    found, manifest = Findings(), release.manifest
    if identity is not None and release.identity != identity.strip().lower():
        found.problems.append(f"manifest: its identity is {release.identity}, not {identity.strip().lower()}")
    found.checked += [
        f"identity   {release.identity}",
        "dataset    {} at offset {}, chain {}".format(manifest["dataset"]["id"], manifest["offset"], manifest["chain"]),
        "file       {} bytes, {} samples".format(
            release.files["release.json"]["size_bytes"], manifest["samples_count"]
        ),
    ]
    for path, wanted in sorted(release.files.items()):
        if path != "release.json" and release.archive is None:
            continue
        problem = release.problem_with(path, wanted)
        if problem is not None:
            found.problems.append(f"{release.shown(path)}: {problem}")
    _check_content(release, bases or [], found)
    if "assets" in manifest:
        _check_assets(release, trusted, found)
    if signature is not None:
        wrong = signature_problem("release", release.raw, signature, trusted)
        if wrong is None:
            note = "" if trusted is not None else " (name the key that you trust with --key)"
            found.checked.append(f"signature  good, by the key {signature['key']}{note}")
        else:
            found.problems.append(f"signature: {wrong}")
    elif trusted is not None:
        found.problems.append("signature: a key was named and no signature given")
    return found


def _check_content(release: Download, bases: list[Download], found: Findings) -> None:
    """The samples, a line each, and of a difference the whole that it gives."""
    manifest, content, count, whole = release.manifest, hashlib.sha256(), 0, hashlib.sha256()
    try:
        lines = whole_of(release, bases)
        if lines is None:
            named = manifest["base"]
            found.checked.append(
                f"content    not checked: this is the difference to the release {named['release']}; give its archive,"
                f" and those of its own bases, with --base (identity {named['identity']})"
            )
            return
        is_sample = False
        for number, line in enumerate(lines):
            whole.update(line)
            is_sample = (is_sample or number == 1) and not line.startswith(b"]")
            if is_sample:
                content.update(line.rstrip(b"\n").rstrip(b",") + b"\n")
                count += 1
    except (ValueError, KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        found.problems.append(f"{release.shown('release.json')}: its samples cannot be read ({error})")
        return
    if count != manifest["samples_count"] or content.hexdigest() != manifest["content_sha256"]:
        found.problems.append(f"{release.shown('release.json')}: the samples are others than the manifest's")
    elif manifest.get("base") is not None:
        if whole.hexdigest() != manifest["whole"]["sha256"]:
            found.problems.append(f"{release.shown('release.json')}: with its base it gives another whole")
        found.checked.append("whole      of base and difference, {} bytes".format(manifest["whole"]["size_bytes"]))


def _check_assets(release: Download, trusted: list[str] | None, found: Findings) -> None:
    """The files that the release refers to: those that its archive holds, and those that were erased since."""
    said = release.manifest["assets"]
    for item in said["erased"]:
        found.erased.append(f"{item['sha256']}, {item['size_bytes']} bytes: before this release was cut")
    included = said["images"] == "included"
    where = "in the archive" if included else "by their hashes, not in the archive"
    found.checked.append(f"assets     {said['count']} of {said['size_bytes']} bytes, {where}")
    if release.archive is None:
        return
    gone, erasures = _erased(release, trusted, found), 0
    known = {"manifest.json", "signature.json", "erased.json", "erased.signature.json", *release.files}
    try:
        lines = [json.loads(line) for line in release.archive.read("assets.jsonl").splitlines()]
    except (KeyError, ValueError, zipfile.BadZipFile, zlib.error):
        return  # told with the other files
    for item in lines:
        path = item["path"]
        known.add(path)
        if item["sha256"] in gone and path not in release:
            found.erased.append(f"{path}, {item['size_bytes']} bytes: {gone[item['sha256']]}")
            erasures += 1
        elif included:
            problem = release.problem_with(path, item)
            if problem is not None:
                found.problems.append(f"{path} ({item['filename']}): {problem}")
    for path in sorted({*release.archive.namelist()} - known):
        found.problems.append(f"{path}: nothing in the manifest names it")


def _erased(release: Download, trusted: list[str] | None, found: Findings) -> dict[str, str]:
    """{hash: when it was erased} of the files that were erased since the release was cut, as its maker says."""
    if "erased.json" not in release or release.archive is None:
        return {}
    raw = release.archive.read("erased.json")
    signature = release.json("erased.signature.json") if "erased.signature.json" in release else None
    wrong = signature_problem("erasure", raw, signature, trusted) if signature is not None else None
    if signature is None and trusted is not None:
        wrong = "it is not signed"
    try:
        document = json.loads(raw)
        if document["release"] != release.identity:
            wrong = "it is of another release"
        said = {item["sha256"]: f"erased {item['erased_at']}" for item in document["files"]}
    except (ValueError, KeyError, TypeError):
        wrong, said = "it is none that this program knows", {}
    if wrong is not None:
        found.problems.append(f"erased.json: {wrong}")
        return {}
    return said


def main(arguments: list[str]) -> int:
    """The command line: prints what was checked and what is wrong, and returns the exit status."""
    plain, named = _split(arguments)
    if plain is None or not 1 <= len(plain) <= 3:
        return _usage()
    try:
        trusted = [key for text in named["--key"] for key in key_ids(text)] if named["--key"] else None
    except ValueError:
        sys.stderr.write("--key is neither the id of a key, nor a public key as base64, nor a file of such.\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        is_archive = zipfile.is_zipfile(plain[0])
        if not is_archive and _begins_as_archive(plain[0]):
            found = Findings()
            found.problems.append(f"{plain[0]}: the archive is cut off, or its end was changed")
        elif not is_archive and len(plain) == 1:
            return _usage()
        else:
            release = Download(plain[0]) if is_archive else Download(plain[0], plain[1])
            identity = plain[-1] if len(plain) == (2 if is_archive else 3) else None
            signature = release.json("signature.json") if "signature.json" in release else None
            if named["--signature"]:
                with open(named["--signature"][0], "rb") as file:
                    signature = _document(file.read())
            bases = [Download(path) for path in named["--base"]]
            found = check(release, identity, bases=bases, signature=signature, trusted=trusted)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error, EOFError):
        found = Findings()
        found.problems.append("manifest: it is none that this program knows")
    for line in found.checked:
        print(line)
    for line in found.erased:
        print("erased     " + line)
    for line in found.problems:
        print("BAD        " + line)
    print("damaged" if found.problems else "sound, but for what was erased" if found.erased else "sound")
    return 1 if found.problems else 0


def _usage() -> int:
    sys.stderr.write((__doc__ or "").split("\n\n")[1] + "\n")
    return 2


def _begins_as_archive(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _document(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return {}


def _split(arguments: list[str]) -> tuple[list[str] | None, dict[str, list[str]]]:
    """The plain arguments (None where one is wrong) and the named ones, of which --base and --key may come again."""
    plain: list[str] = []
    named: dict[str, list[str]] = {"--signature": [], "--key": [], "--base": []}
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word in named and left:
            named[word].append(left.pop(0))
        elif word.startswith("--"):
            return None, named
        else:
            plain.append(word)
    return (None if len(named["--signature"]) > 1 else plain), named


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
