"""MOTS: the pixels of tracks, as PNG files (`{sequence}/instances/`) and as text (`instances_txt/`). Pure.

A pixel's value is class * 1000 + instance, 16 bits; 0 is background. The text has `frame id class height width rle`,
its frames count from 0, as those of KITTI MOTS do. A class is a line of `labels.txt`, from 1. Objects do not overlap:
of two the later, which is above, has the pixel. An instance keeps its number over time; it is the track's, where that
is below 1000 and free. Source: vision.rwth-aachen.de/page/mots.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from labeling.geometry.composition import label_map, spans_of
from releases.formats import pngs
from releases.formats.drafts import Draft, join
from releases.formats.files import Source, spool
from releases.formats.format import (
    APPROXIMATED,
    LEFT_OUT,
    Findings,
    Format,
    Losses,
    Options,
    UnreadableFile,
    carrying,
)
from releases.formats.names import names_of, tell_of_names
from releases.formats.outlines import bitmap
from releases.formats.painting import tell_of_overlaps
from releases.formats.parts import InParts, Streams
from releases.formats.pictures import sequences
from releases.formats.records import Category, Dataset, Frame, Imported, Sample, Track
from releases.formats.texts import one_line
from releases.formats.tracks import entries_of
from sequences.rules.timeline import Clock

JSON = dict[str, Any]

PER_CLASS = 1000
IGNORED = 10_000
_MOST_CLASSES = 65


def write(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
    """The files of MOTS, a folder a sequence."""
    draft = Draft(streams)
    classes = {item.id: nth for nth, item in enumerate(dataset.categories, 1)}
    names = "".join(f"{name}\n" for name in names_of(dataset.categories, one_line).values()).encode()
    for sample, frames in sequences(MOTS, dataset, samples, options, losses):
        folder = draft.name(sample.name)
        numbers = _Numbers(classes)
        first: dict[int, int] = {}
        renumbered: set[tuple[int, int]] = set()
        with spool() as text:
            for picture in frames:
                assert picture.frame is not None
                kept, values = [], []
                for item in picture.annotations:
                    assert item.category_id is not None
                    if first.setdefault(item.id, item.category_id) != item.category_id:
                        losses.add(
                            "category of a keyframe",
                            APPROXIMATED, sample=sample.name, frame=picture.frame, annotation=item,
                            said="a track of its own",
                        )  # fmt: skip
                    value = numbers.of(item.category_id, item.id)
                    if value is None:
                        losses.add(
                            "more than 999 objects of a class, or 65 classes",
                            LEFT_OUT, sample=sample.name, frame=picture.frame, annotation=item,
                        )  # fmt: skip
                        continue
                    own = (item.category_id, item.id)
                    if own not in renumbered and (value % PER_CLASS != item.id or first[item.id] != item.category_id):
                        renumbered.add(own)
                        losses.count("ids", APPROXIMATED)
                    kept.append(item)
                    values.append(value)
                spans = spans_of([item.geometry for item in kept], picture.height, picture.width)
                painted = label_map(spans, values, picture.height, picture.width, dtype=np.uint16)
                tell_of_overlaps(picture, kept, spans, painted, values, losses)
                draft.put(pngs.gray(painted), folder, after=f"/instances/{picture.frame:06d}.png")
                for value in sorted(np.unique(painted).tolist()):
                    if value:
                        runs = rle.encode(painted == value, compressed=True)
                        said = (picture.frame, value, value // PER_CLASS, picture.height, picture.width, runs["counts"])
                        text.write(" ".join(map(str, said)).encode() + b"\n")
            draft.put(text, folder, before="instances_txt/", after=".txt")
        draft.put(names, folder, after="/instances/labels.txt")
    return {}


class _Numbers:
    """The values of tracks: of each class its own numbers, from 1 to 999."""

    def __init__(self, classes: dict[int, int]) -> None:
        self._classes = classes
        self._given: dict[tuple[int, int], int] = {}
        self._taken: dict[int, set[int]] = {}

    def of(self, category: int, track: int) -> int | None:
        kind = self._classes[category]
        if kind >= _MOST_CLASSES:
            return None
        if (kind, track) not in self._given:
            taken = self._taken.setdefault(kind, set())
            free = (
                track
                if 0 < track < PER_CLASS and track not in taken
                else next((number for number in range(1, PER_CLASS) if number not in taken), None)
            )
            if free is None:
                return None
            taken.add(free)
            self._given[kind, track] = free
        return kind * PER_CLASS + self._given[kind, track]


# --- reading -------------------------------------------------------------------------------------------------------


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """Every folder `instances` of PNG files as a sequence, in the order of its files; else every text of run lengths.

    Raises:
        UnreadableFile: there is neither.
    """
    folders: dict[str, list[str]] = {}
    texts = []
    for path in source.paths():
        folder, _, name = path.rpartition("/")
        if name.endswith(".png") and folder.split("/")[-1] == "instances":
            folders.setdefault(folder, []).append(path)
        elif name.endswith(".txt") and name != "labels.txt":
            texts.append(path)
    if not folders and not texts:
        raise UnreadableFile("there is neither a folder `instances` with PNG files nor a text of run lengths")
    names: list[str] = []
    own: dict[str, list[str]] = {}
    for folder in folders:
        own[folder] = _labels(source, folder)
        names += [name for name in own[folder] if name not in names]
    known = {name: nth for nth, name in enumerate(names, 1)}
    if not folders:
        known = {str(kind): kind for kind in sorted(_classes_of(source, texts))}
    categories = tuple(Category(number, name) for name, number in known.items())
    return Imported(
        Dataset("mots", categories),
        (
            _of_pngs(source, folder, files, [known[name] for name in own[folder]], findings)
            for folder, files in folders.items()
        )
        if folders
        else (_of_text(source, path, findings) for path in texts),
    )


def _labels(source: Source, folder: str) -> list[str]:
    try:
        text = source.read(f"{folder}/labels.txt").decode("utf-8", "replace")
    except KeyError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def _of_pngs(source: Source, folder: str, files: list[str], classes: list[int], findings: Findings) -> Sample:
    seen: dict[int, dict[int, JSON]] = {}
    frames = []
    for frame, path in enumerate(files):
        try:
            values = pngs.read(source.read(path))
            if values.ndim != 2:
                raise BadBitmap("The file is no map of single values.")
        except BadBitmap as error:
            findings.add(path, str(error))
            frames.append(Frame(path.rsplit("/", 1)[-1].removesuffix(".png")))
            continue
        height, width = values.shape
        frames.append(Frame(path.rsplit("/", 1)[-1].removesuffix(".png"), width, height))
        for value in np.unique(values).tolist():
            if value in (0, IGNORED):
                if value:
                    findings.note(path, "has a region that is to be ignored, which is not read")
                continue
            if not 1 <= value // PER_CLASS <= max(len(classes), 0 if classes else _MOST_CLASSES):
                findings.add(path, "has an object of a class that labels.txt does not have")
                continue
            runs = rle.encode(values == value, compressed=True)
            seen.setdefault(value, {})[frame] = {"geometry": bitmap(runs)}
    name = "/".join(folder.split("/")[:-1]) or "sequence"
    return _sample(name, seen, frames, lambda kind: classes[kind - 1] if classes else kind)


def _sample(name: str, seen: dict[int, dict[int, JSON]], frames: list[Frame], category: Any) -> Sample:
    """The sequence of objects by their values. Tracks keep their instance's number where no other has it."""
    tracks: list[Track] = []
    taken: set[int] = set()
    highest = max((value % PER_CLASS for value in seen), default=0)
    for value in sorted(seen):
        number = value % PER_CLASS
        if number in taken or number == 0:
            highest += 1
            number = highest
        taken.add(number)
        tracks.append(Track(number, category(value // PER_CLASS), entries_of(seen[value], len(frames))))
    return Sample(name=name, is_sequence=True, frames=frames, tracks=tracks, clock=Clock(len(frames)))


def _rows(source: Source, path: str) -> Iterable[tuple[int, list[str]]]:
    for nth, line in enumerate(source.read(path).decode("utf-8", "replace").splitlines(), 1):
        if line.strip():
            yield nth, line.split()


def _classes_of(source: Source, texts: list[str]) -> set[int]:
    found = set()
    for path in texts:
        for _, columns in _rows(source, path):
            if len(columns) == 6 and columns[2].isdigit() and 0 < int(columns[2]) < _MOST_CLASSES:
                found.add(int(columns[2]))
    return found - {IGNORED // PER_CLASS}


def _of_text(source: Source, path: str, findings: Findings) -> Sample:
    seen: dict[int, dict[int, JSON]] = {}
    last, size = 0, (0, 0)
    for nth, columns in _rows(source, path):
        where = f"{path} line {nth}"
        try:
            frame, value, kind, height, width = map(int, columns[:5])
            runs = {"size": [height, width], "counts": columns[5]}
            rle.counts_of(runs, max_pixels=rle.MAX_PIXELS)
            if len(columns) != 6 or frame < 0 or value // PER_CLASS != kind:
                raise ValueError
        except (ValueError, IndexError, BadBitmap):
            findings.add(where, "is no line of MOTS: frame, id, class, height, width, run lengths")
            continue
        last, size = max(last, frame + 1), (height, width)
        if value != IGNORED:
            seen.setdefault(value, {})[frame] = {"geometry": bitmap(runs)}
        else:
            findings.note(where, "has a region that is to be ignored, which is not read")
    frames = [Frame(f"{number:06d}", size[1], size[0]) for number in range(last)]
    return _sample(path.rsplit("/", 1)[-1].removesuffix(".txt"), seen, frames, lambda kind: kind)


MOTS = Format(
    "mots",
    2,
    "MOTS",
    carrying(
        "bitmap", "tracks", "sequences", "list of categories", converted=("polygon", "ellipse", "parts", "holes"),
        approximated=("names",),
    ),
    parts=InParts(write, join, before=tell_of_names(one_line)),
    read=read,
    needs_size=True,
    is_painted=True,
)  # fmt: skip
