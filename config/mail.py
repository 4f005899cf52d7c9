"""From the environment to how e-mail is sent: the SMTP server that EMAIL_URL names, or standard output, or not at all.

smtp://user:password@mail.example.org:587?from=labels@example.org     STARTTLS, unless ?tls=0
smtps://user:password@mail.example.org?from=labels@example.org        TLS from the first byte
console:                                                              printed by the server, to try it
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

FORM = "EMAIL_URL must read smtp://user:password@host:587?from=name@example.org, smtps://… or console:"
OPTIONS = ("from", "tls")
PORTS = {"smtp": 587, "smtps": 465}
BACKENDS = "django.core.mail.backends"


class BadEmailURL(ValueError):
    """EMAIL_URL cannot be used; the message says why and never repeats the value, which may hold a password."""


def mail(environment: Mapping[str, str], public_host: str) -> dict[str, Any]:
    """Return Django's settings of e-mail. `SENDS_EMAIL`, which is ours, says whether any is sent.

    Raises:
        BadEmailURL: EMAIL_URL is set and names no server.
    """
    url = environment.get("EMAIL_URL", "").strip()
    found: dict[str, Any] = {
        "EMAIL_BACKEND": f"{BACKENDS}.console.EmailBackend",
        "DEFAULT_FROM_EMAIL": f"palimpsest@{public_host}",
        "SENDS_EMAIL": bool(url),
    }
    if not url or url == "console:":
        return found
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadEmailURL(f"{FORM}; this one has no valid host and port.") from None
    if parts.scheme not in PORTS:
        raise BadEmailURL(f"{FORM}; this one has another scheme.")
    if not host or parts.path not in ("", "/") or parts.fragment:
        raise BadEmailURL(f"{FORM}; this one has no host, or more after it (in a password # ? / are %23 %3F %2F).")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not options.keys() <= set(OPTIONS) or options.get("tls", "1") not in ("0", "1"):
        raise BadEmailURL(f"{FORM}; after the ? stand only from=… and tls=0.")
    if "@" not in options.get("from", "a@b"):
        raise BadEmailURL(f"{FORM}; its from= is no address.")
    return found | {
        "EMAIL_BACKEND": f"{BACKENDS}.smtp.EmailBackend",
        "EMAIL_HOST": host,
        "EMAIL_PORT": port or PORTS[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp" and options.get("tls", "1") == "1",
        "EMAIL_TIMEOUT": 10,
        "DEFAULT_FROM_EMAIL": options.get("from") or found["DEFAULT_FROM_EMAIL"],
    }
