"""Who works on a sequence beside whom: it is assigned as a whole, and others may edit beside its labeler."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.commands import datasets, samples
from labeling.errors import Conflict, InvalidValue, NotPermitted
from labeling.log import store
from labeling.log.event import Intent
from labeling.models import Sample
from sequences.commands import change_frames
from tests.sequences.conftest import Desk
from tests.sequences.support import point

JSON = dict[str, Any]


@pytest.fixture
def team(desk: Desk, person: Any) -> dict[str, Any]:
    """People by role, beside Ben, to whom the sequence is assigned as its labeler."""
    found = {"labeler": desk.ben, "admin": desk.ana}
    for role in ("viewer", "reviewer", "manager"):
        found[role] = person(role)
        datasets.add_member(intent=Intent(author=desk.ana.id), dataset=desk.log, person=found[role].id, role=role)
    changes = {"assigned_labeler": "ben", "assigned_reviewer": "reviewer"}
    samples.change_sample(intent=Intent(author=desk.ana.id), sample=desk.sample, changes=changes)
    return found


def keyframe(track: int, frame: int) -> JSON:
    return {"op": "set_keyframe", "track": track, "frame": frame, "geometry": point(frame)}


def test_a_sequence_is_assigned_as_a_whole(desk, team):
    (sample,) = Sample.objects.filter(id=desk.sample)
    assert (sample.assigned_labeler, sample.assigned_reviewer) == (team["labeler"].id, team["reviewer"].id)
    frame = {"image": {"url": "https://example.org/x.png"}, "assigned_labeler": "viewer"}
    edit = {"op": "append", "frames": [frame]}
    change_frames(intent=Intent(author=desk.ana.id), sample=desk.sample, edits=[edit])
    (after,) = Sample.objects.filter(id=desk.sample)
    assert (after.assigned_labeler, after.assigned_reviewer) == (sample.assigned_labeler, sample.assigned_reviewer)
    with pytest.raises(NotPermitted):  # what a frame says of an assignment is nothing
        desk.edit(keyframe(1, 10), by=team["viewer"])
    assert not any("Assigned" in event.type for event in store.read(desk.log, stream=f"sample/{desk.sample}")[2:])


@pytest.mark.parametrize("role", ["reviewer", "manager", "admin"])
def test_others_edit_beside_the_labeler_to_whom_it_is_assigned(desk, team, role):
    version = desk.found.state.version
    desk.edit(keyframe(1, 4), by=team["labeler"], version=version)
    done = desk.edit(keyframe(2, 4), keyframe(1, 5), by=team[role], version=version)
    assert done.rebased
    with pytest.raises(Conflict) as conflict:
        desk.edit(keyframe(1, 4) | {"geometry": point(99)}, by=team[role], version=version)
    assert conflict.value.since == version


@pytest.mark.parametrize(
    "mine",
    [
        {"op": "move_keyframe", "track": 1, "frame": 5, "to": 7},
        {"op": "delete_keyframe", "track": 1, "frame": 5},
        {"op": "move_keyframe", "track": 1, "frame": 3, "to": 6},
    ],
)
def test_a_keyframe_that_somebody_moved_is_a_conflict_and_no_mistake_of_the_second(desk, team, mine):
    desk.edit(keyframe(1, 3), keyframe(1, 5))
    version = desk.found.state.version
    desk.edit({"op": "move_keyframe", "track": 1, "frame": 5, "to": 6}, by=team["labeler"], version=version)
    with pytest.raises(Conflict) as conflict:
        desk.edit(mine, by=team["reviewer"], version=version)
    assert conflict.value.touched


def test_what_never_fitted_stays_a_mistake(desk, team):
    version = desk.found.state.version
    desk.edit(keyframe(1, 5), by=team["labeler"], version=version)
    with pytest.raises(InvalidValue):
        desk.edit({"op": "delete_keyframe", "track": 1, "frame": 7}, by=team["reviewer"], version=version)
