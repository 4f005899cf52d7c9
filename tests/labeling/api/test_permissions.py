"""Every endpoint, asked by everybody: each role with each scope of key, in a public and in a private dataset.

The operations, and what each takes (x-scope, x-action), are those of the OpenAPI document. One without a row here
fails, and so does a method of a view that is not in the document; and every answer has to be documented. Every request
is rolled back, so that all of them ask the same installation.
"""

from __future__ import annotations

import io
import itertools
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from labeling.api.document import addresses, document, endpoints
from labeling.commands import assets, datasets, issues, labels, organizations, people, samples, saved_reports, webhooks
from labeling.commands.webhooks import Where
from labeling.log import store
from labeling.log.event import SECURITY, Intent
from labeling.models import ApiKey, Person
from labeling.reports.catalogue import REPORTS
from labeling.reports.tables import Question
from labeling.rules.access import ACTIONS, IN_PUBLIC
from releases import builds
from releases.commands import cut_release, register_training
from releases.imports.commands import start_import
from releases.imports.wish import Wish
from releases.models import ImportJob, Release
from tests.labeling.api.conftest import Answer, browser
from tests.support.installation import is_full
from tests.support.masks import picture, upload

JSON = dict[str, Any]

ROLES = ("viewer", "labeler", "reviewer", "manager", "admin")
#: Who asks: nobody without a key, a stranger with one, each role, and who runs the installation.
CALLERS = ("nobody", "stranger", *ROLES, "superuser")
SCOPES = ("read", "label", "manage")
FEW = ("stranger", "admin", "superuser")
DOCUMENT: JSON = {"annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [30, 40]]}]}
WHOLE: JSON = {"attributes": DOCUMENT, "label_status": "LABELED"}
IMAGE: JSON = {"image": {"url": "https://example.org/street.png"}}


@dataclass(frozen=True)
class Row:
    """One request of an operation; who may make it is in the document, unless this request takes something else.

    `action` is one of access.ACTIONS, or: "open" to everybody without a key too; "account" to everybody with one;
    "superuser". `public` is the refusal that a stranger gets in a public dataset; 403 unless said. `at` fills the path.
    """

    body: Any = None
    query: str = ""
    status: int = 0  #: the one status that everybody gets who is not refused; 0 for any that is good
    action: str = ""
    public: int = 0
    at: JSON = field(default_factory=dict)


EDIT = {"edits": [{"op": "set_scene_attributes", "attributes": {"rain": True}}]}
NEW_DATASET = {"name": "new", "task_type": "vector"}


def verb(name: str, **more: Any) -> JSON:
    return {"edits": [{"op": "set_status", "verb": name} | more]}


LABELER, MONA = {"username": "labeler"}, {"username": "mona"}
FIRMS, OF_ALL = {"webhook": "{firms_webhook}"}, {"installation_webhook": "{webhook_of_all}"}
# (operation, what differs): the row.
ROWS: dict[tuple[str, str], Row] = {
    # --- open to everybody
    ("schema", ""): Row(),
    ("docs", ""): Row(),
    ("signing_keys", ""): Row(),
    ("media", ""): Row(status=404),
    ("asset_upload", ""): Row(status=400),
    ("release_file", ""): Row(status=404, at={"release": str(uuid.UUID(int=7, version=4))}),
    ("export_file", ""): Row(status=404, at={"export": str(uuid.UUID(int=7, version=4))}),
    # --- of the caller
    ("formats", ""): Row(),
    ("status", ""): Row(),
    ("user", ""): Row(),
    ("datasets", ""): Row(),
    ("dataset_add", ""): Row(NEW_DATASET, action="account"),
    ("keys", ""): Row(),
    ("key_add", ""): Row({"name": "x"}),
    ("key_read", ""): Row(),
    ("key_revoke", ""): Row(),
    ("key_revoke", "somebody else's"): Row(status=404, at={"key": "{olgas_key}"}),
    ("user_read", ""): Row(),
    ("datasets_of_user", ""): Row(),
    ("dataset_add_for_user", "for oneself"): Row(NEW_DATASET, action="account", at={"username": "{caller}"}),
    ("dataset_add_for_user", ""): Row(NEW_DATASET),
    ("asset_add", ""): Row({"filename": "a.png"}),
    ("asset_complete", ""): Row({}, status=409),
    ("asset_erase", ""): Row({"dry_run": True}, status=404, at={"asset": "{olgas_asset}"}),  # nothing is in it
    ("asset_complete", "somebody else's"): Row({}, status=404, at={"asset": "{olgas_asset}"}),
    # --- organisations (who is what there has a table of its own, below)
    ("organizations", ""): Row(),
    ("organization_add", ""): Row({"username": "new-firm"}),
    ("datasets_of_organization", ""): Row(),
    ("dataset_add_for_organization", ""): Row(NEW_DATASET),
    ("organization_members", ""): Row(),
    ("organization_member_add", ""): Row({"user": "olga"}),
    ("organization_member_read", ""): Row(at=MONA),
    ("organization_member_change", ""): Row({"role": "administrator"}, at=MONA),
    ("organization_member_delete", ""): Row(at=MONA),
    # --- a dataset
    ("dataset_read", ""): Row(),
    ("dataset_read", "at"): Row(query="at=3", action="history"),
    ("dataset_change", ""): Row({"readme": "x"}),
    ("dataset_change", "nothing"): Row({}),
    ("dataset_delete", ""): Row(),
    ("dataset_clone", ""): Row({"name": "copy"}),
    ("dataset_events", ""): Row(),
    ("collaborators", ""): Row(public=404),
    ("collaborators", "at"): Row(query="at=99", action="history", public=404),
    ("labelsets", "at"): Row(query="at=release:v1", action="history"),
    ("collaborator_add", ""): Row({"user": "newcomer", "role": "labeler"}),
    ("collaborator_add", "an admin"): Row({"user": "newcomer", "role": "admin"}, action="members-admin"),
    ("collaborator_read", ""): Row(at=LABELER, public=404),
    ("collaborator_change", ""): Row({"role": "viewer"}, at=LABELER),
    ("collaborator_change", "to admin"): Row({"role": "admin"}, action="members-admin", at=LABELER),
    ("collaborator_change", "an admin"): Row({"role": "viewer"}, action="members-admin", at={"username": "admin"}),
    ("collaborator_delete", ""): Row(at=LABELER),
    ("collaborator_delete", "an admin"): Row(action="members-admin"),
    ("labelsets", ""): Row(),
    ("labelset_add", ""): Row({"name": "new"}),
    ("labelset_read", ""): Row(at={"label_set": "model"}),
    ("labelset_delete", ""): Row(at={"label_set": "model"}),
    ("work_units", ""): Row(),
    ("report", ""): Row(at={"report": "time"}),
    ("report", "of all"): Row(at={"report": "queue"}, action="work"),
    ("dataset_audits", ""): Row(),
    ("dataset_audit", ""): Row(at={"report": "duties"}),
    ("dataset_checkpoints", ""): Row(),
    ("dataset_inclusion", ""): Row(query="offset=1", status=404),
    ("dataset_consistency", ""): Row(query="from=1", status=404),
    ("dataset_bundle", ""): Row(),
    ("audits", ""): Row(),
    ("audit", ""): Row(at={"report": "access"}),
    ("audit_again", ""): Row({"offsets": {"installation": 1}}, at={"report": "access"}),
    ("checkpoints", ""): Row(),
    ("inclusion", ""): Row(query="offset=1", status=404),
    ("consistency", ""): Row(query="from=1", status=404),
    ("saved_reports", ""): Row(),
    ("saved_report_add", ""): Row({"name": "of time", "report": "time"}),
    ("saved_report_add", "of all"): Row({"name": "of all", "report": "queue"}, action="work"),
    ("saved_report_run", ""): Row(action="work"),
    ("saved_report_remove", ""): Row(),
    ("activity_tell", ""): Row(
        {
            "session": str(uuid.UUID(int=8, version=4)),
            "signals": [{"number": 0, "kind": "opened", "sample": "{sample}"}],
        }
    ),
    ("releases", ""): Row(),
    ("release_add", ""): Row({"name": "v2"}),
    ("release_read", ""): Row(),
    ("release_manifest", ""): Row(),
    ("release_archive", ""): Row(),
    ("release_signatures", ""): Row(),
    ("release_sign", ""): Row({"meaning": "released", "password": "x"}, status=409),  # they have none
    ("release_trainings", ""): Row(),
    ("release_training_add", ""): Row({"name": "run 7", "model": "detector"}),
    ("release_lineage", ""): Row(),
    ("trainings", ""): Row(),
    ("training_read", ""): Row(),
    ("dataset_diff", ""): Row(query="from=1"),
    ("release_delete", ""): Row(),
    ("release_export", ""): Row(query="format=coco-instances"),
    # --- imports, one of them olga's, which nobody is at work on
    ("imports", ""): Row(public=403),
    ("import_add", ""): Row({"format": "native", "asset": "{asset}", "samples": "skip", "categories": "skip"}),
    ("import_add", "with samples"): Row({"format": "native", "asset": "{asset}"}, action="change"),
    ("job_read", ""): Row(at={"job": "{job}"}),
    ("job_delete", ""): Row(at={"job": "{job}"}, action="change"),
    ("job_cancel", ""): Row(at={"job": "{job}"}, action="change"),
    ("job_retry", ""): Row(at={"job": "{ended_job}"}, action="change"),
    ("job_undo", ""): Row({"dry_run": True}, at={"job": "{ended_job}"}, action="restore"),
    # --- its samples
    ("samples", ""): Row(),
    ("samples", "with labels"): Row(query="labelset=ground-truth&include_full_label=1"),
    ("samples", "at"): Row(query="at=3", action="history"),
    ("sample_add", ""): Row({"name": "new.png", "attributes": IMAGE}),
    ("samples_add", ""): Row([{"name": "new.png", "attributes": IMAGE}]),
    ("samples_delete", ""): Row({"uuids": ["{sample}"]}),
    ("sample_read", ""): Row(),
    ("sample_read", "at"): Row(query="at=99", action="history"),
    ("sample_change", ""): Row({"priority": 4}),
    ("sample_change", "assigned"): Row({"assigned_labeler": "labeler"}),
    ("sample_change", "its name"): Row({"name": "b", "priority": 4}, action="change"),
    ("sample_delete", ""): Row(),
    ("sample_frames_edit", ""): Row({"edits": [{"op": "remove", "frame": 0}]}, status=409),
    # --- their labels
    ("label_read", ""): Row(),
    ("label_read", "at"): Row(query="at=99", action="history"),
    ("label_set", ""): Row(WHOLE),
    ("label_change", ""): Row({"label_status": "REVIEWED"}),
    ("label_delete", ""): Row(),
    ("labels_shape", ""): Row({"what": "fit", "dry_run": True}),
    ("masks_import", ""): Row({"masks": [{"reference_id": "nowhere", "mask_url": "x", "annotations": []}]}),
    ("label_edit", ""): Row(EDIT),
    ("label_edit", "submit"): Row(verb("submit")),
    ("label_edit", "accept"): Row(verb("accept"), action="review"),
    ("label_edit", "reject"): Row(verb("reject"), action="review"),
    ("label_edit", "override"): Row(verb("override", status="SKIPPED") | {"reason": "by hand"}, action="override"),
    ("datasheet_read", ""): Row(),
    ("datasheet_read", "at"): Row(query="at=3", action="history"),
    ("datasheet_change", ""): Row({"motivation": "Cars"}),
    ("guidelines", ""): Row(),
    ("guidelines", "at"): Row(query="at=99", action="history"),
    ("guideline_add", ""): Row({"text": "# Cars"}),
    ("guideline_objects", ""): Row(at={"guideline": "0"}),
    ("dataset_feed", ""): Row(query="seconds=0&after=1"),
    ("label_history", ""): Row(),
    ("label_blame", ""): Row(),
    ("sample_history", ""): Row(),
    ("dataset_history", ""): Row(),
    ("dataset_history", "as lines"): Row(query="format=csv"),
    ("label_signatures", ""): Row(),
    ("label_sign", ""): Row({"meaning": "reviewed", "version": 1, "password": "x"}, status=409),  # they have none
    ("label_undo", ""): Row({"count": 1}, status=409),  # nobody of them made a gesture
    ("label_redo", ""): Row({}, status=409),
    ("label_restore", ""): Row({"of": {"kind": "gesture", "gesture": str(uuid.UUID(int=7, version=4))}}, status=404),
    ("label_restore", "of others"): Row({"of": {"kind": "label", "at": 1}, "dry_run": True}, action="restore"),
    ("sample_restore", ""): Row({"of": {"kind": "gesture", "gesture": str(uuid.UUID(int=7, version=4))}}),
    ("sample_restore", "of others"): Row({"of": {"kind": "sample", "at": 1}, "dry_run": True}, action="restore"),
    ("dataset_restore", ""): Row({"of": {"kind": "work_session", "work_session": str(uuid.UUID(int=7, version=4))}}),
    ("dataset_restore", "of others"): Row(
        {"of": {"kind": "author", "author": "olga"}, "dry_run": True}, action="restore"
    ),
    ("label_events", ""): Row(),
    ("label_mask", ""): Row(),
    ("label_mask", "at"): Row(query="at=99", action="history"),
    ("label_mask_report", ""): Row(),
    ("label_mask_report", "at"): Row(query="at=99", action="history"),
    ("label_overlay", ""): Row(),
    ("label_overlay", "at"): Row(query="at=99", action="history"),
    ("label_pixel", ""): Row(query="x=1&y=1"),
    ("label_pixel", "at"): Row(query="x=1&y=1&at=99", action="history"),
    ("label_tracks", ""): Row(),
    ("label_tracks", "at"): Row(query="at=99", action="history"),
    ("label_frames", ""): Row(),
    ("label_frames", "at"): Row(query="at=99", action="history"),
    ("interpolate", ""): Row(
        {
            "key_frames": {"0": {"objects": [{"id": 1, "geometry": {"type": "point", "points": [[1, 2]]}}]}},
            "objects_to_interpolate": [1],
        }
    ),
    # --- webhooks
    ("webhooks", ""): Row(),
    ("webhook_add", ""): Row({"url": "https://hooks.example.org/x"}),
    ("webhook_read", ""): Row(),
    ("webhook_change", ""): Row({"paused": True}),
    ("webhook_remove", ""): Row(),
    ("webhook_secret", ""): Row(),
    ("webhook_ping", ""): Row(),
    ("webhook_redeliver", ""): Row(query="from=1"),
    ("webhook_deliveries", ""): Row(),
    ("organization_webhooks", ""): Row(),
    ("organization_webhook_add", ""): Row({"url": "https://hooks.example.org/x"}),
    ("organization_webhook_read", ""): Row(at=FIRMS),
    ("organization_webhook_change", ""): Row({"paused": True}, at=FIRMS),
    ("organization_webhook_remove", ""): Row(at=FIRMS),
    ("organization_webhook_secret", ""): Row(at=FIRMS),
    ("organization_webhook_ping", ""): Row(at=FIRMS),
    ("organization_webhook_redeliver", ""): Row(query="from=1&dataset=firm/fleet", at=FIRMS),
    ("organization_webhook_deliveries", ""): Row(at=FIRMS),
    ("installation_webhooks", ""): Row(),
    ("installation_webhook_add", ""): Row({"url": "https://hooks.example.org/x"}),
    ("installation_webhook_read", ""): Row(at=OF_ALL),
    ("installation_webhook_change", ""): Row({"paused": True}, at=OF_ALL),
    ("installation_webhook_remove", ""): Row(at=OF_ALL),
    ("installation_webhook_secret", ""): Row(at=OF_ALL),
    ("installation_webhook_ping", ""): Row(at=OF_ALL),
    ("installation_webhook_redeliver", ""): Row(query="from=1&dataset=firm/fleet", at=OF_ALL),
    ("installation_webhook_deliveries", ""): Row(at=OF_ALL),
    # --- issues, raised by olga
    ("issues", ""): Row(),
    ("issues", "at"): Row(query="at=99", action="history"),
    ("sample_issues", ""): Row(),
    ("sample_issues_for_sdk", ""): Row(),
    ("issue_add", ""): Row({"description": "x"}),
    ("issue_read", ""): Row(),
    ("issue_change", ""): Row({"status": "CLOSED"}),
    ("issue_change", "its words"): Row({"description": "y"}, action="moderate"),
    ("issue_delete", ""): Row(),
    ("issue_comment", ""): Row({"text": "y"}),
}


# --- the operations that there are ---------------------------------------------------------------------------------

OPERATIONS = {item.id: item for item in endpoints()}
#: What nobody but who runs the installation may, of the callers here: none of them belongs to an organisation.
OF_NO_ROLE = {"create-dataset": "superuser", "organization-members": "superuser", "organization-manage": "superuser"}


def test_every_operation_of_the_document_has_a_row():
    in_document = {operation["operationId"] for item in document()["paths"].values() for operation in item.values()}
    assert in_document - {id for id, differs in ROWS if not differs} == set()
    assert {id for id, _ in ROWS} - in_document == set()


def methods(view: Any) -> set[str]:
    """What a view answers, apart from HEAD (which is GET) and OPTIONS (which tells nothing of any object)."""
    return {name for name in view.http_method_names if hasattr(view, name)} - {"head", "options"}


def test_every_method_of_every_address_is_in_the_document():
    there = {(name, method) for name, _, view in addresses() for method in methods(view)}
    assert there - {(item.name, item.method) for item in OPERATIONS.values()} == set()


def least(case: tuple[str, str]) -> str:
    """The lowest role that may, or one of the other words of Row.action."""
    action = ROWS[case].action or document_of(case[0])["x-action"]
    if action in ACTIONS:
        return next(role for role in ROLES if role in ACTIONS[action].roles)
    return OF_NO_ROLE.get(action, action)


def document_of(id: str) -> JSON:
    item = OPERATIONS[id]
    found: JSON = document()["paths"][item.path][item.method]
    return found


def in_public(case: tuple[str, str]) -> int:
    """What a stranger gets in a public dataset."""
    row, operation = ROWS[case], document_of(case[0])
    open_to_all = (row.action or operation["x-action"]) in IN_PUBLIC and operation["x-public"]
    assert not (row.public and open_to_all)
    return row.public or (200 if open_to_all else 403)


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
        bodo = self.people["bodo"]
        datasets.create_dataset(
            intent=Intent(author=bodo.id),
            owner=firm.id,
            name="fleet",
            task_type="vector",
            task_attributes=None,
            changes={},
        )
        hook: JSON = {"url": "https://hooks.example.org/x"}
        self.assets = {
            name: assets.plan_asset(owner=person.id, filename="a.png").id for name, person in self.people.items()
        }
        self.files = {
            name: str(assets.keep_file(io.BytesIO(b"{}"), owner=person.id, filename="file.json").id)
            for name, person in self.people.items()
        }
        self.common = {
            "olgas_key": str(olgas_key.id), "olgas_asset": str(self.assets["olga"]), "owner": "olga",
            "username": "olga", "organization": "firm", "label_set": "ground-truth", "release": "v1",
            "firms_webhook": str(webhooks.add_webhook(intent=by, where=Where(organization=firm.id), fields=hook)),
            "webhook_of_all": str(webhooks.add_webhook(intent=people.operator("test"), where=Where(), fields=hook)),
        }  # fmt: skip
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
        image = {"image": {"url": upload(self.people["olga"], picture())}}
        item = samples.checked_sample({"name": "a.png", "attributes": image})
        (sample,) = samples.add_samples(intent=olga, dataset=made, items=[item], keep_existing=False)
        labels.save_label(
            intent=olga, sample=sample, label_set="ground-truth", document=DOCUMENT, status="PRELABELED", create=True
        )
        issue = issues.open_issue(intent=olga, sample=sample, fields={"description": "x"})
        release = cut_release(intent=olga, dataset=made, name="v1")
        builds.build(release)
        training = register_training(
            intent=Intent(author=olga.author), release=Release.objects.get(id=release), said={"name": "x", "model": "y"}
        )
        hook = {"url": "https://hooks.example.org/x"}
        webhook = webhooks.add_webhook(intent=Intent(author=olga.author), where=Where(made), fields=hook)
        saved = saved_reports.save_report(
            intent=olga, dataset=made, name="all", report=REPORTS["time"], at=None, options={},
            question=Question(300, ZoneInfo("UTC")),
        )  # fmt: skip
        jobs_of = {}
        for job, status in (("job", "PENDING"), ("ended_job", "FAILED")):
            file = assets.keep_file(io.BytesIO(b"{}"), owner=self.people["olga"].id, filename="file.json")
            begun = start_import(intent=olga, dataset=made, wish=Wish("native"), asset=file, send=False)
            ImportJob.objects.filter(id=begun.id).update(status=status)
            jobs_of[job] = str(begun.id)
        found = {
            "saved_report": str(saved),
            "id": made,
            "name": name,
            "sample": str(sample),
            "issue": str(issue),
            "webhook": str(webhook),
            "training": str(training),
        }
        return found | jobs_of

    def ask(self, case: tuple[str, str], caller: str, scope: str, *, public: bool) -> Answer:
        """Make the request, and take back what it did."""
        row, item = ROWS[case], OPERATIONS[case[0]]
        said = self.common | {name: str(value) for name, value in self.names[public].items()} | {"caller": caller}
        if caller != "nobody":
            key = ApiKey.objects.filter(person=self.people[caller], scope=scope).latest("created_at")
            said |= {"key": str(key.id), "asset": str(self.assets[caller]), "file": self.files[caller]}
        path = item.path.format_map(Named(said | {name: value.format_map(said) for name, value in row.at.items()}))
        path += f"?{row.query}" if row.query else ""
        return self.send(item.method.upper(), path, filled(row.body, said), caller, scope)

    def send(self, method: str, path: str, body: bytes, caller: str, scope: str) -> Answer:
        headers = {"X-Reason": "as agreed"}  # which members of organisations are asked for
        headers |= {"Authorization": f"APIKey {self.keys[caller, scope]}"} if caller != "nobody" else {}
        with transaction.atomic():
            answer = Answer(browser().generic(method, path, body, content_type="application/json", headers=headers))
            transaction.set_rollback(True)
        answer.check(method, path, body)
        return answer


def filled(body: Any, said: JSON) -> bytes:
    if body is None:
        return b""
    return json.dumps(body).replace("{sample}", said["sample"]).replace("{asset}", said.get("file", "")).encode()


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with django_db_blocker.unblock(), transaction.atomic():
        made = World()
        for key in made.keys.values():  # the first use of a key is told, and would be told again by every request
            browser().get("/user/", headers={"Authorization": f"APIKey {key}"})
        yield made
        transaction.set_rollback(True)


# --- the matrix ----------------------------------------------------------------------------------------------------


def expected(case: tuple[str, str], caller: str, scope: str, *, public: bool) -> int:
    """The status that the document and the table say; 200 stands for every good one."""
    row, needed = ROWS[case], least(case)
    good = row.status or 200
    if needed == "open":
        return good
    if caller == "nobody":
        return 401
    if SCOPES.index(scope) < SCOPES.index(document_of(case[0])["x-scope"]):
        return 403
    if needed in ("account", "superuser"):
        return good if needed == "account" or caller == "superuser" else 403
    if caller == "superuser":
        return good
    if caller == "stranger":
        return in_public(case) if public else 404
    if ROLES.index(caller) >= ROLES.index(needed) or (public and in_public(case) == 200):
        return good
    return 403


def asked(needed: str) -> Iterator[tuple[str, str, bool]]:
    """(caller, scope of the key, whether the dataset is public): all of them in a full run; in a quick one everybody
    with the scope that it takes, and with the others a stranger and the two who may everything with the right one.
    """
    for caller, scope, public in itertools.product(CALLERS, SCOPES, (True, False)):
        if caller == "nobody" and scope != SCOPES[0]:
            continue  # has no key, so these are the same requests
        if is_full() or caller == "nobody" or scope == needed or (caller in FEW and not public):
            yield caller, scope, public


@pytest.mark.parametrize("case", ROWS, ids="-".join)
def test_an_operation_answers_each_caller_as_the_document_says(world: World, case: tuple[str, str]) -> None:
    wrong = []
    heads = [store.head(world.names[public]["id"]) for public in (True, False)]
    for caller, scope, public in asked(document_of(case[0])["x-scope"]):
        answer = world.ask(case, caller, scope, public=public)
        wanted = expected(case, caller, scope, public=public)
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
    ("GET", "/organizations/firm/webhooks/", None, "administrator"),
    ("POST", "/organizations/firm/webhooks/", {"url": "https://hooks.example.org/x"}, "administrator"),
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
            where = path.replace("{caller}", caller)
            answer = world.send(method, where, filled(body, world.names[True]), caller, scope)
            assert answer.status == 403 if not good else 200 <= answer.status < 300, (caller, scope, answer.raw)


@pytest.mark.parametrize("id", [item.id for item in OPERATIONS.values() if item.scope != "read"])
def test_what_is_denied_is_told_without_the_values_of_its_address(world: World, id: str) -> None:
    item = OPERATIONS[id]
    with transaction.atomic():
        said = world.common | {name: str(value) for name, value in world.names[False].items()}
        world_path = item.path.format_map(Named(said))
        browser().generic(
            item.method.upper(), world_path, b"",
            content_type="application/json", headers={"Authorization": f"APIKey {world.keys['admin', 'read']}"},
        )  # fmt: skip
        fact: Any = store.read(SECURITY)[-1].fact
        assert fact.action == f"scope-{item.scope}"
        assert fact.path == item.path.rstrip("/") + "/"
        assert fact.key is not None
        transaction.set_rollback(True)
