"""What a content policy would refuse in a page: inline scripts, inline styles, handlers, foreign addresses."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlsplit

LOADING = {"script": "src", "link": "href", "img": "src", "form": "action"}
#: Data for a script is no script.
DATA = {"application/json"}


class Refused(HTMLParser):
    """Collects what the policy refuses in the HTML that is fed to it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "style":
            self.found.append("<style>")
        if tag == "script" and not attributes.get("src") and attributes.get("type") not in DATA:
            self.found.append("<script>")
        if tag in ("iframe", "object", "embed", "base"):
            self.found.append(f"<{tag}>")
        for name, value in attributes.items():
            if name == "style" or name.startswith("on"):
                self.found.append(f"<{tag} {name}>")
            if (value or "").strip().lower().startswith("javascript:"):
                self.found.append(f"<{tag} {name}=javascript:>")
        address = attributes.get(LOADING.get(tag, ""))
        if address and (urlsplit(address).scheme not in ("", "data") or address.startswith("//")):
            self.found.append(f"<{tag}> from {address}")


def refused(html: str) -> list[str]:
    """Everything in a page that the policy would refuse."""
    parser = Refused()
    parser.feed(html)
    parser.close()
    return parser.found
