"""Masks with their segments, imported into the labels of many samples."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import body_of, intent_of
from labeling.api.schemas.mask_imports import MASKS, MASKS_IMPORTED
from labeling.api.views import Answer, View
from labeling.commands.mask_imports import How, Imported, import_masks
from labeling.errors import InvalidValue
from labeling.rules.label_state import STATUSES
from labeling.rules.mask_imports import UNKNOWN

JSON = dict[str, Any]

FIELDS = {"masks", "update", "strict", "unknown_labels", "label_status", "labelset"}


class MasksView(View):
    """Many masks at once."""

    writes = "label"

    @documented(
        "masks_import",
        "label",
        {200: Reply(MASKS_IMPORTED)},
        body=MASKS,
        appends=True,
        refusals=("refused", "storage_unavailable"),
    )
    def post(self, request: Request, owner: str, name: str) -> Answer:
        """Import masks with their segments, one a sample. Where a label has a mask the new one is ignored, or
        (`update`) takes its place; other objects are left alone. Each has its own result, and a bad one fails alone."""
        found = self.dataset(owner, name, "label")
        body = body_of(request)
        for key in body:
            if key not in FIELDS:
                raise InvalidValue("body", f"may hold {', '.join(sorted(FIELDS))}")
        if not isinstance(body.get("masks"), list):
            raise InvalidValue("masks", "is required, as a list")
        for key in ("update", "strict"):
            if type(body.get(key, False)) is not bool:
                raise InvalidValue(key, "must be true or false")
        unknown, status = body.get("unknown_labels", UNKNOWN[0]), body.get("label_status", "PRELABELED")
        if unknown not in UNKNOWN:
            raise InvalidValue("unknown_labels", f"must be one of {', '.join(UNKNOWN)}")
        if status not in STATUSES or status == "UNLABELED":
            raise InvalidValue("label_status", f"must be one of {', '.join(STATUSES[1:])}")
        label_set = body.get("labelset", "ground-truth")
        if not isinstance(label_set, str):
            raise InvalidValue("labelset", "must be text")
        how = How(
            update=body.get("update", False),
            strict=body.get("strict", False),
            unknown=unknown,
            status=status,
            label_set=label_set,
        )
        results = import_masks(intent=intent_of(request), dataset=found, items=body["masks"], how=how)
        return answer(told(results))


def told(results: list[Imported]) -> JSON:
    """What became of masks, counted and one by one."""
    counts = {word: sum(one.outcome == word for one in results) for word in ("processed", "ignored", "failed")}
    return {f"annotations_{word}": count for word, count in counts.items()} | {
        "results": [
            {
                "reference_id": one.reference,
                "sample": one.sample,
                "outcome": one.outcome,
                "changed": one.changed,
                "version": one.version,
                "findings": one.findings,
            }
            | ({} if one.error is None else {"error": one.error})
            for one in results
        ]
    }
