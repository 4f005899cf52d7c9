"""Whose turn it is: each webhook follows each of its logs by a cursor of its own, in order, and nothing is passed over.

A turn holds a lease on a cursor, not a lock: while a host takes its time no transaction is open. What was taken and the
cursor are committed together behind each delivery, so a worker that dies in between tells the same again, with the same
id. A message that fails is tried again after a while, longer each time, and what is behind it waits; after
`settings.WEBHOOK_TRIES` failures in a row the cursor stops, where it is, until somebody lets it go on.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from django.utils import timezone

from labeling.fetching import NotFetched, Sender, sender
from labeling.log import store
from labeling.log.event import INSTALLATION, Event
from labeling.models import Webhook, WebhookCursor, WebhookDelivery
from labeling.rules import webhook_messages as rule
from labeling.rules.webhook_messages import Message
from labeling.webhooks import payloads
from labeling.webhooks.sealing import opened, secret_of

logger = logging.getLogger(__name__)
JSON = dict[str, Any]

State = WebhookDelivery.State
#: How long a turn is, before others have theirs; how long a lease lasts behind what was done last.
TURN_S = 5.0
LEASE_S = 60
#: Who was asked for is not asked for again within this time: the queue may be long.
ASKED_S = 20
#: How soon to look again whether what a message is about is made.
NOT_YET_S = 2
FORGET_EVERY_S = 600.0

#: Cursors that are behind and may go on; those of a dataset's own webhooks and those of webhooks above it.
DUE = """
SELECT w.id, h.log FROM labeling_webhook w
  JOIN log_head h ON h.log = w.log AND h.kind = 'dataset'
  LEFT JOIN labeling_webhookcursor c ON c.webhook_id = w.id AND c.log = h.log
 WHERE NOT w.removed AND NOT w.paused AND (%(log)s::uuid IS NULL OR h.log = %(log)s)
   AND h.head > coalesce(c."offset", w.created_offset) AND {ready}
UNION ALL
SELECT w.id, h.log FROM labeling_webhook w
  JOIN labeling_dataset d ON w.owner_id IS NULL OR d.owner_id = w.owner_id
  JOIN log_head h ON h.log = d.id
  LEFT JOIN labeling_webhookcursor c ON c.webhook_id = w.id AND c.log = h.log
 WHERE w.log = %(installation)s AND NOT w.removed AND NOT w.paused AND (%(log)s::uuid IS NULL OR h.log = %(log)s)
   AND h.head > coalesce(c."offset", 0) AND {ready}
"""
READY = """
   (c.id IS NULL OR c.state = 'active' AND coalesce(c.next_at, '-infinity') <= statement_timestamp()
    AND coalesce(c.leased_until, '-infinity') <= statement_timestamp()
    AND coalesce(c.asked_at, '-infinity') <= statement_timestamp() - make_interval(secs => %(asked)s))
"""


def due(log: uuid.UUID | None = None) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """(webhook, log) of what can be told now, in all logs or in one; they count as asked for from now on."""
    with connection.cursor() as cursor:
        cursor.execute(
            DUE.format(ready=READY) + " ORDER BY 1, 2",
            {"log": log, "installation": INSTALLATION, "asked": ASKED_S},
        )
        found: list[tuple[uuid.UUID, uuid.UUID]] = cursor.fetchall()
        if found:
            ids, logs = ([str(item[place]) for item in found] for place in (0, 1))
            cursor.execute(
                'INSERT INTO labeling_webhookcursor (webhook_id, log, "offset", state, failures, reason, asked_at)'
                " SELECT w.id, x.log, CASE WHEN w.log = x.log THEN w.created_offset ELSE 0 END, 'active', 0, '',"
                "        statement_timestamp()"
                "   FROM unnest(%s::uuid[], %s::uuid[]) AS x(id, log) JOIN labeling_webhook w ON w.id = x.id"
                " ON CONFLICT (webhook_id, log) DO UPDATE SET asked_at = statement_timestamp()",
                [ids, logs],
            )
    return found


def ask_again(webhook: uuid.UUID, log: uuid.UUID) -> None:
    """Have the sweeper ask for it soon: nobody was free."""
    WebhookCursor.objects.filter(webhook_id=webhook, log=log).update(asked_at=None)


def pings() -> list[uuid.UUID]:
    """Webhooks with pings that were not sent yet."""
    waiting = WebhookDelivery.objects.filter(state=State.WAITING, type=rule.PING)
    return sorted(set(waiting.values_list("webhook_id", flat=True)))


_forgot_s = 0.0


def forget_old_now_and_then() -> int:
    """Forget, if that was not done a short while ago."""
    global _forgot_s
    if time.monotonic() - _forgot_s < FORGET_EVERY_S:
        return 0
    _forgot_s = time.monotonic()
    return forget_old()


def forget_old() -> int:
    """Forget deliveries of long ago, and whatever else the retention says; returns how many pieces."""
    from labeling.commands import retention  # which knows of the deliveries

    return sum(retention.purge().values())


# --- a turn --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Turn:
    """One webhook's turn in one log. `lease` is ours as long as the cursor has it."""

    webhook: Webhook
    log: uuid.UUID
    lease: uuid.UUID
    offset: int
    failures: int
    last_ms: int | None


def begin(webhook: uuid.UUID, log: uuid.UUID) -> Turn | None:
    """Take the turn; None where somebody else has it, or nothing is to be told now."""
    row = Webhook.objects.filter(id=webhook, removed=False, paused=False).first()
    if row is None:
        return None
    lease = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE labeling_webhookcursor"
            " SET lease = %s, leased_until = statement_timestamp() + make_interval(secs => %s), asked_at = NULL"
            " WHERE webhook_id = %s AND log = %s AND state = 'active'"
            " AND coalesce(leased_until, '-infinity') <= statement_timestamp()"
            " AND coalesce(next_at, '-infinity') <= statement_timestamp()"
            ' RETURNING "offset", failures, last_ms',
            [lease, LEASE_S, webhook, log],
        )
        found = cursor.fetchone()
    return None if found is None else Turn(row, log, lease, *found)


def give_back(turn: Turn) -> None:
    """Do nothing with a turn."""
    _end(turn)


def run(turn: Turn, *, by: Sender | None = None) -> bool:
    """Tell what there is to tell, for TURN_S; returns whether there is more to tell now."""
    visitor = by or sender()
    address = opened(turn.webhook.address, webhook=turn.webhook.id)
    until_s = time.monotonic() + TURN_S
    past = payloads.Past(turn.log)
    while True:
        page, ends = _page(turn)
        if not page:
            _end(turn)
            return False
        past.read(page)
        found = rule.messages(
            turn.webhook.id,
            page,
            ends=ends,
            types=turn.webhook.types,
            label_sets=turn.webhook.label_sets,
            before=store.run_before(page[0]),
        )
        for place, message in enumerate(found):
            try:
                body = payloads.payload(message, past)
            except payloads.NotYet:
                _end(turn, offset=message.offset - 1, wait_s=NOT_YET_S)
                return False
            except Exception:
                logger.exception("the message %s of a webhook could not be made", message.id)
                _failed(turn, message, Outcome(problem="this server could not make the message; its log says why"))
                return False
            if body is None:
                continue
            if address is None:
                problem = "its address cannot be read, because the server's secret key was changed; set it again"
                _failed(turn, message, Outcome(problem=problem))
                return False
            outcome = send(turn.webhook, message.id, address, body, visitor)
            if not outcome.taken:
                _failed(turn, message, outcome)
                return False
            is_last = place + 1 == len(found) or found[place + 1].offset != message.offset
            if not _taken(turn, message, outcome, offset=message.offset if is_last else message.offset - 1):
                return False
            if time.monotonic() >= until_s:
                return _end(turn)
        read = page[-1].offset if ends else page[-2].offset
        assert read is not None
        if not _move(turn, read):
            return False
        if time.monotonic() >= until_s:
            return _end(turn)


def _page(turn: Turn) -> tuple[list[Event], bool]:
    """What is behind the cursor, and whether that is all; otherwise with one more event, which shows what goes on."""
    page = next(store.pages(turn.log, after=turn.offset), [])
    after = store.read(turn.log, after=page[-1].offset or 0, limit=1) if page else []
    return [*page, *after], not after


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of sending a message once."""

    status_code: int | None = None
    duration_ms: int | None = None
    problem: str = ""

    @property
    def taken(self) -> bool:
        return not self.problem


def send(webhook: Webhook, message: str, address: str, body: bytes, visitor: Sender) -> Outcome:
    """Send a message once."""
    began_s, now = time.monotonic(), timezone.now()
    secrets = [secret_of(webhook.id, webhook.generation)]
    if webhook.generation and (now - webhook.secret_at).total_seconds() < rule.OVERLAP_S:
        secrets.append(secret_of(webhook.id, webhook.generation - 1))
    try:
        sent = visitor.post(address, body, rule.headers(secrets, message, int(now.timestamp()), body))
    except NotFetched as error:
        return Outcome(None, round((time.monotonic() - began_s) * 1000), str(error))
    if 200 <= sent.status < 300:
        return Outcome(sent.status, sent.duration_ms)
    problem = "it redirects, which is not followed" if 300 <= sent.status < 400 else f"it answers {sent.status}"
    return Outcome(sent.status, sent.duration_ms, problem)


# One statement, which is a transaction of its own. It does not wait for the disk: what a crash takes along is told
# again, with the same id.
TAKEN = """
WITH quick AS (SELECT set_config('synchronous_commit', 'off', true)),
     mine AS (UPDATE labeling_webhookcursor
                 SET "offset" = %(offset)s, failures = 0, reason = '', next_at = NULL, last_ms = %(duration_ms)s,
                     leased_until = statement_timestamp() + make_interval(secs => %(lease_s)s)
               WHERE webhook_id = %(webhook)s AND log = %(log)s AND lease = %(lease)s RETURNING 1),
     kept AS ({keep})
SELECT (SELECT count(*) FROM mine), (SELECT count(*) FROM quick)
"""
KEEP = """
INSERT INTO labeling_webhookdelivery AS d (webhook_id, log, "offset", message, type, state, attempts,
       status_code, duration_ms, problem, first_at, last_at)
VALUES (%(webhook)s, %(log)s, %(told)s, %(message)s, %(type)s, %(state)s, 1,
        %(status_code)s, %(duration_ms)s, %(problem)s, statement_timestamp(), statement_timestamp())
    ON CONFLICT (webhook_id, message) DO UPDATE SET state = excluded.state, attempts = d.attempts + 1,
       status_code = excluded.status_code, duration_ms = excluded.duration_ms, problem = excluded.problem,
       last_at = excluded.last_at
"""


def _taken(turn: Turn, message: Message, outcome: Outcome, *, offset: int) -> bool:
    """Keep that a message was taken; False where the lease is gone: then somebody else decides what is told next."""
    said = _said(turn, message, State.DELIVERED, outcome)
    with connection.cursor() as cursor:
        cursor.execute(TAKEN.format(keep=KEEP), said | {"offset": offset, "lease": turn.lease, "lease_s": LEASE_S})
        mine = cursor.fetchone()[0]
    turn.offset, turn.failures, turn.last_ms = offset, 0, outcome.duration_ms
    return bool(mine)


def _failed(turn: Turn, message: Message, outcome: Outcome) -> None:
    """Keep that a message was not taken, and give the turn back; once too often, and the cursor stops there."""
    failures = turn.failures + 1
    stops = failures >= settings.WEBHOOK_TRIES
    with transaction.atomic():
        _cursor(turn).update(
            offset=message.offset - 1 if turn.offset < message.offset else turn.offset,
            failures=failures,
            reason=outcome.problem,
            state=WebhookCursor.State.STOPPED if stops else WebhookCursor.State.ACTIVE,
            next_at=None if stops else _from_now(rule.wait_s(failures, random.random())),
            lease=None,
            leased_until=None,
            last_ms=outcome.duration_ms,
        )
        with connection.cursor() as cursor:
            cursor.execute(KEEP, _said(turn, message, State.DEAD if stops else State.FAILING, outcome))


def _move(turn: Turn, offset: int) -> bool:
    """Put the cursor behind what was not asked for."""
    turn.offset = offset
    return bool(_cursor(turn).update(offset=offset, leased_until=_from_now(LEASE_S)))


def _end(turn: Turn, *, offset: int | None = None, wait_s: float | None = None) -> bool:
    """Give the turn back; returns whether it was still ours."""
    fields = {} if offset is None else {"offset": offset}
    next_at = None if wait_s is None else _from_now(wait_s)
    return bool(_cursor(turn).update(lease=None, leased_until=None, next_at=next_at, **fields))


def _cursor(turn: Turn) -> QuerySet[WebhookCursor]:
    return WebhookCursor.objects.filter(webhook_id=turn.webhook.id, log=turn.log, lease=turn.lease)


def _from_now(seconds: float) -> CombinedExpression:
    # By the clock of the database, because workers are on several machines.
    return Now() + dt.timedelta(seconds=seconds)


def _said(turn: Turn, message: Message, state: State, outcome: Outcome) -> JSON:
    """What KEEP stores."""
    return {
        "webhook": turn.webhook.id,
        "log": turn.log,
        "told": message.offset,
        "message": message.id,
        "type": message.type,
        "state": str(state),
        "status_code": outcome.status_code,
        "duration_ms": outcome.duration_ms,
        "problem": outcome.problem,
    }


# --- pings ---------------------------------------------------------------------------------------------------------


def send_pings(webhook: uuid.UUID, *, by: Sender | None = None) -> int:
    """Send the pings that wait, each once; returns how many."""
    row = Webhook.objects.filter(id=webhook, removed=False).first()
    waiting = WebhookDelivery.objects.filter(webhook_id=webhook, type=rule.PING, state=State.WAITING)
    if row is None:
        waiting.delete()
        return 0
    sent = 0
    for ping in waiting.order_by("id"):
        unfinished = "it was not finished; send another one"
        if not waiting.filter(id=ping.id).update(state=State.DEAD, attempts=1, problem=unfinished):
            continue  # another worker was faster
        address = opened(row.address, webhook=row.id)
        if address is None:
            outcome = Outcome(problem="its address cannot be read, because the server's secret key was changed")
        else:
            outcome = send(row, ping.message, address, payloads.ping(ping.message, timezone.now()), by or sender())
        WebhookDelivery.objects.filter(id=ping.id).update(
            state=State.DELIVERED if outcome.taken else State.DEAD,
            status_code=outcome.status_code,
            duration_ms=outcome.duration_ms,
            problem=outcome.problem,
            last_at=timezone.now(),
        )
        sent += 1
    return sent
