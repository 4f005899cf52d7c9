"""A worker as a child of `config.serving`: runs actors from the queue; the first one also sweeps for what was missed.

One process with a few threads; Dramatiq's own command has two or more and looks for signals once a second.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import threading
from typing import Any

from config.processes import die_with_parent

logger = logging.getLogger(__name__)

#: Of these at most four wait for other people's hosts, and at most two do what is heavy (labeling.actors).
THREADS = 8
SWEEP_S = 2.0
JOB_STOP_LIMIT_MS = 20_000


class Sweeper(threading.Thread):
    """Looks every two seconds for projections that are behind, because a hint may have been lost."""

    def __init__(self) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._stopping = threading.Event()
        self._failing = False

    def run(self) -> None:
        """Sweep until stopped; what fails is logged once and tried again."""
        from django.db import close_old_connections, connection

        while not self._stopping.wait(SWEEP_S):
            close_old_connections()
            self._sweep()
        connection.close()

    def _sweep(self) -> None:
        from labeling.actors import sweep

        try:
            sweep()
        except Exception as error:  # whatever it is, the next round may succeed
            if not self._failing:
                logger.warning("The sweeper failed and goes on trying: %s", error)
            self._failing = True
        else:
            self._failing = False

    def stop(self) -> None:
        """End after the sweep under way."""
        self._stopping.set()
        self.join()


def main(options: dict[str, Any]) -> None:
    """Work until told to stop; `options` come from `config.serving`."""
    reading, writing = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(writing, b"."))
    die_with_parent(signal.SIGTERM, options["parent"], options["lifeline"])

    import django
    import dramatiq
    from django.utils.module_loading import autodiscover_modules

    django.setup()
    autodiscover_modules("actors")
    gc.collect()
    gc.freeze()  # what was loaded by now stays for ever, as in the web server
    broker = dramatiq.get_broker()
    broker.emit_after("process_boot")  # or no time limit is enforced
    worker = dramatiq.Worker(broker, worker_threads=THREADS)
    worker.start()
    sweeper = Sweeper() if options["sweeps"] else None
    if sweeper is not None:
        sweeper.start()

    os.read(reading, 1)
    if sweeper is not None:
        sweeper.stop()
    worker.stop(timeout=JOB_STOP_LIMIT_MS)
    broker.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
