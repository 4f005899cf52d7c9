"""What of a log is told to a webhook, how it is signed, and when it is tried again. Pure.

The protocol's events stand for all that one command did to one label, sample, issue or dataset: the message belongs to
the last of these events and shows what it is then. Our own events are told one by one.

A delivery is signed as the protocol's is (it is Svix that sends it), which is also how Standard Webhooks have it:
HMAC-SHA256 over `<id>.<timestamp>.<body>`, in base64, with the bytes behind `whsec_` of the secret as key. A receiver
compares the signature, refuses a timestamp that is more than REPLAY_WINDOW_S from its own clock, and remembers the ids
that it took: what was taken and not acknowledged comes again, with the same id.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from labeling.log.event import Event

NAMESPACE = uuid.UUID("f1b0a9de-4c1e-4e8e-8a52-6a4d6f1e8b10")
API_VERSION = "2021-08-01"  #: of the protocol's payloads
PING = "ping"
#: The protocol's events; what kind of stream they are about, and what happened to it.
PROTOCOL = (
    "dataset.created", "dataset.updated", "dataset.deleted",
    "sample.created", "sample.updated", "sample.deleted",
    "label.updated", "label.deleted",
    "issue.created", "issue.updated",
    "release.created",
)  # fmt: skip
CREATED = {"DatasetCreated", "SampleAdded", "IssueOpened", "ReleaseCut"}
DELETED = {"DatasetDeleted", "SampleArchived", "LabelDeleted"}

REPLAY_WINDOW_S = 300
#: How long a secret that was changed is still signed with.
OVERLAP_S = 86_400
PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell: an event's offset, and what it is told as. `event` is the last that it stands for."""

    webhook: uuid.UUID
    type: str
    event: Event

    @property
    def id(self) -> str:
        """The same whenever it is told again."""
        return message_id(self.webhook, f"{self.event.log}/{self.event.offset}/{self.type}")

    @property
    def offset(self) -> int:
        assert self.event.offset is not None
        return self.event.offset


def message_id(webhook: uuid.UUID, what: str) -> str:
    return f"msg_{uuid.uuid5(NAMESPACE, f'{webhook}/{what}').hex}"


def messages(
    webhook: uuid.UUID,
    events: Sequence[Event],
    *,
    ends: bool,
    types: Collection[str],
    label_sets: Collection[str] = (),
    before: Collection[str] = (),
) -> list[Message]:
    """What is told of a page of a log, in its order. `before` is the types of the events in front of the page that are
    of one run with its first: what one command did to one thing is one message, wherever the page begins.

    Without `ends` the page goes on: then its last event tells only what is behind it, and nothing is told of that one.
    `types` none means all of the protocol's; `label_sets` (ids) none means all, and those of no label are always told.
    """
    wanted = set(types) or set(PROTOCOL)
    found: list[Message] = []
    seen = set(before)  #: of the run of events of one command about one stream
    for place, event in enumerate(events):
        after = events[place + 1] if place + 1 < len(events) else None
        if after is None and not ends:
            break
        kind, _, rest = event.stream.partition("/")
        seen.add(event.type)
        goes_on = after is not None and (after.stream, after.intent.command) == (event.stream, event.intent.command)
        named = protocol_event(kind, seen)
        if not goes_on:
            seen = set()
        if kind == "label" and label_sets and rest.rpartition("/")[2] not in label_sets:
            continue
        if event.type in wanted:
            found.append(Message(webhook, event.type, event))
        if not goes_on and named in wanted:
            found.append(Message(webhook, named, event))
    return found


def protocol_event(kind: str, types: Collection[str]) -> str:
    """What the protocol calls it when these happened to something of that kind; empty where it has no word for it."""
    if kind == "release":
        return "release.created" if "ReleaseCut" in types else ""
    for word, names in (("deleted", DELETED), ("created", CREATED)):
        if names & set(types):
            return f"{kind}.{word}"
    found = f"{kind}.updated"
    return found if found in PROTOCOL else ""


# --- signatures ----------------------------------------------------------------------------------------------------


def secret_text(secret: bytes) -> str:
    """The secret as people copy it."""
    return PREFIX + base64.b64encode(secret).decode()


def signature(secret: bytes, message: str, timestamp_s: int, body: bytes) -> str:
    """The signature of one delivery, as it stands in the header."""
    digest = hmac.digest(secret, f"{message}.{timestamp_s}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def headers(secrets: Sequence[bytes], message: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """What a delivery is sent with, by both names that receivers' libraries know; one signature for each secret."""
    signed = " ".join(signature(secret, message, timestamp_s, body) for secret in secrets)
    values = {"Id": message, "Timestamp": str(timestamp_s), "Signature": signed}
    named = {f"{prefix}-{key}": value for prefix in ("Webhook", "Svix") for key, value in values.items()}
    return named | {"Content-Type": "application/json", "User-Agent": "Palimpsest", "Connection": "close"}


# --- again ---------------------------------------------------------------------------------------------------------

FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 6 * 3600.0


def wait_s(failures: int, chance: float) -> float:
    """How long to wait after so many failures in a row (1 or more): doubled each time, of which between half and all by
    `chance` (0 to 1), so that those who failed together do not come back together."""
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - 1, 40))
    return longest * (0.5 + 0.5 * chance)
