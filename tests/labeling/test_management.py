"""`verify`, `rebuild` and `apikey` as somebody at the terminal has them."""

from __future__ import annotations

import io
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.management.commands import changepassword
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.utils import timezone

from labeling import events as e
from labeling.commands import assets, labels, organizations, people, security
from labeling.commands.people import operator
from labeling.errors import NotFound
from labeling.log import projector, rebuild, store, stored, verify
from labeling.log.event import INSTALLATION, SECURITY, Intent
from labeling.management import progress, stored_files
from labeling.models import (
    Annotation,
    ApiKey,
    Asset,
    Contribution,
    Dataset,
    OrganizationMember,
    Person,
    Sample,
    StatusCount,
)

BOX = {"op": "add", "geometry": {"type": "bbox", "points": [[1, 2], [30, 40]]}, "category_id": 1}


def run(*arguments: str, **options: Any) -> str:
    """What a command prints."""
    printed = io.StringIO()
    call_command(*arguments, stdout=printed, stderr=io.StringIO(), **options)
    return printed.getvalue().strip()


def run_failing(*arguments: str) -> tuple[str, str]:
    """(what a command prints, what it fails with)."""
    printed = io.StringIO()
    with pytest.raises(CommandError) as failure:
        call_command(*arguments, stdout=printed, stderr=io.StringIO())
    assert failure.value.returncode == 1
    return printed.getvalue().strip(), str(failure.value)


@pytest.fixture
def storage(tmp_path, settings) -> Path:
    """A storage for this test alone."""
    place = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = settings.STORAGES | {"default": place}
    return tmp_path


@pytest.fixture
def street(storage, dataset, person, sample) -> uuid.UUID:
    """ana/street: two samples, one with a file of ours, one with three boxes."""
    ana = person("ana")
    made = dataset(ana, name="street")
    asset = assets.plan_asset(owner=ana.id, filename="street.png")
    assets.store_asset(asset, ContentFile(b"the bytes of a picture"))
    sample(made, ana, attributes={"image": {"url": assets.url_of(asset)}})
    target = sample(made, ana)
    labels.edit_label(intent=Intent(author=ana.id), sample=target, label_set="ground-truth", edits=[BOX] * 3)
    return made


def disable_triggers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE log_event DISABLE TRIGGER USER")


# --- verify --------------------------------------------------------------------------------------------------------


def test_verify_says_that_all_is_sound(street):
    projector.catch_up(street)
    said = run("verify", "--dataset", "ana/street")
    assert said.startswith("All sound: 1 log, ")
    assert f"{store.head(street)} events, 1 file in" in said


def test_verify_finds_a_dataset_by_its_id_too(street):
    assert run("verify", "--dataset", str(street)).startswith("All sound: 1 log, ")


@pytest.mark.parametrize("name", ["ana/nothing", "nobody/street", "street", "", str(uuid.UUID(int=7))])
def test_verify_says_when_there_is_no_such_dataset(street, name):
    said, failure = run_failing("verify", "--dataset", name)
    assert said == "" and failure == f"There is no dataset {name}."


def test_verify_without_a_dataset_goes_through_every_log(street):
    result = json.loads(run("verify", "--json"))
    assert result["sound"] is True and result["findings"] == []
    assert result["logs"] == len(stored.logs()) >= 2
    assert result["events"] == sum(map(stored.count, stored.logs()))
    assert result["files"] >= 1


def test_verify_goes_through_the_security_log_and_the_installations(street):
    logins_before = stored.count(SECURITY)
    security.login_failed(username="ana", source=security.Source("192.0.2.1"), locked=False)
    assert stored.count(SECURITY) > logins_before
    assert json.loads(run("verify", "--json"))["sound"] is True
    with transaction.atomic():
        disable_triggers()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE log_event SET tool = 'x' WHERE log = %s AND \"offset\" = 1", [SECURITY])
        said, failure = run_failing("verify")
        transaction.set_rollback(True)
    assert "the security log at 1: " in said and "the security log (first bad offset 1)" in failure


def test_verify_finds_a_member_of_an_organisation_whom_the_log_does_not_know(street, person):
    firm = organizations.found_organization(intent=operator("test"), username="firm")
    row = {"id": uuid.uuid4(), "log": INSTALLATION, "last_offset": 1, "organization_id": firm.id, "role": "member"}
    OrganizationMember.objects.create(**row, person_id=person("ana").id, created_at=timezone.now())
    said, _ = run_failing("verify")
    assert "the installation at 1: 1 row of labeling_organizationmember differ" in said
    run("rebuild", "organization")
    assert json.loads(run("verify", "--json"))["sound"] is True


def test_verify_names_the_first_bad_offset(street):
    with transaction.atomic():
        disable_triggers()
        with connection.cursor() as cursor:
            cursor.execute('UPDATE log_event SET author = gen_random_uuid() WHERE log = %s AND "offset" = 5', [street])
        said, failure = run_failing("verify", "--dataset", "ana/street")
        transaction.set_rollback(True)
    assert "ana/street at 5: Event 5 " in said
    assert failure.endswith("in ana/street (first bad offset 5).")


def test_verify_gives_findings_as_json_and_fails_too(street):
    with transaction.atomic():
        Annotation.objects.filter(dataset_id=street).delete()
        said, _ = run_failing("verify", "--dataset", "ana/street", "--json")
        transaction.set_rollback(True)
    result = json.loads(said)
    assert result["sound"] is False
    (finding,) = result["findings"]
    assert finding["dataset"] == "ana/street" and finding["log"] == str(street)
    assert finding["kind"] == "rows labeling_annotation" and finding["problem"].startswith(
        "3 rows of labeling_annotation"
    )
    assert finding["offset"] == store.head(street) - 3, "the first box: two boxes and the label's status came after it"


def test_verify_finds_rows_that_the_log_does_not_give(street):
    with transaction.atomic():
        Sample.objects.filter(dataset_id=street).update(priority=4)
        said, failure = run_failing("verify", "--dataset", "ana/street")
        transaction.set_rollback(True)
    assert "4 rows of labeling_sample differ from the log's fold." in said
    assert failure.startswith("1 fault in ana/street")


def test_verify_finds_what_an_actor_got_wrong(street):
    projector.catch_up(street)
    with transaction.atomic():
        Contribution.objects.filter(dataset_id=street).update(counts={})
        said, _ = run_failing("verify", "--dataset", "ana/street")
        transaction.set_rollback(True)
    assert "2 rows of labeling_contribution differ from what contributions makes of the log." in said


def test_verify_finds_a_count_that_is_wrong(street):
    with transaction.atomic():
        StatusCount.objects.filter(dataset_id=street).update(count=7)
        said, failure = run_failing("verify", "--dataset", "ana/street")
        transaction.set_rollback(True)
    assert "of labeling_statuscount differ from what counting again gives." in said
    assert failure.startswith("1 fault in ana/street")


def test_verify_goes_on_when_a_log_cannot_be_folded(street):
    with transaction.atomic():
        disable_triggers()
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE log_event SET data = '{\"annotation\": 5}' WHERE log = %s AND type = 'AnnotationAdded'",
                [street],
            )
        said, failure = run_failing("verify")
        transaction.set_rollback(True)
    assert "The log cannot be folded: ValidationError." in said
    assert "its data is not what was recorded" in said
    assert failure.startswith("2 faults in ana/street (first bad offset ")


def test_verify_finds_rows_of_a_log_that_is_gone(street):
    with transaction.atomic():
        disable_triggers()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM log_event WHERE log = %s", [street])
            cursor.execute("DELETE FROM log_head WHERE log = %s", [street])
        said, failure = run_failing("verify")
        transaction.set_rollback(True)
    assert "1 row of labeling_dataset: the dataset has no log." in said
    assert "the installation" in failure


def stored_file(storage: Path) -> Path:
    (found,) = (path for path in storage.rglob("*") if path.is_file())
    return found


@pytest.mark.parametrize(
    "spoil, problem",
    [
        (lambda path: path.unlink(), "is not in the storage"),
        (lambda path: path.write_bytes(b"the bytes of a pict"), "has 19 bytes in the storage instead of 22"),
        (lambda path: path.write_bytes(b"the bytes of another.."), "has other bytes in the storage than were uploaded"),
    ],
    ids=["gone", "cut off", "changed"],
)
def test_verify_finds_a_spoiled_file(street, storage, spoil, problem):
    spoil(stored_file(storage))
    said, failure = run_failing("verify", "--dataset", "ana/street")
    offset = store.read(street, types=["AssetAdded"])[0].offset
    assert said == f"ana/street at {offset}: The file street.png {problem}."
    assert failure == f"1 fault in ana/street (first bad offset {offset})."


def test_verify_finds_a_spoiled_upload_that_no_dataset_uses(street, storage, person):
    asset = assets.plan_asset(owner=person("ana").id, filename="unused.png")
    assets.store_asset(asset, ContentFile(b"never used"))
    (storage / assets.path_of(asset.sha256 or "")).unlink()
    assert run("verify", "--dataset", "ana/street").startswith("All sound")
    said, _ = run_failing("verify")
    assert "the installation: The file unused.png is not in the storage." in said


def test_a_file_that_two_datasets_name_is_read_once_and_told_for_both(street, storage, dataset, person, sample):
    asset = Asset.objects.get(filename="street.png")
    other = dataset(person("ana"), name="other")
    sample(other, person("ana"), attributes={"image": {"url": assets.url_of(asset)}})
    seen: list[tuple[int, int]] = []
    list(stored_files.broken_files(progress=lambda done, total: seen.append((done, total))))
    assert len(seen) == seen[-1][0] == seen[-1][1]
    stored_file(storage).unlink()
    assert {broken.dataset for broken in stored_files.broken_files()} == {street, other, None}


def test_verify_reports_what_other_apps_check(street, monkeypatch):
    monkeypatch.setattr(verify, "_checks", [])
    verify.register_check(lambda log: [verify.Finding(log, "release", 3, "The file of release v1 is gone.")])
    said, _ = run_failing("verify", "--dataset", "ana/street")
    assert said == "ana/street at 3: The file of release v1 is gone."


# --- rebuild -------------------------------------------------------------------------------------------------------


def test_rebuild_restores_everything(street):
    projector.catch_up(street)
    counts = list(Contribution.objects.filter(dataset_id=street).values_list("counts", flat=True))
    Annotation.objects.filter(dataset_id=street).delete()
    Dataset.objects.filter(id=street).update(description="spoiled")
    Contribution.objects.filter(dataset_id=street).delete()
    said = run("rebuild")
    assert said.startswith("Rebuilt everything of ") and "events a second" in said
    assert " of the live rows were not as the log says" in said and "none of" not in said
    assert rebuild.differences(street) == {}
    assert list(Contribution.objects.filter(dataset_id=street).values_list("counts", flat=True)) == counts


@pytest.mark.parametrize("name", ["labeling_annotation", "label"])
def test_rebuild_of_a_table_or_a_kind_of_stream(street, name):
    Annotation.objects.filter(dataset_id=street).delete()
    said = run("rebuild", name, "--dataset", "ana/street")
    assert said.startswith(f"Rebuilt {name} of 1 log: 4 events folded into ")
    assert said.endswith("3 of the live rows were not as the log says.")
    assert rebuild.differences(street) == {}


def test_rebuild_of_what_actors_make(street):
    said = run("rebuild", "contributions", "--dataset", str(street))
    assert f"{store.head(street)} events folded into 1 rows" in said and said.endswith(
        "1 of the live rows was not as the log says."
    )
    assert Contribution.objects.filter(dataset_id=street).exists()


def test_rebuild_of_one_dataset_leaves_the_others(street, dataset, person):
    other = dataset(person("ana"), name="other")
    with transaction.atomic():
        Dataset.objects.filter(id__in=[street, other]).update(description="spoiled")
        run("rebuild", "dataset", "--dataset", "ana/street")
        assert Dataset.objects.get(id=street).description == ""
        assert Dataset.objects.get(id=other).description == "spoiled"
        transaction.set_rollback(True)


def test_rebuild_says_which_projections_there_are(street):
    _, failure = run_failing("rebuild", "nothing")
    assert failure.startswith("There is no projection of that name; the known ones are dataset, sample, ")
    assert "labeling_annotation" in failure and "contributions" in failure


def test_rebuild_says_when_there_is_no_such_dataset(street):
    assert run_failing("rebuild", "--dataset", "ana/nothing")[1] == "There is no dataset ana/nothing."


def test_rebuild_leaves_the_rows_of_a_damaged_log(street):
    with transaction.atomic():
        disable_triggers()
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE log_event SET type = 'Unheard' WHERE log = %s AND type = 'AnnotationAdded'", [street]
            )
        failure = run_failing("rebuild", "--dataset", "ana/street")[1]
        assert Annotation.objects.filter(dataset_id=street).count() == 3
        transaction.set_rollback(True)
    assert failure == "ana/street cannot be folded, its rows stay as they were: Unheard version 1"


def test_rebuild_that_is_stopped_says_so_and_the_next_says_where_it_goes_on(street, monkeypatch):
    def stopped(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rebuild._Rebuild, "_compare", stopped)
        with pytest.raises(CommandError) as failure:
            run("rebuild", "--dataset", "ana/street")
    assert failure.value.returncode == 130 and str(failure.value).startswith("Stopped. The same command goes on with")
    head = store.head(street)
    said = run("rebuild", "--dataset", "ana/street")
    assert said.startswith(f"ana/street: goes on after {head} of {head} events, where it was stopped.\nRebuilt ")
    assert "goes on" not in run("rebuild", "--dataset", "ana/street", "--restart")


# --- apikey --------------------------------------------------------------------------------------------------------


def test_apikey_prints_a_key_that_works_as_its_last_word(person, client):
    person("ana")
    key = run("apikey", "ana", "--name", "for the tests").split()[-1]
    assert client.get("/user/", headers={"Authorization": f"APIKey {key}"}).json()["username"] == "ana"
    assert ApiKey.objects.get(person__username="ana").name == "for the tests"


@pytest.mark.parametrize("scope, origin", [("read", "person"), ("label", "model"), ("manage", "service")])
def test_apikey_makes_a_key_of_a_scope_and_an_origin(person, client, scope, origin):
    person("ana")
    key = run("apikey", "ana", "--scope", scope, "--origin", origin).split()[-1]
    (shown,) = client.get("/user/keys/", headers={"Authorization": f"APIKey {key}"}).json()
    assert (shown["scope"], shown["origin"]) == (scope, origin)


def test_apikey_refuses_too_many_keys_in_words(person, monkeypatch):
    person("ana")
    monkeypatch.setattr(people, "MOST_KEYS", 0)
    said, failure = run_failing("apikey", "ana")
    assert said == "" and "revoke those that are not needed" in failure


def test_apikey_keeps_only_the_hash(person):
    person("ana")
    key = run("apikey", "ana").split()[-1]
    row = ApiKey.objects.get(person__username="ana")
    assert bytes(row.hash) == people.hash_of(key)
    assert key not in str(list(ApiKey.objects.values()))
    events = store.read_stream(INSTALLATION, f"person/{row.person.pk}")
    assert [event.type for event in events] == ["PersonAdded", "KeyCreated"]


def test_apikey_of_somebody_unknown_says_what_to_do(db):
    said, failure = run_failing("apikey", "zoe")
    assert said == "" and failure == "Nobody has the username zoe; add --create to make the account."
    with pytest.raises(NotFound):
        people.person_named("zoe")


def test_apikey_makes_the_account_when_asked(db):
    first = run("apikey", "zoe", "--create").split()[-1]
    second = run("apikey", "zoe", "--create").split()[-1]
    assert first != second
    zoe = people.person_named("zoe")
    assert not zoe.is_staff and not zoe.is_superuser and zoe.api_keys.count() == 2


@pytest.mark.parametrize("known", [False, True])
def test_apikey_can_make_a_superuser(person, known):
    if known:
        person("root")
    run("apikey", "root", "--create", "--superuser", "--reason", "the first one")
    assert Person.objects.filter(username="root", is_staff=True, is_superuser=True).exists()


def test_apikey_refuses_a_name_that_cannot_stand_in_a_url(db):
    head = store.head(INSTALLATION)
    _, failure = run_failing("apikey", "a b", "--create")
    assert failure.startswith("The username must be 1 to 150 letters")
    assert store.head(INSTALLATION) == head


def test_apikey_of_a_deactivated_account_says_so(person):
    ana = person("ana")
    people.change_person(intent=people.operator("test"), person=ana, fields={"is_active": False})
    assert "deactivated" in run_failing("apikey", "ana")[1]
    assert not ana.api_keys.exists()


# --- Django's own ----------------------------------------------------------------------------------------------------


def test_who_is_made_a_superuser_at_the_machine_is_in_the_log(db):
    for name in ("boss", "other"):
        run("createsuperuser", "--noinput", "--username", name, "--email", f"{name}@example.org")
        made = Person.objects.get(username=name, is_superuser=True)
        (event,) = store.read_stream(INSTALLATION, f"person/{made.id}")
        assert event.fact == e.PersonAdded(staff=True, superuser=True)
        assert (event.intent.author, event.intent.tool) == (people.OPERATOR, "createsuperuser")


def test_a_password_that_is_set_at_the_machine_is_in_the_log_as_a_fact(person, monkeypatch):
    ana = person("ana")
    monkeypatch.setattr(changepassword.Command, "_get_pass", lambda self, prompt="": "quite unguessable")
    head = store.head(INSTALLATION)
    run("changepassword", "ana")
    (event,) = store.read(INSTALLATION, after=head)
    assert (event.fact, event.intent.tool) == (e.PersonChanged(password=True), "changepassword")
    assert Person.objects.get(id=ana.id).check_password("quite unguessable")
    assert "does not exist" in run_failing("changepassword", "zoe")[1]
    Person.objects.filter(id=ana.id).update(erased_at=timezone.now())
    assert "erased" in run_failing("changepassword", "ana")[1]
    assert store.head(INSTALLATION) == head + 1


# --- what they share -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["verify"], ["rebuild"], ["apikey", "ana"]])
def test_a_database_that_is_not_set_up_is_told_in_a_sentence(db, command):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'labeling'")
        assert run_failing(*command)[1].startswith("The database is not set up for this version; run ")
        transaction.set_rollback(True)


class Screen(io.StringIO):
    """A terminal that moves."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end(street, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_DRAWS", 0.0)
    screen = Screen()
    call_command("verify", stdout=io.StringIO(), stderr=screen, no_color=True)
    drawn = screen.getvalue()
    assert "ana/street: chain" in drawn and "#" * progress.BAR_CELLS in drawn
    assert drawn.endswith("\r\x1b[2K")


def test_no_bar_where_nobody_looks(street):
    other = io.StringIO()
    call_command("verify", stdout=io.StringIO(), stderr=other)
    assert other.getvalue() == ""
