"""After all other end-to-end tests (files run in the order of their names): the log bears everything that they did."""

from __future__ import annotations

from tests.e2e.live_server import LiveServer


def test_the_log_and_all_that_is_computed_from_it_verify(server: LiveServer) -> None:
    server.manage("verify")
