"""The folds of a sample and of a file in a dataset."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from labeling import events as e
from labeling.log import store
from labeling.log.event import Fact, Intent
from labeling.rules import sample_state
from labeling.rules.fold import Place
from labeling.rules.sample_state import SampleState, asset_rows, asset_stream, sample_stream
from tests.support.labels import ANA, AT, BEN, DATASET, SAMPLE

JSON = dict[str, Any]
ADDED = e.SampleAdded(
    sample=str(SAMPLE), name="a.png", attributes={"image": {"url": "u"}}, priority=2, assigned_labeler=str(ANA)
)


def after(state: SampleState, *facts: Fact) -> SampleState:
    state = replace(state)
    for fact in facts:
        sample_state.evolve(state, fact, Place(BEN, AT, state.last_offset + 1, state.version + 1))
    return state


def sample() -> SampleState:
    return after(SampleState(DATASET, sample_stream(SAMPLE)), ADDED)


def test_a_sample_begins_with_what_was_said_of_it():
    state = sample()
    assert (state.id, state.exists, state.name, state.priority) == (SAMPLE, True, "a.png", 2)
    assert (state.attributes, state.metadata, state.readme) == ({"image": {"url": "u"}}, {}, "")
    assert (state.assigned_labeler, state.assigned_reviewer, state.created_by) == (str(ANA), None, BEN)


CASES: list[tuple[Fact, JSON]] = [
    (e.SampleChanged(changes={"name": "b.png", "metadata": {"a": 1}}), {"name": "b.png", "metadata": {"a": 1}}),
    (e.SamplePrioritySet(priority=-1.5), {"priority": -1.5}),
    (e.SampleAssigned(roles={"labeler": None}), {"assigned_labeler": None}),
    (e.SampleAssigned(roles={"reviewer": str(BEN)}), {"assigned_reviewer": str(BEN)}),
    (e.SampleAssigned(roles={}), {}),
    (e.SampleArchived(), {"exists": False}),
]

A, B, C = ({"image": {"url": f"https://example.org/{name}.png"}} for name in "abc")
FRAMES: list[tuple[Fact, list[JSON]]] = [
    (e.SampleFramesAdded(frame=1, frames=[C]), [A, C, B]),
    (e.SampleFramesAdded(frame=2, frames=[C]), [A, B, C]),
    (e.SampleFramesRemoved(frame=0), [B]),
    (e.SampleFrameMoved(frame=0, to=1), [B, A]),
    (e.SampleFrameTimed(frame=1, timestamp=5), [A, B | {"timestamp": 5}]),
]


@pytest.mark.parametrize("fact, frames", FRAMES)
def test_what_a_fact_does_to_the_frames_of_a_sequence(fact, frames):
    before = replace(sample(), attributes={"frames": [A, B], "fps": 5})
    assert after(before, fact).attributes == {"frames": frames, "fps": 5}
    assert before.attributes["frames"] == [A, B]


@pytest.mark.parametrize("fact, changes", CASES)
def test_what_a_fact_does_to_the_sample(fact, changes):
    before = sample()
    wanted = replace(before, version=2, last_offset=2, **changes)
    assert after(before, fact) == wanted


def test_every_fact_of_a_sample_is_in_the_table():
    assert {type(fact) for fact, _ in [*CASES, *FRAMES]} | {e.SampleAdded} == set(e.SAMPLE_EVENTS)


def test_a_fact_of_something_else_is_refused():
    with pytest.raises(TypeError, match="LabelDeleted"):
        after(sample(), e.LabelDeleted())


def test_the_row_of_a_sample():
    (row,) = sample_state.rows(after(sample(), e.SampleArchived())).put["labeling_sample"]
    assert (row["id"], row["dataset_id"], row["archived"], row["version"]) == (SAMPLE, DATASET, True, 2)


def test_the_row_of_a_file_belongs_to_its_dataset():
    asset, other = uuid.UUID(int=7), uuid.UUID(int=8)
    fact = e.AssetAdded(
        asset=str(asset), token="t" * 32, filename="a.png", sha256="ab", size_bytes=3, content_type="image/png"
    )
    rows = [
        asset_rows(store.new_events(log, Intent(ANA), [(asset_stream(asset), 0, fact)])) for log in (DATASET, other)
    ]
    one, two = (found.put["labeling_datasetasset"][0] for found in rows)
    assert (one["asset_id"], one["token"], one["size_bytes"]) == (str(asset), "t" * 32, 3)
    assert one["id"] != two["id"]
