"""DATABASE_URL: every form that people write, and a clear word for each that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config.database import BadDatabaseURL, database, parse_url

HOME = Path("/home/of/data")


@pytest.mark.parametrize(
    "url, expected",
    [
        ("postgres://user:pw@host:5433/name", ("host", "5433", "name", "user", "pw", {})),
        ("postgresql://user@Host/name?sslmode=require", ("Host", "", "name", "user", "", {"sslmode": "require"})),
        ("postgres://us%40er:p%2Fw%3A@host/na%20me", ("host", "", "na me", "us@er", "p/w:", {})),
        ("postgres:///name?host=/var/run/postgresql&port=5433", ("/var/run/postgresql", "5433", "name", "", "", {})),
        ("postgres://user@%2Fvar%2FRun:5433/name", ("/var/Run", "5433", "name", "user", "", {})),
        ("postgres://[::1]:5432/name", ("::1", "5432", "name", "", "", {})),
        ("postgres:///name", ("", "", "name", "", "", {})),
        ("postgres:///?dbname=name&user=u&password=p", ("", "", "name", "u", "p", {})),
    ],
)
def test_an_address_is_taken_apart(url: str, expected: tuple[object, ...]) -> None:
    fields = parse_url(url)
    assert tuple(fields[name] for name in ("HOST", "PORT", "NAME", "USER", "PASSWORD", "OPTIONS")) == expected


@pytest.mark.parametrize(
    "url, reason",
    [
        ("nonsense", "another scheme"),
        ("mysql://user:secret-word@host/name", "another scheme"),
        ("postgres://user:secret-word@host", "names no database"),
        ("postgres://user:secret-word@host:port/name", "no valid host and port"),
        ("postgres://user:secret-word@host:99999/name", "no valid host and port"),
        ("postgres://user:secret-word#more@host/name", "no valid host and port"),
        ("postgres://user:secret/word@host/name", "no valid host and port|after the database's name"),
        ("postgres://user:secret-word@host/name/more", "after the database's name"),
        ("postgres://user:secret-word@host/name?no_such_option=1", "does not know"),
        ("postgres://user:secret-word@host/name?prepare_threshold=soon", "prepare_threshold is a number"),
    ],
)
def test_nonsense_is_refused_with_the_reason_and_without_the_password(url: str, reason: str) -> None:
    with pytest.raises(BadDatabaseURL, match=reason) as refused:
        parse_url(url)
    assert "secret" not in str(refused.value)


def test_the_url_goes_before_the_embedded_server() -> None:
    embedded = json.dumps({"HOST": "/socket", "PORT": "5432", "NAME": "palimpsest", "USER": "palimpsest"})
    both = {"DATABASE_URL": " postgres://host/name ", "PALIMPSEST_DATABASE": embedded}
    assert database(both, HOME)["HOST"] == "host"
    assert database({"PALIMPSEST_DATABASE": embedded}, HOME)["HOST"] == "/socket"
    assert "not-attached" in database({}, HOME)["HOST"]


def test_an_option_of_the_url_is_kept_beside_ours_and_goes_before_them() -> None:
    entry = database({"DATABASE_URL": "postgres://host/name?sslmode=require&application_name=mine"}, HOME)
    assert entry["OPTIONS"]["sslmode"] == "require"
    assert entry["OPTIONS"]["application_name"] == "mine"
    assert "idle_in_transaction_session_timeout" in entry["OPTIONS"]["options"]
    assert (entry["ATOMIC_REQUESTS"], entry["CONN_MAX_AGE"]) == (False, None)


def test_plans_are_kept_by_the_embedded_server_and_elsewhere_where_it_is_asked_for() -> None:
    embedded = database({"PALIMPSEST_DATABASE": json.dumps({"HOST": "/socket", "NAME": "palimpsest"})}, HOME)
    asked = database({"DATABASE_URL": "postgres://host/name?prepare_threshold=3"}, HOME)
    pooled = database({"DATABASE_URL": "postgres://host/name"}, HOME)
    assert (embedded["OPTIONS"]["prepare_threshold"], asked["OPTIONS"]["prepare_threshold"]) == (1, 3)
    assert "prepare_threshold" not in pooled["OPTIONS"]
    assert ["force_generic_plan" in entry["OPTIONS"]["options"] for entry in (embedded, asked, pooled)] == [
        True,
        True,
        False,
    ]
