"""`manage.py diff OWNER/NAME FROM [TO]`: what differs between two releases, moments or label sets, in words."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.errors import InvalidValue, NotFound
from labeling.management.progress import Bar, DataCommand
from labeling.models import LabelSet
from labeling.queries.logs import log_named
from releases.comparing import gone_along, summary
from releases.differences import Comparison, Side, Totals, contents, first_unequal, lines, named
from releases.differences.asking import compared_sides, wanted_of
from releases.differences.wanting import CHANGES, KINDS

JSON = dict[str, Any]

#: Without --all so many labels are told.
MOST_LABELS = 25
MOST_CHANGES = 40
SIGNS = {"added": "+", "removed": "-", "changed": "~"}
FILTERS = ("from_label_set", "to_label_set", "label_set", "change", "kind", "category", "author", "sample")


class Command(DataCommand):
    """Tells a difference to a person, or writes it for a program; nothing is stored."""

    help = "Say what differs between two releases, offsets, times or events of a dataset, or between two label sets."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        place = "a release's name, an offset, a time in ISO 8601, or an event's id"
        parser.add_argument("dataset", metavar="OWNER/NAME")
        parser.add_argument("from", metavar="FROM", nargs="?", help=place)
        parser.add_argument("to", metavar="TO", nargs="?", help=f"{place}; the newest event unless said")
        parser.add_argument("--from-label-set", metavar="NAME", help="compare this label set …")
        parser.add_argument("--to-label-set", metavar="NAME", help="… with this one; FROM and TO may then be left out")
        parser.add_argument("--label-set", metavar="NAME", help="of this label set only")
        parser.add_argument("--sample", metavar="UUID", help="of this sample only")
        parser.add_argument("--change", metavar="WORD", help=f"only what was {', '.join(CHANGES)}")
        parser.add_argument("--kind", metavar="WORD", help=f"only this kind of change: {', '.join(KINDS)}")
        parser.add_argument("--category", metavar="ID", help="only objects of this category")
        parser.add_argument("--author", metavar="USERNAME", help="only what this person did")
        parser.add_argument("--all", action="store_true", help=f"tell all labels, not the first {MOST_LABELS}")
        parser.add_argument(
            "--check", action="store_true", help="prove that it leads from the one to the other, and back"
        )
        parser.add_argument("--format", choices=("words", "csv", "ndjson"), default="words", help="words unless said")

    def handle(self, **options: Any) -> None:
        """Tell it.

        Raises:
            CommandError: no such dataset, release, moment or label set, or a filter that names nothing.
        """
        said = {name: options[name] or "" for name in ("from", "to", *FILTERS)}
        try:
            dataset = log_named(options["dataset"])
            compared = compared_sides(dataset, said)
            wanted = wanted_of(compared, said)
        except NotFound as error:
            raise CommandError(f"There is no dataset {options['dataset']}; write it as OWNER/NAME.") from error
        except InvalidValue as error:
            raise CommandError(_in_words(error)) from error
        if options["check"]:
            self._check(compared)
            return
        totals = Totals()
        entries = totals.of(wanted.of(self._with_bar(compared)))
        told = named(entries, compared.categories, batch_size=1)
        if options["format"] != "words":
            for line in lines.as_csv(told) if options["format"] == "csv" else lines.as_ndjson(told):
                self.stdout.write(line.decode(), ending="")
            return
        first = list(told if options["all"] else islice(told, MOST_LABELS))
        for _ in told:
            pass
        ends = (_end(dataset, side) for side in (compared.one, compared.other))
        self.stdout.write(self.style.MIGRATE_HEADING(f"{options['dataset']}: {' → '.join(ends)}"))
        self.stdout.write(f"{summary(totals.as_json())}.")
        for entry in first:
            self._tell(entry, every=options["all"])
        left = totals.entries - len(first)
        if left:
            self.stdout.write(f"\nand {left:,} more; --all tells them, --format csv writes them for a program.")

    def _check(self, compared: Comparison) -> None:
        """Apply the whole difference to the first side, and that back to the second; each has to give the other."""
        if compared.of_label_sets:
            raise CommandError("--check is for two moments or releases; objects of two label sets are only matched.")
        for way in (compared, Comparison(compared.dataset, compared.other, compared.one)):
            wrong = first_unequal(way)
            if wrong is not None:
                ends = " → ".join(_end(way.dataset, side) for side in (way.one, way.other))
                raise CommandError(f"{ends}: the difference leaves something out at {wrong}. Please tell us.")
        count = sum(1 for _ in contents(compared.dataset, compared.other))
        self.stdout.write(
            f"Applied to the first side the difference gives the second, in all {count:,} samples and labels, and the"
            " difference back gives the first."
        )

    def _with_bar(self, compared: Comparison) -> Iterator[JSON]:
        bar = Bar(self.stderr)
        try:
            for count, entry in enumerate(compared.entries(), 1):
                bar.show("labels that differ", count, count)
                yield entry
        finally:
            bar.clear()

    def _tell(self, entry: JSON, *, every: bool) -> None:
        kind = entry["stream"].split("/")[0]
        name = entry["sample_name"] or f"sample {entry['sample']}, which is gone"
        name = "the dataset" if kind == "dataset" else name
        label_set = f" · {entry['label_set_name'] or entry['label_set']}" if kind == "label" else ""
        same = f", {entry['same']:,} the same" if entry["same"] else ""
        self.stdout.write("")
        self.stdout.write(self.style.MIGRATE_LABEL(f"{name}{label_set}") + f"  {_by(entry['people'])}{same}")
        changes = entry["changes"]
        if entry["gone_with"] and not every:
            style = self.style.SUCCESS if changes[0]["change"] == "added" else self.style.ERROR
            self.stdout.write(f"  {style(SIGNS[changes[0]['change']])} {gone_along(entry)}")
            return
        for change in changes if every else changes[:MOST_CHANGES]:
            style = {"added": self.style.SUCCESS, "removed": self.style.ERROR}.get(change["change"], self.style.WARNING)
            events = " ".join(f"#{offset}" for offset in change["events"][:3])
            self.stdout.write(f"  {style(SIGNS[change['change']])} {change['words']}  {events}".rstrip())
        if not every and len(changes) > MOST_CHANGES:
            self.stdout.write(f"  and {len(changes) - MOST_CHANGES:,} more changes")


def _by(people: Iterable[str]) -> str:
    return f"by {', '.join(sorted(people))}"


def _in_words(error: InvalidValue) -> str:
    """An error in the words of the command line, not of a query."""
    name = error.field if error.field in ("from", "to") else f"--{error.field.replace('_', '-')}"
    return f"{name.upper() if name in ('from', 'to') else name} {error.problem}"


def _end(dataset: uuid.UUID, side: Side) -> str:
    place = f"{side.release} (offset {side.offset})" if side.release else f"offset {side.offset}"
    label_set = LabelSet.objects.filter(dataset_id=dataset, id=side.label_set).first() if side.label_set else None
    return f"{place} · {label_set.name}" if label_set else place
