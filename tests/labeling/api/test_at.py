"""Every read of a dataset's content takes `at`, and gives then what it gave when that was now."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from labeling.api.document import document, endpoints
from tests.sequences.api.test_tracks import WALK
from tests.sequences.support import bbox
from tests.support.masks import box, picture, upload

JSON = dict[str, Any]

#: Reads that take no `at`, and why.
WITHOUT: dict[str, str] = {
    "docs": "no content of a dataset",
    "schema": "no content of a dataset",
    "status": "no content of a dataset",
    "formats": "no content of a dataset",
    "user": "who calls: people are of the installation, which has a log of its own",
    "user_read": "people are of the installation, which has a log of its own",
    "keys": "keys are of the installation, and only today's matter",
    "key_read": "keys are of the installation, and only today's matter",
    "signing_keys": "keys are of the installation, each with the time from which on it was taken back",
    "organizations": "organisations are of the installation, which has a log of its own",
    "organization_members": "organisations are of the installation, which has a log of its own",
    "organization_member_read": "organisations are of the installation, which has a log of its own",
    "datasets": "many datasets: an offset is a place in the log of one",
    "datasets_of_user": "many datasets: an offset is a place in the log of one",
    "datasets_of_organization": "many datasets: an offset is a place in the log of one",
    "dataset_diff": "compares two places: `from` and `to`",
    "dataset_feed": "is the log while it happens: `after` is its place",
    "release_export": "a release is frozen at its own offset, and so is whatever is made of it",
    "release_archive": "a release is frozen at its own offset, and so is whatever is made of it",
    "audits": "no content of a dataset: which reports there are",
    "dataset_audits": "no content of a dataset: which reports there are",
    "inclusion": "proved by a checkpoint, which says its own offset",
    "dataset_inclusion": "proved by a checkpoint, which says its own offset",
    "consistency": "proved by checkpoints, which say their own offsets",
    "dataset_consistency": "proved by checkpoints, which say their own offsets",
    "checkpoints": "what was signed of a log says its own offset",
    "dataset_checkpoints": "what was signed of a log says its own offset",
    "webhooks": "where messages go is of the installation's log, and only today's addresses matter",
    "webhook_read": "where messages go is of the installation's log, and only today's addresses matter",
    "organization_webhooks": "where messages go is of the installation's log, and only today's addresses matter",
    "organization_webhook_read": "where messages go is of the installation's log, and only today's addresses matter",
    "installation_webhooks": "where messages go is of the installation's log, and only today's addresses matter",
    "installation_webhook_read": "where messages go is of the installation's log, and only today's addresses matter",
    "webhook_deliveries": "what was sent, told by times of its own",
    "organization_webhook_deliveries": "what was sent, told by times of its own",
    "installation_webhook_deliveries": "what was sent, told by times of its own",
    "imports": "jobs, which are told as they are; what an import did is in the log",
    "job_read": "jobs, which are told as they are; what an import did is in the log",
    "dataset_bundle": "is sealed at an offset that it names itself",
    "guideline_objects": "found in the log: which events were made under it, whatever stands today",
    "label_signatures": "each says which version it signs, and whether that stands today",
    "release_lineage": "of a release, which is frozen at its own offset, to those who use it today",
    "release_trainings": "each says when it was registered",
    "trainings": "each says when it was registered",
    "training_read": "says when it was registered",
    "release_signatures": "each says what it signs, and whether that stands today",
    "saved_report_run": "a report that is kept is of its own offset",
    "release_file": "bytes that never change, known by their hash",
    "export_file": "bytes that never change, known by their hash",
    "media": "bytes that never change, known by their hash",
}

READS = {item.id: item for item in endpoints() if item.method == "get"}


def takes_at(id: str) -> bool:
    return "at" in {item["name"] for item in READS[id].operation.parameters}


def test_every_read_takes_at_or_says_why_not():
    """Read from the document that is served, so that a read that is added has to take part."""
    served = {
        operation["operationId"]: {item["name"] for item in operation["parameters"]}
        for path in document()["paths"].values()
        for method, operation in path.items()
        if method == "get"
    }
    assert {id for id, names in served.items() if "at" not in names} == WITHOUT.keys()


@pytest.mark.parametrize("id", [id for id in READS if takes_at(id)])
def test_an_answer_names_the_offset_that_it_shows(id: str):
    answers = document()["paths"][READS[id].path]["get"]["responses"]
    assert answers["200"]["headers"]["Dataset-Offset"]["required"], "also where nothing was asked of the past"


# --- what was, is told as it was -----------------------------------------------------------------------------------

#: What to ask of an operation beside `at`; several where there is more than one way.
QUERIES: dict[str, list[str]] = {
    "label_pixel": ["x=5&y=5"],
    "samples": [
        "",
        "labelset=ground-truth",
        "labelset=second&include_full_label=1",
        "sort=-name&per_page=2",
        "sort=priority&per_page=1&page=2",
        "sort=gt_label__updated_at&labelset=ground-truth",
        "sort=-gt_label__updated_at",
        "label_status=LABELED,UNLABELED",
        "label_status=LABELED&labelset=second",
        "name__contains=a",
        "filters=take:2",
        "after={sample}",
    ],
    "sample_read": ["", "labelset=ground-truth", "labelset=second"],
    "work_units": ["", "include_session_time_metrics=true&sort=-created_at"],
    "label_frames": ["", "keyframes=only", "from=1&to=3"],
    "label_mask": ["format=json", "kind=semantic&format=rle"],
    "label_mask_report": ["", "stuff=void"],
}
#: The reports that are asked for; the others are asked as these are.
REPORTS = ("time", "objects", "quality", "assistance", "queue", "cost")


@dataclass
class Moment:
    """What every read answered at an offset, when that was the head."""

    offset: int
    answers: dict[str, tuple[int, Any, str | None]]


class Watched:
    """A street whose reads are all recorded again and again."""

    def __init__(self, street: Any, paths: dict[str, list[JSON]]) -> None:
        self.street, self.paths = street, paths
        self.moments: list[Moment] = []

    def record(self) -> None:
        self.moments.append(Moment(self.street.head, {key: self.ask(key, "") for key in self.keys()}))

    def keys(self) -> Iterator[str]:
        """The addresses that are asked, with their queries."""
        owner, name = self.street.path.split("/")[2:]
        base = {"owner": owner, "name": name, "username": self.street.ben.person.username}
        for id in sorted(READS):
            if not takes_at(id):
                continue
            for values in self.paths.get(id, self.paths[""]):
                path = READS[id].path.format_map(base | values)
                for query in QUERIES.get(id, [""]):
                    yield f"{id} {path}?{query.format_map(base | values)}"

    def ask(self, key: str, at: str) -> tuple[int, Any, str | None]:
        address = key.partition(" ")[2]
        answer = self.street.ana.get(f"{address}&at={at}" if at else address)
        if answer.status >= 400:
            return answer.status, None, None
        if at:
            assert answer.headers["Dataset-Offset"] == at, key
        text = answer.headers.get("Content-Type", "")
        return answer.status, json.loads(answer.raw) if "json" in text else answer.raw, answer.headers.get("ETag")

    def check(self) -> int:
        """Ask all of it again of the past; how often there was something to see."""
        seen = 0
        for moment in self.moments:
            for key, then in moment.answers.items():
                assert self.ask(key, str(moment.offset)) == then, f"{key} at {moment.offset}"
                seen += then[0] == 200
        return seen


def step(watched: Watched, *answers: Any) -> None:
    for answer in answers:
        assert answer.status < 300, answer.raw
    watched.record()


def tell(watched: Watched, by: Any, *kinds: str) -> None:
    """Tell of somebody at work. It belongs to the offset at which it came, so that is final once the log moves on."""
    sample = str(watched.street.sample)
    signals = [{"number": number, "kind": kind, "sample": sample} for number, kind in enumerate(kinds)]
    assert by.post("/activity/", {"session": str(uuid.uuid4()), "signals": signals}).status == 200
    watched.moments.pop()
    watched.record()


def test_what_every_read_gave_it_gives_for_ever(make_street):
    """Samples, labels, label sets, issues, releases, members, settings, masks, queues, reports and histories."""
    street = make_street()
    ana, ben, path = street.ana, street.ben, street.path
    image = {"image": {"url": upload(ana.person, picture())}}
    sample = ana.post(f"{path}/samples/", {"name": "a.png", "attributes": image, "metadata": {"take": 1}}).json["uuid"]
    street.sample, label = sample, f"/labels/{sample}/ground-truth"
    other = ana.post(f"{path}/samples/", {"name": "b.png", "attributes": image, "priority": 3}).json["uuid"]
    issue = ana.post(f"/samples/{sample}/issues/", {"description": "blurred"}).json["uuid"]
    both = [
        {"sample": sample, "label_set": name, "issue": issue, "release": "v1"} for name in ("ground-truth", "second")
    ]
    watched = Watched(
        street,
        {
            "": [both[0] | {"report": "time"}],
            "report": [both[0] | {"report": name} for name in REPORTS],
            "sample_read": [{"sample": sample}, {"sample": other}],
            "labelset_read": both,
            "label_read": [*both, {"sample": other, "label_set": "ground-truth"}],
            "label_history": both,
            "label_blame": both,
        },
    )
    watched.record()
    step(watched, ana.put(f"{label}/", {"attributes": {"annotations": [box(1, 2, 2, 20, 20)]}}))
    step(watched, ana.post(f"{path}/labelsets/", {"name": "second", "description": "another look"}))
    tell(watched, ben, "opened", "heartbeat")
    step(watched, ben.post(f"{label}/edits/", {"edits": [{"op": "add", "geometry": bbox(4, 4, 40, 30)}]}))
    second = {"attributes": {"annotations": [box(1, 0, 0, 9, 9)]}, "label_status": "LABELED"}
    step(watched, ben.put(f"/labels/{sample}/second/", second))
    step(watched, ana.patch(f"/samples/{sample}/", {"name": "z.png", "priority": 9, "metadata": {"take": 2}}))
    step(watched, ben.post(f"{label}/edits/", {"edits": [{"op": "set_status", "verb": "submit"}]}))
    step(watched, ana.post(f"{path}/releases/", {"name": "v1"}))
    closed = ana.patch(f"/issues/{issue}/", {"status": "CLOSED"})
    step(watched, closed, ana.post(f"/issues/{issue}/comments/", {"text": "so it is"}))
    step(watched, ana.post(f"{label}/edits/", {"edits": [{"op": "set_status", "verb": "reject"}]}))
    step(watched, ana.patch(f"{path}/collaborators/{ben.person.username}", {"role": "manager"}))
    kept = ana.post(f"{path}/savedreports/", {"name": "all", "report": "queue"})
    step(watched, kept)
    step(watched, ana.delete(f"{path}/savedreports/{kept.json['uuid']}/"))
    changed = {
        "task_attributes": {"categories": [{"id": 1, "name": "vehicle", "color": [1, 2, 3]}, {"id": 4, "name": "bus"}]}
    }
    step(watched, ana.patch(f"{path}/", {"readme": "read me", **changed, "labeling_inactivity_timeout_seconds": 7}))
    step(watched, ana.delete(f"/labels/{sample}/second/"))
    step(watched, ana.delete(f"{path}/labelsets/second/"))
    step(watched, ana.post(f"{path}/labelsets/", {"name": "second"}))
    step(watched, ben.put(f"/labels/{sample}/second/", {"attributes": {"annotations": [box(7, 1, 1, 5, 5)]}}))
    step(
        watched,
        ana.delete(f"{path}/releases/v1/"),
        ana.post(f"{path}/releases/", {"name": "v1", "description": "again"}),
    )
    step(watched, ana.delete(f"/issues/{issue}/"))
    step(watched, ana.delete(f"{path}/collaborators/{ben.person.username}"))
    tell(watched, ana, "opened", "heartbeat", "closed")
    step(watched, ana.delete(f"/samples/{sample}/"))
    step(watched, ana.delete(f"/samples/{other}/"))
    assert watched.check() > 700


def test_what_every_read_gave_of_a_sequence_it_gives_for_ever(make_street):
    """Tracks, frames, and the masks of a picture."""
    street = make_street("image-vector-sequence")
    label = street.label
    url = upload(street.ana.person, picture())
    frames = {"frames": [{"image": {"url": url}} for _ in range(6)]}
    street.sample = street.ana.post(f"{street.path}/samples/", {"name": "walk", "attributes": frames}).json["uuid"]
    label = f"/labels/{street.sample}/ground-truth"
    named = {"sample": street.sample, "label_set": "ground-truth", "release": "v1", "issue": str(uuid.uuid4())}
    watched = Watched(street, {"": [named | {"report": "objects"}]})
    watched.record()
    step(watched, street.ana.put(f"{label}/", {"attributes": WALK}))

    def edit(*edits: JSON) -> Any:
        return street.ben.post(f"{label}/edits/", {"edits": list(edits)})

    step(watched, edit({"op": "set_keyframe", "track": 1, "frame": 4, "geometry": bbox(9, 9, 30, 30)}))
    step(watched, edit({"op": "set_remove_keyframe", "track": 1, "frame": 2}))
    step(watched, edit({"op": "add_track", "frame": 0, "category_id": 2, "geometry": bbox(1, 1, 6, 6)}))
    step(watched, edit({"op": "split_track", "track": 2, "frame": 3}))
    step(watched, street.ben.post(f"{label}/undo/", {"count": 1}))
    step(watched, street.ana.post(f"/samples/{street.sample}/frames/", {"edits": [{"op": "remove", "frame": 1}]}))
    step(watched, street.ana.delete(f"{label}/"))
    step(watched, street.ana.delete(f"/samples/{street.sample}/"))
    assert watched.check() > 100


def test_a_list_of_the_past_is_filtered_as_metadata_is_today():
    """`@>` in Python: what a page of the past holds is what PostgreSQL would have found."""
    from labeling.queries.past import contains

    value = {"a": 1, "b": [1, {"c": "x"}], "d": True, "e": None}
    for part in ({}, {"a": 1.0}, {"b": [1]}, {"b": [{"c": "x"}]}, {"d": True}, {"e": None}, {"b": []}):
        assert contains(value, part), part
    for part in ({"a": "1"}, {"a": True}, {"b": 1}, {"b": [2]}, {"d": 1}, {"e": False}, {"f": 1}, {"b": {"c": "x"}}):
        assert not contains(value, part), part
