"""One report asked: which logs it reads up to where, by what definition, and its rows."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labeling.audit.report import Question, Report, Row, definition
from labeling.audit.scenes import Scenes
from labeling.audit.sources import Logs
from labeling.errors import InvalidValue
from labeling.log import store, stored
from labeling.log.event import INSTALLATION, SECURITY

JSON = dict[str, Any]

#: The logs that are of no dataset, by the names that definitions give them.
OTHERS = {"installation": INSTALLATION, "security": SECURITY}
#: By the last so many characters of its id, which are random, a log is told apart in an address.
ENDING = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """A report's answer: `definition` is all that it is a function of; the rows are computed while they are read.
    `scenes` draws what a row of it changed, for a page."""

    report: Report
    definition: JSON
    rows: Iterable[Row]
    offset: int
    scenes: Scenes


def ask(
    report: Report,
    log: uuid.UUID,
    question: Question,
    *,
    at: int | None = None,
    others: Mapping[str, int] | None = None,
    every: Mapping[uuid.UUID, int] | None = None,
) -> Asked:
    """Ask a report of a log up to `at`, and of the other logs that it reads up to the offsets in `others`; up to their
    heads where nothing is said. A question without an option takes its default.

    One that reads every log reads those of `every` up to there, and no others; all, up to their heads, without."""
    offset = store.head(log) if at is None else min(at, store.head(log))
    places = {name: store.head(other) for name, other in OTHERS.items()}
    places |= {name: min(wanted, places[name]) for name, wanted in (others or {}).items()}
    if log == INSTALLATION:
        places["installation"] = offset
    said = {"installation" if log == INSTALLATION else "dataset": offset}
    said |= {name: places[name] for name in report.reads}
    pinned = _every(every, places["installation"]) if report.every_log and log == INSTALLATION else {}
    said |= {str(other): pinned[other] for other in pinned if other != INSTALLATION}
    options = {name: question.options.get(name, "") or option.default for name, option in report.options.items()}
    full = Question(question.start_us, question.end_us, options)
    scenes = Scenes(log, offset, lambda: logs.dataset().task_attributes)
    logs = Logs(log, offset, places["installation"], places["security"], scenes, pinned)
    return Asked(report, definition(report, full, log, said), report.rows(logs, full), offset, scenes)


def _every(wanted: Mapping[uuid.UUID, int] | None, installation: int) -> dict[uuid.UUID, int]:
    """{log: up to where it is read} of every log, in the order of their ids; that of the installation always is."""
    known = stored.logs() if wanted is None else list(wanted)
    heads = dict.fromkeys(known, 0) | store.heads(known)
    found = heads if wanted is None else {other: min(offset, heads[other]) for other, offset in wanted.items()}
    return dict(sorted((found | {INSTALLATION: installation}).items()))


def parameters_of(report: Report, asked: JSON) -> dict[str, str]:
    """What to put into the address to ask for an answer with this definition again, beside its question: the offsets.

    A log of no name is told by the end of its id. Where all logs were read, that of the installation is named among
    them, too: if it is the only one there is, those that come later are not read.
    """
    own = "installation" if asked["log"] == str(INSTALLATION) else "dataset"
    offsets = asked["offsets"]
    found = {"at" if name == own else f"{name}_at": str(offsets[name]) for name in offsets if name in {own, *OTHERS}}
    logs = [f"{name[-ENDING:]}:{offsets[name]}" for name in offsets if name not in {own, *OTHERS}]
    if report.every_log and own == "installation":
        logs.insert(0, f"{str(INSTALLATION)[-ENDING:]}:{offsets[own]}")
    return found | ({"logs_at": ",".join(logs)} if logs else {})


def logs_named(text: str) -> dict[uuid.UUID, int] | None:
    """The offsets of logs that `logs_at` names; None where it names none.

    Raises:
        InvalidValue: it is nothing that `parameters_of` gives, or there is no such log.
    """
    if not text:
        return None
    known: dict[str, list[uuid.UUID]] = {}
    for log in {*stored.logs(), INSTALLATION}:
        known.setdefault(str(log)[-ENDING:], []).append(log)
    found: dict[uuid.UUID, int] = {}
    for item in text.split(","):
        name, _, offset = item.partition(":")
        mine = [log for log in known.get(name[-ENDING:], ()) if str(log).endswith(name)]
        if len(mine) != 1 or not (offset.isascii() and offset.isdigit() and len(offset) < 19):
            raise InvalidValue("logs_at", "must be ids of logs with their offsets: ID:OFFSET,ID:OFFSET")
        found[mine[0]] = int(offset)
    return found


def offsets_said(value: Any) -> tuple[dict[str, int], dict[uuid.UUID, int]]:
    """(the offsets of the logs that have names, those of the others), of the `offsets` of a definition.

    Raises:
        InvalidValue: it is nothing that a definition has, or there is no such log.
    """
    known = {str(log): log for log in stored.logs()}
    named: dict[str, int] = {}
    others: dict[uuid.UUID, int] = {}
    for name, offset in value.items() if isinstance(value, dict) else [("", None)]:
        if type(offset) is not int or offset < 0 or not (name in OTHERS or name in known):
            raise InvalidValue("offsets", "must be those of a definition: logs by name or id, each with its offset")
        if name in OTHERS:
            named[name] = offset
        else:
            others[known[name]] = offset
    return named, others
