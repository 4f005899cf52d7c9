"""The product's settings, with the addresses of `config.bench.peer.urls`."""

from __future__ import annotations

from config.settings import *  # noqa: F403 - a setting added there must be here too

ROOT_URLCONF = "config.bench.peer.urls"
