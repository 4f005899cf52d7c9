"""Organisations: who belongs to them in which role. For their members, and for who runs the installation."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect

from labeling.admin import display, webhooks
from labeling.admin.denials import tell_denial
from labeling.admin.fields import Fieldsets, RecordForm, TextField, words_of
from labeling.admin.members import organization_rows, save_organization
from labeling.admin.recorded import REFUSALS, RecordedAdmin, people_to_offer
from labeling.admin.rights import installation_asks_reason, intent_of, is_superuser, person_of, visible_datasets
from labeling.commands import organizations as commands
from labeling.log import store
from labeling.log.event import INSTALLATION, Intent
from labeling.models import Dataset, OrganizationMember, Person
from labeling.queries.organizations import role_in
from labeling.rules.access import ORGANIZATION_ACTIONS
from labeling.rules.organization_state import organization_stream

JSON = dict[str, Any]

MOST_DATASETS = 100


class AddOrganizationForm(RecordForm):
    """A new organisation; who makes it is its first administrator."""

    username = TextField(
        label="Name", max_length=150, help_text="Letters, digits and @ . _ + -; it stands in addresses."
    )

    fieldsets: ClassVar[Fieldsets] = [(None, {"fields": ["username"]})]


class OrganizationAdmin(RecordedAdmin):
    """Organisations. They are accounts; what is registered are the memberships, which have no account's page."""

    add_form = AddOrganizationForm
    dataset_column = ""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # the rows are those that they belong to

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def get_urls(self) -> list[URLPattern]:
        name = "labeling_organizationmember"
        page = self.admin_site.admin_view
        return [
            path("", page(self.changelist_view), name=f"{name}_changelist"),
            path("add/", page(self.add_view), name=f"{name}_add"),
            path("<uuid:organization>/change/", page(self.members_view), name=f"{name}_change"),
            path(
                "<uuid:organization>/webhooks/",
                page(csrf_protect(partial(webhooks.organization_view, self))),
                name=f"{name}_webhooks",
            ),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: JSON | None = None) -> HttpResponse:
        """The form of a new one, under the name that it has in the menu."""
        return super().add_view(request, form_url, {"title": "New organisation"} | (extra_context or {}))

    def add(self, intent: Intent, form: RecordForm) -> uuid.UUID:
        return commands.found_organization(intent=intent, username=form.cleaned_data["username"]).id

    def made(self, key: uuid.UUID) -> Person:
        return Person.objects.get(id=key)

    def after_add(self, request: HttpRequest, form: RecordForm, obj: Any) -> HttpResponse:
        self.message_user(request, f"{obj.username} is founded.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:labeling_organizationmember_change", args=[obj.id]))

    # --- pages ------------------------------------------------------------------------------------------------------

    def organization_here(self, request: HttpRequest, organization: uuid.UUID) -> Person:
        """The organisation of a page; who does not belong to it finds none."""
        found = self._visible(request).filter(id=organization).first()
        if found is None:
            raise Http404
        return found

    def manages(self, request: HttpRequest, organization: uuid.UUID) -> bool:
        """Whether who is logged in is an administrator of the organisation, or runs the installation."""
        return is_superuser(request) or role_in(organization, person_of(request).id) in ORGANIZATION_ACTIONS["manage"]

    def _visible(self, request: HttpRequest) -> QuerySet[Person]:
        found = Person.objects.filter(is_organization=True)
        if is_superuser(request):
            return found
        own = OrganizationMember.objects.filter(person_id=person_of(request).id).values("organization_id")
        return found.filter(id__in=own)

    def changelist_view(self, request: HttpRequest, extra_context: JSON | None = None) -> HttpResponse:
        """The organisations that somebody belongs to; all of them for who runs the installation."""
        leaf = Paginator(self._visible(request).order_by("username"), 50).get_page(request.GET.get("page"))
        ids = [item.id for item in leaf.object_list]
        counted = OrganizationMember.objects.filter(organization_id__in=ids).values("organization_id")
        members = dict(counted.annotate(n=Count("id")).values_list("organization_id", "n"))
        owned = Dataset.objects.filter(owner_id__in=ids, deleted=False).values("owner_id")
        datasets = dict(owned.annotate(n=Count("id")).values_list("owner_id", "n"))
        own = OrganizationMember.objects.filter(organization_id__in=ids, person_id=person_of(request).id)
        roles = dict(own.values_list("organization_id", "role"))
        lines = [
            {
                "name": item.username,
                "url": reverse("admin:labeling_organizationmember_change", args=[item.id]),
                "role": roles.get(item.id, ""),
                "members": members.get(item.id, 0),
                "datasets": datasets.get(item.id, 0),
                "since": display.when(item.date_joined),
            }
            for item in leaf.object_list
        ]
        context = {"lines": lines, "leaf": leaf, "may_add": self.has_add_permission(request)}
        return self.shown(request, "list.html", "Organisations", context)

    @method_decorator(csrf_protect)
    def members_view(self, request: HttpRequest, organization: uuid.UUID) -> HttpResponse:
        """One organisation: its members and datasets."""
        found = self.organization_here(request, organization)
        manages = self.manages(request, organization)
        if request.method == "POST" and not manages:
            raise PermissionDenied
        stream = organization_stream(organization)
        version = store.version(INSTALLATION, stream)
        outdated = request.method == "POST" and request.POST.get("seen") != str(version)
        data = request.POST if request.method == "POST" and not outdated else None
        rows = organization_rows(organization, data)
        if not manages:
            rows.freeze()
        problem = "Somebody changed this since you opened the page; look again, then save." if outdated else ""
        if data is not None and rows.is_valid():
            try:
                with transaction.atomic():
                    save_organization(rows, intent_of(request), organization)
            except REFUSALS as error:
                tell_denial(request, error)
                problem = words_of(error)[0]
            else:
                self.message_user(request, "The members are saved.", messages.SUCCESS)
                return HttpResponseRedirect(self._after_save(request, organization))
        context = {
            "organization": found,
            "rows": rows,
            "seen": version,
            "has_change_permission": manages,
            "problem": problem,
            "people": people_to_offer(request),
            "asks_reason": installation_asks_reason("organization"),
            "who_asks": "This installation",
            "datasets": self._datasets(request, organization),
            "members_help": (
                "A member reads the organisation's datasets and creates their own; an administrator is an admin of all"
                " of them and manages its members."
            ),
        }
        return self.shown(request, "page.html", found.username, context)

    def _after_save(self, request: HttpRequest, organization: uuid.UUID) -> str:
        """The same page, unless somebody just left."""
        if self._visible(request).filter(id=organization).exists():
            return request.get_full_path()
        return reverse("admin:labeling_organizationmember_changelist")

    def _datasets(self, request: HttpRequest, organization: uuid.UUID) -> list[JSON]:
        rows = visible_datasets(request).filter(owner_id=organization).order_by("name")[:MOST_DATASETS]
        return [{"name": row.name, "url": reverse("admin:labeling_dataset_change", args=[row.id])} for row in rows]

    def shown(self, request: HttpRequest, template: str, title: str, context: JSON) -> TemplateResponse:
        """A page of organisations."""
        request.current_app = self.admin_site.name
        names = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "media": self.media}
        return TemplateResponse(request, f"admin/labeling/organizationmember/{template}", names | context)
