"""Masks of labels: maps, segments and run lengths, overlays, what is missing in them, and what is at a pixel."""

from __future__ import annotations

import hashlib
import re
from typing import Any, cast

from django.core.files.storage import default_storage
from django.http import HttpResponse
from rest_framework.request import Request

from labeling import drawing, pictures
from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.labels import find_at
from labeling.api.requests import at_of, number_of
from labeling.api.schemas import masks as schemas
from labeling.api.schemas.parameters import AT, DATASET_OFFSET
from labeling.api.views import Answer, View
from labeling.commands import assets
from labeling.errors import InvalidValue, NoMask
from labeling.queries import masks as queries
from labeling.queries.masks import Pictured
from labeling.rules.masks import KINDS, Kind, Masks, grouped

JSON = dict[str, Any]

SHOWN = (schemas.MASK_ETAG, schemas.LABEL_VERSION, DATASET_OFFSET)
SIZES = {"small": (176, 120), "large": (1040, 760)}
MOST_MAPPED = 10_000
_pair = re.compile(r"(-?[0-9]{1,15}):(-?[0-9]{1,15})?")


class Picturing(View):
    """What the views of one picture of a label share."""

    def read(self, request: Request, sample: str, label_set: str) -> tuple[Pictured, int, Masks]:
        """(the label at the moment that is asked for, the number of the picture, its masks)."""
        found = find_at(request, sample, label_set)
        number = number_of(request, "frame", 0, most=1 << 31)
        mapped, stuff = category_map_of(request), word_of(request, "stuff", ("keep", "void"))
        label = queries.pictured(found, is_past=at_of(request) is not None)
        label.palette = queries.mapped(label.palette, mapped, stuff=stuff == "keep")
        return label, number, label.masks(number)


def headers_of(label: Pictured, shown: str) -> dict[str, str]:
    """The headers of an answer that shows `shown`: of the same text the answer is the same."""
    digest = hashlib.sha256(shown.encode()).hexdigest()
    return {
        "ETag": f'W/"{digest}"',
        "Dataset-Offset": str(label.offset),
        "Label-Version": str(label.state.version),
        "Cache-Control": "private, no-cache",
    }


def is_known(request: Request, headers: dict[str, str]) -> bool:
    """Whether the client has it already, by its If-None-Match."""
    known = request.headers.get("If-None-Match", "")
    return known == "*" or headers["ETag"].removeprefix("W/") in {
        item.strip().removeprefix("W/") for item in known.split(",")
    }


def word_of(request: Request, name: str, words: tuple[str, ...]) -> str:
    """One of some words of the query; the first one where nothing is said."""
    value = request.query_params.get(name, "") or words[0]
    if value not in words:
        raise InvalidValue(name, f"must be one of {', '.join(words)}")
    return value


def category_map_of(request: Request) -> dict[int, int | None]:
    """What ?category_map= says: {category: the one that it is taken for, or None for void}."""
    text = request.query_params.get("category_map", "")
    pairs = text.split(",") if text else []
    if len(pairs) > MOST_MAPPED:
        raise InvalidValue("category_map", f"may map up to {MOST_MAPPED} categories")
    found: dict[int, int | None] = {}
    for pair in pairs:
        match = _pair.fullmatch(pair)
        if match is None:
            raise InvalidValue("category_map", "must be pairs of ids, as 4:2, or 4: for void, separated by commas")
        found[int(match[1])] = int(match[2]) if match[2] else None
    return found


def place_of(request: Request, name: str, most: int) -> int:
    """A coordinate of the query."""
    if not request.query_params.get(name):
        raise InvalidValue(name, "is required")
    return number_of(request, name, 0, most=most - 1)


class MaskView(Picturing):
    """A map of a picture of a label."""

    @documented(
        "label_mask",
        "read",
        {
            200: Reply(schemas.MASK, SHOWN, files=("image/png",)),
            304: Reply(headers=SHOWN),
        },
        parameters=(
            schemas.KIND,
            schemas.FRAME,
            schemas.FORMAT,
            schemas.COMPRESSED,
            schemas.WHOLE_OBJECTS,
            schemas.CATEGORY_MAP,
            schemas.STUFF,
            AT,
            schemas.IF_NONE_MATCH,
        ),
        refusals=("no_mask", "storage_unavailable"),
    )
    def get(self, request: Request, sample: str, label_set: str) -> Answer:
        """Which object, category or segment each pixel shows, now or (`at`) as it was.

        What an actor has drawn is served; what it has not drawn yet, or not like this, is drawn here.
        """
        kind = cast(Kind, word_of(request, "kind", KINDS))
        form = word_of(request, "format", schemas.FORMATS)
        compressed = word_of(request, "compressed", ("1", "0")) == "1"
        whole = word_of(request, "whole", ("0", "1")) == "1"
        if whole and (form != "rle" or kind != "instance"):
            raise InvalidValue("whole", "is for format=rle and kind=instance")
        label, number, masks = self.read(request, sample, label_set)
        if form == "png":
            headers = headers_of(label, masks.key(kind))
        else:
            headers = headers_of(label, f"{masks.content}/{kind}/{form}/{compressed}/{whole}/{number}")
        if is_known(request, headers):
            return HttpResponse(status=304, headers=headers)
        if form == "png":
            data = queries.file_of(label.dataset, masks, kind)
            headers["X-Content-Type-Options"] = "nosniff"
            return HttpResponse(data, content_type="image/png", headers=headers)
        segments = queries.segments_of(label.state.id, number, masks)
        listed = grouped(segments, masks.numbers_of(kind, segments))
        for item in listed:
            owners = item.pop("owners")
            if whole:
                item["rle"] = masks.whole_rle(owners[-1], compressed=compressed)
            elif form == "rle":
                item["rle"] = masks.rle(owners, compressed=compressed)
        shown = {"kind": kind, "frame": number, "width": masks.width, "height": masks.height, "segments": listed}
        return answer(shown, headers=headers)


class MaskReportView(Picturing):
    """What is missing and what is double in a picture of a label."""

    @documented(
        "label_mask_report",
        "read",
        {200: Reply(schemas.MASK_REPORT, SHOWN), 304: Reply(headers=SHOWN)},
        parameters=(schemas.FRAME, schemas.CATEGORY_MAP, schemas.STUFF, AT, schemas.IF_NONE_MATCH),
        refusals=("no_mask", "storage_unavailable"),
    )
    def get(self, request: Request, sample: str, label_set: str) -> Answer:
        """Pixels without an object, objects that overlap or are not seen, and values of a bitmap without an object."""
        label, number, masks = self.read(request, sample, label_set)
        headers = headers_of(label, f"{masks.content}/report/{number}")
        if is_known(request, headers):
            return HttpResponse(status=304, headers=headers)
        return answer({"frame": number} | masks.report(), headers=headers)


class PixelView(Picturing):
    """What is at a pixel."""

    @documented(
        "label_pixel",
        "read",
        {200: Reply(schemas.PIXEL, SHOWN)},
        parameters=(schemas.X, schemas.Y, schemas.FRAME, AT),
        refusals=("no_mask", "storage_unavailable"),
    )
    def get(self, request: Request, sample: str, label_set: str) -> Answer:
        """The annotations that cover a pixel, from top to bottom."""
        label, number, masks = self.read(request, sample, label_set)
        x, y = place_of(request, "x", masks.width), place_of(request, "y", masks.height)
        found = {"x": x, "y": y, "frame": number, "annotations": masks.at(x, y)}
        return answer(found, headers=headers_of(label, f"{masks.content}/{x}/{y}/{number}"))


class OverlayView(Picturing):
    """A picture with a map of its label over it."""

    @documented(
        "label_overlay",
        "read",
        {200: Reply({"type": "string", "format": "binary"}, SHOWN, media=("image/webp",)), 304: Reply(headers=SHOWN)},
        parameters=(
            schemas.KIND,
            schemas.FRAME,
            schemas.SIZE,
            schemas.CATEGORY_MAP,
            schemas.STUFF,
            AT,
            schemas.IF_NONE_MATCH,
        ),
        refusals=("no_mask", "storage_unavailable"),
    )
    def get(self, request: Request, sample: str, label_set: str) -> Answer:
        """The picture with its label drawn over it, as WebP: each object in a shade of its category's colour, with its
        outline; for `semantic` each category, for `panoptic` each segment."""
        kind = cast(Kind, word_of(request, "kind", KINDS))
        size = word_of(request, "size", ("large", "small", "full"))
        label, number, masks = self.read(request, sample, label_set)
        url = label.image_url(number)
        tokens = assets.tokens_in({"url": url})
        image = next(iter(pictures.uploaded(tokens).values()), None)
        if image is None:
            raise NoMask(pictures.SIZE_UNKNOWN)
        headers = headers_of(label, f"{masks.content}/{image}/{kind}/{size}/{drawing.STYLE}")
        if is_known(request, headers):
            return HttpResponse(status=304, headers=headers)
        try:
            with default_storage.open(assets.path_of(image)) as file:
                picture, _ = drawing.opened(file, SIZES.get(size, (masks.width, masks.height)))
        except FileNotFoundError as error:
            raise NoMask("The picture is missing from storage.") from error
        except drawing.Unreadable as error:
            raise NoMask(f"The picture cannot be shown: {error}.") from error
        shown = drawing.overlaid(picture, masks, kind)
        return HttpResponse(drawing.encoded(shown), content_type="image/webp", headers=headers)
