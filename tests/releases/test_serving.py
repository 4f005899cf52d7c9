"""A release file on its way to a reader: the public address and usernames are put in, and nothing else changes."""

from __future__ import annotations

import io
import json
import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labeling.log import values
from releases import serving
from releases.serving import pieces

HOST = "https://labels.example.org"
ANA, BEN = uuid.UUID(int=10), uuid.UUID(int=11)
TOKEN = "T0ken-_" * 4 + "T0ke"
MARK = b'"created_by": "%b"'


def marked(person: uuid.UUID) -> bytes:
    return MARK % str(person).encode()


def served(raw: bytes, names: dict[uuid.UUID, str] | None = None) -> bytes:
    return b"".join(pieces(io.BytesIO(raw), public_url=HOST, usernames=lambda asked: names or {}))


def test_an_empty_file_is_served_as_nothing() -> None:
    assert served(b"") == b""


def test_references_get_the_public_address() -> None:
    raw = b'{"url":"/media/%b/a.png"}' % TOKEN.encode()
    assert json.loads(served(raw)) == {"url": f"{HOST}/media/{TOKEN}/a.png"}


def test_people_get_their_usernames() -> None:
    assert served(b"{%b}" % marked(ANA), {ANA: "ana"}) == b'{"created_by":"ana"}'


def test_a_person_without_an_account_stays_an_id() -> None:
    assert json.loads(served(b"{%b}" % marked(ANA))) == {"created_by": str(ANA)}


def test_a_username_cannot_break_out_of_its_text() -> None:
    assert json.loads(served(b"{%b}" % marked(ANA), {ANA: '"}\\1'})) == {"created_by": '"}\\1'}


def test_a_person_is_asked_for_once_in_a_whole_file() -> None:
    asked: list[set[uuid.UUID]] = []

    def usernames(people: set[uuid.UUID]) -> dict[uuid.UUID, str]:
        asked.append(people)
        return {ANA: "ana"}

    line = b"{%b,%b}" % (marked(ANA), b'"x":"%b"' % (b"y" * serving.PIECE_BYTES))
    raw = b"\n".join([line, line, b"{%b}" % marked(BEN), line])
    found = list(pieces(io.BytesIO(raw), public_url=HOST, usernames=usernames))
    assert asked == [{ANA}, {BEN}]
    assert len(found) > 1


def test_a_line_is_never_cut() -> None:
    line = b'{%b,"url":"/media/%b/a.png"}' % (marked(ANA), TOKEN.encode())
    filler = [b'{"x":"%b"}' % (b"y" * (serving.PIECE_BYTES - cut)) for cut in (50, 30, 10, 1)]
    raw = b"\n".join(item for pad in filler for item in (pad, line))
    whole = served(raw, {ANA: "ana"})
    assert whole.count(b'"created_by":"ana"') == whole.count(HOST.encode()) == len(filler)


#: Text made of what JSON, our marks and our references are made of.
nasty = st.text(st.sampled_from('"\\:, {}[]/u0\n') | st.sampled_from("ab1-"), max_size=20) | st.sampled_from(
    [str(ANA), f'": "{ANA}"', f"/media/{TOKEN}/", '": "', "\\", f'x": "{ANA}', '":']
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | nasty,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(nasty, inner, max_size=4),
    max_leaves=20,
)


@given(documents)
def test_nothing_that_somebody_wrote_is_taken_for_a_person(document: Any) -> None:
    raw = values.canonical(document)
    assert served(raw, {ANA: "EVE"}) == raw


@given(documents)
def test_the_marks_of_people_are_found_between_what_somebody_wrote(document: Any) -> None:
    raw = b'{"before":%b,%b,"behind":%b}' % (values.canonical(document), marked(ANA), values.canonical(document))
    assert json.loads(served(raw, {ANA: "EVE"})) == {"before": document, "created_by": "EVE", "behind": document}
