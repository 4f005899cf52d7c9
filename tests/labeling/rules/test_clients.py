"""With what a request was made, in few words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.rules.clients import client_of

LINUX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    "said, shown",
    [
        ("", ""),
        ("python-requests/2.32.3", "python-requests/2.32.3"),
        ("curl/8.5.0 (x86_64-pc-linux-gnu)", "curl/8.5.0"),
        ("Svix", "Svix"),
        (LINUX, "Chrome on Linux"),
        (f"{LINUX} Edg/142.0.0.0", "Edge on Linux"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Safari/604.1", "Safari on iOS"),
        ("Mozilla/5.0", "a browser"),
        ("ana@example.org", "ana"),
        ("<script>", ""),
        ("\x00", ""),
        ("ü", ""),
    ],
)
def test_a_client_in_few_words(said, shown):
    assert client_of(said) == shown


@given(st.text(max_size=500))
def test_whatever_it_says_it_is_short_and_plain(said):
    found = client_of(said)
    assert len(found) <= 61 and found.isascii() and found.isprintable()
