"""What operators watch on the real server: two web processes and a worker that answer as one."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.live_server import LiveServer
from tests.e2e.wire import Wire, wait_until


def counted(wire: Wire, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    answer = wire.get("/metrics")
    assert answer.status_code == 200
    samples = [item for family in text_string_to_metric_families(answer.text) for item in family.samples]
    return float(sum(item.value for item in samples if item.name == name and labels.items() <= item.labels.items()))


@pytest.fixture(scope="module")
def root(server: LiveServer) -> Any:
    wire = Wire(server.url, server.manage("apikey", "metra", "--create", "--superuser").split()[-1])
    yield wire
    wire.close()


def test_whichever_process_is_asked_answers_for_all_of_them(root: Wire, admin_wire: Wire, make_sample: Any) -> None:
    asked = ("palimpsest_requests_total", {"route": "users-datasets", "status": "200"})
    before = counted(root, asked[0], **asked[1])
    for _ in range(20):  # connections of their own, so that both web processes get some
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"APIKey {admin_wire.key}"}
            assert session.get(f"{admin_wire.url}/users/ada/datasets/", headers=headers).status_code == 200
    assert {counted(root, asked[0], **asked[1]) for _ in range(6)} == {before + 20}

    appended = counted(root, "palimpsest_append_seconds_count", outcome="appended")
    ran = counted(root, "palimpsest_actor_seconds_count", actor="catch_up", outcome="done")
    make_sample()
    assert counted(root, "palimpsest_append_seconds_count", outcome="appended") > appended
    done = {"actor": "catch_up", "outcome": "done"}
    wait_until(lambda: counted(root, "palimpsest_actor_seconds_count", **done), lambda count: count > ran)
    wait_until(lambda: counted(root, "palimpsest_projection_lag_events"), lambda lag: lag == 0)


def test_the_server_is_ready(server: LiveServer) -> None:
    answer = requests.get(f"{server.url}/readyz", headers={"Host": "10.0.0.1"})
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
