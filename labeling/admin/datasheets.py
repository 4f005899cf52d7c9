"""The page of a dataset's datasheet: what is asked, and what was said.

The page sends all fields. Only those are set that differ from what it showed, by the offset that it was read at, so
that two people who fill in different fields do not undo each other.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from labeling.admin import display
from labeling.admin.denials import tell_denial
from labeling.admin.fields import words_of
from labeling.admin.recorded import REFUSALS
from labeling.admin.rights import intent_of, may
from labeling.admin.tabs import dataset_here, shown
from labeling.commands import datasheets as commands
from labeling.log import store
from labeling.log.event import Event
from labeling.queries.datasheets import datasheet_of, said_since, text_of
from labeling.rules.datasheet import FIELDS, MOST_TEXT

if TYPE_CHECKING:
    from labeling.admin.datasets import DatasetAdmin


def view(page: DatasetAdmin, request: HttpRequest, dataset: uuid.UUID) -> HttpResponseBase:
    """Show the datasheet, and say something in it."""
    found = dataset_here(request, dataset)
    problem = ""
    head, seen = store.head(dataset), _seen(request)
    sent = _changed(request, dataset, seen)
    if request.method == "POST":
        if not may(request, "change", dataset):
            raise PermissionDenied
        try:
            with transaction.atomic():
                intent, changed = intent_of(request), []
                if sent:
                    changed = commands.set_datasheet(intent=intent, dataset=dataset, changes=sent, seen=seen)
        except REFUSALS as error:
            tell_denial(request, error)
            problem = words_of(error)[0]
        else:
            words = f"{len(changed)} field{'s' * (len(changed) != 1)} changed."
            page.message_user(request, words if changed else "Nothing was changed.", messages.SUCCESS)
            return HttpResponseRedirect(request.path)
    said = datasheet_of(dataset, up_to=head)
    since = said_since(dataset, seen) if problem else set()
    names = display.usernames([event.intent.author for event in said.values()])
    rows = [
        {
            "name": name,
            "words": name.replace("_", " ").capitalize(),
            "section": field.section,
            "asks": field.asks,
            "required": field.required,
            "text": sent.get(name, _text(said, name)),
            "now": _text(said, name) or "nothing" if name in sent and name in since else "",
            "by": display.name_of(said[name].intent.author, names) if name in said else "",
            "when": display.when(said[name].recorded_at) if name in said else "",
        }
        for name, field in FIELDS.items()
    ]
    context = {
        "fields": rows,
        "missing": sum(field.required and name not in said for name, field in FIELDS.items()),
        "problem": problem,
        "seen": head,
        "text_limit": MOST_TEXT,
        "report_url": reverse("admin:labeling_dataset_audited", args=[dataset, "datasheet"])
        if may(request, "audit", dataset)
        else "",
    }
    template = "admin/labeling/dataset/datasheet.html"
    return shown(page, request, found, template, "Datasheet", "datasheet", context, status=400 if problem else 200)


def _seen(request: HttpRequest) -> int:
    """The offset at which the page that is sent was read."""
    text = request.POST.get("seen", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _changed(request: HttpRequest, dataset: uuid.UUID, seen: int) -> dict[str, str]:
    """The fields that are sent with something else than what the page showed."""
    sent = {name: _lines(request.POST[name]) for name in FIELDS if name in request.POST}
    shown = datasheet_of(dataset, up_to=seen) if sent else {}
    return {name: text for name, text in sent.items() if text.strip() != _lines(_text(shown, name))}


def _lines(text: str) -> str:
    """A text by the line breaks that people type; browsers make all of them the same."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _text(said: Mapping[str, Event], name: str) -> str:
    return text_of(said[name], name) if name in said else ""
