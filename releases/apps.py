"""Releases' plugs: its event types, stream kind, sweep and checks, registered in one place at start."""

from __future__ import annotations

from django.apps import AppConfig


class ReleasesConfig(AppConfig):
    """Frozen snapshots and exports."""

    name = "releases"

    def ready(self) -> None:
        import labeling.actors
        from labeling.audit import catalogue
        from labeling.log import projector, verify
        from labeling.queries import places
        from labeling.rules import reasons
        from labeling.webhooks import payloads
        from releases import actors, checks, events, projectors, queries, webhooks
        from releases import telling as telling  # which tells the sentences of our events
        from releases.audit import changes, datasheet, dossier, lineage

        for kind in projectors.STREAM_KINDS:
            projector.register_kind(kind)
        labeling.actors.register_sweep(actors.sweep)
        verify.register_anchors(checks.anchors)
        verify.register_check(checks.findings)
        payloads.register("release", webhooks.release)
        verify.register_check(checks.signatures)
        places.register(queries.offset_named)
        for each in (dossier, changes, lineage, datasheet):
            catalogue.register(each.REPORT)
        reasons.plug(events.ReleaseWithdrawn, "withdraw")
