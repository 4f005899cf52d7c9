"""The Merkle tree over the chain hashes of a log (RFC 9162 §2.1, with SHA-256): its root, and proofs by it. Pure.

The leaf of index n - 1 is the chain hash of event n, so a tree of n leaves is of the first n events. It is kept by its
peaks: the roots of its perfect subtrees, the largest first, one for each bit that is set in n (a compact range). So it
grows by an event for two hashes on average, however large it is. The chain shows what was changed in a log that one has
as a whole; the tree shows with a few dozen hashes that one event is in it, or that one checkpoint's log begins with
another's.

`releases/check_proof.py` checks the proofs without Palimpsest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

#: (first, after) → the root of the tree over the leaves first … after - 1.
Subtree = Callable[[int, int], bytes]


def leaf(chain: bytes) -> bytes:
    """The hash of a leaf (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\x00" + chain).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def grown(peaks: Sequence[bytes], size: int, chains: Iterable[bytes]) -> list[bytes]:
    """The peaks of a tree of `size` leaves that those of `chains` are put behind."""
    found = list(peaks)
    for number, chain in enumerate(chains, size):
        one = leaf(chain)
        while number & 1:
            one, number = node(found.pop(), one), number >> 1
        found.append(one)
    return found


def root_of(peaks: Sequence[bytes]) -> bytes:
    """The root of the tree with these peaks."""
    if not peaks:
        return hashlib.sha256(b"").digest()
    found = peaks[-1]
    for peak in reversed(peaks[:-1]):
        found = node(peak, found)
    return found


def spans_of(size: int) -> list[tuple[int, int]]:
    """(first, after) of the leaves below each peak of a tree of `size`."""
    found, first = [], 0
    for bit in reversed(range(size.bit_length())):
        if size >> bit & 1:
            found.append((first, first + (1 << bit)))
            first += 1 << bit
    return found


def middle_of(first: int, after: int) -> int:
    """Where a tree of two leaves or more parts: behind the largest power of two that is less than its size."""
    return first + (1 << (after - first - 1).bit_length() - 1)


def inclusion_path(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """What proves that a leaf is in a tree: the hashes beside its way up, from the leaf on (RFC 9162 §2.1.3.1)."""
    found, first, after = [], 0, size
    while after - first > 1:
        middle = middle_of(first, after)
        if index < middle:
            found.append(subtree(middle, after))
            after = middle
        else:
            found.append(subtree(first, middle))
            first = middle
    return found[::-1]


def consistency_path(size: int, later: int, subtree: Subtree) -> list[bytes]:
    """What proves that a tree of `later` leaves begins with one of `size`, 0 < size <= later (RFC 9162 §2.1.4.1)."""
    found, first, after, is_whole = [], 0, later, True
    while after != size:
        middle = middle_of(first, after)
        if size <= middle:
            found.append(subtree(middle, after))
            after = middle
        else:
            found.append(subtree(first, middle))
            first, is_whole = middle, False
    if not is_whole:
        found.append(subtree(first, after))
    return found[::-1]
