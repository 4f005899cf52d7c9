"""`manage.py release OWNER/NAME NAME --by USERNAME`: cut a release, and make its file here and now."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connection

from labeling.api.requests import place_said
from labeling.commands.people import person_named
from labeling.errors import InvalidValue, NotFound, PalimpsestError
from labeling.log import values
from labeling.log.event import Intent
from labeling.management.progress import Bar, DataCommand
from labeling.queries.logs import log_named
from releases import builds, commands, exports, queries
from releases.models import Build, Release, ReleaseBuild
from releases.terms import IMAGES

JSON = dict[str, Any]

#: What `--choice` may hold; releases.choice has what each of them means.
CHOICE = ("filter", "category_map", "splits")
LOOK_S = 0.2


class Command(DataCommand):
    """Cuts as `POST /datasets/{owner}/{name}/releases/` does; workers that run meanwhile help to make the file."""

    help = "Freeze a dataset, or a choice of it, as a named release, and make its file."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("dataset", metavar="OWNER/NAME")
        parser.add_argument("name", metavar="NAME", help="of the release; must be free")
        parser.add_argument("--by", required=True, metavar="USERNAME", help="who cuts it")
        parser.add_argument("--description", default="", metavar="TEXT")
        parser.add_argument("--at", metavar="PLACE", help="an earlier offset, time, event or release; now unless said")
        parser.add_argument(
            "--choice", type=Path, metavar="FILE", help=f"a JSON object with any of {', '.join(CHOICE)}, as in the API"
        )
        parser.add_argument("--images", choices=IMAGES, help="whether its archive holds the pictures")
        parser.add_argument("--base", metavar="RELEASE", help="hold only the difference to this release")
        parser.add_argument(
            "--format", action="append", metavar="FORMAT", help="export it too; `export` writes the archive to a file"
        )
        parser.add_argument("--supersedes", metavar="RELEASE", help="stand in the place of this release")

    def handle(self, **options: Any) -> None:
        """Cut it, make its file, and tell its identity.

        Raises:
            CommandError: no such dataset or person, the person may not, an option does not fit, or the file could not
                be made.
        """
        try:
            dataset = log_named(options["dataset"])
        except NotFound as error:
            raise CommandError(f"There is no dataset {options['dataset']}; write it as OWNER/NAME.") from error
        try:
            person = person_named(options["by"])
            release = commands.cut_release(
                intent=Intent(author=person.id, tool="manage.py release"),
                dataset=dataset,
                name=options["name"],
                description=options["description"],
                at=_place(options["at"]),
                **_choice(options["choice"]),
                **{name: options[name] for name in ("images", "base", "supersedes")},
                formats=options["format"],
            )
        except (PalimpsestError, values.BadValue, OSError) as error:
            raise CommandError(str(error)) from error
        self._made(Release.objects.get(id=release))
        self._tell(release)
        self._export(release)

    def _made(self, release: Release) -> None:
        """Make the file, however much of it others make."""
        try:
            with self._watched(release):
                while True:
                    builds.build(release.id)
                    if not ReleaseBuild.objects.filter(release_id=release.id, status=Build.Status.PENDING).exists():
                        return
                    time.sleep(LOOK_S)
        except KeyboardInterrupt:
            builds.cancel(release.id)
            raise CommandError(
                f"Stopped; {release.name} is cut, and its file is not made. Make it in the admin, or withdraw it."
            ) from None

    @contextmanager
    def _watched(self, release: Release) -> Iterator[None]:
        """A bar of how far everybody is, on a terminal."""
        over, bar = threading.Event(), Bar(self.stderr)

        def watch() -> None:
            try:
                while not over.wait(LOOK_S):
                    row = ReleaseBuild.objects.filter(release_id=release.id).first()
                    if row is not None:
                        bar.show("samples", row.samples_count, row.samples_total or row.samples_count)
            finally:
                connection.close()  # of this thread

        watcher = threading.Thread(target=watch, daemon=True)
        if self.stderr.isatty():
            watcher.start()
        try:
            yield
        finally:
            over.set()
            if watcher.ident is not None:
                watcher.join()
            bar.clear()

    def _tell(self, release: Any) -> None:
        found = queries.release_by_id(release)
        build = found.build
        if build is None or build.status != Build.Status.SUCCEEDED:
            raise CommandError(f"The file could not be made: {build.error if build else 'it was taken back'}")
        row = found.release
        self.stdout.write(f"{row.name}: offset {row.at_offset}, {build.samples_count:,} samples")
        self.stdout.write(f"  identity  {build.identity}")
        self.stdout.write(f"  file      {build.size_bytes:,} bytes, SHA-256 {build.sha256}")
        if build.signature:
            self.stdout.write(f"  signed    by key {build.signature['key']}")
        if build.labels_left_out:
            self.stdout.write(f"  left out  {build.labels_left_out:,} labels that the file cannot say")

    def _export(self, release: Any) -> None:
        failed = []
        for job in queries.exports_of(release):
            while job.status == Build.Status.PENDING:
                exports.build(job.id)
                job.refresh_from_db()
                time.sleep(LOOK_S if job.status == Build.Status.PENDING else 0)
            if job.status == Build.Status.SUCCEEDED:
                self.stdout.write(f"  {job.format}: {job.size_bytes:,} bytes, SHA-256 {job.sha256}")
            elif job.status == Build.Status.FAILED:
                failed.append(f"{job.format}: {job.error}")
        if failed:
            raise CommandError("It is cut, and not exported: " + "; ".join(failed))


def _place(text: str | None) -> Any:
    return None if text is None else place_said(text, "--at")


def _choice(path: Path | None) -> JSON:
    if path is None:
        return {}
    found = values.parse(path.read_bytes(), where=str(path))
    if not isinstance(found, dict) or not found.keys() <= set(CHOICE):
        raise InvalidValue("--choice", f"must be a file with a JSON object of {', '.join(CHOICE)}")
    return found
