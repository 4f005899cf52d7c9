"""Markdown as a page shows it: CommonMark with tables and strike-through, of which nothing becomes HTML by itself.

Raw HTML is shown as the text that it is. A link leads to the web, to a mail address or to a place of ours, and to
nothing that runs; a picture is shown where it was uploaded here and is a link otherwise, because the policy of the
pages (admin.csp) loads nothing from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from labeling.references import is_ours

#: A page has a title and its panels have headings, so those of a text begin below these.
DEEPER = 2
#: Reading a character takes up to 10 µs, and who opens a page should not wait for more than a second.
MOST = 100_000
SCHEMES = ("http://", "https://", "mailto:")
ALIGNED = {"text-align:right": "right", "text-align:center": "centre"}


@lru_cache(maxsize=16)
def rendered(text: str) -> SafeString:
    """The HTML of a text in Markdown, safe to stand in a page; a text of more than MOST characters stays as it is."""
    if len(text) > MOST:
        return format_html("<pre>{}</pre>", text)
    return mark_safe(_reader.render(text))


class _Reader(MarkdownIt):
    """Knows what a link may lead to."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the library's name
        """Whether an address, normalized by the library, may be linked; else what was written stands as text."""
        head = url.lower()
        return head.startswith(SCHEMES) or ":" not in head.split("/")[0].split("?")[0].split("#")[0]


def _fit(state: StateCore) -> None:
    """Make what was read fit into a page."""
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + DEEPER, 6)}"
        elif token.type in ("th_open", "td_open"):
            style = token.attrs.pop("style", None)  # which the policy would refuse
            if style in ALIGNED:
                token.attrSet("class", ALIGNED[str(style)])
        elif token.children is not None:
            token.children = list(_inline(token.children))


def _inline(tokens: list[Token]) -> Iterator[Token]:
    is_linked = False
    for token in tokens:
        if token.type in ("link_open", "link_close"):
            is_linked = token.nesting > 0
            if is_linked:
                token.attrSet("rel", "noopener nofollow")
        if token.type != "image":
            yield token
            continue
        address = str(token.attrGet("src") or "")
        local = address.removeprefix(settings.PUBLIC_URL)
        if is_ours(local):
            token.attrSet("src", local)
            yield token
            continue
        words = Token("text", "", 0, content=token.content or address)
        if is_linked:
            yield words
        else:
            yield Token("link_open", "a", 1, attrs={"href": address, "rel": "noopener nofollow"})
            yield words
            yield Token("link_close", "a", -1)


_reader = _Reader("commonmark", {"html": False}).enable(["table", "strikethrough"])
_reader.core.ruler.push("fit", _fit)
