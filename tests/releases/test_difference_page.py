"""The page of what differs: before and after side by side, in every kind of dataset, for those who may see it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from labeling.commands import assets, datasets, labels, samples
from labeling.geometry import png
from labeling.log import store
from labeling.models import Sample
from releases import commands
from releases.admin import pictures
from tests.sequences.support import bbox

JSON = dict[str, Any]
Make = Callable[..., Any]


@pytest.fixture
def ana(person: Make) -> Any:
    return person("ana", staff=True)


@pytest.fixture
def client(ana: Any) -> Client:
    found = Client()
    found.force_login(ana)
    return found


def page(dataset: uuid.UUID, query: str = "") -> str:
    return reverse("admin:releases_release_difference", args=[dataset]) + query


@pytest.fixture
def street(ana: Any, dataset: Make, sample: Make, label: Make, intent: Make) -> Any:
    """A dataset with the release v1, and what ana did since: moved one, removed one, added one, renamed a category."""
    made = dataset(ana, name="street")
    picture = sample(made, ana, name="a.png", metadata={"width": 100, "height": 80})
    shapes = [(1, 10), (2, 50)]
    document = [{"id": n, "category_id": 1, "type": "bbox", "points": [[x, 5], [x + 9, 20]]} for n, x in shapes]
    label(picture, ana, {"annotations": document})
    commands.cut_release(intent=intent(ana), dataset=made, name="v1")
    edits = [
        {"op": "set_geometry", "annotation": 1, "geometry": bbox(12, 5, 21, 20)},
        {"op": "remove", "annotation": 2},
        {"op": "add", "id": 3, "category_id": 2, "geometry": bbox(60, 60, 70, 70)},
    ]
    labels.edit_label(intent=intent(ana), sample=picture, label_set="ground-truth", edits=edits)
    return made


def test_before_and_after_are_drawn_with_what_changed_on_top(street: uuid.UUID, client: Client) -> None:
    answer = client.get(page(street, "?from=v1"))
    text = answer.content.decode()
    assert answer.status_code == 200
    before, after = re.findall(r"<figure>(.*?)</figure>", text, re.S)
    assert (before.count('class="removed"'), before.count('class="changed'), before.count('class="added"')) == (2, 2, 0)
    assert (after.count('class="added"'), after.count('class="removed"'), after.count('class="ghost"')) == (2, 0, 1)
    assert "M12 5L21 5L21 20L12 20Z" in after and "M10 5L19 5L19 20L10 20Z" in before
    for words in (
        "moved by 2 px to the right (IoU 0.64",
        "ana",
        "removed car 2",
        "1 object added, 1 changed, 1 removed",
    ):
        assert words in text
    assert "style=" not in text.split('<div id="content"')[-1], "the policy lets no inline style in"


def test_nothing_and_a_filter_that_lets_nothing_through_are_said(street: uuid.UUID, client: Client) -> None:
    assert "Nothing differs." in client.get(page(street, "?from=v1&to=v1")).content.decode()
    text = client.get(page(street, "?from=v1&kind=split")).content.decode()
    assert "At least nothing of what is asked for" in text
    text = client.get(page(street, "?from=v1&change=added")).content.decode()
    assert 'class="added"' in text and 'class="removed"' not in text
    answer = client.get(page(street, "?from=nowhere"))
    assert answer.status_code == 400 and "from: must be an offset" in answer.content.decode()


def test_without_a_question_the_newest_releases_are_compared(
    street: uuid.UUID, client: Client, intent: Make, ana: Any
) -> None:
    assert "<b>v1</b>" in client.get(page(street)).content.decode()
    commands.cut_release(intent=intent(ana), dataset=street, name="v2")
    text = client.get(page(street)).content.decode()
    assert "<b>v1</b>" in text and "<b>v2</b>" in text
    assert "offset 0" in client.get(page(street, "?to=v1&from=0")).content.decode()


def test_many_labels_come_page_by_page(street: uuid.UUID, client: Client, sample: Make, label: Make, ana: Any) -> None:
    for number in range(10):
        label(sample(street, ana, name=f"{number}.png"), ana)
    titles, url = [], page(street, "?from=v1&change=added&kind=")
    while url:
        text = client.get(url).content.decode()
        titles += re.findall(r'<article class="panel entry" aria-label="([^"]*)"', text)
        found = re.search(r'<a class="next" href="([^"]*)"', text)
        url = page(street, found[1].replace("&amp;", "&")) if found else ""
    assert len(titles) == 21 and len(set(titles)) == 11  # a sample and a label each, and the label of before


def test_bitmaps_and_label_sets_are_drawn_too(
    ana: Any, dataset: Make, sample: Make, label: Make, intent: Make, client: Client
) -> None:
    made = dataset(ana, "segmentation-bitmap")
    picture = sample(made, ana)
    datasets.add_label_set(intent=intent(ana), dataset=made, name="model")

    def painted(x: int) -> JSON:
        ids = np.zeros((40, 60), np.uint32)
        ids[10:30, x : x + 20] = 1
        kept = assets.keep_bytes(png.write_ids(ids), owner=ana.id, filename="m.png", content_type="image/png")
        return {"annotations": [{"id": 1, "category_id": 1}], "segmentation_bitmap": {"url": assets.url_of(kept)}}

    label(picture, ana, painted(10))
    label(picture, ana, painted(15), label_set="model")
    text = client.get(page(made, "?from_label_set=ground-truth&to_label_set=model")).content.decode()
    assert "M10 10L30 10L30 30L10 30Z" in text and "M15 10L35 10L35 30L15 30Z" in text
    assert "IoU 0.60, 400 px²" in text and "ground-truth → model" in text


def test_a_sequence_shows_the_frames_at_which_most_changed(
    ana: Any, dataset: Make, sample: Make, intent: Make, client: Client
) -> None:
    made = dataset(ana, "image-vector-sequence")
    frames = [{"image": {"url": f"https://example.org/{n}.png"}} for n in range(10)]
    picture = sample(made, ana, attributes={"frames": frames})

    def edit(*edits: JSON) -> None:
        labels.edit_label(intent=intent(ana), sample=picture, label_set="ground-truth", edits=list(edits))

    for x in (0, 40):
        edit({"op": "add_track", "frame": 0, "category_id": 1, "geometry": bbox(x, 0, x + 10, 10)})
    commands.cut_release(intent=intent(ana), dataset=made, name="v1")
    edit({"op": "set_keyframe", "track": 1, "frame": 6, "geometry": bbox(20, 0, 30, 10)})
    text = client.get(page(made, "?from=v1")).content.decode()
    assert "frame 6" in text and "keyframes added at frame 6" in text
    before, after = re.findall(r"<figure>(.*?)</figure>", text, re.S)
    assert "M0 0L10 0L10 10L0 10Z" in before and "M20 0L30 0L30 10L20 10Z" in after
    assert before.count('class="same"') == 1, "the other track is as it was"


def test_a_sample_that_went_is_one_line_and_its_objects_are_behind_a_fold(
    street: uuid.UUID, client: Client, intent: Make, ana: Any
) -> None:
    commands.cut_release(intent=intent(ana), dataset=street, name="v2")
    sample = Sample.objects.get(dataset_id=street)
    samples.archive_sample(intent=intent(ana), sample=sample.id)
    for query, words in (("?from=v2", "Went with its sample: 2 objects"), ("?from=2&to=1", "")):
        text = client.get(page(street, query)).content.decode()
        assert words in text
    text = client.get(page(street, "?from=v2")).content.decode()
    assert "<figure>" not in text and '<details class="fold">' in text
    assert f"/sample/{sample.id}/change/" not in text, "what is gone has no page"
    back = client.get(page(street, f"?from={store.head(street)}&to=v2")).content.decode()
    assert "Came back with its sample: 2 objects" in back


def test_only_members_see_it(street: uuid.UUID, person: Make, dataset: Make) -> None:
    stranger = Client()
    assert stranger.get(page(street)).status_code == 302
    stranger.force_login(person("eve", staff=True))
    assert stranger.get(page(street)).status_code == 404


@pytest.mark.parametrize(
    ("boxes", "view"),
    [
        ([(10, 10, 20, 20)], (0.0, 6.5, 34.0, 17.0)),
        ([(90, 40, 120, 60)], (66.0, 33.0, 34.0, 17.0)),
        ([(0, 0, 90, 45)], (0.0, 0.0, 100.0, 50.0)),
    ],
)
def test_a_drawing_shows_what_changed_with_something_around_it(boxes: list[Any], view: Any) -> None:
    assert pictures.zoomed(boxes, (100, 50)) == pytest.approx(view)


def test_the_frames_that_are_drawn_show_as_many_changes_as_they_can() -> None:
    changes = [
        {"change": "changed", "keyframes": {"added": frames}} for frames in ([3], [3, 5], [5, 7], [9], [11], [2])
    ]
    assert pictures.frames_to_show(changes) == [2, 3, 5]
    gone = {"change": "removed", "before": {"entries": {"4": {"absent": True}, "6": {}, "8": {}}}, "after": None}
    assert pictures.changed_frames(gone) == [6]
