"""Tracks and frames of a label, now or as they were, and what would lie between keyframes."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer, streamed
from labeling.api.contract import Reply, documented
from labeling.api.labels import find_at, headers_of
from labeling.api.requests import LABEL_BYTES, at_of, body_of, number_of
from labeling.api.schemas.forms import listed
from labeling.api.schemas.parameters import AT, DATASET_OFFSET, ETAG
from labeling.api.views import Answer, View
from labeling.errors import InvalidValue, NotFound
from labeling.rules.label_state import LabelState
from labeling.rules.task_types import task_type
from sequences.api import schemas
from sequences.queries.frames import lines_of_label, lines_of_state
from sequences.rules.dense import Line, frame_texts
from sequences.rules.documents import annotation
from sequences.rules.previews import filled
from sequences.rules.skeletons import clock_of, frames_of, is_verbatim, sensors_of, skeleton_of
from sequences.rules.timeline import Timeline, Track
from sequences.rules.track_state import in_order
from sequences.task_types import SequenceTask

JSON = dict[str, Any]

#: How often tracks are read again because the label moved on meanwhile, before all is read in one statement.
ATTEMPTS = 3


def read_sequence(
    request: Request, sample: str, label_set: str, *, without_tracks: bool = False
) -> tuple[LabelState, int]:
    """(the label with its tracks, the offset that it is read at). A label of another task type has none, and no frames.

    `without_tracks` gives a state that is not complete, where they need to be read from their rows.

    Raises:
        NotFound: there is no such label.
    """
    found = find_at(request, sample, label_set, ids=[] if without_tracks else None)
    state, offset = found.state, found.head
    kind = task_type(found.task_type)
    if not state.exists:
        raise NotFound
    if isinstance(kind, SequenceTask) and is_verbatim(state):
        state = kind.opened(state)[0]
        state.complete = True
    return state, offset


def shown(state: LabelState, track: Track) -> JSON:
    """A track: where it is there, and what was set."""
    line = Timeline.of(track)
    count = clock_of(skeleton_of(state), track["sensor"]).frames
    steps: list[JSON] = []
    for frame in line.keyframes():
        attributes = line.entries[frame].get("attributes")
        if not steps or steps[-1]["attributes"] != attributes:
            steps.append({"frame": frame, "attributes": attributes})
    return {
        "track": track["uuid"],
        "track_id": track["track_id"],
        "sensor": track["sensor"],
        "category_id": track["category_id"],
        "order": track["order"],
        "frames": count,
        "presence": line.presence(count),
        "keyframes": line.keyframes(),
        "remove_keyframes": line.remove_keyframes(),
        "kept": list(line.kept),
        "attributes": steps,
        "merged": track.get("lineage", []),
    }


class TracksView(View):
    """The tracks of a label of a sequence."""

    @documented("label_tracks", "read", {200: Reply(listed(schemas.TRACK), (ETAG, DATASET_OFFSET))}, parameters=(AT,))
    def get(self, request: Request, sample: str, label_set: str) -> Answer:
        """All tracks, from bottom to top: when each is there, its keyframes and remove-keyframes, its attributes."""
        state, offset = read_sequence(request, sample, label_set)
        return answer([shown(state, track) for track in in_order(state)], headers=headers_of(state, offset))


class FramesView(View):
    """The frames of a label of a sequence."""

    @documented(
        "label_frames",
        "read",
        {200: Reply(listed(schemas.SHOWN_FRAME), (ETAG, DATASET_OFFSET))},
        parameters=(schemas.FROM, schemas.TO, schemas.KEYFRAMES, schemas.SENSOR, AT),
    )
    def get(self, request: Request, sample: str, label_set: str) -> Answer:
        """A window of frames with every object in it, or only the keyframes."""
        start, end = number_of(request, "from", 0), number_of(request, "to", 1 << 53)
        only = request.query_params.get("keyframes", "")
        if only not in ("", "only"):
            raise InvalidValue("keyframes", "must be only, or be left out")
        if only:
            state, offset = read_sequence(request, sample, label_set)
            found = keyframes_of(state, self._sensor(request, state), start, end)
            return answer(found, headers=headers_of(state, offset))
        state, offset, sensor, lines = self._lines(request, sample, label_set, start, end)
        heads = frames_of(skeleton_of(state), sensor)[start:end]
        return streamed(frame_texts(heads, lines, start), headers=headers_of(state, offset))

    def _lines(
        self, request: Request, sample: str, label_set: str, start: int, end: int
    ) -> tuple[LabelState, int, int | None, list[Line]]:
        """(the label, the offset that it is read at, the sensor, its tracks there)."""
        for _ in range(ATTEMPTS if at_of(request) is None else 0):
            state, offset = read_sequence(request, sample, label_set, without_tracks=True)
            sensor = self._sensor(request, state)
            if state.complete:
                return state, offset, sensor, lines_of_state(state, sensor, start, end)
            lines = lines_of_label(state, sensor, start, end)
            if lines is not None:
                return state, offset, sensor, lines
        state, offset = read_sequence(request, sample, label_set)
        sensor = self._sensor(request, state)
        return state, offset, sensor, lines_of_state(state, sensor, start, end)

    def _sensor(self, request: Request, state: LabelState) -> int | None:
        sensor = number_of(request, "sensor", -1)  # also where there is only one, so that nonsense is told there too
        sensors = sensors_of(skeleton_of(state))
        if sensors == [None]:
            return None
        if sensor not in sensors:
            raise InvalidValue("sensor", "must be the place of a sensor with tracks in the list of sensors")
        return sensor


def keyframes_of(state: LabelState, sensor: int | None, start: int, end: int) -> list[JSON]:
    """The frames of a window that hold a keyframe, with those objects alone."""
    skeleton = skeleton_of(state)
    heads, clock = frames_of(skeleton, sensor), clock_of(skeleton, sensor)
    lists: dict[int, list[JSON]] = {}
    for track in in_order(state):
        if track["sensor"] != sensor:
            continue
        line = Timeline.of(track)
        for frame in line.keyframes():
            if start <= frame < min(end, clock.frames):
                there = line.at(frame, clock)
                assert there is not None, "an object is there at its keyframes"
                lists.setdefault(frame, []).append(annotation(track, there))
    return [{"frame": frame} | heads[frame] | {"annotations": lists[frame]} for frame in sorted(lists)]


class InterpolateView(View):
    """What would lie between keyframes; nothing is saved."""

    most_bytes = LABEL_BYTES
    writes = "read"

    @documented(
        "interpolate", "account", {200: Reply(schemas.INTERPOLATED)}, body=schemas.INTERPOLATE, refusals=("too_large",)
    )
    def post(self, request: Request) -> Answer:
        """Fill the frames between keyframes; nothing is saved."""
        return answer(filled(body_of(request)))
