"""`manage.py changepassword [USERNAME]`: Django's, of which the log knows that it happened."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.core.management.base import CommandError

from labeling import events as e
from labeling.commands.people import append_of_person, operator
from labeling.models import Person


class Command(changepassword.Command):
    """Gives an account another password, and tells of it in the installation's log."""

    def handle(self, *arguments: Any, **options: Any) -> str | None:
        """Ask for the password and set it.

        Raises:
            CommandError: there is no such account, its person's data was erased, or no good password was given.
        """
        options["username"] = options["username"] or getpass.getuser()
        person = Person.objects.filter(username=options["username"]).first()
        if person is not None and person.erased_at is not None:
            raise CommandError("This person's data was erased, so the account stays as it is; make a new one.")
        said = super().handle(*arguments, **options)
        assert person is not None  # Django's refuses a name that nobody has
        append_of_person(operator("changepassword"), f"person/{person.id}", e.PersonChanged(password=True))
        return said
