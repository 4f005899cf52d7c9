from __future__ import annotations

import uuid
from typing import Any

import dramatiq
import orjson
import pytest
from django.db import connection
from django.http import HttpResponse
from django.urls import reverse

from labeling.admin.jobs import queue_state
from labeling.log import projector
from tests.labeling.admin.world import World

LIST = "admin:dramatiq_postgres_job_changelist"


def put(state: str, *, queue: str = "default", actor: str = "catch_up", **options: Any) -> uuid.UUID:
    """A row of the queue, as dramatiq-postgres writes it."""
    message_id = uuid.uuid4()
    message = {
        "queue_name": queue,
        "actor_name": actor,
        "args": ["<b>one</b>"],
        "kwargs": {},
        "options": options,
        "message_id": str(message_id),
        "message_timestamp": 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dramatiq.queue (message_id, queue_name, state, message)"
            " VALUES (%s, %s, %s::dramatiq.state, %s)",
            [message_id, queue, state, orjson.dumps(message).decode()],
        )
    return message_id


def requeue(world: World, *jobs: uuid.UUID) -> HttpResponse:
    chosen = {"action": "requeue_jobs", "_selected_action": [str(job) for job in jobs]}
    answer: Any = world.admin.post(reverse(LIST), chosen, follow=True)
    return answer


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dramatiq.Message[Any]]:
    """What was handed to the broker."""
    found: list[dramatiq.Message[Any]] = []
    monkeypatch.setattr(dramatiq.get_broker(), "enqueue", lambda message, **_: found.append(message))
    return found


def test_jobs_are_listed_by_state(world: World) -> None:
    put("queued")
    put("consumed")
    failed = put("rejected")

    page = world.admin.get(reverse(LIST)).content.decode()

    for words in ("waiting</span>", "running</span>", "failed</span>", "<b>catch up</b>"):
        assert words in page
    assert world.listed(LIST, state="rejected") == {failed}
    assert len(world.listed(LIST, q="catch_up")) == 3


def test_a_failed_jobs_page_says_why_and_escapes_it(world: World) -> None:
    job = put("rejected", traceback="ValueError: <script>", retries=3)

    page = world.admin.get(reverse("admin:dramatiq_postgres_job_change", args=[job])).content.decode()

    assert "ValueError: &lt;script&gt;" in page
    assert "&lt;b&gt;one&lt;/b&gt;" in page


def test_a_failed_job_is_sent_again_from_the_beginning(world: World, sent: list[dramatiq.Message[Any]]) -> None:
    job = put("rejected", queue="default.DQ", traceback="x", retries=3, eta=5, max_retries=9)

    answer = requeue(world, job)

    assert "1 sent again." in answer.content.decode()
    (message,) = sent
    assert (message.message_id, message.actor_name, message.queue_name) == (str(job), "catch_up", "default")
    assert (message.args, message.options) == (("<b>one</b>",), {"max_retries": 9})


def test_a_running_job_is_left_alone(world: World, sent: list[dramatiq.Message[Any]]) -> None:
    answer = requeue(world, put("consumed"), put("queued", actor=""))

    assert sent == []
    assert "2 left alone" in answer.content.decode()


def test_jobs_cannot_be_changed_or_deleted(world: World) -> None:
    job = put("queued")

    assert world.admin.post(reverse("admin:dramatiq_postgres_job_change", args=[job]), {}).status_code == 403
    assert world.admin.post(reverse("admin:dramatiq_postgres_job_delete", args=[job])).status_code == 403
    assert world.admin.post(reverse("admin:dramatiq_postgres_job_add"), {}).status_code == 403


def test_the_queues_state_counts_jobs_workers_and_datasets_behind(world: World) -> None:
    put("queued")
    put("rejected")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dramatiq.worker VALUES (%s, now()), (%s, now() - interval '1 hour')",
            [uuid.uuid4(), uuid.uuid4()],
        )

    state = queue_state()

    assert (state["waiting"], state["running"], state["failed"], state["workers"]) == (1, 0, 1, 1)
    projector.catch_up(world.dataset)
    assert queue_state()["behind"] == state["behind"] - 1
