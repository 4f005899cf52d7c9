"""A4, deletions and overrides: everything that took something away, or set it over the head of somebody. Pure.

Whose an object was is whoever changed it last. Apps above add the types of theirs to `KINDS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from labeling import events as e
from labeling.audit.report import ABOUT, WHO, Part, Question, Report, Row, Sources, about, text, who
from labeling.log.event import Event, Fact
from labeling.rules.deeds import deeds
from labeling.rules.parts import REMOVED

#: What each type is, where the type alone says so.
KINDS: dict[type[Fact], str] = {
    e.LabelDeleted: "label deleted",
    e.SampleArchived: "sample deleted",
    e.SampleFramesRemoved: "frames removed",
    e.LabelSetArchived: "label set deleted",
    e.DatasetDeleted: "dataset deleted",
    e.IssueArchived: "issue deleted",
    e.MemberRemoved: "member removed",
    e.CategoryRemoved: "category removed",
    e.CategoryMerged: "category merged",
    e.CategoryDeprecated: "category deprecated",
    e.AttributeRemoved: "attribute removed",
    e.ClassificationRemoved: "classification removed",
    e.LabelRestored: "work taken back",
    e.GestureUndone: "own gesture undone",
    e.GestureRedone: "own gesture redone",
    e.MaskImported: "mask imported over the objects",
}


def _kind(fact: Fact) -> str | None:
    if type(fact) in KINDS:
        return KINDS[type(fact)] + (", by force" if getattr(fact, "forced", False) else "")
    match fact:
        case e.LabelStatusChanged(verb="override"):
            return "status set by hand"
        case e.LabelStatusChanged(verb="upload"):
            return "status set by an upload"
        case e.TaskAttributesSet():
            return "categories replaced"
    return None


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    counts: Counter[tuple[str, bool]] = Counter()
    last: dict[str, str] = {}
    for event in sources.events():
        for kind, whose, piece in _taken(event, last):
            if question.holds(event):
                has_reason = event.intent.reason is not None
                counts[kind, has_reason] += 1
                yield (
                    "taken",
                    who(event)
                    | about(event.stream)
                    | {
                        "what": kind,
                        "type": event.type,
                        "object": piece,
                        "whose": whose,
                        "of_another": whose is not None and whose != str(event.intent.author),
                        "data": text(event.data) if piece is None else None,
                        "gesture": str(event.intent.correlation or event.intent.command),
                    },
                )
    for kind in sorted({kind for kind, _ in counts}):
        with_reason, without = counts[kind, True], counts[kind, False]
        yield "totals", {"what": kind, "count": with_reason + without, "without_reason": without}


def _taken(event: Event, last: dict[str, str]) -> Iterator[tuple[str, str | None, str | None]]:
    """(what, whose it was, the object) for what an event took; and who changed each object last."""
    kind = _kind(event.fact)
    if kind is not None:
        yield kind, None, None
    for deed in deeds(event.fact):
        if deed.did == REMOVED:
            yield "object removed", last.pop(deed.piece, None), deed.piece
        else:
            last[deed.piece] = str(event.intent.author)


REPORT = Report(
    "A4",
    "deletions",
    "Deletions and overrides",
    "Every deletion, override, forced write and taking back, whose work it was, and the reason that was given.",
    {
        "taken": Part(
            "What was taken away or set by hand",
            WHO
            | ABOUT
            | {
                "what": "What happened, in words.",
                "type": "The type of the event.",
                "object": "The object, where it was one.",
                "whose": "Who had changed that object last.",
                "of_another": "Whether that was somebody else.",
                "data": "What the event says, as canonical JSON.",
                "gesture": "What happened by one gesture or command has it in common.",
            },
        ),
        "totals": Part(
            "Totals",
            {
                "what": "What happened.",
                "count": "How often.",
                "without_reason": "How often nobody said why.",
            },
        ),
    },
    _rows,
)
