"""Blame: which event made each part of a label what it is, and what that came from."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.labels import find_at, headers_of
from labeling.api.requests import number_of, uuid_of
from labeling.api.schemas.blame import BLAME
from labeling.api.schemas.forms import WHOLE
from labeling.api.schemas.parameters import AT, DATASET_OFFSET, ETAG, query
from labeling.api.views import Answer, View
from labeling.commands.assets import MaskFiles
from labeling.errors import InvalidValue, NotFound
from labeling.log import store
from labeling.queries.blame import pixel_causes
from labeling.queries.history import Historian, entries
from labeling.rules.blame import Blame, blame_of
from labeling.rules.label_state import LabelState
from labeling.rules.reversal import piece_of

JSON = dict[str, Any]

#: How many earlier events are named of one thing.
MOST_ANCESTORS = 20
#: Which parts of an entry of the history say who it was.
SAID = ("offset", "recorded_at", "author", "author_kind", "tool", "type", "sentence", "reason", "event_id")


class BlameView(View):
    """Who made a label what it is."""

    @documented(
        "label_blame",
        "history",
        {200: Reply(BLAME, (ETAG, DATASET_OFFSET))},
        parameters=(
            AT,
            query("object", "The uuid of an object: only that.", example="0b0a4a6a-6b7e-4f0e-9a50-2d0f3a4b5c6d"),
            query("x", "With y: the pixel of the label's bitmap that is asked about.", WHOLE | {"minimum": 0}, 10),
            query("y", "With x.", WHOLE | {"minimum": 0}, 20),
        ),
    )
    def get(self, request: Request, sample: str, label_set: str) -> Answer:
        """For each object the event that made each field, attribute, link, vertex and keyframe what it is, and those
        before; for a pixel of the bitmap the event that painted it. What was undone belongs to who did it first."""
        found = find_at(request, sample, label_set, "history", ids=[])
        offset = found.head
        named = request.query_params.get("object")
        key = uuid_of(named) if named else None
        if named and key is None:
            raise InvalidValue("object", "must be the uuid of an object")
        events = list(store.read_stream(found.dataset, found.state.stream, up_to=offset))
        state, blames = blame_of(found.dataset, found.state.stream, events, only=str(key) if key else None)
        if not state.exists or (key is not None and not blames):
            raise NotFound
        pixel = None
        wanted: set[int] = set()
        if "x" in request.query_params or "y" in request.query_params:
            x, y = (number_of(request, name, -1) for name in ("x", "y"))
            if x < 0 or y < 0:
                raise InvalidValue("x" if x < 0 else "y", "is required with the other one")
            pixel, named_events = self._pixel(state, events, x, y)
            wanted |= named_events
            blames = {name: blame for name, blame in blames.items() if key is not None}
        objects = [_object(state, blame, wanted) for _, blame in sorted(blames.items())]
        chosen = [event for event in events if event.offset in wanted]
        told = entries(found.dataset, Historian(found.dataset).told(chosen))
        done = {
            "version": state.version,
            "offset": offset,
            "objects": objects,
            "pixel": pixel,
            "events": [{name: entry[name] for name in SAID} for entry in told],
        }
        return answer(done, headers=headers_of(state, offset))

    def _pixel(self, state: LabelState, events: Any, x: int, y: int) -> tuple[JSON, set[int]]:
        mask = state.mask
        if not mask or not mask.get("hash"):
            raise InvalidValue("x", "asks for a pixel, and the label has no bitmap of ours")
        if x >= mask["width"] or y >= mask["height"]:
            raise InvalidValue("x" if x >= mask["width"] else "y", "is outside of the label's bitmap")
        files = MaskFiles(self.person)

        def id_at(known: JSON | None) -> int:
            if not known or not known.get("hash") or x >= known["width"] or y >= known["height"]:
                return 0
            return int(files.read(known)[y, x])

        number, causes, restored = pixel_causes(events, x, y, id_at)
        item = next((item for item in state.annotations.values() if item["id"] == number), None)
        offsets = [event.offset or 0 for event in causes[: MOST_ANCESTORS + 1]]
        put_back = restored.offset if restored is not None else None
        wanted = {*offsets, *([put_back] if put_back else [])}
        return {
            "x": x,
            "y": y,
            "id": number,
            "object": item["uuid"] if item else None,
            "offset": offsets[0] if offsets else None,
            "restored": put_back,
            "before": offsets[1:],
        }, wanted


def _object(state: LabelState, blame: Blame, wanted: set[int]) -> JSON:
    item = piece_of(state, blame.kind, blame.key) or {}
    parts = []
    for path, step in blame.now():
        ancestors = blame.ancestors(path)[:MOST_ANCESTORS]
        part: JSON = {"path": list(path), "offset": step.cause.offset, "restored": step.cause.restored,
                      "before": ancestors}  # fmt: skip
        wanted |= {step.cause.offset, *ancestors, *([step.cause.restored] if step.cause.restored else [])}
        if step.vertices:
            part["vertices"] = [[cause.offset for cause in ring] for ring in step.vertices]
            wanted |= {cause.offset for ring in step.vertices for cause in ring}
        parts.append(part)
    wanted.add(blame.begun)
    return {
        "what": f"{blame.kind}:{blame.key}",
        "id": item.get("id", item.get("track_id")),
        "begun": blame.begun,
        "origin": item.get("origin"),
        "parts": parts,
    }
