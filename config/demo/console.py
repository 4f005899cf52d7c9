"""How the demo talks to the person at the terminal: headings, rows, and a progress bar."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

BAR_CELLS = 28
NAME_CELLS = 16
SECONDS_BETWEEN_DRAWS = 0.05
STYLES = {"bold": "1", "dim": "2", "green": "32", "yellow": "33", "cyan": "36"}
ASCII = str.maketrans({"→": ">", "·": "-", "…": "~", "━": "#", "─": "-", "✓": "*", "✗": "x"})


class Console:
    """Writes to a stream: in colour on a terminal unless NO_COLOR is set, in ASCII where the stream knows no more."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self.moving = stream.isatty() and environ.get("TERM") != "dumb"
        self._coloured = self.moving and not environ.get("NO_COLOR")
        self._unicode = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "") == "utf8"

    def styled(self, text: str, style: str) -> str:
        """The text in a style of STYLES; plain where there is no colour."""
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if self._coloured else text

    def line(self, text: str = "") -> None:
        """Write one line."""
        self.write(text + "\n")

    def heading(self, text: str) -> None:
        """An empty line, and a line that stands out."""
        self.line(f"\n{self.styled(text, 'bold')}")

    def row(self, name: str, text: str, *, style: str | None = None) -> None:
        """A named row: the name in a column of its own."""
        self.line(f"  {self.styled(name.ljust(NAME_CELLS), style) if style else name.ljust(NAME_CELLS)}{text}")

    def write(self, text: str) -> None:
        """Write text as it is, and at once."""
        self._stream.write(text if self._unicode else text.translate(ASCII).encode("ascii", "replace").decode())
        self._stream.flush()

    @contextmanager
    def progress(self, total: int, noun: str) -> Iterator[Bar]:
        """A bar over `total` things, named by a noun, that is there while the block runs."""
        bar = Bar(self, total, noun)
        try:
            yield bar
        finally:
            bar.clear()


class Bar:
    """A progress bar on the last line of a terminal; on anything else a plain line at each quarter."""

    def __init__(self, console: Console, total: int, noun: str) -> None:
        self._console, self._noun, self._total, self._done = console, noun, max(total, 1), 0
        self._drawn_at, self._quarter = 0.0, 0

    def advance(self, what: str) -> None:
        """One more is done: `what` it was."""
        self._done += 1
        if self._console.moving:
            if time.monotonic() - self._drawn_at >= SECONDS_BETWEEN_DRAWS or self._done >= self._total:
                self._draw(what)
        elif self._quarter < (quarter := 4 * self._done // self._total):
            self._quarter = quarter
            self._console.line(f"  {self._done} of {self._total} {self._noun}")

    def _draw(self, what: str) -> None:
        self._drawn_at = time.monotonic()
        full = min(BAR_CELLS * self._done // self._total, BAR_CELLS)
        bar = self._console.styled("━" * full, "cyan") + self._console.styled("─" * (BAR_CELLS - full), "dim")
        count = f"{self._done:>{len(str(self._total))}}/{self._total}"
        self._console.write(f"\r\x1b[2K  {bar} {count} {self._console.styled(what[:36], 'dim')}")

    def clear(self) -> None:
        """Take the bar off the terminal."""
        if self._console.moving and self._drawn_at:
            self._console.write("\r\x1b[2K")
