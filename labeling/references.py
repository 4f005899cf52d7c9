"""What differs between a stored JSON text and a served one: references to our own files, and tagged integers.

References have no host where they are stored and the public address where they are served. Nearly all of this works on
the bytes of a JSON text, because a document may hold them anywhere and walking it would cost more than all else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

#: Members that may hold integers beyond 2**53-1: clocks of nanoseconds.
WIDE = ("timestamp", "timestamps")
MEDIA = b'"/media/'
# Only what has the form of one of our tokens is ours; somebody's text that begins with /media/ stays as it is.
_PATH = r"/media/[A-Za-z0-9_-]{32}/[A-Za-z0-9._-]+"
_FILE = b"(" + _PATH.encode() + b'")'
_ours = re.compile(rb'(?<!\\)"' + _FILE)
_token = re.compile(rb'(?<!\\)"/media/([A-Za-z0-9_-]{32})/[A-Za-z0-9._-]+"')
#: The longest reference of ours, so that a stream can be served in pieces without cutting one in two.
LONGEST = 200
# Nanosecond times are longer than what a float holds, so they are stored as text; no client can send this form.
_tagged = re.compile(rb'\{"\$int":"(-?[0-9]+)"\}')


def hostless(raw: bytes, hosts: Iterable[str]) -> bytes:
    """A JSON text in which every url of ours has lost its host; a quoted one inside of a text is not touched."""
    for host in hosts if b"/media/" in raw else ():
        raw = re.sub(rb'(?<!\\)"' + re.escape(host.encode()) + _FILE, rb'"\1', raw)
    return raw


def served(raw: bytes, public_url: str) -> bytes:
    """A JSON text in which every url of ours has the public address."""
    if MEDIA not in raw:
        return raw
    return _ours.sub(b'"' + public_url.encode().replace(b"\\", b"\\\\") + rb"\1", raw)


def tokens_in(raw: bytes) -> list[bytes]:
    """The tokens of all files of ours that a stored JSON text refers to."""
    return _token.findall(raw) if MEDIA in raw else []


def is_ours(text: str) -> bool:
    """Whether a text is the host-less url of a file of ours."""
    return re.fullmatch(_PATH, text) is not None


def with_signed_urls(document: Any) -> Any:
    """A copy in which every file of ours has a signed_url beside its url: the same, which nobody can guess."""
    if isinstance(document, dict):
        copied = {key: with_signed_urls(item) for key, item in document.items()}
        url = document.get("url")
        return copied | {"signed_url": url} if isinstance(url, str) and is_ours(url) else copied
    return [with_signed_urls(item) for item in document] if isinstance(document, list) else document


def untagged(raw: bytes) -> bytes:
    """A JSON text in which long integers stand as numbers again."""
    return _tagged.sub(rb"\1", raw) if b'{"$int":"' in raw else raw
