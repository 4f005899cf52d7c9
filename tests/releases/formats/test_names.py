"""What formats call categories: each is told apart from the others, and the list of losses says which is which."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from releases.formats import registry
from releases.formats.files import Given
from releases.formats.format import KEPT, Findings
from releases.formats.names import names_of
from releases.formats.records import Annotation, Category, Dataset, Frame, Sample, Track
from releases.formats.texts import word
from tests.support.records import EMPTY, bbox, polygon, ring, written


def called(*names: str) -> list[str]:
    return list(names_of([Category(nth, name) for nth, name in enumerate(names, 1)], word).values())


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], []),
        (["car", "bus"], ["car", "bus"]),
        (["a b", "a_b"], ["a_b~2", "a_b"]),
        (["a b", "a  b", "a\nb"], ["a_b", "a_b~2", "a_b~3"]),
        (["a b", "a_b~2", "a_b"], ["a_b~3", "a_b~2", "a_b"]),
        (["", " ", "_"], ["_~2", "_~3", "_"]),
        (["a b", "a b", "car", "car"], ["a_b", "a_b", "car", "car"]),
    ],
)
def test_names_that_would_be_one_are_told_apart(names: list[str], found: list[str]) -> None:
    assert called(*names) == found


#: The names are odd for one format or another; the last is that of the objects.
ODD = ("", " ", ",", "a", "a ", "a\n", "last")
TRACK = Track(1, len(ODD), {0: {"geometry": polygon([ring(5, 5, 14, 5, 14, 14)])}})
DRIVE = Sample("drive", is_sequence=True, frames=[Frame("0", 100, 60)], tracks=[TRACK])
STILL = replace(
    EMPTY, width=100, height=60, annotations=[Annotation(1, len(ODD), bbox(5, 5, 14, 14))], classifications=[len(ODD)]
)


@pytest.mark.parametrize(
    "name", ["mot", "mots", "kitti", "kitti-tracking", "voc", "cvat-images", "cvat-video", "classifications"]
)
def test_no_odd_name_moves_those_behind_it(name: str) -> None:
    kind = registry.FORMATS[name]
    dataset = Dataset("d", tuple(Category(nth, odd) for nth, odd in enumerate(ODD, 1)))
    files, _, lines = written(kind, [DRIVE if kind.fate("sequences") == KEPT else STILL], dataset)
    assert kind.read is not None
    imported = kind.read(Given(files), findings := Findings(), kind.parsed_for_reading({}))
    [sample] = imported.samples
    objects: list[Any] = [*sample.tracks, *sample.annotations]
    numbers = [item.category_id for item in objects] or sample.classifications
    assert [imported.dataset.by_id[number].name for number in numbers] == ["last"]
    assert findings.errors == []
    told = dict(line["said"].split(" → ") for line in lines if line["what"] == "name of a category")
    after = [told.get(odd, odd) for odd in ODD]
    assert len(set(after)) == len(ODD) and all(after) and all(one == one.strip() for one in after)
    if kind.fate("list of categories") == KEPT:
        assert [item.name for item in imported.dataset.categories if item.name != "background"] == after


@pytest.mark.parametrize("name", ["csv", "parquet", "geojson"])
def test_a_category_of_a_blank_name_is_not_no_category(name: str) -> None:
    kind = registry.FORMATS[name]
    dataset = Dataset("d", (Category(1, "car"), Category(2, "")))
    item = Annotation(1, 2, bbox(5, 5, 14, 14))
    files, _, lines = written(kind, [Sample("a.png", width=100, height=60, annotations=[item])], dataset)
    assert kind.read is not None
    imported = kind.read(Given(files), Findings(), kind.parsed_for_reading({}))
    [sample] = imported.samples
    [found] = sample.annotations
    assert found.category_id is not None
    told = {line["said"] for line in lines if line["what"] == "name of a category"}
    assert imported.dataset.by_id[found.category_id].name == ("_" if " → _" in told else "")


def test_the_default_category_is_not_lost_with_its_name() -> None:
    kind = registry.FORMATS["classifications"]
    dataset = Dataset("d", (Category(1, ","), Category(2, "car")))
    sample = Sample("a.png", classifications=[2, 1], default_classification=1)
    files, _, _ = written(kind, [sample], dataset)
    assert files["classifications.csv"] == b"a.png,_,car\n"
