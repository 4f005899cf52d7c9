"""Which command lines start the embedded database."""

from __future__ import annotations

import pytest

import manage


@pytest.mark.parametrize(
    "line, needed",
    [
        ("", False),
        ("--version", False),
        ("help", False),
        ("serve --help", False),
        ("test -k log", False),
        ("bench edit --json", False),
        ("serve --port 9000", True),
        ("apikey anna --create", True),
        ("makemigrations", True),
        ("backup a.tar", True),
        ("restore a.tar", True),
        ("restore --check a.tar", False),
        ("upgrade", False),
    ],
)
def test_commands_that_read_data_get_the_embedded_database(
    line: str, needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert manage.needs_embedded_database(line.split()) is needed
    monkeypatch.setenv("DATABASE_URL", "postgresql:///elsewhere")
    assert manage.needs_embedded_database(line.split()) is False
