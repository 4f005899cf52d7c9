"""Our own deflate: every zlib unpacks it, and its bytes are fixed."""

from __future__ import annotations

import hashlib
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.geometry.deflate import Packer, deflated

RUNS = st.lists(st.tuples(st.integers(0, 255), st.integers(1, 600)), max_size=30)


@given(RUNS)
def test_zlib_unpacks_runs_of_any_length(runs: list[tuple[int, int]]) -> None:
    data = b"".join(bytes([byte]) * length for byte, length in runs)
    assert zlib.decompress(deflated(data)) == data


@given(st.binary(max_size=300))
def test_zlib_unpacks_any_bytes(data: bytes) -> None:
    assert zlib.decompress(deflated(data)) == data


@pytest.mark.parametrize("length", [*range(1, 6), *range(256, 264), 515, 516, 517, 518, 519])
def test_every_length_of_a_run_is_exact(length: int) -> None:
    data = b"a" + b"\xff" * length + b"b"
    assert zlib.decompress(deflated(data)) == data


def test_a_stream_may_be_written_in_pieces() -> None:
    packer = Packer()
    pieces = [b"", b"aaaa", b"a", b"bc" * 70_000]
    packed = b"".join(map(packer.compress, pieces)) + packer.flush()
    assert zlib.decompress(packed) == b"".join(pieces)


def test_the_bytes_are_fixed_for_ever() -> None:
    data = np.random.default_rng(1).integers(0, 3, 5000).astype(np.uint8).repeat(7).tobytes()
    packed = deflated(data)
    assert len(packed) < len(data) / 3
    assert (len(packed), hashlib.sha256(packed).hexdigest()) == FIXED


FIXED = (8464, "6add0664c7204d91b24b07d2496ebcc46108314b6ba623c5a57a7c0a002dede0")
