"""`manage.py ready`: the checks of /readyz in this process, for a worker, whom nobody can ask over HTTP."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.operations.health import readiness


class Command(BaseCommand):
    """Ends with 1 where the installation is not ready."""

    help = "Check that the database, its tables, the files and the queue are there; ends with 1 where they are not."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        """Check.

        Raises:
            CommandError: something that is needed does not work; what it is was printed.
        """
        found = readiness()
        self.stdout.write(json.dumps(found))
        if found["status"] == "unready":
            raise CommandError("The installation is not ready.")
