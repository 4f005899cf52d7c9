"""The frames of a sample over HTTP; every answer is compared with the OpenAPI document."""

from __future__ import annotations

from typing import Any

import pytest

from tests.labeling.api.conftest import caller, make_street  # noqa: F401 - fixtures
from tests.sequences.rules.test_documents import box, frames

JSON = dict[str, Any]


@pytest.fixture
def walk(make_street: Any) -> Any:  # noqa: F811
    street = make_street("image-vector-sequence")
    pictures = [{"image": {"url": f"https://example.org/{n}.png"}, "timestamp": n} for n in range(3)]
    assert street.ana.patch(f"/samples/{street.sample}/", {"attributes": {"frames": pictures}}).status == 200
    document = frames(box(0, keyframe=True), box(10), box(20, keyframe=True))
    assert street.ana.put(f"{street.label}/", {"attributes": document}).status == 201
    street.frames = f"/samples/{street.sample}/frames/"
    return street


def change(walk: Any, *edits: JSON, by: Any = None, **headers: str) -> Any:
    return (by or walk.ana).post(walk.frames, {"edits": list(edits), "reason": "cut"}, **headers)


def test_a_frame_is_removed_with_what_was_set_there(walk):
    answer = change(walk, {"op": "remove", "frame": 0}, If_Match='"2"')
    assert answer.status == 200 and answer.headers["ETag"] == '"3"'
    assert answer.json["edits"] == [{"changed": True}]
    (label,) = answer.json["labels"]
    assert [item["frame"] for item in label["keyframes"]] == [0]
    sample = walk.ana.get(f"/samples/{walk.sample}/")
    assert sample.headers["ETag"] == '"3"'
    assert [frame["timestamp"] for frame in sample.json["attributes"]["frames"]] == [1, 2]
    (track,) = walk.ana.get(f"{walk.label}/tracks/").json
    assert (track["frames"], track["keyframes"]) == (2, [0, 1])
    assert walk.ana.get(f"{walk.label}/?at={answer.json['offset'] - 2}").json["attributes"]["frames"][2]
    told = walk.ana.get(f"{walk.label}/events/").json[-1]
    assert (told["type"], told["reason"]) == ("FramesRearranged", "cut")


def test_the_history_says_what_became_of_the_frames(walk):
    new = [{"image": {"url": "https://example.org/x.png"}}]
    for edit in (
        {"op": "append", "frames": new},
        {"op": "move", "frame": 0, "to": 3},
        {"op": "set_timestamp", "frame": 1, "timestamp": 7},
        {"op": "remove", "frame": 1, "count": 2},
    ):
        assert change(walk, edit).status == 200
    name = walk.ana.person.username
    told = [item["sentence"].removeprefix(f"{name} ") for item in walk.ana.get(f"/samples/{walk.sample}/history/").json]
    along = "let the label go along with the frames of its sample"
    assert told[-8:] == [
        "added 1 frame at 3", f"{along}: 1 new",
        "moved frame 0 to 3", f"{along}: some moved",
        "set the time of frame 1", along,
        "removed 2 frames from 1 on", f"{along}: 2 gone",
    ]  # fmt: skip


def test_what_others_changed_since_is_refused_with_where_to_read_it(walk):
    assert change(walk, {"op": "move", "frame": 0, "to": 2}, If_Match='"2"').status == 200
    answer = change(walk, {"op": "remove", "frame": 0}, If_Match='"2"')
    assert (answer.status, answer.json["code"], answer.json["touched"]) == (409, "conflict", ["frames"])
    missed = walk.ana.get(answer.json["missed"]).json
    assert [item["type"] for item in missed] == ["SampleFrameMoved", "FramesRearranged"]
    assert change(walk, {"op": "remove", "frame": 0}, If_Match='"99"').status == 412


def test_a_retry_gets_the_first_answer(walk):
    edit = {"op": "insert", "frame": 1, "frames": [{"image": {"url": "https://example.org/x.png"}}]}
    first, again = (change(walk, edit, Idempotency_Key="k-1") for _ in range(2))
    assert first.json == again.json and first.status == 200
    assert change(walk, {"op": "remove", "frame": 0}, Idempotency_Key="k-1").status == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "edits"),
        ({"edits": []}, "edits"),
        ({"edits": [{"op": "remove", "frame": 3}]}, "edits[0].frame"),
        ({"edits": [{"op": "append", "frames": [{}]}]}, "edits[0].frames[0].image"),
        ({"edits": [{"op": "remove", "frame": 0}], "why": 1}, "body"),
    ],
)
def test_what_does_not_fit_is_told_by_its_field(walk, body, field):
    answer = walk.ana.post(walk.frames, body)
    assert (answer.status, answer.json["field"]) == (400, field)


def test_the_protocol_points_at_the_command(walk):
    now = walk.ana.get(f"/samples/{walk.sample}/").json["attributes"]["frames"]
    answer = walk.ana.patch(f"/samples/{walk.sample}/", {"attributes": {"frames": now[1:]}})
    assert (answer.status, answer.json["code"]) == (409, "refused") and "/frames/" in answer.detail
