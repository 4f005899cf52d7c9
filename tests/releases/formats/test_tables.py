"""Tables for pandas and pyarrow, and classifications in lists and folders."""

from __future__ import annotations

import hashlib
import io
import json

import pandas
import pyarrow.parquet
import pytest

from releases.formats import classifications, outlines, tables
from releases.formats.files import Given, Source
from releases.formats.format import Findings, Format, UnreadableFile
from releases.formats.records import Annotation, Imported, Sample
from tests.support.records import CAR, DATASET, EVERYTHING, STREET, VIDEO, bbox, written


def read(kind: Format, source: Source, findings: Findings) -> Imported:
    assert kind.read is not None
    return kind.read(source, findings, kind.parsed_for_reading({}))


def test_pandas_reads_the_csv() -> None:
    files, _, _ = written(tables.CSV, [STREET, VIDEO])
    frame = pandas.read_csv(io.BytesIO(files["annotations.csv"]), keep_default_na=False)
    assert list(frame.columns) == list(tables.COLUMNS)
    here = frame[frame["sample"] == STREET.name]
    assert len(here) == len(EVERYTHING) and len(frame[frame["track_id"] == "1"]) == 8
    first = here.iloc[0]
    assert (first["category"], float(first["x0"]), first["status"]) == ("car", 10.5, "REVIEWED")
    assert json.loads(first["attributes"]) == {"colour": "red", "parked": True, "speed": 3}
    assert list(here["shape"]) == [item.geometry["type"] for item in EVERYTHING]


def test_pyarrow_reads_the_parquet_and_finds_the_same_rows() -> None:
    files, _, _ = written(tables.PARQUET, [STREET, VIDEO])
    table = pyarrow.parquet.read_table(io.BytesIO(files["annotations.parquet"]))
    rows = written(tables.CSV, [STREET, VIDEO])[0]["annotations.csv"].split(b"\n", 1)[1]
    assert table.num_rows == len(rows.splitlines())
    assert files["rows.sha256"].decode().strip() == hashlib.sha256(rows).hexdigest()
    shapes = [item.geometry for item in EVERYTHING if outlines.has_area(item.geometry)]
    areas = [area for area in table.column("area").to_pylist()[: len(EVERYTHING)] if area is not None]
    assert areas == outlines.areas_of(shapes, 60, 100).tolist()
    assert table.schema.field("keyframe").type == pyarrow.bool_()


@pytest.mark.parametrize("kind", [tables.CSV, tables.PARQUET])
def test_rows_come_back_as_the_annotations_that_they_were(kind: Format) -> None:
    files, _, _ = written(kind, [STREET, VIDEO])
    imported = read(kind, Given(files), findings := Findings())
    street, *frames = imported.samples
    assert findings.rows == []
    assert [(item.id, item.name) for item in imported.dataset.categories] == [
        (c.id, c.name) for c in DATASET.categories
    ]
    for item, before in zip(street.annotations, STREET.annotations, strict=True):
        assert (item.geometry, item.attributes, item.uuid, item.score) == (
            before.geometry, before.attributes, before.uuid, before.score,
        )  # fmt: skip
        assert item.category_id == before.category_id
    assert len(frames) == 10 and frames[2].annotations[0].keyframe is False


def test_a_text_that_looks_like_a_formula_is_none() -> None:
    for name in ("=1+1", "+a", "-a", "@a", "'a", "\ta", "a"):
        evil = Sample(name, width=9, height=9, annotations=[Annotation(1, CAR, bbox(0, 0, 1, 1))])
        files, _, _ = written(tables.CSV, [evil])
        line = files["annotations.csv"].splitlines()[1]
        assert not line.startswith((b"=", b"+", b"-", b"@", b"\t"))
        [sample] = read(tables.CSV, Given(files), Findings()).samples
        assert sample.name == name


def test_boxes_alone_are_enough_and_bad_rows_are_findings() -> None:
    text = b"picture,category,x0,y0,x1,y1\na.jpg,car,1,2,3,4\na.jpg,car,9,2,3,4\na.jpg,,1,2,x,4\n"
    [sample] = read(tables.CSV, Given({"b.csv": text}), findings := Findings()).samples
    assert [item.geometry for item in sample.annotations] == [bbox(1, 2, 3, 4)]
    assert [row["where"] for row in findings.errors] == ["b.csv line 3", "b.csv line 4"]
    with pytest.raises(UnreadableFile):
        read(tables.CSV, Given({"b.csv": b"a,b\n1,2\n"}), Findings())


# --- classifications -----------------------------------------------------------------------------------------------


def names_of(imported: Imported) -> dict[str, list[str]]:
    names = {item.id: item.name for item in imported.dataset.categories}
    return {sample.name: [names[number] for number in sample.classifications] for sample in imported.samples}


def test_a_picture_in_a_folder_is_of_its_category() -> None:
    files = {"set/dog/1.jpg": b"", "set/dog/2.JPG": b"", "set/cat/1.png": b"", "set/cat/notes.txt": b"", "x.jpg": b""}
    imported = read(classifications.FOLDERS, Given(files), findings := Findings())
    assert names_of(imported) == {
        "set/cat/1.png": ["cat"],
        "set/dog/1.jpg": ["dog"],
        "set/dog/2.JPG": ["dog"],
        "x.jpg": [],
    }
    assert [(row["where"], row["level"]) for row in findings.rows] == [("x.jpg", "note")]
    with pytest.raises(UnreadableFile):
        read(classifications.FOLDERS, Given({"a.txt": b""}), Findings())


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg,dog,grass\nb.jpg\n",
        'image_name,labels\na.jpg,"dog, grass"\nb.jpg,\n',
        "\ufeffa.jpg, dog ,grass,dog\r\n\r\nb.jpg,\r\n",
    ],
)  # fmt: skip
def test_lists_of_categories_are_read_as_people_write_them(text: str) -> None:
    imported = read(classifications.LISTS, Given({"labels.csv": text.encode()}), findings := Findings())
    assert findings.rows == []
    assert names_of(imported) == {"a.jpg": ["dog", "grass"], "b.jpg": []}
    first, second = imported.samples
    assert (first.default_classification, second.default_classification) == (1, None)


def test_lines_that_are_none_are_findings() -> None:
    text = b'a.jpg,dog\n,cat\na.jpg,cat\n"b.jpg,dog\n'
    imported = read(classifications.LISTS, Given({"l.csv": text}), findings := Findings())
    assert names_of(imported) == {"a.jpg": ["dog"]}
    assert [row["where"] for row in findings.errors] == ["l.csv line 2", "l.csv line 4", "l.csv line 3"]


def test_lists_come_back() -> None:
    files, _, lines = written(classifications.LISTS, [STREET])
    assert files["classifications.csv"] == b"streets/a b.jpg,car,sky & <clouds>\n"
    assert names_of(read(classifications.LISTS, Given(files), Findings())) == {STREET.name: ["car", "sky & <clouds>"]}
    assert sum(line["became"] == "left out" for line in lines) == len(EVERYTHING) + 1
