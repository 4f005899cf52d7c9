"""The pages' common ground: what is read comes from rows, what is changed goes through commands, and so is in the log.

Django's admin would save models and keep a log of its own. Here a form is a form, not a model's: when it is sound its
command runs, and what the command refuses is shown at the form's field.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.views.decorators.csrf import csrf_protect

from labeling.admin.denials import tell_denial
from labeling.admin.fields import RecordForm, words_of
from labeling.admin.rights import asks_reason, intent_of, is_superuser, may, person_of, visible_datasets
from labeling.errors import PalimpsestError
from labeling.log.event import Intent
from labeling.log.values import BadValue
from labeling.models import Person

REFUSALS = (PalimpsestError, BadValue)


if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadAdmin(ModelAdmin):
    """A page that only shows: rows of the datasets that somebody may see, or (`for_superusers`) of the installation."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    actions: Sequence[Any] | None = ()
    for_superusers: ClassVar[bool] = False
    #: Who says whether a reason is needed, in words.
    who_asks: ClassVar[str] = "This dataset"
    #: The column that holds the dataset; "" for what belongs to none.
    dataset_column: ClassVar[str] = "dataset_id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if self.for_superusers or not self.dataset_column:
            return rows
        return rows.filter(**{f"{self.dataset_column}__in": visible_datasets(request).values("id")})

    def dataset_of(self, obj: Any) -> uuid.UUID:
        found: uuid.UUID = getattr(obj, self.dataset_column)
        return found

    def stream_of(self, obj: Any) -> tuple[uuid.UUID, str] | None:
        """(log, stream) of an object's own events."""
        return None

    # --- who may ----------------------------------------------------------------------------------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if self.for_superusers:
            return is_superuser(request)
        return True  # the rows are those that they may see

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # --- pages ------------------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, under the name of what is listed."""
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, title | (extra_context or {}))

    # --- one log is enough --------------------------------------------------------------------------------------------

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """The event says it."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """The event says it."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:  # type: ignore[override]
        """The event says it."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """An object's history is its events."""
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        place = self.stream_of(obj)
        address = reverse("admin:labeling_storedevent_changelist")
        query = "" if place is None else "?" + urlencode({"log": place[0], "stream": place[1]})
        return HttpResponseRedirect(address + query)

    # --- acting on several -----------------------------------------------------------------------------------------

    def each(
        self, request: HttpRequest, rows: Any, do: Callable[[Intent, Any], Any], *, done: str, title: str, warning: str
    ) -> HttpResponse | None:
        """An action's course: ask, then run a command for each row, and say what became of it."""
        rows = list(rows)
        if "post" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "title": title,
                "warning": warning,
                "rows": rows,
                "asks_reason": self._asks_reason(request, rows, "delete"),
                "who_asks": self.who_asks,
                "action": request.POST.get("action"),
                "action_checkbox_name": helpers.ACTION_CHECKBOX_NAME,
                "opts": self.opts,
                "media": self.media,
            }
            request.current_app = self.admin_site.name
            return TemplateResponse(request, "admin/confirm_action.html", context)
        count = 0
        for row in rows:
            try:
                with transaction.atomic():
                    do(intent_of(request), row)
                count += 1
            except REFUSALS as error:
                tell_denial(request, error)
                self.message_user(request, f"{row}: {words_of(error)[0]}", messages.ERROR)
        if count:
            self.message_user(request, done.format(count), messages.SUCCESS)
        return None

    def _asks_reason(self, request: HttpRequest, rows: Sequence[Any], what: str) -> bool:
        """Whether a dataset of the rows asks a reason for what is about to be done to them."""
        return bool(self.dataset_column) and asks_reason([self.dataset_of(row) for row in rows], what)


class RecordedAdmin(ReadAdmin):
    """A page that changes things, by commands."""

    add_form: ClassVar[type[RecordForm] | None] = None
    change_form: ClassVar[type[RecordForm] | None] = None
    #: Made and deleted, but never changed: `change_form` only shows it.
    fixed: ClassVar[bool] = False
    #: What deleting means, in words; "" where there is no such thing.
    deletion: ClassVar[str] = ""
    deletion_verb: ClassVar[str] = "Delete"
    #: Which of reasons.CLASSES that is.
    deletion_class: ClassVar[str] = "delete"

    def add(self, intent: Intent, form: RecordForm) -> uuid.UUID:
        """Run the command that makes what the form describes; returns its id."""
        raise NotImplementedError

    def change(self, intent: Intent, form: RecordForm, obj: Any) -> None:
        """Run the commands that make the object what the form says."""
        raise NotImplementedError

    def remove(self, intent: Intent, obj: Any) -> None:
        """Run the command that deletes or archives the object."""
        raise NotImplementedError

    # --- who may ----------------------------------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.add_form is not None and (is_superuser(request) or not self.for_superusers)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.change_form is not None and not self.fixed and self._may_change(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.deletion) and self._may_change(request, obj)

    def _may_change(self, request: HttpRequest, obj: Any) -> bool:
        if self.for_superusers or not self.dataset_column:
            return is_superuser(request)
        return obj is None or may(request, "change", self.dataset_of(obj), public=True)

    # --- pages ------------------------------------------------------------------------------------------------------

    @method_decorator(csrf_protect)
    def changeform_view(  # type: ignore[override]
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponseBase:
        """The page of one object, or of a new one: a plain form, and a command in the place of a model's save."""
        adding = object_id is None
        obj = None if object_id is None else self.get_object(request, unquote(object_id))
        if object_id is not None and obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        may_change = self.has_add_permission(request) if adding else self.has_change_permission(request, obj)
        if not may_change and (adding or request.method == "POST" or not self.has_view_permission(request, obj)):
            raise PermissionDenied
        form = self._form(request, obj)
        if not may_change:
            form.freeze()
        if request.method == "POST" and form.is_valid():
            try:
                # One transaction for the commands of one page, and nothing else in it: it holds the log's lock.
                with transaction.atomic():
                    if adding:
                        new = self.add(intent_of(request), form)
                    else:
                        self.change(intent_of(request), form, obj)
            except REFUSALS as error:
                tell_denial(request, error)
                form.place(error)
            else:
                if adding:
                    return self.after_add(request, form, self.made(new))
                assert obj is not None
                return self.response_change(request, self.model._default_manager.get(pk=obj.pk))
        return self._page(request, form, obj, form_url, extra_context or {})

    def made(self, key: uuid.UUID) -> Any:
        """The object that `add` made."""
        return self.model._default_manager.get(pk=key)

    def after_add(self, request: HttpRequest, form: RecordForm, obj: Any) -> HttpResponseBase:
        """The answer to who made something."""
        return self.response_add(request, obj)

    def _form(self, request: HttpRequest, obj: Any) -> RecordForm:
        kind = self.add_form if obj is None else self.change_form
        assert kind is not None
        initial = self.initial_of(obj) if obj is not None else self.get_changeform_initial_data(request)
        if request.method == "POST":
            return kind(request.POST, request.FILES, request=request, obj=obj, initial=initial)
        return kind(request=request, obj=obj, initial=initial)

    def initial_of(self, obj: Any) -> dict[str, Any]:
        """What the change form shows of an object."""
        assert self.change_form is not None
        return {name: getattr(obj, name) for name in self.change_form.base_fields if hasattr(obj, name)}

    def _page(
        self,
        request: HttpRequest,
        form: RecordForm,
        obj: Any,
        form_url: str,
        extra: dict[str, Any],
    ) -> HttpResponse:
        admin_form = helpers.AdminForm(form, list(form.fieldsets), {}, model_admin=self)  # type: ignore[arg-type]
        context = {
            **self.admin_site.each_context(request),
            "title": f"New {self.opts.verbose_name}" if obj is None else self.full_name(obj),
            "subtitle": None,
            "eyebrow": "" if obj is None else capfirst(self.opts.verbose_name),
            "adminform": admin_form,
            "object_id": None if obj is None else str(obj.pk),
            "original": obj,
            "is_popup": False,
            "to_field": None,
            "media": self.media + admin_form.media,
            "inline_admin_formsets": [],
            "errors": helpers.AdminErrorList(form, []),  # type: ignore[arg-type]
            "preserved_filters": self.get_preserved_filters(request),
            "beside": form.beside() if obj is not None else "",
            "people": people_to_offer(request),
            "show_save_and_add_another": obj is None,
            "deletion_verb": self.deletion_verb,
            "reason_help": "It stays in the history. What needs one, the dataset's settings say.",
        } | extra
        return self.render_change_form(
            request, context, add=obj is None, change=obj is not None, obj=obj, form_url=form_url
        )

    def full_name(self, obj: Any) -> str:
        """How the title names an object."""
        return str(obj)

    @method_decorator(csrf_protect)
    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask, then run the command."""
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        if not self.has_delete_permission(request, obj):
            raise PermissionDenied
        name = str(obj)
        if request.method == "POST":
            try:
                with transaction.atomic():
                    self.remove(intent_of(request), obj)
            except REFUSALS as error:
                tell_denial(request, error)
                self.message_user(request, words_of(error)[0], messages.ERROR)
                info = self.opts.app_label, self.opts.model_name
                return HttpResponseRedirect(reverse("admin:{}_{}_change".format(*info), args=[quote(obj.pk)]))
            return self.response_delete(request, name, obj.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{self.deletion_verb} {self.opts.verbose_name}",
            "object": obj,
            "warning": self.deletion,
            "asks_reason": self._asks_reason(request, [obj], self.deletion_class),
            "who_asks": self.who_asks,
            "deletion_verb": self.deletion_verb,
            "opts": self.opts,
            "media": self.media,
        } | (extra_context or {})
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/delete_confirmation.html", context)

    # A model's save would write past the log; nothing of Django's reaches these, and nothing shall.

    def save_model(self, request: Any, obj: models.Model, form: Any, change: Any) -> None:
        raise TypeError("rows are written by commands")

    def delete_model(self, request: Any, obj: models.Model) -> None:
        raise TypeError("rows are written by commands")

    def delete_queryset(self, request: Any, queryset: Any) -> None:
        raise TypeError("rows are written by commands")


def people_to_offer(request: HttpRequest) -> list[str]:
    """Usernames to offer where one is typed; a short list, because it is a hint and not a directory."""
    if not is_superuser(request):
        return [person_of(request).username]
    return list(Person.objects.filter(is_active=True).order_by("username").values_list("username", flat=True)[:200])
