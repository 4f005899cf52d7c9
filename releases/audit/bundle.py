"""The sealed bundle of a dataset: everything that an auditor needs to check its log without this installation.

    index.json              path, size and SHA-256 of every file here, the offsets, and the chain at both ends
    index.signature.json    the signature over the bytes of index.json, where the installation has a key
    events.ndjson           every event with all columns that its hash covers, a line each, as canonical JSON
    texts.ndjson            what people wrote, by offset; null where it was erased
    checkpoints.json        the signed checkpoints of the log
    keys.json               the public halves of all keys of the installation
    releases/ID/…           the manifest of each release, and its signature
    reports/…               the audit reports, as CSV and as pages; the datasheet as Markdown too
    check_bundle.py, check_proof.py, check_release.py   the programs that check all this, with nothing but Python

It is a ZIP archive whose bytes follow from the logs and their offsets; only an erasure, a new key and a signature make
it another one. Taken from a range of offsets it holds those events only, and chain hash and tree before the first.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import io
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labeling import signing
from labeling.audit import asking, catalogue, writing
from labeling.audit.report import Question, moment
from labeling.errors import InvalidValue
from labeling.log import store, stored, values
from labeling.log.event import FIRST_CHAIN, INSTALLATION, SECURITY
from labeling.queries import checkpoints
from labeling.queries.signing_keys import signing_keys
from labeling.queries.trees import Subtrees
from labeling.texts import ERASED, decrypt_all
from releases import queries
from releases.archives import Archive, Sink

JSON = dict[str, Any]

VERSION = 1
PROGRAMS = ("check_bundle.py", "check_proof.py", "check_release.py")
BATCH = 200
Progress = Callable[[str, int, int], None]


class NothingToSeal(Exception):
    """The dataset has no event in the range that was asked for."""


@dataclass(frozen=True, slots=True)
class Range:
    """The events of the bundle, and up to where the other logs are read; None for their heads of now."""

    first: int = 1
    last: int | None = None
    others: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was written: its index, and whether that is signed."""

    index: JSON
    is_signed: bool

    @property
    def sha256(self) -> str:
        """The SHA-256 of the index, which names the bundle."""
        return hashlib.sha256(values.canonical(self.index)).hexdigest()


class _Files:
    """The archive, and what its index says."""

    def __init__(self, archive: Archive) -> None:
        self.archive, self.listed = archive, list[JSON]()

    def put(self, path: str, pieces: Iterable[bytes]) -> None:
        """Write a file, piece by piece."""
        with tempfile.SpooledTemporaryFile(1 << 22) as spool:
            digest, size = hashlib.sha256(), 0
            for piece in pieces:
                spool.write(piece)
                digest.update(piece)
                size += len(piece)
            self.archive.put(path, spool)
        self.listed.append({"path": path, "size_bytes": size, "sha256": digest.hexdigest()})


def seal(
    dataset: uuid.UUID, sink: Sink, wanted: Range, *, progress: Progress = lambda what, done, total: None
) -> Sealed:
    """Write the bundle of a dataset.

    Raises:
        NothingToSeal: there is no event in the range.
        SigningFailed: there are keys, and none can be used here.
        LogGap, UnknownEventType: the log is damaged; `manage.py verify` says where.
    """
    head = store.head(dataset)
    last = head if wanted.last is None else min(wanted.last, head)
    if not 1 <= wanted.first <= last:
        raise NothingToSeal
    places = {"installation": store.head(INSTALLATION), "security": store.head(SECURITY)}
    places |= {name: min(said, places[name]) for name, said in wanted.others.items()}
    reports = catalogue.reports("dataset")
    with Archive(sink) as archive:
        files = _Files(archive)
        files.put("events.ndjson", _events(dataset, wanted.first, last, progress))
        files.put("texts.ndjson", _texts(dataset, wanted.first, last))
        known = [item for item in checkpoints.of(dataset, up_to=places["installation"]) if item.offset <= last]
        files.put("checkpoints.json", [values.canonical([item.as_json() for item in known]) + b"\n"])
        files.put("keys.json", [values.canonical(_keys()) + b"\n"])
        manifests = _manifests(dataset, last)
        for path, content in manifests:
            files.put(path, [content])
        question = Question(start_us=_since(dataset, wanted.first) if wanted.first > 1 else None)
        for number, report in enumerate(reports.values()):
            progress("reports", number, len(reports))
            for form in ("csv", "html", "md") if report.name == "datasheet" else ("csv", "html"):
                asked = asking.ask(report, dataset, question, at=last, others=places)
                pieces = writing.pieces(asked, form)
                files.put(f"reports/{report.code}-{report.name}.{form}", pieces)
        for name in PROGRAMS:
            files.put(name, [(Path(__file__).parents[1] / name).read_bytes()])
        before = FIRST_CHAIN if wanted.first == 1 else store.chain_at(dataset, wanted.first - 1)
        index: JSON = {
            "bundle": VERSION,
            "log": str(dataset),
            "first_offset": wanted.first,
            "last_offset": last,
            "chain_before": before.hex(),
            "tree_before": [peak.hex() for peak in Subtrees(dataset, known).peaks(wanted.first - 1)],
            "chain": store.chain_at(dataset, last).hex(),
            "offsets": places | {"dataset": last},
            "releases": sum(path.endswith("manifest.json") for path, _ in manifests),
            "files": sorted(files.listed, key=lambda item: str(item["path"])),
        }
        content = values.canonical(index)
        archive.put("index.json", io.BytesIO(content))
        signature = signing.sign(signing.BUNDLE, content)
        if signature is not None:
            archive.put("index.signature.json", io.BytesIO(values.canonical(signature.as_json()) + b"\n"))
        archive.close()
    return Sealed(index, signature is not None)


def _events(dataset: uuid.UUID, first: int, last: int, progress: Progress) -> Iterator[bytes]:
    """The events as they are stored, whatever is in them."""
    for page in stored.pages(dataset, after=first - 1, up_to=last):
        for row in page:
            yield values.canonical(stored.as_json(row)) + b"\n"
        progress("events", page[-1][1], last)


def _texts(dataset: uuid.UUID, first: int, last: int) -> Iterator[bytes]:
    """What people wrote in the events, decrypted where it was not erased."""
    batch: list[tuple[int, str, str]] = []
    for page in store.pages(dataset, after=first - 1, up_to=last):
        for event in page:
            named = [("reason", event.intent.reason), *((name, value) for name, value in event.data.items())]
            batch += [(event.offset or 0, name, value) for name, value in named if is_text(value)]
        while len(batch) >= BATCH:
            yield from _decrypted(batch[:BATCH])
            del batch[:BATCH]
    yield from _decrypted(batch)


def is_text(value: Any) -> bool:
    """Whether a stored value is a text that somebody wrote, encrypted with their key."""
    return isinstance(value, str) and value.startswith("v1.") and value.count(".") == 2


def _decrypted(batch: list[tuple[int, str, str]]) -> Iterator[bytes]:
    plain = decrypt_all([value for _, _, value in batch])
    for (offset, name, value), text in zip(batch, plain, strict=True):
        erased = text == ERASED
        line = {
            "offset": offset,
            "field": name,
            "stored_sha256": hashlib.sha256(value.encode()).hexdigest(),
            "erased": erased,
            "text": None if erased else text,
        }
        yield values.canonical(line) + b"\n"


def _keys() -> list[JSON]:
    return [
        {
            "key": row.key,
            "algorithm": signing.ALGORITHM,
            "public_key": base64.b64encode(bytes.fromhex(row.public)).decode(),
            "added_at": moment(row.added_at),
            "retired_at": moment(row.retired_at),
        }
        for row in signing_keys()
    ]


def _manifests(dataset: uuid.UUID, last: int) -> list[tuple[str, bytes]]:
    """(path, content) of the manifests and signatures of the releases that were cut up to an offset."""
    found: list[tuple[str, bytes]] = []
    for item in queries.releases_of(dataset):
        if item.build is None or not item.build.manifest or item.release.cut_offset > last:
            continue
        found.append((f"releases/{item.release.id}/manifest.json", item.build.manifest.encode()))
        if item.build.signature is not None:
            signature = values.canonical(item.build.signature) + b"\n"
            found.append((f"releases/{item.release.id}/signature.json", signature))
    return found


def _since(dataset: uuid.UUID, first: int) -> int:
    """When the event at an offset was recorded, in microseconds since 1970."""
    page = next(stored.pages(dataset, after=first - 1))
    return int(page[0][stored.NAMES.index("recorded_us")])


def place_named(dataset: uuid.UUID, text: str | None, *, first: bool) -> int | None:
    """The offset that an offset or a time in ISO 8601 means: as the first of a range, or as the last.

    Raises:
        InvalidValue: it is neither.
    """
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError as error:
        name = "from" if first else "to"
        raise InvalidValue(name, "must be an offset of the log, or a time in ISO 8601") from error
    when = when.replace(tzinfo=dt.UTC) if when.tzinfo is None else when
    if not first:
        return store.offset_at(dataset, when)
    return store.offset_at(dataset, when - dt.timedelta(microseconds=1)) + 1
