"""`manage.py makemigrations`: Django's own, for our apps only unless others are named.

The queue's package makes its tables by hand-written SQL that its models' state does not know, so Django would write a
migration of it into the virtual environment.
"""

from __future__ import annotations

from typing import Any

from django.core.management.commands import makemigrations

OURS = ("labeling", "sequences", "releases")


class Command(makemigrations.Command):
    """Makes migrations for our apps."""

    def handle(self, *app_labels: str, **options: Any) -> None:
        """Make them."""
        super().handle(*(app_labels or OURS), **options)
