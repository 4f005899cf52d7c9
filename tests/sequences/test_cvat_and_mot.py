"""Independent oracles: the video of CVAT and the sequence of MOT among Datumaro's fixtures, read by a few lines of this
file (not by our codecs), labeled through the edits endpoint's command, and rendered back to what the files say."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.sequences.conftest import Desk

JSON = dict[str, Any]
DATA = Path(__file__).parents[1] / "data" / "datumaro"
CVAT = DATA / "cvat_dataset" / "for_video" / "annotations.xml"
MOT = DATA / "mot_dataset" / "mot_seq"
#: The fixture's video is every third frame from the tenth on.
FIRST, STEP = 10, 3


def shape_of(element: Any) -> JSON:
    """An element of CVAT's: its type, and its points."""
    if element.tag == "box":
        x0, y0, x1, y1 = (float(element.get(key)) for key in ("xtl", "ytl", "xbr", "ybr"))
        return {"type": "bbox", "points": [[x0, y0], [x1, y1]]}
    points = [[float(number) for number in pair.split(",")] for pair in element.get("points").split(";")]
    if element.tag == "points":
        named = [{"name": str(place), "x": x, "y": y, "visibility": 2} for place, (x, y) in enumerate(points)]
        return {"geometry": {"type": "skeleton", "points": named}}
    return {"type": element.tag, "points": points}


def edits_of_cvat(root: Any) -> list[JSON]:
    """The edits that set what the file says: a keyframe, or where it is `outside` a remove-keyframe."""
    edits: list[JSON] = []
    for track in root.iter("track"):
        number, begun, gone = int(track.get("id")) + 1, False, False
        for element in track:
            frame = (int(element.get("frame")) - FIRST) // STEP
            if element.get("outside") == "1":
                if not gone:
                    edits.append({"op": "set_remove_keyframe", "track": number, "frame": frame})
                gone = True
                continue
            attributes = {item.get("name"): item.text for item in element.iter("attribute")}
            edit = {"op": "set_keyframe", "track": number} if begun else {"op": "add_track", "track_id": number}
            more = {"attributes": attributes} if attributes else {}
            edits.append(edit | shape_of(element) | {"frame": frame} | more)
            begun, gone = True, False
    return edits


def test_the_video_of_cvat_is_rendered_back(make_desk: Any) -> None:
    root = ElementTree.parse(CVAT).getroot()
    desk: Desk = make_desk(frames=int(root.findtext("meta/task/size") or 0))
    desk.edit(*edits_of_cvat(root))
    shown = {
        (item["track_id"] - 1, frame): item
        for frame, content in enumerate(desk.document["frames"])
        for item in content["annotations"]
    }
    said = 0
    for track in root.iter("track"):
        for element in track:
            key = (int(track.get("id") or 0), (int(element.get("frame") or 0) - FIRST) // STEP)
            item = shown.pop(key, None)
            if element.get("outside") == "1":
                assert item is None, "what is outside is not there"
                continue
            wanted = shape_of(element)
            assert item is not None and item["is_keyframe"]
            assert {key: item[key] for key in wanted} == wanted
            assert item.get("attributes", {}) == {one.get("name"): one.text for one in element.iter("attribute")}
            said += 1
    assert said == 3 and shown == {}, "each track of the fixture is there at one frame, and at no other"


def rows_of(text: str) -> list[list[float]]:
    return [[float(number) for number in line.split(",")] for line in text.splitlines() if line]


@pytest.mark.parametrize(
    "text",
    [
        (MOT / "gt" / "gt.txt").read_text(),
        # Two pedestrians of whom one is away for a frame, as the challenge's own files have them.
        "1,2,10,10,5,9,1,1,1\n2,2,12,10,5,9,1,1,1\n3,2,14,10,5,9,1,1,1\n1,3,0,0,4,4,1,1,1\n3,3,8,0,4,4,1,1,1\n",
    ],
    ids=["the fixture", "two pedestrians"],
)
def test_a_sequence_of_mot_is_rendered_back(make_desk: Any, text: str) -> None:
    """A row is frame (from 1), track, left, top, width, height, whether it counts, class, visibility."""
    rows = rows_of(text)
    frames: list[JSON] = [{"annotations": []} for _ in range(3)]
    for frame, track, left, top, width, height, _, category, _ in rows:
        number = int(track) if track >= 0 else 99
        box = [[left, top], [left + width, top + height]]
        frames[max(int(frame), 1) - 1]["annotations"].append(
            {"id": number, "track_id": number, "category_id": int(category), "type": "bbox", "points": box,
             "is_keyframe": True}
        )  # fmt: skip
    desk: Desk = make_desk(frames=3)
    desk.save({"frames": frames})
    found = []
    for frame, content in enumerate(desk.document["frames"], 1):
        for item in content["annotations"]:
            (x0, y0), (x1, y1) = item["points"]
            found.append([frame, item["track_id"], x0, y0, x1 - x0, y1 - y0, item["category_id"]])
    wanted = [[frame, track if track >= 0 else 99, *rest[:4], rest[5]] for frame, track, *rest in rows]
    assert sorted(found) == sorted(wanted)
