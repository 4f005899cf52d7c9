"""A dataset with very many samples, for benches that read: the rows that lists are made of, without their events.

Each sample has the row that SampleAdded would have made, and six of ten a row of a label that has no annotations; the
triggers count them as they count any. What is not there are the events: the chain, `verify` and `?at=` of this dataset
mean nothing, and reading a list needs none of them. Filling goes at some 20,000 samples a second.
"""

from __future__ import annotations

import uuid

from django.db import connection

from labeling.rules.dataset_state import GROUND_TRUTH

#: Of ten samples in a row; the others have no label. One in a thousand is REJECTED besides.
STATUSES = ("LABELED", "LABELED", "LABELED", "REVIEWED", "PRELABELED", "SKIPPED", None, None, None, None)

LABELS = """
INSERT INTO labeling_label (id, dataset_id, last_offset, sample_id, label_set_id, version, status, scene,
                            classifications, last_id, last_order, deleted, created_by, created_at, updated_by,
                            updated_at, last_bucket)
SELECT md5('label' || %(dataset)s || n)::uuid, %(dataset)s, %(base)s + %(samples)s + n,
       md5(%(dataset)s || n::text)::uuid, ls.id, 1,
       CASE WHEN n %% 1000 = 0 THEN 'REJECTED' ELSE (%(statuses)s::text[])[1 + n %% 10] END, '{}', '[]', 0, 0, false,
       %(person)s, now(), %(person)s, now() + n * interval '1 ms',
       ((%(base)s + %(samples)s + n) >> 10) + 1
  FROM generate_series(1, %(samples)s) n
  JOIN labeling_labelset ls ON ls.dataset_id = %(dataset)s AND ls.kind = %(ground_truth)s
 WHERE (%(statuses)s::text[])[1 + n %% 10] IS NOT NULL
"""
SAMPLES = """
INSERT INTO labeling_sample (id, dataset_id, last_offset, version, name, attributes, metadata, priority, readme,
                             archived, created_by, created_at, updated_at, created_offset)
SELECT md5(%(dataset)s || n::text)::uuid, %(dataset)s, %(base)s + n, 1, md5(n::text) || '.jpg',
       '{"image": {"url": ""}}',
       CASE WHEN n %% 100 = 0 THEN jsonb_build_object('city', 'c' || n / 100 %% 50) ELSE '{}' END,
       n %% 7, '', false, %(person)s, now() + n * interval '1 ms', now() + n * interval '1 ms', %(base)s + n
  FROM generate_series(1, %(samples)s) n
"""


def fill(dataset: uuid.UUID, person: uuid.UUID, samples: int) -> None:
    """Add that many samples to a dataset that has none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT head FROM log_head WHERE log = %s", [dataset])
        values = {
            "dataset": str(dataset),
            "person": person,
            "samples": samples,
            "base": cursor.fetchone()[0],
            "statuses": list(STATUSES),
            "ground_truth": GROUND_TRUTH,
        }
        # Labels first: so each sample's status is written once.
        cursor.execute(LABELS, values)
        cursor.execute(SAMPLES, values)


def settle() -> None:
    """Do at once what autovacuum does in a while: without it no scan is of an index alone."""
    with connection.cursor() as cursor:
        for table in ("sample", "label", "samplestatus", "statuscount", "samplecount"):
            cursor.execute(f"VACUUM ANALYZE labeling_{table}")
