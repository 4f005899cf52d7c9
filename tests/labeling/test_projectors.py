"""Work units from a real log: page by page, again, and read as far as the log goes."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from labeling.commands import datasets, issues, labels
from labeling.commands.labels import Seen
from labeling.log import projector, rebuild, store
from labeling.models import LastSignal, UnsavedWork, WorkUnit
from labeling.projectors import WorkUnits
from labeling.queries import work_units as queries

JSON = dict[str, Any]
BOX: JSON = {"op": "add", "id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}


class Street:
    """A dataset with two samples, where Ana is admin, Ben labeler and Rea reviewer."""

    def __init__(self, people: dict[str, Any], dataset: uuid.UUID, samples: list[uuid.UUID], intent: Any) -> None:
        self.people, self.id, self.samples, self.intent = people, dataset, samples, intent

    def edit(self, by: str, *edits: JSON, on: int = 0, **intent: Any) -> None:
        labels.edit_label(
            intent=self.intent(self.people[by], **intent),
            sample=self.samples[on],
            label_set="ground-truth",
            edits=list(edits),
        )

    def say(self, by: str, verb: str, on: int = 0, **more: Any) -> None:
        self.edit(by, {"op": "set_status", "verb": verb, **more}, on=on)

    def upload(self, by: str, on: int = 0, **intent: Any) -> None:
        labels.save_label(
            intent=self.intent(self.people[by], **intent),
            sample=self.samples[on],
            label_set="ground-truth",
            document={"annotations": []},
            create=True,
            seen=Seen(),
        )

    @property
    def units(self) -> list[tuple[str, str, str | None]]:
        """(who, kind of work, status left behind) of each unit, oldest first."""
        names = {person.id: name for name, person in self.people.items()}
        rows = WorkUnit.objects.filter(dataset_id=self.id).order_by("created_at", "last_offset")
        return [(names[row.author], row.work_type, row.next_label_status) for row in rows]

    def rows(self) -> list[list[JSON]]:
        models: tuple[Any, ...] = (WorkUnit, UnsavedWork, LastSignal)
        return [list(model.objects.filter(dataset_id=self.id).order_by("id").values()) for model in models]


@pytest.fixture
def street(person, intent, dataset, sample) -> Street:
    people = {name: person(name) for name in ("ana", "ben", "rea")}
    made = dataset(people["ana"], labelers=(people["ben"],))
    datasets.add_member(intent=intent(people["ana"]), dataset=made, person=people["rea"].id, role="reviewer")
    return Street(people, made, [sample(made, people["ana"]) for _ in range(2)], intent)


@pytest.fixture
def worked(street) -> Street:
    """The street after a round of labeling, review and rework."""
    street.upload("ana", on=1, tool="python-sdk")
    street.edit("ben", BOX)
    street.edit("ben", {"op": "set_category", "annotation": 1, "category_id": 2})
    issue = issues.open_issue(
        intent=street.intent(street.people["rea"]), sample=street.samples[0], fields={"description": "?"}
    )
    street.say("ben", "submit")
    street.say("rea", "reject")
    issues.comment_on_issue(intent=street.intent(street.people["ben"]), issue=issue, text="!")
    street.edit(
        "ben", {"op": "set_category", "annotation": 1, "category_id": 1}, {"op": "set_status", "verb": "submit"}
    )
    street.say("rea", "accept")
    street.edit("ana", {"op": "set_category", "annotation": 1, "category_id": 3})
    street.edit("ben", BOX, on=1)
    return street


def test_a_round_of_labeling_makes_a_unit_for_each_save(worked):
    projector.catch_up(worked.id)
    assert worked.units == [
        ("ben", "label", "LABELING_IN_PROGRESS"),
        ("ben", "label", "LABELED"),
        ("rea", "review", "REJECTED"),
        ("ben", "label", "LABELED"),
        ("rea", "review", "REVIEWED"),
        ("ana", "normal", None),
    ]
    waiting = UnsavedWork.objects.get(dataset_id=worked.id)
    assert (waiting.author, waiting.sample_id) == (worked.people["ben"].id, worked.samples[1])
    assert {row.author for row in LastSignal.objects.filter(dataset_id=worked.id)} == {
        person.id for person in worked.people.values()
    }


def test_the_times_of_one_person_add_up_to_what_passed_by_the_clock_of_the_log(worked):
    projector.catch_up(worked.id)
    ben = worked.people["ben"].id
    signals = [
        event.recorded_at
        for event in store.read(worked.id, author=ben)
        if event.stream.startswith(("label/", "issue/")) and event.recorded_at is not None
    ]
    spent: list[Any] = [*WorkUnit.objects.filter(author=ben), *UnsavedWork.objects.filter(author=ben)]
    assert sum(row.active_us for row in spent) == (signals[-1] - signals[0]) // dt.timedelta(microseconds=1) > 0
    assert sum(row.inactive_us for row in spent) == 0
    first = WorkUnit.objects.filter(author=ben).order_by("last_offset")[0]
    assert (first.active_us, first.gaps) == (0, 0), "a first signal alone has no measurable time"


@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_pages_of_any_size_give_the_same_rows(worked, monkeypatch, page):
    projector.catch_up(worked.id)
    whole = worked.rows()
    monkeypatch.setattr(store.reading, "PAGE", page)
    projector.rebuild_catch_up(WorkUnits(), worked.id)
    assert worked.rows() == whole


def test_catching_up_event_by_event_gives_what_a_rebuild_gives(street, monkeypatch):
    street.edit("ben", BOX)
    for _ in range(3):
        projector.catch_up(street.id)
        street.edit("ben", {"op": "set_category", "annotation": 1, "category_id": 2})
        projector.catch_up(street.id)
        street.edit(
            "ben", {"op": "set_category", "annotation": 1, "category_id": 1}, {"op": "set_status", "verb": "submit"}
        )
        projector.catch_up(street.id)
        street.say("rea", "reject")
    projector.catch_up(street.id)
    assert rebuild.compared_catch_up(WorkUnits(), street.id) == {}
    assert len(street.units) == 7


def test_rebuilding_by_its_name_gives_the_same_and_leaves_other_datasets_alone(worked, dataset, sample, intent):
    other = Street(worked.people, dataset(worked.people["ana"]), [], intent)
    other.samples = [sample(other.id, worked.people["ana"])]
    other.edit("ana", BOX)
    for street in (worked, other):
        projector.catch_up(street.id)
    before = worked.rows(), other.rows()
    call_command("rebuild", "workunits", dataset=str(worked.id))
    assert (worked.rows(), other.rows()) == before and len(other.units) == 1


@pytest.mark.parametrize("table", list(WorkUnits.tables))
def test_verify_finds_a_row_that_somebody_changed(worked, table):
    projector.catch_up(worked.id)
    assert rebuild.compared_catch_up(WorkUnits(), worked.id) == {}
    column = "at = at + interval '1 second'" if table == "labeling_lastsignal" else "active_us = active_us + 1"
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} WHERE dataset_id = %s", [worked.id])
    assert list(rebuild.compared_catch_up(WorkUnits(), worked.id)) == [table]


def test_who_runs_the_installation_edits_without_a_role(street, person):
    street.people["root"] = person("root", superuser=True)
    street.edit("ana", BOX)
    street.edit("root", {"op": "set_category", "annotation": 1, "category_id": 2})
    projector.catch_up(street.id)
    assert street.units[-1] == ("root", "normal", None)


def test_uploads_of_programs_are_no_work_and_those_of_a_persons_tool_are(street):
    street.upload("ben", tool="python-sdk")
    street.upload("ben", on=1, tool="drawing-tool")
    projector.catch_up(street.id)
    assert street.units == [("ben", "normal", "PRELABELED")]


# --- reading -------------------------------------------------------------------------------------------------------


def read(street: Street, **options: Any) -> list[Any]:
    known = {"author": None, "start": None, "end": None, "newest_first": False, "limit": 1000, "skip": 0}
    return queries.work_units(street.id, **known | options)


def test_units_are_read_by_time_by_author_and_in_pages(worked):
    projector.catch_up(worked.id)
    everything = read(worked)
    assert len(everything) == 6
    assert read(worked, newest_first=True) == everything[::-1]
    assert [item.unit.id for item in read(worked, limit=2, skip=3)] == [item.unit.id for item in everything[3:5]]
    assert [item.author for item in read(worked, author=worked.people["rea"].id)] == ["rea", "rea"]
    assert {item.label_set for item in everything} == {"ground-truth"}
    for cut in [item.unit.created_at for item in everything]:
        before, after = read(worked, end=cut), read(worked, start=cut)
        assert [item.unit.id for item in before + after] == [item.unit.id for item in everything]
    assert read(worked, start=dt.datetime(2200, 1, 1, tzinfo=dt.UTC)) == []


def test_work_on_a_deleted_sample_still_counts(worked, intent):
    from labeling.commands import samples

    samples.archive_sample(intent=intent(worked.people["ana"]), sample=worked.samples[0])
    projector.catch_up(worked.id)
    assert len(read(worked)) == 6 and rebuild.compared_catch_up(WorkUnits(), worked.id) == {}


def test_a_reader_brings_the_projection_up_and_a_far_too_long_way_is_left_to_the_actors(worked):
    head = store.head(worked.id)
    assert projector.bring_up("workunits", worked.id, most=head - 1) == 0
    assert worked.units == []
    assert projector.bring_up("workunits", worked.id, most=head) == head
    assert len(worked.units) == 6
    assert projector.bring_up("workunits", worked.id, most=0) == head, "nothing is left to do"
    assert projector.checkpoint("contributions", worked.id) == 0, "only what was asked for"
