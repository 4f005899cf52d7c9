"""`manage.py import_masks OWNER/DATASET FILE --by USERNAME`: masks with their segments, from a file of JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.commands import assets
from labeling.commands.mask_imports import MOST_MASKS, How, Imported, import_masks
from labeling.commands.people import person_named
from labeling.errors import NotFound, PalimpsestError
from labeling.log import values
from labeling.log.event import Intent
from labeling.log.values import BadValue
from labeling.management.progress import Bar, DataCommand
from labeling.models import Person
from labeling.queries.datasets import find_dataset
from labeling.rules import access
from labeling.rules.mask_imports import UNKNOWN

JSON = dict[str, Any]


class Command(DataCommand):
    """Imports masks as `POST /datasets/{owner}/{name}/masks/` does; their files may lie beside the file."""

    help = "Import masks with their segments: items of {reference_id, mask_url, annotations, annotation_id}."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("dataset", metavar="OWNER/DATASET")
        parser.add_argument("file", metavar="FILE", help="a list in JSON, or one item a line; - reads from a pipe")
        parser.add_argument("--by", required=True, metavar="USERNAME", help="who imports them")
        parser.add_argument("--update", action="store_true", help="replace masks that are there; else they stay")
        parser.add_argument("--strict", action="store_true", help="refuse masks with findings")
        parser.add_argument("--unknown-labels", choices=UNKNOWN, default=UNKNOWN[0], help="segments of no category")
        parser.add_argument("--label-set", default="ground-truth", metavar="NAME")
        parser.add_argument("--label-status", default="PRELABELED", metavar="STATUS", help="of labels that are new")

    def handle(self, **options: Any) -> None:
        """Import them.

        Raises:
            CommandError: there is no such dataset, person or file, the person may not label there, or a mask failed.
        """
        try:
            person = person_named(options["by"])
            owner, _, name = options["dataset"].partition("/")
            found = find_dataset(owner, name, person=person.id)
            access.require("label", role=found.role, public=found.dataset.public, dataset=found.id)
            items = _items(options["file"])
            folder = Path() if options["file"] == "-" else Path(options["file"]).parent
            how = How(
                update=options["update"],
                strict=options["strict"],
                unknown=options["unknown_labels"],
                status=options["label_status"],
                label_set=options["label_set"],
            )
            intent = Intent(author=person.id, author_kind="import", tool="import_masks")
            bar = Bar(self.stderr)
            results: list[Imported] = []
            for start in range(0, len(items), MOST_MASKS):
                bar.show("masks", start, len(items))
                some = [_with_file(item, folder, person) for item in items[start : start + MOST_MASKS]]
                results += import_masks(intent=intent, dataset=found, items=some, how=how)
            bar.clear()
        except NotFound as error:
            raise CommandError(error.message) from error
        except (PalimpsestError, BadValue, OSError) as error:
            raise CommandError(str(error)) from error
        self._tell(results)

    def _tell(self, results: list[Imported]) -> None:
        for number, one in enumerate(results):
            for finding in one.findings:
                rest = {key: value for key, value in finding.items() if key != "code"}
                self.stdout.write(f"{one.reference}: {finding['code']} {rest or ''}".rstrip())
            if one.error is not None:
                self.stdout.write(f"{one.reference or f'item {number}'}: failed: {one.error['detail']}")
        counts = {word: sum(one.outcome == word for one in results) for word in ("processed", "ignored", "failed")}
        self.stdout.write(", ".join(f"{count} {word}" for word, count in counts.items()))
        if counts["failed"]:
            raise CommandError(f"{counts['failed']} masks were not imported; the others were")


def _items(file: str) -> list[Any]:
    """The items of a file, by the rules of every JSON that is read here."""
    raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    if raw.lstrip().startswith(b"["):
        found = values.parse(raw, where="FILE")
        return found if isinstance(found, list) else []
    return [values.parse(line, where=f"FILE line {number}") for number, line in enumerate(raw.splitlines(), 1) if line]


def _with_file(item: Any, folder: Path, person: Person) -> Any:
    """The item with its mask uploaded, where it is a file beside the list."""
    url = item.get("mask_url") if isinstance(item, dict) else None
    if not isinstance(url, str) or "://" in url or url.startswith(assets.MEDIA):
        return item
    path = folder / url
    if not path.is_file():
        return item
    asset = assets.keep_bytes(path.read_bytes(), owner=person.id, filename="mask.png", content_type="image/png")
    return item | {"mask_url": assets.url_of(asset)}
