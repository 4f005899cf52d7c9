"""What the tests with bad input share: requests that are good but for one fault, and what every refusal must be."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import requests
from segments.resource_api import Sample

from tests.e2e.documents import bbox, vector_label
from tests.e2e.wire import Wire

MARK = "zebra7391"  # put into bad values: no answer may repeat it
LABEL = vector_label(bbox(1), image_attributes={"weather": "rain"})


class Target(NamedTuple):
    """A request whose body is going to be bad."""

    method: str
    path: str
    good: dict[str, Any]


class Bench:
    """A labelled sample, and the check that the dataset's log stands where it stood."""

    def __init__(self, wire: Wire, sample: Sample) -> None:
        self.wire = wire
        self.sample = sample
        self.dataset = sample.dataset.full_name
        self.label = f"/labels/{sample.uuid}/ground-truth/"
        self.edits = f"{self.label}edits/"
        self.seen: tuple[int, dict[str, Any]] | None = None
        self.targets = {
            "put label": Target("PUT", self.label, {"attributes": LABEL, "label_status": "LABELED"}),
            "patch label": Target("PATCH", self.label, {"label_status": "LABELED", "attributes": LABEL}),
            "edits": Target("POST", self.edits, {"edits": [{"op": "remove", "annotation": 1}]}),
            "add dataset": Target("POST", "/user/datasets/", {"name": "never", "task_type": "vector"}),
            "update dataset": Target("PATCH", f"/datasets/{self.dataset}/", {"description": "x"}),
            "add sample": Target(
                "POST", f"/datasets/{self.dataset}/samples/", {"name": "n.png", "attributes": {"image": {"url": ""}}}
            ),
            "update sample": Target("PATCH", f"/samples/{sample.uuid}/", {"metadata": {"a": 1}}),
            "add label set": Target("POST", f"/datasets/{self.dataset}/labelsets/", {"name": "model"}),
            "add release": Target("POST", f"/datasets/{self.dataset}/releases/", {"name": "v1", "description": ""}),
            "add asset": Target("POST", "/assets/", {"filename": "a.png"}),
        }

    def send(self, target: str, raw: bytes, **headers: str) -> requests.Response:
        aimed = self.targets[target]
        return self.wire.send(aimed.method, aimed.path, raw=raw, headers=headers)

    def state(self) -> tuple[int, dict[str, Any]]:
        """The head of the dataset's log, and the label."""
        return self.wire.head(self.dataset), self.wire.label(self.sample.uuid)


# They share one parser, so a quick run tries every fault on three of them.
TARGETS = tuple(
    target if target in ("put label", "edits", "add dataset") else pytest.param(target, marks=pytest.mark.full)
    for target in (
        "put label",
        "patch label",
        "edits",
        "add dataset",
        "update dataset",
        "add sample",
        "update sample",
        "add label set",
        "add release",
        "add asset",
    )
)


def refused(answer: requests.Response, field: str | None = None, status: int | None = None) -> dict[str, Any]:
    """The body of a refusal, after looking at what every refusal must be."""
    assert 400 <= answer.status_code < 500, f"{answer.status_code}: {answer.text[:500]}"
    if status is not None:
        assert answer.status_code == status, answer.text
    said: dict[str, Any] = answer.json()
    assert isinstance(said["detail"], str) and said["detail"]
    assert isinstance(said["code"], str) and said["code"]
    assert MARK not in answer.text
    assert not any(MARK in value for value in answer.headers.values())
    assert "ETag" not in answer.headers
    if field is not None:
        assert said.get("field"), f"no field is named: {said}"
        assert field in said["field"], said
    return said
