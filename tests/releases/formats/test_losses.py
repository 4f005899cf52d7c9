"""The list of losses is honest: whatever of any label does not come back from a file of a format stands in it.

A label is written and read; what differs must be named by a line about that object, or be counted for all of them. What
is said to be `converted` must show the very same pixels, but for those whose centre is on the outline within a few
steps of the grid that coordinates are rasterized on (1/1024 of a pixel): a side that is cut at the border gets a
rounded corner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.geometry import rle
from labeling.log.values import same
from releases.formats import outlines, registry
from releases.formats.files import Given
from releases.formats.format import KEPT, LEFT_OUT, Findings, Format, Losses, UnreadableFile
from releases.formats.records import Annotation, Category, Dataset, Frame, Sample, Track
from sequences.rules.timeline import Clock
from tests.support.installation import is_full
from tests.support.peers import dummy
from tests.support.records import CATEGORIES, EMPTY, bbox, blob, written

JSON = dict[str, Any]

BOTH = [registry.FORMATS[name] for name in sorted(registry.WRITTEN & registry.READ)]
NAMES = [kind.name for kind in BOTH]
OF_SEQUENCES = [kind for kind in BOTH if kind.fate("sequences") == KEPT]
WIDTH, HEIGHT = 100, 60
EXAMPLES = 250 if is_full() else 25
#: What may be said of a geometry that is not there as it was.
OF_GEOMETRIES = {
    "parts", "holes", "overlaps", "beyond the border", "outside of the picture", "object without pixels",
    "geometry that shows nothing in a picture", "object without points", "object without an outline or points",
    "point that its category does not name", "names of points", "no category", "document", "image",
    "object or category beyond the values of a map", "sensors",
    "polygon",  # which a turned shape becomes that is cut off
}  # fmt: skip

# --- labels of every kind --------------------------------------------------------------------------------------------

NUMBER = st.one_of(st.integers(-9, 110), st.floats(-9, 110, width=32))
PAIR = st.lists(NUMBER, min_size=2, max_size=2)
TEXT = st.one_of(
    st.sampled_from(["", "3", "true", "2.50", " a ", "a,b;c", "<&\"'>", "Unspecified", "line\r\nend"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6),
)
VALUE = st.one_of(
    st.none(), st.booleans(), st.integers(-20, 20), st.floats(-20, 20, width=32), TEXT,
    st.lists(st.integers(0, 3), max_size=2), st.just({"a": 1}),
)  # fmt: skip
KEYS = st.sampled_from([
    "colour", "parked", "truncated", "occluded", "difficult", "alpha", "pose", "visibility", "ignored", "is_crowd",
    "score", "uuid", "track_id", "keyframe", "group", "description", "frame", "label", "Größe <1>",
])  # fmt: skip
ATTRIBUTES = st.dictionaries(KEYS, VALUE, max_size=4)
RINGS = st.lists(st.lists(PAIR, min_size=3, max_size=6), min_size=1, max_size=2)
POINTS = st.lists(
    st.builds(
        lambda name, at, seen: {"name": name, "visibility": seen} | ({"x": at[0], "y": at[1]} if seen else {}),
        st.sampled_from(["nose", "left eye", "tail", "fin"]), PAIR, st.integers(0, 2),
    ),
    min_size=1, max_size=4, unique_by=lambda point: point["name"],
)  # fmt: skip


def turned(form: str, lengths: str) -> Any:
    side = st.floats(0, 40, width=32)
    return st.builds(
        lambda center, w, h, angle: {"type": form, "center": center, lengths: [w, h], "angle_deg": angle},
        PAIR, side, side, st.integers(-720, 720),
    )  # fmt: skip


GEOMETRY = st.one_of(
    st.builds(lambda a, b: bbox(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])), PAIR, PAIR),
    st.builds(lambda parts: {"type": "polygon", "parts": parts}, st.lists(RINGS, min_size=1, max_size=2)),
    st.builds(
        lambda parts: {"type": "polyline", "parts": parts},
        st.lists(st.lists(PAIR, min_size=2, max_size=5), min_size=1, max_size=2),
    ),
    st.builds(lambda point: {"type": "point", "points": [point]}, PAIR),
    st.builds(lambda points: {"type": "skeleton", "points": points}, POINTS),
    turned("rbox", "size_wh"),
    turned("ellipse", "radii"),
    st.builds(
        lambda x, y, w, h: blob(HEIGHT, WIDTH, x, y, min(w, WIDTH - x), min(h, HEIGHT - y)),
        st.integers(0, 90), st.integers(0, 50), st.integers(2, 40), st.integers(2, 30),
    ),
    st.just({"type": "orientation"}),
)  # fmt: skip
ORIENTATION = {"roll_deg": 1.5, "pitch_deg": 0, "yaw_deg": 90}
ANNOTATION = st.builds(
    Annotation,
    id=st.integers(1, 900),
    category_id=st.sampled_from([1, 1, 2, 7, None]),
    geometry=GEOMETRY,
    uuid=st.sampled_from(["", "7a0f4c2e-7b8e-4f2a-9a61-2f0f5c9d7e11"]),
    attributes=ATTRIBUTES,
    keypoints=st.one_of(st.none(), st.none(), POINTS),
    orientation=st.sampled_from([None, None, ORIENTATION]),
    score=st.sampled_from([None, None, 0, 0.75]),
    links=st.sampled_from([[], [], [{"to": "b", "attributes": {}}]]),
    origin=st.sampled_from([None, None, {"kind": "model", "model": "m"}]),
    author=st.sampled_from(["", "ana"]),
    extra=st.sampled_from([{}, {}, {"note": 1}]),
).map(lambda item: replace(item, keypoints=None) if item.geometry["type"] == "skeleton" else item)
CATEGORY_NAMES = st.lists(
    st.sampled_from([
        "car", "car ", "# two words", "a, b", "a b", "x:y", " edge ", "Straße", "<b>", "line\nend", "sky & <clouds>",
        "", " ", "\n", ",", "_",
    ]),
    min_size=3, max_size=3, unique=True,
)  # fmt: skip
DATASET = CATEGORY_NAMES.map(
    lambda names: Dataset("d", tuple(replace(item, name=name) for item, name in zip(CATEGORIES, names, strict=True)))
)
#: The next to names are those of files, so they are plain; names that are none are asked in `test_every_format`.
SAMPLE = st.builds(
    Sample,
    name=st.sampled_from(["a.png", "streets/b c.jpg", "v1.2"]),
    uuid=st.sampled_from(["", "1a0f4c2e-7b8e-4f2a-9a61-2f0f5c9d7e11"]),
    width=st.just(WIDTH),
    height=st.just(HEIGHT),
    split=st.sampled_from(["", "train", "val"]),
    status=st.sampled_from(["LABELED", "REVIEWED"]),
    score=st.sampled_from([None, 0.5]),
    scene=st.dictionaries(st.sampled_from(["rain", "frame", "time of day"]), VALUE, max_size=2),
    classifications=st.lists(st.sampled_from([1, 2, 7]), unique=True, max_size=2),
    metadata=st.sampled_from([{}, {"city": "Ghent"}]),
    annotations=st.lists(ANNOTATION, max_size=1),
).flatmap(lambda one: st.sampled_from([None, *one.classifications]).map(
    lambda first: replace(one, default_classification=first)))  # fmt: skip

# --- what came back, and what was said -------------------------------------------------------------------------------


@dataclass
class Trip:
    """Samples that were written and read again."""

    dataset: Dataset
    samples: list[Sample]
    losses: Losses
    lines: list[JSON]

    def says(self, *words: str, became: str | None = None) -> bool:
        """Whether the list has one of these words."""
        return any(what in words and became in (None, fate) for what, fate in self.losses.counts)

    def says_of_attribute(self, key: str) -> bool:
        """Whether the list has a line about all attributes, or about the one of that name."""
        told = [line.get("said", "") for line in self.lines if line["what"] == "attributes"]
        return any(said in ("", key) or said.startswith(f"{key} of ") for said in told)

    def called(self, name: str | None) -> str | None:
        """What the list says that a category is called; its own name where it says nothing of it."""
        told = [line["said"].partition(" → ") for line in self.lines if line["what"] == "name of a category"]
        return next((new for old, _, new in told if old == name), name)

    def fates(self, words: Iterable[str], item: Annotation) -> set[str]:
        """What became of an object in these respects."""
        known = set(words)
        return {line["became"] for line in self.lines if line["what"] in known and line.get("annotation") == item.id}


def and_back(kind: Format, dataset: Dataset, samples: list[Sample]) -> Trip:
    files, losses, lines = written(kind, samples, dataset)
    stems = [path.removeprefix("labels/").removesuffix(".txt") for path in files if path.startswith("labels/")]
    files |= {f"images/{stem}.png": dummy(WIDTH, HEIGHT, "PNG") for stem in stems}
    findings = Findings()
    assert kind.read is not None
    try:
        imported = kind.read(Given(files), findings, kind.parsed_for_reading({}))
    except UnreadableFile:
        return Trip(dataset, [], losses, lines)
    found = list(imported.samples)
    assert findings.errors == []
    return Trip(imported.dataset, found, losses, lines)


def names_in(numbers: Iterable[int | None], dataset: Dataset) -> list[str | None]:
    known = dataset.by_id
    return [known[number].name if number in known else None for number in numbers]


def missing(before: Sample, dataset: Dataset, trip: Trip) -> Iterator[tuple[str, bool]]:
    """(what is not there as it was, whether that was said) of an image."""
    if not trip.samples:
        yield "the picture", trip.says("pictures without objects", "image")
        return
    [after] = trip.samples
    ours, theirs = dataset, trip.dataset
    for what, one, other in (
        ("names", before.name, after.name),
        ("uuids of samples", before.uuid, after.uuid),
        ("splits", before.split, after.split),
        ("scene attributes", before.scene, after.scene),
        ("score of the label", before.score, after.score),
        ("metadata", before.metadata, after.metadata),
        ("statuses", before.status, after.status),
    ):
        if one and not same(one, other):
            yield what, trip.says(what, "pictures without objects")
    for what, numbers, others in (
        ("classifications", before.classifications, after.classifications),
        ("default classification", [before.default_classification], [after.default_classification]),
    ):
        wanted = [trip.called(name) for name in names_in(numbers, ours) if name is not None]
        if wanted and not set(wanted) <= set(names_in(others, theirs)):
            yield what, trip.says(what)
    for item in before.annotations:
        yield from missing_of(item, after.annotations, dataset, trip)


def missing_of(item: Annotation, pieces: list[Annotation], dataset: Dataset, trip: Trip) -> Iterator[tuple[str, bool]]:
    """The same of one object, which may have come back in pieces."""
    about = {item.geometry["type"], *OF_GEOMETRIES}
    fates = trip.fates(about, item)
    if not pieces:
        yield "the object", LEFT_OUT in fates
        return
    if not is_alike(item.geometry, pieces):
        yield "the geometry", bool(fates)
        if fates == {"converted"} and outlines.has_area(item.geometry):
            yield "the pixels of what is converted", are_pixels(item.geometry, [one.geometry for one in pieces])
    for one in pieces:
        yield from unlike(item, one, dataset, trip)


def unlike(item: Annotation, one: Annotation, dataset: Dataset, trip: Trip) -> Iterator[tuple[str, bool]]:
    if [*map(trip.called, names_in([item.category_id], dataset))] != names_in([one.category_id], trip.dataset):
        yield "the category", trip.says("category of a keyframe")
    for key in item.attributes.keys() | (one.attributes.keys() if item.attributes else ()):
        if not (key in item.attributes and key in one.attributes and same(item.attributes[key], one.attributes[key])):
            yield f"attribute {key}", trip.says_of_attribute(key)
    for what, mine, theirs in (
        ("orientations", item.orientation, one.orientation),
        ("scores", item.score, one.score),
        ("links", item.links, one.links),
        ("extra", item.extra, one.extra),
        ("uuids", item.uuid, one.uuid),
        ("provenance", item.author, one.author),
        ("provenance", item.origin, one.origin),
        ("ids", item.id, one.id),
    ):
        if mine not in (None, "", {}, []) and not same(mine, theirs):
            yield what, trip.says(what)
    if not are_near(item.points, one.points):
        yield "keypoints", trip.says("keypoints", "skeleton", *OF_GEOMETRIES)


def placed(points: list[JSON]) -> list[JSON]:
    """Named points that are somewhere; a format may have them in another order."""
    return sorted((point for point in points if point["visibility"]), key=lambda point: str(point["name"]))


def are_near(ours: list[JSON], theirs: list[JSON]) -> bool:
    """Whether the same named points are placed, but for rounding."""
    one, other = placed(ours), placed(theirs)
    return [(p["name"], p["visibility"]) for p in one] == [(p["name"], p["visibility"]) for p in other] and all(
        is_near([a["x"], a["y"]], [b["x"], b["y"]]) for a, b in zip(one, other, strict=True)
    )


def is_near(one: list[float], other: list[float]) -> bool:
    return all(abs(a - b) < 0.02 for a, b in zip(one, other, strict=True))


def are_vertices(ours: list[list[float]], theirs: list[list[float]]) -> bool:
    """Whether two outlines have the same vertices, wherever they begin and whichever way they run."""
    return (
        len(ours) == len(theirs)
        and all(any(is_near(one, other) for other in theirs) for one in ours)
        and all(any(is_near(one, other) for other in ours) for one in theirs)
    )


def is_alike(geometry: JSON, pieces: list[Annotation]) -> bool:
    """Whether the one piece has that very geometry, but for rounding, the start of a ring and its direction."""
    if len(pieces) != 1:
        return False
    found = pieces[0].geometry
    if {geometry["type"], found["type"]} <= {"bbox", "rbox"}:
        return are_vertices(corners(geometry), corners(found))
    if geometry["type"] != found["type"]:
        return False
    match geometry["type"]:
        case "ellipse":
            turn = (geometry["angle_deg"] - found["angle_deg"]) % 360
            return bool(geometry["radii"] == found["radii"] and geometry["center"] == found["center"] and turn == 0)
        case "bitmap":
            return are_pixels(geometry, [found])
        case "polygon":
            ours, theirs = ([ring for part in one["parts"] for ring in part] for one in (geometry, found))
            same_parts = [len(part) for part in geometry["parts"]] == [len(part) for part in found["parts"]]
            return same_parts and all(map(are_vertices, ours, theirs))
        case "skeleton":
            return are_near(geometry["points"], found["points"])
    return same(geometry, found)


def corners(geometry: JSON) -> list[list[float]]:
    if geometry["type"] == "rbox":
        return outlines.corners_of(geometry)
    (x0, y0), (x1, y1) = geometry["points"]
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


def are_pixels(geometry: JSON, pieces: list[JSON]) -> bool:
    """Whether the pieces show the pixels of a geometry, but for those whose centre is on its outline."""
    differing = np.argwhere(pixels([geometry]) != pixels(pieces))
    if not len(differing):
        return True
    rings = [np.array(ring, dtype=float) for part in outlines.parts_with_rings(geometry) for ring in part]
    return all(any(is_on(ring, x + 0.5, y + 0.5) for ring in rings) for y, x in differing)


def is_on(ring: Any, x: float, y: float) -> bool:
    """Whether a point is on the outline of a ring, within a few steps of the grid that turned corners are on."""
    start, along = ring, np.roll(ring, -1, axis=0) - ring
    lengths = np.maximum((along**2).sum(axis=1), 1e-12)
    share = np.clip((([x, y] - start) * along).sum(axis=1) / lengths, 0, 1)
    return bool((np.hypot(*(start + share[:, None] * along - [x, y]).T) < 4 / 1024).any())


def pixels(geometries: list[JSON]) -> Any:
    found = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for one in geometries:
        found |= rle.decode(outlines.runs_of(one, HEIGHT, WIDTH), max_pixels=HEIGHT * WIDTH)
    return found


# --- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BOTH, ids=NAMES)
def test_what_of_a_picture_does_not_come_back_is_listed(kind: Format) -> None:
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(DATASET, SAMPLE)
    def ask(dataset: Dataset, sample: Sample) -> None:
        trip = and_back(kind, dataset, [sample])
        unsaid = [what for what, was_said in missing(sample, dataset, trip) if not was_said]
        assert unsaid == [], (kind.name, sample, trip.samples, trip.lines)

    ask()


@pytest.mark.parametrize("kind", BOTH, ids=NAMES)
def test_the_order_comes_back_or_is_counted(kind: Format) -> None:
    """Of objects that lie apart, in an order that no kind of them explains."""
    shapes = [
        {"type": "polygon", "parts": [[[[1, 1], [9, 1], [9, 9]]]]},
        bbox(20, 20, 30, 30),
        blob(HEIGHT, WIDTH, 40, 30, 9, 9),
        bbox(60, 5, 70, 9),
        {"type": "polygon", "parts": [[[[80, 40], [95, 40], [95, 50]]]]},
    ]
    items = [Annotation(9 - nth, (2, 1)[nth % 2], shape) for nth, shape in enumerate(shapes)]
    trip = and_back(kind, Dataset("d", CATEGORIES), [replace(EMPTY, width=WIDTH, height=HEIGHT, annotations=items)])
    boxes = [outlines.box_of(one) for one in shapes]
    found = [outlines.box_of(item.geometry) for sample in trip.samples for item in sample.annotations]
    places = [
        next(nth for nth, box in enumerate(boxes) if one and box and is_near(one, box)) for one in found if one in boxes
    ]
    assert places == sorted(places) or trip.says("order"), (kind.name, places)


@pytest.mark.parametrize("kind", BOTH, ids=NAMES)
def test_what_is_said_of_categories_comes_back_or_is_counted(kind: Format) -> None:
    told = replace(CATEGORIES[0], group="vehicle"), *CATEGORIES[1:], Category(9, "nothing is of it")
    items = [Annotation(1, 1, bbox(1, 1, 9, 9)), Annotation(2, 2, blob(HEIGHT, WIDTH, 20, 20, 9, 9))]
    sample = replace(EMPTY, width=WIDTH, height=HEIGHT, annotations=items, classifications=[1])
    trip = and_back(kind, Dataset("d", told), [sample])
    back = trip.dataset.by_name
    unsaid = []
    for item in told:
        one = back.get(trip.called(item.name) or "")
        if one is None:
            if not trip.says("list of categories", "image"):
                unsaid.append((item.name, "list of categories"))
            continue
        for what, mine, theirs in (
            ("ids of categories", item.id, one.id),
            ("colours of categories", item.colour, one.colour),
            ("groups of categories", item.group, one.group),
            ("things and stuff", item.is_thing, one.is_thing),
            ("points of categories", (item.points, item.edges), (one.points, one.edges)),
            ("definitions of attributes", item.attributes, one.attributes),
        ):
            if mine not in (None, "", (), ((), ())) and mine != theirs and not trip.says(what):
                unsaid.append((item.name, what))
    assert unsaid == []


def test_objects_that_become_one_are_counted() -> None:
    cars = [Annotation(nth, 1, blob(HEIGHT, WIDTH, 20 * nth, 5, 9, 9)) for nth in range(3)]
    sample = replace(EMPTY, width=WIDTH, height=HEIGHT, annotations=cars)
    for name in ("semantic-png", "colour-png"):
        trip = and_back(registry.FORMATS[name], Dataset("d", CATEGORIES), [sample])
        assert len(trip.samples[0].annotations) == 1
        assert trip.losses.counts["objects that are one with others", "approximated"] == 2


# --- sequences -------------------------------------------------------------------------------------------------------

FRAMES = 6
ENTRY = st.one_of(
    st.just({"absent": True}),
    st.builds(
        lambda geometry, attributes, category: (
            {"geometry": geometry}
            | ({"attributes": attributes} if attributes else {})
            | ({"category_id": category} if category else {})
        ),
        GEOMETRY,
        ATTRIBUTES,
        st.sampled_from([None, None, 2]),
    ),
)
TRACK = st.builds(
    Track,
    track_id=st.integers(1, 2000),
    category_id=st.sampled_from([1, 7, None]),
    entries=st.dictionaries(st.integers(0, FRAMES - 1), ENTRY, min_size=1, max_size=3),
    uuid=st.sampled_from(["", "7a0f4c2e-7b8e-4f2a-9a61-2f0f5c9d7e11"]),
    origin=st.sampled_from([None, {"kind": "model", "model": "m"}]),
    author=st.sampled_from(["", "ana"]),
)


@pytest.mark.parametrize("kind", OF_SEQUENCES, ids=[kind.name for kind in OF_SEQUENCES])
def test_what_of_a_track_does_not_come_back_is_listed(kind: Format) -> None:
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(DATASET, TRACK, st.booleans())
    def ask(dataset: Dataset, track: Track, timed: bool) -> None:
        frames = [Frame(f"{nth:06d}", WIDTH, HEIGHT, timestamp=nth * 7 if timed else None) for nth in range(FRAMES)]
        sample = Sample("drive", is_sequence=True, frames=frames, tracks=[track], status="LABELED")
        trip = and_back(kind, dataset, [sample])
        unsaid = [what for what, was_said in missing_of_track(track, dataset, trip, timed) if not was_said]
        assert unsaid == [], (kind.name, track, trip.samples, trip.lines)

    ask()


def keyframes_of(track: Track) -> list[int]:
    return sorted(frame for frame, entry in track.entries.items() if not entry.get("absent"))


def missing_of_track(track: Track, dataset: Dataset, trip: Trip, timed: bool) -> Iterator[tuple[str, bool]]:
    if not trip.samples:
        yield "the sequence", False
        return
    [after] = trip.samples
    assert after.name == "drive"
    if len(after.frames) != FRAMES:
        yield "frames", trip.says("frames behind the last object")
    if timed and [frame.timestamp for frame in after.frames] != [nth * 7 for nth in range(FRAMES)]:
        yield "times", trip.says("times of frames")
    before = dict(track.at(Clock(FRAMES)))
    for one in after.tracks:
        for what, mine, theirs in (("uuids", track.uuid, one.uuid), ("provenance", track.author, one.author)):
            if mine and mine != theirs:
                yield what, trip.says(what)
        if keyframes_of(track) != keyframes_of(one):
            kinds = {entry["geometry"]["type"] for entry in track.entries.values() if "geometry" in entry}
            yield "keyframes", trip.says("keyframes", *OF_GEOMETRIES, *kinds, "category of a keyframe")
    found = [dict(one.at(after.time)) for one in after.tracks]
    for frame in range(FRAMES):
        pieces = [shown[frame] for shown in found if frame in shown]
        if frame not in before:
            assert pieces == []
            continue
        yield from missing_of(replace(before[frame], id=track.track_id), pieces, dataset, trip)
