"""What the categories of a dataset meant in masks, at any offset of its log."""

from __future__ import annotations

import uuid
from bisect import bisect_right
from functools import lru_cache

from labeling.log import store
from labeling.rules import dataset_state
from labeling.rules.dataset_state import STREAM, DatasetState
from labeling.rules.fold import place_of
from labeling.rules.palettes import Palette


def palette_at(dataset: uuid.UUID, offset: int, *, version: int | None = None) -> tuple[int, Palette]:
    """(the offset at which the categories last changed up to `offset`, what they meant from then on).

    `version` is that of the dataset's stream, from its row, where it is known to be as new as `offset`.
    """
    offsets, palettes = _history(dataset, store.version(dataset, STREAM) if version is None else version)
    nth = bisect_right(offsets, offset) - 1
    return (offsets[nth], palettes[nth]) if nth >= 0 else (0, Palette({}))


@lru_cache(maxsize=256)
def _history(dataset: uuid.UUID, version: int) -> tuple[list[int], list[Palette]]:
    """Every palette that a dataset had up to a version of its stream, and the offset that it began at."""
    state = DatasetState(dataset)
    offsets: list[int] = []
    palettes: list[Palette] = []
    for event in store.read_stream(dataset, STREAM):
        if event.version > version:
            break
        before = state.task_attributes
        dataset_state.evolve(state, event.fact, place_of(event))
        if state.task_attributes is not before:
            palette = Palette.of(state.task_attributes)
            if not palettes or palette != palettes[-1]:
                offsets.append(event.offset or 0)
                palettes.append(palette)
    return offsets, palettes
