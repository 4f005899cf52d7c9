"""What `manage.py test` makes of its arguments."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.management.commands import test as command


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines that pytest was started with; two processors."""
    lines: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, arguments: lines.append(arguments[3:]))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    monkeypatch.chdir(Path.cwd())  # put back when the test ends: the command goes to the checkout
    monkeypatch.setenv("PALIMPSEST_FULL", "0")
    return lines


SPREAD = ["-n", "2", "--dist", "worksteal"]


@pytest.mark.parametrize(
    "given, expected",
    [
        ([], SPREAD),
        (["--full"], SPREAD),
        (["-x", "--durations=5"], [*SPREAD, "-x", "--durations=5"]),
        (["-k", "log and not geometry"], ["-k", "log and not geometry"]),
        (["tests/config/test_manage.py::test_a"], ["tests/config/test_manage.py::test_a"]),
        (["-n0", "--full"], ["-n0"]),
    ],
)
def test_everything_but_full_goes_to_pytest_which_uses_all_processors_for_the_whole_suite(
    given: list[str], expected: list[str], called: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command.Command().run_from_argv(["manage.py", "test", *given])
    assert called == [expected]
    assert Path.cwd() == command.CHECKOUT
    assert os.environ["PALIMPSEST_FULL"] == ("1" if "--full" in given else "0")
