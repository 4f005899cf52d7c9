"""`manage.py erase_asset FILE [--erase --by USERNAME --reason TEXT]`: what erasing a file takes; then take it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.commands.asset_erasure import content_named, erase_asset, plan_asset_erasure
from labeling.commands.people import person_named
from labeling.errors import PalimpsestError
from labeling.log.event import Intent
from labeling.management.progress import DataCommand
from labeling.texts import encrypt
from releases.erasures import Losing, losing

#: So many samples of a dataset are named.
MOST_NAMED = 20


class Command(DataCommand):
    """Says what would go and who loses it; with --erase it does it, and that cannot be taken back."""

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
        plan = plan_asset_erasure(sha256)
        if not plan.uploads and not plan.datasets:
            raise CommandError("This file was erased before.")
        self.stdout.write(f"{', '.join(plan.filenames)}: {plan.size_bytes} bytes, SHA-256 {sha256}")
        for item in losing(plan):
            self._tell(item)
        self.stdout.write("Releases keep their id and manifest, and say that it was erased; a successor can be cut.")
        self.stdout.write("Nothing was changed. To erase it for good: add --erase --by USERNAME --reason TEXT")

    def _tell(self, item: Losing) -> None:
        self.stdout.write(f"  {item.name} refers to {item.uploads} upload{'s' * (item.uploads != 1)} of it")
        named = [
            f"{sample.name} (deleted)" if sample.is_deleted else sample.name
            for sample in item.samples.first[:MOST_NAMED]
        ]
        self.stdout.write(f"    samples that lose it: {_listed(named, item.samples.count)}")
        releases = [f"{row.name} (withdrawn)" if row.withdrawn else row.name for row in item.releases]
        self.stdout.write(f"    releases that lose it: {_listed(releases, len(releases))}")
        if item.pending:
            self.stdout.write(f"    not made yet, so nobody knows: {', '.join(row.name for row in item.pending)}")

    def _erase(self, sha256: str, by: str, reason: str) -> None:
        author = person_named(by)
        intent = Intent(author=author.id, tool="erase_asset", reason=encrypt(reason, person=author.id))
        where = [item.name for item in losing(plan_asset_erasure(sha256))]
        size_bytes = erase_asset(intent=intent, sha256=sha256)
        self.stdout.write(f"Erased {size_bytes} bytes; hash and size stay in {', '.join(where) or 'no dataset'}.")
        self.stdout.write("Backups that were made before still hold the file; let them expire.")


def _listed(names: Iterable[str], count: int) -> str:
    said = [*names]
    more = f" and {count - len(said)} more" if count > len(said) else ""
    return f"{', '.join(said)}{more}" if said else "none"
