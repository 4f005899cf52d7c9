"""The append, and what can be read back. Raw logs of the installation's kind, so that any facts can stand in them."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from msgspec import structs

from labeling import events as e
from labeling.log import store, values
from labeling.log.event import FIRST_CHAIN, Intent, chained, data_digest, event_digest, hashed, microseconds
from labeling.log.rows import Rows
from labeling.log.store import Appended, CommandReused, LogGap, Stale
from labeling.log.verify import verify_log

pytestmark = pytest.mark.django_db

AUTHOR = uuid.UUID("11111111-1111-4111-8111-111111111111")


@pytest.fixture(autouse=True, params=["in the call", "copied before"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything holds for an edit, whose events are in the call, and for a bulk, whose events are copied before it."""
    monkeypatch.setattr(store.appending, "STAGED_FROM", 1 if request.param == "copied before" else 1_000_000)


@pytest.fixture
def log() -> uuid.UUID:
    return uuid.uuid4()


def intent(**fields: Any) -> Intent:
    return Intent(author=AUTHOR, **fields)


def append(log: uuid.UUID, *facts: tuple[str, int, Any], by: Intent | None = None, **keywords: Any) -> Appended:
    by = by or intent()
    events = store.new_events(log, by, facts)
    return store.append(log, intent=by, events=events, rows=Rows(), open_as="installation", **keywords)


def key(text: str = "a key") -> e.KeyCreated:
    return e.KeyCreated(key=text)


def sample(name: str) -> e.SampleAdded:
    return e.SampleAdded(sample="s", name=name, attributes={})


# --- what is stored ------------------------------------------------------------------------------------------------


def test_offsets_count_from_one_and_versions_within_each_stream(log):
    first = append(log, ("person/a", 0, key()), ("person/b", 0, key()), ("person/a", 0, key()))
    second = append(log, ("person/a", 2, key()), ("person/b", 1, key()))
    assert (first.first_offset, first.last_offset) == (1, 3)
    assert (second.first_offset, second.last_offset) == (4, 5)
    stored = [(event.offset, event.stream, event.version) for event in store.read(log)]
    assert stored == [
        (1, "person/a", 1),
        (2, "person/b", 1),
        (3, "person/a", 2),
        (4, "person/a", 3),
        (5, "person/b", 2),
    ]
    assert store.head(log) == 5


def test_every_field_is_read_back_as_it_was_written(log):
    by = intent(
        author_kind="model",
        on_behalf_of=uuid.uuid4(),
        tool="brush",
        work_session=uuid.uuid4(),
        reason="v1.secret",
        causation=uuid.uuid4(),
        correlation=uuid.uuid4(),
        seen_offset=3,
        occurred_at=dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC),
    )
    fact = e.SampleAdded(
        sample="s", name="Straße 🚗 \"'\\", attributes={"n": [1, 1.5, None, True, {"": ""}]}, priority=-2.5
    )
    appended = append(log, ("sample/s", 0, fact), by=by)
    (event,) = store.read(log)
    assert event.fact == fact and event.intent == by
    assert event.recorded_at == appended.recorded_at
    assert event.app_version == store.APP_VERSION
    assert event.data_hash == data_digest(event.data)
    assert (event.log, event.schema_version) == (log, 1)


@pytest.mark.parametrize(
    "moment",
    [
        "1900-01-01T00:00:00.000001",
        "1969-12-31T23:59:59.999999",
        "2026-03-29T01:30:00.123457",
        "2199-12-31T23:59:59.999999",
    ],
)
def test_a_clients_time_is_kept_to_the_microsecond(log, moment):
    at = dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC)
    append(log, ("person/a", 0, key()), by=intent(occurred_at=at))
    assert store.read(log)[0].intent.occurred_at == at
    assert verify_log(log) == []


def test_the_chain_that_sql_computes_is_the_one_that_python_computes(log):
    append(log, ("person/a", 0, key("one")), ("person/b", 0, key("two")), by=intent(reason="ß", tool="", seen_offset=0))
    append(log, ("person/a", 1, key("three")))
    previous = FIRST_CHAIN
    for event in store.read(log):
        assert event.offset is not None and event.recorded_at is not None
        recorded_us = microseconds(event.recorded_at)
        assert recorded_us is not None
        digest = event_digest(event, data_digest(event.data))
        previous = chained(previous, event.offset, event.version, recorded_us, digest)
        assert event.chain == previous == store.chain_at(log, event.offset)
    assert store.head_and_chain(log) == (3, previous)


def test_the_digest_tells_null_from_empty_and_one_field_from_the_next():
    events = [
        store.new_events(AUTHOR, by, [("s", 0, key())])[0]
        for by in (
            intent(tool=None, reason=None),
            intent(tool="", reason=None),
            intent(tool=None, reason=""),
            intent(tool="a", reason="b"),
            intent(tool="ab", reason=""),
        )
    ]
    digests = {
        event_digest(structs.replace(each, event_id=AUTHOR, intent=replace(each.intent, command=AUTHOR)), bytes(32))
        for each in events
    }
    assert len(digests) == len(events)


def test_the_digests_of_a_bulk_are_those_of_its_events_one_by_one():
    by = intent(tool="brush", seen_offset=7)
    facts = [(f"person/{number % 3}", 9, (key, sample)[number % 2](f"ß\t\\{number}")) for number in range(9)]
    events = store.new_events(AUTHOR, by, facts)
    found = list(hashed(AUTHOR, by, store.APP_VERSION, events))
    assert [item[1] for item in found] == [data_digest(event.data) for event in events]
    assert [item[2] for item in found] == [event_digest(event, data_digest(event.data)) for event in events]
    assert len({item[2] for item in found}) == 9


def test_an_event_of_another_intent_is_no_part_of_an_append(log):
    events = store.new_events(log, intent(), [("person/a", 0, key())])
    with pytest.raises(ValueError, match="one intent"):
        store.append(log, intent=intent(), events=events, rows=Rows(), open_as="installation")


def test_a_megabyte_of_data_is_stored_whole(log):
    points = [[number / 7, -number * 1e-9] for number in range(30_000)]
    fact = e.LabelImported(annotations=[{"points": points, "text": "x" * 100_000}])
    append(log, ("label/a/b", 0, fact))
    assert store.read(log)[0].fact == fact
    assert verify_log(log) == []


@pytest.mark.parametrize("number", [1e300, 5e-324, -1.7976931348623157e308, 0.1 + 0.2, 1e21, 9007199254740991, -0.5e-7])
def test_numbers_of_every_size_keep_their_hash(log, number):
    append(log, ("sample/s", 0, e.SamplePrioritySet(priority=number)))
    (event,) = store.read(log)
    assert values.same(event.data["priority"], number)
    assert verify_log(log) == []


# --- order and time ------------------------------------------------------------------------------------------------


def test_a_clock_that_was_set_back_does_not_reorder_times(log):
    append(log, ("person/a", 0, key()))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE log_head SET recorded_at = recorded_at + interval '1 day' WHERE log = %s", [log])
        cursor.execute("SELECT recorded_at FROM log_head WHERE log = %s", [log])
        ahead = cursor.fetchone()[0]
    later = append(log, ("person/a", 1, key()))
    latest = append(log, ("person/a", 2, key()))
    assert later.recorded_at == latest.recorded_at == ahead
    times = [event.recorded_at for event in store.read(log)]
    assert times == sorted(time for time in times if time is not None)


def test_a_time_is_mapped_to_the_last_offset_that_was_recorded_by_then(log):
    moments = []
    for number in range(5):
        moments.append(append(log, ("person/a", number, key())).recorded_at)
    microsecond = dt.timedelta(microseconds=1)
    assert store.offset_at(log, moments[0] - microsecond) == 0
    assert [store.offset_at(log, moment) for moment in moments] == [1, 2, 3, 4, 5]
    assert [store.offset_at(log, moment - microsecond) for moment in moments] == [0, 1, 2, 3, 4]
    assert store.offset_at(log, moments[-1] + dt.timedelta(days=1)) == 5
    assert store.offset_at(uuid.uuid4(), moments[0]) == 0


# --- what is refused -----------------------------------------------------------------------------------------------


def test_appending_to_a_log_that_was_never_opened_is_an_error(log):
    by = intent()
    with pytest.raises(LookupError):
        store.append(log, intent=by, events=store.new_events(log, by, [("person/a", 0, key())]), rows=Rows())
    assert store.head(log) == 0 and store.head_and_chain(log) == (0, FIRST_CHAIN)


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("version", [0, 1, 3, 50])
def test_a_stale_version_is_refused_and_stores_nothing(log, version, others):
    append(log, ("person/a", 0, key()), ("person/a", 0, key()))
    before = store.head_and_chain(log)
    with pytest.raises(Stale):
        append(log, *[("person/b", 0, key())] * others, ("person/a", version, key()))
    assert store.head_and_chain(log) == before


def test_a_stream_that_is_only_expected_is_checked_too(log):
    append(log, ("person/a", 0, key()))
    with pytest.raises(Stale):
        append(log, ("person/b", 0, key()), expected={"person/b": 0, "person/a": 0})
    append(log, ("person/b", 0, key()), expected={"person/b": 0, "person/a": 1})


def test_a_version_or_an_event_id_used_twice_is_refused_by_the_table(log):
    by = intent()
    events = store.new_events(log, by, [("person/a", 0, key()), ("person/b", 0, key())])
    for twice in (
        structs.replace(events[1], stream="person/a"),
        structs.replace(events[1], event_id=events[0].event_id),
    ):
        with pytest.raises(IntegrityError):
            store.append(
                log,
                intent=by,
                events=[events[0], twice],
                rows=Rows(),
                expected={"person/a": 0, "person/b": 0},
                open_as="installation",
            )
    assert store.read(log) == [] and store.head(log) == 0


@pytest.mark.parametrize(("kind", "opened"), [("robot", "installation"), ("person", "diary")])
def test_an_unknown_kind_of_author_or_of_log_is_refused(log, kind, opened):
    by = intent(author_kind=kind)
    events = store.new_events(log, by, [("person/a", 0, key())])
    with pytest.raises(IntegrityError, match="kind of"), transaction.atomic():
        store.append(log, intent=by, events=events, rows=Rows(), open_as=opened)
    assert log not in [each for each, *_ in store.logs()]


@pytest.mark.parametrize(("streams", "hashes"), [("a", 0), ("a", 2), ("ab", 0), ("ab", 1), ("ab", 3)])
def test_events_without_their_hashes_are_refused_as_are_hashes_without_events(log, streams, hashes, monkeypatch):
    packed, copied = store.appending._packed, store.staging.Bulk.copy

    def pack(*given: Any) -> Any:
        events, _, rows = packed(*given)
        return events, bytes(88 * hashes), rows

    monkeypatch.setattr(store.appending, "_packed", pack)
    monkeypatch.setattr(
        store.staging.Bulk, "copy", lambda bulk, **named: (bytes(88 * hashes), copied(bulk, **named)[1])
    )
    with pytest.raises(DatabaseError):
        append(log, *((f"person/{name}", 0, key()) for name in streams))
    assert store.read(log) == [] and store.head(log) == 0


def test_what_is_refused_leaves_the_callers_transaction_usable(log):
    append(log, ("person/a", 0, key()))
    with transaction.atomic():
        with pytest.raises(Stale):
            append(log, ("person/a", 0, key()))
        with pytest.raises(IntegrityError):
            append(log, ("person/a", 1, key()), by=Intent(author=AUTHOR, author_kind="ghost"))
        append(log, ("person/a", 1, key()))
    assert store.head(log) == 2


# --- retries -------------------------------------------------------------------------------------------------------


def named(request: bytes = b"a", command: uuid.UUID = AUTHOR) -> Intent:
    return intent(command=command, request_hash=request)


def test_the_same_command_again_gets_the_same_answer_and_stores_nothing(log):
    answer = {"edits": [{"id": 1}], "created": False}
    first = append(log, ("person/a", 0, key()), by=named(), answer=answer)
    append(log, ("person/a", 1, key()))
    again = append(log, ("person/a", 0, key()), by=named(), answer={"other": 1})
    assert not first.replayed and again.replayed
    assert (again.first_offset, again.last_offset, again.recorded_at) == (1, 1, first.recorded_at)
    assert again.answer == answer and not again.hint
    assert store.head(log) == 2
    kept = store.earlier_answer(log, named())
    assert kept is not None and kept.answer == answer and kept.replayed


def test_the_same_command_with_another_request_is_an_error(log):
    append(log, ("person/a", 0, key()), by=named())
    for attempt in (
        lambda: append(log, ("person/a", 1, key()), by=named(b"b")),
        lambda: store.earlier_answer(log, named(b"b")),
    ):
        with pytest.raises(CommandReused):
            attempt()
    assert store.head(log) == 1


def test_a_command_that_stored_nothing_is_kept_too(log):
    append(log, ("person/a", 0, key()))
    nothing = append(log, by=named(), expected={"person/a": 1}, answer={"edits": []})
    assert nothing.first_offset is None and nothing.last_offset == 1 and not nothing.hint
    append(log, ("person/a", 1, key()))
    again = append(log, ("person/a", 1, key()), by=named(), answer=None)
    assert again.replayed and again.answer == {"edits": []} and again.last_offset == 1


def test_a_stale_command_is_not_kept(log):
    append(log, ("person/a", 0, key()))
    with pytest.raises(Stale):
        append(log, ("person/a", 0, key()), by=named())
    assert store.earlier_answer(log, named()) is None
    assert not append(log, ("person/a", 1, key()), by=named()).replayed


def test_a_command_that_nobody_named_is_not_kept(log):
    by = intent()
    append(log, ("person/a", 0, key()), by=by)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM log_command WHERE log = %s", [log])
        assert cursor.fetchone() == (0,)


def test_a_command_id_means_nothing_in_another_log(log):
    append(log, ("person/a", 0, key()), by=named())
    assert not append(uuid.uuid4(), ("person/a", 0, key()), by=named(b"b")).replayed


# --- immutability --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["origin", "replica", "local"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log_event SET author = gen_random_uuid()",
        "UPDATE log_event SET data = data",
        "DELETE FROM log_event",
        "TRUNCATE log_event",
        "TRUNCATE log_event CASCADE",
    ],
)
def test_events_cannot_be_changed_by_their_owner_in_any_mode(log, statement, mode):
    append(log, ("person/a", 0, key()))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_user = tableowner FROM pg_tables WHERE tablename = 'log_event'")
        assert cursor.fetchone() == (True,)
        cursor.execute(f"SET LOCAL session_replication_role = {mode}")
        with pytest.raises(IntegrityError, match="events are immutable"), transaction.atomic():
            cursor.execute(statement)
        transaction.set_rollback(True)
    assert len(store.read(log)) == 1


def test_an_upsert_cannot_change_an_event_either(log):
    append(log, ("person/a", 0, key()))
    with (
        pytest.raises(IntegrityError, match="events are immutable"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            'INSERT INTO log_event SELECT * FROM log_event WHERE log = %s ON CONFLICT (log, "offset")'
            " DO UPDATE SET author = gen_random_uuid()",
            [log],
        )


# --- reading -------------------------------------------------------------------------------------------------------


@pytest.fixture
def ten(log) -> uuid.UUID:
    """Ten events: five of person/a and five of person/b in turn, the last two by somebody else."""
    for number in range(5):
        by = intent() if number < 4 else Intent(author=uuid.UUID(int=9))
        kind = e.KeyRevoked if number % 2 else e.KeyCreated
        append(log, ("person/a", number, kind(key="k")), ("person/b", number, key()), by=by)
    return log


def offsets(events: Any) -> list[int | None]:
    return [event.offset for event in events]


def test_reading_a_page_with_every_filter(ten):
    assert offsets(store.read(ten)) == list(range(1, 11))
    assert offsets(store.read(ten, after=3, limit=4)) == [4, 5, 6, 7]
    assert offsets(store.read(ten, after=3, up_to=5)) == [4, 5]
    assert offsets(store.read(ten, stream="person/b")) == [2, 4, 6, 8, 10]
    assert offsets(store.read(ten, types=["KeyRevoked"])) == [3, 7]
    assert offsets(store.read(ten, types=["KeyRevoked", "KeyCreated"], stream="person/a", after=1)) == [3, 5, 7, 9]
    assert offsets(store.read(ten, author=uuid.UUID(int=9))) == [9, 10]
    assert store.read(ten, after=10) == [] and store.read(uuid.uuid4()) == []


def test_pages_are_contiguous_whatever_their_size(ten, monkeypatch):
    for size in (1, 3, 10, 100):
        monkeypatch.setattr(store.reading, "PAGE", size)
        assert [number for page in store.pages(ten) for number in offsets(page)] == list(range(1, 11))
        assert [number for page in store.pages(ten, after=4, up_to=9) for number in offsets(page)] == [5, 6, 7, 8, 9]


def test_pages_end_where_the_data_grow_large(log, monkeypatch):
    for number in range(6):
        # Random digits, because what compresses well is stored small.
        text = "".join(random.Random(number).choices("0123456789abcdef", k=20_000))
        append(log, ("person/a", number, key(text)))
    monkeypatch.setattr(store.reading, "PAGE_BYTES", 25_000)
    sizes = [len(page) for page in store.pages(log)]
    assert sum(sizes) == 6 and len(sizes) > 1 and max(sizes) < 6
    monkeypatch.setattr(store.reading, "PAGE_BYTES", 1)
    assert [len(page) for page in store.pages(log)] == [1] * 6, "one event is a page, however large it is"
    assert [len(events) for _, events in store.read_streams(log)] == [6]


def test_pages_stop_at_a_missing_event(ten):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE log_event DISABLE TRIGGER USER")
            cursor.execute('DELETE FROM log_event WHERE log = %s AND "offset" = 6', [ten])
        with pytest.raises(LogGap, match="offset 6 is missing, found 7"):
            list(store.pages(ten))
        transaction.set_rollback(True)


def test_a_stream_is_read_by_version_and_by_offset(ten):
    assert [event.version for event in store.read_stream(ten, "person/a")] == [1, 2, 3, 4, 5]
    assert [event.version for event in store.read_stream(ten, "person/a", after_version=3)] == [4, 5]
    assert offsets(store.read_stream(ten, "person/a", up_to=6)) == [1, 3, 5]
    assert list(store.read_stream(ten, "person/c")) == []


def test_streams_come_whole_and_sorted_whatever_the_page(ten, monkeypatch):
    append(ten, ("sample/1", 0, key()))
    for size in (1, 2, 5, 100):
        monkeypatch.setattr(store.reading, "PAGE", size)
        found = {stream: [event.version for event in events] for stream, events in store.read_streams(ten)}
        assert found == {"person/a": [1, 2, 3, 4, 5], "person/b": [1, 2, 3, 4, 5], "sample/1": [1]}
        assert list(found) == sorted(found)
        assert [stream for stream, _ in store.read_streams(ten, "sample/")] == ["sample/1"]
        assert {s: len(events) for s, events in store.read_streams(ten, up_to=3)} == {"person/a": 2, "person/b": 1}


def test_the_chain_of_an_offset_that_is_not_there_is_an_error(ten):
    for offset in (0, 11):
        with pytest.raises(LookupError):
            store.chain_at(ten, offset)


# --- hints ---------------------------------------------------------------------------------------------------------


def test_a_hint_is_wanted_unless_one_is_on_its_way(log):
    def checkpoint(offset: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO log_checkpoint (projection, log, \"offset\") VALUES ('p', %s, %s)"
                ' ON CONFLICT (log, projection) DO UPDATE SET "offset" = excluded."offset"',
                [log, offset],
            )

    assert append(log, ("person/a", 0, key())).hint, "nobody has folded anything yet"
    checkpoint(0)
    assert not append(log, ("person/a", 1, key())).hint, "a projector is behind, so it was told before"
    checkpoint(2)
    assert append(log, ("person/a", 2, key())).hint
