"""What happens to webhooks."""

from __future__ import annotations

from labeling import events as e
from labeling.log.event import Fact
from labeling.rules.telling.phrases import listed
from labeling.rules.telling.told import Teller, said, tell

WORDS = {"address": "address", "types": "events", "label_sets": "label sets", "name": "name"}
WEBHOOKS: tuple[tuple[type[Fact], Teller], ...] = (
    (e.WebhookAdded, said("added the webhook {}", "name")),
    (
        e.WebhookChanged,
        lambda told: f"changed the {listed([WORDS.get(name, name) for name in told.fact.changes])} of a webhook",
    ),
    (e.WebhookPaused, said("paused a webhook")),
    (e.WebhookResumed, said("let a webhook go on")),
    (e.WebhookSecretChanged, said("changed the secret of a webhook")),
    (e.WebhookRedelivered, said("had a webhook told again from offset {} on", "offset")),
    (e.WebhookRemoved, said("removed a webhook")),
)
for _type, _teller in WEBHOOKS:
    tell(_type, _teller)
