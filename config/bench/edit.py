"""`bench edit`: what one edit, one save and one read of a label cost, over HTTP, against the real server.

The peers are the least that anybody could do in the same run: one INSERT of a row by one connection for an edit, and
decoding and encoding the same JSON with Python's own library for a document.
"""

from __future__ import annotations

import json
import os
import random
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.bench import Row
from config.bench.processor import processor_ms
from config.bench.server import Client, served, server_processes

EDITS = 200
DOCUMENTS = 12
ROUNDS = 5


def main() -> list[Row]:
    """Start a server, measure, and stop it."""
    with served() as server:
        return measured(server.client, server.home)


def measured(client: Client, home: Path) -> list[Row]:
    """All rows."""
    client.call("POST", "/user/datasets/", json.dumps({"name": "bench", "task_type": "vector"}).encode())
    chance = random.Random(7)
    small = new_sample(client, "small")
    client.call("PUT", f"{small}/", document(chance, boxes=5))
    big = document(chance, polygons=500)
    web, backends = server_processes(home)

    def move_box() -> None:
        client.call("POST", f"{small}/edits/", edit(1, [[chance.random() * 100, 1], [200, 200]], "bbox"))

    fresh = iter([new_sample(client, f"big {number}") for number in range(DOCUMENTS * ROUNDS + 1)])
    first = next(fresh)
    client.call("PUT", f"{first}/", big)

    def save() -> None:
        client.call("PUT", f"{next(fresh)}/", big)

    def read() -> None:
        client.call("GET", f"{first}/")

    def move_polygon() -> None:
        client.call("POST", f"{first}/edits/", edit(7, polygon(chance), "polygon"))

    def price(action: Callable[[], None], times: int) -> tuple[float, float]:
        """(web, PostgreSQL) milliseconds of processor time for one action; the median of some rounds."""
        for _ in range(3):
            if action is not save:
                action()
        found = []
        for _ in range(ROUNDS):
            before = processor_ms(web), processor_ms(backends)
            for _ in range(times):
                action()
            found.append(((processor_ms(web) - before[0]) / times, (processor_ms(backends) - before[1]) / times))
        return statistics.median(item[0] for item in found), statistics.median(item[1] for item in found)

    statements = statements_of(move_box, home)
    edit_web, edit_database = price(move_box, EDITS // ROUNDS)
    save_web, save_database = price(save, DOCUMENTS)
    read_web, read_database = price(read, DOCUMENTS * 2)
    move_web, move_database = price(move_polygon, EDITS // ROUNDS)
    insert = price_of_an_insert()
    decoded = own_ms(lambda: json.dumps(json.loads(big)))
    encoded = json.loads(big)
    return [
        Row("edit of a label with 5 boxes: SQL statements, hint included", "statements", statements, None, 6),
        Row("edit of a label with 5 boxes: web", "ms CPU", edit_web, insert, 4),
        Row("edit of a label with 5 boxes: PostgreSQL", "ms CPU", edit_database, insert, None),
        Row("save of 500 polygons of 20 points: web", "ms CPU", save_web, decoded, 60),
        Row("save of 500 polygons of 20 points: PostgreSQL", "ms CPU", save_database, decoded, None),
        Row("read of 500 polygons: web", "ms CPU", read_web, own_ms(lambda: json.dumps(encoded)), 25),
        Row("read of 500 polygons: PostgreSQL", "ms CPU", read_database, None, None),
        Row("move of 1 of 500 polygons: web and PostgreSQL", "ms CPU", move_web + move_database, insert, 8),
    ]


def new_sample(client: Client, name: str) -> str:
    """A new sample; returns the path of its label."""
    body = json.dumps({"name": name, "attributes": {"image": {"url": ""}}}).encode()
    sample = json.loads(client.call("POST", "/datasets/bench/bench/samples/", body))
    return f"/labels/{sample['uuid']}/ground-truth"


def polygon(chance: random.Random) -> list[list[float]]:
    return [[chance.random() * 1920, chance.random() * 1080] for _ in range(20)]


def document(chance: random.Random, *, boxes: int = 0, polygons: int = 0) -> bytes:
    """A label document as the SDK sends it."""
    objects: list[dict[str, Any]] = [{"type": "bbox", "points": [[0, 0], [10.5, 20]]} for _ in range(boxes)]
    objects += [{"type": "polygon", "points": polygon(chance)} for _ in range(polygons)]
    annotations = [
        {"id": number, "category_id": 1, "attributes": {"occluded": False}, **item}
        for number, item in enumerate(objects, 1)
    ]
    return json.dumps({"label_status": "PRELABELED", "attributes": {"annotations": annotations}}).encode()


def edit(number: int, points: list[list[float]], shape: str) -> bytes:
    return json.dumps(
        {"edits": [{"op": "set_geometry", "annotation": number, "type": shape, "points": points}]}
    ).encode()


def statements_of(action: Callable[[], None], home: Path) -> float:
    """How many statements PostgreSQL was sent for one action, by its own log."""
    from django.db import connection

    log = home / "log" / "postgres.log"
    settings = {"log_statement": "'all'", "log_line_prefix": "'bench %p '"}
    with connection.cursor() as cursor:
        for name, value in settings.items():
            cursor.execute(f"ALTER SYSTEM SET {name} = {value}")
        cursor.execute("SELECT pg_reload_conf(), pg_backend_pid()")
        own = cursor.fetchone()[1]
        # The settings reach the other backends a moment later: wait until one of their statements is logged.
        for _ in range(50):
            start = log.stat().st_size
            action()
            if statement_lines(log, start, own):
                break
            time.sleep(0.1)
        start = log.stat().st_size
        for _ in range(10):
            action()
        count = statement_lines(log, start, own) / 10
        for name in settings:
            cursor.execute(f"ALTER SYSTEM RESET {name}")
        cursor.execute("SELECT pg_reload_conf()")
    return count


def statement_lines(log: Path, start: int, own: int) -> int:
    with log.open("rb") as file:
        file.seek(start)
        lines = re.findall(rb"^bench (\d+) LOG:  (?:statement|execute )", file.read(), re.MULTILINE)
    return sum(1 for pid in lines if int(pid) != own)


def price_of_an_insert() -> float:
    """The peer of an edit: one INSERT of a small row, committed, by one connection; this process and its backend."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_peer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, data jsonb)")
        cursor.execute("SELECT pg_backend_pid()")
        pids = [os.getpid(), cursor.fetchone()[0]]
        row = json.dumps({"annotation": "x" * 36, "geometry": {"type": "bbox", "points": [[0, 0], [10.5, 20]]}})
        found = []
        for _ in range(ROUNDS):
            before = processor_ms(pids)
            for _ in range(EDITS):
                cursor.execute("INSERT INTO bench_peer (data) VALUES (%s::jsonb)", [row])
            found.append((processor_ms(pids) - before) / EDITS)
    return statistics.median(found)


def own_ms(action: Callable[[], Any]) -> float:
    """Processor time of an action in this process; the median of some."""
    found = []
    for _ in range(ROUNDS * 2):
        before = time.process_time()
        action()
        found.append((time.process_time() - before) * 1000)
    return statistics.median(found)


if __name__ == "__main__":
    json.dump([row.as_json() for row in main()], sys.stdout)
