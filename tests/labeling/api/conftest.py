"""Who calls the API: Django's test client with a person's key, and a street of theirs to label.

Whatever they are answered has to be in the OpenAPI document, and so has whatever they sent if it was taken.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.test.client import ClientHandler

from labeling.api import feed
from labeling.commands import people
from labeling.log import store
from labeling.models import Person
from tests.support import conformity

JSON = dict[str, Any]

#: Shared, because each loads the middleware anew, and that looks at every static file.
_handlers = {enforce: ClientHandler(enforce_csrf_checks=enforce) for enforce in (False, True)}


def browser(*, enforce_csrf: bool = False) -> Client:
    """A client of its own cookies."""
    client = Client()
    client.handler = _handlers[enforce_csrf]
    return client


class Answer:
    """What came back."""

    def __init__(self, response: Any) -> None:
        self.status: int = response.status_code
        self.headers = response.headers
        self.raw: bytes = b"".join(response.streaming_content) if response.streaming else response.content

    def check(self, method: str, path: str, sent: bytes | None = None) -> None:
        """Check that the document knows it."""
        conformity.check(method, path, self.status, self.headers, self.raw, sent)

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def detail(self) -> str:
        return str(self.json["detail"])


class Caller:
    """A person who calls with their key; without a person, somebody without one."""

    def __init__(self, person: Person | None = None) -> None:
        self.person = person
        self.client = browser()
        self.key = people.create_key(intent=people.operator("test"), person=person)[1] if person else None

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        packed: bool = False,
        **headers: str,
    ) -> Answer:
        data = sent = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        known = {"Authorization": f"APIKey {self.key}"} if self.key else {}
        if packed:
            data, known["Content-Encoding"] = gzip.compress(data), "gzip"
        known |= {name.replace("_", "-"): value for name, value in headers.items()}
        content_type = known.pop("Content-Type", "application/json")
        answer = Answer(self.client.generic(method, path, data, content_type=content_type, headers=known))
        answer.check(method, path, None if "Content-Encoding" in known and not packed else sent)
        return answer

    def get(self, path: str, **headers: Any) -> Answer:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.send("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.send("PUT", path, body, **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.send("PATCH", path, body, **options)

    def delete(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.send("DELETE", path, body, **options)


@pytest.fixture(autouse=True)
def short_feeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for what does not happen."""
    monkeypatch.setattr(feed, "longest_s", 0.1)


@pytest.fixture
def caller(person: Any) -> Callable[..., Caller]:
    """caller("ana"): Ana with a key; caller(): nobody."""

    def make(username: str | None = None, **fields: Any) -> Caller:
        return Caller(person(username, **fields) if username else None)

    return make


class Street:
    """A dataset of Ana's with one sample, in which Ben may label."""

    def __init__(self, ana: Caller, ben: Caller, dataset: uuid.UUID, name: str, sample: uuid.UUID) -> None:
        self.ana, self.ben, self.id, self.sample = ana, ben, dataset, sample
        assert ana.person is not None
        self.path = f"/datasets/{ana.person.username}/{name}"
        self.label = f"/labels/{sample}/ground-truth"
        self.edits = f"{self.label}/edits/"

    @property
    def head(self) -> int:
        return store.head(self.id)

    def edit(self, *edits: JSON, by: Caller | None = None, **headers: str) -> Answer:
        return (by or self.ana).post(self.edits, {"edits": list(edits)}, **headers)


@pytest.fixture
def visit() -> Callable[..., Answer]:
    """visit("/media/…", Range="bytes=0-3"): what anybody gets, without a key."""

    def make(path: str, method: str = "GET", **headers: str) -> Answer:
        known = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = Answer(browser().generic(method, path, headers=known))
        answer.check(method, path)
        return answer

    return make


@pytest.fixture
def post_form() -> Callable[..., Answer]:
    """post_form("/assets/upload/", {…}): what a form without a key or a cookie gets."""

    def make(path: str, form: JSON) -> Answer:
        answer = Answer(browser(enforce_csrf=True).post(path, form))
        answer.check("POST", path)
        return answer

    return make


@pytest.fixture
def make_street(caller: Any, dataset: Any, sample: Any) -> Callable[..., Street]:
    def make(task: str = "vector", **fields: Any) -> Street:
        suffix = uuid.uuid4().hex[:8]
        ana, ben = caller(f"ana-{suffix}"), caller(f"ben-{suffix}")
        name = fields.pop("name", f"street-{suffix}")
        made = dataset(ana.person, task, labelers=(ben.person,), name=name, **fields)
        return Street(ana, ben, made, name, sample(made, ana.person))

    return make


@pytest.fixture
def street(make_street: Callable[..., Street]) -> Street:
    """A street with vectors."""
    return make_street()
