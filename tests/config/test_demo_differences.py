"""The demo's check of a downloaded release: by the program that needs nothing of Palimpsest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config.demo.differences import checked_outside
from releases import builds, bundling, commands, queries


def test_an_archive_is_taken_for_its_own_release_only(
    person: Any, dataset: Any, sample: Any, intent: Any, tmp_path: Path
) -> None:
    ana = person()
    streets = dataset(ana)
    sample(streets, ana)
    made = commands.cut_release(intent=intent(ana), dataset=streets, name="v1")
    builds.build(made)
    found = queries.release_by_id(made)
    assert found.build is not None
    data = b"".join(bundling.archive(found))
    whole, cut, bent = tmp_path / "whole.zip", tmp_path / "cut.zip", tmp_path / "bent.zip"
    whole.write_bytes(data)
    cut.write_bytes(data[:-100])
    at = data.index(b"release.json") + 200
    bent.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert checked_outside(whole, found.build.identity)
    assert not checked_outside(whole, "0" * 64)
    assert not checked_outside(cut, found.build.identity)
    assert not checked_outside(bent, found.build.identity)
