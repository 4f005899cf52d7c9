"""What a test counted (events, kills …), printed under the closing summary: a plugin, loaded by pyproject.toml.

A test says `tell("killed 8 times, 420 edits acknowledged, 0 lost")`. It goes with the test's report, so it comes
through from the workers of pytest-xdist too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

NAME = "told"


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Has a line printed in the summary."""
    return lambda line: record_property(NAME, line)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the lines of all tests, passed or failed."""
    lines = [
        f"{report.nodeid.split('::')[-1]}: {line}"
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call"
        for name, line in report.user_properties
        if name == NAME
    ]
    if lines:
        terminalreporter.section("counted")
        for line in sorted(lines):
            terminalreporter.write_line(line)
