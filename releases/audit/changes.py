"""A7, from release to release: what changed between two of them, and by which events and people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from labeling.audit.report import ABOUT, Option, Part, Question, Report, Row, Sources, about, text
from releases.audit.cuts import releases_in
from releases.differences import Comparison, Side
from releases.rules import ReleaseState


def _pair(sources: Sources, question: Question) -> tuple[Side, Side] | None:
    """The one release and the other; the newest and the one before it unless said."""
    known = [item for item in releases_in(sources) if item.exists]

    def find(said: str) -> ReleaseState | None:
        return next((item for item in known if said in (item.name, str(item.id))), None)

    last = find(question.options["release"]) if question.options["release"] else (known[-1] if known else None)
    if last is None:
        return None
    before = [item for item in known if item.cut_offset < last.cut_offset]
    first = find(question.options["base"]) if question.options["base"] else (before[-1] if before else None)
    return (Side(0) if first is None else _side(first)), _side(last)


def _side(release: ReleaseState) -> Side:
    return Side(release.at_offset, release.choice, release=release.name)


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    pair = _pair(sources, question)
    if pair is None:
        return
    one, other = pair
    said = {"base": one.release, "base_offset": one.offset, "release": other.release, "release_offset": other.offset}
    yield "compared", said
    counts: Counter[tuple[str, str]] = Counter()
    for entry in Comparison(sources.log, one, other).entries():
        for change in entry["changes"]:
            kind = change["what"].partition(":")[0] if ":" in change["what"] else entry["stream"].split("/")[0]
            counts[kind, change["change"]] += 1
            yield (
                "changes",
                about(entry["stream"])
                | {
                    "what": change["what"],
                    "id": change["id"],
                    "change": change["change"],
                    "before": None if change["before"] is None else text(change["before"]),
                    "after": None if change["after"] is None else text(change["after"]),
                    "iou": (change.get("geometry") or {}).get("iou"),
                    "events": text(change["events"]),
                    "people": text(change["authors"]),
                },
            )
    for (kind, change), number in sorted(counts.items()):
        yield "totals", {"kind": kind, "change": change, "count": number}


REPORT = Report(
    "A7",
    "difference",
    "From release to release",
    "What changed between two releases, object by object with both values, and by which events and people.",
    {
        "compared": Part(
            "What is compared",
            {
                "base": "The one release; empty for the empty dataset.",
                "base_offset": "What it froze.",
                "release": "The other.",
                "release_offset": "What it froze.",
            },
        ),
        "changes": Part(
            "Changes",
            ABOUT
            | {
                "what": "`annotation:` or `track:` with a uuid, the `label`, or `self`.",
                "id": "The number by which people call the object.",
                "change": "Added, removed or changed.",
                "before": "The fields that differ, in the one.",
                "after": "The same, in the other.",
                "iou": "How much of a changed outline overlaps, from 0 to 1.",
                "events": "The offsets of the events behind it, at most 100.",
                "people": "Who caused them.",
            },
        ),
        "totals": Part("Totals", {"kind": "What.", "change": "How.", "count": "How many."}),
    },
    _rows,
    options={
        "release": Option("The name or the id of a release; the newest unless said."),
        "base": Option("The one that it is compared with; the one cut before it unless said."),
    },
)
