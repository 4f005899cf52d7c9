"""What differs between two releases is told in words, both are checked outside, and one is loaded in pycocotools."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from config.demo.console import Console
from config.demo.editing import marked, polygons_by_id, send_edits
from config.demo.server import DemoFailed, Server

Json = dict[str, Any]
#: (the archive of a release, the identity that it should have) → whether it is sound
Check = Callable[[Path, str], bool]

CHECK_RELEASE = Path(__file__).parents[2] / "releases" / "check_release.py"
EXPORT_TIMEOUT_S, POLL_S = 120, 0.1
FORMAT = "coco-instances"


def checked_outside(archive: Path, identity: str) -> bool:
    """Whether the stand-alone program, which needs only Python, finds the archive to be that release."""
    command = [sys.executable, "-I", str(CHECK_RELEASE), str(archive), identity]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def change_label(ben: Server, label: str) -> int:
    """Ben notes the lights of a vehicle, so that the difference has two people in it; the log's offset after it.

    Raises DemoFailed."""
    seen = ben.call("GET", label)
    edit = marked(polygons_by_id(seen.json)[5], "lights", ("on", "off"))
    answer = send_edits(ben, label, seen.version, [edit], "demo: after the release")
    if answer.status != 200:
        raise DemoFailed(f"the edit after the release was refused: {answer.detail}")
    return answer.offset


def show_difference(
    console: Console, ana: Server, path: str, names: tuple[str, str], exports: Path, check: Check = checked_outside
) -> str:
    """Tell what differs between two releases, check both, load the second in pycocotools; the address of the page.

    Raises:
        Refused: the server refused something that this needs.
        DemoFailed: nothing or too much differs, a release is damaged, or pycocotools reads something else.
    """
    console.heading("Two releases are compared, checked, and read by others")
    first, second = names
    found = ana.call("GET", f"{path}/diff/?from={first}&to={second}").json
    changes = [(entry, change) for entry in found["entries"] for change in entry["changes"]]
    if not changes:
        raise DemoFailed(f"nothing differs between {first} and {second}, though two people changed something")
    if ana.call("GET", f"{path}/diff/?from={second}&to={second}").json["entries"]:
        raise DemoFailed(f"{second} differs from itself")
    console.row(second, f"since {first} {found['words']}")
    for entry, change in changes:
        console.row("", f"{', '.join(sorted(change['people']))}: {entry['sample_name']}, {change['words']}")
    for name in names:
        identity = ana.call("GET", f"{path}/releases/{name}/").json["identity"]
        archive = exports / f"{name}.zip"
        archive.write_bytes(ana.call("GET", f"{path}/releases/{name}/archive/").body)
        if not check(archive, identity):
            raise DemoFailed(f"the archive of {name} is not the release {identity}")
        tick = console.styled("✓", "green")
        console.row(name, f"is release {identity[:16]}…, every byte, says check_release.py without Palimpsest {tick}")
    told = read_by_pycocotools(coco_of(ana, path, second), exports / f"{second}-coco.json")
    console.row("pycocotools", f"reads {told} {console.styled('✓', 'green')}")
    page: str = found["page"]
    return page


def coco_of(ana: Server, path: str, release: str) -> Json:
    """The release as COCO, its masks as run lengths. Raises DemoFailed when that fails or takes too long."""
    began = time.monotonic()
    asked = f"{path}/releases/{release}/export/?format={FORMAT}&segmentation=rle"
    while (job := ana.call("GET", asked).json)["status"] == "PENDING":
        if time.monotonic() - began > EXPORT_TIMEOUT_S:
            raise DemoFailed(f"the export of {release} is still pending after {EXPORT_TIMEOUT_S} s")
        time.sleep(POLL_S)
    if job["status"] != "SUCCEEDED":
        raise DemoFailed(f"the export of {release} ended as {job['status']}: {job['error']}")
    with zipfile.ZipFile(io.BytesIO(ana.download(job["url"]))) as archive:
        name = next(name for name in archive.namelist() if name.startswith("annotations/"))
        document: Json = json.loads(archive.read(name))
    return document


def read_by_pycocotools(document: Json, file: Path) -> str:
    """What pycocotools finds in a document of COCO, which is left in `file`. Raises DemoFailed where it finds other
    pixels than the document says."""
    from pycocotools.coco import COCO

    fresh = file.with_suffix(".part")
    fresh.write_text(json.dumps(document))
    with contextlib.redirect_stdout(io.StringIO()):  # it talks of its progress
        coco = COCO(str(fresh))
    objects = coco.loadAnns(coco.getAnnIds())
    areas: Mapping[int, int] = {item["id"]: int(coco.annToMask(item).sum()) for item in objects}
    for item in objects:
        if areas[item["id"]] != item["area"]:
            raise DemoFailed(f"pycocotools finds {areas[item['id']]} pixels where the release says {item['area']}")
    os.replace(fresh, file)
    categories = ", ".join(item["name"] for item in coco.loadCats(coco.getCatIds()))
    pixels = f"all {sum(areas.values()):,} pixels"
    return f"{len(objects)} objects ({categories}) in {len(coco.getImgIds())} pictures, {pixels}"
