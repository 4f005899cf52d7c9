"""Sign checkpoints of logs, now and then or when somebody asks, and publish them beside the database."""

from __future__ import annotations

import datetime as dt
import io
import logging
import time
import uuid

from labeling import events as e
from labeling import signing, storage
from labeling.commands.people import operator
from labeling.commands.writing import decide
from labeling.errors import PalimpsestError
from labeling.log import store
from labeling.log.event import INSTALLATION, Intent, microseconds
from labeling.log.rows import Rows
from labeling.models import SigningKey
from labeling.queries import checkpoints
from labeling.queries.checkpoints import Checkpoint
from labeling.rules import checkpoints as rules
from labeling.rules import tree

logger = logging.getLogger(__name__)

#: How long a log that moved stays without a new checkpoint.
PERIOD_S = 3600.0
_last_round_s = -PERIOD_S


def sign_checkpoint(*, intent: Intent, log: uuid.UUID) -> Checkpoint | None:
    """Sign what a log is up to its head, and publish that; None where nothing happened since its last checkpoint, or
    where the installation signs nothing because it has no key.

    Raises:
        SigningFailed: there are keys, and none can be used here.
        Busy: the log of the installation is held by others for too long.
        LogGap: events are missing.
        OSError: the storage takes no file; nothing was stored.
    """

    def attempt() -> Checkpoint | None:
        stream = rules.checkpoint_stream(log)
        version = store.version(INSTALLATION, stream)
        before = checkpoints.last_of(log) if version else None
        offset, chain = store.head_and_chain(log)
        if not offset or (before is not None and not _moved(log, before.offset, offset)):
            return None
        (last,) = store.read(log, after=offset - 1, up_to=offset)
        stated = rules.statement(
            log=log,
            number=version + 1,
            offset=offset,
            chain=chain,
            recorded_us=microseconds(last.recorded_at) or 0,
            made_us=microseconds(dt.datetime.now(dt.UTC)) or 0,
            app_version=store.APP_VERSION,
            previous=before.stated if before else None,
            peaks=_peaks(log, before, offset),
        )
        signature = signing.sign(signing.CHECKPOINT, rules.message(stated))
        if signature is None:
            return None
        made = Checkpoint(stated, signature.as_json())
        fact = e.LogCheckpointSigned(log=str(log), statement=stated, signature=made.signature)
        events = store.new_events(INSTALLATION, intent, [(stream, version, fact)])
        store.append(
            INSTALLATION,
            intent=intent,
            events=events,
            rows=Rows(),
            expected={stream: version},
            open_as="installation",
        )
        return made

    made = decide(attempt)
    if made is not None:
        publish(made)
    return made


def _peaks(log: uuid.UUID, before: Checkpoint | None, offset: int) -> list[bytes]:
    """The peaks of the tree over the log up to an offset: those of the last checkpoint, grown by what is new."""
    peaks, size = (rules.tree_of(before.stated), before.offset) if before else (None, 0)
    size = 0 if peaks is None else size
    return tree.grown(peaks or [], size, store.chains(log, after=size, up_to=offset))


def publish(made: Checkpoint) -> str:
    """Write a checkpoint as a file into the storage, where it is not there already; returns its path there."""
    content = made.document
    storage.put(made.path, len(content), io.BytesIO(content))
    return made.path


def sign_all(*, intent: Intent) -> list[Checkpoint]:
    """A checkpoint of every log in which something happened. The installation's own comes last, and holds the others.

    Raises:
        As sign_checkpoint.
    """
    logs = [log for log, _, head in store.logs() if head]
    made = [sign_checkpoint(intent=intent, log=log) for log in sorted(logs, key=lambda log: (log == INSTALLATION, log))]
    return [item for item in made if item is not None]


def sign_now_and_then() -> int:
    """Sign all, if that was not done a while ago and there is a key; returns how many checkpoints were made."""
    global _last_round_s
    if time.monotonic() - _last_round_s < PERIOD_S:
        return 0
    _last_round_s = time.monotonic()
    if not SigningKey.objects.filter(retired_at=None).exists():
        return 0
    try:
        return len(sign_all(intent=operator("checkpoint")))
    except (signing.SigningFailed, PalimpsestError, store.LogGap, OSError):
        logger.exception("checkpoints could not be signed")
        return 0


def _moved(log: uuid.UUID, after: int, head: int) -> bool:
    """Whether anything happened; in the log of the installation other checkpoints are nothing."""
    if log != INSTALLATION:
        return head > after
    return any(
        not isinstance(event.fact, e.LogCheckpointSigned)
        for page in store.pages(log, after=after, up_to=head)
        for event in page
    )
