"""Logging in with a browser: passwords behind a lock-out, and each login, logout and failure told to the security log.

The lock-out is in the authentication backend, so it holds for every form that logs somebody in.
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest

from labeling.commands import logins, security
from labeling.rules.clients import client_of

LOCKED = f"Too many failed logins. Try again in {logins.LOCKED_S // 60} minutes."


def address_of(request: HttpRequest | None) -> str:
    """Where a request comes from, as the web server says it."""
    return request.META.get("REMOTE_ADDR", "") if request is not None else ""


def source_of(request: HttpRequest | None) -> security.Source:
    """The same, and with what, for the security log."""
    agent = request.META.get("HTTP_USER_AGENT", "") if request is not None else ""
    return security.Source(address=address_of(request), client=client_of(agent))


class GuardedBackend(ModelBackend):
    """Username and password, and not many wrong ones of a username from an address."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **others: Any
    ) -> Any:
        """The person; None for a wrong password, and PermissionDenied, which ends it, for who is locked out."""
        if username is None or password is None:
            return None
        if not logins.may_try("login", username, address_of(request)):
            raise PermissionDenied
        person = super().authenticate(request, username=username, password=password, **others)
        if person is not None:
            logins.forget("login", username, address_of(request))
        return person


def tell_login(sender: Any, request: HttpRequest, user: Any, **others: Any) -> None:
    """Somebody came in."""
    security.login_succeeded(person=user.pk, source=source_of(request))


def tell_logout(sender: Any, request: HttpRequest, user: Any, **others: Any) -> None:
    """Somebody left; nobody did where the session was over already."""
    if user is not None:
        security.logged_out(person=user.pk)


def tell_failure(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **others: Any) -> None:
    """Somebody was not let in."""
    username = str(credentials.get("username") or "")
    address = address_of(request)
    locked = logins.is_locked("login", username, address)
    security.login_failed(username=username, source=source_of(request), locked=locked)


class _SaysThatItIsLocked(AuthenticationForm):
    """A login form that tells who is locked out."""

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except ValidationError as error:
            username = self.cleaned_data.get("username")
            if username and logins.is_locked("login", username, address_of(self.request)):
                raise ValidationError(LOCKED, code="locked") from error
            raise


class LoginForm(_SaysThatItIsLocked):
    """For everybody with an account."""


class AdminLoginForm(_SaysThatItIsLocked, AdminAuthenticationForm):
    """For those who may open the admin."""
