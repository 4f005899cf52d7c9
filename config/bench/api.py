"""`bench api`: what the public SDK's common calls cost, over HTTP, against the real server; and what a page costs.

The peer of a call is a bare view of the same server in the same run (config.bench.peer.urls), measured in turn with it;
the peer of a page of a large dataset is the same page of one with 100 samples. `python -m config.bench.api N` gives the
large dataset N samples instead of 1,000,000; they are put there as config.bench.million says.
"""

from __future__ import annotations

import itertools
import json
import random
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from config.bench import Row
from config.bench.edit import document, new_sample, statements_of
from config.bench.processor import processor_ms
from config.bench.server import Client, served, server_processes

ROUNDS = 7
#: With fewer samples than the real bench has it is only tried out.
TRIAL_ROUNDS = 2
CALLS = 30
#: Of a page of the protocol's largest size, and of one as people look at.
LARGE_PAGE, PAGE = 1000, 100
SAMPLES = 1_000_000
MOST_OF_BARE = 2.5
MOST_OF_SMALL = 1.5
MOST_OF_FULL_PAGE_MS = 150

Action = Callable[[], Any]


class Price(NamedTuple):
    """Milliseconds of processor time of a request, and of the clock."""

    web_ms: float
    database_ms: float
    elapsed_ms: float

    @property
    def both_ms(self) -> float:
        return self.web_ms + self.database_ms


def main(samples: int = SAMPLES) -> list[Row]:
    """Start a server, measure, and stop it."""
    with served(settings="config.bench.peer.settings") as server:
        server.client.call("GET", "/user")  # so that the server's backend is there to be counted
        rounds = ROUNDS if samples >= SAMPLES else TRIAL_ROUNDS
        bench = Bench(server.client, server.home, server.person, rounds=rounds)
        return [*bench.calls(), *bench.full_page(), *bench.deep_pages(samples)]


class Bench:
    """The measurements."""

    def __init__(self, client: Client, home: Path, person: uuid.UUID, *, rounds: int) -> None:
        self.client, self.home, self.person, self.rounds = client, home, person, rounds
        self.web, self.backends = server_processes(home)

    def prices(self, actions: dict[str, Action], *, times: int = CALLS) -> dict[str, Price]:
        """What each action costs: the median of some rounds, in which they take turns."""
        found: dict[str, list[Price]] = {name: [] for name in actions}
        for action in actions.values():
            for _ in range(3):
                action()
        for _ in range(self.rounds):
            for name, action in actions.items():
                before = processor_ms(self.web), processor_ms(self.backends), time.perf_counter()
                for _ in range(times):
                    action()
                after = processor_ms(self.web), processor_ms(self.backends), time.perf_counter()
                web_ms, database_ms, elapsed_s = (now - then for now, then in zip(after, before, strict=True))
                found[name].append(Price(web_ms / times, database_ms / times, elapsed_s * 1000 / times))
        return {
            name: Price(*(statistics.median(column) for column in zip(*rounds, strict=True)))
            for name, rounds in found.items()
        }

    def dataset(self, name: str) -> str:
        """Make a dataset; returns its path."""
        self.client.call("POST", "/user/datasets/", json.dumps({"name": name, "task_type": "vector"}).encode())
        return f"/datasets/bench/{name}/"

    def get(self, path: str) -> Action:
        return lambda: self.client.call("GET", path)

    def calls(self) -> list[Row]:
        """The SDK's common calls, beside the bare view."""
        dataset = self.dataset("bench")
        label = new_sample(self.client, "sample")
        header = new_sample(self.client, "header")
        sample = label.split("/")[2]
        chance = random.Random(7)
        boxes = document(chance, boxes=5)
        self.client.call("PUT", f"{label}/", boxes)
        self.client.call("PUT", f"{header}/", document(chance))
        numbers = itertools.count()

        def add_sample() -> None:
            new_sample(self.client, f"new {next(numbers)}")

        def put_label() -> None:
            self.client.call("PUT", f"{label}/", document(chance, polygons=1, boxes=4))

        def update_sample() -> None:
            self.client.call("PATCH", f"/samples/{sample}/", json.dumps({"priority": next(numbers)}).encode())

        def update_status() -> None:
            status = ("LABELED", "REVIEWED")[next(numbers) % 2]
            self.client.call("PATCH", f"{header}/", json.dumps({"label_status": status}).encode())

        reads = {
            "get_sample": self.get(f"/samples/{sample}/"),
            "get_label of a label without annotations": self.get(f"{header}/"),
        }
        others = {
            "get_label with 5 boxes": self.get(f"{label}/"),
            "api_status": self.get("/api_status/?lib_version=1.33.0"),
            "get_user": self.get("/user"),
            "get_dataset": self.get(dataset),
            "get_datasets": self.get("/user/datasets/?per_page=1000&page=1"),
            "get_samples, a page of 10": self.get(f"{dataset}samples/?per_page=10&page=1"),
            "get_labelsets": self.get(f"{dataset}labelsets/"),
            "get_issues": self.get(f"{dataset}issues/"),
            "add_sample": add_sample,
            "update_sample": update_sample,
            "add_label of 5 objects": put_label,
            "update_label, its status": update_status,
        }
        actions = {"bare": self.get(f"/bare/{sample}/"), **reads, **others}
        prices = self.prices(actions)
        bare = prices.pop("bare")
        rows = [Row("a bare view of Django REST framework", "ms CPU", bare.both_ms, None, None)]
        for name, price in prices.items():
            target = MOST_OF_BARE * bare.both_ms if name in reads else None
            rows += [
                Row(f"{name}: web and PostgreSQL", "ms CPU", price.both_ms, bare.both_ms, target),
                Row(f"{name}: web", "ms CPU", price.web_ms, bare.web_ms, None),
                Row(f"{name}: one after another", "requests/s", 1000 / price.elapsed_ms, 1000 / bare.elapsed_ms, None),
                Row(f"{name}: SQL", "statements", statements_of(actions[name], self.home), None, None),
            ]
        return rows

    def full_page(self) -> list[Row]:
        """A page of the largest size, each sample with its label of 5 boxes."""
        dataset = self.dataset("full")
        body = [{"name": f"{number}.jpg", "attributes": {"image": {"url": ""}}} for number in range(LARGE_PAGE)]
        added = json.loads(self.client.call("POST", f"{dataset}samples_bulk/", json.dumps(body).encode()))
        boxes = document(random.Random(7), boxes=5)
        for sample in added:
            self.client.call("PUT", f"/labels/{sample['uuid']}/ground-truth/", boxes)
        page = f"{dataset}samples/?per_page={LARGE_PAGE}&page=1"
        price, plain = self.prices(
            {
                "full": self.get(f"{page}&labelset=ground-truth&include_full_label=1"),
                "plain": self.get(page),
            },
            times=3,
        ).values()
        case = "a page of 1,000 samples with labels of 5 boxes"
        return [
            Row(f"{case}: web and PostgreSQL", "ms CPU", price.both_ms, None, MOST_OF_FULL_PAGE_MS),
            Row(f"{case}: web", "ms CPU", price.web_ms, None, None),
            Row(f"{case}: PostgreSQL", "ms CPU", price.database_ms, None, None),
            Row("a page of 1,000 samples: web and PostgreSQL", "ms CPU", plain.both_ms, None, None),
        ]

    def deep_pages(self, samples: int) -> list[Row]:
        """Pages of 100 samples of a large dataset, beside the same page of one with 100."""
        from config.bench.million import fill, settle
        from labeling.models import Dataset

        for name, count in {"small": PAGE, "large": samples}.items():
            self.dataset(name)
            self.client.close()
            fill(Dataset.objects.get(name=name).id, self.person, count)
        settle()
        large, small = "/datasets/bench/large/", "/datasets/bench/small/"
        last = samples // PAGE
        rows = []

        def beside(case: str, path: str, of_small: str, target: float | None = MOST_OF_SMALL) -> None:
            found = self.prices({"large": self.get(large + path), "small": self.get(small + of_small)}, times=5)
            ours, peer = found["large"].both_ms, found["small"].both_ms
            rows.append(Row(case, "ms CPU", ours, peer, None if target is None else target * peer))

        beside("get_dataset with N samples, beside 100", "", "")
        for sort in ("created_at", "-created_at", "name", "-priority", "-gt_label__updated_at"):
            page = f"samples/?per_page={PAGE}&sort={sort}"
            beside(f"samples by {sort}: first page of N, beside 100", page, page)
            beside(f"samples by {sort}: last page of N, beside 100", f"{page}&page={last}", page)
            if not sort.endswith("created_at"):
                # By number it costs the ids in front of it, as labeling.queries.sample_pages says.
                beside(f"samples by {sort}: page in the middle", f"{page}&page={last // 2}", page, None)
            deep = json.loads(self.client.call("GET", f"{large}{page}&page={max(last // 2, 1)}"))[-1]["uuid"]
            beside(f"samples by {sort}: page after a sample in the middle", f"{page}&after={deep}", page)
        for status in ("LABELED", "UNLABELED,PRELABELED", "REJECTED"):
            page = f"samples/?per_page={PAGE // 10}&label_status={status}"
            beside(
                f"samples with label_status={status}: first page of N, beside 100",
                page,
                f"samples/?per_page={PAGE // 10}",
            )
        return rows


if __name__ == "__main__":
    json.dump([row.as_json() for row in main(*map(int, sys.argv[1:]))], sys.stdout)
