"""Free text that people write, encrypted with the writer's key before it enters the log.

AES-256-GCM; stored as `v1.<key id>.<base64url of nonce and ciphertext>`. The log hashes the ciphertext, so destroying
the key erases the text everywhere, in every copy of the log, and the chain still holds.
"""

from __future__ import annotations

import base64
import hmac
import os
import uuid
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import transaction
from django.utils import timezone

from labeling.models import PersonKey

NONCE_BYTES = 12
ERASED = "(erased)"


def encrypt(text: str, *, person: uuid.UUID) -> str:
    """The stored form of a text by `person`; makes their key if they have none."""
    key = PersonKey.objects.filter(person_id=person, destroyed_at=None).first() or _new_key(person)
    assert key.secret is not None
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(bytes(key.secret)).encrypt(nonce, text.encode(), str(key.id).encode())
    return f"v1.{key.id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def _new_key(person: uuid.UUID) -> PersonKey:
    """A first key, or one in the place of one that was destroyed: what that one sealed stays erased."""
    with transaction.atomic():
        PersonKey.objects.filter(person_id=person).exclude(destroyed_at=None).delete()
        return PersonKey.objects.get_or_create(
            person_id=person, defaults={"secret": AESGCM.generate_key(bit_length=256)}
        )[0]


def decrypt_all(stored: Sequence[str | None]) -> list[str | None]:
    """The texts of stored forms, in one query; a text whose key was destroyed is `(erased)`."""
    parts = [item.split(".", 2) if item else None for item in stored]
    wanted = {part[1] for part in parts if part and len(part) == 3}
    keys = PersonKey.objects.filter(id__in=wanted, destroyed_at=None) if wanted else []
    secrets = {str(key.id): bytes(key.secret) for key in keys if key.secret is not None}
    return [None if part is None else _decrypted(part, secrets) for part in parts]


def _decrypted(part: list[str], secrets: dict[str, bytes]) -> str:
    secret = secrets.get(part[1]) if len(part) == 3 and part[0] == "v1" else None
    if secret is None:
        return ERASED
    sealed = base64.urlsafe_b64decode(part[2])
    try:
        return AESGCM(secret).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], part[1].encode()).decode()
    except InvalidTag:
        return ERASED


def secret_of(person: uuid.UUID, purpose: str) -> bytes:
    """32 bytes for hashes of what is told of a person, gone with their key; makes the key if they have none."""
    key = PersonKey.objects.filter(person_id=person, destroyed_at=None).first() or _new_key(person)
    assert key.secret is not None
    return hmac.digest(bytes(key.secret), purpose.encode(), "sha256")


def destroy_key(*, person: uuid.UUID) -> None:
    """Erase every text that a person wrote so far. It cannot be taken back."""
    PersonKey.objects.filter(person_id=person, destroyed_at=None).update(secret=None, destroyed_at=timezone.now())
