"""`manage.py backup FILE.tar`: everything of the installation in one file, while people go on working."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.utils import Error as DatabaseError

from config.backup import making
from config.backup.contents import Manifest
from config.backup.making import BackupFailed
from config.backup.sizes import counted, readable_size
from labeling.management.progress import Bar


class Command(BaseCommand):
    """Writes an archive that `restore` puts back."""

    help = "Write everything of this installation to one file; works while it is served. Keep the file secret."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("file", metavar="FILE.tar", help="where to write it to; - for standard output")
        parser.add_argument(
            "--without-files", action="store_true", help="only the database: who keeps the files elsewhere"
        )

    def handle(self, **options: Any) -> None:
        """Back up.

        Raises:
            CommandError: there is no archive, and why.
        """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that nothing half is left
        self.bar = Bar(self.stderr)
        with_files = not options["without_files"]
        try:
            if options["file"] == "-":
                self._say(self._to_output(with_files), "")
                return
            path = Path(os.path.abspath(options["file"]))
            with making.new_file(path) as file:
                manifest = making.make(file, with_files=with_files, progress=self.bar.show)
            self._say(manifest, f" in {path}, {readable_size(path.stat().st_size)}")
        except BackupFailed as failed:
            raise CommandError(str(failed)) from None
        except OSError as error:
            raise CommandError(making.why_not_written(error)) from None
        except (DatabaseError, psycopg.Error) as error:
            raise CommandError(f"The database failed, and there is no backup: {' '.join(str(error).split())}") from None
        finally:
            self.bar.clear()

    def _to_output(self, with_files: bool) -> Manifest:
        if sys.stdout.isatty():
            raise BackupFailed("Standard output is a terminal; name a file, or lead the output to one.")
        # Its own descriptor: whatever else prints would stand in the archive.
        with open(os.dup(sys.stdout.fileno()), "wb") as output:
            return making.make(output, with_files=with_files, progress=self.bar.show)

    def _say(self, manifest: Manifest, where: str) -> None:
        self.bar.clear()
        words = [
            counted(sum(log.head for log in manifest.logs), "event"),
            counted(len(manifest.logs), "log"),
            counted(len(manifest.releases), "release"),
            f"{counted(manifest.files.count, 'file')} ({readable_size(manifest.files.size_bytes)})"
            if manifest.opening.with_files
            else "no files",
        ]
        self.stderr.write(f"Backed up {', '.join(words)}{where}.", lambda text: text)
        if not manifest.has_secret_key:
            self.stderr.write("SECRET_KEY is set here, and is not in it; keep it yourself.", lambda text: text)
