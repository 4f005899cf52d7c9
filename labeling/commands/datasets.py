"""Create and change datasets, their label sets and their members."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any, cast

from django.db import IntegrityError

from labeling import events as e
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import (
    AlreadyCollaborator,
    AlreadyExists,
    CannotCollaborate,
    InvalidValue,
    NotFound,
    NotPermitted,
    Refused,
)
from labeling.log import store, values
from labeling.log.event import Fact, Intent
from labeling.log.rows import Rows
from labeling.models import Person
from labeling.queries import datasets as queries
from labeling.queries.organizations import role_in
from labeling.rules import access, dataset_state, signatures
from labeling.rules import task_attributes as task_attributes_rule
from labeling.rules.access import ON_ACCEPTED
from labeling.rules.dataset_state import DATASET_CATEGORIES, GROUND_TRUTH, ROLES, SETTINGS, STREAM, DatasetState
from labeling.rules.edits.placement import OUTSIDE
from labeling.rules.protocol.task_attributes import check_task_attributes
from labeling.rules.reasons import CLASSES, require_reason
from labeling.rules.task_types import task_type_names

JSON = dict[str, Any]
Rule = Callable[[DatasetState], list[Fact]]
Needs = Callable[[DatasetState], str]

_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
TEXT_LIMIT = 1_000_000


def checked_name(value: Any, where: str = "name") -> str:
    """A name that can stand in a URL: letters, digits, dots, dashes and underscores."""
    if not isinstance(value, str) or not _name.fullmatch(value):
        raise InvalidValue(
            where, "must be 1 to 128 letters, digits, dots, dashes or underscores, and begin with a letter or digit"
        )
    return value


def checked_changes(changes: JSON) -> JSON:
    """Settings, texts and metadata of a dataset, by the rules of their kind; unknown names are left out.

    Raises:
        InvalidValue: the first that does not fit.
    """
    found: JSON = {}
    for key, value in changes.items():
        if key == "name":
            found[key] = checked_name(value)
        elif key in ("description", "readme"):
            if value is None:
                value = ""
            if not isinstance(value, str) or len(value) > TEXT_LIMIT:
                raise InvalidValue(key, "must be a string of at most a million characters")
            found[key] = value
        elif key == "category":
            if value not in DATASET_CATEGORIES:
                raise InvalidValue(key, f"must be one of {', '.join(DATASET_CATEGORIES)}")
            found[key] = value
        elif key in ("public", "archived"):
            found[key] = _checked_bool(value, key)
        elif key == "metadata":
            if not isinstance(value, dict):
                raise InvalidValue(key, "must be an object")
            found[key] = value
        elif key == "task_type":
            if value not in task_type_names():
                raise InvalidValue(key, f"must be one of {', '.join(name for name in task_type_names() if name)}")
            found[key] = value
        elif key == "labeling_inactivity_timeout_seconds":
            if type(value) is not int or not 1 <= value <= 86_400:
                raise InvalidValue(key, "must be a whole number of seconds from 1 to 86400")
            found[key] = value
        elif key == "region_of_interest":
            if value is not None and not isinstance(value, dict):
                raise InvalidValue(key, "must be an object or null")
            found[key] = value
        elif key == "undo_limit":
            if type(value) is not int or not 0 <= value <= 1000:
                raise InvalidValue(key, "must be a whole number of gestures from 0 to 1000")
            found[key] = value
        elif key == "accepted_label_edits":
            if value not in ON_ACCEPTED:
                raise InvalidValue(key, f"must be one of {', '.join(ON_ACCEPTED)}")
            found[key] = value
        elif key == "reasons_required":
            if not isinstance(value, list) or any(not isinstance(item, str) or item not in CLASSES for item in value):
                raise InvalidValue(key, f"must be a list of {', '.join(CLASSES)}")
            found[key] = sorted(set(value))
        elif key == signatures.SETTING:
            if not isinstance(value, list) or any(item not in signatures.REQUIRED for item in value):
                raise InvalidValue(key, f"must be a list of {', '.join(signatures.REQUIRED)}")
            found[key] = sorted(set(value))
        elif key == "labels_outside_image":
            if value not in OUTSIDE:
                raise InvalidValue(key, f"must be one of {', '.join(OUTSIDE)}")
            found[key] = value
        elif key in SETTINGS:
            found[key] = _checked_bool(value, key)
    return found


def _checked_bool(value: Any, key: str) -> bool:
    if type(value) is not bool:
        raise InvalidValue(key, "must be true or false")
    return value


def checked_task_attributes(value: Any) -> JSON:
    """The document of categories, attributes and rules, which is kept verbatim; null is an empty one.

    Raises:
        InvalidValue: the first field that the SDK could not read again, or the id of a second category.
    """
    if value is None:
        return {}
    check_task_attributes(value)
    return cast(JSON, value)


def create_dataset(
    *, intent: Intent, owner: uuid.UUID, name: str, task_type: str, task_attributes: Any, changes: JSON
) -> uuid.UUID:
    """Create a dataset with its ground-truth label set. The author becomes an admin, and so does an owner who is a
    person; an organisation's administrators are admins of its datasets anyway. Returns its id.

    Raises:
        NotPermitted: the owner is neither the author nor an organisation that they belong to.
        AlreadyExists: the owner has a dataset of that name.
        InvalidValue: the first field that does not fit.
    """
    checked = checked_changes(changes | {"name": name, "task_type": task_type})
    document = checked_task_attributes(task_attributes)
    author = intent.on_behalf_of or intent.author
    admins = first_admins(owner, author)
    # A command that the client named gives the log its id, so that a retry finds what it did.
    dataset = intent.command if intent.replayable else uuid.uuid4()
    created = e.DatasetCreated(
        owner=str(owner),
        settings=SETTINGS | {key: value for key, value in checked.items() if key in SETTINGS},
        task_attributes=document,
        **{key: value for key, value in checked.items() if key in dataset_state.FIELDS},
    )
    facts: list[Fact] = [
        created,
        e.LabelSetCreated(label_set=str(uuid.uuid4()), name=GROUND_TRUTH, description="", kind=GROUND_TRUTH),
        *(e.MemberAdded(person=str(person), role="admin") for person in admins),
    ]
    decide(lambda: _append(DatasetState(id=dataset), facts, intent, open_as="dataset"))
    return dataset


def first_admins(owner: uuid.UUID, author: uuid.UUID) -> list[uuid.UUID]:
    """Who is an admin of a new dataset of `owner` that `author` makes.

    Raises:
        NotPermitted: the owner is neither the author nor an organisation that they belong to.
    """
    people = {item.id: item for item in Person.objects.filter(id__in=(owner, author))}
    is_organization = owner in people and people[owner].is_organization
    superuser = author in people and people[author].is_superuser and people[author].is_active
    if owner != author and not superuser:
        if not is_organization:
            raise NotPermitted("A dataset is created by its owner.", action="dataset-create")
        access.require_in_organization("datasets", role=role_in(owner, author))
    return [person for person in dict.fromkeys((owner, author)) if person != owner or not is_organization]


def change_dataset(*, intent: Intent, dataset: uuid.UUID, changes: JSON, task_attributes: Any = ...) -> None:
    """Change settings, texts, metadata, or (unless `...`) the document of categories.

    Raises:
        NotFound, NotPermitted: the author may not.
        AlreadyExists: the new name is taken.
        Refused: the task type of a dataset with samples cannot change.
        InvalidValue: the first field that does not fit.
    """
    checked = checked_changes(changes)
    document = None if task_attributes is ... else checked_task_attributes(task_attributes)

    def rule(state: DatasetState) -> list[Fact]:
        now = {key: getattr(state, key) for key in dataset_state.FIELDS} | state.settings
        different = {key: value for key, value in checked.items() if key not in now or not values.same(now[key], value)}
        if "task_type" in different:
            raise Refused(
                "The task type is fixed when a dataset is created; clone the dataset to label it another way."
            )
        facts: list[Fact] = [e.DatasetSettingsChanged(changes=different)] if different else []
        if document is not None:
            facts += task_attributes_rule.differences(state.task_attributes, document)
        return facts

    _change(dataset, intent, "change", rule)


def delete_dataset(*, intent: Intent, dataset: uuid.UUID) -> None:
    """Delete a dataset: its name is free, its log stays.

    Raises:
        NotFound, NotPermitted: the author may not.
    """
    _change(dataset, intent, "delete", lambda state: [e.DatasetDeleted()])


def add_label_set(
    *, intent: Intent, dataset: uuid.UUID, name: str, description: str = "", kind: str = "predictions"
) -> None:
    """Create a label set.

    Raises:
        NotFound, NotPermitted: the author may not.
        AlreadyExists: there is one of that name.
    """
    checked_name(name)
    if not isinstance(description, str):
        raise InvalidValue("description", "must be a string")

    def rule(state: DatasetState) -> list[Fact]:
        if state.label_set(name) is not None:
            raise AlreadyExists("Labelset")
        return [e.LabelSetCreated(label_set=str(uuid.uuid4()), name=name, description=description, kind=kind)]

    _change(dataset, intent, "change", rule)


def archive_label_set(*, intent: Intent, dataset: uuid.UUID, name: str) -> None:
    """Delete a label set: its name is free, its labels stay in the log.

    Raises:
        NotFound, NotPermitted: there is none of that name, or the author may not.
        Refused: the ground truth cannot be deleted.
    """

    def rule(state: DatasetState) -> list[Fact]:
        found = state.label_set(name)
        if found is None:
            raise NotFound("The label set")
        if found.kind == GROUND_TRUTH:
            raise Refused("The ground-truth label set cannot be deleted.")
        return [e.LabelSetArchived(label_set=found.id)]

    _change(dataset, intent, "change", rule)


def add_member(*, intent: Intent, dataset: uuid.UUID, person: uuid.UUID, role: str) -> None:
    """Give a person a role in the dataset.

    Raises:
        NotFound, NotPermitted: the author may not; only an admin makes another.
        AlreadyCollaborator: they have one.
        CannotCollaborate: an organisation is no person.
    """
    _checked_role(role)
    if Person.objects.filter(id=person, is_organization=True).exists():
        raise CannotCollaborate

    def rule(state: DatasetState) -> list[Fact]:
        if str(person) in state.members:
            raise AlreadyCollaborator
        return [e.MemberAdded(person=str(person), role=role)]

    _change(dataset, intent, lambda state: access.members_action(role), rule)


def change_role(*, intent: Intent, dataset: uuid.UUID, person: uuid.UUID, role: str) -> None:
    """Give a member another role.

    Raises:
        NotFound: they are no member.
        NotPermitted: the author may not; only an admin makes or unmakes another.
        Refused: the dataset would be left without an admin.
    """
    _checked_role(role)

    def rule(state: DatasetState) -> list[Fact]:
        member = state.members.get(str(person))
        if member is None:
            raise NotFound("The collaborator")
        if member.role == role:
            return []
        _keep_an_admin(state, str(person))
        return [e.MemberRoleChanged(person=str(person), role=role)]

    _change(dataset, intent, lambda state: access.members_action(role, _role(state, person)), rule)


def remove_member(*, intent: Intent, dataset: uuid.UUID, person: uuid.UUID) -> None:
    """Take a person's role away; what they did stays theirs.

    Raises:
        NotFound: they are no member.
        NotPermitted: the author may not; only an admin unmakes another.
        Refused: the dataset would be left without an admin.
    """

    def rule(state: DatasetState) -> list[Fact]:
        if str(person) not in state.members:
            raise NotFound("The collaborator")
        _keep_an_admin(state, str(person))
        return [e.MemberRemoved(person=str(person))]

    _change(dataset, intent, lambda state: access.members_action(_role(state, person)), rule)


def _role(state: DatasetState, person: uuid.UUID) -> str | None:
    member = state.members.get(str(person))
    return member.role if member else None


def _checked_role(role: Any) -> None:
    if role not in ROLES:
        raise InvalidValue("role", f"must be one of {', '.join(ROLES)}")


def _keep_an_admin(state: DatasetState, person: str) -> None:
    if not any(item.role == "admin" for key, item in state.members.items() if key != person):
        raise Refused("A dataset needs an administrator; name another one first.")


def state_to_change(dataset: uuid.UUID, intent: Intent, needs: str | Needs = "change") -> DatasetState:
    """The state of a dataset that the author may change.

    Raises:
        NotFound, NotPermitted: the author may not.
    """
    state = queries.state_of(dataset)
    if not state.exists:
        raise NotFound("The dataset")
    role = queries.role_of(intent.on_behalf_of or intent.author, state)
    action = needs if isinstance(needs, str) else needs(state)
    access.require(action, role=role, public=state.public, dataset=dataset)
    return state


def _change(dataset: uuid.UUID, intent: Intent, needs: str | Needs, rule: Rule) -> None:
    def attempt() -> None:
        state = state_to_change(dataset, intent, needs)
        if earlier(dataset, intent) is None:
            facts = rule(state)
            require_reason(intent, facts, settings=state.settings)
            if facts or intent.replayable:
                _append(state, facts, intent)

    decide(attempt)


def _append(state: DatasetState, facts: list[Fact], intent: Intent, *, open_as: str | None = None) -> None:
    events = store.new_events(state.id, intent, [(STREAM, state.version, fact) for fact in facts])
    rows = dataset_state.difference(state, dataset_state.fold(state, events)) if events else None
    try:
        appended = store.append(
            state.id,
            intent=intent,
            events=events,
            rows=rows or Rows(),
            expected={STREAM: state.version},
            open_as=open_as,
        )
    except IntegrityError as error:
        if "dataset_name_taken" in str(error):
            raise AlreadyExists("Dataset") from error
        raise
    hint(state.id, appended)
