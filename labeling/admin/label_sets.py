"""Label sets: which there are, how many labels they hold, new ones, and deleting."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling.admin import display
from labeling.admin.datasets import OWNER_NAME, DatasetFilter
from labeling.admin.fields import Fieldsets, LongTextField, RecordForm, TextField
from labeling.admin.recorded import RecordedAdmin
from labeling.admin.rights import visible_datasets
from labeling.commands import datasets as commands
from labeling.log.event import Intent
from labeling.models import Dataset, Label, LabelSet
from labeling.rules.dataset_state import GROUND_TRUTH, STREAM

KINDS = [("predictions", "predictions of a model"), ("opinion", "a second opinion")]


class AddLabelSetForm(RecordForm):
    """A new label set."""

    dataset = TextField(help_text="owner/name")
    name = TextField(max_length=128, help_text="Letters, digits, dots, dashes and underscores.")
    kind = forms.ChoiceField(choices=KINDS)
    description = LongTextField(required=False, rows=3)

    fieldsets: ClassVar[Fieldsets] = [(None, {"fields": ["dataset", "name", "kind", "description"]})]

    def clean_dataset(self) -> Dataset:
        owner, _, name = self.cleaned_data["dataset"].partition("/")
        found = (
            visible_datasets(self.request).annotate(owner_name=OWNER_NAME).filter(owner_name=owner, name=name).first()
        )
        if found is None:
            raise ValidationError("There is no such dataset; write its owner, a slash, and its name.")
        return found


class ShownLabelSetForm(RecordForm):
    """A label set as it is; only deleting changes it."""

    name = TextField()
    kind = TextField()
    description = LongTextField(required=False, rows=3)

    fieldsets: ClassVar[Fieldsets] = [(None, {"fields": ["name", "kind", "description"]})]


class LabelSetList(ChangeList):
    """A page of label sets with the datasets that they belong to and the labels that they hold."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        datasets = Dataset.objects.filter(id__in={row.dataset_id for row in rows}).annotate(owner_name=OWNER_NAME)
        names = {row.id: f"{row.owner_name}/{row.name}" for row in datasets}
        counted = Label.objects.filter(label_set_id__in=[row.id for row in rows], deleted=False).values("label_set_id")
        counts = dict(counted.annotate(n=Count("id")).values_list("label_set_id", "n"))
        people = display.usernames(row.created_by for row in rows)
        for row in rows:
            row.dataset_name, row.label_count = names.get(row.dataset_id, ""), counts.get(row.id, 0)
            row.creator = display.name_of(row.created_by, people)
        self.result_list = rows


class LabelSetAdmin(RecordedAdmin):
    """Label sets."""

    add_form, change_form, fixed = AddLabelSetForm, ShownLabelSetForm, True
    deletion = "The name becomes free, and the labels are no longer shown. They stay in the log."
    list_display = ("name", "dataset", "kind", "labels", "description", "creator", "created")
    list_filter = (DatasetFilter, "kind")
    search_fields = ("name", "description")
    ordering = ("-created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LabelSet]:
        return super().get_queryset(request).filter(archived=False)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return LabelSetList

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"dataset": request.GET.get("dataset", "")}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.kind != GROUND_TRUTH)

    def stream_of(self, obj: Any) -> tuple[uuid.UUID, str] | None:
        return obj.dataset_id, STREAM

    def add(self, intent: Intent, form: RecordForm) -> uuid.UUID:
        said = form.cleaned_data
        dataset: Dataset = said["dataset"]
        commands.add_label_set(
            intent=intent, dataset=dataset.id, name=said["name"], description=said["description"], kind=said["kind"]
        )
        return LabelSet.objects.get(dataset_id=dataset.id, name=said["name"], archived=False).id

    def remove(self, intent: Intent, obj: Any) -> None:
        commands.archive_label_set(intent=intent, dataset=obj.dataset_id, name=obj.name)

    @admin.display(description="Dataset")
    def dataset(self, obj: Any) -> SafeString:
        address = reverse("admin:labeling_dataset_change", args=[obj.dataset_id])
        return format_html('<a href="{}">{}</a>', address, obj.dataset_name)

    @admin.display(description="Labels")
    def labels(self, obj: Any) -> SafeString:
        address = reverse("admin:labeling_label_changelist")
        return format_html('<a href="{}?label_set_id={}">{}</a>', address, obj.id, obj.label_count)

    @admin.display(description="By")
    def creator(self, obj: Any) -> str:
        return str(obj.creator)

    @admin.display(description="Created", ordering="created_at")
    def created(self, obj: Any) -> Any:
        return display.when(obj.created_at)
