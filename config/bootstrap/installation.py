"""Fills an environment from a hashed lock with pip, and says in a line why pip could not."""

import ast
import collections
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Deque, Dict, List, Mapping, Sequence, Tuple

from config.bootstrap.errors import SetUpFailed
from config.bootstrap.interpreters import without_python_settings
from config.bootstrap.progress import Progress

# What of a person's own pip settings is kept: how this machine reaches a package index. The rest (`user`, `target`,
# `prefix`, `no-binary`, `constraint` …) would install other packages, or the right ones elsewhere; without `retries`
# pip does not say that an index cannot be reached.
REACHING_AN_INDEX = frozenset(
    "index-url extra-index-url no-index find-links cert client-cert trusted-host proxy timeout default-timeout "
    "cache-dir no-cache-dir keyring-provider use-feature use-deprecated".split()
)
PRECEDENCE = {"global": 1, "install": 2, ":env:": 3}
QUIET = "--no-input --no-color --disable-pip-version-check --progress-bar off --root-user-action ignore".split()
# --no-deps: the lock is complete, so there is nothing to resolve. --only-binary: building from source would fetch build
# tools, and those without a hash.
INSTALL = "install --require-hashes --only-binary :all: --no-deps --no-warn-script-location".split()
OLDEST_PIP_FOR_OTHERS = (22, 3)  # the first with --python
REMEMBERED_LINES = 200
TAIL_LINES = 8


def make_empty(place: Path, python: str, variables: Mapping[str, str]) -> None:
    """Make a virtual environment at `place` for `python`, without pip where that Python has no ensurepip.

    Raises:
        SetUpFailed: this Python cannot make one, or it has no pip to fill it with.
    """
    made, _ = _run([python, "-P", "-m", "venv", str(place)], variables)
    if made:
        return
    shutil.rmtree(str(place), ignore_errors=True)
    made, said = _run([python, "-P", "-m", "venv", "--without-pip", str(place)], variables)
    if not made:
        raise SetUpFailed(f"Palimpsest could not make its Python environment {place}:\n{_tail(said)}")
    _, said = _run([python, "-P", "-m", "pip", "--version"], variables)
    version = re.match(r"pip (\d+)\.(\d+)", said)
    if version is None or (int(version.group(1)), int(version.group(2))) < OLDEST_PIP_FOR_OTHERS:
        raise SetUpFailed(
            f"{python} has neither ensurepip nor pip 22.3 or later. Install its venv package "
            f"(Debian, Ubuntu: apt install python3.{sys.version_info[1]}-venv) and run the command again."
        )


def install(
    place: Path,
    lock: Path,
    python: str,
    variables: Mapping[str, str],
    *,
    compiled: bool,
    building: int,
    progress: Progress,
) -> None:
    """Install every package of `lock` that is not there yet into the environment at `place`.

    `building` is the descriptor of the builder's lock. pip inherits it: when this command is killed, pip runs on, and
    nobody else may build before it ends.

    Raises:
        SetUpFailed: pip failed; the message says why, with the end of what pip said where the cause is not a known one.
    """
    own = str(place / "bin" / "python")
    has_own_pip = any(place.glob("lib/python*/site-packages/pip"))
    pip = [own, "-P", "-m", "pip"] if has_own_pip else [python, "-P", "-m", "pip", "--python", own]
    settings = dict(_index_settings(pip[:4]), PIP_CONFIG_FILE=os.devnull)
    with subprocess.Popen(
        [*pip, *INSTALL, *QUIET, "-r", str(lock), *([] if compiled else ["--no-compile"])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=str(place),
        env=dict(variables, **settings),
        pass_fds=(building,),
    ) as process:
        try:
            said = _follow(process, place, count_packages(lock.read_text(encoding="utf-8")), progress)
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise SetUpFailed(explanation(said))


def count_packages(lock: str) -> int:
    """Return how many packages of a lock's text are installed on a POSIX system."""
    pinned = re.findall(r"^([a-z0-9-]+)==([^\n]*)", lock, re.MULTILINE)
    return len({name for name, rest in pinned if "sys_platform == 'win32'" not in rest})


def explanation(said: str) -> str:
    """Return in words what made pip fail, from what it printed."""
    failed = "Palimpsest could not install its packages:"
    missing = re.search(r"No matching distribution found for (\S+)", said)
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return f"{failed} the disk is full (they take about 350 MB, with those of the tests 1.2 GB)."
    if "DO NOT MATCH THE HASHES" in said:
        return f"{failed} one from the index is not the one in the lock file (its hash differs).\n{_tail(said)}"
    if "CERTIFICATE_VERIFY_FAILED" in said or "SSLError" in said:
        return (
            f"{failed} the certificate of the package index is not trusted here.\n"
            "Behind a proxy with its own certificate, name its file in PIP_CERT and run the command again."
        )
    if re.search(r"Retrying \(Retry|ConnectionError|ConnectTimeout|ReadTimeout|ProxyError", said):
        return (
            f"{failed} the package index cannot be reached.\n"
            "Check the network (a proxy: HTTPS_PROXY; another index: PIP_INDEX_URL) and run the command again."
        )
    if missing:
        return f"{failed} the index has no ready-made {missing.group(1)} for this machine and Python."
    return f"{failed} pip ended with\n{_tail(said)}"


def _follow(process: "subprocess.Popen[bytes]", place: Path, total: int, progress: Progress) -> str:
    """Tell the progress what pip is doing until it closes its output, and return the end of that."""
    said: Deque[str] = collections.deque(maxlen=REMEMBERED_LINES)
    fetched = 0
    progress.says = "asking for packages"
    for raw in process.stdout or ():
        line = raw.decode("utf-8", "replace").rstrip()
        said.append(line)
        if line.startswith(("Collecting ", "Requirement already satisfied")):
            fetched += 1
            progress.says = f"fetching packages, {min(fetched, total)} of {total}"
        elif line.startswith("Installing collected packages"):
            progress.says = lambda: f"installing packages, {min(_count_installed(place), total)} of {total}"
        elif "Retrying (Retry" in line:
            progress.says = "the package index does not answer, trying again"
    return "\n".join(said)


def _count_installed(place: Path) -> int:
    return sum(1 for _ in place.glob("lib/python*/site-packages/*.dist-info"))


def _index_settings(pip: List[str]) -> Dict[str, str]:
    """Return as PIP_* variables what the person's pip settings, from files and variables, say about an index."""
    _, listed = _run([*pip, "config", "list"], without_python_settings(os.environ))
    kept: Dict[str, Tuple[int, str]] = {}
    for section, name, quoted in re.findall(r"^(global|install|:env:)\.([a-z-]+)=(.+)$", listed, re.MULTILINE):
        rank = PRECEDENCE[section]
        if name in REACHING_AN_INDEX and rank >= kept.get(name, (0, ""))[0]:
            kept[name] = (rank, " ".join(ast.literal_eval(quoted).split()))
    return {"PIP_" + name.upper().replace("-", "_"): value for name, (_, value) in kept.items()}


def _run(command: Sequence[str], variables: Mapping[str, str]) -> Tuple[bool, str]:
    done = subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(variables),
    )
    return done.returncode == 0, done.stdout.decode("utf-8", "replace")


def _tail(said: str) -> str:
    """Return the last lines, without the passwords that index addresses may hold."""
    lines = [re.sub(r"://[^/@\s]*@", "://", line) for line in said.strip().splitlines() if line.strip()]
    return "\n".join("  " + line for line in lines[-TAIL_LINES:])
