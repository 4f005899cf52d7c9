"""Collaborators, organisations and keys with the public SDK, against the real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from segments import SegmentsClient
from segments.exceptions import (
    AlreadyExistsError,
    AuthenticationError,
    AuthorizationError,
    CollaboratorError,
    NetworkError,
    NotFoundError,
)
from segments.resource_api import Dataset
from segments.typing import Role

from tests.e2e.conftest import MakeDataset, MakeSample, unused_name
from tests.e2e.documents import TASK_ATTRIBUTES, bbox, vector_label
from tests.e2e.live_server import LiveServer
from tests.e2e.wire import Wire

#: Members of organisations are asked a reason for, of which the SDK knows nothing.
WHY = {"X-Reason": "as agreed"}
SENT = [Role.LABELER, Role.REVIEWER, Role.MANAGER, Role.ADMIN]


@pytest.fixture(scope="module")
def root_wire(server: LiveServer) -> Iterator[Wire]:
    """Somebody who runs the installation."""
    wire = Wire(server.url, server.manage("apikey", "root", "--create", "--superuser").split()[-1])
    yield wire
    wire.close()


@pytest.fixture(scope="module")
def firm(root_wire: Wire) -> str:
    """An organisation that ada administers and lena belongs to."""
    name = unused_name("firm")
    assert root_wire.send("POST", "/organizations/", {"username": name}).status_code == 201
    for user, role in (("ada", "administrator"), ("lena", "member")):
        answer = root_wire.send("POST", f"/organizations/{name}/members/", {"user": user, "role": role}, headers=WHY)
        assert answer.status_code == 201, answer.text
    return name


# --- collaborators -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", SENT)
def test_a_collaborator_is_added_with_each_role_and_read_back(
    admin: SegmentsClient, outsider: SegmentsClient, make_dataset: MakeDataset, role: Role
) -> None:
    dataset = make_dataset()
    with pytest.raises(NotFoundError):
        outsider.get_dataset(dataset.full_name)
    added = dataset.add_collaborator("otto", role)
    assert (added.user.username, added.role) == ("otto", role)
    read = admin.get_dataset_collaborator(dataset.full_name, "otto")
    assert read.model_dump() == added.model_dump()
    assert outsider.get_dataset(dataset.full_name).role == role


def test_a_collaborator_is_a_labeler_unless_said(make_dataset: MakeDataset) -> None:
    assert make_dataset().add_collaborator("otto").role == Role.LABELER


def test_a_role_is_changed_and_taken_away(
    admin: SegmentsClient, outsider: SegmentsClient, make_dataset: MakeDataset
) -> None:
    name = make_dataset().full_name
    admin.add_dataset_collaborator(name, "otto", Role.LABELER)
    with pytest.raises(AuthorizationError):
        outsider.update_dataset(name, description="mine")
    assert admin.update_dataset_collaborator(name, "otto", Role.ADMIN).role == Role.ADMIN
    assert outsider.update_dataset(name, description="mine").description == "mine"
    admin.delete_dataset_collaborator(name, "otto")
    with pytest.raises(NotFoundError):
        outsider.get_dataset(name)
    with pytest.raises(NotFoundError):
        admin.get_dataset_collaborator(name, "otto")


def test_a_collaborator_as_an_object(admin: SegmentsClient, make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    lena = dataset.get_collaborator("lena")
    assert lena.update(Role.MANAGER).role == Role.MANAGER
    assert dataset.get_collaborator("lena").role == Role.MANAGER
    lena.delete()
    with pytest.raises(NotFoundError):
        dataset.get_collaborator("lena")


def test_what_a_collaborator_did_stays_theirs(
    admin: SegmentsClient, labeler: SegmentsClient, make_sample: MakeSample
) -> None:
    sample = make_sample()
    labeler.add_label(sample.uuid, "ground-truth", vector_label(bbox(1)))
    admin.delete_dataset_collaborator(sample.dataset_full_name or "", "lena")
    assert admin.get_label(sample.uuid).created_by == "lena"


Call = Callable[[SegmentsClient, str], Any]
MEMBERS: dict[str, Call] = {
    "add": lambda client, name: client.add_dataset_collaborator(name, "otto", Role.LABELER),
    "add an admin": lambda client, name: client.add_dataset_collaborator(name, "otto", Role.ADMIN),
    "change": lambda client, name: client.update_dataset_collaborator(name, "lena", Role.ADMIN),
    "unmake the admin": lambda client, name: client.update_dataset_collaborator(name, "ada", Role.LABELER),
    "remove the admin": lambda client, name: client.delete_dataset_collaborator(name, "ada"),
}


@pytest.mark.parametrize("call", MEMBERS.values(), ids=MEMBERS)
def test_a_labeler_manages_nobody(labeler: SegmentsClient, make_dataset: MakeDataset, call: Call) -> None:
    with pytest.raises(AuthorizationError):
        call(labeler, make_dataset().full_name)


def test_a_manager_manages_those_below_admin(
    admin: SegmentsClient, labeler: SegmentsClient, make_dataset: MakeDataset
) -> None:
    name = make_dataset().full_name
    admin.update_dataset_collaborator(name, "lena", Role.MANAGER)
    assert labeler.add_dataset_collaborator(name, "otto", Role.REVIEWER).role == Role.REVIEWER
    assert labeler.update_dataset_collaborator(name, "otto", Role.LABELER).role == Role.LABELER
    for call in ("change", "unmake the admin", "remove the admin"):
        with pytest.raises(AuthorizationError):
            MEMBERS[call](labeler, name)
    labeler.delete_dataset_collaborator(name, "otto")
    with pytest.raises(AuthorizationError):
        MEMBERS["add an admin"](labeler, name)


def test_a_manager_assigns_samples_and_changes_nothing_else_of_them(
    admin: SegmentsClient, labeler: SegmentsClient, make_sample: MakeSample
) -> None:
    sample = make_sample()
    with pytest.raises(AuthorizationError):
        labeler.update_sample(sample.uuid, priority=3)
    admin.update_dataset_collaborator(sample.dataset_full_name or "", "lena", Role.MANAGER)
    changed = labeler.update_sample(sample.uuid, priority=3, assigned_labeler="lena", assigned_reviewer="ada")
    assert (changed.priority, changed.assigned_labeler, changed.assigned_reviewer) == (3, "lena", "ada")
    with pytest.raises(AuthorizationError):
        labeler.update_sample(sample.uuid, name="mine.png")


@pytest.mark.parametrize(
    "call, error",
    [
        (lambda client, name: client.add_dataset_collaborator(name, "lena", Role.ADMIN), CollaboratorError),
        (lambda client, name: client.add_dataset_collaborator(name, "nobody-there"), NotFoundError),
        (lambda client, name: client.get_dataset_collaborator(name, "otto"), NotFoundError),
        (lambda client, name: client.update_dataset_collaborator(name, "otto", Role.ADMIN), NotFoundError),
        (lambda client, name: client.delete_dataset_collaborator(name, "otto"), NotFoundError),
        (lambda client, name: client.delete_dataset_collaborator(name, "ada"), NetworkError),
        (lambda client, name: client.add_dataset_collaborator(name, "otto", "boss"), NetworkError),
    ],
)
def test_an_error_with_collaborators_is_the_sdks_own(
    admin: SegmentsClient, make_dataset: MakeDataset, call: Call, error: type[Exception]
) -> None:
    with pytest.raises(error) as refused:
        call(admin, make_dataset().full_name)
    assert type(refused.value) is error


def test_a_viewer_is_a_collaborator_whom_the_sdk_can_read(
    admin: SegmentsClient, admin_wire: Wire, outsider: SegmentsClient, make_dataset: MakeDataset
) -> None:
    name = make_dataset().full_name
    added = admin_wire.send("POST", f"/datasets/{name}/collaborators/", {"user": "otto", "role": "viewer"})
    assert added.status_code == 201 and added.json()["palimpsest_role"] == "viewer"
    assert admin.get_dataset_collaborator(name, "otto").user.username == "otto"
    seen = outsider.get_dataset(name)
    assert isinstance(seen, Dataset) and seen.role is None
    assert outsider.get_samples(name) == []
    with pytest.raises(AuthorizationError):
        outsider.add_sample(name, "a.png", {"image": {"url": ""}})


# --- organisations -------------------------------------------------------------------------------------------------


def test_a_dataset_of_an_organisation(admin: SegmentsClient, labeler: SegmentsClient, firm: str, unused: str) -> None:
    made = labeler.add_dataset(unused, task_type="vector", task_attributes=TASK_ATTRIBUTES, organization=firm)
    assert (made.full_name, made.owner.username, made.role) == (f"{firm}/{unused}", firm, Role.ADMIN)
    assert admin.get_dataset(made.full_name).role == Role.ADMIN, "its administrators are admins of its datasets"
    for found in (admin.get_datasets(firm), admin.get_datasets()):
        assert made.full_name in [item.full_name for item in found]
    with pytest.raises(AlreadyExistsError):
        admin.add_dataset(unused, organization=firm)


def test_members_read_what_others_of_the_organisation_made(
    admin: SegmentsClient, labeler: SegmentsClient, firm: str, unused: str
) -> None:
    made = admin.add_dataset(unused, organization=firm)
    seen = labeler.get_dataset(made.full_name)
    assert seen.role is None
    with pytest.raises(AuthorizationError):
        labeler.update_dataset(made.full_name, description="x")
    admin.add_dataset_collaborator(made.full_name, "lena", Role.MANAGER)
    assert labeler.get_dataset(made.full_name).role == Role.MANAGER


def test_strangers_see_and_create_nothing_there(
    admin: SegmentsClient, outsider: SegmentsClient, firm: str, unused: str
) -> None:
    made = admin.add_dataset(unused, organization=firm)
    assert outsider.get_datasets(firm) == []
    with pytest.raises(NotFoundError):
        outsider.get_dataset(made.full_name)
    with pytest.raises(AuthorizationError):
        outsider.add_dataset("mine", organization=firm)
    with pytest.raises(NotFoundError):
        admin.add_dataset(unused, organization="nobody-there")


def test_an_organisation_and_its_members_as_the_sdk_reads_them(
    admin: SegmentsClient, labeler: SegmentsClient, outsider: SegmentsClient, firm: str
) -> None:
    seen = labeler.get_user(firm)
    assert seen.is_organization and seen.organization_created_by == "root"
    roles = {member.username: member.organization_role for member in seen.members or []}
    assert roles == {"root": Role.ADMIN, "ada": Role.ADMIN, "lena": None}
    assert outsider.get_user(firm).members is None
    for client, role in ((admin, Role.ADMIN), (labeler, None)):
        mine = {found.username: found.organization_role for found in client.get_user().organizations or []}
        assert mine[firm] == role
    assert outsider.get_user().organizations == []


def test_a_dataset_is_cloned_into_an_organisation(
    admin: SegmentsClient, make_dataset: MakeDataset, firm: str, unused: str
) -> None:
    clone = admin.clone_dataset(make_dataset().full_name, new_name=unused, organization=firm)
    assert clone.full_name == f"{firm}/{unused}"


def test_an_organisation_is_no_collaborator(admin: SegmentsClient, make_dataset: MakeDataset, firm: str) -> None:
    with pytest.raises(CollaboratorError):
        admin.add_dataset_collaborator(make_dataset().full_name, firm)


def test_the_last_administrator_cannot_leave(root_wire: Wire, admin_wire: Wire, firm: str) -> None:
    assert root_wire.send("DELETE", f"/organizations/{firm}/members/root", headers=WHY).status_code == 204
    refused = admin_wire.send("DELETE", f"/organizations/{firm}/members/ada")
    assert refused.status_code == 409 and "cannot leave the organization" in refused.text
    assert root_wire.send(
        "POST", f"/organizations/{firm}/members/", {"user": "root", "role": "administrator"}, headers=WHY
    ).ok


# --- keys ----------------------------------------------------------------------------------------------------------


def client_with(server: LiveServer, wire: Wire, **fields: str) -> SegmentsClient:
    """The SDK with a new key of the same person."""
    made = wire.send("POST", "/user/keys/", fields)
    assert made.status_code == 201, made.text
    return SegmentsClient(made.json()["key"], api_url=server.url)


def test_a_key_that_only_reads(server: LiveServer, admin_wire: Wire, make_sample: MakeSample) -> None:
    sample = make_sample()
    with client_with(server, admin_wire, scope="read") as reader:
        assert reader.get_sample(sample.uuid).name == sample.name
        for call in (
            lambda: reader.add_label(sample.uuid, "ground-truth", vector_label(bbox(1))),
            lambda: reader.update_sample(sample.uuid, priority=2),
            lambda: reader.add_dataset("new"),
        ):
            with pytest.raises(AuthorizationError):
                call()


def test_a_key_that_labels_for_a_model(server: LiveServer, admin_wire: Wire, make_sample: MakeSample) -> None:
    sample = make_sample()
    with client_with(server, admin_wire, scope="label", origin="model", name="yolo") as model:
        model.add_label(sample.uuid, "ground-truth", vector_label(bbox(1)))
        with pytest.raises(AuthorizationError):
            model.delete_sample(sample.uuid)
    (event,) = admin_wire.label_events(sample.uuid)
    assert (event["author"], event["author_kind"]) == ("ada", "model")


def test_a_revoked_key_is_refused_from_then_on(server: LiveServer, admin_wire: Wire) -> None:
    with client_with(server, admin_wire, name="lost") as client:
        assert client.get_user().username == "ada"
        (found,) = [key for key in admin_wire.get("/user/keys/").json() if key["name"] == "lost"]
        assert found["last_used_at"] is not None
        assert admin_wire.send("DELETE", f"/user/keys/{found['uuid']}").status_code == 204
        with pytest.raises(NetworkError):
            client.get_user()
    with pytest.raises(AuthenticationError):
        SegmentsClient("pk_no_such_key", api_url=server.url)
