"""A5, access and permissions: roles and when, keys, logins, refusals, and what was read or left the house. Pure.

Roles, keys and accounts come from the log of the dataset and that of the installation; logins, refusals, downloads and
reads from the security log. A dataset's report tells of those who ever were its members, and of what names the dataset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from labeling import events as e
from labeling.audit.report import (
    WHO,
    Cells,
    Part,
    Question,
    Report,
    Row,
    Sources,
    is_of_installation,
    moment,
    text,
    who,
)
from labeling.log.event import Event

ACCOUNTS = (
    "PersonAdded", "PersonChanged", "KeyCreated", "KeyRevoked", "OrganizationMemberAdded",
    "OrganizationMemberRoleChanged", "OrganizationMemberRemoved",
)  # fmt: skip
#: For what the dataset itself allows.
EVERYBODY = "everybody"
ROLES = ("DatasetCreated", "MemberAdded", "MemberRoleChanged", "MemberRemoved", "DatasetSettingsChanged")


def _rows(sources: Sources, question: Question) -> Iterator[Row]:
    members: set[str] = set()
    if not is_of_installation(sources):
        grants, members = _roles(sources)
        yield from ((part, cells) for part, cells in grants)
    for event in sources.installation(*ACCOUNTS):
        whom = event.stream.split("/")[-1]
        person = str(getattr(event.fact, "person", whom))
        if question.holds(event) and (is_of_installation(sources) or {person, whom} & members):
            yield "accounts", who(event) | {"type": event.type, "person": person, "data": text(event.data)}
    seen: Counter[tuple[str, str]] = Counter()
    for event in sources.security():
        author, named = str(event.intent.author), getattr(event.fact, "dataset", None)
        is_login = isinstance(event.fact, e.LoginSucceeded | e.LoggedOut | e.KeyUsed)
        is_ours = named == str(sources.log) or (is_login and author in members)
        if question.holds(event) and (is_of_installation(sources) or is_ours):
            count = int(getattr(event.fact, "count", 1))
            seen[event.type, author] += count
            address = getattr(event.fact, "address", None)
            yield (
                "access",
                who(event)
                | {"type": event.type, "dataset": named, "times": count, "address": address, "data": text(event.data)},
            )
    for (kind, author), count in sorted(seen.items()):
        yield "totals", {"type": kind, "author": author, "times": count}


def _roles(sources: Sources) -> tuple[list[Row], set[str]]:
    """The roles in the order in which they began, with their ends, and everybody who ever had one."""
    found: list[Row] = []
    open_roles: dict[str, Cells] = {}

    def begin(person: str, role: str, event: Event) -> None:
        cells: Cells = {"person": person, "role": role, "from": moment(event.recorded_at), "from_offset": event.offset}
        open_roles[person] = cells | {"by": str(event.intent.author), "until": None, "until_offset": None}
        found.append(("roles", open_roles[person]))

    def end(person: str, event: Event) -> None:
        open_roles.pop(person, {}).update(until=moment(event.recorded_at), until_offset=event.offset)

    for event in sources.events(*ROLES, stream="dataset"):
        match event.fact:
            case e.DatasetCreated(public=public):
                begin(EVERYBODY, "public" if public else "private", event)
            case e.DatasetSettingsChanged(changes={"public": public}):
                end(EVERYBODY, event)
                begin(EVERYBODY, "public" if public else "private", event)
            case e.MemberAdded(person=person, role=role):
                begin(person, role, event)
            case e.MemberRoleChanged(person=person, role=role):
                end(person, event)
                begin(person, role, event)
            case e.MemberRemoved(person=person):
                end(person, event)
    return found, {str(cells["person"]) for _, cells in found}


REPORT = Report(
    "A5",
    "access",
    "Access and permissions",
    "Who had which role when and by whom, which keys were made, who came in, was refused, read the audit, took data.",
    {
        "roles": Part(
            "Roles",
            {
                "person": "Who; `everybody` for what the dataset itself allows.",
                "role": "The role, or whether the dataset is public.",
                "from": "Since when.",
                "from_offset": "The event that gave it.",
                "by": "Who gave it.",
                "until": "Until when; empty while they have it.",
                "until_offset": "The event that ended it.",
            },
        ),
        "accounts": Part(
            "Accounts, keys and organisations",
            WHO | {"type": "What happened.", "person": "To whom.", "data": "What the event says, as canonical JSON."},
        ),
        "access": Part(
            "Logins, uses of keys, refusals, reads and downloads",
            WHO
            | {
                "type": "What happened.",
                "dataset": "In which dataset.",
                "times": "How often within that minute.",
                "address": "From where: a keyed hash of the address, equal for equal ones.",
                "data": "What the event says, as canonical JSON.",
            },
        ),
        "totals": Part("Totals", {"type": "What happened.", "author": "By whom.", "times": "How often."}),
    },
    _rows,
    of=("dataset", "installation"),
    reads=("installation", "security"),
)
