"""MOT: boxes of tracks, `{sequence}/gt/gt.txt` with `labels.txt` and `{sequence}/seqinfo.ini`. Pure.

Nine columns as of MOT16: frame, id, left, top, width, height, 1, class, visibility. Frames, ids and, as the challenge
has it, coordinates count from 1: its upper left pixel is (1, 1). CVAT and Datumaro write coordinates that count from 0;
`coordinates` says which. A class is a line of `labels.txt`, from 1. `visibility` is the attribute of that name, else 1;
an object that is `ignored` has a 0 in the column before the class.
Source: motchallenge.net/instructions, and Milan et al., "MOT16: A Benchmark for Multi-Object Tracking", table 5.
"""

from __future__ import annotations

import configparser
import io
from collections.abc import Iterable, Iterator
from typing import Any

from releases.formats import outlines
from releases.formats.drafts import Draft, join
from releases.formats.files import Source, spool
from releases.formats.format import (
    LEFT_OUT,
    Findings,
    Format,
    Losses,
    Option,
    Options,
    UnreadableFile,
    carrying,
)
from releases.formats.names import names_of, tell_of_names
from releases.formats.outlines import bbox
from releases.formats.parts import InParts, Streams
from releases.formats.pictures import Picture, sequences
from releases.formats.records import Category, Dataset, Frame, Imported, Sample, Track
from releases.formats.texts import number, one_line, word
from releases.formats.tracks import entries_of
from releases.formats.xmls import number_of
from sequences.rules.timeline import Clock

JSON = dict[str, Any]

COORDINATES = Option(
    "coordinates", ("from-1", "from-0"), "Whether the upper left pixel is (1, 1), as the challenge has it, or (0, 0)."
)
_COLUMNS = 9


def write(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
    """The files of MOT, a folder a sequence."""
    draft = Draft(streams)
    classes = {item.id: nth for nth, item in enumerate(dataset.categories, 1)}
    names = "".join(f"{name}\n" for name in names_of(dataset.categories, one_line).values()).encode()
    shift = 1.0 if options["coordinates"] == "from-1" else 0.0
    for sample, frames in sequences(MOT, dataset, samples, options, losses):
        folder = draft.name(sample.name)
        with spool() as file:
            for picture in frames:
                for line in _lines(picture, classes, shift, losses):
                    file.write(line.encode() + b"\n")
            draft.put(file, folder, after="/gt/gt.txt")
        draft.put(names, folder, after="/gt/labels.txt")
        draft.put(_info(sample).encode(), folder, after="/seqinfo.ini")
    return {}


def _lines(picture: Picture, classes: dict[int, int], shift: float, losses: Losses) -> Iterator[str]:
    assert picture.frame is not None
    for item in picture.annotations:
        box = outlines.box_of(item.geometry)
        if box is None:
            losses.add(
                "object without pixels", LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item
            )
            continue
        x0, y0, x1, y1 = box
        said = item.attributes.get("visibility")  # 1 is what stands there of all others too
        has_visibility = type(said) in (int, float) and 0 <= said < 1  # type: ignore[operator]
        ignored = item.attributes.get("ignored") is True
        rest = [
            key
            for key in item.attributes
            if not (key == "visibility" and has_visibility) and not (key == "ignored" and ignored)
        ]
        for key in rest:
            losses.add(
                "attributes", LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item, said=key
            )
        assert item.category_id is not None
        columns = (
            picture.frame + 1, item.id, x0 + shift, y0 + shift, x1 - x0, y1 - y0, int(not ignored),
            classes[item.category_id], said if has_visibility and said is not None else 1,
        )  # fmt: skip
        yield ",".join(number(column) for column in columns)


def _info(sample: Sample) -> str:
    frame = next((item for item in sample.frames if item.width and item.height), None)
    size = f"imWidth={frame.width}\nimHeight={frame.height}\n" if frame else ""
    name = word(sample.name)
    return f"[Sequence]\nname={name}\nimDir=img1\nframeRate=25\nseqLength={len(sample.frames)}\n{size}imExt=.jpg\n"


# --- reading -------------------------------------------------------------------------------------------------------


def read(source: Source, findings: Findings, options: Options) -> Imported:
    """Every `gt.txt` as a sequence; also of ten columns, and of six and seven.

    Raises:
        UnreadableFile: there is none.
    """
    paths = [path for path in source.paths() if path == "gt.txt" or path.endswith("/gt.txt")]
    if not paths:
        raise UnreadableFile("there is no gt.txt")
    names: list[str] = []
    for path in paths:
        for name in _labels(source, path):
            if name not in names:
                names.append(name)
    known = {name: nth for nth, name in enumerate(names, 1)}
    shift = 1.0 if options["coordinates"] == "from-1" else 0.0
    categories = tuple(Category(number_, name) for name, number_ in known.items())
    samples = (_sequence(source, path, known, shift, findings) for path in paths)
    return Imported(Dataset("mot", categories), samples)


def _labels(source: Source, path: str) -> list[str]:
    try:
        text = source.read(path.removesuffix("gt.txt") + "labels.txt").decode("utf-8", "replace")
    except KeyError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def _sequence(source: Source, path: str, known: dict[str, int], shift: float, findings: Findings) -> Sample:
    own = [known[name] for name in _labels(source, path)]
    root = path.removesuffix("gt.txt").rstrip("/").removesuffix("gt").rstrip("/")
    info = _read_info(source, f"{root}/seqinfo.ini" if root else "seqinfo.ini", findings)
    seen: dict[tuple[int, int], dict[int, JSON]] = {}
    of: dict[tuple[int, int], int | None] = {}
    last = 0
    untracked = 0
    for nth, line in enumerate(source.read(path).decode("utf-8", "replace").splitlines(), 1):
        where = f"{path} line {nth}"
        columns = [column.strip() for column in line.split(",")]
        if columns == [""]:
            continue
        try:
            frame, track, x, y, w, h, conf, kind, visibility = _numbers(columns)
        except ValueError:
            findings.add(where, "is no line of MOT: frame, id, left, top, width, height, conf, class, visibility")
            continue
        if frame < 1 or w < 0 or h < 0:
            findings.add(where, "has a frame before 1, or a box of negative size")
            continue
        if own and not 1 <= kind <= len(own) and kind != -1:
            findings.add(where, "names a class that labels.txt does not have")
            continue
        key = (track, 0)
        if track < 0:  # nobody said which object it is, so it is one of its own
            untracked += 1
            key = (-1, untracked)
        if frame - 1 in seen.setdefault(key, {}):
            findings.add(where, "has the same object a second time in one frame")
            continue
        attributes: JSON = {} if visibility in (1, -1) else {"visibility": visibility}
        if conf == 0:
            attributes["ignored"] = True
        box = {"geometry": bbox(x - shift, y - shift, x - shift + w, y - shift + h)}
        seen[key][frame - 1] = box | ({"attributes": attributes} if attributes else {})
        category = own[kind - 1] if own and kind != -1 else None
        if of.setdefault(key, category) != category:
            seen[key][frame - 1]["category_id"] = category
        last = max(last, frame)
    count = max(info.get("seqlength", 0), last)
    taken = {track for track, _ in seen if track >= 0}
    free = iter(range(max(taken, default=0) + 1, max(taken, default=0) + 1 + len(seen)))
    tracks = [
        Track(track if track >= 0 else next(free), of[track, nth], entries_of(sightings, count))
        for (track, nth), sightings in seen.items()
        if sightings
    ]
    width, height = info.get("imwidth"), info.get("imheight")
    frames = [Frame(f"{number_ + 1:06d}", width, height) for number_ in range(count)]
    name = root.rsplit("/", 1)[-1] or "sequence"
    return Sample(name=name, is_sequence=True, frames=frames, tracks=tracks, clock=Clock(count))


def _numbers(columns: list[str]) -> tuple[int, int, float, float, float, float, float, int, float]:
    """The nine columns; of a row of ten, whose last three are places in the world, without them.

    Raises:
        ValueError: too few, or not numbers.
    """
    if not 6 <= len(columns) <= 10:
        raise ValueError
    found = [number_of(column) for column in columns]
    if len(found) == 10:
        found = [*found[:7], -1.0, -1.0]
    found += [1.0, -1.0, -1.0][len(found) - 6 :]
    frame, track, kind = (found[place] for place in (0, 1, 7))
    if not (frame.is_integer() and track.is_integer() and kind.is_integer()):
        raise ValueError
    return int(frame), int(track), found[2], found[3], found[4], found[5], found[6], int(kind), found[8]


def _read_info(source: Source, path: str, findings: Findings) -> dict[str, int]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_file(io.StringIO(source.read(path).decode("utf-8", "replace")))
        said = dict(parser["Sequence"]) if parser.has_section("Sequence") else {}
    except KeyError:
        return {}
    except configparser.Error:
        findings.note(path, "cannot be read, so the length of the sequence and the size of its frames are not known")
        return {}
    return {key: int(said[key]) for key in ("seqlength", "imwidth", "imheight") if str(said.get(key, "")).isdigit()}


MOT = Format(
    "mot",
    2,
    "MOT Challenge",
    carrying(
        "bbox", "tracks", "attributes", "sequences", "list of categories",
        approximated=("rbox", "polygon", "ellipse", "bitmap", "names"),
    ),
    parts=InParts(write, join, before=tell_of_names(one_line)),
    read=read,
    options=(COORDINATES,),
    reading_options=(COORDINATES,),
)  # fmt: skip
