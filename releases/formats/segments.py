"""The Segments release file as bytes, made of states of one offset. Pure.

The file must be the same whenever and wherever it is built. So every value is written as RFC 8785 canonical JSON, and
the fields around them in the same order of names; times are UTC; references to our own files have no host; people are
ids, because usernames change and are not in the log. Each sample stands on a line of its own, so that the file can be
written, read and served a sample at a time.

A person's id follows a colon *and a space*. Canonical JSON has no spaces outside of text, and a quote inside of text is
escaped: so nothing else looks like that, and a username is put in the id's place without parsing (see `serving`).
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from labeling.log import values
from labeling.rules.dataset_state import DatasetState, LabelSetState
from labeling.rules.fold import Moment
from labeling.rules.label_state import LabelState
from labeling.rules.sample_state import SampleState
from labeling.rules.task_types import TaskType
from releases.rules import ReleaseState

JSON = dict[str, Any]

PERSON = re.compile(rb'": "([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"')

# Inside of text a quote is escaped, so this cannot be part of one.
_tagged = re.compile(rb'\{"\$int":"(-?[0-9]{16,19})"\}')
_TAG = b'{"$int":'
_NULL = b"null"
NOTHING_MAPPED: Mapping[int, int | None] = {}


def label_sets_of(release: ReleaseState, dataset: DatasetState) -> list[LabelSetState]:
    """The label sets of a release, the oldest first."""
    chosen = release.choice.holds_label_set
    return [item for item in dataset.label_sets.values() if not item.archived and chosen(item.name)]


def opening(release: ReleaseState, dataset: DatasetState) -> bytes:
    """Everything in front of the first sample."""
    label_sets = [{"name": item.name, "description": item.description} for item in label_sets_of(release, dataset)]
    return b'{"created_at":%b,"dataset":{"labelsets":%b,"name":%b,"owner":%b,"samples":[' % (
        _moment(release.created_at),
        _value(label_sets),
        _value(dataset.name),
        _person(dataset.owner),
    )


def closing(
    release: ReleaseState, dataset: DatasetState, chain: bytes, *, difference: Mapping[str, Any] | None = None
) -> bytes:
    """Everything behind the last sample. `log` says where the release stands: the file is a witness of the log.

    A `difference` to another release stands on a line of its own, so that it can be taken out and the whole is left.
    """
    stands = {"chain": chain.hex(), "dataset": str(dataset.id), "offset": release.at_offset, "release": str(release.id)}
    return b'\n],"task_attributes":%b,"task_type":%b},"description":%b,%b"log":%b,"name":%b}\n' % (
        _value(_task_attributes(release.choice.task_attributes(dataset.task_attributes))),
        _value(dataset.task_type),
        _value(release.description),
        b"" if difference is None else b'\n"difference":%b,\n' % _value(difference),
        _value(stands),
        _value(release.name),
    )


def sample_line(sample: SampleState, labels: Mapping[str, bytes], split: str = "") -> bytes:
    """One sample. `labels` maps the name of every label set to a label of `label`; the split stands there if any."""
    fields = {
        "attributes": _value(sample.attributes),
        "labels": _object(labels),
        "metadata": _value(sample.metadata),
        "name": _value(sample.name),
        "uuid": _value(sample.key),
    }
    return _object(fields | {"split": _value(split)} if split else fields)


def label(state: LabelState, kind: TaskType, mapped: Mapping[int, int | None] = NOTHING_MAPPED) -> bytes | None:
    """One label; `null` where there is none, and None where there is one that no reader of releases could use.

    That is a label of a bitmap task without a bitmap: the public exports crash on it. `mapped` says as which category
    another is read, None for one whose annotations are left out; what is stored keeps the id that was sent.
    """
    if not state.exists:
        return _NULL
    attributes = read_as(kind.render(state), mapped) if mapped else kind.render(state)
    if kind.has_mask and not (attributes.get("segmentation_bitmap") or {}).get("url"):
        return None
    return _object(
        {
            "attributes": _value(attributes),
            "created_at": _moment(state.created_at),
            "created_by": _person(state.created_by),
            "label_status": _value(state.status),
            "reviewed_at": _moment(state.reviewed_at),
            "reviewed_by": _person(state.reviewed_by),
            "score": _value(state.score),
            "updated_at": _moment(state.updated_at),
            "updated_by": _person(state.updated_by),
            "version": _value(state.version),
        }
    )


def read_as(document: JSON, mapped: Mapping[int, int | None]) -> JSON:
    """The document of a label of any task type with each annotation in the category that it is read as."""
    found = dict(document)
    if isinstance(annotations := found.get("annotations"), list):
        found["annotations"] = [
            item | {"category_id": mapped[item["category_id"]]} if item.get("category_id") in mapped else item
            for item in annotations
            if mapped.get(item.get("category_id"), 0) is not None
        ]
    if isinstance(frames := found.get("frames"), list):
        found["frames"] = [read_as(frame, mapped) for frame in frames]
    if isinstance(sensors := found.get("sensors"), list):
        found["sensors"] = [
            sensor | {"attributes": read_as(sensor["attributes"], mapped)} if sensor.get("attributes") else sensor
            for sensor in sensors
        ]
    return found


def _task_attributes(document: JSON) -> JSON:
    """A document as it was set, with what readers count on: a list of categories, and no `has_instances: null`."""
    categories = [
        {key: value for key, value in item.items() if key != "has_instances" or value is not None}
        for item in document.get("categories") or []
    ]
    return document | {"categories": categories}


def _object(fields: Mapping[str, bytes]) -> bytes:
    """An object of written values. Names are ASCII, so their order is the canonical one."""
    return b"{" + b",".join([_name(name) + fields[name] for name in sorted(fields)]) + b"}"


@lru_cache(1024)
def _name(name: str) -> bytes:
    return _value(name) + b":"


def _value(value: Any) -> bytes:
    """A value, with integers beyond 2**53-1 as numbers."""
    written = values.canonical_of_stored(value)
    return _tagged.sub(rb"\1", written) if _TAG in written else written


def _moment(moment: Moment | None) -> bytes:
    if moment is None:
        return _NULL
    assert isinstance(moment, dt.datetime), "a stored event has a time"
    return _value(moment.astimezone(dt.UTC).isoformat())


def _person(person: uuid.UUID | str | None) -> bytes:
    return _NULL if person is None else b' "%b"' % str(person).encode()
