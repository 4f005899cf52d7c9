from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest

from labeling.admin import words
from labeling.log.browse import Headline
from labeling.log.event import vocabulary

LOG, COMMAND, OTHER = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()


def headline(type_name: str, data: dict[str, Any] | None = None, *, command: uuid.UUID = COMMAND) -> Headline:
    return Headline(
        log=LOG,
        offset=1,
        stream="dataset",
        version=1,
        type=type_name,
        author=OTHER,
        author_kind="person",
        on_behalf_of=None,
        tool=None,
        command=command,
        recorded_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        data=data,
    )


@pytest.mark.parametrize("name", vocabulary.names())
def test_every_event_type_has_words_of_its_own(name: str) -> None:
    assert name in words.PHRASES
    assert words.phrase(name, None)
    assert words.phrase(name, {})
    assert "{" not in words.phrase(name, {}, 3)


def test_a_type_that_nobody_gave_words_for_is_spelled_out() -> None:
    assert words.phrase("TrackSplitApart", {}) == "track split apart"
    assert words.phrase("TrackSplitApart", {}, 2) == "track split apart, 2 times"


def test_the_gist_of_a_command_counts_what_it_did_in_its_order() -> None:
    added = {"geometry": {"type": "bbox"}}
    status = {"after": "LABELING_IN_PROGRESS"}

    assert words.gist([headline("AnnotationAdded", added)]) == "added an object (bbox)"
    several = [headline("AnnotationAdded", added), headline("LabelStatusChanged", status), headline("AnnotationAdded")]
    assert words.gist(several) == "added 2 objects, set the status to labeling in progress"
    many = ["AnnotationAdded", "AnnotationRemoved", "LabelScoreSet", "LabelDeleted", "BitmapPatched"]
    assert words.gist([headline(name) for name in many]).endswith("set the label's score and 2 more")


def test_neighbours_of_one_command_are_told_together_the_oldest_first() -> None:
    first, second = headline("AnnotationAdded"), headline("LabelStatusChanged")
    third = headline("LabelDeleted", command=OTHER)

    assert words.together([]) == []
    assert words.together([third, second, first]) == [[third], [first, second]]
    assert words.together([second, third, first]) == [[second], [third], [first]]
