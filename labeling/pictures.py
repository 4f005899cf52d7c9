"""The pictures of a sample and what a label shows in them: how large they are, and the masks to be made of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from PIL import Image

from labeling import drawing, storage
from labeling.commands import assets
from labeling.errors import InvalidValue, NoMask, NotFound, StorageUnavailable
from labeling.geometry.bitmaps import Ids
from labeling.models import Asset, DatasetAsset
from labeling.rules.label_state import LabelState
from labeling.rules.masks import Bitmap, Masks, Picture
from labeling.rules.palettes import Palette
from labeling.rules.task_types import TaskType

JSON = dict[str, Any]
#: {token: SHA-256} of those of some files that are known.
Known = Callable[[set[str]], dict[str, str]]

SIZE_UNKNOWN = "The size of the picture is not known, because it is no file of this server; upload it here."


def pinned(dataset: uuid.UUID, up_to: int) -> Known:
    """The files that a dataset's log names up to an offset; what a rebuild knows too."""

    def known(tokens: set[str]) -> dict[str, str]:
        rows = DatasetAsset.objects.filter(dataset_id=dataset, token__in=tokens, added_offset__lte=up_to)
        return dict(rows.values_list("token", "sha256"))

    return known


def uploaded(tokens: set[str]) -> dict[str, str]:
    """The files that are there now."""
    rows = Asset.objects.filter(token__in=tokens, sha256__isnull=False).values_list("token", "sha256")
    return {token: sha256 for token, sha256 in rows if sha256}


def urls_of(attributes: JSON, start: int, end: int) -> list[str | None]:
    """The addresses of the pictures start … end - 1 of a sample: its image, or its frames'."""
    frames = attributes.get("frames")
    holders = (frames if isinstance(frames, list) else [attributes])[start:end]
    found = []
    for holder in holders:
        image = holder.get("image") if isinstance(holder, dict) else None
        url = image.get("url") if isinstance(image, dict) else None
        found.append(url if isinstance(url, str) else None)
    return found


def masks_of(
    state: LabelState, task: TaskType, attributes: JSON, palette: Palette, start: int, end: int, *, known: Known
) -> list[Masks | NoMask]:
    """The masks of a label's pictures start … end - 1, or why there are none. Pixels are not looked at.

    Raises:
        StorageUnavailable: the storage does not answer.
    """
    pictures = task.pictures(state, start, end)
    urls = urls_of(attributes, start, start + len(pictures))
    urls += [None] * (len(pictures) - len(urls))
    bitmaps = [_url_of(picture.bitmap) for picture in pictures]
    tokens = {url: token for url in {*urls, *bitmaps} if url for token in assets.tokens_in({"url": url})}
    hashes = known(set(tokens.values())) if tokens else {}
    files = {url: hashes[token] for url, token in tokens.items() if token in hashes}
    found: list[Masks | NoMask] = []
    for picture, url, bitmap in zip(pictures, urls, bitmaps, strict=True):
        try:
            found.append(_masks(picture, palette, files.get(url or ""), bitmap, files.get(bitmap or "")))
        except NoMask as error:
            found.append(error)
    return found


def _url_of(reference: JSON | None) -> str | None:
    url = reference.get("url") if isinstance(reference, dict) else None
    return url if isinstance(url, str) else None


def _masks(picture: Picture, palette: Palette, image: str | None, url: str | None, file: str | None) -> Masks:
    if url is None:
        if image is None:
            raise NoMask(SIZE_UNKNOWN)
        width, height = size_of(image)
        return Masks(picture, palette, height, width)
    assert picture.bitmap is not None
    name = picture.bitmap.get("hash")
    if name:
        width, height = picture.bitmap["width"], picture.bitmap["height"]
    elif file:
        name, (width, height) = f"file:{file}", size_of(file)
    else:
        width = height = 1  # of no matter: Masks refuses what has no name
    return Masks(picture, palette, height, width, bitmap=Bitmap(name, partial(_read, url)))


def _read(url: str) -> Ids:
    try:
        return assets.read_mask(url, "segmentation_bitmap")
    except StorageUnavailable:
        raise
    except InvalidValue as error:
        raise NoMask(f"The bitmap of this label {error.problem[0].lower()}{error.problem[1:]}") from error
    except OSError as error:
        raise NoMask("The bitmap of this label is missing from storage.") from error


def wh_of(image: JSON) -> tuple[int, int] | None:
    """(width, height) of an image {url} of a sample; None where its file is elsewhere or cannot be read.

    Raises:
        StorageUnavailable: the storage does not answer.
    """
    url = image.get("url")
    for token in assets.tokens_in({"url": url}) if isinstance(url, str) else ():
        try:
            asset = assets.asset_by_token(token)
            return None if asset.sha256 is None else size_of(asset.sha256)
        except (NotFound, NoMask):
            return None
    return None


@lru_cache(maxsize=1 << 16)
def size_of(sha256: str) -> tuple[int, int]:
    """(width, height) of a stored picture, by its header.

    Raises:
        NoMask: it is missing, or no picture.
        StorageUnavailable: the storage does not answer.
    """
    try:
        with storage.open_at(assets.path_of(sha256)) as file:
            return Image.open(file, formats=drawing.FORMATS).size
    except StorageUnavailable:
        raise
    except FileNotFoundError as error:
        found = size_of_erased(sha256)
        if found is not None:
            return found
        raise NoMask("The picture is missing from storage.") from error
    except Exception as error:  # Pillow's readers raise whatever comes to them
        raise NoMask("The picture cannot be read, so its size is not known.") from error


def size_of_erased(sha256: str) -> tuple[int, int] | None:
    """(width, height) that are left of an erased picture."""
    rows = DatasetAsset.objects.filter(sha256=sha256, width__isnull=False, height__isnull=False)
    found = rows.values_list("width", "height").first()
    return None if found is None or found[0] is None or found[1] is None else (found[0], found[1])
