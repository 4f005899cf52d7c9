"""`manage.py diff`: what differs, in words that a person understands, or for a program."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from labeling.commands import datasets, labels, samples
from labeling.log import store
from labeling.log.event import Intent
from labeling.models import Person, Sample
from releases import commands
from releases.differences import Comparison
from tests.sequences.support import bbox

Make = Callable[..., Any]


@pytest.fixture
def street(person: Make, dataset: Make, sample: Make, label: Make, intent: Make) -> uuid.UUID:
    """ana/street with the releases v1 and v2, between which ana moved an object, and ben removed one."""
    ana, ben = person("ana"), person("ben")
    made: uuid.UUID = dataset(ana, name="street", labelers=(ben,))
    picture = sample(made, ana, name="a.png")
    boxes = [{"id": n, "category_id": n, "type": "bbox", "points": [[n, n], [n + 9, n + 9]]} for n in (1, 2)]
    label(picture, ana, {"annotations": boxes})
    commands.cut_release(intent=intent(ana), dataset=made, name="v1")

    def edit(who: Any, edit: Any) -> None:
        labels.edit_label(intent=intent(who), sample=picture, label_set="ground-truth", edits=[edit])

    edit(ana, {"op": "set_geometry", "annotation": 1, "geometry": bbox(4, 1, 13, 10)})
    edit(ben, {"op": "remove", "annotation": 2})
    commands.cut_release(intent=intent(ana), dataset=made, name="v2")
    return made


def told(*arguments: str, **options: Any) -> str:
    said = io.StringIO()
    call_command("diff", *arguments, stdout=said, stderr=io.StringIO(), **options)
    return said.getvalue()


def test_a_difference_is_proved(street: uuid.UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told("ana/street", "v1", "v2", check=True) == (
        "Applied to the first side the difference gives the second, in all 3 samples and labels, and the difference"
        " back gives the first.\n"
    )
    datasets.add_label_set(intent=Intent(author=Person.objects.get(username="ana").id), dataset=street, name="m")
    with pytest.raises(CommandError, match="only matched"):
        told("ana/street", from_label_set="ground-truth", to_label_set="m", check=True)
    monkeypatch.setattr(Comparison, "entries", lambda self: iter(()))
    with pytest.raises(CommandError, match="leaves something out at label/"):
        told("ana/street", "v1", "v2", check=True)


def test_what_went_with_its_sample_is_one_line(street: uuid.UUID) -> None:
    sample = Sample.objects.get(dataset_id=street)
    samples.archive_sample(intent=Intent(author=Person.objects.get(username="ana").id), sample=sample.id)
    assert "  - went with its sample: 1 object\n" in told("ana/street", "v2")
    assert "- car 1 removed" in told("ana/street", "v2", all=True)
    assert "1 object removed; 1 sample removed; in 1 label; 1 event of 1 author." in told("ana/street", "v2")


def test_two_releases_are_compared_in_words(street: uuid.UUID) -> None:
    first, second = ((event.offset or 0) - 1 for event in store.read(street, types=["ReleaseCut"]))
    assert told("ana/street", "v1", "v2") == (
        f"ana/street: v1 (offset {first}) → v2 (offset {second})\n"
        "1 object changed, 1 removed (1 geometry); in 1 label; 2 events of 2 authors.\n"
        "\n"
        "a.png · ground-truth  by ana, ben\n"
        f"  ~ car 1: moved by 3 px to the right (IoU 0.50, 81 px²)  #{first + 2}\n"
        f"  - person 2 removed  #{first + 3}\n"
    )
    assert "nothing differs." in told("ana/street", "v2", "v2")
    assert "+ person 2 added" in told("ana/street", "v2", "v1"), "backwards"
    assert "person 2" not in told("ana/street", "v1", author="ana")


def test_many_labels_are_told_in_part_unless_asked_for(
    street: uuid.UUID, person: Make, sample: Make, label: Make
) -> None:
    for number in range(26):
        label(sample(street, person("ana"), name=f"{number}.png"), person("ana"))
    assert "and 28 more; --all tells them" in told("ana/street", "v1")
    assert "more" not in told("ana/street", "v1", all=True)


def test_two_label_sets_are_compared_without_a_moment(street: uuid.UUID, person: Make, intent: Make) -> None:
    datasets.add_label_set(intent=intent(person("ana")), dataset=street, name="model")
    text = told("ana/street", from_label_set="ground-truth", to_label_set="model")
    assert "· ground-truth → " in text and "- car 1 removed" in text


def test_programs_get_lines(street: uuid.UUID) -> None:
    rows = list(csv.DictReader(io.StringIO(told("ana/street", "v1", "v2", format="csv"))))
    assert [(row["change"], row["field"], row["people"]) for row in rows] == [
        ("changed", "geometry", "ana"), ("removed", "", "ben"),
    ]  # fmt: skip
    [entry] = [json.loads(line) for line in told("ana/street", "v1", "v2", format="ndjson").splitlines()]
    assert [change["change"] for change in entry["changes"]] == ["changed", "removed"]


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (["ana/none", "1"], {}, "There is no dataset ana/none; write it as OWNER/NAME."),
        (["ana/street"], {}, "FROM is required"),
        (["ana/street", "nowhere"], {}, "FROM must be an offset"),
        (["ana/street", "1", "nowhere"], {}, "TO must be an offset"),
        (["ana/street", "1"], {"kind": "x"}, "--kind must be one of category, geometry"),
        (["ana/street"], {"from_label_set": "x"}, "--to-label-set is required"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line(
    street: uuid.UUID, arguments: list[str], options: dict[str, str], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        told(*arguments, **options)
