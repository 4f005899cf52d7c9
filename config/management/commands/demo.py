"""`manage.py demo`: serves, and does the main job in front of the user; `--once` stops after it."""

from __future__ import annotations

import io
import signal
import sys
from http.client import HTTPException
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from config.demo.console import Console
from config.demo.job import run
from config.demo.people import keys_for_a_run, make_people
from config.demo.server import DemoFailed, Refused, Server
from config.demo.summary import show_login, show_summary
from config.serving import Serving, ServingError, migrate, stop_on_signals


class Command(BaseCommand):
    """Sets up what is missing, serves, and shows the main job through the API."""

    help = "Show Palimpsest at work on real images, then keep serving until Ctrl-C; --once stops after the job."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--once", action="store_true", help="stop after the job")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on, 0 for a free one (8000)")

    def handle(self, **options: Any) -> None:
        """Set up, serve, do the job, and go on serving.

        Raises:
            CommandError: the port is busy, the server does not start, or the job fails or is interrupted.
        """
        done = False
        console = Console(sys.stdout)  # Django's wrapper adds line ends and colours of its own
        serving = Serving(options["host"], options["port"])
        serving.log = serving.home / "log" / "demo.log"
        stop_on_signals(serving)
        try:
            serving.take_port()
            console.heading("Palimpsest")
            console.row("data", str(serving.home))
            migrate()
            serving.start()
            serving.wait_ready()
            console.row("serving", f"{serving.public_url}, its log in {serving.log}")
            self._show(console, serving)
            done = True
            if options["once"]:
                again = f"python3 manage.py serve --host {serving.host} --port {serving.port}"
                console.line(f"\nStopped after the job. To serve it again: {again}")
                return
            console.line("\nServing until Ctrl-C.")
            while True:
                signal.pause()
        except ServingError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            if not done:
                raise CommandError("Stopped before the job was done.", returncode=130) from None
            console.line("\nStopping.")
        finally:
            serving.stop()

    def _show(self, console: Console, serving: Serving) -> None:
        password = make_people()
        try:
            with keys_for_a_run() as keys:
                connections.close_all()  # the job takes seconds, and needs the database again only at its end
                people = {
                    name: Server(serving.base_url, key, public_url=serving.public_url) for name, key in keys.items()
                }
                outcome = run(console, people, serving.home / "exports", verified)
        except (Refused, DemoFailed, OSError, HTTPException) as error:
            if password:
                show_login(console, password)
            raise CommandError(f"The demo stopped: {error}. The server's log is {serving.log}.") from error
        show_summary(console, outcome, serving.public_url, password)


def verified() -> str:
    """What `manage.py verify` prints.

    Raises CommandError, with all that it printed, when it finds anything wrong."""
    said = io.StringIO()
    try:
        call_command("verify", stdout=said, stderr=io.StringIO())  # its progress bar goes to stderr
    except CommandError as error:
        raise CommandError(f"{said.getvalue()}{error}") from None
    return said.getvalue()
