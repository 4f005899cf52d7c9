"""The releases that a log tells of up to an offset: what the audit reports about them share."""

from __future__ import annotations

from labeling.audit.report import Sources
from releases import rules
from releases.models import ReleaseBuild
from releases.rules import ReleaseState


def releases_in(sources: Sources) -> list[ReleaseState]:
    """All of them, withdrawn ones too, the first cut first."""
    found = [
        rules.fold(ReleaseState(sources.log, stream), events)
        for stream, events in sources.streams("release/")
        if events
    ]
    return sorted(found, key=lambda item: item.cut_offset)


def builds_of(releases: list[ReleaseState]) -> dict[str, ReleaseBuild]:
    """{release: what was made of it}, where its file was made."""
    rows = ReleaseBuild.objects.filter(
        release_id__in=[item.id for item in releases], status=ReleaseBuild.Status.SUCCEEDED
    )
    return {str(row.release_id): row for row in rows}
