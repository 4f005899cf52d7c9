"""`manage.py signing_key new|list|retire`: the keys that releases, checkpoints and bundles are signed with."""

from __future__ import annotations

import base64
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling import signing
from labeling.commands.people import operator
from labeling.commands.signing_keys import add_signing_key, retire_signing_key
from labeling.errors import AlreadyExists, NotFound, Refused
from labeling.management.progress import DataCommand
from labeling.queries.signing_keys import signing_keys
from labeling.signing import SigningFailed

TOOL = "signing_key"


class Command(DataCommand):
    """Makes, lists and retires keys. Only public halves are in the log; this prints no private one."""

    help = (
        "Make, list or retire the Ed25519 keys that this installation signs with. A private key is kept in the data"
        " directory; where several machines sign, give all of them the same SIGNING_KEY and say `new` once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("what", choices=("new", "list", "retire"))
        parser.add_argument("key", nargs="?", metavar="KEY", help="the id of the key to retire")

    def handle(self, **options: Any) -> None:
        """Do it.

        Raises:
            CommandError: there is no such key, it was retired before, or the private half cannot be kept.
        """
        what, key = options["what"], options["key"]
        if (what == "retire") != (key is not None):
            raise CommandError("Say which: `signing_key retire KEY`, and a KEY only there; `list` shows them.")
        try:
            {"new": self._new, "list": self._list, "retire": lambda: self._retire(key)}[what]()
        except AlreadyExists as error:
            raise CommandError("The key of SIGNING_KEY is known; set another for a new one.") from error
        except NotFound as error:
            raise CommandError("There is no such signing key; `signing_key list` shows them.") from error
        except (Refused, SigningFailed) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The key cannot be kept in the data directory ({error.strerror}).") from error

    def _new(self) -> None:
        key = add_signing_key(intent=operator(TOOL))
        self._list()
        self.stdout.write(f"From now on this installation signs with {key}.")

    def _retire(self, key: str) -> None:
        was_here = retire_signing_key(intent=operator(TOOL), key=key)
        self.stdout.write(
            f"Retired {key}: it signs nothing more, and what it signed stays valid."
            + (" Its private half is destroyed." if was_here else " Its private half was not in this data directory.")
        )

    def _list(self) -> None:
        rows = signing_keys()
        for row in rows:
            private = "" if row.retired_at else ", private half " + ("here" if _is_here(row.key) else "NOT here")
            used = f"retired {row.retired_at:%Y-%m-%d}" if row.retired_at else "in use"
            public = base64.b64encode(bytes.fromhex(row.public)).decode()
            self.stdout.write(f"{row.key}  {public}  since {row.added_at:%Y-%m-%d}, {used}{private}")
        if not rows:
            self.stdout.write("There is no signing key; `signing_key new` makes one.")


def _is_here(key: str) -> bool:
    return signing.private_half(key) is not None
