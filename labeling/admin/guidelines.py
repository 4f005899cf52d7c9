"""The page of a dataset's guideline: a version of it as it reads, a new version, and what others there are."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect

from labeling.admin import display
from labeling.admin.denials import tell_denial
from labeling.admin.fields import words_of
from labeling.admin.markdown import rendered
from labeling.admin.recorded import REFUSALS
from labeling.admin.rights import intent_of, may
from labeling.admin.tabs import dataset_here, shown
from labeling.commands import guidelines as commands
from labeling.queries.guidelines import guidelines_of

if TYPE_CHECKING:
    from labeling.admin.datasets import DatasetAdmin

JSON = dict[str, Any]


def view(page: DatasetAdmin, request: HttpRequest, dataset: uuid.UUID) -> HttpResponseBase:
    """Show the guideline that is in force, or `?version=` of it, and set another."""
    found = dataset_here(request, dataset)
    problem = ""
    sent = request.POST.get("text", "").replace("\r\n", "\n")
    if request.method == "POST":
        if not may(request, "change", dataset):
            raise PermissionDenied
        try:
            with transaction.atomic():
                version = commands.set_guideline(intent=intent_of(request), dataset=dataset, text=sent)
        except REFUSALS as error:
            tell_denial(request, error)
            problem = words_of(error)[0]
        else:
            page.message_user(request, f"Version {version} of the guideline is in force.", messages.SUCCESS)
            return HttpResponseRedirect(request.path)
    versions = guidelines_of(dataset)
    wanted = request.GET.get("version", "") or str(len(versions))
    if versions and wanted not in (str(item.version) for item in versions):
        raise Http404
    names = display.usernames([item.author for item in versions])
    rows = [
        {
            "version": item.version,
            "in_force": item.version == len(versions),
            "is_shown": str(item.version) == wanted,
            "html": rendered(item.text) if str(item.version) == wanted else "",
            "url": item.url,
            "by": display.name_of(item.author, names),
            "when": display.when(item.recorded_at),
            "offset": item.offset,
        }
        for item in reversed(versions)
    ]
    context = {
        "now": next((row for row in rows if row["is_shown"]), None),
        "versions": rows if len(rows) > 1 else [],
        "problem": problem,
        "text": sent if problem else versions[-1].text if versions else "",
        "text_limit": commands.MOST_TEXT,
    }
    template = "admin/labeling/dataset/guideline.html"
    return shown(page, request, found, template, "Guideline", "guideline", context, status=400 if problem else 200)
