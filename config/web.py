"""The web server as a child of `config.serving`: gunicorn on a socket that the parent has bound."""

from __future__ import annotations

import gc
import json
import signal
import sys
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from config.processes import die_with_parent


class WebServer(BaseApplication):
    """Gunicorn with our settings and no configuration file."""

    def __init__(self, listener: int, processes: int, threads: int) -> None:
        self._settings = {
            "bind": f"fd://{listener}",
            "worker_class": "gthread",
            "workers": processes,
            "threads": threads,
            "graceful_timeout": 30,
            "timeout": 120,
            "limit_request_line": 8190,
            "loglevel": "warning",
            "control_socket_disable": True,
        }
        super().__init__()

    def load_config(self) -> None:
        """Take our settings."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the WSGI application; called in each worker process, after the fork."""
        from config.wsgi import application

        # What was loaded by now stays for ever. Without it the collector looks at it again with every large answer,
        # which makes up a sixth of the price of a page of a thousand samples.
        gc.collect()
        gc.freeze()
        return application


def main(options: dict[str, Any]) -> None:
    """Serve until told to stop; `options` come from `config.serving`."""
    die_with_parent(signal.SIGTERM, options["parent"], options["lifeline"])
    WebServer(options["listener"], options["processes"], options["threads"]).run()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
