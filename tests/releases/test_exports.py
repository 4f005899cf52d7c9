"""Exports of a release: asked for by name, made once from the log, the same bytes whenever and wherever."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from PIL import Image
from pycocotools.coco import COCO
from rest_framework.test import APIClient

from labeling.commands import assets, labels, people, samples
from labeling.events import Downloaded
from labeling.geometry import rle
from labeling.log import store
from labeling.log.event import SECURITY, Intent
from labeling.models import Person
from releases import actors, commands, exports, files, reading
from releases.formats.registry import WRITTEN
from releases.models import ExportBuild
from tests.conftest import MakeDataset
from tests.releases.conftest import Built, box

Make = Callable[..., Any]
MakeRelease = Callable[..., Built]

HOLED = {
    "type": "polygon",
    "parts": [
        [[[10, 10], [60, 10], [60, 60], [10, 60]], [[20, 20], [20, 40], [40, 40], [40, 20]]],
        [[[70, 10], [90, 10], [80, 30]]],
    ],
}


def picture(owner: Person, width: int = 100, height: int = 80) -> str:
    """The host-less address of an uploaded picture."""
    data = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), dtype=np.uint8)).save(data, "PNG")
    asset = assets.plan_asset(owner=owner.id, filename="street.png")
    assets.store_asset(asset, ContentFile(data.getvalue()))
    return f"/media/{asset.token}/{asset.filename}"


@pytest.fixture
def labeled(person: Make, dataset: MakeDataset, sample: Make, label: Make, intent: Make) -> tuple[Person, uuid.UUID]:
    """A dataset of ana's with a picture that has a box and a polygon of two parts with a hole, and one without size."""
    ana = person()
    streets = dataset(ana, name="streets")
    first = sample(streets, ana, name="a.png", attributes={"image": {"url": picture(ana)}})
    second = sample(streets, ana, name="b.png", metadata={"split": "val"})
    label(first, ana, {"annotations": [box(1, 1, x=90.5)]})  # reaches beyond the border
    labels.edit_label(
        intent=intent(ana),
        sample=first,
        label_set="ground-truth",
        edits=[{"op": "add", "category_id": 2, "geometry": HOLED, "attributes": {"parked": True}}],
    )
    label(second, ana)
    return ana, streets


def files_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def exported(built: Built, **said: Any) -> tuple[ExportBuild, bytes]:
    """An export as a worker makes it."""
    job = commands.export_release(release=built.row, format_name=said.pop("format", "coco-instances"), options=said)
    exports.build(job.id)
    job.refresh_from_db()
    assert job.status == "SUCCEEDED", job.error
    with files.read(job.path) as file:
        return job, file.read()


def test_an_unknown_format_is_refused_with_those_that_there_are(labeled: Any, release: MakeRelease) -> None:
    ana, streets = labeled
    built = release(streets, ana)
    for name in ("", "coco", "COCO-INSTANCES"):
        with pytest.raises(Exception, match=f"format.*{', '.join(sorted(WRITTEN))}"):
            commands.export_release(release=built.row, format_name=name)
    with pytest.raises(Exception, match=r"clip: must be one of yes, no"):
        commands.export_release(release=built.row, format_name="coco-instances", options={"clip": "maybe"})
    with pytest.raises(Exception, match=r"colour: is no option of coco-instances; it has clip, frames"):
        commands.export_release(release=built.row, format_name="coco-instances", options={"colour": "red"})
    with pytest.raises(Exception, match=r"label_set.*must be one of ground-truth"):
        commands.export_release(release=built.row, format_name="coco-instances", label_set="none")
    assert not ExportBuild.objects.exists()


def test_a_release_in_coco_is_read_by_pycocotools(labeled: Any, release: MakeRelease, tmp_path: Path) -> None:
    ana, streets = labeled
    job, data = exported(release(streets, ana))
    found = files_of(data)
    assert list(found) == [
        "annotations/instances_default.json",
        "annotations/instances_val.json",
        "losses.json",
        "export.json",
    ]
    (tmp_path / "a.json").write_bytes(found["annotations/instances_default.json"])
    coco = COCO(str(tmp_path / "a.json"))
    [image] = coco.loadImgs(coco.getImgIds())
    assert (image["file_name"], image["width"], image["height"]) == ("a.png", 100, 80)
    assert {item["name"] for item in coco.loadCats(coco.getCatIds())} == {"car", "person", "tree"}
    drawn, holed = coco.loadAnns(sorted(coco.getAnnIds()))
    assert drawn["bbox"] == [90.5, 5, 9.5, 25.25]  # cut off at the border
    mask = np.zeros((80, 100), dtype=bool)
    mask[10:60, 10:60] = True
    mask[20:40, 20:40] = False
    for row in range(10, 30):
        centre = row + 0.5 - 10
        mask[row, [column for column in range(100) if 70 + centre / 2 <= column + 0.5 < 90 - centre / 2]] = True
    assert (coco.annToMask(holed).astype(bool) == mask).all()
    assert holed["area"] == mask.sum()
    assert holed["attributes"] == {"parked": True}
    lost = json.loads(found["losses.json"])
    assert lost["summary"] == job.losses
    assert [(item["what"], item["became"]) for item in lost["list"]] == [
        ("beyond the border", "converted"),
        ("holes", "converted"),
    ]
    assert [item["times"] for item in lost["summary"] if item["what"] == "provenance"] == [3]


def test_the_same_export_is_made_once_and_stays_the_same(labeled: Any, release: MakeRelease, intent: Make) -> None:
    ana, streets = labeled
    built = release(streets, ana)
    job, data = exported(built)
    again, _ = exported(built, clip="yes")  # what is said is the default
    other, other_data = exported(built, clip="no")
    assert (again.id, again.sha256) == (job.id, job.sha256)
    assert other.id != job.id and other_data != data
    first = samples.add_samples(
        intent=intent(ana),
        dataset=streets,
        items=[samples.checked_sample({"name": "late", "attributes": {"image": {"url": ""}}})],
        keep_existing=False,
    )
    assert first
    exports.reset(job.id)
    exports.build(job.id)
    job.refresh_from_db()
    with files.read(job.path) as file:
        assert file.read() == data


def test_a_withdrawn_release_takes_its_exports_along(labeled: Any, release: MakeRelease, intent: Make) -> None:
    ana, streets = labeled
    job, _ = exported(release(streets, ana))
    commands.withdraw_release(intent=intent(ana), dataset=streets, name="v1")
    actors.sweep()
    assert not ExportBuild.objects.filter(id=job.id).exists()
    with pytest.raises(FileNotFoundError):
        files.read(job.path)


def test_an_export_that_nobody_makes_is_sent_again(labeled: Any, release: MakeRelease) -> None:
    ana, streets = labeled
    job = commands.export_release(release=release(streets, ana).row, format_name="coco-instances")
    assert exports.claim_waiting() == []
    ExportBuild.objects.filter(id=job.id).update(updated_at="2020-01-01T00:00:00Z")
    assert exports.claim_waiting() == [job.id]
    assert exports.claim_waiting() == []


def test_what_is_to_stop_an_export_fails_it_with_the_reason(labeled: Any, release: MakeRelease) -> None:
    ana, streets = labeled
    job = commands.export_release(
        release=release(streets, ana).row, format_name="coco-keypoints", options={"losses": "stop"}
    )
    exports.build(job.id)
    job.refresh_from_db()
    assert (job.status, job.error) == (
        "FAILED",
        "object without points of an annotation in sample a.png would be left out",
    )


@pytest.fixture
def client(labeled: Any, intent: Callable[..., Intent]) -> APIClient:
    ana, _ = labeled
    _, key = people.create_key(intent=intent(ana), person=ana)
    return APIClient(headers={"Authorization": f"APIKey {key}"})


PATH = "/datasets/ana/streets/releases/v1/export/"


def test_an_export_over_http(labeled: Any, client: APIClient, release: MakeRelease) -> None:
    ana, streets = labeled
    built = release(streets, ana)
    refused = client.get(f"{PATH}?format=nonsense")
    assert refused.status_code == 400 and "coco-instances, " in refused.json()["detail"], refused.json()
    assert client.get(PATH).json()["detail"].startswith("format: is required; it is one of ")
    begun = client.get(f"{PATH}?format=coco-instances&clip=no").json()
    assert (begun["status"], begun["url"], begun["options"]["clip"]) == ("PENDING", None, "no")
    exports.build(uuid.UUID(begun["uuid"]))
    done = client.get(f"{PATH}?format=coco-instances&clip=no").json()
    assert (done["uuid"], done["status"], done["samples_count"]) == (begun["uuid"], "SUCCEEDED", 2)
    assert done["url"].startswith(f"{settings.PUBLIC_URL}/exports/") and done["url"].endswith(
        "/streets-v1-coco-instances.zip"
    )
    before = store.head(SECURITY)
    answer: Any = APIClient().get(urlsplit(done["url"]).path)  # without a key
    data = b"".join(answer.streaming_content)
    assert answer.headers["Content-Type"] == "application/zip"
    assert data == exported(built, clip="no")[1]
    [told] = [event.fact for event in store.read(SECURITY, after=before) if isinstance(event.fact, Downloaded)]
    assert (told.what, told.sha256) == ("export", done["sha256"])
    wrong = urlsplit(done["url"]).path.replace("/exports/" + done["uuid"], f"/exports/{uuid.uuid4()}")
    assert APIClient().get(wrong).status_code == 404


def test_the_list_of_formats_says_what_each_carries(client: APIClient) -> None:
    found = {item["name"]: item for item in client.get("/formats/").json()}
    assert {name for name, item in found.items() if item["exports"]} == WRITTEN
    carries = found["coco-instances"]["carries"]
    assert (carries["bbox"], carries["holes"], carries["orientations"]) == ("kept", "converted", "left out")


def test_the_command_writes_the_same_bytes(labeled: Any, release: MakeRelease, tmp_path: Path) -> None:
    ana, streets = labeled
    _, data = exported(release(streets, ana), segmentation="rle")
    said = io.StringIO()
    target = tmp_path / "v1.zip"
    arguments = ("ana/streets", "v1", "coco-instances", str(target))
    call_command("export", *arguments, "--option", "segmentation=rle", stdout=said)
    assert target.read_bytes() == data
    assert "provenance: left out, 3 times" in said.getvalue()
    with pytest.raises(CommandError, match="Nothing was written"):
        call_command("export", *arguments, stdout=said)
    target.unlink()
    with pytest.raises(CommandError, match="format: must be one of"):
        call_command("export", "ana/streets", "v1", "nonsense", str(target))
    assert not target.exists()


def test_sizes_come_from_files_of_ours_and_else_from_metadata(person: Make) -> None:
    ana = person()
    assert reading.size_of_file(picture(ana, 31, 17)) == (31, 17)
    assert reading.size_of_file("https://example.org/a.png") is None
    assert reading._said_size({"width": 31, "height": 17}) == (31, 17)
    for bad in ({"width": True, "height": 17}, {"width": "31", "height": 17}, {"width": 0, "height": 17}, {}):
        assert reading._said_size(bad) is None


def test_a_bitmap_becomes_a_bitmap_of_each_object() -> None:
    ids = np.zeros((7, 9), dtype=np.uint32)
    ids[1:4, 2:5], ids[2, 3], ids[6, 0] = 5, 70000, 1
    found = reading.bitmaps_of(ids)
    assert sorted(found) == [1, 5, 70000]
    for number, geometry in found.items():
        assert (rle.decode(geometry["rle"], max_pixels=100) == (ids == number)).all()
    assert reading.bitmaps_of(np.zeros((2, 2), dtype=np.uint32)) == {}


def test_the_bytes_depend_on_no_clock_locale_or_hash_seed() -> None:
    hashes = set()
    for seed, zone, locale in (("0", "UTC", "C"), ("4711", "Asia/Kathmandu", "de_DE.UTF-8")):
        environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale}
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.records"],
            env=environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        hashes.add(done.stdout)
    assert len(hashes) == 1, hashes
    assert {line.split()[0] for line in hashes.pop().splitlines()} == WRITTEN
