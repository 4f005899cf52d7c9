"""Masks are what the log says, whatever way led there; their files are there before their rows."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labeling import mask_files
from labeling.commands import datasets, labels
from labeling.log import projector, rebuild, store
from labeling.models import Annotation, LabelMasks, Mask
from labeling.rules.label_state import label_stream
from tests.support.masks import CATEGORIES, HEIGHT, WIDTH, add_sample, box, picture, save, upload

JSON = dict[str, Any]


class Scene:
    """A dataset of Ana's with a picture of 64 by 48."""

    def __init__(self, ana: Any, dataset: uuid.UUID, intent: Callable[..., Any], attributes: JSON) -> None:
        self.ana, self.dataset, self.intent = ana, dataset, intent
        self.sample = add_sample(dataset, ana, attributes, intent)

    def save(self, *annotations: JSON, **more: Any) -> None:
        save(self.sample, self.ana, {"annotations": list(annotations), **more}, self.intent)

    def edit(self, *edits: JSON) -> None:
        labels.edit_label(intent=self.intent(self.ana), sample=self.sample, label_set="ground-truth", edits=list(edits))

    def named(self, number: int) -> str:
        """The uuid of the annotation with that id."""
        return str(Annotation.objects.get(dataset_id=self.dataset, id=number).uuid)

    def catch_up(self) -> None:
        projector.catch_up(self.dataset)

    @property
    def rows(self) -> list[Mask]:
        return list(Mask.objects.filter(dataset_id=self.dataset).order_by("label_id", "picture"))

    def shown(self, kind: str, picture: int = 0) -> np.ndarray:
        data = mask_files.read(self.dataset, self.rows[picture].keys[kind])
        assert data is not None
        image = Image.open(io.BytesIO(data))
        return np.asarray(image.convert("RGB") if image.mode == "P" else image)

    def assert_rebuilt_equals_live(self) -> None:
        for each in projector.catch_ups(heavy=True):
            assert rebuild.compared_catch_up(each, self.dataset) == {}


@pytest.fixture
def scene(person: Any, dataset: Any, intent: Any) -> Scene:
    ana = person("ana")
    made = dataset(ana, task_attributes=CATEGORIES)
    return Scene(ana, made, intent, {"image": {"url": upload(ana, picture())}})


def test_a_vector_label_becomes_its_four_maps(scene: Scene) -> None:
    scene.save(box(1, 0, 0, 64, 20, 3), box(2, 10, 10, 30, 30), box(3, 20, 20, 40, 40), box(7, 50, 0, 60, 10, 3))
    scene.catch_up()
    instance = np.zeros((HEIGHT, WIDTH), np.uint8)
    instance[0:20] = 1
    instance[10:30, 10:30] = 2
    instance[20:40, 20:40] = 3
    instance[0:10, 50:60] = 7
    assert (scene.shown("instance") == instance).all()
    assert (scene.shown("semantic") == np.choose(np.minimum(instance, 4), [0, 3, 1, 1, 3])).all()
    panoptic = scene.shown("panoptic")
    assert (panoptic[..., 0] == np.choose(np.minimum(instance, 4), [0, 1, 2, 3, 1])).all()
    assert (panoptic[..., 3] == 255).all() and not panoptic[..., 1:3].any()
    colours = scene.shown("color")
    assert tuple(colours[5, 5]) == (30, 60, 220) and tuple(colours[47, 63]) == (0, 0, 0)
    assert tuple(colours[12, 12]) != tuple(colours[39, 39]), "two cars in two shades"
    row = scene.rows[0]
    assert (row.width, row.height, row.problem) == (WIDTH, HEIGHT, "")
    assert [(item["id"], item["area"], item["box_xyxy"], item["thing"]) for item in row.segments] == [
        (1, 20 * 64 - 200 - 100, [0, 0, 64, 20], False),
        (2, 300, [10, 10, 30, 30], True),
        (3, 400, [20, 20, 40, 40], True),
        (7, 100, [50, 0, 60, 10], False),
    ]
    head = LabelMasks.objects.get(dataset_id=scene.dataset)
    assert (head.version, head.pictures, head.made) == (store.version(scene.dataset, stream(scene)), 1, 1)
    scene.assert_rebuilt_equals_live()


def stream(scene: Scene) -> str:
    from labeling.models import Label

    return label_stream(scene.sample, Label.objects.get(sample_id=scene.sample).label_set_id)


def test_any_pages_lead_to_the_same_rows(scene: Scene) -> None:
    scene.save(box(1, 0, 0, 20, 20))
    scene.catch_up()
    scene.edit(
        {"op": "set_geometry", "annotation": scene.named(1), "geometry": {"type": "bbox", "points": [[5, 5], [9, 9]]}}
    )
    scene.catch_up()
    categories = [item | {"color": [1, 2, 3]} for item in CATEGORIES["categories"]]
    datasets.change_dataset(
        intent=scene.intent(scene.ana), dataset=scene.dataset, changes={}, task_attributes={"categories": categories}
    )
    scene.catch_up()
    before = [(row.content, row.keys) for row in scene.rows]
    scene.assert_rebuilt_equals_live()
    projector.rebuild_catch_up(projector.catch_ups(heavy=True)[0], scene.dataset)
    assert [(row.content, row.keys) for row in scene.rows] == before
    scene.edit({"op": "set_category", "annotation": scene.named(1), "category_id": 2})
    scene.catch_up()
    scene.assert_rebuilt_equals_live()
    assert tuple(scene.shown("color")[6, 6]) != (0, 0, 0)
