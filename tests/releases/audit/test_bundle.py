"""The sealed bundle, and the program that checks it elsewhere: each way of tampering is found, and named."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from labeling.commands.checkpoints import sign_checkpoint
from labeling.commands.erasure import erase_person
from labeling.log import store, values
from labeling.log.event import data_digest
from labeling.queries import checkpoints
from labeling.texts import encrypt
from releases import check_bundle
from releases.archives import Archive
from releases.audit.bundle import NothingToSeal, Range, place_named, seal
from tests.releases.audit.conftest import BY

JSON = dict[str, Any]


@pytest.fixture
def told(story, key) -> Any:
    """A story with texts, many kinds of values and two checkpoints."""
    story.add(story.ben, why="a car 🚗 stands there")
    sign_checkpoint(intent=BY, log=story.id)
    story.edit(
        story.ben, {"op": "set_scene_attributes", "attributes": {"ä🚗": [1e-7, 1e300, -0.5], "\u2028": "x\u007f\n"}}
    )
    story.add(story.ana, 2, why="and a person")
    sign_checkpoint(intent=BY, log=story.id)
    return story


def sealed(story: Any, path: Path, wanted: Range | None = None) -> Path:
    with path.open("wb") as sink:
        seal(story.id, sink, wanted or Range())
    return path


@pytest.fixture
def bundle(told, tmp_path) -> Path:
    return sealed(told, tmp_path / "bundle.zip")


def check(path: Path, *arguments: str, capsys: Any) -> tuple[int, str]:
    """What the program says."""
    code = check_bundle.main([str(path), *arguments])
    said = capsys.readouterr()
    return code, said.out + said.err


def files_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: dict[str, bytes], path: Path, *, indexed: bool = True) -> Path:
    """The bundle with other files. `indexed`: whoever did it wrote the index anew too, and only the key is missing."""
    if indexed:
        index = json.loads(files["index.json"])
        for item in index["files"]:
            if item["path"] in files:
                content = files[item["path"]]
                item.update(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        index["files"] = [item for item in index["files"] if item["path"] in files]
        files = files | {"index.json": values.canonical(index)}
        files.pop("index.signature.json", None)
    with path.open("wb") as sink, Archive(sink) as archive:
        for name, content in files.items():
            archive.put(name, io.BytesIO(content))
        archive.close()
    return path


def bent(path: Path, to: Path, change: Callable[[list[JSON]], Any], *, rechained: bool = False) -> Path:
    """The bundle with its events changed, by somebody who writes all hashes anew where `rechained`."""
    files = files_of(path)
    events = [json.loads(line) for line in files["events.ndjson"].splitlines()]
    change(events)
    index = json.loads(files["index.json"])
    if rechained:
        previous = bytes.fromhex(index["chain_before"])
        for event in events:
            event["data_hash"] = data_digest(event["data"]).hex()
            previous = check_bundle.chained(previous, event)
            event["chain"] = previous.hex()
        index["chain"], index["last_offset"] = events[-1]["chain"], events[-1]["offset"]
        files["index.json"] = values.canonical(index)
    files["events.ndjson"] = b"".join(values.canonical(event) + b"\n" for event in events)
    texts = files["texts.ndjson"].splitlines(keepends=True)
    files["texts.ndjson"] = b"".join(line for line in texts if json.loads(line)["offset"] <= events[-1]["offset"])
    return packed(files, to)


# --- sound -----------------------------------------------------------------------------------------------------------


def test_a_bundle_is_sound_and_says_what_holds(bundle, told, key, capsys):
    code, said = check(bundle, "--key", key, capsys=capsys)
    assert (code, said.splitlines()[-1]) == (0, "sound"), said
    assert f"events       1 to {told.head} in" in said and "without a gap" in said
    assert "2 of 2 within these events hold; 0 events behind the last" in said
    assert "the key that you named" in said


def test_the_same_offsets_give_the_same_bytes(bundle, told, tmp_path):
    index = json.loads(files_of(bundle)["index.json"])
    told.add(told.ben, 3)
    others = {name: at for name, at in index["offsets"].items() if name != "dataset"}
    again = sealed(told, tmp_path / "again.zip", Range(1, index["last_offset"], others))
    assert again.read_bytes() == bundle.read_bytes()


def test_the_chain_that_the_program_computes_is_that_of_the_log(bundle, told):
    events = [json.loads(line) for line in files_of(bundle)["events.ndjson"].splitlines()]
    previous = bytes(32)
    for event, stored in zip(events, store.read(told.id), strict=True):
        previous = check_bundle.chained(previous, event)
        assert previous == stored.chain and check_bundle.digest_of(event["data"]) == (stored.data_hash or b"").hex()


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
        max_leaves=12,
    )
)
def test_the_programs_canonical_json_is_ours(value):
    try:
        ours = values.canonical(value)
    except ValueError:
        return  # half of a surrogate pair
    assert check_bundle.canonical(json.loads(ours)) == ours.decode()


@pytest.mark.parametrize("python", [sys.executable])
def test_it_runs_alone_with_nothing_but_the_standard_library(bundle, tmp_path, python, key):
    folder = tmp_path / "elsewhere"
    with zipfile.ZipFile(bundle) as archive:
        for name in ("check_bundle.py", "check_release.py"):
            archive.extract(name, folder)
    done = subprocess.run(
        [python, "-I", "-S", str(folder / "check_bundle.py"), str(bundle), "--key", key],
        capture_output=True, text=True, check=False, cwd=folder, env={},
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["sound"]), done.stdout + done.stderr


def test_a_range_of_events_begins_with_the_chain_before_it(told, tmp_path, capsys):
    path = sealed(told, tmp_path / "part.zip", Range(4, told.head - 1))
    code, said = check(path, capsys=capsys)
    assert code == 0 and f"events       4 to {told.head - 1}" in said
    with pytest.raises(NothingToSeal):
        sealed(told, tmp_path / "none.zip", Range(told.head + 1))
    with pytest.raises(NothingToSeal):
        sealed(told, tmp_path / "none.zip", Range(5, 4))


def test_reports_are_in_it_as_tables_and_as_pages(bundle):
    names = set(files_of(bundle))
    assert {"reports/A1-events.csv", "reports/A8-duties.html", "reports/A6-dossier.csv"} <= names


def test_manifests_of_releases_are_in_it_and_checked(told, release, tmp_path, key, capsys):
    built = release(told.id, told.ana, "v1")
    path = sealed(told, tmp_path / "with.zip")
    files = files_of(path)
    name = f"releases/{built.row.id}/manifest.json"
    assert files[name].decode() == built.job.manifest
    code, said = check(path, "--key", key, capsys=capsys)
    assert code == 0 and "1 manifests are of this log" in said
    manifest = json.loads(files[name])
    manifest["chain"] = "00" * 32
    code, said = check(packed(files | {name: values.canonical(manifest)}, tmp_path / "bent.zip"), capsys=capsys)
    assert code == 1 and f"BAD          {name}: it was made from other events than these" in said


def test_what_was_erased_says_erased(told, tmp_path, person, intent, capsys):
    before = [json.loads(line) for line in files_of(sealed(told, tmp_path / "before.zip"))["texts.ndjson"].splitlines()]
    assert {line["text"] for line in before} == {"a car 🚗 stands there", "and a person"}
    root = person(f"root-{uuid.uuid4().hex[:6]}", superuser=True)
    erase_person(intent=intent(root, reason=encrypt("asked to", person=root.id)), person=told.ben)
    path = sealed(told, tmp_path / "after.zip")
    files = files_of(path)
    lines = [json.loads(line) for line in files["texts.ndjson"].splitlines()]
    assert {(line["text"], line["erased"]) for line in lines} == {(None, True), ("and a person", False)}
    erased = sum(line["erased"] for line in lines)
    assert erased == sum(line["text"] == "a car 🚗 stands there" for line in before)
    assert "(erased)" in files["reports/A1-events.csv"].decode()
    code, said = check(path, capsys=capsys)
    assert code == 0 and f"{erased} erased" in said


# --- tampered with ---------------------------------------------------------------------------------------------------


def drop(events: list[JSON]) -> None:
    del events[4]


def drop_and_renumber(events: list[JSON]) -> None:
    del events[4]
    for offset, event in enumerate(events, 1):
        event["offset"] = offset


def reorder(events: list[JSON]) -> None:
    events[3], events[4] = events[4], events[3]


def reorder_and_renumber(events: list[JSON]) -> None:
    reorder(events)
    events[3]["offset"], events[4]["offset"] = 4, 5


def insert(events: list[JSON]) -> None:
    events.insert(4, events[4] | {"event_id": str(uuid.UUID(int=9, version=4))})


def truncate(events: list[JSON]) -> None:
    del events[-1]


def change_data(events: list[JSON]) -> None:
    events[4]["data"]["name"] = "another"


def change_author(events: list[JSON]) -> None:
    events[4]["author"] = str(uuid.UUID(int=9, version=4))


def change_time(events: list[JSON]) -> None:
    events[4]["recorded_us"] += 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop, "event 5 is missing; event 6 stands in its place"),
        (drop_and_renumber, "event 5"),
        (reorder, "event 4 is missing; event 5 stands in its place"),
        (reorder_and_renumber, "event 4"),
        (insert, "event 5"),
        (truncate, "the tail is missing"),
        (change_data, "its data is not what was recorded"),
        (change_author, "it was changed, moved or put in; the chain hash differs"),
        (change_time, "it was changed, moved or put in; the chain hash differs"),
    ],
)
def test_events_that_were_tampered_with_are_found_at_the_first_bad_one(bundle, tmp_path, capsys, change, said):
    code, words = check(bent(bundle, tmp_path / "bent.zip", change), capsys=capsys)
    assert code == 1 and words.splitlines()[-1] == "damaged"
    (first, *_) = [line for line in words.splitlines() if line.startswith("BAD") and "events.ndjson" in line]
    assert said in first


@pytest.mark.parametrize("change", [drop_and_renumber, reorder_and_renumber, change_data, change_author, truncate])
def test_who_writes_all_hashes_anew_is_found_by_a_checkpoint(bundle, tmp_path, capsys, key, change):
    path = bent(bundle, tmp_path / "bent.zip", change, rechained=True)
    code, said = check(path, capsys=capsys)
    assert code == 1 and "BAD          checkpoint" in said, said
    if change is truncate:
        assert "the tail is missing" in said
    code, said = check(path, "--key", key, capsys=capsys)
    assert code == 1 and "index.signature.json: it is missing, and you named a key" in said


def test_who_takes_the_checkpoints_out_too_is_found_by_one_that_was_kept(bundle, tmp_path, capsys, told):
    kept = tmp_path / "kept.json"
    kept.write_bytes(checkpoints.of(told.id)[-1].document)
    assert check(bundle, "--checkpoint", str(kept), capsys=capsys)[0] == 0
    files = files_of(bent(bundle, tmp_path / "bent.zip", truncate, rechained=True)) | {"checkpoints.json": b"[]\n"}
    path = packed(files, tmp_path / "clean.zip")
    assert check(path, capsys=capsys)[0] == 0  # nothing in it says that there was more
    code, said = check(path, "--checkpoint", str(kept), capsys=capsys)
    assert code == 1 and "checkpoint that you kept: 2" in said and "the tail is missing" in said


def test_a_log_that_was_written_anew_is_not_that_of_a_kept_checkpoint(bundle, tmp_path, capsys, told):
    kept = tmp_path / "kept.json"
    kept.write_bytes(checkpoints.of(told.id)[0].document)
    files = files_of(bent(bundle, tmp_path / "bent.zip", change_author, rechained=True)) | {"checkpoints.json": b"[]\n"}
    code, said = check(packed(files, tmp_path / "clean.zip"), "--checkpoint", str(kept), capsys=capsys)
    assert code == 1 and "the events up to there are not those that it was signed over" in said


def test_a_checkpoint_that_was_taken_out_of_the_middle_is_missed(bundle, tmp_path, capsys):
    files = files_of(bundle)
    held = json.loads(files["checkpoints.json"])[1:]
    code, said = check(packed(files | {"checkpoints.json": values.canonical(held)}, tmp_path / "x.zip"), capsys=capsys)
    assert code == 1 and "it does not name the checkpoint before it" in said


def test_a_bundle_signed_by_another_key_is_not_ours(bundle, capsys):
    code, said = check(bundle, "--key", "0" * 32, capsys=capsys)
    assert code == 1 and "which is none of those that you named" in said
    assert check(bundle, capsys=capsys)[0] == 0


def test_a_bundle_without_a_signature_says_so(told, tmp_path, capsys, key):
    path = packed(files_of(sealed(told, tmp_path / "a.zip")), tmp_path / "b.zip")
    code, said = check(path, capsys=capsys)
    assert code == 0 and "none: whose bundle it is, nothing says" in said
    assert check(path, "--key", key, capsys=capsys)[0] == 1


def test_any_flipped_byte_of_any_file_is_found(bundle, tmp_path, capsys):
    data = bundle.read_bytes()
    with zipfile.ZipFile(bundle) as archive:
        places = [
            (item.filename, item.header_offset + 30 + len(item.filename) + item.file_size // 2)
            for item in archive.infolist()
        ]
    for name, place in places:
        path = tmp_path / "flipped.zip"
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        code, said = check(path, capsys=capsys)
        assert code == 1 and name in said, (name, said)


@pytest.mark.parametrize("name", ["index.json", "events.ndjson", "texts.ndjson", "checkpoints.json", "keys.json"])
def test_a_file_that_is_gone_is_missed(bundle, tmp_path, capsys, name):
    files = files_of(bundle)
    del files[name]
    code, said = check(packed(files, tmp_path / "less.zip", indexed=False), capsys=capsys)
    assert code == 1 and name in said


def test_a_file_that_was_put_in_is_noticed(bundle, tmp_path, capsys):
    path = packed(files_of(bundle) | {"reports/A99.csv": b"all is well"}, tmp_path / "more.zip", indexed=False)
    code, said = check(path, capsys=capsys)
    assert code == 1 and "reports/A99.csv: it is in the bundle and not in the index" in said


def test_texts_of_no_event_and_missing_texts_are_found(bundle, tmp_path, capsys):
    files = files_of(bundle)
    lines = files["texts.ndjson"].splitlines(keepends=True)
    code, said = check(packed(files | {"texts.ndjson": lines[0]}, tmp_path / "a.zip"), capsys=capsys)
    assert code == 1 and "the text of event" in said
    forged = json.loads(lines[0]) | {"offset": 1}
    content = values.canonical(forged) + b"\n" + lines[1]
    code, said = check(packed(files | {"texts.ndjson": content}, tmp_path / "b.zip"), capsys=capsys)
    assert code == 1 and "texts.ndjson, line 1: it is of no text in the events" in said


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_bundle_is_said_to_be_none(tmp_path, capsys, content):
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    code, said = check(path, capsys=capsys)
    assert code in (1, 2) and "Traceback" not in said


@pytest.mark.parametrize("index", [b"[]", b"{}", b'{"bundle":1}', b"x"])
def test_an_index_of_another_form_is_no_traceback(bundle, tmp_path, capsys, index):
    code, said = check(
        packed(files_of(bundle) | {"index.json": index}, tmp_path / "x.zip", indexed=False), capsys=capsys
    )
    assert code == 1 and "BAD" in said


@pytest.mark.parametrize(
    "arguments", [(), ("a", "b"), ("a", "--key"), ("a", "--key", "no key"), ("a", "--checkpoint", "b")]
)
def test_wrong_arguments_are_told_how_it_is_used(arguments, capsys):
    assert check_bundle.main(list(arguments)) == 2
    assert "python3 check_bundle.py BUNDLE.zip" in capsys.readouterr().err


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_seals_signs_a_checkpoint_and_says_how_to_check(told, tmp_path, capsys):
    told.add(told.ben, 3)
    file, out = tmp_path / "a.zip", io.StringIO()
    call_command("audit_bundle", str(told.id), str(file), stdout=out)
    assert f"events 1 to {told.head}, signed" in out.getvalue() and "python3 check_bundle.py a.zip" in out.getvalue()
    assert checkpoints.of(told.id)[-1].offset == told.head
    code, said = check(file, capsys=capsys)
    assert code == 0 and "3 of 3 within these events hold; 0 events behind the last" in said
    with pytest.raises(CommandError, match="is there already"):
        call_command("audit_bundle", str(told.id), str(file))
    with pytest.raises(CommandError, match="There is no dataset"):
        call_command("audit_bundle", "nobody/nothing", str(tmp_path / "b.zip"))
    with pytest.raises(CommandError, match="--from: must be an offset of the log"):
        call_command("audit_bundle", str(told.id), str(tmp_path / "b.zip"), "--from", "yesterday")
    with pytest.raises(CommandError, match="there is no event"):
        call_command("audit_bundle", str(told.id), str(tmp_path / "b.zip"), "--from", "99999")
    assert not (tmp_path / "b.zip").exists()


def test_without_a_key_it_is_sealed_and_not_signed(story, tmp_path):
    story.add(story.ben)
    out = io.StringIO()
    call_command("audit_bundle", str(story.id), str(tmp_path / "a.zip"), stdout=out)
    assert "not signed, because there is no key" in out.getvalue()


def test_places_are_offsets_or_times(told):
    times = [event.recorded_at for event in store.read(told.id)]
    assert times[4] is not None
    text = times[4].isoformat()
    first, last = (place_named(told.id, text, first=is_first) for is_first in (True, False))
    assert first is not None and last is not None and first <= 5 <= last
    assert place_named(told.id, "7", first=True) == 7 and place_named(told.id, None, first=True) is None


def test_the_stand_alone_program_is_the_one_in_the_bundle(bundle):
    here = Path(check_bundle.__file__)
    assert files_of(bundle)["check_bundle.py"] == here.read_bytes()
