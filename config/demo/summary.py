"""The last lines of the demo: what was done, where to look at it, and how to log in."""

from __future__ import annotations

from config.demo.console import Console
from config.demo.job import OWNER, Outcome

RESET = f"password as printed at the first run; for a new one: python3 manage.py changepassword {OWNER}"


def show_summary(console: Console, outcome: Outcome, public_url: str, password: str | None) -> None:
    """Print what was done and where to look at it; `password` is the one made in this run, None where none was."""
    public_url = public_url.rstrip("/")
    events = sum(outcome.offsets.values())
    logs = ", ".join(f"{name} {offset}" for name, offset in outcome.offsets.items())
    console.heading(f"Done in {outcome.seconds:.1f} s")
    console.row("events", f"{events} in {len(outcome.offsets)} logs: {logs}")
    console.row("exported file", str(outcome.exported))
    console.row("", console.styled(outcome.release.url, "cyan"))
    console.row("what differs", console.styled(outcome.difference, "cyan"))
    console.row("API", console.styled(f"{public_url}/api/docs/", "cyan"))
    console.row("API key", f"python3 manage.py apikey {OWNER}")
    console.row("admin", console.styled(f"{public_url}/admin/", "cyan"))
    show_login(console, password)


def show_login(console: Console, password: str | None) -> None:
    """Print how to log in to the admin."""
    console.row("log in", f"{OWNER}, {'password ' + console.styled(password, 'bold') if password else RESET}")
