"""The jobs that make a release's file or an export, as the API shows jobs."""

from __future__ import annotations

from typing import Any

from labeling.queries.labels import names_of
from releases.build_jobs import BuildJob
from releases.models import Build

JSON = dict[str, Any]


def rendered(job: BuildJob) -> JSON:
    """As the API shows jobs; who made it and when are of the release, because an export is asked for by anybody."""
    build, release, export = job.build, job.release, job.export
    wish: JSON = {"release": release.name}
    if export is not None:
        wish |= {"format": export.format, "label_set": export.label_set, "options": export.options}
    people = names_of({release.created_by})
    return {
        "uuid": release.id if export is None else export.id,
        "kind": "release" if export is None else "export",
        "undoes": None,
        "dataset": job.dataset,
        "status": build.status,
        "dry_run": False,
        "wish": wish,
        "source": None,
        "samples_done": build.samples_count,
        "samples_total": build.samples_total or None,
        "counts": {},
        "errors_count": 0,
        "notes_count": 0,
        "findings": [],
        "error": build.error or None,
        "created_by": people.get(release.created_by, str(release.created_by)),
        "created_at": release.created_at,
        "updated_at": build.updated_at,
        "ended_at": None if build.status == Build.Status.PENDING else build.updated_at,
    }
