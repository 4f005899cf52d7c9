"""Kill -9 of every part of a running installation, in any order, under load: what was acknowledged stays, once."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.live_server import LiveServer
from tests.support.installation import is_full
from tests.support.victims import PARTS, find, kill

Json = dict[str, Any]

CLIENTS = 4
#: Each of the two runs.
KILLS = 100 if is_full() else 4
PATIENCE_S = 120.0
BOX = {"type": "bbox", "points": [[1, 2], [3, 4]]}


class Client:
    """Adds one object after the other to a label of its own; each again under its key until it is acknowledged."""

    def __init__(self, url: str, key: str, sample: str, over: threading.Event) -> None:
        self.path = f"{url}/labels/{sample}/ground-truth/edits/"
        self.headers = {"Authorization": f"APIKey {key}"}
        self.over = over
        self.acknowledged: list[Json] = []
        self.failures: Counter[str] = Counter()

    def run(self) -> None:
        while not self.over.is_set():
            self.acknowledged.append(self.add(str(uuid.uuid4())))

    def add(self, key: str) -> Json:
        body = {"edits": [{"op": "add", "category_id": 1, "geometry": BOX}]}
        deadline: float | None = None
        while True:
            try:
                answer = requests.post(
                    self.path, json=body, headers={**self.headers, "Idempotency-Key": key}, timeout=15
                )
                if answer.status_code == 200:
                    said: Json = answer.json()
                    return said
                assert answer.status_code == 503 and "Retry-After" in answer.headers, answer.text
                self.failures[str(answer.status_code)] += 1
            except requests.RequestException as error:
                self.failures[type(error).__name__] += 1
            if self.over.is_set():
                deadline = deadline or time.monotonic() + PATIENCE_S
                assert time.monotonic() < deadline, f"the server stays away: {self.failures}"
            threading.Event().wait(0.02)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path / "home")
    live.start()
    yield live
    live.stop()


@pytest.mark.parametrize("seed", [1, 2])
def test_no_acknowledged_edit_is_lost_or_done_twice(server: LiveServer, seed: int, tell: Callable[[str], None]) -> None:
    key = server.new_key("ada")
    headers = {"Authorization": f"APIKey {key}"}

    def call(method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, server.url + path, json=body, headers=headers, timeout=60)
        assert answer.status_code < 300, answer.text
        return answer.json()

    call("POST", "/user/datasets/", {"name": "streets", "task_type": "vector"})
    items = [{"name": f"{number}.png", "attributes": {"image": {"url": ""}}} for number in range(CLIENTS)]
    samples = [item["uuid"] for item in call("POST", "/datasets/ada/streets/samples_bulk/", items)]

    over = threading.Event()
    clients = [Client(server.url, key, sample, over) for sample in samples]
    killed: Counter[str] = Counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(client.run) for client in clients]
        try:
            _kill_parts(server, random.Random(seed), clients, killed)
        finally:
            over.set()
        for future in running:
            future.result()

    # The clients found it alive in the end, so it is asked like any installation.
    for client, sample in zip(clients, samples, strict=True):
        events: list[Json] = []
        after = 0
        while page := call("GET", f"/labels/{sample}/ground-truth/events/?after={after}&limit=1000"):
            events += page
            after = page[-1]["offset"]
        added = [event for event in events if event["type"] == "AnnotationAdded"]
        given = [said["edits"][0]["id"] for said in client.acknowledged]
        assert [event["data"]["id"] for event in added] == given, "each acknowledged edit once, and no other"
        assert len({event["command"] for event in added}) == len(added)
        label = call("GET", f"/labels/{sample}/ground-truth/")
        assert [item["id"] for item in label["attributes"]["annotations"]] == given
    said = server.manage("verify", "--json")
    assert '"sound": true' in said, said
    failures: Counter[str] = sum((client.failures for client in clients), Counter())
    acknowledged = sum(len(client.acknowledged) for client in clients)
    tell(f"killed {dict(killed)}; {acknowledged} edits acknowledged, 0 lost; tries that failed: {dict(failures)}")


def _kill_parts(server: LiveServer, chance: random.Random, clients: list[Client], killed: Counter[str]) -> None:
    """Kill one after the other, each under load again: when every client has got through since the last one."""
    order: list[str] = []
    for _ in range(KILLS):
        _wait_for_progress(clients)
        order = order or chance.sample(PARTS, len(PARTS))
        part = order.pop()
        deadline = time.monotonic() + PATIENCE_S
        while (pid := find(part, serve=server.pid, home=server.home)) is None:
            assert time.monotonic() < deadline, f"there is no {part}"
            threading.Event().wait(0.05)
        kill(pid)
        killed[part] += 1
    _wait_for_progress(clients)


def _wait_for_progress(clients: list[Client]) -> None:
    before = [len(client.acknowledged) for client in clients]
    deadline = time.monotonic() + PATIENCE_S
    while any(len(client.acknowledged) < count + 2 for client, count in zip(clients, before, strict=True)):
        assert time.monotonic() < deadline, f"nobody gets through any more: {[client.failures for client in clients]}"
        threading.Event().wait(0.02)
