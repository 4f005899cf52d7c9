"""MOT and MOTS: written for motmetrics and Datumaro to read, and read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import motmetrics
import numpy as np
import pytest

from labeling.geometry import rle
from labeling.geometry.measures import ious_of_boxes
from releases.formats import mot, mots, outlines
from releases.formats.files import Folder, Given, Source
from releases.formats.format import Findings, Format, UnreadableFile
from releases.formats.records import Imported, Sample, Track
from sequences.rules.timeline import Clock
from tests.support import records
from tests.support.peers import dummy, labels_of, put, read_by_datumaro
from tests.support.records import CAR, PERSON, VIDEO, bbox, written

FIXTURES = Path(__file__).parents[2] / "data" / "datumaro"


def read(kind: Format, source: Source, findings: Findings, **said: str) -> Imported:
    assert kind.read is not None
    return kind.read(source, findings, kind.parsed_for_reading(said))


BOXES = Sample(
    name="train",
    is_sequence=True,
    frames=VIDEO.frames,
    tracks=[
        VIDEO.tracks[0],
        Track(
            1200,
            PERSON,
            {
                1: {"geometry": bbox(0.5, 1.25, 7, 9), "attributes": {"visibility": 0.5}},
                3: {"geometry": bbox(4.5, 1.25, 11, 9), "attributes": {"ignored": True}},
            },
        ),
    ],
)


def shown(sample: Sample) -> dict[tuple[int, int], Any]:
    """Every object at every frame: (frame, track) → (category, geometry, attributes)."""
    return {
        (frame, track.track_id): (item.category_id, item.geometry, item.attributes)
        for track in sample.tracks
        for frame, item in track.at(Clock(len(sample.frames)))
    }


def test_tracks_of_boxes_come_back_in_every_frame() -> None:
    for coordinates in ("from-1", "from-0"):
        files, _, lines = written(mot.MOT, [BOXES], coordinates=coordinates)
        findings = Findings()
        [sample] = read(mot.MOT, Given(files), findings, coordinates=coordinates).samples
        assert findings.rows == [] and sample.name == "train" and len(sample.frames) == 10
        before = {key: (kind, shape, {k: v for k, v in said.items() if k != "colour"})
                  for key, (kind, shape, said) in shown(BOXES).items()}  # fmt: skip
        assert shown(sample) == before
        assert {(line["what"], line["said"]) for line in lines} == {("attributes", "colour")}


def test_motmetrics_reads_the_boxes(tmp_path: Path) -> None:
    files, _, _ = written(mot.MOT, [BOXES])
    put(tmp_path, files)
    frame = motmetrics.io.loadtxt(str(tmp_path / "train" / "gt" / "gt.txt"), fmt="mot16")
    found = {key: [row.X, row.Y, row.X + row.Width, row.Y + row.Height] for key, row in frame.iterrows()}
    ours = {(at + 1, track): outlines.box_of(shape) for (at, track), (_, shape, _) in shown(BOXES).items()}
    assert found == ours
    # its own distances fail on NumPy 2, so it is given ours
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for at in range(10):
        here = [
            (track, outlines.box_of(shape)) for (number, track), (_, shape, _) in shown(BOXES).items() if number == at
        ]
        rows = frame.loc[at + 1] if at + 1 in frame.index.get_level_values(0) else frame.iloc[:0]
        theirs = [[row.X, row.Y, row.X + row.Width, row.Y + row.Height] for _, row in rows.iterrows()]
        ious = ious_of_boxes(np.array([box for _, box in here]), np.array(theirs))
        accumulator.update([track for track, _ in here], list(rows.index), 1 - ious)
    summary = motmetrics.metrics.create().compute(accumulator, metrics=["mota", "idf1", "num_objects"]).iloc[0]
    assert (summary["mota"], summary["idf1"], summary["num_objects"]) == (1, 1, len(ours))


def test_datumaro_reads_the_boxes(tmp_path: Path) -> None:
    files, _, _ = written(mot.MOT, [BOXES], coordinates="from-0")
    pictures = {f"img1/{number:06d}.jpg": dummy(100, 60) for number in range(1, 11)}
    put(tmp_path, {path.removeprefix("train/"): data for path, data in files.items()} | pictures)
    read = read_by_datumaro(tmp_path, "mot_seq")
    names = labels_of(read)
    found = {}
    for item in read:
        for one in item.annotations:
            found[int(item.id) - 1, one.attributes["track_id"]] = (names[one.label], [round(n, 6) for n in one.points])
    assert found == {
        key: (records.DATASET.by_id[kind].name, [n for point in shape["points"] for n in point])
        for key, (kind, shape, _) in shown(BOXES).items()
    }


def test_the_fixtures_of_mot_import_without_a_finding() -> None:
    for folder, count in (("mot_seq", 1), ("mot_seq_with_seqinfo", None)):
        findings = Findings()
        imported = read(mot.MOT, Folder(FIXTURES / "mot_dataset" / folder), findings, coordinates="from-0")
        [sample] = imported.samples
        assert findings.rows == []
        assert len(imported.dataset.categories) == 10
        [track] = sample.tracks
        assert track.entries[0]["geometry"] == bbox(0, 4, 4, 12)
        assert count is None or len(sample.frames) == count


@pytest.mark.parametrize(
    "line",
    ["1,2,3", "a,1,0,0,1,1", "0,1,0,0,1,1", "1.5,1,0,0,1,1", "1,1,0,0,-1,1", "1,1,nan,0,1,1", "1,1,0,0,1,1,1,9,1"],
)
def test_a_line_that_is_none_is_a_finding(line: str) -> None:
    findings = Findings()
    files = {"s/gt/gt.txt": f"{line}\n\n1,7,1,1,2,2,1,1,1\n1,7,1,1,2,2,1,1,1\n".encode(), "s/gt/labels.txt": b"car\n"}
    [sample] = read(mot.MOT, Given(files), findings).samples
    assert [row["where"] for row in findings.rows] == ["s/gt/gt.txt line 1", "s/gt/gt.txt line 4"]
    assert [track.track_id for track in sample.tracks] == [7]


def test_rows_of_ten_columns_and_objects_without_a_number_are_read() -> None:
    files = {"gt.txt": b"1,-1,1,1,2,2,1,-1,-1,-1\n1,-1,5,5,2,2,1,-1,-1,-1\n2,3,5,5,2,2\n"}
    findings = Findings()
    [sample] = read(mot.MOT, Given(files), findings).samples
    assert findings.rows == []
    assert sorted((track.track_id, track.category_id, sorted(track.entries)) for track in sample.tracks) == [
        (3, None, [1]),
        (4, None, [0, 1]),
        (5, None, [0, 1]),
    ]
    with pytest.raises(UnreadableFile):
        read(mot.MOT, Given({"a.txt": b""}), findings)


# --- MOTS ----------------------------------------------------------------------------------------------------------


def masks(sample: Sample) -> dict[tuple[int, int], Any]:
    return {
        key: rle.decode(outlines.runs_of(shape, 60, 100), max_pixels=6000)
        for key, (_, shape, _) in shown(sample).items()
    }


def test_pixels_of_tracks_come_back_from_both_forms() -> None:
    files, _, lines = written(mots.MOTS, [VIDEO])
    # the boxes have no pixels to speak of, and the polygon covers some of the bitmap
    assert {(line["what"], line["became"]) for line in lines} == {("bbox", "left out"), ("polygon", "converted")}
    before = {key: mask for key, mask in masks(VIDEO).items() if key[1] != 1}
    for wanted in (".png", ".txt"):
        findings = Findings()
        kept = {path: data for path, data in files.items() if path.endswith((wanted, "labels.txt"))}
        [sample] = read(mots.MOTS, Given(kept), findings).samples
        assert findings.rows == [] and sample.name == "drive"
        after = masks(sample)
        assert after.keys() == before.keys()
        assert all((after[key] == before[key]).all() for key in before)


def test_datumaro_reads_the_pixels(tmp_path: Path) -> None:
    files, _, _ = written(mots.MOTS, [VIDEO])
    put(tmp_path, {path.replace("drive/", "train/"): data for path, data in files.items() if "instances/" in path})
    read = read_by_datumaro(tmp_path, "mots")
    names = labels_of(read)
    found = {
        (int(item.id), one.attributes["track_id"]): (names[one.label], one.image.astype(bool))
        for item in read
        for one in item.annotations
    }
    before = {key: mask for key, mask in masks(VIDEO).items() if key[1] != 1}
    assert found.keys() == before.keys()
    kinds = {2: "person", 3: "sky & <clouds>"}
    assert all(found[key][0] == kinds[key[1]] and (found[key][1] == before[key]).all() for key in before)


def test_the_fixture_of_mots_imports_without_a_finding() -> None:
    findings = Findings()
    imported = read(mots.MOTS, Folder(FIXTURES / "mots_dataset"), findings)
    train, val = imported.samples
    assert findings.rows == []
    assert [item.name for item in imported.dataset.categories] == ["a", "b", "c", "d"]
    assert (train.name, len(train.frames), val.name, len(val.frames)) == ("train", 2, "val", 1)
    assert train.tracks and val.tracks


def test_a_thousandth_object_of_a_class_is_listed() -> None:
    square = {"type": "polygon", "parts": [[[[0, 0], [1, 0], [1, 1], [0, 1]]]]}
    tracks = [Track(number, CAR, {0: {"geometry": square}}) for number in range(1, 1003)]
    sample = Sample(name="v", is_sequence=True, frames=VIDEO.frames[:1], tracks=tracks)
    _, losses, lines = written(mots.MOTS, [sample])
    assert losses.counts["more than 999 objects of a class, or 65 classes", "left out"] == 3
    assert losses.counts["overlaps", "left out"] == 998
    assert np.all([line["frame"] == 0 for line in lines])
