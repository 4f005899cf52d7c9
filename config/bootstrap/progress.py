"""What the person sees while the environment is made: on a terminal one line that keeps moving, elsewhere nothing."""

import shutil
import sys
import threading
import time
from typing import Callable, Optional, Union

REDRAW_S = 0.2


class Progress:
    """A line on stderr, `  what is being done, 7 s`, redrawn until the block ends and then wiped."""

    def __init__(self) -> None:
        self.says: Union[str, Callable[[], str]] = "starting"
        self._begun_s = time.monotonic()
        self._over = threading.Event()
        self._thread: Optional[threading.Thread] = None

    @property
    def elapsed_s(self) -> float:
        """Return the seconds since the work began."""
        return time.monotonic() - self._begun_s

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _draw(self) -> None:
        while not self._over.wait(REDRAW_S):
            says = self.says if isinstance(self.says, str) else self.says()
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\x1b[K" + f"  {says}, {int(self.elapsed_s)} s"[:width])
            sys.stderr.flush()
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
