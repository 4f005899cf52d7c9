"""Settings in a process of their own, with an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SHOWN = (
    "SECRET_KEY DEBUG PUBLIC_URL ALLOWED_HOSTS CSRF_TRUSTED_ORIGINS SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE".split()
)
PROGRAM = f"import json, config.settings as s; print(json.dumps({{name: getattr(s, name) for name in {SHOWN!r}}}))"


def settings(home: Path, **environment: str) -> dict[str, Any]:
    """The settings that this environment gives, or the error's line as `error`."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], "PALIMPSEST_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown
    return {"error": done.stderr.strip().splitlines()[-1]}


def test_an_empty_environment_gives_a_safe_installation_on_this_machine(tmp_path: Path) -> None:
    shown = settings(tmp_path / "home")
    assert shown["DEBUG"] is False
    assert shown["PUBLIC_URL"] == "http://127.0.0.1:8000"
    assert "*" not in shown["ALLOWED_HOSTS"]
    assert shown["SECRET_KEY"] == (tmp_path / "home" / "secret_key").read_text().strip()
    assert shown["SECRET_KEY"] == settings(tmp_path / "home")["SECRET_KEY"]


def test_a_secret_key_of_the_environment_goes_before_the_generated_one(tmp_path: Path) -> None:
    assert settings(tmp_path / "home", SECRET_KEY="given")["SECRET_KEY"] == "given"
    assert not (tmp_path / "home" / "secret_key").exists()


def test_a_public_address_over_https_is_trusted_and_makes_cookies_secure(tmp_path: Path) -> None:
    shown = settings(tmp_path / "home", PUBLIC_URL="https://labels.example/", ALLOWED_HOSTS="other.example, third")
    assert shown["PUBLIC_URL"] == "https://labels.example"
    assert shown["CSRF_TRUSTED_ORIGINS"] == ["https://labels.example"]
    assert {"labels.example", "other.example", "third"} <= set(shown["ALLOWED_HOSTS"])
    assert shown["SESSION_COOKIE_SECURE"] is shown["CSRF_COOKIE_SECURE"] is True
    assert settings(tmp_path / "home")["SESSION_COOKIE_SECURE"] is False


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("PUBLIC_URL", "secret-word.example", "PUBLIC_URL must read"),
        ("PUBLIC_URL", "http://[secret-word", "PUBLIC_URL must read"),
        ("PUBLIC_URL", "http://secret-word:port", "PUBLIC_URL must read"),
        ("DATABASE_URL", "postgres://user:secret-word@host", "DATABASE_URL must read"),
        ("STORAGE_URL", "s3://key:secret-word@", "STORAGE_URL must read"),
        ("COMMIT_BARRIER", "secret-word", "COMMIT_BARRIER must be on or off"),
        ("PALIMPSEST_HOME", "/dev/null/secret-word", "set PALIMPSEST_HOME"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path: Path, name: str, value: str, words: str) -> None:
    error = settings(tmp_path / "home", **{name: value})["error"]
    assert error.startswith("django.core.exceptions.ImproperlyConfigured") and words in error
    assert "secret-word" not in error or name == "PALIMPSEST_HOME"
