"""What a release may hold: an earlier moment, a filter, a category map, splits; and what is refused by its name."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from labeling.commands import datasets
from labeling.errors import InvalidValue
from labeling.log import store
from labeling.rules.sample_state import SampleState
from releases import builds, commands, files, queries, reading
from releases.choice import Choice
from releases.models import ReleaseBuild
from tests.conftest import MakeDataset
from tests.releases.conftest import Built, box

Make = Callable[..., Any]
JSON = dict[str, Any]
CATEGORIES = [{"id": 1, "name": "car"}, {"id": 2, "name": "lorry"}, {"id": 3, "name": "tree"}]


@pytest.fixture
def streets(person: Make, dataset: MakeDataset, sample: Make, label: Make) -> Any:
    """Ana's dataset: a.png with a car and a tree, b.png with a lorry (reviewed), c.png without a label."""
    ana = person()
    made = dataset(ana, task_attributes={"categories": CATEGORIES})
    names = {name: sample(made, ana, name=name) for name in ("a.png", "b.png", "c.png")}
    label(names["a.png"], ana, {"annotations": [box(1, 1), box(2, 3)]})
    label(names["b.png"], ana, {"annotations": [box(1, 2)]}, status="REVIEWED")

    class Streets:
        id, owner, samples = made, ana, names

    return Streets()


@pytest.fixture
def cut(streets: Any, intent: Make) -> Callable[..., Built]:
    def make(name: str = "v1", **choice: Any) -> Built:
        made = commands.cut_release(intent=intent(streets.owner), dataset=streets.id, name=name, **choice)
        builds.build(made)
        found = queries.release_by_id(made)
        assert found.build is not None and found.build.error == ""
        with files.read(found.build.path) as file:
            data = file.read()
        return Built(found.release, found.build, data, json.loads(data))

    return make


def names_in(built: Built) -> list[str]:
    return [item["name"] for item in built.document["dataset"]["samples"]]


def drawn_in(built: Built, name: str) -> list[int]:
    [found] = [item for item in built.document["dataset"]["samples"] if item["name"] == name]
    return [item["category_id"] for item in found["labels"]["ground-truth"]["attributes"]["annotations"]]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, ["a.png", "b.png", "c.png"]),
        ({"samples": ["a.*", "c.png"]}, ["a.png", "c.png"]),
        ({"samples": ["A.PNG"]}, []),
        ({"status": ["REVIEWED"]}, ["b.png"]),
        ({"status": ["UNLABELED", "LABELED"]}, ["a.png", "c.png"]),
        ({"categories": [3, 2]}, ["a.png", "b.png"]),
        ({"categories": [1], "status": ["REVIEWED"]}, []),
        ({"metadata": {"city": "Berlin"}}, []),
    ],
)
def test_a_filter_chooses_samples(cut: Callable[..., Built], wanted: JSON, names: list[str]) -> None:
    built = cut(filter=wanted)
    assert names_in(built) == names
    assert built.job.samples_count == len(names)


def test_metadata_is_compared_with_its_type(streets: Any, cut: Callable[..., Built], sample: Make) -> None:
    sample(streets.id, streets.owner, name="d.png", metadata={"lane": 1, "wet": True})
    assert names_in(cut(filter={"metadata": {"lane": 1, "wet": True}})) == ["d.png"]
    assert names_in(cut("v2", filter={"metadata": {"lane": True}})) == []


def test_label_sets_are_chosen_by_name(streets: Any, cut: Callable[..., Built], intent: Make) -> None:
    datasets.add_label_set(intent=intent(streets.owner), dataset=streets.id, name="model")
    built = cut(filter={"label_sets": ["model"], "status": ["REVIEWED"]})
    assert [item["name"] for item in built.document["dataset"]["labelsets"]] == ["model"]
    assert [list(item["labels"]) for item in built.document["dataset"]["samples"]] == [["model"]]


def test_categories_are_merged_renamed_and_dropped(cut: Callable[..., Built]) -> None:
    built = cut(category_map={"merge": {"2": 1}, "rename": {"1": "vehicle"}, "drop": [3]})
    assert built.document["dataset"]["task_attributes"]["categories"] == [{"id": 1, "name": "vehicle"}]
    assert drawn_in(built, "a.png") == drawn_in(built, "b.png") == [1]
    _, records = reading.read(queries.state_of(built.row))
    assert [[item.category_id for item in record.annotations] for record in records] == [[1], [1], []]


def test_an_earlier_moment_is_frozen_as_it_was(
    streets: Any, cut: Callable[..., Built], label: Make, sample: Make
) -> None:
    before, now = cut("before"), store.head(streets.id) - 1
    label(streets.samples["c.png"], streets.owner)
    sample(streets.id, streets.owner, name="d.png")
    again = cut("again", at=now)
    assert again.row.at_offset == before.row.at_offset == now
    assert before.document["dataset"]["samples"] == again.document["dataset"]["samples"]
    manifests = [json.loads(built.job.manifest) for built in (before, again)]
    assert manifests[0]["content_sha256"] == manifests[1]["content_sha256"]
    assert names_in(cut("by time", at=before.row.created_at))[:3] == names_in(before)


def test_before_the_dataset_was_made_there_is_nothing_to_freeze(cut: Callable[..., Built]) -> None:
    with pytest.raises(InvalidValue) as caught:
        cut(at=0)
    assert caught.value.field == "at"


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"filter": []}, "filter"),
        ({"filter": {"colour": 1}}, "filter.colour"),
        ({"filter": {"status": ["GOOD"]}}, "filter.status"),
        ({"filter": {"status": []}}, "filter.status"),
        ({"filter": {"samples": "a.png"}}, "filter.samples"),
        ({"filter": {"samples": [""]}}, "filter.samples"),
        ({"filter": {"label_sets": ["nowhere"]}}, "filter.label_sets"),
        ({"filter": {"categories": [9]}}, "filter.categories"),
        ({"filter": {"categories": [True]}}, "filter.categories"),
        ({"filter": {"metadata": ["city"]}}, "filter.metadata"),
        ({"category_map": {"merge": {"9": 1}}}, "category_map.merge"),
        ({"category_map": {"merge": {"1": 9}}}, "category_map.merge"),
        ({"category_map": {"merge": {"1": 2, "2": 1}}}, "category_map.merge"),
        ({"category_map": {"rename": {"1": ""}}}, "category_map.rename"),
        ({"category_map": {"drop": [1.0]}}, "category_map.drop"),
        ({"splits": {"metadata": "split", "seed": "x"}}, "splits.metadata"),
        ({"splits": {"seed": "x"}}, "splits.shares"),
        ({"splits": {"shares": {"train": 0}}}, "splits.shares"),
        ({"splits": {"shares": {"a b": 1}}}, "splits.shares"),
        ({"splits": {"shares": {"train": 0.8}}}, "splits.shares.train"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(cut: Callable[..., Built], said: JSON, field: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        cut(**said)
    assert caught.value.field == field


# --- splits ----------------------------------------------------------------------------------------------------------


def test_a_seeded_split_has_its_shares_and_stays_where_it_is() -> None:
    choice = Choice(splits={"seed": "may", "shares": {"train": 8, "val": 1, "test": 1, "none": 0}})
    samples = [SampleState(uuid.UUID(int=0), f"sample/{uuid.UUID(int=number, version=4)}") for number in range(2_000)]
    drawn = [choice.split_of(item) for item in samples]
    counts = Counter(drawn)
    assert counts["none"] == 0 and abs(counts["train"] - 1_600) < 80 and abs(counts["val"] - 200) < 60
    assert [choice.split_of(item) for item in reversed(samples)] == drawn[::-1]
    other = Choice(splits={"seed": "june", "shares": {"train": 8, "val": 1, "test": 1}})
    assert [other.split_of(item) for item in samples] != drawn
    # Fixed for ever: a training is made again with the same split.
    assert hashlib.sha256(",".join(drawn).encode()).hexdigest()[:16] == "73ad1cd90856a133"


def test_splits_stand_in_the_file_the_records_and_the_manifest(cut: Callable[..., Built], streets: Any) -> None:
    built = cut(splits={"seed": "s", "shares": {"train": 1, "val": 1}})
    said = {item["name"]: item["split"] for item in built.document["dataset"]["samples"]}
    assert json.loads(built.job.manifest)["splits"] == Counter(said.values())
    _, records = reading.read(queries.state_of(built.row))
    assert {record.name: record.split for record in records} == said
    assert all("split" not in item for item in cut("v2").document["dataset"]["samples"])


# --- the manifest ----------------------------------------------------------------------------------------------------


def test_the_identity_is_the_hash_of_the_manifest_and_follows_from_the_log(cut: Callable[..., Built]) -> None:
    built = cut(filter={"samples": ["a.*"]})
    assert built.job.identity == hashlib.sha256(built.job.manifest.encode()).hexdigest()
    said = json.loads(built.job.manifest)
    assert said["choice"] == {"filter": {"samples": ["a.*"]}}
    assert said["files"][:1] == [
        {"path": "release.json", "sha256": hashlib.sha256(built.data).hexdigest(), "size_bytes": len(built.data)}
    ]
    ReleaseBuild.objects.filter(release_id=built.row.id).update(status="PENDING", manifest="", identity="")
    builds.build(built.row.id)
    assert ReleaseBuild.objects.get(release_id=built.row.id).identity == built.job.identity


def test_the_log_verifies_a_release_and_names_what_is_bent(
    streets: Any, cut: Callable[..., Built], capsys: pytest.CaptureFixture[str]
) -> None:
    built = cut()
    call_command("verify_release", str(streets.id), "v1")
    assert built.job.identity in capsys.readouterr().out
    job = ReleaseBuild.objects.filter(release_id=built.row.id)
    job.update(identity="0" * 64)
    with pytest.raises(CommandError, match="manifest"):
        call_command("verify_release", str(streets.id), "v1")
    with pytest.raises(CommandError, match="no such"):
        call_command("verify_release", str(streets.id), "v2")


def check(*arguments: str) -> tuple[int, str]:
    """The stand-alone checker, alone: no site packages, no environment, another directory."""
    script = Path(settings.BASE_DIR) / "releases" / "check_release.py"
    found = subprocess.run(
        [sys.executable, "-I", "-S", str(script), *arguments], capture_output=True, text=True, cwd="/", env={}
    )
    return found.returncode, found.stdout + found.stderr


def test_a_download_is_checked_without_us(cut: Callable[..., Built], tmp_path: Path) -> None:
    built = cut()
    manifest, file = tmp_path / "manifest.json", tmp_path / "release.json"
    manifest.write_text(built.job.manifest)
    file.write_bytes(built.data)
    code, said = check(str(manifest), str(file), built.job.identity)
    assert code == 0 and said.endswith("sound\n") and built.job.identity in said
    assert check(str(manifest), str(file))[0] == 0
    assert check(str(manifest), str(file), "0" * 64)[0] == 1
    for place in range(0, len(built.data), max(1, len(built.data) // 20)):
        bent = bytearray(built.data)
        bent[place] ^= 1
        file.write_bytes(bent)
        code, said = check(str(manifest), str(file))
        assert code == 1 and str(file) in said
    assert check(str(file), str(file))[0] == 1
    assert check(str(manifest))[0] == 2
    assert check(str(manifest), str(tmp_path / "nothing"))[0] == 2
