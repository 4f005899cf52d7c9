"""`bench webhooks`: what it takes to tell a program of a log, beside sending it as many bodies without any log.

The receiver is a thread of this process that answers at once, so what is measured is our side: reading the log, making
the object as it was, signing, and keeping what was taken, each before the next is sent. The peer posts bodies of the
same size to the same receiver, over a new connection each, as deliveries are.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from config.bench import Row
from config.bench.server import database

EVENTS = 1000
#: Fifty a second at the least, so that what a few people do is told while they do it.
MOST_MS = 20.0


def main() -> list[Row]:
    """Tell a thousand samples, and a thousand labels, to a receiver."""
    with database():
        return [*_rows()]


@contextmanager
def receiving() -> Iterator[tuple[int, list[int]]]:
    """(port, sizes of the bodies that came) of a receiver that takes everything."""
    taken: list[int] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def take() -> None:
        while True:
            try:
                line, _ = listening.accept()
            except OSError:
                return
            with line:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += line.recv(65536)
                head, _, body = head.partition(b"\r\n\r\n")
                fields = dict(item.lower().split(b": ", 1) for item in head.split(b"\r\n")[1:])
                size = int(fields[b"content-length"])
                while len(body) < size:
                    body += line.recv(65536)
                taken.append(size)
                line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    threading.Thread(target=take, daemon=True).start()
    yield listening.getsockname()[1], taken
    listening.close()


def _rows() -> Iterator[Row]:
    from django.conf import settings

    from labeling.commands import datasets, labels, people, samples, webhooks
    from labeling.commands.webhooks import Where
    from labeling.fetching import sender
    from labeling.log.event import Intent

    person = people.add_person(intent=people.operator("bench"), username="bench").id
    dataset = datasets.create_dataset(
        intent=Intent(author=person), owner=person, name="bench", task_type="vector",
        task_attributes={"categories": [{"id": 1, "name": "car"}]}, changes={},
    )  # fmt: skip
    with receiving() as (port, taken):
        settings.WEBHOOK_HOSTS = [f"127.0.0.1:{port}"]
        fields = {"url": f"http://127.0.0.1:{port}/", "types": ["sample.created", "label.updated"]}
        webhook = webhooks.add_webhook(intent=Intent(author=person), where=Where(dataset), fields=fields)
        image = {"image": {"url": "https://example.org/a.jpg"}}
        items = [samples.checked_sample({"name": f"{n}.jpg", "attributes": image}) for n in range(EVENTS)]
        made = samples.add_samples(intent=Intent(author=person), dataset=dataset, items=items, keep_existing=False)
        yield _told(f"telling of {EVENTS:,} samples", webhook, dataset, taken, sender(), fields["url"])
        chance = random.Random(1)
        for sample in made:
            boxes = [_box(number, chance) for number in range(1, 6)]
            labels.save_label(
                intent=Intent(author=person), sample=sample, label_set="ground-truth",
                document={"annotations": boxes}, status="LABELED", create=True,
            )  # fmt: skip
        yield _told(f"telling of {EVENTS:,} labels of five boxes", webhook, dataset, taken, sender(), fields["url"])


def _box(number: int, chance: random.Random) -> dict[str, Any]:
    x, y = chance.random() * 1000, chance.random() * 1000
    return {"id": number, "category_id": 1, "type": "bbox", "points": [[x, y], [x + 50.5, y + 80.25]]}


def _told(case: str, webhook: uuid.UUID, log: uuid.UUID, taken: list[int], by: Any, url: Any) -> Row:
    """Tell what there is to tell; milliseconds a message."""
    from labeling.webhooks import turns

    taken.clear()
    turns.due(log)
    began = time.perf_counter()
    goes_on = True
    while goes_on:
        turn = turns.begin(webhook, log)
        if turn is None:
            raise SystemExit("Somebody else has the turn.")
        goes_on = turns.run(turn, by=by)
    ours = time.perf_counter() - began
    if len(taken) != EVENTS:
        raise SystemExit(f"{len(taken)} messages were told, not {EVENTS}.")
    sizes = list(taken)
    began = time.perf_counter()
    for size in sizes:
        by.post(url, b"x" * size, {"Content-Type": "application/json"})
    peer = time.perf_counter() - began
    return Row(f"{case}, beside posting as much", "ms a message", ours * 1000 / EVENTS, peer * 1000 / EVENTS, MOST_MS)


if __name__ == "__main__":
    sys.stdout.write(json.dumps([row.as_json() for row in main()]))
