"""Lists and labels as they were: what was recorded live over many random commands is had again at every offset."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest

from labeling.commands import datasets, labels, samples
from labeling.errors import PalimpsestError
from labeling.log import store, values
from labeling.log.event import Intent
from labeling.log.projector import catch_up
from labeling.models import LabelSet, Sample
from labeling.queries import datasets as dataset_queries
from labeling.queries import labels as label_queries
from labeling.queries import past, sample_pages
from labeling.queries.sample_pages import LABEL_UPDATED_AT, Wanted
from labeling.queries.samples import state_of
from tests.support.installation import is_full

JSON = dict[str, Any]

#: Commands; each makes an offset or more.
COMMANDS = 1000 if is_full() else 80
#: Of how many moments one has its lists compared.
EACH_LISTS = 16 if is_full() else 1
PAGE = 5
SHOWN = ("id", "name", "metadata", "priority", "assigned_labeler", "version", "last_offset", "created_offset")


class Lived:
    """A dataset that somebody works on at random, and everything that was read of it at each offset."""

    def __init__(self, ana: Any, ben: Any, log: uuid.UUID, seed: int) -> None:
        self.ana, self.ben, self.log, self.dice = ana, ben, log, random.Random(seed)
        self.moments: dict[int, JSON] = {}
        self.samples: list[uuid.UUID] = []
        self.lists: list[JSON] = [
            {"order": "created_at"}, {"order": "created_at", "down": True}, {"order": "name"},
            {"order": "priority", "down": True}, {"order": LABEL_UPDATED_AT}, {"order": LABEL_UPDATED_AT, "down": True},
            {"name_part": "1"}, {"metadata": (({"take": 2},),)}, {"statuses": ("LABELED",)},
            {"statuses": sample_pages.statuses_stored(["UNLABELED", "REVIEWED"])},
        ]  # fmt: skip

    def by(self, person: Any = None) -> Intent:
        return Intent(author=(person or self.ana).id)

    def step(self) -> None:
        """One random command; some are refused, which is as well."""
        dice = self.dice
        what = dice.random()
        sample = dice.choice(self.samples) if self.samples else None
        try:
            if sample is None or what < 0.06:
                item = samples.checked_sample(
                    {"name": f"{dice.randrange(10**6)}.png", "attributes": {"image": {"url": ""}},
                     "metadata": {"take": dice.randrange(3)}, "priority": dice.randrange(4)}
                )  # fmt: skip
                self.samples += samples.add_samples(
                    intent=self.by(), dataset=self.log, items=[item], keep_existing=False
                )
            elif what < 0.1:
                samples.archive_samples(intent=self.by(), dataset=self.log, samples=[sample])
            elif what < 0.2:
                changes = {"name": f"{dice.randrange(10**6)}.png", "priority": dice.randrange(4)}
                changes |= {"metadata": {"take": dice.randrange(3)}} if dice.random() < 0.5 else {}
                samples.change_sample(intent=self.by(), sample=sample, changes=changes)
            elif what < 0.24:
                datasets.change_dataset(
                    intent=self.by(), dataset=self.log, changes={"readme": str(dice.random())}, task_attributes=...
                )
            elif what < 0.3:
                labels.delete_label(intent=self.by(), sample=sample, label_set="ground-truth")
            else:
                self._edit(sample)
        except PalimpsestError:
            pass

    def _edit(self, sample: uuid.UUID) -> None:
        dice = self.dice
        found = label_queries.find_label(sample, "ground-truth", person=self.ana.id)
        numbers = [item["id"] for item in found.state.annotations.values()]
        box = {"type": "bbox", "points": [[dice.random() * 100, 2.5], [200 + dice.random(), 1e22]]}
        edit: JSON = {"op": "add", "category_id": 1, "geometry": box}
        if numbers and dice.random() < 0.6:
            edit = dice.choice([
                {"op": "set_geometry", "annotation": dice.choice(numbers), "geometry": box},
                {"op": "remove", "annotation": dice.choice(numbers)},
                {"op": "set_status", "verb": dice.choice(["accept", "submit", "reject"])},
            ])  # fmt: skip
        labels.edit_label(intent=self.by(), sample=sample, label_set="ground-truth", edits=[edit])

    # --- what is read ---------------------------------------------------------------------------------------------

    def wanted(self, kind: JSON, truth: uuid.UUID) -> Wanted:
        said: JSON = {"label_set": truth, "ground_truth": truth} | kind
        return Wanted(**said)

    def record(self) -> None:
        """Read all of it from today's rows."""
        offset = store.head(self.log)
        truth = LabelSet.objects.get(dataset_id=self.log, kind="ground-truth").id
        lists = []
        for kind in self.lists:
            wanted = self.wanted(kind, truth)
            first = sample_pages.page_of_samples(self.log, wanted, limit=PAGE)
            second = sample_pages.page_of_samples(self.log, wanted, limit=PAGE, skip=2)
            behind = sample_pages.page_of_samples(self.log, wanted, limit=PAGE, after=first[-1].id) if first else []
            lists.append([[shown(state_of(row)) for row in page] for page in (first, second, behind)])
        live = Sample.objects.filter(dataset_id=self.log, archived=False).values_list("id", flat=True)
        states = label_queries.labels_of_samples(
            list(live), truth, "", dataset=self.log, task_type="vector", full=True, named=False
        )
        self.moments[offset] = {
            "lists": lists,
            "labels": {sample: found.state for sample, found in states.items()},
            "dataset": dataset_queries.state_of(self.log).readme,
        }

    def check(self) -> int:
        """Read all of it again, of every offset; how often something was compared."""
        truth = LabelSet.objects.get(dataset_id=self.log, kind="ground-truth").id
        compared = 0
        for number, (offset, then) in enumerate(self.moments.items()):
            # A list of then folds every sample, so that all lists of all moments would take hours.
            lists = [] if number % EACH_LISTS else [*zip(self.lists, then["lists"], strict=True)]
            for kind, (first, second, behind) in lists:
                wanted = self.wanted(kind, truth)
                found = past.page_as_of(self.log, wanted, offset, limit=PAGE)
                assert [shown(item) for item in found] == first, (offset, kind)
                found = past.page_as_of(self.log, wanted, offset, limit=PAGE, skip=2)
                assert [shown(item) for item in found] == second, (offset, kind)
                if first:
                    after = first[-1]["id"]
                    found = past.page_as_of(self.log, wanted, offset, limit=PAGE, after=after)
                    assert [shown(item) for item in found] == behind, (offset, kind)
                compared += 3
            there = [item.id for item in past.samples_as_of(self.log, offset)]
            were = past.labels_as_of(self.log, truth, there, offset)
            assert were == then["labels"], offset
            stand = past.standings(self.log, truth, offset)
            assert {key: stand[key].status for key in were} == {key: state.status for key, state in were.items()}
            assert dataset_queries.state_at(self.log, offset).readme == then["dataset"]
            compared += len(were) + 1
        return compared


def shown(item: Any) -> JSON:
    found = {name: getattr(item, name) for name in SHOWN}
    return found | {"metadata": values.canonical(found["metadata"])}


@pytest.mark.parametrize("seed", [1, 2] if is_full() else [1])
def test_every_offset_shows_what_was_recorded_live_with_and_without_snapshots(dataset, person, monkeypatch, tell, seed):
    monkeypatch.setattr(label_queries, "EVERY", 9)
    monkeypatch.setattr(past, "EVERY", 9)
    monkeypatch.setattr(past, "BATCH", 4)
    ana, ben = person("ana"), person("ben")
    lived = Lived(ana, ben, dataset(ana, labelers=(ben,)), seed)
    for number in range(COMMANDS):
        lived.step()
        if number % (8 if is_full() else 4) == 0:
            lived.record()
    without = lived.check()
    catch_up(lived.log)
    assert lived.check() == without > 300
    tell(f"{len(lived.moments)} offsets of {store.head(lived.log)}, {without} answers compared twice")
