from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, PngImagePlugin
from segments.utils import load_label_bitmap_from_url

from labeling.geometry import png
from labeling.geometry.bitmaps import Ids
from labeling.geometry.png import BadBitmap

MAX_PIXELS = 10_000
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def written_by_pillow(pixels: np.ndarray, mode: str | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    if mode == "P":
        image.putpalette(bytes(range(256)) * 3)
    image.save(file, "PNG", **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def file_of(width: int, height: int, depth: int, colour: int, lines: bytes, *extra: bytes, interlace: int = 0) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (
        SIGNATURE + chunk(b"IHDR", head) + b"".join(extra) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    )


id_maps = hnp.arrays(
    np.uint32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 2**24 - 1)
)


@given(id_maps)
def test_an_id_map_comes_back_from_its_file(ids: Ids) -> None:
    data = png.write_ids(ids)
    read = png.read_ids(data, max_pixels=MAX_PIXELS)
    assert read.dtype == np.uint32
    assert np.array_equal(read, ids)
    assert png.write_ids(read) == data


def test_a_written_file_is_what_the_protocol_says_and_pillow_reads() -> None:
    ids = np.array([[0, 70000, 255], [2**24 - 1, 65536, 1]], np.uint32)
    image = Image.open(io.BytesIO(png.write_ids(ids)))
    assert image.mode == "RGBA"
    assert np.asarray(image).tolist() == [
        [[0, 0, 0, 255], [112, 17, 1, 255], [255, 0, 0, 255]],
        [[255, 255, 255, 255], [0, 0, 1, 255], [1, 0, 0, 255]],
    ]


def test_a_map_of_many_bands_is_written_whole() -> None:
    ids = np.random.default_rng(2).integers(0, 2**24, (700, 900), dtype=np.uint32)
    data = png.write_ids(ids)
    assert np.array_equal(png.read_ids(data, max_pixels=ids.size), ids)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image)[..., 0], ids & 255)


def test_maps_of_other_integer_types_and_orders_are_written_alike() -> None:
    ids = np.arange(12, dtype=np.uint32).reshape(3, 4)
    others: tuple[Any, ...] = (ids.astype(np.uint8), ids.astype(np.int64), np.asfortranarray(ids), ids.astype(">u4"))
    for other in others:
        assert png.write_ids(other) == png.write_ids(ids)


@pytest.mark.parametrize(
    "ids",
    [
        np.zeros((0, 3), np.uint32),
        np.zeros((3, 0), np.uint32),
        np.zeros(3, np.uint32),
        np.zeros((2, 2, 4), np.uint32),
        np.zeros((2, 2), np.float64),
        np.zeros((2, 2), bool),
        np.full((2, 2), 2**24, np.uint32),
        np.full((2, 2), -1, np.int32),
    ],
)
def test_what_no_bitmap_holds_is_not_written(ids: np.ndarray) -> None:
    with pytest.raises(BadBitmap):
        png.write_ids(ids)


def test_the_sdk_reads_the_same_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.array([[0, 1, 70000], [65535, 65536, 2**24 - 1]], np.uint32)

    class Answer:
        content = png.write_ids(ids)

    monkeypatch.setattr("segments.utils.session.get", lambda *args, **kwargs: Answer())
    assert np.array_equal(load_label_bitmap_from_url("http://localhost/x.png"), ids)


@pytest.mark.parametrize(("depth", "mode"), [(np.uint8, None), (np.uint8, "P"), (np.uint16, None)])
def test_gray_and_palette_samples_are_the_ids(depth: type, mode: str | None) -> None:
    top = int(np.iinfo(depth).max)
    pixels = np.array([[0, 1, top], [7, top - 1, 200]], depth)
    read = png.read_ids(written_by_pillow(pixels, mode), max_pixels=MAX_PIXELS)
    assert read.tolist() == pixels.tolist()
    assert read.dtype == np.uint32


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("colour", [0, 3])
@pytest.mark.parametrize("width", [1, 5, 8])
def test_samples_of_few_bits_are_the_ids(bits: int, colour: int, width: int) -> None:
    samples = np.random.default_rng(bits).integers(0, 2**bits, (3, width))
    lines = b""
    for row in samples:
        text = "".join(format(sample, f"0{bits}b") for sample in row)
        text += "0" * (-len(text) % 8)
        lines += b"\0" + bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
    palette = [chunk(b"PLTE", bytes(range(3 << bits)))] if colour == 3 else []
    assert png.read_ids(file_of(width, 3, bits, colour, lines, *palette), max_pixels=99).tolist() == samples.tolist()


@pytest.mark.parametrize("alpha", [None, 255, 0])
def test_colours_are_read_as_ids_whatever_the_alpha(alpha: int | None) -> None:
    pixels = [[1, 0, 0], [112, 17, 1], [255, 255, 255]]
    array = np.array([[pixel + ([] if alpha is None else [alpha]) for pixel in pixels]], np.uint8)
    assert png.read_ids(written_by_pillow(array), max_pixels=3).tolist() == [[1, 70000, 2**24 - 1]]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (5, 3), (8, 8), (9, 17), (1, 9), (9, 1)])
def test_an_interlaced_file_is_read(height: int, width: int) -> None:
    ids = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    lines = b""
    for x, y, dx, dy in [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]:
        lines += b"".join(b"\0" + row.tobytes() for row in ids[y::dy, x::dx] if row.size)
    assert np.array_equal(png.read_ids(file_of(width, height, 8, 0, lines, interlace=1), max_pixels=999), ids)


def test_text_profiles_transparency_and_what_follows_the_end_do_not_matter() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * 100_000, zip=True)
    data = written_by_pillow(np.array([[3, 4]], np.uint8), "P", pnginfo=info, transparency=3, icc_profile=b"nonsense")
    assert png.read_ids(data + b"anything", max_pixels=2).tolist() == [[3, 4]]


def test_a_text_chunk_that_unpacks_to_a_gigabyte_is_not_unpacked() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    text = chunk(b"zTXt", b"k\0\0" + bomb)
    assert png.read_ids(file_of(1, 1, 8, 0, b"\0\x09", text), max_pixels=1).tolist() == [[9]]


def test_a_size_above_the_limit_is_refused_before_any_pixel_is_unpacked() -> None:
    for width, height in [(101, 100), (2**31 - 1, 2**31 - 1), (2**32 - 1, 1), (0, 5), (5, 0)]:
        with pytest.raises(BadBitmap, match="10000"):
            png.read_ids(file_of(width, height, 8, 6, b""), max_pixels=MAX_PIXELS)


def test_more_pixel_data_than_the_size_says_is_refused() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    head = struct.pack(">IIBBBBB", 2, 2, 8, 6, 0, 0, 0)
    data = SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", bomb) + chunk(b"IEND", b"")
    with pytest.raises(BadBitmap):
        png.read_ids(data, max_pixels=4)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG",
        SIGNATURE,
        b"GIF89a" + bytes(50),
        b"\xff\xd8\xff\xe0" + bytes(50),
        SIGNATURE + chunk(b"IEND", b""),
        SIGNATURE + chunk(b"IHDR", bytes(12)) + chunk(b"IEND", b""),
        SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)) + chunk(b"IEND", b""),
        file_of(1, 1, 16, 2, b"\0" + bytes(6)),
        file_of(1, 1, 16, 6, b"\0" + bytes(8)),
        file_of(1, 1, 8, 4, b"\0\0\0"),
        file_of(1, 1, 8, 5, b"\0\0"),
        file_of(1, 1, 3, 0, b"\0\0"),
        file_of(1, 1, 8, 3, b"\0\0"),
        file_of(1, 1, 8, 3, b"\0\0", chunk(b"PLTE", b"")),
        file_of(1, 1, 8, 3, b"\0\0", chunk(b"PLTE", bytes(4))),
        file_of(1, 1, 8, 3, b"\0\0", chunk(b"PLTE", bytes(771))),
        file_of(1, 1, 8, 0, b"\0\0", interlace=2),
        file_of(1, 1, 8, 0, b"\0\0", chunk(b"EVIL", b"")),
        file_of(1, 1, 8, 0, b"\x09\0"),
        file_of(1, 2, 8, 0, b"\0\0"),
        file_of(1, 2, 8, 0, b"\0\0\0\0\0"),
        file_of(2, 2, 8, 0, b"\0\x05\0\x06\0\x07", interlace=1),
        file_of(4, 4, 8, 0, b""),
    ],
)
def test_what_is_no_sound_bitmap_is_refused(data: bytes) -> None:
    with pytest.raises(BadBitmap) as refusal:
        png.read_ids(data, max_pixels=MAX_PIXELS)
    assert str(refusal.value).endswith(".")


def test_a_file_cut_off_anywhere_is_refused() -> None:
    data = png.write_ids(np.random.default_rng(1).integers(0, 99, (9, 9), dtype=np.uint32))
    for length in range(len(data) - 1):
        with pytest.raises(BadBitmap):
            png.read_ids(data[:length], max_pixels=81)


def test_a_changed_byte_is_refused_wherever_it_stands() -> None:
    data = bytearray(png.write_ids(np.arange(24, dtype=np.uint32).reshape(4, 6)))
    for place in range(len(data)):
        data[place] ^= 0x10
        with pytest.raises(BadBitmap):
            png.read_ids(bytes(data), max_pixels=MAX_PIXELS)
        data[place] ^= 0x10


def test_damaged_pixels_behind_right_checksums_never_escape_as_another_error() -> None:
    draw = random.Random(7)
    lines = b"".join(b"\0" + bytes(draw.randrange(256) for _ in range(32)) for _ in range(8))
    packed = bytearray(zlib.compress(lines))
    head = struct.pack(">IIBBBBB", 8, 8, 8, 6, 0, 0, 0)
    for _ in range(400):
        damaged = bytearray(packed)
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        data = SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", bytes(damaged)) + chunk(b"IEND", b"")
        try:
            ids = png.read_ids(data, max_pixels=64)
        except BadBitmap:
            continue
        assert ids.shape == (8, 8)


# -- Values, colours, packing ------------------------------------------------------------------------------------------


@pytest.fixture(params=["small", "fast", "fast without isal"])
def packing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> png.Packing:
    if request.param == "fast without isal":
        monkeypatch.setattr(png, "isal_zlib", None)
    return "small" if request.param == "small" else "fast"


def read_by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (700, 1100), (3, 40_000), (40_000, 2)])
def test_gray_values_come_back_in_pillow_and_here(dtype: type, size: tuple[int, int], packing: png.Packing) -> None:
    chance = np.random.default_rng(2)
    values = chance.integers(0, np.iinfo(dtype).max, size, dtype, endpoint=True)
    for array in (values, np.asfortranarray(values), values[::-1]):
        data = png.write_values(array, packing=packing)
        assert np.array_equal(read_by_pillow(data), array)
        assert np.array_equal(png.read_ids(data, max_pixels=10**6), array)
    assert png.kind_of(data) == ("gray", 8 * values.itemsize, size[1], size[0])


@pytest.mark.parametrize("alpha", [True, False])
def test_ids_come_back_with_and_without_alpha(alpha: bool, packing: png.Packing) -> None:
    ids = np.random.default_rng(3).integers(0, 2**24, (300, 1200), np.uint32)
    data = png.write_ids(ids, alpha=alpha, packing=packing)
    assert np.array_equal(png.read_ids(data, max_pixels=10**6), ids)
    assert png.kind_of(data) == ("rgba" if alpha else "rgb", 8, 1200, 300)
    pixels = read_by_pillow(data).astype(np.uint32)
    assert np.array_equal(pixels[..., 0] + 256 * pixels[..., 1] + 65536 * pixels[..., 2], ids)


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_come_back_in_pillow(channels: int, packing: png.Packing) -> None:
    colours = np.random.default_rng(4).integers(0, 256, (500, 800, channels), np.uint8)
    for array in (colours, colours[:, ::2], colours.transpose(1, 0, 2)):
        assert np.array_equal(read_by_pillow(png.write_colours(array, packing=packing)), array)


def test_fast_files_are_those_of_isal_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.repeat(np.arange(200, dtype=np.uint8), 2000).reshape(400, 1000)
    with_isal = png.write_values(values, packing="fast")
    monkeypatch.setattr(png, "isal_zlib", None)
    assert png.write_values(values, packing="fast") != with_isal


@pytest.mark.parametrize(
    "values",
    [np.zeros((2, 2), np.uint32), np.zeros((2, 2), np.int16), np.zeros((0, 2), np.uint8), np.zeros(4, np.uint8)],
)
def test_values_that_gray_png_does_not_hold_are_refused(values: np.ndarray) -> None:
    with pytest.raises(BadBitmap):
        png.write_values(values)


@pytest.mark.parametrize(
    "colours",
    [np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2), np.uint8), np.zeros((2, 0, 3), np.uint8), np.zeros((2, 2, 3))],
)
def test_arrays_that_hold_no_colours_are_refused(colours: np.ndarray) -> None:
    with pytest.raises(BadBitmap):
        png.write_colours(colours)


@pytest.mark.parametrize(
    ("pixels", "mode", "kind"),
    [
        (np.zeros((3, 4), np.uint8), None, ("gray", 8, 4, 3)),
        (np.zeros((3, 4), np.uint16), None, ("gray", 16, 4, 3)),
        (np.zeros((3, 4), np.uint8), "P", ("palette", 8, 4, 3)),
        (np.zeros((3, 4, 2), np.uint8), None, ("gray+alpha", 8, 4, 3)),
        (np.zeros((3, 4, 3), np.uint8), None, ("rgb", 8, 4, 3)),
    ],
)
def test_the_kind_of_a_file_is_told_from_its_header(
    pixels: np.ndarray, mode: str | None, kind: tuple[Any, ...]
) -> None:
    data = written_by_pillow(pixels, mode, **({"bits": 8} if mode == "P" else {}))
    assert png.kind_of(data) == kind
    for damaged in (
        b"",
        data[:20],
        data[:32],
        b"x" + data[1:],
        data[:25] + b"\x09" + data[26:],
        data[:12] + b"JHDR" + data[16:],
    ):
        with pytest.raises(BadBitmap):
            png.kind_of(damaged)
