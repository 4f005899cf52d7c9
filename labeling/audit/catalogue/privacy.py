"""A14, privacy: whose data were erased, what proves it, what is held or kept how long, and what was purged. Pure.

It tells what the log of the installation and that of the dataset say of persons and of keeping: no names, for there are
none in a log.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from labeling import events as e
from labeling.audit.report import (
    WHO,
    Cells,
    Part,
    Question,
    Report,
    Row,
    Sources,
    is_of_installation,
    moment,
    text,
    who,
)
from labeling.log.event import Event, microseconds

#: What each type of event about persons and keeping is.
KINDS = {
    "PersonErased": "person erased",
    "AssetErased": "file erased",
    "FileErased": "file erased everywhere",
    "RetentionSet": "retention set",
    "HoldPlaced": "hold placed",
    "HoldLifted": "hold lifted",
    "DataPurged": "purged",
}


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    is_whole = is_of_installation(sources)
    erasures = sources.installation("PersonErased")
    erased_us = {event.stream.split("/")[-1]: microseconds(event.recorded_at) or 0 for event in erasures}
    people: dict[str, Counter[str]] = defaultdict(Counter)
    done: list[Row] = []
    for event in sources.events():
        mine = people[str(event.intent.author)]
        mine["events"] += 1
        texts = sum(1 for _ in _texts(event.data, event.intent.reason))
        mine["texts"] += texts
        if (microseconds(event.recorded_at) or 0) <= erased_us.get(str(event.intent.author), -1):
            mine["erased_texts"] += texts
        if event.type in KINDS and question.holds(event):
            done.append(("done", _told(event)))
    for event in () if is_whole else sources.installation(*KINDS):
        about = getattr(event.fact, "id", event.stream.split("/")[-1])
        is_of_all = isinstance(event.fact, e.RetentionSet | e.DataPurged)
        if (is_of_all or about in people or about == str(sources.log)) and question.holds(event):
            done.append(("done", _told(event)))
    yield from done
    for person in sorted(people):
        counts = {name: people[person][name] for name in ("events", "texts", "erased_texts")}
        yield "people", {"person": person} | counts | {"erased_at": moment(erased_us.get(person))}


def _told(event: Event) -> Cells:
    named = [getattr(event.fact, name, None) for name in ("id", "asset", "kind")]
    subject = next((item for item in named if isinstance(item, str)), event.stream.split("/")[-1])
    about = {"what": KINDS[event.type], "type": event.type, "subject": subject, "data": text(event.data)}
    return who(event) | {"log": str(event.log)} | about


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
                "texts": "Texts of theirs, each encrypted with a key of theirs.",
                "erased_texts": "Those whose key was destroyed: what is stored of them can be read by nobody.",
                "erased_at": "When they were erased.",
            },
        ),
    },
    _rows,
    of=("dataset", "installation"),
    reads=("installation",),
)
