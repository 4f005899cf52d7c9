"""Who may change a label's status by which verb, and what a labeler's edit does to an accepted label."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from labeling import events as e
from labeling.commands import datasets, labels
from labeling.commands.labels import Seen
from labeling.errors import Conflict, NotFound, NotPermitted, Refused
from labeling.log import store
from labeling.models import Label
from labeling.rules.access import ON_ACCEPTED, REVIEWERS, VERBS
from labeling.rules.dataset_state import ROLES
from labeling.rules.edits.mentions import VERBS as STATUS_OF

JSON = dict[str, Any]
BOX: JSON = {"op": "add", "category_id": 1, "geometry": {"type": "bbox", "points": [[8, 8], [40, 32]]}}
UNSEEN = Seen()
MAY = {"label": ("labeler", "reviewer", "manager", "admin"), "review": ("reviewer", "manager", "admin")}
MAY["override"] = ("manager", "admin")


class Team:
    """A label of a dataset in which each role has a person of its name."""

    def __init__(self, intent: Any, person: Any, dataset: Any, sample: Any, **settings: Any) -> None:
        self.intent = intent
        self.ana = person("ana")
        self.people = {role: person(f"team-{role}") for role in ROLES} | {"stranger": person("stranger")}
        self.dataset = dataset(self.ana, **settings)
        for role in ROLES:
            datasets.add_member(intent=intent(self.ana), dataset=self.dataset, person=self.people[role].id, role=role)
        self.sample = sample(self.dataset, self.ana)

    def edit(self, role: str, *edits: JSON, seen: Seen = UNSEEN) -> labels.Saved:
        author = self.intent(self.people[role], reason="v1.why")  # a status that is set by hand asks for one
        return labels.edit_label(
            intent=author, sample=self.sample, label_set="ground-truth", edits=list(edits), seen=seen
        )

    def set(self, status: str) -> None:
        """The label in a status, with one box."""
        self.edit("admin", BOX, {"op": "set_status", "verb": "override", "status": status})

    @property
    def head(self) -> int:
        return store.head(self.dataset)

    @property
    def label(self) -> Label:
        return Label.objects.get(sample_id=self.sample)

    def facts_since(self, head: int) -> list[Any]:
        return [event.fact for event in store.read(self.dataset, after=head)]


@pytest.fixture
def make_team(intent, person, dataset, sample):
    return lambda **settings: Team(intent, person, dataset, sample, **settings)


@pytest.mark.parametrize("role", [*ROLES, "stranger"])
def test_each_verb_needs_its_role(make_team, role):
    team = make_team()
    team.set("PRELABELED")
    for verb, status in STATUS_OF.items():
        head = team.head
        edit = {"op": "set_status", "verb": verb} | ({} if status else {"status": "REJECTED"})
        if role in MAY[VERBS[verb]]:
            team.edit("admin", {"op": "set_status", "verb": "override", "status": "PRELABELED"})
            team.edit(role, edit)
            assert team.label.status == (status or "REJECTED")
        else:
            with pytest.raises(NotFound if role == "stranger" else NotPermitted):
                team.edit(role, edit)
            assert team.head == head


def test_one_verb_too_many_stops_all_of_the_edits(make_team):
    team = make_team()
    with pytest.raises(NotPermitted) as refused:
        team.edit("labeler", BOX, {"op": "set_status", "verb": "submit"}, {"op": "set_status", "verb": "accept"})
    assert (refused.value.action, refused.value.dataset) == ("review", team.dataset)
    assert not Label.objects.filter(sample_id=team.sample).exists()


@pytest.mark.parametrize("setting, status", [*itertools.product(["default", *ON_ACCEPTED], ["REVIEWED", "VERIFIED"])])
def test_a_labelers_edit_of_an_accepted_label(make_team, setting, status):
    team = make_team(**({} if setting == "default" else {"accepted_label_edits": setting}))
    team.set(status)
    head = team.head
    if setting == "refuse":
        with pytest.raises(Refused, match="accepted"):
            team.edit("labeler", BOX)
        assert team.facts_since(head) == []
        return
    team.edit("labeler", BOX)
    reopened = e.LabelStatusChanged(before=status, after="LABELING_IN_PROGRESS", verb="reopen")
    facts = team.facts_since(head)
    if setting == "allow":
        assert [type(fact) for fact in facts] == [e.AnnotationAdded]
        assert team.label.status == status
    else:
        assert facts[0] == reopened and [type(fact) for fact in facts[1:]] == [e.AnnotationAdded]
        assert team.label.status == "LABELING_IN_PROGRESS"


@pytest.mark.parametrize("role", sorted(REVIEWERS))
@pytest.mark.parametrize("setting", ON_ACCEPTED)
def test_who_may_accept_edits_an_accepted_label_as_it_is(make_team, role, setting):
    team = make_team(accepted_label_edits=setting)
    team.set("VERIFIED")
    team.edit(role, BOX)
    assert team.label.status == "VERIFIED"


@pytest.mark.parametrize("status", ["PRELABELED", "LABELED", "REJECTED", "SKIPPED", "REVIEWING_IN_PROGRESS"])
def test_a_label_that_is_not_accepted_is_not_reopened(make_team, status):
    team = make_team(accepted_label_edits="refuse")
    team.set(status)
    team.edit("labeler", BOX)
    assert team.label.status == status


def test_an_edit_that_changes_nothing_reopens_nothing(make_team):
    team = make_team()
    team.set("REVIEWED")
    head = team.head
    box = {"op": "set_category", "annotation": 1, "category_id": 1}
    team.edit("labeler", box)
    assert (team.head, team.label.status) == (head, "REVIEWED")


def test_a_reopened_label_is_submitted_in_the_same_command(make_team):
    team = make_team()
    team.set("REVIEWED")
    head = team.head
    team.edit("labeler", BOX, {"op": "set_status", "verb": "submit"})
    first, _, last = team.facts_since(head)
    assert (first.before, first.after, first.verb) == ("REVIEWED", "LABELING_IN_PROGRESS", "reopen")
    assert (last.before, last.after, last.verb) == ("LABELING_IN_PROGRESS", "LABELED", "submit")


@pytest.mark.parametrize("verb, after", [("submit", "LABELED"), ("save", "LABELING_IN_PROGRESS"), ("skip", "SKIPPED")])
def test_a_labelers_change_of_status_takes_the_acceptance_back_first(make_team, verb, after):
    team = make_team()
    team.set("VERIFIED")
    head = team.head
    team.edit("labeler", {"op": "set_status", "verb": verb})
    assert team.facts_since(head)[0].verb == "reopen"
    assert team.label.status == after


def test_what_was_seen_before_the_acceptance_is_a_conflict_and_not_a_silent_reopening(make_team):
    team = make_team()
    seen = team.edit("labeler", BOX).state.version
    team.edit("reviewer", {"op": "set_status", "verb": "accept"})
    head = team.head
    with pytest.raises(Conflict):
        team.edit("labeler", BOX, seen=Seen(version=seen))
    assert team.head == head


def test_an_upload_of_a_labeler_is_taken_as_it_is(make_team):
    team = make_team(accepted_label_edits="refuse")
    team.set("REVIEWED")
    document = {"annotations": [{"id": 7, "category_id": 2, "type": "point", "points": [[1, 2]]}]}
    labels.save_label(
        intent=team.intent(team.people["labeler"]), sample=team.sample, label_set="ground-truth", document=document,
        status="REVIEWED", create=True,
    )  # fmt: skip
    assert team.label.status == "REVIEWED"
