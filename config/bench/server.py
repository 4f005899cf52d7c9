"""What a bench measures: a database of its own, and a server over it, both gone when the bench ends."""

from __future__ import annotations

import http.client
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from config.bench.processor import children, command_line


class Client:
    """One kept-alive connection with a key."""

    def __init__(self, base_url: str, key: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(base_url).netloc)
        self._headers = {"Authorization": f"APIKey {key}", "Content-Type": "application/json"}

    def close(self) -> None:
        """Let go of a connection that the server would end anyway; the next request opens another."""
        self._connection.close()

    def call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Send a request and return its body; anything but a 2xx ends the bench."""
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status // 100 != 2:
            raise SystemExit(f"{method} {path} answered {answer.status}: {content[:300]!r}")
        return content


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers, the person whose key the client sends, and the data directory."""

    client: Client
    person: uuid.UUID
    home: Path


@contextmanager
def database() -> Iterator[Path]:
    """An embedded database with all tables in this process's data directory, which is handed over."""
    import django

    from config.embedded import lease
    from config.home import prepare
    from config.serving import migrate

    home = prepare()
    lease.attach(home)
    django.setup()
    migrate()
    yield home


@contextmanager
def served(*, settings: str | None = None) -> Iterator[Served]:
    """A web process with one thread and no workers (so that every edit sends its hint), over such a database."""
    with database() as home:
        from config.serving import Serving
        from labeling.commands import people

        operator = people.operator("bench")
        person = people.add_person(intent=operator, username="bench")
        _, key = people.create_key(intent=operator, person=person)
        log = home / "log" / "bench.log"
        chosen = {} if settings is None else {"settings": settings}
        serving = Serving(port=0, home=home, web_processes=1, threads=1, workers=0, log=log, **chosen)
        serving.take_port()
        serving.start()
        try:
            serving.wait_ready()
            yield Served(Client(serving.base_url, key), person.id, home)
        finally:
            serving.stop()


def server_processes(home: Path) -> tuple[list[int], list[int]]:
    """(web workers, PostgreSQL's processes) of this bench."""
    web = [pid for pid in children(os.getpid()) if "config.web" in command_line(pid)]
    postmaster = int(next(home.glob("postgres-*/postmaster.pid")).read_text().split("\n", 1)[0])
    return web, [pid for pid in children(postmaster) if "[local]" in command_line(pid)]
