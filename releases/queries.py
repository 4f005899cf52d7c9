"""Releases: finding them with what became of their files, and the state of one from the log."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from labeling.errors import NotFound, Refused
from labeling.log import store
from labeling.models import Dataset
from labeling.rules import signatures
from labeling.rules.sample_state import asset_stream
from labeling.texts import decrypt_all
from releases import files, rules
from releases.events import ReleaseSigned, ReleaseWithdrawn
from releases.models import ExportBuild, Release, ReleaseBuild, Training
from releases.rules import ReleaseState, release_stream

JSON = dict[str, Any]


#: How many erased files of a dataset are told apart; more are told as missing.
MOST = 1_000_000


@dataclass(slots=True)
class Found:
    """A release and the job that makes its file; None when that was not begun yet."""

    release: Release
    build: ReleaseBuild | None

    @property
    def status(self) -> str:
        return self.build.status if self.build else ReleaseBuild.Status.PENDING

    @property
    def is_built(self) -> bool:
        return self.status == ReleaseBuild.Status.SUCCEEDED

    @property
    def chain(self) -> str:
        """The log's chain hash at the frozen offset, in hex."""
        if self.build and self.build.chain:
            return self.build.chain
        return store.chain_at(self.release.dataset_id, self.release.at_offset).hex()

    def url(self, dataset_name: str) -> str | None:
        """The address of the file; None until it is made (and signed, where the dataset asks for that), and once the
        release was taken back."""
        if self.build is None or not self.is_built or not self.build.path or self.release.withdrawn:
            return None
        if is_withheld(self.release):
            return None
        return files.address(self.release.id, self.build.sha256, f"{dataset_name}-{self.release.name}.json")


def are_withheld(dataset: uuid.UUID) -> bool:
    """Whether a dataset hands out signed releases only."""
    settings = Dataset.objects.filter(id=dataset).values_list("settings", flat=True).first() or {}
    return "release" in settings.get(signatures.SETTING, ())


def is_withheld(release: Release) -> bool:
    """Whether nobody gets the release yet, because its dataset hands out signed ones only and nobody released it."""
    if not are_withheld(release.dataset_id):
        return False
    events = store.read_stream(release.dataset_id, release_stream(release.id))
    return not any(isinstance(event.fact, ReleaseSigned) and event.fact.meaning == "released" for event in events)


def refuse_withheld(release: Release) -> None:
    """Check that a release may be handed out.

    Raises:
        Refused: its dataset asks for a signature first.
    """
    if is_withheld(release):
        raise Refused("Releases of this dataset are handed out signed: somebody has to sign this one as released.")


def releases_of(dataset: uuid.UUID, *, withdrawn: bool = False) -> list[Found]:
    """The releases of a dataset, the oldest first; those that were withdrawn only where asked for."""
    chosen = Release.objects.filter(dataset_id=dataset)
    rows = list((chosen if withdrawn else chosen.filter(withdrawn=False)).order_by("cut_offset"))
    builds = ReleaseBuild.objects.in_bulk([row.id for row in rows])
    return [Found(row, builds.get(row.id)) for row in rows]


def _uuid(text: str) -> uuid.UUID | None:
    """The uuid that a text is, in its usual form."""
    try:
        found = uuid.UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def offset_named(dataset: uuid.UUID, name: str) -> int | None:
    """Where in the log the release of that name lies; `release:` may stand in front of it."""
    row = release_named(dataset, name)
    return row.at_offset if row is not None else None


def release_named(dataset: uuid.UUID, name: str) -> Release | None:
    """The release of that name, if there is one; `release:` may stand in front of it."""
    return Release.objects.filter(dataset_id=dataset, name=name.removeprefix("release:"), withdrawn=False).first()


def counts_by_status() -> dict[str, int]:
    """{status of the file: releases that were not withdrawn}."""
    counts = dict.fromkeys(ReleaseBuild.Status.values, 0)
    builds = ReleaseBuild.objects.filter(release_id__in=Release.objects.filter(withdrawn=False).values("id"))
    counts |= dict(builds.values_list("status").annotate(Count("release_id")))
    unbegun = Release.objects.filter(withdrawn=False).exclude(id__in=ReleaseBuild.objects.values("release_id"))
    counts[ReleaseBuild.Status.PENDING] += unbegun.count()
    return counts


def releases_at(dataset: uuid.UUID, offset: int) -> list[Found]:
    """The releases that there were at an offset, the oldest first. What one is of never changes; it comes and goes."""
    rows = Release.objects.filter(dataset_id=dataset, cut_offset__lte=offset).order_by("cut_offset")
    # A release that was taken back was so by its last event.
    there = [row for row in rows if not (row.withdrawn and row.last_offset <= offset)]
    builds = ReleaseBuild.objects.in_bulk([row.id for row in there])
    return [Found(row, builds.get(row.id)) for row in there]


def find_release(dataset: uuid.UUID, name: str, *, at: int | None = None) -> Found:
    """The release of that name, now or at an offset.

    Raises:
        NotFound: there is none.
    """
    if at is not None:
        found = next((item for item in releases_at(dataset, at) if item.release.name == name), None)
        if found is None:
            raise NotFound("The release")
        return found
    row = Release.objects.filter(dataset_id=dataset, name=name, withdrawn=False).first()
    if row is None:
        raise NotFound("The release")
    return Found(row, ReleaseBuild.objects.filter(release_id=row.id).first())


def release_by_id(release: uuid.UUID) -> Found:
    """The release with this id.

    Raises:
        NotFound: there is none.
    """
    row = Release.objects.filter(id=release, withdrawn=False).first()
    if row is None:
        raise NotFound("The release")
    return Found(row, ReleaseBuild.objects.filter(release_id=row.id).first())


def any_release(dataset: uuid.UUID, name: str, *, at: int | None = None) -> Found:
    """The release of that name, else the one with that id, withdrawn or not; now or at an offset.

    Raises:
        NotFound: there is none.
    """
    try:
        return find_release(dataset, name, at=at)
    except NotFound:
        rows = Release.objects.filter(dataset_id=dataset, id=_uuid(name) or uuid.UUID(int=0))
        row = (rows if at is None else rows.filter(cut_offset__lte=at)).first()
        if row is None:
            raise
        return Found(row, ReleaseBuild.objects.filter(release_id=row.id).first())


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Who took a release back, when, and why (None where they did not say, or what they said was erased)."""

    at: dt.datetime
    by: uuid.UUID
    reason: str | None


def withdrawal_of(row: Release, *, at: int | None = None) -> Withdrawal | None:
    """What the log has of a release's withdrawal; None for one that stands, or stood at an offset."""
    if not row.withdrawn or (at is not None and row.last_offset > at):
        return None
    events = store.read_stream(row.dataset_id, release_stream(row.id))
    *_, event = (item for item in events if isinstance(item.fact, ReleaseWithdrawn))
    assert event.recorded_at is not None
    [reason] = decrypt_all([event.intent.reason])
    return Withdrawal(event.recorded_at, event.intent.author, reason)


def erasures_of(found: Found) -> list[JSON]:
    """The files that a release refers to and that were erased since it was cut, as they stand in `erased.json`."""
    erased = store.read(found.release.dataset_id, after=found.release.cut_offset, types=["AssetErased"], limit=MOST)
    if not erased or found.build is None or not found.build.assets_path:
        return []
    by_stream = {event.stream: event for event in erased}
    listed = []
    with files.read(found.build.assets_path) as lines:
        for line in lines:
            item = json.loads(line)
            event = by_stream.get(asset_stream(item["asset"]))
            if event is not None:
                assert event.recorded_at is not None
                said = {name: item[name] for name in ("asset", "filename", "sha256", "size_bytes")}
                at = event.recorded_at.astimezone(dt.UTC).isoformat(timespec="seconds")
                listed.append(said | {"erased_at": at, "offset": event.offset})
    return listed


def trainings_of(release: uuid.UUID) -> list[Training]:
    """The trainings that were registered with a release, the first one first."""
    return list(Training.objects.filter(release_id=release).order_by("last_offset"))


def training(training: uuid.UUID) -> Training:
    """The training with this id, which there is."""
    return Training.objects.get(id=training)


def trainings_in(dataset: uuid.UUID, *, model: str = "", version: str = "") -> list[tuple[Training, Found]]:
    """The trainings that were registered with any release of a dataset, each with that release, the first one first;
    of one model, or of one version of it, where said."""
    rows = Training.objects.filter(dataset_id=dataset).order_by("last_offset")
    rows = rows.filter(model=model) if model else rows
    rows = rows.filter(model_version=version) if version else rows
    found = list(rows)
    releases = {item.release.id: item for item in releases_of(dataset, withdrawn=True)}
    return [(row, releases[row.release_id]) for row in found]


def release_used_by(row: Training) -> Found:
    """The release that a training used, also where it was withdrawn since."""
    release = Release.objects.get(id=row.release_id)
    return Found(release, ReleaseBuild.objects.filter(release_id=release.id).first())


def training_in(dataset: uuid.UUID, training: str) -> tuple[Training, Found]:
    """A training of a dataset by its uuid, with its release.

    Raises:
        NotFound: there is none.
    """
    key = _uuid(training)
    row = None if key is None else Training.objects.filter(dataset_id=dataset, id=key).first()
    if row is None:
        raise NotFound("The training")
    return row, release_used_by(row)


def naming(release: uuid.UUID, word: str) -> list[Release]:
    """The releases that name this one as their `base`, or that come in its place (`supersedes`), the oldest first."""
    rows = Release.objects.extra(where=["terms -> %s ->> 'release' = %s"], params=[word, str(release)])
    return list(rows.order_by("cut_offset"))


def is_needed(release: uuid.UUID) -> bool:
    """Whether a release that stands is the difference to this one, or to one that is the difference to it, …"""
    return any(not row.withdrawn or is_needed(row.id) for row in naming(release, "base"))


def exports_of(release: uuid.UUID) -> list[ExportBuild]:
    """The exports of a release that were asked for, by format."""
    return list(ExportBuild.objects.filter(release_id=release).order_by("format", "label_set", "id"))


def export_by_id(export: uuid.UUID) -> ExportBuild | None:
    """The export with this id, if it was asked for."""
    return ExportBuild.objects.filter(id=export).first()


def export_url(job: ExportBuild, dataset_name: str, release_name: str) -> str | None:
    """The address of an export's archive; None until it is made."""
    if job.status != ExportBuild.Status.SUCCEEDED:
        return None
    return files.address(job.id, job.sha256, f"{dataset_name}-{release_name}-{job.format}.zip", at="exports")


def state_of(row: Release) -> ReleaseState:
    """A release's state, folded from the log."""
    return state_by_id(row.dataset_id, row.id)


def state_by_id(dataset: uuid.UUID, release: uuid.UUID) -> ReleaseState:
    """The state of the release with this id, folded from the log."""
    stream = release_stream(release)
    return rules.fold(ReleaseState(dataset, stream), list(store.read_stream(dataset, stream)))
