"""A5, access and permissions: roles and when, keys, logins, refusals, and what was read or left the house. Pure.

Roles, keys and accounts come from the log of the dataset and that of the installation; logins, refusals, downloads and
reads from the security log. A dataset's report tells of those who ever were its members, and of what names the dataset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from labeling import events as e
from labeling.audit.report import WHO, Part, Question, Report, Row, Sources, is_of_installation, moment, text, who

ACCOUNTS = (
    "PersonAdded", "PersonChanged", "KeyCreated", "KeyRevoked", "OrganizationMemberAdded",
    "OrganizationMemberRoleChanged", "OrganizationMemberRemoved",
)  # fmt: skip
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
        is_login = isinstance(event.fact, e.LoginSucceeded | e.LoggedOut)
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
    open_roles: dict[str, dict[str, object]] = {}

    def begin(person: str, role: str, event: object) -> None:
        cells = {"person": person, "role": role, "from": None, "from_offset": 0, "until": None, "until_offset": None}
        open_roles[person] = cells
        found.append(("roles", cells))

    for event in sources.events(*ROLES, stream="dataset"):
        fact, at = event.fact, moment(event.recorded_at)
        person = str(getattr(fact, "person", ""))
        if isinstance(fact, e.MemberRoleChanged | e.MemberRemoved) and person in open_roles:
            open_roles.pop(person).update(until=at, until_offset=event.offset)
        if isinstance(fact, e.MemberAdded | e.MemberRoleChanged):
            begin(person, fact.role, event)
            open_roles[person].update({"from": at, "from_offset": event.offset, "by": str(event.intent.author)})
        if isinstance(fact, e.DatasetCreated):
            begin("everybody", "public" if fact.public else "private", event)
            open_roles["everybody"].update({"from": at, "from_offset": event.offset, "by": str(event.intent.author)})
        if isinstance(fact, e.DatasetSettingsChanged) and "public" in fact.changes:
            open_roles.pop("everybody", {}).update(until=at, until_offset=event.offset)
            begin("everybody", "public" if fact.changes["public"] else "private", event)
            open_roles["everybody"].update({"from": at, "from_offset": event.offset, "by": str(event.intent.author)})
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
            "Logins, refusals, reads and downloads",
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
