"""KITTI: boxes of pictures in `label_2/{picture}.txt`, of sequences in `label_02/{sequence}.txt`. Pure.

A line is type, truncated (0 to 1), occluded (0 to 3), alpha, left, top, right, bottom, and seven numbers of the world,
which are what KITTI writes where they are not known; in a sequence the frame and the track stand in front. `truncated`,
`occluded` and `alpha` are attributes of these names. A type is one word. `DontCare` is no object.
Source: cvlibs.net/datasets/kitti, the readme of the development kits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from releases.formats import outlines, pngs
from releases.formats.files import Output, Paths, Source, opened, put_bytes
from releases.formats.format import (
    APPROXIMATED,
    FRAMES,
    LEFT_OUT,
    Findings,
    Format,
    Losses,
    Options,
    UnreadableFile,
    carrying,
)
from releases.formats.outlines import bbox
from releases.formats.pictures import Picture, pictures, sequences
from releases.formats.records import Annotation, Category, Dataset, Frame, Imported, Sample, Track
from releases.formats.texts import number, word
from releases.formats.tracks import entries_of
from releases.formats.xmls import number_of
from sequences.rules.timeline import Clock

JSON = dict[str, Any]

_WORLD = "-1 -1 -1 -1000 -1000 -1000 -10"


def write_pictures(dataset: Dataset, samples: Iterable[Sample], out: Output, options: Options, losses: Losses) -> None:
    """A file of lines for every picture."""
    paths = Paths()
    words = _words(dataset, losses)
    for picture in pictures(KITTI, dataset, samples, options, losses):
        lines = "".join(f"{line}\n" for line in _lines(picture, words, losses))
        put_bytes(out, paths.path(picture.name, ".txt", folder="label_2"), lines.encode())


def write_tracks(dataset: Dataset, samples: Iterable[Sample], out: Output, options: Options, losses: Losses) -> None:
    """A file of lines for every sequence."""
    paths = Paths()
    words = _words(dataset, losses)
    for sample, frames in sequences(TRACKING, dataset, samples, options, losses):
        with opened(out, f"label_02/{paths.path(sample.name)}.txt") as file:
            for picture in frames:
                for item, line in zip(picture.annotations, _lines(picture, words, losses, every=True), strict=True):
                    if line:
                        file.write(f"{picture.frame} {item.id} {line}\n".encode())


def _words(dataset: Dataset, losses: Losses) -> dict[int, str]:
    found = {item.id: word(item.name) for item in dataset.categories}
    for item in dataset.categories:
        if found[item.id] != item.name:
            losses.add("name of a category", APPROXIMATED, sample="", said=found[item.id])
    return found


def _lines(picture: Picture, words: dict[int, str], losses: Losses, *, every: bool = False) -> Iterator[str]:
    """The lines of a picture; with `every` an empty one for an object that has none."""
    for item in picture.annotations:
        at: JSON = {"sample": picture.sample.name, "frame": picture.frame, "annotation": item}
        box = outlines.box_of(item.geometry)
        if box is None:
            losses.add("object without pixels", LEFT_OUT, **at)
            if every:
                yield ""
            continue
        truncated, occluded = item.attributes.get("truncated"), item.attributes.get("occluded")
        alpha = item.attributes.get("alpha")
        said = [_share(truncated), _level(occluded), _angle(alpha)]
        for key in item.attributes:
            if key not in ("truncated", "occluded", "alpha"):
                losses.add("attributes", LEFT_OUT, **at, said=key)
        assert item.category_id is not None
        yield " ".join([words[item.category_id], *said, *map(number, box), _WORLD])


def _share(value: Any) -> str:
    """How much is cut off: a share, or a flag."""
    return number(value) if type(value) in (int, float) and 0 <= value <= 1 else str(int(value is True))


def _level(value: Any) -> str:
    """How much is covered: 0 to 3, or a flag."""
    return str(value) if type(value) is int and 0 <= value <= 3 else str(int(value is True))


def _angle(value: Any) -> str:
    return number(value) if type(value) in (int, float) else "-10"


# --- reading -------------------------------------------------------------------------------------------------------


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """Every text below `label_2` as a picture, and every one below `label_02` as a sequence.

    Raises:
        UnreadableFile: there is none.
    """
    paths = source.paths()
    stills = [path for path in paths if "label_2/" in path and path.endswith(".txt")]
    moving = [path for path in paths if "label_02/" in path and path.endswith(".txt")]
    if not stills and not moving:
        raise UnreadableFile("there is no .txt file below label_2 or label_02")
    known: dict[str, int] = {}
    rows: dict[str, list[tuple[int, list[str]]]] = {}
    for path in (*stills, *moving):
        lines = source.read(path).decode("utf-8", "replace").splitlines()
        rows[path] = [(nth, line.split()) for nth, line in enumerate(lines, 1) if line.strip()]
        place = 2 if path in moving else 0
        for _, columns in rows[path]:
            if len(columns) > place and columns[place] != "DontCare":
                known.setdefault(columns[place], len(known) + 1)
    pictures_ = {path.rsplit(".", 1)[0]: path for path in paths if path.lower().endswith((".png", ".jpg", ".jpeg"))}

    def samples() -> Iterator[Sample]:
        for path in stills:
            stem = path.replace("label_2/", "image_2/").removesuffix(".txt")
            size = pngs.size_of(source.read(pictures_[stem])) if stem in pictures_ else None
            yield _still(path, rows[path], known, size, findings)
        for path in moving:
            yield _moving(path, rows[path], known, findings)

    return Imported(Dataset("kitti", tuple(Category(number_, name) for name, number_ in known.items())), samples())


def _object(columns: list[str]) -> tuple[JSON, JSON]:
    """(geometry, attributes) of a line without frame and track.

    Raises:
        ValueError: it is none.
    """
    if len(columns) not in (15, 16):
        raise ValueError
    truncated, occluded, alpha, *sides = (number_of(column) for column in columns[1:8])
    x0, y0, x1, y1 = (int(side) if side.is_integer() else side for side in sides)
    if x0 > x1 or y0 > y1:
        raise ValueError
    attributes: JSON = {}
    if truncated > 0:
        attributes["truncated"] = True if truncated == 1 else truncated
    if occluded > 0:
        attributes["occluded"] = True if occluded == 1 else int(occluded)
    if alpha not in (-10, -1):
        attributes["alpha"] = alpha
    return bbox(x0, y0, x1, y1), attributes


def _still(
    path: str,
    rows: list[tuple[int, list[str]]],
    known: dict[str, int],
    size: tuple[int, int] | None,
    findings: Findings,
) -> Sample:
    annotations: list[Annotation] = []
    for nth, columns in rows:
        if columns[0] == "DontCare":
            continue
        try:
            geometry, attributes = _object(columns)
        except ValueError:
            findings.add(f"{path} line {nth}", "is no line of KITTI")
            continue
        score = float(columns[15]) if len(columns) == 16 else None
        annotations.append(
            Annotation(len(annotations) + 1, known[columns[0]], geometry, attributes=attributes, score=score)
        )
    name = path.rpartition("label_2/")[2].removesuffix(".txt")
    width, height = size or (None, None)
    return Sample(name, width=width, height=height, annotations=annotations)


def _moving(path: str, rows: list[tuple[int, list[str]]], known: dict[str, int], findings: Findings) -> Sample:
    seen: dict[int, dict[int, JSON]] = {}
    kinds: dict[int, int] = {}
    count = 0
    for nth, columns in rows:
        if len(columns) > 2 and columns[2] == "DontCare":
            continue
        try:
            frame, track = int(columns[0]), int(columns[1])
            geometry, attributes = _object(columns[2:])
            if frame < 0 or frame in seen.get(track, {}):
                raise ValueError
        except (ValueError, IndexError):
            findings.add(f"{path} line {nth}", "is no line of KITTI, or names one object of a frame twice")
            continue
        entry: JSON = {"geometry": geometry} | ({"attributes": attributes} if attributes else {})
        seen.setdefault(track, {})[frame] = entry
        kinds.setdefault(track, known[columns[2]])
        count = max(count, frame + 1)
    tracks = [Track(track, kinds[track], entries_of(seen[track], count)) for track in sorted(seen)]
    frames = [Frame(f"{number_:06d}") for number_ in range(count)]
    name = path.rpartition("label_02/")[2].removesuffix(".txt")
    return Sample(name, is_sequence=True, frames=frames, tracks=tracks, clock=Clock(count))


_NEAR = ("rbox", "polygon", "ellipse", "bitmap")
KITTI = Format(
    "kitti", 1, "KITTI object detection", carrying("bbox", "attributes", approximated=_NEAR),
    write=write_pictures, read=read, options=(FRAMES,),
)  # fmt: skip
TRACKING = Format(
    "kitti-tracking", 1, "KITTI tracking", carrying("bbox", "attributes", "tracks", approximated=_NEAR),
    write=write_tracks, read=read,
)  # fmt: skip
