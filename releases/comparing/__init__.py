"""What differs between two states of a label, a sample or a dataset: typed changes, with both values. Pure.

A change is a dict:

    what, id, category_id   `annotation:<uuid>`, `track:<uuid>`, or the whole: `label`, `self` (a sample, the dataset)
    change                  added, removed or changed
    kinds                   what of it changed: category, geometry, attributes, keyframes, number, status, split …
    before, after           the fields that differ; all of them where it was added or removed, null on the other side
    geometry                {iou, area_before_px, area_after_px} of a changed outline or of changed pixels
    keyframes               of a changed track: the frames that were added, removed, changed (each with its kinds and
                            geometry), at which it leaves, and at which it does not leave any more
    split_from, merged_into of a track that came from another one, or went into one: {track, track_id, frame}
    categories              of the dataset: categories added, removed, renamed …, each once
    label_sets              of the dataset: label sets added and removed, each once
    match                   between two label sets: the object of the other one, and how it was found
"""

from __future__ import annotations

from releases.comparing.applying import Content, applied, content_after, content_of, empty, fields_applied
from releases.comparing.changes import compared
from releases.comparing.matching import versus
from releases.comparing.overlaps import overlap
from releases.comparing.words import gone_along, in_two, said, summary

__all__ = [
    "Content", "applied", "compared", "content_after", "content_of", "empty", "fields_applied", "gone_along", "in_two",
    "overlap", "said", "summary", "versus",
]  # fmt: skip
