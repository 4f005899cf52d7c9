"""Tracks and frames over HTTP; every answer is compared with the OpenAPI document."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.api.schemas.edits import OPERATIONS as LABELINGS_EDITS
from sequences.api.schemas import ALL, TRACK_EDITS
from sequences.rules.edits import TRACK_OPERATIONS
from sequences.rules.track_state import TRACKS
from tests.labeling.api.conftest import caller, make_street  # noqa: F401 - fixtures
from tests.sequences.rules.test_documents import box, frames
from tests.sequences.support import bbox
from tests.support.masks import picture, upload

JSON = dict[str, Any]

WALK = frames(
    box(0, keyframe=True), box(1), [box(2), box(5, 2)], [box(3, keyframe=True), box(5, 2)], box(3), format_version="0.2"
)


@pytest.fixture
def walk(make_street: Any) -> Any:  # noqa: F811
    street = make_street("image-vector-sequence")
    assert street.ana.put(f"{street.label}/", {"attributes": WALK}).status == 201
    return street


def test_the_documented_track_edits_are_those_that_there_are():
    documented = {op: {*required, *optional} for op, (required, optional, _) in TRACK_EDITS.items()}
    assert documented.keys() | {"set_score", "set_status"} == TRACK_OPERATIONS.keys()
    for op, fields in documented.items():
        sensor = set() if op == "set_interpolation" else {"sensor"}
        assert fields | sensor == set(TRACK_OPERATIONS[op][1]), op
    assert not documented.keys() & LABELINGS_EDITS.keys()
    assert TRACKS.of_all == {*ALL}


def test_tracks_say_when_each_is_there_and_what_was_set(walk):
    answer = walk.ben.get(f"{walk.label}/tracks/")
    assert answer.status == 200 and answer.headers["ETag"] == '"2"'
    one, two = answer.json
    assert (one["track_id"], one["presence"], one["keyframes"], one["remove_keyframes"]) == (1, [[0, 5]], [0, 3], [])
    assert (two["track_id"], two["presence"], two["keyframes"], two["remove_keyframes"]) == (2, [[2, 4]], [2], [4])
    assert (one["frames"], one["kept"], one["merged"], one["sensor"]) == (5, [], [], None)


def test_attributes_are_told_as_steps(walk):
    walk.edit({"op": "set_keyframe_attributes", "track": 1, "frame": 2, "attributes": {"colour": "red"}})
    (one, _) = walk.ana.get(f"{walk.label}/tracks/").json
    assert one["attributes"] == [
        {"frame": 0, "attributes": None},
        {"frame": 2, "attributes": {"colour": "red"}},
        {"frame": 3, "attributes": None},
    ]


def test_frames_are_dense_in_any_window_or_only_keyframes(walk):
    whole = walk.ana.get(f"{walk.label}/frames/").json
    assert [{key: value for key, value in frame.items() if key != "frame"} for frame in whole] == WALK["frames"]
    assert [frame["frame"] for frame in whole] == [0, 1, 2, 3, 4]
    assert walk.ana.get(f"{walk.label}/frames/?from=1&to=3").json == whole[1:3]
    assert walk.ana.get(f"{walk.label}/frames/?from=4&to=99").json == whole[4:]
    assert walk.ana.get(f"{walk.label}/frames/?from=3&to=1").json == []
    only = walk.ana.get(f"{walk.label}/frames/?keyframes=only").json
    assert [(frame["frame"], [item["track_id"] for item in frame["annotations"]]) for frame in only] == [
        (0, [1]), (2, [2]), (3, [1]),
    ]  # fmt: skip
    assert walk.ana.get(f"{walk.label}/frames/?keyframes=only&from=1&to=3").json == only[1:2]


@pytest.mark.parametrize("query, field", [("from=x", "from"), ("to=-1", "to"), ("keyframes=all", "keyframes")])
def test_a_window_that_makes_no_sense_is_refused(walk, query, field):
    answer = walk.ana.get(f"{walk.label}/frames/?{query}")
    assert (answer.status, answer.json["field"]) == (400, field)


def test_a_keyframe_moves_its_frames_and_the_past_stays(walk):
    then = walk.head
    before = walk.ana.get(f"{walk.label}/frames/").json
    edit = {"op": "set_keyframe", "track": 1, "frame": 3, "type": "bbox", "points": [[30, 0], [32, 2]]}
    answer = walk.edit(edit)
    assert answer.status == 200 and answer.json["edits"][0]["track_id"] == 1
    after = walk.ana.get(f"{walk.label}/frames/").json
    assert [frame["annotations"][0]["points"][0][0] for frame in after] == [0, 10, 20, 30, 30]
    assert walk.ana.get(f"{walk.label}/frames/?at={then}").json == before
    assert walk.ana.get(f"{walk.label}/tracks/?at={then}").headers["ETag"] == '"2"'
    assert walk.ana.get(f"{walk.label}/tracks/?at=1").status == 404


def test_the_second_on_the_same_keyframe_gets_the_conflict_and_where_to_read_what_it_missed(walk):
    edit = {"op": "set_keyframe", "track": 1, "frame": 3, "type": "bbox", "points": [[30, 0], [32, 2]]}
    assert walk.edit(edit, If_Match='"2"').status == 200
    answer = walk.edit(edit | {"points": [[31, 0], [32, 2]]}, by=walk.ben, If_Match='"2"')
    assert answer.status == 409 and "after_version=2" in answer.json["missed"]
    other = {"op": "set_keyframe", "track": 2, "frame": 3, "type": "bbox", "points": [[30, 0], [32, 2]]}
    assert walk.edit(other, by=walk.ben, If_Match='"2"').json["rebased"] is True


def test_between_keyframes_the_times_of_the_frames_count_as_the_dataset_said_when_the_label_began(make_street):  # noqa: F811
    late = frames(box(0, keyframe=True), box(0), box(0), box(8, keyframe=True))
    for frame, time in zip(late["frames"], (0, 1, 6, 8), strict=True):
        frame["timestamp"] = time
    for by_time, wanted in ((True, [0, 1, 6, 8]), (False, [0, 8 / 3, 16 / 3, 8])):
        street = make_street("image-vector-sequence", use_timestamps_for_interpolation=by_time)
        street.ana.put(f"{street.label}/", {"attributes": late})
        for frame in (1, 2):  # what was uploaded other than computed is kept until somebody edits it
            street.edit(
                {"op": "set_keyframe", "track": 1, "frame": frame},
                {"op": "delete_keyframe", "track": 1, "frame": frame},
            )
        shown = street.ana.get(f"{street.label}/frames/").json
        xs = [frame["annotations"][0]["points"][0][0] for frame in shown]
        assert xs == pytest.approx(wanted, abs=1e-3)
        street.edit({"op": "set_interpolation", "by": "frames", "hold": True})
        shown = street.ana.get(f"{street.label}/frames/").json
        assert [frame["annotations"][0]["points"][0][0] for frame in shown] == [0, 0, 0, 8]
        answer = street.edit({"op": "set_interpolation", "by": "wat"})
        assert (answer.status, answer.json["field"]) == (400, "edits[0].by")


def test_a_refused_edit_says_why(walk):
    answer = walk.edit({"op": "delete_keyframe", "track": 2, "frame": 2})
    assert answer.status == 409 and "at least one keyframe" in answer.detail
    answer = walk.edit({"op": "split_track", "track": 1, "frame": 77})
    assert (answer.status, answer.json["field"]) == (400, "edits[0].frame")


def test_a_label_of_another_task_type_has_no_tracks(make_street):  # noqa: F811
    street = make_street()
    street.ana.put(f"{street.label}/", {"attributes": {"annotations": []}})
    assert street.ana.get(f"{street.label}/tracks/").json == street.ana.get(f"{street.label}/frames/").json == []
    street.ana.delete(f"{street.label}/")
    for path in ("tracks", "frames"):
        assert street.ana.get(f"{street.label}/{path}/").status == 404


def test_frames_of_several_sensors_are_asked_for_by_sensor(make_street):  # noqa: F811
    street = make_street("multisensor-sequence")
    sensors = [
        {"name": "left", "task_type": "image-vector-sequence", "attributes": WALK},
        {"name": "right", "task_type": "image-segmentation-sequence", "attributes": []},
    ]
    assert street.ana.put(f"{street.label}/", {"attributes": {"sensors": sensors}}).status == 201
    assert len(street.ana.get(f"{street.label}/frames/?sensor=0").json) == 5
    for query in ("", "?sensor=1", "?sensor=9"):
        answer = street.ana.get(f"{street.label}/frames/{query}")
        assert (answer.status, answer.json["field"]) == (400, "sensor")
    assert {track["sensor"] for track in street.ana.get(f"{street.label}/tracks/").json} == {0}


# --- previews ------------------------------------------------------------------------------------------------------


def seen(*items: tuple[Any, float]) -> JSON:
    return {"objects": [{"id": name, "geometry": bbox(x, 0, x + 2, 2), "featureHash": "f"} for name, x in items]}


def test_a_preview_fills_the_frames_between_and_saves_nothing(walk):
    head = walk.head
    body = {"key_frames": {"2": seen(("a", 0), ("b", 7)), "6": seen(("a", 8))}, "objects_to_interpolate": ["a", "gone"]}
    found = walk.ben.post("/interpolate/", body).json
    assert list(found) == ["2", "3", "4", "5", "6"]
    xs = [{item["id"]: item["geometry"]["points"][0][0] for item in found[f]["objects"]} for f in found]
    assert xs == [{"b": 7, "a": 0}, {"a": 2}, {"a": 4}, {"a": 6}, {"a": 8}]
    assert found["3"]["objects"][0]["featureHash"] == "f" and walk.head == head
    by_time = walk.ben.post("/interpolate/", body | {"times": [0, 0, 0, 3, 4, 5, 8]}).json
    assert by_time["3"]["objects"][0]["geometry"]["points"][0][0] == 3


@pytest.mark.parametrize(
    "body, status, field",
    [
        ({"key_frames": {}, "objects_to_interpolate": ["a"]}, 400, "key_frames"),
        ({"key_frames": {"0": seen(("a", 0))}, "objects_to_interpolate": []}, 400, "objects_to_interpolate"),
        ({"key_frames": {"x": seen(("a", 0))}, "objects_to_interpolate": ["a"]}, 400, "key_frames"),
        ({"key_frames": {"0": {}}, "objects_to_interpolate": ["a"]}, 400, "key_frames.0.objects"),
        ({"key_frames": {"0": {"objects": [{}]}}, "objects_to_interpolate": ["a"]}, 400, "key_frames.0.objects[0].id"),
        (
            {"key_frames": {"0": {"objects": [{"id": 1}]}}, "objects_to_interpolate": [1]},
            400,
            "key_frames.0.objects[0].geometry",
        ),
        (
            {
                "key_frames": {"0": {"objects": [{"id": 1, "type": "point", "points": [[1, 2]]}]}},
                "objects_to_interpolate": [1],
            },
            400,
            "key_frames.0.objects[0].geometry",
        ),
        ({"key_frames": {"0": seen(("a", 0), ("a", 1))}, "objects_to_interpolate": ["a"]}, 400,
         "key_frames.0.objects[1].id"),
        ({"key_frames": {"0": seen(("a", 0))}, "objects_to_interpolate": ["a"], "times": ["x"]}, 400, "times[0]"),
        ({"key_frames": {"1": seen(("a", 0))}, "objects_to_interpolate": ["a"], "times": [0]}, 400, "times"),
        ({"key_frames": {"0": seen(("a", 0))}, "objects_to_interpolate": ["a"], "x": 1}, 400, "body"),
        ({"key_frames": {"0": seen(("a", 0)), "999999": seen(("a", 0))}, "objects_to_interpolate": ["a"]}, 413, None),
    ],
)  # fmt: skip
def test_a_preview_that_does_not_fit_is_refused_by_the_name_of_its_field(walk, body, status, field):
    answer = walk.ana.post("/interpolate/", body)
    assert (answer.status, answer.json.get("field")) == (status, field)


def test_nobody_gets_a_preview_without_a_key(caller, walk):  # noqa: F811
    assert caller().post("/interpolate/", {}).status == 401


@pytest.fixture
def film(make_street: Any, sample: Any) -> Any:  # noqa: F811
    """The walk, over five pictures of 64 x 48 pixels that are here; both tracks also reach out of theirs."""
    street = make_street("image-vector-sequence")
    image = {"image": {"url": upload(street.ana.person, picture(64, 48))}}
    street.sample = sample(street.id, street.ana.person, attributes={"frames": [image] * 5})
    street.label = f"/labels/{street.sample}/ground-truth"
    assert street.ana.put(f"{street.label}/", {"attributes": WALK}).status == 201
    for track, frame in ((1, 1), (2, 2)):
        edit = {"op": "set_keyframe", "track": track, "frame": frame, "geometry": bbox(-4, -4, 4, 4)}
        assert street.ana.post(f"{street.label}/edits/", {"edits": [edit]}).status == 200
    return street


@pytest.mark.parametrize("in_bulk", [False, True])
def test_an_edit_that_names_no_track_is_of_all_that_are_stored(film, in_bulk):
    if in_bulk:
        dry = film.ben.post(f"{film.path}/shapes/", {"what": "fit", "dry_run": True}).json
        done = film.ben.post(f"{film.path}/shapes/", {"what": "fit"}).json
        assert dry["objects_changed"] == done["objects_changed"] == 2
        assert film.ben.post(f"{film.path}/shapes/", {"what": "rasterize"}).json["objects_changed"] == 2
    else:
        fitted = film.ben.post(f"{film.label}/edits/", {"edits": [{"op": "fit_track"}]}).json["edits"][0]
        assert [(one["track_id"], one["frames"]) for one in fitted["done"]] == [(1, [1]), (2, [2])]
        drawn = film.ben.post(f"{film.label}/edits/", {"edits": [{"op": "rasterize_track"}]}).json["edits"][0]
        assert [one["track_id"] for one in drawn["done"]] == [1, 2] and drawn["skipped"] == []
    shown = film.ana.get(f"{film.label}/frames/?from=2&to=3").json[0]["annotations"]
    assert {item["geometry"]["type"] for item in shown} == {"bitmap"}
    assert [item["points"] for item in shown if item["track_id"] == 2] == [[[0, 0], [8, 8]]]


def test_a_track_that_is_not_there_is_called_a_track(walk):
    answer = walk.edit({"op": "delete_keyframe", "track": 9, "frame": 0})
    assert (answer.status, answer.json["code"]) == (400, "annotation_unknown")
    assert answer.detail == "edits[0].track: the label holds no such track; read the label again"


def test_a_document_is_held_against_what_the_dataset_asks_of_shapes(film):
    def put(*lefts: int) -> Any:
        lists = [{**box(0, keyframe=True), "points": [[x, 0], [x + 10, 10]]} for x in lefts]
        return film.ana.put(f"{film.label}/", {"attributes": frames(*lists)})

    assert put(-5, 0, 0, 0, 0).status == 200, "as long as nobody asks"
    assert film.ana.patch(f"{film.path}/", {"labels_outside_image": "refuse"}).status == 200
    assert put(-5, 1, 0, 0, 0).status == 200, "what is there stays"
    answer = put(-5, 1, 60, 0, 0)
    assert (answer.status, answer.json["field"]) == (400, "attributes.frames[2]")
    assert "64 wide and 48 high" in answer.detail
    assert put(5, 1, 54, 0, 0).status == 200


def test_boxes_of_a_document_have_the_ratio_of_their_category_unless_they_were_moved(make_street):  # noqa: F811
    def put(*sizes: tuple[int, int]) -> Any:
        lists = [{**box(0, keyframe=True), "points": [[n, 0], [n + w, h]]} for n, (w, h) in enumerate(sizes)]
        return street.ana.put(f"{street.label}/", {"attributes": frames(*lists)})

    street = make_street("image-vector-sequence")
    assert put((40, 10), (40, 10)).status == 201
    wide = {"categories": [{"id": 1, "name": "car", "aspect_ratio": 2}]}
    assert street.ana.patch(f"{street.path}/", {"task_attributes": wide}).status == 200
    assert put((40, 10), (40, 20)).status == 200, "what is there stays, and the other box has it"
    assert put((40, 20), (40, 10)).status == 200, "moved"
    answer = put((40, 20), (41, 10))
    assert (answer.status, answer.json["field"]) == (400, "attributes.frames[1]") and "2 times" in answer.detail
    other = make_street("image-vector-sequence", task_attributes=wide)
    first = other.ana.put(f"{other.label}/", {"attributes": frames(box(0, keyframe=True))})
    assert (first.status, first.json["field"]) == (400, "attributes.frames[0]"), "a first document too"


@pytest.mark.parametrize(
    "points", [[], None, [[0, 0]], [[0, 0], [1, 1], [2, 2]], [["a", 0], [1, 1]], [[1e308, 0], [-1e308, 1e308]]]
)
def test_a_document_with_an_odd_box_is_taken_or_refused_in_words(make_street, points):  # noqa: F811
    street = make_street("image-vector-sequence", task_attributes={"categories": [{"id": 1, "name": "car"}]})
    assert street.ana.patch(f"{street.path}/", {"labels_outside_image": "refuse"}).status == 200
    odd = box(0, keyframe=True) | {"points": points}
    assert street.ana.put(f"{street.label}/", {"attributes": frames(odd)}).status in (201, 400)
