"""Whatever is sent, the answer is one of ours: done, or refused without an echo and with the log as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

MARK = "zebra7391"
BOX = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
FIELDS = [
    "attributes", "annotations", "id", "category_id", "type", "points", "geometry", "parts", "label_status", "score",
    "edits", "op", "annotation", "to", "verb", "status", "set", "rle", "size", "counts", "names", "segmentation_bitmap",
    "url", "name", "metadata", "priority", "assigned_labeler", "task_type", "task_attributes", "categories", "public",
    "uuids", "user", "role", "filename", "gesture", "reason", "occurred_at", "frames", "keypoints", "orientation",
    "description", "anchor", "trackNumber", "frame", "location", "x", "y", "clone_labels", "owner",
]  # fmt: skip
words = st.sampled_from(
    [
        MARK,
        "",
        "basic",
        "location",
        "2d",
        "bbox",
        "mask",
        "add",
        "remove",
        "patch_bitmap",
        "LABELED",
        "vector",
        "a",
        "ana",
    ]
)
scalars = st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([2**53 - 1, 1e308, -0.0, 0.5]) | words
bodies = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


#: How many `targets` gives.
WAYS = 22


def targets(street: Any, given: Any) -> list[tuple[str, str, Any]]:
    """(method, path, body) of every way to write, with the same odd value in the body's place and in its parts."""
    label = f"{street.label}/"
    return [
        ("PUT", label, given),
        ("PUT", label, {"attributes": {"annotations": [given]}}),
        ("PUT", label, {"attributes": {"annotations": [BOX | {"geometry": given}]}}),
        ("PATCH", label, {"label_status": given, "score": given}),
        ("POST", street.edits, given),
        ("POST", street.edits, {"edits": given}),
        ("POST", street.edits, {"edits": [{"op": "add", "geometry": given}]}),
        ("POST", street.edits, {"edits": [{"op": "patch_bitmap", "base_hash": given, "set": given}]}),
        ("PATCH", street.path, given),
        ("PATCH", street.path, {"task_attributes": {"categories": given}}),
        ("POST", f"{street.path}/samples/", given),
        ("POST", f"{street.path}/samples/", {"name": given, "attributes": given}),
        ("POST", f"{street.path}/samples_bulk/", [given]),
        ("DELETE", f"{street.path}/samples_bulk/", {"uuids": given}),
        ("POST", f"{street.path}/labelsets/", {"name": given, "description": given}),
        ("POST", f"{street.path}/collaborators/", {"user": given, "role": given}),
        ("PATCH", f"/samples/{street.sample}/", given),
        ("POST", f"/samples/{street.sample}/issues/", given),
        ("POST", f"/samples/{street.sample}/issues/", {"description": "x", "anchor": given}),
        ("POST", f"{street.path}/clone/", {"name": "a", "clone_labels": True, "task_type": given, "owner": given}),
        ("POST", "/assets/", {"filename": given}),
        ("POST", "/user/datasets/", {"name": given, "task_type": "vector"}),
    ]


@pytest.mark.parametrize("task", ["vector", "segmentation-bitmap", "image-vector-sequence"])
def test_anything_is_done_or_refused(make_street, task):
    street = make_street(task)
    street.ana.put(f"{street.label}/", {"attributes": {"annotations": [BOX], "frames": []}})

    @given(bodies, st.sets(st.integers(0, WAYS - 1), min_size=4, max_size=4))
    def send(given: Any, chosen: set[int]) -> None:
        ways = targets(street, given)
        assert len(ways) == WAYS
        for method, path, body in (ways[index] for index in sorted(chosen)):
            before = street.head
            answer = street.ana.send(method, path, body)
            said = (method, path, body, answer.status, answer.raw[:300])
            assert answer.status < 500, said
            if answer.status >= 400:
                assert street.head == before, said
                assert MARK.encode() not in answer.raw, said
                assert {"detail", "code"} <= answer.json.keys(), said
            elif answer.raw:
                json.loads(answer.raw)

    send()


def test_any_bytes_are_read_or_refused(caller):
    ana = caller("ana")

    @given(raw=st.binary(max_size=40) | st.text('{}[]":,ab\\u0159.eE+- ', max_size=40).map(str.encode))
    def send(raw: bytes) -> None:
        answer = ana.send("POST", "/user/datasets/", raw=raw)
        assert 400 <= answer.status < 500 and answer.json["code"]

    send()
