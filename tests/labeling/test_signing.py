"""The keys of an installation, and what is signed with them."""

from __future__ import annotations

import base64
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling import events as e
from labeling import signing
from labeling.commands.people import operator
from labeling.commands.signing_keys import add_signing_key, retire_signing_key
from labeling.errors import AlreadyExists, NotFound, Refused
from labeling.log import rebuild, store
from labeling.log.event import INSTALLATION
from labeling.models import SigningKey
from labeling.queries.signing_keys import signing_keys
from labeling.rules.signing_keys import signing_key_stream
from labeling.signing import CHECKPOINT, RELEASE, SigningFailed

pytestmark = pytest.mark.django_db
BY = operator("test")
SEED = bytes(range(32))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any) -> Path:
    settings.HOME = tmp_path
    settings.SIGNING_KEY = ""
    return tmp_path


def run(*arguments: str) -> str:
    said = StringIO()
    call_command("signing_key", *arguments, stdout=said, stderr=said)
    return said.getvalue()


def test_without_a_key_nothing_is_signed() -> None:
    assert signing.sign(RELEASE, b"x") is None
    assert run("list") == "There is no signing key; `signing_key new` makes one.\n"


def test_a_new_key_is_an_event_with_its_public_half_and_signs(home: Path) -> None:
    key = add_signing_key(intent=BY)
    [event] = store.read_stream(INSTALLATION, signing_key_stream(key))
    seed = signing.private_half(key)
    assert seed is not None
    public = signing.public_half(seed)
    assert event.fact == e.SigningKeyAdded(key=key, public=public.hex())
    assert seed.hex() not in str(event.data)
    made = signing.sign(RELEASE, b"manifest")
    assert made is not None
    assert (made.key, made.public) == (key, public)
    assert signing.is_valid(RELEASE, b"manifest", public=public, value=made.value)
    for purpose, message in ((RELEASE, b"manifesu"), (CHECKPOINT, b"manifest"), (RELEASE, b"")):
        assert not signing.is_valid(purpose, message, public=public, value=made.value)


def test_the_private_half_is_readable_by_its_account_only(home: Path) -> None:
    key = add_signing_key(intent=BY)
    path = home / "signing_keys" / key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [item.name for item in path.parent.iterdir()] == [key]


def test_the_newest_key_signs_and_what_older_ones_signed_stays_valid() -> None:
    first = add_signing_key(intent=BY)
    old = signing.sign(RELEASE, b"x")
    second = add_signing_key(intent=BY)
    new = signing.sign(RELEASE, b"x")
    assert old is not None
    assert new is not None
    assert (old.key, new.key) == (first, second)
    retire_signing_key(intent=BY, key=first)
    public = bytes.fromhex(signing_keys()[0].public)
    assert signing.is_valid(RELEASE, b"x", public=public, value=old.value)
    assert [(row.key, row.retired_at is None) for row in signing_keys()] == [(first, False), (second, True)]


def test_a_retired_key_signs_nothing_and_its_private_half_is_gone(home: Path) -> None:
    key = add_signing_key(intent=BY)
    assert retire_signing_key(intent=BY, key=key) is True
    assert signing.sign(RELEASE, b"x") is None
    assert list((home / "signing_keys").iterdir()) == []
    with pytest.raises(Refused):
        retire_signing_key(intent=BY, key=key)
    with pytest.raises(NotFound):
        retire_signing_key(intent=BY, key="0" * 32)


def test_several_machines_share_the_key_of_their_environment(home: Path, settings: Any) -> None:
    settings.SIGNING_KEY = base64.b64encode(SEED).decode()
    key = add_signing_key(intent=BY)
    assert not (home / "signing_keys").exists()
    made = signing.sign(RELEASE, b"x")
    assert made is not None
    assert made.key == key == signing.key_id(signing.public_half(SEED))
    with pytest.raises(AlreadyExists):
        add_signing_key(intent=BY)
    settings.SIGNING_KEY = ""
    with pytest.raises(SigningFailed, match="is not on this machine"):
        signing.sign(RELEASE, b"x")


@pytest.mark.parametrize("text", ["x", "AAAA", "ä" * 32, "A" * 44, base64.b64encode(bytes(33)).decode()])
def test_a_key_of_the_environment_that_is_none_is_named(text: str, settings: Any) -> None:
    settings.SIGNING_KEY = text
    with pytest.raises(SigningFailed, match="SIGNING_KEY must hold 32 bytes"):
        add_signing_key(intent=BY)
    with pytest.raises(CommandError, match="SIGNING_KEY must hold 32 bytes"):
        run("new")


@pytest.mark.parametrize(("content", "said"), [("x\n", "must hold 32 bytes"), (None, "another key than its name")])
def test_a_damaged_key_file_signs_nothing(home: Path, content: str | None, said: str) -> None:
    key = add_signing_key(intent=BY)
    (home / "signing_keys" / key).write_text(content or base64.b64encode(SEED).decode())
    with pytest.raises(SigningFailed, match=said):
        signing.sign(RELEASE, b"x")


def test_a_key_that_does_not_reach_the_log_leaves_no_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: Any, **keywords: Any) -> None:
        raise store.LogBusy

    monkeypatch.setattr(store, "append", fails)
    monkeypatch.setattr(store, "decide", lambda attempt: attempt())
    with pytest.raises(Exception, match="busy"):
        add_signing_key(intent=BY)
    assert list((home / "signing_keys").iterdir()) == []


def test_keys_are_rows_that_a_fold_gives_again() -> None:
    key = add_signing_key(intent=BY)
    assert rebuild.differences(INSTALLATION) == {}
    SigningKey.objects.filter(key=key).update(public="00")
    assert rebuild.differences(INSTALLATION) == {"labeling_signingkey": 2}  # what is there, and what should be
    SigningKey.objects.filter(key=key).delete()
    assert rebuild.differences(INSTALLATION) == {"labeling_signingkey": 1}
    retire_signing_key(intent=BY, key=key)  # writes the row anew from the log


def test_the_command_makes_lists_and_retires(home: Path) -> None:
    said = run("new")
    key = signing_keys()[0].key
    assert said.splitlines()[-1] == f"From now on this installation signs with {key}."
    assert f"{key}  " in run("list")
    assert "in use, private half here" in run("list")
    (home / "signing_keys" / key).rename(home / "elsewhere")
    assert "private half NOT here" in run("list")
    assert "was not in this data directory" in run("retire", key)
    assert "retired" in run("list")
    seed = (home / "elsewhere").read_text().strip()
    assert seed not in said + run("list")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("retire",), "Say which"),
        (("new", "x"), "Say which"),
        (("retire", "nowhere"), "There is no such signing key"),
        (("retire", "../../secret_key"), "There is no such signing key"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*arguments)


def test_everybody_may_read_the_public_halves(client: Any) -> None:
    key = add_signing_key(intent=BY)
    [found] = client.get("/signing-keys/").json()
    assert found["key"] == key
    assert signing.key_id(base64.b64decode(found["public_key"])) == key
    assert found["retired_at"] is None


def test_a_signature_document_holds_no_more_than_it_needs() -> None:
    add_signing_key(intent=BY)
    made = signing.sign(RELEASE, b"x")
    assert made is not None
    assert set(made.as_json()) == {"signature", "algorithm", "purpose", "key", "public_key", "value"}


def test_the_names_of_purposes_are_for_ever() -> None:
    words = (signing.RELEASE, signing.CHECKPOINT, signing.BUNDLE, signing.ERASURE)
    assert words == ("release", "checkpoint", "bundle", "erasure")
