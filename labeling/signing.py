"""Ed25519 signatures of this installation (RFC 8032): over the manifests of releases, checkpoints of logs, bundles.

A key is known by its id, which follows from its public half. That half, and from when to when the key is in use, are
events of the installation's log; the private half never is. It lies in the data directory (`signing_keys/`, one file a
key, readable by its account only), or, where several machines sign, in SIGNING_KEY of the environment of each: 32 bytes
as base64. What was signed before a key was retired stays valid; new signatures are by the newest key that is in use
and whose private half is here.

What is signed is `signed_bytes`: the purpose stands in front of the message, so a signature of one kind of thing is
none of another. `releases/check_release.py` says the same without Palimpsest, with only Python's standard library.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from labeling.models import SigningKey

JSON = dict[str, Any]

ALGORITHM = "Ed25519"
FOLDER = "signing_keys"
SEED_BYTES, PUBLIC_BYTES, SIGNATURE_BYTES = 32, 32, 64
#: What is signed. A new kind of thing gets a new word, for ever.
RELEASE, CHECKPOINT, BUNDLE, ERASURE = "release", "checkpoint", "bundle", "erasure"

_id = re.compile(r"[0-9a-f]{32}")


class SigningFailed(Exception):
    """Something should be signed and cannot be; the message is for people and says what to do."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed what; `as_json` is the document that stands beside the thing itself."""

    purpose: str
    key: str
    public: bytes
    value: bytes

    def as_json(self) -> JSON:
        """The document, which is enough to check the signature by; whose the key is, it cannot say."""
        return {
            "signature": 1,
            "algorithm": ALGORITHM,
            "purpose": self.purpose,
            "key": self.key,
            "public_key": base64.b64encode(self.public).decode(),
            "value": base64.b64encode(self.value).decode(),
        }


def signed_bytes(purpose: str, message: bytes) -> bytes:
    """The bytes that a signature of a message is over."""
    return b"palimpsest " + purpose.encode("ascii") + b"\n" + message


def key_id(public: bytes) -> str:
    """The id of a key: the first half of the SHA-256 of its public half, in hex."""
    return hashlib.sha256(public).hexdigest()[:32]


def public_half(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


# --- signing and checking ------------------------------------------------------------------------------------------


def sign(purpose: str, message: bytes) -> Signature | None:
    """A signature by the newest key in use; None where the installation has none.

    Raises:
        SigningFailed: it has keys in use, and the private half of none is on this machine, or cannot be read.
    """
    keys = list(SigningKey.objects.filter(retired_at=None).order_by("-added_offset"))
    for row in keys:
        seed = private_half(row.key)
        if seed is not None:
            value = Ed25519PrivateKey.from_private_bytes(seed).sign(signed_bytes(purpose, message))
            return Signature(purpose, row.key, bytes.fromhex(row.public), value)
    if keys:
        raise SigningFailed(
            f"The private half of the signing key {keys[0].key} is not on this machine; set SIGNING_KEY, copy"
            f" {FOLDER}/{keys[0].key} here, or make a new key with `manage.py signing_key new` and retire that one."
        )
    return None


def is_valid(purpose: str, message: bytes, *, public: bytes, value: bytes) -> bool:
    """Whether a signature is that of the key over the message for the purpose."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(value, signed_bytes(purpose, message))
    except (InvalidSignature, ValueError):
        return False
    return True


# --- private halves ------------------------------------------------------------------------------------------------


def private_half(key: str) -> bytes | None:
    """The seed of a key, if it is on this machine.

    Raises:
        SigningFailed: SIGNING_KEY or the key's file holds none.
    """
    given = seed_of_environment()
    if given is not None and key_id(public_half(given)) == key:
        return given
    path = _path_of(key)
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SigningFailed(f"The signing key {path} cannot be read ({type(error).__name__}).") from None
    seed = _seed(text, str(path))
    if key_id(public_half(seed)) != key:
        raise SigningFailed(f"The file {path} holds another key than its name says.")
    return seed


def seed_of_environment() -> bytes | None:
    """The seed that SIGNING_KEY gives; None where it is not set.

    Raises:
        SigningFailed: it is none.
    """
    text: str = settings.SIGNING_KEY
    return _seed(text, "SIGNING_KEY") if text else None


def _seed(text: str, where: str) -> bytes:
    try:
        seed = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != SEED_BYTES:
        raise SigningFailed(
            f"{where} must hold {SEED_BYTES} bytes as base64, as `openssl rand -base64 32` prints them."
        )
    return seed


def keep_private_half(seed: bytes) -> Path:
    """Keep a seed in the data directory, whole or not at all, readable by its account only."""
    folder = _folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    path = _path_of(key_id(public_half(seed)))
    handle, name = tempfile.mkstemp(prefix=".new-", dir=folder)  # mkstemp makes it 0600
    fresh = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(seed) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if os.geteuid() == 0:  # made by root in somebody's data directory: theirs, or they could not sign
            owner = Path(settings.HOME).stat()
            for made in (folder, fresh):
                os.chown(made, owner.st_uid, owner.st_gid)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def destroy_private_half(key: str) -> bool:
    """Remove a key's seed from the data directory; whether it was there."""
    path = _path_of(key)
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def _folder() -> Path:
    return Path(settings.HOME) / FOLDER


def _path_of(key: str) -> Path:
    if not _id.fullmatch(key):
        raise ValueError(key)
    return _folder() / key
