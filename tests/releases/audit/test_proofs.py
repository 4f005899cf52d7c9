"""Proofs by signed checkpoints, made by the API, by the command line and in the bundle, and checked by the program that
knows nothing of Palimpsest."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling import signing
from labeling.commands import checkpoints as commands
from labeling.commands.checkpoints import sign_checkpoint
from labeling.errors import InvalidValue, NotFound
from labeling.log import store, stored
from labeling.log.event import INSTALLATION
from labeling.management import checkpoint_checks
from labeling.queries import checkpoints, trees
from labeling.rules import checkpoints as rules
from labeling.rules import tree
from releases import check_proof
from releases.audit.bundle import Range, seal
from tests.releases.audit.conftest import BY

JSON = dict[str, Any]


@pytest.fixture
def told(story, key) -> Any:
    """A story with three checkpoints, and events behind the last."""
    for turn in range(3):
        for _ in range(turn + 1):
            story.add(story.ben, why="a car stands there")
        sign_checkpoint(intent=BY, log=story.id)
    story.add(story.ana, 2)
    return story


def check(proof: JSON, path: Path, *arguments: str, capsys: Any) -> tuple[int, str]:
    path.write_text(json.dumps(proof))
    code = check_proof.main([str(path), *arguments])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_the_tree_of_a_checkpoint_is_that_of_the_whole_log_and_costs_what_is_new(told, monkeypatch):
    read: list[tuple[int, int]] = []
    chains = store.chains

    def counted(log: Any, *, after: int, up_to: int) -> Any:
        read.append((after, up_to))
        return chains(log, after=after, up_to=up_to)

    known = checkpoints.of(told.id)
    monkeypatch.setattr(store, "chains", counted)
    made = sign_checkpoint(intent=BY, log=told.id)
    assert made is not None and read == [(known[-1].offset, told.head)]
    for item in [*known, made]:
        leaves = [stored.event_at(told.id, offset)["chain"] for offset in range(1, item.offset + 1)]
        peaks = tree.grown([], 0, [bytes.fromhex(leaf) for leaf in leaves])
        assert rules.tree_of(item.stated) == peaks
        assert item.stated["tree"]["root"] == tree.root_of(peaks).hex()
    assert list(checkpoint_checks.findings(told.id)) == []


def test_every_event_is_proved_by_every_checkpoint_over_it(told, tmp_path, capsys, key):
    for item in checkpoints.of(told.id):
        for offset in range(1, item.offset + 1):
            proof = trees.inclusion(told.id, offset=offset, number=item.number)
            code, said = check(proof, tmp_path / "proof.json", "--key", key, capsys=capsys)
            assert code == 0 and f"event {offset} (" in said and "the key that you named" in said, said
    assert proof == trees.inclusion(told.id, offset=proof["event"]["offset"])  # the newest unless said


def test_each_checkpoint_is_proved_to_begin_with_each_one_before(told, tmp_path, capsys):
    for first in (1, 2, 3):
        for second in range(first, 4):
            proof = trees.consistency(told.id, first=first, second=second)
            code, said = check(proof, tmp_path / "proof.json", capsys=capsys)
            assert code == 0 and "nothing before was changed" in said and "nobody vouched" in said, said


def test_small_subtrees_give_the_proofs_that_large_ones_do(told, monkeypatch):
    proofs = [trees.inclusion(told.id, offset=offset) for offset in (1, 5, 9)]
    monkeypatch.setattr(trees, "LEAVES", 1)
    assert [trees.inclusion(told.id, offset=offset) for offset in (1, 5, 9)] == proofs


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda proof: proof["event"]["data"].update(category_id=9), "data hash differs"),
        (
            lambda proof: proof["event"].update(author="00000000-0000-4000-8000-000000000009"),
            "it was changed|was changed",
        ),
        (lambda proof: proof["event"].update(log="00000000-0000-4000-8000-000000000009"), "of another log"),
        (lambda proof: proof["path"].pop(), "not in the tree"),
        (lambda proof: proof.update(path=proof["path"][::-1]), "not in the tree"),
        (lambda proof: proof["checkpoint"]["statement"].update(offset=7), "signature does not hold"),
        (lambda proof: proof["checkpoint"]["statement"]["tree"].update(root="00" * 32), "signature does not hold"),
        (lambda proof: proof.update(kind="other"), "none that this program knows"),
        (lambda proof: proof.pop("path"), "not the form"),
        (lambda proof: proof.update(path=["x"]), "not the form"),
        (lambda proof: proof.update(chain_before="00"), "was changed"),
    ],
)
def test_a_bent_proof_of_an_event_proves_nothing(told, tmp_path, capsys, change, said):
    proof = trees.inclusion(told.id, offset=told.head - 2, number=3)
    change(proof)
    code, words = check(proof, tmp_path / "proof.json", capsys=capsys)
    assert code == 1 and any(part in words for part in said.split("|")), words


def test_who_kept_another_checkpoint_is_shown_no_other_log(told, tmp_path, capsys, key):
    """Who holds the key signs another history under the same number; who kept the first one sees it."""
    kept = checkpoints.of(told.id)[2]
    other = kept.stated | {"chain": "00" * 32, "offset": 1}
    leaf = bytes.fromhex(stored.event_at(told.id, 1)["chain"])
    other |= {"tree": {"root": tree.root_of(tree.grown([], 0, [leaf])).hex(), "peaks": [tree.leaf(leaf).hex()]}}
    signed = signing.sign(signing.CHECKPOINT, rules.message(other))
    assert signed is not None
    proof = trees.inclusion(told.id, offset=1, number=3)
    proof |= {"path": [], "checkpoint": {"statement": other, "signature": signed.as_json()}}
    assert check(proof, tmp_path / "proof.json", "--key", key, capsys=capsys)[0] == 0
    (tmp_path / "kept.json").write_bytes(kept.document)
    code, said = check(proof, tmp_path / "proof.json", "--checkpoint", str(tmp_path / "kept.json"), capsys=capsys)
    assert code == 1 and "not the one that you kept" in said
    code, said = check(proof, tmp_path / "proof.json", "--key", "0" * 32, capsys=capsys)
    assert code == 1 and "none of those that you named" in said


def test_what_there_is_no_proof_of_is_refused_by_its_name(told):
    with pytest.raises(InvalidValue, match="from 1 to"):
        trees.inclusion(told.id, offset=told.head)
    with pytest.raises(NotFound):
        trees.inclusion(told.id, offset=1, number=4)
    with pytest.raises(NotFound):
        trees.consistency(told.id, first=4)
    with pytest.raises(InvalidValue, match="to: must be a checkpoint from 2 on"):
        trees.consistency(told.id, first=2, second=1)


def first_form(monkeypatch: Any) -> None:
    """Checkpoints are signed as before there were trees."""
    statement = rules.statement

    def without(**fields: Any) -> JSON:
        return {name: value for name, value in statement(**fields).items() if name != "tree"} | {"checkpoint": 1}

    monkeypatch.setattr(rules, "statement", without)


def test_checkpoints_from_before_there_were_trees_stay_good_and_the_next_one_has_one(story, key, monkeypatch):
    with monkeypatch.context() as patch:
        first_form(patch)
        sign_checkpoint(intent=BY, log=story.id)
    with pytest.raises(InvalidValue, match="with a tree"):
        trees.inclusion(story.id, offset=1)
    story.add(story.ben)
    made = sign_checkpoint(intent=BY, log=story.id)
    assert made is not None and len(rules.tree_of(made.stated) or []) == bin(made.offset).count("1")
    assert list(checkpoint_checks.findings(story.id)) == []
    assert trees.inclusion(story.id, offset=1)["checkpoint"] == made.as_json()
    with pytest.raises(InvalidValue, match="with a tree"):
        trees.consistency(story.id, first=1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda held: held["tree"]["peaks"].append("00" * 32), "has no tree of its size"),
        (lambda held: held["tree"].update(root="00" * 32), "has a root that is not of its tree"),
        (lambda held: held.pop("tree"), "has no tree of its size"),
        (lambda held: held.update(tree=7), "has no tree of its size"),
    ],
)
def test_a_statement_with_a_wrong_tree_is_found_by_itself(told, change, said):
    stated = [json.loads(json.dumps(item.stated)) for item in checkpoints.of(told.id)]
    change(stated[-1])
    assert any(said in problem for _, problem in rules.order_problems(str(told.id), stated))


def test_a_tree_that_is_not_over_the_log_is_found_by_verifying(told, monkeypatch):
    monkeypatch.setattr(commands, "_peaks", lambda log, before, offset: tree.grown([], 0, [b"x"] * offset))
    sign_checkpoint(intent=BY, log=told.id)
    said = [item.sentence for item in checkpoint_checks.findings(told.id)]
    assert said == [f"The tree of checkpoint 4 is not the one over the events up to {told.head}."]


# --- in the bundle, and alone ----------------------------------------------------------------------------------------


def test_a_bundle_shows_that_the_trees_are_over_its_events(told, tmp_path, capsys, monkeypatch, key):
    for number, wanted in enumerate((Range(), Range(4))):
        path = tmp_path / f"sound-{number}.zip"
        with path.open("wb") as sink:
            seal(told.id, sink, wanted)
        assert check_proof.bundle.main([str(path), "--key", key]) == 0, capsys.readouterr().out
    monkeypatch.setattr(commands, "_peaks", lambda log, before, offset: tree.grown([], 0, [b"x"] * offset))
    sign_checkpoint(intent=BY, log=told.id)
    for number, wanted in enumerate((Range(), Range(4))):
        path = tmp_path / f"bad-{number}.zip"
        with path.open("wb") as sink:
            seal(told.id, sink, wanted)
        capsys.readouterr()
        assert check_proof.bundle.main([str(path), "--key", key]) == 1
        assert "checkpoint 4" in (said := capsys.readouterr().out) and "its tree is not the one" in said


def test_it_runs_alone_with_nothing_but_the_standard_library(told, tmp_path, key):
    with (tmp_path / "bundle.zip").open("wb") as sink:
        seal(told.id, sink, Range())
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        for name in ("check_bundle.py", "check_proof.py", "check_release.py"):
            archive.extract(name, tmp_path / "elsewhere")
    (tmp_path / "proof.json").write_text(json.dumps(trees.inclusion(told.id, offset=3)))
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(tmp_path / "elsewhere/check_proof.py"), "proof.json", "--key", key],
        capture_output=True, text=True, check=False, cwd=tmp_path, env={},
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[0][:12]) == (0, "proved      "), done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [(), ("a", "b"), ("a", "--key"), ("a", "--key", "x"), ("a", "--checkpoint", "x")])
def test_wrong_arguments_are_told_how_it_is_used(arguments, capsys):
    assert check_proof.main([*arguments]) == 2
    assert "check_proof.py PROOF.json" in capsys.readouterr().err


def test_the_command_writes_proofs_that_hold(told, tmp_path, capsys):
    for name, arguments in {"event": ("--event", "3"), "since": ("--since", "1", "--checkpoint", "2")}.items():
        path, out = tmp_path / f"{name}.json", io.StringIO()
        call_command("prove", str(told.id), *arguments, "--to", str(path), stdout=out)
        assert "check_proof.py" in out.getvalue()
        assert check_proof.main([str(path)]) == 0
        call_command("prove", str(told.id), *arguments, stdout=(plain := io.StringIO()))
        assert json.loads(plain.getvalue()) == json.loads(path.read_text())
    sign_checkpoint(intent=BY, log=INSTALLATION)
    call_command("prove", "installation", "--event", "1", "--to", str(tmp_path / "one.json"), stdout=io.StringIO())
    assert check_proof.main([str(tmp_path / "one.json")]) == 0
    for log, arguments, said in (
        (str(told.id), ("--event", "0"), "--event must be one"),
        (str(told.id), ("--event", "1", "--checkpoint", "9"), "checkpoint was not found"),
        ("nobody/nothing", ("--event", "1"), "There is no dataset"),
        ("security", ("--since", "1"), "checkpoint was not found"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("prove", log, *arguments, stdout=io.StringIO())
