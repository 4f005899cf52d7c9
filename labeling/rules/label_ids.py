"""What names labels and annotations: the stream of a label, and the ids of their rows, derived from it. Pure."""

from __future__ import annotations

import hashlib
import uuid
from functools import lru_cache

LABEL_NAMESPACE = uuid.UUID("5a0f4c2e-7b8e-4f2a-9a61-2f0f5c9d7e11")


def label_stream(sample: uuid.UUID | str, label_set: uuid.UUID | str) -> str:
    """The stream of the label that a sample has in a label set."""
    return f"label/{sample}/{label_set}"


@lru_cache(maxsize=4096)
def label_id(stream: str) -> uuid.UUID:
    """The id of a label's row, derived from its stream, so that a rebuild gives the same."""
    return uuid.UUID(bytes=label_id_bytes(stream))


def label_id_bytes(stream: str) -> bytes:
    """The same as its 16 bytes."""
    return annotation_key_bytes(LABEL_NAMESPACE.bytes, stream)


def annotation_key(label: bytes, annotation: str) -> str:
    """The key of an annotation's row; both ids are in it (the label's as its 16 bytes), so no label can name another
    label's row.

    It is `uuid.uuid5(label, annotation)`, written out because that takes ten times as long and a label has hundreds.
    """
    digest = hashlib.sha1(label + annotation.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANT[digest[16]]}{digest[17:20]}-{digest[20:32]}"


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}  #: RFC 9562, 4.1


def annotation_key_bytes(label: bytes, annotation: str) -> bytes:
    """The same as its 16 bytes, by which it is not spelled and read again."""
    digest = hashlib.sha1(label + annotation.encode(), usedforsecurity=False).digest()
    return (int.from_bytes(digest[:16]) & _CHANCE | _VERSION_5).to_bytes(16)


#: The bits of version and variant, and all others.
_VERSION_5 = 0x5 << 76 | 0b10 << 62
_CHANCE = ~(0xF << 76 | 0b11 << 62)
