"""The page that opens first: how far each dataset is, what happened last, and how the queue does."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from labeling.admin import display, events, words
from labeling.admin.datasets import OWNER_NAME
from labeling.admin.jobs import queue_state
from labeling.admin.places import Places
from labeling.admin.rights import is_superuser, visible_datasets
from labeling.log.browse import Headline
from labeling.queries import datasets as queries

JSON = dict[str, Any]

MOST_DATASETS = 8
MOST_EVENTS = 60
MOST_LINES = 12


def overview(request: HttpRequest) -> JSON:
    """What the index shows to who is logged in."""
    shown = visible_datasets(request).filter(archived=False)
    rows = list(shown.annotate(owner_name=OWNER_NAME).order_by("-updated_at")[:MOST_DATASETS])
    stats = queries.label_stats([row.id for row in rows])
    totals: dict[str, int] = {}
    for counted in stats.values():
        for status, count in counted.items():
            totals[status] = totals.get(status, 0) + count
    headlines, names = events.named(events.latest(request, MOST_EVENTS))
    return {
        "datasets": [_dataset(row, stats[row.id]) for row in rows],
        "dataset_count": shown.count(),
        "totals": display.legend(totals),
        "sample_count": sum(queries.sample_counts(shown.values_list("id", flat=True)).values()),
        "lines": lines_of(words.together(headlines)[:MOST_LINES], names),
        "queue": queue_state() if is_superuser(request) else None,
    }


def _dataset(row: Any, stats: dict[str, int]) -> JSON:
    samples = reverse("admin:labeling_sample_changelist")
    return {
        "owner": row.owner_name,
        "name": row.name,
        "task_type": row.task_type or "custom documents",
        "url": reverse("admin:labeling_dataset_change", args=[row.id]),
        "samples_url": f"{samples}?dataset={row.id}",
        "total": stats["TOTAL"],
        "done": display.share_done(stats),
        "bar": display.bar(stats),
        "changed": display.when(row.updated_at),
    }


def lines_of(groups: list[list[Headline]], names: dict[uuid.UUID, str]) -> list[JSON]:
    """One line for each command: who did what, where (of several places, the last), and when."""
    places = Places([item for group in groups for item in group])
    lines = []
    for group in groups:
        last = group[-1]
        listed = reverse("admin:labeling_storedevent_change", args=[events.event_id(last.log, last.offset)])
        lines.append(
            {
                "who": events.who(last.author, last.author_kind, last.on_behalf_of, names),
                "what": words.gist(group),
                "place": places.of(last),
                "when": display.when(last.recorded_at),
                "url": listed,
                "tool": last.tool or "",
            }
        )
    return lines
