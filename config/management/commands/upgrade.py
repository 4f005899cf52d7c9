"""`manage.py upgrade`: the embedded database on to a newer major version of PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.embedded import upgrade
from config.embedded.upgrade import UpgradeFailed


class Command(BaseCommand):
    """Copies the data to the newer version, verifies it, and keeps the old."""

    help = "Move the embedded database to the PostgreSQL that this version brings; the old data is kept beside it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--old-binaries",
            type=Path,
            metavar="DIR",
            help="where `postgres` of the old version is; looked for, and fetched, if this is not said",
        )
        parser.add_argument("--discard-old", action="store_true", help="remove the data that upgrades have set aside")

    def handle(self, **options: Any) -> None:
        """Upgrade.

        Raises:
            CommandError: the old data is as it was, and why.
        """
        if os.environ.get("DATABASE_URL"):
            raise CommandError("DATABASE_URL names a server of yours; upgrade that. This is for the embedded one.")
        if options["discard_old"]:
            self._discard()
            return
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            done = upgrade.upgrade(settings.HOME, self._say, old_binaries=options["old_binaries"])
        except UpgradeFailed as failed:
            raise CommandError(str(failed)) from None
        if done is None:
            self._say("There is nothing to upgrade.")
            return
        self._say(done.said.rstrip())
        self._say(
            f"The data is now of PostgreSQL {done.new}. What was there before is kept in {done.set_aside}; when all is"
            " well, `manage.py upgrade --discard-old` removes it."
        )

    def _discard(self) -> None:
        for path in upgrade.set_aside(settings.HOME):
            shutil.rmtree(path)
            self._say(f"Removed {path}.")

    def _say(self, words: str) -> None:
        self.stdout.write(words)
        self.stdout.flush()
