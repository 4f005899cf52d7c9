"""From a model back to its data: the trainings of a dataset over the API, on the command line and on their pages."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from labeling.models import Person
from releases import commands
from releases.models import Training
from tests.conftest import MakeDataset
from tests.labeling.api.conftest import Caller
from tests.releases.test_terms import World

Make = Callable[..., Any]
pytestmark = pytest.mark.django_db
SAID: dict[str, Any] = {"name": "may-2", "model": "detector", "version": "3.1", "metrics": {"mAP": 0.412}}


@pytest.fixture
def world(person: Make, dataset: MakeDataset, label: Make) -> World:
    """Two releases of ana's, the second withdrawn, and a training with each."""
    ana = person("ana")
    found = World(ana, dataset(ana, name="streets"), label)
    for name, version in (("v1", "3.1"), ("v2", "3.2")):
        release = found.cut(name).release
        commands.register_training(intent=found.by, release=release, said=SAID | {"version": version})
    commands.withdraw_release(intent=found.by, dataset=found.dataset, name="v2")
    return found


def test_a_model_leads_to_its_release_and_the_events_that_made_it(world: World) -> None:
    ana = Caller(world.ana)
    both = ana.get("/datasets/ana/streets/trainings/").json
    assert [(item["version"], item["release"]["name"], item["release"]["withdrawn"]) for item in both] == [
        ("3.1", "v1", False), ("3.2", "v2", True),
    ]  # fmt: skip
    [one] = ana.get("/datasets/ana/streets/trainings/?model=detector&version=3.2").json
    assert ana.get("/datasets/ana/streets/trainings/?model=other").json == []
    found = ana.get(f"/datasets/ana/streets/trainings/{one['uuid']}/").json
    assert {name: found[name] for name in one} == one
    assert found["lineage"]["release"]["identity"] == found["release"]["identity"]
    last = max(item["last_offset"] for item in found["lineage"]["sources"] + found["lineage"]["edits"])
    assert last <= found["release"]["offset"] < found["offset"]
    for wrong in (uuid.uuid4(), "x"):
        assert ana.get(f"/datasets/ana/streets/trainings/{wrong}/").status == 404


def test_strangers_learn_nothing_of_it(world: World, person: Make) -> None:
    made = Training.objects.filter(dataset_id=world.dataset).first()
    assert made is not None
    eve = Caller(person("eve"))
    for path in ("", f"{made.id}/"):
        assert eve.get(f"/datasets/ana/streets/trainings/{path}").status == 404


# --- the command -----------------------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    said = io.StringIO()
    call_command("training", *arguments, stdout=said, stderr=said)
    return said.getvalue()


def test_the_command_registers_and_lists(world: World) -> None:
    assert "used v2" in run("ana/streets") and "used v2" not in run("ana/streets", "--model-version", "3.1")
    metrics = ["--metric", "mAP=0.5", "--metric", "early=true", "--metric", "note=cold", "--metric", "odd=[1]"]
    made = run("ana/streets", "v1", "--by", "ana", "--name", "june", "--model", "segmenter", *metrics)
    assert made.startswith("Registered as ")
    row = Training.objects.get(id=made.split()[-1].rstrip("."))
    assert row.metrics == {"mAP": 0.5, "early": True, "note": "cold", "odd": "[1]"}
    told = run("ana/streets", "--model", "segmenter")
    assert told.startswith("june: segmenter, by ana (early True, mAP 0.5") and "identity" in told
    assert run("ana/streets", "--model", "nobody") == "No training was registered with a release of ana/streets.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ana/nowhere",), "There is no dataset"),
        (("ana/streets", "v9", "--by", "ana", "--name", "x", "--model", "y"), "not found"),
        (("ana/streets", "v1"), "Say who registers it"),
        (("ana/streets", "v1", "--by", "nobody", "--name", "x", "--model", "y"), "The user was not found"),
        (("ana/streets", "v1", "--by", "eve", "--name", "x", "--model", "y"), "The dataset was not found"),
        (("ana/streets", "v1", "--by", "ana", "--name", "x", "--model", "y", "--link", "ftp://x"), "link"),
        (("ana/streets", "v1", "--by", "ana", "--name", "x", "--model", "y", "--metric", "x"), "NAME=VALUE"),
        *(
            (("ana/streets", "v1", "--by", "ana", "--name", "x", "--model", "y", "--metric", f"x={value}"), "metrics.x")
            for value in ("NaN", "Infinity", "-Infinity", "1e400", "99999999999999999999", "\udc80")
        ),
    ],
)
def test_the_command_says_what_is_wrong(world: World, person: Make, arguments: tuple[str, ...], said: str) -> None:
    person("eve")
    with pytest.raises(CommandError, match=said):
        run(*arguments)


# --- the admin -------------------------------------------------------------------------------------------------------


def test_a_training_is_registered_and_its_page_leads_back(world: World) -> None:
    Person.objects.filter(id=world.ana.id).update(is_staff=True)
    client = Client()
    client.force_login(Person.objects.get(id=world.ana.id))
    listed = client.get(reverse("admin:releases_training_changelist")).content.decode()
    assert "detector 3.1" in listed and "v2 (withdrawn)" in listed
    release = Training.objects.get(dataset_id=world.dataset, model_version="3.1").release_id
    shown = client.get(reverse("admin:releases_release_change", args=[release])).content.decode()
    add = reverse("admin:releases_training_add")
    assert f"{add}?dataset=ana%2Fstreets&amp;release=v1" in shown
    form = client.get(f"{add}?dataset=ana/streets&release=v1").content.decode()
    assert 'value="ana/streets"' in form and 'value="v1"' in form
    said = {"dataset": "ana/streets", "release": "v1", "name": "june", "model": "segmenter", "metrics": '{"mAP": 0.5}'}
    done = client.post(add, said, follow=True)
    assert done.status_code == 200
    row = Training.objects.get(name="june")
    assert (row.metrics, row.release_id) == ({"mAP": 0.5}, release)
    page = client.get(reverse("admin:releases_training_change", args=[row.id])).content.decode()
    for words in ("What the model was made of", ">v1</b>", "Sources", "Edits", f"stream=training/{row.id}"):
        assert words in page
    assert "Exports" not in page.split("What the model was made of")[1].split("</section>")[0]
    for bad, field in (
        ({"dataset": "ana/x"}, "dataset"), ({"release": "v9"}, "release"), ({"link": "x"}, "link"),
        ({"metrics": '{"x": [1]}'}, "metrics"), ({"name": ""}, "name"),
    ):  # fmt: skip
        answer = client.post(add, said | bad)
        assert field in answer.context["adminform"].form.errors, field
    withdrawn = Training.objects.get(dataset_id=world.dataset, model_version="3.2")
    page = client.get(reverse("admin:releases_training_change", args=[withdrawn.id])).content.decode()
    assert "(withdrawn since)" in page
