"""Before and after of a label as two drawings of one size: the picture, its objects, and what changed of them on top.

All coordinates are pixels of the picture. Pixels of bitmaps are drawn as outlines, as fine as a page shows them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap, Ids
from labeling.geometry.contours import parts_of_mask
from labeling.rules.label_state import LabelState
from releases.comparing.overlaps import Read
from releases.formats import outlines
from sequences.rules.skeletons import clock_of, frames_of, skeleton_of
from sequences.rules.timeline import Timeline
from sequences.rules.track_state import tracks_of

JSON = dict[str, Any]
Box = tuple[float, float, float, float]

#: What one drawing holds: objects that did not change are left out behind it.
MOST_POINTS = 40_000
MOST_TAGS = 14
#: A bitmap's outline is as fine as in a picture of so many pixels.
FINE_PX = 900
#: A drawing shows what changed with so much around it, and never less than this share of the picture.
AROUND, LEAST_SHARE = 0.35, 0.34
#: Where what changed covers more than this share of a side, the whole picture is shown.
MOST_SHARE = 0.72
#: From this intersection over union on, a changed object is drawn in thin lines.
SLIGHT = 0.9
#: Frames of a sequence that are drawn.
MOST_FRAMES = 3


@dataclass(slots=True)
class Seen:
    """One object in one picture: its outline as an SVG path, its points, and the box around them."""

    key: str
    number: Any
    category: int | None
    path: str = ""
    dots: list[tuple[str, str]] = field(default_factory=list)
    box: Box | None = None
    is_line: bool = False
    points: int = 0


def pair(
    sides: tuple[LabelState, LabelState],
    changes: Iterable[JSON],
    *,
    frame: int | None,
    size_wh: tuple[int, int] | None,
    read: Read,
    colour_of: Callable[[Any], Any],
    whole: bool = False,
) -> JSON | None:
    """{before, after, view, width, height, font}: two drawings; None where nothing that changed can be drawn."""
    before, after = (list(seen(state, frame, read)) for state in sides)
    changes = list(changes)
    ways, slight = _ways(changes), _slight(changes)
    if frame is not None:
        _quieten(ways, before, after, changes, frame)
    boxes = [item.box for n, items in enumerate((before, after)) for item in items if item.box and item.key in ways[n]]
    if not boxes:
        return None
    size_wh = size_wh or _extent(item.box for item in (*before, *after) if item.box)
    view = (0.0, 0.0, float(size_wh[0]), float(size_wh[1])) if whole else zoomed(boxes, size_wh)
    olds = {ways[0][item.key][1]: item for item in before if ways[0].get(item.key, ("", ""))[0] == "changed"}
    sides_drawn = []
    for n, items in enumerate((before, after)):
        told = [item for item in items if item.key in ways[n]]
        shapes = [_shape(item, "same", colour_of) for item in _few(items, told)]
        if n:
            shapes += [_shape(olds[item.key], "ghost", colour_of) for item in told if item.key in olds]
        drawn = [_shape(item, ways[n][item.key][0], colour_of) | {"slight": item.key in slight} for item in told]
        shapes += sorted(drawn, key=lambda shape: not shape["slight"])
        font = view[2] / 30
        tags = [
            {"x": _n(max(item.box[0], view[0])), "y": _n(max(item.box[1] - font / 3, view[1] + font)),
             "text": str(item.number), "way": ways[n][item.key][0]}
            for item in told[:MOST_TAGS]
            if item.box
        ]  # fmt: skip
        sides_drawn.append({"shapes": shapes, "tags": tags, "objects": len(items)})
    return {
        "before": sides_drawn[0],
        "after": sides_drawn[1],
        "view": " ".join(_n(number) for number in view),
        "aspect": (_n(view[2]), _n(view[3])),
        "width": size_wh[0],
        "height": size_wh[1],
        "font": _n(view[2] / 30),
        "zoom": None if view[2] >= size_wh[0] - 1 else _n(size_wh[0] / view[2]),
    }


def _ways(changes: Iterable[JSON]) -> tuple[dict[str, tuple[str, str]], dict[str, tuple[str, str]]]:
    """Of the first side, and of the second: {object: (removed, added or changed, its name on the other side)}."""
    ones: dict[str, tuple[str, str]] = {}
    others: dict[str, tuple[str, str]] = {}
    for change in changes:
        key = change["what"].partition(":")[2]
        if not key:
            continue
        there = change.get("match", {}).get("uuid", key)
        if change["change"] != "added":
            ones[key] = (change["change"], there)
        if change["change"] != "removed":
            others[there] = (change["change"], key)
    return ones, others


def _quieten(ways: Any, before: list[Seen], after: list[Seen], changes: list[JSON], frame: int) -> None:
    """Take away the tracks that look at this frame as they did, and of which nothing was changed there."""
    looks = {item.key: item.path for item in before}
    paths = {item.key: item.path for item in after}
    for change in changes:
        key = change["what"].partition(":")[2]
        there = change.get("match", {}).get("uuid", key)
        told = frame in changed_frames(change) or {"number", "category"} & {*change["kinds"]}
        if change["change"] == "changed" and not told and looks.get(key) == paths.get(there):
            ways[0].pop(key, None)
            ways[1].pop(there, None)


def _slight(changes: Iterable[JSON]) -> set[str]:
    """The objects that look nearly as before, by their names on both sides: they must not hide what does not."""
    keys = [
        {change["what"].partition(":")[2], change.get("match", {}).get("uuid", "")}
        for change in changes
        if change.get("geometry", {}).get("iou", 0) >= SLIGHT
    ]
    return set().union(*keys) - {""}


def zoomed(boxes: Iterable[Box], size_wh: tuple[int, int]) -> Box:
    """(x, y, w, h) of what is shown: around the boxes, with the proportions of the picture, and within it."""
    corners = np.array(list(boxes), np.float64)
    (x0, y0), (x1, y1) = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
    width, height = size_wh
    x0, y0, x1, y1 = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
    share = max((x1 - x0) * (1 + AROUND) / width, (y1 - y0) * (1 + AROUND) / height, LEAST_SHARE)
    if share > MOST_SHARE:
        return 0.0, 0.0, float(width), float(height)
    w, h = width * share, height * share
    x = min(max((x0 + x1 - w) / 2, 0.0), width - w)
    y = min(max((y0 + y1 - h) / 2, 0.0), height - h)
    return x, y, w, h


def _extent(boxes: Iterable[Box]) -> tuple[int, int]:
    corners = np.array(list(boxes), np.float64)
    w, h = (int(max(16, min(side, 65_535))) for side in np.ceil(corners[:, 2:].max(axis=0) * 1.05))
    return w, h


def _few(items: list[Seen], told: list[Seen]) -> Iterator[Seen]:
    """The objects that did not change, until there are too many points."""
    keys = {item.key for item in told}
    left = MOST_POINTS
    for item in items:
        left -= item.points
        if item.key not in keys and left > 0:
            yield item


def _shape(item: Seen, way: str, colour_of: Callable[[Any], Any]) -> JSON:
    colour = "#{:02x}{:02x}{:02x}".format(*colour_of(item.category))
    return {"way": way, "path": item.path, "dots": item.dots, "colour": colour, "line": item.is_line}


# --- the objects of one picture ------------------------------------------------------------------------------------


def seen(state: LabelState, frame: int | None, read: Read) -> Iterator[Seen]:
    """The objects that a label shows, from bottom to top; of a sequence at one frame."""
    if frame is None:
        ids = _ids(state.mask, read, any(i["geometry"]["type"] == "mask" for i in state.annotations.values()))
        for item in state.in_order():
            yield _seen(item["uuid"], item["id"], item["category_id"], item["geometry"], ids, item["id"])
        return
    skeleton = skeleton_of(state)
    for track in sorted(tracks_of(state).values(), key=lambda track: (track["order"], track["track_id"])):
        shown = Timeline.of(track).at(frame, clock_of(skeleton, track["sensor"]))
        if shown is None:
            continue
        frames = frames_of(skeleton, track["sensor"])
        mask = frames[frame].get("segmentation_bitmap") if frame < len(frames) else None
        ids = _ids(mask, read, shown.geometry["type"] == "mask")
        number: Any = (track | shown.entry).get("object_id", track["track_id"])
        category = shown.entry.get("category_id", track["category_id"])
        yield _seen(track["uuid"], track["track_id"], category, shown.geometry, ids, number)


def _ids(mask: JSON | None, read: Read, wanted: bool) -> Ids | None:
    return read(mask) if wanted and mask and mask.get("url") else None


def _seen(key: str, number: Any, category: int | None, geometry: JSON, ids: Ids | None, drawn: int) -> Seen:
    found = Seen(key, number, category)
    kind = geometry.get("type")
    if kind == "mask":
        return found if ids is None else _of_pixels(found, ids == drawn)
    if kind == "bitmap":
        try:
            return _of_pixels(found, rle.decode(geometry["rle"], max_pixels=rle.MAX_PIXELS))
        except BadBitmap:
            return found
    if kind in ("point", "skeleton"):
        points = outlines.vertices_of(geometry)
        found.dots = [(_n(x), _n(y)) for x, y, *_ in points]
        found.box = _around([points])
        return found
    if kind == "polyline":
        rings = [list(line) for line in geometry["parts"] if len(line) > 1]
        found.path, found.is_line = "".join(_path(ring, closed=False) for ring in rings), True
    else:
        rings = [ring for part in outlines.parts_with_rings(geometry) for ring in part if len(ring) > 1]
        found.path = "".join(_path(ring) for ring in rings)
    found.points = sum(map(len, rings))
    found.box = _around(rings)
    return found


def _of_pixels(found: Seen, mask: Any) -> Seen:
    step = max(1, -(-max(mask.shape) // FINE_PX))
    parts = parts_of_mask(np.ascontiguousarray(mask[::step, ::step]))
    rings = [(ring * step).tolist() for part in parts for ring in part]
    found.path = "".join(_path(ring) for ring in rings)
    found.points = sum(map(len, rings))
    found.box = _around(rings)
    return found


def _around(rings: Iterable[Any]) -> Box | None:
    points = [point for ring in rings for point in ring]
    if not points or not np.isfinite(np.array(points, np.float64)).all():
        return None
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    return min(xs), min(ys), max(xs), max(ys)


def _path(ring: Iterable[Any], *, closed: bool = True) -> str:
    text = "L".join(f"{_n(point[0])} {_n(point[1])}" for point in ring)
    return f"M{text}{'Z' if closed else ''}"


def _n(number: float) -> str:
    """A coordinate as SVG has it, to a tenth of a pixel."""
    return f"{number:.1f}".removesuffix(".0")


# --- which frames --------------------------------------------------------------------------------------------------


def frames_to_show(changes: Iterable[JSON]) -> list[int]:
    """The few frames that together show the most changes, in their order."""
    left = [set(frames) for change in changes if (frames := changed_frames(change))]
    found: list[int] = []
    while left and len(found) < MOST_FRAMES:
        counts = Counter(frame for frames in left for frame in frames)
        found.append(min(counts, key=lambda frame: (-counts[frame], frame)))
        left = [frames for frames in left if found[-1] not in frames]
    return sorted(found)


def changed_frames(change: JSON) -> list[int]:
    """The frames at which something of a track was set, cleared or set otherwise."""
    keyframes: Mapping[str, Any] = change.get("keyframes", {})
    listed = [frame for name in ("added", "removed", "leaves", "stays") for frame in keyframes.get(name, ())]
    listed += [item["frame"] for item in keyframes.get("changed", ())]
    whole: JSON = {} if change["change"] == "changed" else change["after"] or change["before"]
    there = [int(frame) for frame, entry in whole.get("entries", {}).items() if not entry.get("absent")]
    return sorted({*listed, *there[:1]})
