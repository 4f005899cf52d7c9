"""What webhooks are told of releases: one that was cut, when its file is made."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from labeling.webhooks.payloads import JSON, NotYet, Scene
from releases.api.releases import rendered
from releases.models import Release, ReleaseBuild
from releases.queries import Found

#: How long what is behind a release waits for its file; then it is told as it is.
LONGEST = dt.timedelta(hours=1)


def release(scene: Scene) -> JSON | None:
    """The release, as the protocol has it: told when it succeeded, and not at all where it failed or was taken back.

    Raises:
        NotYet: its file is still being made.
    """
    row = Release.objects.filter(id=scene.message.event.stream.removeprefix("release/"), withdrawn=False).first()
    if row is None:
        return None
    found = Found(row, ReleaseBuild.objects.filter(release_id=row.id).first())
    if found.status == ReleaseBuild.Status.FAILED:
        return None
    if not found.is_built and timezone.now() - row.created_at < LONGEST:
        raise NotYet
    return rendered(scene.seen, [found])[0]
