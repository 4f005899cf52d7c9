"""How the admin shows things: times, statuses, bars, people, JSON. Markup without inline style; SVG has its sizes."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from labeling.admin.fields import pretty
from labeling.commands.people import OPERATOR
from labeling.commands.security import NOBODY
from labeling.models import Dataset, Person

#: The order of a bar: what is done stands left.
DONE_FIRST = (
    "VERIFIED",
    "REVIEWED",
    "REVIEWING_IN_PROGRESS",
    "LABELED",
    "LABELING_IN_PROGRESS",
    "PRELABELED",
    "REJECTED",
    "SKIPPED",
    "UNLABELED",
)
STATUS_WORDS = {
    "UNLABELED": "unlabeled",
    "PRELABELED": "prelabeled",
    "LABELING_IN_PROGRESS": "labeling",
    "LABELED": "labeled",
    "REVIEWING_IN_PROGRESS": "reviewing",
    "REVIEWED": "reviewed",
    "REJECTED": "rejected",
    "SKIPPED": "skipped",
    "VERIFIED": "verified",
}
JSON_CHARACTERS = 200_000
NOTHING = "–"


def css(status: str) -> str:
    """The class of a status in the stylesheet."""
    return f"st-{status.lower().replace('_', '-')}"


def status_badge(status: str) -> SafeString:
    return format_html('<span class="badge {}">{}</span>', css(status), STATUS_WORDS.get(status, status))


def badge(words: str, kind: str = "") -> SafeString:
    """A small label; `kind` is good, bad, busy or quiet."""
    return format_html('<span class="badge {}">{}</span>', kind, words)


def bar(stats: dict[str, int]) -> SafeString:
    """A bar of a dataset's samples by status."""
    total = stats.get("TOTAL", 0)
    words = ", ".join(f"{stats[status]} {STATUS_WORDS[status]}" for status in DONE_FIRST if stats.get(status))
    parts, x = [], 0.0
    for status in DONE_FIRST:
        width = 100 * stats.get(status, 0) / total if total else 0.0
        if width:
            parts.append((css(status), f"{x:.3f}", f"{width:.3f}", f"{stats[status]} {STATUS_WORDS[status]}"))
            x += width
    return format_html(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="bar-ground" x="0" y="0" width="100" height="10"></rect>{}</svg>',
        words or "no samples",
        format_html_join("", '<rect class="{}" x="{}" y="0" width="{}" height="10"><title>{}</title></rect>', parts),
    )


def legend(stats: dict[str, int]) -> SafeString:
    """The words to a bar: how many samples have which status."""
    present = [status for status in DONE_FIRST if stats.get(status)]
    if not present:
        return mark_safe('<span class="quiet">no samples yet</span>')
    return format_html_join(
        "",
        '<span class="key"><span class="dot {}"></span>{} <b>{}</b></span>',
        ((css(status), STATUS_WORDS[status], stats[status]) for status in present),
    )


def share_done(stats: dict[str, int]) -> int:
    """How many of a hundred samples are labeled, reviewed or verified; rounded down, so that 100 means all."""
    done = sum(
        stats.get(status, 0) for status in ("LABELED", "REVIEWING_IN_PROGRESS", "REVIEWED", "VERIFIED", "SKIPPED")
    )
    return 100 * done // stats["TOTAL"] if stats.get("TOTAL") else 0


def when(moment: dt.datetime | None) -> SafeString | str:
    """A time as people say it, with the exact one on hovering."""
    if moment is None:
        return NOTHING
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>', moment.isoformat(), f"{moment:%Y-%m-%d %H:%M:%S}", ago(moment)
    )


def ago(moment: dt.datetime) -> str:
    """How long ago, up to a week; then the date."""
    seconds = (timezone.now() - moment).total_seconds()
    if seconds < -1:
        return f"{moment:%Y-%m-%d %H:%M}"
    for limit, unit_s, unit in ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (7 * 86_400, 86_400, "d")):
        if seconds < limit:
            return "just now" if unit == "s" and seconds < 5 else f"{int(seconds // unit_s)} {unit} ago"
    return f"{moment:%Y-%m-%d}"


def size(number_of_bytes: int | None) -> str:
    return NOTHING if number_of_bytes is None else filesizeformat(number_of_bytes)


def json_block(value: Any) -> SafeString:
    """JSON to read. The start of it, where it is huge."""
    text = pretty(value)
    cut = len(text) > JSON_CHARACTERS
    note = format_html('<p class="quiet">The first {} of {} characters.</p>', JSON_CHARACTERS, len(text)) if cut else ""
    return format_html('<pre class="json">{}</pre>{}', text[:JSON_CHARACTERS], note)


def swatch(colour: Sequence[int]) -> SafeString:
    """A small square of a colour."""
    square = '<rect width="10" height="10" rx="2" fill="#{}"></rect>'
    return format_html(
        f'<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">{square}</svg>', bytes(colour).hex()
    )


def full_names(datasets: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """{dataset: owner/name}, also of those that are deleted."""
    rows = Dataset.objects.filter(id__in=set(datasets)).values_list("id", "name", "owner_id")
    owners = usernames(owner for _, _, owner in rows)
    return {key: f"{owners.get(owner, '?')}/{name}" for key, name, owner in rows}


def usernames(people: Iterable[uuid.UUID | None]) -> dict[uuid.UUID, str]:
    """{person: username}, in one query; who has no account any more is not in it."""
    wanted = {person for person in people if person is not None}
    found = dict(Person.objects.filter(id__in=wanted).values_list("id", "username")) if wanted else {}
    for nobody, words in ((OPERATOR, "command line"), (NOBODY, "somebody unknown")):
        if nobody in wanted:
            found.setdefault(nobody, words)
    return found


def name_of(person: uuid.UUID | None, names: dict[uuid.UUID, str]) -> str:
    return NOTHING if person is None else names.get(person, f"somebody ({str(person)[:8]})")
