"""A label's page in the admin shows its tracks: when each is there, what was set, and the frame that is looked at."""

from __future__ import annotations

import io
import re
import uuid
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from labeling.commands import assets, labels
from labeling.log.event import Intent
from labeling.models import Label, LabelSet
from labeling.rules import task_types
from labeling.rules.task_types import VerbatimTask
from sequences.admin import MOST_KEYFRAMES, MOST_LINKS, MOST_TRACKS
from tests.labeling.admin.world import add_sample, png, upload
from tests.sequences.rules.test_documents import box, frames
from tests.sequences.support import bbox, point

JSON = dict[str, Any]


class Walk:
    """A sequence of ana's, who runs the installation."""

    def __init__(self, log: uuid.UUID, sample: uuid.UUID, ana: Any) -> None:
        self.log, self.sample, self.ana = log, sample, ana
        self.client = Client()
        self.client.force_login(ana)

    def edit(self, *edits: JSON) -> Any:
        return labels.edit_label(
            intent=Intent(author=self.ana.id), sample=self.sample, label_set="ground-truth", edits=list(edits)
        )

    def page(self, **query: Any) -> str:
        label = Label.objects.get(sample_id=self.sample)
        answer = self.client.get(reverse("admin:labeling_label_change", args=[label.id]), query)
        assert answer.status_code == 200
        return answer.content.decode()

    def pixels(self, **query: Any) -> np.ndarray:
        address = reverse("admin:labeling_sample_thumbnail", args=[self.sample, "small"])
        answer = self.client.get(address, query)
        return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)


@pytest.fixture
def make_walk(dataset: Any, person: Any) -> Any:
    def make(count: int = 10, kind: str = "image-vector-sequence", attributes: JSON | None = None) -> Walk:
        ana = person("ana", superuser=True)
        log = dataset(ana, kind)
        pictures = [{"image": {"url": f"https://example.org/{n}.png"}} for n in range(count)]
        return Walk(log, add_sample(log, ana, "walk", attributes or {"frames": pictures}), ana)

    return make


@pytest.fixture
def walk(make_walk: Any) -> Walk:
    made: Walk = make_walk()
    made.edit(
        {"op": "add_track", "frame": 1, "category_id": 1, "geometry": bbox(0, 0, 4, 4)},
        {"op": "set_keyframe", "track": 1, "frame": 3, "geometry": bbox(2, 0, 6, 4)},
        {"op": "set_remove_keyframe", "track": 1, "frame": 6},
        {"op": "set_keyframe", "track": 1, "frame": 8, "geometry": bbox(9, 0, 12, 4)},
        {"op": "add_track", "frame": 0, "category_id": 2, "geometry": point(3)},
    )
    return made


def test_the_timeline_shows_presence_keyframes_and_where_an_object_is_gone(walk):
    page = walk.page()
    assert page.count("<polygon points=") == 4
    assert page.count('fill-opacity="0.32"') == 3
    assert page.count('<circle class="leaves"') == 1
    assert "1–5, 8–9" in page and "0–9" in page
    assert "3 of 7:" in re.sub(r"<[^>]*>", "", page)
    assert "car" in page and "person" in page and "skeleton" not in page
    assert '<link rel="stylesheet" href="/static/sequences/tracks' in page and "<style" not in page


def test_the_frame_is_named_and_leads_to_others(walk):
    assert "<h2>Frame 0</h2>" in walk.page()
    page = walk.page(frame=3)
    assert "<h2>Frame 3</h2>" in page and "frame=3" in page
    steps = re.search(r'<nav class="frame-steps".*?</nav>', page, re.S)
    assert steps is not None
    assert re.findall(r'\?frame=(\d+)"', steps[0]) == ["0", "1", "2", "4", "6", "9"]


@pytest.mark.parametrize(("asked", "shown"), [("99", 9), ("-1", 0), ("x", 0), ("", 0), ("9" * 30, 0)])
def test_a_frame_that_is_none_is_the_last_or_the_first(walk, asked, shown):
    assert f"<h2>Frame {shown}</h2>" in walk.page(frame=asked)


def test_the_picture_is_that_of_the_frame_with_what_lies_there(make_walk, person):
    ana = person("ana", superuser=True)
    pictures = [{"image": {"url": assets.url_of(upload(ana, png(c)))}} for c in ((0, 80, 0), (0, 0, 80))]
    walk = make_walk(attributes={"frames": pictures})
    walk.edit({"op": "add_track", "frame": 1, "category_id": 1, "geometry": bbox(32, 0, 64, 48)})
    first, second = walk.pixels(), walk.pixels(frame=1)
    assert np.abs(first[60, 120] - (0, 80, 0)).max() < 12
    assert np.abs(second[60, 20] - (0, 0, 80)).max() < 12
    assert np.abs(second[60, 120] - (0, 0, 80)).max() > 30
    assert walk.client.get(reverse("admin:labeling_sample_thumbnail", args=[walk.sample, "small"]), {"frame": 7})


def test_a_sequence_without_tracks_or_frames_has_a_page(make_walk):
    walk = make_walk(0)
    walk.edit({"op": "set_status", "verb": "skip"})
    assert "No tracks yet." in walk.page(frame=3)


def test_a_long_sequence_and_a_crowd_are_cut(make_walk):
    walk = make_walk(1000)
    walk.edit(
        *({"op": "add_track", "frame": 0, "geometry": point(n)} for n in range(MOST_TRACKS + 3)),
        *({"op": "set_keyframe", "track": 103, "frame": n, "geometry": point(n)} for n in range(1, MOST_KEYFRAMES + 5)),
    )
    page = walk.page()
    assert "and 3 more; read the label" in page and "and 5 more</span>" in page
    assert 300 < page.count('class="column"') <= MOST_LINKS


def test_each_sensor_has_its_timeline(make_walk):
    def sensor(name: str, content: list[JSON]) -> JSON:
        return {"name": name, "task_type": "image-vector-sequence", "attributes": {"frames": content}}

    picture = {"image": {"url": "https://example.org/1.png"}}
    both = {"sensors": [sensor("left <eye>", [picture]), sensor("right", [picture] * 2)]}
    walk = make_walk(0, "multisensor-sequence", both)
    walk.edit({"op": "add_track", "sensor": 1, "frame": 1, "category_id": 1, "geometry": point(1)})
    page = walk.page()
    assert "<strong>left &lt;eye&gt;</strong>" in page and "No tracks yet." in page and "?sensor=1" in page
    page = walk.page(sensor=1, frame=1)
    assert "<strong>right</strong>" in page and page.count("<polygon points=") == 1 and "&amp;sensor=1" in page
    assert "<strong>left" in walk.page(sensor=7)


def test_a_label_of_before_there_were_tracks_is_shown_as_tracks(make_walk, monkeypatch):
    walk = make_walk(3)
    with monkeypatch.context() as before:
        before.setitem(task_types._task_types, "image-vector-sequence", VerbatimTask("image-vector-sequence"))
        labels.save_label(
            intent=Intent(author=walk.ana.id), sample=walk.sample, label_set="ground-truth",
            document=frames(box(0, keyframe=True), box(1), []), create=True,
        )  # fmt: skip
    assert LabelSet.objects.filter(dataset_id=walk.log).count() == 1
    page = walk.page(frame=1)
    assert page.count("<polygon points=") == 1 and "0–1" in page
