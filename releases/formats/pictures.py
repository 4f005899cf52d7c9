"""Samples as the pictures that most formats know: one of an image, one a frame of a sequence; each with its objects.

Here everything is left out, clipped and listed that a format does not carry, by what it says of itself, so that no
codec can drop something silently. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from releases.formats import outlines
from releases.formats.format import APPROXIMATED, CONVERTED, KEPT, LEFT_OUT, ExportStopped, Format, Losses, Options
from releases.formats.records import Annotation, Dataset, Frame, Sample, file_name

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
    for sample in samples:
        tell_of_sample(kind, sample, losses)
        if sample.is_sequence:
            yield from _frames(kind, known, sample, options, losses)
            continue
        found = _picture(kind, known, sample, None, sample.annotations, options, losses)
        if found is not None:
            yield found


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
        ("scores", sample.score is not None),
    ):
        if has and kind.fate(what) != KEPT:
            losses.add(what, kind.fate(what), sample=sample.name, said="of the whole picture")
    if sample.document is not None:
        losses.add("document", LEFT_OUT, sample=sample.name, said="a label that is kept as it was sent")
    for what, has in (("statuses", True), ("metadata", bool(sample.metadata)), ("uuids", bool(sample.uuid))):
        if has and kind.fate(what) != KEPT:
            losses.count(what, kind.fate(what))


def tell_of_annotation(kind: Format, item: Annotation, losses: Losses, sample: str, frame: int | None) -> bool:
    """List what of an annotation the format does not carry; False where nothing of it is left."""
    fate = kind.fate(item.geometry["type"])
    at: dict[str, Any] = {"sample": sample, "frame": frame, "annotation": item}
    if fate != KEPT:
        losses.add(item.geometry["type"], fate, **at)
        if fate == LEFT_OUT:
            return False
    for what, has in (
        ()
        if _is_plain(item)
        else (
            ("parts", outlines.has_parts(item.geometry)),
            ("holes", outlines.has_holes(item.geometry)),
            ("attributes", bool(item.attributes)),
            ("keypoints", bool(item.keypoints)),
            ("orientations", bool(item.orientation)),
            ("scores", item.score is not None),
            ("links", bool(item.links)),
            ("extra", bool(item.extra)),
            ("tracks", item.track_id is not None),
        )
    ):
        # a geometry that becomes something else has lost its parts with its form
        if has and kind.fate(what) != KEPT and not (what in ("parts", "holes") and fate == APPROXIMATED):
            losses.add(what, kind.fate(what), **at)
    for what, has in (
        ("provenance", bool(item.author or item.origin)),
        ("uuids", bool(item.uuid)),
        ("keyframes", item.keyframe is not None),
    ):
        if has and kind.fate(what) != KEPT:
            losses.count(what, kind.fate(what))
    return True


def _is_plain(item: Annotation) -> bool:
    """Whether an annotation, as most, has nothing beside its outline that a format might not carry."""
    return not (
        item.attributes
        or item.keypoints
        or item.orientation
        or item.links
        or item.extra
        or item.score is not None
        or item.track_id is not None
        or outlines.has_parts(item.geometry)
        or outlines.has_holes(item.geometry)
    )


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
    for number, frame_facts in enumerate(sample.frames):
        if not options.dense and number not in by_frame:
            continue
        found = _picture(kind, known, sample, (number, frame_facts), by_frame.get(number, []), options, losses)
        if found is not None:
            yield found


def _picture(
    kind: Format,
    known: dict[int, Any],
    sample: Sample,
    frame: tuple[int, Frame] | None,
    annotations: list[Annotation],
    options: Options,
    losses: Losses,
) -> Picture | None:
    number = None if frame is None else frame[0]
    facts = sample if frame is None else frame[1]
    width, height = facts.width or 0, facts.height or 0
    name = file_name(sample.name, sample.url)
    if frame is not None:
        name = f"{sample.name}/{file_name(frame[1].name, frame[1].url, number)}"
    if kind.needs_size and not (width and height):
        losses.add("picture of unknown size", LEFT_OUT, sample=sample.name, frame=number)
        return None
    found = []
    for item in annotations:
        if not category_is_known(kind, known, item, options, losses, sample.name):
            continue
        whole = _sound(item, losses, sample.name, number)
        cut = whole and _within(whole, width, height, options, losses, sample.name, number)
        for piece in _pieces(kind, cut, losses, sample.name, number) if cut is not None else ():
            if tell_of_annotation(kind, piece, losses, sample.name, number):
                found.append(piece)
    return Picture(name, width, height, sample, number, facts.url, found)


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
