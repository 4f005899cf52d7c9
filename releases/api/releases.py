"""Releases of a dataset."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from labeling.api.answers import answer, no_content
from labeling.api.contract import Reply, documented
from labeling.api.requests import body_of, intent_of, place_said
from labeling.api.schemas import example_of
from labeling.api.schemas.forms import any_of, listed
from labeling.api.schemas.parameters import AT, DATASET_OFFSET, query
from labeling.api.schemas.signing_keys import SIGNATURE
from labeling.api.views import Answer, View, offset_of
from labeling.errors import InvalidValue, NotFound
from labeling.queries.datasets import Seen
from labeling.queries.labels import names_of
from labeling.queries.places import At
from releases import commands, queries
from releases.api.schemas.release_files import MANIFEST
from releases.api.schemas.releases import ETAG_OF_HASH, NEW_RELEASE, RELEASE
from releases.queries import Found, Withdrawal

JSON = dict[str, Any]

#: What may be said of a new release.
_FIELDS = (
    "name", "description", "at", "filter", "category_map", "splits", "images", "base", "supersedes", "formats",
)  # fmt: skip


def rendered(seen: Seen, releases: list[Found], *, at: int | None = None) -> list[JSON]:
    """The protocol's Releases; beside its fields where each stands in the log, its file's hash, and why it failed."""
    withdrawals = {item.release.id: queries.withdrawal_of(item.release, at=at) for item in releases}
    people: set[uuid.UUID | None] = {item.release.created_by for item in releases}
    people |= {each.by for each in withdrawals.values() if each}
    names = names_of(people) if releases else {}
    return [
        {
            "uuid": row.id,
            "name": row.name,
            "description": row.description,
            "release_type": "JSON",
            "attributes": {"url": item.url(seen.dataset.name)},
            "status": item.status,
            "created_at": row.created_at,
            "created_by": names.get(row.created_by, str(row.created_by)),
            "samples_count": item.build.samples_count if item.build else 0,
            "samples_total": (item.build.samples_total or None) if item.build else None,
            "labels_left_out": item.build.labels_left_out if item.build else 0,
            "size_bytes": item.build.size_bytes if item.build else None,
            "sha256": (item.build.sha256 or None) if item.build else None,
            "error": (item.build.error or None) if item.build else None,
            "offset": row.at_offset,
            "choice": row.choice,
            "images": row.terms.get("images", "referred"),
            "base": row.terms.get("base"),
            "supersedes": row.terms.get("supersedes"),
            "signed_by": item.build.signature["key"] if item.build and item.build.signature else None,
            "withdrawn": _withdrawal(withdrawals.get(row.id), names),
            "identity": (item.build.identity or None) if item.build else None,
            "chain": item.chain,
        }
        for item in releases
        for row in [item.release]
    ]


def _withdrawal(found: Withdrawal | None, names: dict[uuid.UUID, str]) -> JSON | None:
    if found is None:
        return None
    return {"at": found.at, "by": names.get(found.by, str(found.by)), "reason": found.reason}


class ReleasesView(View):
    """The releases of a dataset."""

    @documented(
        "releases",
        "read",
        {200: Reply(listed(RELEASE), (DATASET_OFFSET,))},
        parameters=(AT, query("withdrawn", "Where it is there: those too that were withdrawn.")),
    )
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """All releases, the oldest first, now or (`at`) as they were; their files are those of today."""
        seen = self.dataset(owner, name)
        then, withdrawn = self.past(seen), "withdrawn" in request.query_params
        if then is None:
            found = queries.releases_of(seen.id, withdrawn=withdrawn)
            return answer(rendered(seen, found), headers=offset_of(seen))
        return answer(rendered(seen, queries.releases_at(seen.id, then.offset), at=then.offset), headers=then.headers)

    @documented(
        "release_add",
        "release",
        {201: Reply(RELEASE)},
        body=NEW_RELEASE,
        appends=True,
        refusals=("already_exists", "refused"),
    )
    def post(self, request: Request, owner: str, name: str) -> Answer:
        """Freeze the dataset as it is now or was (`at`), or a choice of it; the file is made in the background."""
        seen = self.dataset(owner, name)
        body = body_of(request)
        if "name" not in body:
            raise InvalidValue("name", "is required")
        for key in body:
            if key not in _FIELDS:  # a choice that is misspelt would freeze something else, for ever
                raise InvalidValue(
                    key if key.isidentifier() else "body", f"is not known; there are {', '.join(_FIELDS)}"
                )
        release = commands.cut_release(
            intent=intent_of(request),
            dataset=seen.id,
            name=body["name"],
            description=body.get("description"),
            at=_at(body.get("at")),
            filter=body.get("filter"),
            category_map=body.get("category_map"),
            splits=body.get("splits"),
            images=body.get("images"),
            base=body.get("base"),
            supersedes=body.get("supersedes"),
            formats=body.get("formats"),
        )
        return answer(rendered(seen, [queries.release_by_id(release)])[0], status=201)


def _at(value: Any) -> At | None:
    """The place in the log that a body asks for."""
    if value is None:
        return None
    if type(value) is int and 1 <= value <= 2**53 - 1:
        return value
    if not isinstance(value, str) or not value:
        raise InvalidValue("at", "must be an offset of the dataset, from 1, a time in ISO 8601, an event or a release")
    return place_said(value, "at")


class ManifestView(View):
    """The manifest of a release."""

    @documented(
        "release_manifest",
        "read",
        {200: Reply(any_of((MANIFEST, SIGNATURE)), (ETAG_OF_HASH, DATASET_OFFSET), example=example_of(MANIFEST))},
        parameters=(
            query("signature", "Where it is there: the signature over the manifest in its place; 404 without one."),
            AT,
        ),
    )
    def get(self, request: Request, owner: str, name: str, release: str) -> Answer:
        """What a release is of, with the hash of every byte; 404 until its file is made. The SHA-256 of these bytes is
        the release's `identity`; `?signature` gives the signature over them. With `at` it is of the release that had
        the name."""
        seen = self.dataset(owner, name)
        then = self.past(seen)
        found = queries.any_release(seen.id, release, at=None if then is None else then.offset)
        if found.build is None or not found.build.manifest:
            raise NotFound("The manifest")
        headers = {"ETag": f'"{found.build.identity}"'} | (offset_of(seen) if then is None else then.headers)
        if "signature" in request.query_params:
            if found.build.signature is None:
                raise NotFound("The signature")
            return answer(found.build.signature, headers=headers)
        return HttpResponse(found.build.manifest.encode(), content_type="application/json", headers=headers)


class ReleaseView(View):
    """One release."""

    @documented("release_read", "read", {200: Reply(RELEASE, (DATASET_OFFSET,))}, parameters=(AT,))
    def get(self, request: Request, owner: str, name: str, release: str) -> Answer:
        """Read a release, now or (`at`) as it was, by its name or its id, by which one that was withdrawn is found too;
        `attributes.url` is the file, once `status` is SUCCEEDED, and until the release is taken back."""
        seen = self.dataset(owner, name)
        then = self.past(seen)
        found = queries.any_release(seen.id, release, at=None if then is None else then.offset)
        shown = rendered(seen, [found], at=None if then is None else then.offset)[0]
        return answer(shown, headers=offset_of(seen) if then is None else then.headers)

    @documented("release_delete", "release", {204: Reply()}, appends=True)
    def delete(self, request: Request, owner: str, name: str, release: str) -> Answer:
        """Take a release back: its name is free, its file goes. What it froze, its id and its manifest stay."""
        seen = self.dataset(owner, name)
        commands.withdraw_release(intent=intent_of(request), dataset=seen.id, name=release)
        return no_content()
