"""Backup and restore: what is carried, what moves meanwhile, and what is refused before anything is changed."""

from __future__ import annotations

import io
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import msgspec
import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from config.backup import files as stored_files
from config.backup import making, reading, restoring, tables
from config.backup.archive import BadArchive
from config.backup.contents import Manifest
from config.backup.making import BackupFailed
from config.backup.restoring import RestoreFailed, Unsound
from labeling import storage
from labeling.commands.people import hash_of
from labeling.events import SystemRestored
from labeling.log import store, stored
from labeling.log.event import INSTALLATION
from labeling.models import ApiKey, Dataset, Issue, Person
from labeling.texts import decrypt_all
from releases import actors, commands, queries
from releases.models import ReleaseBuild
from tests.config.conftest import Archive, Origin, archived
from tests.support.homes import PASSWORD, TEXT, Home, stored_bytes
from tests.support.s3 import StandIn

NewHome = Callable[..., Home]


def restored(data: bytes, **options: Any) -> Manifest:
    """Restore into the installation that this process is led to, so that it is the same to the last row."""
    manifest, verified = restoring.restore(io.BytesIO(data), **{"tells": False} | options)
    assert verified.findings == () or options
    return manifest


def in_thread(work: Callable[[], object]) -> None:
    """Do something as another process would, on a connection of its own, and wait for it."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert failed == []


def while_copying(what: str, work: Callable[[], object]) -> making.Progress:
    """A progress that does something once, when `what` is about to be copied."""
    done: list[str] = []

    def progress(now: str, at: int, of: int) -> None:
        if now == what and not done:
            done.append(now)
            in_thread(work)

    return progress


def without_what_must_differ(manifest: Manifest) -> Any:
    """A manifest but for when it was made and on which server."""
    builtins = msgspec.to_builtins(manifest)
    del builtins["opening"]["made_at"], builtins["opening"]["postgresql"], builtins["sha256"]
    return builtins


# --- there and back ------------------------------------------------------------------------------------------------


def test_all_that_was_there_is_there_again(origin: Origin, archive: Archive, new_home: NewHome) -> None:
    home = new_home()
    with home.inside():
        manifest = restored(archive.data)
        assert manifest == archive.manifest
        ana = Person.objects.get(username="ana")
        assert ana.check_password(PASSWORD)
        assert ApiKey.objects.get(hash=hash_of(origin.world.key)).person == ana
        assert decrypt_all([Issue.objects.get(id=origin.world.issue).text]) == [TEXT]
        assert [each.release.name for each in queries.releases_of(origin.world.dataset)] == ["v1", "v2"]
        again = archived()
    assert home.stored() == origin.home.stored() != {}
    assert home.secret_key() == origin.home.secret_key()
    assert without_what_must_differ(again.manifest) == without_what_must_differ(archive.manifest)


def test_editing_goes_on_with_the_next_offset(origin: Origin, archive: Archive, new_home: NewHome, blank: Home) -> None:
    with new_home(like=blank).inside():
        restored(archive.data)
        head = store.head(origin.world.dataset)
        origin.world.save(origin.world.samples[0], 99.0)
        assert store.head(origin.world.dataset) == head + 1
        origin.world.cut("v3")
        call_command("verify", stdout=io.StringIO())


def test_a_command_that_was_sent_before_the_backup_is_not_done_again_after_the_restore(
    changing: Origin, new_home: NewHome, blank: Home
) -> None:
    home, world = changing
    command = {"command": uuid.uuid4(), "request_hash": b"x" * 32}
    with home.inside():
        world.save(world.samples[0], 50.0, **command)
        head = store.head(world.dataset)
        data = archived().data
    with new_home(like=blank).inside():
        restored(data)
        world.save(world.samples[0], 50.0, **command)
        assert store.head(world.dataset) == head


@pytest.mark.full
def test_new_rows_get_ids_after_those_that_were_restored(
    origin: Origin, archive: Archive, new_home: NewHome, blank: Home
) -> None:
    with new_home(like=blank).inside(), connection.cursor() as cursor:
        restored(archive.data)
        cursor.execute("SELECT max(id) FROM log_checkpoint")
        last = cursor.fetchone()[0]
        cursor.execute(
            "INSERT INTO log_checkpoint (projection, log, \"offset\") VALUES ('probe', %s, 0) RETURNING id",
            [origin.world.dataset],
        )
        assert cursor.fetchone()[0] > last > 0


def test_an_older_server_takes_it_and_gives_it_back(
    origin: Origin, archive: Archive, new_home: NewHome, older_server: dict[str, str]
) -> None:
    with new_home(older_server).inside():
        restored(archive.data)
        on_older = archived()
    assert on_older.manifest.opening.postgresql != archive.manifest.opening.postgresql
    home = new_home()
    with home.inside():
        restored(on_older.data)
        back = archived()
    for manifest in (on_older.manifest, back.manifest):
        assert without_what_must_differ(manifest) == without_what_must_differ(archive.manifest)
    assert home.stored() == origin.home.stored()


def test_files_go_from_a_directory_to_a_bucket_and_from_a_bucket_to_a_directory(
    origin: Origin, archive: Archive, new_home: NewHome, blank: Home, s3: StandIn
) -> None:
    bucket = s3.new_bucket()
    with new_home(storage_url=bucket.storage_url, like=blank).inside():
        restored(archive.data)
        of_bucket = archived()
    expected = origin.home.stored()
    assert {path: bucket.get(path) for path in bucket.paths()} == expected
    assert of_bucket.manifest.files == archive.manifest.files
    home = new_home(like=blank)
    with home.inside():
        restored(of_bucket.data)
    assert home.stored() == expected


@pytest.mark.full
def test_a_bucket_of_many_small_files_and_a_few_large_ones_is_read_in_order(
    changing: Origin, new_home: NewHome, s3: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, world = changing
    with home.inside():
        for number in range(40):
            world.add_sample(f"more-{number}.png")
        of_directory = archived()
    bucket = s3.new_bucket()
    stored = home.stored()
    for path, data in stored.items():
        bucket.put(path, data)
    monkeypatch.setattr(stored_files, "PIECE_BYTES", max(map(len, stored.values())) - 1)
    in_bucket = new_home(storage_url=bucket.storage_url, like=home)
    with in_bucket.inside():
        of_bucket = archived()
        assert of_bucket.manifest.files == of_directory.manifest.files
        lost = sorted(stored)[30]
        bucket.delete(lost)
        with pytest.raises(BackupFailed, match=f"{lost} is not in the storage"):
            archived()


@pytest.mark.full
def test_a_lost_database_comes_back_over_a_bucket_that_was_not_lost(
    archive: Archive, new_home: NewHome, blank: Home, s3: StandIn
) -> None:
    bucket = s3.new_bucket()
    with new_home(storage_url=bucket.storage_url, like=blank).inside():
        restored(archive.data)
    damaged, *_ = sorted(bucket.paths())
    whole = bucket.get(damaged)
    bucket.put(damaged, whole[::-1])
    with new_home(storage_url=bucket.storage_url, like=blank).inside():
        restored(archive.data)
    assert bucket.get(damaged) == whole


def test_what_a_killed_restore_left_in_the_storage_is_cleared_away(
    origin: Origin, archive: Archive, new_home: NewHome, blank: Home
) -> None:
    home = new_home(like=blank)
    incoming = home.path / "media" / "incoming"
    incoming.mkdir(parents=True)
    (incoming / "restored-half").write_bytes(b"half of a file")
    path, whole = next(iter(origin.home.stored().items()))
    (home.path / "media" / path).parent.mkdir(parents=True)
    (home.path / "media" / path).write_bytes(whole[:-1])
    with home.inside():
        restored(archive.data)
    assert home.stored() == origin.home.stored()


@pytest.mark.full
def test_without_files_only_the_rows_are_carried(origin: Origin, new_home: NewHome, blank: Home) -> None:
    with origin.home.inside():
        short = archived(with_files=False)
    home = new_home(like=blank)
    with home.inside():
        restored(short.data)
        assert store.head(origin.world.dataset) > 0
    assert short.manifest.files.count == 0 and home.stored() == {}


def test_an_archive_of_an_older_version_is_brought_up_to_this_one(new_home: NewHome) -> None:
    home, before = new_home(), ("labeling", "0004_work_units")
    with home.inside():
        executor = MigrationExecutor(connection)
        others = [key for key in executor.loader.graph.leaf_nodes() if key[0] != "labeling"]
        executor.migrate([before, *[key for key in others if key[0] != "admin"]])
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO labeling_person (password, is_superuser, username, first_name, last_name, email,"
                " is_staff, is_active, date_joined, id, is_organization)"
                " VALUES ('', false, 'old', '', '', '', false, true, now(), gen_random_uuid(), false)"
            )
        old = archived()
    assert before in old.manifest.opening.migrations
    assert "labeling_organizationmember" not in {table.name for table in old.manifest.opening.tables}
    with new_home().inside():
        restored(old.data)
        assert Person.objects.get().username == "old"
        executor = MigrationExecutor(connection)
        assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []


# --- while people go on working ------------------------------------------------------------------------------------


def test_edits_during_a_backup_are_in_it_as_a_whole_or_not_at_all(
    changing: Origin, new_home: NewHome, blank: Home
) -> None:
    home, world = changing
    with home.inside():
        head = store.head(world.dataset)
        sink = io.BytesIO()
        making.make(sink, progress=while_copying("labeling_label", lambda: world.save(world.samples[1], 70.0)))
        assert store.head(world.dataset) == head + 1
    with new_home(like=blank).inside():
        restored(sink.getvalue())  # which compares rows that were copied before the edit with events copied after
        assert store.head(world.dataset) == head


def withdraw_v2(world: Any) -> None:
    commands.withdraw_release(intent=world.intent(), dataset=world.dataset, name="v2")
    actors.sweep()


def test_a_release_that_is_withdrawn_during_a_backup_is_in_it_with_its_file(
    changing: Origin, new_home: NewHome, blank: Home
) -> None:
    home, world = changing
    with home.inside():
        path = ReleaseBuild.objects.get(release_id=world.withdrawn_later).path
        whole = stored_bytes(path)
        sink = io.BytesIO()
        making.make(sink, progress=while_copying("files", lambda: withdraw_v2(world)))
        assert stored_bytes(path) == whole
        actors.sweep()  # the backup is over
        with pytest.raises(FileNotFoundError):
            stored_bytes(path)
    with new_home(like=blank).inside():
        restored(sink.getvalue())
        assert stored_bytes(path) == whole
        assert queries.release_by_id(world.withdrawn_later).release.name == "v2"


def test_without_the_lock_that_keeps_files_such_a_release_breaks_the_backup(
    changing: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "kept", nullcontext)
    home, world = changing
    with home.inside(), pytest.raises(BackupFailed, match=r"exports/../[0-9a-f]+\.json is not in the storage"):
        making.make(io.BytesIO(), progress=while_copying("files", lambda: withdraw_v2(world)))


@pytest.mark.full
def test_a_file_that_is_added_during_a_backup_is_not_missed_by_any_row_of_it(
    changing: Origin, new_home: NewHome, blank: Home
) -> None:
    home, world = changing
    with home.inside():
        sink = io.BytesIO()
        making.make(sink, progress=while_copying("auth_group", lambda: world.add_sample("late.png")))
        late = archived()
    with new_home(like=blank).inside():
        restored(sink.getvalue())
        call_command("verify", stdout=io.StringIO())
    assert late.manifest.files.count == contents_of(sink.getvalue()).files.count + 1


def contents_of(data: bytes) -> Manifest:
    return reading.read(io.BytesIO(data), reading.Checking())


# --- what cannot be backed up --------------------------------------------------------------------------------------


def first_asset(home: Home) -> Any:
    return next(path for path in sorted((home.path / "media").glob("??/*")) if path.is_file())


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.unlink(), "is not in the storage"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "has other bytes in the storage"),
        (lambda path: path.write_bytes(path.read_bytes() + b"."), "has other bytes in the storage"),
        (lambda path: path.write_bytes(path.read_bytes()[::-1]), "has other bytes in the storage"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
    ],
    ids=["lost", "short", "long", "changed", "unreadable"],
)
def test_a_bad_file_is_named_and_no_archive_is_left(
    changing: Origin, tmp_path: Any, harm: Callable[[Any], None], words: str
) -> None:
    home, _ = changing
    path = first_asset(home)
    harm(path)
    with (
        home.inside(),
        pytest.raises(BackupFailed, match=f"{path.name} {words}"),
        making.new_file(tmp_path / "a.tar") as file,
    ):
        making.make(file)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_was_never_set_up_is_not_backed_up(new_home: NewHome) -> None:
    with new_home().inside(), pytest.raises(BackupFailed, match="nothing to back up"):
        archived()


def test_every_table_is_carried_or_left_out_on_purpose(origin: Origin) -> None:
    with origin.home.inside():
        assert sorted([*tables.in_database(), *tables.LEFT_OUT]) == sorted(origin.home.tables())


def test_every_foreign_key_waits_until_all_rows_are_there(origin: Origin) -> None:
    with origin.home.inside(), connection.cursor() as cursor:
        cursor.execute("SELECT conname FROM pg_constraint WHERE contype = 'f' AND NOT condeferrable")
        assert cursor.fetchall() == []


# --- what is not restored, and changes nothing ---------------------------------------------------------------------


@contextmanager
def nothing_changes(home: Home) -> Iterator[None]:
    """The installation stays as empty as it was."""
    key = home.secret_key()
    with home.inside():
        yield
    assert (home.tables(), home.stored(), home.secret_key()) == ([], {}, key)


def test_an_archive_that_is_cut_off_anywhere_changes_nothing(archive: Archive, new_home: NewHome) -> None:
    home = new_home()
    for part in (0.5, 0.999):
        with nothing_changes(home), pytest.raises(BadArchive, match="ends too early"):
            restored(archive.data[: int(len(archive.data) * part)])


def test_an_archive_with_one_changed_byte_changes_nothing(archive: Archive, new_home: NewHome) -> None:
    home = new_home()
    for needle in (b"\tana\t", b"the bytes of street-1.png"):
        data = bytearray(archive.data)
        data[data.index(needle) + 3] ^= 1
        with nothing_changes(home), pytest.raises(BadArchive, match="is damaged"):
            restored(bytes(data))


def test_a_row_that_does_not_fit_changes_nothing(
    archive: Archive, new_home: NewHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_in = tables.copy_in
    monkeypatch.setattr(
        tables, "copy_in", lambda table, pieces: copy_in(table, (piece.replace(b"ana", b"a\ta") for piece in pieces))
    )
    with nothing_changes(new_home()), pytest.raises(RestoreFailed, match=r"do not fit together \(PostgreSQL says 22"):
        restored(archive.data)


def test_an_installation_that_is_not_empty_is_not_overwritten(origin: Origin, archive: Archive) -> None:
    with origin.home.inside():
        before = archived().manifest.tables
        with pytest.raises(RestoreFailed, match="never overwrites"):
            restored(archive.data)
        assert archived().manifest.tables == before


def test_an_installation_that_was_set_up_and_not_used_takes_an_archive(
    archive: Archive, new_home: NewHome, blank: Home
) -> None:
    with new_home(like=blank).inside():
        assert restored(archive.data) == archive.manifest


def test_an_installation_that_is_being_served_takes_none(archive: Archive, new_home: NewHome) -> None:
    home = new_home()
    with home.inside(), home.connected(home.name) as other:
        other.execute("SET application_name = 'palimpsest queue'")
        with pytest.raises(RestoreFailed, match="is running on this database"):
            restored(archive.data)


def test_two_restores_at_once_do_not_meet(archive: Archive, new_home: NewHome) -> None:
    home = new_home()
    with home.inside(), home.connected(home.name) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('palimpsest migrate'))")
        with pytest.raises(RestoreFailed, match="Another command is setting up"):
            restored(archive.data)


def test_an_archive_of_a_newer_version_is_refused(
    origin: Origin, new_home: NewHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    with origin.home.inside(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('labeling', '9999_new', now())")
        try:
            with pytest.raises(BackupFailed, match="newer version"):
                archived()
            with monkeypatch.context() as patch:
                known = MigrationLoader
                patch.setattr(making, "MigrationLoader", lambda given: _Knowing(known(given)))
                data = archived().data
        finally:
            cursor.execute("DELETE FROM django_migrations WHERE name = '9999_new'")
    with nothing_changes(new_home()), pytest.raises(RestoreFailed, match="of a newer version"):
        restored(data)


class _Knowing:
    """A loader of a version that has one migration more."""

    def __init__(self, loader: Any) -> None:
        self.disk_migrations = {**loader.disk_migrations, ("labeling", "9999_new"): None}


def test_what_was_unsound_is_named_and_restored_only_on_demand(
    changing: Origin, new_home: NewHome, blank: Home
) -> None:
    home, world = changing
    with home.inside(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE log_event DISABLE TRIGGER log_event_immutable")
        cursor.execute("UPDATE log_event SET reason = 'x' WHERE log = %s AND \"offset\" = 3", [world.dataset])
        cursor.execute("ALTER TABLE log_event ENABLE ALWAYS TRIGGER log_event_immutable")
        data = archived().data
    empty = new_home()
    with nothing_changes(empty), pytest.raises(Unsound) as refused:
        restored(data)
    assert [(each.log, each.kind, each.offset) for each in refused.value.findings] == [(world.dataset, "chain", 3)]
    with empty.inside():
        restored(data, despite_faults=True)
        assert Dataset.objects.get(id=world.dataset).name == "streets"


# --- rows as they are put in ---------------------------------------------------------------------------------------


def test_triggers_on_insert_stand_back_and_events_stay_immutable(
    new_home: NewHome, blank: Home, archive: Archive
) -> None:
    home = new_home(like=blank)
    with home.inside(), connection.cursor() as cursor:
        restored(archive.data)
        cursor.execute("CREATE TABLE labeling_probe (id int PRIMARY KEY)")
        cursor.execute("CREATE TABLE labeling_probe_count (id int PRIMARY KEY)")
        cursor.execute(
            "CREATE FUNCTION probe() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO labeling_probe_count VALUES (new.id); RETURN new; END $$"
        )
        cursor.execute("CREATE TRIGGER usual AFTER INSERT ON labeling_probe FOR EACH ROW EXECUTE FUNCTION probe()")
        cursor.execute("CREATE TRIGGER always AFTER INSERT ON labeling_probe FOR EACH ROW EXECUTE FUNCTION probe()")
        cursor.execute("ALTER TABLE labeling_probe ENABLE ALWAYS TRIGGER always")
        cursor.execute("CREATE TRIGGER off BEFORE INSERT ON labeling_probe FOR EACH ROW EXECUTE FUNCTION probe()")
        cursor.execute("ALTER TABLE labeling_probe DISABLE TRIGGER off")
        probes = ["labeling_probe", "labeling_probe_count"]
        with transaction.atomic(), tables.loading(probes):
            for probe in probes:
                assert tables.copy_in(tables.described(probe), iter([b"7\n"])) == 1
            with pytest.raises(Exception, match="events are immutable"), transaction.atomic():
                cursor.execute("UPDATE log_event SET reason = ''")
        cursor.execute("SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'labeling_probe'::regclass ORDER BY 1")
        assert cursor.fetchall() == [("always", "A"), ("off", "D"), ("usual", "O")]
        assert tables.with_rows(probes) == probes


@pytest.mark.full
def test_a_large_table_is_cut_into_parts(
    origin: Origin, new_home: NewHome, blank: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with origin.home.inside(), monkeypatch.context() as patch:
        patch.setattr(tables, "PART_BYTES", 100)
        in_parts = archived()
        assert in_parts.data.count(b"tables/log_event/") == stored.count(INSTALLATION) + stored.count(
            origin.world.dataset
        )
    with new_home(like=blank).inside():
        assert restored(in_parts.data) == in_parts.manifest


def test_that_it_was_restored_is_an_event_behind_all_that_came_back(
    origin: Origin, archive: Archive, new_home: NewHome, blank: Home
) -> None:
    with new_home(like=blank).inside():
        restored(archive.data, tells=True)
        event = store.read(INSTALLATION)[-1]
        heads = {each.log: each.head for each in archive.manifest.logs}
        assert event.offset == heads[INSTALLATION] + 1
        assert event.fact == SystemRestored(
            backup=archive.manifest.sha256,
            made_at=archive.manifest.opening.made_at,
            logs=len(heads),
            events=sum(heads.values()),
        )
        assert all(store.head(log) == head for log, head in heads.items() if log != INSTALLATION)
        call_command("verify", stdout=io.StringIO())
