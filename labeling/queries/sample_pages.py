"""Pages of the samples of a dataset: what a page costs does not depend on how many samples there are.

What is fast for which list, n samples in the dataset:

- In every order the first page is read from an index, and so is the page after a sample (`after`), however deep.
- By number, a page in the default order is found through the counts of live samples per 1024 offsets: of the rows in
  front of it, at most 1024 index entries are read. By name, by priority and by status, the ids in front of it are read
  from an index alone, from the nearer end: 0.1 µs of processor time each, so 50 ms for the middle of a million. By the
  label's time each is looked up in two tables, which takes five times as long, and labels whose last edits are among
  the same 1024 events are sorted.
- Statuses are read from labeling_samplestatus in the default order, so a rare one costs what a common one costs. In
  another order, and for UNLABELED in a label set that is not the ground truth, PostgreSQL chooses by its statistics
  whether it walks the order and asks each sample, or sorts those that fit.
- Metadata is found by an index (GIN); a part of a name by walking the order until the page is full.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from django.db import connection

from labeling.errors import InvalidValue
from labeling.models import Label, Sample
from labeling.queries.datasets import sample_counts

JSON = dict[str, Any]

#: The status of a sample that has no label.
NONE = ""
#: What the rows of an order are sorted by; offsets and names are unique among the live samples of a dataset.
KEYS = {
    "created_at": ("created_offset",),
    "name": ("name",),
    "priority": ("priority", "created_offset"),
}
LABEL_UPDATED_AT = "gt_label__updated_at"
#: From this many rows on it pays to look from which end of the list a page is nearer.
FAR = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which samples, and in which order. `label_set` is the one that `statuses` are of; None: there is none such."""

    order: str = "created_at"  #: of KEYS, or LABEL_UPDATED_AT: by the ground-truth label; samples without one come last
    down: bool = False
    name_part: str = ""
    metadata: tuple[tuple[JSON, ...], ...] = ()  #: each holds one of the alternatives
    statuses: tuple[str, ...] = ()  #: as stored, see `statuses_stored`
    label_set: uuid.UUID | None = None
    ground_truth: uuid.UUID | None = None

    @property
    def is_all(self) -> bool:
        return not (self.name_part or self.metadata or self.statuses)

    @property
    def is_of_statuses(self) -> bool:
        """Whether all that matters are statuses that labeling_samplestatus has rows for."""
        kept = self.label_set == self.ground_truth or NONE not in self.statuses
        return bool(self.statuses and self.label_set and kept and not self.name_part and not self.metadata)


def statuses_stored(shown: Iterable[str]) -> tuple[str, ...]:
    """The statuses of labeling_samplestatus that are shown as these; none twice."""
    found = set(shown)
    return tuple(sorted(found | {NONE} if "UNLABELED" in found else found))


@dataclass(frozen=True, slots=True)
class _List:
    """The samples that fit, sorted by `keys` all in one direction.

    `id` of a row of `source` finds the row s where it is `column`. `from_s` says that the source has the rows s
    themselves. Each of `parts` is one more condition, and none fits a row that another fits.
    """

    source: str
    id: str
    column: str
    conditions: tuple[str, ...]
    parameters: JSON
    keys: tuple[str, ...]
    down: bool
    from_s: bool = True
    parts: tuple[str, ...] = ("true",)

    def where(self, *more: str) -> str:
        return " AND ".join((*self.conditions, *more))

    def order(self, *, reverse: bool = False) -> str:
        return _sorted(self.keys, down=self.down != reverse)


def _sorted(keys: Sequence[str], *, down: bool) -> str:
    return ", ".join(f"{key} {'DESC' if down else 'ASC'}" for key in keys)


def page_of_samples(
    dataset: uuid.UUID, wanted: Wanted, *, limit: int, skip: int = 0, after: uuid.UUID | None = None
) -> list[Sample]:
    """`limit` samples of a list, after its first `skip` ones, or after the sample `after`.

    `after` may have been deleted since it was seen, or no longer fit: what counts is its place. (By the label's time
    it has the place of today: whose label is changed meanwhile, moves.)

    Raises:
        InvalidValue: `after` is no sample of the dataset.
    """
    last = None if after is None else _seen(dataset, after)
    if wanted.statuses and wanted.label_set is None:
        # Nothing is labeled in a label set that does not exist.
        if NONE not in wanted.statuses:
            return []
        wanted = replace(wanted, statuses=())
    if wanted.order == LABEL_UPDATED_AT:
        return _by_label(dataset, wanted, limit=limit, skip=skip, last=last)
    if wanted.is_of_statuses and wanted.order == "created_at":
        found = _of_statuses(dataset, wanted)
    else:
        found = _of_samples(dataset, wanted)
    if last is not None:
        return _page(found, limit=limit, after=[getattr(last, key) for key in KEYS[wanted.order]])
    if wanted.is_all and skip and wanted.order == "created_at":
        return _by_counts(found, limit=limit, skip=skip)
    counted = wanted.is_all or not found.from_s
    return _page(found, limit=limit, skip=skip, total=_total(dataset, wanted) if counted and skip >= FAR else None)


def _seen(dataset: uuid.UUID, after: uuid.UUID) -> Sample:
    found = Sample.objects.filter(id=after, dataset_id=dataset).first()
    if found is None:
        raise InvalidValue("after", "must be the uuid of a sample of this dataset")
    return found


# --- lists ---------------------------------------------------------------------------------------------------------


def _of_samples(dataset: uuid.UUID, wanted: Wanted) -> _List:
    """The list, asked of the samples themselves."""
    conditions, parameters = _conditions(dataset, wanted)
    keys = tuple(f"s.{key}" for key in KEYS[wanted.order])
    # The index on names has no ids in it.
    unique = "name" if wanted.order == "name" else "id"
    return _List("labeling_sample s", f"s.{unique}", unique, conditions, parameters, keys, wanted.down)


def _conditions(dataset: uuid.UUID, wanted: Wanted) -> tuple[tuple[str, ...], JSON]:
    conditions = ["s.dataset_id = %(dataset)s", "NOT s.archived"]
    parameters: JSON = {"dataset": dataset}
    if wanted.name_part:
        conditions.append("s.name LIKE %(name_part)s")
        escaped = wanted.name_part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        parameters["name_part"] = f"%{escaped}%"
    if wanted.metadata:
        conditions.append("NOT s.metadata = '{}'")  # in these words the index on metadata leaves the others out
    for number, alternatives in enumerate(wanted.metadata):
        names = [f"metadata_{number}_{each}" for each in range(len(alternatives))]
        conditions.append("(" + " OR ".join(f"s.metadata @> %({name})s::jsonb" for name in names) + ")")
        parameters |= {name: orjson.dumps(item).decode() for name, item in zip(names, alternatives, strict=True)}
    if wanted.statuses:
        of_label_set = "SELECT FROM labeling_samplestatus t WHERE t.sample_id = s.id AND t.label_set_id = %(label_set)s"
        fits = f"EXISTS ({of_label_set} AND t.status = ANY(%(statuses)s))"
        if NONE in wanted.statuses and wanted.label_set != wanted.ground_truth:
            fits = f"({fits} OR NOT EXISTS ({of_label_set}))"
        conditions.append(fits)
        parameters |= {"label_set": wanted.label_set, "statuses": list(wanted.statuses)}
    return tuple(conditions), parameters


def _of_statuses(dataset: uuid.UUID, wanted: Wanted) -> _List:
    """The list by age, asked of labeling_samplestatus."""
    parameters: JSON = {f"status_{number}": status for number, status in enumerate(wanted.statuses)}
    return _List(
        "labeling_samplestatus p",
        "p.sample_id",
        "id",
        ("p.dataset_id = %(dataset)s", "p.label_set_id = %(label_set)s"),
        parameters | {"dataset": dataset, "label_set": wanted.label_set},
        ("p.created_offset",),
        wanted.down,
        from_s=False,
        # One by one they are read in order and merged; = ANY would sort all that fit.
        parts=tuple(f"p.status = %({name})s" for name in parameters),
    )


# --- pages ---------------------------------------------------------------------------------------------------------


def _page(
    found: _List, *, limit: int, skip: int = 0, after: Sequence[Any] | None = None, total: int | None = None
) -> list[Sample]:
    """The page after the row with the keys `after`, or after `skip` of `total` rows."""
    reverse = False
    if total is not None:
        limit = min(limit, total - skip)
        if limit <= 0:
            return []
        behind = total - skip - limit
        if behind < skip:
            reverse, skip = True, behind
    parameters = found.parameters | {"limit": limit, "skip": skip, "first": skip + limit}
    where = found.where()
    if after is not None:
        places = [f"after_{number}" for number in range(len(after))]
        parameters |= dict(zip(places, after, strict=True))
        sign = "<" if found.down else ">"
        where += f" AND ({', '.join(found.keys)}) {sign} ({', '.join(f'%({place})s' for place in places)})"
    order = found.order(reverse=reverse)
    limits = " LIMIT %(limit)s OFFSET %(skip)s"
    if found.from_s and not skip and not reverse:
        statement = f"SELECT s.* FROM {found.source} WHERE {where} ORDER BY {order}{limits}"
        return list(Sample.objects.raw(statement, parameters))
    # What lies in front of the page is read as ids alone.
    places = [f"key_{number}" for number in range(len(found.keys))]
    columns = ", ".join(f"{key} AS {place}" for key, place in zip(found.keys, places, strict=True))
    parts = [
        f"SELECT {found.id} AS found, {columns} FROM {found.source} WHERE {where} AND {part} ORDER BY {order}"
        for part in found.parts
    ]
    ids = parts[0]
    if len(parts) > 1:
        together = " UNION ALL ".join(f"({part} LIMIT %(first)s)" for part in parts)
        ids = f"SELECT * FROM ({together}) AS part ORDER BY {_sorted(places, down=found.down != reverse)}"
    return list(
        Sample.objects.raw(
            f"SELECT s.* FROM ({ids}{limits}) AS page JOIN labeling_sample s ON s.{found.column} = page.found"
            f" AND s.dataset_id = %(dataset)s AND NOT s.archived ORDER BY {_sorted(places, down=found.down)}",
            parameters,
        )
    )


def _by_counts(found: _List, *, limit: int, skip: int) -> list[Sample]:
    """A page of all samples by age: the counts say in which bucket of offsets it begins."""
    if found.down:
        direction, begins = "DESC", "s.created_offset < (SELECT (bucket + 1) << 10 FROM place)"
    else:
        direction, begins = "ASC", "s.created_offset >= (SELECT bucket << 10 FROM place)"
    return list(
        Sample.objects.raw(
            "WITH place AS (SELECT bucket, upto - count AS before FROM (SELECT bucket, count,"
            f" (sum(count) OVER (ORDER BY bucket {direction}))::bigint AS upto"
            " FROM labeling_samplecount WHERE dataset_id = %(dataset)s AND count > 0) AS c"
            " WHERE upto > %(skip)s ORDER BY upto LIMIT 1)"
            f" SELECT s.* FROM {found.source} WHERE {found.where(begins)} ORDER BY {found.order()}"
            " LIMIT %(limit)s OFFSET (SELECT %(skip)s - before FROM place)",
            found.parameters | {"limit": limit, "skip": skip},
        )
    )


def _by_label(dataset: uuid.UUID, wanted: Wanted, *, limit: int, skip: int, last: Sample | None) -> list[Sample]:
    """By the time of the ground-truth label: first those that have one, then the others by age, in either direction."""
    conditions, parameters = _conditions(dataset, wanted)
    parameters["ground_truth"] = wanted.ground_truth
    of_truth = ("l.dataset_id = %(dataset)s", "l.label_set_id = %(ground_truth)s", "NOT l.deleted")
    labeled = _List(
        "labeling_label l JOIN labeling_sample s ON s.id = l.sample_id",
        "s.id",
        "id",
        (*of_truth, *conditions),
        parameters,
        ("l.last_bucket", "l.last_offset"),  # the first has an index
        wanted.down,
    )
    rest = _without_label(dataset, wanted, conditions, parameters)
    if last is not None:
        assert wanted.ground_truth is not None  # every dataset has one
        label = Label.objects.filter(sample_id=last.id, label_set_id=wanted.ground_truth, deleted=False).first()
        if label is None:
            return _page(rest, limit=limit, after=[last.created_offset])
        page = _page(labeled, limit=limit, after=[label.last_bucket, label.last_offset])
        return page + (_page(rest, limit=limit - len(page)) if len(page) < limit else [])
    alike = wanted.is_all or (wanted.is_of_statuses and wanted.label_set == wanted.ground_truth)
    count = _count(dataset, wanted, labeled) if skip or alike else None
    total = count if alike and skip >= FAR else None
    # Where nobody fits it is known at once; to find out would take a walk over all labels.
    page = [] if count is not None and skip >= count else _page(labeled, limit=limit, skip=skip, total=total)
    if len(page) < limit:
        skip = max(0, skip - (count or 0))
        total = _sum("status = ''", dataset=dataset, label_set=wanted.ground_truth) if alike and skip >= FAR else None
        page += _page(rest, limit=limit - len(page), skip=skip, total=total)
    return page


def _without_label(dataset: uuid.UUID, wanted: Wanted, conditions: tuple[str, ...], parameters: JSON) -> _List:
    if wanted.is_all:
        without = Wanted(statuses=(NONE,), label_set=wanted.ground_truth, ground_truth=wanted.ground_truth)
        return _of_statuses(dataset, without)
    lacking = (
        "EXISTS (SELECT FROM labeling_samplestatus u WHERE u.sample_id = s.id AND u.label_set_id = %(ground_truth)s"
        " AND u.status = '')"
    )
    return _List(
        "labeling_sample s", "s.id", "id", (*conditions, lacking), parameters, ("s.created_offset",), down=False
    )


# --- counts --------------------------------------------------------------------------------------------------------


def _total(dataset: uuid.UUID, wanted: Wanted) -> int:
    """How many samples a list has that is of all, or of statuses alone."""
    if wanted.is_all:
        return sample_counts([dataset]).get(dataset, 0)
    return _sum(
        "status = ANY(%(statuses)s)", dataset=dataset, label_set=wanted.label_set, statuses=list(wanted.statuses)
    )


def _count(dataset: uuid.UUID, wanted: Wanted, labeled: _List) -> int:
    """How many samples of a list have a ground-truth label."""
    if wanted.is_all:
        return _sum("status <> ''", dataset=dataset, label_set=wanted.ground_truth)
    if wanted.is_of_statuses and wanted.label_set == wanted.ground_truth:
        return _total(dataset, replace(wanted, statuses=tuple(item for item in wanted.statuses if item != NONE)))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {labeled.source} WHERE {labeled.where()}", labeled.parameters)
        return int(cursor.fetchone()[0])


def _sum(condition: str, **parameters: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(count), 0)::bigint FROM labeling_statuscount"
            f" WHERE dataset_id = %(dataset)s AND label_set_id = %(label_set)s AND {condition}",
            parameters,
        )
        return int(cursor.fetchone()[0])
