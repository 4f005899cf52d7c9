"""Applying the difference between any two moments to the first gives the second, whatever happened in between."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from labeling import events as e
from labeling.commands import datasets, labels, restoring, samples
from labeling.commands.restoring import Past
from labeling.errors import PalimpsestError
from labeling.log import store
from labeling.log.event import Fact, Intent
from labeling.models import Dataset, LabelSet, Sample
from labeling.queries import samples as sample_queries
from labeling.rules.dataset_state import GROUND_TRUTH
from labeling.rules.sample_state import SampleState, sample_stream
from releases.choice import EVERYTHING, Choice
from releases.differences import Comparison, Side, contents, first_unequal
from sequences.commands import change_frames
from tests.conftest import MakeDataset
from tests.support.installation import is_full

JSON = dict[str, Any]
Make = Callable[..., Any]

CHOICES = [
    EVERYTHING,
    Choice(filter={"status": ["LABELED", "UNLABELED"]}),
    Choice(filter={"label_sets": [GROUND_TRUTH]}),
    Choice(filter={"samples": ["*1*", "*3*"]}, category_map={"merge": {"1": 3}, "rename": {"3": "thing"}}),
    Choice(filter={"metadata": {"night": True}}, category_map={"drop": [2]}),
]
SEQUENCE = "image-vector-sequence"
NUMBERS = st.integers(0, 6)


def leads_there_and_back(dataset: uuid.UUID, one: Side, other: Side) -> None:
    """The difference applied to the one side gives the other, that back gives the one, and both tell the same."""
    assert first_unequal(Comparison(dataset, one, other)) is None
    assert first_unequal(Comparison(dataset, other, one)) is None
    there, back = (list(Comparison(dataset, *pair).entries()) for pair in ((one, other), (other, one)))
    swapped = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [
        (entry["stream"], entry["gone_with"], entry["events"], change["what"], change["before"], change["after"],
         change["change"])
        for entry in there for change in entry["changes"]
    ] == [
        (entry["stream"], entry["gone_with"], entry["events"], change["what"], change["after"], change["before"],
         swapped[change["change"]])
        for entry in back for change in entry["changes"]
    ]  # fmt: skip
    assert list(Comparison(dataset, one, one).entries()) == []
    if there:
        middle = there[len(there) // 2]["stream"]
        behind = [entry for entry in there if entry["stream"] > middle]
        assert list(Comparison(dataset, one, other).entries(after=middle)) == behind


class Work(RuleBasedStateMachine):
    """Somebody does what one does with a dataset; now and then two moments of it are compared."""

    ana: Any
    make: MakeDataset

    @initialize(task_type=st.sampled_from(["vector", SEQUENCE]))
    def begin(self, task_type: str) -> None:
        self.is_sequence = task_type == SEQUENCE
        self.dataset = self.make(self.ana, task_type, reasons_required=[])
        self.deleted: list[uuid.UUID] = []
        self.count = 0
        self.add_label_set()
        for number in range(3):
            self.add_sample()
            for label_set in (0, 1):
                self.label(number, number, label_set)
        self.begun = store.head(self.dataset)

    # --- samples -----------------------------------------------------------------------------------------------------

    def there(self, number: int) -> Sample | None:
        rows = list(Sample.objects.filter(dataset_id=self.dataset, archived=False).order_by("created_offset"))
        return rows[number % len(rows)] if rows else None

    @rule()
    def add_sample(self) -> None:
        self.count += 1
        image = {"image": {"url": f"https://example.org/{self.count}.png"}}
        attributes = {"frames": [image] * 5} if self.is_sequence else image
        item = samples.checked_sample(
            {"name": f"{self.count}.png", "attributes": attributes, "metadata": {"night": self.count % 2 == 0}}
        )
        samples.add_samples(intent=self.by, dataset=self.dataset, items=[item], keep_existing=False)

    @property
    def by(self) -> Intent:
        return Intent(author=self.ana.id)

    @rule(number=NUMBERS)
    def delete_sample(self, number: int) -> None:
        sample = self.there(number)
        if sample is not None:
            samples.archive_sample(intent=self.by, sample=sample.id)
            self.deleted.append(sample.id)

    @precondition(lambda self: self.deleted)
    @rule(number=NUMBERS)
    def bring_a_sample_back(self, number: int) -> None:
        """No command does so yet; a log may hold it, and then it is told."""
        key = self.deleted.pop(number % len(self.deleted))
        state: SampleState = sample_queries.sample_at(self.dataset, key, store.head(self.dataset))
        fact = e.SampleAdded(
            sample=str(key), **{name: getattr(state, name) for name in ("name", "attributes", "metadata", "priority")}
        )
        triples: list[tuple[str, int, Fact]] = [(sample_stream(key), state.version, fact)]
        samples.append_streams(self.dataset, self.by, triples, {state.stream: state}, None)

    @rule(number=NUMBERS, what=st.sampled_from(["name", "metadata", "priority", "readme", "attributes"]))
    def change_sample(self, number: int, what: str) -> None:
        sample = self.there(number)
        self.count += 1
        if sample is None or (what == "attributes" and self.is_sequence):
            return
        changes = {
            "name": f"renamed {self.count}.png", "metadata": {"night": bool(self.count % 2)}, "priority": self.count,
            "readme": f"look {self.count}", "attributes": {"image": {"url": f"https://example.org/{self.count}.jpg"}},
        }  # fmt: skip
        samples.change_sample(intent=self.by, sample=sample.id, changes={what: changes[what]})

    @rule(number=NUMBERS, what=st.sampled_from(["add", "move", "remove"]), frame=st.integers(0, 3))
    def rearrange_frames(self, number: int, what: str, frame: int) -> None:
        sample = self.there(number)
        if sample is None or not self.is_sequence:
            return
        edit: JSON = {"op": what, "frame": frame}
        if what == "add":
            edit |= {"frames": [{"image": {"url": "https://example.org/more.png"}}]}
        elif what == "move":
            edit |= {"to": 3 - frame}
        self.tried(lambda: change_frames(intent=self.by, sample=sample.id, edits=[edit]))

    # --- labels ------------------------------------------------------------------------------------------------------

    def tried(self, act: Callable[[], Any]) -> None:
        """Do something that may be refused, which then changes nothing."""
        head = store.head(self.dataset)
        try:
            act()
        except PalimpsestError:
            assert store.head(self.dataset) == head

    def label_set(self, number: int) -> str:
        sets = LabelSet.objects.filter(dataset_id=self.dataset, archived=False).order_by("created_at")
        names = list(sets.values_list("name", flat=True))
        return names[number % len(names)]

    def edit(self, number: int, label_set: int, edit: JSON) -> None:
        sample = self.there(number)
        if sample is not None:
            self.tried(
                lambda: labels.edit_label(
                    intent=self.by, sample=sample.id, label_set=self.label_set(label_set), edits=[edit]
                )
            )

    @rule(number=NUMBERS, x=NUMBERS, label_set=NUMBERS)
    def label(self, number: int, x: int, label_set: int) -> None:
        geometry = {"type": "bbox", "points": [[x, 0], [x + 9, 9]]}
        op = {"op": "add_track", "frame": x % 4} if self.is_sequence else {"op": "add"}
        self.edit(number, label_set, op | {"category_id": 1 + x % 3, "geometry": geometry})

    @rule(number=NUMBERS, x=NUMBERS, what=st.sampled_from(["shape", "category", "remove", "split", "merge"]),
          which=st.integers(1, 3), label_set=NUMBERS)  # fmt: skip
    def change_object(self, number: int, x: int, what: str, which: int, label_set: int) -> None:
        geometry = {"type": "bbox", "points": [[x, 5], [x + 7, 30]]}
        if self.is_sequence:
            edit: JSON = {
                "shape": {"op": "set_keyframe", "frame": x % 4, "geometry": geometry},
                "category": {"op": "set_category", "category_id": 1 + x % 3},
                "remove": {"op": "remove_track"},
                "split": {"op": "split_track", "frame": x % 4},
                "merge": {"op": "merge_tracks", "source": 1 + x % 3},
            }[what]
            self.edit(number, label_set, edit | {"track": which})
        else:
            edit = {
                "shape": {"op": "set_geometry", "geometry": geometry},
                "category": {"op": "set_category", "category_id": 1 + x % 3},
            }.get(what, {"op": "remove"})
            self.edit(number, label_set, edit | {"annotation": which})

    @rule(number=NUMBERS, verb=st.sampled_from(["submit", "accept", "reject", "skip"]), label_set=NUMBERS)
    def judge(self, number: int, verb: str, label_set: int) -> None:
        self.edit(number, label_set, {"op": "set_status", "verb": verb})

    @rule(number=NUMBERS, label_set=NUMBERS)
    def delete_label(self, number: int, label_set: int) -> None:
        sample = self.there(number)
        if sample is not None:
            name = self.label_set(label_set)
            self.tried(lambda: labels.delete_label(intent=self.by, sample=sample.id, label_set=name))

    @rule(number=NUMBERS, share=st.floats(0, 1))
    def restore_label(self, number: int, share: float) -> None:
        sample = self.there(number)
        if sample is not None:
            offset = round(share * store.head(self.dataset))
            past = Past({"kind": "label", "at": offset}, offset=offset)
            self.tried(
                lambda: restoring.restore_label(
                    intent=self.by, sample=sample.id, label_set=GROUND_TRUTH, past=past, on_conflict="skip"
                )
            )

    # --- the dataset -------------------------------------------------------------------------------------------------

    @rule()
    def add_label_set(self) -> None:
        self.count += 1
        datasets.add_label_set(intent=self.by, dataset=self.dataset, name=f"model-{self.count}", description="")

    @rule(number=NUMBERS)
    def archive_label_set(self, number: int) -> None:
        name = self.label_set(number)
        if name != GROUND_TRUTH:
            datasets.archive_label_set(intent=self.by, dataset=self.dataset, name=name)

    @rule(number=NUMBERS, what=st.sampled_from(["rename", "add", "recolour"]))
    def change_categories(self, number: int, what: str) -> None:
        self.count += 1
        document = Dataset.objects.get(id=self.dataset).task_attributes
        listed = [dict(item) for item in document["categories"]]
        if what == "add":
            listed.append({"id": 100 + self.count, "name": f"kind {self.count}"})
        elif what == "rename":
            listed[number % len(listed)]["name"] = f"name {self.count}"
        else:
            listed[number % len(listed)]["color"] = [number, 2, 3]
        changes = {"readme": f"{self.count}"} if number == 0 else {}
        datasets.change_dataset(
            intent=self.by, dataset=self.dataset, changes=changes, task_attributes=document | {"categories": listed}
        )

    # --- what holds --------------------------------------------------------------------------------------------------

    @rule(one=st.floats(0, 1), other=st.floats(0, 1), choices=st.tuples(*[st.sampled_from(CHOICES)] * 2))
    def compare(self, one: float, other: float, choices: tuple[Choice, Choice]) -> None:
        head = store.head(self.dataset)
        pair = [Side(max(2, round(share * head)), choice) for share, choice in zip((one, other), choices, strict=True)]
        leads_there_and_back(self.dataset, pair[0], pair[1])

    def teardown(self) -> None:
        if not hasattr(self, "begun"):
            return
        head = store.head(self.dataset)
        middle = (self.begun + head) // 2
        for first, last in ((0, head), (self.begun, middle), (self.begun, head), (middle, head)):
            leads_there_and_back(self.dataset, Side(first), Side(last))


def test_the_difference_leads_from_any_moment_to_any_other(person: Make, dataset: MakeDataset) -> None:
    ana = person("ana")
    work = type("Work", (Work,), {"ana": ana, "make": staticmethod(dataset)})
    some = settings(
        max_examples=150 if is_full() else 16,
        stateful_step_count=50 if is_full() else 16,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(work, settings=some)


# --- what it tells of a sample that goes, or comes back -------------------------------------------------------------


@pytest.fixture
def street(person: Make, dataset: MakeDataset, sample: Make, label: Make) -> Any:
    """A dataset with two samples, of which one is deleted behind `then`, and a label set that is archived later."""
    ana = person("ana")
    made = dataset(ana)
    first, second = (sample(made, ana, name=name) for name in ("a.png", "b.png"))
    by = Intent(author=ana.id)
    datasets.add_label_set(intent=by, dataset=made, name="model", description="")
    for each in (first, second):
        label(each, ana)
    label(second, ana, label_set="model")

    class Street:
        id, then, sample, owner = made, store.head(made), first, ana

    samples.archive_sample(intent=Intent(author=ana.id), sample=first)
    return Street()


def test_a_sample_goes_and_comes_with_every_object_of_its_labels(street: Any) -> None:
    head = store.head(street.id)
    label, sample = Comparison(street.id, Side(street.then), Side(head)).entries()
    assert (label["gone_with"], label["events"], label["event_count"]) == ("sample", [head], 1)
    assert [(change["what"].partition(":")[0], change["change"]) for change in label["changes"]] == [
        ("label", "removed"), ("annotation", "removed"),
    ]  # fmt: skip
    assert (sample["changes"][0]["change"], sample["events"]) == ("removed", [head])
    back = list(Comparison(street.id, Side(head), Side(street.then)).entries())
    assert [change["change"] for entry in back for change in entry["changes"]] == ["added"] * 3
    leads_there_and_back(street.id, Side(street.then), Side(head))


def test_a_sample_that_a_log_brings_back_is_told_with_its_objects(street: Any) -> None:
    gone = store.head(street.id)
    state = sample_queries.sample_at(street.id, street.sample, gone)
    fact = e.SampleAdded(sample=str(street.sample), name=state.name, attributes=state.attributes)
    triples: list[tuple[str, int, Fact]] = [(state.stream, state.version, fact)]
    samples.append_streams(street.id, Intent(author=street.owner.id), triples, {state.stream: state}, None)
    label, sample = Comparison(street.id, Side(gone), Side(gone + 1)).entries()
    assert (label["gone_with"], label["events"], sample["changes"][0]["change"]) == ("sample", [gone + 1], "added")
    assert {change["change"] for change in label["changes"]} == {"added"}
    leads_there_and_back(street.id, Side(gone), Side(gone + 1))


def test_a_label_set_goes_with_its_labels(street: Any) -> None:
    before = store.head(street.id)
    datasets.archive_label_set(intent=Intent(author=street.owner.id), dataset=street.id, name="model")
    found = list(Comparison(street.id, Side(before), Side(before + 1)).entries())
    assert [(entry["stream"].split("/")[0], entry["gone_with"]) for entry in found] == [
        ("dataset", None), ("label", "label_set"),
    ]  # fmt: skip
    assert [item["change"] for item in found[0]["changes"][0]["label_sets"]] == ["removed"]
    leads_there_and_back(street.id, Side(before), Side(before + 1))


def test_what_is_not_equal_is_named(street: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = Comparison(street.id, Side(street.then), Side(store.head(street.id)))
    held = dict(contents(street.id, compared.one))
    assert sum(stream.startswith("label/") for stream in held) == 3
    entries = list(compared.entries())
    monkeypatch.setattr(Comparison, "entries", lambda self: iter(entries[1:]))
    assert first_unequal(compared) == entries[0]["stream"]
