"""The demo's three datasets, built from the files in data/: pure functions from files to what the API takes.

Pixels: x to the right, y down, the origin at the top left corner of the top left pixel."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

DATA = Path(__file__).parent / "data"

Json = dict[str, Any]
Colour = tuple[int, int, int]

VEHICLE, PERSON = 1, 2
TERRAIN_CATEGORY = {"car": VEHICLE, "human": PERSON}

# The categories that occur in the two panoptic images, by their COCO ids: our name and colour. We number them 1, 2, 3 …
# in this order, because the SDK's coloured export takes an id for a place in the list.
PANOPTIC_CATEGORIES: dict[int, tuple[str, Colour]] = {
    1: ("person", (208, 68, 60)),
    8: ("truck", (46, 74, 120)),
    19: ("horse", (146, 92, 58)),
    37: ("sports ball", (250, 200, 40)),
    125: ("gravel", (176, 158, 132)),
    184: ("tree", (50, 108, 78)),
    187: ("sky", (120, 184, 226)),
    193: ("grass", (128, 186, 84)),
}
PANOPTIC_CATEGORY = {coco_id: number for number, coco_id in enumerate(PANOPTIC_CATEGORIES, start=1)}
UNLABELED_COLOUR: Colour = (54, 52, 58)
PAPER: Colour = (236, 231, 220)
GROUND: Colour = (214, 205, 186)

FRAME_STEP_NS = 160_000_000  # every fourth frame at 25 frames a second


@dataclass(frozen=True, slots=True)
class Picture:
    """A file to upload: its name and its bytes."""

    filename: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: its pictures in order (several make a sequence), its label, and for a segmentation its bitmap.

    A label is a whole document, or made by `edits` as a drawing tool sends them."""

    name: str
    pictures: tuple[Picture, ...]
    label: Json = field(default_factory=dict)
    edits: tuple[Json, ...] = ()
    bitmap: Picture | None = None
    metadata: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset of the demo, in the order in which it is loaded."""

    name: str
    task_type: str
    description: str
    category: str
    readme: str
    task_attributes: Json
    samples: tuple[Sample, ...]


def demo_datasets() -> tuple[Dataset, ...]:
    """Read and build all three datasets."""
    from config.demo.bunny import bunny  # which is made of what is here

    return terrain(), panoptic(), bunny()


def sample_attributes(sample: Sample, urls: Sequence[str]) -> Json:
    """The `attributes` of a sample whose pictures were uploaded to `urls`, in the order of `sample.pictures`.

    Raises ValueError when there is not one address for each picture."""
    if len(urls) != len(sample.pictures):
        raise ValueError(f"{sample.name} has {len(sample.pictures)} pictures, got {len(urls)} addresses")
    if len(urls) == 1:
        return {"image": {"url": urls[0]}}
    frames = [
        {"image": {"url": url}, "name": Path(picture.filename).stem, "timestamp": index * FRAME_STEP_NS}
        for index, (picture, url) in enumerate(zip(sample.pictures, urls, strict=True))
    ]
    return {"frames": frames}


def label_attributes(sample: Sample, bitmap_url: str | None = None) -> Json:
    """The `attributes` of the sample's label; a segmentation needs the address its bitmap was uploaded to.

    Raises ValueError when a bitmap's address is missing."""
    if sample.bitmap is None:
        return sample.label
    if bitmap_url is None:
        raise ValueError(f"{sample.name} needs the address of its bitmap")
    return {**sample.label, "segmentation_bitmap": {"url": bitmap_url}}


# Terrain: LabelMe polygons


def terrain() -> Dataset:
    """Vehicles in a photograph, and people whose photograph is not free and is drawn from their polygons."""
    occluded = {"name": "occluded", "input_type": "checkbox", "default_value": False}
    lights = {"name": "lights", "input_type": "select", "values": ["unknown", "off", "on"], "default_value": "unknown"}
    weather = {"name": "weather", "input_type": "select", "values": ["clear", "clouds", "rain"]}
    categories = [
        {
            "name": "vehicle",
            "id": VEHICLE,
            "color": [233, 30, 140],
            "has_instances": True,
            "attributes": [occluded, lights],
        },
        {"name": "person", "id": PERSON, "color": [236, 88, 64], "has_instances": True, "attributes": [occluded]},
    ]
    photograph = Picture("terrain2.png", (DATA / "terrain" / "terrain2.png").read_bytes())
    vehicles = labelme_label("terrain2.json")
    people = labelme_label("terrain1.json")
    width_px, height_px = labelme_size_wh("terrain1.json")
    licence = {"source": "obss/sahi", "licence": "MIT"}
    return Dataset(
        name="terrain",
        task_type="vector",
        description="Vehicles and people in open country, as polygons",
        category="street_scenery",
        readme="Photograph and polygons from the test data of obss/sahi (MIT). The walkers are drawn from their "
        "polygons: their photograph is not free.",
        task_attributes={"format_version": "0.1", "categories": categories, "image_attributes": [weather]},
        samples=(
            Sample("jeeps.png", (photograph,), vehicles, metadata={**licence, "picture": "photograph"}),
            Sample(
                "walkers.png",
                (Picture("walkers.png", drawn_polygons(people, (width_px, height_px), categories)),),
                people,
                metadata={**licence, "picture": "drawn from the label"},
            ),
        ),
    )


def labelme_size_wh(filename: str) -> tuple[int, int]:
    """Width and height in pixels of the image that a LabelMe file describes."""
    document = json.loads((DATA / "terrain" / filename).read_bytes())
    return document["imageWidth"], document["imageHeight"]


def labelme_label(filename: str) -> Json:
    """The vector label of a LabelMe file: polygons in file order, numbered from 1, coordinates as they stand there."""
    document = json.loads((DATA / "terrain" / filename).read_bytes())
    annotations = [
        {"id": number, "category_id": TERRAIN_CATEGORY[shape["label"]], "type": "polygon", "points": shape["points"]}
        for number, shape in enumerate(document["shapes"], start=1)
    ]
    return {"format_version": "0.1", "annotations": annotations}


def drawn_polygons(label: Json, size_wh: tuple[int, int], categories: Sequence[Json]) -> bytes:
    """A PNG of the label's polygons, each in its own shade of its category, before a plain ground."""
    colours = {category["id"]: tuple(category["color"]) for category in categories}
    scale = 4
    image = Image.new("RGB", size_wh, PAPER)
    draw = ImageDraw.Draw(image)
    everything = np.concatenate([annotation["points"] for annotation in label["annotations"]])
    draw.rectangle((0, round(everything[:, 1].mean()), *size_wh), fill=GROUND)
    for number, annotation in enumerate(label["annotations"]):
        points = np.asarray(annotation["points"], dtype=np.float64)
        corner = np.floor(points.min(axis=0)).astype(int)
        width_px, height_px = np.ceil(points.max(axis=0)).astype(int) - corner
        # Pillow draws polygons with hard edges: a stencil of four times the size, scaled down, has soft ones.
        stencil = Image.new("L", (int(width_px) * scale, int(height_px) * scale))
        ImageDraw.Draw(stencil).polygon([tuple(p) for p in (points - corner) * scale], fill=255)
        stencil = stencil.resize((int(width_px), int(height_px)), Image.Resampling.BOX)
        draw.bitmap((int(corner[0]), int(corner[1])), stencil, fill=shade(colours[annotation["category_id"]], number))
    return png(image)


# Panoptic: a PNG of segment ids up to 24 bit, and a JSON that says what each segment is


def panoptic() -> Dataset:
    """Two images of COCO with every pixel segmented; the photographs are not free and are drawn from the segments."""
    document = json.loads((DATA / "panoptic" / "panoptic_examples.json").read_bytes())
    things = {category["id"]: bool(category["isthing"]) for category in document["categories"]}
    crowd = {"name": "crowd", "input_type": "checkbox", "default_value": False}
    categories = [
        {
            "name": name,
            "id": PANOPTIC_CATEGORY[coco_id],
            "color": list(colour),
            "has_instances": things[coco_id],
            "attributes": [crowd] if things[coco_id] else [],
            "coco_id": coco_id,
        }
        for coco_id, (name, colour) in PANOPTIC_CATEGORIES.items()
    ]
    names = {142238: "ball-game.png", 439180: "riders.png"}
    samples = []
    for annotation in document["annotations"]:
        ids = panoptic_ids(annotation)
        label = panoptic_label(annotation)
        name = names[annotation["image_id"]]
        samples.append(
            Sample(
                name,
                (Picture(name, drawn_segments(ids, label)),),
                label,
                bitmap=Picture("label.png", bitmap_png(ids)),
                metadata={
                    "source": f"COCO 2017 val {annotation['image_id']}",
                    "licence": "CC BY 4.0 (annotations)",
                    "picture": "drawn from the label",
                },
            )
        )
    return Dataset(
        name="panoptic",
        task_type="segmentation-bitmap",
        description="Riders and a ball game, every pixel segmented",
        category="people",
        readme="Panoptic annotations by the COCO Consortium (CC BY 4.0), sample data of cocodataset/panopticapi. "
        "The photographs are not free, so the pictures are drawn from the segments.",
        task_attributes={"format_version": "0.1", "categories": categories},
        samples=tuple(samples),
    )


def panoptic_ids(annotation: Json) -> NDArray[np.uint32]:
    """The image's segments as a (height, width) array of 1, 2, 3 … in the order of `segments_info`; 0 is unlabeled.

    The file's own ids are RGB values of up to 24 bit; the SDK's cache of bitmaps keeps 16. Source of the file's
    encoding: cocodataset/panopticapi, id = R + 256 G + 65536 B.

    Raises ValueError when the file has a segment that its JSON does not list."""
    with Image.open(DATA / "panoptic" / annotation["file_name"]) as image:
        rgb = np.asarray(image.convert("RGB"), dtype=np.uint32)
    file_ids = rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]
    known = np.array([0] + [segment["id"] for segment in annotation["segments_info"]], dtype=np.uint32)
    order = np.argsort(known)
    place = np.searchsorted(known, file_ids, sorter=order)
    numbers = order[np.minimum(place, len(known) - 1)].astype(np.uint32)
    if not np.array_equal(known[numbers], file_ids):
        raise ValueError(f"{annotation['file_name']} has segments that its JSON does not list")
    return numbers


def panoptic_label(annotation: Json) -> Json:
    """The segmentation label without its bitmap: one annotation a segment, numbered as in `panoptic_ids`."""
    annotations: list[Json] = []
    for number, segment in enumerate(annotation["segments_info"], start=1):
        entry: Json = {"id": number, "category_id": PANOPTIC_CATEGORY[segment["category_id"]]}
        if segment["iscrowd"]:
            entry["attributes"] = {"crowd": True}
        annotations.append(entry)
    return {"format_version": "0.1", "annotations": annotations}


def bitmap_png(ids: NDArray[np.uint32]) -> bytes:
    """Ids below 2**24 as the protocol's RGBA PNG: id = R + 256 G + 65536 B, alpha 255."""
    rgba = ids.astype("<u4")[..., None].view(np.uint8).copy()
    rgba[..., 3] = 255
    return png(Image.fromarray(rgba))


def drawn_segments(ids: NDArray[np.uint32], label: Json) -> bytes:
    """A PNG that shows each segment flat, in its own shade of its category's colour; shape of `ids`."""
    colours = np.empty((len(label["annotations"]) + 1, 3), dtype=np.uint8)
    colours[0] = UNLABELED_COLOUR
    by_number = dict(enumerate((colour for _, colour in PANOPTIC_CATEGORIES.values()), start=1))
    for annotation in label["annotations"]:
        colours[annotation["id"]] = shade(by_number[annotation["category_id"]], annotation["id"])
    return png(Image.fromarray(colours[ids]))


# Drawing


def shade(colour: Colour, number: int) -> Colour:
    """A softer tint of the colour, lighter or darker by the object's number, so that neighbours can be told apart."""
    lightness = (0.30, 0.52, 0.18, 0.42, 0.24, 0.58, 0.36)[number % 7]
    red, green, blue = (round(channel + (255 - channel) * lightness) for channel in colour)
    return red, green, blue


def png(image: Image.Image) -> bytes:
    """The image as PNG bytes."""
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
