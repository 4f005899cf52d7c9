"""A12, how labels were made: the categories and guidelines in force, under which of them what was done, by whom, and
how it fared in review. Pure.

A version of the rules is every event that changed the categories, their attributes or the guideline. An event was made
under the version that its author saw, where the client said so (`seen_offset`), else under the one in force.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator

from labeling import events as e
from labeling.audit.report import WHO, Part, Question, Report, Row, Sources, moment, share, text, who
from labeling.log import values
from labeling.rules import dataset_state
from labeling.rules.dataset_state import DatasetState
from labeling.rules.deeds import deeds
from labeling.rules.fold import place_of

#: Types that change what annotators go by.
RULES = {fact.__name__ for fact in (*e.CATEGORY_EVENTS, e.DatasetCreated, e.GuidelineSet)}


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    state = DatasetState(id=sources.log)
    versions: list[int] = []
    for event in sources.events(stream="dataset"):
        dataset_state.evolve(state, event.fact, place_of(event))
        if event.type in RULES:
            versions.append(event.offset or 0)
            yield (
                "rules",
                who(event)
                | {
                    "number": len(versions),
                    "type": event.type,
                    "categories": len(state.task_attributes.get("categories") or ()),
                    "sha256": hashlib.sha256(values.canonical(state.task_attributes)).hexdigest(),
                    "data": text(event.data),
                },
            )
    yield from _work(sources, question, versions)
    yield from _annotators(sources, question)


def _work(sources: Sources, question: Question, versions: list[int]) -> Iterator[Row]:
    """What was done under each version."""
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for event in sources.events():
        if not event.stream.startswith("label/") or not question.holds(event):
            continue
        seen = event.intent.seen_offset
        place = sum(1 for offset in versions if offset <= (event.offset or 0 if seen is None else seen))
        in_force = sum(1 for offset in versions if offset <= (event.offset or 0))
        mine = counts[place]
        mine["events"] += 1
        mine["objects"] += len(deeds(event.fact))
        mine["said"] += seen is not None
        mine["outdated"] += place < in_force
    for place in sorted(counts):
        yield (
            "work",
            {"number": place} | {name: counts[place][name] for name in ("events", "objects", "said", "outdated")},
        )


def _annotators(sources: Sources, question: Question) -> Iterator[Row]:
    """Who labeled, since when as what, and how their submissions fared."""
    roles: dict[str, tuple[str, str | None]] = {}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    submitted: dict[str, str] = {}
    for event in sources.events():
        fact, author = event.fact, str(event.intent.author)
        if isinstance(fact, e.MemberAdded | e.MemberRoleChanged):
            roles[fact.person] = (fact.role, moment(event.recorded_at))
        if not event.stream.startswith("label/") or event.intent.author_kind != "person":
            continue
        if question.holds(event):
            counts[author]["events"] += 1
        if isinstance(fact, e.LabelStatusChanged):
            if fact.verb == "submit":
                submitted[event.stream] = author
                counts[author]["submitted"] += question.holds(event)
            elif fact.verb in ("accept", "verify", "reject") and event.stream in submitted and question.holds(event):
                counts[submitted[event.stream]]["rejected" if fact.verb == "reject" else "accepted"] += 1
    for person in sorted(counts):
        mine = counts[person]
        role, since = roles.get(person, (None, None))
        judged = mine["accepted"] + mine["rejected"]
        yield (
            "annotators",
            {
                "person": person,
                "role": role,
                "since": since,
                "events": mine["events"],
                "submitted": mine["submitted"],
                "accepted": mine["accepted"],
                "rejected": mine["rejected"],
                "accepted_share": share(mine["accepted"], judged),
            },
        )


REPORT = Report(
    "A12",
    "process",
    "Annotation process",
    "Which categories and guidelines were in force when, what was labeled under which, by whom, and how it fared.",
    {
        "rules": Part(
            "Versions of the rules",
            WHO
            | {
                "number": "The version, counted from 1.",
                "type": "What changed.",
                "categories": "How many categories there were.",
                "sha256": "Of the categories and attributes, as canonical JSON.",
                "data": "What the event says, as canonical JSON.",
            },
        ),
        "work": Part(
            "Work under each version",
            {
                "number": "The version; 0 is before the first.",
                "events": "Events of labels.",
                "objects": "Objects that they touched.",
                "said": "Events whose client said what the author saw.",
                "outdated": "Events made by an older version than the one in force.",
            },
        ),
        "annotators": Part(
            "Annotators",
            {
                "person": "Who.",
                "role": "The last role that they were given.",
                "since": "Since when.",
                "events": "Events of labels in the period.",
                "submitted": "Labels that they submitted.",
                "accepted": "Submissions that were accepted or verified.",
                "rejected": "Submissions that were sent back.",
                "accepted_share": "The share of the accepted ones.",
            },
        ),
    },
    _rows,
)
