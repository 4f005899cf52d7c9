"""Samples as the pictures that most formats know: one of an image, one a frame of a sequence; each with its objects.

Here everything is left out, clipped and listed that a format does not carry, by what it says of itself, so that no
codec can drop something silently. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from releases.formats import outlines
from releases.formats.format import APPROXIMATED, CONVERTED, KEPT, LEFT_OUT, ExportStopped, Format, Losses, Options
from releases.formats.records import Annotation, Dataset, Frame, Sample, file_name
from releases.formats.surveys import NOTHING, OBJECTS, PICTURES, Survey

JSON = dict[str, Any]

_PLANE = outlines.AREAS | {"polyline", "point", "skeleton"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture with what a format can carry of its objects; the size is 0 by 0 where it is unknown."""

    name: str  #: of its file: the sample's, or the sample's and the frame's
    width: int
    height: int
    sample: Sample
    frame: int | None = None
    url: str = ""
    annotations: list[Annotation] = field(default_factory=list)
    survey: Survey = field(default=NOTHING, compare=False, repr=False)  #: of its objects, and of some other pictures'
    #: Of each annotation its place in the survey; None where it is not plain.
    places: list[int | None] = field(default_factory=list, compare=False, repr=False)

    @property
    def has_size(self) -> bool:
        return self.width > 0 and self.height > 0

    @property
    def split(self) -> str:
        return self.sample.split

    @property
    def classifications(self) -> list[int]:
        return self.sample.classifications


def pictures(
    kind: Format, dataset: Dataset, samples: Iterable[Sample], options: Options, losses: Losses
) -> Iterator[Picture]:
    """The pictures of samples, in their order.

    Raises:
        ExportStopped: something cannot be carried, and the options say to stop then.
    """
    known = dataset.by_id
    for some in _together(samples):
        losses.sample = None
        survey = Survey(
            (item.geometry, sample.width or 0, sample.height or 0) for sample in some for item in sample.annotations
        )
        places = iter(survey.places)
        for sample in some:
            surveyed = list(zip(sample.annotations, places, strict=False))  # as many places as it has annotations
            losses.sample = sample.name
            tell_of_sample(kind, sample, losses)
            if sample.is_sequence:
                yield from _frames(kind, known, sample, options, losses)
                continue
            found = _picture(kind, known, sample, None, surveyed, survey, options, losses)
            if found is not None:
                yield found
        losses.sample = None


def _together(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    """Samples, as many at a time as are surveyed together."""
    some: list[Sample] = []
    objects = 0
    for sample in samples:
        some.append(sample)
        objects += len(sample.annotations)
        if len(some) == PICTURES or objects >= OBJECTS or sample.is_sequence:
            yield some
            some, objects = [], 0
    if some:
        yield some


def sequences(
    kind: Format, dataset: Dataset, samples: Iterable[Sample], options: Options, losses: Losses
) -> Iterator[tuple[Sample, Iterator[Picture]]]:
    """The sequences among samples, each with its frames; images are listed as left out.

    Raises:
        ExportStopped: as `pictures`.
    """
    known = dataset.by_id
    for sample in samples:
        if not sample.is_sequence:
            losses.add("image", LEFT_OUT, sample=sample.name, said="this is a format of sequences")
            continue
        tell_of_sample(kind, sample, losses)
        yield sample, _frames(kind, known, sample, options, losses)


def tell_of_sample(kind: Format, sample: Sample, losses: Losses) -> None:
    """List what a sample has beside its objects that the format does not carry."""
    for what, has in (
        ("scene attributes", bool(sample.scene)),
        ("classifications", bool(sample.classifications)),
        ("default classification", sample.default_classification is not None),
        ("score of the label", sample.score is not None),
    ):
        if has and kind.fate(what) != KEPT:
            losses.add(what, kind.fate(what), sample=sample.name, said="of the whole picture")
    if sample.document is not None:
        losses.add("document", LEFT_OUT, sample=sample.name, said="a label that is kept as it was sent")
    timed = sample.is_sequence and (
        sample.time.times is not None or any(frame.timestamp is not None for frame in sample.frames)
    )
    carries = kind.carries  # looked up here, because there are millions of samples
    for what, has in (
        ("statuses", True),
        ("metadata", bool(sample.metadata)),
        ("uuids of samples", bool(sample.uuid)),
        ("splits", bool(sample.split)),
        ("names", True),
        ("times of frames", timed),
    ):
        if has and carries.get(what) != KEPT:
            losses.count(what, kind.fate(what))
    if sample.is_sequence:
        if carries.get("sequences") != KEPT:
            losses.count("sequences", CONVERTED)  # each frame is a picture
    elif carries.get("names") == KEPT and file_name(sample.name, sample.url) != sample.name:
        losses.count("names", CONVERTED)  # that of the file
    many = len(sample.annotations) + len(sample.tracks)
    for what, times in (("ids", len(sample.annotations)), ("order", many if many > 1 else 0)):
        if carries.get(what) != KEPT:
            losses.count(what, kind.fate(what), times)


def tell_of_categories(kind: Format, dataset: Dataset, losses: Losses) -> None:
    """Count what the dataset says of its categories and attributes that the format does not carry."""
    told = dataset.categories
    for what, times in (
        ("list of categories", int(bool(told))),  # only those come back that something is of
        ("ids of categories", len(told)),
        ("colours of categories", sum(item.colour is not None for item in told)),
        ("groups of categories", sum(bool(item.group) for item in told)),
        ("things and stuff", len(told) if any(not item.is_thing for item in told) else 0),
        ("points of categories", sum(bool(item.points) for item in told)),
        ("definitions of attributes", sum(len(item.attributes) for item in told) + len(dataset.image_attributes)),
    ):
        if kind.fate(what) != KEPT:
            losses.count(what, kind.fate(what), times)


def tell_of_annotation(kind: Format, item: Annotation, losses: Losses, sample: str, frame: int | None) -> bool:
    """List what of an annotation the format does not carry; False where nothing of it is left."""
    is_left = _tell(kind, item, losses, sample, frame)
    if is_left:
        _count(kind, [item], losses)
    return is_left


def _tell(kind: Format, item: Annotation, losses: Losses, sample: str, frame: int | None) -> bool:
    fate = kind.fate(item.geometry["type"])
    if fate != KEPT:
        losses.add(item.geometry["type"], fate, sample=sample, frame=frame, annotation=item)
        if fate == LEFT_OUT:
            return False
    if _is_plain(item):
        return True
    for what, has in (
        ("parts", outlines.has_parts(item.geometry)),
        ("holes", outlines.has_holes(item.geometry)),
        ("attributes", bool(item.attributes)),
        ("keypoints", bool(item.keypoints)),
        ("orientations", bool(item.orientation)),
        ("scores", item.score is not None),
        ("links", bool(item.links)),
        ("extra", bool(item.extra)),
        ("tracks", item.track_id is not None),
    ):
        # a geometry that becomes something else has lost its parts with its form
        if has and kind.fate(what) != KEPT and not (what in ("parts", "holes") and fate == APPROXIMATED):
            losses.add(what, kind.fate(what), sample=sample, frame=frame, annotation=item)
    return True


def _count(kind: Format, items: list[Annotation], losses: Losses) -> None:
    """Count what all objects have and the format does not carry."""
    for what, has in _OF_ALL:
        if kind.fate(what) != KEPT and (times := sum(map(has, items))):
            losses.count(what, kind.fate(what), times)


_OF_ALL: tuple[tuple[str, Callable[[Annotation], bool]], ...] = (
    ("provenance", lambda item: bool(item.author or item.origin)),
    ("uuids", lambda item: bool(item.uuid)),
    ("keyframes", lambda item: item.keyframe is not None),
)


def _is_plain(item: Annotation) -> bool:
    """Whether an annotation, as most, has nothing beside its outline that a format might not carry."""
    if (
        item.attributes
        or item.keypoints
        or item.orientation
        or item.links
        or item.extra
        or item.score is not None
        or item.track_id is not None
    ):
        return False
    parts = item.geometry.get("parts")
    return parts is None or (len(parts) == 1 and (item.geometry["type"] != "polygon" or len(parts[0]) == 1))


def category_is_known(
    kind: Format, known: dict[int, Any], item: Annotation, options: Options, losses: Losses, sample: str
) -> bool:
    """Whether an annotation has a category that the dataset has; lists one without that the format cannot do without.

    Raises:
        ExportStopped: it has none, and the options say to stop then.
    """
    if item.category_id in known or kind.fate("no category") == KEPT:
        return True
    if options["uncategorized"] == "stop":
        raise ExportStopped(f"annotation {item.id} of sample {sample} has no category")
    losses.add("no category", LEFT_OUT, sample=sample, annotation=item)
    return False


def _frames(kind: Format, known: dict[int, Any], sample: Sample, options: Options, losses: Losses) -> Iterator[Picture]:
    by_frame: dict[int, list[Annotation]] = {}
    if any(track.sensor is not None for track in sample.tracks):
        losses.add("sensors", LEFT_OUT, sample=sample.name, said="several sensors are no pictures of one sequence")
    for track in sample.tracks:
        if track.sensor is None:
            for frame, item in track.at(sample.time):
                if options.dense or item.keyframe:
                    by_frame.setdefault(frame, []).append(item)
                else:
                    losses.count("computed frames", LEFT_OUT)
    frames = iter([(n, facts) for n, facts in enumerate(sample.frames) if options.dense or n in by_frame])
    while together := list(islice(frames, PICTURES)):
        survey = Survey(
            (item.geometry, facts.width or 0, facts.height or 0)
            for number, facts in together
            for item in by_frame.get(number, ())
        )
        places = iter(survey.places)
        for one in together:
            surveyed = list(zip(by_frame.get(one[0], ()), places, strict=False))
            found = _picture(kind, known, sample, one, surveyed, survey, options, losses)
            if found is not None:
                yield found


def _picture(
    kind: Format,
    known: dict[int, Any],
    sample: Sample,
    frame: tuple[int, Frame] | None,
    surveyed: list[tuple[Annotation, int | None]],
    survey: Survey,
    options: Options,
    losses: Losses,
) -> Picture | None:
    """The picture of a sample or a frame; of each of its objects it is said which place it has in the survey."""
    number = None if frame is None else frame[0]
    facts = sample if frame is None else frame[1]
    width, height = facts.width or 0, facts.height or 0
    name = file_name(sample.name, sample.url)
    if frame is not None:
        name = f"{sample.name}/{file_name(frame[1].name, frame[1].url, number)}"
    if kind.needs_size and not (width and height):
        losses.add("picture of unknown size", LEFT_OUT, sample=sample.name, frame=number)
        return None
    found: list[Annotation] = []
    places: list[int | None] = []
    carries, is_whole, has_size = kind.carries, survey.is_whole, survey.has_size
    for item, place in surveyed:
        if item.category_id not in known and not category_is_known(kind, known, item, options, losses, sample.name):
            continue
        pieces: Iterable[Annotation]
        if place is not None and (is_whole[place] or not options.clip):
            if not has_size[place]:
                losses.add("size that is no number", LEFT_OUT, sample=sample.name, frame=number, annotation=item)
                continue
            if carries.get(item.geometry["type"]) == KEPT and _is_plain(item):
                found.append(item)
                places.append(place)
                continue
            pieces = (item,)
        else:
            place = None
            whole = _sound(item, losses, sample.name, number)
            cut = whole and _within(whole, width, height, options, losses, sample.name, number)
            pieces = _pieces(kind, cut, losses, sample.name, number) if cut is not None else ()
        for piece in pieces:
            if _tell(kind, piece, losses, sample.name, number):
                found.append(piece)
                places.append(place)
    _count(kind, found, losses)
    return Picture(name, width, height, sample, number, facts.url, found, survey, places)


def _sound(item: Annotation, losses: Losses, sample: str, frame: int | None) -> Annotation | None:
    """The annotation with a geometry that shows something; None, and listed, where it has none."""
    if item.geometry["type"] not in _PLANE:
        return item
    geometry = outlines.sound(item.geometry)
    if geometry is None:
        losses.add("geometry that shows nothing in a picture", LEFT_OUT, sample=sample, frame=frame, annotation=item)
        return None
    return item if geometry is item.geometry else replace(item, geometry=geometry)


def _pieces(kind: Format, item: Annotation, losses: Losses, sample: str, frame: int | None) -> Iterator[Annotation]:
    """The annotation; where a format has no lines of several parts, or several points in one, an object each."""
    geometry = item.geometry
    if geometry["type"] == "polyline" and len(geometry["parts"]) > 1 and kind.fate("parts") != KEPT:
        pieces = [{"type": "polyline", "parts": [part]} for part in geometry["parts"]]
    elif geometry["type"] == "point" and len(geometry["points"]) > 1:
        pieces = [{"type": "point", "points": [point]} for point in geometry["points"]]
    else:
        yield item
        return
    if kind.fate(geometry["type"]) != LEFT_OUT:
        losses.add("parts", APPROXIMATED, sample=sample, frame=frame, annotation=item, said="an object each")
    yield from (replace(item, geometry=piece) for piece in pieces)


def _within(
    item: Annotation, width: int, height: int, options: Options, losses: Losses, sample: str, frame: int | None
) -> Annotation | None:
    """The annotation without what is beyond the border; as it is where it is not to be clipped or no size is known."""
    if not options.clip or not (width and height) or item.geometry["type"] not in _PLANE:
        return item
    geometry = outlines.clipped(item.geometry, height, width)
    if geometry is item.geometry:
        return item
    if geometry is None:
        losses.add("outside of the picture", LEFT_OUT, sample=sample, frame=frame, annotation=item)
        return None
    losses.add("beyond the border", CONVERTED, sample=sample, frame=frame, annotation=item, said="clipped")
    return replace(item, geometry=geometry)
