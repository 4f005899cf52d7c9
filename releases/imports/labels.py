"""What a record of a file makes of a label: the facts, and what of the record could not be used. Pure.

A new label is one LabelImported, as an upload is. In a label that is there an object of the file is the same as one of
the label where both have the same category, geometry, attributes, named points, orientation and score; such an object
is left alone. `override` removes the others and adds the file's, `merge` adds them only. What a format cannot say is
never removed because a file of it does not say it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labeling import events as e
from labeling.errors import InvalidValue
from labeling.geometry import bitmaps
from labeling.log import values
from labeling.log.event import Fact
from labeling.log.values import BadValue
from labeling.rules import bulk_rows
from labeling.rules.documents import imported
from labeling.rules.label_state import LabelState
from releases.formats.format import GEOMETRIES, LEFT_OUT
from releases.formats.records import Sample
from releases.formats.segments import read_as
from releases.imports import tracks
from releases.imports.bringing import (
    Bringing,
    Brought,
    classes_of,
    head_of,
    links_of,
    new_ids,
    objects_of,
    same_key,
    scene_of,
    status_of,
)
from releases.imports.painting import coloured, is_area, kept, painted, pixels

JSON = dict[str, Any]


def facts_of(bringing: Bringing, record: Sample, state: LabelState) -> list[Fact]:
    """The facts by which the label becomes what is wished; none where it is that already."""
    if state.exists and bringing.mode == "keep":
        bringing.counts.labels_kept += 1
        return []
    if not state.exists and not _has_content(record):
        return []
    if record.document is not None:
        return _whole(bringing, record, state)
    if bringing.task.by_frame != record.is_sequence:
        told = "is a sequence, and the samples of this dataset are not"
        bringing.wrong(told if record.is_sequence else "is one picture, and the samples of this dataset are sequences")
        return []
    if record.is_sequence:
        return tracks.facts_of(bringing, record, state)
    if not bringing.task.by_annotation:
        bringing.wrong("has objects, and labels of this dataset are set by whole documents")
        return []
    if state.exists:
        return _changed(bringing, record, state, objects_of(bringing, record))
    is_stored_only = bringing.is_small and bringing.demands is None and not bringing.task.has_mask
    return _first(bringing, record, state, objects_of(bringing, record, as_written=is_stored_only))


def more_of(bringing: Bringing, record: Sample, state: LabelState) -> list[Fact]:
    """The facts of further objects of a label that this import has begun, because they were too many for one append."""
    brought = [
        (item, said) for item, said in objects_of(bringing, record) if said["annotation"] not in state.annotations
    ]
    bringing.counts.annotations_added += len(brought)
    taken = {item["id"]: item for item in state.annotations.values()}
    if not brought:
        return []
    objects = _placed(brought, new_ids(brought, taken, last=state.last_id), state)
    return imported(objects, origin=bringing.origin.common)


def _has_content(record: Sample) -> bool:
    said = record.annotations or record.tracks or record.classifications or record.scene or record.document is not None
    return bool(said) or record.status != "UNLABELED"


def _whole(bringing: Bringing, record: Sample, state: LabelState) -> list[Fact]:
    """The facts of a label that the file has as a document."""
    try:
        document = values.checked(record.document, where="document")
        parsed = bringing.task.parse(document, "document")
        left = read_as(document, dict.fromkeys(bringing.unmatched))
        if left != document:
            bringing.wrong("has objects of categories that the dataset does not have, and comes without them")
        said = read_as(left, bringing.categories)
        if said != document:
            parsed = bringing.task.parse(said, "document")
    except BadValue as error:
        bringing.wrong(f"{error.where}: {error.problem}")
        return []
    except InvalidValue as error:
        bringing.wrong(error.message)
        return []
    if not state.exists:
        bringing.counts.labels_added += 1
        return bringing.task.first(state, parsed, status_of(bringing, record), record.score, None)
    if bringing.mode == "merge":
        bringing.wrong("is a whole document, which cannot be merged with the one that is there", level="note")
        bringing.counts.labels_kept += 1
        return []
    facts = bringing.task.changes(state, parsed).facts + head_of(bringing, record, state)
    _count(bringing, facts)
    return facts


def _placed(brought: list[Brought], ids: list[int], state: LabelState) -> list[JSON]:
    """The objects as AnnotationAdded, on top of those of the label; what was brought becomes that."""
    for nth, ((_, said), number) in enumerate(zip(brought, ids, strict=True), 1):
        said["id"], said["order"] = number, state.last_order + nth
    return [said for _, said in brought]


def _count(bringing: Bringing, facts: list[Fact]) -> None:
    if facts:
        bringing.counts.labels_changed += 1
    else:
        bringing.counts.labels_unchanged += 1


def _first(bringing: Bringing, record: Sample, state: LabelState, brought: list[Brought]) -> list[Fact]:
    """The facts of a label that is new."""
    ids = new_ids(brought, {}, last=state.last_id)
    objects = _placed(brought, ids, state)
    mask = None
    shown = painted(bringing, record, brought) if bringing.task.has_mask else None
    if shown is not None:
        mask = kept(bringing, coloured(shown, ids))
        objects = [item | {"geometry": {"type": "mask"}} if is_area(item) else item for item in objects]
    else:
        objects = bulk_rows.written_out(objects)
    bringing.counts.labels_added += 1
    bringing.counts.annotations_added += len(objects)
    facts = imported(
        objects,
        origin=bringing.origin.common,
        is_small=bringing.is_small,
        scene=scene_of(bringing, record),
        mask=mask,
        status=status_of(bringing, record),
        score=record.score,
    )
    if any(item.links for item in record.annotations):
        facts += links_of(record, brought)
    if record.classifications or record.default_classification is not None:
        facts += classes_of(bringing, record, state)
    return facts


def _changed(bringing: Bringing, record: Sample, state: LabelState, brought: list[Brought]) -> list[Fact]:
    """The facts by which a label that is there becomes another."""
    base = bringing.read(state.mask) if bringing.read and state.mask and state.mask.get("hash") else None
    shown = painted(bringing, record, brought) if bringing.task.has_mask else None
    if shown is not None and base is not None and shown.shape != base.shape:
        bringing.wrong("has another size than the label's bitmap, so the label was left as it is")
        bringing.counts.annotations_refused += len(brought)
        return []
    fresh, left = _compared(bringing, state, brought, base, shown)
    removes = bringing.mode == "override" and any(bringing.kind.fate(form) != LEFT_OUT for form in GEOMETRIES)
    gone = sorted(left, key=lambda item: (item["order"], item["id"])) if removes else []
    lost = {item["uuid"] for item in gone}
    staying = {item["id"]: item for item in state.annotations.values() if item["uuid"] not in lost}
    new = [brought[nth] for nth in fresh]
    ids = new_ids(new, staying, last=state.last_id)
    objects = _placed(new, ids, state)
    facts: list[Fact] = []
    if base is not None or shown is not None:
        patch = _patch(bringing, state, base, shown, gone, dict(zip(fresh, ids, strict=True)))
        facts += [patch] if patch is not None else []
        if shown is not None:
            objects = [item | {"geometry": {"type": "mask"}} if is_area(item) else item for item in objects]
    facts += _gone(state, gone)
    common = bringing.origin.common
    facts += [e.AnnotationAdded(**item | {"origin": common | item["origin"]}) for item in objects]
    facts += links_of(record, new) + head_of(bringing, record, state)
    bringing.counts.annotations_added += len(new)
    bringing.counts.annotations_unchanged += len(brought) - len(new)
    bringing.counts.annotations_removed += len(gone)
    _count(bringing, facts)
    return facts


def _compared(
    bringing: Bringing,
    state: LabelState,
    brought: list[Brought],
    base: np.ndarray | None,
    shown: np.ndarray | None,
) -> tuple[list[int], list[JSON]]:
    """(places of the objects that the label does not have, its objects that the file does not have)."""
    known: dict[bytes, list[JSON]] = {}
    for item in reversed(state.in_order()):
        seen = item
        if base is not None and item["geometry"]["type"] == "mask":
            seen = item | {"geometry": pixels(base == item["id"])}
        known.setdefault(same_key(seen), []).append(item)
    fresh = []
    for nth, (_, said) in enumerate(brought):
        seen = said
        if shown is not None and is_area(said):
            seen = said | {"geometry": pixels(shown == nth + 1)}
        matching = known.get(same_key(seen))
        if matching:
            matching.pop()
        else:
            fresh.append(nth)
    return fresh, [item for items in known.values() for item in items]


def _gone(state: LabelState, gone: list[JSON]) -> list[Fact]:
    keys = {item["uuid"] for item in gone}
    facts: list[Fact] = []
    for item in state.in_order() if keys else ():
        for link in item.get("links", ()):
            if link["to"] in keys and item["uuid"] not in keys:
                facts.append(e.AnnotationLinkRemoved(annotation=item["uuid"], to=link["to"]))
    return facts + [e.AnnotationRemoved(annotation=item["uuid"]) for item in gone]


def _patch(
    bringing: Bringing,
    state: LabelState,
    base: np.ndarray | None,
    shown: np.ndarray | None,
    gone: list[JSON],
    ids: dict[int, int],
) -> Fact | None:
    """The bitmap without the objects that go, and with those that come where nothing else is."""
    assert base is not None or shown is not None
    found = base.copy() if base is not None else np.zeros(shown.shape, dtype=np.uint32)  # type: ignore[union-attr]
    numbers = [item["id"] for item in gone if item["geometry"]["type"] == "mask"]
    if numbers:
        found[np.isin(found, numbers)] = 0
    for nth, number in ids.items() if shown is not None else ():
        found[(shown == nth + 1) & (found == 0)] = number
    changed: list[JSON] = [{**item} for item in bitmaps.changed(base, found)]
    if not changed:
        return None
    before = (state.mask or {}).get("hash")
    return e.BitmapPatched(base_hash=before, mask=kept(bringing, found), changed=changed)
