"""What a page shows beside the rows of a record's history: each object before and after an event, over its picture.

It is no part of the answer: no other form has it, and the digest is not over it. Drawn is what the log says, over the
picture that the sample had at the answer's offset, in grey so that the object is what one sees. Of a picture that was
erased, or that lies elsewhere, there is nothing.
"""

from __future__ import annotations

import base64
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.core.files.storage import default_storage
from PIL import Image

from labeling import drawing
from labeling.audit import sketches
from labeling.audit.report import Cells
from labeling.audit.sketches import Crop, Outline
from labeling.commands import assets
from labeling.errors import InvalidValue, PalimpsestError
from labeling.geometry import png
from labeling.geometry.measures import segments_of
from labeling.log import store
from labeling.queries.history import Told
from labeling.rules import sample_state
from labeling.rules.colours import Colour, colours_of
from labeling.rules.label_state import LabelState
from labeling.rules.reversal import piece_of
from labeling.rules.sample_state import SampleState

logger = logging.getLogger(__name__)
JSON = dict[str, Any]

#: Crops in one page, and bitmaps that are read for it, together; behind them only outlines are drawn of what has its
#: own geometry. And how large a picture is opened, and how many are kept at once.
MOST_PICTURES = 150
OPENED_WH = (1600, 1600)
MOST_OPENED = 4
#: The largest crop that is kept, in pixels of the page, and the grey levels that are left.
CROP_WIDTH, LEVELS = 264, 0xF0

#: (before, after) of a piece of an app above → the frame that the change shows in, and its annotation before and after.
Reader = Callable[[JSON | None, JSON | None], tuple[int, JSON | None, JSON | None]]
_readers: dict[str, Reader] = {}


def plug(kind: str, reader: Reader) -> None:
    """Say how a piece of an app above is drawn, by what one is called in the names of changes."""
    _readers[kind] = reader


@dataclass(frozen=True, slots=True)
class _Side:
    """An object on one side of an event: as an annotation, or (of a bitmap that was painted) some ids of the bitmap."""

    item: JSON | None
    mask: JSON | None
    ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Bitmap:
    """The ids of a label's bitmap, and the box around each of them."""

    ids: np.ndarray
    boxes_xyxy: Mapping[int, list[int]]


@dataclass(frozen=True, slots=True)
class _Moment:
    sample: str
    frame: int
    before: _Side
    after: _Side


class Scenes:
    """Draws what the events that are told one after the other changed. Where nobody draws, nothing is kept."""

    def __init__(self, log: uuid.UUID, offset: int, task_attributes: Callable[[], JSON]) -> None:
        self.log, self.offset = log, offset
        self.are_drawn = False
        self._noted: dict[tuple[int, str], _Moment] = {}
        self._task_attributes = task_attributes
        self._colour_of: Callable[[Any], Colour] | None = None
        self._pictures: dict[str, tuple[Image.Image, tuple[int, int]] | None] = {}
        self._samples: dict[str, JSON] = {}
        self._bitmaps: dict[str, _Bitmap | None] = {}
        self._read = 0
        self._crops: dict[tuple[str, int, Crop], str] = {}

    def note(self, told: Told) -> None:
        """Keep what an event changed until its rows are drawn."""
        if not self.are_drawn or not isinstance(told.after, LabelState):
            return
        painted = tuple(item["id"] for item in getattr(told.event.fact, "changed", ()) if isinstance(item, dict))
        for change in told.changes:
            kind, _, key = change["what"].partition(":")
            if key:
                self._noted[told.event.offset or 0, change["what"]] = self._of_piece(told, kind, key)
            elif kind == "label" and painted:
                sides = [_Side(None, state.mask, painted) for state in (told.before, told.after)]
                self._noted[told.event.offset or 0, kind] = _Moment(told.after.sample, 0, sides[0], sides[1])

    def _of_piece(self, told: Told, kind: str, key: str) -> _Moment:
        before, after = (piece_of(state, kind, key) for state in (told.before, told.after))
        frame = 0
        if kind in _readers:
            frame, before, after = _readers[kind](before, after)
        sides = [
            _Side(item, state.mask if item is not None else None, () if item is None else (item.get("id", 0),))
            for item, state in ((before, told.before), (after, told.after))
        ]
        return _Moment(told.after.sample, frame, sides[0], sides[1])

    def drawn(self, cells: Cells) -> tuple[str, str] | None:
        """The object of a row before and after its event, each as SVG, "" where it was not there; None where there is
        nothing to draw."""
        moment = self._noted.pop((cells.get("offset") or 0, cells.get("what") or ""), None)
        if moment is None:
            return None
        sides = (moment.before, moment.after)
        unread = {url for url in map(_bitmap_of, sides) if url is not None} - {*self._bitmaps}
        if unread and self._is_full:
            return None  # of both sides: one alone would say that the other is not there
        outlines = [self._outline(side) for side in sides]
        there = [item for item in outlines if item is not None]
        if not there:
            return None
        opened = self._opened(moment.sample, moment.frame)
        crop = sketches.crop_of(there, None if opened is None else opened[1])
        words = ("before", "after")
        found = [
            self._sketch(moment, side, one, crop, word) for side, one, word in zip(sides, outlines, words, strict=True)
        ]
        return found[0], found[1]

    def _sketch(self, moment: _Moment, side: _Side, outline: Outline | None, crop: Crop, words: str) -> str:
        if outline is None:
            return ""
        if self._colour_of is None:
            self._colour_of = colours_of(self._task_attributes())
        category = None if side.item is None else side.item.get("category_id")
        picture = self._picture(moment, crop)
        return sketches.svg(outline, crop, self._colour_of(category), words, picture=picture)

    @property
    def _is_full(self) -> bool:
        return len(self._crops) + self._read >= MOST_PICTURES

    def _outline(self, side: _Side) -> Outline | None:
        """What is drawn of one side; its pixels are looked for in the bitmap only where they are."""
        url = _bitmap_of(side)
        bitmap = None if url is None else self._bitmap(url)
        boxes = [] if bitmap is None else [bitmap.boxes_xyxy[id] for id in side.ids if id in bitmap.boxes_xyxy]
        if bitmap is None or not boxes:
            return sketches.outline(side.item)
        (x0, y0), (x1, y1) = np.min(boxes, axis=0)[:2].tolist(), np.max(boxes, axis=0)[2:].tolist()
        return sketches.outline(side.item, mask=np.isin(bitmap.ids[y0:y1, x0:x1], side.ids), corner_xy=(x0, y0))

    def _bitmap(self, url: str) -> _Bitmap | None:
        if url not in self._bitmaps:
            if len(self._bitmaps) >= MOST_OPENED:
                self._bitmaps.pop(next(iter(self._bitmaps)))
            self._read += 1
            try:
                ids = assets.read_mask(url, "url")
                found = segments_of(ids)
                self._bitmaps[url] = _Bitmap(ids, dict(zip(found.ids.tolist(), found.boxes_xyxy.tolist(), strict=True)))
            except (InvalidValue, OSError):
                self._bitmaps[url] = None
        return self._bitmaps[url]

    def _attributes(self, sample: str) -> JSON:
        if sample not in self._samples:
            stream = f"sample/{sample}"
            events = list(store.read_stream(self.log, stream, up_to=self.offset))
            state = sample_state.fold(SampleState(self.log, stream), events)
            self._samples[sample] = state.attributes if events else {}
        return self._samples[sample]

    def _opened(self, sample: str, frame: int) -> tuple[Image.Image, tuple[int, int]] | None:
        """(the picture, small enough to be kept, the size (w, h) of the whole one); None where it cannot be shown."""
        url = next(drawing.picture_urls(self._attributes(sample), frame), None)
        if url is None:
            return None
        if url not in self._pictures:
            if self._is_full:
                return None
            if len(self._pictures) >= MOST_OPENED:
                self._pictures.pop(next(iter(self._pictures)))
            self._pictures[url] = _opened(url)
        return self._pictures[url]

    def _picture(self, moment: _Moment, crop: Crop) -> str:
        """The crop of the picture as an element; what was shown before is only referred to."""
        key = (moment.sample, moment.frame, crop)
        if key in self._crops:
            return f'<use href="#{self._crops[key]}"/>'
        opened = self._opened(moment.sample, moment.frame)
        if opened is None or self._is_full:
            return ""
        found = _cropped(*opened, crop)
        if found is None:
            return ""
        data, (x, y, width, height) = found
        name = self._crops[key] = f"crop{len(self._crops) + 1}"
        place = " ".join(f'{word}="{sketches.number(value)}"' for word, value in (("x", x), ("y", y)))
        size = f'width="{sketches.number(width)}" height="{sketches.number(height)}" preserveAspectRatio="none"'
        content = base64.b64encode(data).decode()
        return f'<image id="{name}" {place} {size} href="data:image/png;base64,{content}"/>'


def _bitmap_of(side: _Side) -> str | None:
    """The address of the bitmap that holds the pixels of an object; None of one with a geometry of its own."""
    geometry = (side.item or {}).get("geometry") or {}
    if side.mask is None or not side.ids or geometry.get("type", "mask") != "mask":
        return None
    url = side.mask.get("url")
    return url if isinstance(url, str) and assets.tokens_in({"url": url}) else None


def _opened(url: str) -> tuple[Image.Image, tuple[int, int]] | None:
    try:
        for token in assets.tokens_in({"url": url}):
            asset = assets.asset_by_token(token)
            if asset.erased_at or asset.sha256 is None:
                return None
            with default_storage.open(assets.path_of(asset.sha256)) as file:
                return drawing.opened(file, OPENED_WH)
    except (PalimpsestError, drawing.Unreadable, OSError):
        logger.info("a picture of the audit cannot be shown", exc_info=True)
    return None


def _cropped(picture: Image.Image, whole_wh: tuple[int, int], crop: Crop) -> tuple[bytes, Crop] | None:
    """(a grey PNG of what of the picture lies in the crop, the place of that); None where nothing does."""
    x0, y0 = max(0.0, crop[0]), max(0.0, crop[1])
    x1, y1 = min(float(whole_wh[0]), crop[0] + crop[2]), min(float(whole_wh[1]), crop[1] + crop[3])
    across, down = picture.width / whole_wh[0], picture.height / whole_wh[1]
    box = (x0 * across, y0 * down, x1 * across, y1 * down)
    if box[2] - box[0] < 1 or box[3] - box[1] < 1:
        return None
    scale = min(CROP_WIDTH / crop[2], across)
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    grey = picture.resize(size, Image.Resampling.BOX, box=box).convert("L")
    values = np.asarray(grey, dtype=np.uint8) & np.uint8(LEVELS)
    return png.write_values(np.ascontiguousarray(values)), (x0, y0, x1 - x0, y1 - y0)
