"""The fields and the form of the admin's pages. A form checks what it can alone; the rest a command refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.safestring import SafeString

from labeling.api.requests import WIDE
from labeling.errors import PalimpsestError, ReasonRequired
from labeling.log import values
from labeling.log.values import BadValue
from labeling.models import Person
from labeling.references import hostless

Fieldsets = list[tuple[str | None, dict[str, Any]]]

#: A JSON object or list that fits into so many characters is not broken up.
LINE = 96
MOST_ROWS = 26

_root = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class TextField(forms.CharField):
    """A line of text, kept as it is written."""

    widget = AdminTextInputWidget

    def __init__(self, *, max_length: int | None = 255, strip: bool = True, **options: Any) -> None:
        super().__init__(max_length=max_length, strip=strip, **options)


class LongTextField(forms.CharField):
    """Several lines."""

    widget = AdminTextareaWidget

    def __init__(self, *, rows: int = 6, **options: Any) -> None:
        super().__init__(strip=False, widget=AdminTextareaWidget(attrs={"rows": rows}), **options)

    def to_python(self, value: Any) -> Any:
        # Browsers send CRLF for a line break, and nobody typed the CR.
        return str(super().to_python(value)).replace("\r\n", "\n")


class JSONTextField(forms.CharField):
    """A JSON value, shown indented and read by the rules of the API."""

    def __init__(self, *, least_rows: int = 3, kind: type = dict, empty: Any = None, **options: Any) -> None:
        self.kind, self.empty, self.least_rows = kind, empty, least_rows
        attributes = {"rows": least_rows, "class": "json", "spellcheck": "false"}
        super().__init__(strip=True, required=False, widget=forms.Textarea(attrs=attributes), **options)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else pretty(value) if value not in (None, {}) else ""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, dict | list):
            return value  # a field that may not be changed gives back what it shows
        text = super().to_python(value)
        if not text:
            return self.empty
        try:
            parsed = values.parse(hostless(text.encode(), {settings.PUBLIC_URL}), wide=WIDE)
        except BadValue as error:
            where = "" if error.where == "body" else f"{error.where}: "
            raise ValidationError(sentence(f"{where}{error.problem}")) from error
        if not isinstance(parsed, self.kind):
            raise ValidationError("This must be an object, in braces.")
        return parsed


def pretty(value: Any) -> str:
    """A stored JSON value for people to read: what is short stands in one line, long integers are numbers."""
    return "\n".join(_lines(values.untagged(value)))


def _lines(value: Any) -> list[str]:
    items: list[tuple[str, list[str]]]
    if isinstance(value, dict):
        items = [(f"{json.dumps(key, ensure_ascii=False)}: ", _lines(item)) for key, item in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, list):
        items = [("", _lines(item)) for item in value]
        opening, closing = "[", "]"
    else:
        return [json.dumps(value, ensure_ascii=False)]
    if all(len(lines) == 1 for _, lines in items):
        short = ", ".join(prefix + lines[0] for prefix, lines in items)
        if len(short) <= LINE:
            return [f"{opening}{short}{closing}"]
    found = [opening]
    for number, (prefix, lines) in enumerate(items, 1):
        lines = [prefix + lines[0], *lines[1:]]
        found += [f"  {line}" for line in lines]
        found[-1] += "," if number < len(items) else ""
    return [*found, closing]


class PersonField(TextField):
    """Somebody by their username; gives the person."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=150, **options)
        self.widget.attrs |= {"list": "people", "autocomplete": "off"}

    def prepare_value(self, value: Any) -> Any:
        return value.username if isinstance(value, Person) else value

    def clean(self, value: Any) -> Person | None:
        if isinstance(value, Person):
            return value  # a field that may not be changed gives back what it shows
        username = super().clean(value)
        if not username:
            return None
        person = Person.objects.filter(username=username).first()
        if person is None:
            raise ValidationError("Nobody has this username.")
        return person


class RecordForm(forms.Form):
    """A page's form: its fieldsets, and what else the page shows above it.

    `seen` is the version that the page showed. A page holds all fields, so saving an old one would take back what
    others did meanwhile; it is refused once, and saved when it is sent again.
    """

    fieldsets: ClassVar[Fieldsets] = []

    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    #: Why; the intent takes it from the request (admin.rights).
    reason = forms.CharField(
        label="Reason for the change",
        required=False,
        widget=AdminTextareaWidget(attrs={"rows": 2, "maxlength": 10_000}),
    )

    def __init__(
        self, data: Any = None, *arguments: Any, request: HttpRequest, obj: Any = None, **options: Any
    ) -> None:
        self.request, self.obj = request, obj
        version = getattr(obj, "version", None)
        self.outdated = data is not None and version is not None and data.get("seen") != str(version)
        if self.outdated:
            data = data.copy()
            data["seen"] = str(version)
        super().__init__(data, *arguments, **options)
        self.fields["seen"].initial = version
        for name, field in self.fields.items():
            if isinstance(field, JSONTextField):
                lines = str(field.prepare_value(self.get_initial_for_field(field, name))).count("\n")
                field.widget.attrs["rows"] = min(max(lines + 2, field.least_rows), MOST_ROWS)

    def clean(self) -> dict[str, Any] | None:
        if self.outdated:
            raise ValidationError("Somebody changed this since you opened the page. See its events, then save again.")
        return super().clean()

    def freeze(self, but: Collection[str] = ()) -> None:
        """Show everything, let nothing be changed, or only the fields named."""
        for name, field in self.fields.items():
            field.disabled = field.disabled or name not in (*but, "seen")

    def beside(self) -> SafeString | str:
        """HTML above the fields: what the object is like now."""
        return ""

    def place(self, error: PalimpsestError | BadValue) -> None:
        """Show a command's refusal at the field that it names, or above the form."""
        message, where = words_of(error)
        root = _root.match(where)
        name = root[0] if root and root[0] in self.fields else None
        if name is not None and where != name:
            message = f"{where.removeprefix(name).lstrip('.')}: {message}"
        self.add_error(name, message)


def words_of(error: PalimpsestError | BadValue) -> tuple[str, str]:
    """(what a refusal says, the field that it is about or nothing)."""
    if isinstance(error, BadValue):
        return sentence(error.problem), error.where
    if isinstance(error, ReasonRequired):  # a page has a field for it, and nobody there sends a header
        return f"A reason is required {error.doing}.", error.field
    return sentence(getattr(error, "problem", error.message)), getattr(error, "field", "")


def sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
