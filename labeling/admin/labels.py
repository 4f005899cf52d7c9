"""Labels, to be looked at: they are changed by those who label, through the API."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from labeling.admin import display, panels, signing, stories, takeback, thumbnails
from labeling.admin.datasets import DatasetFilter
from labeling.admin.fields import pretty
from labeling.admin.logins import address_of
from labeling.admin.recorded import ReadAdmin
from labeling.admin.rights import intent_of, may, person_of
from labeling.commands.signatures import sign_label
from labeling.models import Annotation, Dataset, Label, LabelMasks, LabelSet, Sample
from labeling.queries.labels import find_label
from labeling.queries.signatures import Signature, signatures_of
from labeling.rules.colours import colours_of
from labeling.rules.content import content_hash
from labeling.rules.label_ids import label_stream
from labeling.rules.label_state import STATUSES, LabelState
from labeling.rules.masks import KINDS
from labeling.rules.signatures import OF_LABEL, signature_stream

JSON = dict[str, Any]

#: Objects on a label's page; a label of thousands is read through the API.
MOST_OBJECTS = 500

SAMPLE_NAME = Subquery(Sample.objects.filter(id=OuterRef("sample_id")).values("name")[:1])
SET_NAME = Subquery(LabelSet.objects.filter(id=OuterRef("label_set_id")).values("name")[:1])


class StatusFilter(admin.SimpleListFilter):
    """Labels by status."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status, display.STATUS_WORDS[status]) for status in STATUSES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(status=self.value()) if self.value() else queryset


class LabelList(ChangeList):
    """A page of labels with the names of what they belong to, and how many objects they hold."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        datasets = dict(Dataset.objects.filter(id__in={row.dataset_id for row in rows}).values_list("id", "name"))
        held = Annotation.objects.filter(label_id__in=[row.id for row in rows]).values("label_id")
        counts = dict(held.annotate(n=Count("uuid")).values_list("label_id", "n"))
        names = display.usernames(row.updated_by for row in rows)
        for row in rows:
            row.dataset_name = datasets.get(row.dataset_id, "")
            row.object_count = display.NOTHING if row.document is not None else counts.get(row.id, 0)
            row.changer = display.name_of(row.updated_by, names)
        self.result_list = rows


class LabelAdmin(ReadAdmin):
    """Labels, read-only."""

    list_display = ("sample", "label_set", "shown_status", "objects", "version", "changer", "changed")
    list_filter = (DatasetFilter, StatusFilter)
    search_fields = ("sample_name",)
    search_help_text = "A sample's name or a part of it, or the uuid of a sample or label"
    ordering = ("-updated_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Label]:
        rows = super().get_queryset(request).filter(deleted=False)
        return rows.annotate(sample_name=SAMPLE_NAME, set_name=SET_NAME)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return LabelList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            wanted = uuid.UUID(search_term.strip())
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(id=wanted) | queryset.filter(sample_id=wanted), False

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.sign_view)
        taking = self.admin_site.admin_view(partial(takeback.view, self))
        return [
            path("<uuid:label>/sign/", page, name="labeling_label_sign"),
            path("<uuid:label>/takeback/<int:offset>/", taking, name="labeling_label_takeback"),
            *super().get_urls(),
        ]

    def sign_view(self, request: HttpRequest, label: uuid.UUID) -> HttpResponse:
        """Sign a label."""
        found: Any = self.get_object(request, str(label))
        if found is None:
            raise Http404
        if not may(request, "review", found.dataset_id):
            raise PermissionDenied
        state = state_of(found, request)

        def sign(said: JSON) -> Signature:
            return sign_label(
                intent=intent_of(request),
                sample=found.sample_id,
                label_set=found.set_name,
                meaning=said["meaning"],
                version=said["version"],
                password=said["password"],
                address=address_of(request),
            )

        return signing.page(
            self,
            request,
            title=f"{found.sample_name} · {found.set_name}",
            facts=[
                ("Status", display.status_badge(found.status)),
                ("Version", state.version),
                ("Objects", len(state.annotations)),
                ("Hash of what it says", content_hash(state)[:32]),
            ],
            meanings=OF_LABEL,
            version=state.version,
            back_url=reverse("admin:labeling_label_change", args=[label]),
            sign=sign,
        )

    def stream_of(self, obj: Any) -> tuple[uuid.UUID, str] | None:
        return obj.dataset_id, label_stream(obj.sample_id, obj.label_set_id)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: JSON | None = None
    ) -> HttpResponse:
        """A label's page. There is nothing to be sent back."""
        label: Any = self.get_object(request, unquote(object_id))
        if label is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": f"{label.sample_name} · {label.set_name}",
            "eyebrow": "Label",
            "opts": self.opts,
            "original": label,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/labeling/label/page.html", context | page_of(label, request))

    @admin.display(description="Sample", ordering="sample_name")
    def sample(self, obj: Any) -> SafeString:
        return format_html('{}<br><span class="quiet">{}</span>', obj.sample_name, obj.dataset_name)

    @admin.display(description="Label set", ordering="set_name")
    def label_set(self, obj: Any) -> str:
        return obj.set_name or display.NOTHING

    @admin.display(description="Status", ordering="status")
    def shown_status(self, obj: Any) -> SafeString:
        return display.status_badge(obj.status)

    @admin.display(description="Objects")
    def objects(self, obj: Any) -> Any:
        return obj.object_count

    @admin.display(description="Changed by")
    def changer(self, obj: Any) -> str:
        return str(obj.changer)

    @admin.display(description="Changed", ordering="updated_at")
    def changed(self, obj: Any) -> Any:
        return display.when(obj.updated_at)


def state_of(label: Any, request: HttpRequest) -> LabelState:
    """The whole state of a label."""
    return find_label(label.sample_id, label.set_name, person=person_of(request).id).state


def _signatures(label: Any, request: HttpRequest) -> JSON:
    signed = signatures_of(label.dataset_id, signature_stream(label.sample_id, label.label_set_id))
    may_sign = bool(label.set_name) and may(request, "review", label.dataset_id)
    content = content_hash(state_of(label, request)) if signed and label.set_name else ""
    return {
        "signatures": signing.shown(signed, content),
        "sign_url": reverse("admin:labeling_label_sign", args=[label.id]) if may_sign else "",
    }


def page_of(label: Any, request: HttpRequest) -> JSON:
    """What a label's page shows."""
    dataset = Dataset.objects.get(id=label.dataset_id)
    held = Annotation.objects.filter(label_id=label.id).order_by("-order", "id")
    total = held.count()
    rows = list(held[:MOST_OBJECTS])
    people = [label.created_by, label.updated_by, label.reviewed_by, dataset.owner_id]
    names = display.usernames([*people, *(_by(row) for row in rows)])
    colour_of = colours_of(dataset.task_attributes)
    categories = {item.get("id"): item.get("name") for item in dataset.task_attributes.get("categories") or []}
    stream = label_stream(label.sample_id, label.label_set_id)
    panel = panels.panel_of(label, dataset, request)
    return {
        "label": label,
        "panel": panel,
        "picture": thumbnails.tag(
            label.sample_id,
            "large",
            label_set=label.set_name or "",
            alt="the sample with this label",
            frame=panel.frame if panel else 0,
            sensor=panel.sensor if panel else None,
        ),
        "status": display.status_badge(label.status),
        "facts": [
            ("Dataset", f"{display.name_of(dataset.owner_id, names)}/{dataset.name}"),
            ("Version", label.version),
            ("Objects", panel.objects if panel else total if label.document is None else display.NOTHING),
            ("Score", display.NOTHING if label.score is None else label.score),
            (
                "Created",
                format_html("{} by {}", display.when(label.created_at), display.name_of(label.created_by, names)),
            ),
            (
                "Changed",
                format_html("{} by {}", display.when(label.updated_at), display.name_of(label.updated_by, names)),
            ),
            ("Reviewed", _reviewed(label, names)),
            ("Masks", _masks(label, panel.frame if panel else 0)),
            ("Last event", f"offset {label.last_offset}"),
        ],
        "objects": [_object(row, categories, colour_of, names) for row in rows],
        "left_out": total - len(rows),
        "scene": display.json_block(label.scene) if label.scene else "",
        "classifications": [
            (categories.get(number, number), number == label.default_classification) for number in label.classifications
        ],
        "document": display.json_block(label.document) if label.document is not None and panel is None else "",
        "mask": label.mask,
        "story": stories.story_of(label, request),
        **_signatures(label, request),
        "sample_url": reverse("admin:labeling_sample_change", args=[label.sample_id]),
        "dataset_url": reverse("admin:labeling_dataset_change", args=[dataset.id]),
        "events_url": f"{reverse('admin:labeling_storedevent_changelist')}?log={dataset.id}&stream={stream}",
    }


def _masks(label: Any, frame: int) -> SafeString | str:
    """Links to the maps of a picture, to the picture with them over it, and to what is missing in them."""
    head = LabelMasks.objects.filter(id=label.id).first()
    if head is None or not label.set_name:
        return display.NOTHING
    names = [label.sample_id, label.set_name]
    number = f"&frame={frame}" if head.pictures > 1 else ""
    links: list[tuple[str, str]] = [
        (reverse("label-mask", args=names) + f"?kind={kind}{number}", kind) for kind in KINDS
    ]
    links.append((reverse("label-overlay", args=names) + f"?size=full{number}", "over the picture"))
    links.append((reverse("label-mask-report", args=names) + f"?frame={frame}", "what is missing"))
    return format_html_join(mark_safe(" · "), '<a href="{}">{}</a>', links)


def _reviewed(label: Any, names: dict[uuid.UUID, str]) -> SafeString | str:
    if label.reviewed_at is None:
        return display.NOTHING
    return format_html("{} by {}", display.when(label.reviewed_at), display.name_of(label.reviewed_by, names))


def _by(row: Annotation) -> uuid.UUID | None:
    return uuid.UUID(row.data["by"]) if row.data.get("by") else None


def _object(row: Annotation, categories: dict[Any, Any], colour_of: Any, names: dict[uuid.UUID, str]) -> JSON:
    category = "none" if row.category_id is None else categories.get(row.category_id, row.category_id)
    origin = row.data.get("origin") or {}
    return {
        "id": row.id,
        "swatch": display.swatch(colour_of(row.category_id)),
        "category": category,
        "type": row.type,
        "attributes": ", ".join(
            f"{key} = {_short(value)}" for key, value in (row.data.get("attributes") or {}).items()
        ),
        "extras": [word for word in ("keypoints", "orientation", "score", "links") if word in row.data],
        "origin": origin.get("model") or origin.get("kind") or "",
        "by": display.name_of(_by(row), names),
        "version": row.version,
        "uuid": row.uuid,
    }


def _short(value: Any) -> str:
    return value if isinstance(value, str) else pretty(value).replace("\n", " ")
