"""The keys that this installation signs with."""

from __future__ import annotations

from labeling.models import SigningKey


def signing_keys() -> list[SigningKey]:
    """All keys, retired ones too, the first added first."""
    return list(SigningKey.objects.order_by("added_offset"))


def signing_key(key: str) -> SigningKey | None:
    """The key of that id, retired or not."""
    return SigningKey.objects.filter(key=key).first()
