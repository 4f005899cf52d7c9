"""What a datasheet asks people: what no log knows of a dataset, field by field. Pure.

The questions are those of datasheets for datasets (Gebru et al., 2018) in the order of the EU's AI Act, Art. 10(2) and
Annex IV(2)(d). The rest of a datasheet is counted from the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labeling.errors import InvalidValue
from labeling.log import values

#: Characters of a field.
MOST_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that is asked for; a datasheet that lacks a required one says so."""

    section: str
    asks: str
    required: bool = True


FIELDS = {
    "motivation": Field("Motivation", "For what purpose was the dataset made, and by whom?"),
    "intended_use": Field("Motivation", "What is it meant for, and what not?"),
    "design_choices": Field("Design", "Which choices were made, and why these: what is labeled how, and what is not?"),
    "assumptions": Field("Design", "What are the data supposed to measure and to stand for?"),
    "collection": Field("Collection", "How, where and when were the data acquired, and from whom?"),
    "availability": Field("Collection", "How many data of which kind were needed, and are there enough?"),
    "preparation": Field(
        "Preparation", "What was cleaned, enriched or aggregated before or beside the labeling, and how?"
    ),
    "annotators": Field("Preparation", "Who labeled: how were they chosen, trained, paid and supervised?"),
    "bias": Field("Limits", "Which biases were looked for, with what result, and what was done about them?"),
    "gaps": Field("Limits", "What is missing or weak, and how is that to be met?"),
    "privacy": Field("Limits", "Are there personal data, on what legal ground, and how were they protected?", False),
    "licence": Field("Distribution", "Under which licences may pictures and labels be used?"),
    "distribution": Field("Distribution", "Who gets the dataset, and how?", False),
    "maintenance": Field("Distribution", "Who looks after it, and how are errors told to them?", False),
}


def checked_changes(value: Any) -> dict[str, str]:
    """Fields with their new texts; an empty text takes the field away.

    Raises:
        InvalidValue, BadValue: by its field.
    """
    if not isinstance(value, dict) or not value:
        raise InvalidValue("body", f"must have at least one of {', '.join(FIELDS)}")
    found = {}
    for name, text in value.items():
        if name not in FIELDS:
            raise InvalidValue("body", f"may hold {', '.join(FIELDS)}")
        if text is not None and (not isinstance(text, str) or len(text) > MOST_TEXT):
            raise InvalidValue(name, f"must be a string of at most {MOST_TEXT} characters")
        found[name] = values.checked((text or "").strip(), where=name)
    return found
