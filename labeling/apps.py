"""Labeling's plugs: its stream kinds and catch-up projectors, registered in one place at start."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


def _define_projections(**kwargs: Any) -> None:
    from labeling.log import projector

    projector.define_projections()


class LabelingConfig(AppConfig):
    """Datasets, samples, labels, annotations, and the log."""

    name = "labeling"

    def ready(self) -> None:
        from django.contrib.auth import signals

        from labeling import events, projectors  # noqa: F401 - importing the events adds them to the vocabulary
        from labeling.admin import logins
        from labeling.log import projector, verify
        from labeling.management import mask_checks
        from labeling.queries import checkpoints, signatures

        signals.user_logged_in.connect(logins.tell_login)
        signals.user_logged_out.connect(logins.tell_logout)
        signals.user_login_failed.connect(logins.tell_failure)
        for kind in projectors.STREAM_KINDS:
            projector.register_kind(kind)
        for catch_up in projectors.CATCH_UPS:
            projector.register_catch_up(catch_up)
        verify.register_check(mask_checks.findings)
        verify.register_anchors(checkpoints.anchors)
        verify.register_check(signatures.findings)
        for counts in projectors.COUNTS:
            projector.register_counts(counts)
        # The functions that write projected rows are made from the tables, so they follow every migration.
        post_migrate.connect(_define_projections, sender=self)
