"""A10, the lineage of a dataset: sources, imports, model runs, edits, releases, and who took them away, event by event.

That of one release, counted, is `releases/lineage.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from labeling import events as e
from labeling.audit.catalogue.involvement import Maker, maker_of
from labeling.audit.report import ABOUT, WHO, Part, Question, Report, Row, Sources, about, text, who
from labeling.log.event import Event
from labeling.rules.deeds import deeds
from labeling.rules.parts import ADDED
from releases.audit.cuts import builds_of, releases_in
from releases.events import ImportStarted, TrainingRegistered


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    samples: dict[tuple[str, str, str], list[int]] = {}
    edits: dict[tuple[str, str], Counter[str]] = {}
    models: dict[Maker, list[int]] = {}
    imports: list[Row] = []
    for event in sources.events():
        fact, offset, intent = event.fact, event.offset or 0, event.intent
        if isinstance(fact, e.AssetAdded):
            cells = {"kind": "file", "filename": fact.filename, "sha256": fact.sha256, "bytes": fact.size_bytes}
            yield "sources", who(event) | cells
        elif isinstance(fact, e.DatasetCreated) and fact.cloned_from:
            yield "sources", who(event) | {"kind": "clone", "filename": text(fact.cloned_from)}
        elif isinstance(fact, ImportStarted):
            yield "sources", who(event) | {"kind": "import", "filename": text(event.data)}
        elif isinstance(fact, e.SampleAdded):
            span = samples.setdefault((str(intent.author), intent.author_kind, intent.tool or ""), [offset, offset, 0])
            span[1], span[2] = offset, span[2] + 1
        if not event.stream.startswith("label/"):
            continue
        done = deeds(fact)
        if event.type in ("LabelImported", "TracksImported", "MaskImported") or intent.author_kind == "import":
            added = sum(1 for deed in done if deed.did == ADDED)
            source = text(fact.source) if isinstance(fact, e.MaskImported) else None
            told = {"type": event.type, "objects": added, "source": source, "command": str(intent.command)}
            imports.append(("imports", who(event) | about(event.stream) | told))
        for maker in _makers(event):
            span = models.setdefault(maker, [offset, offset, 0])
            span[1], span[2] = offset, span[2] + 1
        mine = edits.setdefault((intent.author_kind, intent.tool or ""), Counter())
        mine["events"] += 1
        mine["objects"] += len(done)
    for (author, kind, tool), (first, last, count) in sorted(samples.items()):
        cells = {"author": author, "author_kind": kind, "tool": tool, "samples": count}
        yield "samples", cells | {"first_offset": first, "last_offset": last}
    yield from imports
    for maker, (first, last, count) in sorted(models.items()):
        names = dict(zip(("made_by", "model", "version", "run"), maker, strict=True))
        yield "models", names | {"objects": count, "first_offset": first, "last_offset": last}
    for (kind, tool), counts in sorted(edits.items()):
        yield "edits", {"author_kind": kind, "tool": tool} | {name: counts[name] for name in ("events", "objects")}
    yield from _releases(sources)
    for event in sources.security("Downloaded"):
        if isinstance(event.fact, e.Downloaded) and event.fact.dataset == str(sources.log):
            yield "consumers", who(event) | {"type": event.type, "of": event.fact.id, "data": text(event.data)}
    for event in sources.events("TrainingRegistered"):
        if isinstance(event.fact, TrainingRegistered):
            yield "consumers", who(event) | {"type": event.type, "of": event.fact.release, "data": text(event.data)}


def _makers(event: Event) -> Iterator[Maker]:
    """Who made each object that an event brought, where its origin says so."""
    fact: Any = event.fact
    items = getattr(fact, "annotations", None) or getattr(fact, "tracks", None) or []
    said = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    origins = [fact.origin_of(item) if isinstance(fact, e.LabelImported) else item.get("origin") for item in said]
    if deeds(fact) and deeds(fact)[0].did == ADDED and not items:
        origins.append(getattr(fact, "origin", None))
    yield from (maker_of(origin, event) for origin in origins if isinstance(origin, dict))


def _releases(sources: Sources) -> Iterator[Row]:
    known = releases_in(sources)
    builds, before = builds_of(known), 0
    for item in known:
        build = builds.get(str(item.id))
        yield (
            "releases",
            {
                "release": str(item.id),
                "name": item.name,
                "at_offset": item.at_offset,
                "events": item.at_offset - before,
                "withdrawn": not item.exists,
                "identity": build.identity if build else None,
            },
        )
        before = max(before, item.at_offset)


SPAN = {"first_offset": "The first event.", "last_offset": "The last one."}
REPORT = Report(
    "A10",
    "lineage",
    "Lineage",
    "Where the data came from, what was imported, which model runs and people made it, and where releases of it went.",
    {
        "sources": Part(
            "Files and clones",
            WHO
            | {
                "kind": "A file, an import, or the dataset that this one was cloned from.",
                "filename": "Its name; of an import or a clone what the event says.",
                "sha256": "The hash of its bytes.",
                "bytes": "How many they are.",
            },
        ),
        "samples": Part(
            "Samples by who added them",
            {name: WHO[name] for name in ("author", "author_kind", "tool")} | {"samples": "How many."} | SPAN,
        ),
        "imports": Part(
            "Imports of labels",
            WHO
            | ABOUT
            | {
                "type": "What came.",
                "objects": "Objects that it brought.",
                "source": "The file that was read, where one is kept.",
                "command": "What was imported at once has it in common.",
            },
        ),
        "models": Part(
            "What objects say that they were made by",
            {
                "made_by": "The kind of origin.",
                "model": "The model.",
                "version": "Its version.",
                "run": "The run.",
                "objects": "Objects that came so.",
            }
            | SPAN,
        ),
        "edits": Part(
            "Edits",
            {
                "author_kind": "A person, a model, an import or a service.",
                "tool": "With which tool.",
                "events": "Events of labels.",
                "objects": "Objects that they touched.",
            },
        ),
        "releases": Part(
            "Releases",
            {
                "release": "The release.",
                "name": "Its name.",
                "at_offset": "The offset that it froze.",
                "events": "Events since the one before.",
                "withdrawn": "Whether it was taken back.",
                "identity": "The hash of its manifest.",
            },
        ),
        "consumers": Part(
            "Who took it away",
            WHO
            | {
                "type": "A download, or a training that was registered.",
                "of": "Which release or export.",
                "data": "What the event says, as canonical JSON.",
            },
        ),
    },
    _rows,
    reads=("security",),
)
