"""Labels: the state of one, now or at an offset, in one statement."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from django.db import connection

from labeling import events as e
from labeling.errors import NotFound
from labeling.log import store, values
from labeling.log.planned import planned_cursor
from labeling.models import LabelSnapshot
from labeling.queries.datasets import JOIN_ROLE, ROLE
from labeling.queries.places import as_offset as as_offset
from labeling.rules import label_state, parts
from labeling.rules.label_ids import label_stream
from labeling.rules.label_state import LabelState
from labeling.rules.packing import unpacked

JSON = dict[str, Any]


@dataclass(slots=True)
class Found:
    """A label and what surrounds it: the dataset as the caller sees it, the head of its log, and people's names."""

    dataset: uuid.UUID
    owner: uuid.UUID
    task_type: str
    public: bool
    role: str | None
    head: int
    sample: uuid.UUID
    label_set: uuid.UUID
    label_set_name: str
    state: LabelState
    names: dict[uuid.UUID, str]
    accepted_edits: str | None = None  #: the dataset's setting accepted_label_edits
    dataset_version: int = 0


#: A label has a snapshot at every so many of its versions (labeling.projectors.snapshots).
EVERY = 200
#: What the header row gives to a state, in the order of the SELECT below.
HEADER = (
    "version", "status", "score", "scene", "classifications", "default_classification", "mask", "document", "last_id",
    "last_order", "created_by", "created_at", "updated_by", "updated_at", "reviewed_by", "reviewed_at", "last_offset",
)  # fmt: skip
STORED_JSON = {"scene", "classifications", "mask", "document"}

# The pieces of apps above: a text to decode for each of their tables, in the order of `parts.plugged`.
PIECES = """ARRAY[{}]::text[]"""
PIECES_OF = """(SELECT json_agg(json_build_array({columns}, p.data))::text
          FROM {table} p WHERE p.label_id = l.id{some})"""
#: What makes the annotations or pieces p of a label some of them.
SOME = " AND ({p}.uuid = ANY(%(uuids)s::uuid[]) OR {p}.{number} = ANY(%(ids)s::bigint[]))"


def _pieces(*, wanted: bool = True, some: bool = False) -> str:
    """The expression for the pieces of a label: none, all, or those of `uuids` and `ids`."""
    found = [
        PIECES_OF.format(
            table=kind.table,
            columns=", ".join(f"p.{name}" for name in kind.columns),
            some=SOME.format(p="p", number=kind.number) if some else "",
        )
        if wanted
        else "NULL"
        for kind in parts.plugged()
    ]
    return PIECES.format(", ".join(found))


# One statement, so that header, annotations and head are of one moment. json_agg hands over one text to decode.
FIND = f"""
SELECT d.id, d.owner_id, d.task_type, d.public, {ROLE}, h.head, ls.id,
       (SELECT username FROM labeling_person WHERE id = l.created_by),
       (SELECT username FROM labeling_person WHERE id = l.updated_by),
       (SELECT username FROM labeling_person WHERE id = l.reviewed_by),
       (SELECT json_agg(json_build_array(
           a.uuid, a.id, a.category_id, a."order", a.version, a.last_offset, a.data))::text
          FROM labeling_annotation a
         WHERE a.label_id = l.id{{some}}),
       {{pieces}},
       l.deleted, {", ".join(f"l.{name}" for name in HEADER)}, d.version, d.settings
  FROM labeling_sample s
  JOIN labeling_dataset d ON d.id = s.dataset_id AND NOT d.deleted
  JOIN log_head h ON h.log = d.id
  {JOIN_ROLE.format("%(person)s")}
  LEFT JOIN labeling_labelset ls ON ls.dataset_id = d.id AND ls.name = %(label_set)s AND NOT ls.archived
  LEFT JOIN labeling_label l ON l.sample_id = s.id AND l.label_set_id = ls.id
 WHERE s.id = %(sample)s AND NOT s.archived
"""


@cache
def _find(*, some: bool) -> str:
    """FIND for all annotations, or for some: two statements, because one plan for both would visit all each time."""
    return FIND.format(some=SOME.format(p="a", number="id") if some else "", pieces=_pieces(some=some))


def find_label(
    sample: uuid.UUID,
    label_set: str,
    *,
    person: uuid.UUID,
    uuids: list[str] | None = None,
    ids: list[int] | None = None,
) -> Found:
    """The label of a sample in a label set, as it is now; with all annotations, or only those of `uuids` and `ids`.

    Raises:
        NotFound: no such sample, or no such label set in its dataset. Whether `person` may see it is the caller's to
        check.
    """
    some = uuids is not None or ids is not None
    wanted: JSON = {"uuids": uuids or [], "ids": ids or []} if some else {}
    # To plan this join takes four times as long as to run it.
    with planned_cursor() as cursor:
        cursor.execute(_find(some=some), wanted | {"person": person, "label_set": label_set, "sample": sample})
        row = cursor.fetchone()
    if row is None:
        raise NotFound("The sample")
    dataset, owner, task_type, public, role, head, set_id = row[:7]
    if set_id is None:
        raise NotFound("The label set")
    names = {key: name for key, name in zip((row[23], row[25], row[27]), row[7:10], strict=True) if key}
    settings = values.load_stored(row[-1])
    state = _state(
        dataset,
        label_stream(sample, set_id),
        orjson.loads(row[10]) if row[10] else None,
        row[11],
        row[12],
        row[13:-2],
        complete=not some,
    )
    state.settings = settings
    return Found(
        dataset=dataset,
        owner=owner,
        task_type=task_type,
        public=public,
        role=role,
        head=head,
        sample=sample,
        label_set=set_id,
        label_set_name=label_set,
        state=state,
        names=names,
        accepted_edits=settings.get("accepted_label_edits"),
        dataset_version=row[-2],
    )


def _state(
    dataset: uuid.UUID,
    stream: str,
    annotations: list[Any] | None,
    pieces: list[str | None],
    deleted: bool | None,
    header: Any,
    *,
    complete: bool,
) -> LabelState:
    """The state of a label from its header row, and its annotations as FIND and PAGE have them."""
    if deleted is None:
        return LabelState(dataset=dataset, stream=stream, complete=complete)
    fields = dict(zip(HEADER, header, strict=True))
    for name in STORED_JSON:
        value = fields[name]
        # Most are empty, and a page has thousands.
        fields[name] = {} if value == "{}" else [] if value == "[]" else value and values.load_stored(value)
    state = LabelState(dataset=dataset, stream=stream, exists=not deleted, complete=complete, **fields)
    for key, number, category_id, order, version, last_offset, data in annotations or ():
        data["uuid"] = key
        data["id"] = number
        data["category_id"] = category_id
        data["order"] = order
        data["version"] = version
        data["last_offset"] = last_offset
        state.annotations[key] = data
    for kind, text in zip(parts.plugged(), pieces, strict=True):
        if text:
            items = (data | dict(zip(kind.columns, columns, strict=True)) for *columns, data in orjson.loads(text))
            state.parts[kind.table] = {item["uuid"]: item for item in items}
    return state


def label_at(dataset: uuid.UUID, stream: str, offset: int) -> LabelState:
    """The label as it was at an offset of its log."""
    base = label_before(dataset, stream, offset=offset)
    tail = store.read_stream(dataset, stream, after_version=base.version, up_to=offset)
    return label_state.fold(base, list(tail))


def label_at_version(dataset: uuid.UUID, stream: str, version: int) -> LabelState:
    """The label as it was at one of its versions; 0 is the label before its first event."""
    base = label_before(dataset, stream, version=version)
    tail = store.read_stream(dataset, stream, after_version=base.version, limit=version - base.version)
    return label_state.fold(base, list(tail))


def label_before(
    dataset: uuid.UUID, stream: str, *, version: int | None = None, offset: int | None = None
) -> LabelState:
    """The last snapshot of a label up to a version or an offset; where there is none, before its first event."""
    if min(each for each in (version, offset, EVERY) if each is not None) < EVERY:
        return LabelState(dataset, stream)  # there can be none yet, so nobody is asked
    rows = LabelSnapshot.objects.filter(stream=stream, dataset_id=dataset)
    if version is not None:
        rows = rows.filter(version__lte=version)
    if offset is not None:
        rows = rows.filter(last_offset__lte=offset)
    text = rows.order_by("-version").values_list("state", flat=True).first()
    return LabelState(dataset, stream) if text is None else unpacked(dataset, stream, text)


def newest_snapshots(dataset: uuid.UUID, streams: Sequence[str], offset: int) -> dict[str, int]:
    """{stream: version of its last snapshot up to an offset} of the labels that have one."""
    if offset < EVERY:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT stream, max(version) FROM labeling_labelsnapshot"
            " WHERE stream = ANY(ARRAY(SELECT jsonb_array_elements_text(%s::jsonb)))"
            " AND dataset_id = %s AND last_offset <= %s GROUP BY stream",
            [orjson.dumps(streams).decode(), dataset, offset],
        )
        return dict(cursor.fetchall())


def used_before(dataset: uuid.UUID, stream: str, uuids: set[str]) -> set[str]:
    """Those of `uuids` that an annotation of the label ever had, also one that is gone."""
    found = store.naming(dataset, stream, ["AnnotationAdded", "AnnotationRemoved"], "annotation", sorted(uuids))
    if found == uuids or not store.read(dataset, stream=stream, types=["LabelDeleted"], limit=1):
        return found
    # What was imported and went with its label is named inside of the import alone.
    imports = (event.fact for event in store.read_stream(dataset, stream))
    named = {item["annotation"] for fact in imports if isinstance(fact, e.LabelImported) for item in fact.annotations}
    return found | (named & uuids)


def attributes_of(sample: uuid.UUID) -> tuple[JSON, int]:
    """The attributes of the sample that a label belongs to, and its version."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT attributes, version FROM labeling_sample WHERE id = %s", [sample])
        row = cursor.fetchone()
    return (values.load_stored(row[0]), row[1]) if row else ({}, 0)


def names_of(people: set[uuid.UUID | None]) -> dict[uuid.UUID, str]:
    """{person: username} for those who still have an account."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, username FROM labeling_person WHERE id = ANY(%s)", [[p for p in people if p]])
        return dict(cursor.fetchall())


# One statement for a page of samples: headers, and where wanted the annotations as one text a label. Names are asked
# for once afterwards: mostly a few people made all labels of a page.
PAGE = f"""
SELECT l.sample_id, CASE WHEN %s THEN
       (SELECT json_agg(json_build_array(
           a.uuid, a.id, a.category_id, a."order", a.version, a.last_offset, a.data))::text
          FROM labeling_annotation a WHERE a.label_id = l.id) END,
       {{pieces}},
       l.deleted, {", ".join(f"l.{name}" for name in HEADER)}
  FROM labeling_label l WHERE l.sample_id = ANY(%s) AND l.label_set_id = %s AND NOT l.deleted
"""


def labels_of_samples(
    samples: list[uuid.UUID],
    label_set: uuid.UUID,
    label_set_name: str,
    *,
    dataset: uuid.UUID,
    task_type: str,
    full: bool,
    named: bool = True,
) -> dict[uuid.UUID, Found]:
    """{sample: its label in the label set} for those that have one; without annotations unless `full`, and without the
    names of people unless `named`."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(PAGE.format(pieces=_pieces(wanted=full)), [full, samples, label_set])
        rows = cursor.fetchall()
    annotations = orjson.loads(f"[{','.join(row[1] or 'null' for row in rows)}]")  # one text, because calls cost
    names: dict[uuid.UUID, str] = {}
    for row, own in zip(rows, annotations, strict=True):
        found[row[0]] = Found(
            dataset=dataset,
            owner=dataset,
            task_type=task_type,
            public=False,
            role=None,
            head=0,
            sample=row[0],
            label_set=label_set,
            label_set_name=label_set_name,
            state=_state(dataset, label_stream(row[0], label_set), own, row[2], row[3], row[4:], complete=full),
            names=names,
        )
    states = [item.state for item in found.values() if named]
    names |= names_of(
        {person for state in states for person in (state.created_by, state.updated_by, state.reviewed_by)}
    )
    return found


def bounded_by_bytes(samples: list[uuid.UUID], label_set: uuid.UUID, *, most_bytes: int) -> Iterator[list[uuid.UUID]]:
    """The samples that have a label in a label set, in groups whose stored labels are at most this large, or one."""
    tables = ["labeling_annotation", *(kind.table for kind in parts.plugged())]
    sizes_of = "".join(
        f" + coalesce((SELECT sum(pg_column_size(a.data)) FROM {table} a WHERE a.label_id = l.id), 0)"
        for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT l.sample_id, coalesce(pg_column_size(l.document), 0){sizes_of}"
            " FROM labeling_label l WHERE l.sample_id = ANY(%s) AND l.label_set_id = %s AND NOT l.deleted",
            [samples, label_set],
        )
        sizes = dict(cursor.fetchall())
    group: list[uuid.UUID] = []
    size = 0
    for sample in samples:
        if sample not in sizes:
            continue
        if group and size + sizes[sample] > most_bytes:
            yield group
            group, size = [], 0
        group.append(sample)
        size += sizes[sample]
    if group:
        yield group
