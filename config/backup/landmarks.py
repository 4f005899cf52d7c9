"""What an archive and a database are known by: the heads of the logs, and the releases."""

from __future__ import annotations

from django.db import connection

from config.backup.contents import Log, Release


def logs() -> tuple[Log, ...]:
    """Every log with its head and the chain hash there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT log, kind, head, encode(chain, 'hex') FROM log_head ORDER BY log")
        return tuple(Log(*row) for row in cursor.fetchall())


def releases() -> tuple[Release, ...]:
    """Every release that was not taken back, with the hash of its file where that is made."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.id, r.dataset_id, CASE WHEN b.status = 'SUCCEEDED' THEN b.sha256 END FROM releases_release r"
            " LEFT JOIN releases_releasebuild b ON b.release_id = r.id WHERE NOT r.withdrawn ORDER BY r.id"
        )
        return tuple(Release(*row) for row in cursor.fetchall())
