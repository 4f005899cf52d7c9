#!/usr/bin/env python3
"""Checks a downloaded release without Palimpsest: is this the file, and is it the release of this identity?

    python3 check_release.py MANIFEST FILE [IDENTITY]

MANIFEST is what `…/releases/NAME/manifest/` answered, byte for byte; FILE what the release's address gives with
`?stored` (as it is stored: references without a host, people by id). IDENTITY is what you were told that the release
is, from a paper or a training's record. Ends with 0 where all agrees, 1 where something does not, and names it.
Needs nothing but Python 3.8 and its standard library; runs on its own copy of itself.
"""

import hashlib
import json
import sys
from typing import Any


def problems_of(manifest_path: str, file_path: str, identity: str | None = None) -> tuple[list[str], list[str]]:
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
    return checked, problems


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
    if not 2 <= len(arguments) <= 3:
        sys.stderr.write((__doc__ or "").split("\n\n")[1].strip() + "\n")
        return 2
    try:
        checked, problems = problems_of(*arguments)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for line in checked:
        print(line)
    for line in problems:
        print("BAD        " + line)
    print("damaged" if problems else "sound")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
