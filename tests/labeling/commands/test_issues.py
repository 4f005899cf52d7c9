"""Issues: raised, answered, changed, resolved and deleted, by whom they may be; their texts, and every retry."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling import events as e
from labeling import texts
from labeling.commands import datasets, issues, samples
from labeling.errors import IdempotencyKeyReused, InvalidValue, NotFound, NotPermitted
from labeling.log import store
from labeling.models import Issue, IssueComment
from labeling.queries import issues as queries
from labeling.rules.issue_state import issue_stream

JSON = dict[str, Any]
ROLES = ("viewer", "labeler", "reviewer", "manager", "admin")


@pytest.fixture
def ana(person):
    return person("ana")


@pytest.fixture
def street(dataset, ana):
    return dataset(ana)


@pytest.fixture
def picture(sample, street, ana):
    return sample(street, ana, name="a.png")


@pytest.fixture
def member(person, intent, street, ana):
    """member("reviewer"): somebody with that role; member(None): somebody without any."""

    def make(role: str | None, name: str = "") -> Any:
        found = person(name or f"the-{role}")
        if role is not None:
            datasets.add_member(intent=intent(ana), dataset=street, person=found.id, role=role)
        return found

    return make


@pytest.fixture
def raised(intent, picture):
    """raised(by, "text", …): the id of a new issue."""

    def make(by: Any, description: str = "No wheels", *, named: JSON | None = None, **fields: Any) -> uuid.UUID:
        checked = issues.checked_issue({"description": description} | fields)
        return issues.open_issue(intent=intent(by, **(named or {})), sample=picture, fields=checked)

    return make


def facts(dataset: uuid.UUID, issue: uuid.UUID, after: int = 0) -> list[Any]:
    return [event.fact for event in store.read_stream(dataset, issue_stream(issue), after_version=after)]


def names(dataset: uuid.UUID, issue: uuid.UUID, after: int = 0) -> list[str]:
    return [type(fact).__name__ for fact in facts(dataset, issue, after)]


def command(letter: bytes = b"1") -> JSON:
    return {"command": uuid.uuid5(uuid.NAMESPACE_OID, "key"), "request_hash": letter * 32}


# --- what is taken -------------------------------------------------------------------------------------------------

FAULTS: list[tuple[JSON, str]] = [
    ({}, "description"),
    *[({"description": bad}, "description") for bad in ("", "  \n", None, 5, [], "x" * 10_001)],
    *[({"description": "x", "status": bad}, "status") for bad in ("open", "", None, 5, [], {})],
    ({"description": "x", "anchor": {"type": "spot"}}, "anchor.type"),
]


@pytest.mark.parametrize("body, field", FAULTS, ids=str)
def test_what_does_not_fit_is_refused_by_its_name(body, field):
    with pytest.raises(InvalidValue) as refused:
        issues.checked_issue(body)
    assert refused.value.field == field


def test_a_change_need_not_say_everything_and_strangers_are_passed_over():
    assert issues.checked_issue({}, partial=True) == {}
    assert issues.checked_issue({"anchor": None, "tags": [1]}, partial=True) == {"anchor": None}


# --- raising and answering -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_every_member_raises_and_answers_issues(raised, member, intent, street, role):
    writer = member(role)
    issue = raised(writer, anchor={"type": "track", "trackNumber": 4})
    issues.comment_on_issue(intent=intent(writer), issue=issue, text="Still none")
    found = queries.issue_with_comments(issue, "a.png").state
    assert (found.status, found.anchor, found.created_by) == ("OPEN", {"type": "track", "trackNumber": 4}, writer.id)
    assert texts.decrypt_all([found.text, *(item.text for item in found.comments.values())]) == [
        "No wheels", "Still none",
    ]  # fmt: skip
    assert names(street, issue) == ["IssueOpened", "IssueCommented"]


def test_who_is_no_member_raises_and_answers_nothing(raised, member, intent, ana, street):
    stranger, issue = member(None), raised(ana)
    for public, error in ((False, NotFound), (True, NotPermitted)):
        datasets.change_dataset(intent=intent(ana), dataset=street, changes={"public": public})
        head = store.head(street)
        with pytest.raises(error):
            raised(stranger)
        with pytest.raises(error):
            issues.comment_on_issue(intent=intent(stranger), issue=issue, text="x")
        with pytest.raises(error):
            issues.change_issue(intent=intent(stranger), issue=issue, changes={"status": "CLOSED"})
        with pytest.raises(error):
            issues.delete_issue(intent=intent(stranger), issue=issue)
        assert store.head(street) == head


def test_what_people_write_stands_in_the_log_only_encrypted_and_can_be_erased(raised, member, intent, ana, street):
    ben = member("labeler", "ben")
    issue = raised(ben, "My secret")
    issues.comment_on_issue(intent=intent(ana), issue=issue, text="Your secret")
    issues.change_issue(intent=intent(ana), issue=issue, changes={"description": "Our secret"})
    stored = [fact.text for fact in facts(street, issue)]
    assert len(stored) == 3 and not any("secret" in text for text in stored)
    assert texts.decrypt_all(stored) == ["My secret", "Your secret", "Our secret"]
    texts.destroy_key(person=ana.id)
    assert texts.decrypt_all(stored) == ["My secret", texts.ERASED, texts.ERASED]


# --- changing ------------------------------------------------------------------------------------------------------


def test_only_what_differs_becomes_an_event(raised, intent, ana, street):
    issue = raised(ana, anchor={"type": "basic"})
    same: JSON = {"description": "No wheels", "status": "OPEN", "anchor": {"type": "basic"}}
    issues.change_issue(intent=intent(ana), issue=issue, changes=same)
    assert names(street, issue, 1) == []
    issues.change_issue(
        intent=intent(ana), issue=issue, changes={"description": "No doors", "status": "CLOSED", "anchor": None}
    )
    assert names(street, issue, 1) == ["IssueCommented", "IssueAnchorSet", "IssueResolved"]
    state = queries.issue_with_comments(issue, "").state
    assert (texts.decrypt_all([state.text]), state.status, state.anchor) == (["No doors"], "CLOSED", None)
    assert state.comments == {}, "a new description is no answer"


@pytest.mark.parametrize("role", ROLES)
def test_every_member_resolves_an_issue_and_opens_it_again(raised, member, intent, ana, street, role):
    issue, somebody = raised(ana), member(role)
    for status in ("CLOSED", "OPEN"):
        issues.change_issue(intent=intent(somebody), issue=issue, changes={"status": status})
        assert Issue.objects.get(id=issue).status == status
    assert facts(street, issue, 1) == [e.IssueResolved(status="CLOSED"), e.IssueResolved(status="OPEN")]


@pytest.mark.parametrize("role, allowed", [(role, role in ("manager", "admin")) for role in ROLES])
@pytest.mark.parametrize("changes", [{"description": "Nothing"}, {"anchor": {"type": "basic"}}, None])
def test_what_somebody_raised_is_theirs_and_the_managers_to_change_and_delete(
    raised, member, intent, street, role, allowed, changes
):
    issue, somebody = raised(member("viewer", "vic")), member(role)
    head = store.head(street)

    def act() -> None:
        if changes is None:
            issues.delete_issue(intent=intent(somebody), issue=issue)
        else:
            issues.change_issue(intent=intent(somebody), issue=issue, changes=changes | {"status": "CLOSED"})

    if allowed:
        act()
        assert store.head(street) > head
    else:
        with pytest.raises(NotPermitted, match="Changing or deleting an issue that somebody else raised"):
            act()
        assert store.head(street) == head


def test_an_author_changes_and_deletes_their_own_whatever_their_role(raised, member, intent, street):
    vic = member("viewer")
    issue = raised(vic)
    issues.change_issue(intent=intent(vic), issue=issue, changes={"description": "Two wheels"})
    issues.delete_issue(intent=intent(vic), issue=issue)
    assert names(street, issue) == ["IssueOpened", "IssueCommented", "IssueArchived"]


# --- deleting, and what is gone ------------------------------------------------------------------------------------


def test_a_deleted_issue_is_gone_and_what_was_said_stays_in_the_log(raised, intent, ana, street, picture):
    issue, kept = raised(ana), raised(ana, "Another")
    issues.comment_on_issue(intent=intent(ana), issue=issue, text="Indeed")
    issues.delete_issue(intent=intent(ana), issue=issue)
    assert [item.state.id for item in queries.issues_in_dataset(street)] == [kept]
    for act in (
        lambda: queries.find_issue(issue, person=ana.id),
        lambda: issues.comment_on_issue(intent=intent(ana), issue=issue, text="x"),
        lambda: issues.change_issue(intent=intent(ana), issue=issue, changes={"status": "CLOSED"}),
        lambda: issues.delete_issue(intent=intent(ana), issue=issue),
        lambda: issues.delete_issue(intent=intent(ana), issue=uuid.uuid4()),
    ):
        with pytest.raises(NotFound):
            act()
    assert len(facts(street, issue)) == 3 and IssueComment.objects.filter(issue_id=issue).count() == 1


def test_the_issues_of_a_deleted_sample_or_dataset_are_gone_with_it(raised, intent, ana, street, picture):
    issue = raised(ana)
    samples.archive_sample(intent=intent(ana), sample=picture)
    assert queries.issues_in_dataset(street) == []
    with pytest.raises(NotFound):
        issues.change_issue(intent=intent(ana), issue=issue, changes={"status": "CLOSED"})
    with pytest.raises(NotFound):
        raised(ana)


# --- reading -------------------------------------------------------------------------------------------------------


def test_issues_are_read_oldest_first_in_pages_and_by_sample(raised, intent, ana, street, picture, sample):
    found = [raised(ana, f"{number}") for number in range(5)]
    other = issues.open_issue(intent=intent(ana), sample=sample(street, ana, name="b.png"), fields={"description": "b"})
    issues.comment_on_issue(intent=intent(ana), issue=found[3], text="first")
    issues.comment_on_issue(intent=intent(ana), issue=found[3], text="second")
    read = queries.issues_in_dataset(street)
    assert [item.state.id for item in read] == [*found, other]
    assert [item.sample_name for item in read] == ["a.png"] * 5 + ["b.png"]
    assert texts.decrypt_all([item.text for item in read[3].state.comments.values()]) == ["first", "second"]
    assert [item.state.id for item in queries.issues_in_dataset(street, limit=2, skip=2)] == found[2:4]
    assert [item.state.id for item in queries.issues_of_samples({picture: "a.png"})] == found
    assert queries.issues_of_samples({uuid.uuid4(): "none"}) == []


def test_issues_are_read_as_they_were(raised, intent, ana, street, picture):
    issue = raised(ana)
    offsets = [store.head(street)]
    for act in (
        lambda: issues.comment_on_issue(intent=intent(ana), issue=issue, text="x"),
        lambda: issues.change_issue(intent=intent(ana), issue=issue, changes={"status": "CLOSED"}),
        lambda: issues.delete_issue(intent=intent(ana), issue=issue),
    ):
        act()
        offsets.append(store.head(street))
    read = [queries.issues_at(street, offset) for offset in offsets]
    assert [[(item.state.status, len(item.state.comments)) for item in each] for each in read] == [
        [("OPEN", 0)], [("OPEN", 1)], [("CLOSED", 1)], [],
    ]  # fmt: skip
    assert queries.issues_at(street, 0) == []
    assert queries.issues_at(street, offsets[0], sample=uuid.uuid4()) == []
    assert [item.state.id for item in queries.issues_at(street, offsets[0], sample=picture)] == [issue]


def test_what_is_read_now_is_what_is_folded_from_the_log(raised, intent, ana, street):
    issue = raised(ana, anchor={"type": "location", "location": {"type": "2d", "x": 1.5, "y": 2}})
    issues.comment_on_issue(intent=intent(ana), issue=issue, text="x")
    assert queries.issues_in_dataset(street) == queries.issues_at(street, store.head(street))


# --- retries -------------------------------------------------------------------------------------------------------


def test_a_retry_raises_one_issue_and_gets_its_id(raised, ana, street):
    first, again = raised(ana, named=command()), raised(ana, named=command())
    assert first == again and len(queries.issues_in_dataset(street)) == 1
    with pytest.raises(IdempotencyKeyReused):
        raised(ana, "Other", named=command(b"2"))


def test_the_same_key_in_another_dataset_raises_an_issue_of_its_own(raised, intent, ana, dataset, sample):
    first = raised(ana, named=command())
    elsewhere = sample(dataset(ana), ana)
    second = issues.open_issue(intent=intent(ana, **command()), sample=elsewhere, fields={"description": "x"})
    assert first != second and Issue.objects.filter(id__in=[first, second]).count() == 2


def test_a_retry_answers_changes_and_deletes_once(raised, intent, ana, street):
    issue = raised(ana)
    key = {"command": uuid.uuid4(), "request_hash": b"c" * 32}
    for _ in range(2):
        issues.comment_on_issue(intent=intent(ana, **key), issue=issue, text="x")
    assert names(street, issue) == ["IssueOpened", "IssueCommented"]
    key = {"command": uuid.uuid4(), "request_hash": b"s" * 32}
    for status in ("CLOSED", "OPEN"):
        issues.change_issue(intent=intent(ana, **key), issue=issue, changes={"status": "CLOSED"})
        issues.change_issue(intent=intent(ana), issue=issue, changes={"status": status})
    assert Issue.objects.get(id=issue).status == "OPEN", "the retry closed nothing again"
    key = {"command": uuid.uuid4(), "request_hash": b"d" * 32}
    for _ in range(2):
        issues.delete_issue(intent=intent(ana, **key), issue=issue)
    assert names(street, issue)[-2:] == ["IssueResolved", "IssueArchived"]


def test_a_change_that_changes_nothing_is_kept_for_its_retry(raised, intent, ana, street):
    issue, key = raised(ana), command()
    issues.change_issue(intent=intent(ana, **key), issue=issue, changes={"status": "OPEN"})
    issues.change_issue(intent=intent(ana), issue=issue, changes={"status": "CLOSED"})
    issues.change_issue(intent=intent(ana, **key), issue=issue, changes={"status": "OPEN"})
    assert Issue.objects.get(id=issue).status == "CLOSED"


def test_who_is_slower_decides_again_on_the_newest_state(raised, intent, ana, street, monkeypatch):
    issue = raised(ana)
    find = queries.find_issue
    pending = [lambda: issues.comment_on_issue(intent=intent(ana), issue=issue, text="faster")]

    def slow(*arguments: Any, **keywords: Any) -> Any:
        found = find(*arguments, **keywords)
        while pending:
            pending.pop()()
        return found

    monkeypatch.setattr(queries, "find_issue", slow)
    issues.change_issue(intent=intent(ana), issue=issue, changes={"status": "CLOSED"})
    assert names(street, issue) == ["IssueOpened", "IssueCommented", "IssueResolved"]
