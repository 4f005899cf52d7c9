"""Values in sentences: lists, numbers, attributes."""

from __future__ import annotations

from typing import Any

from labeling.log import values

JSON = dict[str, Any]


def listed(words: list[str]) -> str:
    """Words with commas and an and."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def number(value: float) -> str:
    """At most two places, without a zero at the end."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def shown(value: Any) -> str:
    """A value in a sentence, not longer than a few words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    text: str = value if isinstance(value, str) else values.canonical(value).decode()
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"


def attributes_set(before: JSON, sent: JSON) -> str:
    """Attributes with what they were."""
    return listed(
        [
            f"{name} from {shown(before[name])} to {shown(value)}" if name in before else f"{name} to {shown(value)}"
            for name, value in sorted(sent.items())
        ]
    )
