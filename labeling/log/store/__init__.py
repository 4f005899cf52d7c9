"""The log in the database: the only code that touches the event table. `appending` writes it, `reading` reads it.

The whole append, with its projected rows, is one call of the SQL function `log_append` (log/sql/append.sql), in one
round trip and one transaction. The counter row of a log is its only lock, so offset order = commit order = visibility
order, without a gap (measured alternatives: an identity column without a lock lost 75 % of the events to a tailing
reader; an xid horizon stalls every reader behind any open transaction of the cluster). No Python runs under the lock.

Streams. Besides a label's own stream and the dataset's, samples, assets and releases have streams of their own: a
million samples in one stream would make each a rival of all others, and a sample's history a scan.
"""

from labeling.log.store import appending, reading, staging
from labeling.log.store.appending import (
    APP_VERSION,
    ATTEMPTS,
    LOCK_NOT_AVAILABLE,
    Appended,
    CommandReused,
    LogBusy,
    Stale,
    append,
    decide,
    earlier_answer,
    forget_answers,
    new_events,
    observers,
)
from labeling.log.store.reading import (
    COLUMNS,
    Happened,
    LogGap,
    begun,
    chain_at,
    head,
    head_and_chain,
    logs,
    milestones,
    naming,
    offset_at,
    offset_of_event,
    page_of_rows,
    pages,
    read,
    read_several,
    read_short_streams,
    read_stream,
    read_streams,
    sizes,
    streams_between,
    unpacked,
    version,
)

__all__ = [
    "APP_VERSION",
    "ATTEMPTS",
    "COLUMNS",
    "LOCK_NOT_AVAILABLE",
    "Appended",
    "CommandReused",
    "Happened",
    "LogBusy",
    "LogGap",
    "Stale",
    "append",
    "appending",
    "begun",
    "chain_at",
    "decide",
    "earlier_answer",
    "forget_answers",
    "head",
    "head_and_chain",
    "logs",
    "milestones",
    "naming",
    "new_events",
    "observers",
    "offset_at",
    "offset_of_event",
    "page_of_rows",
    "pages",
    "read",
    "read_several",
    "read_short_streams",
    "read_stream",
    "read_streams",
    "reading",
    "sizes",
    "staging",
    "streams_between",
    "unpacked",
    "version",
]
