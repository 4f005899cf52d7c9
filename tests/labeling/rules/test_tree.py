"""The Merkle tree over a log: against a slow reference and the known vectors of RFC 6962, and its proofs against the
program that checks them without Palimpsest."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.rules import tree
from releases import check_bundle, check_proof

#: The leaves of the test vectors of Certificate Transparency, and the roots over the first 1, 2 … 8 of them.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = """
6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125
aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77
d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7
4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4
76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef
ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c
5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328
""".split()


def reference(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 §2.1.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + reference(leaves[:k]) + reference(leaves[k:])).digest()


def chains(count: int) -> list[bytes]:
    return [hashlib.sha256(str(number).encode()).digest() for number in range(count)]


def subtree(leaves: list[bytes]) -> tree.Subtree:
    return lambda first, after: reference(leaves[first:after])


@pytest.mark.parametrize("count", range(1, 9))
def test_the_roots_are_those_of_the_known_vectors(count):
    assert tree.root_of(tree.grown([], 0, LEAVES[:count])).hex() == ROOTS[count - 1]


def test_a_tree_grows_to_what_the_reference_says_in_whatever_steps():
    for count in range(70):
        leaves = chains(count)
        assert tree.root_of(tree.grown([], 0, leaves)) == reference(leaves)
        peaks: list[bytes] = []
        for number, chain in enumerate(leaves):
            check_bundle.tree_put(peaks, number, chain)
        assert peaks == tree.grown([], 0, leaves) == [reference(leaves[a:b]) for a, b in tree.spans_of(count)]
        assert not count or check_bundle.tree_root(peaks) == reference(leaves)


@given(st.lists(st.integers(0, 90), max_size=8))
def test_it_grows_step_by_step_as_at_once(steps):
    peaks: list[bytes] = []
    size = 0
    for step in steps:
        peaks = tree.grown(peaks, size, chains(size + step)[size:])
        size += step
    assert peaks == tree.grown([], 0, chains(size))


def test_every_leaf_of_every_tree_is_proved_and_nothing_else():
    for count in range(1, 40):
        leaves = chains(count)
        root = reference(leaves)
        for index, chain in enumerate(leaves):
            path = tree.inclusion_path(index, count, subtree(leaves))
            leaf = check_bundle.tree_leaf(chain)
            assert len(path) <= count.bit_length()
            assert check_proof.is_included(index, count, leaf, path, root)
            for other in range(count):
                assert other == index or not check_proof.is_included(other, count, leaf, path, root)
            assert not check_proof.is_included(index, count, check_bundle.tree_leaf(b"x"), path, root)
            assert not check_proof.is_included(index, count, leaf, [*path, root], root)
            assert not path or not check_proof.is_included(index, count, leaf, path[:-1], root)
            assert not check_proof.is_included(count, count, leaf, path, root)


def test_every_beginning_of_every_tree_is_proved_and_nothing_else():
    for later in range(1, 40):
        leaves = chains(later)
        root = reference(leaves)
        for size in range(1, later + 1):
            path = tree.consistency_path(size, later, subtree(leaves))
            first = reference(leaves[:size])
            assert check_proof.is_consistent(size, later, first, root, path)
            other = reference([*leaves[: size - 1], b"another"])
            assert not check_proof.is_consistent(size, later, other, root, path)
            assert not check_proof.is_consistent(size, later, first, reference([b"another", *leaves[1:]]), path)
            assert not check_proof.is_consistent(size, later, first, root, [*path, root])
            if size < later:
                assert not check_proof.is_consistent(size, later, first, root, path[:-1])
                assert not check_proof.is_consistent(later, size, root, first, path)
            for wrong in {1, size - 1, size + 1} - {size}:
                assert not check_proof.is_consistent(wrong, later, first, root, path)


@given(st.data())
def test_a_bent_path_proves_nothing(data):
    count = data.draw(st.integers(2, 200))
    leaves = chains(count)
    index, size = data.draw(st.integers(0, count - 1)), data.draw(st.integers(1, count - 1))
    bit = data.draw(st.integers(0, 255))

    def bent(path: list[bytes]) -> list[bytes]:
        place = data.draw(st.integers(0, len(path) - 1))
        number = int.from_bytes(path[place]) ^ (1 << bit)
        return [*path[:place], number.to_bytes(32), *path[place + 1 :]]

    path = tree.inclusion_path(index, count, subtree(leaves))
    leaf, root = check_bundle.tree_leaf(leaves[index]), reference(leaves)
    assert check_proof.is_included(index, count, leaf, path, root)
    assert not check_proof.is_included(index, count, leaf, bent(path), root)
    path = tree.consistency_path(size, count, subtree(leaves))
    first = reference(leaves[:size])
    assert check_proof.is_consistent(size, count, first, root, path)
    assert not check_proof.is_consistent(size, count, first, root, bent(path))
