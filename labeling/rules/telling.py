"""What an event did, told in a sentence without who did it: "moved car 3 by 10 px to the right".

An app above tells its own events by `tell`. Pure: the same events give the same words everywhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labeling import events as e
from labeling.log import values
from labeling.log.event import Fact
from labeling.rules.label_state import LabelState
from labeling.rules.reversal import STAMPS, changed_pieces, piece_of

JSON = dict[str, Any]

VERBS = {
    "submit": "submitted the label",
    "save": "saved the label",
    "skip": "skipped the label",
    "accept": "accepted the label",
    "reject": "rejected the label",
    "verify": "verified the label",
    "reopen": "reopened the label",
}
SHAPES = {"bbox": "box", "rbox": "rotated box", "mask": "bitmap"}


@dataclass(frozen=True, slots=True)
class Telling:
    """One event, with the states before and behind it (None where the stream is no label's), and names."""

    fact: Any
    before: Any = None
    after: Any = None
    categories: Mapping[int, str] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)

    def category(self, number: Any) -> str:
        if number is None:
            return "no category"
        return self.categories.get(number, f"category {number}")

    def person(self, key: str | None) -> str:
        return "nobody" if key is None else self.people.get(key, key)

    def named(self, kind: str, key: str) -> str:
        """An object in words, as it was before the event or else behind it: car 3."""
        item = None
        for state in (self.before, self.after):
            if isinstance(state, LabelState) and item is None:
                item = piece_of(state, kind, key)
        if item is None:
            return "an object that was gone"
        name = "object" if item.get("category_id") is None else self.category(item["category_id"])
        return f"{name} {item.get('id', item.get('track_id', ''))}".rstrip()

    def pieces(self, kind: str, key: str) -> tuple[JSON, JSON]:
        """An object before and behind the event; {} where it was not there."""
        return (piece_of(self.before, kind, key) or {}, piece_of(self.after, kind, key) or {})


Teller = Callable[[Telling], str]
_tellers: dict[type[Fact], Teller] = {}


def tell(fact: type[Fact], teller: Teller) -> None:
    """Give the sentence of an event type."""
    _tellers[fact] = teller


def sentence(telling: Telling) -> str:
    """What happened, without who: "moved car 3 by 10 px to the right"."""
    teller = _tellers.get(type(telling.fact))
    if teller is not None:
        return teller(telling)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(telling.fact).__name__).lower()
    about = getattr(telling.fact, "annotation", None)
    return words if about is None else f"{words}: {telling.named(OBJECT, about)}"


def changes_of(before: Any, after: Any) -> list[JSON]:
    """What an event changed: of each object, and of the label, sample or dataset itself, the fields with both values.

    `before` is null for an object that was not there, and `after` for one that is gone.
    """
    found: list[JSON] = []
    if isinstance(before, LabelState):
        for kind, key in sorted(changed_pieces(before, after)):
            had, has = piece_of(before, kind, key), piece_of(after, kind, key)
            one, two = _fields(had, has), _fields(has, had)
            if one or two:
                item = has or had or {}
                found.append({"what": f"{kind}:{key}", "id": item.get("id", item.get("track_id")),
                              "before": one, "after": two})  # fmt: skip
    own = {}
    for name in _plain_fields(after):
        had, has = getattr(before, name), getattr(after, name)
        if had is not has and not values.same(had, has):
            own[name] = (had, has)
    if own:
        found.append(
            {
                "what": "label" if isinstance(after, LabelState) else "self",
                "id": None,
                "before": {name: pair[0] for name, pair in own.items()},
                "after": {name: pair[1] for name, pair in own.items()},
            }
        )
    return found


#: The fields of a state that people mean when they say what it is.
FIELDS = {
    "LabelState": (
        "exists", "status", "score", "scene", "classifications", "default_classification", "mask", "document",
    ),
    "SampleState": (
        "exists", "name", "attributes", "metadata", "priority", "readme", "assigned_labeler", "assigned_reviewer",
    ),
    "DatasetState": (
        "name", "description", "category", "readme", "metadata", "public", "archived", "task_type", "settings",
        "task_attributes",
    ),
}  # fmt: skip


def _plain_fields(state: Any) -> tuple[str, ...]:
    return FIELDS.get(type(state).__name__, ())


def _fields(item: JSON | None, other: JSON | None) -> JSON | None:
    """The fields of an object that the other state has not, or has otherwise."""
    if item is None:
        return None
    return {
        name: value
        for name, value in item.items()
        if name not in STAMPS and (other is None or name not in other or not values.same(value, other[name]))
    }


# --- words ---------------------------------------------------------------------------------------------------------


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


def outline_points(geometry: JSON) -> list[list[float]]:
    """The points of a shape in their order; of a rotated one the ends of its sizes, as if it were not rotated."""
    match geometry.get("type"):
        case "bbox" | "point":
            found: list[list[float]] = geometry["points"]
            return found
        case "polygon":
            return [point for part in geometry["parts"] for ring in part for point in ring]
        case "polyline":
            return [point for line in geometry["parts"] for point in line]
        case "rbox" | "ellipse":
            (x, y), (a, b) = geometry["center"], geometry.get("size_wh") or [2 * r for r in geometry["radii"]]
            return [[x - a / 2, y - b / 2], [x + a / 2, y + b / 2]]
        case "skeleton":
            return [[point["x"], point["y"]] for point in geometry["points"] if "x" in point]
    return []


def size_of(geometry: JSON) -> str:
    """How large a shape is: its box, in pixels."""
    found = outline_points(geometry)
    if not found:
        return ""
    xs, ys = [point[0] for point in found], [point[1] for point in found]
    return f"{number(max(xs) - min(xs))} × {number(max(ys) - min(ys))} px"


def drawn(geometry: JSON) -> str:
    """A shape in words: a box of 10 × 20 px."""
    named: str = geometry.get("type") or "shape"
    kind = SHAPES.get(named, named)
    size = size_of(geometry) if kind not in ("point", "orientation") else ""
    return f"a{'n' if kind[:1] in 'aeiou' else ''} {kind}" + (f" of {size}" if size else "")


def moved_by(before: JSON, after: JSON) -> tuple[float, float] | None:
    """(dx, dy) in pixels where a shape only went somewhere else; None where it became another one."""
    ones, others = outline_points(before), outline_points(after)
    if before.get("type") != after.get("type") or not ones or len(ones) != len(others):
        return None
    dx, dy = others[0][0] - ones[0][0], others[0][1] - ones[0][1]
    if all(
        math.isclose(two[0] - one[0], dx, abs_tol=1e-6) and math.isclose(two[1] - one[1], dy, abs_tol=1e-6)
        for one, two in zip(ones, others, strict=True)
    ):
        return dx, dy
    return None


def redrawn(name: str, before: JSON, after: JSON) -> str:
    """How a shape became another one."""
    if before.get("type") != after.get("type"):
        return f"redrew {name} as {drawn(after)}"
    angle = after.get("angle_deg", 0) - before.get("angle_deg", 0)
    if angle:
        return f"turned {name} by {number(angle)}°"
    by = moved_by(before, after)
    if by is not None:
        ways = [
            f"{number(abs(step))} px {way}"
            for step, way in (
                (by[0], "to the right" if by[0] > 0 else "to the left"),
                (by[1], "down" if by[1] > 0 else "up"),
            )
            if number(step) != "0"
        ]
        return f"moved {name} by {' and '.join(ways)}" if ways else f"moved {name} by less than 0.01 px"
    ones, others = outline_points(before), outline_points(after)
    if after.get("type") in ("polygon", "polyline", "skeleton") and ones:
        if len(ones) == len(others):
            differ = sum(one != other for one, other in zip(ones, others, strict=True))
            return f"moved {differ} of the {len(ones)} points of {name}"
        return f"redrew {name}: {len(others)} points in the place of {len(ones)}"
    sizes = size_of(before), size_of(after)
    if all(sizes) and sizes[0] != sizes[1]:
        return f"resized {name} from {sizes[0]} to {sizes[1]}"
    return f"redrew {name}"


def attributes_set(before: JSON, sent: JSON) -> str:
    """Attributes with what they were."""
    return listed(
        [
            f"{name} from {shown(before[name])} to {shown(value)}" if name in before else f"{name} to {shown(value)}"
            for name, value in sorted(sent.items())
        ]
    )


def differing(name: str, telling: Telling, had: JSON, has: JSON) -> str:
    """How an object became what it is, field by field: for what was restored."""
    if not had:
        return f"put back {name}, {drawn(has.get('geometry', {}))}"
    told = []
    for key in sorted({*had, *has} - STAMPS):
        one, two = had.get(key), has.get(key)
        if values.same(one, two):
            continue
        if key == "geometry":
            told.append(redrawn("it", one or {}, two or {}))
        elif key == "category_id":
            told.append(f"category to {telling.category(two)}")
        elif key == "attributes":
            ones, twos = one or {}, two or {}
            names = [item for item in sorted({*ones, *twos}) if ones.get(item) != twos.get(item)]
            told.append(f"attribute{'s' * (len(names) > 1)} {listed(names)}" if names else "attributes")
        else:
            told.append(key.replace("_", " "))
    return f"put {name} back: {listed(told)}" if told else f"put {name} back"


# --- labels --------------------------------------------------------------------------------------------------------

OBJECT = "annotation"


def _about(words: str) -> Teller:
    """A sentence with one object in it."""
    return lambda told: words.format(told.named(OBJECT, told.fact.annotation))


def _from(origin: JSON | None) -> str:
    if not origin:
        return ""
    kind = origin.get("kind")
    names = [str(origin[key]) for key in ("name", "model", "version") if origin.get(key) is not None]
    run = f", run {origin['run']}" if origin.get("run") else ""
    return f" from {'a' if not names else 'the'} {kind} {' '.join(names)}".rstrip() + run if kind else ""


def _added(told: Telling) -> str:
    fact = told.fact
    return f"added {told.named(OBJECT, fact.annotation)}, {drawn(fact.geometry)}{_from(fact.origin)}"


def _geometry(told: Telling) -> str:
    key = told.fact.annotation
    had, has = told.pieces(OBJECT, key)
    return redrawn(told.named(OBJECT, key), had.get("geometry", {}), has.get("geometry", {}))


def _vertex_moved(told: Telling) -> str:
    key = told.fact.annotation
    had, has = told.pieces(OBJECT, key)
    ends = outline_points(had.get("geometry", {})), outline_points(has.get("geometry", {}))
    gone = [point for point in ends[0] if point not in ends[1]]
    name = f"a vertex of {told.named(OBJECT, key)}"
    if not gone:
        return f"moved {name}"
    return redrawn(name, {"type": "point", "points": gone[:1]}, {"type": "point", "points": [told.fact.point]})


def _ring_removed(told: Telling) -> str:
    name = told.named(OBJECT, told.fact.annotation)
    return f"filled a hole of {name}" if told.fact.ring else f"took a part of {name} away"


def _category(told: Telling) -> str:
    fact = told.fact
    had, _ = told.pieces(OBJECT, fact.annotation)
    was = told.category(had.get("category_id"))
    return f"changed {told.named(OBJECT, fact.annotation)} from {was} to {told.category(fact.category_id)}"


def _attributes(told: Telling) -> str:
    fact = told.fact
    had, _ = told.pieces(OBJECT, fact.annotation)
    words = attributes_set(had.get("attributes", {}), fact.attributes)
    return f"set {words} on {told.named(OBJECT, fact.annotation)}" if words else "set no attributes"


def _cleared(told: Telling) -> str:
    fact = told.fact
    name = told.named(OBJECT, fact.annotation)
    return f"cleared {'all attributes' if fact.all else listed(sorted(fact.names)) or 'nothing'} of {name}"


def _order(told: Telling) -> str:
    fact = told.fact
    had, _ = told.pieces(OBJECT, fact.annotation)
    return f"{'raised' if fact.order > had.get('order', 0) else 'lowered'} {told.named(OBJECT, fact.annotation)}"


def _turned(told: Telling) -> str:
    fact = told.fact
    angles = [f"{key.removesuffix('_deg')} {number(value)}°" for key, value in fact.orientation.items()]
    return f"turned {told.named(OBJECT, fact.annotation)} to {listed(angles)}"


def _scored(told: Telling) -> str:
    fact = told.fact
    return f"scored {told.named(OBJECT, fact.annotation)} {shown(fact.score)}"


def _linked(told: Telling) -> str:
    fact = told.fact
    one, two = told.named(OBJECT, fact.annotation), told.named(OBJECT, fact.to)
    return f"linked {one} to {two}" if isinstance(fact, e.AnnotationLinkAdded) else f"unlinked {one} from {two}"


def _restored_object(told: Telling) -> str:
    fact = told.fact
    return differing(told.named(OBJECT, fact.annotation), told, *told.pieces(OBJECT, fact.annotation))


def _painted(told: Telling) -> str:
    fact = told.fact
    known = {item["id"]: key for state in (told.before, told.after) for key, item in state.annotations.items()}
    names = [told.named(OBJECT, known[item["id"]]) for item in fact.changed if item["id"] in known]
    if not names:
        return "set the bitmap" if fact.base_hash is None else "painted the bitmap"
    boxes = [item["box_xyxy"] for item in fact.changed]
    width = max(box[2] for box in boxes) - min(box[0] for box in boxes)
    height = max(box[3] for box in boxes) - min(box[1] for box in boxes)
    shown_names = names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"]
    return f"painted on {listed(shown_names)} within {width} × {height} px"


def _imported(told: Telling) -> str:
    fact = told.fact
    count = len(fact.annotations)
    part = f" (part {fact.part} of {fact.parts})" if fact.parts > 1 else ""
    sources = {_from(item.get("origin")) for item in fact.annotations}
    return f"uploaded a label with {count} object{'s' * (count != 1)}{sources.pop() if len(sources) == 1 else ''}{part}"


def _status(told: Telling) -> str:
    fact = told.fact
    was, becomes = ((status or "").lower().replace("_", " ") for status in (fact.before, fact.after))
    if fact.before is None and fact.verb == "save":
        return "began the label"
    verb = VERBS.get(fact.verb)
    was = was or "unlabeled"
    return f"{verb}: {was} became {becomes}" if verb else f"set the status from {was} to {becomes}"


def _frames(count: int) -> str:
    return f"{count} frame{'s' * (count != 1)}"


def _scene(told: Telling) -> str:
    fact = told.fact
    return f"set {attributes_set(told.before.scene, fact.scene)} for the whole image"


def _said(words: str, *names: str) -> Teller:
    """A sentence with fields of the fact in it."""
    return lambda told: words.format(*(shown(getattr(told.fact, name)) for name in names))


def _of_category(words: str, name: str = "category_id") -> Teller:
    return lambda told: words.format(told.category(getattr(told.fact, name)))


def _restored(told: Telling) -> str:
    of = told.fact.of
    words = str(of.get("kind", "")).replace("_", " ")
    if "author" in of:
        words = f"what {told.person(of['author'])} did"
    return f"restored {words}" + (f" as of offset {of['offset']}" if "offset" in of else "") + ":"


LABELS: tuple[tuple[type[Fact], Teller], ...] = (
    (e.GestureUndone, _said("undid a gesture:")),
    (e.GestureRedone, _said("did a gesture again:")),
    (e.LabelRestored, _restored),
    (e.LabelHeaderRestored, lambda told: f"put back the label's {listed(sorted(told.fact.fields))}"),
    (e.LabelImported, _imported),
    (e.LabelDocumentSet, _said("set the whole label")),
    (e.LabelStatusChanged, _status),
    (e.LabelScoreSet, _said("scored the label {}", "score")),
    (e.LabelDeleted, _said("deleted the label")),
    (e.SceneAttributesSet, _scene),
    (e.ClassificationAssigned, _of_category("gave the image the category {}")),
    (e.ClassificationRemoved, _of_category("took the category {} from the image")),
    (e.DefaultClassificationSet, _of_category("made {} the image's default category")),
    (e.BitmapPatched, _painted),
    (e.AnnotationAdded, _added),
    (e.AnnotationRestored, _restored_object),
    (e.AnnotationRemoved, _about("removed {}")),
    (e.AnnotationGeometrySet, _geometry),
    (e.AnnotationCategorySet, _category),
    (e.AnnotationAttributesSet, _attributes),
    (e.AnnotationAttributesCleared, _cleared),
    (e.AnnotationVertexInserted, _about("put a vertex into {}")),
    (e.AnnotationVertexMoved, _vertex_moved),
    (e.AnnotationVertexRemoved, _about("took a vertex of {} away")),
    (e.AnnotationPartAdded, _about("added a part to {}")),
    (e.AnnotationHoleAdded, _about("cut a hole into {}")),
    (e.AnnotationRingRemoved, _ring_removed),
    (e.AnnotationKeypointsSet, _about("placed the keypoints of {}")),
    (e.AnnotationKeypointsCleared, _about("cleared the keypoints of {}")),
    (e.AnnotationOrientationSet, _turned),
    (e.AnnotationOrientationCleared, _about("cleared the orientation of {}")),
    (e.AnnotationOrderChanged, _order),
    (e.AnnotationScoreSet, _scored),
    (e.AnnotationOriginSet, lambda told: f"set where {told.named(OBJECT, told.fact.annotation)} comes from"),
    (e.AnnotationExtraSet, _about("set other keys of {}")),
    (e.AnnotationLinkAdded, _linked),
    (e.AnnotationLinkRemoved, _linked),
    (e.AnnotationRasterized, _about("turned {} into a bitmap")),
    (e.AnnotationPolygonized, _about("turned the bitmap of {} into polygons")),
    (e.AnnotationFitted, _about("fitted {} into the image")),
)

# --- samples, datasets, issues -------------------------------------------------------------------------------------


def _changed(words: str) -> Teller:
    return lambda told: f"changed the {words}'s {listed(sorted(key.replace('_', ' ') for key in told.fact.changes))}"


def _assigned(told: Telling) -> str:
    roles = told.fact.roles
    return listed([f"assigned the sample to {told.person(who)} ({role})" for role, who in sorted(roles.items())])


def _member(words: str) -> Teller:
    return lambda told: words.format(told.person(told.fact.person), getattr(told.fact, "role", ""))


def _priority(told: Telling) -> str:
    was = getattr(told.before, "priority", None)
    return f"set the sample's priority from {shown(was)} to {shown(told.fact.priority)}"


OTHERS: tuple[tuple[type[Fact], Teller], ...] = (
    (e.SampleAdded, _said("added the sample {}", "name")),
    (e.SampleChanged, _changed("sample")),
    (e.SamplePrioritySet, _priority),
    (e.SampleAssigned, _assigned),
    (e.SampleFramesAdded, lambda told: f"added {_frames(len(told.fact.frames))} at {told.fact.frame}"),
    (e.SampleFramesRemoved, lambda told: f"removed {_frames(told.fact.count)} from {told.fact.frame} on"),
    (e.SampleFrameMoved, lambda told: f"moved frame {told.fact.frame} to {told.fact.to}"),
    (e.SampleFrameTimed, lambda told: f"set the time of frame {told.fact.frame}"),
    (e.SampleArchived, _said("deleted the sample")),
    (e.AssetAdded, _said("brought in the file {}", "filename")),
    (e.DatasetCreated, _said("created the dataset {}", "name")),
    (e.DatasetSettingsChanged, _changed("dataset")),
    (e.DatasetDeleted, _said("deleted the dataset")),
    (e.CategoryAdded, lambda told: f"added the category {shown(told.fact.category.get('name'))}"),
    (e.CategoryRenamed, lambda told: f"renamed {told.category(told.fact.id)} to {shown(told.fact.name)}"),
    (e.CategoryRecolored, _of_category("recoloured {}", "id")),
    (e.CategoryDeprecated, _of_category("deprecated {}", "id")),
    (e.CategoryMerged, lambda told: f"merged {told.category(told.fact.id)} into {told.category(told.fact.into)}"),
    (e.CategoryChanged, _of_category("changed {}", "id")),
    (e.CategoryRemoved, _of_category("removed {}", "id")),
    (e.LabelSetCreated, _said("created the label set {}", "name")),
    (e.LabelSetArchived, _said("deleted a label set")),
    (e.MemberAdded, _member("added {} as {}")),
    (e.MemberRoleChanged, _member("made {} a {}")),
    (e.MemberRemoved, _member("removed {} from the dataset")),
    (e.IssueOpened, _said("opened an issue")),
    (e.IssueCommented, _said("commented on an issue")),
    (e.IssueResolved, _said("set an issue to {}", "status")),
    (e.IssueAnchorSet, _said("moved an issue")),
    (e.IssueArchived, _said("deleted an issue")),
    (e.ActivityClosed, _said("closed a day of work: its signals are deleted")),
)
for _type, _teller in (*LABELS, *OTHERS):
    tell(_type, _teller)
