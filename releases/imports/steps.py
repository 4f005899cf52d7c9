"""The steps of an import: its categories, then each chunk. Each is one append, and done once however often it is tried.

A step is a command whose id follows from the import's, and a chunk's from its first piece. Before it does anything it
looks whether it was done, and takes what it gave then, also where it ended: so it goes on behind a kill, and behind
somebody who was faster. A dry run computes the same and appends nothing.

A chunk may be decided on while the one before it is still being stored. What it was decided on is then told apart by
versions: where somebody, or that chunk, has changed a label since, or made a sample of a name, it is decided on again.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import replace
from functools import partial
from typing import Any

from labeling import events as e
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import NotFound
from labeling.log import store
from labeling.log.event import Fact, Intent
from labeling.log.rows import Rows
from labeling.models import LabelSet, SampleCount
from labeling.queries import datasets
from labeling.queries.datasets import Seen
from labeling.rules import access, dataset_state
from labeling.rules.dataset_state import STREAM
from releases.formats.files import Source
from releases.formats.records import Dataset
from releases.imports import categories
from releases.imports.alone import Alone
from releases.imports.bringing import Origin
from releases.imports.cutting import Chunk
from releases.imports.done import Done, done_of
from releases.imports.heads import Heads
from releases.imports.plans import Plan
from releases.imports.samples import Pictures
from releases.imports.wish import Wish

JSON = dict[str, Any]


#: How often is looked what the person may do, and what the dataset asks for, in seconds.
LOOK_EVERY_S = 0.25


class CategoriesRefused(Exception):
    """The file has categories that the dataset does not have, and they were to be refused."""


class Overtaken(Exception):
    """Somebody else does the same import; what is to be done next is to be asked anew."""


class Steps:
    """One import at work. `intent` says who asked for it, `again` whether somebody was at it before."""

    def __init__(
        self, import_id: uuid.UUID, dataset: uuid.UUID, wish: Wish, intent: Intent, source: JSON, *, again: bool = True
    ) -> None:
        self.id, self.dataset, self.wish, self.again = import_id, dataset, wish, again
        self._intent = replace(intent, author_kind="import", correlation=import_id)
        self.origin = Origin(import_id, source["sha256"], wish.format)
        self.categories: dict[int, int] = {}
        self.unmatched: frozenset[int] = frozenset()
        self.begun: dict[str, str] = {}
        self.pictures: Pictures | None = None
        self.alone: Alone | None = None
        self.heads: Heads | None = None
        self._seen: tuple[Seen, LabelSet] | None = None
        self._looked_at_s = 0.0

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
        self._seen, self._looked_at_s = (seen, label_set), time.monotonic()
        return seen, label_set

    def _seen_lately(self) -> tuple[Seen, LabelSet]:
        """As `seen`, or as they were a moment ago; what a chunk is decided on is as old until it is stored."""
        if self._seen is not None and time.monotonic() - self._looked_at_s < LOOK_EVERY_S:
            return self._seen
        return self.seen()

    def open(self, source: Source) -> None:
        """Where the pictures of new samples are."""
        self.pictures = Pictures(source, owner=self.person, store=not self.wish.dry_run)

    # --- categories --------------------------------------------------------------------------------------------

    def bring_categories(self, file: Dataset) -> Done:
        """Find the file's categories in the dataset; add or refuse the others.

        Raises:
            CategoriesRefused: there are others, and they are refused.
        """
        done = decide(partial(self._bring_categories, file, self.own("categories")))
        self.categories = dict(done.categories)  # type: ignore[arg-type]
        self.unmatched = frozenset(category.id for category in file.categories if category.id not in self.categories)
        return done

    def _bring_categories(self, file: Dataset, own: Intent) -> Done:
        replay = None if self.wish.dry_run else earlier(self.dataset, own)
        if replay is not None:
            return done_of(replay.answer or {})
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

    def look_around(self) -> None:
        """Learn whether there are samples that a record could be about."""
        if self.wish.dry_run:
            return
        head = self.seen()[0].head  # asked for first: whoever brings a sample now is found out by it
        self.heads = Heads(head)
        if not self.again and not SampleCount.objects.filter(dataset_id=self.dataset, count__gt=0).exists():
            self.alone = Alone(head)

    def know(self, appended: store.Appended | None) -> None:
        """Learn where in the log a chunk is that was decided on; None where it was there before."""
        if self.heads is not None:
            self.heads.ended(None if appended is None else appended.last_offset)
        if self.alone is not None and appended is not None and appended.first_offset is not None:
            self.alone.appended(appended.first_offset, appended.last_offset)

    # --- chunks ------------------------------------------------------------------------------------------------

    def was_begun_by_another_version(self) -> bool:
        """Whether chunks of this import were named otherwise, so that what they brought cannot be told."""
        return any(earlier(self.dataset, self.own(name)) is not None for name in ("chunk 0", "piece 0"))

    def done_before(self, first: int) -> Done | None:
        """What the chunk that begins with this piece did, where it is done."""
        replay = None if self.wish.dry_run else earlier(self.dataset, self._own_of(first))
        if replay is None:
            return None
        done = done_of(replay.answer or {})
        self.begun |= done.begun
        return done

    def decided(self, chunk: Chunk, *, again: bool = False) -> Plan:
        """What the chunk does to the dataset as it is now; `again` where what was decided is out of date.

        Raises:
            NotFound, NotPermitted: as `seen`.
        """
        plan = Plan(self, self._own_of(chunk.first), *(self.seen() if again else self._seen_lately()), chunk)
        plan.make(heads=None if again else self.heads)
        self.begun |= plan.done.begun
        return plan

    def bring(self, plan: Plan, turns: store.Turns) -> Done:
        """Do what was decided on, or what has to be done in its place by now; `turns` as store.append has them.

        Raises:
            Overtaken: somebody else is at this import, and has parted it otherwise.
        """
        waiting = [plan]

        def attempt() -> Done:
            if not waiting:
                done = self.done_before(plan.chunk.first)
                if done is not None:
                    if done.until != plan.chunk.until:
                        raise Overtaken
                    return done
                waiting.append(self.decided(plan.chunk, again=True))
            found = waiting.pop()
            if not self.wish.dry_run:
                found.append(turns)
            return found.done

        return decide(attempt)

    def _own_of(self, first: int) -> Intent:
        return self.own(f"from {first}")
