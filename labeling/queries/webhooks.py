"""Webhooks: finding one, those of a place, and what became of their messages."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from labeling.errors import NotFound
from labeling.models import LabelSet, Webhook, WebhookCursor, WebhookDelivery
from labeling.rules.webhook_state import WebhookState, webhook_stream


def webhooks_of(log: uuid.UUID, *, owner: uuid.UUID | None = None) -> list[Webhook]:
    """The webhooks of a dataset; or, where `log` is the installation's, of an organisation or (None) of all."""
    return list(Webhook.objects.filter(log=log, owner_id=owner, removed=False).order_by("created_at", "id"))


def find_webhook(webhook: uuid.UUID, log: uuid.UUID, *, owner: uuid.UUID | None = None) -> Webhook:
    """The webhook of that place with this id.

    Raises:
        NotFound: there is none.
    """
    found = Webhook.objects.filter(id=webhook, log=log, owner_id=owner, removed=False).first()
    if found is None:
        raise NotFound("The webhook")
    return found


def state_of(row: Webhook) -> WebhookState:
    """A webhook's state from its row, for a command."""
    return WebhookState(
        log=row.log,
        stream=webhook_stream(row.id),
        version=row.version,
        exists=not row.removed,
        owner=str(row.owner_id) if row.owner_id else None,
        address=row.address,
        types=row.types,
        label_sets=row.label_sets,
        name=row.name,
        paused=row.paused,
        generation=row.generation,
        secret_at=row.secret_at,
        created_offset=row.created_offset,
        created_by=row.created_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_offset=row.last_offset,
    )


def cursors_of(webhooks: Sequence[Webhook]) -> dict[uuid.UUID, list[WebhookCursor]]:
    """{webhook: how far each log is told to it}."""
    found: dict[uuid.UUID, list[WebhookCursor]] = {row.id: [] for row in webhooks}
    for cursor in WebhookCursor.objects.filter(webhook_id__in=list(found)).order_by("log"):
        found[cursor.webhook_id].append(cursor)
    return found


def deliveries_of(webhook: uuid.UUID, *, limit: int, skip: int = 0) -> list[WebhookDelivery]:
    """What became of messages, the newest attempt first."""
    rows = WebhookDelivery.objects.filter(webhook_id=webhook).order_by("-last_at", "-id")
    return list(rows[skip : skip + limit])


def label_sets_named(dataset: uuid.UUID, names: Sequence[str]) -> list[str]:
    """The ids of label sets, in the order of their names.

    Raises:
        NotFound: there is none of one of these names.
    """
    known = dict(LabelSet.objects.filter(dataset_id=dataset, archived=False).values_list("name", "id"))
    if set(names) - known.keys():
        raise NotFound("The label set")
    return [str(known[name]) for name in sorted(set(names))]


def names_of_label_sets(rows: Sequence[Webhook]) -> dict[str, str]:
    """{id of a label set that these name: its name}."""
    wanted = {item for row in rows for item in row.label_sets}
    found = LabelSet.objects.filter(id__in=wanted) if wanted else []
    return {str(item.id): item.name for item in found}
