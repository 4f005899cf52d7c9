"""Loads the demo's datasets through the API; what is already there is found and left as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from config.demo.datasets import Dataset, Sample, label_attributes, sample_attributes
from config.demo.server import Server

LABEL_SET = "ground-truth"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A dataset that stands on the server: its address there, its samples by name, and the offset of its log."""

    dataset: Dataset
    path: str
    samples: Mapping[str, str]
    offset: int
    found: bool

    def label_path(self, sample_name: str) -> str:
        """The address of a sample's label."""
        return label_path(self.samples[sample_name])


def label_path(sample: str) -> str:
    """The address of the ground truth of a sample, by its uuid."""
    return f"/labels/{sample}/{LABEL_SET}/"


def steps(dataset: Dataset) -> int:
    """How often `load` calls `advance`: once a file, and once a label."""
    return sum(len(sample.pictures) + (sample.bitmap is not None) + 1 for sample in dataset.samples)


def load(
    server: Server, owner: str, dataset: Dataset, labeler: str, advance: Callable[[str], None] = lambda what: None
) -> Loaded:
    """Bring the server to hold the dataset, its samples and a label for each, with `labeler` as a member.

    Raises Refused."""
    path = f"/datasets/{quote(owner)}/{quote(dataset.name)}"
    found = server.find(f"{path}/") is not None
    if not found:
        server.call("POST", "/user/datasets/", creation(dataset))
    if server.find(f"{path}/collaborators/{quote(labeler)}") is None:
        server.call("POST", f"{path}/collaborators/", {"user": labeler, "role": "labeler"})
    there = {sample["name"]: sample["uuid"] for sample in server.call("GET", f"{path}/samples/?per_page=1000").json}
    offset = 0
    for sample in dataset.samples:
        uuid = there.get(sample.name)
        if uuid is None:
            uuid = there[sample.name] = add_sample(server, path, sample, lambda name: advance(f"{dataset.name} {name}"))
        else:
            for picture in sample.pictures:
                advance(f"{dataset.name} {picture.filename}")
        offset = put_label(server, sample, uuid, lambda name: advance(f"{dataset.name} {name}"))
    return Loaded(dataset, path, there, offset, found)


def creation(dataset: Dataset) -> dict[str, Any]:
    """The body that makes the dataset."""
    return {
        "name": dataset.name,
        "description": dataset.description,
        "task_type": dataset.task_type,
        "task_attributes": dataset.task_attributes,
        "category": dataset.category,
        "readme": dataset.readme,
        "public": False,
    }


def add_sample(server: Server, path: str, sample: Sample, advance: Callable[[str], None]) -> str:
    """Upload the sample's pictures, add it, and return its uuid."""
    urls = []
    for picture in sample.pictures:
        urls.append(server.upload(picture.filename, picture.data))
        advance(picture.filename)
    body = {"name": sample.name, "attributes": sample_attributes(sample, urls), "metadata": sample.metadata}
    uuid: str = server.call("POST", f"{path}/samples/", body).json["uuid"]
    return uuid


def put_label(server: Server, sample: Sample, uuid: str, advance: Callable[[str], None]) -> int:
    """Upload the label where the sample has none, or fewer objects than the demo needs; return the log's offset."""
    there = server.find(label_path(uuid))
    url = None
    if there is not None and holds_enough(there.json["attributes"], sample):
        if sample.bitmap is not None:
            advance(sample.bitmap.filename)
        advance(sample.name)
        return there.offset
    if sample.edits:
        if there is not None:
            server.call("DELETE", label_path(uuid))
        edits = [*sample.edits, {"op": "set_status", "verb": "submit"}]
        answer = server.call("POST", f"{label_path(uuid)}edits/", {"edits": edits})
        advance(sample.name)
        return answer.offset
    if sample.bitmap is not None:
        url = server.upload(sample.bitmap.filename, sample.bitmap.data)
        advance(sample.bitmap.filename)
    body = {"label_status": "LABELED", "attributes": label_attributes(sample, url)}
    answer = server.call("PUT", label_path(uuid), body)
    advance(sample.name)
    return answer.offset


def holds_enough(attributes: dict[str, Any] | None, sample: Sample) -> bool:
    """Whether a label still has the objects that the two people are going to edit."""
    if attributes is None:
        return False
    if sample.edits:
        return tracks_of(attributes) >= {edit["track_id"] for edit in sample.edits if edit["op"] == "add_track"}
    if "annotations" not in sample.label:
        return True
    there = {annotation["id"] for annotation in attributes.get("annotations", [])}
    return there >= {annotation["id"] for annotation in sample.label["annotations"]}


def tracks_of(attributes: dict[str, Any]) -> set[int]:
    """The numbers of the tracks in a sequence's label."""
    return {item["track_id"] for frame in attributes.get("frames", ()) for item in frame["annotations"]}
