"""One report asked: which logs it reads up to where, by what definition, and its rows."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labeling.audit.report import Question, Report, Row, definition
from labeling.audit.sources import Logs
from labeling.log import store
from labeling.log.event import INSTALLATION, SECURITY

JSON = dict[str, Any]

#: The logs that are of no dataset, by the names that definitions give them.
OTHERS = {"installation": INSTALLATION, "security": SECURITY}


@dataclass(frozen=True, slots=True)
class Asked:
    """A report's answer: `definition` is all that it is a function of; the rows are computed while they are read."""

    report: Report
    definition: JSON
    rows: Iterable[Row]
    offset: int


def ask(
    report: Report,
    log: uuid.UUID,
    question: Question,
    *,
    at: int | None = None,
    others: Mapping[str, int] | None = None,
) -> Asked:
    """Ask a report of a log up to `at`, and of the other logs that it reads up to the offsets in `others`; up to their
    heads where nothing is said. A question without an option takes its default."""
    offset = store.head(log) if at is None else min(at, store.head(log))
    places = {name: store.head(other) for name, other in OTHERS.items()}
    places |= {name: min(wanted, places[name]) for name, wanted in (others or {}).items()}
    if log == INSTALLATION:
        places["installation"] = offset
    said = {"installation" if log == INSTALLATION else "dataset": offset}
    said |= {name: places[name] for name in report.reads}
    options = {name: question.options.get(name, "") or option.default for name, option in report.options.items()}
    full = Question(question.start_us, question.end_us, options)
    logs = Logs(log, offset, places["installation"], places["security"])
    return Asked(report, definition(report, full, log, said), report.rows(logs, full), offset)
