"""`bench history`: what looking back costs: a label of 10,000 events, the feed, catching up, a year's report.

All logs are filled through `store.append`, by COPY. A long label has snapshots (`label-snapshots` is brought up first);
its reads are the whole look back: dataset, sample and label as they were, at 200 random offsets, by the clock, the
lower quartile; the peer is the same label as it is now. The feed is one answer that brings all of a log, as text.

The report is asked of a log of 1,000,000 events of twenty people (or `--events N`), whose ledger was brought up first.
The server's clock cannot be set, so the times in the ledger are then spread over a year, and the report is by person
and day in a zone with a summer time. It, and computing all of the ledger again (at a tenth of the length and at all of
it), is measured by processor time, this process's and its backend's: whoever else is at work makes no difference.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from config.bench import Row
from config.bench.processor import processor_ms
from config.bench.server import database
from labeling.log.event import Event, Intent

LONG = 10_000  #: events of the one label, and of the log that the feed brings
YEAR = 1_000_000
PEOPLE = 20
#: Labels that are worked on at a time, and the events of each in one append.
GROUP, EACH = 200, 5
#: Events of a label in the long log; one more is its sample's.
OF_LABEL = 99
CALLS = 200
YEAR_US = 365 * 86_400 * 1_000_000
MOST_OF_SHORTER = 1.3


def main(events: int = YEAR) -> list[Row]:
    """Fill the logs and measure them one after the other."""
    with database():
        bench = _Bench()
        return [*bench.long_label(), *bench.feed(), *bench.catching_up(), *bench.year(events)]


def lower_quartile(times: list[float]) -> float:
    """Whatever else the machine does makes calls longer, never shorter."""
    return statistics.quantiles(times, n=4)[0]


def timed(calls: list[Callable[[], Any]]) -> list[float]:
    """Milliseconds of each call."""
    found = []
    for call in calls:
        began = time.perf_counter()
        call()
        found.append((time.perf_counter() - began) * 1000)
    return found


def _placed(event: Event, done: Any) -> Event:
    return replace(event, offset=done.offset_of(event.offset or 0), recorded_at=done.recorded_at)


class _Log:
    """A dataset that is filled."""

    def __init__(self, name: str, chance: random.Random) -> None:
        from labeling.commands import datasets, people
        from labeling.models import LabelSet, Person

        known = Person.objects.filter(username="bench").first()
        self.person = (known or people.add_person(intent=people.operator("bench"), username="bench")).id
        self.people = [uuid.UUID(int=number + 1, version=4) for number in range(PEOPLE)]
        self.chance = chance
        self.dataset = datasets.create_dataset(
            intent=Intent(author=self.person), owner=self.person, name=name, task_type="vector", task_attributes=None,
            changes={},
        )  # fmt: skip
        self.label_set = LabelSet.objects.get(dataset_id=self.dataset).id
        self.samples: list[uuid.UUID] = []

    def add(self, labels: int, each: int, *, step: int = EACH) -> None:
        """Add labels of `each` events, `step` of them in one append of one person."""
        from labeling.commands import samples
        from labeling.log import store
        from labeling.log.rows import Rows
        from labeling.rules import label_ids, label_state
        from labeling.rules.label_state import LabelState

        items = [
            samples.checked_sample({"name": f"{len(self.samples) + n}.jpg", "attributes": {"image": {"url": ""}}})
            for n in range(labels)
        ]
        new = samples.add_samples(
            intent=Intent(author=self.person), dataset=self.dataset, items=items, keep_existing=False
        )
        self.samples += new
        empty = [LabelState(self.dataset, label_ids.label_stream(sample, self.label_set)) for sample in new]
        states, wanted = empty, [self._facts(each) for _ in empty]
        for first in range(0, each, step):
            intent = Intent(author=self.chance.choice(self.people))
            triples = [
                (state.stream, state.version, fact)
                for state, facts in zip(states, wanted, strict=True)
                for fact in facts[first : first + step]
            ]
            events = store.new_events(self.dataset, intent, triples)
            few = len(events) // len(states)
            own = [events[start : start + few] for start in range(0, len(events), few)]
            rows = Rows()
            if first + step >= each:  # the rows of a label are written with its last events alone
                for state, some, before in zip(states, own, empty, strict=True):
                    rows.add(label_state.difference(before, label_state.fold(state, some)))
            done = store.append(self.dataset, intent=intent, events=events, rows=rows)
            states = [
                label_state.fold(state, [_placed(event, done) for event in some])
                for state, some in zip(states, own, strict=True)
            ]

    def _facts(self, count: int) -> list[Any]:
        """A status, boxes of which there are in the end one for five events, and moves of them."""
        from labeling import events as e

        facts: list[Any] = [e.LabelStatusChanged(verb="save", before=None, after="LABELING_IN_PROGRESS")]
        names: list[str] = []
        while len(facts) < count:
            if len(names) * 5 <= len(facts) and len(names) < 200:
                names.append(str(uuid.UUID(int=self.chance.getrandbits(128), version=4)))
                facts.append(
                    e.AnnotationAdded(
                        annotation=names[-1], id=len(names), category_id=1, geometry=self._box(),
                        order=float(len(names)), attributes={},
                    )
                )  # fmt: skip
            else:
                facts.append(e.AnnotationGeometrySet(annotation=self.chance.choice(names), geometry=self._box()))
        return facts

    def _box(self) -> dict[str, Any]:
        x, y = self.chance.random() * 1000, self.chance.random() * 1000
        return {"type": "bbox", "points": [[x, y], [x + 50.5, y + 80.25]]}


class _Bench:
    def __init__(self) -> None:
        from django.db import connection

        self.chance = random.Random(8)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self.pids = [os.getpid(), cursor.fetchone()[0]]
        self.log = _Log("long", self.chance)

    def long_label(self) -> list[Row]:
        """A label of LONG events at any offset."""
        from labeling.log import projector, store
        from labeling.queries import past
        from labeling.queries.labels import find_label
        from labeling.queries.samples import find_sample

        log = self.log
        log.add(1, LONG, step=500)
        projector.bring_up("label-snapshots", log.dataset, most=10 * LONG)
        (sample,) = log.samples
        head = store.head(log.dataset)

        def then(offset: int) -> Callable[[], Any]:
            return lambda: past.label_of_sample(
                find_sample(sample, person=log.person, deleted=True), "ground-truth", offset
            )

        def now() -> Any:
            return find_label(sample, "ground-truth", person=log.person)

        offsets = [self.chance.randint(head - LONG + 1, head) for _ in range(CALLS)]
        if then(head)().state.annotations != now().state.annotations:
            raise SystemExit("The label at the head is not the label as it is.")
        for call in (then(offsets[0]), now):
            call()
        peer = lower_quartile(timed([now] * CALLS))
        ours = lower_quartile(timed([then(offset) for offset in offsets]))
        return [Row(f"label of {LONG:,} events at a random offset, beside now", "ms", ours, peer, 12)]

    def feed(self) -> list[Row]:
        """All events of the log, as the feed tells them; the peer is to read them from the log."""
        from labeling.api.feed import feed
        from labeling.log import store
        from labeling.log.search import Wanted

        dataset = self.log.dataset
        head = store.head(dataset)

        def told() -> None:
            text = b"".join(feed(dataset, Wanted(), after=0, seconds=0))
            if text.count(b"\nevent: ") != head:
                raise SystemExit("The feed did not tell every event.")

        def read() -> None:
            if sum(len(page) for page in store.pages(dataset)) != head:
                raise SystemExit("The log was not read to its end.")

        ours, peer = (min(timed([call] * 5)) * 1000 / head for call in (told, read))
        return [Row(f"feed of {head:,} events (10,000 a second), beside reading them", "µs an event", ours, peer, 100)]

    def catching_up(self) -> list[Row]:
        """What each catch-up projection costs of a log of LONG events on a hundred labels."""
        from labeling.log import projector, store

        log = _Log("many", self.chance)
        log.add(LONG // (OF_LABEL + 1), OF_LABEL)
        rows = []
        for each in projector.catch_ups():
            before, began = processor_ms(self.pids), time.perf_counter()
            projector.bring_up(each.name, log.dataset, most=10 * LONG)
            used, clock = processor_ms(self.pids) - before, time.perf_counter() - began
            events = store.head(log.dataset)
            rows.append(Row(f"catching up {events:,} events, {each.name}", "µs an event", clock * 1e6 / events,
                            used * 1000 / events, None))  # fmt: skip
        return rows

    def year(self, length: int) -> list[Row]:
        """A year's report from the ledger, and what it costs to compute that ledger."""
        from labeling.log import projector, store
        from labeling.reports import catalogue
        from labeling.reports.tables import Question

        costs: dict[int, float] = {}
        log = None
        for events in (length // 10, length):
            log = _Log(f"year-{events}", self.chance)
            while store.head(log.dataset) < events:
                log.add(GROUP, OF_LABEL)
                if len(log.samples) % 1000 == 0:
                    print(f"{store.head(log.dataset):,} of {events:,} events", file=sys.stderr, flush=True)
            before = processor_ms(self.pids)
            projector.bring_up("ledger", log.dataset, most=store.head(log.dataset))
            costs[events] = (processor_ms(self.pids) - before) * 1000 / store.head(log.dataset)
        assert log is not None
        self._spread(log.dataset)
        head = store.head(log.dataset)
        question = Question(300, ZoneInfo("Europe/Berlin"), by=("person", "day"))

        def report() -> Any:
            return catalogue.ask(catalogue.REPORTS["time"], log.dataset, question, at=None, options={})

        days = {row["day"] for row in report().rows}
        if len(days) < 360:
            raise SystemExit(f"The year has {len(days)} days.")
        used = []
        for _ in range(5):
            before = processor_ms(self.pids)
            report()
            used.append(processor_ms(self.pids) - before)
        ours = min(used)
        shorter, longer = costs.values()
        return [
            Row(f"a year's report over {head:,} events by person and day", "ms CPU", ours, None, 2000),
            Row(f"computing the ledger of {head:,} events, beside a tenth of them", "µs CPU an event", longer, shorter,
                MOST_OF_SHORTER * shorter),
        ]  # fmt: skip

    def _spread(self, dataset: uuid.UUID) -> None:
        """Let the events of a ledger lie evenly over a year: bursts of work with pauses between them."""
        import numpy as np

        from labeling.log import store
        from labeling.models import LedgerChunk
        from labeling.reports.reading import chunk_of

        head = store.head(dataset)
        for row in LedgerChunk.objects.filter(dataset_id=dataset).order_by("number").iterator():
            events = chunk_of(row).events.copy()
            place = events["offset"].astype(np.int64)
            events["at_us"] = 1_735_689_600_000_000 + place * (YEAR_US // head)
            row.events = events.tobytes()
            row.save(update_fields=["events"])


if __name__ == "__main__":
    json.dump([row.as_json() for row in main(*map(int, sys.argv[1:]))], sys.stdout)
