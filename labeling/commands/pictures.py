"""Add pictures that somebody sent as samples: each is checked, stored and made a sample, or told why not."""

from __future__ import annotations

import logging
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import IO, Any

from django.core.files.base import File
from PIL import Image

from labeling.commands import assets, samples
from labeling.commands.archives import Archive, BadMember, Member
from labeling.errors import AlreadyExists, PalimpsestError, Refused, StorageUnavailable
from labeling.log.event import Intent
from labeling.models import Sample
from labeling.queries.datasets import Seen, dataset_by_id
from labeling.rules import access
from labeling.rules.protocol.samples import check_sample

logger = logging.getLogger(__name__)

JSON = dict[str, Any]

#: What Pillow may read, and the type that a browser is told.
TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
}
#: Pixels of a picture. Pillow itself refuses more.
MOST_PIXELS = 178_956_970
#: Pixels that are decoded to see whether a picture is whole, where no cheaper check tells.
MOST_DECODED = 40_000_000
NAME_LIMIT = 255
#: Samples of one append; also how many files are stored before it.
CHUNK = 25
MEMORY_BYTES = 1 << 22
TURNS = 5


class NoPicture(ValueError):
    """A file that cannot become a sample; the text says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that somebody sent: the name of its sample, how to open it, and why it cannot be used, or nothing."""

    name: str
    opened: Callable[[], AbstractContextManager[IO[bytes]]]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file: `made`, `there` (a sample of that name was there before), or `refused` with the reason."""

    name: str
    what: str
    words: str = ""
    sample: uuid.UUID | None = None


def from_archive(archive: Archive) -> list[Source]:
    """The files of an archive; each is unpacked when it is opened, and gone when it is closed."""

    @contextmanager
    def opened(member: Member) -> Iterator[IO[bytes]]:
        with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as file:
            archive.unpack(member, file)
            yield file

    return [Source(member.name, partial(opened, member), member.problem) for member in archive.members]


def check_takes_pictures(*, dataset: uuid.UUID, person: uuid.UUID) -> Seen:
    """Check that somebody may add pictures to the dataset, and that its samples are pictures.

    Raises:
        NotFound, NotPermitted: they may not.
        Refused: its samples are something else.
    """
    seen = dataset_by_id(dataset, person=person)
    access.require("change", role=seen.role, public=seen.dataset.public, dataset=dataset)
    try:
        check_sample(seen.dataset.task_type, {"image": {"url": ""}})
    except PalimpsestError as error:
        raise Refused(
            f"Samples of the task type {seen.dataset.task_type} are no single pictures; add them through the API."
        ) from error
    return seen


def add_pictures(*, intent: Intent, dataset: uuid.UUID, sources: Iterable[Source]) -> Iterator[Outcome]:
    """Make a sample of each picture, in their order; what became of each is told as soon as it is known.

    A name that is taken is skipped, so the same files may be sent again after a failure. Every chunk is a command of
    its own; the events of all of them have the intent's command as their correlation.
    """
    seen_names: set[str] = set()
    pending = iter(sources)
    while chunk := list(islice(pending, CHUNK)):
        yield from _chunk(intent, dataset, chunk, seen_names)


def _chunk(intent: Intent, dataset: uuid.UUID, chunk: list[Source], seen_names: set[str]) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}
    fresh: dict[int, Source] = {}
    for index, source in enumerate(chunk):
        problem = source.problem or _name_problem(source.name)
        if not problem and source.name in seen_names:
            problem = "another file of this name was sent with it"
        if problem:
            outcomes[index] = Outcome(source.name, "refused", problem)
        else:
            seen_names.add(source.name)
            fresh[index] = source
    try:
        person = intent.on_behalf_of or intent.author
        check_takes_pictures(dataset=dataset, person=person)  # rights are today's, also in the middle of an upload
        there = _names_there(dataset, [source.name for source in fresh.values()])
        items: dict[int, JSON] = {}
        for index, source in fresh.items():
            if source.name in there:
                outcomes[index] = Outcome(source.name, "there")
                continue
            try:
                url = _stored(source, owner=person)
                items[index] = samples.checked_sample({"name": source.name, "attributes": {"image": {"url": url}}})
            except (NoPicture, BadMember) as error:
                outcomes[index] = Outcome(source.name, "refused", str(error))
        outcomes |= _added(intent, dataset, items)
    except PalimpsestError as error:
        logger.info("a chunk of an upload was refused: %s", error.message)
        for index, source in fresh.items():
            outcomes.setdefault(index, Outcome(source.name, "refused", error.message))
    return [outcomes[index] for index in sorted(outcomes)]


def _added(intent: Intent, dataset: uuid.UUID, items: dict[int, JSON]) -> dict[int, Outcome]:
    """Add the samples; those that somebody else added meanwhile are told as being there."""
    found: dict[int, Outcome] = {}
    for _ in range(TURNS):
        if not items:
            return found
        own = Intent(author=intent.author, tool=intent.tool, correlation=intent.command)
        try:
            made = samples.add_samples(intent=own, dataset=dataset, items=list(items.values()), keep_existing=False)
        except AlreadyExists:
            there = _names_there(dataset, [item["name"] for item in items.values()])
            found |= {index: Outcome(item["name"], "there") for index, item in items.items() if item["name"] in there}
            items = {index: item for index, item in items.items() if item["name"] not in there}
            continue
        return found | {
            index: Outcome(item["name"], "made", sample=sample)
            for (index, item), sample in zip(items.items(), made, strict=True)
        }
    raise Refused("Somebody else adds samples of the same names; send the rest again.")


def _names_there(dataset: uuid.UUID, names: list[str]) -> set[str]:
    rows = Sample.objects.filter(dataset_id=dataset, archived=False, name__in=names)
    return set(rows.values_list("name", flat=True)) if names else set()


def _name_problem(name: str) -> str:
    if not name.isprintable() or not name.strip():
        return "its name has characters that cannot be shown"
    return "" if len(name) <= NAME_LIMIT else f"its path is longer than {NAME_LIMIT} characters"


def _stored(source: Source, *, owner: uuid.UUID) -> str:
    """Keep the file; returns its address without a host.

    Raises:
        NoPicture, BadMember: it cannot be used.
    """
    with source.opened() as file:
        content_type = checked_picture(file)
        file.seek(0)
        asset = assets.plan_asset(owner=owner, filename=source.name)
        return assets.url_of(assets.store_asset(asset, File(file), content_type=content_type))


def checked_picture(file: IO[bytes]) -> str:
    """The content type of a picture that can be read, and is whole as far as a cheap look tells.

    Raises:
        NoPicture: it is none, is damaged, or has too many pixels.
        StorageUnavailable: the file cannot be read now.
    """
    kind, size = _looked_at(file, lambda picture: picture.verify())
    if size[0] * size[1] > MOST_PIXELS:
        raise NoPicture("has more than 178 million pixels")
    if kind == "JPEG":
        # An eighth of each side is decoded without the rest, and a file that ends too early is found all the same.
        _looked_at(file, _decode_small)
    elif kind != "PNG" and size[0] * size[1] <= MOST_DECODED:  # a PNG's parts have checksums, which verify() compared
        _looked_at(file, lambda picture: picture.load())
    return TYPES[kind]


def _decode_small(picture: Image.Image) -> None:
    picture.draft("L", (1, 1))
    picture.load()


def _looked_at(file: IO[bytes], look: Callable[[Image.Image], Any]) -> tuple[str, tuple[int, int]]:
    file.seek(0)
    try:
        picture = Image.open(file, formats=tuple(TYPES))
        kind, size = picture.format or "", picture.size
        if size[0] * size[1] <= MOST_PIXELS:
            look(picture)
        return kind, size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NoPicture("has more than 178 million pixels") from error
    except StorageUnavailable:
        raise
    except Exception as error:  # Pillow's decoders raise whatever comes to them: OSError, SyntaxError, KeyError …
        raise NoPicture("is no picture that can be read (JPEG, PNG, WebP, GIF, BMP or TIFF)") from error
