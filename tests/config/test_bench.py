"""Benches print rows with a fixed set of keys; their times are never asserted here, their statements are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from config.bench import Row
from config.bench.processor import children, processor_ms
from config.home import CHECKOUT
from labeling.commands.people import create_key, operator

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


def test_the_bare_view_reads_a_sample_for_who_has_a_key_in_two_statements(
    settings, dataset, person, sample, django_assert_num_queries
):
    settings.ROOT_URLCONF = "config.bench.peer.urls"
    ana = person("ana")
    path = f"/bare/{sample(dataset(ana), ana, name='a.png')}/"
    _, key = create_key(intent=operator("test"), person=ana)
    with django_assert_num_queries(2):
        answer = Client(headers={"Authorization": f"APIKey {key}"}).get(path)
    assert answer.status_code == 200 and answer.json()["name"] == "a.png"
    assert Client(headers={"Authorization": "APIKey no"}).get(path).status_code in (401, 403)


@pytest.mark.parametrize(
    "arguments",
    [("edit", "--samples", "100"), ("api", "--samples", "99"), ("append", "--full"), ("release", "--labels", "10")],
    ids=" ".join,
)
def test_a_bench_is_told_only_what_it_asks_for(arguments):
    with pytest.raises(CommandError, match=f"{arguments[1]} is for"):
        call_command("bench", *arguments)


@pytest.mark.full
def test_bench_scale_measures_logs_of_several_lengths_whose_rows_a_rebuild_finds_right(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "config.bench.scale", "1000", "2000", "4000"],
        cwd=CHECKOUT,
        env={**os.environ, "PALIMPSEST_HOME": str(tmp_path / "home"), "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert all(row.keys() == KEYS for row in rows)
    latencies = [row["case"] for row in rows if row["unit"] == "ms"]
    assert len(latencies) == 2 * 8 and all("beside 1,000" in case for case in latencies)
    assert sum(row["case"].startswith("rebuild of") for row in rows) == 4


@pytest.mark.full
def test_bench_append_measures_beside_the_library_in_memory_and_on_the_disk():
    done = subprocess.run(
        [sys.executable, "manage.py", "bench", "append", "--json"],
        cwd=CHECKOUT,
        env={**os.environ, "BENCH_SECONDS": "0.1", "BENCH_ROUNDS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    rows = json.loads(done.stdout)
    assert all(row.keys() == KEYS for row in rows)
    judged = [row["case"] for row in rows if row["target"] is not None]
    assert len(judged) == len(set(judged)) and len(judged) in (6, 12), "on the disk; in memory where there is such"
    assert sum("Application.save" in case for case in judged) * 6 == len(judged) * 5


#: What a call may ask of the database: who calls, then what it is about.
STATEMENTS = {"api_status": 1, "get_user": 2, "get_sample": 4, "get_label with 5 boxes": 2, "get_dataset": 6}


@pytest.mark.full
def test_bench_api_measures_calls_beside_a_bare_view_and_pages_beside_a_small_dataset():
    done = subprocess.run(
        [sys.executable, "manage.py", "bench", "api", "--json", "--samples", "3000"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )

    rows = {row["case"]: row for row in json.loads(done.stdout)}
    assert all(row.keys() == KEYS for row in rows.values())
    bare = rows["a bare view of Django REST framework"]["ours"]
    assert rows["get_sample: web and PostgreSQL"]["peer"] == pytest.approx(bare, abs=0.001)
    for case, most in STATEMENTS.items():
        assert 1 <= rows[f"{case}: SQL"]["ours"] <= most, case
    assert {"created_at", "name", "-priority", "-gt_label__updated_at"} <= {
        case.split()[2].rstrip(":") for case in rows if case.startswith("samples by")
    }
    assert rows["a page of 1,000 samples with labels of 5 boxes: web and PostgreSQL"]["target"] == 150


@pytest.mark.full
def test_bench_masks_measures_every_kernel_and_what_is_no_time_is_met():
    done = subprocess.run(
        [sys.executable, "manage.py", "bench", "masks", "--json"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )

    rows = json.loads(done.stdout)
    assert all(row.keys() == KEYS for row in rows)
    untimed = [row for row in rows if row["unit"] != "ms" and row["target"] is not None]
    assert {row["unit"] for row in untimed} == {"KiB", "IoU"}
    assert all(row["met"] for row in untimed)


@pytest.mark.parametrize("arguments", [("edit", "--annotations", "100"), ("imports", "--annotations", "99")])
def test_only_the_bench_of_imports_is_told_how_many_annotations(arguments):
    with pytest.raises(CommandError, match="--annotations is for"):
        call_command("bench", *arguments)


@pytest.mark.full
def test_bench_imports_measures_others_with_and_without_an_import():
    done = subprocess.run(
        [sys.executable, "manage.py", "bench", "imports", "--json", "--annotations", "20000"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )

    rows = {row["case"]: row for row in json.loads(done.stdout)}
    assert all(row.keys() == KEYS for row in rows.values())
    waited = rows["others' edits while 20,000 annotations come in: p99"]
    assert waited["target"] == 150 and waited["peer"] > 0
    assert rows["annotations imported"]["ours"] > 0
