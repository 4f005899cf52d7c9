"""The links and the examples of the OpenAPI document are followed to the letter, and lead to an answer."""

from __future__ import annotations

import io
from typing import Any

from django.db import transaction

from labeling.api.document import Endpoint, endpoints
from labeling.commands import assets
from labeling.models import Person
from tests.labeling.api.conftest import Answer, Caller
from tests.support import conformity

JSON = dict[str, Any]

ENDPOINTS = {item.id: item for item in endpoints()}
#: Where one begins: operations that need nothing, and make something.
ROOTS = ("dataset_add", "asset_add", "key_add", "organization_add")
#: What is refused even then: nothing was uploaded for the planned file; of pictures of other servers are no masks;
#: nothing was undone; no worker made the release's file, nor ended the import; the sample is no sequence; and some ask
#: for a query.
REFUSED = (
    {
        "asset_complete": 409,
        "asset_erase": 404,
        "training_read": None,  # nobody comes to it without a training
        "sample_frames_edit": 409,
        "dataset_diff": 400,
        "dataset_consistency": 400,
        "dataset_inclusion": 400,
        "organization_member_add": 422,  # it asks for a reason
        "release_export": 400,
        "release_training_add": 409,
    }
    | dict.fromkeys(("label_mask", "label_mask_report", "label_overlay", "label_pixel"), 404)
    | dict.fromkeys(("webhook_redeliver", "organization_webhook_redeliver"), 400)
    | dict.fromkeys(("label_sign", "release_sign"), 409)  # who calls has no password
    | dict.fromkeys(("label_redo", "release_archive", "release_manifest"), 404)
    | {"job_undo": 409}
)


def body_of(id: str) -> Any:
    operation = conformity.operations()[ENDPOINTS[id].name, ENDPOINTS[id].method.upper()]
    return operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")


def links_of(id: str, status: int) -> dict[str, JSON]:
    operation = conformity.operations()[ENDPOINTS[id].name, ENDPOINTS[id].method.upper()]
    found: dict[str, JSON] = operation["responses"].get(str(status), {}).get("links", {})
    return found


def resolved(expression: str, path: JSON, body: Any) -> str:
    """The value of a link's parameter."""
    if expression.startswith("$request.path."):
        return str(path[expression.removeprefix("$request.path.")])
    if not expression.startswith("$response.body#/"):
        return expression
    for step in expression.removeprefix("$response.body#/").split("/"):
        body = body[step]
    return str(body)


class Explorer:
    """Follows links, each operation once from where it was first met; everything below a request is taken back."""

    def __init__(self, caller: Caller, asset: str) -> None:
        self.caller, self.asset = caller, asset
        self.met: dict[str, int] = {}

    def ask(self, item: Endpoint, path: JSON) -> Answer:
        body = body_of(item.id)
        if item.id == "import_add":
            body = body | {"asset": self.asset}
        return self.caller.send(item.method.upper(), item.path.format_map(path), body)

    def follow(self, id: str, path: JSON) -> None:
        with transaction.atomic():
            answer = self.ask(ENDPOINTS[id], path)
            self.met[id] = min(answer.status, self.met.get(id, 999))
            if answer.status < 300 and answer.raw:
                for link in links_of(id, answer.status).values():
                    target = link["operationId"]
                    if self.met.get(target, 999) >= 300:
                        values = {
                            name.removeprefix("path."): resolved(value, path, answer.json)
                            for name, value in link["parameters"].items()
                        }
                        self.follow(target, values)
            transaction.set_rollback(True)


def test_every_link_leads_to_an_answer(caller: Any) -> None:
    for name in ("ben", "ana"):
        caller(name)
    olga = caller("olga", superuser=True)
    owner = Person.objects.get(username="olga").id
    explorer = Explorer(olga, str(assets.keep_file(io.BytesIO(b"{}"), owner=owner, filename="file.json").id))
    for root in ROOTS:
        explorer.follow(root, {})
    linked = {
        link["operationId"] for id in ENDPOINTS for status in (200, 201) for link in links_of(id, status).values()
    }
    assert {id: explorer.met.get(id) for id in linked if explorer.met.get(id, 999) >= 300} == REFUSED
