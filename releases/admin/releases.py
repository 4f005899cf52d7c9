"""Releases in the admin: how far each is, its file, cutting one and taking one back."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from labeling.admin import display, places, signing, site, tabs, words
from labeling.admin.datasets import OWNER_NAME, DatasetFilter
from labeling.admin.fields import Fieldsets, LongTextField, RecordForm, TextField
from labeling.admin.logins import address_of
from labeling.admin.recorded import RecordedAdmin
from labeling.admin.rights import intent_of, may, visible_datasets
from labeling.errors import InvalidValue, Refused
from labeling.log.event import Intent
from labeling.models import Dataset
from labeling.queries.signatures import Signature, signatures_of
from labeling.rules.signatures import OF_RELEASE
from releases import commands, events, lineage, queries
from releases.admin import differences, erasing, trainings
from releases.formats import registry
from releases.formats.format import WHOLESALE
from releases.models import Build, ExportBuild, Release, ReleaseBuild
from releases.queries import Found
from releases.rules import release_stream

JSON = dict[str, Any]

KINDS = {
    ReleaseBuild.Status.PENDING: ("being made", "busy"),
    ReleaseBuild.Status.SUCCEEDED: ("ready", "good"),
    ReleaseBuild.Status.FAILED: ("failed", "bad"),
}


class CutForm(RecordForm):
    """A new release: the dataset as it is now."""

    dataset = TextField(help_text="owner/name")
    name = TextField(
        max_length=128, help_text="A release keeps its name and its content; cut another one for a newer state."
    )
    description = LongTextField(required=False, rows=3)

    fieldsets: ClassVar[Fieldsets] = [(None, {"fields": ["dataset", "name", "description"]})]

    def clean_dataset(self) -> Dataset:
        owner, _, name = self.cleaned_data["dataset"].partition("/")
        found = (
            visible_datasets(self.request).annotate(owner_name=OWNER_NAME).filter(owner_name=owner, name=name).first()
        )
        if found is None:
            raise ValidationError("There is no such dataset; write its owner, a slash, and its name.")
        return found


class ShownReleaseForm(RecordForm):
    """A release as it is; it never changes."""

    name = TextField()
    description = LongTextField(required=False, rows=3)

    fieldsets: ClassVar[Fieldsets] = [(None, {"fields": ["name", "description"]})]

    def beside(self) -> SafeString | str:
        release: Release = self.obj
        dataset = Dataset.objects.get(id=release.dataset_id)
        found = Found(release, ReleaseBuild.objects.filter(release_id=release.id).first())
        names = display.usernames([release.created_by, dataset.owner_id])
        return (
            self._summary(found, dataset, names)
            + self._signatures(found)
            + self._exports(release, dataset)
            + self._lineage(found, f"{display.name_of(dataset.owner_id, names)}/{dataset.name}")
        )

    def _datasheet(self, release: Release) -> list[tuple[str, SafeString]]:
        """The way to what the datasheet was at the release, for who may read the audit."""
        if not may(self.request, "audit", release.dataset_id):
            return []
        page = reverse("admin:labeling_dataset_audited", args=[release.dataset_id, "datasheet"])
        address = f"{page}?{urlencode({'release': str(release.id)})}"
        return [
            ("Datasheet", format_html('<a href="{}">what it was made for, from what, how and by whom</a>', address))
        ]

    def _lineage(self, found: Found, full_name: str) -> SafeString:
        """Where it came from and who used it, in short; the API has all of it. To count a long log takes seconds, for
        which a page has no time."""
        said = lineage.lineage(
            found,
            names_of=lambda people: display.usernames([item for item in people if item]),
            counted=found.release.at_offset <= trainings.COUNTED_EVENTS,
        )
        asked = urlencode({"dataset": full_name, "release": found.release.name})
        register_url = f"{reverse('admin:releases_training_add')}?{asked}"
        shown = lineage.in_short(said) | {"register_url": register_url}
        return render_to_string("admin/releases/release/lineage.html", shown)

    def _signatures(self, found: Found) -> SafeString:
        release = found.release
        signed = signatures_of(release.dataset_id, release_stream(release.id))
        may_sign = found.is_built and may(self.request, "release", release.dataset_id)
        return render_to_string(
            "admin/signatures.html",
            {
                "signatures": signing.shown(signed, found.build.identity if found.build else ""),
                "sign_url": reverse("admin:releases_release_sign", args=[release.id]) if may_sign else "",
            },
        )

    def _exports(self, release: Release, dataset: Dataset) -> SafeString:
        """The exports that were asked for, and a form to ask for another."""
        formats = [(name, registry.FORMATS[name].title) for name in registry.WRITTEN]
        return render_to_string(
            "admin/releases/release/exports.html",
            {
                "exports": [
                    _export_row(job, dataset.name, release.name)
                    for job in queries.exports_of(release.id)
                    if job.options.get("events") != "yes" or may(self.request, "history", dataset.id)
                ],
                "formats": sorted(formats, key=lambda item: item[1].lower()),
                "action": reverse("admin:releases_release_export", args=[release.id]),
            },
        )

    def _summary(self, found: Found, dataset: Dataset, names: dict[uuid.UUID, str]) -> SafeString:
        release, build = found.release, found.build
        return render_to_string(
            "admin/releases/release/summary.html",
            {
                "status": status_badge(found),
                "url": address(found, dataset.name),
                "archive": _archive(found, dataset, names),
                "error": build.error if build else "",
                "facts": [
                    ("Dataset", f"{display.name_of(dataset.owner_id, names)}/{dataset.name}"),
                    ("Frozen at offset", release.at_offset),
                    (
                        "Cut",
                        format_html(
                            "{} by {}", display.when(release.created_at), display.name_of(release.created_by, names)
                        ),
                    ),
                    ("Samples", build.samples_count if build and found.is_built else display.NOTHING),
                    ("Size", display.size(build.size_bytes if build else None)),
                    ("Identity", (build.identity if build else "") or display.NOTHING),
                    ("Key that signed it", build.signature["key"] if build and build.signature else display.NOTHING),
                    *_terms(release),
                    ("SHA-256", (build.sha256 if build else "") or display.NOTHING),
                    ("Log chain there", (build.chain if build else "") or display.NOTHING),
                    ("Compare", _comparisons(release)),
                    *self._datasheet(release),
                ],
            },
        )


def _archive(found: Found, dataset: Dataset, names: dict[uuid.UUID, str]) -> str:
    """The address of the release's archive on this server; empty until it may be fetched, as its file."""
    owner = names.get(dataset.owner_id)
    if owner is None or found.url(dataset.name) is None:
        return ""
    parts = {"owner": owner, "name": dataset.name, "release": found.release.name}
    return reverse("release-archive", kwargs=parts) + "/"


def _terms(release: Release) -> list[tuple[str, str]]:
    """What is said of a release beside what it holds, where it is said."""
    terms, found = release.terms, []
    for word, title in (("base", "Difference to"), ("supersedes", "In the place of")):
        if word in terms:
            other = Release.objects.filter(id=terms[word]["release"]).first()
            found.append((title, other.name if other else terms[word]["release"]))
    if terms.get("images") == "included":
        found.append(("Archive", "with the pictures in it"))
    return found


class ReleaseList(ChangeList):
    """A page of releases with what became of their files."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        builds = ReleaseBuild.objects.in_bulk([row.id for row in rows])
        datasets = Dataset.objects.filter(id__in={row.dataset_id for row in rows}).annotate(owner_name=OWNER_NAME)
        by_id: dict[uuid.UUID, Any] = {row.id: row for row in datasets}
        for row in rows:
            row.found = Found(row, builds.get(row.id))
            row.of_dataset = by_id.get(row.dataset_id)
        self.result_list = rows


class ReleaseAdmin(RecordedAdmin):
    """Releases."""

    add_form, change_form, fixed = CutForm, ShownReleaseForm, True
    deletion_class = "withdraw"
    deletion = "Its name becomes free and its file goes; what it froze can still be read from the log."
    deletion_verb = "Withdraw"
    list_display = ("name", "dataset", "frozen", "status", "samples", "file", "cut")
    list_filter = (DatasetFilter,)
    search_fields = ("name", "description")
    ordering = ("-created_at",)
    actions = ("make_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Release]:
        return super().get_queryset(request).filter(withdrawn=False)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return ReleaseList

    def get_changeform_initial_data(self, request: HttpRequest) -> JSON:
        return {"dataset": request.GET.get("dataset", "")}

    def stream_of(self, obj: Any) -> tuple[uuid.UUID, str] | None:
        return obj.dataset_id, release_stream(obj.id)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view
        return [
            path("<uuid:release>/export/", page(self.export_view), name="releases_release_export"),
            path("<uuid:release>/sign/", page(self.sign_view), name="releases_release_sign"),
            path("difference/<uuid:dataset>/", page(self.difference_view), name="releases_release_difference"),
            *super().get_urls(),
        ]

    def difference_view(self, request: HttpRequest, dataset: uuid.UUID) -> HttpResponse:
        """What differs between two releases, moments or label sets of a dataset."""
        return differences.view(self, request, dataset)

    def sign_view(self, request: HttpRequest, release: uuid.UUID) -> HttpResponse:
        """Sign a release."""
        row = self.get_queryset(request).filter(id=release).first()
        if row is None:
            raise Http404
        if not may(request, "release", row.dataset_id):
            raise PermissionDenied
        found = queries.release_by_id(row.id)

        def sign(said: JSON) -> Signature:
            return commands.sign_release(
                intent=intent_of(request),
                dataset=row.dataset_id,
                name=row.name,
                meaning=said["meaning"],
                password=said["password"],
                address=address_of(request),
            )

        return signing.page(
            self,
            request,
            title=row.name,
            facts=[
                ("Status", status_badge(found)),
                ("Frozen at offset", row.at_offset),
                ("Samples", found.build.samples_count if found.build and found.is_built else display.NOTHING),
                ("Identity", (found.build.identity if found.build else "") or display.NOTHING),
            ],
            meanings=OF_RELEASE,
            version=None,
            back_url=reverse("admin:releases_release_change", args=[release]),
            sign=sign,
        )

    def export_view(self, request: HttpRequest, release: uuid.UUID) -> HttpResponse:
        """Have the release written in the format that was chosen; the page then says how far it is."""
        found = self.get_queryset(request).filter(id=release).first()
        if found is None or not may(request, "read", found.dataset_id, public=True):
            raise Http404
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            job = commands.export_release(release=found, format_name=request.POST.get("format"))
        except (InvalidValue, Refused) as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            if job.status == ExportBuild.Status.FAILED:
                commands.export_again(export=job.id)
            self.message_user(request, f"{registry.FORMATS[job.format].title}: on its way.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:releases_release_change", args=[release]))

    def add(self, intent: Intent, form: RecordForm) -> uuid.UUID:
        said = form.cleaned_data
        dataset: Dataset = said["dataset"]
        return commands.cut_release(
            intent=intent, dataset=dataset.id, name=said["name"], description=said["description"]
        )

    def remove(self, intent: Intent, obj: Any) -> None:
        commands.withdraw_release(intent=intent, dataset=obj.dataset_id, name=obj.name)

    @admin.action(description="Make the file of the chosen releases again")
    def make_again(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """For a file that failed or is lost; the bytes are the same, so there is no event."""
        allowed = [row for row in rows if may(request, "release", row.dataset_id, public=True)]
        for row in allowed:
            commands.build_again(release=row.id)
        if allowed:
            self.message_user(request, f"{len(allowed)} sent to be made again.", messages.SUCCESS)
        if len(allowed) < len(rows):
            self.message_user(request, "Releases need the role admin in their dataset.", messages.WARNING)

    @admin.display(description="Dataset")
    def dataset(self, obj: Any) -> SafeString:
        url = reverse("admin:labeling_dataset_change", args=[obj.dataset_id])
        name = f"{obj.of_dataset.owner_name}/{obj.of_dataset.name}" if obj.of_dataset else display.NOTHING
        return format_html('<a href="{}">{}</a>', url, name)

    @admin.display(description="Frozen at offset", ordering="cut_offset")
    def frozen(self, obj: Any) -> int:
        return int(obj.at_offset)

    @admin.display(description="Status")
    def status(self, obj: Any) -> SafeString:
        return status_badge(obj.found)

    @admin.display(description="Samples")
    def samples(self, obj: Any) -> Any:
        return obj.found.build.samples_count if obj.found.is_built else display.NOTHING

    @admin.display(description="File")
    def file(self, obj: Any) -> SafeString | str:
        url = address(obj.found, obj.of_dataset.name) if obj.of_dataset else None
        if url is None:
            return display.NOTHING
        return format_html('<a href="{}" download>{}</a>', url, display.size(obj.found.build.size_bytes))

    @admin.display(description="Cut", ordering="created_at")
    def cut(self, obj: Any) -> Any:
        return display.when(obj.created_at)


def _comparisons(release: Release) -> SafeString:
    """Links to what differs from the release before, and to what is there now."""
    rows = Release.objects.filter(dataset_id=release.dataset_id, withdrawn=False, cut_offset__lt=release.cut_offset)
    before = rows.order_by("-cut_offset").values_list("name", flat=True).first()
    page = reverse("admin:releases_release_difference", args=[release.dataset_id])
    links = [(f"{page}?{urlencode({'from': before, 'to': release.name})}", f"with {before}")] if before else []
    links.append((f"{page}?{urlencode({'from': release.name})}", "with what is there now"))
    return format_html_join(mark_safe(" · "), '<a href="{}">{}</a>', links)


def _export_row(job: ExportBuild, dataset_name: str, release_name: str) -> JSON:
    said, kind = KINDS[ReleaseBuild.Status(job.status)]
    url = queries.export_url(job, dataset_name, release_name)
    lost = [item for item in job.losses if item["became"] != "converted"]
    single = [f"{item['what']} ({item['times']})" for item in lost if item["what"] not in WHOLESALE]
    return {
        "format": f"{job.format}{''.join(f', {name} {value}' for name, value in _chosen(job).items())}",
        "label_set": job.label_set,
        "status": display.badge(said + _how_far(job), kind),
        "url": url.removeprefix(settings.PUBLIC_URL) if url else None,
        "size": display.size(job.size_bytes),
        "error": job.error,
        "losses": ", ".join(single) or display.NOTHING,
        "of_all": ", ".join(item["what"] for item in lost if item["what"] in WHOLESALE),
    }


def _chosen(job: ExportBuild) -> dict[str, str]:
    """The options that are not at their defaults."""
    kind = registry.FORMATS.get(job.format)
    defaults = kind.parsed({}).said if kind else {}
    return {name: value for name, value in job.options.items() if value != defaults.get(name)}


def status_badge(found: Found) -> SafeString:
    said, kind = KINDS[ReleaseBuild.Status(found.status)]
    return display.badge(said + _how_far(found.build), kind)


def _how_far(build: Build | None) -> str:
    """How much of a file is made, where that can be said."""
    if build is None or build.status != Build.Status.PENDING or not (build.samples_total and build.samples_count):
        return ""
    return f", {min(99, 100 * build.samples_count // build.samples_total)} %"


def address(found: Found, dataset_name: str) -> str | None:
    """The address of a release's file on this server, or None."""
    url = found.url(dataset_name)
    return url.removeprefix(settings.PUBLIC_URL) if url is not None else None


def _place(log: uuid.UUID, release: str) -> tuple[str, str]:
    row = Release.objects.filter(dataset_id=log, id=release).first()
    if row is None or row.withdrawn:
        return "a release" if row is None else row.name, ""
    return row.name, reverse("admin:releases_release_change", args=[row.id])


def register(admin_site: AdminSite) -> None:
    """Put the pages of releases on the site, and its events into words."""
    admin_site.register(Release, ReleaseAdmin)
    site.plug("Datasets", "releases.Release")
    tabs.plug("difference", "Compare", "admin:releases_release_difference", "history")
    words.tell(events.ReleaseCut, "cut the release", "cut {n} releases")
    words.tell(
        events.ReleaseSigned, "signed the release as", "signed {n} releases", lambda data: str(data.get("meaning", ""))
    )
    words.tell(events.TrainingRegistered, "registered a training", "registered {n} trainings")
    words.tell(events.ReleaseWithdrawn, "withdrew the release", "withdrew {n} releases")
    places.KINDS["release"] = _place
    trainings.register(admin_site)
    erasing.register(admin_site)
