"""The audit reports by name: one report a file. Apps above add theirs with `register`. Pure."""

from __future__ import annotations

from labeling.audit.catalogue import (
    access,
    balance,
    changes,
    deletions,
    duties,
    event_explorer,
    integrity,
    involvement,
    privacy,
    process,
    record_history,
    state_then,
)
from labeling.audit.report import Report

_reports: dict[str, Report] = {}


def register(report: Report) -> None:
    """Add a report, in the place of one of the same name."""
    _reports[report.name] = report


def reports(of: str) -> dict[str, Report]:
    """The reports of a `dataset` or of the `installation` by name, in the order of their codes."""
    found = sorted((item for item in _reports.values() if of in item.of), key=lambda item: int(item.code[1:]))
    return {item.name: item for item in found}


for _each in (
    event_explorer,
    record_history,
    state_then,
    deletions,
    access,
    duties,
    integrity,
    involvement,
    process,
    balance,
    privacy,
    changes,
):
    register(_each.REPORT)
