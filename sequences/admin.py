"""Tracks on a label's page: a timeline of what was set and what is computed, and the frame that is looked at."""

from __future__ import annotations

import uuid
from bisect import bisect_left, bisect_right
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from labeling.admin import display, reports
from labeling.admin.panels import Panel
from labeling.admin.reports import Look
from labeling.admin.rights import person_of
from labeling.admin.thumbnails import number_of
from labeling.models import Dataset
from labeling.queries import labels as queries
from labeling.rules.colours import colours_of
from labeling.rules.task_types import task_type
from sequences.rules.skeletons import clock_of, sensors_of, skeleton_of
from sequences.rules.timeline import Timeline, Track
from sequences.rules.track_state import in_order
from sequences.task_types import SequenceTask

JSON = dict[str, Any]

#: What one page shows; a label of more is read through the API.
MOST_TRACKS = 100
MOST_LINKS = 400  #: to frames, over the timeline: of a longer sequence to every second, third … frame
MOST_KEYFRAMES = 30  #: of one track, in words
#: The drawing, in pixels of a page of 1,280: the names on the left, the lanes, and how high each is.
LEFT, WIDTH, TOP, LANE = 190.0, 1000.0, 26.0, 25.0


def show_tracks(label: Any, dataset: Dataset, request: HttpRequest) -> Panel | None:
    """The panel of a label whose objects are tracks."""
    kind = task_type(dataset.task_type)
    if not isinstance(kind, SequenceTask):
        return None
    found = queries.find_label(label.sample_id, label.set_name or "", person=person_of(request).id)
    state = kind.opened(found.state)[0]
    skeleton = skeleton_of(state)
    sensors = sensors_of(skeleton)
    sensor = number_of(request, "sensor")
    if sensor not in sensors:
        sensor = sensors[0] if sensors else None
    clock = clock_of(skeleton, sensor)
    frame = min(number_of(request, "frame") or 0, max(clock.frames - 1, 0))
    tracks = [track for track in reversed(in_order(state)) if track["sensor"] == sensor]
    shown = tracks[:MOST_TRACKS]
    of_sensor = "" if sensor is None else f"&sensor={sensor}"
    people = display.usernames(person for track in shown if (person := _person(track)) is not None)
    categories = {item.get("id"): item.get("name") for item in dataset.task_attributes.get("categories") or []}
    colour_of = colours_of(dataset.task_attributes)
    step = WIDTH / max(clock.frames, 1)
    lanes = []
    for number, track in enumerate(shown):
        line = Timeline.of(track)
        lanes.append(
            _lane(track, line, clock.frames, number, step)
            | {
                "colour": "#{:02x}{:02x}{:02x}".format(*colour_of(track["category_id"])),
                "swatch": display.swatch(colour_of(track["category_id"])),
                "category": categories.get(track["category_id"], track["category_id"]) or "none",
                "by": display.name_of(_person(track), people),
                "here": line.is_present(frame),
            }
        )
    keyed = sorted({number for track in tracks for number in Timeline.of(track).frames if number < clock.frames})
    context = {
        "lanes": lanes,
        "left_out": len(tracks) - len(shown),
        "frame": frame,
        "frames": clock.frames,
        "of_sensor": of_sensor,
        "sensors": [
            {"number": number, "name": skeleton["sensors"][number].get("name") or number, "here": number == sensor}
            for number in sensors
            if number is not None
        ],
        "steps": _steps(frame, clock.frames, keyed),
        "columns": _columns(clock.frames, step),
        "ticks": _ticks(clock.frames, step),
        "cursor": {"x": _unit(LEFT + frame * step), "width": _unit(max(step, 2.0))},
        "size": {"width": _unit(LEFT + WIDTH + 10), "height": _unit(TOP + LANE * len(lanes) + 8), "left": _unit(LEFT)},
        "lane_height": LANE,
        "end": _unit(LEFT + WIDTH),
    }
    html = mark_safe(render_to_string("admin/sequences/tracks.html", context))
    return Panel(html=html, objects=len(tracks), frame=frame, sensor=sensor)


def _person(track: Track) -> uuid.UUID | None:
    return uuid.UUID(track["by"]) if track.get("by") else None


def _unit(number: float) -> str:
    """A coordinate of the drawing, without the commas that a locale would put there."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _lane(track: Track, line: Timeline, frames: int, number: int, step: float) -> JSON:
    """One track of the timeline: where it is there, and what was set."""
    middle = TOP + LANE * (number + 0.5)
    half = min(5.5, max(step * 0.45, 2.0))

    def at(frame: int) -> float:
        return LEFT + (frame + 0.5) * step

    keyframes = [frame for frame in line.keyframes() if frame < frames]
    presence = line.presence(frames)
    return {
        "number": track["track_id"],
        "uuid": track["uuid"],
        "types": ", ".join(
            dict.fromkeys(e["geometry"]["type"] for e in line.entries.values() if not e.get("absent"))
        ),
        "version": track["version"],
        "y": _unit(middle),
        "text_y": _unit(middle + 5),
        "bars": [
            {"x": _unit(LEFT + start * step), "y": _unit(middle - 6), "width": _unit((end - start) * step)}
            for start, end in presence
        ],
        "diamonds": [
            " ".join(
                f"{_unit(x)},{_unit(y)}"
                for x, y in (
                    (at(f), middle - half), (at(f) + half, middle), (at(f), middle + half), (at(f) - half, middle),
                )
            )
            for f in keyframes
        ],
        "kept": [{"x": _unit(at(f)), "y": _unit(middle), "r": _unit(half * 0.6)} for f in line.kept if f < frames],
        "leaves": [
            {
                "x": _unit(at(f)), "y": _unit(middle), "r": _unit(half),
                "x0": _unit(at(f) - half * 0.6), "x1": _unit(at(f) + half * 0.6),
                "y0": _unit(middle - half * 0.6), "y1": _unit(middle + half * 0.6),
            }
            for f in line.remove_keyframes()
            if f < frames
        ],
        "presence": ", ".join(f"{start}–{end - 1}" if end - start > 1 else f"{start}" for start, end in presence),
        "stretches": len(presence),
        "shown": sum(end - start for start, end in presence),
        "keyframes": keyframes[:MOST_KEYFRAMES],
        "keyframe_count": len(keyframes),
        "more": max(len(keyframes) - MOST_KEYFRAMES, 0),
        "gone": [frame for frame in line.remove_keyframes() if frame < frames][:MOST_KEYFRAMES],
    }  # fmt: skip


def _steps(frame: int, frames: int, keyed: list[int]) -> list[JSON]:
    """Links to the first frame, the one in front, the next, the last, and to the next where something was set."""
    before, after = bisect_left(keyed, frame) - 1, bisect_right(keyed, frame)
    return [
        {"words": words, "to": to if to is not None and 0 <= to < frames and to != frame else None}
        for words, to in (
            ("first", 0),
            ("◆ previous", keyed[before] if before >= 0 else None),
            ("‹ back", frame - 1),
            ("next ›", frame + 1),
            ("next ◆", keyed[after] if after < len(keyed) else None),
            ("last", frames - 1),
        )
    ]


def _columns(frames: int, step: float) -> list[JSON]:
    """Where a click on the timeline leads."""
    every = -(-frames // MOST_LINKS) if frames else 1
    return [
        {"frame": frame, "x": _unit(LEFT + frame * step), "width": _unit(min(every, frames - frame) * step)}
        for frame in range(0, frames, every)
    ]


def _ticks(frames: int, step: float) -> list[JSON]:
    """About a dozen numbers over the timeline."""
    every = next((n for power in range(7) for n in (10**power, 2 * 10**power, 5 * 10**power) if n * 14 >= frames), 1)
    return [{"frame": frame, "x": _unit(LEFT + (frame + 0.5) * step)} for frame in range(0, frames, every)]


reports.look(
    "keyframes",
    "Keyframes",
    Look(
        ("keyframes", "computed"),
        lambda row: [("keyframes", row["keyframes"]), ("computed", row["computed"])],
        lambda value: f"{value:,.0f}",
        (("category",), ("sample",)),
    ),
)
