"""`manage.py export OWNER/NAME RELEASE FORMAT FILE [--option NAME=VALUE …]`: write a release in a format of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.errors import InvalidValue, NotFound
from labeling.management.progress import Bar, DataCommand
from labeling.models import Sample
from labeling.queries.logs import log_named
from labeling.rules.dataset_state import GROUND_TRUTH
from releases import exports, packing, queries, reading
from releases.formats import registry
from releases.formats.format import ExportStopped
from releases.snapshots import SnapshotFailed


class Command(DataCommand):
    """Writes the archive here and now, without the queue; its bytes are those that the API gives."""

    help = "Write a release in a format of others, as one ZIP archive."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("dataset", metavar="OWNER/NAME")
        parser.add_argument("release", metavar="RELEASE")
        parser.add_argument("format", metavar="FORMAT", help=f"one of {', '.join(sorted(registry.WRITTEN))}")
        parser.add_argument("file", metavar="FILE", type=Path, help="the archive to write; must not be there yet")
        parser.add_argument("--label-set", default=GROUND_TRUTH, metavar="NAME")
        parser.add_argument(
            "--option", action="append", default=[], metavar="NAME=VALUE", help="an option of the format"
        )

    def handle(self, **options: Any) -> None:
        """Write it.

        Raises:
            CommandError: no such dataset, release, format, label set or option, or the file cannot be written.
        """
        said = {name: value for name, _, value in (item.partition("=") for item in options["option"])}
        bar = Bar(self.stderr)
        file: Path = options["file"]
        try:
            kind, parsed = exports.checked(options["format"], said)
            found = queries.find_release(log_named(options["dataset"]), options["release"])
            total = Sample.objects.filter(dataset_id=found.release.dataset_id).count()
            dataset, samples = reading.read(
                queries.state_of(found.release),
                label_set=options["label_set"],
                progress=lambda count: bar.show(kind.title, count, total),
            )
            with file.open("xb") as sink:
                try:
                    packed = packing.pack(kind, dataset, samples, parsed, sink)
                except BaseException:
                    file.unlink()
                    raise
        except reading.NoLabelSet as error:
            raise CommandError(f"--label-set {error}") from error
        except InvalidValue as error:
            raise CommandError(f"{error}") from error
        except NotFound as error:
            raise CommandError("There is no such dataset or release.") from error
        except (ExportStopped, SnapshotFailed, OSError) as error:
            raise CommandError(f"Nothing was written: {error}") from error
        finally:
            bar.clear()
        self.stdout.write(f"{file}: {packed.size_bytes} bytes, SHA-256 {packed.sha256}")
        for loss in packed.losses:
            self.stdout.write(f"  {loss['what']}: {loss['became']}, {loss['times']} times")
