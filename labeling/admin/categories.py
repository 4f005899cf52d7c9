"""The categories of a dataset as a table: new ones, names, colours, what is deprecated or merged, and their order.

The table shows some keys of a document that is kept verbatim, so what it does not show, and what nobody changed in it,
goes back as it was. Which events that makes, the command finds out.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from labeling.admin.denials import tell_denial
from labeling.admin.fields import TextField, words_of
from labeling.admin.recorded import REFUSALS
from labeling.admin.rights import intent_of, may
from labeling.admin.tabs import dataset_here, shown
from labeling.commands import datasets as commands
from labeling.models import Dataset
from labeling.rules.colours import colours_of

if TYPE_CHECKING:
    from labeling.admin.datasets import DatasetAdmin

JSON = dict[str, Any]

#: Rows of one page: a browser's form may have a thousand fields.
PER_PAGE = 100
NEW_ROWS = 3
#: Up to so many categories the one to merge into is chosen from a list; past it its id is written.
MOST_CHOICES = 80
WORDS = {"color": "colour", "ORDER": "place"}
OUTDATED = "Somebody changed this since you opened the page. Look at it as it is now, then save again."
_hex = re.compile(r"#[0-9a-fA-F]{6}")
_at = re.compile(r"categories\[(\d+)\]\.?(\w*)")


class ColourField(forms.CharField):
    """#rrggbb, by the browser's colour picker."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, widget=forms.TextInput(attrs={"type": "color"}), **options)

    def clean(self, value: Any) -> str:
        text = str(super().clean(value)).lower()
        if text and not _hex.fullmatch(text):
            raise forms.ValidationError("Write a colour as #rrggbb.")
        return text


class CategoryForm(forms.Form):
    """One category. `id` may be left out for a new one, and never changes: annotations hold it."""

    id = forms.IntegerField(required=False, min_value=0, max_value=2**53 - 1)
    color = ColourField()
    name = TextField()
    has_instances = forms.BooleanField(required=False)
    deprecated = forms.BooleanField(required=False)
    merged_into: forms.Field = forms.IntegerField(required=False)

    def __init__(self, *arguments: Any, names: dict[int, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        own = (options.get("initial") or {}).get("id")
        self.known: int | None = own if "name" in (options.get("initial") or {}) else None
        self.fields["id"].disabled = self.known is not None
        if len(names) <= MOST_CHOICES:
            choices = [("", "—"), *((number, name) for number, name in names.items() if number != self.known)]
            self.fields["merged_into"] = forms.TypedChoiceField(
                choices=choices, coerce=int, empty_value=None, required=False
            )


if TYPE_CHECKING:
    FormSet = forms.BaseFormSet[CategoryForm]
else:
    FormSet = forms.BaseFormSet


class Categories(FormSet):
    """A page of a dataset's categories, and empty rows."""

    def in_document(self, document: JSON) -> tuple[JSON, list[CategoryForm | None]]:
        """(the document with what was changed in the table, the row of each category in it)."""
        listed = [dict(item) for item in document.get("categories") or []]
        rows: dict[int, CategoryForm] = {}
        places = {item["id"]: float(place) for place, item in enumerate(listed, 1)}
        by_id = {item["id"]: item for item in listed}
        highest = max((0, *by_id))
        for form in self.forms:
            if form.known is None and not form.has_changed():
                continue
            said = form.cleaned_data
            if form.known is None:
                number = said["id"] if said["id"] is not None else highest + 1
                highest = max(highest, number)
                item = {"id": number, "name": said["name"]}
                listed.append(item)
                _describe(item, form, set(form.fields) - {"name", "id"})
                places.setdefault(number, len(places) + 1.0)
            else:
                number = form.known
                item = by_id[number]
                _describe(item, form, set(form.changed_data))
            wanted = said.get("ORDER")
            if wanted is not None and "ORDER" in form.changed_data:
                # Somebody who says "2" wants it in front of what is there, or behind it when it comes from above.
                places[number] = wanted - 0.5 if wanted < places[number] else wanted + 0.5
            rows[id(item)] = form
        listed.sort(key=lambda item: places[item["id"]])
        if not listed:
            return document, []  # a list that was not there and would be empty is not made
        return document | {"categories": listed}, [rows.get(id(item)) for item in listed]


def _describe(item: JSON, form: CategoryForm, changed: set[str]) -> None:
    """Put the fields that were changed into a category."""
    said = form.cleaned_data
    if "name" in changed:
        item["name"] = said["name"]
    if "color" in changed and said["color"]:
        own = item.get("color")
        alpha = own[3:4] if isinstance(own, list) else []
        item["color"] = [*bytes.fromhex(said["color"][1:]), *alpha]
    if "has_instances" in changed and (said["has_instances"] or "has_instances" in item):
        item["has_instances"] = said["has_instances"]
    for key in ("deprecated", "merged_into"):
        if key in changed:
            item.pop(key, None)
            if said[key] not in (None, False):
                item[key] = said[key]


CategoryRows = forms.formset_factory(CategoryForm, formset=Categories, extra=NEW_ROWS, can_order=True)


def category_rows(document: JSON, page: list[tuple[int, JSON]], data: Any = None, *, editable: bool) -> Categories:
    """The rows of some categories, given with their place in the document."""
    listed = document.get("categories") or []
    colour_of = colours_of(document)
    initial = [
        {
            "id": item["id"],
            "color": _as_hex(colour_of(item["id"])),
            "name": item["name"],
            "has_instances": item.get("has_instances") is True,
            "deprecated": item.get("deprecated") is True,
            "merged_into": item.get("merged_into"),
            "ORDER": place,
        }
        for place, item in page
    ]
    names = {item["id"]: f"{item['name']} ({item['id']})" for item in listed}
    found = cast(Categories, CategoryRows(data, initial=initial, prefix="categories", form_kwargs={"names": names}))
    highest = max((0, *names))
    for number, form in enumerate(found.extra_forms, highest + 1):
        # A colour that differs from the others; a browser sends one in any case.
        form.fields["color"].initial = _as_hex(colour_of(number))
        form.fields["id"].widget.attrs["placeholder"] = str(number)
        form.fields["ORDER"].required = False
    for form in found.forms:
        whose = f" of {form.initial['name']}" if form.known is not None else " of a new category"
        for key, field in form.fields.items():
            field.widget.attrs["aria-label"] = WORDS.get(key, key.replace("_", " ")) + whose
            field.disabled = field.disabled or not editable
    return found


def _as_hex(colour: Any) -> str:
    return f"#{bytes(colour).hex()}"


# --- the page --------------------------------------------------------------------------------------------------------


def view(page: DatasetAdmin, request: HttpRequest, dataset: uuid.UUID) -> HttpResponseBase:
    """The table."""
    found = dataset_here(request, dataset)
    document = found.task_attributes
    editable = may(request, "change", dataset)
    listed = list(enumerate(document.get("categories") or [], 1))
    leaves = Paginator(listed, PER_PAGE)
    leaf = leaves.get_page(request.GET.get("page"))
    data = request.POST if request.method == "POST" else None
    outdated = data is not None and data.get("seen") != str(found.version)
    rows = category_rows(document, list(leaf.object_list), None if outdated else data, editable=editable)
    problems: list[str] = [OUTDATED] if outdated else []
    if data is not None and not outdated and rows.is_valid():
        after, forms_of = rows.in_document(document)
        problem = save(request, found, after)
        if problem is None:
            page.message_user(request, "The categories are saved.", messages.SUCCESS)
            return HttpResponseRedirect(request.get_full_path())
        problems = [] if _placed(problem, forms_of) else [problem[0]]
    context = {
        "rows": rows,
        "leaf": leaf,
        "count": len(listed),
        "lines": [(row, _details(found, row)) for row in rows],
        "problems": problems,
        "image_url": reverse("admin:labeling_dataset_attributes", args=[dataset, "image"]),
        "image_count": len(document.get("image_attributes") or []),
    }
    return shown(page, request, found, "admin/labeling/dataset/categories.html", "Categories", "categories", context)


def _details(dataset: Dataset, row: CategoryForm) -> JSON | None:
    """The link to a category's attributes."""
    if row.known is None:
        return None
    item = next(item for item in dataset.task_attributes["categories"] if item["id"] == row.known)
    return {
        "url": reverse("admin:labeling_dataset_attributes", args=[dataset.id, str(row.known)]),
        "count": len(item.get("attributes") or []),
        "skeleton": isinstance(item.get("skeleton"), dict),
    }


def save(request: HttpRequest, dataset: Dataset, document: JSON) -> tuple[str, str] | None:
    """Run the command; (what it refuses, the field) where it does."""
    try:
        with transaction.atomic():
            commands.change_dataset(intent=intent_of(request), dataset=dataset.id, changes={}, task_attributes=document)
    except REFUSALS as error:
        tell_denial(request, error)
        return words_of(error)
    return None


def _placed(problem: tuple[str, str], forms_of: list[CategoryForm | None]) -> bool:
    """Put a refusal at the row that it is about, where that is on this page."""
    match = _at.search(problem[1])
    form = forms_of[int(match[1])] if match and int(match[1]) < len(forms_of) else None
    if match is None or form is None:
        return False
    form.add_error(match[2] if match[2] in form.fields else None, problem[0])
    return True
