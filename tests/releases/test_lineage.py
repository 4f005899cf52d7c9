"""Who used a release and where all of it came from: trainings, lineage, and downloads by name."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from labeling.commands import datasets, labels, people
from labeling.errors import InvalidValue, NotPermitted, Refused
from labeling.log import store
from labeling.log.event import SECURITY, Intent
from labeling.models import Dataset
from labeling.queries.labels import names_of
from releases import builds, commands, exports, lineage, queries, trainings
from releases.events import ImportFinished, ImportStarted, TrainingRegistered
from releases.imports import state as imports
from releases.models import Training
from tests.conftest import MakeDataset
from tests.labeling.api.conftest import browser
from tests.releases.test_terms import World

Make = Callable[..., Any]
pytestmark = pytest.mark.django_db
SAID: dict[str, Any] = {
    "name": "may-2",
    "model": "detector",
    "version": "3.1",
    "code": "git:9f2c1d7",
    "metrics": {"mAP": 0.412, "epochs": 12, "note": "cold", "early": True, "loss": None},
    "link": "https://runs.example.org/may-2",
}


@pytest.fixture
def world(person: Make, dataset: MakeDataset, label: Make) -> World:
    ana = person("ana")
    return World(ana, dataset(ana), label)


def post(world: World, path: str, body: Any) -> Any:
    _, secret = people.create_key(intent=people.operator("test"), person=world.ana)
    address = f"/datasets/ana/{Dataset.objects.get(id=world.dataset).name}/releases/{path}"
    headers = {"Authorization": f"APIKey {secret}"}
    return browser().post(address, json.dumps(body), content_type="application/json", headers=headers)


def test_a_training_is_an_event_with_the_identity_of_its_release(world: World) -> None:
    found = world.cut("v1")
    made = commands.register_training(intent=world.by, release=found.release, said=SAID)
    [event] = store.read_stream(world.dataset, trainings.training_stream(made))
    assert found.build is not None
    assert event.fact == TrainingRegistered(release=str(found.release.id), identity=found.build.identity, **SAID)
    row = Training.objects.get(id=made)
    assert (row.release_id, row.metrics, row.model_version) == (found.release.id, SAID["metrics"], "3.1")


def test_trainings_are_registered_and_read_over_the_api(world: World) -> None:
    world.cut("v1")
    assert world.ask("v1/trainings/").json() == []
    answer = post(world, "v1/trainings/", SAID)
    assert answer.status_code == 201
    assert answer.json() | SAID == answer.json()
    assert answer.json()["created_by"] == "ana"
    assert post(world, "v1/trainings/", {"name": "x", "model": "y"}).status_code == 201
    assert [item["name"] for item in world.ask("v1/trainings/").json()] == ["may-2", "x"]


def test_a_training_of_a_withdrawn_release_leads_to_it_still(world: World) -> None:
    found = world.cut("v1")
    commands.withdraw_release(intent=world.by, dataset=world.dataset, name="v1")
    builds.forget(found.release.id)
    assert post(world, f"{found.release.id}/trainings/", SAID).status_code == 201
    assert len(world.ask(f"{found.release.id}/lineage/").json()["consumers"]["trainings"]) == 1


def test_nobody_can_have_used_what_is_not_made(world: World) -> None:
    commands.cut_release(intent=world.by, dataset=world.dataset, name="v1")
    row = queries.find_release(world.dataset, "v1").release
    with pytest.raises(Refused, match="not made yet"):
        commands.register_training(intent=world.by, release=row, said=SAID)


def test_who_only_looks_registers_nothing(world: World, person: Make) -> None:
    found, vera = world.cut("v1"), person("vera")
    datasets.add_member(intent=world.by, dataset=world.dataset, person=vera.id, role="viewer")
    with pytest.raises(NotPermitted):
        commands.register_training(intent=Intent(author=vera.id), release=found.release, said=SAID)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", None), ("name", 1), ("name", "x" * 201), ("model", ""), ("model", []),
        ("version", 3), ("code", "x" * 201), ("link", "javascript:alert(1)"), ("link", "x"), ("link", "https://"),
        ("link", "https://[x"), ("link", "https://a/ b"), ("link", 7), ("metrics", []), ("metrics", {"a": [1]}),
        ("metrics", {"a": {"b": 1}}), ("metrics", {"a": "x" * 201}), ("metrics", {"x" * 201: 1}),
        ("metrics", {str(n): n for n in range(201)}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidValue) as error:
        trainings.checked_training(SAID | {field: value})
    assert error.value.field == field


def test_least_is_enough() -> None:
    found = trainings.checked_training({"name": "x", "model": "y", "version": None, "metrics": None})
    assert found == {"name": "x", "model": "y", "version": "", "code": "", "link": "", "metrics": {}}


def test_a_lineage_leads_from_the_sources_to_who_used_it(world: World, person: Make) -> None:
    ben = person("ben")
    datasets.add_member(intent=world.by, dataset=world.dataset, person=ben.id, role="labeler")
    origin = {"kind": "model", "name": "detector", "version": "3.0", "run": "r7", "annotation": "one"}
    objects = [
        {"op": "add", "category_id": 1, "geometry": {"type": "bbox", "points": [[1, 2], [9, 9]]}, "origin": said}
        for said in (origin, origin | {"annotation": "another"})
    ]
    labels.edit_label(intent=Intent(author=ben.id), sample=world.samples[2], label_set="ground-truth", edits=objects)
    first = world.cut("v1")
    labels.edit_label(
        intent=Intent(author=ben.id), sample=world.samples[2], label_set="ground-truth", edits=objects[:1]
    )
    world.cut("v2", base="v1")
    world.cut("v1.1", supersedes="v1")
    job = commands.export_release(release=first.release, format_name="csv")
    exports.build(job.id)
    commands.register_training(intent=world.by, release=first.release, said=SAID)
    said = world.ask("v1/lineage/").json()
    assert said == json.loads(json.dumps(said))
    assert {(item["type"], item["author"], item["events"]) for item in said["sources"]} == {
        ("SampleAdded", "ana", 3), ("AssetAdded", "ana", 3),
    }  # fmt: skip
    expected = {key: value for key, value in origin.items() if key != "annotation"}
    assert [(item["origin"], item["objects"]) for item in said["model_runs"]] == [(expected, 2)]
    assert ("AnnotationAdded", "ben", 2) in {(i["type"], i["author"], i["events"]) for i in said["edits"]}
    assert all(item["last_offset"] <= first.release.at_offset for item in [*said["edits"], *said["sources"]])
    assert said["release"]["identity"] == first.build.identity  # type: ignore[union-attr]
    used = said["consumers"]
    assert [item["name"] for item in used["trainings"]] == ["may-2"]
    assert [item["format"] for item in used["exports"]] == ["csv"]
    assert {(item["name"], item["as"]) for item in used["releases"]} == {("v2", "base"), ("v1.1", "supersedes")}
    short = lineage.in_short(lineage.lineage(first, names_of=names_of))
    assert [step for step, _, _ in short["steps"]] == [
        "Sources", "Model runs", "Edits", "Edits", "Exports", "Releases", "Releases",
    ]  # fmt: skip
    assert ("Model runs", "model detector 3.0 r7", "2 objects") in short["steps"]


def test_an_import_stands_in_the_lineage(world: World) -> None:
    key = str(uuid.uuid4())
    stream = f"import/{key}"
    source = {"asset": str(uuid.uuid4()), "filename": "coco.zip", "sha256": "0" * 64, "size_bytes": 9}
    facts = [
        ImportStarted(import_id=key, source=source, wish={"format": "coco-instances"}, format_version=1),
        ImportFinished(state="SUCCEEDED", counts={"annotations_added": 5}),
    ]
    by = world.by
    events = store.new_events(world.dataset, by, [(stream, n, fact) for n, fact in enumerate(facts)])
    rows = imports.rows(imports.fold(imports.ImportState(world.dataset, stream), events))
    store.append(world.dataset, intent=by, events=events, rows=rows)
    said = lineage.lineage(world.cut("v1"), names_of=names_of)
    [found] = said["imports"]
    assert (found["import"], found["filename"], found["format"]) == (key, "coco.zip", "coco-instances")
    assert (found["state"], found["counts"], found["author"]) == ("SUCCEEDED", {"annotations_added": 5}, "ana")


def test_a_download_is_told_with_its_release_its_format_and_who(world: World) -> None:
    found = world.cut("v1")
    job = commands.export_release(release=found.release, format_name="csv")
    exports.build(job.id)
    job.refresh_from_db()
    _, secret = people.create_key(intent=people.operator("test"), person=world.ana)
    address = "/" + str(queries.export_url(job, "x", "v1")).split("/", 3)[3]
    for headers in ({"Authorization": f"APIKey {secret}"}, {"Authorization": "APIKey wrong"}, {}):
        answer: Any = browser().get(address, headers=headers)
        assert answer.status_code == 200
        b"".join(answer.streaming_content)
    told = [item for item in store.read(SECURITY, types=["Downloaded"]) if item.data["id"] == str(job.id)]
    assert {(item.data["release"], item.data["format"]) for item in told} == {(str(found.release.id), "csv")}
    assert (told[0].intent.author, bool(told[0].data.get("key"))) == (world.ana.id, True)
    assert (told[1].intent.author == world.ana.id, bool(told[1].data.get("key"))) == (False, False)
