"""The members of a dataset or of an organisation, as rows below a form."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from django import forms

from labeling.admin.fields import PersonField, words_of
from labeling.admin.recorded import REFUSALS
from labeling.commands import datasets, organizations
from labeling.errors import Refused
from labeling.log.event import Intent
from labeling.models import Member, Person
from labeling.queries.organizations import members_of
from labeling.rules.access import ORGANIZATION_ROLES
from labeling.rules.dataset_state import ROLES

NEW_ROWS = 2
#: The role that only its holders give and take.
ADMIN = "admin"


class MemberForm(forms.Form):
    """One member: who, and their role."""

    person = PersonField(required=False, label="Person")
    role = forms.ChoiceField()

    def __init__(self, *arguments: Any, roles: Sequence[str], first: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        initial = options.get("initial") or {}
        # A member is removed and another one added; nobody turns into somebody else.
        self.fields["person"].disabled = "person" in initial
        held = initial.get("role")
        self.fixed = held is not None and held not in roles
        shown = [held] if self.fixed else reversed(roles)
        cast(forms.ChoiceField, self.fields["role"]).choices = [(role, role) for role in shown if role]
        self.fields["role"].initial = first

    def freeze(self) -> None:
        """Let nothing be changed."""
        self.fixed = True
        for field in self.fields.values():
            field.disabled = True


if TYPE_CHECKING:
    FormSet = forms.BaseFormSet[MemberForm]
else:
    FormSet = forms.BaseFormSet

Add = Callable[[Person, str], None]
Change = Callable[[uuid.UUID, str], None]


class Members(FormSet):
    """All members, and empty rows for new ones."""

    def add_fields(self, form: MemberForm, index: int | None) -> None:
        super().add_fields(form, index)
        if form.fixed:
            form.freeze()

    def freeze(self) -> None:
        """Show everything, let nothing be changed."""
        for form in self.forms:
            form.freeze()

    def steps(self, *, highest: str) -> list[tuple[int, Person, str]]:
        """What the rows ask for: 0 to add, 1 and 2 to give another role, 3 to remove; in the order to do it in.

        Who gets in or up to the highest role comes first, so that there is always somebody who has it.
        """
        found: list[tuple[int, Person, str]] = []
        for form in self.forms:
            person: Person | None = form.cleaned_data.get("person")
            if person is None or form.fixed:
                continue
            role = form.cleaned_data["role"]
            held = form.initial.get("role") if form.initial.get("person") is not None else None
            if form.cleaned_data.get("DELETE"):
                found += [(3, person, role)] if held is not None else []
            elif held is None:
                found.append((0, person, role))
            elif held != role:
                found.append((1 if role == highest else 2, person, role))
        return sorted(found, key=lambda item: item[0])

    def run(self, add: Add, change: Change, remove: Callable[[uuid.UUID], None], *, highest: str) -> None:
        """Run a command for each row that differs.

        Raises:
            Refused: a command refused; the message names the member.
        """
        for step, person, role in self.steps(highest=highest):
            try:
                if step == 0:
                    add(person, role)
                elif step == 3:
                    remove(person.id)
                else:
                    change(person.id, role)
            except REFUSALS as error:
                raise Refused(f"Member {person.username}: {words_of(error)[0]}") from error


MemberRows = forms.formset_factory(MemberForm, formset=Members, extra=NEW_ROWS, can_delete=True, max_num=300)


def member_rows(dataset: uuid.UUID, data: Any = None, *, names_admins: bool = True) -> Members:
    """The rows of a dataset's members, in order of their names; who names no admins sees them, and cannot move them."""
    roles = dict(Member.objects.filter(dataset_id=dataset).values_list("person_id", "role"))
    people = Person.objects.filter(id__in=roles).order_by("username")
    initial = [{"person": person, "role": roles[person.id]} for person in people]
    offered = ROLES if names_admins else tuple(role for role in ROLES if role != ADMIN)
    options = {"roles": offered, "first": "labeler"}
    return cast(Members, MemberRows(data, initial=initial, prefix="members", form_kwargs=options))


def save_members(rows: Members, intent: Intent, dataset: uuid.UUID) -> None:
    """Make a dataset's members what the rows say. Raises Refused, naming the member."""
    rows.run(
        lambda person, role: datasets.add_member(intent=intent, dataset=dataset, person=person.id, role=role),
        lambda person, role: datasets.change_role(intent=intent, dataset=dataset, person=person, role=role),
        lambda person: datasets.remove_member(intent=intent, dataset=dataset, person=person),
        highest=ADMIN,
    )


def organization_rows(organization: uuid.UUID, data: Any = None) -> Members:
    """The rows of an organisation's members."""
    initial = [{"person": item.person, "role": item.role} for item in members_of(organization)]
    options = {"roles": ORGANIZATION_ROLES, "first": "member"}
    return cast(Members, MemberRows(data, initial=initial, prefix="members", form_kwargs=options))


def save_organization(rows: Members, intent: Intent, organization: uuid.UUID) -> None:
    """Make an organisation's members what the rows say. Raises Refused, naming the member."""
    rows.run(
        lambda person, role: organizations.add_organization_member(
            intent=intent, organization=organization, person=person, role=role
        ),
        lambda person, role: organizations.change_organization_role(
            intent=intent, organization=organization, person=person, role=role
        ),
        lambda person: organizations.remove_organization_member(
            intent=intent, organization=organization, person=person
        ),
        highest="administrator",
    )
