"""A training that used a release: what a model's lineage leads back from. Pure."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

from labeling.errors import InvalidValue
from labeling.log.event import Event
from labeling.log.rows import Rows
from labeling.rules.fold import place_of
from releases.events import TrainingRegistered

JSON = dict[str, Any]

TABLE = "releases_training"
TEXT_LIMIT, LINK_LIMIT, MOST_METRICS = 200, 2000, 200


def training_stream(training: uuid.UUID | str) -> str:
    return f"training/{training}"


def checked_training(said: JSON) -> JSON:
    """What a body says of a training: name and model, and version, code, metrics and link where they are said.

    Raises:
        InvalidValue: a field is missing or does not fit.
    """
    found: JSON = {}
    for field, least in (("name", 1), ("model", 1), ("version", 0), ("code", 0)):
        value = "" if said.get(field) is None else said[field]
        if not isinstance(value, str) or not least <= len(value) <= TEXT_LIMIT:
            raise InvalidValue(field, f"must be a string of {least} to {TEXT_LIMIT} characters")
        found[field] = value
    link = "" if said.get("link") is None else said["link"]
    if not isinstance(link, str) or len(link) > LINK_LIMIT or (link and not _is_address(link)):
        raise InvalidValue("link", f"must be an address that begins with http, of at most {LINK_LIMIT} characters")
    metrics = {} if said.get("metrics") is None else said["metrics"]
    if not isinstance(metrics, dict) or len(metrics) > MOST_METRICS:
        raise InvalidValue("metrics", f"must be an object of at most {MOST_METRICS} names and values")
    for name, value in metrics.items():
        is_short = isinstance(value, str) and len(value) <= TEXT_LIMIT
        if len(name) > TEXT_LIMIT or not (is_short or value is None or isinstance(value, bool | int | float)):
            raise InvalidValue("metrics", f"must have numbers or strings of at most {TEXT_LIMIT} characters in it")
    return found | {"link": link, "metrics": metrics}


def _is_address(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and link.isprintable() and " " not in link


def rows(log: uuid.UUID, stream: str, events: list[Event]) -> Rows:
    """The training's row; its stream holds one event."""
    [event] = events
    fact, place = event.fact, place_of(event)
    if not isinstance(fact, TrainingRegistered):
        raise TypeError(f"{event.type} is no event of a training")
    row = {
        "id": uuid.UUID(stream.removeprefix("training/")),
        "dataset_id": log,
        "last_offset": place.offset,
        "release_id": uuid.UUID(fact.release),
        "name": fact.name,
        "model": fact.model,
        "model_version": fact.version,
        "code": fact.code,
        "metrics": fact.metrics,
        "link": fact.link,
        "created_by": place.author,
        "created_at": place.at,
    }
    return Rows(put={TABLE: [row]})
