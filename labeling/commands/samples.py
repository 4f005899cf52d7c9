"""Add, change and delete samples."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from django.db import IntegrityError

from labeling import events as e
from labeling.commands import assets
from labeling.commands.safeguards import require_reason_in
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import AlreadyExists, InvalidValue, NotFound, Refused
from labeling.log import store, values
from labeling.log.event import Event, Fact, Intent
from labeling.log.rows import Rows
from labeling.models import Label, Person, Sample
from labeling.queries import samples as queries
from labeling.rules import access, sample_frames, sample_state
from labeling.rules.protocol.samples import check_sample
from labeling.rules.sample_state import SampleState, asset_rows, sample_stream
from labeling.rules.task_types import task_type

JSON = dict[str, Any]

#: How many samples one request may add.
MOST_SAMPLES = 10_000
#: Samples of one append: others wait for it for less than a tenth of a second.
CHUNK = 1000
#: What a sample is, and who shall do it when.
PLAIN = frozenset({"name", "attributes", "metadata", "readme"})
ASSIGNING = frozenset({"priority", "assigned_labeler", "assigned_reviewer"})
FIELDS = ("name", "attributes", "metadata", "priority", "readme", "assigned_labeler", "assigned_reviewer")


def checked_sample(body: Any, where: str = "", *, task_type: str | None = None, partial: bool = False) -> JSON:
    """The fields of a sample, checked; people are still usernames.

    `task_type` is that of the dataset and says what the attributes must hold; `change_sample` looks for itself.

    Raises:
        InvalidValue: the first field that does not fit.
    """
    prefix = f"{where}." if where else ""
    if not isinstance(body, dict):
        raise InvalidValue(where or "body", "must be an object")
    found: JSON = {}
    for key in FIELDS:
        if key not in body:
            continue
        value = body[key]
        if key == "name":
            if not isinstance(value, str) or not 1 <= len(value) <= 255:
                raise InvalidValue(f"{prefix}name", "must be a string of 1 to 255 characters")
        elif key in ("attributes", "metadata"):
            if value is None and key == "metadata":
                value = {}
            if not isinstance(value, dict):
                raise InvalidValue(f"{prefix}{key}", "must be an object")
            if key == "attributes" and task_type is not None:
                check_sample(task_type, value, f"{prefix}attributes")
        elif key == "priority":
            if value is None:
                value = 0
            if type(value) not in (int, float):
                raise InvalidValue(f"{prefix}priority", "must be a number")
        elif key == "readme":
            if value is None:
                value = ""
            if not isinstance(value, str):
                raise InvalidValue(f"{prefix}readme", "must be a string")
        elif value is not None and (not isinstance(value, str) or not value):
            raise InvalidValue(f"{prefix}{key}", "must be a username or null")
        found[key] = value
    if not partial:
        for key in ("name", "attributes"):
            if key not in found:
                raise InvalidValue(f"{prefix}{key}", "is required")
    return found


def _with_people(items: list[JSON]) -> list[JSON]:
    """The same fields with ids of people in the place of usernames."""
    names = {item[key] for item in items for key in ("assigned_labeler", "assigned_reviewer") if item.get(key)}
    ids = dict(Person.objects.filter(username__in=names).values_list("username", "id")) if names else {}
    found = []
    for item in items:
        item = dict(item)
        for key in ("assigned_labeler", "assigned_reviewer"):
            if item.get(key):
                if item[key] not in ids:
                    raise InvalidValue(key, "names nobody who has an account")
                item[key] = str(ids[item[key]])
        found.append(item)
    return found


def add_samples(*, intent: Intent, dataset: uuid.UUID, items: list[JSON], keep_existing: bool) -> list[uuid.UUID]:
    """Add samples (checked by checked_sample); returns their ids in the order of `items`. All or nothing, up to CHUNK.

    With `keep_existing`, a name that is taken is no error: that sample stays as it is and its id is returned. Then more
    than CHUNK are added in several appends, each a command of its own with the correlation of the whole, so that nobody
    waits long for the log; where one of them fails, the same again adds the rest.
    The caller has checked that the author may.

    Raises:
        AlreadyExists: a name is taken, or used twice in `items`.
    """
    checked = _with_people(items)
    if not keep_existing or len(checked) <= CHUNK:
        return _add_at_once(intent, dataset, checked, keep_existing=keep_existing)
    ids: list[uuid.UUID] = []
    for start in range(0, len(checked), CHUNK):
        own = replace(intent, command=uuid.uuid5(intent.command, f"samples from {start}"), correlation=intent.command)
        ids += _add_at_once(own, dataset, checked[start : start + CHUNK], keep_existing=True)
    return ids


def _add_at_once(intent: Intent, dataset: uuid.UUID, checked: list[JSON], *, keep_existing: bool) -> list[uuid.UUID]:
    def attempt() -> list[uuid.UUID]:
        replay = earlier(dataset, intent)
        if replay is not None:
            return [uuid.UUID(item) for item in replay.answer["samples"]]
        names = [item["name"] for item in checked]
        taken = dict(
            Sample.objects.filter(dataset_id=dataset, archived=False, name__in=names).values_list("name", "id")
        )
        ids: list[uuid.UUID] = []
        triples: list[tuple[str, int, Fact]] = []
        tokens: set[str] = set()
        for item in checked:
            if item["name"] in taken:
                if not keep_existing:
                    if earlier(dataset, intent) is not None:
                        raise store.Stale  # a twin of this request was faster; the next turn answers what it did
                    raise AlreadyExists("Sample")
                ids.append(taken[item["name"]])
                continue
            new = uuid.uuid4()
            taken[item["name"]] = new
            ids.append(new)
            triples.append((sample_stream(new), 0, e.SampleAdded(sample=str(new), **item)))
            tokens |= assets.tokens_in(item["attributes"])
        answer = {"samples": [str(item) for item in ids]}
        if triples or intent.replayable:
            try:
                triples = [*assets.pin_assets(dataset, tokens), *triples]
                if append_streams(dataset, intent, triples, {}, answer).replayed:
                    raise store.Stale
            except IntegrityError as error:
                if "sample_name_taken" not in str(error):
                    raise
                if keep_existing:
                    raise store.Stale from error  # somebody added one of them just now; look again
                raise AlreadyExists("Sample") from error
        return ids

    return decide(attempt)


def change_sample(*, intent: Intent, sample: uuid.UUID, changes: JSON) -> None:
    """Change fields of a sample (checked by checked_sample with `partial`); only what differs becomes an event.

    Raises:
        NotFound, NotPermitted: the author may not; managers assign and set the priority, admins also change the rest.
        InvalidValue: the attributes are not of the kind that the dataset's task type has.
        Refused: the sample is labeled by the numbers of its frames, and has other frames in the new attributes.
        AlreadyExists: the new name is taken.
    """
    needs = [action for action, fields in (("change", PLAIN), ("assign", ASSIGNING)) if fields & changes.keys()]

    def attempt() -> None:
        found = queries.find_sample(sample, person=intent.on_behalf_of or intent.author)
        for action in needs or ["assign"]:
            access.require(action, role=found.role, public=found.public, dataset=found.dataset)
        if earlier(found.dataset, intent) is not None:
            return
        checked = _with_people([changes])[0]
        state = queries.state_of(found.sample)
        different = {key: value for key, value in checked.items() if not values.same(getattr(state, key), value)}
        if "attributes" in different:
            check_sample(found.task_type, different["attributes"])
            if task_type(found.task_type).by_frame:
                _refuse_other_frames(state, different["attributes"])
        facts: list[Fact] = []
        plain = {key: value for key, value in different.items() if key in PLAIN}
        if plain:
            facts.append(e.SampleChanged(changes=plain))
        if "priority" in different:
            facts.append(e.SamplePrioritySet(priority=different["priority"]))
        roles = {
            key.removeprefix("assigned_"): value for key, value in different.items() if key.startswith("assigned_")
        }
        if roles:
            facts.append(e.SampleAssigned(roles=roles))
        triples: list[tuple[str, int, Fact]] = [(state.stream, state.version, fact) for fact in facts]
        if "attributes" in plain:
            triples = assets.pin_assets(found.dataset, assets.tokens_in(plain["attributes"])) + triples
        if triples or intent.replayable:
            try:
                append_streams(found.dataset, intent, triples, {state.stream: state}, None)
            except IntegrityError as error:
                if "sample_name_taken" in str(error):
                    raise AlreadyExists("Sample") from error
                raise

    decide(attempt)


def _refuse_other_frames(state: SampleState, attributes: JSON) -> None:
    """Refuse to put other frames below the numbers that labels know them by."""
    problem = sample_frames.renumbered(state.attributes, attributes)
    if problem and Label.objects.filter(sample_id=state.id, deleted=False, document__isnull=False).exists():
        raise Refused(
            f"attributes: the sample is labeled, and {problem}. Frames are added, moved, removed and given other times"
            " by POST /samples/{sample}/frames/, which takes their labels along."
        )


def archive_sample(*, intent: Intent, sample: uuid.UUID) -> None:
    """Delete a sample: its name is free, its history stays.

    Raises:
        NotFound, NotPermitted: the author may not.
    """

    def attempt() -> None:
        try:
            found = queries.find_sample(sample, person=intent.on_behalf_of or intent.author)
        except NotFound:
            gone = Sample.objects.filter(id=sample, archived=True).first()
            if gone is None or earlier(gone.dataset_id, intent) is None:
                raise
            return
        access.require("change", role=found.role, public=found.public, dataset=found.dataset)
        state = queries.state_of(found.sample)
        append_streams(
            found.dataset, intent, [(state.stream, state.version, e.SampleArchived())], {state.stream: state}, None
        )

    decide(attempt)


def archive_samples(*, intent: Intent, dataset: uuid.UUID, samples: list[uuid.UUID]) -> int:
    """Delete several samples at once, all or nothing; ids of no sample here are passed over. Returns how many.

    The caller has checked that the author may.
    """

    def attempt() -> int:
        replay = earlier(dataset, intent)
        if replay is not None:
            return int(replay.answer["deleted"])
        rows = list(Sample.objects.filter(dataset_id=dataset, archived=False, id__in=samples).order_by("id"))
        states = {state.stream: state for state in map(queries.state_of, rows)}
        triples: list[tuple[str, int, Fact]] = [
            (state.stream, state.version, e.SampleArchived()) for state in states.values()
        ]
        if triples or intent.replayable:
            append_streams(dataset, intent, triples, states, {"deleted": len(triples)})
        return len(triples)

    return decide(attempt)


def append_streams(
    dataset: uuid.UUID,
    intent: Intent,
    triples: list[tuple[str, int, Fact]],
    states: dict[str, SampleState],
    answer: JSON | None,
) -> store.Appended:
    """Append facts of samples and files with their rows; `states` holds the samples that were there before."""
    require_reason_in(dataset, intent, [fact for _, _, fact in triples])
    events = store.new_events(dataset, intent, triples)
    by_stream: dict[str, list[Event]] = {}
    for event in events:
        by_stream.setdefault(event.stream, []).append(event)
    rows = Rows()
    for stream, own in by_stream.items():
        if stream.startswith("asset/"):
            rows.add(asset_rows(own))
        else:
            rows.add(sample_state.rows(sample_state.fold(states.get(stream) or SampleState(dataset, stream), own)))
    try:
        appended = store.append(dataset, intent=intent, events=events, rows=rows, answer=answer)
    except LookupError as error:
        raise NotFound("The dataset") from error
    hint(dataset, appended)
    return appended
