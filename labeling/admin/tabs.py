"""The pages of one dataset: the row of links that stands on each of them, and what the pages below it share."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from labeling.admin.rights import may, visible_datasets
from labeling.models import Dataset, Person

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

JSON = dict[str, Any]


#: Tabs of apps above: (key, words, name of the address, which has the dataset's id in it, the action that it takes).
_plugged: list[tuple[str, str, str, str]] = []


def plug(key: str, words: str, address: str, action: str) -> None:
    """Put a tab of an app above in front of the last one."""
    if (key, words, address, action) not in _plugged:
        _plugged.append((key, words, address, action))


def tabs_of(request: HttpRequest, dataset: Dataset, current: str) -> list[JSON]:
    """What stands in the row; `current` is the page that it stands on."""

    def below(name: str) -> str:
        return reverse(f"admin:labeling_dataset_{name}", args=[dataset.id])

    def listed(model: str, key: str = "dataset") -> str:
        return f"{reverse(f'admin:labeling_{model}_changelist')}?{urlencode({key: dataset.id})}"

    found = [("settings", "Settings", below("change")), ("categories", "Categories", below("categories"))]
    found.append(("guideline", "Guideline", below("guideline")))
    found.append(("datasheet", "Datasheet", below("datasheet")))
    if may(request, "change", dataset.id):
        found.append(("upload", "Upload", below("upload")))
    found += [
        ("samples", "Samples", listed("sample")),
        ("labels", "Labels", listed("label")),
        ("issues", "Issues", listed("issue")),
    ]
    if may(request, "webhooks", dataset.id):
        found.append(("webhooks", "Webhooks", below("webhooks")))
    if may(request, "history", dataset.id):
        found.append(("reports", "Reports", below("reports")))
    found += [
        (key, words, reverse(address, args=[dataset.id]))
        for key, words, address, action in _plugged
        if may(request, action, dataset.id)
    ]
    if may(request, "history", dataset.id):
        found.append(("events", "Events", listed("storedevent", "log")))
    if may(request, "audit", dataset.id):
        found.append(("audit", "Audit", below("audit")))
    return [{"words": words, "url": url, "current": key == current} for key, words, url in found]


def dataset_here(request: HttpRequest, dataset: uuid.UUID, *, sends: str = "change") -> Dataset:
    """The dataset of a page below it; who may not do the action `sends` may not send anything to such a page."""
    found = visible_datasets(request).filter(id=dataset).first()
    if found is None:
        raise Http404
    if request.method == "POST" and not may(request, sends, dataset):
        raise PermissionDenied
    return found


def shown(
    page: ModelAdmin[Any],
    request: HttpRequest,
    dataset: Dataset,
    template: str,
    title: str,
    tab: str,
    context: JSON,
    *,
    status: int = 200,
) -> TemplateResponse:
    """A page below a dataset's."""
    owner = Person.objects.filter(id=dataset.owner_id).values_list("username", flat=True).first()
    names = {
        **page.admin_site.each_context(request),
        "title": title,
        "full_name": f"{owner or '?'}/{dataset.name}",
        "opts": page.opts,
        "media": page.media,
        "dataset": dataset,
        "editable": may(request, "change", dataset.id),
        "tabs": tabs_of(request, dataset, tab),
    }
    request.current_app = page.admin_site.name
    return TemplateResponse(request, template, names | context, status=status)
