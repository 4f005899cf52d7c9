"""One real server a session, the SDK and plain HTTP as several people, and datasets of their own for the tests."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, NamedTuple, Protocol

import pytest
from segments import SegmentsClient
from segments.resource_api import Dataset, Sample

from tests.e2e.documents import TASK_ATTRIBUTES, sample_attributes
from tests.e2e.hostile import LABEL, Bench
from tests.e2e.live_server import LiveServer
from tests.e2e.pictures import photograph_png
from tests.e2e.wire import Wire

_serial = itertools.count(1)


class People(NamedTuple):
    """User name and key of those who appear in the tests."""

    ada: str
    lena: str
    otto: str


class MakeDataset(Protocol):
    """Makes a dataset that belongs to ada, and in which lena is a labeler."""

    def __call__(self, task_type: str = "vector", **settings: Any) -> Dataset: ...


class MakeSample(Protocol):
    """Makes a sample with a picture of 64 by 48 pixels in a new dataset, or in the one given."""

    def __call__(self, task_type: str = "vector", dataset: Dataset | None = None, **fields: Any) -> Sample: ...


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("palimpsest") / "home")
    live.start()
    yield live
    live.stop()


@pytest.fixture(scope="session")
def keys(server: LiveServer) -> People:
    with ThreadPoolExecutor(3) as pool:
        return People(*pool.map(server.new_key, People._fields))


@pytest.fixture(scope="session")
def admin(server: LiveServer, keys: People) -> Iterator[SegmentsClient]:
    with SegmentsClient(keys.ada, api_url=server.url) as client:
        yield client


@pytest.fixture(scope="session")
def labeler(server: LiveServer, keys: People) -> Iterator[SegmentsClient]:
    with SegmentsClient(keys.lena, api_url=server.url) as client:
        yield client


@pytest.fixture(scope="session")
def outsider(server: LiveServer, keys: People) -> Iterator[SegmentsClient]:
    with SegmentsClient(keys.otto, api_url=server.url) as client:
        yield client


@pytest.fixture(scope="session")
def admin_wire(server: LiveServer, keys: People) -> Iterator[Wire]:
    wire = Wire(server.url, keys.ada)
    yield wire
    wire.close()


@pytest.fixture(scope="session")
def labeler_wire(server: LiveServer, keys: People) -> Iterator[Wire]:
    wire = Wire(server.url, keys.lena)
    yield wire
    wire.close()


@pytest.fixture(scope="session")
def outsider_wire(server: LiveServer, keys: People) -> Iterator[Wire]:
    wire = Wire(server.url, keys.otto)
    yield wire
    wire.close()


@pytest.fixture(scope="session")
def nobody_wire(server: LiveServer) -> Iterator[Wire]:
    wire = Wire(server.url, None)
    yield wire
    wire.close()


@pytest.fixture(scope="session")
def image_url(admin: SegmentsClient) -> str:
    return admin.upload_asset(BytesIO(photograph_png()), "photograph.png").url


def unused_name(said_by: str) -> str:
    """A dataset name that no other test of the session has, with the test's own name in it."""
    return f"{re.sub('[^a-z0-9]+', '-', said_by.lower()).strip('-')[:60].strip('-')}-{next(_serial)}"


@pytest.fixture
def unused(request: pytest.FixtureRequest) -> str:
    return unused_name(request.node.name)


@pytest.fixture
def make_dataset(admin: SegmentsClient, request: pytest.FixtureRequest) -> MakeDataset:
    return _dataset_maker(admin, request.node.name)


@pytest.fixture
def make_sample(make_dataset: MakeDataset, image_url: str) -> MakeSample:
    return _sample_maker(make_dataset, image_url)


@pytest.fixture(scope="module")
def make_module_dataset(admin: SegmentsClient, request: pytest.FixtureRequest) -> MakeDataset:
    """The same for what all tests of a module share."""
    return _dataset_maker(admin, request.node.name.rpartition("/")[2])


@pytest.fixture(scope="module")
def make_module_sample(make_module_dataset: MakeDataset, image_url: str) -> MakeSample:
    return _sample_maker(make_module_dataset, image_url)


@pytest.fixture(scope="module")
def shared(admin_wire: Wire, make_module_sample: MakeSample) -> Bench:
    sample = make_module_sample()
    sample.add_label("ground-truth", LABEL, "LABELED")
    return Bench(admin_wire, sample)


@pytest.fixture
def bench(shared: Bench) -> Iterator[Bench]:
    """The bench, and after the test the check that nothing was written."""
    before, shared.seen = shared.seen or shared.state(), None
    yield shared
    shared.seen = shared.state()
    assert shared.seen == before, "the refused request wrote into the log"


@pytest.fixture(scope="module", autouse=True)
def no_crash_behind_the_scenes(server: LiveServer) -> Iterator[None]:
    before = len(server.printed())
    yield
    assert "Traceback (most recent call last)" not in server.printed()[before:]


def _dataset_maker(admin: SegmentsClient, said_by: str) -> MakeDataset:
    def make(task_type: str = "vector", **settings: Any) -> Dataset:
        named = {"name": unused_name(said_by), "task_attributes": TASK_ATTRIBUTES}
        dataset = admin.add_dataset(**named | {"task_type": task_type} | settings)
        admin.add_dataset_collaborator(dataset.full_name, "lena", "labeler")
        return admin.get_dataset(dataset.full_name)

    return make


def _sample_maker(make_dataset: MakeDataset, image_url: str) -> MakeSample:
    def make(task_type: str = "vector", dataset: Dataset | None = None, **fields: Any) -> Sample:
        dataset = dataset or make_dataset(task_type)
        named = {"name": f"street-{next(_serial):04}.png", "attributes": sample_attributes(task_type, image_url)}
        return dataset.add_sample(**named | fields)

    return make
