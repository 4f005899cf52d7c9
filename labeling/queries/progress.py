"""How far the label sets of a dataset are: labels by status, beside the samples that have none."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import connection

from labeling.queries.datasets import label_stats

JSON = dict[str, Any]


def progress_of_label_sets(dataset: uuid.UUID) -> dict[uuid.UUID, JSON]:
    """{label set: how many samples have which status in it, and TOTAL}, for every label set that is there."""
    total = label_stats([dataset])[dataset]["TOTAL"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ls.id, l.status, count(s.id) FROM labeling_labelset ls"
            "  LEFT JOIN labeling_label l ON l.label_set_id = ls.id AND l.dataset_id = ls.dataset_id AND NOT l.deleted"
            "  LEFT JOIN labeling_sample s ON s.id = l.sample_id AND NOT s.archived"
            " WHERE ls.dataset_id = %s AND NOT ls.archived GROUP BY 1, 2",
            [dataset],
        )
        found: dict[uuid.UUID, JSON] = {}
        for label_set, status, count in cursor.fetchall():
            stats = found.setdefault(label_set, {"TOTAL": total})
            if count:
                stats[status] = count
    for stats in found.values():
        without = total - sum(count for key, count in stats.items() if key != "TOTAL")
        if without > 0:
            stats["UNLABELED"] = stats.get("UNLABELED", 0) + without
    return found
