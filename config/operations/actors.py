"""What surrounds every actor: how long it runs, and the request that caused it."""

from __future__ import annotations

import time
from typing import Any

import dramatiq

from config.operations import request_ids
from config.operations.counters import actor_seconds


class ActorTimes(dramatiq.Middleware):
    """Measures every actor."""

    def __init__(self) -> None:
        self._began_s: dict[str, float] = {}

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        """Note the time."""
        self._began_s[message.message_id] = time.perf_counter()

    def after_process_message(
        self, broker: dramatiq.Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Count it."""
        began_s = self._began_s.pop(message.message_id, None)
        if began_s is not None:
            outcome = "done" if exception is None else "failed"
            actor_seconds.labels(message.actor_name, outcome).observe(time.perf_counter() - began_s)

    def after_skip_message(self, broker: dramatiq.Broker, message: Any) -> None:
        """Forget it."""
        self._began_s.pop(message.message_id, None)


class RequestIds(dramatiq.Middleware):
    """Carries the id along with a message, so that the lines of an actor can be found from the request."""

    def before_enqueue(self, broker: dramatiq.Broker, message: Any, delay: int | None) -> None:
        """Put it into the message; one that is sent again keeps its own."""
        if request_id := request_ids.current.get():
            message.options.setdefault("request_id", request_id)

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        """Take it out, for the thread that runs the actor."""
        request_ids.current.set(message.options.get("request_id", ""))

    def after_process_message(
        self, broker: dramatiq.Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Forget it."""
        request_ids.current.set("")

    after_skip_message = after_process_message
