"""KITTI: boxes of pictures in `label_2/{picture}.txt`, of sequences in `label_02/{sequence}.txt`. Pure.

A line is type, truncated (0 to 1), occluded (0 to 3), alpha, left, top, right, bottom, and seven numbers of the world,
which are what KITTI writes where they are not known; in a sequence the frame and the track stand in front. `truncated`,
`occluded` and `alpha` are attributes of these names. A type is one word. `DontCare` is no object.
Source: cvlibs.net/datasets/kitti, the readme of the development kits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from labeling.log.values import same
from releases.formats import outlines, pngs
from releases.formats.drafts import Draft, join
from releases.formats.files import Source, spool
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
from releases.formats.names import names_of, tell_of_words
from releases.formats.outlines import bbox
from releases.formats.parts import InParts, Streams
from releases.formats.pictures import Picture, pictures, sequences
from releases.formats.records import Annotation, Category, Dataset, Frame, Imported, Sample, Track
from releases.formats.texts import number, word
from releases.formats.tracks import entries_of
from releases.formats.xmls import number_of
from sequences.rules.timeline import Clock

JSON = dict[str, Any]

_WORLD = "-1 -1 -1 -1000 -1000 -1000 -10"


def write_pictures(
    dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses
) -> JSON:
    """A file of lines for every picture."""
    draft = Draft(streams)
    words = names_of(dataset.categories, word)
    for picture in pictures(KITTI, dataset, samples, options, losses):
        lines = "".join(f"{line}\n" for line in _lines(picture, words, losses))
        draft.file(lines.encode(), picture.name, ".txt", folder="label_2")
    return {}


def write_tracks(
    dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses
) -> JSON:
    """A file of lines for every sequence."""
    draft = Draft(streams)
    words = names_of(dataset.categories, word)
    for sample, frames in sequences(TRACKING, dataset, samples, options, losses):
        with spool() as file:
            last = -1
            for picture in frames:
                assert picture.frame is not None
                for item, line in zip(picture.annotations, _lines(picture, words, losses, every=True), strict=True):
                    if line:
                        last = picture.frame
                        file.write(f"{picture.frame} {item.id} {line}\n".encode())
            draft.put(file, draft.name(sample.name), before="label_02/", after=".txt")
        losses.count("frames behind the last object", LEFT_OUT, len(sample.frames) - 1 - last)
    return {}


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
        said = {key: column(item.attributes.get(key)) for key, column in _COLUMNS.items()}
        columns = [text or nothing for text, nothing in zip(said.values(), ("0", "0", "-10"), strict=True)]
        read_ = _attributes(*map(float, columns)) if item.attributes else {}
        for key, value in item.attributes.items():
            if said.get(key) is None:
                losses.add("attributes", LEFT_OUT, **at, said=key)
            elif not same(read_.get(key), value):
                losses.add("attributes", APPROXIMATED, **at, said=key)
        assert item.category_id is not None
        yield " ".join([words[item.category_id], *columns, *map(number, box), _WORLD])


def _share(value: Any) -> str | None:
    """How much is cut off: a share, or a flag, which is all; None where it is neither, or 0, which is said of all
    others too."""
    if value is True:
        return "1"
    return number(value) if type(value) in (int, float) and 0 < value <= 1 else None


def _level(value: Any) -> str | None:
    """How much is covered: 1 to 3, or a flag, which is 1; None where it is neither."""
    if value is True:
        return "1"
    return str(value) if type(value) is int and 0 < value <= 3 else None


def _angle(value: Any) -> str | None:
    """An angle; None where it is none, or the one that says that it is not known."""
    return number(value) if type(value) in (int, float) and value != -10 else None


#: The attributes that have a column, in their order.
_COLUMNS = {"truncated": _share, "occluded": _level, "alpha": _angle}


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
    return bbox(x0, y0, x1, y1), _attributes(truncated, occluded, alpha)


def _attributes(truncated: float, occluded: float, alpha: float) -> JSON:
    """The attributes that columns say; a 1 is read as a flag, which most of those are who write it."""
    found: JSON = {}
    if truncated > 0:
        found["truncated"] = True if truncated == 1 else truncated
    if occluded > 0:
        found["occluded"] = True if occluded == 1 else int(occluded)
    if alpha not in (-10, -1):
        found["alpha"] = alpha
    return found


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
        if kinds.setdefault(track, known[columns[2]]) != known[columns[2]]:
            entry["category_id"] = known[columns[2]]
        seen.setdefault(track, {})[frame] = entry
        count = max(count, frame + 1)
    tracks = [Track(track, kinds[track], entries_of(seen[track], count)) for track in sorted(seen)]
    frames = [Frame(f"{number_:06d}") for number_ in range(count)]
    name = path.rpartition("label_02/")[2].removesuffix(".txt")
    return Sample(name, is_sequence=True, frames=frames, tracks=tracks, clock=Clock(count))


_NEAR = ("rbox", "polygon", "ellipse", "bitmap")
KITTI = Format(
    "kitti", 2, "KITTI object detection", carrying("bbox", "attributes", "order", approximated=(*_NEAR, "names")),
    parts=InParts(write_pictures, join, before=tell_of_words), read=read, options=(FRAMES,),
)  # fmt: skip
TRACKING = Format(
    "kitti-tracking", 2, "KITTI tracking",
    carrying("bbox", "attributes", "tracks", "sequences", approximated=(*_NEAR, "names")),
    parts=InParts(write_tracks, join, before=tell_of_words), read=read,
)  # fmt: skip
