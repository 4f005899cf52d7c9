"""From any Python into the checkout's own environment: `interpreters` finds a suited Python, `environment` decides
whether `.venv` is good and replaces it, `installation` fills it from the hashed lock, `progress` tells the person.

Standard library only, in the syntax of Python 3.6: an unsuited Python has to come far enough to find a better one.
"""

import contextlib
import os
import sys
from typing import Iterator, List

from config.bootstrap import environment, interpreters
from config.bootstrap.errors import SetUpFailed

ARRIVED = "PALIMPSEST_ARRIVED"
SKIP = "PALIMPSEST_NO_BOOTSTRAP"


def ensure(arguments: List[str]) -> None:
    """Return only inside an environment that has what the command in `arguments` (as sys.argv) needs; else exec there.

    Ends the process with a line or two on stderr where there cannot be one. PALIMPSEST_NO_BOOTSTRAP=1 takes the running
    Python and the process environment as they are: a container image has its packages already.
    """
    if os.environ.get(SKIP, "0") not in ("", "0") or _has_arrived():
        return
    with failures_in_words():
        script = [str(environment.CHECKOUT / "manage.py"), *arguments[1:]]
        interpreters.leave_unsuited_python(script, preferred=environment.interpreter(environment.CHECKOUT / ".venv"))
        place, held = environment.environment_for(arguments[1] if len(arguments) > 1 else "help")
        variables = interpreters.without_foreign_settings(os.environ)
        variables[ARRIVED] = f"{os.getpid()}:{held}"
        os.set_inheritable(held, True)
        python = environment.interpreter(place)
        os.execve(python, [python, *script], variables)


def _has_arrived() -> bool:
    """Return whether this very process was sent here by `ensure`; children that inherit the mark were not."""
    process, _, held = os.environ.pop(ARRIVED, "").partition(":")
    if process != str(os.getpid()):
        return False
    os.set_inheritable(int(held), False)
    return True


@contextlib.contextmanager
def failures_in_words() -> Iterator[None]:
    """End the process with a short explanation, not a traceback, where the set-up fails or is stopped."""
    try:
        yield
    except SetUpFailed as failure:
        sys.exit(str(failure))
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        sys.exit(f"Palimpsest could not set up its Python environment ({what}).")
    except KeyboardInterrupt:
        print("\nStopped. The next command starts the set-up again.", file=sys.stderr)
        sys.exit(130)
