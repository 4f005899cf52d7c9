"""What one chunk does to the dataset as it is: decided upon, made into events and rows, and appended."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import IntegrityError

from labeling import events as e
from labeling.commands import assets
from labeling.commands.safeguards import check_review
from labeling.errors import InvalidValue, NotFound, ReasonRequired, Refused
from labeling.log import store
from labeling.log.event import Event, Fact, Intent
from labeling.log.rows import Rows
from labeling.models import LabelSet
from labeling.pictures import wh_of
from labeling.queries import bulk, datasets, labels
from labeling.queries.datasets import Seen
from labeling.rules import access, bulk_rows, label_state, sample_state
from labeling.rules.edits.placement import Demands
from labeling.rules.fold import place_of
from labeling.rules.label_ids import label_stream
from labeling.rules.label_state import LabelState
from labeling.rules.reasons import require_reason
from labeling.rules.sample_state import SampleState, asset_rows, sample_stream
from labeling.rules.task_types import HoldsDocuments, TaskType, task_type
from releases.formats.records import Sample
from releases.imports import samples
from releases.imports.bringing import Bringing
from releases.imports.cutting import Chunk, Piece
from releases.imports.done import Done
from releases.imports.heads import Heads
from releases.imports.labels import facts_of, more_of
from releases.imports.painting import pixels
from releases.imports.safeguards import reviews_are_guarded
from releases.imports.samples import NO_ID, There
from releases.reading import bitmaps_of, size_of_file

if TYPE_CHECKING:
    from releases.imports.steps import Steps

JSON = dict[str, Any]

#: The attributes of a sample whose picture nobody has.
_NO_FILE: JSON = {"image": {"url": ""}}

#: Told of every append: how many events it stored, and for how many milliseconds the log was held for it.
observers: list[Callable[[int, float], None]] = []


class Plan:
    """What one chunk does to the dataset as it is now."""

    def __init__(self, steps: Steps, own: Intent, seen: Seen, label_set: LabelSet, chunk: Chunk) -> None:
        self.steps, self.seen, self.label_set, self.chunk = steps, seen, label_set, chunk
        self._own, self._label_set = own, str(label_set.id)
        self.task: TaskType = task_type(seen.dataset.task_type)
        self.done = Done(until=chunk.until)
        self._files = assets.MaskFiles(steps.person)
        self._holds = self.task if isinstance(self.task, HoldsDocuments) else None
        self._triples: list[tuple[str, int, Fact]] = []
        self._states: dict[str, LabelState] = {}
        self._tokens: set[str] = set()
        self._events: list[Event] = []
        self._rows = Rows()
        self._ratios = datasets.box_ratios(seen.id, seen.dataset.version)
        self._inside = seen.dataset.settings.get("labels_outside_image") == "refuse"
        self._guarded = reviews_are_guarded(seen.dataset.settings)

    def make(self, *, heads: Heads | None = None) -> None:
        """Decide upon the facts, and make the events and rows of them; `heads` guesses where they come."""
        needs_all = self.task.by_frame or self.task.has_mask or self._inside
        pieces = [(piece.number, piece.record) for piece in self.chunk.pieces]
        alone = self.steps.alone
        is_new = alone is not None and alone.has_none_of(self.chunk.stems)
        there = {} if is_new else samples.found_in(self.seen.id, pieces, full=needs_all)
        if alone is not None:
            alone.brought(self.chunk.stems)
        states = self._loaded(there)
        if self.steps.pictures is not None and self.steps.wish.samples == "add":
            new = (piece for piece in self.chunk.pieces if piece.number not in there and piece.first == 1)
            self.steps.pictures.keep(piece.record for piece in new)
        for piece in self.chunk.pieces:
            self._take(piece, there.get(piece.number), states)
        if not self.steps.wish.dry_run:
            self._pack(heads)

    def _pack(self, heads: Heads | None) -> None:
        dataset, rows = self.seen.id, self._rows
        triples = [*assets.pin_assets(dataset, self._tokens), *self._triples]
        self._events = store.new_events(dataset, self._own, triples)
        streams: dict[str, list[Event]] = {}
        for event in self._events:
            streams.setdefault(event.stream, []).append(event)
        is_bulk = store.is_bulk(len(self._events), sum(map(_least_rows, self._events)), by_turns=True)
        last = None if heads is None else heads.guessed(len(self._events))
        # Labels in front of their samples, whose statuses are then counted once.
        for stream, state in self._states.items():
            those = streams.pop(stream)
            if is_bulk and bulk_rows.takes_label(state, those):
                bulk_rows.add_label(rows, those[0], last=last)
            else:
                rows.add(_changed_label(state, those))
        for stream, those in streams.items():
            if stream.startswith("asset/"):
                rows.add(asset_rows(those))
            elif is_bulk and bulk_rows.takes_sample(those):
                bulk_rows.add_sample(rows, those[0])
            else:
                rows.add(_new_sample(dataset, stream, those))

    def _loaded(self, there: dict[int, There]) -> dict[uuid.UUID, LabelState]:
        """The labels of the samples that are there; whole, where they may change."""
        ids = [found.id for found in there.values()]
        if not ids:
            return {}
        states = bulk.headers_of(self.seen.id, self.label_set.id, ids)
        begun = {found.id for number, found in there.items() if str(number) in self.steps.begun}
        wanted = [
            key for key, state in states.items() if state.exists and (self.steps.wish.mode != "keep" or key in begun)
        ]
        whole = labels.labels_of_samples(
            wanted,
            self.label_set.id,
            self.label_set.name,
            dataset=self.seen.id,
            task_type=self.seen.dataset.task_type,
            full=True,
            named=False,
        )
        found = {key: item.state for key, item in whole.items()}
        for key, state in states.items():
            state = found.get(key, state)
            state.settings = self.seen.dataset.settings
            if not state.exists:
                state.complete = True
            found[key] = state
        return found

    def _take(self, piece: Piece, there: There | None, states: dict[uuid.UUID, LabelState]) -> None:
        record, counts = piece.record, self.done.counts
        bringing = self._bringing(piece)
        is_first = piece.first == 1
        begun = "" if is_first else self.steps.begun.get(str(piece.number), "")
        if not is_first and begun != "begun":
            return
        if there is None and begun and self.steps.wish.dry_run:
            there = There(NO_ID, {}, {})
        if there is None:
            there = self._made(piece, bringing) if is_first else None
            if there is None:
                return
        elif is_first:
            counts.samples_matched += 1
        state = states.get(there.id)
        if state is None:
            state = LabelState(self.seen.id, label_stream(there.made or there.id, self._label_set))
            state.settings = self.seen.dataset.settings
        bringing.sample = lambda: there.attributes
        if is_first and not piece.is_last:
            # What is compared with a label that is there, or painted, or linked, is taken whole.
            takes_all = state.exists or self.task.has_mask or any(item.links for item in piece.whole.annotations)
            record = piece.whole if takes_all else record
            self.done.begun[str(piece.number)] = "whole" if takes_all else "begun"
        record = self._sized(record, there)
        if not state.exists or self.steps.wish.mode != "keep":
            record = self._with_files(record, bringing)
        self._demand(bringing, record, there)
        facts = more_of(bringing, record, state) if begun else facts_of(bringing, record, state)
        facts = self._accepted(bringing, state, self._held(bringing, state, facts, there))
        if facts:
            self._states[state.stream] = state
            self._triples += [(state.stream, state.version, fact) for fact in facts]
            if bringing.urls or record.document is not None:
                self._tokens |= assets.tokens_in([bringing.urls, record.document])

    def _bringing(self, piece: Piece) -> Bringing:
        steps = self.steps
        return Bringing(
            kind=steps.wish.kind,
            task=self.task,
            origin=steps.origin,
            mode=steps.wish.mode,
            status=steps.wish.label_status,
            categories=steps.categories,
            unmatched=steps.unmatched,
            number=piece.number,
            ids=steps.origin.ids.of_record(piece.number),
            name=piece.record.name if len(piece.record.name) <= 100 else "",
            first=piece.first,
            is_small=piece.is_small,
            counts=self.done.counts,
            find=self.done.find,
            read=self._files.read if self.task.has_mask else None,
            keep=self._keep if self.task.has_mask else None,
        )

    def _keep(self, ids: Any) -> JSON:
        return self._files.keep(ids) if not self.steps.wish.dry_run else assets.mask_of("", ids)

    def _made(self, piece: Piece, bringing: Bringing) -> There | None:
        """A new sample for the record, where one may be made."""
        if self.steps.wish.samples != "add":
            bringing.wrong("is no sample of the dataset")
            self.done.counts.samples_missing += 1
            return None
        assert self.steps.pictures is not None
        fields = samples.new_sample(
            piece.record,
            self.steps.pictures,
            task_type=self.seen.dataset.task_type,
            tell=lambda message, level: bringing.wrong(message, level=level),
        )
        if fields is None:
            self.done.counts.samples_missing += 1
            return None
        key = self.steps.origin.ids.of_sample(piece.number)
        self._triples.append((sample_stream(key), 0, e.SampleAdded(sample=key, **fields)))
        if fields["attributes"] != _NO_FILE:
            self._tokens |= assets.tokens_in(fields["attributes"])
        self.done.counts.samples_added += 1
        return There(NO_ID, fields["attributes"], fields.get("metadata", {}), key)

    def _sized(self, record: Sample, there: There) -> Sample:
        """The record with the size of the sample's picture, where the file does not say it and it is needed."""
        if not self.task.has_mask or (record.width and record.height):
            return record
        image = there.attributes.get("image")
        size = size_of_file(str(image.get("url", ""))) if isinstance(image, dict) else None
        return record if size is None else replace(record, width=size[0], height=size[1])

    def _with_files(self, record: Sample, bringing: Bringing) -> Sample:
        """The record with the pixels of its objects, and with files of here, where it names their addresses."""
        pictures = self.steps.pictures
        assert pictures is not None
        if record.document is not None:
            return replace(record, document=pictures.of_here(record.document))
        if "mask" not in [item.form for item in record.annotations]:
            return record
        shapes = [item for item in record.annotations if item.form != "mask"]
        if not record.bitmap_url:
            bringing.wrong("has no bitmap, so its objects have no pixels and were left out")
            return replace(record, annotations=shapes)
        try:
            ids = pictures.pixels(record.bitmap_url)
        except InvalidValue as error:
            bringing.wrong(f"comes without the objects of its bitmap: {error.message}")
            return replace(record, annotations=shapes)
        found, nothing = bitmaps_of(ids), pixels(np.zeros(ids.shape, dtype=bool))
        annotations = [
            replace(item, geometry=found.get(item.id, nothing)) if item.form == "mask" else item
            for item in record.annotations
        ]
        return replace(record, width=ids.shape[1], height=ids.shape[0], annotations=annotations)

    def _demand(self, bringing: Bringing, record: Sample, there: There) -> None:
        """What the dataset asks of new shapes."""
        if not self._inside and not self._ratios:
            return

        def size_wh() -> tuple[int, int] | None:
            image = there.attributes.get("image")
            known = wh_of(image) if isinstance(image, dict) else None
            return known or ((record.width, record.height) if record.width and record.height else None)

        bringing.demands = Demands(inside=self._inside, size_wh=cache(size_wh), ratios=lambda: self._ratios)

    def _held(self, bringing: Bringing, state: LabelState, facts: list[Fact], there: There) -> list[Fact]:
        """The facts, unless the dataset refuses what they draw in a sequence."""
        if not facts or self._holds is None or not (self._inside or self._ratios):
            return facts
        try:
            self._holds.check_saved(
                state,
                facts,
                inside=self._inside,
                ratios=lambda: self._ratios,
                sample=lambda: there.attributes,
                size_of=wh_of,
            )
        except InvalidValue as error:
            bringing.wrong(f"was left as it was: {error.message}")
            return []
        return facts

    def _accepted(self, bringing: Bringing, state: LabelState, facts: list[Fact]) -> list[Fact]:
        """The facts, as they may be told of a label that was accepted, or is to be."""
        if not facts:
            return facts
        try:
            settings = self.seen.dataset.settings
            if state.status in access.ACCEPTED:  # perhaps since the import began
                require_reason(self._own, facts, settings=settings, status=state.status)
            if self._guarded:
                check_review(self._own, state, facts, settings=settings)
        except (ReasonRequired, Refused) as error:
            bringing.wrong(f"was left as it was: {error.message}")
            return []
        if not state.exists:
            return facts
        setting = self.seen.dataset.settings.get("accepted_label_edits")
        what = access.on_accepted(state.status, role=self.seen.role, setting=setting)
        if what == "refuse":
            bringing.wrong("is accepted, and labelers do not edit such a label here")
            return []
        if what == "reopen":
            return [e.LabelStatusChanged(before=state.status, after="LABELING_IN_PROGRESS", verb="reopen"), *facts]
        return facts

    # --- the append --------------------------------------------------------------------------------------------

    def append(self, turns: store.Turns) -> None:
        """Store the facts with the rows that they change; also none, so that the chunk is known to be done.

        `turns` are as store.append has them.
        """
        dataset = self.seen.id
        try:
            appended = store.append(
                dataset,
                intent=self._own,
                events=self._events,
                rows=self._rows,
                answer=self.done.as_json(),
                turns=turns,
            )
        except IntegrityError as error:
            if "sample_name_taken" not in str(error):
                raise
            raise store.Stale from error  # somebody made one of them just now; look again
        except LookupError as error:
            raise NotFound("The dataset") from error
        if appended.replayed:
            raise store.Stale  # a twin of this step was faster; the next turn answers from what it did
        self.done.appended = appended
        if appended.held_ms is not None:
            for observer in observers:
                observer(len(self._events), appended.held_ms)


def _least_rows(event: Event) -> int:
    """How many rows an event that makes something makes at the least."""
    match event.fact:
        case e.SampleAdded():
            return 1
        case e.LabelImported(annotations=objects):
            return 1 + len(objects)
    return 0


def _new_sample(dataset: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    state = SampleState(dataset, stream)
    for event in events:
        sample_state.evolve(state, event.fact, place_of(event))
    return sample_state.rows(state)


def _changed_label(state: LabelState, events: list[Event]) -> Rows:
    """The rows that change; of a label that is new nothing is copied, because there are most of those."""
    if state.version:
        return label_state.difference(state, label_state.fold(state, events))
    empty = LabelState(state.dataset, state.stream)
    for event in events:
        bulk_rows.read_geometries(event)
        label_state.evolve(state, event.fact, place_of(event))
    return label_state.difference(empty, state)
