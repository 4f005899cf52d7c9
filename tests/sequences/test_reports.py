"""The keyframe density of tracks, and agreement over HTTP."""

from __future__ import annotations

from typing import Any

from tests.labeling.api.conftest import caller, make_street  # noqa: F401 - fixtures
from tests.sequences.api.test_tracks import WALK
from tests.sequences.support import bbox
from tests.support.masks import box


def test_keyframes_are_counted_where_their_objects_are_there(make_street: Any) -> None:  # noqa: F811
    street = make_street("image-vector-sequence")
    assert street.ana.put(f"{street.label}/", {"attributes": WALK}).status == 201
    at = street.head
    found = street.ana.get(f"{street.path}/reports/keyframes/?by=track").json["rows"]
    tracks = street.ana.get(f"{street.label}/tracks/").json
    assert {row["track"]: (row["frames"], row["keyframes"], row["computed"]) for row in found} == {
        track["track"]: (
            sum(last - first for first, last in track["presence"]),
            len(track["keyframes"]),
            sum(last - first for first, last in track["presence"]) - len(track["keyframes"]),
        )
        for track in tracks
    }
    [row] = street.ana.get(f"{street.path}/reports/keyframes/?by=").json["rows"]
    assert row == {
        "tracks": 2, "frames": 7, "keyframes": 3, "computed": 4, "remove_keyframes": 1, "density": round(3 / 7, 6),
    }  # fmt: skip
    edit = {"op": "set_keyframe", "track": 1, "frame": 1, "geometry": bbox(9, 9, 30, 30)}
    assert street.edit(edit).status == 200
    [now] = street.ana.get(f"{street.path}/reports/keyframes/?by=").json["rows"]
    assert (now["keyframes"], now["computed"]) == (4, 3)
    [then] = street.ana.get(f"{street.path}/reports/keyframes/?by=&at={at}").json["rows"]
    assert then == row
    assert street.ben.get(f"{street.path}/reports/keyframes/").status == 403, "it is for managers"


def test_two_label_sets_are_compared_person_by_person_and_as_they_were(make_street: Any) -> None:  # noqa: F811
    street = make_street()
    assert street.ana.post(f"{street.path}/labelsets/", {"name": "second"}).status == 201
    first = {"annotations": [box(1, 0, 0, 10, 10), box(2, 40, 0, 50, 10, 2)]}
    second = {"annotations": [box(5, 0, 0, 10, 9), box(6, 40, 0, 50, 10)]}
    street.ana.put(f"{street.label}/", {"attributes": first})
    street.ben.put(f"/labels/{street.sample}/second/", {"attributes": second})
    at = street.head
    path = f"{street.path}/reports/agreement/"
    body = street.ana.get(f"{path}?by=label_set,person,other_person").json
    [row] = body["rows"]
    ana, ben = (each.person for each in (street.ana, street.ben))
    assert (row["person"], row["other_person"], row["agreement"]) == (str(ana.id), str(ben.id), 0.5)
    assert body["names"] == {str(ana.id): ana.username, str(ben.id): ben.username, row["label_set"]: "second"}
    assert street.ana.get(f"{path}?by=&iou=0.95").json["rows"][0]["matched"] == 1
    assert street.ana.get(f"{path}?by=&base=second").json["rows"][0]["objects"] == 2
    street.ben.put(f"/labels/{street.sample}/second/", {"attributes": first})
    assert street.ana.get(f"{path}?by=").json["rows"][0]["agreement"] == 1.0
    again = street.ana.get(f"{path}?by=label_set,person,other_person&at={at}").json
    assert (again["rows"], again["digest"]) == (body["rows"], body["digest"])
    for query, field in (("iou=0", "iou"), ("iou=2", "iou"), ("base=nowhere", "base"), ("from=2026-01-01", "from")):
        answer = street.ana.get(f"{path}?{query}")
        assert (answer.status, answer.json["field"]) == (400, field)
    lines = street.ana.get(f"{path}?by=other_person&format=csv").raw.decode().splitlines()
    assert lines[0].startswith("other_person,") and lines[0].endswith("other_person_id")
    assert lines[1].startswith(ben.username)
