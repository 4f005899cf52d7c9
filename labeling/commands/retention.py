"""Retention: how long what is in no log is kept, legal holds, and the purge, which leaves an event with count and hash.

The logs themselves are never purged. What makes them say less is a key that is destroyed: a person's by erasure, and
the secret of a month's network addresses by the purge.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone

from labeling import events as e
from labeling.commands.erasure import person_to_erase
from labeling.commands.people import append_to_installation, operator, person_named
from labeling.errors import InvalidValue, NotFound, NotPermitted, ReasonRequired, Refused
from labeling.log import store
from labeling.log.event import SECURITY, Fact, Intent
from labeling.models import AddressSecret, Dataset, Person, WebhookDelivery
from labeling.queries.retention import retention
from labeling.rules.retention import STREAM, WHATS, Retention, checked_days

#: Deliveries that one purge destroys in one transaction.
BATCH = 50_000


def set_retention(*, intent: Intent, kind: str, days: Any) -> None:
    """Keep data of a kind for so many days (None: for ever) from now on.

    Raises:
        NotPermitted: the author does not run the installation.
        ReasonRequired: no reason is given.
        InvalidValue: there is no such kind, or it must be kept for longer.
    """
    _check(intent)
    wanted = checked_days(kind, days)
    if retention().kept_days(kind) != wanted:
        _append(intent, e.RetentionSet(kind=kind, days=wanted))


def place_hold(*, intent: Intent, what: str, key: uuid.UUID) -> None:
    """Have nothing of a dataset or of a person purged or erased until the hold is lifted. Again it does nothing.

    Raises:
        NotPermitted, ReasonRequired: as set_retention.
        NotFound: there is no such dataset or person.
    """
    _check(intent)
    if what not in WHATS:
        raise InvalidValue("what", f"must be one of {', '.join(WHATS)}")
    known = Dataset.objects.filter(id=key) if what == "dataset" else Person.objects.filter(id=key)
    if not known.exists():
        raise NotFound(f"The {what}")
    if (what, str(key)) not in retention().holds:
        _append(intent, e.HoldPlaced(what=what, id=str(key)))


def held_by_name(text: str) -> tuple[str, uuid.UUID]:
    """(what, id) of a dataset by owner/name, or of a person by username or id.

    Raises:
        NotFound: there is none.
    """
    owner, slash, name = text.partition("/")
    if not slash:
        return "person", person_to_erase(text).id
    found = Dataset.objects.filter(owner_id=person_named(owner).id, name=name, deleted=False).first()
    if found is None:
        raise NotFound("The dataset")
    return "dataset", found.id


def lift_hold(*, intent: Intent, what: str, key: uuid.UUID) -> None:
    """Lift a hold.

    Raises:
        NotPermitted, ReasonRequired: as set_retention.
        Refused: there is none.
    """
    _check(intent)
    if (what, str(key)) not in retention().holds:
        raise Refused("There is no such hold.")
    _append(intent, e.HoldLifted(what=what, id=str(key)))


def purge() -> dict[str, int]:
    """Destroy what was kept for long enough and is not held; {kind: pieces}. Signals of people at work are closed by
    the sweeper (commands.activity), by the same policies and holds."""
    now = retention()
    return {"addresses": _addresses(now), "deliveries": _deliveries(now), "answers": _answers(now)}


def _addresses(now: Retention) -> int:
    """Destroy the secrets of months that are over for long enough; none while anything is held, because a month's
    secret is everybody's."""
    before = _before(now, "addresses")
    if before is None or now.holds:
        return 0
    months = AddressSecret.objects.filter(destroyed_at=None, month__lt=before.strftime("%Y-%m")).order_by("month")
    done = 0
    for month in months:
        begin = dt.datetime.strptime(f"{month.month}-01 +0000", "%Y-%m-%d %z")
        end = (begin + dt.timedelta(days=32)).replace(day=1)
        first, last = (store.offset_at(SECURITY, at - dt.timedelta(microseconds=1)) for at in (begin, end))
        with transaction.atomic():
            digest = hashlib.sha256(bytes(month.secret or b"")).hexdigest()
            month.secret, month.destroyed_at = None, timezone.now()
            month.save(update_fields=["secret", "destroyed_at"])
            _told("addresses", end, last - first, digest)
        done += 1
    return done


def _deliveries(now: Retention) -> int:
    before = _before(now, "deliveries")
    if before is None:
        return 0
    held = now.held("dataset")
    with transaction.atomic():
        rows = WebhookDelivery.objects.filter(last_at__lt=before).exclude(log__in=held)
        found = list(rows.order_by("id").values_list("id", "webhook_id", "log", "offset", "message", "state")[:BATCH])
        if not found:
            return 0
        digest = hashlib.sha256("\n".join("|".join(map(str, row)) for row in found).encode()).hexdigest()
        WebhookDelivery.objects.filter(id__in=[row[0] for row in found]).delete()
        _told("deliveries", before, len(found), digest)
    return len(found)


def _answers(now: Retention) -> int:
    before = _before(now, "answers")
    if before is None:
        return 0
    held = [uuid.UUID(key) for key in now.held("dataset")]
    with transaction.atomic():
        count, digest = store.forget_answers(before, but=held)
        if count:
            _told("answers", before, count, digest)
    return count


def _before(now: Retention, kind: str) -> dt.datetime | None:
    """The beginning of the day (UTC) before which data of a kind goes; None where it stays for ever."""
    days = now.kept_days(kind)
    if days is None:
        return None
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) - dt.timedelta(days=days)


def _told(kind: str, before: dt.datetime, count: int, sha256: str) -> None:
    fact = e.DataPurged(kind=kind, before=before.date().isoformat(), count=count, sha256=sha256)
    _append(operator("retention"), fact)


def _append(intent: Intent, fact: Fact) -> None:
    with transaction.atomic():
        append_to_installation(intent, STREAM, fact)


def _check(intent: Intent) -> None:
    runs = Person.objects.filter(id=intent.author, is_active=True, is_superuser=True).exists()
    if not runs or intent.author_kind != "person":
        raise NotPermitted("Only who runs the installation changes its retention.", action="retention")
    if intent.reason is None:
        raise ReasonRequired("to change how long data is kept")
