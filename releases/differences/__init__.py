"""The difference between two sides of a dataset: releases, offsets, times, events, or label sets; label by label.

It is folded from the events of the streams, one stream in memory at a time. What was done and taken back leaves events
and no change, and is not told. `Comparison.entries` gives the entries, `wanted` leaves out what nobody asked for,
`named` puts names and words to them, `Totals` counts. `first_unequal` proves that nothing is left out.
"""

from __future__ import annotations

from releases.differences.comparison import Comparison
from releases.differences.naming import named
from releases.differences.proof import contents, first_unequal
from releases.differences.sides import Side, label_set_named, side_at
from releases.differences.totals import Totals
from releases.differences.wanting import EVERYTHING, Wanted

__all__ = [
    "EVERYTHING", "Comparison", "Side", "Totals", "Wanted", "contents", "first_unequal", "label_set_named", "named",
    "side_at",
]  # fmt: skip
