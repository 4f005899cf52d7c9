"""The page on which somebody signs a label, or (from an app above) something else: what is signed, as what, and the
password once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from labeling.admin import display
from labeling.admin.denials import tell_denial
from labeling.admin.fields import words_of
from labeling.admin.recorded import REFUSALS, ReadAdmin
from labeling.admin.rights import person_of
from labeling.queries.signatures import Signature

JSON = dict[str, Any]


class SignForm(forms.Form):
    """As what, and the password."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    meaning = forms.ChoiceField(label="I sign this as")
    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="Again, because a signature is yours and not your browser's.",
    )

    def __init__(self, *arguments: Any, meanings: Sequence[str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["meaning"].choices = [(word, word) for word in meanings]  # type: ignore[attr-defined]


def page(
    admin: ReadAdmin,
    request: HttpRequest,
    *,
    title: str,
    facts: Sequence[tuple[str, Any]],
    meanings: Sequence[str],
    version: int | None,
    back_url: str,
    sign: Callable[[JSON], Signature],
) -> HttpResponse:
    """Ask, and sign."""
    initial = {"version": version, "meaning": meanings[0]}
    form = SignForm(request.POST or None, meanings=meanings, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            signed = sign(form.cleaned_data)
        except REFUSALS as error:
            tell_denial(request, error)
            message, where = words_of(error)
            form.add_error(where if where in form.fields else None, message)
        else:
            admin.message_user(request, f"Signed as {signed.meaning} by {signed.name}.", messages.SUCCESS)
            return HttpResponseRedirect(back_url)
    person = person_of(request)
    request.current_app = admin.admin_site.name
    context = admin.admin_site.each_context(request) | {
        "title": f"Sign {title}",
        "opts": admin.opts,
        "form": form,
        "facts": facts,
        "name": person.get_full_name() or person.username,
        "back_url": back_url,
    }
    return TemplateResponse(request, "admin/sign.html", context, status=400 if form.errors else 200)


def shown(signatures: Sequence[Signature], content: str) -> list[JSON]:
    """Signatures as a page lists them, the newest first; `content` is the hash of what is there now."""
    return [
        {
            "name": item.name,
            "by": "" if item.by == item.name else item.by,
            "meaning": item.meaning,
            "when": display.when(item.at),
            "version": item.version,
            "content": item.content[:16],
            "state": display.badge("valid", "good")
            if item.content == content
            else display.badge("superseded: edited since", "bad"),
        }
        for item in reversed(signatures)
    ]
