"""What the long commands share: a progress bar on a terminal, and a clear word where the database is not set up yet."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

BAR_CELLS = 28
SECONDS_BETWEEN_DRAWS = 0.1


class Bar:
    """A progress bar on the last line of a terminal; on anything else nothing at all."""

    def __init__(self, terminal: OutputWrapper) -> None:
        self._terminal = terminal
        self._moving = terminal.isatty()
        self._drawn_at = 0.0

    def show(self, what: str, done: int, total: int) -> None:
        """Draw `done` of `total` under a name, not more often than the eye can follow."""
        now = time.monotonic()
        if self._moving and now - self._drawn_at >= SECONDS_BETWEEN_DRAWS:
            self._drawn_at = now
            full = min(BAR_CELLS * done // max(total, 1), BAR_CELLS)
            self._write(f"\r\x1b[2K{'#' * full}{'-' * (BAR_CELLS - full)} {done}/{total} {what[:40]}")

    def clear(self) -> None:
        """Take the bar off the terminal."""
        if self._moving and self._drawn_at:
            self._write("\r\x1b[2K")

    def _write(self, text: str) -> None:
        self._terminal.write(text, ending="")
        self._terminal.flush()


@contextmanager
def without_cycle_search() -> Iterator[None]:
    """Switch off the search for cyclic garbage, which decoding millions of points sets off, for a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class DataCommand(BaseCommand):
    """A command on the data of an installation that is set up."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command.

        Raises:
            CommandError: the database lacks tables that this version of the application needs.
        """
        executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise CommandError("The database is not set up for this version; run `python3 manage.py migrate` first.")
        with without_cycle_search():
            return super().execute(*args, **options)
