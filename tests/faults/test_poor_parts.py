"""Parts that are there and poor: a full disk under the database, a broker that says nothing, a database restarting."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import connection
from django.test import Client

from config.broker import make_broker
from labeling import actors
from labeling.commands import people, writing
from labeling.log import projector, rebuild, store, verify
from labeling.models import Annotation
from tests.e2e.live_server import LiveServer
from tests.support.installation import is_full
from tests.support.victims import find

Json = dict[str, Any]
Make = Callable[..., Any]
PATIENCE_S = 60.0


@pytest.fixture
def edit(committed_db: None, person: Make, dataset: Make, sample: Make) -> Callable[[str], Any]:
    """edit(key): add a box to a label over the API, under an idempotency key; the same key is the same box."""
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    made = dataset(ana)
    target = sample(made, ana)
    _, key = people.create_key(intent=people.operator("test"), person=ana)
    client = Client(headers={"Authorization": f"APIKey {key}"})
    body = {"edits": [{"op": "add", "category_id": 1, "geometry": {"type": "bbox", "points": [[1, 2], [3, 4]]}}]}

    def send(again: str) -> Any:
        return client.post(
            f"/labels/{target}/ground-truth/edits/",
            body,
            content_type="application/json",
            headers={"Idempotency-Key": again},
        )

    send.log = made  # type: ignore[attr-defined]
    return send


# --- the disk ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["log_event", "labeling_annotation", "log_command"])
@pytest.mark.parametrize("said", ["53100", "53200"], ids=["disk full", "out of memory"])
def test_a_database_without_room_takes_nothing_says_so_and_takes_the_retry(edit: Any, table: str, said: str) -> None:
    """PostgreSQL says it by these codes, from whatever it wanted to write; the transaction is gone as a whole."""
    assert edit("first").status_code == 200
    head, name = store.head(edit.log), f"full_{uuid.uuid4().hex}"
    column = {"log_event": "log", "log_command": "log"}.get(table, "dataset_id")
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{said}'; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW WHEN (NEW.{column} = '{edit.log}')"
            f" EXECUTE FUNCTION {name}()"
        )
        try:
            answer = edit("second")
        finally:
            cursor.execute(f"DROP TRIGGER {name} ON {table}")
            cursor.execute(f"DROP FUNCTION {name}")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable") and int(answer["Retry-After"]) > 0
    assert b"extend" not in answer.content, "what the server says of itself is not for clients"
    assert store.head(edit.log) == head and rebuild.differences(edit.log) == {}
    assert edit("second").status_code == 200, "the retry is taken, because the first try left nothing"
    assert edit("second").status_code == 200
    assert Annotation.objects.filter(dataset_id=edit.log).count() == 2
    assert verify.verify_log(edit.log) == []


# --- the broker ----------------------------------------------------------------------------------------------------


@pytest.fixture
def silent() -> Iterator[tuple[int, list[socket.socket]]]:
    """A port that takes every connection and never says a word; with those that it took."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], taken
        server.shutdown(socket.SHUT_RDWR)
    for each in taken:
        each.close()


def test_edits_are_taken_though_the_broker_says_nothing(
    edit: Any, silent: tuple[int, list[socket.socket]], monkeypatch: pytest.MonkeyPatch, tell: Callable[[str], None]
) -> None:
    port, taken = silent
    monkeypatch.delenv("PALIMPSEST_BROKER")
    monkeypatch.setenv(
        "BROKER_URL", f"amqp://guest:guest@127.0.0.1:{port}/?socket_timeout=0.2&stack_timeout=0.2&retry_delay=0"
    )
    broker = make_broker()
    monkeypatch.setattr(actors.catch_up, "broker", broker)
    monkeypatch.setattr(writing, "QUIET_S", 3600.0)  # however long the edits take
    monkeypatch.setattr(writing, "_quiet_until_s", 0.0)

    def asked(times: int) -> bool:
        """Whether so many connections were made; who takes them may be a moment late."""
        deadline = time.monotonic() + PATIENCE_S
        while len(taken) < times and time.monotonic() < deadline:
            time.sleep(0.02)
        return len(taken) == times

    edits = 10 if is_full() else 3
    assert [edit(str(number)).status_code for number in range(edits)] == [200] * edits
    assert asked(1), "it was asked once, and then left alone for a while"
    monkeypatch.setattr(writing, "_quiet_until_s", 0.0)
    assert edit("later").status_code == 200 and asked(2), "and asked again"
    assert store.head(edit.log) > edits and rebuild.differences(edit.log) == {}
    actors.catch_up.fn(str(edit.log))  # as the sweeper has it done
    assert edit.log not in projector.behind(heavy=False)
    tell(f"{edits} edits taken while the broker was silent; {len(taken)} connections to it given up")


# --- the database --------------------------------------------------------------------------------------------------


@pytest.mark.full
def test_while_the_database_restarts_every_answer_says_when_to_come_back(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    server = LiveServer(tmp_path / "home", "--workers", "0", "--web-processes", "1")
    server.start()
    try:
        headers = {"Authorization": f"APIKey {server.new_key('ada')}"}
        answers: Counter[int] = Counter()

        def ask(method: str, path: str, body: Json | None = None) -> requests.Response:
            answer = requests.request(method, server.url + path, json=body, headers=headers, timeout=30)
            answers[answer.status_code] += 1
            if answer.status_code >= 400:
                assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0, answer.text
                assert answer.headers["Content-Type"].startswith("application/json") and answer.json()
            return answer

        ask("POST", "/user/datasets/", {"name": "streets", "task_type": "vector"})
        restarts = 5 if is_full() else 1
        for number in range(restarts):
            postmaster = find("postmaster", serve=server.pid, home=server.home)
            supervisor = find("supervisor", serve=server.pid, home=server.home)
            assert postmaster is not None and supervisor is not None
            refused = answers[503]
            deadline = time.monotonic() + PATIENCE_S
            os.kill(supervisor, signal.SIGSTOP)  # it begins another one when it was seen that none is there
            try:
                os.kill(postmaster, signal.SIGINT)  # as `pg_ctl restart -m fast` has it stop
                while answers[503] == refused:
                    assert time.monotonic() < deadline, f"it does not go away: {answers}"
                    ask("GET", "/readyz")
            finally:
                os.kill(supervisor, signal.SIGCONT)
            # Until another one is there, and answers.
            while (
                find("postmaster", serve=server.pid, home=server.home) in (None, postmaster)
                or ask("GET", "/user/datasets/").status_code != 200
            ):
                assert time.monotonic() < deadline, f"it does not come back: {answers}"
                ask("GET", "/readyz")
            sample = {"name": f"{number}.png", "attributes": {"image": {"url": ""}}}
            assert ask("POST", "/datasets/ada/streets/samples/", sample).status_code == 201
        assert len(ask("GET", "/datasets/ada/streets/samples/").json()) == restarts
        tell(f"{restarts} restarts of the database under the web server: answers {dict(answers)}, no other")
    finally:
        server.stop()
