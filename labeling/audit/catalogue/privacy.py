"""A14, privacy: whose data were erased, what proves it, what is held or kept how long, and what was purged. Pure.

It tells what the log of the installation and that of the dataset say of persons and of keeping: no names, for there are
none in a log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from labeling.audit.report import WHO, Part, Question, Report, Row, Sources, is_of_installation, text, who

#: What each type of event about persons and keeping is; apps and events that come later are named here.
KINDS = {
    "PersonErased": "person erased",
    "PersonKeyDestroyed": "key destroyed",
    "AssetErased": "file erased",
    "RetentionPolicySet": "retention set",
    "RetentionSet": "retention set",
    "LegalHoldPlaced": "hold placed",
    "LegalHoldReleased": "hold released",
    "StreamPurged": "purged",
    "RetentionApplied": "purged",
    "ActivityPurged": "purged",
}


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    people, texts = Counter[str](), Counter[str]()
    logs = [sources.events()] if is_of_installation(sources) else [sources.installation(), sources.events()]
    for place, events in enumerate(logs):
        is_dataset = place == 1
        for event in events:
            if is_dataset or is_of_installation(sources):
                people[str(event.intent.author)] += 1
                texts[str(event.intent.author)] += sum(1 for _ in _texts(event.data, event.intent.reason))
            if event.type in KINDS and question.holds(event):
                named = [getattr(event.fact, name, None) for name in ("person", "subject", "asset")]
                subject = next((item for item in named if isinstance(item, str)), event.stream.split("/")[-1])
                yield (
                    "done",
                    who(event)
                    | {
                        "log": str(event.log),
                        "what": KINDS[event.type],
                        "type": event.type,
                        "subject": subject,
                        "data": text(event.data),
                    },
                )
    for person in sorted(people):
        yield "people", {"person": person, "events": people[person], "texts": texts[person]}


def _texts(data: dict[str, object], reason: str | None) -> Iterator[str]:
    """Texts that somebody wrote, as they are stored."""
    for value in (reason, *data.values()):
        if isinstance(value, str) and value.startswith("v1.") and value.count(".") == 2:
            yield value


REPORT = Report(
    "A14",
    "privacy",
    "Privacy",
    "Erasures that were carried out and what proves them, holds and retention; and of whom the log has how much.",
    {
        "done": Part(
            "Erasures, holds and retention",
            WHO
            | {
                "log": "The log that says so.",
                "what": "What was done.",
                "type": "The type of the event.",
                "subject": "Of whom, or of what.",
                "data": "What the event says, as canonical JSON.",
            },
        ),
        "people": Part(
            "People in this log",
            {
                "person": "Who, by id.",
                "events": "Events of theirs.",
                "texts": "Texts of theirs, each encrypted with a key that can be destroyed.",
            },
        ),
    },
    _rows,
    of=("dataset", "installation"),
    reads=("installation",),
)
