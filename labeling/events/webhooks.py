"""What happened to webhooks: subscriptions of other programs to a dataset's log, in it; to those of an organisation or
of the whole installation, in the log of the installation.

The secret that deliveries are signed with is in no log: it follows from the installation's secret key, the webhook and
a number that is counted up with every change of it. The address is encrypted, because it may say a secret itself.
"""

from __future__ import annotations

from typing import Any

from labeling.log.event import Fact

JSON = dict[str, Any]


class WebhookAdded(Fact, frozen=True):
    """Somebody asked that what happens be told to another program. `types` are names of the protocol's events and of
    ours (none: all of the protocol's), `label_sets` ids (none: all)."""

    address: str
    types: list[str] = []
    label_sets: list[str] = []
    name: str = ""
    owner: str | None = None  #: the organisation whose datasets it is about; without one, and in no dataset's log: all


class WebhookChanged(Fact, frozen=True):
    """The address, the types, the label sets or the name of a webhook were changed."""

    changes: JSON


class WebhookPaused(Fact, frozen=True):
    """Nothing is told for now; what happens meanwhile is told later."""


class WebhookResumed(Fact, frozen=True):
    """It is told again, from where it was; also where too many failures had stopped it."""


class WebhookSecretChanged(Fact, frozen=True):
    """Deliveries are signed with another secret; for a day with the one before too."""


class WebhookRedelivered(Fact, frozen=True):
    """What happened from an offset of a dataset's log on is told once more."""

    log: str
    offset: int


class WebhookRemoved(Fact, frozen=True):
    """Nothing is told any more."""


WEBHOOK_EVENTS = (
    WebhookAdded,
    WebhookChanged,
    WebhookPaused,
    WebhookResumed,
    WebhookSecretChanged,
    WebhookRedelivered,
    WebhookRemoved,
)
