"""People, organisations and services, and their API keys: for superusers, and for everybody their own keys."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import password_validation, update_session_auth_hash
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling.admin import display, erasing, retaining
from labeling.admin.datasets import OWNER_NAME
from labeling.admin.fields import Fieldsets, PersonField, RecordForm, TextField
from labeling.admin.recorded import RecordedAdmin
from labeling.admin.rights import TOOL, installation_asks_reason, intent_of, is_superuser, person_of
from labeling.commands import people as commands
from labeling.log.event import INSTALLATION, Intent
from labeling.models import ApiKey, Dataset, Member, Person

JSON = dict[str, Any]

RIGHTS = ("is_active", "is_staff", "is_superuser")
NAMES = ("username", "email", "first_name", "last_name")
KINDS = [
    ("person", "a person"),
    ("organization", "an organisation, that owns datasets"),
    ("service", "a service or model"),
]


#: What the scope and the origin of a key mean.
SCOPES = [("read", "only read"), ("label", "read and label"), ("manage", "do everything that its person may")]
ORIGINS = [("person", "the person"), ("model", "a model"), ("service", "a service")]


class NewPassword(forms.CharField):
    """A password to be set."""

    def __init__(self, **options: Any) -> None:
        widget = forms.PasswordInput(attrs={"class": "vTextField", "autocomplete": "new-password"})
        super().__init__(required=False, strip=False, widget=widget, **options)


class AddPersonForm(RecordForm):
    """A new account."""

    username = TextField(max_length=150, help_text="Letters, digits and @ . _ + -; it stands in addresses.")
    email = forms.EmailField(required=False, widget=forms.EmailInput(attrs={"class": "vTextField"}))
    kind = forms.ChoiceField(choices=KINDS)
    password = NewPassword(help_text="Only for the admin; without one they work with API keys.")
    is_staff = forms.BooleanField(label="May open the admin", required=False)
    is_superuser = forms.BooleanField(label="Runs the installation", required=False, help_text="May do everything.")

    fieldsets: ClassVar[Fieldsets] = [
        (None, {"fields": ["username", "email", "kind", "password"]}),
        ("Rights", {"fields": ["is_staff", "is_superuser"]}),
    ]

    def clean_password(self) -> str:
        return _sound(self.cleaned_data["password"], Person(username=self.cleaned_data.get("username", "")))


class ChangePersonForm(RecordForm):
    """An account's names and rights."""

    username = AddPersonForm.base_fields["username"]
    email = AddPersonForm.base_fields["email"]
    first_name = TextField(max_length=150, required=False)
    last_name = TextField(max_length=150, required=False)
    is_active = forms.BooleanField(
        label="Active",
        required=False,
        help_text="An account is never deleted, because the log refers to it; it is switched off.",
    )
    is_staff = AddPersonForm.base_fields["is_staff"]
    is_superuser = AddPersonForm.base_fields["is_superuser"]
    new_password = NewPassword(help_text="Leave it empty to keep the one there is.")

    fieldsets: ClassVar[Fieldsets] = [
        (None, {"fields": ["username", "email", ("first_name", "last_name")]}),
        ("Rights", {"fields": list(RIGHTS)}),
        ("Password", {"fields": ["new_password"], "classes": ["collapse"]}),
    ]

    def clean_new_password(self) -> str:
        return _sound(self.cleaned_data["new_password"], self.obj)

    def clean(self) -> JSON | None:
        said = super().clean() or self.cleaned_data
        if self.obj.id == person_of(self.request).id:
            for right in RIGHTS:
                if getattr(self.obj, right) and not said.get(right):
                    raise ValidationError("You cannot take rights from yourself; ask somebody else who has them.")
        return said

    def beside(self) -> SafeString | str:
        return render_to_string("admin/labeling/person/summary.html", summary_of(self.obj))


def _sound(password: str, person: Person) -> str:
    if password:
        password_validation.validate_password(password, person)
    return password


def summary_of(person: Person) -> JSON:
    """What an account's page says below its form: datasets and keys."""
    roles = dict(Member.objects.filter(person_id=person.id).values_list("dataset_id", "role"))
    datasets = Dataset.objects.filter(id__in=roles, deleted=False).annotate(owner_name=OWNER_NAME).order_by("name")
    return {
        "person": person,
        "memberships": [
            {
                "name": f"{row.owner_name}/{row.name}",
                "url": reverse("admin:labeling_dataset_change", args=[row.id]),
                "role": roles[row.id],
            }
            for row in datasets
        ],
        "keys": [
            {
                "key": key,
                "name": key.name or "unnamed",
                "scope": dict(SCOPES)[key.scope],
                "created": display.when(key.created_at),
                "used": display.when(key.last_used_at) if key.last_used_at else "never",
            }
            for key in ApiKey.objects.filter(person=person, revoked_at=None).order_by("created_at")
        ],
        "new_key_url": f"{reverse('admin:labeling_apikey_add')}?person={person.username}",
    }


class PersonList(ChangeList):
    """A page of accounts with how many datasets and keys they have."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        ids = [row.id for row in rows]
        members = Member.objects.filter(person_id__in=ids).values("person_id").annotate(n=Count("id"))
        keys = ApiKey.objects.filter(person_id__in=ids, revoked_at=None).values("person_id").annotate(n=Count("id"))
        datasets = dict(members.values_list("person_id", "n"))
        kept = dict(keys.values_list("person_id", "n"))
        for row in rows:
            row.dataset_count, row.key_count = datasets.get(row.id, 0), kept.get(row.id, 0)
        self.result_list = rows


class KindFilter(admin.SimpleListFilter):
    """Accounts by what they are and may."""

    title = "kind"
    parameter_name = "kind"
    kinds: ClassVar[dict[str, tuple[str, JSON]]] = {
        "active": ("active", {"is_active": True}),
        "off": ("switched off", {"is_active": False}),
        "staff": ("may open the admin", {"is_staff": True, "is_active": True}),
        "superuser": ("runs the installation", {"is_superuser": True, "is_active": True}),
        "organization": ("organisations", {"is_organization": True}),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(key, said) for key, (said, _) in self.kinds.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(**self.kinds[value][1]) if value in self.kinds else queryset


class PersonAdmin(RecordedAdmin):
    """Accounts."""

    add_form, change_form = AddPersonForm, ChangePersonForm
    for_superusers = True
    dataset_column = ""
    list_display = ("username", "email", "kind", "rights", "datasets", "keys", "seen")
    list_filter = (KindFilter,)
    search_fields = ("username", "email", "first_name", "last_name")
    ordering = ("username",)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return PersonList

    def get_urls(self) -> list[URLPattern]:
        erase = self.admin_site.admin_view(partial(erasing.view, self))
        kept = self.admin_site.admin_view(partial(retaining.view, self))
        return [
            path("<uuid:person>/erase/", erase, name="labeling_person_erase"),
            path("retention/", kept, name="labeling_person_retention"),
            *super().get_urls(),
        ]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who was erased stays so."""
        return super().has_change_permission(request, obj) and (obj is None or obj.erased_at is None)

    def stream_of(self, obj: Any) -> tuple[uuid.UUID, str] | None:
        return INSTALLATION, f"person/{obj.id}"

    def _page(self, request: HttpRequest, form: RecordForm, obj: Any, form_url: str, extra: JSON) -> HttpResponse:
        says = "It stays in the history."
        if installation_asks_reason("account"):
            says += " Rights are only given and taken with one."
        return super()._page(request, form, obj, form_url, {"reason_help": says, "reason_at_first": True} | extra)

    def add(self, intent: Intent, form: RecordForm) -> uuid.UUID:
        said = form.cleaned_data
        person = commands.add_person(
            intent=intent,
            username=said["username"],
            email=said["email"],
            password=said["password"] or None,
            kind=said["kind"],
            staff=said["is_staff"],
            superuser=said["is_superuser"],
        )
        return person.id

    def change(self, intent: Intent, form: RecordForm, obj: Any) -> None:
        said = form.cleaned_data
        commands.change_person(intent=intent, person=obj, fields={key: said[key] for key in (*NAMES, *RIGHTS)})
        if said["new_password"]:
            commands.set_password(intent=intent_of(form.request), person=obj, password=said["new_password"])
            if obj.id == person_of(form.request).id:
                update_session_auth_hash(form.request, obj)

    @admin.display(description="Kind", ordering="is_organization")
    def kind(self, obj: Any) -> str:
        return "organisation" if obj.is_organization else "person"

    @admin.display(description="Rights")
    def rights(self, obj: Any) -> SafeString | str:
        if obj.erased_at is not None:
            return display.badge("erased", "quiet")
        if not obj.is_active:
            return display.badge("switched off", "bad")
        if obj.is_superuser:
            return display.badge("runs the installation", "good")
        return display.badge("admin", "busy") if obj.is_staff else display.NOTHING

    @admin.display(description="Datasets")
    def datasets(self, obj: Any) -> int:
        return int(obj.dataset_count)

    @admin.display(description="API keys")
    def keys(self, obj: Any) -> SafeString | int:
        if not obj.key_count:
            return 0
        address = reverse("admin:labeling_apikey_changelist")
        return format_html('<a href="{}?q={}">{}</a>', address, obj.username, obj.key_count)

    @admin.display(description="Last in the admin", ordering="last_login")
    def seen(self, obj: Any) -> Any:
        return display.when(obj.last_login)


class OwnPasswordForm(AdminPasswordChangeForm):
    """The form by which people change their own password in the admin."""

    def save(self, commit: bool = True) -> Any:
        person: Any = self.user
        intent = Intent(author=person.id, tool=TOOL)
        commands.set_password(intent=intent, person=person, password=self.cleaned_data["new_password1"])
        return person


class AddKeyForm(RecordForm):
    """A new key."""

    person = PersonField(help_text="Who acts when the key is used.")
    name = TextField(max_length=100, required=False, help_text="What it is for, so that you know it again.")
    scope = forms.ChoiceField(label="It may", choices=SCOPES, initial="manage")
    origin = forms.ChoiceField(label="Who works with it", choices=ORIGINS, help_text="Each of its events says so.")

    fieldsets: ClassVar[Fieldsets] = [(None, {"fields": ["person", "name", "scope", "origin"]})]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.secret = ""
        self.fields["person"].disabled = not is_superuser(self.request)


class ShownKeyForm(RecordForm):
    """A key as it is known: the key itself is not."""

    person = PersonField()
    name = TextField(required=False)
    scope = forms.ChoiceField(label="It may", choices=SCOPES)
    origin = forms.ChoiceField(label="Who works with it", choices=ORIGINS)
    created_at = forms.DateTimeField(label="Made")
    last_used_at = forms.DateTimeField(label="Last used", required=False, help_text="Right to the hour.")
    revoked_at = forms.DateTimeField(label="Revoked", required=False)

    fieldsets: ClassVar[Fieldsets] = [
        (None, {"fields": ["person", "name", "scope", "origin", "created_at", "last_used_at", "revoked_at"]})
    ]


class KeyStateFilter(admin.SimpleListFilter):
    """Keys by whether they still open anything."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("used", "in use"), ("revoked", "revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("used", "revoked"):
            return queryset
        return queryset.filter(revoked_at__isnull=self.value() == "used")


class KeyAdmin(RecordedAdmin):
    """API keys: everybody sees their own, a superuser all."""

    add_form, change_form, fixed = AddKeyForm, ShownKeyForm, True
    dataset_column = ""
    deletion = "Programs that use the key are refused from this moment on. This cannot be taken back."
    deletion_verb = "Revoke"
    who_asks = "This installation"
    list_display = ("shown_name", "person", "scope", "origin", "created", "used", "state")
    list_filter = (KeyStateFilter, "scope", "origin")
    list_select_related = ("person",)
    search_fields = ("name", "person__username")
    ordering = ("-created_at",)
    actions = ("revoke_keys",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        rows = super().get_queryset(request)
        return rows if is_superuser(request) else rows.filter(person=person_of(request))

    def _may_change(self, request: HttpRequest, obj: Any) -> bool:
        return is_superuser(request) or obj is None or obj.person_id == person_of(request).id

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.revoked_at is None)

    def _asks_reason(self, request: HttpRequest, rows: Sequence[Any], what: str) -> bool:
        own = person_of(request).id
        return any(installation_asks_reason("own_key" if row.person_id == own else "key") for row in rows)

    def _page(self, request: HttpRequest, form: RecordForm, obj: Any, form_url: str, extra: JSON) -> HttpResponse:
        says = "It stays in the history."
        if is_superuser(request) and installation_asks_reason("key"):
            says += " Somebody else's key is only made with one."
        if installation_asks_reason("own_key"):
            says += " Your own key is only made with one."
        return super()._page(request, form, obj, form_url, {"reason_help": says, "reason_at_first": True} | extra)

    def get_changeform_initial_data(self, request: HttpRequest) -> JSON:
        named = request.GET.get("person", "") if is_superuser(request) else ""
        return {"person": named or person_of(request).username}

    def full_name(self, obj: Any) -> str:
        return obj.name or "unnamed"

    def stream_of(self, obj: Any) -> tuple[uuid.UUID, str] | None:
        return INSTALLATION, f"person/{obj.person_id}"

    def add(self, intent: Intent, form: RecordForm) -> uuid.UUID:
        assert isinstance(form, AddKeyForm)
        said = form.cleaned_data
        key, form.secret = commands.create_key(
            intent=intent, person=said["person"], name=said["name"], scope=said["scope"], origin=said["origin"]
        )
        return key.id

    def after_add(self, request: HttpRequest, form: RecordForm, obj: Any) -> HttpResponseBase:
        """The one page that shows the key, in the answer itself: no session keeps it, and the admin is never cached."""
        assert isinstance(form, AddKeyForm)
        request.current_app = self.admin_site.name
        context = self.admin_site.each_context(request) | {
            "title": "Your new API key" if obj.person_id == person_of(request).id else f"New API key for {obj.person}",
            "opts": self.opts,
            "media": self.media,
            "key": obj,
            "secret": form.secret,
        }
        return TemplateResponse(request, "admin/labeling/apikey/secret.html", context)

    def remove(self, intent: Intent, obj: Any) -> None:
        commands.revoke_key(intent=intent, key=obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: Any) -> HttpResponse:
        self.message_user(request, "The key is revoked.", messages.SUCCESS)
        return self.response_post_save_change(request, None)

    @admin.action(description="Revoke the chosen keys")
    def revoke_keys(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        return self.each(request, rows, self.remove, done="{} revoked.", title="Revoke keys", warning=self.deletion)

    @admin.display(description="Key", ordering="name")
    def shown_name(self, obj: Any) -> str:
        return obj.name or "unnamed"

    @admin.display(description="Made", ordering="created_at")
    def created(self, obj: Any) -> Any:
        return display.when(obj.created_at)

    @admin.display(description="Last used", ordering="last_used_at")
    def used(self, obj: Any) -> Any:
        return display.when(obj.last_used_at)

    @admin.display(description="State", ordering="revoked_at")
    def state(self, obj: Any) -> SafeString:
        if obj.revoked_at is not None:
            return format_html("{} {}", display.badge("revoked", "bad"), display.when(obj.revoked_at))
        return display.badge(
            "in use" if obj.person.is_active else "account switched off", "good" if obj.person.is_active else "quiet"
        )
