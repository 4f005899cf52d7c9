"""Releases of a dataset."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer, no_content
from labeling.api.contract import Reply, documented
from labeling.api.requests import body_of, intent_of
from labeling.api.schemas.forms import listed
from labeling.api.views import Answer, View
from labeling.errors import InvalidValue
from labeling.queries.datasets import Seen
from labeling.queries.labels import names_of
from releases import commands, queries
from releases.api.schemas import NEW_RELEASE, RELEASE
from releases.queries import Found

JSON = dict[str, Any]


def rendered(seen: Seen, releases: list[Found]) -> list[JSON]:
    """The protocol's Releases; beside its fields where each stands in the log, its file's hash, and why it failed."""
    names = names_of({item.release.created_by for item in releases}) if releases else {}
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
            "labels_left_out": item.build.labels_left_out if item.build else 0,
            "size_bytes": item.build.size_bytes if item.build else None,
            "sha256": (item.build.sha256 or None) if item.build else None,
            "error": (item.build.error or None) if item.build else None,
            "offset": row.at_offset,
            "chain": item.chain,
        }
        for item in releases
        for row in [item.release]
    ]


class ReleasesView(View):
    """The releases of a dataset."""

    @documented("releases", "read", {200: Reply(listed(RELEASE))})
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """All releases, the oldest first."""
        seen = self.dataset(owner, name)
        return answer(rendered(seen, queries.releases_of(seen.id)))

    @documented(
        "release_add",
        "release",
        {201: Reply(RELEASE)},
        body=NEW_RELEASE,
        appends=True,
        refusals=("already_exists",),
    )
    def post(self, request: Request, owner: str, name: str) -> Answer:
        """Freeze the dataset as it is now; the file is made in the background."""
        seen = self.dataset(owner, name)
        body = body_of(request)
        if "name" not in body:
            raise InvalidValue("name", "is required")
        release = commands.cut_release(
            intent=intent_of(request), dataset=seen.id, name=body["name"], description=body.get("description")
        )
        return answer(rendered(seen, [queries.release_by_id(release)])[0], status=201)


class ReleaseView(View):
    """One release."""

    @documented("release_read", "read", {200: Reply(RELEASE)})
    def get(self, request: Request, owner: str, name: str, release: str) -> Answer:
        """Read a release; `attributes.url` is the file, once `status` is SUCCEEDED."""
        seen = self.dataset(owner, name)
        return answer(rendered(seen, [queries.find_release(seen.id, release)])[0])

    @documented("release_delete", "release", {204: Reply()}, appends=True)
    def delete(self, request: Request, owner: str, name: str, release: str) -> Answer:
        """Take a release back; what it froze stays in the log."""
        seen = self.dataset(owner, name)
        commands.withdraw_release(intent=intent_of(request), dataset=seen.id, name=release)
        return no_content()
