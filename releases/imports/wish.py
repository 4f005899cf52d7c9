"""What an import is asked to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from labeling.errors import InvalidValue
from labeling.rules.dataset_state import GROUND_TRUTH
from labeling.rules.label_state import STATUSES
from releases.formats import registry
from releases.formats.format import BadOption, Format, Options

JSON = dict[str, Any]

#: What becomes of a label that is there: it stays; the file's objects take its place; they are put beside its own.
MODES = ("keep", "override", "merge")
#: What becomes of a category that the dataset does not have: it is added; nothing is imported; its objects stay out.
CATEGORIES = ("add", "refuse", "skip")
#: What becomes of a sample that the dataset does not have.
SAMPLES = ("add", "skip")
FIELDS = ("format", "options", "label_set", "mode", "categories", "samples", "label_status", "dry_run")


@dataclass(frozen=True, slots=True)
class Wish:
    """How a file is imported. `label_status` is that of new labels; "": what the file says, else PRELABELED."""

    format: str
    options: Mapping[str, str] = field(default_factory=dict)
    label_set: str = GROUND_TRUTH
    mode: str = "keep"
    categories: str = "add"
    samples: str = "add"
    label_status: str = ""
    dry_run: bool = False

    @property
    def kind(self) -> Format:
        return registry.FORMATS[self.format]

    @property
    def reading_options(self) -> Options:
        return self.kind.parsed_for_reading(self.options)

    @property
    def actions(self) -> tuple[str, ...]:
        """What it takes, as rules.access calls it."""
        return ("label", "change") if "add" in (self.categories, self.samples) else ("label",)

    def as_json(self) -> JSON:
        return asdict(self) | {"options": dict(self.options)}


def checked_wish(said: Mapping[str, Any]) -> Wish:
    """A wish out of fields as they were sent; what is not said is at its default.

    Raises:
        InvalidValue: the field that does not fit, with the values that do.
    """
    for key in said:
        if key not in FIELDS:
            raise InvalidValue("body", f"may hold {', '.join(FIELDS)}, and file or asset")
    if "format" not in said:
        raise InvalidValue("format", f"is required; it is one of {', '.join(sorted(registry.READ))}")
    try:
        kind = registry.to_read(said["format"] if isinstance(said["format"], str) else "")
    except registry.UnknownFormat as error:
        raise InvalidValue("format", str(error)) from error
    options = said.get("options", {})
    if not isinstance(options, dict) or not all(isinstance(item, str) for item in options.values()):
        raise InvalidValue("options", "must be an object of texts")
    try:
        options = dict(kind.parsed_for_reading(options).said)
    except BadOption as error:
        place = f"options.{error.name}" if error.name.isidentifier() else "options"
        raise InvalidValue(place, error.message) from error
    found: JSON = {"format": kind.name, "options": options}
    for key, choices in (("mode", MODES), ("categories", CATEGORIES), ("samples", SAMPLES)):
        if key in said:
            found[key] = _one_of(said[key], key, choices)
    if said.get("label_status", "") not in ("", None):
        found["label_status"] = _one_of(said["label_status"], "label_status", STATUSES[1:])
    if "label_set" in said:
        if not isinstance(said["label_set"], str):
            raise InvalidValue("label_set", "must be the name of a label set")
        found["label_set"] = said["label_set"]
    if "dry_run" in said:
        if type(said["dry_run"]) is not bool:
            raise InvalidValue("dry_run", "must be true or false")
        found["dry_run"] = said["dry_run"]
    return Wish(**found)


def _one_of(value: Any, where: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise InvalidValue(where, f"must be one of {', '.join(choices)}")
    return str(value)
