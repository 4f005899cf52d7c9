"""`manage.py serve`: the whole installation in one command, until Ctrl-C."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from config.serving import Serving, ServingError, migrate, stop_on_signals


class Command(BaseCommand):
    """Sets up what is missing, then runs the web server, the workers and the sweeper."""

    help = "Run the web server and the workers, with all set-up; Ctrl-C stops everything in order."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=_port, default=8000, help="port to listen on, 0 for a free one (8000)")
        parser.add_argument(
            "--workers", type=_count, default=1, help="worker processes; 0 for the web server alone (1)"
        )
        parser.add_argument("--web-processes", type=_count, default=2, help="web processes; 0 for workers alone (2)")
        parser.add_argument("--threads", type=_count, default=4, help="threads of each web process (4)")

    def handle(self, **options: Any) -> None:
        """Serve until SIGINT, SIGTERM or SIGHUP; a second one does not wait for what is under way.

        Raises:
            CommandError: the port is busy, or the web server does not start.
        """
        serving = Serving(
            options["host"],
            options["port"],
            workers=options["workers"],
            web_processes=options["web_processes"],
            threads=max(1, options["threads"]),
        )
        stop_on_signals(serving)
        try:
            serving.take_port()
            migrate()
            connections.close_all()
            serving.start()
            serving.wait_ready()
            self._say_where(serving, bool(options["web_processes"]))
            while True:
                signal.pause()
        except ServingError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            self._say("Stopping …")
        finally:
            serving.stop()

    def _say_where(self, serving: Serving, has_web: bool) -> None:
        if has_web:
            self._say(f"Palimpsest serves {serving.public_url}  (admin: {serving.public_url}/admin/)")
        self._say(f"Data in {serving.home}. Ctrl-C stops it.")

    def _say(self, words: str) -> None:
        self.stdout.write(words)
        self.stdout.flush()  # who reads it through a pipe waits for it


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError(text)
    return number


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 64:
        raise ValueError(text)
    return number
