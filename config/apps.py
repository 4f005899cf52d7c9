"""The installation as a Django app: its commands, the broker, and the queue's tables."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import SimpleAdminConfig
from dramatiq_postgres.django.apps import DramatiqPostgresConfig

import config.broker  # noqa: F401 - sets the broker before any app's actors are imported
from config.operations.counters import appended


class ConfigConfig(AppConfig):
    """Holds the management commands, and counts what the log does."""

    name = "config"

    def ready(self) -> None:
        """Have every append counted."""
        from labeling.log import store

        if appended not in store.observers:
            store.observers.append(appended)


class QueueTables(DramatiqPostgresConfig):
    """The tables and models of dramatiq-postgres without its broker: ours is made in `config.broker`."""

    def ready(self) -> None:
        """Leave the broker alone."""


class Admin(SimpleAdminConfig):
    """Django's admin with our site, and only the pages of our apps: those of other packages write past the log."""

    default_site = "labeling.admin.site.PalimpsestSite"

    def ready(self) -> None:
        """Register the pages of each app, from the bottom up."""
        super().ready()
        from django.contrib import admin

        import releases.admin
        import releases.imports_admin
        import sequences.admin
        from labeling.admin import panels, registration

        registration.register(admin.site)
        releases.admin.register(admin.site)
        releases.imports_admin.register(admin.site)
        panels.register(sequences.admin.show_tracks)
