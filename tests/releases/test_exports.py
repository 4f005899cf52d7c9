"""Exports of a release: asked for by name, made once from the log, the same bytes whenever and wherever."""

from __future__ import annotations

import io
import json
import os
import re
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

from labeling.api.requests import WIDE
from labeling.commands import assets, labels, people, samples
from labeling.events import Downloaded
from labeling.geometry import png, rle
from labeling.log import store, values
from labeling.log.event import SECURITY, Intent
from labeling.models import Person
from releases import actors, commands, exports, files, packing, queries, reading
from releases.formats import native
from releases.formats.files import Given
from releases.formats.format import Findings
from releases.formats.registry import FORMATS, WRITTEN
from releases.models import ExportBuild
from tests.conftest import MakeDataset
from tests.e2e.documents import ALL_TYPES, TASK_ATTRIBUTES, label_attributes, sample_attributes
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
        "object without points of annotation 1 of sample a.png would be left out",
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


def bitmap_of(owner: Person, ids: Any) -> str:
    """The host-less address of an uploaded bitmap."""
    asset = assets.plan_asset(owner=owner.id, filename="mask.png")
    assets.store_asset(asset, ContentFile(png.write_ids(ids)))
    return f"/media/{asset.token}/{asset.filename}"


def test_a_dataset_of_bitmaps_becomes_the_very_pixels(
    person: Make, dataset: MakeDataset, sample: Make, label: Make, release: MakeRelease
) -> None:
    ana = person()
    parks = dataset(ana, name="parks", task_type="segmentation-bitmap")
    ids = np.zeros((20, 30), dtype=np.uint32)
    ids[2:9, 3:12], ids[4, 5], ids[10:, 20:] = 1, 7, 7
    park = sample(parks, ana, name="park.png", attributes={"image": {"url": picture(ana, 30, 20)}})
    drawn = [{"id": 1, "category_id": 1}, {"id": 7, "category_id": 3, "attributes": {"old": True}}]
    label(park, ana, {"annotations": drawn, "segmentation_bitmap": {"url": bitmap_of(ana, ids)}})
    built = release(parks, ana)
    _, data = exported(built, format="coco-panoptic")
    found = files_of(data)
    [said] = json.loads(found["annotations/panoptic_default.json"])["annotations"]
    values = np.asarray(Image.open(io.BytesIO(found["annotations/panoptic_default/park.png"]))).astype(int)
    assert [item["category_id"] for item in said["segments_info"]] == [1, 3]
    assert ((values[..., 0] == 1) == (ids == 1)).all() and ((values[..., 0] == 2) == (ids == 7)).all()
    _, data = exported(built, format="instance-png")
    values = np.asarray(Image.open(io.BytesIO(files_of(data)["masks/park.png"])))
    assert ((values == 2) == (ids == 7)).all()


def test_a_sequence_becomes_sparse_tracks_and_dense_frames(
    person: Make, dataset: MakeDataset, sample: Make, label: Make, release: MakeRelease
) -> None:
    ana = person()
    drives = dataset(ana, name="drives", task_type="image-vector-sequence")
    frames = [{"image": {"url": picture(ana)}, "name": f"f{n}"} for n in range(6)]
    drive = sample(drives, ana, name="drive", attributes={"frames": frames})

    def seen(x: float, *, keyframe: bool) -> dict[str, Any]:
        return box(1, 1, x) | {"track_id": 4, "is_keyframe": keyframe}

    xs = [(10.0, True), (12.0, False), (14.0, True), None, None, (30.0, True)]
    shown = [{"annotations": [] if item is None else [seen(item[0], keyframe=item[1])]} for item in xs]
    label(drive, ana, {"frames": shown})
    built = release(drives, ana)
    _, data = exported(built, format="cvat-video")
    text = files_of(data)["drive/annotations.xml"].decode()
    boxes = re.findall(r'<box frame="(\d)" keyframe="1" outside="(\d)" occluded="0" xtl="([\d.]+)"', text)
    assert boxes == [("0", "0", "10"), ("2", "0", "14"), ("3", "1", "14"), ("5", "0", "30")]
    assert "<width>100</width><height>80</height>" in text
    _, data = exported(built, format="mot", coordinates="from-0")
    rows = [line.split(",")[:3] for line in files_of(data)["drive/gt/gt.txt"].decode().splitlines()]
    assert rows == [["1", "4", "10"], ["2", "4", "12"], ["3", "4", "14"], ["6", "4", "30"]]
    _, data = exported(built, format="native")
    [line] = files_of(data)["samples.jsonl"].splitlines()
    assert sorted(json.loads(line)["tracks"][0]["entries"]) == ["0", "2", "3", "5"]


def test_a_sequence_of_bitmaps_becomes_mots(
    person: Make, dataset: MakeDataset, sample: Make, label: Make, release: MakeRelease
) -> None:
    ana = person()
    walks = dataset(ana, name="walks", task_type="image-segmentation-sequence")
    walk = sample(walks, ana, name="walk", attributes={"frames": [{"image": {"url": picture(ana, 30, 20)}}] * 2})
    maps = []
    for shift in (0, 4):
        ids = np.zeros((20, 30), dtype=np.uint32)
        ids[2:9, 3 + shift : 12 + shift] = 2
        maps.append(ids)
    drawn = [
        {
            "annotations": [{"id": 2, "category_id": 2, "track_id": 9, "is_keyframe": True}],
            "segmentation_bitmap": {"url": bitmap_of(ana, ids)},
        }
        for ids in maps
    ]
    label(walk, ana, {"frames": drawn})
    _, data = exported(release(walks, ana), format="mots")
    found = files_of(data)
    for nth, ids in enumerate(maps):
        values = np.asarray(Image.open(io.BytesIO(found[f"walk/instances/{nth:06d}.png"])))
        assert ((values == 2009) == (ids == 2)).all()


def as_sent(document: Any) -> Any:
    """A document as the API reads it."""
    return values.parse(json.dumps(document).encode(), wide=WIDE)


@pytest.mark.parametrize("task_type", ALL_TYPES)
def test_labels_of_every_task_type_are_exported_in_every_format(
    task_type: str,
    person: Make,
    dataset: MakeDataset,
    sample: Make,
    label: Make,
    release: MakeRelease,
) -> None:
    """What a format cannot say of a type is listed; our own archive has all of it, and reads it back."""
    ana = person()
    made = dataset(ana, name="all", task_type=task_type, task_attributes=TASK_ATTRIBUTES)
    url = picture(ana, 30, 20)
    one = sample(made, ana, name="one", attributes=as_sent(sample_attributes(task_type, url)))
    ids = np.zeros((20, 30), dtype=np.uint32)
    ids[2:9, 3:12] = 1
    label(one, ana, as_sent(label_attributes(task_type, bitmap_of(ana, ids))))
    row = release(made, ana).row
    given = list(reading.read(queries.state_of(row))[1])
    for name in sorted(WRITTEN):
        kind = FORMATS[name]
        sink = io.BytesIO()
        packing.pack(kind, *reading.read(queries.state_of(row)), kind.parsed({}), sink)
        found = files_of(sink.getvalue())
        if name == "native":
            assert list(native.read(Given(found), findings := Findings(), kind.parsed({})).samples) == given
            assert findings.rows == []
        elif given[0].document is not None:
            left = {
                line["what"] for line in json.loads(found["losses.json"])["summary"] if line["became"] == "left out"
            }
            assert left & {"document", "image"}, name
