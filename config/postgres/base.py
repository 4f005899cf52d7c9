"""The database backend: a kept connection is known to be lost without asking the server."""

from __future__ import annotations

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, but for how it finds out that the server was restarted between two requests."""

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
