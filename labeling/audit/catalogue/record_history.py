"""A2, the history of a record: each event of a sample, a label or an object with what it changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from labeling.audit.report import ABOUT, WHO, Option, Part, Question, Report, Row, Sources, about, moment, text, who


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    sample, label_set, wanted = (question.options[name] for name in ("sample", "label_set", "object"))
    stream = f"label/{sample}/{label_set}" if sample and label_set else None
    prefixes = (f"sample/{sample}", f"label/{sample}/") if sample and not label_set else ()
    for changed in sources.changed(stream=stream, prefixes=prefixes, question=question):
        event = changed.event
        changes = [item for item in changed.changes if not wanted or str(item["what"]).partition(":")[2] == wanted]
        if (wanted and not changes) or (label_set and not event.stream.endswith(f"/{label_set}")):
            continue
        head = who(event) | about(event.stream) | {"occurred_at": moment(event.intent.occurred_at), "type": event.type}
        for item in changes or [{"what": None, "id": None, "before": None, "after": None}]:
            yield (
                "changes",
                head
                | {
                    "what": item["what"],
                    "id": item["id"],
                    "before": None if item["before"] is None else text(item["before"]),
                    "after": None if item["after"] is None else text(item["after"]),
                    "sentence": changed.sentence,
                },
            )


REPORT = Report(
    "A2",
    "record",
    "History of a record",
    "The complete timeline of a sample, a label or an object, each change with the values before and after.",
    {
        "changes": Part(
            "Changes",
            WHO
            | ABOUT
            | {
                "occurred_at": "When, by the client's clock, where it said so.",
                "type": "What happened.",
                "what": "What it changed: `annotation:` or `track:` with a uuid, the `label`, or `self`.",
                "id": "The number by which people call the object.",
                "before": "The fields that it changed, as they were; empty where it was added.",
                "after": "The same fields, as they became; empty where it was removed.",
                "sentence": "The same in words.",
            },
        )
    },
    _rows,
    is_story=True,
    options={
        "sample": Option("The uuid of a sample; all samples unless said."),
        "label_set": Option("The uuid of a label set; all unless said."),
        "object": Option("The uuid of an object; all unless said."),
    },
)
