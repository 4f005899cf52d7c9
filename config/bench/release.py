"""`bench release [--labels N] [--full]`: what a release costs, from the log to its Segments file and to COCO.

The labels have five annotations each, real ones of LVIS. Two processes make each file as workers do: shards of it
until there are none left, and one of them puts the shards together. Time is processor time, of the workers and of
their connections' backends: what the shards take is halved, because two processors share them, and what is done by
one alone is added. So the figure is what two processors need that have nothing else to do (though neighbours who use
the same caches make it longer). Memory is what the workers, their parent and those backends have for themselves, at
its highest.

The cost must not grow with the number of labels: a tenth of them is the peer; with `--full` there are 1,000,000. COCO
is to take a tenth of what Label Studio's export takes of the same labels, measured in the same run where that is
installed (`peer.label_studio` says how); elsewhere the limit is a tenth of 1.6 ms an annotation, as once measured.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import multiprocessing
import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.bench import Row, release_imports
from config.bench.peer import label_studio
from config.bench.processor import processor_ms
from config.bench.server import database
from config.home import CHECKOUT

LABELS, EACH, CATEGORIES = 100_000, 5, 80
#: Samples whose events are appended at once.
GROUP = 500
POLYGONS = CHECKOUT / "tests" / "data" / "lvis" / "polygons.json.gz"
WORKERS = 2
LABELS_A_SECOND = 5_000
MOST_MB = 400
MOST_OF_SHORTEST = 1.3
#: Processor time that Label Studio's export was once measured to take for an annotation, and how much faster to be.
LABEL_STUDIO_MS, TIMES_FASTER = 1.6, 10

JSON = dict[str, Any]


def polygons() -> list[tuple[int, int, JSON]]:
    """(width, height, geometry) of the annotations of LVIS, as an import of COCO stores them."""
    found = []
    for item in json.loads(gzip.decompress(POLYGONS.read_bytes())):
        rings = [[list(point) for point in zip(ring[::2], ring[1::2], strict=True)] for ring in item["segmentation"]]
        height, width = item["size"]
        found.append((width, height, {"type": "polygon", "parts": [[ring] for ring in rings]}))
    return found


def filled(person: uuid.UUID, labels: int) -> uuid.UUID:
    """A dataset with so many labels. Their events alone are stored, because that is what a release is made from; the
    rows that people edit by are not."""
    from labeling import events as e
    from labeling.commands import datasets
    from labeling.log import store
    from labeling.log.event import Intent
    from labeling.log.rows import Rows
    from labeling.models import LabelSet

    chance, shapes = random.Random(labels), polygons()
    intent = Intent(author=person, author_kind="import")
    categories = [{"id": n, "name": f"category {n}"} for n in range(1, CATEGORIES + 1)]
    dataset = datasets.create_dataset(
        intent=Intent(author=person),
        owner=person,
        name=f"bench-{labels}",
        task_type="vector",
        task_attributes={"categories": categories},
        changes={},
    )
    truth = LabelSet.objects.get(dataset_id=dataset).id
    for start in range(0, labels, GROUP):
        facts: list[tuple[str, int, Any]] = []
        for number in range(start, min(start + GROUP, labels)):
            chosen = chance.sample(shapes, EACH)
            sample = uuid.UUID(int=chance.getrandbits(128), version=4)
            metadata = {"width": max(item[0] for item in chosen), "height": max(item[1] for item in chosen)}
            added = e.SampleAdded(
                sample=str(sample),
                name=f"{number:07d}.jpg",
                attributes={"image": {"url": f"https://example.org/{number:07d}.jpg"}},
                metadata=metadata,
            )
            annotations = [
                {
                    "annotation": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
                    "id": n,
                    "category_id": chance.randint(1, CATEGORIES),
                    "geometry": geometry,
                    "order": n,
                }
                for n, (_, _, geometry) in enumerate(chosen, 1)
            ]
            imported = e.LabelImported(annotations=annotations, status="LABELED")
            facts += [(f"sample/{sample}", 0, added), (f"label/{sample}/{truth}", 0, imported)]
        one = Intent(author=intent.author, author_kind="import")
        store.append(dataset, intent=one, events=store.new_events(dataset, one, facts), rows=Rows())
    return dataset


# --- measuring -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class Cost:
    """What making a file took: processor milliseconds of its shards and of all else, seconds of the clock, megabytes
    that were in use beyond what the processes share."""

    shards_ms: float = 0.0
    alone_ms: float = 0.0
    seconds: float = 0.0
    memory_mb: float = 0.0

    @property
    def two_processors_ms(self) -> float:
        return self.shards_ms / WORKERS + self.alone_ms

    @property
    def processor_ms(self) -> float:
        return self.shards_ms + self.alone_ms


def made(work: Callable[[uuid.UUID], None], kind: tuple[Any, str], job: uuid.UUID) -> Cost:
    """Have a job done by some processes. `kind` is where the job's kind stands: a module and a name."""
    from django.db import connections

    connections.close_all()
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()
    began = time.monotonic()
    pids = context.SimpleQueue()
    workers = [context.Process(target=_worker, args=(work, kind, job, pids, told)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    watched = [os.getpid(), *(pid for _ in workers for pid in pids.get())]
    highest = _Highest(watched)
    highest.start()
    costs = [told.get() for _ in workers]
    for worker in workers:
        worker.join()
    highest.ended.set()
    highest.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("A worker of the bench ended with an error.")
    return Cost(
        sum(shards for shards, _ in costs),
        sum(alone for _, alone in costs),
        time.monotonic() - began,
        highest.mb,
    )


def _worker(work: Callable[[uuid.UUID], None], kind: tuple[Any, str], job: uuid.UUID, pids: Any, told: Any) -> None:
    from django.db import connection, connections

    connections.close_all()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ours = [os.getpid(), cursor.fetchone()[0]]
    pids.put(ours)
    shards_ms = 0.0
    module, name = kind
    real = getattr(module, name)

    def part(*arguments: Any) -> Any:
        nonlocal shards_ms
        before = processor_ms(ours)
        try:
            return real.part(*arguments)
        finally:
            shards_ms += processor_ms(ours) - before

    setattr(module, name, dataclasses.replace(real, part=part, call=lambda job: None))
    before = processor_ms(ours)
    for _ in range(10_000):
        work(job)
        if not real.rows(job).filter(status="PENDING").exists() and real.rows(job).exists():
            break
        time.sleep(0.05)
    told.put((shards_ms, processor_ms(ours) - before - shards_ms))


class _Highest(threading.Thread):
    """Looks again and again how much memory processes have for themselves."""

    def __init__(self, pids: list[int]) -> None:
        super().__init__(daemon=True)
        self._pids, self.mb, self.ended = pids, 0.0, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.2):
            self.mb = max(self.mb, sum(map(own_mb, self._pids)))


def own_mb(pid: int) -> float:
    """Megabytes that no other process shares with this one; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def measured(labels: int) -> list[Row]:
    """The rows."""
    from labeling.commands import people
    from labeling.log.event import Intent
    from releases import actors, builds, commands, exports
    from releases.models import Release

    person = people.add_person(intent=people.operator("bench"), username="bench").id
    costs: dict[tuple[str, int], Cost] = {}
    sizes: dict[str, int] = {}
    for count in (labels // 10, labels):
        began = time.monotonic()
        dataset = filled(person, count)
        _settle()
        print(f"{count:,} labels stored in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        actors.build_release.send = actors.build_export.send = lambda *arguments: None  # type: ignore[method-assign,assignment]
        release = commands.cut_release(intent=Intent(author=person), dataset=dataset, name="v1")
        costs["Segments", count] = made(builds.build, (builds, "KIND"), release)
        job = commands.export_release(release=Release.objects.get(id=release), format_name="coco-instances")
        costs["COCO", count] = made(exports.build, (exports, "KIND"), job.id)
        for name, row in (("Segments", builds.KIND.rows(release)), ("COCO", exports.KIND.rows(job.id))):
            found = row.get()
            if found.status != "SUCCEEDED" or found.samples_count != count:
                raise SystemExit(f"{name}: {found.status}, {found.samples_count} samples: {found.error}")
            sizes[name] = found.size_bytes
    rows = []
    for name in ("Segments", "COCO"):
        cost, tenth = costs[name, labels], costs[name, labels // 10]
        case = f"{labels:,} labels into {name}"
        limit = 1e6 / LABELS_A_SECOND
        rows.append(Row(f"{case}, two processors", "µs a label", cost.two_processors_ms * 1e3 / labels, None, limit))
        rows.append(Row(f"{case}, that is", "labels a second", labels / cost.two_processors_ms * 1e3, None, None))
        rows.append(Row(f"{case}, by the clock here", "labels a second", labels / cost.seconds, None, None))
        rows.append(Row(f"{case}, put together by one", "µs a label", cost.alone_ms * 1e3 / labels, None, None))
        rows.append(Row(f"{case}, memory", "MB", cost.memory_mb, tenth.memory_mb, MOST_MB))
        peer = tenth.processor_ms * 1e3 / (labels // 10)
        ours = cost.processor_ms * 1e3 / labels
        rows.append(Row(f"{case}, beside {labels // 10:,}", "µs CPU a label", ours, peer, MOST_OF_SHORTEST * peer))
        rows.append(Row(f"{case}, the file", "MB", sizes[name] / 1e6, None, None))
    ours = costs["COCO", labels].processor_ms / labels / EACH
    studio = label_studio.cost(polygons(), min(labels, 2_000), each=EACH, categories=CATEGORIES)
    measured_ms = studio.export_ms if studio is not None else None
    limit = (measured_ms or LABEL_STUDIO_MS) / TIMES_FASTER
    rows.append(Row("COCO, to a tenth of Label Studio's export", "ms CPU an annotation", ours, measured_ms, limit))
    if studio is not None:
        rows.append(Row("COCO, beside its converter alone", "ms CPU an annotation", ours, studio.converter_ms, None))
    return rows


def _settle() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def main(labels: int = LABELS) -> list[Row]:
    """Measure on a fresh database."""
    os.environ["PALIMPSEST_BROKER"] = "stub"  # no workers run here but our own
    with database():
        return measured(labels) + release_imports.measured(release_imports.ANNOTATIONS)


if __name__ == "__main__":
    json.dump([row.as_json() for row in main(*map(int, sys.argv[1:]))], sys.stdout)
