"""Logs as people name them: OWNER/NAME of the dataset, or the id where a name leads to none."""

from __future__ import annotations

import uuid

from django.db import connection

from labeling.errors import NotFound
from labeling.log.event import INSTALLATION, SECURITY


def names_of_logs() -> dict[uuid.UUID, str]:
    """{log: OWNER/NAME} of every dataset, deleted ones included, and of the two logs that are of no dataset."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.id, coalesce(p.username, d.owner_id::text) || '/' || d.name"
            " || CASE WHEN d.deleted THEN ' (deleted)' ELSE '' END"
            " FROM labeling_dataset d LEFT JOIN labeling_person p ON p.id = d.owner_id"
        )
        return dict(cursor.fetchall()) | {INSTALLATION: "the installation", SECURITY: "the security log"}


def log_named(name: str) -> uuid.UUID:
    """The log of the dataset OWNER/NAME, or with this id, which also finds one whose rows are damaged.

    Raises:
        NotFound: there is none.
    """
    try:
        return uuid.UUID(name)
    except ValueError:
        pass
    owner, _, dataset = name.partition("/")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.id FROM labeling_dataset d JOIN labeling_person p ON p.id = d.owner_id"
            " WHERE p.username = %s AND d.name = %s AND NOT d.deleted",
            [owner, dataset],
        )
        row = cursor.fetchone()
    if row is None:
        raise NotFound("The dataset")
    return row[0]
