"""The steps of an import: its categories, then each chunk. Each is one append, and done once however often it is tried.

A step is a command whose id follows from the import's. Before it does anything it looks whether it was done, and takes
what it gave then: so it goes on behind a kill, and behind somebody who was faster. A dry run computes the same and
appends nothing.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

from django.db import IntegrityError

from labeling import events as e
from labeling.commands import assets
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import InvalidValue, NotFound
from labeling.log import store
from labeling.log.event import Event, Fact, Intent
from labeling.log.rows import Rows
from labeling.models import LabelSet
from labeling.pictures import wh_of
from labeling.queries import bulk, datasets, labels
from labeling.queries.datasets import Seen
from labeling.rules import access, dataset_state, label_state, sample_state
from labeling.rules.dataset_state import STREAM
from labeling.rules.edits.placement import Demands
from labeling.rules.fold import place_of
from labeling.rules.label_state import LabelState, annotation_key, label_stream
from labeling.rules.sample_state import SampleState, asset_rows, sample_stream
from labeling.rules.task_types import HoldsDocuments, TaskType, task_type
from releases.formats.files import Source
from releases.formats.records import Dataset, Sample
from releases.imports import categories, samples
from releases.imports.bringing import Bringing, Origin
from releases.imports.counts import Counts
from releases.imports.cutting import Chunk, Piece
from releases.imports.labels import facts_of, more_of
from releases.imports.samples import Pictures, There
from releases.imports.wish import Wish
from releases.reading import size_of_file

JSON = dict[str, Any]


class CategoriesRefused(Exception):
    """The file has categories that the dataset does not have, and they were to be refused."""


@dataclass(slots=True)
class Done:
    """What a step did, as it is kept for the next who asks. `begun`: records whose labels it began, and how."""

    counts: Counts = field(default_factory=Counts)
    findings: list[list[str]] = field(default_factory=list)  #: [where, message, level]
    begun: dict[str, str] = field(default_factory=dict)
    categories: list[list[int]] = field(default_factory=list)

    def find(self, where: str, message: str, level: str) -> None:
        self.findings.append([where, message, level])

    def as_json(self) -> JSON:
        said: JSON = {"counts": self.counts.as_json(), "findings": self.findings}
        said |= {"begun": self.begun} if self.begun else {}
        return said | ({"categories": self.categories} if self.categories else {})


def _done(said: JSON) -> Done:
    counts = Counts()
    counts.add(said.get("counts", {}))
    return Done(counts, said.get("findings", []), said.get("begun", {}), said.get("categories", []))


class Steps:
    """One import at work. `intent` says who asked for it."""

    def __init__(self, import_id: uuid.UUID, dataset: uuid.UUID, wish: Wish, intent: Intent, source: JSON) -> None:
        self.id, self.dataset, self.wish = import_id, dataset, wish
        self._intent = replace(intent, author_kind="import", correlation=import_id)
        self._origin = Origin(import_id, source["sha256"], wish.format)
        self._categories: dict[int, int] = {}
        self._begun: dict[str, str] = {}
        self._pictures: Pictures | None = None

    @property
    def person(self) -> uuid.UUID:
        return self._intent.on_behalf_of or self._intent.author

    def own(self, name: str) -> Intent:
        """The intent of one step."""
        digest = hashlib.sha256(self.id.bytes + name.encode()).digest()
        return replace(self._intent, command=uuid.uuid5(self.id, name), request_hash=digest)

    def seen(self) -> tuple[Seen, LabelSet]:
        """The dataset and the label set as they are now; rights are today's, also in the middle of an import.

        Raises:
            NotFound, NotPermitted: they are gone, or the person may not (any more).
        """
        seen = datasets.dataset_by_id(self.dataset, person=self.person)
        for action in self.wish.actions:
            access.require(action, role=seen.role, public=seen.dataset.public, dataset=seen.id)
        label_set = LabelSet.objects.filter(dataset_id=self.dataset, name=self.wish.label_set, archived=False).first()
        if label_set is None:
            raise NotFound("The label set")
        return seen, label_set

    def open(self, source: Source) -> None:
        """Where the pictures of new samples are."""
        self._pictures = Pictures(source, owner=self.person, store=not self.wish.dry_run)

    # --- categories --------------------------------------------------------------------------------------------

    def bring_categories(self, file: Dataset) -> Done:
        """Find the file's categories in the dataset; add or refuse the others.

        Raises:
            CategoriesRefused: there are others, and they are refused.
        """
        done = decide(partial(self._bring_categories, file, self.own("categories")))
        self._categories = dict(done.categories)  # type: ignore[arg-type]
        return done

    def _bring_categories(self, file: Dataset, own: Intent) -> Done:
        replay = None if self.wish.dry_run else earlier(self.dataset, own)
        if replay is not None:
            return _done(replay.answer or {})
        self.seen()
        state = datasets.state_of(self.dataset)
        found, added = categories.matched(file, state.task_attributes, add=self.wish.categories == "add")
        unknown = len(file.categories) - len(found)
        if unknown and self.wish.categories == "refuse":
            raise CategoriesRefused(
                f"{unknown} of the file's {len(file.categories)} categories are none of the dataset; add them, or send"
                " `categories` add or skip."
            )
        done = Done(categories=sorted(map(list, found.items())))
        done.counts.categories_added = len(added)
        if self.wish.dry_run:
            return done
        facts: list[Fact] = [e.CategoryAdded(category=item) for item in added]
        events = store.new_events(self.dataset, own, [(STREAM, state.version, fact) for fact in facts])
        rows = dataset_state.difference(state, dataset_state.fold(state, events)) if events else Rows()
        # Without categories to add it is appended all the same: what was found stays what it was for the rest.
        appended = store.append(
            self.dataset,
            intent=own,
            events=events,
            rows=rows,
            expected={STREAM: state.version} if events else {},
            answer=done.as_json(),
        )
        if appended.replayed:
            raise store.Stale
        hint(self.dataset, appended)
        return done

    # --- chunks ------------------------------------------------------------------------------------------------

    def bring(self, chunk: Chunk) -> tuple[Done, bool]:
        """(what the chunk did, whether that was done before)."""
        done, replayed = decide(partial(self._bring, chunk, self.own(f"chunk {chunk.number}")))
        self._begun |= done.begun
        return done, replayed

    def _bring(self, chunk: Chunk, own: Intent) -> tuple[Done, bool]:
        replay = None if self.wish.dry_run else earlier(self.dataset, own)
        if replay is not None:
            return _done(replay.answer or {}), True
        plan = _Plan(self, *self.seen(), chunk)
        plan.make()
        if self.wish.dry_run:
            return plan.done, False
        plan.append(own)
        return plan.done, False


class _Plan:
    """What one chunk does to the dataset as it is now."""

    def __init__(self, steps: Steps, seen: Seen, label_set: LabelSet, chunk: Chunk) -> None:
        self.steps, self.seen, self.label_set, self.chunk = steps, seen, label_set, chunk
        self.task: TaskType = task_type(seen.dataset.task_type)
        self.done = Done()
        self._files = assets.MaskFiles(steps.person)
        self._holds = self.task if isinstance(self.task, HoldsDocuments) else None
        self._triples: list[tuple[str, int, Fact]] = []
        self._states: dict[str, LabelState] = {}
        self._tokens: set[str] = set()
        self._ratios = datasets.box_ratios(seen.id, seen.dataset.version)
        self._inside = seen.dataset.settings.get("labels_outside_image") == "refuse"

    def make(self) -> None:
        """Decide upon the facts."""
        needs_all = self.task.by_frame or self.task.has_mask or self._inside
        pieces = [(piece.number, piece.record) for piece in self.chunk.pieces]
        there = samples.found_in(self.seen.id, pieces, full=needs_all)
        states = self._loaded(there)
        for piece in self.chunk.pieces:
            self._take(piece, there.get(piece.number), states)

    def _loaded(self, there: dict[int, There]) -> dict[uuid.UUID, LabelState]:
        """The labels of the samples that are there; whole, where they may change."""
        ids = [found.id for found in there.values()]
        if not ids:
            return {}
        states = bulk.headers_of(self.seen.id, self.label_set.id, ids)
        begun = {found.id for number, found in there.items() if str(number) in self.steps._begun}
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
        begun = "" if is_first else self.steps._begun.get(str(piece.number), "")
        if not is_first and begun != "begun":
            return
        if there is None and begun and self.steps.wish.dry_run:
            there = There(uuid.UUID(int=0), {}, {})
        if there is None:
            there = self._made(piece, bringing) if is_first else None
            if there is None:
                return
        elif is_first:
            counts.samples_matched += 1
        state = states.get(there.id)
        if state is None:
            state = LabelState(self.seen.id, label_stream(there.id, self.label_set.id))
            state.settings = self.seen.dataset.settings
        bringing.sample = lambda: there.attributes
        if is_first and not piece.is_last:
            # What is compared with a label that is there, or painted, or linked, is taken whole.
            takes_all = state.exists or self.task.has_mask or any(item.links for item in piece.whole.annotations)
            record = piece.whole if takes_all else record
            self.done.begun[str(piece.number)] = "whole" if takes_all else "begun"
        record = self._sized(record, there)
        self._demand(bringing, record, there)
        facts = more_of(bringing, record, state) if begun else facts_of(bringing, record, state)
        facts = self._accepted(bringing, state, self._held(bringing, state, facts, there))
        if facts:
            self._states[state.stream] = state
            self._triples += [(state.stream, state.version, fact) for fact in facts]
            self._tokens |= assets.tokens_in(bringing.urls)

    def _bringing(self, piece: Piece) -> Bringing:
        steps = self.steps
        return Bringing(
            kind=steps.wish.kind,
            task=self.task,
            origin=steps._origin,
            mode=steps.wish.mode,
            status=steps.wish.label_status,
            categories=steps._categories,
            number=piece.number,
            name=piece.record.name if len(piece.record.name) <= 100 else "",
            first=piece.first,
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
        assert self.steps._pictures is not None
        fields = samples.new_sample(
            piece.record,
            self.steps._pictures,
            task_type=self.seen.dataset.task_type,
            tell=lambda message, level: bringing.wrong(message, level=level),
        )
        if fields is None:
            self.done.counts.samples_missing += 1
            return None
        key = uuid.UUID(annotation_key(self.steps.id, f"sample {piece.number}"))
        self._triples.append((sample_stream(key), 0, e.SampleAdded(sample=str(key), **fields)))
        self._tokens |= assets.tokens_in(fields["attributes"])
        self.done.counts.samples_added += 1
        return There(key, fields["attributes"], fields.get("metadata", {}))

    def _sized(self, record: Sample, there: There) -> Sample:
        """The record with the size of the sample's picture, where the file does not say it and it is needed."""
        if not self.task.has_mask or (record.width and record.height):
            return record
        image = there.attributes.get("image")
        size = size_of_file(str(image.get("url", ""))) if isinstance(image, dict) else None
        return record if size is None else replace(record, width=size[0], height=size[1])

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
        """The facts, as they may be told of a label that was accepted."""
        if not facts or not state.exists:
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

    def append(self, own: Intent) -> None:
        """Store the facts with the rows that they change; also none, so that the chunk is known to be done."""
        dataset = self.seen.id
        triples = [*assets.pin_assets(dataset, self._tokens), *self._triples]
        events = store.new_events(dataset, own, triples)
        streams: dict[str, list[Event]] = {}
        for event in events:
            streams.setdefault(event.stream, []).append(event)
        rows = Rows()
        for stream, those in streams.items():
            if stream.startswith("asset/"):
                rows.add(asset_rows(those))
            elif stream.startswith("sample/"):
                rows.add(_new_sample(dataset, stream, those))
            else:
                rows.add(_changed_label(self._states[stream], those))
        try:
            appended = store.append(dataset, intent=own, events=events, rows=rows, answer=self.done.as_json())
        except IntegrityError as error:
            if "sample_name_taken" not in str(error):
                raise
            raise store.Stale from error  # somebody made one of them just now; look again
        except LookupError as error:
            raise NotFound("The dataset") from error
        if appended.replayed:
            raise store.Stale  # a twin of this step was faster; the next turn answers from what it did
        hint(dataset, appended)


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
        label_state.evolve(state, event.fact, place_of(event))
    return label_state.difference(empty, state)
