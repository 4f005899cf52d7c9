"""`bench scale`: what a log's length costs. Appends, reads and rebuilds at 10,000, 100,000 and 1,000,000 events in one
log, and with `--full` at 10,000,000.

Each length has a database of its own on one server, so that the short log does not lie in the long one's indexes. The
logs are filled through `store.append`, by COPY, a thousand events at a time, but a label's rows are written with its
last events alone. A label has 99 events (a status, 19 annotations, 79 moves) and its sample one; 200 labels are worked
on at a time, so what belongs to one is scattered over 20 appends. A rebuild afterwards finds each projected row as it
is, or the bench fails; so does it where a part of the chain does not hold.

Latencies are of the clock, the lower quartile of 200 calls, taken in turns: ten of one length and ten of the next, on
200 labels and 200 pages from all over the log that were each read once before, except in the row that says otherwise;
the peer of each row is the shortest log. A rebuild is measured by processor time, this process's and its backend's; the
figure is its inverse, microseconds an event.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from msgspec.structs import replace
from psycopg import sql

from config.bench import FULL, LENGTHS, Row
from config.bench.processor import processor_ms
from config.bench.server import database
from labeling.log.event import Event, Intent

#: Labels that are worked on at a time, and their events in one append.
GROUP, EACH = 200, 5
#: Events of a label; one more is its sample's.
EVENTS = 99
ANNOTATIONS = 19
#: Labels that are read and edited, turns, and calls of a turn.
WORKING_SET, TURNS, CALLS = 200, 20, 10
PAGE = 100
MOST_OF_SHORTEST = 1.3
#: Has no target: a short log lies in PostgreSQL's memory as a whole, of a long one what was not read lately does not.
NOT_READ_BEFORE = "page of 100 events, not read before"
REBUILD_RATE = 20_000


def main(*lengths: int) -> list[Row]:
    """Fill a log of each length, measure them in turns, rebuild each."""
    with database():
        from django.db import connections

        where = dict(connections["default"].settings_dict)
        connections.close_all()
        server = psycopg.connect(
            dbname="postgres", host=where["HOST"], port=where["PORT"] or None, user=where["USER"], autocommit=True
        )
        for length in lengths:  # before anybody connects, who would look like a user of the template
            new, template = sql.Identifier(f"scale_{length}"), sql.Identifier(where["NAME"])
            server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(new, template))
        server.close()
        logs = {length: _Process(length) for length in lengths}
        rows = []
        for length, log in logs.items():
            seconds = log.ask("fill")
            case = f"filling through the append, {length:,} events"
            rows.append(Row(case, "µs an event", seconds * 1e6 / length, None, None))
        found: dict[int, dict[str, list[float]]] = {length: {} for length in lengths}
        for _ in range(TURNS):
            for length, log in logs.items():
                for name, times in log.ask("turn").items():
                    found[length].setdefault(name, []).extend(times)
        shortest = lengths[0]
        for name in found[shortest]:
            peer = least_disturbed(found[shortest][name])
            for length in lengths[1:]:
                ours = least_disturbed(found[length][name])
                case = f"{name}: {length:,} events in the log, beside {shortest:,}"
                most = None if name == NOT_READ_BEFORE else MOST_OF_SHORTEST * peer
                rows.append(Row(case, "ms", ours, peer, most))
        # One of ten million takes as long again as to fill it; a tenth of it shows the slope.
        costs = {length: log.ask("rebuild") for length, log in logs.items() if length < FULL}
        for length, cost in costs.items():
            rows.append(Row(f"rebuild of {length:,} events", "µs CPU an event", cost, None, 1e6 / REBUILD_RATE))
        for length in list(costs)[2:]:
            peer = costs[lengths[1]]
            case = f"rebuild of {length:,} events, beside {lengths[1]:,}"
            rows.append(Row(case, "µs CPU an event", costs[length], peer, MOST_OF_SHORTEST * peer))
        for log in logs.values():
            log.ask("end")
        return rows


def least_disturbed(times: list[float]) -> float:
    """The lower quartile: whatever else the machine does makes calls longer, never shorter."""
    return statistics.quantiles(times, n=4)[0]


def _placed(event: Event, done: Any) -> Event:
    """An event that was appended, with its place."""
    return replace(event, offset=done.offset_of(event.offset or 0), recorded_at=done.recorded_at)


class _Process:
    """A process with a connection to the database of one length, which does what it is asked."""

    def __init__(self, length: int) -> None:
        context = multiprocessing.get_context("fork")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(length, theirs), daemon=True)
        self._process.start()

    def ask(self, what: str) -> Any:
        self._ours.send(what)
        while not self._ours.poll(1):
            if not self._process.is_alive():
                raise SystemExit(f"The process that was asked to {what} ended.")
        return self._ours.recv()


def _serve(length: int, pipe: Any) -> None:
    from django.db import connections

    connections["default"].settings_dict["NAME"] = f"scale_{length}"
    log = _Log(length)
    while True:
        what = pipe.recv()
        pipe.send(getattr(log, what)())
        if what == "end":
            return


class _Log:
    """One log, its labels, and what is measured of it."""

    def __init__(self, length: int) -> None:
        from labeling.commands import datasets, people

        self.length = length
        self.chance = random.Random(length)
        self.person = people.add_person(intent=people.operator("bench"), username="bench").id
        self.dataset = datasets.create_dataset(
            intent=self.intent(), owner=self.person, name="bench", task_type="vector", task_attributes=None, changes={}
        )
        self.samples: list[uuid.UUID] = []

    def intent(self, kind: str = "person") -> Intent:
        return Intent(author=self.person, author_kind=kind)

    # --- filling -------------------------------------------------------------------------------------------------

    def fill(self) -> float:
        """Bring the log to its length; returns seconds."""
        from django.db import connection

        from labeling.models import LabelSet

        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
        began = time.monotonic()
        ground_truth = LabelSet.objects.get(dataset_id=self.dataset).id
        missing = self.length // (EVENTS + 1)
        while missing:
            count = min(GROUP, missing)
            self._fill_labels(count, ground_truth)
            missing -= count
            if len(self.samples) % 20_000 == 0:
                print(f"{len(self.samples) * 100:,} of {self.length:,} events", file=sys.stderr, flush=True)
        seconds = time.monotonic() - began
        with connection.cursor() as cursor:
            cursor.execute("RESET synchronous_commit")
            cursor.execute("VACUUM ANALYZE")
        self._refuse_broken_chain()
        self.chosen = self.chance.sample(self.samples, min(WORKING_SET, len(self.samples)))
        self.streams = [f"label/{sample}/{ground_truth}" for sample in self.chosen]
        self.places = [self.chance.randrange(self.length - PAGE) for _ in self.chosen]
        for calls in self._actions().values():
            for call in calls:
                call()
        return seconds

    def _refuse_broken_chain(self) -> None:
        """End the bench where some pages of the log, from all over it, are not what their hashes say."""
        from labeling.log import store
        from labeling.log.event import chained, data_digest, event_digest, microseconds

        for after in self.chance.sample(range(1, self.length - PAGE), 20):
            previous = store.chain_at(self.dataset, after)
            for event in store.read(self.dataset, after=after, limit=PAGE):
                digest = event_digest(event, data_digest(event.data))
                recorded_us = microseconds(event.recorded_at) or 0
                previous = chained(previous, event.offset or 0, event.version, recorded_us, digest)
                if event.chain != previous:
                    raise SystemExit(f"The chain does not hold at {event.offset} of {self.length}.")

    def _fill_labels(self, count: int, label_set: uuid.UUID) -> None:
        from labeling.commands import samples
        from labeling.log import store
        from labeling.log.rows import Rows
        from labeling.rules import label_ids, label_state
        from labeling.rules.label_state import LabelState

        first = len(self.samples)
        items = [
            samples.checked_sample({"name": f"{first + n}.jpg", "attributes": {"image": {"url": ""}}})
            for n in range(count)
        ]
        new = samples.add_samples(intent=self.intent(), dataset=self.dataset, items=items, keep_existing=False)
        self.samples += new
        begun = [LabelState(self.dataset, label_ids.label_stream(sample, label_set)) for sample in new]
        states, wanted = begun, [self._facts() for _ in begun]
        for step in range(0, EVENTS, EACH):
            intent = self.intent("import")
            triples = [
                (state.stream, state.version, fact)
                for state, facts in zip(states, wanted, strict=True)
                for fact in facts[step : step + EACH]
            ]
            events = store.new_events(self.dataset, intent, triples)
            each = len(events) // len(states)
            own = [events[start : start + each] for start in range(0, len(events), each)]
            rows = Rows()
            if step + EACH >= EVENTS:
                for state, few, empty in zip(states, own, begun, strict=True):
                    rows.add(label_state.difference(empty, label_state.fold(state, few)))
            done = store.append(self.dataset, intent=intent, events=events, rows=rows)
            states = [
                label_state.fold(state, [_placed(event, done) for event in few])
                for state, few in zip(states, own, strict=True)
            ]

    def _facts(self) -> list[Any]:
        from labeling import events as e

        names = [str(uuid.uuid4()) for _ in range(ANNOTATIONS)]
        facts: list[Any] = [e.LabelStatusChanged(before=None, after="LABELED", verb="upload")]
        facts += [
            e.AnnotationAdded(annotation=name, id=n, category_id=1, geometry=self._box(), attributes={}, order=n)
            for n, name in enumerate(names, 1)
        ]
        moved = [names[n % ANNOTATIONS] for n in range(EVENTS - len(facts))]
        return facts + [e.AnnotationGeometrySet(annotation=name, geometry=self._box()) for name in moved]

    def _box(self) -> dict[str, Any]:
        x, y = self.chance.random() * 1000, self.chance.random() * 1000
        return {"type": "bbox", "points": [[x, y], [x + 50.5, y + 80.25]]}

    # --- measuring -----------------------------------------------------------------------------------------------

    def _actions(self) -> dict[str, Iterator[Callable[[], Any]]]:
        """What is measured, by its name: calls, one for each label of the working set."""
        from labeling.commands.labels import edit_label
        from labeling.log import store
        from labeling.queries.labels import find_label

        def edit(sample: uuid.UUID) -> Callable[[], Any]:
            wish = {"op": "set_geometry", "annotation": 1 + self.chance.randrange(ANNOTATIONS), **self._box()}
            return lambda: edit_label(intent=self.intent(), sample=sample, label_set="ground-truth", edits=[wish])

        def page(after: int) -> Callable[[], Any]:
            return lambda: store.read(self.dataset, after=after, limit=PAGE)

        def history(stream: str) -> Callable[[], Any]:
            return lambda: list(store.read_stream(self.dataset, stream))

        def label(sample: uuid.UUID) -> Callable[[], Any]:
            return lambda: find_label(sample, "ground-truth", person=self.person)

        return {
            "edit of an annotation, find to commit": map(edit, self.chosen),
            "label": map(label, self.chosen),
            "page of 100 events": map(page, self.places),
            NOT_READ_BEFORE: (page(self.chance.randrange(self.length - PAGE)) for _ in self.chosen),
            "first page of the log": (page(0) for _ in self.chosen),
            "last page of the log": (page(store.head(self.dataset) - PAGE) for _ in self.chosen),
            "a label's history": map(history, self.streams),
        }

    def turn(self) -> dict[str, list[float]]:
        """Milliseconds of some calls of each kind."""
        from labeling.log import store

        found: dict[str, list[float]] = {"append, the call alone": []}

        def observer(status: str, seconds: float) -> None:
            found["append, the call alone"].append(seconds * 1000)

        self.chance.shuffle(self.chosen)
        self.chance.shuffle(self.streams)
        self.chance.shuffle(self.places)
        for name, calls in self._actions().items():
            times = found.setdefault(name, [])
            store.observers.append(observer)
            for call, _ in zip(calls, range(CALLS), strict=False):
                began = time.perf_counter()
                call()
                times.append((time.perf_counter() - began) * 1000)
            store.observers.remove(observer)
        return found

    def rebuild(self) -> float:
        """Microseconds of processor time an event."""
        from django.db import connection

        from labeling.log import store
        from labeling.log.rebuild import rebuild

        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids = [os.getpid(), cursor.fetchone()[0]]
        before = processor_ms(pids)
        done = rebuild(self.dataset)
        used = processor_ms(pids) - before
        if done.changed or done.events != store.head(self.dataset):
            raise SystemExit(f"A rebuild of {self.length} events changed {done.changed} rows.")
        return used * 1000 / done.events

    def end(self) -> None:
        """Let go of the database."""
        from django.db import connections

        connections.close_all()


if __name__ == "__main__":
    chosen = tuple(map(int, sys.argv[1:])) or LENGTHS
    json.dump([row.as_json() for row in main(*chosen)], sys.stdout)
