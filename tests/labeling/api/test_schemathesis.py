"""Schemathesis asks the whole API what the OpenAPI document allows and what it forbids, alone and in sequences.

No answer may be a 5xx or be undocumented, by its status, type, headers or form; what the document forbids is refused.
Every request is rolled back (a sequence as a whole), so that all of them find the same installation. A quick run asks
a little and always the same; a full run asks more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, settings
from pytest_django import DjangoDbBlocker
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from labeling.api.document import endpoints
from labeling.commands import assets, datasets, issues, labels, organizations, people, samples, webhooks
from labeling.commands.webhooks import Where
from labeling.log.event import Intent
from releases.commands import cut_release
from tests.support.installation import is_full

JSON = dict[str, Any]

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
#: How many requests of each operation are made up, beside the examples and the edges of its schemas.
MADE_UP = 20 if is_full() else 3
#: How many sequences are walked.
WALKS = 60 if is_full() else 12


def configured() -> SchemathesisConfig:
    config = SchemathesisConfig(seed=20261120)
    project = config.projects.default
    project.generation.update(
        max_examples=MADE_UP, deterministic=True, with_security_parameters=False, allow_x00=True, database="none"
    )
    project.phases.coverage.enabled = is_full()
    return config


class World:
    """A dataset of olga's, who runs the installation, with a label, an issue, a release, a key, a file, and a firm."""

    def __init__(self) -> None:
        by = people.operator("test")
        self.olga = people.add_person(intent=by, username="olga", superuser=True)
        ben, _ = (people.add_person(intent=by, username=name) for name in ("ben", "ana"))
        self.key = people.create_key(intent=by, person=self.olga)[1]
        spare, _ = people.create_key(intent=by, person=self.olga)
        firm = organizations.found_organization(intent=by, username="firm")
        organizations.add_organization_member(intent=by, organization=firm.id, person=ben, role="member")
        intent = Intent(author=self.olga.id)
        self.dataset = datasets.create_dataset(
            intent=intent, owner=self.olga.id, name="cars", task_type="vector",
            task_attributes={"categories": [{"id": 1, "name": "car"}]}, changes={"public": True},
        )  # fmt: skip
        datasets.add_member(intent=intent, dataset=self.dataset, person=ben.id, role="labeler")
        datasets.add_label_set(intent=intent, dataset=self.dataset, name="model")
        item = samples.checked_sample({"name": "a.png", "attributes": {"image": {"url": "https://example.org/a.png"}}})
        (sample,) = samples.add_samples(intent=intent, dataset=self.dataset, items=[item], keep_existing=False)
        box = {"id": 1, "category_id": 1, "type": "bbox", "points": [[1, 2], [30, 40]]}
        labels.save_label(
            intent=intent, sample=sample, label_set="ground-truth", document={"annotations": [box]},
            status="LABELED", create=True,
        )  # fmt: skip
        issue = issues.open_issue(intent=intent, sample=sample, fields={"description": "x"})
        cut_release(intent=intent, dataset=self.dataset, name="v1")
        asset = assets.plan_asset(owner=self.olga.id, filename="a.png")
        self.names: JSON = {
            "owner": "olga", "name": "cars", "username": "ben", "organization": "firm", "label_set": "ground-truth",
            "sample": str(sample), "issue": str(issue), "key": str(spare.id), "asset": str(asset.id), "release": "v1",
            "token": asset.token, "filename": asset.filename,
            "webhook": str(self._webhook(Where(self.dataset))), "installation_webhook": str(self._webhook(Where())),
        }  # fmt: skip

    def _webhook(self, where: Where) -> Any:
        hook = {"url": "https://hooks.example.org/x"}
        return webhooks.add_webhook(intent=Intent(author=self.olga.id), where=where, fields=hook)

    @property
    def headers(self) -> JSON:
        return {"Authorization": f"APIKey {self.key}"}

    def aim(self, case: Any) -> None:
        """Put what is there in the place of path parameters, unless those are what is wrong in the request."""
        components = case.meta.components if case.meta else {}
        where = next((info for place, info in components.items() if place.value == "path"), None)
        if where is None or where.mode.is_positive:
            for name in list(case.path_parameters or {}):
                if name in self.names and not (name == "label_set" and "labelsets" in case.path):
                    case.path_parameters[name] = self.names[name]


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """The installation that is asked, in one transaction, which no request may close."""
    with django_db_blocker.unblock(), transaction.atomic():
        made = World()
        # The first use of a key is told, and would be told again by every request.
        Client().get("/user/", headers=made.headers)
        for signal in (request_started, request_finished):  # behind the client, which connects them again
            signal.disconnect(close_old_connections)
        try:
            yield made
        finally:
            for signal in (request_started, request_finished):
                signal.connect(close_old_connections)
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def api() -> Any:
    """The document as Schemathesis reads it. Made by the first test, because to collect tests costs everybody."""
    return schemathesis.openapi.from_wsgi("/api/schema/", WSGIHandler(), config=configured())


class Turn:
    """Which of the cases of an operation are asked: its schemas have thousands of edges, one much like the other."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def has(self, case: Any) -> bool:
        phase = case.meta.phase.name.value
        self.seen[phase] += 1
        if phase == "coverage":
            return self.seen[phase] <= 150 or self.seen[phase] % 11 == 0
        return phase == "fuzzing" or is_full() or self.seen[phase] <= 12


@pytest.mark.parametrize("id", [item.id for item in endpoints()])
def test_an_operation_answers_as_documented(api: Any, world: World, id: str) -> None:
    turn = Turn()

    def ask(case: Any) -> None:
        if turn.has(case):
            world.aim(case)
            with transaction.atomic():
                response = case.call(headers=world.headers)
                transaction.set_rollback(True)
            case.validate_response(response, checks=CHECKS)

    operation = api.find_operation_by_id(id)
    feedback = FeedbackSources(constants_value_source=None)
    build_operation_test(config=api.config, operation=operation, test_func=ask, given_kwargs={}, feedback=feedback)()


def test_sequences_of_requests_are_answered_as_documented(world: World) -> None:
    """From a dataset to its samples, labels, edits, issues and releases, by the links of the document."""
    config = configured()
    config.projects.default.generation.update(modes=[GenerationMode.POSITIVE])
    config.projects.default.phases.stateful.inference.algorithms = []  # by our links only
    linked = schemathesis.openapi.from_wsgi("/api/schema/", WSGIHandler(), config=config)
    deepest: list[str] = []

    class Walk(linked.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            self.steps: list[str] = []
            self.held = transaction.atomic()
            self.held.__enter__()

        def teardown(self) -> None:
            transaction.set_rollback(True)
            self.held.__exit__(None, None, None)
            if len(self.steps) > len(deepest):
                deepest[:] = self.steps

        def before_call(self, case: Any) -> None:
            # What is made up is mostly refused, so every second time it is the example that the document has.
            example = document_of(case).get("requestBody", {}).get("content", {}).get("application/json", {})
            self.turn = getattr(self, "turn", 0) + 1
            if self.turn % 2 and example:
                case.body = named(example["example"], f"walk-{self.turn}")

        def get_call_kwargs(self, case: Any) -> JSON:
            return {"headers": world.headers}

        def validate_response(self, response: Any, case: Any, **kwargs: Any) -> None:
            case.validate_response(response, checks=CHECKS)
            if response.status_code < 300:
                self.steps.append(document_of(case)["operationId"])

    Walk.run(
        settings=settings(
            max_examples=WALKS, stateful_step_count=12, deadline=None, derandomize=not is_full(), database=None,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )
    )  # fmt: skip
    assert len(deepest) >= 4, deepest


def document_of(case: Any) -> JSON:
    found: JSON = case.operation.definition.raw
    return found


def named(body: Any, name: str) -> Any:
    """The body with a name of its own, because most have to be the only one of their name."""
    return body | {"name": name} if isinstance(body, dict) and "name" in body else body
