"""Webhooks and what became of their messages, as `commands.webhooks` takes them."""

from __future__ import annotations

from typing import Any

from labeling.api.schemas import component
from labeling.api.schemas.forms import (
    FLAG,
    MOMENT,
    OFFSET,
    TEXT,
    UUID,
    WHOLE,
    closed,
    listed,
    nullable,
    one_of,
    record,
    said,
    text,
)
from labeling.commands.webhooks import MOST_NAME
from labeling.fetching import MOST_URL
from labeling.models import WebhookDelivery
from labeling.rules.webhook_messages import PROTOCOL, REPLAY_WINDOW_S

JSON = dict[str, Any]

_URL = said(text(MOST_URL, least=1), "Where messages are sent to, of http or https; kept encrypted.")
_TYPES = listed(
    TEXT,
    description=f"Which events: of the protocol ({', '.join(PROTOCOL)}), or types of the log such as"
    " `AnnotationAdded`. None: all of the protocol's.",
)
_LABEL_SETS = listed(TEXT, description="Only what happens to labels of these label sets, and to what is no label.")
STATES = ("active", "failing", "stopped", "paused")
_cursor = closed(
    {
        "dataset": said(UUID, "The uuid of a dataset."),
        "offset": said(OFFSET, "Everything up to here was taken, or was not asked for."),
        "behind": said(WHOLE, "How many events are still to be looked at."),
        "state": one_of("active", "stopped"),
        "failures": said(WHOLE, "In a row."),
        "reason": said(TEXT, "Of the last failure."),
        "next_at": said(nullable(MOMENT), "When it is tried again."),
    }
)
_fields: JSON = {
    "uuid": UUID,
    "name": text(MOST_NAME),
    "url": said(nullable(TEXT), "Null where the server's secret key was changed since; set it again."),
    "types": _TYPES,
    "labelsets": _LABEL_SETS,
    "paused": FLAG,
    "state": said(
        one_of(*STATES),
        "failing: it is tried again, later each time. stopped: too many failures in a row; nothing is lost, and"
        " `paused` false lets it go on.",
    ),
    "created_at": MOMENT,
    "created_by": nullable(TEXT),
    "updated_at": MOMENT,
    "logs": listed(_cursor, description="How far each dataset's log is told, where anything was."),
}
_example: JSON = {
    "uuid": "3e0f2b52-9c7e-4f3e-8f5a-0f6f2c9b1a14",
    "name": "training",
    "url": "https://hooks.example.org/palimpsest",
    "types": ["label.updated"],
    "labelsets": ["ground-truth"],
    "paused": False,
    "state": "active",
    "created_at": "2026-11-20T09:30:00.123456+00:00",
    "created_by": "ana",
    "updated_at": "2026-11-20T09:30:00.123456+00:00",
    "logs": [
        {
            "dataset": "9c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
            "offset": 41,
            "behind": 0,
            "state": "active",
            "failures": 0,
            "reason": "",
            "next_at": None,
        }
    ],
}
WEBHOOK = component("Webhook", closed(_fields), example=_example, gives={"webhook": "$response.body#/uuid"})
_SECRET = said(
    TEXT,
    "What messages are signed with; it is shown this once. `Webhook-Signature` (and `Svix-Signature`) is `v1,` and the"
    " base64 of HMAC-SHA256 over `<Webhook-Id>.<Webhook-Timestamp>.<body>`, with the base64-decoded bytes behind"
    " `whsec_` as key; for a day after a change a second one, of the secret before, stands behind a space. Refuse a"
    f" timestamp that is more than {REPLAY_WINDOW_S} s from your clock, and an id that you took: messages come at least"
    " once, in order, with the same id whenever they come again.",
)
MADE_WEBHOOK = component(
    "MadeWebhook",
    closed(_fields | {"secret": _SECRET}),
    example=_example | {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    gives={"webhook": "$response.body#/uuid"},
)
_optional: JSON = {"types": _TYPES, "labelsets": _LABEL_SETS, "name": text(MOST_NAME), "paused": FLAG}
NEW_WEBHOOK = component(
    "NewWebhook",
    record({"url": _URL}, {name: form for name, form in _optional.items() if name != "paused"}),
    example={"url": "https://hooks.example.org/palimpsest", "types": ["label.updated"]},
)
WEBHOOK_CHANGE = component("WebhookChange", record({}, {"url": _URL, **_optional}), example={"paused": True})
DELIVERY = component(
    "Delivery",
    closed(
        {
            "id": said(TEXT, "The message's id, as it is sent with it."),
            "type": TEXT,
            "dataset": said(nullable(UUID), "Null for a ping."),
            "offset": said(OFFSET, "The event that it tells of; 0 for a ping."),
            "state": one_of(*WebhookDelivery.State.values),
            "attempts": WHOLE,
            "status_code": nullable(WHOLE),
            "duration_ms": nullable(WHOLE),
            "problem": TEXT,
            "first_at": MOMENT,
            "last_at": MOMENT,
        },
        description="A message and what became of it; nothing of what it said, or of what was answered.",
    ),
    example={
        "id": "msg_9f5e0c4d5a4c5f1f8a3c0d8a4e2b7c11",
        "type": "label.updated",
        "dataset": "9c1f5a52-2c7e-4f3e-8f5a-0f6f2c9b1a10",
        "offset": 41,
        "state": "delivered",
        "attempts": 1,
        "status_code": 200,
        "duration_ms": 12,
        "problem": "",
        "first_at": "2026-11-20T09:30:01.123456+00:00",
        "last_at": "2026-11-20T09:30:01.123456+00:00",
    },
)
