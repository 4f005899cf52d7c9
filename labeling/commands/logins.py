"""Lock-out: after MOST_FAILURES failed logins of one username from one address, nobody can try for LOCKED_S.

Counted in a small table, under keyed hashes. An attempt is counted before the password is looked at, so that many at
once do not get more of them; a locked one costs no password hash. What is old is forgotten by the sweeper.
"""

from __future__ import annotations

from django.db import connection

from labeling.commands.security import keyed_hash

MOST_FAILURES = 5
LOCKED_S = 15 * 60

# `last_at` stays where it is while locked: trying again does not lock for longer.
ATTEMPT = """
INSERT INTO labeling_loginattempts AS known (source, count, last_at) VALUES (%(source)s, 1, statement_timestamp())
    ON CONFLICT (source) DO UPDATE SET
       count = CASE WHEN known.last_at < statement_timestamp() - make_interval(secs => %(locked_s)s) THEN 1
                    ELSE least(known.count + 1, %(most)s + 1) END,
       last_at = CASE WHEN known.last_at < statement_timestamp() - make_interval(secs => %(locked_s)s)
                        OR known.count < %(most)s THEN statement_timestamp()
                      ELSE known.last_at END
RETURNING count
"""


def may_try(what: str, username: str, address: str) -> bool:
    """Count an attempt at `what` (a login, a password reset); False when there were too many of late."""
    with connection.cursor() as cursor:
        cursor.execute(
            ATTEMPT, {"source": _source(what, username, address), "most": MOST_FAILURES, "locked_s": LOCKED_S}
        )
        return bool(cursor.fetchone()[0] <= MOST_FAILURES)


def is_locked(what: str, username: str, address: str) -> bool:
    """Whether the next attempt will be refused."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM labeling_loginattempts WHERE source = %s AND count >= %s"
            " AND last_at >= statement_timestamp() - make_interval(secs => %s))",
            [_source(what, username, address), MOST_FAILURES, LOCKED_S],
        )
        return bool(cursor.fetchone()[0])


def forget(what: str, username: str, address: str) -> None:
    """Begin to count anew, because an attempt succeeded."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM labeling_loginattempts WHERE source = %s", [_source(what, username, address)])


def forget_old() -> None:
    """Remove what no longer counts."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM labeling_loginattempts WHERE last_at < statement_timestamp() - make_interval(secs => %s)",
            [LOCKED_S],
        )


def _source(what: str, username: str, address: str) -> str:
    return keyed_hash(f"{what} {len(username)} {username} {address}")
