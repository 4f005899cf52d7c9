"""The lineage of one release, or of a model that was trained on it: sources, imports, model runs, edits, who used it.

It is counted by the database, for a page and for programs. The report A10 (`audit/lineage.py`) tells an auditor of the
whole dataset, event by event, in the same bytes for the same offsets.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from labeling.log import search, store, tallies
from labeling.log.search import Wanted
from labeling.log.tallies import Tally
from releases import queries
from releases.events import ImportFinished, ImportStarted
from releases.models import Training
from releases.queries import Found

JSON = dict[str, Any]
Names = Callable[[set[uuid.UUID | None]], dict[uuid.UUID, str]]

MOST_IMPORTS = 1000
#: What brings pictures and samples, apart from what labels them.
SOURCES = ("AssetAdded", "SampleAdded", "SampleChanged", "SampleFramesAdded")
_LABELS = ("Annotation", "Label", "Track", "Classification", "Bitmap", "Mask", "Scene", "DefaultClassification")


def lineage(found: Found, *, names_of: Names, counted: bool = True) -> JSON:
    """The lineage of a release: everything in the log up to its offset, by what it was (unless it is not to be
    counted, which costs as much as the log is long), and what was made of it."""
    dataset, up_to = found.release.dataset_id, found.release.at_offset
    done = tallies.by_author(dataset, up_to) if counted else []
    trainings, built = queries.trainings_of(found.release.id), queries.exports_of(found.release.id)
    people = {item.author for item in done} | {item.created_by for item in trainings}
    names = names_of({*people})
    return {
        "sources": [_tallied(item, names) for item in done if item.type in SOURCES],
        "imports": _imports(dataset, up_to, names),
        "model_runs": [
            {"origin": item.origin, "objects": item.objects, "first_offset": item.first, "last_offset": item.last}
            for item in (tallies.by_origin(dataset, up_to) if counted else [])
        ],
        "edits": [_tallied(item, names) for item in done if item.type.startswith(_LABELS)],
        "release": {
            "uuid": found.release.id,
            "name": found.release.name,
            "offset": up_to,
            "identity": (found.build.identity or None) if found.build else None,
            "base": found.release.terms.get("base"),
            "supersedes": found.release.terms.get("supersedes"),
        },
        "consumers": {
            "trainings": [rendered_training(item, names) for item in trainings],
            "exports": [{"format": item.format, "label_set": item.label_set, "status": item.status} for item in built],
            "releases": [
                {"uuid": row.id, "name": row.name, "as": word}
                for word in ("base", "supersedes")
                for row in queries.naming(found.release.id, word)
            ],
        },
    }


def _tallied(item: Tally, names: dict[uuid.UUID, str]) -> JSON:
    return {
        "type": item.type,
        "author": names.get(item.author, str(item.author)),
        "author_kind": item.author_kind,
        "tool": item.tool,
        "events": item.events,
        "first_offset": item.first,
        "last_offset": item.last,
        "first_at": item.first_at,
        "last_at": item.last_at,
    }


def _imports(dataset: uuid.UUID, up_to: int, names: dict[uuid.UUID, str]) -> list[JSON]:
    """The files that were imported, with what each brought."""
    found: dict[str, JSON] = {}
    wanted = Wanted(types=("ImportStarted", "ImportFinished"), last=min(up_to, store.head(dataset)))
    for event in search.find_all(dataset, wanted, limit=2 * MOST_IMPORTS):
        key = event.stream.partition("/")[2]
        match event.fact:
            case ImportStarted(source=source, wish=wish):
                found[key] = {
                    "import": key,
                    "filename": str(source.get("filename", "")),
                    "sha256": source.get("sha256"),
                    "format": str(wish.get("format", "")),
                    "author": names.get(event.intent.author, str(event.intent.author)),
                    "offset": event.offset,
                    "state": None,
                    "counts": {},
                }
            case ImportFinished(state=state, counts=counts) if key in found:
                found[key] |= {"state": state, "counts": counts}
    return list(found.values())


def rendered_training(row: Training, names: dict[uuid.UUID, str]) -> JSON:
    """A training as the API shows it."""
    return {
        "uuid": row.id,
        "name": row.name,
        "model": row.model,
        "version": row.model_version,
        "code": row.code,
        "metrics": row.metrics,
        "link": row.link,
        "created_by": names.get(row.created_by, str(row.created_by)),
        "created_at": row.created_at,
    }


def rendered_with_release(row: Training, found: Found, names: dict[uuid.UUID, str]) -> JSON:
    """A training with the release that it used: by identity, and where in the log both stand."""
    release = found.release
    return rendered_training(row, names) | {
        "offset": row.last_offset,
        "release": {
            "uuid": release.id,
            "name": release.name,
            "offset": release.at_offset,
            "identity": (found.build.identity or None) if found.build else None,
            "withdrawn": release.withdrawn,
        },
    }


def in_short(said: JSON) -> JSON:
    """A lineage for people: {steps: [(step, who, how much)], trainings, name}."""
    steps: list[tuple[str, str, str]] = []
    for step, tallied in (("Sources", said["sources"]), ("Edits", said["edits"])):
        by_author: dict[str, int] = {}
        for item in tallied:
            by_author[item["author"]] = by_author.get(item["author"], 0) + item["events"]
        steps += [(step, author, _counted(count, "event")) for author, count in by_author.items()]
    at = sum(step == "Sources" for step, _, _ in steps)
    imports = [("Imports", f"{item['filename']} ({item['format']})", item["author"]) for item in said["imports"]]
    runs = [("Model runs", _named(item["origin"]), _counted(item["objects"], "object")) for item in said["model_runs"]]
    consumers = said["consumers"]
    used = [("Exports", item["format"], item["label_set"]) for item in consumers["exports"]]
    used += [("Releases", item["name"], _AS[item["as"]]) for item in consumers["releases"]]
    trainings = [
        item | {"metrics": ", ".join(f"{name} {value}" for name, value in sorted(item["metrics"].items()))}
        for item in consumers["trainings"]
    ]
    name = said["release"]["name"]
    return {"steps": [*steps[:at], *imports, *runs, *steps[at:], *used], "trainings": trainings, "name": name}


_AS = {"base": "holds the difference to it", "supersedes": "comes in its place"}


def _named(origin: JSON) -> str:
    words = [str(origin[key]) for key in ("kind", "name", "model", "version", "run") if key in origin]
    return " ".join(words) or "unnamed"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
