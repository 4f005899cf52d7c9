"""Signed checkpoints of logs: those that the installation's log holds, and those that were published as files."""

from __future__ import annotations

import base64
import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.files.storage import default_storage

from labeling import signing
from labeling.events import LogCheckpointSigned
from labeling.log import store, values
from labeling.log.event import INSTALLATION
from labeling.log.verify import Anchor
from labeling.models import SigningKey
from labeling.rules import checkpoints as rules

logger = logging.getLogger(__name__)
JSON = dict[str, Any]

FOLDER = "checkpoints"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint: what it states of a log, and the signature of that."""

    stated: JSON
    signature: JSON
    event_offset: int | None = None  #: where it lies in the installation's log

    @property
    def number(self) -> int:
        return int(self.stated["number"])

    @property
    def offset(self) -> int:
        return int(self.stated["offset"])

    @property
    def chain(self) -> str:
        return str(self.stated["chain"])

    @property
    def path(self) -> str:
        """Where it is published in storage: a name that says what is in it, so that none is written over."""
        return f"{FOLDER}/{self.stated['log']}/{self.offset:012}-{rules.digest(self.stated)[:16]}.json"

    def as_json(self) -> JSON:
        """What is carried away; `check_bundle.py` reads it."""
        return {"statement": self.stated, "signature": self.signature}

    @property
    def document(self) -> bytes:
        """The same as a file."""
        return values.canonical(self.as_json()) + b"\n"

    def problem(self) -> str | None:
        """What is wrong with its signature, in words; None where it is good, and by a key of this installation."""
        try:
            public = base64.b64decode(self.signature["public_key"], validate=True)
            value = base64.b64decode(self.signature["value"], validate=True)
            key, purpose = self.signature["key"], self.signature["purpose"]
        except (KeyError, TypeError, ValueError):
            return "its signature is none"
        if purpose != signing.CHECKPOINT or key != signing.key_id(public):
            return "its signature is one of something else"
        if not SigningKey.objects.filter(key=key, public=public.hex()).exists():
            return "it is signed with a key that this installation does not know"
        if not signing.is_valid(signing.CHECKPOINT, rules.message(self.stated), public=public, value=value):
            return "its signature is not over what it states"
        return None


def of(log: uuid.UUID, *, up_to: int | None = None) -> list[Checkpoint]:
    """The checkpoints of a log, the first first; only those that the installation's log had up to an offset."""
    found = []
    for event in store.read_stream(INSTALLATION, rules.checkpoint_stream(log), up_to=up_to):
        assert isinstance(event.fact, LogCheckpointSigned)
        found.append(Checkpoint(event.fact.statement, event.fact.signature, event.offset))
    return found


def last_of(log: uuid.UUID) -> Checkpoint | None:
    """The last checkpoint of a log."""
    stream = rules.checkpoint_stream(log)
    version = store.version(INSTALLATION, stream)
    for event in store.read_stream(INSTALLATION, stream, after_version=version - 1) if version else ():
        assert isinstance(event.fact, LogCheckpointSigned)
        return Checkpoint(event.fact.statement, event.fact.signature, event.offset)
    return None


def published(log: uuid.UUID) -> list[Checkpoint]:
    """The checkpoints of a log that lie as files beside the database. What is none of ours there is passed over."""
    folder = f"{FOLDER}/{log}"
    try:
        names = sorted(default_storage.listdir(folder)[1])
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = []
    for name in names:
        try:
            with default_storage.open(f"{folder}/{name}") as file:
                held = json.loads(file.read())
            item = Checkpoint(held["statement"], held["signature"])
            if item.number and item.offset and item.chain:
                found.append(item)
        except (KeyError, TypeError, ValueError, OSError):
            logger.warning("%s in %s is no checkpoint", name, folder)
    return found


def anchors(log: uuid.UUID) -> Iterator[Anchor]:
    """The chain hashes that checkpoints wrote down: those of the installation's log, and files that outlived them."""
    known = of(log)
    digests = {rules.digest(item.stated) for item in known}
    for item in known:
        yield f"checkpoint {item.number}", item.offset, _bytes(item.chain)
    for item in published(log):
        if rules.digest(item.stated) not in digests and item.problem() is None:
            yield f"the published checkpoint {item.number}", item.offset, _bytes(item.chain)


def _bytes(chain: str) -> bytes:
    try:
        return bytes.fromhex(chain)
    except ValueError:
        return b""
