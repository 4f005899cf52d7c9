"""Everything that the owner of the tables could do to a log behind its back, and whether it is found, and where."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction

from labeling.commands import datasets
from labeling.log import store, stored, values, verify
from labeling.log.event import FIRST_CHAIN, Intent, Vocabulary, chained
from labeling.log.verify import Finding, verify_log


@contextmanager
def tampering() -> Iterator[Callable[..., None]]:
    """As the owner of the table, with its triggers off; all of it is undone at the end."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE log_event DISABLE TRIGGER USER")

        def change(statement: str, *parameters: Any) -> None:
            cursor.execute(statement, parameters)
            assert cursor.rowcount > 0, "the tampering touched nothing"

        yield change
        transaction.set_rollback(True)


@pytest.fixture
def log(dataset, person, sample) -> uuid.UUID:
    """A dataset's log of eight events: its creation (1 to 3), a sample, and settings (5 to 8)."""
    ana = person("ana")
    made = dataset(ana)
    sample(made, ana)

    for word in ("one", "two", "three", "four"):
        intent = Intent(
            author=ana.id, reason=f"v1.{word}", occurred_at=dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
        )
        datasets.change_dataset(intent=intent, dataset=made, changes={"description": word})
    assert store.head(made) == 8
    return made


def first(findings: list[Finding]) -> tuple[str, int | None]:
    assert findings, "nothing was found"
    return findings[0].kind, findings[0].offset


def test_a_sound_log_has_no_findings(log):
    assert verify_log(log) == []


def test_an_unknown_log_lacks_its_counter_row(db):
    assert [(f.kind, f.offset) for f in verify_log(uuid.uuid4())] == [("head", None)]


def test_progress_ends_at_the_number_of_events(log):
    seen = []
    verify_log(log, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (8, 8)


def test_small_pages_give_the_same_result(log, monkeypatch):
    monkeypatch.setattr(store.reading, "PAGE", 3)
    assert verify_log(log) == []
    monkeypatch.setattr(store.reading, "PAGE_BYTES", 1)
    assert verify_log(log) == []


@pytest.mark.parametrize(
    "column, value",
    [
        ("type", "'TaskAttributesSet'"),
        ("author", "gen_random_uuid()"),
        ("author_kind", "'model'"),
        ("on_behalf_of", "gen_random_uuid()"),
        ("tool", "'other'"),
        ("work_session", "gen_random_uuid()"),
        ("reason", "'v1.another'"),
        ("reason", "NULL"),
        ("command", "gen_random_uuid()"),
        ("causation", "gen_random_uuid()"),
        ("correlation", "gen_random_uuid()"),
        ("seen_offset", "1"),
        ("app_version", "'0'"),
        ("schema_version", "2"),
        ("event_id", "gen_random_uuid()"),
        ("stream", "'sample/other'"),
        ("version", "version + 100"),
        ("occurred_at", "occurred_at + interval '1 microsecond'"),
        ("occurred_at", "'infinity'"),
        ("recorded_at", "recorded_at + interval '1 microsecond'"),
        ("recorded_at", "'infinity'"),
        ("recorded_at", "'290000-01-01'"),
    ],
)
def test_a_changed_field_is_found_at_its_event(log, column, value):
    with tampering() as change:
        change(f'UPDATE log_event SET {column} = {value} WHERE log = %s AND "offset" = 6', log)
        found = verify_log(log)
    kinds = {finding.kind: finding for finding in found}
    assert kinds["chain"].offset == 6
    assert kinds["chain"].count == 1, "one bad link must not make its neighbours look bad"
    assert "Event 6" in kinds["chain"].sentence
    assert found[0].offset == 6


@pytest.mark.parametrize("data", ['{"changes": {"description": "twp"}}', "{}", "5", '{"changes": {"n": 1e400}}'])
def test_changed_data_is_found_at_its_event(log, data):
    with tampering() as change:
        change('UPDATE log_event SET data = %s WHERE log = %s AND "offset" = 6', data, log)
        found = verify_log(log)
    assert [(finding.kind, finding.offset, finding.count) for finding in found] == [("data", 6, 1)]
    assert "data" in found[0].sentence


def test_one_flipped_byte_in_the_data_is_found(log):
    with tampering() as change:
        flip = "UPDATE log_event SET data = replace(data::text, 'three', 'thrge')::jsonb"
        change(f'{flip} WHERE log = %s AND "offset" = 7', log)
        assert first(verify_log(log)) == ("data", 7)


def test_data_changed_together_with_its_hash_is_found_by_the_chain(log):
    with tampering() as change:
        data: dict[str, Any] = {"changes": {"description": "twp"}}

        change(
            'UPDATE log_event SET data = %s, data_hash = %s WHERE log = %s AND "offset" = 6',
            '{"changes": {"description": "twp"}}',
            values.digest(data),
            log,
        )
        assert [(f.kind, f.offset) for f in verify_log(log)] == [("chain", 6)]


@pytest.mark.parametrize("column", ["data_hash", "chain"])
def test_a_flipped_bit_in_a_hash_is_found(log, column):
    with tampering() as change:
        change(
            f"UPDATE log_event SET {column} = set_byte({column}, 5, get_byte({column}, 5) # 1)"
            ' WHERE log = %s AND "offset" = 6',
            log,
        )
        found = verify_log(log)
    assert first(found)[1] == 6
    assert all(finding.count == 1 for finding in found)


@pytest.mark.parametrize("gone, first_missing", [([6], 6), ([1], 1), ([5, 6, 7], 5)])
def test_a_missing_event_is_found_at_its_place(log, gone, first_missing):
    with tampering() as change:
        change('DELETE FROM log_event WHERE log = %s AND "offset" = ANY(%s)', log, gone)
        found = verify_log(log)
    assert first(found) == ("missing", first_missing)
    assert found[0].count == len(gone)
    assert "chain" not in {finding.kind for finding in found}


def test_a_missing_event_is_found_when_the_others_close_up(log):
    with tampering() as change:
        change('DELETE FROM log_event WHERE log = %s AND "offset" = 6', log)
        for offset in (7, 8):
            change(
                'UPDATE log_event SET "offset" = "offset" - 1, version = version - 1 WHERE log = %s AND "offset" = %s',
                log,
                offset,
            )
        assert first(verify_log(log)) == ("chain", 6)


def test_two_events_that_changed_places_are_found(log):
    with tampering() as change:
        for old, new in ((6, 60), (7, 6), (60, 7)):
            change('UPDATE log_event SET "offset" = %s WHERE log = %s AND "offset" = %s', new, log, old)
        assert first(verify_log(log)) == ("chain", 6)


def test_a_lost_tail_is_found_against_the_counter_row(log):
    with tampering() as change:
        change('DELETE FROM log_event WHERE log = %s AND "offset" > 6', log)
        found = verify_log(log)
    assert [(f.kind, f.offset) for f in found] == [("tail", 7)]


def set_head_back(change: Callable[..., None], log: uuid.UUID, offset: int) -> None:
    change(
        'UPDATE log_head h SET head = e."offset", chain = e.chain, recorded_at = e.recorded_at FROM log_event e'
        ' WHERE h.log = %s AND e.log = h.log AND e."offset" = %s',
        log,
        offset,
    )


def test_a_tail_cut_off_together_with_the_counter_row_is_found_by_a_checkpoint(log):
    with tampering() as change:
        change("INSERT INTO log_checkpoint (projection, log, \"offset\") VALUES ('contributions', %s, 8)", log)
        set_head_back(change, log, 6)
        change('DELETE FROM log_event WHERE log = %s AND "offset" > 6', log)
        found = verify_log(log)
    assert [(f.kind, f.offset) for f in found] == [("tail", 7)]
    assert "contributions" in found[0].sentence


@pytest.fixture
def release(log, monkeypatch) -> tuple[str, int, bytes]:
    """A chain hash that was written down elsewhere when the log was at 7."""
    anchor = ("release v1", 7, store.chain_at(log, 7))
    monkeypatch.setattr(verify, "_anchor_sources", [])
    verify.register_anchors(lambda asked: [anchor] if asked == log else [])
    return anchor


def test_an_anchor_that_fits_is_silent(log, release):
    assert verify_log(log) == []


def test_a_tail_cut_off_together_with_the_counter_row_is_found_by_a_release(log, release):
    with tampering() as change:
        set_head_back(change, log, 6)
        change('DELETE FROM log_event WHERE log = %s AND "offset" > 6', log)
        found = verify_log(log)
    assert [(f.kind, f.offset) for f in found] == [("anchor release v1", 7)]
    assert "ends at 6" in found[0].sentence and "release v1" in found[0].sentence


def test_a_log_that_was_cut_off_and_written_on_is_found_by_a_release(log, release, person):
    with tampering() as change:
        set_head_back(change, log, 6)
        change('DELETE FROM log_event WHERE log = %s AND "offset" > 6', log)
        newest = "SELECT max(version) FROM log_event WHERE log = id AND stream = 'dataset'"
        change(f"UPDATE labeling_dataset SET version = ({newest}) WHERE id = %s", log)

        for word in ("else", "more"):
            datasets.change_dataset(intent=Intent(author=person("ana").id), dataset=log, changes={"description": word})
        assert store.head(log) == 8
        found = verify_log(log)
    assert [(f.kind, f.offset) for f in found] == [("anchor release v1", 7)]


def test_a_log_rewritten_from_end_to_end_is_found_by_a_release_only(log, release, monkeypatch):
    with tampering() as change:
        change('UPDATE log_event SET author = gen_random_uuid() WHERE log = %s AND "offset" = 3', log)
        previous = FIRST_CHAIN
        for page in list(stored.pages(log)):
            for row in page:
                previous = chained(previous, row[1], row[3], row[20], verify._digest(row))
                change('UPDATE log_event SET chain = %s WHERE log = %s AND "offset" = %s', previous, log, row[1])
        change("UPDATE log_head SET chain = %s WHERE log = %s", previous, log)
        found = verify_log(log)
        assert [(f.kind, f.offset) for f in found] == [("anchor release v1", 7)]
        monkeypatch.setattr(verify, "_anchor_sources", [])
        assert verify_log(log) == [], "nothing in the log itself can tell"


def test_a_changed_counter_row_is_found(log):
    for statement, expected in (
        ("UPDATE log_head SET chain = sha256(chain) WHERE log = %s", ("head", 8)),
        ("UPDATE log_head SET recorded_at = recorded_at + interval '1 hour' WHERE log = %s", ("head", 8)),
        ("UPDATE log_head SET head = 5 WHERE log = %s", ("head", 6)),
        ("UPDATE log_head SET head = 50 WHERE log = %s", ("tail", 9)),
        ("DELETE FROM log_head WHERE log = %s", ("head", 9)),
    ):
        with tampering() as change:
            change(statement, log)
            assert first(verify_log(log)) == expected, statement


def test_a_lost_counter_row_does_not_hide_its_log(log):
    with tampering() as change:
        change("DELETE FROM log_head WHERE log = %s", log)
        assert log in stored.logs()


def test_times_that_run_backwards_are_found(log):
    with tampering() as change:
        change("UPDATE log_event SET recorded_at = '2020-01-01Z' WHERE log = %s AND \"offset\" = 6", log)
        kinds = {finding.kind: finding.offset for finding in verify_log(log)}
    assert kinds == {"chain": 6, "time": 6}


def test_a_type_that_nobody_knows_is_found_although_the_chain_holds(log, monkeypatch):

    monkeypatch.setattr(verify, "vocabulary", Vocabulary())
    found = verify_log(log)
    assert [(f.kind, f.offset, f.count) for f in found] == [("type", 1, 8)]
    assert "DatasetCreated" in found[0].sentence


def test_versions_that_do_not_count_on_are_found(log):
    with tampering() as change:
        change('UPDATE log_event SET version = version + 10 WHERE log = %s AND "offset" = 8', log)
        kinds = {finding.kind: (finding.offset, finding.count) for finding in verify_log(log)}
    assert kinds["version"] == (8, 1)


def test_a_wholly_spoiled_log_gives_a_short_list(log):
    with tampering() as change:
        change("UPDATE log_event SET data = '{}', author = gen_random_uuid(), type = 'x y' WHERE log = %s", log)
        found = verify_log(log)
    assert {(f.kind, f.offset, f.count) for f in found} == {("data", 1, 8), ("chain", 1, 8)}
    assert "x y" not in found[0].sentence


def test_every_finding_can_be_printed_as_json(log):
    with tampering() as change:
        change('DELETE FROM log_event WHERE log = %s AND "offset" = 6', log)
        (finding, *_) = verify_log(log)
    assert finding.as_json() == {
        "log": str(log),
        "kind": "missing",
        "offset": 6,
        "problem": "Event 6 is missing.",
        "count": 1,
    }
