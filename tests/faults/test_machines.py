"""Several "machines" (processes with homes of their own) over one PostgreSQL of another kind, one RabbitMQ, one bucket.

Two serve the web, two run workers. What is done through one is seen through the other at once; a machine may die; the
broker may be away, and may deliver what it has more than once.
"""

from __future__ import annotations

import os
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pika
import psycopg
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from psycopg import sql
from segments import SegmentsClient
from segments.utils import load_release

from labeling import actors
from tests.e2e.documents import bbox, vector_label
from tests.e2e.live_server import LiveServer
from tests.e2e.pictures import photograph_png
from tests.e2e.wire import wait_until
from tests.support.real_parts import require
from tests.support.s3 import KEY, REGION, SECRET, StandIn

pytestmark = [pytest.mark.needs_rabbitmq, pytest.mark.full]  # several minutes of starting and stopping

SERVER = "postgresql://postgres@127.0.0.1:5432"
RABBIT = "amqp://guest:guest@127.0.0.1:5672"


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    """A database of its own on the server that this machine has, which is of another version than the embedded one."""
    require("a PostgreSQL on 127.0.0.1:5432", answers(5432))
    name = f"palimpsest_{uuid.uuid4().hex}"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name))
        )
        yield f"{SERVER}/{name}"
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def broker_url() -> Iterator[str]:
    """A virtual host of its own in the RabbitMQ of this machine, or its default one with queues of nobody else's."""
    require("a RabbitMQ on 127.0.0.1:5672", answers(5672))
    name = f"palimpsest-{uuid.uuid4().hex}"
    control = ["rabbitmqctl", "-q"]
    try:
        subprocess.run([*control, "add_vhost", name], check=True, capture_output=True)
        subprocess.run([*control, "set_permissions", "-p", name, "guest", ".*", ".*", ".*"], check=True)
    except (OSError, subprocess.CalledProcessError):
        yield f"{RABBIT}/%2F"
        return
    yield f"{RABBIT}/{name}"
    subprocess.run([*control, "delete_vhost", name], check=True)


class Site(NamedTuple):
    """Two machines with web servers, two with workers, and how a further one is told of the others."""

    webs: list[LiveServer]
    workers: list[LiveServer]
    variables: dict[str, str]
    broker_url: str
    key: str  #: of Ada, who runs the installation


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, database_url: str, broker_url: str, s3: StandIn) -> Iterator[Site]:
    stored = s3.new_bucket("labels")
    variables = {
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "STORAGE_URL": f"s3://{stored.bucket}/{stored.prefix}?endpoint={s3.url}&region={REGION}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "SECRET_KEY": "the same secret key of all machines, long enough",
    }
    homes = tmp_path_factory.mktemp("machines")
    webs = [LiveServer(homes / f"web {n}", "--workers", "0", "--web-processes", "1", **variables) for n in range(2)]
    workers = [LiveServer(homes / f"worker {n}", "--web-processes", "0", **variables) for n in range(2)]
    started: list[LiveServer] = []
    try:
        for machine in (*webs, *workers):
            machine.start()
            started.append(machine)
        key = webs[0].manage("apikey", "ada", "--create", "--superuser").split()[-1]
        yield Site(webs, workers, variables, broker_url, key)
    finally:
        for machine in started:
            machine.stop()


def client_of(server: LiveServer, key: str) -> SegmentsClient:
    return SegmentsClient(key, api_url=server.url)


def metric(server: LiveServer, key: str, name: str, **labels: str) -> float:
    """A metric of the site, as one machine tells it."""
    answer = requests.get(f"{server.url}/metrics", headers={"Authorization": f"APIKey {key}"}, timeout=30)
    assert answer.status_code == 200
    samples = [item for family in text_string_to_metric_families(answer.text) for item in family.samples]
    return float(sum(item.value for item in samples if item.name == name and labels.items() <= item.labels.items()))


def released(client: SegmentsClient, dataset: str, name: str) -> dict[str, object]:
    """Cut a release and wait for its file, which a worker on another machine makes."""
    client.add_release(dataset, name)
    release = wait_until(lambda: client.get_release(dataset, name), lambda found: found.status != "PENDING")
    assert release.status == "SUCCEEDED"
    document: dict[str, object] = load_release(release)
    return document


def test_machines_work_as_one_and_may_die(site: Site, tell: Callable[[str], None]) -> None:
    key = site.key
    here, there = (client_of(server, key) for server in site.webs)
    assert requests.get(f"{site.webs[0].url}/readyz", timeout=30).json()["status"] == "ok"

    dataset = here.add_dataset("streets", task_type="vector").full_name
    picture = photograph_png()
    url = here.upload_asset(BytesIO(picture), "a.png").url
    sample = there.add_sample(dataset, "a.png", {"image": {"url": url}})
    here.add_label(sample.uuid, "ground-truth", vector_label(bbox(1)))
    assert there.get_label(sample.uuid).attributes.annotations[0].id == 1
    seen_there = url.replace(site.webs[0].url, site.webs[1].url)
    assert requests.get(seen_there, timeout=30).content == picture, "either machine serves what the other took in"
    first = released(here, dataset, "v1")
    wait_until(lambda: metric(site.webs[1], key, "palimpsest_projection_lag_events"), lambda lag: lag == 0)

    # One of the workers and one of the web servers die; nobody has to do anything.
    os.killpg(site.workers[0].pid, 9)
    os.killpg(site.webs[0].pid, 9)
    there.update_label(sample.uuid, "ground-truth", attributes=vector_label(bbox(1), bbox(2)))
    second = released(there, dataset, "v2")
    wait_until(lambda: metric(site.webs[1], key, "palimpsest_projection_lag_events"), lambda lag: lag == 0)
    assert first["dataset"] != second["dataset"]
    said = site.webs[1].manage("verify", "--json")
    assert '"sound": true' in said, said
    tell("2 web and 2 worker machines over PostgreSQL 15, RabbitMQ and S3; 2 killed, 0 lost")


def test_what_the_broker_loses_or_repeats_does_not_matter(site: Site) -> None:
    server, key = site.webs[1], site.key
    client = client_of(server, key)
    dataset = client.add_dataset("lanes", task_type="vector")
    with psycopg.connect(site.variables["DATABASE_URL"]) as connection:
        found = connection.execute("SELECT id FROM labeling_dataset WHERE name = 'lanes' AND NOT deleted").fetchone()
    assert found is not None
    hint = actors.catch_up.message(str(found[0])).encode()
    with pika.BlockingConnection(pika.URLParameters(site.broker_url)) as connection:
        channel = connection.channel()
        for number in range(20):
            client.add_sample("ada/lanes", f"{number}.png", {"image": {"url": ""}})
            channel.queue_purge("default")  # whatever was hinted and not taken yet is lost
            for _ in range(6):  # one message, six times
                channel.basic_publish("", "default", hint)
    wait_until(lambda: metric(server, key, "palimpsest_projection_lag_events"), lambda lag: lag == 0)
    said = server.manage("verify", "--dataset", dataset.full_name, "--json")
    assert '"sound": true' in said, said


def test_without_its_broker_an_installation_takes_edits_and_catches_up(
    tmp_path: Path, site: Site, database_url: str
) -> None:
    """The broker's address leads nowhere: a hint is given up after two seconds, and the sweeper finds the work."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    lonely = site.variables | {"BROKER_URL": f"amqp://guest:guest@127.0.0.1:{port}/nowhere"}
    server = LiveServer(tmp_path / "lonely", "--workers", "0", "--web-processes", "1", **lonely)
    server.start()
    try:
        key = site.key
        client = client_of(server, key)
        client.add_dataset("paths", task_type="vector")
        sample = client.add_sample("ada/paths", "a.png", {"image": {"url": ""}})
        client.add_label(sample.uuid, "ground-truth", vector_label(bbox(1)))
        ready = requests.get(f"{server.url}/readyz", timeout=30)
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        other = site.webs[1]
        wait_until(lambda: metric(other, key, "palimpsest_projection_lag_events"), lambda lag: lag == 0)
    finally:
        server.stop()
