"""`manage.py demo` as a person has it: a first run on an empty home, a second on what is there, Ctrl-C, a busy port."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.demo.datasets import demo_datasets

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE_S = 240
FOREIGN_VARIABLES = ("DATABASE_URL", "BROKER_URL", "PUBLIC_URL", "SECRET_KEY", "ALLOWED_HOSTS")
FOREIGN_PREFIXES = ("PALIMPSEST_", "PYTEST_", "PG", "AWS_")


class Demo:
    """`manage.py demo` on a home of its own; the home is empty at the first run."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def start(self, *options: str) -> subprocess.Popen[str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in FOREIGN_VARIABLES and not name.startswith(FOREIGN_PREFIXES)
        }
        return subprocess.Popen(
            [sys.executable, "manage.py", "demo", *options],
            cwd=CHECKOUT,
            env={**kept, "PALIMPSEST_HOME": str(self.home), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def once(self) -> str:
        """Run it to its end, and return what it printed."""
        process = self.start("--once", "--port", "0")
        out, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, f"{out}\n{errors}"
        # On a busy machine the database takes longer than a person would wait without a word.
        said = [line for line in errors.splitlines() if not line.startswith("Waiting for the embedded PostgreSQL")]
        assert said == []
        return out


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return Demo(tmp_path_factory.mktemp("demo") / "a home" / "of its own")


@pytest.fixture(scope="module")
def first(demo: Demo) -> str:
    return demo.once()


@pytest.fixture(scope="module")
def second(demo: Demo, first: str) -> str:
    return demo.once()


def release_file(demo: Demo, name: str) -> bytes:
    return (demo.home / "exports" / f"ana-terrain-{name}.json").read_bytes()


def test_the_first_run_shows_every_part_of_the_job(demo: Demo, first: str) -> None:
    assert first.count("loaded, log at offset") == 3
    assert first.count("✓ rebased") == 2
    assert first.count("409 ✗ conflict") == 1
    assert "frames 17 to 24 are computed anew, the other 25 are as they were" in first
    assert (demo.home / "exports" / "ana-bunny-frames.jpg").read_bytes().startswith(b"\xff\xd8")
    assert "AnnotationGeometrySet by" in first
    assert "the same bytes as before the edit ✓" in first
    assert hashlib.sha256(release_file(demo, "demo-1")).hexdigest()[:16] in first
    assert re.search(r"log in +ana, password [a-z0-9-]{20,}", first)
    assert "/admin/" in first and "/api/docs/" in first


def test_plain_output_has_no_control_characters(first: str) -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", first)


def test_the_exported_release_holds_the_labels_with_the_edits_made_before_it(demo: Demo, first: str) -> None:
    release = json.loads(release_file(demo, "demo-1"))
    assert release["name"] == "demo-1"
    assert release["dataset"]["owner"] == "ana"
    jeeps = demo_datasets()[0].samples[0].label["annotations"]
    samples = {sample["name"]: sample for sample in release["dataset"]["samples"]}
    assert set(samples) == {"jeeps.png", "walkers.png"}
    released = samples["jeeps.png"]["labels"]["ground-truth"]["attributes"]["annotations"]
    shifts = {
        a["id"]: {now[0] - then[0] for now, then in zip(a["points"], before["points"], strict=True)}
        for a, before in zip(released, jeeps, strict=True)
    }
    assert {number: {round(shift, 6) for shift in found} for number, found in shifts.items() if number != 3} == {
        1: {1.5},
        2: {0.0},
        4: {0.0},
        5: {1.5},
    }
    assert {round(shift, 6) for shift in shifts[3]} in ({4.5}, {-1.5})  # whoever was first
    assert [a["attributes"]["lights"] for a in released if a["id"] in (2, 4)] == ["on", "on"]


def test_a_second_run_works_on_what_is_there_and_leaves_the_first_release_alone(
    demo: Demo, first: str, second: str
) -> None:
    assert second.count("already there, log at offset") == 3
    assert second.count("✓ rebased") == 2
    assert hashlib.sha256(release_file(demo, "demo-1")).hexdigest()[:16] in first
    assert release_file(demo, "demo-2") != release_file(demo, "demo-1")
    assert "manage.py changepassword ana" in second
    offsets = [int(re.findall(r"terrain (\d+)", out)[-1]) for out in (first, second)]
    assert offsets[1] > offsets[0]


@pytest.fixture
def serving(demo: Demo, second: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A demo that goes on serving, and what it printed up to there."""
    process = demo.start("--port", "0")
    assert process.stdout is not None and process.stderr is not None
    printed = ""
    try:
        for line in process.stdout:
            printed += line
            if line.startswith("Serving until Ctrl-C"):
                break
        yield process, printed
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)


def test_without_once_it_serves_what_it_printed_until_one_ctrl_c(
    serving: tuple[subprocess.Popen[str], str],
) -> None:
    process, printed = serving
    address = re.search(r"serving +http://127\.0\.0\.1:(\d+),", printed)
    assert address is not None, printed
    connection = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=30)
    for path in ("/admin/login/", "/api/docs/"):
        connection.request("GET", path)
        response = connection.getresponse()
        assert (response.status, len(response.read()) > 500) == (200, True), path
    file = re.search(r"exported file +(.+)\n +http://[^/]+(/\S+)", printed)
    assert file is not None, printed
    connection.request("GET", file[2])
    assert connection.getresponse().read() == Path(file[1]).read_bytes()
    connection.close()
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")
    assert out.strip() == "Stopping."


def test_a_job_that_is_interrupted_ends_with_130_and_says_so(demo: Demo, second: str) -> None:
    process = demo.start("--once", "--port", "0")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("  serving"):
            process.send_signal(signal.SIGINT)
            break
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert errors.strip() == "CommandError: Stopped before the job was done."


def test_a_busy_port_is_named_and_nothing_is_loaded(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        process = Demo(tmp_path / "home").start("--once", "--port", str(port))
        out, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert f"Port {port} on 127.0.0.1 is in use; choose another with --port." in errors
    assert "Traceback" not in errors
    assert out == ""
