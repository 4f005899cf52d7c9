"""What a dataset asks of imports before they begin: a reason for what they may do, for a job cannot ask on its way."""

from __future__ import annotations

import uuid
from typing import Any

from labeling.errors import Refused
from labeling.log.event import Intent
from labeling.models import Dataset, Label, LabelSet
from labeling.rules import signatures
from labeling.rules.access import ACCEPTED
from labeling.rules.reasons import require_reason_for
from releases.imports.wish import Wish
from releases.models import ImportJob

JSON = dict[str, Any]


def check_import(intent: Intent, dataset: uuid.UUID, wish: Wish) -> None:
    """Check that an import may begin; a dry run changes nothing, so nothing is asked of it.

    Raises:
        ReasonRequired: the dataset asks for a reason, and there is none.
        Refused: new labels were to be accepted at once, which here takes somebody else or a signature.
    """
    if wish.dry_run:
        return
    settings = _settings(dataset)
    if wish.label_status in (*ACCEPTED, "REJECTED") and reviews_are_guarded(settings):
        raise Refused(
            "label_status: nobody here reviews what they bring in themselves, or without a signature; import the labels"
            " as LABELED, and have them reviewed."
        )
    require_reason_for(intent, classes_of_import(dataset, wish), settings=settings)


def classes_of_import(dataset: uuid.UUID, wish: Wish) -> set[str]:
    """Of which of reasons.CLASSES an import may be: what it overrides, and accepted labels that it may change."""
    found = {"import"} if wish.mode == "override" else set()
    if wish.mode != "keep" and _has_accepted(dataset, wish.label_set):
        found.add("edit_accepted")
    return found


def classes_of_undoing(job: ImportJob) -> set[str]:
    """Of which of them it is to take an import back: with it go the samples and categories that it brought."""
    found = {"import"}
    if job.counts.get("samples_added") or job.counts.get("categories_added"):
        found.add("delete")
    if _has_accepted(job.dataset_id, job.wish["label_set"]):
        found.add("edit_accepted")
    return found


def check_undoing(intent: Intent, job: ImportJob) -> None:
    """Check that an import may be taken back.

    Raises:
        ReasonRequired: the dataset asks for a reason, and there is none.
    """
    require_reason_for(intent, classes_of_undoing(job), settings=_settings(job.dataset_id))


def reviews_are_guarded(settings: JSON) -> bool:
    """Whether not everybody who may review may review everything."""
    return bool(settings.get("enable_four_eyes")) or "review" in settings.get(signatures.SETTING, ())


def _settings(dataset: uuid.UUID) -> JSON:
    return Dataset.objects.filter(id=dataset).values_list("settings", flat=True).first() or {}


def _has_accepted(dataset: uuid.UUID, label_set: str) -> bool:
    sets = LabelSet.objects.filter(dataset_id=dataset, name=label_set, archived=False).values("id")
    rows = Label.objects.filter(dataset_id=dataset, label_set_id__in=sets, deleted=False, status__in=sorted(ACCEPTED))
    return rows.exists()
