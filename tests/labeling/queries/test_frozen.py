"""Many samples with their labels at an offset: what one finds one by one, however the pages of the log are cut."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest

from labeling.commands import labels as commands
from labeling.commands import samples as sample_commands
from labeling.log import projector, store
from labeling.log.event import Intent
from labeling.log.store import reading
from labeling.models import LabelSet, LabelSnapshot
from labeling.queries import datasets, frozen, labels, samples
from labeling.queries.frozen import NotFolded, frozen_samples
from labeling.rules import label_state
from labeling.rules.label_ids import label_stream
from labeling.rules.sample_state import SampleState
from tests.support.installation import is_full

JSON = dict[str, Any]


@pytest.fixture
def lived(dataset, person, sample) -> tuple[uuid.UUID, list[uuid.UUID]]:
    """A dataset of eleven samples whose labels were edited in turns, one often, some never; one sample was archived."""
    ana = person("ana")
    log = dataset(ana)
    targets = [sample(log, ana, name=f"{n}.jpg") for n in range(11)]
    dice = random.Random(3)
    for turn in range(60):
        target = (
            targets[0] if turn % 2 else dice.choice([item for n, item in enumerate(targets[:8]) if n != 4 or turn < 30])
        )
        box = {"type": "bbox", "points": [[turn, 2.5], [turn + dice.random(), 90]]}
        edit: JSON = {"op": "add", "category_id": 1, "geometry": box}
        commands.edit_label(intent=Intent(author=ana.id), sample=target, label_set="ground-truth", edits=[edit])
        if turn == 30:
            sample_commands.change_sample(
                intent=Intent(author=ana.id), sample=targets[3], changes={"metadata": {"a": 1}}
            )
            sample_commands.archive_sample(intent=Intent(author=ana.id), sample=targets[4])
    return log, targets


def one_by_one(log: uuid.UUID, targets: list[uuid.UUID], offset: int) -> list[tuple[SampleState, Any]]:
    [truth] = LabelSet.objects.filter(dataset_id=log, kind="ground-truth").values_list("id", flat=True)
    found = [
        (samples.sample_at(log, target, offset), labels.label_at(log, label_stream(target, truth), offset))
        for target in targets
    ]
    return [pair for pair in found if pair[0].version]


def together(log: uuid.UUID, offset: int, **more: Any) -> list[tuple[SampleState, Any]]:
    [truth] = LabelSet.objects.filter(dataset_id=log, kind="ground-truth").values_list("id", flat=True)
    found = frozen_samples(log, offset=offset, label_sets=[truth], **more)
    return [(item.sample, item.labels[truth]) for item in found]


#: (events, bytes) of a page: each of either in a quick run, each with each in a full one.
CUTS = [(1, 400), (2, 1), (3, 10**6), (7, 400), (1000, 1)]
ALL_CUTS = [(page, size_bytes) for page in (1, 2, 3, 7, 1000) for size_bytes in (1, 400, 10**6)]


@pytest.mark.parametrize("page, size_bytes", ALL_CUTS if is_full() else CUTS)
def test_states_do_not_depend_on_how_the_log_is_cut_into_pages(lived, monkeypatch, page, size_bytes):
    log, targets = lived
    monkeypatch.setattr(labels, "EVERY", 7)
    monkeypatch.setattr(reading, "PAGE", page)
    monkeypatch.setattr(frozen, "PAGE_BYTES", size_bytes)
    head = store.head(log)
    for turn in range(2):
        for offset in (1, head // 3, head // 2, head):
            wanted = one_by_one(log, targets, offset)
            assert together(log, offset) == wanted
            if turn == 0 and page == 3:
                monkeypatch.setattr(frozen, "TOGETHER", 2)
                monkeypatch.setattr(frozen, "LISTED", 3)
        projector.catch_up(log)
    assert LabelSnapshot.objects.filter(dataset_id=log).exists(), "the second turn began with snapshots"


def test_parts_of_a_dataset_are_together_the_whole(lived):
    log, targets = lived
    head = store.head(log)
    places, count = store.milestones(log, "SampleAdded", up_to=head, every=4)
    assert count == 11 and len(places) == 3
    parts = [
        item
        for after, up_to in zip([0, *places], places, strict=False)
        for item in together(log, head, after=after, up_to=up_to)
    ]
    assert parts == together(log, head) == one_by_one(log, targets, head)


def test_a_dataset_without_samples_has_no_milestones(dataset, person):
    log = dataset(person("ana"))
    assert store.milestones(log, "SampleAdded", up_to=store.head(log), every=4) == ([], 0)
    assert together(log, store.head(log)) == []


def test_what_cannot_be_folded_is_named(lived, monkeypatch):
    log, targets = lived
    truth = datasets.state_at(log, store.head(log)).label_sets

    def broken(*arguments: Any) -> None:
        raise KeyError("zebra")

    with monkeypatch.context() as patch:
        patch.setattr(label_state, "evolve", broken)
        with pytest.raises(NotFolded) as caught:
            together(log, store.head(log))
    assert (caught.value.sample, str(caught.value.label_set) in truth) == (targets[0], True)
    assert isinstance(caught.value.__cause__, KeyError)
