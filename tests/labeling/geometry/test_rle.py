from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as peer

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap, box_of
from labeling.geometry.rasterize import Spans

MAX_PIXELS = 10**6
# a part of the published results of cocodataset/cocoapi, licence beside it
PUBLISHED = json.loads((Path(__file__).parents[2] / "data" / "coco_rle" / "masks.json").read_text())

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))


def encoded_by_peer(mask: np.ndarray) -> dict[str, Any]:
    result = peer.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(result["size"]), "counts": result["counts"].decode()}


@given(masks)
def test_packed_text_is_that_of_pycocotools(mask: np.ndarray) -> None:
    assert rle.encode(mask, compressed=True) == encoded_by_peer(mask)


@given(masks, st.booleans())
def test_a_mask_comes_back_from_its_run_lengths(mask: np.ndarray, compressed: bool) -> None:
    encoded = rle.encode(mask, compressed=compressed)
    decoded = rle.decode(json.loads(json.dumps(encoded)), max_pixels=MAX_PIXELS)
    assert decoded.dtype == bool
    assert np.array_equal(decoded, mask)
    assert rle.area(encoded, max_pixels=MAX_PIXELS) == mask.sum()
    assert rle.box_of_runs(encoded, max_pixels=MAX_PIXELS) == box_of(mask)


@given(masks)
def test_lists_hold_the_same_runs_as_packed_text(mask: np.ndarray) -> None:
    listed, packed = rle.encode(mask), rle.encode(mask, compressed=True)
    assert listed["counts"] == rle.counts_of(packed, max_pixels=MAX_PIXELS).tolist()
    assert peer.frPyObjects(listed, *mask.shape)["counts"].decode() == packed["counts"]


@pytest.mark.parametrize("number", range(len(PUBLISHED)))
def test_a_published_mask_is_read_and_written_byte_for_byte(number: int) -> None:
    published = PUBLISHED[number]
    mask = rle.decode(published, max_pixels=MAX_PIXELS)
    assert np.array_equal(mask, peer.decode({**published, "counts": published["counts"].encode()}).astype(bool))
    assert rle.encode(mask, compressed=True) == published
    assert rle.area(published, max_pixels=MAX_PIXELS) == mask.sum() > 0
    assert rle.box_of_runs(published, max_pixels=MAX_PIXELS) == box_of(mask)


@pytest.mark.parametrize(
    ("mask", "counts"),
    [
        (np.zeros((2, 3), bool), [6]),
        (np.ones((2, 3), bool), [0, 6]),
        (np.array([[0, 1], [1, 0]], bool), [1, 2, 1]),
        (np.array([[1, 0], [0, 1]], bool), [0, 1, 2, 1]),
        (np.ones((1, 1), bool), [0, 1]),
    ],
)
def test_runs_go_down_the_columns_and_begin_with_unset_pixels(mask: np.ndarray, counts: list[int]) -> None:
    assert rle.encode(mask)["counts"] == counts


def test_a_mask_that_is_no_contiguous_array_is_encoded_as_it_looks() -> None:
    mask = np.random.default_rng(3).random((40, 60)) < 0.3
    assert rle.encode(mask[::2, ::-3]) == rle.encode(mask[::2, ::-3].copy())


def test_empty_runs_between_others_are_read() -> None:
    mask = rle.decode({"size": [2, 2], "counts": [0, 1, 0, 1, 2]}, max_pixels=4)
    assert mask.tolist() == [[True, False], [True, False]]
    assert rle.box_of_runs({"size": [2, 2], "counts": [1, 0, 2, 1]}, max_pixels=4) == [1, 1, 2, 2]


def test_a_run_longer_than_32_bits_is_packed_and_read() -> None:
    size = [100_000, 100_000]
    for counts in ([9_999_999_999, 1], [0, 10**10], [5, 1, 9_999_999_000, 2, 992]):
        text = rle._texts(np.array(counts), np.array([len(counts)]))[0]
        assert rle.counts_of({"size": size, "counts": text}, max_pixels=10**10).tolist() == counts


@pytest.mark.parametrize(
    "mask", [np.zeros((0, 3), bool), np.zeros((3, 0), bool), np.zeros(3, bool), np.zeros((1, 1, 1), bool)]
)
def test_what_is_no_mask_is_not_encoded(mask: np.ndarray) -> None:
    with pytest.raises(BadBitmap):
        rle.encode(mask)


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        [],
        "11",
        {},
        {"size": [2, 2]},
        {"counts": [4]},
        {"size": [2], "counts": [2]},
        {"size": [2, 2, 1], "counts": [4]},
        {"size": "22", "counts": [4]},
        {"size": [2, 2.0], "counts": [4]},
        {"size": [True, 4], "counts": [4]},
        {"size": [0, 4], "counts": []},
        {"size": [-2, -2], "counts": [4]},
        {"size": [2, 2], "counts": []},
        {"size": [2, 2], "counts": ""},
        {"size": [2, 2], "counts": [3]},
        {"size": [2, 2], "counts": [5]},
        {"size": [2, 2], "counts": [5, -1]},
        {"size": [2, 2], "counts": [4.0]},
        {"size": [2, 2], "counts": [True, 3]},
        {"size": [2, 2], "counts": ["4"]},
        {"size": [2, 2], "counts": [10**30]},
        {"size": [2, 2], "counts": {"0": 4}},
        {"size": [2, 2], "counts": b"4"},
        {"size": [2, 2], "counts": "3"},
        {"size": [2, 2], "counts": "5"},
        {"size": [2, 2], "counts": "4\n"},
        {"size": [2, 2], "counts": "4é"},
        {"size": [2, 2], "counts": "\ud800"},
        {"size": [2, 2], "counts": "d"},
        {"size": [2, 2], "counts": "o" * 50},
        {"size": [2, 2], "counts": "o" * 50 + "1"},
        {"size": [2, 2], "counts": "oooooo?"},
        {"size": [1001, 1000], "counts": [1_001_000]},
        {"size": [10**12, 10**12], "counts": "1"},
    ],
)
def test_nonsense_is_refused(nonsense: Any) -> None:
    with pytest.raises(BadBitmap):
        rle.decode(nonsense, max_pixels=MAX_PIXELS)


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=20), st.integers(1, 9), st.integers(1, 9))
def test_arbitrary_text_is_refused_or_read_as_a_whole_mask(text: str, height: int, width: int) -> None:
    encoded = {"size": [height, width], "counts": text}
    try:
        mask = rle.decode(encoded, max_pixels=81)
    except BadBitmap:
        return
    assert mask.shape == (height, width)
    assert np.array_equal(mask, peer.decode({"size": [height, width], "counts": text.encode()}).astype(bool))


@pytest.mark.parametrize("at_a_time", [1, 5, 1 << 16])
def test_run_lengths_of_many_objects_at_once_are_those_of_each_mask(
    at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rle, "_RUNS", at_a_time)
    chance = np.random.default_rng(8)
    for _ in range(40):
        height, width = chance.integers(1, 9, 2).tolist()
        shape = (chance.integers(0, 6), height, width)
        all_masks = chance.random(shape) < chance.choice([0.0, 0.3, 0.8, 1.0], (shape[0], 1, 1))
        owner, place = np.nonzero(all_masks.transpose(0, 2, 1).reshape(shape[0], height * width))
        # every pixel a run of its own, some twice
        again = chance.random(owner.size) < 0.2
        owner, place = np.concatenate([owner, owner[again]]), np.concatenate([place, place[again]])
        order = np.argsort(owner, kind="stable")
        spans = Spans(owner[order], place[order], place[order] + 1)
        for compressed in (False, True):
            found = rle.of_spans(spans, len(all_masks), height, width, compressed=compressed)
            assert found == [rle.encode(mask, compressed=compressed) for mask in all_masks]


def test_a_box_of_a_mask_is_decoded_without_the_rest() -> None:
    mask = np.random.default_rng(5).random((30, 40)) < 0.4
    encoded = rle.encode(mask)
    for box in ([0, 0, 40, 30], [3, 4, 20, 9], [39, 29, 40, 30], [0, 5, 1, 6]):
        x0, y0, x1, y1 = box
        assert np.array_equal(rle.decode_box(encoded, box), mask[y0:y1, x0:x1])


@given(masks)
def test_the_hash_is_of_the_mask_whatever_its_runs_look_like(mask: np.ndarray) -> None:
    found = rle.hash_of_runs(rle.encode(mask))
    assert found == rle.hash_of_runs(rle.encode(mask, compressed=True))
    counts = rle.encode(mask)["counts"]
    cut = [*counts[:-1], counts[-1] - 1, 0, 1] if counts[-1] > 1 else [*counts, 0]
    assert found == rle.hash_of_runs({"size": list(mask.shape), "counts": cut})
    other = mask.copy()
    other[0, -1] = not other[0, -1]
    assert found != rle.hash_of_runs(rle.encode(other))


def test_the_hash_is_the_documented_one_and_knows_the_size() -> None:
    runs = {"size": [2, 3], "counts": [1, 2, 3]}
    wanted = hashlib.sha256(b"palimpsest-runs-1" + struct.pack("<IIQQ", 3, 2, 1, 3)).hexdigest()
    assert rle.hash_of_runs(runs) == wanted != rle.hash_of_runs({"size": [3, 2], "counts": [1, 2, 3]})
