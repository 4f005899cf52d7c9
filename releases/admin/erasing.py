"""Uploaded files, for who runs the installation: which there are, and erasing one for good after saying what goes."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling.admin import display, site
from labeling.admin.datasets import OWNER_NAME, DatasetFilter
from labeling.admin.denials import tell_denial
from labeling.admin.fields import LongTextField, TextField, words_of
from labeling.admin.recorded import REFUSALS, ReadAdmin
from labeling.admin.rights import intent_of, is_superuser
from labeling.commands.asset_erasure import erase_asset, plan_asset_erasure
from labeling.commands.assets import MEDIA
from labeling.models import Dataset, DatasetAsset
from labeling.rules.sample_state import asset_stream
from releases.erasures import losing

JSON = dict[str, Any]


class ErasureForm(forms.Form):
    """Why, and which file once more."""

    reason = LongTextField(
        rows=2, max_length=10_000, help_text="It stays in the logs: do not name who is in the picture."
    )
    filename = TextField(label="Its filename", help_text="Typed once more, so that nothing is erased by a slip.")

    def __init__(self, *arguments: Any, wanted: str, **options: Any) -> None:
        self.wanted = wanted
        super().__init__(*arguments, **options)

    def clean_filename(self) -> str:
        filename: str = self.cleaned_data["filename"]
        if filename != self.wanted:
            raise forms.ValidationError("This is not the name of the file on this page.")
        return filename


class StateFilter(admin.SimpleListFilter):
    """Files by whether their bytes are there."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("kept", "kept"), ("erased", "erased")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("kept", "erased"):
            return queryset
        return queryset.filter(erased_at__isnull=self.value() == "kept")


class FileList(ChangeList):
    """A page of files with the names of their datasets."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        datasets = Dataset.objects.filter(id__in={row.dataset_id for row in rows}).annotate(owner_name=OWNER_NAME)
        names = {row.id: f"{row.owner_name}/{row.name}" for row in datasets}
        for row in rows:
            row.dataset_name = names.get(row.dataset_id, "")
        self.result_list = rows


class FileAdmin(ReadAdmin):
    """The files that datasets refer to."""

    for_superusers = True
    list_display = ("named", "dataset", "bytes", "added", "state")
    list_filter = (StateFilter, DatasetFilter)
    search_fields = ("filename", "sha256", "token")
    ordering = ("-created_at", "id")

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return FileList

    def get_urls(self) -> list[URLPattern]:
        erase = self.admin_site.admin_view(partial(erase_view, self))
        return [path("<uuid:file>/erase/", erase, name="labeling_datasetasset_erase"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: JSON | None = None
    ) -> HttpResponse:
        """A file's page is that of erasing it, which first says where it is used."""
        if not is_superuser(request):
            raise PermissionDenied
        file = self.get_object(request, unquote(object_id))
        if file is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        return HttpResponseRedirect(reverse("admin:labeling_datasetasset_erase", args=[file.pk]))

    def stream_of(self, obj: Any) -> tuple[uuid.UUID, str] | None:
        return obj.dataset_id, asset_stream(obj.asset_id)

    @admin.display(description="File", ordering="filename")
    def named(self, obj: Any) -> SafeString:
        return format_html("<b>{}</b>", obj.filename)

    @admin.display(description="Dataset")
    def dataset(self, obj: Any) -> SafeString:
        url = reverse("admin:labeling_dataset_change", args=[obj.dataset_id])
        return format_html('<a href="{}">{}</a>', url, obj.dataset_name)

    @admin.display(description="Size", ordering="size_bytes")
    def bytes(self, obj: Any) -> str:
        return display.size(obj.size_bytes)

    @admin.display(description="Brought in", ordering="created_at")
    def added(self, obj: Any) -> Any:
        return display.when(obj.created_at)

    @admin.display(description="State")
    def state(self, obj: Any) -> SafeString:
        return display.badge("erased", "quiet") if obj.erased_at else display.badge("kept", "good")


def erase_view(page: FileAdmin, request: HttpRequest, file: uuid.UUID) -> HttpResponse:
    """Show the dry run, or erase."""
    if not is_superuser(request):
        raise PermissionDenied
    row = DatasetAsset.objects.filter(id=file).first()
    if row is None:
        raise Http404
    back = reverse("admin:labeling_datasetasset_changelist")
    form = ErasureForm(request.POST or None, wanted=row.filename)
    if request.method == "POST" and form.is_valid():
        try:
            erase_asset(intent=intent_of(request), sha256=row.sha256)
        except REFUSALS as error:
            tell_denial(request, error)
            message, where = words_of(error)
            form.add_error(where if where in form.fields else None, message)
        else:
            page.message_user(request, f"{row.filename} is erased; its hash and size stay.", messages.SUCCESS)
            return HttpResponseRedirect(request.path)
    plan = plan_asset_erasure(row.sha256)
    log, stream = row.dataset_id, asset_stream(row.asset_id)
    request.current_app = page.admin_site.name
    context = page.admin_site.each_context(request) | {
        "title": row.filename if row.erased_at else f"Erase {row.filename}",
        "opts": page.opts,
        "row": row,
        "plan": plan,
        "datasets": losing(plan),
        "form": form,
        "back_url": back,
        "picture": _picture(row),
        "events_url": f"{reverse('admin:labeling_storedevent_changelist')}?log={log}&stream={stream}",
        "facts": [
            ("Bytes", display.size(row.size_bytes)),
            ("Type", row.content_type or display.NOTHING),
            ("Brought in", display.when(row.created_at)),
            *([("Erased", display.when(row.erased_at))] if row.erased_at else []),
            ("SHA-256", row.sha256),
        ],
    }
    return TemplateResponse(request, "admin/releases/file/erase.html", context)


def _picture(row: DatasetAsset) -> str:
    """The address of a picture that is there."""
    is_there = row.erased_at is None and row.content_type.startswith("image/")
    return f"{MEDIA}{row.token}/{row.filename}" if is_there else ""


def register(admin_site: AdminSite) -> None:
    """Put the pages of files on the site."""
    admin_site.register(DatasetAsset, FileAdmin)
    site.plug("Datasets", "labeling.DatasetAsset")
    site.NAMES["labeling.DatasetAsset"] = "Files"
