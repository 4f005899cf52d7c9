"""Run by a Python that has `label-studio`, not by ours: what its own export of some tasks costs.

    python -P label_studio_export.py FOLDER CATEGORIES

FOLDER has `tasks.json`: tasks as Label Studio exports them. They are put into a database of Label Studio's own (SQLite,
its default, in this process), and then exported to COCO as its page does: a request to `/api/projects/1/export`, which
reads tasks with their annotations, serializes them, and gives them to the converter. Printed is JSON: processor
milliseconds of the request, and of the converter alone on the same file. Where only `label-studio-sdk` is installed,
the first is null.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def prepared(folder: Path) -> None:
    """Label Studio's Django, with a database in the folder."""
    found = find_spec("label_studio")
    assert found is not None and found.submodule_search_locations
    sys.path.insert(0, found.submodule_search_locations[0])
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "core.settings.label_studio",
        "DJANGO_DB": "sqlite",
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder / "data"),
        "COLLECT_ANALYTICS": "0",
        "LATEST_VERSION_CHECK": "0",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "LOG_LEVEL": "ERROR",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def filled(tasks: list[dict[str, Any]], config: str) -> tuple[Any, int]:
    """(its user, its project with the tasks)."""

    def model(where: str, name: str) -> Any:
        return getattr(importlib.import_module(where), name)

    user = model("users.models", "User").objects.create_user(email="bench@example.org", password="bench")
    organization = model("organizations.models", "Organization").create_organization(created_by=user, title="bench")
    user.active_organization = organization
    user.save()
    project = model("projects.models", "Project").objects.create(
        title="bench", label_config=config, organization=organization, created_by=user
    )
    task, annotation = model("tasks.models", "Task"), model("tasks.models", "Annotation")
    made = task.objects.bulk_create(
        [task(data=item["data"], project=project, is_labeled=True, total_annotations=1) for item in tasks], 500
    )
    annotation.objects.bulk_create(
        [
            annotation(task=one, project=project, completed_by=user, result=item["annotations"][0]["result"])
            for one, item in zip(made, tasks, strict=True)
        ],
        500,
    )
    return user, project.id


def exported_ms(folder: Path, config: str) -> float:
    """Processor milliseconds of the request. The first one is not measured: it loads what is loaded once."""
    prepared(folder)
    user, project = filled(json.loads((folder / "tasks.json").read_text()), config)

    from rest_framework.test import APIClient

    client = APIClient()
    client.force_authenticate(user)
    asked: dict[str, Any] = {"exportType": "COCO", "download_resources": "false"}
    for said in (asked | {"ids[]": [1]}, asked):
        began = time.process_time()
        answer: Any = client.get(f"/api/projects/{project}/export", said)
        size = len(b"".join(answer.streaming_content)) if answer.status_code == 200 else 0
        taken_ms = (time.process_time() - began) * 1000
        if not size:
            raise SystemExit(f"the export answered {answer.status_code}: {answer.content[:500]!r}")
    return taken_ms


def main(folder: Path, categories: int) -> dict[str, Any]:
    """What it prints."""
    labels = "".join(f'<Label value="category {n}"/>' for n in range(1, categories + 1))
    labels = f'<PolygonLabels name="label" toName="image">{labels}</PolygonLabels>'
    config = f'<View><Image name="image" value="$image"/>{labels}</View>'
    export_ms = exported_ms(folder, config) if find_spec("label_studio") else None

    converter = importlib.import_module("label_studio_sdk.converter").Converter(
        config, str(folder), download_resources=False
    )
    began = time.process_time()
    converter.convert_to_coco(str(folder / "tasks.json"), str(folder / "coco"), is_dir=False)
    converter_ms = (time.process_time() - began) * 1000
    return {"export_ms": export_ms, "converter_ms": converter_ms}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        said = main(Path(sys.argv[1]), int(sys.argv[2]))
    print(json.dumps(said))
