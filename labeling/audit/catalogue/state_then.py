"""A3, the state at an offset: the dataset, its members, its samples, and each label with a hash of it all. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from labeling.audit.report import ABOUT, Option, Part, Question, Report, Row, Sources, about, moment, text
from labeling.log import values
from labeling.rules import label_state, sample_state
from labeling.rules.label_state import LabelState
from labeling.rules.sample_state import SampleState


def content_digest(state: LabelState) -> str:
    """The SHA-256 of what a label held: its header, its objects and pieces in the order of their uuids."""
    pieces = {table: [items[key] for key in sorted(items)] for table, items in state.parts.items() if items}
    held = {
        "status": state.status,
        "score": state.score,
        "scene": state.scene,
        "classifications": state.classifications,
        "default_classification": state.default_classification,
        "mask": state.mask,
        "document": state.document,
        "annotations": [state.annotations[key] for key in sorted(state.annotations)],
        "pieces": pieces,
    }
    return hashlib.sha256(values.canonical(held)).hexdigest()


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    dataset, wanted = sources.dataset(), question.options["sample"]
    for key in ("exists", "owner", "name", "task_type", "public", "archived", "version"):
        yield "dataset", {"field": key, "value": text(getattr(dataset, key))}
    for key, value in sorted(dataset.settings.items()):
        yield "dataset", {"field": f"settings.{key}", "value": text(value)}
    digest = hashlib.sha256(values.canonical(dataset.task_attributes)).hexdigest()
    yield "dataset", {"field": "task_attributes", "value": text({"sha256": digest})}
    for member in sorted(dataset.members.values(), key=lambda item: item.person):
        since = moment(member.created_at) if not isinstance(member.created_at, str) else None
        yield "members", {"person": member.person, "role": member.role, "since": since}
    for stream, events in sources.streams(f"sample/{wanted}"):
        sample = sample_state.fold(SampleState(sources.log, stream), events)
        if sample.exists:
            yield (
                "samples",
                about(stream)
                | {
                    "name": sample.name,
                    "version": sample.version,
                    "attributes": hashlib.sha256(values.canonical(sample.attributes)).hexdigest(),
                    "last_offset": sample.last_offset,
                },
            )
    objects: list[Row] = []
    for stream, events in sources.streams(f"label/{wanted}"):
        label = label_state.fold(LabelState(sources.log, stream), events)
        if label.exists:
            yield (
                "labels",
                about(stream)
                | {
                    "status": label.status,
                    "version": label.version,
                    "objects": len(label.annotations) + sum(len(items) for items in label.parts.values()),
                    "sha256": content_digest(label),
                    "last_offset": label.last_offset,
                },
            )
            if wanted:
                held = label.annotations | {key: item for items in label.parts.values() for key, item in items.items()}
                objects += [
                    ("objects", about(stream) | {"object": key, "held": text(held[key])}) for key in sorted(held)
                ]
    yield from objects


REPORT = Report(
    "A3",
    "state",
    "State at a time",
    "The record as it was at an offset or a time: settings, members, samples, labels; one sample with its objects.",
    {
        "dataset": Part("The dataset", {"field": "The field.", "value": "What it was, as canonical JSON."}),
        "members": Part("Members", {"person": "Who.", "role": "The role then.", "since": "Since when."}),
        "samples": Part(
            "Samples",
            ABOUT
            | {
                "name": "Its name then.",
                "version": "Its version.",
                "attributes": "The SHA-256 of what it shows, as canonical JSON.",
                "last_offset": "The last event before.",
            },
        ),
        "labels": Part(
            "Labels",
            ABOUT
            | {
                "status": "Its status then.",
                "version": "Its version.",
                "objects": "How many objects it held.",
                "sha256": "Of all that it held, as canonical JSON: two labels are the same where this is.",
                "last_offset": "The last event before.",
            },
        ),
        "objects": Part("Objects", ABOUT | {"object": "Its uuid.", "held": "All of it, as canonical JSON."}),
    },
    _rows,
    options={"sample": Option("The uuid of a sample: only that, with its objects.")},
)
