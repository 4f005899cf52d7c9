"""`bench imports [--annotations N]`: what others wait for while a million annotations go into the dataset they edit.

Two importers bring in files of COCO, some of their labels huge, by the job that the API starts. Four people meanwhile
move a box of a label of their own in the same dataset, ten times a second each, as they did before the import began;
the quiet time is the peer. An edit is late from the moment at which it was to begin, so that one that waits makes the
next ones late too, and none is left out. All of it competes for the same processors.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

from config.bench import Row
from config.bench.server import database

ANNOTATIONS = 1_000_000
#: Annotations of one label; every twentieth label is huge, which are half of all annotations.
USUAL, HUGE, EVERY = 100, 2_000, 20
#: Samples that are added at once.
SAMPLES = 500
IMPORTERS, EDITORS, EDITS_A_SECOND = 2, 4, 10
QUIET_S = 15.0
#: Milliseconds that 99 of 100 edits may take while an import runs, and that the log may be held at a time.
MOST_P99_MS = 150.0
MOST_HOLD_MS = 100.0

JSON = dict[str, Any]


def box(number: int, at: int) -> JSON:
    """An annotation as the SDK sends it."""
    x, y = number % 97 * 10.25, number // 97 % 97 * 10.5 + at % 7
    return {"id": number, "category_id": 1, "type": "bbox", "points": [[x, y], [x + 20.5, y + 30.25]]}


def sizes(annotations: int) -> list[int]:
    """How many annotations each label of the import has."""
    found: list[int] = []
    while annotations > 0:
        size = min(HUGE if len(found) % EVERY == EVERY - 1 else USUAL, annotations)
        found.append(size)
        annotations -= size
    return found


def coco(labels: list[int], start: int, name: str) -> bytes:
    """A COCO file of boxes with so many in each picture."""
    images = [
        {"id": nth, "file_name": f"{name}-{start + nth}.jpg", "width": 2000, "height": 2000}
        for nth in range(len(labels))
    ]
    items: list[JSON] = []
    for nth, size in enumerate(labels):
        for number in range(1, size + 1):
            x, y = number % 97 * 10.25, number // 97 % 97 * 10.5 + start % 7
            items.append({"id": len(items), "image_id": nth, "category_id": 1, "bbox": [x, y, 20.5, 30.25]})
    categories = [{"id": 1, "name": "car"}]
    return json.dumps({"images": images, "annotations": items, "categories": categories}).encode()


def bring_in(dataset: uuid.UUID, person: uuid.UUID, labels: list[int], name: str) -> None:
    """Import files of a few hundred samples each, by the job that the API starts."""
    from config.bench.release_imports import bring_in as imported

    for start in range(0, len(labels), SAMPLES):
        imported(dataset, person, coco(labels[start : start + SAMPLES], start, name))


def edit(intent: Callable[[], Any], sample: uuid.UUID, until: Callable[[], bool]) -> list[float]:
    """Move a box at a steady pace; returns milliseconds from when each edit was to begin to its end."""
    from labeling.commands.labels import edit_label

    found: list[float] = []
    due = time.monotonic()
    while not until():
        due += 1 / EDITS_A_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        points = [[len(found) % 50, 5], [len(found) % 50 + 9, 30]]
        moved = {"op": "set_geometry", "annotation": 1, "type": "bbox", "points": points}
        edit_label(intent=intent(), sample=sample, label_set="ground-truth", edits=[moved])
        found.append((time.monotonic() - due) * 1000)
    return found


def timed(
    intent: Callable[[], Any], dataset: uuid.UUID, own: list[uuid.UUID], shares: list[list[int]], quiet_s: float
) -> tuple[list[float], list[float], float]:
    """(milliseconds of the editors' edits, for which the importers' appends held the log, seconds that all took)."""
    context = multiprocessing.get_context("fork")
    done, results, appends = context.Event(), context.SimpleQueue(), context.SimpleQueue()

    def editor(sample: uuid.UUID) -> None:
        _fresh()
        results.put(edit(intent, sample, done.is_set))

    def importer(number: int) -> None:
        from releases.imports import plans

        _fresh()
        taken: list[float] = []
        plans.observers.append(lambda events, held_ms: taken.append(held_ms))
        bring_in(dataset, intent().author, shares[number], f"import-{uuid.uuid4().hex}")
        appends.put(taken)

    editors = [context.Process(target=editor, args=(sample,)) for sample in own]
    importers = [context.Process(target=importer, args=(number,)) for number in range(len(shares))]
    began = time.monotonic()
    for process in editors + importers:
        process.start()
    time.sleep(quiet_s)
    taken = [one for _ in importers for one in appends.get()]
    seconds = time.monotonic() - began
    done.set()
    waited = [one for _ in editors for one in results.get()]
    for process in editors + importers:
        process.join()
        if process.exitcode:
            raise SystemExit(f"a process of the bench ended with {process.exitcode}")
    return waited, taken, seconds


def _fresh() -> None:
    from django.db import connections

    connections.close_all()


def share(values: list[float], part: float) -> float:
    """The value that this part of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def measured(annotations: int) -> list[Row]:
    """The rows."""
    from django.db import connections

    from labeling.commands import datasets, people, samples
    from labeling.log import store
    from labeling.log.event import Intent

    ana = people.add_person(intent=people.operator("bench"), username="bench").id

    def intent() -> Intent:
        return Intent(author=ana)

    made = datasets.create_dataset(
        intent=intent(),
        owner=ana,
        name="bench",
        task_type="vector",
        task_attributes={"categories": [{"id": 1, "name": "car"}]},
        changes={},
    )
    images = [
        {"name": f"{n}.jpg", "attributes": {"image": {"url": "https://example.org/a.jpg"}}} for n in range(EDITORS)
    ]
    own = samples.add_samples(
        intent=intent(), dataset=made, items=[samples.checked_sample(each) for each in images], keep_existing=False
    )
    from labeling.commands.labels import save_label

    for sample in own:
        save_label(
            intent=intent(),
            sample=sample,
            label_set="ground-truth",
            document={"annotations": [box(n, 0) for n in range(1, 21)]},
            status="LABELED",
            create=True,
        )
    labels = sizes(annotations)
    connections.close_all()
    quiet, _, _ = timed(intent, made, own, [], QUIET_S)
    before = store.head(made)
    connections.close_all()
    busy, taken, seconds = timed(intent, made, own, [labels[n::IMPORTERS] for n in range(IMPORTERS)], 0)
    events = store.head(made) - before
    what = f"others' edits while {sum(labels):,} annotations come in"
    return [
        Row(f"{what}: p50", "ms", share(busy, 0.5), share(quiet, 0.5), None),
        Row(f"{what}: p99", "ms", share(busy, 0.99), share(quiet, 0.99), MOST_P99_MS),
        Row(f"{what}: longest", "ms", max(busy), max(quiet), None),
        Row("the log is held by an import: p50", "ms", share(taken, 0.5), None, None),
        Row("the log is held by an import: p99", "ms", share(taken, 0.99), None, MOST_HOLD_MS),
        Row("the log is held by an import: longest", "ms", max(taken), None, MOST_HOLD_MS),
        Row("annotations imported", "a second", sum(labels) / seconds, None, None),
        Row("events appended by all", "a second", events / seconds, None, None),
    ]


def main(annotations: int = ANNOTATIONS) -> list[Row]:
    """Measure on a fresh database."""
    os.environ["PALIMPSEST_BROKER"] = "stub"  # no workers run here, and a queue's connections do not outlive a fork
    with database():
        return measured(annotations)


if __name__ == "__main__":
    json.dump([row.as_json() for row in main(*map(int, sys.argv[1:]))], sys.stdout)
