"""`manage.py erase_person PERSON [--erase --by USERNAME --reason TEXT]`: what erasing somebody takes; then take it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.commands.erasure import erase_person, person_to_erase, plan_erasure
from labeling.commands.people import person_named
from labeling.errors import PalimpsestError
from labeling.log.event import Intent
from labeling.management.progress import DataCommand
from labeling.models import Person
from labeling.texts import encrypt


class Command(DataCommand):
    """Says what would go, what would stay and why; with --erase it does it, and that cannot be taken back."""

    help = "Erase a person's data; what they did stays in the history, by a number. Without --erase it only says what."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("person", metavar="PERSON", nargs="?", help="a username or the id of a person")
        parser.add_argument("--erase", action="store_true", help="do it; it cannot be taken back")
        parser.add_argument("--by", metavar="USERNAME", help="who erases: somebody who runs the installation")
        parser.add_argument("--reason", metavar="TEXT", help="why, in words that do not name the person")
        parser.add_argument(
            "--list", action="store_true", help="list who was erased, to do it again after an older backup was restored"
        )

    def handle(self, **options: Any) -> None:
        """Say what would go, or erase.

        Raises:
            CommandError: there is no such person, or it is refused; nothing was erased.
        """
        if options["list"]:
            self._list()
            return
        if not options["person"]:
            raise CommandError("Say whom: a username or the id of a person, or --list.")
        try:
            person = person_to_erase(options["person"])
            if options["erase"]:
                self._erase(person, options["by"], options["reason"])
            else:
                self._plan(person)
        except PalimpsestError as error:
            raise CommandError(error.message) from error

    def _plan(self, person: Person) -> None:
        plan = plan_erasure(person)
        for title, rows in (("This goes:", plan.going), ("This stays:", plan.staying)):
            self.stdout.write(title)
            for what, count, why in rows:
                self.stdout.write(f"  {'' if count is None else count:>6}  {what}: {why}")
        self.stdout.write(
            f"Nothing was changed. To erase {person.username} for good: add --erase --by USERNAME --reason TEXT"
        )

    def _erase(self, person: Person, by: str | None, reason: str | None) -> None:
        if not by or not reason:
            raise CommandError("Say who erases, with --by, and why, with --reason; the log keeps both.")
        author = person_named(by)
        intent = Intent(author=author.id, tool="erase_person", reason=encrypt(reason, person=author.id))
        number = erase_person(intent=intent, person=person)
        self.stdout.write(f"Erased. What they did is told of erased-{number:04d} ({person.id}) from now on.")
        self.stdout.write("Backups that were made before still hold their data; let them expire.")

    def _list(self) -> None:
        erased = Person.objects.exclude(erased_at=None).order_by("erased_at")
        for person in erased:
            self.stdout.write(f"{person.username}  {person.id}  {person.erased_at:%Y-%m-%d %H:%M} UTC")
        if not erased:
            self.stdout.write("Nobody was erased.")
