"""Who made a pixel of a label's bitmap what it is: the patches around it, the last first, until one that changed it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from labeling import events as e
from labeling.log.event import Event
from labeling.rules.blame import HEADINGS

JSON = dict[str, Any]


def pixel_causes(
    events: Sequence[Event], x: int, y: int, id_at: Callable[[JSON | None], int]
) -> tuple[int, list[Event], Event | None]:
    """(the object id at the pixel, the events that made it so and what it was before, the last first, the undo or
    restore that put it back).

    `id_at` reads the pixel of a bitmap; 0 where there is none. Only bitmaps that changed around the pixel are read.
    """
    restoring = {event.intent.command for event in events if isinstance(event.fact, HEADINGS)}
    touching: list[tuple[Event, JSON | None, JSON | None]] = []
    mask: JSON | None = None
    for event in events:
        after = mask
        match event.fact:
            case e.BitmapPatched():
                after = event.fact.mask
                boxes = [item["box_xyxy"] for item in event.fact.changed]
                if not any(box[0] <= x < box[2] and box[1] <= y < box[3] for box in boxes):
                    mask = after
                    continue
            case e.LabelImported() if event.fact.mask is not None:
                after = event.fact.mask
            case e.LabelHeaderRestored() if "mask" in event.fact.fields:
                after = event.fact.fields["mask"]
            case e.LabelDeleted():
                after = None
            case _:
                continue
        touching.append((event, mask, after))
        mask = after
    now = id_at(mask)
    changes = []
    for event, before, after in reversed(touching):
        was, became = id_at(before), id_at(after)
        if was != became:
            changes.append((event, became))
    causes: list[Event] = []
    restored: Event | None = None
    for event, became in changes:
        if not causes and became == now and event.intent.command in restoring:
            restored = restored or event  # it was put back: who painted it first is further back
            continue
        if not causes and became != now:
            continue  # what an undo passed over
        causes.append(event)
    return now, causes, restored
