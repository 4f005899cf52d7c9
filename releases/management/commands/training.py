"""`manage.py training OWNER/NAME [RELEASE …]`: registers a training that used a release, or lists those there are."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.commands.people import person_named
from labeling.errors import NotFound, PalimpsestError
from labeling.log import values
from labeling.log.event import Intent
from labeling.management.progress import DataCommand
from labeling.queries.labels import names_of
from labeling.queries.logs import log_named
from releases import commands, lineage, queries

JSON = dict[str, Any]


class Command(DataCommand):
    """Registers a training as `POST …/releases/{release}/trainings/` does, or lists those that there are."""

    help = "Register a training that used a release; without RELEASE, say which trainings used which release."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("dataset", metavar="OWNER/NAME")
        parser.add_argument("release", metavar="RELEASE", nargs="?", help="its name or id")
        parser.add_argument("--by", metavar="USERNAME", help="who registers it")
        parser.add_argument("--name", default="", help="what the training is called")
        parser.add_argument("--model", default="", help="the model that it made; of a list, only trainings of this one")
        parser.add_argument("--model-version", default="", metavar="VERSION")
        parser.add_argument("--code", default="", help="which code: a commit, an image")
        parser.add_argument("--metric", action="append", default=[], metavar="NAME=VALUE", help="what came of it")
        parser.add_argument("--link", default="", metavar="URL", help="where more of it is")

    def handle(self, **options: Any) -> None:
        """Register it, or list them.

        Raises:
            CommandError: no such dataset, release or person, the person may not, or a field does not fit.
        """
        try:
            dataset = log_named(options["dataset"])
        except NotFound as error:
            raise CommandError(f"There is no dataset {options['dataset']}; write it as OWNER/NAME.") from error
        if options["release"] is None:
            self._list(options["dataset"], dataset, options)
            return
        if not (options["by"] and options["name"] and options["model"]):
            raise CommandError("Say who registers it, with --by, what it is called, with --name, and its --model.")
        said: JSON = {name: options[name] for name in ("name", "model", "code", "link")}
        said |= {"version": options["model_version"], "metrics": dict(map(_metric, options["metric"]))}
        try:
            person = person_named(options["by"])
            found = queries.any_release(dataset, options["release"])
            made = commands.register_training(
                intent=Intent(author=person.id, tool="manage.py training"),
                release=found.release,
                said=values.checked(said, where="body"),
            )
        except PalimpsestError as error:
            raise CommandError(error.message) from error
        except values.BadValue as error:
            raise CommandError(f"{error.where}: {error.problem}") from error
        self.stdout.write(f"Registered as {made}.")

    def _list(self, name: str, dataset: Any, options: JSON) -> None:
        found = queries.trainings_in(dataset, model=options["model"], version=options["model_version"])
        names = names_of({row.created_by for row, _ in found})
        for row, release in found:
            told = lineage.rendered_with_release(row, release, names)
            model = f"{told['model']} {told['version']}".strip()
            metrics = ", ".join(f"{key} {value}" for key, value in sorted(told["metrics"].items()))
            self.stdout.write(f"{told['name']}: {model}, by {told['created_by']}{f' ({metrics})' if metrics else ''}")
            identity = told["release"]["identity"] or "not made yet"
            self.stdout.write(f"  {told['uuid']}")
            self.stdout.write(f"  used {release.release.name}: offset {release.release.at_offset}, identity {identity}")
        if not found:
            self.stdout.write(f"No training was registered with a release of {name}.")


def _metric(text: str) -> tuple[str, Any]:
    """A metric as it was written: a number, true, false or null where it is one, else a text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CommandError("--metric must be NAME=VALUE")
    try:
        parsed = json.loads(value)
    except ValueError:
        return name, value
    return name, value if isinstance(parsed, dict | list | str) else parsed
