"""The security log: logins, uses of keys, denied commands, downloads and reads of the audit, told through the
same append as all else.

A flood cannot fill it. What happens for the first time within a minute is told at once; the same again (same event,
same author, same source) is counted in a table, and told as one event when the minute is over. Somebody who makes every
time look different gets MOST_A_MINUTE events; all that is more becomes one event without details. So strangers cost
about 30 events a minute at the most, and so does a person who is logged in, or a file that is downloaded.

What was refused stays refused where that cannot be told (the database is away): then only standard error says so.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import DatabaseError, connection, transaction
from django.utils.crypto import salted_hmac

from labeling import events as e
from labeling.commands.writing import decide
from labeling.errors import Busy, NotPermitted
from labeling.log import store
from labeling.log.event import SECURITY, Fact, Intent
from labeling.log.rows import Rows
from labeling.models import AddressSecret
from labeling.texts import secret_of

logger = logging.getLogger(__name__)
JSON = dict[str, Any]

#: The author of what somebody did whom we do not know.
NOBODY = uuid.UUID("00000000-0000-4000-8000-6e6f626f6479")
#: How many different things of one author (of all strangers together) are told within a minute.
MOST_A_MINUTE = 10
#: How many tallies one turn of the sweeper tells.
BATCH = 50

STREAMS: dict[type[Fact], str] = {
    e.LoginSucceeded: "login",
    e.LoginFailed: "login",
    e.LoggedOut: "login",
    e.KeyUsed: "key",
    e.CommandDenied: "denied",
    e.Downloaded: "download",
    e.AuditRead: "audit",
}
TYPES = {fact.__name__: fact for fact in STREAMS}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a request came from: the network address, the program (`rules.clients`), and the API key, if any."""

    address: str = ""
    client: str = ""
    key: uuid.UUID | None = None
    scope: str | None = None

    @property
    def key_text(self) -> str | None:
        return str(self.key) if self.key else None

    def hidden(self, *, person: uuid.UUID | None = None) -> str:
        return hidden(self.address, person=person) if self.address else ""


def now() -> dt.datetime:
    """The time, in UTC, by which minutes and days are told apart."""
    return dt.datetime.now(dt.UTC)


def _minute(moment: dt.datetime) -> dt.datetime:
    return moment.replace(second=0, microsecond=0)


def keyed_hash(text: str) -> str:
    """What counts attempts of one username from one address: equal for equal ones, and of no use elsewhere."""
    return salted_hmac("palimpsest.security", text, algorithm="sha256").hexdigest()[:32]


def hidden(text: str, *, person: uuid.UUID | None = None) -> str:
    """What stands in the log for a username that was tried, or an address: equal for equal ones of one month, and of
    one person where that is known.

    It says nothing any more once the secret of the month is destroyed (retention), or the person's key (erasure).
    """
    month, _ = AddressSecret.objects.get_or_create(
        month=now().strftime("%Y-%m"), defaults={"secret": secrets.token_bytes(32)}
    )
    key = bytes(month.secret or b"") + (secret_of(person, "addresses") if person else b"")
    return salted_hmac("palimpsest.addresses", text, secret=key, algorithm="sha256").hexdigest()[:32]


def login_succeeded(*, person: uuid.UUID, source: Source) -> None:
    """Tell that a person logged in with a browser.

    Raises:
        Busy: it could not be told; nobody shall come in unseen.
    """
    fact = e.LoginSucceeded(address=source.hidden(person=person), client=source.client)
    _tell(fact, Intent(author=person, tool="browser"), str(person), instead=e.LoginSucceeded(address=""))


def logged_out(*, person: uuid.UUID) -> None:
    """Tell that a person logged out."""
    try:
        _tell(e.LoggedOut(), Intent(author=person, tool="browser"), str(person), instead=e.LoggedOut())
    except (Busy, DatabaseError):
        logger.exception("a logout could not be told in the security log")


def login_failed(*, username: str, source: Source, locked: bool) -> None:
    """Tell that somebody gave a wrong username or password, or is locked out."""
    fact = e.LoginFailed(username=hidden(username), address=source.hidden(), locked=locked, client=source.client)
    try:
        _tell(fact, _stranger("browser"), "stranger", instead=e.LoginFailed(username="", address=""))
    except (Busy, DatabaseError):
        logger.exception("a failed login could not be told in the security log")


def key_used(*, person: uuid.UUID, origin: str, source: Source) -> None:
    """Tell that an API key is in use: when the minute is over, because who uses it waits for what they asked for."""
    fact = e.KeyUsed(
        key=source.key_text or "",
        scope=source.scope or "",
        origin=origin,
        address=source.hidden(person=person),
        client=source.client,
    )
    try:
        _tell(
            fact,
            Intent(author=person, author_kind=origin),
            str(person),
            instead=e.KeyUsed(key="", scope=""),
            later=True,
        )
    except (Busy, DatabaseError):
        logger.exception("the use of a key could not be told in the security log")


def denied(
    *,
    person: uuid.UUID | None,
    kind: str = "person",
    error: NotPermitted | None,
    path: str,
    source: Source,
    tool: str | None,
) -> None:
    """Tell that a command was denied: with `error`, or for a bad key where that is None. `path` is a template.

    `person` is who called, of the author kind `kind`.
    """
    fact = e.CommandDenied(
        action=error.action if error else "key",
        path=path,
        dataset=str(error.dataset) if error and error.dataset else None,
        key=source.key_text,
        address=source.hidden(person=person),
        scope=source.scope,
        client=source.client,
    )
    intent = Intent(author=person, author_kind=kind, tool=tool) if person else _stranger(tool)
    try:
        _tell(fact, intent, str(person or "stranger"), instead=e.CommandDenied(action="", path=""))
    except (Busy, DatabaseError):
        logger.exception("a denied command could not be told in the security log")


def downloaded(
    *,
    what: str,
    id: uuid.UUID,
    dataset: uuid.UUID,
    sha256: str,
    source: Source,
    person: uuid.UUID | None,
    release: uuid.UUID | None = None,
    format: str = "",
) -> None:
    """Tell that a file was downloaded, by a person where one is logged in or came with a key.

    Raises:
        Busy: it could not be told; the file stays here.
    """
    fact = e.Downloaded(
        what=what,
        id=str(id),
        dataset=str(dataset),
        sha256=sha256,
        address=source.hidden(person=person),
        key=source.key_text,
        client=source.client,
        release=str(release) if release else "",
        format=format,
    )
    intent = Intent(author=person, tool=None if source.key else "browser") if person else _stranger(None)
    instead = msgspec.structs.replace(fact, address="", key=None, client="")
    _tell(fact, intent, f"{what} {id}", instead=instead)


def audit_read(
    *, intent: Intent, what: str, dataset: uuid.UUID | None, form: str = "", source: Source | None = None
) -> None:
    """Tell that somebody reads an audit report (by its name), checkpoints or a bundle.

    Raises:
        Busy: it could not be told; nothing is shown.
    """
    source = source or Source()
    fact = e.AuditRead(
        what=what,
        dataset=str(dataset) if dataset else None,
        form=form,
        address=source.hidden(person=intent.author),
        key=source.key_text,
        client=source.client,
    )
    instead = msgspec.structs.replace(fact, what="", form="", address="", key=None, client="")
    _tell(fact, intent, str(intent.author), instead=instead)


def _stranger(tool: str | None) -> Intent:
    return Intent(author=NOBODY, author_kind="service", tool=tool)


# One statement, because strangers must not cost more. A source that was counted before goes on being counted; a new one
# beyond the limit is counted as one with all the others of its group.
COUNT = """
WITH chosen AS (
        SELECT EXISTS (SELECT FROM labeling_securitytally WHERE minute = %(minute)s AND source = %(source)s)
            OR (SELECT count(*) FROM labeling_securitytally
                 WHERE minute = %(minute)s AND "grouping" = %(grouping)s) < %(most)s AS own)
INSERT INTO labeling_securitytally AS known
       (minute, source, "grouping", type, data, author, author_kind, untold, last_at)
SELECT %(minute)s, CASE WHEN own THEN %(source)s ELSE %(others)s END, %(grouping)s, %(type)s,
       CASE WHEN own THEN %(data)s::jsonb ELSE %(instead)s::jsonb END, %(author)s, %(author_kind)s, %(untold)s, %(now)s
  FROM chosen
    ON CONFLICT (minute, source) DO UPDATE SET untold = known.untold + 1, last_at = excluded.last_at
RETURNING untold, source = %(source)s
"""


def _tell(fact: Fact, intent: Intent, group: str, *, instead: Fact, later: bool = False) -> None:
    """Tell a fact, or count it where it was told within this minute; beyond the limit of its group as `instead`.

    `later` leaves the first one to the sweeper too, which tells it when the minute is over.

    Raises:
        Busy: the log is held by somebody for too long; nothing was told or counted.
    """
    at = now()
    parameters: JSON = {
        "now": at,
        "minute": _minute(at),
        "source": _digest(fact, str(intent.author)),
        "others": _digest(instead, str(intent.author), "others"),
        "grouping": hashlib.sha256(f"{type(fact).__name__} {group}".encode()).hexdigest(),
        "most": MOST_A_MINUTE,
        "type": type(fact).__name__,
        "data": msgspec.json.encode(fact).decode(),
        "instead": msgspec.json.encode(instead).decode(),
        "author": intent.author,
        "author_kind": intent.author_kind,
        "untold": int(later),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        # What is only counted does not wait for the disk; a crash may take the counts of its last second along.
        cursor.execute("SET LOCAL synchronous_commit TO off")
        cursor.execute(COUNT, parameters)
        untold, own = cursor.fetchone()
        if untold == 0:
            cursor.execute("SET LOCAL synchronous_commit TO DEFAULT")
            _append(fact if own else instead, intent)


def _digest(fact: Fact, *others: str) -> str:
    return hashlib.sha256(msgspec.json.encode([type(fact).__name__, fact, *others])).hexdigest()


def tell_tallies() -> int:
    """Tell what was counted in minutes that are over, and forget the counts; returns how many events that made."""
    told = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM labeling_securitytally WHERE id IN (SELECT id FROM labeling_securitytally"
            " WHERE minute < %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)"
            " RETURNING id, type, data::text, author, author_kind, untold, last_at",
            [_minute(now()), BATCH],
        )
        rows = sorted(cursor.fetchall())
        for _, type_name, data, author, kind, untold, last_at in rows:
            if untold:
                fact = msgspec.structs.replace(msgspec.json.decode(data, type=TYPES[type_name]), count=untold)
                _append(fact, Intent(author=author, author_kind=kind, occurred_at=last_at))
                told += 1
    return told


def _append(fact: Fact, intent: Intent) -> None:
    # A stream a day: one without an end could not be folded in a bounded memory.
    stream = f"{STREAMS[type(fact)]}/{now().date().isoformat()}"

    def attempt() -> None:
        events = store.new_events(SECURITY, intent, [(stream, store.version(SECURITY, stream), fact)])
        store.append(SECURITY, intent=intent, events=events, rows=Rows(), open_as="security")

    decide(attempt)
