"""A missing real part skips a test here, and fails it in CI, however the test says so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.real_parts import require

CHECKOUT = Path(__file__).resolve().parents[2]
SKIPPING = """
import pytest
from tests.support.real_parts import require

def test_that_requires():
    require("a part", False)

@pytest.mark.skip(reason="missing")
def test_that_is_marked():
    pass

@pytest.mark.xfail(reason="known", strict=True)
def test_that_is_known_to_fail():
    assert False
"""
SKIPPED_AS_A_WHOLE = "import pytest\npytest.importorskip('a_module_that_is_missing')\n"


@pytest.mark.parametrize(
    "ci, expected",
    [({}, ["3 skipped", "1 xfailed"]), ({"CI": "true"}, ["1 failed", "1 xfailed", "2 errors"]),
     ({"PALIMPSEST_CI": "1"}, ["1 failed", "1 xfailed", "2 errors"])],
)  # fmt: skip
def test_in_ci_no_skipped_test_passes(ci: dict[str, str], expected: list[str], tmp_path: Path) -> None:
    (tmp_path / "test_skipping.py").write_text(SKIPPING)
    (tmp_path / "test_skipped_as_a_whole.py").write_text(SKIPPED_AS_A_WHOLE)
    plain = "-c /dev/null -p no:cacheprovider -p no:django -p no:schemathesis -p tests.support.real_parts".split()
    variables = {k: v for k, v in os.environ.items() if k not in ("CI", "PALIMPSEST_CI") and not k.startswith("PYTEST")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *plain,
            "--rootdir",
            str(tmp_path),
            "--continue-on-collection-errors",
            str(tmp_path),
        ],
        cwd=CHECKOUT,
        env=variables | ci,
        capture_output=True,
        text=True,
        check=False,
    )
    closing = done.stdout.splitlines()[-1]
    assert [part for part in expected if part not in closing] == [], done.stdout + done.stderr
    assert done.returncode == (1 if ci else 0)


def test_a_part_that_is_there_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    require("a part", True)
    with pytest.raises(pytest.fail.Exception, match="a part is missing"):
        require("a part", False)
