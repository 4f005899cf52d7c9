"""Shows masks: the maps of the photographs, and three views of one panoptic label, and a sheet of all."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from config.demo.console import Console
from config.demo.datasets import PANOPTIC_CATEGORIES, PANOPTIC_CATEGORY, Json
from config.demo.loading import Loaded
from config.demo.server import DemoFailed, Server

#: What is asked for: of the photographs what people look at and train with, of the panoptic label its three views.
MAPS = {"instance": "kind=instance", "color": "kind=color"}
VIEWS = {"instance": "kind=instance&stuff=void", "semantic": "kind=semantic", "panoptic": "kind=panoptic"}
TILE_WIDTH, GAP, HEAD = 420, 14, 30
PAPER, INK = (250, 249, 246), (60, 58, 54)


def show_masks(console: Console, ana: Server, terrain: Loaded, panoptic: Loaded, exports: Path) -> None:
    """Fetch the masks, check that they agree with each other, and leave them in `exports` with a sheet to look at.

    Raises DemoFailed when a class has other pixels than its instances."""
    console.heading("Masks are drawn from the labels, exact to the pixel")
    folder = exports / "masks"
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[dict[str, Image.Image]] = [{}]
    for name in terrain.samples:
        label, stem = terrain.label_path(name), name.removesuffix(".png")
        for view, query in MAPS.items():
            (folder / f"{stem}-{view}.png").write_bytes(ana.call("GET", f"{label}mask/?{query}").body)
        tell(console, ana, label, name)
        lines[0][f"{name} with its label"] = tile(ana.call("GET", f"{label}overlay/").body)
        lines[0][f"{name}: color"] = tile((folder / f"{stem}-color.png").read_bytes())
    colours = np.zeros((1 + max(PANOPTIC_CATEGORY.values()), 3), dtype=np.uint8)
    colours[1:] = [colour for _, colour in PANOPTIC_CATEGORIES.values()]
    for name in panoptic.samples:
        label, stem = panoptic.label_path(name), name.removesuffix(".png")
        for view, query in VIEWS.items():
            (folder / f"{stem}-{view}.png").write_bytes(ana.call("GET", f"{label}mask/?{query}").body)
        tell(console, ana, label, name)
        classes = colours[pixels((folder / f"{stem}-semantic.png").read_bytes())]
        lines.append(
            {
                f"{name} with its label": tile(ana.call("GET", f"{label}overlay/").body),
                "instance": tile(ana.call("GET", f"{label}mask/?kind=color&stuff=void").body),
                "semantic": shrunk(Image.fromarray(classes)),
                "panoptic": tile(ana.call("GET", f"{label}mask/?kind=color").body),
            }
        )
    path = exports / "ana-masks.jpg"
    sheet(lines).save(path, "JPEG", quality=90)
    console.row("as PNG files", str(folder))
    console.row("to look at", str(path))


def tell(console: Console, ana: Server, label: str, name: str) -> None:
    """Check a label's masks against each other, and say what is in them. Raises DemoFailed."""
    check(ana, label, name)
    objects, classes = (len(listed(ana, label, VIEWS[view])) for view in ("instance", "semantic"))
    report = ana.call("GET", f"{label}mask/report/").json
    unlabeled = 100 * report["unlabeled"] / report["pixels"]
    several = "es" if classes > 1 else ""
    said = f"{objects:>3} objects, {classes} class{several}, {unlabeled:.1f} % of the pixels unlabeled"
    console.row(name, f"{said} {console.styled('✓', 'green')}")


def listed(ana: Server, label: str, query: str) -> list[Json]:
    """The segments of a view."""
    found: list[Json] = ana.call("GET", f"{label}mask/?{query}&format=json").json["segments"]
    return found


def check(ana: Server, label: str, name: str) -> None:
    """Hold the semantic map against the instances of each class. Raises DemoFailed."""
    instance, semantic = (
        pixels(ana.call("GET", f"{label}mask/?kind={kind}").body) for kind in ("instance", "semantic")
    )
    of_class = {item["id"]: item["category_id"] for item in listed(ana, label, "kind=instance")}
    expected = np.zeros_like(semantic)
    for number, category in of_class.items():
        expected[instance == number] = category or 0
    if not np.array_equal(expected, semantic):
        raise DemoFailed(f"the classes of {name} do not have the pixels of their instances")


def pixels(data: bytes) -> NDArray[np.int64]:
    """The numbers in a PNG file: gray, or R + 256 G + 65536 B."""
    with Image.open(io.BytesIO(data)) as image:
        found = np.asarray(image).astype(np.int64)
    return found if found.ndim == 2 else found[..., 0] + 256 * found[..., 1] + 65536 * found[..., 2]


def sheet(lines: list[dict[str, Image.Image]]) -> Image.Image:
    """One picture of many: a line for each mapping from captions to pictures."""
    wide = GAP + max(sum(image.width + GAP for image in line.values()) for line in lines)
    tall = GAP + sum(HEAD + max(image.height for image in line.values()) + GAP for line in lines)
    found = Image.new("RGB", (wide, tall), PAPER)
    draw, font = ImageDraw.Draw(found), ImageFont.load_default(15)
    y = GAP
    for line in lines:
        x = GAP
        for caption, image in line.items():
            draw.text((x, y + 6), caption, fill=INK, font=font)
            found.paste(image, (x, y + HEAD))
            x += image.width + GAP
        y += HEAD + max(image.height for image in line.values()) + GAP
    return found


def tile(data: bytes) -> Image.Image:
    """A picture from a file, in the width of the sheet's tiles."""
    with Image.open(io.BytesIO(data)) as image:
        return shrunk(image.convert("RGB"))


def shrunk(image: Image.Image) -> Image.Image:
    """A picture in the width of the sheet's tiles."""
    height = max(1, round(image.height * TILE_WIDTH / image.width))
    return image.resize((TILE_WIDTH, height), Image.Resampling.LANCZOS)
