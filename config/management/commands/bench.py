"""`manage.py bench NAME [--json]`: measure, beside a peer or a limit of the same run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.bench import FULL, FULL_LABELS, LENGTHS
from config.embedded import lease
from config.home import CHECKOUT

#: Seconds that a server may take to stop; it writes out what it has in memory.
STOPS_IN_S = 60
BENCHES = Path(__file__).parents[2] / "bench"
NOT_BENCHES = {"__init__", "files_of_others", "million", "processor", "server"}


def names() -> list[str]:
    return sorted(file.stem for file in BENCHES.glob("*.py") if file.stem not in NOT_BENCHES)


class Command(BaseCommand):
    """Runs one bench in a process and a data directory of its own; exits with 1 when a target is not met."""

    help = "Measure, on a database of its own that is thrown away. NAME is one of: " + ", ".join(names()) + "."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("name", choices=names())
        parser.add_argument("--json", action="store_true", help="print the rows as JSON")
        parser.add_argument(
            "--samples",
            type=int,
            metavar="N",
            help="how many samples the large dataset of `api` has; 1,000,000 unless said",
        )
        parser.add_argument(
            "--annotations", type=int, metavar="N", help="how many `imports` and `release_imports` bring in"
        )
        parser.add_argument(
            "--events", type=int, metavar="N", help="of how many events `history` asks a year's report; 1,000,000"
        )
        parser.add_argument(
            "--labels", type=int, metavar="N", help="how many labels `release` exports; 100,000 unless said"
        )
        parser.add_argument(
            "--full",
            action="store_true",
            help="`scale` also measures a log of 10,000,000 events: half an hour and 12 GB more; `release` exports"
            " 1,000,000 labels",
        )

    def handle(self, **options: Any) -> None:
        """Run it and print its rows.

        Raises:
            CommandError: the bench failed, or a target was not met.
        """
        sizes = [] if options["samples"] is None else [str(options["samples"])]
        if sizes and (options["name"] != "api" or options["samples"] < 100):
            raise CommandError("--samples is for `bench api`, which needs 100 or more.")
        if options["annotations"] is not None:
            if options["name"] not in ("imports", "release_imports") or options["annotations"] < 100:
                raise CommandError("--annotations is for `bench imports` and `release_imports`; 100 or more.")
            sizes = [str(options["annotations"])]
        if options["events"] is not None:
            if options["name"] != "history" or options["events"] < 20_000:
                raise CommandError("--events is for `bench history`, which needs 20,000 or more.")
            sizes = [str(options["events"])]
        if options["labels"] is not None:
            if options["name"] != "release" or options["labels"] < 1000:
                raise CommandError("--labels is for `bench release`, which needs 1,000 or more.")
            sizes = [str(options["labels"])]
        if options["full"]:
            if options["name"] not in ("scale", "release"):
                raise CommandError("--full is for `bench scale` and `bench release`.")
            whole = (*LENGTHS, FULL) if options["name"] == "scale" else (FULL_LABELS,)
            sizes = [str(length) for length in whole]
        with tempfile.TemporaryDirectory(prefix="palimpsest-bench-") as folder:
            home = Path(folder) / "home"
            environment = {name: value for name, value in os.environ.items() if name not in ("PALIMPSEST_DATABASE",)}
            environment |= {"PALIMPSEST_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.settings"}
            environment.pop("DATABASE_URL", None)
            done = subprocess.run(
                [sys.executable, "-m", f"config.bench.{options['name']}", *sizes],
                cwd=CHECKOUT,
                env=environment,
                stdout=subprocess.PIPE,
                check=False,
            )
            if home.exists():  # its server stops when the bench is gone, and writes until then
                lease.wait_until_stopped(home, STOPS_IN_S)
        if done.returncode != 0:
            raise CommandError(f"The bench ended with {done.returncode}.")
        rows = json.loads(done.stdout)
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2))
        else:
            self._table(rows)
        missed = [row["case"] for row in rows if row["met"] is False]
        if missed:
            raise CommandError("Not met: " + "; ".join(missed))

    def _table(self, rows: list[dict[str, Any]]) -> None:
        wide = max(len(row["case"]) for row in rows)
        self.stdout.write(f"{'case':<{wide}}  {'ours':>9}  {'peer':>9}  {'ratio':>7}  {'target':>7}  met")
        for row in rows:
            cells = [row[key] if row[key] is not None else "–" for key in ("ours", "peer", "ratio", "target")]
            met = {True: "yes", False: "NO", None: "–"}[row["met"]]
            shown = [f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells]
            self.stdout.write(
                f"{row['case']:<{wide}}  {shown[0]:>9}  {shown[1]:>9}  {shown[2]:>7}  {shown[3]:>7}  {met}"
                f"  ({row['unit']})"
            )
