"""Signed checkpoints: what they prove once somebody cut a log off or wrote it anew, and that verifying says so."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from labeling import signing
from labeling.commands import checkpoints as commands
from labeling.commands import datasets
from labeling.commands.people import operator
from labeling.commands.signing_keys import add_signing_key, retire_signing_key
from labeling.log import store, verify
from labeling.log.event import INSTALLATION, Intent
from labeling.management import checkpoint_checks
from labeling.models import SigningKey
from labeling.queries import checkpoints
from labeling.rules.checkpoints import digest, message, order_problems

BY = operator("test")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any, db: None) -> Path:
    """An empty data directory for keys, and one key."""
    settings.HOME, settings.SIGNING_KEY = tmp_path, ""
    add_signing_key(intent=BY)
    return tmp_path


@pytest.fixture
def log(dataset, person) -> uuid.UUID:
    return dataset(person(f"ana-{uuid.uuid4().hex[:6]}"))


@pytest.fixture
def say(log) -> Any:
    """say("x"): one more event."""
    ana = store.read(log)[0].intent.author

    def more(text: str) -> None:
        datasets.change_dataset(intent=Intent(author=ana), dataset=log, changes={"description": text})

    return more


def signed(log: uuid.UUID) -> checkpoints.Checkpoint:
    made = commands.sign_checkpoint(intent=BY, log=log)
    assert made is not None
    return made


@contextmanager
def tampering() -> Iterator[None]:
    """What is done within is undone at the end."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE log_event DISABLE TRIGGER USER")
        yield
        transaction.set_rollback(True)


def cut_off(log: uuid.UUID, after: int) -> None:
    """What the owner of the tables can do so that nothing in the log itself shows it."""
    with connection.cursor() as cursor:
        cursor.execute('DELETE FROM log_event WHERE log = %s AND "offset" > %s', [log, after])
        cursor.execute(
            'UPDATE log_head SET head = e."offset", chain = e.chain, recorded_at = e.recorded_at FROM log_event e'
            ' WHERE log_head.log = %s AND e.log = %s AND e."offset" = %s',
            [log, log, after],
        )
        cursor.execute('DELETE FROM log_checkpoint WHERE log = %s AND "offset" > %s', [log, after])


def row_as_then(log: uuid.UUID) -> None:
    """The dataset's row fits to its log again, so that one can go on."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE labeling_dataset SET version = version - 1 WHERE id = %s", [log])


def problems(log: uuid.UUID, kept: Any = ()) -> list[str]:
    return [item.sentence for item in (*verify.verify_log(log), *checkpoint_checks.findings(log, kept))]


def test_a_checkpoint_states_the_chain_where_it_was_made_and_is_signed(log, say):
    made = signed(log)
    assert (made.number, made.offset, made.chain) == (1, store.head(log), store.chain_at(log, store.head(log)).hex())
    assert made.problem() is None and made.stated["app_version"] == store.APP_VERSION
    say("more")
    second = signed(log)
    assert second.stated["previous"] == digest(made.stated) and second.number == 2
    assert [item.stated for item in checkpoints.of(log)] == [made.stated, second.stated]
    assert problems(log) == []


def test_nothing_is_signed_twice(log):
    signed(log)
    assert commands.sign_checkpoint(intent=BY, log=log) is None


def test_all_logs_that_moved_are_signed_and_that_of_the_installation_last(log, say):
    made = commands.sign_all(intent=BY)
    assert made[-1].stated["log"] == str(INSTALLATION)
    assert made[-1].offset == store.head(INSTALLATION) - 1  # the others are in it
    assert commands.sign_all(intent=BY) == []
    say("more")
    assert [item.stated["log"] for item in commands.sign_all(intent=BY)] == [str(log)]


def test_without_a_key_nothing_is_signed(log):
    retire_signing_key(intent=BY, key=SigningKey.objects.get(retired_at=None).key)
    assert commands.sign_checkpoint(intent=BY, log=log) is None
    with pytest.raises(CommandError, match="signing_key new"):
        call_command("checkpoint")


def test_now_and_then_is_not_always(log, monkeypatch):
    monkeypatch.setattr(commands, "_last_round_s", -commands.PERIOD_S * 2)
    assert commands.sign_now_and_then() >= 1
    assert commands.sign_now_and_then() == 0


def test_it_is_published_as_a_file_that_says_the_same(log):
    made = signed(log)
    with default_storage.open(made.path) as file:
        assert json.loads(file.read()) == made.as_json()
    assert [item.stated for item in checkpoints.published(log)] == [made.stated]


def test_a_tail_that_was_cut_off_without_a_trace_in_the_log_is_found(log, say):
    say("one")
    before = store.head(log)
    say("two")
    made = signed(log)
    with tampering():
        cut_off(log, before)
        (missing,) = [text for text in problems(log) if "tail" in text]
    assert f"ends at {before}" in missing and "checkpoint 1" in missing and made.offset == before + 1


def test_when_the_installations_log_was_cut_off_with_it_the_published_file_finds_it(log, say):
    say("one")
    before, installation = store.head(log), store.head(INSTALLATION)
    say("two")
    made = signed(log)
    with tampering():
        cut_off(log, before)
        cut_off(INSTALLATION, installation)
        assert checkpoints.of(log) == []
        assert any("the published checkpoint 1" in text and "tail is missing" in text for text in problems(log))
        default_storage.delete(made.path)
        assert problems(log) == []  # who removes that too is found only by who kept a copy
        assert any("kept checkpoint" in text and "tail is missing" in text for text in problems(log, [made]))


def test_a_log_that_was_written_anew_is_not_that_of_the_checkpoint(log, say):
    say("one")
    before = store.head(log)
    say("two")
    kept = signed(log)
    with tampering():
        cut_off(log, before)
        row_as_then(log)
        say("another")
        assert any("checkpoint 1" in text for text in problems(log))
        assert any("not those of the kept checkpoint" in text for text in problems(log, [kept]))


def test_what_was_signed_cannot_be_bent(log, say):
    made = signed(log)
    bent = checkpoints.Checkpoint(made.stated | {"chain": "00" * 32}, made.signature)
    assert bent.problem() == "its signature is not over what it states"
    other = checkpoints.Checkpoint(made.stated, made.signature | {"purpose": "release"})
    assert other.problem() == "its signature is one of something else"
    assert any("not over what it states" in text for text in problems(log, [bent]))


def test_a_key_that_nobody_knows_signs_nothing_here(log):
    made = signed(log)
    seed = bytes(range(32))
    public = signing.public_half(seed)
    value = Ed25519PrivateKey.from_private_bytes(seed).sign(signing.signed_bytes("checkpoint", message(made.stated)))
    forged = signing.Signature("checkpoint", signing.key_id(public), public, value)
    problem = checkpoints.Checkpoint(made.stated, forged.as_json()).problem()
    assert problem == "it is signed with a key that this installation does not know"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda items: items[1:], "says that it is 2"),
        (lambda items: [items[0], items[2]], "does not name the one before it"),
        (lambda items: [items[0], items[1] | {"offset": 1}, items[2]], "is not behind the one before it"),
        (lambda items: [items[0] | {"log": str(uuid.UUID(int=1))}, *items[1:]], "is of another log"),
    ],
)
def test_checkpoints_follow_from_each_other(log, say, change, said):
    for text in ("one", "two", "three"):
        say(text)
        signed(log)
    stated = [item.stated for item in checkpoints.of(log)]
    assert order_problems(str(log), stated) == []
    assert any(said in problem for _, problem in order_problems(str(log), change(stated)))


def test_the_commands_sign_copy_and_verify_against_copies(log, say, tmp_path):
    say("one")
    before = store.head(log)
    say("two")
    out = io.StringIO()
    call_command("checkpoint", "--dataset", str(log), "--to", str(tmp_path / "kept"), stdout=out)
    assert f"checkpoint 1 at offset {before + 1}" in out.getvalue()
    (file,) = (tmp_path / "kept").iterdir()
    sound = io.StringIO()
    call_command("verify", "--dataset", str(log), "--checkpoints", str(tmp_path / "kept"), stdout=sound)
    assert "All sound" in sound.getvalue()
    again = io.StringIO()
    call_command("checkpoint", "--dataset", str(log), stdout=again)
    assert "Nothing happened" in again.getvalue()
    held = json.loads(file.read_bytes())
    held["statement"]["offset"] += 5
    file.write_text(json.dumps(held))
    with pytest.raises(CommandError, match="fault"):
        call_command("verify", "--dataset", str(log), "--checkpoints", str(file), stdout=io.StringIO())
    file.write_text("no")
    with pytest.raises(CommandError, match="holds no checkpoint"):
        call_command("verify", "--dataset", str(log), "--checkpoints", str(file), stdout=io.StringIO())
    with pytest.raises(CommandError, match="There is no dataset"):
        call_command("checkpoint", "--dataset", "nobody/nothing")
