"""What a dataset asks of who writes to it beyond a role: a reason for what is destructive or administrative, a
second pair of eyes, a signature."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labeling import events as e
from labeling.errors import Refused
from labeling.log import search
from labeling.log.event import Fact, Intent
from labeling.log.search import Wanted
from labeling.models import Dataset
from labeling.queries.signatures import signed_by
from labeling.rules import signatures
from labeling.rules.access import ACCEPTED
from labeling.rules.label_state import LabelState
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


def check_review(intent: Intent, state: LabelState, facts: Sequence[Fact], *, settings: Mapping[str, Any]) -> None:
    """Check who reviews a label: with four eyes not who changed it, and where a review is signed, who signed it as it
    is. A status that a manager sets by hand is no review, but does not get around a signature.

    Raises:
        Refused: the author may not; the message says what to do.
    """
    reviews = [fact for fact in facts if _status_of(fact) in (*ACCEPTED, "REJECTED")]
    if not reviews:
        return
    by_hand = all(isinstance(fact, e.LabelStatusChanged) and fact.verb == "override" for fact in reviews)
    if settings.get("enable_four_eyes") and not by_hand and _changed_by(intent, state, facts):
        raise Refused("Nobody reviews a label here that they changed themselves (four eyes); somebody else has to.")
    accepts = any(_status_of(fact) in ACCEPTED for fact in reviews)
    if accepts and "review" in settings.get(signatures.SETTING, ()):
        signed = signed_by(state.dataset, state.sample, state.label_set, intent.author) if state.version else set()
        if state.version not in signed or any(not isinstance(fact, e.LabelStatusChanged) for fact in facts):
            raise Refused(
                "Here a label is accepted by who signed it as it is: sign it first (signatures/, with your password)."
            )


def _status_of(fact: Fact) -> str | None:
    if isinstance(fact, e.LabelStatusChanged):
        return fact.after
    return fact.status if isinstance(fact, e.LabelImported) else None


def _changed_by(intent: Intent, state: LabelState, facts: Sequence[Fact]) -> bool:
    """Whether the author changed what the label says, in this command or before."""
    if any(not isinstance(fact, e.LabelStatusChanged) for fact in facts):
        return True
    own = search.find_all(state.dataset, Wanted(stream=state.stream, author=intent.author))
    return any(not isinstance(event.fact, e.LabelStatusChanged) for event in own)
