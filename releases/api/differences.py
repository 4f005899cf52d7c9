"""The difference between two sides of a dataset: releases, offsets, times, events, label sets."""

from __future__ import annotations

import uuid
from itertools import islice
from typing import Any

from django.conf import settings
from django.http import StreamingHttpResponse
from django.urls import reverse
from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import number_of
from labeling.api.schemas.parameters import DATASET_OFFSET, LIMIT, query
from labeling.api.views import Answer, View
from labeling.errors import InvalidValue
from releases import differences
from releases.api.schemas.differences import DIFFERENCE
from releases.comparing import summary
from releases.differences import Totals, lines
from releases.differences.asking import MOST_COUNTED, compared_sides, wanted_of
from releases.differences.wanting import CHANGES, KINDS

JSON = dict[str, Any]

FORMATS = ("json", "csv", "ndjson")


class DifferenceView(View):
    """What differs between two sides of a dataset."""

    @documented(
        "dataset_diff",
        "history",
        {200: Reply(DIFFERENCE, (DATASET_OFFSET,), media=("application/json", "text/csv", "application/x-ndjson"))},
        parameters=(
            query("from", "A release's name, an offset, a time, or an event's id: what is compared.", example="v1"),
            query("to", "The same; the newest event unless said. An earlier one leads back.", example="v2"),
            query("from_label_set", "Compares this label set with `to_label_set`; `from` is then the newest event."),
            query("to_label_set", "The label set that `from_label_set` is compared with."),
            query("label_set", "Of this label set only.", example="ground-truth"),
            query("sample", "Of this sample only, by its uuid."),
            query("change", f"Only what was {', '.join(CHANGES)}.", example="changed"),
            query("kind", f"Only this kind of change: {', '.join(KINDS)}.", example="geometry"),
            query("category", "Only objects of this category, by its id.", example="1"),
            query("author", "Only what this person did, by username.", example="ana"),
            query("after", "The `next` of the page before."),
            LIMIT,
            query("format", "`json` (a page), or all of it as `csv` or `ndjson`.", example="json"),
        ),
    )
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """What differs, label by label: objects added, removed and changed, with both values, the overlap of changed
        outlines and pixels, keyframes, splits and merges of tracks, and the events and people behind it. Objects of
        two label sets are matched by what they were copied from, and else by how far they overlap. What was done and
        taken back is no difference; a category that is renamed is told once."""
        found = self.dataset(owner, name, "history")
        compared = compared_sides(found.id, request.query_params)
        wanted = wanted_of(compared, request.query_params)
        form = request.query_params.get("format") or "json"
        if form not in FORMATS:
            raise InvalidValue("format", f"must be one of {', '.join(FORMATS)}")
        one, other = compared.one.offset, compared.other.offset
        headers = {"Dataset-Offset": str(other)}
        entries = wanted.of(compared.entries(after=request.query_params.get("after", "")))
        if form != "json":
            told = differences.named(entries, compared.categories)
            text = lines.as_csv(told) if form == "csv" else lines.as_ndjson(told)
            media = "text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson"
            headers["Content-Disposition"] = f'attachment; filename="{name}-{one}-{other}.{form}"'
            return StreamingHttpResponse(text, content_type=media, headers=headers)
        limit = number_of(request, "limit", 100, least=1, most=1000)
        totals = Totals()
        counted = totals.of(entries)
        page = list(islice(counted, limit))
        more = next(counted, None) is not None
        for _ in islice(counted, MOST_COUNTED):
            pass
        complete = next(counted, None) is None
        told_totals = totals.as_json() | {"complete": complete}
        return answer(
            {
                "from": one,
                "to": other,
                "entries": list(differences.named(page, compared.categories)),
                "totals": told_totals,
                "words": summary(told_totals),
                "page": page_address(request, found.id),
                "next": page[-1]["stream"] if more else None,
            },
            headers=headers,
        )


def page_address(request: Request, dataset: uuid.UUID) -> str:
    """The address of the page that shows the same, for people."""
    said = request.query_params.copy()
    for name in ("format", "limit", "after"):
        said.pop(name, None)
    path = reverse("admin:releases_release_difference", args=[dataset])
    return f"{settings.PUBLIC_URL}{path}?{said.urlencode()}" if said else f"{settings.PUBLIC_URL}{path}"
