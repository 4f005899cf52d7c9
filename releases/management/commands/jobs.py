"""`manage.py jobs list|show|watch|cancel|retry`: the jobs that make releases and exports and do imports."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.commands.people import person_named
from labeling.errors import NotFound, PalimpsestError
from labeling.log.event import Intent
from labeling.management.progress import Bar, DataCommand
from labeling.models import Person
from labeling.queries.logs import log_named, names_of_logs
from releases.build_jobs import BuildJob, build_job, cancel, retry
from releases.imports import commands as imports
from releases.models import ExportBuild, ImportJob, Release, ReleaseBuild

PENDING = "PENDING"
#: Without --all so many jobs are listed.
MOST = 20
LOOK_S = 0.5

Row = ReleaseBuild | ExportBuild | ImportJob


class Command(DataCommand):
    """Looks at jobs as `GET /jobs/{job}/` does, and stops or goes on with them as the API does."""

    help = "List jobs, show or watch one, stop it, or have one that failed or was stopped go on."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("what", choices=("list", "show", "watch", "cancel", "retry"))
        parser.add_argument("of", nargs="?", metavar="JOB", help="the job's uuid; of `list` OWNER/NAME, or nothing")
        parser.add_argument("--by", metavar="USERNAME", help="who stops it or has it go on")
        parser.add_argument("--all", action="store_true", help=f"list all jobs, not the newest {MOST}")

    def handle(self, **options: Any) -> None:
        """Do it.

        Raises:
            CommandError: there is no such dataset, job or person, the person may not, or the job is not in that state.
        """
        what, of = options["what"], options["of"]
        try:
            if what == "list":
                self._list(of, every=options["all"])
                return
            row = _row(of)
            if what in ("cancel", "retry"):
                if not options["by"]:
                    raise CommandError(f"Say who wants to {what} it: --by USERNAME.")
                _change(row, what, person_named(options["by"]))
                row = _row(of)
            if what == "watch":
                row = self._watched(row)
        except PalimpsestError as error:
            raise CommandError(error.message) from error
        self._tell([row])

    def _list(self, dataset: str | None, *, every: bool) -> None:
        log = log_named(dataset) if dataset else None
        builds = ReleaseBuild.objects.all()
        exports = ExportBuild.objects.all()
        jobs = ImportJob.objects.all()
        if log is not None:
            releases = Release.objects.filter(dataset_id=log).values("id")
            builds, exports = builds.filter(release_id__in=releases), exports.filter(release_id__in=releases)
            jobs = jobs.filter(dataset_id=log)
        most = None if every else MOST
        rows: list[Row] = [*builds.order_by("-updated_at")[:most], *exports.order_by("-updated_at")[:most]]
        rows += jobs.order_by("-updated_at")[:most]
        rows.sort(key=lambda row: row.updated_at, reverse=True)
        self._tell(rows[:most])
        if not rows:
            self.stdout.write("There are no jobs.")

    def _watched(self, row: Row) -> Row:
        """The job when it is over; until then a bar says how far it is."""
        bar = Bar(self.stderr)
        try:
            while row.status == PENDING:
                done = _done(row)
                bar.show("samples", done, row.samples_total or done)
                time.sleep(LOOK_S)
                row.refresh_from_db()
        except KeyboardInterrupt:
            raise CommandError("Not watched any more; the job goes on.") from None
        finally:
            bar.clear()
        return row

    def _tell(self, rows: Sequence[Row]) -> None:
        names = names_of_logs()
        releases = Release.objects.in_bulk({row.release_id for row in rows if not isinstance(row, ImportJob)})
        for row in rows:
            self._tell_one(row, names, releases)

    def _tell_one(self, row: Row, names: dict[uuid.UUID, str], releases: dict[uuid.UUID, Release]) -> None:
        if isinstance(row, ImportJob):
            key, dataset = row.id, row.dataset_id
            kind = "undo" if row.undoes else f"import of {row.wish.get('format')}{' (dry run)' * row.dry_run}"
        else:
            release = releases.get(row.release_id)
            dataset = release.dataset_id if release else uuid.UUID(int=0)
            key = row.id if isinstance(row, ExportBuild) else row.release_id
            name = release.name if release else "a release that is gone"
            kind = f"export of {name} as {row.format}" if isinstance(row, ExportBuild) else f"release {name}"
        far = f"{_done(row):,} of {row.samples_total:,}" if row.samples_total else f"{_done(row):,}"
        style = {"FAILED": self.style.ERROR, "SUCCEEDED": self.style.SUCCESS}.get(row.status, self.style.WARNING)
        self.stdout.write(f"{key}  {style(f'{row.status:9}')}  {names.get(dataset, '?')}: {kind}, {far} samples")
        if row.error:
            self.stdout.write(f"  {row.error}")


def _done(row: Row) -> int:
    return row.samples_done if isinstance(row, ImportJob) else row.samples_count


def _row(job: str | None) -> Row:
    try:
        key = uuid.UUID(job or "")
    except ValueError as error:
        raise CommandError("JOB must be the uuid that `jobs list` shows.") from error
    found: Row | None = (
        ImportJob.objects.filter(id=key).first()
        or ExportBuild.objects.filter(id=key).first()
        or ReleaseBuild.objects.filter(release_id=key).first()
    )
    if found is None:
        raise NotFound("The job")
    return found


def _change(row: Row, what: str, person: Person) -> None:
    """Stop it or have it go on, as this person.

    Raises:
        NotFound, NotPermitted: the person may not.
        Refused: it is over, or did not fail.
    """
    if isinstance(row, ImportJob):
        intent = Intent(author=person.id, tool="manage.py jobs")
        (imports.cancel_job if what == "cancel" else imports.retry_job)(intent=intent, job=row)
        return
    key = row.id if isinstance(row, ExportBuild) else row.release_id
    job: BuildJob = build_job(key, person=person.id, action="release")
    (cancel if what == "cancel" else retry)(job)
