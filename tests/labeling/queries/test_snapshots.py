"""Any state of the past, with snapshots and without: the same as a fold of all events, and as what was lived."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest

from labeling.commands import labels as commands
from labeling.log import projector, rebuild, store
from labeling.log.event import Intent
from labeling.models import LabelSnapshot
from labeling.queries import labels as queries
from labeling.rules import label_state
from labeling.rules.label_state import LabelState
from labeling.rules.packing import packed, unpacked
from labeling.rules.task_types import task_type
from tests.support.installation import is_full

JSON = dict[str, Any]
KIND = "label-snapshots"


def catch_up(log: uuid.UUID) -> Any:
    found = next(each for each in projector.catch_ups() if each.name == KIND)
    projector.catch_up(log)
    return found


@pytest.fixture
def lived(dataset, person, sample, monkeypatch) -> Any:
    """A label that two people worked on for a while, and each of its states."""
    monkeypatch.setattr(queries, "EVERY", 7)
    ana, ben = person("ana"), person("ben")
    log = dataset(ana, labelers=(ben,))
    target = sample(log, ana)
    dice = random.Random(7)
    states: dict[int, LabelState] = {}
    here: JSON = {"sample": target, "label_set": "ground-truth"}
    for turn in range(600 if is_full() else 40):
        state = queries.find_label(target, "ground-truth", person=ana.id).state
        numbers = [item["id"] for item in state.annotations.values()]
        box = {"type": "bbox", "points": [[turn, 2.5], [turn + dice.random(), 1e22]]}
        edit: JSON = {"op": "add", "category_id": 1, "geometry": box}
        if turn % 19 == 18:
            commands.delete_label(intent=Intent(author=ana.id), **here)
        elif numbers and dice.random() < 0.7:
            edit = dice.choice([
                {"op": "set_geometry", "annotation": dice.choice(numbers), "geometry": box},
                {"op": "set_attributes", "annotation": dice.choice(numbers), "attributes": {"n": turn, "x": None}},
                {"op": "remove", "annotation": dice.choice(numbers)},
                {"op": "set_status", "verb": dice.choice(["accept", "submit"])},
            ])  # fmt: skip
        if turn % 19 != 18:
            commands.edit_label(
                intent=Intent(author=(ana if edit["op"] == "set_status" else ben).id), edits=[edit], **here
            )
        found = queries.find_label(target, "ground-truth", person=ana.id)
        states[found.head] = found.state
    return log, states


def test_every_state_is_what_was_lived_with_and_without_snapshots(lived):
    log, states = lived
    stream = next(iter(states.values())).stream
    for _ in range(2):
        for offset, state in states.items():
            assert queries.label_at(log, stream, offset) == state
            assert queries.label_at_version(log, stream, state.version) == state
        catch_up(log)
    kept = LabelSnapshot.objects.filter(dataset_id=log)
    assert kept.count() == max(state.version for state in states.values()) // 7
    for row in kept:
        events = list(store.read_stream(log, stream, up_to=row.last_offset))
        whole = label_state.fold(LabelState(log, stream), events)
        assert unpacked(log, stream, row.state) == whole and packed(whole) == row.state


def test_a_read_of_the_past_takes_a_short_tail(lived, monkeypatch):
    log, states = lived
    catch_up(log)
    stream = next(iter(states.values())).stream
    read: list[int] = []
    reading = store.read_stream

    def counted(*args: Any, **keywords: Any) -> Any:
        found = list(reading(*args, **keywords))
        read.append(len(found))
        return iter(found)

    monkeypatch.setattr(store, "read_stream", counted)
    for offset in states:
        queries.label_at(log, stream, offset)
    assert max(read) < 7


def test_rebuilt_snapshots_equal_live_ones(lived):
    log, _ = lived
    found = catch_up(log)
    before = list(LabelSnapshot.objects.filter(dataset_id=log).order_by("version").values())
    assert rebuild.compared_catch_up(found, log) == {}
    LabelSnapshot.objects.filter(dataset_id=log, version=14).update(state="{}")
    assert list(rebuild.compared_catch_up(found, log)) == ["labeling_labelsnapshot"]
    LabelSnapshot.objects.filter(dataset_id=log, version=14).update(state=before[1]["state"])


def test_a_sequence_comes_back_with_its_tracks(dataset, person, sample, monkeypatch):
    monkeypatch.setattr(queries, "EVERY", 2)
    ana = person("ana")
    log = dataset(ana, "image-vector-sequence")
    target = sample(
        log, ana, attributes={"frames": [{"image": {"url": f"https://example.org/{n}.png"}} for n in range(4)]}
    )
    for number in range(1, 4):
        edit = {"op": "add_track", "frame": 0, "category_id": 1, "geometry": {"type": "point", "points": [[number, 1]]}}
        found = commands.edit_label(intent=Intent(author=ana.id), sample=target, label_set="ground-truth", edits=[edit])
    catch_up(log)
    state = queries.label_at(log, found.state.stream, found.offset)
    assert state == queries.find_label(target, "ground-truth", person=ana.id).state
    assert len(task_type("image-vector-sequence").render(state)["frames"][0]["annotations"]) == 3
