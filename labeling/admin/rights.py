"""What somebody may see and change in the admin: what their role in each dataset says; a superuser everything.

Django's own permissions and groups are not used: who may do what in a dataset is in its log.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, cast

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from labeling.api.requests import MOST_REASON
from labeling.log.event import Intent
from labeling.models import Dataset, Person
from labeling.queries.datasets import roles_of
from labeling.rules import access, reasons
from labeling.texts import encrypt

TOOL = "admin"


def person_of(request: HttpRequest) -> Person:
    """Who is logged in."""
    return cast(Person, request.user)


def intent_of(request: HttpRequest, **fields: Any) -> Intent:
    """What every event of a change made in the admin has in common: the person, that it was made here, and why, where
    the page's form has a field `reason`."""
    reason = request.POST.get("reason", "").strip()[:MOST_REASON]
    if reason and "reason" not in fields:
        fields["reason"] = encrypt(reason, person=person_of(request).id)
    return Intent(author=person_of(request).id, tool=TOOL, **fields)


def asks_reason(datasets: Iterable[uuid.UUID], what: str) -> bool:
    """Whether one of these datasets asks a reason for one of reasons.CLASSES."""
    rows = Dataset.objects.filter(id__in=set(datasets)).values_list("settings", flat=True)
    return any(what in found.get(reasons.SETTING, reasons.UNLESS_SAID) for found in rows)


def installation_asks_reason(*whats: str) -> bool:
    """Whether the installation asks a reason for one of reasons.OF_INSTALLATION."""
    return any(what in settings.REASONS_REQUIRED for what in whats)


def is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


def roles(request: HttpRequest) -> dict[uuid.UUID, str]:
    """{dataset: role that who is logged in acts in}, read once a request."""
    found: dict[uuid.UUID, str] | None = getattr(request, "_palimpsest_roles", None)
    if found is None:
        found = roles_of(person_of(request).id)
        request._palimpsest_roles = found  # type: ignore[attr-defined]
    return found


def may(request: HttpRequest, action: str, dataset: uuid.UUID, *, public: bool = False) -> bool:
    """Whether who is logged in may do one of access.ACTIONS in a dataset."""
    return access.may(action, role="admin" if is_superuser(request) else roles(request).get(dataset), public=public)


def visible_datasets(request: HttpRequest) -> QuerySet[Dataset]:
    """The datasets that are there and that who is logged in may see."""
    found = Dataset.objects.filter(deleted=False)
    return found if is_superuser(request) else found.filter(Q(public=True) | Q(id__in=list(roles(request))))


def readable_logs(request: HttpRequest, wanted: Iterable[uuid.UUID] | None = None) -> QuerySet[Dataset]:
    """The datasets whose history they may read: that needs membership, even in a public dataset."""
    found = Dataset.objects.filter(deleted=False)
    if wanted is not None:
        found = found.filter(id__in=list(wanted))
    return found if is_superuser(request) else found.filter(id__in=list(roles(request)))
