"""Every endpoint, asked by everybody: each role with each scope of key, in a public and in a private dataset.

The endpoints are found by walking the addresses, and compared with the OpenAPI document. One without a row here fails.
Every request is rolled back, so that all of them ask the same installation.
"""

from __future__ import annotations

import itertools
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from pytest_django import DjangoDbBlocker

from labeling.api.denials import template
from labeling.commands import assets, datasets, issues, labels, organizations, people, samples
from labeling.log import store
from labeling.log.event import SECURITY, Intent
from labeling.models import ApiKey, Person
from releases.commands import cut_release
from tests.labeling.api.conftest import Answer, browser

JSON = dict[str, Any]

ROLES = ("viewer", "labeler", "reviewer", "manager", "admin")
#: Who asks: nobody without a key, a stranger with one, each role, and who runs the installation.
CALLERS = ("nobody", "stranger", *ROLES, "superuser")
SCOPES = ("read", "label", "manage")
DOCUMENT: JSON = {"annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [30, 40]]}]}
WHOLE: JSON = {"attributes": DOCUMENT, "label_status": "LABELED"}
IMAGE: JSON = {"image": {"url": "https://example.org/street.png"}}


@dataclass(frozen=True)
class Row:
    """One request, and who may make it.

    `least` is the lowest role in the dataset that may, or: "open" to everybody without a key too; "account" to
    everybody with one; "superuser". `public` says what a stranger gets in a public dataset: an answer, or that refusal.
    `scope` is the key's that it takes. `path` holds names of what World has, `query` and `body` go along.
    """

    least: str
    scope: str
    path: str
    public: int = 200
    body: Any = None
    query: str = ""
    status: int = 0  #: the one status that everybody gets who is not refused; 0 for any that is good


DS, SAMPLE, LABEL = "/datasets/olga/{name}", "/samples/{sample}", "/labels/{sample}/ground-truth"
EDIT = {"edits": [{"op": "set_scene_attributes", "attributes": {"rain": True}}]}


def verb(name: str, **more: Any) -> JSON:
    return {"edits": [{"op": "set_status", "verb": name} | more]}


# (name of the address, method, what differs): the row.
ROWS: dict[tuple[str, str, str], Row] = {
    # --- open to everybody
    ("schema", "GET", ""): Row("open", "read", "/api/schema/"),
    ("docs", "GET", ""): Row("open", "read", "/api/docs/"),
    ("media", "GET", ""): Row("open", "read", "/media/no-such-token/a.png", status=404),
    ("asset-upload", "POST", ""): Row("open", "read", "/assets/upload/", status=400),
    ("release-file", "GET", ""): Row("open", "read", "/releases/{nothing}/token/a.json", status=404),
    # --- of the caller
    ("api-status", "GET", ""): Row("account", "read", "/api_status/"),
    ("user", "GET", ""): Row("account", "read", "/user/"),
    ("user-datasets", "GET", ""): Row("account", "read", "/user/datasets/"),
    ("user-datasets", "POST", ""): Row(
        "account", "manage", "/user/datasets/", body={"name": "new", "task_type": "vector"}
    ),
    ("keys", "GET", ""): Row("account", "read", "/user/keys/"),
    ("keys", "POST", ""): Row("account", "manage", "/user/keys/", body={"name": "x"}),
    ("key", "GET", ""): Row("account", "read", "/user/keys/{own_key}/"),
    ("key", "DELETE", ""): Row("account", "manage", "/user/keys/{own_key}/"),
    ("key", "DELETE", "somebody else's"): Row("account", "manage", "/user/keys/{olgas_key}/", status=404),
    ("user-read", "GET", ""): Row("account", "read", "/users/olga/"),
    ("users-datasets", "GET", ""): Row("account", "read", "/users/olga/datasets/"),
    ("users-datasets", "POST", "for oneself"): Row(
        "account", "manage", "/users/{caller}/datasets/", body={"name": "new", "task_type": "vector"}
    ),
    ("users-datasets", "POST", ""): Row(
        "superuser", "manage", "/users/olga/datasets/", body={"name": "new", "task_type": "vector"}
    ),
    ("assets", "POST", ""): Row("account", "label", "/assets/", body={"filename": "a.png"}),
    ("asset-complete", "POST", ""): Row("account", "label", "/assets/{own_asset}/complete/", body={}, status=409),
    ("asset-complete", "POST", "somebody else's"): Row(
        "account", "label", "/assets/{olgas_asset}/complete/", body={}, status=404
    ),
    # --- organisations (who is what there has a table of its own, below)
    ("organizations", "GET", ""): Row("account", "read", "/organizations/"),
    ("organizations", "POST", ""): Row("superuser", "manage", "/organizations/", body={"username": "new-firm"}),
    ("organization-datasets", "GET", ""): Row("account", "read", "/organizations/firm/datasets/"),
    ("organization-datasets", "POST", ""): Row(
        "superuser", "manage", "/organizations/firm/datasets/", body={"name": "new", "task_type": "vector"}
    ),
    ("organization-members", "GET", ""): Row("superuser", "read", "/organizations/firm/members/"),
    ("organization-members", "POST", ""): Row(
        "superuser", "manage", "/organizations/firm/members/", body={"user": "olga"}
    ),
    ("organization-member", "GET", ""): Row("superuser", "read", "/organizations/firm/members/mona/"),
    ("organization-member", "PATCH", ""): Row(
        "superuser", "manage", "/organizations/firm/members/mona/", body={"role": "administrator"}
    ),
    ("organization-member", "DELETE", ""): Row("superuser", "manage", "/organizations/firm/members/mona/"),
    # --- a dataset
    ("dataset", "GET", ""): Row("viewer", "read", f"{DS}/"),
    ("dataset", "GET", "at"): Row("viewer", "read", f"{DS}/", query="at=3", public=403),
    ("dataset", "PATCH", ""): Row("admin", "manage", f"{DS}/", public=403, body={"readme": "x"}),
    ("dataset", "PATCH", "nothing"): Row("admin", "manage", f"{DS}/", public=403, body={}),
    ("dataset", "DELETE", ""): Row("admin", "manage", f"{DS}/", public=403),
    ("clone", "POST", ""): Row("admin", "manage", f"{DS}/clone/", body={"name": "copy"}),
    ("dataset-events", "GET", ""): Row("viewer", "read", f"{DS}/events/", public=403),
    ("collaborators", "GET", ""): Row("viewer", "read", f"{DS}/collaborators/", public=404),
    ("collaborators", "POST", ""): Row(
        "manager", "manage", f"{DS}/collaborators/", public=403, body={"user": "newcomer", "role": "labeler"}
    ),
    ("collaborators", "POST", "an admin"): Row(
        "admin", "manage", f"{DS}/collaborators/", public=403, body={"user": "newcomer", "role": "admin"}
    ),
    ("collaborator", "GET", ""): Row("viewer", "read", f"{DS}/collaborators/labeler", public=404),
    ("collaborator", "PATCH", ""): Row(
        "manager", "manage", f"{DS}/collaborators/labeler", public=403, body={"role": "viewer"}
    ),
    ("collaborator", "PATCH", "to admin"): Row(
        "admin", "manage", f"{DS}/collaborators/labeler", public=403, body={"role": "admin"}
    ),
    ("collaborator", "PATCH", "an admin"): Row(
        "admin", "manage", f"{DS}/collaborators/admin", public=403, body={"role": "viewer"}
    ),
    ("collaborator", "DELETE", ""): Row("manager", "manage", f"{DS}/collaborators/labeler", public=403),
    ("collaborator", "DELETE", "an admin"): Row("admin", "manage", f"{DS}/collaborators/olga", public=403),
    ("labelsets", "GET", ""): Row("viewer", "read", f"{DS}/labelsets/"),
    ("labelsets", "POST", ""): Row("admin", "manage", f"{DS}/labelsets/", public=403, body={"name": "new"}),
    ("labelset", "GET", ""): Row("viewer", "read", f"{DS}/labelsets/model/"),
    ("labelset", "DELETE", ""): Row("admin", "manage", f"{DS}/labelsets/model/", public=403),
    ("work-units", "GET", ""): Row("viewer", "read", f"{DS}/workunits/"),
    ("releases", "GET", ""): Row("viewer", "read", f"{DS}/releases/"),
    ("releases", "POST", ""): Row("admin", "manage", f"{DS}/releases/", public=403, body={"name": "v2"}),
    ("release", "GET", ""): Row("viewer", "read", f"{DS}/releases/v1/"),
    ("release", "DELETE", ""): Row("admin", "manage", f"{DS}/releases/v1/", public=403),
    # --- its samples
    ("samples", "GET", ""): Row("viewer", "read", f"{DS}/samples/"),
    ("samples", "GET", "with labels"): Row(
        "viewer", "read", f"{DS}/samples/", query="labelset=ground-truth&include_full_label=1"
    ),
    ("samples", "GET", "at"): Row("viewer", "read", f"{DS}/samples/", query="at=3", public=403),
    ("samples", "POST", ""): Row(
        "admin", "manage", f"{DS}/samples/", public=403, body={"name": "new.png", "attributes": IMAGE}
    ),
    ("samples-bulk", "POST", ""): Row(
        "admin", "manage", f"{DS}/samples_bulk/", public=403, body=[{"name": "new.png", "attributes": IMAGE}]
    ),
    ("samples-bulk", "DELETE", ""): Row(
        "admin", "manage", f"{DS}/samples_bulk/", public=403, body={"uuids": ["{sample}"]}
    ),
    ("sample", "GET", ""): Row("viewer", "read", f"{SAMPLE}/"),
    ("sample", "GET", "at"): Row("viewer", "read", f"{SAMPLE}/", query="at=99", public=403),
    ("sample", "PATCH", "priority"): Row("manager", "manage", f"{SAMPLE}/", public=403, body={"priority": 4}),
    ("sample", "PATCH", "assigned"): Row(
        "manager", "manage", f"{SAMPLE}/", public=403, body={"assigned_labeler": "labeler"}
    ),
    ("sample", "PATCH", ""): Row("admin", "manage", f"{SAMPLE}/", public=403, body={"name": "b", "priority": 4}),
    ("sample", "DELETE", ""): Row("admin", "manage", f"{SAMPLE}/", public=403),
    # --- their labels
    ("label", "GET", ""): Row("viewer", "read", f"{LABEL}/"),
    ("label", "GET", "at"): Row("viewer", "read", f"{LABEL}/", query="at=99", public=403),
    ("label", "PUT", ""): Row("labeler", "label", f"{LABEL}/", public=403, body=WHOLE),
    ("label", "PATCH", ""): Row("labeler", "label", f"{LABEL}/", public=403, body={"label_status": "REVIEWED"}),
    ("label", "DELETE", ""): Row("labeler", "label", f"{LABEL}/", public=403),
    ("label-edits", "POST", ""): Row("labeler", "label", f"{LABEL}/edits/", public=403, body=EDIT),
    ("label-edits", "POST", "submit"): Row("labeler", "label", f"{LABEL}/edits/", public=403, body=verb("submit")),
    ("label-edits", "POST", "accept"): Row("reviewer", "label", f"{LABEL}/edits/", public=403, body=verb("accept")),
    ("label-edits", "POST", "reject"): Row("reviewer", "label", f"{LABEL}/edits/", public=403, body=verb("reject")),
    ("label-edits", "POST", "override"): Row(
        "manager", "label", f"{LABEL}/edits/", public=403, body=verb("override", status="SKIPPED")
    ),
    ("label-events", "GET", ""): Row("viewer", "read", f"{LABEL}/events/", public=403),
    # --- issues, raised by olga
    ("issues", "GET", ""): Row("viewer", "read", f"{DS}/issues/"),
    ("issues", "GET", "at"): Row("viewer", "read", f"{DS}/issues/", query="at=99", public=403),
    ("sample-issues", "GET", ""): Row("viewer", "read", f"{SAMPLE}/issues/"),
    ("sample-issues", "POST", ""): Row("viewer", "label", f"{SAMPLE}/issues/", public=403, body={"description": "x"}),
    ("sdk-sample-issues", "GET", ""): Row("viewer", "read", "/datasets/{sample}/issues/"),
    ("issue", "GET", ""): Row("viewer", "read", "/issues/{issue}/"),
    ("issue", "PATCH", "status"): Row("viewer", "label", "/issues/{issue}/", public=403, body={"status": "CLOSED"}),
    ("issue", "PATCH", ""): Row("manager", "label", "/issues/{issue}/", public=403, body={"description": "y"}),
    ("issue", "DELETE", ""): Row("manager", "label", "/issues/{issue}/", public=403),
    ("issue-comments", "POST", ""): Row("viewer", "label", "/issues/{issue}/comments/", public=403, body={"text": "y"}),
}  # fmt: skip


# --- the endpoints that there are ----------------------------------------------------------------------------------


def patterns(resolver: URLResolver, front: str = "") -> Iterator[tuple[str, URLPattern]]:
    for item in resolver.url_patterns:
        place = front + str(item.pattern)
        if isinstance(item, URLResolver):
            yield from patterns(item, place)
        else:
            yield place, item


def methods(view: Any) -> set[str]:
    """What a view answers, apart from HEAD (which is GET) and OPTIONS (which tells nothing of any object)."""
    return {name.upper() for name in view.http_method_names if hasattr(view, name)} - {"HEAD", "OPTIONS"}


def endpoints() -> dict[tuple[str, str], str]:
    """{(name, method): address} of every endpoint of the API: all but the pages for browsers."""
    found = {}
    for place, pattern in patterns(get_resolver()):
        if not place.startswith(("admin/", "accounts/")):
            for method in methods(pattern.callback.view_class):  # type: ignore[attr-defined]
                found[str(pattern.name), method] = template(place)
    return found


def test_every_endpoint_has_a_row():
    assert {(name, method) for name, method, _ in ROWS} == endpoints().keys()


def test_every_documented_operation_is_an_endpoint_that_has_a_row():
    document = SchemaGenerator().get_schema(request=None, public=True)
    documented = {
        (re.sub(r"\{\w+\}", "{}", path).rstrip("/"), method.upper())
        for path, item in document["paths"].items()
        for method in item
        if method in ("get", "put", "post", "patch", "delete")
    }
    known = {(re.sub(r"\{\w+\}", "{}", path).rstrip("/"), method) for (_, method), path in endpoints().items()}
    assert documented <= known
    hidden = {"media", "asset-upload", "schema", "docs", "sdk-sample-issues"}
    undocumented = {name for (name, method), path in endpoints().items()
                    if (re.sub(r"\{\w+\}", "{}", path).rstrip("/"), method) not in documented}  # fmt: skip
    assert undocumented <= hidden


def test_the_addresses_of_the_rows_are_those_of_their_names():
    for (name, method, _), row in ROWS.items():
        path = row.path.format_map(Named())
        shown = get_resolver().resolve(path.split("?")[0])
        assert (shown.url_name, method in methods(shown.func.view_class)) == (name, True)  # type: ignore[attr-defined]


class Named(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return str(uuid.UUID(int=7, version=4))


# --- the installation that is asked --------------------------------------------------------------------------------


class World:
    """A public and a private dataset of olga, with a member of each role, a label, an issue and a release in each."""

    def __init__(self) -> None:
        by = people.operator("test")
        self.people: dict[str, Person] = {
            name: Person.objects.filter(username=name).first() or people.add_person(intent=by, username=name)
            for name in ("olga", "stranger", "newcomer", "mona", "bodo", *ROLES)
        }
        self.people["superuser"] = people.add_person(intent=by, username="superuser", superuser=True)
        self.keys = {
            (name, scope): people.create_key(intent=by, person=self.people[name], scope=scope)[1]
            for name in ("stranger", "mona", "bodo", *ROLES, "superuser")
            for scope in SCOPES
        }
        olgas_key, _ = people.create_key(intent=by, person=self.people["olga"])
        firm = organizations.found_organization(intent=by, username="firm")
        for name, role in (("bodo", "administrator"), ("mona", "member")):
            organizations.add_organization_member(intent=by, organization=firm.id, person=self.people[name], role=role)
        self.assets = {
            name: assets.plan_asset(owner=person.id, filename="a.png").id for name, person in self.people.items()
        }
        self.common = {"olgas_key": str(olgas_key.id), "olgas_asset": str(self.assets["olga"])}
        self.names = {
            public: self._dataset(f"permissions-{'public' if public else 'private'}", public)
            for public in (True, False)
        }

    def _dataset(self, name: str, public: bool) -> JSON:
        olga = Intent(author=self.people["olga"].id)
        made = datasets.create_dataset(
            intent=olga, owner=self.people["olga"].id, name=name, task_type="vector",
            task_attributes={"categories": [{"id": 1, "name": "car"}]}, changes={"public": public},
        )  # fmt: skip
        for role in ROLES:
            datasets.add_member(intent=olga, dataset=made, person=self.people[role].id, role=role)
        datasets.add_label_set(intent=olga, dataset=made, name="model")
        item = samples.checked_sample({"name": "a.png", "attributes": IMAGE})
        (sample,) = samples.add_samples(intent=olga, dataset=made, items=[item], keep_existing=False)
        labels.save_label(
            intent=olga, sample=sample, label_set="ground-truth", document=DOCUMENT, status="PRELABELED", create=True
        )
        issue = issues.open_issue(intent=olga, sample=sample, fields={"description": "x"})
        cut_release(intent=olga, dataset=made, name="v1")
        return {"id": made, "name": name, "sample": str(sample), "issue": str(issue)}

    def ask(self, row: Row, method: str, caller: str, scope: str, *, public: bool) -> Answer:
        """Make the request, and take back what it did."""
        said = self.common | {key: str(value) for key, value in self.names[public].items()}
        said |= {"caller": caller, "nothing": str(uuid.UUID(int=7, version=4))}
        if caller != "nobody":
            key = ApiKey.objects.filter(person=self.people[caller], scope=scope).latest("created_at")
            said |= {"own_key": str(key.id), "own_asset": str(self.assets[caller])}
        path = row.path.format_map(Named(said)) + (f"?{row.query}" if row.query else "")
        headers = {"Authorization": f"APIKey {self.keys[caller, scope]}"} if caller != "nobody" else {}
        with transaction.atomic():
            answer = Answer(
                browser().generic(
                    method, path, filled(row.body, said), content_type="application/json", headers=headers
                )
            )
            transaction.set_rollback(True)
        return answer


def filled(body: Any, said: JSON) -> bytes:
    return b"" if body is None else json.dumps(body).replace("{sample}", said["sample"]).encode()


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield World()
        transaction.set_rollback(True)


# --- the matrix ----------------------------------------------------------------------------------------------------


def expected(row: Row, caller: str, scope: str, *, public: bool) -> int:
    """The status that the table says; 200 stands for every good one."""
    if row.least == "open":
        return row.status or 200
    if caller == "nobody":
        return 401
    if SCOPES.index(scope) < SCOPES.index(row.scope):
        return 403
    good = row.status or 200
    if row.least in ("account", "superuser"):
        return good if row.least == "account" or caller == "superuser" else 403
    if caller == "superuser":
        return good
    if caller == "stranger":
        return row.public if public else 404
    if ROLES.index(caller) >= ROLES.index(row.least) or (public and row.public == 200):
        return good
    return 403


@pytest.mark.parametrize("case", ROWS, ids="-".join)
def test_an_endpoint_answers_each_caller_as_the_table_says(world: World, case: tuple[str, str, str]) -> None:
    row = ROWS[case]
    wrong = []
    heads = [store.head(world.names[public]["id"]) for public in (True, False)]
    for caller, scope, public in itertools.product(CALLERS, SCOPES, (True, False)):
        answer = world.ask(row, case[1], caller, scope, public=public)
        wanted = expected(row, caller, scope, public=public)
        status = 200 if 200 <= answer.status < 300 else answer.status
        if status != wanted:
            shown = answer.raw[:200].decode(errors="replace")
            wrong.append(f"{caller}, key {scope}, {'public' if public else 'private'}: {status}, not {wanted}: {shown}")
    assert not wrong, "\n".join(wrong)
    assert heads == [store.head(world.names[public]["id"]) for public in (True, False)]


ORGANIZATION: list[tuple[str, str, Any, str]] = [
    ("GET", "/organizations/firm/members/", None, "member"),
    ("GET", "/organizations/firm/members/mona/", None, "member"),
    ("POST", "/organizations/firm/members/", {"user": "newcomer"}, "administrator"),
    ("PATCH", "/organizations/firm/members/mona/", {"role": "administrator"}, "administrator"),
    ("DELETE", "/organizations/firm/members/mona/", None, "administrator"),
    ("DELETE", "/organizations/firm/members/{caller}/", None, "member"),
    ("POST", "/organizations/firm/datasets/", {"name": "new", "task_type": "vector"}, "member"),
    ("POST", "/datasets/olga/permissions-public/clone/", {"name": "copy", "owner": "firm"}, "member"),
]


@pytest.mark.parametrize("method, path, body, least", ORGANIZATION)
def test_an_organisation_answers_each_caller_as_the_table_says(
    world: World, method: str, path: str, body: Any, least: str
) -> None:
    for caller, role in (("stranger", None), ("mona", "member"), ("bodo", "administrator")):
        for scope in SCOPES:
            needed = "read" if method == "GET" else "manage"
            good = role in ("administrator", least) and SCOPES.index(scope) >= SCOPES.index(needed)
            if "{caller}" in path and role == "administrator" and good:
                continue  # the last administrator stays: that is no question of permission
            if path.endswith("/mona/") and method == "DELETE" and caller == "mona":
                good = scope == "manage"  # who leaves
            row = Row("", "", path, body=body)
            answer = world.ask(row, method, caller, scope, public=True)
            assert answer.status == 403 if not good else 200 <= answer.status < 300, (caller, scope, answer.raw)


@pytest.mark.parametrize("case", [case for case in ROWS if ROWS[case].least != "open"], ids="-".join)
def test_what_is_denied_is_told_without_the_values_of_its_address(world: World, case: tuple[str, str, str]) -> None:
    row = ROWS[case]
    if row.scope == "read":
        return
    with transaction.atomic():
        said = world.common | {"caller": "admin", "own_key": Named()[""], "own_asset": Named()[""]}
        said |= {key: str(value) for key, value in world.names[False].items()}
        browser().generic(
            case[1], row.path.format_map(Named(said)), b"",
            content_type="application/json", headers={"Authorization": f"APIKey {world.keys['admin', 'read']}"},
        )  # fmt: skip
        fact: Any = store.read(SECURITY)[-1].fact
        assert fact.action == f"scope-{row.scope}"
        assert fact.path == endpoints()[case[:2]]
        assert fact.key is not None
        transaction.set_rollback(True)
