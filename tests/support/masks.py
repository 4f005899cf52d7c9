"""Pictures and labels of which there are masks, for tests of all that is made of them."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from labeling.commands import assets, labels, samples
from labeling.commands.labels import Seen
from labeling.geometry import png
from labeling.models import Person

JSON = dict[str, Any]
WIDTH, HEIGHT = 64, 48
CATEGORIES: JSON = {
    "categories": [
        {"id": 1, "name": "car", "color": [200, 30, 30], "has_instances": True},
        {"id": 2, "name": "person"},
        {"id": 3, "name": "sky", "color": [30, 60, 220], "has_instances": False},
        {"id": 300, "name": "wide"},
    ]
}


def picture(width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A PNG file of that size."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 60)).save(file, "PNG")
    return file.getvalue()


def upload(owner: Person, data: bytes, filename: str = "a.png") -> str:
    """The address of an uploaded file, without a host."""
    return assets.url_of(assets.keep_bytes(data, owner=owner.id, filename=filename, content_type="image/png"))


def upload_ids(owner: Person, ids: Any) -> str:
    """The address of an uploaded bitmap."""
    return upload(owner, png.write_ids(np.asarray(ids, dtype=np.uint32)), f"label-{uuid.uuid4().hex[:8]}.png")


def box(number: int, x0: float, y0: float, x1: float, y1: float, category: int = 1) -> JSON:
    """A box as the protocol has it."""
    return {"id": number, "category_id": category, "type": "bbox", "points": [[x0, y0], [x1, y1]]}


def add_sample(dataset: uuid.UUID, by: Person, attributes: JSON, intent: Callable[..., Any]) -> uuid.UUID:
    """A new sample with these attributes."""
    item = samples.checked_sample({"name": f"s-{uuid.uuid4().hex[:10]}", "attributes": attributes})
    return samples.add_samples(intent=intent(by), dataset=dataset, items=[item], keep_existing=False)[0]


def save(sample: uuid.UUID, by: Person, document: JSON, intent: Callable[..., Any], **more: Any) -> Any:
    """Save the ground truth."""
    return labels.save_label(
        intent=intent(by),
        sample=sample,
        label_set=more.pop("label_set", "ground-truth"),
        document=document,
        create=True,
        seen=Seen(),
        **more,
    )
