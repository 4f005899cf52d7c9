"""Pictures become samples one by one: checked, stored, skipped where the name is taken, refused with a reason."""

from __future__ import annotations

import io
import struct
import uuid
import zlib
from functools import partial
from typing import Any

import pytest
from PIL import Image

from labeling import storage
from labeling.commands import assets, pictures, samples
from labeling.commands.pictures import NoPicture, Source, checked_picture
from labeling.errors import AlreadyExists, NotFound, NotPermitted, Refused, StorageUnavailable
from labeling.log import store
from labeling.models import Asset, Sample


def drawn(kind: str = "PNG", size: tuple[int, int] = (8, 6), **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and holds nothing."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", b""), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def source(name: str, data: bytes = b"", problem: str = "") -> Source:
    return Source(name, lambda: io.BytesIO(data), problem)


@pytest.fixture
def ana(person):
    return person("ana")


@pytest.fixture
def street(dataset, ana):
    return dataset(ana)


@pytest.fixture
def add(intent, ana, street):
    """add(source, …): [(name, what, words)]."""

    def run(*sources: Source, author: Any = None, where: uuid.UUID | None = None) -> list[tuple[str, str, str]]:
        found = pictures.add_pictures(intent=intent(author or ana), dataset=where or street, sources=sources)
        return [(item.name, item.what, item.words) for item in found]

    return run


@pytest.mark.parametrize("kind", pictures.TYPES)
def test_the_type_is_what_the_bytes_are_whatever_the_name_says(kind: str) -> None:
    assert checked_picture(io.BytesIO(drawn(kind))) == pictures.TYPES[kind]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html><script>alert(1)</script>",
        b"%PDF-1.4",
        b"PK\x03\x04",
        drawn()[:-20],
        drawn("JPEG", (640, 480))[:-8000],
        drawn("WEBP", (640, 480))[:-5000],
        drawn("GIF", (640, 480))[:-5000],
    ],
)
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NoPicture):
        checked_picture(io.BytesIO(data))


def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header() -> None:
    with pytest.raises(NoPicture, match="178 million"):
        checked_picture(io.BytesIO(png_header(20_000, 20_000)))


def test_nothing_sent_makes_nothing(add, street) -> None:
    head = store.head(street)

    assert add() == []
    assert store.head(street) == head


def test_each_picture_is_a_sample_of_its_author_with_its_file_pinned(intent, ana, street) -> None:
    head, whole = store.head(street), intent(ana, tool="admin")

    found = list(
        pictures.add_pictures(
            intent=whole, dataset=street, sources=[source("a/b.png", drawn()), source("c.jpg", drawn("JPEG"))]
        )
    )

    events = store.read(street, after=head)
    assert sorted(event.type for event in events) == ["AssetAdded", "AssetAdded", "SampleAdded", "SampleAdded"]
    assert {(event.intent.author, event.intent.tool, event.intent.correlation) for event in events} == {
        (ana.id, "admin", whole.command)
    }
    assert [item.sample for item in found] == [Sample.objects.get(name=name).id for name in ("a/b.png", "c.jpg")]
    url = Sample.objects.get(name="a/b.png").attributes["image"]["url"]
    assert checked_picture(io.BytesIO(assets.read_bytes(url, "url"))) == "image/png"
    assert Asset.objects.get(filename="c.jpg").content_type == "image/jpeg"


def test_a_name_that_is_taken_is_skipped_and_nothing_is_stored_for_it(add) -> None:
    add(source("a.png", drawn()))
    files = Asset.objects.count()

    assert add(source("a.png", drawn()), source("b.png", drawn())) == [("a.png", "there", ""), ("b.png", "made", "")]
    assert Asset.objects.count() == files + 1


def test_what_cannot_be_used_is_told_and_the_rest_is_made(add) -> None:
    found = add(
        source("bad.png", b"hello"),
        source("trick.png", problem="its path leads out of the archive"),
        source("good.png", drawn()),
        source("good.png", drawn()),
        source("x" * 256, drawn()),
        source("  ", drawn()),
    )

    assert [(name[:9], what) for name, what, _ in found] == [
        ("bad.png", "refused"),
        ("trick.png", "refused"),
        ("good.png", "made"),
        ("good.png", "refused"),
        ("x" * 9, "refused"),
        ("  ", "refused"),
    ]
    assert all(words for _, what, words in found if what == "refused")
    assert Sample.objects.filter(name__in=["bad.png", "trick.png", "good.png"]).count() == 1


def test_many_pictures_go_in_bounded_chunks(add, street) -> None:
    data, head = drawn(), store.head(street)

    found = add(*(source(f"{number:03}.png", data) for number in range(2 * pictures.CHUNK + 1)))

    assert [name for name, what, _ in found if what == "made"] == [f"{n:03}.png" for n in range(2 * pictures.CHUNK + 1)]
    assert len({event.intent.command for event in store.read(street, after=head)}) == 3


def test_a_file_is_told_of_before_the_next_chunk_is_opened(intent, ana, street) -> None:
    data = drawn()
    opened: list[str] = []

    def opens(name: str) -> io.BytesIO:
        opened.append(name)
        return io.BytesIO(data)

    names = [f"{number}.png" for number in range(2 * pictures.CHUNK)]
    found = pictures.add_pictures(
        intent=intent(ana), dataset=street, sources=(Source(name, partial(opens, name)) for name in names)
    )

    assert next(found).name == "0.png"
    assert len(opened) == pictures.CHUNK


def test_somebody_who_adds_the_same_names_meanwhile_is_no_error(
    add, intent, ana, sample, street, monkeypatch: Any
) -> None:
    real = samples.add_samples

    def slower(**keywords: Any) -> Any:
        monkeypatch.setattr(samples, "add_samples", real)
        sample(street, ana, name="a.png")
        raise AlreadyExists("Sample")

    monkeypatch.setattr(samples, "add_samples", slower)

    assert add(source("a.png", drawn()), source("b.png", drawn())) == [("a.png", "there", ""), ("b.png", "made", "")]


def test_a_storage_that_does_not_answer_leaves_no_sample(add, street, monkeypatch: Any) -> None:
    def silent(*_: Any, **__: Any) -> None:
        raise StorageUnavailable

    monkeypatch.setattr(storage, "put", silent)
    head = store.head(street)

    assert [what for _, what, _ in add(source("a.png", drawn()), source("b.png", b"x"))] == ["refused", "refused"]
    assert store.head(street) == head


@pytest.mark.parametrize("role", ["viewer", "labeler", "reviewer", "manager"])
def test_only_admins_add_pictures(add, intent, ana, person, street, role: str) -> None:
    from labeling.commands import datasets

    ben = person("ben")
    datasets.add_member(intent=intent(ana), dataset=street, person=ben.id, role=role)
    head = store.head(street)

    ((_, what, words),) = add(source("a.png", drawn()), author=ben)

    assert (what, "do not have permission" in words, store.head(street)) == ("refused", True, head)
    with pytest.raises(NotPermitted):
        pictures.check_takes_pictures(dataset=street, person=ben.id)


def test_who_may_not_know_of_a_dataset_learns_nothing(person, street) -> None:
    with pytest.raises(NotFound):
        pictures.check_takes_pictures(dataset=street, person=person("ben").id)


@pytest.mark.parametrize(
    ("task_type", "takes"),
    [
        ("vector", True),
        ("segmentation-bitmap", True),
        ("", True),
        ("pointcloud-cuboid", False),
        ("image-vector-sequence", False),
        ("multisensor-sequence", False),
    ],
)
def test_only_datasets_of_single_pictures_take_them(dataset, ana, task_type: str, takes: bool) -> None:
    made = dataset(ana, task_type)

    if takes:
        assert pictures.check_takes_pictures(dataset=made, person=ana.id).id == made
    else:
        with pytest.raises(Refused, match="no single pictures"):
            pictures.check_takes_pictures(dataset=made, person=ana.id)
