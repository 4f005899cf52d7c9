"""The audit reports over a scripted history, whose answers are known."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import uuid
from typing import Any

import pytest
from django.db import transaction

from labeling.audit import writing
from labeling.audit.asking import ask
from labeling.audit.catalogue import reports
from labeling.audit.report import Question
from labeling.commands import datasets, labels, people, security, undo
from labeling.commands.erasure import erase_person
from labeling.commands.guidelines import set_guideline
from labeling.commands.retention import place_hold
from labeling.events import DataPurged, FileErased
from labeling.log import store
from labeling.log.event import INSTALLATION
from labeling.models import Annotation, Person
from labeling.texts import destroy_key, encrypt

JSON = dict[str, Any]
MODEL = {"kind": "model", "model": "yolo", "version": "8", "run": "r1"}


def box(category: int, x: float = 1.0, **more: Any) -> JSON:
    return {"op": "add", "category_id": category, "type": "bbox", "points": [[x, 2], [x + 30, 40]]} | more


def say(verb: str, **more: Any) -> JSON:
    return {"op": "set_status", "verb": verb} | more


class History:
    """Ana owns, Ben labels, Rita reviews, and a model predicts: everything that the reports tell of, once."""

    def __init__(self, person: Any, dataset: Any, sample: Any, intent: Any) -> None:
        suffix = uuid.uuid4().hex[:6]
        self.ana, self.ben, self.rita = (person(f"{name}-{suffix}") for name in ("ana", "ben", "rita"))
        self.intent = intent
        self.id = dataset(self.ana, labelers=(self.ben,))
        datasets.add_member(intent=intent(self.ana), dataset=self.id, person=self.rita.id, role="reviewer")
        self.day, self.night = (
            sample(self.id, self.ana, name=f"{name}.png", metadata={"light": name}) for name in ("day", "night")
        )

    def edit(
        self, who: Person, *edits: JSON, sample: uuid.UUID | None = None, why: str = "", **fields: Any
    ) -> list[int]:
        """The offsets of what an edit appended."""
        before = store.head(self.id)
        labels.edit_label(
            intent=self.intent(who, reason=encrypt(why, person=who.id) if why else None, **fields),
            sample=sample or self.day,
            label_set="ground-truth",
            edits=list(edits),
        )
        return list(range(before + 1, store.head(self.id) + 1))

    def change(self, **changes: Any) -> None:
        """Ana changes the dataset."""
        more = {"task_attributes": changes.pop("task_attributes")} if "task_attributes" in changes else {}
        datasets.change_dataset(intent=self.intent(self.ana), dataset=self.id, changes=changes, **more)

    def keys(self) -> dict[int, str]:
        """{number: uuid} of the objects of the day's label that are there."""
        return {
            number: str(key) for number, key in Annotation.objects.filter(dataset_id=self.id).values_list("id", "uuid")
        }

    def rows(self, name: str, part: str = "", *, at: int | None = None, **options: Any) -> list[JSON]:
        question = Question(options={key: str(value) for key, value in options.items()})
        return [cells for of, cells in ask(reports("dataset")[name], self.id, question, at=at).rows if part in ("", of)]


@pytest.fixture
def history(person, dataset, sample, intent) -> History:
    return History(person, dataset, sample, intent)


def told(history: Any, name: str, form: str, **more: Any) -> bytes:
    asked = ask(reports("dataset")[name], history.id, Question(), **more)
    return b"".join(writing.pieces(asked, form))


# --- A1 to A3 --------------------------------------------------------------------------------------------------------


def test_the_event_explorer_tells_every_event_with_both_clocks_and_the_reason(history):
    then = dt.datetime(2026, 3, 3, 12, tzinfo=dt.UTC)
    session = uuid.uuid4()
    (*_, last) = history.edit(
        history.ben, box(1), why="it was missing", tool="pencil", occurred_at=then, work_session=session
    )
    rows = history.rows("events")
    assert [row["offset"] for row in rows] == list(range(1, store.head(history.id) + 1))
    row = rows[-1]
    assert (row["author"], row["tool"], row["occurred_at"], row["work_session"]) == (
        str(history.ben.id), "pencil", "2026-03-03T12:00:00.000000Z", str(session),
    )  # fmt: skip
    assert json.loads(told(history, "events", "json"))["rows"][-1]["reason"] == "it was missing"
    assert row["chain"] == store.chain_at(history.id, last).hex()
    mine = history.rows("events", author=history.ben.id)
    assert {item["author"] for item in mine} == {str(history.ben.id)}
    assert [item["type"] for item in history.rows("events", type="SampleAdded")] == ["SampleAdded"] * 2
    assert [item["offset"] for item in history.rows("events", tool="pencil")] == [item["offset"] for item in mine]


def test_the_history_of_a_record_has_each_value_before_and_after(history):
    history.edit(history.ben, box(1))
    key = history.keys()[1]
    history.edit(history.rita, {"op": "set_category", "annotation": key, "category_id": 2})
    history.edit(history.ben, {"op": "remove", "annotation": key})
    added, changed, removed = (row for row in history.rows("record", object=key, sample=history.day))
    assert added["before"] is None and json.loads(added["after"])["category_id"] == 1
    assert (json.loads(changed["before"]), json.loads(changed["after"])) == ({"category_id": 1}, {"category_id": 2})
    assert json.loads(removed["before"])["category_id"] == 2 and removed["after"] is None
    ben, rita = str(history.ben.id), str(history.rita.id)
    assert [row["author"] for row in (added, changed, removed)] == [ben, rita, ben]
    assert changed["sentence"] == "changed car 1 from car to person"
    of_night = [row for row in history.rows("record") if row["sample"] == str(history.night)]
    assert history.rows("record", sample=history.night) == of_night != []


def test_the_state_at_an_offset_is_what_it_was(history):
    history.edit(history.ben, box(1))
    then = store.head(history.id)
    before = history.rows("state", "labels")
    history.edit(history.ben, box(2))
    datasets.remove_member(intent=history.intent(history.ana), dataset=history.id, person=history.rita.id)
    assert history.rows("state", "labels", at=then) == before != history.rows("state", "labels")
    assert {row["role"] for row in history.rows("state", "members", at=then)} == {"admin", "labeler", "reviewer"}
    assert {row["role"] for row in history.rows("state", "members")} == {"admin", "labeler"}
    assert [row["objects"] for row in history.rows("state", "labels")] == [2]
    held = history.rows("state", "objects", sample=history.day)
    assert sorted(json.loads(row["held"])["category_id"] for row in held) == [1, 2]


# --- A4, A5, A8 ------------------------------------------------------------------------------------------------------


def test_deletions_say_whose_work_it_was_and_whether_anybody_said_why(history):
    history.edit(history.ben, box(1), box(2))
    first, second = (history.keys()[number] for number in (1, 2))
    history.edit(history.ben, {"op": "remove", "annotation": first})
    history.edit(history.ana, {"op": "remove", "annotation": second}, why="a bird")
    history.edit(history.ana, say("override", status="SKIPPED"), why="empty street")
    taken = history.rows("deletions", "taken")
    assert [(row["what"], row["object"], row["of_another"], row["reason"] is not None) for row in taken] == [
        ("object removed", first, False, False),
        ("object removed", second, True, True),
        ("status set by hand", None, False, True),
    ]
    assert taken[1]["whose"] == str(history.ben.id)
    assert history.rows("deletions", "totals") == [
        {"what": "object removed", "count": 2, "without_reason": 1},
        {"what": "status set by hand", "count": 1, "without_reason": 0},
    ]


def test_what_was_forced_is_told_as_forced(history):
    history.edit(history.ben, box(1))
    key = history.keys()[1]
    gesture = uuid.uuid4()
    history.edit(history.ben, {"op": "set_category", "annotation": key, "category_id": 2}, correlation=gesture)
    history.edit(history.rita, {"op": "set_category", "annotation": key, "category_id": 3})
    intent = history.intent(history.ben, reason=encrypt("it was a car", person=history.ben.id))
    undo.undo_gestures(intent=intent, sample=history.day, label_set="ground-truth", on_conflict="force")
    assert [row["what"] for row in history.rows("deletions", "taken")] == ["own gesture undone, by force"]


def test_access_tells_roles_with_their_ends_and_who_was_there(history):
    datasets.change_role(intent=history.intent(history.ana), dataset=history.id, person=history.ben.id, role="reviewer")
    datasets.remove_member(intent=history.intent(history.ana), dataset=history.id, person=history.ben.id)
    people.create_key(intent=people.operator("test"), person=history.ben)
    security.login_succeeded(person=history.ben.id, source=security.Source("10.0.0.1"))
    security.audit_read(intent=history.intent(history.ana), what="access", dataset=history.id)
    roles = [row for row in history.rows("access", "roles") if row["person"] == str(history.ben.id)]
    assert [(row["role"], row["until"] is None) for row in roles] == [("labeler", False), ("reviewer", False)]
    assert roles[0]["until_offset"] == roles[1]["from_offset"]
    assert roles[0]["by"] == str(history.ana.id)
    accounts = [row["type"] for row in history.rows("access", "accounts") if row["person"] == str(history.ben.id)]
    assert accounts == ["PersonAdded", "KeyCreated"]
    seen = [(row["type"], row["author"]) for row in history.rows("access", "access")]
    assert seen == [("LoginSucceeded", str(history.ben.id)), ("AuditRead", str(history.ana.id))]


def test_another_datasets_access_is_not_told(history, dataset, person):
    other = person(f"olga-{uuid.uuid4().hex[:6]}")
    elsewhere = dataset(other)
    security.audit_read(intent=history.intent(other), what="access", dataset=elsewhere)
    security.login_succeeded(person=other.id, source=security.Source("10.0.0.2"))
    people.create_key(intent=people.operator("test"), person=other)
    assert str(other.id) not in str(history.rows("access"))


def test_duties_find_self_reviews_four_eyes_and_what_was_accepted_by_hand(history):
    history.edit(history.rita, box(1), say("submit"))
    (own,) = history.edit(history.rita, say("accept"))
    history.edit(history.ben, box(1), sample=history.night)
    history.edit(history.rita, box(2), sample=history.night)
    history.edit(history.ben, say("submit"), sample=history.night)
    (mixed,) = history.edit(history.rita, say("accept"), sample=history.night)
    (clean,) = history.edit(history.ana, say("reject"), sample=history.night)
    (forced,) = history.edit(history.ana, say("override", status="REVIEWED"), sample=history.night, why="no time")
    rows = history.rows("duties", "violations", fast_s=0)
    assert [(row["offset"], row["violation"]) for row in rows] == [
        (own, "self-review"), (mixed, "four eyes"), (forced, "accepted by hand"),
    ]  # fmt: skip
    reviewers = {row["person"]: row for row in history.rows("duties", "reviewers", fast_s=0, least_reviews=2)}
    rita, ana = reviewers[str(history.rita.id)], reviewers[str(history.ana.id)]
    assert (rita["reviews"], rita["self_reviews"], rita["four_eyes"], rita["too_few"]) == (2, 1, 1, False)
    assert (ana["reviews"], ana["rejected"], ana["too_few"]) == (1, 1, True) and clean


def test_a_review_is_too_fast_by_the_time_since_the_reviewers_event_before(history):
    history.edit(history.ben, box(1), say("submit"))
    history.edit(history.ben, box(1), say("submit"), sample=history.night)
    (first,) = history.edit(history.rita, say("accept"))
    (second,) = history.edit(history.rita, say("accept"), sample=history.night)
    rows = history.rows("duties", "violations", fast_s=86_400)
    assert [(row["offset"], row["violation"]) for row in rows] == [(second, "too fast")]
    assert first not in [row["offset"] for row in rows]


# --- A9, A11 to A15 --------------------------------------------------------------------------------------------------


def test_integrity_of_a_sound_log_is_sound(history):
    history.edit(history.ben, box(1))
    (row,) = history.rows("integrity", "logs")
    assert row["sound"] and row["gaps"] == 0 and row["offset"] == store.head(history.id)
    assert row["chain"] == store.chain_at(history.id, row["offset"]).hex()
    assert row["after_checkpoint"] == row["offset"] and row["last_checkpoint"] is None


def test_involvement_counts_reconcile_with_what_is_there(history):
    history.edit(history.ben, box(1, origin=MODEL), box(2, 5.0, origin=MODEL), box(3, 9.0), author_kind="person")
    history.edit(history.ben, box(1, 20.0), box(1, 30.0), author_kind="model")
    keys = history.keys()
    history.edit(history.ben, {"op": "set_category", "annotation": keys[1], "category_id": 3})
    history.edit(history.ben, {"op": "remove", "annotation": keys[4]})
    history.edit(history.ben, say("submit"))
    history.edit(history.rita, say("accept"))
    made = {(row["made_by"], row["model"]): row for row in history.rows("involvement", "makers")}
    yolo, program, person = made["model", "yolo"], made["model", ""], made["person", ""]
    assert (yolo["made"], yolo["unchanged"], yolo["corrected"], yolo["verified"]) == (2, 1, 1, 2)
    assert (yolo["version"], yolo["run"], yolo["accepted_unchanged"]) == ("8", "r1", 1)
    assert (program["made"], program["there"], program["removed"]) == (2, 1, 1)
    assert (person["made"], person["share"]) == (1, 0.2)
    (total,) = history.rows("involvement", "total")
    assert total["there"] == Annotation.objects.filter(dataset_id=history.id).count() == 4
    assert total["made"] == sum(row["made"] for row in made.values()) == 5
    assert all(row["balance"] == 0 for row in (*made.values(), total))
    (sent,) = history.rows("involvement", "programs")
    assert (sent["author_kind"], sent["author"]) == ("model", str(history.ben.id))


def test_objects_that_come_back_are_there_again_and_counted_once(history):
    history.edit(history.ben, box(1))
    key = history.keys()[1]
    (gone,) = history.edit(history.ben, {"op": "remove", "annotation": key})
    assert history.rows("involvement", "total")[0]["removed"] == 1
    undo.undo_gestures(intent=history.intent(history.ben), sample=history.day, label_set="ground-truth")
    (total,) = history.rows("involvement", "total")
    assert (total["made"], total["there"], total["removed"], total["balance"]) == (1, 1, 0, 0) and gone


def test_the_process_says_which_rules_were_in_force_when(history):
    history.edit(history.ben, box(1), say("submit"), seen_offset=store.head(history.id))
    history.edit(history.rita, say("reject"))
    old = store.head(history.id)
    changed = {"categories": [{"id": 1, "name": "lorry"}]}
    history.change(task_attributes=changed)
    history.edit(history.ben, box(1, 9.0), seen_offset=old)
    rules = history.rows("process", "rules")
    assert [row["number"] for row in rules] == list(range(1, len(rules) + 1)) and len(rules) > 1
    work = {row["number"]: row for row in history.rows("process", "work")}
    assert work[1]["outdated"] == 1 and work[1]["said"] == work[1]["events"] - 1
    people = {row["person"]: row for row in history.rows("process", "annotators")}
    ben = people[str(history.ben.id)]
    assert (ben["role"], ben["submitted"], ben["rejected"], ben["accepted_share"]) == ("labeler", 1, 1, 0.0)


def test_balance_crosses_classes_with_metadata_and_people(history):
    history.edit(history.ben, box(1), box(1, 9.0), box(2, 20.0))
    history.edit(history.rita, box(2), sample=history.night)
    classes = {row["category_name"]: row for row in history.rows("balance", "classes")}
    assert (classes["car"]["objects"], classes["car"]["share"], classes["car"]["samples"]) == (2, 0.5, 1)
    assert (classes["person"]["objects"], classes["person"]["sample_share"]) == (2, 1.0)
    assert classes["tree"]["missing"] and not classes["car"]["missing"]
    crossed = {(row["value"], row["category_name"]): row["objects"] for row in history.rows("balance", "crossed")}
    assert crossed == {
        ("day", "car"): 2, ("day", "person"): 1, ("day", "tree"): 0,
        ("night", "car"): 0, ("night", "person"): 1, ("night", "tree"): 0,
    }  # fmt: skip
    people = {(row["person"], row["category_name"]): row for row in history.rows("balance", "people")}
    assert people[str(history.rita.id), "person"]["share"] == 1.0
    assert people[str(history.rita.id), "person"]["deviation"] == 0.5
    assert people[str(history.ben.id), "car"]["share"] == round(2 / 3, 4)


def test_privacy_counts_texts_that_can_be_erased(history):
    history.edit(history.ben, box(1), why="because")
    row = next(row for row in history.rows("privacy", "people") if row["person"] == str(history.ben.id))
    assert (row["events"], row["texts"]) == (row["events"], row["events"])


def test_privacy_tells_an_erasure_and_what_it_took(history, person):
    history.edit(history.ben, box(1), why="because")
    root = person(f"root-{uuid.uuid4().hex[:6]}", superuser=True)
    erase_person(intent=history.intent(root, reason=encrypt("asked to", person=root.id)), person=history.ben)
    history.edit(history.rita, box(1), why="another reason")
    (done,) = history.rows("privacy", "done")
    assert (done["what"], done["subject"]) == ("person erased", str(history.ben.id))
    by_person = {row["person"]: row for row in history.rows("privacy", "people")}
    ben, rita = by_person[str(history.ben.id)], by_person[str(history.rita.id)]
    assert ben["texts"] == ben["erased_texts"] > 0 and ben["erased_at"] == done["recorded_at"]
    assert (rita["erased_texts"], rita["erased_at"]) == (0, None) and rita["texts"] > 0


def test_changes_tell_the_version_that_wrote_the_log(history):
    history.change(enable_ratings=True)
    (row,) = history.rows("changes", "versions")
    assert (row["app_version"], row["first_offset"], row["events"]) == (store.APP_VERSION, 1, store.head(history.id))
    assert [row["setting"] for row in history.rows("changes", "settings")] == ["enable_ratings"]


# --- every one -------------------------------------------------------------------------------------------------------


@pytest.fixture
def busy(history) -> History:
    history.edit(history.ben, box(1, origin=MODEL), box(2, 9.0), say("submit"), why="first of all")
    history.edit(history.rita, say("reject"), why="one is missing")
    history.edit(history.ben, box(3, 20.0), say("submit"))
    history.edit(history.rita, say("accept"))
    history.edit(history.ana, {"op": "remove", "annotation": history.keys()[3]}, why="no tree")
    return history


def pinned(asked: Any) -> JSON:
    places = asked.definition["offsets"]
    return {"at": places["dataset"], "others": {name: at for name, at in places.items() if name != "dataset"}}


@pytest.mark.parametrize("name", reports("dataset"))
def test_asked_again_with_its_offsets_it_has_the_same_bytes_whatever_happened_since(busy, name):
    before = ask(reports("dataset")[name], busy.id, Question())
    bytes_before = {form: told(busy, name, form) for form in writing.FORMS}
    busy.edit(busy.ben, box(1, 50.0), sample=busy.night)
    busy.change(name=f"other-{uuid.uuid4().hex[:6]}")
    Person.objects.filter(id=busy.ben.id).update(username=f"benjamin-{uuid.uuid4().hex[:6]}")
    people.create_key(intent=people.operator("test"), person=busy.ben)
    security.audit_read(intent=busy.intent(busy.ana), what=name, dataset=busy.id)
    for form, known in bytes_before.items():
        assert told(busy, name, form, **pinned(before)) == known
        assert told(busy, name, form) != known


@pytest.mark.parametrize("name", reports("dataset"))
def test_every_row_has_the_columns_of_its_part_and_parts_come_in_order(busy, name):
    report = reports("dataset")[name]
    options = Question(options={"sample": str(busy.day)} if "sample" in report.options else {})
    seen = []
    for part, cells in ask(report, busy.id, options).rows:
        assert set(cells) <= set(report.parts[part].columns) and cells
        seen.append(part)
    order = list(dict.fromkeys(seen))
    assert order == [part for part in report.parts if part in order]
    assert len(order) == len([1 for before, after in zip([None, *seen], seen, strict=False) if before != after])


@pytest.mark.parametrize("name", reports("dataset"))
def test_forms_tell_the_same_rows_and_digest(busy, name):
    whole = json.loads(told(busy, name, "json"))
    lines = [json.loads(line) for line in told(busy, name, "ndjson").splitlines()]
    table = list(csv.reader(io.StringIO(told(busy, name, "csv").decode())))
    page = told(busy, name, "html").decode()
    assert lines[0]["definition"] == whole["definition"] and lines[1:-1] == whole["rows"]
    assert whole["digest"] == lines[-1]["digest"] == table[-1][1] and whole["digest"] in page
    assert len(table) - 2 == len(whole["rows"]) == whole["count"]
    assert {len(line) for line in table} == {len(table[0])}


@pytest.mark.parametrize("name", reports("dataset"))
def test_a_dataset_in_which_nothing_happened_has_every_report(dataset, person, name):
    made = dataset(person(f"ana-{uuid.uuid4().hex[:6]}"))
    asked = ask(reports("dataset")[name], made, Question())
    assert b"digest" in b"".join(writing.pieces(asked, "ndjson"))


@pytest.mark.parametrize("name", reports("installation"))
def test_the_installation_has_its_reports(busy, name):
    report = reports("installation")[name]
    found = list(ask(report, INSTALLATION, Question(), at=store.head(INSTALLATION)).rows)
    assert found and all(set(cells) <= set(report.parts[part].columns) for part, cells in found)


def test_what_was_erased_is_told_as_erased_and_the_digest_holds(busy):
    before = json.loads(told(busy, "deletions", "json"))
    assert [row["reason"] for row in before["rows"] if row["part"] == "taken"] == ["no tree"]
    destroy_key(person=busy.ana.id)
    after = json.loads(told(busy, "deletions", "json"))
    assert [row["reason"] for row in after["rows"] if row["part"] == "taken"] == ["(erased)"]
    assert after["digest"] == before["digest"]


def test_a_cell_is_no_formula_and_no_markup(history):
    history.edit(history.ben, box(1), tool="=1+1<b>")
    assert "'=1+1<b>" in told(history, "events", "csv").decode()
    page = told(history, "events", "html").decode()
    assert "=1+1&lt;b&gt;" in page and "<b>" not in page
    history.edit(history.ben, box(1), tool="~~pen|cil~~")
    assert "\\~\\~pen\\|cil\\~\\~" in told(history, "events", "md").decode()


def test_an_answer_of_nothing_says_so_where_people_read_it(history):
    for form in ("html", "md"):
        assert b"Nothing to tell." in told(history, "deletions", form)
        assert b"Nothing to tell." not in told(history, "events", form)


def test_the_period_is_half_open(history):
    history.edit(history.ben, box(1))
    last = store.read(history.id, after=store.head(history.id) - 1)[0]
    assert last.recorded_at is not None
    at_us = int(last.recorded_at.timestamp()) * 1_000_000 + last.recorded_at.microsecond
    asked = ask(reports("dataset")["events"], history.id, Question(start_us=at_us))
    assert store.head(history.id) in [cells["offset"] for _, cells in asked.rows]
    asked = ask(reports("dataset")["events"], history.id, Question(end_us=at_us))
    assert store.head(history.id) not in [cells["offset"] for _, cells in asked.rows]


def test_a_guideline_is_a_version_of_the_rules(history):
    history.edit(history.ben, box(1))
    set_guideline(intent=history.intent(history.ana), dataset=history.id, text="Draw tight boxes.")
    history.edit(history.ben, box(1, 9.0))
    rules = history.rows("process", "rules")
    assert rules[-1]["type"] == "GuidelineSet" and "tight boxes" in rules[-1]["data"]
    work = {row["number"]: row["objects"] for row in history.rows("process", "work")}
    assert work[len(rules)] == 1 and work[len(rules) - 1] == 1


def test_holds_and_retention_are_told_where_they_concern_the_dataset(history, person, dataset):
    root = person(f"root-{uuid.uuid4().hex[:6]}", superuser=True)
    why = encrypt("a lawsuit", person=root.id)
    elsewhere = dataset(root)
    for key in (history.id, elsewhere):
        place_hold(intent=history.intent(root, reason=why), what="dataset", key=key)
    told_of = [(row["what"], row["subject"]) for row in history.rows("privacy", "done")]
    assert told_of == [("hold placed", str(history.id))]


def test_what_was_purged_is_told_by_its_kind_and_what_was_erased_by_its_hash(history, person):
    root = person(f"root-{uuid.uuid4().hex[:6]}", superuser=True)
    sha256 = "ab" * 32
    purged = DataPurged(kind="addresses", before="2020-06-01", count=1, sha256=sha256)
    erased = FileErased(sha256=sha256, size_bytes=9, uploads=1, datasets=[str(history.id)])
    for stream, fact in (("retention", purged), (f"file/{sha256}", erased)):
        with transaction.atomic():
            people.append_to_installation(history.intent(root), stream, fact)
    rows = ask(reports("installation")["privacy"], INSTALLATION, Question()).rows
    told_of = [(cells["what"], cells["subject"]) for part, cells in rows if part == "done"]
    assert told_of[-2:] == [("purged", "addresses"), ("file erased everywhere", sha256)]
