"""Electronic signatures: what may be signed, and as what. Pure."""

from __future__ import annotations

import uuid

#: What somebody may say of a label by signing it, and of a release.
OF_LABEL = ("reviewed", "approved")
OF_RELEASE = ("reviewed", "approved", "released")
#: What the setting `signatures_required` may name: a label is accepted, or a release is handed out, only signed.
SETTING = "signatures_required"
REQUIRED = ("review", "release")


def signature_stream(sample: uuid.UUID | str, label_set: uuid.UUID | str) -> str:
    """The stream of a label's signatures: one of its own, because signing a label does not change it."""
    return f"signature/{sample}/{label_set}"
