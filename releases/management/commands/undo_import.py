"""`manage.py undo_import JOB --by USERNAME`: take back what an import brought, here and now."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.commands.people import person_named
from labeling.errors import NotFound, PalimpsestError
from labeling.log.event import Intent
from labeling.management.progress import Bar, DataCommand
from labeling.texts import encrypt
from releases.imports import commands, jobs
from releases.imports.commands import ON_CONFLICT
from releases.imports.counts import in_words
from releases.models import ImportFinding, ImportJob


class Command(DataCommand):
    """Takes an import back as `POST /jobs/{job}/undo/` does, without the queue."""

    help = "Take back what an import brought: its labels, and the samples and categories that nobody uses."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("job", metavar="JOB", type=uuid.UUID, help="the uuid that the import was told with")
        parser.add_argument("--by", required=True, metavar="USERNAME", help="who takes it back")
        parser.add_argument("--dry-run", action="store_true", help="say what would be, and change nothing")
        parser.add_argument("--on-conflict", choices=ON_CONFLICT, default=ON_CONFLICT[0])
        parser.add_argument("--reason", default="", help="why; required for others' imports and for force")

    def handle(self, **options: Any) -> None:
        """Take it back.

        Raises:
            CommandError: no such import or person, the person may not, or something is in the way.
        """
        bar = Bar(self.stderr)
        try:
            person = person_named(options["by"])
            row = ImportJob.objects.filter(id=options["job"]).first()
            if row is None:
                raise NotFound("The import")
            reason = encrypt(options["reason"], person=person.id) if options["reason"] else None
            made = commands.undo_import(
                intent=Intent(author=person.id, tool="undo_import", reason=reason),
                job=row,
                on_conflict=options["on_conflict"],
                dry_run=options["dry_run"],
                send=False,
            )
            jobs.run(made.id, progress=lambda done, total: bar.show("labels", done, total or done))
        except PalimpsestError as error:
            raise CommandError(error.message) from error
        finally:
            bar.clear()
        made.refresh_from_db()
        for item in ImportFinding.objects.filter(job_id=made.id).order_by("number"):
            self.stdout.write(f"  {item.where}: {item.message}")
        said = ", ".join(f"{number:,} {name}" for name, number in in_words(made.counts))
        self.stdout.write(f"{'Would be' if made.dry_run else 'Done'}: {said or 'nothing'}")
        if made.status != ImportJob.Status.SUCCEEDED:
            raise CommandError(made.error or "It was stopped.")
