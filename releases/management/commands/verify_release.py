"""`manage.py verify_release OWNER/NAME RELEASE`: write a release again from the log, and compare every byte."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.errors import NotFound
from labeling.management.progress import Bar, DataCommand
from labeling.models import Sample
from labeling.queries.logs import log_named
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
            found = queries.any_release(log_named(options["dataset"]), options["release"])
        except NotFound as error:
            raise CommandError("There is no such dataset or release.") from error
        if found.release.withdrawn and not (found.build and found.build.path):
            raise CommandError("That release was withdrawn, and its file is gone; its manifest stays.")
        if found.build is None or not found.is_built:
            raise CommandError(f"Its file is not made yet ({found.status.lower()}).")
        build, total = found.build, Sample.objects.filter(dataset_id=found.release.dataset_id).count()
        try:
            problem = checks.problem_with(found, build, progress=lambda count: bar.show("from the log", count, total))
            if problem is not None:
                raise CommandError(f"Release {found.release.name}: {problem}")
            assets = checks.check_assets(found, build, progress=lambda count: bar.show("assets", count, count))
        finally:
            bar.clear()
        for line in assets.erased:
            self.stdout.write(f"erased: {line}")
        for line in assets.problems:
            self.stdout.write(line)
        if assets.problems:
            raise CommandError(f"Release {found.release.name}: {len(assets.problems)} of its assets are damaged.")
        self.stdout.write(
            f"{'Sound, but for what was erased' if assets.erased else 'Sound'}: {build.samples_count} samples,"
            f" {build.size_bytes} bytes from offset {found.release.at_offset}, {assets.good} assets.\n"
            f"identity {build.identity}"
        )
