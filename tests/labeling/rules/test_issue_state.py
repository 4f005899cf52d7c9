"""The fold of an issue."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from labeling import events as e
from labeling.log import store
from labeling.log.event import Fact, Intent
from labeling.rules import issue_state
from labeling.rules.fold import NOW, Place
from labeling.rules.issue_state import Comment, IssueState, comment_id, issue_stream
from tests.support.labels import ANA, AT, BEN, DATASET, SAMPLE

JSON = dict[str, Any]
ISSUE = uuid.UUID(int=77, version=4)
OPENED = e.IssueOpened(sample=str(SAMPLE), text="v1.k.a", anchor={"type": "basic"})


def after(state: IssueState, *facts: Fact, by: uuid.UUID = BEN) -> IssueState:
    state = replace(state, comments=dict(state.comments))
    for fact in facts:
        issue_state.evolve(state, fact, Place(by, AT, state.last_offset + 1, state.version + 1))
    return state


def issue(*facts: Fact) -> IssueState:
    return after(after(IssueState(DATASET, issue_stream(ISSUE)), OPENED, by=ANA), *facts)


def test_an_issue_begins_with_what_was_said():
    state = issue()
    assert (state.id, state.exists, state.version) == (ISSUE, True, 1)
    assert (state.sample, state.text, state.status, state.anchor) == (str(SAMPLE), "v1.k.a", "OPEN", {"type": "basic"})
    assert (state.created_by, state.created_at) == (state.updated_by, state.updated_at) == (ANA, AT)


def test_an_issue_may_begin_as_resolved():
    state = after(IssueState(DATASET, issue_stream(ISSUE)), replace_status(OPENED, "CLOSED"))
    assert state.status == "CLOSED"


def replace_status(opened: e.IssueOpened, status: str) -> e.IssueOpened:
    return e.IssueOpened(sample=opened.sample, text=opened.text, status=status)


CASES: list[tuple[Fact, JSON]] = [
    (e.IssueCommented(text="v1.k.b"), {"comments": {2: Comment("v1.k.b", BEN, AT, 2)}}),
    (e.IssueCommented(text="v1.k.b", edits_description=True), {"text": "v1.k.b"}),
    (
        e.IssueCommented(text="v1.k.b", edits_description=True, anchor={"type": "track", "trackNumber": 1}),
        {"text": "v1.k.b", "anchor": {"type": "track", "trackNumber": 1}},
    ),
    (e.IssueAnchorSet(anchor=None), {"anchor": None}),
    (
        e.IssueAnchorSet(anchor={"type": "track", "trackNumber": 2}),
        {"anchor": {"type": "track", "trackNumber": 2}},
    ),
    (e.IssueResolved(status="CLOSED"), {"status": "CLOSED"}),
    (e.IssueArchived(), {"exists": False}),
]


@pytest.mark.parametrize("fact, changed", CASES, ids=lambda item: type(item).__name__)
def test_each_event_changes_what_it_says_and_who_was_last(fact, changed):
    before, state = issue(), issue(fact)
    assert (state.version, state.last_offset, state.updated_by, state.created_by) == (2, 2, BEN, ANA)
    kept = {"version", "last_offset", "updated_by", "updated_at", *changed}
    for name in IssueState.__slots__:
        if name in changed:
            assert getattr(state, name) == changed[name]
        elif name not in kept:
            assert getattr(state, name) == getattr(before, name), name


def test_what_is_no_event_of_an_issue_is_refused():
    with pytest.raises(TypeError, match="SampleArchived"):
        issue(e.SampleArchived())


def test_a_fold_leaves_the_state_that_it_began_with():
    before = issue(e.IssueCommented(text="v1.k.b"))
    facts = [(before.stream, before.version, e.IssueCommented(text="v1.k.c"))]
    folded = issue_state.fold(before, store.new_events(DATASET, Intent(author=ANA), facts))
    assert list(before.comments) == [2] and list(folded.comments) == [2, 3]
    assert folded.comments[3].created_at == NOW, "the time is the append's"


def test_the_rows_of_a_whole_issue():
    state = issue(e.IssueCommented(text="v1.k.b"), e.IssueResolved(status="CLOSED"))
    rows = issue_state.difference(IssueState(DATASET, issue_stream(ISSUE)), state)
    assert rows.out == {}
    assert rows.put == {
        "labeling_issue": [
            {
                "id": ISSUE, "dataset_id": DATASET, "last_offset": 3, "version": 3, "sample_id": str(SAMPLE),
                "text": "v1.k.a", "status": "CLOSED", "anchor": {"type": "basic"}, "archived": False,
                "created_by": ANA, "created_at": AT, "updated_by": BEN, "updated_at": AT,
            }
        ],
        "labeling_issuecomment": [
            {
                "id": comment_id(issue_stream(ISSUE), 2), "dataset_id": DATASET, "last_offset": 2, "issue_id": ISSUE,
                "version": 2, "text": "v1.k.b", "created_by": BEN, "created_at": AT,
            }
        ],
    }  # fmt: skip


def test_only_new_comments_are_written_and_a_deleted_issue_keeps_its_row():
    before = issue(e.IssueCommented(text="v1.k.b"))
    answered = issue_state.difference(before, after(before, e.IssueCommented(text="v1.k.c")))
    assert [row["text"] for row in answered.put["labeling_issuecomment"]] == ["v1.k.c"]
    deleted = issue_state.difference(before, after(before, e.IssueArchived()))
    assert [row["archived"] for row in deleted.put["labeling_issue"]] == [True]
    assert "labeling_issuecomment" not in deleted.put and deleted.out == {}


def test_comments_of_two_issues_have_different_rows():
    other = uuid.UUID(int=78, version=4)
    assert comment_id(issue_stream(ISSUE), 2) == comment_id(issue_stream(ISSUE), 2)
    assert len({comment_id(issue_stream(item), version) for item in (ISSUE, other) for version in (2, 3)}) == 4
