"""CVAT's XML: written for Datumaro to read, and read back; what its own fixtures say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labeling.geometry import rle
from releases.formats import cvat, cvat_reading, outlines, xmls
from releases.formats.files import Folder, Given, Source
from releases.formats.format import ExportStopped, Findings, UnreadableFile
from releases.formats.records import Annotation, Imported, Sample, Track
from sequences.rules.timeline import Clock
from tests.support import records
from tests.support.peers import dummy, labels_of, put, read_by_datumaro
from tests.support.records import CAR, DATASET, STREET, VIDEO, bbox, written

FIXTURES = Path(__file__).parents[2] / "data" / "datumaro" / "cvat_dataset"


def cvat_read(source: Source, findings: Findings) -> Imported:
    return cvat_reading.read(source, findings, cvat.IMAGES.parsed_for_reading({}))


def again(files: dict[str, bytes]) -> tuple[list[Sample], Findings]:
    """What our own reader makes of files."""
    findings = Findings()
    imported = cvat_read(Given(files), findings)
    return list(imported.samples), findings


@pytest.mark.parametrize("text", ["1,2;3", "1;2", "1,2,3;4", "1,nan", "inf,1", "1,1e999", "a,b", "1,2;;3,", "1,2 3"])
def test_points_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        xmls.pairs_of(text)


def test_points_are_pairs_of_numbers() -> None:
    assert xmls.pairs_of(" 1,2.5; -3e2 ,4;; ") == [[1.0, 2.5], [-300.0, 4.0]]
    assert xmls.pairs_of("1e308,1e308") == [[1e308, 1e308]]
    assert xmls.pairs_of("") == []


def test_an_empty_dataset_is_a_file_without_pictures() -> None:
    files, _, lines = written(cvat.IMAGES, [])
    samples, findings = again(files)
    assert (samples, findings.rows, lines) == ([], [], [])


def test_what_cvat_carries_comes_back_as_it_was() -> None:
    files, losses, lines = written(cvat.IMAGES, [STREET])
    imported = cvat_read(Given(files), Findings())
    [sample] = imported.samples
    names = {item.id: item.name for item in imported.dataset.categories}
    assert [names[number] for number in sample.classifications] == ["car", "sky & <clouds>"]
    assert (sample.name, sample.width, sample.height) == ("streets/a b.jpg", 100, 60)
    given = {item.id: item for item in STREET.annotations}
    kept = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]  # all but the one without a category
    assert len(sample.annotations) == len(kept)
    for number, item in zip(kept, sample.annotations, strict=True):
        before = given[number]
        assert names[item.category_id or 0] == DATASET.by_id[before.category_id or 0].name
        assert item.attributes == before.attributes
        if number in (3, 4, 9):  # parts, holes and bitmaps are masks of exactly their pixels
            assert outlines.runs_of(item.geometry, 60, 100) == outlines.runs_of(before.geometry, 60, 100)
        else:
            assert item.geometry == before.geometry | (
                {"angle_deg": before.geometry["angle_deg"] % 360} if "angle_deg" in before.geometry else {}
            )
    lost = {(line["what"], line["became"], line.get("annotation")) for line in lines}
    assert lost == {
        ("scene attributes", "left out", None),
        ("default classification", "left out", None),
        ("no category", "left out", 12),
        ("parts", "converted", 3),
        ("holes", "converted", 4),
        ("scores", "left out", 10),
        ("keypoints", "left out", 11),
    }
    assert losses.counts["provenance", "left out"] == 0 and losses.counts["uuids", "left out"] == 11


def test_datumaro_reads_the_pictures(tmp_path: Path) -> None:
    readable = [item for item in STREET.annotations if item.geometry["type"] not in ("rbox", "ellipse", "skeleton")]
    street = Sample(name="a.jpg", width=100, height=60, annotations=readable)
    files, _, _ = written(cvat.IMAGES, [street])
    put(tmp_path, files | {"images/a.jpg": dummy(100, 60)})
    read = read_by_datumaro(tmp_path, "cvat")
    [item] = read
    assert {"car", "person", "sky & <clouds>"} <= set(labels_of(read))
    found = {(one.type.name, one.z_order): one for one in item.annotations}
    assert {kind for kind, _ in found} == {"bbox", "polygon", "mask", "polyline", "points"}
    assert found["bbox", 0].points == [10.5, 5, 40.25, 30]
    assert {key: found["bbox", 0].attributes[key] for key in ("colour", "parked", "speed")} == {
        "colour": "red",
        "parked": True,
        "speed": 3,
    }
    assert found["polygon", 1].points == [50, 10, 70, 12, 65, 40, 48, 35.5]
    for order, number in ((2, 3), (3, 4)):
        [before] = [one for one in street.annotations if one.id == number]
        mask = rle.decode(outlines.runs_of(before.geometry, 60, 100), max_pixels=6000)
        assert (found["mask", order].image.astype(bool) == mask).all()


def test_sparse_tracks_come_back_with_their_keyframes() -> None:
    files, _, lines = written(cvat.VIDEO, [VIDEO])
    [sample], findings = again(files)
    assert findings.rows == []
    assert len(sample.frames) == 10 and (sample.frames[3].width, sample.frames[3].height) == (100, 60)
    by_id = {track.track_id: track for track in sample.tracks}
    for track in VIDEO.tracks[:2]:
        assert by_id[track.track_id].entries == track.entries
    assert 3 not in by_id  # bitmaps
    assert {(line["what"], line["became"]) for line in lines} == {("bitmap", "left out")}


def test_dense_tracks_say_the_same() -> None:
    files, _, _ = written(cvat.VIDEO, [VIDEO], frames="dense")
    assert files["drive/annotations.xml"].count(b'keyframe="0"') > 5
    [sample], findings = again(files)
    assert findings.rows == []  # what lies between was compared with ours
    assert [track.entries for track in sample.tracks] == [track.entries for track in VIDEO.tracks[:2]]


def test_a_computed_shape_that_differs_is_noted() -> None:
    files, _, _ = written(cvat.VIDEO, [VIDEO], frames="dense")
    [(path, data)] = files.items()
    bent = data.replace(b'xtl="12"', b'xtl="13"')
    assert bent != data
    _, findings = again({path: bent})
    [row] = findings.rows
    assert row["level"] == "note" and "1 shapes between keyframes differ" in row["message"]


def test_datumaro_reads_the_tracks(tmp_path: Path) -> None:
    files, _, _ = written(cvat.VIDEO, [VIDEO], frames="dense")
    (tmp_path / "annotations.xml").write_bytes(files["drive/annotations.xml"])
    found: dict[tuple[int, int], Any] = {}
    for item in read_by_datumaro(tmp_path, "cvat"):
        for one in item.annotations:
            if not one.attributes["outside"]:
                found[one.attributes["track_id"], int(item.attributes["frame"])] = one
    ours = {(track.track_id, frame): one for track in VIDEO.tracks[:2] for frame, one in track.at(Clock(10))}
    assert found.keys() == ours.keys()
    for key, one in ours.items():
        box = outlines.box_of(one.geometry)
        x, y, w, h = found[key].get_bbox()
        assert box is not None and np.allclose([x, y, x + w, y + h], box, atol=0.01)
        assert found[key].attributes["keyframe"] is one.keyframe


def test_the_fixture_of_a_video_has_the_tracks_that_it_says() -> None:
    findings = Findings()
    imported = cvat_read(Folder(FIXTURES / "for_video"), findings)
    [sample] = imported.samples
    assert findings.rows == []
    assert [item.name for item in imported.dataset.categories] == ["klhg", "z U k", "II"]
    assert [frame.name for frame in sample.frames] == ["frame_000010", "frame_000013", "frame_000016", "frame_000019"]
    first, second, third = sample.tracks
    assert first.entries == {
        0: {"geometry": bbox(3, 4, 10, 5), "attributes": {"occluded": True}},
        1: {"absent": True},
    }
    assert [point["x"] for point in second.entries[0]["geometry"]["points"]] == [21.95, 2.55, 2.23]
    assert second.entries[0]["attributes"] == {"hgl": "hgkf"} and second.entries[1] == {"absent": True}
    assert sorted(third.entries) == [1, 2] and third.entries[2] == {"absent": True}


def test_the_fixtures_of_images_import_without_a_finding() -> None:
    for folder, count in (("export_task", 2), ("export_project", 6)):
        findings = Findings()
        samples = list(cvat_read(Folder(FIXTURES / "for_images" / folder), findings).samples)
        assert (len(samples), findings.rows) == (count, [])
    [first, second] = cvat_read(Folder(FIXTURES / "for_images" / "export_task"), Findings()).samples
    line, drawn = first.annotations  # in the order of their z
    assert drawn.geometry == bbox(0, 2, 4, 4)
    assert drawn.attributes == {"occluded": True, "a1": True, "a2": "v3", "a3": "0003", "a4": 2.4}
    assert (line.category_id, line.geometry["type"]) == (None, "polyline")
    assert [len(item.points) for item in second.annotations] == [0, 3]


def test_an_object_on_its_way_out_is_where_cvat_shows_it() -> None:
    text = """<annotations><track id="4" label="car">
      <box frame="0" outside="0" keyframe="1" xtl="0" ytl="0" xbr="10" ybr="10"/>
      <box frame="4" outside="1" keyframe="1" xtl="8" ytl="0" xbr="18" ybr="10"/></track></annotations>"""
    [sample], findings = again({"a.xml": text.encode()})
    [track] = sample.tracks
    shown = {frame: one.geometry["points"][0][0] for frame, one in track.at(sample.time)}
    assert (shown, findings.rows) == ({0: 0, 1: 2, 2: 4, 3: 6}, [])


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "no XML"),
        ("<annotations>", "no XML"),
        ("<annotation/>", "no <annotations>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>', "no entities"),
        ('<?xml version="1.0" encoding="utf-16"?><annotations/>', "UTF-8"),
    ],
)
def test_what_is_no_file_of_cvats_is_said_to_be_none(text: str, message: str) -> None:
    findings = Findings()
    with pytest.raises(UnreadableFile):
        cvat_read(Given({"a.xml": text.encode()}), findings)
    assert message in findings.rows[0]["message"]


@pytest.mark.parametrize(
    "shape",
    [
        '<box xtl="nan" ytl="0" xbr="1" ybr="1"/>',
        '<box xtl="0" ytl="0" xbr="1"/>',
        '<polygon points="1,2;3,4"/>',
        '<polygon points="1;2;3"/>',
        '<mask left="9" top="0" width="2" height="1" rle="0, 2"/>',
        '<mask left="0" top="0" width="2" height="1" rle="0, 3"/>',
        '<mask left="0" top="0" width="2" height="1" rle="-1, 3"/>',
        '<skeleton><points label="a" points="1,1"/><points label="a" points="1,1"/></skeleton>',
        "<blob/>",
    ],
)
def test_a_shape_that_cannot_be_read_is_a_finding_and_the_others_are_read(shape: str) -> None:
    good = '<box xtl="1" ytl="1" xbr="2" ybr="2"/>'
    text = f'<annotations><image name="a" width="10" height="10">{shape}{good}</image></annotations>'
    [sample], findings = again({"a.xml": text.encode()})
    assert len(sample.annotations) == 1 and len(findings.errors) == 1


def test_annotations_without_a_category_may_stop_an_export() -> None:
    with pytest.raises(ExportStopped, match=r"annotation 12 of sample streets.a b\.jpg has no category"):
        written(cvat.IMAGES, [STREET], uncategorized="stop")


def test_shapes_are_clipped_unless_asked_otherwise() -> None:
    beyond = Sample(name="a", width=20, height=20, annotations=[Annotation(1, CAR, bbox(-5, 3, 25, 9))])
    clipped, _, lines = written(cvat.IMAGES, [beyond])
    whole, _, none = written(cvat.IMAGES, [beyond], clip="no")
    assert again(clipped)[0][0].annotations[0].geometry == bbox(0, 3, 20, 9)
    assert again(whole)[0][0].annotations[0].geometry == bbox(-5, 3, 25, 9)
    assert [line["what"] for line in lines] == ["beyond the border"] and none == []


def test_parts_of_a_track_are_tracks_of_a_group() -> None:
    parted = records.PARTS.geometry
    track = Track(5, CAR, {0: {"geometry": parted}, 3: {"geometry": {"type": "polygon", "parts": parted["parts"][:1]}}})
    files, _, _ = written(cvat.VIDEO, [Sample(name="v", is_sequence=True, frames=VIDEO.frames, tracks=[track])])
    text = files["v/annotations.xml"].decode()
    assert text.count('group_id="1"') == 2
    [sample], _ = again(files)
    assert [sorted(one.entries) for one in sample.tracks] == [[0, 3], [0, 3]]
    assert sample.tracks[1].entries[3] == {"absent": True}
