"""The difference between two places in a log: what it tells, that it leaves nothing out, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import events as e
from labeling.commands import datasets, labels
from labeling.geometry.overlap import overlap
from labeling.log import store
from labeling.models import Dataset
from labeling.rules import label_state
from labeling.rules.fold import Place
from labeling.rules.label_state import LabelState
from labeling.rules.reversal import pieces_of
from releases import commands, comparing
from releases.differences import Comparison, Side, Totals
from tests.conftest import MakeDataset
from tests.labeling.api.conftest import Caller
from tests.support.labels import ANA, DATASET, key

Make = Callable[..., Any]
JSON = dict[str, Any]


def square(x: float, side: float = 10) -> JSON:
    return {"type": "bbox", "points": [[x, 0], [x + side, side]]}


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (square(0), square(0), {"iou": 1.0, "area_before_px": 100, "area_after_px": 100}),
        (square(0), square(5), {"iou": round(1 / 3, 6), "area_before_px": 100, "area_after_px": 100}),
        (square(-5), square(100), {"iou": 0.0, "area_before_px": 100, "area_after_px": 100}),
        (square(0), square(0, 20), {"iou": 0.25, "area_before_px": 100, "area_after_px": 400}),
        (square(0), {"type": "point", "points": [[1, 1]]}, None),
        (square(0), square(10**9), None),
        ({"type": "mask"}, square(0), None),
    ],
)
def test_changed_outlines_are_measured(one: JSON, other: JSON, wanted: JSON | None) -> None:
    assert overlap(one, other) == wanted


# --- nothing is left out ---------------------------------------------------------------------------------------------

STEPS = st.lists(st.tuples(st.sampled_from("amcr"), st.integers(1, 4), st.integers(0, 9)), max_size=12)


def after(steps: list[tuple[str, int, int]]) -> list[LabelState]:
    """The states of a label after each of these steps, as one fold makes them."""
    state = LabelState(DATASET, "label/x/y")
    found = [state.copied()]
    for place, (step, number, value) in enumerate(steps, 1):
        held = key(number) in state.annotations
        fact: Any
        if step == "a" and not held:
            fact = e.AnnotationAdded(
                annotation=key(number), id=number, category_id=1, geometry=square(value), order=float(value),
                attributes={"a": value} if value % 2 else {},
            )  # fmt: skip
        elif step == "m" and held:
            fact = e.AnnotationGeometrySet(annotation=key(number), geometry=square(value))
        elif step == "c" and held:
            fact = e.AnnotationCategorySet(annotation=key(number), category_id=value or None)
        elif step == "r" and held:
            fact = e.AnnotationRemoved(annotation=key(number))
        else:
            continue
        label_state.evolve(state, fact, Place(ANA, "infinity", place, place))
        found.append(state.copied())
    return found


def plain(changes: list[JSON]) -> list[JSON]:
    return [
        change | {side: {k: v for k, v in change[side].items() if k != "uuid"} if change[side] else change[side]
                  for side in ("before", "after")}
        for change in changes
    ]  # fmt: skip


@given(STEPS, st.integers(0, 12), st.integers(0, 12))
def test_the_difference_applied_to_the_first_gives_the_second(steps: list, one: int, two: int) -> None:
    states = after(steps)
    first, second = states[min(one, len(states) - 1)], states[min(two, len(states) - 1)]
    there = plain(comparing.compared(first, second))
    assert comparing.applied(pieces_of(first), there) == pieces_of(second)
    back = plain(comparing.compared(second, first))
    assert [(c["what"], c["before"], c["after"]) for c in there] == [(c["what"], c["after"], c["before"]) for c in back]
    assert comparing.compared(first, first) == []


def between(dataset: uuid.UUID, first: int, last: int) -> Comparison:
    return Comparison(dataset, Side(first), Side(last))


# --- over a dataset --------------------------------------------------------------------------------------------------


@pytest.fixture
def worked(person: Make, dataset: MakeDataset, sample: Make, label: Make, intent: Make) -> Any:
    """v1; then ana moves an object, adds and removes one again, renames a category, and adds a sample; v2."""
    ana = person()
    streets = dataset(ana)
    first = sample(streets, ana, name="a.png")
    label(first, ana)
    commands.cut_release(intent=intent(ana), dataset=streets, name="v1")

    def edit(*edits: JSON) -> Any:
        return labels.edit_label(intent=intent(ana), sample=first, label_set="ground-truth", edits=list(edits))

    edit({"op": "set_geometry", "annotation": 1, "geometry": {"type": "bbox", "points": [[20, 5], [40, 30]]}})
    edit({"op": "add", "id": 7, "category_id": 1, "geometry": {"type": "bbox", "points": [[0, 0], [9, 9]]}})
    edit({"op": "remove", "annotation": 7})
    categories = [{"id": 1, "name": "vehicle"}, {"id": 2, "name": "person"}, {"id": 3, "name": "tree"}]
    datasets.change_dataset(intent=intent(ana), dataset=streets, changes={}, task_attributes={"categories": categories})
    sample(streets, ana, name="b.png")
    commands.cut_release(intent=intent(ana), dataset=streets, name="v2")

    class Worked:
        id, owner, sample = streets, ana, first

    return Worked()


def test_only_what_is_different_is_told_with_its_events_and_people(worked: Any) -> None:
    head = store.head(worked.id)
    cut = next(event.offset or 0 for event in store.read(worked.id, types=["ReleaseCut"]))
    found = list(between(worked.id, cut, head).entries())
    [label] = [entry for entry in found if entry["label_set"]]
    [moved] = label["changes"]
    assert (moved["id"], moved["change"], list(moved["after"])) == (1, "changed", ["geometry"])
    assert moved["geometry"]["iou"] < 1 and label["event_count"] == 3
    assert label["authors"] == [str(worked.owner.id)]
    [dataset] = [entry for entry in found if entry["stream"] == "dataset"]
    assert list(dataset["changes"][0]["after"]) == ["task_attributes"], "a category is renamed once, not per object"
    [sample] = [entry for entry in found if entry["sample"] and not entry["label_set"]]
    assert sample["changes"][0]["after"]["name"] == "b.png"
    totals = Totals()
    assert list(totals.of(found)) == found
    assert totals.as_json() == {
        "entries": 3, "events": 3 + dataset["event_count"] + 1, "people": 1, "same": 0, "samples": {"added": 1},
        "labels": {"changed": 1}, "objects": {"changed": 1}, "fields": {"geometry": 1}, "categories": {"renamed": 1},
        "kinds": {"geometry": 1}, "label_sets": {},
    }  # fmt: skip
    assert list(between(worked.id, head, head).entries()) == []
    split = [list(between(worked.id, cut, head).entries(after=entry["stream"])) for entry in found]
    assert split == [found[place:] for place in range(1, len(found) + 1)]


# --- over the API ----------------------------------------------------------------------------------------------------


@pytest.fixture
def ask(worked: Any) -> Callable[..., Any]:
    caller = Caller(worked.owner)
    path = f"/datasets/{worked.owner.username}/{Dataset.objects.get(id=worked.id).name}/diff/"
    return lambda query: caller.get(path + query)


def test_releases_are_compared_by_name_page_by_page(worked: Any, ask: Callable[..., Any]) -> None:
    found = ask("?from=v1&to=v2").json
    assert len(found["entries"]) == 3 and found["next"] is None
    [label] = [entry for entry in found["entries"] if entry["label_set"]]
    assert (label["sample_name"], label["label_set_name"]) == ("a.png", "ground-truth")
    assert label["people"] == [worked.owner.username]
    pages, page = [], ask("?from=v1&to=v2&limit=1").json
    while page["next"]:
        pages += page["entries"]
        page = ask(f"?from=v1&to=v2&limit=1&after={page['next']}").json
    pages += page["entries"]
    assert pages == found["entries"]
    assert ask(f"?from={found['from']}").json["entries"] == found["entries"], "without `to`, up to now"


def test_the_whole_is_told_as_lines_too(ask: Callable[..., Any]) -> None:
    found = ask("?from=v1&to=v2").json["entries"]
    assert [json.loads(line) for line in ask("?from=v1&to=v2&format=ndjson").raw.splitlines()] == found
    rows = list(csv.DictReader(io.StringIO(ask("?from=v1&to=v2&format=csv").raw.decode())))
    [geometry] = [row for row in rows if row["field"] == "geometry"]
    assert geometry["sample_name"] == "a.png" and 0 < float(geometry["iou"]) < 1
    assert sum(len(entry["changes"]) for entry in found) <= len(rows)


@pytest.mark.parametrize(
    ("query", "field"),
    [("", "from"), ("?from=nowhere", "from"), ("?from=1&to=nowhere", "to"),
     (f"?from={uuid.UUID(int=9, version=4)}", "from"),
     ("?from=1&format=xlsx", "format"), ("?from=1&limit=0", "limit")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_its_name(ask: Callable[..., Any], query: str, field: str) -> None:
    answer = ask(query)
    assert (answer.status, answer.json["field"]) == (400, field)


# --- other sides than two moments -------------------------------------------------------------------------------------


def words(answer: Any) -> list[str]:
    return [change["words"] for entry in answer.json["entries"] for change in entry["changes"]]


def test_a_difference_leads_back_where_the_second_side_is_earlier(ask: Callable[..., Any]) -> None:
    there, back = ask("?from=v1&to=v2").json, ask("?from=v2&to=v1").json
    assert (back["from"], back["to"]) == (there["to"], there["from"])
    for ours, theirs in zip(there["entries"], back["entries"], strict=True):
        assert (ours["events"], ours["people"]) == (theirs["events"], theirs["people"])
        for one, other in zip(ours["changes"], theirs["changes"], strict=True):
            assert (one["before"], one["after"]) == (other["after"], other["before"])
    assert back["totals"]["samples"] == {"removed": 1}
    assert ask("?from=v1&to=v1").json["entries"] == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("change=changed&kind=geometry", 1), ("change=added", 1), ("change=removed", 0), ("category=1", 1),
        ("category=3", 0), ("author=nobody", 0), ("label_set=ground-truth", 1), ("kind=split", 0),
    ],
)  # fmt: skip
def test_filters_leave_out_what_nobody_asked_for(ask: Callable[..., Any], query: str, found: int) -> None:
    assert len(words(ask(f"?from=v1&to=v2&{query}"))) == found


def test_filters_know_people_and_samples(worked: Any, ask: Callable[..., Any]) -> None:
    assert len(words(ask(f"?from=v1&to=v2&author={worked.owner.username}"))) == 3
    assert words(ask(f"?from=v1&to=v2&sample={worked.sample}")) == [
        "vehicle 1: resized from 20 × 25.25 px to 20 × 25 px (IoU 0.33, 500 px²)"
    ]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?from=1&change=none", "change"), ("?from=1&kind=none", "kind"), ("?from=1&category=x", "category"),
        ("?from=1&sample=x", "sample"), ("?from=1&label_set=none", "label_set"), ("?from_label_set=x", "to_label_set"),
        ("?from_label_set=ground-truth&to_label_set=none", "to_label_set"), ("?to_label_set=x", "from_label_set"),
    ],
)  # fmt: skip
def test_filters_that_name_nothing_are_refused(ask: Callable[..., Any], query: str, field: str) -> None:
    answer = ask(query)
    assert (answer.status, answer.json["field"]) == (400, field)


def test_two_label_sets_are_compared_at_one_moment(
    worked: Any, ask: Callable[..., Any], label: Make, intent: Make
) -> None:
    datasets.add_label_set(intent=intent(worked.owner), dataset=worked.id, name="model", description="", kind="x")
    boxes = [(1, [[20, 5], [41, 30]]), (2, [[300, 300], [310, 310]])]
    annotations = [{"id": n, "category_id": 2, "type": "bbox", "points": points} for n, points in boxes]
    label(worked.sample, worked.owner, {"annotations": annotations}, label_set="model")
    found = ask("?from_label_set=ground-truth&to_label_set=model").json
    assert words(ask("?from_label_set=ground-truth&to_label_set=model")) == [
        "person 1: resized from 20 × 25 px to 21 × 25 px (IoU 0.95, 500 → 525 px²) and category from vehicle to person;"
        " found by overlap as 1",
        "person 2 added, a box of 10 × 10 px",
    ]
    [entry] = found["entries"]
    assert entry["changes"][0]["match"]["by"] == "overlap" and entry["same"] == 0
    assert len(entry["changes"][0]["events"]) == 2, "the last event of each"
    back = ask("?from_label_set=model&to_label_set=ground-truth").json["entries"][0]["changes"]
    assert [change["change"] for change in back] == ["changed", "removed"]
    paged = ask("?from_label_set=ground-truth&to_label_set=model&limit=1").json
    assert paged["next"] is None
    both = ask("?from_label_set=ground-truth&to_label_set=ground-truth").json
    assert both["entries"] == []


def test_releases_are_compared_as_what_they_hold(
    worked: Any, ask: Callable[..., Any], intent: Make, label: Make
) -> None:
    """A release with a filter holds less, one with a category map holds others, and both are told."""
    commands.cut_release(intent=intent(worked.owner), dataset=worked.id, name="all")
    choice: JSON = {"filter": {"samples": ["a.png"]}, "category_map": {"merge": {"1": 3}, "rename": {"3": "thing"}}}
    commands.cut_release(intent=intent(worked.owner), dataset=worked.id, name="some", **choice)
    found = ask("?from=all&to=some")
    assert found.json["totals"]["samples"] == {"removed": 1}
    assert words(found) == [
        "the dataset: category “vehicle” removed and category “tree” renamed to “thing”",
        "thing 1: category from vehicle to thing",
        "the sample removed",
    ]
    assert words(ask("?from=some&to=some")) == []
    nothing: JSON = {"category_map": {"drop": [1]}}
    commands.cut_release(intent=intent(worked.owner), dataset=worked.id, name="none", **nothing)
    assert "vehicle 1 removed" in words(ask("?from=all&to=none"))
