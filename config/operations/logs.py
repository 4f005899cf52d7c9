"""The log on standard error: lines for people, or (LOG_FORMAT=json) one JSON object a line for machines.

An object has `time` (RFC 3339, UTC), `level`, `logger`, `message`, `request_id` where there is one, `error` with the
traceback where there is one, and whatever fields the line was given.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.operations import request_ids

FORMATS = ("text", "json")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
#: What every record has, and so is no field of a line.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request_id"}


class RequestIdFilter(logging.Filter):
    """Gives every line the id of the request that it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, with its id."""
        record.request_id = request_ids.current.get()
        return True


class TextFormatter(logging.Formatter):
    """A line for people, with the request's id in brackets where there is one."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """The line without a traceback."""
        request_id = getattr(record, "request_id", "")
        return super().formatMessage(record) + (f" [{request_id}]" if request_id else "")


class JSONFormatter(logging.Formatter):
    """A line for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object, on one line whatever the message holds."""
        line: dict[str, Any] = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := getattr(record, "request_id", ""):
            line["request_id"] = request_id
        line |= {key: value for key, value in vars(record).items() if key not in _OWN}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def logging_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Django's LOGGING by LOG_FORMAT (text) and LOG_LEVEL (INFO: also a line a request; text has WARNING).

    Raises:
        ImproperlyConfigured: one of them is none that there is.
    """
    format_ = environment.get("LOG_FORMAT", "").strip().lower() or "text"
    if format_ not in FORMATS:
        raise ImproperlyConfigured(f"LOG_FORMAT must be one of {', '.join(FORMATS)}.")
    level = environment.get("LOG_LEVEL", "").strip().upper() or ("INFO" if format_ == "json" else "WARNING")
    if level not in LEVELS:
        raise ImproperlyConfigured(f"LOG_LEVEL must be one of {', '.join(LEVELS)}.")
    formatters = {"text": TextFormatter, "json": JSONFormatter}
    own = "INFO" if level == "WARNING" else level
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatters[format_]}},
        "filters": {"request_id": {"()": RequestIdFilter}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]},
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "django": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            # A client's mistake is told to the client; only our own go to the log.
            "django.request": {"level": "ERROR"},
            "django.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            **{name: {"level": own} for name in ("config", "labeling", "sequences", "releases")},
            # A line a request.
            "config.operations.requests": {"level": level},
        },
    }
