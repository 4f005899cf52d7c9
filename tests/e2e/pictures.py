"""Small images and masks: drawn from a seed, packed as PNG, read back from the server."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import numpy.typing as npt
import requests
from PIL import Image
from segments import SegmentsClient
from segments.utils import bitmap2file, load_label_bitmap_from_url

Mask = npt.NDArray[np.uint32]
HEIGHT_PX, WIDTH_PX = 48, 64


def photograph_png(seed: int = 0) -> bytes:
    """A PNG of 64 by 48 pixels of coloured noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    packed = BytesIO()
    Image.fromarray(noise).save(packed, "PNG")
    return packed.getvalue()


def blocks(**boxes_xyxy: tuple[int, int, int, int]) -> Mask:
    """A mask, (48, 64) of uint32, with one rectangle per id; `_3=(x0, y0, x1, y1)` draws id 3, later ones on top."""
    mask: Mask = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint32)
    for name, (x0, y0, x1, y1) in boxes_xyxy.items():
        mask[y0:y1, x0:x1] = int(name.removeprefix("_"))
    return mask


def uploaded(client: SegmentsClient, mask: Mask) -> str:
    """The URL of the mask, uploaded as the 32-bit RGBA PNG that the SDK makes of it."""
    return client.upload_asset(bitmap2file(mask), "label.png").url


def mask_at(url: str) -> Mask:
    """The mask behind a URL, read as the SDK reads it, with no key."""
    return load_label_bitmap_from_url(url)


def bytes_at(url: str) -> bytes:
    """What a URL serves to a client that sends no key."""
    answer = requests.get(url, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.content


def column_major_counts(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Uncompressed COCO run lengths of a boolean mask: column by column, starting with a run of background."""
    flat = np.concatenate(([False], mask.ravel(order="F")))
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate(([0], changes, [mask.size]))).tolist()
