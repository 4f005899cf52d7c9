"""The rabbit comes out of his den: 33 frames, and the keyframes that were set on them by hand.

`data/bunny/keyframes.json` has a track a time: its name, its category, its geometry at each keyframe in pixels, and the
frames from which on it is gone: an ear behind his head, a stone behind his arm. What lies between is not in the file.
"""

from __future__ import annotations

import json

from config.demo.datasets import DATA, Dataset, Json, Picture, Sample

#: The categories, numbered in this order.
CATEGORIES = {"rabbit": (255, 0, 144), "ear": (0, 176, 255), "stone": (255, 190, 0)}
FIRST_UPRIGHT_FRAME = 10
LICENCE = "(c) 2008 Blender Foundation, bigbuckbunny.org"


def bunny() -> Dataset:
    """The frames, and the edits that set the keyframes."""
    frames = sorted((DATA / "bunny").glob("*.jpg"))
    pose = {"name": "pose", "input_type": "select", "values": ["stooping", "upright"]}
    categories: list[Json] = [
        {"name": name, "id": number, "color": list(colour), "has_instances": True}
        for number, (name, colour) in enumerate(CATEGORIES.items(), start=1)
    ]
    categories[0]["attributes"] = [pose]
    return Dataset(
        name="bunny",
        task_type="image-vector-sequence",
        description="Big Buck Bunny comes out of his den, followed through 33 frames",
        category="other",
        readme=f"{LICENCE}. CC BY 3.0.",
        task_attributes={"format_version": "0.1", "categories": categories},
        samples=(
            Sample(
                "out-of-the-den",
                tuple(Picture(path.name, path.read_bytes()) for path in frames),
                edits=tuple(edits()),
                metadata={"source": LICENCE, "licence": "CC BY 3.0"},
            ),
        ),
    )


def tracks() -> list[Json]:
    """The tracks as the file has them: name, category, type, gone_from, and keyframes by frame."""
    found: list[Json] = json.loads((DATA / "bunny" / "keyframes.json").read_bytes())
    return found


def edits() -> list[Json]:
    """The edits that set all keyframes, a track after the other; its number is its place in the file."""
    numbers = {name: number for number, name in enumerate(CATEGORIES, start=1)}
    found: list[Json] = []
    for number, track in enumerate(tracks(), start=1):
        frames = {int(frame): points for frame, points in track["keyframes"].items()}
        for frame in sorted(frames):
            edit: Json = {"frame": frame, "type": track["type"], "points": frames[frame]}
            if frame == min(frames):
                edit |= {"op": "add_track", "track_id": number, "category_id": numbers[track["category"]]}
            else:
                edit |= {"op": "set_keyframe", "track": number}
            if number == 1 and frame in (min(frames), FIRST_UPRIGHT_FRAME):
                edit["attributes"] = {"pose": "upright" if frame >= FIRST_UPRIGHT_FRAME else "stooping"}
            found.append(edit)
        found += [{"op": "set_remove_keyframe", "track": number, "frame": frame} for frame in track["gone_from"]]
    return found
