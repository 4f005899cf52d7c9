"""`manage.py restore FILE.tar`: what `backup` wrote, into an installation that has nothing yet."""

from __future__ import annotations

import argparse
import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.backup import reading, restoring
from config.backup.archive import BadArchive
from config.backup.contents import Manifest
from config.backup.restoring import RestoreFailed, Unsound
from config.backup.sizes import counted, readable_size
from config.backup.verifying import Verified
from labeling.management.progress import Bar

BUFFER_BYTES = 1 << 20


class Command(BaseCommand):
    """Reads an archive, and puts it back where nothing is."""

    help = "Put back what `backup` wrote, into a new data directory or an empty database, and verify it."
    requires_migrations_checks = False
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("file", metavar="FILE.tar", help="what to read; - for standard input")
        parser.add_argument(
            "--check", action="store_true", help="only read it, and check that it is whole; needs no database"
        )
        parser.add_argument(
            "--despite-faults", action="store_true", help="restore also what was not sound when it was backed up"
        )
        # The second half of `upgrade`, by which nothing is put back: no event says so.
        parser.add_argument("--as-upgrade", action="store_true", help=argparse.SUPPRESS)

    def handle(self, **options: Any) -> None:
        """Restore, or only check.

        Raises:
            CommandError: nothing was restored, and why.
        """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        self.bar = Bar(self.stderr)
        try:
            with _opened(options["file"]) as (source, size_bytes):
                self.size_bytes = size_bytes
                if options["check"]:
                    self._checked(reading.read(source, reading.Checking(), self._show("checking")))
                    return
                if source.seekable():  # from a pipe it can be read only once
                    reading.read(source, reading.Checking(), self._show("checking"))
                    source.seek(0)
                restored = restoring.restore(
                    source,
                    despite_faults=options["despite_faults"],
                    tells=not options["as_upgrade"],
                    progress=self._show("restoring"),
                )
            self._restored(*restored)
        except Unsound as unsound:
            self.bar.clear()
            for finding in unsound.findings[:20]:
                self.stderr.write(f"{finding.log} at {finding.offset}: {finding.sentence}", lambda text: text)
            raise CommandError(f"{unsound} --despite-faults restores it as it is.") from None
        except (BadArchive, RestoreFailed) as failed:
            raise CommandError(str(failed)) from None
        finally:
            self.bar.clear()

    def _show(self, doing: str) -> reading.Progress:
        return lambda what, done: self.bar.show(f"{doing} {what}", done, max(done, self.size_bytes))

    def _checked(self, manifest: Manifest) -> None:
        self.bar.clear()
        self._tell("Whole and undamaged", manifest)
        for line in _contents(manifest):
            self.stdout.write(line)

    def _restored(self, manifest: Manifest, verified: Verified) -> None:
        self.bar.clear()
        self._tell("Restored, and verified", manifest)
        for line in _contents(manifest):
            self.stdout.write(line)
        rows = "are what the logs give" if verified.folded else "not compared with the logs; `manage.py verify` does it"
        self.stdout.write(f"  chains    recomputed over {counted(verified.events, 'event')}")
        self.stdout.write(f"  rows      {rows}")
        if verified.findings:
            self.stdout.write(
                f"  faults    {len(verified.findings)}, as they were backed up; `manage.py verify` lists them"
            )
        if not manifest.has_secret_key:
            self.stdout.write("The secret key is not in it: set the SECRET_KEY that the installation had.")
        elif os.environ.get("SECRET_KEY"):
            self.stdout.write("SECRET_KEY is set here, so the one of the archive was left out.")

    def _tell(self, what: str, manifest: Manifest) -> None:
        opening = manifest.opening
        self.stdout.write(
            f"{what}: the backup of {opening.made_at}, by version {opening.app_version} on PostgreSQL"
            f" {opening.postgresql}"
        )


def _contents(manifest: Manifest) -> Iterator[str]:
    rows = counted(sum(table.rows for table in manifest.tables), "row")
    events = counted(sum(log.head for log in manifest.logs), "event")
    yield f"  tables    {len(manifest.tables)}, {rows}, by count and SHA-256"
    yield f"  logs      {len(manifest.logs)}, {events}, by head and chain"
    yield f"  releases  {len(manifest.releases)}, by id and SHA-256"
    files = f"{manifest.files.count:,}, {readable_size(manifest.files.size_bytes)}, each by its SHA-256"
    yield f"  files     {files if manifest.opening.with_files else 'were left out'}"


@contextmanager
def _opened(name: str) -> Iterator[tuple[IO[bytes], int]]:
    """The archive, and its size where that is known."""
    if name == "-":
        yield sys.stdin.buffer, 0
        return
    try:
        file = open(name, "rb", buffering=BUFFER_BYTES)  # noqa: SIM115 - closed below, after words of our own
    except OSError as error:
        raise RestoreFailed(f"{name} cannot be read ({error.strerror}).") from None
    with file:
        status = os.fstat(file.fileno())
        yield file, status.st_size if stat.S_ISREG(status.st_mode) else 0
