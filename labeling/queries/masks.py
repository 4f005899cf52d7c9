"""The masks of a label, now or as it was: the stored file where there is one of just these pixels, else made here."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labeling import mask_files, pictures
from labeling.errors import InvalidValue, NoMask, NotFound
from labeling.models import Mask, Sample
from labeling.queries import samples as sample_queries
from labeling.queries.labels import Found
from labeling.queries.palettes import palette_at
from labeling.rules.label_state import LabelState
from labeling.rules.masks import Kind, Masks
from labeling.rules.palettes import Palette
from labeling.rules.task_types import TaskType, task_type

JSON = dict[str, Any]


@dataclass(slots=True)
class Pictured:
    """A label at one moment, and the pictures that it is about."""

    dataset: uuid.UUID
    state: LabelState
    offset: int
    task: TaskType
    attributes: JSON  #: of the sample
    palette: Palette

    def masks(self, number: int) -> Masks:
        """The masks of one picture; no pixel is looked at before it is asked for.

        Raises:
            InvalidValue: there is no such picture.
            NoMask: there can be none of this label.
        """
        count = self.task.picture_count(self.state)
        if count is None:
            raise NoMask(f"There are no masks of labels of a {self.task.name or 'custom'} dataset.")
        if number >= count:
            raise InvalidValue("frame", f"must be less than {count}, the number of pictures of this label")
        (found,) = pictures.masks_of(
            self.state, self.task, self.attributes, self.palette, number, number + 1, known=pictures.uploaded
        )
        if isinstance(found, NoMask):
            raise found
        return found

    def image_url(self, number: int) -> str | None:
        """The address of one picture."""
        return next(iter(pictures.urls_of(self.attributes, number, number + 1)), None)


def pictured(found: Found, *, is_past: bool) -> Pictured:
    """A label, as it is now or was at the offset `found.head`, with its pictures and categories of then.

    Raises:
        NotFound: there was no such label.
    """
    state, offset = found.state, found.head
    if not state.exists:
        raise NotFound
    if not is_past:
        row = Sample.objects.filter(id=found.sample).first()
        attributes = row.attributes if row is not None else {}
    else:
        attributes = sample_queries.sample_at(found.dataset, found.sample, offset).attributes
    _, palette = palette_at(found.dataset, offset)
    return Pictured(found.dataset, state, offset, task_type(found.task_type), attributes, palette)


def file_of(dataset: uuid.UUID, masks: Masks, kind: Kind) -> bytes:
    """The PNG file of a map: as it is stored, if it is.

    Raises:
        NoMask: there can be no such map.
    """
    return mask_files.read(dataset, masks.key(kind)) or masks.file(kind)


def segments_of(label: uuid.UUID, number: int, masks: Masks) -> list[JSON]:
    """What is seen of each object: from the row of a picture that shows the same, else from its pixels.

    Raises:
        NoMask: what is drawn is no outline or bitmap.
    """
    row = Mask.objects.filter(label_id=label, picture=number, content=masks.content, problem="").first()
    return masks.segments if row is None else row.segments


def mapped(palette: Palette, categories: Mapping[int, int | None], *, stuff: bool) -> Palette:
    """The palette with some categories taken for others or for void, and without `stuff` where that is not wanted.

    Raises:
        InvalidValue: a category that the dataset does not have.
    """
    try:
        palette = palette.mapped(categories) if categories else palette
    except KeyError as error:
        raise InvalidValue("category_map", "maps to a category that the dataset does not have") from error
    return palette if stuff else palette.without_stuff()
