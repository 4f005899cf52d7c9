"""Trainings in the admin: which model used which release, the way back from it, and registering one by hand."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling.admin import display, places, site
from labeling.admin.datasets import OWNER_NAME, DatasetFilter
from labeling.admin.fields import Fieldsets, JSONTextField, RecordForm, TextField
from labeling.admin.recorded import RecordedAdmin
from labeling.admin.rights import visible_datasets
from labeling.errors import NotFound
from labeling.log.event import Intent
from labeling.models import Dataset
from releases import commands, lineage, queries
from releases.models import Release, Training
from releases.trainings import LINK_LIMIT, TEXT_LIMIT, training_stream

JSON = dict[str, Any]

#: Of a longer log the page does not count what happened.
COUNTED_EVENTS = 100_000


class AddTrainingForm(RecordForm):
    """A training that used a release."""

    dataset = TextField(help_text="owner/name")
    release = TextField(max_length=128, help_text="The name of the release that it used, or its id.")
    name = TextField(max_length=TEXT_LIMIT, help_text="What the training is called.")
    model = TextField(max_length=TEXT_LIMIT, help_text="The model that it made.")
    version = TextField(max_length=TEXT_LIMIT, required=False)
    code = TextField(max_length=TEXT_LIMIT, required=False, help_text="Which code: a commit, an image.")
    metrics = JSONTextField(empty={}, help_text="What came of it, as an object of numbers and short texts.")
    link = TextField(max_length=LINK_LIMIT, required=False, help_text="Where more of it is.")

    fieldsets: ClassVar[Fieldsets] = [
        (None, {"fields": ["dataset", "release", "name", "model", "version", "code", "metrics", "link"]})
    ]

    def clean_dataset(self) -> Dataset:
        owner, _, name = self.cleaned_data["dataset"].partition("/")
        rows = visible_datasets(self.request).annotate(owner_name=OWNER_NAME)
        found = rows.filter(owner_name=owner, name=name).first()
        if found is None:
            raise ValidationError("There is no such dataset; write its owner, a slash, and its name.")
        return found

    def clean_release(self) -> Release:
        dataset = self.cleaned_data.get("dataset")
        if dataset is None:
            raise ValidationError("Name its dataset first.")
        try:
            return queries.any_release(dataset.id, self.cleaned_data["release"]).release
        except NotFound as error:
            raise ValidationError("The dataset has no such release.") from error


class ShownTrainingForm(RecordForm):
    """A training as it was registered; it never changes."""

    name = TextField()
    model = TextField()
    model_version = TextField(label="Version", required=False)
    code = TextField(required=False)
    metrics = JSONTextField(empty={})
    link = TextField(required=False)

    fieldsets: ClassVar[Fieldsets] = [(None, {"fields": ["name", "model", "model_version", "code", "metrics", "link"]})]

    def beside(self) -> SafeString:
        """The way back: the release, and all that it was made of."""
        row: Training = self.obj
        found = queries.release_used_by(row)
        release = found.release
        said = lineage.lineage(
            found,
            names_of=lambda people: display.usernames([item for item in people if item]),
            counted=release.at_offset <= COUNTED_EVENTS,
        )
        shown = lineage.in_short(said)
        page = reverse("admin:releases_release_difference", args=[row.dataset_id])
        events = reverse("admin:labeling_storedevent_changelist")
        context = shown | {
            "steps": [step for step in shown["steps"] if step[0] not in ("Exports", "Releases")],
            "release": release,
            "release_url": "" if release.withdrawn else reverse("admin:releases_release_change", args=[release.id]),
            "identity": found.build.identity if found.build else "",
            "events_url": f"{events}?{urlencode({'log': row.dataset_id})}",
            "since_url": f"{page}?{urlencode({'from': release.at_offset})}",
            "training": row,
            "when": display.when(row.created_at),
            "by": display.name_of(row.created_by, display.usernames([row.created_by])),
        }
        return render_to_string("admin/releases/training/summary.html", context)


class TrainingList(ChangeList):
    """A page of trainings with their releases and datasets."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        releases = Release.objects.in_bulk([row.release_id for row in rows])
        datasets = Dataset.objects.filter(id__in={row.dataset_id for row in rows}).annotate(owner_name=OWNER_NAME)
        names = {row.id: f"{row.owner_name}/{row.name}" for row in datasets}
        people = display.usernames(row.created_by for row in rows)
        for row in rows:
            row.of_release, row.dataset_name = releases.get(row.release_id), names.get(row.dataset_id, "")
            row.by = display.name_of(row.created_by, people)
        self.result_list = rows


class TrainingAdmin(RecordedAdmin):
    """Trainings that used a release."""

    add_form, change_form, fixed = AddTrainingForm, ShownTrainingForm, True
    list_display = ("name", "of_model", "used", "dataset", "registered")
    list_filter = (DatasetFilter,)
    search_fields = ("name", "model", "model_version", "code")
    ordering = ("-created_at",)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return TrainingList

    def get_changeform_initial_data(self, request: HttpRequest) -> JSON:
        return {name: request.GET.get(name, "") for name in ("dataset", "release")}

    def stream_of(self, obj: Any) -> tuple[uuid.UUID, str] | None:
        return obj.dataset_id, training_stream(obj.id)

    def add(self, intent: Intent, form: RecordForm) -> uuid.UUID:
        said = form.cleaned_data
        told = {name: said[name] for name in ("name", "model", "version", "code", "metrics", "link")}
        return commands.register_training(intent=intent, release=said["release"], said=told)

    @admin.display(description="Model", ordering="model")
    def of_model(self, obj: Any) -> str:
        return f"{obj.model} {obj.model_version}".strip()

    @admin.display(description="Release")
    def used(self, obj: Any) -> SafeString | str:
        row = obj.of_release
        if row is None or row.withdrawn:
            return display.NOTHING if row is None else f"{row.name} (withdrawn)"
        return format_html('<a href="{}">{}</a>', reverse("admin:releases_release_change", args=[row.id]), row.name)

    @admin.display(description="Dataset")
    def dataset(self, obj: Any) -> SafeString:
        url = reverse("admin:labeling_dataset_change", args=[obj.dataset_id])
        return format_html('<a href="{}">{}</a>', url, obj.dataset_name)

    @admin.display(description="Registered", ordering="created_at")
    def registered(self, obj: Any) -> SafeString:
        return format_html("{} by {}", display.when(obj.created_at), obj.by)


def _place(log: uuid.UUID, training: str) -> tuple[str, str]:
    row = Training.objects.filter(dataset_id=log, id=training).first()
    return ("a training", "") if row is None else (row.name, reverse("admin:releases_training_change", args=[row.id]))


def register(admin_site: AdminSite) -> None:
    """Put the pages of trainings on the site."""
    admin_site.register(Training, TrainingAdmin)
    site.plug("Datasets", "releases.Training")
    places.KINDS["training"] = _place
