"""`manage.py checkpoint [--dataset OWNER/NAME] [--to FOLDER]`: sign what the logs are now, to be carried away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling import signing
from labeling.commands.checkpoints import sign_all, sign_checkpoint
from labeling.commands.people import operator
from labeling.errors import Busy, NotFound
from labeling.log import stored
from labeling.management.progress import DataCommand
from labeling.models import SigningKey
from labeling.queries import checkpoints
from labeling.queries.checkpoints import Checkpoint
from labeling.queries.logs import log_named, names_of_logs


class Command(DataCommand):
    """Signs checkpoints, and copies the newest of each log into a folder."""

    help = (
        "Sign a checkpoint of every log in which something happened since its last one. Keep copies where nobody who"
        " runs this installation can change them: with one it can be shown that a log was cut off, or written anew."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--dataset", metavar="OWNER/NAME", help="only this dataset (its id will do)")
        parser.add_argument("--to", metavar="FOLDER", help="copy the newest checkpoint of each log there, a file each")

    def handle(self, **options: Any) -> None:
        """Sign.

        Raises:
            CommandError: there is no key, no such dataset, or a file cannot be written.
        """
        if not SigningKey.objects.filter(retired_at=None).exists():
            raise CommandError("There is no signing key; `python3 manage.py signing_key new` makes one.")
        only = None
        if options["dataset"]:
            try:
                only = log_named(options["dataset"])
            except NotFound as error:
                raise CommandError(f"There is no dataset {options['dataset']}.") from error
        intent = operator("checkpoint")
        try:
            made = sign_all(intent=intent) if only is None else [sign_checkpoint(intent=intent, log=only)]
        except (signing.SigningFailed, Busy) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The checkpoint cannot be written ({error.strerror or error}).") from error
        names = names_of_logs()
        signed = [item for item in made if item is not None]
        for item in signed:
            name = next((name for log, name in names.items() if str(log) == item.stated["log"]), item.stated["log"])
            self.stdout.write(f"{name}: checkpoint {item.number} at offset {item.offset}, chain {item.chain[:16]}…")
        if not signed:
            self.stdout.write("Nothing happened since the last checkpoints.")
        if options["to"]:
            newest = [checkpoints.last_of(log) for log in ([only] if only else stored.logs())]
            self._copy([item for item in newest if item is not None], Path(options["to"]))

    def _copy(self, found: list[Checkpoint], folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for item in found:
                path = folder / f"{item.stated['log']}-{Path(item.path).name}"
                path.write_bytes(item.document)
        except OSError as error:
            raise CommandError(f"{folder} cannot be written to ({error.strerror}).") from error
        self.stdout.write(f"{len(found)} file{'' if len(found) == 1 else 's'} in {folder}.")
