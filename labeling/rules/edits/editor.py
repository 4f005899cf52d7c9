"""What applies a list of edits: a state and edits in, the facts of one atomic command out."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from labeling import events as e
from labeling.errors import AnnotationNotFound, InvalidValue, Refused
from labeling.geometry.shapes import MAX_BITMAP_PIXELS
from labeling.log.event import Fact
from labeling.rules import label_state
from labeling.rules.documents import checked_list, checked_object
from labeling.rules.edits.mentions import uuid_of
from labeling.rules.fold import NOW, Place
from labeling.rules.label_state import Annotation, LabelState

JSON = dict[str, Any]
#: What an edit does, and the fields that it takes.
Operation = tuple[Callable[[Any, JSON, str], JSON | None], tuple[str, ...]]

#: The longest side of an image.
MOST_SIDE = 65_535
#: How many edits one command may hold.
MOST_EDITS = 10_000


class Pixels(Protocol):
    """The label's bitmap: read and kept by the command, because that is input and output."""

    def read(self, mask: JSON) -> np.ndarray: ...

    def keep(self, ids: np.ndarray) -> JSON: ...


@dataclass(slots=True)
class Outcome:
    """The facts of a list of edits, and for each edit the annotation that it was about (None for the label itself)."""

    facts: list[Fact] = field(default_factory=list)
    results: list[JSON] = field(default_factory=list)


class Editor:
    """Applies edits one after the other to a working copy of the state, and collects the facts.

    `operations.AnnotationEditor` edits annotations; an app above has its own, with other operations. `sample` gives the
    attributes of the label's sample, `size_of` the (width, height) of the file of an image in them, `ratios` the fixed
    aspect ratios of boxes by category: each is read only when it is asked for.
    """

    names = "annotation"  #: the field by which an edit names what it is about

    def __init__(
        self,
        state: LabelState,
        *,
        author: uuid.UUID,
        has_mask: bool,
        pixels: Pixels,
        gone: frozenset[str] = frozenset(),
        sample: Callable[[], JSON] = dict,
        size_of: Callable[[JSON], tuple[int, int] | None] = lambda image: None,
        ratios: Callable[[], Mapping[int, float]] = dict,
    ) -> None:
        self.state = state.copied()
        self.author = author
        self.has_mask = has_mask
        self.pixels = pixels
        self.sample = sample
        self.size_of = size_of
        self.ratios = ratios
        self.gone = set(gone)  #: uuids of annotations that were here before, of those that the edits want to give
        self.outcome = Outcome()
        self.uuid_of = {item["id"]: item["uuid"] for item in state.annotations.values()}
        self.linking: dict[str, dict[str, None]] = {}  #: uuid → those that are linked to it, in order
        for item in state.annotations.values():
            for link in item.get("links", ()):
                self.linking.setdefault(link["to"], {})[item["uuid"]] = None
        self.said: JSON = {}  #: what the answer tells of the edit that is being made, beside what it is about
        self.had: dict[str, Annotation | None] = {}  #: what annotations were before the edit that is being made
        self.cleared: list[int] = []  #: ids of removed objects whose pixels are still there
        self.cleared_at = 0  #: which fact the first of them is

    def operations(self) -> Mapping[str, Operation]:
        """What there is to do, and which fields each takes."""
        raise NotImplementedError

    def named(self, about: JSON) -> JSON:
        """How an answer names what an edit was about."""
        return {"annotation": about["uuid"], "id": about["id"]}

    def tell(self, fact: Fact, at: int | None = None) -> None:
        """One fact: kept (in front of the fact `at`, or last), and seen by the edits that follow."""
        self.outcome.facts.insert(len(self.outcome.facts) if at is None else at, fact)
        match fact:
            case e.AnnotationAdded():
                self.uuid_of[fact.id] = fact.annotation
            case e.AnnotationRemoved():
                self.gone.add(fact.annotation)
                gone = self.state.annotations[fact.annotation]
                del self.uuid_of[gone["id"]]
                for link in gone.get("links", ()):
                    del self.linking[link["to"]][fact.annotation]
            case e.AnnotationLinkAdded():
                self.linking.setdefault(fact.to, {})[fact.annotation] = None
            case e.AnnotationLinkRemoved():
                del self.linking[fact.to][fact.annotation]
        key = getattr(fact, "annotation", None)
        if key is not None:
            self.had.setdefault(key, self.state.annotations.get(key))
        label_state.evolve(self.state, fact, Place(self.author, NOW, 0, self.state.version + 1))

    def reopen(self) -> None:
        """Take the label's acceptance back, in front of the edits of somebody who may not accept."""
        self.tell(e.LabelStatusChanged(before=self.state.status, after="LABELING_IN_PROGRESS", verb="reopen"))

    def run(self, edits: Any, where: str = "edits") -> Outcome:
        """All edits, or none.

        Raises:
            InvalidValue, AnnotationNotFound, Refused, StaleBitmap: the first edit that does not fit, by its field.
        """
        items = checked_list(edits, where)
        if not items:
            raise InvalidValue(where, "must hold at least one edit")
        if len(items) > MOST_EDITS:
            raise InvalidValue(where, f"holds more than {MOST_EDITS} edits; send several requests")
        operations = self.operations()
        for index, item in enumerate(items):
            place = f"{where}[{index}]"
            edit = checked_object(item, place)
            op = edit.get("op")
            known = operations.get(op) if isinstance(op, str) else None
            if known is None:
                raise InvalidValue(f"{place}.op", f"must be one of {', '.join(operations)}")
            handler, keys = known
            for key in edit:
                if key not in keys and key not in ("op", self.names):
                    raise InvalidValue(f"{place}.{_shown(key)}", f"is not a field of {op}")
            before, self.said, self.had = len(self.outcome.facts), {}, {}
            about = handler(self, edit, place)
            if len(self.outcome.facts) > before:
                self.check(edit, place, before)
            result: JSON = {"changed": len(self.outcome.facts) > before}
            if about is not None:
                result |= self.named(about)
            result |= self.said
            self.outcome.results.append(result)
        self.finish()
        return self.outcome

    def check(self, edit: JSON, place: str, first: int) -> None:
        """Hold what an edit did (its facts from `first` on) against what the dataset asks of what is drawn."""

    def finish(self) -> None:
        """Tell what is told once for all edits, behind the last of them."""

    def image_wh(self, edit: JSON, place: str, image: JSON | None = None) -> tuple[int, int]:
        """The (width, height) of an image of the sample, by its file; else as the edit says.

        Raises:
            Refused: nothing is known of it and the edit does not say it.
            InvalidValue: the edit says another size, or none that an image has.
        """
        known = self.known_wh(image)
        said = edit.get("size_wh")
        if "size_wh" in edit:
            if type(said) is not list or len(said) != 2 or not all(type(side) is int for side in said):
                raise InvalidValue(f"{place}.size_wh", "must be two whole numbers, the width and height of the image")
            if not all(0 < side <= MOST_SIDE for side in said) or said[0] * said[1] > MAX_BITMAP_PIXELS:
                raise InvalidValue(
                    f"{place}.size_wh", f"must be 1 to {MOST_SIDE} pixels, and {MAX_BITMAP_PIXELS} in all"
                )
            if known is not None and known != tuple(said):
                raise InvalidValue(f"{place}.size_wh", "is not the size of the image; leave it out")
            return said[0], said[1]
        if known is None:
            raise Refused(f"{place}: the size of the image is not known, because its file is elsewhere; say size_wh")
        return known

    def known_wh(self, image: JSON | None = None) -> tuple[int, int] | None:
        """The (width, height) of an image of the sample where it is known: of the label's bitmap, or of the file."""
        mask = self.state.mask
        if self.has_mask and mask and mask.get("hash"):
            return mask["width"], mask["height"]
        if image is None:
            image = self.sample().get("image")
        return self.size_of(image) if isinstance(image, dict) else None

    def find(self, edit: JSON, place: str, key: str = "annotation") -> Annotation:
        """The annotation that an edit names by its uuid or its id."""
        named = edit.get(key)
        if type(named) is not int and not isinstance(named, str):
            raise InvalidValue(f"{place}.{key}", "must be the uuid or the id of an annotation")
        found = self.state.annotations.get(
            (uuid_of(named) if isinstance(named, str) else self.uuid_of.get(named)) or ""
        )
        if found is None:
            raise AnnotationNotFound(f"{place}.{key}")
        return found


def _shown(key: str) -> str:
    """A key of a request in an error's field: only what looks like a field name is shown."""
    return key if key.isidentifier() and len(key) <= 40 else "?"
