"""The image and the compose file, as far as they can be checked without a container engine: what the image copies is
enough to run its commands in a clean directory, and what compose says is what the parts understand.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.broker import make_broker
from config.database import parse_url
from config.operations.logs import logging_settings
from config.storage import storage

CHECKOUT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker" / "compose.yml").read_text())
DOCKERFILE = (CHECKOUT / "docker" / "Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"web": SERVICES["web"], "workers": SERVICES["workers"]}


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    """What a container is told when every variable is set to a word, or to its default."""

    def filled(value: str) -> str:
        return re.sub(r"\$\{(\w+)(?::([-?])([^}]*))?\}", lambda m: m[3] if m[2] == "-" else "a-secret-word", value)

    return {name: filled(str(value)) for name, value in service["environment"].items()}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what the image has."""
    folder = tmp_path_factory.mktemp("image") / "app"
    folder.mkdir()
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            found = CHECKOUT / source
            place = folder / target
            if found.is_dir():
                shutil.copytree(found, place, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
            else:
                (place / found.name if target.endswith("/") else place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(found, place / found.name if place.is_dir() else place)
    return folder


def in_image(image: Path, home: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=image,
        env={"PATH": os.environ["PATH"], "PALIMPSEST_NO_BOOTSTRAP": "1", "PALIMPSEST_HOME": str(home), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("name", OURS)
def test_the_image_holds_all_that_its_commands_need(image: Path, tmp_path: Path, name: str) -> None:
    python, script, *arguments = OURS[name]["command"]
    assert (python, script, arguments[0]) == ("python", "manage.py", "serve")
    done = in_image(image, tmp_path / "home", script, *arguments, "--help")
    assert done.returncode == 0, done.stderr
    checked = in_image(image, tmp_path / "home", script, "check", **environment_of(OURS[name]))
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("name", OURS)
def test_what_compose_tells_the_parts_they_understand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    said = environment_of(OURS[name])
    address = parse_url(said["DATABASE_URL"])
    assert (address["HOST"], address["NAME"]) == ("database", SERVICES["database"]["environment"]["POSTGRES_DB"])
    assert storage(said, tmp_path)["OPTIONS"]["endpoint_url"] == "http://files:9000"
    assert logging_settings(said)["loggers"]["config.operations.requests"]["level"] == "INFO"
    monkeypatch.delenv("PALIMPSEST_BROKER", raising=False)
    monkeypatch.setenv("BROKER_URL", said["BROKER_URL"])
    assert type(make_broker()).__name__ == "RabbitmqBroker"


def test_every_service_is_checked_and_waits_for_what_it_needs() -> None:
    for name, service in SERVICES.items():
        assert "healthcheck" in service or name == "bucket", name
        for needed, how in service.get("depends_on", {}).items():
            healthy = how["condition"] == "service_healthy" and "healthcheck" in SERVICES[needed]
            assert healthy or how["condition"] == "service_completed_successfully", (name, needed)
    volumes = {item.split(":")[0] for service in SERVICES.values() for item in service.get("volumes", ())}
    assert volumes == set(COMPOSE["volumes"])


def test_no_secret_has_a_default() -> None:
    text = (CHECKOUT / "docker" / "compose.yml").read_text()
    for secret in ("POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "S3_SECRET", "SECRET_KEY"):
        assert f"${{{secret}:?" in text and f"${{{secret}:-" not in text


def test_a_worker_says_whether_it_is_ready(image: Path, tmp_path: Path) -> None:
    ready = in_image(image, tmp_path / "home", "manage.py", "migrate", "--verbosity", "0")
    assert ready.returncode == 0, ready.stderr
    ready = in_image(image, tmp_path / "home", "manage.py", "ready")
    assert (ready.returncode, json.loads(ready.stdout)["status"]) == (0, "ok"), ready.stderr
    nowhere = in_image(
        image, tmp_path / "home", "manage.py", "ready", DATABASE_URL="postgresql://u:secret-word@127.0.0.1:1/name"
    )
    assert nowhere.returncode == 1 and json.loads(nowhere.stdout)["checks"]["database"] == "unreachable"
    assert "secret-word" not in nowhere.stdout + nowhere.stderr
