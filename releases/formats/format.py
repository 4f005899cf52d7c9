"""What a format is: a registered object with a name, a version, options, what it can carry, and how it is written and
read. And what an export could not carry: its losses. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from releases.formats.files import Source
from releases.formats.records import Annotation, Imported

if TYPE_CHECKING:
    from releases.formats.parts import InParts

JSON = dict[str, Any]

#: What becomes of something in a format. `converted`: said in another way that shows the very same pixels or points.
Fate = Literal["kept", "converted", "approximated", "left out"]
KEPT: Fate = "kept"
CONVERTED: Fate = "converted"
APPROXIMATED: Fate = "approximated"
LEFT_OUT: Fate = "left out"

GEOMETRIES = (
    "bbox", "rbox", "polygon", "polyline", "point", "skeleton", "ellipse", "bitmap",
    "cuboid", "cuboid-sync", "orientation",
)  # fmt: skip
#: What an annotation, a track or a sample may have beside its geometry.
FEATURES = (
    "parts", "holes", "overlaps", "attributes", "keypoints", "orientations", "scores", "links", "extra",
    "tracks", "keyframes", "sequences", "times of frames", "splits", "scene attributes", "classifications",
    "default classification", "score of the label", "no category", "order", "statuses", "metadata", "provenance",
    "ids", "uuids", "uuids of samples", "names",
)  # fmt: skip
#: What a dataset says of its categories and attributes.
OF_CATEGORIES = (
    "list of categories", "ids of categories", "colours of categories", "groups of categories", "things and stuff",
    "points of categories", "definitions of attributes",
)  # fmt: skip
#: Said once with their number, because every object, sample or category has them.
WHOLESALE = frozenset({
    "statuses", "metadata", "provenance", "ids", "uuids", "uuids of samples", "names", "keyframes", "splits", "order",
    "sequences", "times of frames", *OF_CATEGORIES,
})  # fmt: skip


class BadOption(ValueError):
    """An option that a format does not have, or a value that it does not take."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name} {message}")
        self.name, self.message = name, message


class ExportStopped(Exception):
    """Something cannot be carried, and the options say to stop then. The message is for people."""


class UnreadableFile(ValueError):
    """A file that is not in the format at all, so that nothing of it is read. The message is for people."""


@dataclass(frozen=True, slots=True)
class Option:
    """A choice that a format leaves open; the first of `choices` is the default. Values are text, as in a query; where
    it `is_open`, any text."""

    name: str
    choices: tuple[str, ...]
    words: str
    is_open: bool = False


CLIP = Option("clip", ("yes", "no"), "Cut shapes off at the border of the picture.")
UNCATEGORIZED = Option("uncategorized", ("leave-out", "stop"), "What to do with annotations without a category.")
LOSSES = Option("losses", ("list", "stop"), "What to do when something cannot be carried.")
FRAMES = Option("frames", ("dense", "keyframes"), "Every frame of a sequence, or those that somebody set.")
EVERY: tuple[Option, ...] = (CLIP, UNCATEGORIZED, LOSSES)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one export, every one of them said."""

    said: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.said[name]

    @property
    def clip(self) -> bool:
        return self.said.get("clip", "yes") == "yes"

    @property
    def dense(self) -> bool:
        return self.said.get("frames", "dense") == "dense"


Read = Callable[[Source, "Findings", Options], Imported]


@dataclass(frozen=True, slots=True)
class Format:
    """A format. A new `version` is one whose bytes differ; what was exported by another stays as it is.

    `carries` says what becomes of each geometry and feature; what it does not name is left out.
    """

    name: str
    version: int
    title: str
    carries: Mapping[str, Fate]
    parts: InParts | None = None  #: how it is written
    is_painted: bool = False  #: pixels are drawn, so that a picture takes many times what its shapes would
    read: Read | None = None
    options: tuple[Option, ...] = ()
    reading_options: tuple[Option, ...] = ()
    needs_size: bool = False  #: pictures of unknown size are left out

    def fate(self, what: str) -> Fate:
        return self.carries.get(what, LEFT_OUT)

    def parsed(self, said: Mapping[str, str]) -> Options:
        """All options, those that were not said at their defaults.

        Raises:
            BadOption: unknown, or with a value that it does not take.
        """
        return self._parsed((*EVERY, *self.options), said)

    def parsed_for_reading(self, said: Mapping[str, str]) -> Options:
        """All options of reading.

        Raises:
            BadOption: unknown, or with a value that it does not take.
        """
        return self._parsed(self.reading_options, said)

    def _parsed(self, options: tuple[Option, ...], said: Mapping[str, str]) -> Options:
        known = {item.name: item for item in options}
        for name, value in said.items():
            if name not in known:
                raise BadOption(name, f"is no option of {self.name}; it has {', '.join(sorted(known)) or 'none'}")
            if value not in known[name].choices and not known[name].is_open:
                raise BadOption(name, f"must be one of {', '.join(known[name].choices)}")
        return Options({name: said.get(name, item.choices[0]) for name, item in sorted(known.items())})


def carrying(*kept: str, **others: Iterable[str]) -> dict[str, Fate]:
    """What a format carries: names that it keeps, and `converted=`, `approximated=` lists of names.

    Raises:
        ValueError: a name is neither a geometry nor a feature.
    """
    found: dict[str, Fate] = dict.fromkeys(kept, KEPT)
    for fate, names in others.items():
        found |= dict.fromkeys(names, CONVERTED if fate == "converted" else APPROXIMATED)
    unknown = found.keys() - {*GEOMETRIES, *FEATURES, *OF_CATEGORIES}
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))}")
    return found


@dataclass(slots=True)
class Losses:
    """What a format could not carry, counted by what it is and what became of it; `tell` gets each line of the list.

    `sample` is the name of the one that a codec is at, None while it reads: an error that nobody foresaw says it.
    """

    stop: bool = False
    tell: Callable[[JSON], None] = lambda line: None
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    sample: str | None = None

    def add(
        self,
        what: str,
        became: Fate,
        *,
        sample: str,
        frame: int | None = None,
        annotation: Annotation | None = None,
        said: str = "",
    ) -> None:
        """One thing that is lost, or not said exactly.

        Raises:
            ExportStopped: losses are to stop the export.
        """
        self.counts[what, became] += 1
        line: JSON = {"what": what, "became": became, "sample": sample}
        if frame is not None:
            line["frame"] = frame
        if annotation is not None:
            line |= {"annotation": annotation.id} | ({"uuid": annotation.uuid} if annotation.uuid else {})
        if said:
            line["said"] = said
        if self.stop and became != CONVERTED:
            place = f" of sample {sample}" if sample else ""
            of = f" of annotation {annotation.id}" if annotation is not None else ""
            raise ExportStopped(f"{what}{of}{place} would be {became}")
        self.tell(line)

    def count(self, what: str, became: Fate, times: int = 1) -> None:
        """Something that all objects have, which is not listed one by one and never stops an export."""
        if times:
            self.counts[what, became] += times

    def merge(self, summary: Iterable[JSON]) -> None:
        """Count what others found as well; `summary` is theirs."""
        for item in summary:
            self.counts[item["what"], item["became"]] += item["times"]

    def summary(self) -> list[JSON]:
        return [
            {"what": what, "became": became, "times": times} for (what, became), times in sorted(self.counts.items())
        ]


@dataclass(slots=True)
class Findings:
    """What an import could not read, row by row: the rest is imported without it."""

    rows: list[JSON] = field(default_factory=list)

    def add(self, where: str, message: str, *, level: str = "error") -> None:
        """`where` names the file and the place in it; the message repeats nothing of the input."""
        self.rows.append({"where": where, "message": message, "level": level})

    def note(self, where: str, message: str) -> None:
        """Something that was read, but not with all that the file says of it."""
        self.add(where, message, level="note")

    @property
    def errors(self) -> list[JSON]:
        return [row for row in self.rows if row["level"] == "error"]
