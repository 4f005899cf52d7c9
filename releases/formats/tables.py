"""Annotations as rows of one table: `csv`, and `parquet` where pyarrow is installed. Pure.

A row is one object in one picture, or a track at one frame. `geometry` and `attributes` are canonical JSON, so that a
row says all of its object; the box is there for those who only want that. In CSV a text that a spreadsheet would take
for a formula has an apostrophe in front, which reading takes away again. The Parquet file is written without
compression and without statistics, in groups of ROWS rows; which version of pyarrow wrote it stands in the file, so its
identity rests on its rows, and `rows.sha256` beside it is the hash of the same rows as CSV.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import orjson

from labeling.log import values
from labeling.log.values import BadValue
from releases.formats import outlines
from releases.formats.files import Output, Source, opened, put_bytes
from releases.formats.format import (
    FRAMES,
    LEFT_OUT,
    ExportStopped,
    Findings,
    Format,
    Losses,
    Options,
    UnreadableFile,
    carrying,
)
from releases.formats.names import names_of, tell_of_names
from releases.formats.parts import InParts, Part, Streams
from releases.formats.pictures import Picture, pictures
from releases.formats.records import Annotation, Category, Dataset, Imported, Sample
from releases.formats.texts import number
from releases.formats.xmls import number_of

JSON = dict[str, Any]

#: The columns with their kinds.
COLUMNS = {
    "sample": "text", "sample_uuid": "text", "split": "text", "status": "text", "frame": "whole", "picture": "text",
    "width": "whole", "height": "whole", "id": "whole", "uuid": "text", "track_id": "whole", "keyframe": "flag",
    "category_id": "whole", "category": "text", "shape": "text", "x0": "number", "y0": "number", "x1": "number",
    "y1": "number", "area": "number", "score": "number", "attributes": "text", "geometry": "text", "author": "text",
    "origin": "text",
}  # fmt: skip
ROWS = 50_000
_CSV, _JSON = "csv", "json"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def _rows(
    kind: Format, dataset: Dataset, samples: Iterable[Sample], options: Options, losses: Losses
) -> Iterator[JSON]:
    names = names_of(dataset.categories, str)  # a blank one would be none
    for picture in pictures(kind, dataset, samples, options, losses):
        losses.count("pictures without objects", LEFT_OUT, not picture.annotations)
        for item in picture.annotations:
            yield _row(item, picture, names)


def _row(item: Annotation, picture: Picture, names: dict[int, str]) -> JSON:
    box: list[float] | list[None] = outlines.box_of(item.geometry) or [None] * 4
    area: float | None = None
    if outlines.has_area(item.geometry) and picture.has_size:
        area = float(outlines.areas_of([item.geometry], picture.height, picture.width)[0])
    sample = picture.sample
    return {
        "sample": sample.name,
        "sample_uuid": sample.uuid,
        "split": sample.split,
        "status": sample.status,
        "frame": picture.frame,
        "picture": picture.name,
        "width": picture.width or None,
        "height": picture.height or None,
        "id": item.id,
        "uuid": item.uuid,
        "track_id": item.track_id,
        "keyframe": item.keyframe,
        "category_id": item.category_id,
        "category": None if item.category_id is None else names.get(item.category_id),
        "shape": item.geometry["type"],
        "x0": box[0],
        "y0": box[1],
        "x1": box[2],
        "y1": box[3],
        "area": area,
        "score": item.score,
        "attributes": _json(item.attributes),
        "geometry": _json(item.geometry),
        "author": item.author,
        "origin": "" if item.origin is None else _json(item.origin),
    }


def _json(value: Any) -> str:
    return values.canonical(value).decode()


def _line(row: JSON) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow([_cell(row[name], kind) for name, kind in COLUMNS.items()])
    return text.getvalue().encode()


def _cell(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind == "flag":
        return "true" if value else "false"
    if kind != "text":
        return number(value)
    return f"'{value}" if value.startswith(_FORMULA) else value


def write_csv(dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses) -> JSON:
    """The rows."""
    for row in _rows(CSV, dataset, samples, options, losses):
        streams.add(_CSV, _line(row))
    return {}


def join_csv(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """`annotations.csv`."""
    with opened(out, "annotations.csv") as file:
        file.write(",".join(COLUMNS).encode() + b"\n")
        for part in parts:
            for piece in part.pieces(_CSV):
                file.write(piece)


def write_parquet(
    dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses
) -> JSON:
    """The rows, as JSON for the file and as CSV for the hash.

    Raises:
        ExportStopped: pyarrow is not installed.
    """
    _pyarrow()
    for row in _rows(PARQUET, dataset, samples, options, losses):
        streams.add(_CSV, _line(row))
        # A whole number of more than 64 bits, which 1e300 is when it comes from the store, is one that the column has.
        said = [
            float(value) if kind == "number" and value is not None else value
            for value, kind in zip(row.values(), COLUMNS.values(), strict=True)
        ]
        streams.add(_JSON, orjson.dumps(said) + b"\n")
    return {}


def join_parquet(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """`annotations.parquet` and `rows.sha256`.

    Raises:
        ExportStopped: pyarrow is not installed.
    """
    pyarrow, parquet = _pyarrow()
    kinds = {"text": pyarrow.string(), "whole": pyarrow.int64(), "number": pyarrow.float64(), "flag": pyarrow.bool_()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    digest = hashlib.sha256()
    with opened(out, "annotations.parquet") as file:
        settings = {"compression": "NONE", "write_statistics": False, "use_dictionary": False, "version": "2.6"}
        with parquet.ParquetWriter(_Unclosed(file), schema, **settings) as writer:
            rows = (orjson.loads(row) for part in parts for row in part.lines(_JSON))
            while few := list(islice(rows, ROWS)):
                columns = [
                    pyarrow.array(column, schema.field(nth).type) for nth, column in enumerate(zip(*few, strict=True))
                ]
                writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema), row_group_size=ROWS)
    for part in parts:
        for piece in part.pieces(_CSV):
            digest.update(piece)
    put_bytes(out, "rows.sha256", digest.hexdigest().encode() + b"\n")


def _pyarrow() -> tuple[Any, Any]:
    """pyarrow, and what of it writes Parquet.

    Raises:
        ExportStopped: it is not installed.
    """
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ExportStopped("Parquet needs the package pyarrow, which is not installed here.") from error


class _Unclosed:
    """A file that pyarrow writes to and may not close."""

    closed = False

    def __init__(self, file: Any) -> None:
        self.write, self.tell, self.flush = file.write, file.tell, lambda: None

    def close(self) -> None:
        pass


# --- reading -------------------------------------------------------------------------------------------------------


def read_csv(source: Source, findings: Findings, options: Options) -> Imported:
    """Every `.csv` file with our columns; only `picture`, `category` and a box or a geometry are needed.

    Raises:
        UnreadableFile: there is none.
    """
    rows: list[tuple[str, JSON]] = []
    found = False
    for path in source.paths():
        if not path.endswith(".csv"):
            continue
        text = source.read(path).decode("utf-8-sig", "replace")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        if reader.fieldnames is None or not {"picture", "category"} <= set(reader.fieldnames):
            continue
        found = True
        rows += [(f"{path} line {nth}", row) for nth, row in enumerate(reader, 2)]
    if not found:
        raise UnreadableFile("there is no .csv file with the columns picture and category")
    return _imported(
        [(where, {key: _unescaped(cell) for key, cell in row.items() if key}) for where, row in rows], findings
    )


def read_parquet(source: Source, findings: Findings, options: Options) -> Imported:
    """Every `.parquet` file with our columns.

    Raises:
        UnreadableFile: there is none, or pyarrow is not installed.
    """
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise UnreadableFile("Parquet needs the package pyarrow, which is not installed here") from error
    rows: list[tuple[str, JSON]] = []
    for path in source.paths():
        if path.endswith(".parquet"):
            table = parquet.read_table(io.BytesIO(source.read(path)))
            for nth, row in enumerate(table.to_pylist(), 1):
                said = {key: _cell(value, COLUMNS.get(key, "text")) for key, value in row.items()}
                rows.append((f"{path} row {nth}", {key: _unescaped(cell) for key, cell in said.items()}))
    if not rows:
        raise UnreadableFile("there is no .parquet file with rows")
    return _imported(rows, findings)


def _unescaped(cell: Any) -> str:
    text = cell if isinstance(cell, str) else ""
    return text[1:] if text.startswith("'") and text[1:2] in _FORMULA else text


def _imported(rows: list[tuple[str, JSON]], findings: Findings) -> Imported:
    names: dict[str, int] = {}
    for _, row in rows:
        if row.get("category"):
            wanted = row.get("category_id", "")
            free = (
                int(wanted)
                if wanted.isdigit() and int(wanted) not in names.values()
                else max(names.values(), default=0) + 1
            )
            names.setdefault(row["category"], free)
    by_picture: dict[str, list[tuple[str, JSON]]] = {}
    for where, row in rows:
        by_picture.setdefault(row.get("picture", ""), []).append((where, row))
    categories = tuple(Category(number_, name) for name, number_ in sorted(names.items(), key=lambda item: item[1]))
    samples = (_sample(picture, items, names, findings) for picture, items in by_picture.items())
    return Imported(Dataset("table", categories), samples)


def _sample(picture: str, rows: list[tuple[str, JSON]], names: dict[str, int], findings: Findings) -> Sample:
    annotations: list[Annotation] = []
    for where, row in rows:
        try:
            annotations.append(_annotation(row, names, len(annotations) + 1))
        except (ValueError, BadValue):
            findings.add(where, "is no annotation: its geometry, box, attributes or numbers cannot be read")
    first = rows[0][1]
    return Sample(
        picture if first.get("frame") else first.get("sample") or picture,
        uuid=first.get("sample_uuid", ""),
        width=_whole(first.get("width", "")),
        height=_whole(first.get("height", "")),
        split=first.get("split", ""),
        status=first.get("status") or "UNLABELED",
        annotations=annotations,
    )


def _annotation(row: JSON, names: dict[str, int], nth: int) -> Annotation:
    if row.get("geometry"):
        geometry = values.parse(row["geometry"].encode(), where="geometry")
        if not isinstance(geometry, dict) or "type" not in geometry:
            raise ValueError
    else:
        x0, y0, x1, y1 = (number_of(row.get(side)) for side in ("x0", "y0", "x1", "y1"))
        if x0 > x1 or y0 > y1:
            raise ValueError
        geometry = outlines.bbox(x0, y0, x1, y1)
    attributes = values.parse(row["attributes"].encode(), where="attributes") if row.get("attributes") else {}
    origin = values.parse(row["origin"].encode(), where="origin") if row.get("origin") else None
    if not isinstance(attributes, dict) or not isinstance(origin, dict | None):
        raise ValueError
    return Annotation(
        _whole(row.get("id", "")) or nth,
        names.get(row.get("category", "")),
        geometry,
        uuid=row.get("uuid", ""),
        attributes=attributes,
        score=number_of(row["score"]) if row.get("score") else None,
        track_id=_whole(row.get("track_id", "")),
        keyframe={"true": True, "false": False}.get(row.get("keyframe", "")),
        origin=origin,
        author=row.get("author", ""),
    )


def _whole(text: str) -> int | None:
    return int(text) if text.isdigit() else None


_CARRIES = carrying(
    "bbox", "rbox", "polygon", "polyline", "point", "skeleton", "ellipse", "bitmap", "cuboid", "cuboid-sync",
    "orientation", "parts", "holes", "attributes", "scores", "tracks", "keyframes", "splits", "no category", "statuses",
    "provenance", "uuids",
)  # fmt: skip
CSV = Format(
    "csv",
    2,
    "CSV table of annotations",
    _CARRIES,
    parts=InParts(write_csv, join_csv, before=tell_of_names(str)),
    read=read_csv,
    options=(FRAMES,),
)
PARQUET = Format(
    "parquet",
    2,
    "Parquet table of annotations",
    _CARRIES,
    parts=InParts(write_parquet, join_parquet, before=tell_of_names(str)),
    read=read_parquet,
    options=(FRAMES,),
)
