"""The browser's pages for everybody with an account, also for those who may not open the admin: logging in and out, a
new password, a forgotten one, and one's own API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib.auth import views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordResetForm, SetPasswordForm
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from labeling.admin.logins import LoginForm
from labeling.admin.people import ORIGINS, SCOPES, OwnPasswordForm
from labeling.commands import logins
from labeling.commands import people as commands
from labeling.errors import Refused
from labeling.log.event import Intent
from labeling.models import ApiKey, Person

TOOL = "accounts"


class KeyForm(forms.Form):
    """A new key of one's own."""

    name = forms.CharField(max_length=100, required=False, label="What it is for")
    scope = forms.ChoiceField(choices=SCOPES, initial="manage", label="It may")
    origin = forms.ChoiceField(choices=ORIGINS, label="Who works with it")


class ForgottenForm(PasswordResetForm):
    """Whose password is forgotten. Whether there is such an account is not said."""

    def get_users(self, email: str) -> Any:
        """People who are active and have this address, also those who never had a password."""
        found = Person.objects.filter(email__iexact=email, is_active=True, is_organization=False)
        # As Django does: what the database takes for equal may be another address in Unicode.
        return [person for person in found if person.email.casefold() == email.casefold()]

    def save(self, **options: Any) -> None:  # type: ignore[override]
        """Send the link, unless too many were sent to this address of late."""
        if not logins.may_try("reset", self.cleaned_data["email"].casefold(), ""):
            return
        public = urlsplit(settings.PUBLIC_URL)
        super().save(**options | {"domain_override": public.netloc, "use_https": public.scheme == "https"})


if TYPE_CHECKING:
    SetPassword = SetPasswordForm[Person]
else:
    SetPassword = SetPasswordForm


class NewPasswordForm(SetPassword):
    """The new password of who came with the link of an e-mail."""

    def save(self, commit: bool = True) -> Person:
        """Set it by the command; the log says that it was set this way."""
        intent = Intent(author=self.user.id, tool="password reset")
        commands.set_password(intent=intent, person=self.user, password=self.cleaned_data["new_password1"])
        return self.user


def _person(request: HttpRequest) -> Person:
    return cast(Person, request.user)


def _keys(person: Person) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(person=person, revoked_at=None).order_by("-created_at")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """One's own page: links, and API keys. A new key is shown in this one answer."""
    person = _person(request)
    form, secret = KeyForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        intent = Intent(author=person.id, tool=TOOL)
        try:
            _, secret = commands.create_key(intent=intent, person=person, **form.cleaned_data)
            form = KeyForm()
        except Refused as error:
            form.add_error(None, error.message)
    context = {"title": person.username, "form": form, "secret": secret, "keys": list(_keys(person))}
    # Never cached, so nothing keeps the key: no session and no browser.
    return render(request, "accounts/account.html", context)


@login_required
@require_POST
def revoke(request: HttpRequest, key: Any) -> HttpResponseBase:
    """Revoke one of one's own keys."""
    person = _person(request)
    commands.revoke_key(
        intent=Intent(author=person.id, tool=TOOL), key=get_object_or_404(ApiKey, id=key, person=person)
    )
    return redirect("account")


class ForgottenView(views.PasswordResetView):
    """Asks for the address, where e-mail is set up, and says what to do where it is not."""

    form_class = ForgottenForm
    template_name = "accounts/forgotten.html"
    email_template_name = "accounts/reset_email.txt"
    subject_template_name = "accounts/reset_subject.txt"
    success_url = reverse_lazy("password-reset-done")
    extra_context = {"title": "Forgotten password"}

    def dispatch(self, request: HttpRequest, *arguments: Any, **options: Any) -> HttpResponseBase:
        if not settings.SENDS_EMAIL:
            return render(request, "accounts/no_email.html", {"title": "Forgotten password"})
        return super().dispatch(request, *arguments, **options)


def _said(title: str, *words: str) -> dict[str, Any]:
    return {"template_name": "accounts/said.html", "extra_context": {"title": title, "words": words}}


urlpatterns = [
    path("", account, name="account"),
    path("keys/<uuid:key>/revoke/", revoke, name="revoke-key"),
    path(
        "login/",
        views.LoginView.as_view(
            authentication_form=LoginForm, template_name="accounts/login.html", extra_context={"title": "Log in"}
        ),
        name="login",
    ),
    path("logout/", views.LogoutView.as_view(next_page="login"), name="logout"),
    path(
        "password/",
        views.PasswordChangeView.as_view(
            form_class=OwnPasswordForm,
            template_name="accounts/password.html",
            success_url=reverse_lazy("account"),
            extra_context={"title": "New password"},
        ),
        name="password",
    ),
    # The name is Django's: where it is there, the admin's login page links to it.
    path("forgotten/", ForgottenView.as_view(), name="admin_password_reset"),
    path(
        "forgotten/sent/",
        views.PasswordResetDoneView.as_view(
            **_said(
                "Look into your mail",
                "If there is an account with this address, a link to set a new password is on its way.",
                "If nothing comes, look among the spam, or ask whoever runs this installation.",
            )
        ),
        name="password-reset-done",
    ),
    path(
        "reset/<uidb64>/<token>/",
        views.PasswordResetConfirmView.as_view(
            form_class=NewPasswordForm,
            template_name="accounts/password.html",
            success_url=reverse_lazy("password-set"),
            extra_context={"title": "New password"},
        ),
        name="password_reset_confirm",
    ),
    path(
        "reset/done/",
        views.PasswordResetCompleteView.as_view(**_said("The password is set", "You may log in with it now.")),
        name="password-set",
    ),
]
