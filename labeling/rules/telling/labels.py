"""What happens to labels and to the objects in them."""

from __future__ import annotations

from typing import Any

from labeling import events as e
from labeling.log import values
from labeling.log.event import Fact
from labeling.rules.reversal import STAMPS
from labeling.rules.telling.phrases import attributes_set, listed, number, shown
from labeling.rules.telling.shapes import drawn, outline_points, redrawn
from labeling.rules.telling.told import OBJECT, Teller, Telling, of_category, said, tell

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
    sources = {_from(fact.origin_of(item)) for item in fact.annotations}
    return f"uploaded a label with {count} object{'s' * (count != 1)}{sources.pop() if len(sources) == 1 else ''}{part}"


def _status(told: Telling) -> str:
    fact = told.fact
    was, becomes = ((status or "").lower().replace("_", " ") for status in (fact.before, fact.after))
    if fact.before is None and fact.verb == "save":
        return "began the label"
    verb = VERBS.get(fact.verb)
    was = was or "unlabeled"
    return f"{verb}: {was} became {becomes}" if verb else f"set the status from {was} to {becomes}"


def _scene(told: Telling) -> str:
    fact = told.fact
    return f"set {attributes_set(told.before.scene, fact.scene)} for the whole image"


def _restored(told: Telling) -> str:
    of = told.fact.of
    words = str(of.get("kind", "")).replace("_", " ")
    if "author" in of:
        words = f"what {told.person(of['author'])} did"
    return f"restored {words}" + (f" as of offset {of['offset']}" if "offset" in of else "") + ":"


LABELS: tuple[tuple[type[Fact], Teller], ...] = (
    (e.GestureUndone, said("undid a gesture:")),
    (e.GestureRedone, said("did a gesture again:")),
    (e.LabelRestored, _restored),
    (e.LabelHeaderRestored, lambda told: f"put back the label's {listed(sorted(told.fact.fields))}"),
    (e.LabelImported, _imported),
    (e.LabelDocumentSet, said("set the whole label")),
    (e.LabelStatusChanged, _status),
    (e.LabelScoreSet, said("scored the label {}", "score")),
    (e.LabelDeleted, said("deleted the label")),
    (e.SceneAttributesSet, _scene),
    (e.ClassificationAssigned, of_category("gave the image the category {}")),
    (e.ClassificationRemoved, of_category("took the category {} from the image")),
    (e.DefaultClassificationSet, of_category("made {} the image's default category")),
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
    (e.AnnotationBitmapPatched, _about("changed pixels of {}")),
    (e.MaskImported, lambda told: f"imported a mask of {len(told.fact.segments)} segments"),
)
for _type, _teller in LABELS:
    tell(_type, _teller)
