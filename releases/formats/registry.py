"""All formats, by name. A format is one file beside this one; it is known once it stands here. Pure."""

from __future__ import annotations

from releases.formats import (
    classifications,
    coco,
    coco_keypoints,
    coco_panoptic,
    cvat,
    datumaro,
    geojson,
    kitti,
    label_studio,
    labelme,
    maps,
    mot,
    mots,
    native,
    nucleus,
    segments_reading,
    sentisight,
    supervisely,
    tables,
    voc,
    yolo,
)
from releases.formats.format import Format

FORMATS: dict[str, Format] = {
    item.name: item
    for item in (
        coco.INSTANCES,
        coco_keypoints.KEYPOINTS,
        coco_panoptic.PANOPTIC,
        cvat.IMAGES,
        cvat.VIDEO,
        mot.MOT,
        mots.MOTS,
        native.NATIVE,
        datumaro.DATUMARO,
        voc.VOC,
        maps.SEMANTIC,
        maps.INSTANCE,
        maps.COLOUR,
        maps.CITYSCAPES,
        kitti.KITTI,
        kitti.TRACKING,
        labelme.LABELME,
        supervisely.SUPERVISELY,
        sentisight.SENTISIGHT,
        segments_reading.SEGMENTS,
        nucleus.NUCLEUS,
        geojson.GEOJSON,
        label_studio.LABEL_STUDIO,
        classifications.LISTS,
        classifications.FOLDERS,
        tables.CSV,
        tables.PARQUET,
        yolo.DETECTION,
        yolo.SEGMENTATION,
        yolo.OBB,
        yolo.POSE,
    )
}
#: Names of the formats that can be written, and of those that can be read.
WRITTEN = frozenset(name for name, item in FORMATS.items() if item.parts is not None)
READ = frozenset(name for name, item in FORMATS.items() if item.read is not None)


class UnknownFormat(ValueError):
    """There is no format of that name that can be written (or read); the text lists those that there are."""


def to_write(name: str) -> Format:
    """The format of that name.

    Raises:
        UnknownFormat: there is none that can be written.
    """
    return _found(name, WRITTEN)


def to_read(name: str) -> Format:
    """The format of that name.

    Raises:
        UnknownFormat: there is none that can be read.
    """
    return _found(name, READ)


def _found(name: str, known: frozenset[str]) -> Format:
    if name not in known:
        raise UnknownFormat(f"must be one of {', '.join(sorted(known))}")
    return FORMATS[name]
