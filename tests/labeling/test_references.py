"""References to our own files lose their host on the way in and get the public one on the way out, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.references import hostless, served, untagged, with_signed_urls

HERE, PUBLIC = "http://127.0.0.1:8000", "https://label.example.org"
FILE = f"/media/{'t' * 30}-_/a.b-c.png"
OURS = {FILE, HERE + FILE, PUBLIC + FILE}
TEXTS = [*sorted(OURS), "", "x", f'see "{HERE}{FILE}"', f'"{FILE}"', f"{HERE}{FILE}?x=1", f"{HERE}/media/x/y", "\\"]
TEXTS += ["/media/short/a.png", f'\\"{HERE}{FILE}', f"{HERE}.evil.org{FILE}", f"x{HERE}{FILE}", '{"$int":"5"}']
values = st.recursive(
    st.sampled_from(TEXTS) | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=8,
)


def with_references(value: Any, reference: str) -> Any:
    """The value with `reference` in the place of every reference of ours."""
    if isinstance(value, list):
        return [with_references(item, reference) for item in value]
    if isinstance(value, dict):
        return {name: with_references(item, reference) for name, item in value.items()}
    return reference if value in OURS else value


@pytest.mark.parametrize(
    "sent, stored",
    [
        (HERE + FILE, FILE),
        (PUBLIC + FILE, FILE),
        (FILE, FILE),
        (f'see "{HERE}{FILE}"', f'see "{HERE}{FILE}"'),
        (f"{HERE}{FILE}?x=1", f"{HERE}{FILE}?x=1"),
        (f"{HERE}/media/x/y", f"{HERE}/media/x/y"),
        (f"https://example.org{FILE}", f"https://example.org{FILE}"),
        (f"{HERE}.evil.org{FILE}", f"{HERE}.evil.org{FILE}"),
    ],
)
def test_only_a_reference_to_a_file_of_ours_loses_its_host(sent, stored):
    raw = json.dumps({"a": [sent], sent: 1}).encode()
    assert json.loads(hostless(raw, [HERE, PUBLIC])) == {"a": [stored], stored: 1}


@given(values)
def test_nothing_but_references_is_touched(value):
    stored = hostless(json.dumps(value).encode(), [HERE, PUBLIC])
    assert json.loads(stored) == with_references(value, FILE)
    assert json.loads(served(stored, PUBLIC)) == with_references(value, PUBLIC + FILE)


def test_long_integers_stand_as_numbers_again_and_texts_stay():
    assert untagged(b'{"a":{"$int":"1700000000000000001"}}') == b'{"a":1700000000000000001}'
    text = json.dumps({"a": '{"$int":"5"}'}).encode()
    assert untagged(text) == text


@pytest.mark.parametrize(
    "document, signed",
    [
        (None, None),
        ({}, {}),
        ({"url": FILE}, {"url": FILE, "signed_url": FILE}),
        ({"url": FILE, "signed_url": None, "a": 1}, {"url": FILE, "signed_url": FILE, "a": 1}),
        ([{"pcd": {"url": FILE}}, FILE], [{"pcd": {"url": FILE, "signed_url": FILE}}, FILE]),
        *(({"url": url}, {"url": url}) for url in ("", None, 5, "url", HERE + FILE, FILE + "/x", "/media/short/a.png")),
    ],
)
def test_a_file_of_ours_gets_a_signed_url_on_a_copy(document: Any, signed: Any) -> None:
    before = json.dumps(document)
    assert with_signed_urls(document) == signed
    assert json.dumps(document) == before
