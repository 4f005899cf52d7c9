"""Shows what keyframes are: how few are set by hand, which frames one of them moves, and a picture of all frames."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from config.demo.bunny import CATEGORIES, tracks
from config.demo.console import Console
from config.demo.datasets import Json
from config.demo.editing import send_edits
from config.demo.loading import Loaded
from config.demo.server import DemoFailed, Server
from config.demo.sheet import contact_sheet

#: The keyframe of the rabbit that moves to and fro, one step a run: he stands still there, and either frame is right.
RABBIT, FRAME, OTHER_FRAME = 1, 20, 21


def show_keyframes(console: Console, ana: Server, bunny: Loaded, exports: Path) -> None:
    """Tell what was set by hand and what was computed, move a keyframe, and leave a contact sheet in `exports`.

    Raises DemoFailed when other frames changed than those between the keyframe's neighbours."""
    (sample,) = bunny.dataset.samples
    label = bunny.label_path(sample.name)
    console.heading("Keyframes are set by hand, and what lies between them is computed")
    for track, known in zip(ana.call("GET", f"{label}tracks/").json, tracks(), strict=False):
        shown = sum(end - start for start, end in track["presence"])
        gaps = [range(gone, back) for (_, gone), (back, _) in pairwise(track["presence"])]
        away = ", ".join(f"{gap[0]} to {gap[-1]}" if len(gap) > 1 else f"{gap[0]}" for gap in gaps)
        keyframes = len(track["keyframes"])
        frames = "frame " if shown - keyframes == 1 else "frames"
        said = f"{keyframes:>2} keyframes, {shown - keyframes:>2} {frames} computed"
        console.row(known["name"], f"{said}{', hidden at ' + away if away else ''}")
    before = ana.call("GET", f"{label}frames/").json
    line = next(track for track in ana.call("GET", f"{label}tracks/").json if track["track_id"] == RABBIT)
    frame, to = (FRAME, OTHER_FRAME) if FRAME in line["keyframes"] else (OTHER_FRAME, FRAME)
    seen = ana.call("GET", label)
    edit = {"op": "move_keyframe", "track": RABBIT, "frame": frame, "to": to}
    answer = send_edits(ana, label, seen.version, [edit], "demo: a keyframe later or earlier")
    if answer.status != 200:
        raise DemoFailed(f"the move of a keyframe was refused: {answer.detail}")
    after = ana.call("GET", f"{label}frames/").json
    changed = [number for number, (one, two) in enumerate(zip(before, after, strict=True)) if one != two]
    low = max((key for key in line["keyframes"] if key < min(frame, to)), default=0)
    high = min((key for key in line["keyframes"] if key > max(frame, to)), default=len(after))
    if not changed or changed[0] <= low or changed[-1] >= high:
        raise DemoFailed(f"a keyframe between {low} and {high} moved, and the frames {changed} changed")
    mark = console.styled("✓", "green")
    console.row("ana", f"moves the rabbit's keyframe from frame {frame} to {to}: one event {mark}")
    rest = len(after) - len(changed)
    console.row("", f"frames {changed[0]} to {changed[-1]} are computed anew, the other {rest} are as they were")
    colours = dict(enumerate(CATEGORIES.values(), start=1))
    path = exports / "ana-bunny-frames.jpg"
    contact_sheet([picture.data for picture in sample.pictures], [drawn(item) for item in after], colours, path)
    console.row("contact sheet", str(path))


def drawn(frame: Json) -> list[Json]:
    """The objects of a frame: outlines over boxes, and the ears over both."""
    items: list[Json] = frame["annotations"]
    return sorted(items, key=lambda item: (item["type"] != "bbox", item["track_id"]))
