"""Charts as SVG, drawn on the server: no script, no style of their own, colours by class (static/labeling/admin.css).

A chart is bars side by side in rows (`bars`) or standing on a line of days (`columns`), each of stacked parts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH = 960
LABEL_WIDTH, VALUE_WIDTH = 190, 120
ROW_HEIGHT, BAR_HEIGHT = 30, 18
COLUMN_HEIGHT, FOOT = 180, 34
MOST_ROWS = 40
MOST_DAYS = 120


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its words, and (series, value) of its parts; values are not below 0."""

    label: str
    parts: Sequence[tuple[str, float]]

    @property
    def whole(self) -> float:
        return sum(value for _, value in self.parts)


def bars(found: Sequence[Bar], *, worded: Callable[[float], str], what: str) -> SafeString:
    """Rows of bars, the longest as wide as there is room; `what` is read out in the place of the picture."""
    shown = found[:MOST_ROWS]
    most = max((bar.whole for bar in shown), default=0) or 1
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    rows = []
    for place, bar in enumerate(shown):
        top = place * ROW_HEIGHT
        middle = top + ROW_HEIGHT / 2
        left = float(LABEL_WIDTH)
        parts = []
        for series, value in bar.parts:
            width = room * value / most
            if value:
                parts.append(_part(left, top + (ROW_HEIGHT - BAR_HEIGHT) / 2, width, BAR_HEIGHT, series, worded(value)))
            left += width
        rows.append(
            format_html(
                '<text class="chart-label" x="{}" y="{}">{}<title>{}</title></text>{}'
                '<text class="chart-value" x="{}" y="{}">{}</text>',
                LABEL_WIDTH - 10,
                middle,
                _short(bar.label, 26),
                bar.label,
                SafeString("".join(parts)),
                round(left + 8, 1),
                middle,
                worded(bar.whole),
            )
        )
    return _svg(WIDTH, max(1, len(shown)) * ROW_HEIGHT, what, rows)


def columns(found: Sequence[Bar], *, worded: Callable[[float], str], what: str) -> SafeString:
    """Columns on a line of days; labels are ISO dates, and days between them that are missing stand empty."""
    days = _all_days(found)
    most = max((bar.whole for bar in days), default=0) or 1
    step = (WIDTH - 60) / max(len(days), 1)
    width = min(step * 0.72, 46)
    pieces = [
        format_html('<line class="chart-axis" x1="50" x2="{0}" y1="{1}" y2="{1}"/>', WIDTH, COLUMN_HEIGHT),
        format_html('<text class="chart-value" x="0" y="12">{}</text>', worded(most)),
        format_html('<line class="chart-grid" x1="50" x2="{}" y1="6" y2="6"/>', WIDTH),
    ]
    every = max(1, round(len(days) / 12))
    for place, bar in enumerate(days):
        left = 50 + place * step + (step - width) / 2
        bottom = float(COLUMN_HEIGHT)
        for series, value in bar.parts:
            height = (COLUMN_HEIGHT - 6) * value / most
            if value:
                bottom -= height
                pieces.append(_part(left, bottom, width, height, series, f"{bar.label}: {worded(value)}"))
        if place % every == 0:
            words = dt.date.fromisoformat(bar.label).strftime("%-d %b")
            pieces.append(
                format_html(
                    '<text class="chart-day" x="{}" y="{}">{}</text>',
                    round(left + width / 2, 1),
                    COLUMN_HEIGHT + 20,
                    words,
                )
            )
    return _svg(WIDTH, COLUMN_HEIGHT + FOOT, what, pieces)


def legend(series: Sequence[str]) -> SafeString:
    """The colours of series, in their order."""
    return format_html(
        '<ul class="chart-legend">{}</ul>',
        format_html_join(
            "", '<li><span class="swatch series-{}"></span>{}</li>', ((_class(name), _words(name)) for name in series)
        ),
    )


def _all_days(found: Sequence[Bar]) -> list[Bar]:
    by_day = {bar.label: bar for bar in found}
    if not by_day:
        return []
    last = dt.date.fromisoformat(max(by_day))
    first = max(dt.date.fromisoformat(min(by_day)), last - dt.timedelta(days=MOST_DAYS - 1))
    days = [(first + dt.timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
    return [by_day.get(day, Bar(day, ())) for day in days]


def _part(left: float, top: float, width: float, height: float, series: str, words: str) -> SafeString:
    return format_html(
        '<rect class="series-{}" x="{}" y="{}" width="{}" height="{}"><title>{} {}</title></rect>',
        _class(series),
        round(left, 1),
        round(top, 1),
        round(max(width, 0.5), 1),
        round(max(height, 0.5), 1),
        _words(series),
        words,
    )


def _svg(width: int, height: int, what: str, pieces: Sequence[Any]) -> SafeString:
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>',
        width,
        height,
        what,
        SafeString("".join(pieces)),
    )


def _class(series: str) -> str:
    return series.replace("_", "-")


def _words(series: str) -> str:
    return series.replace("_", " ")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
