"""Small pictures of samples with a label drawn over them: found, drawn, and kept by what they show."""

from __future__ import annotations

import hashlib
import logging
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling import drawing
from labeling.admin.rights import person_of
from labeling.commands import assets
from labeling.errors import InvalidValue, NotFound, PalimpsestError
from labeling.geometry import png
from labeling.geometry.bitmaps import BadBitmap, Ids
from labeling.models import Asset, Dataset, Label, LabelSet, Sample
from labeling.queries import labels as label_queries
from labeling.queries import samples as sample_queries
from labeling.rules import access
from labeling.rules.colours import colours_of
from labeling.rules.dataset_state import GROUND_TRUTH
from labeling.rules.task_types import task_type

logger = logging.getLogger(__name__)

JSON = dict[str, Any]

SIZES = {"small": (176, 120), "large": (1040, 760)}
KEPT_S = 24 * 3600
#: A part of the key, to be raised when the same label would be drawn differently.
STYLE = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a thumbnail shows; the key is made of all that its pixels depend on."""

    sample: Sample
    dataset: Dataset
    label_set: LabelSet | None
    label: Label | None
    asset: Asset | None
    words: str
    size: str
    frame: int = 0
    sensor: int | None = None

    @property
    def key(self) -> str:
        label = f"{self.label.id}@{self.label.version}" if self.label else "-"
        asset = self.asset.sha256 if self.asset else "-"
        parts = (STYLE, asset, label, self.dataset.version, self.size, self.words, self.frame, self.sensor)
        return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def serve(request: HttpRequest, sample: uuid.UUID, size: str) -> HttpResponse:
    """The thumbnail of a sample in a size, with its label of the label set ?label_set= (its ground truth without), or
    with none where there is ?plain. Of a sequence it is the frame ?frame=, of several sensors that of ?sensor=."""
    if size not in SIZES:
        raise Http404
    wanted = _wanted(request, sample, size)
    etag = f'"{wanted.key}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers=headers)
    kept = f"thumbnail:{wanted.key}"
    data = cache.get(kept)
    if data is None:
        try:
            data = _rendered(wanted, request)
            cache.set(kept, data, KEPT_S)
        except OSError:
            # It is missing now, or storage does not answer now: nothing to be kept, here or in a browser.
            logger.warning("storage gave no picture for sample %s", sample, exc_info=True)
            data = drawing.encoded(drawing.card(SIZES[size], "not in storage now"))
            headers = {"Cache-Control": "no-store"}
    return HttpResponse(data, content_type="image/webp", headers=headers)


def _wanted(request: HttpRequest, sample: uuid.UUID, size: str) -> Wanted:
    try:
        found = sample_queries.find_sample(sample, person=person_of(request).id)
        access.require("read", role=found.role, public=found.public)
    except NotFound as error:
        raise Http404 from error
    sets = LabelSet.objects.filter(dataset_id=found.dataset, archived=False)
    named = request.GET.get("label_set", "")
    label_set = sets.filter(**({"name": named} if named else {"kind": GROUND_TRUTH})).first()
    label = None
    if label_set is not None and "plain" not in request.GET:
        label = Label.objects.filter(sample_id=found.sample.id, label_set_id=label_set.id, deleted=False).first()
    frame, sensor = number_of(request, "frame") or 0, number_of(request, "sensor")
    asset, words = _picture_of(found.sample.attributes, frame, sensor)
    dataset = Dataset.objects.get(id=found.dataset)
    return Wanted(found.sample, dataset, label_set, label, asset, words, size, frame, sensor)


def number_of(request: HttpRequest, name: str) -> int | None:
    """A small whole number of the query; what is none is ignored."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 7 else None


def _picture_of(attributes: JSON, frame: int, sensor: int | None) -> tuple[Asset | None, str]:
    """The file to show, or the words to show in its place. Files of other hosts are never fetched."""
    for url in drawing.picture_urls(attributes, frame, sensor):
        for token in assets.tokens_in({"url": url}):
            try:
                asset = assets.asset_by_token(token)
                return (None, "erased") if asset.erased_at else (asset, "")
            except PalimpsestError:
                return None, "never uploaded"
        return None, "a picture elsewhere"
    return None, "no picture"


def _rendered(wanted: Wanted, request: HttpRequest) -> bytes:
    """The thumbnail.

    Raises:
        OSError: a file is not in storage, or storage does not answer.
    """
    box = SIZES[wanted.size]
    document = _document(wanted, request)
    ids = _bitmap(document)
    picture, size_wh, words = None, None, wanted.words
    if wanted.asset is not None and wanted.asset.sha256 is not None:
        try:
            with default_storage.open(assets.path_of(wanted.asset.sha256)) as file:
                picture, size_wh = drawing.opened(file, box)
        except drawing.Unreadable as error:
            words = str(error)
    if picture is None and ids is not None:
        # Another host's picture: its objects are still worth seeing.
        size_wh = (int(ids.shape[1]), int(ids.shape[0]))
        picture = drawing.card(drawing.fitted(size_wh, box), "")
    if picture is None or size_wh is None:
        return drawing.encoded(drawing.card(box, words))
    colour_of = colours_of(wanted.dataset.task_attributes)
    return drawing.encoded(drawing.drawn(picture, document, ids, size_wh=size_wh, colour_of=colour_of))


def _document(wanted: Wanted, request: HttpRequest) -> JSON:
    if wanted.label is None or wanted.label_set is None:
        return {}
    found = label_queries.find_label(wanted.sample.id, wanted.label_set.name, person=person_of(request).id)
    return task_type(wanted.dataset.task_type).frame(found.state, wanted.frame, wanted.sensor)


def _bitmap(document: JSON) -> Ids | None:
    reference = document.get("segmentation_bitmap")
    url = reference.get("url") if isinstance(reference, dict) else None
    if not isinstance(url, str) or not assets.tokens_in({"url": url}):
        return None
    try:
        return png.read_ids(assets.read_bytes(url, "url"), max_pixels=drawing.MOST_PIXELS)
    except (BadBitmap, InvalidValue):
        logger.info("the bitmap of a label cannot be shown", exc_info=True)
        return None


def tag(
    sample: uuid.UUID, size: str, *, label_set: str = "", alt: str = "", frame: int = 0, sensor: int | None = None
) -> SafeString:
    """The <img> of a sample's thumbnail, loaded when it comes into sight."""
    address = reverse("admin:labeling_sample_thumbnail", args=[sample, size])
    said = {"label_set": label_set} | ({"frame": frame} if frame else {})
    query = urlencode({key: value for key, value in (said | {"sensor": sensor}).items() if value not in ("", None)})
    width, height = SIZES[size]
    return format_html(
        '<img class="thumbnail {}" src="{}{}" alt="{}" loading="lazy" decoding="async" width="{}" height="{}">',
        size,
        address,
        f"?{query}" if query else "",
        alt,
        width,
        height,
    )
