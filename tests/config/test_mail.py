"""What EMAIL_URL means, and that a bad one is refused in words that do not repeat it."""

from __future__ import annotations

from typing import Any

import pytest

from config.mail import BadEmailURL, mail


def settings(url: str | None) -> dict[str, Any]:
    return mail({} if url is None else {"EMAIL_URL": url}, "labels.example.org")


@pytest.mark.parametrize("url", [None, "", "  "])
def test_without_an_address_none_is_sent(url):
    assert settings(url)["SENDS_EMAIL"] is False


def test_it_can_be_printed_to_try_it():
    found = settings("console:")
    assert (found["SENDS_EMAIL"], found["EMAIL_BACKEND"]) == (True, "django.core.mail.backends.console.EmailBackend")
    assert found["DEFAULT_FROM_EMAIL"] == "palimpsest@labels.example.org"


@pytest.mark.parametrize(
    "url, expected",
    [
        ("smtp://mail.example.org", ("mail.example.org", 587, "", "", False, True)),
        ("smtp://mail.example.org/?tls=0", ("mail.example.org", 587, "", "", False, False)),
        ("smtp://127.0.0.1:25?tls=0", ("127.0.0.1", 25, "", "", False, False)),
        ("smtps://ana:p%40ss%2Fword@mail.example.org", ("mail.example.org", 465, "ana", "p@ss/word", True, False)),
        ("smtps://[::1]:2465", ("::1", 2465, "", "", True, False)),
    ],
)
def test_a_server_is_named_by_its_address(url, expected):
    found = settings(url)
    keys = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_SSL", "USE_TLS")
    assert tuple(found[f"EMAIL_{key}"] for key in keys) == expected
    assert found["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    assert found["SENDS_EMAIL"] is True and found["EMAIL_TIMEOUT"] > 0


def test_the_sender_can_be_chosen():
    assert settings("smtp://mail.example.org?from=labels@example.org")["DEFAULT_FROM_EMAIL"] == "labels@example.org"


@pytest.mark.parametrize(
    "url",
    ["mail.example.org", "http://secret@mail.example.org", "smtp://", "smtp://:25", "smtp://secret@mail:port",
     "smtp://ana:sec/ret@mail.example.org", "smtp://mail/secret", "smtp://mail?secret=1", "smtp://mail?tls=yes",
     "smtp://mail?from=secret", "smtp://mail#secret", "smtp://[::1"],
)  # fmt: skip
def test_a_bad_one_is_refused_without_its_secrets(url):
    with pytest.raises(BadEmailURL) as refused:
        settings(url)
    assert "secret" not in str(refused.value) and "EMAIL_URL must read" in str(refused.value)
