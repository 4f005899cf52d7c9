"""Our own archive with the events that it was folded from: all of them, checked by the chain, and for members only."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from labeling.commands import labels
from labeling.log import store, values
from labeling.log.event import vocabulary
from labeling.models import Dataset
from labeling.rules import label_state
from labeling.rules.fold import Place
from labeling.rules.label_state import LabelState
from releases import commands, packing, queries, reading
from releases.formats import histories, native
from releases.formats.files import Given
from releases.formats.format import ExportStopped, Findings
from releases.models import Release
from tests.labeling.api.conftest import Caller
from tests.sequences.support import bbox

JSON = dict[str, Any]
Make = Callable[..., Any]
LONG = 1_700_000_000_000_000_001


@pytest.fixture
def drive(person: Make, dataset: Make, sample: Make, intent: Make) -> Any:
    """A public dataset with a sequence of long timestamps, of which ana moved a keyframe, and the release v1."""
    ana = person("ana")
    made = dataset(ana, "image-vector-sequence", name="drive", public=True)
    frames = [
        {"image": {"url": f"https://example.org/{n}.png"}, "timestamp": values.tagged(LONG + n)} for n in range(9)
    ]
    video = sample(made, ana, attributes={"frames": frames})
    for edit in (
        {"op": "add_track", "frame": 0, "category_id": 1, "geometry": bbox(1.5, 2, 3, 4)},
        {"op": "set_keyframe", "track": 1, "frame": 4, "geometry": bbox(2, 2, 4, 4)},
        {"op": "set_remove_keyframe", "track": 1, "frame": 7},
    ):
        labels.edit_label(intent=intent(ana, tool="test"), sample=video, label_set="ground-truth", edits=[edit])
    commands.cut_release(intent=intent(ana), dataset=made, name="v1")
    return made


def files_of(dataset: uuid.UUID, release: str = "v1", **said: str) -> tuple[dict[str, bytes], list[JSON]]:
    """The files of an export with its events, and what it lost."""
    row = Release.objects.get(dataset_id=dataset, name=release)
    sink = io.BytesIO()
    kind = native.NATIVE
    packed = packing.pack(kind, *reading.read(queries.state_of(row)), kind.parsed({"events": "yes"} | said), sink)
    with zipfile.ZipFile(sink) as archive:
        return {name: archive.read(name) for name in archive.namelist()}, packed.losses


def read(files: dict[str, bytes]) -> tuple[Any, Findings]:
    findings = Findings()
    imported = native.read(Given(files), findings, native.NATIVE.parsed_for_reading({}))
    return imported, findings


def test_all_events_up_to_the_release_come_back_and_fold_to_what_it_holds(drive: uuid.UUID) -> None:
    files, losses = files_of(drive)
    imported, findings = read(files)
    row = Release.objects.get(dataset_id=drive)
    stored = list(store.read(drive, up_to=row.at_offset))
    events = list(imported.dataset.events)
    assert findings.rows == [] and losses == []
    assert events == [histories.record(event) for event in stored] == list(imported.dataset.events)
    state = None
    for event in events:
        if event["stream"].startswith("label/"):
            state = state or LabelState(drive, event["stream"])
            fact = vocabulary.decode(event["type"], event["schema_version"], event["data"])
            label_state.evolve(state, fact, Place(uuid.UUID(event["author"]), "", event["offset"], event["version"]))
    assert state is not None
    [track] = next(iter(state.parts.values())).values()
    [sample] = imported.samples
    assert {int(frame): entry for frame, entry in track["entries"].items()} == sample.tracks[0].entries
    assert sorted(sample.tracks[0].entries) == [0, 4, 7]
    assert any(event["tool"] == "test" for event in events)


def test_without_being_asked_there_are_no_events(drive: uuid.UUID) -> None:
    files, _ = files_of(drive, events="no")
    assert "events.jsonl" not in files
    assert read(files)[0].dataset.events is None


def bent(lines: bytes, **changes: Any) -> bytes:
    rows = lines.splitlines(keepends=True)
    rows[2] = json.dumps(json.loads(rows[2]) | changes).encode() + b"\n"
    return b"".join(rows)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: bent(lines, author=str(uuid.UUID(int=7))), "event 3 is not what the chain says"),
        (lambda lines: bent(lines, data={}), "event 3 is not what the chain says"),
        (lambda lines: bent(lines, recorded_us=1), "event 3 is not what the chain says"),
        (lambda lines: bent(lines, offset=9), "event 3 is none"),
        (lambda lines: b"".join(lines.splitlines(keepends=True)[:-1]), "the events end at"),
        (lambda lines: b"".join(lines.splitlines(keepends=True)[1:]), "event 1 is none"),
        (lambda lines: lines + b"[]\n", "is none"),
        (lambda lines: b"", "the events end at 0"),
    ],
)
def test_events_that_were_changed_are_a_finding(drive: uuid.UUID, change: Any, words: str) -> None:
    files, _ = files_of(drive)
    _, findings = read(files | {"events.jsonl": change(files["events.jsonl"])})
    [row] = findings.rows
    assert row["where"] == "events.jsonl" and words in row["message"]


def test_the_events_of_a_part_of_a_dataset_would_tell_the_rest(drive: uuid.UUID, intent: Make, person: Make) -> None:
    commands.cut_release(intent=intent(person("ana")), dataset=drive, name="part", filter={"samples": ["*"]})
    files, losses = files_of(drive, "part")
    assert "events.jsonl" not in files
    assert [(item["what"], item["became"]) for item in losses] == [("events", "left out")]
    with pytest.raises(ExportStopped, match="The events would be left out"):
        files_of(drive, "part", losses="stop")


def test_events_are_for_members_even_of_a_public_dataset(drive: uuid.UUID, person: Make) -> None:
    name = Dataset.objects.get(id=drive).name
    path = f"/datasets/ana/{name}/releases/v1/export/?format=native"
    stranger, member = Caller(person("eve")), Caller(person("ana"))
    assert stranger.get(path).status == 200
    assert stranger.get(f"{path}&events=yes").status == 403
    assert member.get(f"{path}&events=yes").json["options"]["events"] == "yes"
