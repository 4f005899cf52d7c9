"""The stored geometry of an annotation: its forms, their validation, and the four forms that the wire protocol knows.

    bbox         points [[x0, y0], [x1, y1]]: top left, bottom right
    rbox         center [x, y], size_wh [w, h], angle_deg
    polygon      parts, each a list of rings (outer, then holes), each a list of [x, y], not closed
    polyline     parts, each a list of [x, y]
    point        points, a list of [x, y]
    skeleton     points, a list of {"name", "x", "y", "visibility": 0 not placed, 1 hidden, 2 visible}
    ellipse      center [x, y], radii [rx, ry], angle_deg
    bitmap       rle (COCO), and if wanted box_xyxy, the pixel box of it
    orientation  nothing: the annotation's orientation stands alone
    mask         nothing: the pixels are in the label's bitmap

Each is a dict with its "type". The Segments.ai protocol has bbox, polygon, polyline and point; the others are shown
there by an approximation, and `keeps` names what that leaves out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import chain
from typing import Any

import orjson

from labeling.geometry import rle
from labeling.geometry.bitmaps import BadBitmap
from labeling.log.values import BadValue, below, same
from labeling.log.written import Written, write_out, write_out_numbers

Geometry = dict[str, Any]
Points = list[list[float]]

MAX_BITMAP_PIXELS = 1 << 28
#: Only where coordinates are derived from them, so that the result stays finite.
MAX_LENGTH_PX = 1e9
ELLIPSE_VERTICES = 32

_GRID = 1024
_FORMS: dict[str, tuple[str, ...]] = {
    "bbox": ("points",),
    "rbox": ("center", "size_wh", "angle_deg"),
    "polygon": ("parts",),
    "polyline": ("parts",),
    "point": ("points",),
    "skeleton": ("points",),
    "ellipse": ("center", "radii", "angle_deg"),
    "bitmap": ("rle",),
    "orientation": (),
    "mask": (),
}
_OPTIONAL = {"bitmap": ("box_xyxy",)}
_ANGLES = ("roll_deg", "pitch_deg", "yaw_deg")


def checked_geometry(value: Any, *, where: str, lenient: bool = False) -> Geometry:
    """The geometry as it was given, or an error; no number is changed.

    `lenient` is for documents of the protocol, which takes any number of points (a polygon of none) and keys of others.

    Raises:
        BadValue: an unknown form, a missing or (unless lenient) unknown key, a number that is missing, not finite or
            negative where a length is meant, too few points, run lengths that describe no mask.
    """
    if type(value) is not dict:
        raise BadValue(where, "must be an object with a type")
    form = value.get("type")
    if not isinstance(form, str) or form not in _FORMS:
        raise BadValue(below(where, "type"), f"must be one of {', '.join(_FORMS)}")
    _check_keys(value, ("type", *_FORMS[form]), _OPTIONAL.get(form, ()), where, lenient=lenient)
    check = _CHECKS.get(form)
    if check is not None:
        check(value, where, lenient)
    return value


def checked_keypoints(value: Any, where: str) -> list[dict[str, Any]]:
    """Named points as they were given; one that is not placed (visibility 0) may leave out x and y or have null.

    Raises:
        BadValue: not a list of points with a unique name, coordinates and a visibility.
    """
    names: set[str] = set()
    for index, point in enumerate(_checked_list(value, where)):
        place = below(where, index)
        if type(point) is not dict:
            raise BadValue(place, "must be an object with name, x, y and visibility")
        _check_keys(point, ("name", "visibility"), ("x", "y"), place)
        name = point["name"]
        if type(name) is not str or not name:
            raise BadValue(below(place, "name"), "must be text that is not empty")
        if name in names:
            raise BadValue(below(place, "name"), "must be given to one point only")
        names.add(name)
        if type(point["visibility"]) is not int or point["visibility"] not in (0, 1, 2):
            raise BadValue(below(place, "visibility"), "must be 0 (not placed), 1 (hidden) or 2 (visible)")
        x, y = point.get("x"), point.get("y")
        if point["visibility"] != 0 or x is not None or y is not None:
            _check_number(x, below(place, "x"))
            _check_number(y, below(place, "y"))
    return list(value)


def checked_orientation(value: Any, where: str) -> dict[str, float]:
    """{"roll_deg", "pitch_deg", "yaw_deg"} as given.

    Raises:
        BadValue: a key is missing or unknown, or an angle is not a finite number.
    """
    if type(value) is not dict:
        raise BadValue(where, f"must be an object with {', '.join(_ANGLES)}")
    _check_keys(value, _ANGLES, (), where)
    for name in _ANGLES:
        _check_number(value[name], below(where, name))
    return dict(value)


class Drawn(Written, frozen=True, gc=False):
    """A geometry as it is written, of which its form is known without reading it."""

    form: str

    def read(self) -> Geometry:
        found: Geometry = orjson.loads(self.text)
        return found

    def spelled(self) -> Drawn:
        """The same, whole numbers written as such."""
        return Drawn(self.canonical, self.canonical, self.form)


def written_out(geometry: Geometry) -> Drawn:
    """`write_out` of a geometry."""
    form = geometry["type"]
    if form != "polygon" or len(geometry) != 2:
        found = write_out(geometry)
        return Drawn(found.text, found.canonical, form)
    found = write_out_numbers(geometry["parts"])
    return _polygon(found.text, found.canonical)


def polygon_of(rings: list[Any]) -> Drawn:
    """A polygon of flat rings x, y, x, y …, a part each, as COCO has them. It is checked as it is written; a file has
    millions.

    Raises:
        ValueError: there are others than lists of an even number of finite numbers, six at the least.
    """
    texts = []
    for flat in rings:
        _check_ring(flat)
        try:
            text = orjson.dumps(flat, option=orjson.OPT_STRICT_INTEGER)
        except orjson.JSONEncodeError as error:
            raise ValueError("there is a number that no log stores") from error
        if text.translate(None, _OF_PLAIN_NUMBERS) != b"[]" or b"-0.0" in text:
            return _odd_polygon_of(rings)
        texts.append(_paired(text[1:-1].split(b",")))
    parts = b"[[[[%b]]]]" % b"]]],[[[".join(texts)
    spelled = parts.replace(b".0,", b",").replace(b".0]", b"]")
    return _polygon(parts, parts if len(spelled) == len(parts) else spelled)


def _check_ring(flat: Any) -> None:
    if type(flat) is not list or len(flat) < 6 or len(flat) % 2:
        raise ValueError("a ring is a list of three points at the least")


#: What numbers are written with that JSON's canonical form spells alike, but for a fraction of 0.
_OF_PLAIN_NUMBERS = b"0123456789.,-"
#: So many numbers are paired by a pattern that is kept; who has more pays for its own.
_USUAL = 512


def _paired(numbers: list[bytes]) -> bytes:
    """Numbers as points, but for the outer brackets."""
    if len(numbers) <= _USUAL:
        return _points_of(len(numbers) // 2) % tuple(numbers)
    left = iter(numbers)
    return b"],[".join(map(b",".join, zip(left, left, strict=True)))


@lru_cache(maxsize=_USUAL)
def _points_of(count: int) -> bytes:
    return b"],[".join([b"%b,%b"] * count)


def _odd_polygon_of(rings: list[Any]) -> Drawn:
    """`polygon_of` where there is something else than numbers that are spelled plainly."""
    parts = []
    lists = 1
    for flat in rings:
        _check_ring(flat)
        parts.append([list(map(list, zip(flat[::2], flat[1::2], strict=True)))])
        lists += 2 + len(flat) // 2
    found = write_out_numbers(parts, lists=lists)
    return _polygon(found.text, found.canonical)


def _polygon(parts: bytes, canonical: bytes) -> Drawn:
    text = b'{"parts":%b,"type":"polygon"}' % parts
    return Drawn(text, text if canonical is parts else b'{"parts":%b,"type":"polygon"}' % canonical, "polygon")


def from_wire(type: str, points: Points) -> Geometry:
    """The stored form of a shape of the protocol, verbatim; `points` (any number of pairs) are not checked here.

    Raises:
        BadValue: the protocol has no such type.
    """
    match type:
        case "bbox" | "point":
            return {"type": type, "points": points}
        case "polygon":
            return {"type": type, "parts": [[points]]}
        case "polyline":
            return {"type": type, "parts": [points]}
    raise BadValue("type", "must be one of bbox, polygon, polyline, point")


def to_wire(geometry: Geometry) -> tuple[str, Points] | None:
    """The (type, points) that the protocol shows, or None for what it cannot show (orientation, mask).

    What was sent in the protocol comes back verbatim. Derived: of a polygon or polyline its first part (outer ring), of
    a rotated box its corners from the unrotated top left on, of an ellipse 32 vertices from the end of its first radius
    on, both in the direction of positive angles; of a skeleton the placed points; of a bitmap the box of its pixels.
    """
    match geometry["type"]:
        case "bbox" | "point":
            return geometry["type"], geometry["points"]
        case "polygon":
            parts = geometry["parts"]
            return "polygon", parts[0][0] if parts and parts[0] else []
        case "polyline":
            return "polyline", geometry["parts"][0] if geometry["parts"] else []
        case "rbox":
            half_w, half_h = (side / 2 for side in geometry["size_wh"])
            offsets = [(-half_w, -half_h), (half_w, -half_h), (half_w, half_h), (-half_w, half_h)]
            return "polygon", _turned(offsets, geometry)
        case "ellipse":
            rx, ry = geometry["radii"]
            turns = [sine_cosine(360 * index / ELLIPSE_VERTICES) for index in range(ELLIPSE_VERTICES)]
            return "polygon", _turned([(rx * cosine, ry * sine) for sine, cosine in turns], geometry)
        case "skeleton":
            return "point", [[point["x"], point["y"]] for point in geometry["points"] if point["visibility"]]
        case "bitmap":
            x0, y0, x1, y1 = rle.box_of_runs(geometry["rle"], max_pixels=MAX_BITMAP_PIXELS) or [0, 0, 0, 0]
            return "bbox", [[x0, y0], [x1, y1]]
    return None


def keeps(geometry: Geometry) -> list[str]:
    """Words for what only the stored form holds and the protocol's leaves out; none for its own forms."""
    match geometry["type"]:
        case "polygon":
            parts = geometry["parts"]
            return ["parts"] * (len(parts) > 1) + ["holes"] * any(len(rings) > 1 for rings in parts)
        case "polyline":
            return ["parts"] * (len(geometry["parts"]) > 1)
        case "rbox":
            return ["rotation"]
        case "ellipse":
            return ["curve"]
        case "skeleton":
            return ["names", "visibility"]
        case "bitmap":
            return ["pixels"]
        case "orientation":
            return ["orientation"]
    return []


def sine_cosine(angle_deg: float) -> tuple[float, float]:
    """(sine, cosine) of a finite angle, the same on every processor and exact at multiples of 90 degrees.

    Reduced exactly to 45 degrees, then Taylor's series to x**17 in Horner's order; within 3e-16 of the true value.
    """
    turned = math.fmod(angle_deg, 360.0)
    quarters = math.floor((turned + 45.0) / 90.0)
    x = (turned - 90.0 * quarters) * (math.pi / 180.0)
    square = x * x
    sine = cosine = 1.0
    for order in range(16, 0, -2):
        sine = 1.0 - square * sine / (order * (order + 1))
        cosine = 1.0 - square * cosine / (order * (order - 1))
    sine *= x
    sine, cosine = ((sine, cosine), (cosine, -sine), (-sine, -cosine), (-cosine, sine))[quarters % 4]
    return sine + 0.0, cosine + 0.0  # no negative zero


def _turned(offsets: list[tuple[float, float]], geometry: Geometry) -> Points:
    """Offsets from the centre, turned by the geometry's angle and rounded to the grid of derived coordinates."""
    x, y = geometry["center"]
    sine, cosine = sine_cosine(geometry["angle_deg"])
    return [[_on_grid(x + dx * cosine - dy * sine), _on_grid(y + dx * sine + dy * cosine)] for dx, dy in offsets]


def _on_grid(coordinate: float) -> float:
    return round(coordinate * _GRID) / _GRID


def _check_keys(
    value: dict[str, Any], required: tuple[str, ...], optional: tuple[str, ...], where: str, *, lenient: bool = False
) -> None:
    for key in required:
        if key not in value:
            raise BadValue(below(where, key), "is required")
    if not lenient:
        for key in value:
            if key not in required and key not in optional:
                raise BadValue(below(where, key), f"is unknown; known are {', '.join((*required, *optional))}")


def _checked_list(value: Any, where: str, least: int = 0) -> list[Any]:
    if type(value) is not list:
        raise BadValue(where, "must be a list")
    if len(value) < least:
        raise BadValue(where, f"must have at least {least} element{'s' * (least > 1)}")
    return value


def _check_number(value: Any, where: str, *, least: float = -math.inf, most: float = math.inf) -> None:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise BadValue(where, "must be a finite number")
    if not least <= value <= most:
        raise BadValue(where, f"must be a number from {least:g} to {most:g}")


def _check_points(value: Any, where: str, least: int) -> None:
    points = _checked_list(value, where)
    if not _are_pairs(points):
        for index, point in enumerate(points):
            place = below(where, index)
            if type(point) is not list or len(point) != 2:
                raise BadValue(place, "must be a pair [x, y]")
            for axis, number in enumerate(point):
                _check_number(number, below(place, axis))
    _checked_list(points, where, least)


def _are_pairs(points: list[Any]) -> bool:
    """Whether all are [x, y] with finite numbers, at the speed of C."""
    if not (set(map(type, points)) <= {list} and set(map(len, points)) <= {2}):
        return False
    numbers = list(chain.from_iterable(points))
    # The sum of finite numbers is mostly finite too, and never where one of them is not.
    return set(map(type, numbers)) <= {int, float} and (math.isfinite(sum(numbers)) or all(map(math.isfinite, numbers)))


def _check_pair(value: Any, where: str, *, least: float) -> None:
    if type(value) is not list or len(value) != 2:
        raise BadValue(where, "must be a list of two numbers")
    for index, number in enumerate(value):
        _check_number(number, below(where, index), least=least, most=MAX_LENGTH_PX)


def _check_bbox(value: Geometry, where: str, lenient: bool) -> None:
    where = below(where, "points")
    _check_points(value["points"], where, 0 if lenient else 2)
    if not lenient:
        if len(value["points"]) != 2:
            raise BadValue(where, "must be two points, top left and bottom right")
        (x0, y0), (x1, y1) = value["points"]
        if x0 > x1 or y0 > y1:
            raise BadValue(where, "must be the top left and then the bottom right corner")


def _check_rbox(value: Geometry, where: str, lenient: bool) -> None:
    _check_pair(value["center"], below(where, "center"), least=-MAX_LENGTH_PX)
    _check_pair(value["size_wh"], below(where, "size_wh"), least=0)
    _check_number(value["angle_deg"], below(where, "angle_deg"))


def _check_ellipse(value: Geometry, where: str, lenient: bool) -> None:
    _check_pair(value["center"], below(where, "center"), least=-MAX_LENGTH_PX)
    _check_pair(value["radii"], below(where, "radii"), least=0)
    _check_number(value["angle_deg"], below(where, "angle_deg"))


def _are_outlines(parts: Any) -> bool:
    """Whether all are parts of rings of three points or more, at the speed of C; no paths are made for what is good."""
    if type(parts) is not list or not parts or set(map(type, parts)) != {list} or not all(parts):
        return False
    rings = list(chain.from_iterable(parts))
    return set(map(type, rings)) == {list} and all(len(ring) >= 3 and _are_pairs(ring) for ring in rings)


def _check_polygon(value: Geometry, where: str, lenient: bool) -> None:
    if _are_outlines(value["parts"]):
        return
    where = below(where, "parts")
    for index, rings in enumerate(_checked_list(value["parts"], where, 0 if lenient else 1)):
        place = below(where, index)
        for number, ring in enumerate(_checked_list(rings, place, 0 if lenient else 1)):
            _check_points(ring, below(place, number), 0 if lenient else 3)


def _check_polyline(value: Geometry, where: str, lenient: bool) -> None:
    where = below(where, "parts")
    for index, line in enumerate(_checked_list(value["parts"], where, 0 if lenient else 1)):
        _check_points(line, below(where, index), 0 if lenient else 2)


def _check_point(value: Geometry, where: str, lenient: bool) -> None:
    where = below(where, "points")
    _check_points(value["points"], where, 0 if lenient else 1)
    if not lenient and len(value["points"]) != 1:
        raise BadValue(where, "must be one point")


def _check_skeleton(value: Geometry, where: str, lenient: bool) -> None:
    where = below(where, "points")
    checked_keypoints(_checked_list(value["points"], where, 0 if lenient else 1), where)


def _check_bitmap(value: Geometry, where: str, lenient: bool) -> None:
    place = below(where, "rle")
    runs = value["rle"]
    if type(runs) is dict:
        _check_keys(runs, ("size", "counts"), (), place, lenient=lenient)
    try:
        box = rle.box_of_runs(runs, max_pixels=MAX_BITMAP_PIXELS)
    except BadBitmap as error:
        raise BadValue(place, f"must hold the run lengths of a mask. {error}") from None
    if box is None and not lenient:
        raise BadValue(place, "must have at least one pixel set")
    if "box_xyxy" in value and not same(value["box_xyxy"], box):
        raise BadValue(below(where, "box_xyxy"), "must be the pixel box of the run lengths, or be left out")


_CHECKS: dict[str, Callable[[Geometry, str, bool], None]] = {
    "bbox": _check_bbox,
    "rbox": _check_rbox,
    "polygon": _check_polygon,
    "polyline": _check_polyline,
    "point": _check_point,
    "skeleton": _check_skeleton,
    "ellipse": _check_ellipse,
    "bitmap": _check_bitmap,
}
