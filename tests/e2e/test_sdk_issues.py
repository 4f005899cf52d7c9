"""Issues through the SDK's client and its resource objects."""

from __future__ import annotations

from typing import Any

import pytest
from segments import SegmentsClient
from segments.exceptions import AuthorizationError, NetworkError, NotFoundError
from segments.resource_api import Issue
from segments.typing import (
    IssueAnchor2DCoordinates,
    IssueAnchor3DCoordinates,
    IssueBasicAnchor,
    IssueLocationAnchor,
    IssueSceneAttributeAnchor,
    IssueStatus,
    IssueTrackAnchor,
)

from tests.e2e.conftest import MakeSample
from tests.e2e.wire import Wire

UNKNOWN = "11111111-1111-4111-8111-111111111111"
ANCHORS: list[dict[str, Any]] = [
    {"type": "basic"},
    {"type": "basic", "sensor": "lidar", "frame": 3},
    {"type": "track", "trackNumber": 7, "trackAttribute": "colour", "frame": 0},
    {"type": "sceneAttribute", "sceneAttribute": "weather"},
    {"type": "location", "location": {"type": "2d", "x": 12.5, "y": -3.0}, "sensor": "left"},
    {"type": "location", "location": {"type": "3d", "x": 1.0, "y": 2.0, "z": 0.25}},
]
MODELS = {"basic": IssueBasicAnchor, "track": IssueTrackAnchor, "sceneAttribute": IssueSceneAttributeAnchor,
          "location": IssueLocationAnchor}  # fmt: skip


def test_an_issue_is_raised_read_changed_and_deleted(labeler: SegmentsClient, make_sample: MakeSample) -> None:
    sample = make_sample()
    raised = labeler.add_issue(sample.uuid, "You forgot the cars.")
    assert isinstance(raised, Issue)
    assert (raised.description, raised.status, raised.anchor) == ("You forgot the cars.", IssueStatus.OPEN, None)
    assert (raised.created_by, raised.updated_by, raised.comments) == ("lena", "lena", [])
    assert (raised.sample_uuid, raised.sample_name) == (sample.uuid, sample.name)
    assert labeler.get_issues(sample.dataset_full_name) == [raised]
    changed = labeler.update_issue(raised.uuid, "You forgot “the” cars 🚗.", IssueStatus.CLOSED)
    assert (changed.description, changed.status) == ("You forgot “the” cars 🚗.", IssueStatus.CLOSED)
    assert changed.created_at == raised.created_at < changed.updated_at
    assert labeler.update_issue(raised.uuid) == changed, "nothing is asked for, and nothing changes"
    labeler.delete_issue(raised.uuid)
    assert labeler.get_issues(sample.dataset_full_name) == []
    with pytest.raises(NotFoundError):
        labeler.delete_issue(raised.uuid)


def test_the_resource_objects_do_the_same(admin: SegmentsClient, make_sample: MakeSample) -> None:
    sample = make_sample()
    issue = sample.add_issue("Too dark", IssueStatus.CLOSED)
    assert issue.status == IssueStatus.CLOSED
    assert sample.get_issues() == sample.dataset.get_issues() == [issue]
    changed = issue.update(status=IssueStatus.OPEN)
    assert changed.status == IssueStatus.OPEN and changed.description == "Too dark"
    for read in (admin.get_sample(sample.uuid), *sample.dataset.get_samples()):
        assert [issue.model_dump() for issue in read.issues] == [changed.model_dump()]
    changed.delete()
    assert sample.get_issues() == [] and admin.get_sample(sample.uuid).issues == []


@pytest.mark.parametrize("anchor", ANCHORS, ids=str)
def test_every_anchor_comes_back_as_it_was_sent(admin: SegmentsClient, make_sample: MakeSample, anchor: Any) -> None:
    sample = make_sample()
    issue = admin.add_issue(sample.uuid, "Here", anchor=anchor)
    assert isinstance(issue.anchor, MODELS[anchor["type"]])
    assert issue.anchor.model_dump(exclude_none=True) == anchor
    (read,) = admin.get_issues(sample.dataset_full_name)
    assert read == issue
    moved = admin.update_issue(issue.uuid, anchor={"type": "track", "trackNumber": 1})
    assert moved.anchor == IssueTrackAnchor(type="track", trackNumber=1)


def test_the_models_of_anchors_are_what_the_sdk_calls_them() -> None:
    """So that the test above compares with what users of the SDK write."""
    assert IssueLocationAnchor(**ANCHORS[4]).location == IssueAnchor2DCoordinates(type="2d", x=12.5, y=-3.0)
    assert IssueLocationAnchor(**ANCHORS[5]).location == IssueAnchor3DCoordinates(type="3d", x=1.0, y=2.0, z=0.25)


def test_answers_of_others_are_read_with_the_issue(
    admin: SegmentsClient, labeler_wire: Wire, admin_wire: Wire, make_sample: MakeSample
) -> None:
    sample = make_sample()
    issue = sample.add_issue("Too dark")
    for wire, text in ((labeler_wire, "I can see it"), (admin_wire, "Then draw it")):
        answer = wire.send("POST", f"/issues/{issue.uuid}/comments/", {"text": text})
        assert answer.status_code == 201
    (read,) = admin.get_issues(sample.dataset_full_name)
    assert [(comment.created_by, comment.text) for comment in read.comments] == [
        ("lena", "I can see it"), ("ada", "Then draw it"),
    ]  # fmt: skip
    assert read.updated_by == "ada" and read.comments[0].created_at < read.comments[1].created_at


def test_everybody_resolves_and_only_the_author_and_managers_change(
    admin: SegmentsClient, labeler: SegmentsClient, make_sample: MakeSample
) -> None:
    sample = make_sample()
    issue = admin.add_issue(sample.uuid, "Too dark")
    assert labeler.update_issue(issue.uuid, status=IssueStatus.CLOSED).status == IssueStatus.CLOSED
    with pytest.raises(AuthorizationError):
        labeler.update_issue(issue.uuid, "All is well")
    with pytest.raises(AuthorizationError):
        labeler.delete_issue(issue.uuid)
    assert admin.get_issues(sample.dataset_full_name)[0].description == "Too dark"
    own = labeler.add_issue(sample.uuid, "Mine")
    assert admin.update_issue(own.uuid, "Yours").description == "Yours"
    admin.delete_issue(own.uuid)


def test_who_may_not_see_the_dataset_finds_no_issues(
    admin: SegmentsClient, outsider: SegmentsClient, make_sample: MakeSample
) -> None:
    sample = make_sample()
    issue = sample.add_issue("Too dark")
    for call in (
        lambda: outsider.get_issues(sample.dataset_full_name),
        lambda: outsider.add_issue(sample.uuid, "x"),
        lambda: outsider.update_issue(issue.uuid, "x"),
        lambda: outsider.delete_issue(issue.uuid),
        lambda: outsider.get_issues(sample.uuid),
        lambda: admin.add_issue(UNKNOWN, "x"),
        lambda: admin.update_issue(UNKNOWN, "x"),
        lambda: admin.get_issues("ada/nothing-there"),
    ):
        with pytest.raises(NotFoundError):
            call()


@pytest.mark.parametrize(
    "fields",
    [{"description": ""}, {"description": "x", "status": "SOLVED"}, {"description": "x", "anchor": {"type": "spot"}}],
    ids=str,
)
def test_what_does_not_fit_is_a_network_error_with_the_name_of_the_field(
    admin: SegmentsClient, make_sample: MakeSample, fields: Any
) -> None:
    sample = make_sample()
    with pytest.raises(NetworkError) as refused:
        admin.add_issue(sample.uuid, **fields)
    assert type(refused.value) is NetworkError
    answer = refused.value.cause.response
    assert (answer.status_code, answer.json()["field"].split(".")[0]) == (400, list(fields)[-1])
    assert admin.get_issues(sample.dataset_full_name) == []
