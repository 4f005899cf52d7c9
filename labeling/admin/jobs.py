"""Background jobs: what waits in the queue, what runs, what failed; a failed one can be sent again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import dramatiq
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from dramatiq.common import q_name
from dramatiq_postgres import PostgresBroker
from dramatiq_postgres.django.models import Job, Worker

from labeling.admin import display
from labeling.admin.fields import pretty
from labeling.admin.recorded import ReadAdmin
from labeling.log import projector

JSON = dict[str, Any]

#: A worker that was not heard of for so long is gone (dramatiq-postgres' own limit).
WORKER_ALIVE = dt.timedelta(seconds=60)
STATES = {
    Job.QUEUED: ("waiting", "busy"),
    Job.CONSUMED: ("running", "good"),
    Job.REJECTED: ("failed", "bad"),
}
#: Options that dramatiq writes on a message as it fails; a job that is sent again begins anew.
OF_FAILURES = ("retries", "traceback", "requeue_timestamp", "eta")


class StateFilter(admin.SimpleListFilter):
    """Jobs by their state, in our words."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, said) for state, (said, _) in STATES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() in STATES else queryset


class JobAdmin(ReadAdmin):
    """The jobs of the queue in PostgreSQL, read-only. A job that is done leaves the table."""

    for_superusers = True
    dataset_column = ""
    list_display = ("shown_state", "actor", "arguments", "queue_name", "tries", "changed")
    list_filter = (StateFilter, "queue_name")
    search_fields = ("message_id", "queue_name", "message__actor_name")
    ordering = ("-mtime",)
    actions: Sequence[Any] | None = ("requeue_jobs",)

    def changelist_view(self, request: HttpRequest, extra_context: JSON | None = None) -> HttpResponse:
        extra = (extra_context or {}) | {"queue": queue_state(), "title": "Background jobs"}
        return super().changelist_view(request, extra)

    change_list_template = "admin/dramatiq_postgres/jobs.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: JSON | None = None
    ) -> HttpResponse:
        """A job's page: what it was asked to do, and why it failed."""
        job: Any = self.get_object(request, unquote(object_id))
        if job is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request, job):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": (job.actor_name or "unknown").replace("_", " "),
            "eyebrow": "Background job",
            "opts": self.opts,
            "media": self.media,
            "state": self.shown_state(job),
            "facts": [
                ("Message", job.message_id),
                ("Queue", job.queue_name),
                ("Tries so far", job.retries),
                ("Changed", display.when(job.mtime)),
                ("Due", display.when(job.available_at)),
                ("Taken", display.when(job.consumed_at)),
                ("Worker", job.worker_id or display.NOTHING),
            ],
            "arguments": display.json_block({"args": job.args, "kwargs": job.kwargs}),
            "traceback": job.traceback,
        }
        return TemplateResponse(request, "admin/dramatiq_postgres/job.html", context)

    @admin.action(description="Send the chosen jobs again")
    def requeue_jobs(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Put failed and waiting jobs at the end of their queue; one that runs is left alone, or it would run twice."""
        broker = dramatiq.get_broker()
        sent = 0
        for job in rows:
            message = None if job.is_running else _message(job)
            if message is not None:
                broker.enqueue(message)  # an upsert by the message's id
                sent += 1
        left = len(rows) - sent
        if sent:
            self.message_user(request, f"{sent} sent again.", messages.SUCCESS)
        if left:
            self.message_user(request, f"{left} left alone: running, or of an unknown kind.", messages.WARNING)

    @admin.display(description="State", ordering="state")
    def shown_state(self, obj: Any) -> SafeString:
        said, kind = STATES.get(obj.state, (obj.state or "unknown", "quiet"))
        return display.badge(said, kind)

    @admin.display(description="Job")
    def actor(self, obj: Any) -> SafeString:
        return format_html("<b>{}</b>", (obj.actor_name or "unknown").replace("_", " "))

    @admin.display(description="Arguments")
    def arguments(self, obj: Any) -> str:
        text = pretty([*(obj.args or ()), *((obj.kwargs or {}).items())]).replace("\n", " ")
        return text if len(text) <= 80 else f"{text[:80]}…"

    @admin.display(description="Tries")
    def tries(self, obj: Any) -> int:
        return int(obj.retries)

    @admin.display(description="Changed", ordering="mtime")
    def changed(self, obj: Any) -> Any:
        return display.when(obj.mtime)


def _message(job: Any) -> dramatiq.Message[Any] | None:
    stored = job.message if isinstance(job.message, dict) else {}
    if not stored.get("actor_name"):
        return None
    options = {key: value for key, value in (stored.get("options") or {}).items() if key not in OF_FAILURES}
    return dramatiq.Message(
        queue_name=q_name(stored.get("queue_name") or job.queue_name),  # not the one where delayed messages wait
        actor_name=stored["actor_name"],
        args=tuple(stored.get("args") or ()),
        kwargs=stored.get("kwargs") or {},
        options=options,
        message_id=str(job.message_id),
    )


def queue_state() -> JSON:
    """The queue in numbers: jobs by state, workers alive, and datasets whose projections are behind their log."""
    counts = dict(Job.objects.values_list("state").annotate(n=Count("message_id")))
    oldest = Job.objects.filter(state=Job.QUEUED, available_at__lte=timezone.now()).order_by("available_at").first()
    return {
        "kept_here": isinstance(dramatiq.get_broker(), PostgresBroker),
        "waiting": counts.get(Job.QUEUED, 0),
        "running": counts.get(Job.CONSUMED, 0),
        "failed": counts.get(Job.REJECTED, 0),
        "workers": Worker.objects.filter(heartbeat_at__gte=timezone.now() - WORKER_ALIVE).count(),
        "oldest": display.ago(oldest.available_at) if oldest is not None else "",
        "behind": len(projector.behind()),
    }
