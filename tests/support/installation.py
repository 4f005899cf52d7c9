"""A pytest plugin that gives every test run an installation of its own: a fresh data directory, no foreign settings.

Loaded by pyproject.toml with -p, because pytest-django reads the settings before any conftest is imported. The embedded
PostgreSQL is started by the first test that needs it; workers of one run share it, each with a database of its own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

FOREIGN = ("DATABASE_URL", "COMMIT_BARRIER", "BROKER_URL", "STORAGE_URL", "PUBLIC_URL", "SECRET_KEY", "ALLOWED_HOSTS")
FOREIGN_PREFIXES = ("PG", "PALIMPSEST_", "AWS_")
#: Said by who runs the tests, so they stay.
OURS = ("PALIMPSEST_FULL", "PALIMPSEST_CI")
STOP_LIMIT_S = 20.0

_slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
# Seeded by the test itself, so that a run can be repeated. `full` looks for something new each time, but in CI, where
# the change is judged and not the luck of the draw.
settings.register_profile("quick", max_examples=40, deadline=None, derandomize=True, suppress_health_check=_slow)
settings.register_profile(
    "full",
    max_examples=400,
    deadline=None,
    derandomize=os.environ.get("PALIMPSEST_CI") == "1",
    print_blob=True,
    suppress_health_check=_slow,
)


def is_full() -> bool:
    """Whether this run has the full count of everything (`manage.py test --full`)."""
    return os.environ.get("PALIMPSEST_FULL") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Lead the settings, which are read inside of this call, to a data directory of this run."""
    settings.load_profile("full" if is_full() else "quick")
    if "PYTEST_XDIST_WORKER" not in os.environ:  # a worker has what the process that started it made
        for name in list(os.environ):
            if name in FOREIGN or (name.startswith(FOREIGN_PREFIXES) and name not in OURS):
                del os.environ[name]
        home = Path(tempfile.mkdtemp(prefix="palimpsest-tests-"))
        os.environ["PALIMPSEST_HOME"] = str(home)
        os.environ["PALIMPSEST_BROKER"] = "stub"
        early_config.add_cleanup(lambda: _remove(home))
    return (yield)


def _remove(home: Path) -> None:
    """Remove the data directory once its server, which outlives its last client by a moment, is gone."""
    from config.embedded import lease

    lease.release(home)
    deadline = time.monotonic() + STOP_LIMIT_S
    while lease.is_supervised(home) and time.monotonic() < deadline:
        time.sleep(0.02)
    shutil.rmtree(home, ignore_errors=True)
