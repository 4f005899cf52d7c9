"""Classifications of whole pictures: folders whose names are categories, and lists of names behind the picture's. Pure.

- `folders`: the folder that a picture is in names its category. A picture in no folder has none.
- `classifications`: a CSV file, a picture a line: its name, then its categories, each in a column or all of them parted
  by commas in one. The first is the default. A first line whose first field is one of _HEADS is a heading.

Both as SentiSight takes them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from releases.formats.files import Output, Source, opened
from releases.formats.format import Findings, Format, Losses, Options, UnreadableFile, carrying
from releases.formats.names import names_of, tell_of_names
from releases.formats.parts import InParts, Part, Streams
from releases.formats.pictures import pictures
from releases.formats.records import Category, Dataset, Imported, Sample

JSON = dict[str, Any]

_LINES = "lines"
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff")
_HEADS = frozenset({"image", "image_name", "image name", "filename", "file name", "file", "name", "sample"})


def read_folders(source: Source, findings: Findings, options: Options) -> Imported:
    """Every picture, in the category of its folder.

    Raises:
        UnreadableFile: there are no pictures.
    """
    paths = [path for path in source.paths() if path.lower().endswith(_PICTURES)]
    if not paths:
        raise UnreadableFile("there are no pictures")
    folders = {path: path.split("/")[-2] if "/" in path else "" for path in paths}
    known = {name: nth for nth, name in enumerate(dict.fromkeys(filter(None, folders.values())), 1)}
    for path, folder in folders.items():
        if not folder:
            findings.note(path, "is in no folder, so it has no category")
    samples = (
        Sample(path, classifications=[known[folder]], default_classification=known[folder]) if folder else Sample(path)
        for path, folder in folders.items()
    )
    return Imported(Dataset("folders", tuple(Category(number, name) for name, number in known.items())), samples)


def read_lists(source: Source, findings: Findings, options: Options) -> Imported:
    """Every `.csv` and `.txt` file.

    Raises:
        UnreadableFile: there is none with a line.
    """
    rows = list(_rows(source, findings))
    if not rows:
        raise UnreadableFile("there is no line with a picture's name and its categories")
    known = {name: nth for nth, name in enumerate(dict.fromkeys(name for _, _, names in rows for name in names), 1)}
    found: dict[str, Sample] = {}
    for where, picture, names in rows:
        if picture in found:
            findings.add(where, "names a picture that a line before names too")
            continue
        numbers = [known[name] for name in dict.fromkeys(names)]
        found[picture] = Sample(
            picture, classifications=numbers, default_classification=numbers[0] if numbers else None
        )
    categories = tuple(Category(number, name) for name, number in known.items())
    return Imported(Dataset("classifications", categories), list(found.values()))


def _rows(source: Source, findings: Findings) -> Iterator[tuple[str, str, list[str]]]:
    """(place, picture, categories) of every line."""
    for path in source.paths():
        if not path.lower().endswith((".csv", ".txt")):
            continue
        try:
            text = source.read(path).decode("utf-8-sig")
        except UnicodeDecodeError:
            findings.add(path, "must be in UTF-8")
            continue
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        nth = 0
        try:
            for row in reader:
                nth = reader.line_num
                cells = [cell.strip() for cell in row]
                if not any(cells) or (nth == 1 and cells[0].lower() in _HEADS):
                    continue
                if not cells[0]:
                    findings.add(f"{path} line {nth}", "names no picture")
                    continue
                yield (
                    f"{path} line {nth}",
                    cells[0],
                    [one.strip() for cell in cells[1:] for one in cell.split(",") if one.strip()],
                )
        except csv.Error:
            findings.add(
                f"{path} line {nth + 1}", "has a quote that does not end, or text behind one; nothing more is read"
            )


def _name(name: str) -> str:
    """A name between commas."""
    return " ".join(name.replace(",", " ").split())


def write_lists(
    dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses
) -> JSON:
    """A picture a line, its default category first."""
    known = names_of(dataset.categories, _name)
    for picture in pictures(LISTS, dataset, samples, options, losses):
        first = picture.sample.default_classification
        ids = sorted(picture.classifications, key=lambda number: number != first)
        text = io.StringIO(newline="")
        names = [known[number] for number in ids if number in known]
        csv.writer(text, lineterminator="\n").writerow([picture.name, *names])
        streams.add(_LINES, text.getvalue().encode())
    return {}


def join_lists(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """`classifications.csv`: the lines."""
    with opened(out, "classifications.csv") as file:
        for part in parts:
            for piece in part.pieces(_LINES):
                file.write(piece)


LISTS = Format(
    "classifications",
    2,
    "CSV of classifications",
    carrying("classifications", "default classification", "names"),
    parts=InParts(write_lists, join_lists, before=tell_of_names(_name)),
    read=read_lists,
)
FOLDERS = Format("folders", 1, "Folders named after categories", carrying("classifications"), read=read_folders)
