"""The page that erases a person's data: what will go, what stays and why, and then the reason and the username."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse

from labeling.admin.denials import tell_denial
from labeling.admin.fields import LongTextField, TextField, words_of
from labeling.admin.recorded import REFUSALS
from labeling.admin.rights import intent_of, is_superuser, person_of
from labeling.commands.erasure import erase_person, plan_erasure
from labeling.errors import Refused
from labeling.models import Person

if TYPE_CHECKING:
    from labeling.admin.people import PersonAdmin


class ErasureForm(forms.Form):
    """Why, and whom once more."""

    reason = LongTextField(rows=2, max_length=10_000, help_text="It stays in the log: do not name the person here.")
    username = TextField(
        label="Their username", max_length=150, help_text="Typed once more, so that nobody is erased by a slip."
    )

    def __init__(self, *arguments: Any, person: Person, **options: Any) -> None:
        self.person = person
        super().__init__(*arguments, **options)

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if username != self.person.username:
            raise forms.ValidationError("This is not the username of the person on this page.")
        return username


def view(page: PersonAdmin, request: HttpRequest, person: uuid.UUID) -> HttpResponse:
    """Show the dry run, or erase."""
    if not is_superuser(request):
        raise PermissionDenied
    found = get_object_or_404(Person, id=person)
    back = reverse("admin:labeling_person_change", args=[person])
    form = ErasureForm(request.POST or None, person=found)
    if request.method == "POST" and form.is_valid():
        try:
            number = erase_person(intent=intent_of(request), person=found)
        except REFUSALS as error:
            tell_denial(request, error)
            message, where = words_of(error)
            form.add_error(where if where in form.fields else None, message)
        else:
            page.message_user(
                request, f"Erased. What they did is told of erased-{number:04d} from now on.", messages.SUCCESS
            )
            return HttpResponseRedirect(back)
    try:
        plan = plan_erasure(found)
    except Refused as error:
        page.message_user(request, error.message, messages.ERROR)
        return HttpResponseRedirect(back)
    request.current_app = page.admin_site.name
    context = page.admin_site.each_context(request) | {
        "title": f"Erase the data of {found.username}",
        "opts": page.opts,
        "person": found,
        "plan": plan,
        "form": form,
        "back_url": back,
        "is_self": found.id == person_of(request).id,
    }
    return TemplateResponse(request, "admin/labeling/person/erase.html", context)
