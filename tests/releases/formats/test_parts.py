"""An export in parts is the export: whatever the format, and wherever the samples are cut."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from releases import packing
from releases.formats.format import ExportStopped, Options
from releases.formats.parts import Damaged, Part, Streams
from releases.formats.records import Dataset, Sample
from releases.formats.registry import FORMATS, WRITTEN
from tests.support.records import DATASET, STREET, UNSIZED, VIDEO

SAMPLES = [
    dataclasses.replace(STREET, split="val"),
    VIDEO,
    UNSIZED,
    dataclasses.replace(STREET, name="other.jpg", uuid="o"),
    dataclasses.replace(UNSIZED, name="last.jpg", split="val"),
]


def whole(name: str, samples: Sequence[Sample], **said: str) -> tuple[bytes, Any]:
    kind, sink = FORMATS[name], io.BytesIO()
    packed = packing.pack(kind, DATASET, samples, kind.parsed(said), sink)
    return sink.getvalue(), packed


def made(name: str, samples: Sequence[Sample], options: Options, dataset: Dataset = DATASET) -> Part:
    file = io.BytesIO()
    found = packing.pack_part(FORMATS[name], dataset, samples, options, file)

    def opened(start: int) -> io.BytesIO:
        return io.BytesIO(file.getvalue()[start:])

    return packing.part_of(json.loads(json.dumps(found)), opened)


def in_parts(name: str, cuts: Sequence[int], **said: str) -> tuple[bytes, Any]:
    options = FORMATS[name].parsed(said)
    pieces = [SAMPLES[start:end] for start, end in zip([0, *cuts], [*cuts, len(SAMPLES)], strict=True)]
    return joined(name, [made(name, piece, options) for piece in pieces], options)


def joined(name: str, parts: list[Part], options: Options, dataset: Dataset = DATASET) -> tuple[bytes, Any]:
    sink = io.BytesIO()
    packed = packing.pack_parts(FORMATS[name], dataset, parts, options, sink)
    return sink.getvalue(), packed


def test_an_export_says_that_it_is_at_work_while_it_writes_events() -> None:
    options = FORMATS["native"].parsed({"events": "yes"})
    beats: list[int] = []
    written = 0

    def events() -> Iterator[dict[str, Any]]:
        nonlocal written
        for written in range(2500):
            yield {"offset": written}

    part = dataclasses.replace(made("native", [], options), beat=lambda: beats.append(written))
    joined("native", [part], options, dataclasses.replace(DATASET, events=events()))
    assert beats == [0, 1000, 2000]


@pytest.mark.parametrize("name", sorted(WRITTEN))
@pytest.mark.parametrize("cuts", [[], [1], [0, 2, 2], [1, 2, 3, 4]], ids=str)
def test_the_bytes_do_not_depend_on_the_parts(name: str, cuts: list[int]) -> None:
    assert in_parts(name, cuts) == whole(name, SAMPLES)


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_names_are_one_however_the_parts_are_cut(name: str) -> None:
    """Files whose names would be one, categories without names of points, and options: part for part the same."""
    categories = [dataclasses.replace(item, points=(), edges=(), name=f"{item.name} x") for item in DATASET.categories]
    bare = dataclasses.replace(DATASET, categories=tuple(categories))
    few = [STREET, dataclasses.replace(STREET, name=STREET.name.upper(), uuid="x"), VIDEO, UNSIZED]
    renamed = {"nose": "snout"}
    points = [
        dataclasses.replace(item, keypoints=[point | {"name": renamed[point["name"]]} for point in item.keypoints])
        if item.keypoints
        else item
        for item in reversed(STREET.annotations)
    ]
    few = [dataclasses.replace(STREET, name="first", uuid="f", annotations=points), *few]
    for said in ({}, *({option.name: option.choices[-1]} for option in FORMATS[name].options)):
        options = FORMATS[name].parsed(said)
        once = joined(name, [made(name, few, options, bare)], options, bare)
        for cuts in ([1, 2, 3, 4], [2]):
            pieces = [few[start:end] for start, end in zip([0, *cuts], [*cuts, len(few)], strict=True)]
            assert joined(name, [made(name, piece, options, bare) for piece in pieces], options, bare) == once


@pytest.mark.parametrize("said", [{"segmentation": "rle"}, {"clip": "no"}, {"frames": "keyframes"}])
def test_coco_with_options_is_the_same_in_parts(said: dict[str, str]) -> None:
    assert in_parts("coco-instances", [2, 3], **said) == whole("coco-instances", SAMPLES, **said)


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_a_dataset_without_samples_has_the_same_files_in_no_part_and_in_an_empty_one(name: str) -> None:
    options = FORMATS[name].parsed({})
    assert joined(name, [], options) == joined(name, [made(name, [], options)], options) == whole(name, [])


def test_what_stops_an_export_stops_its_part() -> None:
    kind = FORMATS["coco-instances"]
    with pytest.raises(ExportStopped):
        made("coco-instances", SAMPLES, kind.parsed({"losses": "stop"}))


@pytest.mark.parametrize("text", ['"id": 7', '\\"id": 7,"image_id": 9', "a\nb\\", "\u2028"])
def test_a_text_that_looks_like_an_id_is_left_as_it_is(text: str) -> None:
    [item] = [item for item in STREET.annotations if item.uuid == "u2"]
    odd = dataclasses.replace(item, attributes={text: text, "id": 5, "image_id": 6}, uuid=text)
    sample = dataclasses.replace(STREET, name=text, url=text, uuid=text, annotations=[odd, item])
    name = "coco-instances"
    options = FORMATS[name].parsed({})
    parts = [made(name, [one], options) for one in (STREET, sample, sample)]
    assert joined(name, parts, options) == whole(name, [STREET, sample, sample])
    [image] = [item for item in read(joined(name, parts, options)[0])["images"] if item["id"] == 3]
    assert (image["coco_url"], image["uuid"]) == (text, text)
    found = [item for item in read(joined(name, parts, options)[0])["annotations"] if item["uuid"] == text]
    assert [item["attributes"] for item in found] == [odd.attributes] * 2
    assert [item["image_id"] for item in found] == [2, 3]


def read(data: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return json.loads(archive.read("annotations/instances_default.json"))


# --- the file of a part ----------------------------------------------------------------------------------------------


def part_of(lines: dict[str, list[bytes]], change: Any = None) -> Part:
    streams, file = Streams(io.BytesIO), io.BytesIO()
    for name, few in lines.items():
        for line in few:
            streams.add(name, line)
    index = streams.put(file)
    data = file.getvalue() if change is None else change(file.getvalue())
    return Part(lambda start: io.BytesIO(data[start:]), index)


LINES = {"a": [b"1\n", b"22\n" * 1, b"x" * 300_000 + b"\n"], "b": [], "c": [b"%d\n" % n for n in range(100_000)]}


def test_streams_come_back_in_whole_lines() -> None:
    part = part_of(LINES)
    part.check()
    assert part.names() == ["a", "c"]
    for name, lines in LINES.items():
        pieces = list(part.pieces(name))
        assert b"".join(pieces) == b"".join(lines)
        assert all(piece.endswith(b"\n") for piece in pieces)
    assert list(part.pieces("unknown")) == []


@pytest.mark.parametrize(
    "change",
    [lambda data: data[:-1], lambda data: b"", lambda data: data[:9] + b"?" + data[10:]],
    ids=["cut", "empty", "bent"],
)
def test_a_damaged_part_is_noticed(change: Any) -> None:
    part = part_of(LINES, change)
    with pytest.raises(Damaged):
        part.check()


def test_a_part_that_is_too_short_is_not_put_together() -> None:
    part = part_of(LINES, lambda data: data[:-1])
    with pytest.raises(Damaged):
        list(part.pieces("c"))
