"""The drill: a served installation is backed up while people edit, lost, and restored elsewhere; its people go on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import requests
from segments import SegmentsClient
from segments.resource_api import Dataset

from config.embedded import lease
from tests.e2e.documents import TASK_ATTRIBUTES
from tests.e2e.live_server import CHECKOUT, LiveServer
from tests.e2e.wire import Wire, wait_until

pytestmark = pytest.mark.full

PASSWORD = "seventeen purple giraffes"
TEXT = "this one is a van; äöü"


class Lost(NamedTuple):
    """What is known of an installation that is gone."""

    archive: Path
    key: str
    url: str
    dataset: str
    sample: str
    release_url: str
    release_file: bytes
    acknowledged: int  #: the newest offset that a client had been told of when the backup began
    last: int  #: and when it had ended


@pytest.fixture(autouse=True)
def no_crash_behind_the_scenes() -> None:
    """No server of all modules is needed here."""


def box(x: float) -> dict[str, Any]:
    return {"annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[x, 5], [x + 10, 25]]}]}


def run(home: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """A `manage.py` command, whatever comes of it."""
    environment = LiveServer(home)._environment()
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=CHECKOUT,
        env=environment,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


class Editing(threading.Thread):
    """Somebody who moves one box until told to stop."""

    def __init__(self, server: LiveServer, key: str, sample: str) -> None:
        super().__init__()
        self.wire = Wire(server.url, key)
        self.sample = sample
        self.acknowledged = 0
        self.failures: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        x = 0
        while not self.stopping.is_set():
            x += 1
            answer = self.wire.send(
                "PUT", f"/labels/{self.sample}/ground-truth/", {"attributes": box(x % 90), "label_status": "LABELED"}
            )
            if answer.status_code == 200:
                self.acknowledged = int(answer.headers["Dataset-Offset"])
            else:
                self.failures.append(answer.text)
        self.wire.close()


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    place = tmp_path_factory.mktemp("lost")
    server = LiveServer(place / "home", DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    server.start()
    try:
        server.manage("createsuperuser", "--noinput", "--username", "boss", "--email", "boss@example.org")
        key = server.new_key("ada")
        with SegmentsClient(key, api_url=server.url) as ada:
            dataset = ada.add_dataset("streets", task_type="vector", task_attributes=TASK_ATTRIBUTES)
            assert isinstance(dataset, Dataset)
            noise = np.random.default_rng(7).integers(0, 256, 700_000, dtype=np.uint8).tobytes()
            asset = ada.upload_asset(BytesIO(noise), "noise.png").url
            sample = ada.add_sample(dataset.full_name, "a.png", {"image": {"url": asset}})
            ada.add_label(sample.uuid, "ground-truth", box(1))
            ada.add_release(dataset.full_name, "v1")
            release = wait_until(lambda: dataset.get_release("v1"), lambda found: found.status == "SUCCEEDED")
            assert release.attributes.url is not None
            wire = Wire(server.url, key)
            assert wire.send("POST", f"/samples/{sample.uuid}/issues/", {"description": TEXT}).status_code == 201
            wire.close()
            release_file = requests.get(f"{release.attributes.url}?stored=1", timeout=30).content
            editing = Editing(server, key, sample.uuid)
            editing.start()
            wait_until(lambda: editing.acknowledged, lambda offset: offset > 20)
            acknowledged = editing.acknowledged
            print(server.manage("backup", str(place / "a.tar")))
            editing.stopping.set()
            editing.join()
            assert editing.failures == []
            yield Lost(
                archive=place / "a.tar",
                key=key,
                url=server.url,
                dataset=dataset.full_name,
                sample=sample.uuid,
                release_url=release.attributes.url,
                release_file=release_file,
                acknowledged=acknowledged,
                last=editing.acknowledged,
            )
    finally:
        server.stop()


def logged_in(url: str) -> int:
    """The status of the account's page after logging in with a browser's form."""
    with requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(f"{url}/accounts/login/", timeout=30).text
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token is not None
        form = {"username": "boss", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
        headers = {"Referer": f"{url}/accounts/login/"}
        browser.post(f"{url}/accounts/login/", form, headers=headers, timeout=30)
        return browser.get(f"{url}/accounts/", allow_redirects=False, timeout=30).status_code


def test_people_go_on_where_they_were(lost: Lost, tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "home")
    assert "Whole and undamaged" in server.manage("restore", "--check", str(lost.archive))
    assert not list((tmp_path / "home").glob("postgres*"))
    said = server.manage("restore", str(lost.archive))
    assert "Restored, and verified" in said and "are what the logs give" in said
    server.start()
    try:
        wire = Wire(server.url, lost.key)
        head = wire.head(lost.dataset)
        print(f"acknowledged before the backup {lost.acknowledged}, in it {head}, after it {lost.last}")
        assert lost.acknowledged <= head <= lost.last
        assert [event["offset"] for event in wire.events(lost.dataset)] == list(range(1, head + 1))
        there = lost.release_url.replace(lost.url, server.url)
        assert requests.get(f"{there}?stored=1", timeout=30).content == lost.release_file
        (issue,) = wire.get(f"/samples/{lost.sample}/issues/").json()
        assert issue["description"] == TEXT
        assert logged_in(server.url) == 200
        answer = wire.send(
            "PUT", f"/labels/{lost.sample}/ground-truth/", {"attributes": box(95.5), "label_status": "LABELED"}
        )
        assert (answer.status_code, int(answer.headers["Dataset-Offset"])) == (200, head + 1)
        assert "All sound" in server.manage("verify")
        wire.close()
    finally:
        server.stop()
    assert "Traceback" not in server.printed()


def test_a_restore_that_is_killed_halfway_can_be_done_again(lost: Lost, tmp_path: Path) -> None:
    home = tmp_path / "home"
    data = lost.archive.read_bytes()
    killed = 0
    for part in (0.05, 0.3, 0.6, 0.999):
        restore = subprocess.Popen(
            [sys.executable, "manage.py", "restore", "-"],
            cwd=CHECKOUT,
            env=LiveServer(home)._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert restore.stdin is not None
        restore.stdin.write(data[: int(len(data) * part)])
        restore.stdin.flush()  # what a pipe does not hold was read by then
        restore.kill()
        restore.stdin.close()
        killed += restore.wait() == -9
    done = run(home, "restore", str(lost.archive))
    assert done.returncode == 0, done.stderr
    assert b"All sound" in run(home, "verify").stdout
    assert killed == 4
    again = run(home, "restore", str(lost.archive))
    assert again.returncode == 1 and b"is not empty" in again.stderr


def test_an_archive_goes_from_one_command_to_the_other_through_a_pipe(lost: Lost, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with open(lost.archive, "rb") as archive:
        assert run(home, "restore", "-", stdin=archive).returncode == 0
    backup = run(home, "backup", "-")
    assert backup.returncode == 0, backup.stderr
    done = run(tmp_path / "other", "restore", "-", stdin=None, input=backup.stdout)
    assert done.returncode == 0, done.stderr
    assert run(home, "backup", str(tmp_path / "b.tar")).returncode == 0
    differing = [
        name
        for name in run_tar("tf", tmp_path / "b.tar").decode().split()
        if run_tar("xOf", tmp_path / "b.tar", name) != run_tar("xOf", lost.archive, name)
    ]
    # The time, the event that says that it was restored, and a hash over all of it.
    assert differing == ["palimpsest.json", "tables/log_event/00000001", "tables/log_head/00000001", "manifest.json"]


def run_tar(*arguments: Any) -> bytes:
    return subprocess.run(["tar", *arguments], capture_output=True, check=True).stdout


def test_a_full_disk_is_told_in_one_sentence_and_nothing_is_left(
    lost: Lost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(lease.ENVIRONMENT_NAME, "")
    home = tmp_path / "home"
    assert run(home, "restore", str(lost.archive)).returncode == 0
    with open("/dev/full", "wb") as full:
        done = run(home, "backup", "-", stdout=full)
    assert done.returncode == 1 and done.stderr.startswith(b"CommandError: The backup does not fit: the disk")
    lease.attach(home)  # a server that the command would start were limited as well
    limited = run(home, "backup", str(tmp_path / "b.tar"), preexec_fn=_allow_files_of_100_kb)
    lease.release(home)
    assert limited.returncode == 1 and b"The backup does not fit: the disk" in limited.stderr
    assert not list(tmp_path.glob("b.tar*"))
    assert limited.stderr.count(b"\n") == 1


def _allow_files_of_100_kb() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    os.umask(0o077)
