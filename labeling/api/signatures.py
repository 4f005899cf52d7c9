"""Electronic signatures of a label."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.labels import find, sample_id
from labeling.api.requests import body_of, intent_of
from labeling.api.schemas.forms import listed
from labeling.api.schemas.parameters import DATASET_OFFSET, ETAG, REASON
from labeling.api.schemas.signatures import NEW_SIGNATURE, SIGNED
from labeling.api.views import Answer, View
from labeling.commands import signatures as commands
from labeling.queries.signatures import Signature, signatures_of
from labeling.rules.content import content_hash
from labeling.rules.signatures import signature_stream

JSON = dict[str, Any]


def rendered(item: Signature, content: str) -> JSON:
    """A signature; `content` is the hash of what is there now."""
    return {
        "meaning": item.meaning,
        "name": item.name,
        "signed_by": item.by,
        "signed_at": item.at,
        "offset": item.offset,
        "version": item.version,
        "content": item.content,
        "state": "valid" if item.content == content else "superseded",
    }


class SignaturesView(View):
    """The signatures of a label."""

    writes = "label"

    @documented("label_signatures", "history", {200: Reply(listed(SIGNED), (ETAG, DATASET_OFFSET))})
    def get(self, request: Request, sample: str, label_set: str) -> Answer:
        """Who signed the label as what, oldest first. What was edited since is `superseded`."""
        found = find(request, sample, label_set, "history")
        stream, content = signature_stream(found.sample, found.label_set), content_hash(found.state)
        headers = {"ETag": f'"{found.state.version}"', "Dataset-Offset": str(found.head)}
        return answer([rendered(item, content) for item in signatures_of(found.dataset, stream)], headers=headers)

    @documented(
        "label_sign",
        "review",
        {201: Reply(SIGNED)},
        body=NEW_SIGNATURE,
        parameters=(REASON,),
        refusals=("version_unknown", "refused", "busy"),
    )
    def post(self, request: Request, sample: str, label_set: str) -> Answer:
        """Sign the label as it is at `version`, with one's password given again. The signature is bound to exactly what
        the label says; an Idempotency-Key is not needed, because the same signature again is the one that there is."""
        body = body_of(request)
        signed = commands.sign_label(
            intent=intent_of(request),
            sample=sample_id(sample),
            label_set=label_set,
            meaning=body.get("meaning"),
            version=body.get("version"),
            password=body.get("password"),
            address=request.META.get("REMOTE_ADDR", ""),
        )
        return answer(rendered(signed, signed.content), status=201)
