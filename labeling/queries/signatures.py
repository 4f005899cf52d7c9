"""The signatures of labels, read from the log, and whether what was signed is what is there."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from labeling.events import LabelSigned
from labeling.log import search, store
from labeling.log.event import Event
from labeling.log.search import Wanted
from labeling.log.verify import Finding
from labeling.queries.labels import label_at_version, names_of
from labeling.rules.content import content_hash
from labeling.rules.label_ids import label_stream
from labeling.rules.signatures import signature_stream
from labeling.texts import decrypt_all


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature. `name` is the printed name; `by` is today's username."""

    meaning: str
    name: str
    by: str
    person: uuid.UUID
    at: dt.datetime
    offset: int
    content: str
    version: int | None


def signatures_of(dataset: uuid.UUID, stream: str) -> list[Signature]:
    """The signatures of a stream, the oldest first. Facts of apps above that have the same fields are read as well."""
    signed = [event for event in store.read_stream(dataset, stream) if {"meaning", "content", "name"} <= _fields(event)]
    names = names_of({event.intent.author for event in signed}) if signed else {}
    printed = decrypt_all([getattr(event.fact, "name", None) for event in signed])
    return [_signature(event, name or "", names) for event, name in zip(signed, printed, strict=True)]


def _fields(event: Event) -> set[str]:
    return set(event.fact.__struct_fields__)


def _signature(event: Event, name: str, names: dict[uuid.UUID, str]) -> Signature:
    assert event.offset is not None
    assert event.recorded_at is not None
    fact, person = event.fact, event.intent.author
    return Signature(
        meaning=getattr(fact, "meaning", ""),
        name=name,
        by=names.get(person, str(person)),
        person=person,
        at=event.recorded_at,
        offset=event.offset,
        content=getattr(fact, "content", ""),
        version=getattr(fact, "label_version", None),
    )


def signed_by(dataset: uuid.UUID, sample: uuid.UUID | str, label_set: uuid.UUID | str, person: uuid.UUID) -> set[int]:
    """The versions of a label that a person signed."""
    return {
        event.fact.label_version
        for event in store.read_stream(dataset, signature_stream(sample, label_set))
        if isinstance(event.fact, LabelSigned) and event.intent.author == person
    }


def findings(log: uuid.UUID) -> Iterator[Finding]:
    """Signatures under what their label never said: the check of `manage.py verify`."""
    for event in search.find_all(log, Wanted(types=(LabelSigned.__name__,))):
        assert isinstance(event.fact, LabelSigned)
        _, sample, label_set = event.stream.split("/")
        state = label_at_version(log, label_stream(uuid.UUID(sample), uuid.UUID(label_set)), event.fact.label_version)
        if state.version != event.fact.label_version or content_hash(state) != event.fact.content:
            problem = "A signature is not under what its label said at the version that it names."
            yield Finding(log, "signature", event.offset, problem)
