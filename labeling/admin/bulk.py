"""Changing many samples: what to set, a dry run that says exactly what would change, and then the one command.

What the dry run showed travels with its button, signed: the command leaves alone what is something else by then, and
where anything moved before it began, nothing is changed and the dry run is shown anew.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from labeling.admin import display
from labeling.admin.denials import tell_denial
from labeling.admin.fields import PersonField, words_of
from labeling.admin.recorded import REFUSALS
from labeling.admin.rights import asks_reason, intent_of, is_superuser, person_of, roles, visible_datasets
from labeling.commands import bulk as commands
from labeling.commands.bulk import MOST_SAMPLES, Step
from labeling.models import Dataset, Member, Person, Sample
from labeling.rules import access
from labeling.rules import bulk as rules
from labeling.rules.bulk import BulkChange
from labeling.rules.label_state import STATUSES

if TYPE_CHECKING:
    from labeling.admin.samples import SampleAdmin

JSON = dict[str, Any]

SALT = "palimpsest.bulk"
#: How many names are told where something is refused.
MOST_NAMES = 20
TITLES = {
    "status": "Set the status",
    "priority": "Set the priority",
    "labeler": "Assign a labeler",
    "reviewer": "Assign a reviewer",
    "archive": "Delete samples",
}
#: What each takes at the least; whether it is enough, each dataset says.
ACTIONS = {"status": "review", "priority": "assign", "labeler": "assign", "reviewer": "assign", "archive": "change"}
DECISIONS = [
    ("As a reviewer", [("accept:", "accept: reviewed"), ("reject:", "reject: rejected"), ("verify:", "verify")]),
    ("By hand, whatever it was", [(f"override:{name}", display.STATUS_WORDS[name]) for name in STATUSES[1:]]),
]


class WhatForm(forms.Form):
    """What many samples are to become. `samples` are the chosen ones, packed."""

    what = forms.ChoiceField(choices=list(TITLES.items()), widget=forms.HiddenInput)
    samples = forms.CharField(widget=forms.HiddenInput, required=False)
    back = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *arguments: Any, what: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if what == "status":
            self.fields["value"] = forms.ChoiceField(label="New status", choices=DECISIONS)
        elif what == "priority":
            self.fields["value"] = forms.FloatField(
                label="New priority", initial=0, help_text="Higher comes earlier in the queue."
            )
        elif what in ("labeler", "reviewer"):
            self.fields["value"] = PersonField(
                label=what.capitalize(), required=False, help_text="A username; empty takes the samples from everybody."
            )

    def clean_samples(self) -> list[uuid.UUID]:
        try:
            return unpacked(self.cleaned_data["samples"])
        except (ValueError, binascii.Error) as error:
            raise forms.ValidationError("Choose the samples again.") from error

    def change(self) -> BulkChange:
        """The change that the form describes. Raises InvalidValue for what fits no sample."""
        value = self.cleaned_data.get("value")
        what = self.cleaned_data["what"]
        if what == "status":
            verb, _, status = str(value).partition(":")
            return rules.checked_change(what, status, verb)
        return rules.checked_change(what, value.id if isinstance(value, Person) else value)


def packed(samples: Sequence[uuid.UUID]) -> str:
    """Ids in one field of a form: a browser sends a thousand fields at the most."""
    return base64.urlsafe_b64encode(b"".join(sample.bytes for sample in samples)).decode()


def unpacked(text: str) -> list[uuid.UUID]:
    """The ids of a field. Raises ValueError where it holds none."""
    data = base64.urlsafe_b64decode(text.encode())
    if len(data) % 16:
        raise ValueError("no whole ids")
    return [uuid.UUID(bytes=data[start : start + 16]) for start in range(0, len(data), 16)]


def offered(request: HttpRequest) -> set[str]:
    """What who is logged in may do in a dataset at all."""
    held = set(roles(request).values())
    return {
        what
        for what, action in ACTIONS.items()
        if is_superuser(request) or any(access.may(action, role=role, public=False) for role in held)
    }


# --- the three pages -------------------------------------------------------------------------------------------------


def begin(page: SampleAdmin, request: HttpRequest, rows: Any, what: str) -> HttpResponse | None:
    """The action of the list: ask what to set, or, where there is nothing to ask, what deleting would do."""
    samples = list(rows.order_by().values_list("id", flat=True)[: MOST_SAMPLES + 1])
    if len(samples) > MOST_SAMPLES:
        page.message_user(
            request,
            f"More than {MOST_SAMPLES} samples fit; choose a narrower filter. Nothing was changed.",
            messages.ERROR,
        )
        return None
    initial = {"what": what, "samples": packed(samples), "back": request.GET.urlencode()}
    if what == "archive":
        return _dry_run(page, request, samples, rules.checked_change(what), back=initial["back"])
    return _asked(page, request, WhatForm(initial=initial, what=what), samples, what)


def proceed(page: SampleAdmin, request: HttpRequest) -> HttpResponseBase:
    """What the two pages send: show the dry run, or make the change."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("admin:labeling_sample_changelist"))
    if "plan" in request.POST:
        return _apply(page, request)
    what = request.POST.get("what", "")
    form = WhatForm(request.POST, what=what)
    if form.is_valid():
        try:
            return _dry_run(
                page, request, form.cleaned_data["samples"], form.change(), back=form.cleaned_data.get("back", "")
            )
        except REFUSALS as error:
            message, where = words_of(error)
            form.add_error(where if where in form.fields else None, message)
    return _asked(page, request, form, form.cleaned_data.get("samples") or [], what)


def _asked(
    page: SampleAdmin, request: HttpRequest, form: WhatForm, samples: Sequence[uuid.UUID], what: str
) -> HttpResponse:
    people: list[str] = []
    if what in ("labeler", "reviewer"):
        people = _members_of(request, samples)
    context = {"form": form, "count": len(samples), "people": people, "back_url": _back(form["back"].value())}
    return _page(page, request, "admin/bulk/what.html", TITLES.get(what, "Change samples"), context)


def _members_of(request: HttpRequest, samples: Sequence[uuid.UUID]) -> list[str]:
    """Usernames to offer: of the members of the samples' datasets, as far as somebody may see those."""
    found = Sample.objects.filter(id__in=list(samples)).values("dataset_id")
    datasets = visible_datasets(request).filter(id__in=found).values("id")
    members = Member.objects.filter(dataset_id__in=datasets).values("person_id")
    people = Person.objects.filter(id__in=members, is_active=True).order_by("username")
    return list(people.values_list("username", flat=True)[:200])


def _dry_run(
    page: SampleAdmin,
    request: HttpRequest,
    samples: Sequence[uuid.UUID],
    change: BulkChange,
    *,
    back: str,
    moved: int = 0,
) -> HttpResponse:
    """The page that says what would change. Raises InvalidValue for too many samples."""
    steps = commands.plan_bulk_change(person=person_of(request).id, samples=samples, change=change)
    wanted = [step for step in steps if step.changes]
    refused: dict[str, list[str]] = {}
    for step in steps:
        if step.refusal:
            refused.setdefault(step.refusal, []).append(step.name)
    context = {
        "change": change,
        "count": len(samples),
        "wanted": len(wanted),
        "rows": _rows_of(wanted, change),
        "staying": sum(not step.refusal and step.before == step.after for step in steps),
        "refused": [(why, len(names), names[:MOST_NAMES], len(names) - MOST_NAMES) for why, names in refused.items()],
        "refused_count": sum(map(len, refused.values())),
        "missing": len(set(samples)) - len(steps),
        "moved": moved,
        "plan": _signed(request, change, wanted),
        "back": back,
        "back_url": _back(back),
        "warning": page.deletion if change.what == "archive" else "",
        "asks_reason": asks_reason({step.dataset for step in wanted}, CLASS_OF.get(change.what, change.verb)),
        "button": "Delete" if change.what == "archive" else "Change",
    }
    answer = _page(page, request, "admin/bulk/dry_run.html", f"{TITLES[change.what]}: dry run", context)
    answer.status_code = 409 if moved else 200
    return answer


def _rows_of(steps: Sequence[Step], change: BulkChange) -> list[JSON]:
    """(dataset, from, to) with how many samples; the most come first."""
    counts = Counter((step.dataset, step.before, step.after) for step in steps)
    people = [uuid.UUID(text) for _, *texts in counts for text in texts if text] if change.what in PEOPLE else []
    names = display.usernames(people)
    datasets = {dataset for dataset, _, _ in counts}
    owners = display.usernames(Dataset.objects.filter(id__in=datasets).values_list("owner_id", flat=True))
    titles = {
        row.id: f"{display.name_of(row.owner_id, owners)}/{row.name}" for row in Dataset.objects.filter(id__in=datasets)
    }
    return [
        {
            "dataset": titles.get(dataset, ""),
            "before": _shown(before, change, names),
            "after": _shown(after, change, names),
            "count": count,
        }
        for (dataset, before, after), count in counts.most_common()
    ]


PEOPLE = ("labeler", "reviewer")
#: Which of reasons.CLASSES a change is; of a status it is its verb.
CLASS_OF = {"archive": "delete", "priority": "", "labeler": "", "reviewer": ""}


def _shown(text: str, change: BulkChange, names: dict[uuid.UUID, str]) -> SafeString | str:
    if change.what in PEOPLE:
        return display.name_of(uuid.UUID(text), names) if text else mark_safe('<span class="quiet">nobody</span>')
    if text == rules.DELETED:
        return display.badge("deleted", "bad")
    return display.status_badge(text) if change.what in ("status", "archive") else text


def _signed(request: HttpRequest, change: BulkChange, steps: Sequence[Step]) -> str:
    groups: dict[str, list[uuid.UUID]] = {}
    for step in steps:
        groups.setdefault(step.before, []).append(step.sample)
    return signing.dumps(
        {
            "command": str(uuid.uuid4()),
            "person": str(person_of(request).id),
            "what": change.what,
            "verb": change.verb,
            "value": str(change.value) if isinstance(change.value, uuid.UUID) else change.value,
            "samples": {before: packed(ids) for before, ids in groups.items()},
        },
        salt=SALT,
        compress=True,
    )


def _apply(page: SampleAdmin, request: HttpRequest) -> HttpResponseBase:
    """Make the change that the dry run showed."""
    back = request.POST.get("back", "")
    try:
        said = signing.loads(request.POST["plan"], salt=SALT)
    except (signing.BadSignature, ValueError):
        said = {}
    if said.get("person") != str(person_of(request).id):
        page.message_user(request, "This dry run is not yours or is damaged; choose the samples again.", messages.ERROR)
        return HttpResponseRedirect(_back(back))
    value = uuid.UUID(said["value"]) if said["what"] in PEOPLE and said["value"] else said["value"]
    change = rules.checked_change(said["what"], value, said["verb"])
    expected = {sample: before for before, ids in said["samples"].items() for sample in unpacked(ids)}
    intent = intent_of(request, command=uuid.UUID(said["command"]))
    try:
        if not commands.began(intent=intent, change=change, samples=list(expected)):
            moved = _moved(request, change, expected)
            if moved:
                return _dry_run(page, request, list(expected), change, back=back, moved=moved)
        done = commands.change_in_bulk(intent=intent, change=change, expected=expected)
    except REFUSALS as error:
        tell_denial(request, error)
        page.message_user(request, words_of(error)[0], messages.ERROR)
        return HttpResponseRedirect(_back(back))
    _tell(page, request, change, done)
    return HttpResponseRedirect(_back(back))


def _moved(request: HttpRequest, change: BulkChange, expected: dict[uuid.UUID, str]) -> int:
    """How many of the samples are no longer what the dry run said."""
    steps = commands.plan_bulk_change(person=person_of(request).id, samples=list(expected), change=change)
    still = {step.sample for step in steps if step.changes and step.before == expected[step.sample]}
    return len(expected) - len(still)


def _tell(page: SampleAdmin, request: HttpRequest, change: BulkChange, done: commands.Done) -> None:
    verb = "deleted" if change.what == "archive" else "changed"
    if done.changed:
        again = " before; this was sent twice" if done.replayed == done.changed else ""
        words = f"{done.changed} sample{'' if done.changed == 1 else 's'} {verb}{again}."
        page.message_user(request, words, messages.SUCCESS)
    if done.moved:
        page.message_user(
            request,
            f"{len(done.moved)} left alone, because somebody changed them since the dry run.",
            messages.WARNING,
        )
    if not done.changed and not done.moved:
        page.message_user(request, "There was nothing to change.", messages.INFO)


def _back(query: Any) -> str:
    """The list as it was filtered. The query is read and written anew, so that it can lead nowhere else."""
    pairs = [(key, value) for key, values in QueryDict(str(query or "")[:2000]).lists() for value in values]
    address = reverse("admin:labeling_sample_changelist")
    return f"{address}?{urlencode(pairs)}" if pairs else address


def _page(page: SampleAdmin, request: HttpRequest, template: str, title: str, context: JSON) -> TemplateResponse:
    request.current_app = page.admin_site.name
    return TemplateResponse(
        request,
        template,
        {
            **page.admin_site.each_context(request),
            "title": title,
            "opts": page.opts,
            "media": page.media,
            "bulk_url": reverse("admin:labeling_sample_bulk"),
        }
        | context,
    )
