"""Erasing a person's data: what says who they are goes, what they did stays, and every chain still holds.

Events name people by id only, and what somebody wrote in their own words is encrypted with their key; so nothing in a
log has to change. The account stays as `erased-` and a number, because events refer to it; its username is free, and
who takes it gets another id.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.sessions.models import Session
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from labeling import events as e
from labeling import texts
from labeling.commands.people import append_of_person
from labeling.errors import NotFound, NotPermitted, ReasonRequired, Refused
from labeling.log.event import Intent
from labeling.models import (
    Activity,
    ActivityVolume,
    ApiKey,
    Asset,
    Contribution,
    Dataset,
    Issue,
    IssueComment,
    Member,
    OrganizationMember,
    Person,
)
from labeling.queries.retention import is_held

#: How often another number is tried when somebody else took it meanwhile.
TRIES = 5


@dataclass(frozen=True, slots=True)
class Erasure:
    """What erasing a person takes, and what it leaves: (what, how much of it or None, why)."""

    person: Person
    going: list[tuple[str, int | None, str]]
    staying: list[tuple[str, int | None, str]]


def plan_erasure(person: Person) -> Erasure:
    """What `erase_person` would do, counted now; nothing is changed.

    Raises:
        Refused: it is no person, is held, or was erased before.
    """
    _check(person)
    if is_held("person", person.id):
        raise Refused("This person is under a legal hold, so nothing of theirs is erased until it is lifted.")
    keys, signals = ApiKey.objects.filter(person=person), Activity.objects.filter(person=person.id)
    issues, comments = Issue.objects.filter(created_by=person.id), IssueComment.objects.filter(created_by=person.id)
    written = issues.count() + comments.count()
    datasets = Contribution.objects.filter(author=person.id).values("dataset_id").distinct().count()
    owned = Dataset.objects.filter(owner_id=person.id, deleted=False).count()
    roles = Member.objects.filter(person_id=person.id).count()
    roles += OrganizationMember.objects.filter(person_id=person.id).count()
    names = sum(bool(name) for name in (person.username, person.email, person.first_name, person.last_name))
    return Erasure(
        person,
        going=[
            ("names and e-mail address", names, "the account is called erased- and a number from then on"),
            ("password", int(person.has_usable_password()), "and the account is switched off"),
            ("API keys", keys.count(), "programs that use one are refused at once"),
            ("sessions of browsers", sum(1 for _ in sessions_of(person.id)), "they are logged out everywhere"),
            ("raw signals of work", signals.count(), "time that nothing else shows leaves the reports"),
            (
                "texts that they wrote",
                written,
                "so many issues and comments, and every reason that they gave: their key is destroyed",
            ),
            ("network addresses in the security log", None, "their hashes say nothing without that key"),
        ],
        staying=[
            (
                "datasets in which they did something",
                datasets,
                "labels and their history are the dataset's, by an id without a name",
            ),
            (
                "files that they uploaded",
                Asset.objects.filter(owner=person).count(),
                "labels and releases refer to them",
            ),
            ("datasets that they own", owned, "under the name erased- and a number; rename or delete them yourself"),
            ("roles", roles, "nobody can log in with them; take them away where that is wanted"),
            ("working time of closed days", None, "sums and times without a name, which reports are made from"),
            ("what others wrote about them", None, "it is theirs; erase it where it stands"),
            ("older backups", None, "they still hold all of it, the key too: let them expire"),
        ],
    )


def erase_person(*, intent: Intent, person: Person) -> int:
    """Erase a person's data, for good; returns the number that they are known by from then on.

    Raises:
        NotPermitted: the author does not run the installation.
        ReasonRequired: no reason is given.
        Refused: it is the author, no person, held, or was erased before.
    """
    _check_author(intent, person)
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                return _erase(intent, person.id)
        except IntegrityError as error:
            if "username" not in str(error):
                raise
    raise Refused("Others are being erased at the same time; nothing was erased. Try again.")


def _erase(intent: Intent, key: uuid.UUID) -> int:
    person = Person.objects.select_for_update().get(id=key)
    _check(person)
    if is_held("person", key):
        raise Refused("This person is under a legal hold, so nothing of theirs is erased until it is lifted.")
    number = _next_number()
    texts.destroy_key(person=key)
    api_keys, _ = ApiKey.objects.filter(person_id=key).delete()
    sessions = list(sessions_of(key))
    Session.objects.filter(session_key__in=[session.session_key for session in sessions]).delete()
    signals, _ = Activity.objects.filter(person=key).delete()
    ActivityVolume.objects.filter(person=key).delete()
    person.username = f"erased-{number:04d}"
    person.email = person.first_name = person.last_name = ""
    person.is_active = person.is_staff = person.is_superuser = False
    person.last_login, person.erased_at = None, timezone.now()
    person.set_unusable_password()
    person.save()
    fact = e.PersonErased(number=number, api_keys=api_keys, sessions=len(sessions), signals=signals)
    append_of_person(intent, f"person/{key}", fact)
    return number


def person_to_erase(named: str) -> Person:
    """Who has this username or id.

    Raises:
        NotFound: nobody.
    """
    try:
        by = Q(username=named) | Q(id=uuid.UUID(named))
    except ValueError:
        by = Q(username=named)
    found = Person.objects.filter(by).first()
    if found is None:
        raise NotFound("The user")
    return found


def sessions_of(person: uuid.UUID) -> Iterator[Session]:
    """The sessions that a person is logged in with. They are signed texts, so each has to be read."""
    for session in Session.objects.iterator():
        if session.get_decoded().get("_auth_user_id") == str(person):
            yield session


def _check(person: Person) -> None:
    if person.is_organization:
        raise Refused("An organization is no person; take its members out, and rename it.")
    if person.erased_at is not None:
        raise Refused("This person's data was erased before.")


def _check_author(intent: Intent, person: Person) -> None:
    author = Person.objects.filter(id=intent.author, is_active=True, is_superuser=True).first()
    if author is None or intent.author_kind != "person":
        raise NotPermitted("Only who runs the installation erases people.", action="erase-person")
    if author.id == person.id:
        raise Refused("Nobody erases themselves; ask somebody else who runs the installation.")
    if intent.reason is None:
        raise ReasonRequired("to erase a person, in words that do not name them")


def _next_number() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(max(substr(username, 8)::bigint), 0) + 1 FROM labeling_person"
            " WHERE username ~ '^erased-[0-9]{4,9}$'"
        )
        return int(cursor.fetchone()[0])
