"""A9, integrity: the chain computed again, gaps, clocks, and the checkpoints and releases that anchor the log. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from labeling import events as e
from labeling.audit.report import WHO, Part, Question, Report, Row, Sources, moment, who


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    verified = list(sources.integrity())
    for log in verified:
        yield "logs", {name: log[name] for name in REPORT.parts["logs"].columns}
    for part in ("findings", "anchors"):
        for log in verified:
            yield from ((part, {"log": log["log"]} | item) for item in log[part])
    for event in sources.installation(e.ClockSetBack.__name__):
        if isinstance(event.fact, e.ClockSetBack) and question.holds(event):
            said = {"back_s": event.fact.by_ms / 1000, "clock": moment(event.fact.clock_us)}
            yield "clock", who(event) | said | {"due": moment(event.fact.latest_us)}


REPORT = Report(
    "A9",
    "integrity",
    "Integrity",
    "Whether every event is what was recorded: chain, gaps, order, clocks; and the last checkpoint that proves it.",
    {
        "logs": Part(
            "Logs",
            {
                "log": "The id of the log.",
                "offset": "Up to where it was computed again.",
                "chain": "The chain hash there, as computed.",
                "sound": "Whether nothing is wrong.",
                "gaps": "Events that are missing.",
                "first_bad": "The first bad offset.",
                "checkpoints": "Signed checkpoints up to there.",
                "last_checkpoint": "The offset of the last one.",
                "after_checkpoint": "Events behind it, which only the next one will hold.",
                "clocks_ahead": "Events whose client's clock was over five minutes ahead of the server's.",
                "clock_stood": "Events recorded at the very time of the one before, which another command caused: the"
                " server's clock stood or was set back, and the order is that of the offsets.",
            },
        ),
        "findings": Part(
            "What is wrong", {"log": "The log.", "kind": "The kind of fault.", "offset": "Where.", "problem": "What."}
        ),
        "anchors": Part(
            "Anchors",
            {
                "log": "The log.",
                "anchor": "A checkpoint or a release, which wrote down the chain hash.",
                "offset": "Where.",
                "chain": "The hash that it wrote down.",
                "holds": "Whether it is the one computed.",
            },
        ),
        "clock": Part(
            "When the server's clock was set back",
            WHO
            | {
                "back_s": "By how many seconds at least.",
                "clock": "What it said.",
                "due": "What it had to say at least; until it had passed that, all that was recorded has this time.",
            },
        ),
    },
    _rows,
    version=2,
    of=("dataset", "installation"),
    reads=("installation",),
    every_log=True,
)
