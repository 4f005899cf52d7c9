"""The files of masks are in a backup like all others: found by their rows, under names that a restore takes."""

from __future__ import annotations

from typing import Any

from config.backup.contents import stored_path
from config.backup.files import References, pieces
from labeling import storage
from labeling.log import projector
from labeling.models import MaskFile
from tests.support.masks import CATEGORIES, add_sample, box, picture, save, upload


def test_the_files_of_masks_are_found_by_their_rows(person: Any, dataset: Any, intent: Any) -> None:
    ana = person("ana")
    made = dataset(ana, task_attributes=CATEGORIES)
    sample = add_sample(made, ana, {"image": {"url": upload(ana, picture())}}, intent)
    save(sample, ana, {"annotations": [box(1, 0, 0, 9, 9)]}, intent)
    projector.catch_up(made)
    found = References(["labeling_maskfile"])
    stored = {file.sha256: file for file in found}
    found.close()
    rows = MaskFile.objects.filter(dataset_id=made)
    assert rows.count() == 4
    for row in rows:
        file = stored[row.sha256]
        assert b"".join(pieces(file)).startswith(b"\x89PNG")
        assert stored_path(f"files/{file.path}") == (file.path, row.sha256)
        assert storage.local_path(file.path) is not None


def test_a_mask_under_another_name_is_none_of_a_backup() -> None:
    name = "ab" + "0" * 62
    for path in (f"masks/ab/{name}", f"masks/ab/{name}.json", f"ab/{name}.png", f"exports/ab/{name}.png"):
        assert stored_path(f"files/{path}") is None, path
