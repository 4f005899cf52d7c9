"""`manage.py createsuperuser`: Django's, whose account the log knows too."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import createsuperuser

from labeling import events as e
from labeling.commands.people import append_of_person, operator
from labeling.log import store
from labeling.log.event import INSTALLATION
from labeling.models import Person


class Command(createsuperuser.Command):
    """Makes the account of somebody who runs the installation, and tells of it in the installation's log."""

    def handle(self, *arguments: Any, **options: Any) -> str | None:
        """Make the account, then tell of every such account that the log does not know: also of one whose telling was
        cut off."""
        said = super().handle(*arguments, **options)
        for person in Person.objects.filter(is_superuser=True).order_by("date_joined"):
            stream = f"person/{person.id}"
            if not store.version(INSTALLATION, stream):
                append_of_person(operator("createsuperuser"), stream, e.PersonAdded(staff=True, superuser=True))
        return said
