"""Events on the wire, and the log of a dataset page by page."""

from __future__ import annotations

import uuid
from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.requests import number_of, uuid_of
from labeling.api.schemas.forms import listed
from labeling.api.schemas.history import EVENT
from labeling.api.schemas.parameters import AFTER, AT, DATASET_OFFSET, LIMIT, query
from labeling.api.views import Answer, View
from labeling.errors import InvalidValue
from labeling.events import IssueCommented, IssueOpened, LabelSigned
from labeling.log import search
from labeling.log.event import Event, Fact, vocabulary
from labeling.log.search import Wanted
from labeling.models import Person
from labeling.queries.labels import names_of
from labeling.texts import decrypt_all

JSON = dict[str, Any]


def event_list(events: list[Event]) -> list[JSON]:
    """Events as the API shows them: people by today's username, reasons and the texts of issues decrypted."""
    people = {event.intent.author for event in events} | {event.intent.on_behalf_of for event in events}
    names = names_of(people) if events else {}
    written = decrypt_all([event.intent.reason for event in events] + [_text(event.fact) for event in events])
    reasons, texts = written[: len(events)], written[len(events) :]

    def name(person: uuid.UUID | None) -> str | None:
        return None if person is None else names.get(person, str(person))

    return [
        {
            "offset": event.offset,
            "stream": event.stream,
            "version": event.version,
            "event_id": event.event_id,
            "type": event.type,
            "schema_version": event.schema_version,
            "data": event.data,
            **({} if text is None else {"text": text}),
            "author": name(event.intent.author),
            "author_id": event.intent.author,
            "author_kind": event.intent.author_kind,
            "on_behalf_of": name(event.intent.on_behalf_of),
            "tool": event.intent.tool,
            "work_session": event.intent.work_session,
            "reason": reason,
            "occurred_at": event.intent.occurred_at,
            "recorded_at": event.recorded_at,
            "command": event.intent.command,
            "causation": event.intent.causation,
            "gesture": event.intent.correlation,
            "seen_offset": event.intent.seen_offset,
            "chain": event.chain.hex() if event.chain else None,
        }
        for event, reason, text in zip(events, reasons, texts, strict=True)
    ]


def _text(fact: Fact) -> str | None:
    """What somebody wrote in an event, as it is stored."""
    if isinstance(fact, LabelSigned):
        return fact.name
    return fact.text if isinstance(fact, IssueOpened | IssueCommented) else None


class DatasetEventsView(View):
    """The log of a dataset."""

    @documented(
        "dataset_events",
        "history",
        {200: Reply(listed(EVENT), (DATASET_OFFSET,))},
        parameters=(
            AFTER,
            LIMIT,
            AT,
            query("type", "Event types, separated by commas.", example="LabelImported,LabelStatusChanged"),
            query("author", "A username, or the id of a person.", example="ben"),
            query("stream", "Only the events of this stream.", example="dataset"),
        ),
    )
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """The events of a dataset after an offset, oldest first; with `at` those up to there."""
        found = self.dataset(owner, name, "history")
        past = self.past(found)
        head = found.head if past is None else past.offset
        limit = number_of(request, "limit", 100, least=1, most=1000)
        after = number_of(request, "after", 0)
        types = [item for item in request.query_params.get("type", "").split(",") if item]
        known = set(vocabulary.names())
        if any(item not in known for item in types):
            raise InvalidValue("type", "must name event types, separated by commas")
        author = request.query_params.get("author")
        author_id: uuid.UUID | None = None
        if author:
            person = Person.objects.filter(username=author).values_list("id", flat=True).first()
            author_id = person or uuid_of(author)
            if author_id is None:
                return answer([], headers={"Dataset-Offset": str(head)})
        wanted = Wanted(stream=request.query_params.get("stream") or None, types=types, author=author_id, last=head)
        events = search.find(found.id, wanted, after=after, limit=limit)
        return answer(event_list(events), headers={"Dataset-Offset": str(head)})
