"""Objects painted into one picture, in which every pixel has one of them at the most. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labeling.geometry.rasterize import Spans, united
from releases.formats.format import APPROXIMATED, LEFT_OUT, Losses
from releases.formats.pictures import Picture
from releases.formats.records import Annotation


def tell_of_overlaps(
    picture: Picture,
    items: Sequence[Annotation],
    spans: Spans,
    painted: Any,
    values: Sequence[int],
    losses: Losses,
) -> None:
    """List the objects of which pixels are under others.

    Objects of one value, as those of a class in a semantic map, share it.
    """
    alone = united(spans, picture.height * picture.width)
    lengths = (alone.stop - alone.start).astype(np.float64)
    areas = np.bincount(alone.owner, weights=lengths, minlength=len(items)).astype(np.int64)
    # an object shows the pixels of its own runs that have its value in the end
    flat = painted.reshape(-1)
    shown = np.zeros(len(items), dtype=np.int64)
    for owner, start, stop in zip(alone.owner, alone.start, alone.stop, strict=True):
        shown[owner] += np.count_nonzero(flat[start:stop] == values[owner])
    for item, area, left in zip(items, areas.tolist(), shown.tolist(), strict=True):
        if left < area or area == 0:
            losses.add(
                "overlaps" if area else "object without pixels",
                APPROXIMATED if left else LEFT_OUT,
                sample=picture.sample.name,
                frame=picture.frame,
                annotation=item,
                said=f"{area - left} of {area} pixels are under others" if area else "",
            )
