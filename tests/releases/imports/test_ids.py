"""Ids of what an import makes: theirs alone, the same each time, and in the order of the file."""

from __future__ import annotations

import itertools
import uuid

from releases.imports.ids import Ids, object_id


def test_they_are_uuids_in_the_order_of_the_file() -> None:
    ids = Ids(uuid.UUID(int=1))
    found = [
        made
        for record in (1, 2, 2**34 - 1)
        for made in (ids.of_sample(record), *(object_id(ids.of_record(record), number) for number in (1, 2**28 - 1)))
    ]
    assert found == sorted(found) and len(set(found)) == len(found)
    for text in found:
        key = uuid.UUID(text)
        assert str(key) == text and (key.version, key.variant) == (8, uuid.RFC_4122)


def test_they_are_the_same_each_time_and_others_for_each_import() -> None:
    made = [Ids(uuid.UUID(int=number)) for number in (1, 1, 2)]
    for one, other in itertools.combinations(made, 2):
        is_same = made.index(one) == 0 and other is made[1]
        assert (one.of_sample(3) == other.of_sample(3)) is (one.of_record(3) == other.of_record(3)) is is_same
