"""Import masks with their segments, many at once: each item is a command of its own, and has its own result."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from labeling import events as e
from labeling.commands import assets
from labeling.commands.labels import append_to_label, label_for
from labeling.commands.writing import decide, earlier
from labeling.errors import InvalidValue, NotFound, NotPermitted, PalimpsestError, Refused
from labeling.fetching import fetched
from labeling.log.event import Fact, Intent
from labeling.log.values import BadValue
from labeling.models import LabelSet, Sample
from labeling.pictures import wh_of
from labeling.queries import labels as queries
from labeling.queries.datasets import Seen
from labeling.queries.labels import Found
from labeling.rules import access
from labeling.rules import mask_imports as rules
from labeling.rules.mask_imports import Item
from labeling.rules.task_types import task_type

JSON = dict[str, Any]

#: Masks of one request, and how long their hosts may take in all.
MOST_MASKS = 100
MOST_S = 60.0


@dataclass(slots=True)
class Imported:
    """What became of one item: `processed`, `ignored` (there was a mask), or `failed`, with an error."""

    reference: str | None
    outcome: str = "failed"
    sample: uuid.UUID | None = None
    changed: bool = False
    version: int | None = None
    findings: list[JSON] = field(default_factory=list)
    error: JSON | None = None


@dataclass(frozen=True, slots=True)
class How:
    """How masks are imported: `update` replaces, `strict` refuses what has findings, `unknown` is of rules.UNKNOWN."""

    update: bool = False
    strict: bool = False
    unknown: str = "fail"
    status: str = "PRELABELED"
    label_set: str = "ground-truth"


def import_masks(
    *,
    intent: Intent,
    dataset: Seen,
    items: Sequence[Any],
    how: How = How(),
    fetch: Callable[[str, str], bytes] = fetched,
) -> list[Imported]:
    """Import each mask into the label of its sample; a bad item fails alone.

    Raises:
        InvalidValue: more than MOST_MASKS.
        NotFound: the dataset has no such label set.
        NotPermitted: the author may not label here.
        Refused: labels of the dataset have no objects of their own.
    """
    if len(items) > MOST_MASKS:
        raise InvalidValue("masks", f"must be at most {MOST_MASKS}; send several requests")
    kind = task_type(dataset.dataset.task_type)
    if kind.by_frame:
        raise Refused("Masks are imported into labels of one picture each, and labels of this dataset have frames.")
    if not kind.by_annotation:
        raise Refused("Labels of this dataset are set by whole documents, so no masks are imported into them.")
    if not LabelSet.objects.filter(dataset_id=dataset.id, name=how.label_set, archived=False).exists():
        raise NotFound("The label set")
    names = [item.get("reference_id") for item in items if isinstance(item, dict)]
    samples = _samples(dataset.id, [name for name in names if isinstance(name, str)])
    categories = rules.categories_by_name(dataset.dataset.task_attributes)
    until_s = time.monotonic() + MOST_S
    seen: set[tuple[str, str | None]] = set()
    found = []
    for number, value in enumerate(items):
        where = f"masks[{number}]"
        reference = value.get("reference_id") if isinstance(value, dict) else None
        one = Imported(reference if isinstance(reference, str) else None)
        found.append(one)
        try:
            item = rules.checked_item(value, where, categories=categories, unknown=how.unknown)
            if (item.reference, item.annotation_id) in seen:
                raise InvalidValue(where, "is there twice: an item before it has the same reference and annotation id")
            seen.add((item.reference, item.annotation_id))
            one.sample = samples.get(item.reference)
            if one.sample is None:
                raise InvalidValue(f"{where}.reference_id", "is no sample of the dataset")
            own = _own(intent, number, one.sample, item, how)
            _import(own, one, item, how, where, fetch=lambda url, place: _fetched(url, place, fetch, until_s))
        except NotPermitted:
            raise
        except PalimpsestError as error:
            one.error = {"code": error.code, "detail": error.message}
            if getattr(error, "field", None):
                one.error["field"] = error.field  # type: ignore[attr-defined]
        except BadValue as error:
            one.error = {"code": "invalid", "detail": f"{error.where}: {error.problem}", "field": error.where}
    return found


def _fetched(url: str, where: str, fetch: Callable[[str, str], bytes], until_s: float) -> bytes:
    """The bytes of a mask: a file of ours, or of another host while there is time."""
    if url.startswith(assets.MEDIA):
        return assets.read_bytes(url, where)
    if time.monotonic() > until_s:
        raise InvalidValue(where, "was not fetched: those before it took too long; send it again")
    return fetch(url, where)


def _samples(dataset: uuid.UUID, references: list[str]) -> dict[str, uuid.UUID]:
    """{reference: sample}: by its name, or by its uuid."""
    plain = [name for name in references if "\x00" not in name]
    rows = Sample.objects.filter(dataset_id=dataset, archived=False)
    found = {str(key): key for key in rows.filter(id__in=_uuids(plain)).values_list("id", flat=True)}
    return found | dict(rows.filter(name__in=plain).values_list("name", "id"))


def _uuids(texts: list[str]) -> list[uuid.UUID]:
    found = []
    for text in texts:
        try:
            key = uuid.UUID(text)
        except ValueError:
            continue
        if str(key) == text:
            found.append(key)
    return found


def _own(intent: Intent, number: int, sample: uuid.UUID, item: Item, how: How) -> Intent:
    """The intent of one item, named after what it is about, so that it is recognised when it comes again."""
    own = replace(intent, correlation=intent.correlation or intent.command)
    name = f"{number}|{sample}|{item.mask_url}|{item.annotation_id}"
    if not intent.replayable:
        return replace(own, command=uuid.uuid5(intent.command, name))
    digest = hashlib.sha256((intent.request_hash or b"") + name.encode() + repr(how).encode()).digest()
    return replace(own, command=uuid.uuid5(intent.command, name), request_hash=digest)


def _import(
    intent: Intent, one: Imported, item: Item, how: How, where: str, *, fetch: Callable[[str, str], bytes]
) -> None:
    assert one.sample is not None
    sample = one.sample
    files = assets.MaskFiles(intent.on_behalf_of or intent.author)
    data: bytes | None = None

    def attempt() -> None:
        nonlocal data
        found = label_for(sample, how.label_set, intent, "label")
        kept = earlier(found.dataset, intent)
        if kept is not None:
            _tell(one, kept.answer or {})
            return
        kind = task_type(found.task_type)
        state = found.state
        if rules.has_layer(state, has_mask=kind.has_mask) and not how.update:
            one.outcome, one.version = "ignored", state.version
            return
        if data is None:
            data = fetch(item.mask_url, f"{where}.mask_url")
        pixels, findings = rules.read_values(data, f"{where}.mask_url", max_pixels=assets.MOST_PIXELS)
        attributes, _ = queries.attributes_of(sample)
        image = attributes.get("image")
        size = wh_of(image) if isinstance(image, dict) else None
        one.findings = findings = findings + rules.findings_of(pixels, item.segments, size)
        if how.strict and findings:
            raise InvalidValue(f"{where}.mask_url", "has findings, and strictness was asked for; see findings")
        original = assets.keep_bytes(data, owner=files.owner, filename="mask.png", content_type="image/png")
        source = {"sha256": original.sha256, "file": assets.url_of(original), "mask_url": _without_query(item.mask_url)}
        facts = rules.imported(
            state,
            item,
            pixels,
            has_mask=kind.has_mask,
            source=source,
            findings=findings,
            read=files.read,
            keep=files.keep,
        )
        facts = _with_status(found, facts, how)
        urls = [source["file"], *(fact.mask["url"] for fact in facts if isinstance(fact, e.BitmapPatched))]
        version = state.version + len(facts)
        answer: JSON = {"outcome": "processed", "changed": bool(facts), "findings": findings, "version": version}
        append_to_label(
            found, intent, state, facts, created=not state.exists, known_urls=urls if facts else (), answer=answer
        )
        _tell(one, answer)

    decide(attempt)


def _with_status(found: Found, facts: list[Fact], how: How) -> list[Fact]:
    """The facts with the status of a new label behind them, or in front of them the loss of an acceptance."""
    state = found.state
    if not facts:
        return []
    if not state.exists:
        return [*facts, e.LabelStatusChanged(before=None, after=how.status, verb="upload")]
    what = access.on_accepted(state.status, role=found.role, setting=found.accepted_edits)
    if what == "refuse":
        raise Refused("This label is accepted, and labelers do not edit such a label here; ask for it to be rejected.")
    if what == "reopen":
        return [e.LabelStatusChanged(before=state.status, after="LABELING_IN_PROGRESS", verb="reopen"), *facts]
    return facts


def _tell(one: Imported, answer: JSON) -> None:
    one.outcome, one.changed = answer.get("outcome", "processed"), bool(answer.get("changed"))
    one.findings, one.version = answer.get("findings", []), answer.get("version")


def _without_query(url: str) -> str:
    """An address as it is kept: what follows its question mark may open the file to everybody."""
    return urlsplit(url)._replace(query="", fragment="").geturl()
