"""Files: uploaded, stored by content, referred to without a host, and pinned by hash in a dataset's log."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import logging
import mimetypes
import re
import secrets
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import IO, Any, NamedTuple

import numpy as np
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage

from labeling import events as e
from labeling import storage
from labeling.errors import InvalidValue, NotFound, Refused, TooLarge
from labeling.geometry import bitmaps, png
from labeling.log.event import Fact
from labeling.models import Asset, DatasetAsset
from labeling.rules.sample_state import asset_stream

logger = logging.getLogger(__name__)

JSON = dict[str, Any]

MEDIA = "/media/"
#: The protocol's documented limit on one file.
MOST_BYTES = 100 * 1024 * 1024
#: Pixels of a bitmap that is read into memory: 8192 x 8192 are 256 MB.
MOST_PIXELS = 1 << 26
#: How long a form is good for; a bucket's clock may differ from ours by the rest.
FORM_AGE_S = 3600
LATE_S = 900
#: How many files of one request are fetched from a bucket at once.
TAKEN_AT_ONCE = 8
_ours = re.compile(r"/media/([A-Za-z0-9_-]{20,64})/([^/?#]+)")


def plan_asset(*, owner: uuid.UUID, filename: str) -> Asset:
    """Make a place for a file that is about to be uploaded. Its token is its address and cannot be guessed."""
    name = plain_name(filename)
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Asset.objects.create(token=secrets.token_urlsafe(24), filename=name, content_type=guessed, owner_id=owner)


def plain_name(filename: str) -> str:
    """The name of a file as it stands in its address."""
    name = PurePosixPath(filename.replace("\\", "/")).name.strip()
    name = re.sub(r"[^A-Za-z0-9._-]", "_", name)[-120:] or "file"
    return name if PurePosixPath(name).suffix else f"{name}.bin"


def store_asset(asset: Asset, content: File[bytes] | io.BufferedIOBase, *, content_type: str = "") -> Asset:
    """Store the bytes of a planned file, by their hash; the same bytes twice are stored once.

    Raises:
        TooLarge: more than 100 MB.
        Refused: the file was uploaded before with other bytes.
    """
    digest, size = hashlib.sha256(), 0
    chunks = content.chunks(1 << 20) if isinstance(content, File) else iter(lambda: content.read(1 << 20), b"")
    for chunk in chunks:
        size += len(chunk)
        if size > MOST_BYTES:
            raise TooLarge("file: is larger than 100 MB")
        digest.update(chunk)
    name = digest.hexdigest()
    _refuse_erased(name)
    if asset.sha256 not in (None, name):
        raise Refused("file: this upload was used for another file; ask for a new one")
    storage.put(path_of(name), size, content)
    asset.sha256, asset.size_bytes = name, size
    asset.content_type = content_type[:100] or asset.content_type
    asset.save(update_fields=["sha256", "size_bytes", "content_type"])
    return asset


# --- files that their owners post to the bucket, which tells nobody -------------------------------------------------


def form_of(asset: Asset, *, age_s: int = FORM_AGE_S) -> JSON | None:
    """{url, fields} to post a planned file to the bucket with; None where files are posted to us."""
    bucket = storage.bucket()
    if bucket is None:
        return None
    return bucket.form(incoming_of(asset), content_type=asset.content_type, most_bytes=MOST_BYTES, age_s=age_s)


def incoming_of(asset: Asset) -> str:
    """Where in the bucket a file lies between its upload and its first use."""
    return f"{storage.INCOMING}/{asset.id}"


def complete_asset(*, asset: uuid.UUID, owner: uuid.UUID, sha256: str | None = None) -> Asset:
    """Make sure that a planned file was uploaded, whole; `sha256` is what its owner says that it should be.

    Raises:
        NotFound: the owner planned no such file.
        Refused: nothing was uploaded for it, or too late.
        TooLarge: more than 100 MB.
        InvalidValue: another file arrived.
    """
    found = Asset.objects.filter(id=asset, owner_id=owner).first()
    if found is None:
        raise NotFound
    if found.sha256 is None:
        _record(found, _taken(found, sha256))
    if found.sha256 is None:
        raise Refused("file: nothing was uploaded yet; post it with the fields that came with this asset")
    if sha256 not in (None, found.sha256):
        raise InvalidValue("sha256", "is not that of the file that was uploaded")
    return found


def _take_in(planned: list[Asset]) -> None:
    """Make files of those that were uploaded since; what cannot be one stays planned.

    Raises:
        StorageUnavailable: the bucket does not answer.
    """
    if not planned or storage.bucket() is None:
        return
    with ThreadPoolExecutor(min(TAKEN_AT_ONCE, len(planned))) as pool:
        for asset, taken in zip(planned, pool.map(_taken_if_good, planned), strict=True):
            _record(asset, taken)


def _taken_if_good(asset: Asset) -> storage.Taken | None:
    try:
        return _taken(asset)
    except (TooLarge, Refused) as error:
        logger.warning("the upload of asset %s is refused: %s", asset.id, error.message)
        return None


def _taken(asset: Asset, sha256: str | None = None) -> storage.Taken | None:
    """Fetch, check and store what was posted for a planned file; works without the database, so in any thread."""
    until = asset.created_at + dt.timedelta(seconds=FORM_AGE_S + LATE_S)
    return storage.take_in(incoming_of(asset), most_bytes=MOST_BYTES, until=until, path_of=path_of, sha256=sha256)


def _record(asset: Asset, taken: storage.Taken | None) -> None:
    """Write down what was found. Somebody may have been faster; then theirs holds, and was it that we did not find."""
    if taken is not None and is_erased(taken.sha256):
        storage.discard(path_of(taken.sha256))
        storage.discard(incoming_of(asset))
        logger.warning("the upload of asset %s is refused: it was erased before", asset.id)
        taken = None
    if taken is not None:
        Asset.objects.filter(id=asset.id, sha256__isnull=True).update(**taken._asdict())
        storage.discard(incoming_of(asset))
    if storage.bucket() is not None:
        asset.refresh_from_db(fields=["sha256", "size_bytes"])


def is_erased(sha256: str) -> bool:
    """Whether a file of these bytes was erased, so that they are not taken again."""
    return Asset.objects.filter(sha256=sha256).exclude(erased_at=None).exists()


def _refuse_erased(sha256: str) -> None:
    if is_erased(sha256):
        raise Refused("file: these bytes were erased here, and are not taken again")


def path_of(sha256: str) -> str:
    """Where the bytes with this hash are in storage."""
    return f"{sha256[:2]}/{sha256}"


def keep_bytes(data: bytes, *, owner: uuid.UUID, filename: str, content_type: str) -> Asset:
    """A file that we made ourselves; the same bytes of the same owner are one asset."""
    sha256 = hashlib.sha256(data).hexdigest()
    known = Asset.objects.filter(sha256=sha256, owner_id=owner, filename=filename, erased_at=None).first()
    if known is not None:
        return known
    asset = _asset_of(put_bytes(data, filename=filename, content_type=content_type), owner)
    asset.save(force_insert=True)
    return asset


class Put(NamedTuple):
    """Bytes that are in storage, and what their file is called."""

    sha256: str
    size_bytes: int
    filename: str
    content_type: str


def put_bytes(data: bytes, *, filename: str, content_type: str) -> Put:
    """Store the bytes of a file that we made ourselves."""
    sha256 = hashlib.sha256(data).hexdigest()
    storage.put(path_of(sha256), len(data), ContentFile(data))
    return Put(sha256, len(data), filename, content_type)


def assets_of(files: Sequence[Put], *, owner: uuid.UUID) -> list[Asset]:
    """An asset of each file that we made ourselves, in two statements; as `keep_bytes`."""
    known = Asset.objects.filter(sha256__in={file.sha256 for file in files}, owner_id=owner, erased_at=None)
    found = {(asset.sha256, asset.filename): asset for asset in known}
    new = {(file.sha256, file.filename): file for file in files if (file.sha256, file.filename) not in found}
    made = Asset.objects.bulk_create([_asset_of(file, owner) for file in new.values()])
    found |= {(asset.sha256, asset.filename): asset for asset in made}
    return [found[file.sha256, file.filename] for file in files]


def _asset_of(file: Put, owner: uuid.UUID) -> Asset:
    return Asset(token=secrets.token_urlsafe(24), owner_id=owner, **file._asdict())


def keep_file(content: IO[bytes], *, owner: uuid.UUID, filename: str) -> Asset:
    """A file of this machine, of any size."""
    digest, size = hashlib.sha256(), 0
    content.seek(0)
    while chunk := content.read(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    storage.put(path_of(digest.hexdigest()), size, content)
    asset = plan_asset(owner=owner, filename=filename)
    asset.sha256, asset.size_bytes = digest.hexdigest(), size
    asset.save(update_fields=["sha256", "size_bytes"])
    return asset


def url_of(asset: Asset) -> str:
    """The asset's address without a host."""
    return f"{MEDIA}{asset.token}/{asset.filename}"


# --- references in documents ---------------------------------------------------------------------------------------


def tokens_in(value: Any) -> set[str]:
    """The tokens of every file of ours that a host-less document refers to."""
    found: set[str] = set()
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list) and not set(map(type, item)) <= {int, float}:
            pending.extend(item)
        elif isinstance(item, str) and item.startswith(MEDIA):
            match = _ours.match(item)
            if match:
                found.add(match[1])
    return found


def is_pinned(dataset: uuid.UUID, url: str) -> bool:
    """Whether a dataset refers to the file of this address already."""
    return DatasetAsset.objects.filter(dataset_id=dataset, token__in=tokens_in(url)).exists()


def pin_assets(dataset: uuid.UUID, tokens: Iterable[str]) -> list[tuple[str, int, Fact]]:
    """The AssetAdded facts for those files that the dataset does not know yet; unknown tokens are left alone."""
    wanted = set(tokens)
    if not wanted:
        return []
    wanted -= set(DatasetAsset.objects.filter(dataset_id=dataset, token__in=wanted).values_list("token", flat=True))
    found = list(Asset.objects.filter(token__in=wanted))
    _take_in([asset for asset in found if asset.sha256 is None])
    return [
        (
            asset_stream(asset.id),
            0,
            e.AssetAdded(
                asset=str(asset.id),
                token=asset.token,
                filename=asset.filename,
                sha256=asset.sha256,
                size_bytes=asset.size_bytes or 0,
                content_type=asset.content_type,
            ),
        )
        for asset in sorted(found, key=lambda item: item.id)
        if asset.sha256 is not None and asset.erased_at is None
    ]


# --- bitmaps -------------------------------------------------------------------------------------------------------


def read_bytes(url: str, where: str) -> bytes:
    """The bytes of a file of ours.

    Raises:
        InvalidValue: `where` names a file that was never uploaded.
    """
    match = _ours.match(url)
    asset = _uploaded(match[1]) if match else None
    if asset is None or asset.sha256 is None:
        raise InvalidValue(where, "names a file of this server that was never uploaded; upload it first")
    if asset.erased_at is not None:
        raise InvalidValue(where, "names a file that was erased")
    with default_storage.open(path_of(asset.sha256)) as file:
        return file.read()


def read_mask(url: str, where: str) -> np.ndarray:
    """The object ids of a bitmap of ours, (H, W) uint32.

    Raises:
        InvalidValue: it is no PNG of ids, or was never uploaded.
    """
    try:
        return png.read_ids(read_bytes(url, where), max_pixels=MOST_PIXELS)
    except png.BadBitmap as error:
        raise InvalidValue(where, str(error)) from error


def mask_of(url: str, ids: np.ndarray) -> JSON:
    """A reference to a bitmap: its url, the hash of its pixels, and its size."""
    return {"url": url, "hash": bitmaps.mask_hash(ids), "width": int(ids.shape[1]), "height": int(ids.shape[0])}


class MaskFiles:
    """The bitmaps of one command: read once, and written as a new file by content."""

    def __init__(self, owner: uuid.UUID) -> None:
        self.owner = owner
        self._read: dict[str, np.ndarray] = {}

    def read(self, mask: JSON) -> np.ndarray:
        key = mask["hash"]
        if key not in self._read:
            self._read[key] = read_mask(mask["url"], "segmentation_bitmap")
        return self._read[key]

    def known(self, url: str, where: str) -> JSON:
        """A reference to an uploaded bitmap. Raises InvalidValue as read_mask."""
        ids = read_mask(url, where)
        mask = mask_of(url, ids)
        self._read[mask["hash"]] = ids
        return mask

    def keep(self, ids: np.ndarray) -> JSON:
        digest = bitmaps.mask_hash(ids)
        asset = keep_bytes(
            png.write_ids(ids), owner=self.owner, filename=f"{digest[:16]}.png", content_type="image/png"
        )
        self._read[digest] = ids
        return mask_of(url_of(asset), ids)


def asset_by_token(token: str) -> Asset:
    """An uploaded file by its token.

    Raises:
        NotFound: no such token, or nothing was uploaded to it.
    """
    asset = _uploaded(token)
    if asset is None:
        raise NotFound
    return asset


def _uploaded(token: str) -> Asset | None:
    # What cannot be a token is not looked up; the database refuses a NUL with an error of its own.
    asset = Asset.objects.filter(token=token).first() if token.isprintable() else None
    if asset is not None and asset.sha256 is None:
        _take_in([asset])
    return asset if asset is not None and asset.sha256 is not None else None
