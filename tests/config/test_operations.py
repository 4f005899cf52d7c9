"""What operators watch, in one process: ids of requests, lines of the log, health, and metrics."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from dramatiq.brokers.stub import StubBroker
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from config.operations import health, request_ids
from config.operations.actors import ActorTimes, RequestIds
from config.operations.logs import JSONFormatter, RequestIdFilter, TextFormatter, logging_settings
from config.operations.requests import observed
from labeling.commands import people
from labeling.log import projector, store


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    health._known.clear()
    yield
    health._known.clear()


def _value(name: str, labels: dict[str, str]) -> float:
    """What this process has counted."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


# --- ids -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["abc", "0af7651916cd43dd8448eb211c80319c", "a.b-c_d:e", "a" * 128])
def test_the_id_that_a_proxy_gave_is_kept(said):
    assert request_ids.told_or_new(said) == said


@pytest.mark.parametrize("said", ["", "a b", "a\nb", "ñ", "-a", "a" * 129, '"', "a\x1b[31m"])
def test_an_id_that_could_forge_a_line_gets_a_new_one_in_its_place(said):
    new = request_ids.told_or_new(said)
    assert new != said and request_ids.told_or_new(new) == new


def test_every_answer_carries_the_id_and_outside_of_it_there_is_none():
    seen = []

    def view(request: Any) -> HttpResponse:
        seen.append(request_ids.current.get())
        return HttpResponse()

    answer: Any = observed(view)(RequestFactory().get("/", headers={"X-Request-ID": "r1"}))
    assert (seen, answer["X-Request-ID"], request_ids.current.get()) == (["r1"], "r1", "")


def test_an_actor_knows_the_request_that_caused_it_and_is_measured():
    broker = StubBroker(middleware=[ActorTimes(), RequestIds()])
    seen: list[str] = []

    @dramatiq.actor(broker=broker, actor_name="watched")
    def watched(fails: bool) -> None:
        seen.append(request_ids.current.get())
        if fails:
            raise ValueError

    done, failed = ({"actor": "watched", "outcome": outcome} for outcome in ("done", "failed"))
    before = [_value("palimpsest_actor_seconds_count", labels) for labels in (done, failed)]
    with request_ids.bound("r2"):
        watched.send(False)
    watched.send(True)
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=10)
    worker.start()
    broker.join("default")
    worker.join()
    worker.stop()
    assert seen == ["r2", ""]
    after = [_value("palimpsest_actor_seconds_count", labels) for labels in (done, failed)]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1]


# --- lines ---------------------------------------------------------------------------------------------------------


def a_record(message: str, **fields: Any) -> logging.LogRecord:
    record = logging.getLogger("labeling").makeRecord(
        "labeling", logging.WARNING, "f", 1, message, (), None, extra=fields
    )
    RequestIdFilter().filter(record)
    return record


def test_a_line_for_machines_is_one_object_with_the_id_and_the_fields():
    with request_ids.bound("r3"):
        record = a_record("two\nlines", status=200, odd={1})
    line = JSONFormatter().format(record)
    assert "\n" not in line
    read = json.loads(line)
    assert read.pop("time").endswith("+00:00")
    assert read == {
        "level": "WARNING", "logger": "labeling", "message": "two\nlines",
        "request_id": "r3", "status": 200, "odd": "{1}",
    }  # fmt: skip


def test_a_line_for_machines_holds_the_traceback():
    record = a_record("broken")
    try:
        raise ValueError("why")
    except ValueError:
        record.exc_info = sys.exc_info()
    line = JSONFormatter().format(record)
    assert "\n" not in line and json.loads(line)["error"].endswith("ValueError: why")


def test_a_line_for_people_ends_with_the_id_where_there_is_one():
    assert TextFormatter().format(a_record("x")).endswith(" WARNING labeling: x")
    with request_ids.bound("r4"):
        record = a_record("x")
    assert TextFormatter().format(record).endswith("x [r4]")


@pytest.mark.parametrize(
    "environment, level",
    [({}, "WARNING"), ({"LOG_FORMAT": "JSON"}, "INFO"), ({"LOG_FORMAT": "json", "LOG_LEVEL": "error"}, "ERROR")],
)
def test_the_log_is_as_the_environment_says(environment, level):
    assert logging_settings(environment)["loggers"]["config.operations.requests"]["level"] == level


@pytest.mark.parametrize("environment", [{"LOG_FORMAT": "xml"}, {"LOG_LEVEL": "LOUD"}])
def test_a_log_that_cannot_be_is_refused_by_the_variables_name(environment):
    with pytest.raises(ImproperlyConfigured, match=next(iter(environment))):
        logging_settings(environment)


def test_a_request_is_told_without_its_query(caplog, db):
    caplog.set_level(logging.INFO, "config.operations.requests")
    Client().get("/datasets/ana/streets/?secret=word")
    (record,) = (item for item in caplog.records if item.name == "config.operations.requests")
    assert record.getMessage() == "GET /datasets/ana/streets/ 401" and "word" not in str(vars(record))


# --- health --------------------------------------------------------------------------------------------------------


def test_a_process_answers_whatever_it_is_called(client):
    for path in ("/healthz", "/healthz/"):
        answer = client.get(path, headers={"Host": "10.1.2.3"})
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert answer["Cache-Control"] == "no-store" and answer["Content-Length"] == str(len(answer.content))
    assert client.post("/healthz").status_code == 405


def test_a_process_is_ready_when_all_that_it_needs_is_there(client, db):
    answer = client.get("/readyz", headers={"Host": "10.1.2.3"})
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer.json()["checks"] == dict.fromkeys(("database", "migrations", "files", "queue"), "ok")


@pytest.mark.parametrize("part", ["database", "migrations", "files"])
def test_a_process_is_unready_without_a_part_that_it_needs_and_says_no_secret(client, db, monkeypatch, part):
    def broken() -> str:
        raise OperationalError("password=secret-word")

    monkeypatch.setattr(health, f"_{part}", broken)
    answer = client.get("/readyz")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json()["checks"][part] == "unreachable" and b"secret-word" not in answer.content
    monkeypatch.undo()
    assert client.get("/readyz").status_code == 200, "what failed is looked at again at once"


def test_without_its_queue_a_process_works_on(client, db, monkeypatch):
    def broken() -> str:
        raise OSError

    monkeypatch.setattr(health, "_queue", broken)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"], answer.json()["checks"]["queue"]) == (
        200, "degraded", "unreachable",
    )  # fmt: skip


# --- metrics -------------------------------------------------------------------------------------------------------


@pytest.fixture
def root(person: Any) -> str:
    """An API key of somebody who runs the installation."""
    return people.create_key(intent=people.operator("test"), person=person("root", superuser=True))[1]


def families(client: Client, key: str) -> dict[str, Any]:
    answer = client.get("/metrics", headers={"Authorization": f"APIKey {key}"})
    assert answer.status_code == 200, answer.content
    return {family.name: family for family in text_string_to_metric_families(answer.content.decode())}


def value_of(family: Any, **labels: str) -> float:
    (found,) = (item.value for item in family.samples if item.labels == labels)
    return float(found)


def test_the_metrics_say_how_much_there_is_and_what_is_behind(client, root, dataset, person):
    made = dataset(person("ana"))
    found = families(client, root)
    assert value_of(found["palimpsest_log_events"], kind="dataset") >= store.head(made)
    for projection in projector.catch_ups():
        assert value_of(found["palimpsest_projection_lag_events"], projection=projection.name) >= store.head(made)
        assert value_of(found["palimpsest_projection_lagging_logs"], projection=projection.name) >= 1
    assert value_of(found["palimpsest_releases"], status="PENDING") == 0
    assert found["palimpsest_unreadable"].samples == []


def test_appends_and_requests_are_counted(client, root, dataset, person):
    appends, asked = (
        ("palimpsest_append_seconds_count", {"outcome": "appended"}),
        ("palimpsest_requests_total", {"method": "GET", "route": "metrics", "status": "200"}),
    )
    before = _value(*appends), _value(*asked)
    families(client, root)
    dataset(person("ana"))
    assert _value(*appends) > before[0] and _value(*asked) == before[1] + 1


def test_a_method_that_somebody_made_up_makes_no_series(client, db):
    client.generic("BREW", "/healthz")
    labels = {"method": "other", "route": "healthz", "status": "405"}
    assert _value("palimpsest_requests_total", labels) >= 1
    assert _value("palimpsest_requests_total", labels | {"method": "BREW"}) == 0


def test_what_cannot_be_read_is_said_and_the_rest_is_told(client, root, monkeypatch):
    def broken() -> dict[str, int]:
        raise OperationalError

    monkeypatch.setattr("config.operations.metrics.queued", broken)
    found = families(client, root)
    assert value_of(found["palimpsest_unreadable"], what="queue") == 1 and found["palimpsest_log_events"].samples


def test_metrics_are_for_who_runs_the_installation(client, root, person, monkeypatch):
    common = people.create_key(intent=people.operator("test"), person=person("ana"))[1]
    refused = ["", "Bearer ", "Bearer wrong", "APIKey wrong", f"APIKey {common}", f"Bearer {root}", "Bearer ñ"]
    for said in refused:
        assert client.get("/metrics", headers={"Authorization": said}).status_code == 401, said
    monkeypatch.setenv("METRICS_TOKEN", "a token")
    assert client.get("/metrics", headers={"Authorization": "Bearer a token"}).status_code == 200
    assert client.get("/metrics", headers={"Authorization": "Bearer a toke"}).status_code == 401
