"""What holds for every format: nothing is dropped without a word, nothing crashes, and what is written is read."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.geometry import shapes
from releases import packing
from releases.archives import Archive
from releases.formats import registry
from releases.formats.files import Given, Paths, Zipped, put_bytes
from releases.formats.format import BadOption, ExportStopped, Findings, Format, UnreadableFile
from releases.formats.records import Annotation, Sample, Track
from tests.support import records
from tests.support.installation import is_full
from tests.support.peers import dummy
from tests.support.records import CAR, EVERYTHING, PERSON, SAMPLES, STREET, VIDEO, bbox, written

WRITTEN = [registry.FORMATS[name] for name in sorted(registry.WRITTEN)]
BOTH = [kind for kind in WRITTEN if kind.read is not None]
NAMES = [kind.name for kind in WRITTEN]
#: Geometries that the protocol lets pass and that show nothing, or not what they seem to.
UNSOUND: list[dict[str, Any]] = [
    {"type": "bbox", "points": []},
    {"type": "bbox", "points": [[9, 9], [1, 1], [5, 5]]},
    {"type": "polygon", "parts": []},
    {"type": "polygon", "parts": [[]]},
    {"type": "polygon", "parts": [[[[1, 1], [2, 2]]]]},
    {"type": "polygon", "parts": [[[[1, 1], [9, 1], [9, 9]], [[1, 1]]], []]},
    {"type": "polyline", "parts": []},
    {"type": "polyline", "parts": [[[1, 1]], [[1, 1], [5, 5]], [[6, 6], [7, 9]]]},
    {"type": "point", "points": []},
    {"type": "point", "points": [[1, 1], [5, 5]]},
    {"type": "skeleton", "points": [{"name": "a", "visibility": 0}]},
    {"type": "rbox", "center": [5, 5], "size_wh": [0, 0], "angle_deg": 10},
    {"type": "ellipse", "center": [5, 5], "radii": [0, 3], "angle_deg": 0},
    {"type": "bitmap", "rle": {"size": [60, 100], "counts": [6000]}},
    {"type": "bitmap", "rle": {"size": [7, 9], "counts": [3, 60]}},
    {"type": "orientation"},
    {"type": "cuboid", "position": {"x": 1, "y": 2, "z": 3}, "dimensions": {"x": 1, "y": 1, "z": 1}, "yaw": 0.5},
    bbox(-50, -50, -1, -1),
    bbox(10, 10, 10, 10),
]


def in_archive(kind: Format, samples: list[Sample], **said: str) -> dict[str, bytes]:
    sink = io.BytesIO()
    packing.pack(kind, records.DATASET, samples, kind.parsed(said), sink)
    with zipfile.ZipFile(sink) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("kind", WRITTEN, ids=NAMES)
def test_nothing_is_dropped_without_a_line(kind: Format) -> None:
    """Every object is in what comes back, or in the list."""
    if kind.read is None:
        return
    files, _, lines = written(kind, [STREET])
    left = {line["annotation"] for line in lines if line["became"] == "left out" and "annotation" in line}
    gone = {line["annotation"] for line in lines if line["what"] in GEOMETRIC and line["became"] == "left out"}
    if kind.name == "classifications" or not_of_images(kind):
        assert left or any(line["what"] == "image" for line in lines)
        return
    pictures = {f"{name}": dummy(100, 60) for name in _pictures(files)}
    samples = list(kind.read(Given(files | pictures), Findings(), kind.parsed_for_reading({})).samples)
    found = sum(len(sample.annotations) for sample in samples)
    merged = kind.name in ("semantic-png", "colour-png", "cityscapes", "coco-panoptic")
    wanted = len(EVERYTHING) - len(gone)
    assert found >= (min(wanted, 3) if merged else wanted), (found, gone)


GEOMETRIC = {
    "bbox", "rbox", "polygon", "polyline", "point", "skeleton", "ellipse", "bitmap", "no category",
    "object without points", "object without an outline or points", "overlaps",
    "geometry that shows nothing in a picture", "object without pixels", "outside of the picture",
}  # fmt: skip


def not_of_images(kind: Format) -> bool:
    return kind.name in ("cvat-video", "mot", "mots", "kitti-tracking")


def _pictures(files: dict[str, bytes]) -> list[str]:
    """Where YOLO's reader looks for the pictures, whose size it needs."""
    return [path.replace("labels/", "images/").replace(".txt", ".jpg") for path in files if path.startswith("labels/")]


@pytest.mark.parametrize("kind", BOTH, ids=[kind.name for kind in BOTH])
def test_what_is_written_is_read_without_a_finding(kind: Format) -> None:
    assert kind.read is not None
    for samples in ([], SAMPLES):
        files, _, _ = written(kind, samples)
        files |= {path: dummy(100, 60) for path in _pictures(files)}
        files = {path.replace("empty.jpg", "empty.png"): data for path, data in files.items()}
        findings = Findings()
        try:
            list(kind.read(Given(files), findings, kind.parsed_for_reading({})).samples)
        except UnreadableFile:
            assert samples == []  # no file at all
        assert findings.errors == []


@pytest.mark.parametrize("kind", WRITTEN, ids=NAMES)
def test_geometries_that_show_nothing_stop_no_export(kind: Format) -> None:
    items = [Annotation(nth, CAR, geometry, uuid=f"x{nth}") for nth, geometry in enumerate(UNSOUND, 1)]
    for said in ({}, {"clip": "no"}):
        files, _, lines = written(kind, [Sample("a.jpg", width=100, height=60, annotations=items)], **dict(said))  # type: ignore[arg-type]
        assert files or lines
    tracks = [
        Track(nth, CAR, {0: {"geometry": geometry}, 2: {"geometry": bbox(1, 1, 5, 5)}})
        for nth, geometry in enumerate(UNSOUND, 1)
    ]
    written(kind, [Sample("v", is_sequence=True, frames=VIDEO.frames, tracks=tracks), Sample("w", is_sequence=True)])


#: As far as `shapes.checked_geometry` lets them be.
FAR: list[dict[str, Any]] = [
    bbox(-1e308, 2, 1e308, 50),
    bbox(-1e200, -1e200, 1e200, 1e200),
    bbox(-3, -3, 2**53, 5),
    *(
        {"type": form, "parts": parts}
        for far in (-1e308, 1e300, 2**53, -(2.0**45))
        for ring in ([[1, 1], [far, 2], [7, far], [3, 3]],)
        for form, parts in (
            ("polygon", [[ring]]),
            ("polygon", [[ring, [[2, 2], [3, 2], [3, 3]]]]),
            ("polyline", [ring]),
        )
    ),
    {"type": "point", "points": [[1e308, -1e308]]},
    {"type": "skeleton", "points": [{"name": "nose", "x": 1e308, "y": 2**53, "visibility": 2}]},
    {"type": "rbox", "center": [1e9, 5], "size_wh": [1e9, 3], "angle_deg": 10},
    {"type": "ellipse", "center": [5, 1e9], "radii": [1e9, 3], "angle_deg": 0},
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numbers that are no numbers any more; what matters is the file
@pytest.mark.parametrize("kind", WRITTEN, ids=NAMES)
def test_no_shape_is_so_large_that_it_ends_an_export(kind: Format) -> None:
    """Also where nothing is cut off, and where its category is none of the dataset's."""
    for geometry in FAR:
        shapes.checked_geometry(geometry, where="geometry")
    items = [Annotation(nth, 99 if nth % 4 == 3 else CAR, geometry) for nth, geometry in enumerate(FAR, 1)]
    samples = [Sample("a.jpg", width=100, height=60, annotations=items), Sample("b.jpg", annotations=items)]
    for said in ({}, {"clip": "no"}):
        files, _, lines = written(kind, samples, **dict(said))  # type: ignore[arg-type]
        assert files or lines


NUMBER = st.one_of(st.integers(-20, 130), st.floats(-20, 130, allow_nan=False, width=32))
PAIR = st.lists(NUMBER, min_size=2, max_size=2)
RING = st.lists(PAIR, min_size=3, max_size=6)
LENGTH = st.floats(0, 60, width=32)
PARTS = st.lists(st.lists(RING, min_size=1, max_size=2), min_size=1, max_size=2)
LINES = st.lists(st.lists(PAIR, min_size=2, max_size=5), min_size=1, max_size=2)


def _around(form: str, lengths: str) -> Any:
    return st.builds(
        lambda center, w, h, angle: {"type": form, "center": center, lengths: [w, h], "angle_deg": angle},
        PAIR, LENGTH, LENGTH, NUMBER,
    )  # fmt: skip


GEOMETRY = st.one_of(
    st.builds(lambda a, b: bbox(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])), PAIR, PAIR),
    st.builds(lambda parts: {"type": "polygon", "parts": parts}, PARTS),
    st.builds(lambda parts: {"type": "polyline", "parts": parts}, LINES),
    _around("rbox", "size_wh"),
    _around("ellipse", "radii"),
    st.builds(lambda point: {"type": "point", "points": [point]}, PAIR),
)


@settings(max_examples=300 if is_full() else 12, deadline=None)
@given(st.lists(GEOMETRY, max_size=4), st.booleans())
def test_any_geometry_is_written_and_read_in_every_format(geometries: list[dict[str, Any]], clip: bool) -> None:
    items = [Annotation(nth, (CAR, PERSON)[nth % 2], one) for nth, one in enumerate(geometries, 1)]
    sample = Sample("a.jpg", width=100, height=60, annotations=items)
    for kind in BOTH:
        assert kind.read is not None
        if not clip and kind.name.startswith("yolo"):
            continue  # shares beyond 1 are what was asked for, and no files of YOLO
        files, _, _ = written(kind, [sample], clip="yes" if clip else "no")
        files |= {path: dummy(100, 60) for path in _pictures(files)}
        findings = Findings()
        try:
            list(kind.read(Given(files), findings, kind.parsed_for_reading({})).samples)
        except UnreadableFile:
            pass
        assert findings.errors == [], (kind.name, findings.errors)


@pytest.mark.parametrize("kind", WRITTEN, ids=NAMES)
def test_every_option_of_every_format_is_taken_and_bad_ones_are_not(kind: Format) -> None:
    for option in kind.options:
        for choice in option.choices:
            assert set(in_archive(kind, SAMPLES, **{option.name: choice})) >= {"losses.json", "export.json"}
        with pytest.raises(BadOption, match="must be one of"):
            kind.parsed({option.name: "nonsense"})
    with pytest.raises(BadOption, match=re.escape(f"is no option of {kind.name}; it has clip, ")):
        kind.parsed({"nonsense": "yes"})


def test_an_export_that_may_lose_nothing_stops_at_the_first_loss() -> None:
    for name in ("coco-instances", "mot", "voc", "csv"):
        kind = registry.FORMATS[name]
        with pytest.raises(ExportStopped):
            in_archive(kind, [STREET, VIDEO], losses="stop")
    assert in_archive(registry.FORMATS["native"], SAMPLES, losses="stop")


# --- archives and paths --------------------------------------------------------------------------------------------


def test_an_archive_has_fixed_times_permissions_and_order() -> None:
    sink = io.BytesIO()
    with Archive(sink) as archive:
        put_bytes(archive, "b/\u00fc.txt", b"hello")
        put_bytes(archive, "a.txt", b"")
        with pytest.raises(ValueError, match=r"a\.txt"):
            put_bytes(archive, "a.txt", b"again")
        archive.close()
    with zipfile.ZipFile(sink) as read:
        assert read.testzip() is None
        assert [item.filename for item in read.infolist()] == ["b/\u00fc.txt", "a.txt"]
        assert {item.date_time for item in read.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {item.external_attr >> 16 for item in read.infolist()} == {0o100644}
        assert read.read("b/\u00fc.txt") == b"hello"
    digest = hashlib.sha256(sink.getvalue()).hexdigest()
    assert digest == "86adc9310799199c3766b2fecdc76f25ab7c628cb576b19b74775e6676f30014"


def test_an_archive_of_more_files_than_old_archives_hold_is_read() -> None:
    sink = io.BytesIO()
    with Archive(sink) as archive:
        for number in range(65_540):
            archive.put(f"{number}", io.BytesIO(b""))
        archive.close()
    with zipfile.ZipFile(sink) as read:
        assert len(read.namelist()) == 65_540


def test_names_of_people_are_paths_that_stay_where_they_belong() -> None:
    paths = Paths()
    assert paths.path("../../etc/passwd", ".txt") == "etc/passwd.txt"
    assert paths.path("/abs\\olute/a:b?.jpg") == "abs/olute/a_b_.jpg"
    assert paths.path("a.jpg", ".txt", folder="x") == "x/a.txt"
    assert paths.path("A.png", ".txt", folder="x") == "x/A~2.txt"  # one name where case does not count
    assert paths.path("v1.2", ".txt") == "v1.2.txt"
    assert paths.path("..") == "unnamed" and paths.path("") == "unnamed~2"


def test_a_zip_of_others_is_read_within_limits_and_within_itself() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("a/b.txt", b"x" * 100)
        archive.writestr("../evil.txt", b"")
        archive.writestr("__MACOSX/a", b"")
    source = Zipped(sink, most_bytes=50)
    assert source.paths() == ["a/b.txt"]
    with pytest.raises(ValueError, match=r"a/b\.txt"):
        source.read("a/b.txt")
    with pytest.raises(KeyError):
        source.read("none")
