"""Erasing a file: its bytes go from the storage, a tombstone stays in every dataset that refers to it.

Files are kept by their hash, so what is erased is a content: every upload of the same bytes. What a dataset remembers
is the hash, the size in bytes and that of the picture, by which releases, masks and exports stay what they were. The
same bytes are not taken again.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from labeling import events as e
from labeling import pictures, storage
from labeling.commands.assets import MEDIA, path_of
from labeling.commands.people import append_to_installation
from labeling.commands.writing import decide, hint
from labeling.errors import NoMask, NotFound, NotPermitted, ReasonRequired, Refused
from labeling.log import store
from labeling.log.event import Fact, Intent
from labeling.models import Asset, DatasetAsset, Person
from labeling.queries.retention import retention
from labeling.rules.sample_state import asset_rows, asset_stream

#: For so long the sweeper looks whether bytes are still there that a backup relied on; none takes longer.
LOOKED_AFTER_DAYS = 7
#: So many samples that show a file are named, of each dataset.
MOST_SAMPLES = 100


@dataclass(frozen=True, slots=True)
class AssetErasure:
    """What erasing a file takes: its uploads, and the places that refer to it, by dataset; `samples` for who looks."""

    sha256: str
    size_bytes: int
    filenames: list[str]
    uploads: int
    datasets: dict[uuid.UUID, int]
    samples: dict[uuid.UUID, Showing] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Showing:
    """The samples of a dataset that show a file: how many, and the first of them, by name."""

    count: int
    first: list[Shown]


@dataclass(frozen=True, slots=True)
class Shown:
    """One of them; one that was deleted is shown no more, and its past is."""

    id: uuid.UUID
    name: str
    is_deleted: bool


def content_named(named: str) -> str:
    """The SHA-256 of the file of this address, token, id or hash.

    Raises:
        NotFound: there is none, or nothing was uploaded to it.
    """
    token = named.partition(MEDIA)[2].partition("/")[0] if MEDIA in named else named
    by = Q(token=token) | Q(sha256=named)
    try:
        by |= Q(id=uuid.UUID(named))
    except ValueError:
        pass
    found = Asset.objects.filter(by, sha256__isnull=False).values_list("sha256", flat=True).first()
    pinned = found or (
        DatasetAsset.objects.filter(Q(token=token) | Q(sha256=named)).values_list("sha256", flat=True).first()
    )
    if pinned is None:
        raise NotFound("The file")
    return pinned


def plan_asset_erasure(sha256: str) -> AssetErasure:
    """What erasing the file of this hash would take."""
    found = _left(sha256)
    tokens: dict[uuid.UUID, list[str]] = {dataset: [] for dataset in found.datasets}
    for row in DatasetAsset.objects.filter(sha256=sha256, erased_at=None, dataset_id__in=tokens):
        tokens[row.dataset_id].append(row.token)
    return replace(found, samples={dataset: _showing(dataset, tokens[dataset]) for dataset in tokens})


def _left(sha256: str) -> AssetErasure:
    """What is left of the file, without the samples that show it: these take a look at all of a dataset's."""
    pinned = list(DatasetAsset.objects.filter(sha256=sha256, erased_at=None).order_by("dataset_id", "token"))
    uploads = list(Asset.objects.filter(sha256=sha256, erased_at=None))
    rows: list[DatasetAsset | Asset] = [*pinned, *uploads]
    sizes = [row.size_bytes for row in rows if row.size_bytes is not None]
    datasets: dict[uuid.UUID, int] = {}
    for row in pinned:
        datasets[row.dataset_id] = datasets.get(row.dataset_id, 0) + 1
    return AssetErasure(
        sha256,
        sizes[0] if sizes else 0,
        sorted({row.filename for row in rows}),
        len(uploads),
        datasets,
    )


def _showing(dataset: uuid.UUID, tokens: list[str]) -> Showing:
    """The samples that refer to one of these files now, or did last before they were deleted."""
    named = [f"%{MEDIA}{_escaped(token)}/%" for token in tokens]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, name, archived, count(*) OVER () FROM labeling_sample WHERE dataset_id = %s"
            " AND attributes::text LIKE ANY(%s) ORDER BY archived, name, id LIMIT %s",
            [dataset, named, MOST_SAMPLES],
        )
        rows = cursor.fetchall()
    return Showing(rows[0][3] if rows else 0, [Shown(*row[:3]) for row in rows])


def _escaped(token: str) -> str:
    """A token in a pattern of LIKE."""
    return token.replace("_", "\\_")


def erase_asset(*, intent: Intent, sha256: str, answer: Any = None) -> int:
    """Erase the file of this hash, for good; returns how many bytes it had. What was killed on its way is finished by
    the same call again; `answer` is kept for who sends the same command again when it is done.

    Raises:
        NotPermitted: the author does not run the installation.
        ReasonRequired: no reason is given.
        NotFound: there is no such file.
        Refused: it was erased before, a dataset that refers to it is held, or it holds the pixels of a label.
    """
    _check_author(intent)
    plan = _left(sha256)
    if not plan.uploads and not plan.datasets:
        if not Asset.objects.filter(sha256=sha256).exists():
            raise NotFound("The file")
        raise Refused("The file was erased before.")
    _check_holds(plan)
    _check_labels(sha256)
    wh = _wh(sha256)
    for dataset in plan.datasets:
        decide(lambda dataset=dataset: _tell(dataset, intent, sha256, wh))  # type: ignore[misc]
    datasets = set(DatasetAsset.objects.filter(sha256=sha256).values_list("dataset_id", flat=True))
    with transaction.atomic():
        # Counted here: somebody may have uploaded it again while the datasets were told.
        uploads = Asset.objects.filter(sha256=sha256, erased_at=None).update(erased_at=timezone.now())
        append_to_installation(
            intent,
            f"file/{sha256}",
            e.FileErased(
                sha256=sha256,
                size_bytes=plan.size_bytes,
                uploads=uploads,
                datasets=sorted(map(str, datasets)),
            ),
            answer,
        )
        transaction.on_commit(lambda: _remove(sha256), robust=True)
    return plan.size_bytes


def sweep() -> int:
    """Remove files that were erased while a backup relied on them; returns how many."""
    left = [sha256 for sha256 in _unneeded() if storage.is_there(path_of(sha256))]
    return sum(_remove(sha256) for sha256 in left)


def _unneeded() -> list[str]:
    lately = timezone.now() - dt.timedelta(days=LOOKED_AFTER_DAYS)
    gone = {row.sha256 for row in Asset.objects.filter(erased_at__gt=lately) if row.sha256}
    again = Asset.objects.filter(sha256__in=gone, erased_at=None).values_list("sha256", flat=True)
    return sorted(gone - {sha256 for sha256 in again if sha256})


def _remove(sha256: str) -> bool:
    """Remove the bytes, unless a backup reads files, or we made the same bytes ourselves since."""
    with storage.removable() as removable:
        if not removable or Asset.objects.filter(sha256=sha256, erased_at=None).exists():
            return False
        storage.discard(path_of(sha256))
        return True


def _check_author(intent: Intent) -> None:
    author = Person.objects.filter(id=intent.author, is_active=True, is_superuser=True).first()
    if author is None or intent.author_kind != "person":
        raise NotPermitted("Only who runs the installation erases files.", action="erase-asset")
    if intent.reason is None:
        raise ReasonRequired("to erase a file")


def _check_holds(plan: AssetErasure) -> None:
    held = retention().held("dataset")
    if any(str(dataset) in held for dataset in plan.datasets):
        raise Refused("A dataset that refers to this file is held; lift the hold first, or wait until it is lifted.")


def _check_labels(sha256: str) -> None:
    rows = list(DatasetAsset.objects.filter(sha256=sha256))
    urls = [f"%{MEDIA}{_escaped(row.token)}/%" for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM labeling_label l WHERE NOT deleted AND dataset_id = ANY(%s)"
            " AND to_jsonb(l)::text LIKE ANY(%s))",
            [[row.dataset_id for row in rows], urls],
        )
        if cursor.fetchone()[0]:
            raise Refused("This file holds the pixels of a label, which is no picture; delete the label instead.")


def _wh(sha256: str) -> tuple[int | None, int | None]:
    try:
        return pictures.size_of(sha256)
    except NoMask:
        return None, None


def _tell(dataset: uuid.UUID, intent: Intent, sha256: str, wh: tuple[int | None, int | None]) -> None:
    """Tell one dataset that a file of its was erased."""
    triples: list[tuple[str, int, Fact]] = []
    before = {}
    for row in DatasetAsset.objects.filter(dataset_id=dataset, sha256=sha256, erased_at=None).order_by("asset_id"):
        stream = asset_stream(row.asset_id)
        before[stream] = list(store.read_stream(dataset, stream))
        width, height = wh
        fact = e.AssetErased(
            asset=str(row.asset_id), sha256=sha256, size_bytes=row.size_bytes, width=width, height=height
        )
        triples.append((stream, len(before[stream]), fact))
    if not triples:
        return
    events = store.new_events(dataset, intent, triples)
    rows = asset_rows([*before[events[0].stream], events[0]])
    for event in events[1:]:
        rows.add(asset_rows([*before[event.stream], event]))
    expected = {stream: version for stream, version, _ in triples}
    hint(dataset, store.append(dataset, intent=intent, events=events, rows=rows, expected=expected))
