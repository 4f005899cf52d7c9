"""People and their keys. Names and hashes are in tables; that something happened is in the installation's log."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from labeling import events as e
from labeling.commands.writing import decide
from labeling.errors import AlreadyExists, InvalidValue, NotFound, ReasonRequired, Refused
from labeling.log import store
from labeling.log.event import INSTALLATION, Fact, Intent
from labeling.log.rows import Rows
from labeling.models import ApiKey, Person
from labeling.rules import access
from labeling.rules.reasons import OF_INSTALLATION, class_in_installation

#: Who did what a command line did: somebody with access to the machine.
OPERATOR = uuid.UUID("00000000-0000-4000-8000-6f7065726174")

KEY_PREFIX = "pk_"
#: How many keys that are not revoked somebody may have.
MOST_KEYS = 200
_erased = re.compile(r"erased-[0-9]+", re.IGNORECASE)
_username = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._+-]{0,149}")


def operator(tool: str) -> Intent:
    """The intent of somebody at the command line."""
    return Intent(author=OPERATOR, author_kind="service", tool=tool)


def checked_username(value: Any, where: str = "username") -> str:
    """A username that can stand in a URL: letters, digits and @ . _ + -"""
    if not isinstance(value, str) or not _username.fullmatch(value):
        raise InvalidValue(where, "must be 1 to 150 letters, digits or @ . _ + - and begin with a letter or digit")
    if _erased.fullmatch(value):
        raise InvalidValue(where, "must not be erased- and a number, by which people are known whose data was erased")
    return value


def add_person(
    *,
    intent: Intent,
    username: str,
    email: str = "",
    password: str | None = None,
    kind: str = "person",
    staff: bool = False,
    superuser: bool = False,
) -> Person:
    """Make an account for a person, an organisation (`kind` organization) or a service.

    Raises:
        AlreadyExists: the username is taken.
        ReasonRequired: it gets rights, and no reason is given (require_reason).
    """
    checked_username(username)
    person = Person(
        username=username,
        email=email,
        is_staff=staff or superuser,
        is_superuser=superuser,
        is_organization=kind == "organization",
    )
    person.set_password(password)
    with transaction.atomic():
        try:
            with transaction.atomic():
                person.save(force_insert=True)
        except IntegrityError as error:
            raise AlreadyExists("User", "username") from error
        append_of_person(
            intent, f"person/{person.id}", e.PersonAdded(kind=kind, staff=person.is_staff, superuser=superuser)
        )
    return person


def change_person(*, intent: Intent, person: Person, fields: dict[str, Any]) -> None:
    """Change an account's names (not in the log, but that they changed is) and its rights.

    Raises:
        AlreadyExists: the username is taken.
        ReasonRequired: rights change, and no reason is given (require_reason).
        Refused: the person's data was erased.
    """
    _refuse_erased(person)
    rights = {}
    renamed = False
    for key, value in fields.items():
        if getattr(person, key) == value:
            continue
        if key in ("is_active", "is_staff", "is_superuser"):
            rights[key] = bool(value)
        elif key == "username":
            checked_username(value)
            renamed = True
        else:
            renamed = True
        setattr(person, key, value)
    if not rights and not renamed:
        return
    with transaction.atomic():
        try:
            with transaction.atomic():
                person.save(update_fields=list(fields))
        except IntegrityError as error:
            raise AlreadyExists("User", "username") from error
        append_of_person(intent, f"person/{person.id}", e.PersonChanged(changes=rights, renamed=renamed))


def set_password(*, intent: Intent, person: Person, password: str) -> None:
    """Give an account another password. The log knows that, and not the password's hash.

    Raises:
        Refused: the person's data was erased.
    """
    _refuse_erased(person)
    person.set_password(password)
    with transaction.atomic():
        person.save(update_fields=["password"])
        append_of_person(intent, f"person/{person.id}", e.PersonChanged(password=True))


def create_key(
    *, intent: Intent, person: Person, name: Any = "", scope: Any = "manage", origin: Any = "person"
) -> tuple[ApiKey, str]:
    """Make an API key for a person. The key itself is returned once and never stored.

    Raises:
        InvalidValue: the name, the scope or the origin cannot be one.
        ReasonRequired: no reason is given (require_reason).
        Refused: they have too many, were erased, or it is a retry of a command that made one.
    """
    _refuse_erased(person)
    if not isinstance(name, str) or len(name) > 100:
        raise InvalidValue("name", "must be a string of at most 100 characters")
    if scope not in access.SCOPES:
        raise InvalidValue("scope", f"must be one of {', '.join(access.SCOPES)}")
    if origin not in access.ORIGINS:
        raise InvalidValue("origin", f"must be one of {', '.join(access.ORIGINS)}")
    if ApiKey.objects.filter(person=person, revoked_at=None).count() >= MOST_KEYS:
        raise Refused(f"There are {MOST_KEYS} API keys in use; revoke those that are not needed.")
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        key = ApiKey.objects.create(person=person, name=name, scope=scope, origin=origin, hash=hash_of(secret))
        made = append_of_person(
            intent, f"person/{person.id}", e.KeyCreated(key=str(key.id), scope=scope, origin=origin)
        )
        if made.replayed:  # the row goes with the transaction, and the first answer cannot be given again
            raise Refused("This Idempotency-Key made an API key before, which was shown once. Send another.")
    return key, secret


def revoke_key(*, intent: Intent, key: ApiKey) -> None:
    """Revoke an API key, for good. Revoking it again does nothing.

    Raises:
        ReasonRequired: no reason is given (require_reason).
    """
    with transaction.atomic():
        if ApiKey.objects.filter(id=key.id, revoked_at=None).update(revoked_at=timezone.now()):
            append_of_person(intent, f"person/{key.person.pk}", e.KeyRevoked(key=str(key.id)))


def _refuse_erased(person: Person) -> None:
    if person.erased_at is not None:
        raise Refused("This person's data was erased, so the account stays as it is; make a new one.")


def hash_of(secret: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(secret.encode()).digest()


def person_named(username: str) -> Person:
    """Raises NotFound when nobody has that username."""
    try:
        return Person.objects.get(username=username)
    except Person.DoesNotExist as error:
        raise NotFound("The user") from error


def require_reason(intent: Intent, fact: Fact, *, person: uuid.UUID | None = None) -> None:
    """Check that a change of rights that the installation asks a reason for (REASONS_REQUIRED) has one; `person` is
    whose account it is. Who is at the machine itself is asked by the commands there, or not at all: the first account
    and the first key are made so.

    Raises:
        ReasonRequired: it has none.
    """
    if intent.reason is not None or intent.author == OPERATOR:
        return
    what = class_in_installation(fact, is_own=person == (intent.on_behalf_of or intent.author))
    if what is not None and what in settings.REASONS_REQUIRED:
        raise ReasonRequired(OF_INSTALLATION[what])


def append_of_person(intent: Intent, stream: str, fact: Fact) -> store.Appended:
    """Append to the installation's log, inside the caller's transaction, because the account's row is no projection; it
    is the last statement there.

    Raises:
        ReasonRequired: the installation asks for a reason, and there is none.
    """
    require_reason(intent, fact, person=uuid.UUID(stream.removeprefix("person/")))
    return append_to_installation(intent, stream, fact)


def append_to_installation(intent: Intent, stream: str, fact: Fact, answer: Any = None) -> store.Appended:
    """Append to the installation's log what is of no account and no row, inside the caller's transaction."""

    def attempt() -> store.Appended:
        events = store.new_events(INSTALLATION, intent, [(stream, store.version(INSTALLATION, stream), fact)])
        return store.append(
            INSTALLATION, intent=intent, events=events, rows=Rows(), open_as="installation", answer=answer
        )

    return decide(attempt)
