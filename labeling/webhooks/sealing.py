"""What nobody shall read: the secrets that deliveries are signed with, and the addresses that they go to.

Both rest on the installation's secret key. A secret is stored nowhere: it follows from that key, the webhook, and how
often it was changed. An address is encrypted (AES-256-GCM) before it enters the log, as `s1.<base64url of nonce and
ciphertext>`, because many services' addresses are secrets themselves, and every member reads the log.
"""

from __future__ import annotations

import base64
import binascii
import os
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.utils.crypto import salted_hmac

NONCE_BYTES = 12


def secret_of(webhook: uuid.UUID, generation: int) -> bytes:
    """The secret of a webhook after it was changed so often."""
    return salted_hmac("palimpsest.webhooks.secret", f"{webhook}/{generation}", algorithm="sha256").digest()


def sealed(address: str, *, webhook: uuid.UUID) -> str:
    """The stored form of an address."""
    nonce = os.urandom(NONCE_BYTES)
    hidden = _cipher().encrypt(nonce, address.encode(), webhook.bytes)
    return f"s1.{base64.urlsafe_b64encode(nonce + hidden).decode()}"


def opened(stored: str, *, webhook: uuid.UUID) -> str | None:
    """The address; None where it was sealed with another secret key."""
    try:
        hidden = base64.urlsafe_b64decode(stored.removeprefix("s1."))
        return _cipher().decrypt(hidden[:NONCE_BYTES], hidden[NONCE_BYTES:], webhook.bytes).decode()
    except (InvalidTag, binascii.Error, ValueError):
        return None


def _cipher() -> AESGCM:
    return AESGCM(salted_hmac("palimpsest.webhooks.address", "key", algorithm="sha256").digest())
