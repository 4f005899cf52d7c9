"""Who calls: the protocol's `Authorization: APIKey <key>`, looked up by the key's hash."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import replace

from django.db import DatabaseError, connection
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from labeling.api.requests import source_of
from labeling.commands import security
from labeling.commands.people import hash_of
from labeling.log.planned import planned_cursor
from labeling.models import ApiKey, Person

logger = logging.getLogger(__name__)

SCHEME = "apikey"
#: How exact a key's last use is.
USE_NOTED = dt.timedelta(hours=1)


class KeyAuthentication(BaseAuthentication):
    """A key that was not revoked, of a person who is active."""

    def authenticate(self, request: Request) -> tuple[Person, ApiKey] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != SCHEME:
            return None
        secret = secret.strip()
        key = _key_of(secret) if secret.isascii() and "\x00" not in secret else None
        if key is None or not key.person.is_active:
            raise AuthenticationFailed("Invalid API key.")
        if key.last_used_at is None or timezone.now() - key.last_used_at > USE_NOTED:
            _note_use(key, request)
        return key.person, key

    def authenticate_header(self, request: Request) -> str:
        return "APIKey"


KEY_FIELDS = [field.attname for field in ApiKey._meta.concrete_fields]
PERSON_FIELDS = [field.attname for field in Person._meta.concrete_fields]
# Written out, because every request asks it: to have Django put it together costs more than to answer it.
FIND = (
    f"SELECT {', '.join(f'k.{name}' for name in KEY_FIELDS)}, {', '.join(f'p.{name}' for name in PERSON_FIELDS)}"
    " FROM labeling_apikey k JOIN labeling_person p ON p.id = k.person_id WHERE k.hash = %s AND k.revoked_at IS NULL"
)


def _key_of(secret: str) -> ApiKey | None:
    """The key with its person, or None."""
    with planned_cursor() as cursor:
        cursor.execute(FIND, [hash_of(secret)])
        row = cursor.fetchone()
    if row is None:
        return None
    key = ApiKey.from_db("default", KEY_FIELDS, row[: len(KEY_FIELDS)])
    key.person = Person.from_db("default", PERSON_FIELDS, row[len(KEY_FIELDS) :])
    return key


def _note_use(key: ApiKey, request: Request) -> None:
    """Write down that a key is in use, and tell the security log. Waits for nobody who holds the row, and no failure
    reaches the request."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE labeling_apikey SET last_used_at = statement_timestamp() WHERE id IN"
                " (SELECT id FROM labeling_apikey WHERE id = %s"
                "  AND (last_used_at IS NULL OR last_used_at < statement_timestamp() - make_interval(secs => %s))"
                "  FOR UPDATE SKIP LOCKED)",
                [key.id, USE_NOTED.total_seconds()],
            )
            is_ours = cursor.rowcount == 1
    except DatabaseError:
        logger.warning("the last use of an API key could not be written down", exc_info=True)
        return
    if is_ours:
        source = replace(source_of(request), key=key.id, scope=key.scope)
        security.key_used(person=key.person.id, origin=key.origin, source=source)
