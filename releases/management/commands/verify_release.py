"""`manage.py verify_release OWNER/NAME RELEASE`: write a release again from the log, and compare every byte."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.errors import NotFound
from labeling.management.logs import log_named
from labeling.management.progress import Bar, DataCommand
from labeling.models import Sample
from releases import checks, queries


class Command(DataCommand):
    """Folds the log at the release's offset once more; nothing is stored."""

    help = "Write a release again from the log, and compare it with its file and its manifest."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("dataset", metavar="OWNER/NAME")
        parser.add_argument("release", metavar="RELEASE")

    def handle(self, **options: Any) -> None:
        """Verify it.

        Raises:
            CommandError: no such release, or its file, its manifest or the log do not agree.
        """
        bar = Bar(self.stderr)
        try:
            found = queries.find_release(log_named(options["dataset"]), options["release"])
        except NotFound as error:
            raise CommandError("There is no such dataset or release.") from error
        if found.build is None or not found.is_built:
            raise CommandError(f"Its file is not made yet ({found.status.lower()}).")
        build, total = found.build, Sample.objects.filter(dataset_id=found.release.dataset_id).count()
        try:
            problem = checks.problem_with(found, build, progress=lambda count: bar.show("from the log", count, total))
        finally:
            bar.clear()
        if problem is not None:
            raise CommandError(f"Release {found.release.name}: {problem}")
        self.stdout.write(
            f"Sound: {build.samples_count} samples, {build.size_bytes} bytes from offset"
            f" {found.release.at_offset}.\nidentity {build.identity}"
        )
