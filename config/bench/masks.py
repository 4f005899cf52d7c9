"""`bench masks`: the kernels of labeling/geometry beside the libraries that people use for the same jobs, in one run.

Every contestant gets its input in the form that it likes best, runs on one thread, and takes turns with the others;
figures are medians of the thread's processor time. A row's target is the peer's figure divided by how many times faster
we have to be.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pycocotools import mask as coco
from rasterio import features
from skimage import measure

from config.bench import Row
from config.bench.server import database
from labeling.geometry import png, rle
from labeling.geometry.composition import label_map
from labeling.geometry.contours import parts_of_mask
from labeling.geometry.measures import ious_of_maps
from labeling.geometry.rasterize import column_spans, mask_of, outlines, row_spans
from labeling.geometry.simplify import simplified
from labeling.rules.masks import KINDS, Kind, Masks, Object, Picture
from labeling.rules.palettes import Palette

HD = (1080, 1920)
LARGE = (3072, 4096)
ROUNDS = 7
EDITS = 40
#: Seconds of processor time that one turn of a contestant should take at least, so that short calls are repeated.
TURN_S = 0.02

Points = NDArray[np.float64]
Call = Callable[[], Any]


class Scene(NamedTuple):
    """Some outlines (N, 2) in an image (height, width), and the forms that the peers want them in."""

    size: tuple[int, int]
    rings: list[Points]
    flat: list[list[list[float]]]
    pairs: list[list[tuple[float, float]]]
    shapes: list[tuple[dict[str, Any], int]]


def main() -> list[Row]:
    """All rows."""
    cv2.setNumThreads(1)
    return [
        *painting(),
        *single_masks(),
        *run_lengths(),
        *files(),
        *rings(),
        *simplification(),
        *overlaps(),
        *label_to_files(),
        *by_the_actor(),
    ]


def painting() -> list[Row]:
    """100 objects of one image into a uint16 label map."""
    rows = []
    for case, size, radii, vertices, times, most_ms in (
        ("small, 1080p", HD, (8, 40), 20, {"pycocotools": 3, "Pillow": 8, "rasterio": 1.3, "OpenCV": 1 / 1.5}, 2.5),
        ("large, 12 MP", LARGE, (200, 500), 200, {"pycocotools": 2, "Pillow": 2, "rasterio": 2, "OpenCV": 1 / 2.5}, 10),
    ):
        made = scene(size, 100, radii, vertices)
        peers = {
            "pycocotools": partial(painted_by_pycocotools, made),
            "Pillow": partial(painted_by_pillow, made),
            "rasterio": partial(painted_by_rasterio, made),
            "OpenCV": partial(painted_by_opencv, made),
        }
        named = f"100 objects into a label map: {case}"
        rows += versus(named, partial(painted, made), peers, times)
        rows.append(Row(f"{named}: on its own", "ms", rows[-1].ours, None, most_ms))
    return rows


def single_masks() -> list[Row]:
    """One polygon into a mask of the whole image."""
    rows = []
    for case, size, radius, vertices, times in (
        ("1080p, radius 30, 20 vertices", HD, 30, 20, 2),
        ("1080p, radius 486, 200 vertices", HD, 486, 200, 2),
        ("12 MP, radius 1382, 200 vertices", LARGE, 1382, 200, 3),
    ):
        height, width = size
        ring = star(np.random.default_rng(1), width / 2, height / 2, radius, vertices)
        flat = [ring.ravel().tolist()]
        rows += versus(
            f"one polygon into a mask: {case}",
            partial(mask_of, [[ring]], height, width),
            {"pycocotools": partial(filled_by_pycocotools, flat, height, width)},
            {"pycocotools": times},
        )
    return rows


def run_lengths() -> list[Row]:
    """Polygons to COCO's run lengths and back to masks."""
    rows = []
    for case, radii, vertices in (("small, 20 vertices", (8, 40), 20), ("larger, 200 vertices", (60, 200), 200)):
        made = scene(HD, 100, radii, vertices)
        rows += versus(
            f"100 polygons to packed run lengths, 1080p: {case}",
            partial(packed, made),
            {"pycocotools (C)": partial(packed_by_pycocotools, made)},
            {"pycocotools (C)": 0.7},
        )
    for case, size, times in (("1080p", HD, 4), ("12 MP", LARGE, 50)):
        made = scene(size, 1, (size[0] * 0.45, size[0] * 0.45), 200)
        rows += versus(
            f"one polygon to packed run lengths without a mask: {case}",
            partial(packed, made),
            {"filling and encoding a mask": partial(encoded_by_way_of_a_mask, made)},
            {"filling and encoding a mask": times},
        )
        tracemalloc.start()
        packed(made)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        rows.append(Row(f"one polygon to packed run lengths: {case}: memory", "KiB", peak / 1024, None, 1024))
    for case, size, to_times in (("1080p", HD, 2), ("12 MP", LARGE, 5)):
        ring = star(np.random.default_rng(2), size[1] / 2, size[0] / 2, size[0] * 0.45, 200)
        mask = mask_of([[ring]], *size)
        bytes_ = mask.view(np.uint8)
        rows += versus(
            f"mask of a blob to packed run lengths: {case}",
            partial(rle.encode, mask, compressed=True),
            {"pycocotools": partial(encoded_by_pycocotools, bytes_)},
            {"pycocotools": to_times},
        )
        runs = rle.encode(mask, compressed=True)
        theirs = {"size": runs["size"], "counts": runs["counts"].encode()}
        rows += versus(
            f"packed run lengths to a mask: {case}",
            partial(rle.decode, runs, max_pixels=rle.MAX_PIXELS),
            {"pycocotools": partial(coco.decode, theirs)},
            {"pycocotools": 8},
        )
    return rows


def files() -> list[Row]:
    """Label maps into PNG files."""
    rows = []
    for case, size, dtype in (("uint8, 1080p", HD, np.uint8), ("uint16, 12 MP", LARGE, np.uint16)):
        made = scene(size, 100, (size[0] * 0.03, size[0] * 0.1), 60)
        spans = row_spans(outlines([[[ring]] for ring in made.rings]), *size)
        # as many values as a semantic map has, or an id for each
        values = np.arange(100) % 20 + 1 if dtype == np.uint8 else np.arange(100) + 1
        ids = label_map(spans, values, *size, dtype=dtype)
        image = Image.fromarray(ids)
        usual = {"Pillow": partial(written_by_pillow, image)}
        rows += versus(
            f"label map into a PNG file with isal: {case}",
            partial(png.write_values, ids, packing="fast"),
            {**usual, "OpenCV": partial(cv2.imencode, ".png", ids)},
            {"Pillow": 8, "OpenCV": 3},
        )
        rows += versus(
            f"label map into a PNG file with zlib: {case}",
            partial(png.write_values, ids),
            usual,
            {"Pillow": 1.8},
        )
        theirs = len(written_by_pillow(image)) / 1024
        for packer, packing, most in (("isal", "fast", 1.785), ("zlib", "small", 1.0)):
            ours = len(png.write_values(ids, packing=packing)) / 1024  # type: ignore[arg-type]
            rows.append(Row(f"its size with {packer}: {case}, Pillow", "KiB", ours, theirs, theirs * most))
    return rows


def rings() -> list[Row]:
    """Masks into exact outlines."""
    rows = []
    for case, radius, vertices in (("radius 200", 200, 200), ("rough, radius 480", 480, 2000)):
        mask = mask_of([[star(np.random.default_rng(3), 960, 540, radius, vertices)]], *HD)
        bytes_ = mask.view(np.uint8)
        rows += versus(
            f"mask into exact rings, 1080p: {case}",
            partial(parts_of_mask, mask),
            {
                "rasterio": partial(outlined_by_rasterio, bytes_),
                "scikit-image": partial(measure.find_contours, np.pad(bytes_, 1), 0.5),
            },
            {"rasterio": 3, "scikit-image": 3},
        )
    return rows


def simplification() -> list[Row]:
    """What is left of a rough outline after simplifying it."""
    rows = []
    mask = mask_of([[star(np.random.default_rng(3), 960, 540, 480, 2000)]], *HD)
    parts = parts_of_mask(mask)
    for tolerance in (1.0, 2.0):
        simpler = simplified(parts, tolerance)
        again = mask_of(simpler, *HD)
        lost = 1 - (mask & again).sum() / (mask | again).sum()
        left = sum(len(ring) for part in simpler for ring in part)
        whole = sum(len(ring) for part in parts for ring in part)
        rows.append(Row(f"simplified by {tolerance:g} px: overlap lost", "IoU", float(lost), None, 0.01))
        rows.append(Row(f"simplified by {tolerance:g} px: vertices", "vertices", left, whole, None))
    rows += versus(
        "simplifying a rough outline by 1 px",
        lambda: simplified(parts, 1.0),
        {"OpenCV": lambda: [cv2.approxPolyDP(ring.astype(np.int32), 1.0, True) for part in parts for ring in part]},
        {},
    )
    return rows


def overlaps() -> list[Row]:
    """Intersection over union of all objects of two label maps."""
    maps = []
    for seed in (4, 5):
        made = scene(HD, 100, (20, 80), 40, seed=seed)
        spans = row_spans(outlines([[[ring]] for ring in made.rings]), *HD)
        maps.append(label_map(spans, np.arange(1, 101), *HD, dtype=np.uint16))

    def encoded() -> Any:
        packs = [
            [coco.encode(np.asfortranarray(ids == number, np.uint8)) for number in np.unique(ids)[1:]] for ids in maps
        ]
        return coco.iou(*packs, [0] * len(packs[1]))

    return versus(
        "overlaps of 100 by 100 objects of label maps, 1080p",
        lambda: ious_of_maps(*maps),
        {"encoding all for pycocotools": encoded},
        {"encoding all for pycocotools": 50},
    )


def label_to_files() -> list[Row]:
    """100 polygons as they are stored into the PNG files of a label."""
    made = scene(HD, 100, (20, 80), 20)
    objects = tuple(
        Object(number, f"{number}", number % 20 + 1, {"type": "polygon", "parts": [[ring.tolist()]]})
        for number, ring in enumerate(made.rings, 1)
    )
    palette = Palette.of({"categories": [{"id": number, "name": str(number)} for number in range(1, 21)]})

    def files(kinds: tuple[Kind, ...]) -> Any:
        masks = Masks(Picture(objects), palette, *HD)
        return [masks.file(kind) for kind in kinds]

    calls: dict[str, Call] = {"two": partial(files, ("instance", "semantic")), "four": partial(files, KINDS)}
    two, four = race(calls).values()
    return [
        Row("100 polygons, 1080p, into an instance and a semantic PNG file", "ms", two, None, 12),
        Row("100 polygons, 1080p, into all four PNG files", "ms", four, None, None),
    ]


def by_the_actor() -> list[Row]:
    """A label of 100 polygons at 1080p after an edit: read and drawn, and as a whole, with durable files and rows."""
    with database():
        from labeling import pictures
        from labeling.commands import assets, datasets, labels, people, samples
        from labeling.commands.labels import Seen
        from labeling.log import projector, store
        from labeling.log.event import Intent
        from labeling.models import Annotation, Dataset
        from labeling.projectors.masks import wanted_at
        from labeling.queries.palettes import palette_at
        from labeling.rules.task_types import task_type

        ana = people.add_person(intent=people.operator("bench"), username="bench")
        categories = [{"id": number, "name": str(number)} for number in range(1, 21)]
        log = datasets.create_dataset(
            intent=Intent(author=ana.id),
            owner=ana.id,
            name="bench",
            task_type="vector",
            task_attributes={"categories": categories},
            changes={},
        )
        picture = written_by_pillow(Image.new("RGB", HD[::-1]))
        asset = assets.keep_bytes(picture, owner=ana.id, filename="a.png", content_type="image/png")
        item = samples.checked_sample({"name": "a", "attributes": {"image": {"url": assets.url_of(asset)}}})
        (sample,) = samples.add_samples(intent=Intent(author=ana.id), dataset=log, items=[item], keep_existing=False)
        rings = scene(HD, 100, (20, 80), 20).rings
        listed = [
            {"id": number, "category_id": number % 20 + 1, "type": "polygon", "points": ring.tolist()}
            for number, ring in enumerate(rings, 1)
        ]
        where: Any = {"sample": sample, "label_set": "ground-truth"}
        labels.save_label(
            intent=Intent(author=ana.id), document={"annotations": listed}, create=True, seen=Seen(), **where
        )
        projector.bring_up("masks", log, most=1000)
        dataset, stream = Dataset.objects.get(id=log), next(iter(store.read_streams(log, "label/")))[0]
        task, known = task_type("vector"), pictures.pinned(log, store.head(log))
        drawn, found = [], []
        for turn, row in enumerate(Annotation.objects.filter(dataset_id=log).order_by("id")[:EDITS]):
            geometry = {"type": "polygon", "parts": [[(rings[row.id - 1] + turn % 3 + 1).tolist()]]}
            edit = {"op": "set_geometry", "annotation": str(row.uuid), "geometry": geometry}
            labels.edit_label(intent=Intent(author=ana.id), edits=[edit], **where)
            before = time.thread_time()
            projector.bring_up("masks", log, most=1000)
            found.append(1000 * (time.thread_time() - before))
            before = time.thread_time()
            wanted = wanted_at(dataset, stream, store.head(log))
            assert wanted is not None
            _, palette = palette_at(log, wanted.state.last_offset, version=dataset.version)
            (masks,) = pictures.masks_of(wanted.state, task, wanted.attributes, palette, 0, 1, known=known)
            assert isinstance(masks, Masks)
            for kind in ("instance", "semantic"):
                masks.file(kind)
            drawn.append(1000 * (time.thread_time() - before))
        return [
            Row(
                "the actor: such a label from the database into an instance and a semantic PNG file",
                "ms",
                statistics.median(drawn),
                None,
                12,
            ),
            Row(
                "the actor: an edit of it into all four files, rows and checkpoint",
                "ms",
                statistics.median(found),
                None,
                None,
            ),
        ]


def versus(case: str, ours: Call, peers: Mapping[str, Call], times: Mapping[str, float]) -> list[Row]:
    """A row a peer; `times` is how many times faster than each we have to be."""
    figures = race({"ours": ours, **peers})
    return [
        Row(
            f"{case}: {name}" + (f" / {times[name]:.2g}" if name in times else ""),
            "ms",
            figures["ours"],
            figures[name],
            figures[name] / times[name] if name in times else None,
        )
        for name in peers
    ]


def race(contestants: dict[str, Call]) -> dict[str, float]:
    """Milliseconds of each, the median of some turns that all take one after the other."""
    repeats = {}
    for name, call in contestants.items():
        call()
        repeats[name] = max(1, int(TURN_S / max(seconds(call, 1), 1e-6)))
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, call in contestants.items():
            found[name].append(seconds(call, repeats[name]))
    return {name: statistics.median(turns) * 1000 for name, turns in found.items()}


def seconds(call: Call, repeats: int) -> float:
    """Processor time of this thread for one call."""
    before = time.thread_time()
    for _ in range(repeats):
        call()
    return (time.thread_time() - before) / repeats


def star(chance: np.random.Generator, x: float, y: float, radius: float, vertices: int) -> Points:
    """A noisy outline around a centre."""
    angles = np.arange(vertices) * (2 * np.pi / vertices)
    wave = 0.1 * np.sin(3 * angles + chance.random() * 6) + 0.05 * np.sin(7 * angles + chance.random() * 6)
    reach = radius * (0.85 + wave) + chance.normal(size=vertices) * min(2.0, 0.05 * radius)
    return np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], axis=1)


def scene(size: tuple[int, int], count: int, radii: tuple[float, float], vertices: int, *, seed: int = 0) -> Scene:
    """Outlines all over an image, as far as they fit in it."""
    height, width = size
    chance = np.random.default_rng(seed)
    found = []
    for radius in chance.uniform(*radii, count).tolist():
        x, y = chance.uniform(radius, width - radius), chance.uniform(radius, height - radius)
        found.append(star(chance, x, y, radius, vertices))
    return Scene(
        size,
        found,
        [[ring.ravel().tolist()] for ring in found],
        [list(map(tuple, ring.tolist())) for ring in found],
        [
            ({"type": "Polygon", "coordinates": [[*ring.tolist(), ring[0].tolist()]]}, number)
            for number, ring in enumerate(found, 1)
        ],
    )


def packed(made: Scene) -> list[dict[str, Any]]:
    """Ours: the run lengths of all outlines in one go."""
    spans = column_spans(outlines([[[ring]] for ring in made.rings]), *made.size)
    return rle.of_spans(spans, len(made.rings), *made.size, compressed=True)


def painted(made: Scene) -> NDArray[Any]:
    """Ours: all outlines in one uint16 map."""
    spans = row_spans(outlines([[[ring]] for ring in made.rings]), *made.size)
    return label_map(spans, np.arange(1, len(made.rings) + 1), *made.size, dtype=np.uint16)


def packed_by_pycocotools(made: Scene) -> Any:
    return [coco.frPyObjects(ring, *made.size) for ring in made.flat]


def filled_by_pycocotools(flat: list[list[float]], height: int, width: int) -> Any:
    return coco.decode(coco.frPyObjects(flat, height, width))[:, :, 0]


def encoded_by_pycocotools(mask: NDArray[np.uint8]) -> Any:
    return coco.encode(np.asfortranarray(mask))


def outlined_by_rasterio(mask: NDArray[np.uint8]) -> Any:
    return list(features.shapes(mask, mask=mask))


def encoded_by_way_of_a_mask(made: Scene) -> Any:
    mask = np.zeros(made.size, np.uint8)
    cv2.fillPoly(mask, [subpixel(made.rings[0])], 1, shift=8)
    return coco.encode(np.asfortranarray(mask))


def painted_by_pycocotools(made: Scene) -> Any:
    """Each mask in a window of its own, which is how one does it who knows that whole masks are slow."""
    ids = np.zeros(made.size, np.uint16)
    for number, ring in enumerate(made.rings, 1):
        x0, y0 = np.maximum(np.floor(ring.min(axis=0)), 0).astype(int).tolist()
        x1, y1 = np.ceil(ring.max(axis=0)).astype(int).tolist()
        x1, y1 = min(x1, made.size[1]), min(y1, made.size[0])
        mask = coco.decode(coco.frPyObjects([(ring - [x0, y0]).ravel().tolist()], y1 - y0, x1 - x0))[:, :, 0]
        ids[y0:y1, x0:x1][mask != 0] = number
    return ids


def painted_by_pillow(made: Scene) -> Any:
    image = Image.new("I;16", (made.size[1], made.size[0]))
    draw = ImageDraw.Draw(image)
    for number, ring in enumerate(made.pairs, 1):
        draw.polygon(ring, fill=number)
    return np.asarray(image)


def painted_by_rasterio(made: Scene) -> Any:
    return features.rasterize(made.shapes, out_shape=made.size, transform=Affine.identity(), dtype="uint16")


def painted_by_opencv(made: Scene) -> Any:
    ids = np.zeros(made.size, np.uint16)
    for number, ring in enumerate(made.rings, 1):
        cv2.fillPoly(ids, [subpixel(ring)], number, shift=8)
    return ids


def subpixel(ring: Points) -> NDArray[np.int32]:
    return np.rint((ring - 0.5) * 256).astype(np.int32)


def written_by_pillow(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    json.dump([row.as_json() for row in main()], sys.stdout)
