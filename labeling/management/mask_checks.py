"""Whether the stored masks show what the log says: each file is read, and each of its pixels computed again."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from labeling import mask_files, pictures
from labeling.errors import NoMask
from labeling.geometry.bitmaps import BadBitmap
from labeling.geometry.png import read_ids
from labeling.log import projector
from labeling.log.verify import Finding
from labeling.models import Dataset, LabelMasks, LabelSet, Mask, MaskFile
from labeling.projectors.masks import LabelMaskRows, wanted_at
from labeling.queries.palettes import palette_at
from labeling.rules.label_ids import label_id, label_stream
from labeling.rules.masks import KINDS, Kind, Masks
from labeling.rules.task_types import task_type

NAME = LabelMaskRows.name


def findings(log: uuid.UUID) -> Iterator[Finding]:
    """The files of masks that are lost, damaged, or show something else than the log says."""
    dataset = Dataset.objects.filter(id=log).first()
    if dataset is None:
        return
    up_to = projector.checkpoint(NAME, log)
    sets = list(LabelSet.objects.filter(dataset_id=log).values_list("id", flat=True))
    for head in LabelMasks.objects.filter(dataset_id=log).order_by("last_offset").iterator():
        if not head.made:
            continue
        stream = next((s for each in sets if label_id(s := label_stream(head.sample_id, each)) == head.id), None)
        problem = _problem_of(dataset, head, stream, up_to)
        if problem is not None:
            yield Finding(log, "mask", head.last_offset, f"The mask of a label {problem}.")


def _problem_of(dataset: Dataset, head: LabelMasks, stream: str | None, up_to: int) -> str | None:
    wanted = wanted_at(dataset, stream, up_to) if stream is not None else None
    if wanted is None:
        return "is of a label that is not in the log"
    _, palette = palette_at(dataset.id, wanted.state.last_offset)
    task, known = task_type(dataset.task_type), pictures.pinned(dataset.id, up_to)
    for row in Mask.objects.filter(label_id=head.id).order_by("picture").iterator():
        (masks,) = pictures.masks_of(
            wanted.state, task, wanted.attributes, palette, row.picture, row.picture + 1, known=known
        ) or [NoMask("")]
        if isinstance(masks, NoMask) or row.problem:
            continue  # that rows differ was told with the rows
        files = {item.key: item for item in MaskFile.objects.filter(dataset_id=dataset.id, key__in=row.keys.values())}
        for kind in KINDS:
            key = row.keys.get(kind)
            if key is None:
                continue
            problem = _fault(files.get(key), masks, kind)
            if problem is not None:
                return f"({kind}, picture {row.picture}) {problem}"
    return None


def _fault(file: MaskFile | None, masks: Masks, kind: Kind) -> str | None:
    if file is None:
        return "has no file"
    fault = mask_files.fault(file)
    if fault is not None:
        return fault
    try:
        with mask_files.opened(file) as content:
            shown = _pixels(content.read(), kind)
        return None if np.array_equal(shown, masks.map(kind)) else "shows something else than the log says"
    except (BadBitmap, OSError, SyntaxError, NoMask):
        return "shows something else than the log says"


def _pixels(data: bytes, kind: Kind) -> NDArray[Any]:
    """What a file shows: ids (H, W), or of colours (H, W, 3)."""
    if kind != "color":
        return read_ids(data, max_pixels=1 << 28)
    with PngImageFile(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))
