"""A6, the dossier of the releases: what each froze, who cut and approved it, its identity, and what is missing in it.

All is folded from the log, but what was made of a release: its identity follows from the log, and stands here once its
file was made; `exports` are those that somebody asked for so far.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator

from labeling.audit.report import WHO, Option, Part, Question, Report, Row, Sources, Written, moment, text, who
from labeling.log import store, values
from labeling.rules import dataset_state, label_state
from labeling.rules.access import ACCEPTED
from labeling.rules.dataset_state import DatasetState
from labeling.rules.fold import place_of
from labeling.rules.label_state import LabelState
from releases.audit import datasheet
from releases.audit.cuts import builds_of, releases_in
from releases.events import ReleaseSigned
from releases.models import ExportBuild
from releases.rules import ReleaseState


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    releases = [item for item in releases_in(sources) if question.options["release"] in ("", item.name, str(item.id))]
    builds = builds_of(releases)
    for item in releases:
        build = builds.get(str(item.id))
        chain = store.chain_at(sources.log, item.at_offset).hex() if item.at_offset else ""
        yield (
            "releases",
            {
                "release": str(item.id),
                "name": item.name,
                "description": item.description,
                "cut_by": str(item.created_by),
                "cut_at": None if isinstance(item.created_at, str) else moment(item.created_at),
                "cut_offset": item.cut_offset,
                "at_offset": item.at_offset,
                "chain": chain,
                "choice": text(item.choice.as_json()),
                "categories": _categories(sources, item.at_offset),
                "withdrawn": not item.exists,
                "identity": build.identity if build else None,
                "sha256": build.sha256 if build else None,
                "samples": build.samples_count if build else None,
                "labels_left_out": build.labels_left_out if build else None,
                "signed_with": build.signature["key"] if build and build.signature else None,
            },
        )
    yield from _procedures(sources, releases)
    yield from _statuses(sources, releases)
    known = {str(item.id): builds.get(str(item.id)) for item in releases}
    for event in sources.events("ReleaseSigned"):
        key = event.stream.split("/")[-1]
        if key in known and isinstance(event.fact, ReleaseSigned):
            build = known[key]
            holds = None if build is None else build.identity == event.fact.content
            signed = {"meaning": event.fact.meaning, "content": event.fact.content, "holds": holds}
            yield "signatures", who(event) | {"release": key, "printed_name": Written(event.fact.name)} | signed
    exports = ExportBuild.objects.filter(release_id__in=[item.id for item in releases], status="SUCCEEDED")
    for row in exports.order_by("release_id", "format", "label_set", "id"):
        yield (
            "exports",
            {
                "release": str(row.release_id),
                "format": row.format,
                "format_version": row.format_version,
                "export_sha256": row.sha256,
                "losses": text(row.losses),
            },
        )


def _procedures(sources: Sources, releases: list[ReleaseState]) -> Iterator[Row]:
    """How what each release froze was made: what its datasheet said then, the guideline in force, what was done."""
    for item in releases:
        then = sources.up_to(item.at_offset)
        about = {"release": str(item.id)}
        for _, cells in datasheet.declared(then):
            said = {"subject": cells["field"], "text": cells["text"], "missing": cells["missing"]}
            yield "procedures", about | {"section": cells["section"]} | said
        guideline = None
        for event in then.events("GuidelineSet", stream="dataset"):
            guideline = f"version {event.data.get('version')}, since offset {event.offset}"
        is_none = {"missing": guideline is None}
        yield "procedures", about | {"section": "Labelling", "subject": "guideline", "text": guideline} | is_none
        for done in datasheet.operations(then, Question()):
            text = f"{done['events']} events, {done['times']} objects, {done['first_at']} to {done['last_at']}"
            subject = f"{done['operation']} by {done['author_kind']}"
            yield "procedures", about | {"section": "Labelling", "subject": subject, "text": text, "missing": False}


def _categories(sources: Sources, offset: int) -> str:
    """The hash of the categories and attributes that were in force at an offset."""
    state = DatasetState(id=sources.log)
    for event in sources.events(stream="dataset"):
        if (event.offset or 0) <= offset:
            dataset_state.evolve(state, event.fact, place_of(event))
    return hashlib.sha256(values.canonical(state.task_attributes)).hexdigest()


def _statuses(sources: Sources, releases: list[ReleaseState]) -> Iterator[Row]:
    """What each release found: labels by status, and who had approved them; one pass over the labels for all."""
    labels: dict[str, Counter[tuple[str, str]]] = {str(item.id): Counter() for item in releases}
    objects: dict[str, Counter[tuple[str, str]]] = {str(item.id): Counter() for item in releases}
    people: dict[str, Counter[str]] = {str(item.id): Counter() for item in releases}
    in_order = sorted(releases, key=lambda item: item.at_offset)
    for stream, events in sources.streams("label/"):
        state, place, label_set = LabelState(sources.log, stream), 0, stream.split("/")[2]
        for item in in_order:
            while place < len(events) and (events[place].offset or 0) <= item.at_offset:
                label_state.evolve(state, events[place].fact, place_of(events[place]))
                place += 1
            if not state.exists:
                continue
            key = (label_set, state.status)
            labels[str(item.id)][key] += 1
            objects[str(item.id)][key] += len(state.annotations) + sum(len(held) for held in state.parts.values())
            if state.status in ACCEPTED and state.reviewed_by is not None:
                people[str(item.id)][str(state.reviewed_by)] += 1
    for item in releases:
        key_of = str(item.id)
        for label_set, status in sorted(labels[key_of]):
            counts = {"labels": labels[key_of][label_set, status], "objects": objects[key_of][label_set, status]}
            yield "statuses", {"release": key_of, "label_set": label_set, "status": status} | counts
    for item in releases:
        for person in sorted(people[str(item.id)]):
            yield "approved", {"release": str(item.id), "person": person, "labels": people[str(item.id)][person]}


OF = {"release": "The release."}
REPORT = Report(
    "A6",
    "dossier",
    "Release dossier",
    "What each release froze, by what choice, who cut it and who approved its labels, its hashes, and what is missing.",
    {
        "releases": Part(
            "Releases",
            OF
            | {
                "name": "Its name.",
                "description": "What was said of it.",
                "cut_by": "Who cut it.",
                "cut_at": "When.",
                "cut_offset": "The event that cut it.",
                "at_offset": "The offset that it froze.",
                "chain": "The chain hash there.",
                "choice": "What of the dataset, and as what: filter, category map, splits.",
                "categories": "The SHA-256 of the categories and attributes then, as canonical JSON.",
                "withdrawn": "Whether it was taken back.",
                "identity": "The hash of its manifest, which is what it is known by.",
                "sha256": "The hash of its file.",
                "samples": "Samples in it.",
                "labels_left_out": "Labels that its choice left out.",
                "signed_with": "The key that signed its manifest.",
            },
        ),
        "procedures": Part(
            "How it was made",
            OF
            | {
                "section": "What it is about.",
                "subject": "A field of the datasheet, the guideline, or an operation and by whom.",
                "text": "What was said or done up to there; empty for nothing.",
                "missing": "Whether that is required, and nothing was said.",
            },
        ),
        "statuses": Part(
            "Labels in the dataset then",
            OF
            | {
                "label_set": "The label set.",
                "status": "Their status.",
                "labels": "How many.",
                "objects": "Objects in them.",
            },
        ),
        "approved": Part(
            "Who had approved", OF | {"person": "Who.", "labels": "Labels that they accepted or verified."}
        ),
        "signatures": Part(
            "Signatures of people",
            WHO
            | OF
            | {
                "meaning": "What they signed it as.",
                "content": "The identity of the release that they signed.",
                "holds": "Whether that is its identity.",
                "printed_name": "Their printed name.",
            },
        ),
        "exports": Part(
            "Exports that were made so far",
            OF
            | {
                "format": "The format.",
                "format_version": "The version of what writes it.",
                "export_sha256": "The hash of the archive.",
                "losses": "What the format could not carry.",
            },
        ),
    },
    _rows,
    version=2,
    options={"release": Option("The name or the id of a release; all of them unless said.")},
)
