"""Samples: their list with thumbnails, and a page each with the label drawn over it."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling.admin import bulk, display, thumbnails
from labeling.admin.datasets import DatasetFilter
from labeling.admin.fields import Fieldsets, JSONTextField, LongTextField, PersonField, RecordForm, TextField
from labeling.admin.recorded import RecordedAdmin
from labeling.admin.rights import may
from labeling.commands import samples as commands
from labeling.log.event import Intent
from labeling.models import Dataset, Issue, Label, LabelSet, Person, Sample
from labeling.rules.dataset_state import GROUND_TRUTH
from labeling.rules.label_state import STATUSES
from labeling.rules.sample_state import sample_stream

JSON = dict[str, Any]

_ground_truth = LabelSet.objects.filter(dataset_id=OuterRef(OuterRef("dataset_id")), kind=GROUND_TRUTH)
STATUS = Subquery(
    Label.objects.filter(sample_id=OuterRef("id"), deleted=False, label_set_id__in=_ground_truth.values("id")).values(
        "status"
    )[:1]
)


#: What each action of the list does, as rules.bulk calls it.
BULK = {
    "set_status": "status",
    "set_priority": "priority",
    "assign_labeler": "labeler",
    "assign_reviewer": "reviewer",
    "delete_samples": "archive",
}


class SampleForm(RecordForm):
    """A sample's own fields; its labels are changed by those who label."""

    name = TextField()
    priority = forms.FloatField(initial=0, help_text="Higher comes earlier in the queue.")
    assigned_labeler = PersonField(required=False)
    assigned_reviewer = PersonField(required=False)
    readme = LongTextField(required=False, rows=4)
    metadata = JSONTextField(empty={})
    attributes = JSONTextField(empty={}, help_text="Where the picture or the frames are, as the API has it.")

    fieldsets: ClassVar[Fieldsets] = [
        (None, {"fields": ["name", "priority", "assigned_labeler", "assigned_reviewer", "readme", "metadata"]}),
        ("Attributes", {"fields": ["attributes"], "classes": ["collapse"]}),
    ]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if not may(self.request, "change", self.obj.dataset_id):
            self.freeze(but=commands.ASSIGNING)

    def beside(self) -> SafeString | str:
        return render_to_string("admin/labeling/sample/summary.html", summary_of(self.obj))


def summary_of(sample: Sample) -> JSON:
    """What a sample's page says above its form: the picture, and its labels in each label set."""
    dataset = Dataset.objects.get(id=sample.dataset_id)
    labels = {label.label_set_id: label for label in Label.objects.filter(sample_id=sample.id, deleted=False)}
    sets = LabelSet.objects.filter(dataset_id=sample.dataset_id, archived=False).order_by("created_at")
    names = display.usernames([*(label.updated_by for label in labels.values()), sample.created_by, dataset.owner_id])
    listed = []
    for label_set in sets:
        label = labels.get(label_set.id)
        listed.append(
            {
                "name": label_set.name,
                "status": display.status_badge(label.status if label else "UNLABELED"),
                "url": reverse("admin:labeling_label_change", args=[label.id]) if label else "",
                "by": display.name_of(label.updated_by, names) if label else "",
                "at": display.when(label.updated_at) if label else "",
            }
        )
    return {
        "sample": sample,
        "picture": thumbnails.tag(sample.id, "large", alt=f"{sample.name} with its label"),
        "labels": listed,
        "dataset": f"{display.name_of(dataset.owner_id, names)}/{dataset.name}",
        "dataset_url": reverse("admin:labeling_dataset_change", args=[dataset.id]),
        "creator": display.name_of(sample.created_by, names),
        "created": display.when(sample.created_at),
        "changed": display.when(sample.updated_at),
        "issues": _issue_counts(sample.id),
        "issues_url": f"{reverse('admin:labeling_issue_changelist')}?sample={sample.id}",
        "new_issue_url": f"{reverse('admin:labeling_issue_add')}?sample={sample.id}",
    }


def _issue_counts(sample: uuid.UUID) -> JSON:
    """{OPEN and CLOSED: how many}."""
    rows = Issue.objects.filter(sample_id=sample, archived=False).values("status").annotate(n=Count("id"))
    return dict(rows.values_list("status", "n"))


class SampleList(ChangeList):
    """A page of samples with the names of people and datasets."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        names = display.usernames(person for row in rows for person in (row.assigned_labeler, row.assigned_reviewer))
        datasets = dict(Dataset.objects.filter(id__in={row.dataset_id for row in rows}).values_list("id", "name"))
        for row in rows:
            row.people, row.dataset_name = names, datasets.get(row.dataset_id, "")
        self.result_list = rows


class StatusFilter(admin.SimpleListFilter):
    """Samples by the status of their ground-truth label."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status, display.STATUS_WORDS[status]) for status in STATUSES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        return queryset.filter(label_status=None if value == "UNLABELED" else value)


class SampleAdmin(RecordedAdmin):
    """Samples."""

    change_form = SampleForm
    deletion = "The name becomes free. History and labels stay in the log."
    list_display = ("picture", "shown_name", "status", "shown_priority", "assigned", "changed")
    list_display_links = ("picture", "shown_name")
    list_filter = (DatasetFilter, StatusFilter)
    list_per_page = 30
    search_fields = ("name",)
    search_help_text = "A name or a part of it, or the sample's uuid"
    ordering = ("-created_at",)
    actions = ("set_status", "set_priority", "assign_labeler", "assign_reviewer", "delete_samples")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Sample]:
        return super().get_queryset(request).filter(archived=False).annotate(label_status=STATUS)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return SampleList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            return queryset.filter(id=uuid.UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    def get_urls(self) -> list[URLPattern]:
        thumbnail = self.admin_site.admin_view(thumbnails.serve, cacheable=True)
        return [
            path("<uuid:sample>/thumbnail/<slug:size>/", thumbnail, name="labeling_sample_thumbnail"),
            path("bulk/", self.admin_site.admin_view(self.bulk_view), name="labeling_sample_bulk"),
            *super().get_urls(),
        ]

    def get_actions(self, request: HttpRequest) -> Any:
        """Those that somebody may use in a dataset at least; what each may in which, the dry run says."""
        offered = bulk.offered(request)
        return {name: action for name, action in super().get_actions(request).items() if BULK[name] in offered}

    def stream_of(self, obj: Any) -> tuple[uuid.UUID, str] | None:
        return obj.dataset_id, sample_stream(obj.id)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may not change the sample itself may still say who shall do it when."""
        return obj is None or any(may(request, action, obj.dataset_id) for action in ("change", "assign"))

    def initial_of(self, obj: Any) -> JSON:
        people = {
            person.id: person for person in Person.objects.filter(id__in=[obj.assigned_labeler, obj.assigned_reviewer])
        }
        assigned = {key: people.get(getattr(obj, key)) for key in ("assigned_labeler", "assigned_reviewer")}
        return super().initial_of(obj) | assigned

    def change(self, intent: Intent, form: RecordForm, obj: Any) -> None:
        said = {key: form.cleaned_data[key] for key in commands.FIELDS if not form.fields[key].disabled}
        for key in ("assigned_labeler", "assigned_reviewer"):
            if key in said:
                said[key] = said[key].username if said[key] else None
        commands.change_sample(intent=intent, sample=obj.id, changes=commands.checked_sample(said, partial=True))

    def remove(self, intent: Intent, obj: Any) -> None:
        commands.archive_sample(intent=intent, sample=obj.id)

    def bulk_view(self, request: HttpRequest) -> HttpResponseBase:
        """What the pages of a bulk change send."""
        return bulk.proceed(self, request)

    @admin.action(description="Set the status …")
    def set_status(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return bulk.begin(self, request, rows, "status")

    @admin.action(description="Set the priority …")
    def set_priority(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return bulk.begin(self, request, rows, "priority")

    @admin.action(description="Assign a labeler …")
    def assign_labeler(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return bulk.begin(self, request, rows, "labeler")

    @admin.action(description="Assign a reviewer …")
    def assign_reviewer(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return bulk.begin(self, request, rows, "reviewer")

    @admin.action(description="Delete …")
    def delete_samples(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return bulk.begin(self, request, rows, "archive")

    @admin.display(description="")
    def picture(self, obj: Any) -> SafeString:
        return thumbnails.tag(obj.id, "small")

    @admin.display(description="Sample", ordering="name")
    def shown_name(self, obj: Any) -> SafeString:
        return format_html('{}<br><span class="quiet">{}</span>', obj.name, obj.dataset_name)

    @admin.display(description="Status", ordering="label_status")
    def status(self, obj: Any) -> SafeString:
        return display.status_badge(obj.label_status or "UNLABELED")

    @admin.display(description="Priority", ordering="priority")
    def shown_priority(self, obj: Any) -> str:
        return f"{obj.priority:g}"

    @admin.display(description="Assigned to")
    def assigned(self, obj: Any) -> SafeString | str:
        named = [
            display.name_of(person, obj.people) for person in (obj.assigned_labeler, obj.assigned_reviewer) if person
        ]
        return ", ".join(named) or display.NOTHING

    @admin.display(description="Changed", ordering="updated_at")
    def changed(self, obj: Any) -> Any:
        return display.when(obj.updated_at)
