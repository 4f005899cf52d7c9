"""Webhooks of a dataset, of an organisation and of all datasets: who is told what, how it goes, and what became of the
last messages."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse

from labeling.admin import display
from labeling.admin.denials import tell_denial
from labeling.admin.fields import TextField, words_of
from labeling.admin.recorded import REFUSALS
from labeling.admin.rights import intent_of, is_superuser, may, person_of
from labeling.admin.tabs import dataset_here, shown
from labeling.api.webhooks import rendered_webhooks
from labeling.commands import webhooks as commands
from labeling.commands.webhooks import Where
from labeling.errors import InvalidValue, NotFound
from labeling.models import LabelSet, Webhook, WebhookDelivery
from labeling.queries import webhooks as queries
from labeling.queries.datasets import find_dataset
from labeling.rules.webhook_messages import PROTOCOL, secret_text

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite

    from labeling.admin.datasets import DatasetAdmin
    from labeling.admin.organizations import OrganizationAdmin

JSON = dict[str, Any]

#: How many of its last messages are shown of each webhook.
SHOWN = 10
#: How many of the logs that one is told of.
MOST_LOGS = 50
STATES = {
    "active": ("active", "good"),
    "failing": ("failing, tried again", "busy"),
    "stopped": ("stopped", "bad"),
    "paused": ("paused", "quiet"),
    "delivered": ("delivered", "good"),
    "dead": ("given up", "bad"),
    "waiting": ("waiting", "quiet"),
}


class WebhookForm(forms.Form):
    """Whom to tell what."""

    url = TextField(label="Address", max_length=4096, help_text="Of http or https. Kept encrypted.")
    name = TextField(label="Name", required=False, max_length=commands.MOST_NAME)
    types = forms.MultipleChoiceField(
        label="Events", required=False, widget=forms.CheckboxSelectMultiple, help_text="None of them means all."
    )
    labelsets = forms.MultipleChoiceField(
        label="Label sets",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None means all. What is no label is told in any case.",
    )

    def __init__(
        self, *arguments: Any, label_sets: Sequence[str] | None, own: Sequence[str] = (), **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        # Types of the log are named over the API; those that it has stay on offer.
        self.fields["types"].choices = [(item, item) for item in dict.fromkeys((*PROTOCOL, *own))]  # type: ignore[attr-defined]
        if label_sets is None:
            del self.fields["labelsets"]  # they are those of one dataset
        else:
            self.fields["labelsets"].choices = [(item, item) for item in label_sets]  # type: ignore[attr-defined]


Show = Callable[[JSON], HttpResponseBase]


def view(page: DatasetAdmin, request: HttpRequest, dataset: uuid.UUID) -> HttpResponseBase:
    """The page of a dataset's webhooks."""
    found = dataset_here(request, dataset)
    if not may(request, "webhooks", dataset):
        raise PermissionDenied
    names = LabelSet.objects.filter(dataset_id=dataset, archived=False).order_by("name").values_list("name", flat=True)

    def show(context: JSON) -> HttpResponseBase:
        template = "admin/labeling/dataset/webhooks.html"
        return shown(page, request, found, template, "Webhooks", "webhooks", context)

    return _page(request, Where(dataset), show, label_sets=list(names))


def organization_view(page: OrganizationAdmin, request: HttpRequest, organization: uuid.UUID) -> HttpResponseBase:
    """The page of an organisation's webhooks, for who manages it."""
    found = page.organization_here(request, organization)
    if not page.manages(request, organization):
        raise PermissionDenied

    def show(context: JSON) -> HttpResponseBase:
        context |= {"organization": found, "whose": f"the datasets of {found.username}"}
        return page.shown(request, "webhooks.html", "Webhooks", context)

    return _page(request, Where(organization=organization), show)


def installation_view(site: AdminSite, request: HttpRequest) -> HttpResponseBase:
    """The page of the webhooks of all datasets, for who runs the installation."""
    if not is_superuser(request):
        raise PermissionDenied

    def show(context: JSON) -> HttpResponseBase:
        names: JSON = {**site.each_context(request), "title": "Webhooks of all datasets", "whose": "all datasets"}
        request.current_app = site.name
        return TemplateResponse(request, "admin/webhooks/installation.html", names | context)

    return _page(request, Where(), show)


def _page(
    request: HttpRequest, where: Where, show: Show, *, label_sets: Sequence[str] | None = None
) -> HttpResponseBase:
    """The page of a place's webhooks; whatever is done on it says in the field `do` what."""
    said = request.POST
    form = WebhookForm(said if said.get("do") == "add" else None, label_sets=label_sets)
    changing: dict[uuid.UUID, WebhookForm] = {}
    secret, of = "", ""
    if request.method == "POST":
        row = None if said.get("do") == "add" else _named(said.get("webhook", ""), where)
        asked = form
        if row is not None and said.get("do") == "change":
            asked = changing[row.id] = WebhookForm(said, label_sets=label_sets, own=row.types)
        try:
            if said.get("do") not in ("add", "change") or asked.is_valid():
                row = _done(request, where, row, asked)
                if row is None or said.get("do") not in ("add", "secret"):
                    return HttpResponseRedirect(request.get_full_path())
                secret, of = secret_text(commands.secret_of(row)), row.name or "the webhook"
                form = WebhookForm(label_sets=label_sets)
        except REFUSALS as error:
            tell_denial(request, error)
            message, field = words_of(error)
            if said.get("do") in ("add", "change"):
                asked.add_error(field if field in asked.fields else None, message)
            else:
                messages.error(request, message)
    rows = queries.webhooks_of(where.log, owner=where.organization)
    told = rendered_webhooks(rows)
    deliveries = {row.id: queries.deliveries_of(row.id, limit=SHOWN) for row in rows}
    named = {cursor["dataset"] for item in told for cursor in item["logs"]}
    named |= {item.log for found in deliveries.values() for item in found if item.log}
    names = {} if where.dataset else display.full_names(named)
    return show(
        {
            "form": form,
            "adding": bool(form.errors) or not rows,
            "items": [
                _item(row, item, label_sets, changing, names, deliveries[row.id])
                for row, item in zip(rows, told, strict=True)
            ],
            "is_of_many": where.dataset is None,
            "secret": secret,
            "secret_of": of,
        }
    )


def _named(text: str, where: Where) -> Webhook:
    try:
        return queries.find_webhook(uuid.UUID(text), where.log, owner=where.organization)
    except (ValueError, NotFound):
        raise Http404 from None


def _done(request: HttpRequest, where: Where, row: Webhook | None, form: WebhookForm) -> Webhook | None:
    """Run the command; the webhook whose secret is to be shown, or None."""
    do, intent = request.POST.get("do"), intent_of(request)
    if do == "add":
        fields = commands.checked_webhook(form.cleaned_data, where)
        made = commands.add_webhook(intent=intent, where=where, fields=fields)
        return queries.find_webhook(made, where.log, owner=where.organization)
    assert row is not None
    known: JSON = {"intent": intent, "where": where, "webhook": row.id}
    if do == "change":
        commands.change_webhook(**known, changes=commands.checked_webhook(form.cleaned_data, where, partial=True))
        said = "The webhook is changed."
    elif do in ("pause", "resume"):
        commands.change_webhook(**known, changes={"paused": do == "pause"})
        said = "The webhook is paused." if do == "pause" else "The webhook goes on."
    elif do == "secret":
        commands.change_secret(**known)
        return queries.find_webhook(row.id, where.log, owner=where.organization)
    elif do == "ping":
        commands.ping(**known)
        said = "A ping is on its way."
    elif do == "redeliver":
        text = request.POST.get("from", "").strip()
        offset = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
        commands.redeliver(**known, log=where.dataset or _dataset_named(request), offset=offset)
        said = f"The log is told from offset {offset} on."
    elif do == "remove":
        commands.remove_webhook(**known)
        said = "The webhook is removed."
    else:
        raise Http404
    messages.success(request, said)
    return None


def _dataset_named(request: HttpRequest) -> uuid.UUID:
    """The dataset whose log is to be told again, as owner/name."""
    owner, _, name = request.POST.get("dataset", "").strip().partition("/")
    if not owner or not name or not (owner + name).isprintable():
        raise InvalidValue("dataset", "must be a dataset's owner and name: owner/name")
    return find_dataset(owner, name, person=person_of(request).id).id


def _item(
    row: Webhook,
    told: JSON,
    label_sets: Sequence[str] | None,
    changing: dict[uuid.UUID, WebhookForm],
    names: dict[uuid.UUID, str],
    deliveries: Sequence[WebhookDelivery],
) -> JSON:
    """A webhook as the page shows it."""
    initial = {"url": told["url"], "name": row.name, "types": row.types, "labelsets": told["labelsets"]}
    logs = [log | {"name": names.get(log["dataset"], ""), "shown": STATES[_state(log)]} for log in told["logs"]]
    # What somebody has to look after comes first, then what is on its way.
    logs.sort(key=lambda log: (log["state"] != "stopped", -log["failures"], -log["behind"], log["name"]))
    own = changing.get(row.id)
    return {
        "id": row.id,
        "name": row.name,
        "url": told["url"] or "(cannot be read: the server's secret key was changed)",
        "state": display.badge(*STATES[told["state"]]),
        "paused": row.paused,
        "can_go_on": row.paused or told["state"] in ("stopped", "failing"),
        "types": told["types"],
        "labelsets": told["labelsets"],
        "logs": [log | {"badge": display.badge(*log["shown"])} for log in logs[:MOST_LOGS]],
        "more_logs": max(0, len(logs) - MOST_LOGS),
        "created": display.when(row.created_at),
        "created_by": told["created_by"],
        "form": own or WebhookForm(initial=initial, label_sets=label_sets, own=row.types, auto_id=f"id_{row.id}_%s"),
        "is_changing": own is not None,
        "deliveries": [_delivery(item, names) for item in deliveries],
    }


def _state(log: JSON) -> str:
    """The word of STATES for how one log is told."""
    return "failing" if log["state"] == "active" and log["failures"] else str(log["state"])


def _delivery(row: WebhookDelivery, names: dict[uuid.UUID, str]) -> JSON:
    return {
        "type": row.type,
        "dataset": names.get(row.log, display.NOTHING) if row.log else display.NOTHING,
        "offset": row.offset or display.NOTHING,
        "state": display.badge(*STATES[row.state]),
        "status_code": row.status_code or display.NOTHING,
        "duration": display.NOTHING if row.duration_ms is None else f"{row.duration_ms} ms",
        "attempts": row.attempts,
        "problem": row.problem,
        "when": display.when(row.last_at),
    }
