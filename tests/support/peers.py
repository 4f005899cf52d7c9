"""Files of an export put into a directory, with dummy pictures, for other people's readers."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def put(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a directory."""
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


def dummy(width: int, height: int, kind: str = "JPEG") -> bytes:
    """A picture file of that size."""
    data = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), dtype=np.uint8)).save(data, kind)
    return data.getvalue()


def read_by_datumaro(folder: Path, name: str, **more: Any) -> Any:
    """A dataset of files in a directory, read by Datumaro as the format of that name."""
    with warnings.catch_warnings():
        # its files are compiled when they are first used, some with escapes that Python warns of
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", SyntaxWarning)
        from datumaro.components.dataset import Dataset

        return Dataset.import_from(str(folder), name, **more)


def labels_of(dataset: Any) -> list[str]:
    """The names of the categories that Datumaro found, in its order."""
    from datumaro.components.annotation import AnnotationType

    return [label.name for label in dataset.categories()[AnnotationType.label].items]
