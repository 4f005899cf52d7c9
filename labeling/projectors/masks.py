"""The masks of labels: of every label that changed, the pictures that look different now are drawn and stored.

The rows are those of the state at the checkpoint, whatever way led there: of the label, of the sample's picture, and of
the categories as they were when the label last changed. When categories change alone nothing is drawn, because that
would be every label of the dataset at once; a reader gets masks with the categories of now in any case, made when asked
for. So it is with the frames of a sequence that has many: its label has a row, its frames have none.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from django.db import connection

from labeling import events as e
from labeling import mask_files, pictures
from labeling.errors import NoMask
from labeling.log.event import Event
from labeling.models import Dataset, Label, LabelMasks, Mask, Sample
from labeling.queries import labels as label_queries
from labeling.queries import samples as sample_queries
from labeling.queries.palettes import palette_at
from labeling.rules import label_state
from labeling.rules.label_ids import label_id, label_stream
from labeling.rules.label_state import LabelState
from labeling.rules.masks import KINDS, Masks
from labeling.rules.task_types import task_type

JSON = dict[str, Any]

#: Of a longer sequence, or one with more pixels, no frame is made before it is asked for.
MOST_PICTURES = 300
MOST_PIXELS = 1 << 29
#: So many pictures are in memory at a time.
AT_ONCE = 16
#: Labels whose states are kept from page to page.
MOST_KNOWN = 256


# Written by hand, because the ORM takes longer to make these two statements than the database to run them.
PUT_LABEL = """
INSERT INTO labeling_labelmasks
    (id, dataset_id, last_offset, sample_id, version, categories_offset, pictures, made)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET last_offset = excluded.last_offset, version = excluded.version,
    categories_offset = excluded.categories_offset, pictures = excluded.pictures, made = excluded.made
"""
PUT_MASK = """
INSERT INTO labeling_mask
    (id, dataset_id, label_id, picture, width, height, content, keys, segments, problem)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s)
ON CONFLICT (id) DO UPDATE SET width = excluded.width, height = excluded.height, content = excluded.content,
    keys = excluded.keys, segments = excluded.segments, problem = excluded.problem
"""


class Wanted(NamedTuple):
    """A label and what its masks are made of."""

    state: LabelState
    attributes: JSON
    dataset: Dataset


class LabelMaskRows:
    """The masks of every picture of every label."""

    name = "masks"
    tables = {"labeling_labelmasks": "dataset_id", "labeling_mask": "dataset_id"}
    most_streams = 8

    def __init__(self) -> None:
        #: The states of labels that were folded last, by log and stream; events never change, so they stay right.
        self._known: OrderedDict[tuple[uuid.UUID, str], LabelState] = OrderedDict()

    def project(self, log: uuid.UUID, events: Sequence[Event]) -> None:
        """Draw what a page of events changed."""
        up_to = events[-1].offset
        assert up_to is not None
        dataset = Dataset.objects.filter(id=log).first()
        if dataset is None:
            return
        touched = sorted(self._touched(log, events))
        ids = {label_id(stream): stream for stream in touched}
        newest = Label.objects.filter(id__in=list(ids)).values_list("id", "last_offset")
        ahead = {ids[label] for label, last_offset in newest if last_offset > up_to}
        own: dict[str, list[Event]] = {}
        for event in events:
            own.setdefault(event.stream, []).append(event)
        for stream in touched:
            # Where the label is past this page, its rows cannot say what it was: its events do.
            state = self._folded(log, stream, own.get(stream, []), up_to) if stream in ahead else None
            self._draw(dataset, stream, up_to, state)

    def _folded(self, log: uuid.UUID, stream: str, events: list[Event], up_to: int) -> LabelState:
        """The label at an offset; where the last page left it just in front of these events, nothing else is read."""
        known = self._known.pop((log, stream), None)
        if known is not None and events and known.version == events[0].version - 1:
            state = label_state.fold(known, events)
        else:
            state = label_queries.label_at(log, stream, up_to)
        self._known[log, stream] = state
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return state

    def before_rebuild(self, log: uuid.UUID) -> None:
        """Have files that are lost or damaged made anew."""
        mask_files.forget_broken(log)

    def _touched(self, log: uuid.UUID, events: Sequence[Event]) -> set[str]:
        """The streams of the labels that a page is about, or whose picture it is about."""
        found = {event.stream for event in events if event.stream.startswith("label/")}
        samples: set[str] = set()
        tokens: list[str] = []
        for event in events:
            match event.fact:
                case e.AssetAdded(token=token):
                    tokens.append(token)
                case e.SamplePrioritySet() | e.SampleAssigned():
                    pass
                case _ if event.stream.startswith("sample/"):  # its pictures may be others now
                    samples.add(event.stream.partition("/")[2])
        if tokens:
            samples |= self._waiting_for(log, tokens)
        if samples:
            rows = Label.objects.filter(sample_id__in=samples).values_list("sample_id", "label_set_id")
            found |= {label_stream(sample, label_set) for sample, label_set in rows}
        return found

    def _waiting_for(self, log: uuid.UUID, tokens: list[str]) -> set[str]:
        """The samples whose labels have no masks because a file was not known, of which one is known now."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT s.id::text FROM labeling_mask m JOIN labeling_labelmasks l ON l.id = m.label_id"
                " JOIN labeling_sample s ON s.id = l.sample_id"
                " WHERE m.dataset_id = %s AND m.problem <> '' AND s.attributes::text LIKE ANY(%s)",
                [log, [f"%/{token.replace('_', chr(92) + '_')}/%" for token in tokens]],
            )
            return {row[0] for row in cursor.fetchall()}

    # --- one label ------------------------------------------------------------------------------------------------

    def _draw(self, dataset: Dataset, stream: str, up_to: int, state: LabelState | None) -> None:
        label = label_id(stream)
        wanted = wanted_at(dataset, stream, up_to, state)
        task = task_type(dataset.task_type)
        count = task.picture_count(wanted.state) if wanted is not None else None
        if wanted is None or count is None:
            LabelMasks.objects.filter(id=label).delete()
            Mask.objects.filter(label_id=label).delete()
            return
        state = wanted.state
        categories, palette = palette_at(dataset.id, state.last_offset, version=dataset.version)
        before = dict(Mask.objects.filter(label_id=label).values_list("picture", "content"))
        known = pictures.pinned(dataset.id, up_to)
        made = 0
        if count <= MOST_PICTURES:
            pixels = 0
            for first in range(0, count, AT_ONCE):
                found = pictures.masks_of(state, task, wanted.attributes, palette, first, first + AT_ONCE, known=known)
                pixels += sum(item.height * item.width for item in found if isinstance(item, Masks))
                if pixels > MOST_PIXELS and count > 1:
                    break
                self._store(dataset.id, label, first, found, before)
                made += len(found)
            else:
                made = count
            if made < count:
                made = 0
        if any(number >= made for number in before):
            Mask.objects.filter(label_id=label, picture__gte=made).delete()
        head: list[Any] = [label, dataset.id, state.last_offset, state.sample, state.version, categories, count, made]
        with connection.cursor() as cursor:
            cursor.execute(PUT_LABEL, head)

    def _store(
        self, dataset: uuid.UUID, label: uuid.UUID, first: int, found: list[Masks | NoMask], before: dict[int, str]
    ) -> None:
        """Write the rows, and in front of them the files, of those pictures that look different from before."""
        changed = [
            (number, masks) for number, masks in enumerate(found, first) if before.get(number) != content_of(masks)
        ]
        new = [row_of(dataset, label, number, masks) for number, masks in changed]
        for row, (_, masks) in zip(new, changed, strict=True):
            if isinstance(masks, Masks) and not row.problem:
                mask_files.keep(
                    dataset, {row.keys[kind]: partial(masks.file, kind) for kind in KINDS if row.keys[kind]}
                )
        with connection.cursor() as cursor:
            for row in new:
                cursor.execute(
                    PUT_MASK,
                    [row.id, row.dataset_id, row.label_id, row.picture, row.width, row.height, row.content,
                     orjson.dumps(row.keys).decode(), orjson.dumps(row.segments).decode(), row.problem],
                )  # fmt: skip


def content_of(masks: Masks | NoMask) -> str:
    """What a row's `content` is: of a picture without masks, the hash of why."""
    return masks.content if isinstance(masks, Masks) else hashlib.sha256(masks.message.encode()).hexdigest()


def row_of(dataset: uuid.UUID, label: uuid.UUID, picture: int, masks: Masks | NoMask) -> Mask:
    """The row of one picture."""
    row = Mask(
        id=uuid.uuid5(label, f"mask/{picture}"),
        dataset_id=dataset,
        label_id=label,
        picture=picture,
        width=0,
        height=0,
        content=content_of(masks),
        keys={},
        segments=[],
        problem="",
    )
    try:
        if isinstance(masks, NoMask):
            raise masks
        row.width, row.height = masks.width, masks.height
        row.segments, row.keys = masks.segments, masks.keys()
    except NoMask as error:
        row.problem = error.message
    return row


def wanted_at(dataset: Dataset, stream: str, up_to: int, state: LabelState | None = None) -> Wanted | None:
    """A label as it was at an offset, with its sample's attributes then; None where it was not there. `state` is the
    label then, where somebody knows it.

    The rows of now are those of then where nothing happened since, and then they cost less.
    """
    _, sample, label_set = stream.split("/")
    sample_id, label_set_id = uuid.UUID(sample), uuid.UUID(label_set)
    if state is None:
        state = _state_at(dataset, stream, sample_id, label_set_id, up_to)
    if not state.exists:
        return None
    row = Sample.objects.filter(id=sample_id).first()
    if row is not None and row.last_offset <= up_to:
        return Wanted(state, row.attributes, dataset)
    return Wanted(state, sample_queries.sample_at(dataset.id, sample_id, up_to).attributes, dataset)


def _state_at(dataset: Dataset, stream: str, sample_id: uuid.UUID, label_set_id: uuid.UUID, up_to: int) -> LabelState:
    live = label_queries.labels_of_samples(
        [sample_id], label_set_id, "", dataset=dataset.id, task_type=dataset.task_type, full=True, named=False
    ).get(sample_id)
    if live is not None and live.state.last_offset <= up_to:
        return live.state
    return label_queries.label_at(dataset.id, stream, up_to)
