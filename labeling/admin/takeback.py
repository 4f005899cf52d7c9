"""The page that says what taking an event of a label back would do, and does it: the dry run of a restore, and then
the restore. Nothing is stored before somebody confirms it there."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from labeling.admin import display
from labeling.admin.denials import tell_denial
from labeling.admin.fields import words_of
from labeling.admin.recorded import REFUSALS, ReadAdmin
from labeling.admin.rights import intent_of, may, person_of, visible_datasets
from labeling.commands.restoring import Past, restore_label
from labeling.commands.undo import ON_CONFLICT
from labeling.errors import NotFound, NotPermitted
from labeling.log import store
from labeling.log.search import Wanted
from labeling.models import Label, LabelSet, Sample
from labeling.queries.history import Historian, entries
from labeling.rules.label_ids import label_stream

JSON = dict[str, Any]

HOW = {
    "stop": "Stop: change nothing while somebody's later work stands in the way",
    "skip": "Skip: leave what others built on it, and take back the rest",
    "force": "Force: put it back all the same; later work in its place goes, and a reason is asked for",
}


def view(page: ReadAdmin, request: HttpRequest, label: uuid.UUID, offset: int) -> HttpResponse:
    """Show the dry run, or take the event back."""
    row = Label.objects.filter(id=label).first()
    if row is None or not visible_datasets(request).filter(id=row.dataset_id).exists():
        raise Http404
    if not may(request, "label", row.dataset_id):
        raise PermissionDenied
    label_set = LabelSet.objects.filter(id=row.label_set_id, archived=False).values_list("name", flat=True).first()
    stream = label_stream(row.sample_id, row.label_set_id)
    is_there = 0 < offset <= store.head(row.dataset_id)  # an address may hold more than an offset can
    events = store.read(row.dataset_id, after=offset - 1, up_to=offset, stream=stream) if is_there else []
    if label_set is None or not events:
        raise Http404
    (event,) = events
    back_url = reverse("admin:labeling_label_change", args=[label]) + "#story"
    how = request.POST.get("on_conflict", "stop")
    how = how if how in ON_CONFLICT else "stop"
    problem, done = "", None

    def restore(*, dry_run: bool, on_conflict: str = "stop") -> JSON:
        return restore_label(
            intent=intent_of(request),
            sample=row.sample_id,
            label_set=label_set,
            past=Past({"kind": "event", "offset": offset}, Wanted(first=offset, last=offset)),
            on_conflict=on_conflict,
            dry_run=dry_run,
        ).report

    if request.method == "POST":
        try:
            with transaction.atomic():
                done = restore(dry_run=False, on_conflict=how)
        except REFUSALS as error:
            tell_denial(request, error)
            problem = words_of(error)[0]
        else:
            said = f"Event {offset} is taken back." if done["stored"] else "Nothing was left to take back."
            page.message_user(request, said, messages.SUCCESS if done["stored"] else messages.WARNING)
            return HttpResponseRedirect(back_url)
    try:
        plan = restore(dry_run=True)
    except (NotFound, NotPermitted) as error:
        tell_denial(request, error)
        if isinstance(error, NotPermitted):
            raise PermissionDenied from error
        raise Http404 from error
    except REFUSALS as error:
        plan, problem = {"changes": [], "in_the_way": [], "kept": []}, problem or words_of(error)[0]
    told = next(iter(entries(row.dataset_id, Historian(row.dataset_id).told([event]))))
    names = display.usernames([uuid.UUID(item["by"]) for item in plan["in_the_way"] if item["by"]])
    sample = Sample.objects.filter(id=row.sample_id).values_list("name", flat=True).first()
    request.current_app = page.admin_site.name
    context = page.admin_site.each_context(request) | {
        "title": f"Take back event {offset}: {sample or row.sample_id} · {label_set}",
        "opts": page.opts,
        "told": told,
        "when": display.when(told["recorded_at"]),
        "event_url": reverse("admin:labeling_storedevent_change", args=[f"{row.dataset_id}@{offset}"]),
        "changes": [_change(item) for item in plan["changes"]],
        "in_the_way": [_obstacle(item, names) for item in plan["in_the_way"]],
        "kept": len(plan["kept"]),
        "how": [(word, words, word == how) for word, words in HOW.items()],
        "asks_reason": event.intent.author != person_of(request).id,
        "reason": request.POST.get("reason", ""),
        "problem": problem,
        "back_url": back_url,
    }
    return TemplateResponse(request, "admin/labeling/label/take_back.html", context, status=400 if problem else 200)


def _change(item: JSON) -> JSON:
    kind = item["what"].partition(":")[0]
    about = kind if item["id"] is None else f"{kind} {item['id']}"
    return {"about": about, "did": item["did"], "fields": ", ".join(name.replace("_", " ") for name in item["fields"])}


def _obstacle(item: JSON, names: dict[uuid.UUID, str]) -> JSON:
    by = display.name_of(uuid.UUID(item["by"]), names) if item["by"] else "nobody known"
    field = (item["field"] or "").replace("_", " ")
    return {"field": field or "the whole of it", "why": item["why"], "by": by, "offset": item["offset"]}
