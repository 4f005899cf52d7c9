"""Erasing an uploaded file, for who runs the installation."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import body_of, caller, intent_of, uuid_of
from labeling.api.views import Answer, View
from labeling.commands.asset_erasure import AssetErasure, content_named, erase_asset, plan_asset_erasure
from labeling.commands.writing import earlier
from labeling.errors import InvalidValue, NotFound, NotPermitted, Refused
from labeling.log.event import INSTALLATION
from releases.api.schemas.erasures import ERASURE, NEW_ERASURE
from releases.erasures import Losing, losing

JSON = dict[str, Any]


class AssetEraseView(View):
    """Erase a file."""

    @documented(
        "asset_erase",
        "superuser",
        {200: Reply(ERASURE)},
        body=NEW_ERASURE,
        appends=True,
        refusals=("refused", "reason_required"),
    )
    def post(self, request: Request, asset: str) -> Answer:
        """Erase a file's bytes, with all uploads of the same bytes, for good; or (`dry_run`) say which samples and
        releases lose it. Its hash and size stay, so releases keep their id and manifest, and say that it was erased."""
        person = caller(request)
        if not (person.is_superuser and person.is_active):
            raise NotPermitted("Only who runs the installation erases files.", action="erase-asset")
        body = body_of(request)
        for name in body:
            if name not in ("dry_run", "reason"):
                raise InvalidValue("body", "may hold dry_run and reason")
        dry_run = body.get("dry_run", False)
        if type(dry_run) is not bool:
            raise InvalidValue("dry_run", "must be true or false")
        key = uuid_of(asset)
        if key is None:
            raise NotFound("The file")
        intent = intent_of(request, body)
        kept = None if dry_run else earlier(INSTALLATION, intent)
        if kept is not None:
            return answer(kept.answer)
        plan = plan_asset_erasure(content_named(str(key)))
        if not plan.uploads and not plan.datasets:
            raise Refused("The file was erased before.")
        told = _rendered(plan, losing(plan), dry_run=dry_run)
        if not dry_run:
            erase_asset(intent=intent, sha256=plan.sha256, answer=told)
        return answer(told)


def _rendered(plan: AssetErasure, found: list[Losing], *, dry_run: bool) -> JSON:
    return {
        "dry_run": dry_run,
        "sha256": plan.sha256,
        "size_bytes": plan.size_bytes,
        "filenames": plan.filenames,
        "uploads": plan.uploads,
        "datasets": [
            {
                "dataset": item.name,
                "uploads": item.uploads,
                "samples_count": item.samples.count,
                "samples": [
                    {"uuid": str(sample.id), "name": sample.name, "deleted": sample.is_deleted}
                    for sample in item.samples.first
                ],
                "releases": [
                    {"uuid": str(row.id), "name": row.name, "withdrawn": row.withdrawn} for row in item.releases
                ],
                "releases_pending": [row.name for row in item.pending],
            }
            for item in found
        ],
    }
