"""What an import knows without looking: samples that nobody but it has made. Pure."""

from __future__ import annotations

from collections.abc import Set


class Alone:
    """An import into a dataset that had no samples at offset `head`.

    As long as its own appends follow one another in the log nobody else has written to it, so the dataset has what the
    import has brought, and nothing has to be looked for of which it brought nothing alike.
    """

    def __init__(self, head: int) -> None:
        self._head = head
        self._stems: set[str] = set()
        self._is_alone = True

    def has_none_of(self, stems: Set[str]) -> bool:
        """Whether no sample has one of these names, with or without the ending of a picture."""
        return self._is_alone and self._stems.isdisjoint(stems)

    def brought(self, stems: Set[str]) -> None:
        """Samples of these names are made, or about to be."""
        if self._is_alone:
            self._stems |= stems

    def appended(self, first: int, last: int) -> None:
        """What it brought has these offsets."""
        if first != self._head + 1:
            self._is_alone = False
            self._stems.clear()
        self._head = last
