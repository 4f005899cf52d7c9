"""Fifty clients on one label at once: nothing is lost, and only who touched the same as somebody else is refused."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.e2e.conftest import MakeSample, People
from tests.e2e.documents import bbox, vector_label
from tests.e2e.live_server import LiveServer
from tests.e2e.wire import Wire, etag, label_path
from tests.support.installation import is_full

Json = dict[str, Any]

CLIENTS = 50
ROUNDS = 12 if is_full() else 3
#: Boxes that everybody moves; each client has one of its own beside them.
SHARED = 10


@dataclass
class Client:
    """One of them: what it was told, and what the server acknowledged."""

    wire: Wire
    sample: str
    own: int
    version: int
    acknowledged: Counter[tuple[int, float]] = field(default_factory=Counter)  #: (box, x)
    counts: Counter[str] = field(default_factory=Counter)

    def move(self, chance: random.Random) -> None:
        """Move a box until it is moved, on what was last seen; look at the label again after a refusal."""
        box = self.own if chance.random() < 0.5 else chance.randint(1, SHARED)
        x = float(chance.randint(0, 10**9))
        while True:
            answer = self._send(box, x, key=str(uuid.uuid4()))
            if answer.status_code == 200:
                self.acknowledged[box, x] += 1
                self.version = etag(answer)
                self.counts["rebased" if answer.json()["rebased"] else "straight"] += 1
                return
            assert answer.status_code == 409, answer.text
            self.counts["refused"] += 1
            self._check_refusal(answer, box)
            self.version = etag(self.wire.get(label_path(self.sample)))

    def _send(self, box: int, x: float, *, key: str) -> requests.Response:
        geometry = {"type": "bbox", "points": [[x, 0.0], [x + 5, 5.0]]}
        edit = {"op": "set_geometry", "annotation": box, "geometry": geometry}
        while True:
            answer = self.wire.edit(self.sample, [edit], if_match=self.version, key=key)
            if answer.status_code != 503:
                return answer
            assert "Retry-After" in answer.headers
            self.counts["told to come back"] += 1

    def _check_refusal(self, answer: requests.Response, box: int) -> None:
        """Somebody has moved that very box since; who is alone on a box is never refused."""
        assert box != self.own, "nobody else touches it"
        missed = self.wire.get(answer.json()["missed"]).json()
        assert all(event["version"] > self.version for event in missed)
        label = self.wire.label(self.sample)["attributes"]["annotations"]
        (named,) = (item["uuid"] for item in label if item["id"] == box)
        assert any(event["data"].get("annotation") == named for event in missed)


def test_fifty_clients_edit_one_label_and_lose_nothing(
    server: LiveServer, keys: People, make_sample: MakeSample, admin_wire: Wire, tell: Callable[[str], None]
) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(*(bbox(n) for n in range(1, SHARED + CLIENTS + 1))), "LABELED")
    begun = etag(admin_wire.get(label_path(sample.uuid)))
    start = threading.Barrier(CLIENTS)

    def run(number: int) -> Client:
        wire = Wire(server.url, (keys.ada, keys.lena)[number % 2])
        client = Client(wire, sample.uuid, own=SHARED + 1 + number, version=begun)
        chance = random.Random(number)
        start.wait(60)
        for _ in range(ROUNDS):
            client.move(chance)
        return client

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = list(pool.map(run, range(CLIENTS)))

    events = [
        event for event in admin_wire.events(sample.dataset.full_name) if event["type"] == "AnnotationGeometrySet"
    ]
    acknowledged: Counter[tuple[int, float]] = sum((client.acknowledged for client in clients), Counter())
    by_uuid = {item["uuid"]: item["id"] for item in admin_wire.label(sample.uuid)["attributes"]["annotations"]}
    moved = [(by_uuid[event["data"]["annotation"]], event["data"]["geometry"]["points"][0][0]) for event in events]
    assert len(events) == CLIENTS * ROUNDS and Counter(moved) == acknowledged, "each once, and nothing else"
    assert [event["version"] for event in events] == list(range(begun + 1, begun + 1 + len(events)))

    last = dict(moved)
    ends = [client.wire.get(label_path(sample.uuid)) for client in clients]
    assert {answer.headers["ETag"] for answer in ends} == {f'"{begun + len(events)}"'}
    for answer in ends:
        shown = {item["id"]: item["points"][0][0] for item in answer.json()["attributes"]["annotations"]}
        assert {box: shown[box] for box in last} == last
    for client in clients:
        client.wire.close()
    total: Counter[str] = sum((client.counts for client in clients), Counter())
    assert total["rebased"] and total["refused"], "they were really at it together"
    tell(f"{CLIENTS} clients, {len(events)} edits acknowledged, 0 lost; {dict(sorted(total.items()))}")
