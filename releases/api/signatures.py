"""Electronic signatures of a release."""

from __future__ import annotations

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import body_of, intent_of
from labeling.api.schemas import component
from labeling.api.schemas.forms import listed, one_of, record
from labeling.api.schemas.parameters import DATASET_OFFSET, REASON
from labeling.api.schemas.signatures import PASSWORD, SIGNED
from labeling.api.signatures import rendered
from labeling.api.views import Answer, View, offset_of
from labeling.queries.signatures import signatures_of
from labeling.rules.signatures import OF_RELEASE
from releases import commands, queries
from releases.rules import release_stream

NEW_SIGNATURE = component(
    "NewReleaseSignature",
    record({"meaning": one_of(*OF_RELEASE), "password": PASSWORD}),
    example={"meaning": "released", "password": "correct horse battery staple"},
)


class ReleaseSignaturesView(View):
    """The signatures of a release."""

    @documented("release_signatures", "history", {200: Reply(listed(SIGNED), (DATASET_OFFSET,))})
    def get(self, request: Request, owner: str, name: str, release: str) -> Answer:
        """Who signed the release as what, oldest first. `content` is its identity; a release is never edited, so a
        signature is superseded only where another release stands under that id."""
        seen = self.dataset(owner, name, "history")
        found = queries.find_release(seen.id, release)
        identity = found.build.identity if found.build else ""
        signed = signatures_of(seen.id, release_stream(found.release.id))
        return answer([rendered(item, identity) for item in signed], headers=offset_of(seen))

    @documented(
        "release_sign",
        "release",
        {201: Reply(SIGNED)},
        body=NEW_SIGNATURE,
        parameters=(REASON,),
        refusals=("refused", "busy"),
    )
    def post(self, request: Request, owner: str, name: str, release: str) -> Answer:
        """Sign a release with one's password given again: under its identity, the hash of its manifest."""
        body = body_of(request)
        signed = commands.sign_release(
            intent=intent_of(request),
            dataset=self.dataset(owner, name).id,
            name=release,
            meaning=body.get("meaning"),
            password=body.get("password"),
            address=request.META.get("REMOTE_ADDR", ""),
        )
        return answer(rendered(signed, signed.content), status=201)
