"""The jobs that make a release's file or an export, for who may see, stop and retry them: a release's has the
release's uuid."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from labeling.errors import NotFound, Refused
from labeling.queries import datasets
from labeling.rules import access
from releases import commands
from releases.models import Build, ExportBuild, Release, ReleaseBuild


@dataclass(frozen=True, slots=True)
class BuildJob:
    """A build that somebody may see, what it is of, and its dataset's full name."""

    build: Build
    release: Release
    dataset: str

    @property
    def export(self) -> ExportBuild | None:
        return self.build if isinstance(self.build, ExportBuild) else None


def build_job(key: uuid.UUID | None, *, person: uuid.UUID, action: str) -> BuildJob:
    """The build of this id, for who may do this with releases of its dataset.

    Raises:
        NotFound, NotPermitted: there is none, or the person may not.
    """
    build: Build | None = None
    if key is not None:
        build = ExportBuild.objects.filter(id=key).first() or ReleaseBuild.objects.filter(release_id=key).first()
    if build is None:
        raise NotFound("The job")
    release = Release.objects.filter(id=getattr(build, "release_id")).first()  # noqa: B009 - of either kind
    if release is None:
        raise NotFound("The job")
    seen = datasets.dataset_by_id(release.dataset_id, person=person)
    access.require(action, role=seen.role, public=seen.dataset.public, dataset=seen.id)
    return BuildJob(build, release, seen.full_name)


def cancel(job: BuildJob) -> None:
    """Stop it.

    Raises:
        Refused: it is over.
    """
    export = job.export
    done = commands.cancel_build(release=job.release.id) if export is None else commands.cancel_export(export=export.id)
    if not done:
        raise Refused("The job is over; there is nothing to cancel.")
    job.build.refresh_from_db()


def retry(job: BuildJob) -> None:
    """Have it go on with what it has.

    Raises:
        Refused: it is under way, or done.
    """
    if job.build.status != Build.Status.FAILED:
        raise Refused("The job did not fail and was not cancelled; there is nothing to go on with.")
    if job.export is None:
        commands.build_again(release=job.release.id)
    else:
        commands.export_again(export=job.export.id)
    job.build.refresh_from_db()
