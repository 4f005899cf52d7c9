"""`manage.py retention [--keep KIND DAYS] [--hold …] [--lift …] [--purge]`: how long data is kept, and legal holds."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.commands import retention as commands
from labeling.commands.people import person_named
from labeling.errors import PalimpsestError
from labeling.log.event import Intent
from labeling.management.progress import DataCommand
from labeling.queries.retention import name_of_held, retention
from labeling.rules.retention import KINDS
from labeling.texts import encrypt


class Command(DataCommand):
    """Says how long what is in no log is kept and what is held; sets it; and purges what the sweeper would."""

    help = "Say or set how long data that is in no log is kept, and place or lift legal holds."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--keep", nargs=2, metavar=("KIND", "DAYS"), help="for so many days, or `ever`")
        parser.add_argument("--hold", metavar="OWNER/NAME or USERNAME", help="purge and erase nothing of it")
        parser.add_argument("--lift", metavar="OWNER/NAME or USERNAME", help="lift the hold")
        parser.add_argument("--purge", action="store_true", help="destroy now what was kept for long enough")
        parser.add_argument("--by", metavar="USERNAME", help="who says so: somebody who runs the installation")
        parser.add_argument("--reason", metavar="TEXT", help="why")

    def handle(self, **options: Any) -> None:
        """Do what is asked, and say how it is then.

        Raises:
            CommandError: it is refused; nothing was changed.
        """
        try:
            if options["keep"] or options["hold"] or options["lift"]:
                self._change(**options)
            if options["purge"]:
                for kind, count in commands.purge().items():
                    self.stdout.write(f"{kind}: {count} purged")
        except PalimpsestError as error:
            raise CommandError(error.message) from error
        self._show()

    def _change(self, **options: Any) -> None:
        if not options["by"] or not options["reason"]:
            raise CommandError("Say who changes it, with --by, and why, with --reason; the log keeps both.")
        author = person_named(options["by"])
        intent = Intent(author=author.id, tool="retention", reason=encrypt(options["reason"], person=author.id))
        if options["keep"]:
            kind, days = options["keep"]
            if days != "ever" and not (days.isascii() and days.isdigit()):
                raise CommandError("DAYS is a whole number, or `ever`.")
            commands.set_retention(intent=intent, kind=kind, days=None if days == "ever" else int(days))
        for name, act in (("hold", commands.place_hold), ("lift", commands.lift_hold)):
            if options[name]:
                what, key = commands.held_by_name(options[name])
                act(intent=intent, what=what, key=key)

    def _show(self) -> None:
        now = retention()
        for name, kind in KINDS.items():
            days = now.kept_days(name)
            self.stdout.write(f"{name:<11} {'for ever' if days is None else f'{days} days':<10} {kind.words}")
        for what, key in sorted(now.holds):
            self.stdout.write(f"held: {what} {name_of_held(what, key)}")
