"""A8, segregation of duties: who reviewed their own work, what nobody else looked at, and who reviewed too fast. Pure.

A verdict (accept, reject, verify) is a self-review where its author submitted what it is about, and violates the four
eyes where they had a hand in it: they changed an object of the label since the verdict before. A status set by hand to
an accepted one is no review at all. A review is as long as the time since the event of its author before it, in this
dataset; the first one has no length.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from labeling import events as e
from labeling.audit.report import (
    ABOUT,
    WHO,
    Option,
    Part,
    Question,
    Report,
    Row,
    Sources,
    about,
    seconds,
    share,
    who,
)  # fmt: skip
from labeling.log.event import Event, microseconds
from labeling.rules.access import ACCEPTED
from labeling.rules.deeds import deeds

VERDICTS = ("accept", "reject", "verify")


class _Watch:
    """What is known of labels and reviewers while the log is read."""

    def __init__(self, question: Question) -> None:
        self.question, self.fast_us = question, question.number("fast_s") * 1_000_000
        self.hands: dict[str, set[str]] = defaultdict(set)  #: who changed a label since its last verdict
        self.submitted: dict[str, str] = {}  #: who submitted it
        self.last_us: dict[str, int] = {}  #: when somebody was last seen
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.lengths: dict[str, list[int]] = defaultdict(list)

    def rows(self, event: Event) -> Iterator[Row]:
        """What an event on a label violates; learns from it."""
        author, fact, stream = str(event.intent.author), event.fact, event.stream
        if deeds(fact) or isinstance(fact, e.LabelDocumentSet | e.BitmapPatched | e.ClassificationAssigned):
            self.hands[stream].add(author)
        if isinstance(fact, e.LabelDeleted):
            self.hands.pop(stream, None)
            self.submitted.pop(stream, None)
        if not isinstance(fact, e.LabelStatusChanged):
            return
        if fact.verb == "submit":
            self.submitted[stream] = author
        elif fact.verb in VERDICTS:
            yield from self._verdict(event, fact.verb)
        elif fact.verb == "override" and fact.after in ACCEPTED and self.question.holds(event):
            yield "violations", who(event) | about(stream) | _found("accepted by hand", fact.verb, None, None)

    def _verdict(self, event: Event, verb: str) -> Iterator[Row]:
        author, stream = str(event.intent.author), event.stream
        gap_us = (microseconds(event.recorded_at) or 0) - self.last_us[author] if author in self.last_us else None
        found: list[tuple[str, str | None]] = []
        if self.submitted.get(stream) == author:
            found.append(("self-review", author))
        elif author in self.hands[stream]:
            found.append(("four eyes", author))
        elif verb != "reject" and not self.hands[stream]:
            found.append(("accepted empty", None))
        if gap_us is not None and gap_us < self.fast_us:
            found.append(("too fast", None))
        if event.intent.author_kind != "person":
            found.append(("not a person", None))
        if self.question.holds(event):
            mine = self.counts[author]
            mine["reviews"] += 1
            mine["rejected" if verb == "reject" else "accepted"] += 1
            mine.update(kind for kind, _ in found)
            if gap_us is not None:
                self.lengths[author].append(gap_us)
            length = None if gap_us is None else seconds(gap_us)
            for kind, whose in found:
                yield "violations", who(event) | about(stream) | _found(kind, verb, whose, length)
        self.hands[stream] = set()
        self.submitted.pop(stream, None)


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    watch = _Watch(question)
    for event in sources.events():
        if event.stream.startswith("label/"):
            yield from watch.rows(event)
        watch.last_us[str(event.intent.author)] = microseconds(event.recorded_at) or 0
    yield from _reviewers(watch.counts, watch.lengths, question.number("least_reviews"))


def _found(kind: str, verb: str, whose: str | None, length_s: float | None) -> dict[str, object]:
    return {"violation": kind, "verb": verb, "whose": whose, "length_s": length_s}


def _reviewers(counts: dict[str, Counter[str]], lengths: dict[str, list[int]], least: int) -> Iterator[Row]:
    for person in sorted(counts):
        mine, long = counts[person], sorted(lengths[person])
        yield (
            "reviewers",
            {
                "person": person,
                "reviews": mine["reviews"],
                "accepted": mine["accepted"],
                "rejected": mine["rejected"],
                "rejection_share": share(mine["rejected"], mine["reviews"]),
                "self_reviews": mine["self-review"],
                "four_eyes": mine["four eyes"],
                "too_fast": mine["too fast"],
                "median_length_s": seconds(long[(len(long) - 1) // 2]) if long else None,
                "too_few": mine["reviews"] < least,
            },
        )


REPORT = Report(
    "A8",
    "duties",
    "Segregation of duties",
    "Reviews of one's own work, labels that no second pair of eyes saw, reviewers with too few or too fast reviews.",
    {
        "violations": Part(
            "Violations",
            WHO
            | ABOUT
            | {
                "violation": "`self-review`: of what they submitted; `four eyes`: of what they had a hand in;"
                " `accepted empty`: nobody had put anything there; `accepted by hand`: the status was set without a"
                " review; `too fast`: in less than `fast_s`; `not a person`: by a program.",
                "verb": "The verdict.",
                "whose": "Whose work it was, where it was their own.",
                "length_s": "Seconds since the reviewer's event before.",
            },
        ),
        "reviewers": Part(
            "Reviewers",
            {
                "person": "Who.",
                "reviews": "Verdicts in the period.",
                "accepted": "Good ones among them.",
                "rejected": "The others.",
                "rejection_share": "The share of those.",
                "self_reviews": "Of their own submissions.",
                "four_eyes": "Of what they had a hand in.",
                "too_fast": "In less than `fast_s`.",
                "median_length_s": "The middle one of the lengths that could be measured (of two the shorter).",
                "too_few": "Whether there are fewer than `least_reviews`.",
            },
        ),
    },
    _rows,
    options={
        "fast_s": Option("A review in less than so many seconds is too fast.", "5", (0, 86_400)),
        "least_reviews": Option("Fewer reviews than this are too few to judge a reviewer by.", "10", (0, 1_000_000)),
    },
)
