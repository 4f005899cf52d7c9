"""Datasets: their list with progress, their settings, categories and members."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling.admin import attributes, audit, categories, datasheets, display, guidelines, reports, uploads, webhooks
from labeling.admin.fields import (
    Fieldsets,
    JSONTextField,
    LongTextField,
    PersonField,
    RecordForm,
    TextField,
)
from labeling.admin.members import Members, member_rows, save_members
from labeling.admin.recorded import RecordedAdmin
from labeling.admin.rights import is_superuser, may, person_of, visible_datasets
from labeling.admin.tabs import tabs_of
from labeling.commands import datasets as commands
from labeling.log import store
from labeling.log.event import Intent
from labeling.models import Dataset, LabelSet, Person
from labeling.queries import datasets as queries
from labeling.queries.progress import progress_of_label_sets
from labeling.rules import reasons, signatures
from labeling.rules.access import ON_ACCEPTED
from labeling.rules.colours import colours_of
from labeling.rules.dataset_state import DATASET_CATEGORIES, SETTINGS, STREAM
from labeling.rules.edits.placement import OUTSIDE
from labeling.rules.task_types import task_type_names

JSON = dict[str, Any]

OWNER_NAME = Subquery(Person.objects.filter(id=OuterRef("owner_id")).values("username")[:1])
CATEGORIES = [(name, name.replace("_", " ")) for name in DATASET_CATEGORIES]
#: Of which a dataset's page shows the progress.
MOST_LABEL_SETS = 20
TEXTS = ("name", "description", "category", "public", "archived", "readme", "metadata")
CATEGORIES_HELP = (
    'An object with <code>categories</code>, each <code>{"id": 1, "name": "car", "color": [255, 0, 0]}</code>,'
    " and if wanted their <code>attributes</code> and <code>image_attributes</code>; it is kept as it is written."
)


def dataset_name(name: str = "Name") -> TextField:
    return TextField(
        label=name, max_length=128, help_text="Letters, digits, dots, dashes and underscores; it stands in addresses."
    )


class AddDatasetForm(RecordForm):
    """A new dataset. Owner and task type stay for good."""

    owner = PersonField(help_text="The person or organisation whose name stands before the dataset's.")
    name = dataset_name()
    task_type = forms.ChoiceField(initial="vector", help_text="What is labeled, and how. It cannot be changed later.")
    category = forms.ChoiceField(choices=CATEGORIES, initial="other")
    public = forms.BooleanField(required=False, help_text="Everybody with an account may see it.")
    description = LongTextField(required=False, rows=3)
    task_attributes = JSONTextField(label="Categories", least_rows=12, empty={}, help_text=CATEGORIES_HELP)

    fieldsets: ClassVar[Fieldsets] = [
        (None, {"fields": ["owner", "name", "task_type", "category", "public", "description"]}),
        ("Categories", {"fields": ["task_attributes"]}),
    ]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        choices = [(name, name or "custom documents") for name in task_type_names()]
        self.fields["task_type"].choices = choices  # type: ignore[attr-defined]
        self.fields["task_type"].required = False  # "" is a task type of its own
        self.fields["owner"].initial = person_of(self.request)
        self.fields["owner"].disabled = not is_superuser(self.request)


class ChangeDatasetForm(RecordForm):
    """A dataset's texts, settings, categories and members."""

    name = dataset_name()
    description = LongTextField(required=False, rows=3)
    category = forms.ChoiceField(choices=CATEGORIES)
    public = forms.BooleanField(required=False, help_text="Everybody with an account may see it.")
    archived = forms.BooleanField(required=False, help_text="Set aside; everything can still be read.")
    task_attributes = JSONTextField(label="Categories", empty={}, help_text=CATEGORIES_HELP)
    readme = LongTextField(required=False, rows=10, help_text="What the dataset is, in Markdown.")
    metadata = JSONTextField(empty={})

    fieldsets: ClassVar[Fieldsets] = [
        (None, {"fields": ["name", "description", "category", "public", "archived"]}),
        ("Categories as JSON", {"fields": ["task_attributes"], "classes": ["collapse"]}),
        ("Readme and metadata", {"fields": ["readme", "metadata"], "classes": ["collapse"]}),
        ("Settings", {"fields": list(SETTINGS), "classes": ["collapse", "settings"]}),
    ]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for key, default in SETTINGS.items():
            self.fields[key] = _setting_field(key, default)
        data = self.data if self.is_bound else None
        names_admins = may(self.request, "members-admin", self.obj.id)
        self.members: Members = member_rows(self.obj.id, data, names_admins=names_admins)
        self.may_change = may(self.request, "change", self.obj.id)
        if not self.may_change:
            super().freeze()

    def freeze(self, but: Collection[str] = ()) -> None:
        super().freeze(but)
        self.members.freeze()

    def is_valid(self) -> bool:
        return all((super().is_valid(), self.members.is_valid()))

    def beside(self) -> SafeString | str:
        return render_to_string("admin/labeling/dataset/summary.html", summary_of(self.obj))


def _setting_field(key: str, default: Any) -> forms.Field:
    if key == "enable_four_eyes":
        return forms.BooleanField(label="Four eyes: nobody reviews a label that they changed", required=False)
    label = key.removeprefix("enable_").replace("_", " ").capitalize()
    if isinstance(default, bool):
        return forms.BooleanField(label=label, required=False)
    if key == "undo_limit":
        return forms.IntegerField(
            label="Gestures of one's own that can be undone", min_value=0, max_value=1000, initial=default
        )
    if isinstance(default, int):
        return forms.IntegerField(label="Labeling inactivity timeout (s)", min_value=1, max_value=86_400)
    if key == "accepted_label_edits":
        return forms.ChoiceField(
            label="A labeler's edit of an accepted label", choices=[(word, word) for word in ON_ACCEPTED], required=True
        )
    if key == reasons.SETTING:
        return forms.MultipleChoiceField(
            label="A reason is needed",
            choices=list(reasons.CLASSES.items()),
            widget=forms.CheckboxSelectMultiple,
            required=False,
        )
    if key == signatures.SETTING:
        return forms.MultipleChoiceField(
            label="A signature is needed",
            choices=[("review", "to accept a label"), ("release", "to hand out a release")],
            widget=forms.CheckboxSelectMultiple,
            required=False,
        )
    if key == "labels_outside_image":
        return forms.ChoiceField(
            label="Shapes that reach out of the image", choices=[(word, word) for word in OUTSIDE], required=True
        )
    return JSONTextField(label=label)


def summary_of(dataset: Dataset) -> JSON:
    """What a dataset's page says above its form."""
    stats = queries.label_stats([dataset.id])[dataset.id]
    head, chain = store.head_and_chain(dataset.id)
    names = display.usernames([dataset.owner_id, dataset.created_by])
    colour_of = colours_of(dataset.task_attributes)
    listed = dataset.task_attributes.get("categories") or []
    progress = progress_of_label_sets(dataset.id)
    sets = LabelSet.objects.filter(dataset_id=dataset.id, archived=False).order_by("created_at")
    return {
        "dataset": dataset,
        "total": stats["TOTAL"],
        "owner": display.name_of(dataset.owner_id, names),
        "creator": display.name_of(dataset.created_by, names),
        "created": display.when(dataset.created_at),
        "task_type": dataset.task_type or "custom documents",
        "head": head,
        "chain": chain.hex()[:16],
        "label_sets": [
            {
                "set": item,
                "bar": display.bar(progress.get(item.id, {})),
                "legend": display.legend(progress.get(item.id, {})),
                "done": display.share_done(progress.get(item.id, {})),
            }
            for item in sets[:MOST_LABEL_SETS]
        ],
        "more_label_sets": max(0, len(progress) - MOST_LABEL_SETS),
        "label_sets_url": f"{reverse('admin:labeling_labelset_changelist')}?dataset={dataset.id}",
        "categories": [(display.swatch(colour_of(item.get("id"))), item.get("name")) for item in listed[:40]],
        "more_categories": max(0, len(listed) - 40),
        "samples_url": f"{reverse('admin:labeling_sample_changelist')}?dataset={dataset.id}",
        "events_url": f"{reverse('admin:labeling_storedevent_changelist')}?log={dataset.id}",
        "labels_url": f"{reverse('admin:labeling_label_changelist')}?dataset={dataset.id}",
    }


class DatasetList(ChangeList):
    """A page of datasets with what is counted of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        stats = queries.label_stats([row.id for row in rows])
        members = queries.member_counts([row.id for row in rows])
        for row in rows:
            row.stats, row.member_count = stats[row.id], members.get(row.id, 0)
        self.result_list = rows


class DatasetAdmin(RecordedAdmin):
    """Datasets."""

    add_form, change_form = AddDatasetForm, ChangeDatasetForm
    deletion = "The name becomes free, and samples and labels are no longer shown. The log stays for ever."
    dataset_column = "id"
    list_display = ("shown_name", "progress", "samples", "visibility", "changed")
    list_filter = ("task_type", "public", "archived", "category")
    search_fields = ("name", "description", "owner_name")
    search_help_text = "Name, description or owner"
    ordering = ("-updated_at",)
    actions = ("delete_datasets",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dataset]:
        return super().get_queryset(request).annotate(owner_name=OWNER_NAME)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return DatasetList

    def get_urls(self) -> list[URLPattern]:
        pages = {
            "upload": ("", uploads.view(self)),
            "categories": ("", partial(categories.view, self)),
            "attributes": ("<str:category>/", partial(attributes.view, self)),
            "reports": ("", partial(reports.view, self)),
            "audit": ("", partial(audit.dataset_view, self)),
            "guideline": ("", partial(guidelines.view, self)),
            "datasheet": ("", partial(datasheets.view, self)),
            "webhooks": ("", partial(webhooks.view, self)),
        }
        return [
            path(f"<uuid:dataset>/{name}/{rest}", self.admin_site.admin_view(page), name=f"labeling_dataset_{name}")
            for name, (rest, page) in pages.items()
        ] + [
            path(
                "<uuid:dataset>/reports/<str:report>/",
                self.admin_site.admin_view(partial(reports.view, self)),
                name="labeling_dataset_report",
            ),
            path(
                "<uuid:dataset>/audit/<str:report>/",
                self.admin_site.admin_view(partial(audit.dataset_view, self)),
                name="labeling_dataset_audited",
            ),
            *super().get_urls(),
        ]

    def stream_of(self, obj: Any) -> tuple[uuid.UUID, str] | None:
        return obj.id, STREAM

    def full_name(self, obj: Any) -> str:
        return f"{obj.owner_name}/{obj.name}"

    def initial_of(self, obj: Any) -> JSON:
        return super().initial_of(obj) | obj.settings

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may not change the dataset itself may still manage its members."""
        return obj is None or any(may(request, action, obj.id) for action in ("change", "members"))

    def _page(self, request: HttpRequest, form: RecordForm, obj: Any, form_url: str, extra: JSON) -> HttpResponse:
        tabs = [] if obj is None else tabs_of(request, obj, "settings")
        return super()._page(request, form, obj, form_url, {"tabs": tabs} | extra)

    def add(self, intent: Intent, form: RecordForm) -> uuid.UUID:
        said = form.cleaned_data
        return commands.create_dataset(
            intent=intent,
            owner=said["owner"].id,
            name=said["name"],
            task_type=said["task_type"],
            task_attributes=said["task_attributes"],
            changes={key: said[key] for key in ("category", "public", "description")},
        )

    def change(self, intent: Intent, form: RecordForm, obj: Any) -> None:
        assert isinstance(form, ChangeDatasetForm)
        said = form.cleaned_data
        if form.may_change:
            commands.change_dataset(
                intent=intent,
                dataset=obj.id,
                changes={key: said[key] for key in (*TEXTS, *SETTINGS)},
                task_attributes=said["task_attributes"],
            )
        save_members(form.members, intent, obj.id)

    def remove(self, intent: Intent, obj: Any) -> None:
        commands.delete_dataset(intent=intent, dataset=obj.id)

    @admin.action(description="Delete the chosen datasets")
    def delete_datasets(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return self.each(request, rows, self.remove, done="{} deleted.", title="Delete datasets", warning=self.deletion)

    @admin.display(description="Dataset", ordering="name")
    def shown_name(self, obj: Any) -> SafeString:
        words = '<span class="quiet">{}/</span>{}<br><span class="quiet">{}</span>'
        return format_html(words, obj.owner_name, obj.name, obj.task_type or "custom documents")

    @admin.display(description="Progress")
    def progress(self, obj: Any) -> SafeString:
        return format_html(
            '{}<span class="share">{} %</span><span class="legend">{}</span>',
            display.bar(obj.stats),
            display.share_done(obj.stats),
            display.legend(obj.stats),
        )

    @admin.display(description="Samples")
    def samples(self, obj: Any) -> SafeString:
        address = reverse("admin:labeling_sample_changelist")
        return format_html('<a href="{}?dataset={}">{}</a>', address, obj.id, obj.stats["TOTAL"])

    @admin.display(description="Seen by", ordering="public")
    def visibility(self, obj: Any) -> SafeString:
        members = f"{obj.member_count} member{'' if obj.member_count == 1 else 's'}"
        words = display.badge("everybody", "busy") if obj.public else display.badge(members, "quiet")
        return format_html("{} {}", words, display.badge("archived", "quiet") if obj.archived else "")

    @admin.display(description="Changed", ordering="updated_at")
    def changed(self, obj: Any) -> Any:
        return display.when(obj.updated_at)


class DatasetFilter(admin.SimpleListFilter):
    """Rows of one dataset, out of those that somebody may see."""

    title = "dataset"
    parameter_name = "dataset"
    most = 200

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = visible_datasets(request).annotate(owner_name=OWNER_NAME).order_by("owner_name", "name")
        return [(str(row.id), f"{row.owner_name}/{row.name}") for row in found[: self.most]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        try:
            return queryset.filter(dataset_id=uuid.UUID(value))
        except ValueError:
            return queryset.none()
