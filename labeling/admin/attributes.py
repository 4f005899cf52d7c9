"""The attributes of a category or of the whole image, and a category's skeleton, as forms.

As in the table of categories, only what was changed is put into the document.
"""

from __future__ import annotations

import math
import re
import uuid
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect

from labeling.admin.categories import OUTDATED, save
from labeling.admin.fields import LongTextField, TextField, sentence
from labeling.admin.rights import may
from labeling.admin.tabs import dataset_here, shown
from labeling.rules.protocol.task_attributes import INPUT_TYPES

if TYPE_CHECKING:
    from labeling.admin.datasets import DatasetAdmin

JSON = dict[str, Any]

#: Of one form: a browser's form may have a thousand fields.
MOST_ATTRIBUTES = 80
NEW_ROWS = 2
IMAGE = "image"
TYPE_WORDS = {
    "select": "one of several",
    "multiselect": "some of several",
    "text": "text",
    "number": "number",
    "checkbox": "yes or no",
    "vector3": "vector (x, y, z)",
    "quaternion": "quaternion",
    "points": "points",
}
CHOOSING = ("select", "multiselect")
LIMITS = ("min", "max", "step")
#: The keys that belong to some input types only.
OF_TYPES = ("values", "default_value", *LIMITS)
_at = re.compile(r"attributes\[(\d+)\]\.?(\w*)")
_edge = re.compile(r"\s+[-–—>]+\s+")


class AttributeForm(forms.Form):
    """One attribute. What a type does not have is left empty."""

    name = TextField()
    # A browser sends the first choice with an empty form; only another one is a change to it.
    input_type = forms.ChoiceField(label="Type", choices=list(TYPE_WORDS.items()), initial=next(iter(TYPE_WORDS)))
    values = LongTextField(rows=4, required=False, help_text="One in a line.")
    default_value = TextField(label="Default", required=False, strip=False, help_text="Of a yes or no: true or false.")
    min = TextField(required=False)
    max = TextField(required=False)
    step = TextField(required=False)
    is_mandatory = forms.BooleanField(label="Mandatory", required=False)
    is_track_level = forms.BooleanField(
        label="The same in all frames", required=False, help_text="An attribute of the track, not of each frame."
    )

    def clean_values(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["values"].splitlines() if line.strip()]

    def clean(self) -> JSON | None:
        said = super().clean() or self.cleaned_data
        kind = said.get("input_type", "")
        if kind in CHOOSING and not said.get("values") and "values" not in self.errors:
            self.add_error("values", "Write the values that can be chosen.")
        for key in LIMITS if kind == "number" else ():
            if said.get(key) and key in self.changed_data:
                said[key] = self._number(key, said[key])
        text = said.get("default_value", "")
        if text and not {"default_value", "input_type", "values"}.isdisjoint(self.changed_data):
            said["default_value"] = self._default(kind, text, said.get("values") or [])
        return said

    def _default(self, kind: str, text: str, values: list[str]) -> Any:
        if kind == "number":
            return self._number("default_value", text)
        if kind == "checkbox":
            if text.strip().lower() not in ("true", "false"):
                self.add_error("default_value", "Write true or false.")
            return text.strip().lower() == "true"
        if kind == "select" and text not in values:
            self.add_error("default_value", "This is none of the values.")
        return text

    def _number(self, key: str, text: str) -> Any:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.add_error(key, "Write a number.")
            return None
        return int(number) if number.is_integer() and "." not in text and abs(number) < 2**53 else number

    def described(self, before: JSON | None) -> JSON:
        """The attribute as it is to be stored: what was there, with what was changed."""
        said, item = self.cleaned_data, dict(before or {})
        changed = set(self.fields) if before is None else set(self.changed_data)
        needed, optional = INPUT_TYPES[said["input_type"]]
        if "input_type" in changed:
            item = {key: value for key, value in item.items() if key not in OF_TYPES or key in needed | optional}
            changed |= {key for key in OF_TYPES if key in needed | optional}
        for key in ("name", "input_type"):
            if key in changed:
                item[key] = said[key]
        for key in OF_TYPES:
            if key in changed and key in needed | optional:
                if said[key] == "":
                    item.pop(key, None)
                else:
                    item[key] = said[key]
        for key in ("is_mandatory", "is_track_level"):
            if key in changed and (said[key] or key in item):
                item[key] = said[key]
        return item


if TYPE_CHECKING:
    FormSet = forms.BaseFormSet[AttributeForm]
else:
    FormSet = forms.BaseFormSet


class Attributes(FormSet):
    """All attributes of a category or of the image, and empty forms."""

    def described(self, listed: list[JSON]) -> tuple[list[JSON], list[AttributeForm]]:
        """(the definitions as they are to be stored, the form of each)."""
        found: list[tuple[float, int, JSON, AttributeForm]] = []
        for index, form in enumerate(self.forms):
            known = listed[index] if index < self.initial_form_count() else None
            if form.cleaned_data.get("DELETE") or (known is None and not form.has_changed()):
                continue
            place = form.cleaned_data.get("ORDER")
            was = index + 1.0
            if place is None or known is None or place == was:
                place = was if known is not None or place is None else place - 0.5
            else:
                place = place - 0.5 if place < was else place + 0.5
            found.append((place, index, form.described(known), form))
        found.sort(key=lambda item: item[:2])
        return [item for _, _, item, _ in found], [form for *_, form in found]


AttributeForms = forms.formset_factory(
    AttributeForm, formset=Attributes, extra=NEW_ROWS, can_order=True, can_delete=True
)


def attribute_forms(listed: list[JSON], data: Any = None, *, editable: bool) -> Attributes:
    """The forms of the attributes that are there."""
    initial = [
        {
            "name": item["name"],
            "input_type": item["input_type"],
            "values": "\n".join(item.get("values") or []),
            "default_value": _written(item.get("default_value")),
            **{key: _written(item.get(key)) for key in LIMITS},
            "is_mandatory": item.get("is_mandatory") is True,
            "is_track_level": item.get("is_track_level") is True,
        }
        for item in listed
    ]
    found = cast(Attributes, AttributeForms(data, initial=initial, prefix="attributes"))
    for form in found.forms:
        if not editable:
            for field in form.fields.values():
                field.disabled = True
    return found


def _written(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


class SkeletonForm(forms.Form):
    """The points of a category's objects, in their order, and which are joined."""

    points = LongTextField(rows=8, required=False, help_text="One name in a line, in the order that they are placed.")
    edges = LongTextField(
        rows=8, required=False, help_text="Two names with a dash between blanks in a line: nose - left eye"
    )

    def clean_points(self) -> list[str]:
        names = [line.strip() for line in self.cleaned_data["points"].splitlines() if line.strip()]
        if len(set(names)) != len(names):
            raise forms.ValidationError("Each point has a name of its own.")
        return names

    def clean(self) -> JSON | None:
        said = super().clean() or self.cleaned_data
        place = {name: index for index, name in enumerate(said.get("points") or [])}
        edges: list[list[int]] = []
        for number, line in enumerate((said.get("edges") or "").splitlines(), 1):
            if not line.strip():
                continue
            ends = [place.get(end.strip()) for end in _edge.split(line.strip())]
            if len(ends) != 2 or None in ends or ends[0] == ends[1]:
                self.add_error("edges", f"Line {number} does not join two of the points.")
                break
            edges.append(cast("list[int]", ends))
        said["edges"] = edges
        return said


def skeleton_form(skeleton: Any, data: Any = None, *, editable: bool) -> SkeletonForm | None:
    """The form of a skeleton; None for one of another shape, which is changed as JSON."""
    points, edges = (skeleton.get("points"), skeleton.get("edges", [])) if skeleton else ([], [])
    names = [item for item in points if isinstance(item, str)] if isinstance(points, list) else None
    if names is None or len(names) != len(points) or not isinstance(edges, list):
        return None
    lines = []
    for edge in edges:
        ends = edge if isinstance(edge, list) else []
        if len(ends) != 2 or any(type(end) is not int or not 0 <= end < len(names) for end in ends):
            return None
        lines.append(" - ".join(names[end] for end in ends))
    initial = {"points": "\n".join(names), "edges": "\n".join(lines)}
    form = SkeletonForm(data, initial=initial, prefix="skeleton")
    for field in form.fields.values():
        field.disabled = not editable
    return form


# --- the page --------------------------------------------------------------------------------------------------------


def view(page: DatasetAdmin, request: HttpRequest, dataset: uuid.UUID, category: str) -> HttpResponseBase:
    """The attributes of a category (by its id) or of the image, and the skeleton where objects are keypoints."""
    found = dataset_here(request, dataset)
    document = found.task_attributes
    item = None if category == IMAGE else _category(document, category)
    listed = (document.get("image_attributes") if item is None else item.get("attributes")) or []
    editable = may(request, "change", dataset) and len(listed) <= MOST_ATTRIBUTES
    data = request.POST if request.method == "POST" else None
    outdated = data is not None and data.get("seen") != str(found.version)
    sent = None if outdated else data
    rows = attribute_forms(listed, sent, editable=editable)
    has_skeleton = item is not None and (found.task_type == "keypoints" or "skeleton" in item)
    skeleton = skeleton_form((item or {}).get("skeleton"), sent, editable=editable) if has_skeleton else None
    problems: list[str] = [OUTDATED] if outdated else []
    if sent is not None and editable and all([rows.is_valid(), skeleton is None or skeleton.is_valid()]):
        definitions, forms_of = rows.described(listed)
        after = _with(document, item, listed, definitions, skeleton)
        problem = save(request, found, after)
        if problem is None:
            page.message_user(request, "The attributes are saved.", messages.SUCCESS)
            return HttpResponseRedirect(request.get_full_path())
        problems = [] if _placed(problem, forms_of) else [problem[0]]
    context = {
        "rows": rows,
        "skeleton": skeleton,
        "strange_skeleton": has_skeleton and skeleton is None,
        "problems": problems,
        "editable": editable,
        "too_many": len(listed) > MOST_ATTRIBUTES,
        "most": MOST_ATTRIBUTES,
        "about": "the whole image" if item is None else item["name"],
    }
    title = "Attributes of the whole image" if item is None else f"Attributes of {item['name']}"
    return shown(page, request, found, "admin/labeling/dataset/attributes.html", title, "categories", context)


def _category(document: JSON, text: str) -> JSON:
    for item in document.get("categories") or []:
        if str(item["id"]) == text:
            return cast(JSON, item)
    raise Http404


def _with(
    document: JSON, item: JSON | None, listed: list[JSON], definitions: list[JSON], skeleton: SkeletonForm | None
) -> JSON:
    """The document with these definitions; a list that was not there and would be empty is not made."""
    if item is None:
        return document | {"image_attributes": definitions} if definitions or listed else document
    changed = dict(item)
    if definitions or listed:
        changed["attributes"] = definitions
    if skeleton is not None and skeleton.changed_data:
        said = skeleton.cleaned_data
        kept = item.get("skeleton") if isinstance(item.get("skeleton"), dict) else {}
        changed["skeleton"] = {**(kept or {}), "points": said["points"], "edges": said["edges"]}
    return document | {"categories": [changed if other is item else other for other in document["categories"]]}


def _placed(problem: tuple[str, str], forms_of: list[AttributeForm]) -> bool:
    """Put a refusal at the attribute that it is about."""
    match = _at.search(problem[1])
    if match is None or int(match[1]) >= len(forms_of):
        return False
    form = forms_of[int(match[1])]
    form.add_error(match[2] if match[2] in form.fields else None, sentence(problem[0]))
    return True
