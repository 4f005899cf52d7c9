"""The retention as it is, from the installation's log."""

from __future__ import annotations

import uuid

from django.conf import settings

from labeling.log import store
from labeling.log.event import INSTALLATION
from labeling.models import Dataset, Person
from labeling.rules.retention import STREAM, Retention, fold


def retention() -> Retention:
    """The policies and holds of now."""
    facts = (event.fact for event in store.read_stream(INSTALLATION, STREAM))
    return fold(facts, defaults={"activity": settings.ACTIVITY_KEPT_DAYS})


def is_held(what: str, key: uuid.UUID) -> bool:
    """Whether a dataset or a person is held."""
    return (what, str(key)) in retention().holds


def name_of_held(what: str, key: str) -> str:
    """What is held, by today's name: owner/name, or a username."""
    if what == "person":
        return Person.objects.filter(id=key).values_list("username", flat=True).first() or key
    row = Dataset.objects.filter(id=key).first()
    owner = Person.objects.filter(id=row.owner_id).values_list("username", flat=True).first() if row else None
    return f"{owner or '?'}/{row.name}" if row else key
