"""The database backend: a kept connection is known to be lost without asking the server, and times are read fast."""

from __future__ import annotations

import datetime as dt
import select
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import BaseTzLoader


class TimeLoader(BaseTzLoader):
    """Reads a time in UTC with Python's own parser: a page of samples has thousands, and psycopg's takes 30 times as
    long. What is no plain time (infinity, a year before Christ, another zone) is left to psycopg."""

    timezone = dt.UTC

    def load(self, data: Any) -> Any:
        text = bytes(data)
        if text.endswith(b"+00"):
            try:
                return dt.datetime.fromisoformat(text.decode())
            except ValueError:
                pass
        return super().load(data)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, but for times, and for how it finds out that the server was restarted between two requests."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.adapters.register_loader("timestamptz", TimeLoader)
        return connection

    def is_usable(self) -> bool:
        """Whether the connection can be used.

        A server that went away has closed its end, so the idle socket has something to read. Only then is it asked:
        a statement before every request would cost as much as a third of the statements of an edit.
        """
        connection = self.connection
        if connection is None or connection.closed:
            return False
        if not select.select([connection.fileno()], [], [], 0)[0]:
            return True
        return super().is_usable()
