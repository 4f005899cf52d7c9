"""`manage.py prove OWNER/NAME --event OFFSET | --since NUMBER`: a proof about a log by its signed checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.audit.asking import OTHERS
from labeling.errors import InvalidValue, NotFound
from labeling.log import store, values
from labeling.management.progress import DataCommand
from labeling.queries import trees
from labeling.queries.logs import log_named


class Command(DataCommand):
    """Writes proofs that `check_proof.py` checks anywhere."""

    help = (
        "Prove by a signed checkpoint that an event is in a log, or that the log of a checkpoint begins with that of an"
        " earlier one. `check_proof.py FILE` checks it without this installation, and without the other events."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("log", metavar="OWNER/NAME", help="a dataset (its id will do), installation or security")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--event", type=int, metavar="OFFSET", help="that this event is in the log")
        what.add_argument("--since", type=int, metavar="NUMBER", help="that the log only grew since this checkpoint")
        parser.add_argument("--checkpoint", type=int, metavar="NUMBER", help="by this checkpoint, not by the newest")
        parser.add_argument("--to", type=Path, metavar="FILE", help="write it there, and not to standard output")

    def handle(self, **options: Any) -> None:
        """Prove it.

        Raises:
            CommandError: no such log, checkpoint or event, or the file cannot be written.
        """
        name, number = options["log"], options["checkpoint"]
        try:
            log = OTHERS.get(name) or log_named(name)
            if options["event"] is not None:
                proof = trees.inclusion(log, offset=options["event"], number=number)
            else:
                proof = trees.consistency(log, first=options["since"], second=number)
        except NotFound as error:
            words = "The checkpoint was not found; `python3 manage.py checkpoint` signs one."
            raise CommandError(words if "checkpoint" in error.message else f"There is no dataset {name}.") from error
        except InvalidValue as error:
            option = {"offset": "--event", "from": "--since", "to": "--checkpoint"}.get(error.field, "--checkpoint")
            raise CommandError(f"{option} {error.problem}.") from error
        except store.LogGap as error:
            raise CommandError("The log is damaged; `manage.py verify` says where.") from error
        written = values.canonical(proof).decode()
        if options["to"] is None:
            self.stdout.write(written)
            return
        try:
            options["to"].write_text(written + "\n")
        except OSError as error:
            raise CommandError(f"{options['to']} cannot be written ({error.strerror}).") from error
        self.stdout.write(f"{options['to']}: to check it anywhere: python3 check_proof.py {options['to'].name}")
