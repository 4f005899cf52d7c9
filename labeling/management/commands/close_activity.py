"""`manage.py close_activity [--days N] [--dry-run]`: put away what people's heartbeats amount to, and delete them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.commands import activity
from labeling.management.progress import Bar, DataCommand


class Command(DataCommand):
    """Closes days of work now, which the sweeper does by itself after a time. Working time stays what it is."""

    help = "Close the days of work whose signals were kept for long enough: what they amount to goes into the log."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--days", type=int, metavar="N", help="keep the signals of the last N days (as the retention says)"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be closed")

    def handle(self, **options: Any) -> None:
        """Close them.

        Raises:
            CommandError: less than a day was asked for: a day that is not over cannot be closed.
        """
        days = options["days"]
        if days is not None and not 1 <= days <= 36_500:
            raise CommandError("--days must be from 1 to 36500; a day that is not over cannot be closed.")
        found = activity.days_to_close(kept_days=days, most=None)
        if options["dry_run"]:
            for dataset, day in found:
                self.stdout.write(f"{day}  dataset {dataset}")
            self.stdout.write(f"{len(found)} days of datasets would be closed.")
            return
        bar = Bar(self.stdout)
        for number, (dataset, day) in enumerate(found, 1):
            activity.close_day(dataset, day)
            bar.show("days of work", number, len(found))
        bar.clear()
        self.stdout.write(f"{len(found)} days of datasets are closed; their signals are deleted.")
