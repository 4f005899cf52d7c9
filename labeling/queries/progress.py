"""How far the label sets of a dataset are: labels by status, beside the samples that have none."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import connection

from labeling.queries.datasets import label_stats

JSON = dict[str, Any]


def progress_of_label_sets(dataset: uuid.UUID) -> dict[uuid.UUID, JSON]:
    """{label set: how many samples have which status in it, and TOTAL}, for every label set that is there.

    Looked up, as label_stats: triggers count.
    """
    total = label_stats([dataset])[dataset]["TOTAL"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ls.id, c.status, c.count FROM labeling_labelset ls LEFT JOIN labeling_statuscount c"
            " ON c.dataset_id = ls.dataset_id AND c.label_set_id = ls.id AND c.count > 0 AND c.status <> ''"
            " WHERE ls.dataset_id = %s AND NOT ls.archived",
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
