"""Proofs by signed checkpoints: that an event is in a log, and that a log only ever grew."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from rest_framework.request import Request

from labeling.api.answers import answer
from labeling.api.audit import AuditView
from labeling.api.contract import Reply, documented
from labeling.api.requests import number_of
from labeling.api.schemas import audit as schemas
from labeling.api.schemas.forms import WHOLE, one_of
from labeling.api.schemas.parameters import or_empty, query
from labeling.api.views import Answer
from labeling.audit.asking import OTHERS
from labeling.errors import InvalidValue, Refused
from labeling.log import store
from labeling.queries import trees

JSON = dict[str, Any]

_number = or_empty(WHOLE | {"minimum": 1})
OF_EVENT = (
    query("offset", "The event that is to be proved, by its offset; required.", WHOLE | {"minimum": 1}, 41),
    query("checkpoint", "By the tree of which checkpoint; of the newest unless said.", _number, 2),
)
OF_LOG = (
    query("from", "The number of a checkpoint; required.", WHOLE | {"minimum": 1}, 1),
    query("to", "The number of a later one; the newest unless said.", _number, 2),
)
WHICH = query("log", "Which log; that of the installation unless said.", or_empty(one_of(*OTHERS)), "installation")


class ProofView(AuditView):
    """What the proofs share."""

    def number(self, name: str) -> int | None:
        """A number of the query; None where it is not there."""
        return number_of(self.request, name, 0, least=1) or None

    def required(self, name: str) -> int:
        """A number of the query.

        Raises:
            InvalidValue: it is none, or not there.
        """
        found = self.number(name)
        if found is None:
            raise InvalidValue(name, "is required: a whole number from 1 on")
        return found

    def which(self) -> uuid.UUID:
        """The log of the installation that the query names.

        Raises:
            InvalidValue: there is no such log.
        """
        name = self.request.query_params.get("log") or "installation"
        if name not in OTHERS:
            raise InvalidValue("log", f"must be one of {', '.join(OTHERS)}")
        return OTHERS[name]

    def inclusion(self, log: uuid.UUID) -> Answer:
        """The proof that the query asks for."""
        offset, number = self.required("offset"), self.number("checkpoint")
        return proved(lambda: trees.inclusion(log, offset=offset, number=number))

    def consistency(self, log: uuid.UUID) -> Answer:
        """The proof that the query asks for."""
        first, second = self.required("from"), self.number("to")
        return proved(lambda: trees.consistency(log, first=first, second=second))


def proved(proof: Callable[[], JSON]) -> Answer:
    """The proof.

    Raises:
        Refused: events of the log are missing.
    """
    try:
        return answer(proof())
    except store.LogGap as error:
        raise Refused("Events of this log are missing; `manage.py verify` says which.") from error


class DatasetInclusionView(ProofView):
    """Proofs that an event is in a dataset's log."""

    @documented(
        "dataset_inclusion", "audit", {200: Reply(schemas.INCLUSION)}, parameters=OF_EVENT, refusals=("busy", "refused")
    )
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """The proof that an event is in the dataset's log, by a signed checkpoint and a few dozen hashes, however long
        the log is (RFC 9162). `check_proof.py` checks it without this installation and without the other events."""
        found = self.dataset(owner, name, "audit")
        self.told("inclusion", found.id)
        return self.inclusion(found.id)


class DatasetConsistencyView(ProofView):
    """Proofs that a dataset's log only ever grew."""

    @documented(
        "dataset_consistency",
        "audit",
        {200: Reply(schemas.CONSISTENCY)},
        parameters=OF_LOG,
        refusals=("busy", "refused"),
    )
    def get(self, request: Request, owner: str, name: str) -> Answer:
        """The proof that the log of one checkpoint begins with that of another (RFC 9162): nothing in front was
        changed, taken out or put in. `check_proof.py` checks it without this installation and without any event."""
        found = self.dataset(owner, name, "audit")
        self.told("consistency", found.id)
        return self.consistency(found.id)


class InclusionView(ProofView):
    """Proofs that an event is in a log that is of no dataset."""

    @documented(
        "inclusion",
        "superuser",
        {200: Reply(schemas.INCLUSION)},
        parameters=(*OF_EVENT, WHICH),
        refusals=("busy", "not_found", "refused"),
    )
    def get(self, request: Request) -> Answer:
        """The proof that an event is in the log of the installation, or in the security log."""
        self.for_superusers()
        log = self.which()
        self.told("inclusion", None)
        return self.inclusion(log)


class ConsistencyView(ProofView):
    """Proofs that a log that is of no dataset only ever grew."""

    @documented(
        "consistency",
        "superuser",
        {200: Reply(schemas.CONSISTENCY)},
        parameters=(*OF_LOG, WHICH),
        refusals=("busy", "not_found", "refused"),
    )
    def get(self, request: Request) -> Answer:
        """The proof that one checkpoint of the log of the installation, or of the security log, begins with another."""
        self.for_superusers()
        log = self.which()
        self.told("consistency", None)
        return self.consistency(log)
