"""`manage.py rebuild [PROJECTION] [--dataset OWNER/NAME] [--restart]`: fold projections again and swap them in."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from django.core.management.base import CommandError, CommandParser

from labeling.errors import NotFound
from labeling.log import projector, rebuild, store, stored
from labeling.log.beside import NoSchema, RebuildGoingOn
from labeling.log.event import INSTALLATION, SECURITY
from labeling.log.projector import CatchUp, KeepsFiles
from labeling.management.progress import Bar, DataCommand
from labeling.queries.logs import log_named, names_of_logs

#: What a shell says of a command that Ctrl-C ended.
INTERRUPTED = 130


class Command(DataCommand):
    """Makes projected rows anew from the log; readers see the old rows until the new ones are there."""

    help = (
        "Fold projections again from the log: a table, a kind of stream, what actors make, or all of them. People go on"
        " working meanwhile. Stopped in the middle, the same command goes on where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("projection", nargs="?", metavar="PROJECTION", help=f"one of {', '.join(known())}; or all")
        parser.add_argument("--dataset", metavar="OWNER/NAME", help="only this dataset (its id will do)")
        parser.add_argument("--restart", action="store_true", help="throw away what a stopped rebuild has made")

    def handle(self, **options: Any) -> None:
        """Rebuild.

        Raises:
            CommandError: an unknown projection or dataset, or a log that cannot be folded.
        """
        tables, catch_ups = self._chosen(options["projection"])
        logs = self._logs(options["dataset"])
        names = names_of_logs()
        restart = options["restart"]
        self.bar = Bar(self.stderr)
        events = rows = changed = 0
        began = time.monotonic()
        for log in logs:
            name = names.get(log, str(log))
            try:
                done = []
                if tables is None or tables:
                    done.append(rebuild.rebuild(log, tables, progress=self._progress(name, log), restart=restart))
                for each in catch_ups if log != INSTALLATION else ():
                    if isinstance(each, KeepsFiles):
                        each.before_rebuild(log)
                    shown = self._progress(f"{name}: {each.name}", log)
                    done.append(projector.rebuild_catch_up(each, log, progress=shown, restart=restart))
                events += sum(each.events for each in done)
                rows += sum(each.rows for each in done)
                changed += sum(each.changed for each in done)
            except (LookupError, store.LogGap, msgspec.ValidationError) as error:
                raise CommandError(f"{name} cannot be folded, its rows stay as they were: {error}") from error
            except RebuildGoingOn as error:
                raise CommandError(f"{name} is being rebuilt by another process.") from error
            except NoSchema as error:
                raise CommandError(
                    "A rebuild needs a schema beside the live tables, and the database role may not create one;"
                    " grant it CREATE on the database."
                ) from error
            except KeyboardInterrupt:
                self.bar.clear()
                raise CommandError(
                    f"Stopped. The same command goes on with {name} where it was.",
                    returncode=INTERRUPTED,
                ) from None
            finally:
                self.bar.clear()
        seconds = max(time.monotonic() - began, 1e-6)
        self.stdout.write(
            f"Rebuilt {options['projection'] or 'everything'} of {len(logs)} log{'' if len(logs) == 1 else 's'}:"
            f" {events} events folded into {rows} rows in {seconds:.1f} s ({events / seconds:.0f} events a second);"
            f" {changed or 'none'} of the live rows {'was' if changed == 1 else 'were'} not as the log says."
        )

    def _progress(self, name: str, log: uuid.UUID) -> Callable[[int], None]:
        """Shows how far a rebuild is, and says first where it goes on."""
        total, told = store.head(log), False

        def show(done: int) -> None:
            nonlocal told
            if done and not told:
                self.stdout.write(f"{name}: goes on after {done} of {total} events, where it was stopped.")
            told = True
            self.bar.show(name, done, total)

        return show

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
