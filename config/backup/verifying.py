"""Whether what was restored is what was backed up, and whether that was sound."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import DatabaseError

from config.backup import landmarks
from config.backup.archive import BadArchive
from config.backup.contents import Manifest
from labeling.log import projector, rebuild, verify
from labeling.log.event import INSTALLATION, SECURITY
from labeling.log.projector import KeepsFiles
from labeling.log.verify import Finding

#: Up to so many events all rows are folded anew, and releases made anew, to be compared: some ten seconds.
FOLDED_EVENTS = 200_000

#: Told (what is being verified, events done).
Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class Verified:
    """What was verified; `findings` are the faults that the data had when it was backed up."""

    events: int
    folded: bool
    findings: tuple[Finding, ...]


def compare(manifest: Manifest) -> None:
    """Compare counts, heads and releases with the rows that are there now.

    Raises:
        BadArchive: the manifest says something else.
    """
    if landmarks.logs() != manifest.logs:
        raise BadArchive("The archive is damaged: its manifest names other logs, or other heads of them.")
    if landmarks.releases() != manifest.releases:
        raise BadArchive("The archive is damaged: its manifest names other releases.")


def verify_all(manifest: Manifest, progress: Progress) -> Verified:
    """Recompute the chain of every log, and, where that takes no more than moments, every row and release."""
    events = sum(log.head for log in manifest.logs)
    folded = events <= FOLDED_EVENTS
    findings: list[Finding] = []
    for log in manifest.logs:
        findings += verify.verify_log(log.log, progress=lambda done, of: progress("hash chains", done))
        if folded:
            findings += _refolded(log.log, with_files=manifest.opening.with_files)
    return Verified(events, folded, tuple(findings))


def _refolded(log: uuid.UUID, *, with_files: bool) -> Iterator[Finding]:
    try:
        differing = dict(rebuild.compared(log))
        of_dataset = log not in (INSTALLATION, SECURITY)
        for each in projector.catch_ups() if of_dataset else ():
            if not with_files and isinstance(each, KeepsFiles):
                continue  # it is made from files, which come another way
            differing |= rebuild.compared_catch_up(each, log)
    except DatabaseError:
        raise
    except Exception as error:
        # A damaged log can break a fold in any way.
        yield Finding(log, "fold", None, f"The log cannot be folded: {type(error).__name__}.")
        return
    for table, found in differing.items():
        yield Finding(log, f"rows {table}", found.offset, f"{found.rows} rows of {table} differ from the log's fold.")
    if of_dataset and with_files:
        yield from verify.plugged_in(log)
