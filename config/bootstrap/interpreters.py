"""Which Pythons can run Palimpsest, and where else a machine keeps them when the one that was called cannot."""

import glob
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from typing import Dict, Iterator, List, Mapping

from config.bootstrap.errors import SetUpFailed

OLDEST = (3, 11)
NEWEST = (3, 14)
PROBE = (
    "import json, platform, sys, sysconfig, venv; print(json.dumps([platform.python_implementation(), "
    "list(sys.version_info[:2]), bool(sysconfig.get_config_var('Py_GIL_DISABLED'))]))"
)
PROBE_SECONDS = 20
USUAL_PLACES = (
    "/usr/bin",
    "/usr/local/bin",
    "/opt/homebrew/bin",
    "/opt/local/bin",
    "/Library/Frameworks/Python.framework/Versions/*/bin",
    "/opt/python*/bin",
    "~/.local/bin",
    "~/.local/share/uv/python/cpython-*/bin",
    "~/.pyenv/versions/*/bin",
    "~/.asdf/installs/python/*/bin",
    "~/.local/share/mise/installs/python/*/bin",
)


def is_suited(implementation: str, version: List[int], free_threaded: bool) -> bool:
    """Return whether the lock has packages for such a Python; there are none for PyPy or free-threaded builds."""
    return implementation == "CPython" and OLDEST <= tuple(version) <= NEWEST and not free_threaded


def leave_unsuited_python(arguments: List[str], preferred: str) -> None:
    """Return when the running Python is suited; else run `arguments` by one that is, `preferred` before all others.

    Raises:
        SetUpFailed: no suited Python was found.
    """
    implementation = platform.python_implementation()
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    if is_suited(implementation, list(sys.version_info[:2]), free_threaded):
        return
    found = next((python for python in _candidates(preferred) if _is_suited_python(python)), None)
    if found is None:
        this = f"{'a free-threaded ' if free_threaded else ''}{implementation} {platform.python_version()}"
        raise SetUpFailed(
            f"Palimpsest needs Python 3.{OLDEST[1]} to 3.{NEWEST[1]}; this is {this}, "
            "and no other was found on PATH or in the usual places."
        )
    os.execve(found, [found, *arguments], without_python_settings(os.environ))


def without_python_settings(variables: Mapping[str, str]) -> Dict[str, str]:
    """Return the process environment without what would lead a Python to code or packages other than its own."""
    marks = ("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "__PYVENV_LAUNCHER__")
    return {name: value for name, value in variables.items() if not name.startswith("PYTHON") and name not in marks}


def without_foreign_settings(variables: Mapping[str, str]) -> Dict[str, str]:
    """Return that without pip's and libpq's settings too: what PostgreSQL's client needs goes into DATABASE_URL."""
    kept = without_python_settings(variables)
    return {name: value for name, value in kept.items() if not name.startswith(("PIP_", "PG"))}


def base_interpreter() -> str:
    """Return the Python outside of any virtual environment that the running one belongs to."""
    return os.path.abspath(getattr(sys, "_base_executable", None) or sys.executable)


def _candidates(preferred: str) -> Iterator[str]:
    yield preferred
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    pyenv = os.environ.get("PYENV_ROOT")
    for pattern in (*USUAL_PLACES, *([pyenv + "/versions/*/bin"] if pyenv else [])):
        folders += sorted(glob.glob(os.path.expanduser(pattern)), reverse=True)
    minors = range(NEWEST[1], OLDEST[1] - 1, -1)
    for name in [*(f"python3.{minor}" for minor in minors), "python3", "python"]:
        for folder in folders:
            found = shutil.which(name, path=folder) if folder else None
            if found:
                yield found


def _is_suited_python(python: str) -> bool:
    if not os.access(python, os.X_OK):
        return False
    try:
        told = subprocess.run(
            [python, "-c", PROBE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",  # no module of the caller's directory may stand in for one of the standard library
            env=without_python_settings(os.environ),
            timeout=PROBE_SECONDS,
        ).stdout
        return is_suited(*json.loads(told.decode("ascii", "replace")))
    except (OSError, ValueError, TypeError, subprocess.TimeoutExpired):
        return False
