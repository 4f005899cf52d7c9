#!/usr/bin/env python3
"""Checks a proof about a log without Palimpsest: that an event is in it, or that it only ever grew.

    python3 check_proof.py PROOF.json [--key KEY] [--checkpoint FILE]…

PROOF.json is what `…/audit/proofs/inclusion/`, `…/audit/proofs/consistency/` or `manage.py prove` gave. KEY is the key
that you were told the installation signs with: its id, its public half as base64, or a file with what `/signing-keys/`
answered. Without it the proof says only that it fits to its checkpoints, not whose they are. FILE is a signed
checkpoint that you kept: each checkpoint of the proof that has its log and its number has to be that very one. Ends
with 0 where the proof holds, 1 where it does not, and says why. Needs nothing but Python 3.9, its standard library,
and check_bundle.py and check_release.py beside it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from typing import Any

JSON = dict[str, Any]


def _beside() -> Any:
    """check_bundle.py, which lies beside this file: it knows events, their chain, trees and canonical JSON."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check_bundle.py")
    spec = importlib.util.spec_from_file_location("palimpsest_check_bundle", path)
    if spec is None or spec.loader is None:
        raise OSError("check_bundle.py is not beside this program")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bundle: Any = _beside()


def is_included(index: int, size: int, leaf: bytes, path: list[bytes], root: bytes) -> bool:
    """Whether a path leads from the leaf of an index to the root of a tree of that size (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    here, last, found = index, size - 1, leaf
    for item in path:
        if last == 0:
            return False
        if here & 1 or here == last:
            found = bundle.tree_node(item, found)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            found = bundle.tree_node(found, item)
        here, last = here >> 1, last >> 1
    return last == 0 and bool(found == root)


def is_consistent(size: int, later: int, root: bytes, later_root: bytes, path: list[bytes]) -> bool:
    """Whether a path shows that the tree of `later` leaves begins with that of `size` (RFC 9162 §2.1.4.2)."""
    if not 0 < size <= later:
        return False
    if size == later:
        return not path and root == later_root
    hashes = [root, *path] if size & (size - 1) == 0 else path
    if not hashes:
        return False
    here, last = size - 1, later - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    one = other = hashes[0]
    for item in hashes[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            one, other = bundle.tree_node(item, one), bundle.tree_node(item, other)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            other = bundle.tree_node(other, item)
        here, last = here >> 1, last >> 1
    return last == 0 and one == root and other == later_root


def problem_of(proof: JSON, trusted: list[str] | None, kept: list[JSON]) -> tuple[str | None, str]:
    """(what does not hold, or None; what the proof shows where it does)."""
    if proof.get("proof") != 1 or proof.get("kind") not in ("inclusion", "consistency"):
        return "it is none that this program knows", ""
    names = ("checkpoint",) if proof["kind"] == "inclusion" else ("from", "to")
    sides = [proof[name] for name in names]
    for item in sides:
        problem = _checkpoint_problem(item, trusted, kept)
        if problem:
            return problem, ""
    path = [bytes.fromhex(item) for item in proof["path"]]
    stated = sides[-1]["statement"]
    root = bytes.fromhex(stated["tree"]["root"])
    if proof["kind"] == "inclusion":
        return _inclusion(proof, stated, root, path)
    first = sides[0]["statement"]
    if first["log"] != stated["log"]:
        return "the two checkpoints are of different logs", ""
    if not is_consistent(first["offset"], stated["offset"], bytes.fromhex(first["tree"]["root"]), root, path):
        return "the log of the one checkpoint does not begin with that of the other", ""
    words = "checkpoint {} at {} is a beginning of checkpoint {} at {}: nothing before was changed"
    return None, words.format(first["number"], first["offset"], stated["number"], stated["offset"])


def _inclusion(proof: JSON, stated: JSON, root: bytes, path: list[bytes]) -> tuple[str | None, str]:
    event = proof["event"]
    if event["log"] != stated["log"]:
        return "the event is of another log than the checkpoint", ""
    if bundle.digest_of(event["data"]) != event["data_hash"]:
        return "the data of the event is not what was recorded; the data hash differs", ""
    chain = bundle.chained(bytes.fromhex(proof["chain_before"]), event)
    if chain.hex() != event["chain"]:
        return "the event was changed; its chain hash differs", ""
    if not is_included(event["offset"] - 1, stated["offset"], bundle.tree_leaf(chain), path, root):
        return "the event is not in the tree of the checkpoint at its place", ""
    words = "event {} ({}) is in the log that checkpoint {} at {} was signed over"
    return None, words.format(event["offset"], event["type"], stated["number"], stated["offset"])


def _checkpoint_problem(item: JSON, trusted: list[str] | None, kept: list[JSON]) -> str | None:
    stated = item["statement"]
    name = "checkpoint {} at {}: ".format(stated.get("number"), stated.get("offset"))
    message = bundle.canonical(stated).encode()
    problem = bundle.release.signature_problem("checkpoint", message, item["signature"], trusted)
    if problem:
        return name + "its signature does not hold; " + str(problem)
    for other in kept:
        mine = other["statement"]
        if mine["log"] == stated["log"] and mine["number"] == stated["number"] and mine != stated:
            return name + "it is not the one that you kept"
    return None


def main(arguments: list[str]) -> int:
    """Check a proof, and say in words what it shows."""
    try:
        path, trusted, kept = bundle.asked(arguments, "proof")
    except ValueError as error:
        sys.stderr.write("{}\n\n{}\n".format(error, (__doc__ or "").split("\n\n")[1].strip()))
        return 2
    try:
        with open(path, "rb") as file:
            proof = json.load(file)
        problem, shown = problem_of(proof, trusted, kept)
    except OSError as error:
        sys.stderr.write(f"{path}: {error}\n")
        return 2
    except (KeyError, TypeError, ValueError, AttributeError, bundle.struct.error):
        problem, shown = "it has not the form of a proof", ""
    if problem:
        print("BAD          " + problem)
        return 1
    print("proved       " + shown)
    print(
        "signature    by {}".format(
            "the key that you named" if trusted is not None else "a key that nobody vouched for"
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
