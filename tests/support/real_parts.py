"""Tests of real parts (a browser, a broker): skipped where the part is missing, but never in CI, where no skip passes.

A pytest plugin, loaded by pyproject.toml. CI is where CI=true or PALIMPSEST_CI=1.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def in_ci() -> bool:
    """Return whether a missing part is a failure here."""
    return os.environ.get("CI", "") in ("true", "1") or os.environ.get("PALIMPSEST_CI", "") == "1"


def require(part_name: str, available: bool) -> None:
    """Skip the running test, fixture or module where a real part is not available; fail it in CI."""
    if available:
        return
    if in_ci():
        pytest.fail(f"{part_name} is missing, and CI tests the real thing", pytrace=False)
    pytest.skip(f"{part_name} is missing here", allow_module_level=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip by any other means into a failure in CI."""
    return _refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole module into an error in CI."""
    return _refuse_skip((yield))


def _refuse_skip(report: Report) -> Report:
    if report.skipped and in_ci() and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        where = report.longrepr
        reason = where[2] if isinstance(where, tuple) else report.longreprtext
        report.longrepr = f"skipped, which CI does not accept: {reason}"
    return report
