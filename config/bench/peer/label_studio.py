"""Label Studio's export of labels like ours, by an installation of its own: what it takes of the processor.

It is a peer where LABEL_STUDIO_PYTHON names a Python that has `label-studio` (`pip install label-studio` in a virtual
environment of its own, which takes some minutes and a gigabyte; 1.23 was tried). Then the whole of its export is
measured, as its page asks for it (`label_studio_export.py` says what that is); and its converter alone, which is given
a JSON file and so reads no database. With `label-studio-sdk` only, there is the converter alone.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JSON = dict[str, Any]
#: (width, height, geometry)
Shape = tuple[int, int, JSON]

PROGRAM = Path(__file__).with_name("label_studio_export.py")


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor milliseconds for an annotation. `export` is None where only the converter is installed."""

    export_ms: float | None
    converter_ms: float


def cost(shapes: Sequence[Shape], labels: int, *, each: int, categories: int) -> Cost | None:
    """What an export of so many labels to COCO takes; None where Label Studio is not installed.

    Raises:
        SystemExit: it ended with an error.
    """
    python = os.environ.get("LABEL_STUDIO_PYTHON")
    if not python:
        return None
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tasks.json").write_text(json.dumps(list(tasks(shapes, labels, each=each, categories=categories))))
        command = [python, "-P", str(PROGRAM), folder, str(categories)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"Label Studio's export ended with {done.returncode}: {done.stderr[-500:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    count = labels * each
    return Cost(
        None if said["export_ms"] is None else said["export_ms"] / count,
        said["converter_ms"] / count,
    )


def tasks(shapes: Sequence[Shape], labels: int, *, each: int, categories: int) -> Iterator[JSON]:
    """The tasks that Label Studio would have for such labels."""
    chance = random.Random(labels)
    for number in range(labels):
        results = []
        for width, height, geometry in chance.sample(shapes, each):
            ring = geometry["parts"][0][0]
            results.append(
                {
                    "id": uuid.uuid4().hex[:10],
                    "type": "polygonlabels",
                    "from_name": "label",
                    "to_name": "image",
                    "original_width": width,
                    "original_height": height,
                    "value": {
                        "points": [[x / width * 100, y / height * 100] for x, y in ring],
                        "polygonlabels": [f"category {chance.randint(1, categories)}"],
                    },
                }
            )
        yield {
            "id": number,
            "data": {"image": f"https://example.org/{number:07d}.jpg"},
            "annotations": [{"id": number, "result": results, "completed_by": 1}],
        }
