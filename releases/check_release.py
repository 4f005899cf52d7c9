#!/usr/bin/env python3
"""Checks a downloaded release without Palimpsest: is this the file, is it the release of this identity, who signed it?

    python3 check_release.py MANIFEST FILE [IDENTITY] [--signature SIGNATURE] [--key KEY]

MANIFEST is what `…/releases/NAME/manifest/` answered, byte for byte; FILE what the release's address gives with
`?stored` (as it is stored: references without a host, people by id). IDENTITY is what you were told that the release
is, from a paper or a training's record. SIGNATURE is what `…/manifest/?signature` answered; KEY is the key that you
were told the installation signs with: its id, its public half as base64, or a file with what `/signing-keys/` answered.
Ends with 0 where all agrees, 1 where something does not, and names it.
Needs nothing but Python 3.9 and its standard library; runs on its own copy of itself.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import sys
from typing import Any

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


# --- the release -----------------------------------------------------------------------------------------------------


def problems_of(
    manifest_path: str,
    file_path: str,
    identity: str | None = None,
    *,
    signature_path: str | None = None,
    trusted: list[str] | None = None,
) -> tuple[list[str], list[str]]:
    """(what was checked, what does not agree), both as lines of text."""
    with open(manifest_path, "rb") as file:
        raw = file.read()
    found = hashlib.sha256(raw).hexdigest()
    problems = []
    if identity is not None and found != identity.strip().lower():
        problems.append(f"manifest: its identity is {found}, not {identity.strip().lower()}")
    try:
        manifest = json.loads(raw)
        [said] = manifest["files"]
        wanted, size = said["sha256"], said["size_bytes"]
    except (ValueError, KeyError, TypeError):
        return [], [*problems, "manifest: it is none that this program knows"]
    digest, length = hashlib.sha256(), 0
    with open(file_path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
            length += len(piece)
    if length != size:
        problems.append(f"{file_path}: {length} bytes, the manifest says {size}")
    if digest.hexdigest() != wanted:
        problems.append(f"{file_path}: its SHA-256 is {digest.hexdigest()}, the manifest says {wanted}")
    problems += content_problems(manifest, file_path)
    checked = [
        f"identity   {found}",
        "dataset    {} at offset {}, chain {}".format(manifest["dataset"]["id"], manifest["offset"], manifest["chain"]),
        "file       {} bytes, {} samples".format(length, manifest["samples_count"]),
    ]
    if signature_path is not None:
        said, wrong = _signed(raw, signature_path, trusted)
        checked.append("signature  " + said)
        problems += [f"{signature_path}: {wrong}"] if wrong else []
    elif trusted is not None:
        problems.append("signature: a key was named and no signature given")
    return checked, problems


def _signed(raw: bytes, signature_path: str, trusted: list[str] | None) -> tuple[str, str | None]:
    with open(signature_path, "rb") as file:
        try:
            document = json.load(file)
        except ValueError:
            document = None
    wrong = signature_problem("release", raw, document, trusted)
    if wrong is not None:
        return "not good", wrong
    note = "" if trusted is not None else " (name the key that you trust with --key)"
    return f"good, by the key {document['key']}{note}", None


def content_problems(manifest: dict[str, Any], file_path: str) -> list[str]:
    """What the samples, a line each, do not agree in with the manifest."""
    content, count = hashlib.sha256(), 0
    with open(file_path, "rb") as file:
        file.readline()
        for line in file:
            if line.startswith(b"]"):
                break
            content.update(line.rstrip(b"\n").rstrip(b",") + b"\n")
            count += 1
    if count == manifest["samples_count"] and content.hexdigest() == manifest["content_sha256"]:
        return []
    return [f"{file_path}: the samples are others than the manifest's"]


def main(arguments: list[str]) -> int:
    """The command line: prints what was checked and what is wrong, and returns the exit status."""
    plain, named = _split(arguments)
    if plain is None or not 2 <= len(plain) <= 3:
        sys.stderr.write((__doc__ or "").split("\n\n")[1].strip() + "\n")
        return 2
    try:
        trusted = key_ids(named["--key"]) if "--key" in named else None
        checked, problems = problems_of(*plain, signature_path=named.get("--signature"), trusted=trusted)
    except ValueError:
        sys.stderr.write("--key is neither the id of a key, nor a public key as base64, nor a file of such.\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for line in checked:
        print(line)
    for line in problems:
        print("BAD        " + line)
    print("damaged" if problems else "sound")
    return 1 if problems else 0


def _split(arguments: list[str]) -> tuple[list[str] | None, dict[str, str]]:
    """The plain arguments (None where one is wrong) and the named ones."""
    plain, named, left = [], {}, list(arguments)
    while left:
        word = left.pop(0)
        if word in ("--signature", "--key") and left and word not in named:
            named[word] = left.pop(0)
        elif word.startswith("--"):
            return None, {}
        else:
            plain.append(word)
    return plain, named


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
