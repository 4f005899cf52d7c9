"""The check that needs only Python: its Ed25519 against RFC 8032, `cryptography` and hostile signatures."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from hypothesis import example, given
from hypothesis import strategies as st

from labeling import signing
from labeling.commands.people import create_key, operator
from labeling.commands.signing_keys import add_signing_key, retire_signing_key
from labeling.log.event import Intent
from labeling.models import Dataset, Person
from releases import builds, check_release, checks, queries
from releases.check_release import _L, _P, ed25519_is_valid, key_id, signature_problem, signed_bytes
from releases.commands import cut_release
from tests.conftest import MakeDataset
from tests.labeling.api.conftest import browser
from tests.releases.conftest import Built

Make = Callable[..., Any]

# RFC 8032, §7.1: secret, public, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
        "24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a"
        "eeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed2"
        "8dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_the_vectors_of_the_rfc_hold(secret: str, public: str, message: str, signature: str) -> None:
    key, said, value = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)).sign(said) == value
    assert ed25519_is_valid(key, said, value)
    assert not ed25519_is_valid(key, said + b"x", value)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 64 * 8 - 1), st.integers(0, 255))
@example(bytes(32), b"", 0, 0)
def test_it_takes_what_cryptography_signs_and_refuses_every_flipped_bit(
    seed: bytes, message: bytes, bit: int, key_bit: int
) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, value = private.public_key().public_bytes_raw(), private.sign(message)
    assert ed25519_is_valid(public, message, value)
    bent = (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(64, "big")
    assert not ed25519_is_valid(public, message, bent)
    other = (int.from_bytes(public, "big") ^ 1 << key_bit).to_bytes(32, "big")
    assert not ed25519_is_valid(other, message, value)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64), st.binary(max_size=8))
def test_it_takes_nothing_that_cryptography_refuses(public: bytes, value: bytes, message: bytes) -> None:
    if ed25519_is_valid(public, message, value):
        Ed25519PublicKey.from_public_bytes(public).verify(value, message)


def test_a_signature_that_was_moved_by_the_order_of_the_group_is_refused() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public, value = private.public_key().public_bytes_raw(), private.sign(b"m")
    s = int.from_bytes(value[32:], "little")
    for times in range(1, 16):
        if s + times * _L < 2**256:
            assert not ed25519_is_valid(public, b"m", value[:32] + (s + times * _L).to_bytes(32, "little"))
    assert ed25519_is_valid(public, b"m", value)


#: The eight points whose order divides 8, and what else is read as one of them by those who are not strict.
SMALL = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@pytest.mark.parametrize("public", SMALL)
def test_a_key_of_small_order_signs_nothing(public: str) -> None:
    """With such a key a signature of zeros is over many messages."""
    key = bytes.fromhex(public)
    for first in SMALL:
        assert not any(ed25519_is_valid(key, b"%d" % n, bytes.fromhex(first) + bytes(32)) for n in range(4))


def test_points_in_another_form_than_the_one_are_refused() -> None:
    numbers = random.Random(8032)
    for y in [*range(19), *(numbers.randrange(19) for _ in range(4))]:
        data = (_P + y).to_bytes(32, "little")
        assert check_release._point(data) is None


@pytest.mark.parametrize("lengths", [(0, 64), (31, 64), (33, 64), (32, 0), (32, 63), (32, 65)])
def test_what_is_too_short_or_too_long_is_refused(lengths: tuple[int, int]) -> None:
    assert not ed25519_is_valid(bytes(lengths[0]), b"", bytes(lengths[1]))


@given(st.binary(min_size=32, max_size=32), st.sampled_from(["release", "checkpoint", "bundle"]), st.binary(max_size=9))
def test_both_say_the_same_of_keys_and_what_is_signed(public: bytes, purpose: str, message: bytes) -> None:
    assert key_id(public) == signing.key_id(public)
    assert signed_bytes(purpose, message) == signing.signed_bytes(purpose, message)


# --- documents -------------------------------------------------------------------------------------------------------


def document(purpose: str = "release", message: bytes = b"m", seed: bytes = bytes(32)) -> dict[str, Any]:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes_raw()
    value = private.sign(signed_bytes(purpose, message))
    return signing.Signature(purpose, key_id(public), public, value).as_json()


OTHER = document(seed=bytes(31) + b"x")
BENT: list[tuple[Any, str]] = [
    (None, "none that this program knows"),
    ([], "none that this program knows"),
    ("x", "none that this program knows"),
    ({}, "none that this program knows"),
    (document() | {"value": None}, "none that this program knows"),
    (document() | {"value": "ä"}, "none that this program knows"),
    (document() | {"signature": 2}, "of a kind"),
    (document() | {"algorithm": "RSA"}, "of a kind"),
    (document("checkpoint"), "of something else"),
    (document("checkpoint") | {"purpose": "release"}, "not over these bytes"),
    (document() | {"key": "0" * 32}, "not the one that it names"),
    (document() | {"public_key": OTHER["public_key"]}, "not the one that it names"),
    (document() | {"public_key": OTHER["public_key"], "key": OTHER["key"]}, "not over these bytes"),
    (document() | {"value": OTHER["value"]}, "not over these bytes"),
    (document() | {"value": ""}, "not over these bytes"),
    (document(message=b"n"), "not over these bytes"),
]


@pytest.mark.parametrize(("bent", "said"), BENT)
def test_a_document_that_is_not_good_is_told_apart(bent: Any, said: str) -> None:
    assert said in (signature_problem("release", b"m", bent) or "nothing")


def test_a_good_document_is_good_for_those_who_trust_its_key() -> None:
    good = document()
    assert signature_problem("release", b"m", good) is None
    assert signature_problem("release", b"m", good, [good["key"]]) is None
    assert "none of those" in (signature_problem("release", b"m", good, [OTHER["key"]]) or "")
    assert "none of those" in (signature_problem("release", b"m", good, []) or "")


# --- a release -------------------------------------------------------------------------------------------------------


@pytest.fixture
def signed(
    db: None, tmp_path: Path, settings: Any, person: Make, dataset: MakeDataset, sample: Make,
    label: Make, release: Callable[..., Built], monkeypatch: pytest.MonkeyPatch,
) -> Built:  # fmt: skip
    """A release whose manifest is signed."""
    monkeypatch.setattr(signing, "_folder", lambda: tmp_path / "signing_keys")
    settings.SIGNING_KEY, settings.SIGN_RELEASES = "", True
    add_signing_key(intent=operator("test"))
    ana = person()
    streets = dataset(ana)
    label(sample(streets, ana), ana)
    return release(streets, ana, "v1")


def signature_of(built: Built) -> dict[str, Any]:
    document = built.job.signature
    assert isinstance(document, dict)
    return document


def run(*arguments: str | Path, python: str = sys.executable) -> tuple[int, str]:
    script = Path(settings.BASE_DIR) / "releases" / "check_release.py"
    found = subprocess.run(
        [python, "-I", str(script), *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=60, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    return found.returncode, found.stdout + found.stderr


@pytest.fixture
def downloaded(signed: Built, tmp_path: Path) -> tuple[Path, Path, Path]:
    """Manifest, file and signature, as they are downloaded."""
    paths = tmp_path / "manifest.json", tmp_path / "release.json", tmp_path / "signature.json"
    paths[0].write_bytes(signed.job.manifest.encode())
    paths[1].write_bytes(signed.data)
    paths[2].write_text(json.dumps(signed.job.signature))
    return paths


def test_a_signed_release_is_sound_for_who_trusts_its_key(signed: Built, downloaded: tuple[Path, Path, Path]) -> None:
    manifest, file, signature = downloaded
    document = signature_of(signed)
    status, said = run(manifest, file, signed.job.identity, "--signature", signature)
    assert (status, said.splitlines()[-1]) == (0, "sound")
    assert f"signature  good, by the key {document['key']} (name the key" in said
    keys = manifest.parent / "keys.json"
    keys.write_text(json.dumps([{"public_key": document["public_key"]}]))
    for key in (document["key"], document["public_key"], keys):
        status, said = run(manifest, file, "--signature", signature, "--key", key)
        assert (status, f"good, by the key {document['key']}\n" in said) == (0, True)


def test_a_signature_by_another_key_or_none_is_bad(signed: Built, downloaded: tuple[Path, Path, Path]) -> None:
    manifest, file, signature = downloaded
    other = base64.b64encode(bytes(32)).decode()
    status, said = run(manifest, file, "--signature", signature, "--key", other)
    assert (status, "none of those that you named" in said) == (1, True)
    status, said = run(manifest, file, "--key", other)
    assert (status, "no signature given" in said) == (1, True)
    signature.write_text("{")
    status, said = run(manifest, file, "--signature", signature)
    assert (status, "none that this program knows" in said) == (1, True)


@pytest.mark.parametrize("arguments", [(), ("a", "b", "c", "d"), ("a", "b", "--keys", "x"), ("a", "b", "--key")])
def test_wrong_arguments_get_the_usage(arguments: tuple[str, ...]) -> None:
    status, said = run(*arguments)
    assert (status, "MANIFEST FILE" in said) == (2, True)


def test_a_key_that_is_none_is_told(downloaded: tuple[Path, Path, Path]) -> None:
    for bad in ("x", "AAAA", str(downloaded[0])):
        status, said = run(downloaded[0], downloaded[1], "--key", bad)
        assert (status, "neither the id of a key" in said) == (2, True)


def test_the_signature_is_no_part_of_the_identity(signed: Built, settings: Any) -> None:
    settings.SIGN_RELEASES = False
    builds.reset(signed.row.id)
    type(signed.job).objects.filter(release_id=signed.row.id).update(signature=None)
    builds.build(signed.row.id)
    again = queries.release_by_id(signed.row.id).build
    assert again is not None
    assert (again.identity, again.sha256, again.signature) == (signed.job.identity, signed.job.sha256, None)


def test_a_file_that_is_made_again_keeps_its_signature_after_a_rotation(signed: Built) -> None:
    by = operator("test")
    add_signing_key(intent=by)
    retire_signing_key(intent=by, key=signature_of(signed)["key"])
    builds.reset(signed.row.id)
    builds.build(signed.row.id)
    found = queries.release_by_id(signed.row.id)
    assert found.build is not None
    assert found.build.signature == signed.job.signature
    assert checks.problem_with(found, found.build) is None


def test_a_release_that_should_be_signed_and_cannot_be_fails_in_words(signed: Built, tmp_path: Path) -> None:
    (tmp_path / "signing_keys" / signature_of(signed)["key"]).unlink()
    made = cut_release(intent=Intent(author=signed.row.created_by), dataset=signed.row.dataset_id, name="v2")
    builds.build(made)
    found = queries.release_by_id(made).build
    assert found is not None
    assert (found.status, "is not on this machine" in found.error) == ("FAILED", True)


@pytest.mark.parametrize(
    ("bend", "said"),
    [
        (lambda document: document | {"value": base64.b64encode(bytes(64)).decode()}, "not over its manifest"),
        (lambda document: document | {"key": "0" * 32}, "never had"),
    ],
)
def test_verify_finds_a_signature_that_is_not_good(signed: Built, bend: Callable[..., Any], said: str) -> None:
    found = queries.release_by_id(signed.row.id)
    assert found.build is not None
    found.build.signature = bend(found.build.signature)
    assert said in (checks.problem_with(found, found.build) or "")


def test_the_api_gives_the_signature_beside_the_manifest(signed: Built) -> None:
    dataset = Dataset.objects.get(id=signed.row.dataset_id)
    owner = Person.objects.get(id=dataset.owner_id)
    _, secret = create_key(intent=operator("test"), person=owner)
    address = f"/datasets/{owner.username}/{dataset.name}/releases/v1/manifest/"
    headers = {"Authorization": f"APIKey {secret}"}
    manifest = browser().get(address, headers=headers)
    signature = browser().get(f"{address}?signature", headers=headers)
    assert (manifest.status_code, signature.status_code) == (200, 200)
    assert manifest["ETag"] == signature["ETag"] == f'"{signed.job.identity}"'
    keys = [item["key"] for item in browser().get("/signing-keys/").json()]
    assert signature_problem("release", manifest.content, signature.json(), keys) is None
