"""Files are in storage whole, or not at all."""

from __future__ import annotations

import io

import pytest
from django.core.files.storage import default_storage

from labeling import storage


@pytest.fixture(autouse=True)
def _media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path},
        },
    }


def test_what_is_put_can_be_read():
    storage.put("ab/cdef", 5, io.BytesIO(b"bytes"))

    with default_storage.open("ab/cdef") as file:
        assert file.read() == b"bytes"


def test_what_a_crash_left_half_written_is_written_again(tmp_path):
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "cdef").write_bytes(b"by")

    storage.put("ab/cdef", 5, io.BytesIO(b"bytes"))

    assert (tmp_path / "ab" / "cdef").read_bytes() == b"bytes"


def test_content_is_read_from_its_start_whoever_read_it_before():
    content = io.BytesIO(b"bytes")
    content.read()

    storage.put("ab/cdef", 5, content)

    assert default_storage.size("ab/cdef") == 5


class Broken(io.BytesIO):
    def read(self, *arguments):
        raise OSError("the disk is full")


def test_a_write_that_fails_leaves_nothing_behind(tmp_path):
    with pytest.raises(OSError, match="full"):
        storage.put("ab/cdef", 5, Broken())

    assert not default_storage.exists("ab/cdef")
    assert list((tmp_path / storage.INCOMING).iterdir()) == []
