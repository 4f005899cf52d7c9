"""The whole SDK in one story: every public method of the client and of its objects is called, and none is forgotten.

What each does in detail is in the files of its noun. A method that a new version of the SDK brings fails the roll call.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from io import BytesIO
from types import CodeType
from typing import Any

import pytest
import requests
from segments import SegmentsClient, exceptions, resource_api
from segments.resource_api import Collaborator
from segments.typing import LabelStatus, Role

from tests.e2e.documents import bbox, vector_label
from tests.e2e.pictures import photograph_png

CLASSES = (SegmentsClient, *(getattr(resource_api, name) for name in (
    "Dataset", "Sample", "Label", "Issue", "Collaborator", "Release", "Labelset",
)))  # fmt: skip


def methods() -> dict[CodeType, str]:
    """{code: Class.name} of what is public; pydantic's own are not the SDK's."""
    return {
        code.__code__: f"{kind.__name__}.{name}"
        for kind in CLASSES
        for name, value in vars(kind).items()
        if not name.startswith(("_", "model_"))
        and inspect.isfunction(code := value.fget if isinstance(value, property) else value)
    }


class RollCall:
    """Notes which methods of the SDK's classes ran, without touching them."""

    def __init__(self) -> None:
        self.called: set[str] = set()
        self._codes = methods()

    def __call__(self, frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code in self._codes:
            self.called.add(self._codes[frame.f_code])

    def during(self, story: Callable[[], None]) -> None:
        before = sys.getprofile()
        sys.setprofile(self)
        try:
            story()
        finally:
            sys.setprofile(before)


def story(admin: SegmentsClient, name: str) -> None:
    """A dataset's whole life through the client, then through the SDK's objects."""
    me = admin.get_user()
    full_name = f"{me.username}/{name}"
    dataset = admin.add_dataset(name, task_type="vector")
    assert admin.get_dataset(full_name).name == name
    assert full_name in {item.full_name for item in admin.get_datasets()}
    assert admin.update_dataset(full_name, description="d").description == "d"

    asset = admin.upload_asset(BytesIO(photograph_png()), "a.png")
    picture = {"image": {"url": asset.url}}
    first = admin.add_sample(full_name, "a.png", picture)
    more = admin.add_samples(full_name, [{"name": f"{letter}.png", "attributes": picture} for letter in "bcd"])
    assert admin.update_sample(first.uuid, priority=2).priority == 2
    assert admin.get_sample(first.uuid).name == "a.png"
    assert [item.name for item in admin.get_samples(full_name)] == ["a.png", "b.png", "c.png", "d.png"]
    admin.delete_sample(more[2].uuid)
    assert admin.delete_samples(full_name, [more[1].uuid]).deleted_count == 1

    box = vector_label(bbox(1))
    admin.add_labelset(full_name, "model")
    assert admin.get_labelset(full_name, "model").name == "model"
    assert {item.name for item in admin.get_labelsets(full_name)} == {"ground-truth", "model"}
    admin.add_label(first.uuid, "model", box)
    admin.update_label(first.uuid, "model", label_status=LabelStatus.LABELED)
    assert admin.get_label(first.uuid, "model").label_status == LabelStatus.LABELED
    admin.delete_label(first.uuid, "model")
    admin.delete_labelset(full_name, "model")

    issue = admin.add_issue(first.uuid, "look")
    admin.update_issue(issue.uuid, status="CLOSED")
    assert [item.uuid for item in admin.get_issues(full_name)] == [issue.uuid]
    admin.delete_issue(issue.uuid)

    admin.add_dataset_collaborator(full_name, "lena")
    assert admin.update_dataset_collaborator(full_name, "lena", Role.REVIEWER).role == Role.REVIEWER
    assert admin.get_dataset_collaborator(full_name, "lena").user.username == "lena"
    admin.delete_dataset_collaborator(full_name, "lena")

    admin.add_release(full_name, "v1")
    assert [item.name for item in admin.get_releases(full_name)] == ["v1"]
    assert admin.get_release(full_name, "v1").name == "v1"
    admin.delete_release(full_name, "v1")
    assert admin.get_workunits(full_name) == []
    admin.delete_dataset(admin.clone_dataset(full_name).full_name)

    # The same things once more, from the objects that the calls gave.
    dataset.update(readme="# r")
    sample = dataset.add_sample("e.png", picture)
    assert {item.name for item in dataset.get_samples()} == {"a.png", "b.png", "e.png"}
    assert sample.dataset.full_name == full_name
    assert sample.update(readme="r").readme == "r"
    label = sample.add_label("ground-truth", box)
    assert label.update(label_status=LabelStatus.REVIEWED).label_status == LabelStatus.REVIEWED
    sample.update_label("ground-truth", label_status=LabelStatus.LABELED)
    assert sample.get_label().label_status == LabelStatus.LABELED
    sample.get_label().delete()
    sample.add_label("ground-truth", box)
    sample.delete_label("ground-truth")

    raised = sample.add_issue("here")
    assert raised.update(description="there").description == "there"
    assert [item.uuid for item in sample.get_issues()] == [item.uuid for item in dataset.get_issues()] == [raised.uuid]
    raised.delete()

    member = dataset.add_collaborator("lena")
    assert member.update(Role.MANAGER).role == Role.MANAGER
    assert dataset.get_collaborator("lena").dataset.full_name == full_name
    member.delete()

    labelset = dataset.add_labelset("second")
    assert dataset.get_labelset("second").dataset.full_name == full_name
    assert len(dataset.get_labelsets()) == 2
    labelset.delete()

    release = dataset.add_release("v2")
    assert dataset.get_release("v2").dataset.full_name == full_name
    assert [item.name for item in dataset.get_releases()] == ["v2"]
    release.delete()
    assert dataset.get_workunits() == []

    dataset.clone(f"{name}-again").delete()
    sample.delete()
    assert dataset.delete_samples([first.uuid]).deleted_count == 1
    dataset.delete()
    with pytest.raises(exceptions.NotFoundError):
        admin.get_dataset(full_name)


def test_every_public_method_of_the_sdk_works(server: Any, keys: Any, unused: str) -> None:
    roll_call = RollCall()

    def whole() -> None:
        with SegmentsClient(keys.ada, api_url=server.url) as client:
            story(client, unused)
            client.close()

    roll_call.during(whole)
    assert roll_call.called == set(methods().values())


# --- errors --------------------------------------------------------------------------------------------------------


def test_every_error_class_of_the_sdk_is_known_here() -> None:
    """Those in the first line come from answers of ours (test_sdk_errors.py); for the others see below."""
    ours = "Authentication Authorization NotFound AlreadyExists Collaborator Network Validation InvalidModel"
    others = "APILimit Subscription Timeout MissingContext Segments"
    classes = {name for name, value in vars(exceptions).items() if inspect.isclass(value) and name.endswith("Error")}
    assert classes == {f"{name}Error" for name in f"{ours} {others}".split()}


def test_an_object_without_its_dataset_says_so_itself(admin: SegmentsClient, make_dataset: Any) -> None:
    member = admin.get_dataset_collaborator(make_dataset().full_name, "lena")
    assert isinstance(member, Collaborator)
    with pytest.raises(exceptions.MissingContextError):
        member.delete()


@pytest.mark.parametrize(
    "said, error",
    [
        ("Request was throttled.", exceptions.APILimitError),
        ("Your free trial ended.", exceptions.SubscriptionError),
        ("Gateway Time-out", exceptions.TimeoutError),
    ],
)
def test_what_a_proxy_in_front_says_is_still_understood(
    admin: SegmentsClient, monkeypatch: pytest.MonkeyPatch, said: str, error: type[Exception]
) -> None:
    """We never limit, bill or time out a call ourselves, so these can only come from what stands before us."""
    real = requests.Session.send

    def send(session: Any, request: Any, **options: Any) -> Any:
        response = real(session, request, **options)
        limited = error is exceptions.APILimitError  # the SDK looks for it in answers that are none of an error
        response.status_code = 200 if limited else 504
        response._content = f'{{"detail": "{said}"}}'.encode()
        return response

    monkeypatch.setattr(requests.Session, "send", send)
    with pytest.raises(error):
        admin.get_user()
