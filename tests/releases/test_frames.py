"""A release of a sequence stays what it was when frames of its sample come, go and move."""

from __future__ import annotations

import json
from typing import Any

from labeling.log.event import Intent
from releases.models import Release
from sequences.commands import change_frames
from tests.releases.conftest import written
from tests.sequences.rules.test_documents import box
from tests.sequences.rules.test_documents import frames as document

JSON = dict[str, Any]


def frames_in(data: bytes) -> tuple[list[str], list[list[float]]]:
    """The pictures of the sample's frames in a release's file, and the left edges of what lies in each."""
    (sample,) = json.loads(data)["dataset"]["samples"]
    pictures = [frame["image"]["url"].rsplit("/", 1)[-1] for frame in sample["attributes"]["frames"]]
    shown = sample["labels"]["ground-truth"]["attributes"]["frames"]
    return pictures, [[item["points"][0][0] for item in frame["annotations"]] for frame in shown]


def test_a_release_of_an_earlier_offset_is_the_same_bytes_and_a_later_one_has_the_new_frames(
    dataset: Any, sample: Any, person: Any, label: Any, release: Any
) -> None:
    ana = person("ana")
    street = dataset(ana, "image-vector-sequence")
    pictures = [{"image": {"url": f"https://example.org/{n}.png"}} for n in range(4)]
    walk = sample(street, ana, attributes={"frames": pictures})
    label(walk, ana, document(box(0, keyframe=True), box(10), box(20), box(30, keyframe=True)))
    before = release(street, ana, "before")
    edits: list[JSON] = [
        {"op": "remove", "frame": 0},
        {"op": "move", "frame": 2, "to": 0},
        {"op": "append", "frames": [{"image": {"url": "https://example.org/new.png"}}]},
    ]
    change_frames(intent=Intent(author=ana.id), sample=walk, edits=edits)
    after = release(street, ana, "after")

    assert written(Release.objects.get(name="before"))[1] == before.data
    assert frames_in(before.data) == (["0.png", "1.png", "2.png", "3.png"], [[0], [10], [20], [30]])
    assert frames_in(after.data) == (["3.png", "1.png", "2.png", "new.png"], [[30], [10], [20], [20]])
