"""`manage.py verify [--dataset OWNER/NAME] [--json]`: compute everything again and name the first bad offset."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from labeling.errors import NotFound
from labeling.log import projector, rebuild, store, stored, verify
from labeling.log.event import INSTALLATION, SECURITY
from labeling.log.projector import CatchUp
from labeling.log.verify import Finding
from labeling.management import checkpoint_checks
from labeling.management.progress import Bar, DataCommand
from labeling.management.stored_files import broken_files
from labeling.queries.logs import log_named, names_of_logs


class Command(DataCommand):
    """Checks the chain of every log, its projections against a fold, what actors made, and the stored files."""

    help = "Compute everything again from the events and compare; ends with 1, and the first bad offset, on any fault."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--dataset", metavar="OWNER/NAME", help="only this dataset (its id will do)")
        parser.add_argument(
            "--checkpoints",
            metavar="FILE",
            action="append",
            default=[],
            help="also against these signed checkpoints, which were kept elsewhere: a file, or a folder of them",
        )
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, **options: Any) -> None:
        """Verify.

        Raises:
            CommandError: something is wrong; what it is was printed.
        """
        began = time.monotonic()
        only = self._asked_for(options["dataset"])
        try:
            self.kept = checkpoint_checks.read(options["checkpoints"])
        except checkpoint_checks.NoCheckpoints as error:
            raise CommandError(str(error)) from error
        self.names = names_of_logs()
        self.bar = Bar(self.stderr)
        self.files = self.events = 0
        logs = [only] if only else stored.logs()
        findings: list[Finding] = []
        try:
            for log in logs:
                findings += self._of_log(log)
            findings += self._files(only)
            if only is None:
                findings += self._without_log()
                findings += self._of_lost_logs(logs)
        finally:
            self.bar.clear()
        result = {
            "sound": not findings,
            "logs": len(logs),
            "events": self.events,
            "files": self.files,
            "seconds": round(time.monotonic() - began, 3),
            "findings": [finding.as_json() | {"dataset": self._name(finding.log)} for finding in findings],
        }
        if options["json"]:
            self.stdout.write(json.dumps(result))
        elif not findings:
            self.stdout.write(
                f"All sound: {_counted(len(logs), 'log')}, {_counted(self.events, 'event')},"
                f" {_counted(self.files, 'file')} in {result['seconds']:.1f} s."
            )
        else:
            for finding in findings:
                place = "" if finding.offset is None else f" at {finding.offset}"
                self.stdout.write(f"{self._name(finding.log)}{place}: {finding.sentence}")
        if findings:
            raise CommandError(self._summary(findings))

    def _asked_for(self, name: str | None) -> uuid.UUID | None:
        if name is None:
            return None
        try:
            log = log_named(name)
        except NotFound as error:
            raise CommandError(f"There is no dataset {name}.") from error
        if log not in stored.logs():
            raise CommandError(f"There is no dataset {name}.")
        return log

    def _name(self, log: uuid.UUID) -> str:
        return self.names.get(log, str(log))

    def _summary(self, findings: list[Finding]) -> str:
        logs = dict.fromkeys(finding.log for finding in findings)
        first = {
            log: min((f.offset for f in findings if f.log == log and f.offset is not None), default=None)
            for log in logs
        }
        places = [
            f"{self._name(log)} (first bad offset {offset})" if offset is not None else self._name(log)
            for log, offset in first.items()
        ]
        shown = ", ".join(places[:10]) + (f" and {len(places) - 10} more" if len(places) > 10 else "")
        return f"{_counted(len(findings), 'fault')} in {shown}."

    def _of_log(self, log: uuid.UUID) -> Iterator[Finding]:
        name = self._name(log)
        total = store.head(log)
        yield from verify.verify_log(log, progress=lambda done, of: self.bar.show(f"{name}: chain", done, of))
        self.events += stored.count(log)
        yield from checkpoint_checks.findings(log, self.kept)
        of_dataset = log not in (INSTALLATION, SECURITY)
        yield from self._projections(log, total, projector.catch_ups() if of_dataset else [])
        if of_dataset:
            yield from verify.plugged_in(log)

    def _of_lost_logs(self, logs: list[uuid.UUID]) -> Iterator[Finding]:
        """Logs that are gone as a whole, and of which somebody kept a checkpoint."""
        there = {str(log) for log in logs}
        for gone in sorted({str(item.stated["log"]) for item in self.kept} - there):
            yield Finding(uuid.UUID(gone), "checkpoint", 1, "There is a kept checkpoint of this log, and no log.")

    def _projections(self, log: uuid.UUID, total: int, catch_ups: list[CatchUp]) -> Iterator[Finding]:
        """Compare what commands wrote, and what actors made, with a fold of the log."""
        try:
            show = f"{self._name(log)}: rows"
            counts = {each.table for each in projector.counts()}
            for table, found in rebuild.compared(log, progress=lambda done: self.bar.show(show, done, total)).items():
                than = "from what counting again gives" if table in counts else "from the log's fold"
                yield Finding(
                    log, f"rows {table}", found.offset, f"{_counted(found.rows, 'row')} of {table} differ {than}."
                )
            for each in catch_ups:
                for table, found in rebuild.compared_catch_up(each, log).items():
                    yield Finding(
                        log,
                        f"rows {table}",
                        found.offset,
                        f"{_counted(found.rows, 'row')} of {table} differ from what {each.name} makes of the log.",
                    )
        except (OperationalError, InterfaceError):
            raise  # the database, not the log
        except Exception as error:
            # A damaged log can break a fold in any way; the rest must be verified nevertheless.
            yield Finding(log, "fold", None, f"The log cannot be folded: {type(error).__name__}.")

    def _files(self, only: uuid.UUID | None) -> Iterator[Finding]:
        def show(done: int, total: int) -> None:
            self.files = done
            self.bar.show("files", done, total)

        for broken in broken_files(only, progress=show):
            yield Finding(
                broken.dataset or INSTALLATION, "file", broken.offset, f"The file {broken.filename} {broken.problem}."
            )

    def _without_log(self) -> Iterator[Finding]:
        for table, rows in rebuild.without_log().items():
            yield Finding(
                INSTALLATION,
                f"rows {table}",
                None,
                f"{_counted(rows, 'row')} of {table}: the dataset has no log.",
            )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
