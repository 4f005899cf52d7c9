"""Take an import back: the labels that it changed are restored, then go the samples and categories that it made and
that nobody uses.

Labels are restored by the machinery of every restore, under one correlation; so what others did since stays, or is in
the way. What a killed undo has put back is not put back twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from labeling import events as e
from labeling.commands import samples as sample_commands
from labeling.commands.datasets import change_dataset
from labeling.commands.restoring import Past, restore_label
from labeling.errors import InTheWay, NotFound, Refused
from labeling.log import search, store
from labeling.log.event import Intent
from labeling.log.search import Wanted
from labeling.models import Annotation, Label, LabelSet, Sample
from labeling.queries import datasets
from labeling.rules import access
from releases.events import ImportUndone
from releases.imports.counts import Counts
from releases.imports.reports import Failed, Stopped, state_of, tell
from releases.models import ImportFinding, ImportJob
from sequences.models import Track

JSON = dict[str, Any]

#: Streams of one page, and samples that are deleted by one append.
PAGE = 500
SAMPLES = 200

Progress = Callable[[int, int | None], None]


def undo(row: ImportJob, counts: Counts, progress: Progress) -> None:
    """Take back what the import `row.undoes` did; a dry run counts what would be.

    Raises:
        Stopped: it was cancelled; what was put back stays so.
        Failed: something is in the way, and it is not to be skipped or forced.
        NotFound, NotPermitted: the person may not.
    """
    assert row.undoes is not None
    ImportFinding.objects.filter(job_id=row.id).delete()
    intent = Intent(
        author=row.created_by,
        author_kind="person",
        tool=row.intent.get("tool"),
        reason=row.intent.get("reason"),
        correlation=row.id,
    )
    if state_of(row.dataset_id, row.undoes).state == "running":
        raise Failed("The import is not over; cancel it first")
    seen = datasets.dataset_by_id(row.dataset_id, person=row.created_by)
    access.require("label", role=seen.role, public=seen.dataset.public, dataset=seen.id)
    work = _Undoing(row, intent, counts, progress)
    if not row.dry_run and row.wish.get("on_conflict", "stop") == "stop":
        work.labels(dry_run=True)
        work.forget()
    work.labels(dry_run=row.dry_run)
    if access.may("change", role=seen.role, public=seen.dataset.public):
        work.samples()
        work.categories()
    if not row.dry_run:
        own = replace(intent, command=uuid.uuid5(row.id, "undone"), request_hash=row.id.bytes + row.id.bytes)
        tell(row.dataset_id, row.undoes, ImportUndone(counts=counts.as_json()), intent=own)


class _Undoing:
    def __init__(self, row: ImportJob, intent: Intent, counts: Counts, progress: Progress) -> None:
        self.row, self.intent, self.counts, self.progress = row, intent, counts, progress
        self.dataset, self.dry = row.dataset_id, row.dry_run
        assert row.undoes is not None
        self.wanted = Wanted(gesture=row.undoes)
        self.on_conflict = str(row.wish.get("on_conflict", "stop"))
        self._made: set[uuid.UUID] = set()
        self._number = 0

    def forget(self) -> None:
        """Count anew: what was gone through was a look ahead."""
        for name in ("labels_restored",):
            setattr(self.counts, name, 0)

    def _streams(self, prefix: str) -> Any:
        return search.all_streams(self.dataset, replace(self.wanted, prefixes=(prefix,)), limit=PAGE)

    def labels(self, *, dry_run: bool) -> None:
        """Restore every label that the import changed, each by an append of its own."""
        names = dict(LabelSet.objects.filter(dataset_id=self.dataset, archived=False).values_list("id", "name"))
        for done, stream in enumerate(self._streams("label/"), 1):
            sample, label_set = (uuid.UUID(part) for part in stream.split("/")[1:])
            if label_set not in names:
                continue
            own = replace(
                self.intent,
                command=uuid.uuid5(self.row.id, stream),
                request_hash=None if dry_run else self.row.id.bytes + self.row.id.bytes,
            )
            try:
                undone = restore_label(
                    intent=own,
                    sample=sample,
                    label_set=names[label_set],
                    past=Past({"kind": "import", "import": str(self.row.undoes)}, wanted=self.wanted),
                    on_conflict=self.on_conflict,
                    dry_run=dry_run,
                )
            except (NotFound, Refused) as error:
                self._find(stream, error.message)
                continue
            except InTheWay as error:
                raise Failed("Somebody changed since what the import brought; skip that, or force it") from error
            if undone.report.get("in_the_way") and self.on_conflict == "stop" and not self.dry:
                raise Failed("Somebody changed since what the import brought; skip that, or force it")
            if undone.report.get("in_the_way"):
                self._find(stream, "was changed by somebody since")
            if undone.report.get("changes") or undone.report.get("stored"):
                self.counts.labels_restored += 1
            if done % 20 == 0:
                self._tell(done)

    def samples(self) -> None:
        """Delete the samples that the import made, and that have no label any more."""
        made = [uuid.UUID(stream.split("/")[1]) for stream in self._streams("sample/")]
        there = set(
            Sample.objects.filter(dataset_id=self.dataset, archived=False, id__in=made).values_list("id", flat=True)
        )
        labeled = set() if self.dry else set(self._labeled(made))
        wanted = [key for key in made if key in there and key not in labeled]
        self.counts.samples_archived += len(wanted)
        for start in range(0, 0 if self.dry else len(wanted), SAMPLES):
            some = wanted[start : start + SAMPLES]
            own = replace(self.intent, command=uuid.uuid5(self.row.id, f"samples {some[0]}"), request_hash=None)
            sample_commands.archive_samples(intent=own, dataset=self.dataset, samples=some)
            self._tell(start)

    def _labeled(self, made: list[uuid.UUID]) -> Any:
        return Label.objects.filter(dataset_id=self.dataset, sample_id__in=made, deleted=False).values_list(
            "sample_id", flat=True
        )

    def categories(self) -> None:
        """Take out the categories that the import added, and that nothing has any more."""
        added = [
            event.fact.category["id"]
            for event in store.read(self.dataset, stream="dataset", types=["CategoryAdded"], limit=10_000)
            if isinstance(event.fact, e.CategoryAdded) and event.intent.correlation == self.row.undoes
        ]
        if not added:
            return
        free = [number for number in added if self.dry or not self._is_used(number)]
        document = datasets.state_of(self.dataset).task_attributes
        kept = [item for item in document.get("categories") or [] if item.get("id") not in free]
        gone = len(document.get("categories") or []) - len(kept)
        self.counts.categories_removed += gone
        if gone and not self.dry:
            own = replace(self.intent, command=uuid.uuid5(self.row.id, "categories"), request_hash=None)
            change_dataset(
                intent=own, dataset=self.dataset, changes={}, task_attributes=document | {"categories": kept}
            )

    def _is_used(self, number: int) -> bool:
        if any(
            kind.objects.filter(dataset_id=self.dataset, category_id=number).exists() for kind in (Annotation, Track)
        ):
            return True
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM labeling_label WHERE dataset_id = %s AND NOT deleted"
                " AND classifications @> %s::jsonb)",
                [self.dataset, f"[{number}]"],
            )
            return bool(cursor.fetchone()[0])

    def _find(self, stream: str, message: str) -> None:
        self._number += 1
        ImportFinding.objects.create(
            job_id=self.row.id, number=self._number, where=stream, message=message, level="error"
        )
        ImportJob.objects.filter(id=self.row.id).update(errors_count=self._number)

    def _tell(self, done: int) -> None:
        self.progress(done, None)
        going = ImportJob.objects.filter(id=self.row.id, status=ImportJob.Status.PENDING, cancel=False)
        if not going.update(samples_done=done, counts=self.counts.as_json(), updated_at=Now(), tries=0):
            raise Stopped
