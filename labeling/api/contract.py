"""What a view says of itself for the OpenAPI document: one decorator at each method, and what follows from it.

Said is what cannot be derived: the id, the action, the body, the answers and the refusals that are the operation's own.
Derived are the refusals that everything of its kind has, the headers of commands and bodies, the scope of a key, and
the words, which are the method's docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from labeling.api.schemas import component_of
from labeling.api.schemas.errors import REFUSALS
from labeling.api.schemas.parameters import CONTENT_ENCODING, IDEMPOTENCY_KEY, REASON, SEEN_OFFSET, Header, Parameter
from labeling.rules import access
from labeling.rules.dataset_state import ROLES

JSON = dict[str, Any]
T = TypeVar("T", bound=Callable[..., Any])

SAFE = ("get", "head")
#: Actions that are asked of no dataset, in words.
OTHERS = {
    "open": "Everybody, without a key too.",
    "account": "Everybody with an account.",
    "superuser": "Who runs the installation.",
    "create-dataset": "Everybody for themselves, members for their organisation, and who runs the installation.",
    "organization-members": "Members of the organisation, and who runs the installation.",
    "organization-manage": "Administrators of the organisation, and who runs the installation.",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer; without a schema it has no body. `files` are the media types that may come in its place."""

    schema: JSON | None = None
    headers: tuple[Header, ...] = ()
    media: tuple[str, ...] = ("application/json",)
    files: tuple[str, ...] = ()
    description: str = ""
    example: Any = None


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request; `form` is what may come as a form in its place."""

    schema: JSON
    media: str = "application/json"
    form: JSON | None = None

    @property
    def is_required(self) -> bool:
        """Whether something has to be sent: nothing at all is read as an object without fields."""
        known = component_of(self.schema)
        return known is None or known.schema["type"] != "object" or bool(known.schema.get("required"))


@dataclass(frozen=True, slots=True)
class Operation:
    """What is documented of one method of a view.

    `ids` are the operation's ids by the name of the address, because a view may stand at several. `refusals` are codes
    of `schemas.errors`; `statuses` gives some of them another status here. `appends` says that it is a command, which
    takes an Idempotency-Key. `path` describes path parameters that mean something else here.
    """

    ids: str | Mapping[str, str]
    action: str
    answers: Mapping[int, Reply]
    body: Body | None = None
    parameters: tuple[Parameter, ...] = ()
    refusals: tuple[str, ...] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)
    appends: bool = False
    path: Mapping[str, tuple[JSON, Any]] = field(default_factory=dict)
    members_only: bool = False  #: that the dataset is public helps nobody
    plain: bool = False  #: no view of DRF: no key, no strict JSON, only its own refusals

    def id_at(self, address: str) -> str:
        return self.ids if isinstance(self.ids, str) else self.ids[address]

    def parameters_at(self, method: str) -> tuple[Parameter, ...]:
        """All but those of the path."""
        found = list(self.parameters)
        if self.appends:
            found += [IDEMPOTENCY_KEY, REASON, SEEN_OFFSET]
        if self.body is not None and self.body.media == "application/json":
            found.append(CONTENT_ENCODING)
        return tuple(found)

    def refusals_at(self, method: str, path_parameters: tuple[str, ...]) -> dict[int, list[str]]:
        """The codes that may be answered, by status."""
        codes = set(self.refusals)
        takes = {item["name"] for item in self.parameters}
        if not self.plain:
            codes |= {"invalid", "unavailable"}
            if self.action != "open":
                codes |= {"not_authenticated", "authentication_failed"}
                if method not in SAFE:
                    codes |= {"not_permitted", "permission_denied"}
                elif "at" in takes or self.action not in ("account", "read"):
                    codes.add("not_permitted")
            if path_parameters:
                codes.add("not_found")
            if "page" in takes:
                codes.add("invalid_page")
            if self.body is not None:
                codes |= {"too_large", "unsupported_media_type"}
            if self.appends:
                codes |= {"busy", "idempotency_key_reused"}
                if self.action in access.ACTIONS or self.action == "organization-manage":
                    codes.add("reason_required")
            if "If-Match" in takes:
                codes |= {"version_unknown", "conflict"}
        found: dict[int, list[str]] = {}
        for code in sorted(codes):
            found.setdefault(self.statuses.get(code, REFUSALS[code].status), []).append(code)
        return dict(sorted(found.items()))

    @property
    def roles(self) -> list[str] | None:
        """The roles in a dataset that may, the least first; None where it is asked of no dataset."""
        known = access.ACTIONS.get(self.action)
        return None if known is None else [role for role in ROLES if role in known.roles]

    @property
    def who(self) -> str:
        """Who may, in words."""
        roles = self.roles
        if roles is None:
            return OTHERS[self.action]
        least = f"{roles[0].capitalize()}s" + " and above" * (len(roles) > 1)
        return least + ", and everybody with an account where the dataset is public" * self.is_public + "."

    @property
    def is_public(self) -> bool:
        """Whether everybody with an account may, where the dataset is public."""
        return self.action in access.IN_PUBLIC and not self.members_only


def documented(
    ids: str | Mapping[str, str],
    action: str,
    answers: Mapping[int, Reply],
    *,
    body: JSON | Body | None = None,
    parameters: tuple[Parameter, ...] = (),
    refusals: tuple[str, ...] = (),
    statuses: Mapping[str, int] | None = None,
    appends: bool = False,
    path: Mapping[str, tuple[JSON, Any]] | None = None,
    members_only: bool = False,
    plain: bool = False,
) -> Callable[[T], T]:
    """Say what a view's method is, takes and answers; see Operation."""
    said = Operation(
        ids=ids,
        action=action,
        answers=answers,
        body=Body(body) if isinstance(body, dict) else body,
        parameters=parameters,
        refusals=refusals,
        statuses=statuses or {},
        appends=appends,
        path=path or {},
        members_only=members_only,
        plain=plain,
    )

    def mark(method: T) -> T:
        setattr(method, "operation", said)  # noqa: B010 - a function's type has no such field
        return method

    return mark


def operation_of(method: Any) -> Operation | None:
    """What was said of a view's method."""
    found = getattr(method, "operation", None)
    return found if isinstance(found, Operation) else None
