"""The live feed: a dataset's log as server-sent events, resumed by offset without a gap.

A feed holds a thread of the web server, of which there are few. So only MOST_OPEN feeds of a process stay open, and
none longer than MOST_S; all others are answered with what is there now and asked to come again. A client cannot tell
the difference but by how soon it hears: every answer goes on behind the offset that the client saw last.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from rest_framework.request import Request

from labeling.api.answers import encoded
from labeling.api.contract import Reply, documented
from labeling.api.history import event_list
from labeling.api.requests import number_of
from labeling.api.restoring import person_named
from labeling.api.schemas.forms import TEXT, WHOLE
from labeling.api.schemas.parameters import DATASET_OFFSET, header, or_empty, query
from labeling.api.views import Answer, View
from labeling.errors import InvalidValue
from labeling.log import search, store
from labeling.log.event import Event, vocabulary
from labeling.log.search import Wanted

JSON = dict[str, Any]

#: Half of the threads of a web process of `serve`.
MOST_OPEN = 2
MOST_S = 60
DEFAULT_S = 30
longest_s: float = MOST_S  #: less in tests
#: How often the head of the log is looked at while nothing happens, and how soon a client is asked to come again.
LOOK_S = 0.25
QUIET_S = 10
RETRY_MS = 1000
PAGE = 500

_open = threading.BoundedSemaphore(MOST_OPEN)

LAST_EVENT_ID = header(
    "Last-Event-ID", "The offset that was seen last; what a browser sends by itself.", or_empty(WHOLE), 41
)


class FeedView(View):
    """The live feed of a dataset."""

    @documented(
        "dataset_feed",
        "history",
        {
            200: Reply(
                TEXT,
                (DATASET_OFFSET,),
                media=("text/event-stream",),
                description="Events of the log as they happen: `id` is the offset, `event` the type, `data` the"
                " event as `dataset_events` has it. An `id` alone says how far the log was looked through.",
                example="id: 41\nevent: AnnotationRemoved\ndata: {}\n\n",
            )
        },
        parameters=(
            query("after", "An offset: only events after it. Without it, and without Last-Event-ID, only new ones.",
                  or_empty(WHOLE | {"minimum": 0}), 12),
            query("type", "Event types, separated by commas.", example="LabelStatusChanged"),
            query("author", "A username, or the id of a person.", example="ben"),
            query("stream", "Only streams that begin like this.", example="label/"),
            query("seconds", f"How long to stay at the most, up to {MOST_S}; 0 gives what is there.",
                  or_empty(WHOLE | {"minimum": 0, "maximum": MOST_S}), 0),
            LAST_EVENT_ID,
        ),
    )  # fmt: skip
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """The events of a dataset as they happen, as server-sent events. The connection is closed after a while (at
        once where too many are open); a client goes on behind the last `id` that it saw, and misses nothing."""
        found = self.dataset(owner, name, "history")
        head = store.head(found.id)
        asked, seen = number_of(request, "after", head), _seen(request)
        after = asked if seen is None else seen
        types = [item for item in request.query_params.get("type", "").split(",") if item]
        if set(types) - set(vocabulary.names()):
            raise InvalidValue("type", "must name event types, separated by commas")
        author, nobody = None, False
        if request.query_params.get("author"):
            author = person_named(request.query_params["author"])
            nobody = author is None
        prefix = request.query_params.get("stream")
        wanted = Wanted(types=types, author=author, prefixes=(prefix,) if prefix else ())
        seconds = number_of(request, "seconds", DEFAULT_S, most=MOST_S)
        return StreamingHttpResponse(
            feed(found.id, wanted, after=after, seconds=seconds, nobody=nobody),
            content_type="text/event-stream",
            headers={"Dataset-Offset": str(head), "Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )


def _seen(request: Request) -> int | None:
    text = request.headers.get("Last-Event-ID", "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidValue("Last-Event-ID", "must be an offset of the dataset")
    return int(text)


def feed(dataset: uuid.UUID, wanted: Wanted, *, after: int, seconds: float, nobody: bool = False) -> Iterator[bytes]:
    """The stream's text, a page of events at a time; `nobody` says that no event can fit."""
    is_open = seconds > 0 and _open.acquire(blocking=False)
    try:
        yield f"retry: {RETRY_MS}\n\n".encode()
        ends = time.monotonic() + (min(seconds, longest_s) if is_open else 0)
        quiet_since = time.monotonic()
        while True:
            head = store.head(dataset)
            while after < head:
                # Everything up to the head is committed and in order, so nothing can come up behind us.
                events = [] if nobody else _page(dataset, wanted, after, head)
                last = (events[-1].offset or after) if len(events) == PAGE else head
                text = b"".join(_told(events))
                if not events or events[-1].offset != last:
                    text += f"id: {last}\n\n".encode()
                after, quiet_since = last, time.monotonic()
                yield text
            now = time.monotonic()
            if now >= ends:
                return
            if now - quiet_since >= QUIET_S:
                yield b": still here\n\n"
                quiet_since = now
            time.sleep(min(LOOK_S, ends - now))
    finally:
        if is_open:
            _open.release()


def _page(dataset: uuid.UUID, wanted: Wanted, after: int, head: int) -> list[Event]:
    if wanted == Wanted():
        return store.read(dataset, after=after, up_to=head, limit=PAGE)
    return search.find(dataset, wanted.up_to(head), after=after, limit=PAGE)


def _told(events: list[Event]) -> Iterator[bytes]:
    for item in event_list(events):
        yield b"id: %d\nevent: %s\ndata: %s\n\n" % (item["offset"], item["type"].encode(), encoded(item))
