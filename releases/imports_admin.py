"""Imports in the admin: how far each job is, what it found; to stop one, to go on with it, to take it back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling.admin import display, places, site, words
from labeling.admin.datasets import OWNER_NAME, DatasetFilter
from labeling.admin.denials import tell_denial
from labeling.admin.fields import words_of
from labeling.admin.recorded import REFUSALS, ReadAdmin
from labeling.admin.rights import asks_reason, intent_of, person_of, readable_logs
from labeling.log.event import Intent
from labeling.models import Dataset
from releases import events
from releases.formats import registry
from releases.imports import commands
from releases.imports.counts import in_words
from releases.imports.safeguards import classes_of_undoing
from releases.imports.state import import_stream
from releases.models import ImportFinding, ImportJob

JSON = dict[str, Any]

PAGE = 100
STATES = {
    ImportJob.Status.PENDING: ("on its way", "busy"),
    ImportJob.Status.SUCCEEDED: ("done", "good"),
    ImportJob.Status.FAILED: ("failed", "bad"),
    ImportJob.Status.CANCELED: ("cancelled", "quiet"),
}
WISHES = {"mode": "Labels that are there", "categories": "New categories", "samples": "New samples"}


class StatusFilter(admin.SimpleListFilter):
    """Jobs by what became of them."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(status), said) for status, (said, _) in STATES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(status=self.value()) if self.value() else queryset


class JobList(ChangeList):
    """A page of jobs with their datasets' names and people's."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        datasets = Dataset.objects.filter(id__in={row.dataset_id for row in rows}).annotate(owner_name=OWNER_NAME)
        by_id: dict[uuid.UUID, Any] = {row.id: row for row in datasets}
        people = display.usernames({row.created_by for row in rows})
        for row in rows:
            row.of_dataset, row.by = by_id.get(row.dataset_id), display.name_of(row.created_by, people)
        self.result_list = rows


class ImportAdmin(ReadAdmin):
    """The jobs of imports, dry runs and undoings included."""

    list_display = ("what", "dataset", "status_shown", "progress", "found", "asked")
    list_filter = (StatusFilter, DatasetFilter)
    ordering = ("-created_at",)
    actions: Sequence[Any] | None = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImportJob]:
        rows: QuerySet[ImportJob] = super(ReadAdmin, self).get_queryset(request)
        return rows.filter(dataset_id__in=readable_logs(request).values("id"))

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return JobList

    def stream_of(self, obj: Any) -> tuple[uuid.UUID, str] | None:
        return obj.dataset_id, import_stream(obj.undoes or obj.id)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view
        return [
            path("<uuid:job>/do/<str:do>/", page(self.do_view), name="releases_importjob_do"),
            *super().get_urls(),
        ]

    # --- pages -------------------------------------------------------------------------------------------------

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: JSON | None = None
    ) -> HttpResponse:
        """A job's page: what was asked for, what it did, and what it found."""
        job: Any = self.get_object(request, unquote(object_id))
        if job is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        dataset = Dataset.objects.filter(id=job.dataset_id).annotate(owner_name=OWNER_NAME).first()
        people = display.usernames({job.created_by})
        findings = Paginator(ImportFinding.objects.filter(job_id=job.id).order_by("number"), PAGE)
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": title_of(job),
            "eyebrow": "Undoing of an import" if job.undoes else "Dry run of an import" if job.dry_run else "Import",
            "opts": self.opts,
            "media": self.media,
            "job": job,
            "status": status_badge(job),
            "running": job.status == ImportJob.Status.PENDING,
            "counts": in_words(job.counts),
            "findings": findings.get_page(request.GET.get("p")),
            "do": reverse("admin:releases_importjob_do", args=[job.id, "what"]).removesuffix("what/"),
            "can": can(job),
            "asks_reason": job.created_by != person_of(request).id or _asks_reason(job),
            "undone_from": reverse("admin:releases_importjob_change", args=[job.undoes]) if job.undoes else "",
            "facts": [
                ("Dataset", dataset_link(dataset)),
                (
                    "Asked",
                    format_html("{} by {}", display.when(job.created_at), display.name_of(job.created_by, people)),
                ),
                ("Ended", display.when(job.ended_at)),
                *_asked_for(job),
            ],
        }
        return TemplateResponse(request, "admin/releases/importjob/page.html", context)

    def do_view(self, request: HttpRequest, job: uuid.UUID, do: str) -> HttpResponse:
        """Cancel a job, go on with it, or take it back."""
        row = self.get_queryset(request).filter(id=job).first()
        does: dict[str, tuple[Callable[[Intent, ImportJob], Any], str]] = {
            "cancel": (lambda intent, row: commands.cancel_job(intent=intent, job=row), "It stops."),
            "retry": (lambda intent, row: commands.retry_job(intent=intent, job=row), "It goes on."),
            "undo": (lambda intent, row: commands.undo_import(intent=intent, job=row), "It is being taken back."),
            "undo-dry": (
                lambda intent, row: commands.undo_import(intent=intent, job=row, dry_run=True),
                "What would be taken back is being counted.",
            ),
        }
        if row is None or do not in does:
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        command, said = does[do]
        made = None
        try:
            made = command(intent_of(request), row)
        except REFUSALS as error:
            tell_denial(request, error)
            self.message_user(request, words_of(error)[0], messages.ERROR)
        else:
            self.message_user(request, said, messages.SUCCESS)
        shown = made.id if isinstance(made, ImportJob) else row.id
        return HttpResponseRedirect(reverse("admin:releases_importjob_change", args=[shown]))

    # --- the list ----------------------------------------------------------------------------------------------

    @admin.display(description="Import")
    def what(self, obj: Any) -> SafeString:
        note = "undoing" if obj.undoes else "dry run" if obj.dry_run else ""
        return format_html("<b>{}</b> {}", title_of(obj), display.badge(note, "quiet") if note else "")

    @admin.display(description="Dataset")
    def dataset(self, obj: Any) -> SafeString | str:
        return dataset_link(obj.of_dataset)

    @admin.display(description="Status", ordering="status")
    def status_shown(self, obj: Any) -> SafeString:
        return status_badge(obj)

    @admin.display(description="Samples")
    def progress(self, obj: Any) -> str:
        if obj.samples_total is None:
            return f"{obj.samples_done:,}"
        return f"{obj.samples_done:,} of {obj.samples_total:,}"

    @admin.display(description="Found")
    def found(self, obj: Any) -> SafeString | str:
        said = [display.badge(f"{obj.errors_count:,} left out", "bad")] if obj.errors_count else []
        said += [display.badge(f"{obj.notes_count:,} notes", "quiet")] if obj.notes_count else []
        return format_html("{} {}", *[*said, ""][:2]) if said else display.NOTHING

    @admin.display(description="Asked", ordering="created_at")
    def asked(self, obj: Any) -> SafeString:
        return format_html("{} by {}", display.when(obj.created_at), obj.by)


def title_of(job: ImportJob) -> str:
    """What a job is about, in words."""
    if job.undoes:
        return "Taking an import back"
    kind = registry.FORMATS.get(job.wish.get("format", ""))
    return f"{job.source.get('filename', 'a file')}: {kind.title if kind else job.wish.get('format')}"


def status_badge(job: ImportJob) -> SafeString:
    said, kind = STATES[ImportJob.Status(job.status)]
    if job.status == ImportJob.Status.PENDING and job.cancel:
        said = "stopping"
    return display.badge(said, kind)


def can(job: ImportJob) -> set[str]:
    """What there is to do with a job; whether somebody may, the command says."""
    found = set()
    if job.status == ImportJob.Status.PENDING:
        found |= set() if job.cancel else {"cancel"}
    elif job.status != ImportJob.Status.SUCCEEDED:
        found.add("retry")
    if job.status != ImportJob.Status.PENDING and not job.undoes and not job.dry_run:
        found |= {"undo"}
    return found


def _asks_reason(job: ImportJob) -> bool:
    """Whether the dataset asks why the import is taken back."""
    may_undo = "undo" in can(job)
    return may_undo and any(asks_reason([job.dataset_id], what) for what in classes_of_undoing(job))


def dataset_link(dataset: Any) -> SafeString | str:
    if dataset is None:
        return display.NOTHING
    url = reverse("admin:labeling_dataset_change", args=[dataset.id])
    return format_html('<a href="{}">{}/{}</a>', url, dataset.owner_name, dataset.name)


def _asked_for(job: ImportJob) -> list[tuple[str, Any]]:
    if job.undoes:
        return [("What is in the way", job.wish.get("on_conflict", ""))]
    facts: list[tuple[str, Any]] = [(said, job.wish.get(key, "")) for key, said in WISHES.items()]
    facts += [("Label set", job.wish.get("label_set", "")), ("File", display.size(job.source.get("size_bytes")))]
    facts += [(f"Option {name}", value) for name, value in job.wish.get("options", {}).items()]
    return [*facts, ("SHA-256", job.source.get("sha256", display.NOTHING))]


def _place(log: uuid.UUID, key: str) -> tuple[str, str]:
    job = ImportJob.objects.filter(dataset_id=log, id=key).first()
    if job is None:
        return "an import", ""
    return title_of(job), reverse("admin:releases_importjob_change", args=[job.id])


def register(admin_site: AdminSite) -> None:
    """Put the pages of imports on the site, and their events into words."""
    admin_site.register(ImportJob, ImportAdmin)
    site.plug("Datasets", "releases.ImportJob")
    site.NAMES["releases.ImportJob"] = "Imports"
    words.tell(events.ImportStarted, "began to import a file", "began {n} imports")
    words.tell(events.ImportResumed, "went on with an import", "went on with {n} imports")
    words.tell(events.ImportFinished, "ended an import", "ended {n} imports")
    words.tell(events.ImportUndone, "took an import back", "took {n} imports back")
    places.KINDS["import"] = _place
