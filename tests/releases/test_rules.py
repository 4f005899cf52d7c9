"""The state of a release, folded from facts, and what is refused."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import msgspec
import pytest

from labeling.errors import InvalidValue, NotFound
from labeling.events import DatasetDeleted
from labeling.log.event import Event, Fact, Intent, vocabulary
from releases import rules
from releases.events import ReleaseCut, ReleaseWithdrawn
from releases.rules import ReleaseState, release_stream
from releases.terms import FIRST

LOG = uuid.UUID(int=1)
RELEASE = uuid.UUID(int=2)
ANA = uuid.UUID(int=3)
NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)


def happened(*facts: Fact, offset: int = 7) -> list[Event]:
    """The facts as events of one release, the first at `offset` and one every ten offsets."""
    return [
        Event(
            log=LOG,
            stream=release_stream(RELEASE),
            version=index + 1,
            fact=fact,
            intent=Intent(author=ANA),
            event_id=uuid.UUID(int=100 + index),
            app_version="1",
            offset=offset + 10 * index,
            recorded_at=NOON + dt.timedelta(hours=index),
        )
        for index, fact in enumerate(facts)
    ]


def empty() -> ReleaseState:
    return ReleaseState(LOG, release_stream(RELEASE))


CUT = ReleaseCut(release=str(RELEASE), name="v1", description="the first")


def test_nothing_happened_to_a_release_that_was_never_cut() -> None:
    state = rules.fold(empty(), [])
    assert (state.exists, state.version, state.id) == (False, 0, RELEASE)


def test_a_release_freezes_the_offset_before_its_own_event() -> None:
    state = rules.fold(empty(), happened(CUT, offset=7))
    assert (state.exists, state.name, state.description, state.created_by) == (True, "v1", "the first", ANA)
    assert (state.cut_offset, state.at_offset, state.created_at) == (7, 6, NOON)


def test_a_withdrawn_release_still_knows_what_it_froze() -> None:
    state = rules.fold(empty(), happened(CUT, ReleaseWithdrawn(), offset=7))
    assert not state.exists
    assert (state.name, state.cut_offset, state.last_offset, state.version) == ("v1", 7, 17, 2)
    assert state.created_at == NOON


def test_folding_leaves_the_state_before_as_it_was() -> None:
    before = empty()
    rules.fold(before, happened(CUT))
    assert before == empty()


def test_an_event_of_something_else_does_not_fold() -> None:
    with pytest.raises(TypeError, match="DatasetDeleted is no event of a release"):
        rules.fold(empty(), happened(DatasetDeleted()))


def test_a_release_is_one_row() -> None:
    rows = rules.rows(rules.fold(empty(), happened(CUT, ReleaseWithdrawn()))).put
    assert rows == {
        "releases_release": [
            {
                "id": RELEASE,
                "dataset_id": LOG,
                "last_offset": 17,
                "version": 2,
                "name": "v1",
                "description": "the first",
                "cut_offset": 7,
                "frozen_offset": 6,
                "choice": {},
                "terms": {},
                "withdrawn": True,
                "created_by": ANA,
                "created_at": NOON,
            }
        ]
    }


def test_cutting_says_which_release_it_is() -> None:
    assert rules.cut(empty(), name="v1", description="the first") == [msgspec.structs.replace(CUT, manifest=2)]
    assert rules.cut(empty(), name="v1", description="the first", terms=FIRST) == [CUT]


def test_withdrawing_a_release_is_an_event() -> None:
    assert rules.withdraw(rules.fold(empty(), happened(CUT))) == [ReleaseWithdrawn()]


@pytest.mark.parametrize("facts", [[], [CUT, ReleaseWithdrawn()]], ids=["never cut", "withdrawn before"])
def test_withdrawing_what_is_not_there_is_refused(facts: list[Fact]) -> None:
    with pytest.raises(NotFound):
        rules.withdraw(rules.fold(empty(), happened(*facts)))


@pytest.mark.parametrize("name", ["1", "v1", "v1.1 (beta)", "a" * 128, "2026-01-02, noon", "a+b_c"])
def test_a_name_that_can_stand_in_a_path_is_taken(name: str) -> None:
    assert rules.checked_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", " a", "a ", ".", "..", "-a", "a/b", "a\\b", "a?", "a#b", "a%2Fb", "a\0b", "a\n", "a\nb", "a" * 129),
        *("\u202ereversed", "caf\u00e9", None, 5, True, [], {}),
    ],
)
def test_a_name_that_cannot_is_refused(name: Any) -> None:
    with pytest.raises(InvalidValue) as refused:
        rules.checked_name(name)
    assert refused.value.field == "name"


def test_a_description_may_be_missing() -> None:
    assert (rules.checked_description(None), rules.checked_description("x" * 10_000)) == ("", "x" * 10_000)


@pytest.mark.parametrize("description", ["x" * 10_001, 5, True, [], {}])
def test_a_description_that_is_no_short_text_is_refused(description: Any) -> None:
    with pytest.raises(InvalidValue) as refused:
        rules.checked_description(description)
    assert refused.value.field == "description"


@pytest.mark.parametrize(
    ("name", "data", "fact"),
    [
        ("ReleaseCut", {"release": str(RELEASE), "name": "v1", "description": "the first"}, CUT),
        ("ReleaseCut", {"release": str(RELEASE), "name": "v1"}, ReleaseCut(release=str(RELEASE), name="v1")),
        ("ReleaseWithdrawn", {}, ReleaseWithdrawn()),
    ],
)
def test_what_was_stored_decodes(name: str, data: dict[str, Any], fact: Fact) -> None:
    assert vocabulary.decode(name, 1, data) == fact
    assert msgspec.to_builtins(fact) == data
