"""The colours that labels are shown in: each category's, and of each object a shade of it. Pure."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

JSON = dict[str, Any]
Colour = tuple[int, int, int]

NO_COLOUR: Colour = (150, 150, 150)
GOLDEN = 0.618033988749895
PLASTIC = 0.7548776662466927
#: How far shades of a colour go, in turns of the hue and in lightness, which stays between two values.
MOST_TURN = 0.055
MOST_LIGHTER = 0.17
DARKEST, LIGHTEST = 0.24, 0.78


def colours_of(task_attributes: JSON) -> Callable[[Any], Colour]:
    """The colour of a category id: its own where the dataset gives one, else one that the id always gets."""
    own: dict[int, Colour] = {}
    for item in task_attributes.get("categories") or ():
        parts = item.get("color") if isinstance(item, dict) else None
        if isinstance(parts, list) and len(parts) >= 3 and all(type(part) in (int, float) for part in parts[:3]):
            red, green, blue = (int(min(max(part, 0), 255)) for part in parts[:3])
            own[item["id"]] = (red, green, blue)

    def colour(category: Any) -> Colour:
        if type(category) is not int:
            return NO_COLOUR
        if category in own:
            return own[category]
        return _hue((category * GOLDEN) % 1.0) if category else NO_COLOUR

    return colour


def _hue(hue: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb(hue, 0.52, 0.72)
    return round(red * 255), round(green * 255), round(blue * 255)


@lru_cache(maxsize=1 << 14)
def shade(colour: Colour, number: int) -> Colour:
    """A shade of a colour by the object's id, so that neighbours of one category can be told apart: a little lighter or
    darker, and of grey none, of all else a little turned in hue. Ids that follow each other are far apart.
    """
    hue, lightness, saturation = colorsys.rgb_to_hls(*(part / 255 for part in colour))
    turned = ((number * GOLDEN) % 1.0 - 0.5) * 2 * MOST_TURN
    lighter = ((number * PLASTIC) % 1.0 - 0.5) * 2 * MOST_LIGHTER
    least, most = min(lightness, DARKEST), max(lightness, LIGHTEST)
    lightness = min(max(lightness + lighter, least), most)
    red, green, blue = colorsys.hls_to_rgb((hue + turned) % 1.0, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)
