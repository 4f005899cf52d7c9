"""Append to the log: facts to events, events and their projected rows into one call of `log_append`."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any, Protocol, TypeVar

import orjson
from django.conf import settings
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction

from labeling.log import values
from labeling.log.event import Event, Fact, Intent, hashed, microseconds
from labeling.log.planned import planned_cursor
from labeling.log.rows import Rows
from labeling.log.store import staging

try:
    APP_VERSION = installed_version("palimpsest")
except PackageNotFoundError:
    APP_VERSION = "0.1"

#: How often a command is decided again because somebody else was faster, before the client is told to come back.
ATTEMPTS = 12
#: From how many events and rows on an append copies them into temporary tables first (see `staging`), so that the lock
#: is not held while they are taken apart. Below that, the tables cost more.
STAGED_FROM = 1000
#: The same where one bulk comes after another, in sessions that have these tables: what is left of their cost is a few
#: round trips, and none of them is under the lock.
STAGED_AGAIN_FROM = 100

LOCK_NOT_AVAILABLE = "55P03"
#: What SQLSTATEs begin with of transactions that are to be tried again.
ROLLED_BACK = "40"

T = TypeVar("T")

#: Told of every call of log_append: what came of it (appended, replayed, stale, busy …), and how many seconds it took.
observers: list[Callable[[str, float], None]] = []


class LogBusy(Exception):
    """The log could not be appended to in time; nothing was stored. Try again after `retry_after_s`."""

    retry_after_s = 1


class CommandReused(Exception):
    """The same command id came before with another request."""


class Stale(Exception):
    """The state that a rule decided on is no longer the newest. Raised and handled in `decide`."""


class Turns(Protocol):
    """What an append tells, and waits for, where another is under way in another thread."""

    def written(self) -> None:
        """All that Python has to do for it is done; from now on it waits for the server."""

    def wait(self) -> None:
        """Wait until it may lock the log; a bulk is copied by then."""


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did. `first_offset` is None when nothing was stored; `replayed` when it had happened before.

    `held_ms` is for how long it held the log once its versions were found fresh: of a bulk to the end of its commit, of
    others without that. It is None inside of the caller's transaction, which goes on to hold it.
    """

    first_offset: int | None
    last_offset: int
    recorded_at: dt.datetime
    replayed: bool
    hint: bool
    answer: Any
    held_ms: float | None = None

    def offset_of(self, relative: int) -> int:
        """The offset of an event whose provisional offset (0 or less, counted back from the last) is `relative`."""
        return self.last_offset + relative if relative < 1 else relative


def new_events(log: uuid.UUID, intent: Intent, facts: Sequence[tuple[str, int, Fact]]) -> list[Event]:
    """Events for (stream, version before it, fact) triples; versions count on within a stream.

    Their offsets are provisional: 0 for the last, -1 for the one before it, and so on back.
    """
    ahead: dict[str, int] = {}
    events = []
    first_id = _event_ids()
    for index, (stream, before, fact) in enumerate(facts):
        number = ahead.get(stream, before) + 1
        ahead[stream] = number
        events.append(
            Event(
                log=log,
                stream=stream,
                version=number,
                fact=fact,
                intent=intent,
                event_id=uuid.UUID(int=first_id + index),
                app_version=APP_VERSION,
                offset=index + 1 - len(facts),
                schema_version=fact.schema,
            )
        )
    return events


def _event_ids() -> int:
    """The number of the first of some event ids: a UUID of version 7 (RFC 9562), the others count on.

    They begin with the time, so that a log's newest ids lie together in their index, however many it has.
    """
    chance = int.from_bytes(os.urandom(9))
    variant = (0b10 << 62) | (chance & ((1 << 61) - 1))  # the highest bit is left for counting on
    return (time.time_ns() // 1_000_000 & ((1 << 48) - 1)) << 80 | 0x7 << 76 | (chance >> 61) << 64 | variant


def is_bulk(events: int, rows: int, *, by_turns: bool) -> bool:
    """Whether an append of so many events and rows is copied before the log is locked; `by_turns` where it has them."""
    return events + rows >= (STAGED_AGAIN_FROM if by_turns else STAGED_FROM)


def append(
    log: uuid.UUID,
    *,
    intent: Intent,
    events: Sequence[Event],
    rows: Rows,
    expected: Mapping[str, int] | None = None,
    open_as: str | None = None,
    answer: Any = None,
    turns: Turns | None = None,
) -> Appended:
    """Store `events` with their projected `rows`, all or nothing.

    `expected` maps streams to the version that the caller's state was read at; it defaults to what the events say.
    `turns` is for who appends more than one thing at a time.

    Raises:
        Stale: a stream is past its expected version, or the log ends elsewhere than rows have it (`CopyRows.last`);
            decide again on fresh state.
        CommandReused: the intent's command id came before with another request.
        LogBusy: others held the log for too long; nothing was stored.
        ValueError: an event was made for another intent.
        django.db.IntegrityError: a projected row breaks a constraint; nothing was stored.
    """
    if any(event.intent is not intent and event.intent != intent for event in events):
        raise ValueError("the events of an append have one intent")
    if expected is None:
        expected = {}
        for event in events:
            expected.setdefault(event.stream, event.version - 1)
    bulk = is_bulk(len(events), rows.count(), by_turns=turns is not None)
    if rows.written and not bulk:
        raise ValueError("only the rows of a bulk come written out")
    inside = connection.in_atomic_block
    # Nothing else may come of it any more where rows are in their place before it is known to be appended.
    or_nothing = bool(rows.placed())
    # An import writes so much that others would wait for the disk with it, for tenths of a second at a checkpoint.
    ahead = not inside and (turns is not None or settings.COMMIT_BARRIER)
    call = _call_text(or_nothing=or_nothing, ahead=ahead)
    is_said_by_event = not bulk and len(events) == 1 and expected == {events[0].stream: events[0].version - 1}
    parameters = [
        log,
        open_as,
        None if is_said_by_event else orjson.dumps(expected).decode(),
        _of_intent(intent),
        *((None, None, None) if bulk else _packed(log, intent, events, rows)),
        intent.command,
        intent.request_hash,
        None if answer is None else orjson.dumps(answer).decode(),
    ]
    if intent.replayable and answer is None:
        parameters[-1] = "null"
    if turns is not None and not bulk:
        turns.written()
        turns.wait()
    began_s = time.perf_counter()
    status = "failed"
    try:
        if bulk:
            staged = staging.Bulk(events, hashed(log, intent, APP_VERSION, events), rows)
            if turns is not None:
                staged.write()
                turns.written()
            if not inside:
                staging.make_room()
        # What is refused inside of a caller's transaction must not spoil the rest of that. A bulk is a transaction of
        # its own: it lies in its temporary tables until the call.
        if bulk or inside:
            with transaction.atomic():
                if bulk:
                    parameters[4:7] = None, *staged.copy(again=inside)
                    if turns is not None:
                        turns.wait()
                        began_s = time.perf_counter()
                called = _call(call, parameters) if inside else _call_and_commit(call, parameters)
                status, first, last, recorded_at, hint, kept, ended_at = called
        else:
            status, first, last, recorded_at, hint, kept, ended_at = _call(call, parameters)
        if ahead and status in ("appended", "replayed"):
            _flush()
    except LogBusy:
        status = "busy"
        raise
    except (IntegrityError, OperationalError) as error:
        if not or_nothing or not _is_overtaken(error):
            raise
        status = "stale"
        raise Stale from error
    finally:
        for observer in observers:
            observer(status, time.perf_counter() - began_s)
    if status == "stale":
        raise Stale
    if status == "reused":
        raise CommandReused
    if status == "unknown_log":
        raise LookupError(f"there is no log {log}")
    replayed = status == "replayed"
    held_ms = None if replayed or inside else (ended_at - recorded_at) / dt.timedelta(milliseconds=1)
    stored = values.load_stored(kept) if kept else None
    return Appended(first, last, recorded_at, replayed, bool(hint), stored, held_ms)


def _call(call: str, parameters: list[Any]) -> tuple[Any, ...]:
    with _busy_where_locked(), planned_cursor() as cursor:
        cursor.execute(call, parameters)
        return tuple(cursor.fetchone())[:7]


def _call_and_commit(call: str, parameters: list[Any]) -> tuple[Any, ...]:
    """The call that ends a transaction of ours, with the time when it was committed.

    All goes in one message: a client that is busy, or dies, must not hold the log between call and commit. Django's own
    commit then finds nothing to do. What is stale has stored nothing, so it may be committed; where it has, it fails.
    """
    with _busy_where_locked(), connection.wrap_database_errors, planned_cursor() as cursor:
        server = connection.connection
        with server.pipeline():
            cursor.execute(call, parameters)
            server.execute("COMMIT")
            clock = server.execute("SELECT clock_timestamp()")
        return *cursor.fetchone()[:6], clock.fetchone()[0]


def _is_overtaken(error: DatabaseError) -> bool:
    """Whether rows that were put in their place are in the way of others, or the log ends elsewhere by now."""
    state = getattr(error.__cause__, "sqlstate", None) or ""
    return isinstance(error, IntegrityError) or state.startswith(ROLLED_BACK)


@contextmanager
def _busy_where_locked() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise LogBusy from error
        raise


def _flush() -> None:
    """Wait until all that is committed so far is on disk, whoever committed it: a commit of nothing that waits.

    The barrier (setting COMMIT_BARRIER, and imports). The commit of an append holds the log's lock, so waiting for the
    disk in it lets one through at a time. With the barrier it does not wait, and this does, after the lock is free and
    before anybody is told: the disk writes in the order of the commits, so one wait serves all who wait at the same
    time.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_logical_emit_message(true, 'palimpsest', '')")


@cache
def _call_text(*, or_nothing: bool, ahead: bool) -> str:
    """The call of log_append: `or_nothing` fails where it does not append, `ahead` commits without waiting for the
    disk."""
    status = "log_appended(status)" if or_nothing else "status"
    further = ", set_config('synchronous_commit', 'off', true)" if ahead else ""
    return f"""
SELECT {status}, first_offset, last_offset, recorded_at, hint, answer, clock_timestamp(){further}
  FROM log_append(%s, %s, %s::jsonb, %s::jsonb, %s::jsonb, %b, %s::jsonb, %s, %b, %s::jsonb)
"""


def _of_intent(intent: Intent) -> str:
    """What all events of an append have in common, for log_append."""
    shared = {
        "a": intent.author,
        "k": intent.author_kind,
        "b": intent.on_behalf_of,
        "tool": intent.tool,
        "ws": intent.work_session,
        "r": intent.reason,
        "ca": intent.causation,
        "co": intent.correlation,
        "so": intent.seen_offset,
        "av": APP_VERSION,
        "o": microseconds(intent.occurred_at),
    }
    return orjson.dumps(shared).decode()


def _packed(log: uuid.UUID, intent: Intent, events: Sequence[Event], rows: Rows) -> tuple[str, bytes, str]:
    """(a JSON array of events, their hashes, the rows), as log_append takes them."""
    items: list[bytes] = []
    hashes: list[bytes] = []
    for event, (data, data_hash, digest) in zip(events, hashed(log, intent, APP_VERSION, events), strict=True):
        own = orjson.dumps((event.stream, event.version, event.type, event.schema_version))
        items.append(b"%b,%b]" % (own[:-1], data))
        hashes += (event.event_id.bytes, data_hash, event.version.to_bytes(8, "big"), digest)
    return (b"[%b]" % b",".join(items)).decode(), b"".join(hashes), orjson.dumps(rows.as_json()).decode()


#: What log_append locks first: the lock of a log, until the transaction ends.
LOCK = "SELECT pg_advisory_xact_lock(uuid_hash_extended(%s, 0))"


def lock(log: uuid.UUID) -> None:
    """Keep every other writer out of a log until the transaction ends, as an append does."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [log])


def decide(attempt: Callable[[], T]) -> T:
    """Run `attempt` (load, rule, append) until it is not stale.

    Raises:
        LogBusy: others were faster every time; never a false conflict.
    """
    for turn in range(ATTEMPTS):
        try:
            return attempt()
        except Stale:
            time.sleep(random.uniform(0, 0.002 * (turn + 1)))
    raise LogBusy


def earlier_answer(log: uuid.UUID, intent: Intent) -> Appended | None:
    """What this command did when it came before, or None. Only for intents that the client named.

    Raises:
        CommandReused: the command id came before with another request.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT request_hash, first_offset, last_offset, recorded_at, answer FROM log_command"
            " WHERE log = %s AND command = %s",
            [log, intent.command],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    if bytes(row[0]) != intent.request_hash:
        raise CommandReused
    if settings.COMMIT_BARRIER:
        _flush()  # who did it may still be waiting, and this answer says that it is done
    return Appended(row[1], row[2], row[3], True, False, values.load_stored(row[4]))


def forget_answers(before: dt.datetime, *, but: Sequence[uuid.UUID] = ()) -> tuple[int, str]:
    """Forget what retries of commands from before a moment would be answered, except of some logs: (how many, the
    SHA-256 in hex of what they were). Such a command that comes again is a new one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM log_command WHERE recorded_at < %s AND NOT log = ANY(%s::uuid[])"
            " RETURNING log, command, request_hash",
            [before, list(but)],
        )
        digest = hashlib.sha256()
        rows = sorted((log.bytes, command.bytes, bytes(hash)) for log, command, hash in cursor.fetchall())
        for row in rows:
            digest.update(b"".join(row))
    return len(rows), digest.hexdigest()
