"""The members of a dataset, as rows below its form."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, cast

from django import forms

from labeling.admin.fields import PersonField, words_of
from labeling.admin.recorded import REFUSALS
from labeling.commands import datasets
from labeling.errors import Refused
from labeling.log.event import Intent
from labeling.models import Member, Person
from labeling.rules.dataset_state import ROLES

CHOICES = [(role, role) for role in reversed(ROLES)]
NEW_ROWS = 2


class MemberForm(forms.Form):
    """One member: who, and their role."""

    person = PersonField(required=False, label="Person")
    role = forms.ChoiceField(choices=CHOICES, initial="labeler")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # A member is removed and another one added; nobody turns into somebody else.
        self.fields["person"].disabled = "person" in (options.get("initial") or {})


if TYPE_CHECKING:
    FormSet = forms.BaseFormSet[MemberForm]
else:
    FormSet = forms.BaseFormSet


class Members(FormSet):
    """All members of a dataset, and empty rows for new ones."""

    def save(self, intent: Intent, dataset: uuid.UUID) -> None:
        """Run a command for each row that differs. Who gets in or up comes first, so that there is always an admin.

        Raises:
            Refused: a command refused; the message names the member.
        """
        known = {member.person_id: member.role for member in Member.objects.filter(dataset_id=dataset)}
        steps = []
        for form in self.forms:
            person: Person | None = form.cleaned_data.get("person")
            if person is None:
                continue
            role = form.cleaned_data["role"]
            if form.cleaned_data.get("DELETE"):
                steps.append((3, person, role))
            elif person.id not in known or form.initial.get("person") is None:
                steps.append((0, person, role))
            elif known[person.id] != role:
                steps.append((1 if role == "admin" else 2, person, role))
        for step, person, role in sorted(steps, key=lambda item: item[0]):
            try:
                if step == 0:
                    datasets.add_member(intent=intent, dataset=dataset, person=person.id, role=role)
                elif step == 3:
                    datasets.remove_member(intent=intent, dataset=dataset, person=person.id)
                else:
                    datasets.change_role(intent=intent, dataset=dataset, person=person.id, role=role)
            except REFUSALS as error:
                raise Refused(f"Member {person.username}: {words_of(error)[0]}") from error


MemberRows = forms.formset_factory(MemberForm, formset=Members, extra=NEW_ROWS, can_delete=True)


def member_rows(dataset: uuid.UUID, data: Any = None) -> Members:
    """The rows of a dataset's members, in order of their names."""
    roles = dict(Member.objects.filter(dataset_id=dataset).values_list("person_id", "role"))
    people = Person.objects.filter(id__in=roles).order_by("username")
    initial = [{"person": person, "role": roles[person.id]} for person in people]
    return cast(Members, MemberRows(data, initial=initial, prefix="members"))
