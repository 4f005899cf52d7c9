"""`manage.py erase_asset FILE [--erase --by USERNAME --reason TEXT]`: what erasing a file takes; then take it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.commands.asset_erasure import content_named, erase_asset, plan_asset_erasure
from labeling.commands.people import person_named
from labeling.errors import PalimpsestError
from labeling.log.event import Intent
from labeling.management.logs import names_of_logs
from labeling.management.progress import DataCommand
from labeling.texts import encrypt


class Command(DataCommand):
    """Says what would go and who refers to it; with --erase it does it, and that cannot be taken back."""

    help = "Erase a picture's bytes; its hash and size stay where it is referred to. Without --erase it only says what."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("file", metavar="FILE", help="the address, token, id or SHA-256 of an uploaded file")
        parser.add_argument("--erase", action="store_true", help="do it; it cannot be taken back")
        parser.add_argument("--by", metavar="USERNAME", help="who erases: somebody who runs the installation")
        parser.add_argument("--reason", metavar="TEXT", help="why")

    def handle(self, **options: Any) -> None:
        """Say what would go, or erase.

        Raises:
            CommandError: there is no such file, or it is refused; nothing was erased.
        """
        if options["erase"] and not (options["by"] and options["reason"]):
            raise CommandError("Say who erases, with --by, and why, with --reason; the log keeps both.")
        try:
            sha256 = content_named(options["file"])
            if options["erase"]:
                self._erase(sha256, options["by"], options["reason"])
            else:
                self._plan(sha256)
        except PalimpsestError as error:
            raise CommandError(error.message) from error

    def _plan(self, sha256: str) -> None:
        plan, names = plan_asset_erasure(sha256), names_of_logs()
        if not plan.uploads and not plan.datasets:
            raise CommandError("This file was erased before.")
        self.stdout.write(f"{', '.join(plan.filenames)}: {plan.size_bytes} bytes, SHA-256 {sha256}")
        for dataset, count in plan.datasets.items():
            self.stdout.write(f"  {names.get(dataset, dataset)} refers to {count} upload{'s' * (count != 1)} of it")
        self.stdout.write("Releases that refer to it keep their identity, and say that it was erased.")
        self.stdout.write("Nothing was changed. To erase it for good: add --erase --by USERNAME --reason TEXT")

    def _erase(self, sha256: str, by: str, reason: str) -> None:
        author = person_named(by)
        intent = Intent(author=author.id, tool="erase_asset", reason=encrypt(reason, person=author.id))
        plan = erase_asset(intent=intent, sha256=sha256)
        where = ", ".join(str(names_of_logs().get(dataset, dataset)) for dataset in plan.datasets) or "no dataset"
        self.stdout.write(f"Erased {plan.size_bytes} bytes; hash and size stay in {where}.")
        self.stdout.write("Backups that were made before still hold the file; let them expire.")
