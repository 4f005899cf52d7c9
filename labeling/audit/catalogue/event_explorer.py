"""A1, the event explorer: who, what, when, where, why, for every event. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from labeling.audit.report import WHO, Option, Part, Question, Report, Row, Sources, moment, text, who


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    wanted = question.options
    types = [name for name in wanted["type"].split(",") if name]
    for event in sources.events(*types, stream=wanted["stream"] or None):
        intent = event.intent
        session = None if intent.work_session is None else str(intent.work_session)
        if (
            not question.holds(event)
            or (wanted["author"] and wanted["author"] != str(intent.author))
            or (wanted["tool"] and wanted["tool"] != intent.tool)
            or (wanted["work_session"] and wanted["work_session"] != session)
        ):
            continue
        yield (
            "events",
            who(event)
            | {
                "occurred_at": moment(intent.occurred_at),
                "type": event.type,
                "schema_version": event.schema_version,
                "stream": event.stream,
                "version": event.version,
                "work_session": session,
                "gesture": None if intent.correlation is None else str(intent.correlation),
                "command": str(intent.command),
                "event_id": str(event.event_id),
                "seen_offset": intent.seen_offset,
                "app_version": event.app_version,
                "data": text(event.data),
                "data_hash": (event.data_hash or b"").hex(),
                "chain": (event.chain or b"").hex(),
            },
        )


REPORT = Report(
    "A1",
    "events",
    "Event explorer",
    "Who did what, when, from where and why: every event with its envelope.",
    {
        "events": Part(
            "Events",
            WHO
            | {
                "occurred_at": "When, by the client's clock, where it said so.",
                "type": "What happened.",
                "schema_version": "The version of the type in which it is stored.",
                "stream": "What it happened to.",
                "version": "Its place in that stream.",
                "work_session": "The window in which somebody worked.",
                "gesture": "One gesture or bulk action of several events.",
                "command": "The request that caused it.",
                "event_id": "Its own id.",
                "seen_offset": "The offset whose categories and guideline the author saw.",
                "app_version": "The version of Palimpsest that recorded it.",
                "data": "What is stored of it, as canonical JSON.",
                "data_hash": "The SHA-256 of that.",
                "chain": "The chain hash, over this event and all before it.",
            },
        )
    },
    _rows,
    options={
        "type": Option("Event types, separated by commas."),
        "author": Option("The id of a person."),
        "tool": Option("A tool."),
        "work_session": Option("The uuid of a work session."),
        "stream": Option("A stream."),
    },
    of=("dataset", "installation"),
)
