"""The dense frames of a label: what actors have computed of the very versions that are read, and the rest now."""

from __future__ import annotations

from typing import Any

from django.db import connection

from labeling.log import values
from labeling.rules.label_state import LabelState
from sequences.rules.dense import BLOCK, Line, clock_mark, segments_of, unpacked
from sequences.rules.skeletons import clock_of, skeleton_of
from sequences.rules.track_state import ROW_KEYS, TABLE, in_order

JSON = dict[str, Any]

# One statement, so that all is of one moment: of each track the window of its frames if they are of its version and of
# this clock, else the track itself.
TRACKS = f"""
SELECT l.version, t.key, t.uuid, t.track_id, is_fresh, f."order",
       CASE WHEN is_fresh THEN
       substring(f.data FROM f.starts[%(low)s] + 1 FOR f.ends[%(high)s] - f.starts[%(low)s]) END,
       CASE WHEN NOT is_fresh THEN t.data::text END, {", ".join(f"t.{name}" for name in ROW_KEYS)}
  FROM labeling_label l
  LEFT JOIN {TABLE} t ON t.label_id = l.id AND t.sensor IS NOT DISTINCT FROM %(sensor)s
  LEFT JOIN sequences_trackframes f ON f.key = t.key
 CROSS JOIN LATERAL (SELECT coalesce(
       f.version = t.version AND f.clock = %(clock)s AND cardinality(f.starts) >= %(high)s, false) AS is_fresh) AS fresh
 WHERE l.id = %(label)s
"""


def lines_of_state(state: LabelState, sensor: int | None, start: int, end: int) -> list[Line]:
    """The tracks of a state that has them all, from bottom to top, with all segments of the frames start … end - 1."""
    clock = clock_of(skeleton_of(state), sensor)
    return [
        Line(track["track_id"], segments_of(track, clock, start, end))
        for track in in_order(state)
        if track["sensor"] == sensor
    ]


def lines_of_label(state: LabelState, sensor: int | None, start: int, end: int) -> list[Line] | None:
    """The same, as of the version of `state`, which needs to have no tracks; None where the label has moved on."""
    clock = clock_of(skeleton_of(state), sensor)
    end = min(end, clock.frames)
    if start >= end:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            TRACKS,
            {
                "low": start // BLOCK + 1,
                "high": (end - 1) // BLOCK + 1,
                "sensor": sensor,
                "clock": clock_mark(clock),
                "label": state.id,
            },
        )
        rows = cursor.fetchall()
    found: list[tuple[float, int, str, Line]] = []
    for version, key, name, track_id, is_fresh, order, data, text, *columns in rows:
        if version != state.version:
            return None
        if key is None:
            break  # no track at all
        if is_fresh:
            segments = unpacked(data)
        else:
            track = values.load_stored(text) | dict(zip(ROW_KEYS, columns, strict=True))
            order, segments = track["order"], segments_of(track, clock, start, end)
        found.append((order, track_id, str(name), Line(track_id, segments)))
    return [line for *_, line in sorted(found, key=lambda item: item[:3])]
