"""`manage.py apikey USERNAME [--create] [--scope SCOPE] [--reason TEXT]`: make an API key, the last word printed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from labeling.commands.people import add_person, change_person, create_key, operator, person_named
from labeling.errors import InvalidValue, NotFound, Refused
from labeling.log.event import Intent
from labeling.management.progress import DataCommand
from labeling.models import Person
from labeling.rules.access import ORIGINS, SCOPES
from labeling.texts import encrypt


class Command(DataCommand):
    """Makes a key for a person, an organisation or a service. Only its hash is kept, so it is shown this once."""

    help = "Make an API key for a user; the key is the last word of the output and is shown only once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("username", metavar="USERNAME")
        parser.add_argument("--create", action="store_true", help="make the user if there is none of that name")
        parser.add_argument("--name", default="", metavar="TEXT", help="what the key is for, to tell it from others")
        parser.add_argument(
            "--scope", choices=SCOPES, default="manage", help="what it may do: only read, also label, or all (manage)"
        )
        parser.add_argument(
            "--origin", choices=ORIGINS, default="person", help="who acts with it: a person, a model or a service"
        )
        parser.add_argument("--superuser", action="store_true", help="let the user into the admin with all rights")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; the log keeps it")

    def handle(self, **options: Any) -> None:
        """Make the key.

        Raises:
            CommandError: there is no such user and --create is not given, the username cannot be one, the user may not
                log in any more, or has too many keys; or an account that is there gets rights without a reason.
        """
        reason = options["reason"].strip()
        with transaction.atomic():
            person = self._person(options["username"], create=options["create"], superuser=options["superuser"])
            if options["superuser"] and not (person.is_staff and person.is_superuser):
                self._give_rights(person, reason)
            chosen = {key: options[key] for key in ("name", "scope", "origin")}
            try:
                _, secret = create_key(intent=self._intent(person, reason), person=person, **chosen)
            except (InvalidValue, Refused) as error:
                raise CommandError(error.message) from error
        self.stdout.write(f"A new API key of {person.username}, shown this once: {secret}")

    def _person(self, username: str, *, create: bool, superuser: bool) -> Person:
        try:
            person = person_named(username)
        except NotFound as error:
            if not create:
                raise CommandError(f"Nobody has the username {username}; add --create to make the account.") from error
            try:
                return add_person(intent=operator("apikey"), username=username, superuser=superuser)
            except InvalidValue as invalid:
                raise CommandError(f"The {invalid.field} {invalid.problem}.") from invalid
        if not person.is_active:
            raise CommandError(f"{username} is deactivated, so a key would open nothing; activate the account first.")
        return person

    def _give_rights(self, person: Person, reason: str) -> None:
        if not reason and "account" in settings.REASONS_REQUIRED:
            raise CommandError(
                f"{person.username} has an account already. Say with --reason why it gets all rights; the log keeps it."
            )
        rights = {"is_staff": True, "is_superuser": True}
        change_person(intent=self._intent(person, reason), person=person, fields=rights)

    def _intent(self, person: Person, reason: str) -> Intent:
        """Who is at the machine has no key for what they write, so it is sealed with that of whom it is about."""
        intent = operator("apikey")
        return replace(intent, reason=encrypt(reason, person=person.id)) if reason else intent
