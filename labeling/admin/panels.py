"""What apps above show on a label's page: a board that they plug into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString

from labeling.models import Dataset

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a label's page. It stands in the place of the stored document, which says less."""

    html: SafeString
    objects: int
    frame: int  #: the frame of the picture on the page
    sensor: int | None = None


Show = Callable[[Any, Dataset, HttpRequest], Panel | None]
_shows: list[Show] = []


def register(show: Show) -> None:
    """Plug in a panel: `show` takes a label's row, its dataset and the request, and answers None for other labels."""
    if show not in _shows:
        _shows.append(show)


def panel_of(label: Any, dataset: Dataset, request: HttpRequest) -> Panel | None:
    """The panel for a label, if an app above has one."""
    return next((panel for panel in (show(label, dataset, request) for show in _shows) if panel is not None), None)
