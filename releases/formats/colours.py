"""Colours of classes that have none of their own. Pure."""

from __future__ import annotations

Colour = tuple[int, int, int]


def voc_colour(number: int) -> Colour:
    """The colour of a class in the table of Pascal VOC: its bits, three at a time, from the highest of each channel."""
    red = green = blue = 0
    for place in range(8):
        red |= (number & 1) << (7 - place)
        green |= (number >> 1 & 1) << (7 - place)
        blue |= (number >> 2 & 1) << (7 - place)
        number >>= 3
    return red, green, blue
