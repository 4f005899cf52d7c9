"""With what a request was made, out of what it says of itself: enough to tell programs apart, too little to tell people
apart. Pure.
"""

from __future__ import annotations

import re

BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_product = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,39}(?:/[0-9][0-9.]{0,19})?")


def client_of(user_agent: str) -> str:
    """The browser with its system, or the program with its version: `Firefox on Linux`, `python-requests/2.32.3`; empty
    where it says nothing of the kind."""
    if user_agent.startswith("Mozilla/"):
        browser = next((name for sign, name in BROWSERS if sign in user_agent), "a browser")
        system = next((name for sign, name in SYSTEMS if sign in user_agent), "")
        return f"{browser} on {system}" if system else browser
    found = _product.match(user_agent)
    return found[0] if found else ""
