"""What actors compute of sequences: the dense frames of every track."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from labeling.events import DatasetSettingsChanged
from labeling.log import values
from labeling.log.event import Event
from labeling.rules.label_ids import label_id
from sequences.models import TrackFrames
from sequences.rules.dense import Packed, clock_mark, packed, segments_of, unpacked
from sequences.rules.skeletons import clock_of
from sequences.rules.timeline import Clock
from sequences.rules.track_state import ROW_KEYS, TABLE
from sequences.task_types import NAMES

JSON = dict[str, Any]

#: How many labels and tracks are loaded at once, and with how many bytes frames are written.
LABELS = 100
TRACKS = 50
WRITE_BYTES = 16_000_000
#: Frames of a track that take more are computed by who reads them.
MOST_BYTES = 1 << 28


class Frames:
    """The dense frames of every track, of the newest version that there is.

    They are computed from the track's row, not from the events of the page: a row may be newer than the checkpoint, and
    is right for the version that it names. Readers take it only for that one, so they never see what was. Of a track
    only those segments are computed that are made from something else than before, whatever the event was.
    """

    name = "frames"
    tables = {"sequences_trackframes": "dataset_id"}
    most_streams = 32
    #: Rows that are not to be compared: what they are made from has moved past the checkpoint.
    overtaken = {
        "sequences_trackframes": "EXISTS (SELECT FROM labeling_label l"
        " WHERE l.id = row.label_id AND l.last_offset > %(checkpoint)s)"
    }

    def project(self, log: uuid.UUID, events: Sequence[Event]) -> None:
        """Bring the frames of all labels up to date that a page of events is about."""
        labels = self._labels(log, events)
        for start in range(0, len(labels), LABELS):
            self._bring_up(log, labels[start : start + LABELS])

    def _labels(self, log: uuid.UUID, events: Sequence[Event]) -> list[uuid.UUID]:
        """The labels whose frames may be others after these events: their own, those of their sample, and those of
        settings by which time goes on."""
        streams = {event.stream for event in events}
        labels = {label_id(stream) for stream in streams if stream.startswith("label/")}
        samples = [stream.partition("/")[2] for stream in streams if stream.startswith("sample/")]
        everything = any(isinstance(event.fact, DatasetSettingsChanged) for event in events)
        if not labels and not samples and not everything:
            return []
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM labeling_dataset WHERE id = %s AND task_type = ANY(%s)", [log, list(NAMES)])
            if cursor.fetchone() is None:
                return []
            cursor.execute(
                "SELECT id FROM labeling_label WHERE dataset_id = %s AND (sample_id = ANY(%s::uuid[]) OR %s)",
                [log, samples, everything],
            )
            return sorted(labels | {row[0] for row in cursor.fetchall()})

    def _bring_up(self, log: uuid.UUID, labels: list[uuid.UUID]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, document FROM labeling_label WHERE id = ANY(%s)", [labels])
            skeletons = {key: _skeleton(document) for key, document in cursor.fetchall()}
            cursor.execute(
                "DELETE FROM sequences_trackframes f WHERE f.label_id = ANY(%s)"
                " AND NOT EXISTS (SELECT FROM sequences_track t WHERE t.key = f.key)",
                [labels],
            )
            cursor.execute(
                "SELECT t.key, t.label_id, t.sensor, t.version, f.version, f.clock FROM sequences_track t"
                " LEFT JOIN sequences_trackframes f ON f.key = t.key WHERE t.label_id = ANY(%s) ORDER BY t.key",
                [labels],
            )
            rows = cursor.fetchall()
        clocks: dict[tuple[uuid.UUID, int | None], tuple[Clock, bytes]] = {}
        stale: dict[uuid.UUID, tuple[Clock, bytes]] = {}
        for key, label, sensor, version, made, made_by in rows:
            if (label, sensor) not in clocks:
                clock = clock_of(skeletons[label], sensor)
                clocks[label, sensor] = clock, clock_mark(clock)
            clock, mark = clocks[label, sensor]
            if made != version or bytes(made_by) != mark:
                stale[key] = clock, mark
        keys = list(stale)
        for start in range(0, len(keys), TRACKS):
            _store(_computed(log, row, *stale[row[0]]) for row in _loaded(keys[start : start + TRACKS]))


def _skeleton(document: str | None) -> JSON:
    found: JSON = (values.load_stored(document) if document else None) or {}
    skeleton: JSON = found.get("skeleton", {})
    return skeleton


def _loaded(keys: list[uuid.UUID]) -> list[Any]:
    """(key, label, the track's columns, its data, the frames that it had) of tracks that are still there."""
    columns = ", ".join(f"t.{name}" for name in ROW_KEYS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.key, t.label_id, t.data, f.data, {columns} FROM {TABLE} t"
            " LEFT JOIN sequences_trackframes f ON f.key = t.key WHERE t.key = ANY(%s) ORDER BY t.key",
            [keys],
        )
        return list(cursor.fetchall())


def _computed(log: uuid.UUID, row: Any, clock: Clock, mark: bytes) -> TrackFrames:
    key, label, data, had, *columns = row
    track = values.load_stored(data) | dict(zip(ROW_KEYS, columns, strict=True))
    known = {segment.mark: segment for segment in unpacked(had)} if had else {}
    made = packed(segments_of(track, clock, known=known), clock.frames)
    if len(made.data) > MOST_BYTES:
        made = Packed(b"", [], [])
    return TrackFrames(
        key=key,
        dataset_id=log,
        last_offset=track["last_offset"],
        label_id=label,
        version=track["version"],
        clock=mark,
        order=track["order"],
        data=made.data,
        starts=made.starts,
        ends=made.ends,
    )


def _store(rows: Iterable[TrackFrames]) -> None:
    """Insert or update rows, a few megabytes at once."""
    some: list[TrackFrames] = []
    size = 0
    for row in rows:
        some.append(row)
        size += len(row.data)
        if size > WRITE_BYTES:
            _put(some)
            some, size = [], 0
    _put(some)


def _put(rows: list[TrackFrames]) -> None:
    fields = [field.name for field in TrackFrames._meta.concrete_fields if not field.primary_key]
    TrackFrames.objects.bulk_create(rows, update_conflicts=True, unique_fields=["key"], update_fields=fields)


CATCH_UPS = (Frames(),)
