"""Add, change, pause and remove webhooks, and have them told again. Who may is asked here, today's role decides."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.db import connection, transaction
from django.utils import timezone

from labeling import events as e
from labeling.commands.people import OPERATOR
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import InvalidValue, NotFound, NotPermitted, Refused
from labeling.fetching import MOST_URL
from labeling.log import store
from labeling.log.event import INSTALLATION, Fact, Intent, vocabulary
from labeling.log.rows import Rows
from labeling.models import Dataset, Person, Webhook, WebhookCursor, WebhookDelivery
from labeling.queries import datasets as dataset_queries
from labeling.queries import webhooks as queries
from labeling.queries.organizations import role_in
from labeling.rules import access, webhook_state
from labeling.rules.webhook_messages import PING, PROTOCOL, message_id
from labeling.rules.webhook_state import WebhookState, webhook_stream
from labeling.webhooks import sealing

JSON = dict[str, Any]

#: How many webhooks a place may have; each follows the log by itself.
MOST_WEBHOOKS = 20
#: How many pings may wait.
MOST_PINGS = 5
MOST_NAME = 200


@dataclass(frozen=True, slots=True)
class Where:
    """Whose webhooks: a dataset's (`dataset`), an organisation's (`organization`), or of all datasets (neither)."""

    dataset: uuid.UUID | None = None
    organization: uuid.UUID | None = None

    @property
    def log(self) -> uuid.UUID:
        return self.dataset or INSTALLATION


def require(where: Where, person: uuid.UUID) -> None:
    """Check that somebody may see and change the webhooks of a place.

    Raises:
        NotFound, NotPermitted: they may not.
    """
    if where.dataset is not None:
        seen = dataset_queries.dataset_by_id(where.dataset, person=person)
        access.require("webhooks", role=seen.role, public=seen.dataset.public, dataset=where.dataset)
        return
    is_superuser = Person.objects.filter(id=person, is_superuser=True, is_active=True).exists()
    if is_superuser or person == OPERATOR:
        return
    if where.organization is None:
        raise NotPermitted("Webhooks of all datasets need a superuser.", action="installation-webhooks")
    is_it = person == where.organization
    access.require_in_organization("manage", role="administrator" if is_it else role_in(where.organization, person))


def checked_webhook(body: JSON, where: Where, *, partial: bool = False) -> JSON:
    """The fields of a webhook, checked; what is not known is left out. `label_sets` are ids.

    Raises:
        InvalidValue: the first field that does not fit.
        NotFound: there is no such label set.
    """
    if not partial and "url" not in body:
        raise InvalidValue("url", "is required")
    found: JSON = {}
    if "url" in body:
        found["url"] = checked_url(body["url"])
    if "types" in body:
        known = {*PROTOCOL, *vocabulary.names()}
        if not isinstance(body["types"], list) or not all(isinstance(x, str) and x in known for x in body["types"]):
            raise InvalidValue("types", "must be a list of events of the protocol, or of event types of the log")
        found["types"] = sorted(set(body["types"]))
    if "labelsets" in body:
        names = body["labelsets"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidValue("labelsets", "must be a list of names of label sets")
        if names and where.dataset is None:
            raise InvalidValue("labelsets", "can only be named for a webhook of one dataset")
        found["label_sets"] = queries.label_sets_named(where.dataset, names) if where.dataset else []
    if "paused" in body:
        if type(body["paused"]) is not bool:
            raise InvalidValue("paused", "must be true or false")
        found["paused"] = body["paused"]
    if "name" in body:
        if not isinstance(body["name"], str) or len(body["name"]) > MOST_NAME:
            raise InvalidValue("name", f"must be a text of at most {MOST_NAME} characters")
        found["name"] = body["name"]
    return found


def checked_url(value: Any) -> str:
    """An address that can be sent to; whether its host may be, is seen whenever something is."""
    problem = "must be an address of http or https without a user, a fragment or spaces"
    if not isinstance(value, str) or not 1 <= len(value) <= MOST_URL or not value.isascii():
        raise InvalidValue("url", problem)
    if any(sign <= " " or sign in "\x7f\\#" for sign in value):
        raise InvalidValue("url", problem)
    try:
        parts = urlsplit(value)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        fits = False
    if not fits:
        raise InvalidValue("url", problem)
    return value


# --- the verbs -----------------------------------------------------------------------------------------------------


def add_webhook(*, intent: Intent, where: Where, fields: JSON) -> uuid.UUID:
    """Have what happens from now on told to an address (checked by checked_webhook); returns the webhook's id.

    Raises:
        NotFound, NotPermitted: there is no such place, or the author may not.
        Refused: there are MOST_WEBHOOKS already.
    """

    def attempt() -> uuid.UUID:
        require(where, intent.on_behalf_of or intent.author)
        replay = earlier(where.log, intent)
        if replay is not None:
            return uuid.UUID(replay.answer["webhook"])
        if len(queries.webhooks_of(where.log, owner=where.organization)) >= MOST_WEBHOOKS:
            raise Refused(f"There are {MOST_WEBHOOKS} webhooks already; remove one first.")
        webhook = uuid.uuid4()
        added = e.WebhookAdded(
            address=sealing.sealed(fields["url"], webhook=webhook),
            types=fields.get("types", []),
            label_sets=fields.get("label_sets", []),
            name=fields.get("name", ""),
            owner=str(where.organization) if where.organization else None,
        )
        state = WebhookState(where.log, webhook_stream(webhook))
        with transaction.atomic():
            if where.dataset is None:
                _begin_everywhere(webhook, where.organization)
            if _append(state, [added], intent, {"webhook": str(webhook)}).replayed:
                raise store.Stale  # a twin of this request was faster; the next turn answers what it did
        return webhook

    return decide(attempt)


def _begin_everywhere(webhook: uuid.UUID, owner: uuid.UUID | None) -> None:
    """Have it told of the datasets that are there from now on; of those that come, from their beginning."""
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO labeling_webhookcursor (webhook_id, log, "offset", state, failures, reason)'
            " SELECT %s, h.log, h.head, 'active', 0, '' FROM labeling_dataset d JOIN log_head h ON h.log = d.id"
            "  WHERE %s::uuid IS NULL OR d.owner_id = %s",
            [webhook, owner, owner],
        )


def change_webhook(*, intent: Intent, where: Where, webhook: uuid.UUID, changes: JSON) -> None:
    """Change a webhook's address, types, label sets or name, pause it or let it go on (checked by checked_webhook);
    only what differs counts.

    While it is paused nothing is told; what happens meanwhile is told when it goes on. To go on is also what one does
    that too many failures had stopped, and one that waits goes on at once.

    Raises:
        NotFound, NotPermitted: there is no such webhook, or the author may not.
    """

    def rule(state: WebhookState) -> list[Fact]:
        found: JSON = {
            name: changes[name]
            for name in ("types", "label_sets", "name")
            if name in changes and changes[name] != getattr(state, name)
        }
        if "url" in changes and changes["url"] != sealing.opened(state.address, webhook=state.id):
            found["address"] = sealing.sealed(changes["url"], webhook=state.id)
        facts: list[Fact] = [e.WebhookChanged(changes=found)] if found else []
        if changes.get("paused") is True and not state.paused:
            facts.append(e.WebhookPaused())
        if changes.get("paused") is False and (state.paused or _is_failing(webhook)):
            facts.append(e.WebhookResumed())
        return facts

    def after(row: Webhook) -> None:
        if "paused" in changes:
            (_take_turns_away if changes["paused"] else _go_on)(row)

    _change(webhook, where, intent, rule, after=after)


def change_secret(*, intent: Intent, where: Where, webhook: uuid.UUID) -> None:
    """Sign with another secret, and for a day with the one before too. Raises NotFound, NotPermitted."""
    _change(webhook, where, intent, lambda state: [e.WebhookSecretChanged()])


def remove_webhook(*, intent: Intent, where: Where, webhook: uuid.UUID) -> None:
    """Tell nothing any more. Raises NotFound, NotPermitted."""
    _change(webhook, where, intent, lambda state: [e.WebhookRemoved()], after=_forget)


def redeliver(*, intent: Intent, where: Where, webhook: uuid.UUID, log: uuid.UUID, offset: int) -> None:
    """Tell a dataset's log again from an offset on (included), with the same ids; or, ahead, pass over what is between.

    Raises:
        NotFound, NotPermitted: there is no such webhook, or it is not about that dataset, or the author may not.
        InvalidValue: the log has not reached that offset.
    """
    if not 1 <= offset <= store.head(log) + 1:
        raise InvalidValue("from", "must be an offset of the dataset's log, from 1 to the one behind its newest event")

    def after(row: Webhook) -> None:
        WebhookCursor.objects.update_or_create(
            webhook_id=row.id,
            log=log,
            defaults={"offset": offset - 1, "state": "active", "failures": 0, "reason": "", "next_at": None,
                      "asked_at": None, "lease": None, "leased_until": None},
        )  # fmt: skip

    def rule(state: WebhookState) -> list[Fact]:
        if state.dataset is None:
            about = Dataset.objects.filter(id=log)
            if not (about.filter(owner_id=state.owner) if state.owner else about).exists():
                raise NotFound("The dataset")
        elif state.dataset != log:
            raise NotFound("The dataset")
        return [e.WebhookRedelivered(log=str(log), offset=offset)]

    _change(webhook, where, intent, rule, after=after)


def ping(*, intent: Intent, where: Where, webhook: uuid.UUID) -> WebhookDelivery:
    """Have a ping sent, which says nothing of the log; returns what is known of it so far. It is no event.

    Raises:
        NotFound, NotPermitted: there is no such webhook, or the author may not.
        Refused: MOST_PINGS wait already.
    """
    require(where, intent.on_behalf_of or intent.author)
    row = queries.find_webhook(webhook, where.log, owner=where.organization)
    waiting = WebhookDelivery.objects.filter(webhook_id=row.id, type=PING, state=WebhookDelivery.State.WAITING)
    if waiting.count() >= MOST_PINGS:
        raise Refused(f"{MOST_PINGS} pings wait already.")
    made = WebhookDelivery.objects.create(
        webhook_id=row.id,
        offset=0,
        message=message_id(row.id, f"ping/{uuid.uuid4()}"),
        type=PING,
        state=WebhookDelivery.State.WAITING,
        last_at=timezone.now(),
    )
    from labeling import actors

    transaction.on_commit(lambda: actors.ask_ping(row.id), robust=True)
    return made


def secret_of(row: Webhook) -> bytes:
    """What deliveries are signed with now; shown once, by the command that made it."""
    return sealing.secret_of(row.id, row.generation)


# --- what they share -----------------------------------------------------------------------------------------------

After = Callable[[Webhook], Any]


def _change(
    webhook: uuid.UUID,
    where: Where,
    intent: Intent,
    rule: Callable[[WebhookState], list[Fact]],
    *,
    after: After | None = None,
) -> None:
    """Append what the rule says; `after` does what follows outside of the log, in the same transaction."""

    def attempt() -> None:
        require(where, intent.on_behalf_of or intent.author)
        if earlier(where.log, intent) is not None:
            return
        row = queries.find_webhook(webhook, where.log, owner=where.organization)
        state = queries.state_of(row)
        facts = rule(state)
        with transaction.atomic():
            if facts and after is not None:
                after(row)  # in front of the append, whose lock is held until the commit
            if facts or intent.replayable:
                _append(state, facts, intent, {"webhook": str(webhook)})

    decide(attempt)


def _append(state: WebhookState, facts: list[Fact], intent: Intent, answer: JSON) -> store.Appended:
    events = store.new_events(state.log, intent, [(state.stream, state.version, fact) for fact in facts])
    appended = store.append(
        state.log,
        intent=intent,
        events=events,
        rows=webhook_state.rows(webhook_state.fold(state, events)) if facts else Rows(),
        expected={state.stream: state.version},
        open_as="installation" if state.log == INSTALLATION else None,
        answer=answer,
    )
    if state.log != INSTALLATION:
        hint(state.log, appended)
    return appended


def _is_failing(webhook: uuid.UUID) -> bool:
    return WebhookCursor.objects.filter(webhook_id=webhook).exclude(failures=0).exists()


def _take_turns_away(row: Webhook) -> None:
    WebhookCursor.objects.filter(webhook_id=row.id).update(lease=None, leased_until=None)


def _go_on(row: Webhook) -> None:
    WebhookCursor.objects.filter(webhook_id=row.id).update(
        state="active", failures=0, reason="", next_at=None, asked_at=None
    )


def _forget(row: Webhook) -> None:
    WebhookCursor.objects.filter(webhook_id=row.id).delete()
    WebhookDelivery.objects.filter(webhook_id=row.id).delete()
