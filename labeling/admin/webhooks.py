"""The webhooks of a dataset: who is told what, how it goes, and what became of the last messages."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect

from labeling.admin import display
from labeling.admin.denials import tell_denial
from labeling.admin.fields import TextField, words_of
from labeling.admin.recorded import REFUSALS
from labeling.admin.rights import intent_of, may
from labeling.admin.tabs import dataset_here, shown
from labeling.api.webhooks import rendered_webhooks
from labeling.commands import webhooks as commands
from labeling.commands.webhooks import Where
from labeling.errors import NotFound
from labeling.models import Dataset, LabelSet, Webhook, WebhookDelivery
from labeling.queries import webhooks as queries
from labeling.rules.webhook_messages import PROTOCOL, secret_text

if TYPE_CHECKING:
    from labeling.admin.datasets import DatasetAdmin

JSON = dict[str, Any]

#: How many of its last messages are shown of each webhook.
SHOWN = 10
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

    def __init__(self, *arguments: Any, label_sets: Sequence[str], own: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Types of the log are named over the API; those that it has stay on offer.
        self.fields["types"].choices = [(item, item) for item in dict.fromkeys((*PROTOCOL, *own))]  # type: ignore[attr-defined]
        self.fields["labelsets"].choices = [(item, item) for item in label_sets]  # type: ignore[attr-defined]


def view(page: DatasetAdmin, request: HttpRequest, dataset: uuid.UUID) -> HttpResponseBase:
    """The page; whatever is done on it says in the field `do` what."""
    found = dataset_here(request, dataset)
    if not may(request, "webhooks", dataset):
        raise PermissionDenied
    where, said = Where(dataset), request.POST
    names = list(
        LabelSet.objects.filter(dataset_id=dataset, archived=False).order_by("name").values_list("name", flat=True)
    )
    form = WebhookForm(said if said.get("do") == "add" else None, label_sets=names)
    changing: dict[uuid.UUID, WebhookForm] = {}
    secret, of = "", ""
    if request.method == "POST":
        row = None if said.get("do") == "add" else _named(said.get("webhook", ""), where)
        asked = form
        if row is not None and said.get("do") == "change":
            asked = changing[row.id] = WebhookForm(said, label_sets=names, own=row.types)
        try:
            if said.get("do") not in ("add", "change") or asked.is_valid():
                row = _done(page, request, found, where, row, asked)
                if row is None or said.get("do") not in ("add", "secret"):
                    return HttpResponseRedirect(request.get_full_path())
                secret, of = secret_text(commands.secret_of(row)), row.name or "the webhook"
                form = WebhookForm(label_sets=names)
        except REFUSALS as error:
            tell_denial(request, error)
            message, field = words_of(error)
            if said.get("do") in ("add", "change"):
                asked.add_error(field if field in asked.fields else None, message)
            else:
                page.message_user(request, message, messages.ERROR)
    rows = queries.webhooks_of(dataset)
    context = {
        "form": form,
        "adding": bool(form.errors) or not rows,
        "items": [_item(row, told, names, changing) for row, told in zip(rows, rendered_webhooks(rows), strict=True)],
        "secret": secret,
        "secret_of": of,
    }
    return shown(page, request, found, "admin/labeling/dataset/webhooks.html", "Webhooks", "webhooks", context)


def _named(text: str, where: Where) -> Webhook:
    try:
        return queries.find_webhook(uuid.UUID(text), where.log)
    except (ValueError, NotFound):
        raise Http404 from None


def _done(
    page: DatasetAdmin, request: HttpRequest, dataset: Dataset, where: Where, row: Webhook | None, form: WebhookForm
) -> Webhook | None:
    """Run the command; the webhook whose secret is to be shown, or None."""
    do, intent = request.POST.get("do"), intent_of(request)
    if do == "add":
        fields = commands.checked_webhook(form.cleaned_data, where)
        return queries.find_webhook(commands.add_webhook(intent=intent, where=where, fields=fields), where.log)
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
        return queries.find_webhook(row.id, where.log)
    elif do == "ping":
        commands.ping(**known)
        said = "A ping is on its way."
    elif do == "redeliver":
        text = request.POST.get("from", "").strip()
        offset = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
        commands.redeliver(**known, log=dataset.id, offset=offset)
        said = f"The log is told from offset {offset} on."
    elif do == "remove":
        commands.remove_webhook(**known)
        said = "The webhook is removed."
    else:
        raise Http404
    page.message_user(request, said, messages.SUCCESS)
    return None


def _item(row: Webhook, told: JSON, names: Sequence[str], changing: dict[uuid.UUID, WebhookForm]) -> JSON:
    """A webhook as the page shows it."""
    initial = {"url": told["url"], "name": row.name, "types": row.types, "labelsets": told["labelsets"]}
    cursor = told["logs"][0] if told["logs"] else None
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
        "cursor": cursor,
        "next_at": cursor and cursor["next_at"],
        "created": display.when(row.created_at),
        "created_by": told["created_by"],
        "form": own or WebhookForm(initial=initial, label_sets=names, own=row.types, auto_id=f"id_{row.id}_%s"),
        "is_changing": own is not None,
        "deliveries": [_delivery(item) for item in queries.deliveries_of(row.id, limit=SHOWN)],
    }


def _delivery(row: WebhookDelivery) -> JSON:
    return {
        "type": row.type,
        "offset": row.offset or display.NOTHING,
        "state": display.badge(*STATES[row.state]),
        "status_code": row.status_code or display.NOTHING,
        "duration": display.NOTHING if row.duration_ms is None else f"{row.duration_ms} ms",
        "attempts": row.attempts,
        "problem": row.problem,
        "when": display.when(row.last_at),
    }
