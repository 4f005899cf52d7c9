"""Benches print rows with a fixed set of keys; their times are never asserted here, their statements are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from config.bench import Row
from config.bench.processor import children, processor_ms
from config.home import CHECKOUT

KEYS = {"case", "unit", "ours", "peer", "ratio", "target", "met"}


@pytest.mark.parametrize(
    "ours, peer, target, ratio, met",
    [
        (1.0, 2.0, 3.0, 0.5, True),
        (4.0, 2.0, 3.0, 2.0, False),
        (1.0, None, None, None, None),
        (3.0, None, 3.0, None, True),
    ],
)
def test_a_row_says_its_ratio_and_whether_its_target_is_met(ours, peer, target, ratio, met):
    row = Row("case", "ms", ours, peer, target).as_json()

    assert row.keys() == KEYS
    assert (row["ratio"], row["met"]) == (ratio, met)


def test_processor_time_grows_with_work_and_not_with_waiting():
    before = processor_ms([os.getpid()])
    deadline = time.process_time() + 0.05
    while time.process_time() < deadline:
        pass

    assert processor_ms([os.getpid()]) - before >= 45


def test_a_child_is_found_below_its_parent_and_a_gone_process_used_nothing():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in children(os.getpid())
        child.communicate(b"\n")

    assert processor_ms([child.pid]) == 0


@pytest.mark.full
def test_bench_edit_measures_the_real_server_and_an_edit_takes_six_statements():
    done = subprocess.run(
        [sys.executable, "manage.py", "bench", "edit", "--json"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )

    rows = json.loads(done.stdout)
    assert all(row.keys() == KEYS for row in rows)
    assert next(row["ours"] for row in rows if row["unit"] == "statements") <= 6
