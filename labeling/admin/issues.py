"""Issues: what somebody said about a sample, what it points at, and the answers; by dataset, status and sample."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.views.decorators.csrf import csrf_protect

from labeling.admin import display, thumbnails
from labeling.admin.datasets import DatasetFilter
from labeling.admin.denials import tell_denial
from labeling.admin.fields import Fieldsets, LongTextField, RecordForm, words_of
from labeling.admin.recorded import REFUSALS, RecordedAdmin
from labeling.admin.rights import intent_of, may, person_of, visible_datasets
from labeling.commands import issues as commands
from labeling.log.event import Intent
from labeling.models import Dataset, Issue, Sample
from labeling.queries.issues import issue_with_comments
from labeling.rules.issue_state import issue_stream
from labeling.texts import decrypt_all

JSON = dict[str, Any]

LINE = 160
SAMPLE_NAME = Subquery(Sample.objects.filter(id=OuterRef("sample_id"), archived=False).values("name")[:1])


class IssueForm(RecordForm):
    """A new issue on a sample."""

    sample = forms.UUIDField(widget=forms.HiddenInput)
    description = LongTextField(rows=5, label="What is it?", max_length=commands.TEXT_LIMIT)

    fieldsets: ClassVar[Fieldsets] = [(None, {"fields": ["sample", "description"]})]

    def clean_sample(self) -> uuid.UUID:
        sample = cast(uuid.UUID, self.cleaned_data["sample"])
        visible = visible_datasets(self.request).values("id")
        if not Sample.objects.filter(id=sample, archived=False, dataset_id__in=visible).exists():
            raise ValidationError("Choose a sample, and raise the issue on its page.")
        return sample


class IssueStatusFilter(admin.SimpleListFilter):
    """Issues by whether they are resolved."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("OPEN", "open"), ("CLOSED", "resolved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(status=self.value()) if self.value() in ("OPEN", "CLOSED") else queryset


class SampleFilter(admin.SimpleListFilter):
    """Issues of one sample; a link leads here, and the list offers none by itself."""

    title = "sample"
    parameter_name = "sample"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = request.GET.get("sample", "")
        return [(value, "this sample")] if value else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        try:
            return queryset.filter(sample_id=uuid.UUID(value))
        except ValueError:
            return queryset.none()


class IssueList(ChangeList):
    """A page of issues with their words, and the names of people and datasets."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        datasets = {row.id: row for row in Dataset.objects.filter(id__in={row.dataset_id for row in rows})}
        names = display.usernames([*(row.created_by for row in rows), *(item.owner_id for item in datasets.values())])
        for row, text in zip(rows, decrypt_all([row.text for row in rows]), strict=True):
            found = datasets[row.dataset_id]
            row.words, row.by = text or "", display.name_of(row.created_by, names)
            row.dataset_name = f"{display.name_of(found.owner_id, names)}/{found.name}"
        self.result_list = rows


class IssueAdmin(RecordedAdmin):
    """Issues. They are raised on a sample's page, and answered on their own."""

    add_form = IssueForm
    deletion = "The issue and its answers are no longer shown. They stay in the log."
    list_display = ("shown", "sample", "status_shown", "by_whom", "changed")
    list_display_links = ("shown",)
    list_filter = (DatasetFilter, IssueStatusFilter, SampleFilter)
    search_fields = ("sample_name",)
    search_help_text = "The name of a sample; the words themselves are encrypted"
    ordering = ("-updated_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Issue]:
        rows = super().get_queryset(request).filter(archived=False).annotate(sample_name=SAMPLE_NAME)
        return rows.exclude(sample_name=None)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return IssueList

    def stream_of(self, obj: Any) -> tuple[uuid.UUID, str] | None:
        return obj.dataset_id, issue_stream(obj.id)

    # --- who may ----------------------------------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Without a sample there is nothing to raise an issue on, so lists and menus offer no empty form.
        match = request.resolver_match
        return bool(match and match.url_name == "labeling_issue_add" and ("sample" in request.GET or request.POST))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None or may(request, "issue", obj.dataset_id)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who raised it, while they are a member, and managers."""
        if obj is None:
            return True
        own = obj.created_by == person_of(request).id and may(request, "issue", obj.dataset_id)
        return own or may(request, "moderate", obj.dataset_id)

    # --- commands ---------------------------------------------------------------------------------------------------

    def get_changeform_initial_data(self, request: HttpRequest) -> JSON:
        return {"sample": request.GET.get("sample", "")}

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: JSON | None = None) -> HttpResponse:
        """The form of a new one, that says what it is raised on."""
        shown = {"show_save_and_add_another": False, "show_save_and_continue": False}
        try:
            asked = uuid.UUID(request.GET.get("sample", ""))
        except ValueError:
            asked = uuid.UUID(int=0)
        visible = visible_datasets(request).values("id")
        sample = Sample.objects.filter(id=asked, archived=False, dataset_id__in=visible).first()
        title = {"title": f"New issue on {sample.name}" if sample else "New issue"}
        return super().add_view(request, form_url, shown | title | (extra_context or {}))

    def add(self, intent: Intent, form: RecordForm) -> uuid.UUID:
        said = form.cleaned_data
        fields = commands.checked_issue({"description": said["description"]})
        return commands.open_issue(intent=intent, sample=said["sample"], fields=fields)

    def after_add(self, request: HttpRequest, form: RecordForm, obj: Any) -> HttpResponseBase:
        self.message_user(request, "The issue is raised.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:labeling_issue_change", args=[obj.id]))

    def remove(self, intent: Intent, obj: Any) -> None:
        commands.delete_issue(intent=intent, issue=obj.id)

    # --- the page of one ----------------------------------------------------------------------------------------------

    @method_decorator(csrf_protect)
    def change_view(  # type: ignore[override]
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: JSON | None = None
    ) -> HttpResponseBase:
        """What was said and answered, and what may be done about it: `do` is answer, resolve, reopen or edit."""
        issue: Any = self.get_object(request, unquote(object_id))
        if issue is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        if request.method == "POST" and not self.has_change_permission(request, issue):
            raise PermissionDenied
        problem = ""
        if request.method == "POST":
            try:
                with transaction.atomic():  # an answer that also resolves is both or neither
                    said = self._do(request, issue)
            except REFUSALS as error:
                tell_denial(request, error)
                problem = words_of(error)[0]
            else:
                self.message_user(request, said, messages.SUCCESS)
                return HttpResponseRedirect(request.get_full_path())
        return self._shown(request, issue, problem)

    def _do(self, request: HttpRequest, issue: Issue) -> str:
        """Run the command of the button that was pressed; returns what to say."""
        intent, do = intent_of(request), request.POST.get("do", "")
        text = request.POST.get("text", "").replace("\r\n", "\n")
        if do == "edit":
            changes = commands.checked_issue({"description": text})
            commands.change_issue(intent=intent, issue=issue.id, changes=changes)
            return "The issue says that now."
        if do == "answer" or text.strip():
            commands.comment_on_issue(intent=intent, issue=issue.id, text=commands.checked_text(text, "text"))
        if do in ("resolve", "reopen"):
            status = "CLOSED" if do == "resolve" else "OPEN"
            commands.change_issue(intent=intent_of(request), issue=issue.id, changes={"status": status})
        return {"resolve": "Resolved.", "reopen": "Open again."}.get(do, "Answered.")

    def _shown(self, request: HttpRequest, issue: Any, problem: str) -> HttpResponse:
        found = issue_with_comments(issue.id, issue.sample_name)
        comments = list(found.state.comments.values())
        dataset = Dataset.objects.get(id=issue.dataset_id)
        people = [issue.created_by, issue.updated_by, dataset.owner_id, *(item.created_by for item in comments)]
        names = display.usernames(people)
        words, *answers = decrypt_all([issue.text, *(item.text for item in comments)])
        own = issue.created_by == person_of(request).id
        context = {
            **self.admin_site.each_context(request),
            "title": issue.sample_name,
            "opts": self.opts,
            "media": self.media,
            "issue": issue,
            "words": words,
            "status": _status_badge(issue.status),
            "said": [
                {
                    "by": display.name_of(item.created_by, names),
                    "at": display.when(cast(Any, item.created_at)),
                    "words": text,
                }
                for item, text in zip(comments, answers, strict=True)
            ],
            "by": display.name_of(issue.created_by, names),
            "at": display.when(issue.created_at),
            "changed": display.when(issue.updated_at),
            "anchor": anchor_words(issue.anchor),
            "anchor_json": display.json_block(issue.anchor) if issue.anchor else "",
            "picture": thumbnails.tag(issue.sample_id, "large", alt=f"{issue.sample_name} with its label"),
            "dataset": f"{display.name_of(dataset.owner_id, names)}/{dataset.name}",
            "dataset_url": reverse("admin:labeling_dataset_change", args=[dataset.id]),
            "sample_url": reverse("admin:labeling_sample_change", args=[issue.sample_id]),
            "others_url": f"{reverse('admin:labeling_issue_changelist')}?sample={issue.sample_id}",
            "events_url": reverse("admin:labeling_issue_history", args=[issue.id]),
            "may_answer": self.has_change_permission(request, issue),
            "may_edit": (own and may(request, "issue", issue.dataset_id)) or may(request, "moderate", issue.dataset_id),
            "may_delete": self.has_delete_permission(request, issue),
            "problem": problem,
            "sent": request.POST.get("text", "") if problem else "",
            "text_limit": commands.TEXT_LIMIT,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/labeling/issue/page.html", context, status=400 if problem else 200)

    # --- columns ------------------------------------------------------------------------------------------------------

    @admin.display(description="Issue")
    def shown(self, obj: Any) -> str:
        return Truncator(obj.words).chars(LINE) or "(no words)"

    @admin.display(description="Sample", ordering="sample_name")
    def sample(self, obj: Any) -> SafeString:
        address = reverse("admin:labeling_sample_change", args=[obj.sample_id])
        words = '<a href="{}">{}</a><br><span class="quiet">{}</span>'
        return format_html(words, address, obj.sample_name, obj.dataset_name)

    @admin.display(description="Status", ordering="status")
    def status_shown(self, obj: Any) -> SafeString:
        return _status_badge(obj.status)

    @admin.display(description="By")
    def by_whom(self, obj: Any) -> str:
        return str(obj.by)

    @admin.display(description="Changed", ordering="updated_at")
    def changed(self, obj: Any) -> Any:
        return display.when(obj.updated_at)


def _status_badge(status: str) -> SafeString:
    return display.badge("open", "busy") if status == "OPEN" else display.badge("resolved", "good")


def anchor_words(anchor: JSON | None) -> str:
    """What an issue points at, in words."""
    if not anchor:
        return "the whole sample"
    where = ""
    match anchor.get("type"):
        case "track":
            where = f"track {anchor.get('trackNumber')}"
            if anchor.get("trackAttribute"):
                where += f", its attribute {anchor['trackAttribute']}"
        case "sceneAttribute":
            where = f"the attribute {anchor.get('sceneAttribute')} of the image"
        case "location":
            at = anchor.get("location") or {}
            where = "at " + ", ".join(f"{axis} {at[axis]:g}" for axis in ("x", "y", "z") if axis in at)
        case _:
            where = "the whole sample"
    if anchor.get("frame") is not None:
        where += f", frame {anchor['frame']}"
    return f"{where}, sensor {anchor['sensor']}" if anchor.get("sensor") else where
