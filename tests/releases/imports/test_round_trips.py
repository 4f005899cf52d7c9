"""What a format carries comes back: a release exported, and imported by a job, gives the records that its file has.

That a file of a format has what the format carries, and the loss report the rest, is asked of the codecs
(`tests/releases/formats`); here it is asked that a job brings all of that through the log and its rows.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from labeling.log import values
from labeling.models import Person
from releases import packing, queries, reading
from releases.formats import registry
from releases.formats.files import Given
from releases.formats.format import KEPT, Findings, Format
from releases.formats.records import Dataset, Sample, Track
from tests.conftest import MakeDataset
from tests.releases.conftest import Built
from tests.releases.imports.conftest import Import, findings_of, zipped
from tests.support import records
from tests.support.peers import dummy
from tests.support.records import EMPTY, STREET, VIDEO

JSON = dict[str, Any]
Make = Callable[..., Any]

BOTH = [registry.FORMATS[name] for name in sorted(registry.WRITTEN & registry.READ)]
OF_SEQUENCES = ("cvat-video", "mot", "mots", "kitti-tracking", "native")
OF_IMAGES = [kind.name for kind in BOTH if kind.name not in OF_SEQUENCES or kind.name == "native"]
#: These say no sizes, so their samples have to be there.
WITHOUT_SIZES = ("classifications", "kitti")
NO_CATEGORIES: JSON = {"task_attributes": {"format_version": "0.1", "categories": []}}


def native(samples: list[Any]) -> bytes:
    """Records as our own archive."""
    sink = io.BytesIO()
    kind = registry.FORMATS["native"]
    packing.pack(kind, records.DATASET, samples, kind.parsed({}), sink)
    return sink.getvalue()


def exported(built: Built, kind: Format) -> dict[str, bytes]:
    """The files of a release in a format, with the pictures that YOLO needs the sizes of."""
    sink = io.BytesIO()
    dataset, samples = reading.read(queries.state_of(built.row))
    packing.pack(kind, dataset, samples, kind.parsed({}), sink)
    with zipfile.ZipFile(sink) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    labels = [path for path in files if path.startswith("labels/")]
    pictures = {path.replace("labels/", "images/").replace(".txt", ".jpg"): dummy(100, 60) for path in labels}
    return files | {path.replace("empty.jpg", "empty.png"): data for path, data in pictures.items()}


def shown(dataset: Dataset, samples: list[Sample], *, kind: Format) -> dict[str, JSON]:
    """Samples as they can be compared: by their names, with the names of categories."""
    names = {item.id: item.name for item in dataset.categories}
    found = {}
    for sample in samples:
        one: JSON = {
            "classes": [names[number] for number in sample.classifications],
            "default": names.get(sample.default_classification or 0),
            "annotations": [
                (
                    item.id,
                    names.get(item.category_id or 0),
                    item.geometry,
                    item.attributes,
                    item.keypoints or None,
                    item.orientation,
                    item.score,
                    item.extra,
                    len(item.links),
                )
                for item in sample.annotations
            ],
            "tracks": sorted(seen(track, names) for track in sample.tracks),
        }
        for what, value in (("statuses", sample.status), ("scene attributes", sample.scene)):
            if kind.fate(what) == KEPT and sample.annotations:
                one[what] = value
        if kind.fate("splits") == KEPT:
            one["split"] = sample.split
        if kind.fate("metadata") == KEPT:
            one["metadata"] = {key: value for key, value in sample.metadata.items() if key not in ("width", "height")}
        found[sample.name.rpartition(".")[0] or sample.name] = one
    return found


def seen(track: Track, names: dict[int, str]) -> tuple[int, str, bytes]:
    entries = {str(frame): entry for frame, entry in track.entries.items()}
    return track.track_id, names.get(track.category_id or 0, ""), values.canonical(entries)


class There:
    """A dataset with records, and another that a file of theirs is brought into."""

    def __init__(
        self, ana: Person, dataset: MakeDataset, sample: Make, bring: Import, release: Callable[..., Built]
    ) -> None:
        self.ana, self.dataset, self.sample, self.bring, self.release = ana, dataset, sample, bring, release

    def and_back(self, kind: Format, samples: list[Sample], task_type: str, **said: Any) -> tuple[JSON, JSON]:
        """(what the file of a release has, what the other dataset has after its import)."""
        first = self.dataset(self.ana, task_type, **NO_CATEGORIES)
        job = self.bring(first, self.ana, native(samples), format="native", filename="native.zip")
        assert (job.status, job.errors_count) == ("SUCCEEDED", 0), findings_of(job)
        files = exported(self.release(first, self.ana), kind)
        assert kind.read is not None
        read = kind.read(Given(files), Findings(), kind.parsed_for_reading({}))
        wanted = shown(read.dataset, list(read.samples), kind=kind)
        second = self.dataset(self.ana, task_type, **NO_CATEGORIES)
        if kind.name in WITHOUT_SIZES:
            for sample in samples:
                self.sample(second, self.ana, name=sample.name, metadata={"width": 100, "height": 60})
        job = self.bring(second, self.ana, zipped(files), format=kind.name, filename="export.zip", **said)
        assert (job.status, job.error, findings_of(job)) == ("SUCCEEDED", "", findings_of(job))
        assert job.errors_count == 0, findings_of(job)
        dataset, back = reading.read(queries.state_of(self.release(second, self.ana).row))
        return wanted, shown(dataset, list(back), kind=kind)


@pytest.fixture
def there(person: Make, dataset: MakeDataset, sample: Make, bring: Import, release: Callable[..., Built]) -> There:
    return There(person(), dataset, sample, bring, release)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_pictures_come_back(name: str, there: There) -> None:
    wanted, found = there.and_back(registry.FORMATS[name], [STREET, EMPTY], "vector")
    assert found == wanted
    assert any(one["annotations"] or one["classes"] for one in found.values())


@pytest.mark.parametrize("name", OF_SEQUENCES)
def test_sequences_come_back(name: str, there: There) -> None:
    wanted, found = there.and_back(registry.FORMATS[name], [VIDEO], "image-vector-sequence")
    assert found == wanted
    assert found["drive"]["tracks"]


def test_every_format_is_asked() -> None:
    assert {*OF_IMAGES, *OF_SEQUENCES} == {kind.name for kind in BOTH}
