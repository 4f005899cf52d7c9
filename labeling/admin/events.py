"""Events, to be searched and looked at. One log at a time, because the table's keys begin with the log."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.validators import MaxValueValidator
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from labeling.admin import display, words
from labeling.admin.datasets import OWNER_NAME
from labeling.admin.fields import PersonField, TextField
from labeling.admin.places import Places
from labeling.admin.recorded import ReadAdmin, people_to_offer
from labeling.admin.rights import is_superuser, readable_logs
from labeling.api.restoring import offset_of
from labeling.log import browse, store
from labeling.log.browse import Headline
from labeling.log.event import (
    FIRST_CHAIN,
    INSTALLATION,
    SECURITY,
    Event,
    chained,
    data_digest,
    event_digest,
    microseconds,
    vocabulary,
)
from labeling.texts import decrypt_all

JSON = dict[str, Any]

PAGE = 50
MOST_DATASETS = 500
A_DAY = dt.timedelta(days=1)
LAST_DAY = dt.date.max - A_DAY  # there has to be a midnight behind it


class SearchForm(forms.Form):
    """What to look for. Without a log there is nothing to search, only what happened last."""

    log = forms.ChoiceField(label="Dataset", required=False)
    type = forms.ChoiceField(required=False)
    author = PersonField(required=False)
    stream = TextField(required=False)
    since = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(
        label="To",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        validators=[MaxValueValidator(LAST_DAY)],
    )
    text = TextField(required=False, max_length=200)
    before = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    def __init__(self, data: Any, *, request: HttpRequest) -> None:
        super().__init__(data)
        rows = readable_logs(request).annotate(owner_name=OWNER_NAME).order_by("owner_name", "name")[:MOST_DATASETS]
        logs = [(str(row.id), f"{row.owner_name}/{row.name}") for row in rows]
        if is_superuser(request):
            logs.append((str(INSTALLATION), "the installation: accounts, organisations and keys"))
            logs.append(
                (str(SECURITY), "security: logins, uses of keys, denied commands, downloads and reads of the audit")
            )
        self.fields["log"].choices = [("", "all, the latest"), *logs]  # type: ignore[attr-defined]
        self.fields["type"].choices = [("", "any"), *((name, name) for name in vocabulary.names())]  # type: ignore[attr-defined]
        self.fields["stream"].widget.attrs["placeholder"] = "sample/… or label/…"
        self.fields["text"].widget.attrs["placeholder"] = "words or a uuid"
        for name in ("stream", "text"):
            self.fields[name].widget.attrs["type"] = "search"


class EventAdmin(ReadAdmin):
    """Events, read-only."""

    dataset_column = ""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # of the logs that they may read

    def changelist_view(self, request: HttpRequest, extra_context: JSON | None = None) -> HttpResponse:
        """The newest events of a log that fit a search, or the newest of all."""
        data = {key: value for key, value in request.GET.items() if key in SearchForm.base_fields}
        form = SearchForm(data, request=request)
        found: list[Headline] = []
        problem = ""
        asked: JSON = {}
        if form.is_valid():
            asked = form.cleaned_data
            try:
                found = _found(request, asked)
            except browse.TooSlow:
                problem = "The search took too long. Ask for a type, a stream, or a shorter time."
        context = self.admin_site.each_context(request) | {
            "title": "Events",
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "problem": problem,
            "lines": lines_of(found[:PAGE]),
            "people": people_to_offer(request),
            "one_log": bool(asked.get("log")),
            "older": _older(data, found),
            "newest": "?" + urlencode({**data, "before": ""}) if data.get("before") else "",
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/labeling/storedevent/list.html", context | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: JSON | None = None
    ) -> HttpResponse:
        """The page of one event; its id is its log and its offset."""
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        log, offset = _place(unquote(object_id))
        if not may_read(request, log):
            raise Http404
        found = store.read(log, after=offset - 1, limit=1, up_to=offset)
        if not found:
            raise Http404
        context = self.admin_site.each_context(request) | {
            "eyebrow": "Event",
            "opts": self.opts,
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/labeling/storedevent/page.html", context | page_of(found[0]))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: JSON | None = None) -> HttpResponse:
        raise Http404  # an event has no history


def may_read(request: HttpRequest, log: uuid.UUID) -> bool:
    """Whether who is logged in may read a log."""
    return is_superuser(request) or readable_logs(request, [log]).exists()


def event_id(log: uuid.UUID, offset: int) -> str:
    """How an event is named in the admin's addresses."""
    return f"{log}@{offset}"


def _place(text: str) -> tuple[uuid.UUID, int]:
    log, _, offset = text.partition("@")
    try:
        place = uuid.UUID(log), int(offset)
    except ValueError as error:
        raise Http404 from error
    if not 1 <= place[1] < 2**63:
        raise Http404
    return place


def latest(request: HttpRequest, limit: int) -> list[Headline]:
    """The newest events of the logs that somebody may read."""
    logs = None if is_superuser(request) else list(readable_logs(request).values_list("id", flat=True))
    return browse.newest_of_all(logs, limit=limit)


def _found(request: HttpRequest, asked: JSON) -> list[Headline]:
    """One more than a page, which tells whether there is another one."""
    if not asked["log"]:
        return latest(request, PAGE)
    log = uuid.UUID(asked["log"])
    return browse.newest(
        log,
        limit=PAGE + 1,
        before=asked["before"],
        # Times rise with the offsets, so a day is a stretch of offsets.
        first=offset_of(log, _midnight(asked["since"]), first=True) if asked["since"] else None,
        last=offset_of(log, _midnight(asked["until"]) + A_DAY) if asked["until"] else None,
        stream=asked["stream"] or None,
        types=[asked["type"]] if asked["type"] else (),
        author=asked["author"].id if asked["author"] else None,
        text=asked["text"],
    )


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)


def _older(data: JSON, found: list[Headline]) -> str:
    return "?" + urlencode({**data, "before": found[PAGE - 1].offset}) if len(found) > PAGE else ""


def named(headlines: list[Headline]) -> tuple[list[Headline], dict[uuid.UUID, str]]:
    """The headlines with the names of the people that their data is about, for words; and the names of all people."""
    about = {
        (item.log, item.offset): uuid.UUID(item.data["person"])
        for item in headlines
        if item.data and item.data.get("person")
    }
    authors = [person for item in headlines for person in (item.author, item.on_behalf_of)]
    names = display.usernames([*authors, *about.values()])
    told = [
        replace(item, data=item.data | {"person_name": display.name_of(about[item.log, item.offset], names)})
        if item.data and item.data.get("person")
        else item
        for item in headlines
    ]
    return told, names


def lines_of(headlines: list[Headline]) -> list[JSON]:
    """What a list says of each event."""
    headlines, names = named(headlines)
    places = Places(headlines)
    return [
        {
            "item": item,
            "url": reverse("admin:labeling_storedevent_change", args=[event_id(item.log, item.offset)]),
            "when": display.when(item.recorded_at),
            "who": who(item.author, item.author_kind, item.on_behalf_of, names),
            "what": words.phrase(item.type, item.data),
            "place": places.of(item),
        }
        for item in headlines
    ]


def who(author: uuid.UUID, kind: str, on_behalf_of: uuid.UUID | None, names: dict[uuid.UUID, str]) -> str:
    """The author in words: a person, or what acted for one."""
    said = display.name_of(author, names)
    if kind != "person" and said != "command line":
        said = f"{said} ({kind})"
    return f"{said} for {display.name_of(on_behalf_of, names)}" if on_behalf_of else said


def page_of(event: Event) -> JSON:
    """What an event's page shows: who, when, why, where, its data, and whether the chain holds here."""
    intent = event.intent
    assert event.offset is not None
    assert event.recorded_at is not None
    assert event.chain is not None
    headline = Headline(
        log=event.log,
        offset=event.offset,
        stream=event.stream,
        version=event.version,
        type=event.type,
        author=intent.author,
        author_kind=intent.author_kind,
        on_behalf_of=intent.on_behalf_of,
        tool=intent.tool,
        command=intent.command,
        recorded_at=event.recorded_at,
        data=event.data,
    )
    (headline,), names = named([headline])
    place = Places([headline]).of(headline)
    reason = decrypt_all([intent.reason])[0]
    listed = reverse("admin:labeling_storedevent_changelist")
    head = store.head(event.log)
    return {
        "event": event,
        "title": f"{event.type} at offset {event.offset}",
        "what": words.phrase(event.type, headline.data),
        "who": who(intent.author, intent.author_kind, intent.on_behalf_of, names),
        "place": place,
        "when": display.when(event.recorded_at),
        "reason": reason,
        "data": display.json_block(event.data),
        "facts": [
            ("Log", f"{place.log_words} ({event.log})"),
            ("Stream", event.stream),
            ("Version in the stream", event.version),
            ("Type", f"{event.type}, schema {event.schema_version}"),
            ("Author", f"{display.name_of(intent.author, names)} ({intent.author})"),
            ("Author kind", intent.author_kind),
            ("On behalf of", display.name_of(intent.on_behalf_of, names)),
            ("Tool", intent.tool or display.NOTHING),
            ("Recorded at (server)", event.recorded_at.isoformat(sep=" ")),
            ("Occurred at (client)", intent.occurred_at.isoformat(sep=" ") if intent.occurred_at else display.NOTHING),
            ("Command", intent.command),
            ("Gesture or bulk action", intent.correlation or display.NOTHING),
            ("Caused by", intent.causation or display.NOTHING),
            ("Work session", intent.work_session or display.NOTHING),
            ("Dataset offset seen", intent.seen_offset or display.NOTHING),
            ("Event id", event.event_id),
            ("Application", event.app_version),
            ("Data hash", event.data_hash.hex() if event.data_hash else display.NOTHING),
            ("Chain hash", event.chain.hex()),
        ],
        "holds": _holds(event),
        "stream_url": f"{listed}?{urlencode({'log': event.log, 'stream': event.stream})}",
        "command_url": f"{listed}?{urlencode({'log': event.log, 'text': intent.command})}",
        "log_url": f"{listed}?{urlencode({'log': event.log})}",
        "previous_url": _event_url(event.log, event.offset - 1) if event.offset > 1 else "",
        "next_url": _event_url(event.log, event.offset + 1) if event.offset < head else "",
    }


def _event_url(log: uuid.UUID, offset: int) -> str:
    return reverse("admin:labeling_storedevent_change", args=[event_id(log, offset)])


def _holds(event: Event) -> bool:
    """Whether this event's hashes are those of what is stored, on top of the chain up to the event before it."""
    assert event.offset is not None
    assert event.recorded_at is not None
    try:
        before = FIRST_CHAIN if event.offset == 1 else store.chain_at(event.log, event.offset - 1)
    except LookupError:
        return False
    data_hash = data_digest(event.data)
    digest = event_digest(event, data_hash)
    chain = chained(before, event.offset, event.version, microseconds(event.recorded_at) or 0, digest)
    return data_hash == event.data_hash and chain == event.chain
