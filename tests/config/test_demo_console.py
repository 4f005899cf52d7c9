"""The demo's words and bar: moving and coloured on a terminal only, plain lines elsewhere."""

from __future__ import annotations

import io

import pytest

from config.demo.console import Console


class Terminal(io.StringIO):
    """A text stream that says whether it is a terminal, and in which encoding."""

    def __init__(self, *, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self._terminal, self._encoding = terminal, encoding

    def isatty(self) -> bool:
        return self._terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


def advanced(stream: Terminal, total: int, environ: dict[str, str]) -> str:
    with Console(stream, environ).progress(total, "files") as bar:
        for number in range(total):
            bar.advance(f"file {number}")
    return stream.getvalue()


def test_a_bar_on_a_terminal_stays_on_its_line_and_is_taken_off_at_the_end() -> None:
    written = advanced(Terminal(terminal=True), 40, {})
    assert "\n" not in written
    assert "40/40" in written
    assert written.endswith("\r\x1b[2K")


@pytest.mark.parametrize(
    ("total", "lines"),
    [
        (0, []),
        (1, ["  1 of 1 files"]),
        (3, ["  1 of 3 files", "  2 of 3 files", "  3 of 3 files"]),
        (100, ["  25 of 100 files", "  50 of 100 files", "  75 of 100 files", "  100 of 100 files"]),
    ],
)
def test_without_a_terminal_the_bar_is_a_plain_line_at_each_quarter(total: int, lines: list[str]) -> None:
    assert advanced(Terminal(terminal=False), total, {}).splitlines() == lines


def test_a_dumb_terminal_gets_plain_lines() -> None:
    assert advanced(Terminal(terminal=True), 4, {"TERM": "dumb"}).splitlines()[-1] == "  4 of 4 files"


@pytest.mark.parametrize(
    ("terminal", "environ", "coloured"),
    [(True, {}, True), (True, {"NO_COLOR": "1"}, False), (True, {"NO_COLOR": ""}, True), (False, {}, False)],
)
def test_colour_only_on_a_terminal_that_wants_it(terminal: bool, environ: dict[str, str], coloured: bool) -> None:
    stream = Terminal(terminal=terminal)
    console = Console(stream, environ)
    console.heading("Here")
    console.row("name", console.styled("done", "green"), style="dim")
    assert ("\x1b[1mHere\x1b[0m" in stream.getvalue()) is coloured
    assert ("\x1b[" in stream.getvalue()) is coloured


def test_a_terminal_without_colour_still_has_a_moving_bar() -> None:
    written = advanced(Terminal(terminal=True), 4, {"NO_COLOR": "1"})
    assert "\r" in written
    assert "\x1b[3" not in written


def test_a_stream_that_knows_only_ascii_gets_only_ascii() -> None:
    stream = Terminal(terminal=False, encoding="ascii")
    Console(stream, {}).row("Zoë", "✓ → ✗ …")
    stream.getvalue().encode("ascii")
    assert "* > x ~" in stream.getvalue()


def test_rows_line_up_whatever_their_names() -> None:
    stream = Terminal(terminal=False)
    console = Console(stream, {})
    console.row("a", "text")
    console.row("jeeps.png", "text")
    assert len({line.index("text") for line in stream.getvalue().splitlines()}) == 1
