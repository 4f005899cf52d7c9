"""A worker that is killed at the worst moment: between a file and its row, between rows and their checkpoint.

The worker is a process of its own, on the tests' database; it kills itself at the moment that the test names.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection

from labeling.commands import labels, webhooks
from labeling.commands.webhooks import Where
from labeling.log import beside, projector, rebuild, store
from labeling.models import Contribution, Label, WebhookCursor
from labeling.projectors import Contributions
from labeling.webhooks import turns
from releases import builds, commands, files, jobs
from releases.models import ReleaseBuild
from sequences.models import TrackFrames
from sequences.projectors import Frames
from tests.support.receivers import receiving

pytestmark = pytest.mark.usefixtures("committed_db")

CHECKOUT = Path(__file__).resolve().parents[2]
Make = Callable[..., Any]

PROGRAM = """
import os, pkgutil, signal, uuid
import django
django.setup()
owner = pkgutil.resolve_name("{owner}")
real = owner.{name}
def deadly(*arguments, **keywords):
    if {before}:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*arguments, **keywords)
    os.kill(os.getpid(), signal.SIGKILL)
owner.{name} = deadly
from labeling.log import projector
from releases import builds
{work}
"""


def killed_at(name: str, work: str, *, before: bool = False) -> None:
    """Have a process do `work`, and die after (or before) its first call of `name`."""
    assert was_killed_at(name, work, before=before), f"{name} was not called"


def was_killed_at(name: str, work: str, *, before: bool = False) -> bool:
    """As `killed_at`; False where the process did all of `work` without that call."""
    owner, _, function = name.rpartition(".")
    fields = {key: connection.settings_dict[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
    before_it = _backends()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(owner=owner, name=function, before=before, work=work)],
        cwd=CHECKOUT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PALIMPSEST_DATABASE": json.dumps(fields),
            "PALIMPSEST_HOME": str(settings.HOME),
            "PALIMPSEST_BROKER": "stub",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    # The server may take a while to learn that the process is gone, and until then keeps its locks.
    deadline = time.monotonic() + 60
    while _backends() - before_it:
        assert time.monotonic() < deadline, "the server keeps the connections of a process that was killed"
        time.sleep(0.02)
    return done.returncode != 0


def _backends() -> set[int]:
    """The processes of the server that this database has clients of."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
        )
        return {pid for (pid,) in cursor.fetchall()}


@pytest.fixture
def streets(person: Make, dataset: Make, sample: Make, intent: Make) -> tuple[Any, uuid.UUID]:
    """Ana and a dataset of hers with one label."""
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    made = dataset(ana)
    box = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [3, 4]]}
    labels.save_label(
        intent=intent(ana),
        sample=sample(made, ana),
        label_set="ground-truth",
        document={"annotations": [box]},
        status="LABELED",
        create=True,
    )
    return ana, made


@pytest.mark.parametrize(
    "moment, before",
    [
        ("releases.snapshots.write", True),
        ("releases.snapshots.write", False),
        ("releases.files.keep", False),
        ("releases.jobs.update", False),
    ],
)
def test_a_release_whose_builder_is_killed_gets_the_same_file_from_the_next(
    streets: tuple[Any, uuid.UUID], intent: Make, monkeypatch: pytest.MonkeyPatch, moment: str, before: bool
) -> None:
    ana, made = streets
    release = commands.cut_release(intent=intent(ana), dataset=made, name="v1")
    killed_at(moment, f"builds.build(uuid.UUID('{release}'))", before=before)
    assert ReleaseBuild.objects.get(release_id=release).status == "PENDING"
    monkeypatch.setattr(jobs, "QUIET_S", -1)
    assert release in builds.claim_waiting(), "the sweeper finds it"
    builds.build(release)
    job = ReleaseBuild.objects.get(release_id=release)
    assert (job.status, job.error, job.samples_count) == ("SUCCEEDED", "", 1)
    with files.read(job.path) as file:
        once = file.read()
    assert not list(Path(default_storage.path(files.INCOMING)).glob(f"{release}-*"))
    builds.reset(release)
    builds.build(release)
    with files.read(ReleaseBuild.objects.get(release_id=release).path) as file:
        assert file.read() == once


@pytest.mark.parametrize("before", [True, False])
def test_a_projector_that_is_killed_between_rows_and_checkpoint_folds_nothing_twice(
    streets: tuple[Any, uuid.UUID], before: bool
) -> None:
    _, made = streets
    killed_at("labeling.projectors:Contributions.project", f"projector.catch_up(uuid.UUID('{made}'))", before=before)
    assert projector.checkpoint("contributions", made) == 0
    assert not Contribution.objects.filter(dataset_id=made).exists()
    assert made in projector.behind(), "the sweeper finds it"
    projector.catch_up(made)
    assert projector.checkpoint("contributions", made) == store.head(made)
    counted = sum(sum(row.counts.values()) for row in Contribution.objects.filter(dataset_id=made))
    assert counted == store.head(made)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("moment", ["sequences.projectors._put", "sequences.projectors:Frames.project"])
def test_a_worker_that_is_killed_over_dense_frames_leaves_none_and_the_next_makes_all(
    person: Make, dataset: Make, sample: Make, intent: Make, moment: str, before: bool
) -> None:
    ana = person(f"ana-{uuid.uuid4().hex[:8]}")
    made = dataset(ana, "image-vector-sequence")
    walk = sample(made, ana, attributes={"frames": [{"image": {"url": ""}} for _ in range(20)]})
    begun = {"op": "add_track", "frame": 3, "geometry": {"type": "bbox", "points": [[1, 2], [3, 4]]}}
    labels.edit_label(intent=intent(ana), sample=walk, label_set="ground-truth", edits=[begun, begun])
    killed_at(moment, f"projector.bring_up('frames', uuid.UUID('{made}'), most=1000)", before=before)
    assert projector.checkpoint("frames", made) == 0 and made in projector.behind(), "the sweeper finds it"
    assert not TrackFrames.objects.filter(dataset_id=made).exists()
    projector.catch_up(made)
    assert TrackFrames.objects.filter(dataset_id=made).count() == 2
    assert rebuild.compared_catch_up(Frames(), made) == {}


@pytest.mark.parametrize(
    "moment, work, tables",
    [
        ("labeling.log.rebuild:_Rebuild._put", "rebuild.rebuild(log)", "labeling_annotation"),
        pytest.param(
            "labeling.log.rebuild:_Rebuild._compare",
            "rebuild.rebuild(log)",
            "labeling_annotation",
            marks=pytest.mark.full,
        ),
        pytest.param(
            "labeling.log.rebuild:_Rebuild._swap_most",
            "rebuild.rebuild(log)",
            "labeling_annotation",
            marks=pytest.mark.full,
        ),
        (
            "labeling.projectors:Contributions.project",
            "projector.rebuild_catch_up(Contributions(), log)",
            "labeling_contribution",
        ),
    ],
)
def test_a_rebuild_that_is_killed_leaves_the_live_rows_and_the_next_goes_on(
    streets: tuple[Any, uuid.UUID], intent: Make, moment: str, work: str, tables: str
) -> None:
    ana, made = streets
    projector.catch_up(made)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {tables} WHERE dataset_id = %s", [made])
    imports = "from labeling.log import rebuild; from labeling.projectors import Contributions\n"
    killed_at(moment, f"{imports}rebuild.BATCH = 1\nlog = uuid.UUID('{made}')\n{work}")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {tables} WHERE dataset_id = %s", [made])
        assert cursor.fetchone()[0] == 0, "the live rows are as they were"
    assert beside.unfinished(made)
    sample = Label.objects.get(dataset_id=made).sample_id
    box = {"op": "add", "geometry": {"type": "bbox", "points": [[1, 2], [3, 4]]}, "category_id": 1}
    labels.edit_label(intent=intent(ana), sample=sample, label_set="ground-truth", edits=[box])
    if tables == "labeling_contribution":
        done = projector.rebuild_catch_up(Contributions(), made)
        assert rebuild.compared_catch_up(Contributions(), made) == {}
    else:
        done = rebuild.rebuild(made)
        assert done.resumed > 0
    assert done.events == store.head(made) and done.changed >= 1
    assert rebuild.differences(made) == {} and not beside.unfinished(made)


def test_a_worker_that_dies_before_it_knows_that_a_webhook_was_told_has_it_told_again_with_the_same_id(
    streets: tuple[Any, uuid.UUID], intent: Make, sample: Make, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, street = streets
    with receiving() as receiver:
        settings.WEBHOOK_HOSTS = [receiver.host]
        monkeypatch.setenv("WEBHOOK_HOSTS", receiver.host)
        made = webhooks.add_webhook(intent=intent(ana), where=Where(street), fields={"url": receiver.url})
        names = [f"{number}.png" for number in range(4)]
        for name in names:
            sample(street, ana, name=name)
        one = f"uuid.UUID({str(made)!r}), uuid.UUID({str(street)!r})"
        work = (
            f"from labeling.webhooks import turns; turns.due({one.partition(', ')[2]}); turns.run(turns.begin({one}))"
        )
        cursor = WebhookCursor.objects.filter(webhook_id=made)
        for before in (True, False, True):
            killed_at("labeling.webhooks.turns._taken", work, before=before)
            assert cursor.update(leased_until="3000-01-01T00:00Z")  # however long it took to get here
            assert turns.begin(made, street) is None, "the dead one's lease lasts for a while"
            cursor.update(leased_until="2000-01-01T00:00Z")
        last = turns.begin(made, street)
        assert last is not None
        turns.run(last)
        told = [got.json["object"]["name"] for got in receiver.taken]
        assert told == ["0.png", "0.png", "1.png", "1.png", "2.png", "3.png"]
        assert len({got.id for got in receiver.taken}) == len(names)
        webhooks.remove_webhook(intent=intent(ana), where=Where(street), webhook=made)
