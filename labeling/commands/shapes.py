"""The shapes of many labels: fitted into their images, or rasterized; said before it is done, each label by itself."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from labeling.commands.labels import edit_label
from labeling.errors import InvalidValue, NotFound, NotPermitted, PalimpsestError, Refused
from labeling.log.event import Intent
from labeling.log.values import BadValue
from labeling.models import Label, LabelSet
from labeling.queries.datasets import Seen
from labeling.rules.task_types import task_type

JSON = dict[str, Any]

#: Labels of one request.
MOST_LABELS = 1000
WHATS = ("fit", "rasterize")


@dataclass(slots=True)
class Shaped:
    """What became of one label, or would: how many objects were changed, and how many left alone."""

    sample: uuid.UUID
    objects: int = 0
    skipped: int = 0
    version: int | None = None
    error: JSON | None = None


def shape_labels(
    *,
    intent: Intent,
    dataset: Seen,
    what: str,
    samples: Sequence[uuid.UUID] | None = None,
    label_set: str = "ground-truth",
    dry_run: bool = False,
) -> list[Shaped]:
    """Fit the shapes of labels into their images, or rasterize them: those of `samples`, or of all; a dry run appends
    nothing. All events have one correlation id; a label that refuses is left as it is, and told.

    Raises:
        InvalidValue: more than MOST_LABELS.
        NotFound: the dataset has no such label set.
        NotPermitted: the author may not label here.
        Refused: labels of this kind have no shapes.
    """
    edits = task_type(dataset.dataset.task_type).shape_edits
    if what not in edits:
        raise Refused("Labels of this dataset are set by whole documents, so their shapes are not known here.")
    known = LabelSet.objects.filter(dataset_id=dataset.id, name=label_set, archived=False).first()
    if known is None:
        raise NotFound("The label set")
    labels = Label.objects.filter(dataset_id=dataset.id, label_set_id=known.id, deleted=False)
    if samples is not None:
        labels = labels.filter(sample_id__in=samples)
    wanted = list(labels.order_by("sample_id").values_list("sample_id", flat=True)[: MOST_LABELS + 1])
    if len(wanted) > MOST_LABELS:
        raise InvalidValue("samples", f"must name at most {MOST_LABELS} samples with a label")
    found = []
    for sample in wanted:
        one = Shaped(sample)
        try:
            saved = edit_label(
                intent=_own(intent, sample, what),
                sample=sample,
                label_set=label_set,
                edits=[{"op": edits[what]}],
                dry_run=dry_run,
            )
            result = saved.results[0] if saved.results else {}
            one.objects, one.skipped = len(result.get("done", ())), len(result.get("skipped", ()))
            one.version = saved.state.version
        except NotPermitted:
            raise
        except NotFound:
            continue  # the sample went in between
        except PalimpsestError as error:
            one.error = {"code": error.code, "detail": error.message}
        except BadValue as error:
            one.error = {"code": "invalid", "detail": f"{error.where}: {error.problem}"}
        found.append(one)
    return found


def _own(intent: Intent, sample: uuid.UUID, what: str) -> Intent:
    """The intent of one label, named after it, so that it is recognised when it comes again."""
    own = replace(
        intent,
        command=uuid.uuid5(intent.command, f"{what}|{sample}"),
        correlation=intent.correlation or intent.command,
    )
    if not intent.replayable:
        return own
    return replace(own, request_hash=hashlib.sha256((intent.request_hash or b"") + sample.bytes).digest())
