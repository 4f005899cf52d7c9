"""Agreement: how far two label sets say the same of the same samples. Pure.

Objects of both labels of a sample are matched one to one, the pair with the largest intersection over union first,
whatever their categories; a pair under the least share is none. Of equal shares the lower ids come first, so the same
labels always give the same pairs. Objects that cover nothing (points, lines, skeletons) are left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.geometry.measures import ious_of_boxes, ious_of_maps
from labeling.geometry.overlap import overlap
from labeling.geometry.parts import parts_of

JSON = dict[str, Any]
Row = dict[str, Any]
Shares = NDArray[np.float64]

KEYS = ("label_set", "category", "person", "other_person", "sample")
#: What covers something.
AREAS = frozenset({"bbox", "rbox", "ellipse", "polygon"})
#: What a pair has to share unless somebody says otherwise.
LEAST = 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """One label as it is compared: who made it, its objects, and the pixels (H, W) of its bitmap where it has one."""

    person: str
    objects: Sequence[JSON]  #: with id, category_id and geometry, by id
    ids: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two labels of one sample; `label_set` is the other one's."""

    sample: str
    label_set: str
    one: Answer
    other: Answer


def pairs_of(shares: Shares, least: float) -> list[tuple[int, int]]:
    """Which of N objects is which of M others, by their shares (N, M)."""
    ones, others = np.nonzero(shares >= max(least, 1e-9))
    order = np.lexsort((others, ones, -shares[ones, others]))
    found: list[tuple[int, int]] = []
    taken_one, taken_other = set(), set()
    for place in order:
        one, other = int(ones[place]), int(others[place])
        if one not in taken_one and other not in taken_other:
            taken_one.add(one)
            taken_other.add(other)
            found.append((one, other))
    return found


def shares_of(one: Answer, other: Answer) -> tuple[list[JSON], list[JSON], Shares]:
    """(objects, others, intersection over union (N, M)) of those objects that cover something."""
    if one.ids is not None or other.ids is not None:
        return _shares_of_bitmaps(one, other)
    ones, others = [
        [item for item in each.objects if item["geometry"]["type"] in AREAS and parts_of(item["geometry"])]
        for each in (one, other)
    ]
    if not ones or not others:
        return ones, others, np.zeros((len(ones), len(others)))
    bounds = [np.array([_bounds(item["geometry"]) for item in each]) for each in (ones, others)]
    shares = ious_of_boxes(*bounds)
    for i, j in zip(*np.nonzero(shares > 0), strict=True):
        first, second = ones[i]["geometry"], others[j]["geometry"]
        if first["type"] != "bbox" or second["type"] != "bbox":
            measured = overlap(first, second)
            shares[i, j] = 0.0 if measured is None else measured["iou"]
    return ones, others, shares


def _shares_of_bitmaps(one: Answer, other: Answer) -> tuple[list[JSON], list[JSON], Shares]:
    """Of two bitmaps of the same size; whatever is none is left out."""
    if one.ids is None or other.ids is None or one.ids.shape != other.ids.shape:
        return [], [], np.zeros((0, 0))
    first, second, shares = ious_of_maps(one.ids, other.ids)
    places = [{int(number): place for place, number in enumerate(each)} for each in (first, second)]
    ones, others = [
        [item for item in each.objects if item["id"] in known] for each, known in zip((one, other), places, strict=True)
    ]
    rows = [places[0][item["id"]] for item in ones]
    columns = [places[1][item["id"]] for item in others]
    return ones, others, shares[np.ix_(rows, columns)]


def _bounds(geometry: JSON) -> list[float]:
    points = np.concatenate(
        [np.asarray(ring, np.float64).reshape(-1, 2) for part in parts_of(geometry) for ring in part]
    )
    return [*points.min(axis=0), *points.max(axis=0)]


class _Sums:
    """What one group counts; shares as millionths, so that sums are exact."""

    __slots__ = ("labels", "left_out", "matched", "objects", "others", "same", "share")

    def __init__(self) -> None:
        self.labels = self.objects = self.others = self.matched = self.same = self.share = self.left_out = 0

    def row(self) -> Row:
        both = self.objects + self.others
        return {
            "labels": self.labels,
            "objects": self.objects,
            "others": self.others,
            "matched": self.matched,
            "same_category": self.same,
            "agreement": round(2 * self.same / both, 6) if both else None,
            "mean_iou": round(self.share / self.matched / 1_000_000, 6) if self.matched else None,
            "left_out": self.left_out,
        }


def agreement_table(pairs: Iterable[Pair], by: Sequence[str], *, least: float = LEAST) -> list[Row]:
    """A row for each group of KEYS: how many objects either side has, how many are the same, and how far."""
    groups: dict[tuple[Any, ...], _Sums] = {}

    for pair in pairs:
        known = {
            "label_set": pair.label_set,
            "sample": pair.sample,
            "person": pair.one.person,
            "other_person": pair.other.person,
        }
        seen: set[tuple[Any, ...]] = set()

        def group(category: Any, known: JSON = known, seen: set[tuple[Any, ...]] = seen) -> _Sums:
            key = tuple((known | {"category": category})[name] for name in by)
            found = groups.setdefault(key, _Sums())
            if key not in seen:
                seen.add(key)
                found.labels += 1
            return found

        if "category" not in by:
            group(None)  # also where neither side found anything
        ones, others, shares = shares_of(pair.one, pair.other)
        for item in ones:
            group(item["category_id"]).objects += 1
        for item in others:
            group(item["category_id"]).others += 1
        for left, kept in ((pair.one.objects, ones), (pair.other.objects, others)):
            there = {item["id"] for item in kept}
            for item in left:
                if item["id"] not in there:
                    group(item["category_id"]).left_out += 1
        for i, j in pairs_of(shares, least):
            sums = group(ones[i]["category_id"])
            sums.matched += 1
            sums.same += ones[i]["category_id"] == others[j]["category_id"]
            sums.share += round(float(shares[i, j]) * 1_000_000)
    rows = [dict(zip(by, key, strict=True)) | sums.row() for key, sums in groups.items()]
    return sorted(rows, key=lambda row: [(row[name] is not None, row[name] or 0) for name in by])
