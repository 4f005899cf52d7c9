"""A release is the same bytes whoever makes it, and in whatever surroundings: run in other processes, and compared.

Another version of Python is tried in a full run, in an environment of its own from the project's lock; in a quick run
it is not, because nothing that writes a byte does without the packages of that lock.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from labeling.commands import labels
from labeling.log.event import Intent
from labeling.models import Sample
from releases import builds, commands, exports, files
from releases.formats.registry import WRITTEN
from releases.models import ExportBuild, Release, ReleaseBuild
from tests.conftest import MakeDataset
from tests.releases.conftest import box

pytestmark = pytest.mark.usefixtures("committed_db")

CHECKOUT = Path(__file__).resolve().parents[2]
Make = Callable[..., Any]
COUNT, SHARD = 24, 5
#: Parquet is written by pyarrow, which another Python has not; `test_shards` asks it.
FORMATS = sorted(WRITTEN - {"parquet"})

WORKER = """
import sys, time, uuid
import django
django.setup()
from releases import builds, exports, shards
from releases.models import BuildShard
shards.SAMPLES, shards.TIMES_PAINTED = int(sys.argv[1]), 1
made = 0
for work, job in [(builds, sys.argv[2])] + [(exports, item) for item in sys.argv[3:]]:
    job, real = uuid.UUID(job), work.KIND.part
    def part(*arguments):
        global made
        made += 1
        return real(*arguments)
    import dataclasses
    work.KIND = dataclasses.replace(work.KIND, part=part, call=lambda job: None)
    while not work.KIND.rows(job).exists() or work.KIND.rows(job).filter(status="PENDING").exists():
        work.build(job)
        time.sleep(0.02)
    work.KIND = dataclasses.replace(work.KIND, part=real)
print(made)
"""


@pytest.fixture
def world(person: Make, dataset: MakeDataset, sample: Make, label: Make, intent: Make) -> Release:
    """A release of samples with labels of every kind of outline, some edited often, in splits by a seed."""
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    streets = dataset(ana, name=f"streets-{uuid.uuid4().hex[:8]}")
    for number in range(COUNT):
        size = {"width": 300, "height": 200}
        one = sample(streets, ana, name=f"Straße {number} İ.png", metadata=size | {"z": 1, "a": number / 7, "Ä": None})
        ring = [[number / 3, 5], [100.5, 7 + number / 9], [50, 190.25]]
        document = {
            "annotations": [box(1, 1, x=number), {"id": 2, "category_id": 2, "type": "polygon", "points": ring}],
        }
        label(one, ana, document)
        if number % 4 == 0:
            edit_again(ana.id, one, number)
    choice = {"seed": "s", "shares": {"train": 8, "val": 1, "test": 1}}
    made = commands.cut_release(intent=intent(ana), dataset=streets, name="v1", splits=choice)
    return Release.objects.get(id=made)


def edit_again(person: uuid.UUID, sample: uuid.UUID, number: int) -> None:
    turned = {"type": "ellipse", "center": [60, 60 + number % 50], "radii": [20, 9.5], "angle_deg": number * 7}
    labels.edit_label(
        intent=Intent(author=person),
        sample=sample,
        label_set="ground-truth",
        edits=[{"op": "add", "category_id": 1 + number % 3, "geometry": turned, "attributes": {"ü": number, "a": 1.0}}],
    )


def jobs_of(release: Release) -> list[uuid.UUID]:
    return [commands.export_release(release=release, format_name=name).id for name in FORMATS]


def workers(
    release: Release,
    exported: list[uuid.UUID],
    count: int,
    *,
    python: str = sys.executable,
    shard: int,
    **variables: str,
) -> Iterator[subprocess.Popen[str]]:
    """Have so many processes make the release and its exports, all at once."""
    fields = {key: connection.settings_dict[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PALIMPSEST_DATABASE": json.dumps(fields),
        "PALIMPSEST_HOME": str(settings.HOME),
        "PALIMPSEST_BROKER": "stub",
        **variables,
    }
    arguments = [str(shard), str(release.id), *map(str, exported)]
    for _ in range(count):
        yield subprocess.Popen(
            [python, "-c", WORKER, *arguments], cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True
        )


def finished(running: list[subprocess.Popen[str]]) -> list[int]:
    """How many shards each made."""
    try:
        found = [process.communicate(timeout=240)[0] for process in running]
    finally:
        for process in running:  # one that is late would go on asking the database
            process.kill()
            process.wait()
    assert [process.returncode for process in running] == [0] * len(running)
    return [int(text) for text in found]


def made(release: Release, exported: list[uuid.UUID]) -> dict[str, Any]:
    """What there is to be the same."""
    job = ReleaseBuild.objects.get(release_id=release.id)
    found = {"release": (job.status, job.error, job.identity, job.sha256, job.manifest)}
    with files.read(job.path) as file:
        assert len(file.read()) == job.size_bytes
    for row in ExportBuild.objects.filter(id__in=exported):
        found[row.format] = (row.status, row.error, row.sha256, row.size_bytes, row.losses, row.samples_count)
    return found


def again(release: Release, exported: list[uuid.UUID]) -> None:
    builds.reset(release.id)
    for job in exported:
        exports.reset(job)


@pytest.fixture
def first(world: Release) -> tuple[Release, list[uuid.UUID], dict[str, Any]]:
    """A release and its exports as this process makes them, in one piece."""
    exported = jobs_of(world)
    builds.build(world.id)
    for job in exported:
        exports.build(job)
    found = made(world, exported)
    assert {status for status, *_ in found.values()} == {"SUCCEEDED"}, found
    again(world, exported)
    return world, exported, found


First = tuple[Release, list[uuid.UUID], dict[str, Any]]


def test_one_worker_of_another_clock_language_and_hash_seed_makes_the_same(first: First) -> None:
    release, exported, once = first
    surroundings = {"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "4711"}
    [shards] = finished(list(workers(release, exported, 1, shard=SHARD, **surroundings)))
    assert shards == (1 + len(FORMATS)) * -(-COUNT // SHARD)
    assert made(release, exported) == once


def test_four_workers_make_the_same_while_people_edit_and_rows_lie_in_another_order(first: First) -> None:
    release, exported, once = first
    with connection.cursor() as cursor:
        # By an index that has nothing to do with the order of the log; then tables are written anew, with gaps.
        cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'log_event' AND indexdef LIKE '%stream%'")
        cursor.execute(f"CLUSTER log_event USING {cursor.fetchone()[0]}")
        cursor.execute('SELECT "offset" FROM log_event WHERE log = %s ORDER BY ctid', [release.dataset_id])
        lying = [row[0] for row in cursor.fetchall()]
        assert lying != sorted(lying)
        for table in ("labeling_sample", "labeling_label", "labeling_annotation"):
            cursor.execute(f"UPDATE {table} SET last_offset = last_offset WHERE dataset_id = %s", [release.dataset_id])
            cursor.execute(f"VACUUM FULL {table}")
    running = list(workers(release, exported, 4, shard=SHARD, PYTHONHASHSEED="7"))
    samples = list(Sample.objects.filter(dataset_id=release.dataset_id).values_list("id", flat=True))
    edits = 0
    while edits < 100 and any(process.poll() is None for process in running):
        edit_again(release.created_by, samples[edits % COUNT], edits)
        edits += 1
    shards = finished(running)
    assert edits > 0
    assert sum(shards) == (1 + len(FORMATS)) * -(-COUNT // SHARD), "no shard was made twice"
    assert made(release, exported) == once


@pytest.mark.full
def test_another_version_of_python_makes_the_same(first: First, tmp_path: Path) -> None:
    release, exported, once = first
    place = tmp_path / "other"
    other = other_pythons()[0]
    subprocess.run([other, "-m", "venv", str(place)], check=True, capture_output=True)
    python = str(place / "bin" / "python")
    lock = CHECKOUT / "config" / "requirements.lock"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", str(lock)],
        check=True,
        capture_output=True,
    )
    finished(list(workers(release, exported, 2, python=python, shard=SHARD)))
    assert made(release, exported) == once


def other_pythons() -> list[str]:
    """Pythons of other versions that this program runs on, the newest first; our own where there is no other."""
    folders = [*map(Path, os.environ.get("PATH", "").split(os.pathsep)), *pyenv()]
    found: dict[str, str] = {}
    for folder in folders:
        for minor in (14, 13, 12, 11):
            name = f"python3.{minor}"
            if minor != sys.version_info.minor and name not in found and works(folder / name):
                found[name] = str(folder / name)
    return [found[name] for name in sorted(found, reverse=True)] or [sys.executable]


def pyenv() -> list[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return sorted(root.glob("versions/*/bin"))


def works(python: Path) -> bool:
    """Whether it runs: a shim of pyenv stands there also for what is not installed."""
    try:
        return (
            python.exists() and not subprocess.run([python, "-c", "import venv, ssl"], capture_output=True).returncode
        )
    except OSError:
        return False
