"""A change in words that a person understands: "car 3: moved by 10 px to the right, IoU 0.82". Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from labeling.log import values
from labeling.rules.telling import drawn, listed, number, redrawn, shown

JSON = dict[str, Any]
Names = Mapping[int, str]

#: Fields that are said by their own names, in these words.
FIELDS = {
    "keypoints": "named points changed",
    "orientation": "turned in space",
    "order": "raised or lowered",
    "links": "links changed",
    "origin": "said to come from elsewhere",
    "extra": "other fields changed",
    "object_id": "drawn by another number",
    "mask": "pixels changed",
    "document": "what lies beside its objects changed",
    "attributes": "its data changed",
    "metadata": "metadata changed",
    "readme": "readme changed",
    "settings": "settings changed",
    "task_attributes": "categories and attributes changed",
}
#: Kinds of change of labels and samples, not of objects.
OF_WHOLE = frozenset({"mask", "status", "scene", "classifications", "default_classification", "document", "metadata"})
#: So many frames are named; of more it is said how many they are.
MOST_FRAMES = 6


def said(change: JSON, names: Names, *, whole: str = "the label") -> str:
    """The change in words; `names` are those of the categories, `whole` is what `label` and `self` stand for."""
    name, became = in_two(change, names, whole=whole)
    return f"{name}{':' if change['change'] == 'changed' else ''} {became}"


def in_two(change: JSON, names: Names, *, whole: str = "the label") -> tuple[str, str]:
    """(what it is about, what became of it)."""
    if ":" not in change["what"]:
        return whole, _of_whole(change)
    name = _name(change, names)
    if change["change"] == "added":
        return name, f"added{_came(change)}"
    if change["change"] == "removed":
        into = change.get("merged_into")
        return name, f"merged into {into['track_id']}" if into else "removed"
    return name, f"{listed(_parts(change, names)) or 'changed'}{_matched(change)}"


def _name(change: JSON, names: Names) -> str:
    kind = "track " if change["what"].startswith("track:") else ""
    category = change["category_id"]
    name = "object" if category is None else names.get(category, f"category {category}")
    return f"{kind}{name} {change['id']}"


def _came(change: JSON) -> str:
    after = change["after"]
    split = change.get("split_from")
    if split:
        at = "" if split["frame"] is None else f" at frame {split['frame']}"
        return f": split off {split['track_id']}{at}"
    if "entries" in after:
        there = [frame for frame, entry in after["entries"].items() if not entry.get("absent")]
        return f" at frame {min(map(int, there))}, {_counted(len(there), 'keyframe')}" if there else ""
    return f", {drawn(after['geometry'])}" if "geometry" in after else ""


def _parts(change: JSON, names: Names) -> list[str]:
    before, after = change["before"], change["after"]
    found = []
    if "geometry" in before and "geometry" in after:
        words = re.sub(r" (of )?it\b", "", redrawn("it", before["geometry"], after["geometry"]))
        found.append(words + _measured(change))
    elif "geometry" in change:
        found.append("painted otherwise" + _measured(change))
    if "category_id" in {*before, *after}:
        sides = [_category(side.get("category_id"), names) for side in (before, after)]
        found.append(f"category from {sides[0]} to {sides[1]}")
    if "attributes" in {*before, *after}:
        found.append(_attributes(before.get("attributes") or {}, after.get("attributes") or {}))
    for key in ("id", "track_id"):
        if key in after:
            found.append(f"number from {before[key]} to {after[key]}")
    if "score" in {*before, *after}:
        found.append(f"score from {shown(before.get('score'))} to {shown(after.get('score'))}")
    if "keyframes" in change:
        found += _keyframes(change["keyframes"])
    if "lineage" in {*before, *after}:
        more = len(after.get("lineage", ())) >= len(before.get("lineage", ()))
        found.append("another track merged into it" if more else "a track that was merged into it taken out")
    told = ("geometry", "category_id", "attributes", "id", "track_id", "score", "entries", "lineage")
    found += [FIELDS.get(key, f"{key.replace('_', ' ')} changed") for key in sorted({*before, *after} - {*told})]
    return found


def _measured(change: JSON) -> str:
    measures = change.get("geometry")
    if measures is None:
        return ""
    areas = f"{measures['area_before_px']:,} → {measures['area_after_px']:,} px²"
    if measures["area_before_px"] == measures["area_after_px"]:
        areas = f"{measures['area_after_px']:,} px²"
    return f" (IoU {measures['iou']:.2f}, {areas})"


def _category(category: int | None, names: Names) -> str:
    return "none" if category is None else names.get(category, f"category {category}")


def _attributes(before: JSON, after: JSON) -> str:
    differ = [name for name in sorted({*before, *after}) if not values.same(before.get(name), after.get(name))]
    told = [f"{name} from {shown(before.get(name))} to {shown(after.get(name))}" for name in differ]
    return listed(told) or "attributes changed"


def _keyframes(found: JSON) -> list[str]:
    told = []
    for key, words in (("added", "keyframes added"), ("removed", "keyframes removed")):
        if key in found:
            told.append(f"{words} at {_frames(found[key])}")
    if "changed" in found:
        ious = [item["geometry"]["iou"] for item in found["changed"] if "geometry" in item]
        least = f" (IoU {min(ious):.2f}{' or more' if len(ious) > 1 else ''})" if ious else ""
        told.append(f"set otherwise at {_frames([item['frame'] for item in found['changed']])}{least}")
    if "leaves" in found:
        told.append(f"gone from {_frames(found['leaves'])}")
    if "stays" in found:
        told.append(f"not gone any more from {_frames(found['stays'])}")
    return told


def _frames(frames: list[int]) -> str:
    if len(frames) > MOST_FRAMES:
        return f"{len(frames)} frames from {frames[0]} to {frames[-1]}"
    return f"frame{'s' * (len(frames) > 1)} {listed([str(frame) for frame in frames])}"


def _matched(change: JSON) -> str:
    match = change.get("match")
    if match is None or match["by"] != "overlap":
        return ""
    score = "" if match["score"] is None else f", score {number(match['score'])}"
    return f"; found by overlap as {match['id']}{score}"


def _of_whole(change: JSON) -> str:
    before, after = change["before"], change["after"]
    if change["change"] != "changed":
        return str(change["change"])
    found = []
    for key in after:
        if key == "status":
            found.append(f"status from {_status(before[key])} to {_status(after[key])}")
        elif key == "task_attributes":
            found += [category_said(item) for item in change.get("categories", ())] or [FIELDS[key]]
        elif key == "label_sets":
            found += [f"label set {shown(item['name'])} {item['change']}" for item in change["label_sets"]]
        elif key == "scene":
            found.append(f"the image's {_attributes(before[key], after[key])}")
        elif key in FIELDS:
            found.append(FIELDS[key])
        elif isinstance(after[key], list | dict) or isinstance(before[key], list | dict):
            found.append(f"{key.replace('_', ' ')} changed")
        else:
            found.append(f"{key.replace('_', ' ')} from {shown(before[key])} to {shown(after[key])}")
    return listed(found)


def _status(status: str) -> str:
    return status.lower().replace("_", " ")


def category_said(item: JSON) -> str:
    """What became of one category, in words."""
    match item["change"]:
        case "added":
            return f"category {shown(item['after'])} added"
        case "removed":
            return f"category {shown(item['before'])} removed"
        case "renamed":
            return f"category {shown(item['before'])} renamed to {shown(item['after'])}"
        case "recoloured":
            return f"category {item['id']} recoloured"
        case "merged":
            return f"category {item['id']} merged into {shown(item['after'])}"
        case "deprecated":
            return f"category {item['id']} {'deprecated' if item['after'] else 'not deprecated any more'}"
    return f"category {item['id']}: {listed(sorted({*item['before'], *item['after']}))} changed"


def gone_along(entry: JSON) -> str:
    """What became of a label to which nothing happened but that its sample or label set went, or came back; "" for
    one to which something did."""
    if not entry["gone_with"]:
        return ""
    came = all(change["change"] == "added" for change in entry["changes"])
    objects = _counted(sum(":" in change["what"] for change in entry["changes"]), "object")
    return f"{'came back' if came else 'went'} with its {entry['gone_with'].replace('_', ' ')}: {objects}"


def summary(totals: JSON) -> str:
    """Totals in a sentence: "2 objects added, 3 changed (2 geometry, 1 category); 1 sample added"."""
    told = []
    for key, noun in (
        ("objects", "object"),
        ("samples", "sample"),
        ("categories", "category"),
        ("label_sets", "label set"),
    ):
        counts = totals[key]
        words = [f"{counts[name]:,} {name}" for name in counts]
        if words:
            first, _, rest = words[0].partition(" ")
            plural = noun if first == "1" else {"category": "categories"}.get(noun, f"{noun}s")
            told.append(", ".join([f"{first} {plural} {rest}", *words[1:]]))
            kinds = [f"{count:,} {kind}" for kind, count in _most(totals["kinds"]) if kind not in OF_WHOLE]
            if key == "objects" and kinds:
                told[-1] += f" ({', '.join(kinds)})"
    labels = totals["labels"]
    if labels:
        told.append(f"in {_counted(sum(labels.values()), 'label')}")
    if totals["same"]:
        told.append(f"{_counted(totals['same'], 'object')} the same")
    if not told:
        return "nothing differs"
    return f"{'; '.join(told)}; {_counted(totals['events'], 'event')} of {_counted(totals['people'], 'author')}"


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
