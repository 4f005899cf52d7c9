"""The page of what differs: totals and filters on top, and each label before and after, side by side."""

from __future__ import annotations

import uuid
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from labeling.admin import display
from labeling.admin.rights import may
from labeling.admin.tabs import dataset_here, shown
from labeling.drawing import picture_urls
from labeling.errors import InvalidValue
from labeling.log import search
from labeling.models import Dataset, LabelSet, Person, Sample
from labeling.queries.history import Historian
from labeling.queries.history import entries as sentences_of
from labeling.rules.colours import colours_of
from labeling.rules.label_ids import label_id
from labeling.rules.task_types import has_frames
from releases import reading
from releases.admin import pictures
from releases.comparing import gone_along, in_two, summary
from releases.differences import Comparison, Side, Totals, named
from releases.differences.asking import MOST_COUNTED, compared_sides, wanted_of
from releases.differences.naming import WHOLE
from releases.differences.wanting import CHANGES, KINDS
from releases.models import Release
from releases.queries import releases_of

if TYPE_CHECKING:
    from releases.admin.releases import ReleaseAdmin

JSON = dict[str, Any]

#: What one page shows.
PAGE = 8
MOST_CHANGES = 40  #: of one label, in words
MOST_SENTENCES = 12
ASKED = ("from", "to", "from_label_set", "to_label_set", "label_set", "change", "kind", "category", "author", "sample")
SIGNS = {"added": "+", "removed": "−", "changed": "~"}


def view(page: ReleaseAdmin, request: HttpRequest, dataset: uuid.UUID) -> HttpResponse:
    """What differs between two sides of a dataset."""
    found = dataset_here(request, dataset)
    if not may(request, "history", dataset):
        raise PermissionDenied
    said = {name: request.GET.get(name, "").strip() for name in ASKED} | _defaults(request, dataset)
    problem, answered = "", {}
    try:
        compared = compared_sides(dataset, said)
        answered = _answered(request, found, compared, said)
    except InvalidValue as error:
        problem = str(error)
    owner = Person.objects.filter(id=found.owner_id).values_list("username", flat=True).first()
    asked = {name: value for name, value in said.items() if value}
    releases = [item.release.name for item in reversed(releases_of(dataset))]
    sets = LabelSet.objects.filter(dataset_id=dataset, archived=False).order_by("name")
    listed = found.task_attributes.get("categories") or []
    address = f"/datasets/{owner}/{found.name}/diff/"
    context = {
        "said": said,
        "problem": problem,
        "releases": releases,
        "label_sets": list(sets.values_list("name", flat=True)),
        "changes": CHANGES,
        "kinds": KINDS,
        "categories": [(str(item["id"]), item.get("name", item["id"])) for item in listed if "id" in item],
        "whole": "whole" in request.GET,
        "files": {form: f"{address}?{urlencode(asked | {'format': form})}" for form in ("csv", "ndjson")},
        "is_filtered": any(said[name] for name in ASKED[4:]),
        "all_url": f"?{urlencode({name: said[name] for name in ASKED[:4] if said[name]})}",
    }
    template = "admin/releases/release/difference.html"
    title = f"What differs in {found.name}"
    status = 400 if problem else 200
    return shown(page, request, found, template, title, "difference", context | answered, status=status)


def _defaults(request: HttpRequest, dataset: uuid.UUID) -> JSON:
    """Where nobody says what is compared: the two newest releases, or the newest with what is there now."""
    if any(request.GET.get(name) for name in ("from", "from_label_set")):
        return {}
    newest = Release.objects.filter(dataset_id=dataset, withdrawn=False).order_by("-cut_offset")
    names = list(newest.values_list("name", flat=True)[:2])
    to = request.GET.get("to", "")
    if to:
        return {"from": next((name for name in names if name != to), "0")}
    return {"from": names[-1] if names else "0", "to": names[0] if len(names) > 1 else ""}


def _answered(request: HttpRequest, dataset: Dataset, compared: Comparison, said: JSON) -> JSON:
    wanted = wanted_of(compared, said)
    totals = Totals()
    entries = totals.of(wanted.of(compared.entries(after=request.GET.get("after", ""))))
    first = list(islice(entries, PAGE))
    more = next(entries, None) is not None
    for _ in islice(entries, MOST_COUNTED):
        pass
    counted = totals.as_json()
    asked = {name: value for name, value in said.items() if value}
    if "whole" in request.GET:
        asked["whole"] = "1"
    sides = [_side(side, words) for side, words in ((compared.one, "Before"), (compared.other, "After"))]
    return {
        "sides": sides,
        "totals": counted,
        "tiles": [
            (word, [(SIGNS[way], way, f"{counted[key][way]:,}") for way in CHANGES if counted[key].get(way)])
            for key, word in (("objects", "Objects"), ("labels", "Labels"), ("samples", "Samples"))
        ],
        "chips": [
            (kind, count, f"?{urlencode(asked | {'kind': kind})}", kind == said["kind"])
            for kind, count in sorted(counted["kinds"].items(), key=lambda item: (-item[1], item[0]))
            if kind in KINDS
        ],
        "complete": next(entries, None) is None,
        "words": summary(counted),
        "entries": [_entry(request, dataset, compared, entry, sides) for entry in named(first, compared.categories)],
        "next": f"?{urlencode(asked | {'after': first[-1]['stream']})}" if more else "",
        "is_first": not request.GET.get("after"),
        "first_url": f"?{urlencode(asked)}",
        "of_label_sets": compared.of_label_sets,
    }


def _side(side: Side, words: str) -> JSON:
    sets = LabelSet.objects.filter(id__in=[side.label_set] if side.label_set else [])
    label_set = sets.values_list("name", flat=True).first() or ""
    return {"words": words, "release": side.release, "offset": side.offset, "label_set": label_set}


def _entry(request: HttpRequest, dataset: Dataset, compared: Comparison, entry: JSON, told_sides: list[JSON]) -> JSON:
    kind = entry["stream"].split("/")[0]
    changes = entry["changes"]
    found = entry | {
        "kind": kind,
        "where": " → ".join(dict.fromkeys(side["label_set"] for side in told_sides if side["label_set"])),
        "title": entry["sample_name"] or (dataset.name if kind == "dataset" else "a sample that is gone"),
        "lines": [_line(dataset, change, compared, kind) for change in changes[:MOST_CHANGES]],
        "left_out": max(0, len(changes) - MOST_CHANGES),
        "counts": [
            (SIGNS[way], way, sum(change["change"] == way and ":" in change["what"] for change in changes))
            for way in CHANGES
        ],
        "pairs": [],
        "fold": gone_along(entry),
    }
    # A page is of what is there now, which may be otherwise on both sides.
    gone = kind != "dataset" and not Sample.objects.filter(id=entry["sample"], archived=False).exists()
    if kind == "label":
        label = label_id(entry["stream"])
        found["url"] = "" if gone else reverse("admin:labeling_label_change", args=[label])
        found["pairs"] = [] if entry["gone_with"] else _pairs(request, dataset, compared, entry)
    elif kind == "sample":
        found["url"] = "" if gone else reverse("admin:labeling_sample_change", args=[entry["sample"]])
    else:
        found["url"] = reverse("admin:labeling_dataset_categories", args=[dataset.id])
    if not compared.of_label_sets and not entry["gone_with"]:
        found["sentences"], found["sentences_left"] = _sentences(dataset, compared, entry)
    return found


def _line(dataset: Dataset, change: JSON, compared: Comparison, kind: str) -> JSON:
    colour_of = colours_of(dataset.task_attributes)
    name, became = in_two(change, compared.categories, whole=WHOLE[kind])
    return {
        "sign": SIGNS[change["change"]],
        "way": change["change"],
        "swatch": display.swatch(colour_of(change["category_id"])) if ":" in change["what"] else "",
        "name": name,
        "rest": became,
        "kinds": change["kinds"],
        "iou": change.get("geometry", {}).get("iou"),
        "share": None if "geometry" not in change else f"{100 * change['geometry']['iou']:.1f}",
        "frames": pictures.changed_frames(change)[:30] if change["what"].startswith("track:") else [],
        "people": sorted(change["people"]),
        "events": [
            (offset, reverse("admin:labeling_storedevent_change", args=[f"{dataset.id}@{offset}"]))
            for offset in change["events"][:4]
        ],
        "more_events": max(0, len(change["events"]) - 4),
    }


def _pairs(request: HttpRequest, dataset: Dataset, compared: Comparison, entry: JSON) -> list[JSON]:
    """The drawings before and after, one pair or one a frame."""
    sample = compared.sample_of(entry)
    of_frames = has_frames(dataset.task_type)
    frames: list[int | None] = [None]
    if of_frames:
        frames = [*pictures.frames_to_show(entry["changes"])] or [0]
    sides = compared.sides_of(entry)
    found = []
    for frame in frames:
        url = next(picture_urls(sample.attributes, frame or 0), "")
        drawn = pictures.pair(
            sides,
            entry["changes"],
            frame=frame,
            size_wh=reading.size_of_picture(url, sample.metadata),
            read=compared.read,
            colour_of=colours_of(dataset.task_attributes),
            whole="whole" in request.GET,
        )
        if drawn is not None:
            query = urlencode({"plain": 1} | ({"frame": frame} if frame else {}))
            address = reverse("admin:labeling_sample_thumbnail", args=[entry["sample"], "large"])
            found.append(drawn | {"frame": frame, "image": f"{address}?{query}"})
    return found


def _sentences(dataset: Dataset, compared: Comparison, entry: JSON) -> tuple[list[JSON], int]:
    """What happened, the oldest first, and how many more events there are."""
    between = search.Wanted(stream=entry["stream"], first=compared.first + 1, last=compared.last)
    events = search.find(dataset.id, between, limit=MOST_SENTENCES)
    told = sentences_of(dataset.id, Historian(dataset.id).told(events))
    lines = []
    for item in told:
        who, _, did = item["sentence"].partition(" ")
        url = reverse("admin:labeling_storedevent_change", args=[f"{dataset.id}@{item['offset']}"])
        line = {"who": who, "did": did, "when": display.when(item["recorded_at"]), "reason": item["reason"]}
        lines.append(line | {"offset": item["offset"], "url": url})
    return lines, max(0, entry["event_count"] - MOST_SENTENCES)
