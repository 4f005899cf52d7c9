"""Maps of pixels as PNG files: of classes, of objects, of colours, and as Cityscapes has them. Pure.

- `semantic-png`: 8 bits (16 where ids are above 255), the value is the category's id; 0 is what nothing covers. A
  category whose id is 0 is lost in that.
- `instance-png`: 16 bits, the value is the place of an object from the bottom, from 1; `objects.json` names each.
- `colour-png`: the colours of the categories; of those that have none, those of VOC's table.
- `cityscapes`: `*_gtFine_labelIds.png`, `*_gtFine_instanceIds.png` (id * 1000 + number for what is counted, the id for
  what is not), `*_gtFine_color.png` and `*_gtFine_polygons.json` in painter's order. Source: the scripts of
  mcordts/cityscapesScripts.

Of two objects the later, which is above, has the pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from labeling.geometry.composition import label_map, spans_of
from releases.formats import maps_reading, outlines, pngs
from releases.formats.colours import voc_colour
from releases.formats.drafts import Draft, paths_of, put_all, put_down
from releases.formats.files import Output, put_bytes
from releases.formats.format import APPROXIMATED, FRAMES, LEFT_OUT, Format, Losses, Options, carrying
from releases.formats.jsons import Lists, filled, line, marked
from releases.formats.names import names_of, tell_of_words
from releases.formats.painting import tell_of_overlaps
from releases.formats.parts import InParts, Part, Streams
from releases.formats.pictures import Picture, pictures
from releases.formats.records import Annotation, Category, Dataset, Sample
from releases.formats.texts import word

JSON = dict[str, Any]

_MOST = 65535
_PER_CLASS = 1000
_PICTURES = "pictures"


def _painted(picture: Picture, items: list[Annotation], values: list[int], losses: Losses, dtype: Any) -> Any:
    spans = spans_of([item.geometry for item in items], picture.height, picture.width)
    painted = label_map(spans, values, picture.height, picture.width, dtype=dtype)
    tell_of_overlaps(picture, items, spans, painted, values, losses)
    losses.count("objects that are one with others", APPROXIMATED, len(values) - len(set(values)))
    return painted


def _kept(
    picture: Picture, losses: Losses, values: Callable[[Annotation, int], int]
) -> tuple[list[Annotation], list[int]]:
    """The objects whose value a map can hold, with these."""
    kept, found = [], []
    for nth, item in enumerate(picture.annotations, 1):
        value = values(item, nth)
        if 0 < value <= _MOST:
            kept.append(item)
            found.append(value)
        else:
            losses.add(
                "object or category beyond the values of a map",
                LEFT_OUT, sample=picture.sample.name, frame=picture.frame, annotation=item,
            )  # fmt: skip
    return kept, found


def _category(item: Annotation) -> int:
    assert item.category_id is not None
    return item.category_id


# --- one map a picture ---------------------------------------------------------------------------------------------


def write_semantic(
    dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses
) -> JSON:
    """`masks/{picture}.png` of categories."""
    draft = Draft(streams)
    kind = np.uint8 if max((item.id for item in dataset.categories), default=0) < 256 else np.uint16
    for picture in pictures(SEMANTIC, dataset, samples, options, losses):
        kept, values = _kept(picture, losses, lambda item, nth: _category(item))
        painted = _painted(picture, kept, values, losses, kind)
        draft.file(pngs.gray(painted), picture.name, ".png", folder="masks")
    return {}


def join_semantic(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The maps, and `dataset_meta.json`, which names the categories."""
    put_all(parts, out)
    put_bytes(out, "dataset_meta.json", line(_meta(dataset)) + b"\n")


def _meta(dataset: Dataset) -> JSON:
    """Names and colours by value, as Datumaro's reader of maps takes them: a colour for every value up to the last."""
    known = dataset.by_id
    most = min(max(known, default=0), _MOST)
    return {
        "background_label": "0",
        "label_map": {"0": "background"} | {str(item.id): item.name for item in dataset.categories},
        "segmentation_colors": [
            list(_colour(known[value]) if value in known else (0, 0, 0)) for value in range(most + 1)
        ],
    }


def write_instances(
    dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses
) -> JSON:
    """`masks/{picture}.png` of objects, and a line with the category of each value of each picture."""
    draft = Draft(streams)
    for picture in pictures(INSTANCE, dataset, samples, options, losses):
        kept, values = _kept(picture, losses, lambda item, nth: nth)
        painted = _painted(picture, kept, values, losses, np.uint16)
        name = draft.file(pngs.gray(painted), picture.name, ".png", folder="masks")
        shown = set(np.unique(painted).tolist())
        objects = [
            {"value": value, "category_id": item.category_id, "attributes": item.attributes, "uuid": item.uuid}
            for value, item in zip(values, kept, strict=True)
            if value in shown
        ]
        said = {"name": picture.name, "mask": name, "split": picture.split, "objects": objects}
        streams.add(_PICTURES, marked(said, "mask"))
    return {}


def join_instances(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The maps, and `objects.json` with the lines."""
    lists = Lists(out, "pictures")
    for part, names in put_down(parts, out):
        lists.extend("pictures", filled(part.pieces(_PICTURES), mask=paths_of(names, "masks/", ".png")))
    categories = [{"id": item.id, "name": item.name, "isthing": item.is_thing} for item in dataset.categories]
    lists.put("objects.json", {"categories": categories})


def tell_of_colours(dataset: Dataset, options: Options, losses: Losses) -> None:
    """List the categories of one colour."""
    taken: dict[tuple[int, int, int], str] = {(0, 0, 0): "background"}
    for item in dataset.categories:
        if _colour(item) in taken:
            losses.add("colour that two categories have", LEFT_OUT, sample="", said=item.name)
        taken.setdefault(_colour(item), item.name)


def write_colours(
    dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses
) -> JSON:
    """`masks/{picture}.png` of colours."""
    draft = Draft(streams)
    table = np.zeros((len(dataset.categories) + 1, 3), dtype=np.uint8)
    places = {item.id: nth for nth, item in enumerate(dataset.categories, 1)}
    for nth, item in enumerate(dataset.categories, 1):
        table[nth] = _colour(item)
    for picture in pictures(COLOUR, dataset, samples, options, losses):
        kept, values = _kept(picture, losses, lambda item, nth: places[_category(item)])
        painted = _painted(picture, kept, values, losses, np.uint16)
        draft.file(pngs.colours(table[painted]), picture.name, ".png", folder="masks")
    return {}


def join_colours(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The maps, and `colours.json`, which names the colours."""
    put_all(parts, out)
    named = {item.name: list(_colour(item)) for item in dataset.categories}
    put_bytes(out, "colours.json", line({"background": [0, 0, 0]} | named) + b"\n")


def _colour(item: Category) -> tuple[int, int, int]:
    return item.colour or voc_colour(item.id)


# --- Cityscapes ----------------------------------------------------------------------------------------------------


def write_cityscapes(
    dataset: Dataset, samples: Iterable[Sample], streams: Streams, options: Options, losses: Losses
) -> JSON:
    """`gtFine/{split}/{city}/{picture}_gtFine_*`: a category's id is its place, from 1, because 0 is void."""
    draft = Draft(streams)
    known = dataset.by_id
    places = {item.id: nth for nth, item in enumerate(dataset.categories, 1)}
    table = np.zeros((len(dataset.categories) + 1, 3), dtype=np.uint8)
    for nth, item in enumerate(dataset.categories, 1):
        table[nth] = _colour(item)
    for picture in pictures(CITYSCAPES, dataset, samples, options, losses):
        folder = f"gtFine/{picture.split or 'train'}"
        name = picture.name if "/" in picture.name else f"all/{picture.name}"
        stem = draft.name(name, "_gtFine", folder=folder)
        numbers: dict[int, int] = {}

        def value(item: Annotation, nth: int, numbers: dict[int, int] = numbers) -> int:
            place = places[_category(item)]
            if not known[_category(item)].is_thing:
                return place if place < 256 else 0
            numbers[place] = numbers.get(place, -1) + 1
            return place * _PER_CLASS + numbers[place] if numbers[place] < _PER_CLASS and place < 66 else 0

        kept, values = _kept(picture, losses, value)
        painted = _painted(picture, kept, values, losses, np.uint16)
        classes = np.where(painted >= _PER_CLASS, painted // _PER_CLASS, painted).astype(np.uint8)
        for ending, data in (
            ("labelIds", pngs.gray(classes)),
            ("instanceIds", pngs.gray(painted)),
            ("color", pngs.colours(table[classes])),
        ):
            draft.put(data, stem, before=f"{folder}/", after=f"_gtFine_{ending}.png")
        objects = [
            {"label": known[_category(item)].name, "polygon": ring}
            for item in kept
            for ring in outlines.outer_rings(item.geometry)
        ]
        polygons = {"imgHeight": picture.height, "imgWidth": picture.width, "objects": objects}
        draft.put(line(polygons) + b"\n", stem, before=f"{folder}/", after="_gtFine_polygons.json")
    return {}


def join_cityscapes(dataset: Dataset, parts: list[Part], out: Output, options: Options) -> None:
    """The maps, and `label_colors.txt`, which names the colours."""
    put_all(parts, out)
    names = names_of(dataset.categories, word)
    rows = [f"{' '.join(map(str, _colour(item)))} {names[item.id]}\n" for item in dataset.categories]
    put_bytes(out, "label_colors.txt", "".join(["0 0 0 void\n", *rows]).encode())


_SOLID = ("polygon", "rbox", "ellipse", "parts", "holes")
SEMANTIC = Format(
    "semantic-png", 2, "Semantic PNG",
    carrying(
        "bitmap", "list of categories", "ids of categories", "colours of categories", converted=_SOLID,
        approximated=("names",),
    ),
    parts=InParts(write_semantic, join_semantic),
    read=maps_reading.read_semantic, options=(FRAMES,), needs_size=True, is_painted=True,
)  # fmt: skip
INSTANCE = Format(
    "instance-png", 2, "Instance PNG",
    carrying(
        "bitmap", "attributes", "uuids", "splits", "order", "names", "list of categories", "ids of categories",
        "things and stuff", converted=_SOLID,
    ),
    parts=InParts(write_instances, join_instances),
    read=maps_reading.read_instances, options=(FRAMES,), needs_size=True, is_painted=True,
)  # fmt: skip
COLOUR = Format(
    "colour-png", 2, "Colour PNG",
    carrying("bitmap", "list of categories", "colours of categories", converted=_SOLID, approximated=("names",)),
    parts=InParts(write_colours, join_colours, before=tell_of_colours),
    read=maps_reading.read_colours, options=(FRAMES,), needs_size=True, is_painted=True,
)  # fmt: skip
CITYSCAPES = Format(
    "cityscapes", 2, "Cityscapes",
    carrying("bitmap", "splits", "list of categories", converted=_SOLID, approximated=("names",)),
    parts=InParts(write_cityscapes, join_cityscapes, behind=tell_of_words),
    read=maps_reading.read_cityscapes, options=(FRAMES,), needs_size=True, is_painted=True,
)  # fmt: skip
