"""Cut and withdraw releases."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction

from labeling.commands.safeguards import require_reason_in
from labeling.commands.signatures import printed_name, unnamed
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import AlreadyExists, InvalidValue, NotFound, Refused
from labeling.log import store
from labeling.log.event import Event, Fact, Intent
from labeling.log.rows import Rows
from labeling.queries import datasets
from labeling.queries.places import At, as_offset
from labeling.queries.signatures import Signature, signatures_of
from labeling.rules import access
from labeling.rules.dataset_state import GROUND_TRUTH
from labeling.rules.signatures import OF_RELEASE
from releases import actors, builds, exports, queries, rules, trainings
from releases.choice import EVERYTHING, Choice, checked_choice
from releases.events import ReleaseSigned, TrainingRegistered
from releases.models import ExportBuild, Release
from releases.rules import ReleaseState, release_stream
from releases.terms import IMAGES, MOST_BASES, Named, Terms

JSON = dict[str, Any]


def cut_release(
    *,
    intent: Intent,
    dataset: uuid.UUID,
    name: Any,
    description: Any = "",
    at: At | None = None,
    filter: Any = None,
    category_map: Any = None,
    splits: Any = None,
    images: Any = None,
    base: Any = None,
    supersedes: Any = None,
    formats: Any = None,
) -> uuid.UUID:
    """Freeze the dataset, or what `filter` chooses of it, as it is when this is stored or (`at`) as it was; the file is
    made in the background, and so are exports in `formats`. Returns the release's id. What may be chosen:
    releases.choice; `images`, `base` and `supersedes` (names or ids of releases): releases.terms. A release in the
    place of another freezes the same of the same offset, unless something else is said.

    Raises:
        NotFound, NotPermitted: the author may not.
        AlreadyExists: the name is taken.
        InvalidValue: a field does not fit.
        Refused: the file of the release that is named is not made yet, too many differences would stand on each other,
            or formats are asked for in a dataset that hands out signed releases only.
    """
    name, description = rules.checked_name(name), rules.checked_description(description)
    exported = exports.checked_names(formats)

    def attempt() -> uuid.UUID:
        _require(dataset, intent)
        replay = earlier(dataset, intent)
        if replay is not None:
            return uuid.UUID(replay.answer["release"])
        terms = _terms(dataset, images=images, base=base, supersedes=supersedes)
        said = {"filter": filter, "category_map": category_map, "splits": splits}
        before = None if terms.supersedes is None else queries.state_by_id(dataset, terms.supersedes.release)
        if before is not None and at is None and all(value is None for value in said.values()):
            offset, choice = _as_before(before)
        else:
            offset, choice = _chosen(dataset, at, **said)
        release = uuid.uuid4()
        state = ReleaseState(dataset, release_stream(release))
        facts = rules.cut(state, name=name, description=description, offset=offset, choice=choice, terms=terms)
        if exported and queries.are_withheld(dataset):
            raise Refused("formats: releases of this dataset are handed out signed; export it once somebody signed it.")
        # With the release its exports, or nothing: no event has them, so nobody could ask for them later.
        with transaction.atomic() if exported else nullcontext():
            _append(state, facts, intent, answer={"release": str(release)})
            jobs = _asked(release, exported)
        transaction.on_commit(lambda: actors.send_build(release))
        for job in jobs:
            transaction.on_commit(partial(actors.send_export, job))
        return release

    return decide(attempt)


def _asked(release: uuid.UUID, formats: list[str]) -> list[uuid.UUID]:
    """Put down the exports of a new release; returns their ids.

    Raises:
        InvalidValue: the release leaves out the label set that is exported.
    """
    rows = [(Release.objects.get(id=release), *exports.checked(name, {})) for name in formats]
    try:
        return [exports.asked(row, GROUND_TRUTH, kind, options)[0].id for row, kind, options in rows]
    except InvalidValue as error:
        words = f"are written of {GROUND_TRUTH}, which the release leaves out; export another label set when it is cut"
        raise InvalidValue("formats", words) from error


def withdraw_release(*, intent: Intent, dataset: uuid.UUID, name: str) -> None:
    """Take a release back, also while its file is being made: its name is free and its file goes.

    Raises:
        NotFound, NotPermitted: there is none of that name, or the author may not.
    """

    def attempt() -> None:
        _require(dataset, intent)
        if earlier(dataset, intent) is not None:
            return
        release = queries.find_release(dataset, name).release
        state = queries.state_of(release)
        _append(state, rules.withdraw(state), intent)
        transaction.on_commit(lambda: builds.forget(release.id), robust=True)
        transaction.on_commit(lambda: exports.forget(release.id), robust=True)

    decide(attempt)


def register_training(*, intent: Intent, release: Release, said: JSON) -> uuid.UUID:
    """Tell that a model was trained on a release, withdrawn or not; returns the training's id. What may be said:
    releases.trainings.

    Raises:
        NotFound, NotPermitted: the author may not.
        InvalidValue: a field does not fit.
        Refused: the release's file is not made yet, so nobody can have used it.
    """
    checked = trainings.checked_training(said)

    def attempt() -> uuid.UUID:
        _require(release.dataset_id, intent, "train")
        replay = earlier(release.dataset_id, intent)
        if replay is not None and replay.answer is not None:
            return uuid.UUID(replay.answer["training"])
        found = queries.any_release(release.dataset_id, str(release.id))
        if found.build is None or not found.build.identity:
            raise Refused("The file of this release is not made yet; wait until its status is SUCCEEDED.")
        training = uuid.uuid4()
        stream = trainings.training_stream(training)
        fact = TrainingRegistered(release=str(release.id), identity=found.build.identity, **checked)
        events = store.new_events(release.dataset_id, intent, [(stream, 0, fact)])
        rows = trainings.rows(release.dataset_id, stream, events)
        _store(release.dataset_id, intent, events, rows, {"training": str(training)})
        return training

    return decide(attempt)


def cancel_build(*, release: uuid.UUID) -> bool:
    """Stop making the file of a release; False where that is over already. Nothing of the log changes, so there is no
    event, and it goes on when it is asked for again."""
    return builds.cancel(release)


def cancel_export(*, export: uuid.UUID) -> bool:
    """Stop making an export; False where that is over already."""
    return exports.cancel(export)


def sign_release(
    *, intent: Intent, dataset: uuid.UUID, name: str, meaning: Any, password: Any, address: str = ""
) -> Signature:
    """Sign a release whose file is made: the signature is under its identity, which is the hash of its manifest. The
    same signature again is the one that there is.

    Raises:
        NotFound: there is none of that name.
        NotPermitted: the author may not, is no person, or the password is wrong.
        InvalidValue: the meaning is none, or there is no password.
        Refused: the file is not made yet, or the author has no password.
    """
    if meaning not in OF_RELEASE:
        raise InvalidValue("meaning", f"must be one of {', '.join(OF_RELEASE)}")
    _require(dataset, intent)
    queries.find_release(dataset, name)
    printed = printed_name(intent, password, address)
    intent = unnamed(intent)

    def attempt() -> Signature:
        _require(dataset, intent)
        found = queries.find_release(dataset, name)
        if found.build is None or not found.is_built or not found.build.identity:
            raise Refused("The release is not made yet, so there is nothing to sign; try again when it is.")
        content, stream = found.build.identity, release_stream(found.release.id)
        for item in signatures_of(dataset, stream):
            if (item.person, item.meaning, item.content) == (intent.author, meaning, content):
                return item
        _append(queries.state_of(found.release), [ReleaseSigned(meaning, content, printed)], intent)
        return signatures_of(dataset, stream)[-1]

    return decide(attempt)


def build_again(*, release: uuid.UUID) -> None:
    """Have the file made once more, because it failed or is lost. The bytes will be the same, so there is no event."""
    builds.reset(release)
    transaction.on_commit(lambda: actors.send_build(release))


def export_release(
    *,
    release: Release,
    format_name: str | None,
    label_set: str = GROUND_TRUTH,
    options: Mapping[str, str] | None = None,
) -> ExportBuild:
    """Have a release written in a format of others; it is made in the background, once, and kept. Nothing is changed,
    so there is no event, and whoever may read the dataset may ask.

    Raises:
        InvalidValue: no such format, option or label set; the error lists those that there are.
        Refused: its dataset hands out signed releases only.
    """
    queries.refuse_withheld(release)
    kind, parsed = exports.checked(format_name, options or {})
    job, is_new = exports.asked(release, label_set, kind, parsed)
    if is_new:
        transaction.on_commit(lambda: actors.send_export(job.id))
        job.refresh_from_db()
    return job


def export_again(*, export: uuid.UUID) -> None:
    """Have an export made once more, because it failed or its archive is lost. The bytes will be the same."""
    exports.reset(export)
    transaction.on_commit(lambda: actors.send_export(export))


def _chosen(dataset: uuid.UUID, at: At | None, **said: Any) -> tuple[int | None, Choice]:
    """The offset that is asked for, and what of the dataset there."""
    offset = None if at is None else as_offset(dataset, at, store.head(dataset))
    if offset is None and all(value is None for value in said.values()):
        return None, EVERYTHING
    state = datasets.state_of(dataset) if offset is None else datasets.state_at(dataset, offset)
    if not state.exists:
        raise InvalidValue("at", "must not be before the dataset was made")
    return offset, checked_choice(state, **said)


def _as_before(before: ReleaseState) -> tuple[int | None, Choice]:
    return before.at_offset, before.choice


def _terms(dataset: uuid.UUID, *, images: Any, base: Any, supersedes: Any) -> Terms:
    """The terms that are asked for."""
    if images is not None and images not in IMAGES:
        raise InvalidValue("images", f"must be one of {', '.join(IMAGES)}")
    terms = Terms(
        images=images or IMAGES[0],
        base=_named(dataset, "base", base),
        supersedes=_named(dataset, "supersedes", supersedes),
    )
    depth, below = 0, terms.base
    while below is not None:
        depth, below = depth + 1, queries.state_by_id(dataset, below.release).terms.base
        if depth > MOST_BASES:
            raise Refused(f"base: {MOST_BASES} differences stand on each other there; name an earlier release.")
    return terms


def _named(dataset: uuid.UUID, field: str, name: Any) -> Named | None:
    """The release that a field names; None for none."""
    if name is None:
        return None
    try:
        found = queries.any_release(dataset, name if isinstance(name, str) else "")
    except NotFound as error:
        raise InvalidValue(field, "must be the name or the id of a release of this dataset") from error
    if found.release.withdrawn and field == "base" and not (found.build and found.build.path):
        raise InvalidValue(field, "was withdrawn, and its file is gone; name one that stands")
    if found.build is None or not found.build.identity:
        raise Refused(f"{field}: the file of that release is not made yet; wait until its status is SUCCEEDED.")
    return Named(found.release.id, found.build.identity)


def _require(dataset: uuid.UUID, intent: Intent, action: str = "release") -> None:
    seen = datasets.dataset_by_id(dataset, person=intent.on_behalf_of or intent.author)
    access.require(action, role=seen.role, public=seen.dataset.public, dataset=seen.id)


def _append(state: ReleaseState, facts: list[Fact], intent: Intent, *, answer: Any = None) -> None:
    require_reason_in(state.dataset, intent, facts)
    events = store.new_events(state.dataset, intent, [(state.stream, state.version, fact) for fact in facts])
    try:
        _store(state.dataset, intent, events, rules.rows(rules.fold(state, events)), answer)
    except IntegrityError as error:
        if "release_name_taken" in str(error):
            raise AlreadyExists("Release") from error
        raise


def _store(dataset: uuid.UUID, intent: Intent, events: list[Event], rows: Rows, answer: Any) -> None:
    try:
        appended = store.append(dataset, intent=intent, events=events, rows=rows, answer=answer)
    except LookupError as error:
        raise NotFound("The dataset") from error
    if appended.replayed:
        raise store.Stale  # a twin of this request was faster; the next turn answers from what it did
    hint(dataset, appended)
