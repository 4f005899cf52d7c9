"""Whether the checkpoints of a log are signed, follow from each other, and agree with copies that somebody kept."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from labeling.errors import PalimpsestError
from labeling.log import store
from labeling.log.verify import Finding
from labeling.queries import checkpoints
from labeling.queries.checkpoints import Checkpoint
from labeling.rules import tree
from labeling.rules.checkpoints import order_problems, tree_of


class NoCheckpoints(PalimpsestError):
    """A file of kept checkpoints is none."""

    code = "no_checkpoints"


def findings(log: uuid.UUID, kept: Iterable[Checkpoint] = ()) -> Iterator[Finding]:
    """What is wrong with the checkpoints of a log. `kept` are copies from elsewhere, of any log.

    That the log is what they say, the walk over the log finds: they are anchors of it. Of `kept` it is said here.
    """
    known = checkpoints.of(log)
    for offset, problem in order_problems(str(log), [item.stated for item in known]):
        yield Finding(log, "checkpoint", offset, f"C{problem[1:]}.")
    for item in known:
        problem_of = item.problem()
        if problem_of is not None:
            yield Finding(log, f"checkpoint {item.number}", item.offset, f"Checkpoint {item.number}: {problem_of}.")
    head = store.head(log)
    mine = [item for item in kept if item.stated.get("log") == str(log)]
    yield from _trees(log, [*known, *mine], head)
    for item in mine:
        name, problem_of = f"kept checkpoint {item.number}", item.problem()
        if problem_of is not None:
            yield Finding(log, name, item.offset, f"The kept checkpoint {item.number}: {problem_of}.")
        elif item.offset > head:
            yield Finding(
                log,
                name,
                head + 1,
                f"The log ends at {head}, and a kept checkpoint is at {item.offset}: a tail is missing.",
            )
        elif store.chain_at(log, item.offset).hex() != item.chain:
            yield Finding(
                log, name, item.offset, f"The events up to {item.offset} are not those of the kept checkpoint."
            )


def _trees(log: uuid.UUID, found: list[Checkpoint], head: int) -> Iterator[Finding]:
    """Checkpoints whose tree is not the one over the log; all in one pass over its chain."""
    peaks: list[bytes] = []
    size = 0
    stated = [item for item in found if 0 < item.offset <= head and "tree" in item.stated]
    try:
        for item in sorted(stated, key=lambda item: item.offset):
            peaks = tree.grown(peaks, size, store.chains(log, after=size, up_to=item.offset))
            size = item.offset
            if tree_of(item.stated) != peaks:
                yield Finding(
                    log,
                    f"tree {item.number}",
                    item.offset,
                    f"The tree of checkpoint {item.number} is not the one over the events up to {item.offset}.",
                )
    except store.LogGap:
        return  # which the walk over the log says


def read(paths: Iterable[str]) -> list[Checkpoint]:
    """The checkpoints in files, and in all files ending in .json of folders: one each, or lists as the API answers.

    Raises:
        NoCheckpoints: a file cannot be read, or holds something else; by its name.
    """
    found: list[Checkpoint] = []
    for path in map(Path, paths):
        for file in sorted(path.glob("**/*.json")) if path.is_dir() else [path]:
            try:
                held = json.loads(file.read_bytes())
                for item in held if isinstance(held, list) else [held]:
                    one = Checkpoint(item["statement"], item["signature"])
                    assert one.number and one.offset and one.chain
                    found.append(one)
            except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
                raise NoCheckpoints(f"{file} holds no checkpoint.") from error
    return found
