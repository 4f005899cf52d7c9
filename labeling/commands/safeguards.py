"""What a dataset asks of who writes to it beyond a role: a reason for what is destructive or administrative."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from labeling.log.event import Fact, Intent
from labeling.models import Dataset
from labeling.rules.reasons import classes_of, require_reason


def require_reason_in(dataset: uuid.UUID, intent: Intent, facts: Iterable[Fact]) -> None:
    """As rules.reasons.require_reason, by the settings of a dataset, which are read only where it matters.

    Raises:
        ReasonRequired: the dataset asks for a reason, and there is none.
    """
    facts = list(facts)
    if intent.reason is None and classes_of(facts):
        settings = Dataset.objects.filter(id=dataset).values_list("settings", flat=True).first()
        require_reason(intent, facts, settings=settings or {})
