"""Restore: of a label, of a sample, of a dataset."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.contract import Reply, documented
from labeling.api.labels import find, sample_id
from labeling.api.requests import body_of, intent_of, place_said, seen_of, uuid_of
from labeling.api.schemas.parameters import DATASET_OFFSET, ETAG, IF_MATCH, IF_NONE_MATCH
from labeling.api.schemas.undo import RESTORE, RESTORE_MANY, RESTORED, RESTORED_MANY
from labeling.api.undo import ABOUT, HOW, how, only, undone_answer
from labeling.api.views import Answer, View
from labeling.commands import restoring as commands
from labeling.commands.restoring import Past
from labeling.errors import InvalidValue
from labeling.log import store
from labeling.log.search import Wanted
from labeling.models import Person
from labeling.queries.places import as_offset
from labeling.queries.samples import find_sample
from labeling.rules import access

JSON = dict[str, Any]
REFUSALS = ("in_the_way", "refused", "storage_unavailable")
#: What can be restored, with the fields that it takes.
KINDS: dict[str, tuple[str, ...]] = {
    "event": ("offset",),
    "gesture": ("gesture",),
    "work_session": ("work_session",),
    "author": ("author", "since", "until"),
    "object": ("object", "at"),
    "label": ("at",),
    "sample": ("at",),
}
OF_LABEL = ("event", "gesture", "work_session", "author", "object", "label")
OF_SAMPLE = ("event", "gesture", "work_session", "author", "sample")
OF_DATASET = ("event", "gesture", "work_session", "author")
#: What a place in the log can be said as.
PLACE = "must be an offset of the dataset, a time in ISO 8601, the id of an event, or the name of a release"
EARLIEST = dt.datetime.min.replace(tzinfo=dt.UTC)
MOMENT = dt.timedelta(microseconds=1)


class LabelRestoreView(View):
    """Restore a label."""

    writes = "label"

    @documented(
        "label_restore",
        "label",
        {200: Reply(RESTORED, (ETAG, DATASET_OFFSET))},
        body=RESTORE,
        parameters=(IF_MATCH, IF_NONE_MATCH),
        appends=True,
        refusals=REFUSALS,
    )
    def post(self, request: Request, sample: str, label_set: str) -> Answer:
        """Take back events of a label (one, a gesture, a work session, somebody's in a time), or make an object or all
        of it what it was at an offset or a time; by new events. What others did takes a manager, and a reason."""
        body = body_of(request)
        only(body, {"of"} | HOW | ABOUT)
        found = find(request, sample, label_set, "history", ids=[])
        undone = commands.restore_label(
            intent=intent_of(request, body),
            sample=sample_id(sample),
            label_set=label_set,
            past=past_of(body, found.dataset, OF_LABEL),
            seen=seen_of(request),
            **how(body),
        )
        return undone_answer(undone)


class _ManyView(View):
    """Restores labels of one dataset."""

    writes = "label"

    def _post(self, request: Request, dataset: uuid.UUID, kinds: tuple[str, ...], prefix: str) -> Answer:
        body = body_of(request)
        only(body, {"of", "after"} | HOW | ABOUT)
        after = "" if body.get("after") is None else body["after"]
        if not isinstance(after, str) or (after and not after.startswith("label/")):
            raise InvalidValue("after", "must be what an answer gave as `next`")
        intent = intent_of(request, body)
        reports, following = commands.restore_labels(
            intent=intent,
            dataset=dataset,
            past=past_of(body, dataset, kinds),
            prefix=prefix,
            after=after,
            **how(body),
        )
        done = {"gesture": intent.correlation or intent.command, "labels": reports, "next": following}
        return answer(done, headers={"Dataset-Offset": str(store.head(dataset))})


class SampleRestoreView(_ManyView):
    """Restore the labels of a sample."""

    @documented(
        "sample_restore",
        "label",
        {200: Reply(RESTORED_MANY, (DATASET_OFFSET,))},
        body=RESTORE_MANY,
        appends=True,
        refusals=REFUSALS,
    )
    def post(self, request: Request, sample: str) -> Answer:
        """Restore the sample's labels in all label sets, as `label_restore` does one; all of it is one gesture."""
        found = find_sample(sample_id(sample), person=self.person)
        access.require("label", role=found.role, public=found.public, dataset=found.dataset)
        return self._post(request, found.dataset, OF_SAMPLE, f"label/{sample_id(sample)}/")


class DatasetRestoreView(_ManyView):
    """Restore labels of a dataset."""

    @documented(
        "dataset_restore",
        "label",
        {200: Reply(RESTORED_MANY, (DATASET_OFFSET,))},
        body=RESTORE_MANY,
        appends=True,
        refusals=REFUSALS,
    )
    def post(self, request: Request, owner: str, name: str) -> Answer:
        """Take back a bulk action, a work session, or what somebody did between two times, in all labels; each label is
        an append of its own, all of one gesture. With more than 500 labels `next` says where to go on."""
        found = self.dataset(owner, name, "label")
        return self._post(request, found.id, OF_DATASET, "label/")


# --- what is asked for ---------------------------------------------------------------------------------------------


def past_of(body: JSON, dataset: uuid.UUID, kinds: tuple[str, ...]) -> Past:
    """What `of` says.

    Raises:
        InvalidValue: by its field.
    """
    of = body.get("of")
    if not isinstance(of, dict):
        raise InvalidValue("of", "must say what to restore")
    kind = of.get("kind")
    if kind not in kinds:
        raise InvalidValue("of.kind", f"must be one of {', '.join(kinds)}")
    for key in of:
        if key != "kind" and key not in KINDS[kind]:
            raise InvalidValue("of", f"of this kind has {', '.join(KINDS[kind])}")
    match kind:
        case "event":
            offset = _offset(of, "offset")
            return Past(of, Wanted(first=offset, last=offset))
        case "gesture":
            gesture = _uuid(of, "gesture")
            return Past({"kind": kind, "gesture": str(gesture)}, Wanted(gesture=gesture))
        case "work_session":
            session = _uuid(of, "work_session")
            return Past({"kind": kind, "work_session": str(session)}, Wanted(work_session=session))
        case "author":
            author = person_named(of.get("author"))
            if author is None:
                raise InvalidValue("of.author", "must be a username, or the id of a person")
            first = _place(of, "since", dataset, first=True) if of.get("since") is not None else 1
            last = _place(of, "until", dataset) if of.get("until") is not None else None
            told = {"kind": kind, "author": str(author), "first": first} | ({} if last is None else {"last": last})
            return Past(told, Wanted(author=author, first=first, last=last))
    offset = _place(of, "at", dataset)
    if kind == "object":
        key = str(_uuid(of, "object"))
        return Past({"kind": kind, "object": key, "offset": offset}, offset=offset, object=key)
    return Past({"kind": kind, "offset": offset}, offset=offset)


def person_named(text: Any) -> uuid.UUID | None:
    """A person by today's username, or by their id; None for anything else."""
    if not isinstance(text, str):
        return None
    known = Person.objects.filter(username=text).values_list("id", flat=True).first() if text.isprintable() else None
    return known or uuid_of(text)


def _offset(of: JSON, key: str) -> int:
    value = of.get(key)
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise InvalidValue(f"of.{key}", "must be an offset of the dataset")
    return value


def _uuid(of: JSON, key: str) -> uuid.UUID:
    value = of.get(key)
    found = uuid_of(value) if isinstance(value, str) else None
    if found is None:
        raise InvalidValue(f"of.{key}", "must be a uuid")
    return found


def _place(of: JSON, key: str, dataset: uuid.UUID, *, first: bool = False) -> int:
    """An offset; the last one recorded at or before a time (or with `first` the first one since); that of an event; or
    that of a name, of a release for example."""
    value = of.get(key)
    if type(value) is int:
        return _offset(of, key)
    said = place_said(value, f"of.{key}") if isinstance(value, str) and value else None
    if isinstance(said, dt.datetime):
        return offset_of(dataset, said, first=first)
    if said is None:
        raise InvalidValue(f"of.{key}", PLACE)
    try:
        return as_offset(dataset, said, store.head(dataset))
    except InvalidValue as error:
        raise InvalidValue(f"of.{key}", PLACE) from error


def offset_of(dataset: uuid.UUID, at: dt.datetime, *, first: bool = False) -> int:
    """The last offset recorded at or before a time, or with `first` the first one since."""
    if not first:
        return store.offset_at(dataset, at)
    return store.offset_at(dataset, at - MOMENT) + 1 if at - EARLIEST > MOMENT else 1
