"""The Segments release file as others may send it: what is none is refused in words. What is one: imports."""

from __future__ import annotations

import json
from typing import Any

import pytest

from releases.formats.files import Given
from releases.formats.format import Findings, UnreadableFile
from releases.formats.segments_reading import SEGMENTS


def read(data: bytes) -> Any:
    return SEGMENTS.read and SEGMENTS.read(Given({"release.json": data}), Findings(), SEGMENTS.parsed_for_reading({}))


def of_dataset(**said: Any) -> bytes:
    return json.dumps({"dataset": {"name": "d", "samples": [], **said}}).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no JSON file of a release"),
        (b"[]", "no JSON file of a release"),
        (b'{"log":1,"samples":[\n{}\n]}\n', "no JSON file of a release"),
        (b'{"dataset":5,"log":1,"samples":[\n{}\n]}\n', "no JSON file of a release"),
        (b'{"dataset":5}', "no JSON file of a release"),
        (of_dataset(samples=5), "no JSON file of a release"),
        (of_dataset(labelsets=5), "the labelsets of the file are no list"),
        (of_dataset(task_attributes={"categories": 5}), "the categories of the file are no list"),
        (b'{"dataset":{"labelsets":5,"samples":[\n{}\n]},"log":1}\n', "the labelsets of the file are no list"),
    ],
)
def test_what_is_no_release_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableFile, match=words):
        read(data)


def test_what_a_category_says_wrongly_is_left_out() -> None:
    wrong = {"id": 1, "name": "car", "attributes": 5, "skeleton": {"points": 5, "edges": 5}}
    [found] = read(of_dataset(task_attributes={"categories": [5, wrong]})).dataset.categories
    assert (found.name, found.points, found.edges, found.attributes) == ("car", (), (), ())
    assert read(of_dataset(task_attributes=5)).dataset.categories == ()
