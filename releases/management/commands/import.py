"""`manage.py import OWNER/NAME FORMAT FILE --by USERNAME`: bring a file of others into a dataset, here and now."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser

from labeling.commands import assets
from labeling.commands.people import person_named
from labeling.errors import NotFound, PalimpsestError
from labeling.log.event import Intent
from labeling.management.progress import Bar, DataCommand
from labeling.queries.datasets import find_dataset
from labeling.rules.dataset_state import GROUND_TRUTH
from labeling.texts import encrypt
from releases.formats import registry
from releases.imports import commands, jobs
from releases.imports.counts import in_words
from releases.imports.wish import CATEGORIES, MODES, SAMPLES, checked_wish
from releases.models import ImportFinding, ImportJob

JSON = dict[str, Any]

#: Findings that are printed; the API and the admin have the others.
MOST_SHOWN = 100


class Command(DataCommand):
    """Imports as `POST /datasets/{owner}/{name}/imports/` does, without the queue; the job is kept like any other."""

    help = "Import a file, a ZIP archive or a folder of a format of others into a dataset."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("dataset", metavar="OWNER/NAME")
        parser.add_argument("format", metavar="FORMAT", help=f"one of {', '.join(sorted(registry.READ))}")
        parser.add_argument("file", metavar="FILE", type=Path, help="a file, a ZIP archive, or a folder")
        parser.add_argument("--by", required=True, metavar="USERNAME", help="who imports it")
        parser.add_argument("--dry-run", action="store_true", help="say what would be, and change nothing")
        parser.add_argument("--mode", choices=MODES, default=MODES[0], help="what becomes of labels that are there")
        parser.add_argument("--categories", choices=CATEGORIES, default=CATEGORIES[0], help="those that are new")
        parser.add_argument("--samples", choices=SAMPLES, default=SAMPLES[0], help="those that are new")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; a dataset may ask for it")
        parser.add_argument("--label-set", default=GROUND_TRUTH, metavar="NAME")
        parser.add_argument("--label-status", default="", metavar="STATUS", help="of labels that are new")
        parser.add_argument(
            "--option", action="append", default=[], metavar="NAME=VALUE", help="an option of reading the format"
        )

    def handle(self, **options: Any) -> None:
        """Import it.

        Raises:
            CommandError: no such dataset, person, format or file; the person may not; or the import failed.
        """
        bar = Bar(self.stderr)
        try:
            person = person_named(options["by"])
            owner, _, name = options["dataset"].partition("/")
            dataset = find_dataset(owner, name, person=person.id)
            wish = checked_wish(
                {key: options[key] for key in ("format", "mode", "categories", "samples", "label_set", "dry_run")}
                | {"label_status": options["label_status"]}
                | {"options": dict(_option(item) for item in options["option"])}
            )
            with _opened(options["file"]) as file:
                asset = assets.keep_file(file, owner=person.id, filename=file_name(options["file"]))
            reason = encrypt(options["reason"], person=person.id) if options["reason"] else None
            intent = Intent(author=person.id, author_kind="import", tool="import", reason=reason)
            job = commands.start_import(intent=intent, dataset=dataset.id, wish=wish, asset=asset, send=False)
        except NotFound as error:
            raise CommandError(error.message) from error
        except (PalimpsestError, OSError) as error:
            raise CommandError(str(error)) from error
        try:
            jobs.run(job.id, progress=lambda done, total: bar.show("samples", done, total or done))
        except KeyboardInterrupt:
            commands.cancel_job(intent=intent, job=job)
            raise CommandError(
                f"Stopped; what was imported stays. `manage.py undo_import {job.id}` takes it back."
            ) from None
        finally:
            bar.clear()
        job.refresh_from_db()
        self._tell(job)

    def _tell(self, job: ImportJob) -> None:
        for item in ImportFinding.objects.filter(job_id=job.id).order_by("number")[:MOST_SHOWN]:
            self.stdout.write(f"  {item.where}: {item.message}" + (" (note)" if item.level == "note" else ""))
        more = job.errors_count + job.notes_count - MOST_SHOWN
        if more > 0:
            self.stdout.write(f"  … and {more} more; GET /jobs/{job.id}/ has all of them")
        said = ", ".join(f"{number:,} {name}" for name, number in in_words(job.counts))
        self.stdout.write(f"{'Would be' if job.dry_run else 'Done'}: {said or 'nothing'}")
        if job.status != ImportJob.Status.SUCCEEDED:
            raise CommandError(job.error or f"The import is {job.status.lower()}.")
        if not job.dry_run:
            self.stdout.write(f"`manage.py undo_import {job.id} --by USERNAME` takes it back.")


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise CommandError("--option must be NAME=VALUE")
    return name, value


def file_name(path: Path) -> str:
    """The name under which a file is kept; a folder is kept as an archive."""
    return f"{path.resolve().name}.zip" if path.is_dir() else path.name


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file; a folder is packed first."""
    if not path.is_dir():
        with path.open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for item in sorted(path.rglob("*")):
                if item.is_file() and not item.is_symlink():
                    archive.write(item, item.relative_to(path).as_posix())
        packed.seek(0)
        yield packed
