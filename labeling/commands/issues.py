"""Raise, answer, change, resolve and delete issues. What people write is encrypted with their key."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from labeling import events as e
from labeling.commands.safeguards import require_reason_in
from labeling.commands.writing import decide, earlier, hint
from labeling.errors import InvalidValue, NotFound
from labeling.log import store, values
from labeling.log.event import Fact, Intent
from labeling.log.rows import Rows
from labeling.models import Issue
from labeling.queries import issues as queries
from labeling.queries.issues import IssueInDataset
from labeling.queries.samples import find_sample
from labeling.rules import access, issue_state
from labeling.rules.anchors import checked_anchor
from labeling.rules.issue_state import STATUSES, IssueState, issue_stream
from labeling.texts import decrypt_all, encrypt

JSON = dict[str, Any]

TEXT_LIMIT = 10_000
FIELDS = ("description", "status", "anchor")


def checked_issue(body: JSON, *, partial: bool = False) -> JSON:
    """The fields of an issue, checked; what the protocol does not name is left out.

    Raises:
        InvalidValue: the first field that does not fit.
    """
    found: JSON = {key: body[key] for key in FIELDS if key in body}
    if not partial and "description" not in found:
        raise InvalidValue("description", "is required")
    if "description" in found:
        found["description"] = checked_text(found["description"], "description")
    if "status" in found and found["status"] not in STATUSES:
        raise InvalidValue("status", f"must be one of {', '.join(STATUSES)}")
    if "anchor" in found:
        found["anchor"] = checked_anchor(found["anchor"])
    return found


def checked_text(value: Any, where: str) -> str:
    """What somebody wrote: not nothing, and no book."""
    if not isinstance(value, str) or not value.strip() or len(value) > TEXT_LIMIT:
        raise InvalidValue(where, f"must be a text of 1 to {TEXT_LIMIT} characters")
    return value


def open_issue(*, intent: Intent, sample: uuid.UUID, fields: JSON) -> uuid.UUID:
    """Raise an issue on a sample (checked by checked_issue); returns its id.

    Raises:
        NotFound, NotPermitted: there is no such sample, or the author is no member of its dataset.
    """

    def attempt() -> uuid.UUID:
        found = find_sample(sample, person=intent.on_behalf_of or intent.author)
        access.require("issue", role=found.role, public=found.public, dataset=found.dataset)
        replay = earlier(found.dataset, intent)
        if replay is not None:
            return uuid.UUID(replay.answer["issue"])
        issue = uuid.uuid4()
        opened = e.IssueOpened(
            sample=str(sample),
            text=encrypt(fields["description"], person=intent.author),
            status=fields.get("status", "OPEN"),
            anchor=fields.get("anchor"),
        )
        if _append(IssueState(found.dataset, issue_stream(issue)), [opened], intent, {"issue": str(issue)}).replayed:
            raise store.Stale  # a twin of this request was faster; the next turn answers what it did
        return issue

    return decide(attempt)


def comment_on_issue(*, intent: Intent, issue: uuid.UUID, text: str) -> None:
    """Answer an issue.

    Raises:
        NotFound, NotPermitted: there is no such issue, or the author is no member of its dataset.
    """
    _change(issue, intent, lambda found: [e.IssueCommented(text=encrypt(text, person=intent.author))])


def change_issue(*, intent: Intent, issue: uuid.UUID, changes: JSON) -> None:
    """Change an issue's description, anchor or status (checked by checked_issue); only what differs becomes an event.

    Everybody who may raise issues may resolve one; its words are its author's, and a manager's, to change.

    Raises:
        NotFound, NotPermitted: there is no such issue, or the author may not.
    """

    def rule(found: IssueInDataset) -> list[Fact]:
        state = found.state
        facts: list[Fact] = []
        if "description" in changes and decrypt_all([state.text]) != [changes["description"]]:
            text = encrypt(changes["description"], person=intent.author)
            facts.append(e.IssueCommented(text=text, edits_description=True))
        if "anchor" in changes and not values.same(state.anchor, changes["anchor"]):
            facts.append(e.IssueAnchorSet(anchor=changes["anchor"]))
        if facts:
            _require_moderation(found, intent)
        if "status" in changes and changes["status"] != state.status:
            facts.append(e.IssueResolved(status=changes["status"]))
        return facts

    _change(issue, intent, rule)


def delete_issue(*, intent: Intent, issue: uuid.UUID) -> None:
    """Delete an issue; what was said stays in the log.

    Raises:
        NotFound, NotPermitted: there is no such issue, or the author neither raised it nor is a manager.
    """

    def rule(found: IssueInDataset) -> list[Fact]:
        _require_moderation(found, intent)
        return [e.IssueArchived()]

    _change(issue, intent, rule)


def _require_moderation(found: IssueInDataset, intent: Intent) -> None:
    if found.state.created_by != (intent.on_behalf_of or intent.author):
        access.require("moderate", role=found.role, public=found.public, dataset=found.dataset)


def _change(issue: uuid.UUID, intent: Intent, rule: Callable[[IssueInDataset], list[Fact]]) -> None:
    def attempt() -> None:
        try:
            found = queries.find_issue(issue, person=intent.on_behalf_of or intent.author)
        except NotFound:
            gone = Issue.objects.filter(id=issue, archived=True).first()
            if gone is None or earlier(gone.dataset_id, intent) is None:
                raise
            return  # a retry of the request that deleted it
        access.require("issue", role=found.role, public=found.public, dataset=found.dataset)
        if earlier(found.dataset, intent) is None:
            facts = rule(found)
            if facts or intent.replayable:
                _append(found.state, facts, intent)

    decide(attempt)


def _append(state: IssueState, facts: list[Fact], intent: Intent, answer: JSON | None = None) -> store.Appended:
    require_reason_in(state.dataset, intent, facts)
    events = store.new_events(state.dataset, intent, [(state.stream, state.version, fact) for fact in facts])
    rows = issue_state.difference(state, issue_state.fold(state, events)) if events else Rows()
    appended = store.append(
        state.dataset, intent=intent, events=events, rows=rows, expected={state.stream: state.version}, answer=answer
    )
    hint(state.dataset, appended)
    return appended
