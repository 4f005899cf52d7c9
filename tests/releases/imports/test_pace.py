"""Chunks are as large as the log can take in within a part of what others may wait."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from releases.imports.pace import AIM_MS, LEAST, MOST, Pace


def test_a_slow_log_gets_small_chunks_at_once_and_a_fast_one_larger_ones_bit_by_bit() -> None:
    pace = Pace()
    pace.held(1_000, 200.0)
    assert pace.weight == 250
    sizes = []
    for _ in range(20):
        pace.held(pace.weight, pace.weight * 0.02)
        sizes.append(pace.weight)
    assert sizes == sorted(sizes) and sizes[0] < 320 and AIM_MS * 48 <= sizes[-1] <= AIM_MS * 50


def test_a_small_chunk_says_nothing_of_larger_ones() -> None:
    pace = Pace()
    before = pace.weight
    pace.held(3, 0.1)
    assert pace.weight == before


@given(st.lists(st.tuples(st.integers(1, 10_000), st.floats(0, 10_000))))
def test_it_stays_within_bounds(held: list[tuple[int, float]]) -> None:
    pace = Pace()
    for weight, ms in held:
        pace.held(weight, ms)
        assert LEAST <= pace.weight <= MOST


@given(st.floats(0.0005, 0.4), st.floats(0, 5))
def test_it_comes_to_hold_the_log_for_as_long_as_it_aims_at(each_ms: float, start_ms: float) -> None:
    pace = Pace()
    for _ in range(60):
        pace.held(pace.weight, start_ms + pace.weight * each_ms)
    held = start_ms + pace.weight * each_ms
    assert held <= AIM_MS * 1.3 or pace.weight == LEAST
    assert held >= AIM_MS * 0.6 or pace.weight == MOST
