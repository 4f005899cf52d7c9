"""Webhooks: of a dataset, of an organisation's datasets, of all datasets. The same addresses below each of these."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer, no_content
from labeling.api.contract import Reply, documented
from labeling.api.organizations import organization_named
from labeling.api.requests import body_of, existing_page, intent_of, number_of, page_of, uuid_of
from labeling.api.schemas import webhooks as schemas
from labeling.api.schemas.forms import TEXT, WHOLE, listed
from labeling.api.schemas.parameters import PAGING, query
from labeling.api.views import Answer, View
from labeling.commands import webhooks as commands
from labeling.commands.webhooks import Where
from labeling.errors import InvalidValue, NotFound
from labeling.log import store
from labeling.models import Webhook, WebhookDelivery
from labeling.queries import datasets as dataset_queries
from labeling.queries import webhooks as queries
from labeling.queries.labels import names_of
from labeling.rules.webhook_messages import secret_text
from labeling.webhooks.sealing import opened

JSON = dict[str, Any]
Find = Callable[[View, JSON], Where]

NO_STORE = {"Cache-Control": "no-store"}


def rendered_webhooks(rows: Sequence[Webhook]) -> list[JSON]:
    """Webhooks as they are shown; the secret is not."""
    cursors = queries.cursors_of(rows)
    label_sets = queries.names_of_label_sets(rows)
    names = names_of({row.created_by for row in rows}) if rows else {}
    heads = store.heads(cursor.log for own in cursors.values() for cursor in own) if rows else {}
    return [
        {
            "uuid": row.id,
            "name": row.name,
            "url": opened(row.address, webhook=row.id),
            "types": row.types,
            "labelsets": sorted(label_sets.get(item, item) for item in row.label_sets),
            "paused": row.paused,
            "state": state_of(row, [cursor.state for cursor in own], any(cursor.failures for cursor in own)),
            "created_at": row.created_at,
            "created_by": names.get(row.created_by),
            "updated_at": row.updated_at,
            "logs": [
                {
                    "dataset": cursor.log,
                    "offset": cursor.offset,
                    "behind": max(0, heads.get(cursor.log, 0) - cursor.offset),
                    "state": cursor.state,
                    "failures": cursor.failures,
                    "reason": cursor.reason,
                    "next_at": cursor.next_at,
                }
                for cursor in own
            ],
        }
        for row in rows
        for own in [cursors[row.id]]
    ]


def state_of(row: Webhook, states: Sequence[str], failing: bool) -> str:
    """One word for how it goes."""
    if row.paused:
        return "paused"
    if "stopped" in states:
        return "stopped"
    return "failing" if failing else "active"


def rendered_delivery(row: WebhookDelivery) -> JSON:
    return {
        "id": row.message,
        "type": row.type,
        "dataset": row.log,
        "offset": row.offset,
        "state": row.state,
        "attempts": row.attempts,
        "status_code": row.status_code,
        "duration_ms": row.duration_ms,
        "problem": row.problem,
        "first_at": row.first_at,
        "last_at": row.last_at,
    }


def of_dataset(view: View, path: JSON) -> Where:
    return Where(dataset=view.dataset(path["owner"], path["name"], "webhooks").id)


def of_organization(view: View, path: JSON) -> Where:
    where = Where(organization=organization_named(path["organization"]).id)
    commands.require(where, view.person)
    return where


def of_installation(view: View, path: JSON) -> Where:
    commands.require(Where(), view.person)
    return Where()


FROM = query("from", "The first offset to tell (again); what is behind it follows.", WHOLE | {"minimum": 1}, 1)
DATASET = query("dataset", "Which dataset's log, as `owner/name`.", TEXT, "ana/cars")


def webhook_views(prefix: str, action: str, find: Find, key: str = "webhook") -> dict[str, type[View]]:
    """The views below one place, by what their addresses end with; `prefix` is put before the ids of their operations,
    and `key` is the path parameter with the webhook's uuid."""

    class Place(View):
        def row(self, path: JSON) -> tuple[Where, Webhook]:
            where, found = find(self, path), uuid_of(path[key])
            if found is None:
                raise NotFound("The webhook")
            return where, queries.find_webhook(found, where.log, owner=where.organization)

        def again(self, where: Where, row: Webhook) -> Webhook:
            return queries.find_webhook(row.id, where.log, owner=where.organization)

    class WebhooksView(Place):
        """The webhooks of a place."""

        @documented(f"{prefix}webhooks", action, {200: Reply(listed(schemas.WEBHOOK))})
        def get(self, request: Request, **path: str) -> Answer:
            """All webhooks, the oldest first."""
            where = find(self, path)
            return answer(rendered_webhooks(queries.webhooks_of(where.log, owner=where.organization)))

        @documented(
            f"{prefix}webhook_add",
            action,
            {201: Reply(schemas.MADE_WEBHOOK)},
            body=schemas.NEW_WEBHOOK,
            appends=True,
            refusals=("refused",),
        )
        def post(self, request: Request, **path: str) -> Answer:
            """Have what happens from now on told to a `url`. `secret` is shown once."""
            where = find(self, path)
            body = {key: value for key, value in body_of(request).items() if key != "paused"}
            fields = commands.checked_webhook(body, where)
            made = commands.add_webhook(intent=intent_of(request), where=where, fields=fields)
            row = queries.find_webhook(made, where.log, owner=where.organization)
            secret = secret_text(commands.secret_of(row))
            return answer(rendered_webhooks([row])[0] | {"secret": secret}, status=201, headers=NO_STORE)

    class WebhookView(Place):
        """One webhook."""

        @documented(f"{prefix}webhook_read", action, {200: Reply(schemas.WEBHOOK)})
        def get(self, request: Request, **path: str) -> Answer:
            """What is known of a webhook, and how far it is told."""
            return answer(rendered_webhooks([self.row(path)[1]])[0])

        @documented(
            f"{prefix}webhook_change",
            action,
            {200: Reply(schemas.WEBHOOK)},
            body=schemas.WEBHOOK_CHANGE,
            appends=True,
        )
        def patch(self, request: Request, **path: str) -> Answer:
            """Change its address, types, label sets or name; pause it, or (`paused` false) let it go on, also where it
            was stopped. What happens while it is paused is told later."""
            where, row = self.row(path)
            changes = commands.checked_webhook(body_of(request), where, partial=True)
            commands.change_webhook(intent=intent_of(request), where=where, webhook=row.id, changes=changes)
            return answer(rendered_webhooks([self.again(where, row)])[0])

        @documented(f"{prefix}webhook_remove", action, {204: Reply()}, appends=True)
        def delete(self, request: Request, **path: str) -> Answer:
            """Tell it nothing any more."""
            where, row = self.row(path)
            commands.remove_webhook(intent=intent_of(request), where=where, webhook=row.id)
            return no_content()

    class SecretView(Place):
        """A webhook's secret."""

        @documented(f"{prefix}webhook_secret", action, {200: Reply(schemas.MADE_WEBHOOK)}, appends=True)
        def post(self, request: Request, **path: str) -> Answer:
            """Sign with a new secret, which is shown once; for a day messages are signed with the old one too."""
            where, row = self.row(path)
            commands.change_secret(intent=intent_of(request), where=where, webhook=row.id)
            changed = self.again(where, row)
            secret = secret_text(commands.secret_of(changed))
            return answer(rendered_webhooks([changed])[0] | {"secret": secret}, headers=NO_STORE)

    class PingView(Place):
        """A test."""

        @documented(f"{prefix}webhook_ping", action, {202: Reply(schemas.DELIVERY)}, refusals=("refused",))
        def post(self, request: Request, **path: str) -> Answer:
            """Send a message of the type `ping`, which says nothing of any log, once and soon; the list of deliveries
            tells what came of it."""
            where, row = self.row(path)
            made = commands.ping(intent=intent_of(request), where=where, webhook=row.id)
            return answer(rendered_delivery(made), status=202)

    class RedeliverView(Place):
        """Once more."""

        @documented(
            f"{prefix}webhook_redeliver",
            action,
            {202: Reply(schemas.WEBHOOK)},
            parameters=(FROM,) if action == "webhooks" else (FROM, DATASET),
            appends=True,
        )
        def post(self, request: Request, **path: str) -> Answer:
            """Tell a log again from an offset on, with the same ids, or pass over what it is stuck at; it goes on from
            there, also where it was stopped."""
            where, row = self.row(path)
            if "from" not in request.query_params:
                raise InvalidValue("from", "is required")
            offset = number_of(request, "from", 0, least=1)
            log = where.dataset or self._dataset_named(request.query_params.get("dataset", ""))
            commands.redeliver(intent=intent_of(request), where=where, webhook=row.id, log=log, offset=offset)
            return answer(rendered_webhooks([self.again(where, row)])[0], status=202)

        def _dataset_named(self, text: str) -> uuid.UUID:
            owner, _, name = text.partition("/")
            if not owner or not name:
                raise InvalidValue("dataset", "must be a dataset's owner and name: owner/name")
            return dataset_queries.find_dataset(owner, name, person=self.person).id

    class DeliveriesView(Place):
        """What became of messages."""

        @documented(f"{prefix}webhook_deliveries", action, {200: Reply(listed(schemas.DELIVERY))}, parameters=PAGING)
        def get(self, request: Request, **path: str) -> Answer:
            """Messages and what became of them, the newest attempt first; kept for a week."""
            _, row = self.row(path)
            limit, skip = page_of(request)
            found = queries.deliveries_of(row.id, limit=limit, skip=skip)
            return answer([rendered_delivery(item) for item in existing_page(found, skip)])

    return {
        "": WebhooksView,
        f"<{key}>": WebhookView,
        f"<{key}>/secret": SecretView,
        f"<{key}>/ping": PingView,
        f"<{key}>/redeliver": RedeliverView,
        f"<{key}>/deliveries": DeliveriesView,
    }


#: (what the addresses begin with, what their names begin with, the views).
PLACES = (
    ("datasets/<owner>/<name>/webhooks", "", webhook_views("", "webhooks", of_dataset)),
    (
        "organizations/<organization>/webhooks",
        "organization",
        webhook_views("organization_", "organization-manage", of_organization),
    ),
    (
        "webhooks",
        "installation",
        webhook_views("installation_", "superuser", of_installation, key="installation_webhook"),
    ),
)
