"""The shapes of many labels at once."""

from __future__ import annotations

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import body_of, intent_of, uuid_of
from labeling.api.schemas.shapes import SHAPED, SHAPING
from labeling.api.views import Answer, View
from labeling.commands.shapes import MOST_LABELS, WHATS, shape_labels
from labeling.errors import InvalidValue

FIELDS = {"what", "samples", "labelset", "dry_run"}


class ShapesView(View):
    """Fit or rasterize the shapes of many labels."""

    writes = "label"

    @documented(
        "labels_shape",
        "label",
        {200: Reply(SHAPED)},
        body=SHAPING,
        appends=True,
        refusals=("refused", "storage_unavailable"),
    )
    def post(self, request: Request, owner: str, name: str) -> Answer:
        """Fit the shapes of many labels into their images, or rasterize them. A dry run says what would change, and
        changes nothing; a label that refuses is left as it is, and told."""
        found = self.dataset(owner, name, "label")
        body = body_of(request)
        for key in body:
            if key not in FIELDS:
                raise InvalidValue("body", f"may hold {', '.join(sorted(FIELDS))}")
        what, label_set = body.get("what"), body.get("labelset", "ground-truth")
        if not isinstance(what, str) or what not in WHATS:
            raise InvalidValue("what", f"must be one of {', '.join(WHATS)}")
        if not isinstance(label_set, str):
            raise InvalidValue("labelset", "must be text")
        if type(body.get("dry_run", False)) is not bool:
            raise InvalidValue("dry_run", "must be true or false")
        samples = None
        if "samples" in body:
            listed = body["samples"]
            if not isinstance(listed, list) or len(listed) > MOST_LABELS:
                raise InvalidValue("samples", f"must be a list of at most {MOST_LABELS} uuids of samples")
            samples = []
            for index, item in enumerate(listed):
                key_of = uuid_of(item) if isinstance(item, str) else None
                if key_of is None:
                    raise InvalidValue(f"samples[{index}]", "must be a uuid")
                samples.append(key_of)
        dry_run = body.get("dry_run", False)
        results = shape_labels(
            intent=intent_of(request),
            dataset=found,
            what=what,
            samples=samples,
            label_set=label_set,
            dry_run=dry_run,
        )
        return answer(
            {
                "dry_run": dry_run,
                "labels_changed": sum(one.objects > 0 for one in results),
                "objects_changed": sum(one.objects for one in results),
                "results": [
                    {
                        "sample": one.sample,
                        "objects_changed": one.objects,
                        "objects_skipped": one.skipped,
                        "version": one.version,
                    }
                    | ({} if one.error is None else {"error": one.error})
                    for one in results
                ],
            }
        )
