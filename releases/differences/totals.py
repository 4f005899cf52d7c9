"""How much differs: counted while entries go by. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

JSON = dict[str, Any]


class Totals:
    """How many samples, labels and objects were added, removed and changed, what of them, and by how many events."""

    def __init__(self) -> None:
        names = ("samples", "labels", "objects", "kinds", "fields", "categories", "label_sets")
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in names}
        self.entries = self.events = self.same = 0
        self.people: set[str] = set()

    def add(self, entry: JSON) -> None:
        """Count an entry."""
        self.entries += 1
        if entry["gone_with"] is None:  # else it is the event of its sample, or of its label set
            self.events += entry["event_count"]
        self.same += entry["same"] or 0
        self.people.update(entry["authors"])
        touched = False
        for change in entry["changes"]:
            if ":" in change["what"]:
                touched = True
                self.counts["objects"][change["change"]] += 1
                self.counts["kinds"].update(change["kinds"])
                if change["change"] == "changed":
                    self.counts["fields"].update(change["after"].keys() | change["before"].keys())
            elif entry["sample"] is not None:
                self.counts["labels" if entry["label_set"] else "samples"][change["change"]] += 1
                self.counts["kinds"].update(change["kinds"])
            else:
                for name in ("categories", "label_sets"):
                    self.counts[name].update(item["change"] for item in change.get(name, ()))
        whole = any(":" not in change["what"] for change in entry["changes"])
        if touched and not whole and entry["label_set"]:
            self.counts["labels"]["changed"] += 1

    def of(self, entries: Iterable[JSON]) -> Iterator[JSON]:
        """The entries, counted as they go by."""
        for entry in entries:
            self.add(entry)
            yield entry

    def as_json(self) -> JSON:
        """{events, entries, same, people, samples, labels, objects, kinds, fields, categories, label_sets}: by word."""
        found: JSON = {"events": self.events, "entries": self.entries, "same": self.same, "people": len(self.people)}
        return found | {name: dict(sorted(counts.items())) for name, counts in self.counts.items()}
