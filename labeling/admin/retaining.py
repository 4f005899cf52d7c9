"""The page of the retention: how long what is in no log is kept, legal holds, and what was purged."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from labeling.admin import display
from labeling.admin.denials import tell_denial
from labeling.admin.fields import TextField, words_of
from labeling.admin.recorded import REFUSALS
from labeling.admin.rights import intent_of, is_superuser
from labeling.commands import retention as commands
from labeling.events import DataPurged
from labeling.log import store
from labeling.log.event import INSTALLATION
from labeling.queries.retention import name_of_held, retention
from labeling.rules.retention import KINDS, STREAM

if TYPE_CHECKING:
    from labeling.admin.people import PersonAdmin

JSON = dict[str, Any]
MOST_PURGES = 50


class KeepForm(forms.Form):
    """For how long data of a kind is kept."""

    kind = forms.ChoiceField(choices=[(name, name) for name in KINDS])
    days = forms.IntegerField(label="Days", required=False, min_value=1, help_text="Empty: for ever.")


class HoldForm(forms.Form):
    """What is held."""

    name = TextField(label="What", help_text="owner/name of a dataset, or a username.")


def view(page: PersonAdmin, request: HttpRequest) -> HttpResponse:
    """Show it, and change it."""
    if not is_superuser(request):
        raise PermissionDenied
    do = request.POST.get("do", "")
    keep, hold = (KeepForm(request.POST if do == "keep" else None), HoldForm(request.POST if do == "hold" else None))
    form: forms.Form = keep if do == "keep" else hold
    problem = ""
    if request.method == "POST" and (do == "lift" or form.is_valid()):
        try:
            _act(request, do, form)
        except REFUSALS as error:
            tell_denial(request, error)
            problem = words_of(error)[0]
        else:
            page.message_user(request, "Done, and in the installation's log.", messages.SUCCESS)
            return HttpResponseRedirect(request.path)
    now = retention()
    purges = [event for event in store.read_stream(INSTALLATION, STREAM) if isinstance(event.fact, DataPurged)]
    request.current_app = page.admin_site.name
    context = page.admin_site.each_context(request) | {
        "title": "Retention and legal holds",
        "opts": page.opts,
        "problem": problem,
        "keep": keep,
        "hold": hold,
        "kinds": [
            {"name": name, "words": kind.words, "days": now.kept_days(name), "least": kind.least_days}
            for name, kind in KINDS.items()
        ],
        "holds": [
            {"what": what, "name": name_of_held(what, key), "value": f"{what} {key}"} for what, key in sorted(now.holds)
        ],
        "purges": [
            {"fact": event.fact, "when": display.when(event.recorded_at)} for event in reversed(purges[-MOST_PURGES:])
        ],
        "events_url": f"{reverse('admin:labeling_storedevent_changelist')}?log={INSTALLATION}&stream={STREAM}",
        "asks_reason": True,
    }
    failed = bool(problem or (request.method == "POST" and form.errors))
    return TemplateResponse(request, "admin/labeling/person/retention.html", context, status=400 if failed else 200)


def _act(request: HttpRequest, do: str, form: forms.Form) -> None:
    intent = intent_of(request)
    if do == "keep":
        commands.set_retention(intent=intent, kind=form.cleaned_data["kind"], days=form.cleaned_data["days"])
    elif do == "hold":
        what, key = commands.held_by_name(form.cleaned_data["name"])
        commands.place_hold(intent=intent, what=what, key=key)
    else:
        known = {f"{what} {key}": (what, key) for what, key in retention().holds}
        what, text = known.get(request.POST.get("held", ""), ("", ""))
        commands.lift_hold(intent=intent, what=what, key=uuid.UUID(text) if text else uuid.UUID(int=0))
