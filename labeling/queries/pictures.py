"""The sizes of pictures, read from the heads of their files; only of files that are here, others are never fetched."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

from django.core.files.storage import default_storage
from PIL import Image

from labeling.commands import assets
from labeling.errors import PalimpsestError, StorageUnavailable

logger = logging.getLogger(__name__)

JSON = dict[str, Any]
Size = tuple[int, int]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


def size_of(image: JSON) -> Size | None:
    """The (width, height) in pixels of an image {url} of a sample's attributes, as its file is stored (a turn that a
    camera noted in it is not applied); None where the file is elsewhere, was never uploaded, or is no picture.

    Raises:
        StorageUnavailable: the file cannot be read now.
    """
    url = image.get("url")
    for token in assets.tokens_in({"url": url}) if isinstance(url, str) else ():
        try:
            asset = assets.asset_by_token(token)
        except StorageUnavailable:
            raise
        except PalimpsestError:
            return None
        return None if asset.sha256 is None else _size_of_file(asset.sha256)
    return None


@lru_cache(maxsize=4096)
def _size_of_file(sha256: str) -> Size | None:
    """By the hash of its bytes, so that what is kept is always right."""
    with default_storage.open(assets.path_of(sha256)) as file:
        try:
            return Image.open(file, formats=FORMATS).size
        except StorageUnavailable:
            raise
        except Exception:  # Pillow's decoders raise whatever comes to them
            logger.info("the file %s is no picture that can be read", sha256, exc_info=True)
            return None
