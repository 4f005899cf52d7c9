"""`manage.py test [--full] [pytest's own arguments]`: the test suite, by pytest, in place of Django's test runner."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.core.management.base import BaseCommand

CHECKOUT = Path(__file__).resolve().parents[3]
MOST_WORKERS = 4
# Who gives one of these looks at single tests, or says how to spread them.
ONE_PROCESS = tuple("-n --numprocesses -k -s --capture --pdb --trace --collect-only --co --lf --last-failed".split())


class Command(BaseCommand):
    help = "Runs the tests with pytest; --full raises the counts of the fuzz and fault tests; all else goes to pytest."

    def run_from_argv(self, argv: list[str]) -> None:
        """Replace this process by pytest, so that its closing line is the last and its exit code is ours."""
        arguments = [argument for argument in argv[2:] if argument != "--full"]
        if "--full" in argv[2:]:
            os.environ["PALIMPSEST_FULL"] = "1"
        os.chdir(CHECKOUT)
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *workers(arguments), *arguments])


def workers(arguments: list[str]) -> list[str]:
    """Return the options that spread the tests over the processors, or none where single tests are asked for."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asks_for_one = any(argument.startswith(ONE_PROCESS) or _is_test_path(argument) for argument in arguments)
    if asks_for_one or processors == 1:
        return []
    return ["-n", str(min(processors, MOST_WORKERS)), "--dist", "worksteal"]


def _is_test_path(argument: str) -> bool:
    return not argument.startswith("-") and (CHECKOUT / argument.split("::")[0]).exists()
