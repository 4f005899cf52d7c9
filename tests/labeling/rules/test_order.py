"""New order numbers: the wanted sequence comes out, and as few objects as possible move."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.rules.order import kept_in_place, new_orders


@pytest.mark.parametrize(
    "orders, kept",
    [
        ([], []),
        ([3.0], [0]),
        ([1.0, 2.0, 3.0], [0, 1, 2]),
        ([3.0, 2.0, 1.0], [2]),
        ([1.0, 3.0, 2.0], [0, 2]),
        ([5.0, 1.0, 2.0, 3.0], [1, 2, 3]),
        ([2.0, 3.0, 4.0, 1.0], [0, 1, 2]),
    ],
)
def test_the_longest_run_that_is_in_order_stays(orders, kept):
    assert kept_in_place([(order, index) for index, order in enumerate(orders)]) == kept


def test_equal_numbers_stay_where_the_ids_ascend():
    assert kept_in_place([(1.0, 1), (1.0, 2), (1.0, 3)]) == [0, 1, 2]
    assert len(kept_in_place([(1.0, 3), (1.0, 2), (1.0, 1)])) == 1


@pytest.mark.parametrize(
    "wanted, last, orders",
    [
        ([], 0.0, []),
        ([], 7.0, []),
        ([None], 0.0, [1.0]),
        ([None, None], 4.0, [5.0, 6.0]),
        ([1.0, None], 1.0, [1.0, 2.0]),
        ([1.0, None], 9.0, [1.0, 10.0]),  # 9 was used before: no two objects ever had the same number
        ([None, 1.0], 1.0, [0.0, 1.0]),
        ([1.0, None, 2.0], 2.0, [1.0, 1.5, 2.0]),
        ([1.0, None, None, None, 2.0], 2.0, [1.0, 1.25, 1.5, 1.75, 2.0]),
        ([2.0, 1.0], 2.0, [0.0, 1.0]),
        ([1.0, 1.0], 1.0, [1.0, 1.0]),  # two people made one each at the same time: nothing moves
    ],
)
def test_the_wanted_sequence_as_numbers(wanted, last, orders):
    assert new_orders([None if order is None else (order, index) for index, order in enumerate(wanted)], last) == orders


def test_all_are_numbered_afresh_where_no_float_is_left_between_two():
    close = 1.0 + 2**-52
    assert new_orders([(1.0, 1), None, (close, 2)], 3.0) == [4.0, 5.0, 6.0]
    assert new_orders([(1.0, 1), None, (1.0, 2)], 1.0) == [2.0, 3.0, 4.0]


def test_putting_objects_between_two_others_can_go_on_for_ever():
    wanted = [(1.0, 1), (2.0, 2)]
    last = 2.0
    for number in range(3, 300):
        orders = new_orders([wanted[0], None, *wanted[1:]], last)
        assert all(low < high for low, high in itertools.pairwise(orders))
        last = max(last, *orders)
        ids = [wanted[0][1], number, *(item[1] for item in wanted[1:])]
        wanted = list(zip(orders, ids, strict=True))


keys = st.lists(st.tuples(st.integers(-5, 5).map(float), st.integers(1, 30)), unique_by=lambda key: key[1], max_size=12)


@given(keys, st.data())
def test_sorting_by_the_new_numbers_gives_the_wanted_sequence(known, data):
    wanted: list[tuple[float, int] | None] = list(known)
    for _ in range(data.draw(st.integers(0, 4))):
        wanted.insert(data.draw(st.integers(0, len(wanted))), None)
    last = max([0.0, *(order for order, _ in known)])
    orders = new_orders(wanted, last)
    ids = [100 + index if key is None else key[1] for index, key in enumerate(wanted)]
    assert [number for _, number in sorted(zip(orders, ids, strict=True))] == ids


@given(keys)
def test_what_is_in_order_moves_nothing(known):
    known.sort()
    assert new_orders(known, 5.0) == [order for order, _ in known]
