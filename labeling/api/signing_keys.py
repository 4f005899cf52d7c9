"""The public halves of the keys that this installation signs with."""

from __future__ import annotations

import base64
from typing import Any

from rest_framework.request import Request

from labeling import signing
from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.schemas.forms import listed
from labeling.api.schemas.signing_keys import SIGNING_KEY
from labeling.api.views import Answer, View
from labeling.models import SigningKey
from labeling.queries.signing_keys import signing_keys

JSON = dict[str, Any]


def rendered_signing_key(row: SigningKey) -> JSON:
    """A key as everybody may know it."""
    return {
        "key": row.key,
        "algorithm": signing.ALGORITHM,
        "public_key": base64.b64encode(bytes.fromhex(row.public)).decode(),
        "added_at": row.added_at,
        "retired_at": row.retired_at,
    }


class SigningKeysView(View):
    """The keys."""

    authentication_classes = []
    permission_classes = []

    @documented("signing_keys", "open", {200: Reply(listed(SIGNING_KEY))})
    def get(self, request: Request) -> Answer:
        """All keys, retired ones too, the first added first. Who checks signatures compares them with what they were
        told by another way."""
        return answer([rendered_signing_key(row) for row in signing_keys()])
