"""The admin's front: its name, its menu by what people look for, and the pages that are of no noun."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import path, reverse

JSON = dict[str, Any]

#: The menu: a heading, and the models below it by app label and name. An app above adds its own with `plug`.
MENU: dict[str, list[str]] = {
    "Datasets": ["labeling.Dataset", "labeling.Sample", "labeling.LabelSet", "labeling.Label", "labeling.Issue"],
    "History": ["labeling.StoredEvent"],
    "People": ["labeling.Person", "labeling.OrganizationMember", "labeling.ApiKey"],
    "Machinery": ["dramatiq_postgres.Job"],
}
#: What the menu calls a model whose own name would not be understood.
NAMES = {
    "labeling.StoredEvent": "Events",
    "labeling.ApiKey": "API keys",
    "labeling.OrganizationMember": "Organisations",
    "dramatiq_postgres.Job": "Background jobs",
}


#: What is made on the page of something else, so that the menu has no empty form for it.
MADE_ELSEWHERE = {"labeling.Issue"}


def plug(heading: str, model: str) -> None:
    """Put a model of an app above at the end of a heading of the menu."""
    if model not in MENU[heading]:
        MENU[heading].append(model)


class PalimpsestSite(admin.AdminSite):
    """The admin of an installation."""

    site_title = "Palimpsest"
    site_header = "Palimpsest"
    index_title = "Overview"
    empty_value_display = "–"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The menu, with what somebody may see of it."""
        built: JSON = self._build_app_dict(request)
        found = {f"{label}.{model['object_name']}": model for label, app in built.items() for model in app["models"]}
        menu = []
        for heading, names in MENU.items():
            models = [found[name] | {"name": NAMES.get(name, found[name]["name"])} for name in names if name in found]
            models = [item | {"add_url": None} if _label(item) in MADE_ELSEWHERE else item for item in models]
            if models:
                address = reverse("admin:index", current_app=self.name)
                menu.append({"name": heading, "app_label": heading.lower(), "app_url": address, "models": models})
        return menu

    def get_urls(self) -> list[Any]:
        """The audit of the installation and the webhooks of all datasets have pages of their own."""
        from labeling.admin import audit, webhooks

        view = self.admin_view(partial(audit.installation_view, self))
        return [
            path("audit/", view, name="audits"),
            path("audit/<str:report>/", view, name="audited"),
            path("webhooks/", self.admin_view(partial(webhooks.installation_view, self)), name="webhooks"),
            *super().get_urls(),
        ]

    def index(self, request: HttpRequest, extra_context: JSON | None = None) -> HttpResponse:  # type: ignore[override]
        """How far each dataset is, what happened last, and how the queue does."""
        from labeling.admin.dashboard import overview

        return super().index(request, (extra_context or {}) | overview(request))

    def app_index(self, request: HttpRequest, app_label: str, extra_context: JSON | None = None) -> HttpResponse:  # type: ignore[override]
        """The menu has no pages of its own."""
        return HttpResponseRedirect(reverse("admin:index", current_app=self.name))

    def password_change(self, request: HttpRequest, extra_context: JSON | None = None) -> HttpResponseBase:  # type: ignore[override]
        """One's own password, set by the command."""
        from django.contrib.auth.views import PasswordChangeView

        from labeling.admin.people import OwnPasswordForm

        view: Callable[[HttpRequest], HttpResponseBase] = PasswordChangeView.as_view(
            form_class=OwnPasswordForm,
            success_url=reverse("admin:password_change_done", current_app=self.name),
            template_name="registration/password_change_form.html",
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        request.current_app = self.name
        return view(request)


def _label(item: JSON) -> str:
    return str(item["model"]._meta.label)
