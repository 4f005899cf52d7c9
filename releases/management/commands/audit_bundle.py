"""`manage.py audit_bundle OWNER/NAME FILE.zip [--from PLACE] [--to PLACE]`: what is checked without the server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.commands.checkpoints import sign_checkpoint
from labeling.commands.people import operator
from labeling.errors import Busy, InvalidValue, NotFound
from labeling.log import store
from labeling.management.progress import Bar, DataCommand
from labeling.queries.logs import log_named
from labeling.signing import SigningFailed
from releases.audit import bundle
from releases.audit.bundle import NothingToSeal, Range, place_named


class Command(DataCommand):
    """Seals a bundle; its bytes follow from the logs up to the offsets that it prints."""

    help = (
        "Write a sealed bundle of a dataset: its events with their chain, the signed checkpoints, the manifests of its"
        " releases, the public keys, the audit reports, and the programs that check it all without this installation."
        " A checkpoint of the log is signed before, if there is a key. PLACE is an offset or a time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("dataset", metavar="OWNER/NAME")
        parser.add_argument("file", metavar="FILE.zip", type=Path, help="the archive to write; must not be there yet")
        parser.add_argument("--from", dest="begin", metavar="PLACE", help="only the events from here on")
        parser.add_argument("--to", dest="end", metavar="PLACE", help="only the events up to here")
        for name in ("installation", "security"):
            parser.add_argument(
                f"--{name}-at",
                type=int,
                metavar="OFFSET",
                help=f"read the {name} log only up to here, as an index says",
            )

    def handle(self, **options: Any) -> None:
        """Write it.

        Raises:
            CommandError: no such dataset or place, the log is damaged, or the file cannot be written.
        """
        file: Path = options["file"]
        bar = Bar(self.stderr)
        try:
            log = log_named(options["dataset"])
            begin, end = (place_named(log, options[name], first=name == "begin") for name in ("begin", "end"))
            if file.exists():
                raise CommandError(f"Nothing was written: {file} is there already.")
            if end is None and options["installation_at"] is None:
                sign_checkpoint(intent=operator("audit_bundle"), log=log)
            others = {name: options[f"{name}_at"] for name in ("installation", "security") if options[f"{name}_at"]}
            with file.open("xb") as sink:
                try:
                    sealed = bundle.seal(log, sink, Range(begin or 1, end, others), progress=bar.show)
                except BaseException:
                    file.unlink()
                    raise
        except NotFound as error:
            raise CommandError(f"There is no dataset {options['dataset']}.") from error
        except InvalidValue as error:
            raise CommandError(f"--{error.field}: {error.problem}") from error
        except NothingToSeal as error:
            raise CommandError("Nothing was written: there is no event from there to there.") from error
        except store.LogGap as error:
            raise CommandError("Nothing was written: the log is damaged; `manage.py verify` says where.") from error
        except (SigningFailed, Busy, OSError) as error:
            raise CommandError(f"Nothing was written: {error}") from error
        finally:
            bar.clear()
        index = sealed.index
        signed = "signed" if sealed.is_signed else "not signed, because there is no key (`manage.py signing_key new`)"
        self.stdout.write(f"{file}: events {index['first_offset']} to {index['last_offset']}, {signed}.")
        self.stdout.write(f"Its index has the SHA-256 {sealed.sha256}; chain {index['chain']}.")
        self.stdout.write(f"To check it anywhere: python3 check_bundle.py {file.name}")
