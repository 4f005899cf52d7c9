"""Which of the SDK's error classes each broken fact becomes: the SDK maps errors by words in the body."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from segments import SegmentsClient
from segments.exceptions import (
    AlreadyExistsError,
    AuthenticationError,
    AuthorizationError,
    CollaboratorError,
    InvalidModelError,
    NetworkError,
    NotFoundError,
    SegmentsError,
    ValidationError,
)
from segments.typing import LabelStatus, PointcloudSegmentationLabelAttributes

from tests.e2e.conftest import MakeDataset, MakeSample
from tests.e2e.documents import bbox, vector_label
from tests.e2e.live_server import LiveServer
from tests.e2e.wire import Wire

UNKNOWN = str(uuid.UUID(int=7))
# Words by which the SDK takes a body for another error than the one that is meant.
TELLING_WORDS = (
    "not found",
    "does not exist",
    "already exists",
    "already have",
    "cannot be added as collaborator",
    "is already a collaborator",
    "authentication credentials were not provided",
    "cannot leave the organization",
    "need to be an administrator",
    "do not have permission",
    "free trial ended",
    "exceeded user limit",
    "time-out",
    "invalid page",
    "throttled",
)

Call = Callable[[SegmentsClient, str], Any]

ON_A_DATASET: dict[str, Call] = {
    "get_dataset": lambda c, d: c.get_dataset(d),
    "update_dataset": lambda c, d: c.update_dataset(d, description="x"),
    "delete_dataset": lambda c, d: c.delete_dataset(d),
    "get_samples": lambda c, d: c.get_samples(d),
    "get_samples with a label set": lambda c, d: c.get_samples(d, labelset="ground-truth"),
    "add_sample": lambda c, d: c.add_sample(d, "a.png", {"image": {"url": ""}}),
    "add_samples": lambda c, d: c.add_samples(d, [{"name": "a.png", "attributes": {"image": {"url": ""}}}]),
    "get_labelsets": lambda c, d: c.get_labelsets(d),
    "get_labelset": lambda c, d: c.get_labelset(d, "ground-truth"),
    "add_labelset": lambda c, d: c.add_labelset(d, "model"),
    "delete_labelset": lambda c, d: c.delete_labelset(d, "ground-truth"),
    "get_releases": lambda c, d: c.get_releases(d),
    "get_release": lambda c, d: c.get_release(d, "v1"),
    "add_release": lambda c, d: c.add_release(d, "v1"),
    "delete_release": lambda c, d: c.delete_release(d, "v1"),
}
ON_A_SAMPLE: dict[str, Call] = {
    "get_sample": lambda c, s: c.get_sample(s),
    "get_sample with a label set": lambda c, s: c.get_sample(s, labelset="ground-truth"),
    "update_sample": lambda c, s: c.update_sample(s, readme="x"),
    "delete_sample": lambda c, s: c.delete_sample(s),
    "get_label": lambda c, s: c.get_label(s),
    "add_label": lambda c, s: c.add_label(s, "ground-truth", vector_label(bbox(1))),
    "update_label": lambda c, s: c.update_label(s, "ground-truth", label_status=LabelStatus.LABELED),
    "delete_label": lambda c, s: c.delete_label(s, "ground-truth"),
}


def refusal(call: Callable[[], Any]) -> SegmentsError:
    with pytest.raises(SegmentsError) as refused:
        call()
    return refused.value


# --- not found -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ON_A_DATASET.values(), ids=ON_A_DATASET)
@pytest.mark.parametrize("name", ["ada/no-such-dataset", "nobody/streets", "ada/", "a/b/c"])
def test_a_dataset_that_nobody_has_is_not_found(admin: SegmentsClient, call: Call, name: str) -> None:
    assert type(refusal(lambda: call(admin, name))) is NotFoundError


@pytest.mark.parametrize("name", [name for name in ON_A_DATASET if not name.startswith("add")])
def test_a_dataset_without_its_owner_is_not_found(admin: SegmentsClient, name: str) -> None:
    assert type(refusal(lambda: ON_A_DATASET[name](admin, "abcde"))) is NotFoundError


@pytest.mark.parametrize("call", ON_A_DATASET.values(), ids=ON_A_DATASET)
def test_a_private_dataset_of_somebody_else_is_not_found(
    make_dataset: MakeDataset, outsider: SegmentsClient, admin_wire: Wire, call: Call
) -> None:
    name = make_dataset().full_name
    head = admin_wire.head(name)
    assert type(refusal(lambda: call(outsider, name))) is NotFoundError
    assert admin_wire.head(name) == head


@pytest.mark.parametrize("call", ON_A_SAMPLE.values(), ids=ON_A_SAMPLE)
@pytest.mark.parametrize("sample", ["12345", UNKNOWN, "ground-truth", "0" * 300])
def test_a_sample_that_nobody_has_is_not_found(admin: SegmentsClient, call: Call, sample: str) -> None:
    assert type(refusal(lambda: call(admin, sample))) is NotFoundError


@pytest.mark.parametrize("call", ON_A_SAMPLE.values(), ids=ON_A_SAMPLE)
def test_a_sample_in_a_private_dataset_of_somebody_else_is_not_found(
    make_sample: MakeSample, outsider: SegmentsClient, admin_wire: Wire, call: Call
) -> None:
    sample = make_sample()
    sample.add_label("ground-truth", vector_label(bbox(1)))
    head = admin_wire.head(sample.dataset.full_name)
    assert type(refusal(lambda: call(outsider, sample.uuid))) is NotFoundError
    assert admin_wire.head(sample.dataset.full_name) == head


def test_the_history_of_somebody_elses_private_dataset_is_not_found(
    make_sample: MakeSample, outsider_wire: Wire
) -> None:
    sample = make_sample()
    for path in (f"/datasets/{sample.dataset.full_name}/events/", f"/labels/{sample.uuid}/ground-truth/events/"):
        answer = outsider_wire.get(path)
        assert answer.status_code == 404
        assert answer.json()["detail"] == "Not found."
    assert outsider_wire.edit(sample.uuid, []).status_code == 404


def test_the_history_of_a_public_dataset_needs_membership(make_dataset: MakeDataset, outsider_wire: Wire) -> None:
    dataset = make_dataset(public=True)
    assert outsider_wire.get(f"/datasets/{dataset.full_name}/").status_code == 200
    assert outsider_wire.get(f"/datasets/{dataset.full_name}/events/").status_code in (403, 404)
    assert outsider_wire.get(f"/datasets/{dataset.full_name}/", at=1).status_code in (403, 404)


def test_a_private_dataset_looks_exactly_like_one_that_is_not_there(
    make_dataset: MakeDataset, outsider_wire: Wire
) -> None:
    there = outsider_wire.get(f"/datasets/{make_dataset().full_name}/")
    nowhere = outsider_wire.get("/datasets/ada/no-such-dataset/")
    assert (there.status_code, there.json()) == (nowhere.status_code, nowhere.json()) == (404, nowhere.json())


def test_a_path_that_leads_nowhere_is_not_found(admin: SegmentsClient) -> None:
    assert type(refusal(lambda: admin._get("/no/such/path/"))) is NotFoundError


# --- already exists ------------------------------------------------------------------------------------------------


def test_a_taken_dataset_name_already_exists(make_dataset: MakeDataset, admin: SegmentsClient) -> None:
    dataset = make_dataset()
    assert type(refusal(lambda: admin.add_dataset(dataset.name))) is AlreadyExistsError


def test_the_same_name_is_free_for_another_owner(make_dataset: MakeDataset, outsider: SegmentsClient) -> None:
    name = make_dataset().name
    assert outsider.add_dataset(name).full_name == f"otto/{name}"


def test_a_taken_release_name_already_exists(make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    dataset.add_release("v1.0")
    assert type(refusal(lambda: dataset.add_release("v1.0"))) is AlreadyExistsError


def test_someone_who_is_a_member_cannot_be_added_again(make_dataset: MakeDataset, admin: SegmentsClient) -> None:
    name = make_dataset().full_name
    assert type(refusal(lambda: admin.add_dataset_collaborator(name, "lena", "labeler"))) is CollaboratorError


# --- authentication and authorization ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "wrong", "0" * 64, "ümlaut", "a b", "x" * 2000])
def test_a_wrong_key_does_not_get_in(server: LiveServer, key: str) -> None:
    wire = Wire(server.url, None)
    answer = wire.send("GET", "/user", headers={"Authorization": f"APIKey {key}".encode().decode("latin-1")})
    assert answer.status_code == 401
    assert answer.json()["detail"] in ("Invalid API key.", "Authentication credentials were not provided.")
    assert not key.strip() or key not in answer.text


def test_a_client_with_a_wrong_key_is_told_so_when_it_is_made(server: LiveServer) -> None:
    assert type(refusal(lambda: SegmentsClient("wrong", api_url=server.url))) is AuthenticationError


def test_a_client_whose_key_stops_working_gets_a_plain_network_error(server: LiveServer, keys: Any) -> None:
    with SegmentsClient(keys.otto, api_url=server.url) as client:
        client.api_key = "withdrawn"
        error = refusal(client.get_user)
    assert type(error) is NetworkError
    assert error.cause.response.status_code == 401


def test_a_request_without_a_key_asks_for_one(nobody_wire: Wire, admin: SegmentsClient) -> None:
    answer = nobody_wire.get("/user")
    assert answer.status_code == 401
    assert answer.json()["detail"] == "Authentication credentials were not provided."
    assert type(refusal(lambda: admin._get("/user", auth=False))) is AuthenticationError


@pytest.mark.parametrize("scheme", ["Bearer", "Token", "Basic", "apikeys", ""])
def test_another_authorization_scheme_does_not_get_in(server: LiveServer, keys: Any, scheme: str) -> None:
    answer = Wire(server.url, None).send("GET", "/user", headers={"Authorization": f"{scheme} {keys.ada}".strip()})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "name", [n for n in ON_A_DATASET if n.startswith(("update", "delete", "add")) and n != "delete_release"]
)
def test_a_labeler_may_not_change_the_dataset(
    make_dataset: MakeDataset, labeler: SegmentsClient, admin_wire: Wire, name: str
) -> None:
    dataset = make_dataset().full_name
    head = admin_wire.head(dataset)
    assert type(refusal(lambda: ON_A_DATASET[name](labeler, dataset))) is AuthorizationError
    assert admin_wire.head(dataset) == head


def test_a_reader_of_a_public_dataset_may_not_label(make_dataset: MakeDataset, outsider: SegmentsClient) -> None:
    dataset = make_dataset(public=True)
    sample = dataset.add_sample("a.png", {"image": {"url": ""}})
    error = refusal(lambda: outsider.add_label(sample.uuid, "ground-truth", vector_label(bbox(1))))
    assert type(error) is AuthorizationError
    assert type(refusal(lambda: outsider.get_label(sample.uuid))) is NotFoundError


# --- validation ----------------------------------------------------------------------------------------------------


def test_a_label_that_no_task_type_has_does_not_leave_the_client(
    make_sample: MakeSample, admin: SegmentsClient
) -> None:
    sample = make_sample()
    with pytest.raises(ValidationError):
        admin.add_label(sample.uuid, "ground-truth", {"annotations": [{"id": "one"}]})
    with pytest.raises(NotFoundError):
        sample.get_label()


def test_a_label_of_another_task_type_does_not_leave_the_resource_object(make_sample: MakeSample) -> None:
    cloud = PointcloudSegmentationLabelAttributes(annotations=[], point_annotations=[0])
    with pytest.raises(InvalidModelError):
        make_sample("segmentation-bitmap").add_label("ground-truth", cloud)


def test_a_refused_value_is_a_plain_network_error(make_sample: MakeSample, admin: SegmentsClient) -> None:
    sample = make_sample()
    error = refusal(lambda: admin.update_label(sample.uuid, "ground-truth", score=float("nan")))
    assert type(error) is NetworkError
    assert error.cause.response.status_code == 400


@pytest.mark.parametrize("word", TELLING_WORDS)
@pytest.mark.parametrize("field", ["label_status", "score", "attributes"])
def test_an_error_never_repeats_words_that_would_change_its_meaning(
    make_sample: MakeSample, admin: SegmentsClient, admin_wire: Wire, word: str, field: str
) -> None:
    sample = make_sample()
    answer = admin_wire.send("PUT", f"/labels/{sample.uuid}/ground-truth/", {"attributes": vector_label(), field: word})
    assert answer.status_code == 400
    assert not [telling for telling in TELLING_WORDS if telling in answer.text.lower()]
    assert answer.json()["field"] == field
