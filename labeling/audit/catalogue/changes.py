"""A15, changes of the system: versions of the application and of stored types, settings, backups and restores. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from labeling import events as e
from labeling.audit.report import WHO, Part, Question, Report, Row, Sources, moment, text, who

#: What happens to the installation as a whole.
OPERATIONS = {fact.__name__ for fact in (e.SystemRestored, e.RetentionSet, e.SigningKeyAdded, e.SigningKeyRetired)}


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    versions: dict[str, list[object]] = {}
    types: dict[tuple[str, int], list[int]] = {}
    settings: list[Row] = []
    for event in sources.events():
        at, offset = moment(event.recorded_at), event.offset or 0
        mine = versions.setdefault(event.app_version, [offset, at, offset, at, 0])
        mine[2], mine[3], mine[4] = offset, at, int(str(mine[4])) + 1
        seen = types.setdefault((event.type, event.schema_version), [offset, offset, 0])
        seen[1], seen[2] = offset, seen[2] + 1
        if isinstance(event.fact, e.DatasetSettingsChanged) and question.holds(event):
            settings += [
                ("settings", who(event) | {"setting": name, "value": text(value)})
                for name, value in sorted(event.fact.changes.items())
            ]
    for version, (first, since, last, until, count) in sorted(versions.items()):
        yield (
            "versions",
            {"app_version": version, "first_offset": first, "since": since, "last_offset": last, "until": until}
            | {"events": count},
        )
    for (name, schema), (first_offset, last_offset, number) in sorted(types.items()):
        yield (
            "types",
            {"type": name, "schema_version": schema, "first_offset": first_offset, "last_offset": last_offset}
            | {"events": number},
        )
    yield from settings
    for event in sources.installation():
        if event.type in OPERATIONS and question.holds(event):
            yield "operations", who(event) | {"type": event.type, "data": text(event.data)}


SPAN = {"first_offset": "The first event of it.", "last_offset": "The last one.", "events": "How many."}
REPORT = Report(
    "A15",
    "changes",
    "Changes of the system",
    "Which versions of the application and of stored types wrote the log, when, and which settings were changed.",
    {
        "versions": Part(
            "Versions of the application",
            {"app_version": "The version."} | SPAN | {"since": "When the first was.", "until": "When the last was."},
        ),
        "types": Part("Stored types", {"type": "The type.", "schema_version": "The version it is stored in."} | SPAN),
        "settings": Part("Settings", WHO | {"setting": "Which.", "value": "What it became, as canonical JSON."}),
        "operations": Part(
            "The installation", WHO | {"type": "What happened.", "data": "What the event says, as canonical JSON."}
        ),
    },
    _rows,
    of=("dataset", "installation"),
    reads=("installation",),
)
