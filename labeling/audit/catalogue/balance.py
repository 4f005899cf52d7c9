"""A13, bias and representativity: which classes there are where, what is missing, and who labels otherwise. Pure.

Objects are those that are there; an object is its author's who added it. A person's classes are compared with those of
all: `deviation` is half of the sum of the differences of the shares, from 0 (as all do) to 1 (nothing in common).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from labeling.audit.report import Option, Part, Question, Report, Row, Sources, share
from labeling.log.event import Event
from labeling.rules import label_state, sample_state
from labeling.rules.deeds import deeds
from labeling.rules.label_state import LabelState
from labeling.rules.sample_state import SampleState

#: A key of the metadata with more values than this (a name, a time) is no group.
MOST_VALUES = 50
Category = int | None


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    dataset = sources.dataset()
    names = {item.get("id"): str(item.get("name", "")) for item in dataset.task_attributes.get("categories") or ()}
    metadata = _metadata(sources, question.options["key"])
    objects: Counter[Category] = Counter()
    images: dict[Category, set[str]] = defaultdict(set)
    groups: dict[tuple[str, str], Counter[Category]] = defaultdict(Counter)
    people: dict[str, Counter[Category]] = defaultdict(Counter)
    wanted = question.options["label_set"] or next(
        (key for key, item in dataset.label_sets.items() if item.kind == "ground-truth"), ""
    )
    for stream, events in sources.streams("label/"):
        _, sample, label_set = stream.split("/")
        if label_set != wanted or sample not in metadata:
            continue
        for category, author in _objects(stream, events):
            objects[category] += 1
            images[category].add(sample)
            people[author][category] += 1
            for group in metadata[sample]:
                groups[group][category] += 1
    classes: list[Category] = sorted({*names, *objects}, key=lambda item: (item is None, item or 0))
    yield from _classes(classes, names, objects, images, len(metadata))
    yield from _crossed(classes, names, groups, metadata)
    yield from _people(classes, names, people, objects)


def _metadata(sources: Sources, only: str) -> dict[str, list[tuple[str, str]]]:
    """{sample: (key, value) of its metadata}, for the keys that are groups, of the samples that there are."""
    found: dict[str, dict[str, Any]] = {}
    known: dict[str, set[str]] = defaultdict(set)
    for stream, events in sources.streams("sample/"):
        sample = sample_state.fold(SampleState(sources.log, stream), events)
        if sample.exists:
            said = {
                k: str(v) for k, v in sample.metadata.items() if isinstance(v, str | int | bool) and only in ("", k)
            }
            found[stream.split("/")[1]] = said
            for key, value in said.items():
                known[key].add(value)
    groups = {key for key, values in known.items() if only or len(values) <= MOST_VALUES}
    return {sample: sorted((k, v) for k, v in said.items() if k in groups) for sample, said in found.items()}


def _objects(stream: str, events: list[Event]) -> Iterator[tuple[Category, str]]:
    """(category, who added it) of the objects that a label holds."""
    authors: dict[str, str] = {}
    for event in events:
        for deed in deeds(event.fact):
            authors.setdefault(deed.piece, str(event.intent.author))
    state = label_state.fold(LabelState(events[0].log, stream), events)
    for items in (state.annotations, *state.parts.values()):
        for key in sorted(items):
            yield items[key].get("category_id"), authors[key]


def _classes(
    classes: list[Category],
    names: dict[Any, str],
    objects: Counter[Category],
    images: dict[Category, set[str]],
    of: int,
) -> Iterator[Row]:
    for category in classes:
        yield (
            "classes",
            {
                "category": category,
                "category_name": names.get(category),
                "objects": objects[category],
                "share": share(objects[category], objects.total()),
                "samples": len(images[category]),
                "sample_share": share(len(images[category]), of),
                "missing": objects[category] == 0,
            },
        )


def _crossed(
    classes: list[Category],
    names: dict[Any, str],
    groups: dict[tuple[str, str], Counter[Category]],
    metadata: dict[str, list[tuple[str, str]]],
) -> Iterator[Row]:
    samples = Counter(group for said in metadata.values() for group in said)
    for key, value in sorted(samples):
        mine = groups[key, value]
        for category in classes:
            yield (
                "crossed",
                {
                    "key": key,
                    "value": value,
                    "samples": samples[key, value],
                    "category": category,
                    "category_name": names.get(category),
                    "objects": mine[category],
                    "share": share(mine[category], mine.total()),
                    "missing": mine[category] == 0,
                },
            )


def _people(
    classes: list[Category], names: dict[Any, str], people: dict[str, Counter[Category]], objects: Counter[Category]
) -> Iterator[Row]:
    for person in sorted(people):
        mine = people[person]
        apart = sum(abs(mine[c] / mine.total() - objects[c] / objects.total()) for c in classes) / 2
        for category in classes:
            yield (
                "people",
                {
                    "person": person,
                    "category": category,
                    "category_name": names.get(category),
                    "objects": mine[category],
                    "share": share(mine[category], mine.total()),
                    "share_of_all": share(objects[category], objects.total()),
                    "deviation": round(apart, 4),
                },
            )


CLASS = {"category": "The number of the category.", "category_name": "Its name then."}
REPORT = Report(
    "A13",
    "balance",
    "Bias and representativity",
    "Which classes there are, in which kinds of samples, what is missing, and whose classes differ from all others'.",
    {
        "classes": Part(
            "Classes",
            CLASS
            | {
                "objects": "Objects of it.",
                "share": "Of all objects.",
                "samples": "Samples with at least one.",
                "sample_share": "Of all samples.",
                "missing": "Whether there is none.",
            },
        ),
        "crossed": Part(
            "Classes by what samples are",
            {"key": "A key of the samples' metadata.", "value": "Its value.", "samples": "Samples with that."}
            | CLASS
            | {
                "objects": "Objects of the class in them.",
                "share": "Of all objects in them.",
                "missing": "Whether there is none.",
            },
        ),
        "people": Part(
            "Classes by who added the objects",
            {"person": "Who."}
            | CLASS
            | {
                "objects": "Objects of theirs.",
                "share": "Of all of theirs.",
                "share_of_all": "Of everybody's.",
                "deviation": "How far the person's shares are from everybody's, from 0 to 1.",
            },
        ),
    },
    _rows,
    options={
        "key": Option("Only this key of the samples' metadata; all with at most 50 values unless said."),
        "label_set": Option("The uuid of a label set; the ground truth unless said."),
    },
)
