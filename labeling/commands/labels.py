"""Save, edit and delete labels. The life of an edit (README) runs through here."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from types import MappingProxyType
from typing import Any

from django.db import IntegrityError

from labeling import events as e
from labeling.commands import assets
from labeling.commands.painting import mask_change, sent_mask
from labeling.commands.safeguards import check_review
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import (
    AnnotationNotFound,
    Conflict,
    InvalidValue,
    NotFound,
    PalimpsestError,
    Refused,
    VersionUnknown,
)
from labeling.log import store, values
from labeling.log.event import Event, Fact, Intent
from labeling.log.rows import Rows
from labeling.pictures import wh_of
from labeling.queries import labels as queries
from labeling.queries.datasets import box_ratios
from labeling.queries.labels import Found
from labeling.rules import access, label_state, parts
from labeling.rules.documents import Document
from labeling.rules.edits.editor import Outcome
from labeling.rules.edits.mentions import given_uuids, references, verbs
from labeling.rules.edits.placement import Demands, check_saved
from labeling.rules.fold import NOW
from labeling.rules.label_state import STATUSES, LabelState
from labeling.rules.reasons import require_reason
from labeling.rules.sample_state import sample_stream
from labeling.rules.task_types import HoldsDocuments, TaskType, task_type
from labeling.rules.touched import overlap, touched

JSON = dict[str, Any]


@dataclass(slots=True)
class Saved:
    """What a command on a label did: the label as it is now, and what a client should be told about it."""

    found: Found
    state: LabelState
    offset: int
    created: bool = False
    replayed: bool = False
    rebased: bool = False
    results: list[JSON] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Seen:
    """The version that the client saw (If-Match), or that it expects no label (If-None-Match: *)."""

    version: int | None = None
    absent: bool = False
    any_version: bool = False


def save_label(
    *,
    intent: Intent,
    sample: uuid.UUID,
    label_set: str,
    document: JSON | None = None,
    status: str | None = None,
    score: float | None = None,
    set_score: bool = False,
    create: bool = False,
    seen: Seen = Seen(),
) -> Saved:
    """Set a label by a whole document: stored as the events of what really changed; an identical one appends nothing.

    `create` says that a missing label is made (PUT); `status` and `document` of None leave those as they are.

    Raises:
        NotFound: no such sample or label set, or no label and not `create`.
        NotPermitted: the author may not label here.
        InvalidValue: the document does not fit; nothing was stored.
        Conflict: since the version seen, somebody touched the same; read the missed events.
        VersionUnknown: the label never had the version seen.
        Busy: others were faster every time.
    """
    if status is not None and (status not in STATUSES or status == "UNLABELED"):
        raise InvalidValue("label_status", f"must be one of {', '.join(STATUSES[1:])}")

    def attempt() -> Saved:
        found = label_for(sample, label_set, intent, "label")
        kind = task_type(found.task_type)
        parsed = None if document is None else kind.parse(document, "attributes")
        kept = _replayed(found, intent)
        if kept is not None:
            return kept
        state = found.state
        base = base_of(found, seen)
        if not state.exists:
            if not create or parsed is None:
                raise NotFound("The label")
            files = assets.MaskFiles(intent.author)
            mask = sent_mask(parsed, files) if kind.has_mask and parsed.has_mask else None
            facts = kind.first(state, parsed, status or "PRELABELED", score, mask)
            _check_drawn(found, facts, parsed)
            refuse_overlap(found, seen, base, facts)
            return append_to_label(
                found, intent, state, facts, created=True, known_urls=[mask["url"]] if mask else [], document=parsed
            )
        facts, lost, superseded, masks = _changes(kind, found, base, parsed, intent, replacing=seen.version is None)
        _check_drawn(found, facts, parsed)
        was = state if base is None else base
        if set_score and score != was.score:
            facts.append(e.LabelScoreSet(score=score))
        if status is not None and status != was.status:
            facts.append(e.LabelStatusChanged(before=state.status, after=status, verb="upload"))
        rebased = refuse_overlap(found, seen, base, facts)
        answer = {"lost": lost, "superseded": superseded, "rebased": rebased}
        return append_to_label(found, intent, state, facts, known_urls=masks, document=parsed, answer=answer)

    return decide(attempt)


def edit_label(
    *, intent: Intent, sample: uuid.UUID, label_set: str, edits: Any, seen: Seen = Seen(), dry_run: bool = False
) -> Saved:
    """Apply a list of edits as one atomic command. A labeler's edit of an accepted label reopens it, is refused, or is
    let through, as the dataset's setting `accepted_label_edits` says. A dry run says what would be.

    Raises:
        NotFound, Busy, VersionUnknown: as save_label.
        NotPermitted: the author may not label here, or may not change a status by that verb.
        InvalidValue: the first edit that does not fit, by its field; nothing was stored.
        Conflict: since the version seen, somebody touched the same annotation, or the label as a whole.
        StaleBitmap: a bitmap patch was made against another mask.
        Refused: labels of this task type are set by whole documents, or the label is accepted.
    """
    needs = {"label"} | {access.VERBS[verb] for verb in verbs(edits)}
    uuids, ids, everything = references(edits)

    def attempt() -> Saved:
        found = label_for(
            sample, label_set, intent, *needs, uuids=None if everything else uuids, ids=None if everything else ids
        )
        kind = task_type(found.task_type)
        kept = _replayed(found, intent)
        if kept is not None:
            return kept
        state = found.state
        files = assets.MaskFiles(intent.author)
        given = given_uuids(edits) - state.annotations.keys()
        gone = queries.used_before(found.dataset, state.stream, given) if given and state.version else set()

        read: dict[str, int] = {}

        def attributes() -> JSON:
            found, read[sample_stream(sample)] = queries.attributes_of(sample)
            return found

        def run(*, on: LabelState = state, reopening: bool = False) -> Outcome:
            editor = kind.editor(
                on,
                author=intent.author,
                pixels=files,
                gone=frozenset(gone),
                sample=attributes,
                size_of=wh_of,
                ratios=lambda: box_ratios(found.dataset, found.dataset_version),
            )
            if reopening:
                editor.reopen()
            return editor.run(edits)

        base = base_of(found, seen)
        try:
            outcome = run()
        except AnnotationNotFound as error:
            if base is not None:
                _refuse_gone(found, seen, base, edits, error)
            raise
        except (InvalidValue, Refused):
            if base is not None and not kind.has_mask:
                seen_then = base
                _refuse_overtaken(found, seen, base, lambda: run(on=seen_then))
            raise
        if outcome.facts and state.exists:
            outcome = _on_accepted(found, outcome, run)
        facts = outcome.facts
        if facts and not state.exists and not any(isinstance(fact, e.LabelStatusChanged) for fact in facts):
            facts = [*facts, e.LabelStatusChanged(before=None, after="LABELING_IN_PROGRESS", verb="save")]
        rebased = refuse_overlap(found, seen, base, facts)
        if dry_run:
            return _saved(found, state, found.head, {"edits": outcome.results, "rebased": rebased})
        masks = [fact.mask["url"] for fact in facts if isinstance(fact, e.BitmapPatched)]
        answer = {"edits": outcome.results, "rebased": rebased}
        return append_to_label(
            found, intent, state, facts, known_urls=masks, created=not state.exists, answer=answer, read=read
        )

    return decide(attempt)


def _check_drawn(found: Found, facts: list[Fact], document: Document | None) -> None:
    """Hold the objects that a document draws against what its dataset demands of new shapes.

    Raises:
        InvalidValue: names the object that lies outside of the image, or is a box of other proportions.
    """
    inside = found.state.settings.get("labels_outside_image") == "refuse"
    ratios = partial(box_ratios, found.dataset, found.dataset_version)
    kind = task_type(found.task_type)
    if document is not None and isinstance(kind, HoldsDocuments):
        sample = cache(lambda: queries.attributes_of(found.sample)[0])
        kind.check_saved(found.state, facts, inside=inside, ratios=ratios, sample=sample, size_of=wh_of)
    if document is None or not document.objects:
        return

    def size_wh() -> tuple[int, int] | None:
        image = queries.attributes_of(found.sample)[0].get("image")
        return wh_of(image) if isinstance(image, dict) else None

    places = {wire.id: f"attributes.annotations[{index}]" for index, wire in enumerate(document.objects)}
    demands = Demands(
        inside=inside,
        size_wh=cache(size_wh),
        ratios=ratios,
    )
    check_saved(demands, found.state, facts, lambda number: places.get(number, "attributes.annotations"))


def delete_label(*, intent: Intent, sample: uuid.UUID, label_set: str, seen: Seen = Seen()) -> Saved:
    """Delete a label; its stream goes on counting.

    Raises:
        NotFound: there is none.
        Conflict: since the version seen, somebody changed it.
    """

    def attempt() -> Saved:
        found = label_for(sample, label_set, intent, "label")
        kept = _replayed(found, intent)
        if kept is not None:
            return kept
        if not found.state.exists:
            raise NotFound("The label")
        facts: list[Fact] = [e.LabelDeleted()]
        refuse_overlap(found, seen, base_of(found, seen), facts)
        return append_to_label(found, intent, found.state, facts)

    return decide(attempt)


# --- steps ---------------------------------------------------------------------------------------------------------


def _on_accepted(found: Found, outcome: Outcome, again: Callable[..., Outcome]) -> Outcome:
    """What an edit becomes where the label was accepted by somebody else than a labeler."""
    what = access.on_accepted(found.state.status, role=found.role, setting=found.accepted_edits)
    if what == "refuse":
        raise Refused("This label is accepted, and labelers do not edit such a label here; ask for it to be rejected.")
    return again(reopening=True) if what == "reopen" else outcome


def label_for(
    sample: uuid.UUID,
    label_set: str,
    intent: Intent,
    *actions: str,
    uuids: list[str] | None = None,
    ids: list[int] | None = None,
) -> Found:
    person = intent.on_behalf_of or intent.author
    found = queries.find_label(sample, label_set, person=person, uuids=uuids, ids=ids)
    for action in sorted(actions):
        access.require(action, role=found.role, public=found.public, dataset=found.dataset)
    return found


def _replayed(found: Found, intent: Intent) -> Saved | None:
    kept = earlier(found.dataset, intent)
    if kept is None:
        return None
    state = queries.label_at(found.dataset, found.state.stream, kept.last_offset)
    return _saved(found, state, kept.last_offset, kept.answer or {}, replayed=True)


def _saved(found: Found, state: LabelState, offset: int, answer: JSON, *, replayed: bool = False) -> Saved:
    """What a client is told; `answer` is what is kept of that for a retry."""
    return Saved(
        found=found,
        state=state,
        offset=offset,
        replayed=replayed,
        created=bool(answer.get("created")),
        rebased=bool(answer.get("rebased")),
        results=answer.get("edits", []),
        lost=answer.get("lost", []),
        superseded=answer.get("superseded", []),
    )


def base_of(found: Found, seen: Seen) -> LabelState | None:
    """The state that the client saw, when it is not the newest."""
    state = found.state
    if seen.absent and state.exists:
        raise VersionUnknown("There is a label already; If-None-Match asks for none.")
    if seen.any_version and not state.exists:
        raise VersionUnknown("There is no label yet; If-Match asks for one.")
    if seen.version is None or seen.version == state.version:
        return None
    if seen.version > state.version:
        raise VersionUnknown("If-Match names a version that this label has not reached; read the label again.")
    return queries.label_at_version(found.dataset, state.stream, seen.version)


def _missed(found: Found, seen: Seen) -> list[Event]:
    """What happened between the version seen and the state that was loaded; what is newer makes the append stale."""
    events = store.read_stream(found.dataset, found.state.stream, after_version=seen.version or 0)
    return [event for event in events if event.version <= found.state.version]


def refuse_overlap(found: Found, seen: Seen, base: LabelState | None, facts: list[Fact]) -> bool:
    """True when the facts were decided on a newer state than the client saw; refuses where both touched the same."""
    if base is None:
        return False
    painted: list[set[str]] = []
    theirs: list[set[str]] = []
    for event in _missed(found, seen):
        (painted if isinstance(event.fact, e.BitmapPatched) else theirs).append(touched(event.fact, base))
    # In both states, because the object that I painted may be gone in the newer one.
    patches = [touched(fact, base) | touched(fact, found.state) for fact in facts if isinstance(fact, e.BitmapPatched)]
    others = [touched(fact, found.state) for fact in facts if not isinstance(fact, e.BitmapPatched)]
    # Two patches were compared pixel by pixel before: two people may paint the same object in different places.
    both = sorted({*overlap(patches, theirs), *overlap(others, theirs + painted)})
    if both:
        raise Conflict(found.state.stream, seen.version or 0, both)
    return bool(facts)


def _refuse_overtaken(found: Found, seen: Seen, base: LabelState, then: Callable[[], Outcome]) -> None:
    """A Conflict where edits do not fit any more, did when the client saw the label, and somebody touched the same."""
    try:
        facts = then().facts
    except (PalimpsestError, values.BadValue):
        return  # they never fitted
    refuse_overlap(found, seen, base, [fact for fact in facts if not _done(fact, found.state)])


def _refuse_gone(found: Found, seen: Seen, base: LabelState, edits: Any, error: AnnotationNotFound) -> None:
    """A Conflict in the place of `error` where the annotation was there in the state that the client saw."""
    uuids, ids, _ = references(edits)
    for item in base.annotations.values():
        if (item["uuid"] in uuids or item["id"] in ids) and item["uuid"] not in found.state.annotations:
            raise Conflict(found.state.stream, seen.version or 0, [f"annotation:{item['uuid']}"]) from error
    for kind in parts.plugged():
        for key, piece in base.parts.get(kind.table, {}).items():
            if (key in uuids or piece[kind.number] in ids) and key not in found.state.parts.get(kind.table, {}):
                raise Conflict(found.state.stream, seen.version or 0, [f"{kind.name}:{key}"]) from error


def _changes(
    kind: TaskType, found: Found, base: LabelState | None, document: Document | None, intent: Intent, *, replacing: bool
) -> tuple[list[Fact], list[str], list[str], list[str]]:
    """(facts, what was lost, ids of others' removed annotations, urls of new bitmaps) of a document save."""
    if document is None:
        return [], [], [], []
    changes = kind.changes(base if base is not None else found.state, document)
    facts = changes.facts
    if base is not None:
        facts = [fact for fact in facts if not _done(fact, found.state)]
    superseded = [
        str(item["id"]) for item in changes.removed if replacing and item.get("by") not in (None, str(intent.author))
    ]
    urls = []
    if kind.has_mask and document.has_mask:
        patch = mask_change(found.state, base, document, assets.MaskFiles(intent.author))
        if patch is not None:
            # First, so that a removed object's pixels are known to be its own.
            facts = [patch, *facts]
            urls = [patch.mask["url"]] if patch.mask.get("url") else []
    return facts, changes.lost, superseded, urls


def _done(fact: Fact, state: LabelState) -> bool:
    """Whether somebody did the very same in the meantime: removed what we want removed."""
    match fact:
        case e.AnnotationRemoved():
            return fact.annotation not in state.annotations
        case e.AnnotationLinkRemoved():
            links = state.annotations.get(fact.annotation, {}).get("links", [])
            return not any(link["to"] == fact.to for link in links)
    plugged = parts.of_fact(type(fact))
    return plugged is not None and plugged.done(fact, state)


def append_to_label(
    found: Found,
    intent: Intent,
    state: LabelState,
    facts: list[Fact],
    *,
    created: bool = False,
    known_urls: Iterable[str] = (),
    answer: JSON | None = None,
    document: Document | None = None,
    read: Mapping[str, int] = MappingProxyType({}),
) -> Saved:
    """Append the facts to the label's stream with the rows that change; nothing at all when there are none.

    `read` maps other streams that the facts were decided by to their versions.
    """
    answer = (answer or {}) | {"created": created}
    saved = _saved(found, state, found.head, answer)
    if not facts and not intent.replayable:
        return saved
    require_reason(intent, facts, settings=found.state.settings, status=state.status)
    check_review(intent, state, facts, settings=found.state.settings)
    if intent.seen_offset is not None and intent.seen_offset > found.head:
        raise InvalidValue("seen_offset", "must be an offset that the dataset has reached")
    triples: list[tuple[str, int, Fact]] = [(state.stream, state.version, fact) for fact in facts]
    refers = {"urls": [{"url": url} for url in known_urls], "document": document.verbatim if document else None}
    triples = assets.pin_assets(found.dataset, assets.tokens_in(refers)) + triples
    events = store.new_events(found.dataset, intent, triples)
    own = [event for event in events if event.stream == state.stream]
    after = label_state.fold(state, own)
    rows = label_state.difference(state, after) if own else Rows()
    for event in events:
        if event.stream != state.stream:
            rows.add(asset_rows_of(event))
    expected: dict[str, int] = {state.stream: state.version}
    for event in events:
        expected.setdefault(event.stream, event.version - 1)
    expected |= read
    try:
        appended = store.append(
            found.dataset, intent=intent, events=events, rows=rows, expected=expected, answer=answer
        )
    except IntegrityError as error:
        if "annotation_uuid_taken" in str(error):
            raise InvalidValue("uuid", "is used by another annotation; uuids are never used twice") from error
        raise
    if appended.replayed:
        raise store.Stale  # a twin of this request was faster; the next turn answers from what it did
    hint(found.dataset, appended)
    saved.state = settle(after, appended)
    saved.offset = appended.last_offset
    return saved


def asset_rows_of(event: Event) -> Rows:
    from labeling.rules.sample_state import asset_rows

    return asset_rows([event])


def settle(state: LabelState, appended: store.Appended) -> LabelState:
    """The state with the offset and the time that the append gave it."""
    for name in ("created_at", "updated_at", "reviewed_at"):
        if getattr(state, name) == NOW:
            setattr(state, name, appended.recorded_at)
    state.last_offset = appended.offset_of(state.last_offset)
    return state
