"""From the environment to Django's DATABASES entry: DATABASE_URL, or what the embedded server's lease left there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
from psycopg.conninfo import make_conninfo

FORM = "DATABASE_URL must read postgres://user:password@host:5432/name, or postgres:///name?host=/socket/directory"
IDLE_IN_TRANSACTION_LIMIT_MS = 60_000
#: Statements that are prepared look up a few rows by keys: to plan them takes longer than any choice of plans saves.
KEEP_PLANS = " -c plan_cache_mode=force_generic_plan"


class BadDatabaseURL(ValueError):
    """DATABASE_URL cannot be used; the message says why and never repeats the value, which may hold a password."""


def database(environment: Mapping[str, str], home: Path) -> dict[str, Any]:
    """Return the entry for the default database: DATABASE_URL, else the embedded server, else a place nobody serves.

    Raises:
        BadDatabaseURL: DATABASE_URL is set and not of the form of an address.
    """
    if environment.get("DATABASE_URL", "").strip():
        fields = parse_url(environment["DATABASE_URL"].strip())
    elif environment.get("PALIMPSEST_DATABASE"):
        fields = {name: str(value) for name, value in json.loads(environment["PALIMPSEST_DATABASE"]).items()}
        fields["OPTIONS"] = {"prepare_threshold": 1}  # nothing stands between us and the embedded server
    else:
        # A command that needs no database, or Django set up without manage.py: then the error names this.
        fields = {"HOST": str(home / "embedded-server-not-attached"), "NAME": "palimpsest", "USER": "palimpsest"}
    options = fields.pop("OPTIONS", {})
    return {
        "ENGINE": "config.postgres",
        **fields,
        "ATOMIC_REQUESTS": False,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "application_name": "palimpsest",
            "options": f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_LIMIT_MS}"
            + (KEEP_PLANS if "prepare_threshold" in options else ""),
            **options,
        },
    }


def parse_url(url: str) -> dict[str, Any]:
    """Return HOST, PORT, NAME, USER, PASSWORD and OPTIONS of a postgres:// address; the query gives libpq's options.

    Raises:
        BadDatabaseURL: another scheme, no database name, a port that is no port, an option that libpq does not know.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadDatabaseURL(f"{FORM}; this one has no valid host and port.") from None
    if parts.scheme not in ("postgres", "postgresql"):
        raise BadDatabaseURL(f"{FORM}; this one has another scheme.")
    name = unquote(parts.path.lstrip("/"))
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    name = options.pop("dbname", name)
    threshold = options.pop("prepare_threshold", None)
    if threshold is not None and not re.fullmatch(r"[0-9]{1,4}", threshold):
        raise BadDatabaseURL(f"{FORM}; prepare_threshold is a number: from which use on a statement is prepared.")
    if not name:
        raise BadDatabaseURL(f"{FORM}; this one names no database.")
    if parts.fragment or "/" in name:
        raise BadDatabaseURL(
            f"{FORM}; this one goes on after the database's name (write # ? / in a password as %23 %3F %2F)."
        )
    try:
        make_conninfo(**options)
    except psycopg.ProgrammingError:
        raise BadDatabaseURL(f"{FORM}; this one has an option after the ? that PostgreSQL does not know.") from None
    host = re.fullmatch(r"(\[.*\]|[^:]*)(?::\d*)?", parts.netloc.rpartition("@")[2])
    if host is None:
        raise BadDatabaseURL(f"{FORM}; this one has no valid host and port.")
    return {
        "NAME": name,
        "HOST": options.pop("host", None) or unquote(host[1].strip("[]")),
        "PORT": options.pop("port", None) or (str(port) if port else ""),
        "USER": options.pop("user", None) or unquote(parts.username or ""),
        "PASSWORD": options.pop("password", None) or unquote(parts.password or ""),
        # Unless asked for, nothing is prepared: a pooler may give every statement another backend.
        "OPTIONS": options | ({} if threshold is None else {"prepare_threshold": int(threshold)}),
    }
