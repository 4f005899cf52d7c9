"""The samples that the records of a file are about: found in the dataset, or made of what the file has of them."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import orjson
from django.db import connection

from labeling.commands import assets
from labeling.commands.pictures import NoPicture, checked_picture
from labeling.commands.samples import checked_sample
from labeling.errors import InvalidValue
from labeling.geometry import png
from labeling.log import values
from labeling.log.values import BadValue
from labeling.models import Asset
from releases import manifest
from releases.formats.files import Source, without_ending
from releases.formats.records import Sample
from releases.imports.sources import BadMember
from releases.reading import size_of_file

JSON = dict[str, Any]

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff")
#: (what is wrong with a record's sample)
Tell = Callable[[str, str], None]


class There(NamedTuple):
    """A sample of the dataset; what it holds is read only where it is needed."""

    id: uuid.UUID
    attributes: JSON
    metadata: JSON
    made: str = ""  #: the id of one that is being made, and has none among those that are there


#: What has the place of an id before there is one.
NO_ID = uuid.UUID(int=0)


def found_in(dataset: uuid.UUID, records: Iterable[tuple[int, Sample]], *, full: bool) -> dict[int, There]:
    """{number of the record: its sample} of those that the dataset has: by uuid where it is one of this dataset, by
    name, or by the name with or without the ending of a picture."""
    uuids: dict[int, uuid.UUID] = {}
    names: dict[int, str] = {}
    for number, record in records:
        key = _uuid(record.uuid) if record.uuid else None
        if key is not None:
            uuids[number] = key
        if "\x00" not in record.name:
            names[number] = record.name
    by_id = {there.id: there for _, there in _rows(_BY_ID, dataset, [*uuids.values()], full=full)} if uuids else {}
    found = {number: by_id[key] for number, key in uuids.items() if key in by_id}
    left = {number: name for number, name in names.items() if number not in found}
    by_name = dict(_named(dataset, [(name, name) for name in left.values()], full=full))
    found |= {number: by_name[name] for number, name in left.items() if name in by_name}
    stems = {number: without_ending(name) for number, name in left.items() if number not in found}
    pairs = [(stem, stem + ending) for stem in stems.values() for ending in ("", *ENDINGS)]
    alike: dict[str, dict[uuid.UUID, There]] = {}
    for stem, there in _named(dataset, pairs, full=full):
        alike.setdefault(stem, {})[there.id] = there
    for number, stem in stems.items():
        if len(alike.get(stem, ())) == 1:
            (found[number],) = alike[stem].values()
    return found


_BY_ID = "name, id{} FROM labeling_sample WHERE dataset_id = %s AND NOT archived AND id = ANY(%s)"
#: A name is the first from there on, in the one index that has them in order. Asked for otherwise, all samples of the
#: dataset are walked through for each name: what the planner knows of the table is old while a file comes in.
_BY_NAME = """asked.pair ->> 0, id{} FROM jsonb_array_elements(%s::jsonb) AS asked (pair), LATERAL (
    SELECT * FROM labeling_sample WHERE NOT archived AND (dataset_id, name) >= (%s, asked.pair ->> 1)
     ORDER BY dataset_id, name LIMIT 1) AS found
 WHERE found.dataset_id = %s AND found.name = asked.pair ->> 1"""


def _named(dataset: uuid.UUID, pairs: list[tuple[str, str]], *, full: bool) -> list[tuple[str, There]]:
    """(what for, sample) of those of these (what for, name) that are there."""
    return _rows(_BY_NAME, orjson.dumps(pairs).decode(), dataset, dataset, full=full) if pairs else []


def _rows(query: str, *parameters: Any, full: bool) -> list[tuple[str, There]]:
    """(its name, or what it was asked for; sample)."""
    columns = ", attributes::text, metadata::text" if full else ", '{}', '{}'"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {query.replace('{}', columns)}", parameters)
        return [
            (said, There(key, values.load_stored(attributes), values.load_stored(metadata)))
            for said, key, attributes, metadata in cursor.fetchall()
        ]


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


class Pictures:
    """The pictures in a file of many: found by the names that records have for them, and stored."""

    def __init__(self, source: Source, *, owner: uuid.UUID, store: bool) -> None:
        self._source, self._owner, self._store = source, owner, store
        self._by_name: dict[str, list[str]] = {}
        paths = source.paths()
        for path in paths:
            if path.lower().endswith(ENDINGS):
                self._by_name.setdefault(path.rsplit("/", 1)[-1], []).append(path)
        self._brought = _brought(source, set(paths)) if manifest.ASSETS in paths else {}
        self._kept: dict[str, str] = {}
        self._urls: dict[str, str] = {}  #: {path: address} of pictures of this chunk
        self._checked: set[str] = set()  #: the addresses alone

    def path(self, name: str) -> str | None:
        """The one file whose path ends as the name says."""
        if not self._by_name:
            return None
        listed = self._by_name.get(name.rsplit("/", 1)[-1], [])
        fitting = [path for path in listed if path == name or path.endswith(f"/{name}")]
        exact = [path for path in fitting if path == name]
        return exact[0] if exact else fitting[0] if len(fitting) == 1 else None

    def of_here(self, value: Any) -> Any:
        """A value of JSON in which files that an archive of a release has, and this installation has not, are files of
        this installation; they are stored now unless this is a dry run.

        Raises:
            BadMember: one cannot be read.
        """
        if not self._brought or not self._store:
            return value
        if isinstance(value, dict):
            return {key: self.of_here(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.of_here(item) for item in value]
        path = self._brought.get(value) if isinstance(value, str) else None
        if path is None:
            return value
        if value not in self._kept:
            name = assets.plain_name(value.rsplit("/", 1)[-1])
            asset = assets.keep_file(io.BytesIO(self._source.read(path)), owner=self._owner, filename=name)
            self._kept[value] = assets.url_of(asset)
        return self._kept[value]

    def pixels(self, url: str) -> np.ndarray:
        """The object ids of the bitmap at an address, (H, W) uint32: a file of ours, or one of the files here.

        Raises:
            InvalidValue: it is neither, or no bitmap.
        """
        path = self._brought.get(url)
        if path is None and not Asset.objects.filter(token__in=assets.tokens_in(url)).exists():
            path = self.path(url.split("?")[0].rsplit("/", 1)[-1])  # a name alone says less than our own address
        if path is not None:
            try:
                return png.read_ids(self._source.read(path), max_pixels=assets.MOST_PIXELS)
            except (png.BadBitmap, ValueError) as error:
                raise InvalidValue("segmentation_bitmap", str(error)) from error
        if not url.startswith(assets.MEDIA):
            raise InvalidValue(
                "segmentation_bitmap.url",
                "is an address of others, which is not fetched; send a ZIP archive with its file beside the release",
            )
        return assets.read_mask(url, "segmentation_bitmap.url")

    def keep(self, records: Iterable[Sample]) -> None:
        """Store the pictures of the new samples of a chunk, so that not each asks the database for itself. What cannot
        be used is told by `url`."""
        self._urls, self._checked = {}, set()
        if not self._store or not self._by_name:
            return
        put: dict[str, assets.Put] = {}
        for path in filter(None, (path for record in records for path in _paths(record, self))):
            if path not in put:
                with suppress(NoPicture, BadMember):
                    put[path] = self._put(path)
        for path, asset in zip(put, assets.assets_of([*put.values()], owner=self._owner), strict=True):
            self._know(path, assets.url_of(asset))

    def _know(self, path: str, url: str) -> None:
        self._urls[path] = url
        self._checked.add(url)

    def _put(self, path: str) -> assets.Put:
        data = self._source.read(path)
        name = assets.plain_name(path.rsplit("/", 1)[-1])
        return assets.put_bytes(data, filename=name, content_type=checked_picture(io.BytesIO(data)))

    def url(self, path: str) -> str:
        """The address of a picture, which is stored now unless this is a dry run.

        Raises:
            NoPicture, BadMember: it cannot be used.
        """
        if not self._store:
            checked_picture(io.BytesIO(self._source.read(path)))
            return ""
        found = self._urls.get(path)
        if found is None:
            [asset] = assets.assets_of([self._put(path)], owner=self._owner)
            found = assets.url_of(asset)
            self._know(path, found)
        return found

    def has_size(self, url: str) -> bool:
        """Whether the size of a picture is that of a file of ours."""
        return url in self._checked or size_of_file(url) is not None


def _brought(source: Source, paths: set[str]) -> dict[str, str]:
    """{address: path} of the files in an archive of a release that this installation has not."""
    try:
        listed = [json.loads(line) for line in source.read(manifest.ASSETS).splitlines()]
        found = {str(item["url"]): str(item["path"]) for item in listed if item["path"] in paths}
    except (ValueError, KeyError, TypeError):
        return {}
    tokens = {token: url for url in found for token in assets.tokens_in(url)}
    for known in Asset.objects.filter(token__in=[*tokens]).values_list("token", flat=True):
        found.pop(tokens[known], None)
    return found


def new_sample(record: Sample, pictures: Pictures, *, task_type: str, tell: Tell) -> JSON | None:
    """The fields of a sample for a record; None, and told, where the file has too little of it or what does not fit."""
    try:
        attributes = pictures.of_here(record.attributes) or _attributes(record, pictures)
        if attributes is None:
            tell("is no sample of the dataset, and the file has neither its picture nor its size", "error")
            return None
        metadata = dict(record.metadata)
        if record.split:
            metadata.setdefault("split", record.split)
        size = _said_size(record)
        if size is not None and not _has_size(attributes, pictures):
            metadata.setdefault("width", size[0])
            metadata.setdefault("height", size[1])
        fields = {"name": record.name, "attributes": attributes, "metadata": metadata}
        if not _is_plain(record):
            fields = values.checked(fields, where="body")
        return checked_sample(fields, task_type=task_type)
    except BadValue as error:
        tell(f"cannot be made a sample: {error.where}: {error.problem}", "error")
    except InvalidValue as error:
        tell(f"cannot be made a sample: {error.message}", "error")
    except (NoPicture, ValueError) as error:
        tell(f"cannot be made a sample: its picture {error}", "error")
    return None


def _is_plain(record: Sample) -> bool:
    """Whether a record, of which there are millions, says nothing of its sample that could be no value: texts only, and
    no odd ones."""
    if record.attributes or record.metadata or record.is_sequence:
        return False
    text = f"{record.name}{record.url}{record.split}"
    return text.isascii() and "\0" not in text


def _paths(record: Sample, pictures: Pictures) -> Iterator[str | None]:
    """Where the pictures of a record are, as far as the file has them."""
    if record.attributes:
        return
    if not record.is_sequence:
        yield pictures.path(record.name)
    for frame in record.frames:
        yield pictures.path(f"{record.name}/{frame.name}") or pictures.path(frame.name)


def _attributes(record: Sample, pictures: Pictures) -> JSON | None:
    if not record.is_sequence:
        url = _url(record.name, record.url, pictures)
        if url is None and not (record.width and record.height):
            return None
        return {"image": {"url": url or ""}}
    frames = []
    for frame in record.frames:
        url = _url(f"{record.name}/{frame.name}", frame.url, pictures) or _url(frame.name, "", pictures)
        one: JSON = {"image": {"url": url or ""}, "name": frame.name}
        if frame.timestamp is not None:
            one["timestamp"] = values.tagged(frame.timestamp) if type(frame.timestamp) is int else frame.timestamp
        frames.append(one)
    return {"frames": frames} if frames else None


def _url(name: str, url: str, pictures: Pictures) -> str | None:
    path = pictures.path(name)
    if path is not None:
        return pictures.url(path)
    return url if "://" in url or url.startswith(assets.MEDIA) else None


def _said_size(record: Sample) -> tuple[int, int] | None:
    """What the file says of the size of the picture, or of all frames."""
    if not record.is_sequence:
        return (record.width, record.height) if record.width and record.height else None
    sizes = {(frame.width, frame.height) for frame in record.frames}
    (width, height), *others = sizes or {(None, None)}
    return (width, height) if width and height and not others else None


def _has_size(attributes: JSON, pictures: Pictures) -> bool:
    """Whether the size is that of a picture of ours."""
    frames = attributes.get("frames")
    first = frames[0] if isinstance(frames, list) and frames else attributes
    image = first.get("image") if isinstance(first, dict) else None
    return isinstance(image, dict) and pictures.has_size(str(image.get("url", "")))
