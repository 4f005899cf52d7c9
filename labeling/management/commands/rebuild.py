"""`manage.py rebuild [PROJECTION] [--dataset OWNER/NAME]`: fold projections again from the log and swap them in."""

from __future__ import annotations

import time
import uuid
from typing import Any

import msgspec
from django.core.management.base import CommandError, CommandParser

from labeling.errors import NotFound
from labeling.log import projector, rebuild, store, stored
from labeling.log.event import INSTALLATION, SECURITY
from labeling.log.projector import CatchUp
from labeling.management.logs import log_named, names_of_logs
from labeling.management.progress import Bar, DataCommand


class Command(DataCommand):
    """Makes projected rows anew from the log; readers see the old rows until the new ones are there."""

    help = "Fold projections again from the log: a table, a kind of stream, what actors make, or all of them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("projection", nargs="?", metavar="PROJECTION", help=f"one of {', '.join(known())}; or all")
        parser.add_argument("--dataset", metavar="OWNER/NAME", help="only this dataset (its id will do)")

    def handle(self, **options: Any) -> None:
        """Rebuild.

        Raises:
            CommandError: an unknown projection or dataset, or a log that cannot be folded.
        """
        tables, catch_ups = self._chosen(options["projection"])
        logs = self._logs(options["dataset"])
        names = names_of_logs()
        bar = Bar(self.stderr)
        events = rows = 0
        began = time.monotonic()
        for log in logs:
            name = names.get(log, str(log))
            total = store.head(log)
            try:
                if tables is None or tables:
                    done = rebuild.rebuild(log, tables, progress=lambda n, s=name, t=total: bar.show(s, n, t))  # type: ignore[misc]
                    events, rows = events + done.events, rows + done.rows
                for each in catch_ups if log != INSTALLATION else ():
                    events += projector.rebuild_catch_up(each, log)
            except (LookupError, store.LogGap, msgspec.ValidationError) as error:
                raise CommandError(f"{name} cannot be folded, its rows stay as they were: {error}") from error
            finally:
                bar.clear()
        seconds = max(time.monotonic() - began, 1e-6)
        self.stdout.write(
            f"Rebuilt {options['projection'] or 'everything'} of {len(logs)} log{'' if len(logs) == 1 else 's'}:"
            f" {events} events folded, {rows} rows written in {seconds:.1f} s"
            f" ({events / seconds:.0f} events and {rows / seconds:.0f} rows a second)."
        )

    def _chosen(self, name: str | None) -> tuple[list[str] | None, list[CatchUp]]:
        """(tables, or None for all of them; catch-up projectors) that a name stands for."""
        if name is None:
            return None, projector.catch_ups()
        if name in projector.projected_tables():
            return [name], []
        for kind in projector.kinds():
            if kind.prefix == name and kind.tables:
                return list(kind.tables), []
        for each in projector.catch_ups():
            if each.name == name:
                return [], [each]
        raise CommandError(f"There is no projection of that name; the known ones are {', '.join(known())}.")

    def _logs(self, dataset: str | None) -> list[uuid.UUID]:
        logs = [log for log in stored.logs() if log != SECURITY]  # nothing is projected from that one
        if dataset is None:
            return logs
        try:
            log = log_named(dataset)
        except NotFound as error:
            raise CommandError(f"There is no dataset {dataset}.") from error
        if log not in logs:
            raise CommandError(f"There is no dataset {dataset}.")
        return [log]


def known() -> list[str]:
    """Every name that can be given."""
    prefixes = [kind.prefix for kind in projector.kinds() if kind.tables]
    return [*prefixes, *projector.projected_tables(), *(each.name for each in projector.catch_ups())]
