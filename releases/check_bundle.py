#!/usr/bin/env python3
"""Checks a sealed audit bundle of a dataset without Palimpsest: is every event what was recorded, and none missing?

    python3 check_bundle.py BUNDLE.zip [--key KEY] [--checkpoint FILE]…

KEY is the key that you were told the installation signs with: its id, its public half as base64, or a file with what
`/signing-keys/` answered. Without it signatures say only that the bundle is whole, not whose it is. FILE is a signed
checkpoint that you kept from earlier: with it a tail that was cut off, or a log that was written anew, is found even if
whoever made the bundle holds the key. Ends with 0 where all holds, 1 where something does not, and names the first bad
thing. Needs nothing but Python 3.9, its standard library, and check_release.py beside it. Take both programs from where
you trust, not from the bundle that you check.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

JSON = dict[str, Any]


def _beside() -> Any:
    """check_release.py, which lies beside this file: it knows how to check signatures."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check_release.py")
    spec = importlib.util.spec_from_file_location("palimpsest_check_release", path)
    if spec is None or spec.loader is None:
        raise OSError("check_release.py is not beside this program")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


release: Any = _beside()

# --- canonical JSON (RFC 8785) ---------------------------------------------------------------------------------------

_LARGEST = 2**53 - 1


def spelled(number: float) -> str:
    """A number as ECMAScript spells it (ECMA-262 §6.1.6.1.20): the fewest digits that read back as it."""
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError("no JSON has such a number")
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, behind = mantissa.partition(".")
    behind = "" if behind == "0" else behind
    digits = (whole + behind).lstrip("0")
    point = int(exponent or 0) + len(whole) - (len(whole + behind) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    power = ("+" if point > 0 else "-") + str(abs(point - 1))
    return sign + digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + "e" + power


def canonical(value: Any) -> str:
    """The one form of a JSON value that its hash is over."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value) if -_LARGEST <= value <= _LARGEST else spelled(float(value))
    if isinstance(value, float):
        return spelled(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(json.dumps(name, ensure_ascii=False) + ":" + canonical(value[name]) for name in names) + "}"


def digest_of(value: Any) -> str:
    """The SHA-256 of a value's canonical form."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


# --- events and their chain ------------------------------------------------------------------------------------------


def _prefixed(item: bytes | None) -> bytes:
    return struct.pack(">i", -1) if item is None else struct.pack(">i", len(item)) + item


def _uuid(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text.replace("-", ""))


def _text(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _int(number: int | None) -> bytes | None:
    return None if number is None else struct.pack(">q", number)


def chained(previous: bytes, event: JSON) -> bytes:
    """The chain hash behind an event: over the one before it, and every column that never changes."""
    fields = (
        _uuid(event["log"]), _text(event["stream"]), _uuid(event["event_id"]), _text(event["type"]),
        _int(event["schema_version"]), bytes.fromhex(event["data_hash"]), _uuid(event["author"]),
        _text(event["author_kind"]), _uuid(event["on_behalf_of"]), _text(event["tool"]), _uuid(event["work_session"]),
        _text(event["reason"]), _uuid(event["command"]), _uuid(event["causation"]), _uuid(event["correlation"]),
        _int(event["seen_offset"]), _text(event["app_version"]), _int(event["occurred_us"]),
    )  # fmt: skip
    digest = hashlib.sha256(b"".join(map(_prefixed, fields))).digest()
    place = struct.pack(">qqq", event["offset"], event["version"], event["recorded_us"])
    return hashlib.sha256(previous + place + digest).digest()


def tree_leaf(chain: bytes) -> bytes:
    """The hash of a leaf of the Merkle tree over the chain (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\x00" + chain).digest()


def tree_node(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_put(peaks: list[bytes], size: int, chain: bytes) -> None:
    """Put a leaf behind a tree of that size, which is kept by the roots of its perfect subtrees, the largest first."""
    found = tree_leaf(chain)
    while size & 1:
        found, size = tree_node(peaks.pop(), found), size >> 1
    peaks.append(found)


def tree_root(peaks: list[bytes]) -> bytes:
    """The root of a tree of at least one leaf."""
    found = peaks[-1]
    for peak in reversed(peaks[:-1]):
        found = tree_node(peak, found)
    return found


class Bad(Exception):
    """The first thing that does not hold; the message says what."""


class Bundle:
    """A bundle that is being checked. What holds is in `said`, what does not in `problems`."""

    def __init__(self, archive: zipfile.ZipFile, trusted: list[str] | None) -> None:
        self.archive, self.trusted = archive, trusted
        self.said: list[str] = []
        self.problems: list[str] = []
        self.chains: dict[int, str] = {}
        self.roots: dict[int, str] = {}
        self.wanted: set[int] = set()

    def check(self, kept: list[JSON]) -> None:
        """Check all of it; what depends on a part that is broken is left out."""
        raw = self._read("index.json")
        index = json.loads(raw)
        if not isinstance(index, dict) or index.get("bundle") != 1:
            raise Bad("index.json: it is none that this program knows")
        self._signature(raw)
        self._files(index)
        checkpoints = self._json("checkpoints.json", list)
        manifests = self._manifests(index)
        self.wanted = {int(item["statement"]["offset"]) for item in checkpoints + kept}
        self.wanted |= {int(item["offset"]) for _, item in manifests}
        self._part(self._events, index)
        self._part(self._texts, index)
        self._part(self._checkpoints, index, checkpoints, "checkpoint")
        self._part(self._checkpoints, index, kept, "checkpoint that you kept:")
        self._part(self._releases, index, manifests)

    def _part(self, part: Callable[..., str], *arguments: Any) -> None:
        try:
            self.said.append(part(*arguments))
        except Bad as error:
            self.problems.append(str(error))

    def _read(self, name: str) -> bytes:
        try:
            return self.archive.read(name)
        except KeyError:
            raise Bad(name + ": it is missing") from None
        except (zipfile.BadZipFile, OSError) as error:
            raise Bad(name + ": it cannot be read; " + str(error)) from None

    def _json(self, name: str, kind: type) -> Any:
        try:
            value = json.loads(self._read(name))
        except ValueError:
            raise Bad(name + ": it is no JSON") from None
        if not isinstance(value, kind):
            raise Bad(name + ": it is none that this program knows")
        return value

    def _signature(self, raw: bytes) -> None:
        if "index.signature.json" not in self.archive.namelist():
            self.said.append("signature    none: whose bundle it is, nothing says")
            if self.trusted is not None:
                self.problems.append("index.signature.json: it is missing, and you named a key")
            return
        document = self._json("index.signature.json", dict)
        problem = release.signature_problem("bundle", raw, document, self.trusted)
        if problem:
            self.problems.append("index.signature.json: " + problem)
        else:
            whose = "the key that you named" if self.trusted is not None else "a key that nobody vouched for"
            self.said.append("signature    by {}, {}".format(document["key"], whose))

    def _files(self, index: JSON) -> None:
        listed = {item["path"]: item for item in index["files"]}
        there = [name for name in self.archive.namelist() if name not in ("index.json", "index.signature.json")]
        for name in sorted(set(listed) - set(there)):
            self.problems.append(name + ": it is in the index and not in the bundle")
        for name in sorted(set(there) - set(listed)):
            self.problems.append(name + ": it is in the bundle and not in the index")
        if len(set(there)) != len(there):
            self.problems.append("the bundle holds two files of one name")
        for name in sorted(set(there) & set(listed)):
            digest, size = hashlib.sha256(), 0
            try:
                with self.archive.open(name) as file:
                    for piece in iter(lambda: file.read(1 << 20), b""):
                        digest.update(piece)
                        size += len(piece)
            except (zipfile.BadZipFile, OSError) as error:
                self.problems.append(f"{name}: it cannot be read; {error}")
                continue
            if size != listed[name]["size_bytes"] or digest.hexdigest() != listed[name]["sha256"]:
                self.problems.append(name + ": its bytes are not those that the index says")
        self.said.append(f"files        {len(listed)} in the index")

    def _lines(self, name: str) -> Iterator[tuple[int, JSON]]:
        with self.archive.open(name) as file:
            try:
                for number, line in enumerate(file, 1):
                    try:
                        value = json.loads(line)
                    except ValueError:
                        raise Bad(f"{name}: line {number} is no JSON") from None
                    yield number, value
            except zipfile.BadZipFile:
                raise Bad(name + ": it cannot be read to its end; a byte in it was changed") from None

    def _events(self, index: JSON) -> str:
        """The events follow from each other without a gap, and each is what its hashes say."""
        first, last = index["first_offset"], index["last_offset"]
        before = previous = bytes.fromhex(index["chain_before"])
        if first == 1 and before != bytes(32):
            raise Bad("index.json: a log begins with a chain of zeros, and this one does not")
        expected, recorded_us = first, None
        streams: dict[str, int] = {}
        seen: set[str] = set()
        # A bundle of an earlier version does not say the tree in front of it; from the first event on there is none.
        peaks = [bytes.fromhex(item) for item in index.get("tree_before", [])]
        has_tree = first == 1 or len(peaks) == bin(first - 1).count("1")
        for number, event in self._lines("events.ndjson"):
            place = f"events.ndjson, line {number}"
            try:
                offset, chain = event["offset"], event["chain"]
                if offset != expected:
                    raise Bad(f"{place}: event {expected} is missing; event {offset} stands in its place")
                name = "{}: event {} ({})".format(place, offset, event["type"])
                if event["log"] != index["log"]:
                    raise Bad(name + " is of another log")
                if digest_of(event["data"]) != event["data_hash"]:
                    raise Bad(name + ": its data is not what was recorded; the data hash differs")
                previous = chained(previous, event)
                if previous.hex() != chain:
                    raise Bad(name + ": it was changed, moved or put in; the chain hash differs")
                version = streams.get(event["stream"])
                if version is not None and event["version"] != version + 1:
                    raise Bad(name + ": its version does not follow the one before it in its stream")
                if recorded_us is not None and event["recorded_us"] < recorded_us:
                    raise Bad(name + ": it is recorded as earlier than the event before it")
                if event["event_id"] in seen:
                    raise Bad(name + ": there is another event of this id")
            except (KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
                raise Bad(f"{place}: it is no event ({type(error).__name__})") from None
            streams[event["stream"]], recorded_us = event["version"], event["recorded_us"]
            seen.add(event["event_id"])
            if has_tree:
                tree_put(peaks, offset - 1, previous)
            if offset in self.wanted:
                self.chains[offset] = chain
                if has_tree:
                    self.roots[offset] = tree_root(peaks).hex()
            expected = offset + 1
        if expected != last + 1:
            raise Bad(f"events.ndjson: it ends at {expected - 1}, and the index says {last}: the tail is missing")
        if previous.hex() != index["chain"]:
            raise Bad("index.json: its chain hash is not that of the last event")
        return f"events       {first} to {last} in {len(streams)} streams, without a gap; chain {previous.hex()}"

    def _texts(self, index: JSON) -> str:
        """What people wrote is what is stored, as far as its hash says, and what was erased says so."""
        texts: dict[tuple[int, str], str] = {}
        for _, event in self._lines("events.ndjson"):
            for field, value in [("reason", event.get("reason")), *event["data"].items()]:
                if isinstance(value, str) and value.startswith("v1.") and value.count(".") == 2:
                    texts[event["offset"], field] = hashlib.sha256(value.encode()).hexdigest()
        erased = 0
        for number, line in self._lines("texts.ndjson"):
            stored = texts.pop((line.get("offset", 0), line.get("field", "")), None)
            if stored is None or stored != line.get("stored_sha256"):
                raise Bad(f"texts.ndjson, line {number}: it is of no text in the events")
            if line.get("erased") is not (line.get("text") is None):
                raise Bad(f"texts.ndjson, line {number}: it is neither a text nor erased")
            erased += line["erased"] is True
        if texts:
            raise Bad(f"texts.ndjson: the text of event {min(texts)[0]} is missing")
        return f"texts        {erased} erased; the others cannot be checked without their keys"

    def _checkpoints(self, index: JSON, found: list[JSON], what: str) -> str:
        """Each is signed, and states the chain that the events have."""
        first, last = index["first_offset"], index["last_offset"]
        before: JSON | None = None
        inside = 0
        for item in found:
            stated = item["statement"]
            name = "{} {} at {}".format(what, stated.get("number"), stated.get("offset"))
            if stated.get("log") != index["log"]:
                raise Bad(name + ": it is of another log")
            problem = release.signature_problem(
                "checkpoint", canonical(stated).encode(), item["signature"], self.trusted
            )
            if problem:
                raise Bad(name + ": its signature does not hold; " + problem)
            if what == "checkpoint" and stated["previous"] != (None if before is None else digest_of(before)):
                raise Bad(name + ": it does not name the checkpoint before it")
            before = stated
            if stated["offset"] > last:
                raise Bad(
                    f"{name}: the events end at {last}: the tail is missing, or the bundle is older"
                    if what != "checkpoint"
                    else f"{name}: the events end at {last}: the tail is missing"
                )
            if stated["offset"] < first:
                continue
            inside += 1
            if self.chains.get(stated["offset"]) != stated["chain"]:
                raise Bad(name + ": the events up to there are not those that it was signed over")
            if "tree" in stated and self.roots.get(stated["offset"], stated["tree"]["root"]) != stated["tree"]["root"]:
                raise Bad(name + ": its tree is not the one over the events up to there")
        behind = last - before["offset"] if before is not None else last - first + 1
        kind = "kept" if what != "checkpoint" else "checkpoints"
        return f"{kind:<12} {inside} of {len(found)} within these events hold; {behind} events behind the last"

    def _manifests(self, index: JSON) -> list[tuple[str, JSON]]:
        names = [item["path"] for item in index["files"] if item["path"].endswith("/manifest.json")]
        found = []
        for name in names:
            if name in self.archive.namelist():
                found.append((name, self._json(name, dict)))
        return found

    def _releases(self, index: JSON, manifests: list[tuple[str, JSON]]) -> str:
        """Each manifest is of a state of this very log, and signed by the same keys."""
        for name, manifest in manifests:
            if manifest["dataset"]["id"] != index["log"]:
                raise Bad(name + ": it is of another dataset")
            chain = self.chains.get(manifest["offset"])
            if chain is not None and chain != manifest["chain"]:
                raise Bad(name + ": it was made from other events than these")
            signature = name.replace("manifest.json", "signature.json")
            if signature in self.archive.namelist():
                problem = release.signature_problem(
                    "release", self._read(name), self._json(signature, dict), self.trusted
                )
                if problem:
                    raise Bad(signature + ": " + problem)
        return f"releases     {len(manifests)} manifests are of this log"


def main(arguments: list[str]) -> int:
    """Check a bundle, and say in words what holds."""
    try:
        path, trusted, kept = asked(arguments, "bundle")
    except ValueError as error:
        sys.stderr.write("{}\n\n{}\n".format(error, (__doc__ or "").split("\n\n")[1].strip()))
        return 2
    try:
        with zipfile.ZipFile(path) as archive:
            bundle = Bundle(archive, trusted)
            try:
                bundle.check(kept)
            except (Bad, KeyError, TypeError, ValueError, AttributeError) as error:
                said = str(error) if isinstance(error, Bad) else "it has not the form of a bundle"
                bundle.problems.append(said)
    except (OSError, zipfile.BadZipFile) as error:
        sys.stderr.write(f"{path}: {error}\n")
        return 2
    for line in bundle.said:
        print(line)
    for line in bundle.problems:
        print("BAD          " + line)
    print("damaged" if bundle.problems else "sound")
    return 1 if bundle.problems else 0


def asked(arguments: list[str], what: str) -> tuple[str, list[str] | None, list[JSON]]:
    """The file to check, the keys that are trusted, and the checkpoints that were kept.

    Raises:
        ValueError: an argument is none that is known, in words.
    """
    paths: list[str] = []
    trusted: list[str] | None = None
    kept: list[JSON] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word in ("--key", "--checkpoint"):
            if not rest:
                raise ValueError(word + " needs a value")
            value = rest.pop(0)
            try:
                if word == "--key":
                    trusted = (trusted or []) + release.key_ids(value)
                else:
                    with open(value, "rb") as file:
                        held = json.load(file)
                    kept += held if isinstance(held, list) else [held]
            except (ValueError, OSError):
                raise ValueError(f"{value} is nothing that {word} takes") from None
        else:
            paths.append(word)
    if len(paths) != 1:
        raise ValueError(f"Name one {what}.")
    if any(not isinstance(item, dict) or not isinstance(item.get("statement"), dict) for item in kept):
        raise ValueError("--checkpoint: it holds none")
    kept.sort(key=lambda item: item["statement"].get("offset", 0))
    return paths[0], trusted, kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
