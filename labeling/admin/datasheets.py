"""The page of a dataset's datasheet: what is asked, and what was said."""

from __future__ import annotations

import uuid
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
from labeling.queries.datasheets import datasheet_of, text_of
from labeling.rules.datasheet import FIELDS, MOST_TEXT

if TYPE_CHECKING:
    from labeling.admin.datasets import DatasetAdmin


def view(page: DatasetAdmin, request: HttpRequest, dataset: uuid.UUID) -> HttpResponseBase:
    """Show the datasheet, and say something in it."""
    found = dataset_here(request, dataset)
    problem = ""
    sent = {name: request.POST[name].replace("\r\n", "\n") for name in FIELDS if name in request.POST}
    if request.method == "POST":
        if not may(request, "change", dataset):
            raise PermissionDenied
        try:
            with transaction.atomic():
                changed = commands.set_datasheet(intent=intent_of(request), dataset=dataset, changes=sent)
        except REFUSALS as error:
            tell_denial(request, error)
            problem = words_of(error)[0]
        else:
            words = f"{len(changed)} field{'s' * (len(changed) != 1)} changed."
            page.message_user(request, words if changed else "Nothing was changed.", messages.SUCCESS)
            return HttpResponseRedirect(request.path)
    said = datasheet_of(dataset)
    names = display.usernames([event.intent.author for event in said.values()])
    rows = [
        {
            "name": name,
            "words": name.replace("_", " ").capitalize(),
            "section": field.section,
            "asks": field.asks,
            "required": field.required,
            "text": sent.get(name, text_of(said[name], name) if name in said else ""),
            "by": display.name_of(said[name].intent.author, names) if name in said else "",
            "when": display.when(said[name].recorded_at) if name in said else "",
        }
        for name, field in FIELDS.items()
    ]
    context = {
        "fields": rows,
        "missing": sum(field.required and name not in said for name, field in FIELDS.items()),
        "problem": problem,
        "text_limit": MOST_TEXT,
        "report_url": reverse("admin:labeling_dataset_audited", args=[dataset, "datasheet"])
        if may(request, "audit", dataset)
        else "",
    }
    template = "admin/labeling/dataset/datasheet.html"
    return shown(page, request, found, template, "Datasheet", "datasheet", context, status=400 if problem else 200)
